/* SPDX-License-Identifier: MIT */
/*
 * The request's body: its limit, the one buffer, and request_body.
 *
 *   fed chunk ──> CHUNKS, DIGEST ──> buffer ──> PEEK: once it is full enough, or at the end
 *                                           └─> FULL: at the end
 *
 * A chunk is in one of two stages, so that a request can be suspended in either: PASS through the
 * callbacks, and LOOK by those who wait for the buffer.
 */
#include "flow.h"

#include "fault.h"
#include "loop.h"
#include "run.h"

enum { IDLE, PASS, LOOK };
/* A declared length up to this is taken at its word: more must have come before it takes memory. */
enum { TRUSTED_BYTES = 64 * 1024 };

/* ---- Limits ----------------------------------------------------------------------------- */

/* What the body may have: the engine's limit, or a lower one of this request. */
uint64_t cmw_ctx_body_limit(const cmw_ctx *ctx)
{
    return ctx->traces & CMW__CTX_BODY_LIMITED ? ctx->body_limit
                                               : ctx->worker->engine->limits.body_bytes;
}

int cmw_ctx_reads_body(const cmw_ctx *ctx)
{
    return ctx->plan->body_phases >> CMW_PHASE_REQUEST_BODY & 1;
}

uint64_t cmw_ctx_body_received(const cmw_ctx *ctx)
{
    return ctx->body_in ? ctx->body_in->flow.taken : ctx->request.body.len;
}

int cmw_ctx_limit_body(cmw_ctx *ctx, uint64_t bytes)
{
    const uint64_t declared = ctx->request.view.content_length;

    if (ctx->state > CMW__CTX_PRE_ROUTE)
        return CMW_ERR_STATE;
    if (bytes >= cmw_ctx_body_limit(ctx))
        return 0;
    if (ctx->request.body.len > bytes || (declared != CMW_LENGTH_UNKNOWN && declared > bytes))
        return CMW_ERR_LIMIT;
    ctx->body_limit = bytes;
    ctx->traces |= CMW__CTX_BODY_LIMITED;
    return 0;
}

/* ---- The buffer ------------------------------------------------------------------------- */

/* Room for `len` bytes of body in one block: a larger one replaces a smaller one. */
static int reserve_body(cmw_ctx *ctx, size_t len)
{
    struct cmw__block_list *blocks = &ctx->worker->blocks;

    if (ctx->body && len <= cmw__block_room(ctx->body))
        return 0;
    struct cmw__block *block = cmw__block_take(blocks, len);
    if (!block)
        return CMW_ERR_NOMEM;
    cmw__unpoison(cmw__block_bytes(block), cmw__block_room(block));
    if (ctx->body) {
        memcpy(cmw__block_bytes(block), ctx->request.body.data, ctx->request.body.len);
        cmw__block_put(blocks, ctx->body);
    }
    ctx->body = block;
    ctx->traces |= CMW__CTX_LITTER;
    ctx->request.body.data = cmw__block_bytes(block);
    return 0;
}

/* A short declared length is taken at its word at once; any other body doubles. */
static size_t wanted_body(const cmw_ctx *ctx, size_t len)
{
    const uint64_t declared = ctx->request.view.content_length;
    const uint64_t limit = cmw_ctx_body_limit(ctx);
    size_t wanted = len;

    if (declared != CMW_LENGTH_UNKNOWN && declared > wanted && declared <= TRUSTED_BYTES)
        wanted = (size_t)declared;
    else if (ctx->body && wanted < 2 * cmw__block_room(ctx->body))
        wanted = 2 * cmw__block_room(ctx->body);
    if (wanted > limit && limit >= len)
        wanted = (size_t)limit;
    return wanted;
}

