/* SPDX-License-Identifier: MIT */
#include "guard_page.h"
#include "response_model.h"

/* ---- What is refused -------------------------------------------------------------------- */

struct value_row {
    const char *name;
    cmw_str value;
    int rc;
};

#define LONG_TEXT "0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct value_row value_rows[] = {
    {"empty value", CMW_STR_INIT(""), 0},
    {"one byte", CMW_STR_INIT("0"), 0},
    {"three bytes", CMW_STR_INIT("off"), 0},
    {"seven bytes", CMW_STR_INIT("nosniff"), 0},
    {"eight bytes", CMW_STR_INIT("12345678"), 0},
    {"fifteen bytes", CMW_STR_INIT("123456789abcdef"), 0},
    {"sixteen bytes", CMW_STR_INIT("123456789abcdef0"), 0},
    {"seventeen bytes", CMW_STR_INIT("123456789abcdef01"), 0},
    {"long value", CMW_STR_INIT(LONG_TEXT), 0},
    {"blanks inside", CMW_STR_INIT("a b\tc"), 0},
    {"bytes above ASCII", CMW_STR_INIT("\xc3\xa9\xff\x80"), 0},
    {"carriage return alone", CMW_STR_INIT("\r"), CMW_ERR_INVALID},
    {"line feed in the middle of three", CMW_STR_INIT("a\nb"), CMW_ERR_INVALID},
    {"NUL in the middle of three", CMW_STR_INIT("a\0b"), CMW_ERR_INVALID},
    {"carriage return in four", CMW_STR_INIT("a\rbc"), CMW_ERR_INVALID},
    {"line feed in seven", CMW_STR_INIT("abc\ndef"), CMW_ERR_INVALID},
    {"NUL in eight", CMW_STR_INIT("abcd\0efg"), CMW_ERR_INVALID},
    {"line feed in fifteen", CMW_STR_INIT("1234567\n9abcdef"), CMW_ERR_INVALID},
    {"line feed in sixteen", CMW_STR_INIT("1234567\n9abcdef0"), CMW_ERR_INVALID},
    {"line feed behind sixteen", CMW_STR_INIT(LONG_TEXT "\nx"), CMW_ERR_INVALID},
    {"line feed in the first block", CMW_STR_INIT("01234\n6789abcdef" LONG_TEXT), CMW_ERR_INVALID},
    {"splitting a response", CMW_STR_INIT("a\r\nSet-Cookie: b"), CMW_ERR_INVALID},
    {"DEL",
     CMW_STR_INIT("a\x7f"
                  "b"),
     CMW_ERR_INVALID},
    {"escape character",
     CMW_STR_INIT("a\x1b"
                  "b"),
     CMW_ERR_INVALID},
    {"blank before", CMW_STR_INIT(" a"), CMW_ERR_INVALID},
    {"blank behind", CMW_STR_INIT("a "), CMW_ERR_INVALID},
    {"tab before", CMW_STR_INIT("\ta"), CMW_ERR_INVALID},
    {"tab behind", CMW_STR_INIT("a\t"), CMW_ERR_INVALID},
    {"blank alone", CMW_STR_INIT(" "), CMW_ERR_INVALID},
};

