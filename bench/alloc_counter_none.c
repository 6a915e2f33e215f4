/* SPDX-License-Identifier: MIT */
#include <stdlib.h>

#include "bench.h"

int bench_counts_allocs(void)
{
    return 0;
}

uint64_t bench_alloc_calls(void)
{
    return 0;
}

bench_malloc_fn *bench_real_malloc(void)
{
    return malloc;
}

bench_free_fn *bench_real_free(void)
{
    return free;
}
