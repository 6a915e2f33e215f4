/* SPDX-License-Identifier: MIT */
/* The Range field (RFC 9110, 14): which bytes of how many. Pure. */
#ifndef CMW_BUILTIN_BYTE_RANGES_H
#define CMW_BUILTIN_BYTE_RANGES_H

#include <catzilla/base.h>

/* More are refused: each costs a head of its own. */
enum { CMW__RANGES_MAX = 8 };

struct cmw__byte_range {
    uint64_t first, len; /* len > 0 */
};

enum cmw__ranges_outcome {
    CMW__RANGES_IGNORED,    /* another unit, or what is no range: as if it were not there */
    CMW__RANGES_FOUND,      /* 1 to CMW__RANGES_MAX, in the order of the field */
    CMW__RANGES_UNSATISFIED /* none lies in the bytes, two overlap, or there are too many */
};

/* `ranges` has room for CMW__RANGES_MAX. */
enum cmw__ranges_outcome cmw__byte_ranges_read(struct cmw__byte_range *ranges, size_t *count,
                                               cmw_str field, uint64_t size);

#endif /* CMW_BUILTIN_BYTE_RANGES_H */
