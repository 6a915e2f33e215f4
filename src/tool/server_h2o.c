/* SPDX-License-Identifier: MIT */
/*
 * H2O over HTTP/1.1 and HTTP/2 without TLS: a loop in each thread, all of them taking connections
 * from one socket.
 *
 * H2O's memory belongs to the thread that makes it, and it has no way to close connections: a loop
 * is opened and closed by its thread, which then stays, and what is open goes with the process.
 */
#include "listen.h"
#include "server.h"

#include <errno.h>
#include <h2o.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <catzilla/adapter/h2o.h>

/* Bodies are read whole before the engine can refuse them: those a little too long for it, too. */
enum { MORE_BODY_BYTES = 1 << 20 };

struct lane {
    struct lanes *all;
    h2o_context_t context;
    h2o_accept_ctx_t accept_ctx;
    h2o_socket_t *listener;                       /* NULL once no more connections are taken */
    h2o_multithread_receiver_t quiescing, ending; /* of one message each */
    h2o_multithread_message_t quiesce, end;
    int fd;
    int is_ended;
};

struct lanes {
    h2o_globalconf_t config;
    cmw_h2o *adapter;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned opened, without_worker, closed; /* under the lock: so many lanes are */
    unsigned count;
    struct lane lane[]; /* count */
};

/* ---- A lane, in its thread ---------------------------------------------------------------- */

static void on_accept(h2o_socket_t *listener, const char *error)
{
    struct lane *lane = listener->data;
    h2o_socket_t *socket = error ? NULL : h2o_evloop_socket_accept(listener);

    if (socket)
        h2o_accept(&lane->accept_ctx, socket);
}

static void close_listener(struct lane *lane)
{
    if (!lane->listener)
        return;
    h2o_socket_read_stop(lane->listener);
    h2o_socket_close(lane->listener);
    lane->listener = NULL;
}

static void on_quiesce(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    struct lane *lane = H2O_STRUCT_FROM_MEMBER(struct lane, quiescing, receiver);

    (void)messages;
    h2o_linklist_unlink(&lane->quiesce.link);
    close_listener(lane);
    h2o_context_request_shutdown(&lane->context);
}

static void on_end(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    struct lane *lane = H2O_STRUCT_FROM_MEMBER(struct lane, ending, receiver);

    (void)messages;
    h2o_linklist_unlink(&lane->end.link);
    lane->is_ended = 1;
}

static void open_lane(struct lane *lane)
{
    h2o_context_init(&lane->context, h2o_evloop_create(), &lane->all->config);
    lane->accept_ctx.ctx = &lane->context;
    lane->accept_ctx.hosts = lane->all->config.hosts;
    lane->listener =
        h2o_evloop_socket_create(lane->context.loop, lane->fd, H2O_SOCKET_FLAG_DONT_READ);
    lane->listener->data = lane;
    h2o_socket_read_start(lane->listener, on_accept);
    h2o_multithread_register_receiver(lane->context.queue, &lane->quiescing, on_quiesce);
    h2o_multithread_register_receiver(lane->context.queue, &lane->ending, on_end);
}

static void close_lane(struct lane *lane)
{
    close_listener(lane);
    h2o_multithread_unregister_receiver(lane->context.queue, &lane->quiescing);
    h2o_multithread_unregister_receiver(lane->context.queue, &lane->ending);
    cmw_h2o_detach(lane->all->adapter, &lane->context);
}

static void say(struct lanes *lanes, unsigned *what, unsigned count)
{
    (void)pthread_mutex_lock(&lanes->lock);
    *what += count;
    (void)pthread_cond_broadcast(&lanes->changed);
    (void)pthread_mutex_unlock(&lanes->lock);
}

static void *run_lane(void *self)
{
    struct lane *const lane = self;
    struct lanes *const lanes = lane->all;

    open_lane(lane);
    say(lanes, &lanes->without_worker, !cmw_h2o_worker(lanes->adapter, &lane->context));
    say(lanes, &lanes->opened, 1);
    while (!lane->is_ended &&
           (h2o_evloop_run(lane->context.loop, INT32_MAX) == 0 || errno == EINTR))
        ;
    close_lane(lane);
    say(lanes, &lanes->closed, 1);
    while (pause() != 0)
        ;
    return NULL;
}

/* ---- All lanes ---------------------------------------------------------------------------- */

static void wait_for(struct lanes *lanes, const unsigned *what, unsigned count)
{
    (void)pthread_mutex_lock(&lanes->lock);
    while (*what < count)
        (void)pthread_cond_wait(&lanes->changed, &lanes->lock);
    (void)pthread_mutex_unlock(&lanes->lock);
}

