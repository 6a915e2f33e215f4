/* SPDX-License-Identifier: MIT */
/*
 * One main request, from its head to its end.
 *
 *     post_read_request   begin, pre_route; what it lets pass is written back to httpd
 *     quick_handler       an answer of the plan is sent: here the connection can go on
 *     header_parser       the middleware of a container, before httpd's own access checks;
 *     handler               again where httpd changed the request's place behind its back
 *     filters             filter.c
 *     log_transaction     the reason; the context ends with the request's pool, once
 */
#include "module.h"

#include <apr_strings.h>
#include <http_connection.h>

APLOG_USE_MODULE(catzilla_mw);

/* ---- The end ------------------------------------------------------------------------------ */

static const request_rec *last_of(const request_rec *r)
{
    while (r->next)
        r = r->next;
    return r;
}

/* httpd counts what it made of an answer to HEAD, too. */
static uint64_t body_sent(const struct seat *seat)
{
    const request_rec *r = last_of(seat->request);

    return r->sent_bodyct && !r->header_only && r->bytes_sent > 0 ? (uint64_t)r->bytes_sent : 0;
}

/*
 * prefork ends its processes in a signal's handler, in the midst of a request: its end is told
 * unless a callback was running, or the engine, which are not to be entered anew.
 */
static apr_status_t on_end(void *data)
{
    struct seat *seat = data;
    const int is_ending = atomic_load(&seat->process->is_ending);

    if (seat->ctx && (!seat->is_inside || seat->bench->is_asleep)) {
        if (!seat->is_logged && is_ending)
            seat->reason = CMW_END_SHUTDOWN;
        cmw_ctx_set_body_sent(seat->ctx, body_sent(seat));
        cmw_ctx_end(seat->ctx, seat->reason);
        seat->ctx = NULL;
    }
    if (seat->bench && !seat->ctx &&
        !is_ending) /* else nobody takes it, and its lock may be held */
        process_put(seat->bench);
    seat->bench = NULL;
    return APR_SUCCESS;
}

int request_on_log(request_rec *r)
{
    struct seat *seat = r->main ? NULL : request_find(r);

    if (!seat)
        return DECLINED;
    seat->is_logged = 1;
    const int is_sent = seat->stage >= STAGE_ANSWERED && !seat->has_failed &&
                        (!seat->streams || r->header_only || seat->has_sent_last);
    if (seat->has_failed)
        seat->reason = CMW_END_ERROR;
    else if (r->connection->aborted || seat->is_cut)
        seat->reason =
            atomic_load(&seat->process->is_ending) ? CMW_END_SHUTDOWN : CMW_END_CLIENT_GONE;
    else if (seat->is_late)
        seat->reason = CMW_END_DEADLINE;
    else
        seat->reason = is_sent ? CMW_END_SENT : CMW_END_ERROR;
    return OK;
}

/* Who left is told from what we broke off. */
void request_break_off(struct seat *seat, request_rec *r)
{
    if (!r->connection->aborted)
        seat->has_failed = 1;
    r->connection->aborted = 1;
    r->connection->keepalive = AP_CONN_CLOSE;
}

/* ---- The seat ----------------------------------------------------------------------------- */

struct seat *request_find(const request_rec *r)
{
    for (;; r = r->main ? r->main : r->prev) {
        struct seat *seat = ap_get_module_config(r->request_config, &catzilla_mw_module);
        if (seat)
            return seat;
        if (!r->main && !r->prev)
            return NULL;
    }
}

static struct seat *open_seat(request_rec *r, struct site *site, struct process *process)
{
    struct seat *seat = apr_pcalloc(r->pool, sizeof *seat);

    seat->request = r;
    seat->site = site;
    seat->process = process;
    seat->route = CMW_NONE;
    seat->reason = CMW_END_ERROR;
    apr_pool_cleanup_register(r->pool, seat, on_end, apr_pool_cleanup_null);
    ap_set_module_config(r->request_config, &catzilla_mw_module, seat);
    return seat;
}

/* ---- The view ----------------------------------------------------------------------------- */

static uint16_t version_of(int version)
{
    return (uint16_t)(HTTP_VERSION_MAJOR(version) << 8 | HTTP_VERSION_MINOR(version));
}

