/* SPDX-License-Identifier: MIT */
/*
 * Requests that H2O's own handlers answer: files, proxies, the program's, H2O's errors.
 *
 * What H2O routes by must be what the plan has seen: a request whose canonical path is another one
 * is routed anew. H2O decodes every escape before it routes, also that of a slash, which stays in
 * the canonical path: such a request is refused.
 *
 * Of their responses the plan sees status and fields; the body goes by, unless the plan puts
 * another in its place. A gate in H2O's chain of output streams drops the old body, and holds
 * everything while post_route waits.
 */
#include <string.h>

#include "state.h"

/* What came through while it was closed: at most one call of the stream above. */
struct gate {
    h2o_ostream_t super;
    struct seat *seat;
    h2o_iovec_t *pieces; /* in the request's pool */
    size_t piece_count;
    h2o_send_state_t state;
    uint8_t is_closed; /* post_route waits */
    uint8_t has_call;  /* `pieces` wait with it */
    uint8_t replaces;  /* the response has another body */
    uint8_t has_sent;  /* and it has been sent */
};

/* ---- To the next handler ------------------------------------------------------------------ */

static int has_escaped_slash(cmw_str path)
{
    for (size_t i = 0; i + 2 < path.len; i++)
        if (path.data[i] == '%' && path.data[i + 1] == '2' && path.data[i + 2] == 'F')
            return 1;
    return 0;
}

/* H2O's choice of a path's configuration: the first one that holds the path. */
static h2o_pathconf_t *find_path(h2o_hostconf_t *host, h2o_iovec_t path)
{
    for (size_t i = 0; i < host->paths.size; i++) {
        h2o_pathconf_t *each = &host->paths.entries[i];
        const size_t len = each->path.len;
        if (path.len >= len && memcmp(path.base, each->path.base, len) == 0 &&
            (each->path.base[len - 1] == '/' || path.len == len || path.base[len] == '/'))
            return each;
    }
    return &host->fallback_path;
}

static void route_anew(h2o_req_t *req, cmw_str path, cmw_str query)
{
    const size_t len = path.len + (query.data ? query.len + 1 : 0);
    char *target = h2o_mem_alloc_pool(&req->pool, len + 1);

    memcpy(target, path.data, path.len);
    if (query.data) {
        target[path.len] = '?';
        memcpy(target + path.len + 1, query.data, query.len);
    }
    target[len] = '\0';
    req->path = h2o_iovec_init(target, len);
    req->path_normalized =
        h2o_url_normalize_path(&req->pool, target, len, &req->query_at, &req->norm_indexes);
    h2o_pathconf_t *found = find_path(req->hostconf, req->path_normalized);
    if (found != req->pathconf)
        h2o_req_bind_conf(req, req->hostconf, found);
}

/* 0, or a status: 400 for a path that H2O would understand differently. */
static int pass_path(h2o_req_t *req, cmw_request *request)
{
    const cmw_str path = cmw_request_path(request);
    const size_t len = req->query_at < req->path.len ? req->query_at : req->path.len;

    if (path.len == 0 || has_escaped_slash(path))
        return 400;
    if (!cmw_str_equals(path, cmw_str_make(req->path.base, len)))
        route_anew(req, path, cmw_request_query(request));
    return 0;
}

/* Of those H2O has a copy elsewhere, and none among its fields. */
static int is_kept_apart(const h2o_token_t *token)
{
    return token && token->is_init_header_special;
}

static void pass_field(h2o_req_t *req, const cmw_header *field)
{
    const h2o_iovec_t name = h2o_strdup(&req->pool, field->name.data, field->name.len);

    h2o_strtolower(name.base, name.len);
    if (!is_kept_apart(h2o_lookup_token(name.base, name.len)))
        h2o_add_header_by_str(&req->pool, &req->headers, name.base, name.len, 1, NULL,
                              field->value.data, field->value.len);
}

/* Fields that middleware has set or removed. */
static void pass_fields(struct seat *seat, cmw_request *request)
{
    size_t count;
    const cmw_header *fields = cmw_request_headers(request, &count);

    if (fields == seat->headers)
        return;
    seat->req->headers.size = 0;
    for (size_t i = 0; i < count; i++)
        pass_field(seat->req, &fields[i]);
}

