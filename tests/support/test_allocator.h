/* SPDX-License-Identifier: MIT */
/*
 * An allocator that counts, that refuses the call it is told to, and that checks that each piece is
 * given back with the size and alignment it was asked for.
 */
#ifndef CMW_TEST_ALLOCATOR_H
#define CMW_TEST_ALLOCATOR_H

#include <catzilla/allocator.h>

#include "test.h"

struct test_allocator {
    cmw_allocator vtable;
    unsigned calls;      /* of alloc, refused ones included */
    unsigned fail_at;    /* refuse this call, counted from 1; 0: none */
    unsigned live;       /* pieces not given back */
    unsigned open_heaps; /* heaps not closed */
};

/* Lies before each piece, at its own alignment's distance. */
struct test_piece {
    size_t bytes;
    size_t align;
};

static inline size_t test_allocator_head(size_t align)
{
    return align > sizeof(struct test_piece) ? align : sizeof(struct test_piece);
}

static inline void *test_allocator_alloc(void *self, void *heap, size_t bytes, size_t align)
{
    struct test_allocator *allocator = self;
    const size_t head = test_allocator_head(align);
    void *whole = NULL;

    assert_ptr_equal(heap, allocator);
    assert_true(align >= sizeof(void *));
    if (++allocator->calls == allocator->fail_at || bytes > SIZE_MAX - head)
        return NULL;
    if (posix_memalign(&whole, align, head + bytes) != 0)
        return NULL;
    allocator->live++;
    struct test_piece *piece = (struct test_piece *)(void *)((char *)whole + head) - 1;
    *piece = (struct test_piece){.bytes = bytes, .align = align};
    return piece + 1;
}

static inline void test_allocator_free(void *self, void *heap, void *given, size_t bytes,
                                       size_t align)
{
    struct test_allocator *allocator = self;
    const struct test_piece *piece = (struct test_piece *)given - 1;

    assert_ptr_equal(heap, allocator);
    assert_int_equal(piece->bytes, bytes);
    assert_int_equal(piece->align, align);
    allocator->live--;
    free((char *)given - test_allocator_head(align));
}

static inline int test_allocator_heap_open(void *self, void **heap, cmw_pool_purpose purpose)
{
    struct test_allocator *allocator = self;

    (void)purpose;
    allocator->open_heaps++;
    *heap = allocator;
    return 0;
}

static inline void test_allocator_heap_close(void *self, void *heap)
{
    struct test_allocator *allocator = self;

    assert_ptr_equal(heap, allocator);
    allocator->open_heaps--;
}

static inline void test_allocator_init(struct test_allocator *allocator)
{
    *allocator = (struct test_allocator){.vtable = {.size = sizeof(cmw_allocator),
                                                    .name = "test",
                                                    .self = allocator,
                                                    .alloc = test_allocator_alloc,
                                                    .free = test_allocator_free,
                                                    .heap_open = test_allocator_heap_open,
                                                    .heap_close = test_allocator_heap_close}};
}

/* Everything was given back. */
static inline void test_allocator_check(const struct test_allocator *allocator)
{
    assert_int_equal(allocator->live, 0);
    assert_int_equal(allocator->open_heaps, 0);
}

#endif /* CMW_TEST_ALLOCATOR_H */
