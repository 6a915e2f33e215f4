/* SPDX-License-Identifier: MIT */
/*
 * `health`: is the process alive, and may it get traffic?
 *
 * Kind name "health", priority 230, before limits and authentication. Two paths are answered:
 * "live" says that requests are served at all; "ready" asks the checks and the drain switch.
 * Everything else passes.
 */
#ifndef CATZILLA_BUILTIN_HEALTH_H
#define CATZILLA_BUILTIN_HEALTH_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>
#include <catzilla/switch.h>

CMW_BEGIN_DECLS

/**
 * Decide whether something that the service needs is there. Called on a worker's thread, at most
 * once in `cache_ms`; must not block.
 *
 * @return 1: it is there
 */
typedef int cmw_health_check_fn(void *self);

/** A check of readiness. */
typedef struct cmw_health_check {
    const char *name;
    cmw_health_check_fn *check;
    void *self; /**< must live as long as the plan */
} cmw_health_check;

/** Options. Clear with cmw_health_config_init. */
typedef struct cmw_health_config {
    size_t size;              /**< set by cmw_health_config_init */
    const char *live_path;    /**< canonical. Default "/livez"; "": none */
    const char *ready_path;   /**< canonical. Default "/readyz"; "": none */
    const char *drain_switch; /**< name of the cmw_switch that makes "ready" 503. Default "drain" */
    int64_t cache_ms;         /**< how long an answer of the checks is good for. Default 1000 */
    int show_checks;          /**< 1: the answer names each check. Default 0: it exposes insides */
    const cmw_health_check *checks; /**< from C only */
    size_t check_count;             /**< of `checks`; at most 64 */
} cmw_health_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_health_config_init(cmw_health_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->live_path = "/livez";
    config->ready_path = "/readyz";
    config->drain_switch = "drain";
    config->cache_ms = 1000;
}

/**
 * Fill a descriptor.
 *
 * GET and HEAD are answered 200 or 503 with `{"status":"pass"}` or `"fail"` and
 * `Cache-Control: no-store`, other methods 405.
 *
 * @param config  NULL: the defaults
 * @return        0; CMW_ERR_VERSION; CMW_ERR_ARG or CMW_ERR_INVALID (`diag` names the option);
 *                CMW_ERR_NOMEM
 * Cost:          allocates; a request for another path costs two comparisons of lengths
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_health_create(cmw_engine *engine, cmw_middleware *middleware,
                                            const cmw_health_config *config, cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_HEALTH_H */
