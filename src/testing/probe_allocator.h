/* SPDX-License-Identifier: MIT */
/*
 * An allocator that counts its calls and fails one of them on request, before another's.
 */
#ifndef CMW_TESTING_PROBE_ALLOCATOR_H
#define CMW_TESTING_PROBE_ALLOCATOR_H

#include <stdatomic.h>

#include <catzilla/allocator.h>

/* Any thread may allocate; the test's own moves the countdown. */
struct probe_allocator {
    cmw_allocator allocator; /* what the engine gets; its self is this struct */
    const cmw_allocator *inner;
    atomic_uint_least64_t alloc_calls;
    atomic_int_least64_t countdown; /* allocations that still pass; below 0: none will fail */
    atomic_int has_failed;
};

/* `inner` is borrowed; NULL means the system's. */
void cmw__probe_init(struct probe_allocator *probe, const cmw_allocator *inner);

/* Let `count` allocations pass and fail the next one, once; CMW_NONE: fail none. */
void cmw__probe_fail_after(struct probe_allocator *probe, uint32_t count);

#endif /* CMW_TESTING_PROBE_ALLOCATOR_H */
