/* SPDX-License-Identifier: MIT */
#include "header_table.h"

#include "guard_page.h"
#include "simd.h"
#include "test.h"

struct row {
    const char *name;
    cmw_header_id id;
};

#define ROW(constant, number, name) {name, CMW_HDR_##constant},

static const struct row rows[] = {CMW_HEADER_LIST(ROW)};

/* Which letters of a spelling become upper case. */
static int never(size_t i)
{
    (void)i;
    return 0;
}
static int always(size_t i)
{
    (void)i;
    return 1;
}
static int at_even(size_t i)
{
    return i % 2 == 0;
}

static int is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static cmw_str spell(struct guard_page *page, const char *name, int (*is_upper)(size_t))
{
    char copy[CMW__HEADER_NAME_MAX];
    const size_t len = strlen(name);

    for (size_t i = 0; i < len; i++) {
        const int other_case = is_upper(i) ? name[i] & ~0x20 : name[i] | 0x20;
        copy[i] = (char)(is_letter(name[i]) ? other_case : name[i]);
    }
    return guard_page_put(page, cmw_str_make(copy, len));
}

static void every_name_is_found_in_any_case(void **state)
{
    int (*const cases[])(size_t) = {never, always, at_even};
    struct guard_page page;

    (void)state;
    guard_page_open(&page, CMW__HEADER_NAME_MAX);
    for (size_t i = 0; i < LEN(rows); i++) {
        assert_int_equal(cmw_header_id_find(cmw_str_cstr(rows[i].name)), rows[i].id);
        for (size_t j = 0; j < LEN(cases); j++)
            assert_int_equal(cmw_header_id_find(spell(&page, rows[i].name, cases[j])), rows[i].id);
    }
    guard_page_close(&page);
}

/* All 255 other bytes in all places: only the other case of a letter is still the name. */
static void a_name_with_one_byte_changed_is_not_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        const size_t len = strlen(rows[i].name);
        char copy[CMW__HEADER_NAME_MAX];
        memcpy(copy, rows[i].name, len);
        for (size_t at = 0; at < len; at++) {
            for (int byte = 0; byte < 256; byte++) {
                copy[at] = (char)byte;
                const cmw_header_id found = cmw_header_id_find(cmw_str_make(copy, len));
                const int same =
                    cmw_str_equals_fold(cmw_str_make(copy, len), cmw_str_cstr(rows[i].name));
                if (same)
                    assert_int_equal(found, rows[i].id);
                else /* may be another known one: "Age" */
                    assert_int_not_equal(found, rows[i].id);
            }
            copy[at] = rows[i].name[at];
        }
    }
}

static void a_name_cut_or_extended_is_not_found(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        const size_t len = strlen(rows[i].name);
        char longer[CMW__HEADER_NAME_MAX + 1] = {0};
        memcpy(longer, rows[i].name, len);
        longer[len] = 's';
        assert_int_not_equal(cmw_header_id_find(cmw_str_make(longer, len - 1)), rows[i].id);
        assert_int_not_equal(cmw_header_id_find(cmw_str_make(longer, len + 1)), rows[i].id);
    }
}

static void empty_and_huge_names_are_not_found(void **state)
{
    char huge[1000];

    (void)state;
    memset(huge, 'x', sizeof huge);
    assert_int_equal(cmw_header_id_find(cmw_str_make(NULL, 0)), CMW_HDR_OTHER);
    for (size_t len = 0; len <= sizeof huge; len++)
        assert_int_equal(cmw_header_id_find(cmw_str_make(huge, len)), CMW_HDR_OTHER);
}

static void the_table_holds_every_spelling(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        const struct cmw__header_entry *entry = &cmw__header_id_table[rows[i].id];
        const cmw_str name = cmw_str_cstr(rows[i].name);
        assert_true(cmw_str_equals(entry->name, name));
        assert_true(cmw_str_equals(cmw_header_id_name(rows[i].id), name));
        assert_true(cmw_str_equals_fold(entry->lower, name));
        for (size_t j = 0; j < name.len; j++)
            assert_int_equal(entry->lower.data[j], cmw__lower(name.data[j]));
        const struct cmw__header_prefix *prefix = &cmw__header_prefixes[rows[i].id];
        assert_int_equal(prefix->len, name.len + 2);
        assert_memory_equal(prefix->text, name.data, name.len);
        assert_string_equal(prefix->text + name.len, ": ");
        assert_true(cmw_header_name_is_valid(name));
    }
}

