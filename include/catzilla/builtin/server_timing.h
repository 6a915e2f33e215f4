/* SPDX-License-Identifier: MIT */
/*
 * `server_timing`: how long it took, for the developer's tools of a browser.
 *
 * Kind name "server_timing", priority 10, to see all of it; last but security_headers in
 * post_route. A request's own time is that from its beginning to its head; that to the end of its
 * body can follow as a trailer, and what the whole plan's requests take can be added.
 */
#ifndef CATZILLA_BUILTIN_SERVER_TIMING_H
#define CATZILLA_BUILTIN_SERVER_TIMING_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Options. Clear with cmw_server_timing_config_init. */
typedef struct cmw_server_timing_config {
    size_t size;              /**< set by cmw_server_timing_config_init */
    const char *metric;       /**< name of the request's own time, a token. Default "total" */
    int statistics;           /**< 1: "p50" and "p95" of all requests as well. Default 0 */
    int64_t interval_ms;      /**< how old those may be, 100 to 3,600,000. Default 5,000 */
    const char *const *allow; /**< networks whose clients are told; none: everyone */
    size_t allow_count;       /**< of `allow` */
    const char *trailer; /**< name of the time up to the end of the body, a token, which is sent
                                   behind it where the client and the server can
                                   (cmw_ctx_promise_trailer); then each body goes through the
                                   engine. NULL, the default: it is not. Since 0.1 */
} cmw_server_timing_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_server_timing_config_init(cmw_server_timing_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->metric = "total";
    config->interval_ms = 5000;
}

/**
 * Fill a descriptor.
 *
 * Durations are milliseconds with three places. With `statistics`, cmw_engine_poll takes a snapshot
 * of the engine's statistics when the last one is older than `interval_ms` and requests came; until
 * the first one they are left out.
 *
 * @param config  NULL: the defaults
 * @return        0, CMW_ERR_VERSION, CMW_ERR_ARG or CMW_ERR_INVALID (`diag` names the option),
 *                CMW_ERR_NOMEM
 * Cost:          allocates; a response costs a clock and a field, no allocation
 * Source:        W3C Server Timing
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_server_timing_create(cmw_engine *engine, cmw_middleware *middleware,
                                                   const cmw_server_timing_config *config,
                                                   cmw_diag *diag);

/**
 * Add a time of one's own to the response: `Server-Timing: <metric>;dur=1.234`.
 *
 * Whoever calls it decides who may see it: `allow` holds for the middleware's own times.
 *
 * @param metric  a token, as "db"
 * @return        0; CMW_ERR_INVALID for what is no token; CMW_ERR_STATE after commit; CMW_ERR_NOMEM
 * Threads:       the context's worker
 * Cost:          O(metric.len), no allocation
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_server_timing_add(cmw_ctx *ctx, cmw_str metric, uint64_t duration_ns);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_SERVER_TIMING_H */
