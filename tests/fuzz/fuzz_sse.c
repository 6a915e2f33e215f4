/* SPDX-License-Identifier: MIT */
/*
 * Server-sent events: the first line is an id, the second a type, the rest data. A client that
 * reads as WHATWG HTML, 9.2.6 says finds just that one event in the stream, whatever the bytes, and
 * may come back with its id; the input as a request shows what else may stand in Last-Event-ID.
 */
#include "fuzz.h"

#include <catzilla/component/sse.h>

enum { TEXT_CAP = 1 << 16 };

struct text {
    char bytes[TEXT_CAP];
    size_t len;
};

static void append(struct text *text, cmw_str bytes)
{
    FUZZ_CHECK(bytes.len <= TEXT_CAP - text->len);
    if (bytes.len > 0)
        memcpy(text->bytes + text->len, bytes.data, bytes.len);
    text->len += bytes.len;
}

static cmw_str as_str(const struct text *text)
{
    return cmw_str_make(text->bytes, text->len);
}

/* ---- A client --------------------------------------------------------------------------- */

struct client {
    struct text data, type, id; /* of the event that is being read */
    struct text got_data, got_type;
    struct text last_id;
    size_t events;
};

static void dispatch(struct client *client)
{
    client->last_id = client->id;
    if (client->data.len > 0) {
        client->got_data = client->data;
        client->got_data.len--; /* the last line end */
        client->got_type = client->type;
        client->events++;
    }
    client->data.len = client->type.len = 0;
}

static void take_field(struct client *client, cmw_str line)
{
    cmw_str value = line;
    const cmw_str name = fuzz_take(&value, ':');

    if (value.len > 0 && value.data[0] == ' ')
        value = cmw_str_make(value.data + 1, value.len - 1);
    if (cmw_str_equals(name, CMW_STR("data"))) {
        append(&client->data, value);
        append(&client->data, CMW_STR("\n"));
    } else if (cmw_str_equals(name, CMW_STR("event"))) {
        client->type.len = 0;
        append(&client->type, value);
    } else if (cmw_str_equals(name, CMW_STR("id")) &&
               (value.len == 0 || !memchr(value.data, '\0', value.len))) {
        client->id.len = 0;
        append(&client->id, value);
    }
}

/* Lines end with LF, CR or both. */
static void read_stream(struct client *client, cmw_str stream)
{
    memset(client, 0, sizeof *client);
    for (size_t at = 0, begin = 0; at < stream.len; at++) {
        const char c = stream.data[at];
        if (c != '\n' && c != '\r')
            continue;
        if (at == begin)
            dispatch(client);
        else
            take_field(client, cmw_str_make(stream.data + begin, at - begin));
        if (c == '\r' && at + 1 < stream.len && stream.data[at + 1] == '\n')
            at++;
        begin = at + 1;
    }
}

/* ---- The server's side ------------------------------------------------------------------ */

struct bench {
    cmw_engine *engine;
    cmw_worker *worker;
    cmw_chain *chain;
};

static void on_wake(void *self)
{
    (void)self;
}

static void proceed(void *self, cmw_ctx *ctx, int next)
{
    (void)self;
    (void)ctx;
    (void)next;
}

static void open_bench(struct bench *bench)
{
    static const cmw_host host = {.size = sizeof host,
                                  .name = "fuzz",
                                  .capabilities = CMW_CAP_STREAM_RESPONSE_BODY | CMW_CAP_SUSPEND,
                                  .wake = on_wake,
                                  .proceed = proceed};

    FUZZ_CHECK(cmw_engine_create(&bench->engine, NULL) == 0);
    FUZZ_CHECK(cmw_chain_create(bench->engine, &bench->chain, 0) == 0);
    FUZZ_CHECK(cmw_chain_install(bench->chain, NULL) == 0);
    FUZZ_CHECK(cmw_engine_take_worker(bench->engine, &bench->worker, &host, bench) == 0);
}

static cmw_ctx *begin(struct bench *bench, const cmw_request_view *view)
{
    cmw_ctx *ctx = NULL;

    FUZZ_CHECK(cmw_ctx_begin(bench->worker, &ctx, view) == 0);
    return ctx;
}

static void read_body(cmw_ctx *ctx, struct text *stream)
{
    cmw_chunk chunk = {{NULL, 0}, 0, 0};

    stream->len = 0;
    while (!chunk.is_last) {
        FUZZ_CHECK(cmw_ctx_read_body(ctx, &chunk) == 0);
        append(stream, chunk.bytes);
    }
}

