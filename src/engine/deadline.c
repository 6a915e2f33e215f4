/* SPDX-License-Identifier: MIT */
/*
 * Deadlines: a heap of the worker's, the earliest first. Requests without one never touch it.
 */
#include "ctx_state.h"
#include "run.h"
#include "shadow.h"

/* ---- The heap --------------------------------------------------------------------------- */

static void put(struct cmw__waits *waits, uint32_t index, struct cmw__timer timer)
{
    waits->timers[index] = timer;
    timer.ctx->timer = index;
}

static void sift_up(struct cmw__waits *waits, uint32_t index, struct cmw__timer timer)
{
    while (index > 0 && waits->timers[(index - 1) / 2].at_ns > timer.at_ns) {
        put(waits, index, waits->timers[(index - 1) / 2]);
        index = (index - 1) / 2;
    }
    put(waits, index, timer);
}

static void sift_down(struct cmw__waits *waits, uint32_t index, struct cmw__timer timer)
{
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child + 1 < waits->timer_count &&
            waits->timers[child + 1].at_ns < waits->timers[child].at_ns)
            child++;
        if (child >= waits->timer_count || waits->timers[child].at_ns >= timer.at_ns)
            break;
        put(waits, index, waits->timers[child]);
        index = child;
    }
    put(waits, index, timer);
}

/* Room for one more: 0 or CMW_ERR_NOMEM. */
static int grow(cmw_worker *worker)
{
    struct cmw__waits *waits = &worker->waits;
    cmw_pool *pool = worker->engine->pools[CMW_POOL_CONTEXT];
    const uint32_t cap = waits->timer_cap ? waits->timer_cap * 2 : 64;

    if (waits->timer_count < waits->timer_cap)
        return 0;
    struct cmw__timer *timers = cmw_pool_alloc(pool, cap * sizeof *timers, 16);
    if (!timers)
        return CMW_ERR_NOMEM;
    if (waits->timer_count > 0)
        memcpy(timers, waits->timers, waits->timer_count * sizeof *timers);
    cmw_pool_free(pool, waits->timers, waits->timer_cap * sizeof *timers, 16);
    waits->timers = timers;
    waits->timer_cap = cap;
    return 0;
}

void cmw__ctx_forget_deadline(cmw_ctx *ctx)
{
    struct cmw__waits *waits = &ctx->worker->waits;

    if (!(ctx->traces & CMW__CTX_TIMED))
        return;
    ctx->traces = (uint8_t)(ctx->traces & ~CMW__CTX_TIMED);
    const uint32_t index = ctx->timer;
    const struct cmw__timer last = waits->timers[--waits->timer_count];
    if (index == waits->timer_count)
        return;
    if (index > 0 && waits->timers[(index - 1) / 2].at_ns > last.at_ns)
        sift_up(waits, index, last);
    else
        sift_down(waits, index, last);
}

/* ---- The host's timer ------------------------------------------------------------------- */

void cmw__worker_arm(cmw_worker *worker)
{
    struct cmw__waits *waits = &worker->waits;
    const uint64_t at_ns = waits->timer_count > 0 ? waits->timers[0].at_ns : 0;

    if (at_ns == waits->armed_at || !worker->host || !worker->host->arm_timer)
        return;
    waits->armed_at = at_ns;
    worker->host->arm_timer(worker->host_self, at_ns);
}

/* ---- Setting and passing ---------------------------------------------------------------- */

int cmw_ctx_set_deadline(cmw_ctx *ctx, uint64_t at_ns)
{
    cmw_worker *worker = ctx->worker;

    if (ctx->state >= CMW__CTX_COMMITTED)
        return CMW_ERR_STATE;
    if (cmw__ctx_in_shadow(ctx))
        return 0;
    if (at_ns != 0 && !(ctx->traces & CMW__CTX_TIMED) && grow(worker) != 0)
        return CMW_ERR_NOMEM;
    cmw__ctx_forget_deadline(ctx);
    if (at_ns != 0) {
        ctx->traces |= CMW__CTX_TIMED;
        sift_up(&worker->waits, worker->waits.timer_count++, (struct cmw__timer){at_ns, ctx});
    }
    cmw__worker_arm(worker);
    return 0;
}

uint64_t cmw_ctx_deadline(const cmw_ctx *ctx)
{
    return ctx->traces & CMW__CTX_TIMED ? ctx->worker->waits.timers[ctx->timer].at_ns : 0;
}

/* 1 if the request went on. */
static int pass(cmw_worker *worker, cmw_ctx *ctx)
{
    const int waits = (ctx->traces & CMW__CTX_PARKED) != 0;

    cmw__ctx_forget_deadline(ctx);
    const cmw_next next = cmw_ctx_cancel(ctx, CMW_END_DEADLINE);
    if (!waits || next == CMW_TO_SUSPENDED)
        return 0;
    if (worker->host && worker->host->proceed)
        worker->host->proceed(worker->host_self, ctx, (int)next);
    return 1;
}

size_t cmw__worker_run_deadlines(cmw_worker *worker, uint64_t now_ns)
{
    struct cmw__waits *waits = &worker->waits;
    size_t count = 0;

    while (waits->timer_count > 0 && waits->timers[0].at_ns <= now_ns)
        count += (size_t)pass(worker, waits->timers[0].ctx);
    cmw__worker_arm(worker);
    return count;
}
