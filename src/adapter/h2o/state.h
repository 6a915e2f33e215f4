/* SPDX-License-Identifier: MIT */
/*
 * What the parts of the adapter share.
 *
 *     adapter.c   creating, attaching, destroying: handler, filter and logger of each path
 *     loop.c      what belongs to one H2O context: worker, seats, waking, timers
 *     h2o.c       a request's life: from H2O's handler to its logger
 *     head.c      the head of an HTTP/1 request as it came
 *     late.c      heads that come too slowly
 *     respond.c   our response as H2O's
 *     pass.c      requests that H2O's own handlers answer
 */
#ifndef CMW_H2O_STATE_H
#define CMW_H2O_STATE_H

#include <h2o.h>
#include <stdatomic.h>

#include <catzilla/adapter/h2o.h>

/* Memory that grows and is used again; its content is not kept when it grows. */
struct room {
    void *data;
    size_t cap;
};

/* How far a request has come. */
enum {
    SEAT_ASKED = 0,    /* pre_route, or our handler */
    SEAT_PASSED = 1,   /* one of H2O's handlers answers */
    SEAT_FILTERED = 2, /* its response has passed our filter */
    SEAT_ANSWERED = 3  /* H2O has our response */
};

/* One request, from H2O's handler to its logger. */
struct seat {
    struct seat *next, **at; /* in the loop's open or free list */
    struct loop *loop;
    struct site *site;
    h2o_req_t *req;
    cmw_ctx *ctx;
    struct gate *gate;         /* our output stream, where there is one */
    h2o_generator_t generator; /* of our own answers */
    struct room header_room;   /* cmw_header[], then their ids */
    struct room field_room;    /* h2o_header_t[] and their names, of the response */
    const cmw_header *headers; /* as they were given to the engine */
    h2o_headers_t others;      /* fields of H2O's response that are not the engine's */
    size_t adopted;            /* fields of H2O's response when our filter saw it */
    uint8_t state;             /* SEAT_ */
    uint8_t must_close;        /* what follows on the connection cannot be trusted */
    uint8_t is_sent;           /* all of our answer is with the system */
    uint8_t is_cut;            /* the answer ended before its end */
    uint8_t is_refused;        /* the response could not be sent */
    uint8_t is_fed;            /* the engine has the body */
    uint8_t is_streaming;      /* it is read piece by piece */
    uint8_t is_sending;        /* a piece is with H2O, which says when it takes another one */
    uint8_t is_read;           /* the last piece is with H2O */
    uint8_t is_block;          /* all fields are one, that of H2O's server name among them, */
    uint8_t has_length;        /* and the length of the body, which H2O does not know */
};

/* Our handler of one path. */
struct site {
    h2o_handler_t super;
    cmw_h2o *adapter;
};

/* Our filter of one path. */
struct site_filter {
    h2o_filter_t super;
    struct site *site;
};

/* What belongs to one H2O context. */
struct loop {
    struct loop *next; /* in the adapter's list */
    cmw_h2o *adapter;
    h2o_context_t *context;
    cmw_str server_line;     /* "Server: h2o/2.2.5\r\n", or empty */
    h2o_globalconf_t silent; /* the context's, without that name: see send_head */
    cmw_pool *pool;          /* of requests, whose memory may be limited */
    cmw_pool *scratch_pool;  /* of what the loop keeps: a full pool can still be answered */
    cmw_worker *worker;
    struct seat *open;
    struct seat *free;
    uint32_t open_count;
    uint32_t site_count;              /* sites that are initialised for it */
    h2o_timeout_entry_t poll;         /* the engine's work beside requests */
    h2o_timeout_t deadline_in;        /* the worker's next deadline, from when it was set */
    h2o_timeout_entry_t deadline;     /* the only one of it */
    uint64_t deadline_ns;             /* 0: none */
    uint8_t has_deadlines;            /* deadline_in is one of the event loop's */
    h2o_multithread_receiver_t woken; /* in the context's queue */
    h2o_multithread_message_t wake;   /* the only one */
    atomic_int is_awake;              /* `wake` is on its way */
    uint8_t is_running; /* in cmw_worker_run, which is not to be called again inside */
};

struct cmw_h2o {
    cmw_engine *engine;
    cmw_pool *pool;              /* the plan's: see the loop's scratch_pool */
    h2o_globalconf_t *config;    /* NULL before it is attached */
    cmw_h2o_handler_fn *handler; /* or NULL */
    void *handler_self;
    pthread_mutex_t lock; /* of the list */
    struct loop *loops;
    uint8_t token_ids[H2O_MAX_TOKENS];        /* cmw_header_id of H2O's known names */
    const h2o_token_t *tokens[CMW_HDR_LIMIT]; /* the other way; NULL: H2O does not know it */
};

