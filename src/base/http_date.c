/* SPDX-License-Identifier: MIT */
/*
 * Dates of HTTP. A form is a pattern in which letters stand for what is read:
 *
 *     a  day of the week, three letters      A  the whole name
 *     d  day of the month, two digits        e  the same, or a blank and one digit
 *     b  month, three letters
 *     y  year, two digits                    Y  four
 *     H M S  two digits each
 *
 * Days are counted by eras of 400 years that begin on 1 March, so that a leap day is a year's last.
 */
#include <catzilla/http_date.h>

enum {
    DAY_S = 86400,
    ERA_DAYS = 146097,
    EPOCH_DAYS = 719468, /* from 0000-03-01 to 1970-01-01 */
    THURSDAY = 4,        /* 1970-01-01 */
    AHEAD_YEARS = 50
};

/* What is read; in a year of two digits `is_short` is set. */
struct parts {
    cmw_civil_time time;
    int is_short;
};

static const char week_days[7][10] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                      "Thursday", "Friday", "Saturday"};
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

/* ---- Days ------------------------------------------------------------------------------- */

static int64_t days_of(int year, int month, int day)
{
    const int64_t years = year - (month <= 2);
    const int64_t era = (years >= 0 ? years : years - 399) / 400;
    const int64_t of_era = years - era * 400;
    const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + of_year - EPOCH_DAYS;
}

