/* SPDX-License-Identifier: MIT */
#include "str.h"

#include "guard_page.h"
#include "test.h"

struct row {
    const char *name;
    cmw_str a;
    cmw_str b;
    int equal;
};

#define S(literal) CMW_STR_INIT(literal)

static const struct row rows[] = {
    {"two empty strings are equal", S(""), S(""), 1},
    {"an empty string without data equals one with", {NULL, 0}, S(""), 1},
    {"letters fold in a short string", S("GeT"), S("gEt"), 1},
    {"letters fold in a word", S("ACCEPT-Q"), S("accept-q"), 1},
    {"letters fold in an overlapped last word", S("Content-Length"), S("cONTENT-lENGTH"), 1},
    {"a and z fold, as do all between", S("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
     S("abcdefghijklmnopqrstuvwxyz"), 1},
    {"another length differs", S("abc"), S("abcd"), 0},
    {"a difference in the last byte is seen", S("content-lengti"), S("content-length"), 0},
    {"a difference in the first word is seen", S("xontent-length"), S("content-length"), 0},
    {"a carriage return is not a hyphen", S("\r"), S("-"), 0},
    {"a carriage return is not a hyphen in a word", S("content\rlength"), S("content-length"), 0},
    {"a caret is not a tilde", S("^"), S("~"), 0},
    {"a caret is not a tilde in a word", S("abcdefg^"), S("abcdefg~"), 0},
    {"an at sign is not a backquote", S("@@@@@@@@@"), S("`````````"), 0},
    {"a bracket is not a brace", S("[[[[[[[[["), S("{{{{{{{{{"), 0},
    {"letters of Latin-1 do not fold", S("\xc4\xc4\xc4\xc4\xc4\xc4\xc4\xc4"),
     S("\xe4\xe4\xe4\xe4\xe4\xe4\xe4\xe4"), 0},
    {"a byte and the same with its top bit differ", S("A\xc1xxxxxxx"), S("Aaxxxxxxx"), 0},
    {"a NUL is a byte like any other", S("a\0b"), S("A\0B"), 1},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct guard_page left, right;

    guard_page_open(&left, row->a.len);
    guard_page_open(&right, row->b.len);
    const cmw_str a = guard_page_put(&left, row->a);
    const cmw_str b = guard_page_put(&right, row->b);
    assert_int_equal(cmw_str_equals_fold(a, b), row->equal);
    assert_int_equal(cmw_str_equals_fold(b, a), row->equal);
    guard_page_close(&right);
    guard_page_close(&left);
}

static char lower_by_definition(int byte)
{
    return (char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
}

static void each_byte_folds_with_its_own_letter_only(void **state)
{
    (void)state;
    for (int x = 0; x < 256; x++) {
        for (int y = 0; y < 256; y++) {
            const int equal = lower_by_definition(x) == lower_by_definition(y);
            char a[16], b[16];
            memset(a, x, sizeof a);
            memset(b, y, sizeof b);
            for (size_t len = 1; len <= sizeof a; len += 5)
                assert_int_equal(cmw_str_equals_fold(cmw_str_make(a, len), cmw_str_make(b, len)),
                                 equal);
        }
    }
}

static void a_byte_does_not_disturb_its_neighbours(void **state)
{
    (void)state;
    for (int x = 0; x < 256; x++) {
        for (int y = 0; y < 256; y++) {
            const char bytes[8] = {(char)x, (char)y, 'A', (char)x, (char)y, 'z', (char)y, (char)x};
            char lower[8];
            cmw__store8(lower, cmw__lower8(cmw__load8(bytes)));
            for (size_t i = 0; i < sizeof lower; i++)
                assert_int_equal(lower[i], lower_by_definition(bytes[i]));
        }
    }
}

static void zero_bytes_are_found_exactly(void **state)
{
    (void)state;
    for (int x = 0; x < 256; x++) {
        const char bytes[8] = {0, (char)x, 0, (char)x, (char)x, 1, (char)x, 0};
        char found[8];
        cmw__store8(found, cmw__zero_bytes(cmw__load8(bytes)));
        for (size_t i = 0; i < sizeof found; i++)
            assert_int_equal((unsigned char)found[i], bytes[i] == 0 ? 0x80 : 0);
    }
}

static void lower_copy_folds_every_length(void **state)
{
    const char text[] = "The-QUICK-Brown\xc4-FOX[@]";
    struct guard_page from, to;

    (void)state;
    guard_page_open(&from, sizeof text);
    guard_page_open(&to, sizeof text);
    for (size_t len = 0; len < sizeof text; len++) {
        char *copy = to.end - len;
        cmw__lower_copy(copy, guard_page_put(&from, cmw_str_make(text, len)));
        for (size_t i = 0; i < len; i++)
            assert_int_equal(copy[i], lower_by_definition((unsigned char)text[i]));
    }
    guard_page_close(&to);
    guard_page_close(&from);
}

static void secrets_are_equal_only_byte_for_byte(void **state)
{
    (void)state;
    assert_true(cmw_str_equals_secret(CMW_STR(""), CMW_STR("")));
    assert_true(cmw_str_equals_secret(CMW_STR("s3cret\0x"), CMW_STR("s3cret\0x")));
    assert_false(cmw_str_equals_secret(CMW_STR("s3cret\0x"), CMW_STR("s3cret\0y")));
    assert_false(cmw_str_equals_secret(CMW_STR("S3cret"), CMW_STR("s3cret")));
    assert_false(cmw_str_equals_secret(CMW_STR("s3cret"), CMW_STR("s3cre")));
    assert_false(cmw_str_equals_secret(CMW_STR("\x01"), CMW_STR("\x81")));
}

/* Of every length, a difference at each place, between guard pages. */
static void a_difference_of_secrets_is_seen_at_each_place(void **state)
{
    enum { CAP = 70 };
    struct guard_page left, right;
    char text[CAP];

    (void)state;
    guard_page_open(&left, CAP);
    guard_page_open(&right, CAP);
    memset(text, 's', sizeof text);
    for (size_t len = 0; len <= CAP; len++) {
        const cmw_str a = guard_page_put(&left, cmw_str_make(text, len));
        for (size_t place = 0; place < len; place++) {
            char *copy = right.end - len;
            memcpy(copy, text, len);
            assert_true(cmw_str_equals_secret(a, cmw_str_make(copy, len)));
            copy[place] ^= 1;
            assert_false(cmw_str_equals_secret(a, cmw_str_make(copy, len)));
        }
    }
    guard_page_close(&right);
    guard_page_close(&left);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(each_byte_folds_with_its_own_letter_only),
        cmocka_unit_test(a_byte_does_not_disturb_its_neighbours),
        cmocka_unit_test(zero_bytes_are_found_exactly),
        cmocka_unit_test(lower_copy_folds_every_length),
        cmocka_unit_test(secrets_are_equal_only_byte_for_byte),
        cmocka_unit_test(a_difference_of_secrets_is_seen_at_each_place),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("folding", tests, NULL, NULL) +
           cmocka_run_group_tests_name("str", others, NULL, NULL);
}
