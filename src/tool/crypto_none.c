/* SPDX-License-Identifier: MIT */
#include "tool.h"

int tool_install_crypto(cmw_engine *engine)
{
    (void)engine;
    return 0;
}
