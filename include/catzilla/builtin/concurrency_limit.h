/* SPDX-License-Identifier: MIT */
/*
 * `concurrency_limit`: so many requests in flight and no more, of all and of each key.
 *
 * Kind name "concurrency_limit", priority 310, after rate_limit. A request takes its place in
 * pre_route and gives it back in `complete`, which runs exactly once whatever becomes of it. Where
 * a queue is asked for, a request that finds no place waits for one, suspended, for a bounded time.
 */
#ifndef CATZILLA_BUILTIN_CONCURRENCY_LIMIT_H
#define CATZILLA_BUILTIN_CONCURRENCY_LIMIT_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** The most requests in flight that can be asked for, and the most that wait. */
#define CMW_CONCURRENCY_LIMIT_MAX 1000000
#define CMW_CONCURRENCY_QUEUE_MAX 1000000

/** Options. Clear with cmw_concurrency_limit_config_init. */
typedef struct cmw_concurrency_limit_config {
    size_t size;            /**< set by cmw_concurrency_limit_config_init */
    int64_t limit;          /**< requests in flight at once. Default 1,000 */
    int64_t key_limit;      /**< of those, of one key; 0: no such limit. Default 0 */
    const char *const *key; /**< parts of the key, as those of rate_limit: "ip", "header:NAME",
                                 "principal", "slot:NAME", "route", "host", "path", "method".
                                 Default: "ip" */
    size_t key_count;       /**< of `key` */
    int64_t ipv6_prefix;    /**< bits of an IPv6 client's address that count. Default 64 */
    int64_t queue;          /**< requests that may wait for a place; 0: none waits. Default 0 */
    int64_t queue_ms;       /**< for how long at most, 1 to 600,000. Default 1,000 */
    int64_t status;         /**< of a refusal, 400 to 599. Default 503 */
    int64_t retry_after_s;  /**< 1 to 86,400. Default 1 */
} cmw_concurrency_limit_config;

/** Fill the defaults: see cmw_concurrency_limit_config_init. */
CMW_API void cmw_concurrency_limit_config_init_sized(cmw_concurrency_limit_config *config,
                                                     size_t size);

/** Fill the defaults; `config` is a pointer to one. Cost: O(1). */
#define cmw_concurrency_limit_config_init(config)                                                  \
    cmw_concurrency_limit_config_init_sized((config), sizeof *(config))

/**
 * Fill a descriptor.
 *
 * Counts are kept while a chain is built again with the same name, limit of keys and queue. Who
 * comes when others wait waits behind them. A key is counted from the moment it waits, so that one
 * client cannot fill the queue; over its own limit nobody waits.
 *
 * @param config  NULL: the defaults
 * @return        0, CMW_ERR_VERSION, CMW_ERR_ARG or CMW_ERR_INVALID (`diag` names the option),
 *                CMW_ERR_NOT_FOUND for a slot that is not declared, CMW_ERR_NOMEM, CMW_ERR_IO
 *                without random bytes
 * Cost:          allocates; a request costs two atomic additions, and about 100 instructions for a
 *                key; no allocation
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_concurrency_limit_create(cmw_engine *engine,
                                                       cmw_middleware *middleware,
                                                       const cmw_concurrency_limit_config *config,
                                                       cmw_diag *diag);

/** What there is now, and what happened so far. */
typedef struct cmw_concurrency_limit_stats {
    size_t size;          /**< sizeof this struct, set by the caller */
    uint64_t in_flight;   /**< requests that have a place */
    uint64_t waiting;     /**< that wait for one */
    uint64_t waited;      /**< that got one by waiting */
    uint64_t refused;     /**< refused: no place, and none in the queue */
    uint64_t refused_key; /**< refused by the limit of their key */
    uint64_t expired;     /**< that had waited in vain */
} cmw_concurrency_limit_stats;

/**
 * Read them, of a middleware of cmw_concurrency_limit_create.
 *
 * @return  0, CMW_ERR_ARG, CMW_ERR_VERSION
 * Threads: any
 */
CMW_API CMW_NODISCARD int cmw_concurrency_limit_get_stats(const cmw_middleware *middleware,
                                                          cmw_concurrency_limit_stats *stats);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_CONCURRENCY_LIMIT_H */
