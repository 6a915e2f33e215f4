/* SPDX-License-Identifier: MIT */
/* GCRA: what passes, what is said to be left, and times that no clock should give. */
#include "test.h"

#include "gcra.h"

#define S UINT64_C(1000000000)

/* ---- Steps ------------------------------------------------------------------------------ */

struct step {
    uint64_t at_ms;
    uint64_t cost;
    int passes;
    uint64_t remaining, reset_ms, retry_ms;
};

struct row {
    const char *name;
    uint64_t limit, window_ms, burst;
    struct step steps[8]; /* ended by one of cost 0 */
};

static const struct row rows[] = {
    {"a burst passes at once, then nothing",
     2,
     1000,
     5,
     {{0, 1, 1, 4, 500, 0},
      {10, 1, 1, 3, 990, 0},
      {20, 1, 1, 2, 1480, 0},
      {30, 1, 1, 1, 1970, 0},
      {40, 1, 1, 0, 2460, 0},
      {50, 1, 0, 0, 2450, 450},
      {60, 1, 0, 0, 2440, 440}}},
    {"what was taken comes back evenly",
     2,
     1000,
     2,
     {{0, 1, 1, 1, 500, 0},
      {10, 1, 1, 0, 990, 0},
      {20, 1, 0, 0, 980, 480},
      {650, 1, 1, 0, 850, 0},
      {660, 1, 0, 0, 840, 340},
      {1250, 1, 1, 0, 750, 0}}},
    {"a refusal takes nothing",
     1,
     1000,
     1,
     {{0, 1, 1, 0, 1000, 0},
      {500, 1, 0, 0, 500, 500},
      {999, 1, 0, 0, 1, 1},
      {1000, 1, 1, 0, 1000, 0}}},
    {"an idle key has no more than its burst",
     10,
     1000,
     2,
     {{0, 1, 1, 1, 100, 0},
      {100000, 1, 1, 1, 100, 0},
      {100001, 1, 1, 0, 199, 0},
      {100002, 1, 0, 0, 198, 98}}},
    {"a cost of several takes as much",
     10,
     1000,
     5,
     {{0, 3, 1, 2, 300, 0}, {0, 3, 0, 2, 300, 100}, {0, 2, 1, 0, 500, 0}, {100, 1, 1, 0, 500, 0}}},
    {"a cost over the burst never passes",
     10,
     1000,
     5,
     {{0, 6, 0, 5, 0, 0},
      {0, 4294967295, 0, 5, 0, 0},
      {0, 5, 1, 0, 500, 0},
      {0, 6, 0, 0, 500, 500}}},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct cmw__gcra gcra;
    struct cmw__rate_step step = {0};

    assert_int_equal(cmw__gcra_init(&gcra, row->limit, row->window_ms * 1000000, row->burst), 0);
    for (const struct step *want = row->steps; want < row->steps + 8 && want->cost > 0; want++) {
        const uint64_t before = step.state;
        const uint64_t now = 7 * S + want->at_ms * 1000000;
        assert_int_equal(cmw__gcra_step(&gcra, &step, before, now, want->cost), want->passes);
        assert_int_equal(step.remaining, want->remaining);
        assert_int_equal(step.reset_ns, want->reset_ms * 1000000);
        assert_int_equal(step.retry_ns, want->retry_ms * 1000000);
        if (!want->passes)
            assert_int_equal(step.state, before);
    }
}

/* ---- Counting --------------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed ^ *seed >> 31;
}

static void what_is_left_is_counted_as_a_division_would(void **state)
{
    uint64_t seed = 1;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        struct cmw__gcra gcra;
        const uint64_t limit = 1 + next_random(&seed) % CMW__RATE_LIMIT_MAX;
        const uint64_t window = limit * (1 + (next_random(&seed) >> next_random(&seed) % 64) % S);
        const uint64_t burst = 1 + (next_random(&seed) >> next_random(&seed) % 64) % 1000;
        if (window > CMW__RATE_SPAN_MAX || cmw__gcra_init(&gcra, limit, window, burst) != 0)
            continue;
        const uint64_t whole = next_random(&seed) % (burst + 1) * gcra.interval_ns;
        const uint64_t any = next_random(&seed) % (gcra.capacity_ns + 1);
        assert_int_equal(cmw__gcra_count(&gcra, whole), whole / gcra.interval_ns);
        assert_int_equal(cmw__gcra_count(&gcra, any), any / gcra.interval_ns);
        if (whole > 0)
            assert_int_equal(cmw__gcra_count(&gcra, whole - 1), (whole - 1) / gcra.interval_ns);
    }
}

static void the_high_half_of_a_product_is_right(void **state)
{
    (void)state;
    assert_int_equal(cmw__multiply_high(UINT64_MAX, UINT64_MAX), UINT64_MAX - 1);
    assert_int_equal(cmw__multiply_high(UINT64_C(1) << 63, 2), 1);
    assert_int_equal(cmw__multiply_high(UINT32_MAX, UINT32_MAX), 0);
    assert_int_equal(cmw__multiply_high(UINT64_C(0x123456789abcdef0), UINT64_C(0xfedcba9876543210)),
                     UINT64_C(0x121fa00ad77d7422));
}

/* In any stretch of time no more passes than the burst and what comes back in it. */
static void never_more_than_burst_and_rate_passes(void **state)
{
    struct cmw__gcra gcra;
    struct cmw__rate_step step = {0};
    uint64_t seed = 3, now = S, passed = 0;

    (void)state;
    assert_int_equal(cmw__gcra_init(&gcra, 7, S, 3), 0); /* a window that 7 does not divide */
    for (int i = 0; i < 100000; i++) {
        now += next_random(&seed) % (S / 10);
        const uint64_t cost = 1 + next_random(&seed) % 3;
        if (cmw__gcra_step(&gcra, &step, step.state, now, cost))
            passed += cost;
        assert_true(passed <= 3 + (now - S) * 7 / S);
    }
}

