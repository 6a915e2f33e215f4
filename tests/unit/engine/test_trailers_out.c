/* SPDX-License-Identifier: MIT */
/* Trailers of responses: which names may be promised, when they are sent, what drops them. */
#include <stdio.h>

#include <catzilla/mw.h>
#include <catzilla/testing.h>

#include "test.h"

enum { MANY = 200 };

struct bench {
    cmw_test *test;
    cmw_worker *worker;
    int gives_up;    /* a callback behind the promise fails */
    int fails_late;  /* response_body fails with the last piece */
    int promised;    /* what cmw_ctx_promise_trailer said in post_route */
    int added;       /* what cmw_ctx_add_trailer said in response_body */
    int early, late; /* in post_route, and in complete */
    cmw_header trailer;
};

static int on_post_route(void *self, cmw_ctx *ctx)
{
    struct bench *bench = self;

    bench->promised = cmw_ctx_promise_trailer(ctx, bench->trailer.name, 0);
    bench->early = cmw_ctx_add_trailer(ctx, bench->trailer.name, bench->trailer.value);
    return bench->gives_up ? CMW_ERROR : CMW_CONTINUE;
}

static int on_body(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct bench *bench = self;

    if (!chunk->is_last)
        return CMW_CONTINUE;
    bench->added = cmw_ctx_add_trailer(ctx, bench->trailer.name, bench->trailer.value);
    return bench->fails_late ? CMW_ERROR : CMW_CONTINUE;
}

static void on_complete(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    struct bench *bench = self;

    (void)reason;
    bench->late = cmw_ctx_add_trailer(ctx, bench->trailer.name, bench->trailer.value);
}

static const cmw_host host = {.size = sizeof host,
                              .name = "bench",
                              .capabilities =
                                  CMW_CAP_STREAM_RESPONSE_BODY | CMW_CAP_RESPONSE_TRAILERS};
static const cmw_host whole = {
    .size = sizeof whole, .name = "whole", .capabilities = CMW_CAP_RESPONSE_TRAILERS};
static const cmw_host poor = {
    .size = sizeof poor, .name = "poor", .capabilities = CMW_CAP_STREAM_RESPONSE_BODY};

static void describe(struct bench *bench, cmw_middleware *mw)
{
    cmw_middleware_init(mw);
    mw->name = "sum";
    mw->self = bench;
    mw->post_route = on_post_route;
    mw->response_body = on_body;
    mw->complete = on_complete;
}

static void open_bench(struct bench *bench, const cmw_middleware *mw, cmw_mode mode,
                       const cmw_host *with)
{
    cmw_middleware usual;
    cmw_chain *chain;
    cmw_diag diag = {0};

    assert_int_equal(cmw_test_create(&bench->test, NULL), 0);
    cmw_engine *engine = cmw_test_engine(bench->test);
    assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
    describe(bench, &usual);
    assert_int_equal(cmw_chain_add(chain, mw ? mw : &usual, &diag), 0);
    if (mode == CMW_MODE_SHADOWED)
        assert_int_equal(cmw_chain_shadow(chain, "sum"), 0);
    assert_int_equal(cmw_chain_install(chain, &diag), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_engine_take_worker(engine, &bench->worker, with, NULL), 0);
}

static void close_bench(struct bench *bench)
{
    cmw_engine_put_worker(cmw_test_engine(bench->test), bench->worker);
    assert_int_equal(cmw_test_destroy(bench->test), 0);
}

static void start(struct bench *bench)
{
    memset(bench, 0, sizeof *bench);
    bench->trailer = (cmw_header){CMW_STR("X-Sum"), CMW_STR("abc")};
}

static cmw_ctx *begin_as(struct bench *bench, const char *method, uint16_t version, const char *te)
{
    static cmw_header field;
    cmw_request_view view;
    cmw_ctx *ctx;

    cmw_request_view_init(&view);
    view.method = cmw_str_cstr(method);
    view.target = CMW_STR("/");
    view.http_version = version;
    if (te) {
        field = (cmw_header){CMW_STR("TE"), cmw_str_cstr(te)};
        view.headers = &field;
        view.header_count = 1;
    }
    assert_int_equal(cmw_ctx_begin(bench->worker, &ctx, &view), 0);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    return ctx;
}

