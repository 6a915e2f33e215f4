/* SPDX-License-Identifier: MIT */
/*
 * One main request, from its head to its end.
 *
 *     server rewrite phase   begin, pre_route; what it lets pass is written back to nginx
 *     rewrite phase          the location's route; then the body, for a plan that looks at it
 *     filters                filter.c
 *     log phase              the reason; the context ends with the request's pool, once
 *
 * An internal redirect clears what modules have of a request, so the seat is found again among the
 * clean-ups of its pool.
 */
#include "module.h"

/* ---- The end ------------------------------------------------------------------------------ */

static uint64_t body_sent(const struct seat *seat)
{
    const ngx_http_request_t *r = seat->request;
    const off_t sent = r->connection->sent - (off_t)r->header_size;

    if (sent <= 0)
        return 0;
    return (uint64_t)(sent < seat->passed ? sent : seat->passed);
}

static void end(struct seat *seat, cmw_end_reason reason)
{
    if (!seat->ctx)
        return;
    ngx_queue_remove(&seat->queue);
    process_note(seat->process);
    cmw_ctx_set_body_sent(seat->ctx, body_sent(seat));
    cmw_ctx_end(seat->ctx, reason);
    seat->ctx = NULL;
}

static void on_cleanup(void *data)
{
    struct seat *seat = data;

    end(seat, seat->reason);
}

void request_abandon(struct seat *seat)
{
    end(seat, CMW_END_SHUTDOWN);
}

static int has_sent_all(const struct seat *seat)
{
    const ngx_http_request_t *r = seat->request;

    return r->header_sent && (r->header_only || seat->has_sent_last) && !r->out && !r->buffered;
}

static cmw_end_reason find_reason(const struct seat *seat)
{
    const ngx_http_request_t *r = seat->request;
    const ngx_connection_t *c = r->connection;

    if (r->headers_out.status == NGX_HTTP_CLIENT_CLOSED_REQUEST)
        return CMW_END_CLIENT_GONE;
    if (c->timedout)
        return CMW_END_DEADLINE;
    if (!c->error && has_sent_all(seat))
        return CMW_END_SENT;
    if (ngx_terminate || ngx_exiting)
        return CMW_END_SHUTDOWN;
    return c->error ? CMW_END_CLIENT_GONE : CMW_END_ERROR;
}

ngx_int_t request_on_log(ngx_http_request_t *r)
{
    struct seat *seat = request_find(r);

    if (seat && r == r->main)
        seat->reason = find_reason(seat);
    return NGX_OK;
}

/* ---- The seat ----------------------------------------------------------------------------- */

struct seat *request_find(ngx_http_request_t *r)
{
    struct seat *seat = ngx_http_get_module_ctx(r->main, ngx_http_catzilla_mw_module);

    if (seat || (!r->main->internal && !r->main->filter_finalize))
        return seat;
    for (ngx_pool_cleanup_t *at = r->main->pool->cleanup; at; at = at->next)
        if (at->handler == on_cleanup) {
            ngx_http_set_ctx(r->main, at->data, ngx_http_catzilla_mw_module);
            return at->data;
        }
    return NULL;
}

static struct seat *open_seat(ngx_http_request_t *r, struct site *site, struct process *process)
{
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, sizeof(struct seat));

    if (!cleanup)
        return NULL;
    struct seat *seat = cleanup->data;
    ngx_memzero(seat, sizeof *seat);
    seat->request = r;
    seat->site = site;
    seat->process = process;
    seat->route = CMW_NONE;
    seat->reason = CMW_END_ERROR;
    cleanup->handler = on_cleanup;
    ngx_http_set_ctx(r, seat, ngx_http_catzilla_mw_module);
    return seat;
}

/* ---- The view ----------------------------------------------------------------------------- */

static ngx_uint_t count_fields(const ngx_list_t *list)
{
    ngx_uint_t count = 0;

    for (const ngx_list_part_t *part = &list->part; part; part = part->next)
        count += part->nelts;
    return count;
}

