/* SPDX-License-Identifier: MIT */
/*
 * Strings eight bytes at a time: loading them as words, folding case, finding a byte.
 *
 * A word holds the bytes in memory order; nothing here depends on which end comes first.
 */
#ifndef CMW_BASE_STR_H
#define CMW_BASE_STR_H

#include <catzilla/base.h>

#include "platform.h"

/* The byte in each of the eight places. */
#define CMW__EACH_BYTE(byte) (UINT64_C(0x0101010101010101) * (uint64_t)(byte))

static inline uint64_t cmw__load8(const char *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static inline uint32_t cmw__load4(const char *bytes)
{
    uint32_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static inline void cmw__store8(char *bytes, uint64_t word)
{
    memcpy(bytes, &word, sizeof word);
}

/* 0x80 in each place whose byte is 0. Exact: no place is disturbed by its neighbour. */
static inline uint64_t cmw__zero_bytes(uint64_t word)
{
    const uint64_t low = CMW__EACH_BYTE(0x7f);
    return ~(((word & low) + low) | word | low);
}

/* Lower case of A–Z in each place; every other byte stays. */
static inline uint64_t cmw__lower8(uint64_t word)
{
    const uint64_t seven = word & CMW__EACH_BYTE(0x7f);
    const uint64_t from_a = seven + CMW__EACH_BYTE(0x80 - 'A');  /* top bit: >= 'A' */
    const uint64_t after_z = seven + CMW__EACH_BYTE(0x7f - 'Z'); /* top bit: > 'Z' */
    const uint64_t upper = (from_a ^ after_z) & ~word & CMW__EACH_BYTE(0x80);
    return word | (upper >> 2);
}

static inline char cmw__lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c | 0x20 : c);
}

/*
 * 1 if `len` bytes are the same, in a time that depends on `len` alone. Each step passes through a
 * barrier, so that no compiler leaves at the first difference.
 */
static inline int cmw__equals_secret(const char *a, const char *b, size_t len)
{
    uint64_t difference = 0;

    if (len < 8) {
        for (size_t i = 0; i < len; i++) {
            difference |= (unsigned char)(a[i] ^ b[i]);
            CMW__HIDE(difference);
        }
        return difference == 0;
    }

    /* Two words a step; the last two may overlap the ones before: no tail is left. */
    for (size_t i = 0; len - i > 16; i += 16) {
        difference |= cmw__load8(a + i) ^ cmw__load8(b + i);
        difference |= cmw__load8(a + i + 8) ^ cmw__load8(b + i + 8);
        CMW__HIDE(difference);
    }
    const size_t last = len > 16 ? len - 16 : 0;
    difference |= cmw__load8(a + last) ^ cmw__load8(b + last);
    difference |= cmw__load8(a + len - 8) ^ cmw__load8(b + len - 8);
    CMW__HIDE(difference);
    return difference == 0;
}

/* Lower case of `text` at `out`, which has room for text.len bytes; they may be the same place. */
void cmw__lower_copy(char *out, cmw_str text);

#endif /* CMW_BASE_STR_H */
