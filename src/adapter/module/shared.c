/* SPDX-License-Identifier: MIT */
#include "shared.h"

#include <sys/mman.h>

enum { PAGE = 4096 };

static void *alloc(void *self, void *heap, size_t bytes, size_t align)
{
    const cmw_allocator *system = cmw_allocator_system();
    (void)self;

    if (align < PAGE)
        return system->alloc(system->self, heap, bytes, align);
    void *piece = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return piece == MAP_FAILED ? NULL : piece;
}

static void release(void *self, void *heap, void *piece, size_t bytes, size_t align)
{
    const cmw_allocator *system = cmw_allocator_system();
    (void)self;

    if (align < PAGE)
        system->free(system->self, heap, piece, bytes, align);
    else
        (void)munmap(piece, bytes); /* cannot fail: alloc mapped it so */
}

static const cmw_allocator allocator = {
    .size = sizeof allocator,
    .name = "shared",
    .alloc = alloc,
    .free = release,
};

const cmw_allocator *shared_allocator(void)
{
    return &allocator;
}
