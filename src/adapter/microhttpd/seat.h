/* SPDX-License-Identifier: MIT */
/*
 * Seats: what a thread of a daemon holds while it serves, and what its requests use again.
 *
 *     adapter -- seats in use:  [thread 1: worker, free requests] [thread 2: ...]
 *             \- seats at rest: [free requests, no worker]
 *
 * A thread takes a seat with its first request. When it ends, its worker goes back to the engine
 * and the seat rests until another thread takes it, so that a daemon with a thread for each
 * connection allocates nothing for the hundredth one. A daemon that stops ends open requests on the
 * thread that stops it: a seat whose thread has ended is given up by its last request.
 */
#ifndef CMW_MICROHTTPD_SEAT_H
#define CMW_MICROHTTPD_SEAT_H

#include <pthread.h>
#include <stdatomic.h>

#include <catzilla/adapter/microhttpd.h>

#include "watch.h"

/* Memory that grows and is used again; its content is not kept when it grows. */
struct room {
    void *data;
    size_t cap;
};

/* One request of a connection, from its request line to MHD_OPTION_NOTIFY_COMPLETED. */
struct request {
    struct request *next;    /* in the seat's free list */
    struct seat *seat;       /* whose worker has the context */
    struct room target_room; /* libmicrohttpd unescapes its own in place */
    struct room header_room; /* cmw_header[], of the connection's memory */
    /* What follows is cleared with every request. */
    struct MHD_Connection *connection;
    struct MHD_Response *response; /* if it is streamed: libmicrohttpd's, once it has it */
    cmw_ctx *ctx;                  /* NULL until the head is complete */
    cmw_str target;                /* in target_room */
    uint64_t drained_bytes;        /* of the body, after it was refused */
    size_t shown_bytes; /* of the part that libmicrohttpd keeps while request_body waits */
    struct request *next_waiting; /* in the seat's list, under its wait_lock; */
    struct request **listed_at;   /* and what points to it there; NULL: it is in no list */
    int next_step;                /* cmw_next, if it has gone on */
    uint8_t is_waiting;           /* it is suspended, or has gone on and was not looked at yet */
    uint8_t has_gone_on;          /* the engine said how: next_step */
    cmw_str piece;                /* of a streamed response, what was not yet taken */
    uint8_t is_in_head;           /* it waits in pre_route */
    uint8_t is_in_body;           /* it waits in request_body */
    uint8_t is_awaiting;          /* the engine was told that its body is awaited, */
    uint8_t has_own_timeout;      /* and libmicrohttpd how long: before it was */
    unsigned timeout_s;           /* this */
    uint8_t is_fed;               /* the body was handed over to its end */
    uint8_t is_ended;             /* of the streamed response everything was read */
    uint8_t is_handled;           /* the handler has run */
    uint8_t is_refused;           /* the handler does not run */
    uint8_t is_final;             /* post_route has run */
    uint8_t is_queued;            /* libmicrohttpd has the response */
};

struct seat {
    struct seat *next; /* in seats.used or seats.resting; under seats.lock */
    struct seats *owner;
    cmw_worker *worker; /* NULL at rest */
    struct request *free_requests;
    struct room field_room; /* one header field, while it is handed over */
    uint32_t open_requests;
    uint8_t is_armed;          /* the worker has deadlines; of the thread that has the seat */
    pthread_mutex_t wait_lock; /* of what follows */
    pthread_cond_t wake_up;    /* for a thread that waits itself */
    struct request *waiting;   /* connections that libmicrohttpd has suspended */
    uint64_t timer_at_ns;      /* when the worker wants to run; 0: not */
    uint8_t is_woken;          /* the worker has something to run */
    uint8_t is_abandoned;      /* its thread ended while requests were open */
};

/* All seats of an adapter. */
struct seats {
    cmw_engine *engine;
    cmw_pool *pool;         /* of requests, whose memory may be limited */
    cmw_pool *scratch_pool; /* of what the rest needs: a full pool can still be answered */
    const cmw_host *host;
    pthread_key_t key; /* the seat of the thread that asks */
    pthread_mutex_t lock;
    struct seat *used;
    struct seat *resting;
    pthread_mutex_t ticker_lock; /* of the next one; taken after `lock` */
    struct ticker *ticker;       /* NULL until a deadline was set */
    atomic_int is_stopping;      /* who waits is given up */
    cmw_worker *spare;           /* has no seat: answers overload, knows the plan; under `lock` */
    struct watch watch;          /* connections whose next head is awaited */
};

/* 0, CMW_ERR_IO, or what cmw_engine_take_worker said. `host` is borrowed. */
int cmw__seats_init(struct seats *all, cmw_engine *engine, const cmw_host *host);
/* Put all workers back and free everything; no request is open. */
void cmw__seats_deinit(struct seats *all);

/* A cleared request on the calling thread's seat; NULL without memory or without a worker. */
struct request *cmw__seats_open_request(struct seats *all);
/* Recycle a request whose context has ended. */
void cmw__seats_close_request(struct request *done);

/* Make room for `bytes`; 0 or CMW_ERR_NOMEM. Powers of two, so that growth ends soon. */
int cmw__room_grow(struct room *place, cmw_pool *pool, size_t bytes);

static inline int cmw__room_reserve(struct room *place, cmw_pool *pool, size_t bytes)
{
    return bytes <= place->cap ? 0 : cmw__room_grow(place, pool, bytes);
}

#endif /* CMW_MICROHTTPD_SEAT_H */
