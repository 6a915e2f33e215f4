/* SPDX-License-Identifier: MIT */
/* Benches whose chain is one kind of the compression component, and bytes in every coding. */
#ifndef CMW_COMPRESSION_FIXTURE_H
#define CMW_COMPRESSION_FIXTURE_H

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <catzilla/component/compression.h>
#include <catzilla/testing.h>
#include <zlib.h>
#include <zstd.h>

#include <stdlib.h>

#include "test.h"

static inline void register_kinds(cmw_test *test)
{
    assert_int_equal(cmw_kind_register(cmw_test_engine(test), cmw_compression_kind()), 0);
    assert_int_equal(cmw_kind_register(cmw_test_engine(test), cmw_decompression_kind()), 0);
}

static inline cmw_test *open_component(const char *kind, const void *config,
                                       const cmw_engine_config *engine_config)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_diag diag = {0};

    assert_int_equal(cmw_test_create(&test, engine_config), 0);
    register_kinds(test);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    if (cmw_chain_use(chain, kind, config, &diag) != 0 || cmw_chain_install(chain, &diag) != 0)
        fail_msg("%s", diag.message);
    cmw_chain_destroy(chain);
    return test;
}

static inline void assert_config_refused(const char *kind, const void *config, const char *sentence)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_diag diag = {0};

    assert_int_equal(cmw_test_create(&test, NULL), 0);
    register_kinds(test);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, kind, config, &diag), CMW_ERR_ARG);
    assert_string_equal(diag.message, sentence);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_destroy(test), 0);
}

/* ---- Bytes ------------------------------------------------------------------------------- */

struct bytes {
    char *data;
    size_t len;
};

static inline struct bytes bytes_new(size_t cap)
{
    struct bytes bytes = {malloc(cap + 1), 0};
    assert_non_null(bytes.data);
    return bytes;
}

/* What shrinks, or what does not. */
static inline struct bytes bytes_make(size_t len, int shrinks)
{
    struct bytes bytes = bytes_new(len);
    uint32_t state = 1;

    for (size_t i = 0; i < len; i++) {
        state = state * 1664525 + 1013904223;
        bytes.data[i] = shrinks ? (char)("the cat sat on the mat. "[i % 24]) : (char)(state >> 24);
    }
    bytes.len = len;
    return bytes;
}

static inline void zlib_run(z_stream *stream, int (*step)(z_stream *, int), cmw_str in,
                            struct bytes *out, size_t cap)
{
    stream->next_in = (Bytef *)(uintptr_t)in.data;
    stream->avail_in = (uInt)in.len;
    stream->next_out = (Bytef *)out->data;
    stream->avail_out = (uInt)cap;
    assert_int_equal(step(stream, Z_FINISH), Z_STREAM_END);
    out->len = cap - stream->avail_out;
}

static inline struct bytes encode(cmw_str in, const char *coding)
{
    const size_t cap = in.len * 2 + 1024;
    struct bytes out = bytes_new(cap);

    if (strcmp(coding, "br") == 0) {
        out.len = cap;
        assert_int_equal(BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, in.len,
                                               (const uint8_t *)in.data, &out.len,
                                               (uint8_t *)out.data),
                         BROTLI_TRUE);
    } else if (strcmp(coding, "zstd") == 0) {
        out.len = ZSTD_compress(out.data, cap, in.data, in.len, 3);
        assert_false(ZSTD_isError(out.len));
    } else {
        z_stream stream = {0};
        assert_int_equal(
            deflateInit2(&stream, 6, Z_DEFLATED, strcmp(coding, "gzip") == 0 ? 31 : 15, 8, 0),
            Z_OK);
        zlib_run(&stream, deflate, in, &out, cap);
        deflateEnd(&stream);
    }
    return out;
}

static inline struct bytes decode(cmw_str in, const char *coding, size_t cap)
{
    struct bytes out = bytes_new(cap);

    if (strcmp(coding, "br") == 0) {
        out.len = cap;
        assert_int_equal(BrotliDecoderDecompress(in.len, (const uint8_t *)in.data, &out.len,
                                                 (uint8_t *)out.data),
                         BROTLI_DECODER_RESULT_SUCCESS);
    } else if (strcmp(coding, "zstd") == 0) {
        out.len = ZSTD_decompress(out.data, cap, in.data, in.len);
        assert_false(ZSTD_isError(out.len));
    } else {
        z_stream stream = {0};
        assert_int_equal(inflateInit2(&stream, strcmp(coding, "gzip") == 0 ? 31 : 15), Z_OK);
        zlib_run(&stream, inflate, in, &out, cap);
        inflateEnd(&stream);
    }
    return out;
}

#endif /* CMW_COMPRESSION_FIXTURE_H */
