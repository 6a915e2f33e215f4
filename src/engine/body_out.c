/* SPDX-License-Identifier: MIT */
/*
 * The response's body: sources, response_body, and how a host reads it.
 *
 * A short body that is all there is made whole at commit: then it has a length, and a callback that
 * fails makes another response. So is any body, where the host cannot stream. Others are made while
 * the host reads them.
 */
#include "flow.h"

#include "fault.h"
#include "run.h"
#include "shadow.h"

/* Up to here a body that is all there is made whole at commit. */
enum { GATHER_BYTES = 64 << 10 };

int cmw_ctx_reads_response_body(const cmw_ctx *ctx)
{
    return ctx->plan->body_phases >> CMW_PHASE_RESPONSE_BODY & 1;
}

/* ---- Announcing ------------------------------------------------------------------------- */

int cmw_ctx_transform_body(cmw_ctx *ctx)
{
    const struct cmw__entry *entry = cmw__ctx_at(ctx);
    const struct cmw__program *program = &ctx->plan->programs[CMW_PHASE_POST_ROUTE];

    if (!entry || cmw__ctx_phase(ctx) != CMW_PHASE_POST_ROUTE)
        return CMW_ERR_STATE;
    const uint32_t middleware = program->info[entry - program->entries].middleware;
    if (!(ctx->plan->middleware[middleware].instance->mw.flags & CMW_TRANSFORMS_BODY))
        return CMW_ERR_STATE;
    if (ctx->response.flags & CMW__RESPONSE_PASSES)
        return CMW_ERR_UNSUPPORTED;
    for (const struct cmw__announced *at = ctx->announced; at; at = at->next)
        if (at->middleware == middleware)
            return 0;
    struct cmw__announced *one = cmw__arena_alloc(&ctx->arena, sizeof *one);
    if (!one)
        return CMW_ERR_NOMEM;
    *one = (struct cmw__announced){ctx->announced, middleware};
    ctx->announced = one;
    ctx->traces |= CMW__CTX_LITTER;
    return 0;
}

/* ---- Sources ---------------------------------------------------------------------------- */

static void close_source(void *object)
{
    struct cmw__body_out *out = object;

    if (out->has_source && out->source.close)
        out->source.close(out->source.self);
    out->has_source = 0;
}

/* The state of a body, with a source or without. NULL without memory. */
static struct cmw__body_out *create_out(cmw_ctx *ctx)
{
    struct cmw__body_out *out = cmw__arena_alloc(&ctx->arena, sizeof *out);

    if (out)
        memset(out, 0, sizeof *out);
    return out;
}

static int check_source(const cmw_ctx *ctx, int status, const cmw_body_source *source)
{
    if (!source || !source->read || status < 200 || status > 999)
        return CMW_ERR_ARG;
    if (source->size != sizeof *source)
        return CMW_ERR_VERSION;
    if (source->file && (source->file->fd < 0 || source->length == CMW_LENGTH_UNKNOWN))
        return CMW_ERR_ARG;
    return ctx->response.flags & CMW__RESPONSE_FROZEN ? CMW_ERR_STATE : 0;
}

int cmw_ctx_stream(cmw_ctx *ctx, int status, const cmw_body_source *source)
{
    int rc = check_source(ctx, status, source);
    if (rc != 0)
        return rc;
    struct cmw__body_out *out = create_out(ctx);
    if (!out)
        return CMW_ERR_NOMEM;
    rc = cmw_arena_defer(&ctx->arena, close_source, out); /* of none, if this fails */
    if (rc == 0)
        rc = cmw_response_bytes_ref(&ctx->response, status, CMW_STR(""));
    if (rc != 0)
        return rc;
    out->source = *source;
    out->has_source = 1;
    if (!cmw__ctx_in_shadow(ctx)) /* else the response that it would have been is undone */
        ctx->body_out = out;
    ctx->flags |= CMW__CTX_BODY_LOOK;
    ctx->traces |= CMW__CTX_LITTER;
    ctx->response.flags |= CMW__RESPONSE_STREAM;
    if (source->length == CMW_LENGTH_UNKNOWN)
        ctx->response.flags |= CMW__RESPONSE_NO_LENGTH;
    else
        ctx->response.body = cmw_str_make(NULL, (size_t)source->length);
    return 0;
}

/* ---- Pieces ----------------------------------------------------------------------------- */

/* 0, CMW_ERR_AGAIN, or why there is none. */
static int ask_source(cmw_ctx *ctx, struct cmw__body_out *out, cmw_chunk *chunk)
{
    const uint64_t length = out->source.length;

    *chunk = (cmw_chunk){CMW_STR(""), 0, 0};
    out->is_asking = 1;
    const int rc = out->source.read(out->source.self, ctx, chunk);
    out->is_asking = 0;
    if (rc != 0)
        return rc;
    chunk->is_last = chunk->is_last != 0;
    chunk->has_more = 0;
    if (chunk->bytes.len == 0 && !chunk->is_last)
        return CMW_ERR_INVALID;
    out->given += chunk->bytes.len;
    if (length != CMW_LENGTH_UNKNOWN &&
        (out->given > length || (chunk->is_last && out->given < length)))
        return CMW_ERR_INVALID;
    return 0;
}

