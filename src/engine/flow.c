/* SPDX-License-Identifier: MIT */
/* Passing chunks from callback to callback, in both directions. */
#include "flow.h"

#include "loop.h"

/* ---- Items ------------------------------------------------------------------------------ */

static int is_announced(const cmw_ctx *ctx, uint32_t middleware)
{
    for (const struct cmw__announced *at = ctx->announced; at; at = at->next)
        if (at->middleware == middleware)
            return 1;
    return 0;
}

static void add_item(const cmw_ctx *ctx, struct cmw__flow *flow, const struct cmw__entry *entry,
                     const struct cmw__entry_info *info)
{
    const cmw_middleware *mw = &ctx->plan->middleware[info->middleware].instance->mw;
    struct cmw__flow_item item = {.entry = entry, .info = info, .mw = mw};

    if (flow->phase == CMW_PHASE_REQUEST_BODY) {
        item.may_replace = mw->body_demand == CMW_BODY_CHUNKS || mw->body_demand == CMW_BODY_FULL;
        item.is_gathered = mw->body_demand == CMW_BODY_PEEK || mw->body_demand == CMW_BODY_FULL;
    } else {
        item.may_replace = (mw->flags & CMW_TRANSFORMS_BODY) != 0;
        if (item.may_replace && !is_announced(ctx, info->middleware))
            return;
    }
    flow->items[flow->count++] = item;
}

int cmw__flow_open(cmw_ctx *ctx, struct cmw__flow *flow, cmw_phase phase)
{
    const struct cmw__program *program = &ctx->plan->programs[phase];
    const struct cmw__entry *entry = program->entries;

    memset(flow, 0, sizeof *flow);
    flow->phase = (uint8_t)phase;
    if (program->count <= 1)
        return 0;
    flow->items = cmw__arena_alloc(&ctx->arena, (program->count - 1) * sizeof *flow->items);
    if (!flow->items)
        return CMW_ERR_NOMEM;
    cmw__count(ctx, program->entered_counter);
    for (;;) {
        const struct cmw__entry_info *info = cmw__info_of(program, entry);
        if (info->kind == CMW__ENTRY_END)
            return 0;
        if (info->kind == CMW__ENTRY_GUARD && entry->fn(entry->self, ctx) != 0) {
            entry = ctx->jump;
            continue;
        }
        if (info->kind == CMW__ENTRY_CALL)
            add_item(ctx, flow, entry, info);
        entry++;
    }
}

/* ---- One call --------------------------------------------------------------------------- */

static int run_callback(cmw_ctx *ctx, const struct cmw__flow_item *item, int phase,
                        cmw_chunk *chunk)
{
    cmw_body_fn *fn =
        phase == CMW_PHASE_REQUEST_BODY ? item->mw->request_body : item->mw->response_body;
    const uint8_t origin = ctx->response.origin;

    ctx->response.origin = 0;
    ctx->flags |= CMW__CTX_IN_BODY;
    cmw__ctx_set_at(ctx, item->entry);
    const int value = fn(item->mw->self, ctx, chunk);
    cmw__ctx_set_idle(ctx);
    ctx->flags = (uint16_t)(ctx->flags & ~CMW__CTX_IN_BODY);
    ctx->response.origin = origin;
    return value;
}

/* 1 if it kept to what its middleware declared. */
static int is_lawful(const struct cmw__flow_item *item, const cmw_chunk *before,
                     const cmw_chunk *after)
{
    const int is_same =
        before->bytes.data == after->bytes.data && before->bytes.len == after->bytes.len;

    if (!item->may_replace)
        return is_same && !after->has_more;
    return !after->has_more || (after->bytes.len > 0 && !item->is_gathered);
}

static int is_verdict(const cmw_ctx *ctx, const struct cmw__flow *flow,
                      const struct cmw__flow_item *item, int value)
{
    if (flow->phase == CMW_PHASE_RESPONSE_BODY)
        return value == CMW_CONTINUE;
    return value == CMW_CONTINUE || value == CMW_STOP ||
           (value == CMW_SUSPEND && cmw__ctx_may_park(ctx, item->entry));
}

int cmw__flow_call(cmw_ctx *ctx, struct cmw__flow *flow, uint32_t index, cmw_chunk *chunk)
{
    struct cmw__flow_item *item = &flow->items[index];
    const cmw_chunk before = *chunk;

    flow->at = index;
    chunk->has_more = 0;
    const int value = run_callback(ctx, item, flow->phase, chunk);
    const int is_last = before.is_last && !chunk->has_more;
    if (is_verdict(ctx, flow, item, value) && is_lawful(item, &before, chunk)) {
        item->has_more = chunk->has_more != 0;
        item->was_last = before.is_last != 0;
        chunk->is_last = is_last;
        chunk->has_more = 0;
        return value;
    }
    item->has_more = 0;
    *chunk = before;
    if (item->mw->failure != CMW_FAIL_OPEN) {
        cmw__count(ctx, item->info->counters + CMW__ENTRY_ERRORS);
        return value < 0 ? value : CMW_ERROR;
    }
    cmw__count(ctx, item->info->counters + CMW__ENTRY_FORGIVEN);
    return CMW_CONTINUE;
}

/* ---- All of them ------------------------------------------------------------------------ */

int cmw__flow_pass(cmw_ctx *ctx, struct cmw__flow *flow, uint32_t from)
{
    for (uint32_t i = from; i < flow->count; i++) {
        if (flow->items[i].is_gathered)
            continue;
        const int value = cmw__flow_call(ctx, flow, i, &flow->chunk);
        if (value != CMW_CONTINUE)
            return value;
        if (flow->chunk.bytes.len == 0 && !flow->chunk.is_last)
            return CMW_CONTINUE;
    }
    return CMW_CONTINUE;
}

uint32_t cmw__flow_next(struct cmw__flow *flow)
{
    for (uint32_t i = flow->count; i-- > 0;) {
        if (!flow->items[i].has_more)
            continue;
        flow->items[i].has_more = 0;
        flow->chunk = (cmw_chunk){CMW_STR(""), flow->items[i].was_last, 0};
        return i;
    }
    return flow->count;
}
