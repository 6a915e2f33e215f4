/* SPDX-License-Identifier: MIT */
#include "serve.h"

#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* How long open connections may take to finish, once no new one is taken. */
enum { GRACE_STEPS = 100, GRACE_STEP_NS = 10000000 };

static struct MHD_Daemon *listen_on(uint16_t port, cmw_mhd *mhd)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

    return MHD_start_daemon(MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC, port, NULL, NULL,
                            cmw_mhd_on_request, mhd, MHD_OPTION_SOCK_ADDR, &address,
                            MHD_OPTION_CONNECTION_TIMEOUT, 30u, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                            MHD_OPTION_ARRAY, cmw_mhd_options(mhd), MHD_OPTION_END);
}

/* Signals are blocked before there are threads: only sigwait takes them. */
static void block_ending_signals(sigset_t *ending)
{
    sigemptyset(ending);
    sigaddset(ending, SIGINT);
    sigaddset(ending, SIGTERM);
    pthread_sigmask(SIG_BLOCK, ending, NULL);
}

static unsigned open_connections(struct MHD_Daemon *daemon)
{
    return MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

static void stop_gracefully(struct MHD_Daemon *daemon)
{
    const struct timespec step = {0, GRACE_STEP_NS};
    const MHD_socket listening = MHD_quiesce_daemon(daemon);

    for (int i = 0; i < GRACE_STEPS && open_connections(daemon) > 0; i++)
        nanosleep(&step, NULL);
    MHD_stop_daemon(daemon);
    if (listening != MHD_INVALID_SOCKET)
        close(listening);
}

int serve(cmw_engine *engine, cmw_mhd_handler_fn *handler, void *self, uint16_t port)
{
    sigset_t ending;
    cmw_mhd *mhd;
    int received;

    block_ending_signals(&ending);
    const int rc = cmw_mhd_create(&mhd, engine, handler, self, NULL);
    if (rc != 0)
        return report("serve", rc, NULL);
    struct MHD_Daemon *daemon = listen_on(port, mhd);
    if (!daemon) {
        fprintf(stderr, "serve: cannot listen on port %u\n", port);
        cmw_mhd_destroy(mhd);
        return 1;
    }
    printf("listening on http://127.0.0.1:%u\n",
           MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    fflush(stdout);
    sigwait(&ending, &received);
    stop_gracefully(daemon);
    cmw_mhd_destroy(mhd);
    return 0;
}

int report(const char *program, int rc, const cmw_diag *diag)
{
    fprintf(stderr, "%s: %s\n", program, diag && diag->code ? diag->message : cmw_error_text(rc));
    return 1;
}

uint16_t port_argument(int argc, char **argv)
{
    const char *number = argc > 1 ? argv[argc - 1] : "0";
    const long port = strtol(number, NULL, 10);

    return port > 0 && port <= UINT16_MAX ? (uint16_t)port : 0;
}
