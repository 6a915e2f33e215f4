/* SPDX-License-Identifier: MIT */
/* rate_limit: where in a chain it may stand. */
#include "builtin_fixture.h"

#include <catzilla/builtin/basic_auth.h>
#include <catzilla/builtin/cors.h>
#include <catzilla/builtin/rate_limit.h>
#include <catzilla/builtin/trusted_proxy.h>

/* ---- With a middleware that says what it does ------------------------------------------- */

static int go_on(void *self, cmw_ctx *ctx)
{
    (void)self;
    (void)ctx;
    return CMW_CONTINUE;
}

/* What a chain of a limiter and another middleware says. */
static int compile_with(const cmw_rate_limit_config *config, int32_t limiter_priority,
                        cmw_relation relation, const char *fact, int32_t other_priority,
                        cmw_diag *diag)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_middleware limiter, other;
    cmw_slot slot;

    assert_int_equal(cmw_test_create(&test, NULL), 0);
    cmw_engine *engine = cmw_test_engine(test);
    assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
    cmw_middleware_init(&limiter);
    limiter.name = "limiter";
    assert_int_equal(cmw_rate_limit_create(engine, &limiter, config, diag), 0);
    limiter.priority = limiter_priority;
    assert_int_equal(cmw_chain_add(chain, &limiter, diag), 0);
    if (strcmp(fact, "principal") == 0)
        assert_int_equal(cmw_principal_slot(engine, &slot), 0);
    else
        assert_int_equal(cmw_slot_declare(engine, &slot, fact, 0, NULL), 0);
    cmw_middleware_init(&other);
    other.name = "other";
    other.priority = other_priority;
    other.pre_route = go_on;
    cmw_middleware_relate(&other, relation, slot);
    assert_int_equal(cmw_chain_add(chain, &other, diag), 0);
    const int rc = cmw_chain_compile(chain, &plan, diag);
    cmw_plan_release(plan);
    cmw_chain_destroy(chain);
    close_bench(test);
    return rc;
}

static void costly_authentication_does_not_stand_before_a_limit(void **state)
{
    cmw_diag diag = {0};

    (void)state;
    assert_int_equal(compile_with(NULL, 300, CMW_USES, "rate_limit", 400, &diag), 0);
    assert_int_equal(compile_with(NULL, 500, CMW_USES, "rate_limit", 400, &diag), CMW_ERR_ORDER);
    assert_non_null(strstr(diag.message, "'limiter'"));
    assert_non_null(strstr(diag.message, "'other'"));
}

static void a_limit_by_principal_stands_behind_authentication(void **state)
{
    static const char *const key[] = {"principal", "ip"};
    cmw_rate_limit_config config;
    cmw_diag diag = {0};

    (void)state;
    cmw_rate_limit_config_init(&config);
    config.key = key;
    config.key_count = 2;
    assert_int_equal(compile_with(&config, 500, CMW_PROVIDES, "principal", 400, &diag), 0);
    assert_int_equal(compile_with(&config, 300, CMW_PROVIDES, "principal", 400, &diag),
                     CMW_ERR_ORDER);
    assert_int_not_equal(compile_with(&config, 300, CMW_USES, "rate_limit", 200, &diag), 0);
    assert_non_null(strstr(diag.message, "principal")); /* nobody provides it */
}

static void a_limit_does_not_stand_before_who_refines_the_address(void **state)
{
    cmw_diag diag = {0};

    (void)state;
    assert_int_equal(compile_with(NULL, 300, CMW_REFINES, "client_address", 50, &diag), 0);
    assert_int_equal(compile_with(NULL, 300, CMW_REFINES, "client_address", 350, &diag),
                     CMW_ERR_ORDER);
    assert_non_null(strstr(diag.message, "client_address"));
}

static void a_limit_does_not_stand_before_cors(void **state)
{
    cmw_diag diag = {0};

    (void)state;
    assert_int_equal(compile_with(NULL, 300, CMW_PROVIDES, "cors", 250, &diag), 0);
    assert_int_equal(compile_with(NULL, 300, CMW_PROVIDES, "cors", 350, &diag), CMW_ERR_ORDER);
}

