/* SPDX-License-Identifier: MIT */
/* url_path: the canonical path under each rule, and what is refused. */
#include "builtin_fixture.h"

#include <catzilla/builtin/url_path.h>

enum { KEEP_SLASHES = 1, STRIP = 2, ADD = 4, REJECT_DOTS = 8, REJECT_ENCODED = 16 };

struct row {
    const char *name;
    int rules;
    const char *target;
    const char *path; /* NULL: 400 */
};

static const struct row rows[] = {
    {"a plain path", 0, "/a/b", "/a/b"},
    {"dot segments are resolved", 0, "/a/../b/./c", "/b/c"},
    {"escaped dot segments too", 0, "/a/%2e%2E/b", "/b"},
    {"nobody climbs over the root", 0, "/../../etc/passwd", "/etc/passwd"},
    {"slashes are merged", 0, "//a///b//", "/a/b/"},
    {"slashes are merged before dot segments", 0, "/a//../b", "/b"},
    {"an encoded slash is data", 0, "/a%2fb", "/a%2Fb"},
    {"an encoded backslash is data", 0, "/a%5cb", "/a%5Cb"},
    {"an encoded dot segment with a slash climbs nowhere", 0, "/a/..%2fb", "/a/..%2Fb"},
    {"a backslash is refused", 0, "/a\\..\\b", NULL},
    {"NUL is refused", 0, "/a%00.png", NULL},
    {"a cut escape is refused", 0, "/a%2", NULL},
    {"an escape of other letters is refused", 0, "/a%zz", NULL},
    {"a control byte is refused", 0, "/a\x01", NULL},
    {"a target without a slash is refused", 0, "a/b", NULL},
    {"the query is no path", 0, "/a?b/../c%00", "/a"},
    {"an absolute target", 0, "http://h.example/a/../b", "/b"},
    {"empty segments can stay", KEEP_SLASHES, "/a//b", "/a//b"},
    {"at the end too", KEEP_SLASHES, "/a///b//", "/a///b//"},
    {"at the front too", KEEP_SLASHES, "//", "//"},
    {".. takes an empty segment away", KEEP_SLASHES, "/a/b//..//c", "/a/b//c"},
    {".. at an empty root", KEEP_SLASHES, "//..", "/"},
    {"a dot behind an empty segment", KEEP_SLASHES, "/a//./b", "/a//b"},
    {"a slash is stripped", STRIP, "/foo/", "/foo"},
    {"every slash is stripped", STRIP | KEEP_SLASHES, "/foo//", "/foo"},
    {"the root is not", STRIP, "/", "/"},
    {"what .. leaves is stripped", STRIP, "/a/b/..", "/a"},
    {"only slashes are the root", STRIP | KEEP_SLASHES, "///", "/"},
    {"a slash is added", ADD, "/foo", "/foo/"},
    {"one slash is enough", ADD, "/foo/", "/foo/"},
    {"the root has one", ADD, "/", "/"},
    {"before the query", ADD, "/foo?a=a", "/foo/"},
    {"dot segments can be refused", REJECT_DOTS, "/a/../b", NULL},
    {"single ones too", REJECT_DOTS, "/a/.", NULL},
    {"escaped ones too", REJECT_DOTS, "/a/%2e/b", NULL},
    {"three dots are a name", REJECT_DOTS, "/.../a", "/.../a"},
    {"a dot in front of a name", REJECT_DOTS, "/.well-known/x", "/.well-known/x"},
    {"encoded slashes can be refused", REJECT_ENCODED, "/a%2Fb", NULL},
    {"encoded backslashes with them", REJECT_ENCODED, "/a%5cb", NULL},
    {"other escapes are not", REJECT_ENCODED, "/a%23b", "/a%23b"},
};

static int say_path(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_response_text(cmw_ctx_response(ctx), 200, cmw_request_path(cmw_ctx_request(ctx)));
}

