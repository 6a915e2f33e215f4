/* SPDX-License-Identifier: MIT */
/* redirect: where paths go, and what leads nowhere. */
#include "builtin_fixture.h"

#include <catzilla/builtin/redirect.h>
#include <catzilla/builtin/url_path.h>

static const cmw_redirect_rule rules[] = {
    {"/old", "/new", 301},
    {"/users/{id}", "/people/{id}", 0},
    {"/users/{id}/posts/{post}", "/p/{post}-{id}", 302},
    {"/docs/*", "https://docs.example/v2/{*}", 307},
    {"/top/*", "/{*}", 0},
    {"/one/{name}", "/{name}", 0},
    {"/find/{word}", "/search?q={word}&page=1", 303},
    {"/same/{x}", "/same/{x}", 0},
    {"/slash/", "/slash", 0},
};

struct row {
    const char *name;
    const char *target;
    int status;
    const char *location; /* NULL: none */
};

static const struct row rows[] = {
    {"a path", "/old", 301, "/new"},
    {"a query goes along", "/old?a=b&c[]=d", 301, "/new?a=b&c[]=d"},
    {"what is below it stays", "/old/x", 200, NULL},
    {"what begins like it stays", "/older", 200, NULL},
    {"a capture", "/users/7", 308, "/people/7"},
    {"a capture needs a segment", "/users/", 200, NULL},
    {"another spelling of the path", "/x/..//users/%37", 308, "/people/7"},
    {"captures in any order", "/users/7/posts/9", 302, "/p/9-7"},
    {"a longer path than the pattern", "/users/7/posts/9/x", 200, NULL},
    {"to another host", "/docs/a/b", 307, "https://docs.example/v2/a/b"},
    {"the star takes nothing too", "/docs", 307, "https://docs.example/v2/"},
    {"a host in the rest stays a path", "/docs/@evil.example", 307,
     "https://docs.example/v2/@evil.example"},
    {"the rest", "/top/a/b?c", 308, "/a/b?c"},
    {"an escaped backslash at the front leads nowhere", "/top/%5Cevil.example", 400, NULL},
    {"nor one in lower case", "/top/%5cevil.example", 400, NULL},
    {"an escaped slash at the front leads nowhere", "/top/%2Fevil.example", 400, NULL},
    {"nor by a capture", "/one/%2Fevil.example", 400, NULL},
    {"nor by a capture with a backslash", "/one/%5C%5Cevil.example", 400, NULL},
    {"a second slash is merged away", "/top//evil.example", 308, "/evil.example"},
    {"an escaped slash further behind is data", "/top/a%2Fb", 308, "/a%2Fb"},
    {"an escaped line end", "/top/a%0D%0ASet-Cookie:x", 400, NULL},
    {"an escaped tab at the front", "/top/%09/evil.example", 400, NULL},
    {"an escaped control byte", "/top/a%7F", 400, NULL},
    {"a raw backslash has no canonical path", "/top/\\evil.example", 200, NULL},
    {"a byte beyond ASCII", "/top/a\xff", 400, NULL},
    {"a bad byte in the query", "/old?\x01", 400, NULL},
    {"a capture in a query is data", "/find/a&page=2", 303, "/search?q=a%26page%3D2&page=1"},
    {"an escape in a query stays one", "/find/a%20b+c", 303, "/search?q=a%20b%2Bc&page=1"},
    {"the rule's query replaces the request's", "/find/a?page=3", 303, "/search?q=a&page=1"},
    {"to itself is no redirect", "/same/a?b", 200, NULL},
    {"a slash at the end", "/slash/", 308, "/slash"},
    {"and without it", "/slash", 200, NULL},
    {"no path", "*", 200, NULL},
    {"a bad escape", "/top/%zz", 200, NULL},
};

static cmw_test *open_rules(const cmw_redirect_rule *list, size_t count, int keep_query)
{
    cmw_redirect_config config;

    cmw_redirect_config_init(&config);
    config.rules = list;
    config.rule_count = count;
    config.keep_query = keep_query;
    return open_bench("redirect", &config);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_test *test = open_rules(rules, LEN(rules), 1);

    cmw_test_request(test, "POST", row->target);
    cmw_test_header(test, "Host", "evil.example");
    assert_int_equal(cmw_test_send(test), row->status);
    const char *location = cmw_test_response_field(test, "Location");
    if (row->location)
        assert_string_equal(location, row->location);
    else
        assert_null(location);
    assert_no_allocation(test);
    close_bench(test);
}

static void a_query_can_stay_behind(void **state)
{
    (void)state;
    cmw_test *test = open_rules(rules, LEN(rules), 0);
    cmw_test_request(test, "GET", "/old?token=secret");
    assert_int_equal(cmw_test_send(test), 301);
    assert_string_equal(cmw_test_response_field(test, "Location"), "/new");
    close_bench(test);
}

