/* SPDX-License-Identifier: MIT */
/* Values written in place: what is sent of them, what is refused, what goes the slow way. */
#include "test.h"

#include "arena_state.h"
#include "response_fields.h"

struct fixture {
    cmw_pool *pool;
    struct cmw__block_list blocks;
    cmw_arena arena;
    cmw_response response;
    struct cmw__segment segments[CMW__SEGMENTS_INLINE];
    _Alignas(16) char chunk[4096];
    cmw_value_field *field;
};

static void open_fixture(struct fixture *fixture, unsigned segment_cap)
{
    memset(fixture, 0, sizeof *fixture);
    assert_int_equal(cmw_pool_create(&fixture->pool, NULL, CMW_POOL_CONTEXT, 0), 0);
    cmw__block_list_init(&fixture->blocks, fixture->pool);
    cmw__arena_init(&fixture->arena, &fixture->blocks, fixture->chunk,
                    fixture->chunk + sizeof fixture->chunk, SIZE_MAX);
    cmw__response_init(&fixture->response, &fixture->arena, fixture->segments, segment_cap);
    assert_int_equal(cmw_value_field_create(&fixture->field, &fixture->arena, CMW_HDR_X_REQUEST_ID),
                     0);
}

static void close_fixture(struct fixture *fixture)
{
    cmw__arena_reset(&fixture->arena);
    cmw__unpoison(fixture->chunk, sizeof fixture->chunk);
    cmw__block_list_trim(&fixture->blocks);
    cmw_pool_destroy(fixture->pool);
}

/* The value in a room of exactly its length. */
static cmw_str place(struct fixture *fixture, cmw_str value)
{
    char *const room = cmw_value_field_room(fixture->field, &fixture->arena, value.len);

    assert_non_null(room);
    if (value.len > 0)
        memcpy(room, value.data, value.len);
    return cmw_str_make(room, value.len);
}

static int set(struct fixture *fixture, cmw_str value)
{
    return cmw_response_set_in_place(&fixture->response, fixture->field, place(fixture, value));
}

static void assert_head(const struct fixture *fixture, const char *want)
{
    char head[512];
    size_t len = 0;

    assert_int_equal(
        cmw_response_write_head(&fixture->response, &len, head, sizeof head, CMW_READ_FIELDS), 0);
    assert_int_equal(len, strlen(want));
    assert_memory_equal(head, want, len);
}

/* ---- Values ----------------------------------------------------------------------------- */

struct row {
    const char *name;
    cmw_str value;
    int rc;
};

#define LONG "0123456789abcdef0123456789abcdef0123"

static const struct row rows[] = {
    {"36 bytes", CMW_STR_INIT(LONG), 0},
    {"16 bytes, the shortest that is not copied", CMW_STR_INIT("0123456789abcdef"), 0},
    {"15 bytes", CMW_STR_INIT("0123456789abcde"), 0},
    {"one byte", CMW_STR_INIT("x"), 0},
    {"no byte", CMW_STR_INIT(""), 0},
    {"blanks within", CMW_STR_INIT("0123456789 abcdef 0123"), 0},
    {"a tab within", CMW_STR_INIT("0123456789\tabcdef 0123"), 0},
    {"UTF-8", CMW_STR_INIT("0123456789 \xc3\xa4 0123456789"), 0},
    {"a line end in front", CMW_STR_INIT("\r\nSet-Cookie: a=b; 0123456789"), CMW_ERR_INVALID},
    {"a line end in the first block", CMW_STR_INIT("01\r\nSet-Cookie: a=b; 0123456789"),
     CMW_ERR_INVALID},
    {"a line end in the middle", CMW_STR_INIT(LONG "\r\nX: " LONG), CMW_ERR_INVALID},
    {"a line end at the end", CMW_STR_INIT(LONG "\n"), CMW_ERR_INVALID},
    {"a line end in a short value", CMW_STR_INIT("a\nb"), CMW_ERR_INVALID},
    {"NUL",
     CMW_STR_INIT("0123456789abcdef\0"
                  "0123"),
     CMW_ERR_INVALID},
    {"DEL",
     CMW_STR_INIT("0123456789abcdef\x7f"
                  "0123"),
     CMW_ERR_INVALID},
    {"a blank in front", CMW_STR_INIT(" 0123456789abcdef0123"), CMW_ERR_INVALID},
    {"a blank at the end", CMW_STR_INIT("0123456789abcdef0123 "), CMW_ERR_INVALID},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct fixture fixture;

    open_fixture(&fixture, CMW__SEGMENTS_INLINE);
    assert_int_equal(set(&fixture, row->value), row->rc);
    const cmw_str sent = cmw_response_get(&fixture.response, CMW_HDR_X_REQUEST_ID);
    if (row->rc == 0) {
        assert_true(cmw_str_equals(sent, row->value));
        assert_int_equal(cmw_response_has(&fixture.response, CMW_HDR_X_REQUEST_ID), 1);
    } else {
        assert_null(sent.data);
        assert_int_equal(fixture.response.segment_count, 0);
    }
    close_fixture(&fixture);
}

