/* SPDX-License-Identifier: MIT */
/*
 * The suite's handler behind a server that makes its responses by itself (nginx, httpd): there it
 * is a handler of the server like any other. It has an engine of its own, without middleware, and
 * what it makes in a context of that is given to the server as the server's own response. What it
 * says of the chain it reads from the request's context in the adapter.
 */
#ifndef CMW_CONFORMANCE_BACKEND_H
#define CMW_CONFORMANCE_BACKEND_H

#include "conformance.h"

/* One request. */
struct job;

/* `chain`: the adapter's context of the request. NULL: no memory. */
struct job *job_begin(struct conformance_app *app, cmw_ctx *chain, cmw_str method, cmw_str target);

/* A piece of the body, in order. 0 or an error. */
int job_receive(struct job *job, cmw_str bytes);

/* Run the handler. NULL: it has failed. */
const cmw_response *job_run(struct job *job);

/* The next piece of the response's body, as cmw_ctx_read_body. */
int job_read(struct job *job, cmw_chunk *chunk);

/* After CMW_ERR_AGAIN: 1 if there may be more by now. */
int job_look(struct job *job);

/* NULL is ignored. */
void job_end(struct job *job);

/* The chain's context, of the handler's: for struct conformance_server. */
cmw_ctx *job_chain(cmw_ctx *ctx);

/* ---- kinds.c ------------------------------------------------------------------------------ */

/* What the module says of its server. */
const struct conformance_server *conformance_server_of_module(void);

/* The chain under test, once the server has read its configuration; else NULL. */
struct conformance_app *conformance_app_of_module(void);

#endif /* CMW_CONFORMANCE_BACKEND_H */
