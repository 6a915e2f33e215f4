/* SPDX-License-Identifier: MIT */
/* ip_filter: who may pass, by which lists. */
#include "builtin_fixture.h"

#include <stdio.h>

#include <catzilla/builtin/ip_filter.h>
#include <catzilla/builtin/trusted_proxy.h>

struct row {
    const char *name;
    const char *allow, *deny; /* networks with a space between them */
    const char *client;       /* "-": unknown; "unix" */
    int status;
};

static const struct row rows[] = {
    {"without rules everybody passes", "", "", "203.0.113.7", 200},
    {"without rules an unknown client passes", "", "", "-", 200},
    {"first address of an allowed network", "10.0.0.0/8", "", "10.0.0.0", 200},
    {"last address of an allowed network", "10.0.0.0/8", "", "10.255.255.255", 200},
    {"one behind an allowed network", "10.0.0.0/8", "", "11.0.0.0", 403},
    {"a denied network", "", "10.0.0.0/8", "10.255.255.255", 403},
    {"one before a denied network", "", "10.0.0.0/8", "9.255.255.255", 200},
    {"a prefix inside a byte", "192.168.1.128/25", "", "192.168.1.127", 403},
    {"all of IPv4", "", "0.0.0.0/0", "255.255.255.255", 403},
    {"half of IPv4", "", "128.0.0.0/1", "127.255.255.255", 200},
    {"host bits do not count", "10.1.2.3/8", "", "10.0.0.1", 200},
    {"a bare address is itself", "203.0.113.7", "", "203.0.113.7", 200},
    {"and nobody else", "203.0.113.7", "", "203.0.113.8", 403},
    {"IPv6", "2001:db8::/32", "", "2001:db8:ffff::1", 200},
    {"IPv6 outside", "2001:db8::/32", "", "2001:db9::", 403},
    {"IPv6 at the 33rd bit", "", "2001:db8::/33", "2001:db8:8000::1", 200},
    {"a mapped client is the IPv4 client", "", "10.0.0.0/8", "::ffff:10.0.0.1", 403},
    {"a mapped client outside", "10.0.0.0/8", "", "::ffff:11.0.0.1", 403},
    {"a mapped rule is an IPv4 rule", "", "::ffff:10.0.0.0/104", "10.0.0.1", 403},
    {"an IPv6 rule says nothing of IPv4", "::/0", "", "10.0.0.1", 403},
    {"an IPv4 rule says nothing of IPv6", "", "0.0.0.0/0", "::1", 200},
    {"a compatible address is not IPv4", "10.0.0.0/8", "", "::10.0.0.1", 403},
    {"deny wins", "127.0.0.7", "127.0.0.0/8", "127.0.0.7", 403},
    {"allow refuses whom no rule names", "127.0.0.7", "10.0.0.0/8", "127.0.0.8", 403},
    {"allowed and not denied", "127.0.0.0/8", "127.0.0.7", "127.0.0.8", 200},
    {"an unknown client is not allowed", "0.0.0.0/0 ::/0", "", "-", 403},
    {"an unknown client may be a denied one", "", "10.0.0.0/8", "-", 403},
    {"a local socket", "unix", "", "unix", 200},
    {"a local socket is in no network", "0.0.0.0/0 ::/0", "", "unix", 403},
    {"a denied local socket", "", "unix", "unix", 403},
};

static size_t split(const char **list, char *texts)
{
    size_t count = 0;
    for (char *text = strtok(texts, " "); text; text = strtok(NULL, " "))
        list[count++] = text;
    return count;
}

static void set_peer(cmw_test *test, const char *client)
{
    if (strcmp(client, "-") == 0)
        cmw_test_view(test)->peer.family = CMW_ADDRESS_NONE;
    else if (strcmp(client, "unix") == 0)
        cmw_test_view(test)->peer.family = CMW_ADDRESS_UNIX;
    else
        cmw_test_peer(test, client);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    const char *allow[4], *deny[4];
    char allow_texts[64], deny_texts[64];
    cmw_ip_filter_config config;

    snprintf(allow_texts, sizeof allow_texts, "%s", row->allow);
    snprintf(deny_texts, sizeof deny_texts, "%s", row->deny);
    cmw_ip_filter_config_init(&config);
    config.allow_count = split(allow, allow_texts);
    config.allow = allow;
    config.deny_count = split(deny, deny_texts);
    config.deny = deny;
    cmw_test *test = open_bench("ip_filter", &config);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "X-Forwarded-For", "127.0.0.7"); /* nobody is asked to believe it */
    cmw_test_header(test, "X-Real-IP", "127.0.0.7");
    set_peer(test, row->client);
    assert_int_equal(cmw_test_send(test), row->status);
    if (row->status != 200)
        assert_string_equal(cmw_test_response_field(test, "Content-Type"),
                            "application/problem+json");
    assert_no_allocation(test);
    close_bench(test);
}

