/* SPDX-License-Identifier: MIT */
/*
 * Chains in a few words, for tests of the compiler: an engine with some slots, a chain with some
 * groups, and middleware that is written as one line of a table.
 */
#ifndef CMW_TESTS_ENGINE_FIXTURE_H
#define CMW_TESTS_ENGINE_FIXTURE_H

#include <catzilla/mw.h>

#include "test.h"

/* Where a middleware stands. */
enum place {
    IN_CHAIN,
    IN_API,    /* group "api": paths /api/ and below */
    IN_WRITES, /* group "writes" in "api": POST */
    IN_ROUTE,  /* group "route" of route 7 */
    IN_INNER,  /* group "inner" in "route": POST */
    PLACES
};

/* A condition of its own. */
enum own_condition { NO_CONDITION, ON_API, ON_POST_METHOD, ON_HOST, ON_PREDICATE, OWN_CONDITIONS };

/* Slots 'user' and 'tenant' of the fixture. */
enum { SLOT_USER = CMW_FACT_COUNT, SLOT_TENANT };

struct part {
    const char *name; /* NULL ends a list */
    int32_t priority;
    struct {
        int relation; /* cmw_relation; 0: none */
        cmw_slot slot;
    } relations[2];
    enum place place;
    enum own_condition condition;
    const char *before;
    const char *after;
    uint32_t flags;
    int is_disabled;
    const char *waived; /* name of a slot */
    cmw_phase_fn *pre_route;
    void *self;
};

#define PROVIDES(slot)                                                                             \
    {                                                                                              \
        {                                                                                          \
            CMW_PROVIDES, (slot)                                                                   \
        }                                                                                          \
    }
#define REFINES(slot)                                                                              \
    {                                                                                              \
        {                                                                                          \
            CMW_REFINES, (slot)                                                                    \
        }                                                                                          \
    }
#define REQUIRES(slot)                                                                             \
    {                                                                                              \
        {                                                                                          \
            CMW_REQUIRES, (slot)                                                                   \
        }                                                                                          \
    }
#define USES(slot)                                                                                 \
    {                                                                                              \
        {                                                                                          \
            CMW_USES, (slot)                                                                       \
        }                                                                                          \
    }

struct fixture {
    cmw_engine *engine;
    cmw_chain *chain;
    cmw_group *groups[PLACES];
    cmw_diag diag;
    unsigned asked; /* calls of the predicate */
    int answer;     /* what it says */
};

static inline int fixture_predicate(void *self, cmw_ctx *ctx)
{
    struct fixture *fixture = self;
    (void)ctx;
    fixture->asked++;
    return fixture->answer;
}

static inline int fixture_pass(void *self, cmw_ctx *ctx)
{
    (void)self;
    (void)ctx;
    return CMW_CONTINUE;
}

static inline cmw_group *fixture_group(struct fixture *fixture, const char *name, cmw_group *parent,
                                       const cmw_condition *condition, uint32_t route_id)
{
    cmw_group_config config;
    cmw_group *group = NULL;

    cmw_group_config_init(&config);
    config.name = name;
    config.condition = condition;
    config.route_id = route_id;
    if (cmw_chain_add_group(fixture->chain, &group, parent, &config, &fixture->diag) != 0)
        fail_msg("%s", fixture->diag.message);
    return group;
}

static const char *const fixture_paths[] = {"/api/*"};
static const char *const fixture_methods[] = {"POST"};
static const char *const fixture_hosts[] = {"a.example"};

static inline void fixture_condition(struct fixture *fixture, cmw_condition *condition,
                                     enum own_condition which)
{
    cmw_condition_init(condition);
    condition->paths = fixture_paths;
    condition->path_count = which == ON_API;
    condition->methods = fixture_methods;
    condition->method_count = which == ON_POST_METHOD;
    condition->hosts = fixture_hosts;
    condition->host_count = which == ON_HOST;
    condition->predicate = which == ON_PREDICATE ? fixture_predicate : NULL;
    condition->predicate_self = fixture;
}

