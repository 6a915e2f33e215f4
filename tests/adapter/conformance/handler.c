/* SPDX-License-Identifier: MIT */
/* The handler: one function for each path. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "app.h"

/* What came in, and what the chain did, where the handler has a context of its own. */
static cmw_ctx *chain_of(const struct conformance_app *app, cmw_ctx *ctx)
{
    return app->server->chain_context ? app->server->chain_context(ctx) : ctx;
}

/* ---- What the suite asks about ---------------------------------------------------------- */

static size_t format_counts(const struct conformance_app *app, char *text, size_t cap)
{
    int len = snprintf(text, cap, "{\"entered\": %llu, \"left\": %llu, \"twice\": %llu",
                       (unsigned long long)atomic_load(&app->counts.entered),
                       (unsigned long long)atomic_load(&app->counts.left),
                       (unsigned long long)atomic_load(&app->counts.twice));

    for (int i = 0; i < CMW_END_REASON_COUNT; i++)
        len += snprintf(text + len, cap - (size_t)len, ", \"%s\": %llu",
                        cmw_end_reason_name((cmw_end_reason)i),
                        (unsigned long long)atomic_load(&app->counts.by_reason[i]));
    len += snprintf(text + len, cap - (size_t)len, "}");
    return (size_t)len;
}

void conformance_print_counts(const struct conformance_app *app)
{
    cmw_request_stats requests = {.size = sizeof requests};
    cmw_stats *stats;
    char text[256];

    const size_t len = format_counts(app, text, sizeof text);
    if (cmw_stats_snapshot(app->engine, &stats) == 0) {
        if (cmw_stats_requests(stats, &requests) != 0)
            puts("no statistics");
        cmw_stats_destroy(stats);
    }
    printf("%.*s, \"late_heads\": %llu}\n", (int)len - 1, text,
           (unsigned long long)requests.late_heads);
}

static int show_counts(struct conformance_app *app, cmw_ctx *ctx)
{
    char text[256];
    const size_t len = format_counts(app, text, sizeof text);

    return cmw_response_json_text(cmw_ctx_response(ctx), 200, cmw_str_make(text, len));
}

static int answer_number(cmw_ctx *ctx, unsigned long long number)
{
    char text[32];
    const int len = snprintf(text, sizeof text, "%llu", number);

    return cmw_response_text(cmw_ctx_response(ctx), 200, cmw_str_make(text, (size_t)len));
}

/* Allocator calls of the pool that requests live in. */
static int show_allocations(struct conformance_app *app, cmw_ctx *ctx)
{
    cmw_pool_stats stats = {.size = sizeof stats};
    const int rc = cmw_pool_get_stats(cmw_engine_pool(app->engine, CMW_POOL_CONTEXT), &stats);

    return rc ? rc : answer_number(ctx, stats.alloc_calls);
}

static int release(struct conformance_app *app, cmw_ctx *ctx)
{
    return answer_number(ctx, conformance_release(app));
}

/* How many have got as far as waiting since the last release. */
static int show_waiting(struct conformance_app *app, cmw_ctx *ctx)
{
    pthread_mutex_lock(&app->lock);
    const unsigned count = app->waiter_count;
    pthread_mutex_unlock(&app->lock);
    return answer_number(ctx, count);
}

static int show_process(struct conformance_app *app, cmw_ctx *ctx)
{
    (void)app;
    return answer_number(ctx, (unsigned long long)getpid());
}

static void write_text(cmw_json *json, const char *key, cmw_str value)
{
    cmw_json_key(json, cmw_str_cstr(key));
    cmw_json_string(json, value);
}

static void write_number(cmw_json *json, const char *key, uint64_t value)
{
    cmw_json_key(json, cmw_str_cstr(key));
    cmw_json_uint(json, value);
}

