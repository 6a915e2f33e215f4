/* SPDX-License-Identifier: MIT */
/*
 * A set of web origins: exact ones in a hash table, patterns in a list.
 *
 * Pure: the caller gives the memory, and keeps the texts for as long as the set.
 */
#ifndef CMW_BUILTIN_ORIGIN_SET_H
#define CMW_BUILTIN_ORIGIN_SET_H

#include <catzilla/base.h>

/* What is wrong with a text that should be an origin, a pattern or "null", as the end of a sentence
 * that begins with it; NULL: nothing. */
const char *cmw__origin_fault(cmw_str text);

struct cmw__origin_pattern {
    cmw_str before; /* the "*" */
    cmw_str after;
};

struct cmw__origin_entry {
    cmw_str text; /* empty: the place is free */
    void *value;  /* the caller's; NULL at first */
};

struct cmw__origin_set {
    struct cmw__origin_entry *table;
    struct cmw__origin_pattern *patterns;
    uint32_t mask;  /* places of the table, a power of two, minus 1 */
    uint32_t words; /* how much of an origin is hashed: as little as tells these apart */
    uint32_t pattern_count;
};

/* Places that a table for so many origins needs. */
size_t cmw__origin_table_size(size_t count);

/* Take in texts without a fault; one may stand twice. Table (all zero), room for patterns and
 * `mask` are there. */
void cmw__origin_set_fill(struct cmw__origin_set *set, const cmw_str *texts, size_t count);

/* 1 if a pattern matches. O(length + patterns), whatever the bytes. */
int cmw__origin_matches(const struct cmw__origin_set *set, cmw_str origin);

/* ---- Exact origins, in line ------------------------------------------------------------- */

/* The same as below for short texts, and from the second place on; NULL: not in the set. */
const struct cmw__origin_entry *cmw__origin_find_slowly(const struct cmw__origin_set *set,
                                                        cmw_str origin);

static inline uint64_t cmw__origin_load(const char *from)
{
    uint64_t word;

    memcpy(&word, from, sizeof word);
    return word;
}

static inline uint64_t cmw__origin_mix(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
    return hash << 29 | hash >> 35;
}

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>

static inline int cmw__origin_same16(const char *a, const char *b)
{
    const __m128i same = _mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)a),
                                        _mm_loadu_si128((const __m128i *)(const void *)b));
    return _mm_movemask_epi8(same) == 0xffff;
}
#else
static inline int cmw__origin_same16(const char *a, const char *b)
{
    return memcmp(a, b, 16) == 0;
}
#endif

/*
 * Of a text of 16 bytes or more: its length and `words` times eight bytes behind the first eight,
 * which are a scheme nearly always. Who asks cannot add to the table: the hash needs no key.
 */
static inline uint64_t cmw__origin_hash(cmw_str text, size_t words)
{
    uint64_t hash = cmw__origin_mix(text.len, cmw__origin_load(text.data + 8));
    size_t at = 16;

    for (; words > 1 && at + 8 <= text.len; words--, at += 8)
        hash = cmw__origin_mix(hash, cmw__origin_load(text.data + at));
    return words > 1 ? cmw__origin_mix(hash, cmw__origin_load(text.data + text.len - 8)) : hash;
}

/* memcmp(a, b, len) == 0 for 16 bytes or more: sixteen at a time, the last sixteen again. */
static inline int cmw__origin_same(const char *a, const char *b, size_t len)
{
    for (size_t i = 0; i < len - 16; i += 16)
        if (!cmw__origin_same16(a + i, b + i))
            return 0;
    return cmw__origin_same16(a + len - 16, b + len - 16);
}

/* The entry of an origin that is in the set as it is, or NULL. O(length + entries that collide). */
static inline const struct cmw__origin_entry *cmw__origin_find(const struct cmw__origin_set *set,
                                                               cmw_str origin)
{
    if (origin.len >= 16) {
        const uint64_t hash = cmw__origin_hash(origin, set->words);
        const struct cmw__origin_entry *entry = &set->table[hash & set->mask];
        if (entry->text.len == origin.len &&
            cmw__origin_same(entry->text.data, origin.data, origin.len))
            return entry;
    }
    return cmw__origin_find_slowly(set, origin);
}

#endif /* CMW_BUILTIN_ORIGIN_SET_H */
