/* SPDX-License-Identifier: MIT */
/*
 * The adapter for libmicrohttpd.
 *
 * A request's life, as libmicrohttpd tells it:
 *
 *     on_target       the request line is in: the only place that shows the target as it came
 *     on_head         first call of the access handler: pre_route; an upload can be refused
 *     on_body_part    for each part: request_body, or thrown away once the request is refused
 *     on_body_end     last call: handler, post_route, and the response is queued
 *     read_stream     for a body that is made while it is sent: when the client takes more
 *     on_completed    sent, or the connection is lost: complete
 *
 * libmicrohttpd closes a connection whose request is answered in the first call, and takes no
 * answer while a part of the body is unread. So an answer waits for the last call, unless the body
 * is too long to wait for.
 */
#include <catzilla/adapter/microhttpd.h>

#include "seat.h"
#include "wait.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

/* Of a streamed body, read at once. */
enum { STREAM_BLOCK_BYTES = 16 << 10 };

struct cmw_mhd {
    cmw_mhd_config config;
    cmw_mhd_handler_fn *handler;
    void *handler_self;
    struct seats seats;
    cmw_worker *spare; /* answers overload for threads that got no worker; under seats.lock */
    struct MHD_OptionItem options[3];
};

static const cmw_host host = {
    .size = sizeof host,
    .name = "libmicrohttpd",
    .capabilities = CMW_CAP_NOTICE_CLIENT_GONE | CMW_CAP_REWRITE_TARGET | CMW_CAP_SUSPEND |
                    CMW_CAP_SUSPEND_POST_ROUTE | CMW_CAP_RESUME_ACROSS_THREADS |
                    CMW_CAP_HEAD_FIRST | CMW_CAP_ANY_METHOD | CMW_CAP_STREAM_REQUEST_BODY |
                    CMW_CAP_STREAM_RESPONSE_BODY | CMW_CAP_TIME_BODY | CMW_CAP_REQUEST_TRAILERS |
                    CMW_CAP_RESPONSE_TRAILERS,
    .wake = cmw__wait_wake,
    .arm_timer = cmw__wait_arm,
    .proceed = cmw__wait_proceed,
};

/* ---- Responses --------------------------------------------------------------------------- */

/* MHD_add_response_header or MHD_add_response_footer. */
typedef enum MHD_Result add_fn(struct MHD_Response *out, const char *name, const char *value);

/* libmicrohttpd takes C strings, and none that is empty: a blank is the empty value to a reader. */
static int copy_field(struct MHD_Response *out, struct room *scratch, cmw_pool *pool, cmw_str name,
                      cmw_str value, add_fn *add)
{
    const size_t bytes = value.len ? value.len : 1;

    if (cmw__room_reserve(scratch, pool, name.len + bytes + 2) != 0)
        return CMW_ERR_NOMEM;
    char *name_text = scratch->data;
    char *value_text = name_text + name.len + 1;
    memcpy(name_text, name.data, name.len);
    name_text[name.len] = '\0';
    memcpy(value_text, value.len ? value.data : " ", bytes);
    value_text[bytes] = '\0';
    return add(out, name_text, value_text) == MHD_YES ? 0 : CMW_ERR_INVALID;
}

static int add_field(struct MHD_Response *out, struct room *scratch, cmw_pool *pool,
                     const cmw_field *field)
{
    if (!field->has_nul || field->value.len == 0)
        return copy_field(out, scratch, pool, field->name, field->value, MHD_add_response_header);
    return MHD_add_response_header(out, field->name.data, field->value.data) == MHD_YES
               ? 0
               : CMW_ERR_INVALID;
}

static int add_fields(struct MHD_Response *out, struct room *scratch, cmw_pool *pool,
                      const cmw_response *response)
{
    cmw_field_cursor cursor = {0};
    const cmw_field *fields;
    size_t count;

    while ((count = cmw_response_next_fields(response, &cursor, &fields)) > 0)
        for (size_t i = 0; i < count; i++)
            if (add_field(out, scratch, pool, &fields[i]) != 0)
                return CMW_ERR_INVALID;
    return 0;
}

