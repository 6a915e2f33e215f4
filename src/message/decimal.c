/* SPDX-License-Identifier: MIT */
/* The numbers below 1,000, written out. */
#include "decimal.h"

#define DIGIT(n) (char)('0' + (n) % 10)
#define ONE(n)                                                                                     \
    {                                                                                              \
        {DIGIT(n)}, 1                                                                              \
    }
#define TWO(n)                                                                                     \
    {                                                                                              \
        {DIGIT((n) / 10), DIGIT(n)}, 2                                                             \
    }
#define THREE(n)                                                                                   \
    {                                                                                              \
        {DIGIT((n) / 100), DIGIT((n) / 10), DIGIT(n)}, 3                                           \
    }
#define TEN(of, n)                                                                                 \
    of(n), of((n) + 1), of((n) + 2), of((n) + 3), of((n) + 4), of((n) + 5), of((n) + 6),           \
        of((n) + 7), of((n) + 8), of((n) + 9)
#define HUNDRED(n)                                                                                 \
    TEN(THREE, n), TEN(THREE, (n) + 10), TEN(THREE, (n) + 20), TEN(THREE, (n) + 30),               \
        TEN(THREE, (n) + 40), TEN(THREE, (n) + 50), TEN(THREE, (n) + 60), TEN(THREE, (n) + 70),    \
        TEN(THREE, (n) + 80), TEN(THREE, (n) + 90)

const struct cmw__digits cmw__small_numbers[1000] = {
    TEN(ONE, 0),  TEN(TWO, 10), TEN(TWO, 20), TEN(TWO, 30), TEN(TWO, 40),
    TEN(TWO, 50), TEN(TWO, 60), TEN(TWO, 70), TEN(TWO, 80), TEN(TWO, 90),
    HUNDRED(100), HUNDRED(200), HUNDRED(300), HUNDRED(400), HUNDRED(500),
    HUNDRED(600), HUNDRED(700), HUNDRED(800), HUNDRED(900),
};

char *cmw__put_large(char *at, uint64_t number)
{
    char digits[20];
    size_t len = 0;

    do
        digits[len++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (len > 0)
        *at++ = digits[--len];
    return at;
}
