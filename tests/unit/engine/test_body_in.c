/* SPDX-License-Identifier: MIT */
/*
 * The request's body: what each kind of demand is shown, for every way to cut a body into chunks,
 * against what a reader of the whole body would say; limits; verdicts; being suspended in its
 * midst.
 */
#include <catzilla/testing.h>

#include <stdio.h>

#include "test.h"

enum { LIMIT = 9, MOST = 64 };

/* What a callback saw. */
struct seen {
    char bytes[8 * MOST];
    size_t len;
    uint32_t calls, ends;
    uint32_t suspends; /* bits: suspend in that call */
    int verdict;       /* of each call */
    cmw_token token;
    uint32_t dropped;
};

enum { DOUBLE, DIGEST, PEEK, FULL, ROLES };

struct bench {
    cmw_test *test;
    cmw_chain *chain;
    struct seen seen[ROLES];
    struct seen handler;
    char held;      /* DOUBLE puts each byte out twice, in two pieces */
    size_t doubled; /* of what it was given */
    cmw_str given;
    size_t proceeded;
    int next;
    uint32_t completes;
    cmw_end_reason reason;
    int reads_body; /* as the handler was told */
};

static int note(struct seen *seen, cmw_ctx *ctx, const cmw_chunk *chunk)
{
    assert_true(seen->len + chunk->bytes.len <= sizeof seen->bytes);
    assert_non_null(chunk->bytes.data);
    memcpy(seen->bytes + seen->len, chunk->bytes.data, chunk->bytes.len);
    seen->len += chunk->bytes.len;
    seen->ends += chunk->is_last != 0;
    if (seen->suspends >> seen->calls++ & 1) {
        assert_int_equal(cmw_ctx_suspend(ctx, &seen->token), 0);
        return CMW_SUSPEND;
    }
    return seen->verdict;
}

static int on_read(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    assert_int_equal(chunk->has_more, 0);
    return note(self, ctx, chunk);
}

/* "ab" becomes "aa", "bb": as many pieces as there are bytes. */
static int on_double(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct bench *bench = self;
    static char out[2];

    if (chunk->bytes.len > 0) {
        bench->given = chunk->bytes;
        bench->doubled = 0;
    }
    const cmw_chunk shown = {bench->doubled == 0 ? chunk->bytes : CMW_STR(""), chunk->is_last, 0};
    const int verdict = note(&bench->seen[DOUBLE], ctx, &shown);
    if (bench->doubled < bench->given.len) {
        out[0] = out[1] = bench->given.data[bench->doubled++];
        chunk->bytes = cmw_str_make(out, 2);
    } else {
        chunk->bytes = CMW_STR("");
    }
    chunk->has_more = bench->doubled < bench->given.len;
    if (!chunk->has_more) {
        bench->given = CMW_STR("");
        bench->doubled = 0;
    }
    return verdict;
}

static void on_dropped(void *self, void *data)
{
    struct seen *seen = self;

    (void)data;
    seen->dropped++;
}

static void on_complete(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    struct bench *bench = self;

    (void)ctx;
    bench->completes++;
    bench->reason = reason;
}

static int on_handler(void *self, cmw_ctx *ctx)
{
    struct bench *bench = self;
    const cmw_str body = cmw_request_body(cmw_ctx_request(ctx));
    const cmw_chunk whole = {body.data ? body : CMW_STR(""), 1, 0};

    (void)note(&bench->handler, ctx, &whole);
    bench->reads_body = cmw_ctx_reads_body(ctx);
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok"));
}

