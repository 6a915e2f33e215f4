/* SPDX-License-Identifier: MIT */
/* timeout: what is late, and what it is answered with. */
#include "traffic_fixture.h"

#include <catzilla/builtin/concurrency_limit.h>
#include <catzilla/builtin/timeout.h>

#include "builtin_fixture.h"

#define MS UINT64_C(1000000)

/* timeout, and a limit of one place with a queue. */
static void open_timeout(struct flight *flight, const cmw_timeout_config *config)
{
    cmw_concurrency_limit_config limit;

    flight_open(flight);
    assert_int_equal(cmw_chain_use(flight->server.chain, "timeout", config, NULL), 0);
    cmw_concurrency_limit_config_init(&limit);
    limit.limit = 1;
    limit.queue = 4;
    limit.queue_ms = 600000;
    assert_int_equal(cmw_chain_use(flight->server.chain, "concurrency_limit", &limit, NULL), 0);
    server_start(&flight->server);
}

static void expect(struct flight *flight, unsigned index, int status)
{
    (void)cmw_ctx_commit(flight->requests[index].ctx);
    assert_int_equal(status_of(flight, index), status);
    flight->requests[index].next = CMW_TO_RESPOND;
    arrive(flight, index, CMW_END_SENT);
}

static void a_late_handler_is_answered_504(void **state)
{
    struct flight flight;

    (void)state;
    open_timeout(&flight, NULL);
    assert_int_equal(depart(&flight, 0), CMW_TO_HANDLER);
    flight.now_ns += 29999 * MS;
    (void)next_of(&flight, 0);
    assert_int_equal(cmw_ctx_is_cancelled(flight.requests[0].ctx), 0);
    flight.now_ns += 1 * MS;
    (void)next_of(&flight, 0);
    assert_int_equal(cmw_ctx_is_cancelled(flight.requests[0].ctx), 1);
    /* What the handler makes now is dropped. */
    (void)!cmw_response_text(cmw_ctx_response(flight.requests[0].ctx), 200, CMW_STR("late"));
    expect(&flight, 0, 504);
    server_close(&flight.server);
}

/* Whether what is awaited of an upload counts is the host's to say. */
static void a_handler_has_a_time_of_its_own(void **state)
{
    cmw_timeout_config config;
    struct flight flight;

    (void)state;
    cmw_timeout_config_init(&config);
    config.handler_ms = 100;
    flight_open(&flight);
    assert_int_equal(cmw_chain_use(flight.server.chain, "timeout", &config, NULL), 0);
    server_start(&flight.server);
    for (int is_late = 0; is_late < 2; is_late++) {
        assert_int_equal(depart(&flight, 0), CMW_TO_HANDLER);
        cmw_ctx *ctx = flight.requests[0].ctx;
        flight.now_ns += 100 * MS - 1;
        (void)next_of(&flight, 0);
        assert_int_equal(cmw_ctx_is_cancelled(ctx), 0);
        flight.now_ns += (unsigned)is_late;
        (void)next_of(&flight, 0);
        assert_int_equal(cmw_ctx_is_cancelled(ctx), is_late);
        assert_int_equal(cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("made")), 0);
        expect(&flight, 0, is_late ? 504 : 200);
    }
    assert_int_equal(depart(&flight, 0), CMW_TO_HANDLER);
    assert_int_equal(cmw_ctx_limit_handler_time(flight.requests[0].ctx, 1), CMW_ERR_STATE);
    expect(&flight, 0, 500); /* it makes nothing */
    server_close(&flight.server);
}

static void who_waits_too_long_is_answered_503(void **state)
{
    cmw_timeout_config config;
    struct flight flight;

    (void)state;
    cmw_timeout_config_init(&config);
    config.total_ms = 100;
    config.retry_after_s = 9;
    open_timeout(&flight, &config);
    assert_int_equal(depart(&flight, 0), CMW_TO_HANDLER);
    flight.now_ns += 50 * MS;
    assert_int_equal(depart(&flight, 1), CMW_TO_SUSPENDED);
    flight.now_ns += 100 * MS;
    assert_int_equal(next_of(&flight, 1), CMW_TO_RESPOND);
    assert_int_equal(status_of(&flight, 1), 503);
    assert_true(cmw_response_has(cmw_ctx_response(flight.requests[1].ctx), CMW_HDR_RETRY_AFTER));
    arrive(&flight, 1, CMW_END_SENT);
    expect(&flight, 0, 504);
    server_close(&flight.server);
}

