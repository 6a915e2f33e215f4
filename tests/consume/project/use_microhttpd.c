/* SPDX-License-Identifier: MIT */
/* The installed adapter links and loads; what it does is the conformance suite's matter. */
#include <catzilla/adapter/microhttpd.h>

#include "serve_once.h"

int main(void)
{
    cmw_mhd_destroy(NULL);
    return serve_once(NULL);
}
