/* SPDX-License-Identifier: MIT */
/* https_redirect: where a request goes, and which are refused or stay. */
#include "builtin_fixture.h"

#include <stdio.h>

#include <catzilla/builtin/https_redirect.h>
#include <catzilla/builtin/trusted_proxy.h>

struct row {
    const char *name;
    const char *target;
    const char *host;     /* NULL: no field */
    const char *location; /* NULL: refused with 400; "": it stays */
};

static const struct row rows[] = {
    {"a path", "/a/b", "a.example", "https://a.example/a/b"},
    {"a query", "/a?b=c&d", "a.example", "https://a.example/a?b=c&d"},
    {"an empty query", "/a?", "a.example", "https://a.example/a?"},
    {"the root", "/", "a.example", "https://a.example/"},
    {"bytes as they came", "/a//b/../%41%2f?%7a", "a.example",
     "https://a.example/a//b/../%41%2f?%7a"},
    {"the port of http goes", "/", "A.Example:8080", "https://a.example/"},
    {"IPv6", "/", "[::1]:80", "https://[::1]/"},
    {"two slashes stay a path", "//evil.example/x", "a.example",
     "https://a.example//evil.example/x"},
    {"an escaped backslash stays a path", "/%5Cevil.example", "a.example",
     "https://a.example/%5Cevil.example"},
    {"a user in a path", "/@evil.example", "a.example", "https://a.example/@evil.example"},
    {"absolute-form", "http://b.example:80/x?y", "a.example", "https://b.example/x?y"},
    {"absolute-form without a path", "http://b.example", NULL, "https://b.example/"},
    {"absolute-form with a query only", "http://b.example?x", NULL, "https://b.example/?x"},
    {"a challenge of ACME stays", "/.well-known/acme-challenge/x", "a.example", ""},
    {"another spelling of it stays", "/.well-known/./acme-challenge//x", "a.example", ""},
    {"what only begins like it does not", "/.well-known/acme-challengex", "a.example",
     "https://a.example/.well-known/acme-challengex"},
    {"what climbs out of it does not", "/.well-known/acme-challenge/../../admin", "a.example",
     "https://a.example/.well-known/acme-challenge/../../admin"},
    {"nor does what climbs by escapes", "/.well-known/acme-challenge/%2e%2e/%2e%2e/admin",
     "a.example", "https://a.example/.well-known/acme-challenge/%2e%2e/%2e%2e/admin"},
    {"health stays", "/livez", "a.example", ""},
    {"what is below health does not", "/livez/x", "a.example", "https://a.example/livez/x"},
    {"no host", "/", NULL, NULL},
    {"an empty host", "/", "", NULL},
    {"a host that is none", "/", "a.example/evil", NULL},
    {"a host with a line end", "/", "a.example\rX: y", NULL},
    {"a host with a user", "/", "a@evil.example", NULL},
    {"a backslash", "/\\evil.example", "a.example", NULL},
    {"a control byte", "/a\x01", "a.example", NULL},
    {"a line end in the query", "/a?\nSet-Cookie: x", "a.example", NULL},
    {"a byte beyond ASCII in the query", "/a?\xff", "a.example", NULL},
    {"a bad escape in the query", "/a?%zz", "a.example", NULL},
    {"no path", "*", "a.example", NULL},
    {"no form of a target", "evil.example/x", "a.example", NULL},
    {"an empty target", "", "a.example", NULL},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_test *test = open_bench("https_redirect", NULL);

    cmw_test_request(test, "POST", row->target);
    if (row->host)
        cmw_test_header(test, "Host", row->host);
    cmw_test_header(test, "X-Forwarded-Proto", "https"); /* nobody is asked to believe it */
    cmw_test_header(test, "Forwarded", "proto=https");
    const int expected = !row->location ? 400 : row->location[0] ? 308 : 200;
    assert_int_equal(cmw_test_send(test), expected);
    if (expected == 308)
        assert_string_equal(cmw_test_response_field(test, "Location"), row->location);
    else
        assert_null(cmw_test_response_field(test, "Location"));
    assert_no_allocation(test);
    cmw_test_scheme(test, CMW_SCHEME_HTTPS);
    assert_int_equal(cmw_test_send(test), 200);
    close_bench(test);
}

/* ---- The rest --------------------------------------------------------------------------- */

static void host_port_and_status_can_be_chosen(void **state)
{
    cmw_https_redirect_config config;
    (void)state;

    cmw_https_redirect_config_init(&config);
    config.host = "www.example";
    config.port = 8443;
    config.status = 301;
    cmw_test *test = open_bench("https_redirect", &config);
    cmw_test_request(test, "GET", "/a");
    cmw_test_header(test, "Host", "evil.example");
    assert_int_equal(cmw_test_send(test), 301);
    assert_string_equal(cmw_test_response_field(test, "Location"), "https://www.example:8443/a");
    cmw_test_request(test, "GET", "/a"); /* nothing of its host is reflected */
    cmw_test_header(test, "Host", "no host");
    assert_int_equal(cmw_test_send(test), 301);
    assert_string_equal(cmw_test_response_field(test, "Location"), "https://www.example:8443/a");
    close_bench(test);
}

