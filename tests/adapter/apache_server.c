/* SPDX-License-Identifier: MIT */
/*
 * Apache httpd for the conformance suite: a module whose handler (`SetHandler conformance`) is the
 * suite's, and the plugin with the suite's chain. The chain is run by the module under test, which
 * is loaded first.
 */
#include "module.h"

#include <apr_strings.h>
#include <http_connection.h>
#include <unistd.h>

#include "backend.h"

enum { LOOK_US = 5000, PIECE_BYTES = 16384 };

/* ---- The server --------------------------------------------------------------------------- */

static int owns_context(cmw_ctx *ctx)
{
    const struct seat *seat = cmw_ctx_host_data(ctx);

    return seat && seat->ctx == ctx && request_find(seat->request) == seat;
}

const struct conformance_server *conformance_server_of_module(void)
{
    static const char *const traits[] = {"answers_failures_itself",
                                         "closes_after_errors",
                                         "switches_protocols",
                                         "refuses_two_hosts_itself",
                                         "drops_length_beside_coding",
                                         "drains_all",
                                         "sends_heads_first",
                                         "awaits_clients_at_its_end",
                                         "reads_blanks_around_lengths",
                                         "reads_tabs_around_lengths",
                                         "reads_folded_lengths",
                                         "joins_equal_fields",
                                         NULL};
    static struct conformance_server server = {.name = "apache",
                                               .traits = traits,
                                               .owns_context = owns_context,
                                               .chain_context = job_chain};

    server.host = process_host();
    return &server;
}

/* ---- The body of the request -------------------------------------------------------------- */

static int receive_bucket(struct job *job, apr_bucket *bucket)
{
    const char *bytes;
    apr_size_t len;

    if (apr_bucket_read(bucket, &bytes, &len, APR_BLOCK_READ) != APR_SUCCESS)
        return HTTP_INTERNAL_SERVER_ERROR;
    return job_receive(job, cmw_str_make(bytes, len)) == 0 ? OK : HTTP_INTERNAL_SERVER_ERROR;
}

/* OK: it is whole; else what httpd's handlers say to what the filters have said. */
static int receive(request_rec *r, struct job *job)
{
    apr_bucket_brigade *brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);

    for (int is_last = 0, rc; !is_last; apr_brigade_cleanup(brigade)) {
        const apr_status_t got = ap_get_brigade(r->input_filters, brigade, AP_MODE_READBYTES,
                                                APR_BLOCK_READ, PIECE_BYTES);
        if (got != APR_SUCCESS)
            return ap_map_http_request_error(got, HTTP_BAD_REQUEST);
        for (apr_bucket *at = APR_BRIGADE_FIRST(brigade); at != APR_BRIGADE_SENTINEL(brigade);
             at = APR_BUCKET_NEXT(at)) {
            is_last |= APR_BUCKET_IS_EOS(at);
            rc = APR_BUCKET_IS_METADATA(at) ? OK : receive_bucket(job, at);
            if (rc != OK)
                return rc;
        }
    }
    return OK;
}

/* ---- The response ------------------------------------------------------------------------- */

static char *copy(apr_pool_t *pool, cmw_str text)
{
    return apr_pstrmemdup(pool, text.data, text.len);
}

static void make_head(request_rec *r, const cmw_response *response)
{
    const uint64_t length = cmw_response_content_length(response);
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;

    r->status = cmw_response_status(response);
    if (length != UINT64_MAX)
        ap_set_content_length(r, (apr_off_t)length);
    while (cmw_response_next_header(response, &cursor, &field, 0)) {
        if (cmw_header_id_find(field.name) == CMW_HDR_CONTENT_TYPE)
            ap_set_content_type(r, copy(r->pool, field.value));
        else
            apr_table_addn(r->headers_out, copy(r->pool, field.name), copy(r->pool, field.value));
    }
}

/* As a back end of mod_proxy that breaks off: nobody takes it for whole. */
static void break_off(request_rec *r, apr_bucket_brigade *brigade)
{
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;

    r->connection->keepalive = AP_CONN_CLOSE;
    APR_BRIGADE_INSERT_TAIL(brigade,
                            ap_bucket_error_create(HTTP_BAD_GATEWAY, NULL, r->pool, alloc));
}

/* 1 if there is more. */
static int add_piece(request_rec *r, struct job *job, apr_bucket_brigade *brigade)
{
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    cmw_chunk chunk = {CMW_STR(""), 0, 0};
    int rc;

    while ((rc = job_read(job, &chunk)) == CMW_ERR_AGAIN) {
        do {
            (void)usleep(LOOK_US);
        } while (!job_look(job) && !r->connection->aborted);
        if (r->connection->aborted)
            return 0;
    }
    if (rc != 0)
        break_off(r, brigade);
    else if (chunk.bytes.len > 0)
        APR_BRIGADE_INSERT_TAIL(
            brigade, apr_bucket_transient_create(chunk.bytes.data, chunk.bytes.len, alloc));
    if (rc == 0 && !chunk.is_last)
        APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_flush_create(alloc));
    else
        APR_BRIGADE_INSERT_TAIL(brigade, apr_bucket_eos_create(alloc));
    return rc == 0 && !chunk.is_last;
}

static int send_body(request_rec *r, struct job *job)
{
    apr_bucket_brigade *brigade = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    int has_more;

    do {
        has_more = add_piece(r, job, brigade);
        if (ap_pass_brigade(r->output_filters, brigade) != APR_SUCCESS || r->connection->aborted)
            return OK; /* a lost connection says so by itself */
        apr_brigade_cleanup(brigade);
    } while (has_more);
    return OK;
}

/* ---- The request -------------------------------------------------------------------------- */

static apr_status_t on_end(void *job)
{
    job_end(job);
    return APR_SUCCESS;
}

static int on_request(request_rec *r)
{
    const struct seat *seat = request_find(r);

    if (!r->handler || strcmp(r->handler, "conformance") != 0)
        return DECLINED;
    if (!seat || !seat->ctx)
        return HTTP_INTERNAL_SERVER_ERROR;
    struct job *job = job_begin(conformance_app_of_module(), seat->ctx, str_or_empty(r->method),
                                str_or_empty(r->unparsed_uri));
    if (!job)
        return HTTP_INTERNAL_SERVER_ERROR;
    apr_pool_cleanup_register(r->pool, job, on_end, apr_pool_cleanup_null);
    const int rc = receive(r, job);
    if (rc != OK)
        return rc;
    const cmw_response *response = job_run(job);
    if (!response)
        return HTTP_INTERNAL_SERVER_ERROR;
    make_head(r, response);
    return send_body(r, job);
}

/* ---- The module --------------------------------------------------------------------------- */

static void register_hooks(apr_pool_t *pool)
{
    (void)pool;
    ap_hook_handler(on_request, NULL, NULL, APR_HOOK_MIDDLE);
}

AP_DECLARE_MODULE(conformance) = {
    STANDARD20_MODULE_STUFF,
    .register_hooks = register_hooks,
};
