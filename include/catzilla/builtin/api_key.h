/* SPDX-License-Identifier: MIT */
/*
 * `api_key`: a key in a header field of the API's own.
 *
 * Kind name "api_key", priority 400. Provides slot "principal" (cmw_principal, scheme "api_key").
 * Without a valid key the answer is 401; with two, 400. No scheme is registered for such keys: the
 * challenge is `ApiKey realm="..."`, as many servers send it.
 */
#ifndef CATZILLA_BUILTIN_API_KEY_H
#define CATZILLA_BUILTIN_API_KEY_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>
#include <catzilla/secret.h>

CMW_BEGIN_DECLS

/** The most bytes of a key; a longer one is not known. */
#define CMW_API_KEY_CAP 8192

/** Options: `keys`, `entries`, or `verify`. Clear with cmw_api_key_config_init. */
typedef struct cmw_api_key_config {
    size_t size;                /**< set by cmw_api_key_config_init */
    const char *realm;          /**< NULL: "restricted" */
    const char *const *headers; /**< field names, in any case. NULL: X-API-Key */
    size_t header_count;
    const char *query; /**< name of a parameter of the query that is looked at too; such URLs end
                            up in logs and histories. NULL: none */
    const cmw_option_text *keys; /**< id and key */
    size_t key_count;
    const cmw_secret_entry *entries; /**< keys with id, roles and scopes */
    size_t entry_count;
    int optional; /**< 1: a request without a key passes, without a principal, and one that has a
                       principal is not looked at. Default 0 */
    int strip;    /**< 1: the fields are removed from a request that passes. Default 0 */

    cmw_digest_fn *digest; /**< keys are kept, or given, as digests: see cmw_secret_table_config */
    void *digest_self;
    size_t digest_len;
    cmw_verify_fn *verify; /**< decides instead of a table; not together with keys */
    void *verify_self;
} cmw_api_key_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_api_key_config_init(cmw_api_key_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * Fill a descriptor.
 *
 * @param config  copied, `data` of entries and the `_self` pointers excepted; NULL: the defaults,
 *                which name no key and are refused
 * @return        0; CMW_ERR_ARG if nobody could pass; CMW_ERR_CONFLICT for `verify` beside a table,
 *                or `strip` with `query`; CMW_ERR_INVALID for a realm, field name or key that
 *                cannot be; CMW_ERR_EXISTS for a key or field name twice (`diag` names the id,
 *                never the key); CMW_ERR_VERSION; CMW_ERR_IO; CMW_ERR_NOMEM
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy
 * Cost:          allocates; a request costs O(length of its key) and a look-up for each field,
 *                whatever the number of keys, and no allocation
 * Source:        RFC 9110, 11.3 and 15.5.2
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_api_key_create(cmw_engine *engine, cmw_middleware *middleware,
                                             const cmw_api_key_config *config, cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_API_KEY_H */
