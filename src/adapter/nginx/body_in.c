/* SPDX-License-Identifier: MIT */
/*
 * The body of a request whose plan looks at it: nginx reads it whole, into memory or a file, the
 * plan is fed a piece at a time, and what it made of it takes its place, for upstreams.
 */
#include "module.h"

enum { PIECE_BYTES = 16 * 1024 };

/* ---- To the plan -------------------------------------------------------------------------- */

static ngx_int_t read_piece(struct seat *seat, const ngx_buf_t *buf, cmw_chunk *chunk)
{
    const off_t left = buf->file_last - buf->file_pos - seat->feed_at;
    const size_t len = left < PIECE_BYTES ? (size_t)left : PIECE_BYTES;

    if (!seat->feed_room)
        seat->feed_room = ngx_pnalloc(seat->request->pool, PIECE_BYTES);
    if (!seat->feed_room || ngx_read_file(buf->file, seat->feed_room, len,
                                          buf->file_pos + seat->feed_at) != (ssize_t)len)
        return NGX_ERROR;
    chunk->bytes = cmw_str_make((const char *)seat->feed_room, len);
    return NGX_OK;
}

/* The next piece; behind the last one an empty one. */
static ngx_int_t next_piece(struct seat *seat, cmw_chunk *chunk)
{
    *chunk = (cmw_chunk){CMW_STR(""), 1, 0};
    while (seat->feed && seat->feed_at >= ngx_buf_size(seat->feed->buf)) {
        seat->feed = seat->feed->next;
        seat->feed_at = 0;
    }
    if (!seat->feed)
        return NGX_OK;
    const ngx_buf_t *buf = seat->feed->buf;
    chunk->is_last = 0;
    if (ngx_buf_in_memory(buf))
        chunk->bytes = cmw_str_make((const char *)buf->pos + seat->feed_at,
                                    (size_t)(ngx_buf_size(buf) - seat->feed_at));
    else if (read_piece(seat, buf, chunk) != NGX_OK)
        return NGX_ERROR;
    seat->feed_at += (off_t)chunk->bytes.len;
    return NGX_OK;
}

int body_in_feed(struct seat *seat)
{
    cmw_next next = CMW_TO_HANDLER;
    cmw_chunk chunk;

    do {
        if (next_piece(seat, &chunk) != NGX_OK) {
            cmw_ctx_fail(seat->ctx, NGX_HTTP_INTERNAL_SERVER_ERROR);
            return (int)cmw_ctx_commit(seat->ctx);
        }
        seat->is_fed = chunk.is_last != 0;
        next = cmw_ctx_feed_body(seat->ctx, &chunk);
    } while (next == CMW_TO_HANDLER && !seat->is_fed);
    return (int)next;
}

/* ---- Back to nginx ------------------------------------------------------------------------ */

static ngx_int_t write_length(ngx_http_request_t *r, size_t len)
{
    ngx_table_elt_t *field = r->headers_in.content_length;

    r->headers_in.content_length_n = (off_t)len;
    if (!field)
        return NGX_OK;
    u_char *text = ngx_pnalloc(r->pool, NGX_SIZE_T_LEN + 1);
    if (!text)
        return NGX_ERROR;
    u_char *end = ngx_sprintf(text, "%uz", len);
    *end = '\0';
    field->value.data = text;
    field->value.len = (size_t)(end - text);
    return NGX_OK;
}

ngx_int_t body_in_write(struct seat *seat)
{
    ngx_http_request_t *r = seat->request;
    const cmw_str body = cmw_request_body(cmw_ctx_request(seat->ctx));
    ngx_chain_t *link = ngx_alloc_chain_link(r->pool);
    ngx_buf_t *buf = ngx_calloc_buf(r->pool);

    if (!link || !buf || !r->request_body)
        return NGX_ERROR;
    buf->pos = buf->start = (u_char *)(uintptr_t)body.data; /* the context's: as long as r */
    buf->last = buf->end = buf->pos + body.len;
    buf->memory = 1;
    link->buf = buf;
    link->next = NULL;
    r->request_body->bufs = body.len > 0 ? link : NULL;
    r->request_body->temp_file = NULL;
    return write_length(r, body.len);
}
