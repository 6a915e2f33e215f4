/* SPDX-License-Identifier: MIT */
/*
 * A request's life:
 *
 *     on_request    head and body are in: pre_route, our handler, post_route; or H2O's next handler
 *     on_response   (pass.c) what that one answers: post_route
 *     proceed       the same, later, for a request that waited
 *     on_log        H2O is done with the request, sent or not: complete
 */
#include <string.h>

#include "head.h"

/* ---- The view ----------------------------------------------------------------------------- */

enum { FIRST_FIELDS = 16, IDS_BLOCK = 16 };

/* A head's arrays in the seat's room: fields, then ids, readable up to a multiple of 16. */
static int make_head_room(struct seat *seat, struct head *head, size_t count)
{
    const size_t cap = (count + IDS_BLOCK - 1) / IDS_BLOCK * IDS_BLOCK;
    const size_t bytes = cap * (sizeof *head->fields + sizeof *head->ids);

    if (cmw__h2o_reserve(&seat->header_room, seat->loop->pool, bytes) != 0)
        return CMW_ERR_NOMEM;
    head->fields = seat->header_room.data;
    head->ids = (uint8_t *)(head->fields + cap);
    head->cap = (uint32_t)cap;
    return 0;
}

/* HTTP/1: what came, in the connection's buffer. */
static int read_fields_1(struct seat *seat, struct head *head)
{
    h2o_req_t *req = seat->req;
    const h2o_buffer_t *input = req->conn->callbacks->get_socket(req->conn)->input;
    const cmw_str bytes = cmw_str_make(input->bytes, input->size);

    for (size_t count = req->headers.size + 1;; count = head->cap + 1) {
        if (make_head_room(seat, head, count) != 0)
            return CMW_ERR_NOMEM;
        if (cmw__h2o_read_head(head, bytes, &req->headers, req->input.authority,
                               seat->site->adapter->token_ids) == 0)
            return 0;
    }
}

/* HTTP/2: what H2O hands over. */
static int read_fields_2(struct seat *seat, struct head *head)
{
    const h2o_headers_t *known = &seat->req->headers;
    const uint8_t *token_ids = seat->site->adapter->token_ids;

    if (make_head_room(seat, head, known->size) != 0)
        return CMW_ERR_NOMEM;
    for (size_t i = 0; i < known->size; i++) {
        const h2o_header_t *from = &known->entries[i];
        const size_t index = cmw__h2o_token_index(from->name);
        head->fields[i].name = cmw_str_make(from->name->base, from->name->len);
        head->fields[i].value = cmw_str_make(from->value.base, from->value.len);
        head->ids[i] = index < H2O_MAX_TOKENS ? token_ids[index]
                                              : (uint8_t)cmw_header_id_find(head->fields[i].name);
    }
    head->count = (uint32_t)known->size;
    return 0;
}

static int is_http_2(const h2o_req_t *req)
{
    return req->version >= 0x200;
}

/*
 * 1 if H2O has read the body that the fields say: it takes the first of two lengths, and chunks
 * rather than a length.
 */
static int is_framed(cmw_request_view *view, const struct head *head, const h2o_req_t *req)
{
    if (head->is_broken)
        return 0;
    if (!head->has_body)
        return 1;
    return cmw_request_view_read_length(view) == 0 &&
           (view->content_length == CMW_LENGTH_UNKNOWN || view->content_length == req->entity.len);
}

static void fill_peer(const h2o_req_t *req, cmw_address *peer)
{
    struct sockaddr_storage address;
    const socklen_t len =
        req->conn->callbacks->get_peername(req->conn, (struct sockaddr *)&address);

    cmw_address_from_sockaddr(peer, &address, len);
}

/* An HTTP/2 request without :authority is given that of its host: it did not say so. */
static cmw_str find_authority(const h2o_req_t *req)
{
    const h2o_iovec_t authority = req->input.authority;

    if (!is_http_2(req) || authority.base == req->hostconf->authority.hostport.base)
        return cmw_str_make(NULL, 0);
    return cmw_str_make(authority.base, authority.len);
}

static int fill_fields(struct seat *seat, cmw_request_view *view, int has_fields)
{
    const h2o_req_t *req = seat->req;
    struct head head = {0};

    if (has_fields &&
        (is_http_2(req) ? read_fields_2(seat, &head) : read_fields_1(seat, &head)) != 0)
        return CMW_ERR_NOMEM;
    seat->headers = view->headers = head.fields;
    view->header_ids = head.ids;
    view->header_count = head.count;
    view->header_bytes = head.bytes;
    if (!is_http_2(req) && has_fields && !is_framed(view, &head, req))
        seat->must_close = 1;
    view->content_length = req->entity.base ? req->entity.len : 0;
    return 0;
}

static int fill_view(struct seat *seat, cmw_request_view *view, int has_fields)
{
    h2o_req_t *req = seat->req;

    cmw_request_view_init(view);
    view->method = cmw_str_make(req->input.method.base, req->input.method.len);
    view->target = cmw_str_make(req->input.path.base, req->input.path.len);
    view->authority = find_authority(req);
    view->http_version = (uint16_t)req->version;
    /* Not what an HTTP/2 client calls it. */
    view->scheme =
        req->conn->callbacks->get_socket(req->conn)->ssl ? CMW_SCHEME_HTTPS : CMW_SCHEME_HTTP;
    view->host_data = seat;
    fill_peer(req, &view->peer);
    return fill_fields(seat, view, has_fields);
}

struct seat *cmw__h2o_begin(struct loop *loop, struct site *site, h2o_req_t *req, int has_fields)
{
    cmw_request_view view;

