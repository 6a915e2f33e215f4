/* SPDX-License-Identifier: MIT */
/* Trailers: when they are there, what is left out, what is refused, and who may ask for them. */
#include <catzilla/mw.h>
#include <catzilla/testing.h>

#include "test.h"

enum { MANY = 200 };

struct bench {
    cmw_test *test;
    cmw_worker *worker;
    size_t seen_early, seen_last; /* by request_body */
};

static int on_body(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct bench *bench = self;
    (void)cmw_ctx_trailers(ctx, chunk->is_last ? &bench->seen_last : &bench->seen_early);
    return CMW_CONTINUE;
}

static void describe(cmw_middleware *mw)
{
    cmw_middleware_init(mw);
    mw->name = "sum";
    mw->request_body = on_body;
    mw->body_demand = CMW_BODY_DIGEST;
    mw->flags = CMW_READS_TRAILERS;
}

static const cmw_host host = {.size = sizeof host,
                              .name = "bench",
                              .capabilities =
                                  CMW_CAP_STREAM_REQUEST_BODY | CMW_CAP_REQUEST_TRAILERS};
static const cmw_host poor = {
    .size = sizeof poor, .name = "poor", .capabilities = CMW_CAP_STREAM_REQUEST_BODY};

static void open_bench(struct bench *bench)
{
    cmw_middleware mw;
    cmw_chain *chain;
    cmw_diag diag = {0};

    memset(bench, 0, sizeof *bench);
    assert_int_equal(cmw_test_create(&bench->test, NULL), 0);
    cmw_engine *engine = cmw_test_engine(bench->test);
    assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
    describe(&mw);
    mw.self = bench;
    assert_int_equal(cmw_chain_add(chain, &mw, &diag), 0);
    assert_int_equal(cmw_chain_install(chain, &diag), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_engine_take_worker(engine, &bench->worker, &host, NULL), 0);
}

static void close_bench(struct bench *bench)
{
    cmw_engine_put_worker(cmw_test_engine(bench->test), bench->worker);
    assert_int_equal(cmw_test_destroy(bench->test), 0);
}

static cmw_ctx *begin(struct bench *bench)
{
    const cmw_chunk first = {CMW_STR("body"), 0, 0};
    cmw_request_view view;
    cmw_ctx *ctx;

    cmw_request_view_init(&view);
    view.method = CMW_STR("POST");
    view.target = CMW_STR("/");
    view.content_length = CMW_LENGTH_UNKNOWN;
    assert_int_equal(cmw_ctx_begin(bench->worker, &ctx, &view), 0);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    assert_int_equal(cmw_ctx_feed_body(ctx, &first), CMW_TO_HANDLER);
    return ctx;
}

/* Feed the end and answer: the status. */
static int finish(cmw_ctx *ctx)
{
    const cmw_chunk last = {CMW_STR(""), 1, 0};
    cmw_next next = cmw_ctx_feed_body(ctx, &last);

    if (next == CMW_TO_HANDLER) {
        assert_int_equal(cmw_response_empty(cmw_ctx_response(ctx), 204), 0);
        next = cmw_ctx_commit(ctx);
    }
    assert_int_equal(next, CMW_TO_RESPOND);
    const int status = cmw_response_status(cmw_ctx_response(ctx));
    cmw_ctx_end(ctx, CMW_END_SENT);
    return status;
}

/* ---- Rows --------------------------------------------------------------------------------- */

struct row {
    const char *name;
    cmw_header field;
    int rc;
    int status;
    size_t kept;
};

#define FIELD(name, value)                                                                         \
    {                                                                                              \
        CMW_STR_INIT(name), CMW_STR_INIT(value)                                                    \
    }

static const struct row rows[] = {
    {"a field is kept", FIELD("X-Sum", "abc"), 0, 204, 1},
    {"an empty value is one", FIELD("X-Sum", ""), 0, 204, 1},
    {"bytes above ASCII are kept", FIELD("X-Sum", "\xc3\xa9"), 0, 204, 1},
    {"a length is left out", FIELD("content-length", "1"), 0, 204, 0},
    {"a coding of the transfer is left out", FIELD("Transfer-Encoding", "chunked"), 0, 204, 0},
    {"a host is left out", FIELD("HOST", "evil"), 0, 204, 0},
    {"credentials are left out", FIELD("Authorization", "Bearer x"), 0, 204, 0},
    {"cookies are left out", FIELD("Cookie", "a=1"), 0, 204, 0},
    {"conditions are left out", FIELD("If-None-Match", "*"), 0, 204, 0},
    {"the client's address is left out", FIELD("X-Forwarded-For", "1.2.3.4"), 0, 204, 0},
    {"unknown ids are compared by name", FIELD("MAX-forwards", "1"), 0, 204, 0},
    {"another method is left out", FIELD("X-HTTP-Method-Override", "PUT"), 0, 204, 0},
    {"a digest is what trailers are for", FIELD("Content-Digest", "sha-256=:AA==:"), 0, 204, 1},
    {"a line break is none", FIELD("X-Sum", "a\r\nHost: evil"), CMW_ERR_INVALID, 400, 0},
    {"a NUL is none", FIELD("X-Sum", "a\0b"), CMW_ERR_INVALID, 400, 0},
    {"a name without bytes is none", FIELD("", "a"), CMW_ERR_INVALID, 400, 0},
    {"a blank in a name is none", FIELD("X Sum", "a"), CMW_ERR_INVALID, 400, 0},
    {"what is left out must be a field, too", FIELD("Host", "\n"), CMW_ERR_INVALID, 400, 0},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct bench bench;
    size_t count;

    open_bench(&bench);
    cmw_ctx *ctx = begin(&bench);
    assert_int_equal(cmw_ctx_receive_trailers(ctx, &row->field, 1), row->rc);
    const cmw_header *first = cmw_ctx_trailers(ctx, &count);
    assert_int_equal(count, row->kept);
    assert_int_equal(first != NULL, row->kept > 0);
    if (first) {
        assert_true(cmw_str_equals(first->value, row->field.value));
        assert_ptr_not_equal(first->name.data, row->field.name.data);
        assert_ptr_equal(cmw_ctx_trailer(ctx, row->field.name), first);
    }
    assert_null(cmw_request_header_named(cmw_ctx_request(ctx), row->field.name));
    assert_int_equal(finish(ctx), row->status);
    assert_int_equal(bench.seen_last, row->kept);
    assert_int_equal(bench.seen_early, 0);
    close_bench(&bench);
}

