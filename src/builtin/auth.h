/* SPDX-License-Identifier: MIT */
/*
 * What basic_auth, bearer and api_key have in common: a table or a verifier, a challenge, a
 * principal.
 */
#ifndef CMW_BUILTIN_AUTH_H
#define CMW_BUILTIN_AUTH_H

#include <catzilla/mw.h>

struct cmw__auth {
    cmw_slot principal;
    const cmw_secret_table *table; /* NULL: `verify` decides */
    cmw_verify_fn *verify;
    void *verify_self;
    cmw_str scheme;    /* of principals: "basic" */
    cmw_str challenge; /* Basic realm="..." */
    int is_optional;   /* who shows nothing passes */
};

/* What an instance is made of. */
struct cmw__auth_setup {
    const char *kind;   /* also the principals' scheme, but for basic_auth */
    const char *scheme; /* of principals */
    const char *challenge;
    const char *realm; /* NULL: "restricted" */
    const char *tail;  /* parameters after realm: ", charset=..." */
    const char *(*find_fault)(const cmw_secret_entry *entry); /* of an entry; NULL: none */
    cmw_secret_table_config table;                            /* order, entries, digest */
    cmw_verify_fn *verify;
    void *verify_self;
    int is_optional;
};

/* Fill `auth`, in `arena`, and what the descriptor says of it: facts, slot, flags, priority, and
 * post_route for one that is optional, whose `self` must begin with the struct cmw__auth. */
int cmw__auth_fill(struct cmw__auth *auth, cmw_arena *arena, cmw_engine *engine,
                   cmw_middleware *middleware, const struct cmw__auth_setup *setup, cmw_diag *diag);

/* One list of entries from "entries" and {id: secret}, in the arena. */
int cmw__auth_gather(cmw_arena *arena, cmw_secret_table_config *table,
                     const cmw_secret_entry *entries, size_t entry_count,
                     const cmw_option_text *texts, size_t text_count);

/* 'scheme realm="quoted"tail', in the arena. CMW_ERR_INVALID: the realm cannot be quoted. */
int cmw__auth_write_challenge(cmw_arena *arena, cmw_str *out, const char *scheme, const char *realm,
                              const char *tail);

/* 'challenge, error="error", scope="scopes"', in the arena; without scopes if there are none. */
int cmw__auth_extend(cmw_arena *arena, cmw_str *out, cmw_str challenge, const char *error,
                     const cmw_str *scopes, size_t scope_count);

/* ---- Requests: each gives a verdict ----------------------------------------------------- */

/* Refuse, with a challenge that goes beside those of others. */
int cmw__auth_refuse(cmw_ctx *ctx, int status, cmw_str challenge, const char *detail);

/* Nothing was shown. */
int cmw__auth_miss(const struct cmw__auth *auth, cmw_ctx *ctx);

/* 1 if an earlier one has made the client known and this one is optional. */
int cmw__auth_is_settled(const struct cmw__auth *auth, cmw_ctx *ctx);

/* A secret from the query, decoded into the request's arena. The answer becomes private: to a URL
 * with a secret in it, it is nobody else's (RFC 6750, 2.3). 0; CMW_ERR_INVALID: it cannot be
 * decoded; another: a fault. */
int cmw__auth_read_query(cmw_ctx *ctx, cmw_str *secret, cmw_str value);

/* Ask the verifier. 0, and `principal` filled; CMW_ERR_NOT_FOUND: refused; another: a fault. */
int cmw__auth_verify(const struct cmw__auth *auth, cmw_ctx *ctx, cmw_principal *principal,
                     const cmw_credentials *credentials);

/* Make the principal known. */
int cmw__auth_admit(const struct cmw__auth *auth, cmw_ctx *ctx, const cmw_principal *principal);

#endif /* CMW_BUILTIN_AUTH_H */
