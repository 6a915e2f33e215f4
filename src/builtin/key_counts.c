/* SPDX-License-Identifier: MIT */
/* Counts by key. */
#include "key_counts.h"

/* Places for each key: of full buckets, which refuse, there are few then even where all keys are
 * there (one in 100,000 with five places and 0.6 keys in a bucket). */
enum { ROOM = 8 };

static uint64_t buckets_for(uint64_t keys)
{
    uint64_t buckets = 1;

    while (buckets * CMW__KEY_WAYS < keys * ROOM)
        buckets *= 2;
    return buckets;
}

size_t cmw__key_counts_bytes(uint64_t keys)
{
    return (size_t)buckets_for(keys) * sizeof(struct cmw__key_bucket);
}

void cmw__key_counts_open(struct cmw__key_counts *counts, void *memory, uint64_t keys)
{
    counts->buckets = memory;
    counts->mask = buckets_for(keys) - 1;
}

/* The key's place, else a free one, else CMW__KEY_WAYS. */
static unsigned find(const struct cmw__key_bucket *bucket, uint64_t hash)
{
    unsigned free_way = CMW__KEY_WAYS;

    for (unsigned i = 0; i < CMW__KEY_WAYS; i++) {
        if (bucket->counts[i] == 0)
            free_way = i;
        else if (bucket->hashes[i] == hash)
            return i;
    }
    return free_way;
}

enum cmw__key_taken cmw__key_counts_take(struct cmw__key_counts *counts, uint64_t hash,
                                         uint32_t limit, uint64_t *place)
{
    const uint64_t index = hash & counts->mask;
    struct cmw__key_bucket *bucket = &counts->buckets[index];
    enum cmw__key_taken taken = CMW__KEY_FULL;

    cmw__spin_lock(&bucket->lock);
    const unsigned way = find(bucket, hash);
    if (way < CMW__KEY_WAYS && bucket->counts[way] >= limit) {
        taken = CMW__KEY_REFUSED;
    } else if (way < CMW__KEY_WAYS) {
        bucket->hashes[way] = hash;
        bucket->counts[way]++;
        *place = index * CMW__KEY_WAYS + way;
        taken = CMW__KEY_TAKEN;
    }
    cmw__spin_unlock(&bucket->lock);
    return taken;
}

void cmw__key_counts_give(struct cmw__key_counts *counts, uint64_t place)
{
    struct cmw__key_bucket *bucket = &counts->buckets[place / CMW__KEY_WAYS];

    cmw__spin_lock(&bucket->lock);
    bucket->counts[place % CMW__KEY_WAYS]--;
    cmw__spin_unlock(&bucket->lock);
}
