/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the adapter share.
 *
 *     evhttp.c    a request's life: from evhttp's callback to the end of its context
 *     adapter.c   creating and destroying; waking the loop; timers
 */
#ifndef CMW_EVHTTP_STATE_H
#define CMW_EVHTTP_STATE_H

#include <stdatomic.h>

#include <catzilla/adapter/evhttp.h>

/* Memory that grows and is used again; its content is not kept when it grows. */
struct room {
    void *data;
    size_t cap;
};

/* One request, from evhttp's callback to the first of its two ends: sent, or connection closed. */
struct request {
    struct request *next, **at; /* in the adapter's open or free list */
    cmw_evhttp *adapter;
    struct evhttp_request *http; /* evhttp's; ours to free once its connection is gone */
    cmw_ctx *ctx;
    struct room header_room; /* cmw_header[], of evhttp's memory */
    uint8_t must_close;      /* what follows on the connection cannot be trusted */
    uint8_t is_queued;       /* evhttp has the response */
    uint8_t is_fed;          /* the engine has the body */
    uint8_t is_streaming;    /* the response is sent piece by piece, */
    uint8_t is_last;         /* and its last piece is on its way */
};

/* An evhttp that is served. */
struct site {
    struct site *next;
    cmw_evhttp *adapter;
    struct evhttp *http;
    int is_https;
};

struct cmw_evhttp {
    cmw_engine *engine;
    cmw_pool *pool;         /* of requests, whose memory may be limited */
    cmw_pool *scratch_pool; /* of what the loop keeps: a full pool can still be answered */
    cmw_worker *worker;
    cmw_evhttp_handler_fn *handler;
    void *handler_self;
    struct site *sites;
    struct request *open;
    struct request *free;
    uint32_t open_count;
    struct room field_room;   /* one header field, while it is handed over */
    struct evbuffer *piece;   /* one piece of a streamed body, likewise */
    struct event *poll_timer; /* the engine's work beside requests */
    struct event *deadline;   /* the worker's next one */
    struct event *woken;      /* reads from wake[0] */
    evutil_socket_t wake[2];
    atomic_int is_awake; /* a byte is on its way */
    uint8_t is_ending;
    uint8_t is_armed;   /* the worker has deadlines */
    uint8_t is_running; /* in cmw_worker_run, which is not to be called again inside */
};

/* Make room for `bytes`; 0 or CMW_ERR_NOMEM. Powers of two, so that growth ends soon. */
int cmw__evhttp_reserve(struct room *place, cmw_pool *pool, size_t bytes);

/* cmw_worker_run, unless it is what this is called from. */
void cmw__evhttp_run_worker(cmw_evhttp *adapter);

/* The callback for evhttp_set_gencb; `self` is a struct site. */
void cmw__evhttp_on_request(struct evhttp_request *http, void *self);

/* A request that waited goes on, as cmw_host.proceed has it. */
void cmw__evhttp_proceed(void *self, cmw_ctx *ctx, int next);

#endif /* CMW_EVHTTP_STATE_H */
