/* SPDX-License-Identifier: MIT */
/* host_allow: which hosts are served, and what names none or two. */
#include "builtin_fixture.h"

#include <stdio.h>

#include <catzilla/builtin/host_allow.h>
#include <catzilla/builtin/trusted_proxy.h>

struct row {
    const char *name;
    const char *host; /* NULL: no field */
    int status;
    const char *target; /* NULL: "/h" */
};

static const struct row rows[] = {
    {"a listed name", "example.com", 200, NULL},
    {"with a port", "example.com:8080", 200, NULL},
    {"with an empty port", "example.com:", 200, NULL},
    {"in another case", "EXAMPLE.com", 200, NULL},
    {"with a final dot", "example.com.", 200, NULL},
    {"with a final dot and a port", "example.com.:80", 200, NULL},
    {"a longer name", "example.com.evil.com", 421, NULL},
    {"a longer label", "example.comx", 421, NULL},
    {"a shorter label", "example.co", 421, NULL},
    {"a label before an exact name", "a.example.com", 421, NULL},
    {"a name below a pattern", "a.example.org", 200, NULL},
    {"far below a pattern", "a.b.c.d.example.org", 200, NULL},
    {"below a pattern in another case, with a port", "A.EXAMPLE.org:8443", 200, NULL},
    {"below a pattern with a final dot", "a.example.org.", 200, NULL},
    {"a pattern's own name", "example.org", 421, NULL},
    {"the end of a label is not below", "xexample.org", 421, NULL},
    {"the pattern's end elsewhere", "a.example.org.evil.com", 421, NULL},
    {"IPv4", "127.0.0.1:9", 200, NULL},
    {"another IPv4", "127.0.0.2", 421, NULL},
    {"IPv4 in another form", "127.1", 421, NULL},
    {"IPv6", "[::1]", 200, NULL},
    {"IPv6 with a port", "[::1]:8080", 200, NULL},
    {"IPv6 in another spelling", "[0:0:0:0:0:0:0:1]", 200, NULL},
    {"another IPv6", "[::2]", 421, NULL},
    {"IPv6 with upper case", "[2001:DB8::A]", 200, NULL},
    {"IPv6 with a zone", "[::1%25lo]", 400, NULL},
    {"IPv6 without brackets", "::1", 400, NULL},
    {"a port that is none", "example.com:abc", 400, NULL},
    {"a port too large", "example.com:65536", 400, NULL},
    {"two ports", "example.com:80:80", 400, NULL},
    {"a path", "example.com/evil", 400, NULL},
    {"two names", "example.com,evil.com", 400, NULL},
    {"a user", "example.com@evil.com", 400, NULL},
    {"a user before a listed name", "evil@example.com", 400, NULL},
    {"a backslash", "example.com\\.evil.com", 400, NULL},
    {"a fragment", "example.com#.evil.com", 400, NULL},
    {"a query", "example.com?x", 400, NULL},
    {"a URI", "http://example.com", 400, NULL},
    {"a space inside", "example.com evil.com", 400, NULL},
    {"an escape", "example%2ecom", 400, NULL},
    {"an empty label", "a..example.org", 400, NULL},
    {"a dot in front", ".example.org", 400, NULL},
    {"a dot alone", ".", 400, NULL},
    {"a star", "*.example.org", 400, NULL},
    {"a control byte", "example.com\x01", 400, NULL},
    {"a byte beyond ASCII", "ex\xc3\xa4mple.com", 400, NULL},
    {"an empty field", "", 400, NULL},
    {"no field", NULL, 400, NULL},
    {"a listed target and another field", "evil.com", 400, "http://example.com/h"},
    {"another target and a listed field", "example.com", 400, "http://evil.com/h"},
    {"a listed target and no field", NULL, 200, "http://example.com/h"},
    {"a listed target and its field", "example.com", 200, "http://example.com:80/h"},
    {"another target and its field", "evil.com", 421, "http://evil.com/h"},
    {"a target with a user", "example.com", 400, "http://example.com@evil.com/h"},
    {"two slashes name no host", "evil.com", 421, "//example.com/h"},
};

