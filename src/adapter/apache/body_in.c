/* SPDX-License-Identifier: MIT */
/*
 * The body of a request.
 *
 * A plan that looks at bodies is fed before the handler runs, a piece at a time as it comes; what
 * it made of it is then given to whoever reads the body: mod_proxy, CGI, handlers of others. For
 * other plans its bytes are counted as they are read.
 */
#include "module.h"

#include <apr_strings.h>

enum { PIECE_BYTES = 16 * 1024 };

/* ---- As it comes -------------------------------------------------------------------------- */

static int is_open(const struct seat *seat)
{
    return seat->ctx && seat->stage == STAGE_PASSED;
}

/* It ended before its end. Other errors are of what did come: they are answered. */
static int is_lost(apr_status_t rc)
{
    return APR_STATUS_IS_EOF(rc) || APR_STATUS_IS_INCOMPLETE(rc) || APR_STATUS_IS_ECONNRESET(rc) ||
           APR_STATUS_IS_ECONNABORTED(rc) || APR_STATUS_IS_EPIPE(rc) || APR_STATUS_IS_ETIMEDOUT(rc);
}

/* What did come is of no use to anyone. */
static apr_status_t refuse(request_rec *r, apr_bucket_brigade *brigade, apr_status_t rc)
{
    apr_brigade_cleanup(brigade);
    r->connection->keepalive = AP_CONN_CLOSE;
    return rc;
}

/* A declared length was looked at with the head; others are counted as they come. */
static apr_status_t count(struct seat *seat, request_rec *r, apr_bucket_brigade *brigade)
{
    apr_off_t length = 0;

    if (apr_brigade_length(brigade, 0, &length) == APR_SUCCESS && length > 0)
        seat->received += (uint64_t)length;
    if (seat->received <= cmw_ctx_body_limit(seat->ctx))
        return APR_SUCCESS;
    cmw_ctx_fail(seat->ctx, HTTP_REQUEST_ENTITY_TOO_LARGE);
    return refuse(r, brigade, APR_ENOSPC); /* httpd's handlers take it for 413 */
}

void body_in_leave(struct seat *seat)
{
    if (!seat->is_awaiting)
        return;
    seat->is_awaiting = 0;
    cmw_ctx_body_arrived(seat->ctx);
}

/* httpd keeps what stands behind chunks apart, once it has read it. 0 or a CMW_ERR_*. */
static int end_body(struct seat *seat, request_rec *r)
{
    size_t count;

    seat->has_ended = 1;
    body_in_leave(seat);
    if (apr_is_empty_table(r->trailers_in))
        return 0;
    const cmw_header *trailers = fields_in_list(r->pool, r->trailers_in, &count);
    return cmw_ctx_receive_trailers(seat->ctx, trailers, count);
}

/* Its time runs while it is waited for, and what handlers do meanwhile is not the client's. */
static apr_status_t read_in_time(struct seat *seat, ap_filter_t *f, apr_bucket_brigade *brigade,
                                 ap_input_mode_t mode, apr_read_type_e block, apr_off_t bytes)
{
    if (block != APR_BLOCK_READ || cmw_request_content_length(cmw_ctx_request(seat->ctx)) == 0)
        return ap_get_brigade(f->next, brigade, mode, block, bytes);
    if (cmw_ctx_await_body(seat->ctx, 0) != 0) {
        cmw_ctx_fail(seat->ctx, HTTP_SERVICE_UNAVAILABLE);
        return refuse(f->r, brigade, APR_ENOMEM);
    }
    seat->is_awaiting = 1;
    const uint64_t at_ns = cmw_ctx_deadline(seat->ctx);
    if (at_ns != 0)
        time_in_limit(f->r, at_ns);
    const apr_status_t rc = ap_get_brigade(f->next, brigade, mode, block, bytes);
    if (at_ns == 0)
        return rc;
    time_in_limit(f->r, 0);
    request_catch_up(seat);
    return cmw_ctx_is_cancelled(seat->ctx) ? refuse(f->r, brigade, APR_TIMEUP) : rc;
}

static apr_status_t read_open(struct seat *seat, ap_filter_t *f, apr_bucket_brigade *brigade,
                              ap_input_mode_t mode, apr_read_type_e block, apr_off_t bytes)
{
    if (cmw_ctx_is_cancelled(seat->ctx))
        return APR_TIMEUP;
    apr_status_t rc = read_in_time(seat, f, brigade, mode, block, bytes);
    if (is_lost(rc))
        seat->is_cut = 1;
    if (rc == APR_SUCCESS && !seat->is_feeding)
        rc = count(seat, f->r, brigade);
    if (rc != APR_SUCCESS || seat->has_ended || APR_BRIGADE_EMPTY(brigade) ||
        !APR_BUCKET_IS_EOS(APR_BRIGADE_LAST(brigade)))
        return rc;
    if (end_body(seat, f->r) != 0 && !seat->is_feeding) /* else the plan says so when it is fed */
        return refuse(f->r, brigade, APR_EINVAL);
    return APR_SUCCESS;
}

