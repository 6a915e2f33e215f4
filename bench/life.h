/* SPDX-License-Identifier: MIT */
/*
 * One engine with one worker, and a request's life: begin, run, handler, commit, end.
 */
#ifndef CMW_BENCH_LIFE_H
#define CMW_BENCH_LIFE_H

#include <catzilla/mw.h>

#include "bench.h"

/* The request of every row: a GET as a browser sends it. */
#define BROWSER_HEADER_COUNT 12
extern const cmw_header browser_headers[BROWSER_HEADER_COUNT];
/* Their ids, as a host would hand them over; readable up to a multiple of 16. */
void browser_ids(uint8_t *ids);

struct life {
    cmw_engine *engine;
    cmw_worker *worker;
    cmw_request_view view;
    uint8_t ids[16];
    _Alignas(64) char buffer[2048]; /* for what is read out, as bytes */
    cmw_str slices[32];             /* and as slices */
};

/* Adds to the chain what a row needs. */
typedef void life_fill_fn(cmw_chain *chain);

/* allocator_*.c: jemalloc's where this build has it. */
const cmw_allocator *bench_allocator(void);

void life_check(int rc, const cmw_diag *diag);
void life_add(cmw_chain *chain, cmw_group *group, const cmw_middleware *middleware);
/* `fill` NULL: an empty plan. */
void life_open(struct life *life, life_fill_fn *fill);
void life_close(struct life *life);
/* The lives that others are net of: an empty plan. */
void life_run_empty(void *life, uint64_t iterations);

static inline int life_handle_empty(struct life *life, cmw_ctx *ctx)
{
    (void)life;
    return cmw_response_set_status(cmw_ctx_response(ctx), 200);
}

static inline void life_read_nothing(struct life *life, cmw_ctx *ctx)
{
    (void)life;
    (void)ctx;
}

/* Run lives; `handle` and `read` are names of functions, so that they are inlined. Each statement
 * takes struct life *life and cmw_ctx *ctx. */
#define LIFE_RUN(state, iterations, handle, read)                                                  \
    struct life *const life = (state);                                                             \
    for (uint64_t left = (iterations); left > 0; left--) {                                         \
        cmw_ctx *begun;                                                                            \
        if (cmw_ctx_begin(life->worker, &begun, &life->view) != 0)                                 \
            bench_die("a request did not begin", NULL);                                            \
        cmw_ctx *const ctx = begun; /* it does not change, which compilers cannot know */          \
        if (cmw_ctx_run(ctx) == CMW_TO_HANDLER) {                                                  \
            if (handle(life, ctx) != 0)                                                            \
                bench_die("a handler failed", NULL);                                               \
            cmw_ctx_commit(ctx);                                                                   \
        }                                                                                          \
        read(life, ctx);                                                                           \
        cmw_ctx_end(ctx, CMW_END_SENT);                                                            \
    }

#endif /* CMW_BENCH_LIFE_H */
