/* SPDX-License-Identifier: MIT */
/*
 * The matcher against the definition of patterns, and how much it looks at when patterns and paths
 * are made to be hard.
 */
#include "matcher.h"

#include <stdio.h>

#include "condition.h"
#include "test.h"

#define PATTERNS 10000
#define PATHS 400

static cmw_pool *pool;
static cmw_arena *arena;

static int open_arena(void **state)
{
    (void)state;
    return cmw_pool_create(&pool, NULL, CMW_POOL_PLAN, 0) == 0 &&
                   cmw_arena_create(&arena, pool, 0) == 0
               ? 0
               : -1;
}

static int close_arena(void **state)
{
    (void)state;
    cmw_arena_destroy(arena);
    cmw_pool_destroy(pool);
    return 0;
}

/* ---- What it finds ---------------------------------------------------------------------- */

struct found {
    unsigned *times; /* by pattern */
    unsigned total;
};

static void note(void *self, uint32_t pattern)
{
    struct found *found = self;
    found->times[pattern]++;
    found->total++;
}

struct row {
    const char *name;
    const char *pattern;
    const char *path;
    int matches;
};

static const struct row rows[] = {
    {"a text matches itself", "/health", "/health", 1},
    {"a text does not match what is below it", "/health", "/health/x", 0},
    {"a text does not match itself with a slash", "/health", "/health/", 0},
    {"a text with a slash does not match without", "/health/", "/health", 0},
    {"a text is no prefix", "/health", "/healthy", 0},
    {"case counts", "/health", "/Health", 0},
    {"the rest takes the place itself", "/api/*", "/api", 1},
    {"the rest takes the place with a slash", "/api/*", "/api/", 1},
    {"the rest takes all below", "/api/*", "/api/a/b/c", 1},
    {"the rest does not take a longer name", "/api/*", "/apix", 0},
    {"the rest of the root takes all", "/*", "/", 1},
    {"the rest of the root does not take the star of OPTIONS", "/*", "*", 0},
    {"a parameter takes one segment", "/users/{id}", "/users/7", 1},
    {"a parameter takes no empty segment", "/users/{id}", "/users/", 0},
    {"a parameter takes no two segments", "/users/{id}", "/users/7/8", 0},
    {"a parameter in the middle is followed by text", "/u/{id}/x", "/u/7/x", 1},
    {"a parameter and the rest", "/u/{id}/*", "/u/7", 1},
    {"the rest below a parameter needs the parameter", "/u/{id}/*", "/u", 0},
    {"an escaped slash is no slash", "/{a}/{b}", "/a%2Fb", 0},
    {"the star is the star", "*", "*", 1},
    {"the star is no path", "*", "/", 0},
    {"no pattern matches a path without a canonical form", "/*", "", 0},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    const cmw_str pattern = cmw_str_cstr(row->pattern);
    const cmw_str path = cmw_str_cstr(row->path);
    struct cmw__matcher matcher;
    unsigned times = 0;
    struct found found = {&times, 0};
    uint32_t bad = 0;

    assert_int_equal(cmw__pattern_matches(pattern, path), row->matches);
    assert_int_equal(cmw__matcher_build(&matcher, arena, &pattern, 1, 1, &bad), 0);
    cmw__matcher_run(&matcher, path, note, &found);
    assert_int_equal(times, row->matches);
}

/* ---- Random patterns --------------------------------------------------------------------- */

static uint32_t next_random(uint32_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 17;
    *state ^= *state << 5;
    return *state;
}

/* "/a/{x}/..." of words that collide often; `is_pattern`: with parameters and a rest. */
static cmw_str make_text(uint32_t *random, int is_pattern)
{
    static const char *const words[] = {"a", "b", "ab", "users", "", "x%2Fy", "~", "c"};
    static const char *const names[] = {"{x}", "{name}", "{id}"};
    char text[256];
    cmw_str copy;
    size_t len = 0;
    const uint32_t count = 1 + next_random(random) % 6;

    for (uint32_t i = 0; i < count; i++) {
        const int is_last = i + 1 == count;
        const char *word = words[next_random(random) % LEN(words)];
        if (is_pattern && next_random(random) % 3 == 0)
            word = names[next_random(random) % LEN(names)];
        if (is_pattern && is_last && next_random(random) % 4 == 0)
            word = "*";
        if (word[0] == '\0' && !is_last) /* only the last segment of a canonical path is empty */
            word = "b";
        len += (size_t)snprintf(text + len, sizeof text - len, "/%s", word);
    }
    assert_int_equal(cmw_arena_dup(arena, &copy, cmw_str_make(text, len)), 0);
    return copy;
}

