/* SPDX-License-Identifier: MIT */
/*
 * Every response on its way out, whatever made it: a file, `return`, an upstream, an error page,
 * nginx's own errors.
 *
 * The head filter runs post_route. nginx's body then goes on as it is, unless the plan looks at
 * bodies: then it goes through the engine (body_out.c). Where post_route, or a fault, has put
 * another in its place, that one is sent instead, and nginx's is swallowed.
 */
#include "module.h"

static ngx_http_output_header_filter_pt next_header;
static ngx_http_output_body_filter_pt next_body;
static ngx_http_request_body_filter_pt next_request_body;

/* ---- Head --------------------------------------------------------------------------------- */

static ngx_int_t commit(struct seat *seat)
{
    const cmw_next next = cmw_ctx_commit(seat->ctx);
    const cmw_response *response = cmw_ctx_response(seat->ctx);

    seat->stage = STAGE_COMMITTED;
    if (next != CMW_TO_RESPOND || cmw_response_status(response) < 200 ||
        body_out_begin(seat) != NGX_OK)
        return NGX_ERROR;
    seat->replaces_body = !seat->streams && !cmw_response_passes_body(response) &&
                          !cmw_ctx_streams_from(seat->ctx, seat);
    if (seat->streams) { /* files are read by the copy filter, also those of subrequests */
        seat->request->filter_need_in_memory = 1;
        seat->request->main_filter_need_in_memory = 1;
    }
    return fields_out_import(seat, response);
}

/* One that passed while a handler kept the process: the loop has not come round since. */
static void look_at_deadline(struct seat *seat)
{
    const uint64_t at_ns = cmw_ctx_deadline(seat->ctx);

    if (at_ns != 0 && cmw_ctx_now_ns(seat->ctx) >= at_ns)
        (void)cmw_ctx_cancel(seat->ctx, CMW_END_DEADLINE); /* commit makes the answer */
}

/* nginx refuses, or leads elsewhere: nothing that a look at the request's body would guard. */
static int is_own_answer(const struct seat *seat)
{
    return seat->request->headers_out.status >= NGX_HTTP_SPECIAL_RESPONSE;
}

static ngx_int_t decorate(struct seat *seat)
{
    if (!seat->is_fed && is_own_answer(seat))
        request_skip_body(seat);
    look_at_deadline(seat);
    if (!cmw_ctx_fault(seat->ctx) && fields_out_export(seat, cmw_ctx_response(seat->ctx)) != NGX_OK)
        cmw_ctx_fail(seat->ctx, NGX_HTTP_INTERNAL_SERVER_ERROR);
    return commit(seat);
}

/* nginx refuses what it cannot read before any phase: the plan's fields are on its answer, too. */
static ngx_int_t decorate_refusal(ngx_http_request_t *r)
{
    const struct place *place = ngx_http_get_module_loc_conf(r, ngx_http_catzilla_mw_module);
    int refusal = 0;

    if (!place->site || r->headers_out.status < NGX_HTTP_BAD_REQUEST)
        return NGX_OK;
    struct seat *seat = request_begin(r, place->site, &refusal);
    if (!seat || !seat->ctx)
        return NGX_OK; /* without memory its own answer serves */
    cmw_ctx_fail(seat->ctx, (int)r->headers_out.status);
    return commit(seat);
}

static ngx_int_t on_head(ngx_http_request_t *r)
{
    ngx_int_t rc = NGX_OK;

    if (r != r->main || r->headers_out.status == NGX_HTTP_SWITCHING_PROTOCOLS)
        return next_header(r);
    struct seat *seat = request_find(r);
    if (!seat)
        rc = decorate_refusal(r);
    else if (seat->stage < STAGE_ANSWERED)
        rc = seat->ctx ? decorate(seat) : NGX_OK;
    return rc == NGX_OK ? next_header(r) : NGX_ERROR;
}

/* ---- Body --------------------------------------------------------------------------------- */

/* As if it had been sent. */
static void swallow(const ngx_chain_t *in)
{
    for (; in; in = in->next) {
        in->buf->pos = in->buf->last;
        in->buf->file_pos = in->buf->file_last;
    }
}