static void add_role(struct bench *bench, int role, size_t bytes, int32_t failure)
{
    static const char *const names[ROLES] = {"double", "digest", "peek", "full"};
    static const int32_t demands[ROLES] = {CMW_BODY_CHUNKS, CMW_BODY_DIGEST, CMW_BODY_PEEK,
                                           CMW_BODY_FULL};
    cmw_middleware mw;
    cmw_diag diag;

    cmw_middleware_init(&mw);
    mw.name = names[role];
    mw.priority = 10 * (role + 1);
    mw.self = role == DOUBLE ? (void *)bench : (void *)&bench->seen[role];
    mw.request_body = role == DOUBLE ? on_double : on_read;
    mw.body_demand = demands[role];
    mw.body_demand_bytes = bytes;
    mw.failure = failure;
    mw.suspend_phases = 1u << CMW_PHASE_REQUEST_BODY;
    mw.dropped = role == DOUBLE ? NULL : on_dropped;
    if (cmw_chain_add(bench->chain, &mw, &diag) != 0)
        fail_msg("%s", diag.message);
}

static void proceed(void *self, cmw_ctx *ctx, int next)
{
    struct bench *bench = self;

    (void)ctx;
    bench->proceeded++;
    bench->next = next;
}

static const cmw_host host = {.size = sizeof host,
                              .name = "bench",
                              .capabilities = CMW_CAP_STREAM_REQUEST_BODY | CMW_CAP_SUSPEND,
                              .proceed = proceed};

static void open_bench(struct bench *bench)
{
    cmw_engine_config config;

    memset(bench, 0, sizeof *bench);
    cmw_engine_config_init(&config);
    config.limits.body_bytes = LIMIT;
    assert_int_equal(cmw_test_create(&bench->test, &config), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(bench->test), &bench->chain, 0), 0);
    cmw_test_set_handler(bench->test, on_handler, bench);
}

static void install(struct bench *bench)
{
    cmw_middleware mw;
    cmw_diag diag;

    cmw_middleware_init(&mw);
    mw.name = "log";
    mw.self = bench;
    mw.complete = on_complete;
    assert_int_equal(cmw_chain_add(bench->chain, &mw, &diag), 0);
    if (cmw_chain_install(bench->chain, &diag) != 0)
        fail_msg("%s", diag.message);
}

static void close_bench(struct bench *bench)
{
    cmw_chain_destroy(bench->chain);
    assert_int_equal(cmw_test_destroy(bench->test), 0);
}

static void forget(struct bench *bench)
{
    for (int i = 0; i < ROLES; i++) {
        struct seen *seen = &bench->seen[i];
        const uint32_t suspends = seen->suspends;
        const int verdict = seen->verdict;
        memset(seen, 0, sizeof *seen);
        seen->suspends = suspends;
        seen->verdict = verdict;
    }
    memset(&bench->handler, 0, sizeof bench->handler);
    bench->given = CMW_STR("");
    bench->doubled = 0;
    bench->completes = 0;
}

/* ---- A host --------------------------------------------------------------------------------- */

/* Whoever waits is resumed, until nobody does. */
static int settle(struct bench *bench, cmw_worker *worker, int next)
{
    while (next == CMW_TO_SUSPENDED) {
        const size_t before = bench->proceeded;
        int resumed = 0;
        for (int i = 0; i < ROLES; i++)
            resumed += cmw_resume(cmw_worker_engine(worker), bench->seen[i].token, CMW_CONTINUE,
                                  NULL) == 0; /* stale for all but one */
        assert_int_equal(resumed, 1);
        (void)cmw_worker_run(worker, 1);
        if (bench->proceeded > before)
            next = bench->next;
    }
    return next;
}

