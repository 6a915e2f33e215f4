/* SPDX-License-Identifier: MIT */
#include "response_model.h"

#define TYPE(type) "Content-Type: " type "\r\n"

/* ---- Content types ---------------------------------------------------------------------- */

/* One letter for each call: t text, h html, b bytes, r bytes_ref, j json_text, p problem, e empty,
 * d redirect, S set by hand, A append by hand, X remove by hand. */
static int call(cmw_response *response, char letter)
{
    const cmw_str body = CMW_STR_INIT("body");

    switch (letter) {
    case 't':
        return cmw_response_text(response, 200, body);
    case 'h':
        return cmw_response_html(response, 200, body);
    case 'b':
        return cmw_response_bytes(response, 200, body);
    case 'r':
        return cmw_response_bytes_ref(response, 200, body);
    case 'j':
        return cmw_response_json_text(response, 200, body);
    case 'p':
        return cmw_response_problem(response, 404, body);
    case 'e':
        return cmw_response_empty(response, 204);
    case 'd':
        return cmw_response_redirect(response, 302, CMW_STR("/x"));
    case 'S':
        return cmw_response_set(response, CMW_HDR_CONTENT_TYPE, CMW_STR("by/hand"));
    case 'A':
        return cmw_response_append(response, CMW_HDR_CONTENT_TYPE, CMW_STR("by/hand"));
    case 'X':
        return cmw_response_remove(response, CMW_HDR_CONTENT_TYPE);
    default:
        return -1;
    }
}

struct type_row {
    const char *name;
    const char *calls;
    const char *fields;
};

static const struct type_row type_rows[] = {
    {"text", "t", TYPE("text/plain; charset=utf-8")},
    {"HTML", "h", TYPE("text/html; charset=utf-8")},
    {"bytes", "b", TYPE("application/octet-stream")},
    {"borrowed bytes", "r", TYPE("application/octet-stream")},
    {"JSON", "j", TYPE("application/json")},
    {"problem", "p", TYPE("application/problem+json")},
    {"empty has no type", "e", ""},
    {"redirect has no type", "d", "Location: /x\r\n"},
    {"the type follows the last body", "thj", TYPE("application/json")},
    {"a type set before the body wins", "Sj", TYPE("by/hand")},
    {"a type set behind the body wins", "jS", TYPE("by/hand")},
    {"a type appended behind the body wins", "jA", TYPE("by/hand")},
    {"a type set between two bodies wins", "tSh", TYPE("by/hand")},
    {"an inferred type goes with its body", "te", ""},
    {"a type set by hand stays on an empty response", "Se", TYPE("by/hand")},
    {"an inferred type can be removed", "tX", ""},
    {"after it was removed by hand the next body has its own", "tSXh",
     TYPE("text/html; charset=utf-8")},
    {"a redirect drops the inferred type", "td", "Location: /x\r\n"},
};

static void check_type(void **state)
{
    const struct type_row *row = *state;
    struct fixture fixture;

    fixture_open(&fixture, 4096);
    for (const char *at = row->calls; *at; at++)
        assert_int_equal(call(&fixture.response, *at), 0);
    expect_fields(&fixture.response, row->fields);
    fixture_close(&fixture);
}

RUN_ROWS("content types", type_rows, check_type)

static void a_type_in_a_block_is_set_by_hand(void **state)
{
    const cmw_header field = {CMW_STR_INIT("content-type"), CMW_STR_INIT("by/block")};
    struct cmw_header_block *block;
    struct fixture fixture;
    size_t bad;
    (void)state;

    fixture_open(&fixture, 4096);
    cmw_response *response = &fixture.response;
    assert_int_equal(cmw__header_block_create(&block, fixture.pool, &field, 1, 0, &bad), 0);
    assert_int_equal(cmw_response_text(response, 200, CMW_STR("a")), 0);
    assert_int_equal(cmw__response_add_block(response, block), 0);
    assert_int_equal(cmw_response_html(response, 200, CMW_STR("b")), 0);
    expect_fields(response, TYPE("by/block"));
    cmw__header_block_destroy(block, fixture.pool);
    fixture_close(&fixture);
}

