/* SPDX-License-Identifier: MIT */
/*
 * nginx for the conformance suite: a module whose content handler (`conformance;` in a location) is
 * the suite's, and the plugin with the suite's chain. The chain is run by the module under test,
 * which is loaded first.
 */
#include "module.h"

#include "backend.h"

enum { LOOK_MS = 5 };

/* What a request has here, in its pool. */
struct desk {
    ngx_http_request_t *request;
    struct job *job;
    ngx_buf_t buffer;
    ngx_event_t look; /* for the next piece of a stream that waits */
};

static ngx_module_t ngx_http_conformance_module;

/* ---- The server --------------------------------------------------------------------------- */

static int owns_context(cmw_ctx *ctx)
{
    const struct seat *seat = cmw_ctx_host_data(ctx);

    return seat && seat->ctx == ctx && request_find(seat->request) == seat;
}

const struct conformance_server *conformance_server_of_module(void)
{
    static const char *const traits[] = {"answers_failures_itself",
                                         "switches_protocols",
                                         "refuses_two_hosts_itself",
                                         "answers_501_to_codings",
                                         "reads_blanks_around_lengths",
                                         "closes_after_long_chunks",
                                         "drains_all",
                                         "sends_heads_first",
                                         "has_no_promises_of_handlers",
                                         NULL};
    static struct conformance_server server = {.name = "nginx",
                                               .traits = traits,
                                               .owns_context = owns_context,
                                               .chain_context = job_chain};

    server.host = process_host();
    return &server;
}

/* ---- The body of the response ------------------------------------------------------------- */

static struct desk *desk_of(ngx_http_request_t *r)
{
    return ngx_http_get_module_ctx(r, ngx_http_conformance_module);
}

static int is_busy(const struct desk *desk)
{
    return desk->buffer.pos != desk->buffer.last;
}

static ngx_int_t send_piece(ngx_http_request_t *r, const cmw_chunk *chunk)
{
    ngx_buf_t *buffer = &desk_of(r)->buffer;
    ngx_chain_t link = {.buf = buffer, .next = NULL};

    ngx_memzero(buffer, sizeof *buffer);
    if (chunk->bytes.len > 0) {
        buffer->pos = buffer->start = (u_char *)(uintptr_t)chunk->bytes.data;
        buffer->last = buffer->end = buffer->pos + chunk->bytes.len;
        buffer->memory = 1;
    }
    buffer->last_buf = chunk->is_last != 0;
    buffer->last_in_chain = 1;
    buffer->flush = !chunk->is_last;
    return ngx_http_output_filter(r, &link);
}

static void pump(ngx_http_request_t *r);

static ngx_int_t await_writable(ngx_http_request_t *r)
{
    const ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    ngx_event_t *event = r->connection->write;

    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = pump;
    ngx_add_timer(event, core->send_timeout);
    return ngx_handle_write_event(event, core->send_lowat);
}

/* NGX_AGAIN: later; else what the request ends with. */
static ngx_int_t step(ngx_http_request_t *r)
{
    struct desk *desk = desk_of(r);
    cmw_chunk chunk = {CMW_STR(""), 0, 0};

    for (;;) {
        if (is_busy(desk) && ngx_http_output_filter(r, NULL) == NGX_ERROR)
            return NGX_ERROR;
        if (is_busy(desk))
            return await_writable(r) == NGX_OK ? NGX_AGAIN : NGX_ERROR;
        const int rc = job_read(desk->job, &chunk);
        if (rc == CMW_ERR_AGAIN) {
            r->read_event_handler = ngx_http_test_reading;
            ngx_add_timer(&desk->look, LOOK_MS);
            return NGX_AGAIN;
        }
        if (rc != 0)
            return NGX_ERROR;
        const ngx_int_t sent = send_piece(r, &chunk);
        if (sent == NGX_ERROR || chunk.is_last)
            return sent == NGX_AGAIN ? NGX_OK : sent; /* nginx sends what is left */
    }
}

static void pump(ngx_http_request_t *r)
{
    ngx_event_t *event = r->connection->write;

    if (event->timedout) {
        r->connection->timedout = 1;
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_TIME_OUT);
        return;
    }
    if (event->timer_set)
        ngx_del_timer(event);
    const ngx_int_t rc = step(r);
    if (rc != NGX_AGAIN)
        ngx_http_finalize_request(r, rc);
}

static void on_look(ngx_event_t *event)
{
    struct desk *desk = event->data;
    ngx_connection_t *c = desk->request->connection;

    if (!job_look(desk->job)) {
        ngx_add_timer(event, LOOK_MS);
        return;
    }
    pump(desk->request);
    ngx_http_run_posted_requests(c);
}

/* ---- Its head ----------------------------------------------------------------------------- */

static ngx_int_t keep(ngx_pool_t *pool, ngx_str_t *to, cmw_str from)
{
    to->len = from.len;
    to->data = ngx_pnalloc(pool, from.len + 1);
    if (!to->data)
        return NGX_ERROR;
    ngx_memcpy(to->data, from.data, from.len);
    return NGX_OK;
}