static inline void fixture_open(struct fixture *fixture, const cmw_engine_config *config)
{
    cmw_condition api, post;
    cmw_slot slot = 0;

    memset(fixture, 0, sizeof *fixture);
    assert_int_equal(cmw_engine_create(&fixture->engine, config), 0);
    assert_int_equal(cmw_slot_declare(fixture->engine, &slot, "user", 16, NULL), 0);
    assert_int_equal(slot, SLOT_USER);
    assert_int_equal(cmw_slot_declare(fixture->engine, &slot, "tenant", 16, NULL), 0);
    assert_int_equal(slot, SLOT_TENANT);
    assert_int_equal(cmw_chain_create(fixture->engine, &fixture->chain, 0), 0);
    fixture_condition(fixture, &api, ON_API);
    fixture_condition(fixture, &post, ON_POST_METHOD);
    fixture->groups[IN_API] = fixture_group(fixture, "api", NULL, &api, CMW_NONE);
    fixture->groups[IN_WRITES] =
        fixture_group(fixture, "writes", fixture->groups[IN_API], &post, CMW_NONE);
    fixture->groups[IN_ROUTE] = fixture_group(fixture, "route", NULL, NULL, 7);
    fixture->groups[IN_INNER] =
        fixture_group(fixture, "inner", fixture->groups[IN_ROUTE], &post, CMW_NONE);
}

static inline void fixture_close(struct fixture *fixture)
{
    cmw_chain_destroy(fixture->chain);
    assert_int_equal(cmw_engine_destroy(fixture->engine), 0);
}

/* What adding gives. */
static inline int fixture_add(struct fixture *fixture, const struct part *part)
{
    cmw_condition condition;
    cmw_middleware mw;

    cmw_middleware_init(&mw);
    mw.name = part->name;
    mw.priority = part->priority;
    mw.flags = part->flags;
    mw.pre_route = part->pre_route ? part->pre_route : fixture_pass;
    mw.self = part->self;
    mw.before = &part->before;
    mw.before_count = part->before != NULL;
    mw.after = &part->after;
    mw.after_count = part->after != NULL;
    fixture_condition(fixture, &condition, part->condition);
    mw.condition = part->condition ? &condition : NULL;
    for (size_t i = 0; i < LEN(part->relations) && part->relations[i].relation; i++)
        cmw_middleware_relate(&mw, (cmw_relation)part->relations[i].relation,
                              part->relations[i].slot);
    return part->place == IN_CHAIN
               ? cmw_chain_add(fixture->chain, &mw, &fixture->diag)
               : cmw_group_add(fixture->groups[part->place], &mw, &fixture->diag);
}

static inline void fixture_add_all(struct fixture *fixture, const struct part *parts, size_t cap)
{
    for (size_t i = 0; i < cap && parts[i].name; i++) {
        if (fixture_add(fixture, &parts[i]) != 0)
            fail_msg("%s", fixture->diag.message);
        if (parts[i].is_disabled)
            assert_int_equal(cmw_chain_disable(fixture->chain, parts[i].name), 0);
        if (parts[i].waived)
            assert_int_equal(cmw_chain_waive(fixture->chain, parts[i].name, parts[i].waived), 0);
    }
}

/* Compile and let go of the plan: the code. */
static inline int fixture_compile(struct fixture *fixture)
{
    cmw_plan *plan = NULL;
    const int rc = cmw_chain_compile(fixture->chain, &plan, &fixture->diag);
    cmw_plan_release(plan);
    return rc;
}

/* The code, and the whole sentence where there is one. */
static inline void fixture_expect(const struct fixture *fixture, int got, int code,
                                  const char *sentence)
{
    if (got != code)
        fail_msg("%s instead of %s: %s", got ? cmw_error_name(got) : "0",
                 code ? cmw_error_name(code) : "0", fixture->diag.message);
    if (code != 0)
        assert_string_equal(fixture->diag.message, sentence);
}

#endif /* CMW_TESTS_ENGINE_FIXTURE_H */
