/* SPDX-License-Identifier: MIT */
/*
 * Decoding the bodies of requests. pre_route looks at Content-Encoding, request_body passes the
 * bytes through a decoder of the worker's, and counts what comes out.
 */
#include <catzilla/component/compression.h>

#include "codec.h"
#include "config.h"

/* What may come out before the ratio is looked at: small bodies shrink by much. */
enum { FREE_BYTES = 64 << 10 };

struct decompression {
    cmw_arena *arena;
    struct shelf shelf;
    uint8_t accepted[CODING_COUNT];
    size_t accepted_count;
    uint64_t limit_bytes; /* UINT64_MAX: none of its own */
    uint64_t max_ratio;
    cmw_str list; /* of what is accepted, for 415 */
    cmw_slot slot;
};

struct job {
    struct codec *codec;
};

static cmw_phase_fn on_pre_route;
static cmw_body_fn on_request_body;

/* ---- The head ---------------------------------------------------------------------------- */

/* 415 says what would have been taken (RFC 9110, 12.5.3). */
static int refuse(const struct decompression *decompression, cmw_ctx *ctx)
{
    if (cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_ACCEPT_ENCODING, decompression->list) != 0)
        return CMW_ERROR;
    return cmw_respond_problem(ctx, 415, "the body's content coding is not accepted");
}

static int accepts(const struct decompression *decompression, enum coding coding)
{
    for (size_t i = 0; i < decompression->accepted_count; i++)
        if (decompression->accepted[i] == coding)
            return 1;
    return 0;
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    struct decompression *decompression = self;
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_header *field = cmw_request_header(request, CMW_HDR_CONTENT_ENCODING);

    if (!field)
        return CMW_CONTINUE;
    if (cmw_request_is_repeated(request, CMW_HDR_CONTENT_ENCODING))
        return refuse(decompression, ctx);
    if (cmw_str_equals_fold(field->value, CMW_STR("identity")))
        return CMW_CONTINUE;
    const enum coding coding = codec_find(field->value);
    if (coding == CODING_COUNT || !accepts(decompression, coding))
        return refuse(decompression, ctx);
    struct job *job = cmw_ctx_set_slot(ctx, decompression->slot);
    if (!job)
        return CMW_ERROR;
    job->codec = shelf_take(&decompression->shelf, ctx, coding, CMW_LENGTH_UNKNOWN);
    if (!job->codec)
        return cmw_respond_problem(ctx, 503, "no memory to decode the body");
    return cmw_request_remove_header(request, CMW_STR("Content-Encoding")) == 0 ? CMW_CONTINUE
                                                                                : CMW_ERROR;
}

/* ---- The body ---------------------------------------------------------------------------- */

/* 1 if more came out than may. */
static int is_too_much(const struct decompression *decompression, const struct codec *codec)
{
    if (codec->given > decompression->limit_bytes)
        return 1;
    return codec->given > FREE_BYTES &&
           codec->given - FREE_BYTES > decompression->max_ratio * codec->taken;
}

static int on_request_body(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    const struct decompression *decompression = self;
    const struct job *job = cmw_ctx_slot(ctx, decompression->slot);
    struct codec *codec = job ? job->codec : NULL;

    if (!codec || codec->shelf != &decompression->shelf) /* another one's, of the same kind */
        return CMW_CONTINUE;
    if (chunk->bytes.len > 0)
        codec->in = chunk->bytes;
    else if (chunk->is_last && codec->taken == 0) /* nothing at all, in whichever coding */
        return CMW_CONTINUE;
    const int rc = codec->kind->step(codec, CODEC_GOES_ON);
    if (rc == CMW_ERR_NOMEM)
        return cmw_respond_problem(ctx, 503, "no memory to decode the body");
    codec->given += codec->out_len;
    if (rc != 0)
        return cmw_respond_problem(ctx, 400, "the body is not in its content coding");
    if (is_too_much(decompression, codec))
        return cmw_respond_problem(ctx, 413, "the decoded body is too long");
    chunk->bytes = cmw_str_make(codec->out, codec->out_len);
    chunk->has_more = codec->has_more && codec->out_len > 0;
    if (chunk->is_last && !chunk->has_more && !codec->has_ended)
        return cmw_respond_problem(ctx, 400, "the body ends within its content coding");
    return CMW_CONTINUE;
}

static void drop_job(void *value)
{
    const struct job *job = value;

    if (job->codec)
        shelf_put(job->codec);
}

