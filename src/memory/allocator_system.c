/* SPDX-License-Identifier: MIT */
/*
 * The C library's allocator on POSIX.
 */
#include <catzilla/allocator.h>

#include <stddef.h>
#include <stdlib.h>

static void *system_alloc(void *self, void *heap, size_t bytes, size_t align)
{
    void *piece = NULL;

    (void)self;
    (void)heap;
    if (align <= _Alignof(max_align_t))
        return malloc(bytes);
    return posix_memalign(&piece, align, bytes) == 0 ? piece : NULL;
}

static void system_free(void *self, void *heap, void *piece, size_t bytes, size_t align)
{
    (void)self;
    (void)heap;
    (void)bytes;
    (void)align;
    free(piece);
}

static const cmw_allocator system_allocator = {
    .size = sizeof(cmw_allocator),
    .name = "system",
    .alloc = system_alloc,
    .free = system_free,
};

const cmw_allocator *cmw_allocator_system(void)
{
    return &system_allocator;
}
