/* SPDX-License-Identifier: MIT */
/*
 * Requests that wait: what resuming one costs on its worker, how often the loop is woken for many
 * resumes from another thread, and what a request that waits holds.
 */
#include <pthread.h>

#include "life.h"

enum { WAITING = 1000 };

static cmw_token given;
static unsigned wakes;

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_ctx_suspend(ctx, &given) == 0 ? CMW_SUSPEND : CMW_ERROR;
}

static void on_wake(void *self)
{
    (void)self;
    wakes++;
}

static void on_proceed(void *self, cmw_ctx *ctx, int next)
{
    (void)self;
    if (next != CMW_TO_HANDLER)
        bench_die("a resumed request did not go on", NULL);
    cmw_ctx_end(ctx, CMW_END_SHUTDOWN);
}

static const cmw_host host = {.size = sizeof(cmw_host),
                              .name = "bench",
                              .capabilities = CMW_CAP_SUSPEND | CMW_CAP_RESUME_ACROSS_THREADS,
                              .wake = on_wake,
                              .proceed = on_proceed};

static void fill_waiting(cmw_chain *chain)
{
    cmw_middleware middleware;

    cmw_middleware_init(&middleware);
    middleware.name = "waits";
    middleware.pre_route = on_pre_route;
    middleware.suspend_phases = 1u << CMW_PHASE_PRE_ROUTE;
    life_add(chain, NULL, &middleware);
}

/* Its worker has a host, which the others of the bench lack. */
static void open_waiting(struct life *life)
{
    life_open(life, fill_waiting);
    cmw_engine_put_worker(life->engine, life->worker);
    life_check(cmw_engine_take_worker(life->engine, &life->worker, &host, NULL), NULL);
}

static cmw_ctx *begin_waiting(struct life *life)
{
    cmw_ctx *ctx = NULL;

    if (cmw_ctx_begin(life->worker, &ctx, &life->view) != 0 || cmw_ctx_run(ctx) != CMW_TO_SUSPENDED)
        bench_die("a request does not wait", NULL);
    return ctx;
}

/* ---- resume ------------------------------------------------------------------------------ */

/*
 * From cmw_resume to the handler, for each of a batch that is resumed between two turns of the
 * loop. Net of suspended requests that are ended without it.
 */
enum { BATCH = 64 };

static struct life waiting;
static cmw_token tokens[BATCH];
static cmw_ctx *begun[BATCH];

static void begin_batch(struct life *life, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        begun[i] = begin_waiting(life);
        tokens[i] = given;
    }
}

static void run_resume(void *state, uint64_t iterations)
{
    struct life *life = state;

    for (uint64_t left = iterations; left > 0;) {
        const uint64_t count = left < BATCH ? left : BATCH;
        begin_batch(life, count);
        for (uint64_t i = 0; i < count; i++)
            if (cmw_resume(life->engine, tokens[i], CMW_CONTINUE, NULL) != 0)
                bench_die("a token is stale", NULL);
        if (cmw_worker_run(life->worker, 1) != count)
            bench_die("not all were resumed", NULL);
        left -= count;
    }
}

static void run_end(void *state, uint64_t iterations)
{
    struct life *life = state;

    for (uint64_t left = iterations; left > 0;) {
        const uint64_t count = left < BATCH ? left : BATCH;
        begin_batch(life, count);
        for (uint64_t i = 0; i < count; i++)
            cmw_ctx_end(begun[i], CMW_END_SHUTDOWN);
        left -= count;
    }
}

static void open_resume(struct sides *sides)
{
    open_waiting(&waiting);
    sides->at[SIDE_SUBJECT] = (struct side){run_resume, &waiting};
    sides->at[SIDE_BASE] = (struct side){run_end, &waiting};
}

static void close_resume(void)
{
    life_close(&waiting);
}

/* ---- resume_wakes ------------------------------------------------------------------------- */

struct elsewhere {
    cmw_engine *engine;
    cmw_token tokens[WAITING];
};

static void *resume_all(void *argument)
{
    const struct elsewhere *from = argument;

    for (int i = 0; i < WAITING; i++)
        if (cmw_resume(from->engine, from->tokens[i], CMW_CONTINUE, NULL) != 0)
            bench_die("a token is stale", NULL);
    return NULL;
}

static double count_wakes(const struct options *options)
{
    static struct elsewhere elsewhere;
    struct life life;
    pthread_t thread;

    (void)options;
    open_waiting(&life);
    elsewhere.engine = life.engine;
    for (int i = 0; i < WAITING; i++) {
        (void)begin_waiting(&life);
        elsewhere.tokens[i] = given;
    }
    wakes = 0;
    if (pthread_create(&thread, NULL, resume_all, &elsewhere) != 0 ||
        pthread_join(thread, NULL) != 0)
        bench_die("no thread", NULL);
    const unsigned counted = wakes;
    if (cmw_worker_run(life.worker, 1) != WAITING)
        bench_die("not all were resumed", NULL);
    life_close(&life);
    return counted;
}

/* ---- suspended_bytes ---------------------------------------------------------------------- */

static uint64_t bytes_in_use(const struct life *life)
{
    cmw_pool_stats stats = {.size = sizeof stats};

    life_check(cmw_pool_get_stats(cmw_engine_pool(life->engine, CMW_POOL_CONTEXT), &stats), NULL);
    return stats.in_use_bytes;
}

/* With the cell that its token names: 64 of them come at a time. */
static double count_bytes(const struct options *options)
{
    static cmw_ctx *suspended[64 * 100];
    struct life life;

    (void)options;
    open_waiting(&life);
    const uint64_t before = bytes_in_use(&life);
    for (size_t i = 0; i < LEN(suspended); i++)
        suspended[i] = begin_waiting(&life);
    const uint64_t after = bytes_in_use(&life);
    for (size_t i = 0; i < LEN(suspended); i++)
        cmw_ctx_end(suspended[i], CMW_END_SHUTDOWN);
    life_close(&life);
    return (double)(after - before) / (double)LEN(suspended);
}

const struct row bench_suspend_rows[] = {
    {.name = "resume",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 250}},
     .open = open_resume,
     .close = close_resume},
    {.name = "resume_wakes",
     .unit = "wakes",
     .targets = {{.of = TARGET_VALUE, .max = 1}},
     .count = count_wakes},
    {.name = "suspended_bytes",
     .unit = "bytes",
     .targets = {{.of = TARGET_VALUE, .max = 4096 + 64}},
     .count = count_bytes},
    {.name = NULL},
};
