/* SPDX-License-Identifier: MIT */
/* Suspending: which tokens wake whom, how many may wait, and what a host must be able to do. */
#include "suspend_server.h"

#include <pthread.h>

static void many_resumes_wake_the_host_once(void **state)
{
    enum { COUNT = 100 };
    cmw_token token, tokens[COUNT];
    struct server server;

    (void)state;
    open_hanger(&server, &token, NULL);
    server.host.proceed = quiet_proceed;
    for (unsigned round = 1; round <= 2; round++) {
        for (int i = 0; i < COUNT; i++) {
            assert_int_equal(cmw_ctx_run(begin(&server)), CMW_TO_SUSPENDED);
            tokens[i] = token;
        }
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(cmw_resume(server.engine, tokens[i], 0, NULL), 0);
        assert_int_equal(server.woken, round);
        assert_int_equal(cmw_worker_run(server.worker, 1000), COUNT);
    }
    server_close(&server);
}

struct elsewhere {
    cmw_engine *engine;
    const cmw_token *tokens;
    int count;
};

static void *resume_elsewhere(void *argument)
{
    const struct elsewhere *from = argument;

    for (int i = 0; i < from->count; i++)
        if (cmw_resume(from->engine, from->tokens[i], CMW_CONTINUE, NULL) != 0)
            abort();
    return NULL;
}

/* However many threads there are, while the loop has not turned. */
static void resumes_of_several_threads_wake_the_host_once(void **state)
{
    enum { THREADS = 4, COUNT = 500 };
    cmw_token token, tokens[THREADS][COUNT];
    struct elsewhere elsewhere[THREADS];
    pthread_t threads[THREADS];
    struct server server;

    (void)state;
    open_hanger(&server, &token, NULL);
    server.host.proceed = quiet_proceed;
    for (int i = 0; i < THREADS * COUNT; i++) {
        assert_int_equal(cmw_ctx_run(begin(&server)), CMW_TO_SUSPENDED);
        tokens[i / COUNT][i % COUNT] = token;
    }
    for (int i = 0; i < THREADS; i++) {
        elsewhere[i] = (struct elsewhere){server.engine, tokens[i], COUNT};
        assert_int_equal(pthread_create(&threads[i], NULL, resume_elsewhere, &elsewhere[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(server.woken, 1);
    assert_int_equal(cmw_worker_run(server.worker, 1000), THREADS * COUNT);
    server_close(&server);
}

/* Each costs its context and a cell of 32 bytes, and nothing when all are warm. */
static void a_hundred_thousand_requests_wait_at_once(void **state)
{
    enum { COUNT = 100000 };
    cmw_engine_config config;
    cmw_pool_stats stats = {.size = sizeof stats};
    cmw_token token;
    struct server server;
    cmw_token *tokens = malloc(COUNT * sizeof *tokens);

    (void)state;
    assert_non_null(tokens);
    cmw_engine_config_init(&config);
    config.context_limit = COUNT;
    open_hanger(&server, &token, &config);
    server.host.proceed = quiet_proceed;
    uint64_t calls = 0;
    for (int round = 0; round < 2; round++) {
        server.proceeded = 0;
        for (int i = 0; i < COUNT; i++) {
            cmw_ctx *ctx = begin(&server);
            assert_int_equal(cmw_ctx_run(ctx), CMW_TO_SUSPENDED);
            tokens[i] = token;
        }
        assert_int_equal(cmw_worker_suspended(server.worker), COUNT);
        assert_int_equal(
            cmw_pool_get_stats(cmw_engine_pool(server.engine, CMW_POOL_CONTEXT), &stats), 0);
        assert_true(stats.in_use_bytes <= (uint64_t)COUNT * (4096 + 64));
        for (int i = 0; i < COUNT; i++)
            assert_int_equal(cmw_resume(server.engine, tokens[i], CMW_CONTINUE, NULL), 0);
        assert_int_equal(cmw_worker_run(server.worker, 1000), COUNT);
        assert_int_equal(server.proceeded, COUNT);
        if (round > 0)
            assert_int_equal(stats.alloc_calls, calls); /* warm: nothing was allocated */
        calls = stats.alloc_calls;
    }
    free(tokens);
    server_close(&server);
}

static void tokens_that_name_nothing_are_stale(void **state)
{
    static const cmw_token wrong[] = {{1, 0, 0},          {2, 0, 0},           {0, 0, 0},
                                      {1, UINT32_MAX, 0}, {UINT64_MAX, 63, 0}, {1, 64, 0}};
    cmw_token token;
    struct server server;

    (void)state;
    open_hanger(&server, &token, NULL);
    for (size_t i = 0; i < LEN(wrong); i++) /* there are no cells yet */
        assert_int_equal(cmw_resume(server.engine, wrong[i], 0, NULL), CMW_ERR_STALE);
    assert_int_equal(cmw_resume(NULL, wrong[0], 0, NULL), CMW_ERR_ARG);
    cmw_ctx *ctx = begin(&server);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_SUSPENDED);
    const cmw_token late = {token.generation + 1, token.cell, 0};
    const cmw_token early = {token.generation - 1, token.cell, 0};
    assert_int_equal(cmw_resume(server.engine, late, 0, NULL), CMW_ERR_STALE);
    assert_int_equal(cmw_resume(server.engine, early, 0, NULL), CMW_ERR_STALE);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_SUSPENDED); /* out of turn */
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_SUSPENDED);
    cmw_ctx_end(ctx, CMW_END_CLIENT_GONE);
    server_close(&server);
}

static void a_trimmed_context_leaves_no_token_behind(void **state)
{
    cmw_token token;
    struct server server;

    (void)state;
    open_hanger(&server, &token, NULL);
    cmw_ctx *ctx = begin(&server);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_SUSPENDED);
    const cmw_token old = token;
    cmw_ctx_end(ctx, CMW_END_CLIENT_GONE);
    cmw_worker_trim(server.worker);
    assert_int_equal(cmw_resume(server.engine, old, 0, NULL), CMW_ERR_STALE);
    ctx = begin(&server);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_SUSPENDED);
    assert_int_equal(cmw_resume(server.engine, old, 0, NULL), CMW_ERR_STALE);
    assert_int_equal(cmw_resume(server.engine, token, 0, NULL), 0);
    assert_int_equal(cmw_worker_run(server.worker, 1000), 1);
    server_close(&server);
}

