/* SPDX-License-Identifier: MIT */
/*
 * The keyed hash: SipHash against published values, AES against a slow AES in plain C, and what
 * both promise to a table that strangers fill.
 */
#include "test.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guard_page.h"
#include "keyed_hash.h"

/* Of the bytes 0, 1, 2, ... (n of them in the n-th) under the key 00 01 .. 0f. Those of a zero key
 * were held against CPython's hash of bytes, which is this function. */
static const uint64_t sip_values[] = {
    UINT64_C(0xabac0158050fc4dc), UINT64_C(0xc9f49bf37d57ca93), UINT64_C(0x82cb9b024dc7d44d),
    UINT64_C(0x8bf80ab8e7ddf7fb), UINT64_C(0xcf75576088d38328), UINT64_C(0xdef9d52f49533b67),
    UINT64_C(0xc50d2b50c59f22a7), UINT64_C(0xd3927d989bb11140), UINT64_C(0x369095118d299a8e),
    UINT64_C(0x25a48eb36c063de4), UINT64_C(0x79de85ee92ff097f), UINT64_C(0x70c118c1f94dc352),
    UINT64_C(0x78a384b157b4d9a2), UINT64_C(0x306f760c1229ffa7), UINT64_C(0x605aa111c0f95d34),
    UINT64_C(0xd320d86d2a519956), UINT64_C(0xcc4fdd1a7d908b66), UINT64_C(0x9cf2689063dbd80c),
    UINT64_C(0x8ffc389cb473e63e), UINT64_C(0xf21f9de58d297d1c), UINT64_C(0xc0dc2f46a6cce040),
    UINT64_C(0xb992abfe2b45f844), UINT64_C(0x7ffe7b9ba320872e), UINT64_C(0x525a0e7fdae6c123),
    UINT64_C(0xf464aeb267349c8c), UINT64_C(0x45cd5928705b0979), UINT64_C(0x3a3e35e3ca9913a5),
    UINT64_C(0xa91dc74e4ade3b35), UINT64_C(0xfb0bed02ef6cd00d), UINT64_C(0x88d93cb44ab1e1f4),
    UINT64_C(0x540f11d643c5e663), UINT64_C(0x2370dd1f8c21d1bc), UINT64_C(0x81157b6c16a7b60d),
    UINT64_C(0x4d54b9e57a8ff9bf), UINT64_C(0x759f12781f2a753e), UINT64_C(0xcea1a3bebf186b91),
    UINT64_C(0x2cf508d3ada26206), UINT64_C(0xb6101c2da3c33057), UINT64_C(0xb3f47496ae3a36a1),
    UINT64_C(0x626b57547b108392), UINT64_C(0xc1d2363299e41531), UINT64_C(0x667cc1923f1ad944),
    UINT64_C(0x65704ffec8138825), UINT64_C(0x24f280d1c28949a6), UINT64_C(0xc2ca1cedfaf8876b),
    UINT64_C(0xc2164bfc9f042196), UINT64_C(0xa16e9c9368b1d623), UINT64_C(0x49fb169c8b5114fd),
    UINT64_C(0x9f3143f8df074c46), UINT64_C(0xc6fdaf2412cc86b3), UINT64_C(0x7eaf49d10a52098f),
    UINT64_C(0x1cf313559d292f9a), UINT64_C(0xc44a30dda2f41f12), UINT64_C(0x36fae98943a71ed0),
    UINT64_C(0x318fb34c73f0bce6), UINT64_C(0xa27abf3670a7e980), UINT64_C(0xb4bcc0db243c6d75),
    UINT64_C(0x23f8d852fdb71513), UINT64_C(0x8f035f4da67d8a08), UINT64_C(0xd89cd0e5b7e8f148),
    UINT64_C(0xf6f4e6bcf7a644ee), UINT64_C(0xaec59ad80f1837f2), UINT64_C(0xc3b2f6154b6694e0),
    UINT64_C(0x9d199062b7bbb3a8),
};

static cmw_hash_key key_of(uint32_t algorithm, uint64_t seed)
{
    cmw_hash_key key = {{0}, algorithm, 0};
    for (size_t i = 0; i < LEN(key.words); i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        key.words[i] = seed ^ seed >> 29;
    }
    return key;
}

