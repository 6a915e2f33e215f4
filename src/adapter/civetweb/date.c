/* SPDX-License-Identifier: MIT */
#include "date.h"

#include <string.h>

static void put_two(char *to, unsigned value)
{
    to[0] = (char)('0' + value / 10 % 10);
    to[1] = (char)('0' + value % 10);
}

static int is_leap(unsigned year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned month_days(unsigned month, unsigned year)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    return days[month] + (month == 1 && is_leap(year) ? 1u : 0u);
}

static void write_date(char *to, uint64_t second)
{
    static const char names[] = "ThuFriSatSunMonTueWed"; /* 1970-01-01 was a Thursday */
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    const unsigned of_day = (unsigned)(second % 86400);
    uint64_t days = second / 86400;
    unsigned year = 1970, month = 0;

    memcpy(to, "Thu, 01 Jan 1970 00:00:00 GMT", DATE_BYTES);
    memcpy(to, names + days % 7 * 3, 3);
    for (; days >= (is_leap(year) ? 366u : 365u) && year < 9999; year++)
        days -= is_leap(year) ? 366 : 365;
    for (; month < 11 && days >= month_days(month, year); month++)
        days -= month_days(month, year);
    put_two(to + 5, (unsigned)days + 1);
    memcpy(to + 8, months + (size_t)month * 3, 3);
    put_two(to + 12, year / 100);
    put_two(to + 14, year % 100);
    put_two(to + 17, of_day / 3600);
    put_two(to + 20, of_day / 60 % 60);
    put_two(to + 23, of_day % 60);
}

cmw_str cmw__date_at(struct date *date, uint64_t wall_ns)
{
    const uint64_t second = wall_ns / UINT64_C(1000000000);

    if (second != date->second || date->text[0] == '\0') {
        write_date(date->text, second);
        date->second = second;
    }
    return cmw_str_make(date->text, DATE_BYTES);
}
