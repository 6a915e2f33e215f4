/* SPDX-License-Identifier: MIT */
/*
 * malloc and its like, counted: this program's definitions stand before those of every library and
 * pass each call on. Finding the real ones may itself allocate; such pieces come from a small
 * reserve and are never given back.
 */
#include <dlfcn.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

/* X(name, type of the result, what is done with it, parameters, arguments): passed on, no more. */
#define SIMPLE_LIST(X)                                                                             \
    X(aligned_alloc, void *, return, (size_t align, size_t bytes), (align, bytes))                 \
    X(memalign, void *, return, (size_t align, size_t bytes), (align, bytes))                      \
    X(posix_memalign, int, return, (void **out, size_t align, size_t bytes), (out, align, bytes))  \
    X(mallocx, void *, return, (size_t bytes, int flags), (bytes, flags))                          \
    X(rallocx, void *, return, (void *piece, size_t bytes, int flags), (piece, bytes, flags))      \
    X(dallocx, void, (void), (void *piece, int flags), (piece, flags))                             \
    X(sdallocx, void, (void), (void *piece, size_t bytes, int flags), (piece, bytes, flags))

static struct {
    bench_malloc_fn *malloc_fn;
    void *(*calloc_fn)(size_t count, size_t bytes);
    void *(*realloc_fn)(void *piece, size_t bytes);
    bench_free_fn *free_fn;
} real;

static _Atomic uint64_t calls;
static _Alignas(16) char reserve[16384];
static size_t reserve_used;
static int is_resolving;

static void find(void *function, const char *name)
{
    void *const symbol = dlsym(RTLD_NEXT, name);

    memcpy(function, &symbol, sizeof symbol);
}

static void resolve(void)
{
    if (real.free_fn || is_resolving)
        return;
    is_resolving = 1;
    find(&real.malloc_fn, "malloc");
    find(&real.calloc_fn, "calloc");
    find(&real.realloc_fn, "realloc");
    find(&real.free_fn, "free");
    is_resolving = 0;
}

static void *take_reserve(size_t bytes)
{
    const size_t rounded = (bytes + 15) & ~(size_t)15;

    if (rounded > sizeof reserve - reserve_used)
        _exit(1);
    reserve_used += rounded;
    return reserve + reserve_used - rounded;
}

static int is_reserve(const void *piece)
{
    return (uintptr_t)piece - (uintptr_t)reserve < sizeof reserve;
}

static void count_call(void)
{
    atomic_fetch_add_explicit(&calls, 1, memory_order_relaxed);
}

void *malloc(size_t bytes)
{
    count_call();
    resolve();
    return real.malloc_fn ? real.malloc_fn(bytes) : take_reserve(bytes);
}

void *calloc(size_t count, size_t bytes)
{
    count_call();
    resolve();
    return real.calloc_fn ? real.calloc_fn(count, bytes) : take_reserve(count * bytes);
}

void *realloc(void *piece, size_t bytes)
{
    count_call();
    resolve();
    return real.realloc_fn(piece, bytes);
}

void free(void *piece)
{
    count_call();
    resolve();
    if (piece && !is_reserve(piece))
        real.free_fn(piece);
}

/* jemalloc's own names are declared here: its header is not needed where it is not linked. */
#define SIMPLE_DEFINE(name, type, give, parameters, arguments)                                     \
    type name parameters;                                                                          \
    type name parameters                                                                           \
    {                                                                                              \
        static type(*found) parameters;                                                            \
                                                                                                   \
        count_call();                                                                              \
        if (!found)                                                                                \
            find(&found, #name);                                                                   \
        give found arguments;                                                                      \
    }
SIMPLE_LIST(SIMPLE_DEFINE)

int bench_counts_allocs(void)
{
    return 1;
}

uint64_t bench_alloc_calls(void)
{
    return atomic_load_explicit(&calls, memory_order_relaxed);
}

bench_malloc_fn *bench_real_malloc(void)
{
    resolve();
    return real.malloc_fn;
}

bench_free_fn *bench_real_free(void)
{
    resolve();
    return real.free_fn;
}
