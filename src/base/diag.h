/* SPDX-License-Identifier: MIT */
/*
 * Writing a diagnostic. Configuration time only: the request path formats nothing.
 */
#ifndef CMW_BASE_DIAG_H
#define CMW_BASE_DIAG_H

#include <catzilla/base.h>

/* Write the sentence, unless `diag` is NULL; a longer one than fits ends in "...". Returns `code`,
 * so that a check reads `return cmw__diag_set(diag, CMW_ERR_ARG, ...)`. */
int cmw__diag_set(cmw_diag *diag, int code, const char *format, ...) CMW_PRINTF(3, 4);

#endif /* CMW_BASE_DIAG_H */
