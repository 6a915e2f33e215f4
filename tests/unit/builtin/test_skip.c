/* SPDX-License-Identifier: MIT */
/* skip: what it decides, and who listens. */
#include "builtin_fixture.h"

#include <catzilla/builtin/rewrite.h>
#include <catzilla/builtin/skip.h>
#include <catzilla/builtin/trusted_proxy.h>

static const char *const methods[] = {"GET", "PURGE"};
static const char *const paths[] = {"/health", "/static/*", "/users/{id}"};
static const char *const named[] = {"X-Internal"};
static const char *const valued[] = {"X-Internal: yes", "X-Other"};
static const char *const networks[] = {"10.0.0.0/8"};

struct row {
    const char *name;
    const char *method, *target, *field, *value, *peer;
    cmw_skip_config config;
    int skips;
};

#define GET_FROM "GET", "/health", NULL, NULL, "192.0.2.1"
#define METHODS .methods = methods, .method_count = LEN(methods)
#define PATHS .paths = paths, .path_count = LEN(paths)
#define NAMED .headers = named, .header_count = LEN(named)
#define VALUED .headers = valued, .header_count = LEN(valued)
#define NETWORKS .networks = networks, .network_count = LEN(networks)

static const struct row rows[] = {
    {"a method", GET_FROM, {METHODS}, 1},
    {"another method", "get", "/", NULL, NULL, "192.0.2.1", {METHODS}, 0},
    {"a method without a number", "PURGE", "/", NULL, NULL, "192.0.2.1", {METHODS}, 1},
    {"a path", GET_FROM, {PATHS}, 1},
    {"another spelling of a path", "GET", "//x/../static/%61", NULL, NULL, "192.0.2.1", {PATHS}, 1},
    {"a path with a segment", "GET", "/users/7", NULL, NULL, "192.0.2.1", {PATHS}, 1},
    {"what begins like a path", "GET", "/healthy", NULL, NULL, "192.0.2.1", {PATHS}, 0},
    {"a path without a canonical form", "GET", "/static/%zz", NULL, NULL, "192.0.2.1", {PATHS}, 0},
    {"a field, in any case", "GET", "/", "x-internal", "", "192.0.2.1", {NAMED}, 1},
    {"without the field", GET_FROM, {NAMED}, 0},
    {"a value, but not the other field", "GET", "/", "X-Internal", "yes", "192.0.2.1", {VALUED}, 0},
    {"another value", "GET", "/", "X-Internal", "Yes", "192.0.2.1", {VALUED}, 0},
    {"a network", "GET", "/", NULL, NULL, "10.1.2.3", {NETWORKS}, 1},
    {"a mapped address of it", "GET", "/", NULL, NULL, "::ffff:10.1.2.3", {NETWORKS}, 1},
    {"outside of it", GET_FROM, {NETWORKS}, 0},
    {"all must hold", GET_FROM, {METHODS, PATHS, NETWORKS}, 0},
    {"all hold", "GET", "/health", NULL, NULL, "10.0.0.1", {METHODS, PATHS, NETWORKS}, 1},
    {"inverted", GET_FROM, {NETWORKS, .invert = 1}, 1},
    {"inverted, inside", "GET", "/", NULL, NULL, "10.0.0.1", {NETWORKS, .invert = 1}, 0},
};

/* A chain of skip, under a name, and one that listens to it. */
static int build(cmw_test *test, const cmw_skip_config *config, int32_t priority, cmw_diag *diag)
{
    static const cmw_header field = {CMW_STR_INIT("X-Ran"), CMW_STR_INIT("yes")};
    cmw_engine *engine = cmw_test_engine(test);
    cmw_chain *chain = NULL;
    cmw_middleware mw;
    cmw_condition condition;
    cmw_slot slot;

    assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
    if (config) {
        cmw_middleware_init(&mw);
        mw.name = "internal";
        assert_int_equal(cmw_skip_create(engine, &mw, config, diag), 0);
        assert_int_equal(cmw_chain_add(chain, &mw, diag), 0);
    }
    cmw_middleware_init(&mw);
    mw.name = "listener";
    mw.priority = priority;
    mw.fields = &field;
    mw.field_count = 1;
    cmw_condition_init(&condition);
    assert_int_equal(cmw_skip_condition(engine, &condition, &slot, "internal"), 0);
    cmw_middleware_requires(&mw, slot);
    mw.condition = &condition;
    assert_int_equal(cmw_chain_add(chain, &mw, diag), 0);
    const int rc = cmw_chain_install(chain, diag);
    cmw_chain_destroy(chain);
    return rc;
}

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_skip_config config = row->config;
    cmw_diag diag = {0};
    cmw_test *test = NULL;

    config.size = sizeof config;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(build(test, &config, 1000, &diag), 0);
    cmw_test_request(test, row->method, row->target);
    cmw_test_peer(test, row->peer);
    if (row->field)
        cmw_test_header(test, row->field, row->value);
    assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(cmw_test_response_count(test, "X-Ran"), !row->skips);
    assert_no_allocation(test);
    close_bench(test);
}