/* Of the answer to HEAD only its length is wanted: nobody reads it. */
static ssize_t refuse_to_read(void *self, uint64_t position, char *buffer, size_t cap)
{
    (void)self;
    (void)position;
    (void)buffer;
    (void)cap;
    return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* libmicrohttpd 0.9.75 sends the last chunk of an unknown length even to HEAD, which the client
 * would take for its next answer: without chunks it closes instead. */
static struct MHD_Response *create_head(uint64_t content_length)
{
    struct MHD_Response *out =
        MHD_create_response_from_callback(content_length, 1, refuse_to_read, NULL, NULL);

    if (out && content_length == MHD_SIZE_UNKNOWN)
        (void)MHD_set_response_options(out, MHD_RF_HTTP_VERSION_1_0_ONLY, MHD_RO_END);
    return out;
}

static struct MHD_Response *create_whole(cmw_str body, enum MHD_ResponseMemoryMode body_mode)
{
    return MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.data, body_mode);
}

/*
 * Hand `out` over with the fields and the status of `response`; it is used up.
 *
 * A response with a field missing would be an open door, and one below 200 would leave the client
 * waiting: neither is sent, and MHD_NO closes the connection.
 */
static enum MHD_Result queue(struct MHD_Connection *connection, struct MHD_Response *out,
                             struct room *scratch, cmw_pool *pool, const cmw_response *response)
{
    const int status = cmw_response_status(response);
    enum MHD_Result result = MHD_NO;

    if (!out)
        return MHD_NO;
    if (status >= MHD_HTTP_OK && add_fields(out, scratch, pool, response) == 0)
        result = MHD_queue_response(connection, (unsigned)status, out);
    MHD_destroy_response(out);
    return result;
}

static enum MHD_Result queue_bare(struct MHD_Connection *connection, unsigned status)
{
    struct MHD_Response *out = MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
    if (!out)
        return MHD_NO;
    const enum MHD_Result result = MHD_queue_response(connection, status, out);
    MHD_destroy_response(out);
    return result;
}

/* The plan's ready-made 503. It may be gone before it is sent, so its body is copied. */
static enum MHD_Result queue_overload(struct MHD_Connection *connection, struct room *scratch,
                                      cmw_pool *pool, cmw_worker *worker)
{
    const cmw_response *response = cmw_worker_overload_response(worker);

    if (!response)
        return queue_bare(connection, MHD_HTTP_SERVICE_UNAVAILABLE);
    struct MHD_Response *out = create_whole(cmw_response_body(response), MHD_RESPMEM_MUST_COPY);
    return queue(connection, out, scratch, pool, response);
}

/* The thread got no worker, or there was no memory for the request itself. */
static enum MHD_Result queue_overload_by_spare(cmw_mhd *mhd, struct MHD_Connection *connection)
{
    struct room scratch = {NULL, 0};

    pthread_mutex_lock(&mhd->seats.lock);
    cmw_worker_count_overload(mhd->spare);
    const enum MHD_Result result =
        queue_overload(connection, &scratch, mhd->seats.scratch_pool, mhd->spare);
    cmw_worker_idle(mhd->spare);
    pthread_mutex_unlock(&mhd->seats.lock);
    cmw_pool_free(mhd->seats.scratch_pool, scratch.data, scratch.cap, 0);
    return result;
}

/* Behind the body's end, which libmicrohttpd is told next: then it looks for them. */
static ssize_t end_stream(struct request *req)
{
    struct seat *seat = req->seat;
    size_t count;
    const cmw_header *trailers = cmw_ctx_response_trailers(req->ctx, &count);

    for (; count > 0; count--, trailers++)
        if (copy_field(req->response, &seat->field_room, seat->owner->scratch_pool, trailers->name,
                       trailers->value, MHD_add_response_footer) != 0)
            return MHD_CONTENT_READER_END_WITH_ERROR;
    return MHD_CONTENT_READER_END_OF_STREAM;
}

