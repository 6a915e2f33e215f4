/* SPDX-License-Identifier: MIT */
/* Fixed and sliding windows: what passes, what is left, and times that no clock should give. */
#include "test.h"

#include "rate_window.h"

#define MS UINT64_C(1000000)
#define DAY_MS UINT64_C(86400000)

enum { FIXED, SLIDING };

static int make_step(int kind, const struct cmw__rate_window *window, struct cmw__rate_step *step,
                     uint64_t state, uint64_t now_ns, uint64_t cost)
{
    return kind == FIXED ? cmw__fixed_window_step(window, step, state, now_ns, cost)
                         : cmw__sliding_window_step(window, step, state, now_ns, cost);
}

static void make_window(int kind, struct cmw__rate_window *window, uint64_t limit,
                        uint64_t window_ms)
{
    uint64_t least_ms;

    if (kind == FIXED)
        cmw__fixed_window_init(window, limit, window_ms);
    else
        assert_int_equal(cmw__sliding_window_init(window, limit, window_ms, &least_ms), 0);
}

struct step {
    uint64_t at_ms;
    uint64_t cost;
    int passes;
    uint64_t remaining, reset_ms, retry_ms;
};

struct row {
    const char *name;
    int kind;
    uint64_t limit, window_ms;
    struct step steps[8]; /* ended by one of cost 0 */
};

/* The sliding ones begin where a window begins. */
static const struct row rows[] = {
    {"fixed: the limit passes, then nothing until the window ends",
     FIXED,
     2,
     60000,
     {{0, 1, 1, 1, 60000, 0},
      {20, 1, 1, 0, 59980, 0},
      {40, 1, 0, 0, 59960, 59960},
      {59999, 1, 0, 0, 1, 1},
      {60000, 1, 1, 1, 60000, 0}}},
    {"fixed: the window opens with the first request of the key",
     FIXED,
     2,
     1000,
     {{700, 1, 1, 1, 1000, 0},
      {1600, 1, 1, 0, 100, 0},
      {1650, 1, 0, 0, 50, 50},
      {1700, 1, 1, 1, 1000, 0}}},
    {"fixed: refusals do not make the window longer",
     FIXED,
     1,
     1000,
     {{0, 1, 1, 0, 1000, 0},
      {300, 1, 0, 0, 700, 700},
      {900, 1, 0, 0, 100, 100},
      {1000, 1, 1, 0, 1000, 0}}},
    {"fixed: a cost takes as much or nothing",
     FIXED,
     5,
     1000,
     {{0, 3, 1, 2, 1000, 0}, {1, 3, 0, 2, 999, 999}, {2, 2, 1, 0, 998, 0}, {3, 1, 0, 0, 997, 997}}},
    {"fixed: a cost over the limit never passes",
     FIXED,
     5,
     1000,
     {{0, 6, 0, 5, 1000, 1000}, {1, 5, 1, 0, 1000, 0}}},
    {"sliding: the limit passes, then nothing until a part of it has slid out",
     SLIDING,
     4,
     1000,
     {{0, 4, 1, 0, 2000, 0},
      {500, 1, 0, 0, 1500, 750},
      {1249, 1, 0, 0, 751, 1},
      {1250, 1, 1, 0, 1750, 0},
      {1300, 1, 0, 0, 1700, 200},
      {1500, 1, 1, 0, 1500, 0}}},
    {"sliding: two windows later all is forgotten",
     SLIDING,
     4,
     1000,
     {{0, 4, 1, 0, 2000, 0}, {2000, 4, 1, 0, 2000, 0}}},
    {"sliding: a burst at a boundary does not pass twice",
     SLIDING,
     10,
     1000,
     {{990, 10, 1, 0, 1010, 0},
      {1010, 1, 0, 0, 990, 90},
      {1099, 1, 0, 0, 901, 1},
      {1100, 1, 1, 0, 1900, 0}}},
    {"sliding: a cost over the limit never passes",
     SLIDING,
     5,
     1000,
     {{0, 6, 0, 5, 0, 2000}, {1, 5, 1, 0, 1999, 0}}},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct cmw__rate_window window;
    struct cmw__rate_step step = {0};

    make_window(row->kind, &window, row->limit, row->window_ms);
    for (const struct step *want = row->steps; want < row->steps + 8 && want->cost > 0; want++) {
        const uint64_t before = step.state;
        const uint64_t now = (60000 + want->at_ms) * MS + 1;
        assert_int_equal(make_step(row->kind, &window, &step, before, now, want->cost),
                         want->passes);
        assert_int_equal(step.remaining, want->remaining);
        assert_int_equal(step.reset_ns, want->reset_ms * MS);
        assert_int_equal(step.retry_ns, want->retry_ms * MS);
        if (!want->passes)
            assert_int_equal(step.state, before);
    }
}

static uint64_t next_random(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return *seed ^ *seed >> 31;
}

/* What is said about the wait holds: not a moment earlier, and then it does. */
static void after_the_wait_the_same_request_passes(void **state)
{
    uint64_t seed = 5;

    (void)state;
    for (int kind = FIXED; kind <= SLIDING; kind++) {
        struct cmw__rate_window window;
        struct cmw__rate_step step = {0}, again;
        uint64_t now = DAY_MS * MS;
        make_window(kind, &window, 50, 700);
        for (int i = 0; i < 100000; i++) {
            const uint64_t cost = 1 + next_random(&seed) % 20;
            now += next_random(&seed) % 20 * MS;
            if (make_step(kind, &window, &step, step.state, now, cost))
                continue;
            assert_true(step.retry_ns > 0);
            assert_int_equal(
                make_step(kind, &window, &again, step.state, now + step.retry_ns - MS, cost), 0);
            assert_int_equal(
                make_step(kind, &window, &again, step.state, now + step.retry_ns, cost), 1);
        }
    }
}

