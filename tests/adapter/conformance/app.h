/* SPDX-License-Identifier: MIT */
/* What chain and handler share. */
#ifndef CMW_CONFORMANCE_APP_H
#define CMW_CONFORMANCE_APP_H

#include <pthread.h>
#include <stdatomic.h>

#include "conformance.h"

#define LEN(array) (sizeof(array) / sizeof *(array))

enum { LARGE_BYTES = 16 << 20, TOKEN_CAP = 64, TRACE_CAP = 128 };

struct conformance_app {
    const struct conformance_server *server;
    cmw_engine *engine;
    cmw_slot trace; /* a struct trace */
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

/* Append a word to the request's trace. */
void conformance_trace(struct conformance_app *app, cmw_ctx *ctx, cmw_str word);

/* Resume all that wait; how many did. */
unsigned conformance_release(struct conformance_app *app);

#endif /* CMW_CONFORMANCE_APP_H */