static int agree(void *self, cmw_ctx *ctx)
{
    (void)ctx;
    return *(int *)self;
}

static void a_program_may_decide(void **state)
{
    int answer = 1;
    cmw_skip_config config;
    cmw_test *test = NULL;

    (void)state;
    cmw_skip_config_init(&config);
    config.predicate = agree;
    config.predicate_self = &answer;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(build(test, &config, 1000, NULL), 0);
    cmw_test_request(test, "GET", "/");
    (void)cmw_test_send(test);
    assert_null(cmw_test_response_field(test, "X-Ran"));
    answer = 0;
    (void)cmw_test_send(test);
    assert_non_null(cmw_test_response_field(test, "X-Ran"));
    close_bench(test);
}

static void who_listens_must_stand_behind(void **state)
{
    cmw_skip_config config;
    cmw_diag diag = {0};
    cmw_test *test = NULL;

    (void)state;
    cmw_skip_config_init(&config);
    config.methods = methods;
    config.method_count = LEN(methods);
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(build(test, &config, 10, &diag), CMW_ERR_ORDER);
    assert_int_equal(build(test, NULL, 1000, &diag), CMW_ERR_ORDER);
    assert_string_equal(diag.message,
                        "'listener' (priority 1000) reads slot 'skip.internal', which "
                        "no middleware of the chain provides");
    close_bench(test);
}

static void a_condition_has_one_predicate(void **state)
{
    cmw_condition condition;
    cmw_slot slot;
    cmw_test *test = NULL;

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    cmw_condition_init(&condition);
    assert_int_equal(cmw_skip_condition(cmw_test_engine(test), &condition, &slot, ""), CMW_ERR_ARG);
    assert_int_equal(cmw_skip_condition(cmw_test_engine(test), &condition, &slot, "a"), 0);
    assert_int_equal(cmw_skip_condition(cmw_test_engine(test), &condition, &slot, "b"),
                     CMW_ERR_ARG);
    close_bench(test);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    static const char *const bad[] = {"a b"};
    cmw_skip_config config;

    (void)state;
    assert_refused("skip", NULL, CMW_ERR_ARG,
                   "skip: one of methods, paths, headers and networks is needed");
    cmw_skip_config_init(&config);
    config.methods = bad;
    config.method_count = 1;
    assert_refused("skip", &config, CMW_ERR_INVALID, "skip: methods: 'a b' is not a method");
    cmw_skip_config_init(&config);
    config.headers = bad;
    config.header_count = 1;
    assert_refused("skip", &config, CMW_ERR_INVALID,
                   "skip: headers: 'a b' is neither a field's name nor 'Name: value'");
    cmw_skip_config_init(&config);
    config.networks = bad;
    config.network_count = 1;
    assert_refused("skip", &config, CMW_ERR_INVALID,
                   "skip: networks: 'a b' is not an address or a network");
    cmw_skip_config_init(&config);
    config.paths = bad;
    config.path_count = 1;
    assert_refused("skip", &config, CMW_ERR_INVALID,
                   "skip: paths: 'a b' is not a path pattern: segments are text in canonical form, "
                   "'{name}', or '*' as the last one");
    cmw_skip_config_init(&config);
    config.path_count = 1;
    assert_refused("skip", &config, CMW_ERR_ARG, "skip: a list is missing");
}

static void failing_memory_is_survived(void **state)
{
    cmw_skip_config config;

    (void)state;
    cmw_skip_config_init(&config);
    config.paths = paths;
    config.path_count = LEN(paths);
    config.headers = valued;
    config.header_count = LEN(valued);
    config.networks = networks;
    config.network_count = LEN(networks);
    assert_survives_failing_memory("skip", &config);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(a_program_may_decide),
        cmocka_unit_test(who_listens_must_stand_behind),
        cmocka_unit_test(a_condition_has_one_predicate),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("skip", tests, NULL, NULL) |
           cmocka_run_group_tests_name("skip: the rest", others, NULL, NULL);
}
