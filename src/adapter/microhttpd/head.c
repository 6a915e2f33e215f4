/* SPDX-License-Identifier: MIT */
#include "head.h"

#include <netinet/in.h>
#include <string.h>

/* ---- Fields ------------------------------------------------------------------------------- */

struct header_list {
    cmw_header *headers;
    size_t count;
    size_t cap;
};

static int is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

/* Blanks around a value are not part of it (RFC 9110, 5.5); libmicrohttpd leaves those behind. */
static cmw_str trim(cmw_str value)
{
    for (; value.len > 0 && is_blank(value.data[value.len - 1]); value.len--)
        ;
    for (; value.len > 0 && is_blank(*value.data); value.len--)
        value.data++;
    return value;
}

static enum MHD_Result on_header(void *self, enum MHD_ValueKind kind, const char *name,
                                 size_t name_len, const char *value, size_t value_len)
{
    struct header_list *list = self;

    (void)kind;
    if (list->count == list->cap)
        return MHD_NO;
    cmw_header *header = &list->headers[list->count++];
    header->name = cmw_str_make(name, name_len);
    header->value = cmw_str_make(value, value ? value_len : 0);
    return MHD_YES;
}

/* All of a kind, into the room: 0 or CMW_ERR_NOMEM. */
static int gather(struct header_list *list, struct MHD_Connection *connection,
                  enum MHD_ValueKind kind, struct room *room, cmw_pool *pool)
{
    const int count = MHD_get_connection_values_n(connection, kind, NULL, NULL);

    *list = (struct header_list){.cap = count > 0 ? (size_t)count : 0};
    if (count <= 0)
        return 0;
    if (cmw__room_reserve(room, pool, list->cap * sizeof *list->headers) != 0)
        return CMW_ERR_NOMEM;
    list->headers = room->data;
    MHD_get_connection_values_n(connection, kind, on_header, list);
    return 0;
}

/* 1 if a value may have a blank at an end. */
static inline int may_need_trim(cmw_str value)
{
    return value.len > 0 &&
           ((unsigned char)value.data[0] <= ' ' || (unsigned char)value.data[value.len - 1] <= ' ');
}

/* How many bytes there are in names and values. */
static size_t trim_all(struct header_list *list)
{
    size_t bytes = 0;

    for (size_t i = 0; i < list->count; i++) {
        cmw_header *const header = &list->headers[i];
        if (may_need_trim(header->value))
            header->value = trim(header->value);
        bytes += header->name.len + header->value.len;
    }
    return bytes;
}

static int fill_headers(struct request *req, cmw_request_view *view, int *framing)
{
    struct header_list list;

    if (gather(&list, req->connection, MHD_HEADER_KIND, &req->header_room,
               req->seat->owner->pool) != 0)
        return CMW_ERR_NOMEM;
    view->headers = list.headers;
    view->header_count = (uint32_t)list.count;
    /* Before the values are trimmed: libmicrohttpd 0.9.75 takes "chunked " for an unknown coding
     * and reads the body to the end of the connection. */
    *framing = cmw_request_view_read_length(view);
    const size_t bytes = trim_all(&list);
    view->header_bytes = bytes < UINT32_MAX ? (uint32_t)bytes : UINT32_MAX;
    return 0;
}

/* ---- The rest of the head ----------------------------------------------------------------- */

static size_t sockaddr_len(const struct sockaddr *address)
{
    switch (address->sa_family) {
    case AF_INET:
        return sizeof(struct sockaddr_in);
    case AF_INET6:
        return sizeof(struct sockaddr_in6);
    default:
        return sizeof address->sa_family;
    }
}

static void read_peer(struct MHD_Connection *connection, cmw_address *peer)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    if (info && info->client_addr)
        cmw_address_from_sockaddr(peer, info->client_addr, sockaddr_len(info->client_addr));
}

int cmw__mhd_has_tls(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *connection_info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_DAEMON);
    if (!connection_info)
        return 0;
    const union MHD_DaemonInfo *daemon_info =
        MHD_get_daemon_info(connection_info->daemon, MHD_DAEMON_INFO_FLAGS);
    return daemon_info && (daemon_info->flags & MHD_USE_TLS) != 0;
}

static uint16_t parse_version(const char *version)
{
    if (strcmp(version, MHD_HTTP_VERSION_1_1) == 0)
        return 0x0101;
    if (strcmp(version, MHD_HTTP_VERSION_1_0) == 0)
        return 0x0100;
    return 0;
}

int cmw__mhd_fill_view(struct request *req, cmw_request_view *view, const char *method,
                       const char *version, int *framing)
{
    cmw_request_view_init(view);
    view->method = cmw_str_cstr(method);
    view->target = req->target;
    view->http_version = parse_version(version);
    view->scheme = cmw__mhd_has_tls(req->connection) ? CMW_SCHEME_HTTPS : CMW_SCHEME_HTTP;
    view->host_data = req;
    read_peer(req->connection, &view->peer);
    return fill_headers(req, view, framing);
}

/* ---- Trailers ----------------------------------------------------------------------------- */

void cmw__mhd_receive_trailers(struct request *req)
{
    struct header_list list;

    if (gather(&list, req->connection, MHD_FOOTER_KIND, &req->seat->field_room,
               req->seat->owner->scratch_pool) != 0) {
        cmw_ctx_fail(req->ctx, MHD_HTTP_SERVICE_UNAVAILABLE);
        return;
    }
    (void)trim_all(&list);
    if (list.count > 0)
        (void)cmw_ctx_receive_trailers(req->ctx, list.headers, list.count); /* seen as a fault */
}