static void fill(char *bytes, size_t len, uint64_t seed)
{
    for (size_t i = 0; i < len; i++) {
        seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        bytes[i] = (char)(seed >> 56);
    }
}

/* ---- SipHash ---------------------------------------------------------------------------- */

static void siphash_gives_the_published_values(void **state)
{
    const cmw_hash_key key = {{UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908), 0, 0},
                              CMW__HASH_SIPHASH_1_3,
                              0};
    char bytes[LEN(sip_values)];

    (void)state;
    for (size_t i = 0; i < LEN(bytes); i++)
        bytes[i] = (char)i;
    for (size_t i = 0; i < LEN(sip_values); i++)
        assert_int_equal(cmw_hash_keyed(&key, cmw_str_make(bytes, i)), sip_values[i]);
}

static void an_unknown_algorithm_is_siphash(void **state)
{
    cmw_hash_key key = key_of(CMW__HASH_SIPHASH_1_3, 1);
    const uint64_t expected = cmw_hash_keyed(&key, CMW_STR("abc"));

    (void)state;
    key.algorithm = 77;
    assert_int_equal(cmw_hash_keyed(&key, CMW_STR("abc")), expected);
}

/* ---- AES, slowly ------------------------------------------------------------------------ */

typedef struct block {
    uint8_t bytes[16];
} block;

static uint8_t times_two(uint8_t x)
{
    return (uint8_t)(x << 1 ^ (x & 0x80 ? 0x1b : 0));
}

static uint8_t multiply(uint8_t a, uint8_t b)
{
    uint8_t product = 0;
    for (; b; b >>= 1, a = times_two(a))
        if (b & 1)
            product ^= a;
    return product;
}

/* FIPS 197, 5.1.1: the inverse, then the affine map. */
static uint8_t substitute(uint8_t x)
{
    uint8_t inverse = 1;
    for (int i = 0; i < 254; i++)
        inverse = multiply(inverse, x);
    uint8_t out = 0x63;
    for (int i = 0; i < 5; i++)
        out ^= (uint8_t)(inverse << i | inverse >> (8 - i));
    return out;
}

static block aes_round(block in, block key)
{
    block out;
    for (size_t column = 0; column < 4; column++) {
        uint8_t s[4];
        for (size_t row = 0; row < 4; row++)
            s[row] = substitute(in.bytes[4 * ((column + row) % 4) + row]);
        for (size_t row = 0; row < 4; row++)
            out.bytes[4 * column + row] =
                (uint8_t)(times_two(s[row]) ^ times_two(s[(row + 1) % 4]) ^ s[(row + 1) % 4] ^
                          s[(row + 2) % 4] ^ s[(row + 3) % 4] ^ key.bytes[4 * column + row]);
    }
    return out;
}

static block add(block a, block b)
{
    for (size_t i = 0; i < 16; i++)
        a.bytes[i] ^= b.bytes[i];
    return a;
}

static block block_at(const void *at)
{
    block out;
    memcpy(&out, at, sizeof out);
    return out;
}

static block mix(block state, block a, block b)
{
    return aes_round(aes_round(aes_round(aes_round(state, b), a), b), a);
}

static block last_block(const char *bytes, size_t len)
{
    block out = {{0}};
    if (len < 16) {
        memcpy(&out, bytes, len);
        out.bytes[15] = (uint8_t)len;
        return out;
    }
    return block_at(bytes + len - 16);
}

static uint64_t slow_aes(const cmw_hash_key *key, const char *bytes, size_t len)
{
    const block a = block_at(&key->words[0]), b = block_at(&key->words[2]);
    block state = len == 16 ? b : a;
    uint64_t out;

    for (size_t at = 0; at + 16 < len; at += 16)
        state = mix(add(state, block_at(bytes + at)), a, b);
    state = mix(add(state, last_block(bytes, len)), a, b);
    if (len > 16) {
        block end = {{0}};
        memcpy(&end, &len, sizeof len);
        state = mix(add(state, end), a, b);
    }
    memcpy(&out, &state, sizeof out);
    return out;
}

