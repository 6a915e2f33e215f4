/* SPDX-License-Identifier: MIT */
/* civetweb for the conformance suite: its pool of threads. */
#include <catzilla/adapter/civetweb.h>

#include <stdio.h>

#include "conformance.h"

#define LEN(array) (sizeof(array) / sizeof *(array))

/* Threads that get no worker, when the suite asks for overload. */
enum { TAKEN = 8 };

static int run_server(struct conformance_run *run)
{
    char idle_ms[16];
    const char *const options[] = {"listening_ports",
                                   "127.0.0.1:0",
                                   "num_threads",
                                   "31",
                                   "enable_keep_alive",
                                   "yes",
                                   "keep_alive_timeout_ms",
                                   idle_ms,
                                   "request_timeout_ms",
                                   idle_ms,
                                   "max_request_size",
                                   "65536",
                                   "tcp_nodelay",
                                   "1",
                                   NULL};
    struct mg_server_port ports[1];
    cmw_civetweb_config config;
    cmw_civetweb *server;
    cmw_diag diag = {0};
    int received;

    (void)snprintf(idle_ms, sizeof idle_ms, "%u", run->idle_s * 1000);
    cmw_civetweb_config_init(&config);
    config.handler = run->handler;
    config.handler_self = run->self;
    config.options = options;
    config.drain_bytes = CONFORMANCE_DRAIN_BYTES;
    if (cmw_civetweb_start(&server, run->engine, &config, &diag) != 0) {
        fprintf(stderr, "%s\n", diag.message);
        return 1;
    }
    if (mg_get_server_ports(cmw_civetweb_context(server), 1, ports) == 1)
        conformance_say_port((unsigned)ports[0].port);
    sigwait(&run->ending, &received);
    cmw_civetweb_stop(server);
    return 0;
}

static int serve(struct conformance_run *run)
{
    cmw_worker *taken[TAKEN];

    mg_init_library(MG_FEATURES_DEFAULT);
    for (size_t i = 0; run->is_overload && i < LEN(taken); i++)
        if (cmw_engine_take_worker(run->engine, &taken[i], NULL, NULL) != 0)
            return 1;
    const int rc = run_server(run);
    for (size_t i = 0; run->is_overload && i < LEN(taken); i++)
        cmw_engine_put_worker(run->engine, taken[i]);
    mg_exit_library();
    return rc;
}

static int owns_context(cmw_ctx *ctx)
{
    return cmw_civetweb_connection(ctx) != NULL;
}

int main(int argc, char **argv)
{
    static const char *const traits[] = {"refuses_tabs", "unsure_of_sent", NULL};
    const struct conformance_server server = {.name = "civetweb",
                                              .host = cmw_civetweb_host(),
                                              .traits = traits,
                                              .owns_context = owns_context,
                                              .serve = serve};

    return conformance_main(argc, argv, &server);
}
