/* SPDX-License-Identifier: MIT */
/*
 * Protocol: a structured dictionary of five members.
 */
#include "life.h"

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

const struct row bench_protocol_rows[] = {
    {.name = "structured_dictionary_5",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 600}},
     .open = open_dictionary,
     .close = close_nothing},
    {.name = NULL},
};
