/* SPDX-License-Identifier: MIT */
/* Accept: which weight a type gets. */
#include "message_fixture.h"

#include <catzilla/negotiate.h>

#include "guard_page.h"

struct row {
    const char *name;
    const char *accept; /* NULL: no field */
    const char *type;
    int quality;
};

/* RFC 9110, 12.5.1 */
#define FLOWED                                                                                     \
    "text/*;q=0.3, text/plain;q=0.7, text/plain;format=flowed, text/plain;format=fixed;q=0.4, "    \
    "*/*;q=0.5"

static const struct row rows[] = {
    {"without the field everything is wanted", NULL, "text/html", 1000},
    {"an empty field wants everything", "", "text/html", 1000},
    {"only commas want everything", ", ,,", "text/html", 1000},
    {"a type that is named", "text/html", "text/html", 1000},
    {"a type that is not named", "text/html", "text/plain", 0},
    {"any case", "TEXT/Html", "text/html", 1000},
    {"a weight", "text/html;q=0.5", "text/html", 500},
    {"a weight in upper case", "text/html;Q=0.5", "text/html", 500},
    {"a weight of three digits", "text/html;q=0.125", "text/html", 125},
    {"a weight of one", "text/html;q=1.000", "text/html", 1000},
    {"a weight of nothing", "text/html;q=0", "text/html", 0},
    {"a point without digits", "text/html;q=0.", "text/html", 0},
    {"blanks around the semicolon", "text/html ; q=0.3", "text/html", 300},
    {"a tab", "text/html\t;\tq=0.3", "text/html", 300},
    {"every type", "*/*;q=0.2", "text/html", 200},
    {"every subtype", "text/*;q=0.4", "text/html", 400},
    {"a subtype of another type", "image/*", "text/html", 0},
    {"the exact range beats the others", "*/*;q=0.1,text/*;q=0.2,text/html;q=0.3", "text/html",
     300},
    {"in any order", "text/html;q=0.3,text/*;q=0.2,*/*;q=0.1", "text/html", 300},
    {"a refusal of the exact type holds", "text/html;q=0,*/*", "text/html", 0},
    {"the type beats the star", "*/*,text/*;q=0.2", "text/html", 200},
    {"a range with parameters, if nothing else fits", "text/html;level=1;q=0.4", "text/html", 400},
    {"but behind all that does", "text/html;level=1, */*;q=0.2", "text/html", 200},
    {"and it refuses nothing", "text/html;level=1;q=0, text/*;q=0.4", "text/html", 400},
    {"a charset narrows nothing", "text/html; Charset=utf-8;q=0.9, */*;q=0.2", "text/html", 900},
    {"nor does what stands behind the weight", "text/html;q=0.9;a=b, */*;q=0.2", "text/html", 900},
    {"the standard's own example", FLOWED, "text/plain", 700},
    {"and its other types", FLOWED, "text/html", 300},
    {"and others", FLOWED, "image/jpeg", 500},
    {"a quoted comma is no member", "text/html;a=\"x,text/plain\";q=0.4", "text/plain", 0},
    {"a quoted quote ends nothing", "text/html;a=\"x\\\",\";q=0.4", "text/html", 400},
    {"a weight above one spoils its member", "text/html;q=1.5,*/*;q=0.2", "text/html", 200},
    {"a weight of four digits spoils it", "text/html;q=0.1234,*/*;q=0.2", "text/html", 200},
    {"a weight that is none spoils it", "text/html;q=x,*/*;q=0.2", "text/html", 200},
    {"a negative weight spoils it", "text/html;q=-1,*/*;q=0.2", "text/html", 200},
    {"an empty weight spoils it", "text/html;q=,*/*;q=0.2", "text/html", 200},
    {"a star in front of a subtype is nothing", "*/html", "text/html", 0},
    {"a browser prefers HTML", "text/html,application/xhtml+xml,*/*;q=0.8", "application/json",
     800},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_header header = {CMW_STR("Accept"), CMW_STR("")};
    struct fixture fixture;
    struct guard_page page;

    fixture_open(&fixture, 256);
    guard_page_open(&page, 256);
    if (row->accept)
        header.value = guard_page_put(&page, cmw_str_cstr(row->accept));
    fixture.view.headers = &header;
    fixture.view.header_count = row->accept ? 1 : 0;
    cmw_request *request = fixture_request(&fixture);
    assert_int_equal(cmw_request_accepts(request, cmw_str_cstr(row->type)), row->quality);
    guard_page_close(&page);
    fixture_close(&fixture);
}

RUN_ROWS("negotiate", rows, check_row)

static void two_fields_are_one_list(void **state)
{
    const cmw_header headers[] = {{CMW_STR("Accept"), CMW_STR("text/*;q=0.1")},
                                  {CMW_STR("accept"), CMW_STR("text/html;q=0.7")}};
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, 256);
    fixture.view.headers = headers;
    fixture.view.header_count = 2;
    cmw_request *request = fixture_request(&fixture);
    assert_int_equal(cmw_request_accepts(request, CMW_STR("text/html")), 700);
    assert_int_equal(cmw_request_accepts(request, CMW_STR("text/plain")), 100);
    fixture_close(&fixture);
}

