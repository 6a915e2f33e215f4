/* SPDX-License-Identifier: MIT */
/* cache_control: which value a response gets. */
#include "builtin_fixture.h"

#include <catzilla/builtin/cache_control.h>

/* What the handler answers. */
struct answer {
    int status;
    const char *type, *own, *cookie;
};

static int answer(void *self, cmw_ctx *ctx)
{
    const struct answer *const made = self;
    cmw_response *const response = cmw_ctx_response(ctx);
    int rc = cmw_response_text(response, made->status, CMW_STR("x"));

    if (made->type)
        rc |= cmw_response_set(response, CMW_HDR_CONTENT_TYPE, cmw_str_cstr(made->type));
    if (made->own)
        rc |= cmw_response_set(response, CMW_HDR_CACHE_CONTROL, cmw_str_cstr(made->own));
    if (made->cookie)
        rc |= cmw_response_append(response, CMW_HDR_SET_COOKIE, cmw_str_cstr(made->cookie));
    return rc;
}

struct row {
    const char *name;
    struct answer made;
    const char *authorization;
    int overrides, keeps;
    const char *value; /* NULL: no field */
};

static const struct row rows[] = {
    {"by type", {200, "text/html; charset=utf-8", NULL, NULL}, NULL, 0, 0, "no-cache"},
    {"in any case", {200, "Text/HTML", NULL, NULL}, NULL, 0, 0, "no-cache"},
    {"by a range of types", {200, "image/png", NULL, NULL}, NULL, 0, 0, "max-age=600"},
    {"a type that only begins so", {200, "imagex/png", NULL, NULL}, NULL, 0, 0, "private"},
    {"by status", {404, "text/html", NULL, NULL}, NULL, 0, 0, "no-store, max-age=0"},
    {"by a hundred of them", {503, "image/png", NULL, NULL}, NULL, 0, 0, "no-store, max-age=0"},
    {"an error by none", {400, "text/plain", NULL, NULL}, NULL, 0, 0, "no-store"},
    {"an error by its type alone", {431, "image/png", NULL, NULL}, NULL, 0, 0, "no-store"},
    {"what is no error yet", {399, "image/png", NULL, NULL}, NULL, 0, 0, "max-age=600"},
    {"an error whose handler knows",
     {410, "image/png", "max-age=1", NULL},
     NULL,
     0,
     0,
     "max-age=1"},
    {"by none", {200, "text/plain", NULL, NULL}, NULL, 0, 0, "private"},
    {"the handler's own stays", {200, "image/png", "max-age=1", NULL}, NULL, 0, 0, "max-age=1"},
    {"unless it is replaced", {200, "image/png", "max-age=1", NULL}, NULL, 1, 0, "max-age=600"},
    {"a cookie", {200, "image/png", NULL, "a=b"}, NULL, 0, 0, "no-store"},
    {"a cookie, replaced", {200, "image/png", "public", "a=b"}, NULL, 1, 0, "no-store"},
    {"a cookie, said otherwise", {200, "image/png", "public", "a=b"}, NULL, 0, 0, "public"},
    {"a cookie, kept", {200, "image/png", NULL, "a=b"}, NULL, 0, 1, "max-age=600"},
    {"authenticated", {200, "image/png", NULL, NULL}, "Basic eA==", 0, 0, "no-store"},
    {"authenticated, kept", {200, "image/png", NULL, NULL}, "Basic eA==", 0, 1, "max-age=600"},
    {"an odd authorization, too", {200, "image/png", NULL, NULL}, "", 0, 0, "no-store"},
};

static const char *const errors[] = {"404", "5xx"};
static const char *const html[] = {"text/html"};
static const char *const images[] = {"image/*"};
static const cmw_cache_rule rules[] = {
    {.value = "no-store, max-age=0", .statuses = errors, .status_count = 2},
    {.value = "no-cache", .types = html, .type_count = 1},
    {.value = "max-age=600", .types = images, .type_count = 1},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct answer made = row->made;
    cmw_cache_control_config config;

    cmw_cache_control_config_init(&config);
    config.value = "private";
    config.rules = rules;
    config.rule_count = LEN(rules);
    config.override_handler = row->overrides;
    config.keep_personal = row->keeps;
    cmw_test *const test = open_bench("cache_control", &config);
    cmw_test_set_handler(test, answer, &made);
    cmw_test_request(test, "GET", "/");
    if (row->authorization)
        cmw_test_header(test, "Authorization", row->authorization);
    assert_int_equal(cmw_test_send(test), made.status);
    assert_string_equal(cmw_test_response_field(test, "Cache-Control"), row->value);
    assert_int_equal(cmw_test_response_count(test, "Cache-Control"), 1);
    assert_no_allocation(test);
    close_bench(test);
}

static void by_default_only_what_is_personal_has_it(void **state)
{
    struct answer made = {200, "text/html", NULL, NULL};
    cmw_test *const test = open_bench("cache_control", NULL);

    (void)state;
    cmw_test_set_handler(test, answer, &made);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 200);
    assert_null(cmw_test_response_field(test, "Cache-Control"));
    made.status = 500;
    assert_int_equal(cmw_test_send(test), 500);
    assert_null(cmw_test_response_field(test, "Cache-Control"));
    made = (struct answer){200, "text/html", NULL, "a=b"};
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_field(test, "Cache-Control"), "no-store");
    close_bench(test);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    static const struct {
        const char *value, *status, *type, *sentence;
    } cases[] = {
        {"", NULL, NULL, "cache_control: value: '' is not a list of directives"},
        {"no store", NULL, NULL, "cache_control: value: 'no store' is not a list of directives"},
        {"a,,b", NULL, NULL, "cache_control: value: 'a,,b' is not a list of directives"},
        {"max-age=", NULL, NULL, "cache_control: value: 'max-age=' is not a list of directives"},
        {"a\r\nb: c", NULL, NULL, "cache_control: value: 'a\r\nb: c' is not a list of directives"},
        {"public", "20", NULL,
         "cache_control: rules: statuses: '20' is neither a status nor one of 1xx to 9xx"},
        {"public", "2x0", NULL,
         "cache_control: rules: statuses: '2x0' is neither a status nor one of 1xx to 9xx"},
        {"public", NULL, "html", "cache_control: rules: types: 'html' is not a media type"},
        {"public", NULL, "*/*", "cache_control: rules: types: '*/*' is not a media type"},
    };

    (void)state;
    for (size_t i = 0; i < LEN(cases); i++) {
        const cmw_cache_rule rule = {.value = cases[i].value,
                                     .statuses = &cases[i].status,
                                     .status_count = cases[i].status != NULL,
                                     .types = &cases[i].type,
                                     .type_count = cases[i].type != NULL};
        cmw_cache_control_config config;
        cmw_cache_control_config_init(&config);
        config.rules = &rule;
        config.rule_count = 1;
        assert_refused("cache_control", &config, CMW_ERR_INVALID, cases[i].sentence);
    }
}

static void failing_memory_is_survived(void **state)
{
    cmw_cache_control_config config;

    (void)state;
    cmw_cache_control_config_init(&config);
    config.rules = rules;
    config.rule_count = LEN(rules);
    assert_survives_failing_memory("cache_control", &config);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(by_default_only_what_is_personal_has_it),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("cache_control", tests, NULL, NULL) |
           cmocka_run_group_tests_name("cache_control: the rest", others, NULL, NULL);
}
