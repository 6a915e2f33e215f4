/* SPDX-License-Identifier: MIT */
/*
 * `method_filter`: which methods are served.
 *
 * Kind name "method_filter", priority 270. A method that is not allowed here is answered 405 with
 * Allow; one that nobody has heard of, 501. Method names are case-sensitive: "get" is unheard of.
 */
#ifndef CATZILLA_BUILTIN_METHOD_FILTER_H
#define CATZILLA_BUILTIN_METHOD_FILTER_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Options. Clear with cmw_method_filter_config_init. */
typedef struct cmw_method_filter_config {
    size_t size;              /**< set by cmw_method_filter_config_init */
    const char *const *allow; /**< names; GET brings HEAD with it. NULL: GET, HEAD, POST, PUT,
                                   PATCH, DELETE, OPTIONS */
    size_t allow_count;       /**< of `allow` */
} cmw_method_filter_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_method_filter_config_init(cmw_method_filter_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * Fill a descriptor.
 *
 * @param config  NULL: the defaults
 * @return        0; CMW_ERR_VERSION; CMW_ERR_INVALID for a name that is no token, CMW_ERR_ARG for a
 *                list without a name or CMW_ERR_EXISTS for one twice (`diag` says which);
 *                CMW_ERR_NOMEM
 * Cost:          allocates; a request costs a bit test, or O(allowed) for a method of one's own
 * Source:        RFC 9110, 9.1, 15.5.6 (405), 15.6.2 (501)
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_method_filter_create(cmw_engine *engine, cmw_middleware *middleware,
                                                   const cmw_method_filter_config *config,
                                                   cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_METHOD_FILTER_H */
