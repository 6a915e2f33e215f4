/* SPDX-License-Identifier: MIT */
/* What is provided, refined, required and used: which chains compile, and what the others are told.
 */
#include <stdio.h>

#include "engine_fixture.h"

struct row {
    const char *name;
    struct part parts[4];
    int code;
    const char *sentence;
};

static const struct row rows[] = {
    /* ---- requires ---- */
    {"a provider of a lower priority comes first",
     {{.name = "auth", .priority = 10, .relations = PROVIDES(SLOT_USER)},
      {.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER)}},
     0,
     NULL},
    {"a provider of a higher priority comes too late, and a priority that holds is named",
     {{.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER)},
      {.name = "auth", .priority = 30, .relations = PROVIDES(SLOT_USER)}},
     CMW_ERR_ORDER,
     "'perm' (priority 20) reads slot 'user', which 'auth' provides only at priority 30; give "
     "'perm' a priority above 30, such as 31"},
    {"of equal priorities the one registered first comes first",
     {{.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER)},
      {.name = "auth", .priority = 20, .relations = PROVIDES(SLOT_USER)}},
     CMW_ERR_ORDER,
     "'perm' (priority 20) reads slot 'user', which 'auth' provides only at priority 20; give "
     "'perm' a priority above 20, such as 21"},
    {"behind the last priority there is none to propose",
     {{.name = "perm", .priority = 0, .relations = REQUIRES(SLOT_USER)},
      {.name = "auth", .priority = 65535, .relations = PROVIDES(SLOT_USER)}},
     CMW_ERR_ORDER,
     "'perm' (priority 0) reads slot 'user', which 'auth' provides only at priority 65535, the "
     "last one; give 'auth' a lower one, and 'perm' one above that"},
    {"what nobody provides is refused",
     {{.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER)}},
     CMW_ERR_ORDER,
     "'perm' (priority 20) reads slot 'user', which no middleware of the chain provides"},
    {"a disabled provider is named",
     {{.name = "auth", .priority = 10, .relations = PROVIDES(SLOT_USER), .is_disabled = 1},
      {.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER)}},
     CMW_ERR_ORDER,
     "'perm' (priority 20) reads slot 'user', which 'auth' would provide but is disabled"},
    {"a disabled reader needs nobody",
     {{.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER), .is_disabled = 1}},
     0,
     NULL},
    {"who provides it itself needs nobody",
     {{.name = "auth",
       .priority = 10,
       .relations = {{CMW_REQUIRES, SLOT_USER}, {CMW_PROVIDES, SLOT_USER}}}},
     0,
     NULL},
    {"another slot is no provider",
     {{.name = "auth", .priority = 10, .relations = PROVIDES(SLOT_TENANT)},
      {.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER)}},
     CMW_ERR_ORDER,
     "'perm' (priority 20) reads slot 'user', which no middleware of the chain provides"},
    {"the engine provides its own facts",
     {{.name = "log", .priority = 0, .relations = REQUIRES(CMW_FACT_HOST)}},
     0,
     NULL},

    /* ---- conditions of the provider ---- */
    {"a provider in the reader's group covers it",
     {{.name = "auth", .priority = 10, .relations = PROVIDES(SLOT_USER), .place = IN_API},
      {.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER), .place = IN_API}},
     0,
     NULL},
    {"a provider in an enclosing group covers it",
     {{.name = "auth", .priority = 10, .relations = PROVIDES(SLOT_USER), .place = IN_API},
      {.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER), .place = IN_WRITES}},
     0,
     NULL},
    {"a provider with the reader's own condition covers it",
     {{.name = "auth", .priority = 10, .relations = PROVIDES(SLOT_USER), .condition = ON_HOST},
      {.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER), .condition = ON_HOST}},
     0,
     NULL},
    {"the same condition of a group and of its own cover each other",
     {{.name = "auth", .priority = 10, .relations = PROVIDES(SLOT_USER), .condition = ON_API},
      {.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER), .place = IN_API}},
     0,
     NULL},
    {"a provider in an inner group does not cover the outer one",
     {{.name = "auth", .priority = 10, .relations = PROVIDES(SLOT_USER), .place = IN_WRITES},
      {.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER), .place = IN_API}},
     CMW_ERR_ORDER,
     "'perm' (priority 20) reads slot 'user', but 'auth' (priority 10) provides it only under "
     "conditions that 'perm' does not have; put both under the same conditions, or read it as "
     "`uses`"},
    {"a predicate of the provider's own does not cover anybody",
     {{.name = "auth", .priority = 10, .relations = PROVIDES(SLOT_USER), .condition = ON_PREDICATE},
      {.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER)}},
     CMW_ERR_ORDER,
     "'perm' (priority 20) reads slot 'user', but 'auth' (priority 10) provides it only under "
     "conditions that 'perm' does not have; put both under the same conditions, or read it as "
     "`uses`"},
    {"one of two providers that covers is enough",
     {{.name = "some", .priority = 10, .relations = PROVIDES(SLOT_USER), .condition = ON_HOST},
      {.name = "auth", .priority = 11, .relations = PROVIDES(SLOT_USER)},
      {.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER)}},
     0,
     NULL},
    {"a late provider does not hide that an early one has conditions",
     {{.name = "auth", .priority = 10, .relations = PROVIDES(SLOT_USER), .condition = ON_HOST},
      {.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER)},
      {.name = "late", .priority = 30, .relations = PROVIDES(SLOT_USER)}},
     CMW_ERR_ORDER,
     "'perm' (priority 20) reads slot 'user', but 'auth' (priority 10) provides it only under "
     "conditions that 'perm' does not have; put both under the same conditions, or read it as "
     "`uses`"},

    /* ---- routes ---- */
    {"a provider in a route covers its route",
     {{.name = "auth", .priority = 10, .relations = PROVIDES(SLOT_USER), .place = IN_ROUTE},
      {.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER), .place = IN_INNER}},
     0,
     NULL},
    {"a provider in a route runs after all else, whatever its priority",
     {{.name = "auth", .priority = 10, .relations = PROVIDES(SLOT_USER), .place = IN_ROUTE},
      {.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER)}},
     CMW_ERR_ORDER,
     "'perm' (priority 20) reads slot 'user', which 'auth' provides only in route 7, after all "
     "else"},
    {"within one route the priority is what is wrong",
     {{.name = "auth", .priority = 30, .relations = PROVIDES(SLOT_USER), .place = IN_ROUTE},
      {.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER), .place = IN_ROUTE}},
     CMW_ERR_ORDER,
     "'perm' (priority 20) reads slot 'user', which 'auth' provides only at priority 30; give "
     "'perm' a priority above 30, such as 31"},
    {"a reader in a route has what ran before, whatever its priority",
     {{.name = "auth", .priority = 30, .relations = PROVIDES(SLOT_USER)},
      {.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER), .place = IN_ROUTE}},
     0,
     NULL},

    /* ---- uses ---- */
    {"what is used may be absent",
     {{.name = "log", .priority = 20, .relations = USES(SLOT_USER)}},
     0,
     NULL},
    {"what is used may have other conditions",
     {{.name = "auth", .priority = 10, .relations = PROVIDES(SLOT_USER), .condition = ON_HOST},
      {.name = "log", .priority = 20, .relations = USES(SLOT_USER)}},
     0,
     NULL},
    {"what is used is there in time if anybody provides it",
     {{.name = "log", .priority = 20, .relations = USES(SLOT_USER)},
      {.name = "auth", .priority = 30, .relations = PROVIDES(SLOT_USER)}},
     CMW_ERR_ORDER,
     "'log' (priority 20) reads slot 'user', which 'auth' provides only at priority 30; give "
     "'log' a priority above 30, such as 31"},

    /* ---- refines ---- */
    {"a refiner runs before who reads",
     {{.name = "proxy", .priority = 10, .relations = REFINES(CMW_FACT_CLIENT_ADDRESS)},
      {.name = "limit", .priority = 20, .relations = REQUIRES(CMW_FACT_CLIENT_ADDRESS)}},
     0,
     NULL},
    {"a refiner behind who requires is refused",
     {{.name = "limit", .priority = 20, .relations = REQUIRES(CMW_FACT_CLIENT_ADDRESS)},
      {.name = "proxy", .priority = 30, .relations = REFINES(CMW_FACT_CLIENT_ADDRESS)}},
     CMW_ERR_ORDER,
     "'limit' (priority 20) reads 'client_address', which 'proxy' refines only at priority 30; "
     "give 'limit' a priority above 30, or 'proxy' one below 20"},
    {"a refiner behind who uses is refused",
     {{.name = "limit", .priority = 20, .relations = USES(CMW_FACT_SCHEME)},
      {.name = "proxy", .priority = 30, .relations = REFINES(CMW_FACT_SCHEME)}},
     CMW_ERR_ORDER,
     "'limit' (priority 20) reads 'scheme', which 'proxy' refines only at priority 30; give "
     "'limit' a priority above 30, or 'proxy' one below 20"},
    {"a slot can be refined too",
     {{.name = "auth", .priority = 10, .relations = PROVIDES(SLOT_USER)},
      {.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER)},
      {.name = "roles", .priority = 30, .relations = REFINES(SLOT_USER)}},
     CMW_ERR_ORDER,
     "'perm' (priority 20) reads 'user', which 'roles' refines only at priority 30; give 'perm' a "
     "priority above 30, or 'roles' one below 20"},
    {"one refiner may read what the next one refines",
     {{.name = "one",
       .priority = 10,
       .relations = {{CMW_REFINES, CMW_FACT_HOST}, {CMW_REQUIRES, CMW_FACT_HOST}}},
      {.name = "two", .priority = 20, .relations = REFINES(CMW_FACT_HOST)}},
     0,
     NULL},

    /* ---- post_route ---- */
    {"who uses what is made of a response comes behind who makes it",
     {{.name = "tag", .priority = 10, .relations = {{CMW_POST_PROVIDES, SLOT_USER}}},
      {.name = "zip", .priority = 20, .relations = {{CMW_POST_USES, SLOT_USER}}}},
     0,
     NULL},
    {"who uses it before is refused, and both ways out are named",
     {{.name = "zip", .priority = 10, .relations = {{CMW_POST_USES, SLOT_USER}}},
      {.name = "tag", .priority = 20, .relations = {{CMW_POST_PROVIDES, SLOT_USER}}}},
     CMW_ERR_ORDER,
     "'zip' (priority 10 in post_route) needs 'user' behind it, which 'tag' provides only at 20 "
     "there; give 'zip' a post_priority above 20, or 'tag' one below 10"},
    {"one who provides it in time does not stand for another who does not",
     {{.name = "tag", .priority = 10, .relations = {{CMW_POST_PROVIDES, SLOT_USER}}},
      {.name = "zip", .priority = 20, .relations = {{CMW_POST_USES, SLOT_USER}}},
      {.name = "late", .priority = 30, .relations = {{CMW_POST_PROVIDES, SLOT_USER}}}},
     CMW_ERR_ORDER,
     "'zip' (priority 20 in post_route) needs 'user' behind it, which 'late' provides only at 30 "
     "there; give 'zip' a post_priority above 30, or 'late' one below 20"},
    {"what transforms bodies comes behind who means the plain one, without saying so",
     {{.name = "zip", .priority = 10, .flags = CMW_TRANSFORMS_BODY},
      {.name = "tag", .priority = 20, .relations = {{CMW_POST_PROVIDES, CMW_FACT_PLAIN_BODY}}}},
     CMW_ERR_ORDER,
     "'zip' (priority 10 in post_route) needs 'plain_body' behind it, which 'tag' provides only at "
     "20 there; give 'zip' a post_priority above 20, or 'tag' one below 10"},
    {"what is provided in pre_route is nothing to post_route",
     {{.name = "zip", .priority = 10, .relations = {{CMW_POST_USES, SLOT_USER}}},
      {.name = "auth", .priority = 20, .relations = PROVIDES(SLOT_USER)}},
     0,
     NULL},
    {"nobody need provide it",
     {{.name = "zip", .priority = 10, .relations = {{CMW_POST_USES, SLOT_USER}}}},
     0,
     NULL},
    {"a provider that is disabled is not in the way",
     {{.name = "zip", .priority = 10, .relations = {{CMW_POST_USES, SLOT_USER}}},
      {.name = "tag",
       .priority = 20,
       .relations = {{CMW_POST_PROVIDES, SLOT_USER}},
       .is_disabled = 1}},
     0,
     NULL},
    {"the rule of post_route can be waived",
     {{.name = "zip", .priority = 10, .relations = {{CMW_POST_USES, SLOT_USER}}, .waived = "user"},
      {.name = "tag", .priority = 20, .relations = {{CMW_POST_PROVIDES, SLOT_USER}}}},
     0,
     NULL},

    /* ---- waivers ---- */
    {"a waived rule does not hold",
     {{.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER), .waived = "user"},
      {.name = "auth", .priority = 30, .relations = PROVIDES(SLOT_USER)}},
     0,
     NULL},
    {"a waiver for one slot leaves the others",
     {{.name = "perm", .priority = 20, .relations = REQUIRES(SLOT_USER), .waived = "tenant"}},
     CMW_ERR_ORDER,
     "'perm' (priority 20) reads slot 'user', which no middleware of the chain provides"},
    {"a waiver covers refiners too",
     {{.name = "limit",
       .priority = 20,
       .relations = REQUIRES(CMW_FACT_CLIENT_ADDRESS),
       .waived = "client_address"},
      {.name = "proxy", .priority = 30, .relations = REFINES(CMW_FACT_CLIENT_ADDRESS)}},
     0,
     NULL},

    /* ---- the match point ---- */
    {"a condition behind the refiner of what it reads is decided in time",
     {{.name = "rehost", .priority = 10, .relations = REFINES(CMW_FACT_HOST)},
      {.name = "site", .priority = 20, .condition = ON_HOST}},
     0,
     NULL},
    {"a condition before the refiner of what it reads is refused",
     {{.name = "site", .priority = 10, .condition = ON_HOST},
      {.name = "rehost", .priority = 20, .relations = REFINES(CMW_FACT_HOST)}},
     CMW_ERR_ORDER,
     "a condition of 'site' (priority 10) reads 'host', which 'rehost' refines only at priority "
     "20; give 'site' a priority above 20, or 'rehost' one below 10"},
    {"a condition of a group counts as its member's",
     {{.name = "site", .priority = 10, .place = IN_WRITES},
      {.name = "rewrite", .priority = 20, .relations = REFINES(CMW_FACT_CANONICAL_PATH)}},
     CMW_ERR_ORDER,
     "a condition of 'site' (priority 10) reads 'canonical_path', which 'rewrite' refines only at "
     "priority 20; give 'site' a priority above 20, or 'rewrite' one below 10"},
    {"a condition before a refiner may read something else",
     {{.name = "site", .priority = 10, .condition = ON_POST_METHOD},
      {.name = "rehost", .priority = 20, .relations = REFINES(CMW_FACT_HOST)},
      {.name = "other", .priority = 30, .condition = ON_HOST}},
     0,
     NULL},
    {"a refiner has no condition on what it refines",
     {{.name = "rehost",
       .priority = 20,
       .relations = REFINES(CMW_FACT_HOST),
       .condition = ON_HOST}},
     CMW_ERR_CONFLICT,
     "'rehost' refines 'host' and so cannot have a condition that reads it"},
    {"a refiner may have a condition on something else",
     {{.name = "rehost", .priority = 20, .relations = REFINES(CMW_FACT_HOST), .condition = ON_API},
      {.name = "site", .priority = 30, .condition = ON_HOST}},
     0,
     NULL},
    {"a refiner of what no condition reads may stand behind them all",
     {{.name = "site", .priority = 10, .condition = ON_HOST},
      {.name = "proxy", .priority = 20, .relations = REFINES(CMW_FACT_CLIENT_ADDRESS)}},
     0,
     NULL},
    {"a route cannot refine what a condition reads",
     {{.name = "rehost", .priority = 10, .relations = REFINES(CMW_FACT_HOST), .place = IN_ROUTE},
      {.name = "site", .priority = 20, .condition = ON_HOST, .place = IN_ROUTE}},
     CMW_ERR_ORDER,
     "'rehost' (priority 10) refines 'host' in route 7, which is entered after the conditions are "
     "decided, but a condition of 'site' (priority 20) reads it; add 'rehost' outside of the "
     "route"},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct fixture fixture;

    fixture_open(&fixture, NULL);
    fixture_add_all(&fixture, row->parts, LEN(row->parts));
    fixture_expect(&fixture, fixture_compile(&fixture), row->code, row->sentence);
    fixture_close(&fixture);
}

