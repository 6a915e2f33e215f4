/* SPDX-License-Identifier: MIT */
/*
 * Trailers of a response: fields behind its body.
 *
 *   promised, until commit ──> "Trailer: a, b" in the head ──> added, until the body ends ──> sent
 *
 * The head says how the body's end is told, and so whether anything can follow it: commit decides
 * whether this response has trailers at all. Where it has none, those that are added are dropped.
 */
#include <catzilla/body.h>
#include <catzilla/header_id.h>

#include "flow.h"
#include "shadow.h"

/* A name that the head is to announce. */
struct cmw__promise {
    struct cmw__promise *next;
    cmw_str name;
    uint8_t flags;
    uint8_t is_dropped; /* by a fault, together with the body */
    uint8_t is_kept;    /* the head announces it */
};

/* What was added. */
struct cmw__trailers_out {
    size_t count, cap;
    size_t bytes; /* of names and values */
    cmw_header *fields;
};

/* ---- Names ------------------------------------------------------------------------------ */

/* A field may only follow a body if its definition says so (RFC 9110, 6.5.1). Of those that have an
 * id these do: 8.8.3 there; RFC 9530, 2; Server Timing, 3. */
static const uint8_t permitted[] = {CMW_HDR_CONTENT_DIGEST, CMW_HDR_ETAG, CMW_HDR_SERVER_TIMING};

/* Others are the program's to judge, but for those of which it is known. */
static const cmw_str refused_prefixes[] = {
    CMW_STR_INIT("Access-Control-"), CMW_STR_INIT("Content-"), CMW_STR_INIT("If-"),
    CMW_STR_INIT("Proxy-"),          CMW_STR_INIT("Sec-"),     CMW_STR_INIT("Set-Cookie")};
static const cmw_str refused[] = {CMW_STR_INIT("Max-Forwards"), CMW_STR_INIT("Refresh"),
                                  CMW_STR_INIT("Warning"), CMW_STR_INIT("X-HTTP-Method-Override")};

static int begins_with(cmw_str name, cmw_str prefix)
{
    return name.len >= prefix.len &&
           cmw_str_equals_fold(cmw_str_make(name.data, prefix.len), prefix);
}

static int is_permitted(cmw_str name)
{
    const cmw_header_id id = cmw_header_id_find(name);

    for (size_t i = 0; i < sizeof permitted; i++)
        if (permitted[i] == id)
            return 1;
    if (id != CMW_HDR_OTHER)
        return 0;
    for (size_t i = 0; i < sizeof refused_prefixes / sizeof *refused_prefixes; i++)
        if (begins_with(name, refused_prefixes[i]))
            return 0;
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        if (cmw_str_equals_fold(name, refused[i]))
            return 0;
    return 1;
}

static int check(cmw_str name, cmw_str value)
{
    const int rc = cmw_response_check_field(name, value);

    return rc != 0 || is_permitted(name) ? rc : CMW_ERR_ARG;
}

/* ---- Promising -------------------------------------------------------------------------- */

/* The newest with the name, and how many there are. */
static struct cmw__promise *find(const cmw_ctx *ctx, cmw_str name, size_t *count)
{
    struct cmw__promise *found = NULL;

    *count = 0;
    for (struct cmw__promise *at = ctx->promises; at; at = at->next, ++*count)
        if (!found && cmw_str_equals_fold(at->name, name))
            found = at;
    return found;
}

/* The head can still change. */
static int is_open(const cmw_ctx *ctx)
{
    return ctx->state <= CMW__CTX_POST_ROUTE && !(ctx->response.flags & CMW__RESPONSE_FROZEN) &&
           !(ctx->state == CMW__CTX_POST_ROUTE && (ctx->flags & CMW__CTX_IN_BODY));
}

