/* SPDX-License-Identifier: MIT */
/* Which built-ins guard access: none of them may be told to fail open. */
#include <stdio.h>

#include <catzilla/builtin/api_key.h>
#include <catzilla/builtin/basic_auth.h>
#include <catzilla/builtin/bearer.h>
#include <catzilla/builtin/host_allow.h>
#include <catzilla/builtin/ip_filter.h>
#include <catzilla/builtin/require.h>

#include "builtin_fixture.h"

static const cmw_option_text secrets[] = {{"alice", "secret"}};
static const char *const names[] = {"10.0.0.1"};

/* Kinds that need options, with as few as will do; NULL: the defaults will. */
static const void *config_of(const char *kind)
{
    static cmw_basic_auth_config basic_auth;
    static cmw_bearer_config bearer;
    static cmw_api_key_config api_key;
    static cmw_host_allow_config host_allow;
    static cmw_ip_filter_config ip_filter;

    cmw_basic_auth_config_init(&basic_auth);
    basic_auth.users = secrets;
    basic_auth.user_count = 1;
    cmw_bearer_config_init(&bearer);
    bearer.clients = secrets;
    bearer.client_count = 1;
    cmw_api_key_config_init(&api_key);
    api_key.keys = secrets;
    api_key.key_count = 1;
    cmw_host_allow_config_init(&host_allow);
    host_allow.hosts = names;
    host_allow.host_count = 1;
    cmw_ip_filter_config_init(&ip_filter);
    ip_filter.allow = names;
    ip_filter.allow_count = 1;
    const struct {
        const char *kind;
        const void *config;
    } configs[] = {{"basic_auth", &basic_auth},
                   {"bearer", &bearer},
                   {"api_key", &api_key},
                   {"host_allow", &host_allow},
                   {"ip_filter", &ip_filter}};
    for (size_t i = 0; i < LEN(configs); i++)
        if (strcmp(configs[i].kind, kind) == 0)
            return configs[i].config;
    return NULL;
}

static void check_guard(void **state)
{
    const char *name = *state;
    char sentence[128];
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_middleware mw;
    cmw_diag diag = {0};

    assert_int_equal(cmw_test_create(&test, NULL), 0);
    const cmw_kind *kind = cmw_kind_find(cmw_test_engine(test), name);
    assert_non_null(kind);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    cmw_middleware_init(&mw);
    mw.name = name;
    char config[1024];
    assert_true(kind->config_size <= sizeof config);
    kind->config_init(config);
    if (config_of(name))
        memcpy(config, config_of(name), kind->config_size);
    assert_int_equal(kind->create(cmw_test_engine(test), &mw, config, &diag), 0);
    mw.failure = CMW_FAIL_OPEN;
    assert_int_equal(cmw_chain_add(chain, &mw, &diag), CMW_ERR_CONFLICT);
    (void)snprintf(sentence, sizeof sentence, "'%s' guards access and so cannot fail open", name);
    assert_string_equal(diag.message, sentence);
    mw.destroy(mw.self);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_destroy(test), 0);
}

int main(void)
{
    static const char *const guards[] = {
        "api_key",        "basic_auth",    "bearer",      "body_limit",    "host_allow",
        "https_redirect", "ip_filter",     "maintenance", "method_filter", "rate_limit",
        "require",        "trusted_proxy", "url_path",
    };
    struct CMUnitTest tests[LEN(guards)];

    for (size_t i = 0; i < LEN(guards); i++)
        tests[i] = (struct CMUnitTest){.name = guards[i],
                                       .test_func = check_guard,
                                       .initial_state = (void *)(uintptr_t)guards[i]};
    return cmocka_run_group_tests_name("guards cannot fail open", tests, NULL, NULL);
}