/* By every way in, into a chunk with room and into one without. */
static void check_value(void **state)
{
    const struct value_row *row = *state;
    struct guard_page page;

    guard_page_open(&page, 256);
    const cmw_str value = guard_page_put(&page, row->value);
    for (size_t chunk = 0; chunk <= 4096; chunk += 4096) {
        for (int way = 0; way < 6; way++) {
            struct fixture fixture;
            fixture_open(&fixture, chunk);
            cmw_response *response = &fixture.response;
            int rc = 0;
            if (way == 0 || way == 4)
                rc = cmw_response_set(response, CMW_HDR_ETAG, value);
            if (way == 1)
                rc = cmw_response_append(response, CMW_HDR_ETAG, value);
            if (way == 2)
                rc = cmw_response_set_named(response, CMW_STR("eTaG"), value);
            if (way == 3)
                rc = cmw_response_set_named(response, CMW_STR("X-Tag"), value);
            if (way == 4 && rc == 0)
                rc = cmw_response_set(response, CMW_HDR_ETAG, value); /* in place of the first */
            if (way == 5)
                rc = cmw_response_append_named(response, CMW_STR("X-Tag"), value);
            const char *name = way == 3 || way == 5 ? "X-Tag" : "ETag";
            assert_int_equal(rc, row->rc);
            if (rc == 0) {
                struct model model = {.count = 0};
                char text[64];
                memcpy(text, value.data, value.len);
                text[value.len] = '\0';
                model_append(&model, name, text);
                expect_model(response, &model);
            } else {
                assert_int_equal(response->segment_count, 0);
                assert_false(cmw_response_has_named(response, cmw_str_cstr(name)));
            }
            fixture_close(&fixture);
        }
    }
    guard_page_close(&page);
}

RUN_ROWS("response values", value_rows, check_value)

/* As RFC 9110, 5.5 has it, one byte after the other. */
static int stands_in_a_value(unsigned char byte, int is_end)
{
    if (byte == ' ' || byte == '\t')
        return !is_end;
    return byte > ' ' && byte != 0x7f;
}

static void every_byte_is_judged_at_every_place(void **state)
{
    struct fixture fixture;
    char text[50];
    (void)state;

    fixture_open(&fixture, 4096);
    for (size_t len = 1; len <= sizeof text; len++) {
        for (size_t at = 0; at < len; at++) {
            for (unsigned byte = 0; byte < 256; byte++) {
                const int is_end = at == 0 || at == len - 1;
                memset(text, 'v', len);
                text[at] = (char)byte;
                fixture.response.segment_count = 0;
                memset(fixture.response.ids, 0, sizeof fixture.response.ids);
                cmw__arena_reset(&fixture.arena);
                assert_int_equal(
                    cmw_response_set(&fixture.response, CMW_HDR_ETAG, cmw_str_make(text, len)),
                    stands_in_a_value((unsigned char)byte, is_end) ? 0 : CMW_ERR_INVALID);
            }
        }
    }
    fixture_close(&fixture);
}

/* A line is written with room for more behind it; where there is none, all the same. */
static void a_line_may_end_with_the_chunk(void **state)
{
    (void)state;
    for (size_t chunk = 16; chunk <= 256; chunk += 16) {
        struct fixture fixture;
        struct model model = {.count = 0};

        fixture_open(&fixture, chunk);
        for (int i = 0; i < 8; i++) {
            const cmw_header_id id = (cmw_header_id)(CMW_HDR_ACCEPT + i);
            assert_int_equal(cmw_response_set(&fixture.response, id, CMW_STR("a value")), 0);
            model_append(&model, cmw_header_id_name(id).data, "a value");
        }
        expect_model(&fixture.response, &model);
        fixture_close(&fixture);
    }
}

struct name_row {
    const char *name;
    const char *field;
    int rc;
};

static const struct name_row name_rows[] = {
    {"unknown name", "X-Thing", 0},
    {"every token character", "!#$%&'*+-.^_`|~09AZaz", 0},
    {"known name in another case", "cAcHe-CoNtRoL", 0},
    {"empty name", "", CMW_ERR_INVALID},
    {"space in a name", "X Thing", CMW_ERR_INVALID},
    {"colon in a name", "X-Thing:", CMW_ERR_INVALID},
    {"line end in a name", "X\r\nY", CMW_ERR_INVALID},
    {"bytes above ASCII in a name", "X-\xc3\xa9", CMW_ERR_INVALID},
    {"Content-Length is the library's", "Content-Length", CMW_ERR_ARG},
    {"so it is in another case", "cOnTeNt-LeNgTh", CMW_ERR_ARG},
    {"Transfer-Encoding is the server's", "transfer-encoding", CMW_ERR_ARG},
    {"Connection is the server's", "CONNECTION", CMW_ERR_ARG},
    {"Keep-Alive is the server's", "keep-alive", CMW_ERR_ARG},
    {"Upgrade is the server's", "upgrade", CMW_ERR_ARG},
    {"Trailer is the server's", "Trailer", CMW_ERR_ARG},
};

