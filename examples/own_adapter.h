/* SPDX-License-Identifier: MIT */
/* The adapter for own_http.h: a plan in front of a handler. */
#ifndef OWN_ADAPTER_H
#define OWN_ADAPTER_H

#include <catzilla/mw.h>

#include "own_http.h"

/* Answers what the plan lets through. 0, or anything else for a failure. Several threads at once.
 */
typedef int own_handler_fn(void *self, cmw_ctx *ctx);

struct own_adapter {
    cmw_engine *engine;
    own_handler_fn *handler;
    void *handler_self;
    uint64_t drain_bytes; /* of a refused body are read, so that the connection goes on */
    cmw_worker *spare;    /* answers overload for threads without a worker; under lock */
    pthread_mutex_t lock;
};

/* Attach the server to an engine and fill in its functions; then it can start. 0 or CMW_ERR_*. */
int own_adapter_init(struct own_adapter *adapter, struct http_server *server, cmw_engine *engine,
                     own_handler_fn *handler, void *self);

/* After http_stop. */
void own_adapter_deinit(struct own_adapter *adapter);

/* What the server can do. */
const cmw_host *own_adapter_host(void);

/* The connection of a context. */
struct http_conn *own_adapter_conn(cmw_ctx *ctx);

#endif /* OWN_ADAPTER_H */
