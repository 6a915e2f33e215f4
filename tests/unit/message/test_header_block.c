/* SPDX-License-Identifier: MIT */
#include "response_model.h"

static const cmw_header three[] = {
    {CMW_STR_INIT("x-frame-options"), CMW_STR_INIT("DENY")},
    {CMW_STR_INIT("X-One"), CMW_STR_INIT("1")},
    {CMW_STR_INIT("Vary"), CMW_STR_INIT("Origin")},
};

static struct cmw_header_block *make_block(struct fixture *fixture, const cmw_header *fields,
                                           size_t count, int if_absent)
{
    struct cmw_header_block *block = NULL;
    size_t bad;

    assert_int_equal(
        cmw__header_block_create(&block, fixture->pool, fields, count, if_absent, &bad), 0);
    return block;
}

static void a_block_is_added_with_one_segment(void **state)
{
    struct fixture fixture;
    struct model model = {.count = 0};
    (void)state;

    fixture_open(&fixture, 0);
    struct cmw_header_block *block = make_block(&fixture, three, LEN(three), 0);
    fixture.refuses = 1;
    assert_int_equal(cmw__response_add_block(&fixture.response, block), 0);
    assert_int_equal(fixture.response.segment_count, 1);
    model_append(&model, "X-Frame-Options", "DENY"); /* the registered spelling */
    model_append(&model, "X-One", "1");
    model_append(&model, "Vary", "Origin");
    expect_model(&fixture.response, &model);
    assert_cstr(cmw_response_get(&fixture.response, CMW_HDR_VARY), "Origin");
    assert_cstr(cmw_response_get_named(&fixture.response, CMW_STR("x-ONE")), "1");
    cmw__header_block_destroy(block, fixture.pool);
    fixture_close(&fixture);
}

/* As a context commits a response that has no field of its own. */
static void freeze_with_constants(cmw_response *response, const struct cmw_header_block *block)
{
    response->constants = block;
    cmw__response_take_constants(response);
    response->flags |= CMW__RESPONSE_FROZEN;
}

static void constants_alone_are_read_like_a_block_that_was_added(void **state)
{
    static const unsigned flags[] = {CMW_READ_FIELDS, CMW_READ_STATUS_LINE, CMW_READ_LENGTH,
                                     CMW_READ_END, CMW_READ_HEAD};
    char added[512], alone[512], scratch[CMW_HEAD_SCRATCH];
    struct fixture fixture;
    cmw_str slices[4];
    size_t len, count;
    (void)state;

    fixture_open(&fixture, 0);
    struct cmw_header_block *block = make_block(&fixture, three, LEN(three), 0);
    cmw_response other = fixture.response;
    assert_int_equal(cmw__response_add_block(&other, block), 0);
    freeze_with_constants(&fixture.response, block);
    for (size_t i = 0; i < LEN(flags); i++) {
        const cmw_response *response = &fixture.response;
        assert_int_equal(cmw_response_write_head(&other, &len, added, sizeof added, flags[i]), 0);
        for (size_t cap = 0; cap < len; cap++)
            assert_int_equal(cmw_response_write_head(response, &count, alone, cap, flags[i]),
                             CMW_ERR_LIMIT);
        assert_int_equal(cmw_response_write_head(response, &count, alone, len, flags[i]), 0);
        assert_str(cmw_str_make(alone, count), cmw_str_make(added, len));
        assert_int_equal(cmw_response_head_slices(response, &count, slices, 0, scratch, flags[i]),
                         CMW_ERR_LIMIT);
        assert_int_equal(cmw_response_head_slices(response, &len, slices, count, scratch, flags[i]),
                         0);
        assert_int_equal(len, count);
    }
    cmw__header_block_destroy(block, fixture.pool);
    fixture_close(&fixture);
}

static void constants_alone_are_fields_by_id_by_name_and_in_order(void **state)
{
    cmw_header_cursor cursor = {0, 0};
    struct fixture fixture;
    cmw_header header;
    (void)state;

    fixture_open(&fixture, 0);
    struct cmw_header_block *block = make_block(&fixture, three, LEN(three), 0);
    const cmw_response *response = &fixture.response;
    assert_false(cmw_response_has(response, CMW_HDR_VARY));
    freeze_with_constants(&fixture.response, block);
    assert_true(cmw_response_has(response, CMW_HDR_VARY));
    assert_false(cmw_response_has(response, CMW_HDR_ETAG));
    assert_cstr(cmw_response_get(response, CMW_HDR_X_FRAME_OPTIONS), "DENY");
    assert_cstr(cmw_response_get_named(response, CMW_STR("x-one")), "1");
    assert_false(cmw_response_has_named(response, CMW_STR("x-two")));
    for (size_t i = 0; i < LEN(three); i++) {
        assert_int_equal(cmw_response_next_header(response, &cursor, &header, 0), 1);
        assert_str(header.value, three[i].value);
    }
    assert_int_equal(cmw_response_next_header(response, &cursor, &header, 0), 0);
    cmw__header_block_destroy(block, fixture.pool);
    fixture_close(&fixture);
}