static ngx_int_t send_own(struct seat *seat)
{
    const cmw_str body = cmw_response_body(cmw_ctx_response(seat->ctx));
    ngx_buf_t *buffer = &seat->own_buffer;

    seat->has_sent_own = 1;
    if (body.len > 0) {
        buffer->pos = buffer->start = (u_char *)(uintptr_t)body.data;
        buffer->last = buffer->end = buffer->pos + body.len;
        buffer->memory = 1;
    }
    buffer->last_buf = 1;
    buffer->last_in_chain = 1;
    seat->own_body.buf = buffer;
    seat->passed = (off_t)body.len;
    seat->has_sent_last = 1;
    return body_out_end(seat) == NGX_OK ? next_body(seat->request, &seat->own_body) : NGX_ERROR;
}

/* With nothing to send, nginx takes a call for a mistake. */
static ngx_int_t flush(ngx_http_request_t *r)
{
    return r->out || (r->connection->buffered & NGX_LOWLEVEL_BUFFERED) ? next_body(r, NULL)
                                                                       : NGX_OK;
}

static void note_passed(struct seat *seat, const ngx_chain_t *in)
{
    for (; in; in = in->next) {
        seat->passed += ngx_buf_size(in->buf);
        seat->has_sent_last |= in->buf->last_buf;
    }
}

/* A flag of a connection that waits for more, beside nginx's own. */
enum { BUFFERED = 0x40 };

static ngx_int_t on_streamed(struct seat *seat, ngx_chain_t *in)
{
    ngx_connection_t *c = seat->request->connection;

    if (!seat->ctx || (in && body_out_push(seat, in) != NGX_OK))
        return NGX_ERROR;
    const ngx_int_t rc = body_out_pump(seat, next_body);
    if (rc == NGX_ERROR) {
        c->error = 1; /* nobody may take it for whole */
        return NGX_ERROR;
    }
    if (!seat->asks || seat->has_sent_last) {
        swallow(seat->input);
        seat->input = NULL;
    }
    c->buffered &= ~(unsigned)BUFFERED & 0xff;
    if (rc != NGX_DECLINED)
        return rc;
    if (!seat->asks)
        c->buffered |= BUFFERED; /* its source waits */
    return c->buffered ? NGX_AGAIN : NGX_OK;
}

static ngx_int_t on_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    struct seat *seat = request_find(r);

    if (seat && seat->streams && seat->stage == STAGE_COMMITTED)
        return on_streamed(seat, in);
    if (!seat || !in)
        return next_body(r, in);
    if (seat->replaces_body) {
        swallow(in);
        return seat->has_sent_own ? flush(seat->request) : send_own(seat);
    }
    if (!seat->streams) /* else body_out.c has counted it */
        note_passed(seat, in);
    return next_body(r, in);
}

/* ---- The body of the request -------------------------------------------------------------- */

/* A piece has come in time: so must the next. */
static ngx_int_t note_piece(struct seat *seat)
{
    return seat->stage == STAGE_READING && cmw_ctx_await_body(seat->ctx, 0) != 0
               ? NGX_HTTP_SERVICE_UNAVAILABLE
               : NGX_OK;
}

/* A declared length was looked at with the head; others are counted as they come. */
static ngx_int_t on_request_body(ngx_http_request_t *r, ngx_chain_t *in)
{
    struct seat *seat = r == r->main ? request_find(r) : NULL;

    if (!seat || !seat->ctx || (seat->stage != STAGE_PASSED && seat->stage != STAGE_READING))
        return next_request_body(r, in);
    for (const ngx_chain_t *at = in; at; at = at->next)
        seat->received += ngx_buf_size(at->buf);
    if ((uint64_t)seat->received <= cmw_ctx_body_limit(seat->ctx)) {
        const ngx_int_t rc = note_piece(seat);
        return rc == NGX_OK ? next_request_body(r, in) : rc;
    }
    cmw_ctx_fail(seat->ctx, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE);
    return NGX_HTTP_REQUEST_ENTITY_TOO_LARGE;
}

ngx_int_t filter_init(void)
{
    next_header = ngx_http_top_header_filter;
    ngx_http_top_header_filter = on_head;
    next_body = ngx_http_top_body_filter;
    ngx_http_top_body_filter = on_body;
    next_request_body = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = on_request_body;
    return NGX_OK;
}
