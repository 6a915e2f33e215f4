/* SPDX-License-Identifier: MIT */
/*
 * The C library's allocator on Windows.
 */
#include <catzilla/allocator.h>

#include <malloc.h>

/* _aligned_malloc for every alignment: what it returns may not be given to free. */
static void *system_alloc(void *self, void *heap, size_t bytes, size_t align)
{
    (void)self;
    (void)heap;
    return _aligned_malloc(bytes, align);
}

static void system_free(void *self, void *heap, void *piece, size_t bytes, size_t align)
{
    (void)self;
    (void)heap;
    (void)bytes;
    (void)align;
    _aligned_free(piece);
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
