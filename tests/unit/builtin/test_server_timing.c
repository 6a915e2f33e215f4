/* SPDX-License-Identifier: MIT */
/* server_timing: what is told, to whom. */
#include "builtin_fixture.h"

#include <catzilla/builtin/server_timing.h>

struct row {
    const char *name;
    uint64_t ns;
    const char *expected;
};

static const struct row rows[] = {
    {"nothing", 0, "total;dur=0.000"},
    {"less than is shown", 999, "total;dur=0.000"},
    {"a microsecond", 1000, "total;dur=0.001"},
    {"tens of them", 1234567, "total;dur=1.234"},
    {"seconds", UINT64_C(12345678901), "total;dur=12345.678"},
};

struct handler {
    cmw_test *test;
    uint64_t ns;
    const char *metric;
    int rc;
};

static int work(void *self, cmw_ctx *ctx)
{
    struct handler *handler = self;

    cmw_test_advance_ns(handler->test, handler->ns);
    if (handler->metric)
        handler->rc = cmw_server_timing_add(ctx, cmw_str_cstr(handler->metric), 2500000);
    return cmw_respond_text(ctx, 200, CMW_STR("ok")) == CMW_STOP ? 0 : -1;
}

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_test *test = open_bench("server_timing", NULL);
    struct handler handler = {test, row->ns, NULL, 0};

    cmw_test_set_handler(test, work, &handler);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_field(test, "Server-Timing"), row->expected);
    assert_no_allocation(test);
    close_bench(test);
}

static void programs_add_times_of_their_own(void **state)
{
    static const char *const bad[] = {"", "a b", "a;b", "a,b", "a\r\nb"};
    cmw_test *test = open_bench("server_timing", NULL);
    struct handler handler = {test, 0, "db", 0};

    (void)state;
    cmw_test_set_handler(test, work, &handler);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(handler.rc, 0);
    assert_string_equal(cmw_test_response_field(test, "Server-Timing"), "db;dur=2.500");
    assert_int_equal(cmw_test_response_count(test, "Server-Timing"), 2);
    for (size_t i = 0; i < LEN(bad); i++) {
        handler.metric = bad[i];
        assert_int_equal(cmw_test_send(test), 200);
        assert_int_equal(handler.rc, CMW_ERR_INVALID);
        assert_int_equal(cmw_test_response_count(test, "Server-Timing"), 1);
    }
    close_bench(test);
}

static void only_some_are_told(void **state)
{
    static const char *const allow[] = {"10.0.0.0/8"};
    cmw_server_timing_config config;

    (void)state;
    cmw_server_timing_config_init(&config);
    config.allow = allow;
    config.allow_count = 1;
    config.metric = "app";
    cmw_test *test = open_bench("server_timing", &config);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 200);
    assert_null(cmw_test_response_field(test, "Server-Timing"));
    cmw_test_request(test, "GET", "/");
    cmw_test_peer(test, "10.1.1.1");
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_field(test, "Server-Timing"), "app;dur=0.000");
    close_bench(test);
}

/* A snapshot is taken by a poll, when one was asked for and the last one is old. */
static void statistics_come_with_the_poll(void **state)
{
    cmw_server_timing_config config;

    (void)state;
    cmw_server_timing_config_init(&config);
    config.statistics = 1;
    config.interval_ms = 1000;
    cmw_test *test = open_bench("server_timing", &config);
    struct handler handler = {test, 3000000, NULL, 0};
    cmw_test_set_handler(test, work, &handler);
    assert_int_equal(cmw_engine_poll(cmw_test_engine(test)), 0);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_field(test, "Server-Timing"), "total;dur=3.000");
    assert_int_equal(cmw_engine_poll(cmw_test_engine(test)), 1);
    assert_int_equal(cmw_test_send(test), 200);
    const char *field = cmw_test_response_field(test, "Server-Timing");
    assert_memory_equal(field, "total;dur=3.000, p50;dur=3.", 27);
    assert_non_null(strstr(field, ", p95;dur=3."));
    assert_int_equal(cmw_engine_poll(cmw_test_engine(test)), 0);
    cmw_test_advance_ns(test, 1000000000);
    assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(cmw_engine_poll(cmw_test_engine(test)), 1);
    assert_no_allocation(test);
    close_bench(test);
}

