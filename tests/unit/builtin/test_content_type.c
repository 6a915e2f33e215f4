/* SPDX-License-Identifier: MIT */
/* content_type: which bodies pass. */
#include "builtin_fixture.h"

#include <catzilla/builtin/content_type.h>

struct row {
    const char *name;
    const char *type; /* NULL: no field */
    int status;
};

static const struct row rows[] = {
    {"one of the list", "application/json", 200},
    {"in any case", "Application/JSON", 200},
    {"with a charset", "application/json; charset=utf-8", 200},
    {"in any case, in quotes", "application/json;Charset=\"UTF-8\"", 200},
    {"another parameter", "application/json; profile=\"a;b\"", 200},
    {"an empty parameter", "application/json;", 200},
    {"a range", "text/plain", 200},
    {"a suffix", "application/problem+json", 200},
    {"a suffix alone", "application/+json", 415},
    {"another suffix", "application/problem+xml", 415},
    {"another type", "application/xml", 415},
    {"a prefix", "application/jso", 415},
    {"more behind it", "application/jsonp", 415},
    {"a range sent as a type", "text/*", 415},
    {"a charset that is not taken", "text/plain; charset=utf-16", 415},
    {"two charsets", "text/plain; charset=utf-8; charset=utf-7", 415},
    {"a charset in open quotes", "text/plain; charset=\"utf-8", 415},
    {"an empty charset", "text/plain; charset=", 415},
    {"a charset with a blank behind its name", "text/plain; charset =utf-7", 415},
    {"and with a tab", "text/plain; charset\t=utf-7", 415},
    {"a parameter without a name", "text/plain; =utf-7", 415},
    {"a parameter without a value", "text/plain; charset", 415},
    {"no slash", "json", 415},
    {"no subtype", "text/", 415},
    {"two slashes", "text/a/b", 415},
    {"a blank inside", "text /plain", 415},
    {"a list", "application/json, text/html", 415},
    {"nothing", "", 415},
    {"no field", NULL, 415},
};

static cmw_test *open_rules(int any_charset, int allow_missing)
{
    static const char *const allow[] = {"application/json", "text/*", "application/*+json"};
    cmw_content_type_config config;

    cmw_content_type_config_init(&config);
    config.allow = allow;
    config.allow_count = LEN(allow);
    config.any_charset = any_charset;
    config.allow_missing = allow_missing;
    return open_bench("content_type", &config);
}

static int ask(cmw_test *test, const char *type, const char *body)
{
    cmw_test_request(test, "POST", "/");
    if (type)
        cmw_test_header(test, "Content-Type", type);
    cmw_test_body(test, cmw_str_cstr(body));
    return cmw_test_send(test);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_test *const test = open_rules(0, 0);

    assert_int_equal(ask(test, row->type, "x"), row->status);
    if (row->status == 415)
        assert_string_equal(cmw_test_response_field(test, "Accept"), "application/json, text/*");
    assert_no_allocation(test);
    close_bench(test);
}

static void without_a_body_nothing_is_asked(void **state)
{
    cmw_test *const test = open_rules(0, 0);

    (void)state;
    assert_int_equal(ask(test, "image/png", ""), 200);
    cmw_test_request(test, "POST", "/");
    cmw_test_view(test)->content_length = CMW_LENGTH_UNKNOWN;
    assert_int_equal(cmw_test_send(test), 415);
    close_bench(test);
}

static void options_say_more(void **state)
{
    cmw_test *const test = open_rules(1, 1);

    (void)state;
    assert_int_equal(ask(test, NULL, "x"), 200);
    assert_int_equal(ask(test, "text/plain; charset=utf-7", "x"), 200);
    assert_int_equal(ask(test, "image/png", "x"), 415);
    cmw_test_request(test, "POST", "/");
    cmw_test_header(test, "Content-Type", "text/plain");
    cmw_test_header(test, "Content-Type", "text/plain");
    cmw_test_body(test, CMW_STR("x"));
    assert_int_equal(cmw_test_send(test), 415);
    close_bench(test);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    static const struct {
        const char *allow, *sentence;
    } cases[] = {
        {"json", "content_type: allow: 'json' is not a media type"},
        {"*/*", "content_type: allow: '*/*' is not a media type"},
        {"text/*x", "content_type: allow: 'text/*x' is not a media type"},
        {"a/*+b*", "content_type: allow: 'a/*+b*' is not a media type"},
        {"text/html; a=b", "content_type: allow: 'text/html; a=b' is not a media type"},
        {"", "content_type: allow: '' is not a media type"},
    };
    static const char *const blank[] = {"utf 8"};
    static const char *const good[] = {"text/html"};
    cmw_content_type_config config;

    (void)state;
    for (size_t i = 0; i < LEN(cases); i++) {
        cmw_content_type_config_init(&config);
        config.allow = &cases[i].allow;
        config.allow_count = 1;
        assert_refused("content_type", &config, CMW_ERR_INVALID, cases[i].sentence);
    }
    cmw_content_type_config_init(&config);
    assert_refused("content_type", &config, CMW_ERR_ARG,
                   "content_type: allow: the list names no type");
    config.allow = good;
    config.allow_count = 1;
    config.charsets = blank;
    config.charset_count = 1;
    assert_refused("content_type", &config, CMW_ERR_INVALID,
                   "content_type: charsets: 'utf 8' is none");
    config.any_charset = 1;
    assert_refused("content_type", &config, CMW_ERR_CONFLICT,
                   "content_type: charsets: any_charset takes all of them");
}

static void failing_memory_is_survived(void **state)
{
    static const char *const allow[] = {"application/json", "text/*"};
    cmw_content_type_config config;

    (void)state;
    cmw_content_type_config_init(&config);
    config.allow = allow;
    config.allow_count = 2;
    assert_survives_failing_memory("content_type", &config);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(without_a_body_nothing_is_asked),
        cmocka_unit_test(options_say_more),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("content_type", tests, NULL, NULL) |
           cmocka_run_group_tests_name("content_type: the rest", others, NULL, NULL);
}