static cmw_ctx *begin(struct bench *bench)
{
    return begin_as(bench, "GET", 0x0101, "trailers");
}

static void commit(cmw_ctx *ctx)
{
    assert_int_equal(cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("body")), 0);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
}

static cmw_str named(const cmw_ctx *ctx)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;

    while (
        cmw_response_next_header(cmw_ctx_response((cmw_ctx *)(uintptr_t)ctx), &cursor, &field, 0))
        if (cmw_str_equals(field.name, CMW_STR("Trailer")))
            return field.value;
    return cmw_str_make(NULL, 0);
}

/* Read the body: how many trailers follow; the head says so if there may be any. */
static size_t drain(cmw_ctx *ctx)
{
    cmw_chunk chunk;
    size_t count;

    do
        assert_int_equal(cmw_ctx_read_body(ctx, &chunk), 0);
    while (!chunk.is_last);
    const cmw_header *first = cmw_ctx_response_trailers(ctx, &count);
    assert_int_equal(first != NULL, count > 0);
    assert_int_equal(named(ctx).data != NULL, cmw_ctx_sends_trailers(ctx));
    assert_int_equal(cmw_response_content_length(cmw_ctx_response(ctx)) == UINT64_MAX,
                     cmw_ctx_sends_trailers(ctx));
    return count;
}

/* ---- Names and values ------------------------------------------------------------------- */

struct row {
    const char *name;
    cmw_header field;
    int promised, added;
};

#define FIELD(name, value)                                                                         \
    {                                                                                              \
        CMW_STR_INIT(name), CMW_STR_INIT(value)                                                    \
    }
#define REFUSED CMW_ERR_ARG, CMW_ERR_ARG
#define BAD CMW_ERR_INVALID, CMW_ERR_INVALID

