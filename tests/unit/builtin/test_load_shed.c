/* SPDX-License-Identifier: MIT */
/* load_shed: classes, what is let in, and that the limit follows. */
#include "traffic_fixture.h"

#include <catzilla/builtin/load_shed.h>

#include "builtin_fixture.h"

#define MS UINT64_C(1000000)

static const char *const batch_paths[] = {"/batch/*"};
static const char *const writes[] = {"POST", "PUT"};
static const cmw_load_shed_class classes[] = {
    {.paths = batch_paths, .path_count = 1, .share_permille = 200},
    {.methods = writes, .method_count = 2, .share_permille = 600},
};

static void set(cmw_load_shed_config *config)
{
    cmw_load_shed_config_init(config);
    config->min_limit = 5;
    config->initial_limit = 10;
    config->max_limit = 20;
    config->classes = classes;
    config->class_count = LEN(classes);
}

static void open_shed(struct flight *flight, const cmw_load_shed_config *config, cmw_middleware *mw)
{
    flight_open(flight);
    cmw_middleware_init(mw);
    mw->name = "shed";
    assert_int_equal(cmw_load_shed_create(flight->server.engine, mw, config, NULL), 0);
    assert_int_equal(cmw_chain_add(flight->server.chain, mw, NULL), 0);
    server_start(&flight->server);
}

static cmw_load_shed_stats stats_of(const cmw_middleware *mw)
{
    cmw_load_shed_stats stats = {.size = sizeof stats};
    assert_int_equal(cmw_load_shed_get_stats(mw, &stats), 0);
    return stats;
}

static void close_shed(struct flight *flight, const cmw_middleware *mw)
{
    for (unsigned i = 0; i < FLIGHT_CAP; i++)
        if (flight->requests[i].ctx)
            arrive(flight, i, CMW_END_SENT);
    assert_int_equal(stats_of(mw).in_flight, 0);
    server_close(&flight->server);
}

/* How many of a kind are let in, beside those that are in flight. */
static unsigned fill(struct flight *flight, unsigned first, const char *method, const char *target)
{
    unsigned count = 0;

    while (depart_to(flight, first + count, "192.0.2.1", method, target) == CMW_TO_HANDLER)
        count++;
    assert_int_equal(status_of(flight, first + count), 503);
    assert_true(cmw_response_has(cmw_ctx_response(flight->requests[first + count].ctx),
                                 CMW_HDR_RETRY_AFTER));
    arrive(flight, first + count, CMW_END_SENT);
    return count;
}

static void what_matters_less_is_refused_first(void **state)
{
    cmw_load_shed_config config;
    struct flight flight;
    cmw_middleware mw;

    (void)state;
    set(&config);
    open_shed(&flight, &config, &mw);
    assert_int_equal(fill(&flight, 0, "GET", "/batch/a"), 2);
    assert_int_equal(fill(&flight, 2, "PUT", "/"), 4);
    assert_int_equal(fill(&flight, 6, "GET", "/"), 4);
    assert_int_equal(stats_of(&mw).in_flight, 10);
    assert_int_equal(stats_of(&mw).refused, 3);
    close_shed(&flight, &mw);
}

static void a_class_of_one_percent_is_one(void **state)
{
    static const cmw_load_shed_class one = {.share_permille = 1};
    cmw_load_shed_config config;
    struct flight flight;
    cmw_middleware mw;

    (void)state;
    set(&config);
    config.classes = &one;
    config.class_count = 1;
    open_shed(&flight, &config, &mw);
    assert_int_equal(fill(&flight, 0, "GET", "/"), 1);
    close_shed(&flight, &mw);
}

/* Rounds of as many as are let in, each of which takes that long. */
static void rounds(struct flight *flight, const cmw_middleware *mw, unsigned count, uint64_t ms)
{
    while (count-- > 0) {
        const unsigned limit = (unsigned)stats_of(mw).limit;
        for (unsigned i = 0; i < limit; i++)
            assert_int_equal(depart(flight, i), CMW_TO_HANDLER);
        flight->now_ns += ms * MS;
        for (unsigned i = 0; i < limit; i++)
            arrive(flight, i, CMW_END_SENT);
    }
}

