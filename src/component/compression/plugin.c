/* SPDX-License-Identifier: MIT */
/* The kinds of the component as a plugin, for servers that are configured. */
#include <catzilla/component/compression.h>
#include <catzilla/plugin.h>

CMW_API cmw_plugin_init_fn cmw_plugin_init;

int cmw_plugin_init(cmw_engine *engine, cmw_diag *diag)
{
    const int rc = cmw_kind_register(engine, cmw_compression_kind());

    (void)diag;
    return rc ? rc : cmw_kind_register(engine, cmw_decompression_kind());
}
