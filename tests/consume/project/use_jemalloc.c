/* SPDX-License-Identifier: MIT */
/* The installed core on the installed jemalloc component. */
#include <catzilla/component/jemalloc.h>

#include "serve_once.h"

int main(void)
{
    cmw_engine_config config;

    cmw_engine_config_init(&config);
    config.allocator = cmw_allocator_jemalloc();
    return serve_once(&config);
}
