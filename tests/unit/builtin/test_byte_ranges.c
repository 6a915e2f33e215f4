/* SPDX-License-Identifier: MIT */
/* The Range field, of a file of 100 bytes. */
#include "byte_ranges.h"

#include <stdio.h>

#include "test.h"

struct row {
    const char *name;
    const char *field;
    const char *expected; /* "first+len ...", "-" ignored, "416" */
};

static const struct row rows[] = {
    {"a range", "bytes=0-9", "0+10"},
    {"the last byte", "bytes=99-99", "99+1"},
    {"to the end", "bytes=90-", "90+10"},
    {"beyond the end is cut", "bytes=90-1000", "90+10"},
    {"the last ones", "bytes=-10", "90+10"},
    {"more than there are", "bytes=-1000", "0+100"},
    {"all of it", "bytes=0-", "0+100"},
    {"two", "bytes=0-0,99-99", "0+1 99+1"},
    {"in any order", "bytes=50-59, 0-9", "50+10 0+10"},
    {"blanks and empty members", "bytes= 0-9 ,,\t20-29 ,", "0+10 20+10"},
    {"the unit in any case", "Bytes=0-9", "0+10"},
    {"one of two is outside", "bytes=0-9,200-", "0+10"},
    {"eight", "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14", "0+1 2+1 4+1 6+1 8+1 10+1 12+1 14+1"},
    {"nine are too many", "bytes=0-0,2-2,4-4,6-6,8-8,10-10,12-12,14-14,16-16", "416"},
    {"many outside are too many", "bytes=200-,201-,202-,203-,204-,205-,206-,207-,208-", "416"},
    {"overlapping", "bytes=0-9,5-15", "416"},
    {"the same twice", "bytes=0-9,0-9", "416"},
    {"one byte in common", "bytes=0-9,9-10", "416"},
    {"touching is not overlapping", "bytes=0-9,10-19", "0+10 10+10"},
    {"all of it and the end", "bytes=0-,-1", "416"},
    {"outside", "bytes=100-", "416"},
    {"none of the last", "bytes=-0", "416"},
    {"the largest number", "bytes=18446744073709551615-", "416"},
    {"a larger one", "bytes=0-99999999999999999999999999", "0+100"},
    {"backwards", "bytes=9-0", "-"},
    {"no number", "bytes=a-b", "-"},
    {"a sign", "bytes=+1-2", "-"},
    {"a sign behind", "bytes=1--2", "-"},
    {"hexadecimal", "bytes=0x1-2", "-"},
    {"a dash alone", "bytes=-", "-"},
    {"no dash", "bytes=5", "-"},
    {"one of two is none", "bytes=0-9,x", "-"},
    {"nothing", "bytes=", "-"},
    {"commas", "bytes=,,,", "-"},
    {"another unit", "lines=0-9", "-"},
    {"no unit", "0-9", "-"},
    {"empty", "", "-"},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct cmw__byte_range ranges[CMW__RANGES_MAX];
    char text[256] = "";
    size_t count = 0, len = 0;

    const enum cmw__ranges_outcome outcome =
        cmw__byte_ranges_read(ranges, &count, cmw_str_cstr(row->field), 100);
    if (outcome == CMW__RANGES_IGNORED)
        strcpy(text, "-");
    else if (outcome == CMW__RANGES_UNSATISFIED)
        strcpy(text, "416");
    for (size_t i = 0; outcome == CMW__RANGES_FOUND && i < count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%llu+%llu", i ? " " : "",
                                (unsigned long long)ranges[i].first,
                                (unsigned long long)ranges[i].len);
    assert_string_equal(text, row->expected);
}

static void of_nothing_there_is_no_range(void **state)
{
    static const char *const fields[] = {"bytes=0-", "bytes=-1", "bytes=0-0"};
    struct cmw__byte_range ranges[CMW__RANGES_MAX];
    size_t count;

    (void)state;
    for (size_t i = 0; i < LEN(fields); i++)
        assert_int_equal(cmw__byte_ranges_read(ranges, &count, cmw_str_cstr(fields[i]), 0),
                         CMW__RANGES_UNSATISFIED);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {cmocka_unit_test(of_nothing_there_is_no_range)};

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("byte_ranges", tests, NULL, NULL) |
           cmocka_run_group_tests_name("byte_ranges: the rest", others, NULL, NULL);
}