/* Send `body` cut at two places, in memory that is gone after each call. The status. */
static int send_cut(struct bench *bench, cmw_worker *worker, cmw_str body, size_t cut,
                    size_t second_cut, int is_declared, int has_own_end)
{
    const size_t ends[3] = {cut, second_cut, body.len};
    cmw_request_view view;
    cmw_ctx *ctx;
    size_t at = 0;

    cmw_request_view_init(&view);
    view.method = CMW_STR("POST");
    view.target = CMW_STR("/");
    view.content_length = is_declared ? body.len : CMW_LENGTH_UNKNOWN;
    assert_int_equal(cmw_ctx_begin(worker, &ctx, &view), 0);
    int next = settle(bench, worker, (int)cmw_ctx_run(ctx));
    for (int i = 0; i < 3 && next == CMW_TO_HANDLER; i++) {
        char bytes[MOST];
        const cmw_chunk chunk = {cmw_str_make(bytes, ends[i] - at), i == 2 && !has_own_end, 0};
        memcpy(bytes, body.data + at, chunk.bytes.len);
        at = ends[i];
        next = (int)cmw_ctx_feed_body(ctx, &chunk);
        memset(bytes, '?', sizeof bytes);
        next = settle(bench, worker, next);
    }
    if (next == CMW_TO_HANDLER && has_own_end) {
        const cmw_chunk end = {CMW_STR(""), 1, 0};
        next = settle(bench, worker, (int)cmw_ctx_feed_body(ctx, &end));
    }
    if (next == CMW_TO_HANDLER) {
        assert_int_equal(on_handler(bench, ctx), 0);
        next = (int)cmw_ctx_commit(ctx);
    }
    assert_int_equal(next, CMW_TO_RESPOND);
    const int status = cmw_response_status(cmw_ctx_response(ctx));
    cmw_ctx_end(ctx, CMW_END_SENT);
    return status;
}

static const char alphabet[] = "abcdefghijklmnopqrstuvwxyz";

static void expect_seen(const struct seen *seen, const char *bytes, size_t len, uint32_t ends)
{
    assert_int_equal(seen->len, len);
    assert_memory_equal(seen->bytes, bytes, len);
    assert_int_equal(seen->ends, ends);
}

/* ---- Every demand, every cut ----------------------------------------------------------------- */

/* What each should have seen of a body that passed, read at once. */
static void check_against_reference(struct bench *bench, size_t len, size_t peek_bytes)
{
    char doubled[2 * MOST];
    const size_t total = 2 * len;
    const size_t peeked = total < peek_bytes ? total : peek_bytes;

    for (size_t i = 0; i < len; i++)
        doubled[2 * i] = doubled[2 * i + 1] = alphabet[i];
    expect_seen(&bench->seen[DIGEST], doubled, total, 1);
    expect_seen(&bench->seen[PEEK], doubled, peeked, total < peek_bytes);
    assert_int_equal(bench->seen[PEEK].calls, 1);
    expect_seen(&bench->seen[FULL], doubled, total, 1);
    assert_int_equal(bench->seen[FULL].calls, 1);
    expect_seen(&bench->handler, doubled, total, 1);
    assert_int_equal(bench->completes, 1);
}

static void check_all_cuts(uint32_t suspends)
{
    enum { PEEK_BYTES = 4 };
    struct bench bench;
    cmw_worker *worker;

    open_bench(&bench);
    add_role(&bench, DOUBLE, 0, CMW_FAIL_CLOSED);
    add_role(&bench, DIGEST, 0, CMW_FAIL_CLOSED);
    add_role(&bench, PEEK, PEEK_BYTES, CMW_FAIL_CLOSED);
    add_role(&bench, FULL, 8, CMW_FAIL_CLOSED);
    install(&bench);
    for (int i = 0; i < ROLES; i++)
        bench.seen[i].suspends = suspends;
    assert_int_equal(cmw_engine_take_worker(cmw_test_engine(bench.test), &worker, &host, &bench),
                     0);
    for (size_t len = 0; len <= 6; len++)
        for (size_t cut = 0; cut <= len; cut++)
            for (size_t second = cut; second <= len; second++)
                for (int how = 0; how < 4; how++) {
                    forget(&bench);
                    const int status = send_cut(&bench, worker, cmw_str_make(alphabet, len), cut,
                                                second, how & 1, how >> 1);
                    /* What FULL can do with is 8 bytes: 4, doubled. */
                    assert_int_equal(status, len <= 4 ? 200 : 413);
                    if (len <= 4)
                        check_against_reference(&bench, len, PEEK_BYTES);
                    else
                        assert_int_equal(bench.seen[FULL].calls + bench.handler.calls, 0);
                }
    cmw_engine_put_worker(cmw_test_engine(bench.test), worker);
    close_bench(&bench);
}

