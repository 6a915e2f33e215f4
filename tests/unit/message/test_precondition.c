/* SPDX-License-Identifier: MIT */
/* Entity tags, and the order in which preconditions are asked. */
#include "message_fixture.h"

#include <catzilla/precondition.h>

#include "guard_page.h"

struct tag_row {
    const char *name;
    const char *list, *etag;
    int strong, weak; /* whether it is listed */
};

static const struct tag_row tag_rows[] = {
    {"the same", "\"a\"", "\"a\"", 1, 1},
    {"another", "\"b\"", "\"a\"", 0, 0},
    {"one of a list", "\"b\", \"a\"", "\"a\"", 1, 1},
    {"a comma inside a tag", "\"a,b\", \"c\"", "\"a,b\"", 1, 1},
    {"which is no separator", "\"a,b\"", "\"a\"", 0, 0},
    {"a weak member", "W/\"a\"", "\"a\"", 0, 1},
    {"a weak tag", "\"a\"", "W/\"a\"", 0, 1},
    {"both weak", "W/\"a\"", "W/\"a\"", 0, 1},
    {"a small w", "w/\"a\"", "\"a\"", 0, 0},
    {"a star", "*", "\"a\"", 1, 1},
    {"a star with blanks", " * ", "\"a\"", 1, 1},
    {"a star, without a tag", "*", "", 1, 1},
    {"a star in a list", "\"b\", *", "\"a\"", 0, 0},
    {"two stars", "**", "\"a\"", 0, 0},
    {"without quotes", "a", "a", 0, 0},
    {"a tag without quotes", "\"a\"", "a", 0, 0},
    {"one quote", "\"a", "\"a", 0, 0},
    {"more behind it", "\"a\"b", "\"a\"", 0, 0},
    {"a blank inside", "\"a b\"", "\"a b\"", 0, 0},
    {"a backslash is a byte", "\"a\\\"", "\"a\\\"", 1, 1},
    {"obs-text", "\"\xc3\xbc\"", "\"\xc3\xbc\"", 1, 1},
    {"empty tags", "\"\"", "\"\"", 1, 1},
    {"empty members", ",,\"b\",\t,\"a\",", "\"a\"", 1, 1},
    {"what is no tag is passed over", "b, W/, \"a\"", "\"a\"", 1, 1},
    {"a prefix", "\"ab\"", "\"a\"", 0, 0},
    {"no list", "", "\"a\"", 0, 0},
    {"W alone", "W", "W", 0, 0},
};

static void check_tag_row(void **state)
{
    const struct tag_row *row = *state;
    const cmw_str etag = cmw_str_cstr(row->etag);
    struct guard_page page;

    guard_page_open(&page, 64);
    const cmw_str list = guard_page_put(&page, cmw_str_cstr(row->list));
    assert_int_equal(cmw_etag_is_listed(list, etag, CMW_ETAG_STRONG), row->strong);
    assert_int_equal(cmw_etag_is_listed(list, etag, CMW_ETAG_WEAK), row->weak);
    guard_page_close(&page);
}

static void what_a_tag_is(void **state)
{
    (void)state;
    assert_true(cmw_etag_is_valid(CMW_STR("\"a\"")));
    assert_true(cmw_etag_is_valid(CMW_STR("W/\"\"")));
    assert_false(cmw_etag_is_valid(CMW_STR("")));
    assert_false(cmw_etag_is_valid(CMW_STR("*")));
    assert_false(cmw_etag_is_valid(CMW_STR("\"a\" ")));
    assert_false(cmw_etag_is_valid(CMW_STR("\"a\"\"")));
    assert_false(cmw_etag_is_valid(CMW_STR("\"a\n\"")));
}

/* ---- Requests --------------------------------------------------------------------------- */

#define EARLY "Wed, 15 Nov 1995 04:58:07 GMT"
#define THEN "Wed, 15 Nov 1995 04:58:08 GMT"
#define LATER "Wed, 15 Nov 1995 04:58:09 GMT"

struct row {
    const char *name;
    const char *method;
    const char *match, *unmodified, *none_match, *modified;
    int answer; /* for "a", last modified THEN */
};

