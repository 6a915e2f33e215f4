/* SPDX-License-Identifier: MIT */
/*
 * A limit of 100 requests a minute by client address: sixteen clients that a cache holds, and a
 * million whose popularity falls as 1/rank, in a table of 32 MiB.
 *
 * The floor is what one would write into a server: the same hash, a table of 16-byte places in
 * buckets of four, GCRA, one compare-and-swap, both fields as bytes. It prefetches nothing.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

#include <catzilla/builtin/rate_limit.h>

#include "floor.h"
#include "life.h"

enum { HOT = 16, CLIENTS = 1000000, VISITS = 1 << 20, ENTRIES = 1 << 21 };

#define STEP_NS UINT64_C(100000000) /* between two requests: nobody comes to the limit */
#define INTERVAL_NS UINT64_C(600000000)
#define BURST UINT64_C(100)

static uint32_t *visits; /* addresses, one after the other */
static struct life limited, empty;
static uint64_t clocks[SIDE_COUNT];
static size_t visitor[SIDE_COUNT];

/* ---- Who comes -------------------------------------------------------------------------- */

static uint32_t scramble(uint32_t number)
{
    number = (number ^ number >> 16) * UINT32_C(0x7feb352d);
    number = (number ^ number >> 15) * UINT32_C(0x846ca68b);
    return number ^ number >> 16;
}

/* Rank r with a probability of 1 / (r * H): by the inverse of the continuous form. */
static uint32_t draw_rank(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    const double uniform = (double)(*seed >> 11) / 9007199254740992.0;
    return (uint32_t)exp(uniform * log((double)CLIENTS));
}

static void draw_visits(int is_zipf)
{
    uint64_t seed = 1;

    visits = malloc(VISITS * sizeof *visits);
    if (!visits)
        bench_die("no memory for the visits", NULL);
    for (uint32_t i = 0; i < VISITS; i++)
        visits[i] = scramble(is_zipf ? draw_rank(&seed) : i % HOT);
}

/* ---- With the engine -------------------------------------------------------------------- */

static inline void run_lives(struct life *life, enum side_id side, uint64_t iterations)
{
    for (uint64_t left = iterations; left > 0; left--) {
        cmw_ctx *ctx;
        memcpy(life->view.peer.bytes, &visits[visitor[side]++ % VISITS], 4);
        life->view.now_ns = clocks[side] += STEP_NS;
        if (cmw_ctx_begin(life->worker, &ctx, &life->view) != 0)
            bench_die("a request did not begin", NULL);
        if (cmw_ctx_run(ctx) != CMW_TO_HANDLER)
            bench_die("a request was refused", NULL);
        if (life_handle_empty(life, ctx) != 0)
            bench_die("a handler failed", NULL);
        cmw_ctx_commit(ctx);
        cmw_ctx_end(ctx, CMW_END_SENT);
    }
}

static void run_limited(void *state, uint64_t iterations)
{
    run_lives(state, SIDE_SUBJECT, iterations);
}

static void run_empty(void *state, uint64_t iterations)
{
    run_lives(state, SIDE_BASE, iterations);
}

/* ---- By hand ---------------------------------------------------------------------------- */

struct place {
    _Atomic uint64_t tag;
    _Atomic uint64_t tat;
};

struct floor {
    cmw_hash_key key;
    struct place *places;
    uint64_t mask; /* buckets - 1 */
    size_t bytes;
    char out[256];
};

static struct floor by_hand;

static struct place *floor_find(struct place *bucket, uint64_t tag, uint64_t now)
{
    struct place *oldest = bucket;

    for (size_t i = 0; i < 4; i++)
        if (atomic_load_explicit(&bucket[i].tag, memory_order_relaxed) == tag)
            return &bucket[i];
    for (size_t i = 1; i < 4; i++)
        if (atomic_load_explicit(&bucket[i].tat, memory_order_relaxed) <
            atomic_load_explicit(&oldest->tat, memory_order_relaxed))
            oldest = &bucket[i];
    if (atomic_load_explicit(&oldest->tat, memory_order_relaxed) > now)
        return NULL;
    atomic_store_explicit(&oldest->tag, tag, memory_order_relaxed);
    return oldest;
}

static char *put_number(char *to, uint64_t number)
{
    if (number >= 100)
        *to++ = (char)('0' + number / 100);
    if (number >= 10)
        *to++ = (char)('0' + number / 10 % 10);
    *to++ = (char)('0' + number % 10);
    return to;
}

static char *put_literal(char *to, const char *text, size_t len)
{
    memcpy(to, text, len);
    return to + len;
}

