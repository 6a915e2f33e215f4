/* SPDX-License-Identifier: MIT */
/*
 * H2O (libh2o-evloop 2.2): a plan in front of a handler of one's own, of H2O's handlers, or both.
 *
 *     h2o_config_init(&config);                 // hosts, paths, handlers, filters, loggers; then:
 *     cmw_h2o_create(&adapter, engine, handler, self);
 *     cmw_h2o_attach(adapter, &config);
 *     h2o_context_init(&context, loop, &config);  // in each thread, for its loop
 *     while (h2o_evloop_run(loop, INT32_MAX) == 0 || errno == EINTR)
 *         ;
 *     cmw_h2o_detach(adapter, &context);
 *     cmw_h2o_destroy(adapter);
 *
 * Each H2O context has a worker of its own. The adapter polls the engine from a timer of the loop.
 *
 * <h2o.h> is not included here: it takes libuv's loop unless H2O_USE_LIBUV is 0 (the .pc file and
 * the CMake target say so), and needs more than ISO C (_GNU_SOURCE).
 *
 * H2O 2.2 reads the whole body before it calls anyone: a request is refused only after its upload.
 * It answers by itself, without the plan's fields, what it cannot parse, and heads of more than 100
 * fields or 400 KiB (400). Its other errors have them. A head that takes longer than
 * cmw_worker_head_ms ends its connection, over HTTP/1.
 */
#ifndef CATZILLA_ADAPTER_H2O_H
#define CATZILLA_ADAPTER_H2O_H

#include <catzilla/mw.h>

CMW_BEGIN_DECLS

/* H2O's, as <h2o.h> has them: h2o_globalconf_t, h2o_context_t, h2o_req_t. */
struct st_h2o_globalconf_t;
struct st_h2o_context_t;
struct st_h2o_req_t;

/** The adapter of one engine and one H2O configuration. */
typedef struct cmw_h2o cmw_h2o;

/** What a handler returns to let H2O's next handler answer: files, a proxy, the program's own. */
#define CMW_H2O_PASS 1

/**
 * Answer a request that passed pre_route, or pass it on.
 *
 * The body is whole (cmw_request_body). Fills cmw_ctx_response; route by cmw_request_path, which is
 * the path that conditions matched.
 *
 * @return 0; CMW_H2O_PASS; anything else for a failure (500 unless an error callback answers)
 * Threads: the loop's; those of several loops at once
 */
typedef int cmw_h2o_handler_fn(void *self, cmw_ctx *ctx);

/**
 * Make an adapter and attach it to the engine as a host.
 *
 * @param[out] out      the adapter; unchanged on failure
 * @param      handler  answers what the plan lets through; NULL: everything is passed on
 * @param      self     handed to it
 * @return              0; CMW_ERR_ARG; CMW_ERR_UNSUPPORTED if the installed plan needs what H2O
 *                      lacks; CMW_ERR_NOMEM
 * Ownership:           the caller's; cmw_h2o_destroy
 * Cost:                allocates
 * Since:               0.1
 */
CMW_API CMW_NODISCARD int cmw_h2o_create(cmw_h2o **out, cmw_engine *engine,
                                         cmw_h2o_handler_fn *handler, void *self);

/**
 * Take part in every path of every host that is configured by now: as the first handler, the last
 * filter and the last logger. To be called last, before any context is made.
 *
 * @param config  borrowed until its contexts are disposed
 * @return        0; CMW_ERR_ARG; CMW_ERR_STATE if an adapter takes part already, or this one
 *                elsewhere
 * Cost:          allocates, in H2O's memory; a request then calls no allocator of the engine's when
 *                warm
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_h2o_attach(cmw_h2o *adapter, struct st_h2o_globalconf_t *config);

/**
 * The worker of an H2O context.
 *
 * @return NULL if h2o_context_init found none, or no memory: the context then answers 503
 * Threads: any
 * Since:   0.1
 */
CMW_API cmw_worker *cmw_h2o_worker(cmw_h2o *adapter, const struct st_h2o_context_t *context);

/**
 * End what is open in a context, with CMW_END_SHUTDOWN, and give its worker back.
 *
 * H2O cannot dispose of a context that has connections, and has no call that closes them:
 * h2o_context_dispose asserts that there are none. It detaches as this does; a program that ends
 * with connections open calls this instead. The loop is not run afterwards.
 *
 * Threads: the context's, or after it has ended
 * Since:   0.1
 */
CMW_API void cmw_h2o_detach(cmw_h2o *adapter, struct st_h2o_context_t *context);

/**
 * Requests of a context that are open: 0 when all are answered. For a graceful end: close the
 * listeners, h2o_context_request_shutdown, run the loop until this is 0, cmw_h2o_detach.
 *
 * Threads: the context's
 * Since:   0.1
 */
CMW_API uint32_t cmw_h2o_open_requests(cmw_h2o *adapter, const struct st_h2o_context_t *context);

/**
 * Destroy the adapter; NULL is ignored.
 *
 * @return 0; CMW_ERR_STATE while one of its contexts is not detached: nothing is destroyed
 * Since:  0.1
 */
CMW_API int cmw_h2o_destroy(cmw_h2o *adapter);

/** The request of a context (h2o_req_t), for what H2O alone knows. It is answered by the adapter.
 */
CMW_API struct st_h2o_req_t *cmw_h2o_request(cmw_ctx *ctx);

/**
 * The context of a request, for handlers and loggers of H2O's side: who the user is, for example.
 *
 * @return NULL before the adapter's handler has seen it, and after its end
 * Threads: the loop's
 * Cost:    some ten instructions
 */
CMW_API cmw_ctx *cmw_h2o_ctx(const struct st_h2o_req_t *request);

/** What H2O can do: the table that the adapter attaches to its engine. Static. */
CMW_API const cmw_host *cmw_h2o_host(void);

CMW_END_DECLS

#endif /* CATZILLA_ADAPTER_H2O_H */
