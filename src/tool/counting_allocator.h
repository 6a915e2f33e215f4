/* SPDX-License-Identifier: MIT */
/* An allocator that counts the calls of another one. */
#ifndef CMW_TOOL_COUNTING_ALLOCATOR_H
#define CMW_TOOL_COUNTING_ALLOCATOR_H

#include <catzilla/allocator.h>

#include <stdatomic.h>

struct counting_allocator {
    cmw_allocator allocator; /* what is handed out */
    const cmw_allocator *inner;
    atomic_ullong calls; /* of alloc */
};

/* `inner` is borrowed. Must stay where it is while its allocator is used. */
void counting_allocator_init(struct counting_allocator *counting, const cmw_allocator *inner);

#endif /* CMW_TOOL_COUNTING_ALLOCATOR_H */
