/* SPDX-License-Identifier: MIT */
/* The order of a chain: priority, registration, before and after, routes. */
#include "order.h"

#include <stdio.h>

#include "engine_fixture.h"

struct row {
    const char *name;
    struct part parts[5];
    int code;
    const char *expected; /* the order, or the sentence */
};

static const struct row rows[] = {
    {"lower priorities run first",
     {{.name = "c", .priority = 30}, {.name = "a", .priority = 0}, {.name = "b", .priority = 20}},
     0,
     "a b c "},
    {"equal priorities run as they were registered",
     {{.name = "z", .priority = 5}, {.name = "y", .priority = 5}, {.name = "x", .priority = 5}},
     0,
     "z y x "},
    {"a group does not change priorities",
     {{.name = "b", .priority = 20}, {.name = "a", .priority = 10, .place = IN_WRITES}},
     0,
     "a b "},
    {"what belongs to a route runs after all else",
     {{.name = "b", .priority = 10, .place = IN_ROUTE},
      {.name = "a", .priority = 20},
      {.name = "c", .priority = 15, .place = IN_INNER}},
     0,
     "a b c "},
    {"what is disabled has no place",
     {{.name = "a", .priority = 10, .is_disabled = 1}, {.name = "b", .priority = 20}},
     0,
     "b "},
    {"before moves one of equal priority to the front",
     {{.name = "a", .priority = 5}, {.name = "b", .priority = 5, .before = "a"}},
     0,
     "b a "},
    {"after moves one of equal priority behind the other, and no further",
     {{.name = "a", .priority = 5, .after = "b"},
      {.name = "b", .priority = 5},
      {.name = "c", .priority = 5}},
     0,
     "b a c "},
    {"references are followed through others",
     {{.name = "a", .priority = 5, .after = "b"},
      {.name = "b", .priority = 5, .after = "c"},
      {.name = "c", .priority = 5},
      {.name = "d", .priority = 5, .before = "c"}},
     0,
     "d c b a "},
    {"what other priorities ensure already may be said",
     {{.name = "a", .priority = 5, .before = "b"}, {.name = "b", .priority = 6, .after = "a"}},
     0,
     "a b "},
    {"a reference to what is disabled says nothing",
     {{.name = "a", .priority = 5, .after = "b"}, {.name = "b", .priority = 6, .is_disabled = 1}},
     0,
     "a "},
    {"before across priorities is refused with a priority that holds",
     {{.name = "a", .priority = 5}, {.name = "b", .priority = 6, .before = "a"}},
     CMW_ERR_ORDER,
     "'b' (priority 6) must run before 'a' (priority 5): give it priority 5"},
    {"after across priorities is refused with a priority that holds",
     {{.name = "a", .priority = 5, .after = "b"}, {.name = "b", .priority = 6}},
     CMW_ERR_ORDER,
     "'a' (priority 5) must run after 'b' (priority 6): give it priority 6"},
    {"a route cannot run before the rest",
     {{.name = "a", .priority = 5}, {.name = "b", .priority = 5, .before = "a", .place = IN_ROUTE}},
     CMW_ERR_ORDER,
     "'b' must run before 'a', but what belongs to a route runs after all else"},
    {"an unknown name is refused",
     {{.name = "a", .priority = 5, .before = "nobody"}},
     CMW_ERR_NOT_FOUND,
     "'a' must run before 'nobody', which the chain does not have"},
    {"an unknown name behind is refused",
     {{.name = "a", .priority = 5, .after = "nobody"}},
     CMW_ERR_NOT_FOUND,
     "'a' must run after 'nobody', which the chain does not have"},
    {"nothing runs before itself",
     {{.name = "a", .priority = 5, .before = "a"}},
     CMW_ERR_CYCLE,
     "'a' must run before itself"},
    {"two that want to be before each other are a circle",
     {{.name = "a", .priority = 5, .before = "b"}, {.name = "b", .priority = 5, .before = "a"}},
     CMW_ERR_CYCLE,
     "before and after lead in a circle: 'b' must run before 'a' (both priority 5), and also after "
     "it"},
    {"a circle is named, not what hangs on it",
     {{.name = "first", .priority = 5, .after = "a"},
      {.name = "a", .priority = 5, .after = "b"},
      {.name = "b", .priority = 5, .after = "a"},
      {.name = "last", .priority = 5, .after = "first"}},
     CMW_ERR_CYCLE,
     "before and after lead in a circle: 'a' must run before 'b' (both priority 5), and also after "
     "it"},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct fixture fixture;
    struct cmw__order order;
    cmw_arena *arena = NULL;
    char names[64] = "";

    fixture_open(&fixture, NULL);
    fixture_add_all(&fixture, row->parts, LEN(row->parts));
    assert_int_equal(cmw_arena_create(&arena, cmw_engine_pool(fixture.engine, CMW_POOL_PLAN), 0),
                     0);
    const int rc = cmw__order_make(&order, fixture.chain, arena, &fixture.diag);
    fixture_expect(&fixture, rc, row->code, row->expected);
    for (uint32_t i = 0; rc == 0 && i < order.count; i++) {
        strcat(names, order.items[i]->mw.name);
        strcat(names, " ");
    }
    if (rc == 0)
        assert_string_equal(names, row->expected);
    cmw_arena_destroy(arena);
    fixture_close(&fixture);
}

