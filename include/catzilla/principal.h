/* SPDX-License-Identifier: MIT */
/*
 * The principal: who is asking, as whatever authenticated the request has found it. One slot,
 * "principal", that authentication provides and permission checks, limits and logs read.
 */
#ifndef CATZILLA_PRINCIPAL_H
#define CATZILLA_PRINCIPAL_H

#include <catzilla/base.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/**
 * Who is asking. Slices live as long as the request: in its arena, or in the middleware's own
 * memory.
 */
typedef struct cmw_principal {
    cmw_str id;           /**< user name, subject, name of the key; never a secret */
    cmw_str scheme;       /**< how it was shown: "basic", "bearer", "api_key", or one's own */
    const cmw_str *roles; /**< of `role_count` */
    size_t role_count;
    const cmw_str *scopes; /**< of `scope_count` */
    size_t scope_count;
    void *data; /**< the authenticator's own; NULL: nothing */
} cmw_principal;

/**
 * The slot "principal", declared if it was not. Its value is a cmw_principal.
 *
 * @param[out] slot  unchanged on failure
 * @return           0, CMW_ERR_ARG, CMW_ERR_CONFLICT if the name is taken by another shape,
 *                   CMW_ERR_LIMIT, CMW_ERR_NOMEM
 * Threads:          any
 * Cost:             O(slots); for configuration time
 * Since:            0.1
 */
CMW_API CMW_NODISCARD int cmw_principal_slot(cmw_engine *engine, cmw_slot *slot);

/** 1 if a principal has a role or a scope; byte-exact. NULL has none. Cost: O(their number). */
CMW_API int cmw_principal_has_role(const cmw_principal *principal, cmw_str role);
CMW_API int cmw_principal_has_scope(const cmw_principal *principal, cmw_str scope);

/**
 * 1 if a text can be a scope: one or more visible ASCII characters but quote and backslash.
 *
 * Threads: any
 * Cost:    O(len), no allocation
 * Source:  RFC 6749, 3.3
 * Since:   0.1
 */
CMW_API int cmw_scope_is_valid(cmw_str scope);

CMW_END_DECLS

#endif /* CATZILLA_PRINCIPAL_H */
