/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include <catzilla/component/jemalloc.h>

const cmw_allocator *tool_allocator(void)
{
    return cmw_allocator_jemalloc();
}
