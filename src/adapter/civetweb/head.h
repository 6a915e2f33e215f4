/* SPDX-License-Identifier: MIT */
/*
 * What civetweb made of the head, and whether to believe it. Pure.
 *
 * civetweb 1.15 cuts its buffer into strings, and stops reading fields, without a word, at the 64th
 * and at a line that begins with a blank: what follows is hidden from us, Content-Length as well.
 */
#ifndef CMW_CIVETWEB_HEAD_H
#define CMW_CIVETWEB_HEAD_H

#include <catzilla/adapter/civetweb.h>

/* The fields as slices, without the blanks at the end that civetweb leaves; how many. */
uint32_t cmw__head_fields(cmw_header fields[MG_MAX_HEADERS], const struct mg_request_info *info);

/* 0, or the status with which a head is refused that others would read differently. */
int cmw__head_check(const struct mg_request_info *info);

/* 1 if the client lets the connection go on, in civetweb's reading. */
int cmw__head_keeps_alive(const struct mg_request_info *info);

#endif /* CMW_CIVETWEB_HEAD_H */
