/* SPDX-License-Identifier: MIT */
/*
 * Suspending, from outside: what happens when requests wait, are resumed, are given up, and when
 * tokens are used too late or twice.
 */
#include <catzilla/testing.h>

#include <stdio.h>

#include "test.h"

/* ---- A server that is a log ------------------------------------------------------------- */

struct server {
    cmw_engine *engine;
    cmw_worker *worker;
    cmw_chain *chain;
    cmw_host host;
    unsigned woken;
    unsigned proceeded;
    uint64_t timer_at;
    char log[1024];
};

static void note(struct server *server, const char *format, ...) CMW_PRINTF(2, 3);

static void note(struct server *server, const char *format, ...)
{
    const size_t len = strlen(server->log);
    va_list args;

    va_start(args, format);
    const int more = vsnprintf(server->log + len, sizeof server->log - len, format, args);
    va_end(args);
    assert_true(more >= 0 && (size_t)more < sizeof server->log - len);
}

static void on_wake(void *self)
{
    struct server *server = self;
    server->woken++;
}

static void on_arm(void *self, uint64_t at_ns)
{
    struct server *server = self;
    server->timer_at = at_ns;
}

/* What an adapter does with a cmw_next. */
static void finish(struct server *server, cmw_ctx *ctx, int next)
{
    if (next == CMW_TO_SUSPENDED)
        return;
    if (next == CMW_TO_HANDLER) {
        note(server, "handler ");
        assert_int_equal(cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok")), 0);
        next = (int)cmw_ctx_commit(ctx);
        if (next == CMW_TO_SUSPENDED)
            return;
    }
    assert_int_equal(next, CMW_TO_RESPOND);
    note(server, "%d ", cmw_response_status(cmw_ctx_response(ctx)));
    cmw_ctx_end(ctx, CMW_END_SENT);
}

static void on_proceed(void *self, cmw_ctx *ctx, int next)
{
    assert_int_not_equal(next, CMW_TO_SUSPENDED);
    finish(self, ctx, next);
}

static void server_open(struct server *server, const cmw_engine_config *config)
{
    memset(server, 0, sizeof *server);
    server->host = (cmw_host){.size = sizeof(cmw_host),
                              .name = "test",
                              .capabilities = CMW_CAP_SUSPEND | CMW_CAP_SUSPEND_POST_ROUTE,
                              .wake = on_wake,
                              .arm_timer = on_arm,
                              .proceed = on_proceed};
    assert_int_equal(cmw_engine_create(&server->engine, config), 0);
    assert_int_equal(cmw_engine_attach_host(server->engine, &server->host, NULL), 0);
    assert_int_equal(cmw_chain_create(server->engine, &server->chain, 0), 0);
}

static void server_start(struct server *server)
{
    cmw_diag diag = {0};

    if (cmw_chain_install(server->chain, &diag) != 0)
        fail_msg("%s", diag.message);
    assert_int_equal(cmw_engine_take_worker(server->engine, &server->worker, &server->host, server),
                     0);
}

static void server_close(struct server *server)
{
    assert_int_equal(cmw_worker_suspended(server->worker), 0);
    assert_int_equal(cmw_worker_in_flight(server->worker), 0);
    cmw_engine_put_worker(server->engine, server->worker);
    cmw_chain_destroy(server->chain);
    assert_int_equal(cmw_engine_destroy(server->engine), 0);
}

static cmw_ctx *begin(struct server *server)
{
    cmw_request_view view;
    cmw_ctx *ctx = NULL;

    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = CMW_STR("/");
    view.now_ns = 1000;
    assert_int_equal(cmw_ctx_begin(server->worker, &ctx, &view), 0);
    return ctx;
}

static cmw_ctx *request(struct server *server)
{
    cmw_ctx *ctx = begin(server);
    finish(server, ctx, (int)cmw_ctx_run(ctx));
    return ctx;
}

/* ---- Middleware that waits --------------------------------------------------------------- */

struct waiter {
    struct server *server;
    cmw_token token;
    int suspends;       /* what the call returns: CMW_SUSPEND, or another verdict */
    int resume_at_once; /* from inside the callback */
    int again;          /* `resumed` suspends once more */
    int resumed_verdict;
};

static int wait(struct waiter *waiter, cmw_ctx *ctx)
{
    const int rc = cmw_ctx_suspend(ctx, &waiter->token);

    if (rc == CMW_ERR_CANCELLED) {
        note(waiter->server, "given-up ");
        return waiter->suspends == CMW_SUSPEND ? CMW_CONTINUE : waiter->suspends;
    }
    assert_int_equal(rc, 0);
    if (waiter->resume_at_once)
        assert_int_equal(cmw_resume(waiter->server->engine, waiter->token, 0, waiter), 0);
    return waiter->suspends;
}

static int on_pre(void *self, cmw_ctx *ctx)
{
    struct waiter *waiter = self;
    note(waiter->server, "pre ");
    return wait(waiter, ctx);
}

static int on_post(void *self, cmw_ctx *ctx)
{
    struct waiter *waiter = self;
    note(waiter->server, "post ");
    return wait(waiter, ctx);
}

static int on_resumed(void *self, cmw_ctx *ctx, int verdict, void *data)
{
    struct waiter *waiter = self;

    assert_string_equal(cmw_ctx_middleware_name(ctx), "waiter");
    note(waiter->server, "resumed:%d:%s ", verdict, data ? "data" : "none");
    if (waiter->again) {
        waiter->again = 0;
        return wait(waiter, ctx);
    }
    return waiter->resumed_verdict == CMW_STOP ? cmw_respond_text(ctx, 403, CMW_STR("no"))
                                               : waiter->resumed_verdict;
}

static void on_dropped(void *self, void *data)
{
    struct waiter *waiter = self;
    note(waiter->server, "dropped:%s ", data ? "data" : "none");
}

static void on_complete(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    struct waiter *waiter = self;
    (void)ctx;
    note(waiter->server, "complete:%s ", cmw_end_reason_name(reason));
}

static int on_error(void *self, cmw_ctx *ctx)
{
    struct waiter *waiter = self;
    note(waiter->server, "error:%s ", cmw_error_name(cmw_ctx_fault(ctx)->code));
    return CMW_CONTINUE;
}

static int after_pre(void *self, cmw_ctx *ctx)
{
    struct waiter *waiter = self;
    (void)ctx;
    note(waiter->server, "after ");
    return CMW_CONTINUE;
}

static int last_post(void *self, cmw_ctx *ctx)
{
    struct waiter *waiter = self;
    (void)ctx;
    note(waiter->server, "last ");
    return CMW_CONTINUE;
}

enum { IN_PRE = 1, IN_POST = 2, NO_RESUMED = 4, OPEN = 8 };

static void open_waiter(struct server *server, struct waiter *waiter, unsigned how,
                        const cmw_engine_config *config)
{
    cmw_middleware mw;

    server_open(server, config);
    waiter->server = server;
    cmw_middleware_init(&mw);
    mw.name = "waiter";
    mw.priority = 10;
    mw.self = waiter;
    mw.failure = how & OPEN ? CMW_FAIL_OPEN : CMW_FAIL_CLOSED;
    mw.pre_route = how & IN_PRE ? on_pre : NULL;
    mw.post_route = how & IN_POST ? on_post : NULL;
    mw.suspend_phases = 1u << CMW_PHASE_PRE_ROUTE | 1u << CMW_PHASE_POST_ROUTE;
    mw.resumed = how & NO_RESUMED ? NULL : on_resumed;
    mw.dropped = on_dropped;
    mw.complete = on_complete;
    mw.error = on_error;
    assert_int_equal(cmw_chain_add(server->chain, &mw, NULL), 0);
    cmw_middleware_init(&mw);
    mw.name = "after";
    mw.priority = 20;
    mw.self = waiter;
    mw.pre_route = after_pre;
    mw.post_route = last_post;
    assert_int_equal(cmw_chain_add(server->chain, &mw, NULL), 0);
    server_start(server);
}

/* ---- Scenarios: each is a request, and what is done to it -------------------------------- */

enum deed { END, RESUME, RESUME_TWICE, CANCEL, LEAVE, DEADLINE, RESUME_THEN_LEAVE, RUN };

struct row {
    const char *name;
    unsigned how;
    struct waiter waiter;
    enum deed deeds[4];
    int verdict; /* for cmw_resume */
    const char *log;
};

static const struct row rows[] = {
    {"a resumed request goes on",
     IN_PRE,
     {.suspends = CMW_SUSPEND},
     {RESUME, RUN},
     CMW_CONTINUE,
     "pre | resumed:0:data after handler last 200 complete:sent "},
    {"resuming from inside the callback comes later, too",
     IN_PRE,
     {.suspends = CMW_SUSPEND, .resume_at_once = 1},
     {RUN},
     0,
     "pre | resumed:0:data after handler last 200 complete:sent "},
    {"the second resume comes to nothing",
     IN_PRE,
     {.suspends = CMW_SUSPEND},
     {RESUME_TWICE, RUN},
     CMW_CONTINUE,
     "pre | resumed:0:data after handler last 200 complete:sent "},
    {"a resumed request can be answered",
     IN_PRE,
     {.suspends = CMW_SUSPEND, .resumed_verdict = CMW_STOP},
     {RESUME, RUN},
     CMW_CONTINUE,
     "pre | resumed:0:data last 403 complete:sent "},
    {"a resumed request can fail",
     IN_PRE,
     {.suspends = CMW_SUSPEND, .resumed_verdict = CMW_ERROR},
     {RESUME, RUN},
     CMW_CONTINUE,
     "pre | resumed:0:data error:CMW_OK last 500 complete:sent "},
    {"one that fails open goes on",
     IN_PRE | OPEN,
     {.suspends = CMW_SUSPEND, .resumed_verdict = CMW_ERROR},
     {RESUME, RUN},
     CMW_CONTINUE,
     "pre | resumed:0:data after handler last 200 complete:sent "},
    {"a resumed request can wait again",
     IN_PRE,
     {.suspends = CMW_SUSPEND, .again = 1},
     {RESUME, RUN, RESUME, RUN},
     CMW_CONTINUE,
     "pre | resumed:0:data | resumed:0:data after handler last 200 complete:sent "},
    {"without a callback the verdict counts and the data is dropped",
     IN_PRE | NO_RESUMED,
     {.suspends = CMW_SUSPEND},
     {RESUME, RUN},
     CMW_SKIP_ROUTE,
     "pre | dropped:data after error:CMW_OK last 500 complete:sent "},
    {"a verdict that is none fails",
     IN_PRE | NO_RESUMED,
     {.suspends = CMW_SUSPEND},
     {RESUME, RUN},
     99,
     "pre | dropped:data error:CMW_OK last 500 complete:sent "},
    {"in post_route, too",
     IN_POST,
     {.suspends = CMW_SUSPEND},
     {RESUME, RUN},
     CMW_CONTINUE,
     "after handler post | resumed:0:data last 200 complete:sent "},
    {"a fault after waiting in post_route",
     IN_POST,
     {.suspends = CMW_SUSPEND, .resumed_verdict = CMW_ERROR},
     {RESUME, RUN},
     CMW_CONTINUE,
     "after handler post | resumed:0:data error:CMW_OK last 500 complete:sent "},
    {"a callback that goes on without waiting leaves its token stale",
     IN_PRE,
     {.suspends = CMW_CONTINUE},
     {RESUME},
     CMW_CONTINUE,
     "pre after handler last 200 complete:sent stale "},
    {"what was delivered to one that did not wait is dropped",
     IN_PRE,
     {.suspends = CMW_CONTINUE, .resume_at_once = 1},
     {RUN},
     CMW_CONTINUE,
     "pre after handler last 200 dropped:data complete:sent | "},
    {"a cancelled request is answered, and its token stale",
     IN_PRE,
     {.suspends = CMW_SUSPEND},
     {CANCEL, RESUME, RUN},
     CMW_CONTINUE,
     "pre error:CMW_ERR_CANCELLED last 503 complete:shutdown stale | "},
    {"a cancelled request in post_route runs what is left of it",
     IN_POST,
     {.suspends = CMW_SUSPEND},
     {CANCEL},
     CMW_CONTINUE,
     "after handler post error:CMW_ERR_CANCELLED last 503 complete:shutdown "},
    {"a client that leaves ends the request",
     IN_PRE,
     {.suspends = CMW_SUSPEND},
     {LEAVE, RESUME, RUN},
     CMW_CONTINUE,
     "pre complete:client_gone stale | "},
    {"what was delivered before the client left is dropped, once",
     IN_PRE,
     {.suspends = CMW_SUSPEND},
     {RESUME_THEN_LEAVE, RUN},
     CMW_CONTINUE,
     "pre dropped:data complete:client_gone | "},
    {"a deadline gives a waiting request up",
     IN_PRE,
     {.suspends = CMW_SUSPEND},
     {DEADLINE, RESUME, RUN},
     CMW_CONTINUE,
     "pre error:CMW_ERR_CANCELLED last 503 complete:deadline stale | "},
    {"a request that was cancelled does not wait again",
     IN_PRE | IN_POST,
     {.suspends = CMW_SUSPEND},
     {CANCEL, RESUME},
     CMW_CONTINUE,
     "pre error:CMW_ERR_CANCELLED post given-up last 503 complete:shutdown stale "},
    {"nor does one that its deadline gave up",
     IN_PRE | IN_POST,
     {.suspends = CMW_SUSPEND},
     {DEADLINE},
     CMW_CONTINUE,
     "pre error:CMW_ERR_CANCELLED post given-up last 503 complete:deadline "},
};

static void resume(struct server *server, struct waiter *waiter, int verdict)
{
    const int rc = cmw_resume(server->engine, waiter->token, verdict, server);
    if (rc != 0) {
        assert_int_equal(rc, CMW_ERR_STALE);
        note(server, "stale ");
    }
}

static void act(struct server *server, struct waiter *waiter, cmw_ctx *ctx, enum deed deed,
                int verdict)
{
    switch (deed) {
    case RESUME_TWICE:
        resume(server, waiter, verdict);
        assert_int_equal(cmw_resume(server->engine, waiter->token, verdict, server), CMW_ERR_STALE);
        break;
    case RESUME:
        resume(server, waiter, verdict);
        break;
    case CANCEL:
        finish(server, ctx, (int)cmw_ctx_cancel(ctx, CMW_END_SHUTDOWN));
        break;
    case RESUME_THEN_LEAVE:
        resume(server, waiter, verdict);
        cmw_ctx_end(ctx, CMW_END_CLIENT_GONE);
        break;
    case LEAVE:
        cmw_ctx_end(ctx, CMW_END_CLIENT_GONE);
        break;
    case DEADLINE:
        assert_int_equal(cmw_ctx_set_deadline(ctx, 5000), 0);
        assert_int_equal(server->timer_at, 5000);
        assert_int_equal(cmw_worker_run(server->worker, 4999), 0);
        assert_int_equal(cmw_worker_run(server->worker, 5000), 1);
        assert_int_equal(server->timer_at, 0);
        break;
    default:
        note(server, "| ");
        (void)cmw_worker_run(server->worker, 1000);
        break;
    }
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct waiter waiter = row->waiter;
    struct server server;

    open_waiter(&server, &waiter, row->how, NULL);
    cmw_ctx *ctx = request(&server);
    for (size_t i = 0; i < LEN(row->deeds) && row->deeds[i] != END; i++)
        act(&server, &waiter, ctx, row->deeds[i], row->verdict);
    assert_string_equal(server.log, row->log);
    server_close(&server);
}

/* ---- Single promises -------------------------------------------------------------------- */

static int hang(void *self, cmw_ctx *ctx)
{
    cmw_token *token = self;
    assert_int_equal(cmw_ctx_suspend(ctx, token), 0);
    return CMW_SUSPEND;
}

static void open_hanger(struct server *server, cmw_token *token, const cmw_engine_config *config)
{
    cmw_middleware mw;

    server_open(server, config);
    cmw_middleware_init(&mw);
    mw.name = "hanger";
    mw.self = token;
    mw.pre_route = hang;
    mw.suspend_phases = 1u << CMW_PHASE_PRE_ROUTE;
    assert_int_equal(cmw_chain_add(server->chain, &mw, NULL), 0);
    server_start(server);
}

/* Without notes of its own: for many. */
static void quiet_proceed(void *self, cmw_ctx *ctx, int next)
{
    struct server *server = self;

    server->proceeded++;
    if (next == CMW_TO_HANDLER) {
        assert_int_equal(cmw_response_set_status(cmw_ctx_response(ctx), 204), 0);
        next = (int)cmw_ctx_commit(ctx);
    }
    assert_int_equal(next, CMW_TO_RESPOND);
    cmw_ctx_end(ctx, CMW_END_SENT);
}

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

/* ---- Deadlines -------------------------------------------------------------------------- */

static void deadlines_pass_in_their_order(void **state)
{
    enum { COUNT = 200 };
    cmw_token token;
    struct server server;
    uint64_t last = 0;
    uint32_t random = 1;

    (void)state;
    open_hanger(&server, &token, NULL);
    server.host.proceed = quiet_proceed;
    for (int i = 0; i < COUNT; i++) {
        cmw_ctx *ctx = begin(&server);
        assert_int_equal(cmw_ctx_run(ctx), CMW_TO_SUSPENDED);
        random = random * 1664525 + 1013904223;
        assert_int_equal(cmw_ctx_set_deadline(ctx, 2000 + random % 1000), 0);
        if (i % 3 == 0) /* moved */
            assert_int_equal(cmw_ctx_set_deadline(ctx, 2000 + random % 500), 0);
        if (i % 7 == 0) /* taken away, and given back */
            assert_int_equal(cmw_ctx_set_deadline(ctx, 0), 0);
        if (i % 7 == 0)
            assert_int_equal(cmw_ctx_set_deadline(ctx, 2999), 0);
    }
    for (uint32_t left = COUNT; left > 0; left = cmw_worker_suspended(server.worker)) {
        const uint64_t at = server.timer_at;
        assert_true(at > last && at <= 3000);
        last = at;
        assert_int_equal(cmw_worker_run(server.worker, at - 1), 0);
        assert_true(cmw_worker_run(server.worker, at) > 0);
    }
    assert_int_equal(server.timer_at, 0);
    server_close(&server);
}

/* The last deadline of the heap comes in place of one that is taken away elsewhere in it, and may
 * be earlier than what is above that place. */
static void deadlines_stay_in_order_when_one_is_taken_away(void **state)
{
    static const uint64_t times[] = {2001, 2100, 2002, 2200, 2201, 2003,
                                     2004, 2300, 2301, 2302, 2303, 2005};
    cmw_ctx *contexts[LEN(times)];
    cmw_token token;
    struct server server;

    (void)state;
    for (size_t gone = 0; gone < LEN(times); gone++) {
        open_hanger(&server, &token, NULL);
        server.host.proceed = quiet_proceed;
        for (size_t i = 0; i < LEN(times); i++) {
            contexts[i] = begin(&server);
            assert_int_equal(cmw_ctx_run(contexts[i]), CMW_TO_SUSPENDED);
            assert_int_equal(cmw_ctx_set_deadline(contexts[i], times[i]), 0);
        }
        assert_int_equal(cmw_ctx_set_deadline(contexts[gone], 0), 0);
        for (uint64_t now = 2000, due = 0; now <= 2400; now++, due = 0) {
            for (size_t i = 0; i < LEN(times); i++)
                due += i != gone && times[i] == now;
            assert_int_equal(cmw_worker_run(server.worker, now), due);
        }
        cmw_ctx_end(contexts[gone], CMW_END_CLIENT_GONE);
        server_close(&server);
    }
}

/* Whoever takes a worker with requests that wait has its timer set. */
static void a_deadline_follows_the_worker_to_its_next_host(void **state)
{
    cmw_token token;
    struct server server;
    cmw_worker *worker;

    (void)state;
    open_hanger(&server, &token, NULL);
    server.host.proceed = quiet_proceed;
    cmw_ctx *ctx = begin(&server);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_SUSPENDED);
    assert_int_equal(cmw_ctx_set_deadline(ctx, 2000), 0);
    worker = server.worker;
    cmw_engine_put_worker(server.engine, worker);
    server.timer_at = 0;
    assert_int_equal(cmw_engine_take_worker(server.engine, &server.worker, &server.host, &server),
                     0);
    assert_ptr_equal(server.worker, worker);
    assert_int_equal(server.timer_at, 2000);
    assert_int_equal(cmw_worker_run(server.worker, 2000), 1);
    server_close(&server);
}

