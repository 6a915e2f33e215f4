/* SPDX-License-Identifier: MIT */
/*
 * `cors`: which pages of other origins may read answers, and what they may ask for.
 *
 * Kind name "cors", priority 250: a preflight is answered before authentication and routing.
 * Provides fact "cors". Fields go out on every response, refusals and failures too, and take the
 * place of what the handler set of their kind.
 *
 * Not access control: a request of a foreign origin is served all the same; its page may not read
 * the answer.
 */
#ifndef CATZILLA_BUILTIN_CORS_H
#define CATZILLA_BUILTIN_CORS_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Whether an origin that is not listed is allowed: not 0 means yes. The bytes are the client's. */
typedef int cmw_cors_origin_fn(void *self, cmw_ctx *ctx, cmw_str origin);

/** "Access-Control-Max-Age is not sent." */
#define CMW_CORS_NO_MAX_AGE (-1)

/**
 * Options. Clear with cmw_cors_config_init.
 *
 * An origin is a text such as "https://a.example" or "http://localhost:3000", compared byte by
 * byte; or one with a single "*" in its host, which stands for one or more whole or partial labels
 * of A-Z a-z 0-9 _ - ("https://" "*.a.example", "https://app-*.a.example"); or "*" alone: every
 * origin, without credentials; or "null", which a sandboxed frame of anyone's can send.
 */
typedef struct cmw_cors_config {
    size_t size;                      /**< set by cmw_cors_config_init */
    const char *const *allow_origins; /**< NULL: none */
    size_t allow_origin_count;
    const char *const *allow_methods; /**< byte-exact; "*": any. NULL: GET, HEAD, POST */
    size_t allow_method_count;
    const char *const *allow_headers; /**< request fields, in any case; "*": any. NULL: none */
    size_t allow_header_count;
    const char *const *expose_headers; /**< response fields that pages may read beyond the simple
                                            ones; "*": any, without credentials. NULL: none */
    size_t expose_header_count;
    int allow_credentials;     /**< 1: cookies and the like go with it. Default 0 */
    int allow_private_network; /**< 1: public pages may ask for this server in a private network */
    int options_passthrough; /**< 1: preflights go on to the handler, and its answer is decorated */
    int64_t max_age_s;       /**< seconds for which a preflight holds, 0 included; default
                                  CMW_CORS_NO_MAX_AGE */
    int64_t preflight_status;         /**< 200..299; default 204 */
    cmw_cors_origin_fn *allow_origin; /**< asked for origins that are not listed; or NULL */
    void *allow_origin_self;          /**< for it; must live as long as the plan */
} cmw_cors_config;

/** Fill the defaults: see cmw_cors_config_init. */
CMW_API void cmw_cors_config_init_sized(cmw_cors_config *config, size_t size);

/** Fill the defaults, which allow nothing; `config` is a pointer to one. */
#define cmw_cors_config_init(config) cmw_cors_config_init_sized((config), sizeof *(config))

/**
 * Fill a descriptor.
 *
 * @param config  copied; NULL: the defaults
 * @return        0; CMW_ERR_VERSION; CMW_ERR_INVALID for what is no origin, method, field name or
 *                number in range, or a pattern that another's host could meet; CMW_ERR_CONFLICT for
 *                "*" with credentials (`diag` says which); CMW_ERR_NOMEM
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy
 * Cost:          allocates; a request costs O(length of Origin + patterns) and no allocation, a
 *                preflight O(length of the names that it asks for * allow_headers)
 * Source:        Fetch, 3.3 (CORS protocol) and 4.8; Private Network Access, 3.1
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_cors_create(cmw_engine *engine, cmw_middleware *middleware,
                                          const cmw_cors_config *config, cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_CORS_H */
