/* SPDX-License-Identifier: MIT */
/*
 * `csrf`: refuses requests that a page of another site made a browser send.
 *
 * Kind name "csrf", priority 360. By Sec-Fetch-Site and Origin, which a page cannot forge: nothing
 * is sent, kept or compared, unless option `token` asks for it. Safe methods pass (GET, HEAD,
 * OPTIONS, TRACE): they must change nothing.
 */
#ifndef CATZILLA_BUILTIN_CSRF_H
#define CATZILLA_BUILTIN_CSRF_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Bytes of a token, without a NUL. */
#define CMW_CSRF_TOKEN_LEN 76

/** The value of slot "csrf_token", for pages that the handler makes. */
typedef struct cmw_csrf_value {
    char text[CMW_CSRF_TOKEN_LEN];
    int32_t is_new; /**< 1: made in this request, whose response sets the cookie */
} cmw_csrf_value;

/** Signed double submit. What is NULL has its default. */
typedef struct cmw_csrf_token {
    const char *const *secrets; /**< the first one signs, all verify */
    size_t secret_count;
    const char *cookie;         /**< default "__Host-csrf", which needs https */
    const char *header;         /**< of the request; default "X-CSRF-Token" */
    const char *session_cookie; /**< whose value a token is bound to; default: none */
} cmw_csrf_token;

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
    const cmw_csrf_token *token; /**< ask for a token as well; NULL: do not. Needs a provider of
                                      codes: cmw_crypto_install */
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
 *                (`diag` names it); what cmw_key_ring_create says of `token`; CMW_ERR_CONFLICT if
 *                slot "csrf_token" has another shape; CMW_ERR_NOMEM
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy
 * Cost:          allocates; a request costs two look-ups (row csrf of scripts/run_bench.sh),
 *                without Sec-Fetch-Site O(length of the origin); no allocation
 * Source:        Fetch Metadata Request Headers; RFC 6454; RFC 9110, 9.2.1
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_csrf_create(cmw_engine *engine, cmw_middleware *middleware,
                                          const cmw_csrf_config *config, cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_CSRF_H */
