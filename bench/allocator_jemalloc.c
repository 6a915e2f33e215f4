/* SPDX-License-Identifier: MIT */
#include <catzilla/component/jemalloc.h>

#include "life.h"

const cmw_allocator *bench_allocator(void)
{
    return cmw_allocator_jemalloc();
}
