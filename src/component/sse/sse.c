/* SPDX-License-Identifier: MIT */
/*
 * A stream of events: a ring of bytes that any thread fills and the response's source empties.
 *
 *   cmw_sse_send ──> [ring] ──> read_events ──> host
 *        └ the source waits: its token is resumed, once
 */
#include <catzilla/component/sse.h>

#include <catzilla/body.h>
#include <catzilla/header_id.h>
#include <catzilla/request.h>

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

enum { LEAST_BYTES = 256, MOST_BYTES = 16 << 20, PIECE_BYTES = 4096 };

struct cmw_sse {
    atomic_int holders; /* the caller and the response */
    cmw_engine *engine;
    cmw_pool *pool;
    cmw_sse_config config;
    pthread_mutex_t lock; /* of what follows */
    cmw_token token;      /* if is_waiting */
    size_t cap, head, len;
    uint64_t active_ns; /* when something was sent last */
    uint8_t is_waiting;
    uint8_t is_closed;
    uint8_t is_cut; /* its client is too slow */
    uint8_t has_ended;
    char piece[PIECE_BYTES]; /* the source's own */
    char ring[];
};

static uint64_t now_ns(const cmw_sse *stream)
{
    struct timespec now = {0, 0};

    if (stream->config.clock_ns)
        return stream->config.clock_ns(stream->config.clock_self);
    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock exists */
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* ---- The ring: under the lock ------------------------------------------------------------ */

static void put(cmw_sse *stream, cmw_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        stream->ring[(stream->head + stream->len++) % stream->cap] = bytes.data[i];
}

static size_t take(cmw_sse *stream, char *to, size_t cap)
{
    const size_t len = stream->len < cap ? stream->len : cap;

    for (size_t i = 0; i < len; i++)
        to[i] = stream->ring[(stream->head + i) % stream->cap];
    stream->head = (stream->head + len) % stream->cap;
    stream->len -= len;
    return len;
}

/* The source waits no more: 1 if `*token` is to be resumed, outside of the lock. */
static int take_token(cmw_sse *stream, cmw_token *token)
{
    const int is_waiting = stream->is_waiting;

    *token = stream->token;
    stream->is_waiting = 0;
    return is_waiting;
}

/* A token that is stale already belongs to a request that has ended. */
static void wake(cmw_sse *stream, cmw_token token)
{
    const int rc = cmw_resume(stream->engine, token, CMW_CONTINUE, NULL);
    (void)rc;
}

/* ---- Events ------------------------------------------------------------------------------ */

/* The next line of a text, whichever way it ends. 0: there is none. */
static int next_line(cmw_str *rest, cmw_str *line)
{
    size_t len = 0;

    if (!rest->data)
        return 0;
    while (len < rest->len && rest->data[len] != '\n' && rest->data[len] != '\r')
        len++;
    *line = cmw_str_make(rest->data, len);
    if (len == rest->len) {
        rest->data = NULL;
        return 1;
    }
    const size_t end =
        rest->data[len] == '\r' && len + 1 < rest->len && rest->data[len + 1] == '\n' ? 2 : 1;
    *rest = cmw_str_make(rest->data + len + end, rest->len - len - end);
    return 1;
}

static size_t field_len(cmw_str name, cmw_str value)
{
    return name.len + value.len + 3; /* ": " and the line end */
}

static size_t event_len(const cmw_sse_event *event)
{
    cmw_str rest = event->data;
    cmw_str line;
    size_t len = 1;

    if (event->event.len > 0)
        len += field_len(CMW_STR("event"), event->event);
    if (event->id.len > 0)
        len += field_len(CMW_STR("id"), event->id);
    while (next_line(&rest, &line))
        len += field_len(CMW_STR("data"), line);
    return len;
}

static void put_field(cmw_sse *stream, cmw_str name, cmw_str value)
{
    put(stream, name);
    put(stream, CMW_STR(": "));
    put(stream, value);
    put(stream, CMW_STR("\n"));
}

static void put_event(cmw_sse *stream, const cmw_sse_event *event)
{
    cmw_str rest = event->data;
    cmw_str line;

    if (event->event.len > 0)
        put_field(stream, CMW_STR("event"), event->event);
    if (event->id.len > 0)
        put_field(stream, CMW_STR("id"), event->id);
    while (next_line(&rest, &line))
        put_field(stream, CMW_STR("data"), line);
    put(stream, CMW_STR("\n"));
}

static int is_one_line(cmw_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] == '\n' || text.data[i] == '\r' || text.data[i] == '\0')
            return 0;
    return 1;
}

