/* SPDX-License-Identifier: MIT */
/*
 * A request's life:
 *
 *     on_request   head and body are in: pre_route, handler, post_route; the response is queued
 *     proceed      the same, later, for a request that waited
 *     on_sent      the last byte is with the system: complete
 *     on_closed    the connection is lost instead: complete. Only one of the two is called
 *
 * The response's body is not copied: evhttp's output refers to it, so it is taken from the output
 * of a lost connection before the context ends.
 */
#include "state.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/http_struct.h>
#include <event2/keyvalq_struct.h>
#include <netinet/in.h>
#include <string.h>

/* ---- Ends -------------------------------------------------------------------------------- */

static void link_request(struct request **list, struct request *req)
{
    req->next = *list;
    req->at = list;
    if (req->next)
        req->next->at = &req->next;
    *list = req;
}

static void unlink_request(struct request *req)
{
    *req->at = req->next;
    if (req->next)
        req->next->at = req->at;
}

static struct request *open_request(cmw_evhttp *adapter, struct evhttp_request *http)
{
    struct request *req = adapter->free;

    if (req) {
        unlink_request(req);
    } else {
        req = cmw_pool_alloc(adapter->pool, sizeof *req, 0);
        if (!req)
            return NULL;
        memset(req, 0, sizeof *req);
        req->adapter = adapter;
    }
    req->http = http;
    req->ctx = NULL;
    req->must_close = 0;
    req->is_queued = 0;
    req->is_fed = 0;
    req->is_streaming = 0;
    req->is_last = 0;
    link_request(&adapter->open, req);
    adapter->open_count++;
    return req;
}

static void close_request(struct request *req)
{
    cmw_evhttp *adapter = req->adapter;

    unlink_request(req);
    link_request(&adapter->free, req);
    adapter->open_count--;
}

static void end(struct request *req, cmw_end_reason reason)
{
    cmw_worker *worker = req->adapter->worker;

    cmw_ctx_end(req->ctx, reason);
    cmw_worker_idle(worker); /* what is still in flight keeps its plan */
    close_request(req);
}

static void on_sent(struct evhttp_request *http, void *self)
{
    evhttp_connection_set_closecb(evhttp_request_get_connection(http), NULL, NULL);
    end(self, CMW_END_SENT);
}

static void drop_output(struct evhttp_connection *connection)
{
    struct evbuffer *output = bufferevent_get_output(evhttp_connection_get_bufferevent(connection));

    (void)evbuffer_unfreeze(output, 1); /* cannot fail: the connection is not written any more */
    (void)evbuffer_drain(output, evbuffer_get_length(output));
    (void)evbuffer_freeze(output, 1);
}

static void on_closed(struct evhttp_connection *connection, void *self)
{
    struct request *req = self;
    struct evhttp_request *http = req->http;
    const int is_ending = req->adapter->is_ending;

    drop_output(connection);
    evhttp_request_set_on_complete_cb(http, NULL, NULL);
    end(req, is_ending ? CMW_END_SHUTDOWN : req->is_queued ? CMW_END_CLIENT_GONE : CMW_END_ERROR);
    if (!evhttp_request_get_connection(http)) /* evhttp let go of it: it was not yet answered */
        evhttp_request_free(http);
}

/* ---- Responses ---------------------------------------------------------------------------- */

/* evhttp takes C strings. */
static char *write_cstr(char *to, cmw_str text)
{
    memcpy(to, text.data, text.len);
    to[text.len] = '\0';
    return to + text.len + 1;
}

static int copy_field(cmw_evhttp *adapter, struct evkeyvalq *fields, cmw_str name, cmw_str value)
{
    const size_t bytes = name.len + value.len + 2;

    if (cmw__evhttp_reserve(&adapter->field_room, adapter->scratch_pool, bytes) != 0)
        return CMW_ERR_NOMEM;
    char *name_text = adapter->field_room.data;
    char *value_text = write_cstr(name_text, name);
    (void)write_cstr(value_text, value);
    return evhttp_add_header(fields, name_text, value_text) == 0 ? 0 : CMW_ERR_NOMEM;
}

/* Of a response that others may have, too. */
static int copy_fields(cmw_evhttp *adapter, struct evkeyvalq *out, const cmw_response *response)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;
    int rc = 0;

    while (rc == 0 && cmw_response_next_header(response, &cursor, &field, CMW_READ_FIELDS))
        rc = copy_field(adapter, out, field.name, field.value);
    return rc;
}

