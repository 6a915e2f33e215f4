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

struct cmw__origin_set {
    cmw_str *exact; /* room for all texts */
    struct cmw__origin_pattern *patterns;
    uint32_t *table; /* index in `exact` plus 1; 0: free */
    uint32_t exact_count;
    uint32_t pattern_count;
    uint32_t mask;  /* places of the table, a power of two, minus 1 */
    uint32_t words; /* how much of an origin is hashed: as little as tells these apart */
};

/* Places that a table for so many origins needs. */
size_t cmw__origin_table_size(size_t count);

/* Take in texts without a fault; one may stand twice. Arrays and `mask` are there, the rest is 0.
 */
void cmw__origin_set_fill(struct cmw__origin_set *set, const cmw_str *texts, size_t count);

/* What cmw__origin_find returns beside an index in `exact`. */
enum { CMW__ORIGIN_NONE = -1, CMW__ORIGIN_MATCHED = -2 /* by a pattern */ };

/* O(length + patterns), whatever the bytes. */
int cmw__origin_find(const struct cmw__origin_set *set, cmw_str origin);

#endif /* CMW_BUILTIN_ORIGIN_SET_H */
