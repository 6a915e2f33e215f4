/* SPDX-License-Identifier: MIT */
/* A whole adapter: docs/adapters.md goes through it. */
#include "own_adapter.h"

#include <stdio.h>
#include <string.h>

/* ---- What the server can do ------------------------------------------------------------- */

/* It blocks: it cannot park a request, so a plan that suspends is refused. */
static const cmw_host host = {
    .size = sizeof host,
    .name = "own_http",
    .capabilities = CMW_CAP_HEAD_FIRST | CMW_CAP_ANY_METHOD | CMW_CAP_REWRITE_TARGET |
                    CMW_CAP_NOTICE_CLIENT_GONE | CMW_CAP_DECORATE_OWN_ERRORS | CMW_CAP_TIME_BODY |
                    CMW_CAP_REQUEST_TRAILERS | CMW_CAP_RESPONSE_TRAILERS | CMW_CAP_TIME_HEAD,
    .header_limit = HTTP_FIELD_CAP,
};

/* ---- The view of a request -------------------------------------------------------------- */

static cmw_str text(struct http_text from)
{
    return cmw_str_make(from.data, from.len);
}

static void copy_fields(cmw_header *to, const struct http_field *from, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        to[i].name = text(from[i].name);
        to[i].value = text(from[i].value);
    }
}

static void fill_view(cmw_request_view *view, cmw_header *fields, struct http_conn *conn)
{
    cmw_request_view_init(view);
    view->method = text(conn->method);
    view->target = text(conn->target);
    view->http_version = conn->minor == 0 ? 0x0100 : 0x0101;
    view->scheme = CMW_SCHEME_HTTP;
    view->host_data = conn;
    copy_fields(fields, conn->fields, conn->field_count);
    view->headers = fields;
    view->header_count = (uint32_t)conn->field_count;
    cmw_address_from_sockaddr(&view->peer, &conn->peer, sizeof conn->peer);
}

/* ---- The response ----------------------------------------------------------------------- */

/* `framing` is a field of the server's own, or empty. */
static int send_head(struct http_conn *conn, const cmw_response *response, cmw_str framing)
{
    const size_t cap = sizeof conn->out - HTTP_TAIL_CAP - framing.len;
    size_t len;

    if (cmw_response_status(response) < 200 ||
        cmw_response_write_head(response, &len, conn->out, cap,
                                CMW_READ_STATUS_LINE | CMW_READ_LENGTH) != 0)
        return CMW_ERR_UNSUPPORTED; /* a part of it would be worse than none */
    memcpy(conn->out + len, framing.data, framing.len);
    len += framing.len;
    len += http_write_tail(conn, conn->out + len);
    return http_send(conn, conn->out, len);
}

static int send_response(struct http_conn *conn, const cmw_response *response)
{
    const cmw_str body = cmw_response_body(response);
    const int rc = send_head(conn, response, CMW_STR(""));

    return rc != 0 ? rc : http_send(conn, body.data, body.len); /* empty for HEAD, 204, 304 */
}

static int send_line(struct http_conn *conn, const cmw_header *field)
{
    const cmw_str parts[] = {field->name, CMW_STR(": "), field->value, CMW_STR("\r\n")};
    int rc = 0;

    for (size_t i = 0; i < sizeof parts / sizeof *parts && rc == 0; i++)
        rc = http_send(conn, parts[i].data, parts[i].len);
    return rc;
}

/* A body that fields follow goes in chunks: here in one, since commit has made it whole. */
static int send_with_trailers(struct http_conn *conn, cmw_ctx *ctx)
{
    const cmw_response *response = cmw_ctx_response(ctx);
    const cmw_str body = cmw_response_body(response);
    size_t count;
    const cmw_header *trailers = cmw_ctx_response_trailers(ctx, &count);
    char size[24];

    int rc = send_head(conn, response, CMW_STR("Transfer-Encoding: chunked\r\n"));
    if (rc == 0 && body.len > 0 && /* an empty chunk would be the last one */
        (rc = http_send(conn, size, (size_t)sprintf(size, "%zx\r\n", body.len))) == 0 &&
        (rc = http_send(conn, body.data, body.len)) == 0)
        rc = http_send(conn, "\r\n", 2);
    if (rc == 0)
        rc = http_send(conn, "0\r\n", 3);
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = send_line(conn, &trailers[i]);
    return rc != 0 ? rc : http_send(conn, "\r\n", 2);
}

