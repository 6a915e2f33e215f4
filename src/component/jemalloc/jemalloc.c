/* SPDX-License-Identifier: MIT */
/*
 * The jemalloc allocator: one arena for each pool.
 *
 * A heap's pointer is no pointer: it is the index of the arena plus one, so that opening a heap
 * allocates nothing and NULL is never a heap.
 */
#include <catzilla/component/jemalloc.h>

#include <jemalloc/jemalloc.h>

static unsigned arena_of(const void *heap)
{
    return (unsigned)((uintptr_t)heap - 1);
}

static void *heap_of(unsigned arena)
{
    return (void *)((uintptr_t)arena + 1);
}

/* The rule for every piece: from the arena of its pool, past the thread caches. A cached piece
 * would stay with the thread that freed it, still counted in the arena's figures, kept from purge,
 * and would outlive the arena when that is destroyed. Freeing finds the arena by the address, and
 * needs the same size, alignment and no-cache flag. */
static void *jemalloc_alloc(void *self, void *heap, size_t bytes, size_t align)
{
    (void)self;
    return mallocx(bytes,
                   MALLOCX_ARENA(arena_of(heap)) | MALLOCX_TCACHE_NONE | MALLOCX_ALIGN(align));
}

static void jemalloc_free(void *self, void *heap, void *piece, size_t bytes, size_t align)
{
    (void)self;
    (void)heap;
    sdallocx(piece, bytes, MALLOCX_TCACHE_NONE | MALLOCX_ALIGN(align));
}

/* Room for a control name with an index in it. */
#define MIB_CAP 8

struct control {
    size_t mib[MIB_CAP];
    size_t len;
};

/* Find a control by a name whose `index_at`-th part is an index, and set that. 0 if found. */
static int find_control(struct control *control, const char *name, size_t index_at, unsigned arena)
{
    control->len = MIB_CAP;
    if (mallctlnametomib(name, control->mib, &control->len) != 0)
        return -1;
    control->mib[index_at] = arena;
    return 0;
}

static void run_control(const char *name, unsigned arena)
{
    struct control control;

    if (find_control(&control, name, 1, arena) == 0)
        (void)mallctlbymib(control.mib, control.len, NULL, NULL, NULL, 0);
}

/* 0, which is "unknown", if jemalloc was built without statistics. */
static size_t read_figure(const char *name, unsigned arena)
{
    struct control control;
    size_t figure = 0;
    size_t len = sizeof figure;

    if (find_control(&control, name, 2, arena) != 0)
        return 0;
    return mallctlbymib(control.mib, control.len, &figure, &len, NULL, 0) == 0 ? figure : 0;
}

static size_t page_bytes(void)
{
    size_t bytes = 0;
    size_t len = sizeof bytes;

    return mallctl("arenas.page", &bytes, &len, NULL, 0) == 0 ? bytes : 0;
}

static int jemalloc_heap_open(void *self, void **heap, cmw_pool_purpose purpose)
{
    unsigned arena;
    size_t len = sizeof arena;

    (void)self;
    (void)purpose;
    if (mallctl("arenas.create", &arena, &len, NULL, 0) != 0)
        return CMW_ERR_NOMEM;
    *heap = heap_of(arena);
    return 0;
}

/* Destroying discards what is left in the arena. Nothing is: the pool's pieces have been freed, and
 * none waits in a thread cache. */
static void jemalloc_heap_close(void *self, void *heap)
{
    (void)self;
    run_control("arena.0.destroy", arena_of(heap));
}

static void jemalloc_heap_purge(void *self, void *heap)
{
    (void)self;
    run_control("arena.0.purge", arena_of(heap));
}

static void jemalloc_heap_figures(void *self, void *heap, cmw_heap_figures *figures)
{
    const unsigned arena = arena_of(heap);
    uint64_t epoch = 1;

    (void)self;
    /* jemalloc answers from a snapshot, which writing the epoch renews. */
    (void)mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
    figures->active_bytes = (uint64_t)read_figure("stats.arenas.0.pactive", arena) * page_bytes();
    figures->resident_bytes = read_figure("stats.arenas.0.resident", arena);
}

static const cmw_allocator jemalloc_allocator = {
    .size = sizeof(cmw_allocator),
    .name = "jemalloc",
    .alloc = jemalloc_alloc,
    .free = jemalloc_free,
    .heap_open = jemalloc_heap_open,
    .heap_close = jemalloc_heap_close,
    .heap_purge = jemalloc_heap_purge,
    .heap_figures = jemalloc_heap_figures,
};

const cmw_allocator *cmw_allocator_jemalloc(void)
{
    return &jemalloc_allocator;
}
