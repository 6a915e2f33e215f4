/* SPDX-License-Identifier: MIT */
/*
 * A Cookie field is split cookie by cookie: a mask of the equals signs among 32 bytes, one of the
 * semicolons and one of the blanks say where both texts of a usual cookie end.
 *
 *     SID=31d4d96e; lang=en; theme=a=b
 *        ^        ^     the first "=" ends the name, the first ";" the value; no blank stands
 *                       before the ";", and one behind it
 *
 * What is not so, or longer, is looked at piece by piece. Compiled a second time by
 * cookie_split_avx2.c.
 */
#include "cookie_split.h"

#include "block16.h"

#if !defined(CMW__COOKIE_SPLIT)
#define CMW__COOKIE_SPLIT cmw__cookie_split
#endif

/* ---- Any piece -------------------------------------------------------------------------- */

static inline int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* A piece that may have blanks at its ends: behind the cookie that it is, or `to`. */
static CMW__NOINLINE cmw_cookie *take_blank_piece(cmw_cookie *to, const char *name,
                                                  const char *name_end, const char *end)
{
    const char *value = name_end + 1;

    while (name < name_end && is_blank(*name))
        name++;
    while (name_end > name && is_blank(name_end[-1]))
        name_end--;
    if (name == name_end)
        return to;
    while (value < end && is_blank(*value))
        value++;
    while (end > value && is_blank(end[-1]))
        end--;
    to->name = cmw_str_make(name, (size_t)(name_end - name));
    to->value = cmw_str_make(value, (size_t)(end - value));
    return to + 1;
}

/* The piece at `*name`, whatever it is, and where the next one begins. */
static CMW__NOINLINE cmw_cookie *take_any_piece(cmw_cookie *to, const char **name, const char *end)
{
    const char *const start = *name;
    const char *const mark = memchr(start, ';', (size_t)(end - start));
    const char *const piece_end = mark ? mark : end;
    const char *const equals = memchr(start, '=', (size_t)(piece_end - start));
    const char *next = mark ? mark + 1 : end;

    if (next < end && *next == ' ')
        next++;
    *name = next;
    return equals ? take_blank_piece(to, start, equals, piece_end) : to;
}

/* ---- Marks ------------------------------------------------------------------------------ */

enum { BLOCK = 32 };

/* A bit for each byte of a block: "=", ";", and blanks. */
struct marks {
    uint64_t equals, ends, blanks;
};

#if defined(__AVX2__)
#include <immintrin.h>

static CMW__ALWAYS_INLINE uint64_t mask_of(__m256i places)
{
    return (uint32_t)_mm256_movemask_epi8(places);
}

static CMW__ALWAYS_INLINE struct marks read_marks(const char *bytes)
{
    const __m256i block = _mm256_loadu_si256((const __m256i *)(const void *)bytes);
    const __m256i spaces = _mm256_cmpeq_epi8(block, _mm256_set1_epi8(' '));
    const __m256i tabs = _mm256_cmpeq_epi8(block, _mm256_set1_epi8('\t'));

    return (struct marks){mask_of(_mm256_cmpeq_epi8(block, _mm256_set1_epi8('='))),
                          mask_of(_mm256_cmpeq_epi8(block, _mm256_set1_epi8(';'))),
                          mask_of(_mm256_or_si256(spaces, tabs))};
}
#else
static CMW__ALWAYS_INLINE struct marks read_marks(const char *bytes)
{
    return (struct marks){
        cmw__block16_is(bytes, '=') | (uint64_t)cmw__block16_is(bytes + 16, '=') << 16,
        cmw__block16_is(bytes, ';') | (uint64_t)cmw__block16_is(bytes + 16, ';') << 16,
        cmw__block16_blank(bytes) | (uint64_t)cmw__block16_blank(bytes + 16) << 16};
}
#endif

/* Fewer bytes than a block, without a call: what is copied twice is right both times. */
static CMW__ALWAYS_INLINE void copy_short(char *to, const char *from, size_t len)
{
    if (len >= 16) {
        memcpy(to, from, 16);
        memcpy(to + len - 16, from + len - 16, 16);
    } else if (len >= 8) {
        memcpy(to, from, 8);
        memcpy(to + len - 8, from + len - 8, 8);
    } else {
        for (size_t i = 0; i < len; i++)
            to[i] = from[i];
    }
}

