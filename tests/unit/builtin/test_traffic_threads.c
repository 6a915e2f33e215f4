/* SPDX-License-Identifier: MIT */
/*
 * concurrency_limit, load_shed, circuit_breaker, mirror and response_cache, shared by threads: no
 * more at once than is allowed, and in the end nobody holds anything. Nothing waits for a time. Run
 * it under ThreadSanitizer.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include <catzilla/builtin/circuit_breaker.h>
#include <catzilla/builtin/concurrency_limit.h>
#include <catzilla/builtin/load_shed.h>
#include <catzilla/builtin/mirror.h>
#include <catzilla/builtin/response_cache.h>
#include <catzilla/mw.h>

#include "test.h"

enum { THREADS = 4, ROUNDS = 500, AT_ONCE = 4, LIMIT = 3 };

struct app {
    cmw_engine *engine;
    cmw_host host;
    cmw_middleware limit, shed, breaker, mirror, cache;
    atomic_int inside, most;
    atomic_uint served, refused, mirrored;
};

static struct app app;

/* One thread's requests. */
struct lane {
    cmw_worker *worker;
    unsigned open;
    uint64_t seed;
};

static unsigned draw(struct lane *lane, unsigned below)
{
    lane->seed = lane->seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(lane->seed >> 33) % below;
}

static void on_wake(void *self)
{
    (void)self; /* its thread looks all the time */
}

static void end(struct lane *lane, cmw_ctx *ctx, cmw_end_reason reason)
{
    cmw_ctx_end(ctx, reason);
    lane->open--;
}

static void serve(struct lane *lane, cmw_ctx *ctx)
{
    const int now = atomic_fetch_add(&app.inside, 1) + 1;
    int most = atomic_load(&app.most);

    while (now > most && !atomic_compare_exchange_weak(&app.most, &most, now))
        continue;
    sched_yield();
    atomic_fetch_add(&app.served, 1);
    const int status = draw(lane, 50) == 0 ? 500 : 200;
    if (cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_CACHE_CONTROL,
                         draw(lane, 2) ? CMW_STR("max-age=0") : CMW_STR("s-maxage=60")) != 0)
        abort();
    if (cmw_response_text(cmw_ctx_response(ctx), status, CMW_STR("ok")) != 0)
        abort();
    (void)cmw_ctx_commit(ctx);
    atomic_fetch_sub(&app.inside, 1);
    end(lane, ctx, draw(lane, 10) == 0 ? CMW_END_CLIENT_GONE : CMW_END_SENT);
}

static void go_on(struct lane *lane, cmw_ctx *ctx, int next)
{
    if (next == CMW_TO_SUSPENDED)
        return;
    if (next == CMW_TO_HANDLER) {
        serve(lane, ctx);
        return;
    }
    atomic_fetch_add(&app.refused, 1);
    end(lane, ctx, CMW_END_SENT);
}

static void on_proceed(void *self, cmw_ctx *ctx, int next)
{
    go_on(self, ctx, next);
}

static const char *const targets[] = {"/a", "/b", "/c", "/d", "/e", "/f"};

static void begin(struct lane *lane)
{
    cmw_request_view view;
    cmw_ctx *ctx = NULL;

    cmw_request_view_init(&view);
    view.method = draw(lane, 4) == 0 ? CMW_STR("PUT") : CMW_STR("GET");
    view.authority = CMW_STR("a.example");
    view.target = cmw_str_cstr(targets[draw(lane, LEN(targets))]);
    view.peer.family = CMW_ADDRESS_V4;
    view.peer.bytes[3] = (uint8_t)draw(lane, 3);
    if (cmw_ctx_begin(lane->worker, &ctx, &view) != 0)
        abort();
    lane->open++;
    const int next = (int)cmw_ctx_run(ctx);
    if (next == CMW_TO_SUSPENDED && draw(lane, 4) == 0) { /* it leaves while it waits */
        (void)cmw_ctx_cancel(ctx, CMW_END_CLIENT_GONE);
        end(lane, ctx, CMW_END_CLIENT_GONE);
        return;
    }
    go_on(lane, ctx, next);
}

