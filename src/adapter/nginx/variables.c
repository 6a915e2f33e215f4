/* SPDX-License-Identifier: MIT */
/*
 * What middleware found out of a request, as variables of nginx: for upstreams (proxy_set_header)
 * and logs. Empty where there is no chain.
 *
 *     $catzilla_client  the client's address    $catzilla_scheme  http or https
 *     $catzilla_host    the host                $catzilla_path    the canonical path
 */
#include "module.h"

enum what { CLIENT, SCHEME, HOST, PATH };

static ngx_int_t set(ngx_http_variable_value_t *value, cmw_str text)
{
    value->data = (u_char *)(uintptr_t)text.data;
    value->len = (unsigned)(text.len & 0xfffffff); /* a bit field of 28; heads are shorter */
    value->valid = 1;
    value->no_cacheable = 0;
    value->not_found = 0;
    return NGX_OK;
}

static ngx_int_t set_client(ngx_http_request_t *r, ngx_http_variable_value_t *value,
                            const cmw_request *request)
{
    char *text = ngx_pnalloc(r->pool, CMW_ADDRESS_TEXT_CAP);

    if (!text)
        return NGX_ERROR;
    const size_t len = cmw_address_format(cmw_request_client_address(request), text);
    return set(value, cmw_str_make(text, len));
}

static ngx_int_t on_read(ngx_http_request_t *r, ngx_http_variable_value_t *value, uintptr_t what)
{
    const struct seat *seat = request_find(r);

    value->not_found = 1;
    if (!seat || !seat->ctx)
        return NGX_OK;
    cmw_request *request = cmw_ctx_request(seat->ctx);
    switch ((enum what)what) {
    case CLIENT:
        return set_client(r, value, request);
    case SCHEME:
        return set(value, cmw_request_scheme(request) == CMW_SCHEME_HTTPS ? CMW_STR("https")
                                                                          : CMW_STR("http"));
    case HOST:
        return set(value, cmw_request_host(request));
    case PATH:
        return set(value, cmw_request_path(request));
    }
    return NGX_OK;
}

ngx_int_t variables_add(ngx_conf_t *cf)
{
    static const struct {
        ngx_str_t name;
        enum what what;
    } all[] = {
        {ngx_string("catzilla_client"), CLIENT},
        {ngx_string("catzilla_scheme"), SCHEME},
        {ngx_string("catzilla_host"), HOST},
        {ngx_string("catzilla_path"), PATH},
    };

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        ngx_str_t name = all[i].name;
        ngx_http_variable_t *variable = ngx_http_add_variable(cf, &name, NGX_HTTP_VAR_NOCACHEABLE);
        if (!variable)
            return NGX_ERROR;
        variable->get_handler = on_read;
        variable->data = all[i].what;
    }
    return NGX_OK;
}
