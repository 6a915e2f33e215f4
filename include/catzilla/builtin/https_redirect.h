/* SPDX-License-Identifier: MIT */
/*
 * `https_redirect`: requests by http go to the same place by https.
 *
 * Kind name "https_redirect", priority 120. The scheme is that of cmw_request_scheme: the
 * connection's, or what trusted_proxy has found; no field of a stranger counts.
 */
#ifndef CATZILLA_BUILTIN_HTTPS_REDIRECT_H
#define CATZILLA_BUILTIN_HTTPS_REDIRECT_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Options. Clear with cmw_https_redirect_config_init. */
typedef struct cmw_https_redirect_config {
    size_t size;               /**< set by cmw_https_redirect_config_init */
    int64_t status;            /**< 301, 302, 303, 307 or 308. Default 308: method and body stay */
    int64_t port;              /**< of https, 1 to 65535. Default 443, which is not written */
    const char *host;          /**< the host to go to, without port; NULL or "": the request's */
    const char *const *exempt; /**< canonical paths that are served by http: "/a" is itself, "/a/"
                                    followed by "*" is "/a" and all below it. Default: ACME's
                                    challenges, "/livez" and "/readyz" */
    size_t exempt_count;       /**< of `exempt` */
} cmw_https_redirect_config;

/** Fill the defaults: see cmw_https_redirect_config_init. */
CMW_API void cmw_https_redirect_config_init_sized(cmw_https_redirect_config *config, size_t size);

/** Fill the defaults; `config` is a pointer to one. Cost: O(1). */
#define cmw_https_redirect_config_init(config)                                                     \
    cmw_https_redirect_config_init_sized((config), sizeof *(config))

/**
 * Fill a descriptor.
 *
 * Location is absolute, with path and query byte for byte as they came, so that "//evil.example"
 * stays a path. 400: a request without a valid host where `host` is not given, or one whose target
 * is no path (`*`, a bad escape, a backslash).
 *
 * @param config  NULL: the defaults
 * @return        0, CMW_ERR_VERSION, CMW_ERR_ARG or CMW_ERR_INVALID (`diag` names the option),
 *                CMW_ERR_NOMEM
 * Cost:          allocates; a request by https costs a load and a compare
 * Source:        RFC 9110, 15.4.9; RFC 8555, 8.3 (challenges come by http)
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_https_redirect_create(cmw_engine *engine, cmw_middleware *middleware,
                                                    const cmw_https_redirect_config *config,
                                                    cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_HTTPS_REDIRECT_H */
