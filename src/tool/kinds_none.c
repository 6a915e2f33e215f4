/* SPDX-License-Identifier: MIT */
/* Built without components that have kinds. */
#include "tool.h"

int tool_register_kinds(cmw_engine *engine)
{
    (void)engine;
    return 0;
}
