/* SPDX-License-Identifier: MIT */
#include "tool.h"

const cmw_allocator *tool_allocator(void)
{
    return cmw_allocator_system();
}