/* The body of a response that is made while it is sent, when the client takes more. */
static ssize_t read_stream(void *self, uint64_t position, char *buffer, size_t cap)
{
    struct request *req = self;

    (void)position;
    if (req->is_waiting && !cmw__wait_look(req))
        return 0;
    while (req->piece.len == 0) {
        cmw_chunk chunk;
        if (req->is_ended)
            return end_stream(req);
        const int rc = cmw_ctx_read_body(req->ctx, &chunk);
        if (rc == CMW_ERR_AGAIN) {
            if (!cmw__wait_begin(req, 0))
                return 0;
            continue;
        }
        if (rc != 0)
            return MHD_CONTENT_READER_END_WITH_ERROR;
        req->piece = chunk.bytes;
        req->is_ended = chunk.is_last != 0;
    }
    const size_t len = req->piece.len < cap ? req->piece.len : cap;
    memcpy(buffer, req->piece.data, len);
    req->piece = cmw_str_make(req->piece.data + len, req->piece.len - len);
    return (ssize_t)len;
}

/* What the answer to HEAD says of its length: MHD_SIZE_UNKNOWN where GET would send chunks. */
static uint64_t head_length(const cmw_response *response)
{
    const int status = cmw_response_status(response);
    const uint64_t length = cmw_response_content_length(response);

    if (length != UINT64_MAX)
        return length;
    return status == MHD_HTTP_NO_CONTENT || status == MHD_HTTP_NOT_MODIFIED ? 0 : MHD_SIZE_UNKNOWN;
}

/* The committed body stays where it is: the context ends when libmicrohttpd is done with it. */
static struct MHD_Response *create_for(struct request *req, const cmw_response *response)
{
    if (cmw_request_method_id(cmw_ctx_request(req->ctx)) == CMW_METHOD_HEAD)
        return create_head(head_length(response));
    if (cmw_ctx_streams_body(req->ctx) || cmw_ctx_sends_trailers(req->ctx)) {
        req->response = /* UINT64_MAX is MHD_SIZE_UNKNOWN */
            MHD_create_response_from_callback(cmw_response_content_length(response),
                                              STREAM_BLOCK_BYTES, read_stream, req, NULL);
        return req->response;
    }
    return create_whole(cmw_response_body(response), MHD_RESPMEM_PERSISTENT);
}

/* Commit, unless that is done. 1: the response is final; 0: it waits; -1: it cannot be sent. */
static int commit(struct request *req, int must_block)
{
    int next = CMW_TO_RESPOND;

    if (!req->is_final) {
        cmw__wait_catch_up(req->seat);
        next = (int)cmw_ctx_commit(req->ctx);
    }
    if (next == CMW_TO_SUSPENDED) {
        if (!cmw__wait_begin(req, must_block))
            return 0;
        next = req->next_step;
    }
    req->is_final = next == CMW_TO_RESPOND;
    return req->is_final ? 1 : -1;
}

static enum MHD_Result answer(struct request *req, int must_block)
{
    struct seat *seat = req->seat;
    const int is_final = commit(req, must_block);

    if (is_final <= 0)
        return is_final == 0 ? MHD_YES : MHD_NO;
    const cmw_response *response = cmw_ctx_response(req->ctx);
    const enum MHD_Result result = queue(req->connection, create_for(req, response),
                                         &seat->field_room, seat->owner->scratch_pool, response);
    req->is_queued = result == MHD_YES;
    return result;
}

/* ---- The request line -------------------------------------------------------------------- */

static void *on_target(void *self, const char *target, struct MHD_Connection *connection)
{
    cmw_mhd *mhd = self;
    const size_t len = strlen(target);

    struct request *req = cmw__seats_open_request(&mhd->seats);
    if (!req)
        return NULL;
    if (cmw__room_reserve(&req->target_room, mhd->seats.pool, len + 1) != 0) {
        cmw__seats_close_request(req);
        return NULL;
    }
    memcpy(req->target_room.data, target, len + 1);
    req->target = cmw_str_make(req->target_room.data, len);
    req->connection = connection;
    return req;
}

