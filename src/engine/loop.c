/* SPDX-License-Identifier: MIT */
/* The loop that measures how long each entry takes. */
#include "loop.h"

/* What one boundary between entries measured. */
struct reading {
    uint64_t time_ns;
    size_t bytes;
};

static struct reading take_reading(const cmw_ctx *ctx)
{
    return (struct reading){cmw__engine_clock(ctx->worker->engine), cmw_arena_used(&ctx->arena)};
}

static void record_call(cmw_ctx *ctx, const struct cmw__entry_info *info,
                        const struct reading *before, const struct reading *after)
{
    const uint64_t elapsed = after->time_ns - before->time_ns;

    cmw__use_record(ctx->use, info->histogram, elapsed);
    cmw__counter_add(&ctx->use->counters[info->counters + CMW__ENTRY_DURATION_SUM], elapsed);
    if (after->bytes > before->bytes)
        cmw__counter_add(&ctx->use->counters[info->counters + CMW__ENTRY_BYTES],
                         after->bytes - before->bytes);
}

/* One reading of the clock between any two entries, since reading it is most of what timing costs.
 * A duration thus has in it what recording the one before took: some nanoseconds. */
struct cmw__step cmw__run_timed(cmw_ctx *ctx, const struct cmw__program *program,
                                const struct cmw__entry *entry)
{
    struct reading before = take_reading(ctx);

    for (;; entry++) {
        cmw__ctx_set_at(ctx, entry);
        const int value = entry->fn(entry->self, ctx);
        const struct cmw__entry_info *info = cmw__info_of(program, entry);
        if (info->kind == CMW__ENTRY_END)
            return (struct cmw__step){entry, info, value};
        const struct reading after = take_reading(ctx);
        if (info->kind == CMW__ENTRY_CALL)
            record_call(ctx, info, &before, &after);
        before = after;
        if (value == 0)
            continue;
        if (info->kind != CMW__ENTRY_GUARD)
            return (struct cmw__step){entry, info, value};
        entry = ctx->jump - 1;
    }
}