static void the_limit_follows_the_latency(void **state)
{
    cmw_load_shed_config config;
    struct flight flight;
    cmw_middleware mw;

    (void)state;
    set(&config);
    open_shed(&flight, &config, &mw);
    rounds(&flight, &mw, 100, 50);
    assert_int_equal(stats_of(&mw).limit, 20);
    rounds(&flight, &mw, 60, 500);
    assert_int_equal(stats_of(&mw).limit, 5);
    close_shed(&flight, &mw);
}

/* Rounds whose answers are there after 50 ms, which clients then read for a second. */
static void who_reads_slowly_does_not_make_the_limit_small(void **state)
{
    cmw_load_shed_config config;
    struct flight flight;
    cmw_middleware mw;

    (void)state;
    set(&config);
    open_shed(&flight, &config, &mw);
    rounds(&flight, &mw, 100, 50);
    for (unsigned round = 0; round < 60; round++) {
        for (unsigned i = 0; i < 20; i++)
            assert_int_equal(depart(&flight, i), CMW_TO_HANDLER);
        flight.now_ns += 50 * MS;
        for (unsigned i = 0; i < 20; i++) {
            cmw_ctx *const ctx = flight.requests[i].ctx;
            assert_int_equal(cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok")), 0);
            assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
            flight.requests[i].next = CMW_TO_RESPOND;
        }
        flight.now_ns += 1000 * MS;
        for (unsigned i = 0; i < 20; i++)
            arrive(&flight, i, CMW_END_SENT);
    }
    assert_int_equal(stats_of(&mw).limit, 20);
    close_shed(&flight, &mw);
}

/* Nor does who sends slowly: its handler answers when the body is there. */
static void who_sends_slowly_does_not_make_the_limit_small(void **state)
{
    cmw_load_shed_config config;
    struct flight flight;
    cmw_middleware mw;

    (void)state;
    set(&config);
    config.class_count = 0;
    open_shed(&flight, &config, &mw);
    rounds(&flight, &mw, 100, 50);
    for (unsigned round = 0; round < 60; round++) {
        for (unsigned i = 0; i < 20; i++)
            assert_int_equal(
                depart_with_body(&flight, i, i % 2 ? UINT64_C(100) : CMW_LENGTH_UNKNOWN),
                CMW_TO_HANDLER);
        flight.now_ns += 1000 * MS;
        for (unsigned i = 0; i < 20; i++)
            arrive(&flight, i, CMW_END_SENT);
    }
    assert_int_equal(stats_of(&mw).limit, 20);
    close_shed(&flight, &mw);
}

/* Refusals are made in no time: a flood of them is not what answers usually take. */
static void who_is_refused_does_not_make_the_others_late(void **state)
{
    cmw_load_shed_config config;
    struct flight flight;
    cmw_middleware mw;

    (void)state;
    set(&config);
    open_shed(&flight, &config, &mw);
    rounds(&flight, &mw, 100, 50);
    for (unsigned i = 0; i < 20000; i++) {
        assert_int_equal(depart(&flight, 0), CMW_TO_HANDLER);
        cmw_ctx *const ctx = flight.requests[0].ctx;
        flight.now_ns += MS;
        assert_int_equal(cmw_response_text(cmw_ctx_response(ctx), 429, CMW_STR("no")), 0);
        assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
        flight.requests[0].next = CMW_TO_RESPOND;
        arrive(&flight, 0, CMW_END_SENT);
    }
    for (unsigned round = 0; round < 60; round++) {
        rounds(&flight, &mw, 1, 50);
        assert_int_equal(stats_of(&mw).limit, 20);
    }
    close_shed(&flight, &mw);
}

/* A client that leaves at once does not look like a fast server. */
static void who_left_says_nothing(void **state)
{
    cmw_load_shed_config config;
    struct flight flight;
    cmw_middleware mw;

    (void)state;
    set(&config);
    open_shed(&flight, &config, &mw);
    for (unsigned i = 0; i < 1000; i++) {
        assert_int_equal(depart(&flight, 0), CMW_TO_HANDLER);
        flight.now_ns += 200 * MS;
        arrive(&flight, 0, i % 2 ? CMW_END_CLIENT_GONE : CMW_END_SHUTDOWN);
    }
    assert_int_equal(stats_of(&mw).limit, 10);
    close_shed(&flight, &mw);
}

static void nothing_is_allocated(void **state)
{
    (void)state;
    cmw_test *test = open_bench("load_shed", NULL);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 200);
    assert_no_allocation(test);
    close_bench(test);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    static const cmw_load_shed_class nothing = {.share_permille = 0};
    static const char *const bad[] = {"a b"};
    static const cmw_load_shed_class method = {
        .methods = bad, .method_count = 1, .share_permille = 1};
    cmw_load_shed_config config;

    (void)state;
    set(&config);
    config.min_limit = 21;
    assert_refused("load_shed", &config, CMW_ERR_ARG, "load_shed: min_limit: 21 is not 1 to 20");
    set(&config);
    config.initial_limit = 4;
    assert_refused("load_shed", &config, CMW_ERR_ARG, "load_shed: initial_limit: 4 is not 5 to 20");
    set(&config);
    config.tolerance_permille = 999;
    assert_refused("load_shed", &config, CMW_ERR_ARG,
                   "load_shed: tolerance_permille: 999 is not 1000 to 10000");
    set(&config);
    config.classes = &nothing;
    config.class_count = 1;
    assert_refused("load_shed", &config, CMW_ERR_ARG,
                   "load_shed: classes[0].share_permille: 0 is not 1 to 1000");
    config.classes = &method;
    assert_refused("load_shed", &config, CMW_ERR_INVALID,
                   "load_shed: classes[0]: 'a b' is not a method");
    config.class_count = 17;
    assert_refused("load_shed", &config, CMW_ERR_ARG,
                   "load_shed: classes: at most 16 can be given");
}