static int never(void *self, cmw_ctx *ctx)
{
    (void)self;
    (void)ctx;
    return CMW_CONTINUE;
}

/* The handler is too slow: its answer is not sent. */
static void a_deadline_in_the_handler_is_answered_at_commit(void **state)
{
    cmw_engine_config config;
    struct server server;
    cmw_middleware mw;

    (void)state;
    cmw_engine_config_init(&config);
    config.limits.request_ms = 2;
    server_open(&server, &config);
    cmw_middleware_init(&mw);
    mw.name = "never";
    mw.pre_route = never;
    assert_int_equal(cmw_chain_add(server.chain, &mw, NULL), 0);
    server_start(&server);
    cmw_ctx *ctx = begin(&server);
    assert_int_equal(server.timer_at, 2001000);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    assert_int_equal(cmw_ctx_is_cancelled(ctx), 0);
    assert_int_equal(cmw_worker_run(server.worker, 2001000), 0);
    assert_int_equal(cmw_ctx_is_cancelled(ctx), 1);
    finish(&server, ctx, CMW_TO_HANDLER);
    assert_string_equal(server.log, "handler 503 ");
    ctx = begin(&server); /* one that is in time leaves no timer behind */
    finish(&server, ctx, (int)cmw_ctx_run(ctx));
    assert_string_equal(server.log, "handler 503 handler 200 ");
    (void)cmw_worker_run(server.worker, 1000);
    assert_int_equal(server.timer_at, 0);
    server_close(&server);
}