/* What the adapter told the engine of the request. */
static int show_view(struct conformance_app *app, cmw_ctx *ctx)
{
    cmw_ctx *chain = chain_of(app, ctx);
    cmw_request *request = cmw_ctx_request(chain);
    const cmw_header *big = cmw_request_header_named(request, CMW_STR("X-Big"));
    char peer[CMW_ADDRESS_TEXT_CAP];
    size_t count;

    cmw_address_format(cmw_request_peer(request), peer);
    cmw_request_headers(request, &count);
    cmw_json *json = cmw_response_json(cmw_ctx_response(ctx), 200);
    if (!json)
        return CMW_ERR_NOMEM;
    cmw_json_object_begin(json);
    write_text(json, "method", cmw_request_method(request));
    write_text(json, "target", cmw_request_raw_target(request));
    write_text(json, "path", cmw_request_path(request));
    write_text(json, "host", cmw_request_host(request));
    write_text(json, "peer", cmw_str_cstr(peer));
    write_number(json, "has_port", cmw_request_peer(request)->port != 0);
    write_number(json, "https", cmw_request_scheme(request) == CMW_SCHEME_HTTPS);
    write_number(json, "version", cmw_request_http_version(request));
    write_number(json, "fields", count);
    write_number(json, "big", big ? big->value.len : 0);
    write_number(json, "length", cmw_request_content_length(request));
    write_number(json, "owned", app->server->owns_context(chain) != 0);
    cmw_json_object_end(json);
    return 0;
}

/* ---- What the suite asks for ------------------------------------------------------------ */

static int say_ok(struct conformance_app *app, cmw_ctx *ctx)
{
    (void)app;
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok"));
}

static int echo(struct conformance_app *app, cmw_ctx *ctx)
{
    (void)app;
    return cmw_response_bytes_ref(cmw_ctx_response(ctx), 200,
                                  cmw_request_body(cmw_ctx_request(ctx)));
}

/* The body, and a line for each trailer. */
static int show_trailers(struct conformance_app *app, cmw_ctx *ctx)
{
    const cmw_str body = cmw_request_body(cmw_ctx_request(ctx));
    size_t count, len;

    const cmw_header *trailers = cmw_ctx_trailers(chain_of(app, ctx), &count);
    char *text = cmw_arena_alloc(cmw_ctx_arena(ctx), 4096);
    if (!text)
        return CMW_ERR_NOMEM;
    len = (size_t)snprintf(text, 4096, "%.*s\n", (int)body.len, body.data ? body.data : "");
    for (size_t i = 0; i < count && len < 4096; i++)
        len += (size_t)snprintf(text + len, 4096 - len, "%.*s=%.*s\n", (int)trailers[i].name.len,
                                trailers[i].name.data, (int)trailers[i].value.len,
                                trailers[i].value.data);
    return len < 4096 ? cmw_response_text(cmw_ctx_response(ctx), 200, cmw_str_make(text, len))
                      : CMW_ERR_LIMIT;
}

static int send_large(struct conformance_app *app, cmw_ctx *ctx)
{
    return cmw_response_bytes_ref(cmw_ctx_response(ctx), 200,
                                  cmw_str_make(app->large, LARGE_BYTES));
}

/* Take longer than the request may. */
static int overrun(struct conformance_app *app, cmw_ctx *ctx)
{
    const uint64_t end_ns =
        cmw_ctx_begin_ns(chain_of(app, ctx)) + app->request_ms * UINT64_C(1000000);
    const struct timespec step = {0, 1000000};

    while (cmw_ctx_now_ns(ctx) <= end_ns)
        (void)nanosleep(&step, NULL); /* cut short: one look more */
    return say_ok(app, ctx);
}

static int send_empty_field(struct conformance_app *app, cmw_ctx *ctx)
{
    const int rc = cmw_response_set_named(cmw_ctx_response(ctx), CMW_STR("X-Empty"), CMW_STR(""));

    return rc ? rc : say_ok(app, ctx);
}

/* Two fields of one name, and many others, some of them long. */
static int send_many_fields(struct conformance_app *app, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);
    char name[16];
    int rc = cmw_response_append(response, CMW_HDR_SET_COOKIE, CMW_STR("a=1"));

    if (rc == 0)
        rc = cmw_response_append(response, CMW_HDR_SET_COOKIE, CMW_STR("b=2"));
    for (int i = 0; i < 100 && rc == 0; i++) {
        const int len = snprintf(name, sizeof name, "X-Field-%d", i);
        rc = cmw_response_set_named(response, cmw_str_make(name, (size_t)len),
                                    cmw_str_make(app->large, 100));
    }
    return rc ? rc : say_ok(app, ctx);
}