/* The choice is what weighing them one by one would choose, also beyond the eight of one walk. */
static void the_best_of_several_is_chosen(void **state)
{
    static const char *const fields[] = {
        NULL,
        "",
        "text/html",
        "*/*;q=0.1, text/*;q=0.3, text/plain;q=0.7",
        "a/9;q=0.2, a/11;q=0.9, a/3;q=0.2",
        "a/*;q=0.5, a/0;q=0",
        "text/html;x=\"a/11,a/9\";q=0.4, a/10;q=0.4",
        "a/0;q=0, a/1;q=0, text/html;q=2",
    };
    static const cmw_str offers[] = {
        CMW_STR_INIT("a/0"),       CMW_STR_INIT("a/1"),        CMW_STR_INIT("text/html"),
        CMW_STR_INIT("a/3"),       CMW_STR_INIT("text/plain"), CMW_STR_INIT("a/5"),
        CMW_STR_INIT("image/png"), CMW_STR_INIT("a/7"),        CMW_STR_INIT("a/8"),
        CMW_STR_INIT("a/9"),       CMW_STR_INIT("a/10"),       CMW_STR_INIT("a/11"),
    };
    const size_t most = sizeof offers / sizeof *offers;

    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        const cmw_header header = {CMW_STR("Accept"), cmw_str_cstr(fields[i])};
        struct fixture fixture;

        fixture_open(&fixture, 256);
        fixture.view.headers = &header;
        fixture.view.header_count = fields[i] != NULL;
        cmw_request *const request = fixture_request(&fixture);
        for (size_t count = 0; count <= most; count++) {
            size_t best = 0;
            int best_weight = 0, weight = -1;
            for (size_t k = 0; k < count; k++)
                if (cmw_request_accepts(request, offers[k]) > best_weight) {
                    best_weight = cmw_request_accepts(request, offers[k]);
                    best = k;
                }
            assert_int_equal(cmw_request_choose(request, &weight, CMW_HDR_ACCEPT, offers, count),
                             best);
            assert_int_equal(weight, best_weight);
        }
        fixture_close(&fixture);
    }
}

static void other_fields_choose_nothing(void **state)
{
    const cmw_str offer = CMW_STR("text/html");
    struct fixture fixture;
    int weight = -1;

    (void)state;
    fixture_open(&fixture, 256);
    assert_int_equal(
        cmw_request_choose(fixture_request(&fixture), &weight, CMW_HDR_COOKIE, &offer, 1), 0);
    assert_int_equal(weight, 0);
    fixture_close(&fixture);
}

struct other_row {
    const char *name;
    const char *field; /* NULL: none */
    const char *offer;
    int quality;
};

static const struct other_row languages[] = {
    {"without the field every language is wanted", NULL, "en", 1000},
    {"a language that is named", "de, en;q=0.5", "en", 500},
    {"and one that is not", "de", "en", 0},
    {"a range is the beginning", "pt;q=0.4", "pt-BR", 400},
    {"up to a dash", "p", "pt-BR", 0},
    {"a range that goes on is looked up", "pt-BR;q=0.8", "pt", 800},
    {"behind a dash", "ptx", "pt", 0},
    {"before the star", "pt-BR;q=0.8, *;q=0.2", "pt", 800},
    {"but behind the language itself", "pt-BR, pt;q=0.3", "pt", 300},
    {"the most of several", "de-AT;q=0.3, de-CH;q=0.6, de-LI;q=0.5", "de", 600},
    {"it refuses only what it names", "de-AT;q=0, *;q=0.5", "de", 500},
    {"and wants nothing then", "de-AT;q=0", "de", 0},
    {"the longer range counts", "pt;q=0.1, pt-br;q=0.9, *;q=0.3", "pt-BR", 900},
    {"in any case", "EN-us", "en-US", 1000},
    {"a star", "de, *;q=0.2", "en", 200},
    {"a refusal beats the star", "en;q=0, *", "en-US", 0},
};

static const struct other_row codings[] = {
    {"without the field every coding is wanted", NULL, "br", 1000},
    {"an empty field wants none", "", "gzip", 0},
    {"but identity", "", "identity", 1},
    {"a coding with a weight", "gzip;q=0.7", "gzip", 700},
    {"in any case", "GZip", "gzip", 1000},
    {"its old name", "x-gzip;q=0.3", "gzip", 300},
    {"a star", "*;q=0.2", "br", 200},
    {"identity refused", "identity;q=0", "identity", 0},
    {"identity refused by a star", "*;q=0", "identity", 0},
    {"identity named beside a star", "*;q=0, identity;q=0.1", "identity", 100},
};

static void check_others(const struct other_row *others, size_t count, const char *name,
                         int (*weigh)(cmw_request *request, cmw_str offer))
{
    for (size_t i = 0; i < count; i++) {
        const struct other_row *const row = &others[i];
        const cmw_header header = {cmw_str_cstr(name), cmw_str_cstr(row->field)};
        struct fixture fixture;

        fixture_open(&fixture, 256);
        fixture.view.headers = &header;
        fixture.view.header_count = row->field != NULL;
        if (weigh(fixture_request(&fixture), cmw_str_cstr(row->offer)) != row->quality)
            fail_msg("%s", row->name);
        fixture_close(&fixture);
    }
}

static void languages_are_weighed(void **state)
{
    (void)state;
    check_others(languages, LEN(languages), "Accept-Language", cmw_request_accepts_language);
}

static void codings_are_weighed(void **state)
{
    (void)state;
    check_others(codings, LEN(codings), "Accept-Encoding", cmw_request_accepts_encoding);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_of_several_is_chosen),
        cmocka_unit_test(other_fields_choose_nothing), cmocka_unit_test(two_fields_are_one_list),
        cmocka_unit_test(languages_are_weighed), cmocka_unit_test(codings_are_weighed)};

    return run_check_row() | cmocka_run_group_tests_name("negotiate fields", tests, NULL, NULL);
}
