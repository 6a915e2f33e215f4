/* SPDX-License-Identifier: MIT */
/*
 * Strings eight bytes at a time: loading them as words, folding case, finding a byte.
 *
 * A word holds the bytes in memory order; nothing here depends on which end comes first.
 */
#ifndef CMW_BASE_STR_H
#define CMW_BASE_STR_H

#include <catzilla/base.h>

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

/* Lower case of `text` at `out`, which has room for text.len bytes; they may be the same place. */
void cmw__lower_copy(char *out, cmw_str text);

#endif /* CMW_BASE_STR_H */