static void send_overload(struct http_conn *conn, cmw_worker *worker)
{
    const cmw_response *response = cmw_worker_overload_response(worker);

    conn->must_close = 1;
    if (response)
        (void)send_response(conn, response); /* nothing was begun, so nothing is owed */
}

/* ---- The body --------------------------------------------------------------------------- */

/* Of a refused body, as much as is worth the connection; what is left ends it. */
static void drain(const struct own_adapter *adapter, struct http_conn *conn)
{
    uint64_t budget = adapter->drain_bytes;
    const char *piece;
    int len = 1;

    if (http_awaits_continue(conn) || (!conn->is_chunked && conn->left > budget))
        conn->must_close = 1; /* it has not been sent yet, or is too long */
    while (!conn->must_close && len > 0) {
        len = http_read_body(conn, &piece);
        conn->must_close = len < 0 || (uint64_t)len > budget;
        budget -= conn->must_close ? 0 : (uint64_t)len;
    }
}

/* The next piece, as http_read_body has it, or 0 once it is too late for one. */
static int read_in_time(struct http_conn *conn, cmw_ctx *ctx, const char **piece)
{
    if (cmw_ctx_await_body(ctx, 0) != 0)
        return HTTP_LOST;
    const uint64_t at_ns = cmw_ctx_deadline(ctx), now_ns = cmw_ctx_now_ns(ctx);
    http_set_patience(conn, at_ns == 0 ? 0 : at_ns > now_ns ? (at_ns - now_ns) / 1000000 + 1 : 1);
    const int len = http_read_body(conn, piece);
    http_set_patience(conn, 0);
    (void)cmw_worker_run(cmw_ctx_worker(ctx), 0);
    return cmw_ctx_is_cancelled(ctx) ? 0 : len;
}

/* Fields behind the body are handed over apart. What is wrong with them fails the request. */
static void receive_trailers(const struct http_conn *conn, cmw_ctx *ctx)
{
    cmw_header fields[HTTP_TRAILER_CAP];

    copy_fields(fields, conn->trailers, conn->trailer_count);
    if (conn->trailer_count > 0)
        (void)cmw_ctx_receive_trailers(ctx, fields, conn->trailer_count); /* seen as a fault */
}

/* 0: it is whole, or the request has failed by it; else the connection did. */
static int receive_body(const struct own_adapter *adapter, struct http_conn *conn, cmw_ctx *ctx)
{
    const char *piece;
    int len;

    if (http_awaits_continue(conn) && http_send(conn, "HTTP/1.1 100 Continue\r\n\r\n", 25) != 0)
        return HTTP_LOST;
    while ((len = read_in_time(conn, ctx, &piece)) > 0) {
        if (cmw_ctx_receive_body(ctx, cmw_str_make(piece, (size_t)len)) != 0) {
            drain(adapter, conn);
            return 0;
        }
    }
    cmw_ctx_body_arrived(ctx);
    if (cmw_ctx_is_cancelled(ctx)) {
        conn->must_close = 1;
        return 0; /* 408 is made */
    }
    if (len == HTTP_MALFORMED) {
        conn->must_close = 1;
        cmw_ctx_fail(ctx, 400);
        return 0;
    }
    if (len == 0)
        receive_trailers(conn, ctx);
    return len;
}

/* ---- A request -------------------------------------------------------------------------- */

static cmw_end_reason lost_reason(struct http_conn *conn, int rc)
{
    if (http_is_ending(conn->server))
        return CMW_END_SHUTDOWN;
    return rc == HTTP_TIMED_OUT ? CMW_END_DEADLINE
           : rc == HTTP_LOST    ? CMW_END_CLIENT_GONE
                                : CMW_END_ERROR;
}

