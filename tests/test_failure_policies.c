/* SPDX-License-Identifier: MIT */
/*
 * What a fault of a middleware's own means, by its policy, in every callback that can have one: the
 * status that is answered, and what is counted.
 */
#include "suspend_server.h"

#include <catzilla/stats.h>

enum where { PRE_ROUTE, POST_ROUTE, ERROR, RESUMED_PRE, RESUMED_POST, WHERE_COUNT };

struct row {
    const char *name;
    enum where where;
    cmw_failure_policy policy;
    int status; /* 502 is its own, 503 that of the fault for which `error` runs */
    int errors; /* that are counted, forgiven ones among them */
    int forgiven;
};

static const struct row rows[] = {
    {"pre_route, closed", PRE_ROUTE, CMW_FAIL_CLOSED, 500, 1, 0},
    {"pre_route, open", PRE_ROUTE, CMW_FAIL_OPEN, 200, 1, 1},
    {"pre_route, its own answer", PRE_ROUTE, CMW_FAIL_STATUS, 502, 1, 0},
    {"post_route, closed", POST_ROUTE, CMW_FAIL_CLOSED, 500, 1, 0},
    {"post_route, open", POST_ROUTE, CMW_FAIL_OPEN, 200, 1, 1},
    {"post_route, its own answer", POST_ROUTE, CMW_FAIL_STATUS, 502, 1, 0},
    {"error, closed: the second fault is a plain 500", ERROR, CMW_FAIL_CLOSED, 500, 1, 0},
    {"error, open: the next one is asked", ERROR, CMW_FAIL_OPEN, 503, 1, 1},
    {"error, its own answer: the second fault is a plain 500", ERROR, CMW_FAIL_STATUS, 500, 1, 0},
    {"resumed in pre_route, closed", RESUMED_PRE, CMW_FAIL_CLOSED, 500, 1, 0},
    {"resumed in pre_route, open", RESUMED_PRE, CMW_FAIL_OPEN, 200, 1, 1},
    {"resumed in pre_route, its own answer", RESUMED_PRE, CMW_FAIL_STATUS, 502, 1, 0},
    {"resumed in post_route, closed", RESUMED_POST, CMW_FAIL_CLOSED, 500, 1, 0},
    {"resumed in post_route, open", RESUMED_POST, CMW_FAIL_OPEN, 200, 1, 1},
    {"resumed in post_route, its own answer", RESUMED_POST, CMW_FAIL_STATUS, 502, 1, 0},
};

static cmw_token waiting;

/* What it sets before it fails must not be seen, whatever its policy. */
static int spoil(cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);

    assert_int_equal(cmw_response_set_named(response, CMW_STR("Content-Language"), CMW_STR("x")),
                     0);
    assert_int_equal(cmw_response_text(response, 418, CMW_STR("spoilt")), 0);
    return CMW_ERROR;
}

/* An error code means the same as CMW_ERROR. */
static int fail_now(void *self, cmw_ctx *ctx)
{
    (void)self;
    assert_int_equal(spoil(ctx), CMW_ERROR);
    return CMW_ERR_STATE;
}

static int wait_first(void *self, cmw_ctx *ctx)
{
    (void)self;
    assert_int_equal(cmw_ctx_suspend(ctx, &waiting), 0);
    return CMW_SUSPEND;
}

static int fail_resumed(void *self, cmw_ctx *ctx, int verdict, void *data)
{
    (void)self;
    (void)verdict;
    (void)data;
    return spoil(ctx);
}

static int on_first(void *self, cmw_ctx *ctx)
{
    (void)self;
    (void)ctx;
    return CMW_ERROR;
}

/* For `error` to run somebody else must have failed. */
static void add_first(struct server *server)
{
    cmw_middleware mw;

    cmw_middleware_init(&mw);
    mw.name = "first";
    mw.priority = 1;
    mw.pre_route = on_first;
    mw.failure = CMW_FAIL_STATUS;
    mw.failure_status = 503;
    assert_int_equal(cmw_chain_add(server->chain, &mw, NULL), 0);
}

static void add_failing(struct server *server, const struct row *row)
{
    cmw_middleware mw;

    cmw_middleware_init(&mw);
    mw.name = "fails";
    mw.failure = (int32_t)row->policy;
    mw.failure_status = row->policy == CMW_FAIL_STATUS ? 502 : 0;
    mw.pre_route = row->where == PRE_ROUTE ? fail_now : NULL;
    mw.post_route = row->where == POST_ROUTE ? fail_now : NULL;
    mw.error = row->where == ERROR ? fail_now : NULL;
    if (row->where == RESUMED_PRE) {
        mw.pre_route = wait_first;
        mw.suspend_phases = 1u << CMW_PHASE_PRE_ROUTE;
    }
    if (row->where == RESUMED_POST) {
        mw.post_route = wait_first;
        mw.suspend_phases = 1u << CMW_PHASE_POST_ROUTE;
    }
    mw.resumed = mw.suspend_phases ? fail_resumed : NULL;
    assert_int_equal(cmw_chain_add(server->chain, &mw, NULL), 0);
}

static void assert_counts(cmw_engine *engine, const struct row *row)
{
    const cmw_middleware_stats *at;
    uint64_t errors = 0, forgiven = 0;
    cmw_stats *stats = NULL;

    assert_int_equal(cmw_stats_snapshot(engine, &stats), 0);
    for (size_t i = 0; (at = cmw_stats_middleware(stats, i)) != NULL; i++) {
        if (strcmp(at->name, "fails") != 0)
            continue;
        errors += at->errors;
        forgiven += at->forgiven;
    }
    cmw_stats_destroy(stats);
    assert_int_equal(errors, row->errors);
    assert_int_equal(forgiven, row->forgiven);
}

static void on_answer(void *self, cmw_ctx *ctx, int next)
{
    struct server *server = self;
    cmw_response *response = cmw_ctx_response(ctx);

    if (next == CMW_TO_HANDLER) {
        assert_int_equal(cmw_response_text(response, 200, CMW_STR("ok")), 0);
        next = (int)cmw_ctx_commit(ctx);
        if (next == CMW_TO_SUSPENDED)
            return;
    }
    assert_int_equal(next, CMW_TO_RESPOND);
    assert_null(cmw_response_get_named(response, CMW_STR("Content-Language")).data);
    note(server, "%d", cmw_response_status(response));
    cmw_ctx_end(ctx, CMW_END_SENT);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct server server;
    char expected[8];

    server_open(&server, NULL);
    server.host.proceed = on_answer;
    if (row->where == ERROR)
        add_first(&server);
    add_failing(&server, row);
    server_start(&server);
    cmw_ctx *ctx = begin(&server);
    const int next = (int)cmw_ctx_run(ctx);
    if (next != CMW_TO_SUSPENDED)
        on_answer(&server, ctx, next);
    if (row->where >= RESUMED_PRE) {
        assert_string_equal(server.log, "");
        assert_int_equal(cmw_resume(server.engine, waiting, CMW_CONTINUE, NULL), 0);
        assert_int_equal(cmw_worker_run(server.worker, 1000), 1);
    }
    snprintf(expected, sizeof expected, "%d", row->status);
    assert_string_equal(server.log, expected);
    assert_counts(server.engine, row);
    server_close(&server);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];

    _Static_assert(LEN(rows) == WHERE_COUNT * 3, "a callback lacks a policy");
    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("failure policies", tests, NULL, NULL);
}
