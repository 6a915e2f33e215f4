/* SPDX-License-Identifier: MIT */
/*
 * A bounded table from keys to states, in one piece of memory that threads and processes share.
 *
 *   head     what it is, the hash's key, counters
 *   limit 0  buckets of 64 bytes: | tag 0..3 | state 0..3 |
 *   limit 1  ...
 *
 * Position-independent: nothing in it points anywhere. A tag is the keyed hash of a key, with its
 * lowest bit set; 0 is an empty place. A bucket keeps four keys, and forgets only those whose state
 * says nothing any more: who floods the table cannot push out another's entry. What is refused or
 * let pass when all four are in use is the caller's to decide.
 *
 * A request that finds its key changes one state with one compare-and-swap. Putting in a new key is
 * done by one at a time in each bucket: who does it holds the top bit of the state of place 0, and,
 * while it replaces a tag, that of the place's own state. Whoever meets that bit waits. A state
 * only grows from one owner of a place to the next, so a swap that began before a replacement
 * fails.
 */
#ifndef CMW_BUILTIN_RATE_TABLE_H
#define CMW_BUILTIN_RATE_TABLE_H

#include <stdatomic.h>
#include <stddef.h>

#include <catzilla/hash.h>

#include "gcra.h"
#include "inline.h"
#include "rate_window.h"

#if defined(__GNUC__)
#define CMW__RATE_PREFETCH(address) __builtin_prefetch((address), 1)
#define CMW__RATE_LIKELY(condition) __builtin_expect(!!(condition), 1)
#else
#define CMW__RATE_PREFETCH(address) ((void)(address))
#define CMW__RATE_LIKELY(condition) (condition)
#endif

#define CMW__RATE_WAYS 4
#define CMW__RATE_BUSY (UINT64_C(1) << 63)

struct cmw__rate_bucket {
    _Atomic uint64_t tags[CMW__RATE_WAYS];
    _Atomic uint64_t states[CMW__RATE_WAYS];
};

struct cmw__rate_head {
    _Atomic uint32_t stage; /* 0: zeros; 1: being made; 2: made */
    uint32_t limit_count;
    uint64_t shape; /* a digest of what it was made for */
    uint64_t bucket_count;
    cmw_hash_key key;
    _Atomic uint64_t refused; /* counters, on a line of their own */
    _Atomic uint64_t refused_full;
    _Atomic uint64_t allowed_full;
    _Atomic uint64_t store_failures;
    uint64_t reserved_too[4];
};

/* How states of a limit are read and written: one of the limiters. */
struct cmw__rate_core {
    int algorithm; /* cmw_rate_algorithm */
    union {
        struct cmw__gcra gcra;
        struct cmw__rate_window window;
    } as;
};

/* One limit's buckets. Private to a process. */
struct cmw__rate_table {
    struct cmw__rate_bucket *buckets;
    uint64_t mask; /* number of buckets - 1 */
    struct cmw__rate_core core;
};

enum cmw__rate_found {
    CMW__RATE_PASSES = 1,
    CMW__RATE_REFUSED = 0,
    CMW__RATE_FULL = -1 /* no place for the key; the step was not made */
};

/* Where a cost was taken, to give it back. */
struct cmw__rate_taken {
    struct cmw__rate_bucket *bucket;
    unsigned way;
    uint64_t state;
};

/* Bytes for `limits` tables of at least `entries` keys each, the head included; 0: too many. */
size_t cmw__rate_memory_bytes(size_t limits, uint64_t entries);

/*
 * Make the head in zeroed memory, or find it made for the same shape.
 *
 * 0; CMW_ERR_CONFLICT: it holds something else; CMW_ERR_STATE: another process began and did not
 * end to make it; CMW_ERR_IO: no random bytes.
 */
int cmw__rate_memory_open(void *memory, size_t limits, uint64_t entries, uint64_t shape);

/* The buckets of a limit, in memory that is open. */
void cmw__rate_table_open(struct cmw__rate_table *table, void *memory, size_t index);

