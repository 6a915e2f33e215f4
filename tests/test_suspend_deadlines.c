/* SPDX-License-Identifier: MIT */
/* Deadlines: in which order they pass, whose timer is set, and what a request that is late gets. */
#include "suspend_server.h"

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

/* ---- The body --------------------------------------------------------------------------- */

static void log_reason(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    (void)ctx;
    note(self, "%s ", cmw_end_reason_name(reason));
}

/* An answer that a deadline made goes on to the client. */
static void open_slow(struct server *server, uint64_t body_ms, uint64_t body_idle_ms,
                      uint64_t request_ms)
{
    static const cmw_header fields[] = {{CMW_STR_INIT("X-Frame-Options"), CMW_STR_INIT("DENY")}};
    cmw_engine_config config;
    cmw_middleware mw;

    cmw_engine_config_init(&config);
    config.limits.body_ms = body_ms;
    config.limits.body_idle_ms = body_idle_ms;
    config.limits.request_ms = request_ms;
    server_open(server, &config);
    cmw_middleware_init(&mw);
    mw.name = "log";
    mw.self = server;
    mw.complete = log_reason;
    mw.fields = fields;
    mw.field_count = 1;
    assert_int_equal(cmw_chain_add(server->chain, &mw, NULL), 0);
    server_start(server);
}

static cmw_ctx *begin_slow(struct server *server)
{
    cmw_ctx *ctx = begin(server); /* at 1000 */

    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    return ctx;
}

static void a_body_that_does_not_come_is_answered_408(void **state)
{
    struct server server;

    (void)state;
    open_slow(&server, 10, 0, 0);
    cmw_ctx *ctx = begin_slow(&server);
    assert_true(cmw_ctx_times_body(ctx));
    assert_int_equal(cmw_ctx_await_body(ctx, 2000), 0);
    assert_int_equal(server.timer_at, 10002000);
    assert_int_equal(cmw_ctx_await_body(ctx, 5000), 0); /* for more of it: the same deadline */
    assert_int_equal(server.timer_at, 10002000);
    assert_int_equal(cmw_worker_run(server.worker, 10001999), 0);
    assert_int_equal(cmw_worker_run(server.worker, 10002000), 1);
    assert_string_equal(server.log, "408 deadline ");
    assert_int_equal(server.timer_at, 0);
    server_close(&server);
}

static void each_piece_of_a_body_has_its_time(void **state)
{
    struct server server;

    (void)state;
    open_slow(&server, 10, 3, 0);
    cmw_ctx *ctx = begin_slow(&server);
    for (uint64_t at = 2000; at < 8000000; at += 2000000) {
        assert_int_equal(cmw_ctx_await_body(ctx, at), 0);
        assert_int_equal(server.timer_at, at + 3000000);
        assert_int_equal(cmw_ctx_receive_body(ctx, CMW_STR("piece")), 0);
        assert_int_equal(cmw_worker_run(server.worker, at + 2000000), 0);
    }
    assert_int_equal(cmw_ctx_await_body(ctx, 8002000), 0);
    assert_int_equal(server.timer_at, 10002000); /* all of it is due earlier */
    assert_int_equal(cmw_worker_run(server.worker, 10002000), 1);
    assert_string_equal(server.log, "408 deadline ");
    ctx = begin_slow(&server);
    assert_int_equal(cmw_ctx_await_body(ctx, 2000), 0);
    assert_int_equal(cmw_worker_run(server.worker, 3002000), 1);
    assert_string_equal(server.log, "408 deadline 408 deadline ");
    server_close(&server);
}

static void a_body_that_has_come_has_no_deadline(void **state)
{
    struct server server;

    (void)state;
    open_slow(&server, 10, 3, 20);
    cmw_ctx *ctx = begin_slow(&server);
    assert_int_equal(server.timer_at, 20001000);
    assert_int_equal(cmw_ctx_await_body(ctx, 2000), 0);
    assert_int_equal(server.timer_at, 3002000);
    cmw_ctx_body_arrived(ctx);
    assert_int_equal(server.timer_at, 20001000); /* the request's own stays */
    finish(&server, ctx, CMW_TO_HANDLER);
    assert_string_equal(server.log, "handler 200 sent ");
    assert_int_equal(cmw_worker_run(server.worker, 30000000), 0);
    assert_int_equal(server.timer_at, 0);

    ctx = begin_slow(&server);
    assert_int_equal(cmw_response_set_status(cmw_ctx_response(ctx), 204), 0);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    assert_int_equal(cmw_ctx_await_body(ctx, 2000), CMW_ERR_STATE);
    cmw_ctx_end(ctx, CMW_END_SENT);
    server_close(&server);
}

