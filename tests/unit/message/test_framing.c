/* SPDX-License-Identifier: MIT */
#include <catzilla/request.h>

#include "test.h"

struct field {
    const char *name;
    const char *value;
};

struct row {
    const char *name;
    struct field fields[2];
    int rc;
    uint64_t length;
};

static const struct row rows[] = {
    {"without either field there is no body", {{"Host", "a"}}, 0, 0},
    {"a length is taken", {{"Content-Length", "17"}}, 0, 17},
    {"a name is found in any case", {{"content-LENGTH", "17"}}, 0, 17},
    {"zero is a length", {{"Content-Length", "0"}}, 0, 0},
    {"leading zeros do not change it", {{"Content-Length", "0017"}}, 0, 17},
    {"the largest length", {{"Content-Length", "18446744073709551614"}}, 0, UINT64_MAX - 1},
    {"a length that means unknown is refused",
     {{"Content-Length", "18446744073709551615"}},
     CMW_ERR_INVALID,
     0},
    {"a length beyond 64 bits is refused",
     {{"Content-Length", "18446744073709551616"}},
     CMW_ERR_INVALID,
     0},
    {"an empty length is refused", {{"Content-Length", ""}}, CMW_ERR_INVALID, 0},
    {"a sign is refused", {{"Content-Length", "+1"}}, CMW_ERR_INVALID, 0},
    {"a blank is refused", {{"Content-Length", "1 "}}, CMW_ERR_INVALID, 0},
    {"a list is refused", {{"Content-Length", "1, 1"}}, CMW_ERR_INVALID, 0},
    {"hexadecimal is refused", {{"Content-Length", "0x1"}}, CMW_ERR_INVALID, 0},
    {"two lengths are refused, even equal ones",
     {{"Content-Length", "1"}, {"Content-Length", "1"}},
     CMW_ERR_INVALID,
     0},
    {"chunked has no length", {{"Transfer-Encoding", "Chunked"}}, 0, CMW_LENGTH_UNKNOWN},
    {"another coding is refused", {{"Transfer-Encoding", "gzip"}}, CMW_ERR_INVALID, 0},
    {"a list of codings is refused", {{"Transfer-Encoding", "gzip, chunked"}}, CMW_ERR_INVALID, 0},
    {"coding and length are refused",
     {{"Transfer-Encoding", "chunked"}, {"Content-Length", "1"}},
     CMW_ERR_INVALID,
     0},
    {"a blank behind the coding is refused, which libmicrohttpd does not read as chunked",
     {{"Transfer-Encoding", "chunked "}},
     CMW_ERR_INVALID,
     0},
    {"so is a tab", {{"Transfer-Encoding", "chunked\t"}}, CMW_ERR_INVALID, 0},
    {"a name with a blank behind it is refused",
     {{"Host", "a"}, {"Content-Length ", "3"}},
     CMW_ERR_INVALID,
     0},
    {"a name with a tab in it is refused", {{"Transfer\tEncoding", "a"}}, CMW_ERR_INVALID, 0},
    {"a folded length is refused, which libmicrohttpd reads so",
     {{"content-length3", ""}},
     CMW_ERR_INVALID,
     0},
    {"so is a folded coding", {{"Transfer-Encodingchunked", ""}}, CMW_ERR_INVALID, 0},
    {"a name that ends like one is another", {{"X-Content-Length", "a"}}, 0, 0},
    {"an empty name is refused", {{"", "a"}}, CMW_ERR_INVALID, 0},
    {"a value with a CR is refused, whatever the field",
     {{"X", "a\rTransfer-Encoding: chunked"}},
     CMW_ERR_INVALID,
     0},
    {"a value with blanks at its ends is none of our business", {{"X", " a\t"}}, 0, 0},
};

static void no_coding_is_taken_but_in_http_1_1(void **state)
{
    const cmw_header coding = {CMW_STR_INIT("Transfer-Encoding"), CMW_STR_INIT("chunked")};
    const cmw_header declared = {CMW_STR_INIT("Content-Length"), CMW_STR_INIT("17")};
    static const uint16_t others[] = {0x0100, 0};

    (void)state;
    for (size_t i = 0; i < LEN(others); i++) {
        cmw_request_view view;
        cmw_request_view_init(&view);
        view.http_version = others[i];
        view.header_count = 1;
        view.content_length = 12345;
        view.headers = &coding;
        assert_int_equal(cmw_request_view_read_length(&view), CMW_ERR_INVALID);
        assert_int_equal(view.content_length, 12345);
        view.headers = &declared;
        assert_int_equal(cmw_request_view_read_length(&view), 0);
        assert_int_equal(view.content_length, 17);
    }
}

static int is_refused(const cmw_header *fields, uint32_t count)
{
    cmw_request_view view;

    cmw_request_view_init(&view);
    view.headers = fields;
    view.header_count = count;
    view.http_version = 0x0101;
    return cmw_request_view_read_length(&view) != 0;
}

/* Lengths around the blocks that are looked at as one; usual fields before and behind. */
static void every_byte_is_looked_at_wherever_it_stands(void **state)
{
    static char name[40], value[40];
    cmw_header fields[] = {{CMW_STR_INIT("Host"), CMW_STR_INIT("www.example.com")},
                           {CMW_STR_INIT(""), CMW_STR_INIT("")},
                           {CMW_STR_INIT("Accept"), CMW_STR_INIT("*/*")}};

    (void)state;
    for (size_t len = 1; len <= sizeof name; len++) {
        for (size_t at = 0; at < len; at++) {
            memset(name, 'x', sizeof name);
            memset(value, 'x', sizeof value);
            for (int byte = 0; byte < 256; byte++) {
                value[at] = 'x';
                name[at] = (char)byte;
                fields[1] = (cmw_header){cmw_str_make(name, len), cmw_str_make(value, len)};
                assert_int_equal(is_refused(fields, LEN(fields)),
                                 !cmw_header_name_is_valid(fields[1].name));
                name[at] = 'x';
                value[at] = (char)byte;
                assert_int_equal(is_refused(fields, LEN(fields)),
                                 !cmw_header_value_is_valid(fields[1].value));
            }
        }
    }
}

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_header headers[LEN(row->fields)];
    size_t count = 0;

    for (size_t i = 0; i < LEN(row->fields) && row->fields[i].name; i++) {
        headers[count].name = cmw_str_cstr(row->fields[i].name);
        headers[count++].value = cmw_str_cstr(row->fields[i].value);
    }
    cmw_request_view view;
    cmw_request_view_init(&view);
    view.headers = headers;
    view.header_count = (uint32_t)count;
    view.http_version = 0x0101;
    view.content_length = 12345;
    assert_int_equal(cmw_request_view_read_length(&view), row->rc);
    assert_int_equal(view.content_length, row->rc ? 12345 : row->length);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows) + 2];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    tests[LEN(rows)] = (struct CMUnitTest)cmocka_unit_test(no_coding_is_taken_but_in_http_1_1);
    tests[LEN(rows) + 1] =
        (struct CMUnitTest)cmocka_unit_test(every_byte_is_looked_at_wherever_it_stands);
    return cmocka_run_group_tests_name("framing", tests, NULL, NULL);
}
