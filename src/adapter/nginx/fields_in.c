/* SPDX-License-Identifier: MIT */
/*
 * What middleware rewrote of a request: header fields and the target, as nginx keeps them, so that
 * its own modules, its variables and upstreams see what the plan decided by.
 */
#include "module.h"

/* ---- Fields ------------------------------------------------------------------------------- */

/* nginx keeps these as lists, not as pointers to one field. */
static ngx_array_t *list_at(ngx_http_headers_in_t *in, ngx_uint_t offset)
{
#if (NGX_HTTP_X_FORWARDED_FOR)
    if (offset == offsetof(ngx_http_headers_in_t, x_forwarded_for))
        return &in->x_forwarded_for;
#endif
    return offset == offsetof(ngx_http_headers_in_t, cookies) ? &in->cookies : NULL;
}

static ngx_table_elt_t **pointer_at(ngx_http_headers_in_t *in, ngx_uint_t offset)
{
    return (ngx_table_elt_t **)(void *)((char *)in + offset);
}

/* Those that nginx knows are forgotten; the connection's own fields keep what they have said. */
static void forget_known(ngx_http_headers_in_t *in)
{
    for (const ngx_http_header_t *known = ngx_http_headers_in; known->name.len > 0; known++) {
        ngx_array_t *list = list_at(in, known->offset);
        if (known->offset == 0)
            continue;
        if (list)
            list->nelts = 0;
        else
            *pointer_at(in, known->offset) = NULL;
    }
}

static ngx_int_t remember_known(ngx_http_request_t *r, ngx_table_elt_t *elt)
{
    ngx_http_core_main_conf_t *core = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    const ngx_http_header_t *known =
        ngx_hash_find(&core->headers_in_hash, elt->hash, elt->lowcase_key, elt->key.len);

    if (!known || known->offset == 0)
        return NGX_OK;
    ngx_array_t *list = list_at(&r->headers_in, known->offset);
    if (!list) {
        ngx_table_elt_t **pointer = pointer_at(&r->headers_in, known->offset);
        if (!*pointer)
            *pointer = elt;
        return NGX_OK;
    }
    if (!list->elts && ngx_array_init(list, r->pool, 1, sizeof(ngx_table_elt_t *)) != NGX_OK)
        return NGX_ERROR;
    ngx_table_elt_t **place = ngx_array_push(list);
    if (!place)
        return NGX_ERROR;
    *place = elt;
    return NGX_OK;
}

/* nginx's variables read past no end, but some of its modules expect a NUL behind a value. */
static ngx_int_t copy(ngx_pool_t *pool, ngx_str_t *to, cmw_str from)
{
    to->len = from.len;
    to->data = ngx_pnalloc(pool, from.len + 1);
    if (!to->data)
        return NGX_ERROR;
    ngx_memcpy(to->data, from.data, from.len);
    to->data[from.len] = '\0';
    return NGX_OK;
}

static ngx_int_t add_field(ngx_http_request_t *r, const cmw_header *field)
{
    ngx_table_elt_t *elt = ngx_list_push(&r->headers_in.headers);

    if (!elt)
        return NGX_ERROR;
    ngx_memzero(elt, sizeof *elt);
    elt->lowcase_key = ngx_pnalloc(r->pool, field->name.len);
    if (!elt->lowcase_key || copy(r->pool, &elt->key, field->name) != NGX_OK ||
        copy(r->pool, &elt->value, field->value) != NGX_OK)
        return NGX_ERROR;
    elt->hash = ngx_hash_strlow(elt->lowcase_key, elt->key.data, elt->key.len);
    return remember_known(r, elt);
}

ngx_int_t fields_in_write(struct seat *seat)
{
    ngx_http_request_t *r = seat->request;
    size_t count;
    const cmw_header *fields = cmw_request_headers(cmw_ctx_request(seat->ctx), &count);

    if (fields == seat->fields)
        return NGX_OK; /* as they came */
    seat->fields = fields;
    if (ngx_list_init(&r->headers_in.headers, r->pool, count > 0 ? count : 1,
                      sizeof(ngx_table_elt_t)) != NGX_OK)
        return NGX_ERROR;
    forget_known(&r->headers_in);
    for (size_t i = 0; i < count; i++)
        if (add_field(r, &fields[i]) != NGX_OK)
            return NGX_ERROR;
    return NGX_OK;
}

