/* SPDX-License-Identifier: MIT */
/* concurrency_limit: places, keys, and those who wait. */
#include "traffic_fixture.h"

#include <catzilla/builtin/concurrency_limit.h>

#include "builtin_fixture.h"

#define MS UINT64_C(1000000)

static void open_limit(struct flight *flight, const cmw_concurrency_limit_config *config,
                       cmw_middleware *mw)
{
    cmw_diag diag = {0};

    flight_open(flight);
    cmw_middleware_init(mw);
    mw->name = "places";
    if (cmw_concurrency_limit_create(flight->server.engine, mw, config, &diag) != 0)
        fail_msg("%s", diag.message);
    assert_int_equal(cmw_chain_add(flight->server.chain, mw, NULL), 0);
    server_start(&flight->server);
}

static cmw_concurrency_limit_stats stats_of(const cmw_middleware *mw)
{
    cmw_concurrency_limit_stats stats = {.size = sizeof stats};
    assert_int_equal(cmw_concurrency_limit_get_stats(mw, &stats), 0);
    return stats;
}

/* All came home: nobody holds a place, nobody waits. */
static void close_limit(struct flight *flight, const cmw_middleware *mw)
{
    for (unsigned i = 0; i < FLIGHT_CAP; i++)
        if (flight->requests[i].ctx)
            arrive(flight, i, CMW_END_SENT);
    (void)cmw_worker_run(flight->server.worker, flight->now_ns);
    assert_int_equal(stats_of(mw).in_flight, 0);
    assert_int_equal(stats_of(mw).waiting, 0);
    server_close(&flight->server);
}

static void set(cmw_concurrency_limit_config *config, int64_t limit, int64_t key_limit,
                int64_t queue)
{
    cmw_concurrency_limit_config_init(config);
    config->limit = limit;
    config->key_limit = key_limit;
    config->queue = queue;
    config->queue_ms = 100;
}

static void one_more_is_refused(void **state)
{
    cmw_concurrency_limit_config config;
    struct flight flight;
    cmw_middleware mw;

    (void)state;
    set(&config, 2, 0, 0);
    config.retry_after_s = 7;
    open_limit(&flight, &config, &mw);
    assert_int_equal(depart(&flight, 0), CMW_TO_HANDLER);
    assert_int_equal(depart(&flight, 1), CMW_TO_HANDLER);
    assert_int_equal(depart(&flight, 2), CMW_TO_RESPOND);
    assert_int_equal(status_of(&flight, 2), 503);
    const cmw_str retry =
        cmw_response_get(cmw_ctx_response(flight.requests[2].ctx), CMW_HDR_RETRY_AFTER);
    assert_true(cmw_str_equals(retry, CMW_STR("7")));
    assert_int_equal(stats_of(&mw).in_flight, 2);
    assert_int_equal(stats_of(&mw).refused, 1);
    arrive(&flight, 2, CMW_END_SENT); /* it had no place to give back */
    assert_int_equal(stats_of(&mw).in_flight, 2);
    arrive(&flight, 0, CMW_END_SENT);
    assert_int_equal(depart(&flight, 3), CMW_TO_HANDLER);
    close_limit(&flight, &mw);
}

/* Whatever becomes of a request, its place comes back once. */
static void every_end_gives_the_place_back(void **state)
{
    cmw_concurrency_limit_config config;
    struct flight flight;
    cmw_middleware mw;

    (void)state;
    set(&config, 1, 1, 0);
    open_limit(&flight, &config, &mw);
    for (int reason = 0; reason < CMW_END_REASON_COUNT; reason++) {
        assert_int_equal(depart(&flight, 0), CMW_TO_HANDLER);
        assert_int_equal(depart(&flight, 1), CMW_TO_RESPOND);
        if (reason == CMW_END_CLIENT_GONE)
            (void)cmw_ctx_cancel(flight.requests[0].ctx, CMW_END_CLIENT_GONE);
        if (reason == CMW_END_ERROR)
            cmw_ctx_fail(flight.requests[0].ctx, 500);
        arrive(&flight, 1, CMW_END_SENT);
        arrive(&flight, 0, (cmw_end_reason)reason);
        assert_int_equal(stats_of(&mw).in_flight, 0);
    }
    close_limit(&flight, &mw);
}

