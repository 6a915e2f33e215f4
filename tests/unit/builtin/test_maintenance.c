/* SPDX-License-Identifier: MIT */
/* maintenance: the switch, who is served all the same, and what the answer carries. */
#include "builtin_fixture.h"

#include <catzilla/builtin/maintenance.h>

static const char *const office[] = {"198.51.100.0/24", "2001:db8::/32"};

struct row {
    const char *name;
    const char *peer;
    int is_on;
    int enabled;
    int status;
};

static const struct row rows[] = {
    {"off, everyone is served", "192.0.2.1", 0, 0, 200},
    {"on, nobody is", "192.0.2.1", 1, 0, 503},
    {"on, the office is", "198.51.100.7", 1, 0, 200},
    {"on, the office's IPv6 is", "2001:db8::1", 1, 0, 200},
    {"on, a mapped address of the office is", "::ffff:198.51.100.7", 1, 0, 200},
    {"on, a neighbour of the office is not", "198.51.101.0", 1, 0, 503},
    {"enabled by configuration", "192.0.2.1", 0, 1, 503},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_maintenance_config config;
    cmw_switch *away = NULL;

    cmw_maintenance_config_init(&config);
    config.enabled = row->enabled;
    config.allow = office;
    config.allow_count = LEN(office);
    cmw_test *test = open_bench("maintenance", &config);
    assert_int_equal(cmw_switch_retain(cmw_test_engine(test), &away, "maintenance"), 0);
    cmw_switch_set(away, row->is_on);
    cmw_test_request(test, "GET", "/");
    cmw_test_peer(test, row->peer);
    assert_int_equal(cmw_test_send(test), row->status);
    if (row->status == 503) {
        assert_string_equal(cmw_test_response_field(test, "Retry-After"), "300");
        assert_string_equal(cmw_test_response_field(test, "Cache-Control"), "no-store");
    }
    assert_no_allocation(test);
    cmw_switch_release(cmw_test_engine(test), away);
    close_bench(test);
}

static void the_answer_can_be_a_page(void **state)
{
    cmw_maintenance_config config;

    (void)state;
    cmw_maintenance_config_init(&config);
    config.enabled = 1;
    config.retry_after_s = 0;
    config.html = "<h1>Back soon</h1>";
    cmw_test *test = open_bench("maintenance", &config);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 503);
    assert_null(cmw_test_response_field(test, "Retry-After"));
    assert_string_equal(cmw_test_response_field(test, "Content-Type"), "text/html; charset=utf-8");
    assert_string_equal(cmw_test_response_body(test).data, "<h1>Back soon</h1>");
    close_bench(test);
}

/* A reload compiles a new instance: the switch stays as it was thrown. */
static void a_reload_does_not_throw_the_switch(void **state)
{
    cmw_test *test = open_bench("maintenance", NULL);
    cmw_engine *engine = cmw_test_engine(test);
    cmw_switch *away = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;

    (void)state;
    assert_int_equal(cmw_switch_retain(engine, &away, "maintenance"), 0);
    cmw_switch_set(away, 1);
    cmw_switch_release(engine, away);
    assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "maintenance", NULL, NULL), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 503);
    close_bench(test);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    static const char *const bad[] = {"10.0.0.0/33"};
    cmw_maintenance_config config;

    (void)state;
    cmw_maintenance_config_init(&config);
    config.retry_after_s = -5;
    assert_refused("maintenance", &config, CMW_ERR_ARG,
                   "maintenance: retry_after: -5 lies in the past");
    cmw_maintenance_config_init(&config);
    config.allow = bad;
    config.allow_count = 1;
    assert_refused("maintenance", &config, CMW_ERR_INVALID,
                   "maintenance: allow: '10.0.0.0/33' is not an address or a network");
    cmw_maintenance_config_init(&config);
    config.switch_name = "";
    assert_refused("maintenance", &config, CMW_ERR_ARG,
                   "maintenance: switch: a name has 1 to 64 characters");
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    assert_survives_failing_memory("maintenance", NULL);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(the_answer_can_be_a_page),
        cmocka_unit_test(a_reload_does_not_throw_the_switch),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("maintenance", tests, NULL, NULL) |
           cmocka_run_group_tests_name("maintenance: the rest", others, NULL, NULL);
}
