/* SPDX-License-Identifier: MIT */
/*
 * `circuit_breaker`: a handler that fails too often is left alone for a while.
 *
 * Kind name "circuit_breaker", priority 800, close to the handler, so that refusals of those before
 * it are no failures. Too many failures in a window open it: requests are answered 503 with
 * Retry-After. After a pause a few are let in; if they go well it closes.
 */
#ifndef CATZILLA_BUILTIN_CIRCUIT_BREAKER_H
#define CATZILLA_BUILTIN_CIRCUIT_BREAKER_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Options. Clear with cmw_circuit_breaker_config_init. */
typedef struct cmw_circuit_breaker_config {
    size_t size;            /**< set by cmw_circuit_breaker_config_init */
    int64_t window_ms;      /**< failures are counted over it, 10 to 3,600,000. Default 10,000 */
    int64_t min_requests;   /**< in the window, before anything is concluded, 1 to 1,000,000.
                                 Default 20 */
    int64_t error_permille; /**< of the requests in the window that open it, 1 to 1,000. Default
                                 500 */
    int64_t open_ms;        /**< the pause, 1 to 3,600,000. Default 5,000 */
    int64_t probes;         /**< requests that must go well after it, 1 to 1,000. Default 3 */
    int64_t failure_status; /**< a status from this one on is a failure, 400 to 599. Default 500 */
    int64_t slow_ms;        /**< so is an answer that takes longer until it is there, however slowly
                                 a client then reads it; 0: however long. Default 0 */
    int slow_with_body;     /**< 1: `slow_ms` holds for requests with a body, too: the time in which
                                 a client sends it is part of theirs, so that whoever may upload can
                                 open the breaker. Default 0 */
} cmw_circuit_breaker_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_circuit_breaker_config_init(cmw_circuit_breaker_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->window_ms = 10000;
    config->min_requests = 20;
    config->error_permille = 500;
    config->open_ms = 5000;
    config->probes = 3;
    config->failure_status = 500;
}

/**
 * Fill a descriptor.
 *
 * Each instance is one breaker: give every backend its own, with a condition. Its state is kept
 * while a chain is built again with the same name.
 *
 * @param config  NULL: the defaults
 * @return        0, CMW_ERR_VERSION, CMW_ERR_ARG (`diag` names the option), CMW_ERR_NOMEM
 * Cost:          allocates; a request costs two clocks and a lock held for some instructions twice,
 *                no allocation
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_circuit_breaker_create(cmw_engine *engine, cmw_middleware *middleware,
                                                     const cmw_circuit_breaker_config *config,
                                                     cmw_diag *diag);

/** What it is in. */
typedef enum cmw_circuit_state {
    CMW_CIRCUIT_CLOSED = 0,   /**< requests pass */
    CMW_CIRCUIT_OPEN = 1,     /**< none does */
    CMW_CIRCUIT_HALF_OPEN = 2 /**< a few do */
} cmw_circuit_state;

/** How it stands. */
typedef struct cmw_circuit_breaker_stats {
    size_t size;      /**< sizeof this struct, set by the caller */
    int state;        /**< cmw_circuit_state; an open one whose pause is over is open until somebody
                           comes */
    uint64_t refused; /**< requests that it answered */
    uint64_t failed;  /**< failures among those that passed */
} cmw_circuit_breaker_stats;

/** Read it, of a middleware of cmw_circuit_breaker_create. @return 0, CMW_ERR_ARG, CMW_ERR_VERSION.
 * Threads: any. */
CMW_API CMW_NODISCARD int cmw_circuit_breaker_get_stats(const cmw_middleware *middleware,
                                                        cmw_circuit_breaker_stats *stats);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_CIRCUIT_BREAKER_H */