/* What comes into the callbacks next. */
static int take(cmw_ctx *ctx, struct cmw__body_out *out, cmw_chunk *chunk)
{
    struct cmw__flow *flow = &out->flow;
    int rc = 0;

    if (out->has_source)
        rc = ask_source(ctx, out, chunk);
    else
        *chunk = (cmw_chunk){out->plain, 1, 0};
    if (rc == 0) {
        flow->is_over = chunk->is_last != 0;
        flow->taken += chunk->bytes.len;
    }
    return rc;
}

/* The next piece behind the callbacks. 0, CMW_ERR_AGAIN or another error: flow.at < flow.count says
 * whether a callback failed. */
static int next_piece(cmw_ctx *ctx, struct cmw__body_out *out, cmw_chunk *chunk)
{
    struct cmw__flow *flow = &out->flow;

    for (;;) {
        uint32_t from = cmw__flow_next(flow);
        if (from == flow->count) {
            flow->at = flow->count;
            const int rc = flow->is_over ? CMW_ERR_STATE : take(ctx, out, &flow->chunk);
            if (rc != 0)
                return rc;
            from = 0;
        }
        if (cmw__flow_pass(ctx, flow, from) != CMW_CONTINUE)
            return CMW_ERR_INVALID;
        if (flow->chunk.bytes.len > 0 || flow->chunk.is_last) {
            *chunk = flow->chunk;
            return 0;
        }
    }
}

/* ---- Making it whole -------------------------------------------------------------------- */

/* Room for `len` bytes in ctx->gathered, of which `have` are there. */
static int grow(cmw_ctx *ctx, size_t have, size_t len)
{
    struct cmw__block_list *blocks = &ctx->worker->blocks;
    struct cmw__block *old = ctx->gathered;

    if (len > ctx->worker->engine->limits.memory_bytes)
        return CMW_ERR_NOMEM;
    if (old && len <= cmw__block_room(old))
        return 0;
    struct cmw__block *block = cmw__block_take(blocks, old ? 2 * len : len);
    if (!block)
        return CMW_ERR_NOMEM;
    cmw__unpoison(cmw__block_bytes(block), cmw__block_room(block));
    if (old) {
        memcpy(cmw__block_bytes(block), cmw__block_bytes(old), have);
        cmw__block_put(blocks, old);
    }
    ctx->gathered = block;
    ctx->traces |= CMW__CTX_LITTER;
    return 0;
}

/* All pieces as one: 0, or what failed. One piece stays where it is. */
static int gather(cmw_ctx *ctx, struct cmw__body_out *out, cmw_str *body)
{
    size_t len = 0;

    for (;;) {
        cmw_chunk piece;
        int rc = next_piece(ctx, out, &piece);
        if (rc != 0)
            return rc;
        if (piece.is_last && len == 0) {
            *body = piece.bytes;
            return 0;
        }
        rc = grow(ctx, len, len + piece.bytes.len);
        if (rc != 0)
            return rc;
        memcpy(cmw__block_bytes(ctx->gathered) + len, piece.bytes.data, piece.bytes.len);
        len += piece.bytes.len;
        if (piece.is_last) {
            *body = cmw_str_make(cmw__block_bytes(ctx->gathered), len);
            return 0;
        }
    }
}

static void make_whole(cmw_ctx *ctx, struct cmw__body_out *out)
{
    cmw_str body;
    const int rc = gather(ctx, out, &body);

    if (rc == 0) {
        ctx->response.body = body;
        ctx->response.flags =
            (uint8_t)(ctx->response.flags & ~(CMW__RESPONSE_STREAM | CMW__RESPONSE_NO_LENGTH));
        return;
    }
    const int has_item = out->flow.at < out->flow.count;
    const int code = rc == CMW_ERR_NOMEM ? rc : 0;
    cmw__raise_fault(ctx, cmw__fault_of(ctx, has_item ? out->flow.items[out->flow.at].info : NULL,
                                        CMW_PHASE_RESPONSE_BODY, code));
}

static int can_stream(const cmw_ctx *ctx)
{
    const cmw_host *host = ctx->worker->host;
    return host && (host->capabilities & CMW_CAP_STREAM_RESPONSE_BODY);
}

static void fail(cmw_ctx *ctx, int rc)
{
    cmw__raise_fault(ctx, cmw__fault_of(ctx, NULL, CMW_PHASE_RESPONSE_BODY, rc));
}

