/* SPDX-License-Identifier: MIT */
/*
 * Deadlines: a heap of the worker's, the earliest first. Requests without one never touch it.
 */
#include "ctx_state.h"
#include "run.h"
#include "shadow.h"

#define MS_MAX 86400000

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

/* Take its timer out of the heap. */
static void take_out(cmw_ctx *ctx)
{
    struct cmw__waits *waits = &ctx->worker->waits;
    const uint32_t index = ctx->timer;
    const struct cmw__timer last = waits->timers[--waits->timer_count];

    if (index == waits->timer_count)
        return;
    if (index > 0 && waits->timers[(index - 1) / 2].at_ns > last.at_ns)
        sift_up(waits, index, last);
    else
        sift_down(waits, index, last);
}

void cmw__ctx_forget_deadline(cmw_ctx *ctx)
{
    if (!(ctx->traces & CMW__CTX_TIMED))
        return;
    ctx->traces = (uint8_t)(ctx->traces & ~CMW__CTX_TIMED);
    ctx->awaits_body = 0;
    take_out(ctx);
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

/* The earliest; 0: none. */
static uint64_t earliest(const cmw_ctx *ctx)
{
    uint64_t at_ns = 0;

    for (int i = 0; i < CMW__DEADLINES; i++)
        if (ctx->deadlines[i] != 0 && (at_ns == 0 || ctx->deadlines[i] < at_ns))
            at_ns = ctx->deadlines[i];
    return at_ns;
}

/* Replace one; 0: none. 0 or CMW_ERR_NOMEM: then nothing has changed. */
static int set_one(cmw_ctx *ctx, enum cmw__deadline which, uint64_t at_ns)
{
    struct cmw__waits *waits = &ctx->worker->waits;
    const int was_timed = (ctx->traces & CMW__CTX_TIMED) != 0;

    if (at_ns == 0 && !was_timed)
        return 0;
    if (!was_timed && grow(ctx->worker) != 0)
        return CMW_ERR_NOMEM;
    if (was_timed)
        take_out(ctx);
    else
        memset(ctx->deadlines, 0, sizeof ctx->deadlines);
    ctx->deadlines[which] = at_ns;
    const uint64_t first = earliest(ctx);
    if (first != 0) {
        ctx->traces |= CMW__CTX_TIMED;
        sift_up(waits, waits->timer_count++, (struct cmw__timer){first, ctx});
    } else {
        ctx->traces = (uint8_t)(ctx->traces & ~CMW__CTX_TIMED);
    }
    return 0;
}

int cmw_ctx_set_deadline(cmw_ctx *ctx, uint64_t at_ns)
{
    if (ctx->state >= CMW__CTX_COMMITTED)
        return CMW_ERR_STATE;
    if (cmw__ctx_in_shadow(ctx))
        return 0;
    const int rc = set_one(ctx, CMW__DEADLINE_REQUEST, at_ns);
    cmw__worker_arm(ctx->worker);
    return rc;
}

static uint64_t deadline_of(const cmw_ctx *ctx, enum cmw__deadline which)
{
    return ctx->traces & CMW__CTX_TIMED ? ctx->deadlines[which] : 0;
}

static uint64_t after_ms(uint64_t now_ns, uint64_t ms)
{
    return ms == 0 ? 0 : now_ns + ms * UINT64_C(1000000);
}

/* The shorter of two times, of which 0 is none. */
static uint64_t shorter(uint64_t ms, uint64_t other_ms)
{
    return other_ms == 0 || (ms != 0 && ms < other_ms) ? ms : other_ms;
}

/* ---- The head, which is the host's to measure ------------------------------------------- */

uint64_t cmw_plan_head_ms(const cmw_plan *plan)
{
    return plan->head_ms;
}

uint64_t cmw_worker_head_ms(const cmw_worker *worker)
{
    const uint64_t plan_ms = worker->use ? worker->use->plan->head_ms : 0;

    return shorter(plan_ms, worker->engine->limits.head_ms);
}

/* ---- The handler ------------------------------------------------------------------------ */

int cmw_ctx_limit_handler_time(cmw_ctx *ctx, uint64_t ms)
{
    if (ms > MS_MAX)
        return CMW_ERR_ARG;
    if (ctx->state > CMW__CTX_PRE_ROUTE)
        return CMW_ERR_STATE;
    if (ms == 0 || cmw__ctx_in_shadow(ctx))
        return 0;
    ctx->handler_ms = (uint32_t)shorter(ctx->handler_ms, ms);
    ctx->flags |= CMW__CTX_TIME_HANDLER;
    ctx->traces |= CMW__CTX_LITTER;
    return 0;
}

int cmw__ctx_time_handler(cmw_ctx *ctx)
{
    const uint64_t now_ns = cmw__engine_clock(ctx->worker->engine);

    ctx->flags = (uint16_t)(ctx->flags & ~CMW__CTX_TIME_HANDLER);
    const int rc = set_one(ctx, CMW__DEADLINE_HANDLER, after_ms(now_ns, ctx->handler_ms));
    cmw__worker_arm(ctx->worker);
    return rc;
}

void cmw__ctx_stop_handler(cmw_ctx *ctx)
{
    if (deadline_of(ctx, CMW__DEADLINE_HANDLER) == 0)
        return;
    (void)set_one(ctx, CMW__DEADLINE_HANDLER, 0); /* taking one away needs no memory */
    ctx->flags |= CMW__CTX_TIME_HANDLER;
}

/* ---- The body --------------------------------------------------------------------------- */

static uint64_t body_ms(const cmw_ctx *ctx)
{
    return shorter(ctx->body_ms, ctx->worker->engine->limits.body_ms);
}

static uint64_t body_idle_ms(const cmw_ctx *ctx)
{
    return shorter(ctx->body_idle_ms, ctx->worker->engine->limits.body_idle_ms);
}

int cmw_ctx_limit_body_time(cmw_ctx *ctx, uint64_t total_ms, uint64_t idle_ms)
{
    if (total_ms > MS_MAX || idle_ms > MS_MAX)
        return CMW_ERR_ARG;
    if (ctx->state > CMW__CTX_PRE_ROUTE)
        return CMW_ERR_STATE;
    if (cmw__ctx_in_shadow(ctx))
        return 0;
    ctx->body_ms = (uint32_t)shorter(ctx->body_ms, total_ms);
    ctx->body_idle_ms = (uint32_t)shorter(ctx->body_idle_ms, idle_ms);
    ctx->traces |= CMW__CTX_LITTER;
    return 0;
}

int cmw_ctx_times_body(const cmw_ctx *ctx)
{
    return body_ms(ctx) != 0 || body_idle_ms(ctx) != 0;
}

static int set_for_body(cmw_ctx *ctx, uint64_t now_ns)
{
    int rc = 0;

    if (!ctx->awaits_body)
        rc = set_one(ctx, CMW__DEADLINE_BODY, after_ms(now_ns, body_ms(ctx)));
    if (rc == 0)
        rc = set_one(ctx, CMW__DEADLINE_IDLE, after_ms(now_ns, body_idle_ms(ctx)));
    return rc;
}

int cmw_ctx_await_body(cmw_ctx *ctx, uint64_t now_ns)
{
    if (ctx->state >= CMW__CTX_POST_ROUTE || (ctx->traces & CMW__CTX_PARKED))
        return CMW_ERR_STATE;
    cmw__ctx_stop_handler(ctx);
    if (!cmw_ctx_times_body(ctx))
        return 0;
    const int rc = set_for_body(ctx, now_ns ? now_ns : cmw__engine_clock(ctx->worker->engine));
    if (rc == 0)
        ctx->awaits_body = 1;
    else
        cmw_ctx_body_arrived(ctx);
    cmw__worker_arm(ctx->worker);
    return rc;
}

void cmw_ctx_body_arrived(cmw_ctx *ctx)
{
    (void)set_one(ctx, CMW__DEADLINE_BODY, 0); /* taking one away needs no memory */
    (void)set_one(ctx, CMW__DEADLINE_IDLE, 0);
    ctx->awaits_body = 0;
    if ((ctx->flags & CMW__CTX_TIME_HANDLER) && ctx->state == CMW__CTX_HANDLER &&
        !(ctx->traces & CMW__CTX_PARKED) && cmw__ctx_time_handler(ctx) != 0)
        cmw__ctx_fail_with(ctx, 503, CMW_ERR_NOMEM); /* it would run for ever */
    cmw__worker_arm(ctx->worker);
}

/* ---- Passing ---------------------------------------------------------------------------- */

static int is_over(const cmw_ctx *ctx, enum cmw__deadline which, uint64_t now_ns)
{
    return ctx->deadlines[which] != 0 && ctx->deadlines[which] <= now_ns;
}

/* What a request is given up with: the first that is over says it. */
static int status_of(const cmw_ctx *ctx, uint64_t now_ns)
{
    if (is_over(ctx, CMW__DEADLINE_REQUEST, now_ns))
        return 503;
    return is_over(ctx, CMW__DEADLINE_HANDLER, now_ns) ? 504 : 408;
}

/* The request is given up; one for which the host waits goes on. */
static cmw_next give_up(cmw_ctx *ctx, int status)
{
    const int awaited = ctx->awaits_body;

    cmw__ctx_forget_deadline(ctx);
    const cmw_next next = cmw__ctx_give_up(ctx, CMW_END_DEADLINE, status);
    if (!awaited)
        return next;
    return ctx->state == CMW__CTX_BEGUN ? cmw_ctx_run(ctx) : cmw_ctx_commit(ctx);
}

uint64_t cmw_ctx_deadline(const cmw_ctx *ctx)
{
    return ctx->traces & CMW__CTX_TIMED ? ctx->worker->waits.timers[ctx->timer].at_ns : 0;
}

/* 1 if it has answered long since: nobody waits for its handler, nor for its body. */
static int has_answered(cmw_ctx *ctx)
{
    static const uint8_t over[] = {CMW__DEADLINE_HANDLER, CMW__DEADLINE_BODY, CMW__DEADLINE_IDLE};
    uint64_t found = 0;

    for (size_t i = 0; ctx->state > CMW__CTX_HANDLER && i < sizeof over; i++) {
        found |= deadline_of(ctx, (enum cmw__deadline)over[i]);
        (void)set_one(ctx, (enum cmw__deadline)over[i], 0); /* taking one away needs no memory */
    }
    if (found)
        ctx->awaits_body = 0;
    return found != 0;
}

/* 1 if the request went on. */
static int pass(cmw_worker *worker, cmw_ctx *ctx, uint64_t now_ns)
{
    const int waits = (ctx->traces & CMW__CTX_PARKED) || ctx->awaits_body;

    if (has_answered(ctx))
        return 0;
    const cmw_next next = give_up(ctx, status_of(ctx, now_ns));

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
        count += (size_t)pass(worker, waits->timers[0].ctx, now_ns);
    cmw__worker_arm(worker);
    return count;
}
