/* SPDX-License-Identifier: MIT */
/*
 * The core, from outside: what lives how long. Contexts, faults of the host, limits that fill up
 * while a request runs, routes, reload.
 */
#include "actor.h"

static struct bench bench; /* of the test that runs */

static cmw_ctx *begin(void)
{
    cmw_ctx *ctx = NULL;
    assert_int_equal(cmw_ctx_begin(cmw_test_worker(bench.test), &ctx, cmw_test_view(bench.test)),
                     0);
    return ctx;
}

static void answer(cmw_ctx *ctx, int status)
{
    assert_int_equal(cmw_response_text(cmw_ctx_response(ctx), status, CMW_STR("ok")), 0);
}

/* ---- What an adapter may do --------------------------------------------------------------- */

static void commit_twice_repeats(void **state)
{
    struct actor a = {.name = "a", .on = ON_ALL};
    (void)state;
    bench_open(&bench, NULL);
    bench_add(&bench, &a);
    bench_install(&bench);
    cmw_ctx *ctx = begin();
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    answer(ctx, 200);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_RESPOND);
    assert_int_equal(cmw_ctx_enter_route(ctx, 1), CMW_TO_RESPOND);
    assert_int_equal(cmw_response_set_status(cmw_ctx_response(ctx), 404), CMW_ERR_STATE);
    assert_int_equal(cmw_ctx_receive_body(ctx, CMW_STR("late")), CMW_ERR_STATE);
    cmw_ctx_end(ctx, CMW_END_SENT);
    assert_string_equal(bench.log, "pre:a post:a complete/sent:a ");
    bench_close(&bench);
}

static void a_failure_after_commit_aborts(void **state)
{
    struct actor a = {.name = "a", .on = ON_ALL};
    (void)state;
    bench_open(&bench, NULL);
    bench_add(&bench, &a);
    bench_install(&bench);
    cmw_ctx *ctx = begin();
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    answer(ctx, 200);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    cmw_ctx_fail(ctx, 500);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_ABORT);
    assert_int_equal(cmw_response_status(cmw_ctx_response(ctx)), 200);
    assert_null(cmw_ctx_fault(ctx));
    cmw_ctx_end(ctx, CMW_END_ERROR);
    assert_string_equal(bench.log, "pre:a post:a complete/error:a ");
    bench_close(&bench);
}

struct fail_row {
    const char *name;
    int status;
    int expected;
};

static const struct fail_row fail_rows[] = {
    {"a failure of the host keeps a 4xx", 408, 408},
    {"a failure of the host keeps a 5xx", 599, 599},
    {"a failure with a status below 400 is 500", 399, 500},
    {"a failure with a status above 599 is 500", 600, 500},
    {"a failure with a negative status is 500", -1, 500},
};

static void check_fail(void **state)
{
    const struct fail_row *row = *state;
    struct actor a = {.name = "a", .on = ON_ALL};

    bench_open(&bench, NULL);
    bench_add(&bench, &a);
    bench_install(&bench);
    cmw_ctx *ctx = begin();
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    answer(ctx, 200);
    cmw_ctx_fail(ctx, row->status);
    cmw_ctx_fail(ctx, 418); /* the first one counts */
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    assert_int_equal(cmw_response_status(cmw_ctx_response(ctx)), row->expected);
    const cmw_fault *fault = cmw_ctx_fault(ctx);
    assert_non_null(fault);
    assert_int_equal(fault->status, row->expected);
    assert_int_equal(fault->phase, -1);
    assert_null(fault->middleware);
    cmw_ctx_end(ctx, CMW_END_SENT);
    assert_string_equal(bench.log, "pre:a error:a post:a complete/sent:a ");
    bench_close(&bench);
}

/* ---- Error codes as verdicts ------------------------------------------------------------- */

struct code_row {
    const char *name;
    int value; /* what the callback returns */
    int is_post;
    int status;
    int code; /* of the fault */
};