static void an_answer_in_time_is_sent(void **state)
{
    struct flight flight;

    (void)state;
    open_timeout(&flight, NULL);
    assert_int_equal(depart(&flight, 0), CMW_TO_HANDLER);
    flight.now_ns += 29999 * MS;
    (void)next_of(&flight, 0);
    assert_int_equal(
        cmw_response_text(cmw_ctx_response(flight.requests[0].ctx), 200, CMW_STR("ok")), 0);
    (void)cmw_ctx_commit(flight.requests[0].ctx);
    flight.now_ns += 1000 * MS; /* committed: the deadline means it no more */
    (void)next_of(&flight, 0);
    assert_int_equal(status_of(&flight, 0), 200);
    flight.requests[0].next = CMW_TO_RESPOND;
    arrive(&flight, 0, CMW_END_SENT);
    server_close(&flight.server);
}

static void a_body_that_does_not_come_is_answered_408(void **state)
{
    cmw_request_view view;
    struct flight flight;
    cmw_ctx *ctx = NULL;

    (void)state;
    open_timeout(&flight, NULL);
    cmw_request_view_init(&view);
    view.method = CMW_STR("POST");
    view.target = CMW_STR("/");
    view.now_ns = flight.now_ns;
    view.content_length = 5;
    assert_int_equal(cmw_ctx_begin(flight.server.worker, &ctx, &view), 0);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    assert_int_equal(cmw_ctx_receive_body(ctx, CMW_STR("hal")), 0);
    flight.now_ns += 30000 * MS;
    (void)cmw_worker_run(flight.server.worker, flight.now_ns);
    (void)cmw_ctx_commit(ctx);
    assert_int_equal(cmw_response_status(cmw_ctx_response(ctx)), 408);
    cmw_ctx_end(ctx, CMW_END_SENT);
    server_close(&flight.server);
}

/* The answer that a host is told of is its `next`. */
static cmw_ctx *begin_upload(struct flight *flight)
{
    cmw_request_view view;
    cmw_ctx *ctx = NULL;

    cmw_request_view_init(&view);
    view.method = CMW_STR("POST");
    view.target = CMW_STR("/");
    view.now_ns = flight->now_ns;
    view.content_length = 5;
    assert_int_equal(cmw_ctx_begin(flight->server.worker, &ctx, &view), 0);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    flight->requests[0].ctx = ctx;
    return ctx;
}

static void a_body_has_a_time_of_its_own(void **state)
{
    static const struct {
        int64_t body_ms, idle_ms, late_ms;
    } rows[] = {{200, 0, 200}, {0, 150, 250}, {200, 150, 200}, {200, 90, 90}};
    cmw_timeout_config config;
    struct flight flight;

    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        cmw_timeout_config_init(&config);
        config.body_ms = rows[i].body_ms;
        config.body_idle_ms = rows[i].idle_ms;
        flight_open(&flight);
        flight.server.host.capabilities |= CMW_CAP_TIME_BODY;
        assert_int_equal(cmw_chain_use(flight.server.chain, "timeout", &config, NULL), 0);
        server_start(&flight.server);
        cmw_ctx *ctx = begin_upload(&flight);
        const uint64_t begin_ns = flight.now_ns;
        assert_int_equal(cmw_ctx_await_body(ctx, flight.now_ns), 0);
        if (rows[i].late_ms > 100) {
            flight.now_ns = begin_ns + 100 * MS;
            assert_int_equal(cmw_worker_run(flight.server.worker, flight.now_ns), 0);
            assert_int_equal(cmw_ctx_receive_body(ctx, CMW_STR("a")), 0);
            assert_int_equal(cmw_ctx_await_body(ctx, flight.now_ns), 0);
        }
        flight.now_ns = begin_ns + (uint64_t)rows[i].late_ms * MS - 1;
        assert_int_equal(cmw_worker_run(flight.server.worker, flight.now_ns), 0);
        flight.now_ns++;
        assert_int_equal(cmw_worker_run(flight.server.worker, flight.now_ns), 1);
        assert_int_equal(flight.requests[0].next, CMW_TO_RESPOND);
        assert_int_equal(cmw_response_status(cmw_ctx_response(ctx)), 408);
        assert_non_null(strstr(cmw_response_body(cmw_ctx_response(ctx)).data, "in time"));
        cmw_ctx_end(ctx, CMW_END_SENT);
        /* The next request in the same context has no time but its own. */
        ctx = begin_upload(&flight);
        flight.now_ns += 150 * MS;
        assert_int_equal(cmw_worker_run(flight.server.worker, flight.now_ns), 0);
        assert_int_equal(cmw_ctx_limit_body_time(ctx, 1, 1), CMW_ERR_STATE);
        cmw_ctx_end(ctx, CMW_END_CLIENT_GONE);
        server_close(&flight.server);
    }
}