/* A refusal in the middle of a body, of which the host still takes the rest. */
static void a_body_whose_request_is_answered_is_not_late(void **state)
{
    struct server server;

    (void)state;
    open_slow(&server, 10, 3, 5);
    cmw_ctx *ctx = begin_slow(&server);
    assert_int_equal(cmw_ctx_await_body(ctx, 2000), 0);
    cmw_ctx_fail(ctx, 413);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    assert_int_equal(cmw_worker_run(server.worker, 30000000), 0);
    assert_string_equal(server.log, "");
    assert_int_equal(server.timer_at, 0);
    cmw_ctx_end(ctx, CMW_END_SENT);
    assert_string_equal(server.log, "sent ");
    server_close(&server);
}

static void the_deadline_of_the_request_holds_while_the_body_is_awaited(void **state)
{
    struct server server;

    (void)state;
    open_slow(&server, 10, 0, 5);
    cmw_ctx *ctx = begin_slow(&server);
    assert_int_equal(cmw_ctx_await_body(ctx, 2000), 0);
    assert_int_equal(server.timer_at, 5001000);
    assert_int_equal(cmw_worker_run(server.worker, 5001000), 1);
    assert_string_equal(server.log, "503 deadline ");
    server_close(&server);
}

/* ---- The handler ------------------------------------------------------------------------ */

static int limit_handler(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_ctx_limit_handler_time(ctx, 20) == 0 && cmw_ctx_limit_handler_time(ctx, 10) == 0 &&
                   cmw_ctx_limit_handler_time(ctx, 0) == 0 &&
                   cmw_ctx_limit_handler_time(ctx, 86400001) == CMW_ERR_ARG
               ? CMW_CONTINUE
               : CMW_ERROR;
}

/* With 10 ms for the handler; 30 for the body, and what the request may take. */
static void open_limited(struct server *server, uint64_t request_ms)
{
    cmw_engine_config config;
    cmw_middleware mw;

    cmw_engine_config_init(&config);
    config.limits.request_ms = request_ms;
    config.limits.body_ms = 30;
    server_open(server, &config);
    cmw_middleware_init(&mw);
    mw.name = "limit";
    mw.self = server;
    mw.pre_route = limit_handler;
    mw.complete = log_reason;
    assert_int_equal(cmw_chain_add(server->chain, &mw, NULL), 0);
    server_start(server);
}

static void a_handlers_time_begins_where_pre_route_ends(void **state)
{
    struct server server;

    (void)state;
    open_limited(&server, 0);
    cmw_ctx *ctx = begin_slow(&server);
    const uint64_t due = server.timer_at;
    assert_true(due > 0);
    assert_int_equal(cmw_worker_run(server.worker, due - 1), 0);
    assert_int_equal(cmw_ctx_is_cancelled(ctx), 0);
    assert_int_equal(cmw_worker_run(server.worker, due), 0);
    assert_int_equal(cmw_ctx_is_cancelled(ctx), 1);
    finish(&server, ctx, CMW_TO_HANDLER);
    assert_string_equal(server.log, "handler 504 deadline ");
    assert_int_equal(server.timer_at, 0);
    server_close(&server);
}

static void a_handlers_time_does_not_run_while_the_body_is_awaited(void **state)
{
    struct server server;

    (void)state;
    open_limited(&server, 0);
    cmw_ctx *ctx = begin_slow(&server);
    const uint64_t first = server.timer_at;
    assert_int_equal(cmw_ctx_await_body(ctx, 2000), 0);
    assert_int_equal(server.timer_at, 30002000);
    assert_int_equal(cmw_worker_run(server.worker, 20000000), 0);
    assert_int_equal(cmw_ctx_is_cancelled(ctx), 0);
    cmw_ctx_body_arrived(ctx);
    assert_true(server.timer_at >= first && server.timer_at != 30002000);
    assert_int_equal(cmw_worker_run(server.worker, server.timer_at), 0);
    finish(&server, ctx, CMW_TO_HANDLER);
    assert_string_equal(server.log, "handler 504 deadline ");
    server_close(&server);
}

static void a_handler_that_has_answered_is_not_late(void **state)
{
    struct server server;

    (void)state;
    open_limited(&server, 500000000);
    cmw_ctx *ctx = begin_slow(&server);
    const uint64_t due = server.timer_at;
    assert_int_equal(cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("made")), 0);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    assert_int_equal(cmw_worker_run(server.worker, due), 0);
    assert_int_equal(cmw_ctx_is_cancelled(ctx), 0);
    assert_true(server.timer_at > due); /* the request's stays */
    cmw_ctx_end(ctx, CMW_END_SENT);
    assert_string_equal(server.log, "sent ");
    server_close(&server);
}

/* ---- The head --------------------------------------------------------------------------- */

/* A host answers a head that did not come with what it has of it. */
static void a_head_that_does_not_come_is_answered_408_with_all_fields(void **state)
{
    struct server server;

    (void)state;
    open_slow(&server, 0, 0, 0);
    assert_int_equal(cmw_engine_limits(server.engine)->head_ms, 0);
    cmw_ctx *ctx = begin(&server);
    assert_false(cmw_ctx_times_body(ctx));
    cmw_ctx_fail(ctx, 408);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_RESPOND);
    assert_true(cmw_response_has_named(cmw_ctx_response(ctx), CMW_STR("X-Frame-Options")));
    finish(&server, ctx, CMW_TO_RESPOND);
    assert_string_equal(server.log, "408 sent ");
    server_close(&server);
}

