/* SPDX-License-Identifier: MIT */
/*
 * Where lines go: a ring for each worker, and the one output that all of them are written to. A
 * sink is kept across reloads while name, output, ring size and style stay the same.
 */
#ifndef CMW_BUILTIN_LOG_SINK_H
#define CMW_BUILTIN_LOG_SINK_H

#include <catzilla/builtin/access_log.h>
#include <catzilla/mw.h>

#include "log_ring.h"

enum cmw__log_target { CMW__LOG_FD, CMW__LOG_FILE, CMW__LOG_SYSLOG, CMW__LOG_CALLBACK };

/* How a sink says that lines were lost. */
enum cmw__log_style { CMW__LOG_STYLE_TEXT, CMW__LOG_STYLE_JSON, CMW__LOG_STYLE_LOGFMT };

struct cmw__log_sink_config {
    cmw_engine *engine;
    const char *name; /* of the instance */
    size_t ring_bytes;
    enum cmw__log_target target;
    int number;       /* the descriptor, or the facility */
    const char *path; /* of CMW__LOG_FILE, else "" */
    cmw_write_fn *write;
    void *write_self;
    int writer; /* cmw_access_log_writer */
    enum cmw__log_style style;
};

struct cmw__log_sink;

/* The sink of this shape: the one that is there, or a new one. 0; CMW_ERR_NOMEM; CMW_ERR_IO with
 * the system's number in `*why`: the file cannot be opened. */
int cmw__log_sink_retain(struct cmw__log_sink **out, const struct cmw__log_sink_config *config,
                         int *why);
/* Count down; the last one writes what is left and closes. NULL is ignored. */
void cmw__log_sink_release(struct cmw__log_sink *sink);

/* The rings by worker: each is set once, by its worker. */
typedef _Atomic(struct cmw__log_ring *) cmw__log_rings;
cmw__log_rings *cmw__log_sink_rings(struct cmw__log_sink *sink);
/* Make a worker's ring; NULL: the line is lost, and counted. */
struct cmw__log_ring *cmw__log_sink_add_ring(struct cmw__log_sink *sink, uint32_t worker);

/* Write what waits, as far as the output takes it; how many writes that were. A cmw_poll_fn. */
size_t cmw__log_sink_drain(void *self);

#endif /* CMW_BUILTIN_LOG_SINK_H */
