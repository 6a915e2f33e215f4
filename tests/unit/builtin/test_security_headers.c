/* SPDX-License-Identifier: MIT */
/* security_headers: the defaults, what switches off, what handlers set, https. */
#include "builtin_fixture.h"

#include <catzilla/builtin/security_headers.h>

struct row {
    const char *name;
    const char *field;
    const char *value; /* NULL: not sent */
};

static const struct row rows[] = {
    {"Cross-Origin-Opener-Policy is same-origin", "Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy is same-origin", "Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Embedder-Policy is not sent", "Cross-Origin-Embedder-Policy", NULL},
    {"Origin-Agent-Cluster is ?1", "Origin-Agent-Cluster", "?1"},
    {"Permissions-Policy is not sent", "Permissions-Policy", NULL},
    {"Referrer-Policy is no-referrer", "Referrer-Policy", "no-referrer"},
    {"nosniff is sent", "X-Content-Type-Options", "nosniff"},
    {"DNS prefetch is off", "X-DNS-Prefetch-Control", "off"},
    {"downloads are not opened", "X-Download-Options", "noopen"},
    {"framing is for the same origin", "X-Frame-Options", "SAMEORIGIN"},
    {"no cross-domain policies", "X-Permitted-Cross-Domain-Policies", "none"},
    {"the XSS filter is off", "X-XSS-Protection", "0"},
    {"HSTS is not sent over http", "Strict-Transport-Security", NULL},
};

static void check_default(void **state)
{
    const struct row *row = *state;
    cmw_test *test = open_bench("security_headers", NULL);

    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 200);
    const char *value = cmw_test_response_field(test, row->field);
    if (row->value)
        assert_string_equal(value, row->value);
    else
        assert_null(value);
    assert_int_equal(cmw_test_response_count(test, row->field), row->value ? 1 : 0);
    close_bench(test);
}

static void hsts_is_sent_over_https(void **state)
{
    cmw_test *test = open_bench("security_headers", NULL);

    (void)state;
    cmw_test_request(test, "GET", "/");
    cmw_test_scheme(test, CMW_SCHEME_HTTPS);
    cmw_test_send(test);
    assert_string_equal(cmw_test_response_field(test, "Strict-Transport-Security"),
                        "max-age=31536000; includeSubDomains");
    close_bench(test);
}

static void an_empty_value_switches_a_field_off(void **state)
{
    cmw_security_headers_config config;

    (void)state;
    cmw_security_headers_config_init(&config);
    config.x_frame_options = "";
    config.strict_transport_security = "";
    config.referrer_policy = "origin";
    cmw_test *test = open_bench("security_headers", &config);
    cmw_test_request(test, "GET", "/");
    cmw_test_scheme(test, CMW_SCHEME_HTTPS);
    cmw_test_send(test);
    assert_null(cmw_test_response_field(test, "X-Frame-Options"));
    assert_null(cmw_test_response_field(test, "Strict-Transport-Security"));
    assert_string_equal(cmw_test_response_field(test, "Referrer-Policy"), "origin");
    close_bench(test);
}

static int frame_freely(void *self, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);
    (void)self;
    return cmw_response_set(response, CMW_HDR_X_FRAME_OPTIONS, CMW_STR("DENY")) != 0
               ? -1
               : cmw_response_empty(response, 204);
}

static void a_handlers_value_wins(void **state)
{
    cmw_test *test = open_bench("security_headers", NULL);

    (void)state;
    cmw_test_set_handler(test, frame_freely, NULL);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 204);
    assert_string_equal(cmw_test_response_field(test, "X-Frame-Options"), "DENY");
    assert_int_equal(cmw_test_response_count(test, "X-Frame-Options"), 1);
    assert_string_equal(cmw_test_response_field(test, "X-Content-Type-Options"), "nosniff");
    close_bench(test);
}

static void too_many_fields_get_a_431_with_all_headers(void **state)
{
    cmw_test *test = open_bench("security_headers", NULL);

    (void)state;
    cmw_test_request(test, "GET", "/");
    for (int i = 0; i < 200; i++)
        cmw_test_header(test, "X-Many", "1");
    assert_int_equal(cmw_test_send(test), 431);
    assert_string_equal(cmw_test_response_field(test, "X-Frame-Options"), "SAMEORIGIN");
    close_bench(test);
}

static void a_value_with_a_line_break_is_refused(void **state)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_security_headers_config config;
    cmw_diag diag = {0};

    (void)state;
    cmw_security_headers_config_init(&config);
    config.referrer_policy = "origin\r\nSet-Cookie: a=b";
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "security_headers", &config, &diag), CMW_ERR_INVALID);
    assert_non_null(strstr(diag.message, "Referrer-Policy"));
    cmw_chain_destroy(chain);
    close_bench(test);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(hsts_is_sent_over_https),
        cmocka_unit_test(an_empty_value_switches_a_field_off),
        cmocka_unit_test(a_handlers_value_wins),
        cmocka_unit_test(too_many_fields_get_a_431_with_all_headers),
        cmocka_unit_test(a_value_with_a_line_break_is_refused),
    };
    struct CMUnitTest tests[LEN(rows)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = check_default,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    return cmocka_run_group_tests_name("security_headers, defaults", tests, NULL, NULL) +
           cmocka_run_group_tests_name("security_headers", others, NULL, NULL);
}