static void a_server_that_does_not_measure_is_refused(void **state)
{
    static const cmw_host host = {.size = sizeof host, .name = "toy"};
    cmw_timeout_config config;
    cmw_engine *engine;
    cmw_chain *chain;
    cmw_diag diag = {0};

    (void)state;
    cmw_timeout_config_init(&config);
    config.body_ms = 1000;
    assert_int_equal(cmw_engine_create(&engine, NULL), 0);
    assert_int_equal(cmw_engine_attach_host(engine, &host, NULL), 0);
    assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "timeout", &config, NULL), 0);
    assert_int_equal(cmw_chain_install(chain, &diag), CMW_ERR_UNSUPPORTED);
    assert_string_equal(diag.message,
                        "'timeout' limits the time of bodies, and toy does not measure it");
    cmw_chain_destroy(chain);
    config.body_ms = 0;
    config.head_ms = 1000;
    assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "timeout", &config, NULL), 0);
    assert_int_equal(cmw_chain_install(chain, &diag), CMW_ERR_UNSUPPORTED);
    assert_string_equal(diag.message,
                        "'timeout' limits the time of heads, and toy does not measure it");
    /* Where it changes nothing, it needs nothing. */
    assert_int_equal(cmw_chain_shadow(chain, "timeout"), 0);
    assert_int_equal(cmw_chain_install(chain, &diag), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_engine_destroy(engine), 0);
}

/* Other ends are not its business. */
static void a_server_that_closes_is_not_late(void **state)
{
    struct flight flight;

    (void)state;
    open_timeout(&flight, NULL);
    assert_int_equal(depart(&flight, 0), CMW_TO_HANDLER);
    (void)cmw_ctx_cancel(flight.requests[0].ctx, CMW_END_SHUTDOWN);
    expect(&flight, 0, 503);
    assert_int_equal(depart(&flight, 1), CMW_TO_HANDLER);
    (void)cmw_ctx_cancel(flight.requests[1].ctx, CMW_END_CLIENT_GONE);
    expect(&flight, 1, 499);
    assert_int_equal(depart(&flight, 2), CMW_TO_HANDLER);
    cmw_ctx_fail(flight.requests[2].ctx, 503);
    flight.now_ns += 60000 * MS;
    expect(&flight, 2, 503);
    server_close(&flight.server);
}

static void nothing_is_allocated(void **state)
{
    (void)state;
    cmw_test *test = open_bench("timeout", NULL);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 200);
    assert_no_allocation(test);
    close_bench(test);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    cmw_timeout_config config;

    (void)state;
    cmw_timeout_config_init(&config);
    config.total_ms = 0;
    assert_refused("timeout", &config, CMW_ERR_ARG, "timeout: total_ms: 0 is not 1 to 86400000");
    cmw_timeout_config_init(&config);
    config.body_ms = 86400001;
    assert_refused("timeout", &config, CMW_ERR_ARG,
                   "timeout: body_ms: 86400001 is not 0 to 86400000");
    cmw_timeout_config_init(&config);
    config.body_idle_ms = -1;
    assert_refused("timeout", &config, CMW_ERR_ARG,
                   "timeout: body_idle_ms: -1 is not 0 to 86400000");
    cmw_timeout_config_init(&config);
    config.handler_ms = -1;
    assert_refused("timeout", &config, CMW_ERR_ARG, "timeout: handler_ms: -1 is not 0 to 86400000");
    cmw_timeout_config_init(&config);
    config.head_ms = 86400001;
    assert_refused("timeout", &config, CMW_ERR_ARG,
                   "timeout: head_ms: 86400001 is not 0 to 86400000");
    cmw_timeout_config_init(&config);
    config.retry_after_s = -1;
    assert_refused("timeout", &config, CMW_ERR_ARG, "timeout: retry_after: -1 is not 0 to 86400");
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    assert_survives_failing_memory("timeout", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_handler_is_answered_504),
        cmocka_unit_test(a_handler_has_a_time_of_its_own),
        cmocka_unit_test(who_waits_too_long_is_answered_503),
        cmocka_unit_test(an_answer_in_time_is_sent),
        cmocka_unit_test(a_body_that_does_not_come_is_answered_408),
        cmocka_unit_test(a_body_has_a_time_of_its_own),
        cmocka_unit_test(a_server_that_does_not_measure_is_refused),
        cmocka_unit_test(a_server_that_closes_is_not_late),
        cmocka_unit_test(nothing_is_allocated),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };
    return cmocka_run_group_tests_name("timeout", tests, NULL, NULL);
}
