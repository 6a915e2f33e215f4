/* SPDX-License-Identifier: MIT */
/*
 * Counters that one thread writes and any thread reads.
 *
 * With a single writer an addition needs no locked instruction: a relaxed load and a relaxed store
 * are two plain moves. A reader may see an older value, never a torn one.
 */
#ifndef CMW_BASE_ATOMIC_H
#define CMW_BASE_ATOMIC_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct cmw__counter {
    _Atomic uint64_t value;
} cmw__counter;

/* The writer only. */
static inline void cmw__counter_add(cmw__counter *counter, uint64_t amount)
{
    const uint64_t value = atomic_load_explicit(&counter->value, memory_order_relaxed);
    atomic_store_explicit(&counter->value, value + amount, memory_order_relaxed);
}

/* The writer only. */
static inline void cmw__counter_set(cmw__counter *counter, uint64_t value)
{
    atomic_store_explicit(&counter->value, value, memory_order_relaxed);
}

/* Any thread. */
static inline uint64_t cmw__counter_read(const cmw__counter *counter)
{
    return atomic_load_explicit(&counter->value, memory_order_relaxed);
}

#endif /* CMW_BASE_ATOMIC_H */
