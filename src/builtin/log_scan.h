/* SPDX-License-Identifier: MIT */
/*
 * Copying text while looking for bytes that a log line cannot hold as they are: what is below
 * `floor` (0x20 or 0x21), above 0x7E, a quote or a backslash.
 *
 * SSE2 is part of every x86-64; elsewhere plain loops do it.
 */
#ifndef CMW_BUILTIN_LOG_SCAN_H
#define CMW_BUILTIN_LOG_SCAN_H

#include <stddef.h>
#include <string.h>

static inline int cmw__log_is_odd(char c, char floor)
{
    return (signed char)c < (signed char)floor || c == 0x7f || c == '"' || c == '\\';
}

/* For short text: byte after byte. */
static inline int cmw__log_copy_bytes(char *to, const char *text, size_t len, char floor)
{
    int odd = 0;

    for (size_t i = 0; i < len; i++) {
        odd |= cmw__log_is_odd(text[i], floor);
        to[i] = text[i];
    }
    return odd;
}

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>

/* Signed: what is above 0x7F is below the floor, too. */
static inline __m128i cmw__log_odd16(__m128i block, __m128i floor)
{
    const __m128i low = _mm_cmplt_epi8(block, floor);
    const __m128i rubout = _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f));
    const __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
    const __m128i backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
    return _mm_or_si128(_mm_or_si128(low, rubout), _mm_or_si128(quote, backslash));
}

static inline __m128i cmw__log_copy16(char *to, const char *text, __m128i floor)
{
    const __m128i block = _mm_loadu_si128((const __m128i *)(const void *)text);
    _mm_storeu_si128((__m128i *)(void *)to, block);
    return cmw__log_odd16(block, floor);
}

/* 8 to 15 bytes: two halves that may overlap. */
static inline __m128i cmw__log_copy8(char *to, const char *text, size_t len, __m128i floor)
{
    const __m128i first = _mm_loadl_epi64((const __m128i *)(const void *)text);
    const __m128i last = _mm_loadl_epi64((const __m128i *)(const void *)(text + len - 8));
    _mm_storel_epi64((__m128i *)(void *)to, first);
    _mm_storel_epi64((__m128i *)(void *)(to + len - 8), last);
    return cmw__log_odd16(_mm_unpacklo_epi64(first, last), floor);
}

/* Copy; 1 if there is an odd byte, and then the copy is of no use. The last block of a long text
 * overlaps the one before. */
static inline int cmw__log_copy(char *to, const char *text, size_t len, char floor)
{
    const __m128i floors = _mm_set1_epi8(floor);
    __m128i odd;

    if (len < 8)
        return cmw__log_copy_bytes(to, text, len, floor);
    if (len < 16)
        return _mm_movemask_epi8(cmw__log_copy8(to, text, len, floors)) != 0;
    const size_t last = len - 16;
    odd = cmw__log_copy16(to + last, text + last, floors);
    for (size_t i = 0; i < last; i += 16)
        odd = _mm_or_si128(odd, cmw__log_copy16(to + i, text + i, floors));
    return _mm_movemask_epi8(odd) != 0;
}
#else
static inline int cmw__log_copy(char *to, const char *text, size_t len, char floor)
{
    return cmw__log_copy_bytes(to, text, len, floor);
}
#endif

#endif /* CMW_BUILTIN_LOG_SCAN_H */