static void each_demand_sees_its_part_however_the_body_is_cut(void **state)
{
    (void)state;
    check_all_cuts(0);
}

static void each_demand_sees_its_part_though_all_suspend_each_time(void **state)
{
    (void)state;
    check_all_cuts(UINT32_MAX);
}

static void each_demand_sees_its_part_though_some_suspend(void **state)
{
    (void)state;
    for (uint32_t bits = 1; bits < 16; bits++)
        check_all_cuts(bits * 5);
}

/* ---- Limits ---------------------------------------------------------------------------------- */

static void the_limit_counts_what_came(void **state)
{
    struct bench bench;
    cmw_worker *worker;

    (void)state;
    open_bench(&bench);
    add_role(&bench, DIGEST, 0, CMW_FAIL_CLOSED);
    install(&bench);
    assert_int_equal(cmw_engine_take_worker(cmw_test_engine(bench.test), &worker, &host, &bench),
                     0);
    for (size_t len = LIMIT - 1; len <= LIMIT + 1; len++)
        for (size_t cut = 0; cut <= len; cut++)
            for (int is_declared = 0; is_declared < 2; is_declared++) {
                forget(&bench);
                assert_int_equal(
                    send_cut(&bench, worker, cmw_str_make(alphabet, len), cut, len, is_declared, 0),
                    len <= LIMIT ? 200 : 413);
                assert_int_equal(bench.completes, 1);
                assert_int_equal(bench.handler.calls, len <= LIMIT);
            }
    assert_true(bench.reads_body);
    cmw_engine_put_worker(cmw_test_engine(bench.test), worker);
    close_bench(&bench);
}

static void a_plan_without_callbacks_keeps_the_same_limit(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench);
    install(&bench);
    for (size_t len = 0; len <= LIMIT + 1; len++)
        for (size_t step = 1; step <= LIMIT; step++)
            for (int is_declared = 0; is_declared < 2; is_declared++) {
                forget(&bench);
                cmw_test_request(bench.test, "POST", "/");
                cmw_test_body(bench.test, cmw_str_make(alphabet, len));
                if (!is_declared)
                    cmw_test_view(bench.test)->content_length = CMW_LENGTH_UNKNOWN;
                cmw_test_set_chunk_bytes(bench.test, step);
                assert_int_equal(cmw_test_send(bench.test), len <= LIMIT ? 200 : 413);
                if (len <= LIMIT)
                    expect_seen(&bench.handler, alphabet, len, 1);
            }
    assert_false(bench.reads_body);
    close_bench(&bench);
}

/* ---- Verdicts -------------------------------------------------------------------------------- */

static int stop_at_once(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    (void)self;
    (void)chunk;
    return cmw_respond_text(ctx, 422, CMW_STR("no"));
}

static int stop_without_answer(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    (void)self;
    (void)ctx;
    (void)chunk;
    return CMW_STOP;
}

static int skip_route(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    (void)self;
    (void)ctx;
    (void)chunk;
    return CMW_SKIP_ROUTE;
}

static int suspend_without_token(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    (void)self;
    (void)ctx;
    (void)chunk;
    return CMW_SUSPEND;
}

static int change_bytes(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    (void)self;
    (void)ctx;
    chunk->bytes = CMW_STR("other");
    return CMW_CONTINUE;
}

static int more_of_nothing(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    (void)self;
    (void)ctx;
    chunk->bytes = CMW_STR("");
    chunk->has_more = 1;
    return CMW_CONTINUE;
}

