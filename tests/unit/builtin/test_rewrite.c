/* SPDX-License-Identifier: MIT */
/* rewrite: which path the handler and path conditions see. */
#include "builtin_fixture.h"

#include <catzilla/builtin/redirect.h>
#include <catzilla/builtin/rewrite.h>

static const cmw_rewrite_rule rules[] = {
    {"/blog/{year}/{slug}", "/posts?year={year}&slug={slug}"},
    {"/files/*", "/static/{*}"},
    {"/raw/*", "/{*}"},
    {"/up/{x}", "/a/b/../{x}"},
};

struct row {
    const char *name;
    const char *target;
    const char *path; /* NULL: refused with 400 */
    const char *query;
};

static const struct row rows[] = {
    {"captures", "/blog/2026/hello", "/posts", "year=2026&slug=hello"},
    {"a capture cannot add to the query", "/blog/2026/x&admin=1", "/posts",
     "year=2026&slug=x%26admin%3D1"},
    {"the rest, and the query", "/files/a/b.css?v=1", "/static/a/b.css", "v=1"},
    {"any query", "/files/a?b=%0A|[]\"", "/static/a", "b=%0A|[]\""},
    {"an escape in the rest stays", "/files/a%2Fb", "/static/a%2Fb", ""},
    {"dots of a target are resolved", "/up/c", "/a/c", ""},
    {"climbing out is over before", "/files/../../etc/passwd", "/v1/etc/passwd", ""},
    {"an escaped backslash at the front", "/raw/%5Cevil", NULL, NULL},
    {"an escaped slash at the front", "/raw/%2Fevil", NULL, NULL},
    {"an escaped control byte", "/raw/a%01", NULL, NULL},
    {"the prefix goes, another comes", "/api/users/7?x", "/v1/users/7", "x"},
    {"the prefix alone", "/api", "/v1/", ""},
    {"what begins like the prefix keeps it", "/apix", "/v1/apix", ""},
    {"no prefix", "/other", "/v1/other", ""},
    {"the root", "/", "/v1/", ""},
};

struct seen {
    char path[128], query[128];
};

static void copy(char *to, cmw_str text)
{
    assert_true(text.len < 128);
    memcpy(to, text.len > 0 ? text.data : "", text.len);
    to[text.len] = '\0';
}

static int look(void *self, cmw_ctx *ctx)
{
    struct seen *seen = self;

    copy(seen->path, cmw_request_path(cmw_ctx_request(ctx)));
    copy(seen->query, cmw_request_query(cmw_ctx_request(ctx)));
    return cmw_respond_text(ctx, 200, CMW_STR("ok")) == CMW_STOP ? 0 : -1;
}

static void fill(cmw_rewrite_config *config)
{
    cmw_rewrite_config_init(config);
    config->rules = rules;
    config->rule_count = LEN(rules);
    config->strip_prefix = "/api";
    config->add_prefix = "/v1";
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct seen seen = {"", ""};
    cmw_rewrite_config config;

    fill(&config);
    cmw_test *test = open_bench("rewrite", &config);
    cmw_test_set_handler(test, look, &seen);
    cmw_test_request(test, "GET", row->target);
    assert_int_equal(cmw_test_send(test), row->path ? 200 : 400);
    if (row->path) {
        assert_string_equal(seen.path, row->path);
        assert_string_equal(seen.query, row->query);
    }
    assert_no_allocation(test);
    close_bench(test);
}

/* A guard behind a path condition sees the path that is served. */
static void conditions_are_decided_on_the_new_path(void **state)
{
    static const cmw_rewrite_rule rule = {"/innocent", "/admin/keys"};
    static const char *const paths[] = {"/admin/*"};
    cmw_rewrite_config config;
    cmw_middleware mw;
    cmw_condition condition;
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    static const cmw_header field = {CMW_STR_INIT("X-Guarded"), CMW_STR_INIT("yes")};

    (void)state;
    cmw_rewrite_config_init(&config);
    config.rules = &rule;
    config.rule_count = 1;
    cmw_condition_init(&condition);
    condition.paths = paths;
    condition.path_count = 1;
    cmw_middleware_init(&mw);
    mw.name = "guard";
    mw.condition = &condition;
    mw.fields = &field;
    mw.field_count = 1;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_add(chain, &mw, NULL), 0);
    assert_int_equal(cmw_chain_use(chain, "rewrite", &config, NULL), 0);
    assert_int_equal(cmw_chain_install(chain, NULL), 0);
    cmw_chain_destroy(chain);
    cmw_test_request(test, "GET", "/innocent");
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_field(test, "X-Guarded"), "yes");
    cmw_test_request(test, "GET", "/other");
    assert_int_equal(cmw_test_send(test), 200);
    assert_null(cmw_test_response_field(test, "X-Guarded"));
    close_bench(test);
}

static void no_path_stays_as_it_is(void **state)
{
    cmw_rewrite_config config;

    (void)state;
    fill(&config);
    cmw_test *test = open_bench("rewrite", &config);
    cmw_test_request(test, "OPTIONS", "*");
    assert_int_equal(cmw_test_send(test), 200);
    close_bench(test);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    static const char *const bad[] = {"/",  "api",   "/a/",    "/a//b",    "/../a", "/{x}",
                                      "/*", "/a\\b", "//evil", "/%5Cevil", "/a?b",  "/a b"};
    static const cmw_rewrite_rule absolute = {"/a", "https://h/b"};
    cmw_rewrite_config config;

    (void)state;
    cmw_rewrite_config_init(&config);
    assert_refused("rewrite", &config, CMW_ERR_ARG,
                   "rewrite: one of rules, strip_prefix and add_prefix is needed");
    for (size_t i = 0; i < LEN(bad); i++) {
        cmw_test *test = NULL;
        cmw_chain *chain = NULL;
        cmw_rewrite_config_init(&config);
        *(i % 2 ? &config.strip_prefix : &config.add_prefix) = bad[i];
        assert_int_equal(cmw_test_create(&test, NULL), 0);
        assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
        assert_int_equal(cmw_chain_use(chain, "rewrite", &config, NULL), CMW_ERR_INVALID);
        cmw_chain_destroy(chain);
        close_bench(test);
    }
    cmw_rewrite_config_init(&config);
    config.rules = &absolute;
    config.rule_count = 1;
    assert_refused("rewrite", &config, CMW_ERR_INVALID,
                   "rewrite: rules[0]: 'https://h/b' is not a target: one slash, URI bytes, and "
                   "'{name}' or '{*}' of '/a'");
}

static void failing_memory_is_survived(void **state)
{
    cmw_rewrite_config config;

    (void)state;
    fill(&config);
    assert_survives_failing_memory("rewrite", &config);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(conditions_are_decided_on_the_new_path),
        cmocka_unit_test(no_path_stays_as_it_is),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("rewrite", tests, NULL, NULL) |
           cmocka_run_group_tests_name("rewrite: the rest", others, NULL, NULL);
}