/* Where url_path keeps "//", the rest may begin with a slash. */
static void kept_slashes_do_not_make_a_host(void **state)
{
    cmw_redirect_config config;
    cmw_url_path_config paths;
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;

    (void)state;
    cmw_url_path_config_init(&paths);
    paths.merge_slashes = 0;
    cmw_redirect_config_init(&config);
    config.rules = rules;
    config.rule_count = LEN(rules);
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "url_path", &paths, NULL), 0);
    assert_int_equal(cmw_chain_use(chain, "redirect", &config, NULL), 0);
    assert_int_equal(cmw_chain_install(chain, NULL), 0);
    cmw_chain_destroy(chain);
    cmw_test_request(test, "GET", "/top//evil.example");
    assert_int_equal(cmw_test_send(test), 400);
    close_bench(test);
}

/* ---- Configs ---------------------------------------------------------------------------- */

struct bad {
    const char *from, *to;
};

static const struct bad bad_patterns[] = {
    {NULL, "/"},      {"", "/"},           {"old", "/"},     {"/a//b", "/"},    {"/a/*/b", "/"},
    {"/a*", "/"},     {"/{}", "/"},        {"/{a}{b}", "/"}, {"/{a}/{a}", "/"}, {"/{a-b}", "/"},
    {"/a/../b", "/"}, {"/./a", "/"},       {"/a?b", "/"},    {"/a#b", "/"},     {"/a b", "/"},
    {"/a\nb", "/"},   {"/%41", "/"},       {"/%2f", "/"},    {"/%", "/"},       {"/%00", "/"},
    {"/a\\b", "/"},   {"https://a/", "/"},
};

static const struct bad bad_targets[] = {
    {"/a", NULL},
    {"/a", ""},
    {"/a", "b"},
    {"/a", "//evil.example"},
    {"/a", "/\\evil"},
    {"/a", "\\\\evil"},
    {"/a", "/%5Cevil"},
    {"/a", "/%5cevil"},
    {"/a", "/%2Fevil"},
    {"/a", "/%2fevil"},
    {"/a", "/b\nX: y"},
    {"/a", "/b%0D%0A"},
    {"/a", "/\tevil"},
    {"/a", "/%09/evil"},
    {"/a", "/b c"},
    {"/a", "/\xc3\xa9"},
    {"/a", "/%zz"},
    {"/a", "/%4"},
    {"/a", "/b#c"},
    {"/a", "/{x}"},
    {"/a", "/{*}"},
    {"/{x}", "/{x"},
    {"/{x}", "/x}"},
    {"/{x}", "https://{x}/"},
    {"/a", "https://h"},
    {"/a", "https:///x"},
    {"/a", "https://u@h/"},
    {"/a", "https://h\\@evil/"},
    {"/a", "javascript:x"},
    {"/a", "HTTPS://h/"},
    {"/a", "https://h//x"},
    {"/a", "ftp://h/"},
    {"/{x}", "/a%4{x}"},
};

static void refuse(const struct bad *bad, const char *part)
{
    const cmw_redirect_rule rule = {bad->from, bad->to, 0};
    cmw_redirect_config config;
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_diag diag = {0};

    cmw_redirect_config_init(&config);
    config.rules = &rule;
    config.rule_count = 1;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    if (cmw_chain_use(chain, "redirect", &config, &diag) != CMW_ERR_INVALID)
        fail_msg("'%s' to '%s' was not refused", bad->from ? bad->from : "",
                 bad->to ? bad->to : "");
    assert_non_null(strstr(diag.message, part));
    cmw_chain_destroy(chain);
    close_bench(test);
}

static void bad_rules_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < LEN(bad_patterns); i++)
        refuse(&bad_patterns[i], "is not a path pattern");
    for (size_t i = 0; i < LEN(bad_targets); i++)
        refuse(&bad_targets[i], "is not a target");
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    static const cmw_redirect_rule loop = {"/a/*", "/a/b?c", 0};
    cmw_redirect_rule rule = {"/a", "/b", 300};
    cmw_redirect_config config;

    (void)state;
    cmw_redirect_config_init(&config);
    assert_refused("redirect", &config, CMW_ERR_ARG, "redirect: rules: at least one is needed");
    config.rules = &rule;
    config.rule_count = 1;
    assert_refused("redirect", &config, CMW_ERR_ARG,
                   "redirect: rules[0]: status: 300 is not one of 301, 302, 303, 307 and 308");
    rule.status = 0;
    config.status = 200;
    assert_refused("redirect", &config, CMW_ERR_ARG,
                   "redirect: rules[0]: status: 200 is not one of 301, 302, 303, 307 and 308");
    config.status = 308;
    config.rules = &loop;
    assert_refused("redirect", &config, CMW_ERR_CYCLE,
                   "redirect: rules[0]: '/a/b?c' is sent to itself");
}

static void failing_memory_is_survived(void **state)
{
    cmw_redirect_config config;

    (void)state;
    cmw_redirect_config_init(&config);
    config.rules = rules;
    config.rule_count = LEN(rules);
    assert_survives_failing_memory("redirect", &config);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(a_query_can_stay_behind),
        cmocka_unit_test(kept_slashes_do_not_make_a_host),
        cmocka_unit_test(bad_rules_are_refused),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("redirect", tests, NULL, NULL) |
           cmocka_run_group_tests_name("redirect: the rest", others, NULL, NULL);
}