/* Of a response that is the request's own. */
static int add_field(void *self, const char *name, const char *value)
{
    return evhttp_add_header(self, name, value) == 0 ? 0 : CMW_ERR_NOMEM;
}

/* evhttp counts the body that it sends; what it does not send we count. */
static int add_length(cmw_evhttp *adapter, struct evkeyvalq *out, const cmw_response *response)
{
    const uint64_t length = cmw_response_content_length(response);
    char digits[20];
    size_t at = sizeof digits;
    uint64_t rest = length;

    if (length == UINT64_MAX)
        return 0;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    return copy_field(adapter, out, CMW_STR("Content-Length"),
                      cmw_str_make(digits + at, sizeof digits - at));
}

/* The reason phrase, as evhttp takes it, in the adapter's room. */
static int write_phrase(cmw_evhttp *adapter, int status)
{
    const cmw_str phrase = cmw_status_reason(status);

    if (cmw__evhttp_reserve(&adapter->field_room, adapter->scratch_pool, phrase.len + 1) != 0)
        return CMW_ERR_NOMEM;
    (void)write_cstr(adapter->field_room.data, phrase);
    return 0;
}

static int reply(cmw_evhttp *adapter, struct evhttp_request *http, int status)
{
    const int rc = write_phrase(adapter, status);

    if (rc == 0)
        evhttp_send_reply(http, status, adapter->field_room.data, NULL);
    return rc;
}

/* ---- Bodies that are made while they are sent --------------------------------------------- */

static void send_piece(struct request *req);

/* The client has taken it. */
static void on_piece_sent(struct evhttp_connection *connection, void *self)
{
    struct request *req = self;

    (void)connection;
    if (req->is_last)
        evhttp_send_reply_end(req->http);
    else
        send_piece(req);
}

/* One piece, or the end, or nothing until the source goes on. */
static void send_piece(struct request *req)
{
    struct evbuffer *buffer = req->adapter->piece;
    cmw_chunk chunk = {{NULL, 0}, 0, 0};
    int rc = cmw_ctx_read_body(req->ctx, &chunk);

    if (rc == CMW_ERR_AGAIN)
        return;
    if (rc == 0 && chunk.bytes.len > 0 &&
        evbuffer_add(buffer, chunk.bytes.data, chunk.bytes.len) != 0)
        rc = CMW_ERR_NOMEM;
    if (rc != 0) { /* without an end, so that nobody takes it for whole; on_closed ends it */
        evhttp_connection_free(evhttp_request_get_connection(req->http));
        return;
    }
    req->is_last = chunk.is_last != 0;
    if (chunk.bytes.len > 0)
        evhttp_send_reply_chunk_with_cb(req->http, buffer, on_piece_sent, req);
    else
        evhttp_send_reply_end(req->http);
}

static int begin_stream(struct request *req, int status)
{
    cmw_evhttp *adapter = req->adapter;

    if (!adapter->piece)
        adapter->piece = evbuffer_new();
    const int rc = adapter->piece ? write_phrase(adapter, status) : CMW_ERR_NOMEM;
    if (rc != 0)
        return rc;
    req->is_streaming = 1;
    req->is_queued = 1;
    evhttp_send_reply_start(req->http, status, adapter->field_room.data);
    send_piece(req);
    return 0;
}

/* A response with a field missing would be an open door: it is not sent. */
static int send_response(struct request *req, cmw_response *response)
{
    struct evkeyvalq *fields = evhttp_request_get_output_headers(req->http);
    const cmw_str body = cmw_response_body(response);
    const int status = cmw_response_status(response);
    int rc =
        status < 200 ? CMW_ERR_UNSUPPORTED : cmw_response_visit_cstr(response, add_field, fields);

    if (rc == 0)
        rc = add_length(req->adapter, fields, response);
    if (rc == 0 && req->must_close && evhttp_add_header(fields, "Connection", "close") != 0)
        rc = CMW_ERR_NOMEM;
    if (rc == 0 && body.len > 0 &&
        evbuffer_add_reference(evhttp_request_get_output_buffer(req->http), body.data, body.len,
                               NULL, NULL) != 0)
        rc = CMW_ERR_NOMEM;
    if (rc == 0 && cmw_ctx_streams_body(req->ctx))
        return begin_stream(req, status);
    if (rc == 0)
        rc = reply(req->adapter, req->http, status);
    req->is_queued = rc == 0;
    return rc;
}