static void each_key_has_a_limit_of_its_own(void **state)
{
    cmw_concurrency_limit_config config;
    struct flight flight;
    cmw_middleware mw;

    (void)state;
    set(&config, 10, 2, 0);
    open_limit(&flight, &config, &mw);
    assert_int_equal(depart_to(&flight, 0, "2001:db8::1", "GET", "/"), CMW_TO_HANDLER);
    assert_int_equal(depart_to(&flight, 1, "2001:db8::2", "GET", "/"), CMW_TO_HANDLER);
    /* One /64 is one client. */
    assert_int_equal(depart_to(&flight, 2, "2001:db8::3", "GET", "/"), CMW_TO_RESPOND);
    assert_int_equal(depart_to(&flight, 3, "2001:db8:0:1::1", "GET", "/"), CMW_TO_HANDLER);
    assert_int_equal(stats_of(&mw).refused_key, 1);
    arrive(&flight, 0, CMW_END_CLIENT_GONE);
    assert_int_equal(depart_to(&flight, 4, "2001:db8::3", "GET", "/"), CMW_TO_HANDLER);
    close_limit(&flight, &mw);
}

static void who_waits_gets_the_next_place_in_order(void **state)
{
    cmw_concurrency_limit_config config;
    struct flight flight;
    cmw_middleware mw;

    (void)state;
    set(&config, 1, 0, 2);
    open_limit(&flight, &config, &mw);
    assert_int_equal(depart(&flight, 0), CMW_TO_HANDLER);
    assert_int_equal(depart(&flight, 1), CMW_TO_SUSPENDED);
    assert_int_equal(depart(&flight, 2), CMW_TO_SUSPENDED);
    assert_int_equal(depart(&flight, 3), CMW_TO_RESPOND); /* the queue is full */
    assert_int_equal(status_of(&flight, 3), 503);
    arrive(&flight, 0, CMW_END_SENT);
    assert_int_equal(depart(&flight, 4), CMW_TO_SUSPENDED); /* behind those who wait */
    assert_int_equal(next_of(&flight, 1), CMW_TO_HANDLER);
    assert_int_equal(next_of(&flight, 2), CMW_TO_SUSPENDED);
    arrive(&flight, 1, CMW_END_SENT);
    assert_int_equal(next_of(&flight, 2), CMW_TO_HANDLER);
    assert_int_equal(next_of(&flight, 4), CMW_TO_SUSPENDED);
    assert_int_equal(stats_of(&mw).waited, 2);
    arrive(&flight, 2, CMW_END_SENT);
    assert_int_equal(next_of(&flight, 4), CMW_TO_HANDLER);
    close_limit(&flight, &mw);
}

static void patience_has_an_end(void **state)
{
    cmw_concurrency_limit_config config;
    struct flight flight;
    cmw_middleware mw;

    (void)state;
    set(&config, 1, 0, 4);
    open_limit(&flight, &config, &mw);
    assert_int_equal(depart(&flight, 0), CMW_TO_HANDLER);
    assert_int_equal(depart(&flight, 1), CMW_TO_SUSPENDED);
    flight.now_ns += 60 * MS;
    assert_int_equal(depart(&flight, 2), CMW_TO_SUSPENDED);
    flight.now_ns += 40 * MS;
    assert_int_equal(next_of(&flight, 1), CMW_TO_RESPOND);
    assert_int_equal(status_of(&flight, 1), 503);
    assert_true(cmw_response_has(cmw_ctx_response(flight.requests[1].ctx), CMW_HDR_RETRY_AFTER));
    assert_int_equal(stats_of(&mw).expired, 1);
    arrive(&flight, 0, CMW_END_SENT); /* goes to the second, who still waits */
    assert_int_equal(next_of(&flight, 2), CMW_TO_HANDLER);
    close_limit(&flight, &mw);
}

