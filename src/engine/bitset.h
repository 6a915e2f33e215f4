/* SPDX-License-Identifier: MIT */
/*
 * A bitset that is cleared in a few stores, however large: a summary has a bit for each word, and a
 * word whose summary bit is clear counts as 0 whatever it holds.
 */
#ifndef CMW_ENGINE_BITSET_H
#define CMW_ENGINE_BITSET_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cmw__bitset {
    uint64_t *summary;
    uint64_t *words;
};

static inline size_t cmw__bitset_words(size_t bits)
{
    return (bits + 63) / 64;
}

/* 64-bit words of memory that a set of `bits` needs. */
static inline size_t cmw__bitset_room(size_t bits)
{
    return cmw__bitset_words(bits) + cmw__bitset_words(cmw__bitset_words(bits));
}

/* Lay an empty set out in `room` words. */
static inline struct cmw__bitset cmw__bitset_init(uint64_t *room, size_t bits)
{
    const size_t summary_words = cmw__bitset_words(cmw__bitset_words(bits));
    struct cmw__bitset set = {room, room + summary_words};
    for (size_t i = 0; i < summary_words; i++)
        set.summary[i] = 0;
    return set;
}

static inline void cmw__bitset_add(struct cmw__bitset set, uint32_t bit)
{
    const uint32_t word = bit / 64;
    uint64_t *summary = &set.summary[word / 64];
    const uint64_t mask = UINT64_C(1) << (word % 64);

    if (!(*summary & mask)) {
        *summary |= mask;
        set.words[word] = 0;
    }
    set.words[word] |= UINT64_C(1) << (bit % 64);
}

static inline int cmw__bitset_has(struct cmw__bitset set, uint32_t bit)
{
    const uint32_t word = bit / 64;
    if (!(set.summary[word / 64] >> (word % 64) & 1))
        return 0;
    return set.words[word] >> (bit % 64) & 1;
}

/* The first set bit in [from, limit), or `limit`. */
uint32_t cmw__bitset_next(struct cmw__bitset set, uint32_t from, uint32_t limit);

#endif /* CMW_ENGINE_BITSET_H */
