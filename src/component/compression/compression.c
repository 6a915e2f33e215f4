/* SPDX-License-Identifier: MIT */
/*
 * Compressing responses. post_route decides, by what the client takes and what the response is;
 * response_body passes the bytes through an encoder of the worker's.
 */
#include <catzilla/component/compression.h>

#include "codec.h"
#include "config.h"
#include "media.h"

struct compression {
    cmw_arena *arena;
    struct shelf shelf;
    uint8_t offered[CODING_COUNT];
    size_t offered_count;
    const struct media_set *types;
    uint64_t min_size;
    int flushes_chunks;
    cmw_slot slot;
};

/* What a request has of it. */
struct job {
    struct codec *codec;
    int flushes;
};

static cmw_phase_fn on_pre_route;
static cmw_phase_fn on_post_route;
static cmw_body_fn on_response_body;

/* ---- What the client takes --------------------------------------------------------------- */

/* Nothing that could be sent is wanted: said before the handler does anything. */
static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct compression *compression = self;
    cmw_request *request = cmw_ctx_request(ctx);
    struct wishes wishes;

    if (!cmw_request_header(request, CMW_HDR_ACCEPT_ENCODING))
        return CMW_CONTINUE;
    wishes_read(&wishes, request);
    if (wishes.identity > 0 ||
        wishes_choose(&wishes, compression->offered, compression->offered_count) != CODING_COUNT)
        return CMW_CONTINUE;
    if (cmw_response_add_token(cmw_ctx_response(ctx), CMW_HDR_VARY, CMW_STR("Accept-Encoding")) !=
        0)
        return CMW_ERROR;
    return cmw_respond_problem(ctx, 406, "no content coding of this server is acceptable");
}

/* ---- What the response is ---------------------------------------------------------------- */

static int has_token(cmw_str list, cmw_str token)
{
    while (list.len >= token.len) {
        const char *comma = memchr(list.data, ',', list.len);
        cmw_str member = cmw_str_make(list.data, comma ? (size_t)(comma - list.data) : list.len);
        const size_t taken = comma ? member.len + 1 : member.len;
        list = cmw_str_make(list.data + taken, list.len - taken);
        while (member.len > 0 && (member.data[0] == ' ' || member.data[0] == '\t'))
            member = cmw_str_make(member.data + 1, member.len - 1);
        while (member.len > 0 &&
               (member.data[member.len - 1] == ' ' || member.data[member.len - 1] == '\t'))
            member.len--;
        if (cmw_str_equals_fold(member, token))
            return 1;
        if (!comma)
            break;
    }
    return 0;
}

/* Every Cache-Control field, not the first alone. */
static int forbids_transforms(const cmw_response *response)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;

    if (!cmw_response_has(response, CMW_HDR_CACHE_CONTROL))
        return 0;
    while (cmw_response_next_header(response, &cursor, &field, CMW_READ_FIELDS))
        if (cmw_str_equals_fold(field.name, CMW_STR("Cache-Control")) &&
            has_token(field.value, CMW_STR("no-transform")))
            return 1;
    return 0;
}

/* 1 if a coding may be put on it at all: not a second one, not on a part. */
static int can_be_coded(const cmw_response *response)
{
    const int status = cmw_response_status(response);

    return status >= 200 && status != 204 && status != 205 && status != 206 && status != 304 &&
           !cmw_response_has(response, CMW_HDR_CONTENT_ENCODING) &&
           !cmw_response_has(response, CMW_HDR_CONTENT_RANGE) && !forbids_transforms(response) &&
           !cmw_response_passes_body(response);
}

/* ---- What becomes of its fields ---------------------------------------------------------- */

/* The coded bytes are other ones: a strong tag would say that they are the same (RFC 9110, 8.8.1).
 */
static int weaken_etag(cmw_ctx *ctx, cmw_response *response)
{
    const cmw_str etag = cmw_response_get(response, CMW_HDR_ETAG);

    if (!etag.data || (etag.len >= 2 && memcmp(etag.data, "W/", 2) == 0))
        return 0;
    char *weak = cmw_arena_alloc_text(cmw_ctx_arena(ctx), etag.len + 2);
    if (!weak)
        return CMW_ERR_NOMEM;
    memcpy(weak, "W/", 2);
    memcpy(weak + 2, etag.data, etag.len);
    return cmw_response_set(response, CMW_HDR_ETAG, cmw_str_make(weak, etag.len + 2));
}

