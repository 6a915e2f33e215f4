/* SPDX-License-Identifier: MIT */
/*
 * The response's body: sources, transforms in a chain, what is made whole at commit and what is
 * made while a host reads, faults on both sides of commit.
 */
#include <catzilla/testing.h>

#include <stdio.h>
#include <stdlib.h>

#include "test.h"

enum { TRANSFORMS = 3, MOST = 1 << 20 };

/* A transform that puts each byte out `times` times, `step` bytes at most at once. */
struct repeater {
    struct bench *bench;
    unsigned times;
    size_t step;
    cmw_str input;
    size_t done; /* bytes of output for the input */
    char out[64];
    uint32_t calls, ends;
    uint64_t fail_at; /* call that fails; 0: none */
    int is_announced;
};

struct bench {
    cmw_test *test;
    cmw_worker *worker;
    cmw_chain *chain;
    struct repeater repeaters[TRANSFORMS];
    size_t counted; /* by one that only reads */
    uint32_t counted_ends;
    /* the handler's */
    cmw_str body;
    int streams;
    uint64_t declared;
    size_t source_step, given;
    int source_error; /* once all was given, instead of an end */
    int waits;        /* the source has nothing every second time */
    int is_hosts;     /* and is the host's own */
    uint32_t asked;
    cmw_token token;
    uint32_t closed;
    uint32_t proceeded;
    uint32_t completes;
    cmw_end_reason reason;
    uint64_t sent;
    const cmw_body_file *file;
};

/* ---- Callbacks ------------------------------------------------------------------------------- */

static int on_announce(void *self, cmw_ctx *ctx)
{
    const struct repeater *repeater = self;
    return repeater->is_announced ? cmw_ctx_transform_body(ctx) : 0;
}

static int on_repeat(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct repeater *repeater = self;

    (void)ctx;
    repeater->ends += chunk->is_last != 0 && chunk->bytes.len == 0;
    if (++repeater->calls == repeater->fail_at)
        return CMW_ERROR;
    if (chunk->bytes.len > 0) {
        repeater->input = chunk->bytes;
        repeater->done = 0;
    }
    const size_t total = repeater->input.len * repeater->times;
    size_t len = 0;
    for (; len < repeater->step && repeater->done < total; len++, repeater->done++)
        repeater->out[len] = repeater->input.data[repeater->done / repeater->times];
    chunk->bytes = cmw_str_make(repeater->out, len);
    chunk->has_more = repeater->done < total;
    if (!chunk->has_more)
        repeater->input = CMW_STR("");
    return CMW_CONTINUE;
}

static int on_count(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct bench *bench = self;

    (void)ctx;
    bench->counted += chunk->bytes.len;
    bench->counted_ends += chunk->is_last != 0;
    return CMW_CONTINUE;
}

static void on_complete(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    struct bench *bench = self;

    bench->completes++;
    bench->reason = reason;
    bench->sent = cmw_ctx_body_sent(ctx);
}

static int on_read(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct bench *bench = self;
    size_t len = bench->body.len - bench->given;

    if (bench->waits && bench->asked++ % 2 == 0) {
        if (bench->is_hosts)
            return CMW_ERR_AGAIN;
        assert_int_equal(cmw_ctx_suspend(ctx, &bench->token), 0);
        return CMW_ERR_AGAIN;
    }
    if (len == 0 && bench->source_error)
        return bench->source_error;
    if (len > bench->source_step)
        len = bench->source_step;
    chunk->bytes = cmw_str_make(bench->body.data + bench->given, len);
    bench->given += len;
    chunk->is_last = bench->given == bench->body.len && !bench->source_error;
    return 0;
}

static void on_close(void *self)
{
    struct bench *bench = self;
    bench->closed++;
}

static int on_handler(void *self, cmw_ctx *ctx)
{
    struct bench *bench = self;
    cmw_body_source source;

    if (!bench->streams)
        return cmw_response_bytes_ref(cmw_ctx_response(ctx), 200, bench->body);
    cmw_body_source_init(&source);
    source.length = bench->declared;
    source.read = on_read;
    source.close = on_close;
    source.self = bench;
    source.is_hosts = bench->is_hosts;
    source.file = bench->file;
    return cmw_ctx_stream(ctx, 200, &source);
}

/* ---- The bench ------------------------------------------------------------------------------- */