/* nginx leaves tabs around a value. */
static inline cmw_str trim(ngx_str_t value)
{
    if (value.len == 0 || (value.data[0] > ' ' && value.data[value.len - 1] > ' '))
        return str_of(value);
    const u_char *from = value.data, *end = from + value.len;

    while (from < end && (*from == ' ' || *from == '\t'))
        from++;
    while (from < end && (end[-1] == ' ' || end[-1] == '\t'))
        end--;
    return cmw_str_make((const char *)from, (size_t)(end - from));
}

/* The slices are nginx's, the array is ours. */
static ngx_int_t view_fields(ngx_http_request_t *r, cmw_request_view *view)
{
    const ngx_uint_t count = count_fields(&r->headers_in.headers);
    cmw_header *field = ngx_palloc(r->pool, (count + 1) * sizeof *field);
    size_t bytes = 0;

    if (!field)
        return NGX_ERROR;
    view->headers = field;
    view->header_count = (uint32_t)count;
    for (const ngx_list_part_t *part = &r->headers_in.headers.part; part; part = part->next) {
        const ngx_table_elt_t *elt = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++, field++) {
            field->name = str_of(elt[i].key);
            field->value = trim(elt[i].value);
            bytes += field->name.len + field->value.len;
        }
    }
    view->header_bytes = (uint32_t)bytes; /* nginx's buffers of heads are less than that can say */
    return NGX_OK;
}

static uint16_t version_of(ngx_uint_t version)
{
    switch (version) {
    case NGX_HTTP_VERSION_10:
        return 0x0100;
    case NGX_HTTP_VERSION_11:
        return 0x0101;
    case NGX_HTTP_VERSION_20:
        return 0x0200;
    default:
        return 0;
    }
}

/* Of an absolute-form target, or :authority. */
static cmw_str authority_of(const ngx_http_request_t *r)
{
    const u_char *end = r->port_end ? r->port_end : r->host_end;

    if (!r->host_start || !end || end < r->host_start)
        return cmw_str_make(NULL, 0);
    return cmw_str_make((const char *)r->host_start, (size_t)(end - r->host_start));
}

static uint64_t length_of(const ngx_http_request_t *r)
{
    if (r->headers_in.content_length_n >= 0)
        return (uint64_t)r->headers_in.content_length_n;
#if (NGX_HTTP_V2)
    if (r->stream && !r->stream->in_closed)
        return CMW_LENGTH_UNKNOWN;
#endif
    return r->headers_in.chunked ? CMW_LENGTH_UNKNOWN : 0;
}

