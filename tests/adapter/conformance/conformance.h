/* SPDX-License-Identifier: MIT */
/*
 * What each adapter's test server shares: the engine, the chain under test, the handler, and what
 * is printed for run.py. A server is a table and a function that serves; see microhttpd_server.c.
 */
#ifndef CMW_CONFORMANCE_H
#define CMW_CONFORMANCE_H

#include <catzilla/mw.h>

#include <signal.h>
#include <stdio.h>

/* The handler of every adapter has this type. */
typedef int conformance_handler(void *self, cmw_ctx *ctx);

/* What the server is run with; the limits that run.py counts on. */
enum {
    CONFORMANCE_BODY_LIMIT = 1 << 20,  /* the engine's */
    CONFORMANCE_DRAIN_BYTES = 2 << 20, /* of a refused body, where the adapter bounds it */
    CONFORMANCE_HEAD_BYTES = 64 << 10, /* the server's own limit of a head, where it has one */
    CONFORMANCE_WORKERS = 32
};

/* One run: what a server is given, and what it says. */
struct conformance_run {
    cmw_engine *engine;
    conformance_handler *handler; /* with `self`, for the adapter */
    void *self;
    const char *mode;
    unsigned idle_s; /* that a client may take for its next byte, where the server has a limit */
    int is_overload; /* few contexts, so that the suite can use them up */
    sigset_t ending; /* SIGTERM, blocked: for sigwait and its like */
};

struct conformance_server {
    const char *name;
    const cmw_host *host;           /* the adapter's own table */
    const char *const *traits;      /* what run.py has to know beside the capabilities; NULL ends */
    int (*owns_context)(cmw_ctx *); /* its own objects can be had from a context */
    /* The chain's context, where the handler has another of its own; or NULL: it is the same. */
    cmw_ctx *(*chain_context)(cmw_ctx *);
    /* Serve on 127.0.0.1, call conformance_say_port, return when SIGTERM has come. */
    int (*serve)(struct conformance_run *run);
};

/*
 * <program> [MODE [KEY=NUMBER...]]
 *
 * contexts    that a worker may have in flight, few of them: the suite uses them up
 * pool_bytes  that the memory of requests is limited to
 * request_ms  from begin to commit
 * head_ms     for a head, from its first byte on
 * body_ms, body_idle_ms  for a body and each piece of it
 * idle_s      that the server waits for a client; 10 unless given
 *
 * Prints a line of JSON on the server, "port <n>" when it serves and, after SIGTERM, the counts of
 * /_counts as JSON. Returns 0 if the engine could be destroyed, which it cannot while a request or
 * a worker is out.
 */
int conformance_main(int argc, char **argv, const struct conformance_server *server);

void conformance_say_port(unsigned port);

/* ---- chain.c ---- */

struct conformance_app;

/* 0, or what refused; the sentence is in `diag`. */
int conformance_install(struct conformance_app *app, const struct conformance_server *server,
                        cmw_diag *diag);

/* One line: name, capabilities, traits, and what is said to a plan that needs what is lacking. */
void conformance_print_server(FILE *out, const struct conformance_server *server);

/* ---- handler.c ---- */

conformance_handler conformance_handle;

void conformance_print_counts(const struct conformance_app *app);

#endif /* CMW_CONFORMANCE_H */