/* ---- Bodies ----------------------------------------------------------------------------- */

static void bodies_are_copied_or_borrowed(void **state)
{
    char bytes[] = "abc";
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 4096);
    cmw_response *response = &fixture.response;
    assert_int_equal(cmw_response_text(response, 201, cmw_str_cstr(bytes)), 0);
    bytes[0] = 'x';
    assert_cstr(cmw_response_body(response), "abc");
    assert_int_equal(cmw_response_status(response), 201);
    assert_int_equal(cmw_response_bytes_ref(response, 202, cmw_str_cstr(bytes)), 0);
    assert_ptr_equal(cmw_response_body(response).data, bytes);
    assert_int_equal(cmw_response_empty(response, 204), 0);
    assert_cstr(cmw_response_body(response), "");
    assert_int_equal(cmw_response_bytes(response, 200, CMW_STR("a\0b")), 0);
    assert_str(cmw_response_body(response), CMW_STR("a\0b"));
    fixture_close(&fixture);
}

/* Whatever was there before: only the block's fields and the body stay of what describes one. */
static void what_was_kept_is_answered_as_it_was(void **state)
{
    static const char *const before[] = {"", "t", "j", "S", "e", "d"};
    const cmw_header fields[] = {{CMW_STR_INIT("Content-Type"), CMW_STR_INIT("a/b")},
                                 {CMW_STR_INIT("ETag"), CMW_STR_INIT("\"x\"")}};
    size_t bad;

    (void)state;
    for (size_t i = 0; i < LEN(before); i++)
        for (size_t count = 1; count <= 2; count++) {
            struct fixture fixture;
            struct cmw_header_block *block = NULL;
            fixture_open(&fixture, 4096);
            assert_int_equal(
                cmw__header_block_create(&block, fixture.pool, fields + 2 - count, count, 0, &bad),
                0);
            if (before[i][0])
                assert_int_equal(call(&fixture.response, before[i][0]), 0);
            assert_int_equal(cmw_response_kept_ref(&fixture.response, 404, block, CMW_STR("kept")),
                             0);
            assert_int_equal(cmw_response_status(&fixture.response), 404);
            assert_cstr(cmw_response_body(&fixture.response), "kept");
            assert_cstr(cmw_response_get(&fixture.response, CMW_HDR_ETAG), "\"x\"");
            assert_cstr(cmw_response_get(&fixture.response, CMW_HDR_CONTENT_TYPE),
                        count == 2            ? "a/b"
                        : before[i][0] == 'S' ? "by/hand"
                                              : "");
            assert_int_equal(cmw_response_kept_ref(&fixture.response, 99, block, CMW_STR("")),
                             CMW_ERR_ARG);
            assert_int_equal(cmw__response_freeze(&fixture.response), 0);
            assert_int_equal(cmw_response_kept_ref(&fixture.response, 200, block, CMW_STR("")),
                             CMW_ERR_STATE);
            cmw__header_block_destroy(block, fixture.pool);
            fixture_close(&fixture);
        }
}

static void bad_statuses_change_nothing(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 4096);
    cmw_response *response = &fixture.response;
    assert_int_equal(cmw_response_text(response, 99, CMW_STR("a")), CMW_ERR_ARG);
    assert_int_equal(cmw_response_empty(response, 1000), CMW_ERR_ARG);
    assert_int_equal(cmw_response_problem(response, 0, CMW_STR("a")), CMW_ERR_ARG);
    assert_int_equal(cmw_response_redirect(response, 200, CMW_STR("/")), CMW_ERR_ARG);
    assert_int_equal(cmw_response_redirect(response, 304, CMW_STR("/")), CMW_ERR_ARG);
    assert_null(cmw_response_json(response, 0));
    assert_int_equal(response->segment_count, 0);
    assert_int_equal(response->status, 0);
    fixture_close(&fixture);
}

