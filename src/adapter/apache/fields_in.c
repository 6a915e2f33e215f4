/* SPDX-License-Identifier: MIT */
/*
 * What middleware rewrote of a request: header fields, the target, the client's address, as httpd
 * keeps them, so that its own modules and back ends see what the plan decided by.
 */
#include "module.h"

#include <apr_strings.h>

static char *copy(apr_pool_t *pool, cmw_str text)
{
    return apr_pstrmemdup(pool, text.data, text.len);
}

const cmw_header *fields_in_list(apr_pool_t *pool, const apr_table_t *table, size_t *count)
{
    const apr_array_header_t *list = apr_table_elts(table);
    const apr_table_entry_t *entry = (const apr_table_entry_t *)(const void *)list->elts;
    cmw_header *fields = apr_palloc(pool, ((size_t)list->nelts + 1) * sizeof *fields);

    *count = 0;
    for (int i = 0; i < list->nelts; i++)
        if (entry[i].key)
            fields[(*count)++] =
                (cmw_header){cmw_str_cstr(entry[i].key), str_or_empty(entry[i].val)};
    return fields;
}

void fields_in_write(struct seat *seat)
{
    request_rec *r = seat->request;
    size_t count;
    const cmw_header *fields = cmw_request_headers(cmw_ctx_request(seat->ctx), &count);

    if (fields == seat->fields)
        return; /* as they came */
    seat->fields = fields;
    apr_table_clear(r->headers_in); /* requests that come of this one have the same table */
    for (size_t i = 0; i < count; i++)
        apr_table_addn(r->headers_in, copy(r->pool, fields[i].name),
                       copy(r->pool, fields[i].value));
}

/*
 * httpd takes escapes and dots out of a path when it looks for what it leads to: it gets the
 * canonical one, in which an escaped slash is still escaped.
 */
void fields_in_write_target(struct seat *seat)
{
    request_rec *r = seat->request;
    cmw_request *request = cmw_ctx_request(seat->ctx);
    const cmw_str path = cmw_request_path(request);
    const cmw_str query = cmw_request_query(request);

    if (path.len == 0 || path.data[0] != '/' || r->proxyreq == PROXYREQ_PROXY)
        return; /* "*", what has no canonical form, another server's */
    if (query.len == 0 && cmw_str_equals(cmw_request_raw_target(request), path))
        return; /* as it came, and as most do */
    if (!cmw_str_equals(path, str_or_empty(r->parsed_uri.path))) {
        r->parsed_uri.path = copy(r->pool, path);
        r->uri = r->parsed_uri.path;
    }
    if (!cmw_str_equals(query, str_or_empty(r->args))) {
        r->args = copy(r->pool, query);
        r->parsed_uri.query = r->args;
    }
    r->unparsed_uri =
        r->args ? apr_pstrcat(r->pool, r->uri, "?", r->args, NULL) : apr_pstrdup(r->pool, r->uri);
}

void fields_in_write_client(struct seat *seat)
{
    request_rec *r = seat->request;
    const cmw_address *client = cmw_request_client_address(cmw_ctx_request(seat->ctx));
    char text[CMW_ADDRESS_TEXT_CAP];
    apr_sockaddr_t *address;

    if (cmw_address_equals(client, cmw_request_peer(cmw_ctx_request(seat->ctx))))
        return; /* nobody found another */
    if (client->family != CMW_ADDRESS_V4 && client->family != CMW_ADDRESS_V6)
        return;
    (void)cmw_address_format(client, text);
    if (strcmp(text, r->useragent_ip) == 0)
        return;
    if (apr_sockaddr_info_get(&address, text, APR_UNSPEC, client->port, 0, r->pool) != APR_SUCCESS)
        return; /* a number is not looked up: without memory httpd ends by itself */
    r->useragent_addr = address;
    r->useragent_ip = apr_pstrdup(r->pool, text);
    r->useragent_host = NULL;
}