/* 0, or the status by which it is to be refused: nginx takes the first of two lengths. */
static int fill_view(ngx_http_request_t *r, cmw_request_view *view)
{
    cmw_request_view_init(view);
    view->method = str_of(r->method_name);
    view->target = str_of(r->unparsed_uri);
    view->authority = authority_of(r);
    view->http_version = version_of(r->http_version);
#if (NGX_HTTP_SSL)
    view->scheme = r->connection->ssl ? CMW_SCHEME_HTTPS : CMW_SCHEME_HTTP;
#endif
    cmw_address_from_sockaddr(&view->peer, r->connection->sockaddr, r->connection->socklen);
    if (view_fields(r, view) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    view->content_length = length_of(r);
    if (view->http_version == 0x0200 || cmw_request_view_read_length(view) == 0)
        return 0;
    return NGX_HTTP_BAD_REQUEST;
}

struct seat *request_begin(ngx_http_request_t *r, struct site *site, int *refusal)
{
    struct process *process = process_of(site, r->connection->log);
    struct seat *seat = process ? open_seat(r, site, process) : NULL;
    cmw_request_view view;

    if (!seat)
        return NULL;
    *refusal = fill_view(r, &view);
    view.host_data = seat;
    seat->fields = view.headers;
    if (cmw_ctx_begin(process->worker, &seat->ctx, &view) == 0) {
        ngx_queue_insert_tail(&process->seats, &seat->queue);
    }
    process_note(process);
    return seat;
}

/* ---- Answers ------------------------------------------------------------------------------ */

static ngx_int_t send_body(ngx_http_request_t *r, struct seat *seat, cmw_str body)
{
    ngx_buf_t *buffer = &seat->own_buffer;
    ngx_str_t text;

    if (fields_out_keep(seat, &text, body) != NGX_OK)
        return NGX_ERROR;
    if (text.len > 0) {
        buffer->pos = buffer->start = text.data;
        buffer->last = buffer->end = buffer->pos + text.len;
        buffer->memory = 1; /* nobody may write to it */
    }
    buffer->last_buf = 1;
    buffer->last_in_chain = 1;
    seat->own_body.buf = buffer;
    return body_out_end(seat) == NGX_OK ? ngx_http_output_filter(r, &seat->own_body) : NGX_ERROR;
}

static void on_writable(ngx_http_request_t *r);

/* As far as the client takes it, or it is made: the status that ends the phase, or NGX_DONE. */
static ngx_int_t send_more(struct seat *seat)
{
    ngx_http_request_t *r = seat->request;
    const ngx_http_core_loc_conf_t *core = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    ngx_event_t *event = r->connection->write;
    const ngx_int_t rc = body_out_pump(seat, ngx_http_output_filter);

    if (rc == NGX_OK || rc == NGX_ERROR || seat->has_sent_last)
        return rc;
    r->read_event_handler = ngx_http_test_reading;
    r->write_event_handler = on_writable;
    if (!event->delayed && event->timer_set)
        ngx_del_timer(event);
    if (!event->delayed && rc == NGX_AGAIN)
        ngx_add_timer(event, core->send_timeout);
    if (ngx_handle_write_event(event, core->send_lowat) != NGX_OK)
        return NGX_ERROR;
    return NGX_DONE;
}

static void on_writable(ngx_http_request_t *r)
{
    struct seat *seat = request_find(r);
    ngx_connection_t *c = r->connection;
    ngx_int_t rc = NGX_ERROR;

    if (c->write->timedout)
        c->timedout = 1;
    else if (seat && seat->ctx)
        rc = send_more(seat);
    if (rc != NGX_DONE)
        ngx_http_finalize_request(r, rc);
}

/*
 * What is left of the request's body is read and thrown away, by nginx, beside the answer. A client
 * that waits for 100 Continue may not send it at all: then the connection ends.
 */
static ngx_int_t drop_request_body(ngx_http_request_t *r)
{
    if (!r->headers_in.expect)
        return ngx_http_discard_request_body(r);
    r->expect_tested = 1;
    r->keepalive = 0;
    return NGX_OK;
}

/* The status that ends the phase; the answer is on its way. */
static ngx_int_t answer(struct seat *seat, const cmw_response *response)
{
    ngx_http_request_t *r = seat->request;

    seat->stage = STAGE_ANSWERED;
    if (cmw_response_status(response) < 200)
        return NGX_HTTP_INTERNAL_SERVER_ERROR; /* not decorated: it is an answer already */
    ngx_int_t rc = drop_request_body(r);
    if (rc != NGX_OK)
        return rc;
    fields_out_clear(r);
    if (seat->ctx && body_out_begin(seat) != NGX_OK)
        return NGX_ERROR;
    if (fields_out_import(seat, response) != NGX_OK)
        return NGX_ERROR;
    rc = ngx_http_send_header(r);
    if (rc == NGX_ERROR || rc > NGX_OK || r->header_only)
        return rc;
    if (seat->streams)
        return send_more(seat);
    return send_body(r, seat, cmw_response_body(response));
}

/* The response is the plan's, and no context of this request keeps it: its fields are copied
 * by fields_out.c, its body here. */
static ngx_int_t answer_overload(struct seat *seat)
{
    const cmw_response *response = cmw_worker_overload_response(seat->process->worker);

    seat->stage = STAGE_ANSWERED;
    if (!response)
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    seat->request->keepalive = 0;
    return answer(seat, response);
}

/* ---- Phases ------------------------------------------------------------------------------- */

static ngx_int_t park(struct seat *seat)
{
    ngx_http_request_t *r = seat->request;

    seat->stage = STAGE_WAITING;
    process_keep(seat->process);
    r->read_event_handler = ngx_http_test_reading; /* notices that the client left */
    r->write_event_handler = ngx_http_core_run_phases;
    if (ngx_handle_read_event(r->connection->read, 0) != NGX_OK)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    return NGX_DONE;
}

/* The plan cannot hold what it promises: commit makes the answer. */
static ngx_int_t refuse(struct seat *seat, int status)
{
    cmw_ctx_fail(seat->ctx, status);
    return cmw_ctx_commit(seat->ctx) == CMW_TO_RESPOND ? answer(seat, cmw_ctx_response(seat->ctx))
                                                       : NGX_ERROR;
}

static ngx_int_t let_pass(struct seat *seat)
{
    ngx_int_t rc = fields_in_write(seat);

    seat->stage = STAGE_PASSED;
    if (rc == NGX_OK && !seat->has_target)
        rc = fields_in_write_target(seat);
    seat->has_target = 1; /* from here on it is nginx's to rewrite */
    return rc == NGX_OK ? NGX_DECLINED : refuse(seat, NGX_HTTP_INTERNAL_SERVER_ERROR);
}

/* What `next` says, as a phase's handler returns it. */
static ngx_int_t follow(struct seat *seat, int next)
{
    switch (next) {
    case CMW_TO_HANDLER:
        return let_pass(seat);
    case CMW_TO_RESPOND:
        return answer(seat, cmw_ctx_response(seat->ctx));
    case CMW_TO_SUSPENDED:
        return park(seat);
    default:
        return NGX_ERROR;
    }
}

static ngx_int_t begin(ngx_http_request_t *r, struct site *site)
{
    int refusal = 0;
    struct seat *seat = request_begin(r, site, &refusal);

    if (!seat)
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (!seat->ctx)
        return answer_overload(seat);
    if (refusal == 0)
        return follow(seat, (int)cmw_ctx_run(seat->ctx));
    r->keepalive = 0;
    return refuse(seat, refusal);
}

ngx_int_t request_on_server(ngx_http_request_t *r)
{
    const struct place *place = ngx_http_get_module_loc_conf(r, ngx_http_catzilla_mw_module);

    if (r != r->main)
        return NGX_DECLINED;
    struct seat *seat = request_find(r);
    if (!seat)
        return place->site ? begin(r, place->site) : NGX_DECLINED;
    if (seat->stage == STAGE_WAITING)
        return NGX_DONE;
    return seat->stage == STAGE_RESUMED ? follow(seat, seat->next) : NGX_DECLINED;
}

/* The error that a page of error_page stands for; else that there is no way on. */
static int status_of_refusal(const ngx_http_request_t *r)
{
    return r->error_page && r->err_status >= NGX_HTTP_BAD_REQUEST ? (int)r->err_status
                                                                  : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

/* A second file cannot be entered: what it guards must not be reached without it. */
static ngx_int_t enter(struct seat *seat, const struct place *place)
{
    if (seat->route == place->route)
        return NGX_DECLINED;
    if (seat->route != CMW_NONE) {
        ngx_log_error(NGX_LOG_ERR, seat->request->connection->log, 0,
                      "catzilla_mw: the request was redirected from a location with another file "
                      "to \"%V\"",
                      &place->name);
        return refuse(seat, status_of_refusal(seat->request));
    }
    seat->route = place->route;
    return follow(seat, (int)cmw_ctx_enter_route(seat->ctx, place->route));
}

/* ---- The body ----------------------------------------------------------------------------- */

/* nginx has read it; over HTTP/2 it may say so of one that was given up meanwhile. */
static void on_body(ngx_http_request_t *r)
{
    struct seat *seat = request_find(r);

    if (seat->stage != STAGE_READING)
        return;
    if (seat->ctx)
        cmw_ctx_body_arrived(seat->ctx);
    seat->stage = STAGE_PASSED;
    seat->has_body = 1;
    seat->feed = r->request_body ? r->request_body->bufs : NULL;
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}

/* nginx has refused it, and answers by itself, perhaps with a page of error_page: what the plan
 * guards by the body stays closed. */
static void give_up_body(struct seat *seat)
{
    cmw_ctx_body_arrived(seat->ctx);
    seat->stage = STAGE_PASSED;
    seat->is_written = 1;
}

void request_skip_body(struct seat *seat)
{
    if (seat->stage == STAGE_READING)
        give_up_body(seat);
    cmw_ctx_skip_body(seat->ctx);
}

static ngx_int_t read_body(struct seat *seat)
{
    ngx_http_request_t *r = seat->request;

    if (cmw_ctx_await_body(seat->ctx, 0) != 0)
        return refuse(seat, NGX_HTTP_SERVICE_UNAVAILABLE);
    seat->stage = STAGE_READING;
    const ngx_int_t rc = ngx_http_read_client_request_body(r, on_body);
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE)
        return rc;
    ngx_http_finalize_request(r, NGX_DONE);
    return NGX_DONE;
}

/* Before the location does anything: what looks at bodies may refuse the request, and one that
 * must come in time is waited for here. */
static ngx_int_t take_body(struct seat *seat)
{
    if (!seat->ctx || seat->is_written ||
        cmw_request_content_length(cmw_ctx_request(seat->ctx)) == 0)
        return NGX_DECLINED;
    const int is_read = cmw_ctx_reads_body(seat->ctx);
    if (!seat->has_body && (is_read || cmw_ctx_times_body(seat->ctx)))
        return read_body(seat);
    if (!is_read)
        return NGX_DECLINED;
    const int next = seat->is_fed ? CMW_TO_HANDLER : body_in_feed(seat);
    if (next != CMW_TO_HANDLER)
        return follow(seat, next);
    seat->is_written = 1;
    if (body_in_write(seat) != NGX_OK)
        return refuse(seat, NGX_HTTP_INTERNAL_SERVER_ERROR);
    return let_pass(seat);
}

ngx_int_t request_on_location(ngx_http_request_t *r)
{
    const struct place *place = ngx_http_get_module_loc_conf(r, ngx_http_catzilla_mw_module);
    struct seat *seat = r == r->main ? request_find(r) : NULL;

    if (!seat)
        return NGX_DECLINED;
    if (seat->stage == STAGE_WAITING)
        return NGX_DONE;
    if (seat->stage == STAGE_READING) /* this is a page of error_page */
        give_up_body(seat);
    ngx_int_t rc = NGX_DECLINED;
    if (seat->stage == STAGE_RESUMED)
        rc = follow(seat, seat->next);
    else if (seat->stage == STAGE_PASSED && place->extra && place->site == seat->site)
        rc = enter(seat, place);
    return rc == NGX_DECLINED && seat->stage == STAGE_PASSED ? take_body(seat) : rc;
}

/* The body did not come in time: what is still to come of it ends the connection. */
static void stop_reading(ngx_http_request_t *r)
{
    ngx_event_t *event = r->connection->read;

    r->keepalive = 0;
    r->lingering_close = 1;
    if (event->timer_set)
        ngx_del_timer(event);
}

/* It waited, and goes on where it was. */
void request_proceed(struct seat *seat, int next)
{
    ngx_http_request_t *r = seat->request;
    ngx_connection_t *c = r->connection;

    if (seat->streams) { /* there is more of the body, or there never will be */
        r->connection->error |= next == CMW_TO_ABORT;
        r->write_event_handler(r);
        ngx_http_run_posted_requests(c);
        return;
    }
    if (seat->stage == STAGE_READING)
        stop_reading(r);
    seat->stage = STAGE_RESUMED;
    seat->next = next;
    r->read_event_handler = ngx_http_block_reading;
    ngx_http_core_run_phases(r);
    ngx_http_run_posted_requests(c);
}
