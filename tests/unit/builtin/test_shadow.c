/* SPDX-License-Identifier: MIT */
/* Built-ins in shadow mode: the client sees nothing of them, the counters do. */
#include <catzilla/builtin/basic_auth.h>
#include <catzilla/builtin/concurrency_limit.h>
#include <catzilla/builtin/cors.h>
#include <catzilla/builtin/host_allow.h>
#include <catzilla/builtin/ip_filter.h>
#include <catzilla/builtin/maintenance.h>
#include <catzilla/builtin/method_filter.h>
#include <catzilla/builtin/rate_limit.h>
#include <catzilla/builtin/redirect.h>
#include <catzilla/builtin/response_cache.h>
#include <catzilla/builtin/set_headers.h>
#include <catzilla/builtin/vary.h>
#include <catzilla/stats.h>

#include "builtin_fixture.h"

struct row {
    const char *kind;
    const void *config;
    int phase;
    uint64_t would_stop, would_change; /* of three requests */
};

static cmw_test *open_shadowed(const char *kind, const void *config)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};

    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, kind, config, &diag), 0);
    assert_int_equal(cmw_chain_shadow(chain, kind), 0);
    if (cmw_chain_compile(chain, &plan, &diag) != 0)
        fail_msg("%s", diag.message);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
    return test;
}

static void assert_row(cmw_test *test, const struct row *row)
{
    const cmw_middleware_stats *at = NULL;
    cmw_stats *stats = NULL;

    assert_int_equal(cmw_stats_snapshot(cmw_test_engine(test), &stats), 0);
    for (size_t i = 0; (at = cmw_stats_middleware(stats, i)) != NULL; i++)
        if (strcmp(at->kind, row->kind) == 0 && at->phase == row->phase)
            break;
    assert_non_null(at);
    assert_true(at->is_shadowed);
    assert_int_equal(at->calls, 3);
    assert_int_equal(at->would_stop, row->would_stop);
    assert_int_equal(at->would_change, row->would_change);
    assert_int_equal(at->would_fail, 0);
    cmw_stats_destroy(stats);
}

static void the_client_sees_nothing(void **state)
{
    const struct row *row = *state;
    cmw_test *test = open_shadowed(row->kind, row->config);
    cmw_test *bare = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;

    assert_int_equal(cmw_test_create(&bare, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(bare), &chain, 0), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(bare, plan), 0);
    for (int i = 0; i < 3; i++) {
        cmw_test *const both[] = {test, bare};
        for (size_t k = 0; k < LEN(both); k++) {
            cmw_test_request(both[k], "GET", "/");
            cmw_test_header(both[k], "Origin", "https://a.example");
            assert_int_equal(cmw_test_send(both[k]), 200);
        }
        const cmw_str with = cmw_test_response_head(test);
        const cmw_str without = cmw_test_response_head(bare);
        assert_true(cmw_str_equals(with, without));
    }
    assert_row(test, row);
    assert_no_allocation(test);
    close_bench(bare);
    close_bench(test);
}

int main(void)
{
    static const cmw_option_text users[] = {{"alice", "secret"}};
    static const char *const networks[] = {"10.0.0.1"};
    static const cmw_option_text fields[] = {{"X-Served-By", "a"}};
    cmw_basic_auth_config auth;
    cmw_ip_filter_config filter;
    cmw_rate_limit_config limit;
    cmw_set_headers_config set;
    static const char *const post[] = {"POST"};
    static const char *const hosts[] = {"a.example"};
    static const char *const names[] = {"Origin"};
    static const cmw_redirect_rule rules[] = {{"/", "/elsewhere", 0}};
    cmw_concurrency_limit_config concurrency;
    cmw_host_allow_config host;
    cmw_maintenance_config maintenance;
    cmw_method_filter_config methods;
    cmw_redirect_config redirect;
    cmw_response_cache_config cache;
    cmw_vary_config vary;

    cmw_basic_auth_config_init(&auth);
    auth.users = users;
    auth.user_count = 1;
    cmw_ip_filter_config_init(&filter);
    filter.allow = networks;
    filter.allow_count = 1;
    cmw_rate_limit_config_init(&limit);
    limit.limit = 1;
    cmw_set_headers_config_init(&set);
    set.set = fields;
    set.set_count = 1;
    cmw_concurrency_limit_config_init(&concurrency);
    concurrency.limit = 1;
    cmw_host_allow_config_init(&host);
    host.hosts = hosts;
    host.host_count = 1;
    cmw_maintenance_config_init(&maintenance);
    maintenance.enabled = 1;
    cmw_method_filter_config_init(&methods);
    methods.allow = post;
    methods.allow_count = 1;
    cmw_redirect_config_init(&redirect);
    redirect.rules = rules;
    redirect.rule_count = 1;
    cmw_response_cache_config_init(&cache);
    cache.default_ttl_s = 60;
    cmw_vary_config_init(&vary);
    vary.fields = names;
    vary.field_count = 1;
    const struct row rows[] = {
        {"basic_auth", &auth, CMW_PHASE_PRE_ROUTE, 3, 3},
        {"ip_filter", &filter, CMW_PHASE_PRE_ROUTE, 3, 3},
        {"rate_limit", &limit, CMW_PHASE_PRE_ROUTE, 2, 3}, /* its own state counts: two too many */
        {"set_headers", &set, CMW_PHASE_POST_ROUTE, 0, 3},
        {"cors", NULL, CMW_PHASE_POST_ROUTE, 0, 3},
        {"host_allow", &host, CMW_PHASE_PRE_ROUTE, 3, 3},
        {"method_filter", &methods, CMW_PHASE_PRE_ROUTE, 3, 3},
        {"maintenance", &maintenance, CMW_PHASE_PRE_ROUTE, 3, 3},
        {"redirect", &redirect, CMW_PHASE_PRE_ROUTE, 3, 3},
        {"csrf", NULL, CMW_PHASE_PRE_ROUTE, 0, 0},
        {"timeout", NULL, CMW_PHASE_PRE_ROUTE, 0, 0},
        /* The place that each takes is given back. */
        {"concurrency_limit", &concurrency, CMW_PHASE_PRE_ROUTE, 0, 0},
        {"load_shed", NULL, CMW_PHASE_PRE_ROUTE, 0, 0},
        {"circuit_breaker", NULL, CMW_PHASE_PRE_ROUTE, 0, 0},
        /* Its own store fills: two would have been served from it. */
        {"response_cache", &cache, CMW_PHASE_PRE_ROUTE, 2, 2},
        {"vary", &vary, CMW_PHASE_POST_ROUTE, 0, 3},
        {"date_server", NULL, CMW_PHASE_POST_ROUTE, 0, 3},
        {"server_timing", NULL, CMW_PHASE_POST_ROUTE, 0, 3},
    };
    struct CMUnitTest tests[LEN(rows)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].kind,
                                       .test_func = the_client_sees_nothing,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    return cmocka_run_group_tests_name("shadowed built-ins", tests, NULL, NULL);
}
