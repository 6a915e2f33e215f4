/* SPDX-License-Identifier: MIT */
/*
 * Sixteen bytes as 32 hex digits in lower case, and whether sixteen bytes are such digits.
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

/* The word whose bytes lie in memory with the most significant one first. */
static inline uint64_t cmw__big8(uint64_t number)
{
#if defined(__GNUC__)
    return __builtin_bswap64(number);
#else
    uint64_t word;
    uint8_t bytes[8];

    cmw__store_big8(bytes, number);
    memcpy(&word, bytes, sizeof word);
    return word;
#endif
}

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

/* A mask with a bit for each byte that is no digit. Signed: bytes above 0x7f are below "0". */
static inline unsigned cmw__not_hex16(const char *text)
{
    const __m128i block = _mm_loadu_si128((const __m128i *)(const void *)text);
    const __m128i digit = _mm_and_si128(_mm_cmpgt_epi8(block, _mm_set1_epi8('0' - 1)),
                                        _mm_cmpgt_epi8(_mm_set1_epi8('9' + 1), block));
    const __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(block, _mm_set1_epi8('a' - 1)),
                                         _mm_cmpgt_epi8(_mm_set1_epi8('f' + 1), block));

    return (unsigned)_mm_movemask_epi8(_mm_or_si128(digit, letter)) ^ 0xffffu;
}

/* 1 if all sixteen bytes are "0". */
static inline int cmw__is_zeros16(const char *text)
{
    const __m128i block = _mm_loadu_si128((const __m128i *)(const void *)text);
    return _mm_movemask_epi8(_mm_cmpeq_epi8(block, _mm_set1_epi8('0'))) == 0xffff;
}

/* Both halves of a UUID, the most significant byte first, in groups of 8, 4, 4, 4 and 12 digits
 * with "-" between them. Stores overlap: what a later one writes again is right then. */
static inline void cmw__hex_uuid(char *to, uint64_t first, uint64_t second)
{
    const __m128i low_bits = _mm_set1_epi8(0x0f);
    const __m128i block = _mm_set_epi64x((long long)cmw__big8(second), (long long)cmw__big8(first));
    const __m128i high = _mm_and_si128(_mm_srli_epi16(block, 4), low_bits);
    const __m128i low = _mm_and_si128(block, low_bits);
    const __m128i front = cmw__hex_digits(_mm_unpacklo_epi8(high, low));
    const __m128i back = cmw__hex_digits(_mm_unpackhi_epi8(high, low));
    const int fifth = _mm_cvtsi128_si32(back);
    const int third = _mm_cvtsi128_si32(_mm_srli_si128(front, 8));

    _mm_storel_epi64((__m128i *)(void *)to, front);
    _mm_storel_epi64((__m128i *)(void *)(to + 10), _mm_srli_si128(front, 8));
    memcpy(to + 9, &third, 4);
    _mm_storeu_si128((__m128i *)(void *)(to + 20), back);
    memcpy(to + 19, &fifth, 4);
    to[8] = to[13] = to[18] = to[23] = '-';
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

static inline void cmw__hex_uuid(char *to, uint64_t first, uint64_t second)
{
    uint8_t bytes[16];
    char digits[32];

    cmw__store_big8(bytes, first);
    cmw__store_big8(bytes + 8, second);
    cmw__hex16(digits, bytes);
    memcpy(to, digits, 8);
    memcpy(to + 9, digits + 8, 4);
    memcpy(to + 14, digits + 12, 4);
    memcpy(to + 19, digits + 16, 4);
    memcpy(to + 24, digits + 20, 12);
    to[8] = to[13] = to[18] = to[23] = '-';
}

static inline unsigned cmw__not_hex16(const char *text)
{
    unsigned mask = 0;

    for (unsigned i = 0; i < 16; i++) {
        const char c = text[i];
        const int is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
        mask |= (unsigned)!is_digit << i;
    }
    return mask;
}

static inline int cmw__is_zeros16(const char *text)
{
    return memcmp(text, "0000000000000000", 16) == 0;
}
#endif

#endif /* CMW_BUILTIN_HEX_H */