/* ---- The head ---------------------------------------------------------------------------- */

struct header_list {
    cmw_header *headers;
    size_t count;
    size_t cap;
};

static int is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* Blanks around a value are not part of it (RFC 9110, 5.5); libmicrohttpd leaves those behind. */
static cmw_str trim(cmw_str value)
{
    for (; value.len > 0 && is_blank(value.data[value.len - 1]); value.len--)
        ;
    for (; value.len > 0 && is_blank(*value.data); value.len--)
        value.data++;
    return value;
}

static enum MHD_Result on_header(void *self, enum MHD_ValueKind kind, const char *name,
                                 size_t name_len, const char *value, size_t value_len)
{
    struct header_list *list = self;

    (void)kind;
    if (list->count == list->cap)
        return MHD_NO;
    cmw_header *header = &list->headers[list->count++];
    header->name = cmw_str_make(name, name_len);
    header->value = cmw_str_make(value, value ? value_len : 0);
    return MHD_YES;
}

/* `*framing` is not 0 if they leave doubt of where the request ends. */
static int collect_headers(struct request *req, cmw_request_view *view, int *framing)
{
    struct MHD_Connection *connection = req->connection;
    const int count = MHD_get_connection_values_n(connection, MHD_HEADER_KIND, NULL, NULL);

    *framing = 0;
    if (count <= 0)
        return 0;
    struct header_list list = {.cap = (size_t)count};
    if (cmw__room_reserve(&req->header_room, req->seat->owner->pool,
                          list.cap * sizeof *list.headers) != 0)
        return CMW_ERR_NOMEM;
    list.headers = req->header_room.data;
    MHD_get_connection_values_n(connection, MHD_HEADER_KIND, on_header, &list);
    view->headers = list.headers;
    view->header_count = (uint32_t)list.count;
    /* Before the values are trimmed: libmicrohttpd 0.9.75 takes "chunked " for an unknown coding
     * and reads the body to the end of the connection. */
    *framing = cmw_request_view_read_length(view);
    for (size_t i = 0; i < list.count; i++)
        list.headers[i].value = trim(list.headers[i].value);
    return 0;
}

static size_t sockaddr_len(const struct sockaddr *address)
{
    switch (address->sa_family) {
    case AF_INET:
        return sizeof(struct sockaddr_in);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    default:
        return sizeof address->sa_family;
    }
}

static void read_peer(struct MHD_Connection *connection, cmw_address *peer)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    if (info && info->client_addr)
        cmw_address_from_sockaddr(peer, info->client_addr, sockaddr_len(info->client_addr));
}

static int has_tls(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *connection_info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_DAEMON);
    if (!connection_info)
        return 0;
    const union MHD_DaemonInfo *daemon_info =
        MHD_get_daemon_info(connection_info->daemon, MHD_DAEMON_INFO_FLAGS);
    return daemon_info && (daemon_info->flags & MHD_USE_TLS) != 0;
}

static int is_https(const cmw_mhd *mhd, struct MHD_Connection *connection)
{
    return mhd->config.is_https || has_tls(connection);
}

static uint16_t parse_version(const char *version)
{
    if (strcmp(version, MHD_HTTP_VERSION_1_1) == 0)
        return 0x0101;
    if (strcmp(version, MHD_HTTP_VERSION_1_0) == 0)
        return 0x0100;
    return 0;
}

/* The body is not waited for: it is long, or its sender waits for our word before sending it. */
static int is_worth_draining(const cmw_mhd *mhd, cmw_ctx *ctx)
{
    cmw_request *const view = cmw_ctx_request(ctx);
    const uint64_t length = cmw_request_content_length(view);

    if (length == 0)
        return 1;
    if (length != CMW_LENGTH_UNKNOWN && length > mhd->config.drain_bytes)
        return 0;
    return cmw_request_header(view, CMW_HDR_EXPECT) == NULL;
}