static int swallow(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    (void)self;
    (void)ctx;
    chunk->bytes = CMW_STR("");
    return CMW_CONTINUE;
}

static const struct verdict_row {
    const char *name;
    cmw_body_fn *fn;
    int32_t demand;
    int32_t failure;
    int status;
    const char *handled; /* NULL: the handler did not run */
} verdict_rows[] = {
    {"STOP answers", stop_at_once, CMW_BODY_CHUNKS, CMW_FAIL_CLOSED, 422, NULL},
    {"STOP of one that waited for all answers", stop_at_once, CMW_BODY_FULL, CMW_FAIL_CLOSED, 422,
     NULL},
    {"STOP without an answer is a fault", stop_without_answer, CMW_BODY_DIGEST, CMW_FAIL_CLOSED,
     500, NULL},
    {"SKIP_ROUTE is a fault", skip_route, CMW_BODY_CHUNKS, CMW_FAIL_CLOSED, 500, NULL},
    {"SKIP_ROUTE of one that fails open is forgiven", skip_route, CMW_BODY_CHUNKS, CMW_FAIL_OPEN,
     200, "body"},
    {"SUSPEND without a token is a fault", suspend_without_token, CMW_BODY_CHUNKS, CMW_FAIL_CLOSED,
     500, NULL},
    {"who takes chunks may replace them", change_bytes, CMW_BODY_CHUNKS, CMW_FAIL_CLOSED, 200,
     "other"},
    {"who takes all may replace it", change_bytes, CMW_BODY_FULL, CMW_FAIL_CLOSED, 200, "other"},
    {"who digests must not replace anything", change_bytes, CMW_BODY_DIGEST, CMW_FAIL_CLOSED, 500,
     NULL},
    {"who peeks must not replace anything", change_bytes, CMW_BODY_PEEK, CMW_FAIL_CLOSED, 500,
     NULL},
    {"what one that fails open replaced is undone", change_bytes, CMW_BODY_DIGEST, CMW_FAIL_OPEN,
     200, "body"},
    {"more of nothing is a fault, not a loop", more_of_nothing, CMW_BODY_CHUNKS, CMW_FAIL_CLOSED,
     500, NULL},
    {"more of the whole is a fault", more_of_nothing, CMW_BODY_FULL, CMW_FAIL_CLOSED, 500, NULL},
    {"swallowed chunks never reach the handler", swallow, CMW_BODY_CHUNKS, CMW_FAIL_CLOSED, 200,
     ""},
};

static void check_verdict(void **state)
{
    const struct verdict_row *row = *state;
    struct bench bench;
    cmw_middleware mw;
    cmw_diag diag;

    open_bench(&bench);
    cmw_middleware_init(&mw);
    mw.name = "actor";
    mw.request_body = row->fn;
    mw.body_demand = row->demand;
    mw.body_demand_bytes = row->demand == CMW_BODY_PEEK ? 2 : 0;
    mw.failure = row->failure;
    mw.fields = &(cmw_header){CMW_STR_INIT("X-Post"), CMW_STR_INIT("yes")};
    mw.field_count = 1;
    assert_int_equal(cmw_chain_add(bench.chain, &mw, &diag), 0);
    install(&bench);
    cmw_test_request(bench.test, "POST", "/");
    cmw_test_body(bench.test, CMW_STR("body"));
    assert_int_equal(cmw_test_send(bench.test), row->status);
    assert_string_equal(cmw_test_response_field(bench.test, "X-Post"), "yes");
    assert_int_equal(bench.handler.calls, row->handled != NULL);
    if (row->handled)
        expect_seen(&bench.handler, row->handled, strlen(row->handled), 1);
    close_bench(&bench);
}

/* ---- Without a body, and without its end ------------------------------------------------- */