static void aes_instructions_do_what_aes_says(void **state)
{
    char bytes[100];

    (void)state;
    if (!cmw__hash_aes_is_available())
        skip();
    for (size_t len = 0; len <= LEN(bytes); len++) {
        const cmw_hash_key key = key_of(CMW__HASH_AES, len);
        fill(bytes, len, len + 7);
        assert_int_equal(cmw_hash_keyed(&key, cmw_str_make(bytes, len)),
                         slow_aes(&key, bytes, len));
    }
}

/* ---- What both promise ------------------------------------------------------------------ */

/* The algorithms that this CPU can run. */
static size_t algorithms(uint32_t out[2])
{
    out[0] = CMW__HASH_SIPHASH_1_3;
    out[1] = CMW__HASH_AES;
    return cmw__hash_aes_is_available() ? 2 : 1;
}

#define FOR_EACH_ALGORITHM(name)                                                                   \
    uint32_t all_[2];                                                                              \
    const size_t count_ = algorithms(all_);                                                        \
    for (const uint32_t *name = all_; name < all_ + count_; name++)

static void nothing_is_read_outside_of_the_bytes(void **state)
{
    struct guard_page page;

    (void)state;
    guard_page_open(&page, 4096);
    FOR_EACH_ALGORITHM(algorithm)
    {
        const cmw_hash_key key = key_of(*algorithm, 3);
        for (size_t len = 0; len <= 80; len++) {
            char bytes[80];
            fill(bytes, len, len);
            const cmw_str text = cmw_str_make(bytes, len);
            const uint64_t hash = cmw_hash_keyed(&key, text);
            assert_int_equal(cmw_hash_keyed(&key, guard_page_put(&page, text)), hash);
            assert_int_equal(cmw_hash_keyed(&key, guard_page_put_first(&page, text)), hash);
        }
    }
    guard_page_close(&page);
}

/* Each bit of the hash turns in half of the cases when one bit of the bytes turns. 64 * 64 samples
 * a bit: a fair coin stays within a tenth of a half by more than ten standard deviations. */
static void check_avalanche(uint32_t algorithm, size_t len)
{
    uint32_t turned[64] = {0};
    uint32_t samples = 0;
    char bytes[64];

    while (samples < 4096) {
        const cmw_hash_key key = key_of(algorithm, samples);
        fill(bytes, len, samples);
        const uint64_t before = cmw_hash_keyed(&key, cmw_str_make(bytes, len));
        for (size_t bit = 0; bit < 8 * len; bit++, samples++) {
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
            const uint64_t change = before ^ cmw_hash_keyed(&key, cmw_str_make(bytes, len));
            bytes[bit / 8] = (char)(bytes[bit / 8] ^ 1 << bit % 8);
            for (size_t i = 0; i < 64; i++)
                turned[i] += (uint32_t)(change >> i & 1);
        }
    }
    for (size_t i = 0; i < 64; i++)
        assert_in_range(turned[i], samples * 4 / 10, samples * 6 / 10);
}

static void one_bit_of_the_bytes_turns_half_of_the_hash(void **state)
{
    static const size_t lengths[] = {1, 3, 4, 7, 8, 15, 16, 17, 32, 64};

    (void)state;
    FOR_EACH_ALGORITHM(algorithm)
    {
        for (size_t i = 0; i < LEN(lengths); i++)
            check_avalanche(*algorithm, lengths[i]);
    }
}