static int fill_view(request_rec *r, cmw_request_view *view)
{
    const apr_sockaddr_t *peer = r->useragent_addr ? r->useragent_addr : r->connection->client_addr;
    size_t count;

    cmw_request_view_init(view);
    view->method = str_or_empty(r->method);
    view->target = str_or_empty(r->unparsed_uri);
    view->authority = str_or_empty(r->parsed_uri.hostname ? r->parsed_uri.hostinfo : NULL);
    view->scheme = strcmp(ap_http_scheme(r), "https") == 0 ? CMW_SCHEME_HTTPS : CMW_SCHEME_HTTP;
    cmw_address_from_sockaddr(&view->peer, &peer->sa, peer->salen);
    view->headers = fields_in_list(r->pool, r->headers_in, &count);
    view->header_count = (uint32_t)count;
    view->http_version = 0x0101; /* mod_http2 says the length as version 1.1 does */
    const int rc = cmw_request_view_read_length(view);
    view->http_version = version_of(r->proto_num);
    return rc == 0 ? 0 : HTTP_BAD_REQUEST;
}

static struct seat *begin(request_rec *r, int *refusal)
{
    const struct place *place = ap_get_module_config(r->server->module_config, &catzilla_mw_module);
    struct process *process = *site_process(place->site);
    cmw_request_view view;

    if (!process)
        return NULL;
    struct seat *seat = open_seat(r, place->site, process);
    seat->bench = process_take(process);
    *refusal = fill_view(r, &view);
    view.host_data = seat;
    seat->fields = view.headers;
    if (seat->bench && cmw_ctx_begin(seat->bench->worker, &seat->ctx, &view) != 0)
        seat->ctx = NULL;
    return seat;
}

static int has_site(const request_rec *r)
{
    const struct place *place = ap_get_module_config(r->server->module_config, &catzilla_mw_module);

    return place->site != NULL;
}

struct seat *request_begin_refused(request_rec *r)
{
    int refusal;
    struct seat *seat = has_site(r) ? begin(r, &refusal) : NULL;

    if (!seat || !seat->ctx)
        return NULL; /* without memory its own answer serves */
    seat->is_late = time_in_end_head(r->connection) != 0;
    cmw_ctx_fail(seat->ctx, r->status);
    seat->stage = STAGE_PASSED;
    return seat;
}

/* ---- Running ------------------------------------------------------------------------------ */

int request_settle(struct seat *seat, cmw_next next)
{
    return next == CMW_TO_SUSPENDED
               ? process_wait(seat->bench, seat->ctx, seat->request->connection)
               : (int)next;
}

void request_catch_up(struct seat *seat)
{
    if (seat->bench->timer_at_ns == 0)
        return;
    seat->is_inside = 1;
    (void)cmw_worker_run(seat->bench->worker, 0);
    seat->is_inside = 0;
}

static int let_pass(struct seat *seat, request_rec *r)
{
    if (seat->stage == STAGE_BEGUN)
        fields_in_write_target(seat);
    fields_in_write(seat);
    fields_in_write_client(seat);
    seat->stage = STAGE_PASSED;
    filter_add_input(seat, r);
    return DECLINED;
}

/* The plan's 503, by the request's worker or by the spare one, which others use as well. */
static int send_overload(struct seat *seat, request_rec *r)
{
    struct process *process = seat->process;
    cmw_worker *worker = seat->bench ? seat->bench->worker : process->spare;
    cmw_str body = CMW_STR("");

    pthread_mutex_lock(&process->lock);
    if (!seat->bench)
        cmw_worker_count_overload(worker);
    const cmw_response *response = cmw_worker_overload_response(worker);
    if (response) {
        filter_send_head(seat, r, response);
        body = cmw_response_body(response);
        body.data = apr_pstrmemdup(r->pool, body.data, body.len);
    }
    if (!seat->bench)
        cmw_worker_idle(worker);
    pthread_mutex_unlock(&process->lock);
    return response ? filter_send_body(r, body) : HTTP_SERVICE_UNAVAILABLE;
}

/* The body of a request that is refused is read and thrown away by httpd; one that its client has
 * not begun to send may never come. */
static int send_answer(struct seat *seat, request_rec *r)
{
    seat->stage = STAGE_ANSWERED;
    seat->sender = r;
    if (r->expecting_100)
        r->connection->keepalive = AP_CONN_CLOSE;
    if (seat->is_overload)
        return send_overload(seat, r);
    const cmw_response *response = cmw_ctx_response(seat->ctx);
    body_out_begin(seat, r);
    filter_send_head(seat, r, response);
    if (seat->streams && !r->header_only) {
        (void)body_out_pump(seat, r->output_filters); /* as below */
        return OK;
    }
    return filter_send_body(r, cmw_response_body(response));
}

static int refuse(struct seat *seat, int status)
{
    cmw_ctx_fail(seat->ctx, status);
    return request_settle(seat, cmw_ctx_commit(seat->ctx));
}

