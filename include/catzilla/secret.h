/* SPDX-License-Identifier: MIT */
/*
 * Secrets: tables of them that are asked in a time which tells nothing, and the functions by which
 * a program verifies them itself.
 *
 * The built-ins `basic_auth`, `bearer` and `api_key` keep theirs here; so can anybody's own.
 *
 *     by secret                                 by id
 *     token --keyed hash--> entry               name --keyed hash--> entry, or a dummy
 *     whole token compared in constant time     whole password compared in constant time
 */
#ifndef CATZILLA_SECRET_H
#define CATZILLA_SECRET_H

#include <catzilla/arena.h>
#include <catzilla/base.h>
#include <catzilla/chain.h>
#include <catzilla/middleware.h>
#include <catzilla/principal.h>

CMW_BEGIN_DECLS

/** The longest digest. */
#define CMW_DIGEST_CAP 64

/**
 * Make a digest of a secret, such as SHA-256, so that a table need not hold the secret itself.
 *
 * A digest without a salt is for secrets that a machine drew (tokens, keys). For passwords that
 * people choose it is too fast: verify those with a slow function instead (cmw_verify_fn).
 *
 * Called while a table is made and by each look-up, on any thread; must not allocate or block.
 *
 * @param[out] digest  room for `digest_len` bytes, all of which are written
 * @return             0, or an error, which refuses the secret
 */
typedef int cmw_digest_fn(void *self, unsigned char *digest, size_t digest_len, cmw_str secret);

/** A secret, and whom it makes known. */
typedef struct cmw_secret_entry {
    const char *id;              /**< user name, client, name of the key; never the secret */
    const char *secret;          /**< or NULL where `digest` is given */
    const unsigned char *digest; /**< `digest_len` bytes; NULL: made from `secret` */
    const char *const *roles;    /**< of the principal */
    size_t role_count;
    const char *const *scopes; /**< of the principal: RFC 6749, 3.3, without blanks */
    size_t scope_count;
    void *data; /**< the principal's `data`; borrowed */
} cmw_secret_entry;

/**
 * What a config file may say of an entry, as initialisers of cmw_option: `id`, `secret`, `roles`,
 * `scopes`. For the `members` of a kind's CMW_OPTION_OBJECT_LIST; in C, not in C++.
 */
#define CMW_SECRET_ENTRY_OPTIONS                                                                   \
    {.name = "id",                                                                                 \
     .type = CMW_OPTION_TEXT,                                                                      \
     .offset = offsetof(cmw_secret_entry, id),                                                     \
     .help = "Whom the secret makes known",                                                        \
     .flags = CMW_OPTION_REQUIRED},                                                                \
        {.name = "secret",                                                                         \
         .type = CMW_OPTION_TEXT,                                                                  \
         .offset = offsetof(cmw_secret_entry, secret),                                             \
         .help = "The password, token or key",                                                     \
         .flags = CMW_OPTION_REQUIRED | CMW_OPTION_SECRET},                                        \
        {.name = "roles",                                                                          \
         .type = CMW_OPTION_TEXT_LIST,                                                             \
         .offset = offsetof(cmw_secret_entry, roles),                                              \
         .help = "Roles of the principal"},                                                        \
    {                                                                                              \
        .name = "scopes", .type = CMW_OPTION_TEXT_LIST,                                            \
        .offset = offsetof(cmw_secret_entry, scopes), .help = "Scopes of the principal"            \
    }

/** By what a table is asked. */
typedef enum cmw_secret_order {
    CMW_SECRET_BY_SECRET = 0, /**< cmw_secret_table_find; secrets differ, ids may repeat */
    CMW_SECRET_BY_ID = 1      /**< cmw_secret_table_check; ids differ, secrets may repeat */
} cmw_secret_order;

