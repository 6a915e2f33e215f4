/* SPDX-License-Identifier: MIT */
/*
 * The adapter itself: made, attached, woken, destroyed.
 *
 * A wake from another thread is a byte through a pair of sockets, at most one at a time, so that
 * libevent needs no locks of its own.
 */
#include "state.h"

#include <event2/buffer.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { POLL_US = 100000, SMALLEST_ROOM = 256 };

int cmw__evhttp_reserve(struct room *place, cmw_pool *pool, size_t bytes)
{
    size_t cap = SMALLEST_ROOM;

    if (bytes <= place->cap)
        return 0;
    if (bytes > SIZE_MAX / 2)
        return CMW_ERR_NOMEM;
    while (cap < bytes)
        cap *= 2;
    void *data = cmw_pool_alloc(pool, cap, 0);
    if (!data)
        return CMW_ERR_NOMEM;
    cmw_pool_free(pool, place->data, place->cap, 0);
    place->data = data;
    place->cap = cap;
    return 0;
}

/* ---- The host's table --------------------------------------------------------------------- */

/* From any thread. A full socket has a byte in it already. */
static void on_wake(void *self)
{
    cmw_evhttp *adapter = self;

    if (atomic_exchange(&adapter->is_awake, 1) == 0)
        (void)send(adapter->wake[1], "", 1, MSG_NOSIGNAL);
}