static void an_empty_block_adds_nothing(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 0);
    struct cmw_header_block *block = make_block(&fixture, NULL, 0, 0);
    assert_int_equal(cmw__response_add_block(&fixture.response, block), 0);
    assert_int_equal(fixture.response.segment_count, 0);
    cmw__header_block_destroy(block, fixture.pool);
    cmw__header_block_destroy(NULL, fixture.pool);
    fixture_close(&fixture);
}

static void a_name_that_appears_twice_stays_twice(void **state)
{
    const cmw_header twice[] = {{CMW_STR_INIT("Link"), CMW_STR_INIT("a")},
                                {CMW_STR_INIT("X-One"), CMW_STR_INIT("1")},
                                {CMW_STR_INIT("link"), CMW_STR_INIT("b")}};
    struct fixture fixture;
    (void)state;

    for (int if_absent = 0; if_absent < 2; if_absent++) {
        fixture_open(&fixture, 4096);
        cmw_response *response = &fixture.response;
        struct cmw_header_block *block = make_block(&fixture, twice, LEN(twice), if_absent);
        assert_int_equal(cmw_response_set_named(response, CMW_STR("X-Two"), CMW_STR("2")), 0);
        assert_int_equal(cmw__response_add_block(response, block), 0);
        expect_fields(response, "X-Two: 2\r\nLink: a\r\nX-One: 1\r\nLink: b\r\n");
        cmw__header_block_destroy(block, fixture.pool);
        fixture_close(&fixture);
    }
}

static void a_block_replaces_fields_of_its_names(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 4096);
    cmw_response *response = &fixture.response;
    struct cmw_header_block *block = make_block(&fixture, three, LEN(three), 0);
    assert_int_equal(cmw_response_set(response, CMW_HDR_VARY, CMW_STR("Accept")), 0);
    assert_int_equal(cmw_response_set(response, CMW_HDR_ETAG, CMW_STR("a")), 0);
    assert_int_equal(cmw_response_set_named(response, CMW_STR("x-one"), CMW_STR("9")), 0);
    assert_int_equal(cmw__response_add_block(response, block), 0);
    expect_fields(response, "ETag: a\r\nX-Frame-Options: DENY\r\nX-One: 1\r\nVary: Origin\r\n");
    cmw__header_block_destroy(block, fixture.pool);
    fixture_close(&fixture);
}

static void a_yielding_block_adds_what_is_absent(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 4096);
    cmw_response *response = &fixture.response;
    struct cmw_header_block *block = make_block(&fixture, three, LEN(three), 1);
    assert_int_equal(cmw_response_set_named(response, CMW_STR("X-ONE"), CMW_STR("9")), 0);
    assert_int_equal(cmw__response_add_block(response, block), 0);
    expect_fields(response, "X-ONE: 9\r\nX-Frame-Options: DENY\r\nVary: Origin\r\n");
    assert_int_equal(cmw__response_add_block(response, block), 0);
    expect_fields(response, "X-ONE: 9\r\nX-Frame-Options: DENY\r\nVary: Origin\r\n");
    cmw__header_block_destroy(block, fixture.pool);
    fixture_close(&fixture);
}

static void removing_from_a_block_leaves_the_rest_and_the_block(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 4096);
    cmw_response *response = &fixture.response;
    struct cmw_header_block *block = make_block(&fixture, three, LEN(three), 0);
    assert_int_equal(cmw__response_add_block(response, block), 0);
    assert_int_equal(cmw_response_remove_named(response, CMW_STR("X-One")), 0);
    expect_fields(response, "X-Frame-Options: DENY\r\nVary: Origin\r\n");
    assert_false(cmw_response_has_named(response, CMW_STR("x-one")));
    assert_int_equal(cmw_response_add_token(response, CMW_HDR_VARY, CMW_STR("Accept")), 0);
    expect_fields(response, "X-Frame-Options: DENY\r\nVary: Origin, Accept\r\n");

    cmw_response second;
    struct cmw__segment segments[2];
    cmw__response_init(&second, &fixture.arena, segments, 2);
    assert_int_equal(cmw__response_add_block(&second, block), 0);
    expect_fields(&second, "X-Frame-Options: DENY\r\nX-One: 1\r\nVary: Origin\r\n");
    cmw__header_block_destroy(block, fixture.pool);
    fixture_close(&fixture);
}

