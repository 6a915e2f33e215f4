/* SPDX-License-Identifier: MIT */

#include <catzilla/base.h>

#include "test.h"

static void code_sentence_and_length_are_written(void **state)
{
    cmw_diag diag;

    (void)state;
    assert_int_equal(cmw_diag_set(&diag, CMW_ERR_ORDER, "'%s' (priority %d)", "permissions", 20),
                     CMW_ERR_ORDER);
    assert_int_equal(diag.code, CMW_ERR_ORDER);
    assert_string_equal(diag.message, "'permissions' (priority 20)");
    assert_int_equal(diag.full_len, strlen(diag.message));
}

static void without_a_diag_the_code_is_returned(void **state)
{
    (void)state;
    assert_int_equal(cmw_diag_set(NULL, CMW_ERR_CYCLE, "%s", "unseen"), CMW_ERR_CYCLE);
}

/* `len` bytes fit if a NUL fits behind them. */
static void check_length(size_t len)
{
    char text[2 * CMW_DIAG_CAP];
    struct {
        cmw_diag diag;
        char guard[8];
    } place;

    memset(text, 'x', len);
    text[len] = '\0';
    memset(&place, '#', sizeof place);
    (void)cmw_diag_set(&place.diag, CMW_ERR_ARG, "%s", text);

    const size_t shown = len < CMW_DIAG_CAP ? len : CMW_DIAG_CAP - 1;
    assert_int_equal(place.diag.full_len, len);
    assert_int_equal(strlen(place.diag.message), shown);
    assert_memory_equal(place.guard, "########", sizeof place.guard);
    if (len < CMW_DIAG_CAP)
        assert_string_equal(place.diag.message, text);
    else
        assert_string_equal(place.diag.message + shown - 4, "x...");
}

static void a_sentence_that_just_fits_is_whole(void **state)
{
    (void)state;
    check_length(0);
    check_length(CMW_DIAG_CAP - 2);
    check_length(CMW_DIAG_CAP - 1);
}

static void a_longer_sentence_ends_in_three_dots(void **state)
{
    (void)state;
    check_length(CMW_DIAG_CAP);
    check_length(CMW_DIAG_CAP + 1);
    check_length(2 * CMW_DIAG_CAP - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_sentence_and_length_are_written),
        cmocka_unit_test(without_a_diag_the_code_is_returned),
        cmocka_unit_test(a_sentence_that_just_fits_is_whole),
        cmocka_unit_test(a_longer_sentence_ends_in_three_dots),
    };
    return cmocka_run_group_tests_name("diag", tests, NULL, NULL);
}
