/* SPDX-License-Identifier: MIT */
/*
 * Where memory comes from: a vtable that a host can fill, and pools with a limit and statistics.
 *
 * The core knows one allocator, the system's. libcatzilla-mw-jemalloc adds another
 * (<catzilla/component/jemalloc.h>); a host that has its own fills a `cmw_allocator`.
 */
#ifndef CATZILLA_ALLOCATOR_H
#define CATZILLA_ALLOCATOR_H

#include <catzilla/base.h>

CMW_BEGIN_DECLS

/** What a pool is for. With jemalloc each purpose is an arena of its own. */
typedef enum cmw_pool_purpose {
    CMW_POOL_CONTEXT = 0, /**< contexts, arena blocks, request bodies */
    CMW_POOL_BRIDGE = 1,  /**< objects of a foreign runtime's binding */
    CMW_POOL_PLAN = 2     /**< plans, chains, long-lived tables, statistics */
} cmw_pool_purpose;

#define CMW_POOL_COUNT 3

/** Bytes that an allocator holds for one heap. Unknown figures are 0. */
typedef struct cmw_heap_figures {
    size_t size;             /**< sizeof this struct, set by the caller */
    uint64_t active_bytes;   /**< in pages that hold at least one live piece */
    uint64_t resident_bytes; /**< mapped from the system and not given back */
} cmw_heap_figures;

/**
 * A source of memory. All functions may be called from any thread at once.
 *
 * A heap is whatever the allocator keeps apart for one pool (a jemalloc arena, a heap handle). An
 * allocator without such a thing leaves the heap functions NULL; `heap` is then NULL everywhere.
 */
typedef struct cmw_allocator {
    size_t size;      /**< sizeof(cmw_allocator) of whoever filled it */
    const char *name; /**< "system", "jemalloc", ...; for explain and statistics */
    void *self;       /**< handed to every function */

    /** `bytes` at `align` (a power of two, at most 4096), not cleared; NULL when there is none. */
    void *(*alloc)(void *self, void *heap, size_t bytes, size_t align);
    /** Give back what alloc returned, with the same `bytes` and `align`. */
    void (*free)(void *self, void *heap, void *piece, size_t bytes, size_t align);

    /** Open a heap for one pool: 0 and `*heap`, or CMW_ERR_NOMEM. May be NULL. */
    int (*heap_open)(void *self, void **heap, cmw_pool_purpose purpose);
    /** Close it; every piece has been freed. May be NULL. */
    void (*heap_close)(void *self, void *heap);
    /** Give unused pages back to the system. May be NULL. */
    void (*heap_purge)(void *self, void *heap);
    /** Fill the figures. May be NULL. */
    void (*heap_figures)(void *self, void *heap, cmw_heap_figures *figures);
} cmw_allocator;

/**
 * The C library's allocator. Static, never freed.
 *
 * Threads: any
 * Cost:    O(1)
 * Since:   0.1
 */
CMW_API const cmw_allocator *cmw_allocator_system(void);

/* ---- Pools ------------------------------------------------------------------------------ */

/**
 * A heap with a limit and statistics. Any thread may use one at any time.
 *
 * An engine has one for each purpose (cmw_engine_pool); a program may make more.
 */
typedef struct cmw_pool cmw_pool;

/** A pool's figures at one moment. */
typedef struct cmw_pool_stats {
    size_t size;             /**< sizeof this struct, set by the caller */
    uint64_t in_use_bytes;   /**< handed out and not given back */
    uint64_t peak_bytes;     /**< the most that was ever handed out at once */
    uint64_t limit_bytes;    /**< 0: none */
    uint64_t alloc_calls;    /**< calls of the allocator's alloc, failed ones included */
    uint64_t free_calls;     /**< calls of the allocator's free */
    uint64_t failures;       /**< refused by the limit or by the allocator */
    uint64_t active_bytes;   /**< of the allocator's heap; 0: unknown */
    uint64_t resident_bytes; /**< of the allocator's heap; 0: unknown */
} cmw_pool_stats;

/**
 * Make a pool.
 *
 * @param[out] out          the pool; unchanged on failure
 * @param      allocator    borrowed; must outlive the pool; NULL means the system's
 * @param      purpose      which heap the allocator should open
 * @param      limit_bytes  refuse to hold more than this at once; 0: no limit
 * @return                  0, CMW_ERR_ARG, CMW_ERR_VERSION or CMW_ERR_NOMEM
 * Ownership:               the caller's; cmw_pool_destroy
 * Threads:                 any
 * Cost:                    two allocator calls
 * Since:                   0.1
 */
CMW_API CMW_NODISCARD int cmw_pool_create(cmw_pool **out, const cmw_allocator *allocator,
                                          cmw_pool_purpose purpose, uint64_t limit_bytes);

/** Destroy a pool whose pieces have all been freed; NULL is ignored. */
CMW_API void cmw_pool_destroy(cmw_pool *pool);

/**
 * Allocate `bytes` (> 0) at `align` (a power of two, at most 4096; 0 means 16), not cleared.
 *
 * @return  the piece, or NULL when the limit or the allocator refuses: counted as a failure
 * Ownership: the caller's; give it back with cmw_pool_free and the same bytes and align
 * Threads: any
 * Cost:    one allocator call and two atomic additions
 * Since:   0.1
 */
CMW_API CMW_NODISCARD void *cmw_pool_alloc(cmw_pool *pool, size_t bytes, size_t align);

/** Give back a piece; NULL is ignored. Cost: one allocator call and an atomic subtraction. */
CMW_API void cmw_pool_free(cmw_pool *pool, void *piece, size_t bytes, size_t align);

/** Ask the allocator to give unused pages back to the system. Cost: the allocator's. */
CMW_API void cmw_pool_purge(cmw_pool *pool);

/**
 * Read the figures.
 *
 * @return  0, CMW_ERR_ARG, or CMW_ERR_VERSION when `stats->size` is not a known one
 * Threads: any; each figure is right by itself, together they are of about one moment
 * Cost:    O(1) and the allocator's own
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_pool_get_stats(const cmw_pool *pool, cmw_pool_stats *stats);

CMW_END_DECLS

#endif /* CATZILLA_ALLOCATOR_H */