static const struct row rows[] = {
    {"a field of one's own", FIELD("X-Sum", "abc"), 0, 0},
    {"an empty value", FIELD("X-Sum", ""), 0, 0},
    {"a digest of the content", FIELD("Content-Digest", "sha-256=:AA==:"), 0, 0},
    {"a digest of the representation", FIELD("Repr-Digest", "sha-256=:AA==:"), 0, 0},
    {"a tag of what was sent", FIELD("etag", "\"a\""), 0, 0},
    {"what it took", FIELD("Server-Timing", "total;dur=1.5"), 0, 0},
    {"a length is refused", FIELD("Content-Length", "1"), REFUSED},
    {"a coding of the transfer is refused", FIELD("transfer-encoding", "chunked"), REFUSED},
    {"trailers are not announced behind", FIELD("Trailer", "X-A"), REFUSED},
    {"the connection is the head's", FIELD("CONNECTION", "close"), REFUSED},
    {"an upgrade is the head's", FIELD("Upgrade", "h2c"), REFUSED},
    {"a host is refused", FIELD("Host", "a"), REFUSED},
    {"a type is refused", FIELD("Content-Type", "text/html"), REFUSED},
    {"a coding is refused", FIELD("Content-Encoding", "gzip"), REFUSED},
    {"a range is refused", FIELD("Content-Range", "bytes 0-1/2"), REFUSED},
    {"an unknown description of the content is refused", FIELD("content-foo", "1"), REFUSED},
    {"a cookie is refused", FIELD("Set-Cookie", "a=1"), REFUSED},
    {"a cookie of the other kind is refused", FIELD("set-cookie2", "a=1"), REFUSED},
    {"a challenge is refused", FIELD("WWW-Authenticate", "Basic"), REFUSED},
    {"credentials are refused", FIELD("Authorization", "Basic eA=="), REFUSED},
    {"a proxy's challenge is refused", FIELD("Proxy-Authenticate", "Basic"), REFUSED},
    {"a proxy's connection is refused", FIELD("Proxy-Connection", "close"), REFUSED},
    {"control of caches is refused", FIELD("Cache-Control", "no-store"), REFUSED},
    {"age is refused", FIELD("Age", "1"), REFUSED},
    {"expiry is refused", FIELD("Expires", "0"), REFUSED},
    {"variance is refused", FIELD("Vary", "*"), REFUSED},
    {"a date is refused", FIELD("Date", "x"), REFUSED},
    {"another place is refused", FIELD("Location", "/"), REFUSED},
    {"a reload is refused", FIELD("Refresh", "0"), REFUSED},
    {"a condition is refused", FIELD("If-Match", "*"), REFUSED},
    {"rights of other origins are refused", FIELD("Access-Control-Allow-Origin", "*"), REFUSED},
    {"also unknown ones", FIELD("access-control-allow-x", "*"), REFUSED},
    {"what a page may do is refused", FIELD("Content-Security-Policy", "x"), REFUSED},
    {"strict transport is refused", FIELD("Strict-Transport-Security", "max-age=0"), REFUSED},
    {"an empty name is none", FIELD("", "a"), BAD},
    {"a blank in a name", FIELD("X Sum", "a"), BAD},
    {"a comma in a name", FIELD("X,Y", "a"), BAD},
    {"a line break in a name", FIELD("X\r\nY", "a"), BAD},
    {"a line break in a value", FIELD("X-Sum", "a\r\nHost: evil"), 0, CMW_ERR_INVALID},
    {"a lone line feed in a value", FIELD("X-Sum", "a\nb"), 0, CMW_ERR_INVALID},
    {"a NUL in a value", FIELD("X-Sum", "a\0b"), 0, CMW_ERR_INVALID},
    {"a blank before a value", FIELD("X-Sum", " a"), 0, CMW_ERR_INVALID},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    const size_t sent = row->promised == 0 && row->added == 0;
    struct bench bench;
    size_t count;

    start(&bench);
    bench.trailer = row->field;
    open_bench(&bench, NULL, CMW_MODE_ENABLED, &host);
    cmw_ctx *ctx = begin(&bench);
    commit(ctx);
    assert_int_equal(bench.promised, row->promised);
    assert_int_equal(drain(ctx), sent);
    assert_int_equal(bench.added, row->added);
    if (row->promised == 0)
        assert_true(cmw_str_equals(named(ctx), row->field.name));
    const cmw_header *first = cmw_ctx_response_trailers(ctx, &count);
    if (sent) {
        assert_true(cmw_str_equals(first->name, row->field.name));
        assert_true(cmw_str_equals(first->value, row->field.value));
        assert_ptr_not_equal(first->name.data, row->field.name.data);
        assert_int_equal(bench.early, CMW_ERR_STATE);
    }
    cmw_ctx_end(ctx, CMW_END_SENT);
    if (sent)
        assert_int_equal(bench.late, CMW_ERR_STATE);
    close_bench(&bench);
}

/* ---- Where they go ---------------------------------------------------------------------- */

static void they_go_to_those_who_can_take_them(void **state)
{
    static const struct {
        const char *method;
        uint16_t version;
        const char *te;
        const cmw_host *host;
        size_t count;
    } cases[] = {
        {"GET", 0x0101, "trailers", &host, 1},
        {"GET", 0x0101, "trailers", &whole, 1},
        {"GET", 0x0200, "trailers", &host, 1},
        {"GET", 0x0300, "TRAILERS", &host, 1},
        {"GET", 0x0101, "gzip, trailers", &host, 1},
        {"GET", 0x0101, ",, trailers\t,", &host, 1},
        {"GET", 0x0100, "trailers", &host, 0},
        {"GET", 0, "trailers", &host, 0},
        {"GET", 0x0101, NULL, &host, 0},
        {"GET", 0x0101, "", &host, 0},
        {"GET", 0x0101, "trailer", &host, 0},
        {"GET", 0x0101, "trailers-x", &host, 0},
        {"GET", 0x0101, "trailers", &poor, 0},
        {"GET", 0x0101, "trailers", NULL, 0},
    };

    (void)state;
    for (size_t i = 0; i < LEN(cases); i++) {
        struct bench bench;
        start(&bench);
        open_bench(&bench, NULL, CMW_MODE_ENABLED, cases[i].host);
        cmw_ctx *ctx = begin_as(&bench, cases[i].method, cases[i].version, cases[i].te);
        commit(ctx);
        assert_int_equal(drain(ctx), cases[i].count);
        assert_int_equal(bench.added, 0);
        cmw_ctx_end(ctx, CMW_END_SENT);
        close_bench(&bench);
    }
}

