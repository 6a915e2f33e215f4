/* SPDX-License-Identifier: MIT */
/* Walking a two-level bitset. */
#include "bitset.h"

/* Index of the lowest set bit of a word that is not 0. */
static uint32_t lowest(uint64_t word)
{
    return (uint32_t)__builtin_ctzll(word);
}

/* The first word at or after `from` whose summary bit is set, or `limit`. */
static uint32_t next_word(struct cmw__bitset set, uint32_t from, uint32_t limit)
{
    for (uint32_t i = from / 64; i * 64 < limit; i++) {
        uint64_t live = set.summary[i];
        if (i == from / 64)
            live &= UINT64_MAX << (from % 64);
        if (live)
            return i * 64 + lowest(live);
    }
    return limit;
}

uint32_t cmw__bitset_next(struct cmw__bitset set, uint32_t from, uint32_t limit)
{
    if (from >= limit)
        return limit;
    const uint32_t word_limit = (uint32_t)cmw__bitset_words(limit);
    uint32_t word = next_word(set, from / 64, word_limit);
    while (word < word_limit) {
        uint64_t live = set.words[word];
        if (word == from / 64)
            live &= UINT64_MAX << (from % 64);
        if (live) {
            const uint32_t bit = word * 64 + lowest(live);
            return bit < limit ? bit : limit;
        }
        word = next_word(set, word + 1, word_limit);
    }
    return limit;
}
