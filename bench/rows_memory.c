/* SPDX-License-Identifier: MIT */
/*
 * The pieces of memory that a request takes: from its arena, and from malloc.
 *
 * 512 bytes, twelve names and twelve values, 1 KiB. Each piece is written to once; nothing is
 * copied, so that the row compares allocators and not memcpy. Both sides are net of the same walk
 * over the sizes and a piece that is there already.
 */
#include "life.h"

enum { PIECE_COUNT = 2 + 2 * BROWSER_HEADER_COUNT };

struct pieces {
    size_t bytes[PIECE_COUNT];
    bench_malloc_fn *malloc_fn;
    bench_free_fn *free_fn;
};

static struct life with_pieces, empty;
static struct pieces pieces;

static inline int take_pieces(struct life *life, cmw_ctx *ctx)
{
    cmw_arena *arena = cmw_ctx_arena(ctx);

    for (size_t i = 0; i < PIECE_COUNT; i++) {
        char *piece = cmw_arena_alloc(arena, pieces.bytes[i]);
        if (!piece)
            return 1;
        *piece = 1;
        bench_touch(piece);
    }
    return life_handle_empty(life, ctx);
}

/* Reads a size, as a call that passes it on does. */
static inline void touch_size(size_t bytes)
{
    bench_touch((const void *)(uintptr_t)bytes);
}

static inline int walk_pieces(struct life *life, cmw_ctx *ctx)
{
    for (size_t i = 0; i < PIECE_COUNT; i++) {
        touch_size(pieces.bytes[i]);
        life->buffer[0] = 1;
        bench_touch(life->buffer);
    }
    return life_handle_empty(life, ctx);
}

static void run_walk(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, walk_pieces, life_read_nothing)
}

static void run_arena(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, take_pieces, life_read_nothing)
}

static void run_malloc(void *state, uint64_t iterations)
{
    const struct pieces *sizes = state;
    char *taken[PIECE_COUNT];

    for (uint64_t left = iterations; left > 0; left--) {
        for (size_t i = 0; i < PIECE_COUNT; i++) {
            taken[i] = sizes->malloc_fn(sizes->bytes[i]);
            if (!taken[i])
                bench_die("no memory", NULL);
            *taken[i] = 1;
            bench_touch(taken[i]);
        }
        for (size_t i = 0; i < PIECE_COUNT; i++)
            sizes->free_fn(taken[i]);
    }
}

/* Both loops of run_malloc without its calls. */
static void run_walk_floor(void *state, uint64_t iterations)
{
    const struct pieces *sizes = state;
    static char piece[16];
    char *taken[PIECE_COUNT];

    for (uint64_t left = iterations; left > 0; left--) {
        for (size_t i = 0; i < PIECE_COUNT; i++) {
            touch_size(sizes->bytes[i]);
            taken[i] = piece;
            *taken[i] = 1;
            bench_touch(taken[i]);
        }
        for (size_t i = 0; i < PIECE_COUNT; i++)
            bench_touch(taken[i]);
    }
}

static void open_row(struct sides *sides)
{
    size_t count = 0;

    pieces.bytes[count++] = 512;
    for (size_t i = 0; i < BROWSER_HEADER_COUNT; i++) {
        pieces.bytes[count++] = browser_headers[i].name.len + 1;
        pieces.bytes[count++] = browser_headers[i].value.len + 1;
    }
    pieces.bytes[count] = 1024;
    pieces.malloc_fn = bench_real_malloc();
    pieces.free_fn = bench_real_free();

    life_open(&with_pieces, NULL);
    life_open(&empty, NULL);
    sides->at[SIDE_SUBJECT] = (struct side){run_arena, &with_pieces};
    sides->at[SIDE_BASE] = (struct side){run_walk, &empty};
    sides->at[SIDE_FLOOR] = (struct side){run_malloc, &pieces};
    sides->at[SIDE_FLOOR_BASE] = (struct side){run_walk_floor, &pieces};
}

static void close_row(void)
{
    life_close(&with_pieces);
    life_close(&empty);
}

const struct row bench_memory_rows[] = {
    {.name = "arena_26",
     .targets = {{.of = TARGET_RATIO, .max = 0.1}},
     .open = open_row,
     .close = close_row},
    {.name = NULL},
};
