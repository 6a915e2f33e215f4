/* SPDX-License-Identifier: MIT */
/* rate_limit: sequences of requests as clients see them, what the fields say. */
#include "builtin_fixture.h"

#include <catzilla/builtin/rate_limit.h>

#define MS UINT64_C(1000000)

static cmw_rate_limit_config config_of(int algorithm, int64_t limit, int64_t window_ms,
                                       int64_t burst)
{
    cmw_rate_limit_config config;

    cmw_rate_limit_config_init(&config);
    config.algorithm = algorithm;
    config.limit = limit;
    config.window_ms = window_ms;
    config.burst = burst;
    return config;
}

static int get_from(cmw_test *test, const char *peer)
{
    cmw_test_request(test, "GET", "/rl");
    cmw_test_peer(test, peer);
    return cmw_test_send(test);
}

static void assert_field(cmw_test *test, const char *name, const char *value)
{
    const char *got = cmw_test_response_field(test, name);

    if (!value) {
        assert_null(got);
        return;
    }
    assert_non_null(got);
    assert_string_equal(got, value);
}

/* ---- Sequences -------------------------------------------------------------------------- */

struct visit {
    uint64_t at_ms;
    int client; /* 0: the end */
    int status;
    const char *rate_limit;
    const char *retry_after;
};

struct row {
    const char *name;
    int algorithm;
    int64_t limit, window_ms, burst, status;
    const char *policy;
    struct visit visits[9];
};

#define F CMW_RATE_FIXED_WINDOW
#define G CMW_RATE_GCRA
#define W CMW_RATE_SLIDING_WINDOW

static const struct row rows[] = {
    {"a fixed window lets its limit pass",
     F,
     2,
     60000,
     0,
     429,
     "\"default\";q=2;w=60",
     {{0, 1, 200, "\"default\";r=1;t=60", NULL},
      {20, 1, 200, "\"default\";r=0;t=60", NULL},
      {40, 1, 429, "\"default\";r=0;t=60", "60"},
      {1060, 1, 429, "\"default\";r=0;t=59", "59"}}},
    {"a fixed window opens again",
     F,
     2,
     1000,
     0,
     429,
     "\"default\";q=2;w=1",
     {{0, 1, 200, "\"default\";r=1;t=1", NULL},
      {20, 1, 200, "\"default\";r=0;t=1", NULL},
      {40, 1, 429, "\"default\";r=0;t=1", "1"},
      {1300, 1, 200, "\"default\";r=1;t=1", NULL},
      {1320, 1, 200, "\"default\";r=0;t=1", NULL}}},
    {"late requests do not make a window longer",
     F,
     2,
     1000,
     0,
     429,
     "\"default\";q=2;w=1",
     {{0, 1, 200, "\"default\";r=1;t=1", NULL},
      {700, 1, 200, "\"default\";r=0;t=1", NULL},
      {750, 1, 429, "\"default\";r=0;t=1", "1"},
      {1300, 1, 200, "\"default\";r=1;t=1", NULL},
      {1350, 1, 200, "\"default\";r=0;t=1", NULL},
      {1400, 1, 429, "\"default\";r=0;t=1", "1"}}},
    {"clients do not share a window",
     F,
     1,
     60000,
     0,
     429,
     "\"default\";q=1;w=60",
     {{0, 1, 200, "\"default\";r=0;t=60", NULL},
      {20, 1, 429, "\"default\";r=0;t=60", "60"},
      {40, 2, 200, "\"default\";r=0;t=60", NULL},
      {60, 2, 429, "\"default\";r=0;t=60", "60"}}},
    {"another status can be asked for",
     F,
     1,
     60000,
     0,
     403,
     "\"default\";q=1;w=60",
     {{0, 1, 200, "\"default\";r=0;t=60", NULL}, {20, 1, 403, "\"default\";r=0;t=60", "60"}}},
    {"gcra: a burst passes at once",
     G,
     2,
     1000,
     5,
     429,
     "\"default\";q=5;w=3",
     {{0, 1, 200, "\"default\";r=4;t=1", NULL},
      {10, 1, 200, "\"default\";r=3;t=1", NULL},
      {20, 1, 200, "\"default\";r=2;t=2", NULL},
      {30, 1, 200, "\"default\";r=1;t=2", NULL},
      {40, 1, 200, "\"default\";r=0;t=3", NULL},
      {50, 1, 429, "\"default\";r=0;t=3", "1"},
      {600, 1, 200, "\"default\";r=0;t=3", NULL}}},
    {"gcra: at twice the rate every second request is refused",
     G,
     2,
     1000,
     1,
     429,
     "\"default\";q=1;w=1",
     {{0, 1, 200, "\"default\";r=0;t=1", NULL},
      {250, 1, 429, "\"default\";r=0;t=1", "1"},
      {650, 1, 200, "\"default\";r=0;t=1", NULL},
      {900, 1, 429, "\"default\";r=0;t=1", "1"},
      {1300, 1, 200, "\"default\";r=0;t=1", NULL}}},
    {"gcra: the wait can be long",
     G,
     1,
     60000,
     2,
     429,
     "\"default\";q=2;w=120",
     {{0, 1, 200, "\"default\";r=1;t=60", NULL},
      {10, 2, 200, "\"default\";r=1;t=60", NULL},
      {20, 1, 200, "\"default\";r=0;t=120", NULL},
      {40, 1, 429, "\"default\";r=0;t=120", "60"}}},
    {"sliding: what a window took slides out",
     W,
     4,
     1000,
     0,
     429,
     "\"default\";q=4;w=1",
     {{0, 1, 200, "\"default\";r=3;t=2", NULL},
      {1, 1, 200, "\"default\";r=2;t=2", NULL},
      {2, 1, 200, "\"default\";r=1;t=2", NULL},
      {3, 1, 200, "\"default\";r=0;t=2", NULL},
      {900, 1, 429, "\"default\";r=0;t=2", "1"},
      {1250, 1, 200, "\"default\";r=0;t=2", NULL},
      {1300, 1, 429, "\"default\";r=0;t=2", "1"}}},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_rate_limit_config config =
        config_of(row->algorithm, row->limit, row->window_ms, row->burst);
    uint64_t now_ms = 0;

    config.status = row->status;
    cmw_test *test = open_bench("rate_limit", &config);
    for (const struct visit *visit = row->visits; visit < row->visits + 9 && visit->client;
         visit++) {
        cmw_test_advance_ns(test, (visit->at_ms - now_ms) * MS);
        now_ms = visit->at_ms;
        assert_int_equal(get_from(test, visit->client == 1 ? "127.0.0.21" : "127.0.0.22"),
                         visit->status);
        assert_field(test, "RateLimit", visit->rate_limit);
        assert_field(test, "RateLimit-Policy", row->policy);
        assert_field(test, "Retry-After", visit->retry_after);
    }
    assert_no_allocation(test);
    close_bench(test);
}