/* Ranges and digests are of the bytes that were. */
static int describe(cmw_ctx *ctx, enum coding coding)
{
    cmw_response *response = cmw_ctx_response(ctx);
    int rc = cmw_response_set(response, CMW_HDR_CONTENT_ENCODING, codec_name(coding));

    if (rc == 0)
        rc = weaken_etag(ctx, response);
    if (rc == 0 && cmw_response_has(response, CMW_HDR_ACCEPT_RANGES))
        rc = cmw_response_remove(response, CMW_HDR_ACCEPT_RANGES);
    if (rc == 0 && cmw_response_has(response, CMW_HDR_CONTENT_DIGEST))
        rc = cmw_response_remove(response, CMW_HDR_CONTENT_DIGEST);
    if (rc == 0 && cmw_response_has_named(response, CMW_STR("Repr-Digest")))
        rc = cmw_response_remove_named(response, CMW_STR("Repr-Digest"));
    if (rc == 0 && cmw_response_has_named(response, CMW_STR("Content-MD5")))
        rc = cmw_response_remove_named(response, CMW_STR("Content-MD5"));
    return rc;
}

/* ---- Deciding ---------------------------------------------------------------------------- */

/* An encoder, unless the answer is to HEAD; 0 also where there is no memory for one: then the body
 * goes as it is. */
static int begin(struct compression *compression, cmw_ctx *ctx, enum coding coding, uint64_t length,
                 int flushes)
{
    struct job *job = NULL;
    int rc;

    if (cmw_request_method_id(cmw_ctx_request(ctx)) != CMW_METHOD_HEAD) {
        job = cmw_ctx_set_slot(ctx, compression->slot);
        if (!job)
            return CMW_ERR_NOMEM;
        job->codec = shelf_take(&compression->shelf, ctx, coding, length);
        job->flushes = flushes;
        if (!job->codec)
            return 0;
    }
    rc = cmw_ctx_transform_body(ctx);
    return rc ? rc : describe(ctx, coding);
}

static int on_post_route(void *self, cmw_ctx *ctx)
{
    struct compression *compression = self;
    cmw_response *response = cmw_ctx_response(ctx);
    struct wishes wishes;

    if (!can_be_coded(response))
        return CMW_CONTINUE;
    const uint64_t length = cmw_response_content_length(response);
    const cmw_str type = media_type_of(cmw_response_get(response, CMW_HDR_CONTENT_TYPE));
    const int shrinks = media_has(compression->types, type);
    wishes_read(&wishes, cmw_ctx_request(ctx));
    const int must = wishes.identity == 0; /* then whatever it is, and however short */
    if (!shrinks && !must)
        return CMW_CONTINUE;
    if (cmw_response_add_token(response, CMW_HDR_VARY, CMW_STR("Accept-Encoding")) != 0)
        return CMW_ERROR;
    if (length == 0 || (length < compression->min_size && !must))
        return CMW_CONTINUE;
    const enum coding coding =
        wishes_choose(&wishes, compression->offered, compression->offered_count);
    if (coding == CODING_COUNT)
        return CMW_CONTINUE;
    const int flushes = media_is_event_stream(type) ||
                        (compression->flushes_chunks && cmw_response_body(response).len == 0);
    return begin(compression, ctx, coding, length, flushes) == 0 ? CMW_CONTINUE : CMW_ERROR;
}

/* ---- The body ---------------------------------------------------------------------------- */

static int on_response_body(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    const struct compression *compression = self;
    const struct job *job = cmw_ctx_slot(ctx, compression->slot);
    struct codec *codec = job->codec;

    if (chunk->bytes.len > 0)
        codec->in = chunk->bytes;
    const enum codec_end end = chunk->is_last ? CODEC_FINISHES
                               : job->flushes ? CODEC_FLUSHES
                                              : CODEC_GOES_ON;
    if (codec->kind->step(codec, end) != 0)
        return CMW_ERROR;
    chunk->bytes = cmw_str_make(codec->out, codec->out_len);
    chunk->has_more = codec->has_more && codec->out_len > 0;
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
    struct compression *compression = self;

    shelf_close(&compression->shelf);
    cmw_arena_destroy(compression->arena);
}

static int read_types(struct compression *compression, const cmw_compression_config *config,
                      cmw_diag *diag)
{
    const size_t count = config->type_count;

    compression->types = media_usual();
    if (count == 0)
        return 0;
    struct media_set *set = cmw_arena_alloc(compression->arena, sizeof *set);
    cmw_str *patterns = cmw_arena_alloc(compression->arena, count * sizeof *patterns);
    if (!set || !patterns)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "compression: no memory");
    for (size_t i = 0; i < count; i++) {
        const cmw_str pattern = cmw_str_cstr(config->types[i] ? config->types[i] : "");
        if (!media_pattern_is_valid(pattern))
            return cmw_diag_set(diag, CMW_ERR_ARG,
                                "compression: types: '%s' is no media type, nor text/* or *+json",
                                pattern.data);
        if (cmw_arena_dup(compression->arena, &patterns[i], pattern) != 0)
            return cmw_diag_set(diag, CMW_ERR_NOMEM, "compression: no memory");
    }
    *set = (struct media_set){patterns, count};
    compression->types = set;
    return 0;
}

static int check_range(const char *option, int64_t value, int64_t least, int64_t most,
                       cmw_diag *diag)
{
    if (value >= least && value <= most)
        return 0;
    return cmw_diag_set(diag, CMW_ERR_ARG, "compression: %s: %lld is not in %lld..%lld", option,
                        (long long)value, (long long)least, (long long)most);
}