/* ---- The target --------------------------------------------------------------------------- */

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    const char folded = (char)(c | 0x20);
    return folded >= 'a' && folded <= 'f' ? folded - 'a' + 10 : -1;
}

/*
 * The canonical path as nginx keeps paths, without escapes; but an escaped slash stays escaped,
 * since nginx would take it for one that parts segments. Its length.
 */
static size_t unescape(u_char *to, cmw_str path)
{
    size_t len = 0;

    for (size_t i = 0; i < path.len; i++) {
        int byte = (unsigned char)path.data[i];
        if (byte == '%' && i + 2 < path.len) {
            const int high = hex_value(path.data[i + 1]), low = hex_value(path.data[i + 2]);
            const int value = high < 0 || low < 0 ? -1 : high * 16 + low;
            if (value > 0 && value != '/') {
                byte = value;
                i += 2;
            }
        }
        to[len++] = (u_char)byte;
    }
    return len;
}

/* 1 if a path is nginx's as it lies: no escape is to be taken out of it. */
static int is_uri(ngx_str_t uri, cmw_str path)
{
    return cmw_str_equals(str_of(uri), path) && !memchr(path.data, '%', path.len);
}

static ngx_int_t write_uri(ngx_http_request_t *r, cmw_str path)
{
    u_char *uri = ngx_pnalloc(r->pool, path.len + 1);

    if (!uri)
        return NGX_ERROR;
    const size_t len = unescape(uri, path);
    if (len == r->uri.len && ngx_memcmp(uri, r->uri.data, len) == 0)
        return NGX_OK;
    uri[len] = '\0';
    r->uri.data = uri;
    r->uri.len = len;
    ngx_str_null(&r->exten);
    ngx_http_set_exten(r);
    return NGX_OK;
}

static int is_target(cmw_str target, cmw_str path, cmw_str query)
{
    if (target.len < path.len || ngx_memcmp(target.data, path.data, path.len) != 0)
        return 0;
    if (query.len == 0)
        return target.len == path.len;
    return target.len == path.len + 1 + query.len && target.data[path.len] == '?' &&
           ngx_memcmp(target.data + path.len + 1, query.data, query.len) == 0;
}

static ngx_int_t join_target(ngx_http_request_t *r, cmw_str path, cmw_str query)
{
    u_char *to = ngx_pnalloc(r->pool, path.len + query.len + 2);

    if (!to)
        return NGX_ERROR;
    r->unparsed_uri.data = to;
    to = ngx_cpymem(to, path.data, path.len);
    if (query.len > 0) {
        *to++ = '?';
        to = ngx_cpymem(to, query.data, query.len);
    }
    *to = '\0';
    r->unparsed_uri.len = (size_t)(to - r->unparsed_uri.data);
    return NGX_OK;
}

/* nginx routes by r->uri, and upstreams get r->unparsed_uri: both become what conditions matched.
 */
ngx_int_t fields_in_write_target(struct seat *seat)
{
    ngx_http_request_t *r = seat->request;
    cmw_request *request = cmw_ctx_request(seat->ctx);
    const cmw_str path = cmw_request_path(request);
    const cmw_str query = cmw_request_query(request);

    if (path.len == 0 || path.data[0] != '/')
        return NGX_OK; /* "*", or what has no canonical form: a plan with paths has refused it */
    if (!is_uri(r->uri, path) && write_uri(r, path) != NGX_OK)
        return NGX_ERROR;
    if (!cmw_str_equals(query, str_of(r->args))) {
        r->args.data = (u_char *)(uintptr_t)query.data;
        r->args.len = query.len;
    }
    return is_target(str_of(r->unparsed_uri), path, query) ? NGX_OK : join_target(r, path, query);
}