static cmw_test *open_behind_proxy(int32_t filter_priority, int expected)
{
    static const char *const deny[] = {"10.0.0.0/8"};
    cmw_trusted_proxy_config proxy;
    cmw_ip_filter_config filter;
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};

    cmw_trusted_proxy_config_init(&proxy);
    proxy.hops = 1;
    cmw_ip_filter_config_init(&filter);
    filter.deny = deny;
    filter.deny_count = 1;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "ip_filter", &filter, NULL), 0);
    assert_int_equal(cmw_chain_use(chain, "trusted_proxy", &proxy, NULL), 0);
    assert_int_equal(cmw_chain_set_priority(chain, "ip_filter", filter_priority), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), expected);
    cmw_chain_destroy(chain);
    if (expected == 0)
        assert_int_equal(cmw_test_install(test, plan), 0);
    else
        assert_non_null(strstr(diag.message, "client_address"));
    return test;
}

static void behind_a_proxy_the_client_counts(void **state)
{
    cmw_test *test = open_behind_proxy(150, 0);
    (void)state;

    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "X-Forwarded-For", "8.8.8.8, ::FFFF:10.1.2.3");
    assert_int_equal(cmw_test_send(test), 403);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "X-Forwarded-For", "10.1.2.3, 8.8.8.8");
    assert_int_equal(cmw_test_send(test), 200);
    close_bench(test);
}

static void before_the_proxy_it_is_refused(void **state)
{
    (void)state;
    close_bench(open_behind_proxy(40, CMW_ERR_ORDER));
}

static void the_status_can_be_chosen(void **state)
{
    static const char *const deny[] = {"192.0.2.1"};
    cmw_ip_filter_config config;
    (void)state;

    cmw_ip_filter_config_init(&config);
    config.deny = deny;
    config.deny_count = 1;
    config.status = 404;
    cmw_test *test = open_bench("ip_filter", &config);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 404);
    close_bench(test);
}

static void refuses_text(const char *text, const char *sentence)
{
    const char *const list[] = {"10.0.0.0/8", text};
    char expected[128];
    cmw_ip_filter_config config;

    cmw_ip_filter_config_init(&config);
    config.allow = list;
    config.allow_count = 2;
    snprintf(expected, sizeof expected, "ip_filter: allow: %s", sentence);
    assert_refused("ip_filter", &config, CMW_ERR_INVALID, expected);
    cmw_ip_filter_config_init(&config);
    config.deny = list;
    config.deny_count = 2;
    snprintf(expected, sizeof expected, "ip_filter: deny: %s", sentence);
    assert_refused("ip_filter", &config, CMW_ERR_INVALID, expected);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    cmw_ip_filter_config config;
    (void)state;

    refuses_text("10.0.0.0/33", "'10.0.0.0/33' is not an address or a network");
    refuses_text("10.0.0.0/-1", "'10.0.0.0/-1' is not an address or a network");
    refuses_text("localhost", "'localhost' is not an address or a network");
    refuses_text("", "'' is not an address or a network");
    cmw_ip_filter_config_init(&config);
    config.status = 200;
    assert_refused("ip_filter", &config, CMW_ERR_ARG, "ip_filter: status: 200 is not 400 to 599");
}

static void failing_memory_is_survived(void **state)
{
    static const char *const list[] = {"10.0.0.0/8", "11.0.0.0/8", "::1"};
    cmw_ip_filter_config config;
    (void)state;

    cmw_ip_filter_config_init(&config);
    config.allow = config.deny = list;
    config.allow_count = config.deny_count = LEN(list);
    assert_survives_failing_memory("ip_filter", &config);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(behind_a_proxy_the_client_counts),
        cmocka_unit_test(before_the_proxy_it_is_refused),
        cmocka_unit_test(the_status_can_be_chosen),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("ip_filter", tests, NULL, NULL) |
           cmocka_run_group_tests_name("ip_filter: the rest", others, NULL, NULL);
}