/*
 * It has been answered, as far as the engine goes, since its body is late: libmicrohttpd takes no
 * answer in the middle of an upload, so the bytes go past it, and it closes the connection. Of what
 * it sends itself nothing is on its way then; under TLS the connection ends without an answer.
 */
static enum MHD_Result send_late(struct request *req)
{
    static const cmw_str tail = CMW_STR_INIT("Connection: close\r\n\r\n");
    struct seat *seat = req->seat;
    const cmw_response *response = cmw_ctx_response(req->ctx);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const cmw_str body = cmw_response_body(response);
    const unsigned flags = CMW_READ_STATUS_LINE | CMW_READ_LENGTH;
    size_t len = 0;

    if (!info || has_tls(req->connection) || req->next_step != CMW_TO_RESPOND)
        return MHD_NO;
    (void)!cmw_response_write_head(response, &len, NULL, 0, flags); /* says how long it is */
    const size_t bytes = len + tail.len + body.len;
    if (cmw__room_reserve(&seat->field_room, seat->owner->scratch_pool, bytes) != 0)
        return MHD_NO;
    char *at = seat->field_room.data;
    if (cmw_response_write_head(response, &len, at, len, flags) != 0)
        return MHD_NO;
    memcpy(at + len, tail.data, tail.len);
    if (body.len > 0)
        memcpy(at + len + tail.len, body.data, body.len);
    (void)send(info->connect_fd, at, bytes, MSG_NOSIGNAL | MSG_DONTWAIT); /* it closes anyway */
    return MHD_NO;
}

/* A client that sends nothing more is not seen here: libmicrohttpd closes its connection. It counts
 * in seconds, from the last byte on. */
static void limit_silence(struct request *req)
{
    const uint64_t at_ns = cmw_ctx_deadline(req->ctx);

    if (at_ns == 0)
        return;
    if (!req->has_own_timeout) {
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CONNECTION_TIMEOUT);
        req->timeout_s = info ? info->connection_timeout : 0;
        req->has_own_timeout = 1;
    }
    const uint64_t now_ns = cmw_ctx_now_ns(req->ctx);
    uint64_t left_s = at_ns > now_ns ? (at_ns - now_ns) / UINT64_C(1000000000) + 1 : 1;
    if (req->timeout_s != 0 && req->timeout_s < left_s)
        left_s = req->timeout_s;
    (void)MHD_set_connection_option(req->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                    (unsigned)left_s); /* else as long as it always waits */
}

static void end_silence(struct request *req)
{
    if (req->has_own_timeout)
        (void)MHD_set_connection_option(req->connection, MHD_CONNECTION_OPTION_TIMEOUT,
                                        req->timeout_s); /* as above */
    req->has_own_timeout = 0;
}

/* The body is awaited, or more of it: MHD_NO if its deadline cannot be kept. */
static enum MHD_Result await_body(struct request *req)
{
    if (cmw_request_content_length(cmw_ctx_request(req->ctx)) == 0)
        return MHD_YES;
    if (cmw_ctx_await_body(req->ctx, 0) != 0)
        return MHD_NO;
    req->is_awaiting = 1;
    limit_silence(req);
    return MHD_YES;
}

static void stop_awaiting(struct request *req)
{
    if (!req->is_awaiting)
        return;
    req->is_awaiting = 0;
    end_silence(req);
    cmw_ctx_body_arrived(req->ctx);
}

/* What pre_route came to. */
static enum MHD_Result leave_head(const cmw_mhd *mhd, struct request *req, int next)
{
    req->is_in_head = 0;
    if (next == CMW_TO_HANDLER)
        return await_body(req);
    if (next != CMW_TO_RESPOND)
        return MHD_NO;
    req->is_refused = 1;
    req->is_final = 1;
    return is_worth_draining(mhd, req->ctx) ? MHD_YES : answer(req, 1);
}

