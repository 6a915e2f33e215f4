/* SPDX-License-Identifier: MIT */
/*
 * The values of security fields: what each may be, and writing those that are given in parts.
 *
 * Each function writes a checked value into the arena: 0; CMW_ERR_NOMEM; or CMW_ERR_INVALID with a
 * sentence that names the option.
 */
#ifndef CMW_BUILTIN_SECURITY_VALUES_H
#define CMW_BUILTIN_SECURITY_VALUES_H

#include <catzilla/arena.h>
#include <catzilla/builtin/security_headers.h>

/* One of `choices` ("DENY|SAMEORIGIN"), given in any case, written as it stands there. With
 * `has_parameters`, what follows a ";" is kept as it is. */
int cmw__security_choice(cmw_arena *arena, cmw_str *out, const char *option, const char *choices,
                         int has_parameters, const char *text, cmw_diag *diag);

/* Policies of a list, or of texts that are lists. */
int cmw__security_referrer(cmw_arena *arena, cmw_str *out, const char *const *texts, size_t count,
                           cmw_diag *diag);

/* A Permissions-Policy that was written by hand, and one in parts. */
int cmw__security_permissions_text(cmw_arena *arena, cmw_str *out, const char *text,
                                   cmw_diag *diag);
int cmw__security_permissions(cmw_arena *arena, cmw_str *out, const cmw_option_list *list,
                              size_t count, cmw_diag *diag);

/* A Strict-Transport-Security that was written by hand, and one in parts. */
int cmw__security_hsts_text(cmw_arena *arena, cmw_str *out, const char *text, cmw_diag *diag);
int cmw__security_hsts(cmw_arena *arena, cmw_str *out, const cmw_hsts *hsts, cmw_diag *diag);

#endif /* CMW_BUILTIN_SECURITY_VALUES_H */