static void quiesce(void *object)
{
    struct lanes *const lanes = object;

    for (unsigned i = 0; i < lanes->count; i++)
        h2o_multithread_send_message(&lanes->lane[i].quiescing, &lanes->lane[i].quiesce);
}

/* What threads that stay still know is not freed. */
static void stop(void *object)
{
    struct lanes *const lanes = object;

    for (unsigned i = 0; i < lanes->count; i++)
        h2o_multithread_send_message(&lanes->lane[i].ending, &lanes->lane[i].end);
    wait_for(lanes, &lanes->closed, lanes->count);
    (void)cmw_h2o_destroy(lanes->adapter); /* it has no loops any more */
    if (lanes->count > 0)
        return;
    h2o_config_dispose(&lanes->config);
    (void)pthread_cond_destroy(&lanes->changed);
    (void)pthread_mutex_destroy(&lanes->lock);
    free(lanes);
}

static struct lanes *create_lanes(const struct server_config *config)
{
    struct lanes *const lanes = calloc(1, sizeof *lanes + config->threads * sizeof *lanes->lane);

    if (!lanes)
        return NULL;
    if (pthread_mutex_init(&lanes->lock, NULL) != 0 ||
        pthread_cond_init(&lanes->changed, NULL) != 0) {
        free(lanes);
        return NULL;
    }
    h2o_config_init(&lanes->config);
    lanes->config.max_request_entity_size = (size_t)config->body_bytes + MORE_BODY_BYTES;
    lanes->config.http1.req_timeout = SERVER_IDLE_SECONDS * UINT64_C(1000);
    lanes->config.http1.upgrade_to_http2 = 0; /* H2O would see one of two lengths */
    lanes->config.http2.idle_timeout = SERVER_IDLE_SECONDS * UINT64_C(1000);
    h2o_hostconf_t *host =
        h2o_config_register_host(&lanes->config, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    (void)h2o_config_register_path(host, "/", 0); /* the configuration has it */
    return lanes;
}

/* Each has its own copy of the socket. Those that have begun are counted. */
static int open_lanes(struct lanes *lanes, unsigned count, int fd)
{
    for (; lanes->count < count; lanes->count++) {
        struct lane *const lane = &lanes->lane[lanes->count];
        pthread_t thread;
        lane->all = lanes;
        lane->fd = dup(fd);
        if (lane->fd < 0)
            return CMW_ERR_IO;
        if (pthread_create(&thread, NULL, run_lane, lane) != 0) {
            (void)close(lane->fd); /* nothing came through it */
            return CMW_ERR_NOMEM;
        }
        (void)pthread_detach(thread); /* it is told, and says when it is done */
    }
    return 0;
}

static int run_lanes(struct lanes *lanes, struct server_config *config)
{
    const int fd = listen_on(&config->address);

    if (fd < 0)
        return CMW_ERR_IO;
    int rc = open_lanes(lanes, config->threads, fd);
    (void)close(fd); /* the lanes have their own */
    wait_for(lanes, &lanes->opened, lanes->count);
    if (rc == 0 && lanes->without_worker > 0)
        rc = CMW_ERR_LIMIT;
    return rc;
}

static int start(void **object, struct server_config *config, cmw_diag *diag)
{
    if (config->body_bytes > SIZE_MAX / 2 - MORE_BODY_BYTES)
        return cmw_diag_set(diag, CMW_ERR_LIMIT, "cannot serve: limits.body_bytes is too large");
    /* The adapter does so, too, but does not say why not. */
    int rc = cmw_engine_attach_host(config->engine, cmw_h2o_host(), diag);
    if (rc != 0)
        return rc;
    struct lanes *const lanes = create_lanes(config);
    if (!lanes)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "no memory for the server");
    rc = cmw_h2o_create(&lanes->adapter, config->engine, config->handler, config->self);
    if (rc == 0)
        rc = cmw_h2o_attach(lanes->adapter, &lanes->config);
    if (rc == 0)
        rc = run_lanes(lanes, config);
    if (rc != 0) {
        stop(lanes);
        return rc == CMW_ERR_IO ? cmw_diag_set(diag, rc, "cannot listen")
                                : cmw_diag_set(diag, rc, "cannot serve: %s", cmw_error_text(rc));
    }
    *object = lanes;
    return 0;
}

const struct server server_h2o = {"h2o", 1, start, quiesce, stop};
