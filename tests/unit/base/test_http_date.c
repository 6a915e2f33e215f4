/* SPDX-License-Identifier: MIT */
/* Dates: three forms, what is none of them, and back. */
#include "test.h"

#include <catzilla/http_date.h>

#include "guard_page.h"

enum { NOW_S = 1767225600 }; /* 2026-01-01T00:00:00Z */
#define REFUSED INT64_MIN

struct row {
    const char *name;
    const char *text;
    int64_t epoch_s;
};

static const struct row rows[] = {
    {"IMF-fixdate", "Sun, 06 Nov 1994 08:49:37 GMT", 784111777},
    {"RFC 850", "Sunday, 06-Nov-94 08:49:37 GMT", 784111777},
    {"asctime", "Sun Nov  6 08:49:37 1994", 784111777},
    {"asctime with two digits", "Wed Nov 15 04:58:08 1995", 816411488},
    {"the first second", "Thu, 01 Jan 1970 00:00:00 GMT", 0},
    {"the second before", "Wed, 31 Dec 1969 23:59:59 GMT", -1},
    {"year 0", "Sat, 01 Jan 0000 00:00:00 GMT", -62167219200},
    {"the last second", "Fri, 31 Dec 9999 23:59:59 GMT", CMW_HTTP_DATE_MAX},
    {"a leap day", "Thu, 29 Feb 2024 00:00:00 GMT", 1709164800},
    {"a leap day of a century", "Tue, 29 Feb 2000 00:00:00 GMT", 951782400},
    {"a leap second", "Sat, 31 Dec 2016 23:59:60 GMT", 1483228800},
    {"a year less than 50 years ahead", "Tuesday, 31-Dec-75 00:00:00 GMT", 3344976000},
    {"a year more than 50 years ahead is past", "Saturday, 01-Jan-77 00:00:00 GMT", 220924800},
    {"the day of the week knows the century", "Thursday, 01-Jan-70 00:00:00 GMT", 0},
    {"a day of the week of neither", "Friday, 01-Jan-70 00:00:00 GMT", 3155760000},
    {"the century before has no such day", "Thursday, 29-Feb-00 00:00:00 GMT", 951782400},
    {"no leap day", "Wed, 29 Feb 2023 00:00:00 GMT", REFUSED},
    {"no leap day of a century", "Mon, 29 Feb 2100 00:00:00 GMT", REFUSED},
    {"day 0", "Sun, 00 Nov 1994 08:49:37 GMT", REFUSED},
    {"day 31 of a month with 30", "Thu, 31 Nov 1994 08:49:37 GMT", REFUSED},
    {"another day of the week", "Mon, 06 Nov 1994 08:49:37 GMT", 784111777},
    {"asctime with another day of the week", "Mon Nov  6 08:49:37 1994", 784111777},
    {"hour 24", "Sun, 06 Nov 1994 24:00:00 GMT", REFUSED},
    {"minute 60", "Sun, 06 Nov 1994 08:60:37 GMT", REFUSED},
    {"second 61", "Sat, 31 Dec 2016 23:59:61 GMT", REFUSED},
    {"second 60 in the middle of a day", "Sun, 06 Nov 1994 08:49:60 GMT", REFUSED},
    {"another zone", "Sun, 06 Nov 1994 08:49:37 EST", REFUSED},
    {"UTC", "Sun, 06 Nov 1994 08:49:37 UTC", REFUSED},
    {"a zone in digits", "Sun, 06 Nov 1994 08:49:37 +0000", REFUSED},
    {"no zone", "Sun, 06 Nov 1994 08:49:37", REFUSED},
    {"lower case", "sun, 06 nov 1994 08:49:37 gmt", REFUSED},
    {"one digit of a day", "Sun, 6 Nov 1994 08:49:37 GMT", REFUSED},
    {"a blank and one digit", "Sun,  6 Nov 1994 08:49:37 GMT", REFUSED},
    {"asctime with one blank", "Sun Nov 6 08:49:37 1994", REFUSED},
    {"asctime with a zone", "Sun Nov  6 08:49:37 1994 GMT", REFUSED},
    {"two digits of a year", "Sun, 06 Nov 94 08:49:37 GMT", REFUSED},
    {"RFC 850 with four", "Sunday, 06-Nov-1994 08:49:37 GMT", REFUSED},
    {"RFC 850 with a short day", "Sun, 06-Nov-94 08:49:37 GMT", REFUSED},
    {"an unknown month", "Sun, 06 Foo 1994 08:49:37 GMT", REFUSED},
    {"an unknown day", "Foo, 06 Nov 1994 08:49:37 GMT", REFUSED},
    {"a sign", "Sun, +6 Nov 1994 08:49:37 GMT", REFUSED},
    {"a blank before it", " Sun, 06 Nov 1994 08:49:37 GMT", REFUSED},
    {"a blank behind it", "Sun, 06 Nov 1994 08:49:37 GMT ", REFUSED},
    {"a line end behind it", "Sun, 06 Nov 1994 08:49:37 GMT\n", REFUSED},
    {"other digits", "Sun, 06 Nov 1994 08:49:3\xd9\xa0 GMT", REFUSED},
    {"ISO 8601", "1994-11-06T08:49:37Z", REFUSED},
    {"a number", "784111777", REFUSED},
    {"nothing", "", REFUSED},
    {"three bytes", "Sun", REFUSED},
    {"four bytes", "Sun,", REFUSED},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct guard_page page;
    int64_t epoch_s = 1;

    guard_page_open(&page, 64);
    const int rc =
        cmw_http_date_parse(&epoch_s, guard_page_put(&page, cmw_str_cstr(row->text)), NOW_S);
    assert_int_equal(rc, row->epoch_s == REFUSED ? CMW_ERR_INVALID : 0);
    assert_true(epoch_s == (row->epoch_s == REFUSED ? 1 : row->epoch_s));
    guard_page_close(&page);
}

