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

#include "inline.h"

/* The place of the lowest bit of a number that is not 0. */
static inline unsigned cmw__log_lowest(unsigned bits)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_ctz(bits);
#else
    unsigned place = 0;
    while (!(bits >> place & 1))
        place++;
    return place;
#endif
}

static inline int cmw__log_is_odd(char c, char floor)
{
    return (signed char)c < (signed char)floor || c == 0x7f || c == '"' || c == '\\';
}

/* For short text: byte after byte. */
static inline int cmw__log_copy_bytes(char *to, const char *text, size_t len, char floor)
{
    for (size_t i = 0; i < len; i++) {
        if (cmw__log_is_odd(text[i], floor))
            return 1;
        to[i] = text[i];
    }
    return 0;
}

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>

/* What was seen so far: of the bytes minus the floor the largest, and quotes and backslashes. */
struct cmw__log_seen {
    __m128i largest, marks;
};

static inline void cmw__log_look(struct cmw__log_seen *seen, __m128i block, __m128i floor)
{
    const __m128i quotes = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
    const __m128i backslashes = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
    seen->largest = _mm_max_epu8(seen->largest, _mm_sub_epi8(block, floor));
    seen->marks = _mm_or_si128(seen->marks, _mm_or_si128(quotes, backslashes));
}

static inline void cmw__log_copy16(struct cmw__log_seen *seen, char *to, const char *text,
                                   __m128i floor)
{
    const __m128i block = _mm_loadu_si128((const __m128i *)(const void *)text);
    _mm_storeu_si128((__m128i *)(void *)to, block);
    cmw__log_look(seen, block, floor);
}

/* 8 to 15 bytes: two halves that may overlap. */
static inline void cmw__log_copy8(struct cmw__log_seen *seen, char *to, const char *text,
                                  size_t len, __m128i floor)
{
    const __m128i first = _mm_loadl_epi64((const __m128i *)(const void *)text);
    const __m128i last = _mm_loadl_epi64((const __m128i *)(const void *)(text + len - 8));
    _mm_storel_epi64((__m128i *)(void *)to, first);
    _mm_storel_epi64((__m128i *)(void *)(to + len - 8), last);
    cmw__log_look(seen, _mm_unpacklo_epi64(first, last), floor);
}

/* 4 to 7 bytes, likewise. */
static inline void cmw__log_copy4(struct cmw__log_seen *seen, char *to, const char *text,
                                  size_t len, __m128i floor)
{
    int first, last;

    memcpy(&first, text, 4);
    memcpy(&last, text + len - 4, 4);
    memcpy(to, &first, 4);
    memcpy(to + len - 4, &last, 4);
    const __m128i both = _mm_unpacklo_epi32(_mm_cvtsi32_si128(first), _mm_cvtsi32_si128(last));
    cmw__log_look(seen, _mm_unpacklo_epi64(both, both), floor);
}

#if defined(__AVX2__)
#include <immintrin.h>

/* 32 bytes at a time, where this file is compiled for it: see log_plain_avx2.c. Each byte is
 * compared with the one that a table holds for its low four bits: one comparison for a set of bytes
 * of which no two agree in those. */
#define CMW__LOG_TABLE(...)                                                                        \
    {                                                                                              \
        __VA_ARGS__, __VA_ARGS__                                                                   \
    }

static inline __m256i cmw__log_is_one_of(__m256i block, const char *table)
{
    const __m256i ones = _mm256_load_si256((const __m256i *)(const void *)table);
    return _mm256_cmpeq_epi8(block, _mm256_shuffle_epi8(ones, block));
}

static CMW__BUILTIN_INLINE __m256i cmw__log_copy32(__m256i seen, char *to, const char *text,
                                                   char floor)
{
    static const _Alignas(32) char odd[32] =
        CMW__LOG_TABLE(1, 0, '"', 0, 0, 0, 0, 0, 0, 0, 0, 0, '\\', 0, 0, 0x7f);
    const __m256i block = _mm256_loadu_si256((const __m256i *)(const void *)text);
    const __m256i low = _mm256_cmpgt_epi8(_mm256_set1_epi8(floor), block); /* or above 0x7f */

    _mm256_storeu_si256((__m256i *)(void *)to, block);
    return _mm256_or_si256(seen, _mm256_or_si256(low, cmw__log_is_one_of(block, odd)));
}

