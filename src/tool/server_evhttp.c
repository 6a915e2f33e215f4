/* SPDX-License-Identifier: MIT */
/*
 * libevent's evhttp: a loop in each thread, all of them taking connections from one socket.
 *
 * A loop is told what to do by a byte through a pair of sockets: 'q' takes its listener away, 's'
 * ends it.
 */
#include "listen.h"
#include "server.h"

#include <catzilla/adapter/evhttp.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Bodies are read whole before the engine can refuse them: those a little too long for it, too. */
enum { MORE_BODY_BYTES = 1 << 20 };

struct loop {
    struct event_base *base;
    struct evhttp *http;
    struct evhttp_bound_socket *bound; /* NULL once no more connections are taken */
    cmw_evhttp *adapter;
    struct event *told;
    int tell[2]; /* write to [1] */
    pthread_t thread;
    int runs; /* the thread is there */
};

struct loops {
    unsigned count;
    struct loop loop[]; /* count */
};

/* ---- A loop ----------------------------------------------------------------------------- */

static void on_told(evutil_socket_t fd, short what, void *self)
{
    struct loop *const loop = self;
    char order = 's';

    (void)what;
    if (recv(fd, &order, 1, 0) < 0 && errno == EAGAIN)
        return;
    if (order == 'q' && loop->bound) {
        evhttp_del_accept_socket(loop->http, loop->bound);
        loop->bound = NULL;
    } else if (order == 's') {
        (void)event_base_loopbreak(loop->base);
    }
}

static void *run_loop(void *self)
{
    struct loop *const loop = self;

    (void)event_base_dispatch(loop->base);
    cmw_evhttp_destroy(loop->adapter); /* by the thread that used its worker */
    loop->adapter = NULL;
    return NULL;
}

static void close_loop(struct loop *loop)
{
    cmw_evhttp_destroy(loop->adapter);
    if (loop->told)
        event_free(loop->told);
    if (loop->http)
        evhttp_free(loop->http);
    if (loop->base)
        event_base_free(loop->base);
    for (int i = 0; i < 2; i++)
        if (loop->tell[i] >= 0)
            (void)close(loop->tell[i]); /* nothing is lost that could be reported */
}

/* `fd` is copied, so that each loop can let go of it. */
static int take_connections(struct loop *loop, int fd)
{
    const int copy = dup(fd);

    if (copy < 0)
        return CMW_ERR_IO;
    loop->bound = evhttp_accept_socket_with_handle(loop->http, copy);
    if (loop->bound)
        return 0;
    (void)close(copy); /* nothing came through it */
    return CMW_ERR_NOMEM;
}

static int open_loop(struct loop *loop, const struct server_config *config, int fd)
{
    cmw_evhttp_config served;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, loop->tell) != 0)
        return CMW_ERR_IO;
    loop->base = event_base_new();
    loop->http = loop->base ? evhttp_new(loop->base) : NULL;
    loop->told = loop->base
                     ? event_new(loop->base, loop->tell[0], EV_READ | EV_PERSIST, on_told, loop)
                     : NULL;
    if (!loop->http || !loop->told || event_add(loop->told, NULL) != 0)
        return CMW_ERR_NOMEM;
    evhttp_set_timeout(loop->http, SERVER_IDLE_SECONDS);
    int rc = cmw_evhttp_create(&loop->adapter, config->engine, loop->base, config->handler,
                               config->self);
    cmw_evhttp_config_init(&served);
    served.head_bytes = SERVER_HEAD_BYTES;
    if (config->body_bytes > SIZE_MAX / 2 - MORE_BODY_BYTES)
        rc = rc ? rc : CMW_ERR_LIMIT;
    else
        served.body_bytes = (size_t)config->body_bytes + MORE_BODY_BYTES;
    if (rc == 0)
        rc = cmw_evhttp_attach(loop->adapter, loop->http, &served);
    return rc == 0 ? take_connections(loop, fd) : rc;
}

/* ---- All loops -------------------------------------------------------------------------- */

static void tell(struct loops *loops, const char *order)
{
    for (unsigned i = 0; i < loops->count; i++)
        if (loops->loop[i].runs)
            (void)send(loops->loop[i].tell[1], order, 1, MSG_NOSIGNAL); /* there is room for two */
}

static void stop(void *object)
{
    struct loops *const loops = object;

    tell(loops, "s");
    for (unsigned i = 0; i < loops->count; i++) {
        if (loops->loop[i].runs)
            (void)pthread_join(loops->loop[i].thread, NULL); /* it was started */
        close_loop(&loops->loop[i]);
    }
    free(loops);
}

static void quiesce(void *object)
{
    tell(object, "q");
}

static struct loops *create_loops(unsigned count)
{
    struct loops *const loops = calloc(1, sizeof *loops + count * sizeof *loops->loop);

    if (!loops)
        return NULL;
    loops->count = count;
    for (unsigned i = 0; i < count; i++)
        loops->loop[i].tell[0] = loops->loop[i].tell[1] = -1;
    return loops;
}

static int open_loops(struct loops *loops, const struct server_config *config, int fd)
{
    int rc = 0;

    for (unsigned i = 0; i < loops->count && rc == 0; i++)
        rc = open_loop(&loops->loop[i], config, fd);
    for (unsigned i = 0; i < loops->count && rc == 0; i++) {
        struct loop *const loop = &loops->loop[i];
        loop->runs = pthread_create(&loop->thread, NULL, run_loop, loop) == 0;
        rc = loop->runs ? 0 : CMW_ERR_NOMEM;
    }
    return rc;
}

static int start(void **object, struct server_config *config, cmw_diag *diag)
{
    /* The adapter does so, too, but does not say why not. */
    int rc = cmw_engine_attach_host(config->engine, cmw_evhttp_host(), diag);

    if (rc != 0)
        return rc;
    struct loops *const loops = create_loops(config->threads);
    if (!loops)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "no memory for the server");
    const int fd = listen_on(&config->address);
    if (fd < 0) {
        stop(loops);
        return cmw_diag_set(diag, CMW_ERR_IO, "cannot listen");
    }
    rc = open_loops(loops, config, fd);
    (void)close(fd); /* the loops have their own */
    if (rc != 0) {
        stop(loops);
        return cmw_diag_set(diag, rc, "cannot serve: %s", cmw_error_text(rc));
    }
    *object = loops;
    return 0;
}

const struct server server_evhttp = {"evhttp", 1, start, quiesce, stop};
