/* SPDX-License-Identifier: MIT */
#include "respond.h"

#include <string.h>
#include <sys/socket.h>

#include "head.h"
#include "wait.h"

/* Of a streamed body, read at once. */
enum { STREAM_BLOCK_BYTES = 16 << 10 };

/* ---- Heads -------------------------------------------------------------------------------- */

/* MHD_add_response_header or MHD_add_response_footer. */
typedef enum MHD_Result add_fn(struct MHD_Response *out, const char *name, const char *value);

/* libmicrohttpd takes C strings, and none that is empty: a blank is the empty value to a reader. */
static int copy_field(struct MHD_Response *out, struct room *scratch, cmw_pool *pool, cmw_str name,
                      cmw_str value, add_fn *add)
{
    if (value.len == 0)
        value = CMW_STR(" ");
    if (cmw__room_reserve(scratch, pool, name.len + value.len + 2) != 0)
        return CMW_ERR_NOMEM;
    char *name_text = scratch->data;
    char *value_text = name_text + name.len + 1;
    memcpy(name_text, name.data, name.len);
    name_text[name.len] = '\0';
    memcpy(value_text, value.data, value.len);
    value_text[value.len] = '\0';
    return add(out, name_text, value_text) == MHD_YES ? 0 : CMW_ERR_INVALID;
}

/* Of a response that others may have, too. */
static int copy_fields(struct MHD_Response *out, struct room *scratch, cmw_pool *pool,
                       const cmw_response *response)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;

    while (cmw_response_next_header(response, &cursor, &field, CMW_READ_FIELDS))
        if (copy_field(out, scratch, pool, field.name, field.value, MHD_add_response_header) != 0)
            return CMW_ERR_INVALID;
    return 0;
}

/* As copy_field, of a response that is the request's own. */
static int add_field(void *self, const char *name, const char *value)
{
    return MHD_add_response_header(self, name, *value ? value : " ") == MHD_YES ? 0
                                                                                : CMW_ERR_INVALID;
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
 * Hand `out` over, which is used up; `fault` is that of its fields.
 *
 * A response with a field missing would be an open door, and one below 200 would leave the client
 * waiting: neither is sent, and MHD_NO closes the connection.
 */
static enum MHD_Result queue(struct MHD_Connection *connection, struct MHD_Response *out,
                             int status, int fault)
{
    enum MHD_Result result = MHD_NO;

    if (status >= MHD_HTTP_OK && fault == 0)
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
enum MHD_Result cmw__mhd_queue_overload(struct MHD_Connection *connection, struct room *scratch,
                                        cmw_pool *pool, cmw_worker *worker)
{
    const cmw_response *response = cmw_worker_overload_response(worker);

    if (!response)
        return queue_bare(connection, MHD_HTTP_SERVICE_UNAVAILABLE);
    struct MHD_Response *out = create_whole(cmw_response_body(response), MHD_RESPMEM_MUST_COPY);
    if (!out)
        return MHD_NO;
    return queue(connection, out, cmw_response_status(response),
                 copy_fields(out, scratch, pool, response));
}

/* ---- Bodies that are made while they are sent --------------------------------------------- */

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
    if (cmw_str_equals(cmw_request_method(cmw_ctx_request(req->ctx)), CMW_STR("HEAD")))
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

enum MHD_Result cmw__mhd_answer(struct request *req, int must_block)
{
    const int is_final = commit(req, must_block);

    if (is_final <= 0)
        return is_final == 0 ? MHD_YES : MHD_NO;
    cmw_response *response = cmw_ctx_response(req->ctx);
    struct MHD_Response *out = create_for(req, response);
    if (!out)
        return MHD_NO;
    const enum MHD_Result result = queue(req->connection, out, cmw_response_status(response),
                                         cmw_response_visit_cstr(response, add_field, out));
    req->is_queued = result == MHD_YES;
    return result;
}

enum MHD_Result cmw__mhd_send_late(struct request *req)
{
    static const cmw_str tail = CMW_STR_INIT("Connection: close\r\n\r\n");
    struct seat *seat = req->seat;
    const cmw_response *response = cmw_ctx_response(req->ctx);
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(req->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    const cmw_str body = cmw_response_body(response);
    const unsigned flags = CMW_READ_STATUS_LINE | CMW_READ_LENGTH;
    size_t len = 0;

    if (!info || cmw__mhd_has_tls(req->connection) || req->next_step != CMW_TO_RESPOND)
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