/* ---- Statistics ------------------------------------------------------------------------- */

static const cmw_middleware_stats *stats_of(const cmw_stats *stats, const char *name, int phase)
{
    const cmw_middleware_stats *row;

    for (size_t i = 0; (row = cmw_stats_middleware(stats, i)) != NULL; i++)
        if (strcmp(row->name, name) == 0 && row->phase == phase)
            return row;
    fail_msg("no row for %s", name);
    return NULL;
}

static void waiting_is_counted(void **state)
{
    struct waiter waiter = {.suspends = CMW_SUSPEND};
    struct server server;
    cmw_stats *stats = NULL;

    (void)state;
    open_waiter(&server, &waiter, IN_PRE, NULL);
    (void)request(&server);
    resume(&server, &waiter, CMW_CONTINUE);
    (void)cmw_worker_run(server.worker, 1000);
    cmw_ctx_end(request(&server), CMW_END_CLIENT_GONE);
    assert_int_equal(cmw_stats_snapshot(server.engine, &stats), 0);
    const cmw_middleware_stats *row = stats_of(stats, "waiter", CMW_PHASE_PRE_ROUTE);
    assert_int_equal(row->calls, 2);
    assert_int_equal(row->suspensions, 2);
    assert_int_equal(stats_of(stats, "after", CMW_PHASE_PRE_ROUTE)->calls, 1);
    cmw_stats_destroy(stats);
    server_close(&server);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(many_resumes_wake_the_host_once),
        cmocka_unit_test(a_hundred_thousand_requests_wait_at_once),
        cmocka_unit_test(tokens_that_name_nothing_are_stale),
        cmocka_unit_test(a_trimmed_context_leaves_no_token_behind),
        cmocka_unit_test(a_used_token_does_not_resume_the_next_request),
        cmocka_unit_test(of_two_tokens_the_last_one_counts),
        cmocka_unit_test(a_resume_waits_for_the_next_host),
        cmocka_unit_test(an_undeclared_suspend_is_a_fault),
        cmocka_unit_test(a_server_that_cannot_wait_refuses_the_plan),
        cmocka_unit_test(deadlines_pass_in_their_order),
        cmocka_unit_test(deadlines_stay_in_order_when_one_is_taken_away),
        cmocka_unit_test(a_deadline_follows_the_worker_to_its_next_host),
        cmocka_unit_test(a_deadline_in_the_handler_is_answered_at_commit),
        cmocka_unit_test(waiting_is_counted),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = check_row,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    return cmocka_run_group_tests_name("suspend", tests, NULL, NULL) |
           cmocka_run_group_tests_name("suspend: the rest", others, NULL, NULL);
}
