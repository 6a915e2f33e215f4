/* SPDX-License-Identifier: MIT */
#include "guard_page.h"
#include "message_fixture.h"

#include <locale.h>
#include <math.h>

/* ---- Strings ---------------------------------------------------------------------------- */

struct row {
    const char *name;
    cmw_str text;
    const char *written;
};

#define BAD "\xef\xbf\xbd"

static const struct row rows[] = {
    {"empty string", CMW_STR_INIT(""), "\"\""},
    {"plain text", CMW_STR_INIT("abc"), "\"abc\""},
    {"sixteen plain bytes", CMW_STR_INIT("0123456789abcdef"), "\"0123456789abcdef\""},
    {"quote and backslash", CMW_STR_INIT("a\"b\\c"), "\"a\\\"b\\\\c\""},
    {"short escapes", CMW_STR_INIT("\b\t\n\f\r"), "\"\\b\\t\\n\\f\\r\""},
    {"other controls", CMW_STR_INIT("\x01\x0b\x1f"), "\"\\u0001\\u000b\\u001f\""},
    {"NUL inside", CMW_STR_INIT("a\0b"), "\"a\\u0000b\""},
    {"DEL stays", CMW_STR_INIT("\x7f"), "\"\x7f\""},
    {"slash stays", CMW_STR_INIT("a/b"), "\"a/b\""},
    {"escape behind sixteen bytes", CMW_STR_INIT("0123456789abcdef\""), "\"0123456789abcdef\\\"\""},
    {"two bytes of UTF-8", CMW_STR_INIT("\xc3\xa9"), "\"\xc3\xa9\""},
    {"three bytes of UTF-8", CMW_STR_INIT("\xe2\x82\xac"), "\"\xe2\x82\xac\""},
    {"four bytes of UTF-8", CMW_STR_INIT("\xf0\x9f\x98\x80"), "\"\xf0\x9f\x98\x80\""},
    {"largest code point", CMW_STR_INIT("\xf4\x8f\xbf\xbf"), "\"\xf4\x8f\xbf\xbf\""},
    {"lonely continuation", CMW_STR_INIT("a\x80z"), "\"a" BAD "z\""},
    {"cut sequence", CMW_STR_INIT("\xe2\x82"), "\"" BAD BAD "\""},
    {"cut sequence before text", CMW_STR_INIT("\xc3z"), "\"" BAD "z\""},
    {"overlong slash", CMW_STR_INIT("\xc0\xaf"), "\"" BAD BAD "\""},
    {"overlong in three bytes", CMW_STR_INIT("\xe0\x80\xaf"), "\"" BAD BAD BAD "\""},
    {"surrogate", CMW_STR_INIT("\xed\xa0\x80"), "\"" BAD BAD BAD "\""},
    {"beyond the last code point", CMW_STR_INIT("\xf4\x90\x80\x80"), "\"" BAD BAD BAD BAD "\""},
    {"byte of no encoding", CMW_STR_INIT("\xff"), "\"" BAD "\""},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct guard_page page;
    struct fixture fixture;
    cmw_json json;
    cmw_str out;

    fixture_open(&fixture, 0);
    guard_page_open(&page, 256);
    cmw_json_init(&json, &fixture.arena);
    cmw_json_string(&json, guard_page_put(&page, row->text));
    assert_int_equal(cmw_json_finish(&json, &out), 0);
    assert_cstr(out, row->written);
    guard_page_close(&page);
    fixture_close(&fixture);
}

RUN_ROWS("json strings", rows, check_row)

/* ---- Numbers ---------------------------------------------------------------------------- */

struct number_row {
    const char *name;
    double number;
    const char *written;
};

static const struct number_row number_rows[] = {
    {"zero", 0.0, "0"},
    {"negative zero keeps its sign", -0.0, "-0"},
    {"whole number", 100.0, "100"},
    {"large whole number", 9007199254740991.0, "9007199254740991"},
    {"one tenth", 0.1, "0.1"},
    {"sum that is not three tenths", 0.1 + 0.2, "0.30000000000000004"},
    {"one third", 1.0 / 3.0, "0.3333333333333333"},
    {"price", -1234.5, "-1234.5"},
    {"least positive", 5e-324, "5e-324"},
    {"largest", 1.7976931348623157e308, "1.7976931348623157e+308"},
    {"large power of ten", 1e22, "1e+22"},
    {"not a number is null", (double)NAN, "null"},
    {"infinity is null", (double)INFINITY, "null"},
    {"minus infinity is null", -(double)INFINITY, "null"},
};

