/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <valgrind/callgrind.h>

#include "bench.h"
#include "counted.h"

static void run_side(const struct row *row, int id, const struct side *side)
{
    char tag[96];

    snprintf(tag, sizeof tag, COUNTED_TAG, row->name, id);
    side->run(side->state, COUNTED_ITERATIONS); /* not counted: makes it warm */
    CALLGRIND_START_INSTRUMENTATION;
    CALLGRIND_ZERO_STATS;
    side->run(side->state, COUNTED_ITERATIONS);
    CALLGRIND_DUMP_STATS_AT(tag);
    CALLGRIND_STOP_INSTRUMENTATION;
}

void bench_run_counted(const struct row *row, const struct sides *sides)
{
    for (int i = 0; i < SIDE_COUNT; i++)
        if (sides->at[i].run)
            run_side(row, i, &sides->at[i]);
}
