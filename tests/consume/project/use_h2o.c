/* SPDX-License-Identifier: MIT */
/* The installed adapter links and loads; what it does is the conformance suite's matter. */
#include <catzilla/adapter/h2o.h>

#include "serve_once.h"

int main(void)
{
    const cmw_host *host = cmw_h2o_host();

    if (host->size != sizeof *host)
        return 1;
    return serve_once(NULL);
}