/* ---- Fields ----------------------------------------------------------------------------- */

struct style_row {
    const char *name;
    const char *styles[2];
    const char *fields[8]; /* name, value, ...: of the second request, of a limit of 1 */
};

#define ALL_BUT_RETRY_ABSENT                                                                       \
    "RateLimit", NULL, "RateLimit-Policy", NULL, "X-RateLimit-Limit", NULL, "RateLimit-Limit", NULL

static const struct style_row style_rows[] = {
    {"draft-8 names its policy",
     {"draft-8"},
     {"RateLimit", "\"default\";r=0;t=30", "RateLimit-Policy", "\"default\";q=1;w=30"}},
    {"draft-7 is one field of three numbers",
     {"draft-7"},
     {"RateLimit", "limit=1, remaining=0, reset=30", "RateLimit-Policy", "1;w=30"}},
    {"draft-6 has a field for each number",
     {"draft-6"},
     {"RateLimit-Limit", "1", "RateLimit-Remaining", "0", "RateLimit-Reset", "30",
      "RateLimit-Policy", "1;w=30"}},
    {"legacy counts from 1970",
     {"legacy"},
     {"X-RateLimit-Limit", "1", "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1767225630",
      "RateLimit-Policy", NULL}},
    {"legacy stands beside a draft",
     {"draft-8", "legacy"},
     {"RateLimit", "\"default\";r=0;t=30", "RateLimit-Policy", "\"default\";q=1;w=30",
      "X-RateLimit-Remaining", "0", "X-RateLimit-Reset", "1767225630"}},
    {"none says nothing", {"none"}, {ALL_BUT_RETRY_ABSENT}},
};

static void check_style(void **state)
{
    const struct style_row *row = *state;
    cmw_rate_limit_config config = config_of(F, 1, 30000, 0);

    config.header_style = row->styles;
    config.header_style_count = row->styles[1] ? 2 : 1;
    cmw_test *test = open_bench("rate_limit", &config);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(get_from(test, "192.0.2.1"), i == 0 ? 200 : 429);
        for (size_t k = 0; k < LEN(row->fields) && row->fields[k]; k += 2)
            assert_field(test, row->fields[k], row->fields[k + 1]);
        assert_field(test, "Retry-After", i == 0 ? NULL : "30");
    }
    assert_no_allocation(test);
    close_bench(test);
}