/* ---- Beside other fields ---------------------------------------------------------------- */

static void it_takes_the_place_of_what_is_there(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, CMW__SEGMENTS_INLINE);
    assert_int_equal(cmw_response_set(&fixture.response, CMW_HDR_X_REQUEST_ID, CMW_STR("old")), 0);
    assert_int_equal(cmw_response_set(&fixture.response, CMW_HDR_VARY, CMW_STR("Origin")), 0);
    assert_int_equal(set(&fixture, CMW_STR(LONG)), 0);
    assert_head(&fixture, "Vary: Origin\r\nX-Request-ID: " LONG "\r\n");
    close_fixture(&fixture);
}

static void a_room_that_is_not_set_is_not_sent(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, CMW__SEGMENTS_INLINE);
    (void)place(&fixture, CMW_STR(LONG));
    assert_int_equal(set(&fixture, CMW_STR(LONG "4")), 0);
    assert_head(&fixture, "X-Request-ID: " LONG "4\r\n");
    close_fixture(&fixture);
}

static void more_fields_than_segments_are_kept(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, 1);
    assert_int_equal(cmw_response_set(&fixture.response, CMW_HDR_VARY, CMW_STR("Origin")), 0);
    assert_int_equal(set(&fixture, CMW_STR(LONG)), 0);
    assert_head(&fixture, "Vary: Origin\r\nX-Request-ID: " LONG "\r\n");
    close_fixture(&fixture);
}

static void the_handlers_own_is_dropped_by_a_fault(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, CMW__SEGMENTS_INLINE);
    fixture.response.origin = CMW__SEGMENT_HANDLER;
    assert_int_equal(set(&fixture, CMW_STR(LONG)), 0);
    cmw__response_drop_for_fault(&fixture.response);
    assert_head(&fixture, "");
    close_fixture(&fixture);
}

static void nothing_is_set_once_it_is_committed(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, CMW__SEGMENTS_INLINE);
    assert_int_equal(cmw__response_freeze(&fixture.response), 0);
    assert_int_equal(set(&fixture, CMW_STR(LONG)), CMW_ERR_STATE);
    close_fixture(&fixture);
}

static void fields_of_others_are_refused(void **state)
{
    static const cmw_header_id bad[] = {CMW_HDR_OTHER,          CMW_HDR_CONTENT_TYPE,
                                        CMW_HDR_CONTENT_LENGTH, CMW_HDR_TRANSFER_ENCODING,
                                        CMW_HDR_LIMIT,          (cmw_header_id)-1};
    struct fixture fixture;
    cmw_value_field *field = NULL;

    (void)state;
    open_fixture(&fixture, CMW__SEGMENTS_INLINE);
    for (size_t i = 0; i < LEN(bad); i++)
        assert_int_equal(cmw_value_field_create(&field, &fixture.arena, bad[i]), CMW_ERR_ARG);
    assert_null(field);
    assert_null(cmw_value_field_room(fixture.field, &fixture.arena, SIZE_MAX - 8));
    close_fixture(&fixture);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows) + 6];
    size_t count = 0;

    for (size_t i = 0; i < LEN(rows); i++)
        tests[count++] = ROW_TEST(&rows[i], check_row);
    const struct CMUnitTest more[] = {
        cmocka_unit_test(it_takes_the_place_of_what_is_there),
        cmocka_unit_test(a_room_that_is_not_set_is_not_sent),
        cmocka_unit_test(more_fields_than_segments_are_kept),
        cmocka_unit_test(the_handlers_own_is_dropped_by_a_fault),
        cmocka_unit_test(nothing_is_set_once_it_is_committed),
        cmocka_unit_test(fields_of_others_are_refused),
    };
    memcpy(tests + count, more, sizeof more);
    return cmocka_run_group_tests_name("response_value", tests, NULL, NULL);
}
