/* SPDX-License-Identifier: MIT */
/*
 * The life of a request, and what each callback adds to it.
 */
#include "life.h"
#include "noop.h"

static struct life with_chain, empty;

/* ---- Floors ----------------------------------------------------------------------------- */

#define FLOOR_RUN(name)                                                                            \
    static void run_##name(void *state, uint64_t iterations)                                       \
    {                                                                                              \
        int verdicts = 0;                                                                          \
                                                                                                   \
        for (uint64_t left = iterations; left > 0; left--)                                         \
            verdicts |= name(state, NULL);                                                         \
        if (verdicts != CMW_CONTINUE)                                                              \
            bench_die("a floor stopped", NULL);                                                    \
    }
FLOOR_RUN(floor_noop_0)
FLOOR_RUN(floor_noop_3)
FLOOR_RUN(floor_noop_8)
FLOOR_RUN(floor_noop_16)
FLOOR_RUN(floor_noop_3_both)

/* ---- Chains ----------------------------------------------------------------------------- */

static void add_noops(cmw_chain *chain, size_t count, int in_post_too)
{
    for (size_t i = 0; i < count; i++) {
        const char name[] = {'n', (char)('a' + i), '\0'};
        cmw_middleware middleware;

        cmw_middleware_init(&middleware);
        middleware.name = name;
        middleware.pre_route = noops[i];
        middleware.post_route = in_post_too ? noops[i] : NULL;
        life_add(chain, NULL, &middleware);
    }
}

static void fill_3(cmw_chain *chain)
{
    add_noops(chain, 3, 0);
}

static void fill_8(cmw_chain *chain)
{
    add_noops(chain, 8, 0);
}

static void fill_16(cmw_chain *chain)
{
    add_noops(chain, 16, 0);
}

static void fill_3_both(cmw_chain *chain)
{
    add_noops(chain, 3, 1);
}

/* ---- Rows ------------------------------------------------------------------------------- */

static void open_empty(struct sides *sides)
{
    life_open(&empty, NULL);
    sides->at[SIDE_SUBJECT] = (struct side){life_run_empty, &empty};
}

static void close_empty(void)
{
    life_close(&empty);
}

static void open_chain(struct sides *sides, life_fill_fn *fill, bench_run_fn *floor_run)
{
    life_open(&with_chain, fill);
    life_open(&empty, NULL);
    sides->at[SIDE_SUBJECT] = (struct side){life_run_empty, &with_chain};
    sides->at[SIDE_BASE] = (struct side){life_run_empty, &empty};
    sides->at[SIDE_FLOOR] = (struct side){floor_run, NULL};
    sides->at[SIDE_FLOOR_BASE] = (struct side){run_floor_noop_0, NULL};
}

static void close_chain(void)
{
    life_close(&with_chain);
    life_close(&empty);
}

static void open_3(struct sides *sides)
{
    open_chain(sides, fill_3, run_floor_noop_3);
}

static void open_8(struct sides *sides)
{
    open_chain(sides, fill_8, run_floor_noop_8);
}

static void open_16(struct sides *sides)
{
    open_chain(sides, fill_16, run_floor_noop_16);
}

static void open_3_both(struct sides *sides)
{
    open_chain(sides, fill_3_both, run_floor_noop_3_both);
}

const struct row bench_dispatch_rows[] = {
    {.name = "life_empty",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 150}},
     .open = open_empty,
     .close = close_empty},
    {.name = "noop_3",
     .targets = {{.of = TARGET_RATIO, .max = 1.45}},
     .open = open_3,
     .close = close_chain},
    {.name = "noop_8",
     .targets = {{.of = TARGET_RATIO, .max = 1.45},
                 {.of = TARGET_STEP, .max = 12, .from = "noop_3", .step_count = 5}},
     .open = open_8,
     .close = close_chain},
    {.name = "noop_16",
     .targets = {{.of = TARGET_RATIO, .max = 1.45},
                 {.of = TARGET_STEP, .max = 12, .from = "noop_8", .step_count = 8}},
     .open = open_16,
     .close = close_chain},
    {.name = "noop_3_both",
     .targets = {{.of = TARGET_RATIO, .max = 1.45}},
     .open = open_3_both,
     .close = close_chain},
    {.name = NULL},
};