static void a_request_without_body_passes_those_who_guard_by_it(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench);
    add_role(&bench, FULL, 0, CMW_FAIL_CLOSED);
    install(&bench);
    cmw_test_request(bench.test, "POST", "/");
    assert_int_equal(cmw_test_send(bench.test), 200);
    expect_seen(&bench.seen[FULL], "", 0, 1);
    bench.seen[FULL].verdict = CMW_ERROR;
    assert_int_equal(cmw_test_send(bench.test), 500);
    close_bench(&bench);
}

static void a_host_that_forgets_the_end_does_not_get_past_them(void **state)
{
    cmw_request_view view;
    struct bench bench;
    cmw_ctx *ctx;

    (void)state;
    open_bench(&bench);
    add_role(&bench, FULL, 0, CMW_FAIL_CLOSED);
    install(&bench);
    cmw_request_view_init(&view);
    view.method = CMW_STR("POST");
    view.target = CMW_STR("/");
    view.content_length = 4;
    for (int old_call = 0; old_call < 2; old_call++) {
        assert_int_equal(cmw_ctx_begin(cmw_test_worker(bench.test), &ctx, &view), 0);
        assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
        if (old_call)
            assert_int_equal(cmw_ctx_receive_body(ctx, CMW_STR("body")), CMW_ERR_UNSUPPORTED);
        assert_int_equal(cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("in")), 0);
        assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
        assert_int_equal(cmw_response_status(cmw_ctx_response(ctx)), 500);
        cmw_ctx_end(ctx, CMW_END_SENT);
    }
    assert_int_equal(bench.seen[FULL].calls, 0);
    close_bench(&bench);
}

static void a_host_that_answers_by_itself_may_skip_the_body(void **state)
{
    struct bench bench;
    cmw_request_view view;
    cmw_ctx *ctx;

    (void)state;
    open_bench(&bench);
    add_role(&bench, FULL, 0, CMW_FAIL_CLOSED);
    install(&bench);
    cmw_request_view_init(&view);
    view.method = CMW_STR("POST");
    view.target = CMW_STR("/");
    view.content_length = 4;
    assert_int_equal(cmw_ctx_begin(cmw_test_worker(bench.test), &ctx, &view), 0);
    cmw_ctx_skip_body(ctx); /* out of turn */
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    cmw_ctx_skip_body(ctx);
    assert_int_equal(cmw_response_text(cmw_ctx_response(ctx), 403, CMW_STR("no")), 0);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    assert_int_equal(cmw_response_status(cmw_ctx_response(ctx)), 403);
    assert_int_equal(bench.seen[FULL].calls, 0);
    cmw_ctx_end(ctx, CMW_END_SENT);
    close_bench(&bench);
}

/* ---- Leaving while it waits -------------------------------------------------------------- */

/* Feed until it waits. */
static cmw_ctx *begin_waiting(struct bench *bench, cmw_worker *worker)
{
    const cmw_chunk chunk = {CMW_STR("ab"), 1, 0};
    cmw_request_view view;
    cmw_ctx *ctx;

    cmw_request_view_init(&view);
    view.method = CMW_STR("POST");
    view.target = CMW_STR("/");
    view.content_length = 2;
    forget(bench);
    assert_int_equal(cmw_ctx_begin(worker, &ctx, &view), 0);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    assert_int_equal(cmw_ctx_feed_body(ctx, &chunk), CMW_TO_SUSPENDED);
    assert_int_equal(cmw_ctx_feed_body(ctx, &chunk), CMW_TO_SUSPENDED);
    return ctx;
}