static void a_json_body_is_finished_at_commit(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 4096);
    cmw_response *response = &fixture.response;
    cmw_json *json = cmw_response_json(response, 200);
    cmw_json_object_begin(json);
    cmw_json_key(json, CMW_STR("a"));
    cmw_json_int(json, 1);
    assert_cstr(cmw_response_body(response), "");
    assert_int_equal(cmw__response_freeze(response), CMW_ERR_STATE);
    assert_false(response->flags & CMW__RESPONSE_FROZEN);
    cmw_json_object_end(json);
    assert_cstr(cmw_response_body(response), "{\"a\":1}"); /* for what runs before commit */
    assert_int_equal(cmw__response_freeze(response), 0);
    assert_cstr(cmw_response_body(response), "{\"a\":1}");
    expect_fields(response, TYPE("application/json"));
    fixture_close(&fixture);
}

static void another_body_replaces_an_unfinished_one(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 4096);
    cmw_response *response = &fixture.response;
    cmw_json_object_begin(cmw_response_json(response, 200));
    assert_int_equal(cmw_response_text(response, 500, CMW_STR("no")), 0);
    assert_int_equal(cmw__response_freeze(response), 0);
    assert_cstr(cmw_response_body(response), "no");
    fixture_close(&fixture);
}

struct problem_row {
    const char *name;
    int status;
    const char *detail;
    const char *body;
};

static const struct problem_row problem_rows[] = {
    {"title, status and detail", 403, "no \"way\"",
     "{\"title\":\"Forbidden\",\"status\":403,\"detail\":\"no \\\"way\\\"\"}"},
    {"empty detail is left out", 404, "", "{\"title\":\"Not Found\",\"status\":404}"},
    {"title of an unregistered status is left out", 499, "x", "{\"status\":499,\"detail\":\"x\"}"},
    {"bytes that are no UTF-8", 400, "\xff",
     "{\"title\":\"Bad Request\",\"status\":400,\"detail\":\"\xef\xbf\xbd\"}"},
};

static void check_problem(void **state)
{
    const struct problem_row *row = *state;
    struct fixture fixture;

    fixture_open(&fixture, 4096);
    assert_int_equal(
        cmw_response_problem(&fixture.response, row->status, cmw_str_cstr(row->detail)), 0);
    assert_cstr(cmw_response_body(&fixture.response), row->body);
    assert_int_equal(cmw_response_status(&fixture.response), row->status);
    fixture_close(&fixture);
}

RUN_ROWS("problems", problem_rows, check_problem)

struct location_row {
    const char *name;
    cmw_str location;
    int rc;
};

static const struct location_row location_rows[] = {
    {"path", CMW_STR_INIT("/a/b?c=d#e"), 0},
    {"URI", CMW_STR_INIT("https://a.example:8443/~x/(y);z,!$&'*+=@[::1]"), 0},
    {"escape", CMW_STR_INIT("/%C3%A9"), 0},
    {"relative reference", CMW_STR_INIT("../x"), 0},
    {"space", CMW_STR_INIT("/a b"), CMW_ERR_INVALID},
    {"line end", CMW_STR_INIT("/a\r\nSet-Cookie: x"), CMW_ERR_INVALID},
    {"NUL", CMW_STR_INIT("/a\0b"), CMW_ERR_INVALID},
    {"backslash", CMW_STR_INIT("/\\evil.example"), CMW_ERR_INVALID},
    {"quote", CMW_STR_INIT("/\""), CMW_ERR_INVALID},
    {"angle bracket", CMW_STR_INIT("/<script>"), CMW_ERR_INVALID},
    {"bytes above ASCII", CMW_STR_INIT("/\xc3\xa9"), CMW_ERR_INVALID},
    {"bad escape", CMW_STR_INIT("/%zz"), CMW_ERR_INVALID},
    {"cut escape", CMW_STR_INIT("/%4"), CMW_ERR_INVALID},
    {"DEL", CMW_STR_INIT("/\x7f"), CMW_ERR_INVALID},
};

