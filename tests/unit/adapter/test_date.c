/* SPDX-License-Identifier: MIT */
#include "civetweb/date.h"

#include "test.h"

struct row {
    const char *name;
    uint64_t second;
    const char *text;
};

static const struct row rows[] = {
    {"the first second", 0, "Thu, 01 Jan 1970 00:00:00 GMT"},
    {"the example of RFC 9110", 784111777, "Sun, 06 Nov 1994 08:49:37 GMT"},
    {"a leap day", 951782400, "Tue, 29 Feb 2000 00:00:00 GMT"},
    {"the day after it", 951868799 + 1, "Wed, 01 Mar 2000 00:00:00 GMT"},
    {"the last second of a year", 1798761599, "Thu, 31 Dec 2026 23:59:59 GMT"},
    {"a century that has no leap day", 4107542400, "Mon, 01 Mar 2100 00:00:00 GMT"},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct date date = {0, ""};

    const cmw_str text = cmw__date_at(&date, row->second * UINT64_C(1000000000) + 999999999);
    assert_int_equal(text.len, strlen(row->text));
    assert_memory_equal(text.data, row->text, text.len);
}

static void check_reuse(void **state)
{
    struct date date = {0, ""};

    (void)state;
    (void)cmw__date_at(&date, UINT64_C(5000000000));
    date.text[0] = 'x'; /* what is kept for the second is not written again */
    assert_int_equal(cmw__date_at(&date, UINT64_C(5999999999)).data[0], 'x');
    assert_int_equal(cmw__date_at(&date, UINT64_C(6000000000)).data[0], 'T');
    assert_int_equal(cmw__date_at(&date, UINT64_C(5000000000)).data[0], 'T');
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows) + 1];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    tests[LEN(rows)] =
        (struct CMUnitTest){.name = "written once a second", .test_func = check_reuse};
    return cmocka_run_group_tests_name("date", tests, NULL, NULL);
}
