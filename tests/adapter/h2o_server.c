/* SPDX-License-Identifier: MIT */
/* H2O for the conformance suite: one loop, or two in threads of their own. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <h2o.h>
#include <stdlib.h>
#include <string.h>

#include <catzilla/adapter/h2o.h>

#include "conformance.h"

enum { THREADS_MAX = 2 };

/* One loop. It is ended by a message, in whichever thread it runs. */
struct lane {
    h2o_context_t context;
    h2o_accept_ctx_t accept_ctx;
    h2o_socket_t *listener;
    h2o_multithread_receiver_t ending;
    h2o_multithread_message_t end;
    cmw_h2o *adapter;
    int fd;
    int is_ended;
};

/* Static: connections that are open at the end are H2O's, which has no way to close them. */
static struct lane lanes[THREADS_MAX];
static h2o_globalconf_t config;
static pthread_barrier_t meeting; /* all have begun; all have ended */

static void on_accept(h2o_socket_t *listener, const char *error)
{
    struct lane *lane = listener->data;
    h2o_socket_t *socket = error ? NULL : h2o_evloop_socket_accept(listener);

    if (socket)
        h2o_accept(&lane->accept_ctx, socket);
}

static void on_end(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    struct lane *lane = H2O_STRUCT_FROM_MEMBER(struct lane, ending, receiver);

    (void)messages;
    h2o_linklist_unlink(&lane->end.link);
    lane->is_ended = 1;
}

static int listen_on_any(unsigned *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    const int fd = socket(AF_INET, SOCK_STREAM, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &len) != 0)
        return -1;
    *port = ntohs(address.sin_port);
    return fd;
}

static void open_lane(struct lane *lane)
{
    h2o_context_init(&lane->context, h2o_evloop_create(), &config);
    lane->accept_ctx.ctx = &lane->context;
    lane->accept_ctx.hosts = config.hosts;
    lane->listener =
        h2o_evloop_socket_create(lane->context.loop, lane->fd, H2O_SOCKET_FLAG_DONT_READ);
    lane->listener->data = lane;
    h2o_socket_read_start(lane->listener, on_accept);
    h2o_multithread_register_receiver(lane->context.queue, &lane->ending, on_end);
}

static void close_lane(struct lane *lane)
{
    h2o_multithread_unregister_receiver(lane->context.queue, &lane->ending);
    h2o_socket_close(lane->listener);
    if (h2o_linklist_is_empty(&lane->context.http1._conns) &&
        h2o_linklist_is_empty(&lane->context.http2._conns))
        h2o_context_dispose(&lane->context);
    else
        cmw_h2o_detach(lane->adapter, &lane->context);
}

/*
 * All in one thread: H2O's memory belongs to the thread that makes it. What it keeps for later is
 * never freed: the thread stays, so that it does not look lost.
 */
static void *run_lane(void *self)
{
    struct lane *lane = self;

    open_lane(lane);
    pthread_barrier_wait(&meeting);
    while (!lane->is_ended &&
           (h2o_evloop_run(lane->context.loop, INT32_MAX) == 0 || errno == EINTR))
        ;
    close_lane(lane);
    pthread_barrier_wait(&meeting);
    while (pause() != 0)
        ;
    return NULL;
}

static int run_lanes(struct conformance_run *run, cmw_h2o *adapter, unsigned count)
{
    unsigned port = 0;
    const int fd = listen_on_any(&port);
    pthread_t thread;
    int signal;

    if (fd < 0 || pthread_barrier_init(&meeting, NULL, count + 1) != 0)
        return 1;
    for (unsigned i = 0; i < count; i++) {
        lanes[i].adapter = adapter;
        lanes[i].fd = dup(fd);
        if (pthread_create(&thread, NULL, run_lane, &lanes[i]) != 0)
            return 1;
    }
    close(fd);
    pthread_barrier_wait(&meeting);
    conformance_say_port(port);
    sigwait(&run->ending, &signal);
    for (unsigned i = 0; i < count; i++)
        h2o_multithread_send_message(&lanes[i].ending, &lanes[i].end);
    pthread_barrier_wait(&meeting);
    return 0;
}

static int serve(struct conformance_run *run)
{
    cmw_h2o *adapter;

    signal(SIGPIPE, SIG_IGN);
    h2o_config_init(&config);
    config.max_request_entity_size = CONFORMANCE_DRAIN_BYTES;
    config.http1.req_timeout = (uint64_t)run->idle_s * 1000;
    h2o_hostconf_t *host =
        h2o_config_register_host(&config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    h2o_config_register_path(host, "/", 0);
    if (cmw_h2o_create(&adapter, run->engine, run->handler, run->self) != 0 ||
        cmw_h2o_attach(adapter, &config) != 0)
        return 1;
    const int rc = run_lanes(run, adapter, strcmp(run->mode, "threads") == 0 ? 2 : 1);
    return cmw_h2o_destroy(adapter) != 0 ? 1 : rc;
}

static int owns_context(cmw_ctx *ctx)
{
    return cmw_h2o_request(ctx) != NULL && cmw_h2o_ctx(cmw_h2o_request(ctx)) == ctx;
}

int main(int argc, char **argv)
{
    static const char *const traits[] = {"refuses_malformed_itself", "refuses_many_fields_itself",
                                         NULL};
    const struct conformance_server server = {.name = "H2O",
                                              .host = cmw_h2o_host(),
                                              .traits = traits,
                                              .owns_context = owns_context,
                                              .serve = serve};

    return conformance_main(argc, argv, &server);
}
