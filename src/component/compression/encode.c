/* SPDX-License-Identifier: MIT */
/* Encoders: zlib (gzip and deflate), brotli, zstd. */
#include "codec.h"

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

/* What a step takes of the input at most: zlib counts in 32 bits. */
enum { MOST_AT_ONCE = 1 << 30 };

static void take(struct codec *codec, size_t len)
{
    codec->in = cmw_str_make(codec->in.data + len, codec->in.len - len);
    codec->taken += len;
}

/* ---- zlib -------------------------------------------------------------------------------- */

static void *zlib_alloc(void *codec, unsigned count, unsigned size)
{
    return count > SIZE_MAX / size ? NULL : codec_alloc(codec, (size_t)count * size);
}

static int zlib_open(struct codec *codec, int window_bits)
{
    z_stream *stream = codec_alloc(codec, sizeof *stream);

    if (!stream)
        return CMW_ERR_NOMEM;
    memset(stream, 0, sizeof *stream);
    stream->zalloc = zlib_alloc;
    stream->zfree = codec_free;
    stream->opaque = codec;
    codec->state = stream;
    if (deflateInit2(stream, codec->level, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) == Z_OK)
        return 0;
    codec_free(codec, stream);
    return CMW_ERR_NOMEM;
}

static int gzip_open(struct codec *codec)
{
    return zlib_open(codec, MAX_WBITS + 16);
}

static int deflate_open(struct codec *codec)
{
    return zlib_open(codec, MAX_WBITS); /* in the frame of RFC 1950 (RFC 9110, 8.4.1.2) */
}

static int zlib_restart(struct codec *codec)
{
    return deflateReset(codec->state) == Z_OK ? 0 : CMW_ERR_STATE;
}

static int zlib_step(struct codec *codec, enum codec_end end)
{
    static const int ends[] = {Z_NO_FLUSH, Z_SYNC_FLUSH, Z_FINISH};
    z_stream *stream = codec->state;
    const size_t len = codec->in.len < MOST_AT_ONCE ? codec->in.len : MOST_AT_ONCE;

    stream->next_in = (Bytef *)(uintptr_t)codec->in.data;
    stream->avail_in = (uInt)len;
    stream->next_out = (Bytef *)codec->out;
    stream->avail_out = CODEC_OUT_BYTES;
    const int rc = deflate(stream, len < codec->in.len ? Z_NO_FLUSH : ends[end]);
    if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
        return CMW_ERR_STATE;
    take(codec, len - stream->avail_in);
    codec->out_len = CODEC_OUT_BYTES - stream->avail_out;
    codec->has_ended = rc == Z_STREAM_END;
    codec->has_more = !codec->has_ended && (stream->avail_out == 0 || codec->in.len > 0);
    return 0;
}

static void zlib_close(struct codec *codec)
{
    (void)deflateEnd(codec->state); /* what it says, that data is lost, is known */
    codec_free(codec, codec->state);
}

/* ---- brotli ------------------------------------------------------------------------------ */

static int br_open(struct codec *codec)
{
    codec->state = NULL; /* brotli cannot begin anew: each body has a state of its own */
    return 0;
}

/* A window no larger than the body: brotli asks for as much memory. */
static uint32_t window_for(uint64_t size)
{
    uint32_t bits = 16;

    while (bits < 20 && (UINT64_C(1) << bits) < size)
        bits++;
    return bits;
}

static void br_close(struct codec *codec)
{
    if (codec->state)
        BrotliEncoderDestroyInstance(codec->state);
    codec->state = NULL;
}

static int br_restart(struct codec *codec)
{
    br_close(codec);
    BrotliEncoderState *state = BrotliEncoderCreateInstance(codec_alloc, codec_free, codec);
    if (!state)
        return CMW_ERR_NOMEM;
    codec->state = state;
    (void)BrotliEncoderSetParameter(state, BROTLI_PARAM_QUALITY, (uint32_t)codec->level);
    (void)BrotliEncoderSetParameter(state, BROTLI_PARAM_LGWIN, window_for(codec->size_hint));
    if (codec->size_hint < UINT32_MAX)
        (void)BrotliEncoderSetParameter(state, BROTLI_PARAM_SIZE_HINT, (uint32_t)codec->size_hint);
    return 0;
}

static int br_step(struct codec *codec, enum codec_end end)
{
    static const BrotliEncoderOperation ends[] = {BROTLI_OPERATION_PROCESS, BROTLI_OPERATION_FLUSH,
                                                  BROTLI_OPERATION_FINISH};
    const uint8_t *in = (const uint8_t *)codec->in.data;
    uint8_t *out = (uint8_t *)codec->out;
    size_t in_len = codec->in.len;
    size_t room = CODEC_OUT_BYTES;

    if (!BrotliEncoderCompressStream(codec->state, ends[end], &in_len, &in, &room, &out, NULL))
        return CMW_ERR_NOMEM;
    take(codec, codec->in.len - in_len);
    codec->out_len = CODEC_OUT_BYTES - room;
    codec->has_ended = BrotliEncoderIsFinished(codec->state) != 0;
    codec->has_more = codec->in.len > 0 || BrotliEncoderHasMoreOutput(codec->state) ||
                      (end == CODEC_FINISHES && !codec->has_ended);
    return 0;
}

/* ---- zstd -------------------------------------------------------------------------------- */

static int zstd_open(struct codec *codec)
{
    codec->state = ZSTD_createCCtx();
    if (!codec->state)
        return CMW_ERR_NOMEM;
    const size_t rc = ZSTD_CCtx_setParameter(codec->state, ZSTD_c_compressionLevel, codec->level);
    if (!ZSTD_isError(rc))
        return 0;
    (void)ZSTD_freeCCtx(codec->state);
    return CMW_ERR_NOMEM;
}

/* The size is not told: another callback may have changed it. A body that comes at once is measured
 * by zstd itself. */
static int zstd_restart(struct codec *codec)
{
    const size_t rc = ZSTD_CCtx_reset(codec->state, ZSTD_reset_session_only);
    return ZSTD_isError(rc) ? CMW_ERR_STATE : 0;
}

static int zstd_step(struct codec *codec, enum codec_end end)
{
    static const ZSTD_EndDirective ends[] = {ZSTD_e_continue, ZSTD_e_flush, ZSTD_e_end};
    ZSTD_inBuffer in = {codec->in.data, codec->in.len, 0};
    ZSTD_outBuffer out = {codec->out, CODEC_OUT_BYTES, 0};
    const size_t rest = ZSTD_compressStream2(codec->state, &out, &in, ends[end]);

    if (ZSTD_isError(rest))
        return CMW_ERR_STATE;
    take(codec, in.pos);
    codec->out_len = out.pos;
    codec->has_ended = end == CODEC_FINISHES && rest == 0;
    codec->has_more = codec->in.len > 0 || (end != CODEC_GOES_ON && rest > 0);
    return 0;
}

static void zstd_close(struct codec *codec)
{
    (void)ZSTD_freeCCtx(codec->state);
}

const struct codec_kind codec_encoders[CODING_COUNT] = {
    [CODING_BR] = {br_open, br_restart, br_step, br_close},
    [CODING_ZSTD] = {zstd_open, zstd_restart, zstd_step, zstd_close},
    [CODING_GZIP] = {gzip_open, zlib_restart, zlib_step, zlib_close},
    [CODING_DEFLATE] = {deflate_open, zlib_restart, zlib_step, zlib_close},
};
