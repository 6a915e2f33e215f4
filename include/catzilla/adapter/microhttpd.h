/* SPDX-License-Identifier: MIT */
/*
 * libmicrohttpd: a plan in front of a handler, in any of its threading modes.
 *
 *     cmw_mhd_create(&mhd, engine, handler, self, NULL);
 *     daemon = MHD_start_daemon(flags, port, NULL, NULL, cmw_mhd_on_request, mhd,
 *                               MHD_OPTION_ARRAY, cmw_mhd_options(mhd), MHD_OPTION_END);
 *     ...
 *     MHD_stop_daemon(daemon);
 *     cmw_mhd_destroy(mhd);
 *
 * Sockets, threads, TLS and limits of the daemon stay its own options. Each of its threading modes
 * works; a daemon with an external loop is run by one thread.
 *
 * Middleware that suspends parks its connection where the daemon was started with
 * MHD_ALLOW_SUSPEND_RESUME; without it, and with a thread for each connection, the thread waits.
 * libmicrohttpd neither times out a suspended connection nor notices that its client left: give
 * such requests a deadline (cmw_limits.request_ms, cmw_ctx_set_deadline), for which the adapter
 * starts one thread. The same thread ends connections whose heads come too slowly
 * (cmw_worker_head_ms): on Linux, over TCP.
 *
 * What libmicrohttpd refuses by itself (a head that it cannot parse, one beyond its connection's
 * memory) it answers by itself: no callback runs and no field of the plan is on that answer.
 * With epoll, libmicrohttpd 0.9.75 can miss a client that leaves in its upload, until the
 * connection times out (CMW_END_DEADLINE): set MHD_OPTION_CONNECTION_TIMEOUT, which is off by
 * default. MHD_stop_daemon ends open requests with CMW_END_SHUTDOWN; with a thread for each
 * connection it breaks their connections instead, which may show as CMW_END_CLIENT_GONE or
 * CMW_END_ERROR.
 */
#ifndef CATZILLA_ADAPTER_MICROHTTPD_H
#define CATZILLA_ADAPTER_MICROHTTPD_H

#include <microhttpd.h>

#include <catzilla/mw.h>

CMW_BEGIN_DECLS

/** The adapter of one engine. Serves any number of daemons, from all their threads. */
typedef struct cmw_mhd cmw_mhd;

/**
 * Answer a request that passed pre_route.
 *
 * Called once the body is whole (cmw_request_body). Fills cmw_ctx_response; route by
 * cmw_request_path, which is the path that conditions matched.
 *
 * @return 0, or anything else for a failure (500 unless an error callback answers)
 * Threads: one of the daemon's; several at once in its pooled modes
 */
typedef int cmw_mhd_handler_fn(void *self, cmw_ctx *ctx);

/** Options of the adapter. Clear with cmw_mhd_config_init. */
typedef struct cmw_mhd_config {
    size_t size;          /**< set by cmw_mhd_config_init */
    int is_https;         /**< 1: the scheme is https even without MHD_USE_TLS (a TLS proxy in front
                               that strangers cannot go around). Default 0 */
    uint64_t drain_bytes; /**< of the body of a refused request are read and thrown away, so that
                               the connection goes on and the client surely reads the answer. A
                               body declared longer, or announced by `Expect: 100-continue`, is not
                               read: the answer goes out at once and the connection closes. An
                               undeclared one that grows longer is cut off. Default 4 MiB */
} cmw_mhd_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_mhd_config_init(cmw_mhd_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->drain_bytes = (uint64_t)4 << 20;
}

