/* SPDX-License-Identifier: MIT */
/*
 * The form of a traceparent, and whether its ids are zeros alone.
 *
 *     00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01
 *     0  3                                36               53
 *
 * SSE2 is part of every x86-64; elsewhere sixteen bytes are looked at one after the other.
 */
#ifndef CMW_BUILTIN_TRACEPARENT_H
#define CMW_BUILTIN_TRACEPARENT_H

#include "hex.h"

enum {
    CMW__TRACE_AT = 3,
    CMW__SPAN_AT = 36,
    CMW__FLAGS_AT = 53,
    CMW__TRACEPARENT_LEN = 55,
    CMW__TRACEPARENT_BACK = CMW__TRACEPARENT_LEN - 16
};

#if defined(__SSE2__) || defined(_M_X64)
/* What sixteen bytes may be: no more than `digits` above `digit`, or than `letters` above `letter`.
 * A dash is one byte by both. */
struct cmw__hex_form {
    __m128i digit, digits, letter, letters;
};

static inline __m128i cmw__all_but(int place, char its, char c)
{
    return _mm_setr_epi8(
        place == 0 ? its : c, place == 1 ? its : c, place == 2 ? its : c, place == 3 ? its : c,
        place == 4 ? its : c, place == 5 ? its : c, place == 6 ? its : c, place == 7 ? its : c,
        place == 8 ? its : c, place == 9 ? its : c, place == 10 ? its : c, place == 11 ? its : c,
        place == 12 ? its : c, place == 13 ? its : c, place == 14 ? its : c, place == 15 ? its : c);
}

/* `dash` is the place of a dash, or none: constants, where it is one. */
static inline struct cmw__hex_form cmw__hex_form(int dash)
{
    const struct cmw__hex_form form = {cmw__all_but(dash, '-', '0'), cmw__all_but(dash, 0, 9),
                                       cmw__all_but(dash, '-', 'a'), cmw__all_but(dash, 0, 5)};
    return form;
}

/* Zeros where the bytes are what they may be. */
static inline __m128i cmw__hex_fault(const char *text, struct cmw__hex_form form)
{
    const __m128i block = _mm_loadu_si128((const __m128i *)(const void *)text);

    return _mm_min_epu8(_mm_subs_epu8(_mm_sub_epi8(block, form.digit), form.digits),
                        _mm_subs_epu8(_mm_sub_epi8(block, form.letter), form.letters));
}

/* Digits and dashes where they belong: all 55 bytes as four blocks, of which two overlap. */
static inline int cmw__traceparent_has_form(const char *text)
{
    const __m128i front = cmw__hex_fault(text, cmw__hex_form(CMW__TRACE_AT - 1));
    const __m128i trace = cmw__hex_fault(text + 16, cmw__hex_form(-1));
    const __m128i span = cmw__hex_fault(text + 32, cmw__hex_form(CMW__SPAN_AT - 1 - 32));
    const __m128i back = cmw__hex_fault(text + CMW__TRACEPARENT_BACK,
                                        cmw__hex_form(CMW__FLAGS_AT - 1 - CMW__TRACEPARENT_BACK));
    const __m128i fault = _mm_or_si128(_mm_or_si128(front, trace), _mm_or_si128(span, back));

    return _mm_movemask_epi8(_mm_cmpeq_epi8(fault, _mm_setzero_si128())) == 0xffff;
}

/* The digits of eight bytes. */
static inline void cmw__hex8(char *to, const void *bytes)
{
    const __m128i block = _mm_loadl_epi64((const __m128i *)bytes);
    const __m128i nibbles = _mm_unpacklo_epi8(_mm_srli_epi16(block, 4), block);

    _mm_storeu_si128((__m128i *)(void *)to,
                     cmw__hex_digits(_mm_and_si128(nibbles, _mm_set1_epi8(0x0f))));
}
#else
static inline int cmw__traceparent_has_form(const char *text)
{
    const unsigned front = cmw__not_hex16(text) ^ 1u << (CMW__TRACE_AT - 1);
    const unsigned trace = cmw__not_hex16(text + 16);
    const unsigned span = cmw__not_hex16(text + 32) ^ 1u << (CMW__SPAN_AT - 1 - 32);
    const unsigned back = cmw__not_hex16(text + CMW__TRACEPARENT_BACK) ^
                          1u << (CMW__FLAGS_AT - 1 - CMW__TRACEPARENT_BACK);

    return (front | trace | span | back) == 0 && text[CMW__TRACE_AT - 1] == '-' &&
           text[CMW__SPAN_AT - 1] == '-' && text[CMW__FLAGS_AT - 1] == '-';
}

static inline void cmw__hex8(char *to, const void *bytes)
{
    uint8_t twice[16];
    char digits[32];

    memcpy(twice, bytes, 8);
    memcpy(twice + 8, bytes, 8);
    cmw__hex16(digits, twice);
    memcpy(to, digits, 16);
}
#endif

/* 1 if eight bytes are "0". */
static inline int cmw__is_zeros8(const char *text)
{
    return memcmp(text, "00000000", 8) == 0;
}

/* Neither id is zeros alone. Nearly always the first half of each tells. */
static inline int cmw__traceparent_has_ids(const char *text)
{
    const char *const trace = text + CMW__TRACE_AT, *const span = text + CMW__SPAN_AT;

    if (cmw__is_zeros8(trace) && cmw__is_zeros8(trace + 8) && cmw__is_zeros8(trace + 16) &&
        cmw__is_zeros8(trace + 24))
        return 0;
    return !cmw__is_zeros8(span) || !cmw__is_zeros8(span + 8);
}

#endif /* CMW_BUILTIN_TRACEPARENT_H */