/* Send the event and read the whole stream: 0, or what sending gave. */
static int stream_event(struct bench *bench, const cmw_sse_event *event, struct text *stream)
{
    cmw_sse_config config;
    cmw_request_view view;
    cmw_sse *sse = NULL;

    cmw_sse_config_init(&config);
    config.buffer_bytes = TEXT_CAP;
    config.heartbeat_ms = 0;
    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = CMW_STR("/");
    cmw_ctx *const ctx = begin(bench, &view);
    FUZZ_CHECK(cmw_ctx_run(ctx) == CMW_TO_HANDLER && cmw_sse_open(ctx, &sse, &config) == 0);
    FUZZ_CHECK(cmw_ctx_commit(ctx) == CMW_TO_RESPOND);
    const int rc = cmw_sse_send(sse, event);
    cmw_sse_close(sse);
    read_body(ctx, stream);
    cmw_ctx_end(ctx, CMW_END_SENT);
    FUZZ_CHECK(cmw_sse_has_ended(sse));
    cmw_sse_release(sse);
    return rc;
}

/* ---- Checks ----------------------------------------------------------------------------- */

static int is_one_line(cmw_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\n' || text.data[i] == '\r' || text.data[i] == '\0')
            return 0;
    return 1;
}

/* Line ends of any kind are one to a client. */
static void write_plain(struct text *out, cmw_str text)
{
    out->len = 0;
    for (size_t i = 0; i < text.len; i++) {
        const int is_end = text.data[i] == '\r' || text.data[i] == '\n';
        append(out, is_end ? CMW_STR("\n") : cmw_str_make(text.data + i, 1));
        if (text.data[i] == '\r' && i + 1 < text.len && text.data[i + 1] == '\n')
            i++;
    }
}

static void check_event(struct bench *bench, const cmw_sse_event *event)
{
    static struct text stream, plain;
    static struct client client;
    const int rc = stream_event(bench, event, &stream);

    FUZZ_CHECK((rc == CMW_ERR_INVALID) == !(is_one_line(event->id) && is_one_line(event->event)));
    read_stream(&client, as_str(&stream));
    if (rc != 0) {
        FUZZ_CHECK(client.events == 0 && client.last_id.len == 0);
        return;
    }
    FUZZ_CHECK(client.events == 1);
    write_plain(&plain, event->data);
    FUZZ_CHECK(cmw_str_equals(as_str(&client.got_data), as_str(&plain)));
    FUZZ_CHECK(cmw_str_equals(as_str(&client.got_type), event->event));
    FUZZ_CHECK(cmw_str_equals(as_str(&client.last_id), event->id));
}

/* 0 with the field's value, or refused: then there was more than one, or a byte that cannot be. */
static void check_last_id(struct bench *bench, const struct fuzz_request *request)
{
    cmw_str sole = {NULL, 0}, id = {NULL, 0};
    size_t count = 0;

    for (size_t i = 0; i < request->view.header_count; i++) {
        if (!cmw_str_equals_fold(request->fields[i].name, CMW_STR("Last-Event-ID")))
            continue;
        sole = request->fields[i].value;
        count++;
    }
    cmw_ctx *const ctx = begin(bench, &request->view);
    const int rc = cmw_sse_last_event_id(ctx, &id);
    FUZZ_CHECK((rc == 0) == (count <= 1 && cmw_header_value_is_valid(sole)));
    FUZZ_CHECK(rc == 0 ? cmw_str_equals(id, sole) && is_one_line(id) : id.len == 0);
    cmw_ctx_end(ctx, CMW_END_CLIENT_GONE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct fuzz_request request;
    static struct bench bench;
    cmw_str text = cmw_str_make(size > 0 ? (const char *)data : "", size);
    cmw_sse_event event;

    if (!bench.engine)
        open_bench(&bench);
    if (size > TEXT_CAP / 16)
        return 0; /* "data: " before each line */
    fuzz_request_read(&request, data, size);
    check_last_id(&bench, &request);
    event.id = fuzz_take(&text, '\n');
    event.event = fuzz_take(&text, '\n');
    event.data = text.data ? text : CMW_STR("");
    check_event(&bench, &event);
    return 0;
}
