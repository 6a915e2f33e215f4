/* SPDX-License-Identifier: MIT */
/*
 * Cookies: reading the Cookie field, writing Set-Cookie.
 *
 * The built-in `cookies` keeps a request's cookies for those who ask often, and knows signed ones;
 * what is here needs no middleware.
 */
#ifndef CATZILLA_COOKIE_H
#define CATZILLA_COOKIE_H

#include <catzilla/base.h>
#include <catzilla/request.h>
#include <catzilla/response.h>

CMW_BEGIN_DECLS

/* ---- Reading ---------------------------------------------------------------------------- */

/** A cookie as it stands in the field: nothing is decoded, quotes stay. Both are borrowed. */
typedef struct cmw_cookie {
    cmw_str name; /**< never empty */
    cmw_str value;
} cmw_cookie;

/**
 * Split a Cookie field, so many cookies at a time.
 *
 * Blanks around names and values are dropped; so is a piece without "=" or without a name.
 *
 * @param[in,out] rest     the field's value, of which what was read is cut off; empty at the end
 * @param[out]    cookies  room for `cap`
 * @return                 how many there are in `cookies`; less than `cap`: there are no more
 * Threads:                any
 * Cost:                   about 100 instructions a cookie of 30 bytes, no allocation
 * Source:                 RFC 6265bis, 4.2.1 and 5.8.3
 * Since:                  0.1
 */
CMW_API size_t cmw_cookie_split(cmw_str *rest, cmw_cookie *cookies, size_t cap);

/**
 * The value of the first cookie with a name, whichever Cookie field it is in.
 *
 * Names are compared byte by byte. A client may send several cookies of one name, and which comes
 * first is the client's to choose: a name that begins with "__Host-" cannot be set by another host.
 *
 * @param[out] value  unchanged unless 0 is returned; valid until the request ends
 * @return            0, CMW_ERR_NOT_FOUND
 * Threads:           the context's worker
 * Cost:              O(length of the fields), no allocation
 * Since:             0.1
 */
CMW_API CMW_NODISCARD int cmw_request_cookie(cmw_request *request, cmw_str *value, cmw_str name);

/* ---- Writing ---------------------------------------------------------------------------- */

/** SameSite. */
typedef enum cmw_same_site {
    CMW_SAME_SITE_LAX = 0,
    CMW_SAME_SITE_STRICT = 1,
    CMW_SAME_SITE_NONE = 2,  /**< needs `secure` */
    CMW_SAME_SITE_UNSET = 3, /**< no attribute: browsers choose */
} cmw_same_site;

/** No Max-Age, no Expires. */
#define CMW_COOKIE_SESSION INT64_MIN

/** A cookie to be set. Fill the defaults with cmw_set_cookie_init. All strings are borrowed. */
typedef struct cmw_set_cookie {
    size_t size;       /**< set by cmw_set_cookie_init */
    cmw_str name;      /**< a token */
    cmw_str value;     /**< cookie-octets: visible ASCII but quote, comma, semicolon, backslash */
    cmw_str path;      /**< default "/"; empty: none */
    cmw_str domain;    /**< empty: this host alone, the default */
    int64_t max_age_s; /**< 0 or less deletes it; default CMW_COOKIE_SESSION: until the browser ends
                            its session */
    int64_t expires_s; /**< since 1970-01-01 UTC, for those who need it; default
                            CMW_COOKIE_SESSION */
    int32_t same_site; /**< cmw_same_site. Default CMW_SAME_SITE_LAX */
    uint8_t secure;    /**< sent over https alone. Default 1 */
    uint8_t http_only; /**< not shown to scripts. Default 1 */
    uint8_t partitioned; /**< kept apart by top-level site; needs `secure`. Default 0 */
    uint8_t reserved;    /**< 0 */
} cmw_set_cookie;

/** Fill the defaults: Path=/, Secure, HttpOnly, SameSite=Lax, for this host and session. */
static inline void cmw_set_cookie_init(cmw_set_cookie *cookie)
{
    memset(cookie, 0, sizeof *cookie);
    cookie->size = sizeof *cookie;
    cookie->path = CMW_STR("/");
    cookie->max_age_s = CMW_COOKIE_SESSION;
    cookie->expires_s = CMW_COOKIE_SESSION;
    cookie->secure = 1;
    cookie->http_only = 1;
}

/** The longest name and value together, and the longest attribute, which browsers take. */
#define CMW_COOKIE_MAX 4096
#define CMW_COOKIE_ATTRIBUTE_MAX 1024

/**
 * Write the value of a Set-Cookie field.
 *
 * @param[out] len     bytes written; with CMW_ERR_LIMIT the room that is needed
 * @param[out] to      room for `cap` bytes; no NUL is added
 * @param      cookie  `size` must be that of this version
 * @return             0; CMW_ERR_INVALID for a byte that cannot stand where it is; CMW_ERR_CONFLICT
 *                     for attributes that browsers refuse together: SameSite=None or Partitioned
 *                     without `secure`; a name that begins with "__Secure-" without it; one that
 *                     begins with "__Host-" without it, with a domain or another path than "/", in
 *                     any case; CMW_ERR_ARG for more than CMW_COOKIE_MAX bytes, or
 *                     CMW_COOKIE_ATTRIBUTE_MAX, or a same_site that is none; CMW_ERR_VERSION;
 *                     CMW_ERR_LIMIT
 * Threads:            any
 * Cost:               O(len), no allocation
 * Source:             RFC 6265bis, 4.1 and 5.7
 * Since:              0.1
 */
CMW_API CMW_NODISCARD int cmw_set_cookie_write(size_t *len, char *to, size_t cap,
                                               const cmw_set_cookie *cookie);

/**
 * Add a Set-Cookie field to a response.
 *
 * @return  what cmw_set_cookie_write or cmw_response_append says; CMW_ERR_NOMEM
 * Threads: the context's worker
 * Cost:    O(len); arena memory
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_response_set_cookie(cmw_response *response,
                                                  const cmw_set_cookie *cookie);

CMW_END_DECLS

#endif /* CATZILLA_COOKIE_H */
