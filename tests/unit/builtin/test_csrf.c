/* SPDX-License-Identifier: MIT */
/* csrf: whose requests pass. */
#include "builtin_fixture.h"

#include <catzilla/builtin/csrf.h>

struct row {
    const char *name;
    const char *method, *site, *origin, *host; /* NULL: no field */
    int status;
    int is_https;
};

#define HOST "a.example"

static const struct row rows[] = {
    {"GET from anywhere", "GET", "cross-site", "https://evil.example", HOST, 200, 1},
    {"HEAD", "HEAD", "cross-site", NULL, HOST, 200, 1},
    {"OPTIONS", "OPTIONS", "cross-site", "https://evil.example", HOST, 200, 1},
    {"a method in lower case is not safe", "get", "cross-site", NULL, HOST, 403, 1},
    {"an unknown method is not safe", "BREW", "cross-site", NULL, HOST, 403, 1},
    {"the same origin", "POST", "same-origin", "https://a.example", HOST, 200, 1},
    {"the user typed it", "POST", "none", NULL, HOST, 200, 1},
    {"another site", "POST", "cross-site", "https://evil.example", HOST, 403, 1},
    {"the same site", "POST", "same-site", "https://b.a.example", HOST, 403, 1},
    {"another word", "POST", "SAME-ORIGIN", "https://a.example", HOST, 403, 1},
    {"an empty word", "POST", "", "https://a.example", HOST, 403, 1},
    {"a trusted origin", "POST", "cross-site", "https://trusted.example", HOST, 200, 1},
    {"a trusted pattern", "POST", "same-site", "https://x.t.example", HOST, 200, 1},
    {"trusted, in another case", "POST", "cross-site", "https://TRUSTED.example", HOST, 403, 1},
    {"trusted, by http", "POST", "cross-site", "http://trusted.example", HOST, 403, 1},
    {"trusted, with more behind it", "POST", "cross-site", "https://trusted.example.evil", HOST,
     403, 1},
    {"a null origin", "POST", "cross-site", "null", HOST, 403, 1},
    {"no browser", "POST", NULL, NULL, HOST, 200, 1},
    {"an old browser, same host", "POST", NULL, "https://a.example", HOST, 200, 1},
    {"in any case of the host", "DELETE", NULL, "https://a.example", "A.Example", 200, 1},
    {"with a port", "POST", NULL, "https://a.example:8443", "a.example:8443", 200, 1},
    {"with the default port", "POST", NULL, "https://a.example", "a.example:443", 200, 1},
    {"another port", "POST", NULL, "https://a.example:8443", HOST, 403, 1},
    {"no port there", "POST", NULL, "https://a.example", "a.example:8443", 403, 1},
    {"an http page to https", "POST", NULL, "http://a.example", HOST, 403, 1},
    {"an https page behind a proxy", "POST", NULL, "https://a.example", HOST, 200, 0},
    {"http all along", "POST", NULL, "http://a.example", HOST, 200, 0},
    {"an IPv6 literal", "POST", NULL, "http://[::1]:8080", "[::1]:8080", 200, 0},
    {"another host", "POST", NULL, "https://evil.example", HOST, 403, 1},
    {"a host that ends so", "POST", NULL, "https://xa.example", HOST, 403, 1},
    {"a host that begins so", "POST", NULL, "https://a.example.evil", HOST, 403, 1},
    {"a user in it", "POST", NULL, "https://a.example@evil.example", HOST, 403, 1},
    {"null from an old browser", "POST", NULL, "null", HOST, 403, 1},
    {"an empty origin", "POST", NULL, "", HOST, 403, 1},
    {"a scheme alone", "POST", NULL, "https://", HOST, 403, 1},
    {"a scheme alone, no host", "POST", NULL, "https://", NULL, 403, 1},
    {"another scheme", "POST", NULL, "ftp://a.example", HOST, 403, 1},
    {"a path behind it", "POST", NULL, "https://a.example/", HOST, 403, 1},
    {"a port of too many digits", "POST", NULL, "https://a.example:000443", HOST, 403, 1},
    {"a port that is none", "POST", NULL, "https://a.example:", HOST, 403, 1},
    {"a port beyond", "POST", NULL, "https://a.example:65979", HOST, 403, 1},
    {"port 0", "POST", NULL, "https://a.example:0", HOST, 403, 1},
    {"trusted, from an old browser", "POST", NULL, "https://trusted.example", HOST, 200, 1},
};

