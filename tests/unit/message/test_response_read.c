/* SPDX-License-Identifier: MIT */
#include "guard_page.h"
#include "response_model.h"

struct row {
    const char *name;
    int status;
    const char *body;
    int head_only;
    unsigned flags;
    const char *head;
    const char *sent; /* the body that is sent */
};

static const struct row rows[] = {
    {"fields alone", 200, "abc", 0, CMW_READ_FIELDS, "ETag: a\r\n", "abc"},
    {"whole head", 200, "abc", 0, CMW_READ_HEAD,
     "HTTP/1.1 200 OK\r\nETag: a\r\nContent-Length: 3\r\n\r\n", "abc"},
    {"status line alone", 404, "", 0, CMW_READ_STATUS_LINE, "HTTP/1.1 404 Not Found\r\nETag: a\r\n",
     ""},
    {"end alone", 200, "abc", 0, CMW_READ_END, "ETag: a\r\n\r\n", "abc"},
    {"length alone", 200, "abc", 0, CMW_READ_LENGTH, "ETag: a\r\nContent-Length: 3\r\n", "abc"},
    {"status line and end", 200, "abc", 0, CMW_READ_STATUS_LINE | CMW_READ_END,
     "HTTP/1.1 200 OK\r\nETag: a\r\n\r\n", "abc"},
    {"empty body has a length", 200, "", 0, CMW_READ_HEAD,
     "HTTP/1.1 200 OK\r\nETag: a\r\nContent-Length: 0\r\n\r\n", ""},
    {"space stays without a phrase", 299, "", 0, CMW_READ_STATUS_LINE,
     "HTTP/1.1 299 \r\nETag: a\r\n", ""},
    {"HEAD keeps the length", 200, "abc", 1, CMW_READ_HEAD,
     "HTTP/1.1 200 OK\r\nETag: a\r\nContent-Length: 3\r\n\r\n", ""},
    {"204 has no length and no body", 204, "abc", 0, CMW_READ_HEAD,
     "HTTP/1.1 204 No Content\r\nETag: a\r\n\r\n", ""},
    {"204 with a length alone", 204, "abc", 0, CMW_READ_LENGTH, "ETag: a\r\n", ""},
    {"304 has no length and no body", 304, "abc", 0, CMW_READ_HEAD,
     "HTTP/1.1 304 Not Modified\r\nETag: a\r\n\r\n", ""},
    {"103 has no length and no body", 103, "abc", 0, CMW_READ_HEAD,
     "HTTP/1.1 103 Early Hints\r\nETag: a\r\n\r\n", ""},
    {"205 has a length of 0 and no body", 205, "abc", 0, CMW_READ_HEAD,
     "HTTP/1.1 205 Reset Content\r\nETag: a\r\nContent-Length: 0\r\n\r\n", ""},
    {"longest status line", 511, "", 0, CMW_READ_HEAD,
     "HTTP/1.1 511 Network Authentication Required\r\nETag: a\r\nContent-Length: 0\r\n\r\n", ""},
};

static void make(struct fixture *fixture, const struct row *row)
{
    fixture_open(fixture, 4096);
    cmw_response *response = &fixture->response;
    assert_int_equal(cmw_response_bytes_ref(response, row->status, cmw_str_cstr(row->body)), 0);
    assert_int_equal(cmw_response_remove(response, CMW_HDR_CONTENT_TYPE), 0);
    assert_int_equal(cmw_response_set(response, CMW_HDR_ETAG, CMW_STR("a")), 0);
    if (row->head_only)
        response->flags |= CMW__RESPONSE_HEAD_ONLY;
    assert_cstr(cmw_response_body(response), row->body); /* before commit it is what was set */
    assert_int_equal(cmw__response_freeze(response), 0);
    assert_cstr(cmw_response_body(response), row->sent);
}

/* Exactly as much as is needed, and every amount less. */
static void check_bytes(const cmw_response *response, const struct row *row)
{
    const size_t need = strlen(row->head);
    struct guard_page page;
    size_t len;

    guard_page_open(&page, 256);
    for (size_t cap = 0; cap < need; cap++) {
        char *buffer = page.end - cap;
        len = 0;
        assert_int_equal(cmw_response_write_head(response, &len, buffer, cap, row->flags),
                         CMW_ERR_LIMIT);
        assert_int_equal(len, need);
    }
    assert_int_equal(cmw_response_write_head(response, &len, page.end - need, need, row->flags), 0);
    assert_cstr(cmw_str_make(page.end - need, len), row->head);
    guard_page_close(&page);
}