static void a_response_without_a_body_has_none(void **state)
{
    struct bench bench;
    size_t count = 7;

    (void)state;
    start(&bench);
    open_bench(&bench, NULL, CMW_MODE_ENABLED, &host);
    cmw_ctx *ctx = begin_as(&bench, "HEAD", 0x0101, "trailers");
    commit(ctx);
    assert_false(cmw_ctx_sends_trailers(ctx));
    assert_null(named(ctx).data);
    assert_int_equal(cmw_response_content_length(cmw_ctx_response(ctx)), 4);
    assert_null(cmw_ctx_response_trailers(ctx, &count));
    assert_int_equal(count, 0);
    cmw_ctx_end(ctx, CMW_END_SENT);
    ctx = begin(&bench);
    assert_int_equal(cmw_response_empty(cmw_ctx_response(ctx), 204), 0);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    assert_false(cmw_ctx_sends_trailers(ctx));
    assert_null(named(ctx).data);
    cmw_ctx_end(ctx, CMW_END_SENT);
    close_bench(&bench);
}

/* A committed response whose body the middleware that promised does not see. */
static cmw_ctx *commit_without_sight(struct bench *bench, cmw_mode mode)
{
    cmw_middleware mw;

    start(bench);
    describe(bench, &mw);
    mw.response_body = NULL;
    open_bench(bench, &mw, mode, &host);
    cmw_ctx *ctx = begin(bench);
    commit(ctx);
    assert_int_equal(bench->promised, 0);
    return ctx;
}

/* Nobody sees the body, so that nobody could add any. */
static void a_body_that_nobody_makes_or_sees_has_none(void **state)
{
    struct bench bench;

    (void)state;
    cmw_ctx *ctx = commit_without_sight(&bench, CMW_MODE_ENABLED);
    assert_int_equal(drain(ctx), 0);
    assert_false(cmw_ctx_sends_trailers(ctx));
    cmw_ctx_end(ctx, CMW_END_SENT);
    close_bench(&bench);
}

/* ---- What drops them -------------------------------------------------------------------- */

static void a_fault_drops_them(void **state)
{
    struct bench bench;

    (void)state;
    for (int late = 0; late < 2; late++) {
        start(&bench);
        bench.gives_up = !late;
        bench.fails_late = late;
        open_bench(&bench, NULL, CMW_MODE_ENABLED, &whole);
        cmw_ctx *ctx = begin(&bench);
        assert_int_equal(cmw_ctx_promise_trailer(ctx, CMW_STR("X-Other"), 0), 0);
        commit(ctx);
        assert_int_equal(cmw_response_status(cmw_ctx_response(ctx)), 500);
        assert_int_equal(bench.added, 0);
        assert_int_equal(drain(ctx), 0);
        assert_false(cmw_ctx_sends_trailers(ctx));
        cmw_ctx_end(ctx, CMW_END_SENT);
        close_bench(&bench);
    }
}

static void one_that_fails_open_has_promised_nothing(void **state)
{
    struct bench bench;
    cmw_middleware mw;

    (void)state;
    start(&bench);
    bench.gives_up = 1;
    describe(&bench, &mw);
    mw.failure = CMW_FAIL_OPEN;
    open_bench(&bench, &mw, CMW_MODE_ENABLED, &host);
    cmw_ctx *ctx = begin(&bench);
    assert_int_equal(cmw_ctx_promise_trailer(ctx, CMW_STR("X-Other"), 0), 0);
    commit(ctx);
    assert_int_equal(drain(ctx), 0);
    assert_int_equal(bench.added, CMW_ERR_NOT_FOUND);
    assert_true(cmw_str_equals(named(ctx), CMW_STR("X-Other")));
    cmw_ctx_end(ctx, CMW_END_SENT);
    close_bench(&bench);
}