static void failing_memory_is_survived(void **state)
{
    cmw_load_shed_config config;

    (void)state;
    set(&config);
    assert_survives_failing_memory("load_shed", &config);
}

static void the_first_limit_lies_between_the_ends(void **state)
{
    static const struct {
        int64_t min, max, initial;
        uint64_t limit;
    } rows[] = {{10, 1000, 0, 100}, {1, 50, 0, 50}, {200, 1000, 0, 200}, {1, 50, 7, 7}};
    cmw_load_shed_config config;
    struct flight flight;
    cmw_middleware mw;

    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        cmw_load_shed_config_init(&config);
        config.min_limit = rows[i].min;
        config.max_limit = rows[i].max;
        config.initial_limit = rows[i].initial;
        open_shed(&flight, &config, &mw);
        assert_int_equal(stats_of(&mw).limit, rows[i].limit);
        close_shed(&flight, &mw);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_matters_less_is_refused_first),
        cmocka_unit_test(a_class_of_one_percent_is_one),
        cmocka_unit_test(the_limit_follows_the_latency),
        cmocka_unit_test(who_reads_slowly_does_not_make_the_limit_small),
        cmocka_unit_test(who_sends_slowly_does_not_make_the_limit_small),
        cmocka_unit_test(who_is_refused_does_not_make_the_others_late),
        cmocka_unit_test(who_left_says_nothing),
        cmocka_unit_test(nothing_is_allocated),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(the_first_limit_lies_between_the_ends),
        cmocka_unit_test(failing_memory_is_survived),
    };
    return cmocka_run_group_tests_name("load_shed", tests, NULL, NULL);
}
