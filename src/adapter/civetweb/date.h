/* SPDX-License-Identifier: MIT */
/* The Date field, which civetweb adds to its own answers only. Pure. */
#ifndef CMW_CIVETWEB_DATE_H
#define CMW_CIVETWEB_DATE_H

#include <catzilla/base.h>

enum { DATE_BYTES = 29 };

/* The last one that was written, for a second's worth of requests. */
struct date {
    uint64_t second;
    char text[DATE_BYTES];
};

/* "Sun, 06 Nov 1994 08:49:37 GMT". Source: RFC 9110, 5.6.7. */
cmw_str cmw__date_at(struct date *date, uint64_t wall_ns);

#endif /* CMW_CIVETWEB_DATE_H */