static void *work(void *self)
{
    struct lane *lane = self;

    if (cmw_engine_take_worker(app.engine, &lane->worker, &app.host, lane) != 0)
        abort();
    for (unsigned i = 0; i < ROUNDS; i++) {
        for (unsigned k = 0; k < AT_ONCE && lane->open < AT_ONCE; k++)
            begin(lane);
        (void)cmw_worker_run(lane->worker, 0);
        (void)cmw_engine_poll(app.engine);
    }
    while (lane->open > 0) {
        (void)cmw_worker_run(lane->worker, 0);
        sched_yield();
    }
    cmw_engine_put_worker(app.engine, lane->worker);
    return NULL;
}

static void deliver(void *self, const cmw_mirror_request *copy)
{
    (void)self;
    if (copy->method.len != 3)
        abort();
    atomic_fetch_add(&app.mirrored, 1);
}

static void add_all(cmw_chain *chain)
{
    cmw_concurrency_limit_config limit;
    cmw_load_shed_config shed;
    cmw_circuit_breaker_config breaker;
    cmw_mirror_config mirror;

    cmw_concurrency_limit_config_init(&limit);
    limit.limit = LIMIT;
    limit.key_limit = 2;
    limit.queue = 6;
    limit.queue_ms = 600000;
    cmw_load_shed_config_init(&shed);
    shed.window_ms = 10;
    cmw_circuit_breaker_config_init(&breaker);
    breaker.open_ms = 1;
    cmw_mirror_config_init(&mirror);
    mirror.share_permille = 500;
    mirror.deliver = deliver;
    cmw_middleware *const all[] = {&app.limit, &app.shed, &app.breaker, &app.mirror, &app.cache};
    static const char *const names[] = {"limit", "shed", "breaker", "mirror", "cache"};
    for (size_t i = 0; i < LEN(all); i++) {
        cmw_middleware_init(all[i]);
        all[i]->name = names[i];
    }
    assert_int_equal(cmw_concurrency_limit_create(app.engine, &app.limit, &limit, NULL), 0);
    assert_int_equal(cmw_load_shed_create(app.engine, &app.shed, &shed, NULL), 0);
    assert_int_equal(cmw_circuit_breaker_create(app.engine, &app.breaker, &breaker, NULL), 0);
    assert_int_equal(cmw_mirror_create(app.engine, &app.mirror, &mirror, NULL), 0);
    assert_int_equal(cmw_response_cache_create(app.engine, &app.cache, NULL, NULL), 0);
    for (size_t i = 0; i < LEN(all); i++)
        assert_int_equal(cmw_chain_add(chain, all[i], NULL), 0);
}

static void nobody_gets_more_than_is_allowed(void **state)
{
    cmw_concurrency_limit_stats limit = {.size = sizeof limit};
    cmw_load_shed_stats shed = {.size = sizeof shed};
    pthread_t threads[THREADS];
    struct lane lanes[THREADS];
    cmw_chain *chain = NULL;

    (void)state;
    memset(&app, 0, sizeof app);
    app.host = (cmw_host){.size = sizeof(cmw_host),
                          .name = "threads",
                          .capabilities = CMW_CAP_SUSPEND | CMW_CAP_RESUME_ACROSS_THREADS,
                          .wake = on_wake,
                          .proceed = on_proceed};
    assert_int_equal(cmw_engine_create(&app.engine, NULL), 0);
    assert_int_equal(cmw_engine_attach_host(app.engine, &app.host, NULL), 0);
    assert_int_equal(cmw_chain_create(app.engine, &chain, 0), 0);
    add_all(chain);
    assert_int_equal(cmw_chain_install(chain, NULL), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        lanes[i] = (struct lane){.seed = i + 1};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &lanes[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_in_range(app.most, 1, LIMIT);
    assert_true(app.served > 0);
    assert_int_equal(cmw_concurrency_limit_get_stats(&app.limit, &limit), 0);
    assert_int_equal(limit.in_flight, 0);
    assert_int_equal(limit.waiting, 0);
    assert_int_equal(cmw_load_shed_get_stats(&app.shed, &shed), 0);
    assert_int_equal(shed.in_flight, 0);
    (void)cmw_engine_poll(app.engine);
    assert_true(app.mirrored > 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_engine_destroy(app.engine), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_gets_more_than_is_allowed)};
    return cmocka_run_group_tests_name("traffic threads", tests, NULL, NULL);
}
