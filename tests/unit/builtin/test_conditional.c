/* SPDX-License-Identifier: MIT */
/* conditional: what is left of a response, and tags over bodies. */
#include "builtin_fixture.h"

#include <catzilla/builtin/conditional.h>

#include "body_hash.h"

/* What the handler answers. */
struct answer {
    int status;
    const char *etag;
    const char *modified;
    const char *body;
};

static int answer(void *self, cmw_ctx *ctx)
{
    const struct answer *const made = self;
    cmw_response *const response = cmw_ctx_response(ctx);
    int rc = cmw_response_text(response, made->status, cmw_str_cstr(made->body));

    if (made->etag)
        rc |= cmw_response_set(response, CMW_HDR_ETAG, cmw_str_cstr(made->etag));
    if (made->modified)
        rc |= cmw_response_set(response, CMW_HDR_LAST_MODIFIED, cmw_str_cstr(made->modified));
    rc |= cmw_response_set(response, CMW_HDR_CACHE_CONTROL, CMW_STR("max-age=60"));
    rc |= cmw_response_set(response, CMW_HDR_CONTENT_LANGUAGE, CMW_STR("en"));
    rc |= cmw_response_set(response, CMW_HDR_VARY, CMW_STR("Accept"));
    return rc;
}

static cmw_test *open_answering(int auto_etag, struct answer *made)
{
    cmw_conditional_config config;

    cmw_conditional_config_init(&config);
    config.auto_etag = auto_etag;
    cmw_test *const test = open_bench("conditional", &config);
    cmw_test_set_handler(test, answer, made);
    return test;
}

static int ask(cmw_test *test, const char *method, const char *name, const char *value)
{
    cmw_test_request(test, method, "/");
    if (name)
        cmw_test_header(test, name, value);
    return cmw_test_send(test);
}

#define THEN "Wed, 15 Nov 1995 04:58:08 GMT"

struct row {
    const char *name;
    const char *method, *field, *value;
    struct answer made;
    int status;
};

static const struct row rows[] = {
    {"nothing is asked", "GET", NULL, NULL, {200, "\"a\"", NULL, "x"}, 200},
    {"the client has it", "GET", "If-None-Match", "\"a\"", {200, "\"a\"", NULL, "x"}, 304},
    {"HEAD, too", "HEAD", "If-None-Match", "\"a\"", {200, "\"a\"", NULL, "x"}, 304},
    {"another", "GET", "If-None-Match", "\"b\"", {200, "\"a\"", NULL, "x"}, 200},
    {"no tag to compare", "GET", "If-None-Match", "\"a\"", {200, NULL, NULL, "x"}, 200},
    {"a tag that is none", "GET", "If-None-Match", "a", {200, "a", NULL, "x"}, 200},
    {"by date", "GET", "If-Modified-Since", THEN, {200, NULL, THEN, "x"}, 304},
    {"a Last-Modified that is no date",
     "GET",
     "If-Modified-Since",
     THEN,
     {200, NULL, "now", "x"},
     200},
    {"it means another", "GET", "If-Match", "\"b\"", {200, "\"a\"", NULL, "x"}, 412},
    {"a refusal stays", "GET", "If-None-Match", "*", {403, "\"a\"", NULL, "x"}, 403},
    {"a redirect stays", "GET", "If-None-Match", "*", {302, "\"a\"", NULL, "x"}, 302},
    {"POST has done its work", "POST", "If-None-Match", "\"a\"", {200, "\"a\"", NULL, "x"}, 200},
    {"so has PUT", "PUT", "If-Match", "\"b\"", {200, "\"a\"", NULL, "x"}, 200},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct answer made = row->made;
    cmw_test *const test = open_answering(CMW_AUTO_ETAG_OFF, &made);

    assert_int_equal(ask(test, row->method, row->field, row->value), row->status);
    assert_string_equal(cmw_test_response_field(test, "Cache-Control"), "max-age=60");
    assert_string_equal(cmw_test_response_field(test, "Vary"), "Accept");
    if (row->status == 304) {
        assert_int_equal(cmw_test_response_body(test).len, 0);
        assert_null(cmw_test_response_field(test, "Content-Type"));
        assert_null(cmw_test_response_field(test, "Content-Language"));
        assert_int_equal(cmw_test_response_count(test, "ETag"), made.etag != NULL);
        assert_int_equal(cmw_test_response_count(test, "Last-Modified"), made.etag == NULL);
    } else if (row->status == 412) {
        assert_string_equal(cmw_test_response_field(test, "Content-Type"),
                            "application/problem+json");
        assert_null(cmw_test_response_field(test, "ETag"));
        assert_null(cmw_test_response_field(test, "Content-Language"));
    } else {
        assert_string_equal(cmw_test_response_field(test, "Content-Language"), "en");
    }
    assert_no_allocation(test);
    close_bench(test);
}

