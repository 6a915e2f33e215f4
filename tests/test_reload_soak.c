/* SPDX-License-Identifier: MIT */
/*
 * A plan is installed again and again while workers serve: no request fails, what is in flight ends
 * on its plan, no request allocates, and memory is the same after half of the installs and after
 * all. Run it under ThreadSanitizer.
 *
 *     CMW_SOAK_INSTALLS=10000 build/release/bin/tests/test_reload_soak
 */
#include <catzilla/builtin/rate_limit.h>
#include <catzilla/mw.h>
#include <catzilla/stats.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "test.h"

enum { WORKERS = 3, WARM = 200 };

struct soak {
    cmw_engine *engine;
    cmw_chain *chain;
    atomic_uint served;     /* requests that ended, of all workers */
    atomic_uint failed;     /* with another status than 200, or refused */
    atomic_uint allocating; /* allocator calls by workers that are warm */
    atomic_uint warm;       /* workers that are */
    atomic_int is_over;
};

static struct soak soak;

/* ---- An allocator that knows who calls it -------------------------------------------------- */

static _Thread_local int is_warm_worker;

static void *counting_alloc(void *self, void *heap, size_t bytes, size_t align)
{
    void *piece = NULL;

    (void)self;
    (void)heap;
    if (is_warm_worker)
        atomic_fetch_add(&soak.allocating, 1);
    return posix_memalign(&piece, align, bytes) == 0 ? piece : NULL;
}

static void counting_free(void *self, void *heap, void *piece, size_t bytes, size_t align)
{
    (void)self;
    (void)heap;
    (void)bytes;
    (void)align;
    free(piece);
}

static int open_heap(void *self, void **heap, cmw_pool_purpose purpose)
{
    (void)purpose;
    *heap = self;
    return 0;
}

static void close_heap(void *self, void *heap)
{
    (void)self;
    (void)heap;
}

/* ---- The chain ------------------------------------------------------------------------------ */

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_arena_alloc(cmw_ctx_arena(ctx), 100) ? CMW_CONTINUE : CMW_ERROR;
}

static int on_post_route(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_VARY, CMW_STR("Origin")) == 0
               ? CMW_CONTINUE
               : CMW_ERROR;
}

static void add_custom(const char *name, const cmw_condition *condition)
{
    cmw_middleware mw;

    cmw_middleware_init(&mw);
    mw.name = name;
    mw.condition = condition;
    mw.pre_route = on_pre_route;
    mw.post_route = on_post_route;
    assert_int_equal(cmw_chain_add(soak.chain, &mw, NULL), 0);
}

static void make_chain(void)
{
    static const char *const kinds[] = {"request_id", "security_headers", "cors"};
    static const char *const paths[] = {"/api/*", "!/api/private/*"};
    cmw_rate_limit_config limit;
    cmw_condition condition;

    assert_int_equal(cmw_chain_create(soak.engine, &soak.chain, 0), 0);
    assert_int_equal(cmw_chain_use_builtins(soak.chain, kinds, LEN(kinds), NULL), 0);
    cmw_rate_limit_config_init(&limit);
    limit.limit = CMW_RATE_LIMIT_MAX;
    limit.window_ms = 1000;
    limit.entries = 64;
    assert_int_equal(cmw_chain_use(soak.chain, "rate_limit", &limit, NULL), 0);
    cmw_condition_init(&condition);
    condition.paths = paths;
    condition.path_count = LEN(paths);
    add_custom("conditional", &condition);
    add_custom("switched", NULL);
}

/* ---- Workers -------------------------------------------------------------------------------- */

static cmw_ctx *begin(cmw_worker *worker)
{
    static const cmw_header headers[] = {{CMW_STR_INIT("Host"), CMW_STR_INIT("a.example")},
                                         {CMW_STR_INIT("Origin"), CMW_STR_INIT("https://b")}};
    cmw_request_view view;
    cmw_ctx *ctx = NULL;

    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = CMW_STR("/api/items?page=2");
    view.headers = headers;
    view.header_count = LEN(headers);
    return cmw_ctx_begin(worker, &ctx, &view) == 0 ? ctx : NULL;
}

static void end(cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);
    int is_good = cmw_ctx_run(ctx) == CMW_TO_HANDLER &&
                  cmw_response_text(response, 200, CMW_STR("ok")) == 0 &&
                  cmw_ctx_commit(ctx) == CMW_TO_RESPOND && cmw_response_status(response) == 200;

    cmw_ctx_end(ctx, CMW_END_SENT);
    atomic_fetch_add(&soak.failed, !is_good);
    atomic_fetch_add(&soak.served, 1);
}