/* The plan's ready-made 503, or a bare one. It may be gone before it is sent: its body is copied.
 */
static void send_overload(cmw_evhttp *adapter, struct evhttp_request *http)
{
    const cmw_response *response = cmw_worker_overload_response(adapter->worker);
    int rc = 0;

    if (response) {
        const cmw_str body = cmw_response_body(response);
        rc = copy_fields(adapter, evhttp_request_get_output_headers(http), response);
        if (rc == 0)
            rc = evbuffer_add(evhttp_request_get_output_buffer(http), body.data, body.len);
    }
    if (rc != 0 || reply(adapter, http, 503) != 0)
        evhttp_connection_free(evhttp_request_get_connection(http));
}

/* ---- Requests ----------------------------------------------------------------------------- */

static const struct {
    enum evhttp_cmd_type command;
    cmw_str name;
} methods[] = {
    {EVHTTP_REQ_GET, CMW_STR_INIT("GET")},         {EVHTTP_REQ_POST, CMW_STR_INIT("POST")},
    {EVHTTP_REQ_HEAD, CMW_STR_INIT("HEAD")},       {EVHTTP_REQ_PUT, CMW_STR_INIT("PUT")},
    {EVHTTP_REQ_DELETE, CMW_STR_INIT("DELETE")},   {EVHTTP_REQ_OPTIONS, CMW_STR_INIT("OPTIONS")},
    {EVHTTP_REQ_TRACE, CMW_STR_INIT("TRACE")},     {EVHTTP_REQ_PATCH, CMW_STR_INIT("PATCH")},
    {EVHTTP_REQ_CONNECT, CMW_STR_INIT("CONNECT")},
};

/* Empty for a method whose name evhttp does not keep. */
static cmw_str method_name(enum evhttp_cmd_type command)
{
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (methods[i].command == command)
            return methods[i].name;
    return CMW_STR("");
}

/* evhttp takes spaces from the front of a value and all blanks from its end. */
static inline cmw_str trim_front(cmw_str value)
{
    while (value.len > 0 && (value.data[0] == ' ' || value.data[0] == '\t'))
        value = cmw_str_make(value.data + 1, value.len - 1);
    return value;
}

static int collect_headers(struct request *req, cmw_request_view *view)
{
    const struct evkeyval *const first = evhttp_request_get_input_headers(req->http)->tqh_first;
    uint32_t count = 0;
    size_t bytes = 0;

    for (const struct evkeyval *each = first; each; each = each->next.tqe_next)
        count++;
    if (cmw__evhttp_reserve(&req->header_room, req->adapter->pool, count * sizeof(cmw_header)) != 0)
        return CMW_ERR_NOMEM;
    cmw_header *at = req->header_room.data;
    view->headers = at;
    view->header_count = count;
    for (const struct evkeyval *each = first; each; each = each->next.tqe_next, at++) {
        at->name = cmw_str_cstr(each->key);
        at->value = trim_front(cmw_str_cstr(each->value));
        bytes += at->name.len + at->value.len;
    }
    view->header_bytes = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
    return 0;
}

/* evhttp takes the body of such a request for the next one, though it says that it was chunked. */
static int has_no_body(enum evhttp_cmd_type command)
{
    return command == EVHTTP_REQ_HEAD || command == EVHTTP_REQ_TRACE;
}

/*
 * 1 if evhttp has read what the fields say: it takes the first of two lengths, and does not read a
 * body after HEAD, TRACE or a method that it does not know. A name with a blank before its colon is
 * refused with the lengths: it is no token.
 */
static int is_framed(cmw_request_view *view, struct evhttp_request *http)
{
    if (cmw_request_view_read_length(view) != 0)
        return 0;
    if (view->content_length == CMW_LENGTH_UNKNOWN)
        return http->chunked && !has_no_body(evhttp_request_get_command(http));
    return view->content_length == evbuffer_get_length(evhttp_request_get_input_buffer(http));
}

/* Any size of address that evhttp may have: the family says which. */
static void read_peer(struct evhttp_request *http, cmw_address *peer)
{
    cmw_address_from_sockaddr(peer, evhttp_connection_get_addr(evhttp_request_get_connection(http)),
                              sizeof(struct sockaddr_in6));
}