static void check_number(void **state)
{
    const struct number_row *row = *state;
    struct fixture fixture;
    cmw_json json;
    cmw_str out;

    fixture_open(&fixture, 4096);
    cmw_json_init(&json, &fixture.arena);
    cmw_json_double(&json, row->number);
    assert_int_equal(cmw_json_finish(&json, &out), 0);
    assert_cstr(out, row->written);
    fixture_close(&fixture);
}

RUN_ROWS("json numbers", number_rows, check_number)

static void doubles_read_back_as_they_were(void **state)
{
    struct fixture fixture;
    uint64_t seed = 3;
    (void)state;

    fixture_open(&fixture, 4096);
    for (int round = 0; round < 20000; round++) {
        const uint64_t bits = (uint64_t)next_random(&seed) << 33 ^ next_random(&seed);
        double number, back;
        char text[64];
        cmw_json json;
        cmw_str out;
        memcpy(&number, &bits, sizeof number);
        if (!isfinite(number))
            continue;
        cmw__arena_reset(&fixture.arena);
        cmw_json_init(&json, &fixture.arena);
        cmw_json_double(&json, number);
        assert_int_equal(cmw_json_finish(&json, &out), 0);
        memcpy(text, out.data, out.len);
        text[out.len] = '\0';
        back = strtod(text, NULL);
        assert_memory_equal(&back, &number, sizeof back);
    }
    fixture_close(&fixture);
}

static void decimal_point_does_not_follow_the_locale(void **state)
{
    static const char *const locales[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8",
                                          "ps_AF.UTF-8"};
    struct fixture fixture;
    cmw_json json;
    cmw_str out;
    (void)state;

    fixture_open(&fixture, 4096);
    for (size_t i = 0; i < LEN(locales); i++) {
        if (!setlocale(LC_NUMERIC, locales[i]))
            continue;
        cmw_json_init(&json, &fixture.arena);
        cmw_json_double(&json, 1.5e-7);
        (void)setlocale(LC_NUMERIC, "C");
        assert_int_equal(cmw_json_finish(&json, &out), 0);
        assert_cstr(out, "1.5e-07");
    }
    fixture_close(&fixture);
}

/* ---- Documents -------------------------------------------------------------------------- */

static void a_document_is_written_as_called(void **state)
{
    struct fixture fixture;
    cmw_json json;
    cmw_str out;
    (void)state;

    fixture_open(&fixture, 64);
    cmw_json_init(&json, &fixture.arena);
    cmw_json_object_begin(&json);
    cmw_json_key(&json, CMW_STR("list"));
    cmw_json_array_begin(&json);
    cmw_json_int(&json, INT64_MIN);
    cmw_json_uint(&json, UINT64_MAX);
    cmw_json_bool(&json, 1);
    cmw_json_bool(&json, 0);
    cmw_json_null(&json);
    cmw_json_array_begin(&json);
    cmw_json_array_end(&json);
    cmw_json_array_end(&json);
    cmw_json_key(&json, CMW_STR("a\"b"));
    cmw_json_object_begin(&json);
    cmw_json_object_end(&json);
    cmw_json_key(&json, CMW_STR("raw"));
    cmw_json_raw(&json, CMW_STR("[1]"));
    cmw_json_object_end(&json);
    assert_int_equal(cmw_json_finish(&json, &out), 0);
    assert_cstr(out, "{\"list\":[-9223372036854775808,18446744073709551615,true,false,null,[]],"
                     "\"a\\\"b\":{},\"raw\":[1]}");
    fixture_close(&fixture);
}

/* One letter for each call. */
static void call(cmw_json *json, char letter)
{
    switch (letter) {
    case '{':
        cmw_json_object_begin(json);
        break;
    case '}':
        cmw_json_object_end(json);
        break;
    case '[':
        cmw_json_array_begin(json);
        break;
    case ']':
        cmw_json_array_end(json);
        break;
    case 'k':
        cmw_json_key(json, CMW_STR("k"));
        break;
    default:
        cmw_json_int(json, 1);
        break;
    }
}

struct misuse_row {
    const char *name;
    const char *calls;
    int rc;
};