/* The deadline of waiting is gone when the waiting is; one that was there before is back. */
static void the_deadline_before_is_restored(void **state)
{
    cmw_concurrency_limit_config config;
    struct flight flight;
    cmw_middleware mw;

    (void)state;
    set(&config, 1, 0, 4);
    open_limit(&flight, &config, &mw);
    assert_int_equal(depart(&flight, 0), CMW_TO_HANDLER);
    assert_int_equal(depart(&flight, 1), CMW_TO_SUSPENDED);
    assert_int_equal(cmw_ctx_deadline(flight.requests[1].ctx), flight.now_ns + 100 * MS);
    arrive(&flight, 0, CMW_END_SENT);
    assert_int_equal(next_of(&flight, 1), CMW_TO_HANDLER);
    assert_int_equal(cmw_ctx_deadline(flight.requests[1].ctx), 0);
    flight.now_ns += 1000 * MS;
    assert_int_equal(next_of(&flight, 1), CMW_TO_HANDLER);
    assert_int_equal(cmw_ctx_is_cancelled(flight.requests[1].ctx), 0);
    close_limit(&flight, &mw);
}

static void who_leaves_the_queue_frees_its_place(void **state)
{
    cmw_concurrency_limit_config config;
    struct flight flight;
    cmw_middleware mw;

    (void)state;
    set(&config, 1, 0, 2);
    open_limit(&flight, &config, &mw);
    assert_int_equal(depart(&flight, 0), CMW_TO_HANDLER);
    assert_int_equal(depart(&flight, 1), CMW_TO_SUSPENDED);
    assert_int_equal(depart(&flight, 2), CMW_TO_SUSPENDED);
    (void)cmw_ctx_cancel(flight.requests[1].ctx, CMW_END_CLIENT_GONE);
    cmw_ctx_end(flight.requests[1].ctx, CMW_END_CLIENT_GONE);
    flight.requests[1].ctx = NULL;
    assert_int_equal(stats_of(&mw).waiting, 1);
    assert_int_equal(depart(&flight, 3), CMW_TO_SUSPENDED);
    arrive(&flight, 0, CMW_END_SENT);
    assert_int_equal(next_of(&flight, 2), CMW_TO_HANDLER);
    close_limit(&flight, &mw);
}

/* The grant is on its way when the client leaves: it goes to the next one. */
static void a_grant_that_finds_nobody_goes_on(void **state)
{
    cmw_concurrency_limit_config config;
    struct flight flight;
    cmw_middleware mw;

    (void)state;
    set(&config, 1, 0, 2);
    open_limit(&flight, &config, &mw);
    assert_int_equal(depart(&flight, 0), CMW_TO_HANDLER);
    assert_int_equal(depart(&flight, 1), CMW_TO_SUSPENDED);
    assert_int_equal(depart(&flight, 2), CMW_TO_SUSPENDED);
    arrive(&flight, 0, CMW_END_SENT); /* resumed, and not delivered yet */
    (void)cmw_ctx_cancel(flight.requests[1].ctx, CMW_END_CLIENT_GONE);
    cmw_ctx_end(flight.requests[1].ctx, CMW_END_CLIENT_GONE);
    flight.requests[1].ctx = NULL;
    assert_int_equal(next_of(&flight, 2), CMW_TO_HANDLER);
    assert_int_equal(stats_of(&mw).in_flight, 1);
    close_limit(&flight, &mw);
}

static void one_client_cannot_fill_the_queue(void **state)
{
    cmw_concurrency_limit_config config;
    struct flight flight;
    cmw_middleware mw;

    (void)state;
    set(&config, 2, 2, 4);
    open_limit(&flight, &config, &mw);
    assert_int_equal(depart_to(&flight, 0, "10.0.0.1", "GET", "/"), CMW_TO_HANDLER);
    assert_int_equal(depart_to(&flight, 1, "10.0.0.2", "GET", "/"), CMW_TO_HANDLER);
    assert_int_equal(depart_to(&flight, 2, "10.0.0.1", "GET", "/"), CMW_TO_SUSPENDED);
    assert_int_equal(depart_to(&flight, 3, "10.0.0.1", "GET", "/"), CMW_TO_RESPOND);
    assert_int_equal(depart_to(&flight, 4, "10.0.0.2", "GET", "/"), CMW_TO_SUSPENDED);
    arrive(&flight, 0, CMW_END_SENT);
    arrive(&flight, 1, CMW_END_SENT);
    assert_int_equal(next_of(&flight, 2), CMW_TO_HANDLER);
    assert_int_equal(next_of(&flight, 4), CMW_TO_HANDLER);
    close_limit(&flight, &mw);
}