/* 0, CMW_ERR_LIMIT or CMW_ERR_NOMEM. */
static int append(cmw_ctx *ctx, cmw_str bytes, uint64_t limit)
{
    const size_t have = ctx->request.body.len;

    if (bytes.len > limit - have)
        return CMW_ERR_LIMIT;
    if (bytes.len == 0)
        return 0;
    const size_t len = have + bytes.len;
    const int fits = ctx->body && len <= cmw__block_room(ctx->body);
    if (!fits && reserve_body(ctx, wanted_body(ctx, len)) != 0)
        return CMW_ERR_NOMEM;
    memcpy(cmw__block_bytes(ctx->body) + have, bytes.data, bytes.len);
    ctx->request.body.len = len;
    return 0;
}

/* ---- Without callbacks ------------------------------------------------------------------ */

int cmw_ctx_receive_body(cmw_ctx *ctx, cmw_str bytes)
{
    if (ctx->state >= CMW__CTX_POST_ROUTE)
        return CMW_ERR_STATE;
    if (ctx->flags & CMW__CTX_FAILED)
        return ctx->fault.code ? ctx->fault.code : CMW_ERR_STATE;
    if (ctx->plan->body_phases & 1u << CMW_PHASE_REQUEST_BODY) {
        cmw__ctx_fail_with(ctx, 500, CMW_ERR_UNSUPPORTED);
        return CMW_ERR_UNSUPPORTED;
    }
    const int rc = append(ctx, bytes, cmw_ctx_body_limit(ctx));
    if (rc != 0)
        cmw__ctx_fail_with(ctx, rc == CMW_ERR_LIMIT ? 413 : 503, rc);
    return rc;
}

/* ---- With them -------------------------------------------------------------------------- */

static cmw_next refuse(cmw_ctx *ctx, int rc)
{
    const int status = rc == CMW_ERR_LIMIT ? 413 : rc == CMW_ERR_NOMEM ? 503 : 500;

    return cmw__respond_to_fault(ctx, (cmw_fault){status, rc, -1, NULL});
}

static int open_flow(cmw_ctx *ctx)
{
    struct cmw__body_in *in = cmw__arena_alloc(&ctx->arena, sizeof *in);

    if (!in)
        return CMW_ERR_NOMEM;
    in->full_limit = cmw_ctx_body_limit(ctx);
    if (cmw__flow_open(ctx, &in->flow, CMW_PHASE_REQUEST_BODY) != 0)
        return CMW_ERR_NOMEM;
    for (uint32_t i = 0; i < in->flow.count; i++) {
        const cmw_middleware *mw = in->flow.items[i].mw;
        if (mw->body_demand == CMW_BODY_FULL && mw->body_demand_bytes != 0 &&
            mw->body_demand_bytes < in->full_limit)
            in->full_limit = mw->body_demand_bytes;
    }
    ctx->body_in = in;
    ctx->traces |= CMW__CTX_LITTER;
    return 0;
}

/* Where somebody may suspend, the chunk must outlive the host's call. */
static int stash(cmw_ctx *ctx, cmw_str *bytes)
{
    struct cmw__block_list *blocks = &ctx->worker->blocks;

    if (bytes->len == 0 || !(ctx->plan->suspend_phases & 1u << CMW_PHASE_REQUEST_BODY))
        return 0;
    if (ctx->stash && bytes->len > cmw__block_room(ctx->stash)) {
        cmw__block_put(blocks, ctx->stash);
        ctx->stash = NULL;
    }
    if (!ctx->stash) {
        ctx->stash = cmw__block_take(blocks, bytes->len);
        if (!ctx->stash)
            return CMW_ERR_NOMEM;
        cmw__unpoison(cmw__block_bytes(ctx->stash), cmw__block_room(ctx->stash));
    }
    memcpy(cmw__block_bytes(ctx->stash), bytes->data, bytes->len);
    bytes->data = cmw__block_bytes(ctx->stash);
    return 0;
}

/* 1 if the item has waited for what the buffer has now. */
static int is_due(const cmw_ctx *ctx, const struct cmw__flow_item *item, int has_ended)
{
    if (!item->is_gathered || item->is_done)
        return 0;
    return has_ended || (item->mw->body_demand == CMW_BODY_PEEK &&
                         ctx->request.body.len >= item->mw->body_demand_bytes);
}

