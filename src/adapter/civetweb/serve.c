/* SPDX-License-Identifier: MIT */
/*
 * One request, from its head to its end, on the thread that civetweb gave it.
 *
 * civetweb reads what is left of a body after the answer, however long it is, unless the connection
 * is to be closed: so a refused body is read here, up to a limit, or the connection ends.
 */
#include "state.h"

#include <stdlib.h>
#include <string.h>

#include "head.h"

enum { PIECE_BYTES = 8192 };

/* ---- The view ----------------------------------------------------------------------------- */

/* `target` is the path: civetweb cut the query off with a NUL in the place of "?". */
static int join_target(struct seat *seat, const struct mg_request_info *info, cmw_str *target)
{
    const cmw_str path = *target;
    const cmw_str query = cmw_str_cstr(info->query_string);

    if (path.len == 0 ||
        cmw__civetweb_reserve(&seat->target, seat->adapter->pool, path.len + query.len + 1) != 0)
        return CMW_ERR_NOMEM; /* a request without a path does not come here */
    char *at = seat->target.data;
    memcpy(at, path.data, path.len);
    at[path.len] = '?';
    memcpy(at + path.len + 1, query.data, query.len);
    *target = cmw_str_make(at, path.len + 1 + query.len);
    return 0;
}

static uint16_t parse_version(const char *version)
{
    if (!version)
        return 0;
    return strcmp(version, "1.1") == 0 ? 0x0101 : strcmp(version, "1.0") == 0 ? 0x0100 : 0;
}

static cmw_str cstr_or_empty(const char *text)
{
    return text ? cmw_str_cstr(text) : CMW_STR("");
}

/* `fields` has room for all that civetweb can give. */
static void fill_view(struct request *req, cmw_request_view *view, cmw_header *fields)
{
    const struct mg_request_info *info = mg_get_request_info(req->connection);

    cmw_request_view_init(view);
    view->method = cstr_or_empty(info->request_method);
    view->target = cstr_or_empty(info->request_uri);
    view->http_version = parse_version(info->http_version);
    view->scheme = info->is_ssl ? CMW_SCHEME_HTTPS : CMW_SCHEME_HTTP;
    view->host_data = req;
    view->headers = fields;
    view->header_count = cmw__head_fields(fields, info);
    if (cmw_address_parse(&view->peer, cmw_str_cstr(info->remote_addr)) == 0)
        view->peer.port = (uint16_t)info->remote_port;
}

/* ---- The body ----------------------------------------------------------------------------- */

/* 1: a piece; 0: there is no more; else why not. */
static int read_piece(const struct request *req, cmw_str *piece, char *room, uint64_t *left)
{
    const size_t cap = *left < PIECE_BYTES ? (size_t)*left : PIECE_BYTES;
    const int got = cap > 0 ? mg_read(req->connection, room, cap) : 0;

    if (got > 0) {
        *piece = cmw_str_make(room, (size_t)got);
        if (*left != CMW_LENGTH_UNKNOWN)
            *left -= (uint64_t)got;
        return 1;
    }
    if (*left == CMW_LENGTH_UNKNOWN)
        return got == 0 ? 0 : CMW_ERR_INVALID;
    return *left == 0 ? 0 : got == 0 ? CMW_ERR_CANCELLED : CMW_ERR_IO;
}

/* Read and throw away, as far as the limit goes; what is beyond ends the connection. */
static void drain(struct request *req, uint64_t left)
{
    uint64_t budget = req->seat->adapter->config.drain_bytes;
    char room[PIECE_BYTES];
    cmw_str piece;
    int more = 1;

    req->must_close |= req->asks_first || (left != CMW_LENGTH_UNKNOWN && left > budget);
    while (!req->must_close && more == 1) {
        more = read_piece(req, &piece, room, &left);
        req->must_close = more < 0 || (more == 1 && piece.len > budget);
        budget -= more == 1 && !req->must_close ? piece.len : 0;
    }
}

static int settle(const struct request *req, cmw_next next)
{
    return next == CMW_TO_SUSPENDED ? cmw__civetweb_wait(req->seat, req->ctx) : (int)next;
}

static int feed(const struct request *req, cmw_str piece, int is_last)
{
    const cmw_chunk chunk = {piece, is_last, 0};

    return settle(req, cmw_ctx_feed_body(req->ctx, &chunk));
}

/* 0: `*next` says how it goes on; else the connection failed. */
static int receive_body(struct request *req, int *next)
{
    uint64_t left = cmw_request_content_length(cmw_ctx_request(req->ctx));
    char room[PIECE_BYTES];
    cmw_str piece;
    int more;

    if (left == 0)
        return 0;
    if (req->asks_first)
        (void)mg_write(req->connection, "HTTP/1.1 100 Continue\r\n\r\n",
                       25); /* reading will fail */
    req->asks_first = 0;
    while ((more = read_piece(req, &piece, room, &left)) == 1) {
        *next = feed(req, piece, 0);
        if (*next == CMW_TO_HANDLER)
            continue;
        drain(req, left);
        return 0;
    }
    if (more == 0)
        *next = feed(req, CMW_STR(""), 1);
    if (more != CMW_ERR_INVALID)
        return more;
    req->must_close = 1;
    cmw_ctx_fail(req->ctx, 400); /* chunks that are none */
    return 0;
}

