/* SPDX-License-Identifier: MIT */
/*
 * Eight threads serve one engine, each with a worker of its own, while another takes snapshots and
 * a third installs new plans. Nothing waits for a time: each thread does its share and ends. Run it
 * under ThreadSanitizer.
 */
#include <catzilla/mw.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

#include "test.h"

enum { WORKERS = 8, REQUESTS = 2000, INSTALLS = 50 };

struct app {
    cmw_engine *engine;
    cmw_slot slot;
    atomic_uint pre, complete, slots_destroyed, selves_destroyed, wrong;
    atomic_uint serving; /* threads that still do */
};

static struct app app;

static void destroy_slot(void *value)
{
    (void)value;
    atomic_fetch_add(&app.slots_destroyed, 1);
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    (void)self;
    atomic_fetch_add(&app.pre, 1);
    return cmw_ctx_set_slot(ctx, app.slot) ? CMW_CONTINUE : CMW_ERROR;
}

static int on_auth(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_request_header(cmw_ctx_request(ctx), CMW_HDR_AUTHORIZATION)
               ? CMW_CONTINUE
               : cmw_respond_problem(ctx, 401, "who?");
}

static void on_complete(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    (void)self;
    if (!cmw_ctx_slot(ctx, app.slot) || reason != CMW_END_SENT)
        atomic_fetch_add(&app.wrong, 1);
    atomic_fetch_add(&app.complete, 1);
}

/* May call the engine: nothing of it is locked. */
static void destroy_self(void *self)
{
    (void)self;
    if (cmw_slot_find(app.engine, "value") != app.slot)
        atomic_fetch_add(&app.wrong, 1);
    atomic_fetch_add(&app.selves_destroyed, 1);
}

static cmw_plan *compile(void)
{
    static const cmw_header secure[] = {{CMW_STR_INIT("X-Frame-Options"), CMW_STR_INIT("DENY")}};
    static const char *const paths[] = {"/api/*"};
    const cmw_condition under_api = {
        .size = sizeof(cmw_condition), .paths = paths, .path_count = 1};
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_middleware mw;

    if (cmw_chain_create(app.engine, &chain, 0) != 0)
        return NULL;
    cmw_middleware_init(&mw);
    mw.name = "values";
    mw.self = &app;
    mw.destroy = destroy_self;
    mw.pre_route = on_pre_route;
    mw.complete = on_complete;
    mw.fields = secure;
    mw.field_count = LEN(secure);
    cmw_middleware_provides(&mw, app.slot);
    if (cmw_chain_add(chain, &mw, NULL) != 0)
        atomic_fetch_add(&app.wrong, 1);
    cmw_middleware_init(&mw);
    mw.name = "auth";
    mw.pre_route = on_auth;
    mw.condition = &under_api;
    if (cmw_chain_add(chain, &mw, NULL) != 0 || cmw_chain_compile(chain, &plan, NULL) != 0)
        atomic_fetch_add(&app.wrong, 1);
    cmw_chain_destroy(chain);
    return plan;
}

static int install(void)
{
    cmw_plan *plan = compile();
    const int rc = cmw_engine_install(app.engine, plan, NULL);
    cmw_plan_release(plan);
    return rc;
}

