/* SPDX-License-Identifier: MIT */
/* A handler of which a test says what it answers; for middleware that keeps answers. */
#ifndef CMW_ORIGIN_FIXTURE_H
#define CMW_ORIGIN_FIXTURE_H

#include "builtin_fixture.h"

#include <stdio.h>

#include <catzilla/body.h>

/* What answers: every call says another number. */
struct origin {
    int status; /* 0: it fails */
    const char *fields[8];
    unsigned calls;
    size_t len;  /* of the body; 0: the number */
    int streams; /* 2: with a length */
    int is_empty;
};

static inline int origin_read(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    (void)self;
    (void)ctx;
    chunk->bytes = CMW_STR("streamed");
    chunk->is_last = 1;
    return 0;
}

static inline int origin_stream(const struct origin *origin, cmw_ctx *ctx)
{
    cmw_body_source source;

    cmw_body_source_init(&source);
    source.read = origin_read;
    source.length = origin->streams == 2 ? 8 : CMW_LENGTH_UNKNOWN;
    return cmw_ctx_stream(ctx, origin->status, &source);
}

/* A cmw_test_handler_fn. */
static inline int origin_answer(void *self, cmw_ctx *ctx)
{
    static char filler[70000];
    struct origin *origin = self;
    cmw_response *response = cmw_ctx_response(ctx);
    char text[16];

    origin->calls++;
    if (origin->status == 0)
        return -1;
    for (size_t i = 0; i < 8 && origin->fields[i]; i += 2)
        if (cmw_response_append_named(response, cmw_str_cstr(origin->fields[i]),
                                      cmw_str_cstr(origin->fields[i + 1])) != 0)
            return -1;
    if (origin->streams)
        return origin_stream(origin, ctx);
    if (origin->is_empty)
        return cmw_response_empty(response, origin->status);
    memset(filler, 'x', sizeof filler);
    if (origin->len > 0)
        return cmw_response_text(response, origin->status, cmw_str_make(filler, origin->len));
    snprintf(text, sizeof text, "%u", origin->calls);
    return cmw_response_text(response, origin->status, cmw_str_cstr(text));
}

/* Bytes that plans, tables and stores of a bench hold. */
static inline uint64_t origin_in_use(cmw_test *test)
{
    cmw_pool_stats stats = {.size = sizeof stats};

    assert_int_equal(
        cmw_pool_get_stats(cmw_engine_pool(cmw_test_engine(test), CMW_POOL_PLAN), &stats), 0);
    return stats.in_use_bytes;
}

#endif /* CMW_ORIGIN_FIXTURE_H */
