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

/* An octet with the dot behind it, and its length: in one place, so that an octet is two loads. */
struct cmw__octet {
    char text[4];
    uint32_t len;
};

#define CMW__OCTET(text)                                                                           \
    {                                                                                              \
        text ".", sizeof(text)                                                                     \
    }
#define CMW__TEN_OCTETS(tens)                                                                      \
    CMW__OCTET(tens "0"), CMW__OCTET(tens "1"), CMW__OCTET(tens "2"), CMW__OCTET(tens "3"),        \
        CMW__OCTET(tens "4"), CMW__OCTET(tens "5"), CMW__OCTET(tens "6"), CMW__OCTET(tens "7"),    \
        CMW__OCTET(tens "8"), CMW__OCTET(tens "9")
#define CMW__HUNDRED_OCTETS(h)                                                                     \
    CMW__TEN_OCTETS(h "0"), CMW__TEN_OCTETS(h "1"), CMW__TEN_OCTETS(h "2"),                        \
        CMW__TEN_OCTETS(h "3"), CMW__TEN_OCTETS(h "4"), CMW__TEN_OCTETS(h "5"),                    \
        CMW__TEN_OCTETS(h "6"), CMW__TEN_OCTETS(h "7"), CMW__TEN_OCTETS(h "8"),                    \
        CMW__TEN_OCTETS(h "9")

/* "0." to "255."; the last ten are there for the macros alone. */
static const struct cmw__octet cmw__octets[260] = {
    CMW__TEN_OCTETS(""),   CMW__TEN_OCTETS("1"),  CMW__TEN_OCTETS("2"),     CMW__TEN_OCTETS("3"),
    CMW__TEN_OCTETS("4"),  CMW__TEN_OCTETS("5"),  CMW__TEN_OCTETS("6"),     CMW__TEN_OCTETS("7"),
    CMW__TEN_OCTETS("8"),  CMW__TEN_OCTETS("9"),  CMW__HUNDRED_OCTETS("1"), CMW__TEN_OCTETS("20"),
    CMW__TEN_OCTETS("21"), CMW__TEN_OCTETS("22"), CMW__TEN_OCTETS("23"),    CMW__TEN_OCTETS("24"),
    CMW__TEN_OCTETS("25"),
};

static inline char *cmw__put_octet(char *to, uint8_t octet)
{
    memcpy(to, cmw__octets[octet].text, 4);
    return to + cmw__octets[octet].len;
}

/* May write 3 bytes more. */
static inline char *cmw__put_ipv4(char *to, const uint8_t *bytes)
{
    to = cmw__put_octet(to, bytes[0]);
    to = cmw__put_octet(to, bytes[1]);
    to = cmw__put_octet(to, bytes[2]);
    return cmw__put_octet(to, bytes[3]) - 1;
}

#endif /* CMW_BUILTIN_LOG_NUMBER_H */