/* Every subset of a full block is removed from between other segments. */
static void every_way_to_split_a_block_keeps_the_order(void **state)
{
    enum { FIELDS = 10 };
    static const char *const names[FIELDS] = {"X-A", "X-B", "X-C", "X-D", "X-E",
                                              "X-F", "X-G", "X-H", "X-I", "X-J"};
    cmw_header fields[FIELDS];
    (void)state;

    for (size_t i = 0; i < FIELDS; i++) {
        fields[i].name = cmw_str_cstr(names[i]);
        fields[i].value = CMW_STR("v");
    }
    for (unsigned mask = 0; mask < 1u << FIELDS; mask++) {
        struct model model = {.count = 0};
        struct fixture fixture;
        fixture_open(&fixture, 8192);
        cmw_response *response = &fixture.response;
        struct cmw_header_block *block = make_block(&fixture, fields, FIELDS, 0);
        assert_int_equal(cmw_response_set(response, CMW_HDR_ETAG, CMW_STR("a")), 0);
        assert_int_equal(cmw__response_add_block(response, block), 0);
        assert_int_equal(cmw_response_set(response, CMW_HDR_VARY, CMW_STR("b")), 0);
        model_append(&model, "ETag", "a");
        for (size_t i = 0; i < FIELDS; i++) {
            if (mask >> i & 1)
                assert_int_equal(cmw_response_remove_named(response, fields[i].name), 0);
            else
                model_append(&model, names[i], "v");
        }
        model_append(&model, "Vary", "b");
        expect_model(response, &model);
        cmw__header_block_destroy(block, fixture.pool);
        fixture_close(&fixture);
    }
}

/* ---- Blocks of middleware and handlers ---------------------------------------------------- */

static void a_block_of_ones_own_replaces_or_yields(void **state)
{
    static const cmw_header fields[] = {{CMW_STR_INIT("Vary"), CMW_STR_INIT("Origin")},
                                        {CMW_STR_INIT("ETag"), CMW_STR_INIT("b")}};
    struct fixture fixture;
    (void)state;

    for (unsigned flags = 0; flags <= CMW_BLOCK_IF_ABSENT; flags++) {
        cmw_header_block *block = NULL;
        struct model model = {.count = 0};
        fixture_open(&fixture, 0);
        assert_int_equal(cmw_header_block_create(&block, fixture.pool, fields, 2, flags), 0);
        assert_int_equal(cmw_response_set(&fixture.response, CMW_HDR_ETAG, CMW_STR("a")), 0);
        assert_int_equal(cmw_response_add_block(&fixture.response, block), 0);
        if (flags == CMW_BLOCK_IF_ABSENT)
            model_append(&model, "ETag", "a");
        model_append(&model, "Vary", "Origin");
        if (flags == 0)
            model_append(&model, "ETag", "b");
        expect_model(&fixture.response, &model);
        fixture.response.flags |= CMW__RESPONSE_FROZEN;
        assert_int_equal(cmw_response_add_block(&fixture.response, block), CMW_ERR_STATE);
        cmw_header_block_destroy(block, fixture.pool);
        fixture_close(&fixture);
    }
}

static void a_block_of_ones_own_is_checked(void **state)
{
    static const cmw_header managed[] = {{CMW_STR_INIT("Connection"), CMW_STR_INIT("close")}};
    cmw_header_block *block = NULL;
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 0);
    assert_int_equal(cmw_header_block_create(&block, fixture.pool, managed, 1, 0), CMW_ERR_ARG);
    assert_int_equal(cmw_header_block_create(&block, fixture.pool, three, 3, 2), CMW_ERR_ARG);
    assert_int_equal(cmw_header_block_create(&block, fixture.pool, NULL, 1, 0), CMW_ERR_ARG);
    assert_null(block);
    fixture_close(&fixture);
}

