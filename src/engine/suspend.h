/* SPDX-License-Identifier: MIT */
/*
 * Suspending: cells, parked requests, deadlines.
 *
 * A token names a cell and a generation. Cells live as long as the engine, so that a token never
 * dangles; a resume touches the cell and the list of its worker, nothing of the request.
 *
 *   engine ── pages ── chunks of 64 cells, each chunk of one worker
 *                          cell: | generation, verdict, state | data | ctx | next |   32 bytes
 *
 *   IDLE ──suspend──> ARMED ──resume──> CLAIMED ──> RESUMED ──worker──> IDLE
 *     ^                 │                              │
 *     └──── ended ──────┘                              └── ended ──> DRAINED ──worker──> IDLE
 *
 * Every way out of ARMED is one compare-and-swap, which decides between a resume and an end. From
 * RESUMED on the cell is in the worker's list until the worker takes it out.
 */
#ifndef CMW_ENGINE_SUSPEND_H
#define CMW_ENGINE_SUSPEND_H

#include <catzilla/context.h>

#include <stdatomic.h>

#include "mutex.h"

struct cmw__entry;
struct cmw__program;

/* A deadline. */
struct cmw__timer {
    uint64_t at_ns;
    cmw_ctx *ctx;
};

struct cmw__cell; /* suspend.c */

/* Cells of an engine: a table of pages of chunks. Readers take no lock. */
enum { CMW__CELLS_CHUNK = 64, CMW__CELLS_PAGE = 256, CMW__CELLS_PAGES = 256 };
struct cmw__cells {
    cmw__mutex lock; /* of growing */
    uint32_t chunk_count;
    _Atomic uint64_t stale; /* resumes that came to nothing */
    _Atomic(struct cmw__cell_page *) pages[CMW__CELLS_PAGES];
};

/* What a worker has of it. Written by its user but for `resumed`. */
struct cmw__waits {
    cmw__mutex host_lock;                /* held while the host is woken or changes */
    _Atomic(struct cmw__cell *) resumed; /* cells that were resumed, newest first */
    uint32_t free_cells;                 /* index + 1, linked by `next_free` */
    uint32_t parked_count;
    struct cmw__timer *timers; /* a heap: the earliest first */
    uint32_t timer_count, timer_cap;
    uint64_t armed_at; /* what the host's timer was set to; 0: nothing */
};

/* Where a request waits. */
struct cmw__parked {
    const struct cmw__program *program; /* NULL: for the source of its response's body */
    const struct cmw__entry *entry;     /* whose callback suspended */
    uint64_t generation;
    uint32_t cell; /* if ARMED */
};

int cmw__cells_init(struct cmw__cells *cells);
void cmw__cells_destroy(cmw_engine *engine);

/* Who is to be woken: waits until a waking that goes on has ended. */
void cmw__worker_set_host(cmw_worker *worker, const cmw_host *host, void *host_self);

int cmw__waits_init(struct cmw__waits *waits);
void cmw__waits_destroy(cmw_worker *worker);

/* 1 if the callback at `entry` has made ready to suspend. */
int cmw__ctx_may_park(const cmw_ctx *ctx, const struct cmw__entry *entry);

/* The callback at `entry` returned CMW_SUSPEND: 1 if it may, and the request is parked. */
int cmw__ctx_park(cmw_ctx *ctx, const struct cmw__program *program, const struct cmw__entry *entry);

/* The source of the response's body has nothing yet: 1 if it made ready to be resumed. */
int cmw__ctx_park_source(cmw_ctx *ctx);

/* The request ends, or goes on without waiting: its token is stale from now on, and what was
 * delivered already is dropped. */
void cmw__ctx_disarm(cmw_ctx *ctx);

/* Set the host's timer to the earliest deadline, unless it is. */
void cmw__worker_arm(cmw_worker *worker);

/* Give up what is past its deadline, and set the host's timer: how many went on. */
size_t cmw__worker_run_deadlines(cmw_worker *worker, uint64_t now_ns);

/* Begin the handler's time, which a flag asks for: 0 or CMW_ERR_NOMEM. */
int cmw__ctx_time_handler(cmw_ctx *ctx);
/* It is not the handler's turn after all: its time begins anew later. */
void cmw__ctx_stop_handler(cmw_ctx *ctx);

/* Take its deadline out of the heap. */
void cmw__ctx_forget_deadline(cmw_ctx *ctx);

#endif /* CMW_ENGINE_SUSPEND_H */