static void check_name(void **state)
{
    const struct name_row *row = *state;
    const cmw_str name = cmw_str_cstr(row->field);
    struct fixture fixture;

    fixture_open(&fixture, 4096);
    cmw_response *response = &fixture.response;
    assert_int_equal(cmw_response_set_named(response, name, CMW_STR("v")), row->rc);
    assert_int_equal(cmw_response_append_named(response, name, CMW_STR("w")), row->rc);
    assert_int_equal(cmw_response_has_named(response, name), row->rc == 0);
    assert_int_equal(response->segment_count, row->rc == 0 ? 2 : 0);
    assert_int_equal(cmw_response_remove_named(response, name), row->rc);
    assert_int_equal(response->segment_count, 0);
    fixture_close(&fixture);
}

RUN_ROWS("response names", name_rows, check_name)

static void over_long_names_are_refused(void **state)
{
    static char name[70000];
    struct fixture fixture;
    (void)state;

    memset(name, 'a', sizeof name);
    fixture_open(&fixture, 64);
    cmw_response *response = &fixture.response;
    const cmw_str longest = cmw_str_make(name, 65535);
    assert_int_equal(cmw_response_set_named(response, longest, CMW_STR("v")), 0);
    assert_cstr(cmw_response_get_named(response, longest), "v");
    assert_int_equal(cmw_response_remove_named(response, longest), 0);
    const cmw_str longer = cmw_str_make(name, 65536);
    assert_int_equal(cmw_response_set_named(response, longer, CMW_STR("v")), CMW_ERR_INVALID);
    assert_int_equal(cmw_response_append_named(response, longer, CMW_STR("v")), CMW_ERR_INVALID);
    assert_int_equal(cmw_response_remove_named(response, longer), CMW_ERR_INVALID);
    fixture_close(&fixture);
}

static void managed_and_unknown_ids_are_refused(void **state)
{
    static const int refused[] = {CMW_HDR_OTHER,
                                  CMW_HDR_CONTENT_LENGTH,
                                  CMW_HDR_TRANSFER_ENCODING,
                                  CMW_HDR_CONNECTION,
                                  CMW_HDR_UPGRADE,
                                  CMW_HDR_KEEP_ALIVE,
                                  CMW_HDR_TRAILER,
                                  120,
                                  127,
                                  128,
                                  -1,
                                  100000};
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 4096);
    cmw_response *response = &fixture.response;
    for (size_t i = 0; i < LEN(refused); i++) {
        const cmw_header_id id = (cmw_header_id)refused[i];
        assert_int_equal(cmw_response_set(response, id, CMW_STR("1")), CMW_ERR_ARG);
        assert_int_equal(cmw_response_append(response, id, CMW_STR("1")), CMW_ERR_ARG);
        assert_int_equal(cmw_response_add_token(response, id, CMW_STR("a")), CMW_ERR_ARG);
        assert_int_equal(cmw_response_remove(response, id), CMW_ERR_ARG);
        assert_false(cmw_response_has(response, id));
        assert_null(cmw_response_get(response, id).data);
    }
    for (unsigned id = 1; id <= CMW_HDR_X_XSS_PROTECTION; id++) {
        const int rc = cmw_response_set(response, (cmw_header_id)id, CMW_STR("1"));
        int is_refused = 0;
        for (size_t i = 0; i < LEN(refused); i++)
            is_refused |= refused[i] == (int)id;
        assert_int_equal(rc, is_refused ? CMW_ERR_ARG : 0);
    }
    fixture_close(&fixture);
}

