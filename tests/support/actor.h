/* SPDX-License-Identifier: MIT */
/*
 * Middleware that does what it is told and writes down that it was called, and a bench to run it.
 *
 *     struct bench bench;
 *     struct actor auth = {.name = "auth", .on = ON_PRE, .pre = CMW_STOP, .pre_status = 401};
 *     bench_open(&bench, NULL);
 *     bench_add(&bench, &auth);
 *     bench_install(&bench);
 *     assert_int_equal(cmw_test_send(bench.test), 401);
 *     assert_string_equal(bench.log, "pre:auth ");
 *     bench_close(&bench);
 */
#ifndef CMW_TESTS_ACTOR_H
#define CMW_TESTS_ACTOR_H

#include <catzilla/testing.h>

#include <stdio.h>

#include "test.h"

enum { ON_PRE = 1, ON_POST = 2, ON_ERROR = 4, ON_COMPLETE = 8, ON_ALL = 15 };

struct bench {
    cmw_test *test;
    cmw_engine *engine;
    cmw_chain *chain;
    char log[4096];
    size_t log_len;
};

struct actor {
    const char *name;
    unsigned on;           /* ON_... */
    int32_t priority;      /* 0: the default */
    int32_t post_priority; /* 0: as `priority` */
    uint32_t flags;
    int32_t failure;
    int32_t failure_status;
    const cmw_condition *condition;
    const cmw_header *fields;
    size_t field_count;
    int pre, post, error;         /* verdicts */
    int pre_status, error_status; /* an answer made before the verdict; 0: none */
    int post_status;
    const char *pre_field; /* fields set, to the actor's name */
    const char *post_field;
    void (*inside)(struct actor *actor, cmw_ctx *ctx); /* called in every callback, or NULL */
    void *data;
    struct bench *bench; /* filled by bench_add */
    int entered_seen;    /* cmw_ctx_was_entered in the last callback */
    int destroyed;
};

static inline void bench_log(struct bench *bench, const char *word, const char *name)
{
    const int len = snprintf(bench->log + bench->log_len, sizeof bench->log - bench->log_len,
                             "%s%s ", word, name);
    assert_true(len > 0 && (size_t)len < sizeof bench->log - bench->log_len);
    bench->log_len += (size_t)len;
}

static inline void bench_forget(struct bench *bench)
{
    bench->log[0] = '\0';
    bench->log_len = 0;
}

static inline void actor_note(struct actor *actor, cmw_ctx *ctx, const char *word)
{
    bench_log(actor->bench, word, actor->name);
    assert_string_equal(cmw_ctx_middleware_name(ctx), actor->name);
    actor->entered_seen = cmw_ctx_was_entered(ctx);
    if (actor->inside)
        actor->inside(actor, ctx);
}

static inline void actor_set(const struct actor *actor, cmw_ctx *ctx, const char *field)
{
    if (field)
        assert_int_equal(cmw_response_set_named(cmw_ctx_response(ctx), cmw_str_cstr(field),
                                                cmw_str_cstr(actor->name)),
                         0);
}

static inline int actor_pre(void *self, cmw_ctx *ctx)
{
    struct actor *actor = self;

    actor_note(actor, ctx, "pre:");
    actor_set(actor, ctx, actor->pre_field);
    if (actor->pre_status)
        assert_int_equal(cmw_respond_text(ctx, actor->pre_status, CMW_STR("from pre")), CMW_STOP);
    return actor->pre;
}

static inline int actor_post(void *self, cmw_ctx *ctx)
{
    struct actor *actor = self;

    actor_note(actor, ctx, "post:");
    actor_set(actor, ctx, actor->post_field);
    if (actor->post_status)
        assert_int_equal(cmw_response_set_status(cmw_ctx_response(ctx), actor->post_status), 0);
    return actor->post;
}

static inline int actor_error(void *self, cmw_ctx *ctx)
{
    struct actor *actor = self;

    actor_note(actor, ctx, "error:");
    assert_non_null(cmw_ctx_fault(ctx));
    if (actor->error_status)
        assert_int_equal(cmw_respond_text(ctx, actor->error_status, CMW_STR("from error")),
                         CMW_STOP);
    return actor->error;
}

static inline void actor_complete(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    struct actor *actor = self;
    char word[64];

    snprintf(word, sizeof word, "complete/%s:", cmw_end_reason_name(reason));
    actor_note(actor, ctx, word);
}

static inline void actor_destroy(void *self)
{
    struct actor *actor = self;
    actor->destroyed++;
}

static inline cmw_middleware actor_middleware(struct bench *bench, struct actor *actor)
{
    cmw_middleware mw;

    actor->bench = bench;
    cmw_middleware_init(&mw);
    mw.name = actor->name;
    mw.self = actor;
    mw.destroy = actor_destroy;
    if (actor->priority)
        mw.priority = actor->priority;
    if (actor->post_priority)
        mw.post_priority = actor->post_priority;
    mw.flags = actor->flags;
    mw.failure = actor->failure;
    mw.failure_status = actor->failure_status;
    mw.condition = actor->condition;
    mw.fields = actor->fields;
    mw.field_count = actor->field_count;
    mw.pre_route = actor->on & ON_PRE ? actor_pre : NULL;
    mw.post_route = actor->on & ON_POST ? actor_post : NULL;
    mw.error = actor->on & ON_ERROR ? actor_error : NULL;
    mw.complete = actor->on & ON_COMPLETE ? actor_complete : NULL;
    return mw;
}

static inline void bench_open_flags(struct bench *bench, const cmw_engine_config *config,
                                    unsigned flags)
{
    memset(bench, 0, sizeof *bench);
    assert_int_equal(cmw_test_create(&bench->test, config), 0);
    bench->engine = cmw_test_engine(bench->test);
    assert_int_equal(cmw_chain_create(bench->engine, &bench->chain, flags), 0);
}

static inline void bench_open(struct bench *bench, const cmw_engine_config *config)
{
    bench_open_flags(bench, config, 0);
}

static inline void bench_add(struct bench *bench, struct actor *actor)
{
    const cmw_middleware mw = actor_middleware(bench, actor);
    cmw_diag diag = {0, 0, ""};

    if (cmw_chain_add(bench->chain, &mw, &diag) != 0)
        fail_msg("%s", diag.message);
}

static inline void bench_install(struct bench *bench)
{
    cmw_plan *plan = NULL;
    cmw_diag diag = {0, 0, ""};

    if (cmw_chain_compile(bench->chain, &plan, &diag) != 0)
        fail_msg("%s", diag.message);
    assert_int_equal(cmw_test_install(bench->test, plan), 0);
}

static inline uint64_t pool_in_use(cmw_engine *engine, cmw_pool_purpose purpose)
{
    cmw_pool_stats stats;

    stats.size = sizeof stats;
    assert_int_equal(cmw_pool_get_stats(cmw_engine_pool(engine, purpose), &stats), 0);
    return stats.in_use_bytes;
}

/* Everything is given back: no context in flight, no byte in use after a trim. */
static inline void bench_close(struct bench *bench)
{
    cmw_worker *worker = cmw_test_worker(bench->test);

    cmw_chain_destroy(bench->chain);
    assert_int_equal(cmw_worker_in_flight(worker), 0);
    cmw_worker_trim(worker);
    assert_int_equal(pool_in_use(bench->engine, CMW_POOL_CONTEXT), 0);
    assert_int_equal(cmw_test_destroy(bench->test), 0);
}

#endif /* CMW_TESTS_ACTOR_H */
