/* SPDX-License-Identifier: MIT */
#include <catzilla/base.h>

#include "test.h"

struct row {
    const char *name;
    int code;
    const char *text;
};

#define ROW(name, number, sentence) {"CMW_ERR_" #name, (number), sentence},

static const struct row rows[] = {CMW_ERROR_LIST(ROW)};

static void check_row(void **state)
{
    const struct row *row = *state;

    assert_true(row->code < 0);
    assert_string_equal(cmw_error_name(row->code), row->name);
    assert_string_equal(cmw_error_text(row->code), row->text);
}

static void numbers_are_given_once(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(rows[i].code, rows[j].code);
    }
}

static void zero_is_success(void **state)
{
    (void)state;
    assert_string_equal(cmw_error_name(0), "CMW_OK");
    assert_string_equal(cmw_error_text(0), "success");
}

static void other_numbers_are_unknown(void **state)
{
    static const int others[] = {1, 2, -17, -1000, INT32_MIN, INT32_MAX};

    (void)state;
    for (size_t i = 0; i < LEN(others); i++) {
        assert_string_equal(cmw_error_name(others[i]), "CMW_ERR_UNKNOWN");
        assert_non_null(cmw_error_text(others[i]));
    }
}

static void version_number_says_what_its_string_says(void **state)
{
    const uint32_t version = cmw_version();
    const uint32_t parts[] = {version / 1000000, version / 1000 % 1000, version % 1000};
    const char *rest = CMW_VERSION_STRING;

    (void)state;
    for (size_t i = 0; i < LEN(parts); i++) {
        char *end;
        assert_int_equal(strtoul(rest, &end, 10), parts[i]);
        rest = end + 1;
    }
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(numbers_are_given_once),
        cmocka_unit_test(zero_is_success),
        cmocka_unit_test(other_numbers_are_unknown),
        cmocka_unit_test(version_number_says_what_its_string_says),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("codes", tests, NULL, NULL) +
           cmocka_run_group_tests_name("error", others, NULL, NULL);
}
