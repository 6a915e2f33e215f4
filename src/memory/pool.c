/* SPDX-License-Identifier: MIT */
/*
 * Pools: an allocator's heap with a limit and figures.
 *
 * Bytes are reserved in `in_use_bytes` before the allocator is asked, and given back if it refuses:
 * the limit holds at every moment, whatever the number of threads.
 */
#include <catzilla/allocator.h>

#include <assert.h>
#include <stdatomic.h>

#include "platform.h"

#define ALIGN_DEFAULT 16
#define ALIGN_MAX 4096

struct cmw_pool {
    cmw_allocator allocator; /* a copy: fields that its maker did not know are NULL */
    void *heap;
    uint64_t limit_bytes; /* UINT64_MAX: none */
    _Atomic uint64_t in_use_bytes;
    _Atomic uint64_t peak_bytes;
    _Atomic uint64_t alloc_calls;
    _Atomic uint64_t free_calls;
    _Atomic uint64_t failures;
};

static void count(_Atomic uint64_t *figure)
{
    atomic_fetch_add_explicit(figure, 1, memory_order_relaxed);
}

static uint64_t read_figure(const _Atomic uint64_t *figure)
{
    return atomic_load_explicit(figure, memory_order_relaxed);
}

static int is_zero(const char *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (bytes[i])
            return 0;
    }
    return 1;
}

/* Copy a vtable of any size: a smaller one is filled up with NULL, a larger may only add NULL. */
static int copy_allocator(cmw_allocator *to, const cmw_allocator *from)
{
    const size_t known = from->size < sizeof *to ? from->size : sizeof *to;

    if (from->size < offsetof(cmw_allocator, heap_open) || !from->alloc || !from->free)
        return CMW_ERR_ARG;
    if (!is_zero((const char *)from + known, from->size - known))
        return CMW_ERR_VERSION;
    memset(to, 0, sizeof *to);
    memcpy(to, from, known);
    return 0;
}

static int open_heap(const cmw_allocator *allocator, void **heap, cmw_pool_purpose purpose)
{
    *heap = NULL;
    return allocator->heap_open ? allocator->heap_open(allocator->self, heap, purpose) : 0;
}

static void close_heap(const cmw_allocator *allocator, void *heap)
{
    if (allocator->heap_close)
        allocator->heap_close(allocator->self, heap);
}

/* The pool's own struct lies in its heap and counts nowhere. */
static cmw_pool *alloc_pool(const cmw_allocator *allocator, void *heap)
{
    cmw_pool *pool = allocator->alloc(allocator->self, heap, sizeof *pool, ALIGN_DEFAULT);

    if (!pool)
        return NULL;
    pool->allocator = *allocator;
    pool->heap = heap;
    atomic_init(&pool->in_use_bytes, 0);
    atomic_init(&pool->peak_bytes, 0);
    atomic_init(&pool->alloc_calls, 0);
    atomic_init(&pool->free_calls, 0);
    atomic_init(&pool->failures, 0);
    return pool;
}

int cmw_pool_create(cmw_pool **out, const cmw_allocator *allocator, cmw_pool_purpose purpose,
                    uint64_t limit_bytes)
{
    cmw_allocator own;
    void *heap;

    if (!out || (unsigned)purpose >= CMW_POOL_COUNT)
        return CMW_ERR_ARG;
    const int refused = copy_allocator(&own, allocator ? allocator : cmw_allocator_system());
    if (refused)
        return refused;
    if (open_heap(&own, &heap, purpose) != 0)
        return CMW_ERR_NOMEM;

    cmw_pool *pool = alloc_pool(&own, heap);
    if (!pool) {
        close_heap(&own, heap);
        return CMW_ERR_NOMEM;
    }
    pool->limit_bytes = limit_bytes ? limit_bytes : UINT64_MAX;
    *out = pool;
    return 0;
}

