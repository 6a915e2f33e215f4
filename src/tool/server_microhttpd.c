/* SPDX-License-Identifier: MIT */
/* libmicrohttpd, with epoll in one thread or in a pool of them. */
#include "server.h"

#include <catzilla/adapter/microhttpd.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct daemon {
    cmw_mhd *mhd;
    struct MHD_Daemon *daemon;
    MHD_socket listening; /* ours to close once quiesced */
};

union socket_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static void fill_address(union socket_address *to, const cmw_address *from)
{
    memset(to, 0, sizeof *to);
    if (from->family == CMW_ADDRESS_V6) {
        to->v6.sin6_family = AF_INET6;
        to->v6.sin6_port = htons(from->port);
        memcpy(&to->v6.sin6_addr, from->bytes, 16);
    } else {
        to->v4.sin_family = AF_INET;
        to->v4.sin_port = htons(from->port);
        memcpy(&to->v4.sin_addr, from->bytes, 4);
    }
}

static struct MHD_Daemon *listen_on(cmw_mhd *mhd, const struct server_config *config)
{
    const int is_v6 = config->address.family == CMW_ADDRESS_V6;
    const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC | MHD_ALLOW_SUSPEND_RESUME |
                           (is_v6 ? (unsigned)MHD_USE_IPv6 : 0u);
    struct MHD_OptionItem pool[] = {{MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)config->threads, NULL},
                                    {MHD_OPTION_END, 0, NULL}};
    union socket_address address;

    if (config->threads < 2) /* a pool of one is refused */
        pool[0].option = MHD_OPTION_END;
    fill_address(&address, &config->address);
    return MHD_start_daemon(
        flags, config->address.port, NULL, NULL, cmw_mhd_on_request, mhd, MHD_OPTION_SOCK_ADDR,
        &address.any, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)SERVER_IDLE_SECONDS,
        MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)SERVER_HEAD_BYTES, MHD_OPTION_STRICT_FOR_CLIENT,
        1, MHD_OPTION_ARRAY, pool, MHD_OPTION_ARRAY, cmw_mhd_options(mhd), MHD_OPTION_END);
}

static int start(void **object, struct server_config *config, cmw_diag *diag)
{
    /* The adapter does so, too, but does not say why not. */
    int rc = cmw_engine_attach_host(config->engine, cmw_mhd_host(), diag);
    if (rc != 0)
        return rc;
    struct daemon *const server = malloc(sizeof *server);
    if (!server)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "no memory for the server");
    rc = cmw_mhd_create(&server->mhd, config->engine, config->handler, config->self, NULL);
    if (rc != 0) {
        free(server);
        return cmw_diag_set(diag, rc, "cannot serve: %s", cmw_error_text(rc));
    }
    server->listening = MHD_INVALID_SOCKET;
    server->daemon = listen_on(server->mhd, config);
    if (!server->daemon) {
        cmw_mhd_destroy(server->mhd);
        free(server);
        return cmw_diag_set(diag, CMW_ERR_IO, "cannot listen");
    }
    config->address.port = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_BIND_PORT)->port;
    *object = server;
    return 0;
}

static void quiesce(void *object)
{
    struct daemon *const server = object;

    server->listening = MHD_quiesce_daemon(server->daemon);
    if (server->listening != MHD_INVALID_SOCKET)      /* closed only once no thread knows it */
        (void)shutdown(server->listening, SHUT_RDWR); /* until then, clients are refused */
}

static void stop(void *object)
{
    struct daemon *const server = object;

    cmw_mhd_give_up_waiting(server->mhd);
    MHD_stop_daemon(server->daemon);
    if (server->listening != MHD_INVALID_SOCKET)
        (void)close(server->listening); /* nothing is lost that could be reported */
    cmw_mhd_destroy(server->mhd);
    free(server);
}

const struct server server_microhttpd = {"microhttpd", 1, start, quiesce, stop};