static void a_fault_drops_the_blocks_of_the_handler(void **state)
{
    static const cmw_header one[] = {{CMW_STR_INIT("ETag"), CMW_STR_INIT("a")},
                                     {CMW_STR_INIT("X-Own"), CMW_STR_INIT("1")}};
    struct model model = {.count = 0};
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 0);
    struct cmw_header_block *middleware = make_block(&fixture, three, LEN(three), 0);
    struct cmw_header_block *handler = make_block(&fixture, one, LEN(one), 0);
    assert_int_equal(cmw_response_add_block(&fixture.response, middleware), 0);
    fixture.response.origin = CMW__SEGMENT_HANDLER;
    assert_int_equal(cmw_response_add_block(&fixture.response, handler), 0);
    fixture.response.origin = 0;
    cmw__response_drop_for_fault(&fixture.response);
    model_append(&model, "X-Frame-Options", "DENY");
    model_append(&model, "X-One", "1");
    model_append(&model, "Vary", "Origin");
    expect_model(&fixture.response, &model);
    cmw__header_block_destroy(middleware, fixture.pool);
    cmw__header_block_destroy(handler, fixture.pool);
    fixture_close(&fixture);
}

static void a_set_of_fields_is_removed_at_once(void **state)
{
    cmw_header_set set = {{0, 0}}, managed = {{0, 0}};
    struct model model = {.count = 0};
    struct fixture fixture;
    (void)state;

    cmw_header_set_add(&set, CMW_HDR_OTHER); /* stands for nothing */
    cmw_header_set_add(&set, CMW_HDR_VARY);
    cmw_header_set_add(&set, CMW_HDR_ETAG);
    cmw_header_set_add(&set, (cmw_header_id)CMW_HDR_LIMIT); /* is left out */
    cmw_header_set_add(&managed, CMW_HDR_CONNECTION);
    fixture_open(&fixture, 0);
    struct cmw_header_block *block = make_block(&fixture, three, LEN(three), 0);
    cmw_response *response = &fixture.response;
    assert_int_equal(cmw_response_has_any(response, &set), 0);
    assert_int_equal(cmw_response_remove_any(response, &set), 0);
    assert_int_equal(cmw_response_add_block(response, block), 0);
    assert_int_equal(cmw_response_append(response, CMW_HDR_ETAG, CMW_STR("a")), 0);
    assert_int_equal(cmw_response_append(response, CMW_HDR_ETAG, CMW_STR("b")), 0);
    assert_int_equal(cmw_response_has_any(response, &set), 1);
    assert_int_equal(cmw_response_remove_any(response, &managed), CMW_ERR_ARG);
    assert_int_equal(cmw_response_remove_any(response, &set), 0);
    model_append(&model, "X-Frame-Options", "DENY");
    model_append(&model, "X-One", "1");
    expect_model(response, &model);
    assert_int_equal(cmw_response_has_any(response, &set), 0);
    response->flags |= CMW__RESPONSE_FROZEN;
    assert_int_equal(cmw_response_remove_any(response, &set), CMW_ERR_STATE);
    cmw__header_block_destroy(block, fixture.pool);
    fixture_close(&fixture);
}

static void a_block_is_added_unless_a_field_of_a_set_is_there(void **state)
{
    cmw_header_set set = {{0, 0}};
    struct model model = {.count = 0};
    struct fixture fixture;
    (void)state;

    cmw_header_set_add(&set, CMW_HDR_OTHER); /* stands for nothing */
    cmw_header_set_add(&set, CMW_HDR_ETAG);
    fixture_open(&fixture, 0);
    struct cmw_header_block *block = make_block(&fixture, three, LEN(three), 0);
    cmw_response *response = &fixture.response;
    assert_int_equal(cmw_response_set(response, CMW_HDR_ETAG, CMW_STR("a")), 0);
    assert_int_equal(cmw_response_set(response, CMW_HDR_VARY, CMW_STR("Cookie")), 0);
    assert_int_equal(cmw_response_add_block_unless(response, block, &set), 1);
    model_append(&model, "ETag", "a");
    model_append(&model, "Vary", "Cookie");
    expect_model(response, &model);

    /* its own fields are replaced, other names beside them stay */
    assert_int_equal(cmw_response_remove(response, CMW_HDR_ETAG), 0);
    assert_int_equal(cmw_response_set_named(response, CMW_STR("X-Mine"), CMW_STR("2")), 0);
    model.count = 0;
    model_append(&model, "X-Mine", "2");
    model_append(&model, "X-Frame-Options", "DENY");
    model_append(&model, "X-One", "1");
    model_append(&model, "Vary", "Origin");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(cmw_response_add_block_unless(response, block, &set), 0);
        expect_model(response, &model);
    }
    for (int i = 0; i < CMW__SEGMENTS_INLINE; i++) /* past the response's own segments */
        assert_int_equal(cmw_response_append(response, CMW_HDR_LINK, CMW_STR("l")), 0);
    cmw_header_set_add(&set, CMW_HDR_LINK);
    assert_int_equal(cmw_response_add_block_unless(response, block, &set), 1);
    response->flags |= CMW__RESPONSE_FROZEN;
    assert_int_equal(cmw_response_add_block_unless(response, block, &set), CMW_ERR_STATE);
    cmw__header_block_destroy(block, fixture.pool);
    fixture_close(&fixture);
}

