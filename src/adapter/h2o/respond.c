/* SPDX-License-Identifier: MIT */
/*
 * Our response as H2O's.
 *
 * Over HTTP/1 an answer is sent in two steps, first all of it and then its end, since H2O tells of
 * what was written only between two steps. Over HTTP/2 it is one, and counted.
 */
#include <string.h>
#include <sys/socket.h>

#include "state.h"

/* ---- Fields ------------------------------------------------------------------------------- */

enum { FIRST_FIELDS = 24, SPARE_FIELDS = 4, FIRST_BYTES = 1024 };

/* The response's fields in the making: entries, then names of those that H2O does not know. */
struct fields {
    h2o_header_t *entries;
    h2o_iovec_t *names;
    size_t cap;
    size_t count;
};

static int make_room(struct seat *seat, struct fields *fields, size_t cap)
{
    const size_t bytes = cap * (sizeof *fields->entries + sizeof *fields->names);

    if (cmw__h2o_reserve(&seat->field_room, seat->loop->scratch_pool, bytes) != 0)
        return CMW_ERR_NOMEM;
    fields->entries = seat->field_room.data;
    fields->cap = seat->field_room.cap / (sizeof *fields->entries + sizeof *fields->names);
    fields->names = (h2o_iovec_t *)(fields->entries + fields->cap);
    fields->count = 0;
    return 0;
}

/* H2O neither writes names nor values. */
static h2o_iovec_t borrow(cmw_str text)
{
    h2o_iovec_t out;

    out.base = (char *)(uintptr_t)text.data;
    out.len = text.len;
    return out;
}

/* Names that H2O knows are its tokens. */
static void add_field(struct fields *fields, const cmw_h2o *adapter, const cmw_field *field)
{
    const h2o_token_t *token = field->id != CMW_HDR_OTHER
                                   ? adapter->tokens[field->id]
                                   : h2o_lookup_token(field->lower, field->name.len);
    h2o_header_t *entry = &fields->entries[fields->count];

    if (token) {
        entry->name = (h2o_iovec_t *)(uintptr_t)&token->buf;
    } else {
        entry->name = &fields->names[fields->count];
        *entry->name = borrow(cmw_str_make(field->lower, field->name.len));
    }
    entry->orig_name = NULL;
    entry->value = borrow(field->value);
    fields->count++;
}

/* 0, or CMW_ERR_LIMIT when there is no room for all. */
static int add_fields(struct fields *fields, const struct seat *seat, const cmw_response *response,
                      size_t spare)
{
    cmw_field_cursor cursor = {0};
    const cmw_field *run;
    size_t count;

    while ((count = cmw_response_next_fields(response, &cursor, &run)) > 0) {
        if (fields->count + count + spare > fields->cap)
            return CMW_ERR_LIMIT;
        for (size_t i = 0; i < count; i++)
            add_field(fields, seat->site->adapter, &run[i]);
    }
    return 0;
}

/* Fields that are not the engine's: those put aside, and those added since our filter. */
static void add_others(struct fields *fields, const struct seat *seat)
{
    const h2o_headers_t *now = &seat->req->res.headers;

    for (size_t i = 0; i < seat->others.size; i++)
        fields->entries[fields->count++] = seat->others.entries[i];
    for (size_t i = seat->adopted; i < now->size; i++)
        fields->entries[fields->count++] = now->entries[i];
}

/* Their entries stay where they are while they are copied: those of our room come first. */
static int write_fields(struct seat *seat, const cmw_response *response)
{
    h2o_headers_t *out = &seat->req->res.headers;
    const size_t others = seat->others.size + (out->size - seat->adopted) + SPARE_FIELDS;
    struct fields fields;

    for (size_t cap = FIRST_FIELDS + others;; cap = fields.cap * 2) {
        if (make_room(seat, &fields, cap) != 0)
            return CMW_ERR_NOMEM;
        if (add_fields(&fields, seat, response, others) == 0)
            break;
    }
    add_others(&fields, seat);
    out->entries = fields.entries;
    out->capacity = fields.cap;
    out->size = fields.count;
    return 0;
}

/* ---- Head --------------------------------------------------------------------------------- */