/* Of 32 bytes and more. */
static CMW__BUILTIN_INLINE int cmw__log_copy_long(char *to, const char *text, size_t len,
                                                  char floor)
{
    const char *const last = text + len - 32;
    __m256i seen = cmw__log_copy32(_mm256_setzero_si256(), to + len - 32, last, floor);

    for (; text < last; text += 32, to += 32)
        seen = cmw__log_copy32(seen, to, text, floor);
    return !_mm256_testz_si256(seen, seen);
}
#endif

/* The last block of a long text overlaps the one before. */
static inline int cmw__log_copy_blocks(char *to, const char *text, size_t len, char floor)
{
    struct cmw__log_seen seen = {_mm_setzero_si128(), _mm_setzero_si128()};
    const __m128i floors = _mm_set1_epi8(floor);

    if (len < 4)
        return cmw__log_copy_bytes(to, text, len, floor);
    if (len < 8) {
        cmw__log_copy4(&seen, to, text, len, floors);
    } else if (len < 16) {
        cmw__log_copy8(&seen, to, text, len, floors);
    } else {
        char *const last = to + len - 16;
        const char *const last_text = text + len - 16;
        for (; last - to > 16; to += 32, text += 32) {
            cmw__log_copy16(&seen, to, text, floors);
            cmw__log_copy16(&seen, to + 16, text + 16, floors);
        }
        if (to < last)
            cmw__log_copy16(&seen, to, text, floors);
        cmw__log_copy16(&seen, last, last_text, floors);
    }
    const __m128i excess = _mm_subs_epu8(seen.largest, _mm_set1_epi8((char)(0x7e - floor)));
    const __m128i fine = _mm_cmpeq_epi8(_mm_or_si128(excess, seen.marks), _mm_setzero_si128());
    return _mm_movemask_epi8(fine) != 0xffff;
}

#if defined(__AVX2__)
static CMW__BUILTIN_NOINLINE int cmw__log_copy_short(char *to, const char *text, size_t len,
                                                     char floor)
{
    return cmw__log_copy_blocks(to, text, len, floor);
}
#endif

/* Copy; 1 if there is an odd byte, and then the copy is of no use. */
static CMW__BUILTIN_INLINE int cmw__log_copy(char *to, const char *text, size_t len, char floor)
{
#if defined(__AVX2__)
    return len >= 32 ? cmw__log_copy_long(to, text, len, floor)
                     : cmw__log_copy_short(to, text, len, floor);
#else
    return cmw__log_copy_blocks(to, text, len, floor);
#endif
}

#if defined(__AVX2__)
#define CMW__LOG_BLOCK ((size_t)32)

static inline unsigned cmw__log_url_marks(const char *at)
{
    static const _Alignas(32) char marks[32] =
        CMW__LOG_TABLE(1, 0, 0, '#', 0, '%', '&', 0, 0, 0, 0, ';', 0, '=', 0, '?');
    const __m256i block = _mm256_loadu_si256((const __m256i *)(const void *)at);
    return (unsigned)_mm256_movemask_epi8(cmw__log_is_one_of(block, marks));
}
#else
#define CMW__LOG_BLOCK ((size_t)16)

static inline __m128i cmw__log_either(__m128i block, char one, char other)
{
    return _mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8(one)),
                        _mm_cmpeq_epi8(block, _mm_set1_epi8(other)));
}

static inline unsigned cmw__log_url_marks(const char *at)
{
    const __m128i block = _mm_loadu_si128((const __m128i *)(const void *)at);
    const __m128i begins = cmw__log_either(block, '?', '#');
    const __m128i others =
        _mm_or_si128(cmw__log_either(block, '&', ';'), cmw__log_either(block, '=', '%'));
    return (unsigned)_mm_movemask_epi8(_mm_or_si128(begins, others));
}
#endif
#else
static inline int cmw__log_copy(char *to, const char *text, size_t len, char floor)
{
    return cmw__log_copy_bytes(to, text, len, floor);
}

#define CMW__LOG_BLOCK ((size_t)16)

static inline unsigned cmw__log_url_marks(const char *at)
{
    unsigned marks = 0;
    for (unsigned i = 0; i < CMW__LOG_BLOCK; i++)
        marks |= (unsigned)(at[i] == '?' || at[i] == '#' || at[i] == '&' || at[i] == ';' ||
                            at[i] == '=' || at[i] == '%')
                 << i;
    return marks;
}
#endif

/* cmw__log_url_marks: which bytes of a block mean something in a URL, "?#&;=%", a bit each. */

/* Of the bits of a block, those of its first `left` bytes. */
static inline unsigned cmw__log_before(unsigned bits, size_t left)
{
    return left < CMW__LOG_BLOCK ? bits & ((1u << left) - 1) : bits;
}

#endif /* CMW_BUILTIN_LOG_SCAN_H */