int cmw_sse_last_event_id(cmw_ctx *ctx, cmw_str *id)
{
    const cmw_str name = CMW_STR("last-event-id");
    const cmw_header *found = NULL;
    size_t count;

    const cmw_header *fields = cmw_request_headers(cmw_ctx_request(ctx), &count);
    for (size_t i = 0; i < count; i++) {
        if (!cmw_str_equals_fold(fields[i].name, name))
            continue;
        if (found || !cmw_header_value_is_valid(fields[i].value))
            return CMW_ERR_INVALID;
        found = &fields[i];
    }
    *id = found ? found->value : cmw_str_make(NULL, 0);
    return 0;
}

/* 0, CMW_ERR_LIMIT or CMW_ERR_STALE. Under the lock. */
static int enqueue(cmw_sse *stream, const cmw_sse_event *event)
{
    if (stream->is_closed || stream->is_cut || stream->has_ended)
        return CMW_ERR_STALE;
    if (event_len(event) <= stream->cap - stream->len) {
        put_event(stream, event);
        stream->active_ns = now_ns(stream);
        return 0;
    }
    stream->is_cut = stream->config.slow == CMW_SSE_SLOW_CLOSE;
    return CMW_ERR_LIMIT;
}

int cmw_sse_send(cmw_sse *stream, const cmw_sse_event *event)
{
    cmw_token token;

    if (!is_one_line(event->event) || !is_one_line(event->id))
        return CMW_ERR_INVALID;
    pthread_mutex_lock(&stream->lock);
    const int rc = enqueue(stream, event);
    const int is_waiting = rc != CMW_ERR_STALE && take_token(stream, &token);
    pthread_mutex_unlock(&stream->lock);
    if (is_waiting)
        wake(stream, token);
    return rc;
}

void cmw_sse_close(cmw_sse *stream)
{
    cmw_token token;

    pthread_mutex_lock(&stream->lock);
    stream->is_closed = 1;
    const int is_waiting = take_token(stream, &token);
    pthread_mutex_unlock(&stream->lock);
    if (is_waiting)
        wake(stream, token);
}

int cmw_sse_has_ended(cmw_sse *stream)
{
    pthread_mutex_lock(&stream->lock);
    const int has_ended = stream->has_ended;
    pthread_mutex_unlock(&stream->lock);
    return has_ended;
}

/* ---- Heartbeats -------------------------------------------------------------------------- */

/* A comment after a silence: what is between does not close the connection, and a client that left
 * is found out. */
static size_t beat(void *self)
{
    cmw_sse *stream = self;
    const uint64_t after_ns = (uint64_t)stream->config.heartbeat_ms * UINT64_C(1000000);
    cmw_token token;
    int is_due;

    pthread_mutex_lock(&stream->lock);
    const uint64_t now = now_ns(stream);
    is_due = stream->is_waiting && now - stream->active_ns >= after_ns;
    if (is_due) {
        put(stream, CMW_STR(":\n\n")); /* it waits: the ring is empty */
        stream->active_ns = now;
        is_due = take_token(stream, &token);
    }
    pthread_mutex_unlock(&stream->lock);
    if (is_due)
        wake(stream, token);
    return (size_t)is_due;
}

/* ---- The source -------------------------------------------------------------------------- */

/* Under the lock. */
static int read_some(cmw_sse *stream, cmw_ctx *ctx, cmw_chunk *chunk)
{
    if (stream->is_cut)
        return CMW_ERR_LIMIT;
    if (stream->len == 0 && !stream->is_closed) {
        const int rc = cmw_ctx_suspend(ctx, &stream->token);
        stream->is_waiting = rc == 0;
        return rc == 0 ? CMW_ERR_AGAIN : rc;
    }
    chunk->bytes = cmw_str_make(stream->piece, take(stream, stream->piece, PIECE_BYTES));
    chunk->is_last = stream->len == 0 && stream->is_closed;
    return 0;
}

static int read_events(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    cmw_sse *stream = self;

    pthread_mutex_lock(&stream->lock);
    const int rc = read_some(stream, ctx, chunk);
    pthread_mutex_unlock(&stream->lock);
    return rc;
}

