/* SPDX-License-Identifier: MIT */
/* A server that `serve` can run a plan on. */
#ifndef CMW_TOOL_SERVER_H
#define CMW_TOOL_SERVER_H

#include <catzilla/mw.h>

/* Answers what the plan lets through; 0, or anything else for a failure. Several threads at once.
 */
typedef int server_handler_fn(void *self, cmw_ctx *ctx);

struct server_config {
    cmw_engine *engine;
    server_handler_fn *handler;
    void *self;
    cmw_address address; /* start sets the port that was taken */
    unsigned threads;
};

/* One adapter. Its server runs in threads of its own. */
struct server {
    const char *name;
    /* Listen and serve. 0 with an object for the others, or an error with a sentence. */
    int (*start)(void **object, struct server_config *config, cmw_diag *diag);
    /* Take no more connections. */
    void (*quiesce)(void *object);
    /* Close what is open and end. */
    void (*stop)(void *object);
};

extern const struct server server_microhttpd;

#endif /* CMW_TOOL_SERVER_H */