static int send_one(cmw_worker *worker, const cmw_request_view *view)
{
    cmw_ctx *ctx = NULL;

    if (cmw_ctx_begin(worker, &ctx, view) != 0)
        return 0;
    if (cmw_ctx_run(ctx) == CMW_TO_HANDLER) {
        if (cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok")) != 0)
            atomic_fetch_add(&app.wrong, 1);
        if (cmw_ctx_commit(ctx) != CMW_TO_RESPOND)
            atomic_fetch_add(&app.wrong, 1);
    }
    const int status = cmw_response_status(cmw_ctx_response(ctx));
    cmw_ctx_end(ctx, CMW_END_SENT);
    return status;
}

/* Half of the requests pass, half are refused; every hundredth the worker goes back and another is
 * taken, as a server does between connections. */
static void *serve(void *unused)
{
    cmw_worker *worker = NULL;
    cmw_request_view view;

    (void)unused;
    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    if (cmw_engine_take_worker(app.engine, &worker, NULL, NULL) != 0)
        atomic_fetch_add(&app.wrong, 1);
    for (int i = 0; i < REQUESTS; i++) {
        view.target = i % 2 ? CMW_STR("/api/x") : CMW_STR("/open");
        if (send_one(worker, &view) != (i % 2 ? 401 : 200))
            atomic_fetch_add(&app.wrong, 1);
        if (i % 100 == 99) {
            cmw_worker_idle(worker);
            cmw_engine_put_worker(app.engine, worker);
            if (cmw_engine_take_worker(app.engine, &worker, NULL, NULL) != 0)
                atomic_fetch_add(&app.wrong, 1);
        }
    }
    cmw_engine_put_worker(app.engine, worker);
    atomic_fetch_sub(&app.serving, 1);
    return NULL;
}

static void *watch(void *unused)
{
    (void)unused;
    do {
        cmw_stats *stats = NULL;
        cmw_request_stats requests = {.size = sizeof requests};
        if (cmw_stats_snapshot(app.engine, &stats) != 0 ||
            cmw_stats_requests(stats, &requests) != 0 ||
            requests.begun > (uint64_t)WORKERS * REQUESTS)
            atomic_fetch_add(&app.wrong, 1);
        cmw_stats_destroy(stats);
    } while (atomic_load(&app.serving) > 0);
    return NULL;
}

static void *reload(void *unused)
{
    (void)unused;
    for (int i = 0; i < INSTALLS; i++)
        if (install() != 0)
            atomic_fetch_add(&app.wrong, 1);
    return NULL;
}

/* Declaring goes on while chains compile. */
static void *declare(void *unused)
{
    (void)unused;
    for (int i = 0; i < 200; i++) {
        char name[32];
        cmw_slot slot = 0;
        snprintf(name, sizeof name, "more%d", i);
        if (cmw_slot_declare(app.engine, &slot, name, 8, NULL) != 0)
            atomic_fetch_add(&app.wrong, 1);
    }
    return NULL;
}

static void open_app(void)
{
    cmw_engine_config config;

    memset(&app, 0, sizeof app);
    cmw_engine_config_init(&config);
    config.sample_every = 3;
    assert_int_equal(cmw_engine_create(&app.engine, &config), 0);
    assert_int_equal(cmw_slot_declare(app.engine, &app.slot, "value", 32, destroy_slot), 0);
    assert_int_equal(install(), 0);
    atomic_store(&app.serving, WORKERS);
}

static void run_threads(void *(*const *extra)(void *), size_t extra_count)
{
    pthread_t threads[WORKERS + 3];
    size_t count = 0;

    for (size_t i = 0; i < extra_count; i++)
        assert_int_equal(pthread_create(&threads[count++], NULL, extra[i], NULL), 0);
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(pthread_create(&threads[count++], NULL, serve, NULL), 0);
    while (count > 0)
        assert_int_equal(pthread_join(threads[--count], NULL), 0);
    assert_int_equal(app.wrong, 0);
    assert_int_equal(app.pre, WORKERS * REQUESTS);
    assert_int_equal(app.complete, WORKERS * REQUESTS);
    assert_int_equal(app.slots_destroyed, WORKERS * REQUESTS);
}

static void counts_of_eight_workers_add_up(void **state)
{
    static void *(*const extra[])(void *) = {watch};
    cmw_stats *stats = NULL;
    cmw_request_stats requests = {.size = sizeof requests};
    (void)state;
    open_app();
    run_threads(extra, LEN(extra));

    const uint64_t sent = (uint64_t)WORKERS * REQUESTS;
    assert_int_equal(cmw_stats_snapshot(app.engine, &stats), 0);
    assert_int_equal(cmw_stats_requests(stats, &requests), 0);
    assert_int_equal(requests.begun, sent);
    assert_int_equal(requests.ended, sent);
    assert_int_equal(requests.by_class[2], sent / 2);
    assert_int_equal(requests.by_class[4], sent / 2);
    assert_int_equal(requests.by_reason[CMW_END_SENT], sent);
    const cmw_middleware_stats *values = cmw_stats_middleware(stats, 0);
    const cmw_middleware_stats *auth = cmw_stats_middleware(stats, 1);
    assert_string_equal(values->name, "values");
    assert_int_equal(values->calls, sent);
    assert_int_equal(auth->calls, sent / 2);
    assert_int_equal(auth->stops, sent / 2);
    cmw_stats_destroy(stats);
    assert_int_equal(cmw_engine_destroy(app.engine), 0);
    assert_int_equal(app.selves_destroyed, 1);
}

static void plans_are_replaced_while_eight_workers_serve(void **state)
{
    static void *(*const extra[])(void *) = {watch, reload, declare};
    (void)state;
    open_app();
    run_threads(extra, LEN(extra));
    assert_int_equal(cmw_engine_destroy(app.engine), 0);
    assert_int_equal(app.selves_destroyed, INSTALLS + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_of_eight_workers_add_up),
        cmocka_unit_test(plans_are_replaced_while_eight_workers_serve),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