static void check_slices(const cmw_response *response, const struct row *row)
{
    const int needs_scratch = row->flags & (CMW_READ_STATUS_LINE | CMW_READ_LENGTH);
    char scratch[CMW_HEAD_SCRATCH], joined[512];
    size_t need = 0, count = 0, len = 0;
    cmw_str slices[8];

    assert_int_equal(cmw_response_head_slices(response, &need, slices, 8, scratch, row->flags), 0);
    for (size_t cap = 0; cap < need; cap++) {
        assert_int_equal(
            cmw_response_head_slices(response, &count, slices, cap, scratch, row->flags),
            CMW_ERR_LIMIT);
        assert_int_equal(count, need);
    }
    assert_int_equal(cmw_response_head_slices(response, &count, slices, need,
                                              needs_scratch ? scratch : NULL, row->flags),
                     0);
    for (size_t i = 0; i < count; i++) {
        memcpy(joined + len, slices[i].data, slices[i].len);
        len += slices[i].len;
    }
    assert_cstr(cmw_str_make(joined, len), row->head);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct fixture fixture;

    make(&fixture, row);
    check_bytes(&fixture.response, row);
    check_slices(&fixture.response, row);
    fixture_close(&fixture);
}

RUN_ROWS("response heads", rows, check_row)

static void no_buffer_is_needed_to_ask_for_the_length(void **state)
{
    struct fixture fixture;
    size_t len;
    (void)state;

    fixture_open(&fixture, 256);
    assert_int_equal(cmw_response_write_head(&fixture.response, &len, NULL, 0, 0), 0);
    assert_int_equal(len, 0);
    assert_int_equal(cmw_response_set(&fixture.response, CMW_HDR_ETAG, CMW_STR("a")), 0);
    assert_int_equal(cmw_response_write_head(&fixture.response, &len, NULL, 0, 0), CMW_ERR_LIMIT);
    assert_int_equal(len, 9);
    fixture_close(&fixture);
}

static void the_largest_length_fits_the_scratch(void **state)
{
    char scratch[CMW_HEAD_SCRATCH];
    struct fixture fixture;
    cmw_str slices[4];
    size_t count;
    (void)state;

    fixture_open(&fixture, 256);
    cmw_response *response = &fixture.response;
    response->status = 511;
    response->body = cmw_str_make("", SIZE_MAX);
    assert_int_equal(cmw_response_head_slices(response, &count, slices, 4, scratch, CMW_READ_HEAD),
                     0);
    assert_int_equal(count, 2);
    assert_true(slices[1].data + slices[1].len <= scratch + sizeof scratch);
    assert_cstr(slices[1], "Content-Length: 18446744073709551615\r\n\r\n");
    fixture_close(&fixture);
}

static int count_field(void *self, const char *name, const char *value)
{
    size_t *count = self;

    assert_string_equal(name, "Content-Type");
    *count = strlen(value);
    return 0;
}

/* Of a length about which a static line is copied to the stack no more. */
static void a_content_type_of_any_length_is_a_c_string(void **state)
{
    static char type[400];
    (void)state;

    memset(type, 'x', sizeof type);
    memcpy(type, "text/", 5);
    for (size_t len = 6; len <= sizeof type; len++) {
        struct fixture fixture;
        size_t count = 0;

        fixture_open(&fixture, 4096);
        cmw_response *response = &fixture.response;
        assert_int_equal(cmw_response_pass_body(response, 200, cmw_str_make(type, len), 1), 0);
        assert_int_equal(cmw_response_visit_cstr(response, NULL, &count), CMW_ERR_ARG);
        assert_int_equal(cmw_response_visit_cstr(response, count_field, &count), 0);
        assert_int_equal(count, len);
        fixture_close(&fixture);
    }
}

static void an_immutable_response_is_read_like_any_other(void **state)
{
    const cmw_header field = {CMW_STR_INIT("X-Frame-Options"), CMW_STR_INIT("DENY")};
    struct cmw__segment segments[2];
    struct cmw_header_block *block;
    struct fixture fixture;
    size_t bad;
    (void)state;

    fixture_open(&fixture, 256);
    cmw_response *response = &fixture.response;
    assert_int_equal(cmw__header_block_create(&block, fixture.pool, &field, 1, 0, &bad), 0);
    cmw__response_init(response, NULL, segments, 2);
    assert_int_equal(cmw__response_add_block(response, block), 0);
    cmw__response_plain(response, 503);
    assert_int_equal(cmw__response_freeze(response), 0);
    expect_fields(response, "X-Frame-Options: DENY\r\n"
                            "Content-Type: text/plain; charset=utf-8\r\n");
    assert_int_equal(cmw_response_set(response, CMW_HDR_ETAG, CMW_STR("a")), CMW_ERR_STATE);
    /* Others may read it, too: nothing of it is written to. */
    assert_int_equal(cmw_response_visit_cstr(response, count_field, NULL), CMW_ERR_STATE);
    cmw__header_block_destroy(block, fixture.pool);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_buffer_is_needed_to_ask_for_the_length),
        cmocka_unit_test(the_largest_length_fits_the_scratch),
        cmocka_unit_test(a_content_type_of_any_length_is_a_c_string),
        cmocka_unit_test(an_immutable_response_is_read_like_any_other),
    };
    return run_check_row() + cmocka_run_group_tests_name("response reading", tests, NULL, NULL);
}
