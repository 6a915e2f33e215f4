/* SPDX-License-Identifier: MIT */
#include "life.h"

const cmw_allocator *bench_allocator(void)
{
    return cmw_allocator_system();
}