static void proceed(void *self, cmw_ctx *ctx, int next)
{
    struct bench *bench = self;

    (void)ctx;
    assert_int_equal(next, CMW_TO_RESPOND);
    bench->proceeded++;
}

static const cmw_host host = {.size = sizeof host,
                              .name = "bench",
                              .capabilities = CMW_CAP_STREAM_RESPONSE_BODY,
                              .proceed = proceed};

static void add_repeater(struct bench *bench, int index, int32_t priority, unsigned times,
                         size_t step)
{
    static const char *const names[TRANSFORMS] = {"one", "two", "three"};
    struct repeater *repeater = &bench->repeaters[index];
    cmw_middleware mw;
    cmw_diag diag;

    *repeater = (struct repeater){.bench = bench, .times = times, .step = step, .is_announced = 1};
    repeater->input = CMW_STR("");
    cmw_middleware_init(&mw);
    mw.name = names[index];
    mw.priority = priority;
    mw.self = repeater;
    mw.post_route = on_announce;
    mw.response_body = on_repeat;
    mw.flags = CMW_TRANSFORMS_BODY;
    if (cmw_chain_add(bench->chain, &mw, &diag) != 0)
        fail_msg("%s", diag.message);
}

static void open_bench(struct bench *bench, int can_stream)
{
    memset(bench, 0, sizeof *bench);
    assert_int_equal(cmw_test_create(&bench->test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(bench->test), &bench->chain, 0), 0);
    assert_int_equal(cmw_engine_take_worker(cmw_test_engine(bench->test), &bench->worker,
                                            can_stream ? &host : NULL, bench),
                     0);
    bench->body = CMW_STR("");
    bench->declared = CMW_LENGTH_UNKNOWN;
    bench->source_step = SIZE_MAX;
}

static void install(struct bench *bench, int32_t counter_priority)
{
    cmw_middleware mw;
    cmw_diag diag;

    cmw_middleware_init(&mw);
    mw.name = "count";
    mw.priority = counter_priority;
    mw.self = bench;
    mw.response_body = on_count;
    mw.complete = on_complete;
    assert_int_equal(cmw_chain_add(bench->chain, &mw, &diag), 0);
    if (cmw_chain_install(bench->chain, &diag) != 0)
        fail_msg("%s", diag.message);
}

static void close_bench(struct bench *bench)
{
    cmw_chain_destroy(bench->chain);
    cmw_engine_put_worker(cmw_test_engine(bench->test), bench->worker);
    assert_int_equal(cmw_test_destroy(bench->test), 0);
}

/* What a client got. */
struct answer {
    int status;
    int error; /* of reading */
    int streamed;
    uint64_t length; /* declared */
    size_t len;
    uint32_t pieces;
    char *bytes;
};

static void forget(struct bench *bench)
{
    bench->counted = 0;
    bench->counted_ends = 0;
    bench->given = 0;
    bench->asked = 0;
    bench->closed = 0;
    bench->completes = 0;
    for (int i = 0; i < TRANSFORMS; i++) {
        bench->repeaters[i].calls = 0;
        bench->repeaters[i].ends = 0;
        bench->repeaters[i].input = CMW_STR("");
    }
}

static void read_all(struct bench *bench, cmw_ctx *ctx, struct answer *answer)
{
    cmw_chunk chunk = {{NULL, 0}, 0, 0};

    while (!chunk.is_last) {
        answer->error = cmw_ctx_read_body(ctx, &chunk);
        if (answer->error == CMW_ERR_AGAIN && bench->is_hosts) {
            assert_int_equal(cmw_worker_suspended(bench->worker), 0);
            continue;
        }
        if (answer->error == CMW_ERR_AGAIN) {
            const uint32_t before = bench->proceeded;
            cmw_chunk none;
            assert_int_equal(cmw_ctx_read_body(ctx, &none), CMW_ERR_AGAIN);
            assert_int_equal(
                cmw_resume(cmw_worker_engine(bench->worker), bench->token, CMW_CONTINUE, NULL), 0);
            assert_int_equal(cmw_worker_run(bench->worker, 1), 1);
            assert_int_equal(bench->proceeded, before + 1);
            continue;
        }
        if (answer->error != 0)
            return;
        assert_true(answer->len + chunk.bytes.len <= MOST);
        memcpy(answer->bytes + answer->len, chunk.bytes.data, chunk.bytes.len);
        answer->len += chunk.bytes.len;
        answer->pieces++;
    }
    assert_int_equal(cmw_ctx_read_body(ctx, &chunk), 0);
    assert_true(!answer->streamed || (chunk.bytes.len == 0 && chunk.is_last));
}