static cmw_url_path_config config_of(int rules)
{
    cmw_url_path_config config;

    cmw_url_path_config_init(&config);
    config.merge_slashes = !(rules & KEEP_SLASHES);
    config.trailing_slash = rules & STRIP ? CMW_TRAILING_SLASH_STRIP
                            : rules & ADD ? CMW_TRAILING_SLASH_ADD
                                          : CMW_TRAILING_SLASH_KEEP;
    config.dot_segments = rules & REJECT_DOTS ? CMW_DOT_SEGMENTS_REJECT : CMW_DOT_SEGMENTS_REMOVE;
    config.encoded_slash = rules & REJECT_ENCODED ? CMW_ENCODED_SLASH_REJECT : 0;
    return config;
}

static void check_row(void **state)
{
    const struct row *row = *state;
    const cmw_url_path_config config = config_of(row->rules);
    cmw_test *test = open_bench("url_path", &config);

    cmw_test_set_handler(test, say_path, NULL);
    cmw_test_request(test, "GET", row->target);
    assert_int_equal(cmw_test_send(test), row->path ? 200 : 400);
    if (row->path)
        assert_string_equal(cmw_test_response_body(test).data, row->path);
    else
        assert_string_equal(cmw_test_response_field(test, "Content-Type"),
                            "application/problem+json");
    assert_no_allocation(test);
    close_bench(test);
}

/* Conditions see the path of the rules: a guard of "/admin/" is not passed by without the slash. */
static void path_conditions_see_the_rules(void **state)
{
    static const char *const paths[] = {"/admin/"};
    const cmw_header mark[] = {{CMW_STR("X-Guard"), CMW_STR("1")}};
    const cmw_url_path_config config = config_of(ADD);
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_condition condition;
    cmw_middleware guard;

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "url_path", &config, NULL), 0);
    cmw_condition_init(&condition);
    condition.paths = paths;
    condition.path_count = 1;
    cmw_middleware_init(&guard);
    guard.name = "guard";
    guard.condition = &condition;
    guard.fields = mark;
    guard.field_count = 1;
    assert_int_equal(cmw_chain_add(chain, &guard, NULL), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
    cmw_test_request(test, "GET", "/admin");
    cmw_test_send(test);
    assert_string_equal(cmw_test_response_field(test, "X-Guard"), "1");
    cmw_test_request(test, "GET", "/x/../admin");
    cmw_test_send(test);
    assert_string_equal(cmw_test_response_field(test, "X-Guard"), "1");
    close_bench(test);
}

static void a_long_climb_is_linear(void **state)
{
    enum { STEPS = 10000 };
    static char target[4 * STEPS + 1];
    cmw_test *test = open_bench("url_path", NULL);

    (void)state;
    for (size_t i = 0; i < STEPS; i++)
        memcpy(target + 4 * i, i % 2 ? "/../" : "/a//", 4);
    cmw_test_set_handler(test, say_path, NULL);
    cmw_test_request(test, "GET", target);
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_body(test).data, "/");
    close_bench(test);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    cmw_url_path_config config;

    (void)state;
    cmw_url_path_config_init(&config);
    config.trailing_slash = 3;
    assert_refused("url_path", &config, CMW_ERR_ARG, "url_path: trailing_slash: 3 is no such rule");
    cmw_url_path_config_init(&config);
    config.dot_segments = -1;
    assert_refused("url_path", &config, CMW_ERR_ARG, "url_path: dot_segments: -1 is no such rule");
    cmw_url_path_config_init(&config);
    config.percent = 1;
    assert_refused("url_path", &config, CMW_ERR_ARG, "url_path: percent: 1 is no such rule");
    cmw_url_path_config_init(&config);
    config.encoded_slash = 2;
    assert_refused("url_path", &config, CMW_ERR_ARG, "url_path: encoded_slash: 2 is no such rule");
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    assert_survives_failing_memory("url_path", NULL);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(path_conditions_see_the_rules),
        cmocka_unit_test(a_long_climb_is_linear),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("url_path", tests, NULL, NULL) |
           cmocka_run_group_tests_name("url_path: the rest", others, NULL, NULL);
}