int cmw_ctx_promise_trailer(cmw_ctx *ctx, cmw_str name, unsigned flags)
{
    size_t count;
    cmw_str copy;

    if (!is_open(ctx))
        return CMW_ERR_STATE;
    if (flags & ~(unsigned)CMW_TRAILER_UNASKED)
        return CMW_ERR_ARG;
    const int rc = check(name, CMW_STR(""));
    if (rc != 0 || cmw__ctx_in_shadow(ctx))
        return rc;
    const struct cmw__promise *found = find(ctx, name, &count);
    if (found && found->flags == flags && !found->is_dropped)
        return 0;
    if (count >= ctx->worker->engine->limits.header_count)
        return CMW_ERR_LIMIT;
    struct cmw__promise *promise = cmw_arena_alloc(&ctx->arena, sizeof *promise);
    if (!promise || cmw_arena_dup(&ctx->arena, &copy, name) != 0)
        return CMW_ERR_NOMEM;
    *promise = (struct cmw__promise){ctx->promises, copy, (uint8_t)flags, 0, 0};
    ctx->promises = promise;
    ctx->flags |= CMW__CTX_BODY_LOOK;
    ctx->traces |= CMW__CTX_LITTER;
    return 0;
}

void cmw__trailers_drop(cmw_ctx *ctx)
{
    for (struct cmw__promise *at = ctx->promises; at; at = at->next) {
        at->is_dropped = 1;
        at->is_kept = 0;
    }
    ctx->trailers_out = NULL;
    ctx->sends_trailers = 0;
}

/* ---- Deciding --------------------------------------------------------------------------- */

static cmw_str trim(cmw_str text)
{
    for (; text.len > 0 && (*text.data == ' ' || *text.data == '\t'); text.len--)
        text.data++;
    for (; text.len > 0 && (text.data[text.len - 1] == ' ' || text.data[text.len - 1] == '\t');)
        text.len--;
    return text;
}

static int lists_trailers(cmw_str list)
{
    while (list.len > 0) {
        const char *comma = memchr(list.data, ',', list.len);
        const size_t len = comma ? (size_t)(comma - list.data) : list.len;
        if (cmw_str_equals_fold(trim(cmw_str_make(list.data, len)), CMW_STR("trailers")))
            return 1;
        const size_t skipped = comma ? len + 1 : len;
        list = cmw_str_make(list.data + skipped, list.len - skipped);
    }
    return 0;
}

/* RFC 9110, 10.1.4: `TE: trailers`, for the client and all that are behind it. */
static int client_asks(cmw_ctx *ctx)
{
    for (const cmw_header *at = cmw_request_header(&ctx->request, CMW_HDR_TE); at;
         at = cmw_request_next_header(&ctx->request, CMW_HDR_TE, at))
        if (lists_trailers(at->value))
            return 1;
    return 0;
}

/* What can follow a body: chunks and HTTP/2 have a place for it. */
static int can_send(const cmw_ctx *ctx)
{
    const cmw_host *host = ctx->worker->host;

    return host && (host->capabilities & CMW_CAP_RESPONSE_TRAILERS) &&
           ctx->request.view.http_version >= 0x0101 &&
           !(ctx->response.flags & CMW__RESPONSE_PASSES) &&
           cmw__response_sends_body(&ctx->response);
}

void cmw__trailers_decide(cmw_ctx *ctx)
{
    if (!ctx->promises || !can_send(ctx))
        return;
    const int is_asked = client_asks(ctx);
    for (struct cmw__promise *at = ctx->promises; at; at = at->next) {
        at->is_kept = !at->is_dropped && (is_asked || (at->flags & CMW_TRAILER_UNASKED));
        ctx->sends_trailers |= at->is_kept;
    }
}

/* 1 if it is named by another one, which comes later in the list, too. */
static int is_named_again(const struct cmw__promise *promise)
{
    for (const struct cmw__promise *at = promise->next; at; at = at->next)
        if (at->is_kept && cmw_str_equals_fold(at->name, promise->name))
            return 1;
    return 0;
}

/* "a, b", in the order in which they were promised: the list is the other way round, so the text is
 * written from its end. NULL `data` without memory. */
static cmw_str list_names(cmw_ctx *ctx)
{
    size_t len = 0;

    for (const struct cmw__promise *at = ctx->promises; at; at = at->next)
        if (at->is_kept && !is_named_again(at))
            len += at->name.len + 2;
    char *text = cmw_arena_alloc(&ctx->arena, len);
    if (!text)
        return cmw_str_make(NULL, 0);
    char *begin = text + len;
    for (const struct cmw__promise *at = ctx->promises; at; at = at->next) {
        if (!at->is_kept || is_named_again(at))
            continue;
        begin -= at->name.len + 2;
        memcpy(begin, at->name.data, at->name.len);
        memcpy(begin + at->name.len, ", ", 2);
    }
    return cmw_str_make(text, len - 2);
}

