/* SPDX-License-Identifier: MIT */
/*
 * Sixteen bytes at a time: which of them are of a kind, as a mask with one bit for each byte; and
 * copying short text without a call.
 *
 * SSE2 is part of every x86-64. Elsewhere the same masks come from plain loops, which compilers
 * turn into what the machine has.
 */
#ifndef CMW_MESSAGE_BLOCK16_H
#define CMW_MESSAGE_BLOCK16_H

#include <stdint.h>

#include "str.h"

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>

static inline __m128i cmw__block16_load(const void *bytes)
{
    return _mm_loadu_si128((const __m128i *)bytes);
}

static inline unsigned cmw__block16_mask(__m128i places)
{
    return (unsigned)_mm_movemask_epi8(places);
}

/*
 * Copying while looking for bytes other than 0x20 to 0x7E: a subtraction puts these at 0 to 0x5E,
 * and the largest of each place is kept, so that there is one test at the end.
 */
static inline __m128i cmw__block16_from_space(__m128i block)
{
    return _mm_sub_epi8(block, _mm_set1_epi8(0x20));
}

static inline int cmw__block16_is_odd(__m128i from_space)
{
    const __m128i excess = _mm_subs_epu8(from_space, _mm_set1_epi8(0x5e));
    return cmw__block16_mask(_mm_cmpeq_epi8(excess, _mm_setzero_si128())) != 0xffff;
}

static inline __m128i cmw__block16_copy(char *out, const char *text)
{
    const __m128i block = cmw__block16_load(text);
    _mm_storeu_si128((__m128i *)(void *)out, block);
    return cmw__block16_from_space(block);
}

/* Less than 16 bytes, but not 0: each is in the block, some of them twice. */
static inline __m128i cmw__block16_copy_short(char *out, const char *text, size_t len)
{
    if (len >= 8) {
        const __m128i first = _mm_loadl_epi64((const __m128i *)(const void *)text);
        const __m128i last = _mm_loadl_epi64((const __m128i *)(const void *)(text + len - 8));
        _mm_storel_epi64((__m128i *)(void *)out, first);
        _mm_storel_epi64((__m128i *)(void *)(out + len - 8), last);
        return _mm_unpacklo_epi64(first, last);
    }
    if (len >= 4) {
        const uint32_t first = cmw__load4(text);
        const uint32_t last = cmw__load4(text + len - 4);
        memcpy(out, &first, 4);
        memcpy(out + len - 4, &last, 4);
        return _mm_shuffle_epi32(
            _mm_unpacklo_epi32(_mm_cvtsi32_si128((int)first), _mm_cvtsi32_si128((int)last)), 0x44);
    }
    const unsigned first = (unsigned char)text[0];
    const unsigned middle = (unsigned char)text[len / 2];
    const unsigned last = (unsigned char)text[len - 1];
    out[0] = (char)first;
    out[len / 2] = (char)middle;
    out[len - 1] = (char)last;
    return _mm_shuffle_epi32(
        _mm_cvtsi32_si128((int)(first | middle << 8 | last << 16 | last << 24)), 0);
}

/* Copy text that is not empty; 1 if there are other bytes than 0x20 to 0x7E in it. */
static inline int cmw__copy_is_odd(char *out, const char *text, size_t len)
{
    if (len < 16)
        return cmw__block16_is_odd(
            cmw__block16_from_space(cmw__block16_copy_short(out, text, len)));
    const size_t last = len - 16;
    __m128i largest = cmw__block16_copy(out + last, text + last);
    for (size_t i = 0; i < last; i += 16)
        largest = _mm_max_epu8(largest, cmw__block16_copy(out + i, text + i));
    return cmw__block16_is_odd(largest);
}

/* The same without a copy, for 16 bytes and more. */
static inline int cmw__long_text_is_odd(const char *text, size_t len)
{
    const char *const last = text + len - 16;
    __m128i largest = cmw__block16_from_space(cmw__block16_load(last));
    for (; text < last; text += 16)
        largest = _mm_max_epu8(largest, cmw__block16_from_space(cmw__block16_load(text)));
    return cmw__block16_is_odd(largest);
}

/* The bytes that are the same in both; `aligned` is at a multiple of 16. */
static inline unsigned cmw__block16_same(const uint8_t *bytes, const uint8_t *aligned)
{
    const __m128i wanted = _mm_load_si128((const __m128i *)(const void *)aligned);
    return cmw__block16_mask(_mm_cmpeq_epi8(cmw__block16_load(bytes), wanted));
}

/* The bytes that a JSON string cannot hold as they are, or that need a look: controls, '"', '\\'
 * and everything above 0x7F. Signed: what is above 0x7F is below 0x20 too. */
static inline unsigned cmw__block16_json(const char *bytes)
{
    const __m128i block = cmw__block16_load(bytes);
    const __m128i low = _mm_cmplt_epi8(block, _mm_set1_epi8(0x20));
    const __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
    const __m128i escape = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
    return cmw__block16_mask(_mm_or_si128(low, _mm_or_si128(quote, escape)));
}