/** What a table is made of. Clear it with cmw_secret_table_config_init. */
typedef struct cmw_secret_table_config {
    size_t size;        /**< set by cmw_secret_table_config_init */
    const char *owner;  /**< begins each diagnostic: "bearer" */
    const char *scheme; /**< of the principals */
    int32_t order;      /**< cmw_secret_order */
    const cmw_secret_entry *entries;
    size_t entry_count;
    cmw_digest_fn *digest; /**< NULL: the table holds the secrets themselves */
    void *digest_self;
    size_t digest_len; /**< 16 to CMW_DIGEST_CAP; 0 without a digest */
} cmw_secret_table_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_secret_table_config_init(cmw_secret_table_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/** A table of secrets: immutable once made, asked by any thread. */
typedef struct cmw_secret_table cmw_secret_table;

/**
 * Make a table.
 *
 * @param[out] out     the table, in the arena; unchanged on failure
 * @param      arena   borrowed; the table lives as long
 * @param      config  copied, `data` and `digest_self` excepted
 * @param[out] diag    a sentence that names the id, never the secret; or NULL
 * @return             0; CMW_ERR_INVALID for an entry without an id or a secret, or a scope with a
 *                     blank; CMW_ERR_EXISTS for two entries that cannot be told apart;
 *                     CMW_ERR_CONFLICT for an entry with a digest in a table without one;
 *                     CMW_ERR_ARG; CMW_ERR_VERSION; CMW_ERR_IO without random bytes;
 *                     CMW_ERR_NOMEM; what `digest` returned
 * Threads:            the arena's owner
 * Cost:               O(entries); arena memory
 * Since:              0.1
 */
CMW_API CMW_NODISCARD int cmw_secret_table_create(cmw_secret_table **out, cmw_arena *arena,
                                                  const cmw_secret_table_config *config,
                                                  cmw_diag *diag);

/**
 * Whose secret is this? For a table by secret.
 *
 * A keyed hash finds the entry; then the whole secret is compared. The time depends on the length
 * of the secret that is asked for, and on whether it is known.
 *
 * @return  the principal, the table's; NULL: nobody's, or the digest failed
 * Threads: any
 * Cost:    O(len), whatever the size of the table; no allocation
 * Since:   0.1
 */
CMW_API const cmw_principal *cmw_secret_table_find(const cmw_secret_table *table, cmw_str secret);

/**
 * Is this the secret of an id? For a table by id.
 *
 * The time depends on the lengths of what is asked for, not on whether the id is known, nor on the
 * secret that is kept or its length: an unknown id is compared with a dummy.
 *
 * @return  the principal, the table's; NULL: no, or the digest failed
 * Threads: any
 * Cost:    O(lengths), whatever the size of the table; no allocation
 * Since:   0.1
 */
CMW_API const cmw_principal *cmw_secret_table_check(const cmw_secret_table *table, cmw_str id,
                                                    cmw_str secret);

/* ---- Verifying oneself ------------------------------------------------------------------ */

/** What a cmw_verify_fn says. Anything else is a fault, which denies: 500. */
typedef enum cmw_verification {
    CMW_VERIFY_REFUSED = 0,
    CMW_VERIFY_ADMITTED = 1,
    CMW_VERIFY_FAULT = 2 /**< cannot tell now */
} cmw_verification;

/** What a client has shown. */
typedef struct cmw_credentials {
    cmw_str id;     /**< user name; empty where the scheme has none */
    cmw_str secret; /**< password, token, key */
} cmw_credentials;

/**
 * Verify what a client has shown.
 *
 * Called in pre_route on the context's worker. It must not block: a slow hash (bcrypt, argon2) in
 * an event loop stops everybody, so it belongs behind a rate limit, on a server with a thread for
 * each request.
 *
 * @param[out] principal    `scheme` and `id` are set, `id` to the credentials' own; the rest is 0.
 *                          What it points to must live as long as the request: cmw_ctx_arena
 * @param      credentials  valid during the call
 * @return                  enum cmw_verification
 */
typedef int cmw_verify_fn(void *self, cmw_ctx *ctx, cmw_principal *principal,
                          const cmw_credentials *credentials);

CMW_END_DECLS

#endif /* CATZILLA_SECRET_H */
