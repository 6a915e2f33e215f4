/* SPDX-License-Identifier: MIT */
#include "tool.h"

#include <catzilla/component/crypto.h>

int tool_install_crypto(cmw_engine *engine)
{
    return cmw_crypto_install(engine);
}
