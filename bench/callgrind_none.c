/* SPDX-License-Identifier: MIT */
#include "bench.h"

void bench_run_counted(const struct row *row, const struct sides *sides)
{
    (void)row;
    (void)sides;
    bench_die("this build has no valgrind/callgrind.h", NULL);
}
