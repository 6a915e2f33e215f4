/* SPDX-License-Identifier: MIT */
/*
 * libevent's evhttp: a plan in front of a handler, on one event loop.
 *
 *     cmw_evhttp_create(&adapter, engine, base, handler, self);
 *     cmw_evhttp_attach(adapter, http, NULL);
 *     event_base_dispatch(base);
 *     ...
 *     cmw_evhttp_destroy(adapter);
 *     evhttp_free(http);
 *
 * One adapter for each thread and its loop; it serves any number of evhttp objects of that loop.
 * The adapter polls the engine from a timer of the loop. The program ignores SIGPIPE, as every one
 * that uses libevent: it writes to clients that have left.
 *
 * evhttp 2.1 reads the whole body before it calls anyone: a request is refused only after its
 * upload, and a client that leaves in it is never seen. It answers by itself, without the plan's
 * fields, what it cannot parse (400), heads and bodies beyond its limits (400, 413), and an Expect
 * that it does not know (417). It does not pass on the name of a method that it does not know:
 * those are answered 501, with the plan's fields. Which requests timed out it does not tell: they
 * end with CMW_END_CLIENT_GONE. While a request waits, it does not notice that its client left.
 */
#ifndef CATZILLA_ADAPTER_EVHTTP_H
#define CATZILLA_ADAPTER_EVHTTP_H

#include <event2/event.h>
#include <event2/http.h>

#include <catzilla/mw.h>

CMW_BEGIN_DECLS

/** The adapter of one engine and one event loop. Used on the loop's thread only. */
typedef struct cmw_evhttp cmw_evhttp;

/**
 * Answer a request that passed pre_route.
 *
 * The body is whole (cmw_request_body). Fills cmw_ctx_response; route by cmw_request_path, which is
 * the path that conditions matched.
 *
 * @return 0, or anything else for a failure (500 unless an error callback answers)
 * Threads: the loop's
 */
typedef int cmw_evhttp_handler_fn(void *self, cmw_ctx *ctx);

/** How one evhttp is served. Clear with cmw_evhttp_config_init. */
typedef struct cmw_evhttp_config {
    size_t size;       /**< set by cmw_evhttp_config_init */
    int is_https;      /**< 1: the scheme is https: its connections are bufferevents with TLS, or a
                            proxy in front that strangers cannot go around speaks it. Default 0 */
    size_t head_bytes; /**< evhttp_set_max_headers_size: what is longer evhttp answers 400 by
                          itself, so it should exceed the engine's `header_bytes`, which are
                          answered 431 with the plan's fields. Default 64 KiB */
    size_t body_bytes; /**< evhttp_set_max_body_size: what is longer evhttp answers 413 by itself,
                          so it should exceed the engine's `body_bytes`. It is held in memory before
                            the plan is asked. Default 4 MiB */
} cmw_evhttp_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_evhttp_config_init(cmw_evhttp_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->head_bytes = (size_t)64 << 10;
    config->body_bytes = (size_t)4 << 20;
}

/**
 * Make an adapter for a loop and attach it to the engine as a host.
 *
 * @param[out] out      the adapter; unchanged on failure
 * @param      base     the loop; must outlive the adapter
 * @param      handler  answers what the plan lets through
 * @param      self     handed to it
 * @return              0; CMW_ERR_ARG; CMW_ERR_UNSUPPORTED if the installed plan needs what evhttp
 *                      lacks; CMW_ERR_LIMIT if the engine lends no more workers; CMW_ERR_NOMEM;
 *                      CMW_ERR_IO if the system has no sockets left
 * Ownership:           the caller's; cmw_evhttp_destroy
 * Threads:             the loop's, or before it runs
 * Cost:                allocates; takes one worker
 * Since:               0.1
 */
CMW_API CMW_NODISCARD int cmw_evhttp_create(cmw_evhttp **out, cmw_engine *engine,
                                            struct event_base *base, cmw_evhttp_handler_fn *handler,
                                            void *self);

/**
 * Serve an evhttp of the loop: everything that it has no other callback for (evhttp_set_gencb).
 *
 * Allows all methods, sets the two limits, and takes away evhttp's own default content type. While
 * a request is open, the close callback of its connection is the adapter's.
 *
 * @param config  NULL: the defaults
 * @return        0; CMW_ERR_ARG; CMW_ERR_VERSION; CMW_ERR_NOMEM
 * Cost:          allocates. A request calls no allocator of the engine's when warm; evhttp
 *                allocates for each request and field
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_evhttp_attach(cmw_evhttp *adapter, struct evhttp *http,
                                            const cmw_evhttp_config *config);

/** Requests that are open: 0 when all are answered, after the listeners were taken away. */
CMW_API uint32_t cmw_evhttp_open_requests(const cmw_evhttp *adapter);

/**
 * Close the connections of open requests, which end with CMW_END_SHUTDOWN, and destroy the adapter;
 * NULL is ignored.
 *
 * Threads: the loop's, or after it has ended; before evhttp_free and cmw_engine_destroy
 * Since:   0.1
 */
CMW_API void cmw_evhttp_destroy(cmw_evhttp *adapter);

/** The request of a context, for what evhttp alone knows. It is answered by the adapter. */
CMW_API struct evhttp_request *cmw_evhttp_request(cmw_ctx *ctx);

/** What evhttp can do: the table that the adapter attaches to its engine. Static. */
CMW_API const cmw_host *cmw_evhttp_host(void);

CMW_END_DECLS

#endif /* CATZILLA_ADAPTER_EVHTTP_H */
