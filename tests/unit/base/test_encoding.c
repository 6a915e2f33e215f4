/* SPDX-License-Identifier: MIT */
/* Base64, hexadecimal, percent-encoding, quoted strings: what is read, what is refused. */
#include <catzilla/encoding.h>

#include "guard_page.h"
#include "test.h"

enum { BASE64, BASE64_URL, BASE64_BARE, BASE64_URL_BARE, HEX, PERCENT, FORM, QUOTED };

#define S(literal) CMW_STR_INIT(literal)

static int decode(int kind, size_t *len, char *to, size_t cap, cmw_str text)
{
    switch (kind) {
    case HEX:
        return cmw_hex_decode(len, to, cap, text);
    case PERCENT:
        return cmw_percent_decode(len, to, cap, text, CMW_PERCENT_URI);
    case FORM:
        return cmw_percent_decode(len, to, cap, text, CMW_PERCENT_FORM);
    default:
        return cmw_base64_decode(len, to, cap, text, (unsigned)kind);
    }
}

static int encode(int kind, size_t *len, char *to, size_t cap, cmw_str bytes)
{
    switch (kind) {
    case HEX:
        return cmw_hex_encode(len, to, cap, bytes);
    case QUOTED:
        return cmw_quoted_encode(len, to, cap, bytes);
    default:
        return cmw_base64_encode(len, to, cap, bytes, (unsigned)kind);
    }
}

/* ---- Reading ---------------------------------------------------------------------------- */

struct row {
    const char *name;
    int kind;
    cmw_str text;
    cmw_str bytes; /* no data: refused */
};

#define REFUSED                                                                                    \
    {                                                                                              \
        NULL, 0                                                                                    \
    }

static const struct row decode_rows[] = {
    {"base64 of nothing is nothing", BASE64, S(""), S("")},
    {"one byte has two pads", BASE64, S("Zg=="), S("f")},
    {"two bytes have one pad", BASE64, S("Zm8="), S("fo")},
    {"three bytes have none", BASE64, S("Zm9v"), S("foo")},
    {"six bytes are two groups", BASE64, S("Zm9vYmFy"), S("foobar")},
    {"the standard alphabet has + and /", BASE64, S("+/+/"), S("\xfb\xff\xbf")},
    {"a NUL is a byte", BASE64, S("AAAA"), S("\0\0\0")},
    {"the URL alphabet has - and _", BASE64_URL, S("-_-_"), S("\xfb\xff\xbf")},
    {"the URL alphabet may be padded", BASE64_URL, S("_w=="), S("\xff")},
    {"a bare text has no pad", BASE64_URL_BARE, S("_w"), S("\xff")},
    {"a bare text of three digits", BASE64_BARE, S("Zm8"), S("fo")},
    {"a missing pad is refused", BASE64, S("Zg="), REFUSED},
    {"missing pads are refused", BASE64, S("Zg"), REFUSED},
    {"a third pad is refused", BASE64, S("Z==="), REFUSED},
    {"four pads are refused", BASE64, S("===="), REFUSED},
    {"a pad alone is refused", BASE64, S("="), REFUSED},
    {"a group of pads too many is refused", BASE64, S("Zg======"), REFUSED},
    {"a pad before the end is refused", BASE64, S("Zg==Zg=="), REFUSED},
    {"a pad inside a group is refused", BASE64, S("Z=g="), REFUSED},
    {"stray bits under two pads are refused", BASE64, S("Zh=="), REFUSED},
    {"stray bits under one pad are refused", BASE64, S("Zm9="), REFUSED},
    {"one digit alone is refused", BASE64_BARE, S("Z"), REFUSED},
    {"one digit more is refused", BASE64_BARE, S("Zm9vY"), REFUSED},
    {"a pad in a bare text is refused", BASE64_BARE, S("Zg=="), REFUSED},
    {"stray bits in a bare text are refused", BASE64_BARE, S("Zh"), REFUSED},
    {"digits of the URL alphabet are refused", BASE64, S("-_-_"), REFUSED},
    {"digits of the standard alphabet are refused", BASE64_URL, S("+/+/"), REFUSED},
    {"a blank is refused", BASE64, S("Zm9 "), REFUSED},
    {"a line end is refused", BASE64, S("Zm9v\n"), REFUSED},
    {"a line end after a group is refused", BASE64, S("Zm9v\r\nYg"), REFUSED},
    {"a NUL is no digit", BASE64, S("Zm9\0"), REFUSED},
    {"a byte above ASCII is no digit", BASE64, S("Zm9\xc3"), REFUSED},
    {"what stands beside the alphabet is no digit", BASE64, S("@[`{"), REFUSED},

    {"hexadecimal of nothing is nothing", HEX, S(""), S("")},
    {"digits in both cases", HEX, S("00fFaA9c"), S("\x00\xff\xaa\x9c")},
    {"an odd digit is refused", HEX, S("abc"), REFUSED},
    {"a letter past f is refused", HEX, S("0g"), REFUSED},
    {"a byte that only looks like a letter is refused", HEX, S("0\x01"), REFUSED},
    {"a prefix is refused", HEX, S("0x00"), REFUSED},

    {"nothing to decode", PERCENT, S(""), S("")},
    {"plain text is itself", PERCENT, S("a b+c"), S("a b+c")},
    {"an escape is a byte", PERCENT, S("%41%e2%9C%93"), S("A\xe2\x9c\x93")},
    {"an escaped percent is not read twice", PERCENT, S("%2541"), S("%41")},
    {"an escaped NUL is a byte", PERCENT, S("a%00b"), S("a\0b")},
    {"a plus in a form is a blank", FORM, S("a+b%2B"), S("a b+")},
    {"a percent at the end is refused", PERCENT, S("a%"), REFUSED},
    {"half an escape is refused", PERCENT, S("a%4"), REFUSED},
    {"an escape without digits is refused", PERCENT, S("%zz"), REFUSED},
    {"a sign is no digit", PERCENT, S("%+4"), REFUSED},
};