/* From the head to what the end is told. `refusal`: answer this instead of running the plan. */
static cmw_end_reason run(const struct own_adapter *adapter, struct http_conn *conn, cmw_ctx *ctx,
                          int refusal)
{
    cmw_next next = CMW_TO_HANDLER;
    int rc = 0;

    if (refusal != 0)
        cmw_ctx_fail(ctx, refusal);
    else if ((next = cmw_ctx_run(ctx)) == CMW_TO_RESPOND)
        drain(adapter, conn);
    else if (next == CMW_TO_HANDLER && (rc = receive_body(adapter, conn, ctx)) != 0)
        return lost_reason(conn, rc);
    if (next == CMW_TO_HANDLER && !cmw_ctx_fault(ctx) &&
        adapter->handler(adapter->handler_self, ctx) != 0)
        cmw_ctx_fail(ctx, 500);
    (void)cmw_worker_run(cmw_ctx_worker(ctx), 0); /* a deadline may have passed meanwhile */
    if (next == CMW_TO_HANDLER)
        next = cmw_ctx_commit(ctx);
    if (next != CMW_TO_RESPOND)
        rc = CMW_ERR_STATE;
    else if (cmw_ctx_sends_trailers(ctx))
        rc = send_with_trailers(conn, ctx);
    else
        rc = send_response(conn, cmw_ctx_response(ctx));
    conn->must_close |= rc != 0;
    if (rc == 0 && refusal == 408)
        return CMW_END_DEADLINE; /* of the head */
    return rc == 0 ? CMW_END_SENT : lost_reason(conn, rc);
}

static void on_request(void *self, struct http_conn *conn, int error)
{
    struct own_adapter *adapter = self;
    cmw_worker *worker = conn->user;
    cmw_header fields[HTTP_FIELD_CAP];
    cmw_request_view view;
    cmw_ctx *ctx;

    if (!worker) {
        pthread_mutex_lock(&adapter->lock);
        send_overload(conn, adapter->spare);
        cmw_worker_idle(adapter->spare);
        pthread_mutex_unlock(&adapter->lock);
        return;
    }
    fill_view(&view, fields, conn);
    if (error == 0 && cmw_request_view_read_length(&view) != 0)
        error = 400; /* two readers could see two lengths */
    conn->must_close |= error != 0;
    http_expect_body(conn, view.content_length == CMW_LENGTH_UNKNOWN ? HTTP_CHUNKED
                                                                     : view.content_length);
    if (cmw_ctx_begin(worker, &ctx, &view) == 0)
        cmw_ctx_end(ctx, run(adapter, conn, ctx, error)); /* for each begin one end */
    else
        send_overload(conn, worker);
    cmw_worker_idle(worker); /* it may block now: let go of a plan that was replaced */
}

/* ---- Connections, and the adapter itself ------------------------------------------------- */

/* A thread uses one worker at a time: here, for the life of its connection. */
static void *on_open(void *self)
{
    const struct own_adapter *adapter = self;
    cmw_worker *worker;

    return cmw_engine_take_worker(adapter->engine, &worker, &host, NULL) == 0 ? worker : NULL;
}

static uint64_t on_wait(void *self, void *worker)
{
    (void)self;
    return worker ? cmw_worker_head_ms(worker) : 0;
}

static void on_close(void *self, void *worker)
{
    const struct own_adapter *adapter = self;

    if (worker)
        cmw_engine_put_worker(adapter->engine, worker);
}

int own_adapter_init(struct own_adapter *adapter, struct http_server *server, cmw_engine *engine,
                     own_handler_fn *handler, void *self)
{
    memset(adapter, 0, sizeof *adapter);
    adapter->engine = engine;
    adapter->handler = handler;
    adapter->handler_self = self;
    adapter->drain_bytes = (uint64_t)2 << 20;
    server->self = adapter;
    server->open = on_open;
    server->close = on_close;
    server->head_ms = on_wait;
    server->serve = on_request;
    int rc = cmw_engine_attach_host(engine, &host, NULL);
    if (rc == 0)
        rc = cmw_engine_take_worker(engine, &adapter->spare, &host, NULL);
    if (rc == 0 && pthread_mutex_init(&adapter->lock, NULL) != 0) {
        cmw_engine_put_worker(engine, adapter->spare);
        rc = CMW_ERR_NOMEM;
    }
    return rc;
}

void own_adapter_deinit(struct own_adapter *adapter)
{
    cmw_engine_put_worker(adapter->engine, adapter->spare);
    (void)pthread_mutex_destroy(&adapter->lock); /* the threads have ended */
}

const cmw_host *own_adapter_host(void)
{
    return &host;
}

struct http_conn *own_adapter_conn(cmw_ctx *ctx)
{
    return cmw_ctx_host_data(ctx);
}
