/* SPDX-License-Identifier: MIT */
/* Where codecs rest between requests, and the memory of libraries that give it back each time. */
#include "codec.h"

/* ---- Names ------------------------------------------------------------------------------- */

static const cmw_str names[CODING_COUNT] = {
    [CODING_BR] = CMW_STR_INIT("br"),
    [CODING_ZSTD] = CMW_STR_INIT("zstd"),
    [CODING_GZIP] = CMW_STR_INIT("gzip"),
    [CODING_DEFLATE] = CMW_STR_INIT("deflate"),
};

cmw_str codec_name(enum coding coding)
{
    return names[coding];
}

enum coding codec_find(cmw_str name)
{
    for (int i = 0; i < CODING_COUNT; i++)
        if (cmw_str_equals_fold(name, names[i]))
            return (enum coding)i;
    return cmw_str_equals_fold(name, CMW_STR("x-gzip")) ? CODING_GZIP : CODING_COUNT;
}

/* ---- Memory ------------------------------------------------------------------------------ */

/* A piece that a library was given, or gave back. 16 bytes, so that what follows is aligned. */
struct piece {
    struct piece *next;
    size_t bytes; /* behind it */
};

/* Pieces are powers of two, so that one that was given back fits the next request's. */
static size_t round_up(size_t bytes)
{
    size_t cap = 64;

    while (cap < bytes && cap <= SIZE_MAX / 2)
        cap *= 2;
    return cap;
}

void *codec_alloc(void *object, size_t bytes)
{
    struct codec *codec = object;
    const size_t cap = round_up(bytes);
    struct piece **at = &codec->free_pieces;

    if (cap < bytes || cap > SIZE_MAX - sizeof **at)
        return NULL;
    while (*at && (*at)->bytes != cap)
        at = &(*at)->next;
    struct piece *piece = *at;
    if (piece) {
        *at = piece->next;
        return piece + 1;
    }
    piece = cmw_pool_alloc(codec->shelf->pool, sizeof *piece + cap, 16);
    if (!piece)
        return NULL;
    piece->bytes = cap;
    return piece + 1;
}

void codec_free(void *object, void *address)
{
    struct codec *codec = object;
    struct piece *piece = address;

    if (!piece)
        return;
    piece--;
    piece->next = codec->free_pieces;
    codec->free_pieces = piece;
}

static void free_pieces(struct codec *codec)
{
    for (struct piece *next, *at = codec->free_pieces; at; at = next) {
        next = at->next;
        cmw_pool_free(codec->shelf->pool, at, sizeof *at + at->bytes, 16);
    }
    codec->free_pieces = NULL;
}

/* ---- Codecs ------------------------------------------------------------------------------ */

static struct codec *create(struct shelf *shelf, uint32_t worker, enum coding coding)
{
    struct codec *codec = cmw_pool_alloc(shelf->pool, sizeof *codec, 16);

    if (!codec)
        return NULL;
    memset(codec, 0, offsetof(struct codec, out));
    codec->kind = &shelf->kinds[coding];
    codec->shelf = shelf;
    codec->worker = worker;
    codec->coding = (uint8_t)coding;
    codec->level = shelf->levels[coding];
    if (codec->kind->open(codec) == 0)
        return codec;
    free_pieces(codec);
    cmw_pool_free(shelf->pool, codec, sizeof *codec, 16);
    return NULL;
}

static void destroy(struct codec *codec)
{
    codec->kind->close(codec);
    free_pieces(codec);
    cmw_pool_free(codec->shelf->pool, codec, sizeof *codec, 16);
}

static struct codec **place_of(struct shelf *shelf, uint32_t worker, enum coding coding)
{
    return &shelf->rest[(size_t)worker * CODING_COUNT + coding];
}

struct codec *shelf_take(struct shelf *shelf, cmw_ctx *ctx, enum coding coding, uint64_t size_hint)
{
    const uint32_t worker = cmw_worker_index(cmw_ctx_worker(ctx));
    struct codec **place = place_of(shelf, worker, coding);
    struct codec *codec = *place;

    if (codec)
        *place = codec->next;
    else
        codec = create(shelf, worker, coding);
    if (!codec)
        return NULL;
    codec->size_hint = size_hint;
    codec->in = CMW_STR("");
    codec->out_len = 0;
    codec->taken = 0;
    codec->given = 0;
    codec->has_more = 0;
    codec->has_ended = 0;
    if (codec->kind->restart(codec) == 0)
        return codec;
    destroy(codec);
    return NULL;
}

void shelf_put(struct codec *codec)
{
    struct codec **place = place_of(codec->shelf, codec->worker, (enum coding)codec->coding);

    codec->next = *place;
    *place = codec;
}

/* ---- Shelves ----------------------------------------------------------------------------- */

int shelf_open(struct shelf *shelf, cmw_engine *engine, const struct codec_kind *kinds)
{
    shelf->pool = cmw_engine_pool(engine, CMW_POOL_PLAN);
    shelf->kinds = kinds;
    shelf->worker_count = cmw_engine_worker_limit(engine);
    const size_t bytes = (size_t)shelf->worker_count * CODING_COUNT * sizeof(struct codec *);
    shelf->rest = cmw_pool_alloc(shelf->pool, bytes, 16);
    if (!shelf->rest)
        return CMW_ERR_NOMEM;
    memset(shelf->rest, 0, bytes);
    return 0;
}

void shelf_close(struct shelf *shelf)
{
    const size_t count = (size_t)shelf->worker_count * CODING_COUNT;

    if (!shelf->rest)
        return;
    for (size_t i = 0; i < count; i++)
        for (struct codec *next, *at = shelf->rest[i]; at; at = next) {
            next = at->next;
            destroy(at);
        }
    cmw_pool_free(shelf->pool, shelf->rest, count * sizeof(struct codec *), 16);
}