/* Show the buffer to one who waited for it. */
static int show(cmw_ctx *ctx, struct cmw__body_in *in, uint32_t index, int has_ended)
{
    struct cmw__flow_item *item = &in->flow.items[index];
    cmw_chunk chunk = {ctx->request.body.len ? ctx->request.body : CMW_STR(""), has_ended, 0};
    const int is_peek = item->mw->body_demand == CMW_BODY_PEEK;

    /* Whether the end is known already must not depend on how the body was cut. */
    if (is_peek && chunk.bytes.len >= item->mw->body_demand_bytes)
        chunk = (cmw_chunk){cmw_str_make(chunk.bytes.data, item->mw->body_demand_bytes), 0, 0};
    item->is_done = 1;
    const int value = cmw__flow_call(ctx, &in->flow, index, &chunk);
    if (!is_peek)
        ctx->request.body = chunk.bytes;
    return value;
}

/* Show it to all whose time has come, from item flow.at on. */
static int look(cmw_ctx *ctx, struct cmw__body_in *in)
{
    struct cmw__flow *flow = &in->flow;
    const int has_ended = flow->chunk.is_last;

    for (uint32_t i = flow->at; i < flow->count; i++) {
        if (!is_due(ctx, &flow->items[i], has_ended))
            continue;
        const int value = show(ctx, in, i, has_ended);
        if (value != CMW_CONTINUE)
            return value;
    }
    return CMW_CONTINUE;
}

/* The callback at flow.at said something else than CONTINUE. */
static cmw_next leave(cmw_ctx *ctx, const struct cmw__body_in *in, int value)
{
    const struct cmw__flow_item *item = &in->flow.items[in->flow.at];
    const struct cmw__program *program = &ctx->plan->programs[CMW_PHASE_REQUEST_BODY];

    if (value == CMW_SUSPEND && cmw__ctx_park(ctx, program, item->entry)) {
        if (ctx->awaits_body) /* not the client's time any more: the host says so again */
            cmw_ctx_body_arrived(ctx);
        return CMW_TO_SUSPENDED;
    }
    if (value == CMW_STOP) {
        cmw__count(ctx, item->info->counters + CMW__ENTRY_STOPS);
        if (ctx->response.status != 0)
            return cmw__respond(ctx);
    }
    return cmw__respond_to_fault(
        ctx, cmw__fault_of_callback(ctx, item->info, CMW_PHASE_REQUEST_BODY, value));
}

/* Go on with the chunk, in whichever stage it is, until it is used up. */
static cmw_next advance(cmw_ctx *ctx, struct cmw__body_in *in)
{
    struct cmw__flow *flow = &in->flow;

    for (;;) {
        if (flow->stage == PASS) {
            const int value = cmw__flow_pass(ctx, flow, flow->at);
            if (value != CMW_CONTINUE)
                return leave(ctx, in, value);
            const int rc = append(ctx, flow->chunk.bytes, in->full_limit);
            if (rc != 0)
                return refuse(ctx, rc);
            flow->stage = LOOK;
            flow->at = 0;
        }
        const int value = look(ctx, in);
        if (value != CMW_CONTINUE)
            return leave(ctx, in, value);
        if (flow->chunk.is_last) {
            flow->stage = IDLE;
            ctx->flags = (uint16_t)(ctx->flags & ~CMW__CTX_BODY_OPEN);
            return CMW_TO_HANDLER;
        }
        flow->at = cmw__flow_next(flow);
        if (flow->at == flow->count)
            break;
        flow->stage = PASS;
    }
    flow->stage = IDLE;
    return CMW_TO_HANDLER;
}