static const struct code_row code_rows[] = {
    {"an error code of pre_route is a fault with that code", CMW_ERR_STATE, 0, 500, CMW_ERR_STATE},
    {"an error code of post_route is a fault with that code", CMW_ERR_LIMIT, 1, 500, CMW_ERR_LIMIT},
    {"an error code for bad input is the server's fault all the same", CMW_ERR_INVALID, 0, 500,
     CMW_ERR_INVALID},
    {"no memory is 503", CMW_ERR_NOMEM, 0, 503, CMW_ERR_NOMEM},
    {"no memory in post_route is 503", CMW_ERR_NOMEM, 1, 503, CMW_ERR_NOMEM},
    {"CMW_ERROR has no code", CMW_ERROR, 0, 500, 0},
    {"a number that is no verdict is a fault without a code", 77, 1, 500, 0},
};

static void check_code(void **state)
{
    const struct code_row *row = *state;
    struct actor a = {.name = "a", .on = ON_PRE | ON_POST};

    a.pre = row->is_post ? CMW_CONTINUE : row->value;
    a.post = row->is_post ? row->value : CMW_CONTINUE;
    bench_open(&bench, NULL);
    bench_add(&bench, &a);
    bench_install(&bench);
    cmw_ctx *ctx = begin();
    const cmw_next next = cmw_ctx_run(ctx);
    if (next == CMW_TO_HANDLER) {
        answer(ctx, 200);
        assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    }
    assert_int_equal(cmw_response_status(cmw_ctx_response(ctx)), row->status);
    assert_int_equal(cmw_ctx_fault(ctx)->status, row->status);
    assert_int_equal(cmw_ctx_fault(ctx)->code, row->code);
    assert_string_equal(cmw_ctx_fault(ctx)->middleware, "a");
    cmw_ctx_end(ctx, CMW_END_SENT);
    bench_close(&bench);
}

static void fail_here(struct actor *actor, cmw_ctx *ctx)
{
    if (actor->data)
        cmw_ctx_fail(ctx, *(int *)actor->data);
}

static void a_failure_told_in_pre_route_keeps_the_handler_out(void **state)
{
    int status = 502;
    struct actor a = {.name = "a", .on = ON_PRE, .inside = fail_here, .data = &status};
    (void)state;
    bench_open(&bench, NULL);
    bench_add(&bench, &a);
    bench_install(&bench);
    assert_int_equal(cmw_test_send(bench.test), 502);
    bench_close(&bench);
}

struct end_row {
    const char *name;
    int steps; /* 0: begun, 1: run, 2: committed */
    cmw_end_reason reason;
    const char *log;
};

static const struct end_row end_rows[] = {
    {"a request may end before it ran", 0, CMW_END_CLIENT_GONE, "complete/client_gone:a "},
    {"sent before it ran is an error", 0, CMW_END_SENT, "complete/error:a "},
    {"a request may end in the handler", 1, CMW_END_SHUTDOWN, "pre:a complete/shutdown:a "},
    {"sent before commit is an error", 1, CMW_END_SENT, "pre:a complete/error:a "},
    {"sent after commit is sent", 2, CMW_END_SENT, "pre:a post:a complete/sent:a "},
    {"a deadline after commit", 2, CMW_END_DEADLINE, "pre:a post:a complete/deadline:a "},
    {"an unknown reason is an error", 2, (cmw_end_reason)77, "pre:a post:a complete/error:a "},
};

static void check_end(void **state)
{
    const struct end_row *row = *state;
    struct actor a = {.name = "a", .on = ON_ALL};

    bench_open(&bench, NULL);
    bench_add(&bench, &a);
    bench_install(&bench);
    cmw_ctx *ctx = begin();
    if (row->steps > 0)
        assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    answer(ctx, 200);
    if (row->steps > 1)
        assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    cmw_ctx_end(ctx, row->reason);
    assert_string_equal(bench.log, row->log);
    bench_close(&bench);
}

/* ---- What a fault drops ------------------------------------------------------------------- */

static void set_representation(struct actor *actor, cmw_ctx *ctx)
{
    static const char *const names[] = {
        "Content-Type",  "Content-Language", "Content-Encoding",   "ETag", "Last-Modified",
        "Accept-Ranges", "Set-Cookie",       "Content-Unheard-Of", "Vary", "X-Kept"};
    (void)actor;
    for (size_t i = 0; i < LEN(names); i++)
        assert_int_equal(
            cmw_response_set_named(cmw_ctx_response(ctx), cmw_str_cstr(names[i]), CMW_STR("v")), 0);
}