static void statuses_have_three_digits(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 64);
    cmw_response *response = &fixture.response;
    assert_int_equal(cmw_response_status(response), 0);
    assert_int_equal(cmw_response_set_status(response, 100), 0);
    assert_int_equal(cmw_response_set_status(response, 999), 0);
    assert_int_equal(cmw_response_set_status(response, 99), CMW_ERR_ARG);
    assert_int_equal(cmw_response_set_status(response, 1000), CMW_ERR_ARG);
    assert_int_equal(cmw_response_set_status(response, -200), CMW_ERR_ARG);
    assert_int_equal(cmw_response_set_status(response, 65736), CMW_ERR_ARG);
    assert_int_equal(cmw_response_status(response), 999);
    fixture_close(&fixture);
}

static void nothing_is_changed_after_commit(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 4096);
    cmw_response *response = &fixture.response;
    assert_int_equal(cmw_response_set(response, CMW_HDR_ETAG, CMW_STR("a")), 0);
    assert_int_equal(cmw__response_freeze(response), 0);
    const cmw_str x = CMW_STR_INIT("X");
    assert_int_equal(cmw_response_set_status(response, 200), CMW_ERR_STATE);
    assert_int_equal(cmw_response_set(response, CMW_HDR_ETAG, x), CMW_ERR_STATE);
    assert_int_equal(cmw_response_append(response, CMW_HDR_ETAG, x), CMW_ERR_STATE);
    assert_int_equal(cmw_response_add_token(response, CMW_HDR_VARY, x), CMW_ERR_STATE);
    assert_int_equal(cmw_response_remove(response, CMW_HDR_ETAG), CMW_ERR_STATE);
    assert_int_equal(cmw_response_set_named(response, x, x), CMW_ERR_STATE);
    assert_int_equal(cmw_response_append_named(response, x, x), CMW_ERR_STATE);
    assert_int_equal(cmw_response_remove_named(response, x), CMW_ERR_STATE);
    assert_int_equal(cmw_response_empty(response, 200), CMW_ERR_STATE);
    assert_int_equal(cmw_response_text(response, 200, x), CMW_ERR_STATE);
    assert_int_equal(cmw_response_bytes_ref(response, 200, x), CMW_ERR_STATE);
    assert_int_equal(cmw_response_problem(response, 400, x), CMW_ERR_STATE);
    assert_int_equal(cmw_response_redirect(response, 302, x), CMW_ERR_STATE);
    assert_null(cmw_response_json(response, 200));
    expect_fields(response, "ETag: a\r\n");
    fixture_close(&fixture);
}

/* ---- Lists ------------------------------------------------------------------------------ */

struct token_row {
    const char *name;
    const char *first;  /* NULL: the field is not there */
    const char *second; /* a second line, or NULL */
    const char *token;
    int rc;
    const char *fields;
};

static const struct token_row token_rows[] = {
    {"the first token makes the field", NULL, NULL, "Origin", 0, "Vary: Origin\r\n"},
    {"another token is added", "Origin", NULL, "Accept", 0, "Vary: Origin, Accept\r\n"},
    {"a token is not repeated", "Origin", NULL, "Origin", 0, "Vary: Origin\r\n"},
    {"nor in another case", "Accept, ORIGIN", NULL, "origin", 0, "Vary: Accept, ORIGIN\r\n"},
    {"part of a member is not the member", "X-Origin", NULL, "Origin", 0,
     "Vary: X-Origin, Origin\r\n"},
    {"blanks around members do not count", "a ,\tOrigin\t, b", NULL, "Origin", 0,
     "Vary: a ,\tOrigin\t, b\r\n"},
    {"two lines become one", "a", "b", "c", 0, "Vary: a, b, c\r\n"},
    {"the second line is looked at", "a", "b", "b", 0, "Vary: a\r\nVary: b\r\n"},
    {"empty line gives no empty member", "", NULL, "a", 0, "Vary: a\r\n"},
    {"asterisk swallows what is added", "*", NULL, "Origin", 0, "Vary: *\r\n"},
    {"asterisk among others swallows what is added", "a, *", NULL, "b", 0, "Vary: a, *\r\n"},
    {"an added asterisk swallows the others", "a, b", "c", "*", 0, "Vary: *\r\n"},
    {"a comma in a quoted string separates nothing", "a=\"x, Origin, y\"", NULL, "Origin", 0,
     "Vary: a=\"x, Origin, y\", Origin\r\n"},
    {"an escaped quote ends no string", "a=\"\\\", b\"", NULL, "b", 0,
     "Vary: a=\"\\\", b\", b\r\n"},
    {"empty token is refused", "a", NULL, "", CMW_ERR_INVALID, "Vary: a\r\n"},
    {"list is no token", "a", NULL, "b, c", CMW_ERR_INVALID, "Vary: a\r\n"},
    {"line end is no token", "a", NULL, "b\r\n", CMW_ERR_INVALID, "Vary: a\r\n"},
};

