/* SPDX-License-Identifier: MIT */
/*
 * Stores: where middleware keeps values by key for some time, in this process or elsewhere.
 *
 * A middleware asks through cmw_store. cmw_memory_store is one in this process, in a number of
 * bytes that never grows; a database is another one, written by who has it.
 */
#ifndef CATZILLA_STORE_H
#define CATZILLA_STORE_H

#include <catzilla/allocator.h>
#include <catzilla/base.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/* ---- The interface ---------------------------------------------------------------------- */

/** What an operation says; a negative CMW_ERR_* means that it failed. */
typedef enum cmw_store_answer {
    CMW_STORE_ADDED = 0,  /**< the key was free: the value is there now */
    CMW_STORE_FOUND = 1,  /**< the key has a value already, which is handed out */
    CMW_STORE_PENDING = 2 /**< it comes later: only from a store with CMW_STORE_ASYNC */
} cmw_store_answer;

/** Bits of cmw_store.flags. */
enum cmw_store_flags {
    CMW_STORE_ASYNC = 1 /**< `add` may answer later. Who uses the store then declares that it
                             suspends: the server must be able to wait */
};

/** What is to be stored. Borrowed during the call. */
typedef struct cmw_store_entry {
    cmw_str key;     /**< any bytes */
    cmw_str value;   /**< any bytes */
    uint64_t ttl_ns; /**< from `now_ns` on; then it is as if it had never been stored */
    uint64_t now_ns; /**< monotonic, as cmw_ctx_begin_ns; stores elsewhere have their own clocks */
    cmw_str owner;   /**< on whose behalf, for a store that lets nobody take more than a share;
                          empty: nobody's, and unbounded */
} cmw_store_entry;

/** What is stored. */
typedef struct cmw_store_item {
    int32_t answer;    /**< what an asynchronous `add` came to: ADDED, FOUND, or CMW_ERR_* */
    uint32_t reserved; /**< 0 */
    uint64_t version;  /**< of the value: another one after each change of the key */
    cmw_str value;     /**< if it was found: valid until `release`, or until the request ends */
    void *self;        /**< the store's own */
} cmw_store_item;

/**
 * A store. Copied; what `self` points to must outlive the plans that use it.
 *
 * Every function may be called by several workers at once. None of them blocks: what takes long
 * answers later.
 */
typedef struct cmw_store {
    size_t size;    /**< sizeof(cmw_store) */
    uint32_t flags; /**< enum cmw_store_flags */
    void *self;

    /**
     * Store a value if the key has none, or hand out the one that it has: in one step, of which two
     * who ask at once see different sides.
     *
     * Called on the context's worker, in a phase in which the caller may suspend. An asynchronous
     * store calls cmw_ctx_suspend for a token, copies what it needs, returns CMW_STORE_PENDING, and
     * later calls cmw_resume with CMW_CONTINUE and `data` pointing to an item, which it gets back
     * by `release`; another verdict, or NULL, says that it has failed. An item that cmw_resume
     * refuses (CMW_ERR_STALE) stays the store's, and is to be removed again if it was added.
     *
     * @param[out] item  filled unless CMW_STORE_PENDING or an error is returned
     * @return           cmw_store_answer; CMW_ERR_LIMIT: there is no room; another CMW_ERR_*
     */
    int (*add)(void *self, cmw_ctx *ctx, const cmw_store_entry *entry, cmw_store_item *item);

    /**
     * Put another value in the place of one, if that has the version still.
     *
     * An asynchronous store copies what it needs and returns 0: nobody waits for the result.
     *
     * @return 0; CMW_ERR_STALE: the key has another version, or none; CMW_ERR_LIMIT: there is no
     *         room, and the old value stays; another CMW_ERR_*
     */
    int (*replace)(void *self, const cmw_store_entry *entry, uint64_t version);

    /** Remove a value, if it has the version still. @return as of `replace`. */
    int (*remove)(void *self, cmw_str key, uint64_t version);

    /**
     * Done with an item that `add` filled, or that cmw_resume delivered; or NULL. Any thread.
     *
     * An item that was delivered as CMW_STORE_ADDED and comes back with CMW_ERR_CANCELLED in
     * `answer` had nobody who took it: its request had ended. The store removes the value again.
     */
    void (*release)(void *self, cmw_store_item *item);
} cmw_store;

/* ---- In this process -------------------------------------------------------------------- */

typedef struct cmw_memory_store cmw_memory_store;

/** Bounds of cmw_memory_store_config.max_bytes. */
#define CMW_MEMORY_STORE_BYTES_MIN 65536
#define CMW_MEMORY_STORE_BYTES_MAX (INT64_C(1) << 40)

/** Options. Clear with cmw_memory_store_config_init. */
typedef struct cmw_memory_store_config {
    size_t size;       /**< set by cmw_memory_store_config_init */
    int64_t max_bytes; /**< of everything, tables included. Default 16 MiB */
    int evicts;        /**< 1: where there is no room, what was stored longest ago goes. 0, the
                            default: what has not expired stays, and `add` says CMW_ERR_LIMIT */
    int64_t max_share; /**< percent of the room that the values of one owner may take, 1..100;
                            where the store evicts it is not looked at. Default 100 */
} cmw_memory_store_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_memory_store_config_init(cmw_memory_store_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->max_bytes = 16777216;
    config->max_share = 100;
}

/**
 * Make a store. All of its memory is taken here, and none later.
 *
 * Keys are found by a keyed hash: who chooses keys cannot make them slow. Values go into blocks of
 * 256 bytes, the first of which holds 48 of the store's; eight parts by hash have a lock and an
 * eighth of the bytes each. Owners share 255 counts by a keyed hash: who fills one of them is in
 * the way of one in 255 others.
 *
 * @param[out] out     unchanged on failure
 * @param      pool    must outlive the store
 * @param      config  NULL: the defaults
 * @return             0, CMW_ERR_ARG, CMW_ERR_VERSION, CMW_ERR_NOMEM, CMW_ERR_IO (no random bytes)
 * Threads:            any
 * Cost:               one allocation; pages are touched as they are used
 * Since:              0.1
 */
CMW_API CMW_NODISCARD int cmw_memory_store_create(cmw_memory_store **out, cmw_pool *pool,
                                                  const cmw_memory_store_config *config);

/** Free it. Nobody uses it any more. NULL is nothing. */
CMW_API void cmw_memory_store_destroy(cmw_memory_store *store);

/**
 * The store as middleware asks it.
 *
 * What `add` finds is copied to the request's arena. Calls take a lock for as long as a value is
 * copied, and no allocator call of their own.
 */
CMW_API cmw_store cmw_memory_store_interface(cmw_memory_store *store);

/** How it stands. */
typedef struct cmw_memory_store_stats {
    size_t size;      /**< sizeof this struct, set by the caller */
    uint64_t bytes;   /**< in use: tables and blocks that hold something */
    uint64_t entries; /**< stored, with those that have expired and were not yet looked at */
    uint64_t evicted; /**< that had to go before their time */
    uint64_t refused; /**< for which there was no room */
} cmw_memory_store_stats;

/** Read it. @return 0, CMW_ERR_ARG, CMW_ERR_VERSION. Threads: any. Cost: O(1), takes locks. */
CMW_API CMW_NODISCARD int cmw_memory_store_get_stats(cmw_memory_store *store,
                                                     cmw_memory_store_stats *stats);

CMW_END_DECLS

#endif /* CATZILLA_STORE_H */