#define PUT(to, literal) put_literal((to), literal, sizeof literal - 1)

static __attribute__((noinline)) int floor_limit(struct floor *floor, const uint8_t *address,
                                                 uint64_t now)
{
    const uint64_t hash = cmw_hash_keyed(&floor->key, cmw_str_make((const char *)address, 4));
    struct place *place = floor_find(floor->places + 4 * (hash >> 24 & floor->mask), hash | 1, now);
    if (!place)
        return 0;
    uint64_t tat = atomic_load_explicit(&place->tat, memory_order_relaxed);
    uint64_t next;
    do {
        next = (tat > now ? tat : now) + INTERVAL_NS;
        if (next - now > BURST * INTERVAL_NS)
            return 0;
    } while (!atomic_compare_exchange_weak_explicit(&place->tat, &tat, next, memory_order_relaxed,
                                                    memory_order_relaxed));
    char *to = PUT(floor->out, "RateLimit: \"default\";r=");
    to = put_number(to, (BURST * INTERVAL_NS - (next - now)) / INTERVAL_NS);
    to = put_number(PUT(to, ";t="), (next - now + 999999999) / 1000000000);
    PUT(to, "\r\nRateLimit-Policy: \"default\";q=100;w=60\r\n");
    return 1;
}

static void run_floor(void *state, uint64_t iterations)
{
    struct floor *floor = state;

    for (uint64_t left = iterations; left > 0; left--) {
        uint8_t address[4];
        memcpy(address, &visits[visitor[SIDE_FLOOR]++ % VISITS], 4);
        if (!floor_limit(floor, address, clocks[SIDE_FLOOR] += STEP_NS))
            bench_die("the floor refused", NULL);
        bench_touch(floor->out);
    }
}

static void run_floor_base(void *state, uint64_t iterations)
{
    for (uint64_t left = iterations; left > 0; left--) {
        uint8_t address[4];
        memcpy(address, &visits[visitor[SIDE_FLOOR_BASE]++ % VISITS], 4);
        clocks[SIDE_FLOOR_BASE] += STEP_NS;
        bench_touch(address);
        bench_touch(state);
    }
}

/* ---- Rows ------------------------------------------------------------------------------- */

static int64_t entries;

static void fill(cmw_chain *chain)
{
    cmw_rate_limit_config config;
    cmw_diag diag = {0};

    cmw_rate_limit_config_init(&config);
    config.entries = entries;
    life_check(cmw_chain_use(chain, "rate_limit", &config, &diag), &diag);
}

static void open_floor(void)
{
    by_hand.mask = (uint64_t)entries / 4 - 1;
    by_hand.bytes = (size_t)entries * sizeof *by_hand.places;
    by_hand.places = aligned_alloc(64, by_hand.bytes);
    if (!by_hand.places)
        bench_die("no memory for the floor", NULL);
    memset(by_hand.places, 0, by_hand.bytes);
    life_check(cmw_hash_key_init(&by_hand.key), NULL);
}

static void open_row(struct sides *sides, int is_zipf)
{
    entries = is_zipf ? ENTRIES : 65536;
    draw_visits(is_zipf);
    for (size_t i = 0; i < SIDE_COUNT; i++) {
        clocks[i] = 1000000000;
        visitor[i] = 0;
    }
    life_open(&limited, fill);
    life_open(&empty, NULL);
    open_floor();
    sides->at[SIDE_SUBJECT] = (struct side){run_limited, &limited};
    sides->at[SIDE_BASE] = (struct side){run_empty, &empty};
    sides->at[SIDE_FLOOR] = (struct side){run_floor, &by_hand};
    sides->at[SIDE_FLOOR_BASE] = (struct side){run_floor_base, &by_hand};
    run_limited(&limited, is_zipf ? VISITS : HOT); /* everybody is known */
    run_floor(&by_hand, is_zipf ? VISITS : HOT);
}

static void open_hot(struct sides *sides)
{
    open_row(sides, 0);
}

static void open_zipf(struct sides *sides)
{
    open_row(sides, 1);
}

static void close_row(void)
{
    life_close(&limited);
    life_close(&empty);
    free(by_hand.places);
    free(visits);
}

const struct row bench_rate_limit_rows[] = {
    {.name = "rate_limit_hot",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 140}},
     .open = open_hot,
     .close = close_row},
    {.name = "rate_limit_zipf",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 160}, {.of = TARGET_RATIO, .max = 1.0}},
     .open = open_zipf,
     .close = close_row},
    {.name = NULL},
};
