/* SPDX-License-Identifier: MIT */
/* A whole server in one call: listen, wait for a signal, drain. */
#include <catzilla/adapter/microhttpd.h>

#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* How long open connections may take to finish, once no new one is taken. */
enum { GRACE_STEPS = 100, GRACE_STEP_NS = 10000000 };

/* Between two polls of the engine. */
enum { POLL_NS = 100000000 };

union listen_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* ---- The address ------------------------------------------------------------------------ */

static int read_port(cmw_str text, uint16_t *port)
{
    unsigned value = 0;

    if (text.len == 0 || text.len > 5)
        return CMW_ERR_ARG;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return CMW_ERR_ARG;
        value = value * 10 + (unsigned)(text.data[i] - '0');
    }
    if (value > UINT16_MAX)
        return CMW_ERR_ARG;
    *port = (uint16_t)value;
    return 0;
}

/* "HOST:PORT", an IPv6 host in brackets. */
static int read_address(const char *text, cmw_str *host, cmw_address *address)
{
    const char *colon = text ? strrchr(text, ':') : NULL;
    uint16_t port;

    if (!colon || read_port(cmw_str_cstr(colon + 1), &port) != 0)
        return CMW_ERR_ARG;
    *host = cmw_str_make(text, (size_t)(colon - text));
    const int has_brackets = host->len > 2 && text[0] == '[' && host->data[host->len - 1] == ']';
    const cmw_str inner = has_brackets ? cmw_str_make(text + 1, host->len - 2) : *host;
    if (cmw_address_parse(address, inner) != 0 ||
        has_brackets != (address->family == CMW_ADDRESS_V6))
        return CMW_ERR_ARG;
    address->port = port;
    return 0;
}

static void fill_address(union listen_address *to, const cmw_address *from)
{
    memset(to, 0, sizeof *to);
    if (from->family == CMW_ADDRESS_V6) {
        to->v6.sin6_family = AF_INET6;
        to->v6.sin6_port = htons(from->port);
        memcpy(&to->v6.sin6_addr, from->bytes, 16);
        return;
    }
    to->v4.sin_family = AF_INET;
    to->v4.sin_port = htons(from->port);
    memcpy(&to->v4.sin_addr, from->bytes, 4);
}

/* ---- The daemon ------------------------------------------------------------------------- */

static struct MHD_Daemon *start(cmw_mhd *mhd, const cmw_address *address)
{
    const unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME |
                           (address->family == CMW_ADDRESS_V6 ? (unsigned)MHD_USE_IPv6 : 0u);
    union listen_address socket_address;

    fill_address(&socket_address, address);
    return MHD_start_daemon(flags, address->port, NULL, NULL, cmw_mhd_on_request, mhd,
                            MHD_OPTION_SOCK_ADDR, &socket_address.any,
                            MHD_OPTION_CONNECTION_TIMEOUT, 30u, MHD_OPTION_STRICT_FOR_CLIENT, 1,
                            MHD_OPTION_ARRAY, cmw_mhd_options(mhd), MHD_OPTION_END);
}

static unsigned open_connections(struct MHD_Daemon *daemon)
{
    return MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections;
}

static void stop_gracefully(struct MHD_Daemon *daemon, cmw_mhd *mhd)
{
    const struct timespec step = {0, GRACE_STEP_NS};
    const MHD_socket listening = MHD_quiesce_daemon(daemon);

    cmw_mhd_give_up_waiting(mhd);
    for (int i = 0; i < GRACE_STEPS && open_connections(daemon) > 0; i++)
        (void)nanosleep(&step, NULL); /* cut short: one look more */
    MHD_stop_daemon(daemon);
    if (listening != MHD_INVALID_SOCKET)
        (void)close(listening); /* nothing is lost that could be reported */
}

/* Signals are blocked before there are threads: only the waiting takes them. */
static void block_ending_signals(sigset_t *ending)
{
    (void)sigemptyset(ending);
    (void)sigaddset(ending, SIGINT);
    (void)sigaddset(ending, SIGTERM);
    (void)pthread_sigmask(SIG_BLOCK, ending, NULL);
}

static void poll_until_signal(cmw_engine *engine, const sigset_t *ending)
{
    const struct timespec step = {0, POLL_NS};

    while (sigtimedwait(ending, NULL, &step) < 0 && (errno == EAGAIN || errno == EINTR))
        (void)cmw_engine_poll(engine);
}

int cmw_mhd_serve(cmw_engine *engine, const char *address, cmw_mhd_handler_fn *handler, void *self,
                  cmw_diag *diag)
{
    cmw_address where;
    cmw_str host;
    sigset_t ending;
    cmw_mhd *mhd;

    if (read_address(address, &host, &where) != 0)
        return cmw_diag_set(diag, CMW_ERR_ARG, "'%s' is not an address and a port",
                            address ? address : "");
    block_ending_signals(&ending);
    int rc = cmw_engine_attach_host(engine, cmw_mhd_host(), diag); /* says why not */
    if (rc != 0)
        return rc;
    rc = cmw_mhd_create(&mhd, engine, handler, self, NULL);
    if (rc != 0)
        return cmw_diag_set(diag, rc, "cannot serve: %s", cmw_error_text(rc));
    struct MHD_Daemon *daemon = start(mhd, &where);
    if (!daemon) {
        cmw_mhd_destroy(mhd);
        return cmw_diag_set(diag, CMW_ERR_IO, "cannot listen on %s", address);
    }
    printf("listening on http://%.*s:%u\n", (int)host.len, host.data,
           MHD_get_daemon_info(daemon, MHD_DAEMON_INFO_BIND_PORT)->port);
    (void)fflush(stdout); /* a closed stdout does not stop a server */
    poll_until_signal(engine, &ending);
    stop_gracefully(daemon, mhd);
    (void)cmw_engine_poll(engine);
    cmw_mhd_destroy(mhd);
    return 0;
}