static void whatever_is_cut_off_is_refused(void **state)
{
    static const char *const texts[] = {"Sun, 06 Nov 1994 08:49:37 GMT",
                                        "Sunday, 06-Nov-94 08:49:37 GMT",
                                        "Sun Nov  6 08:49:37 1994"};
    struct guard_page page;
    int64_t epoch_s;

    (void)state;
    guard_page_open(&page, 64);
    for (size_t i = 0; i < LEN(texts); i++)
        for (size_t len = 0; len < strlen(texts[i]); len++)
            assert_int_equal(cmw_http_date_parse(&epoch_s,
                                                 guard_page_put(&page, cmw_str_make(texts[i], len)),
                                                 NOW_S),
                             CMW_ERR_INVALID);
    guard_page_close(&page);
}

static void the_century_follows_the_present(void **state)
{
    int64_t epoch_s;

    (void)state;
    /* Exactly 50 years ahead is not more than 50 years. */
    assert_int_equal(
        cmw_http_date_parse(&epoch_s, CMW_STR("Wednesday, 01-Jan-76 00:00:00 GMT"), NOW_S), 0);
    assert_true(epoch_s == INT64_C(3345062400));
    assert_int_equal(
        cmw_http_date_parse(&epoch_s, CMW_STR("Thursday, 01-Jan-76 00:00:01 GMT"), NOW_S), 0);
    assert_true(epoch_s == 189302401);
    /* The same text, read a century later. */
    assert_int_equal(cmw_http_date_parse(&epoch_s, CMW_STR("Saturday, 06-Nov-94 08:49:37 GMT"),
                                         NOW_S + INT64_C(3155760000)),
                     0);
    assert_true(epoch_s == INT64_C(3939871777));
}

static void every_day_is_read_as_it_was_written(void **state)
{
    char text[CMW_HTTP_DATE_LEN];
    int64_t epoch_s;

    (void)state;
    for (int64_t day = 0; day <= CMW_HTTP_DATE_MAX / 86400; day += 13) {
        const int64_t second = day * 86400 + day % 86400;
        assert_int_equal(cmw_http_date_parse(&epoch_s, cmw_http_date_format(text, second), 0), 0);
        assert_true(epoch_s == second);
    }
}

static void what_has_no_four_digits_is_written_as_the_nearest(void **state)
{
    char text[CMW_HTTP_DATE_LEN];

    (void)state;
    assert_true(
        cmw_str_equals(cmw_http_date_format(text, -5), CMW_STR("Thu, 01 Jan 1970 00:00:00 GMT")));
    assert_true(cmw_str_equals(cmw_http_date_format(text, INT64_MAX),
                               CMW_STR("Fri, 31 Dec 9999 23:59:59 GMT")));
}

static void the_cache_writes_once_a_second(void **state)
{
    cmw_http_date_cache cache = {0};

    (void)state;
    assert_true(
        cmw_str_equals(cmw_http_date_at(&cache, 0), CMW_STR("Thu, 01 Jan 1970 00:00:00 GMT")));
    cache.text[0] = 'x'; /* it stays until the next second */
    assert_int_equal(cmw_http_date_at(&cache, 999999999).data[0], 'x');
    assert_true(cmw_str_equals(cmw_http_date_at(&cache, 1000000000),
                               CMW_STR("Thu, 01 Jan 1970 00:00:01 GMT")));
    assert_true(
        cmw_str_equals(cmw_http_date_at(&cache, 5), CMW_STR("Thu, 01 Jan 1970 00:00:00 GMT")));
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(whatever_is_cut_off_is_refused),
        cmocka_unit_test(the_century_follows_the_present),
        cmocka_unit_test(every_day_is_read_as_it_was_written),
        cmocka_unit_test(what_has_no_four_digits_is_written_as_the_nearest),
        cmocka_unit_test(the_cache_writes_once_a_second),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("http_date", tests, NULL, NULL) |
           cmocka_run_group_tests_name("http_date: the rest", others, NULL, NULL);
}