static void set_civil(cmw_civil_time *time, int64_t days)
{
    const int64_t shifted = days + EPOCH_DAYS;
    const int64_t era = shifted / ERA_DAYS;
    const int64_t of_era = shifted % ERA_DAYS;
    const int64_t years = (of_era - of_era / 1460 + of_era / 36524 - of_era / (ERA_DAYS - 1)) / 365;
    const int64_t of_year = of_era - (365 * years + years / 4 - years / 100);
    const int64_t shifted_month = (5 * of_year + 2) / 153;

    time->day = (int)(of_year - (153 * shifted_month + 2) / 5 + 1);
    time->month = (int)(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    time->year = (int)(years + era * 400) + (time->month <= 2);
}

static int month_days(int month, int year)
{
    static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const int is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return days[month - 1] + (month == 2 && is_leap);
}

static int week_day_of(int64_t days)
{
    const int day = (int)((days + THURSDAY) % 7);
    return day < 0 ? day + 7 : day;
}

/* ---- Reading ---------------------------------------------------------------------------- */

/* `count` digits at the front; -1: there are none. */
static int take_digits(cmw_str *text, size_t count)
{
    int number = 0;

    if (text->len < count)
        return -1;
    for (size_t i = 0; i < count; i++) {
        if (text->data[i] < '0' || text->data[i] > '9')
            return -1;
        number = number * 10 + (text->data[i] - '0');
    }
    *text = cmw_str_make(text->data + count, text->len - count);
    return number;
}

/* A blank and a digit, or two digits. */
static int take_padded_day(cmw_str *text)
{
    if (text->len > 0 && text->data[0] == ' ') {
        *text = cmw_str_make(text->data + 1, text->len - 1);
        return take_digits(text, 1);
    }
    return take_digits(text, 2);
}

static int take_name(cmw_str *text, const char *name, size_t len)
{
    if (text->len < len || memcmp(text->data, name, len) != 0)
        return 0;
    *text = cmw_str_make(text->data + len, text->len - len);
    return 1;
}

static int take_week_day(cmw_str *text, int is_whole)
{
    for (int i = 0; i < 7; i++)
        if (take_name(text, week_days[i], is_whole ? strlen(week_days[i]) : 3))
            return i;
    return -1;
}

static int take_month(cmw_str *text)
{
    for (int i = 0; i < 12; i++)
        if (take_name(text, months + (size_t)i * 3, 3))
            return i + 1;
    return -1;
}

/* The part that a letter stands for: not negative, or -1. */
static int take_part(struct parts *parts, cmw_str *text, char letter)
{
    cmw_civil_time *const time = &parts->time;

    switch (letter) {
    case 'a':
    case 'A':
        return time->week_day = take_week_day(text, letter == 'A');
    case 'd':
        return time->day = take_digits(text, 2);
    case 'e':
        return time->day = take_padded_day(text);
    case 'b':
        return time->month = take_month(text);
    case 'y':
        parts->is_short = 1;
        return time->year = take_digits(text, 2);
    case 'Y':
        return time->year = take_digits(text, 4);
    case 'H':
        return time->hour = take_digits(text, 2);
    case 'M':
        return time->minute = take_digits(text, 2);
    default:
        return time->second = take_digits(text, 2);
    }
}

static int read_form(struct parts *parts, cmw_str text, const char *form)
{
    for (; *form; form++) {
        if (*form == '%') {
            if (take_part(parts, &text, *++form) < 0)
                return CMW_ERR_INVALID;
        } else if (!take_name(&text, form, 1)) {
            return CMW_ERR_INVALID;
        }
    }
    return text.len == 0 ? 0 : CMW_ERR_INVALID;
}

/* Which form it is shows in the fourth byte. */
static int read_parts(struct parts *parts, cmw_str text)
{
    if (text.len < 4)
        return CMW_ERR_INVALID;
    if (text.data[3] == ',')
        return read_form(parts, text, "%a, %d %b %Y %H:%M:%S GMT");
    if (text.data[3] == ' ')
        return read_form(parts, text, "%a %b %e %H:%M:%S %Y");
    return read_form(parts, text, "%A, %d-%b-%y %H:%M:%S GMT");
}

/* A leap second ends a day; which days have one is not known. */
static int has_good_ranges(const cmw_civil_time *time)
{
    if (time->day < 1 || time->day > month_days(time->month, time->year))
        return 0;
    if (time->hour > 23 || time->minute > 59 || time->second > 60)
        return 0;
    return time->second < 60 || (time->hour == 23 && time->minute == 59);
}

static int64_t epoch_of(const cmw_civil_time *time)
{
    return days_of(time->year, time->month, time->day) * DAY_S + (int64_t)time->hour * 3600 +
           (int64_t)time->minute * 60 + time->second;
}

/* The last year with these two digits that is not more than 50 years ahead. */
static void choose_century(cmw_civil_time *time, int64_t now_s)
{
    cmw_civil_time limit;

    cmw_civil_time_at(&limit, now_s);
    limit.year += AHEAD_YEARS;
    time->year += limit.year / 100 * 100;
    if (epoch_of(time) > epoch_of(&limit))
        time->year -= 100;
}

static int has_its_week_day(const cmw_civil_time *time)
{
    return has_good_ranges(time) &&
           week_day_of(days_of(time->year, time->month, time->day)) == time->week_day;
}

/* Of two digits of a year the day of the week knows the century, if only the one before has it. */
static void ask_week_day(cmw_civil_time *time)
{
    cmw_civil_time before = *time;

    before.year -= 100;
    if (!has_its_week_day(time) && has_its_week_day(&before))
        *time = before;
}

int cmw_http_date_parse(int64_t *epoch_s, cmw_str text, int64_t now_s)
{
    struct parts parts = {0};
    cmw_civil_time *const time = &parts.time;

    if (read_parts(&parts, text) != 0)
        return CMW_ERR_INVALID;
    if (parts.is_short) {
        choose_century(time, now_s);
        ask_week_day(time);
    }
    if (!has_good_ranges(time))
        return CMW_ERR_INVALID;
    *epoch_s = epoch_of(time);
    return 0;
}

/* ---- Writing ---------------------------------------------------------------------------- */

static void put_two(char *to, int number)
{
    to[0] = (char)('0' + number / 10 % 10);
    to[1] = (char)('0' + number % 10);
}

void cmw_civil_time_at(cmw_civil_time *time, int64_t epoch_s)
{
    const int64_t second = epoch_s < 0                   ? 0
                           : epoch_s > CMW_HTTP_DATE_MAX ? CMW_HTTP_DATE_MAX
                                                         : epoch_s;
    const int64_t days = second / DAY_S;
    const int of_day = (int)(second % DAY_S);

    set_civil(time, days);
    time->hour = of_day / 3600;
    time->minute = of_day / 60 % 60;
    time->second = of_day % 60;
    time->week_day = week_day_of(days);
}

cmw_str cmw_http_date_format(char *to, int64_t epoch_s)
{
    cmw_civil_time time;

    cmw_civil_time_at(&time, epoch_s);
    memcpy(to, "Thu, 01 Jan 1970 00:00:00 GMT", CMW_HTTP_DATE_LEN);
    memcpy(to, week_days[time.week_day], 3);
    put_two(to + 5, time.day);
    memcpy(to + 8, months + (size_t)(time.month - 1) * 3, 3);
    put_two(to + 12, time.year / 100);
    put_two(to + 14, time.year % 100);
    put_two(to + 17, time.hour);
    put_two(to + 20, time.minute);
    put_two(to + 23, time.second);
    return cmw_str_make(to, CMW_HTTP_DATE_LEN);
}

cmw_str cmw_http_date_at(cmw_http_date_cache *cache, uint64_t wall_ns)
{
    const uint64_t second = wall_ns / UINT64_C(1000000000);

    if (cache->second != second + 1) {
        (void)cmw_http_date_format(cache->text, (int64_t)second);
        cache->second = second + 1;
    }
    return cmw_str_make(cache->text, CMW_HTTP_DATE_LEN);
}