static void check_token(void **state)
{
    const struct token_row *row = *state;
    struct fixture fixture;

    fixture_open(&fixture, 4096);
    cmw_response *response = &fixture.response;
    if (row->first)
        assert_int_equal(cmw_response_append(response, CMW_HDR_VARY, cmw_str_cstr(row->first)), 0);
    if (row->second)
        assert_int_equal(cmw_response_append(response, CMW_HDR_VARY, cmw_str_cstr(row->second)), 0);
    assert_int_equal(cmw_response_add_token(response, CMW_HDR_VARY, cmw_str_cstr(row->token)),
                     row->rc);
    expect_fields(response, row->fields);
    fixture_close(&fixture);
}

RUN_ROWS("response lists", token_rows, check_token)

static void asterisk_means_nothing_outside_vary(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 4096);
    cmw_response *response = &fixture.response;
    assert_int_equal(cmw_response_set(response, CMW_HDR_ALLOW, CMW_STR("*")), 0);
    assert_int_equal(cmw_response_add_token(response, CMW_HDR_ALLOW, CMW_STR("GET")), 0);
    expect_fields(response, "Allow: *, GET\r\n");
    fixture_close(&fixture);
}

/* ---- Against a plain list --------------------------------------------------------------- */

enum { BLOCKS = 24 };

static const char *const names[] = {"Vary",  "ETag",  "Cache-Control", "Set-Cookie",  "X-One",
                                    "X-Two", "Allow", "Link",          "X-Request-ID"};

struct blocks {
    struct cmw_header_block *blocks[BLOCKS];
    struct model models[BLOCKS];
};

static void make_blocks(struct blocks *blocks, cmw_pool *pool, uint64_t *seed)
{
    for (size_t i = 0; i < BLOCKS; i++) {
        struct model *model = &blocks->models[i];
        cmw_header fields[6];
        size_t bad;
        model->count = 0;
        const size_t count = next_random(seed) % LEN(fields);
        for (size_t k = 0; k < count; k++) {
            char value[32];
            (void)snprintf(value, sizeof value, "b%zu.%zu", i, k);
            model_append(model, names[next_random(seed) % LEN(names)], value);
            fields[k].name = cmw_str_cstr(model->fields[k].name);
            fields[k].value = cmw_str_cstr(model->fields[k].value);
        }
        assert_int_equal(
            cmw__header_block_create(&blocks->blocks[i], pool, fields, count, i % 2 == 1, &bad), 0);
    }
}

static void free_blocks(struct blocks *blocks, cmw_pool *pool)
{
    for (size_t i = 0; i < BLOCKS; i++)
        cmw__header_block_destroy(blocks->blocks[i], pool);
}

static void model_add_block(struct model *model, const struct model *block, int if_absent)
{
    const struct model before = *model;

    for (size_t i = 0; i < block->count && !if_absent; i++)
        model_remove(model, block->fields[i].name);
    for (size_t i = 0; i < block->count; i++) {
        if (!if_absent || !model_has(&before, block->fields[i].name))
            model_append(model, block->fields[i].name, block->fields[i].value);
    }
}

