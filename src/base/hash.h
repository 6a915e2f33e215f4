/* SPDX-License-Identifier: MIT */
/*
 * A fast 64-bit hash of bytes, for tables that are built when a chain compiles.
 *
 * Two words at a time are multiplied to 128 bits and the halves folded together. It has no secret
 * key: it is for tables whose keys the program chose. A stranger's bytes may be looked up in them,
 * since that adds no entry; a table that strangers fill needs a keyed hash instead.
 * Values differ between byte orders and versions: they are never stored or sent.
 */
#ifndef CMW_BASE_HASH_H
#define CMW_BASE_HASH_H

#include "str.h"

#if defined(__SIZEOF_INT128__)
__extension__ typedef unsigned __int128 cmw__uint128;

/* Both halves of a * b, folded. */
static inline uint64_t cmw__mul_fold(uint64_t a, uint64_t b)
{
    const cmw__uint128 product = (cmw__uint128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}
#else
static inline uint64_t cmw__mul_fold(uint64_t a, uint64_t b)
{
    const uint64_t a_low = (uint32_t)a, a_high = a >> 32;
    const uint64_t b_low = (uint32_t)b, b_high = b >> 32;
    const uint64_t cross = a_high * b_low + (a_low * b_low >> 32);
    const uint64_t carry = a_low * b_high + (uint32_t)cross;
    const uint64_t high = a_high * b_high + (cross >> 32) + (carry >> 32);
    return (a * b) ^ high;
}
#endif

/* Odd, with about as many bits set as not: digits of the golden ratio, and mixed from them. */
#define CMW__HASH_1 UINT64_C(0x9e3779b97f4a7c15)
#define CMW__HASH_2 UINT64_C(0xd6e8feb86659fd93)
#define CMW__HASH_3 UINT64_C(0xa0761d6478bd642f)

/* One to three bytes as a word: first, middle and last. */
static inline uint64_t cmw__hash_load3(const char *bytes, size_t len)
{
    const unsigned char *at = (const unsigned char *)bytes;
    return (uint64_t)at[0] << 16 | (uint64_t)at[len / 2] << 8 | at[len - 1];
}

/* The hash of `len` bytes; other seeds give other functions. Cost: O(len), no allocation. */
static inline uint64_t cmw__hash(const void *data, size_t len, uint64_t seed)
{
    const char *at = data;
    size_t left = len;
    uint64_t first = 0;
    uint64_t second = 0;

    seed = cmw__mul_fold(seed ^ CMW__HASH_1, CMW__HASH_2);
    for (; left > 16; left -= 16, at += 16)
        seed = cmw__mul_fold(cmw__load8(at) ^ CMW__HASH_2, cmw__load8(at + 8) ^ seed);

    /* What is left is covered by two loads that may overlap. */
    if (left >= 8) {
        first = cmw__load8(at);
        second = cmw__load8(at + left - 8);
    } else if (left >= 4) {
        first = cmw__load4(at);
        second = cmw__load4(at + left - 4);
    } else if (left > 0) {
        first = cmw__hash_load3(at, left);
    }
    const uint64_t mixed = cmw__mul_fold(first ^ CMW__HASH_2, second ^ seed);
    return cmw__mul_fold(mixed ^ CMW__HASH_3, (uint64_t)len ^ CMW__HASH_1);
}

#endif /* CMW_BASE_HASH_H */