/* The request has ended. */
static void end_events(void *self)
{
    cmw_sse *stream = self;

    if (stream->config.heartbeat_ms > 0)
        cmw_engine_remove_poll(stream->engine, beat, stream);
    pthread_mutex_lock(&stream->lock);
    stream->is_waiting = 0;
    stream->has_ended = 1;
    pthread_mutex_unlock(&stream->lock);
    cmw_sse_release(stream);
}

/* ---- Opening and releasing ----------------------------------------------------------------- */

static void destroy(cmw_sse *stream)
{
    (void)pthread_mutex_destroy(&stream->lock); /* nobody holds it */
    cmw_pool_free(stream->pool, stream, sizeof *stream + stream->cap, 16);
}

void cmw_sse_release(cmw_sse *stream)
{
    if (stream && atomic_fetch_sub(&stream->holders, 1) == 1)
        destroy(stream);
}

static int read_config(cmw_sse_config *ours, const cmw_sse_config *config)
{
    cmw_sse_config_init(ours);
    if (cmw_config_adopt(ours, config) != 0)
        return CMW_ERR_VERSION;
    const int is_good = ours->buffer_bytes >= LEAST_BYTES && ours->buffer_bytes <= MOST_BYTES &&
                        ours->heartbeat_ms >= 0 && ours->heartbeat_ms <= INT64_C(86400000) &&
                        ours->retry_ms >= 0 && ours->retry_ms <= INT64_C(86400000) &&
                        (ours->slow == CMW_SSE_SLOW_CLOSE || ours->slow == CMW_SSE_SLOW_DROP);
    return is_good ? 0 : CMW_ERR_ARG;
}

static cmw_sse *create(cmw_ctx *ctx, const cmw_sse_config *config)
{
    cmw_engine *engine = cmw_worker_engine(cmw_ctx_worker(ctx));
    cmw_pool *pool = cmw_engine_pool(engine, CMW_POOL_CONTEXT);
    const size_t cap = (size_t)config->buffer_bytes;
    cmw_sse *stream = cmw_pool_alloc(pool, sizeof *stream + cap, 16);

    if (!stream)
        return NULL;
    memset(stream, 0, sizeof *stream);
    atomic_init(&stream->holders, 2);
    stream->engine = engine;
    stream->pool = pool;
    stream->config = *config;
    stream->cap = cap;
    if (pthread_mutex_init(&stream->lock, NULL) == 0)
        return stream;
    cmw_pool_free(pool, stream, sizeof *stream + cap, 16);
    return NULL;
}

/* "retry: 3000" as the first line. */
static void put_retry(cmw_sse *stream)
{
    char digits[20];
    size_t at = sizeof digits;

    for (int64_t rest = stream->config.retry_ms; rest > 0; rest /= 10)
        digits[--at] = (char)('0' + rest % 10);
    if (at < sizeof digits) {
        put_field(stream, CMW_STR("retry"), cmw_str_make(digits + at, sizeof digits - at));
        put(stream, CMW_STR("\n"));
    }
}

static int answer(cmw_ctx *ctx, cmw_sse *stream)
{
    cmw_response *response = cmw_ctx_response(ctx);
    cmw_body_source source;

    cmw_body_source_init(&source);
    source.read = read_events;
    source.close = end_events;
    source.self = stream;
    int rc = cmw_response_set(response, CMW_HDR_CONTENT_TYPE, CMW_STR("text/event-stream"));
    if (rc == 0)
        rc = cmw_response_set(response, CMW_HDR_CACHE_CONTROL, CMW_STR("no-store"));
    return rc ? rc : cmw_ctx_stream(ctx, 200, &source);
}

int cmw_sse_open(cmw_ctx *ctx, cmw_sse **out, const cmw_sse_config *config)
{
    cmw_sse_config ours;

    int rc = read_config(&ours, config);
    if (rc != 0)
        return rc;
    cmw_sse *stream = create(ctx, &ours);
    if (!stream)
        return CMW_ERR_NOMEM;
    stream->active_ns = now_ns(stream);
    put_retry(stream);
    if (ours.heartbeat_ms > 0)
        rc = cmw_engine_add_poll(stream->engine, beat, stream);
    if (rc != 0) {
        destroy(stream);
        return rc;
    }
    rc = answer(ctx, stream);
    if (rc != 0) {
        if (ours.heartbeat_ms > 0)
            cmw_engine_remove_poll(stream->engine, beat, stream);
        destroy(stream);
        return rc;
    }
    *out = stream;
    return 0;
}