/* One change of both; the same return for the same seed. CMW_ERR_NOMEM leaves the model. */
static int change(cmw_response *response, struct model *model, const struct blocks *blocks,
                  uint64_t *seed)
{
    const char *name = names[next_random(seed) % LEN(names)];
    const cmw_header_id id = cmw_header_id_find(cmw_str_cstr(name));
    const unsigned which = next_random(seed) % BLOCKS;
    const unsigned kind = next_random(seed) % 8;
    const int by_id = id != CMW_HDR_OTHER && next_random(seed) % 2;
    const cmw_str field = cmw_str_cstr(name);
    char value[32];
    int rc;

    (void)snprintf(value, sizeof value, "v%u", next_random(seed) % 1000);
    const cmw_str text = cmw_str_cstr(value);
    if (kind < 2) {
        rc = by_id ? cmw_response_set(response, id, text)
                   : cmw_response_set_named(response, field, text);
        if (rc == 0)
            model_set(model, name, value);
    } else if (kind < 4) {
        rc = by_id ? cmw_response_append(response, id, text)
                   : cmw_response_append_named(response, field, text);
        if (rc == 0)
            model_append(model, name, value);
    } else if (kind < 6) {
        rc = by_id ? cmw_response_remove(response, id) : cmw_response_remove_named(response, field);
        if (rc == 0)
            model_remove(model, name);
    } else {
        rc = cmw__response_add_block(response, blocks->blocks[which]);
        if (rc == 0)
            model_add_block(model, &blocks->models[which], which % 2 == 1);
    }
    return rc;
}

static void random_changes_agree_with_a_plain_list(void **state)
{
    static struct blocks blocks;
    uint64_t seed = 11;
    (void)state;

    for (int round = 0; round < 1500; round++) {
        struct fixture fixture;
        struct model model = {.count = 0};
        fixture_open(&fixture, next_random(&seed) % 2 ? 0 : 8192);
        make_blocks(&blocks, fixture.pool, &seed);
        for (int step = 0; step < 30; step++) {
            assert_int_equal(change(&fixture.response, &model, &blocks, &seed), 0);
            expect_model(&fixture.response, &model);
            for (size_t i = 0; i < LEN(names); i++)
                assert_int_equal(cmw_response_has_named(&fixture.response, cmw_str_cstr(names[i])),
                                 model_has(&model, names[i]));
        }
        free_blocks(&blocks, fixture.pool);
        fixture_close(&fixture);
    }
}

/* The memory ends anywhere: what is refused has changed nothing, what is not has been done. */
static void without_memory_nothing_is_changed(void **state)
{
    static struct blocks blocks;
    uint64_t seed = 13;
    int refused = 0;
    (void)state;

    for (size_t round = 0; round < 3000; round++) {
        struct fixture fixture;
        struct model model = {.count = 0};
        fixture_open(&fixture, round % 1500);
        make_blocks(&blocks, fixture.pool, &seed);
        fixture.refuses = 1;
        for (int step = 0; step < 30; step++) {
            const int rc = change(&fixture.response, &model, &blocks, &seed);
            assert_true(rc == 0 || rc == CMW_ERR_NOMEM);
            refused += rc != 0;
            expect_model(&fixture.response, &model);
        }
        fixture.refuses = 0;
        free_blocks(&blocks, fixture.pool);
        fixture_close(&fixture);
    }
    assert_true(refused > 1000);
}