/* Where no request is timed there is nothing to tell, and nothing to look for again and again. */
static void a_poll_without_samples_waits_as_well(void **state)
{
    cmw_engine_config engine;
    cmw_server_timing_config config;

    (void)state;
    cmw_engine_config_init(&engine);
    engine.sample_every = 0;
    cmw_server_timing_config_init(&config);
    config.statistics = 1;
    config.interval_ms = 1000;
    cmw_test *test = open_bench_of("server_timing", &config, &engine);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(cmw_engine_poll(cmw_test_engine(test)), 1);
    assert_int_equal(cmw_engine_poll(cmw_test_engine(test)), 0);
    assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(cmw_engine_poll(cmw_test_engine(test)), 0);
    assert_string_equal(cmw_test_response_field(test, "Server-Timing"), "total;dur=0.000");
    cmw_test_advance_ns(test, 1000000000);
    assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(cmw_engine_poll(cmw_test_engine(test)), 1);
    close_bench(test);
}

/* A request past the kit, whose host has no place for trailers. What follows the body. */
static cmw_str trailer_of(cmw_test *test, const char *te, const char *peer)
{
    static const cmw_host host = {
        .size = sizeof host, .name = "bench", .capabilities = CMW_CAP_RESPONSE_TRAILERS};
    static char text[128];
    const cmw_header field = {CMW_STR("TE"), cmw_str_cstr(te)};
    cmw_request_view view;
    cmw_worker *worker;
    size_t count;
    cmw_ctx *ctx;

    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = CMW_STR("/");
    view.http_version = 0x0101;
    view.headers = &field;
    view.header_count = 1;
    assert_int_equal(cmw_address_parse(&view.peer, cmw_str_cstr(peer)), 0);
    assert_int_equal(cmw_engine_take_worker(cmw_test_engine(test), &worker, &host, NULL), 0);
    assert_int_equal(cmw_ctx_begin(worker, &ctx, &view), 0);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    cmw_test_advance_ns(test, 2500000);
    assert_int_equal(cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok")), 0);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    const cmw_header *first = cmw_ctx_response_trailers(ctx, &count);
    assert_true(count <= 1);
    const size_t len = count ? first->value.len : 0;
    assert_true(len < sizeof text);
    if (count) {
        assert_true(cmw_str_equals(first->name, CMW_STR("Server-Timing")));
        memcpy(text, first->value.data, len);
    }
    assert_int_equal(cmw_ctx_sends_trailers(ctx), count);
    cmw_ctx_end(ctx, CMW_END_SENT);
    cmw_engine_put_worker(cmw_test_engine(test), worker);
    return cmw_str_make(text, len);
}

static void the_body_s_time_follows_it(void **state)
{
    static const char *const allow[] = {"10.0.0.0/8"};
    cmw_server_timing_config config;

    (void)state;
    cmw_server_timing_config_init(&config);
    config.trailer = "body";
    config.allow = allow;
    config.allow_count = 1;
    cmw_test *test = open_bench("server_timing", &config);
    assert_true(
        cmw_str_equals(trailer_of(test, "trailers", "10.1.1.1"), CMW_STR("body;dur=2.500")));
    assert_int_equal(trailer_of(test, "gzip", "10.1.1.1").len, 0);
    assert_int_equal(trailer_of(test, "trailers", "192.0.2.1").len, 0);
    close_bench(test);
    config.trailer = NULL;
    test = open_bench("server_timing", &config);
    assert_int_equal(trailer_of(test, "trailers", "10.1.1.1").len, 0);
    close_bench(test);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    cmw_server_timing_config config;

    (void)state;
    cmw_server_timing_config_init(&config);
    config.metric = "a;b";
    assert_refused("server_timing", &config, CMW_ERR_INVALID,
                   "server_timing: metric: 'a;b' is not a token of at most 64 characters");
    cmw_server_timing_config_init(&config);
    config.trailer = "a,b";
    assert_refused("server_timing", &config, CMW_ERR_INVALID,
                   "server_timing: trailer: 'a,b' is not a token of at most 64 characters");
    cmw_server_timing_config_init(&config);
    config.interval_ms = 99;
    assert_refused("server_timing", &config, CMW_ERR_ARG,
                   "server_timing: interval_ms: 99 is not 100 to 3600000");
    cmw_server_timing_config_init(&config);
    config.allow_count = 1;
    assert_refused("server_timing", &config, CMW_ERR_ARG,
                   "server_timing: allow: the list is missing");
}

static void failing_memory_is_survived(void **state)
{
    cmw_server_timing_config config;

    (void)state;
    cmw_server_timing_config_init(&config);
    config.statistics = 1;
    assert_survives_failing_memory("server_timing", &config);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(programs_add_times_of_their_own),
        cmocka_unit_test(only_some_are_told),
        cmocka_unit_test(statistics_come_with_the_poll),
        cmocka_unit_test(a_poll_without_samples_waits_as_well),
        cmocka_unit_test(the_body_s_time_follows_it),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("server_timing", tests, NULL, NULL) |
           cmocka_run_group_tests_name("server_timing: the rest", others, NULL, NULL);
}
