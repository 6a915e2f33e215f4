/* SPDX-License-Identifier: MIT */
/*
 * Five of the twelve request fields by id: four that are there and one that is not.
 */
#include "life.h"

static struct life looked_up, empty;

static inline int look_up(struct life *life, cmw_ctx *ctx)
{
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_header *const host = cmw_request_header(request, CMW_HDR_HOST);
    const cmw_header *const agent = cmw_request_header(request, CMW_HDR_USER_AGENT);
    const cmw_header *const encoding = cmw_request_header(request, CMW_HDR_ACCEPT_ENCODING);
    const cmw_header *const cookie = cmw_request_header(request, CMW_HDR_COOKIE);
    const cmw_header *const authorization = cmw_request_header(request, CMW_HDR_AUTHORIZATION);

    if (!host || !agent || !encoding || !cookie || authorization)
        return 1;
    return life_handle_empty(life, ctx);
}

static void run_look_up(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, look_up, life_read_nothing)
}

static void open_raw(struct sides *sides)
{
    life_open(&looked_up, NULL);
    life_open(&empty, NULL);
    sides->at[SIDE_SUBJECT] = (struct side){run_look_up, &looked_up};
    sides->at[SIDE_BASE] = (struct side){life_run_empty, &empty};
}

static void open_ids(struct sides *sides)
{
    open_raw(sides);
    looked_up.view.header_ids = looked_up.ids;
}

static void close_row(void)
{
    life_close(&looked_up);
    life_close(&empty);
}

const struct row bench_lookup_rows[] = {
    {.name = "lookup_5_ids",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 80}},
     .open = open_ids,
     .close = close_row},
    {.name = "lookup_5_raw",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 370}},
     .open = open_raw,
     .close = close_row},
    {.name = NULL},
};
