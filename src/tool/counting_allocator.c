/* SPDX-License-Identifier: MIT */
#include "counting_allocator.h"

static void *count_alloc(void *self, void *heap, size_t bytes, size_t align)
{
    struct counting_allocator *const counting = self;

    atomic_fetch_add_explicit(&counting->calls, 1, memory_order_relaxed);
    return counting->inner->alloc(counting->inner->self, heap, bytes, align);
}

static void pass_free(void *self, void *heap, void *piece, size_t bytes, size_t align)
{
    const cmw_allocator *const inner = ((struct counting_allocator *)self)->inner;

    inner->free(inner->self, heap, piece, bytes, align);
}

static int pass_open(void *self, void **heap, cmw_pool_purpose purpose)
{
    const cmw_allocator *const inner = ((struct counting_allocator *)self)->inner;

    return inner->heap_open(inner->self, heap, purpose);
}

static void pass_close(void *self, void *heap)
{
    const cmw_allocator *const inner = ((struct counting_allocator *)self)->inner;

    inner->heap_close(inner->self, heap);
}

void counting_allocator_init(struct counting_allocator *counting, const cmw_allocator *inner)
{
    memset(counting, 0, sizeof *counting);
    counting->inner = inner;
    counting->allocator.size = sizeof counting->allocator;
    counting->allocator.name = inner->name;
    counting->allocator.self = counting;
    counting->allocator.alloc = count_alloc;
    counting->allocator.free = pass_free;
    if (inner->heap_open) /* purging and figures are not asked for */
        counting->allocator.heap_open = pass_open;
    if (inner->heap_close)
        counting->allocator.heap_close = pass_close;
}
