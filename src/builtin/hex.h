/* SPDX-License-Identifier: MIT */
/*
 * Sixteen bytes as 32 hex digits in lower case.
 *
 * SSE2 is part of every x86-64; elsewhere a plain loop does it.
 */
#ifndef CMW_BUILTIN_HEX_H
#define CMW_BUILTIN_HEX_H

#include <stdint.h>
#include <string.h>

/* Store with the most significant byte first. */
#if defined(__GNUC__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static inline void cmw__store_big8(uint8_t *to, uint64_t number)
{
    number = __builtin_bswap64(number);
    memcpy(to, &number, 8);
}
#else
static inline void cmw__store_big8(uint8_t *to, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        to[i] = (uint8_t)(number >> (56 - 8 * i));
}
#endif

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>

static inline __m128i cmw__hex_digits(__m128i nibbles)
{
    const __m128i is_letter = _mm_cmpgt_epi8(nibbles, _mm_set1_epi8(9));
    const __m128i letters = _mm_and_si128(is_letter, _mm_set1_epi8('a' - '0' - 10));
    return _mm_add_epi8(_mm_add_epi8(nibbles, _mm_set1_epi8('0')), letters);
}

static inline void cmw__hex16(char *to, const void *bytes)
{
    const __m128i low_bits = _mm_set1_epi8(0x0f);
    const __m128i block = _mm_loadu_si128((const __m128i *)bytes);
    const __m128i high = _mm_and_si128(_mm_srli_epi16(block, 4), low_bits);
    const __m128i low = _mm_and_si128(block, low_bits);

    _mm_storeu_si128((__m128i *)(void *)to, cmw__hex_digits(_mm_unpacklo_epi8(high, low)));
    _mm_storeu_si128((__m128i *)(void *)(to + 16), cmw__hex_digits(_mm_unpackhi_epi8(high, low)));
}
#else
static inline void cmw__hex16(char *to, const void *bytes)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *at = bytes;

    for (int i = 0; i < 16; i++) {
        to[2 * i] = digits[at[i] >> 4];
        to[2 * i + 1] = digits[at[i] & 15];
    }
}
#endif

#endif /* CMW_BUILTIN_HEX_H */