static void a_shadowed_one_promises_nothing(void **state)
{
    struct bench bench;

    (void)state;
    cmw_ctx *ctx = commit_without_sight(&bench, CMW_MODE_SHADOWED);
    assert_int_equal(bench.early, CMW_ERR_NOT_FOUND);
    assert_int_equal(drain(ctx), 0);
    cmw_ctx_end(ctx, CMW_END_SENT);
    close_bench(&bench);
}

static void the_next_request_has_none_of_them(void **state)
{
    struct bench bench;

    (void)state;
    start(&bench);
    open_bench(&bench, NULL, CMW_MODE_ENABLED, &host);
    cmw_ctx *ctx = begin(&bench);
    assert_int_equal(cmw_ctx_promise_trailer(ctx, CMW_STR("X-Other"), 0), 0);
    commit(ctx);
    assert_int_equal(drain(ctx), 1);
    assert_true(cmw_str_equals(named(ctx), CMW_STR("X-Other, X-Sum")));
    cmw_ctx_end(ctx, CMW_END_SENT);
    ctx = begin(&bench);
    commit(ctx);
    assert_int_equal(drain(ctx), 1);
    assert_true(cmw_str_equals(named(ctx), CMW_STR("X-Sum")));
    cmw_ctx_end(ctx, CMW_END_CLIENT_GONE);
    ctx = begin_as(&bench, "GET", 0x0101, NULL);
    commit(ctx);
    assert_int_equal(drain(ctx), 0);
    cmw_ctx_end(ctx, CMW_END_SENT);
    close_bench(&bench);
}

/* ---- Limits ----------------------------------------------------------------------------- */

struct flood {
    size_t count, len; /* so many, and so long */
    int rc;
};

static int read_flood(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    static char text[64 << 10];
    struct flood *flood = self;

    memset(text, 'a', sizeof text);
    for (size_t i = 0; i < flood->count && flood->rc == 0; i++)
        flood->rc = cmw_ctx_add_trailer(ctx, CMW_STR("x-sum"), cmw_str_make(text, flood->len));
    chunk->is_last = 1;
    return 0;
}

static void too_many_or_too_long_are_refused(void **state)
{
    static const struct {
        size_t count, len, sent;
    } cases[] = {{100, 1, 100},    {101, 1, 100},    {2, 20000, 1},
                 {1, 64 << 10, 0}, {1, 32 << 10, 0}, {1, (32 << 10) - 5, 1}};
    struct bench bench;

    (void)state;
    start(&bench);
    open_bench(&bench, NULL, CMW_MODE_ENABLED, &host);
    for (size_t i = 0; i < LEN(cases); i++) {
        struct flood flood = {cases[i].count, cases[i].len, 0};
        cmw_body_source source;
        cmw_body_source_init(&source);
        source.read = read_flood;
        source.self = &flood;
        cmw_ctx *ctx = begin(&bench);
        assert_int_equal(cmw_ctx_stream(ctx, 200, &source), 0);
        assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
        const size_t count = drain(ctx);
        const int is_over = cases[i].count > cases[i].sent;
        assert_int_equal(flood.rc, is_over ? CMW_ERR_LIMIT : 0);
        assert_int_equal(count, cases[i].sent + (bench.added == 0));
        cmw_ctx_end(ctx, CMW_END_SENT);
    }
    close_bench(&bench);
}

