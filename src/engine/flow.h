/* SPDX-License-Identifier: MIT */
/*
 * A body on its way through the callbacks of one request.
 *
 *   in ──> [item 0] ──> [item 1] ──> ... ──> out        a piece is passed on as far as it comes
 *             └ has_more: called again, without bytes, before anything new comes
 *
 * A program of a body phase is not run entry by entry: conditions do not change while a body flows,
 * so that its guards are asked once, and what they let pass becomes the list of items.
 */
#ifndef CMW_ENGINE_FLOW_H
#define CMW_ENGINE_FLOW_H

#include <catzilla/body.h>

#include "ctx_state.h"

struct cmw__flow_item {
    const struct cmw__entry *entry;
    const struct cmw__entry_info *info;
    const cmw_middleware *mw;
    uint8_t may_replace;
    uint8_t is_gathered; /* PEEK or FULL: it is not called for the chunks, but for the buffer */
    uint8_t is_done;     /* and was */
    uint8_t has_more;
    uint8_t was_last; /* what it has more of was the last piece */
};

struct cmw__flow {
    struct cmw__flow_item *items;
    uint32_t count;
    uint32_t at; /* the item whose callback runs, suspended or failed */
    cmw_chunk chunk;
    uint64_t taken;  /* bytes that came in */
    uint8_t phase;   /* cmw_phase */
    uint8_t stage;   /* of the request's body: see body_in.c */
    uint8_t is_over; /* the last piece came in */
};

/* A middleware that announced to change the response's body. */
struct cmw__announced {
    struct cmw__announced *next;
    uint32_t middleware;
};

/* The request's body, under way. */
struct cmw__body_in {
    struct cmw__flow flow;
    uint64_t full_limit; /* the least that someone who wants all of it can do with */
};

/* The response's. */
struct cmw__body_out {
    struct cmw__flow flow;
    cmw_body_source source;
    cmw_str plain;  /* without a source: the bytes */
    uint64_t given; /* by the source */
    uint8_t has_source;
    uint8_t is_open;   /* cmw_ctx_read_body reads it */
    uint8_t is_read;   /* to its end */
    uint8_t is_asking; /* the source is being asked */
};

/* Find the items of a phase. 0 or CMW_ERR_NOMEM. */
int cmw__flow_open(cmw_ctx *ctx, struct cmw__flow *flow, cmw_phase phase);

/* Call one item with a chunk: a verdict; what it must not do is an error. One that fails open is
 * forgiven, and the chunk is as it was. */
int cmw__flow_call(cmw_ctx *ctx, struct cmw__flow *flow, uint32_t index, cmw_chunk *chunk);

/* Pass flow->chunk on, from item `from`: CMW_CONTINUE when it came out, or was swallowed; else the
 * verdict of item flow->at. */
int cmw__flow_pass(cmw_ctx *ctx, struct cmw__flow *flow, uint32_t from);

/* The item nearest to the end that has more of what it was given; flow->count: none. Its next chunk
 * is then flow->chunk. */
uint32_t cmw__flow_next(struct cmw__flow *flow);

/* ---- body_in.c -------------------------------------------------------------------------- */

/* pre_route let a request pass whose plan has request_body: what is next. */
cmw_next cmw__body_in_begin(cmw_ctx *ctx);
/* A callback of request_body was resumed, and said `value`. */
cmw_next cmw__body_in_resume(cmw_ctx *ctx, int value);
/* Give back what it took. */
void cmw__body_in_sweep(cmw_ctx *ctx);

/* ---- body_out.c ------------------------------------------------------------------------- */

/* Before a response is frozen whose plan has response_body, or that is a stream. A fault in making
 * its body whole is raised: then it is another response, whose body nothing changes. */
void cmw__body_out_open(cmw_ctx *ctx);
void cmw__body_out_sweep(cmw_ctx *ctx);

/* ---- trailers_out.c --------------------------------------------------------------------- */

/* Decide, before the body flows, which of the promised trailers this response may have: see
 * ctx->sends_trailers. */
void cmw__trailers_decide(cmw_ctx *ctx);
/* Name them in the head, as the last step before it is frozen. 0 or CMW_ERR_NOMEM. */
int cmw__trailers_announce(cmw_ctx *ctx);
/* A fault drops them with the body. */
void cmw__trailers_drop(cmw_ctx *ctx);

#endif /* CMW_ENGINE_FLOW_H */
