/* SPDX-License-Identifier: MIT */
/* Numbers and IPv4 addresses as decimal text, without a call. */
#ifndef CMW_BUILTIN_LOG_NUMBER_H
#define CMW_BUILTIN_LOG_NUMBER_H

#include <stdint.h>
#include <string.h>

static inline char *cmw__put_digits2(char *to, unsigned number)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233"
        "34353637383940414243444546474849505152535455565758596061626364656667"
        "6869707172737475767778798081828384858687888990919293949596979899";
    memcpy(to, pairs + 2 * (size_t)number, 2);
    return to + 2;
}

static inline char *cmw__put_digits3(char *to, unsigned number)
{
    *to = (char)('0' + number / 100);
    return cmw__put_digits2(to + 1, number % 100);
}

/* A number below 1,000. */
static inline char *cmw__put_small(char *to, unsigned number)
{
    if (number >= 100)
        return cmw__put_digits3(to, number);
    if (number >= 10)
        return cmw__put_digits2(to, number);
    *to = (char)('0' + number);
    return to + 1;
}

/* Up to 20 digits. */
static inline char *cmw__put_number(char *to, uint64_t number)
{
    char digits[20];
    char *at = digits + sizeof digits;

    if (number < 1000)
        return cmw__put_small(to, (unsigned)number);
    for (; number >= 100; number /= 100)
        (void)cmw__put_digits2(at -= 2, (unsigned)(number % 100));
    to = cmw__put_small(to, (unsigned)number);
    const size_t rest = (size_t)(digits + sizeof digits - at);
    memcpy(to, at, rest);
    return to + rest;
}

static inline char *cmw__put_ipv4(char *to, const uint8_t *bytes)
{
    for (int i = 0; i < 3; i++) {
        to = cmw__put_small(to, bytes[i]);
        *to++ = '.';
    }
    return cmw__put_small(to, bytes[3]);
}

#endif /* CMW_BUILTIN_LOG_NUMBER_H */
