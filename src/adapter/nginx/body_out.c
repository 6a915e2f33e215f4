/* SPDX-License-Identifier: MIT */
/*
 * Bodies of responses that are read from the engine.
 *
 *     nginx's body ── push ──> input ──> the plan's callbacks ──> one piece ──> next filters
 *     a source of middleware ────────────┘
 *
 * nginx pushes and the engine pulls. One piece is out at a time: the next one is asked for when the
 * client's socket has taken it. What nginx gave stays unconsumed meanwhile, which keeps its files
 * and upstreams from reading on.
 */
#include "module.h"

/* ---- nginx's body, as a source ------------------------------------------------------------ */

static void release_taken(struct seat *seat)
{
    if (seat->taken)
        seat->taken->pos = seat->taken->last;
    seat->taken = NULL;
}

static ngx_buf_t *pop(struct seat *seat)
{
    ngx_chain_t *link = seat->input;
    ngx_buf_t *buf = link->buf;

    seat->input = link->next;
    ngx_free_chain(seat->request->pool, link);
    return buf;
}

/* The copy filter has read files into memory. */
static int on_read(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct seat *seat = self;
    (void)ctx;

    seat->asks = 1;
    release_taken(seat);
    while (seat->input) {
        ngx_buf_t *buf = pop(seat);
        const size_t len = ngx_buf_in_memory(buf) ? (size_t)(buf->last - buf->pos) : 0;

        if (len == 0 && ngx_buf_size(buf) > 0)
            return CMW_ERR_UNSUPPORTED;
        if (len == 0 && !buf->last_buf)
            continue;
        seat->taken = len > 0 ? buf : NULL;
        chunk->bytes = len > 0 ? cmw_str_make((const char *)buf->pos, len) : CMW_STR("");
        chunk->is_last = buf->last_buf;
        return 0;
    }
    return CMW_ERR_AGAIN;
}

int body_out_open(struct seat *seat, cmw_str type, uint64_t length)
{
    return site_stream_body(seat->ctx, (int)seat->request->headers_out.status, type, length,
                            on_read, seat);
}

/* ---- Through ------------------------------------------------------------------------------ */

/* Reading shows whose body it is: middleware may have put one of its own in place of nginx's. */
ngx_int_t body_out_begin(struct seat *seat)
{
    seat->streams = cmw_ctx_streams_body(seat->ctx) != 0;
    if (!seat->streams)
        return NGX_OK;
    const int rc = cmw_ctx_read_body(seat->ctx, &seat->first);
    seat->has_first = rc == 0;
    return rc == 0 || rc == CMW_ERR_AGAIN ? NGX_OK : NGX_ERROR;
}

ngx_int_t body_out_push(struct seat *seat, ngx_chain_t *in)
{
    return ngx_chain_add_copy(seat->request->pool, &seat->input, in);
}

static int is_busy(const struct seat *seat)
{
    return seat->own_buffer.pos != seat->own_buffer.last;
}

static int next_chunk(struct seat *seat, cmw_chunk *chunk)
{
    if (!seat->has_first)
        return cmw_ctx_read_body(seat->ctx, chunk);
    *chunk = seat->first;
    seat->has_first = 0;
    return 0;
}

/* Behind the last piece: nginx's filters of chunks and of HTTP/2 write them from its list. */
ngx_int_t body_out_end(const struct seat *seat)
{
    ngx_list_t *list = &seat->request->headers_out.trailers;
    size_t count = 0;
    const cmw_header *trailers = seat->ctx ? cmw_ctx_response_trailers(seat->ctx, &count) : NULL;

    for (size_t i = 0; i < count; i++) {
        ngx_table_elt_t *elt = ngx_list_push(list);
        if (!elt)
            return NGX_ERROR;
        ngx_memzero(elt, sizeof *elt);
        elt->hash = 1;
        elt->key.data = (u_char *)(uintptr_t)trailers[i].name.data;
        elt->key.len = trailers[i].name.len;
        elt->value.data = (u_char *)(uintptr_t)trailers[i].value.data;
        elt->value.len = trailers[i].value.len;
    }
    return NGX_OK;
}

/* Each piece is flushed: one that nginx keeps for the next to come would never be followed. */
static ngx_int_t send_chunk(struct seat *seat, const cmw_chunk *chunk, body_send_fn *send)
{
    ngx_buf_t *buffer = &seat->own_buffer;

    ngx_memzero(buffer, sizeof *buffer);
    if (chunk->bytes.len > 0) {
        buffer->pos = buffer->start = (u_char *)(uintptr_t)chunk->bytes.data;
        buffer->last = buffer->end = buffer->pos + chunk->bytes.len;
        buffer->memory = 1;
    }
    buffer->last_buf = chunk->is_last != 0;
    buffer->last_in_chain = 1;
    buffer->flush = !chunk->is_last;
    seat->own_body.buf = buffer;
    seat->own_body.next = NULL;
    seat->passed += (off_t)chunk->bytes.len;
    seat->has_sent_last = chunk->is_last != 0;
    if (chunk->is_last && body_out_end(seat) != NGX_OK)
        return NGX_ERROR;
    return send(seat->request, &seat->own_body);
}

/* With nothing to send, nginx takes a call for a mistake. */
static ngx_int_t flush(const struct seat *seat, body_send_fn *send)
{
    ngx_http_request_t *r = seat->request;

    return r->out || (r->connection->buffered & NGX_LOWLEVEL_BUFFERED) ? send(r, NULL) : NGX_OK;
}

ngx_int_t body_out_pump(struct seat *seat, body_send_fn *send)
{
    cmw_chunk chunk = {CMW_STR(""), 0, 0};

    for (;;) {
        if (is_busy(seat) && flush(seat, send) == NGX_ERROR)
            return NGX_ERROR;
        if (is_busy(seat))
            return NGX_AGAIN;
        if (seat->has_sent_last) {
            release_taken(seat);
            return flush(seat, send);
        }
        const int rc = next_chunk(seat, &chunk);
        if (rc == CMW_ERR_AGAIN)
            return NGX_DECLINED;
        if (rc != 0 || send_chunk(seat, &chunk, send) == NGX_ERROR)
            return NGX_ERROR;
    }
}