static void exempt_replaces_the_default(void **state)
{
    static const char *const exempt[] = {"/status", "/open/*"};
    static const struct {
        const char *path;
        int status;
    } cases[] = {{"/status", 200}, {"/status/x", 308}, {"/open", 200},  {"/open/a/b", 200},
                 {"/opened", 308}, {"/livez", 308},    {"/Status", 308}};
    cmw_https_redirect_config config;
    (void)state;

    cmw_https_redirect_config_init(&config);
    config.exempt = exempt;
    config.exempt_count = LEN(exempt);
    cmw_test *test = open_bench("https_redirect", &config);
    for (size_t i = 0; i < LEN(cases); i++) {
        cmw_test_request(test, "GET", cases[i].path);
        cmw_test_header(test, "Host", "a.example");
        assert_int_equal(cmw_test_send(test), cases[i].status);
    }
    close_bench(test);
    config.exempt_count = 0;
    test = open_bench("https_redirect", &config);
    cmw_test_request(test, "GET", "/livez");
    cmw_test_header(test, "Host", "a.example");
    assert_int_equal(cmw_test_send(test), 308);
    close_bench(test);
}

static cmw_test *open_behind_proxy(int32_t priority, int expected)
{
    static const char *const trust[] = {"192.0.2.1"};
    cmw_trusted_proxy_config proxy;
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;

    cmw_trusted_proxy_config_init(&proxy);
    proxy.trust = trust;
    proxy.trust_count = 1;
    proxy.forwarded_proto = proxy.forwarded_host = 1;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "trusted_proxy", &proxy, NULL), 0);
    assert_int_equal(cmw_chain_use(chain, "https_redirect", NULL, NULL), 0);
    assert_int_equal(cmw_chain_set_priority(chain, "https_redirect", priority), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, NULL), expected);
    cmw_chain_destroy(chain);
    if (expected == 0)
        assert_int_equal(cmw_test_install(test, plan), 0);
    return test;
}

/* Behind a proxy that ends TLS there is no loop, and no stranger gets by without TLS. */
static void behind_a_proxy_its_scheme_counts(void **state)
{
    cmw_test *test = open_behind_proxy(120, 0);
    (void)state;

    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Host", "backend");
    cmw_test_header(test, "X-Forwarded-Proto", "https");
    assert_int_equal(cmw_test_send(test), 200);
    cmw_test_peer(test, "203.0.113.7");
    assert_int_equal(cmw_test_send(test), 308);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Host", "backend");
    cmw_test_header(test, "X-Forwarded-Proto", "http");
    cmw_test_header(test, "X-Forwarded-Host", "a.example:80");
    assert_int_equal(cmw_test_send(test), 308);
    assert_string_equal(cmw_test_response_field(test, "Location"), "https://a.example/");
    close_bench(test);
    close_bench(open_behind_proxy(40, CMW_ERR_ORDER));
}

static void long_targets_are_kept_whole(void **state)
{
    static char target[8001];
    cmw_test *test = open_bench("https_redirect", NULL);
    (void)state;

    memset(target, 'a', sizeof target - 1);
    target[0] = '/';
    cmw_test_request(test, "GET", target);
    cmw_test_header(test, "Host", "a.example");
    assert_int_equal(cmw_test_send(test), 308);
    assert_int_equal(strlen(cmw_test_response_field(test, "Location")), 17 + 8000);
    close_bench(test);
}

static void refuses_exempt(const char *text)
{
    const char *const list[] = {"/a", text};
    char expected[160];
    cmw_https_redirect_config config;

    cmw_https_redirect_config_init(&config);
    config.exempt = list;
    config.exempt_count = 2;
    snprintf(expected, sizeof expected,
             "https_redirect: exempt: '%s' is not a path, or a path with '/*' at its end",
             text ? text : "");
    assert_refused("https_redirect", &config, CMW_ERR_INVALID, expected);
}

static void refuses_host(const char *text)
{
    char expected[160];
    cmw_https_redirect_config config;

    cmw_https_redirect_config_init(&config);
    config.host = text;
    snprintf(expected, sizeof expected,
             "https_redirect: host: '%s' is not a host in lower case, without a port", text);
    assert_refused("https_redirect", &config, CMW_ERR_INVALID, expected);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    cmw_https_redirect_config config;
    (void)state;

    refuses_exempt("");
    refuses_exempt(NULL);
    refuses_exempt("a");
    refuses_exempt("/*");
    refuses_exempt("/a*");
    refuses_exempt("/*/a");
    refuses_exempt("/a//b");
    refuses_exempt("/a?b");
    refuses_host("a.example:80");
    refuses_host("https://a.example");
    refuses_host("A.example");
    refuses_host("a@b");
    refuses_host("[::1");
    cmw_https_redirect_config_init(&config);
    config.status = 300;
    assert_refused("https_redirect", &config, CMW_ERR_ARG,
                   "https_redirect: status: 300 is not one of 301, 302, 303, 307 and 308");
    config.status = 307;
    config.port = 0;
    assert_refused("https_redirect", &config, CMW_ERR_ARG,
                   "https_redirect: port: 0 is not 1 to 65535");
    config.port = 443;
    config.exempt = NULL;
    assert_refused("https_redirect", &config, CMW_ERR_ARG,
                   "https_redirect: exempt: the list is missing");
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    assert_survives_failing_memory("https_redirect", NULL);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(host_port_and_status_can_be_chosen),
        cmocka_unit_test(exempt_replaces_the_default),
        cmocka_unit_test(behind_a_proxy_its_scheme_counts),
        cmocka_unit_test(long_targets_are_kept_whole),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("https_redirect", tests, NULL, NULL) |
           cmocka_run_group_tests_name("https_redirect: the rest", others, NULL, NULL);
}
