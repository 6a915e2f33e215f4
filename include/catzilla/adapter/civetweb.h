/* SPDX-License-Identifier: MIT */
/*
 * civetweb: a plan in front of a handler, on its pool of blocking threads.
 *
 *     cmw_civetweb_config_init(&config);
 *     config.options = options;              // "listening_ports", "8080", ..., NULL
 *     config.handler = answer;
 *     cmw_civetweb_start(&adapter, engine, &config, &diag);
 *     ...
 *     cmw_civetweb_stop(adapter);
 *
 * Every request is answered by the adapter: civetweb's own files, handlers and websockets are not
 * reached. A request that waits holds its thread. Nobody polls the engine: call cmw_engine_poll
 * some times a second, for example from the thread that started it.
 *
 * civetweb passes on no more than 64 header fields; a request with more is answered 431, one with a
 * folded line or with lines that end with LF alone 400, since civetweb hides what follows. It knows
 * a fixed list of methods (TRACE and those of strangers are answered 400), closes the connection of
 * `OPTIONS *` without an answer, and gives no time limit to a whole request. Its own errors carry
 * the plan's fields.
 */
#ifndef CATZILLA_ADAPTER_CIVETWEB_H
#define CATZILLA_ADAPTER_CIVETWEB_H

#include <civetweb.h>

#include <catzilla/mw.h>

CMW_BEGIN_DECLS

/** civetweb, started with a plan in front. */
typedef struct cmw_civetweb cmw_civetweb;

/**
 * Answer a request that passed pre_route.
 *
 * The body is whole (cmw_request_body). Fills cmw_ctx_response; route by cmw_request_path, which is
 * the path that conditions matched.
 *
 * @return 0, or anything else for a failure (500 unless an error callback answers)
 * Threads: one of civetweb's; several at once
 */
typedef int cmw_civetweb_handler_fn(void *self, cmw_ctx *ctx);

/** How to start it. Clear with cmw_civetweb_config_init. */
typedef struct cmw_civetweb_config {
    size_t size;                      /**< set by cmw_civetweb_config_init */
    cmw_civetweb_handler_fn *handler; /**< answers what the plan lets through. Required */
    void *handler_self;               /**< handed to it */
    const char *const *options; /**< civetweb's: names and values in turn, then NULL. Keep-alive
                                     is off unless "enable_keep_alive" is "yes". "decode_url" is
                                     the adapter's, which needs the target as it came */
    const struct mg_callbacks *callbacks; /**< the program's own, or NULL. begin_request,
                                             http_error, init_thread and exit_thread are the
                                             adapter's: they must be NULL */
    uint64_t drain_bytes; /**< of the body of a refused request are read and thrown away, so that
                             the connection goes on. A body declared longer, or announced by
                             `Expect: 100-continue`, is not read: the answer goes out at once and
                             the connection closes. Default 4 MiB */
} cmw_civetweb_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_civetweb_config_init(cmw_civetweb_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->drain_bytes = (uint64_t)4 << 20;
}

/**
 * Start civetweb with the plan in front, and attach it to the engine as a host.
 *
 * @param[out] out   the server; unchanged on failure
 * @param      diag  why it did not start, or NULL
 * @return           0; CMW_ERR_ARG; CMW_ERR_UNSUPPORTED if the installed plan needs what civetweb
 *                   lacks; CMW_ERR_VERSION; CMW_ERR_LIMIT if civetweb has as many threads
 * ("num_threads", 50) as the engine has workers; CMW_ERR_NOMEM; CMW_ERR_IO if civetweb refuses
 * Ownership:        the caller's; cmw_civetweb_stop
 * Threads:          any
 * Cost:             allocates; each thread takes a worker, and one is kept for answering overload
 * Since:            0.1
 */
CMW_API CMW_NODISCARD int cmw_civetweb_start(cmw_civetweb **out, cmw_engine *engine,
                                             const cmw_civetweb_config *config, cmw_diag *diag);

/**
 * From now on, close each connection after its next answer: before stopping, so that requests in
 * flight end and no new ones follow them. civetweb itself listens until it is stopped.
 *
 * Threads: any
 * Since:   0.1
 */
CMW_API void cmw_civetweb_quiesce(cmw_civetweb *adapter);

/**
 * Stop it: open requests end with CMW_END_SHUTDOWN, those that wait are given up. NULL is ignored.
 *
 * Threads: one that is not civetweb's; before cmw_engine_destroy
 * Cost:    waits for civetweb's threads, which look every two seconds
 * Since:   0.1
 */
CMW_API void cmw_civetweb_stop(cmw_civetweb *adapter);

/** civetweb's own context: for mg_get_server_ports and its like. It is stopped by the adapter. */
CMW_API struct mg_context *cmw_civetweb_context(cmw_civetweb *adapter);

/** The connection of a context, for what civetweb alone knows. It is read and written by the
 * adapter. */
CMW_API struct mg_connection *cmw_civetweb_connection(cmw_ctx *ctx);

/** What civetweb can do: the table that the adapter attaches to its engine. Static. */
CMW_API const cmw_host *cmw_civetweb_host(void);

CMW_END_DECLS

#endif /* CATZILLA_ADAPTER_CIVETWEB_H */