static void the_name_of_a_policy_is_escaped(void **state)
{
    cmw_rate_limit_config config = config_of(G, 12345678, 60000, 0);

    (void)state;
    config.policy_name = "a \"b\" \\ c, and what makes it longer than sixteen";
    cmw_test *test = open_bench("rate_limit", &config);
    assert_int_equal(get_from(test, "192.0.2.1"), 200);
    assert_field(test, "RateLimit",
                 "\"a \\\"b\\\" \\\\ c, and what makes it longer than sixteen\";r=12345677;t=1");
    assert_field(test, "RateLimit-Policy",
                 "\"a \\\"b\\\" \\\\ c, and what makes it longer than sixteen\";q=12345678;w=61");
    close_bench(test);
}

static int break_down(void *self, cmw_ctx *ctx)
{
    (void)self;
    (void)ctx;
    return -1;
}

static void a_failed_request_has_its_fields_too(void **state)
{
    cmw_test *test = open_bench("rate_limit", NULL);

    (void)state;
    cmw_test_set_handler(test, break_down, NULL);
    assert_int_equal(get_from(test, "192.0.2.1"), 500);
    assert_field(test, "RateLimit", "\"default\";r=99;t=1");
    assert_field(test, "RateLimit-Policy", "\"default\";q=100;w=60");
    assert_int_equal(cmw_test_response_count(test, "RateLimit"), 1);
    close_bench(test);
}

static void a_refusal_is_a_problem(void **state)
{
    const cmw_rate_limit_config config = config_of(F, 1, 1000, 0);
    cmw_test *test = open_bench("rate_limit", &config);

    (void)state;
    assert_int_equal(get_from(test, "192.0.2.1"), 200);
    assert_int_equal(get_from(test, "192.0.2.1"), 429);
    assert_string_equal(cmw_test_response_body(test).data,
                        "{\"title\":\"Too Many Requests\",\"status\":429,"
                        "\"detail\":\"the limit of requests is reached\"}");
    close_bench(test);
}

/* ---- Several limits --------------------------------------------------------------------- */

static void fill_two(cmw_rate_limit_rule rules[2])
{
    for (size_t i = 0; i < 2; i++)
        cmw_rate_limit_rule_init(&rules[i]);
    rules[0].algorithm = F;
    rules[0].policy_name = "second";
    rules[0].limit = 2;
    rules[0].window_ms = 1000;
    rules[1].algorithm = F;
    rules[1].policy_name = "hour";
    rules[1].limit = 3;
    rules[1].window_ms = 3600000;
}

static void of_several_limits_the_scarcest_is_shown(void **state)
{
    cmw_rate_limit_rule rules[2];
    cmw_rate_limit_config config;

    (void)state;
    fill_two(rules);
    cmw_rate_limit_config_init(&config);
    config.limits = rules;
    config.limit_count = 2;
    cmw_test *test = open_bench("rate_limit", &config);
    assert_int_equal(get_from(test, "192.0.2.1"), 200);
    assert_field(test, "RateLimit", "\"second\";r=1;t=1");
    assert_field(test, "RateLimit-Policy", "\"second\";q=2;w=1, \"hour\";q=3;w=3600");
    assert_int_equal(get_from(test, "192.0.2.1"), 200);
    assert_field(test, "RateLimit", "\"second\";r=0;t=1");
    assert_int_equal(get_from(test, "192.0.2.1"), 429);
    assert_field(test, "Retry-After", "1");
    cmw_test_advance_ns(test, 1000 * MS);
    assert_int_equal(get_from(test, "192.0.2.1"), 200); /* the refusal took nothing of the hour */
    assert_field(test, "RateLimit", "\"hour\";r=0;t=3599");
    assert_int_equal(get_from(test, "192.0.2.1"), 429);
    assert_field(test, "RateLimit", "\"hour\";r=0;t=3599");
    assert_field(test, "Retry-After", "3599");
    assert_no_allocation(test);
    close_bench(test);
}

static void of_two_that_refuse_the_longer_wait_is_told(void **state)
{
    cmw_rate_limit_rule rules[2];
    cmw_rate_limit_config config;

    (void)state;
    fill_two(rules);
    rules[1].limit = 2;
    cmw_rate_limit_config_init(&config);
    config.limits = rules;
    config.limit_count = 2;
    cmw_test *test = open_bench("rate_limit", &config);
    for (int i = 0; i < 2; i++)
        assert_int_equal(get_from(test, "192.0.2.1"), 200);
    assert_int_equal(get_from(test, "192.0.2.1"), 429);
    assert_field(test, "Retry-After", "3600");
    close_bench(test);
}

