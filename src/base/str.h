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

#if defined(__GNUC__) && defined(__SSE2__)
#include <emmintrin.h>
#endif

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

/* 1 if up to 15 bytes are the same, in a time that depends on `len` alone. */
static inline int cmw__equals_short_secret(const char *a, const char *b, size_t len)
{
    uint64_t difference = 0;

    if (len >= 8) { /* two words that may overlap */
        difference = cmw__load8(a) ^ cmw__load8(b);
        difference |= cmw__load8(a + len - 8) ^ cmw__load8(b + len - 8);
        CMW__HIDE(difference);
        return difference == 0;
    }
    for (size_t i = 0; i < len; i++) {
        difference |= (unsigned char)(a[i] ^ b[i]);
        CMW__HIDE(difference);
    }
    return difference == 0;
}

#if defined(__GNUC__) && defined(__SSE2__)
static inline __m128i cmw__difference16(const char *a, const char *b)
{
    return _mm_xor_si128(_mm_loadu_si128((const __m128i *)(const void *)a),
                         _mm_loadu_si128((const __m128i *)(const void *)b));
}

/* 16 bytes and more. The last block may overlap the one before: no tail is left. */
static inline int cmw__equals_long_secret(const char *a, const char *b, size_t len)
{
    __m128i difference = cmw__difference16(a, b);

    for (size_t i = 16; i < len - 16; i += 16) {
        difference = _mm_or_si128(difference, cmw__difference16(a + i, b + i));
        __asm__("" : "+x"(difference)); /* as CMW__HIDE */
    }
    difference = _mm_or_si128(difference, cmw__difference16(a + len - 16, b + len - 16));
    __asm__("" : "+x"(difference));
    return _mm_movemask_epi8(_mm_cmpeq_epi8(difference, _mm_setzero_si128())) == 0xffff;
}
#else
static inline int cmw__equals_long_secret(const char *a, const char *b, size_t len)
{
    uint64_t difference = 0;

    for (size_t i = 0; i < len - 8; i += 8) {
        difference |= cmw__load8(a + i) ^ cmw__load8(b + i);
        CMW__HIDE(difference);
    }
    difference |= cmw__load8(a + len - 8) ^ cmw__load8(b + len - 8);
    CMW__HIDE(difference);
    return difference == 0;
}
#endif

/*
 * 1 if `len` bytes are the same, in a time that depends on `len` alone. Each step passes through a
 * barrier, so that no compiler leaves at the first difference.
 */
static inline int cmw__equals_secret(const char *a, const char *b, size_t len)
{
    return len >= 16 ? cmw__equals_long_secret(a, b, len) : cmw__equals_short_secret(a, b, len);
}

/* Lower case of `text` at `out`, which has room for text.len bytes; they may be the same place. */
void cmw__lower_copy(char *out, cmw_str text);

#endif /* CMW_BASE_STR_H */