/* ---- Others ------------------------------------------------------------------------------- */

static void too_many_or_too_long_is_431(void **state)
{
    static char text[64 << 10];
    cmw_header fields[MANY];
    struct bench bench;

    (void)state;
    open_bench(&bench);
    for (size_t i = 0; i < MANY; i++)
        fields[i] = (cmw_header)FIELD("X-A", "1");
    cmw_ctx *ctx = begin(&bench);
    assert_int_equal(cmw_ctx_receive_trailers(ctx, fields, MANY), CMW_ERR_LIMIT);
    assert_int_equal(finish(ctx), 431);
    memset(text, 'a', sizeof text);
    fields[1].value = cmw_str_make(text, sizeof text);
    ctx = begin(&bench);
    assert_int_equal(cmw_ctx_receive_trailers(ctx, fields, 2), CMW_ERR_LIMIT);
    assert_int_equal(finish(ctx), 431);
    close_bench(&bench);
}

static void they_come_once_and_in_turn(void **state)
{
    const cmw_header field = FIELD("X-A", "1");
    struct bench bench;
    size_t count = 7;

    (void)state;
    open_bench(&bench);
    cmw_ctx *ctx = begin(&bench);
    assert_int_equal(cmw_ctx_receive_trailers(ctx, &field, 1), 0);
    assert_int_equal(cmw_ctx_receive_trailers(ctx, &field, 1), CMW_ERR_STATE);
    assert_int_equal(finish(ctx), 204);
    ctx = begin(&bench);
    assert_null(cmw_ctx_trailers(ctx, &count));
    assert_int_equal(count, 0);
    cmw_ctx_fail(ctx, 500);
    assert_int_equal(cmw_ctx_receive_trailers(ctx, &field, 1), CMW_ERR_STATE);
    assert_int_equal(finish(ctx), 500);
    close_bench(&bench);
}

static void without_memory_it_is_a_503(void **state)
{
    const cmw_header field = FIELD("X-A", "1");
    struct bench bench;
    int failed = 1, refused = 0;

    (void)state;
    open_bench(&bench);
    for (uint32_t after = 0; failed; after++) {
        cmw_worker_trim(bench.worker);
        cmw_ctx *ctx = begin(&bench);
        static char text[30000];
        memset(text, 'a', sizeof text);
        const cmw_header both[] = {field, {CMW_STR("X-B"), cmw_str_make(text, sizeof text)}};
        cmw_test_fail_after(bench.test, after);
        const int rc = cmw_ctx_receive_trailers(ctx, both, 2);
        failed = cmw_test_has_failed(bench.test);
        cmw_test_fail_after(bench.test, CMW_NONE);
        assert_int_equal(rc, failed ? CMW_ERR_NOMEM : 0);
        refused += failed;
        assert_int_equal(finish(ctx), failed ? 503 : 204);
    }
    assert_true(refused > 0);
    close_bench(&bench);
}

static void a_host_that_drops_them_is_refused(void **state)
{
    struct bench bench;
    cmw_diag diag = {0};

    (void)state;
    open_bench(&bench);
    assert_int_equal(cmw_engine_attach_host(cmw_test_engine(bench.test), &host, &diag), 0);
    assert_int_equal(cmw_engine_attach_host(cmw_test_engine(bench.test), &poor, &diag),
                     CMW_ERR_UNSUPPORTED);
    assert_string_equal(diag.message, "'sum' reads trailers, and poor does not hand them over");
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(too_many_or_too_long_is_431),
        cmocka_unit_test(they_come_once_and_in_turn),
        cmocka_unit_test(without_memory_it_is_a_503),
        cmocka_unit_test(a_host_that_drops_them_is_refused),
    };
    struct CMUnitTest tests[LEN(rows) + LEN(others)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    memcpy(tests + LEN(rows), others, sizeof others);
    return cmocka_run_group_tests_name("trailers", tests, NULL, NULL);
}