/* ---- With the built-ins that it is about ------------------------------------------------- */

struct order_row {
    const char *name;
    const char *other;    /* a built-in */
    int32_t at, limit_at; /* priorities; 0: their own */
    int by_principal;
    int rc;
};

static const struct order_row order_rows[] = {
    {"their own order holds with basic_auth", "basic_auth", 0, 0, 0, 0},
    {"basic_auth does not stand before a limit by address", "basic_auth", 200, 0, 0, CMW_ERR_ORDER},
    {"nor a limit by address behind basic_auth", "basic_auth", 0, 500, 0, CMW_ERR_ORDER},
    {"a limit by principal stands behind basic_auth", "basic_auth", 0, 500, 1, 0},
    {"a limit by principal does not stand before it", "basic_auth", 0, 0, 1, CMW_ERR_ORDER},
    {"their own order holds with trusted_proxy", "trusted_proxy", 0, 0, 0, 0},
    {"a limit does not stand before trusted_proxy", "trusted_proxy", 0, 10, 0, CMW_ERR_ORDER},
    {"nor trusted_proxy behind it", "trusted_proxy", 350, 0, 0, CMW_ERR_ORDER},
    {"their own order holds with cors", "cors", 0, 0, 0, 0},
    {"a limit does not stand before cors", "cors", 0, 100, 0, CMW_ERR_ORDER},
};

static int use_other(cmw_chain *chain, const char *kind)
{
    static const cmw_option_text users[] = {{"ann", "secret"}};
    static const char *const trust[] = {"10.0.0.0/8"};
    static const char *const origins[] = {"https://a.example"};
    cmw_basic_auth_config auth;
    cmw_trusted_proxy_config proxy;
    cmw_cors_config cors;

    cmw_basic_auth_config_init(&auth);
    auth.users = users;
    auth.user_count = LEN(users);
    cmw_trusted_proxy_config_init(&proxy);
    proxy.trust = trust;
    proxy.trust_count = LEN(trust);
    cmw_cors_config_init(&cors);
    cors.allow_origins = origins;
    cors.allow_origin_count = LEN(origins);
    if (strcmp(kind, "basic_auth") == 0)
        return cmw_chain_use(chain, kind, &auth, NULL);
    if (strcmp(kind, "trusted_proxy") == 0)
        return cmw_chain_use(chain, kind, &proxy, NULL);
    return cmw_chain_use(chain, kind, &cors, NULL);
}

static void check_order(void **state)
{
    static const char *const key[] = {"principal"};
    const struct order_row *row = *state;
    cmw_rate_limit_config config;
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};

    cmw_rate_limit_config_init(&config);
    config.key = row->by_principal ? key : NULL;
    config.key_count = row->by_principal ? 1 : 0;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "rate_limit", &config, &diag), 0);
    assert_int_equal(use_other(chain, row->other), 0);
    if (row->at)
        assert_int_equal(cmw_chain_set_priority(chain, row->other, row->at), 0);
    if (row->limit_at)
        assert_int_equal(cmw_chain_set_priority(chain, "rate_limit", row->limit_at), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), row->rc);
    if (row->rc != 0) {
        assert_non_null(strstr(diag.message, "'rate_limit'"));
        assert_non_null(strstr(diag.message, row->other));
    }
    cmw_plan_release(plan);
    cmw_chain_destroy(chain);
    close_bench(test);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(costly_authentication_does_not_stand_before_a_limit),
        cmocka_unit_test(a_limit_by_principal_stands_behind_authentication),
        cmocka_unit_test(a_limit_does_not_stand_before_who_refines_the_address),
        cmocka_unit_test(a_limit_does_not_stand_before_cors),
    };
    struct CMUnitTest tests[LEN(order_rows)];

    for (size_t i = 0; i < LEN(order_rows); i++)
        tests[i] = ROW_TEST(&order_rows[i], check_order);
    return cmocka_run_group_tests_name("rate_limit, order of built-ins", tests, NULL, NULL) +
           cmocka_run_group_tests_name("rate_limit, order", others, NULL, NULL);
}
