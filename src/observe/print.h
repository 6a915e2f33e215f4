/* SPDX-License-Identifier: MIT */
/*
 * Formatted text into a cmw_write_fn: the first error sticks, nothing is cut.
 */
#ifndef CMW_OBSERVE_PRINT_H
#define CMW_OBSERVE_PRINT_H

#include <catzilla/chain.h>

struct cmw__printer {
    cmw_write_fn *write;
    void *self;
    int error; /* 0, or what `write` or the formatting returned first */
};

void cmw__print(struct cmw__printer *printer, const char *format, ...) CMW_PRINTF(2, 3);

#endif /* CMW_OBSERVE_PRINT_H */