/* ---- Creating ---------------------------------------------------------------------------- */

static void destroy(void *self)
{
    struct decompression *decompression = self;

    shelf_close(&decompression->shelf);
    cmw_arena_destroy(decompression->arena);
}

/* "br, gzip" */
static int write_list(struct decompression *decompression)
{
    char *text = cmw_arena_alloc(decompression->arena, decompression->accepted_count * 16);
    size_t len = 0;

    if (!text)
        return CMW_ERR_NOMEM;
    for (size_t i = 0; i < decompression->accepted_count; i++) {
        const cmw_str name = codec_name((enum coding)decompression->accepted[i]);
        if (i > 0) {
            memcpy(text + len, ", ", 2);
            len += 2;
        }
        memcpy(text + len, name.data, name.len);
        len += name.len;
    }
    decompression->list = cmw_str_make(text, len);
    return 0;
}

static int fill(struct decompression *decompression, cmw_engine *engine,
                const cmw_decompression_config *config, cmw_diag *diag)
{
    static const uint8_t usual[] = {CODING_BR, CODING_ZSTD, CODING_GZIP, CODING_DEFLATE};
    const struct coding_list list = {config->encodings, config->encoding_count, usual,
                                     sizeof usual};
    int rc = config_codings(decompression->accepted, &decompression->accepted_count, &list,
                            "decompression: encodings", diag);

    if (rc == 0 && (write_list(decompression) != 0 ||
                    cmw_slot_declare(engine, &decompression->slot, "decompression.decoder",
                                     sizeof(struct job), drop_job) != 0 ||
                    shelf_open(&decompression->shelf, engine, codec_decoders) != 0))
        rc = cmw_diag_set(diag, CMW_ERR_NOMEM, "decompression: no memory");
    decompression->limit_bytes =
        config->limit_bytes == 0 ? UINT64_MAX : (uint64_t)config->limit_bytes;
    decompression->max_ratio = (uint64_t)config->max_ratio;
    return rc;
}

static int check(const cmw_decompression_config *config, cmw_diag *diag)
{
    if (config->limit_bytes < 0)
        return cmw_diag_set(diag, CMW_ERR_ARG, "decompression: limit: %lld is less than nothing",
                            (long long)config->limit_bytes);
    if (config->max_ratio < 1 || config->max_ratio > 1000000)
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "decompression: max_ratio: %lld is not in 1..1000000",
                            (long long)config->max_ratio);
    return 0;
}

int cmw_decompression_create(cmw_engine *engine, cmw_middleware *middleware,
                             const cmw_decompression_config *config, cmw_diag *diag)
{
    cmw_decompression_config ours;
    cmw_arena *arena = NULL;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_decompression_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "decompression: the config is of a newer version");
    int rc = check(&ours, diag);
    if (rc != 0)
        return rc;
    struct decompression *decompression = config_alloc(engine, &arena, sizeof *decompression);
    if (!decompression)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "decompression: no memory");
    decompression->arena = arena;
    rc = fill(decompression, engine, &ours, diag);
    if (rc != 0) {
        destroy(decompression);
        return rc;
    }
    middleware->kind = "decompression";
    middleware->priority = 290;
    middleware->flags |= CMW_GUARDS_ACCESS;
    middleware->self = decompression;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    middleware->request_body = on_request_body;
    middleware->body_demand = CMW_BODY_CHUNKS;
    cmw_middleware_uses(middleware, decompression->slot);
    return 0;
}

/* ---- The kind ---------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_decompression_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_decompression_config_init(config);
}

static const cmw_option options[] = {
    {.name = "encodings",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_decompression_config, encodings),
     .help = "What is accepted: br, zstd, gzip, deflate; another coding is answered 415"},
    {.name = "limit",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_decompression_config, limit_bytes),
     .max = INT64_MAX,
     .help = "Bytes that a decoded body may have; 0: the request's own limit"},
    {.name = "max_ratio",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_decompression_config, max_ratio),
     .min = 1,
     .max = 1000000,
     .help = "Bytes out for one byte in, beyond the first 64 KiB out"},
};

static const cmw_kind kind = {
    .size = sizeof(cmw_kind),
    .name = "decompression",
    .summary = "Bodies of requests decoded from br, zstd, gzip or deflate, with limits",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_decompression_config),
    .config_init = config_init,
    .create = create,
};

const cmw_kind *cmw_decompression_kind(void)
{
    return &kind;
}
