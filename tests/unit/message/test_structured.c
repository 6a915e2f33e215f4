/* SPDX-License-Identifier: MIT */
/*
 * Structured fields: what is read, what is refused, what is written. The suite of the HTTP working
 * group runs as vectors.structured_fields; here is what it does not ask.
 */
#include "message_fixture.h"

#include <stdio.h>

#include <catzilla/structured_field.h>

#include "guard_page.h"

/* What a reader hands out, one thing after another: "a=1 ;x=? b=( p q ) END". */
struct row {
    const char *name;
    cmw_sf_kind kind;
    const char *field;
    const char *events;
};

#define D CMW_SF_DICTIONARY
#define L CMW_SF_LIST
#define I CMW_SF_ITEM

static const struct row rows[] = {
    {"an empty dictionary", D, "", "end"},
    {"blanks alone", D, "   ", "end"},
    {"an empty list", L, "", "end"},
    {"an empty item is none", I, "", "bad"},
    {"members", D, "a=1, b=2", "a=i1 b=i2 end"},
    {"a member without a value", D, "a, b;x", "a=?1 b=?1 ;x=?1 end"},
    {"a key that comes twice is handed out twice", D, "a=1,a=2", "a=i1 a=i2 end"},
    {"every type", L, "1, -1.5, \"s\", t, :aGk=:, ?0, @9, %\"d\"",
     "i1 d-1500 s<s> t<t> b<hi> ?0 @9 u<d> end"},
    {"an inner list", L, "(1 a);x=2", "( i1 t<a> ) ;x=i2 end"},
    {"parameters of its items", L, "(1;y 2);x", "( i1 ;y=?1 i2 ) ;x=?1 end"},
    {"an empty inner list", D, "a=(   )", "a=( ) end"},
    {"tabs between members", L, "1\t,\t2", "i1 i2 end"},
    {"a tab in front", L, "\t1", "bad"},
    {"a tab behind a list", L, "1\t", "i1 end"},
    {"a tab behind an item", I, "1\t", "i1 bad"},
    {"a tab in an inner list", L, "(1\t2)", "( i1 bad"},
    {"blanks before a parameter's key", I, "1;  a=2", "i1 ;a=i2 end"},
    {"a blank before the semicolon", I, "1 ;a", "i1 bad"},
    {"a blank around the equals sign", D, "a= 1", "bad"},
    {"a comma at the end", L, "1,", "i1 bad"},
    {"two commas", L, "1,,2", "i1 bad"},
    {"a comma in front", L, ",1", "bad"},
    {"no comma", L, "1 2", "i1 bad"},
    {"an inner list in an inner list", L, "((1))", "( bad"},
    {"an inner list that stays open", L, "(1 2", "( i1 i2 bad"},
    {"an inner list that ends twice", L, "(1))", "( i1 ) bad"},
    {"items without a blank between", L, "(1\"a\")", "( i1 bad"},
    {"a string that stays open", I, "\"a", "bad"},
    {"a backslash at the end", I, "\"a\\", "bad"},
    {"another escape", I, "\"a\\n\"", "bad"},
    {"escapes", I, "\"\\\"\\\\\"", "s<\"\\> end"},
    {"the largest integer", I, "999999999999999", "i999999999999999 end"},
    {"a longer one", I, "1000000000000000", "bad"},
    {"zeros in front count", I, "0000000000000001", "bad"},
    {"the largest decimal", I, "999999999999.999", "d999999999999999 end"},
    {"a longer whole part", I, "1000000000000.0", "bad"},
    {"four digits behind the point", I, "1.0000", "bad"},
    {"no digit behind the point", I, "1.", "bad"},
    {"no digit before the point", I, ".1", "bad"},
    {"a sign alone", I, "-", "bad"},
    {"two signs", I, "--1", "bad"},
    {"a plus sign", I, "+1", "bad"},
    {"a decimal date", I, "@1.5", "bad"},
    {"a boolean of another digit", I, "?2", "bad"},
    {"a boolean without one", I, "?", "bad"},
    {"base64 without padding", I, ":aGk:", "b<hi> end"},
    {"half of the padding", I, ":aA=:", "bad"},
    {"padding of nothing", I, ":====:", "bad"},
    {"padding where none is due", I, ":aGkh====:", "bad"},
    {"one digit of base64", I, ":a:", "bad"},
    {"URL-safe digits", I, ":-_-_:", "bad"},
    {"no bytes", I, "::", "b<> end"},
    {"a display string", I, "%\"%c3%bc%22%25\"", "u<\xc3\xbc\"%> end"},
    {"an overlong sequence", I, "%\"%c0%80\"", "bad"},
    {"a surrogate", I, "%\"%ed%a0%80\"", "bad"},
    {"half a sequence", I, "%\"%c3\"", "bad"},
    {"half a sequence and a letter", I, "%\"%c3a\"", "bad"},
    {"upper case", I, "%\"%C3%BC\"", "bad"},
    {"half an escape at the end", I, "%\"%c", "bad"},
    {"an escape at the end", I, "%\"%c3%", "bad"},
    {"a line end in a string", I, "\"a\nb\"", "bad"},
    {"bytes above ASCII", I, "\"\xc3\xbc\"", "bad"},
    {"a key in upper case", D, "A=1", "bad"},
    {"a key that begins with a digit", D, "1a=1", "bad"},
    {"a key of all its bytes", D, "*a_-.*9=1", "*a_-.*9=i1 end"},
    {"a token of all its bytes", I, "*a:/!#$%&'*+-.^_`|~9", "t<*a:/!#$%&'*+-.^_`|~9> end"},
    {"a parameter without a key", I, "1;", "i1 bad"},
    {"a member after a bad one", D, "a=1, B, c=2", "a=i1 bad"},
};