static ngx_int_t add_field(ngx_http_request_t *r, const cmw_header *field)
{
    if (cmw_header_id_find(field->name) == CMW_HDR_CONTENT_TYPE) {
        r->headers_out.content_type_len = field->value.len;
        return keep(r->pool, &r->headers_out.content_type, field->value);
    }
    ngx_table_elt_t *elt = ngx_list_push(&r->headers_out.headers);
    if (!elt)
        return NGX_ERROR;
    ngx_memzero(elt, sizeof *elt);
    elt->hash = 1;
    return keep(r->pool, &elt->key, field->name) == NGX_OK
               ? keep(r->pool, &elt->value, field->value)
               : NGX_ERROR;
}

static ngx_int_t send_head(ngx_http_request_t *r, const cmw_response *response)
{
    const uint64_t length = cmw_response_content_length(response);
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;

    r->headers_out.status = (ngx_uint_t)cmw_response_status(response);
    r->headers_out.content_length_n = length == UINT64_MAX ? -1 : (off_t)length;
    while (cmw_response_next_header(response, &cursor, &field, 0))
        if (add_field(r, &field) != NGX_OK)
            return NGX_ERROR;
    return ngx_http_send_header(r);
}

/* ---- The request -------------------------------------------------------------------------- */

static ngx_int_t receive_file(ngx_http_request_t *r, struct job *job, const ngx_buf_t *buf)
{
    u_char piece[4096];

    for (off_t at = buf->file_pos; at < buf->file_last;) {
        const off_t left = buf->file_last - at;
        const size_t len = left < (off_t)sizeof piece ? (size_t)left : sizeof piece;
        if (ngx_read_file(buf->file, piece, len, at) != (ssize_t)len ||
            job_receive(job, cmw_str_make((const char *)piece, len)) != 0)
            return NGX_ERROR;
        at += (off_t)len;
    }
    (void)r;
    return NGX_OK;
}

static ngx_int_t receive(ngx_http_request_t *r, struct job *job)
{
    const ngx_chain_t *link = r->request_body ? r->request_body->bufs : NULL;

    for (; link; link = link->next) {
        const ngx_buf_t *buf = link->buf;
        if (!ngx_buf_in_memory(buf)) {
            if (receive_file(r, job, buf) != NGX_OK)
                return NGX_ERROR;
        } else if (job_receive(job, cmw_str_make((const char *)buf->pos,
                                                 (size_t)(buf->last - buf->pos))) != 0) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

static void close_desk(void *data)
{
    struct desk *desk = data;

    if (desk->look.timer_set)
        ngx_del_timer(&desk->look);
    job_end(desk->job);
}

static struct desk *open_desk(ngx_http_request_t *r)
{
    const struct seat *seat = request_find(r);
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, sizeof(struct desk));

    if (!cleanup || !seat || !seat->ctx)
        return NULL;
    struct desk *desk = cleanup->data;
    ngx_memzero(desk, sizeof *desk);
    desk->request = r;
    desk->look.handler = on_look;
    desk->look.data = desk;
    desk->look.log = r->connection->log;
    desk->job = job_begin(conformance_app_of_module(), seat->ctx, str_of(r->method_name),
                          str_of(r->unparsed_uri));
    cleanup->handler = close_desk;
    ngx_http_set_ctx(r, desk, ngx_http_conformance_module);
    return desk->job ? desk : NULL;
}

static void on_body(ngx_http_request_t *r)
{
    struct desk *desk = open_desk(r);
    const cmw_response *response =
        desk && receive(r, desk->job) == NGX_OK ? job_run(desk->job) : NULL;

    if (!response) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }
    const ngx_int_t rc = send_head(r, response);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only)
        ngx_http_finalize_request(r, rc);
    else
        pump(r);
}

static ngx_int_t on_request(ngx_http_request_t *r)
{
    const ngx_int_t rc = ngx_http_read_client_request_body(r, on_body);

    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}

/* ---- The module --------------------------------------------------------------------------- */

static char *on_directive(ngx_conf_t *cf, ngx_command_t *command, void *conf)
{
    ngx_http_core_loc_conf_t *core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    (void)command;
    (void)conf;

    core->handler = on_request;
    return NGX_CONF_OK;
}

static ngx_command_t commands[] = {
    {ngx_string("conformance"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, on_directive, 0, 0, NULL},
    ngx_null_command,
};

static ngx_http_module_t context = {.preconfiguration = NULL};

static ngx_module_t ngx_http_conformance_module = {
    NGX_MODULE_V1,           .ctx = &context,       .commands = commands,
    .type = NGX_HTTP_MODULE, NGX_MODULE_V1_PADDING,
};

/* What nginx looks for in a module. */
extern char *ngx_module_order[];
static char name[] = "ngx_http_conformance_module";
ngx_module_t *ngx_modules[] = {&ngx_http_conformance_module, NULL};
char *ngx_module_names[] = {name, NULL};
char *ngx_module_order[] = {NULL};