static int send_refused_status(struct conformance_app *app, cmw_ctx *ctx)
{
    (void)app;
    return cmw_response_empty(cmw_ctx_response(ctx), 101);
}

static int send_no_content(struct conformance_app *app, cmw_ctx *ctx)
{
    (void)app;
    return cmw_response_empty(cmw_ctx_response(ctx), 204);
}

static int send_not_modified(struct conformance_app *app, cmw_ctx *ctx)
{
    (void)app;
    return cmw_response_empty(cmw_ctx_response(ctx), 304);
}

static int send_empty(struct conformance_app *app, cmw_ctx *ctx)
{
    (void)app;
    return cmw_response_empty(cmw_ctx_response(ctx), 200);
}

static int fail(struct conformance_app *app, cmw_ctx *ctx)
{
    const int rc =
        cmw_response_set_named(cmw_ctx_response(ctx), CMW_STR("X-Handler"), CMW_STR("left over"));

    (void)app;
    return rc ? rc : CMW_ERR_IO;
}

static int make_nothing(struct conformance_app *app, cmw_ctx *ctx)
{
    (void)app;
    (void)ctx;
    return 0;
}

/* ---- Streams ---------------------------------------------------------------------------- */

/* /stream?SIZE: so many bytes, "abc...z" over and over, in pieces of 5,000. */
struct stream {
    struct conformance_app *app;
    uint64_t size, given;
    int waits, fails, trails;
    int has_waited;
    char piece[5200];
};

/* Behind the body: "X-When: first" with the first piece, "X-When: last" with the last one, and an
 * empty one; what was not promised is none. */
static int add_trailers(cmw_ctx *ctx, const char *when)
{
    if (cmw_ctx_add_trailer(ctx, CMW_STR("X-Stray"), CMW_STR("1")) != CMW_ERR_NOT_FOUND)
        return CMW_ERR_STATE;
    if (*when == 'l' && cmw_ctx_add_trailer(ctx, CMW_STR("X-Empty"), CMW_STR("")) != 0)
        return CMW_ERR_STATE;
    return cmw_ctx_add_trailer(ctx, CMW_STR("X-When"), cmw_str_cstr(when));
}

static int read_stream(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct stream *stream = self;
    uint64_t len = stream->size - stream->given;

    if (stream->waits && stream->given >= stream->size / 2 && !stream->has_waited) {
        stream->has_waited = 1;
        return conformance_wait(stream->app, ctx);
    }
    if (stream->fails && stream->given >= stream->size / 2)
        return CMW_ERR_IO;
    len = len < 5000 ? len : 5000;
    if (stream->trails && (stream->given == 0 || len == stream->size - stream->given) &&
        add_trailers(ctx, stream->given == 0 ? "first" : "last") != 0)
        return CMW_ERR_INVALID;
    chunk->bytes = cmw_str_make(stream->piece + stream->given % 26, (size_t)len);
    stream->given += len;
    chunk->is_last = stream->given == stream->size;
    return 0;
}

enum { DECLARED = 1, WAITS = 2, FAILS = 4, TRAILS = 8 };

static int stream_with(struct conformance_app *app, cmw_ctx *ctx, unsigned how)
{
    const cmw_str query = cmw_request_query(cmw_ctx_request(ctx));
    struct stream *stream = cmw_arena_alloc(cmw_ctx_arena(ctx), sizeof *stream);
    cmw_body_source source;

    if (!stream)
        return CMW_ERR_NOMEM;
    memset(stream, 0, sizeof *stream);
    stream->app = app;
    for (size_t i = 0; i < query.len; i++)
        stream->size = stream->size * 10 + (uint64_t)(query.data[i] - '0');
    for (size_t i = 0; i < sizeof stream->piece; i++)
        stream->piece[i] = (char)('a' + i % 26);
    stream->waits = (how & WAITS) != 0;
    stream->fails = (how & FAILS) != 0;
    stream->trails = (how & TRAILS) != 0;
    cmw_body_source_init(&source);
    if (how & DECLARED)
        source.length = stream->size;
    source.read = read_stream;
    source.self = stream;
    return cmw_ctx_stream(ctx, 200, &source);
}

