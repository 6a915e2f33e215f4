/* SPDX-License-Identifier: MIT */
/*
 * Requests that wait.
 *
 * Where the daemon allows it (MHD_ALLOW_SUSPEND_RESUME, no thread for each connection), the
 * connection is suspended. A wake resumes one suspended connection of the seat, whose handler then
 * runs the worker on the daemon's thread; each request that goes on there is resumed in its turn,
 * and the first one suspended again if it is not among them. One that breaks before its handler is
 * called passes the wake on:
 *
 *   cmw_resume ──wake──> MHD_resume_connection(one) ──> its handler: cmw_worker_run
 *                                                         ├─ went on: MHD_resume_connection(it)
 *                                                         └─ itself not: suspended again
 *
 * Elsewhere the thread waits itself, on a condition variable.
 */
#ifndef CMW_MICROHTTPD_WAIT_H
#define CMW_MICROHTTPD_WAIT_H

#include "seat.h"

/* The functions of the host's table; `self` is a seat. */
void cmw__wait_wake(void *self);
void cmw__wait_arm(void *self, uint64_t at_ns);
void cmw__wait_proceed(void *self, cmw_ctx *ctx, int next);

/* 0 or CMW_ERR_NOMEM. */
int cmw__waits_open(struct seat *seat);
void cmw__waits_close(struct seat *seat);

/*
 * The request is suspended. 1: it has gone on meanwhile, as `next_step` says; 0: its connection is
 * suspended, and the handler will be called again. With `must_block` it is always 1.
 */
int cmw__wait_begin(struct request *req, int must_block);

/* The handler was called again for a request that waits: as above. */
int cmw__wait_look(struct request *req);

/* Deadlines that are past, of requests that wait for nothing but their body or their handler. */
void cmw__wait_catch_up(struct seat *seat);

/* The request ends: it is in no list any more. */
void cmw__wait_leave(struct request *req);

/* Give up who waits, now and from now on. From any thread. */
void cmw__wait_stop(struct seats *all);

/* Have the thread that deadlines need look what is due: 0, or CMW_ERR_NOMEM without a thread. */
int cmw__ticker_start(struct seats *all);

/* End it. */
void cmw__ticker_stop(struct seats *all);

#endif /* CMW_MICROHTTPD_WAIT_H */
