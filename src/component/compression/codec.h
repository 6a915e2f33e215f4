/* SPDX-License-Identifier: MIT */
/*
 * Codecs: one interface over zlib, brotli and zstd, and where those that are not in use rest.
 *
 * A codec (an encoder or a decoder of one coding, with its output buffer) is made when a worker
 * first needs it, and rests with that worker between requests:
 *
 *     shelf ── worker 0: [gzip] -> [gzip]   [br]
 *           └─ worker 1: [gzip]
 */
#ifndef CMW_COMPRESSION_CODEC_H
#define CMW_COMPRESSION_CODEC_H

#include <catzilla/mw.h>

enum coding { CODING_BR, CODING_ZSTD, CODING_GZIP, CODING_DEFLATE, CODING_COUNT };

/* What is put out at once, at most. */
enum { CODEC_OUT_BYTES = 32 << 10 };

/* How a step ends. */
enum codec_end {
    CODEC_GOES_ON, /* no more in than what is given */
    CODEC_FLUSHES, /* and what is in is put out whole */
    CODEC_FINISHES /* it is the end */
};

struct codec;

/* 0, or an error. `step` reads from codec->in and writes to codec->out; it sets has_more where the
 * buffer was too small for what there is, and has_ended at the end of the coded bytes. */
struct codec_kind {
    int (*open)(struct codec *codec);
    int (*restart)(struct codec *codec);
    int (*step)(struct codec *codec, enum codec_end end);
    void (*close)(struct codec *codec);
};

struct codec {
    const struct codec_kind *kind;
    struct shelf *shelf;
    struct codec *next; /* at rest */
    uint32_t worker;
    uint8_t coding;
    uint8_t has_more;
    uint8_t has_ended;
    int level;
    void *state;               /* the library's */
    struct piece *free_pieces; /* of brotli's memory, which it gives back when it ends */
    cmw_str in;
    size_t out_len;
    uint64_t taken, given; /* since it was restarted */
    uint64_t size_hint;    /* of the body; CMW_LENGTH_UNKNOWN */
    char out[CODEC_OUT_BYTES];
};

extern const struct codec_kind codec_encoders[CODING_COUNT];
extern const struct codec_kind codec_decoders[CODING_COUNT];

/* "br"; and the coding with a name, in any case, "x-gzip" among them: CODING_COUNT if it is none.
 */
cmw_str codec_name(enum coding coding);
enum coding codec_find(cmw_str name);

/* Codecs at rest, of one middleware. */
struct shelf {
    cmw_pool *pool;
    const struct codec_kind *kinds;
    int levels[CODING_COUNT];
    uint32_t worker_count;
    struct codec **rest; /* by worker and coding */
};

/* 0 or CMW_ERR_NOMEM. */
int shelf_open(struct shelf *shelf, cmw_engine *engine, const struct codec_kind *kinds);
void shelf_close(struct shelf *shelf);
/* A codec that is ready for a body; NULL without memory. By the worker's user. */
struct codec *shelf_take(struct shelf *shelf, cmw_ctx *ctx, enum coding coding, uint64_t size_hint);
void shelf_put(struct codec *codec);

/* Memory for a library that asks in pieces; `object` is the codec. */
void *codec_alloc(void *object, size_t bytes);
void codec_free(void *object, void *address);

/* ---- negotiate.c ------------------------------------------------------------------------- */

/* What a client takes. */
struct wishes {
    int quality[CODING_COUNT]; /* 0..1000 */
    int identity;              /* likewise; 0: refused */
    int is_named;              /* identity is, or by "*" */
};

/* Read all Accept-Encoding fields. */
void wishes_read(struct wishes *wishes, cmw_request *request);
/* The best coding of those that are offered, in the server's order; CODING_COUNT: none, send it as
 * it is, whether that is wanted or not. */
enum coding wishes_choose(const struct wishes *wishes, const uint8_t *offered, size_t count);

#endif /* CMW_COMPRESSION_CODEC_H */