/**
 * Make an adapter and attach it to the engine as a host.
 *
 * @param[out] out      the adapter; unchanged on failure
 * @param      handler  answers what the plan lets through
 * @param      self     handed to it
 * @param      config   NULL: the defaults
 * @return              0; CMW_ERR_ARG; CMW_ERR_UNSUPPORTED if the installed plan needs what
 *                      libmicrohttpd lacks; CMW_ERR_VERSION; CMW_ERR_LIMIT if the engine lends no
 *                      more workers; CMW_ERR_NOMEM; CMW_ERR_IO if the system has no thread key left
 * Ownership:           the caller's; cmw_mhd_destroy after the daemons have stopped, before the
 *                      engine is destroyed
 * Threads:             any
 * Cost:                allocates. A thread takes a worker with its first request and puts it back
 *                      when it ends; one more worker is kept for answering overload
 * Since:               0.1
 */
CMW_API CMW_NODISCARD int cmw_mhd_create(cmw_mhd **out, cmw_engine *engine,
                                         cmw_mhd_handler_fn *handler, void *self,
                                         const cmw_mhd_config *config);

/** Destroy an adapter whose daemons have stopped, and put its workers back; NULL is ignored. */
CMW_API void cmw_mhd_destroy(cmw_mhd *mhd);

/**
 * Give up all requests that wait, and those that will: they are answered 503.
 *
 * To be called before MHD_stop_daemon, which must not find suspended connections. cmw_mhd_serve
 * does it by itself.
 *
 * Threads: any
 * Since:   0.1
 */
CMW_API void cmw_mhd_give_up_waiting(cmw_mhd *mhd);

/**
 * What MHD_start_daemon needs besides cmw_mhd_on_request: the value for MHD_OPTION_ARRAY.
 *
 * It takes MHD_OPTION_URI_LOG_CALLBACK, MHD_OPTION_NOTIFY_COMPLETED and
 * MHD_OPTION_NOTIFY_CONNECTION: do not set them again. A daemon without these options answers every
 * request 503.
 *
 * Ownership: the adapter's
 * Since:     0.1
 */
CMW_API struct MHD_OptionItem *cmw_mhd_options(cmw_mhd *mhd);

/**
 * The access handler for MHD_start_daemon; its closure is the adapter.
 *
 * A response that libmicrohttpd refuses (a status below 200, memory) closes the connection.
 *
 * Cost:  no allocator call of ours when warm; libmicrohttpd allocates its own response
 * Since: 0.1
 */
CMW_API enum MHD_Result cmw_mhd_on_request(void *mhd, struct MHD_Connection *connection,
                                           const char *url, const char *method, const char *version,
                                           const char *upload_data, size_t *upload_data_size,
                                           void **request);

/**
 * Serve until SIGINT or SIGTERM: for a program that does nothing else.
 *
 * Makes an adapter and a daemon with epoll in a thread of its own, writes one line "listening on
 * http://ADDRESS:PORT" to stdout, calls cmw_engine_poll ten times a second, and when it is told to
 * stop, takes no new connection and gives the open ones a second to finish. The two signals stay
 * blocked in the calling thread, and in threads that it makes afterwards.
 *
 * @param address  "127.0.0.1:8080", "[::1]:8080"; port 0: any free one
 * @param diag     why it could not begin, or NULL
 * @return         0 when it was told to stop; CMW_ERR_ARG for a bad address; CMW_ERR_IO if it
 *                 cannot listen there; else as cmw_mhd_create
 * Threads:        one that no other signal handling is to happen on; call it before others are made
 * Since:          0.1
 */
CMW_API CMW_NODISCARD int cmw_mhd_serve(cmw_engine *engine, const char *address,
                                        cmw_mhd_handler_fn *handler, void *self, cmw_diag *diag);

/** What libmicrohttpd can do: the table that the adapter attaches to its engine. Static. */
CMW_API const cmw_host *cmw_mhd_host(void);

/** The connection of a context, for what libmicrohttpd alone knows (TLS session, socket). */
CMW_API struct MHD_Connection *cmw_mhd_connection(cmw_ctx *ctx);

CMW_END_DECLS

#endif /* CATZILLA_ADAPTER_MICROHTTPD_H */