/* ---- Predicates that read ---------------------------------------------------------------- */

static void add_reading_predicate(struct fixture *fixture, const char *name, int32_t priority,
                                  cmw_slot reads)
{
    cmw_condition condition;
    cmw_middleware mw;

    fixture_condition(fixture, &condition, ON_PREDICATE);
    condition.reads = &reads;
    condition.read_count = 1;
    cmw_middleware_init(&mw);
    mw.name = name;
    mw.priority = priority;
    mw.pre_route = fixture_pass;
    mw.condition = &condition;
    assert_int_equal(cmw_chain_add(fixture->chain, &mw, &fixture->diag), 0);
}

static void a_predicate_that_reads_what_is_refined_later_is_refused(void **state)
{
    const struct part proxy = {
        .name = "proxy", .priority = 20, .relations = REFINES(CMW_FACT_CLIENT_ADDRESS)};
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, NULL);
    add_reading_predicate(&fixture, "inside", 10, CMW_FACT_CLIENT_ADDRESS);
    assert_int_equal(fixture_add(&fixture, &proxy), 0);
    fixture_expect(&fixture, fixture_compile(&fixture), CMW_ERR_ORDER,
                   "a condition of 'inside' (priority 10) reads 'client_address', which 'proxy' "
                   "refines only at priority 20; give 'inside' a priority above 20, or 'proxy' one "
                   "below 10");
    fixture_close(&fixture);
}

