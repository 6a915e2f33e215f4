/* SPDX-License-Identifier: MIT */
/*
 * Protocol: a structured dictionary of five members, and what built-ins make of fields.
 */
#include <catzilla/builtin/trace_context.h>

#include "life.h"

static struct life with_builtin, empty;

static void use(cmw_chain *chain, const char *kind, const void *config)
{
    cmw_diag diag = {0};
    life_check(cmw_chain_use(chain, kind, config, &diag), &diag);
}

/* A request of the browser's fields and `extra` ones, whose ids the host gives. */
enum { EXTRA_CAP = 4, FIELD_CAP = BROWSER_HEADER_COUNT + EXTRA_CAP };
static cmw_header fields[FIELD_CAP];
static uint8_t ids[16];
_Static_assert(FIELD_CAP <= sizeof ids, "one word of ids");

static void open_request(struct sides *sides, life_fill_fn *fill, const cmw_header *extra,
                         uint32_t count)
{
    life_open(&with_builtin, fill);
    life_open(&empty, NULL);
    memcpy(fields, browser_headers, sizeof browser_headers);
    for (uint32_t i = 0; i < count; i++)
        fields[BROWSER_HEADER_COUNT + i] = extra[i];
    for (uint32_t i = 0; i < BROWSER_HEADER_COUNT + count; i++)
        ids[i] = (uint8_t)cmw_header_id_find(fields[i].name);
    with_builtin.view.headers = empty.view.headers = fields;
    with_builtin.view.header_ids = empty.view.header_ids = ids;
    with_builtin.view.header_count = empty.view.header_count = BROWSER_HEADER_COUNT + count;
    sides->at[SIDE_SUBJECT] = (struct side){life_run_empty, &with_builtin};
    sides->at[SIDE_BASE] = (struct side){life_run_empty, &empty};
}

static void close_request(void)
{
    life_close(&with_builtin);
    life_close(&empty);
}

/* ---- Structured fields ------------------------------------------------------------------ */

static const cmw_str dictionary = CMW_STR_INIT("u=1, i, a=5, b=?1, c=abc");

static void run_dictionary(void *state, uint64_t iterations)
{
    const cmw_str *const field = state;

    for (uint64_t left = iterations; left > 0; left--) {
        cmw_sf_reader reader;
        cmw_sf_value value;
        cmw_str key;
        int count = 0;

        bench_touch(field);
        cmw_sf_reader_init(&reader, *field);
        while (cmw_sf_next_member(&reader, &key, &value) > 0) {
            bench_touch(&key);
            bench_touch(&value);
            count++;
        }
        if (count != 5)
            bench_die("the dictionary has five members", NULL);
    }
}

static void run_touch(void *state, uint64_t iterations)
{
    for (uint64_t left = iterations; left > 0; left--)
        bench_touch(state);
}

static void open_dictionary(struct sides *sides)
{
    static cmw_str field;

    field = dictionary;
    sides->at[SIDE_SUBJECT] = (struct side){run_dictionary, &field};
    sides->at[SIDE_BASE] = (struct side){run_touch, &field};
}

static void close_nothing(void)
{
}

/* ---- Traces ----------------------------------------------------------------------------- */

static const cmw_header trace[] = {
    {CMW_STR_INIT("traceparent"),
     CMW_STR_INIT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")},
    {CMW_STR_INIT("tracestate"), CMW_STR_INIT("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7")},
};

static void fill_trace(cmw_chain *chain)
{
    use(chain, "trace_context", NULL);
}

static void open_trace(struct sides *sides)
{
    open_request(sides, fill_trace, trace, 1);
}

static void open_trace_state(struct sides *sides)
{
    open_request(sides, fill_trace, trace, 2);
}

const struct row bench_protocol_rows[] = {
    {.name = "structured_dictionary_5",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 600}},
     .open = open_dictionary,
     .close = close_nothing},
    {.name = "trace_context",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 250}},
     .open = open_trace,
     .close = close_request},
    {.name = "trace_context_state", .open = open_trace_state, .close = close_request},
    {.name = NULL},
};
