/* SPDX-License-Identifier: MIT */
/* Suspending, from outside: what happens when a request waits, is resumed, and is given up. */
#include "suspend_server.h"

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
    {"of one that fails open, such a verdict is forgiven",
     IN_PRE | NO_RESUMED | OPEN,
     {.suspends = CMW_SUSPEND},
     {RESUME, RUN},
     99,
     "pre | dropped:data after handler last 200 complete:sent "},
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

/* ---- Without memory --------------------------------------------------------------------- */

/* One that fails open needs a copy of the response, to undo what a failed call did to it. */
static void what_is_delivered_without_memory_is_dropped(void **state)
{
    struct waiter waiter = {.suspends = CMW_SUSPEND};
    struct server server;

    (void)state;
    open_waiter(&server, &waiter, IN_POST | OPEN, NULL);
    cmw_ctx *ctx = begin(&server);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    assert_int_equal(
        cmw_response_set_named(cmw_ctx_response(ctx), CMW_STR("X-Its"), CMW_STR("own")), 0);
    assert_int_equal(cmw_response_set_status(cmw_ctx_response(ctx), 204), 0);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_SUSPENDED);
    while (cmw_arena_alloc(cmw_ctx_arena(ctx), 1000))
        continue;
    while (cmw_arena_alloc(cmw_ctx_arena(ctx), 1))
        continue;
    resume(&server, &waiter, CMW_CONTINUE);
    (void)cmw_worker_run(server.worker, 1000);
    assert_string_equal(server.log, "after post dropped:data last 204 complete:sent ");
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
        cmocka_unit_test(what_is_delivered_without_memory_is_dropped),
        cmocka_unit_test(waiting_is_counted),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("suspend", tests, NULL, NULL) |
           cmocka_run_group_tests_name("suspend: the rest", others, NULL, NULL);
}
