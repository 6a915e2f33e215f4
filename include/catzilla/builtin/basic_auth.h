/* SPDX-License-Identifier: MIT */
/*
 * `basic_auth`: user name and password (HTTP Basic).
 *
 * Kind name "basic_auth", priority 400. Provides slot "principal" (cmw_principal, scheme "basic",
 * id the user name). Without valid credentials the answer is 401 with a challenge; also for those
 * that are malformed, over-long, or sent twice. Name and password travel readable: only over https.
 */
#ifndef CATZILLA_BUILTIN_BASIC_AUTH_H
#define CATZILLA_BUILTIN_BASIC_AUTH_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>
#include <catzilla/secret.h>

CMW_BEGIN_DECLS

/** The most bytes of a name, a colon and a password together; more is refused. */
#define CMW_BASIC_AUTH_CAP 1024

/**
 * Options: `users`, `entries`, or `verify`. Clear with cmw_basic_auth_config_init.
 *
 * A name holds no colon, and neither name nor password a control byte. Both are bytes in UTF-8,
 * compared as they are.
 */
typedef struct cmw_basic_auth_config {
    size_t size;                  /**< set by cmw_basic_auth_config_init */
    const char *realm;            /**< shown to people. NULL: "restricted" */
    const char *charset;          /**< NULL, or "UTF-8" (in any case): announced */
    const cmw_option_text *users; /**< name and password */
    size_t user_count;
    const cmw_secret_entry *entries; /**< users with roles and scopes; `id` is the name */
    size_t entry_count;
    int optional; /**< 1: a request without Basic credentials passes, without a principal, and one
                       that has a principal is not looked at. Default 0 */
    int strip;    /**< 1: Authorization is removed from a request that passes. Default 0 */

    cmw_digest_fn *digest; /**< for entries that are digests: see cmw_secret_table_config */
    void *digest_self;
    size_t digest_len;
    cmw_verify_fn *verify; /**< decides instead of a table; not together with users or entries */
    void *verify_self;
} cmw_basic_auth_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_basic_auth_config_init(cmw_basic_auth_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * Fill a descriptor.
 *
 * @param config  copied, `data` of entries and the `_self` pointers excepted; NULL: the defaults,
 *                which name nobody and are refused
 * @return        0; CMW_ERR_ARG if nobody could pass or for an unknown charset; CMW_ERR_CONFLICT
 *                for `verify` beside a table; CMW_ERR_INVALID for a realm, name or password that
 *                cannot be; CMW_ERR_EXISTS for a name twice (`diag` says which); CMW_ERR_VERSION;
 *                CMW_ERR_IO; CMW_ERR_NOMEM
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy
 * Cost:          allocates; a request costs O(length of its credentials), the same for known and
 *                unknown names, and no allocation
 * Source:        RFC 7617; RFC 9110, 11
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_basic_auth_create(cmw_engine *engine, cmw_middleware *middleware,
                                                const cmw_basic_auth_config *config,
                                                cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_BASIC_AUTH_H */