static void a_predicate_that_reads_what_is_provided_later_is_refused(void **state)
{
    const struct part auth = {.name = "auth", .priority = 20, .relations = PROVIDES(SLOT_USER)};
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, NULL);
    add_reading_predicate(&fixture, "inside", 10, SLOT_USER);
    assert_int_equal(fixture_add(&fixture, &auth), 0);
    fixture_expect(&fixture, fixture_compile(&fixture), CMW_ERR_ORDER,
                   "a condition of 'inside' (priority 10) reads 'user', which 'auth' provides only "
                   "at priority 20; give 'inside' a priority above 20, or 'auth' one below 10");
    fixture_close(&fixture);
}

/* ---- When conditions are decided ---------------------------------------------------------- */

static int rehost(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_request_set_host(cmw_ctx_request(ctx), CMW_STR("a.example")) == 0 ? CMW_CONTINUE
                                                                                 : CMW_ERROR;
}

static int count_call(void *self, cmw_ctx *ctx)
{
    (void)ctx;
    ++*(int *)self;
    return CMW_CONTINUE;
}

/* One request through the fixture's chain, whose answer does not matter. */
static void run_request(struct fixture *fixture, const char *method, const char *target)
{
    cmw_worker *worker = NULL;
    cmw_plan *plan = NULL;
    cmw_ctx *ctx = NULL;
    cmw_request_view view;

    assert_int_equal(cmw_chain_compile(fixture->chain, &plan, &fixture->diag), 0);
    assert_int_equal(cmw_engine_install(fixture->engine, plan, NULL), 0);
    cmw_plan_release(plan);
    assert_int_equal(cmw_engine_take_worker(fixture->engine, &worker, NULL, NULL), 0);
    cmw_request_view_init(&view);
    view.method = cmw_str_cstr(method);
    view.target = cmw_str_cstr(target);
    assert_int_equal(cmw_ctx_begin(worker, &ctx, &view), 0);
    (void)cmw_ctx_run(ctx);
    (void)cmw_ctx_enter_route(ctx, 7);
    (void)cmw_ctx_commit(ctx);
    cmw_ctx_end(ctx, CMW_END_SENT);
    cmw_engine_put_worker(fixture->engine, worker);
}