static const char *const hosts[] = {"example.com", "*.Example.org.", "127.0.0.1", "[::1]",
                                    "[2001:db8::a]"};

static cmw_test *open_allow(const char *const *list, size_t count)
{
    cmw_host_allow_config config;

    cmw_host_allow_config_init(&config);
    config.hosts = list;
    config.host_count = count;
    return open_bench("host_allow", &config);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_test *test = open_allow(hosts, LEN(hosts));

    cmw_test_request(test, "GET", row->target ? row->target : "/h");
    if (row->host)
        cmw_test_header(test, "hOsT", row->host);
    cmw_test_header(test, "Forwarded", "host=example.com");
    cmw_test_header(test, "X-Forwarded-Host", "example.com");
    assert_int_equal(cmw_test_send(test), row->status);
    assert_no_allocation(test);
    close_bench(test);
}

/* ---- The rest --------------------------------------------------------------------------- */

static void two_fields_are_refused_though_equal(void **state)
{
    static const char *const all[] = {"*"};
    (void)state;

    for (int with_all = 0; with_all < 2; with_all++) {
        cmw_test *test = with_all ? open_allow(all, 1) : open_allow(hosts, LEN(hosts));
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "Host", "example.com");
        cmw_test_header(test, "host", "example.com");
        assert_int_equal(cmw_test_send(test), 400);
        cmw_test_view(test)->authority = CMW_STR("example.com");
        assert_int_equal(cmw_test_send(test), 400);
        close_bench(test);
    }
}

static void a_star_allows_every_valid_host(void **state)
{
    static const char *const all[] = {"*"};
    cmw_test *test = open_allow(all, 1);
    (void)state;

    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 400);
    cmw_test_view(test)->http_version = 0x0100;
    assert_int_equal(cmw_test_send(test), 200);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Host", "anything.example:1");
    assert_int_equal(cmw_test_send(test), 200);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Host", "[::1]");
    assert_int_equal(cmw_test_send(test), 200);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Host", "any thing");
    assert_int_equal(cmw_test_send(test), 400);
    close_bench(test);
}

static void an_authority_that_the_field_contradicts_is_refused(void **state)
{
    cmw_test *test = open_allow(hosts, LEN(hosts));
    (void)state;

    cmw_test_request(test, "GET", "/");
    cmw_test_view(test)->authority = CMW_STR("example.com:443");
    assert_int_equal(cmw_test_send(test), 200);
    cmw_test_header(test, "Host", "example.com");
    assert_int_equal(cmw_test_send(test), 200);
    cmw_test_request(test, "GET", "/");
    cmw_test_view(test)->authority = CMW_STR("example.com");
    cmw_test_header(test, "Host", "evil.com");
    assert_int_equal(cmw_test_send(test), 400);
    close_bench(test);
}

/* The proxy's word is the host then; that it differs from the field is no contradiction. */
static void the_host_that_a_proxy_names_counts(void **state)
{
    cmw_trusted_proxy_config proxy;
    cmw_host_allow_config config;
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    (void)state;

    cmw_trusted_proxy_config_init(&proxy);
    proxy.hops = 1;
    proxy.forwarded_host = 1;
    cmw_host_allow_config_init(&config);
    config.hosts = hosts;
    config.host_count = LEN(hosts);
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "trusted_proxy", &proxy, NULL), 0);
    assert_int_equal(cmw_chain_use(chain, "host_allow", &config, NULL), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Host", "backend.internal");
    cmw_test_header(test, "X-Forwarded-Host", "example.com");
    assert_int_equal(cmw_test_send(test), 200);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Host", "example.com");
    cmw_test_header(test, "X-Forwarded-Host", "evil.com");
    assert_int_equal(cmw_test_send(test), 421);
    close_bench(test);
}

