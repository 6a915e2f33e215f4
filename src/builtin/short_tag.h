/* SPDX-License-Identifier: MIT */
/*
 * Entity tags of the usual length, compared and looked at without a loop.
 *
 * SSE2 is part of every x86-64; elsewhere words of eight bytes do the same.
 */
#ifndef CMW_BUILTIN_SHORT_TAG_H
#define CMW_BUILTIN_SHORT_TAG_H

#include <catzilla/base.h>

#include <stdint.h>

/* With the quotes. Between them are eight to sixteen bytes, which two words that may overlap hold.
 */
enum { CMW__SHORT_TAG_LEAST = 10, CMW__SHORT_TAG_MOST = 18 };

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>

static inline __m128i cmw__two_words(const char *first, const char *second)
{
    return _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)(const void *)first),
                              _mm_loadl_epi64((const __m128i *)(const void *)second));
}

/* 1 if two pairs of words are equal, and all of their bytes "#" to "~". */
static inline int cmw__same_plain(const char *a, const char *b, size_t second)
{
    const __m128i these = cmw__two_words(a, a + second);
    const __m128i above =
        _mm_subs_epu8(_mm_sub_epi8(these, _mm_set1_epi8('#')), _mm_set1_epi8('~' - '#'));
    const __m128i fault = _mm_or_si128(_mm_xor_si128(these, cmw__two_words(b, b + second)), above);

    return _mm_movemask_epi8(_mm_cmpeq_epi8(fault, _mm_setzero_si128())) == 0xffff;
}
#else
#define CMW__EACH_BYTE(byte) ((uint64_t)(byte)*UINT64_C(0x0101010101010101))

static inline uint64_t cmw__word_at(const char *text)
{
    uint64_t word;

    memcpy(&word, text, 8);
    return word;
}

/* 1 more than "~" has a high bit, and 0x80 - "#" more than what is below "#" has none. */
static inline uint64_t cmw__not_plain(uint64_t word)
{
    return (word | (word + CMW__EACH_BYTE(1)) | ~(word + CMW__EACH_BYTE(0x80 - '#'))) &
           CMW__EACH_BYTE(0x80);
}

static inline int cmw__same_plain(const char *a, const char *b, size_t second)
{
    const uint64_t first_word = cmw__word_at(a), second_word = cmw__word_at(a + second);

    return ((first_word ^ cmw__word_at(b)) | (second_word ^ cmw__word_at(b + second)) |
            cmw__not_plain(first_word) | cmw__not_plain(second_word)) == 0;
}
#endif

/* 1 if both are the same strong tag, of the usual length and of usual bytes. 0 says nothing: they
 * may be the same all the same. */
static inline int cmw__is_same_short_tag(cmw_str a, cmw_str b)
{
    if (a.len != b.len || a.len < CMW__SHORT_TAG_LEAST || a.len > CMW__SHORT_TAG_MOST)
        return 0;
    const size_t last = a.len - 1;
    return a.data[0] == '"' && b.data[0] == '"' && a.data[last] == '"' && b.data[last] == '"' &&
           cmw__same_plain(a.data + 1, b.data + 1, last - 9);
}

#endif /* CMW_BUILTIN_SHORT_TAG_H */