static void a_host_that_cannot_wait_is_told(void **state)
{
    cmw_concurrency_limit_config config;
    struct flight flight;
    cmw_middleware mw;
    cmw_diag diag = {0};

    (void)state;
    set(&config, 1, 0, 1);
    flight_open(&flight);
    flight.server.host.capabilities = 0;
    cmw_middleware_init(&mw);
    mw.name = "places";
    assert_int_equal(cmw_concurrency_limit_create(flight.server.engine, &mw, &config, NULL), 0);
    assert_int_equal(cmw_chain_add(flight.server.chain, &mw, NULL), 0);
    assert_int_equal(cmw_chain_install(flight.server.chain, &diag), CMW_ERR_UNSUPPORTED);
    cmw_chain_destroy(flight.server.chain);
    assert_int_equal(cmw_engine_destroy(flight.server.engine), 0);
}

static void nothing_is_allocated(void **state)
{
    cmw_concurrency_limit_config config;

    (void)state;
    set(&config, 1, 1, 0);
    cmw_test *test = open_bench("concurrency_limit", &config);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(cmw_test_send(test), 200);
    assert_no_allocation(test);
    close_bench(test);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    static const char *const bad[] = {"cookie"};
    cmw_concurrency_limit_config config;

    (void)state;
    set(&config, 0, 0, 0);
    assert_refused("concurrency_limit", &config, CMW_ERR_ARG,
                   "concurrency_limit: limit: 0 is not 1 to 1000000");
    set(&config, 5, 6, 0);
    assert_refused("concurrency_limit", &config, CMW_ERR_ARG,
                   "concurrency_limit: key_limit: 6 is not 0 to 5");
    set(&config, 5, 1, -1);
    assert_refused("concurrency_limit", &config, CMW_ERR_ARG,
                   "concurrency_limit: queue: -1 is not 0 to 1000000");
    set(&config, 5, 1, 0);
    config.key_count = 0;
    assert_refused("concurrency_limit", &config, CMW_ERR_ARG,
                   "concurrency_limit: key: key_limit needs a key");
    config.key = bad;
    config.key_count = 1;
    assert_refused("concurrency_limit", &config, CMW_ERR_INVALID,
                   "concurrency_limit: key: 'cookie' is none of ip, header:NAME, principal, "
                   "slot:NAME, route, host, path, method, callback");
    set(&config, 5, 1, 0);
    config.status = 200;
    assert_refused("concurrency_limit", &config, CMW_ERR_ARG,
                   "concurrency_limit: status: 200 is not 400 to 599");
}

static void failing_memory_is_survived(void **state)
{
    cmw_concurrency_limit_config config;

    (void)state;
    set(&config, 5, 2, 3);
    assert_survives_failing_memory("concurrency_limit", &config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_more_is_refused),
        cmocka_unit_test(every_end_gives_the_place_back),
        cmocka_unit_test(each_key_has_a_limit_of_its_own),
        cmocka_unit_test(who_waits_gets_the_next_place_in_order),
        cmocka_unit_test(patience_has_an_end),
        cmocka_unit_test(the_deadline_before_is_restored),
        cmocka_unit_test(who_leaves_the_queue_frees_its_place),
        cmocka_unit_test(a_grant_that_finds_nobody_goes_on),
        cmocka_unit_test(one_client_cannot_fill_the_queue),
        cmocka_unit_test(a_host_that_cannot_wait_is_told),
        cmocka_unit_test(nothing_is_allocated),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };
    return cmocka_run_group_tests_name("concurrency_limit", tests, NULL, NULL);
}
