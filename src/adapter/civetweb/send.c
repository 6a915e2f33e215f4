/* SPDX-License-Identifier: MIT */
/* Head and body as bytes: one write where the body is small, two where it is not. */
#include "state.h"

#include <string.h>

#include "head.h"

enum { SMALL_BODY = 16 << 10, TAIL_CAP = 128 };

static char *put(char *to, cmw_str text)
{
    if (text.len > 0)
        memcpy(to, text.data, text.len);
    return to + text.len;
}

/* Date, Transfer-Encoding, Connection, the empty line. */
static char *put_tail(char *to, struct request *req, const cmw_response *response, uint64_t wall_ns)
{
    if (req->is_chunked)
        to = put(to, CMW_STR("Transfer-Encoding: chunked\r\n"));
    if (!cmw_response_has(response, CMW_HDR_DATE)) {
        to = put(to, CMW_STR("Date: "));
        to = put(to, cmw__date_at(&req->seat->date, wall_ns));
        to = put(to, CMW_STR("\r\n"));
    }
    return put(to, req->must_close ? CMW_STR("Connection: close\r\n\r\n")
                                   : CMW_STR("Connection: keep-alive\r\n\r\n"));
}

/* The head and what fits behind it, in the seat's room. */
static int write_out(struct request *req, const cmw_response *response, size_t body_len,
                     size_t *out_len, uint64_t wall_ns)
{
    const unsigned flags = CMW_READ_STATUS_LINE | CMW_READ_LENGTH;
    struct room *out = &req->seat->out;
    size_t len = 0;

    if (cmw_response_write_head(response, &len, out->data, out->cap, flags) == CMW_ERR_LIMIT ||
        out->cap - len < TAIL_CAP + body_len) {
        if (cmw__civetweb_reserve(out, req->seat->adapter->scratch_pool,
                                  len + TAIL_CAP + body_len) != 0)
            return CMW_ERR_NOMEM;
        if (cmw_response_write_head(response, &len, out->data, out->cap, flags) != 0)
            return CMW_ERR_NOMEM;
    }
    char *at = put_tail((char *)out->data + len, req, response, wall_ns);
    at = put(at, cmw_str_make(cmw_response_body(response).data, body_len));
    *out_len = (size_t)(at - (char *)out->data);
    return 0;
}

static int write_all(struct mg_connection *connection, cmw_str bytes)
{
    while (bytes.len > 0) {
        const size_t part = bytes.len < INT32_MAX ? bytes.len : INT32_MAX;
        if (mg_write(connection, bytes.data, part) != (int)part)
            return CMW_ERR_IO;
        bytes = cmw_str_make(bytes.data + part, bytes.len - part);
    }
    return 0;
}

/* ---- Bodies that are made while they are sent ------------------------------------------------ */

/* "5dc", CRLF, the piece, CRLF: one write. */
static int write_chunk(struct request *req, cmw_str piece)
{
    static const char digits[] = "0123456789abcdef";
    struct room *out = &req->seat->out;
    char size[16];
    size_t at = sizeof size;

    for (size_t rest = piece.len; rest > 0; rest /= 16)
        size[--at] = digits[rest % 16];
    if (cmw__civetweb_reserve(out, req->seat->adapter->scratch_pool, piece.len + sizeof size + 4) !=
        0)
        return CMW_ERR_NOMEM;
    char *end = put(out->data, cmw_str_make(size + at, sizeof size - at));
    end = put(put(put(end, CMW_STR("\r\n")), piece), CMW_STR("\r\n"));
    return write_all(req->connection, cmw_str_make(out->data, (size_t)(end - (char *)out->data)));
}

/* The next piece, which may be waited for. */
static int read_piece(const struct request *req, cmw_chunk *chunk)
{
    int rc = cmw_ctx_read_body(req->ctx, chunk);

    while (rc == CMW_ERR_AGAIN) {
        if (cmw__civetweb_wait(req->seat, req->ctx) != CMW_TO_RESPOND)
            return CMW_ERR_CANCELLED;
        rc = cmw_ctx_read_body(req->ctx, chunk);
    }
    return rc;
}

/* The last chunk, the fields behind it, and the empty line: one write. */
static int write_end(struct request *req)
{
    struct room *out = &req->seat->out;
    size_t count, len = 5;
    const cmw_header *trailers = cmw_ctx_response_trailers(req->ctx, &count);

    for (size_t i = 0; i < count; i++)
        len += trailers[i].name.len + trailers[i].value.len + 4;
    if (cmw__civetweb_reserve(out, req->seat->adapter->scratch_pool, len) != 0)
        return CMW_ERR_NOMEM;
    char *end = put(out->data, CMW_STR("0\r\n"));
    for (size_t i = 0; i < count; i++) {
        end = put(put(end, trailers[i].name), CMW_STR(": "));
        end = put(put(end, trailers[i].value), CMW_STR("\r\n"));
    }
    end = put(end, CMW_STR("\r\n"));
    return write_all(req->connection, cmw_str_make(out->data, (size_t)(end - (char *)out->data)));
}

static int write_stream(struct request *req)
{
    cmw_chunk chunk = {{NULL, 0}, 0, 0};
    int rc = 0;

    while (rc == 0 && !chunk.is_last) {
        rc = read_piece(req, &chunk);
        if (rc == 0 && chunk.bytes.len > 0)
            rc = req->is_chunked ? write_chunk(req, chunk.bytes)
                                 : write_all(req->connection, chunk.bytes);
    }
    return rc == 0 && req->is_chunked ? write_end(req) : rc;
}

/* How the end of a body of unknown length is told: by chunks, or by the connection's. 1 if it is
 * read a piece at a time, as is one that fields follow. */
static int choose_framing(struct request *req, const cmw_response *response)
{
    if (!req->ctx || !(cmw_ctx_streams_body(req->ctx) || cmw_ctx_sends_trailers(req->ctx)))
        return 0;
    if (cmw_response_content_length(response) == UINT64_MAX) {
        req->is_chunked = cmw_request_http_version(cmw_ctx_request(req->ctx)) >= 0x0101;
        req->must_close |= !req->is_chunked;
    }
    return 1;
}

int cmw__civetweb_send(struct request *req, const cmw_response *response, uint64_t wall_ns)
{
    const struct mg_request_info *info = mg_get_request_info(req->connection);
    cmw_civetweb *const adapter = req->seat->adapter;
    size_t len;

    req->must_close |= !adapter->keeps_alive || !cmw__head_keeps_alive(info) ||
                       atomic_load_explicit(&adapter->is_quiet, memory_order_relaxed);
    if (cmw_response_status(response) < 200)
        return CMW_ERR_UNSUPPORTED;
    const int is_stream = choose_framing(req, response);
    const cmw_str body = is_stream ? CMW_STR("") : cmw_response_body(response);
    const size_t behind = body.len <= SMALL_BODY ? body.len : 0;
    int rc = write_out(req, response, behind, &len, wall_ns);
    if (rc == 0)
        rc = write_all(req->connection, cmw_str_make(req->seat->out.data, len));
    if (rc == 0 && behind < body.len)
        rc = write_all(req->connection, body);
    return rc == 0 && is_stream ? write_stream(req) : rc;
}
