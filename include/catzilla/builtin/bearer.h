/* SPDX-License-Identifier: MIT */
/*
 * `bearer`: tokens that whoever holds them may use (RFC 6750).
 *
 * Kind name "bearer", priority 400. Provides slot "principal" (cmw_principal, scheme "bearer").
 *
 *     nothing, or another scheme         401  Bearer realm="..."
 *     not a token, or shown twice        400  ... error="invalid_request"
 *     a token that is not known          401  ... error="invalid_token"
 *     a token without a required scope   403  ... error="insufficient_scope", scope="..."
 */
#ifndef CATZILLA_BUILTIN_BEARER_H
#define CATZILLA_BUILTIN_BEARER_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>
#include <catzilla/secret.h>

CMW_BEGIN_DECLS

/** The most bytes of a token; a longer one is not known. */
#define CMW_BEARER_CAP 8192

/** Options: `tokens`, `clients`, `entries`, or `verify`. Clear with cmw_bearer_config_init. */
typedef struct cmw_bearer_config {
    size_t size;               /**< set by cmw_bearer_config_init */
    const char *realm;         /**< NULL: "restricted" */
    const char *const *tokens; /**< each a token68; their principals are "token-1" and so on */
    size_t token_count;
    const cmw_option_text *clients; /**< id and token */
    size_t client_count;
    const cmw_secret_entry *entries; /**< tokens with id, roles and scopes */
    size_t entry_count;
    const char *const *required_scopes; /**< a token must have all of these */
    size_t required_scope_count;
    int query;    /**< 1: `access_token` in the query is looked at too; such URLs end up in logs
                       and histories (RFC 6750, 2.3). Default 0 */
    int optional; /**< 1: a request without a token passes, without a principal, and one that has a
                       principal is not looked at. Default 0 */
    int strip;    /**< 1: Authorization is removed from a request that passes. Default 0 */

    cmw_digest_fn
        *digest; /**< tokens are kept, or given, as digests: see cmw_secret_table_config */
    void *digest_self;
    size_t digest_len;
    cmw_verify_fn *verify; /**< decides instead of a table; not together with tokens */
    void *verify_self;
} cmw_bearer_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_bearer_config_init(cmw_bearer_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * Fill a descriptor.
 *
 * @param config  copied, `data` of entries and the `_self` pointers excepted; NULL: the defaults,
 *                which name no token and are refused
 * @return        0; CMW_ERR_ARG if nobody could pass; CMW_ERR_CONFLICT for `verify` beside a table,
 *                or `strip` with `query`; CMW_ERR_INVALID for a realm, token or scope that cannot
 *                be; CMW_ERR_EXISTS for a token twice (`diag` names the id, never the token);
 *                CMW_ERR_VERSION; CMW_ERR_IO; CMW_ERR_NOMEM
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy
 * Cost:          allocates; a request costs O(length of its token), whatever the number of tokens,
 *                and no allocation
 * Source:        RFC 6750; RFC 9110, 11
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_bearer_create(cmw_engine *engine, cmw_middleware *middleware,
                                            const cmw_bearer_config *config, cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_BEARER_H */