/* 1 if it is to be made whole before it is sent. Who only reads a body that is all there may as
 * well read it now. */
static int is_gathered(const cmw_ctx *ctx)
{
    if (!can_stream(ctx))
        return 1;
    if (ctx->response.flags & CMW__RESPONSE_STREAM)
        return 0;
    return !ctx->announced || ctx->response.body.len <= GATHER_BYTES;
}

static int open_flow(cmw_ctx *ctx)
{
    if (!(ctx->response.flags & CMW__RESPONSE_STREAM))
        ctx->body_out = create_out(ctx);
    if (!ctx->body_out)
        return CMW_ERR_NOMEM;
    ctx->body_out->plain = ctx->response.body;
    ctx->traces |= CMW__CTX_LITTER;
    return cmw__flow_open(ctx, &ctx->body_out->flow, CMW_PHASE_RESPONSE_BODY);
}

void cmw__body_out_open(cmw_ctx *ctx)
{
    if (ctx->response.flags & CMW__RESPONSE_PASSES)
        return;
    if (!cmw__response_sends_body(&ctx->response)) {
        if (ctx->announced)
            ctx->response.flags |= CMW__RESPONSE_NO_LENGTH;
        return;
    }
    int rc = open_flow(ctx);
    if (rc != 0) {
        fail(ctx, rc);
        return;
    }
    struct cmw__body_out *out = ctx->body_out;
    if (out->flow.count == 0 && !(ctx->response.flags & CMW__RESPONSE_STREAM))
        return;
    cmw__trailers_decide(ctx);
    const int is_whole = is_gathered(ctx);
    if (is_whole)
        make_whole(ctx, out);
    if (ctx->sends_trailers && (rc = cmw__trailers_announce(ctx)) != 0) {
        fail(ctx, rc);
        return;
    }
    if (is_whole)
        return;
    out->is_open = 1;
    ctx->response.flags |=
        CMW__RESPONSE_STREAM; /* nobody takes the bytes that were for those that are */
    cmw_ctx_set_body_sent(ctx, 0);
    if (ctx->announced)
        ctx->response.flags |= CMW__RESPONSE_NO_LENGTH;
}

/* ---- Reading ---------------------------------------------------------------------------- */

int cmw_ctx_streams_from(const cmw_ctx *ctx, const void *self)
{
    const struct cmw__body_out *out = ctx->body_out;

    return out && out->has_source && out->source.self == self &&
           (ctx->response.flags & CMW__RESPONSE_STREAM);
}

int cmw_ctx_streams_body(const cmw_ctx *ctx)
{
    return ctx->body_out && ctx->body_out->is_open;
}

int cmw_ctx_looks_at_body(const cmw_ctx *ctx)
{
    return cmw_ctx_streams_body(ctx) && ctx->body_out->flow.count > 0;
}

const cmw_body_file *cmw_ctx_body_file(const cmw_ctx *ctx)
{
    const struct cmw__body_out *out = ctx->body_out;

    if (ctx->state != CMW__CTX_COMMITTED || !cmw_ctx_streams_body(ctx) || !out->has_source ||
        out->flow.count > 0 || out->given > 0 || out->is_read)
        return NULL;
    return out->source.file;
}

int cmw_ctx_read_body(cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct cmw__body_out *out = ctx->body_out;

    if (ctx->state != CMW__CTX_COMMITTED)
        return CMW_ERR_STATE;
    if (ctx->flags & CMW__CTX_ABORTED)
        return CMW_ERR_CANCELLED;
    if (!out || !out->is_open) {
        *chunk = (cmw_chunk){cmw_response_body(&ctx->response), 1, 0};
        return 0;
    }
    if (ctx->traces & CMW__CTX_PARKED)
        return CMW_ERR_AGAIN;
    if (out->is_read) {
        *chunk = (cmw_chunk){CMW_STR(""), 1, 0};
        return 0;
    }
    int rc = next_piece(ctx, out, chunk);
    if (rc == CMW_ERR_AGAIN && !out->source.is_hosts && !cmw__ctx_park_source(ctx))
        rc = CMW_ERR_INVALID; /* nobody would ever wake it */
    if (rc == 0) {
        out->is_read = chunk->is_last != 0;
        ctx->body_sent += chunk->bytes.len;
    } else if (rc != CMW_ERR_AGAIN) {
        ctx->flags |= CMW__CTX_ABORTED;
    }
    return rc;
}

void cmw__body_out_sweep(cmw_ctx *ctx)
{
    if (ctx->gathered)
        cmw__block_put(&ctx->worker->blocks, ctx->gathered);
    ctx->gathered = NULL;
    ctx->body_out = NULL;
    ctx->announced = NULL;
    ctx->promises = NULL;
    ctx->trailers_out = NULL;
    ctx->sends_trailers = 0;
}
