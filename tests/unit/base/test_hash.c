/* SPDX-License-Identifier: MIT */
#include "hash.h"

#include "guard_page.h"
#include "test.h"

#define LEN_MAX 80

static void the_same_bytes_have_the_same_hash_at_any_address(void **state)
{
    struct guard_page page;
    char text[LEN_MAX];

    (void)state;
    memset(text, 'a', sizeof text);
    guard_page_open(&page, sizeof text);
    for (size_t len = 0; len <= LEN_MAX; len++) {
        const cmw_str bytes = cmw_str_make(text, len);
        const uint64_t hash = cmw__hash(text, len, 7);
        assert_true(cmw__hash(guard_page_put(&page, bytes).data, len, 7) == hash);
        assert_true(cmw__hash(guard_page_put_first(&page, bytes).data, len, 7) == hash);
    }
    guard_page_close(&page);
}

static void every_bit_of_every_length_counts(void **state)
{
    (void)state;
    for (size_t len = 1; len <= LEN_MAX; len++) {
        char text[LEN_MAX] = {0};
        const uint64_t hash = cmw__hash(text, len, 0);
        for (size_t bit = 0; bit < 8 * len; bit++) {
            text[bit / 8] = (char)(1 << bit % 8);
            assert_true(cmw__hash(text, len, 0) != hash);
            text[bit / 8] = 0;
        }
    }
}

static void lengths_of_equal_bytes_differ(void **state)
{
    const char zeros[LEN_MAX] = {0};

    (void)state;
    for (size_t a = 0; a <= LEN_MAX; a++) {
        for (size_t b = 0; b < a; b++)
            assert_true(cmw__hash(zeros, a, 0) != cmw__hash(zeros, b, 0));
    }
}

static void seeds_give_other_functions(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 1000; seed++)
        assert_true(cmw__hash("/api/users", 10, seed) != cmw__hash("/api/users", 10, 0));
}

#define KEYS 4096

/* With 4096 keys in 4096 buckets, a random function gives the fullest one about 7. */
static void low_and_high_bits_spread_similar_keys(void **state)
{
    unsigned low[KEYS] = {0};
    unsigned high[KEYS] = {0};

    (void)state;
    for (unsigned i = 0; i < KEYS; i++) {
        const char key[] = {'/',
                            'v',
                            '1',
                            '/',
                            (char)('a' + i / 676 % 26),
                            (char)('a' + i / 26 % 26),
                            (char)('a' + i % 26)};
        const uint64_t hash = cmw__hash(key, sizeof key, 0);
        assert_true(++low[hash % KEYS] < 16);
        assert_true(++high[hash / (UINT64_MAX / KEYS + 1)] < 16);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_bytes_have_the_same_hash_at_any_address),
        cmocka_unit_test(every_bit_of_every_length_counts),
        cmocka_unit_test(lengths_of_equal_bytes_differ),
        cmocka_unit_test(seeds_give_other_functions),
        cmocka_unit_test(low_and_high_bits_spread_similar_keys),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
