/* SPDX-License-Identifier: MIT */
#include <catzilla/request.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define LEN(array) (sizeof(array) / sizeof *(array))

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
};

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
    view.content_length = 12345;
    assert_int_equal(cmw_request_view_read_length(&view), row->rc);
    assert_int_equal(view.content_length, row->rc ? 12345 : row->length);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = check_row,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    return cmocka_run_group_tests_name("framing", tests, NULL, NULL);
}