static void unknown_ids_have_an_empty_name(void **state)
{
    static const int others[] = {CMW_HDR_OTHER, LEN(rows) + 1,     CMW_HDR_LIMIT - 1,
                                 CMW_HDR_LIMIT, CMW_HDR_LIMIT + 1, INT32_MAX};

    (void)state;
    for (size_t i = 0; i < LEN(others); i++) {
        const cmw_str name = cmw_header_id_name((cmw_header_id)others[i]);
        assert_non_null(name.data);
        assert_int_equal(name.len, 0);
    }
}

/* Source: RFC 9110, 5.6.2. */
static void a_name_is_made_of_token_characters(void **state)
{
    static const char others[] = "!#$%&'*+-.^_`|~0123456789";

    (void)state;
    assert_false(cmw_header_name_is_valid(cmw_str_make(NULL, 0)));
    assert_true(cmw_header_name_is_valid(CMW_STR("X-Request-ID")));
    assert_false(cmw_header_name_is_valid(CMW_STR("X-Request-ID ")));
    for (int byte = 0; byte < 256; byte++) {
        const char name[] = {'x', (char)byte, 'y'};
        const int allowed = is_letter((char)byte) || (byte && strchr(others, byte));
        assert_int_equal(cmw_header_name_is_valid(cmw_str_make(name, sizeof name)), allowed);
    }
}

/* Source: RFC 9110, 5.5. */
static int value_allows(int byte)
{
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
}

#define VALUE_MAX 50

/* Every byte in every place of a value that has none that is forbidden yet. */
static void check_all_bytes(char *bytes, size_t len)
{
    const cmw_str value = cmw_str_make(bytes, len);

    assert_true(cmw_header_value_is_valid(value));
    for (size_t at = 0; at < len; at++) {
        const char before = bytes[at];
        for (int byte = 0; byte < 256; byte++) {
            bytes[at] = (char)byte;
            assert_int_equal(cmw_header_value_is_valid(value), value_allows(byte));
        }
        bytes[at] = before;
    }
}

/* In a buffer that ends, and in one that begins, at a page that may not be read. */
static void a_forbidden_byte_is_found_wherever_it_is(void **state)
{
    struct guard_page page;

    (void)state;
    guard_page_open(&page, VALUE_MAX);
    memset(page.start, '~', (size_t)(page.end - page.start));
    for (size_t len = 0; len <= VALUE_MAX; len++) {
        check_all_bytes(page.start, len);
        check_all_bytes(page.end - len, len);
    }
    guard_page_close(&page);
}

/* A carry from a byte must not hide or invent a forbidden one beside it. */
static void neighbours_do_not_disturb_the_verdict(void **state)
{
    (void)state;
    for (int x = 0; x < 256; x++) {
        for (int y = 0; y < 256; y++) {
            char value[16];
            for (size_t i = 0; i < sizeof value; i += 2) {
                value[i] = (char)x;
                value[i + 1] = (char)y;
            }
            const int valid = value_allows(x) && value_allows(y);
            assert_int_equal(cmw__has_control8(value), !valid);
            assert_int_equal(cmw__has_control16(value), !valid);
        }
    }
}

static void a_value_without_bytes_is_valid(void **state)
{
    (void)state;
    assert_true(cmw_header_value_is_valid(cmw_str_make(NULL, 0)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_name_is_found_in_any_case),
        cmocka_unit_test(a_name_with_one_byte_changed_is_not_found),
        cmocka_unit_test(a_name_cut_or_extended_is_not_found),
        cmocka_unit_test(empty_and_huge_names_are_not_found),
        cmocka_unit_test(the_table_holds_every_spelling),
        cmocka_unit_test(unknown_ids_have_an_empty_name),
        cmocka_unit_test(a_name_is_made_of_token_characters),
        cmocka_unit_test(a_forbidden_byte_is_found_wherever_it_is),
        cmocka_unit_test(neighbours_do_not_disturb_the_verdict),
        cmocka_unit_test(a_value_without_bytes_is_valid),
    };
    return cmocka_run_group_tests_name("header_id", tests, NULL, NULL);
}