static enum MHD_Result on_head(cmw_mhd *mhd, struct request *req, const char *method,
                               const char *version)
{
    cmw_worker *const worker = req->seat->worker;
    cmw_request_view view;
    int framing;

    cmw_request_view_init(&view);
    view.method = cmw_str_cstr(method);
    view.target = req->target;
    view.http_version = parse_version(version);
    view.scheme = is_https(mhd, req->connection) ? CMW_SCHEME_HTTPS : CMW_SCHEME_HTTP;
    view.host_data = req;
    read_peer(req->connection, &view.peer);
    if (collect_headers(req, &view, &framing) != 0)
        return queue_overload(req->connection, &req->seat->field_room, mhd->seats.scratch_pool,
                              worker);
    if (cmw_ctx_begin(worker, &req->ctx, &view) != 0)
        return queue_overload(req->connection, &req->seat->field_room, mhd->seats.scratch_pool,
                              worker);
    if (framing != 0) {
        cmw_ctx_fail(req->ctx, MHD_HTTP_BAD_REQUEST);
        /* In the first call, so that what follows is never read as a request. */
        return answer(req, 1);
    }
    int next = (int)cmw_ctx_run(req->ctx);
    if (next == CMW_TO_SUSPENDED) {
        req->is_in_head = 1;
        if (!cmw__wait_begin(req, 0))
            return MHD_YES;
        next = req->next_step;
    }
    return leave_head(mhd, req, next);
}

/* ---- The body ---------------------------------------------------------------------------- */

/* What request_body came to. 1: go on with the call; 0: it waits; -1: it cannot be sent. */
static int leave_body(struct request *req, int next)
{
    req->is_in_body = 0;
    if (next == CMW_TO_SUSPENDED) {
        req->is_in_body = 1;
        if (!cmw__wait_begin(req, 0))
            return 0;
        return leave_body(req, req->next_step);
    }
    if (next == CMW_TO_HANDLER)
        return 1;
    req->is_refused = 1;
    req->is_final = next == CMW_TO_RESPOND;
    return req->is_final ? 1 : -1;
}

static int feed(struct request *req, cmw_str part, int is_last)
{
    const cmw_chunk chunk = {part, is_last, 0};

    return leave_body(req, (int)cmw_ctx_feed_body(req->ctx, &chunk));
}

static enum MHD_Result on_body_part(const cmw_mhd *mhd, struct request *req, cmw_str part)
{
    if (!req->is_refused) {
        const int is_through = feed(req, part, 0);
        return is_through < 0                       ? MHD_NO
               : is_through == 0 || req->is_refused ? MHD_YES
                                                    : await_body(req);
    }
    req->drained_bytes += part.len;
    return req->drained_bytes <= mhd->config.drain_bytes ? MHD_YES : MHD_NO;
}

/* Those of a chunked body, which libmicrohttpd keeps apart. What is wrong with them fails the
 * request. */
static void receive_trailers(struct request *req)
{
    struct room *room = &req->seat->field_room;
    const int count = MHD_get_connection_values_n(req->connection, MHD_FOOTER_KIND, NULL, NULL);

    if (count <= 0)
        return;
    struct header_list list = {.cap = (size_t)count};
    if (cmw__room_reserve(room, req->seat->owner->scratch_pool, list.cap * sizeof *list.headers) !=
        0) {
        cmw_ctx_fail(req->ctx, MHD_HTTP_SERVICE_UNAVAILABLE);
        return;
    }
    list.headers = room->data;
    MHD_get_connection_values_n(req->connection, MHD_FOOTER_KIND, on_header, &list);
    for (size_t i = 0; i < list.count; i++)
        list.headers[i].value = trim(list.headers[i].value);
    (void)cmw_ctx_receive_trailers(req->ctx, list.headers, list.count); /* seen as a fault */
}

