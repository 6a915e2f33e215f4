/* SPDX-License-Identifier: MIT */
/* HTTP/1.1 requests must name one host (RFC 9112, 3.2), where the engine is told to see to it. */
#include "actor.h"

struct row {
    const char *name;
    int32_t policy;
    uint16_t http_version;
    const char *first, *second; /* values of Host; NULL: no such field */
    int status;
};

static const struct row rows[] = {
    {"one host is served", CMW_HOST_REQUIRED, 0x0101, "a.example", NULL, 200},
    {"one host with a port is served", CMW_HOST_REQUIRED, 0x0101, "a.example:8080", NULL, 200},
    {"an empty host is one", CMW_HOST_REQUIRED, 0x0101, "", NULL, 200},
    {"no host is 400", CMW_HOST_REQUIRED, 0x0101, NULL, NULL, 400},
    {"two hosts are 400", CMW_HOST_REQUIRED, 0x0101, "a.example", "b.example", 400},
    {"twice the same host is 400", CMW_HOST_REQUIRED, 0x0101, "a.example", "a.example", 400},
    {"a host that is none is 400", CMW_HOST_REQUIRED, 0x0101, "a b", NULL, 400},
    {"a host with user information is 400", CMW_HOST_REQUIRED, 0x0101, "u@a.example", NULL, 400},
    {"HTTP/1.0 may do without", CMW_HOST_REQUIRED, 0x0100, NULL, NULL, 200},
    {"HTTP/2 has an authority", CMW_HOST_REQUIRED, 0x0200, NULL, NULL, 200},
    {"a host that sees to it by itself is not asked twice", CMW_HOST_ANY, 0x0101, NULL, NULL, 200},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct actor actor = {.name = "a", .on = ON_PRE | ON_POST, .post_field = "X-A"};
    cmw_engine_config config;
    struct bench bench;

    cmw_engine_config_init(&config);
    config.host_policy = row->policy;
    bench_open(&bench, &config);
    bench_add(&bench, &actor);
    bench_install(&bench);
    for (int i = 0; i < 2; i++) {
        bench_forget(&bench);
        cmw_test_request(bench.test, "GET", "/");
        cmw_test_view(bench.test)->http_version = row->http_version;
        if (row->first)
            cmw_test_header(bench.test, "hOST", row->first);
        if (row->second)
            cmw_test_header(bench.test, "Host", row->second);
        assert_int_equal(cmw_test_send(bench.test), row->status);
        assert_string_equal(bench.log, row->status == 200 ? "pre:a post:a " : "post:a ");
        assert_string_equal(cmw_test_response_field(bench.test, "X-A"), "a");
    }
    bench_close(&bench);
}

static void an_unknown_policy_is_refused(void **state)
{
    cmw_engine_config config;
    cmw_engine *engine = NULL;

    (void)state;
    cmw_engine_config_init(&config);
    config.host_policy = CMW_HOST_REQUIRED + 1;
    assert_int_equal(cmw_engine_create(&engine, &config), CMW_ERR_ARG);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows) + 1] = {cmocka_unit_test(an_unknown_policy_is_refused)};

    for (size_t i = 0; i < LEN(rows); i++)
        tests[1 + i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("host policy", tests, NULL, NULL);
}