static int check_numbers(const cmw_compression_config *config, cmw_diag *diag)
{
    int rc = check_range("min_size", config->min_size, 0, INT64_MAX, diag);

    if (rc == 0)
        rc = check_range("level", config->level, 1, 9, diag);
    if (rc == 0)
        rc = check_range("br_quality", config->br_quality, 0, 11, diag);
    if (rc == 0)
        rc = check_range("zstd_level", config->zstd_level, 1, 19, diag);
    if (rc == 0 &&
        (config->flush < CMW_COMPRESSION_FLUSH_AUTO || config->flush > CMW_COMPRESSION_FLUSH_CHUNK))
        rc = cmw_diag_set(diag, CMW_ERR_ARG, "compression: flush: %d is no such rule",
                          config->flush);
    return rc;
}

static int fill(struct compression *compression, cmw_engine *engine,
                const cmw_compression_config *config, cmw_diag *diag)
{
    static const uint8_t usual[] = {CODING_BR, CODING_ZSTD, CODING_GZIP};
    const struct coding_list list = {config->encodings, config->encoding_count, usual,
                                     sizeof usual};
    int rc = config_codings(compression->offered, &compression->offered_count, &list,
                            "compression: encodings", diag);

    if (rc == 0)
        rc = read_types(compression, config, diag);
    if (rc == 0 && (cmw_slot_declare(engine, &compression->slot, "compression.encoder",
                                     sizeof(struct job), drop_job) != 0 ||
                    shelf_open(&compression->shelf, engine, codec_encoders) != 0))
        rc = cmw_diag_set(diag, CMW_ERR_NOMEM, "compression: no memory");
    compression->shelf.levels[CODING_BR] = (int)config->br_quality;
    compression->shelf.levels[CODING_ZSTD] = (int)config->zstd_level;
    compression->shelf.levels[CODING_GZIP] = (int)config->level;
    compression->shelf.levels[CODING_DEFLATE] = (int)config->level;
    compression->min_size = (uint64_t)config->min_size;
    compression->flushes_chunks = config->flush == CMW_COMPRESSION_FLUSH_CHUNK;
    return rc;
}

int cmw_compression_create(cmw_engine *engine, cmw_middleware *middleware,
                           const cmw_compression_config *config, cmw_diag *diag)
{
    cmw_compression_config ours;
    cmw_arena *arena = NULL;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_compression_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "compression: the config is of a newer version");
    int rc = check_numbers(&ours, diag);
    if (rc != 0)
        return rc;
    struct compression *compression = config_alloc(engine, &arena, sizeof *compression);
    if (!compression)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "compression: no memory");
    compression->arena = arena;
    rc = fill(compression, engine, &ours, diag);
    if (rc != 0) {
        destroy(compression);
        return rc;
    }
    middleware->kind = "compression";
    middleware->priority = 850;
    middleware->post_priority = 20000; /* behind those that make or look at the body */
    middleware->flags |= CMW_TRANSFORMS_BODY;
    middleware->self = compression;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    middleware->post_route = on_post_route;
    middleware->response_body = on_response_body;
    cmw_middleware_uses(middleware, compression->slot);
    cmw_middleware_post_provides(middleware, CMW_FACT_RESPONSE_FIELDS);
    return 0;
}

/* ---- The kind ---------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_compression_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_compression_config_init(config);
}

static const cmw_option options[] = {
    {.name = "encodings",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_compression_config, encodings),
     .help = "What is offered, the first one preferred: br, zstd, gzip, deflate"},
    {.name = "types",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_compression_config, types),
     .help = "Media types that are compressed: text/*, application/json, *+json"},
    {.name = "min_size",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_compression_config, min_size),
     .max = INT64_MAX,
     .help = "Shorter bodies are left alone"},
    {.name = "level",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_compression_config, level),
     .min = 1,
     .max = 9,
     .help = "Of gzip and deflate: 1 is fast, 9 small"},
    {.name = "br_quality",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_compression_config, br_quality),
     .min = 0,
     .max = 11,
     .help = "Of br: 0 is fast, 11 small"},
    {.name = "zstd_level",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_compression_config, zstd_level),
     .min = 1,
     .max = 19,
     .help = "Of zstd: 1 is fast, 19 small"},
    {.name = "flush",
     .type = CMW_OPTION_CHOICE,
     .offset = offsetof(cmw_compression_config, flush),
     .choices = "auto|chunk",
     .help = "Hand on what is compressed when a buffer is full, or with each piece"},
};

static const cmw_kind kind = {
    .size = sizeof(cmw_kind),
    .name = "compression",
    .summary = "Responses compressed by br, zstd, gzip or deflate, as the client likes best",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_compression_config),
    .config_init = config_init,
    .create = create,
};

const cmw_kind *cmw_compression_kind(void)
{
    return &kind;
}