static void send(struct bench *bench, const char *method, struct answer *answer)
{
    cmw_request_view view;
    cmw_ctx *ctx;
    char *bytes = answer->bytes;

    memset(answer, 0, sizeof *answer);
    answer->bytes = bytes;
    forget(bench);
    cmw_request_view_init(&view);
    view.method = cmw_str_cstr(method);
    view.target = CMW_STR("/");
    assert_int_equal(cmw_ctx_begin(bench->worker, &ctx, &view), 0);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    if (on_handler(bench, ctx) != 0)
        cmw_ctx_fail(ctx, 500);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    answer->status = cmw_response_status(cmw_ctx_response(ctx));
    answer->length = cmw_response_content_length(cmw_ctx_response(ctx));
    answer->streamed = cmw_ctx_streams_body(ctx);
    if (answer->streamed)
        assert_int_equal(cmw_response_body(cmw_ctx_response(ctx)).len, 0);
    read_all(bench, ctx, answer);
    if (answer->error != 0)
        assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_ABORT);
    cmw_ctx_end(ctx, CMW_END_SENT);
    assert_int_equal(bench->completes, 1);
}

static char text[MOST];
static char got[MOST];

static void fill_text(void)
{
    for (size_t i = 0; i < MOST; i++)
        text[i] = (char)('a' + i % 26);
}

/* What all transforms together should give. */
static void expect_repeated(const struct answer *answer, size_t len, unsigned times)
{
    assert_int_equal(answer->error, 0);
    assert_int_equal(answer->len, len * times);
    for (size_t i = 0; i < answer->len; i++)
        if (answer->bytes[i] != text[i / times])
            fail_msg("byte %zu of %zu differs", i, answer->len);
}

/* ---- Whole and in pieces ----------------------------------------------------------------- */

static void transforms_chain_whatever_the_pieces(void **state)
{
    static const size_t lengths[] = {0, 1, 2, 3, 7, 64, 65, 1000};
    static const size_t steps[] = {1, 2, 5, 64};
    struct answer answer = {.bytes = got};

    (void)state;
    for (int can_stream = 0; can_stream < 2; can_stream++)
        for (int streams = 0; streams < 2; streams++)
            for (size_t s = 0; s < LEN(steps); s++) {
                struct bench bench;
                open_bench(&bench, can_stream);
                bench.streams = streams;
                bench.waits = streams && can_stream;
                bench.source_step = steps[s];
                add_repeater(&bench, 0, 10, 2, steps[s]);
                add_repeater(&bench, 1, 20, 3, steps[LEN(steps) - 1 - s]);
                add_repeater(&bench, 2, 30, 1, 64);
                install(&bench, 40);
                for (size_t i = 0; i < LEN(lengths); i++) {
                    bench.body = cmw_str_make(text, lengths[i]);
                    send(&bench, "GET", &answer);
                    assert_int_equal(answer.status, 200);
                    expect_repeated(&answer, lengths[i], 6);
                    assert_int_equal(answer.streamed, streams && can_stream);
                    assert_int_equal(answer.length, answer.streamed ? UINT64_MAX : answer.len);
                    assert_int_equal(bench.counted, answer.len);
                    assert_int_equal(bench.counted_ends, 1);
                    assert_int_equal(bench.sent, answer.len);
                    assert_int_equal(bench.closed, streams);
                    assert_int_equal(bench.reason, CMW_END_SENT);
                }
                close_bench(&bench);
            }
}

static void only_those_announced_transform(void **state)
{
    struct answer answer = {.bytes = got};
    struct bench bench;

    (void)state;
    open_bench(&bench, 1);
    add_repeater(&bench, 0, 10, 2, 64);
    add_repeater(&bench, 1, 20, 3, 64);
    install(&bench, 15);
    bench.body = cmw_str_make(text, 100);
    bench.repeaters[0].is_announced = 0;
    send(&bench, "GET", &answer);
    expect_repeated(&answer, 100, 3);
    assert_int_equal(bench.repeaters[0].calls, 0);
    assert_int_equal(bench.counted, 100); /* between them */
    bench.repeaters[1].is_announced = 0;
    send(&bench, "GET", &answer);
    expect_repeated(&answer, 100, 1);
    assert_int_equal(answer.length, 100);
    close_bench(&bench);
}

