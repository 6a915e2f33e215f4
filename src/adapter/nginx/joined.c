/* SPDX-License-Identifier: MIT */
/*
 * All fields of a response as one of nginx's list, whose value goes on with the lines of the
 * others: nginx keeps, measures and copies each field by itself, which costs more than all else.
 *
 * Our filter is behind all that look at fields, and HTTP/1 writes what stands in the list. So
 * nobody misses single ones but `$sent_http_NAME` and modules that read them when the request is
 * logged: where the configuration has such a variable, or a module that is not nginx's own, none
 * are joined.
 */
#include "module.h"

/* ---- The configuration -------------------------------------------------------------------- */

/* nginx's modules, which leave fields of responses alone once our filter has seen them, and
 * Debian's header_count, which counts those of requests; without "ngx_http_" and "_module". */
static const char *const quiet[] = {
    "access",
    "addition_filter",
    "auth_basic",
    "auth_request",
    "autoindex",
    "browser",
    "charset_filter",
    "chunked_filter",
    "copy_filter",
    "core",
    "dav",
    "degradation",
    "empty_gif",
    "fastcgi",
    "flv",
    "geo",
    "geoip",
    "grpc",
    "header_count",
    "gunzip_filter",
    "gzip_filter",
    "gzip_static",
    "header_filter",
    "headers_filter",
    "image_filter",
    "index",
    "limit_conn",
    "limit_req",
    "log",
    "map",
    "memcached",
    "mirror",
    "mp4",
    "not_modified_filter",
    "postpone_filter",
    "proxy",
    "random_index",
    "range_body_filter",
    "range_header_filter",
    "realip",
    "referer",
    "rewrite",
    "scgi",
    "secure_link",
    "slice_filter",
    "split_clients",
    "ssi_filter",
    "ssl",
    "static",
    "stub_status",
    "sub_filter",
    "try_files",
    "upstream",
    "upstream_hash",
    "upstream_ip_hash",
    "upstream_keepalive",
    "upstream_least_conn",
    "upstream_random",
    "upstream_zone",
    "userid_filter",
    "uwsgi",
    "v2",
    "v2_filter",
    "write_filter",
    "xslt_filter",
};

/* 1 if a text is prefix, name and suffix. */
static int is_named(const char *text, const char *name)
{
    const size_t before = sizeof "ngx_http_" - 1, len = ngx_strlen(name);

    return ngx_strncmp(text, "ngx_http_", before) == 0 &&
           ngx_strncmp(text + before, name, len) == 0 &&
           ngx_strcmp(text + before + len, "_module") == 0;
}

static int is_quiet(const ngx_module_t *module)
{
    if (module->type != NGX_HTTP_MODULE || module == &ngx_http_catzilla_mw_module)
        return 1;
    for (size_t i = 0; i < sizeof quiet / sizeof *quiet; i++)
        if (is_named(module->name, quiet[i]))
            return 1;
    return 0;
}

/* 1 if some text of the configuration has a variable of a response's field. */
static int has_field_variable(const ngx_http_core_main_conf_t *core)
{
    const cmw_str prefix = CMW_STR("sent_http_");
    const ngx_http_variable_t *variable = core->variables.elts;

    for (ngx_uint_t i = 0; i < core->variables.nelts; i++)
        if (variable[i].name.len >= prefix.len &&
            ngx_strncmp(variable[i].name.data, prefix.data, prefix.len) == 0)
            return 1;
    return 0;
}

int joined_is_safe(volatile ngx_cycle_t *cycle)
{
    const ngx_http_core_main_conf_t *core =
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_core_module);

    for (ngx_uint_t i = 0; i < cycle->modules_n; i++)
        if (!is_quiet(cycle->modules[i]))
            return 0;
    return !has_field_variable(core);
}

/* ---- A response --------------------------------------------------------------------------- */

enum { MOST_RUNS = 24 };

/* nginx points to these, and writes some by itself where it has none. */
static int has_pointed(const cmw_response *response)
{
    cmw_header_set pointed = {{0, 0}};

    cmw_header_set_add(&pointed, CMW_HDR_SERVER);
    cmw_header_set_add(&pointed, CMW_HDR_DATE);
    cmw_header_set_add(&pointed, CMW_HDR_ETAG);
    cmw_header_set_add(&pointed, CMW_HDR_LAST_MODIFIED);
    cmw_header_set_add(&pointed, CMW_HDR_CONTENT_ENCODING);
    return cmw_response_has_any(response, &pointed);
}

static size_t sum(const cmw_str *slices, size_t count)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++)
        bytes += slices[i].len;
    return bytes;
}

static ngx_int_t add(ngx_http_request_t *r, const cmw_str *slices, size_t count, size_t bytes)
{
    u_char *text = ngx_pnalloc(r->pool, bytes);
    ngx_table_elt_t *elt = text ? ngx_list_push(&r->headers_out.headers) : NULL;

    if (!elt)
        return NGX_ERROR;
    u_char *at = text;
    for (size_t i = 0; i < count; i++)
        at = ngx_cpymem(at, slices[i].data, slices[i].len);
    const u_char *colon = memchr(text, ':', bytes); /* every line has one, and a blank */
    ngx_memzero(elt, sizeof *elt);
    elt->key.data = text;
    elt->key.len = (size_t)(colon - text);
    elt->value.data = text + elt->key.len + 2;
    elt->value.len = bytes - elt->key.len - 2 - 2;
    elt->hash = 1;
    return NGX_OK;
}

/* Where nginx takes fields away from what stands in its head. */
static int is_pruned(int status)
{
    return status == NGX_HTTP_NO_CONTENT || status == NGX_HTTP_NOT_MODIFIED;
}

/* The content type is one of them, which nginx keeps by itself only where it is to write it. */
ngx_int_t joined_write(const struct seat *seat, const cmw_response *response)
{
    ngx_http_request_t *r = seat->request;
    cmw_str slices[MOST_RUNS];
    size_t count;

    if (!seat->process->joins || r->http_version >= NGX_HTTP_VERSION_20 || has_pointed(response) ||
        is_pruned(cmw_response_status(response)) ||
        cmw_response_head_slices(response, &count, slices, MOST_RUNS, NULL, 0) != 0)
        return NGX_DECLINED;
    const size_t bytes = sum(slices, count);
    return bytes > 0 ? add(r, slices, count, bytes) : NGX_OK;
}
