/* SPDX-License-Identifier: MIT */
/*
 * Twelve response fields: constant ones, read out as bytes and as slices, and ones whose values are
 * known only when the request runs.
 */
#include "floor.h"
#include "life.h"

enum { MIDDLEWARE_COUNT = 4, FIELDS_EACH = FIELD_COUNT / MIDDLEWARE_COUNT };

#define FIELD_INIT(name, value) {CMW_STR_INIT(name), CMW_STR_INIT(value)},
static const cmw_header fields[FIELD_COUNT] = {FIELD_LIST(FIELD_INIT)};

static struct life with_fields, empty;
static cmw_header_id ids[FIELD_COUNT];
static cmw_str values[FIELD_COUNT];

/* ---- Read out --------------------------------------------------------------------------- */

static inline void read_bytes(struct life *life, cmw_ctx *ctx)
{
    size_t len;

    if (cmw_response_write_head(cmw_ctx_response(ctx), &len, life->buffer, sizeof life->buffer,
                                CMW_READ_FIELDS) != 0)
        bench_die("the head has no room", NULL);
    bench_touch(life->buffer);
}

static inline void read_slices(struct life *life, cmw_ctx *ctx)
{
    size_t count;

    if (cmw_response_head_slices(cmw_ctx_response(ctx), &count, life->slices, LEN(life->slices),
                                 NULL, CMW_READ_FIELDS) != 0)
        bench_die("the slices have no room", NULL);
    bench_touch(life->slices);
}

static inline int set_fields(struct life *life, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);
    int failed = cmw_response_set_status(response, 200);

    (void)life;
    for (size_t i = 0; i < FIELD_COUNT; i++)
        failed |= cmw_response_set(response, ids[i], values[i]);
    return failed;
}

static void run_bytes(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, life_handle_empty, read_bytes)
}

static void run_slices(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, life_handle_empty, read_slices)
}

static void run_set(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, set_fields, life_read_nothing)
}

/* A response with a field of its own, beside which the constants stand. */
static inline int handle_tagged(struct life *life, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);
    int failed = cmw_response_set_status(response, 200);

    (void)life;
    failed |= cmw_response_set(response, CMW_HDR_ETAG, CMW_STR("\"33a64df5\""));
    return failed;
}

static void run_beside(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, handle_tagged, read_bytes)
}

static void run_tagged(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, handle_tagged, life_read_nothing)
}

/* ---- Floors ----------------------------------------------------------------------------- */

struct block {
    size_t len;
    char bytes[2048];
    _Alignas(64) char to[2048]; /* as life.buffer */
};

static struct block block;

static void run_copy(void *state, uint64_t iterations)
{
    struct block *copied = state;

    for (uint64_t left = iterations; left > 0; left--) {
        floor_copy(copied->to, copied->bytes, copied->len);
        bench_touch(copied->to);
    }
}

static void run_append(void *state, uint64_t iterations)
{
    struct block *built = state;

    for (uint64_t left = iterations; left > 0; left--) {
        char *to = built->to;

        if (!floor_append_fields(&to, built->to + sizeof built->to, values))
            bench_die("the floor has no room", NULL);
        bench_touch(built->to);
    }
}

static void run_loop(void *state, uint64_t iterations)
{
    for (uint64_t left = iterations; left > 0; left--)
        bench_touch(state);
}

/* ---- Rows ------------------------------------------------------------------------------- */

static void fill(cmw_chain *chain)
{
    for (size_t i = 0; i < MIDDLEWARE_COUNT; i++) {
        const char name[] = {'f', (char)('a' + i), '\0'};
        cmw_middleware middleware;

        cmw_middleware_init(&middleware);
        middleware.name = name;
        middleware.fields = fields + i * FIELDS_EACH;
        middleware.field_count = FIELDS_EACH;
        life_add(chain, NULL, &middleware);
    }
}

static void open_row(struct sides *sides, life_fill_fn *fill_chain, bench_run_fn *run,
                     bench_run_fn *floor_run)
{
    char *to = block.bytes;

    for (size_t i = 0; i < FIELD_COUNT; i++) {
        ids[i] = cmw_header_id_find(fields[i].name);
        values[i] = fields[i].value;
    }
    if (!floor_append_fields(&to, block.bytes + sizeof block.bytes, values))
        bench_die("the floor has no room", NULL);
    block.len = (size_t)(to - block.bytes);
    life_open(&with_fields, fill_chain);
    life_open(&empty, NULL);
    sides->at[SIDE_SUBJECT] = (struct side){run, &with_fields};
    sides->at[SIDE_BASE] = (struct side){life_run_empty, &empty};
    if (floor_run) {
        sides->at[SIDE_FLOOR] = (struct side){floor_run, &block};
        sides->at[SIDE_FLOOR_BASE] = (struct side){run_loop, &block};
    }
}

static void open_const(struct sides *sides)
{
    open_row(sides, fill, run_bytes, run_copy);
}

static void open_beside(struct sides *sides)
{
    open_row(sides, fill, run_beside, run_copy);
    sides->at[SIDE_BASE].run = run_tagged;
}

static void open_iovec(struct sides *sides)
{
    open_row(sides, fill, run_slices, NULL);
}

static void open_set(struct sides *sides)
{
    open_row(sides, NULL, run_set, run_append);
}

static void close_row(void)
{
    life_close(&with_fields);
    life_close(&empty);
}

const struct row bench_header_rows[] = {
    {.name = "headers_12_const",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 150}},
     .open = open_const,
     .close = close_row},
    {.name = "headers_12_beside", .open = open_beside, .close = close_row},
    {.name = "headers_12_iovec",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 30}},
     .open = open_iovec,
     .close = close_row},
    {.name = "headers_12_set",
     .targets = {{.of = TARGET_RATIO, .max = 1.3}},
     .open = open_set,
     .close = close_row},
    {.name = NULL},
};
