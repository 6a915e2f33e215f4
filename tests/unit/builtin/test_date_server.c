/* SPDX-License-Identifier: MIT */
/* date_server: the date of the second, and whose field stays. */
#include "builtin_fixture.h"

#include <catzilla/builtin/date_server.h>

static void the_date_is_that_of_the_second(void **state)
{
    cmw_test *test = open_bench("date_server", NULL);

    (void)state;
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_field(test, "Date"), "Thu, 01 Jan 2026 00:00:00 GMT");
    assert_null(cmw_test_response_field(test, "Server"));
    assert_no_allocation(test);
    cmw_test_advance_ns(test, 999999999);
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_field(test, "Date"), "Thu, 01 Jan 2026 00:00:00 GMT");
    cmw_test_advance_ns(test, 1);
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_field(test, "Date"), "Thu, 01 Jan 2026 00:00:01 GMT");
    cmw_test_advance_ns(test, UINT64_C(86400000000000) * 60);
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_field(test, "Date"), "Mon, 02 Mar 2026 00:00:01 GMT");
    close_bench(test);
}

static int own_fields(void *self, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);

    (void)self;
    if (cmw_response_set(response, CMW_HDR_DATE, CMW_STR("Sun, 06 Nov 1994 08:49:37 GMT")) != 0 ||
        cmw_response_set(response, CMW_HDR_SERVER, CMW_STR("mine")) != 0)
        return -1;
    return cmw_respond_empty(ctx, 204) == CMW_STOP ? 0 : -1;
}

static void what_is_there_stays(void **state)
{
    cmw_date_server_config config;

    (void)state;
    cmw_date_server_config_init(&config);
    config.server = "shop";
    cmw_test *test = open_bench("date_server", &config);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_field(test, "Server"), "shop");
    cmw_test_set_handler(test, own_fields, NULL);
    assert_int_equal(cmw_test_send(test), 204);
    assert_string_equal(cmw_test_response_field(test, "Date"), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_string_equal(cmw_test_response_field(test, "Server"), "mine");
    assert_int_equal(cmw_test_response_count(test, "Date"), 1);
    assert_int_equal(cmw_test_response_count(test, "Server"), 1);
    close_bench(test);
}

static void server_can_stand_alone(void **state)
{
    cmw_date_server_config config;

    (void)state;
    cmw_date_server_config_init(&config);
    config.date = 0;
    config.server = "shop/1.0 (test)";
    cmw_test *test = open_bench("date_server", &config);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 200);
    assert_null(cmw_test_response_field(test, "Date"));
    assert_string_equal(cmw_test_response_field(test, "Server"), "shop/1.0 (test)");
    close_bench(test);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    cmw_date_server_config config;

    (void)state;
    cmw_date_server_config_init(&config);
    config.date = 0;
    assert_refused("date_server", &config, CMW_ERR_ARG,
                   "date_server: neither date nor server is asked for");
    config.server = "a\r\nb: c";
    assert_refused("date_server", &config, CMW_ERR_INVALID,
                   "date_server: server: the text cannot stand in a field");
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    assert_survives_failing_memory("date_server", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_date_is_that_of_the_second),
        cmocka_unit_test(what_is_there_stays),
        cmocka_unit_test(server_can_stand_alone),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };
    return cmocka_run_group_tests_name("date_server", tests, NULL, NULL);
}