static void a_long_body_is_made_while_it_is_read(void **state)
{
    enum { LONG = (64 << 10) + 1 };
    struct answer answer = {.bytes = got};
    struct bench bench;

    (void)state;
    open_bench(&bench, 1);
    add_repeater(&bench, 0, 10, 2, 64);
    install(&bench, 40);
    bench.body = cmw_str_make(text, LONG);
    send(&bench, "GET", &answer);
    assert_int_equal(answer.streamed, 1);
    assert_int_equal(answer.length, UINT64_MAX);
    expect_repeated(&answer, LONG, 2);
    assert_int_equal(answer.pieces, bench.repeaters[0].calls);
    bench.body = cmw_str_make(text, LONG - 1);
    send(&bench, "GET", &answer);
    assert_int_equal(answer.streamed, 0);
    assert_int_equal(answer.length, 2 * (LONG - 1));
    expect_repeated(&answer, LONG - 1, 2);
    close_bench(&bench);
}

/* Nothing runs ahead of the reader. */
static void the_source_is_asked_only_when_the_host_reads(void **state)
{
    cmw_request_view view;
    struct bench bench;
    cmw_chunk chunk;
    cmw_ctx *ctx;

    (void)state;
    open_bench(&bench, 1);
    add_repeater(&bench, 0, 10, 3, 1);
    install(&bench, 40);
    bench.streams = 1;
    bench.source_step = 1;
    bench.body = cmw_str_make(text, 10);
    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = CMW_STR("/");
    assert_int_equal(cmw_ctx_begin(bench.worker, &ctx, &view), 0);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    assert_int_equal(on_handler(&bench, ctx), 0);
    assert_int_equal(cmw_ctx_read_body(ctx, &chunk), CMW_ERR_STATE);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    assert_int_equal(bench.given, 0);
    for (size_t i = 0; i < 12; i++) {
        assert_int_equal(cmw_ctx_read_body(ctx, &chunk), 0);
        assert_int_equal(chunk.bytes.len, 1);
        assert_int_equal(bench.given, i / 3 + 1);
    }
    assert_int_equal(bench.closed, 0);
    cmw_ctx_end(ctx, CMW_END_CLIENT_GONE);
    assert_int_equal(bench.closed, 1);
    assert_int_equal(bench.reason, CMW_END_CLIENT_GONE);
    assert_int_equal(bench.sent, 12);
    close_bench(&bench);
}

/* ---- No body ----------------------------------------------------------------------------- */

static void head_asks_no_source_and_knows_no_changed_length(void **state)
{
    struct answer answer = {.bytes = got};
    struct bench bench;

    (void)state;
    open_bench(&bench, 1);
    add_repeater(&bench, 0, 10, 2, 64);
    install(&bench, 40);
    bench.body = cmw_str_make(text, 10);
    for (int streams = 0; streams < 2; streams++)
        for (int is_announced = 0; is_announced < 2; is_announced++) {
            bench.streams = streams;
            bench.declared = 10;
            bench.repeaters[0].is_announced = is_announced;
            send(&bench, "HEAD", &answer);
            assert_int_equal(answer.len, 0);
            assert_int_equal(answer.length, is_announced ? UINT64_MAX : 10);
            assert_int_equal(bench.given + bench.counted + bench.counted_ends, 0);
            assert_int_equal(bench.closed, streams);
        }
    close_bench(&bench);
}

