/* SPDX-License-Identifier: MIT */
/* civetweb, with a pool of threads, each of which has one connection at a time. */
#include "server.h"

#include "address.h"

#include <catzilla/adapter/civetweb.h>

#include <stdio.h>

enum { DEFAULT_THREADS = 32, NUMBER_CAP = 16 };

static int start_at(cmw_civetweb **server, const struct server_config *config, cmw_diag *diag)
{
    char where[ADDRESS_PORT_CAP], threads[NUMBER_CAP], idle_ms[NUMBER_CAP], head[NUMBER_CAP];
    const char *const options[] = {"listening_ports",
                                   where,
                                   "num_threads",
                                   threads,
                                   "enable_keep_alive",
                                   "yes",
                                   "keep_alive_timeout_ms",
                                   idle_ms,
                                   "request_timeout_ms",
                                   idle_ms,
                                   "max_request_size",
                                   head,
                                   "tcp_nodelay",
                                   "1",
                                   NULL};
    cmw_civetweb_config civetweb;

    address_format(&config->address, where);
    (void)snprintf(threads, sizeof threads, "%u", config->threads);
    (void)snprintf(idle_ms, sizeof idle_ms, "%d", SERVER_IDLE_SECONDS * 1000);
    (void)snprintf(head, sizeof head, "%d", SERVER_HEAD_BYTES);
    cmw_civetweb_config_init(&civetweb);
    civetweb.handler = config->handler;
    civetweb.handler_self = config->self;
    civetweb.options = options;
    return cmw_civetweb_start(server, config->engine, &civetweb, diag);
}

static int start(void **object, struct server_config *config, cmw_diag *diag)
{
    struct mg_server_port port;
    cmw_civetweb *server;

    mg_init_library(MG_FEATURES_DEFAULT);
    const int rc = start_at(&server, config, diag);
    if (rc != 0) {
        mg_exit_library();
        return rc;
    }
    if (mg_get_server_ports(cmw_civetweb_context(server), 1, &port) == 1)
        config->address.port = (uint16_t)port.port;
    *object = server;
    return 0;
}

/* civetweb listens until it is stopped. */
static void quiesce(void *object)
{
    cmw_civetweb_quiesce(object);
}

static void stop(void *object)
{
    cmw_civetweb_stop(object);
    mg_exit_library();
}

const struct server server_civetweb = {"civetweb", DEFAULT_THREADS, start, quiesce, stop};