static void a_client_that_leaves_while_the_body_waits_is_told_once(void **state)
{
    struct bench bench;
    cmw_worker *worker;

    (void)state;
    open_bench(&bench);
    add_role(&bench, DIGEST, 0, CMW_FAIL_CLOSED);
    add_role(&bench, FULL, 0, CMW_FAIL_CLOSED);
    install(&bench);
    assert_int_equal(cmw_engine_take_worker(cmw_test_engine(bench.test), &worker, &host, &bench),
                     0);
    for (int which = DIGEST; which <= FULL; which += FULL - DIGEST) {
        struct seen *waiting = &bench.seen[which];
        waiting->suspends = 1;
        cmw_ctx *ctx = begin_waiting(&bench, worker);
        assert_int_equal(cmw_resume(cmw_worker_engine(worker), waiting->token, 0, waiting), 0);
        cmw_ctx_end(ctx, CMW_END_CLIENT_GONE);
        assert_int_equal(waiting->dropped, 1);
        assert_int_equal(bench.completes, 1);
        assert_int_equal(bench.reason, CMW_END_CLIENT_GONE);
        assert_int_equal(cmw_worker_run(worker, 1), 0);

        ctx = begin_waiting(&bench, worker);
        assert_int_equal(cmw_ctx_cancel(ctx, CMW_END_DEADLINE), CMW_TO_RESPOND);
        assert_int_equal(cmw_response_status(cmw_ctx_response(ctx)), 503);
        assert_int_equal(cmw_resume(cmw_worker_engine(worker), waiting->token, 0, NULL),
                         CMW_ERR_STALE);
        cmw_ctx_end(ctx, CMW_END_SENT);
        assert_int_equal(bench.reason, CMW_END_DEADLINE);
        waiting->suspends = 0;
    }
    cmw_engine_put_worker(cmw_test_engine(bench.test), worker);
    close_bench(&bench);
}

/* What waits three times over one chunk, each time in `resumed`, and then says something. */
struct patient {
    unsigned waits;
    cmw_token token;
};

static int wait_first(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct patient *patient = self;

    (void)chunk;
    assert_int_equal(cmw_ctx_suspend(ctx, &patient->token), 0);
    return CMW_SUSPEND;
}

static int wait_again(void *self, cmw_ctx *ctx, int verdict, void *data)
{
    struct patient *patient = self;

    (void)data;
    if (++patient->waits < 3) {
        assert_int_equal(cmw_ctx_suspend(ctx, &patient->token), 0);
        return CMW_SUSPEND;
    }
    assert_int_equal(
        cmw_response_set_named(cmw_ctx_response(ctx), CMW_STR("X-Patient"), CMW_STR("3")), 0);
    return verdict;
}

/* As in other phases; and the field is no handler's, which a failure would take away. */
static void who_was_resumed_may_suspend_again(void **state)
{
    struct patient patient = {.waits = 0};
    struct bench bench;
    cmw_request_view view;
    cmw_middleware mw;
    cmw_worker *worker;
    cmw_ctx *ctx;
    const cmw_chunk chunk = {CMW_STR("ab"), 1, 0};

    (void)state;
    open_bench(&bench);
    cmw_middleware_init(&mw);
    mw.name = "patient";
    mw.self = &patient;
    mw.request_body = wait_first;
    mw.resumed = wait_again;
    mw.body_demand = CMW_BODY_FULL;
    mw.suspend_phases = 1u << CMW_PHASE_REQUEST_BODY;
    assert_int_equal(cmw_chain_add(bench.chain, &mw, NULL), 0);
    install(&bench);
    assert_int_equal(cmw_engine_take_worker(cmw_test_engine(bench.test), &worker, &host, &bench),
                     0);
    cmw_request_view_init(&view);
    view.method = CMW_STR("POST");
    view.target = CMW_STR("/");
    view.content_length = 2;
    assert_int_equal(cmw_ctx_begin(worker, &ctx, &view), 0);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    assert_int_equal(cmw_ctx_feed_body(ctx, &chunk), CMW_TO_SUSPENDED);
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(bench.proceeded, 0);
        assert_int_equal(cmw_resume(cmw_worker_engine(worker), patient.token, CMW_CONTINUE, NULL),
                         0);
        (void)cmw_worker_run(worker, 1);
        assert_int_equal(patient.waits, i);
    }
    assert_int_equal(bench.next, CMW_TO_HANDLER);
    cmw_ctx_fail(ctx, 500);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    assert_int_equal(cmw_response_status(cmw_ctx_response(ctx)), 500);
    assert_true(cmw_str_equals(cmw_response_get_named(cmw_ctx_response(ctx), CMW_STR("X-Patient")),
                               CMW_STR("3")));
    cmw_ctx_end(ctx, CMW_END_SENT);
    cmw_engine_put_worker(cmw_test_engine(bench.test), worker);
    close_bench(&bench);
}