    struct seat *seat = cmw__h2o_take_seat(loop, site, req);
    if (!seat)
        return NULL;
    if (fill_view(seat, &view, has_fields) == 0 &&
        cmw_ctx_begin(loop->worker, &seat->ctx, &view) == 0)
        return seat;
    cmw__h2o_leave_seat(seat);
    return NULL;
}

/* ---- Running ------------------------------------------------------------------------------ */

/* What a handler of H2O returns. */
enum { ANSWERED = 0, NEXT_HANDLER = -1 };

/* What follows pre_route beside cmw_next. */
enum { TO_PASS = -1 };

/* H2O has read it whole. What is next. */
static cmw_next feed_body(struct seat *seat)
{
    const h2o_iovec_t entity = seat->req->entity;
    const cmw_chunk chunk = {cmw_str_make(entity.base, entity.len), 1, 0};

    if (entity.len == 0 || seat->is_fed)
        return CMW_TO_HANDLER;
    seat->is_fed = 1;
    return cmw_ctx_feed_body(seat->ctx, &chunk);
}

static int pass_on(struct seat *seat)
{
    const int status = cmw__h2o_prepare_pass(seat);

    if (status == 0)
        return TO_PASS;
    cmw_ctx_fail(seat->ctx, status);
    return (int)cmw_ctx_commit(seat->ctx);
}

static int run_handler(struct seat *seat)
{
    const cmw_h2o *adapter = seat->site->adapter;

    if (!adapter->handler && !cmw_ctx_reads_body(seat->ctx))
        return pass_on(seat);
    const cmw_next next = feed_body(seat);
    if (next != CMW_TO_HANDLER)
        return (int)next;
    const int rc =
        adapter->handler ? adapter->handler(adapter->handler_self, seat->ctx) : CMW_H2O_PASS;
    if (rc == CMW_H2O_PASS)
        return pass_on(seat);
    if (rc != 0)
        cmw_ctx_fail(seat->ctx, 500);
    /* A deadline that passed in the handler is seen before the commit, which ends it. */
    if (seat->loop->deadline_ns != 0)
        cmw__h2o_run_worker(seat->loop);
    return (int)cmw_ctx_commit(seat->ctx);
}

/* Whatever is next, until it is sent, waits or is passed on: what a handler of H2O returns. */
static int go_on(struct seat *seat, int next)
{
    if (next == CMW_TO_HANDLER)
        next = run_handler(seat);
    if (next == TO_PASS)
        return NEXT_HANDLER;
    if (next == CMW_TO_RESPOND)
        cmw__h2o_respond(seat);
    else if (next != CMW_TO_SUSPENDED)
        cmw__h2o_refuse(seat);
    return ANSWERED;
}

void cmw__h2o_proceed(void *self, cmw_ctx *ctx, int next)
{
    struct seat *seat = cmw_ctx_host_data(ctx);

    (void)self;
    if (seat->is_streaming)
        cmw__h2o_go_on_streaming(seat);
    else if (seat->state == SEAT_FILTERED)
        cmw__h2o_open_gate(seat, next);
    else if (go_on(seat, next) == NEXT_HANDLER)
        cmw__h2o_pass(seat);
}

int cmw__h2o_on_request(h2o_handler_t *self, h2o_req_t *req)
{
    struct site *site = (void *)self;
    struct loop *loop = h2o_context_get_handler_context(req->conn->ctx, self);

    if (cmw__h2o_is_marked(req))
        return NEXT_HANDLER; /* redirected inside: it has been asked */
    struct seat *seat = loop ? cmw__h2o_begin(loop, site, req, 1) : NULL;
    if (!seat) {
        cmw__h2o_respond_overload(loop ? loop->worker : NULL, req);
        return ANSWERED;
    }
    if (seat->must_close) {
        req->http1_is_persistent = 0;
        cmw_ctx_fail(seat->ctx, 400);
        return go_on(seat, (int)cmw_ctx_commit(seat->ctx));
    }
    if (go_on(seat, (int)cmw_ctx_run(seat->ctx)) == ANSWERED)
        return ANSWERED;
    cmw__h2o_pass(seat);
    return ANSWERED;
}

/* ---- The end ------------------------------------------------------------------------------ */

void cmw__h2o_end(struct seat *seat, cmw_end_reason reason)
{
    const struct loop *loop = seat->loop;

    cmw_ctx_set_body_sent(seat->ctx, seat->req->bytes_sent);
    cmw_ctx_end(seat->ctx, reason);
    cmw__h2o_leave_seat(seat);
    if (loop->open_count == 0)
        cmw_worker_idle(loop->worker);
}

/* H2O sets the time of the end for what it has sent; HTTP/2 also for what was cut off. */
static int is_whole(const struct seat *seat)
{
    const h2o_req_t *req = seat->req;

    if (seat->is_sent)
        return 1;
    if (seat->state < SEAT_FILTERED)
        return req->res.status == 101; /* upgraded: the engine has seen no response */
    if (seat->is_cut || req->timestamps.response_end_at.tv_sec == 0)
        return 0;
    if ((seat->is_streaming && !seat->is_read) || (seat->state == SEAT_ANSWERED && !is_http_2(req)))
        return 0; /* our generator would have said so */
    return req->res.content_length == SIZE_MAX || !cmw__h2o_has_body(req, req->res.status) ||
           req->bytes_sent >= req->res.content_length;
}

void cmw__h2o_on_log(h2o_logger_t *self, h2o_req_t *req)
{
    struct seat *seat = cmw__h2o_find_seat(req);

    (void)self;
    if (!seat)
        return;
    cmw__h2o_end(seat, seat->is_refused ? CMW_END_ERROR
                       : is_whole(seat) ? CMW_END_SENT
                                        : CMW_END_CLIENT_GONE);
}