static void a_long_host_is_no_host(void **state)
{
    static char host[20001];
    cmw_test *test = open_allow(hosts, LEN(hosts));
    (void)state;

    memset(host, 'a', sizeof host - 1);
    for (size_t i = 1; i < sizeof host - 1; i += 2)
        host[i] = '.';
    host[sizeof host - 2] = 'a';
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Host", host);
    assert_int_equal(cmw_test_send_quick(test), 400);
    assert_no_allocation(test);
    close_bench(test);
}

/* Names and patterns that share ends, hashes' places and each other. */
static void a_thousand_hosts_are_told_apart(void **state)
{
    enum { COUNT = 1000 };
    static char texts[COUNT][32];
    static const char *list[COUNT];
    char host[64];
    (void)state;

    for (size_t i = 0; i < COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], i % 2 ? "*.n%zu.example" : "n%zu.example", i);
        list[i] = texts[i];
    }
    cmw_test *test = open_allow(list, COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        snprintf(host, sizeof host, "n%zu.example", i);
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "Host", host);
        assert_int_equal(cmw_test_send_quick(test), i % 2 ? 421 : 200);
        snprintf(host, sizeof host, "x.y.n%zu.example", i);
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "Host", host);
        assert_int_equal(cmw_test_send_quick(test), i % 2 ? 200 : 421);
    }
    close_bench(test);
}

static void refuses_host(const char *text, const char *sentence)
{
    const char *const list[] = {"example.com", text};
    char expected[256];
    cmw_host_allow_config config;

    cmw_host_allow_config_init(&config);
    config.hosts = list;
    config.host_count = 2;
    snprintf(expected, sizeof expected, "host_allow: hosts: '%s' %s", text ? text : "", sentence);
    assert_refused("host_allow", &config, CMW_ERR_INVALID, expected);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    static const char no_host[] = "is not a host, '*.' and a host, or '*'";
    static const char has_port[] =
        "is no host, or has a port: ports are not compared, leave it out";
    static const char *const one[] = {"example.com"};
    cmw_host_allow_config config;
    (void)state;

    refuses_host("", no_host);
    refuses_host(NULL, no_host);
    refuses_host(".", no_host);
    refuses_host("*.", no_host);
    refuses_host("*x.example", no_host);
    refuses_host("a.*.example", no_host);
    refuses_host("*.*.example", no_host);
    refuses_host("a..example", no_host);
    refuses_host("a example", no_host);
    refuses_host("a/b", no_host);
    refuses_host("[127.0.0.1]", no_host);
    refuses_host("example.com:80", has_port);
    refuses_host("http://example.com", has_port);
    refuses_host("[::1]:80", has_port);
    refuses_host("::1", "is no host: write an IPv6 address in brackets");
    cmw_host_allow_config_init(&config);
    assert_refused("host_allow", &config, CMW_ERR_ARG, "host_allow: hosts: at least one is needed");
    assert_refused("host_allow", NULL, CMW_ERR_ARG, "host_allow: hosts: at least one is needed");
    config.hosts = one;
    config.host_count = 1;
    config.status = 200;
    assert_refused("host_allow", &config, CMW_ERR_ARG, "host_allow: status: 200 is not 400 to 499");
}

static void failing_memory_is_survived(void **state)
{
    cmw_host_allow_config config;
    (void)state;

    cmw_host_allow_config_init(&config);
    config.hosts = hosts;
    config.host_count = LEN(hosts);
    assert_survives_failing_memory("host_allow", &config);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(two_fields_are_refused_though_equal),
        cmocka_unit_test(a_star_allows_every_valid_host),
        cmocka_unit_test(an_authority_that_the_field_contradicts_is_refused),
        cmocka_unit_test(the_host_that_a_proxy_names_counts),
        cmocka_unit_test(a_long_host_is_no_host),
        cmocka_unit_test(a_thousand_hosts_are_told_apart),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("host_allow", tests, NULL, NULL) |
           cmocka_run_group_tests_name("host_allow: the rest", others, NULL, NULL);
}