/* The same of the `len` bytes before `end`, up to a block, with a semicolon behind them. A field of
 * a block or more is read once more where it ends, a shorter one from a copy. */
static CMW__ALWAYS_INLINE struct marks read_last_marks(const char *end, size_t len, int is_long)
{
    struct marks marks;
    char copy[BLOCK];

    if (is_long) {
        marks = read_marks(end - BLOCK);
        marks.equals >>= BLOCK - len;
        marks.ends >>= BLOCK - len;
        marks.blanks >>= BLOCK - len;
    } else {
        memset(copy, 'x', sizeof copy);
        copy_short(copy, end - len, len);
        marks = read_marks(copy);
    }
    marks.ends |= (uint64_t)1 << len;
    return marks;
}

/* ---- Usual pieces ----------------------------------------------------------------------- */

/* 1 if there is a name and an equals sign before the first semicolon, of which there is one, and no
 * blank: of the lowest marks the equals sign comes first, and not at once, then the semicolon. */
static CMW__ALWAYS_INLINE int is_usual(struct marks marks)
{
    const uint64_t first = marks.equals & (0 - marks.equals);

    return first > 1 && first < (marks.ends & (0 - marks.ends)) &&
           (marks.blanks & (marks.ends ^ (marks.ends - 1))) == 0;
}

static CMW__ALWAYS_INLINE void put_piece(cmw_cookie *to, const char *name, struct marks marks,
                                         size_t len)
{
    const size_t name_len = cmw__lowest_bit64(marks.equals);

    to->name = cmw_str_make(name, name_len);
    to->value = cmw_str_make(name + name_len + 1, len - name_len - 1);
}

/* A block or less is left. */
static CMW__ALWAYS_INLINE cmw_cookie *split_end(cmw_cookie *to, const cmw_cookie *last,
                                                const char **rest, const char *end, int is_long)
{
    const char *name = *rest;

    while (name < end && to < last) {
        const size_t left = (size_t)(end - name);
        const struct marks marks = read_last_marks(end, left, is_long);
        const size_t len = cmw__lowest_bit64(marks.ends);
        if (!is_usual(marks) || (len + 1 < left && name[len + 1] != ' ')) {
            to = take_any_piece(to, &name, end);
            continue;
        }
        put_piece(to++, name, marks, len);
        name = len + 2 < left ? name + len + 2 : end;
    }
    *rest = name;
    return to;
}

/* Usual pieces, as long as more than a block is left, and there is room. Calls nothing, so that
 * what bytes are compared with stays in registers. */
static CMW__ALWAYS_INLINE cmw_cookie *split_usual(cmw_cookie *to, const cmw_cookie *last,
                                                  const char **rest, const char *last_block)
{
    const char *name = *rest;

    while (name < last_block && to < last) {
        const struct marks marks = read_marks(name);
        if (CMW_UNLIKELY(!is_usual(marks)))
            break;
        const size_t len = cmw__lowest_bit64(marks.ends);
        if (CMW_UNLIKELY(name[len + 1] != ' '))
            break;
        put_piece(to++, name, marks, len);
        name += len + 2;
    }
    *rest = name;
    return to;
}

size_t CMW__COOKIE_SPLIT(cmw_str *rest, cmw_cookie *cookies, size_t cap)
{
    cmw_cookie *to = cookies;

    if (rest->len == 0 || cap == 0)
        return 0;
    const char *const end = rest->data + rest->len;
    const cmw_cookie *const last = cookies + cap;
    const char *name = rest->data + (rest->data[0] == ' '); /* behind what was split before */
    while (end - name > BLOCK && to < last) {
        to = split_usual(to, last, &name, end - BLOCK);
        if (end - name > BLOCK && to < last)
            to = take_any_piece(to, &name, end);
    }
    to = split_end(to, last, &name, end, rest->len >= BLOCK);
    *rest = cmw_str_make(name, (size_t)(end - name));
    return (size_t)(to - cookies);
}
