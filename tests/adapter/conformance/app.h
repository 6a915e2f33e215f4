/* SPDX-License-Identifier: MIT */
/* What chain and handler share. */
#ifndef CMW_CONFORMANCE_APP_H
#define CMW_CONFORMANCE_APP_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "conformance.h"

#define LEN(array) (sizeof(array) / sizeof *(array))

enum { LARGE_BYTES = 16 << 20, WAITER_CAP = 64, TRACE_CAP = 128, LOUD_BYTES = 200 };

/* As stock.py reads them where processes share them: 64-bit numbers in this order. */
struct counts {
    atomic_uint_least64_t entered; /* pre_route ran */
    atomic_uint_least64_t left;    /* complete ran, and pre_route before it */
    atomic_uint_least64_t twice;   /* complete ran again for the same request */
    atomic_uint_least64_t by_reason[CMW_END_REASON_COUNT];
};

/* Who can be resumed, in the process that it waits in. */
struct waiter {
    cmw_engine *engine;
    cmw_token token;
    pid_t process;
};

/* Where processes serve, they share it. */
struct conformance_app {
    struct counts counts;
    const struct conformance_server *server;
    cmw_engine *engine;
    cmw_slot trace;             /* a struct trace */
    cmw_slot loud_in, loud_out; /* each a struct loud */
    cmw_slot counted;           /* uint64_t: bytes of the response's body */
    char *large;
    uint64_t request_ms;            /* the engine's limit */
    uint64_t body_ms, body_idle_ms; /* the chain's, where the engine's cannot be set; */
    uint64_t head_ms;               /* likewise */
    pthread_mutex_t lock;           /* of what follows */
    struct waiter waiters[WAITER_CAP];
    unsigned waiter_count;
};

/* One middleware of the chain: all but its name. */
struct conformance_piece {
    const char *name;
    void (*describe)(struct conformance_app *app, cmw_middleware *mw);
};

enum { CONFORMANCE_PIECES = 10 };
extern const struct conformance_piece conformance_pieces[CONFORMANCE_PIECES];

/* Declare the slots of the chain with the engine. 0 or an error. */
int conformance_declare(struct conformance_app *app, cmw_engine *engine);

/* 1: what the server's handlers answer goes past the engine, and nobody may look at it. */
int conformance_passes_bodies(const cmw_host *host);

/* Where a request has been: "pre,handler,post". */
struct trace {
    int is_complete;
    size_t len;
    char text[TRACE_CAP];
};

/* Of a body that is made loud. */
struct loud {
    cmw_str rest; /* of what came */
    char room[LOUD_BYTES];
};

/* For a source of a response's body: suspend until released. CMW_ERR_AGAIN. */
int conformance_wait(struct conformance_app *app, cmw_ctx *ctx);

/* Append a word to the request's trace. */
void conformance_trace(struct conformance_app *app, cmw_ctx *ctx, cmw_str word);

/* Resume all that wait; how many did. */
unsigned conformance_release(struct conformance_app *app);

#endif /* CMW_CONFORMANCE_APP_H */
