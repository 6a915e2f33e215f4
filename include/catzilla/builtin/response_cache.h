/* SPDX-License-Identifier: MIT */
/*
 * `response_cache`: a shared cache of responses, in a bounded number of bytes.
 *
 * Kind name "response_cache", priority 700, behind authentication: what it serves was allowed to
 * whoever asks. It stores what the handler made, before other middleware adds its fields.
 */
#ifndef CATZILLA_BUILTIN_RESPONSE_CACHE_H
#define CATZILLA_BUILTIN_RESPONSE_CACHE_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Bounds of `max_bytes`. */
#define CMW_RESPONSE_CACHE_BYTES_MIN 65536
#define CMW_RESPONSE_CACHE_BYTES_MAX (INT64_C(1) << 40)
/** The largest `max_waiting`. */
#define CMW_RESPONSE_CACHE_WAITING_MAX 1000000

/** Options. Clear with cmw_response_cache_config_init. */
typedef struct cmw_response_cache_config {
    size_t size;             /**< set by cmw_response_cache_config_init */
    int64_t max_bytes;       /**< of everything: responses and tables. Default 16 MiB */
    int64_t max_entry_bytes; /**< of one body; a longer one is not stored. Default 256 KiB */
    int64_t max_waiting;     /**< requests that may wait for what another one with their key is
                                  answered; 0: none, and the server need not be able to wait.
                                  Default 1,000 */
    int64_t max_wait_ms;     /**< for how long at most; then 503. Default 10,000 */
    int64_t default_ttl_s;   /**< for a 200 that does not say how long it is fresh; 0: it is not
                                  stored. Default 0 */
    int64_t stale_while_revalidate_s; /**< where a response does not say. Default 0 */
    int64_t stale_if_error_s;         /**< where a response does not say. Default 0 */
    const char *name; /**< of the cache, in Cache-Status, a token; NULL or "": the field
                           is not sent. Default "catzilla" */
} cmw_response_cache_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_response_cache_config_init(cmw_response_cache_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->max_bytes = 16777216;
    config->max_entry_bytes = 262144;
    config->max_waiting = 1000;
    config->max_wait_ms = 10000;
    config->name = "catzilla";
}

/**
 * Fill a descriptor.
 *
 * Never stored: what carries Set-Cookie, `no-store`, `no-cache`, `private` or `Vary: *`; what is
 * streamed; what answers a request with Authorization, a principal, a body or a range. A request
 * with an unsafe method that succeeds drops what is stored for its target.
 *
 * Of requests that miss with the same key at once, one asks the handler; the others wait, and are
 * served what it is answered. Where that is not stored they all ask for themselves, and for ten
 * seconds nobody waits for that key.
 *
 * The content is kept while a chain is built again with the same name and `max_bytes`.
 *
 * @param config  NULL: the defaults
 * @return        0, CMW_ERR_VERSION, CMW_ERR_ARG or CMW_ERR_INVALID (`diag` names the option),
 *                CMW_ERR_NOMEM
 * Cost:          allocates; a hit costs some 500 instructions, a lookup under a lock among them,
 *                and no allocation; storing allocates
 * Source:        RFC 9111; RFC 5861 (stale-while-revalidate, stale-if-error); RFC 9211
 *                (Cache-Status)
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_response_cache_create(cmw_engine *engine, cmw_middleware *middleware,
                                                    const cmw_response_cache_config *config,
                                                    cmw_diag *diag);

/** What is purged. */
typedef enum cmw_cache_purge {
    CMW_CACHE_PURGE_ALL = 0,
    CMW_CACHE_PURGE_TARGET = 1, /**< the responses of one path and query, on every host */
    CMW_CACHE_PURGE_PREFIX = 2  /**< those whose path and query begin so */
} cmw_cache_purge;

/**
 * Drop stored responses, of a middleware of cmw_response_cache_create.
 *
 * @param[out] count   how many were dropped; or NULL
 * @param      target  canonical path, and "?" and query as they come; not looked at for ALL
 * @return             0, CMW_ERR_ARG
 * Threads:            any
 * Cost:               O(stored)
 * Since:              0.1
 */
CMW_API CMW_NODISCARD int cmw_response_cache_purge(const cmw_middleware *middleware, size_t *count,
                                                   cmw_cache_purge what, cmw_str target);

/** How it stands. */
typedef struct cmw_response_cache_stats {
    size_t size;        /**< sizeof this struct, set by the caller */
    uint64_t bytes;     /**< taken now, tables included */
    uint64_t entries;   /**< stored now */
    uint64_t hits;      /**< served, stale ones included */
    uint64_t stale;     /**< of those, stale */
    uint64_t misses;    /**< requests that could have been served, and were not */
    uint64_t stored;    /**< responses stored */
    uint64_t collapsed; /**< requests that waited, and were served what another one was answered */
    uint64_t expired;   /**< requests that waited for too long, and were answered 503 */
    uint64_t waiting;   /**< requests that wait now */
} cmw_response_cache_stats;

/** Read it. @return 0, CMW_ERR_ARG, CMW_ERR_VERSION. Threads: any. */
CMW_API CMW_NODISCARD int cmw_response_cache_get_stats(const cmw_middleware *middleware,
                                                       cmw_response_cache_stats *stats);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_RESPONSE_CACHE_H */
