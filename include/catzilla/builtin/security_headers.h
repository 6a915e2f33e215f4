/* SPDX-License-Identifier: MIT */
/*
 * `security_headers`: the response fields by which a browser is told to be careful.
 *
 * Kind name "security_headers", priority 200. All fields but one are constants of the plan; they
 * yield to what the handler set. Strict-Transport-Security is sent over https only (RFC 6797, 7.2).
 */
#ifndef CATZILLA_BUILTIN_SECURITY_HEADERS_H
#define CATZILLA_BUILTIN_SECURITY_HEADERS_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/**
 * Options: the value of each field. NULL: the default, named beside it. "": the field is not sent.
 * Clear with cmw_security_headers_config_init.
 */
typedef struct cmw_security_headers_config {
    size_t size;                                   /**< set by cmw_security_headers_config_init */
    const char *content_security_policy;           /**< default-src 'self';base-uri 'self';
                                                        font-src 'self' https: data:;form-action 'self';
                                                        frame-ancestors 'self';img-src 'self' data:;
                                                        object-src 'none';script-src 'self';
                                                        script-src-attr 'none';
                                                        style-src 'self' https: 'unsafe-inline';
                                                        upgrade-insecure-requests */
    const char *cross_origin_embedder_policy;      /**< "" (not sent) */
    const char *cross_origin_opener_policy;        /**< same-origin */
    const char *cross_origin_resource_policy;      /**< same-origin */
    const char *origin_agent_cluster;              /**< ?1 */
    const char *permissions_policy;                /**< "" (not sent) */
    const char *referrer_policy;                   /**< no-referrer */
    const char *strict_transport_security;         /**< max-age=31536000; includeSubDomains */
    const char *x_content_type_options;            /**< nosniff */
    const char *x_dns_prefetch_control;            /**< off */
    const char *x_download_options;                /**< noopen */
    const char *x_frame_options;                   /**< SAMEORIGIN */
    const char *x_permitted_cross_domain_policies; /**< none */
    const char *x_xss_protection;                  /**< 0 */
} cmw_security_headers_config;

static inline void cmw_security_headers_config_init(cmw_security_headers_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * Fill a descriptor.
 *
 * @param config  NULL: the defaults
 * @return        0, CMW_ERR_VERSION, CMW_ERR_NOMEM, CMW_ERR_INVALID for a value that HTTP does not
 *                allow (`diag` names the field)
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy; `fields` are in it
 * Cost:          allocates; a request costs one push of a block, and over https one field more
 * Source:        Fetch, CSP 3, HTML, RFC 6797; the default values are those of helmet 8
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_security_headers_create(cmw_engine *engine,
                                                      cmw_middleware *middleware,
                                                      const cmw_security_headers_config *config,
                                                      cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_SECURITY_HEADERS_H */