/* ---- Writing down what is handed out ---------------------------------------------------- */

struct events {
    char text[512];
    size_t len;
};

static void note(struct events *events, const char *text, size_t len)
{
    assert_true(len < sizeof events->text - events->len);
    memcpy(events->text + events->len, text, len);
    events->text[events->len += len] = '\0';
}

static void note_value(struct events *events, const cmw_sf_value *value)
{
    static const char letters[] = "idstb?@u";
    char number[32];

    if (value->type == CMW_SF_INNER_LIST) {
        note(events, "( ", 2);
        return;
    }
    note(events, &letters[value->type], 1);
    if (value->type == CMW_SF_STRING || value->type == CMW_SF_TOKEN ||
        value->type == CMW_SF_BYTES || value->type == CMW_SF_DISPLAY_STRING) {
        note(events, "<", 1);
        note(events, value->text.data, value->text.len);
        note(events, "> ", 2);
        return;
    }
    snprintf(number, sizeof number, "%lld ", (long long)value->number);
    note(events, number, strlen(number));
}

static void note_params(struct events *events, cmw_sf_reader *reader, cmw_arena *arena)
{
    cmw_str key;
    cmw_sf_value value;

    while (cmw_sf_next_param(reader, &key, &value) > 0) {
        note(events, ";", 1);
        note(events, key.data, key.len);
        note(events, "=", 1);
        assert_int_equal(cmw_sf_decode(&value, arena), 0);
        note_value(events, &value);
    }
}

static void note_member(struct events *events, cmw_sf_reader *reader, cmw_sf_value *value,
                        cmw_arena *arena)
{
    cmw_sf_value inner;
    int rc;

    assert_int_equal(cmw_sf_decode(value, arena), 0);
    note_value(events, value);
    if (value->type == CMW_SF_INNER_LIST) {
        while ((rc = cmw_sf_next_inner(reader, &inner)) > 0) {
            note_value(events, &inner);
            note_params(events, reader, arena);
        }
        if (rc < 0)
            return;
        note(events, ") ", 2);
    }
    note_params(events, reader, arena);
}