static void ask(cmw_test *test, const struct row *row)
{
    cmw_test_request(test, row->method, "/");
    if (row->is_https)
        cmw_test_scheme(test, CMW_SCHEME_HTTPS);
    if (row->host)
        cmw_test_header(test, "Host", row->host);
    if (row->site)
        cmw_test_header(test, "Sec-Fetch-Site", row->site);
    if (row->origin)
        cmw_test_header(test, "Origin", row->origin);
}

static void check_row(void **state)
{
    static const char *const trusted[] = {"https://trusted.example", "https://*.t.example"};
    const struct row *row = *state;
    cmw_csrf_config config;

    cmw_csrf_config_init(&config);
    config.trusted_origins = trusted;
    config.trusted_origin_count = LEN(trusted);
    cmw_test *const test = open_bench("csrf", &config);
    ask(test, row);
    assert_int_equal(cmw_test_send(test), row->status);
    assert_no_allocation(test);
    close_bench(test);
}

static void a_field_that_came_twice_is_nobodys_word(void **state)
{
    static const char *const names[] = {"Sec-Fetch-Site", "Origin"};
    static const char *const values[] = {"same-origin", "https://a.example"};

    (void)state;
    for (size_t i = 0; i < LEN(names); i++) {
        cmw_test *const test = open_bench("csrf", NULL);
        cmw_test_request(test, "POST", "/");
        cmw_test_scheme(test, CMW_SCHEME_HTTPS);
        cmw_test_header(test, "Host", HOST);
        cmw_test_header(test, names[i], values[i]);
        assert_int_equal(cmw_test_send(test), 200);
        cmw_test_header(test, names[i], values[i]);
        assert_int_equal(cmw_test_send(test), 403);
        close_bench(test);
    }
}

static void options_say_more(void **state)
{
    const struct row same_site = {"", "POST", "same-site", "https://b.a.example", HOST, 0, 1};
    const struct row program = {"", "POST", NULL, NULL, HOST, 0, 1};
    cmw_csrf_config config;

    (void)state;
    cmw_csrf_config_init(&config);
    config.allow_same_site = 1;
    config.require_origin = 1;
    cmw_test *const test = open_bench("csrf", &config);
    ask(test, &same_site);
    assert_int_equal(cmw_test_send(test), 200);
    ask(test, &program);
    assert_int_equal(cmw_test_send(test), 403);
    assert_string_equal(cmw_test_response_field(test, "Content-Type"), "application/problem+json");
    close_bench(test);
}

static void refuse(const char *origin, const char *sentence)
{
    cmw_csrf_config config;

    cmw_csrf_config_init(&config);
    config.trusted_origins = &origin;
    config.trusted_origin_count = 1;
    assert_refused("csrf", &config, CMW_ERR_INVALID, sentence);
}

static void configs_that_trust_anybody_are_refused(void **state)
{
    (void)state;
    refuse("*", "csrf: trusted_origins: '*' would trust the pages of anybody");
    refuse("null", "csrf: trusted_origins: 'null' would trust the pages of anybody");
}

static void what_is_no_origin_is_refused(void **state)
{
    const char *const texts[] = {"a.example", "https://a.example/", "https://", ""};

    (void)state;
    for (size_t i = 0; i < LEN(texts); i++) {
        cmw_csrf_config config;
        cmw_middleware middleware;
        cmw_test *test = NULL;

        cmw_csrf_config_init(&config);
        config.trusted_origins = &texts[i];
        config.trusted_origin_count = 1;
        cmw_middleware_init(&middleware);
        assert_int_equal(cmw_test_create(&test, NULL), 0);
        assert_int_equal(cmw_csrf_create(cmw_test_engine(test), &middleware, &config, NULL),
                         CMW_ERR_INVALID);
        assert_int_equal(cmw_test_destroy(test), 0);
    }
}

static void failing_memory_is_survived(void **state)
{
    static const char *const trusted[] = {"https://trusted.example", "https://*.t.example"};
    cmw_csrf_config config;

    (void)state;
    cmw_csrf_config_init(&config);
    config.trusted_origins = trusted;
    config.trusted_origin_count = LEN(trusted);
    assert_survives_failing_memory("csrf", &config);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(a_field_that_came_twice_is_nobodys_word),
        cmocka_unit_test(options_say_more),
        cmocka_unit_test(configs_that_trust_anybody_are_refused),
        cmocka_unit_test(what_is_no_origin_is_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("csrf", tests, NULL, NULL) |
           cmocka_run_group_tests_name("csrf: the rest", others, NULL, NULL);
}