static int provide_user(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_ctx_set_slot(ctx, SLOT_USER) ? CMW_CONTINUE : CMW_ERROR;
}

static int has_user(void *self, cmw_ctx *ctx)
{
    int *seen = self;

    *seen = cmw_ctx_slot(ctx, SLOT_USER) != NULL;
    return *seen;
}

/* It is decided after the provider, whatever else the plan does with conditions. */
static void a_predicate_sees_what_was_provided_before_it(void **state)
{
    const struct part auth = {.name = "auth",
                              .priority = 20,
                              .relations = PROVIDES(SLOT_USER),
                              .pre_route = provide_user};
    cmw_condition condition;
    cmw_middleware mw;
    struct fixture fixture;
    cmw_slot reads = SLOT_USER;
    int seen = 0;

    (void)state;
    fixture_open(&fixture, NULL);
    assert_int_equal(fixture_add(&fixture, &auth), 0);
    cmw_condition_init(&condition);
    condition.predicate = has_user;
    condition.predicate_self = &seen;
    condition.reads = &reads;
    condition.read_count = 1;
    cmw_middleware_init(&mw);
    mw.name = "inside";
    mw.priority = 30;
    mw.pre_route = fixture_pass;
    mw.condition = &condition;
    assert_int_equal(cmw_chain_add(fixture.chain, &mw, &fixture.diag), 0);
    run_request(&fixture, "GET", "/");
    assert_int_equal(seen, 1);
    fixture_close(&fixture);
}

