/* SPDX-License-Identifier: MIT */
/* health: liveness, readiness, checks and how often they are asked. */
#include "builtin_fixture.h"

#include <catzilla/builtin/health.h>

struct probe {
    int is_there;
    int asked;
};

static int look(void *self)
{
    struct probe *probe = self;
    probe->asked++;
    return probe->is_there;
}

/* ---- Without checks --------------------------------------------------------------------- */

struct row {
    const char *name;
    const char *method;
    const char *target;
    int is_draining;
    int status;
    const char *body; /* NULL: not looked at */
};

static const struct row rows[] = {
    {"alive", "GET", "/livez", 0, 200, "{\"status\":\"pass\"}"},
    {"alive while draining", "GET", "/livez", 1, 200, "{\"status\":\"pass\"}"},
    {"ready", "GET", "/readyz", 0, 200, "{\"status\":\"pass\"}"},
    {"not ready while draining", "GET", "/readyz", 1, 503, "{\"status\":\"fail\"}"},
    {"by HEAD", "HEAD", "/readyz", 1, 503, NULL},
    {"by no other method", "POST", "/livez", 0, 405, NULL},
    {"a query changes nothing", "GET", "/livez?full=1", 0, 200, "{\"status\":\"pass\"}"},
    {"the canonical path counts", "GET", "/x/../%6civez", 0, 200, "{\"status\":\"pass\"}"},
    {"other paths pass", "GET", "/", 0, 200, "ok"},
    {"longer paths pass", "GET", "/livez/", 0, 200, "ok"},
    {"paths in another case pass", "GET", "/LIVEZ", 0, 200, "ok"},
    {"a path that cannot be passes", "GET", "/%00", 0, 200, "ok"},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_switch *drain = NULL;
    cmw_test *test = open_bench("health", NULL);

    assert_int_equal(cmw_switch_retain(cmw_test_engine(test), &drain, "drain"), 0);
    cmw_switch_set(drain, row->is_draining);
    cmw_test_request(test, row->method, row->target);
    assert_int_equal(cmw_test_send(test), row->status);
    if (row->body)
        assert_string_equal(cmw_test_response_body(test).data, row->body);
    if (row->status == 405)
        assert_string_equal(cmw_test_response_field(test, "Allow"), "GET, HEAD");
    else if (!row->body || row->body[0] == '{')
        assert_string_equal(cmw_test_response_field(test, "Cache-Control"), "no-store");
    assert_no_allocation(test);
    cmw_switch_release(cmw_test_engine(test), drain);
    close_bench(test);
}

/* ---- Checks ----------------------------------------------------------------------------- */

static cmw_test *open_checks(struct probe *probes, int show)
{
    const cmw_health_check checks[] = {{"database", look, &probes[0]}, {"cache", look, &probes[1]}};
    cmw_health_config config;

    cmw_health_config_init(&config);
    config.checks = checks;
    config.check_count = LEN(checks);
    config.show_checks = show;
    return open_bench("health", &config);
}

static void a_failed_check_means_not_ready(void **state)
{
    struct probe probes[] = {{1, 0}, {0, 0}};
    cmw_test *test = open_checks(probes, 0);

    (void)state;
    cmw_test_request(test, "GET", "/readyz");
    assert_int_equal(cmw_test_send(test), 503);
    assert_string_equal(cmw_test_response_body(test).data, "{\"status\":\"fail\"}");
    cmw_test_request(test, "GET", "/livez");
    assert_int_equal(cmw_test_send(test), 200);
    close_bench(test);
}

static void checks_are_named_where_asked_for(void **state)
{
    struct probe probes[] = {{1, 0}, {0, 0}};
    cmw_test *test = open_checks(probes, 1);

    (void)state;
    cmw_test_request(test, "GET", "/readyz");
    cmw_test_send(test);
    assert_string_equal(
        cmw_test_response_body(test).data,
        "{\"status\":\"fail\",\"checks\":{\"database\":\"pass\",\"cache\":\"fail\"}}");
    close_bench(test);
}

static void many_probes_are_one_check(void **state)
{
    struct probe probes[] = {{1, 0}, {1, 0}};
    cmw_test *test = open_checks(probes, 0);

    (void)state;
    for (int i = 0; i < 100; i++) {
        cmw_test_request(test, "GET", "/readyz");
        assert_int_equal(cmw_test_send(test), 200);
    }
    assert_int_equal(probes[0].asked, 1);
    probes[0].is_there = 0;
    cmw_test_advance_ns(test, UINT64_C(999000000));
    cmw_test_request(test, "GET", "/readyz");
    assert_int_equal(cmw_test_send(test), 200); /* still good */
    cmw_test_advance_ns(test, 1000000);
    cmw_test_request(test, "GET", "/readyz");
    assert_int_equal(cmw_test_send(test), 503);
    assert_int_equal(probes[0].asked, 2);
    close_bench(test);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    const cmw_health_check nameless[] = {{NULL, look, NULL}};
    const cmw_health_check hollow[] = {{"database", NULL, NULL}};
    cmw_health_config config;

    (void)state;
    cmw_health_config_init(&config);
    config.live_path = "livez";
    assert_refused("health", &config, CMW_ERR_INVALID,
                   "health: live_path: 'livez' does not begin with '/'");
    cmw_health_config_init(&config);
    config.cache_ms = -1;
    assert_refused("health", &config, CMW_ERR_ARG, "health: cache_ms: -1 is less than nothing");
    cmw_health_config_init(&config);
    config.checks = nameless;
    config.check_count = 1;
    assert_refused("health", &config, CMW_ERR_ARG, "health: checks: number 0 lacks a name");
    config.checks = hollow;
    assert_refused("health", &config, CMW_ERR_ARG, "health: checks: number 0 lacks its function");
    cmw_health_config_init(&config);
    config.drain_switch = NULL;
    assert_refused("health", &config, CMW_ERR_ARG,
                   "health: drain_switch: a name has 1 to 64 characters");
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    assert_survives_failing_memory("health", NULL);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(a_failed_check_means_not_ready),
        cmocka_unit_test(checks_are_named_where_asked_for),
        cmocka_unit_test(many_probes_are_one_check),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("health", tests, NULL, NULL) |
           cmocka_run_group_tests_name("health: the rest", others, NULL, NULL);
}
