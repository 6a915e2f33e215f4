/* SPDX-License-Identifier: MIT */
/* MurmurHash3 for 64-bit machines: two lanes of eight bytes, read with the least byte first. */
#include "body_hash.h"

enum { STEP = 16 };

static const uint64_t first_factor = UINT64_C(0x87c37b91114253d5);
static const uint64_t second_factor = UINT64_C(0x4cf5ad432745937f);

static inline uint64_t rotate(uint64_t word, unsigned bits)
{
    return word << bits | word >> (64 - bits);
}

/* `count` bytes, at most eight, as a number. */
static inline uint64_t load(const unsigned char *at, size_t count)
{
    uint64_t word = 0;

    for (size_t i = 0; i < count; i++)
        word |= (uint64_t)at[i] << (8 * i);
    return word;
}

static inline uint64_t mix_first(uint64_t word)
{
    return rotate(word * first_factor, 31) * second_factor;
}

static inline uint64_t mix_second(uint64_t word)
{
    return rotate(word * second_factor, 33) * first_factor;
}

static uint64_t finish(uint64_t word)
{
    word = (word ^ word >> 33) * UINT64_C(0xff51afd7ed558ccd);
    word = (word ^ word >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return word ^ word >> 33;
}

void cmw__body_hash(uint64_t hash[2], cmw_str body)
{
    const unsigned char *at = (const unsigned char *)body.data;
    size_t left = body.len;
    uint64_t one = 0, two = 0;

    for (; left >= STEP; left -= STEP, at += STEP) {
        one = rotate(one ^ mix_first(load(at, 8)), 27) + two;
        one = one * 5 + 0x52dce729;
        two = rotate(two ^ mix_second(load(at + 8, 8)), 31) + one;
        two = two * 5 + 0x38495ab5;
    }
    if (left > 8)
        two ^= mix_second(load(at + 8, left - 8));
    if (left > 0)
        one ^= mix_first(load(at, left < 8 ? left : 8));
    one ^= body.len;
    two ^= body.len;
    one += two;
    two += one;
    one = finish(one);
    two = finish(two);
    one += two;
    two += one;
    hash[0] = one;
    hash[1] = two;
}