static void pass_host(h2o_req_t *req, cmw_request *request)
{
    const cmw_str host = ((const cmw_request_view *)(const void *)request)->authority;

    if (host.len > 0 && host.data != req->input.authority.base)
        req->authority = h2o_strdup(&req->pool, host.data, host.len);
}

/* What middleware has made of the body; it lives as long as the request. */
static void pass_body(struct seat *seat, const cmw_request *request)
{
    const cmw_str body = cmw_request_body(request);

    if (cmw_ctx_reads_body(seat->ctx)) /* of an empty one, too */
        seat->req->entity = h2o_iovec_init(body.len > 0 ? body.data : "", body.len);
}

int cmw__h2o_prepare_pass(struct seat *seat)
{
    cmw_request *request = cmw_ctx_request(seat->ctx);

    pass_body(seat, request);
    pass_fields(seat, request);
    pass_host(seat->req, request);
    return pass_path(seat->req, request);
}

static h2o_handler_t *find_site(const h2o_pathconf_t *path)
{
    for (size_t i = 0; i < path->handlers.size; i++)
        if (path->handlers.entries[i]->on_req == cmw__h2o_on_request)
            return path->handlers.entries[i];
    return NULL;
}

void cmw__h2o_pass(struct seat *seat)
{
    seat->state = SEAT_PASSED;
    h2o_delegate_request(seat->req, find_site(seat->req->pathconf));
}

/* ---- The response, as the engine sees it -------------------------------------------------- */

static int is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static cmw_str trim(h2o_iovec_t value)
{
    while (value.len > 0 && is_blank(value.base[value.len - 1]))
        value.len--;
    while (value.len > 0 && is_blank(value.base[0])) {
        value.base++;
        value.len--;
    }
    return cmw_str_make(value.base, value.len);
}

static cmw_header_id find_id(const struct seat *seat, const h2o_header_t *field)
{
    const size_t index = cmw__h2o_token_index(field->name);

    return index < H2O_MAX_TOKENS ? (cmw_header_id)seat->site->adapter->token_ids[index]
                                  : CMW_HDR_OTHER;
}

/* Those of which every one counts: the handler's stand beside those of pre_route. */
static int is_list(cmw_header_id id)
{
    return id == CMW_HDR_SET_COOKIE || id == CMW_HDR_VARY || id == CMW_HDR_LINK;
}

/* The handler's fields come in place of those that pre_route has set. */
static int yield_field(const struct seat *seat, cmw_response *response, const h2o_header_t *field)
{
    const cmw_header_id id = find_id(seat, field);
    const cmw_str name = cmw_str_make(field->name->base, field->name->len);

    if (is_list(id))
        return 0;
    const int rc = id == CMW_HDR_OTHER ? cmw_response_remove_named(response, name)
                                       : cmw_response_remove(response, id);
    return rc == CMW_ERR_ARG ? 0 : rc; /* not the engine's: it is kept apart */
}

static int has_fields(const cmw_response *response)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;

    return cmw_response_next_header(response, &cursor, &field, CMW_READ_FIELDS);
}

static void keep_apart(struct seat *seat, const h2o_header_t *field)
{
    h2o_vector_reserve(&seat->req->pool, &seat->others, seat->others.size + 1);
    seat->others.entries[seat->others.size++] = *field;
}

static int adopt_field(struct seat *seat, cmw_response *response, const h2o_header_t *field)
{
    const cmw_header_id id = find_id(seat, field);
    const cmw_str name = cmw_str_make(field->name->base, field->name->len);
    const cmw_str value = trim(field->value);

    const int rc = id == CMW_HDR_OTHER ? cmw_response_append_named(response, name, value)
                                       : cmw_response_append(response, id, value);
    if (rc != CMW_ERR_ARG)
        return rc;
    keep_apart(seat, field);
    return 0;
}

/* A response without a body, or with one that goes past the engine. */
static int begin_response(cmw_response *response, const h2o_res_t *res)
{
    if (!cmw__h2o_status_has_body(res->status) || res->content_length == 0)
        return cmw_response_empty(response, res->status);
    return cmw_response_pass_body(response, res->status, CMW_STR(""),
                                  res->content_length == SIZE_MAX ? UINT64_MAX
                                                                  : res->content_length);
}