static void joining_a_list_without_memory_changes_nothing(void **state)
{
    int done = 0;
    (void)state;

    for (size_t chunk = 48; chunk < 200; chunk++) {
        struct fixture fixture;
        fixture_open(&fixture, chunk);
        fixture.refuses = 1;
        cmw_response *response = &fixture.response;
        assert_int_equal(cmw_response_append(response, CMW_HDR_VARY, CMW_STR("aaaaaaaaaa")), 0);
        assert_int_equal(cmw_response_append(response, CMW_HDR_VARY, CMW_STR("bbbb")), 0);
        const int rc = cmw_response_add_token(response, CMW_HDR_VARY, CMW_STR("cccc"));
        expect_fields(response, rc == 0 ? "Vary: aaaaaaaaaa, bbbb, cccc\r\n"
                                        : "Vary: aaaaaaaaaa\r\nVary: bbbb\r\n");
        done += rc == 0;
        fixture_close(&fixture);
    }
    assert_true(done > 0 && done < 152);
}

static void ten_thousand_fields_are_kept_and_removed(void **state)
{
    struct fixture fixture;
    char name[32];
    cmw_header header;
    cmw_header_cursor cursor = {0, 0};
    size_t count = 0;
    (void)state;

    fixture_open(&fixture, 4096);
    cmw_response *response = &fixture.response;
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(name, sizeof name, "X-Field-%d", i);
        assert_int_equal(cmw_response_append_named(response, cmw_str_cstr(name), CMW_STR("v")), 0);
        assert_int_equal(cmw_response_append(response, CMW_HDR_SET_COOKIE, CMW_STR("c")), 0);
    }
    while (cmw_response_next_header(response, &cursor, &header, 0))
        count++;
    assert_int_equal(count, 10000);
    assert_int_equal(cmw_response_remove(response, CMW_HDR_SET_COOKIE), 0);
    assert_int_equal(response->segment_count, 5000);
    assert_true(cmw_response_has_named(response, CMW_STR("x-field-4999")));
    assert_int_equal(cmw_response_remove_named(response, CMW_STR("x-field-4999")), 0);
    assert_false(cmw_response_has_named(response, CMW_STR("x-field-4999")));
    fixture_close(&fixture);
}

static void too_many_fields_are_refused(void **state)
{
    struct fixture fixture;
    int rc = 0;
    (void)state;

    fixture_open(&fixture, 4096);
    for (int i = 0; i < 65535; i++)
        assert_int_equal(cmw_response_append(&fixture.response, CMW_HDR_LINK, CMW_STR("")), 0);
    rc = cmw_response_append(&fixture.response, CMW_HDR_LINK, CMW_STR(""));
    assert_int_equal(rc, CMW_ERR_NOMEM);
    assert_int_equal(fixture.response.segment_count, 65535);
    fixture_close(&fixture);
}

static void a_value_can_be_set_again_from_itself(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 4096);
    cmw_response *response = &fixture.response;
    assert_int_equal(cmw_response_set(response, CMW_HDR_ETAG, CMW_STR("\"abc\"")), 0);
    const cmw_str value = cmw_response_get(response, CMW_HDR_ETAG);
    assert_int_equal(cmw_response_set(response, CMW_HDR_ETAG, value), 0);
    expect_fields(response, "ETag: \"abc\"\r\n");
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_byte_is_judged_at_every_place),
        cmocka_unit_test(a_line_may_end_with_the_chunk),
        cmocka_unit_test(over_long_names_are_refused),
        cmocka_unit_test(managed_and_unknown_ids_are_refused),
        cmocka_unit_test(statuses_have_three_digits),
        cmocka_unit_test(nothing_is_changed_after_commit),
        cmocka_unit_test(asterisk_means_nothing_outside_vary),
        cmocka_unit_test(random_changes_agree_with_a_plain_list),
        cmocka_unit_test(without_memory_nothing_is_changed),
        cmocka_unit_test(joining_a_list_without_memory_changes_nothing),
        cmocka_unit_test(ten_thousand_fields_are_kept_and_removed),
        cmocka_unit_test(too_many_fields_are_refused),
        cmocka_unit_test(a_value_can_be_set_again_from_itself),
    };
    return run_check_value() + run_check_name() + run_check_token() +
           cmocka_run_group_tests_name("response", tests, NULL, NULL);
}
