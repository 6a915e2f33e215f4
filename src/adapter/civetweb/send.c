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

/* Date, Connection, the empty line. */
static char *put_tail(char *to, struct request *req, const cmw_response *response, uint64_t wall_ns)
{
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

int cmw__civetweb_send(struct request *req, const cmw_response *response, uint64_t wall_ns)
{
    const struct mg_request_info *info = mg_get_request_info(req->connection);
    cmw_civetweb *const adapter = req->seat->adapter;
    const cmw_str body = cmw_response_body(response);
    const size_t behind = body.len <= SMALL_BODY ? body.len : 0;
    size_t len;

    req->must_close |= !adapter->keeps_alive || !cmw__head_keeps_alive(info) ||
                       atomic_load_explicit(&adapter->is_quiet, memory_order_relaxed);
    if (cmw_response_status(response) < 200)
        return CMW_ERR_UNSUPPORTED;
    int rc = write_out(req, response, behind, &len, wall_ns);
    if (rc == 0)
        rc = write_all(req->connection, cmw_str_make(req->seat->out.data, len));
    if (rc == 0 && behind < body.len)
        rc = write_all(req->connection, body);
    return rc;
}
