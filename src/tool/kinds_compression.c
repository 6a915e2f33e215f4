/* SPDX-License-Identifier: MIT */
/* Built with the compression component: its kinds can be used in files. */
#include "tool.h"

#include <catzilla/component/compression.h>

int tool_register_kinds(cmw_engine *engine)
{
    const int rc = cmw_kind_register(engine, cmw_compression_kind());

    return rc ? rc : cmw_kind_register(engine, cmw_decompression_kind());
}