static int compare_words(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void assert_all_differ(uint64_t *words, size_t count)
{
    qsort(words, count, sizeof *words, compare_words);
    for (size_t i = 1; i < count; i++)
        assert_int_not_equal(words[i - 1], words[i]);
}

static void zeros_of_every_length_differ(void **state)
{
    static const char zeros[400];
    uint64_t hashes[401];

    (void)state;
    FOR_EACH_ALGORITHM(algorithm)
    {
        const cmw_hash_key key = key_of(*algorithm, 11);
        for (size_t len = 0; len < LEN(hashes); len++)
            hashes[len] = cmw_hash_keyed(&key, cmw_str_make(zeros, len));
        assert_all_differ(hashes, LEN(hashes));
    }
}

/* A byte more whose value looks like padding or a length must not be swallowed by it. */
static void what_looks_like_a_length_is_not_one(void **state)
{
    uint64_t hashes[64 * 4];

    (void)state;
    FOR_EACH_ALGORITHM(algorithm)
    {
        const cmw_hash_key key = key_of(*algorithm, 12);
        size_t count = 0;
        for (size_t len = 1; len <= 64; len++) {
            const unsigned char last[] = {(unsigned char)len, (unsigned char)(len + 1), 0x80, 0xff};
            for (size_t i = 0; i < LEN(last); i++) {
                char bytes[64] = {0};
                if (i > 0 && last[i] == last[0])
                    continue;
                bytes[len - 1] = (char)last[i];
                hashes[count++] = cmw_hash_keyed(&key, cmw_str_make(bytes, len));
            }
        }
        assert_all_differ(hashes, count);
    }
}

/* The blocks of a long message overlap: one that repeats itself must not look like a shorter one.
 */
static void repeated_bytes_of_every_length_differ(void **state)
{
    uint64_t hashes[4 * 100];

    (void)state;
    FOR_EACH_ALGORITHM(algorithm)
    {
        const cmw_hash_key key = key_of(*algorithm, 13);
        for (size_t byte = 0; byte < 4; byte++)
            for (size_t len = 1; len <= 100; len++) {
                char bytes[100];
                memset(bytes, (int)byte + 'a', sizeof bytes);
                hashes[100 * byte + len - 1] = cmw_hash_keyed(&key, cmw_str_make(bytes, len));
            }
        assert_all_differ(hashes, LEN(hashes));
    }
}

static void a_pair_of_words_is_sixteen_bytes(void **state)
{
    static const uint64_t words[2] = {UINT64_C(0x0123456789abcdef), UINT64_C(0xfedcba9876543210)};

    (void)state;
    FOR_EACH_ALGORITHM(algorithm)
    {
        const cmw_hash_key key = key_of(*algorithm, 14);
        assert_int_equal(cmw_hash_keyed_pair(&key, words[0], words[1]),
                         cmw_hash_keyed(&key, cmw_str_make((const char *)words, sizeof words)));
    }
}

/* The same bytes, cut at every place, or not at all. */
static void where_pieces_are_cut_counts(void **state)
{
    enum { BYTES = 48, CUTS = BYTES + 1 };
    struct guard_page page;
    char bytes[BYTES];

    (void)state;
    guard_page_open(&page, 4096);
    memset(bytes, 0, sizeof bytes);
    const cmw_str text = guard_page_put(&page, cmw_str_make(bytes, BYTES));
    FOR_EACH_ALGORITHM(algorithm)
    {
        const cmw_hash_key key = key_of(*algorithm, 11);
        uint64_t hashes[CUTS + 1];
        for (size_t cut = 0; cut < CUTS; cut++) {
            const cmw_str parts[] = {cmw_str_make(text.data, cut),
                                     cmw_str_make(text.data + cut, BYTES - cut)};
            hashes[cut] = cmw_hash_keyed_parts(&key, parts, 2);
            assert_int_equal(hashes[cut], cmw_hash_keyed_parts(&key, parts, 2));
        }
        hashes[CUTS] = cmw_hash_keyed_parts(&key, &text, 1);
        for (size_t i = 0; i <= CUTS; i++)
            for (size_t k = i + 1; k <= CUTS; k++)
                assert_true(hashes[i] != hashes[k]);
    }
    guard_page_close(&page);
}

static void one_bit_of_a_piece_turns_the_hash(void **state)
{
    char bytes[40] = {0};
    const cmw_str parts[] = {cmw_str_make(bytes, 7), cmw_str_make(bytes + 7, 33)};

    (void)state;
    FOR_EACH_ALGORITHM(algorithm)
    {
        const cmw_hash_key key = key_of(*algorithm, 5);
        const uint64_t before = cmw_hash_keyed_parts(&key, parts, 2);
        for (size_t bit = 0; bit < 8 * sizeof bytes; bit++) {
            bytes[bit / 8] = (char)(1 << bit % 8);
            assert_true(cmw_hash_keyed_parts(&key, parts, 2) != before);
            bytes[bit / 8] = 0;
        }
    }
}

static void another_key_gives_another_hash(void **state)
{
    uint64_t hashes[1000];

    (void)state;
    FOR_EACH_ALGORITHM(algorithm)
    {
        for (size_t i = 0; i < LEN(hashes); i++) {
            cmw_hash_key key = key_of(*algorithm, 5);
            key.words[0] ^= i;
            hashes[i] = cmw_hash_keyed(&key, CMW_STR("192.0.2.1"));
        }
        assert_all_differ(hashes, LEN(hashes));
    }
}

static void neighbouring_addresses_spread_over_a_table(void **state)
{
    enum { BUCKETS = 256, EACH = 64 };

    (void)state;
    FOR_EACH_ALGORITHM(algorithm)
    {
        const cmw_hash_key key = key_of(*algorithm, 6);
        uint32_t used[2][BUCKETS] = {{0}};
        for (uint32_t i = 0; i < BUCKETS * EACH; i++) {
            const uint64_t hash = cmw_hash_keyed(&key, cmw_str_make((const char *)&i, 4));
            used[0][hash % BUCKETS]++;
            used[1][hash >> 56]++;
        }
        for (size_t i = 0; i < BUCKETS; i++) {
            assert_in_range(used[0][i], EACH / 3, EACH * 2);
            assert_in_range(used[1][i], EACH / 3, EACH * 2);
        }
    }
}

static void a_drawn_key_has_the_best_function_of_the_cpu(void **state)
{
    cmw_hash_key one, two;

    (void)state;
    assert_int_equal(cmw_hash_key_init(&one), 0);
    assert_int_equal(cmw_hash_key_init(&two), 0);
    assert_int_equal(one.algorithm,
                     cmw__hash_aes_is_available() ? CMW__HASH_AES : CMW__HASH_SIPHASH_1_3);
    assert_memory_not_equal(one.words, two.words, sizeof one.words);
}

static void forked_processes_share_a_key(void **state)
{
    struct shared {
        cmw_hash_key key;
        uint64_t hash;
    };
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    int status = -1;

    (void)state;
    assert_ptr_not_equal(shared, MAP_FAILED);
    assert_int_equal(cmw_hash_key_init(&shared->key), 0);
    const pid_t child = fork();
    if (child == 0) {
        shared->hash = cmw_hash_keyed(&shared->key, CMW_STR("2001:db8::"));
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(shared->hash, cmw_hash_keyed(&shared->key, CMW_STR("2001:db8::")));
    assert_int_equal(munmap(shared, sizeof *shared), 0);
}

static void the_form_in_line_gives_the_same(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed < 1000; seed++) {
        cmw_hash_key key;
        assert_int_equal(cmw_hash_key_init(&key), 0);
        const uint64_t first = seed * UINT64_C(0x9e3779b97f4a7c15), second = ~first * seed;
        const uint64_t expected = (cmw_hash_keyed_pair)(&key, first, second);
        assert_int_equal(cmw_hash_keyed_pair(&key, first, second), expected);
        key.algorithm = CMW__HASH_SIPHASH_1_3;
        assert_false(cmw_hash_is_in_line(&key));
        assert_int_equal(cmw_hash_keyed_pair(&key, first, second),
                         (cmw_hash_keyed_pair)(&key, first, second));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(siphash_gives_the_published_values),
        cmocka_unit_test(an_unknown_algorithm_is_siphash),
        cmocka_unit_test(aes_instructions_do_what_aes_says),
        cmocka_unit_test(nothing_is_read_outside_of_the_bytes),
        cmocka_unit_test(one_bit_of_the_bytes_turns_half_of_the_hash),
        cmocka_unit_test(zeros_of_every_length_differ),
        cmocka_unit_test(what_looks_like_a_length_is_not_one),
        cmocka_unit_test(repeated_bytes_of_every_length_differ),
        cmocka_unit_test(a_pair_of_words_is_sixteen_bytes),
        cmocka_unit_test(where_pieces_are_cut_counts),
        cmocka_unit_test(one_bit_of_a_piece_turns_the_hash),
        cmocka_unit_test(another_key_gives_another_hash),
        cmocka_unit_test(neighbouring_addresses_spread_over_a_table),
        cmocka_unit_test(a_drawn_key_has_the_best_function_of_the_cpu),
        cmocka_unit_test(forked_processes_share_a_key),
        cmocka_unit_test(the_form_in_line_gives_the_same),
    };
    return cmocka_run_group_tests_name("keyed_hash", tests, NULL, NULL);
}
