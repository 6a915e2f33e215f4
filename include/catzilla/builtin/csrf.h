/* SPDX-License-Identifier: MIT */
/*
 * `csrf`: refuses requests that a page of another site made a browser send.
 *
 * Kind name "csrf", priority 360. By Sec-Fetch-Site and Origin, which a page cannot forge: nothing
 * is sent, kept or compared. Safe methods pass (GET, HEAD, OPTIONS, TRACE): they must change
 * nothing.
 */
#ifndef CATZILLA_BUILTIN_CSRF_H
#define CATZILLA_BUILTIN_CSRF_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Options. Fill the defaults with cmw_csrf_config_init. */
typedef struct cmw_csrf_config {
    size_t size;                        /**< set by cmw_csrf_config_init */
    const char *const *trusted_origins; /**< as those of `cors`: "https://a.example", or with one
                                             "*" for labels; not "*" alone, not "null" */
    size_t trusted_origin_count;
    int allow_same_site; /**< 1: pages of the same registered domain (Sec-Fetch-Site: same-site)
                            may. Default 0: a neighbour's host is another's */
    int require_origin;  /**< 1: refuse what says neither Sec-Fetch-Site nor Origin, as programs
                              other than browsers do. Default 0 */
} cmw_csrf_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_csrf_config_init(cmw_csrf_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * Fill a descriptor. What is refused is answered 403.
 *
 * @param config  NULL: the defaults
 * @return        0; CMW_ERR_VERSION; CMW_ERR_INVALID for an origin that is none, "*" or "null"
 *                (`diag` names it); CMW_ERR_NOMEM
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy
 * Cost:          allocates; a request costs two look-ups (row csrf of scripts/run_bench.sh),
 * without Sec-Fetch-Site O(length of the origin); no allocation Source:        Fetch Metadata
 * Request Headers; RFC 6454; RFC 9110, 9.2.1 Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_csrf_create(cmw_engine *engine, cmw_middleware *middleware,
                                          const cmw_csrf_config *config, cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_CSRF_H */