static enum MHD_Result on_body_end(const cmw_mhd *mhd, struct request *req)
{
    stop_awaiting(req);
    if (!req->is_refused && !req->is_fed &&
        cmw_request_content_length(cmw_ctx_request(req->ctx)) != 0) {
        req->is_fed = 1;
        if (cmw_request_content_length(cmw_ctx_request(req->ctx)) == CMW_LENGTH_UNKNOWN)
            receive_trailers(req);
        const int is_through = feed(req, CMW_STR(""), 1);
        if (is_through <= 0)
            return is_through == 0 ? MHD_YES : MHD_NO;
    }
    if (!req->is_refused && !req->is_handled) {
        req->is_handled = 1;
        cmw__wait_catch_up(req->seat);
        if (!cmw_ctx_is_cancelled(req->ctx) && mhd->handler(mhd->handler_self, req->ctx) != 0)
            cmw_ctx_fail(req->ctx, MHD_HTTP_INTERNAL_SERVER_ERROR);
    }
    return answer(req, 0);
}

/* More of the body has come, or its end: 1 if that is too late. */
static int is_late(struct request *req)
{
    cmw__wait_catch_up(req->seat);
    return req->has_gone_on;
}

enum MHD_Result cmw_mhd_on_request(void *self, struct MHD_Connection *connection, const char *url,
                                   const char *method, const char *version, const char *upload_data,
                                   size_t *upload_data_size, void **request_data)
{
    cmw_mhd *mhd = self;
    struct request *req = *request_data;

    (void)url;
    if (!req)
        return queue_overload_by_spare(mhd, connection);
    if (!req->ctx)
        return on_head(mhd, req, method, version);
    if (req->is_waiting) { /* the call in which it was suspended is made again */
        if (!cmw__wait_look(req))
            return MHD_YES;
        if (req->is_in_head)
            return leave_head(mhd, req, req->next_step);
        if (req->is_in_body) {
            const int is_through = leave_body(req, req->next_step);
            if (is_through <= 0)
                return is_through == 0 ? MHD_YES : MHD_NO;
            if (!req->is_refused && !req->is_fed && await_body(req) != MHD_YES)
                return MHD_NO;
        } else {
            if (req->next_step != CMW_TO_RESPOND)
                return MHD_NO;
            req->is_final = 1;
        }
    }
    if (req->is_awaiting && !req->is_refused && is_late(req))
        return send_late(req);
    if (*upload_data_size == 0)
        return on_body_end(mhd, req);
    const size_t len = *upload_data_size;
    const cmw_str part = cmw_str_make(upload_data + req->shown_bytes, len - req->shown_bytes);
    req->shown_bytes = 0;
    *upload_data_size = 0;
    if (part.len == 0)
        return MHD_YES;
    const enum MHD_Result result = on_body_part(mhd, req, part);
    /* A byte stays behind while it waits, or libmicrohttpd would not call again before the client
     * sends more: nobody would run what the worker was woken for. */
    if (result == MHD_YES && req->is_waiting && req->is_in_body)
        *upload_data_size = req->shown_bytes = 1;
    return result;
}

/* ---- The end ----------------------------------------------------------------------------- */

static cmw_end_reason end_reason(const struct request *req, enum MHD_RequestTerminationCode code)
{
    switch (code) {
    case MHD_REQUEST_TERMINATED_COMPLETED_OK:
        return req->is_queued ? CMW_END_SENT : CMW_END_ERROR;
    case MHD_REQUEST_TERMINATED_TIMEOUT_REACHED:
        return CMW_END_DEADLINE;
    case MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN:
        return CMW_END_SHUTDOWN;
    case MHD_REQUEST_TERMINATED_READ_ERROR:
    case MHD_REQUEST_TERMINATED_CLIENT_ABORT:
        return CMW_END_CLIENT_GONE;
    case MHD_REQUEST_TERMINATED_WITH_ERROR:
        /* Past our part, only the connection can have failed. */
        return req->is_queued ? CMW_END_CLIENT_GONE : CMW_END_ERROR;
    }
    return CMW_END_ERROR;
}