static void check_location(void **state)
{
    const struct location_row *row = *state;
    struct fixture fixture;

    fixture_open(&fixture, 4096);
    cmw_response *response = &fixture.response;
    assert_int_equal(cmw_response_redirect(response, 307, row->location), row->rc);
    assert_int_equal(cmw_response_status(response), row->rc == 0 ? 307 : 0);
    if (row->rc == 0)
        assert_str(cmw_response_get(response, CMW_HDR_LOCATION), row->location);
    else
        assert_int_equal(response->segment_count, 0);
    fixture_close(&fixture);
}

RUN_ROWS("redirects", location_rows, check_location)

/* ---- Faults, saving --------------------------------------------------------------------- */

static const cmw_header block_fields[] = {
    {CMW_STR_INIT("X-Frame-Options"), CMW_STR_INIT("DENY")},
    {CMW_STR_INIT("Content-Language"), CMW_STR_INIT("en")},
    {CMW_STR_INIT("Content-Security-Policy"), CMW_STR_INIT("default-src 'self'")},
    {CMW_STR_INIT("Content-MD5"), CMW_STR_INIT("x")},
    {CMW_STR_INIT("X-One"), CMW_STR_INIT("1")},
};

static void fill_for_fault(cmw_response *response, const struct cmw_header_block *block)
{
    const cmw_str v = CMW_STR_INIT("v");

    assert_int_equal(cmw__response_add_block(response, block), 0);
    assert_int_equal(cmw_response_set(response, CMW_HDR_X_REQUEST_ID, CMW_STR("id")), 0);
    assert_int_equal(cmw_response_set(response, CMW_HDR_SET_COOKIE, v), 0);
    assert_int_equal(cmw_response_set(response, CMW_HDR_LAST_MODIFIED, v), 0);
    response->origin = CMW__SEGMENT_HANDLER;
    assert_int_equal(cmw_response_set(response, CMW_HDR_CACHE_CONTROL, v), 0);
    assert_int_equal(cmw_response_set_named(response, CMW_STR("X-Handler"), v), 0);
    assert_int_equal(cmw_response_text(response, 200, CMW_STR("body")), 0);
    response->origin = 0;
}

static void a_fault_drops_what_described_the_body_and_what_the_handler_set(void **state)
{
    struct cmw_header_block *block;
    struct fixture fixture;
    size_t bad;
    (void)state;

    fixture_open(&fixture, 4096);
    cmw_response *response = &fixture.response;
    assert_int_equal(
        cmw__header_block_create(&block, fixture.pool, block_fields, LEN(block_fields), 0, &bad),
        0);
    fill_for_fault(response, block);
    cmw__response_drop_for_fault(response);
    expect_fields(response, "X-Frame-Options: DENY\r\n"
                            "Content-Security-Policy: default-src 'self'\r\nX-One: 1\r\n"
                            "X-Request-ID: id\r\n");
    assert_int_equal(cmw_response_status(response), 0);
    assert_cstr(cmw_response_body(response), "");
    assert_false(cmw_response_has(response, CMW_HDR_CACHE_CONTROL));
    cmw__header_block_destroy(block, fixture.pool);
    fixture_close(&fixture);
}