/* Also where its length is known: nobody may send so many bytes of nothing. */
static void a_source_whose_body_is_not_sent_gives_no_bytes(void **state)
{
    static const struct {
        const char *method;
        int status;
    } rows[] = {{"HEAD", 200}, {"GET", 204}, {"GET", 304}, {"HEAD", 304}};
    cmw_request_view view;
    struct bench bench;
    cmw_chunk chunk;
    cmw_ctx *ctx = NULL;

    (void)state;
    for (int can_stream = 0; can_stream < 2; can_stream++)
        for (size_t i = 0; i < LEN(rows); i++) {
            open_bench(&bench, can_stream);
            install(&bench, 40);
            cmw_request_view_init(&view);
            view.method = cmw_str_cstr(rows[i].method);
            view.target = CMW_STR("/");
            view.now_ns = 1;
            bench.body = cmw_str_make(text, 10);
            const cmw_body_source source = {.size = sizeof source,
                                            .length = 10,
                                            .read = on_read,
                                            .close = on_close,
                                            .self = &bench};
            assert_int_equal(cmw_ctx_begin(bench.worker, &ctx, &view), 0);
            assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
            assert_int_equal(cmw_ctx_stream(ctx, rows[i].status, &source), 0);
            assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
            assert_int_equal(cmw_response_status(cmw_ctx_response(ctx)), rows[i].status);
            assert_int_equal(cmw_response_body(cmw_ctx_response(ctx)).len, 0);
            assert_int_equal(cmw_ctx_streams_body(ctx), 0);
            assert_int_equal(cmw_ctx_read_body(ctx, &chunk), 0);
            assert_int_equal(chunk.bytes.len, 0);
            assert_true(chunk.is_last);
            cmw_ctx_end(ctx, CMW_END_SENT);
            assert_int_equal(bench.given, 0);
            assert_int_equal(bench.closed, 1);
            assert_int_equal(bench.sent, 0);
            close_bench(&bench);
        }
}

static void a_known_length_is_declared_and_kept(void **state)
{
    struct answer answer = {.bytes = got};
    struct bench bench;

    (void)state;
    open_bench(&bench, 1);
    install(&bench, 40);
    bench.streams = 1;
    bench.source_step = 3;
    bench.body = cmw_str_make(text, 10);
    for (uint64_t declared = 9; declared <= 11; declared++) {
        bench.declared = declared;
        send(&bench, "GET", &answer);
        assert_int_equal(answer.length, declared);
        assert_int_equal(answer.error == 0, declared == 10);
        assert_int_equal(bench.reason, declared == 10 ? CMW_END_SENT : CMW_END_ERROR);
        assert_int_equal(bench.closed, 1);
    }
    close_bench(&bench);
}

/* ---- Faults ------------------------------------------------------------------------------ */

static void a_fault_before_commit_makes_another_response(void **state)
{
    struct answer answer = {.bytes = got};
    struct bench bench;

    (void)state;
    open_bench(&bench, 1);
    add_repeater(&bench, 0, 10, 2, 5);
    install(&bench, 40);
    bench.body = cmw_str_make(text, 10);
    for (uint64_t at = 1; at <= 4; at++) {
        bench.repeaters[0].fail_at = at;
        send(&bench, "GET", &answer);
        assert_int_equal(answer.status, 500);
        assert_int_equal(answer.error, 0);
        assert_int_equal(answer.length, answer.len);
        assert_memory_equal(answer.bytes, "Internal Server Error", answer.len);
        assert_int_equal(bench.repeaters[0].calls, at);
    }
    close_bench(&bench);
}

static void a_fault_after_commit_aborts(void **state)
{
    struct answer answer = {.bytes = got};
    struct bench bench;

    (void)state;
    open_bench(&bench, 1);
    add_repeater(&bench, 0, 10, 2, 5);
    install(&bench, 40);
    bench.streams = 1;
    bench.body = cmw_str_make(text, 10);
    for (uint64_t at = 1; at <= 4; at++) {
        bench.repeaters[0].fail_at = at;
        send(&bench, "GET", &answer);
        assert_int_equal(answer.status, 200);
        assert_int_not_equal(answer.error, 0);
        assert_int_equal(answer.len, 5 * (at - 1));
        assert_int_equal(bench.reason, CMW_END_ERROR);
        assert_int_equal(bench.closed, 1);
    }
    bench.repeaters[0].fail_at = 0;
    bench.source_error = CMW_ERR_IO;
    send(&bench, "GET", &answer);
    assert_int_equal(answer.error, CMW_ERR_IO);
    bench.source_error = CMW_ERR_AGAIN; /* without a token: nobody would wake it */
    send(&bench, "GET", &answer);
    assert_int_equal(answer.error, CMW_ERR_INVALID);
    close_bench(&bench);
}

static void a_source_of_the_hosts_waits_without_a_token(void **state)
{
    struct answer answer = {.bytes = got};
    struct bench bench;

    (void)state;
    open_bench(&bench, 1);
    add_repeater(&bench, 0, 10, 2, 5);
    install(&bench, 40);
    bench.streams = 1;
    bench.is_hosts = 1;
    bench.waits = 1;
    bench.body = cmw_str_make(text, 20);
    send(&bench, "GET", &answer);
    assert_int_equal(answer.status, 200);
    expect_repeated(&answer, 20, 2);
    assert_int_equal(bench.proceeded, 0);
    assert_int_equal(bench.closed, 1);
    close_bench(&bench);
}