static void the_largest_limit_and_window_fit(void **state)
{
    (void)state;
    for (int kind = FIXED; kind <= SLIDING; kind++) {
        struct cmw__rate_window window;
        struct cmw__rate_step step = {0};
        const uint64_t now = UINT64_C(1) << 62;
        make_window(kind, &window, CMW__RATE_LIMIT_MAX, 366 * DAY_MS);
        assert_int_equal(make_step(kind, &window, &step, 0, now, CMW__RATE_LIMIT_MAX - 1), 1);
        assert_int_equal(step.remaining, 1);
        assert_int_equal(step.state >> 63, 0);
        assert_int_equal(make_step(kind, &window, &step, step.state, now, 1), 1);
        assert_int_equal(make_step(kind, &window, &step, step.state, now, 1), 0);
        assert_int_equal(make_step(kind, &window, &step, step.state, UINT64_MAX, UINT32_MAX), 0);
        assert_int_equal(step.state >> 63, 0);
    }
}

static void a_window_too_short_to_slide_is_refused(void **state)
{
    struct cmw__rate_window window;
    uint64_t least_ms = 0;

    (void)state;
    assert_int_equal(cmw__sliding_window_init(&window, 4095, 1, &least_ms), 0);
    assert_int_equal(cmw__sliding_window_init(&window, 65535, 255, &least_ms), -1);
    assert_int_equal(least_ms, 256);
    assert_int_equal(cmw__sliding_window_init(&window, 65535, 256, &least_ms), 0);
}

static void time_that_goes_back_a_little_gives_nothing_away(void **state)
{
    (void)state;
    for (int kind = FIXED; kind <= SLIDING; kind++) {
        struct cmw__rate_window window;
        struct cmw__rate_step step = {0};
        make_window(kind, &window, 2, 1000);
        assert_int_equal(make_step(kind, &window, &step, 0, 60000 * MS, 2), 1);
        const uint64_t taken = step.state;
        assert_int_equal(make_step(kind, &window, &step, taken, 59500 * MS, 1), 0);
        assert_int_equal(step.state, taken);
    }
}

static void a_clock_that_was_set_back_locks_nobody_out(void **state)
{
    (void)state;
    for (int kind = FIXED; kind <= SLIDING; kind++) {
        struct cmw__rate_window window;
        struct cmw__rate_step step = {0};
        make_window(kind, &window, 2, 1000);
        assert_int_equal(make_step(kind, &window, &step, 0, 90000000 * MS, 1), 1);
        assert_int_equal(make_step(kind, &window, &step, step.state, 5000 * MS, 1), 0);
        assert_int_equal(make_step(kind, &window, &step, step.state, 7000 * MS, 1), 1);
    }
}

static void a_refund_goes_to_the_window_it_was_taken_in(void **state)
{
    struct cmw__rate_window window;
    struct cmw__rate_step first, later;

    (void)state;
    make_window(FIXED, &window, 5, 1000);
    cmw__fixed_window_step(&window, &first, 0, 60000 * MS, 3);
    cmw__fixed_window_step(&window, &later, cmw__fixed_window_refund(first.state, first.state, 3),
                           60001 * MS, 1);
    assert_int_equal(later.remaining, 4);
    cmw__fixed_window_step(&window, &later, first.state, 61000 * MS, 2);
    assert_int_equal(cmw__fixed_window_refund(later.state, first.state, 3), later.state);

    make_window(SLIDING, &window, 5, 1000);
    cmw__sliding_window_step(&window, &first, 0, 60000 * MS, 3);
    cmw__sliding_window_step(&window, &later, first.state, 61000 * MS, 1);
    assert_int_equal(later.remaining, 1);
    cmw__sliding_window_step(&window, &later,
                             cmw__sliding_window_refund(&window, later.state, first.state, 3),
                             61000 * MS, 1);
    assert_int_equal(later.remaining, 3);
}

static void a_state_expires_when_it_says_nothing(void **state)
{
    struct cmw__rate_window window;
    struct cmw__rate_step step;

    (void)state;
    make_window(FIXED, &window, 5, 1000);
    cmw__fixed_window_step(&window, &step, 0, 60000 * MS, 3);
    assert_int_equal(cmw__fixed_window_is_expired(&window, step.state, 60999 * MS), 0);
    assert_int_equal(cmw__fixed_window_is_expired(&window, step.state, 61000 * MS), 1);
    make_window(SLIDING, &window, 5, 1000);
    cmw__sliding_window_step(&window, &step, 0, 60000 * MS, 3);
    assert_int_equal(cmw__sliding_window_is_expired(&window, step.state, 61999 * MS), 0);
    assert_int_equal(cmw__sliding_window_is_expired(&window, step.state, 62000 * MS), 1);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(after_the_wait_the_same_request_passes),
        cmocka_unit_test(the_largest_limit_and_window_fit),
        cmocka_unit_test(a_window_too_short_to_slide_is_refused),
        cmocka_unit_test(time_that_goes_back_a_little_gives_nothing_away),
        cmocka_unit_test(a_clock_that_was_set_back_locks_nobody_out),
        cmocka_unit_test(a_refund_goes_to_the_window_it_was_taken_in),
        cmocka_unit_test(a_state_expires_when_it_says_nothing),
    };
    struct CMUnitTest tests[LEN(rows)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("rate_window, steps", tests, NULL, NULL) +
           cmocka_run_group_tests_name("rate_window", others, NULL, NULL);
}