struct bad_row {
    const char *name;
    cmw_str field;
    cmw_str value;
    int rc;
};

static const struct bad_row bad_rows[] = {
    {"empty name", CMW_STR_INIT(""), CMW_STR_INIT("v"), CMW_ERR_INVALID},
    {"name that is no token", CMW_STR_INIT("a b"), CMW_STR_INIT("v"), CMW_ERR_INVALID},
    {"line feed in a value", CMW_STR_INIT("a"), CMW_STR_INIT("v\nw"), CMW_ERR_INVALID},
    {"NUL in a value", CMW_STR_INIT("a"), CMW_STR_INIT("v\0w"), CMW_ERR_INVALID},
    {"blank at an end", CMW_STR_INIT("a"), CMW_STR_INIT("v "), CMW_ERR_INVALID},
    {"Content-Length", CMW_STR_INIT("content-length"), CMW_STR_INIT("0"), CMW_ERR_ARG},
    {"Connection", CMW_STR_INIT("CONNECTION"), CMW_STR_INIT("close"), CMW_ERR_ARG},
};

static void check_bad(void **state)
{
    const struct bad_row *row = *state;
    const cmw_header fields[] = {three[0], three[1], {row->field, row->value}};
    struct cmw_header_block *block = NULL;
    struct fixture fixture;
    size_t bad = 99;

    fixture_open(&fixture, 0);
    assert_int_equal(cmw__header_block_create(&block, fixture.pool, fields, 3, 0, &bad), row->rc);
    assert_int_equal(bad, 2);
    assert_null(block);
    fixture_close(&fixture);
}

RUN_ROWS("blocks that are refused", bad_rows, check_bad)

static void without_memory_there_is_no_block(void **state)
{
    struct cmw_header_block *block = NULL;
    struct fixture fixture;
    size_t bad;
    (void)state;

    fixture_open(&fixture, 0);
    fixture.refuses = 1;
    assert_int_equal(cmw__header_block_create(&block, fixture.pool, three, 3, 0, &bad),
                     CMW_ERR_NOMEM);
    assert_null(block);
    fixture_close(&fixture);
}

static void ten_thousand_fields_make_a_block(void **state)
{
    static cmw_header fields[10000];
    struct fixture fixture;
    cmw_header_cursor cursor = {0, 0};
    cmw_header header;
    size_t count = 0;
    (void)state;

    for (size_t i = 0; i < LEN(fields); i++)
        fields[i] = three[i % 3];
    fixture_open(&fixture, 4096);
    cmw_response *response = &fixture.response;
    struct cmw_header_block *block = make_block(&fixture, fields, LEN(fields), 0);
    assert_int_equal(cmw__response_add_block(response, block), 0);
    assert_int_equal(cmw_response_remove(response, CMW_HDR_VARY), 0);
    while (cmw_response_next_header(response, &cursor, &header, 0))
        count++;
    assert_int_equal(count, 6667);
    cmw__header_block_destroy(block, fixture.pool);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_block_is_added_with_one_segment),
        cmocka_unit_test(constants_alone_are_read_like_a_block_that_was_added),
        cmocka_unit_test(constants_alone_are_fields_by_id_by_name_and_in_order),
        cmocka_unit_test(an_empty_block_adds_nothing),
        cmocka_unit_test(a_name_that_appears_twice_stays_twice),
        cmocka_unit_test(a_block_replaces_fields_of_its_names),
        cmocka_unit_test(a_yielding_block_adds_what_is_absent),
        cmocka_unit_test(removing_from_a_block_leaves_the_rest_and_the_block),
        cmocka_unit_test(every_way_to_split_a_block_keeps_the_order),
        cmocka_unit_test(a_block_of_ones_own_replaces_or_yields),
        cmocka_unit_test(a_block_of_ones_own_is_checked),
        cmocka_unit_test(a_fault_drops_the_blocks_of_the_handler),
        cmocka_unit_test(a_set_of_fields_is_removed_at_once),
        cmocka_unit_test(a_block_is_added_unless_a_field_of_a_set_is_there),
        cmocka_unit_test(without_memory_there_is_no_block),
        cmocka_unit_test(ten_thousand_fields_make_a_block),
    };
    return run_check_bad() + cmocka_run_group_tests_name("header blocks", tests, NULL, NULL);
}
