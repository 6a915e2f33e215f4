/* SPDX-License-Identifier: MIT */
/*
 * `cookies`: the cookies of a request in a slot, split when the first one is asked for; and signed
 * cookies, whose values a client cannot change.
 *
 * Kind name "cookies", priority 380. Provides slot "cookies" (cmw_cookies). Nobody is refused: a
 * signature that is not good is a cookie that is not there.
 */
#ifndef CATZILLA_BUILTIN_COOKIES_H
#define CATZILLA_BUILTIN_COOKIES_H

#include <catzilla/chain.h>
#include <catzilla/context.h>
#include <catzilla/cookie.h>
#include <catzilla/key_ring.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** The slot's value: ask it by the functions below. */
typedef struct cmw_cookies {
    cmw_ctx *ctx;
    const void *self; /* the middleware's */
    const cmw_cookie *at;
    size_t count;
    int is_split;
} cmw_cookies;

/** How a signed value is written. */
typedef enum cmw_cookie_format {
    CMW_COOKIE_BOUND = 0, /**< value "." base64url(HMAC-SHA256(name "=" value)): the signature of
                             one cookie is of no use in another */
    CMW_COOKIE_SIGNATURE =
        1 /**< value "." base64(HMAC-SHA256(value)), as npm cookie-signature has it */
} cmw_cookie_format;

/** How cookies are signed. */
typedef struct cmw_cookies_signed {
    const char *const *secrets; /**< the first one signs, all verify */
    size_t secret_count;
    int format; /**< cmw_cookie_format */
} cmw_cookies_signed;

/** Options. Fill the defaults with cmw_cookies_config_init. */
typedef struct cmw_cookies_config {
    size_t size; /**< set by cmw_cookies_config_init */
    int parse;   /**< 0: the slot is there to set cookies only, and has none of
                      the request. Default 1 */
    const cmw_cookies_signed *signing; /**< NULL: no signed cookies. Needs a provider of codes:
                                            cmw_crypto_install */
} cmw_cookies_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_cookies_config_init(cmw_cookies_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->parse = 1;
}

/**
 * Fill a descriptor.
 *
 * @param config  NULL: the defaults
 * @return        0; CMW_ERR_VERSION; CMW_ERR_UNSUPPORTED for signed cookies without a provider;
 *                CMW_ERR_ARG, CMW_ERR_INVALID, CMW_ERR_EXISTS for secrets that are none (`diag`
 *                names the option); CMW_ERR_CONFLICT if slot "cookies" has another shape;
 *                CMW_ERR_NOMEM
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy
 * Cost:          allocates; a request costs the slot, and splitting where cookies are asked for
 * Source:        RFC 6265bis
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_cookies_create(cmw_engine *engine, cmw_middleware *middleware,
                                             const cmw_cookies_config *config, cmw_diag *diag);

/**
 * All cookies of the request, in the order in which they came, of all its Cookie fields.
 *
 * @param[out] count  how many; 0 also without memory
 * @return            valid until the request ends; names may repeat
 * Threads:           the context's worker
 * Cost:              the first call splits (see cmw_cookie_split) into arena memory, then O(1)
 * Since:             0.1
 */
CMW_API const cmw_cookie *cmw_cookies_all(cmw_cookies *cookies, size_t *count);

/** The first cookie with a name, or NULL. Cost: as above, then O(count). */
CMW_API const cmw_cookie *cmw_cookies_find(cmw_cookies *cookies, cmw_str name);

/** So many cookies of one name are verified, of CMW_COOKIE_MAX bytes at most: a client may send as
 * many as a head holds, and each costs a code for every key. */
#define CMW_COOKIE_SIGNED_TRIES 8

/**
 * The value of a cookie whose signature is good: the first one of the name that has a good one, of
 * the first CMW_COOKIE_SIGNED_TRIES that have the form of one.
 *
 * @param[out] value  without the signature; unchanged unless 0 is returned
 * @return            0; CMW_ERR_NOT_FOUND; CMW_ERR_UNSUPPORTED without option `signed`
 * Cost:              O(count), and a code for each cookie of the name and each key, each time: at
 *                    most CMW_COOKIE_SIGNED_TRIES * CMW_KEY_RING_KEYS_MAX; no allocation
 * Since:             0.1
 */
CMW_API CMW_NODISCARD int cmw_cookies_find_signed(cmw_cookies *cookies, cmw_str *value,
                                                  cmw_str name);

/**
 * Add a Set-Cookie field whose value is signed.
 *
 * @param cookie  with the plain value
 * @return        as cmw_response_set_cookie; CMW_ERR_UNSUPPORTED without option `signed`
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_cookies_set_signed(cmw_cookies *cookies,
                                                 const cmw_set_cookie *cookie);

/* ---- Signing without a request ---------------------------------------------------------- */

/**
 * A value with its signature.
 *
 * @param[out] len   bytes written; with CMW_ERR_LIMIT the room that is needed
 * @param[out] to    room for `cap` bytes
 * @param      name  of the cookie
 * @return           0, CMW_ERR_LIMIT, CMW_ERR_ARG for an unknown format
 * Threads:          any
 * Cost:             one code, no allocation
 * Since:            0.1
 */
CMW_API CMW_NODISCARD int cmw_cookie_sign(size_t *len, char *to, size_t cap,
                                          const cmw_key_ring *ring, const cmw_cookie *cookie,
                                          cmw_cookie_format format);

/**
 * What a signed value says, if its signature is good.
 *
 * @param[out] value   a slice of the cookie's; unchanged unless 0 is returned
 * @param      cookie  its name, and the value with the signature
 * @return             0, CMW_ERR_INVALID, CMW_ERR_ARG for an unknown format
 * Threads:            any
 * Cost:               one code a key, no allocation
 * Since:              0.1
 */
CMW_API CMW_NODISCARD int cmw_cookie_unsign(cmw_str *value, const cmw_key_ring *ring,
                                            const cmw_cookie *cookie, cmw_cookie_format format);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_COOKIES_H */