static void a_fault_drops_the_representation_and_keeps_the_rest(void **state)
{
    static const char *const dropped[] = {"Content-Language",  "Content-Encoding", "ETag",
                                          "Last-Modified",     "Accept-Ranges",    "Set-Cookie",
                                          "Content-Unheard-Of"};
    struct actor a = {.name = "a", .on = ON_PRE, .inside = set_representation};
    struct actor b = {.name = "b", .on = ON_PRE, .pre = CMW_ERROR, .pre_status = 200};
    (void)state;
    bench_open(&bench, NULL);
    bench_add(&bench, &a);
    bench_add(&bench, &b);
    bench_install(&bench);
    assert_int_equal(cmw_test_send(bench.test), 500);
    for (size_t i = 0; i < LEN(dropped); i++)
        if (cmw_test_response_field(bench.test, dropped[i]))
            fail_msg("%s was kept", dropped[i]);
    assert_string_equal(cmw_test_response_field(bench.test, "Content-Type"),
                        "text/plain; charset=utf-8");
    assert_string_equal(cmw_test_response_field(bench.test, "Vary"), "v");
    assert_string_equal(cmw_test_response_field(bench.test, "X-Kept"), "v");
    assert_int_equal(cmw_test_response_count(bench.test, "Content-Type"), 1);
    bench_close(&bench);
}

static void rewrite_request(struct actor *actor, cmw_ctx *ctx)
{
    *(int *)actor->data =
        cmw_request_set_header(cmw_ctx_request(ctx), CMW_STR("X-New"), CMW_STR("1"));
}

static void the_request_is_rewritten_in_pre_route_only(void **state)
{
    int in_pre = 1, in_error = 1, in_post = 1, in_complete = 1;
    struct actor pre = {
        .name = "pre", .on = ON_PRE, .inside = rewrite_request, .data = &in_pre, .pre = CMW_ERROR};
    struct actor error = {
        .name = "error", .on = ON_ERROR, .inside = rewrite_request, .data = &in_error};
    struct actor post = {
        .name = "post", .on = ON_POST, .inside = rewrite_request, .data = &in_post};
    struct actor complete = {
        .name = "complete", .on = ON_COMPLETE, .inside = rewrite_request, .data = &in_complete};
    (void)state;
    bench_open(&bench, NULL);
    bench_add(&bench, &pre);
    bench_add(&bench, &error);
    bench_add(&bench, &post);
    bench_add(&bench, &complete);
    bench_install(&bench);
    assert_int_equal(cmw_test_send(bench.test), 500);
    assert_int_equal(in_pre, 0);
    assert_int_equal(in_error, CMW_ERR_STATE);
    assert_int_equal(in_post, CMW_ERR_STATE);
    assert_int_equal(in_complete, CMW_ERR_STATE);
    bench_close(&bench);
}

/* ---- Limits that fill up while it runs ------------------------------------------------------ */

static const cmw_header secure[] = {{CMW_STR_INIT("X-Frame-Options"), CMW_STR_INIT("DENY")}};

static int use_up_memory(void *self, cmw_ctx *ctx)
{
    (void)self;
    for (size_t bytes = (size_t)1 << 18; bytes >= 16; bytes /= 2)
        while (cmw_arena_alloc(cmw_ctx_arena(ctx), bytes))
            ;
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("a text that finds no room"));
}

static void a_request_that_uses_up_its_memory_is_503_with_constant_fields(void **state)
{
    struct actor s = {.name = "s", .fields = secure, .field_count = 1};
    struct actor a = {.name = "a", .on = ON_ALL, .post_field = "X-A"};
    (void)state;
    bench_open(&bench, NULL);
    bench_add(&bench, &s);
    bench_add(&bench, &a);
    bench_install(&bench);
    for (int i = 0; i < 3; i++) {
        bench_forget(&bench);
        cmw_test_set_handler(bench.test, use_up_memory, NULL);
        assert_int_equal(cmw_test_send(bench.test), 503);
        assert_string_equal(bench.log, "pre:a error:a post:a complete/sent:a ");
        assert_string_equal(cmw_test_response_field(bench.test, "X-Frame-Options"), "DENY");
        assert_string_equal(cmw_test_response_field(bench.test, "X-A"), "a");
        assert_string_equal(cmw_test_response_body(bench.test).data, "Service Unavailable");
        cmw_test_set_handler(bench.test, NULL, NULL);
        assert_int_equal(cmw_test_send(bench.test), 200);
    }
    bench_close(&bench);
}

