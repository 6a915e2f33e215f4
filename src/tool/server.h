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
    uint64_t body_bytes; /* the engine's limit */
};

/* One adapter. Its server runs in threads of its own. */
struct server {
    const char *name;
    unsigned default_threads;
    /* Listen and serve. 0 with an object for the others, or an error with a sentence. */
    int (*start)(void **object, struct server_config *config, cmw_diag *diag);
    /* Take no more connections, as far as the server can. */
    void (*quiesce)(void *object);
    /* Close what is open and end. */
    void (*stop)(void *object);
};

/* server_<name>.c; each is there if its adapter is. */
extern const struct server server_microhttpd, server_evhttp, server_civetweb, server_h2o;

/* Of those that were compiled in: the one of this name, or NULL; without a name the usual one. */
const struct server *server_find(const char *name);

/* "microhttpd, evhttp": all names. Returns `text`. */
#define SERVER_NAMES_CAP 128
const char *server_names(char text[SERVER_NAMES_CAP]);

/* How long a connection may be idle, and how long a head may be: the engine's limits allow less. */
enum { SERVER_IDLE_SECONDS = 30, SERVER_HEAD_BYTES = 256 << 10 };

#endif /* CMW_TOOL_SERVER_H */