/* The text between guard pages, the result in room that ends at one. */
static void check_decode(void **state)
{
    const struct row *row = *state;
    struct guard_page from, to;
    size_t len = 77;

    guard_page_open(&from, row->text.len);
    guard_page_open(&to, row->bytes.len);
    const cmw_str text = guard_page_put(&from, row->text);
    char *room = to.end - row->bytes.len;
    if (!row->bytes.data) {
        char spare[64];
        assert_int_equal(decode(row->kind, &len, spare, sizeof spare, text), CMW_ERR_INVALID);
        assert_int_equal(len, 77);
    } else {
        assert_int_equal(decode(row->kind, &len, room, row->bytes.len, text), 0);
        assert_int_equal(len, row->bytes.len);
        assert_memory_equal(room, row->bytes.data, len);
        if (len > 0) {
            assert_int_equal(decode(row->kind, &len, room, row->bytes.len - 1, text),
                             CMW_ERR_LIMIT);
            assert_int_equal(len, row->bytes.len);
        }
    }
    guard_page_close(&to);
    guard_page_close(&from);
}

/* ---- Writing ---------------------------------------------------------------------------- */

static const struct row encode_rows[] = {
    {"nothing as base64", BASE64, S(""), S("")},
    {"one byte as base64", BASE64, S("Zg=="), S("f")},
    {"two bytes as base64", BASE64, S("Zm8="), S("fo")},
    {"three bytes as base64", BASE64, S("Zm9v"), S("foo")},
    {"four bytes without pads", BASE64_BARE, S("Zm9vYg"), S("foob")},
    {"the last digits of the standard alphabet", BASE64, S("+/+/"), S("\xfb\xff\xbf")},
    {"the last digits of the URL alphabet", BASE64_URL, S("-_-_"), S("\xfb\xff\xbf")},
    {"the URL alphabet without pads", BASE64_URL_BARE, S("_w"), S("\xff")},
    {"bytes as hexadecimal", HEX, S("00ff1a"), S("\x00\xff\x1a")},
    {"nothing in quotes", QUOTED, S("\"\""), S("")},
    {"a text in quotes", QUOTED, S("\"a b\""), S("a b")},
    {"a quote and a backslash are escaped", QUOTED, S("\"a\\\"b\\\\\""), S("a\"b\\")},
    {"a tab and bytes above ASCII stay", QUOTED, S("\"\t\xc3\xa9\""), S("\t\xc3\xa9")},
    {"a line end cannot be quoted", QUOTED, REFUSED, S("a\nb")},
    {"a NUL cannot be quoted", QUOTED, REFUSED, S("a\0b")},
    {"a DEL cannot be quoted", QUOTED, REFUSED, S("\x7f")},
};

static void check_encode(void **state)
{
    const struct row *row = *state;
    struct guard_page from, to;
    size_t len = 77;

    guard_page_open(&from, row->bytes.len);
    guard_page_open(&to, row->text.len);
    const cmw_str bytes = guard_page_put(&from, row->bytes);
    char *room = to.end - row->text.len;
    if (!row->text.data) {
        assert_int_equal(encode(row->kind, &len, room, 0, bytes), CMW_ERR_INVALID);
        assert_int_equal(len, 77);
    } else {
        assert_int_equal(encode(row->kind, &len, room, row->text.len, bytes), 0);
        assert_int_equal(len, row->text.len);
        assert_memory_equal(room, row->text.data, len);
        if (len > 0) {
            assert_int_equal(encode(row->kind, &len, NULL, 0, bytes), CMW_ERR_LIMIT);
            assert_int_equal(len, row->text.len);
        }
    }
    guard_page_close(&to);
    guard_page_close(&from);
}