/* Keep those that no other equals, as the compiler does. */
static uint32_t make_patterns(cmw_str *patterns, uint32_t *random)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < PATTERNS; i++) {
        const cmw_str pattern = make_text(random, 1);
        uint32_t k = 0;
        while (k < count && !cmw__pattern_equals(patterns[k], pattern))
            k++;
        if (k == count)
            patterns[count++] = pattern;
        else
            assert_true(cmw__pattern_hash(patterns[k]) == cmw__pattern_hash(pattern));
    }
    return count;
}

static void ten_thousand_random_patterns_match_as_the_definition_says(void **state)
{
    cmw_str *patterns = malloc(PATTERNS * sizeof *patterns);
    unsigned *times = malloc(PATTERNS * sizeof *times);
    struct cmw__matcher matcher;
    uint32_t random = 20240601;
    uint32_t bad = 0;
    unsigned total = 0;

    (void)state;
    assert_non_null(patterns);
    assert_non_null(times);
    const uint32_t count = make_patterns(patterns, &random);
    assert_true(count > 1000);
    assert_int_equal(cmw__matcher_build(&matcher, arena, patterns, count, 7, &bad), 0);
    for (int i = 0; i < PATHS; i++) {
        const cmw_str path = make_text(&random, 0);
        struct found found = {times, 0};
        memset(times, 0, PATTERNS * sizeof *times);
        cmw__matcher_run(&matcher, path, note, &found);
        for (uint32_t k = 0; k < count; k++)
            if ((int)times[k] != cmw__pattern_matches(patterns[k], path))
                fail_msg("pattern '%.*s', path '%.*s': %u times", (int)patterns[k].len,
                         patterns[k].data, (int)path.len, path.data, times[k]);
        total += found.total;
    }
    assert_true(total > PATHS);
    free(times);
    free(patterns);
}

static void names_of_parameters_do_not_count(void **state)
{
    const cmw_str a = CMW_STR("/u/{id}/x");
    const cmw_str b = CMW_STR("/u/{name}/x");

    (void)state;
    assert_int_equal(cmw__pattern_equals(a, b), 1);
    assert_true(cmw__pattern_hash(a) == cmw__pattern_hash(b));
    assert_int_equal(cmw__pattern_equals(a, CMW_STR("/u/id/x")), 0);
    assert_int_equal(cmw__pattern_equals(a, CMW_STR("/u/{id}")), 0);
    assert_int_equal(cmw__pattern_equals(a, CMW_STR("/u/{id}/x/")), 0);
    assert_int_equal(cmw__pattern_equals(CMW_STR("*"), CMW_STR("/")), 0);
}

/* ---- How much it looks at ---------------------------------------------------------------- */

#define HARD_DEPTH 12

/* All 2^12 patterns of {x} or "a" at each place: a path of "a" meets every node once. */
static void all_ways_through_text_and_parameter_are_walked_once(void **state)
{
    static cmw_str patterns[1 << HARD_DEPTH];
    static unsigned times[1 << HARD_DEPTH];
    char path[2 * HARD_DEPTH + 1] = "";
    struct found found = {times, 0};
    struct cmw__matcher matcher;
    uint32_t bad = 0;

    (void)state;
    for (uint32_t i = 0; i < LEN(patterns); i++) {
        char text[8 * HARD_DEPTH] = "";
        for (int k = 0; k < HARD_DEPTH; k++)
            strcat(text, i >> k & 1 ? "/a" : "/{x}");
        assert_int_equal(cmw_arena_dup(arena, &patterns[i], cmw_str_cstr(text)), 0);
    }
    for (int k = 0; k < HARD_DEPTH; k++)
        strcat(path, "/a");
    assert_int_equal(cmw__matcher_build(&matcher, arena, patterns, LEN(patterns), 3, &bad), 0);
    assert_int_equal(matcher.node_count, 2 * LEN(patterns) - 1); /* a tree: none is met twice */
    cmw__matcher_run(&matcher, cmw_str_cstr(path), note, &found);
    assert_int_equal(found.total, LEN(patterns));
    for (size_t i = 0; i < LEN(patterns); i++)
        assert_int_equal(times[i], 1);
}