/* ---- loop.c ---- */

/* Make room for `bytes`; 0 or CMW_ERR_NOMEM. Powers of two, so that growth ends soon. */
int cmw__h2o_reserve(struct room *place, cmw_pool *pool, size_t bytes);

/* The loop of a context, counted for one more site; NULL without memory or workers. */
struct loop *cmw__h2o_retain_loop(cmw_h2o *adapter, h2o_context_t *context);

/* The last site ends what is open, and the loop. */
void cmw__h2o_release_loop(struct loop *loop);

/* A seat for a request, found by cmw__h2o_find_seat from now on; NULL without memory. */
struct seat *cmw__h2o_take_seat(struct loop *loop, struct site *site, h2o_req_t *req);
void cmw__h2o_leave_seat(struct seat *seat);

/* Mark a request with its seat; with NULL it will never have one. */
void cmw__h2o_mark(h2o_req_t *req, struct seat *seat);
int cmw__h2o_is_marked(const h2o_req_t *req);

/* The seat that is marked on a request, or NULL. */
struct seat *cmw__h2o_find_seat(const h2o_req_t *req);

/* cmw_worker_run, unless it is what this is called from. */
void cmw__h2o_run_worker(struct loop *loop);

/* End the connections whose head has been coming for longer than the plan allows (late.c). */
void cmw__h2o_end_late_heads(struct loop *loop);

/* For the host's table. */
void cmw__h2o_on_wake(void *self);
void cmw__h2o_on_arm(void *self, uint64_t at_ns);

/* The host's table. */
extern const cmw_host cmw__h2o_host;

/* ---- h2o.c ---- */

/* Callbacks of handler and logger. */
int cmw__h2o_on_request(h2o_handler_t *self, h2o_req_t *req);
void cmw__h2o_on_log(h2o_logger_t *self, h2o_req_t *req);

/* A request that waited goes on, as cmw_host.proceed has it. */
void cmw__h2o_proceed(void *self, cmw_ctx *ctx, int next);

/* Begin a context for a request; NULL: overload, and no seat is taken. */
struct seat *cmw__h2o_begin(struct loop *loop, struct site *site, h2o_req_t *req, int has_fields);

/* End a seat's context and leave it. */
void cmw__h2o_end(struct seat *seat, cmw_end_reason reason);

/* ---- respond.c ---- */

/* The index of a name in H2O's table of known ones; H2O_MAX_TOKENS if it is not there. */
static inline size_t cmw__h2o_token_index(const h2o_iovec_t *name)
{
    const uintptr_t offset = (uintptr_t)name - (uintptr_t)h2o__tokens;

    return offset < sizeof h2o__tokens ? offset / sizeof *h2o__tokens : H2O_MAX_TOKENS;
}

/*
 * Put status and fields into H2O's response, `others` behind them. 0 or CMW_ERR_NOMEM;
 * CMW_ERR_UNSUPPORTED for a status that H2O's handlers cannot send.
 */
int cmw__h2o_write_head(struct seat *seat, const cmw_response *response);

/* 1 if a response with a status can have a body; if it goes out, too (not for HEAD). */
int cmw__h2o_status_has_body(int status);
int cmw__h2o_has_body(const h2o_req_t *req, int status);

/* Send the seat's response, which is final. */
void cmw__h2o_respond(struct seat *seat);
/* Its source has more, or has failed. */
void cmw__h2o_go_on_streaming(struct seat *seat);

/* The plan's ready-made 503, or a bare one, for a request that got no context. */
void cmw__h2o_respond_overload(cmw_worker *worker, h2o_req_t *req);

/* Nobody may take what was sent for whole: an HTTP/1 connection ends, and the request failed. */
void cmw__h2o_cut(struct seat *seat);

/* A response that cannot be sent: HTTP/1 sees its connection end, HTTP/2 its stream. */
void cmw__h2o_refuse(struct seat *seat);

/* ---- pass.c ---- */

/* Hand the request to H2O's next handler as the engine sees it: 0, or the status of a refusal. */
int cmw__h2o_prepare_pass(struct seat *seat);

/* Have H2O's next handler answer. */
void cmw__h2o_pass(struct seat *seat);

/* The filter's callback. */
void cmw__h2o_on_response(h2o_filter_t *self, h2o_req_t *req, h2o_ostream_t **slot);

/* What waited in post_route, or in a body that is sent instead, goes on; `next` is what
 * cmw_ctx_commit would have returned. */
void cmw__h2o_open_gate(struct seat *seat, int next);

#endif /* CMW_H2O_STATE_H */