static uint64_t now_ns(void)
{
    struct timespec now = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock exists */
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void on_arm(void *self, uint64_t at_ns)
{
    cmw_evhttp *adapter = self;
    const uint64_t now = now_ns();
    const uint64_t left_us = at_ns > now ? (at_ns - now) / 1000 + 1 : 0;
    const struct timeval left = {.tv_sec = (time_t)(left_us / 1000000),
                                 .tv_usec = (suseconds_t)(left_us % 1000000)};

    adapter->is_armed = at_ns != 0;
    /* Without memory for the timer the deadline passes with the next poll. */
    if (at_ns == 0)
        (void)event_del(adapter->deadline);
    else
        (void)event_add(adapter->deadline, &left);
}

static const cmw_host host = {
    .size = sizeof host,
    .name = "evhttp",
    .capabilities = CMW_CAP_NOTICE_CLIENT_GONE | CMW_CAP_REWRITE_TARGET | CMW_CAP_SUSPEND |
                    CMW_CAP_SUSPEND_POST_ROUTE | CMW_CAP_RESUME_ACROSS_THREADS |
                    CMW_CAP_STREAM_REQUEST_BODY | CMW_CAP_STREAM_RESPONSE_BODY,
    .wake = on_wake,
    .arm_timer = on_arm,
    .proceed = cmw__evhttp_proceed,
};

const cmw_host *cmw_evhttp_host(void)
{
    return &host;
}

/* ---- Events ------------------------------------------------------------------------------- */

void cmw__evhttp_run_worker(cmw_evhttp *adapter)
{
    if (adapter->is_running)
        return;
    adapter->is_running = 1;
    (void)cmw_worker_run(adapter->worker, 0); /* how many went on is not asked */
    adapter->is_running = 0;
}

static void on_woken(evutil_socket_t fd, short what, void *self)
{
    cmw_evhttp *adapter = self;
    char bytes[16];

    (void)what;
    (void)recv(fd, bytes, sizeof bytes, 0); /* the byte says all there is to say */
    atomic_store(&adapter->is_awake, 0);
    cmw__evhttp_run_worker(adapter);
}

static void on_deadline(evutil_socket_t fd, short what, void *self)
{
    (void)fd;
    (void)what;
    cmw__evhttp_run_worker(self);
}

static void on_poll(evutil_socket_t fd, short what, void *self)
{
    const cmw_evhttp *adapter = self;

    on_deadline(fd, what, self);
    (void)cmw_engine_poll(adapter->engine);
    cmw_worker_idle(adapter->worker);
}

static int open_events(cmw_evhttp *adapter, struct event_base *base)
{
    const struct timeval step = {.tv_sec = 0, .tv_usec = POLL_US};

    if (evutil_socketpair(AF_UNIX, SOCK_STREAM, 0, adapter->wake) != 0)
        return CMW_ERR_IO;
    if (evutil_make_socket_nonblocking(adapter->wake[0]) != 0 ||
        evutil_make_socket_nonblocking(adapter->wake[1]) != 0)
        return CMW_ERR_IO;
    adapter->woken = event_new(base, adapter->wake[0], EV_READ | EV_PERSIST, on_woken, adapter);
    adapter->deadline = evtimer_new(base, on_deadline, adapter);
    adapter->poll_timer = event_new(base, -1, EV_PERSIST, on_poll, adapter);
    if (!adapter->woken || !adapter->deadline || !adapter->poll_timer ||
        event_add(adapter->woken, NULL) != 0 || event_add(adapter->poll_timer, &step) != 0)
        return CMW_ERR_NOMEM;
    return 0;
}

static void free_event(struct event *event)
{
    if (event)
        event_free(event);
}

static void close_events(cmw_evhttp *adapter)
{
    free_event(adapter->poll_timer);
    free_event(adapter->deadline);
    free_event(adapter->woken);
    for (int i = 0; i < 2; i++)
        if (adapter->wake[i] >= 0)
            (void)evutil_closesocket(adapter->wake[i]); /* nobody writes any more */
}

/* ---- Making and destroying ---------------------------------------------------------------- */

int cmw_evhttp_create(cmw_evhttp **out, cmw_engine *engine, struct event_base *base,
                      cmw_evhttp_handler_fn *handler, void *self)
{
    if (!out || !engine || !base || !handler)
        return CMW_ERR_ARG;
    int rc = cmw_engine_attach_host(engine, &host, NULL);
    if (rc != 0)
        return rc;
    cmw_pool *pool = cmw_engine_pool(engine, CMW_POOL_CONTEXT);
    cmw_evhttp *adapter = cmw_pool_alloc(pool, sizeof *adapter, 0);
    if (!adapter)
        return CMW_ERR_NOMEM;
    memset(adapter, 0, sizeof *adapter);
    adapter->engine = engine;
    adapter->pool = pool;
    adapter->scratch_pool = cmw_engine_pool(engine, CMW_POOL_PLAN);
    adapter->handler = handler;
    adapter->handler_self = self;
    adapter->wake[0] = adapter->wake[1] = -1;
    atomic_init(&adapter->is_awake, 0);
    rc = open_events(adapter, base);
    if (rc == 0)
        rc = cmw_engine_take_worker(engine, &adapter->worker, &host, adapter);
    if (rc != 0) {
        close_events(adapter);
        cmw_pool_free(pool, adapter, sizeof *adapter, 0);
        return rc;
    }
    *out = adapter;
    return 0;
}

static int read_config(cmw_evhttp_config *out, const cmw_evhttp_config *config)
{
    cmw_evhttp_config_init(out);
    if (!config)
        return 0;
    if (config->size > sizeof *out)
        return CMW_ERR_VERSION;
    memcpy(out, config, config->size);
    out->size = sizeof *out;
    return out->head_bytes > PTRDIFF_MAX || out->body_bytes > PTRDIFF_MAX ? CMW_ERR_ARG : 0;
}

int cmw_evhttp_attach(cmw_evhttp *adapter, struct evhttp *http, const cmw_evhttp_config *config)
{
    cmw_evhttp_config read;

    if (!adapter || !http)
        return CMW_ERR_ARG;
    const int rc = read_config(&read, config);
    if (rc != 0)
        return rc;
    struct site *site = cmw_pool_alloc(adapter->pool, sizeof *site, 0);
    if (!site)
        return CMW_ERR_NOMEM;
    site->adapter = adapter;
    site->http = http;
    site->is_https = read.is_https;
    site->next = adapter->sites;
    adapter->sites = site;
    evhttp_set_allowed_methods(http, UINT16_MAX); /* those without a name, too: we answer them */
    evhttp_set_default_content_type(http, NULL);
    evhttp_set_max_headers_size(http, (ev_ssize_t)read.head_bytes);
    evhttp_set_max_body_size(http, (ev_ssize_t)read.body_bytes);
    evhttp_set_gencb(http, cmw__evhttp_on_request, site);
    return 0;
}

uint32_t cmw_evhttp_open_requests(const cmw_evhttp *adapter)
{
    return adapter->open_count;
}

static void free_requests(cmw_evhttp *adapter)
{
    while (adapter->open) /* the close callback takes it from the list */
        evhttp_connection_free(evhttp_request_get_connection(adapter->open->http));
    for (struct request *next, *each = adapter->free; each; each = next) {
        next = each->next;
        cmw_pool_free(adapter->pool, each->header_room.data, each->header_room.cap, 0);
        cmw_pool_free(adapter->pool, each, sizeof *each, 0);
    }
}

void cmw_evhttp_destroy(cmw_evhttp *adapter)
{
    if (!adapter)
        return;
    cmw_pool *pool = adapter->pool;

    adapter->is_ending = 1;
    for (struct site *next, *each = adapter->sites; each; each = next) {
        next = each->next;
        evhttp_set_gencb(each->http, NULL, NULL);
        cmw_pool_free(pool, each, sizeof *each, 0);
    }
    free_requests(adapter);
    cmw_engine_put_worker(adapter->engine, adapter->worker);
    close_events(adapter);
    if (adapter->piece)
        evbuffer_free(adapter->piece);
    cmw_pool_free(adapter->scratch_pool, adapter->field_room.data, adapter->field_room.cap, 0);
    cmw_pool_free(pool, adapter, sizeof *adapter, 0);
}