static void too_many_header_bytes_are_431(void **state)
{
    static char value[32 << 10];
    struct actor a = {.name = "a", .on = ON_ALL};
    (void)state;
    bench_open(&bench, NULL);
    memset(value, 'v', sizeof value - 1);
    bench_add(&bench, &a);
    bench_install(&bench);
    cmw_test_header(bench.test, "X", value); /* one byte and 32,767: all that is allowed */
    assert_int_equal(cmw_test_send(bench.test), 200);
    cmw_test_header(bench.test, "Y", "");
    assert_int_equal(cmw_test_send(bench.test), 431);
    bench_close(&bench);
}

static void a_counted_body_over_the_limit_is_413(void **state)
{
    static const char chunk[1 << 16];
    struct actor a = {.name = "a", .on = ON_ALL};
    size_t received = 0;
    (void)state;
    bench_open(&bench, NULL);
    bench_add(&bench, &a);
    bench_install(&bench);
    cmw_test_view(bench.test)->content_length = CMW_LENGTH_UNKNOWN;
    cmw_ctx *ctx = begin();
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    while (cmw_ctx_receive_body(ctx, cmw_str_make(chunk, sizeof chunk)) == 0)
        received += sizeof chunk;
    assert_int_equal(received, 1 << 20);
    assert_int_equal(cmw_ctx_receive_body(ctx, CMW_STR("x")), CMW_ERR_LIMIT);
    assert_int_equal(cmw_ctx_fault(ctx)->status, 413);
    assert_int_equal(cmw_ctx_fault(ctx)->code, CMW_ERR_LIMIT);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    assert_int_equal(cmw_response_status(cmw_ctx_response(ctx)), 413);
    cmw_ctx_end(ctx, CMW_END_SENT);
    assert_string_equal(bench.log, "pre:a error:a post:a complete/sent:a ");
    bench_close(&bench);
}

static void a_body_in_pieces_is_whole(void **state)
{
    (void)state;
    bench_open(&bench, NULL);
    bench_install(&bench);
    cmw_test_view(bench.test)->content_length = CMW_LENGTH_UNKNOWN;
    cmw_ctx *ctx = begin();
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    char expected[26 * 700];
    for (size_t i = 0; i < 26; i++) {
        memset(expected + i * 700, (int)('a' + i), 700);
        assert_int_equal(cmw_ctx_receive_body(ctx, cmw_str_make(expected + i * 700, 700)), 0);
    }
    const cmw_str body = cmw_request_body(cmw_ctx_request(ctx));
    assert_int_equal(body.len, sizeof expected);
    assert_memory_equal(body.data, expected, sizeof expected);
    cmw_ctx_end(ctx, CMW_END_ERROR);
    bench_close(&bench);
}

static void a_worker_without_contexts_left_gives_the_overload_response(void **state)
{
    struct actor s = {.name = "s", .fields = secure, .field_count = 1, .on = ON_ALL};
    cmw_engine_config config;
    cmw_ctx *more = NULL;
    (void)state;
    cmw_engine_config_init(&config);
    config.context_limit = 1;
    bench_open(&bench, &config);
    bench_add(&bench, &s);
    assert_null(cmw_worker_overload_response(cmw_test_worker(bench.test)));
    bench_install(&bench);
    cmw_ctx *ctx = begin();
    assert_int_equal(cmw_ctx_begin(cmw_test_worker(bench.test), &more, cmw_test_view(bench.test)),
                     CMW_ERR_LIMIT);
    assert_null(more);
    assert_int_equal(cmw_test_send(bench.test), 0);
    assert_int_equal(cmw_test_status(bench.test), 503);
    assert_string_equal(cmw_test_response_field(bench.test, "X-Frame-Options"), "DENY");
    assert_string_equal(bench.log, "");
    cmw_ctx_end(ctx, CMW_END_ERROR);
    assert_int_equal(cmw_test_send(bench.test), 200);
    bench_close(&bench);
}