static int next_of(cmw_sf_reader *reader, cmw_sf_kind kind, cmw_str *key, cmw_sf_value *value)
{
    *key = cmw_str_make(NULL, 0);
    if (kind == CMW_SF_DICTIONARY)
        return cmw_sf_next_member(reader, key, value);
    return kind == CMW_SF_LIST ? cmw_sf_next_item(reader, value) : cmw_sf_only_item(reader, value);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct events events = {.len = 0};
    struct fixture fixture;
    struct guard_page page;
    cmw_sf_reader reader;
    cmw_sf_value value;
    cmw_str key;
    int rc;

    fixture_open(&fixture, 4096);
    guard_page_open(&page, 256);
    const cmw_str field = guard_page_put(&page, cmw_str_cstr(row->field));
    cmw_sf_reader_init(&reader, field);
    while ((rc = next_of(&reader, row->kind, &key, &value)) > 0) {
        if (key.len > 0) {
            note(&events, key.data, key.len);
            note(&events, "=", 1);
        }
        note_member(&events, &reader, &value, &fixture.arena);
    }
    note(&events, rc == 0 ? "end" : "bad", 3);
    assert_string_equal(events.text, row->events);
    assert_int_equal(next_of(&reader, row->kind, &key, &value), rc);
    assert_int_equal(cmw_sf_check(field, row->kind), rc);
    guard_page_close(&page);
    fixture_close(&fixture);
}

/* ---- The rest of reading ---------------------------------------------------------------- */

static void what_is_not_asked_for_is_checked(void **state)
{
    cmw_sf_reader reader;
    cmw_sf_value value;
    cmw_str key;

    (void)state;
    cmw_sf_reader_init(&reader, CMW_STR("a=(1 2;x);y, b=(1 2"));
    assert_int_equal(cmw_sf_next_member(&reader, &key, &value), 1);
    assert_int_equal(cmw_sf_next_member(&reader, &key, &value), 1);
    assert_int_equal(cmw_sf_next_member(&reader, &key, &value), CMW_ERR_INVALID);
    assert_int_equal(cmw_sf_next_inner(&reader, &value), CMW_ERR_INVALID);
    assert_int_equal(cmw_sf_next_param(&reader, &key, &value), CMW_ERR_INVALID);
    /* The parameters of a list that was not read. */
    cmw_sf_reader_init(&reader, CMW_STR("a=(1 2;x);y"));
    assert_int_equal(cmw_sf_next_member(&reader, &key, &value), 1);
    assert_int_equal(cmw_sf_next_param(&reader, &key, &value), 1);
    assert_true(cmw_str_equals(key, CMW_STR("y")));
    assert_int_equal(cmw_sf_next_param(&reader, &key, &value), 0);
    assert_int_equal(cmw_sf_next_inner(&reader, &value), 0);
}

static void nothing_is_handed_out_before_the_first_member(void **state)
{
    cmw_sf_reader reader;
    cmw_sf_value value;
    cmw_str key;

    (void)state;
    cmw_sf_reader_init(&reader, CMW_STR(";x"));
    assert_int_equal(cmw_sf_next_param(&reader, &key, &value), 0);
    assert_int_equal(cmw_sf_next_inner(&reader, &value), 0);
}

static void find_gives_the_last_one(void **state)
{
    cmw_sf_value value = cmw_sf_number(CMW_SF_DATE, 7);

    (void)state;
    assert_int_equal(cmw_sf_find(&value, CMW_STR("a=1, b=2, a=3"), CMW_STR("a")), 1);
    assert_int_equal(value.number, 3);
    assert_int_equal(cmw_sf_find(&value, CMW_STR("a=1, b"), CMW_STR("b")), 1);
    assert_true(value.type == CMW_SF_BOOLEAN && value.number == 1);
    assert_int_equal(cmw_sf_find(&value, CMW_STR("a=1"), CMW_STR("c")), 0);
    assert_int_equal(cmw_sf_find(&value, CMW_STR("a=1, ,"), CMW_STR("a")), CMW_ERR_INVALID);
    assert_int_equal(value.type, CMW_SF_BOOLEAN); /* as it was */
}