int request_on_read(request_rec *r)
{
    int refusal = 0;

    (void)time_in_end_head(r->connection);
    if (r->main || r->prev || !has_site(r) || request_find(r))
        return DECLINED;
    struct seat *seat = begin(r, &refusal);
    if (!seat)
        return HTTP_INTERNAL_SERVER_ERROR;
    if (!seat->ctx) {
        seat->stage = STAGE_MADE;
        seat->is_overload = 1;
        r->connection->keepalive = AP_CONN_CLOSE;
        return DECLINED;
    }
    seat->is_inside = 1;
    int next = refusal ? refuse(seat, refusal) : request_settle(seat, cmw_ctx_run(seat->ctx));
    seat->is_inside = 0;
    if (refusal)
        r->connection->keepalive = AP_CONN_CLOSE;
    if (next == CMW_TO_HANDLER)
        return let_pass(seat, r);
    if (next != CMW_TO_RESPOND)
        return HTTP_INTERNAL_SERVER_ERROR;
    seat->stage = STAGE_MADE;
    return DECLINED;
}

int request_on_quick(request_rec *r, int is_lookup)
{
    struct seat *seat = is_lookup || r->main || r->prev ? NULL : request_find(r);

    return seat && seat->stage == STAGE_MADE ? send_answer(seat, r) : DECLINED;
}

/* ---- Containers --------------------------------------------------------------------------- */

/* A second file cannot be entered: what it guards must not be reached without it. */
static int enter(struct seat *seat, request_rec *r, const struct reference *extra)
{
    int next;

    seat->is_inside = 1;
    if (seat->route != CMW_NONE) {
        ap_log_rerror(APLOG_MARK, APLOG_ERR, 0, r,
                      "catzilla_mw: the request was redirected from a container with another file "
                      "to \"%s\"",
                      extra->name);
        next = refuse(seat, HTTP_INTERNAL_SERVER_ERROR);
    } else {
        seat->route = extra->route;
        next = request_settle(seat, cmw_ctx_enter_route(seat->ctx, extra->route));
    }
    seat->is_inside = 0;
    if (next == CMW_TO_HANDLER)
        return let_pass(seat, r);
    return next == CMW_TO_RESPOND ? send_answer(seat, r) : HTTP_INTERNAL_SERVER_ERROR;
}

/* OK: it is answered; DECLINED: it goes on. */
static int enter_place(request_rec *r)
{
    const struct spot *spot = ap_get_module_config(r->per_dir_config, &catzilla_mw_module);
    struct seat *seat = r->main || !spot || !spot->extra ? NULL : request_find(r);

    if (!seat || seat->stage != STAGE_PASSED || seat->route == spot->extra->route ||
        cmw_ctx_fault(seat->ctx))
        return DECLINED;
    if (r->prev && ap_is_HTTP_ERROR(r->prev->status))
        return DECLINED; /* the page of an error */
    return enter(seat, r, spot->extra);
}

int request_on_place(request_rec *r)
{
    const int rc = enter_place(r);

    return rc == OK ? DONE : rc;
}

/* Before the handler does anything: what looks at bodies may refuse the request. */
static int take_body(request_rec *r)
{
    struct seat *seat = r->main ? NULL : request_find(r);
    int status;

    if (!seat || !body_in_is_due(seat) || (r->prev && ap_is_HTTP_ERROR(r->prev->status)))
        return DECLINED;
    int next = body_in_take(seat, r, &status);
    if (status == AP_FILTER_ERROR)
        return status; /* a filter of others has answered */
    if (status != 0 || cmw_ctx_fault(seat->ctx))
        r->connection->keepalive = AP_CONN_CLOSE;
    if (next == CMW_TO_HANDLER && status == 0)
        return DECLINED;
    if (status != 0) {
        seat->is_inside = 1;
        next = refuse(seat, status);
        seat->is_inside = 0;
    }
    return next == CMW_TO_RESPOND ? send_answer(seat, r) : HTTP_INTERNAL_SERVER_ERROR;
}

int request_on_handler(request_rec *r)
{
    const int rc = enter_place(r);

    return rc == DECLINED ? take_body(r) : rc;
}

/* ---- What httpd says of the connection ---------------------------------------------------- */

/* NULL: what it says by itself. */
static const char *refined_scheme(const request_rec *r)
{
    const struct seat *seat = r->request_config ? request_find(r) : NULL;

    if (!seat || !seat->ctx || seat->stage == STAGE_BEGUN)
        return NULL;
    return cmw_request_scheme(cmw_ctx_request(seat->ctx)) == CMW_SCHEME_HTTPS ? "https" : "http";
}

const char *request_on_scheme(const request_rec *r)
{
    return refined_scheme(r);
}

apr_port_t request_on_port(const request_rec *r)
{
    const char *scheme = refined_scheme(r);

    if (!scheme)
        return 0;
    return strcmp(scheme, "https") == 0 ? 443 : DEFAULT_HTTP_PORT;
}