static const struct misuse_row misuse_rows[] = {
    {"nothing is no document", "", CMW_ERR_STATE},
    {"a value is one", "v", 0},
    {"two values are not one", "vv", CMW_ERR_STATE},
    {"missing end", "{", CMW_ERR_STATE},
    {"missing value", "{k}", CMW_ERR_STATE},
    {"value where a key is due", "{v}", CMW_ERR_STATE},
    {"two keys", "{kk", CMW_ERR_STATE},
    {"key in an array", "[k", CMW_ERR_STATE},
    {"key at the top", "k", CMW_ERR_STATE},
    {"wrong end", "[}", CMW_ERR_STATE},
    {"end of nothing", "]", CMW_ERR_STATE},
    {"end behind a whole value", "[]]", CMW_ERR_STATE},
    {"a mistake is latched", "{v}{kv}", CMW_ERR_STATE},
    {"whole object", "{kv}", 0},
};

static void check_misuse(void **state)
{
    const struct misuse_row *row = *state;
    struct fixture fixture;
    cmw_str out = CMW_STR_INIT("untouched");
    cmw_json json;

    fixture_open(&fixture, 4096);
    cmw_json_init(&json, &fixture.arena);
    for (const char *at = row->calls; *at; at++)
        call(&json, *at);
    assert_int_equal(cmw_json_finish(&json, &out), row->rc);
    if (row->rc != 0)
        assert_cstr(out, "untouched");
    fixture_close(&fixture);
}

RUN_ROWS("json misuse", misuse_rows, check_misuse)

static int finish_at_depth(struct fixture *fixture, unsigned depth)
{
    cmw_json json;
    cmw_str out;

    cmw_json_init(&json, &fixture->arena);
    for (unsigned i = 0; i < depth; i++)
        cmw_json_array_begin(&json);
    for (unsigned i = 0; i < depth; i++)
        cmw_json_array_end(&json);
    return cmw_json_finish(&json, &out);
}

static void one_level_too_many_is_the_limit(void **state)
{
    struct fixture fixture;
    (void)state;

    fixture_open(&fixture, 4096);
    assert_int_equal(finish_at_depth(&fixture, CMW_JSON_DEPTH), 0);
    assert_int_equal(finish_at_depth(&fixture, CMW_JSON_DEPTH + 1), CMW_ERR_LIMIT);
    fixture_close(&fixture);
}

static void long_text_grows_across_blocks(void **state)
{
    struct fixture fixture;
    cmw_json json;
    cmw_str out;
    (void)state;

    fixture_open(&fixture, 100);
    cmw_json_init(&json, &fixture.arena);
    cmw_json_array_begin(&json);
    for (int i = 0; i < 10000; i++) {
        cmw_json_string(&json, CMW_STR("0123456789\n"));
        if (i % 1000 == 0)
            assert_non_null(
                cmw_arena_alloc(&fixture.arena, 8)); /* the text is not the newest now */
    }
    cmw_json_array_end(&json);
    assert_int_equal(cmw_json_finish(&json, &out), 0);
    assert_int_equal(out.len, 2 + 10000 * 14 + 9999);
    assert_memory_equal(out.data + out.len - 15, "\"0123456789\\n\"]", 15);
    fixture_close(&fixture);
}

static void lack_of_memory_is_latched(void **state)
{
    (void)state;

    for (size_t chunk = 0; chunk < 4096; chunk += 64) {
        struct fixture fixture;
        cmw_json json;
        cmw_str out;
        fixture_open(&fixture, chunk);
        fixture.refuses = 1;
        cmw_json_init(&json, &fixture.arena);
        cmw_json_array_begin(&json);
        for (int i = 0; i < 300; i++)
            cmw_json_string(&json, CMW_STR("abcdef"));
        cmw_json_array_end(&json);
        assert_int_equal(cmw_json_finish(&json, &out), CMW_ERR_NOMEM);
        fixture_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(doubles_read_back_as_they_were),
        cmocka_unit_test(decimal_point_does_not_follow_the_locale),
        cmocka_unit_test(a_document_is_written_as_called),
        cmocka_unit_test(one_level_too_many_is_the_limit),
        cmocka_unit_test(long_text_grows_across_blocks),
        cmocka_unit_test(lack_of_memory_is_latched),
    };
    return run_check_row() + run_check_number() + run_check_misuse() +
           cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
