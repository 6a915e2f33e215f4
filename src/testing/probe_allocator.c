/* SPDX-License-Identifier: MIT */
#include "probe_allocator.h"

enum { FAIL_NONE = -1 };

/* 1 for the one call that finds the countdown at 0, however many threads come at once. */
static int is_to_fail(struct probe_allocator *probe)
{
    int_least64_t left = atomic_load(&probe->countdown);

    while (left >= 0)
        if (atomic_compare_exchange_weak(&probe->countdown, &left, left - 1))
            return left == 0;
    return 0;
}

static void *on_alloc(void *self, void *heap, size_t bytes, size_t align)
{
    struct probe_allocator *probe = self;

    atomic_fetch_add(&probe->alloc_calls, 1);
    if (is_to_fail(probe)) {
        atomic_store(&probe->has_failed, 1);
        return NULL;
    }
    return probe->inner->alloc(probe->inner->self, heap, bytes, align);
}

static void on_free(void *self, void *heap, void *piece, size_t bytes, size_t align)
{
    const struct probe_allocator *probe = self;

    probe->inner->free(probe->inner->self, heap, piece, bytes, align);
}

static int on_heap_open(void *self, void **heap, cmw_pool_purpose purpose)
{
    const struct probe_allocator *probe = self;

    return probe->inner->heap_open(probe->inner->self, heap, purpose);
}

static void on_heap_close(void *self, void *heap)
{
    const struct probe_allocator *probe = self;

    probe->inner->heap_close(probe->inner->self, heap);
}

static void on_heap_purge(void *self, void *heap)
{
    const struct probe_allocator *probe = self;

    probe->inner->heap_purge(probe->inner->self, heap);
}

static void on_heap_figures(void *self, void *heap, cmw_heap_figures *figures)
{
    const struct probe_allocator *probe = self;

    probe->inner->heap_figures(probe->inner->self, heap, figures);
}

void cmw__probe_init(struct probe_allocator *probe, const cmw_allocator *inner)
{
    probe->inner = inner ? inner : cmw_allocator_system();
    atomic_init(&probe->alloc_calls, 0);
    atomic_init(&probe->countdown, FAIL_NONE);
    atomic_init(&probe->has_failed, 0);

    memset(&probe->allocator, 0, sizeof probe->allocator);
    probe->allocator.size = sizeof probe->allocator;
    probe->allocator.name = probe->inner->name;
    probe->allocator.self = probe;
    probe->allocator.alloc = on_alloc;
    probe->allocator.free = on_free;
    probe->allocator.heap_open = probe->inner->heap_open ? on_heap_open : NULL;
    probe->allocator.heap_close = probe->inner->heap_close ? on_heap_close : NULL;
    probe->allocator.heap_purge = probe->inner->heap_purge ? on_heap_purge : NULL;
    probe->allocator.heap_figures = probe->inner->heap_figures ? on_heap_figures : NULL;
}

void cmw__probe_fail_after(struct probe_allocator *probe, uint32_t count)
{
    atomic_store(&probe->has_failed, 0);
    atomic_store(&probe->countdown, count == CMW_NONE ? FAIL_NONE : (int_least64_t)count);
}
