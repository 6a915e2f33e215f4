/* SPDX-License-Identifier: MIT */
/* Numbers as decimal text, without a call where they are below a million. */
#ifndef CMW_MESSAGE_DECIMAL_H
#define CMW_MESSAGE_DECIMAL_H

#include <stdint.h>
#include <string.h>

#include "platform.h"

/* The digits of a number below 1,000, and how many they are. */
struct cmw__digits {
    char text[3];
    uint8_t len;
};

extern const struct cmw__digits cmw__small_numbers[1000];

/* Each returns the end. A number below 1,000. Writes four bytes. */
static inline char *cmw__put_small(char *at, uint64_t number)
{
    memcpy(at, &cmw__small_numbers[number], sizeof cmw__small_numbers[0]);
    return at + cmw__small_numbers[number].len;
}

/* A number below a million, without a loop or a call. May write three bytes more. */
static inline char *cmw__put_medium(char *at, uint64_t number)
{
    if (CMW_LIKELY(number < 1000))
        return cmw__put_small(at, number);
    at = cmw__put_small(at, number / 1000);
    number %= 1000;
    memcpy(at, "000", 4);
    (void)cmw__put_small(at + 3 - cmw__small_numbers[number].len, number);
    return at + 3;
}

/* Any number, in up to 20 digits. */
char *cmw__put_large(char *at, uint64_t number);

/* The same, quick where it is below a million. May write three bytes more. */
static inline char *cmw__put_number(char *at, uint64_t number)
{
    return number < 1000000 ? cmw__put_medium(at, number) : cmw__put_large(at, number);
}

#endif /* CMW_MESSAGE_DECIMAL_H */