/* The cell goes to another request; the token does not go with it. */
static void a_used_token_does_not_resume_the_next_request(void **state)
{
    cmw_token token;
    struct server server;

    (void)state;
    open_hanger(&server, &token, NULL);
    server.host.proceed = quiet_proceed;
    assert_int_equal(cmw_ctx_run(begin(&server)), CMW_TO_SUSPENDED);
    const cmw_token old = token;
    assert_int_equal(cmw_resume(server.engine, old, 0, NULL), 0);
    assert_int_equal(cmw_worker_run(server.worker, 1000), 1);
    assert_int_equal(cmw_ctx_run(begin(&server)), CMW_TO_SUSPENDED);
    assert_int_equal(token.cell, old.cell);
    assert_int_equal(cmw_resume(server.engine, old, 0, NULL), CMW_ERR_STALE);
    assert_int_equal(cmw_worker_run(server.worker, 1000), 0);
    assert_int_equal(cmw_resume(server.engine, token, 0, NULL), 0);
    assert_int_equal(cmw_worker_run(server.worker, 1000), 1);
    server_close(&server);
}

static cmw_token first_of_two;

static int hang_twice(void *self, cmw_ctx *ctx)
{
    assert_int_equal(cmw_ctx_suspend(ctx, &first_of_two), 0);
    return hang(self, ctx);
}

static void of_two_tokens_the_last_one_counts(void **state)
{
    struct server server;
    cmw_middleware mw;
    cmw_token token;

    (void)state;
    server_open(&server, NULL);
    server.host.proceed = quiet_proceed;
    cmw_middleware_init(&mw);
    mw.name = "twice";
    mw.self = &token;
    mw.pre_route = hang_twice;
    mw.suspend_phases = 1u << CMW_PHASE_PRE_ROUTE;
    assert_int_equal(cmw_chain_add(server.chain, &mw, NULL), 0);
    server_start(&server);
    assert_int_equal(cmw_ctx_run(begin(&server)), CMW_TO_SUSPENDED);
    assert_int_equal(cmw_resume(server.engine, first_of_two, 0, NULL), CMW_ERR_STALE);
    assert_int_equal(cmw_resume(server.engine, token, 0, NULL), 0);
    assert_int_equal(cmw_worker_run(server.worker, 1000), 1);
    server_close(&server);
}

