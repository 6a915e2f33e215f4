/* SPDX-License-Identifier: MIT */
/*
 * Decoders: zlib (gzip and deflate), brotli, zstd. A body may be several gzip members or zstd
 * frames, one behind the other (RFC 1952, 2.2; RFC 8878, 3); whatever else follows the end is an
 * error.
 */
#include "codec.h"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

enum { MOST_AT_ONCE = 1 << 30, ZSTD_WINDOW_BITS = 23 };

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
    if (inflateInit2(stream, window_bits) == Z_OK)
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
    return zlib_open(codec, MAX_WBITS);
}

static int zlib_restart(struct codec *codec)
{
    return inflateReset(codec->state) == Z_OK ? 0 : CMW_ERR_STATE;
}

/* One call of inflate, into the room that is left. */
static int inflate_some(struct codec *codec, z_stream *stream)
{
    const size_t len = codec->in.len < MOST_AT_ONCE ? codec->in.len : MOST_AT_ONCE;

    stream->next_in = (Bytef *)(uintptr_t)codec->in.data;
    stream->avail_in = (uInt)len;
    stream->next_out = (Bytef *)codec->out + codec->out_len;
    stream->avail_out = (uInt)(CODEC_OUT_BYTES - codec->out_len);
    const int rc = inflate(stream, Z_NO_FLUSH);
    take(codec, len - stream->avail_in);
    codec->out_len = CODEC_OUT_BYTES - stream->avail_out;
    return rc;
}

static int zlib_step(struct codec *codec, enum codec_end end)
{
    z_stream *stream = codec->state;

    (void)end;
    codec->out_len = 0;
    for (;;) {
        if (codec->has_ended && codec->in.len > 0) { /* one more member */
            if (codec->coding != CODING_GZIP || inflateReset(stream) != Z_OK)
                return CMW_ERR_INVALID;
            codec->has_ended = 0;
        }
        const int rc = inflate_some(codec, stream);
        if (rc == Z_MEM_ERROR)
            return CMW_ERR_NOMEM;
        if (rc != Z_OK && rc != Z_STREAM_END && rc != Z_BUF_ERROR)
            return CMW_ERR_INVALID;
        codec->has_ended = rc == Z_STREAM_END;
        codec->has_more = codec->out_len == CODEC_OUT_BYTES;
        if (codec->has_more || codec->in.len == 0)
            return 0;
        if (rc == Z_BUF_ERROR) /* it takes nothing more */
            return CMW_ERR_INVALID;
    }
}

static void zlib_close(struct codec *codec)
{
    (void)inflateEnd(codec->state); /* the state is a good one */
    codec_free(codec, codec->state);
}

/* ---- brotli ------------------------------------------------------------------------------ */

static int br_open(struct codec *codec)
{
    codec->state = NULL;
    return 0;
}

static void br_close(struct codec *codec)
{
    if (codec->state)
        BrotliDecoderDestroyInstance(codec->state);
    codec->state = NULL;
}

static int br_restart(struct codec *codec)
{
    br_close(codec);
    codec->state = BrotliDecoderCreateInstance(codec_alloc, codec_free, codec);
    return codec->state ? 0 : CMW_ERR_NOMEM;
}

static int br_step(struct codec *codec, enum codec_end end)
{
    const uint8_t *in = (const uint8_t *)codec->in.data;
    uint8_t *out = (uint8_t *)codec->out;
    size_t in_len = codec->in.len;
    size_t room = CODEC_OUT_BYTES;

    (void)end;
    codec->out_len = 0;
    if (codec->has_ended)
        return codec->in.len == 0 ? 0 : CMW_ERR_INVALID;
    const BrotliDecoderResult rc =
        BrotliDecoderDecompressStream(codec->state, &in_len, &in, &room, &out, NULL);
    if (rc == BROTLI_DECODER_RESULT_ERROR)
        return CMW_ERR_INVALID;
    take(codec, codec->in.len - in_len);
    codec->out_len = CODEC_OUT_BYTES - room;
    codec->has_more = rc == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
    codec->has_ended = rc == BROTLI_DECODER_RESULT_SUCCESS;
    return codec->has_ended && codec->in.len > 0 ? CMW_ERR_INVALID : 0;
}

/* ---- zstd -------------------------------------------------------------------------------- */

/* A window of 8 MiB, as RFC 9659 asks of those who read content codings. */
static int zstd_open(struct codec *codec)
{
    codec->state = ZSTD_createDCtx();
    if (!codec->state)
        return CMW_ERR_NOMEM;
    if (!ZSTD_isError(ZSTD_DCtx_setParameter(codec->state, ZSTD_d_windowLogMax, ZSTD_WINDOW_BITS)))
        return 0;
    (void)ZSTD_freeDCtx(codec->state);
    return CMW_ERR_NOMEM;
}

static int zstd_restart(struct codec *codec)
{
    const size_t rc = ZSTD_DCtx_reset(codec->state, ZSTD_reset_session_only);
    return ZSTD_isError(rc) ? CMW_ERR_STATE : 0;
}

static int zstd_step(struct codec *codec, enum codec_end end)
{
    ZSTD_outBuffer out = {codec->out, CODEC_OUT_BYTES, 0};

    (void)end;
    do {
        ZSTD_inBuffer in = {codec->in.data, codec->in.len, 0};
        const size_t before = out.pos;
        const size_t rest = ZSTD_decompressStream(codec->state, &out, &in);
        if (ZSTD_isError(rest))
            return CMW_ERR_INVALID;
        take(codec, in.pos);
        if (in.pos > 0 || out.pos > before)
            codec->has_ended = rest == 0;
        else
            break;
    } while (codec->in.len > 0 && out.pos < CODEC_OUT_BYTES);
    codec->out_len = out.pos;
    codec->has_more = out.pos == CODEC_OUT_BYTES;
    return 0;
}

static void zstd_close(struct codec *codec)
{
    (void)ZSTD_freeDCtx(codec->state);
}

const struct codec_kind codec_decoders[CODING_COUNT] = {
    [CODING_BR] = {br_open, br_restart, br_step, br_close},
    [CODING_ZSTD] = {zstd_open, zstd_restart, zstd_step, zstd_close},
    [CODING_GZIP] = {gzip_open, zlib_restart, zlib_step, zlib_close},
    [CODING_DEFLATE] = {deflate_open, zlib_restart, zlib_step, zlib_close},
};