/* 0, or why the handler's response cannot be sent. */
static int adopt(struct seat *seat)
{
    const h2o_res_t *res = &seat->req->res;
    cmw_response *response = cmw_ctx_response(seat->ctx);

    int rc = begin_response(response, res);
    const int yields = has_fields(response);
    for (size_t i = 0; yields && rc == 0 && i < res->headers.size; i++)
        rc = yield_field(seat, response, &res->headers.entries[i]);
    for (size_t i = 0; rc == 0 && i < res->headers.size; i++)
        rc = adopt_field(seat, response, &res->headers.entries[i]);
    return rc;
}

/* ---- The gate ----------------------------------------------------------------------------- */

/*
 * The next piece of the body that is sent instead. H2O asks again for each that is not the last,
 * also once the handler's body has ended.
 */
static void send_other(struct gate *gate, h2o_req_t *req, h2o_send_state_t state)
{
    struct seat *seat = gate->seat;
    cmw_chunk chunk = {{NULL, 0}, 1, 0};
    const int is_due =
        !gate->has_sent && !seat->is_refused && cmw__h2o_has_body(req, req->res.status);
    const int rc = is_due ? cmw_ctx_read_body(seat->ctx, &chunk) : 0;

    gate->state = state;
    if (rc == CMW_ERR_AGAIN)
        return;
    if (rc != 0) {
        cmw__h2o_cut(seat);
        h2o_ostream_send_next(&gate->super, req, NULL, 0, H2O_SEND_STATE_ERROR);
        return;
    }
    gate->has_sent = chunk.is_last != 0;
    if (!gate->has_sent && state == H2O_SEND_STATE_FINAL)
        state = H2O_SEND_STATE_IN_PROGRESS;
    h2o_iovec_t piece = h2o_iovec_init(chunk.bytes.data, chunk.bytes.len);
    h2o_ostream_send_next(&gate->super, req, &piece, chunk.bytes.len > 0, state);
}

static void send_through(struct gate *gate, h2o_req_t *req, h2o_iovec_t *pieces, size_t count,
                         h2o_send_state_t state)
{
    if (gate->replaces)
        send_other(gate, req, state);
    else
        h2o_ostream_send_next(&gate->super, req, pieces, count, state);
}

static void on_send(h2o_ostream_t *self, h2o_req_t *req, h2o_iovec_t *pieces, size_t count,
                    h2o_send_state_t state)
{
    struct gate *gate = (void *)self;

    if (!gate->is_closed) {
        send_through(gate, req, pieces, count, state);
        return;
    }
    gate->has_call = 1;
    gate->state = state;
    gate->piece_count = count;
    gate->pieces = h2o_mem_alloc_pool(&req->pool, (count + 1) * sizeof *pieces);
    if (count > 0)
        memcpy(gate->pieces, pieces, count * sizeof *pieces);
}

/* The request ends before its response does. */
static void on_stop(h2o_ostream_t *self, h2o_req_t *req)
{
    const struct gate *gate = (void *)self;

    (void)req;
    gate->seat->is_cut = 1;
}

static struct gate *add_gate(struct seat *seat, h2o_ostream_t **slot)
{
    struct gate *gate = (void *)h2o_add_ostream(seat->req, sizeof *gate, slot);

    gate->super.do_send = on_send;
    gate->super.stop = on_stop;
    gate->seat = seat;
    gate->is_closed = gate->has_call = gate->replaces = gate->has_sent = 0;
    seat->gate = gate;
    return gate;
}

/* ---- The response, as H2O sends it -------------------------------------------------------- */

/* 1 if the plan has put a body in the place of the handler's, or none. */
static int is_replaced(const struct seat *seat)
{
    const h2o_res_t *res = &seat->req->res;
    const cmw_response *response = cmw_ctx_response(seat->ctx);
    const int had_body = cmw__h2o_status_has_body(res->status) && res->content_length != 0;

    if (cmw_ctx_fault(seat->ctx))
        return 1;
    if (!cmw__h2o_status_has_body(cmw_response_status(response)))
        return had_body;
    return had_body ? !cmw_response_passes_body(response)
                    : cmw_response_content_length(response) != 0;
}