static void a_tag_is_made_of_the_body(void **state)
{
    struct answer made = {200, NULL, NULL, "hello"};
    cmw_test *test = open_answering(CMW_AUTO_ETAG_STRONG, &made);

    (void)state;
    assert_int_equal(ask(test, "GET", NULL, NULL), 200);
    assert_string_equal(cmw_test_response_field(test, "ETag"),
                        "\"5-cbd8a7b341bd9b025b1e906a48ae1d19\"");
    assert_int_equal(ask(test, "GET", "If-None-Match", "\"5-cbd8a7b341bd9b025b1e906a48ae1d19\""),
                     304);
    assert_string_equal(cmw_test_response_field(test, "ETag"),
                        "\"5-cbd8a7b341bd9b025b1e906a48ae1d19\"");
    made.body = "hello!";
    assert_int_equal(ask(test, "GET", "If-None-Match", "\"5-cbd8a7b341bd9b025b1e906a48ae1d19\""),
                     200);
    made.etag = "\"own\"";
    assert_int_equal(ask(test, "GET", NULL, NULL), 200);
    assert_string_equal(cmw_test_response_field(test, "ETag"), "\"own\"");
    made.etag = NULL;
    made.body = "";
    assert_int_equal(ask(test, "GET", NULL, NULL), 200);
    assert_null(cmw_test_response_field(test, "ETag"));
    made.body = "hello";
    made.status = 404;
    assert_int_equal(ask(test, "GET", NULL, NULL), 404);
    assert_null(cmw_test_response_field(test, "ETag"));
    made.status = 200;
    assert_int_equal(ask(test, "POST", NULL, NULL), 200);
    assert_null(cmw_test_response_field(test, "ETag"));
    assert_int_equal(ask(test, "GET", NULL, NULL), 200);
    assert_no_allocation(test);
    close_bench(test);

    test = open_answering(CMW_AUTO_ETAG_WEAK, &made);
    assert_int_equal(ask(test, "GET", NULL, NULL), 200);
    assert_string_equal(cmw_test_response_field(test, "ETag"),
                        "W/\"5-cbd8a7b341bd9b025b1e906a48ae1d19\"");
    assert_int_equal(ask(test, "GET", "If-None-Match", "\"5-cbd8a7b341bd9b025b1e906a48ae1d19\""),
                     304);
    close_bench(test);
}

/* As MurmurHash3_x64_128 gives them. */
static void the_hash_is_the_one_it_says(void **state)
{
    static const struct {
        const char *body;
        uint64_t one, two;
    } cases[] = {
        {"", 0, 0},
        {"hello", UINT64_C(0xcbd8a7b341bd9b02), UINT64_C(0x5b1e906a48ae1d19)},
        {"The quick brown fox jumps over the lazy dog", UINT64_C(0xe34bbc7bbc071b6c),
         UINT64_C(0x7a433ca9c49a9347)},
    };

    (void)state;
    for (size_t i = 0; i < LEN(cases); i++) {
        uint64_t hash[2];
        cmw__body_hash(hash, cmw_str_cstr(cases[i].body));
        assert_true(hash[0] == cases[i].one && hash[1] == cases[i].two);
    }
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    cmw_conditional_config config;

    (void)state;
    cmw_conditional_config_init(&config);
    config.auto_etag = 3;
    assert_refused("conditional", &config, CMW_ERR_ARG,
                   "conditional: auto_etag: there is none with number 3");
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    assert_survives_failing_memory("conditional", NULL);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(a_tag_is_made_of_the_body),
        cmocka_unit_test(the_hash_is_the_one_it_says),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("conditional", tests, NULL, NULL) |
           cmocka_run_group_tests_name("conditional: the rest", others, NULL, NULL);
}
