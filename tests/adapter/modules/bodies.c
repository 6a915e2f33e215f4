/* SPDX-License-Identifier: MIT */
/*
 * The kind `bodies` of the test plugin: it looks at bodies, and does what the field X-Body says.
 *
 *     count            answers with the number of bytes that came in
 *     refuse           403 at the first chunk
 *     half             lets half of each chunk through
 *     wait             suspends at the first chunk; another thread resumes
 *     loud, fails      the response's body in capitals, in small pieces; fails at its first one
 *     trails           as "loud", and says behind it how long it was (X-Sum)
 *     stream           answers in pre_route with a body that is made while it is sent
 *     replace          the same in post_route, in place of the server's body
 *     slow, slow-post  these two, with waits between the pieces
 *     stuck            as "stream", but after the first piece nothing more comes
 */
#include "bodies.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { ROOM_BYTES = 1000, PIECE_BYTES = 5000, PIECES = 200, SLOW_PIECES = 5 };

struct bodies {
    cmw_engine *engine;
    cmw_slot slot;
};

struct state {
    const struct bodies *bodies;
    cmw_str rest;
    unsigned received, given, pieces;
    int has_waited, is_slow, has_trailed;
    char room[ROOM_BYTES];
    char piece[PIECE_BYTES];
};

static int is(cmw_ctx *ctx, const char *order)
{
    const cmw_header *field = cmw_request_header_named(cmw_ctx_request(ctx), CMW_STR("X-Body"));

    return field && cmw_str_equals(field->value, cmw_str_cstr(order));
}

static struct state *state_of(const struct bodies *bodies, cmw_ctx *ctx)
{
    struct state **slot = cmw_ctx_slot(ctx, bodies->slot);

    if (slot)
        return *slot;
    struct state *state = cmw_arena_alloc(cmw_ctx_arena(ctx), sizeof *state);
    if (!state)
        return NULL;
    memset(state, 0, sizeof *state);
    state->bodies = bodies;
    return cmw_ctx_copy_slot(ctx, bodies->slot, &state) ? state : NULL;
}

/* ---- Waiting ------------------------------------------------------------------------------ */

struct resumption {
    cmw_engine *engine;
    cmw_token token;
};

static void *resume_later(void *self)
{
    const struct timespec step = {0, 10 * 1000 * 1000};
    struct resumption *resumption = self;

    (void)nanosleep(&step, NULL);
    (void)!cmw_resume(resumption->engine, resumption->token, CMW_CONTINUE, NULL);
    free(resumption);
    return NULL;
}

static int suspend(const struct bodies *bodies, cmw_ctx *ctx)
{
    struct resumption *resumption = malloc(sizeof *resumption);
    pthread_t thread;

    if (!resumption || cmw_ctx_suspend(ctx, &resumption->token) != 0) {
        free(resumption);
        return -1;
    }
    resumption->engine = bodies->engine;
    if (pthread_create(&thread, NULL, resume_later, resumption) != 0)
        abort();
    (void)pthread_detach(thread);
    return 0;
}

/* ---- Requests ----------------------------------------------------------------------------- */

static int on_request_body(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct state *state = state_of(self, ctx);
    char text[32];

    if (!state)
        return CMW_ERROR;
    if (is(ctx, "refuse"))
        return cmw_respond_text(ctx, 403, CMW_STR("refused\n"));
    if (is(ctx, "half"))
        chunk->bytes.len /= 2;
    if (is(ctx, "wait") && !state->has_waited) {
        state->has_waited = 1;
        return suspend(self, ctx) == 0 ? CMW_SUSPEND : CMW_ERROR;
    }
    state->received += (unsigned)chunk->bytes.len;
    if (!is(ctx, "count") || !chunk->is_last)
        return CMW_CONTINUE;
    (void)snprintf(text, sizeof text, "%u", state->received);
    return cmw_respond_text(ctx, 200, cmw_str_cstr(text));
}

/* ---- Streams ------------------------------------------------------------------------------ */

/* Pieces of one letter each, "a" first. */
static int on_read(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct state *state = self;
    cmw_token token;

    if (is(ctx, "stuck") && state->given > 0)
        return cmw_ctx_suspend(ctx, &token) == 0 ? CMW_ERR_AGAIN : CMW_ERR_STATE;
    if (state->is_slow && !state->has_waited) {
        state->has_waited = 1;
        return suspend(state->bodies, ctx) == 0 ? CMW_ERR_AGAIN : CMW_ERR_STATE;
    }
    state->has_waited = 0;
    memset(state->piece, 'a' + (int)(state->given % 26), sizeof state->piece);
    chunk->bytes = cmw_str_make(state->piece, sizeof state->piece);
    chunk->is_last = ++state->given == state->pieces;
    return 0;
}