/* ---- Properties ------------------------------------------------------------------------- */

static void what_was_written_is_read_back(void **state)
{
    static const int kinds[] = {BASE64, BASE64_URL, BASE64_BARE, BASE64_URL_BARE, HEX};
    char bytes[256], text[512], back[256];
    size_t text_len, back_len;

    (void)state;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 167 + 13);
    for (size_t k = 0; k < LEN(kinds); k++) {
        for (size_t len = 0; len <= sizeof bytes; len++) {
            assert_int_equal(
                encode(kinds[k], &text_len, text, sizeof text, cmw_str_make(bytes, len)), 0);
            assert_int_equal(
                decode(kinds[k], &back_len, back, sizeof back, cmw_str_make(text, text_len)), 0);
            assert_int_equal(back_len, len);
            assert_memory_equal(back, bytes, len);
        }
    }
}

/* All texts of two digits and two pads: 256 of them mean a byte, each another one. */
static void each_byte_has_one_text(void **state)
{
    int seen[256] = {0};
    size_t len;
    char byte;

    (void)state;
    for (int a = 0; a < 256; a++) {
        for (int b = 0; b < 256; b++) {
            const char text[4] = {(char)a, (char)b, '=', '='};
            if (cmw_base64_decode(&len, &byte, 1, cmw_str_make(text, 4), 0) == 0)
                seen[(unsigned char)byte]++;
        }
    }
    for (int i = 0; i < 256; i++)
        assert_int_equal(seen[i], 1);
}

/* ---- Queries ---------------------------------------------------------------------------- */

struct query_row {
    const char *name;
    cmw_str query;
    size_t count;
    cmw_str value;
};

static const struct query_row query_rows[] = {
    {"an empty query has nothing", S(""), 0, S("")},
    {"a value", S("key=1"), 1, S("1")},
    {"a value in the middle", S("a=b&key=1&c=d"), 1, S("1")},
    {"a value at the end", S("a=b&key=1"), 1, S("1")},
    {"the first of two", S("key=1&key=2"), 2, S("1")},
    {"a value with an equals sign", S("key=a=b"), 1, S("a=b")},
    {"a value as it stands there", S("key=%41+"), 1, S("%41+")},
    {"an empty value", S("key="), 1, S("")},
    {"a name without a value", S("key&a"), 1, S("")},
    {"a longer name is another", S("keys=1&xkey=2"), 0, S("")},
    {"a name in another case is another", S("KEY=1"), 0, S("")},
    {"an encoded name is another", S("%6bey=1"), 0, S("")},
    {"a name inside a value is none", S("a=key=1"), 0, S("")},
    {"a semicolon separates nothing", S("a=1;key=2"), 0, S("")},
    {"ampersands alone", S("&&&"), 0, S("")},
};

static void check_query(void **state)
{
    const struct query_row *row = *state;
    struct guard_page page;
    cmw_str value = CMW_STR("unchanged");

    guard_page_open(&page, row->query.len);
    const cmw_str query = guard_page_put(&page, row->query);
    assert_int_equal(cmw_query_find(&value, query, CMW_STR("key")), row->count);
    if (row->count > 0)
        assert_true(cmw_str_equals(value, row->value));
    else
        assert_string_equal(value.data, "unchanged");
    guard_page_close(&page);
}

#define FILL(tests, rows, check)                                                                   \
    for (size_t i = 0; i < LEN(rows); i++)                                                         \
        (tests)[i] = (struct CMUnitTest)                                                           \
        {                                                                                          \
            .name = (rows)[i].name, .test_func = (check),                                          \
            .initial_state = (void *)(uintptr_t) & (rows)[i]                                       \
        }

int main(void)
{
    struct CMUnitTest decoding[LEN(decode_rows)], encoding[LEN(encode_rows)];
    struct CMUnitTest queries[LEN(query_rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(what_was_written_is_read_back),
        cmocka_unit_test(each_byte_has_one_text),
    };

    FILL(decoding, decode_rows, check_decode);
    FILL(encoding, encode_rows, check_encode);
    FILL(queries, query_rows, check_query);
    return cmocka_run_group_tests_name("encoding: reading", decoding, NULL, NULL) |
           cmocka_run_group_tests_name("encoding: writing", encoding, NULL, NULL) |
           cmocka_run_group_tests_name("encoding: queries", queries, NULL, NULL) |
           cmocka_run_group_tests_name("encoding: properties", others, NULL, NULL);
}