int cmw__trailers_announce(cmw_ctx *ctx)
{
    const cmw_str names = list_names(ctx);

    if (!names.data)
        return CMW_ERR_NOMEM;
    const int rc = cmw__response_set_managed(&ctx->response, CMW_HDR_TRAILER, names);
    if (rc == 0)
        ctx->response.flags |= CMW__RESPONSE_NO_LENGTH;
    return rc;
}

int cmw_ctx_sends_trailers(const cmw_ctx *ctx)
{
    return ctx->state >= CMW__CTX_COMMITTED && ctx->sends_trailers;
}

/* ---- Adding ----------------------------------------------------------------------------- */

static struct cmw__trailers_out *get_out(cmw_ctx *ctx)
{
    if (ctx->trailers_out)
        return ctx->trailers_out;
    struct cmw__trailers_out *out = cmw_arena_alloc(&ctx->arena, sizeof *out);
    if (!out)
        return NULL;
    *out = (struct cmw__trailers_out){0, 0, 0, NULL};
    ctx->trailers_out = out;
    ctx->traces |= CMW__CTX_LITTER;
    return out;
}

static int reserve(cmw_ctx *ctx, struct cmw__trailers_out *out)
{
    if (out->count < out->cap)
        return 0;
    const size_t cap = out->cap ? 2 * out->cap : 4; /* within limits.header_count */
    cmw_header *fields = cmw_arena_alloc(&ctx->arena, cap * sizeof *fields);
    if (!fields)
        return CMW_ERR_NOMEM;
    if (out->count > 0)
        memcpy(fields, out->fields, out->count * sizeof *fields);
    out->fields = fields;
    out->cap = cap;
    return 0;
}

static int add(cmw_ctx *ctx, cmw_str name, cmw_str value)
{
    const cmw_limits *limits = &ctx->worker->engine->limits;
    struct cmw__trailers_out *out = get_out(ctx);
    cmw_header field;

    if (!out)
        return CMW_ERR_NOMEM;
    if (out->count >= limits->header_count || name.len > limits->header_bytes - out->bytes ||
        value.len > limits->header_bytes - out->bytes - name.len)
        return CMW_ERR_LIMIT;
    if (reserve(ctx, out) != 0 || cmw_arena_dup(&ctx->arena, &field.name, name) != 0 ||
        cmw_arena_dup(&ctx->arena, &field.value, value) != 0)
        return CMW_ERR_NOMEM;
    out->bytes += name.len + value.len;
    out->fields[out->count++] = field;
    return 0;
}

/* Nothing can be added behind the body's end, nor before it is known what is to be sent. */
static int can_add(const cmw_ctx *ctx)
{
    const struct cmw__body_out *out = ctx->body_out;

    if (ctx->flags & CMW__CTX_ABORTED)
        return 0;
    if (ctx->state == CMW__CTX_POST_ROUTE)
        return (ctx->flags & CMW__CTX_IN_BODY) || (out && out->is_asking);
    return ctx->state == CMW__CTX_COMMITTED &&
           (!ctx->sends_trailers || (out && out->is_open && !out->is_read));
}

int cmw_ctx_add_trailer(cmw_ctx *ctx, cmw_str name, cmw_str value)
{
    size_t count;
    const int rc = check(name, value);

    if (rc != 0)
        return rc;
    const struct cmw__promise *promise = find(ctx, name, &count);
    if (!promise)
        return CMW_ERR_NOT_FOUND;
    if (!can_add(ctx))
        return CMW_ERR_STATE;
    return promise->is_kept ? add(ctx, name, value) : 0;
}

/* ---- Reading ---------------------------------------------------------------------------- */

const cmw_header *cmw_ctx_response_trailers(const cmw_ctx *ctx, size_t *count)
{
    const struct cmw__trailers_out *out = cmw_ctx_sends_trailers(ctx) ? ctx->trailers_out : NULL;

    *count = out ? out->count : 0;
    return *count > 0 ? out->fields : NULL;
}