void cmw_pool_destroy(cmw_pool *pool)
{
    if (!pool)
        return;

    assert(read_figure(&pool->in_use_bytes) == 0);
    const cmw_allocator allocator = pool->allocator;
    void *const heap = pool->heap;
    allocator.free(allocator.self, heap, pool, sizeof *pool, ALIGN_DEFAULT);
    close_heap(&allocator, heap);
}

static void raise_peak(cmw_pool *pool, uint64_t in_use)
{
    uint64_t peak = read_figure(&pool->peak_bytes);

    while (in_use > peak &&
           !atomic_compare_exchange_weak_explicit(&pool->peak_bytes, &peak, in_use,
                                                  memory_order_relaxed, memory_order_relaxed)) {
    }
}

/* 1 if the limit allows `bytes` more; they then count as in use, and `*in_use` is the sum. */
static int reserve(cmw_pool *pool, size_t bytes, uint64_t *in_use)
{
    uint64_t before = read_figure(&pool->in_use_bytes);

    do {
        if (bytes > pool->limit_bytes - before)
            return 0;
    } while (!atomic_compare_exchange_weak_explicit(&pool->in_use_bytes, &before, before + bytes,
                                                    memory_order_relaxed, memory_order_relaxed));
    *in_use = before + bytes;
    return 1;
}

static void give_up(cmw_pool *pool, size_t bytes)
{
    const uint64_t before =
        atomic_fetch_sub_explicit(&pool->in_use_bytes, bytes, memory_order_relaxed);

    assert(before >= bytes);
    (void)before;
}

static int is_valid_request(size_t bytes, size_t align)
{
    return bytes > 0 && align <= ALIGN_MAX && (align & (align - 1)) == 0;
}

void *cmw_pool_alloc(cmw_pool *pool, size_t bytes, size_t align)
{
    uint64_t in_use;

    if (!is_valid_request(bytes, align) || !reserve(pool, bytes, &in_use)) {
        count(&pool->failures);
        return NULL;
    }

    const cmw_allocator *allocator = &pool->allocator;
    void *piece =
        allocator->alloc(allocator->self, pool->heap, bytes, align ? align : ALIGN_DEFAULT);
    count(&pool->alloc_calls);
    if (!piece) {
        give_up(pool, bytes);
        count(&pool->failures);
        return NULL;
    }
    raise_peak(pool, in_use);
    return piece;
}

void cmw_pool_free(cmw_pool *pool, void *piece, size_t bytes, size_t align)
{
    if (!piece)
        return;

    /* An arena may have poisoned parts of it; the allocator hands it out again as it is. */
    cmw__unpoison(piece, bytes);
    const cmw_allocator *allocator = &pool->allocator;
    allocator->free(allocator->self, pool->heap, piece, bytes, align ? align : ALIGN_DEFAULT);
    count(&pool->free_calls);
    give_up(pool, bytes);
}

void cmw_pool_purge(cmw_pool *pool)
{
    if (pool->allocator.heap_purge)
        pool->allocator.heap_purge(pool->allocator.self, pool->heap);
}

int cmw_pool_get_stats(const cmw_pool *pool, cmw_pool_stats *stats)
{
    cmw_heap_figures heap = {.size = sizeof heap};

    if (!pool || !stats)
        return CMW_ERR_ARG;
    if (stats->size != sizeof *stats)
        return CMW_ERR_VERSION;
    if (pool->allocator.heap_figures)
        pool->allocator.heap_figures(pool->allocator.self, pool->heap, &heap);

    stats->in_use_bytes = read_figure(&pool->in_use_bytes);
    stats->peak_bytes = read_figure(&pool->peak_bytes);
    stats->limit_bytes = pool->limit_bytes == UINT64_MAX ? 0 : pool->limit_bytes;
    stats->alloc_calls = read_figure(&pool->alloc_calls);
    stats->free_calls = read_figure(&pool->free_calls);
    stats->failures = read_figure(&pool->failures);
    stats->active_bytes = heap.active_bytes;
    stats->resident_bytes = heap.resident_bytes;
    return 0;
}