static int stream_unknown(struct conformance_app *app, cmw_ctx *ctx)
{
    return stream_with(app, ctx, 0);
}

static int stream_declared(struct conformance_app *app, cmw_ctx *ctx)
{
    return stream_with(app, ctx, DECLARED);
}

static int stream_waiting(struct conformance_app *app, cmw_ctx *ctx)
{
    return stream_with(app, ctx, WAITS);
}

static int stream_failing(struct conformance_app *app, cmw_ctx *ctx)
{
    return stream_with(app, ctx, FAILS);
}

static int stream_trailing(struct conformance_app *app, cmw_ctx *ctx)
{
    static const cmw_str names[] = {CMW_STR_INIT("X-When"), CMW_STR_INIT("X-Empty"),
                                    CMW_STR_INIT("x-when"), CMW_STR_INIT("X-Kept-By-None")};

    for (size_t i = 0; i < LEN(names); i++)
        if (cmw_ctx_promise_trailer(ctx, names[i], 0) != 0)
            return CMW_ERR_INVALID;
    return stream_with(app, ctx, DECLARED | TRAILS);
}

/* One for those who ask, and one for everybody. */
static int stream_unasked(struct conformance_app *app, cmw_ctx *ctx)
{
    if (cmw_ctx_promise_trailer(ctx, CMW_STR("X-Empty"), 0) != 0 ||
        cmw_ctx_promise_trailer(ctx, CMW_STR("X-When"), CMW_TRAILER_UNASKED) != 0)
        return CMW_ERR_INVALID;
    return stream_with(app, ctx, TRAILS);
}

/* ---- Routing ---------------------------------------------------------------------------- */

static const struct route {
    cmw_str path;
    int (*handle)(struct conformance_app *app, cmw_ctx *ctx);
} routes[] = {
    {CMW_STR_INIT("/ok"), say_ok},
    {CMW_STR_INIT("/wait"), say_ok},
    {CMW_STR_INIT("/wait-post"), say_ok},
    {CMW_STR_INIT("/overrun"), overrun},
    {CMW_STR_INIT("/echo"), echo},
    {CMW_STR_INIT("/shout"), echo},
    {CMW_STR_INIT("/trailers"), show_trailers},
    {CMW_STR_INIT("/wait-body"), echo},
    {CMW_STR_INIT("/stream"), stream_unknown},
    {CMW_STR_INIT("/stream-declared"), stream_declared},
    {CMW_STR_INIT("/stream-waiting"), stream_waiting},
    {CMW_STR_INIT("/stream-failing"), stream_failing},
    {CMW_STR_INIT("/trailing"), stream_trailing},
    {CMW_STR_INIT("/trailing-unasked"), stream_unasked},
    {CMW_STR_INIT("/counted"), say_ok},
    {CMW_STR_INIT("/view"), show_view},
    {CMW_STR_INIT("/large"), send_large},
    {CMW_STR_INIT("/empty"), send_empty},
    {CMW_STR_INIT("/empty-field"), send_empty_field},
    {CMW_STR_INIT("/many-fields"), send_many_fields},
    {CMW_STR_INIT("/refused-status"), send_refused_status},
    {CMW_STR_INIT("/no-content"), send_no_content},
    {CMW_STR_INIT("/not-modified"), send_not_modified},
    {CMW_STR_INIT("/fail"), fail},
    {CMW_STR_INIT("/nothing"), make_nothing},
    {CMW_STR_INIT("/_counts"), show_counts},
    {CMW_STR_INIT("/_allocations"), show_allocations},
    {CMW_STR_INIT("/_release"), release},
    {CMW_STR_INIT("/_waiting"), show_waiting},
    {CMW_STR_INIT("/_process"), show_process},
};

int conformance_handle(void *self, cmw_ctx *ctx)
{
    const cmw_str path = cmw_request_path(cmw_ctx_request(ctx));

    conformance_trace(self, chain_of(self, ctx), CMW_STR("handler"));
    for (size_t i = 0; i < LEN(routes); i++)
        if (cmw_str_equals(path, routes[i].path))
            return routes[i].handle(self, ctx);
    return cmw_response_problem(cmw_ctx_response(ctx), 404, CMW_STR("there is nothing here"));
}
