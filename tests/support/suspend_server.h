/* SPDX-License-Identifier: MIT */
/* A host whose requests may wait: what a server does with each step, written into a log. */
#ifndef CMW_SUSPEND_SERVER_H
#define CMW_SUSPEND_SERVER_H

#include <catzilla/testing.h>

#include <stdarg.h>
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

static inline void note(struct server *server, const char *format, ...) CMW_PRINTF(2, 3);

static inline void note(struct server *server, const char *format, ...)
{
    const size_t len = strlen(server->log);
    va_list args;

    va_start(args, format);
    const int more = vsnprintf(server->log + len, sizeof server->log - len, format, args);
    va_end(args);
    assert_true(more >= 0 && (size_t)more < sizeof server->log - len);
}

static inline void on_wake(void *self)
{
    struct server *server = self;
    server->woken++;
}

static inline void on_arm(void *self, uint64_t at_ns)
{
    struct server *server = self;
    server->timer_at = at_ns;
}

/* What an adapter does with a cmw_next. */
static inline void finish(struct server *server, cmw_ctx *ctx, int next)
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

static inline void on_proceed(void *self, cmw_ctx *ctx, int next)
{
    assert_int_not_equal(next, CMW_TO_SUSPENDED);
    finish(self, ctx, next);
}

static inline void server_open(struct server *server, const cmw_engine_config *config)
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

static inline void server_start(struct server *server)
{
    cmw_diag diag = {0};

    if (cmw_chain_install(server->chain, &diag) != 0)
        fail_msg("%s", diag.message);
    assert_int_equal(cmw_engine_take_worker(server->engine, &server->worker, &server->host, server),
                     0);
}

static inline void server_close(struct server *server)
{
    assert_int_equal(cmw_worker_suspended(server->worker), 0);
    assert_int_equal(cmw_worker_in_flight(server->worker), 0);
    cmw_engine_put_worker(server->engine, server->worker);
    cmw_chain_destroy(server->chain);
    assert_int_equal(cmw_engine_destroy(server->engine), 0);
}

static inline cmw_ctx *begin(struct server *server)
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

static inline cmw_ctx *request(struct server *server)
{
    cmw_ctx *ctx = begin(server);
    finish(server, ctx, (int)cmw_ctx_run(ctx));
    return ctx;
}

/* ---- Middleware that only waits ---------------------------------------------------------- */

static inline int hang(void *self, cmw_ctx *ctx)
{
    cmw_token *token = self;
    assert_int_equal(cmw_ctx_suspend(ctx, token), 0);
    return CMW_SUSPEND;
}

static inline void open_hanger(struct server *server, cmw_token *token,
                               const cmw_engine_config *config)
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
static inline void quiet_proceed(void *self, cmw_ctx *ctx, int next)
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

#endif /* CMW_SUSPEND_SERVER_H */