static void fields_of_one_name_are_joined(void **state)
{
    cmw_header headers[] = {{CMW_STR("Priority"), CMW_STR("u=1")},
                            {CMW_STR("TE"), CMW_STR("trailers")},
                            {CMW_STR("priority"), {NULL, 0}},
                            {CMW_STR("PRIORITY"), CMW_STR("i")}};
    struct fixture fixture;
    cmw_str value;

    (void)state;
    fixture_open(&fixture, 256);
    fixture.view.headers = headers;
    fixture.view.header_count = LEN(headers);
    cmw_request *const request = fixture_request(&fixture);
    assert_int_equal(cmw_request_joined(request, &value, CMW_HDR_PRIORITY), 0);
    assert_true(cmw_str_equals(value, CMW_STR("u=1, , i")));
    assert_int_equal(cmw_request_joined(request, &value, CMW_HDR_TE), 0);
    assert_ptr_equal(value.data, headers[1].value.data);
    assert_int_equal(cmw_request_joined(request, &value, CMW_HDR_VIA), 0);
    assert_null(value.data);
    fixture_close(&fixture);
}

/* ---- Writing ---------------------------------------------------------------------------- */

static void a_dictionary_is_written(void **state)
{
    const cmw_sf_value one = cmw_sf_number(CMW_SF_INTEGER, 1);
    const cmw_sf_value yes = cmw_sf_number(CMW_SF_BOOLEAN, 1);
    const cmw_sf_value half = cmw_sf_number(CMW_SF_DECIMAL, -500);
    const cmw_sf_value text = cmw_sf_text(CMW_SF_STRING, CMW_STR("a\"b\\"));
    const cmw_sf_value bytes = cmw_sf_text(CMW_SF_BYTES, CMW_STR("\xff\x00\x01\x02"));
    const cmw_sf_value shown = cmw_sf_text(CMW_SF_DISPLAY_STRING, CMW_STR("\xc3\xbc%\"\n"));
    static const char whole[] = "a;x=1;y, b=-0.5, c=(\"a\\\"b\\\\\" :/wABAg==:;z);w, d=%\"%c3%bc%25"
                                "%22%0a\"";
    char room[128];
    cmw_str field;

    (void)state;
    for (size_t cap = 0; cap < sizeof room; cap++) {
        cmw_sf_writer writer;
        memset(room, '~', sizeof room);
        cmw_sf_writer_init(&writer, cap > 0 ? room : NULL, cap);
        cmw_sf_key(&writer, CMW_STR("a"));
        cmw_sf_item(&writer, &yes);
        cmw_sf_param(&writer, CMW_STR("x"), &one);
        cmw_sf_param(&writer, CMW_STR("y"), &yes);
        cmw_sf_key(&writer, CMW_STR("b"));
        cmw_sf_item(&writer, &half);
        cmw_sf_key(&writer, CMW_STR("c"));
        cmw_sf_inner_begin(&writer);
        cmw_sf_item(&writer, &text);
        cmw_sf_item(&writer, &bytes);
        cmw_sf_param(&writer, CMW_STR("z"), &yes);
        cmw_sf_inner_end(&writer);
        cmw_sf_param(&writer, CMW_STR("w"), &yes);
        cmw_sf_key(&writer, CMW_STR("d"));
        cmw_sf_item(&writer, &shown);
        const int rc = cmw_sf_writer_finish(&writer, &field);
        assert_int_equal(writer.len, sizeof whole - 1);
        assert_int_equal(rc, cap < writer.len ? CMW_ERR_LIMIT : 0);
        assert_int_equal(room[cap], '~'); /* nothing behind the room */
        if (rc == 0)
            assert_true(cmw_str_equals(field, cmw_str_cstr(whole)));
    }
}