/* The bytes that no entity tag has: what is below "!", quotes and DEL. */
static inline __m128i cmw__block16_not_tag(__m128i block)
{
    const __m128i space = _mm_set1_epi8(' ');
    const __m128i low = _mm_cmpeq_epi8(_mm_max_epu8(block, space), space);
    const __m128i quote = _mm_cmpeq_epi8(block, _mm_set1_epi8('"'));
    return _mm_or_si128(_mm_or_si128(low, quote), _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f)));
}

/* 1 if there is such a byte in text of at least eight, of which some may be looked at twice. */
static inline int cmw__has_not_tag(const char *text, size_t len)
{
    const char *const last = text + len - 8;
    const __m128i behind = _mm_loadl_epi64((const __m128i *)(const void *)last);
    __m128i found = _mm_setzero_si128();

    for (; last - text > 8; text += 16)
        found = _mm_or_si128(found, cmw__block16_not_tag(cmw__block16_load(text)));
    const __m128i before =
        _mm_loadl_epi64((const __m128i *)(const void *)(text < last ? text : last));
    found = _mm_or_si128(found, cmw__block16_not_tag(_mm_unpacklo_epi64(before, behind)));
    return cmw__block16_mask(found) != 0;
}

/* The bytes that are this one. */
static inline unsigned cmw__block16_is(const char *bytes, char byte)
{
    return cmw__block16_mask(_mm_cmpeq_epi8(cmw__block16_load(bytes), _mm_set1_epi8(byte)));
}

/* Spaces and tabs. */
static inline unsigned cmw__block16_blank(const char *bytes)
{
    const __m128i block = cmw__block16_load(bytes);
    return cmw__block16_mask(_mm_or_si128(_mm_cmpeq_epi8(block, _mm_set1_epi8(' ')),
                                          _mm_cmpeq_epi8(block, _mm_set1_epi8('\t'))));
}

/* Controls, DEL, '%' and '\\'. */
static inline __m128i cmw__block16_odd_in_path(__m128i block)
{
    const __m128i last_control = _mm_set1_epi8(0x1f);
    const __m128i control = _mm_cmpeq_epi8(_mm_max_epu8(block, last_control), last_control);
    const __m128i rubout = _mm_cmpeq_epi8(block, _mm_set1_epi8(0x7f));
    const __m128i percent = _mm_cmpeq_epi8(block, _mm_set1_epi8('%'));
    const __m128i backslash = _mm_cmpeq_epi8(block, _mm_set1_epi8('\\'));
    return _mm_or_si128(_mm_or_si128(control, rubout), _mm_or_si128(percent, backslash));
}

/* Each '/' before '/' or '.', which differ in their lowest bit; the last place does not know what
 * follows it. */
static inline __m128i cmw__block16_odd_slash(__m128i block, __m128i slash)
{
    const __m128i or_dot =
        _mm_cmpeq_epi8(_mm_or_si128(block, _mm_set1_epi8(1)), _mm_set1_epi8('/'));
    return _mm_and_si128(slash, _mm_srli_si128(or_dot, 1));
}

/* The bytes of a path that are worth a look: controls, DEL, '%', '\\', a '/' before '/' or '.', and
 * in the last place any '/'. */
static inline unsigned cmw__block16_path(const char *bytes)
{
    const __m128i block = cmw__block16_load(bytes);
    const __m128i slash = _mm_cmpeq_epi8(block, _mm_set1_epi8('/'));
    const __m128i odd =
        _mm_or_si128(cmw__block16_odd_in_path(block), cmw__block16_odd_slash(block, slash));
    return cmw__block16_mask(odd) | (cmw__block16_mask(slash) & 0x8000u);
}

/* The bytes of a target that its path ends at, a '?', or that make it worth a look; not a '/' in
 * the last place. */
static inline unsigned cmw__block16_target(const char *bytes)
{
    const __m128i block = cmw__block16_load(bytes);
    const __m128i slash = _mm_cmpeq_epi8(block, _mm_set1_epi8('/'));
    const __m128i mark = _mm_cmpeq_epi8(block, _mm_set1_epi8('?'));
    return cmw__block16_mask(_mm_or_si128(_mm_or_si128(cmw__block16_odd_in_path(block), mark),
                                          cmw__block16_odd_slash(block, slash)));
}

/* 1 if sixteen bytes are lower-case letters, digits, hyphens and dots, and no dot follows a dot:
 * two ranges, of which the second has "/" in its midst. */
static inline int cmw__block16_is_host(__m128i block)
{
    const __m128i letters =
        _mm_subs_epu8(_mm_sub_epi8(block, _mm_set1_epi8('a')), _mm_set1_epi8('z' - 'a'));
    const __m128i others =
        _mm_subs_epu8(_mm_sub_epi8(block, _mm_set1_epi8('-')), _mm_set1_epi8('9' - '-'));
    const __m128i good = _mm_cmpeq_epi8(_mm_min_epu8(letters, others), _mm_setzero_si128());
    const __m128i slash = _mm_cmpeq_epi8(block, _mm_set1_epi8('/'));
    const unsigned dots = cmw__block16_mask(_mm_cmpeq_epi8(block, _mm_set1_epi8('.')));
    return cmw__block16_mask(_mm_andnot_si128(slash, good)) == 0xffff && !(dots & dots << 1);
}

