/* SPDX-License-Identifier: MIT */
/* body_limit: what is declared, what comes, and who says so. */
#include "builtin_fixture.h"

#include <catzilla/builtin/body_limit.h>

static cmw_test *open_limit(int64_t bytes, int unknown_length)
{
    cmw_body_limit_config config;

    cmw_body_limit_config_init(&config);
    config.limit_bytes = bytes;
    config.unknown_length = unknown_length;
    return open_bench("body_limit", &config);
}

struct row {
    const char *name;
    int64_t limit_bytes;
    uint64_t declared;
    int status;
};

static const struct row rows[] = {
    {"no body", 10, 0, 200},
    {"a body at the limit", 10, 10, 200},
    {"a body over the limit", 10, 11, 413},
    {"a body of the largest length", 10, UINT64_MAX - 1, 413},
    {"no byte where none is allowed", 0, 0, 200},
    {"one byte where none is allowed", 0, 1, 413},
    {"a limit above the engine's leaves the engine's", INT64_MAX, UINT64_C(1) << 30, 413},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_test *test = open_limit(row->limit_bytes, CMW_UNKNOWN_LENGTH_COUNT);

    cmw_test_request(test, "POST", "/");
    cmw_test_view(test)->content_length = row->declared;
    assert_int_equal(cmw_test_send(test), row->status);
    assert_no_allocation(test);
    close_bench(test);
}

/* A body that comes in pieces, as an adapter hands it over; returns the first error. */
static int receive(cmw_test *test, const char *const *pieces, size_t count)
{
    cmw_ctx *ctx = NULL;
    int rc = 0;

    cmw_test_request(test, "POST", "/");
    cmw_test_view(test)->content_length = CMW_LENGTH_UNKNOWN;
    assert_int_equal(cmw_ctx_begin(cmw_test_worker(test), &ctx, cmw_test_view(test)), 0);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = cmw_ctx_receive_body(ctx, cmw_str_cstr(pieces[i]));
    if (rc == 0)
        assert_int_equal(cmw_response_set_status(cmw_ctx_response(ctx), 200), 0);
    (void)cmw_ctx_commit(ctx);
    assert_int_equal(cmw_response_status(cmw_ctx_response(ctx)), rc == 0 ? 200 : 413);
    cmw_ctx_end(ctx, CMW_END_SENT);
    return rc;
}

static void an_undeclared_body_is_counted(void **state)
{
    static const char *const fits[] = {"12345", "67890"};
    static const char *const too_long[] = {"12345", "67890", "1"};
    cmw_test *test = open_limit(10, CMW_UNKNOWN_LENGTH_COUNT);

    (void)state;
    assert_int_equal(receive(test, fits, LEN(fits)), 0);
    assert_int_equal(receive(test, too_long, LEN(too_long)), CMW_ERR_LIMIT);
    assert_int_equal(receive(test, fits, LEN(fits)), 0); /* the limit is the request's own */
    close_bench(test);
}

/* A limit can be lowered, never raised. */
static void the_lower_of_two_limits_holds(void **state)
{
    static const char *const pieces[] = {"12345", "67890", "12345"};
    cmw_body_limit_config config;
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_middleware higher;

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    cmw_body_limit_config_init(&config);
    config.limit_bytes = 10;
    assert_int_equal(cmw_chain_use(chain, "body_limit", &config, NULL), 0);
    cmw_middleware_init(&higher);
    higher.name = "higher";
    config.limit_bytes = 20;
    assert_int_equal(cmw_body_limit_create(cmw_test_engine(test), &higher, &config, NULL), 0);
    assert_int_equal(cmw_chain_add(chain, &higher, NULL), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
    assert_int_equal(receive(test, pieces, LEN(pieces)), CMW_ERR_LIMIT);
    close_bench(test);
}

static void an_undeclared_body_can_be_refused(void **state)
{
    cmw_test *test = open_limit(10, CMW_UNKNOWN_LENGTH_REFUSE);

    (void)state;
    cmw_test_request(test, "POST", "/");
    cmw_test_view(test)->content_length = CMW_LENGTH_UNKNOWN;
    assert_int_equal(cmw_test_send(test), 411);
    cmw_test_view(test)->content_length = 10;
    assert_int_equal(cmw_test_send(test), 200);
    close_bench(test);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    cmw_body_limit_config config;

    (void)state;
    cmw_body_limit_config_init(&config);
    config.limit_bytes = -1;
    assert_refused("body_limit", &config, CMW_ERR_ARG,
                   "body_limit: limit: -1 is less than nothing");
    cmw_body_limit_config_init(&config);
    config.unknown_length = 2;
    assert_refused("body_limit", &config, CMW_ERR_ARG,
                   "body_limit: unknown_length: 2 is no such rule");
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    assert_survives_failing_memory("body_limit", NULL);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(an_undeclared_body_is_counted),
        cmocka_unit_test(the_lower_of_two_limits_holds),
        cmocka_unit_test(an_undeclared_body_can_be_refused),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("body_limit", tests, NULL, NULL) |
           cmocka_run_group_tests_name("body_limit: the rest", others, NULL, NULL);
}
