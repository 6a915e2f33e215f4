/* SPDX-License-Identifier: MIT */
/*
 * 16 KiB of text compressed by gzip at level 6, next to zlib alone: a stream that is there, reset,
 * and one call.
 */
#include "life.h"

#include <catzilla/component/compression.h>
#include <zlib.h>

#include <string.h>

enum { BODY_LEN = 16 << 10 };

static struct life with_gzip, without;
static char body[BODY_LEN], out[2 * BODY_LEN];
static z_stream stream;

/* Words in no order: what pages are made of. */
static void fill_body(void)
{
    static const char *const words[] = {"the ",   "cat ",   "sat ",     "on ",   "a ",
                                        "mat, ",  "and ",   "purred. ", "<p>",   "</p>\n",
                                        "while ", "other ", "cats ",    "slept "};
    uint32_t state = 1;

    for (size_t at = 0; at < BODY_LEN;) {
        state = state * 1664525 + 1013904223;
        const char *word = words[(state >> 16) % LEN(words)];
        for (; *word && at < BODY_LEN; at++)
            body[at] = *word++;
    }
}

static inline int handle(struct life *life, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);

    (void)life;
    return cmw_response_bytes_ref(response, 200, cmw_str_make(body, BODY_LEN)) ||
           cmw_response_set(response, CMW_HDR_CONTENT_TYPE, CMW_STR("text/html"));
}

static inline void read_body(struct life *life, cmw_ctx *ctx)
{
    (void)life;
    bench_touch(cmw_response_body(cmw_ctx_response(ctx)).data);
}

static void run_lives(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, handle, read_body)
}

static void run_zlib(void *state, uint64_t iterations)
{
    for (; iterations > 0; iterations--) {
        (void)deflateReset(state);
        stream.next_in = (Bytef *)body;
        stream.avail_in = BODY_LEN;
        stream.next_out = (Bytef *)out;
        stream.avail_out = sizeof out;
        if (deflate(state, Z_FINISH) != Z_STREAM_END)
            bench_die("zlib did not end", NULL);
        bench_touch(out);
    }
}

static void fill(cmw_chain *chain)
{
    static const char *const gzip[] = {"gzip"};
    cmw_compression_config config;
    cmw_middleware middleware;
    cmw_diag diag = {0};

    cmw_compression_config_init(&config);
    config.encodings = gzip;
    config.encoding_count = 1;
    cmw_middleware_init(&middleware);
    middleware.name = "compression";
    life_check(cmw_compression_create(with_gzip.engine, &middleware, &config, &diag), &diag);
    life_add(chain, NULL, &middleware);
}

static void open_row(struct sides *sides)
{
    fill_body();
    memset(&stream, 0, sizeof stream);
    if (deflateInit2(&stream, 6, Z_DEFLATED, MAX_WBITS + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        bench_die("zlib did not begin", NULL);
    life_open(&with_gzip, fill);
    life_open(&without, NULL);
    sides->at[SIDE_SUBJECT] = (struct side){run_lives, &with_gzip};
    sides->at[SIDE_BASE] = (struct side){run_lives, &without};
    sides->at[SIDE_FLOOR] = (struct side){run_zlib, &stream};
}

static void close_row(void)
{
    life_close(&with_gzip);
    life_close(&without);
    (void)deflateEnd(&stream);
}

const struct row bench_compression_rows[] = {
    {.name = "gzip_16k",
     .targets = {{.of = TARGET_RATIO, .max = 1.03}},
     .open = open_row,
     .close = close_row},
    {.name = NULL},
};
