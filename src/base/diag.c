/* SPDX-License-Identifier: MIT */
/*
 * Writing a diagnostic.
 */
#include "diag.h"

#include <stdarg.h>
#include <stdio.h>

static const char ellipsis[] = "...";

int cmw__diag_set(cmw_diag *diag, int code, const char *format, ...)
{
    if (!diag)
        return code;

    va_list args;
    va_start(args, format);
    const int written = vsnprintf(diag->message, sizeof diag->message, format, args);
    va_end(args);

    diag->code = code;
    diag->full_len = written < 0 ? 0 : (size_t)written;
    if (written < 0)
        diag->message[0] = '\0'; /* what the buffer holds now is not specified */
    if (diag->full_len >= sizeof diag->message)
        memcpy(diag->message + sizeof diag->message - sizeof ellipsis, ellipsis, sizeof ellipsis);
    return code;
}
