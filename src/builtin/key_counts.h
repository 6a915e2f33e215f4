/* SPDX-License-Identifier: MIT */
/*
 * How many of each key there are, in a table that does not grow: a key whose count falls to 0
 * leaves its place. Shared by threads.
 *
 * Keys are 64 bits of a keyed hash. A bucket has five places; a key goes into no other bucket.
 */
#ifndef CMW_BUILTIN_KEY_COUNTS_H
#define CMW_BUILTIN_KEY_COUNTS_H

#include <stddef.h>
#include <stdint.h>

#include "spin.h"

enum { CMW__KEY_WAYS = 5 };

struct cmw__key_bucket {
    struct cmw__spin lock;
    uint32_t counts[CMW__KEY_WAYS]; /* 0: the place is free */
    uint64_t hashes[CMW__KEY_WAYS];
};

struct cmw__key_counts {
    struct cmw__key_bucket *buckets;
    uint64_t mask; /* buckets - 1 */
};

enum cmw__key_taken { CMW__KEY_TAKEN, CMW__KEY_REFUSED, CMW__KEY_FULL };

/* Bytes of the buckets for so many keys at once, with room to spare. */
size_t cmw__key_counts_bytes(uint64_t keys);
/* Use zeroed memory of that many bytes. */
void cmw__key_counts_open(struct cmw__key_counts *counts, void *memory, uint64_t keys);

/* Count a key up, if it has less than `limit`; `*place` is for giving it back. */
enum cmw__key_taken cmw__key_counts_take(struct cmw__key_counts *counts, uint64_t hash,
                                         uint32_t limit, uint64_t *place);
/* Count it down, once. */
void cmw__key_counts_give(struct cmw__key_counts *counts, uint64_t place);

#endif /* CMW_BUILTIN_KEY_COUNTS_H */
