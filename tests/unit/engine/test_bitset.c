/* SPDX-License-Identifier: MIT */
/* Bitsets with a summary: against an array of flags, in memory that was never cleared. */
#include "bitset.h"

#include "test.h"

#define BITS_MAX 9000

struct row {
    const char *name;
    uint32_t bits;
    uint32_t every; /* which bits are added */
};

static const struct row rows[] = {
    {"one bit is found again", 1, 1},
    {"the ends of words are found again", 130, 63},
    {"a full set has all", 200, 1},
    {"an empty set has none", 200, 1000},
    {"a set of more than 4,096 bits has a summary of several words", 9000, 4095},
    {"a sparse large set skips what is empty", 9000, 777},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    static uint64_t room[BITS_MAX / 64 + 8];
    uint32_t expected = row->bits;

    memset(room, 0xa5, sizeof room);
    assert_true(cmw__bitset_room(row->bits) <= sizeof room / sizeof *room);
    const struct cmw__bitset set = cmw__bitset_init(room, row->bits);
    for (uint32_t i = 0; i < row->bits; i++)
        assert_int_equal(cmw__bitset_has(set, i), 0);
    for (uint32_t i = row->every - 1; i < row->bits; i += row->every)
        cmw__bitset_add(set, i);
    for (uint32_t i = row->bits; i-- > 0;) {
        const int is_in = (i + 1) % row->every == 0;
        assert_int_equal(cmw__bitset_has(set, i), is_in);
        expected = is_in ? i : expected;
        assert_int_equal(cmw__bitset_next(set, i, row->bits), expected);
    }
    assert_int_equal(room[cmw__bitset_room(row->bits)], UINT64_C(0xa5a5a5a5a5a5a5a5));
}

static void next_stops_at_the_limit(void **state)
{
    uint64_t room[8];
    const struct cmw__bitset set = cmw__bitset_init(room, 256);

    (void)state;
    cmw__bitset_add(set, 100);
    assert_int_equal(cmw__bitset_next(set, 0, 100), 100);
    assert_int_equal(cmw__bitset_next(set, 0, 50), 50);
    assert_int_equal(cmw__bitset_next(set, 0, 101), 100);
    assert_int_equal(cmw__bitset_next(set, 101, 256), 256);
    assert_int_equal(cmw__bitset_next(set, 256, 256), 256);
}

static void adding_twice_keeps_the_neighbours(void **state)
{
    uint64_t room[8];
    const struct cmw__bitset set = cmw__bitset_init(room, 128);

    (void)state;
    cmw__bitset_add(set, 64);
    cmw__bitset_add(set, 65);
    cmw__bitset_add(set, 64);
    assert_int_equal(cmw__bitset_has(set, 64), 1);
    assert_int_equal(cmw__bitset_has(set, 65), 1);
    assert_int_equal(cmw__bitset_has(set, 66), 0);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows) + 2] = {
        cmocka_unit_test(next_stops_at_the_limit),
        cmocka_unit_test(adding_twice_keeps_the_neighbours),
    };
    for (size_t i = 0; i < LEN(rows); i++)
        tests[2 + i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("bitset", tests, NULL, NULL);
}