/* ---- Routes --------------------------------------------------------------------------------- */

static const char *const api[] = {"/api/*"};

static void add_to_route(struct actor *actor, uint32_t route_id, const char *group_name,
                         const cmw_condition *condition)
{
    cmw_group_config config;
    cmw_group *group = NULL;
    const cmw_middleware mw = actor_middleware(&bench, actor);

    cmw_group_config_init(&config);
    config.name = group_name;
    config.route_id = route_id;
    config.condition = condition;
    assert_int_equal(cmw_chain_add_group(bench.chain, &group, NULL, &config, NULL), 0);
    assert_int_equal(cmw_group_add(group, &mw, NULL), 0);
}

static void middleware_of_a_route_runs_after_all_others_and_only_there(void **state)
{
    struct actor first = {.name = "r", .on = ON_ALL, .priority = 1};
    struct actor other = {.name = "o", .on = ON_ALL, .priority = 1};
    struct actor all = {.name = "a", .on = ON_ALL, .priority = 2};
    (void)state;
    bench_open(&bench, NULL);
    add_to_route(&first, 7, "seven", NULL);
    add_to_route(&other, 8, "eight", NULL);
    bench_add(&bench, &all);
    bench_install(&bench);

    cmw_test_route(bench.test, 7);
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_string_equal(bench.log, "pre:a pre:r post:r post:a complete/sent:r complete/sent:a ");
    bench_forget(&bench);
    cmw_test_route(bench.test, 99); /* unknown: runs nothing */
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_string_equal(bench.log, "pre:a post:a complete/sent:a ");
    bench_forget(&bench);
    cmw_test_route(bench.test, CMW_NONE);
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_string_equal(bench.log, "pre:a post:a complete/sent:a ");
    bench_close(&bench);
}

static void middleware_of_a_route_may_stop(void **state)
{
    struct actor route = {.name = "r", .on = ON_ALL, .pre = CMW_STOP, .pre_status = 403};
    struct actor all = {.name = "a", .on = ON_POST};
    (void)state;
    bench_open(&bench, NULL);
    add_to_route(&route, 7, "seven", NULL);
    bench_add(&bench, &all);
    bench_install(&bench);
    cmw_test_route(bench.test, 7);
    assert_int_equal(cmw_test_send(bench.test), 403);
    assert_string_equal(bench.log, "pre:r post:a post:r complete/sent:r ");
    bench_close(&bench);
}

static void middleware_of_a_route_obeys_its_conditions(void **state)
{
    const cmw_condition under_api = {.size = sizeof(cmw_condition), .paths = api, .path_count = 1};
    struct actor route = {.name = "r", .on = ON_ALL};
    (void)state;
    bench_open(&bench, NULL);
    add_to_route(&route, 7, "seven", &under_api);
    bench_install(&bench);
    cmw_test_route(bench.test, 7);
    cmw_test_request(bench.test, "GET", "/x");
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_string_equal(bench.log, "");
    cmw_test_request(bench.test, "GET", "/api/x");
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_string_equal(bench.log, "pre:r post:r complete/sent:r ");
    bench_close(&bench);
}

static void a_route_is_entered_once(void **state)
{
    struct actor route = {.name = "r", .on = ON_ALL};
    struct actor other = {.name = "o", .on = ON_ALL};
    (void)state;
    bench_open(&bench, NULL);
    add_to_route(&route, 7, "seven", NULL);
    add_to_route(&other, 8, "eight", NULL);
    bench_install(&bench);
    cmw_ctx *ctx = begin();
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    assert_int_equal(cmw_ctx_enter_route(ctx, 7), CMW_TO_HANDLER);
    assert_int_equal(cmw_ctx_enter_route(ctx, 7), CMW_TO_HANDLER);
    assert_int_equal(cmw_ctx_enter_route(ctx, 8), CMW_TO_HANDLER);
    answer(ctx, 200);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    cmw_ctx_end(ctx, CMW_END_SENT);
    assert_string_equal(bench.log, "pre:r post:r complete/sent:r ");
    bench_close(&bench);
}

/* ---- Reload --------------------------------------------------------------------------------- */