/* What was resumed while nobody had the worker wakes who takes it. */
static void a_resume_waits_for_the_next_host(void **state)
{
    cmw_token token;
    struct server server;

    (void)state;
    open_hanger(&server, &token, NULL);
    server.host.proceed = quiet_proceed;
    assert_int_equal(cmw_ctx_run(begin(&server)), CMW_TO_SUSPENDED);
    cmw_engine_put_worker(server.engine, server.worker);
    assert_int_equal(cmw_resume(server.engine, token, 0, NULL), 0);
    assert_int_equal(server.woken, 0);
    assert_int_equal(cmw_engine_take_worker(server.engine, &server.worker, &server.host, &server),
                     0);
    assert_int_equal(server.woken, 1);
    assert_int_equal(cmw_worker_run(server.worker, 1000), 1);
    server_close(&server);
}

static int suspend_undeclared(void *self, cmw_ctx *ctx)
{
    cmw_token token;
    (void)self;
    assert_int_equal(cmw_ctx_suspend(ctx, &token), CMW_ERR_STATE);
    return CMW_SUSPEND;
}

static void an_undeclared_suspend_is_a_fault(void **state)
{
    struct server server;
    cmw_middleware mw;
    cmw_token token;

    (void)state;
    server_open(&server, NULL);
    cmw_middleware_init(&mw);
    mw.name = "undeclared";
    mw.pre_route = suspend_undeclared;
    assert_int_equal(cmw_chain_add(server.chain, &mw, NULL), 0);
    server_start(&server);
    cmw_ctx *ctx = begin(&server);
    assert_int_equal(cmw_ctx_suspend(ctx, &token), CMW_ERR_STATE); /* outside of callbacks */
    finish(&server, ctx, (int)cmw_ctx_run(ctx));
    assert_string_equal(server.log, "500 ");
    server_close(&server);
}

static void a_server_that_cannot_wait_refuses_the_plan(void **state)
{
    struct server server;
    cmw_middleware mw;
    cmw_diag diag = {0};
    cmw_token token;

    (void)state;
    server_open(&server, NULL);
    server.host.capabilities = CMW_CAP_SUSPEND_POST_ROUTE;
    cmw_middleware_init(&mw);
    mw.name = "hanger";
    mw.self = &token;
    mw.pre_route = hang;
    mw.suspend_phases = 1u << CMW_PHASE_PRE_ROUTE;
    assert_int_equal(cmw_chain_add(server.chain, &mw, NULL), 0);
    assert_int_equal(cmw_chain_install(server.chain, &diag), CMW_ERR_UNSUPPORTED);
    assert_string_equal(diag.message, "'hanger' suspends in pre_route, and test cannot wait");
    cmw_chain_destroy(server.chain);
    assert_int_equal(cmw_engine_destroy(server.engine), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_resumes_wake_the_host_once),
        cmocka_unit_test(resumes_of_several_threads_wake_the_host_once),
        cmocka_unit_test(a_hundred_thousand_requests_wait_at_once),
        cmocka_unit_test(tokens_that_name_nothing_are_stale),
        cmocka_unit_test(a_trimmed_context_leaves_no_token_behind),
        cmocka_unit_test(a_used_token_does_not_resume_the_next_request),
        cmocka_unit_test(of_two_tokens_the_last_one_counts),
        cmocka_unit_test(a_resume_waits_for_the_next_host),
        cmocka_unit_test(an_undeclared_suspend_is_a_fault),
        cmocka_unit_test(a_server_that_cannot_wait_refuses_the_plan),
    };
    return cmocka_run_group_tests_name("suspend: tokens", tests, NULL, NULL);
}