/* 1 if text of at least eight bytes is that. Of less than sixteen both halves are looked at as if
 * one followed the other: 0 says nothing. */
static inline int cmw__is_plain_host(const char *text, size_t len)
{
    const char *const last = text + len - 16;

    if (len < 16)
        return cmw__block16_is_host(
            _mm_unpacklo_epi64(_mm_loadl_epi64((const __m128i *)(const void *)text),
                               _mm_loadl_epi64((const __m128i *)(const void *)(text + len - 8))));
    for (; text < last; text += 15) /* two dots may stand across the edge of sixteen */
        if (!cmw__block16_is_host(cmw__block16_load(text)))
            return 0;
    return cmw__block16_is_host(cmw__block16_load(last));
}
#else
static inline int cmw__copy_is_odd(char *out, const char *text, size_t len)
{
    unsigned odd = 0;
    for (size_t i = 0; i < len; i++) {
        const unsigned char byte = (unsigned char)text[i];
        odd |= (unsigned)(byte < 0x20 || byte > 0x7e);
        out[i] = (char)byte;
    }
    return odd != 0;
}

static inline int cmw__long_text_is_odd(const char *text, size_t len)
{
    unsigned odd = 0;
    for (size_t i = 0; i < len; i++)
        odd |= (unsigned)((unsigned char)text[i] < 0x20 || (unsigned char)text[i] > 0x7e);
    return odd != 0;
}

static inline unsigned cmw__block16_same(const uint8_t *bytes, const uint8_t *aligned)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < 16; i++)
        mask |= (unsigned)(bytes[i] == aligned[i]) << i;
    return mask;
}

static inline unsigned cmw__block16_json(const char *bytes)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < 16; i++) {
        const unsigned char byte = (unsigned char)bytes[i];
        mask |= (unsigned)(byte < 0x20 || byte > 0x7f || byte == '"' || byte == '\\') << i;
    }
    return mask;
}

static inline int cmw__has_not_tag(const char *text, size_t len)
{
    unsigned found = 0;
    for (size_t i = 0; i < len; i++) {
        const unsigned char byte = (unsigned char)text[i];
        found |= (unsigned)(byte <= ' ' || byte == '"' || byte == 0x7f);
    }
    return found != 0;
}

static inline unsigned cmw__block16_is(const char *bytes, char byte)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < 16; i++)
        mask |= (unsigned)(bytes[i] == byte) << i;
    return mask;
}

static inline unsigned cmw__block16_blank(const char *bytes)
{
    return cmw__block16_is(bytes, ' ') | cmw__block16_is(bytes, '\t');
}

static inline unsigned cmw__block16_target(const char *bytes)
{
    unsigned mask = 0;
    for (unsigned i = 0; i < 16; i++) {
        const unsigned char byte = (unsigned char)bytes[i];
        const int is_odd =
            byte < 0x20 || byte == 0x7f || byte == '%' || byte == '\\' || byte == '?';
        const int is_before = i < 15 && (bytes[i + 1] == '/' || bytes[i + 1] == '.');
        mask |= (unsigned)(is_odd || (byte == '/' && is_before)) << i;
    }
    return mask;
}

static inline unsigned cmw__block16_path(const char *bytes)
{
    const unsigned marks = cmw__block16_is(bytes, '?');
    return (cmw__block16_target(bytes) & ~marks) | (unsigned)(bytes[15] == '/') << 15;
}

static inline int cmw__is_plain_host(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const char c = text[i];
        const int is_name = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
        if (!is_name && (c != '.' || (i > 0 && text[i - 1] == '.')))
            return 0;
    }
    return 1;
}
#endif

/*
 * Copy `len` bytes; returns the end of the copy. For text of a header's size: a call of memcpy
 * costs more than the copy. Short pieces are two loads that may overlap.
 */
static inline char *cmw__copy_short(char *out, const char *text, size_t len)
{
    if (len > 96) {
        memcpy(out, text, len);
    } else if (len > 16) {
        for (size_t i = 0; i < len - 16; i += 16)
            memcpy(out + i, text + i, 16);
        memcpy(out + len - 16, text + len - 16, 16);
    } else if (len >= 8) {
        const uint64_t last = cmw__load8(text + len - 8);
        cmw__store8(out, cmw__load8(text));
        cmw__store8(out + len - 8, last);
    } else if (len >= 4) {
        const uint32_t first = cmw__load4(text);
        const uint32_t last = cmw__load4(text + len - 4);
        memcpy(out, &first, 4);
        memcpy(out + len - 4, &last, 4);
    } else if (len > 0) {
        const char last = text[len - 1];
        const char middle = text[len / 2];
        out[0] = text[0];
        out[len / 2] = middle;
        out[len - 1] = last;
    }
    return out + len;
}

#endif /* CMW_MESSAGE_BLOCK16_H */
