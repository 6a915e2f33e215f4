/* SPDX-License-Identifier: MIT */
/* Splitting a Cookie field, as the CPU allows it. */
#ifndef CMW_MESSAGE_COOKIE_SPLIT_H
#define CMW_MESSAGE_COOKIE_SPLIT_H

#include <catzilla/cookie.h>

/* Both as cmw_cookie_split. */
size_t cmw__cookie_split(cmw_str *rest, cmw_cookie *cookies, size_t cap);
size_t cmw__cookie_split_avx2(cmw_str *rest, cmw_cookie *cookies, size_t cap);

/* 1 if the CPU has what the second one needs. */
int cmw__cookie_has_avx2(void);

#endif /* CMW_MESSAGE_COOKIE_SPLIT_H */
