/* SPDX-License-Identifier: MIT */
/*
 * Looking for bytes that a field value may not hold, 8 and 16 at a time.
 *
 * Forbidden are 0x00–0x1F without HTAB, and 0x7F (RFC 9110, 5.5).
 */
#ifndef CMW_BASE_SIMD_H
#define CMW_BASE_SIMD_H

#include "str.h"

/* 1 if one of the eight bytes is forbidden. */
static inline int cmw__has_control8(const char *bytes)
{
    const uint64_t word = cmw__load8(bytes);
    const uint64_t seven = word & CMW__EACH_BYTE(0x7f);
    const uint64_t from_space = seven + CMW__EACH_BYTE(0x80 - 0x20); /* top bit: >= 0x20 */
    const uint64_t is_delete = seven + CMW__EACH_BYTE(1);            /* top bit: 0x7F */
    const uint64_t is_tab = cmw__zero_bytes(word ^ CMW__EACH_BYTE('\t'));
    const uint64_t bad = (~from_space & ~is_tab) | is_delete;
    return (bad & ~word & CMW__EACH_BYTE(0x80)) != 0;
}

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>

static inline int cmw__block_has_control(__m128i block)
{
    const __m128i last_control = _mm_set1_epi8(0x1f);
    const __m128i is_control = _mm_cmpeq_epi8(_mm_max_epu8(block, last_control), last_control);
    const __m128i is_tab = _mm_cmpeq_epi8(block, _mm_set1_epi8('\t'));
    const __m128i is_delete = _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f));
    return _mm_movemask_epi8(_mm_or_si128(_mm_andnot_si128(is_tab, is_control), is_delete)) != 0;
}

/* 1 if one of the sixteen bytes is forbidden. */
static inline int cmw__has_control16(const char *bytes)
{
    return cmw__block_has_control(_mm_loadu_si128((const __m128i *)(const void *)bytes));
}

/* The same for two times eight bytes. */
static inline int cmw__has_control_pair(const char *first, const char *second)
{
    return cmw__block_has_control(
        _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)(const void *)first),
                           _mm_loadl_epi64((const __m128i *)(const void *)second)));
}
#else
static inline int cmw__has_control16(const char *bytes)
{
    return cmw__has_control8(bytes) || cmw__has_control8(bytes + 8);
}

static inline int cmw__has_control_pair(const char *first, const char *second)
{
    return cmw__has_control8(first) || cmw__has_control8(second);
}
#endif

#endif /* CMW_BASE_SIMD_H */
