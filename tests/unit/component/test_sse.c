/* SPDX-License-Identifier: MIT */
/* sse: how events are written, waiting and waking, slow clients, heartbeats, ends. */
#include <catzilla/component/sse.h>
#include <catzilla/mw.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "test.h"

struct bench {
    cmw_engine *engine;
    cmw_worker *worker;
    cmw_chain *chain;
    cmw_ctx *ctx;
    cmw_sse *stream;
    uint64_t now_ns;
    unsigned proceeded;
    atomic_int woken;
    char got[1 << 16];
    size_t len;
};

static uint64_t read_clock(void *self)
{
    const struct bench *bench = self;
    return bench->now_ns;
}

static void on_wake(void *self)
{
    struct bench *bench = self;
    atomic_store(&bench->woken, 1);
}

static void proceed(void *self, cmw_ctx *ctx, int next)
{
    struct bench *bench = self;

    (void)ctx;
    assert_int_equal(next, CMW_TO_RESPOND);
    bench->proceeded++;
}

static const cmw_host host = {.size = sizeof host,
                              .name = "bench",
                              .capabilities = CMW_CAP_STREAM_RESPONSE_BODY | CMW_CAP_SUSPEND,
                              .wake = on_wake,
                              .proceed = proceed};

/* A request that is answered by a stream. */
static void open_bench(struct bench *bench, cmw_sse_config *config)
{
    cmw_request_view view;

    memset(bench, 0, sizeof *bench);
    bench->now_ns = 1;
    config->clock_ns = read_clock;
    config->clock_self = bench;
    assert_int_equal(cmw_engine_create(&bench->engine, NULL), 0);
    assert_int_equal(cmw_chain_create(bench->engine, &bench->chain, 0), 0);
    assert_int_equal(cmw_chain_install(bench->chain, NULL), 0);
    assert_int_equal(cmw_engine_take_worker(bench->engine, &bench->worker, &host, bench), 0);
    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = CMW_STR("/");
    assert_int_equal(cmw_ctx_begin(bench->worker, &bench->ctx, &view), 0);
    assert_int_equal(cmw_ctx_run(bench->ctx), CMW_TO_HANDLER);
    assert_int_equal(cmw_sse_open(bench->ctx, &bench->stream, config), 0);
    assert_int_equal(cmw_ctx_commit(bench->ctx), CMW_TO_RESPOND);
    assert_int_equal(cmw_ctx_streams_body(bench->ctx), 1);
}

static void close_bench(struct bench *bench)
{
    if (bench->ctx)
        cmw_ctx_end(bench->ctx, CMW_END_CLIENT_GONE);
    assert_int_equal(cmw_sse_has_ended(bench->stream), 1);
    cmw_sse_release(bench->stream);
    cmw_engine_put_worker(bench->engine, bench->worker);
    cmw_chain_destroy(bench->chain);
    assert_int_equal(cmw_engine_destroy(bench->engine), 0);
}

/* Read what there is: what reading said at last; 0 at the end. */
static int read_all(struct bench *bench)
{
    cmw_chunk chunk = {{NULL, 0}, 0, 0};

    bench->len = 0;
    while (!chunk.is_last) {
        const int rc = cmw_ctx_read_body(bench->ctx, &chunk);
        if (rc != 0)
            return rc;
        assert_true(bench->len + chunk.bytes.len < sizeof bench->got);
        memcpy(bench->got + bench->len, chunk.bytes.data, chunk.bytes.len);
        bench->len += chunk.bytes.len;
    }
    return 0;
}

static void expect_got(struct bench *bench, int rc, const char *text)
{
    assert_int_equal(read_all(bench), rc);
    bench->got[bench->len] = '\0';
    assert_string_equal(bench->got, text);
}

static int send(struct bench *bench, const char *data, const char *event, const char *id)
{
    const cmw_sse_event one = {data ? cmw_str_cstr(data) : cmw_str_make(NULL, 0),
                               cmw_str_cstr(event), cmw_str_cstr(id)};
    return cmw_sse_send(bench->stream, &one);
}

/* ---- Events
 * -------------------------------------------------------------------------------------- */

static const struct row {
    const char *name, *data, *event, *id, *text; /* text NULL: refused */
} rows[] = {
    {"a line", "hello", "", "", "data: hello\n\n"},
    {"a type and an id", "x", "tick", "7", "event: tick\nid: 7\ndata: x\n\n"},
    {"several lines, however they end", "a\nb\r\nc\rd", "", "",
     "data: a\ndata: b\ndata: c\ndata: d\n\n"},
    {"a line end at the end is an empty line", "a\n", "", "", "data: a\ndata: \n\n"},
    {"an empty text", "", "", "", "data: \n\n"},
    {"nothing but an id", NULL, "", "7", "id: 7\n\n"},
    {"what looks like a field is text", "id: 1\n\nevent: evil", "", "",
     "data: id: 1\ndata: \ndata: event: evil\n\n"},
    {"a line end in a type is refused", "x", "a\nb", "", NULL},
    {"a carriage return in an id is refused", "x", "", "a\rb", NULL},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct bench bench;
    cmw_sse_config config;

    cmw_sse_config_init(&config);
    open_bench(&bench, &config);
    assert_int_equal(send(&bench, row->data, row->event, row->id), row->text ? 0 : CMW_ERR_INVALID);
    expect_got(&bench, CMW_ERR_AGAIN, row->text ? row->text : "");
    close_bench(&bench);
}