static void a_host_sees_whose_body_it_is(void **state)
{
    struct bench bench;
    cmw_request_view view;
    cmw_ctx *ctx;

    (void)state;
    open_bench(&bench, 1);
    add_repeater(&bench, 0, 10, 2, 5);
    install(&bench, 40);
    for (int is_announced = 0; is_announced < 2; is_announced++) {
        bench.repeaters[0].is_announced = is_announced;
        bench.completes = 0;
        cmw_request_view_init(&view);
        view.method = CMW_STR("HEAD");
        view.target = CMW_STR("/");
        assert_int_equal(cmw_ctx_begin(bench.worker, &ctx, &view), 0);
        assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
        assert_int_equal(cmw_ctx_reads_response_body(ctx), 1);
        assert_int_equal(cmw_ctx_streams_from(ctx, &bench), 0);
        bench.streams = 1;
        bench.declared = 9;
        assert_int_equal(on_handler(&bench, ctx), 0);
        assert_int_equal(cmw_ctx_streams_from(ctx, &bench), 1);
        assert_int_equal(cmw_ctx_streams_from(ctx, &ctx), 0);
        assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
        assert_int_equal(cmw_ctx_streams_from(ctx, &bench), 1); /* though HEAD reads nothing */
        assert_true(cmw_response_content_length(cmw_ctx_response(ctx)) ==
                    (is_announced ? UINT64_MAX : 9));
        cmw_ctx_end(ctx, CMW_END_SENT);
        assert_int_equal(cmw_ctx_begin(bench.worker, &ctx, &view), 0);
        assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
        assert_int_equal(on_handler(&bench, ctx), 0);
        assert_int_equal(cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("other")), 0);
        assert_int_equal(cmw_ctx_streams_from(ctx, &bench), 0);
        cmw_ctx_end(ctx, CMW_END_ERROR);
    }
    close_bench(&bench);
}

static void a_host_learns_whether_anyone_looks_at_its_body(void **state)
{
    struct bench bench;
    cmw_request_view view;
    cmw_diag diag;
    cmw_ctx *ctx;

    (void)state;
    open_bench(&bench, 1);
    add_repeater(&bench, 0, 10, 2, 5);
    assert_int_equal(cmw_chain_install(bench.chain, &diag), 0);
    for (int is_announced = 0; is_announced < 2; is_announced++) {
        bench.repeaters[0].is_announced = is_announced;
        cmw_request_view_init(&view);
        view.method = CMW_STR("GET");
        view.target = CMW_STR("/");
        assert_int_equal(cmw_ctx_begin(bench.worker, &ctx, &view), 0);
        assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
        bench.streams = 1;
        bench.declared = 9;
        assert_int_equal(on_handler(&bench, ctx), 0);
        assert_int_equal(cmw_ctx_looks_at_body(ctx), 0);
        assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
        assert_int_equal(cmw_ctx_streams_body(ctx), 1);
        assert_int_equal(cmw_ctx_looks_at_body(ctx), is_announced);
        cmw_ctx_end(ctx, CMW_END_SENT);
    }
    close_bench(&bench);
}

/* What a host may send from a file: only what nobody looks at, and of which nothing was read. */
static void a_host_learns_where_in_a_file_the_body_lies(void **state)
{
    const cmw_body_file file = {7, 100};
    struct bench bench;
    cmw_request_view view;
    cmw_diag diag;
    cmw_chunk chunk;
    cmw_ctx *ctx;

    (void)state;
    open_bench(&bench, 1);
    add_repeater(&bench, 0, 10, 2, 5);
    assert_int_equal(cmw_chain_install(bench.chain, &diag), 0);
    bench.streams = 1;
    bench.declared = 10;
    bench.source_step = 5;
    bench.body = cmw_str_make(text, 10);
    for (int i = 0; i < 4; i++) { /* told; looked at; in no file; of HEAD */
        bench.repeaters[0].is_announced = i == 1;
        bench.file = i == 2 ? NULL : &file;
        bench.given = 0;
        cmw_request_view_init(&view);
        view.method = i == 3 ? CMW_STR("HEAD") : CMW_STR("GET");
        view.target = CMW_STR("/");
        assert_int_equal(cmw_ctx_begin(bench.worker, &ctx, &view), 0);
        assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
        assert_int_equal(on_handler(&bench, ctx), 0);
        assert_null(cmw_ctx_body_file(ctx));
        assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
        assert_ptr_equal(cmw_ctx_body_file(ctx), i == 0 ? &file : NULL);
        assert_int_equal(cmw_ctx_read_body(ctx, &chunk), 0);
        assert_null(cmw_ctx_body_file(ctx));
        cmw_ctx_end(ctx, CMW_END_ERROR);
    }
    assert_int_equal(bench.closed, 4);
    close_bench(&bench);
}