static void a_request_in_flight_finishes_on_its_old_plan(void **state)
{
    struct actor a = {.name = "a", .on = ON_ALL};
    struct actor b = {.name = "b", .on = ON_ALL};
    cmw_chain *second = NULL;
    (void)state;
    bench_open(&bench, NULL);
    bench_add(&bench, &a);
    bench_install(&bench);
    cmw_chain_destroy(bench.chain);
    assert_int_equal(cmw_chain_create(bench.engine, &second, 0), 0);
    bench.chain = second;

    cmw_ctx *old = begin();
    assert_int_equal(cmw_ctx_run(old), CMW_TO_HANDLER);
    bench_add(&bench, &b);
    bench_install(&bench);
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_string_equal(bench.log, "pre:a pre:b post:b complete/sent:b ");
    assert_int_equal(a.destroyed, 0);
    assert_int_equal(cmw_worker_in_flight(cmw_test_worker(bench.test)), 1);
    bench_forget(&bench);
    answer(old, 200);
    assert_int_equal(cmw_ctx_commit(old), CMW_TO_RESPOND);
    cmw_ctx_end(old, CMW_END_SENT);
    assert_string_equal(bench.log, "post:a complete/sent:a ");
    assert_int_equal(a.destroyed, 1); /* the old plan went with its last request */
    assert_int_equal(b.destroyed, 0);
    bench_close(&bench);
}

static void idle_lets_an_old_plan_go(void **state)
{
    struct actor a = {.name = "a", .on = ON_ALL};
    (void)state;
    bench_open(&bench, NULL);
    bench_add(&bench, &a);
    bench_install(&bench);
    assert_int_equal(cmw_test_send(bench.test), 200);
    cmw_chain_destroy(bench.chain);
    assert_int_equal(cmw_chain_create(bench.engine, &bench.chain, 0), 0);
    bench_install(&bench);
    assert_int_equal(a.destroyed, 0);
    cmw_worker_idle(cmw_test_worker(bench.test));
    assert_int_equal(a.destroyed, 1);
    bench_close(&bench);
}

static void reloading_many_times_keeps_no_memory(void **state)
{
    struct actor a = {.name = "a", .on = ON_ALL};
    uint64_t in_use = 0;
    (void)state;
    bench_open(&bench, NULL);
    bench_add(&bench, &a);
    for (int i = 0; i < 50; i++) {
        bench_install(&bench);
        assert_int_equal(cmw_test_send(bench.test), 200);
        if (i == 10)
            in_use = pool_in_use(bench.engine, CMW_POOL_PLAN);
    }
    assert_int_equal(pool_in_use(bench.engine, CMW_POOL_PLAN), in_use);
    bench_close(&bench);
}

static void find_slot(void *self)
{
    struct actor *actor = self;
    actor->destroyed++;
    assert_int_equal(cmw_slot_find(actor->bench->engine, "host"), CMW_FACT_HOST);
}

static void destroy_of_a_middleware_may_call_the_engine(void **state)
{
    struct actor a = {.name = "a", .on = ON_PRE};
    (void)state;
    bench_open(&bench, NULL);
    cmw_middleware mw = actor_middleware(&bench, &a);
    mw.destroy = find_slot;
    for (int i = 1; i <= 2; i++) { /* once when a worker moves over, once when installing */
        assert_int_equal(cmw_chain_add(bench.chain, &mw, NULL), 0);
        bench_install(&bench);
        if (i == 1)
            assert_int_equal(cmw_test_send(bench.test), 200);
        cmw_chain_destroy(bench.chain);
        assert_int_equal(cmw_chain_create(bench.engine, &bench.chain, 0), 0);
        bench_install(&bench);
        cmw_worker_idle(cmw_test_worker(bench.test));
        assert_int_equal(a.destroyed, i);
    }
    bench_close(&bench);
}