/* Always one request in flight while the next one begins and ends. */
static void *serve(void *argument)
{
    cmw_worker *worker = argument;
    cmw_ctx *held = begin(worker);

    for (unsigned i = 0; held && !atomic_load(&soak.is_over); i++) {
        cmw_ctx *ctx = begin(worker);
        if (!ctx)
            break;
        end(i % 2 ? held : ctx);
        held = i % 2 ? ctx : held;
        if (i == WARM) {
            is_warm_worker = 1;
            atomic_fetch_add(&soak.warm, 1);
        }
    }
    if (held)
        end(held);
    else
        atomic_fetch_add(&soak.failed, 1);
    cmw_worker_idle(worker);
    return NULL;
}

/* ---- Installing ----------------------------------------------------------------------------- */

static void install_under_traffic(unsigned count)
{
    static const cmw_mode modes[] = {CMW_MODE_SHADOWED, CMW_MODE_DISABLED, CMW_MODE_ENABLED};
    cmw_diag diag = {0};

    while (atomic_load(&soak.warm) < WORKERS)
        sched_yield();
    for (unsigned i = 0; i < count; i++) {
        const unsigned before = atomic_load(&soak.served);
        if (cmw_chain_switch_mode(soak.chain, "switched", modes[i % 3], &diag) != 0)
            fail_msg("%s", diag.message);
        while (atomic_load(&soak.served) == before)
            sched_yield();
    }
}

static void run_half(unsigned installs, cmw_worker **workers)
{
    pthread_t threads[WORKERS];

    atomic_store(&soak.warm, 0);
    atomic_store(&soak.is_over, 0);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, serve, workers[i]), 0);
    install_under_traffic(installs);
    atomic_store(&soak.is_over, 1);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

static uint64_t pool_in_use(cmw_pool_purpose purpose)
{
    cmw_pool_stats stats = {.size = sizeof stats};

    assert_int_equal(cmw_pool_get_stats(cmw_engine_pool(soak.engine, purpose), &stats), 0);
    return stats.in_use_bytes;
}

static void assert_counted(void)
{
    cmw_request_stats requests = {.size = sizeof requests};
    cmw_stats *stats = NULL;

    assert_int_equal(cmw_stats_snapshot(soak.engine, &stats), 0);
    assert_int_equal(cmw_stats_requests(stats, &requests), 0);
    assert_int_equal(requests.ended, atomic_load(&soak.served));
    assert_int_equal(requests.by_class[2], atomic_load(&soak.served));
    cmw_stats_destroy(stats);
}

static void no_request_fails_and_memory_stays_flat(void **state)
{
    static const cmw_allocator allocator = {.size = sizeof allocator,
                                            .name = "soak",
                                            .alloc = counting_alloc,
                                            .free = counting_free,
                                            .heap_open = open_heap,
                                            .heap_close = close_heap};
    const char *text = getenv("CMW_SOAK_INSTALLS");
    const unsigned installs = text ? (unsigned)strtoul(text, NULL, 10) : 1200;
    cmw_engine_config config;
    cmw_worker *workers[WORKERS];

    (void)state;
    cmw_engine_config_init(&config);
    config.allocator = &allocator;
    assert_int_equal(cmw_engine_create(&soak.engine, &config), 0);
    make_chain();
    assert_int_equal(cmw_chain_install(soak.chain, NULL), 0);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(cmw_engine_take_worker(soak.engine, &workers[i], NULL, NULL), 0);

    run_half(installs / 6 * 3, workers); /* the same mode after each half */
    const uint64_t plan_bytes = pool_in_use(CMW_POOL_PLAN);
    const uint64_t context_bytes = pool_in_use(CMW_POOL_CONTEXT);
    run_half(installs / 6 * 3, workers);
    assert_int_equal(pool_in_use(CMW_POOL_PLAN), plan_bytes);
    assert_int_equal(pool_in_use(CMW_POOL_CONTEXT), context_bytes);
    assert_int_equal(atomic_load(&soak.failed), 0);
    assert_int_equal(atomic_load(&soak.allocating), 0);
    assert_counted();
    print_message("%u installs under %u requests\n", installs / 6 * 6, atomic_load(&soak.served));

    for (int i = 0; i < WORKERS; i++)
        cmw_engine_put_worker(soak.engine, workers[i]);
    cmw_chain_destroy(soak.chain);
    assert_int_equal(cmw_engine_destroy(soak.engine), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_request_fails_and_memory_stays_flat)};
    return cmocka_run_group_tests_name("reload: soak", tests, NULL, NULL);
}