/* It cannot be sent: an empty 500, on an HTTP/1 connection that has ended. */
static void empty_head(struct seat *seat)
{
    h2o_req_t *req = seat->req;

    cmw__h2o_cut(seat);
    req->res.status = 500;
    req->res.reason = "Internal Server Error";
    req->res.headers.size = 0;
    req->res.content_length = 0;
}

/* What commit has decided. 1 if the body is another one. */
static int write_decision(struct seat *seat, int next)
{
    h2o_req_t *req = seat->req;
    const cmw_response *response = cmw_ctx_response(seat->ctx);
    const int replaces = is_replaced(seat);

    if (replaces)
        seat->others.size = 0;
    if (next != CMW_TO_RESPOND || cmw__h2o_write_head(seat, response) != 0) {
        empty_head(seat);
        return 1;
    }
    if (replaces) {
        const uint64_t length = cmw_response_content_length(response);
        req->res.content_length = length == UINT64_MAX ? SIZE_MAX : (size_t)length;
    }
    return replaces;
}

void cmw__h2o_open_gate(struct seat *seat, int next)
{
    struct gate *gate = seat->gate;

    if (!gate->is_closed) {
        send_other(gate, seat->req, gate->state);
        return;
    }
    gate->is_closed = 0;
    gate->replaces = (uint8_t)write_decision(seat, next);
    if (gate->has_call)
        send_through(gate, seat->req, gate->pieces, gate->piece_count, gate->state);
}

/* ---- The filter --------------------------------------------------------------------------- */

/* H2O's error for a request that no handler has seen: the engine makes the answer. */
static struct seat *begin_error(const h2o_filter_t *self, h2o_req_t *req)
{
    struct site *site = ((const struct site_filter *)(const void *)self)->site;
    struct loop *loop = h2o_context_get_handler_context(req->conn->ctx, &site->super);
    const int has_fields = req->version < 0x200; /* HTTP/2: the fields are what is wrong */

    if (!loop || cmw__h2o_is_marked(req))
        return NULL;
    struct seat *seat = cmw__h2o_begin(loop, site, req, has_fields);
    if (seat)
        cmw_ctx_fail(seat->ctx, req->res.status);
    return seat;
}

/* Without a length of its own the response would be chunked now; its decision comes later. */
static void hold(struct seat *seat, h2o_ostream_t **slot)
{
    h2o_req_t *req = seat->req;
    const size_t length = req->res.content_length;

    add_gate(seat, slot)->is_closed = 1;
    if (length == SIZE_MAX) {
        req->res.content_length = 0;
        req->http1_is_persistent = 0;
    }
    h2o_setup_next_ostream(req, &seat->gate->super.next);
    req->res.content_length = length;
}

/* HTTP/2 does not say whether a response without a length came to its end. */
static int needs_watch(const h2o_req_t *req)
{
    return req->version >= 0x200 && req->res.content_length == SIZE_MAX;
}

void cmw__h2o_on_response(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    struct seat *seat = cmw__h2o_find_seat(req);

    if (!seat && (seat = begin_error(self, req)) == NULL) {
        h2o_setup_next_ostream(req, slot);
        return;
    }
    if (seat->state >= SEAT_FILTERED) {
        if (!seat->has_length) /* else only the filter that makes chunks is left: not of this */
            h2o_setup_next_ostream(req, slot);
        return;
    }
    if (seat->state == SEAT_PASSED && adopt(seat) != 0)
        cmw_ctx_fail(seat->ctx, 500);
    seat->state = SEAT_FILTERED;
    seat->adopted = req->res.headers.size;
    const int next = (int)cmw_ctx_commit(seat->ctx);
    if (next == CMW_TO_SUSPENDED) {
        hold(seat, slot);
        return;
    }
    const int replaces = write_decision(seat, next);
    if (replaces || needs_watch(req)) {
        add_gate(seat, slot)->replaces = (uint8_t)replaces;
        slot = &seat->gate->super.next;
    }
    h2o_setup_next_ostream(req, slot);
}