static void a_file_needs_a_descriptor_and_a_length(void **state)
{
    const struct {
        cmw_body_file file;
        uint64_t length;
    } bad[] = {{{-1, 0}, 10}, {{7, 0}, CMW_LENGTH_UNKNOWN}};
    struct bench bench;
    cmw_request_view view;
    cmw_diag diag;
    cmw_ctx *ctx;

    (void)state;
    open_bench(&bench, 1);
    assert_int_equal(cmw_chain_install(bench.chain, &diag), 0);
    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = CMW_STR("/");
    assert_int_equal(cmw_ctx_begin(bench.worker, &ctx, &view), 0);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    bench.streams = 1;
    for (size_t i = 0; i < LEN(bad); i++) {
        bench.file = &bad[i].file;
        bench.declared = bad[i].length;
        assert_int_equal(on_handler(&bench, ctx), CMW_ERR_ARG);
    }
    cmw_ctx_end(ctx, CMW_END_ERROR);
    assert_int_equal(bench.closed, 0);
    close_bench(&bench);
}

static int announce_wrongly(void *self, cmw_ctx *ctx)
{
    int *rc = self;
    *rc = cmw_ctx_transform_body(ctx);
    return CMW_CONTINUE;
}

static int change_without_leave(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    (void)self;
    (void)ctx;
    chunk->bytes = CMW_STR("other");
    return CMW_CONTINUE;
}

static void who_did_not_say_so_changes_nothing(void **state)
{
    struct bench bench;
    cmw_middleware mw;
    cmw_diag diag;
    int rc = 0;

    (void)state;
    open_bench(&bench, 0);
    cmw_middleware_init(&mw);
    mw.name = "sly";
    mw.self = &rc;
    mw.post_route = announce_wrongly;
    mw.response_body = change_without_leave;
    assert_int_equal(cmw_chain_add(bench.chain, &mw, &diag), 0);
    install(&bench, 40);
    cmw_test_request(bench.test, "GET", "/");
    assert_int_equal(cmw_test_send(bench.test), 500);
    assert_int_equal(rc, CMW_ERR_STATE);
    close_bench(&bench);
}

static int pass_on(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_response_pass_body(cmw_ctx_response(ctx), 200, CMW_STR("text/plain"), 5);
}

static int announce_in_vain(void *self, cmw_ctx *ctx)
{
    int *rc = self;
    *rc = cmw_ctx_transform_body(ctx);
    return CMW_CONTINUE;
}

static void what_goes_past_the_engine_is_not_transformed(void **state)
{
    struct bench bench;
    cmw_middleware mw;
    cmw_diag diag;
    int rc = 0;

    (void)state;
    open_bench(&bench, 0);
    cmw_middleware_init(&mw);
    mw.name = "vain";
    mw.self = &rc;
    mw.flags = CMW_TRANSFORMS_BODY;
    mw.post_route = announce_in_vain;
    mw.response_body = change_without_leave;
    assert_int_equal(cmw_chain_add(bench.chain, &mw, &diag), 0);
    install(&bench, 40);
    cmw_test_set_handler(bench.test, pass_on, NULL);
    cmw_test_request(bench.test, "GET", "/");
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_int_equal(rc, CMW_ERR_UNSUPPORTED);
    close_bench(&bench);
}

/* ---- Replaced, and without memory -------------------------------------------------------- */

static int on_other_body(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_response_text(cmw_ctx_response(ctx), 203, CMW_STR("instead"));
}