static void what_has_no_form_is_not_written(void **state)
{
    const cmw_sf_value values[] = {
        cmw_sf_number(CMW_SF_INTEGER, CMW_SF_NUMBER_MAX + 1),
        cmw_sf_number(CMW_SF_INTEGER, INT64_MIN),
        cmw_sf_number(CMW_SF_DECIMAL, -CMW_SF_NUMBER_MAX - 1),
        cmw_sf_number(CMW_SF_DATE, INT64_MAX),
        cmw_sf_text(CMW_SF_STRING, CMW_STR("a\r\nSet-Cookie: b")),
        cmw_sf_text(CMW_SF_STRING, CMW_STR("\xc3\xbc")),
        cmw_sf_text(CMW_SF_STRING, CMW_STR("\0")),
        cmw_sf_text(CMW_SF_TOKEN, CMW_STR("")),
        cmw_sf_text(CMW_SF_TOKEN, CMW_STR("1a")),
        cmw_sf_text(CMW_SF_TOKEN, CMW_STR("a b")),
        cmw_sf_text(CMW_SF_DISPLAY_STRING, CMW_STR("\xc3")),
    };
    char room[64];
    cmw_str field;

    (void)state;
    for (size_t i = 0; i < LEN(values); i++) {
        cmw_sf_writer writer;
        cmw_sf_writer_init(&writer, room, sizeof room);
        cmw_sf_item(&writer, &values[i]);
        assert_int_equal(cmw_sf_writer_finish(&writer, &field), CMW_ERR_INVALID);
    }
    for (size_t i = 0; i < 4; i++) {
        static const char *const keys[] = {"", "A", "1", "a="};
        const cmw_sf_value one = cmw_sf_number(CMW_SF_INTEGER, 1);
        cmw_sf_writer writer;
        cmw_sf_writer_init(&writer, room, sizeof room);
        cmw_sf_key(&writer, cmw_str_cstr(keys[i]));
        cmw_sf_item(&writer, &one);
        assert_int_equal(cmw_sf_writer_finish(&writer, &field), CMW_ERR_INVALID);
    }
}

static void calls_out_of_place_are_reported(void **state)
{
    static const char *const calls[] = {"k",  "kk", "p",   "(",  ")", "((",
                                        "(k", "ik", "kii", "k(", "(p"};
    const cmw_sf_value one = cmw_sf_number(CMW_SF_INTEGER, 1);
    char room[64];
    cmw_str field;

    (void)state;
    for (size_t i = 0; i < LEN(calls); i++) {
        cmw_sf_writer writer;
        cmw_sf_writer_init(&writer, room, sizeof room);
        for (const char *call = calls[i]; *call; call++) {
            if (*call == 'k')
                cmw_sf_key(&writer, CMW_STR("a"));
            else if (*call == 'i')
                cmw_sf_item(&writer, &one);
            else if (*call == 'p')
                cmw_sf_param(&writer, CMW_STR("a"), &one);
            else if (*call == '(')
                cmw_sf_inner_begin(&writer);
            else
                cmw_sf_inner_end(&writer);
        }
        assert_int_equal(cmw_sf_writer_finish(&writer, &field), CMW_ERR_STATE);
    }
}

static void an_encoded_value_is_decoded_first(void **state)
{
    struct fixture fixture;
    cmw_sf_reader reader;
    cmw_sf_writer writer;
    cmw_sf_value value;
    char room[16];
    cmw_str field;

    (void)state;
    fixture_open(&fixture, 256);
    cmw_sf_reader_init(&reader, CMW_STR("\"\\\"\""));
    assert_int_equal(cmw_sf_only_item(&reader, &value), 1);
    cmw_sf_writer_init(&writer, room, sizeof room);
    cmw_sf_item(&writer, &value);
    assert_int_equal(cmw_sf_writer_finish(&writer, &field), CMW_ERR_ARG);
    assert_int_equal(cmw_sf_decode(&value, &fixture.arena), 0);
    cmw_sf_writer_init(&writer, room, sizeof room);
    cmw_sf_item(&writer, &value);
    assert_int_equal(cmw_sf_writer_finish(&writer, &field), 0);
    assert_true(cmw_str_equals(field, CMW_STR("\"\\\"\"")));
    fixture_close(&fixture);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(what_is_not_asked_for_is_checked),
        cmocka_unit_test(nothing_is_handed_out_before_the_first_member),
        cmocka_unit_test(find_gives_the_last_one),
        cmocka_unit_test(fields_of_one_name_are_joined),
        cmocka_unit_test(a_dictionary_is_written),
        cmocka_unit_test(what_has_no_form_is_not_written),
        cmocka_unit_test(calls_out_of_place_are_reported),
        cmocka_unit_test(an_encoded_value_is_decoded_first),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("structured", tests, NULL, NULL) |
           cmocka_run_group_tests_name("structured: the rest", others, NULL, NULL);
}
