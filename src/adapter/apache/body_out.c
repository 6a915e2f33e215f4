/* SPDX-License-Identifier: MIT */
/*
 * Bodies of responses that are read from the engine.
 *
 *     httpd's body ── push ──> input ──> the plan's callbacks ──> one piece ──> next filter
 *     a source of middleware ────────────┘
 *
 * httpd pushes and the engine pulls. Who writes to the next filter waits until the client has taken
 * enough, so that no more of a body lies here than what httpd gave at once: files and pipes are
 * read a bucket at a time.
 */
#include "module.h"

/* ---- httpd's body, as a source ------------------------------------------------------------ */

static void release_taken(struct seat *seat)
{
    if (seat->taken)
        apr_bucket_delete(seat->taken);
    seat->taken = NULL;
}

static apr_status_t pass(const struct seat *seat, ap_filter_t *next, apr_bucket *bucket)
{
    request_rec *r = seat->sender;
    apr_bucket_brigade *brigade = seat->output;

    if (r->connection->aborted) {
        apr_bucket_destroy(bucket);
        return APR_ECONNABORTED;
    }
    APR_BRIGADE_INSERT_TAIL(brigade, bucket);
    const apr_status_t rc = ap_pass_brigade(next, brigade);
    apr_brigade_cleanup(brigade);
    return rc;
}

static apr_status_t flush(const struct seat *seat)
{
    return pass(seat, seat->next, apr_bucket_flush_create(seat->output->bucket_alloc));
}

/* A pipe may have nothing yet: what there was is to get to the client meanwhile. */
static apr_status_t read_bucket(const struct seat *seat, apr_bucket *bucket, cmw_str *bytes)
{
    apr_status_t rc = apr_bucket_read(bucket, &bytes->data, &bytes->len, APR_NONBLOCK_READ);

    if (APR_STATUS_IS_EAGAIN(rc)) {
        rc = flush(seat);
        if (rc == APR_SUCCESS)
            rc = apr_bucket_read(bucket, &bytes->data, &bytes->len, APR_BLOCK_READ);
    }
    return rc;
}

/* The first bucket that holds bytes, or ends the body; the others are taken out. */
static int on_read(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    struct seat *seat = self;
    (void)ctx;

    seat->asks = 1;
    release_taken(seat);
    while (!APR_BRIGADE_EMPTY(seat->input)) {
        apr_bucket *bucket = APR_BRIGADE_FIRST(seat->input);
        cmw_str bytes = CMW_STR("");
        if (AP_BUCKET_IS_ERROR(bucket))
            return CMW_ERR_IO; /* httpd has lost the rest of it */
        if (APR_BUCKET_IS_EOS(bucket)) {
            chunk->is_last = 1;
            return 0;
        }
        if (APR_BUCKET_IS_FLUSH(bucket))
            seat->wants_flush = 1;
        else if (!APR_BUCKET_IS_METADATA(bucket) &&
                 read_bucket(seat, bucket, &bytes) != APR_SUCCESS)
            return CMW_ERR_IO;
        if (bytes.len > 0) {
            seat->taken = bucket;
            chunk->bytes = bytes;
            return 0;
        }
        apr_bucket_delete(bucket);
    }
    return CMW_ERR_AGAIN;
}

int body_out_open(struct seat *seat, request_rec *r, cmw_str type, uint64_t length)
{
    return site_stream_body(seat->ctx, r->status, type, length, on_read, seat);
}

/* ---- Through ------------------------------------------------------------------------------ */

int body_out_is_hosts(const struct seat *seat)
{
    return seat->ctx && cmw_ctx_streams_from(seat->ctx, seat);
}

void body_out_begin(struct seat *seat, request_rec *r)
{
    const int passes = body_out_is_hosts(seat) && !cmw_ctx_looks_at_body(seat->ctx);

    seat->streams = cmw_ctx_streams_body(seat->ctx) && !passes;
    if (!seat->streams)
        return;
    seat->input = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    seat->output = apr_brigade_create(r->pool, r->connection->bucket_alloc);
}

void body_out_push(const struct seat *seat, apr_bucket_brigade *brigade)
{
    if (body_out_is_hosts(seat) && !seat->has_sent_last)
        APR_BRIGADE_CONCAT(seat->input, brigade);
    else
        apr_brigade_cleanup(brigade);
}

/* Others may keep the bytes longer than they last: they copy what is transient. */
static apr_status_t send_chunk(struct seat *seat, ap_filter_t *next, const cmw_chunk *chunk)
{
    apr_bucket_alloc_t *alloc = seat->output->bucket_alloc;

    if (chunk->is_last) {
        seat->has_sent_last = 1;
        APR_BRIGADE_INSERT_HEAD(seat->output, apr_bucket_eos_create(alloc));
    }
    if (chunk->bytes.len > 0)
        APR_BRIGADE_INSERT_HEAD(
            seat->output, apr_bucket_transient_create(chunk->bytes.data, chunk->bytes.len, alloc));
    const apr_status_t rc = ap_pass_brigade(next, seat->output);
    apr_brigade_cleanup(seat->output);
    return rc;
}

/* 0, CMW_ERR_AGAIN, or that there will be no more. */
static int read_piece(struct seat *seat, cmw_chunk *chunk)
{
    *chunk = (cmw_chunk){CMW_STR(""), 0, 0};
    seat->asks = 0;
    seat->is_inside = 1;
    const int rc = cmw_ctx_read_body(seat->ctx, chunk);
    seat->is_inside = 0;
    return rc;
}

/* The source is the plan's: it will go on, or never. */
static apr_status_t await_more(struct seat *seat)
{
    const apr_status_t rc = flush(seat);

    if (rc != APR_SUCCESS)
        return rc;
    seat->is_inside = 1;
    const int next = request_settle(seat, CMW_TO_SUSPENDED);
    seat->is_inside = 0;
    return next == CMW_TO_ABORT ? APR_EGENERAL : APR_SUCCESS;
}

static apr_status_t pump(struct seat *seat)
{
    apr_status_t rc = APR_SUCCESS;
    cmw_chunk chunk;

    while (rc == APR_SUCCESS && !seat->has_sent_last) {
        const int found = read_piece(seat, &chunk);
        if (found == 0)
            rc = send_chunk(seat, seat->next, &chunk);
        else if (found != CMW_ERR_AGAIN)
            rc = APR_EGENERAL;
        else if (!seat->asks)
            rc = await_more(seat);
        else
            break;
    }
    if (rc == APR_SUCCESS && seat->wants_flush)
        rc = flush(seat);
    seat->wants_flush = 0;
    return rc;
}

apr_status_t body_out_pump(struct seat *seat, ap_filter_t *next)
{
    seat->next = next;
    const apr_status_t rc = seat->has_failed ? APR_ECONNABORTED : pump(seat);
    if (rc == APR_SUCCESS && !seat->has_sent_last)
        return rc;
    release_taken(seat);
    apr_brigade_cleanup(seat->input);
    if (rc != APR_SUCCESS)
        request_break_off(seat, seat->sender);
    return rc;
}
