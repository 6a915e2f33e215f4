/* SPDX-License-Identifier: MIT */
/* Conditions: what is refused when they are added, what they hold for, when two are equal. */
#include "condition.h"

#include "arena_state.h"
#include "engine_fixture.h"
#include "request_state.h"

/* ---- Refusals --------------------------------------------------------------------------- */

enum part_kind { METHOD, HOST, PATH };

struct refusal {
    const char *name;
    enum part_kind kind;
    const char *text;
    int code;
};

static const struct refusal refusals[] = {
    {"a text path is taken", PATH, "/a/b", 0},
    {"the root is taken", PATH, "/", 0},
    {"a trailing slash is taken", PATH, "/a/", 0},
    {"a parameter is taken", PATH, "/{id}/x", 0},
    {"a rest is taken", PATH, "/a/*", 0},
    {"the star of OPTIONS is taken", PATH, "*", 0},
    {"a negated path is taken", PATH, "!/a", 0},
    {"an escape in upper case is taken", PATH, "/a%2Fb", 0},
    {"an empty path is refused", PATH, "", CMW_ERR_INVALID},
    {"only a negation is refused", PATH, "!", CMW_ERR_INVALID},
    {"two negations are refused", PATH, "!!/a", CMW_ERR_INVALID},
    {"NULL is refused", PATH, NULL, CMW_ERR_INVALID},
    {"a path without a slash is refused", PATH, "a", CMW_ERR_INVALID},
    {"a star before the end is refused", PATH, "/*/a", CMW_ERR_INVALID},
    {"a star in a segment is refused", PATH, "/a*", CMW_ERR_INVALID},
    {"two stars are refused", PATH, "/**", CMW_ERR_INVALID},
    {"an empty parameter is refused", PATH, "/{}", CMW_ERR_INVALID},
    {"a parameter in a segment is refused", PATH, "/a{id}", CMW_ERR_INVALID},
    {"an open parameter is refused", PATH, "/{id", CMW_ERR_INVALID},
    {"two parameters in a segment are refused", PATH, "/{a}{b}", CMW_ERR_INVALID},
    {"a star in a parameter is refused", PATH, "/{a*}", CMW_ERR_INVALID},
    {"an empty segment is refused", PATH, "/a//b", CMW_ERR_INVALID},
    {"a dot segment is refused", PATH, "/a/./b", CMW_ERR_INVALID},
    {"a double dot is refused", PATH, "/a/..", CMW_ERR_INVALID},
    {"an escaped dot is refused", PATH, "/a/%2e%2e", CMW_ERR_INVALID},
    {"an escape of an unreserved byte is refused", PATH, "/%61", CMW_ERR_INVALID},
    {"an escape in lower case is refused", PATH, "/a%2fb", CMW_ERR_INVALID},
    {"half an escape is refused", PATH, "/a%2", CMW_ERR_INVALID},
    {"a NUL's escape is refused", PATH, "/a%00", CMW_ERR_INVALID},
    {"a query is refused", PATH, "/a?b", CMW_ERR_INVALID},
    {"a fragment is refused", PATH, "/a#b", CMW_ERR_INVALID},
    {"a blank is refused", PATH, "/a b", CMW_ERR_INVALID},
    {"a control byte is refused", PATH, "/a\x01", CMW_ERR_INVALID},
    {"a backslash is refused", PATH, "/a\\b", CMW_ERR_INVALID},
    {"a name is a host", HOST, "A.example", 0},
    {"a suffix is a host", HOST, "*.a.example", 0},
    {"an IPv6 literal is a host", HOST, "[2001:db8::1]", 0},
    {"an empty host is refused", HOST, "", CMW_ERR_INVALID},
    {"a host with a port is refused", HOST, "a.example:80", CMW_ERR_INVALID},
    {"a host with a scheme is refused", HOST, "http://a.example", CMW_ERR_INVALID},
    {"a host with a dot at its end is refused", HOST, "a.example.", CMW_ERR_INVALID},
    {"a host with a dot at its front is refused", HOST, ".a.example", CMW_ERR_INVALID},
    {"a star alone is no host", HOST, "*", CMW_ERR_INVALID},
    {"a suffix of nothing is refused", HOST, "*.", CMW_ERR_INVALID},
    {"a star in the middle is refused", HOST, "a.*.example", CMW_ERR_INVALID},
    {"two stars are no host", HOST, "*.*.example", CMW_ERR_INVALID},
    {"no host is refused", HOST, NULL, CMW_ERR_INVALID},
    {"a token is a method", METHOD, "PURGE", 0},
    {"an empty method is refused", METHOD, "", CMW_ERR_INVALID},
    {"a method with a blank is refused", METHOD, "GET ", CMW_ERR_INVALID},
    {"no method is refused", METHOD, NULL, CMW_ERR_INVALID},
};

