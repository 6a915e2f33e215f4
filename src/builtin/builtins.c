/* SPDX-License-Identifier: MIT */
/* The list of built-in kinds, registered with every engine. */
#include "builtins.h"

#include <stdio.h>

int cmw__register_builtins(cmw_engine *engine)
{
    const cmw_kind *const kinds[] = {&cmw__kind_request_id, &cmw__kind_security_headers};
    int rc = 0;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && rc == 0; i++)
        rc = cmw_kind_register(engine, kinds[i]);
    return rc;
}

int cmw__builtin_refuse(cmw_diag *diag, int code, const char *sentence)
{
    if (!diag)
        return code;
    const int len = snprintf(diag->message, sizeof diag->message, "%s", sentence);
    diag->code = code;
    diag->full_len = len < 0 ? 0 : (size_t)len;
    return code;
}

int cmw__builtin_refuse_field(cmw_diag *diag, const char *kind, cmw_str field)
{
    if (!diag)
        return CMW_ERR_INVALID;
    const int len = snprintf(diag->message, sizeof diag->message,
                             "%s: the value of %.*s holds bytes that HTTP does not allow", kind,
                             (int)field.len, field.data);
    diag->code = CMW_ERR_INVALID;
    diag->full_len = len < 0 ? 0 : (size_t)len;
    return CMW_ERR_INVALID;
}
