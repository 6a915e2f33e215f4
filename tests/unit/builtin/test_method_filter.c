/* SPDX-License-Identifier: MIT */
/* method_filter: who passes, who is told what. */
#include "builtin_fixture.h"

#include <catzilla/builtin/method_filter.h>

struct row {
    const char *name;
    const char *allow[4]; /* none: the default */
    const char *method;
    int status;
    const char *allowed; /* the field, for 405 */
};

#define A1000                                                                                      \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA" \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static const struct row rows[] = {
    {"GET by default", {NULL}, "GET", 200, NULL},
    {"HEAD by default", {NULL}, "HEAD", 200, NULL},
    {"OPTIONS by default", {NULL}, "OPTIONS", 200, NULL},
    {"TRACE is not", {NULL}, "TRACE", 405, "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"},
    {"CONNECT is not", {NULL}, "CONNECT", 405, "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"},
    {"GET brings HEAD", {"GET"}, "HEAD", 200, NULL},
    {"POST alone", {"POST"}, "POST", 200, NULL},
    {"POST brings nothing", {"POST"}, "HEAD", 405, "POST"},
    {"another method", {"POST", "GET"}, "DELETE", 405, "GET, HEAD, POST"},
    {"an unknown method", {"GET"}, "BREW", 501, NULL},
    {"a method of one's own", {"GET", "BREW"}, "BREW", 200, NULL},
    {"is in Allow", {"BREW", "GET"}, "PUT", 405, "GET, HEAD, BREW"},
    {"case counts", {NULL}, "get", 501, NULL},
    {"a prefix is another method", {NULL}, "GE", 501, NULL},
    {"an empty method", {NULL}, "", 501, NULL},
    {"a long method", {NULL}, A1000, 501, NULL},
    {"a method with a blank", {NULL}, "GET ", 501, NULL},
    {"a method of other bytes", {NULL}, "G\xc3\x89T", 501, NULL},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_method_filter_config config;

    cmw_method_filter_config_init(&config);
    while (config.allow_count < LEN(row->allow) && row->allow[config.allow_count])
        config.allow_count++;
    config.allow = config.allow_count ? row->allow : NULL;
    cmw_test *test = open_bench("method_filter", &config);
    cmw_test_request(test, row->method, "/");
    assert_int_equal(cmw_test_send(test), row->status);
    if (row->allowed)
        assert_string_equal(cmw_test_response_field(test, "Allow"), row->allowed);
    else
        assert_null(cmw_test_response_field(test, "Allow"));
    assert_no_allocation(test);
    close_bench(test);
}

static void refuse(const char *const *allow, size_t count, int code, const char *sentence)
{
    cmw_method_filter_config config;

    cmw_method_filter_config_init(&config);
    config.allow = allow;
    config.allow_count = count;
    assert_refused("method_filter", &config, code, sentence);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    static const char *const blank[] = {"GET", "P ST"};
    static const char *const empty[] = {""};
    static const char *const nothing[] = {NULL};
    static const char *const twice[] = {"GET", "GET"};
    static const char *const own_twice[] = {"BREW", "BREW"};

    (void)state;
    refuse(blank, 2, CMW_ERR_INVALID, "method_filter: allow: 'P ST' is not a method");
    refuse(empty, 1, CMW_ERR_INVALID, "method_filter: allow: '' is not a method");
    refuse(nothing, 1, CMW_ERR_INVALID, "method_filter: allow: '' is not a method");
    refuse(nothing, 0, CMW_ERR_ARG, "method_filter: allow: the list names no method");
    refuse(twice, 2, CMW_ERR_EXISTS, "method_filter: allow: 'GET' stands twice");
    refuse(own_twice, 2, CMW_ERR_EXISTS, "method_filter: allow: 'BREW' stands twice");
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    assert_survives_failing_memory("method_filter", NULL);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("method_filter", tests, NULL, NULL) |
           cmocka_run_group_tests_name("method_filter: the rest", others, NULL, NULL);
}
