/* SPDX-License-Identifier: MIT */
/*
 * The head of a response, from httpd to the engine and back.
 *
 * httpd keeps some fields beside its tables: the content type, coding and languages. What the
 * engine refuses (framing, values that are not HTTP) stays httpd's alone.
 */
#include "module.h"

#include <apr_strings.h>

/* ---- To the engine ------------------------------------------------------------------------ */

static const apr_table_entry_t *entries_of(const apr_table_t *table, int *count)
{
    const apr_array_header_t *array = apr_table_elts(table);

    *count = array->nelts;
    return (const apr_table_entry_t *)(const void *)array->elts;
}

/* All in one table, as httpd's own filter would have it. */
static void gather(request_rec *r)
{
    const char *const *languages;

    r->headers_out = apr_table_overlay(r->pool, r->err_headers_out, r->headers_out);
    apr_table_clear(r->err_headers_out);
    if (r->content_encoding)
        apr_table_setn(r->headers_out, "Content-Encoding", r->content_encoding);
    r->content_encoding = NULL;
    if (r->content_languages && !apr_table_get(r->headers_out, "Content-Language")) {
        languages = (const char *const *)(const void *)r->content_languages->elts;
        for (int i = 0; i < r->content_languages->nelts; i++)
            apr_table_mergen(r->headers_out, "Content-Language", languages[i]);
    }
    r->content_languages = NULL;
    apr_table_unset(r->headers_out, "Content-Type"); /* httpd's is r->content_type */
}

static uint64_t length_of(const request_rec *r)
{
    const char *text = apr_table_get(r->headers_out, "Content-Length");
    apr_off_t length;

    return text && ap_parse_strict_length(&length, text) ? (uint64_t)length : UINT64_MAX;
}

/* Those that are taken over leave httpd's table. */
static int export_table(request_rec *r, cmw_response *response)
{
    int count;
    const apr_table_entry_t *entry = entries_of(r->headers_out, &count);
    apr_table_t *kept = apr_table_make(r->pool, 4);

    for (int i = 0; i < count; i++) {
        const int rc = cmw_response_append_named(response, str_or_empty(entry[i].key),
                                                 str_or_empty(entry[i].val));
        if (rc == CMW_ERR_NOMEM)
            return rc;
        if (rc != 0)
            apr_table_addn(kept, entry[i].key, entry[i].val);
    }
    r->headers_out = kept;
    return 0;
}

static int export_body(struct seat *seat, request_rec *r, cmw_str type)
{
    if (cmw_ctx_reads_response_body(seat->ctx))
        return body_out_open(seat, r, type, length_of(r));
    return cmw_response_pass_body(cmw_ctx_response(seat->ctx), r->status, type, length_of(r));
}

int fields_out_export(struct seat *seat, request_rec *r, const apr_table_t **exported)
{
    gather(r);
    *exported = r->headers_out;
    int rc = export_body(seat, r, str_or_empty(ap_make_content_type(r, r->content_type)));
    if (rc == CMW_ERR_INVALID) /* a type that is none is not passed on */
        rc = export_body(seat, r, CMW_STR(""));
    return rc == 0 ? export_table(r, cmw_ctx_response(seat->ctx)) : rc;
}

/* ---- From the engine ---------------------------------------------------------------------- */

static char *copy(apr_pool_t *pool, cmw_str text)
{
    return apr_pstrmemdup(pool, text.data, text.len);
}

/* Constant text lies in the plan, which the request holds for as long as its pool lives. */
static const char *text_of(apr_pool_t *pool, const cmw_field *field, cmw_str text)
{
    return field->has_nul ? text.data : copy(pool, text);
}

static void add(request_rec *r, apr_table_t *table, const cmw_field *field)
{
    apr_table_addn(table, text_of(r->pool, field, field->name),
                   text_of(r->pool, field, field->value));
}

/* What belonged to a body that another has replaced. */
static int is_of_body(cmw_header_id id)
{
    return id == CMW_HDR_CONTENT_ENCODING || id == CMW_HDR_CONTENT_RANGE ||
           id == CMW_HDR_ACCEPT_RANGES || id == CMW_HDR_ETAG || id == CMW_HDR_LAST_MODIFIED;
}

static void import_body(request_rec *r, const cmw_response *response)
{
    const uint64_t length = cmw_response_content_length(response);

    apr_table_unset(r->headers_out, "Content-Length");
    if (length != UINT64_MAX)
        ap_set_content_length(r, (apr_off_t)length);
    fields_out_refuse_ranges(r);
}

/* httpd's, of the body that was replaced. */
static int is_stale(const apr_table_t *exported, const cmw_field *field)
{
    int count;

    if (!exported || !is_of_body(field->id))
        return 0;
    const apr_table_entry_t *entry = entries_of(exported, &count);
    for (int i = 0; i < count; i++)
        if (cmw_str_equals(field->name, str_or_empty(entry[i].key)) &&
            cmw_str_equals(field->value, str_or_empty(entry[i].val)))
            return 1;
    return 0;
}

/* The body is httpd's, but the plan reads it a piece at a time, or makes another of it: there are
 * no ranges of it. Else its length is httpd's, also where no body is sent. */
static int changes_body(const struct seat *seat, const request_rec *r, const cmw_response *response)
{
    return seat->streams || cmw_response_content_length(response) != length_of(r);
}

int fields_out_import(struct seat *seat, request_rec *r, const cmw_response *response,
                      const apr_table_t *exported)
{
    const int status = cmw_response_status(response);
    const int is_replaced = !cmw_response_passes_body(response) && !body_out_is_hosts(seat);
    const int changes = !is_replaced && changes_body(seat, r, response);
    cmw_field_cursor cursor = {0};
    const cmw_field *field;
    size_t count;

    ap_set_content_type(r, NULL);
    while ((count = cmw_response_next_fields(response, &cursor, &field)) > 0)
        for (; count > 0; count--, field++) {
            if (field->id == CMW_HDR_CONTENT_TYPE)
                ap_set_content_type(r, copy(r->pool, field->value));
            else if (!(is_replaced && is_stale(exported, field)) &&
                     !(changes && field->id == CMW_HDR_ACCEPT_RANGES))
                add(r, r->headers_out, field);
        }
    if (r->status != status || is_replaced) /* httpd makes 500 of those that it does not know */
        r->status_line =
            apr_psprintf(r->pool, "%03d %s", status, copy(r->pool, cmw_status_reason(status)));
    r->status = status;
    if (is_replaced || changes)
        import_body(r, response);
    return changes;
}

void fields_out_restate(request_rec *r, const cmw_response *response)
{
    cmw_field_cursor cursor = {0};
    const cmw_field *field;
    size_t count;

    while ((count = cmw_response_next_fields(response, &cursor, &field)) > 0)
        for (; count > 0; count--, field++)
            if (!is_of_body(field->id) && field->id != CMW_HDR_CONTENT_TYPE &&
                field->id != CMW_HDR_LOCATION)
                add(r, r->err_headers_out, field);
}

void fields_out_refuse_ranges(request_rec *r)
{
    for (ap_filter_t *at = r->output_filters; at; at = at->next)
        if (ap_cstr_casecmp(at->frec->name, "BYTERANGE") == 0) {
            ap_remove_output_filter(at);
            return;
        }
}