/* ---- A stream's life
 * -------------------------------------------------------------------------------- */

static void an_event_wakes_who_waits(void **state)
{
    struct bench bench;
    cmw_sse_config config;

    (void)state;
    cmw_sse_config_init(&config);
    config.retry_ms = 3000;
    open_bench(&bench, &config);
    assert_true(cmw_str_equals(cmw_response_get(cmw_ctx_response(bench.ctx), CMW_HDR_CONTENT_TYPE),
                               CMW_STR("text/event-stream")));
    expect_got(&bench, CMW_ERR_AGAIN, "retry: 3000\n\n");
    for (unsigned i = 1; i < 5; i++) {
        assert_int_equal(send(&bench, "one", "", ""), 0);
        assert_int_equal(send(&bench, "two", "", ""), 0);
        assert_int_equal(cmw_worker_run(bench.worker, 1), 1);
        assert_int_equal(bench.proceeded, i);
        expect_got(&bench, CMW_ERR_AGAIN, "data: one\n\ndata: two\n\n");
    }
    assert_int_equal(send(&bench, "last", "", ""), 0);
    cmw_sse_close(bench.stream);
    assert_int_equal(cmw_worker_run(bench.worker, 1), 1);
    assert_int_equal(send(&bench, "late", "", ""), CMW_ERR_STALE);
    expect_got(&bench, 0, "data: last\n\n");
    cmw_ctx_end(bench.ctx, CMW_END_SENT);
    bench.ctx = NULL;
    close_bench(&bench);
}

static void who_left_gets_nothing(void **state)
{
    struct bench bench;
    cmw_sse_config config;

    (void)state;
    cmw_sse_config_init(&config);
    open_bench(&bench, &config);
    expect_got(&bench, CMW_ERR_AGAIN, "");
    cmw_ctx_end(bench.ctx, CMW_END_CLIENT_GONE);
    bench.ctx = NULL;
    assert_int_equal(cmw_sse_has_ended(bench.stream), 1);
    assert_int_equal(send(&bench, "late", "", ""), CMW_ERR_STALE);
    cmw_sse_close(bench.stream);
    (void)cmw_worker_run(bench.worker, 1);
    close_bench(&bench);
}

static void a_server_that_stops_ends_it(void **state)
{
    struct bench bench;
    cmw_sse_config config;

    (void)state;
    cmw_sse_config_init(&config);
    open_bench(&bench, &config);
    expect_got(&bench, CMW_ERR_AGAIN, "");
    assert_int_equal(cmw_ctx_cancel(bench.ctx, CMW_END_SHUTDOWN), CMW_TO_ABORT);
    expect_got(&bench, CMW_ERR_CANCELLED, "");
    close_bench(&bench);
}

/* ---- Slow clients
 * ------------------------------------------------------------------------------------ */

static void a_slow_client_is_cut_off_or_misses_events(void **state)
{
    char text[200];

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    for (int slow = 0; slow < 2; slow++) {
        struct bench bench;
        cmw_sse_config config;
        cmw_sse_config_init(&config);
        config.buffer_bytes = 256;
        config.slow = slow;
        open_bench(&bench, &config);
        assert_int_equal(send(&bench, text, "", ""), 0);
        assert_int_equal(send(&bench, text, "", ""), CMW_ERR_LIMIT);
        if (slow == CMW_SSE_SLOW_DROP) {
            assert_int_equal(send(&bench, "short", "", ""), 0);
            assert_int_equal(read_all(&bench), CMW_ERR_AGAIN);
            assert_int_equal(bench.len, 199 + 8 + 13);
            assert_int_equal(send(&bench, text, "", ""), 0); /* there is room again */
        } else {
            assert_int_equal(send(&bench, "short", "", ""), CMW_ERR_STALE);
            assert_int_equal(read_all(&bench), CMW_ERR_LIMIT);
        }
        close_bench(&bench);
    }
}

/* ---- Heartbeats
 * --------------------------------------------------------------------------------------- */

static void silence_is_broken_by_a_comment(void **state)
{
    struct bench bench;
    cmw_sse_config config;

    (void)state;
    cmw_sse_config_init(&config);
    config.heartbeat_ms = 1000;
    open_bench(&bench, &config);
    expect_got(&bench, CMW_ERR_AGAIN, "");
    bench.now_ns += 999999999;
    assert_int_equal(cmw_engine_poll(bench.engine), 0);
    bench.now_ns += 1;
    assert_int_equal(cmw_engine_poll(bench.engine), 1);
    assert_int_equal(cmw_engine_poll(bench.engine), 0);
    assert_int_equal(cmw_worker_run(bench.worker, 1), 1);
    expect_got(&bench, CMW_ERR_AGAIN, ":\n\n");
    bench.now_ns += 600000000;
    assert_int_equal(send(&bench, "x", "", ""), 0);
    assert_int_equal(cmw_worker_run(bench.worker, 1), 1);
    expect_got(&bench, CMW_ERR_AGAIN, "data: x\n\n");
    bench.now_ns += 600000000; /* since the event it was not silent long enough */
    assert_int_equal(cmw_engine_poll(bench.engine), 0);
    close_bench(&bench);
}

