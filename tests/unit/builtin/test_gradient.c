/* SPDX-License-Identifier: MIT */
/* The limit that follows latency: against models of a server. */
#include "gradient.h"

#include "test.h"

static const struct cmw__gradient_rules rules = {10, 500, 100, 1500, 1000, 10};

/* Windows of ten requests that take as long as the model says for so many in flight. */
typedef uint64_t model_fn(uint32_t in_flight);

static uint32_t run(struct cmw__gradient *gradient, uint64_t *now, unsigned windows,
                    model_fn *model, uint32_t use_permille)
{
    uint32_t limit = (uint32_t)gradient->limit;

    for (unsigned i = 0; i < windows * 10; i++) {
        const uint32_t in_flight = limit * use_permille / 1000;
        *now += 101;
        limit = cmw__gradient_sample(gradient, &rules, *now, model(in_flight), in_flight);
        assert_in_range(limit, rules.min_limit, rules.max_limit);
    }
    return limit;
}

static uint64_t takes_always_as_long(uint32_t in_flight)
{
    (void)in_flight;
    return 1000;
}

/* Beyond 200 at once they wait for each other. */
static uint64_t waits_beyond_200(uint32_t in_flight)
{
    return in_flight <= 200 ? 1000 : 1000 * (uint64_t)in_flight / 200 * 2;
}

static uint64_t is_ten_times_slower(uint32_t in_flight)
{
    (void)in_flight;
    return 10000;
}

static void a_fast_server_gets_more(void **state)
{
    struct cmw__gradient gradient;
    uint64_t now = 0;

    (void)state;
    cmw__gradient_init(&gradient, &rules, now);
    assert_int_equal(run(&gradient, &now, 1000, takes_always_as_long, 1000), rules.max_limit);
}

static void what_is_not_used_does_not_grow(void **state)
{
    struct cmw__gradient gradient;
    uint64_t now = 0;

    (void)state;
    cmw__gradient_init(&gradient, &rules, now);
    assert_int_equal(run(&gradient, &now, 1000, takes_always_as_long, 400), rules.initial_limit);
}

static void the_limit_stays_near_what_is_served_well(void **state)
{
    struct cmw__gradient gradient;
    uint64_t now = 0;

    (void)state;
    cmw__gradient_init(&gradient, &rules, now);
    (void)run(&gradient, &now, 200, waits_beyond_200, 1000);
    for (unsigned i = 0; i < 100; i++)
        assert_in_range(run(&gradient, &now, 1, waits_beyond_200, 1000), 100, 300);
}

static void a_sudden_slowness_is_answered_soon(void **state)
{
    struct cmw__gradient gradient;
    uint64_t now = 0;

    (void)state;
    cmw__gradient_init(&gradient, &rules, now);
    (void)run(&gradient, &now, 1000, takes_always_as_long, 1000);
    assert_in_range(run(&gradient, &now, 20, is_ten_times_slower, 1000), rules.min_limit, 80);
}

static void and_its_end_as_well(void **state)
{
    struct cmw__gradient gradient;
    uint64_t now = 0;

    (void)state;
    cmw__gradient_init(&gradient, &rules, now);
    (void)run(&gradient, &now, 1000, takes_always_as_long, 1000);
    (void)run(&gradient, &now, 40, is_ten_times_slower, 1000);
    const uint32_t low = run(&gradient, &now, 1, takes_always_as_long, 1000);
    assert_true(run(&gradient, &now, 100, takes_always_as_long, 1000) > low * 3);
}

static void odd_times_harm_nothing(void **state)
{
    struct cmw__gradient gradient;
    const uint64_t nows[] = {0, UINT64_MAX, 5, 1000000, 0, 2000, UINT64_MAX, 1};

    (void)state;
    cmw__gradient_init(&gradient, &rules, 0);
    for (unsigned i = 0; i < 1000; i++) {
        const uint32_t limit = cmw__gradient_sample(&gradient, &rules, nows[i % LEN(nows)],
                                                    i % 3 ? UINT64_MAX : 0, i % 2 ? UINT32_MAX : 0);
        assert_in_range(limit, rules.min_limit, rules.max_limit);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fast_server_gets_more),
        cmocka_unit_test(what_is_not_used_does_not_grow),
        cmocka_unit_test(the_limit_stays_near_what_is_served_well),
        cmocka_unit_test(a_sudden_slowness_is_answered_soon),
        cmocka_unit_test(and_its_end_as_well),
        cmocka_unit_test(odd_times_harm_nothing),
    };
    return cmocka_run_group_tests_name("gradient", tests, NULL, NULL);
}