static int pass(void *self, cmw_ctx *ctx)
{
    (void)self;
    (void)ctx;
    return CMW_CONTINUE;
}

static void add_head_time(struct server *server, const char *name, uint32_t head_ms)
{
    cmw_middleware mw;

    cmw_middleware_init(&mw);
    mw.name = name;
    mw.pre_route = pass;
    mw.head_ms = head_ms;
    assert_int_equal(cmw_chain_add(server->chain, &mw, NULL), 0);
}

static void the_shortest_time_of_a_head_holds(void **state)
{
    cmw_engine_config config;
    struct server server;

    (void)state;
    cmw_engine_config_init(&config);
    config.limits.head_ms = 300;
    server_open(&server, &config);
    server.host.capabilities |= CMW_CAP_TIME_HEAD;
    add_head_time(&server, "long", 500);
    server_start(&server);
    assert_int_equal(cmw_worker_head_ms(server.worker), 300);
    add_head_time(&server, "short", 200);
    assert_int_equal(cmw_chain_install(server.chain, NULL), 0);
    assert_int_equal(cmw_worker_head_ms(server.worker), 300);
    cmw_worker_idle(server.worker); /* it goes over to the new plan */
    assert_int_equal(cmw_worker_head_ms(server.worker), 200);
    assert_int_equal(cmw_chain_shadow(server.chain, "short"), 0);
    cmw_plan *plan = NULL;
    assert_int_equal(cmw_chain_compile(server.chain, &plan, NULL), 0);
    assert_int_equal(cmw_plan_head_ms(plan), 500);
    cmw_plan_release(plan);
    server_close(&server);
}

static void a_time_of_heads_is_refused_where_it_cannot_hold(void **state)
{
    static const char *const paths[] = {"/slow/*"};
    cmw_condition condition;
    struct server server;
    cmw_diag diag = {0};
    cmw_middleware mw;
    cmw_plan *plan = NULL;

    (void)state;
    server_open(&server, NULL);
    server.host.name = "toy";
    server_start(&server);
    add_head_time(&server, "slow", 500);
    assert_int_equal(cmw_chain_install(server.chain, &diag), CMW_ERR_UNSUPPORTED);
    assert_string_equal(diag.message,
                        "'slow' limits the time of heads, and toy does not measure it");
    cmw_condition_init(&condition);
    condition.paths = paths;
    condition.path_count = 1;
    cmw_middleware_init(&mw);
    mw.name = "some";
    mw.pre_route = pass;
    mw.head_ms = 100;
    mw.condition = &condition;
    assert_int_equal(cmw_chain_add(server.chain, &mw, NULL), 0);
    assert_int_equal(cmw_chain_compile(server.chain, &plan, &diag), CMW_ERR_CONFLICT);
    assert_string_equal(diag.message, "'some' limits the time of heads, and has a condition or a "
                                      "route, which a head decides once it has come");
    assert_int_equal(cmw_chain_disable(server.chain, "some"), 0);
    add_head_time(&server, "ages", 86400001);
    assert_int_equal(cmw_chain_compile(server.chain, &plan, &diag), CMW_ERR_ARG);
    assert_string_equal(diag.message, "'ages': head_ms: 86400001 is not 0 to 86400000");
    server_close(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines_pass_in_their_order),
        cmocka_unit_test(deadlines_stay_in_order_when_one_is_taken_away),
        cmocka_unit_test(a_deadline_follows_the_worker_to_its_next_host),
        cmocka_unit_test(a_deadline_in_the_handler_is_answered_at_commit),
        cmocka_unit_test(a_body_that_does_not_come_is_answered_408),
        cmocka_unit_test(each_piece_of_a_body_has_its_time),
        cmocka_unit_test(a_body_that_has_come_has_no_deadline),
        cmocka_unit_test(a_body_whose_request_is_answered_is_not_late),
        cmocka_unit_test(the_deadline_of_the_request_holds_while_the_body_is_awaited),
        cmocka_unit_test(a_handlers_time_begins_where_pre_route_ends),
        cmocka_unit_test(a_handlers_time_does_not_run_while_the_body_is_awaited),
        cmocka_unit_test(a_handler_that_has_answered_is_not_late),
        cmocka_unit_test(the_shortest_time_of_a_head_holds),
        cmocka_unit_test(a_time_of_heads_is_refused_where_it_cannot_hold),
        cmocka_unit_test(a_head_that_does_not_come_is_answered_408_with_all_fields),
    };
    return cmocka_run_group_tests_name("suspend: deadlines", tests, NULL, NULL);
}
