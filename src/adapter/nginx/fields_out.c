/* SPDX-License-Identifier: MIT */
/*
 * The head of a response, from nginx to the engine and back.
 *
 * nginx keeps some fields beside the list of all: the content type, a time for Last-Modified, and
 * pointers to those that its filters look at. What the engine refuses (framing, values that are not
 * HTTP) stays nginx's alone.
 */
#include "module.h"

/* ---- To the engine ------------------------------------------------------------------------ */

/* nginx adds the charset itself, unless the type was changed since. */
static ngx_int_t read_type(const ngx_http_request_t *r, cmw_str *type)
{
    const ngx_http_headers_out_t *out = &r->headers_out;
    const size_t cap = out->content_type.len + sizeof "; charset=" + out->charset.len;

    *type = str_of(out->content_type);
    if (type->len == 0 || out->content_type_len != type->len || out->charset.len == 0)
        return NGX_OK;
    u_char *text = ngx_pnalloc(r->pool, cap);
    if (!text)
        return NGX_ERROR;
    const u_char *end =
        ngx_snprintf(text, cap, "%V; charset=%V", &out->content_type, &out->charset);
    *type = cmw_str_make((const char *)text, (size_t)(end - text));
    return NGX_OK;
}

static ngx_int_t export_time(const ngx_http_request_t *r, cmw_response *response)
{
    u_char text[sizeof "Mon, 28 Sep 1970 06:00:00 GMT"];

    if (r->headers_out.last_modified_time == -1 || r->headers_out.last_modified)
        return NGX_OK;
    const u_char *end = ngx_http_time(text, r->headers_out.last_modified_time);
    const cmw_str value = cmw_str_make((const char *)text, (size_t)(end - text));
    return cmw_response_set(response, CMW_HDR_LAST_MODIFIED, value) == 0 ? NGX_OK : NGX_ERROR;
}

/* The hash of those that were taken over: to nginx anything but 0 says that a field is to be sent.
 */
enum { TAKEN = 0x636d77 };

static ngx_int_t export_list(ngx_http_request_t *r, cmw_response *response)
{
    for (ngx_list_part_t *part = &r->headers_out.headers.part; part; part = part->next) {
        ngx_table_elt_t *elt = part->elts;
        for (ngx_uint_t i = 0; i < part->nelts; i++) {
            if (elt[i].hash == 0)
                continue;
            const int rc =
                cmw_response_append_named(response, str_of(elt[i].key), str_of(elt[i].value));
            if (rc == CMW_ERR_NOMEM)
                return NGX_ERROR;
            if (rc == 0)
                elt[i].hash = TAKEN;
        }
    }
    return NGX_OK;
}

static uint64_t length_of(const ngx_http_request_t *r)
{
    const off_t length = r->headers_out.content_length_n;

    return length >= 0 ? (uint64_t)length : UINT64_MAX;
}

static int has_body(const ngx_http_request_t *r)
{
    return r->method != NGX_HTTP_HEAD && r->headers_out.status != NGX_HTTP_NO_CONTENT &&
           r->headers_out.status != NGX_HTTP_NOT_MODIFIED;
}

static int export_body(struct seat *seat, cmw_response *response, cmw_str type)
{
    const ngx_http_request_t *r = seat->request;

    if (cmw_ctx_reads_response_body(seat->ctx))
        return body_out_open(seat, type, length_of(r));
    return cmw_response_pass_body(response, (int)r->headers_out.status, type, length_of(r));
}

ngx_int_t fields_out_export(struct seat *seat, cmw_response *response)
{
    ngx_http_request_t *r = seat->request;
    cmw_str type;

    if (read_type(r, &type) != NGX_OK)
        return NGX_ERROR;
    int rc = export_body(seat, response, type);
    if (rc == CMW_ERR_INVALID) /* a type that is none is not passed on */
        rc = export_body(seat, response, CMW_STR(""));
    if (rc != 0 || export_time(r, response) != NGX_OK)
        return NGX_ERROR;
    return export_list(r, response);
}

/* ---- From the engine ---------------------------------------------------------------------- */

/* Where nginx points to fields of which it writes some by itself where it has none; else NULL. */
static inline ngx_table_elt_t **known_pointer(ngx_http_headers_out_t *out, cmw_header_id id)
{
    switch (id) {
    case CMW_HDR_SERVER:
        return &out->server;
    case CMW_HDR_DATE:
        return &out->date;
    case CMW_HDR_ETAG:
        return &out->etag;
    case CMW_HDR_LAST_MODIFIED:
        return &out->last_modified;
    case CMW_HDR_CONTENT_ENCODING:
        return &out->content_encoding;
    default:
        return NULL;
    }
}