static void fill(cmw_condition *condition, enum part_kind kind, const char *const *texts,
                 size_t count)
{
    cmw_condition_init(condition);
    condition->methods = kind == METHOD ? texts : NULL;
    condition->method_count = kind == METHOD ? count : 0;
    condition->hosts = kind == HOST ? texts : NULL;
    condition->host_count = kind == HOST ? count : 0;
    condition->paths = kind == PATH ? texts : NULL;
    condition->path_count = kind == PATH ? count : 0;
}

/* The sentence names the middleware and the text. */
static void check_refusal(void **state)
{
    const struct refusal *row = *state;
    struct fixture fixture;
    cmw_condition condition;
    cmw_middleware mw;

    fixture_open(&fixture, NULL);
    fill(&condition, row->kind, &row->text, 1);
    cmw_middleware_init(&mw);
    mw.name = "limited";
    mw.condition = &condition;
    const int rc = cmw_chain_add(fixture.chain, &mw, &fixture.diag);
    assert_int_equal(rc, row->code);
    if (rc != 0) {
        assert_memory_equal(fixture.diag.message, "limited: ", 9);
        assert_non_null(strstr(fixture.diag.message, row->text ? row->text : "(null)"));
    }
    assert_int_equal(fixture_compile(&fixture), 0);
    fixture_close(&fixture);
}

static void lists_that_are_counted_but_null_are_refused(void **state)
{
    struct fixture fixture;
    cmw_condition condition;
    cmw_middleware mw;

    (void)state;
    fixture_open(&fixture, NULL);
    cmw_middleware_init(&mw);
    mw.name = "limited";
    mw.condition = &condition;
    for (int kind = METHOD; kind <= PATH; kind++) {
        fill(&condition, (enum part_kind)kind, NULL, 1);
        fixture_expect(&fixture, cmw_chain_add(fixture.chain, &mw, &fixture.diag), CMW_ERR_ARG,
                       "limited: a list of its condition is NULL or too long");
    }
    cmw_condition_init(&condition);
    condition.size++;
    fixture_expect(&fixture, cmw_chain_add(fixture.chain, &mw, &fixture.diag), CMW_ERR_VERSION,
                   "limited: the size of its condition is not that of this library; call "
                   "cmw_condition_init");
    fixture_close(&fixture);
}

/* ---- What they hold for ------------------------------------------------------------------ */

struct holds {
    const char *name;
    enum part_kind kind;
    const char *texts[3];
    const char *method, *host, *target;
    int expected;
};

static const struct holds holds[] = {
    {"a method that is listed", METHOD, {"GET", "POST"}, "POST", "", "/", 1},
    {"a method that is not", METHOD, {"GET", "POST"}, "PUT", "", "/", 0},
    {"methods are case-sensitive", METHOD, {"GET"}, "get", "", "/", 0},
    {"a method without an id", METHOD, {"GET", "PURGE"}, "PURGE", "", "/", 1},
    {"another method without an id", METHOD, {"GET", "PURGE"}, "LOCK", "", "/", 0},
    {"HEAD is not GET", METHOD, {"GET"}, "HEAD", "", "/", 0},
    {"the host", HOST, {"a.example"}, "GET", "a.example", "/", 1},
    {"the host in any case with a port", HOST, {"A.example"}, "GET", "a.EXAMPLE:81", "/", 1},
    {"another host", HOST, {"a.example"}, "GET", "b.example", "/", 0},
    {"no host", HOST, {"a.example"}, "GET", "", "/", 0},
    {"a name below a suffix", HOST, {"*.a.example"}, "GET", "x.y.a.example", "/", 1},
    {"the suffix itself is not below it", HOST, {"*.a.example"}, "GET", "a.example", "/", 0},
    {"a longer label is not below it", HOST, {"*.a.example"}, "GET", "xa.example", "/", 0},
    {"any of several hosts", HOST, {"a.example", "b.example"}, "GET", "b.example", "/", 1},
    {"any of several paths", PATH, {"/a", "/b"}, "GET", "", "/b", 1},
    {"the query does not count", PATH, {"/a"}, "GET", "", "/a?x=/b", 1},
    {"the canonical path counts", PATH, {"/a/b"}, "GET", "", "/a/x/../%62", 1},
    {"only a negated path: all others", PATH, {"!/health"}, "GET", "", "/a", 1},
    {"only a negated path: not itself", PATH, {"!/health"}, "GET", "", "/health", 0},
    {"a negated path goes before one that matches", PATH, {"!/a/b", "/a/*"}, "GET", "", "/a/b", 0},
    {"a negated path leaves the others", PATH, {"/a/*", "!/a/b"}, "GET", "", "/a/c", 1},
    {"a path without a canonical form matches nothing", PATH, {"/*"}, "GET", "", "/%zz", 0},
};