/* ---- Extremes --------------------------------------------------------------------------- */

static void a_burst_of_more_than_36_years_is_refused(void **state)
{
    struct cmw__gcra gcra;

    (void)state;
    assert_int_equal(cmw__gcra_init(&gcra, 1, CMW__RATE_SPAN_MAX, 1), 0);
    assert_int_equal(cmw__gcra_init(&gcra, 1, CMW__RATE_SPAN_MAX, 2), -1);
    assert_int_equal(cmw__gcra_init(&gcra, 1, UINT64_MAX, CMW__RATE_LIMIT_MAX), -1);
}

static void the_largest_numbers_do_not_overflow(void **state)
{
    static const uint64_t nows[] = {0, 1, CMW__RATE_NOW_MASK, CMW__RATE_NOW_MASK + 1, UINT64_MAX};
    struct cmw__gcra gcra;
    struct cmw__rate_step step = {0};

    (void)state;
    assert_int_equal(cmw__gcra_init(&gcra, 1, CMW__RATE_SPAN_MAX, 1), 0);
    for (size_t i = 0; i < LEN(nows); i++) {
        assert_int_equal(cmw__gcra_step(&gcra, &step, 0, nows[i], 1), 1);
        assert_int_equal(step.state >> 63, 0);
        assert_int_equal(step.remaining, 0);
        assert_int_equal(cmw__gcra_step(&gcra, &step, step.state, nows[i], UINT32_MAX), 0);
    }
}

static void time_that_goes_back_a_little_gives_nothing_away(void **state)
{
    struct cmw__gcra gcra;
    struct cmw__rate_step step = {0};

    (void)state;
    assert_int_equal(cmw__gcra_init(&gcra, 1, S, 1), 0);
    assert_int_equal(cmw__gcra_step(&gcra, &step, 0, 100 * S, 1), 1);
    const uint64_t taken = step.state;
    assert_int_equal(cmw__gcra_step(&gcra, &step, taken, 99 * S, 1), 0);
    assert_int_equal(step.state, taken);
    assert_int_equal(step.retry_ns, 2 * S);
}

static void a_clock_that_was_set_back_locks_nobody_out(void **state)
{
    struct cmw__gcra gcra;
    struct cmw__rate_step step = {0};

    (void)state;
    assert_int_equal(cmw__gcra_init(&gcra, 1, S, 1), 0);
    assert_int_equal(cmw__gcra_step(&gcra, &step, 0, 1000000 * S, 1), 1);
    assert_int_equal(cmw__gcra_is_expired(&gcra, step.state, 5 * S), 1);
    assert_int_equal(cmw__gcra_step(&gcra, &step, step.state, 5 * S, 1), 0); /* closed at first */
    assert_int_equal(step.retry_ns, S);
    assert_int_equal(cmw__gcra_step(&gcra, &step, step.state, 6 * S, 1), 1);
}

static void a_refund_gives_back_what_was_taken_and_no_more(void **state)
{
    struct cmw__gcra gcra;
    struct cmw__rate_step step = {0};

    (void)state;
    assert_int_equal(cmw__gcra_init(&gcra, 10, S, 10), 0);
    assert_int_equal(cmw__gcra_step(&gcra, &step, 0, 9 * S, 4), 1);
    assert_int_equal(cmw__gcra_refund(&gcra, step.state, 9 * S, 1), 9 * S + 3 * S / 10);
    assert_int_equal(cmw__gcra_refund(&gcra, step.state, 9 * S, 9), 9 * S);
    assert_int_equal(cmw__gcra_refund(&gcra, step.state, 20 * S, 4), step.state);
    assert_int_equal(cmw__gcra_refund(&gcra, step.state, 9 * S, 11), step.state);
}

static void a_state_expires_when_all_is_there_again(void **state)
{
    struct cmw__gcra gcra;
    struct cmw__rate_step step = {0};

    (void)state;
    assert_int_equal(cmw__gcra_init(&gcra, 1, S, 1), 0);
    assert_int_equal(cmw__gcra_step(&gcra, &step, 0, 9 * S, 1), 1);
    assert_int_equal(cmw__gcra_is_expired(&gcra, step.state, 9 * S), 0);
    assert_int_equal(cmw__gcra_is_expired(&gcra, step.state, 10 * S), 0);
    assert_int_equal(cmw__gcra_is_expired(&gcra, step.state, 10 * S + 1), 1);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(what_is_left_is_counted_as_a_division_would),
        cmocka_unit_test(the_high_half_of_a_product_is_right),
        cmocka_unit_test(never_more_than_burst_and_rate_passes),
        cmocka_unit_test(a_burst_of_more_than_36_years_is_refused),
        cmocka_unit_test(the_largest_numbers_do_not_overflow),
        cmocka_unit_test(time_that_goes_back_a_little_gives_nothing_away),
        cmocka_unit_test(a_clock_that_was_set_back_locks_nobody_out),
        cmocka_unit_test(a_refund_gives_back_what_was_taken_and_no_more),
        cmocka_unit_test(a_state_expires_when_all_is_there_again),
    };
    struct CMUnitTest tests[LEN(rows)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("gcra, steps", tests, NULL, NULL) +
           cmocka_run_group_tests_name("gcra", others, NULL, NULL);
}
