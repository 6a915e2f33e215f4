/* SPDX-License-Identifier: MIT */
/* What chain and handler share. */
#ifndef CMW_CONFORMANCE_APP_H
#define CMW_CONFORMANCE_APP_H

#include <pthread.h>
#include <stdatomic.h>

#include "conformance.h"

#define LEN(array) (sizeof(array) / sizeof *(array))

enum { LARGE_BYTES = 16 << 20, TOKEN_CAP = 64, TRACE_CAP = 128, LOUD_BYTES = 200 };

struct conformance_app {
    const struct conformance_server *server;
    cmw_engine *engine;
    cmw_slot trace;             /* a struct trace */
    cmw_slot loud_in, loud_out; /* each a struct loud */
    char *large;
    uint64_t request_ms;           /* the engine's limit */
    atomic_uint_least64_t entered; /* pre_route ran */
    atomic_uint_least64_t left;    /* complete ran, and pre_route before it */
    atomic_uint_least64_t twice;   /* complete ran again for the same request */
    atomic_uint_least64_t by_reason[CMW_END_REASON_COUNT];
    pthread_mutex_t lock; /* of what follows */
    cmw_token tokens[TOKEN_CAP];
    unsigned token_count;
};

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
