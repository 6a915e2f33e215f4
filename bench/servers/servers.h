/* SPDX-License-Identifier: MIT */
/* What the servers under measurement share: each answers "hello\n", bare or behind a plan. */
#ifndef CMW_BENCH_SERVERS_H
#define CMW_BENCH_SERVERS_H

#include <signal.h>

#include <catzilla/mw.h>

#define HELLO "hello\n"
#define HELLO_TYPE "text/plain; charset=utf-8"

/* One server, from its port to SIGTERM, which is blocked. */
struct bench_server {
    /* The server's own interface alone. */
    int (*serve_bare)(const sigset_t *ending);
    /* The adapter, with bench_hello as handler. */
    int (*serve_plan)(cmw_engine *engine, const sigset_t *ending);
};

/* <program> bare|empty|stack_3|five */
int bench_server_main(int argc, char **argv, const struct bench_server *server);

void bench_say_port(unsigned port);

/* A handler of any adapter. */
int bench_hello(void *self, cmw_ctx *ctx);

#endif /* CMW_BENCH_SERVERS_H */