/* A rest at each depth shows how far the walk comes: once each, however long the path is. */
static void a_long_path_costs_no_more_than_the_patterns_are_deep(void **state)
{
    cmw_str patterns[CMW__MATCHER_DEPTH + 1];
    unsigned times[CMW__MATCHER_DEPTH + 1] = {0};
    struct found found = {times, 0};
    struct cmw__matcher matcher;
    char text[8 * CMW__MATCHER_DEPTH] = "";
    static char path[40000];
    uint32_t bad = 0;

    (void)state;
    for (size_t i = 0; i < LEN(patterns); i++) {
        const size_t len = strlen(text);
        strcpy(text + len, "/*");
        assert_int_equal(cmw_arena_dup(arena, &patterns[i], cmw_str_cstr(text)), 0);
        strcpy(text + len, i % 2 ? "/{x}" : "/a");
    }
    for (size_t i = 0; i < sizeof path; i++)
        path[i] = i % 2 ? 'a' : '/';
    assert_int_equal(cmw__matcher_build(&matcher, arena, patterns, LEN(patterns), 3, &bad), 0);
    cmw__matcher_run(&matcher, cmw_str_make(path, sizeof path), note, &found);
    assert_int_equal(found.total, LEN(patterns));
}

/* The stack of open branches at its fullest: a parameter beside the text at every depth. */
static void the_deepest_pattern_with_a_branch_at_each_place_is_matched(void **state)
{
    cmw_str patterns[CMW__MATCHER_DEPTH + 1];
    unsigned times[CMW__MATCHER_DEPTH + 1] = {0};
    struct found found = {times, 0};
    struct cmw__matcher matcher;
    char path[2 * CMW__MATCHER_DEPTH + 1];
    char text[8 * CMW__MATCHER_DEPTH];
    uint32_t bad = 0;

    (void)state;
    for (size_t i = 0; i < LEN(patterns); i++) { /* pattern i has its parameter at place i */
        text[0] = '\0';
        for (size_t k = 0; k < CMW__MATCHER_DEPTH; k++)
            strcat(text, k == i ? "/{x}" : "/a");
        assert_int_equal(cmw_arena_dup(arena, &patterns[i], cmw_str_cstr(text)), 0);
    }
    for (size_t i = 0; i < sizeof path; i++)
        path[i] = i % 2 ? 'a' : '/';
    assert_int_equal(cmw__matcher_build(&matcher, arena, patterns, LEN(patterns), 3, &bad), 0);
    cmw__matcher_run(&matcher, cmw_str_make(path, sizeof path - 1), note, &found);
    assert_int_equal(found.total, LEN(patterns));
}

static void a_pattern_that_is_too_deep_is_refused_and_named(void **state)
{
    char text[2 * CMW__MATCHER_DEPTH + 4] = "";
    struct cmw__matcher matcher;
    uint32_t bad = 0;

    (void)state;
    for (int i = 0; i <= CMW__MATCHER_DEPTH; i++)
        strcat(text, "/a");
    const cmw_str patterns[] = {CMW_STR("/ok"), cmw_str_cstr(text)};
    assert_int_equal(cmw__matcher_build(&matcher, arena, patterns, 2, 3, &bad), CMW_ERR_LIMIT);
    assert_int_equal(bad, 1);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(ten_thousand_random_patterns_match_as_the_definition_says),
        cmocka_unit_test(names_of_parameters_do_not_count),
        cmocka_unit_test(all_ways_through_text_and_parameter_are_walked_once),
        cmocka_unit_test(a_long_path_costs_no_more_than_the_patterns_are_deep),
        cmocka_unit_test(the_deepest_pattern_with_a_branch_at_each_place_is_matched),
        cmocka_unit_test(a_pattern_that_is_too_deep_is_refused_and_named),
    };
    struct CMUnitTest tests[LEN(rows) + LEN(others)];
    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    memcpy(tests + LEN(rows), others, sizeof others);
    return cmocka_run_group_tests_name("matcher", tests, open_arena, close_arena);
}