static void conditions_see_what_the_last_refiner_made(void **state)
{
    int calls = 0;
    const struct part parts[] = {
        {.name = "rehost",
         .priority = 10,
         .relations = REFINES(CMW_FACT_HOST),
         .pre_route = rehost},
        {.name = "site",
         .priority = 20,
         .condition = ON_HOST,
         .pre_route = count_call,
         .self = &calls},
    };
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, NULL);
    fixture_add_all(&fixture, parts, LEN(parts));
    run_request(&fixture, "GET", "/");
    assert_int_equal(calls, 1);
    fixture_close(&fixture);
}

struct predicate_row {
    const char *name;
    struct part parts[4];
    const char *target;
};

/* In each row the predicate is reached more than once. */
static const struct predicate_row predicate_rows[] = {
    {"one that two different condition sets share",
     {{.name = "one", .condition = ON_PREDICATE},
      {.name = "two", .condition = ON_PREDICATE, .place = IN_API}},
     "/api/x"},
    {"one that is asked before the match point and behind it",
     {{.name = "early", .priority = 5, .condition = ON_PREDICATE},
      {.name = "rehost", .priority = 10, .relations = REFINES(CMW_FACT_HOST), .pre_route = rehost},
      {.name = "site", .priority = 20, .condition = ON_HOST},
      {.name = "late", .priority = 30, .condition = ON_PREDICATE, .place = IN_API}},
     "/api/x"},
    {"one of a route that is entered",
     {{.name = "one", .condition = ON_PREDICATE},
      {.name = "two", .condition = ON_PREDICATE, .place = IN_ROUTE},
      {.name = "three", .condition = ON_PREDICATE, .place = IN_INNER}},
     "/api/x"},
};

