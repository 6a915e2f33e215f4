/* SPDX-License-Identifier: MIT */
/*
 * response_cache, shared by threads whose requests wait for each other: each one ends, and none is
 * answered what was made for another target. Nothing waits for a time. Run it under
 * ThreadSanitizer.
 */
#include <sched.h>
#include <stdatomic.h>

#include <catzilla/builtin/response_cache.h>
#include <catzilla/mw.h>

#include "test.h"

enum { THREADS = 4, ROUNDS = 1500, AT_ONCE = 6 };

static const char *const targets[] = {"/a", "/b", "/c", "/d"};

struct app {
    cmw_engine *engine;
    cmw_middleware cache;
    atomic_uint begun, made, served, gone;
};

static struct app app;

/* A request of a lane. */
struct seat {
    cmw_ctx *ctx;
    cmw_str target;
    int next;
};

#include "lanes.h"

static void end(struct seat *seat, cmw_end_reason reason)
{
    end_seat(seat, reason, &app.served, &app.gone);
}

/* What the handler says is the target itself. Of one target nothing is stored. */
static void make(struct lane *lane, struct seat *seat)
{
    const int is_for_one = seat->target.data[1] == 'd';
    cmw_response *response = cmw_ctx_response(seat->ctx);

    atomic_fetch_add(&app.made, 1);
    if (cmw_response_set(response, CMW_HDR_CACHE_CONTROL,
                         is_for_one ? CMW_STR("private") : CMW_STR("max-age=60")) != 0)
        abort();
    if (draw(lane, 3) == 0 && cmw_response_set(response, CMW_HDR_VARY, CMW_STR("Accept")) != 0)
        abort();
    if (cmw_response_text(response, draw(lane, 20) == 0 ? 500 : 200, seat->target) != 0)
        abort();
    (void)cmw_ctx_commit(seat->ctx);
    end(seat, CMW_END_SENT);
}

static void go_on(struct lane *lane, struct seat *seat)
{
    if (seat->next == CMW_TO_SUSPENDED) {
        if (draw(lane, 50) == 0) /* it leaves while it waits, or just after it was resumed */
            end(seat, CMW_END_CLIENT_GONE);
    } else if (seat->next == CMW_TO_HANDLER) {
        if (draw(lane, 4) == 0) /* the handler takes its time */
            return;
        if (draw(lane, 10) == 0) /* who leads dies */
            end(seat, CMW_END_CLIENT_GONE);
        else
            make(lane, seat);
    } else {
        const cmw_response *response = cmw_ctx_response(seat->ctx);
        if (cmw_response_status(response) != 200 ||
            !cmw_str_equals(cmw_response_body(response), seat->target))
            abort();
        end(seat, CMW_END_SENT);
    }
}

static void begin(struct lane *lane, struct seat *seat)
{
    cmw_request_view view;
    size_t purged;

    cmw_request_view_init(&view);
    view.method = draw(lane, 12) == 0 ? CMW_STR("PUT") : CMW_STR("GET");
    view.authority = CMW_STR("a.example");
    view.target = seat->target = cmw_str_cstr(targets[draw(lane, LEN(targets))]);
    if (cmw_ctx_begin(lane->worker, &seat->ctx, &view) != 0)
        abort();
    atomic_fetch_add(&app.begun, 1);
    seat->next = (int)cmw_ctx_run(seat->ctx);
    if (draw(lane, 40) == 0 &&
        cmw_response_cache_purge(&app.cache, &purged, CMW_CACHE_PURGE_TARGET, view.target) != 0)
        abort();
}

static unsigned look_after(struct lane *lane, int may_begin)
{
    unsigned open = 0;

    for (size_t i = 0; i < AT_ONCE; i++) {
        struct seat *seat = &lane->seats[i];
        if (!seat->ctx && may_begin)
            begin(lane, seat);
        if (seat->ctx)
            go_on(lane, seat);
        open += seat->ctx != NULL;
    }
    (void)cmw_worker_run(lane->worker, 0);
    return open;
}

static void *work(void *self)
{
    struct lane *lane = self;

    if (cmw_engine_take_worker(app.engine, &lane->worker, &lane_host, lane) != 0)
        abort();
    for (unsigned i = 0; i < ROUNDS; i++)
        (void)look_after(lane, 1);
    while (look_after(lane, 0) > 0)
        sched_yield();
    cmw_engine_put_worker(app.engine, lane->worker);
    return NULL;
}

static void everybody_who_waits_goes_on(void **state)
{
    cmw_response_cache_stats stats = {.size = sizeof stats};
    cmw_response_cache_config config;
    struct lane lanes[THREADS];
    cmw_chain *chain = NULL;

    (void)state;
    memset(&app, 0, sizeof app);
    assert_int_equal(cmw_engine_create(&app.engine, NULL), 0);
    assert_int_equal(cmw_engine_attach_host(app.engine, &lane_host, NULL), 0);
    assert_int_equal(cmw_chain_create(app.engine, &chain, 0), 0);
    cmw_response_cache_config_init(&config);
    config.max_wait_ms = 600000;
    cmw_middleware_init(&app.cache);
    app.cache.name = "cache";
    assert_int_equal(cmw_response_cache_create(app.engine, &app.cache, &config, NULL), 0);
    assert_int_equal(cmw_chain_add(chain, &app.cache, NULL), 0);
    assert_int_equal(cmw_chain_install(chain, NULL), 0);
    run_lanes(lanes, THREADS, work);
    assert_int_equal(app.served + app.gone, app.begun);
    assert_int_equal(cmw_response_cache_get_stats(&app.cache, &stats), 0);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.expired, 0);
    assert_true(stats.collapsed > 0);
    assert_true(stats.hits > 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_engine_destroy(app.engine), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(everybody_who_waits_goes_on)};
    return cmocka_run_group_tests_name("cache threads", tests, NULL, NULL);
}
