/* SPDX-License-Identifier: MIT */
/* civetweb: as many threads as the clients of the measurement have connections. */
#include "servers.h"

#include <catzilla/adapter/civetweb.h>

static const char *const options[] = {"listening_ports",
                                      "127.0.0.1:0",
                                      "num_threads",
                                      "16",
                                      "enable_keep_alive",
                                      "yes",
                                      "keep_alive_timeout_ms",
                                      "10000",
                                      "tcp_nodelay",
                                      "1",
                                      NULL};

static int run(struct mg_context *context, const sigset_t *ending)
{
    struct mg_server_port port;
    int received;

    if (mg_get_server_ports(context, 1, &port) != 1)
        return CMW_ERR_IO;
    bench_say_port((unsigned)port.port);
    sigwait(ending, &received);
    return 0;
}

static int hello(struct mg_connection *connection)
{
    mg_send_http_ok(connection, HELLO_TYPE, sizeof HELLO - 1);
    mg_write(connection, HELLO, sizeof HELLO - 1);
    return 200;
}

static int serve_bare(const sigset_t *ending)
{
    const struct mg_callbacks callbacks = {.begin_request = hello};

    mg_init_library(MG_FEATURES_DEFAULT);
    struct mg_context *context = mg_start(&callbacks, NULL, (const char **)(uintptr_t)options);
    const int rc = context ? run(context, ending) : CMW_ERR_IO;
    mg_stop(context);
    mg_exit_library();
    return rc;
}

static int serve_plan(cmw_engine *engine, const sigset_t *ending)
{
    cmw_civetweb_config config;
    cmw_civetweb *server;

    mg_init_library(MG_FEATURES_DEFAULT);
    cmw_civetweb_config_init(&config);
    config.handler = bench_hello;
    config.options = options;
    int rc = cmw_civetweb_start(&server, engine, &config, NULL);
    if (rc == 0) {
        rc = run(cmw_civetweb_context(server), ending);
        cmw_civetweb_stop(server);
    }
    mg_exit_library();
    return rc;
}

int main(int argc, char **argv)
{
    static const struct bench_server server = {serve_bare, serve_plan};

    return bench_server_main(argc, argv, &server);
}