/* With a NUL behind it, as HTTP/1 wants it. */
static const char *make_phrase(h2o_req_t *req, int status)
{
    if (status == 200)
        return "OK";
    const cmw_str phrase = cmw_status_reason(status);
    return phrase.len > 0 ? h2o_strdup(&req->pool, phrase.data, phrase.len).base : "";
}

int cmw__h2o_status_has_body(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

int cmw__h2o_has_body(const h2o_req_t *req, int status)
{
    return cmw__h2o_status_has_body(status) &&
           !h2o_memis(req->input.method.base, req->input.method.len, H2O_STRLIT("HEAD"));
}

int cmw__h2o_write_head(struct seat *seat, const cmw_response *response)
{
    h2o_res_t *res = &seat->req->res;
    const int status = cmw_response_status(response);

    if (status < 200)
        return CMW_ERR_UNSUPPORTED;
    if (write_fields(seat, response) != 0)
        return CMW_ERR_NOMEM;
    res->status = status;
    res->reason = make_phrase(seat->req, status);
    return 0;
}

/* ---- All fields as one -------------------------------------------------------------------- */

enum { LENGTH_BYTES = sizeof "18446744073709551615\r\n" - 1 };

/* One field of H2O's, whose value goes on with the lines of all others. */
struct block {
    h2o_header_t entry;
    h2o_iovec_t name;
    char bytes[];
};

/*
 * 1 if nobody looks at single fields: HTTP/1, and no filter or logger but ours and the one of H2O's
 * that makes chunks, which only looks for a coding of an answer without a length.
 */
static int takes_block(const h2o_req_t *req)
{
    return req->version < 0x200 && req->pathconf->filters.size == 2 &&
           req->pathconf->loggers.size == 1 && !req->prefilters->next;
}

/* As the rest of a line; nothing for a length that is not known. */
static char *write_length(char *out, uint64_t length)
{
    char digits[LENGTH_BYTES];
    size_t at = sizeof digits;

    if (length == UINT64_MAX)
        return out;
    do {
        digits[--at] = (char)('0' + length % 10);
        length /= 10;
    } while (length > 0);
    while (at < sizeof digits)
        *out++ = digits[at++];
    *out++ = '\r';
    *out++ = '\n';
    return out;
}

static char *write_text(char *out, cmw_str text)
{
    memcpy(out, text.data, text.len);
    return out + text.len;
}

/* Length, H2O's name and fields in the seat's room; NULL without memory. */
static struct block *fill_block(struct seat *seat, const cmw_response *response, uint64_t length,
                                size_t *len)
{
    const struct loop *loop = seat->loop;
    size_t bytes = FIRST_BYTES;

    for (;;) {
        if (cmw__h2o_reserve(&seat->field_room, loop->scratch_pool,
                             sizeof(struct block) + LENGTH_BYTES + loop->server_line.len + bytes) !=
            0)
            return NULL;
        struct block *block = seat->field_room.data;
        char *const fields = write_text(write_length(block->bytes, length), loop->server_line);
        const size_t used = (size_t)(fields - block->bytes);
        const size_t cap = seat->field_room.cap - sizeof *block - used;
        if (cmw_response_write_head(response, len, fields, cap, CMW_READ_FIELDS) == 0) {
            *len += used;
            return block;
        }
        bytes = *len;
    }
}

/* The field that all are: with the name of the first one. */
static void name_block(struct block *block, size_t len, int has_length)
{
    const char *value = block->bytes;

    if (has_length) {
        block->name = h2o_iovec_init(H2O_STRLIT("Content-Length"));
    } else {
        const char *colon = memchr(block->bytes, ':', len); /* every line has one, and a blank */
        block->name = h2o_iovec_init(block->bytes, (size_t)(colon - block->bytes));
        value = colon + 2;
    }
    block->entry.name = &block->name;
    block->entry.orig_name = NULL;
    block->entry.value = h2o_iovec_init(value, len - 2 - (size_t)(value - block->bytes));
}

/* With the length and H2O's name, which H2O would format by sprintf at 500 instructions each. */
static int write_block(struct seat *seat, const cmw_response *response, uint64_t length)
{
    h2o_res_t *res = &seat->req->res;
    size_t len;

    struct block *block = fill_block(seat, response, length, &len);
    if (!block)
        return CMW_ERR_NOMEM;
    seat->is_block = 1;
    seat->has_length = length != UINT64_MAX;
    res->content_length = SIZE_MAX;
    res->headers.size = 0;
    if (len == 0)
        return 0;
    name_block(block, len, seat->has_length);
    res->headers.entries = &block->entry;
    res->headers.size = res->headers.capacity = 1;
    return 0;
}

static int write_answer(struct seat *seat, const cmw_response *response)
{
    h2o_res_t *res = &seat->req->res;
    const int status = cmw_response_status(response);
    const uint64_t length = cmw_response_content_length(response);

    if (status < 200 || !takes_block(seat->req)) {
        res->content_length = length == UINT64_MAX ? SIZE_MAX : (size_t)length;
        return cmw__h2o_write_head(seat, response);
    }
    res->status = status;
    res->reason = make_phrase(seat->req, status);
    return write_block(seat, response, length);
}

/* The head goes out with the first piece; H2O formats it in here, and calls nobody. */
static void send_head(struct seat *seat, h2o_iovec_t *pieces, size_t count, h2o_send_state_t state)
{
    h2o_req_t *req = seat->req;
    h2o_context_t *context = req->conn->ctx;
    h2o_globalconf_t *const config = context->globalconf;

    h2o_start_response(req, &seat->generator);
    if (seat->is_block) /* our bytes have the server's name */
        context->globalconf = &seat->loop->silent;
    h2o_send(req, pieces, count, state);
    context->globalconf = config;
}

/* ---- Our own answers ---------------------------------------------------------------------- */

/* All is written; H2O goes on to the next request in here, and the seat is gone. */
static void on_written(h2o_generator_t *generator, h2o_req_t *req)
{
    struct seat *seat = H2O_STRUCT_FROM_MEMBER(struct seat, generator, generator);

    seat->is_sent = 1;
    h2o_send(req, NULL, 0, H2O_SEND_STATE_FINAL);
}

void cmw__h2o_cut(struct seat *seat)
{
    h2o_req_t *req = seat->req;

    seat->is_refused = 1;
    if (req->version >= 0x200)
        return;
    req->http1_is_persistent = 0;
    (void)shutdown(h2o_socket_get_fd(req->conn->callbacks->get_socket(req->conn)), SHUT_RDWR);
}

/* ---- Bodies that are made while they are sent --------------------------------------------- */

/* The client is not to take for whole what it has. */
static void cut(struct seat *seat)
{
    h2o_req_t *req = seat->req;

    cmw__h2o_cut(seat);
    seat->is_read = 1;
    h2o_send(req, NULL, 0, req->version < 0x200 ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_ERROR);
}

/* The end; over HTTP/1 H2O goes on to the next request in here, and the seat is gone. */
static void send_end(struct seat *seat, h2o_iovec_t *piece, size_t count)
{
    seat->is_sent = seat->req->version < 0x200;
    h2o_send(seat->req, piece, count, H2O_SEND_STATE_FINAL);
}

/* One piece, the end, or nothing until the source goes on. */
static void send_piece(struct seat *seat)
{
    cmw_chunk chunk;

    if (seat->is_read) {
        send_end(seat, NULL, 0);
        return;
    }
    const int rc = cmw_ctx_read_body(seat->ctx, &chunk);
    if (rc == CMW_ERR_AGAIN)
        return;
    if (rc != 0) {
        cut(seat);
        return;
    }
    h2o_iovec_t piece = borrow(chunk.bytes);
    seat->is_read = chunk.is_last != 0;
    seat->is_sending = 1;
    if (chunk.is_last && (chunk.bytes.len == 0 || seat->req->version >= 0x200))
        send_end(seat, &piece, chunk.bytes.len > 0);
    else
        h2o_send(seat->req, &piece, 1, H2O_SEND_STATE_IN_PROGRESS);
}

/* What was sent is with the system, or within the client's window. */
static void on_piece_sent(h2o_generator_t *generator, h2o_req_t *req)
{
    struct seat *seat = H2O_STRUCT_FROM_MEMBER(struct seat, generator, generator);

    (void)req;
    seat->is_sending = 0;
    send_piece(seat);
}

void cmw__h2o_go_on_streaming(struct seat *seat)
{
    if (!seat->is_sending)
        send_piece(seat);
}

/* The head first, whenever the body comes. HTTP/1.0 knows no chunks: the end of the connection is
 * that of the body. */
static void begin_stream(struct seat *seat)
{
    h2o_req_t *req = seat->req;

    if (req->version < 0x101 && req->res.content_length == SIZE_MAX && !seat->has_length)
        req->http1_is_persistent = 0;
    seat->is_streaming = 1;
    seat->is_sending = 1;
    seat->generator.proceed = on_piece_sent;
    send_head(seat, NULL, 0, H2O_SEND_STATE_IN_PROGRESS);
}

/* 0, or the response cannot be sent. */
static int begin_answer(struct seat *seat, const cmw_response *response)
{
    memset(&seat->req->res.headers, 0, sizeof seat->req->res.headers);
    const int rc = write_answer(seat, response);
    if (rc != 0)
        return rc;
    seat->state = SEAT_ANSWERED;
    seat->generator.stop = NULL;
    return 0;
}

void cmw__h2o_respond(struct seat *seat)
{
    h2o_req_t *req = seat->req;
    const cmw_response *response = cmw_ctx_response(seat->ctx);
    const cmw_str body = cmw_response_body(response);

    if (begin_answer(seat, response) != 0) {
        cmw__h2o_refuse(seat);
        return;
    }
    if (cmw_ctx_streams_body(seat->ctx)) {
        begin_stream(seat);
        return;
    }
    h2o_iovec_t piece = borrow(body);
    const size_t count = body.len > 0 && cmw__h2o_has_body(req, req->res.status);
    seat->generator.proceed = on_written;
    send_head(seat, &piece, count,
              req->version < 0x200 ? H2O_SEND_STATE_IN_PROGRESS : H2O_SEND_STATE_FINAL);
}

/* ---- Answers without a context ------------------------------------------------------------ */

static void respond_bare(h2o_req_t *req, int status, h2o_iovec_t body, h2o_send_state_t state)
{
    static h2o_generator_t generator = {NULL, NULL};

    req->res.status = status;
    req->res.reason = make_phrase(req, status);
    req->res.content_length = body.len;
    h2o_start_response(req, &generator);
    h2o_send(req, &body, body.len > 0 && cmw__h2o_has_body(req, status), state);
}

/* It may be gone before it is sent: all is copied. */
static void copy_fields(h2o_req_t *req, const cmw_response *response)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;

    while (cmw_response_next_header(response, &cursor, &field, CMW_READ_LOWER_CASE)) {
        const h2o_iovec_t name = h2o_strdup(&req->pool, field.name.data, field.name.len);
        const h2o_iovec_t value = h2o_strdup(&req->pool, field.value.data, field.value.len);
        h2o_add_header_by_str(&req->pool, &req->res.headers, name.base, name.len, 1, NULL,
                              value.base, value.len);
    }
}

void cmw__h2o_respond_overload(cmw_worker *worker, h2o_req_t *req)
{
    const cmw_response *response = worker ? cmw_worker_overload_response(worker) : NULL;
    h2o_iovec_t body = {NULL, 0};

    cmw__h2o_mark(req, NULL); /* not to be asked again */
    memset(&req->res.headers, 0, sizeof req->res.headers);
    if (response) {
        const cmw_str text = cmw_response_body(response);
        copy_fields(req, response);
        body = h2o_strdup(&req->pool, text.data, text.len);
    }
    respond_bare(req, 503, body, H2O_SEND_STATE_FINAL);
}

void cmw__h2o_refuse(struct seat *seat)
{
    h2o_req_t *req = seat->req;
    h2o_iovec_t nothing = {NULL, 0};

    seat->state = SEAT_ANSWERED;
    cmw__h2o_cut(seat);
    memset(&req->res.headers, 0, sizeof req->res.headers);
    respond_bare(req, 500, nothing,
                 req->version < 0x200 ? H2O_SEND_STATE_FINAL : H2O_SEND_STATE_ERROR);
}