/* ---- Threads
 * ------------------------------------------------------------------------------------------- */

enum { SENDERS = 3, EVENTS = 2000 };

static void *send_many(void *self)
{
    struct bench *bench = self;

    for (int i = 0; i < EVENTS;)
        i += send(bench, "event", "", "") == 0;
    return NULL;
}

static void events_of_many_threads_all_come(void **state)
{
    static struct bench bench;
    pthread_t threads[SENDERS];
    cmw_sse_config config;
    size_t total = 0;

    (void)state;
    cmw_sse_config_init(&config);
    config.buffer_bytes = 1024;
    config.slow = CMW_SSE_SLOW_DROP;
    open_bench(&bench, &config);
    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, send_many, &bench), 0);
    while (total < (size_t)SENDERS * EVENTS * 13) {
        assert_int_equal(read_all(&bench), CMW_ERR_AGAIN);
        total += bench.len;
        while (total < (size_t)SENDERS * EVENTS * 13 && cmw_worker_run(bench.worker, 1) == 0)
            sched_yield();
    }
    for (int i = 0; i < SENDERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(total, SENDERS * EVENTS * 13);
    close_bench(&bench);
}

/* What a client says with these fields: a name and a value each. */
static int read_last_id(cmw_str *id, const cmw_header *fields, uint32_t count)
{
    struct bench bench;
    cmw_sse_config config;
    cmw_request_view view;
    cmw_ctx *ctx;

    cmw_sse_config_init(&config);
    open_bench(&bench, &config);
    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = CMW_STR("/events");
    view.headers = fields;
    view.header_count = count;
    assert_int_equal(cmw_ctx_begin(bench.worker, &ctx, &view), 0);
    const int rc = cmw_sse_last_event_id(ctx, id);
    cmw_ctx_end(ctx, CMW_END_CLIENT_GONE);
    close_bench(&bench);
    return rc;
}

static void who_comes_back_says_what_it_saw_last(void **state)
{
    const cmw_header fields[] = {{CMW_STR("X-Other"), CMW_STR("1")},
                                 {CMW_STR("last-event-ID"), CMW_STR("t:41 \xc3\xa4")},
                                 {CMW_STR("Last-Event-ID"), CMW_STR("42")},
                                 {CMW_STR("Last-Event-ID"), CMW_STR("4\r\ndata: x")}};
    cmw_str id = CMW_STR("before");

    (void)state;
    assert_int_equal(read_last_id(&id, fields, 2), 0);
    assert_true(cmw_str_equals(id, fields[1].value));
    assert_int_equal(read_last_id(&id, fields, 3), CMW_ERR_INVALID);
    assert_int_equal(read_last_id(&id, fields + 3, 1), CMW_ERR_INVALID);
    assert_true(cmw_str_equals(id, fields[1].value)); /* unchanged */
    assert_int_equal(read_last_id(&id, fields, 1), 0);
    assert_int_equal(id.len, 0);
}

static void bad_configs_are_refused(void **state)
{
    struct bench bench;
    cmw_sse_config config;
    cmw_sse *other = NULL;

    (void)state;
    cmw_sse_config_init(&config);
    open_bench(&bench, &config);
    config.buffer_bytes = 255;
    assert_int_equal(cmw_sse_open(bench.ctx, &other, &config), CMW_ERR_ARG);
    cmw_sse_config_init(&config);
    config.heartbeat_ms = -1;
    assert_int_equal(cmw_sse_open(bench.ctx, &other, &config), CMW_ERR_ARG);
    cmw_sse_config_init(&config);
    assert_int_equal(cmw_sse_open(bench.ctx, &other, &config), CMW_ERR_STATE); /* committed */
    assert_null(other);
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(an_event_wakes_who_waits),
        cmocka_unit_test(who_left_gets_nothing),
        cmocka_unit_test(a_server_that_stops_ends_it),
        cmocka_unit_test(a_slow_client_is_cut_off_or_misses_events),
        cmocka_unit_test(silence_is_broken_by_a_comment),
        cmocka_unit_test(events_of_many_threads_all_come),
        cmocka_unit_test(who_comes_back_says_what_it_saw_last),
        cmocka_unit_test(bad_configs_are_refused),
    };
    struct CMUnitTest tests[LEN(rows) + LEN(others)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    memcpy(tests + LEN(rows), others, sizeof others);
    return cmocka_run_group_tests_name("sse", tests, NULL, NULL);
}