static void limits_without_names_get_some(void **state)
{
    cmw_rate_limit_rule rules[2];
    cmw_rate_limit_config config;

    (void)state;
    fill_two(rules);
    rules[0].policy_name = rules[1].policy_name = NULL;
    cmw_rate_limit_config_init(&config);
    config.limits = rules;
    config.limit_count = 2;
    cmw_test *test = open_bench("rate_limit", &config);
    assert_int_equal(get_from(test, "192.0.2.1"), 200);
    assert_field(test, "RateLimit-Policy", "\"default\";q=2;w=1, \"default-2\";q=3;w=3600");
    close_bench(test);
}

/* ---- Who is not counted, and what a request costs --------------------------------------- */

static void listed_networks_are_not_counted(void **state)
{
    static const char *const skip[] = {"10.0.0.0/8", "unix"};
    cmw_rate_limit_config config = config_of(G, 1, 60000, 0);

    (void)state;
    config.skip = skip;
    config.skip_count = LEN(skip);
    cmw_test *test = open_bench("rate_limit", &config);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(get_from(test, "10.1.2.3"), 200);
        assert_field(test, "RateLimit", NULL);
        assert_field(test, "RateLimit-Policy", NULL);
    }
    assert_int_equal(get_from(test, "192.0.2.1"), 200);
    assert_field(test, "RateLimit-Policy", "\"default\";q=1;w=60");
    assert_int_equal(get_from(test, "192.0.2.1"), 429);
    assert_field(test, "RateLimit-Policy", "\"default\";q=1;w=60");
    close_bench(test);
}

static int is_internal(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_request_header_named(cmw_ctx_request(ctx), CMW_STR("X-Internal")) != NULL;
}

static void a_predicate_can_let_requests_by(void **state)
{
    cmw_rate_limit_config config = config_of(F, 1, 60000, 0);

    (void)state;
    config.skip_if = is_internal;
    cmw_test *test = open_bench("rate_limit", &config);
    for (int i = 0; i < 3; i++) {
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "X-Internal", "1");
        assert_int_equal(cmw_test_send(test), 200);
    }
    assert_int_equal(get_from(test, "192.0.2.1"), 200);
    assert_int_equal(get_from(test, "192.0.2.1"), 429);
    close_bench(test);
}

static uint32_t cost_of(void *self, cmw_ctx *ctx)
{
    (void)self;
    const cmw_str method = cmw_request_method(cmw_ctx_request(ctx));
    return cmw_str_equals(method, CMW_STR("POST"))   ? 10
           : cmw_str_equals(method, CMW_STR("HEAD")) ? 0
                                                     : 1;
}

static void a_request_can_cost_more_or_nothing(void **state)
{
    cmw_rate_limit_config config = config_of(F, 12, 60000, 0);

    (void)state;
    config.cost_fn = cost_of;
    cmw_test *test = open_bench("rate_limit", &config);
    cmw_test_request(test, "POST", "/");
    assert_int_equal(cmw_test_send(test), 200);
    assert_field(test, "RateLimit", "\"default\";r=2;t=60");
    cmw_test_request(test, "POST", "/");
    assert_int_equal(cmw_test_send(test), 429);
    assert_field(test, "RateLimit", "\"default\";r=2;t=60");
    for (int i = 0; i < 20; i++) {
        cmw_test_request(test, "HEAD", "/");
        assert_int_equal(cmw_test_send(test), 200);
        assert_field(test, "RateLimit", NULL);
    }
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 200);
    assert_field(test, "RateLimit", "\"default\";r=1;t=60");
    close_bench(test);
}

int main(void)
{
    static struct CMUnitTest tests[LEN(rows) + LEN(style_rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(the_name_of_a_policy_is_escaped),
        cmocka_unit_test(a_failed_request_has_its_fields_too),
        cmocka_unit_test(a_refusal_is_a_problem),
        cmocka_unit_test(of_several_limits_the_scarcest_is_shown),
        cmocka_unit_test(of_two_that_refuse_the_longer_wait_is_told),
        cmocka_unit_test(limits_without_names_get_some),
        cmocka_unit_test(listed_networks_are_not_counted),
        cmocka_unit_test(a_predicate_can_let_requests_by),
        cmocka_unit_test(a_request_can_cost_more_or_nothing),
    };
    size_t count = 0;

    for (size_t i = 0; i < LEN(rows); i++)
        tests[count++] = ROW_TEST(&rows[i], check_row);
    for (size_t i = 0; i < LEN(style_rows); i++)
        tests[count++] = ROW_TEST(&style_rows[i], check_style);
    return cmocka_run_group_tests_name("rate_limit, tables", tests, NULL, NULL) +
           cmocka_run_group_tests_name("rate_limit", others, NULL, NULL);
}