static void check_predicate_row(void **state)
{
    const struct predicate_row *row = *state;

    for (int answer = 0; answer <= 1; answer++) {
        struct fixture fixture;
        fixture_open(&fixture, NULL);
        fixture.answer = answer;
        fixture_add_all(&fixture, row->parts, LEN(row->parts));
        run_request(&fixture, "POST", row->target);
        assert_int_equal(fixture.asked, 1);
        fixture_close(&fixture);
    }
}

static void a_predicate_beside_two_patterns_that_match_is_asked_once(void **state)
{
    static const char *const paths[] = {"/{x}", "/*", "/a"};
    cmw_condition condition;
    struct fixture fixture;
    cmw_middleware mw;

    (void)state;
    fixture_open(&fixture, NULL);
    fixture_condition(&fixture, &condition, ON_PREDICATE);
    condition.paths = paths;
    condition.path_count = LEN(paths);
    cmw_middleware_init(&mw);
    mw.name = "site";
    mw.pre_route = fixture_pass;
    mw.condition = &condition;
    assert_int_equal(cmw_chain_add(fixture.chain, &mw, &fixture.diag), 0);
    run_request(&fixture, "GET", "/a");
    assert_int_equal(fixture.asked, 1);
    fixture_close(&fixture);
}

static void a_method_holds_where_a_class_before_the_match_point_was_not_asked(void **state)
{
    int calls = 0;
    const struct part parts[] = {
        {.name = "rehost", .priority = 10, .relations = REFINES(CMW_FACT_HOST)},
        {.name = "site", .priority = 20, .condition = ON_HOST},
        {.name = "late",
         .priority = 30,
         .condition = ON_POST_METHOD,
         .pre_route = count_call,
         .self = &calls},
    };
    struct fixture fixture;
    cmw_condition condition;
    cmw_middleware quiet;

    (void)state;
    fixture_open(&fixture, NULL);
    fixture_condition(&fixture, &condition, ON_POST_METHOD);
    cmw_middleware_init(&quiet); /* without a pre_route nobody asks its conditions early */
    quiet.name = "quiet";
    quiet.priority = 5;
    quiet.condition = &condition;
    quiet.post_route = fixture_pass;
    assert_int_equal(cmw_chain_add(fixture.chain, &quiet, &fixture.diag), 0);
    fixture_add_all(&fixture, parts, LEN(parts));
    run_request(&fixture, "GET", "/");
    assert_int_equal(calls, 0);
    fixture_close(&fixture);
}