static void a_priority_that_is_changed_counts_when_it_is_compiled_again(void **state)
{
    const struct part parts[] = {
        {.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER)},
        {.name = "auth", .priority = 30, .relations = PROVIDES(SLOT_USER)},
    };
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, NULL);
    fixture_add_all(&fixture, parts, LEN(parts));
    assert_int_equal(fixture_compile(&fixture), CMW_ERR_ORDER);
    assert_int_equal(cmw_chain_set_priority(fixture.chain, "perm", 31), 0);
    assert_int_equal(fixture_compile(&fixture), 0);
    assert_int_equal(cmw_chain_disable(fixture.chain, "auth"), 0);
    assert_int_equal(fixture_compile(&fixture), CMW_ERR_ORDER);
    assert_int_equal(cmw_chain_enable(fixture.chain, "auth"), 0);
    assert_int_equal(fixture_compile(&fixture), 0);
    fixture_close(&fixture);
}

/* Each after the next: whoever looks for the first free one again and again does not come to an
 * end. */
static void ten_thousand_that_follow_each_other_are_sorted(void **state)
{
    enum { COUNT = 10000 };
    struct fixture fixture;
    struct cmw__order order;
    cmw_arena *arena = NULL;
    cmw_middleware mw;
    char name[16], next[16];
    const char *const after = next;

    (void)state;
    fixture_open(&fixture, NULL);
    cmw_middleware_init(&mw);
    mw.name = name;
    mw.after = &after;
    for (int i = 0; i < COUNT; i++) {
        snprintf(name, sizeof name, "m%d", i);
        snprintf(next, sizeof next, "m%d", i + 1);
        mw.after_count = i + 1 < COUNT;
        assert_int_equal(cmw_chain_add(fixture.chain, &mw, NULL), 0);
    }
    assert_int_equal(cmw_arena_create(&arena, cmw_engine_pool(fixture.engine, CMW_POOL_PLAN), 0),
                     0);
    assert_int_equal(cmw__order_make(&order, fixture.chain, arena, &fixture.diag), 0);
    for (uint32_t i = 0; i < COUNT; i++)
        assert_int_equal(order.items[i]->sequence, COUNT - 1 - i);
    cmw_arena_destroy(arena);
    fixture_close(&fixture);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows) + 2] = {
        cmocka_unit_test(a_priority_that_is_changed_counts_when_it_is_compiled_again),
        cmocka_unit_test(ten_thousand_that_follow_each_other_are_sorted),
    };
    for (size_t i = 0; i < LEN(rows); i++)
        tests[2 + i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("order", tests, NULL, NULL);
}
