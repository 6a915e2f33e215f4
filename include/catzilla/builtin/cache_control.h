/* SPDX-License-Identifier: MIT */
/*
 * `cache_control`: Cache-Control by status and type; no-store for what is somebody's own.
 *
 * Kind name "cache_control", priority 820. By route: an instance for each, under the conditions of
 * a group.
 */
#ifndef CATZILLA_BUILTIN_CACHE_CONTROL_H
#define CATZILLA_BUILTIN_CACHE_CONTROL_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** A value, and the responses that it is for. */
typedef struct cmw_cache_rule {
    const char *value;           /**< "public, max-age=31536000, immutable" */
    const char *const *statuses; /**< "404", "2xx"; none: all */
    size_t status_count;
    const char *const *types; /**< "text/html", or "image/" followed by "*"; none: all */
    size_t type_count;
} cmw_cache_rule;

/** Options. Fill the defaults with cmw_cache_control_config_init. */
typedef struct cmw_cache_control_config {
    size_t size;                 /**< set by cmw_cache_control_config_init */
    const char *value;           /**< for what no rule is for; NULL: nothing is set. Errors (400 to
                                      599) are `no-store` then */
    const cmw_cache_rule *rules; /**< the first one that fits counts; for errors, one that names no
                                      status says `no-store` */
    size_t rule_count;
    int override_handler; /**< 1: replace what the handler set. Default 0 */
    int keep_personal; /**< 1: treat answers to authenticated requests, and those with Set-Cookie,
                            as others. Default 0: no-store, unless the handler said otherwise */
} cmw_cache_control_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_cache_control_config_init(cmw_cache_control_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * Fill a descriptor.
 *
 * An answer is somebody's own if it sets a cookie, or if the request has an Authorization field or
 * a principal (slot "principal").
 *
 * @param config  NULL: the defaults: no-store for what is somebody's own, nothing else
 * @return        0; CMW_ERR_VERSION; CMW_ERR_INVALID for a value, status or type that is none
 *                (`diag` names it); CMW_ERR_CONFLICT if slot "principal" has another shape;
 *                CMW_ERR_NOMEM
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy
 * Cost:          allocates; a request costs O(rules), and no allocation
 * Source:        RFC 9111, 5.2 and 3.5
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_cache_control_create(cmw_engine *engine, cmw_middleware *middleware,
                                                   const cmw_cache_control_config *config,
                                                   cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_CACHE_CONTROL_H */