static int promise(cmw_ctx *ctx)
{
    return cmw_ctx_promise_trailer(ctx, CMW_STR("X-Sum"), 0) == 0 ? CMW_CONTINUE : CMW_ERROR;
}

static int add_sum(cmw_ctx *ctx, unsigned sum)
{
    char text[32];

    (void)snprintf(text, sizeof text, "%u", sum);
    return cmw_ctx_add_trailer(ctx, CMW_STR("X-Sum"), cmw_str_cstr(text)) == 0 ? CMW_CONTINUE
                                                                               : CMW_ERROR;
}

static int stream(struct state *state, cmw_ctx *ctx, int is_slow)
{
    cmw_body_source source;

    if (!state)
        return CMW_ERROR;
    state->is_slow = is_slow;
    state->pieces = is_slow ? SLOW_PIECES : PIECES;
    cmw_body_source_init(&source);
    source.read = on_read;
    source.self = state;
    return cmw_ctx_stream(ctx, 200, &source) == 0 ? CMW_CONTINUE : CMW_ERROR;
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    if (!is(ctx, "stream") && !is(ctx, "slow") && !is(ctx, "stuck"))
        return CMW_CONTINUE;
    return stream(state_of(self, ctx), ctx, is(ctx, "slow")) == CMW_CONTINUE ? CMW_STOP : CMW_ERROR;
}

static int on_post_route(void *self, cmw_ctx *ctx)
{
    if (is(ctx, "trails") && promise(ctx) != CMW_CONTINUE)
        return CMW_ERROR;
    if (is(ctx, "loud") || is(ctx, "fails") || is(ctx, "trails"))
        return cmw_ctx_transform_body(ctx) == 0 ? CMW_CONTINUE : CMW_ERROR;
    if (is(ctx, "replace") || is(ctx, "slow-post"))
        return stream(state_of(self, ctx), ctx, is(ctx, "slow-post"));
    return CMW_CONTINUE;
}

static int on_response_body(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct state *state = state_of(self, ctx);

    if (!state || is(ctx, "fails"))
        return CMW_ERROR;
    if (chunk->bytes.len > 0)
        state->rest = chunk->bytes;
    state->received += (unsigned)chunk->bytes.len; /* a request with a body is no "trails" */
    if (is(ctx, "trails") && chunk->is_last && !state->has_trailed++ &&
        add_sum(ctx, state->received) != CMW_CONTINUE)
        return CMW_ERROR;
    const size_t len = state->rest.len < ROOM_BYTES ? state->rest.len : ROOM_BYTES;
    for (size_t i = 0; i < len; i++) {
        const char byte = state->rest.data[i];
        state->room[i] = byte >= 'a' && byte <= 'z' ? (char)(byte - 'a' + 'A') : byte;
    }
    if (len > 0)
        state->rest = cmw_str_make(state->rest.data + len, state->rest.len - len);
    chunk->bytes = cmw_str_make(state->room, len);
    chunk->has_more = state->rest.len > 0;
    return CMW_CONTINUE;
}

/* ---- The kind ----------------------------------------------------------------------------- */

static void destroy(void *self)
{
    free(self);
}

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    struct bodies *bodies = calloc(1, sizeof *bodies);
    (void)config;
    (void)diag;

    if (!bodies)
        return CMW_ERR_NOMEM;
    bodies->engine = engine;
    const int rc = cmw_slot_declare(engine, &bodies->slot, "bodies", sizeof(struct state *), NULL);
    if (rc != 0) {
        free(bodies);
        return rc;
    }
    middleware->priority = 20;
    middleware->self = bodies;
    middleware->destroy = destroy;
    middleware->flags = CMW_TRANSFORMS_BODY;
    middleware->pre_route = on_pre_route;
    middleware->request_body = on_request_body;
    middleware->body_demand = CMW_BODY_CHUNKS;
    middleware->post_route = on_post_route;
    middleware->response_body = on_response_body;
    middleware->suspend_phases = 1u << CMW_PHASE_REQUEST_BODY;
    cmw_middleware_provides(middleware, bodies->slot);
    return 0;
}

static const cmw_kind kind = {
    .size = sizeof(cmw_kind),
    .name = "bodies",
    .summary = "Looks at bodies, and does what a request asks for",
    .create = create,
};

int bodies_register(cmw_engine *engine)
{
    return cmw_kind_register(engine, &kind);
}
