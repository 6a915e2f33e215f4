/* SPDX-License-Identifier: MIT */
/*
 * `timeout`: a request is answered in time, or given up.
 *
 * Kind name "timeout", priority 15, outside of all that may wait. It sets the request's deadline
 * (cmw_ctx_set_deadline) and turns its passing into an answer. The engine owns the answer: whoever
 * comes second finds the request committed, and nothing is written twice.
 */
#ifndef CATZILLA_BUILTIN_TIMEOUT_H
#define CATZILLA_BUILTIN_TIMEOUT_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Options. Clear with cmw_timeout_config_init. */
typedef struct cmw_timeout_config {
    size_t size;      /**< set by cmw_timeout_config_init */
    int64_t total_ms; /**< from the request's beginning to the head of its response, the body of
                           the request included; 1 to 86,400,000. Default 30,000 */
    int64_t retry_after_s; /**< on a 503, 0 to 86,400; 0: none. Default 1 */
    int64_t body_ms;       /**< for the body of the request, from when the server waits for it; 0 to
                                86,400,000; 0: no time of its own. Default 0. Since 0.1 */
    int64_t body_idle_ms;  /**< for each piece of it, likewise. Default 0. Since 0.1 */
    int64_t handler_ms;    /**< for the handler alone (cmw_ctx_limit_handler_time); 0 to 86,400,000;
                                0: no time of its own. Default 0. Since 0.1 */
    int64_t head_ms;       /**< for the head, from its first byte on (cmw_middleware.head_ms), of
                                all requests: without a condition; 0 to 86,400,000; 0: no limit.
                                Default 0. Since 0.1 */
} cmw_timeout_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_timeout_config_init(cmw_timeout_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->total_ms = 30000;
    config->retry_after_s = 1;
}

/**
 * Fill a descriptor.
 *
 * A request that is over its time is answered
 *
 *     408  if less of its body has come than it declared, or `body_ms` or `body_idle_ms` are over,
 *     503  if it waited in a middleware (a queue, a store),
 *     504  if it was the handler's turn, or `handler_ms` are over.
 *
 * An earlier deadline that was set before, such as the engine's `limits.request_ms`, stays. A
 * handler can ask cmw_ctx_is_cancelled, and what it makes after its time is dropped.
 *
 * With `body_ms` or `body_idle_ms` a server that cannot time bodies (CMW_CAP_TIME_BODY) refuses the
 * plan, and with `head_ms` one that cannot time heads (CMW_CAP_TIME_HEAD). A late head is answered
 * 408, or its connection ends.
 *
 * @param config  NULL: the defaults
 * @return        0, CMW_ERR_VERSION, CMW_ERR_ARG (`diag` names the option), CMW_ERR_NOMEM
 * Cost:          allocates; a request costs O(log deadlines of the worker)
 * Source:        RFC 9110, 15.5.9 (408), 15.6.4 (503), 15.6.5 (504)
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_timeout_create(cmw_engine *engine, cmw_middleware *middleware,
                                             const cmw_timeout_config *config, cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_TIMEOUT_H */