static void check_holds(void **state)
{
    const struct holds *row = *state;
    struct cmw__condition *condition = NULL;
    struct fixture fixture;
    cmw_arena *arena = NULL;
    cmw_request_view view;
    cmw_request request;
    cmw_condition given;
    size_t count = 0;

    while (count < LEN(row->texts) && row->texts[count])
        count++;
    fixture_open(&fixture, NULL);
    assert_int_equal(cmw_arena_create(&arena, cmw_engine_pool(fixture.engine, CMW_POOL_PLAN), 0),
                     0);
    fill(&given, row->kind, row->texts, count);
    assert_int_equal(cmw__condition_copy(&condition, arena, &given, "it", &fixture.diag), 0);
    cmw_request_view_init(&view);
    view.method = cmw_str_cstr(row->method);
    view.target = cmw_str_cstr(row->target);
    view.authority = cmw_str_cstr(row->host);
    cmw__request_init(&request, &view, arena);
    const int got = cmw__condition_allows_method(condition, &request) &&
                    cmw__condition_allows_host(condition, &request) &&
                    cmw__condition_allows_path(condition, &request);
    assert_int_equal(got, row->expected);
    cmw_arena_destroy(arena);
    fixture_close(&fixture);
}

/* ---- Equality ---------------------------------------------------------------------------- */

static void equal_conditions_are_equal_and_others_are_not(void **state)
{
    static const char *const one[] = {"/a", "!/b"};
    static const char *const same[] = {"!/b", "/a"};
    static const char *const positive[] = {"/a", "/b"};
    static const char *const *const lists[] = {one, same, positive};
    struct cmw__condition *conditions[4] = {NULL};
    struct fixture fixture;
    cmw_arena *arena = NULL;
    cmw_condition given;

    (void)state;
    fixture_open(&fixture, NULL);
    assert_int_equal(cmw_arena_create(&arena, cmw_engine_pool(fixture.engine, CMW_POOL_PLAN), 0),
                     0);
    for (size_t i = 0; i < 4; i++) {
        fill(&given, PATH, lists[i % 3], 2);
        given.predicate = i == 3 ? fixture_predicate : NULL;
        assert_int_equal(cmw__condition_copy(&conditions[i], arena, &given, "it", NULL), 0);
    }
    assert_true(cmw__condition_equals(conditions[0], conditions[1]));
    assert_false(cmw__condition_equals(conditions[0], conditions[2]));
    assert_false(cmw__condition_equals(conditions[0], conditions[3]));
    assert_true(cmw__condition_reads(conditions[0], CMW_FACT_CANONICAL_PATH));
    assert_false(cmw__condition_reads(conditions[0], CMW_FACT_HOST));
    cmw_arena_destroy(arena);
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(lists_that_are_counted_but_null_are_refused),
        cmocka_unit_test(equal_conditions_are_equal_and_others_are_not),
    };
    struct CMUnitTest tests[LEN(refusals) + LEN(holds) + LEN(others)];
    struct CMUnitTest *at = tests;

    for (size_t i = 0; i < LEN(refusals); i++)
        *at++ = ROW_TEST(&refusals[i], check_refusal);
    for (size_t i = 0; i < LEN(holds); i++)
        *at++ = ROW_TEST(&holds[i], check_holds);
    memcpy(at, others, sizeof others);
    return cmocka_run_group_tests_name("condition", tests, NULL, NULL);
}
