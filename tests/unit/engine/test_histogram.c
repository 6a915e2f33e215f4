/* SPDX-License-Identifier: MIT */
/* Buckets of durations: their order, their width, their ends. */
#include "histogram.h"

#include "test.h"

struct row {
    const char *name;
    uint64_t ns;
    uint32_t bucket;
};

static const struct row rows[] = {
    {"zero has the first bucket", 0, 0},
    {"each nanosecond below 16 has its own", 15, 15},
    {"16 ns begin the first power of two", 16, 16},
    {"31 ns end it", 31, 31},
    {"32 and 33 ns share one", 33, 32},
    {"34 ns begin the next", 34, 33},
    {"the last nanosecond that is told apart has the last bucket", (UINT64_C(1) << 41) - 1, 607},
    {"37 minutes have the last bucket", UINT64_C(1) << 41, 607},
    {"the longest duration has the last bucket", UINT64_MAX, 607},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    assert_int_equal(cmw__histogram_bucket(row->ns), row->bucket);
    assert_true(row->bucket < CMW__HISTOGRAM_BUCKETS);
}

static void the_upper_end_of_a_bucket_is_in_it_and_the_next_is_not(void **state)
{
    (void)state;
    for (uint32_t i = 0; i + 1 < CMW__HISTOGRAM_BUCKETS; i++) {
        const uint64_t upper = cmw__histogram_upper(i);
        assert_int_equal(cmw__histogram_bucket(upper), i);
        assert_int_equal(cmw__histogram_bucket(upper + 1), i + 1);
    }
}

static void a_bucket_is_at_most_a_sixteenth_of_its_value_wide(void **state)
{
    (void)state;
    for (uint32_t i = 16; i < CMW__HISTOGRAM_BUCKETS; i++) {
        const uint64_t width = cmw__histogram_upper(i) - cmw__histogram_upper(i - 1);
        assert_true(width * 16 <= cmw__histogram_upper(i - 1) + 1);
    }
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows) + 2] = {
        cmocka_unit_test(the_upper_end_of_a_bucket_is_in_it_and_the_next_is_not),
        cmocka_unit_test(a_bucket_is_at_most_a_sixteenth_of_its_value_wide),
    };
    for (size_t i = 0; i < LEN(rows); i++)
        tests[2 + i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("histogram", tests, NULL, NULL);
}
