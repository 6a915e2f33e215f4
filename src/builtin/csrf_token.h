/* SPDX-License-Identifier: MIT */
/*
 * Signed double submit: a token in a cookie, which a page of the host sends back in a field.
 *
 *     nonce, 32 digits "." base64url(HMAC-SHA256("csrf" nonce "!" session))
 *
 * The signature keeps a neighbouring host, which can set cookies, from making a pair of its own;
 * the session's cookie in it keeps it from using one that was given to itself.
 */
#ifndef CMW_BUILTIN_CSRF_TOKEN_H
#define CMW_BUILTIN_CSRF_TOKEN_H

#include <catzilla/builtin/csrf.h>
#include <catzilla/mw.h>

struct cmw__csrf_token {
    const cmw_key_ring *ring; /* NULL: tokens are not asked for */
    cmw_str cookie;
    cmw_str header;
    cmw_str session_cookie; /* empty: none */
    cmw_slot slot;
};

/* Take a config over. 0, or an error with a sentence. */
int cmw__csrf_token_fill(struct cmw__csrf_token *token, cmw_arena *arena, cmw_engine *engine,
                         const cmw_csrf_token *config, cmw_diag *diag);

/* Find the request's token or make one, into the slot. 0, CMW_ERR_IO, CMW_ERR_NOMEM. */
int cmw__csrf_token_prepare(const struct cmw__csrf_token *token, cmw_ctx *ctx);

/* 1 if the request sends back the token of its cookie, which is good. */
int cmw__csrf_token_is_sent(const struct cmw__csrf_token *token, cmw_ctx *ctx);

/* Set the cookie if the token was made in this request. 0, or what setting says. */
int cmw__csrf_token_set(const struct cmw__csrf_token *token, cmw_ctx *ctx);

#endif /* CMW_BUILTIN_CSRF_TOKEN_H */
