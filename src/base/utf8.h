/* SPDX-License-Identifier: MIT */
/* UTF-8: how long a well-formed sequence is. */
#ifndef CMW_BASE_UTF8_H
#define CMW_BASE_UTF8_H

#include <stddef.h>

/* Length of the well-formed sequence of two to four bytes at the front, or 0 (Unicode, table 3-7):
 * the second byte rules out overlong forms, surrogates and what lies beyond U+10FFFF. */
static inline size_t cmw__utf8_len(const unsigned char *bytes, size_t left)
{
    static const struct {
        unsigned char first, last, low, high, len;
    } rows[] = {
        {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
        {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (bytes[0] < rows[i].first || bytes[0] > rows[i].last)
            continue;
        if (left < rows[i].len || bytes[1] < rows[i].low || bytes[1] > rows[i].high)
            return 0;
        for (size_t k = 2; k < rows[i].len; k++) {
            if ((bytes[k] & 0xc0) != 0x80)
                return 0;
        }
        return rows[i].len;
    }
    return 0;
}

#endif /* CMW_BASE_UTF8_H */