/* One request. `taken` is filled when it passes. */
enum cmw__rate_found cmw__rate_table_take(const struct cmw__rate_table *table, uint64_t hash,
                                          uint64_t now_ns, uint64_t cost,
                                          struct cmw__rate_step *step,
                                          struct cmw__rate_taken *taken);

/* Give back what was taken, if the key still has the place. */
void cmw__rate_table_refund(const struct cmw__rate_table *table, uint64_t hash, uint64_t now_ns,
                            uint64_t cost, const struct cmw__rate_taken *taken);

static inline struct cmw__rate_bucket *cmw__rate_bucket_of(const struct cmw__rate_table *table,
                                                           uint64_t hash)
{
    return &table->buckets[hash >> 24 & table->mask];
}

static inline uint64_t cmw__rate_tag(uint64_t hash)
{
    return hash | 1;
}

/* The place of a tag, or CMW__RATE_WAYS. */
static inline unsigned cmw__rate_find(struct cmw__rate_bucket *bucket, uint64_t tag)
{
    _Static_assert(CMW__RATE_WAYS == 4, "as many are written out");
    if (atomic_load_explicit(&bucket->tags[0], memory_order_acquire) == tag)
        return 0;
    if (atomic_load_explicit(&bucket->tags[1], memory_order_acquire) == tag)
        return 1;
    if (atomic_load_explicit(&bucket->tags[2], memory_order_acquire) == tag)
        return 2;
    if (atomic_load_explicit(&bucket->tags[3], memory_order_acquire) == tag)
        return 3;
    return CMW__RATE_WAYS;
}

/* A place of a bucket, by its tag; the state lies as far behind in each. */
static inline _Atomic uint64_t *cmw__rate_state_of(_Atomic uint64_t *tag)
{
    _Static_assert(offsetof(struct cmw__rate_bucket, states) == CMW__RATE_WAYS * sizeof(uint64_t),
                   "states lie behind the tags");
    return tag + CMW__RATE_WAYS;
}

/*
 * The usual way of a request under GCRA: its key is there, it passes, and nobody interferes. 1,
 * with what is left; or 0, and nothing was done: cmw__rate_table_take does it, or says why not.
 */
static CMW__BUILTIN_INLINE int cmw__rate_table_take_quickly(const struct cmw__rate_table *table,
                                                            uint64_t hash, uint64_t now_ns,
                                                            uint64_t *remaining, uint64_t *reset_ns)
{
    struct cmw__rate_bucket *const bucket = cmw__rate_bucket_of(table, hash);
    const struct cmw__gcra *const gcra = &table->core.as.gcra;
    const uint64_t tag = cmw__rate_tag(hash);
    const uint64_t now = now_ns & CMW__RATE_NOW_MASK;
    _Atomic uint64_t *place = bucket->tags;

    /* Most are in the first place. */
    if (!CMW__RATE_LIKELY(atomic_load_explicit(place, memory_order_acquire) == tag)) {
        const unsigned way = cmw__rate_find(bucket, tag);
        if (way == CMW__RATE_WAYS)
            return 0;
        place += way;
    }
    uint64_t state = atomic_load_explicit(cmw__rate_state_of(place), memory_order_acquire);
    const uint64_t next = (state > now ? state : now) + gcra->interval_ns;
    const uint64_t used = next - now; /* of a busy state: more than any capacity */
    if (!CMW__RATE_LIKELY(used <= gcra->capacity_ns) ||
        atomic_load_explicit(place, memory_order_relaxed) != tag ||
        !atomic_compare_exchange_strong_explicit(cmw__rate_state_of(place), &state, next,
                                                 memory_order_acq_rel, memory_order_relaxed))
        return 0;
    *remaining = cmw__gcra_count(gcra, gcra->capacity_ns - used);
    *reset_ns = used;
    return 1;
}

#endif /* CMW_BUILTIN_RATE_TABLE_H */