static void too_many_promises_are_refused(void **state)
{
    struct bench bench;
    char name[16];
    int rc = 0, kept = 0;

    (void)state;
    start(&bench);
    open_bench(&bench, NULL, CMW_MODE_ENABLED, &host);
    cmw_ctx *ctx = begin(&bench);
    for (int i = 0; i < MANY && rc == 0; i++) {
        const int len = snprintf(name, sizeof name, "X-%d", i);
        rc = cmw_ctx_promise_trailer(ctx, cmw_str_make(name, (size_t)len), 0);
        kept += rc == 0;
    }
    assert_int_equal(rc, CMW_ERR_LIMIT);
    assert_int_equal(kept, 100);
    assert_int_equal(cmw_ctx_promise_trailer(ctx, CMW_STR("x-7"), 0), 0);
    assert_int_equal(cmw_ctx_promise_trailer(ctx, CMW_STR("x-7"), 2), CMW_ERR_ARG);
    commit(ctx);
    assert_int_equal(bench.promised, CMW_ERR_LIMIT);
    assert_int_equal(cmw_ctx_promise_trailer(ctx, CMW_STR("x-7"), 0), CMW_ERR_STATE);
    assert_int_equal(drain(ctx), 0);
    cmw_ctx_end(ctx, CMW_END_SENT);
    close_bench(&bench);
}

/* Whatever is short, the request ends with an answer, and its trailers are all there or none is. */
static void without_memory_nothing_is_half(void **state)
{
    static char name[40100];
    struct bench bench;
    int whole_answers = 0, short_answers = 0, rc = 0;

    (void)state;
    memset(name, 'x', sizeof name);
    start(&bench);
    open_bench(&bench, NULL, CMW_MODE_ENABLED, &host);
    for (size_t many = 1; rc == 0; many++) {
        cmw_ctx *ctx = begin(&bench);
        for (size_t i = 0; i < many && rc == 0; i++)
            rc = cmw_ctx_promise_trailer(ctx, cmw_str_make(name, 40000 + i), 0);
        commit(ctx);
        const int status = cmw_response_status(cmw_ctx_response(ctx));
        const size_t count = drain(ctx);
        assert_int_equal(count, status == 200);
        assert_true(status == 200 || status == 503);
        whole_answers += status == 200;
        short_answers += status == 503;
        cmw_ctx_end(ctx, CMW_END_SENT);
    }
    assert_int_equal(rc, CMW_ERR_NOMEM);
    assert_true(whole_answers > 1 && short_answers > 1);
    close_bench(&bench);
}

static void a_host_without_a_place_for_them_is_refused(void **state)
{
    struct bench bench;
    cmw_middleware mw;
    cmw_diag diag = {0};

    (void)state;
    start(&bench);
    describe(&bench, &mw);
    mw.flags = CMW_SENDS_TRAILERS;
    open_bench(&bench, &mw, CMW_MODE_ENABLED, &host);
    assert_int_equal(cmw_engine_attach_host(cmw_test_engine(bench.test), &host, &diag), 0);
    assert_int_equal(cmw_engine_attach_host(cmw_test_engine(bench.test), &poor, &diag),
                     CMW_ERR_UNSUPPORTED);
    assert_string_equal(diag.message, "'sum' sends trailers, and poor has no place for them");
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(they_go_to_those_who_can_take_them),
        cmocka_unit_test(a_response_without_a_body_has_none),
        cmocka_unit_test(a_body_that_nobody_makes_or_sees_has_none),
        cmocka_unit_test(a_fault_drops_them),
        cmocka_unit_test(one_that_fails_open_has_promised_nothing),
        cmocka_unit_test(a_shadowed_one_promises_nothing),
        cmocka_unit_test(the_next_request_has_none_of_them),
        cmocka_unit_test(too_many_or_too_long_are_refused),
        cmocka_unit_test(too_many_promises_are_refused),
        cmocka_unit_test(without_memory_nothing_is_half),
        cmocka_unit_test(a_host_without_a_place_for_them_is_refused),
    };
    struct CMUnitTest tests[LEN(rows) + LEN(others)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    memcpy(tests + LEN(rows), others, sizeof others);
    return cmocka_run_group_tests_name("trailers_out", tests, NULL, NULL);
}
