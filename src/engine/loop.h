/* SPDX-License-Identifier: MIT */
/*
 * The loop over a program, for requests that are not usual: it leaves at the first entry that says
 * something else than to go on.
 */
#ifndef CMW_ENGINE_LOOP_H
#define CMW_ENGINE_LOOP_H

#include "ctx_state.h"
#include "platform.h"

/* What left the loop. */
struct cmw__step {
    const struct cmw__entry *entry;
    const struct cmw__entry_info *info;
    int value;
};

static inline const struct cmw__entry_info *cmw__info_of(const struct cmw__program *program,
                                                         const struct cmw__entry *entry)
{
    return &program->info[entry - program->entries];
}

/* cmw__run_entries for one request in `sample_every`, which is timed. */
struct cmw__step cmw__run_timed(cmw_ctx *ctx, const struct cmw__program *program,
                                const struct cmw__entry *entry);

/* Run entries from `entry` on until a verdict, the end, or a failure. */
static inline struct cmw__step cmw__run_entries(cmw_ctx *ctx, const struct cmw__program *program,
                                                const struct cmw__entry *entry)
{
    if (CMW_UNLIKELY(ctx->flags & CMW__CTX_SAMPLED))
        return cmw__run_timed(ctx, program, entry);
    for (;;) {
        cmw__ctx_set_at(ctx, entry);
        const int value = entry->fn(entry->self, ctx);
        if (CMW_LIKELY(value == 0)) {
            entry++;
            continue;
        }
        const struct cmw__entry_info *info = cmw__info_of(program, entry);
        if (info->kind != CMW__ENTRY_GUARD)
            return (struct cmw__step){entry, info, value};
        entry = ctx->jump;
    }
}

#endif /* CMW_ENGINE_LOOP_H */