/* Also called for a request that never got as far as the access handler: then there is no context.
 */
static void on_completed(void *self, struct MHD_Connection *connection, void **request_data,
                         enum MHD_RequestTerminationCode code)
{
    struct request *req = *request_data;

    (void)self;
    (void)connection;
    if (!req)
        return;
    *request_data = NULL;
    cmw__wait_leave(req);
    if (code == MHD_REQUEST_TERMINATED_COMPLETED_OK)
        end_silence(req);
    cmw_worker *const worker = req->seat->worker;
    if (req->ctx)
        cmw_ctx_end(req->ctx, end_reason(req, code));
    cmw_worker_idle(worker); /* what is still in flight keeps its plan */
    cmw__seats_close_request(req);
}

struct MHD_Connection *cmw_mhd_connection(cmw_ctx *ctx)
{
    const struct request *req = cmw_ctx_host_data(ctx);

    return req ? req->connection : NULL;
}

/* ---- The adapter ------------------------------------------------------------------------- */

static int read_config(cmw_mhd_config *out, const cmw_mhd_config *config)
{
    cmw_mhd_config_init(out);
    if (!config)
        return 0;
    if (config->size > sizeof *out)
        return CMW_ERR_VERSION;
    memcpy(out, config, config->size);
    out->size = sizeof *out;
    return 0;
}

static void fill_options(cmw_mhd *mhd)
{
    mhd->options[0].option = MHD_OPTION_URI_LOG_CALLBACK;
    mhd->options[0].value = (intptr_t)on_target;
    mhd->options[0].ptr_value = mhd;
    mhd->options[1].option = MHD_OPTION_NOTIFY_COMPLETED;
    mhd->options[1].value = (intptr_t)on_completed;
    mhd->options[1].ptr_value = mhd;
    mhd->options[2].option = MHD_OPTION_END;
    mhd->options[2].value = 0;
    mhd->options[2].ptr_value = NULL;
}

int cmw_mhd_create(cmw_mhd **out, cmw_engine *engine, cmw_mhd_handler_fn *handler, void *self,
                   const cmw_mhd_config *config)
{
    if (!out || !engine || !handler)
        return CMW_ERR_ARG;
    cmw_pool *pool = cmw_engine_pool(engine, CMW_POOL_CONTEXT);
    cmw_mhd *mhd = cmw_pool_alloc(pool, sizeof *mhd, 0);
    if (!mhd)
        return CMW_ERR_NOMEM;
    mhd->handler = handler;
    mhd->handler_self = self;
    fill_options(mhd);

    int rc = read_config(&mhd->config, config);
    if (rc != 0)
        goto fail;
    rc = cmw_engine_attach_host(engine, &host, NULL);
    if (rc != 0)
        goto fail;
    rc = cmw_engine_take_worker(engine, &mhd->spare, &host, NULL);
    if (rc != 0)
        goto fail;
    rc = cmw__seats_init(&mhd->seats, engine, &host);
    if (rc != 0) {
        cmw_engine_put_worker(engine, mhd->spare);
        goto fail;
    }
    *out = mhd;
    return 0;

fail:
    cmw_pool_free(pool, mhd, sizeof *mhd, 0);
    return rc;
}

void cmw_mhd_destroy(cmw_mhd *mhd)
{
    if (!mhd)
        return;
    cmw_pool *pool = mhd->seats.pool;
    cmw_engine_put_worker(mhd->seats.engine, mhd->spare);
    cmw__seats_deinit(&mhd->seats);
    cmw_pool_free(pool, mhd, sizeof *mhd, 0);
}

void cmw_mhd_give_up_waiting(cmw_mhd *mhd)
{
    cmw__wait_stop(&mhd->seats);
}

const cmw_host *cmw_mhd_host(void)
{
    return &host;
}

struct MHD_OptionItem *cmw_mhd_options(cmw_mhd *mhd)
{
    return mhd->options;
}
