/* SPDX-License-Identifier: MIT */
/* The server of the examples, and the adapter that docs/adapters.md goes through, for the suite. */
#include "own_adapter.h"

#include <stdio.h>

#include "conformance.h"

static int serve(struct conformance_run *run)
{
    static struct http_server server;
    static struct own_adapter adapter;
    uint16_t port = 0;
    int received;

    server.idle_s = run->idle_s;
    if (own_adapter_init(&adapter, &server, run->engine, run->handler, run->self) != 0)
        return 1;
    adapter.drain_bytes = CONFORMANCE_DRAIN_BYTES;
    const int rc = http_start(&server, &port) != 0;
    if (rc == 0) {
        conformance_say_port(port);
        sigwait(&run->ending, &received);
        http_stop(&server);
    }
    own_adapter_deinit(&adapter);
    return rc;
}

static int owns_context(cmw_ctx *ctx)
{
    return own_adapter_conn(ctx) != NULL;
}

int main(int argc, char **argv)
{
    static const char *const traits[] = {"reads_blanks_around_lengths", "reads_tabs_around_lengths",
                                         "reads_lines_strictly", NULL};
    const struct conformance_server server = {.name = "own_http",
                                              .host = own_adapter_host(),
                                              .traits = traits,
                                              .owns_context = owns_context,
                                              .serve = serve};

    return conformance_main(argc, argv, &server);
}