static int fill_view(struct request *req, const struct site *site, cmw_request_view *view)
{
    struct evhttp_request *http = req->http;

    cmw_request_view_init(view);
    view->method = method_name(evhttp_request_get_command(http));
    view->target = cmw_str_cstr(evhttp_request_get_uri(http));
    view->http_version = (uint16_t)(http->major << 8 | http->minor);
    view->scheme = site->is_https ? CMW_SCHEME_HTTPS : CMW_SCHEME_HTTP;
    view->host_data = req;
    read_peer(http, &view->peer);
    return collect_headers(req, view);
}

/* ---- Running ------------------------------------------------------------------------------ */

/* Give each piece away as soon as the engine is done with it. What is next. */
static cmw_next feed_body(struct request *req)
{
    struct evbuffer *input = evhttp_request_get_input_buffer(req->http);
    cmw_next next = CMW_TO_HANDLER;

    while (next == CMW_TO_HANDLER && !req->is_fed) {
        struct evbuffer_iovec piece = {NULL, 0};
        const int has_piece = evbuffer_peek(input, -1, NULL, &piece, 1) > 0 && piece.iov_len > 0;
        const cmw_chunk chunk = {has_piece ? cmw_str_make(piece.iov_base, piece.iov_len)
                                           : CMW_STR(""),
                                 piece.iov_len == evbuffer_get_length(input), 0};
        req->is_fed = chunk.is_last != 0;
        next = cmw_ctx_feed_body(req->ctx, &chunk);
        (void)evbuffer_drain(input, piece.iov_len); /* the piece is there */
    }
    return next;
}

static cmw_next run_handler(struct request *req)
{
    const cmw_evhttp *adapter = req->adapter;
    const cmw_next next = feed_body(req);

    if (next != CMW_TO_HANDLER)
        return next;
    if (adapter->handler(adapter->handler_self, req->ctx) != 0)
        cmw_ctx_fail(req->ctx, 500);
    if (adapter->is_armed)
        cmw__evhttp_run_worker(req->adapter);
    return cmw_ctx_commit(req->ctx);
}

/* Whatever is next, until it is sent or waits. */
static void go_on(struct request *req, int next)
{
    if (next == CMW_TO_HANDLER)
        next = (int)run_handler(req);
    if (next == CMW_TO_SUSPENDED)
        return;
    if (next != CMW_TO_RESPOND || send_response(req, cmw_ctx_response(req->ctx)) != 0)
        evhttp_connection_free(evhttp_request_get_connection(req->http)); /* on_closed ends it */
}

void cmw__evhttp_proceed(void *self, cmw_ctx *ctx, int next)
{
    struct request *req = cmw_ctx_host_data(ctx);

    (void)self;
    if (req->is_streaming)
        send_piece(req);
    else
        go_on(req, next);
}

/* `status`: of the refusal of a request that evhttp and others may understand differently, or 0. */
static void begin(struct request *req, int status)
{
    struct evhttp_request *http = req->http;

    evhttp_request_set_on_complete_cb(http, on_sent, req);
    evhttp_connection_set_closecb(evhttp_request_get_connection(http), on_closed, req);
    if (status == 0) {
        go_on(req, (int)cmw_ctx_run(req->ctx));
        return;
    }
    req->must_close = 1;
    cmw_ctx_fail(req->ctx, status);
    go_on(req, (int)cmw_ctx_commit(req->ctx));
}

void cmw__evhttp_on_request(struct evhttp_request *http, void *self)
{
    const struct site *site = self;
    cmw_request_view view;

    struct request *req = open_request(site->adapter, http);
    if (!req) {
        cmw_worker_count_overload(site->adapter->worker);
        send_overload(site->adapter, http);
        return;
    }
    const int rc = fill_view(req, site, &view);
    const int status = view.method.len == 0 ? 501 : !is_framed(&view, http) ? 400 : 0;
    req->is_fed = view.content_length == 0;
    if (rc != 0 || cmw_ctx_begin(site->adapter->worker, &req->ctx, &view) != 0) {
        close_request(req);
        send_overload(site->adapter, http);
        return;
    }
    begin(req, status);
}

struct evhttp_request *cmw_evhttp_request(cmw_ctx *ctx)
{
    const struct request *req = cmw_ctx_host_data(ctx);

    return req ? req->http : NULL;
}
