/* SPDX-License-Identifier: MIT */
/* What reading and writing structured fields share: which byte may stand where. */
#ifndef CMW_MESSAGE_STRUCTURED_H
#define CMW_MESSAGE_STRUCTURED_H

#include <stdint.h>

/* Bits of cmw__sf_bytes. */
enum {
    CMW__SF_KEY_FIRST = 1,   /* lcalpha, "*" */
    CMW__SF_KEY = 2,         /* lcalpha, DIGIT, "_-.*" */
    CMW__SF_TOKEN_FIRST = 4, /* ALPHA, "*" */
    CMW__SF_TOKEN = 8,       /* tchar, ":", "/" */
    CMW__SF_DIGIT = 16,
    CMW__SF_PLAIN = 32,     /* of a string, without an escape */
    CMW__SF_DISPLAYED = 64, /* of a display string, without an escape */
    CMW__SF_BASE64 = 128
};

extern const uint8_t cmw__sf_bytes[256];

static inline int cmw__sf_is(char byte, unsigned bits)
{
    return (cmw__sf_bytes[(unsigned char)byte] & bits) != 0;
}

#endif /* CMW_MESSAGE_STRUCTURED_H */
