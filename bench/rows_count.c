/* SPDX-License-Identifier: MIT */
/*
 * Rows that are a number: allocator calls, memory of a process, memory of a context.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "life.h"
#include "noop.h"

static cmw_pool_stats pool_stats(cmw_engine *engine, cmw_pool_purpose purpose)
{
    cmw_pool_stats stats = {.size = sizeof stats};

    life_check(cmw_pool_get_stats(cmw_engine_pool(engine, purpose), &stats), NULL);
    return stats;
}

static void fill_16(cmw_chain *chain)
{
    static const cmw_header field = {CMW_STR_INIT("X-Content-Type-Options"),
                                     CMW_STR_INIT("nosniff")};

    for (size_t i = 0; i < NOOP_COUNT; i++) {
        const char name[] = {'n', (char)('a' + i), '\0'};
        cmw_middleware middleware;

        cmw_middleware_init(&middleware);
        middleware.name = name;
        middleware.pre_route = noops[i];
        middleware.post_route = i % 4 == 0 ? noops[i] : NULL;
        middleware.fields = i == 0 ? &field : NULL;
        middleware.field_count = i == 0;
        life_add(chain, NULL, &middleware);
    }
}

/* ---- allocs ----------------------------------------------------------------------------- */

/* What the next request is to be answered with, by whom. */
static int wanted_status;

static int gate(void *self, cmw_ctx *ctx)
{
    (void)self;
    switch (wanted_status) {
    case 401:
    case 403:
        return cmw_respond_problem(ctx, wanted_status, "not for you");
    case 429:
        return cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_RETRY_AFTER, CMW_STR("7")) == 0
                   ? cmw_respond_problem(ctx, 429, "too many requests")
                   : CMW_ERROR;
    case 500:
        return CMW_ERROR;
    default:
        return CMW_CONTINUE;
    }
}

static void fill_gate(cmw_chain *chain)
{
    cmw_middleware middleware;

    fill_16(chain);
    cmw_middleware_init(&middleware);
    middleware.name = "gate";
    middleware.pre_route = gate;
    life_add(chain, NULL, &middleware);
}

static void serve(struct life *life, int status)
{
    size_t len;
    cmw_ctx *ctx;

    wanted_status = status;
    life->view.content_length = status == 413 ? UINT64_C(1) << 40 : 0;
    life_check(cmw_ctx_begin(life->worker, &ctx, &life->view), NULL);
    cmw_response *response = cmw_ctx_response(ctx);
    if (cmw_ctx_run(ctx) == CMW_TO_HANDLER) {
        life_check(status == 204 ? cmw_response_empty(response, 204)
                                 : cmw_response_text(response, 200, CMW_STR("hello, world")),
                   NULL);
        cmw_ctx_commit(ctx);
    }
    if (cmw_response_status(response) != status)
        bench_die("a request was answered with another status", NULL);
    life_check(
        cmw_response_write_head(response, &len, life->buffer, sizeof life->buffer, CMW_READ_HEAD),
        NULL);
    cmw_ctx_end(ctx, CMW_END_SENT);
}

static uint64_t calls_so_far(const struct life *life)
{
    const cmw_pool_stats context = pool_stats(life->engine, CMW_POOL_CONTEXT);
    const cmw_pool_stats plan = pool_stats(life->engine, CMW_POOL_PLAN);

    return bench_alloc_calls() + context.alloc_calls + context.free_calls + plan.alloc_calls +
           plan.free_calls;
}

static double count_allocs(const struct options *options)
{
    static const int statuses[] = {200, 204, 401, 403, 413, 429, 500};
    static struct life life;
    const size_t requests = options->is_quick ? 7000 : 10000000;

    if (!bench_counts_allocs())
        fputs("allocs: malloc is not counted in this build, only the pools' calls are\n", stderr);
    life_open(&life, fill_gate);
    for (size_t i = 0; i < 1000; i++)
        serve(&life, statuses[i % LEN(statuses)]);
    const uint64_t before = calls_so_far(&life);
    for (size_t i = 0; i < requests; i++)
        serve(&life, statuses[i % LEN(statuses)]);
    const uint64_t calls = calls_so_far(&life) - before;
    life_close(&life);
    return (double)calls;
}

/* ---- rss -------------------------------------------------------------------------------- */

static long private_dirty_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *file = fopen("/proc/self/smaps_rollup", "r");

    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "Private_Dirty: %ld kB", &kib) == 1)
            break;
    if (file)
        fclose(file);
    return kib;
}

int bench_print_resident(int with_library)
{
    static struct life life;
    const struct life *first = &life;

    if (with_library) {
        cmw_worker *second;

        life_open(&life, fill_16);
        life_run_empty(&life, 10000);
        life_check(cmw_engine_take_worker(first->engine, &second, NULL, NULL), NULL);
        struct life other = life;
        other.worker = second;
        life_run_empty(&other, 10000);
    }
    printf("%ld\n", private_dirty_kib());
    return 0;
}

/* KiB, or NAN. */
static double measure_resident(const char *what)
{
    char self[4096], option[] = "--resident", word[16], out[64];

    snprintf(self, sizeof self, "%s", bench_self());
    snprintf(word, sizeof word, "%s", what);
    char *const argv[] = {self, option, word, NULL};
    if (bench_spawn(argv, out, sizeof out) != 0)
        return (double)NAN;
    const double kib = strtod(out, NULL);
    return kib > 0 ? kib : (double)NAN;
}

static double count_resident(const struct options *options)
{
    (void)options;
    return measure_resident("with") - measure_resident("without");
}

/* ---- context_bytes ---------------------------------------------------------------------- */

static double count_context(const struct options *options)
{
    static struct life life;
    static cmw_ctx *in_flight[1000];

    (void)options;
    life_open(&life, fill_16);
    life_run_empty(&life, 100);
    cmw_worker_trim(life.worker);
    const uint64_t before = pool_stats(life.engine, CMW_POOL_CONTEXT).in_use_bytes;
    for (size_t i = 0; i < LEN(in_flight); i++) {
        life_check(cmw_ctx_begin(life.worker, &in_flight[i], &life.view), NULL);
        if (cmw_ctx_run(in_flight[i]) != CMW_TO_HANDLER)
            bench_die("a request was answered", NULL);
    }
    const uint64_t after = pool_stats(life.engine, CMW_POOL_CONTEXT).in_use_bytes;
    for (size_t i = 0; i < LEN(in_flight); i++)
        cmw_ctx_end(in_flight[i], CMW_END_SHUTDOWN);
    life_close(&life);
    return (double)(after - before) / (double)LEN(in_flight);
}

const struct row bench_count_rows[] = {
    {.name = "allocs",
     .unit = "calls",
     .targets = {{.of = TARGET_VALUE, .max = 0}},
     .count = count_allocs},
    {.name = "rss",
     .unit = "KiB",
     .targets = {{.of = TARGET_VALUE, .max = 1024}},
     .count = count_resident},
    {.name = "context_bytes",
     .unit = "bytes",
     .targets = {{.of = TARGET_VALUE, .max = 4096}},
     .count = count_context},
    {.name = NULL},
};