/* 1 for fields that nginx keeps beside the list, or points to. */
static inline int is_special(cmw_header_id id)
{
    return id == CMW_HDR_CONTENT_TYPE || id == CMW_HDR_SERVER || id == CMW_HDR_DATE ||
           id == CMW_HDR_ETAG || id == CMW_HDR_LAST_MODIFIED || id == CMW_HDR_CONTENT_ENCODING;
}

/* A walk over those of the list that were taken over. */
struct walk {
    ngx_list_part_t *part;
    ngx_uint_t index;
};

/* Where the walk stands; NULL: at its end. */
static ngx_table_elt_t *find_taken(struct walk *walk)
{
    for (; walk->part; walk->part = walk->part->next, walk->index = 0) {
        ngx_table_elt_t *elt = walk->part->elts;
        for (; walk->index < walk->part->nelts; walk->index++)
            if (elt[walk->index].hash == TAKEN)
                return &elt[walk->index];
    }
    return NULL;
}

static ngx_table_elt_t **pointer_at(ngx_http_headers_out_t *out, size_t offset)
{
    return (ngx_table_elt_t **)(void *)((char *)out + offset);
}

static ngx_int_t copy_text(const struct seat *seat, ngx_str_t *to, cmw_str from)
{
    to->data = ngx_pnalloc(seat->request->pool, from.len);
    if (!to->data)
        return NGX_ERROR;
    ngx_memcpy(to->data, from.data, from.len);
    return NGX_OK;
}

static inline ngx_int_t keep(const struct seat *seat, ngx_str_t *to, cmw_str from)
{
    to->data = (u_char *)(uintptr_t)from.data;
    to->len = from.len;
    return seat->ctx || from.len == 0 ? NGX_OK : copy_text(seat, to, from);
}

ngx_int_t fields_out_keep(const struct seat *seat, ngx_str_t *to, cmw_str from)
{
    return keep(seat, to, from);
}

/* NULL without memory. */
static inline ngx_table_elt_t *add_field(const struct seat *seat, const cmw_field *field)
{
    ngx_table_elt_t *elt = ngx_list_push(&seat->request->headers_out.headers);

    if (!elt)
        return NULL;
    ngx_memzero(elt, sizeof *elt);
    if (keep(seat, &elt->key, field->name) != NGX_OK ||
        keep(seat, &elt->value, field->value) != NGX_OK)
        return NULL; /* its hash is 0: it is not sent */
    elt->hash = 1;
    return elt;
}

static ngx_int_t set_type(const struct seat *seat, cmw_str type)
{
    ngx_http_headers_out_t *out = &seat->request->headers_out;

    out->content_type_len = type.len;
    out->content_type_lowcase = NULL;
    ngx_str_null(&out->charset); /* it is in the type */
    return keep(seat, &out->content_type, type);
}

/* What is left was removed or changed: forget it, and who points to it. */
static void drop_taken(ngx_http_headers_out_t *out)
{
    const size_t last = offsetof(ngx_http_headers_out_t, etag); /* all pointers lie together */
    struct walk walk = {&out->headers.part, 0};
    ngx_table_elt_t *elt;

    while ((elt = find_taken(&walk)) != NULL) {
        elt->hash = 0;
        for (size_t at = offsetof(ngx_http_headers_out_t, server); at <= last; at += sizeof elt)
            if (*pointer_at(out, at) == elt)
                *pointer_at(out, at) = NULL;
    }
}

static int is_same(const ngx_table_elt_t *elt, const cmw_field *field)
{
    return elt && cmw_str_equals(str_of(elt->key), field->name) &&
           cmw_str_equals(str_of(elt->value), field->value);
}

/* What belonged to a body that another has replaced. */
static int is_of_body(cmw_header_id id)
{
    return id == CMW_HDR_CONTENT_ENCODING || id == CMW_HDR_CONTENT_RANGE ||
           id == CMW_HDR_ACCEPT_RANGES || id == CMW_HDR_ETAG || id == CMW_HDR_LAST_MODIFIED;
}

/* The field that export_time made: nginx writes it by itself. */
static int is_time(const ngx_http_headers_out_t *out, time_t time, const cmw_field *field)
{
    u_char text[sizeof "Mon, 28 Sep 1970 06:00:00 GMT"];

    if (time == -1 || out->last_modified)
        return 0;
    const u_char *end = ngx_http_time(text, time);
    return cmw_str_equals(field->value, cmw_str_make((const char *)text, (size_t)(end - text)));
}

