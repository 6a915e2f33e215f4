/* SPDX-License-Identifier: MIT */
/*
 * `vary`: names that every response, or those of some statuses and types, has in Vary.
 *
 * Kind name "vary", priority 830. Middleware that looks at a field says so itself; this is for
 * handlers that do not. By route: an instance for each, under the conditions of a group.
 */
#ifndef CATZILLA_BUILTIN_VARY_H
#define CATZILLA_BUILTIN_VARY_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Options. Fill the defaults with cmw_vary_config_init. */
typedef struct cmw_vary_config {
    size_t size;               /**< set by cmw_vary_config_init */
    const char *const *fields; /**< names of request fields, or "*" alone */
    size_t field_count;
    const char *const *statuses; /**< "404", "2xx"; none: all */
    size_t status_count;
    const char *const *types; /**< "text/html", or "image/" followed by "*"; none: all */
    size_t type_count;
} cmw_vary_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_vary_config_init(cmw_vary_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * Fill a descriptor. What Vary has already is not repeated.
 *
 * @param config  NULL: the defaults, which name nothing and are refused
 * @return        0; CMW_ERR_VERSION; CMW_ERR_ARG without a name; CMW_ERR_INVALID for a name, status
 *                or type that is none; CMW_ERR_CONFLICT for "*" beside a name (`diag` names it);
 *                CMW_ERR_NOMEM
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy
 * Cost:          allocates; a request costs O(names), and no allocation
 * Source:        RFC 9110, 12.5.5
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_vary_create(cmw_engine *engine, cmw_middleware *middleware,
                                          const cmw_vary_config *config, cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_VARY_H */
