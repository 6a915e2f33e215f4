/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the adapter share.
 *
 *     serve.c     one request on its thread
 *     send.c      the response as bytes
 *     head.c      what civetweb made of the head, and whether to believe it. Pure
 *     adapter.c   starting and stopping; threads; waiting
 */
#ifndef CMW_CIVETWEB_STATE_H
#define CMW_CIVETWEB_STATE_H

#include <pthread.h>
#include <stdatomic.h>

#include <catzilla/adapter/civetweb.h>

#include "date.h"

/* Memory that grows and is used again; its content is not kept when it grows. */
struct room {
    void *data;
    size_t cap;
};

/* A thread of civetweb's. One request at a time. */
struct seat {
    struct seat *next, **at; /* in adapter.seats */
    cmw_civetweb *adapter;
    cmw_worker *worker; /* NULL: the engine had none left */
    struct room out;    /* a head, and a small body behind it */
    struct room target;
    struct date date;
    pthread_mutex_t lock; /* of is_woken */
    pthread_cond_t wake_up;
    int is_woken;
    uint64_t timer_at_ns; /* the worker's next deadline; 0: none */
    int next_step;        /* a cmw_next, once has_gone_on */
    int has_gone_on;
};

struct cmw_civetweb {
    cmw_engine *engine;
    cmw_pool *pool;         /* of requests, whose memory may be limited */
    cmw_pool *scratch_pool; /* of what a thread keeps: a full pool can still be answered */
    cmw_civetweb_config config;
    struct mg_context *context;
    cmw_worker *spare; /* answers overload for threads without a worker; under lock */
    struct seat *seats;
    pthread_mutex_t lock;
    atomic_int is_ending;
    atomic_int is_quiet; /* no connection goes on */
    int keeps_alive;
};

/* One request. */
struct request {
    struct mg_connection *connection;
    struct seat *seat;
    cmw_ctx *ctx;
    int must_close;
    int asks_first; /* its client waits for 100 Continue */
    int is_chunked; /* its response is sent in chunks */
};

int cmw__civetweb_reserve(struct room *place, cmw_pool *pool, size_t bytes);

/* The callbacks of civetweb. */
int cmw__civetweb_on_request(struct mg_connection *connection);
int cmw__civetweb_on_error(struct mg_connection *connection, int status, const char *message);

/* Wait until the suspended request goes on: what is next. */
int cmw__civetweb_wait(struct seat *seat, cmw_ctx *ctx);

/* Send a committed response: 0, CMW_ERR_IO if the connection is lost, or CMW_ERR_NOMEM. */
int cmw__civetweb_send(struct request *req, const cmw_response *response, uint64_t wall_ns);

#endif /* CMW_CIVETWEB_STATE_H */