/* ---- Running ------------------------------------------------------------------------------ */

static cmw_end_reason lost_reason(const struct request *req, int rc)
{
    if (atomic_load(&req->seat->adapter->is_ending))
        return CMW_END_SHUTDOWN;
    if (rc == CMW_ERR_CANCELLED)
        return CMW_END_DEADLINE;
    return rc == CMW_ERR_IO ? CMW_END_CLIENT_GONE : CMW_END_ERROR;
}

/* Without a response the connection ends. */
static cmw_end_reason send_committed(struct request *req)
{
    const int rc = cmw__civetweb_send(req, cmw_ctx_response(req->ctx), cmw_ctx_wall_ns(req->ctx));

    req->must_close |= rc != 0;
    return rc == 0 ? CMW_END_SENT : lost_reason(req, rc);
}

static cmw_end_reason run(struct request *req, int refusal)
{
    const cmw_civetweb_config *config = &req->seat->adapter->config;
    int next = CMW_TO_RESPOND;

    if (refusal == 0)
        next = settle(req, cmw_ctx_run(req->ctx));
    if (refusal == 0 && next == CMW_TO_RESPOND)
        drain(req, cmw_request_content_length(cmw_ctx_request(req->ctx)));
    if (next == CMW_TO_HANDLER) {
        const int rc = receive_body(req, &next);
        if (rc != 0)
            return lost_reason(req, rc);
        if (next == CMW_TO_HANDLER && !cmw_ctx_fault(req->ctx) &&
            config->handler(config->handler_self, req->ctx) != 0)
            cmw_ctx_fail(req->ctx, 500);
    }
    if (refusal != 0)
        cmw_ctx_fail(req->ctx, refusal);
    if (req->seat->timer_at_ns != 0)
        (void)cmw_worker_run(req->seat->worker, 0); /* a deadline that passed in the handler */
    if (refusal != 0 || next == CMW_TO_HANDLER)
        next = settle(req, cmw_ctx_commit(req->ctx));
    return next == CMW_TO_RESPOND ? send_committed(req) : CMW_END_ERROR;
}

/* The plan's ready-made 503, by the thread's worker or by the spare one. */
static int send_overload(struct request *req)
{
    cmw_civetweb *adapter = req->seat->adapter;
    cmw_worker *worker = req->seat->worker;

    if (!worker) {
        pthread_mutex_lock(&adapter->lock);
        cmw_worker_count_overload(adapter->spare);
    }
    const cmw_response *response = cmw_worker_overload_response(worker ? worker : adapter->spare);
    req->must_close = 1;
    const int rc = response ? cmw__civetweb_send(req, response, 0) : CMW_ERR_STATE;
    if (!worker) {
        cmw_worker_idle(adapter->spare);
        pthread_mutex_unlock(&adapter->lock);
    }
    return rc == 0;
}

/* The status that was answered; 0: nothing was. */
static int serve(struct request *req, const cmw_request_view *view, int refusal)
{
    cmw_worker *worker = req->seat->worker;

    if (!worker || cmw_ctx_begin(worker, &req->ctx, view) != 0)
        return send_overload(req) ? 503 : 0;
    req->must_close |= refusal != 0;
    const cmw_end_reason reason = run(req, refusal);
    const int status = reason == CMW_END_SENT ? cmw_response_status(cmw_ctx_response(req->ctx)) : 0;
    cmw_ctx_end(req->ctx, reason);
    cmw_worker_idle(worker);
    return status;
}

int cmw__civetweb_on_request(struct mg_connection *connection)
{
    const struct mg_request_info *info = mg_get_request_info(connection);
    struct request req = {.connection = connection, .seat = mg_get_thread_pointer(connection)};
    cmw_header fields[MG_MAX_HEADERS];
    cmw_request_view view;
    int status = 0;

    if (req.seat) {
        fill_view(&req, &view, fields);
        req.asks_first = mg_get_header(connection, "Expect") != NULL;
        int refusal = cmw__head_check(info);
        if (refusal == 0 && cmw_request_view_read_length(&view) != 0)
            refusal = 400;
        if (info->query_string && join_target(req.seat, info, &view.target) != 0)
            refusal = 503;
        status = serve(&req, &view, refusal);
    }
    if (req.must_close || status == 0)
        mg_disable_connection_keep_alive(connection);
    return status == 0 ? 500 : status; /* for civetweb's log */
}

/* civetweb answers by itself: then with the plan's fields. Its 413 means the head. */
int cmw__civetweb_on_error(struct mg_connection *connection, int status, const char *message)
{
    struct request req = {.connection = connection, .seat = mg_get_thread_pointer(connection)};
    cmw_header fields[MG_MAX_HEADERS];
    cmw_request_view view;

    (void)message;
    if (!req.seat)
        return 1;
    fill_view(&req, &view, fields);
    return serve(&req, &view, status == 413 ? 431 : status) == 0;
}

struct mg_connection *cmw_civetweb_connection(cmw_ctx *ctx)
{
    const struct request *req = cmw_ctx_host_data(ctx);

    return req ? req->connection : NULL;
}