/* How the fields of a response get to nginx. */
struct import {
    const struct seat *seat;
    struct walk walk;
    time_t time;     /* of Last-Modified, as nginx had it */
    int is_replaced; /* the body is not nginx's */
};

/* Those that stand in nginx's list already, in the order of the walk, stay there. */
static ngx_int_t import_special(struct import *import, const cmw_field *field)
{
    ngx_http_headers_out_t *out = &import->seat->request->headers_out;

    if (field->id == CMW_HDR_CONTENT_TYPE)
        return set_type(import->seat, field->value);
    if (field->id == CMW_HDR_LAST_MODIFIED && is_time(out, import->time, field)) {
        if (!import->is_replaced)
            out->last_modified_time = import->time;
        return NGX_OK;
    }
    ngx_table_elt_t *taken = find_taken(&import->walk);
    if (is_same(taken, field)) {
        if (!import->is_replaced || !is_of_body(field->id))
            taken->hash = 1;
        else
            import->walk.index++; /* it is dropped */
        return NGX_OK;
    }
    ngx_table_elt_t *elt = add_field(import->seat, field);
    ngx_table_elt_t **pointer = known_pointer(out, field->id);
    if (elt && pointer)
        *pointer = elt;
    return elt ? NGX_OK : NGX_ERROR;
}

static ngx_int_t import_run(struct import *import, const cmw_field *fields, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (import->walk.part || is_special(fields[i].id)) {
            if (import_special(import, &fields[i]) != NGX_OK)
                return NGX_ERROR;
        } else if (!add_field(import->seat, &fields[i])) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

static int replaces_body(const struct seat *seat, const cmw_response *response)
{
    return !cmw_response_passes_body(response) &&
           !(seat->ctx && cmw_ctx_streams_from(seat->ctx, seat));
}

/* A walk over what stands in the list now: not over what is added to it. */
static struct walk walk_of(ngx_list_t *list)
{
    struct walk walk = {list->part.nelts > 0 ? &list->part : NULL, 0};

    return walk;
}

static ngx_int_t import_fields(const struct seat *seat, const cmw_response *response)
{
    ngx_http_headers_out_t *out = &seat->request->headers_out;
    struct import import = {.seat = seat,
                            .walk = walk_of(&out->headers),
                            .time = out->last_modified_time,
                            .is_replaced = replaces_body(seat, response)};
    const int had_any = import.walk.part != NULL;
    cmw_field_cursor cursor = {0};
    const cmw_field *fields;
    size_t count;

    ngx_str_null(&out->content_type);
    out->last_modified_time = -1;
    if (!had_any) {
        const ngx_int_t rc = joined_write(seat, response);
        if (rc != NGX_DECLINED)
            return rc;
    }
    while ((count = cmw_response_next_fields(response, &cursor, &fields)) > 0)
        if (import_run(&import, fields, count) != NGX_OK)
            return NGX_ERROR;
    if (had_any)
        drop_taken(out);
    return NGX_OK;
}

static void import_length(ngx_http_request_t *r, const cmw_response *response)
{
    const uint64_t length = cmw_response_content_length(response);

    ngx_http_clear_content_length(r);
    r->headers_out.content_length_n = length == UINT64_MAX ? -1 : (off_t)length;
    r->allow_ranges = 0;
}

/* The body is nginx's, but the plan makes another of it, of which there are no ranges. */
static int changes_body(const ngx_http_request_t *r, const cmw_response *response)
{
    return (has_body(r) || r->method == NGX_HTTP_HEAD) &&
           cmw_response_content_length(response) != length_of(r);
}

ngx_int_t fields_out_import(struct seat *seat, const cmw_response *response)
{
    ngx_http_request_t *r = seat->request;
    const ngx_uint_t status = (ngx_uint_t)cmw_response_status(response);

    if (import_fields(seat, response) != NGX_OK)
        return NGX_ERROR;
    r->expect_trailers = seat->ctx && cmw_ctx_sends_trailers(seat->ctx);
    if (r->headers_out.status != status) {
        r->headers_out.status = status;
        ngx_str_null(&r->headers_out.status_line);
    }
    const int changes = changes_body(r, response);
    if (changes || replaces_body(seat, response))
        import_length(r, response);
    if (changes) {
        ngx_http_clear_accept_ranges(r);
    }
    return NGX_OK;
}

void fields_out_clear(ngx_http_request_t *r)
{
    ngx_http_clean_header(r);
    r->err_status = 0;
}