static void disabled_middleware_is_left_out_until_it_is_enabled(void **state)
{
    struct actor a = {.name = "a", .on = ON_ALL};
    struct actor b = {.name = "b", .on = ON_ALL};
    (void)state;
    bench_open(&bench, NULL);
    bench_add(&bench, &a);
    bench_add(&bench, &b);
    assert_int_equal(cmw_chain_disable(bench.chain, "a"), 0);
    assert_int_equal(cmw_chain_disable(bench.chain, "unknown"), CMW_ERR_NOT_FOUND);
    bench_install(&bench);
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_string_equal(bench.log, "pre:b post:b complete/sent:b ");
    assert_int_equal(cmw_chain_enable(bench.chain, "a"), 0);
    assert_int_equal(cmw_chain_set_priority(bench.chain, "b", 1), 0);
    bench_forget(&bench);
    assert_int_equal(cmw_test_send(bench.test), 200); /* not before it is installed */
    assert_string_equal(bench.log, "pre:b post:b complete/sent:b ");
    bench_install(&bench);
    bench_forget(&bench);
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_string_equal(bench.log, "pre:b pre:a post:b post:a complete/sent:a complete/sent:b ");
    bench_close(&bench);
}

static void an_engine_in_use_is_not_destroyed(void **state)
{
    cmw_engine *engine = NULL;
    cmw_worker *worker = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    (void)state;
    assert_int_equal(cmw_engine_create(&engine, NULL), 0);
    assert_int_equal(cmw_engine_take_worker(engine, &worker, NULL, NULL), 0);
    assert_int_equal(cmw_engine_destroy(engine), CMW_ERR_STATE);
    cmw_engine_put_worker(engine, worker);
    assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
    assert_int_equal(cmw_engine_destroy(engine), CMW_ERR_STATE);
    assert_int_equal(cmw_chain_compile(chain, &plan, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_engine_destroy(engine), CMW_ERR_STATE);
    assert_ptr_equal(cmw_plan_retain(plan), plan);
    cmw_plan_release(plan);
    assert_int_equal(cmw_engine_destroy(engine), CMW_ERR_STATE);
    cmw_plan_release(plan);
    assert_int_equal(cmw_engine_destroy(engine), 0);
}

int main(void)
{
    const struct CMUnitTest plain[] = {
        cmocka_unit_test(commit_twice_repeats),
        cmocka_unit_test(a_failure_after_commit_aborts),
        cmocka_unit_test(a_failure_told_in_pre_route_keeps_the_handler_out),
        cmocka_unit_test(a_fault_drops_the_representation_and_keeps_the_rest),
        cmocka_unit_test(the_request_is_rewritten_in_pre_route_only),
        cmocka_unit_test(a_request_that_uses_up_its_memory_is_503_with_constant_fields),
        cmocka_unit_test(too_many_header_bytes_are_431),
        cmocka_unit_test(a_counted_body_over_the_limit_is_413),
        cmocka_unit_test(a_body_in_pieces_is_whole),
        cmocka_unit_test(a_worker_without_contexts_left_gives_the_overload_response),
        cmocka_unit_test(middleware_of_a_route_runs_after_all_others_and_only_there),
        cmocka_unit_test(middleware_of_a_route_may_stop),
        cmocka_unit_test(middleware_of_a_route_obeys_its_conditions),
        cmocka_unit_test(a_route_is_entered_once),
        cmocka_unit_test(a_request_in_flight_finishes_on_its_old_plan),
        cmocka_unit_test(idle_lets_an_old_plan_go),
        cmocka_unit_test(reloading_many_times_keeps_no_memory),
        cmocka_unit_test(destroy_of_a_middleware_may_call_the_engine),
        cmocka_unit_test(disabled_middleware_is_left_out_until_it_is_enabled),
        cmocka_unit_test(an_engine_in_use_is_not_destroyed),
    };
    struct CMUnitTest tests[LEN(plain) + LEN(fail_rows) + LEN(code_rows) + LEN(end_rows)];
    size_t count = LEN(plain);

    memcpy(tests, plain, sizeof plain);
    for (size_t i = 0; i < LEN(fail_rows); i++)
        tests[count++] = ROW_TEST(&fail_rows[i], check_fail);
    for (size_t i = 0; i < LEN(code_rows); i++)
        tests[count++] = ROW_TEST(&code_rows[i], check_code);
    for (size_t i = 0; i < LEN(end_rows); i++)
        tests[count++] = ROW_TEST(&end_rows[i], check_end);
    return cmocka_run_group_tests_name("middleware life", tests, NULL, NULL);
}