static void another_body_takes_the_place_of_a_source(void **state)
{
    struct answer answer = {.bytes = got};
    struct bench bench;
    cmw_middleware mw;
    cmw_diag diag;

    (void)state;
    open_bench(&bench, 1);
    cmw_middleware_init(&mw);
    mw.name = "instead";
    mw.post_route = on_other_body;
    assert_int_equal(cmw_chain_add(bench.chain, &mw, &diag), 0);
    install(&bench, 40);
    bench.streams = 1;
    bench.body = cmw_str_make(text, 10);
    send(&bench, "GET", &answer);
    assert_int_equal(answer.status, 203);
    assert_int_equal(answer.length, 7);
    assert_memory_equal(answer.bytes, "instead", 7);
    assert_int_equal(bench.given, 0);
    assert_int_equal(bench.closed, 1);
    close_bench(&bench);
}

static void what_does_not_fit_in_memory_is_a_503(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, 0);
    add_repeater(&bench, 0, 10, 3, 64);
    install(&bench, 40);
    cmw_test_set_handler(bench.test, on_handler, &bench);
    cmw_test_request(bench.test, "GET", "/");
    bench.body = cmw_str_make(text, (1 << 20) / 3);
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_int_equal(cmw_test_response_body(bench.test).len, (1 << 20) / 3 * 3);
    bench.body = cmw_str_make(text, (1 << 20) / 3 + 1);
    assert_int_equal(cmw_test_send(bench.test), 503);
    close_bench(&bench);
}

static void a_warm_body_allocates_nothing(void **state)
{
    struct answer answer = {.bytes = got};
    struct bench bench;

    (void)state;
    open_bench(&bench, 1);
    add_repeater(&bench, 0, 10, 2, 64);
    add_repeater(&bench, 1, 20, 2, 64);
    install(&bench, 40);
    for (int streams = 0; streams < 2; streams++) {
        uint64_t before = 0;
        bench.streams = streams;
        bench.source_step = 100;
        bench.body = cmw_str_make(text, 10000);
        for (int i = 0; i < 4; i++) {
            if (i == 1)
                before = cmw_test_alloc_calls(bench.test);
            send(&bench, "GET", &answer);
            expect_repeated(&answer, 10000, 4);
        }
        assert_int_equal(cmw_test_alloc_calls(bench.test), before);
    }
    close_bench(&bench);
}

static void failing_allocations_are_a_503_or_an_answer(void **state)
{
    struct bench bench;
    int failed = 1;

    (void)state;
    open_bench(&bench, 0);
    add_repeater(&bench, 0, 10, 2, 64);
    install(&bench, 40);
    cmw_test_set_handler(bench.test, on_handler, &bench);
    bench.body = cmw_str_make(text, 10000);
    for (uint32_t after = 0; failed; after++) {
        forget(&bench);
        cmw_worker_trim(cmw_test_worker(bench.test));
        cmw_test_request(bench.test, "GET", "/");
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transforms_chain_whatever_the_pieces),
        cmocka_unit_test(only_those_announced_transform),
        cmocka_unit_test(a_long_body_is_made_while_it_is_read),
        cmocka_unit_test(the_source_is_asked_only_when_the_host_reads),
        cmocka_unit_test(head_asks_no_source_and_knows_no_changed_length),
        cmocka_unit_test(a_source_whose_body_is_not_sent_gives_no_bytes),
        cmocka_unit_test(a_known_length_is_declared_and_kept),
        cmocka_unit_test(a_fault_before_commit_makes_another_response),
        cmocka_unit_test(a_fault_after_commit_aborts),
        cmocka_unit_test(a_source_of_the_hosts_waits_without_a_token),
        cmocka_unit_test(a_host_sees_whose_body_it_is),
        cmocka_unit_test(a_host_learns_whether_anyone_looks_at_its_body),
        cmocka_unit_test(a_host_learns_where_in_a_file_the_body_lies),
        cmocka_unit_test(a_file_needs_a_descriptor_and_a_length),
        cmocka_unit_test(who_did_not_say_so_changes_nothing),
        cmocka_unit_test(what_goes_past_the_engine_is_not_transformed),
        cmocka_unit_test(another_body_takes_the_place_of_a_source),
        cmocka_unit_test(what_does_not_fit_in_memory_is_a_503),
        cmocka_unit_test(a_warm_body_allocates_nothing),
        cmocka_unit_test(failing_allocations_are_a_503_or_an_answer),
    };

    fill_text();
    return cmocka_run_group_tests_name("response bodies", tests, NULL, NULL);
}