static const struct row rows[] = {
    {"nothing is asked", "GET", NULL, NULL, NULL, NULL, 0},
    {"it matches", "GET", "\"a\"", NULL, NULL, NULL, 0},
    {"it does not", "GET", "\"b\"", NULL, NULL, NULL, 412},
    {"it matches weakly", "GET", "W/\"a\"", NULL, NULL, NULL, 412},
    {"If-Match beats If-Unmodified-Since", "GET", "\"a\"", EARLY, NULL, NULL, 0},
    {"unmodified", "GET", NULL, THEN, NULL, NULL, 0},
    {"modified since", "GET", NULL, EARLY, NULL, NULL, 412},
    {"no date", "GET", NULL, "yesterday", NULL, NULL, 0},
    {"the client has it", "GET", NULL, NULL, "\"a\"", NULL, 304},
    {"weakly", "HEAD", NULL, NULL, "W/\"a\"", NULL, 304},
    {"not this one", "GET", NULL, NULL, "\"b\"", NULL, 0},
    {"If-None-Match beats If-Modified-Since", "GET", NULL, NULL, "\"b\"", THEN, 0},
    {"not modified", "GET", NULL, NULL, NULL, THEN, 304},
    {"not modified later", "GET", NULL, NULL, NULL, LATER, 304},
    {"modified", "GET", NULL, NULL, NULL, EARLY, 0},
    {"no date to compare", "GET", NULL, NULL, NULL, "0", 0},
    {"If-Match is asked first", "GET", "\"b\"", NULL, "\"a\"", NULL, 412},
    {"then If-None-Match", "GET", "\"a\"", NULL, "\"a\"", NULL, 304},
    {"a change that is expected", "PUT", "\"a\"", NULL, NULL, NULL, 0},
    {"a change of something else", "PUT", "\"b\"", NULL, NULL, NULL, 412},
    {"a change where nothing is to be", "PUT", NULL, NULL, "*", NULL, 412},
    {"If-Modified-Since is for reading", "POST", NULL, NULL, NULL, THEN, 0},
};

static void add(struct fixture *fixture, cmw_header *headers, const char *name, const char *value)
{
    if (value)
        headers[fixture->view.header_count++] =
            (cmw_header){cmw_str_cstr(name), cmw_str_cstr(value)};
}

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_validators validators;
    cmw_header headers[4];
    struct fixture fixture;

    fixture_open(&fixture, 256);
    fixture.view.method = cmw_str_cstr(row->method);
    fixture.view.headers = headers;
    fixture.view.header_count = 0;
    add(&fixture, headers, "If-Match", row->match);
    add(&fixture, headers, "If-Unmodified-Since", row->unmodified);
    add(&fixture, headers, "If-None-Match", row->none_match);
    add(&fixture, headers, "If-Modified-Since", row->modified);
    cmw_request *const request = fixture_request(&fixture);
    cmw_validators_init(&validators);
    validators.etag = CMW_STR("\"a\"");
    validators.last_modified_s = 816411488;
    assert_int_equal(cmw_request_check_preconditions(request, &validators, 1767225600),
                     row->answer);
    fixture_close(&fixture);
}

static void what_is_missing_matches_nothing(void **state)
{
    cmw_header headers[] = {{CMW_STR("If-None-Match"), CMW_STR("*")}};
    cmw_validators validators;
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, 256);
    fixture.view.method = CMW_STR("PUT");
    fixture.view.headers = headers;
    fixture.view.header_count = 1;
    cmw_request *request = fixture_request(&fixture);
    cmw_validators_init(&validators);
    assert_int_equal(cmw_request_check_preconditions(request, &validators, 0), 412);
    validators.is_missing = 1;
    assert_int_equal(cmw_request_check_preconditions(request, &validators, 0), 0);
    headers[0].name = CMW_STR("If-Match");
    request = fixture_request(&fixture);
    assert_int_equal(cmw_request_check_preconditions(request, &validators, 0), 412);
    fixture_close(&fixture);
}

static void a_date_that_came_twice_is_nobodys_word(void **state)
{
    cmw_header headers[] = {{CMW_STR("If-Modified-Since"), CMW_STR(THEN)},
                            {CMW_STR("If-Modified-Since"), CMW_STR(THEN)}};
    cmw_validators validators;
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, 256);
    fixture.view.method = CMW_STR("GET");
    fixture.view.headers = headers;
    fixture.view.header_count = 2;
    cmw_request *const request = fixture_request(&fixture);
    cmw_validators_init(&validators);
    validators.last_modified_s = 816411488;
    assert_int_equal(cmw_request_check_preconditions(request, &validators, 0), 0);
    fixture_close(&fixture);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows) + LEN(tag_rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(what_a_tag_is),
        cmocka_unit_test(what_is_missing_matches_nothing),
        cmocka_unit_test(a_date_that_came_twice_is_nobodys_word),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    for (size_t i = 0; i < LEN(tag_rows); i++)
        tests[LEN(rows) + i] = ROW_TEST(&tag_rows[i], check_tag_row);
    return cmocka_run_group_tests_name("precondition", tests, NULL, NULL) |
           cmocka_run_group_tests_name("precondition: the rest", others, NULL, NULL);
}
