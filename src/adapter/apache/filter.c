/* SPDX-License-Identifier: MIT */
/*
 * Every response on its way out, whatever made it: a file, a redirect, a back end, an error page,
 * httpd's own errors.
 *
 * The filter stands behind those that change content (mod_deflate, mod_headers), before those that
 * make the head and cut ranges. httpd's body goes on as it is, unless the plan looks at it: then it
 * goes through the engine (body_out.c). Where post_route, or a fault, has put another in its place,
 * that one is sent instead, and httpd's is dropped.
 */
#include "module.h"

static const char name[] = "CATZILLA_MW";

/* httpd's own records of the two, which it makes anew with each configuration. */
static ap_filter_rec_t *input, *output;

/* ---- The response ------------------------------------------------------------------------- */

static int commit(struct seat *seat, request_rec *r, const apr_table_t *exported)
{
    body_in_leave(seat);
    request_catch_up(seat);
    seat->is_inside = 1;
    const int next = request_settle(seat, cmw_ctx_commit(seat->ctx));
    seat->is_inside = 0;
    const cmw_response *response = cmw_ctx_response(seat->ctx);

    seat->stage = STAGE_COMMITTED;
    seat->sender = r;
    if (next != CMW_TO_RESPOND || cmw_response_status(response) < 200)
        return CMW_ERR_STATE;
    body_out_begin(seat, r);
    const int is_hosts = cmw_response_passes_body(response) || body_out_is_hosts(seat);
    const int changes = fields_out_import(seat, r, response, exported);
    /* httpd would take the length of its own body, also where none is sent. */
    seat->replaces_body = !seat->streams && (!is_hosts || changes);
    return 0;
}

/* httpd refuses, or leads elsewhere, and no handler has run: nothing that a look at the request's
 * body would guard. */
static int is_own_answer(const request_rec *r)
{
    return !ap_is_HTTP_SUCCESS(r->status) || (r->prev && ap_is_HTTP_ERROR(r->prev->status));
}

static int decorate(struct seat *seat, request_rec *r)
{
    const apr_table_t *exported = NULL;

    if (body_in_is_due(seat) && is_own_answer(r))
        cmw_ctx_skip_body(seat->ctx);
    if (!cmw_ctx_fault(seat->ctx) && fields_out_export(seat, r, &exported) != 0)
        cmw_ctx_fail(seat->ctx, HTTP_INTERNAL_SERVER_ERROR);
    if (cmw_ctx_fault(seat->ctx)) {
        apr_table_clear(r->headers_out);
        apr_table_clear(r->err_headers_out);
        r->content_encoding = NULL;
        r->content_languages = NULL;
    }
    return commit(seat, r, exported);
}

/* httpd will make another answer of it. */
static int has_error(const apr_bucket_brigade *brigade)
{
    for (const apr_bucket *at = APR_BRIGADE_FIRST(brigade); at != APR_BRIGADE_SENTINEL(brigade);
         at = APR_BUCKET_NEXT(at))
        if (AP_BUCKET_IS_ERROR(at))
            return 1;
    return 0;
}

/* Others may keep the bytes longer than the request lives: they copy what is transient. */
static apr_status_t pass_body(request_rec *r, ap_filter_t *next, cmw_str body)
{
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    apr_bucket_brigade *brigade = apr_brigade_create(r->pool, alloc);

    if (body.len > 0)
        APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_transient_create(body.data, body.len, alloc));
    APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(alloc));
    return ap_pass_brigade(next, brigade);
}

static apr_status_t pass_own(struct seat *seat, ap_filter_t *f, apr_bucket_brigade *brigade)
{
    apr_brigade_cleanup(brigade);
    if (seat->has_sent_own)
        return APR_SUCCESS;
    seat->has_sent_own = 1;
    return pass_body(f->r, f->next, cmw_response_body(cmw_ctx_response(seat->ctx)));
}

static apr_status_t pass_streamed(struct seat *seat, ap_filter_t *f, apr_bucket_brigade *brigade)
{
    body_out_push(seat, brigade);
    return seat->has_sent_last ? APR_SUCCESS : body_out_pump(seat, f->next);
}

static apr_status_t on_output(ap_filter_t *f, apr_bucket_brigade *brigade)
{
    request_rec *r = f->r;
    struct seat *seat = request_find(r);

    if (!seat || !seat->ctx || r->status == HTTP_SWITCHING_PROTOCOLS || seat->stage < STAGE_PASSED)
        return ap_pass_brigade(f->next, brigade);
    if (seat->stage == STAGE_PASSED) {
        if (APR_BRIGADE_EMPTY(brigade) || has_error(brigade))
            return ap_pass_brigade(f->next, brigade);
        if (decorate(seat, r) != 0) {
            apr_brigade_cleanup(brigade);
            request_break_off(seat, r);
            return APR_ECONNABORTED;
        }
    }
    if (seat->stage != STAGE_COMMITTED || seat->sender != r)
        return ap_pass_brigade(f->next, brigade);
    if (seat->streams)
        return pass_streamed(seat, f, brigade);
    return seat->replaces_body ? pass_own(seat, f, brigade) : ap_pass_brigade(f->next, brigade);
}

void filter_send_head(struct seat *seat, request_rec *r, const cmw_response *response)
{
    apr_table_clear(r->headers_out);
    apr_table_clear(r->err_headers_out);
    r->content_encoding = NULL;
    r->content_languages = NULL;
    (void)fields_out_import(seat, r, response, NULL);
}

int filter_send_body(request_rec *r, cmw_str body)
{
    (void)pass_body(r, r->output_filters, body); /* a lost connection says so by itself */
    return OK;
}

/* ---- Putting them in ---------------------------------------------------------------------- */

static int has_filter(const ap_filter_t *at, const ap_filter_rec_t *which)
{
    while (at && at->frec != which)
        at = at->next;
    return at != NULL;
}

void filter_add_input(struct seat *seat, request_rec *r)
{
    if (!has_filter(r->input_filters, input))
        (void)ap_add_input_filter_handle(input, seat, r, r->connection);
}

static void add_output(request_rec *r)
{
    if (!has_filter(r->output_filters, output))
        (void)ap_add_output_filter_handle(output, NULL, r, r->connection);
}

/* The plan's answer was made, and httpd makes another: its own fields are on that, too. */
static int is_late(const struct seat *seat)
{
    return seat->ctx && seat->stage > STAGE_PASSED;
}

void filter_insert(request_rec *r)
{
    struct seat *seat = r->main ? NULL : request_find(r);

    if (!seat)
        return;
    if (is_late(seat) && seat->sender != r)
        fields_out_restate(r, cmw_ctx_response(seat->ctx));
    if (seat->stage == STAGE_PASSED) {
        filter_add_input(seat, r);
        add_output(r);
    }
}

void filter_insert_error(request_rec *r)
{
    if (r->main)
        return;
    struct seat *seat = request_find(r);
    if (!seat)
        seat = request_begin_refused(r);
    if (!seat)
        return;
    if (is_late(seat))
        fields_out_restate(r, cmw_ctx_response(seat->ctx));
    if (seat->stage == STAGE_PASSED)
        add_output(r);
}

void filter_register(void)
{
    const ap_filter_type type = (ap_filter_type)(AP_FTYPE_PROTOCOL - 1);

    output = ap_register_output_filter(name, on_output, NULL, type);
    input = ap_register_input_filter(name, body_in_filter, NULL, type);
}