/* What the plan has left of it; behind it the end, as often as it is asked for. */
static apr_status_t give(const struct seat *seat, apr_bucket_brigade *to, ap_input_mode_t mode,
                         apr_off_t bytes)
{
    apr_bucket_brigade *from = seat->made;
    apr_bucket *after;

    if (mode == AP_MODE_GETLINE && !APR_BRIGADE_EMPTY(from))
        return apr_brigade_split_line(to, from, APR_BLOCK_READ, HUGE_STRING_LEN);
    if (mode != AP_MODE_READBYTES && mode != AP_MODE_GETLINE)
        return APR_ENOTIMPL;
    if (APR_BRIGADE_EMPTY(from)) {
        APR_BRIGADE_INSERT_TAIL(to, apr_bucket_eos_create(to->bucket_alloc));
        return APR_SUCCESS;
    }
    const apr_status_t rc = apr_brigade_partition(from, bytes, &after);
    if (rc != APR_SUCCESS && rc != APR_INCOMPLETE)
        return rc;
    while (APR_BRIGADE_FIRST(from) != after && !APR_BRIGADE_EMPTY(from)) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(from);
        APR_BUCKET_REMOVE(bucket);
        APR_BRIGADE_INSERT_TAIL(to, bucket);
    }
    return APR_SUCCESS;
}

apr_status_t body_in_filter(ap_filter_t *f, apr_bucket_brigade *brigade, ap_input_mode_t mode,
                            apr_read_type_e block, apr_off_t bytes)
{
    struct seat *seat = f->ctx;

    if (seat->made)
        return give(seat, brigade, mode, bytes);
    if (is_open(seat))
        return read_open(seat, f, brigade, mode, block, bytes);
    const apr_status_t rc = ap_get_brigade(f->next, brigade, mode, block, bytes);
    if (is_lost(rc))
        seat->is_cut = 1;
    return rc;
}

/* ---- To the plan -------------------------------------------------------------------------- */

static int feed(struct seat *seat, const cmw_chunk *chunk)
{
    seat->is_inside = 1;
    const int next = request_settle(seat, cmw_ctx_feed_body(seat->ctx, chunk));
    seat->is_inside = 0;
    return next;
}

/* Each bucket is taken out when it was fed. A cmw_next, or CMW_TO_HANDLER with `rc` set. */
static int feed_brigade(struct seat *seat, apr_bucket_brigade *brigade, apr_status_t *rc)
{
    int next = CMW_TO_HANDLER;

    while (next == CMW_TO_HANDLER && !seat->is_fed && !APR_BRIGADE_EMPTY(brigade)) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(brigade);
        cmw_chunk chunk = {CMW_STR(""), APR_BUCKET_IS_EOS(bucket), 0};
        if (!APR_BUCKET_IS_METADATA(bucket)) {
            *rc = apr_bucket_read(bucket, &chunk.bytes.data, &chunk.bytes.len, APR_BLOCK_READ);
            if (*rc != APR_SUCCESS)
                return next;
        }
        seat->is_fed = chunk.is_last != 0;
        if (chunk.bytes.len > 0 || chunk.is_last)
            next = feed(seat, &chunk);
        apr_bucket_delete(bucket);
    }
    return next;
}

static int feed_all(struct seat *seat, request_rec *r, apr_status_t *rc)
{
    apr_bucket_brigade *brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    int next = CMW_TO_HANDLER;

    while (next == CMW_TO_HANDLER && *rc == APR_SUCCESS && !seat->is_fed) {
        *rc = ap_get_brigade(r->input_filters, brigade, AP_MODE_READBYTES, APR_BLOCK_READ,
                             PIECE_BYTES);
        if (*rc == APR_SUCCESS)
            next = feed_brigade(seat, brigade, rc);
        apr_brigade_cleanup(brigade);
    }
    apr_brigade_destroy(brigade);
    return next;
}

/* ---- Back to httpd ------------------------------------------------------------------------ */

/* It is whole, so that it has a length; the bytes are the context's, as long as the request. */
static void write_back(struct seat *seat, request_rec *r)
{
    const cmw_str body = cmw_request_body(cmw_ctx_request(seat->ctx));
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;

    seat->made = apr_brigade_create(seat->request->pool, alloc);
    if (body.len > 0)
        APR_BRIGADE_INSERT_TAIL(seat->made,
                                apr_bucket_transient_create(body.data, body.len, alloc));
    APR_BRIGADE_INSERT_TAIL(seat->made, apr_bucket_eos_create(alloc));
    apr_table_setn(r->headers_in, "Content-Length",
                   apr_psprintf(r->pool, "%" APR_SIZE_T_FMT, body.len));
    apr_table_unset(r->headers_in, "Transfer-Encoding");
}

int body_in_is_due(const struct seat *seat)
{
    return seat->stage == STAGE_PASSED && seat->ctx && !seat->made && !cmw_ctx_fault(seat->ctx) &&
           cmw_ctx_reads_body(seat->ctx) &&
           cmw_request_content_length(cmw_ctx_request(seat->ctx)) != 0;
}

int body_in_take(struct seat *seat, request_rec *r, int *status)
{
    apr_status_t rc = APR_SUCCESS;

    seat->is_feeding = 1;
    int next = feed_all(seat, r, &rc);
    seat->is_feeding = 0;
    *status = 0;
    if (next == CMW_TO_HANDLER && cmw_ctx_is_cancelled(seat->ctx)) {
        seat->is_inside = 1;
        next = request_settle(seat, cmw_ctx_commit(seat->ctx));
        seat->is_inside = 0;
        return next;
    }
    *status = rc == APR_SUCCESS ? 0 : ap_map_http_request_error(rc, HTTP_BAD_REQUEST);
    if (next != CMW_TO_HANDLER || *status != 0)
        return next;
    fields_in_write(seat);
    write_back(seat, r);
    return next;
}