static void more_than_64_conditions_before_the_match_point_are_refused(void **state)
{
    char names[65][16];
    char methods[65][16];
    const struct part last[] = {
        {.name = "rehost", .priority = 10, .relations = REFINES(CMW_FACT_HOST)},
        {.name = "site", .priority = 20, .condition = ON_HOST},
    };
    struct fixture fixture;

    (void)state;
    fixture_open(&fixture, NULL);
    for (int i = 0; i < 65; i++) {
        const char *method = methods[i];
        cmw_condition condition;
        cmw_middleware mw;
        (void)snprintf(names[i], sizeof names[i], "m%d", i);
        (void)snprintf(methods[i], sizeof methods[i], "M%d", i);
        cmw_condition_init(&condition);
        condition.methods = &method;
        condition.method_count = 1;
        cmw_middleware_init(&mw);
        mw.name = names[i];
        mw.priority = 5;
        mw.pre_route = fixture_pass;
        mw.condition = &condition;
        assert_int_equal(cmw_chain_add(fixture.chain, &mw, &fixture.diag), 0);
    }
    fixture_add_all(&fixture, last, LEN(last));
    fixture_expect(&fixture, fixture_compile(&fixture), CMW_ERR_LIMIT,
                   "more than 64 different conditions before the match point, which 'rehost' "
                   "(priority 10) sets");
    fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(a_predicate_that_reads_what_is_refined_later_is_refused),
        cmocka_unit_test(a_predicate_that_reads_what_is_provided_later_is_refused),
        cmocka_unit_test(a_predicate_sees_what_was_provided_before_it),
        cmocka_unit_test(conditions_see_what_the_last_refiner_made),
        cmocka_unit_test(a_predicate_beside_two_patterns_that_match_is_asked_once),
        cmocka_unit_test(a_method_holds_where_a_class_before_the_match_point_was_not_asked),
        cmocka_unit_test(more_than_64_conditions_before_the_match_point_are_refused),
    };
    struct CMUnitTest tests[LEN(rows) + LEN(predicate_rows) + LEN(others)];
    struct CMUnitTest *at = tests;

    for (size_t i = 0; i < LEN(rows); i++)
        *at++ = ROW_TEST(&rows[i], check_row);
    for (size_t i = 0; i < LEN(predicate_rows); i++)
        *at++ = ROW_TEST(&predicate_rows[i], check_predicate_row);
    memcpy(at, others, sizeof others);
    return cmocka_run_group_tests_name("facts", tests, NULL, NULL);
}