/* ---- Memory ------------------------------------------------------------------------------ */

static void a_warm_body_allocates_nothing(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench);
    add_role(&bench, DOUBLE, 0, CMW_FAIL_CLOSED);
    add_role(&bench, PEEK, 3, CMW_FAIL_CLOSED);
    add_role(&bench, FULL, 0, CMW_FAIL_CLOSED);
    install(&bench);
    cmw_test_request(bench.test, "POST", "/");
    cmw_test_body(bench.test, CMW_STR("abcd"));
    cmw_test_set_chunk_bytes(bench.test, 1);
    uint64_t before = 0;
    for (int i = 0; i < 5; i++) {
        forget(&bench);
        if (i == 1)
            before = cmw_test_alloc_calls(bench.test);
        assert_int_equal(cmw_test_send_quick(bench.test), 200);
        expect_seen(&bench.handler, "aabbccdd", 8, 1);
    }
    assert_int_equal(cmw_test_alloc_calls(bench.test), before);
    close_bench(&bench);
}

static void a_body_without_memory_is_a_503(void **state)
{
    struct bench bench;
    int failed = 1;

    (void)state;
    open_bench(&bench);
    add_role(&bench, DOUBLE, 0, CMW_FAIL_CLOSED);
    add_role(&bench, FULL, 0, CMW_FAIL_CLOSED);
    install(&bench);
    for (uint32_t after = 0; failed; after++) {
        forget(&bench);
        cmw_worker_trim(cmw_test_worker(bench.test));
        cmw_test_request(bench.test, "POST", "/");
        cmw_test_body(bench.test, CMW_STR("abcd"));
        cmw_test_fail_after(bench.test, after);
        const int status = cmw_test_send_quick(bench.test);
        failed = cmw_test_has_failed(bench.test);
        cmw_test_fail_after(bench.test, CMW_NONE);
        assert_int_equal(status, failed ? (after == 0 ? 0 : 503) : 200);
    }
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(each_demand_sees_its_part_however_the_body_is_cut),
        cmocka_unit_test(each_demand_sees_its_part_though_all_suspend_each_time),
        cmocka_unit_test(each_demand_sees_its_part_though_some_suspend),
        cmocka_unit_test(who_was_resumed_may_suspend_again),
        cmocka_unit_test(the_limit_counts_what_came),
        cmocka_unit_test(a_plan_without_callbacks_keeps_the_same_limit),
        cmocka_unit_test(a_request_without_body_passes_those_who_guard_by_it),
        cmocka_unit_test(a_host_that_forgets_the_end_does_not_get_past_them),
        cmocka_unit_test(a_host_that_answers_by_itself_may_skip_the_body),
        cmocka_unit_test(a_client_that_leaves_while_the_body_waits_is_told_once),
        cmocka_unit_test(a_warm_body_allocates_nothing),
        cmocka_unit_test(a_body_without_memory_is_a_503),
    };
    struct CMUnitTest tests[LEN(verdict_rows) + LEN(others)];

    for (size_t i = 0; i < LEN(verdict_rows); i++)
        tests[i] = ROW_TEST(&verdict_rows[i], check_verdict);
    memcpy(tests + LEN(verdict_rows), others, sizeof others);
    return cmocka_run_group_tests_name("request bodies", tests, NULL, NULL);
}