static cmw_next feed(cmw_ctx *ctx, const cmw_chunk *chunk)
{
    if (!ctx->body_in && open_flow(ctx) != 0)
        return refuse(ctx, CMW_ERR_NOMEM);
    struct cmw__body_in *in = ctx->body_in;
    cmw_str bytes = chunk->bytes;

    if (bytes.len > cmw_ctx_body_limit(ctx) - in->flow.taken)
        return refuse(ctx, CMW_ERR_LIMIT);
    if (bytes.len == 0 && !chunk->is_last)
        return CMW_TO_HANDLER;
    if (stash(ctx, &bytes) != 0)
        return refuse(ctx, CMW_ERR_NOMEM);
    in->flow.taken += bytes.len;
    in->flow.chunk = (cmw_chunk){bytes, chunk->is_last != 0, 0};
    in->flow.at = 0;
    in->flow.stage = PASS;
    return advance(ctx, in);
}

/* What a host is told that feeds out of turn. */
static cmw_next repeat(const cmw_ctx *ctx)
{
    if (ctx->traces & CMW__CTX_PARKED)
        return CMW_TO_SUSPENDED;
    return ctx->state == CMW__CTX_HANDLER ? CMW_TO_HANDLER : CMW_TO_RESPOND;
}

cmw_next cmw_ctx_feed_body(cmw_ctx *ctx, const cmw_chunk *chunk)
{
    if (ctx->state != CMW__CTX_HANDLER || (ctx->traces & CMW__CTX_PARKED))
        return repeat(ctx);
    if (ctx->flags & CMW__CTX_FAILED)
        return cmw__respond_to_fault(ctx, ctx->fault);
    if (ctx->plan->body_phases & 1u << CMW_PHASE_REQUEST_BODY)
        return ctx->flags & CMW__CTX_BODY_OPEN ? feed(ctx, chunk) : CMW_TO_HANDLER;
    if (cmw_ctx_receive_body(ctx, chunk->bytes) != 0)
        return cmw__respond_to_fault(ctx, ctx->fault);
    return CMW_TO_HANDLER;
}

void cmw_ctx_skip_body(cmw_ctx *ctx)
{
    if (ctx->state == CMW__CTX_HANDLER && !(ctx->traces & CMW__CTX_PARKED))
        ctx->flags = (uint16_t)(ctx->flags & ~CMW__CTX_BODY_OPEN);
}

cmw_next cmw__body_in_begin(cmw_ctx *ctx)
{
    const cmw_chunk nothing = {CMW_STR(""), 1, 0};

    ctx->flags |= CMW__CTX_BODY_OPEN;
    return ctx->request.view.content_length == 0 ? feed(ctx, &nothing) : CMW_TO_HANDLER;
}

cmw_next cmw__body_in_resume(cmw_ctx *ctx, int value)
{
    struct cmw__body_in *in = ctx->body_in;
    const struct cmw__flow_item *item = &in->flow.items[in->flow.at];
    const int is_known = value == CMW_CONTINUE || value == CMW_STOP ||
                         (value == CMW_SUSPEND && cmw__ctx_may_park(ctx, item->entry));

    if (!is_known && item->mw->failure == CMW_FAIL_OPEN) {
        cmw__count(ctx, item->info->counters + CMW__ENTRY_FORGIVEN);
        value = CMW_CONTINUE;
    } else if (!is_known) {
        cmw__count(ctx, item->info->counters + CMW__ENTRY_ERRORS);
    }
    if (value != CMW_CONTINUE)
        return leave(ctx, in, value);
    in->flow.at++;
    if (in->flow.stage == PASS && in->flow.chunk.bytes.len == 0 && !in->flow.chunk.is_last)
        in->flow.at = in->flow.count; /* it has kept all of the chunk: none is left to pass on */
    return advance(ctx, in);
}

void cmw__body_in_sweep(cmw_ctx *ctx)
{
    if (ctx->body)
        cmw__block_put(&ctx->worker->blocks, ctx->body);
    if (ctx->stash)
        cmw__block_put(&ctx->worker->blocks, ctx->stash);
    ctx->body = NULL;
    ctx->stash = NULL;
    ctx->trailers = NULL;
    ctx->body_in = NULL;
    ctx->request.body = cmw_str_make(NULL, 0);
}
