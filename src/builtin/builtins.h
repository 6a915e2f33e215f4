/* SPDX-License-Identifier: MIT */
/* The kinds of this folder, and what their `create` functions share. */
#ifndef CMW_BUILTIN_BUILTINS_H
#define CMW_BUILTIN_BUILTINS_H

#include <catzilla/mw.h>

extern const cmw_kind cmw__kind_request_id;
extern const cmw_kind cmw__kind_security_headers;

/* Register all of them; called once by cmw_engine_create. */
int cmw__register_builtins(cmw_engine *engine);

/* Write a sentence and return the code. */
int cmw__builtin_refuse(cmw_diag *diag, int code, const char *sentence);

/* Refuse a field's value: "<kind>: the value of <field> holds bytes that HTTP does not allow". */
int cmw__builtin_refuse_field(cmw_diag *diag, const char *kind, cmw_str field);

#endif /* CMW_BUILTIN_BUILTINS_H */