static void a_fault_without_memory_keeps_blocks_whole(void **state)
{
    struct cmw_header_block *block;
    struct cmw__segment one[6];
    struct fixture fixture;
    size_t bad;
    (void)state;

    fixture_open(&fixture, 512);
    cmw_response *response = &fixture.response;
    assert_int_equal(
        cmw__header_block_create(&block, fixture.pool, block_fields, LEN(block_fields), 0, &bad),
        0);
    cmw__response_init(response, &fixture.arena, one, 1);
    assert_int_equal(cmw__response_add_block(response, block), 0);
    fixture.refuses = 1;
    fixture.arena.room.cursor = fixture.arena.room.end;
    cmw__response_drop_for_fault(response);
    assert_true(cmw_response_has(response, CMW_HDR_X_FRAME_OPTIONS));
    assert_true(cmw_response_has(response, CMW_HDR_CONTENT_SECURITY_POLICY));
    assert_int_equal(response->segment_count, 1);
    cmw__header_block_destroy(block, fixture.pool);
    fixture_close(&fixture);
}

static void a_plain_answer_needs_no_memory(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 0);
    fixture.refuses = 1;
    cmw__response_plain(&fixture.response, 503);
    expect_fields(&fixture.response, TYPE("text/plain; charset=utf-8"));
    assert_cstr(cmw_response_body(&fixture.response), "Service Unavailable");
    assert_int_equal(cmw_response_status(&fixture.response), 503);

    cmw__response_init(&fixture.response, &fixture.arena, NULL, 0);
    cmw__response_plain(&fixture.response, 500);
    expect_fields(&fixture.response, "");
    assert_cstr(cmw_response_body(&fixture.response), "Internal Server Error");
    fixture_close(&fixture);
}

static void restoring_undoes_every_change(void **state)
{
    struct cmw__response_saved saved;
    struct cmw_header_block *block;
    struct fixture fixture;
    char before[2048], after[2048];
    size_t bad, before_len, after_len;
    (void)state;

    fixture_open(&fixture, 16384);
    cmw_response *response = &fixture.response;
    assert_int_equal(
        cmw__header_block_create(&block, fixture.pool, block_fields, LEN(block_fields), 0, &bad),
        0);
    fill_for_fault(response, block);
    cmw_json *json = cmw_response_json(response, 200);
    cmw_json_array_begin(json);
    cmw_json_int(json, 1);
    assert_int_equal(cmw_response_write_head(response, &before_len, before, sizeof before, 3), 0);
    assert_int_equal(cmw__response_save(response, &saved), 0);

    for (int i = 0; i < 500; i++)
        cmw_json_string(json, CMW_STR("a long string that makes the text grow"));
    cmw_json_object_end(json); /* latches a mistake */
    assert_int_equal(cmw_response_remove(response, CMW_HDR_X_FRAME_OPTIONS), 0);
    for (int i = 0; i < 50; i++)
        assert_int_equal(cmw_response_append(response, CMW_HDR_LINK, CMW_STR("x")), 0);
    assert_int_equal(cmw_response_html(response, 500, CMW_STR("oh")), 0);

    cmw__response_restore(response, &saved);
    assert_int_equal(cmw_response_write_head(response, &after_len, after, sizeof after, 3), 0);
    assert_str(cmw_str_make(after, after_len), cmw_str_make(before, before_len));
    cmw_json_int(json, 2);
    cmw_json_array_end(json);
    assert_int_equal(cmw__response_freeze(response), 0);
    assert_cstr(cmw_response_body(response), "[1,2]");
    cmw__header_block_destroy(block, fixture.pool);
    fixture_close(&fixture);
}

static void saving_without_memory_says_so(void **state)
{
    struct cmw__response_saved saved;
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 64);
    fixture.refuses = 1;
    assert_int_equal(cmw__response_save(&fixture.response, &saved), 0); /* nothing to save */
    assert_int_equal(cmw_response_set(&fixture.response, CMW_HDR_ETAG, CMW_STR("a")), 0);
    fixture.arena.room.cursor = fixture.arena.room.end;
    assert_int_equal(cmw__response_save(&fixture.response, &saved), CMW_ERR_NOMEM);
    fixture_close(&fixture);
}

