/* SPDX-License-Identifier: MIT */
/*
 * Trailers of a request: fields behind a chunked body.
 *
 * They come when everything that looks at fields has looked. So they are kept apart, are never
 * found among the fields of the head, and those that say something that only a head may say are
 * left out (RFC 9110, 6.5.1).
 */
#include <catzilla/body.h>
#include <catzilla/header_id.h>

#include "ctx_state.h"
#include "run.h"

struct cmw__trailers {
    size_t count;
    cmw_header fields[];
};

/* Framing, routing, conditions, who asks, and what the body is. */
static const uint8_t head_only[] = {
    CMW_HDR_CONNECTION,
    CMW_HDR_KEEP_ALIVE,
    CMW_HDR_TE,
    CMW_HDR_TRAILER,
    CMW_HDR_TRANSFER_ENCODING,
    CMW_HDR_UPGRADE,
    CMW_HDR_CONTENT_LENGTH,
    CMW_HDR_CONTENT_ENCODING,
    CMW_HDR_CONTENT_TYPE,
    CMW_HDR_CONTENT_RANGE,
    CMW_HDR_HOST,
    CMW_HDR_CACHE_CONTROL,
    CMW_HDR_EXPECT,
    CMW_HDR_PRAGMA,
    CMW_HDR_RANGE,
    CMW_HDR_IF_MATCH,
    CMW_HDR_IF_NONE_MATCH,
    CMW_HDR_IF_MODIFIED_SINCE,
    CMW_HDR_IF_UNMODIFIED_SINCE,
    CMW_HDR_IF_RANGE,
    CMW_HDR_AUTHORIZATION,
    CMW_HDR_PROXY_AUTHORIZATION,
    CMW_HDR_COOKIE,
    CMW_HDR_ORIGIN,
    CMW_HDR_X_API_KEY,
    CMW_HDR_IDEMPOTENCY_KEY,
    CMW_HDR_FORWARDED,
    CMW_HDR_X_FORWARDED_FOR,
    CMW_HDR_X_FORWARDED_HOST,
    CMW_HDR_X_FORWARDED_PORT,
    CMW_HDR_X_FORWARDED_PREFIX,
    CMW_HDR_X_FORWARDED_PROTO,
    CMW_HDR_X_REAL_IP,
};

static const cmw_str head_only_too[] = {CMW_STR_INIT("Max-Forwards"),
                                        CMW_STR_INIT("Proxy-Connection"),
                                        CMW_STR_INIT("X-HTTP-Method-Override")};

static int is_head_only(cmw_str name)
{
    const cmw_header_id id = cmw_header_id_find(name);

    for (size_t i = 0; id != CMW_HDR_OTHER && i < sizeof head_only; i++)
        if (head_only[i] == id)
            return 1;
    for (size_t i = 0; i < sizeof head_only_too / sizeof *head_only_too; i++)
        if (cmw_str_equals_fold(name, head_only_too[i]))
            return 1;
    return 0;
}

/* ---- Taking them -------------------------------------------------------------------------- */

static int check(const cmw_ctx *ctx, const cmw_header *fields, size_t count)
{
    const cmw_limits *limits = &ctx->worker->engine->limits;
    size_t left = limits->header_bytes;

    if (count > limits->header_count)
        return CMW_ERR_LIMIT;
    for (size_t i = 0; i < count; i++) {
        if (fields[i].name.len > left || fields[i].value.len > left - fields[i].name.len)
            return CMW_ERR_LIMIT;
        left -= fields[i].name.len + fields[i].value.len;
        if (!cmw_header_name_is_valid(fields[i].name) ||
            !cmw_header_value_is_valid(fields[i].value))
            return CMW_ERR_INVALID;
    }
    return 0;
}

/* The server's bytes may be gone when the handler reads them. */
static int keep(cmw_ctx *ctx, const cmw_header *fields, size_t count)
{
    struct cmw__trailers *kept =
        cmw_arena_alloc(&ctx->arena, sizeof *kept + count * sizeof *kept->fields);

    if (!kept)
        return CMW_ERR_NOMEM;
    kept->count = 0;
    for (size_t i = 0; i < count; i++) {
        cmw_header *to = &kept->fields[kept->count];
        if (is_head_only(fields[i].name))
            continue;
        if (cmw_arena_dup(&ctx->arena, &to->name, fields[i].name) != 0 ||
            cmw_arena_dup(&ctx->arena, &to->value, fields[i].value) != 0)
            return CMW_ERR_NOMEM;
        kept->count++;
    }
    ctx->trailers = kept;
    ctx->traces |= CMW__CTX_LITTER;
    return 0;
}

int cmw_ctx_receive_trailers(cmw_ctx *ctx, const cmw_header *fields, size_t count)
{
    if (ctx->state != CMW__CTX_HANDLER || (ctx->flags & CMW__CTX_FAILED) || ctx->trailers)
        return CMW_ERR_STATE;
    int rc = check(ctx, fields, count);
    if (rc == 0)
        rc = keep(ctx, fields, count);
    if (rc != 0)
        cmw__ctx_fail_with(ctx, rc == CMW_ERR_LIMIT ? 431 : rc == CMW_ERR_INVALID ? 400 : 503, rc);
    return rc;
}

/* ---- Reading them ------------------------------------------------------------------------- */

const cmw_header *cmw_ctx_trailers(const cmw_ctx *ctx, size_t *count)
{
    *count = ctx->trailers ? ctx->trailers->count : 0;
    return *count > 0 ? ctx->trailers->fields : NULL;
}

const cmw_header *cmw_ctx_trailer(const cmw_ctx *ctx, cmw_str name)
{
    size_t count;
    const cmw_header *fields = cmw_ctx_trailers(ctx, &count);

    for (size_t i = 0; i < count; i++)
        if (cmw_str_equals_fold(fields[i].name, name))
            return &fields[i];
    return NULL;
}