/* Chunks of every size, so that every allocation fails once. */
static void without_memory_a_body_changes_nothing(void **state)
{
    static const char calls[] = "thbrjpdS";
    (void)state;

    for (const char *letter = calls; *letter; letter++) {
        int failed = 0, done = 0;
        for (size_t chunk = 0; chunk < 1024; chunk++) {
            struct fixture fixture;
            struct cmw__segment segments[1];
            fixture_open(&fixture, chunk);
            cmw_response *response = &fixture.response;
            cmw__response_init(response, &fixture.arena, segments, 1);
            fixture.refuses = 1;
            cmw__response_plain(response, 404);
            response->segments[0].flags &= (uint8_t)~CMW__SEGMENT_INFERRED;
            response->segments[0].id = CMW_HDR_ETAG; /* so that a content type needs room */
            response->ids[0] = UINT64_C(1) << CMW_HDR_ETAG;
            if (call(response, *letter) != 0) {
                expect_fields(response, TYPE("text/plain; charset=utf-8"));
                assert_cstr(cmw_response_body(response), "Not Found");
                assert_int_equal(cmw_response_status(response), 404);
                failed++;
            } else {
                done++;
            }
            fixture_close(&fixture);
        }
        assert_true(failed > 0 && done > 0);
    }
}

static void a_body_that_passes_is_the_hosts_until_another_takes_its_place(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 256);
    cmw_response *response = &fixture.response;
    assert_int_equal(cmw_response_pass_body(response, 99, CMW_STR(""), 1), CMW_ERR_ARG);
    assert_false(cmw_response_passes_body(response));
    assert_int_equal(cmw_response_pass_body(response, 200, CMW_STR("a\r\nb"), 1), CMW_ERR_INVALID);
    assert_false(cmw_response_passes_body(response));
    assert_int_equal(cmw_response_pass_body(response, 200, CMW_STR("image/png"), 7), 0);
    expect_fields(response, TYPE("image/png"));
    assert_true(cmw_response_passes_body(response));
    assert_cstr(cmw_response_body(response), "");
    assert_int_equal(cmw_response_content_length(response), 7);
    assert_int_equal(cmw_response_pass_body(response, 200, CMW_STR("a/b"), UINT64_MAX), 0);
    assert_true(cmw_response_content_length(response) == UINT64_MAX);
    assert_int_equal(cmw_response_set_status(response, 404), 0);
    assert_true(cmw_response_passes_body(response));
    assert_int_equal(cmw_response_text(response, 404, CMW_STR("no")), 0);
    assert_false(cmw_response_passes_body(response));
    expect_fields(response, TYPE("text/plain; charset=utf-8"));
    assert_int_equal(cmw_response_pass_body(response, 200, CMW_STR(""), 7), 0);
    expect_fields(response, "");
    cmw__response_drop_for_fault(response);
    assert_false(cmw_response_passes_body(response));
    assert_int_equal(cmw_response_content_length(response), UINT64_MAX); /* no status */
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_type_in_a_block_is_set_by_hand),
        cmocka_unit_test(bodies_are_copied_or_borrowed),
        cmocka_unit_test(what_was_kept_is_answered_as_it_was),
        cmocka_unit_test(bad_statuses_change_nothing),
        cmocka_unit_test(a_json_body_is_finished_at_commit),
        cmocka_unit_test(another_body_replaces_an_unfinished_one),
        cmocka_unit_test(a_fault_drops_what_described_the_body_and_what_the_handler_set),
        cmocka_unit_test(a_fault_without_memory_keeps_blocks_whole),
        cmocka_unit_test(a_plain_answer_needs_no_memory),
        cmocka_unit_test(a_body_that_passes_is_the_hosts_until_another_takes_its_place),
        cmocka_unit_test(restoring_undoes_every_change),
        cmocka_unit_test(saving_without_memory_says_so),
        cmocka_unit_test(without_memory_a_body_changes_nothing),
    };
    return run_check_type() + run_check_problem() + run_check_location() +
           cmocka_run_group_tests_name("response bodies", tests, NULL, NULL);
}
