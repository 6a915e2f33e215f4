/* SPDX-License-Identifier: MIT */
/*
 * Server-sent events, in a library of its own (libcatzilla-mw-sse).
 *
 *     handler:      cmw_sse_open(ctx, &stream, NULL);        answers; keeps the stream
 *     any thread:   cmw_sse_send(stream, &event);            any number of times
 *     at the end:   cmw_sse_close(stream); cmw_sse_release(stream);
 *
 * Between events the response is suspended and costs its context and the stream's buffer. The
 * server must stream and suspend (CMW_CAP_STREAM_RESPONSE_BODY, CMW_CAP_SUSPEND): where it cannot,
 * the response is a 500.
 */
#ifndef CATZILLA_COMPONENT_SSE_H
#define CATZILLA_COMPONENT_SSE_H

#include <catzilla/context.h>

CMW_BEGIN_DECLS

/** One client that listens. Counted; may be used from any thread. */
typedef struct cmw_sse cmw_sse;

/** What happens when a client takes less than is sent. */
typedef enum cmw_sse_slow {
    CMW_SSE_SLOW_CLOSE = 0, /**< it is cut off, and comes back with Last-Event-ID */
    CMW_SSE_SLOW_DROP = 1   /**< events that do not fit are dropped */
} cmw_sse_slow;

/** Options. Clear with cmw_sse_config_init. */
typedef struct cmw_sse_config {
    size_t size;          /**< set by cmw_sse_config_init */
    int64_t buffer_bytes; /**< that may wait for the client, 256 to 16 MiB. Default 16 KiB */
    int64_t heartbeat_ms; /**< after so much silence a comment is sent, by cmw_engine_poll; 0:
                             never. Default 15,000 */
    int64_t retry_ms;     /**< after which the client is to come back; 0: not said. Default 0 */
    int slow;             /**< cmw_sse_slow. Default: closed */
    uint64_t (*clock_ns)(void *self); /**< monotonic, for heartbeats; NULL: the system's */
    void *clock_self;
} cmw_sse_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_sse_config_init(cmw_sse_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->buffer_bytes = 16384;
    config->heartbeat_ms = 15000;
}

/** An event: empty members are left out. */
typedef struct cmw_sse_event {
    cmw_str data;  /**< any text; each of its lines becomes one field */
    cmw_str event; /**< its type, without line ends */
    cmw_str id;    /**< without line ends or NUL */
} cmw_sse_event;

/**
 * Answer with a stream of events: 200, `text/event-stream`, `Cache-Control: no-store`.
 *
 * @param[out] out     the stream, the caller's: cmw_sse_release; unchanged on failure
 * @param      config  NULL: the defaults
 * @return             0; CMW_ERR_ARG for a value out of range; CMW_ERR_STATE after commit;
 *                     CMW_ERR_NOMEM; CMW_ERR_VERSION; CMW_ERR_IO without a lock
 * Threads:            the context's worker; the stream then from any
 * Cost:               allocates the stream with its buffer
 * Source:             WHATWG HTML, 9.2
 * Since:              0.1
 */
CMW_API CMW_NODISCARD int cmw_sse_open(cmw_ctx *ctx, cmw_sse **out, const cmw_sse_config *config);

/**
 * Send an event.
 *
 * @return 0; CMW_ERR_LIMIT if it does not fit (it is dropped, and if slow clients are closed, the
 *         stream ends); CMW_ERR_STALE if the client has left or the stream was closed;
 *         CMW_ERR_INVALID for a line end in `event` or `id`
 * Threads: any, until released
 * Cost:    O(len), one lock, no allocation; wakes the worker if the client waits
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_sse_send(cmw_sse *stream, const cmw_sse_event *event);

/**
 * Which event a client that comes back saw last: the value of Last-Event-ID.
 *
 * What is given could be the `id` of an event. It is the client's word all the same: look it up,
 * and expect one that never was.
 *
 * @param[out] id  borrowed from the request; empty if the client says nothing; unchanged on failure
 * @return         0; CMW_ERR_INVALID for several fields or control bytes
 * Threads:        the context's worker
 * Cost:           O(fields + id.len), no allocation
 * Source:         WHATWG HTML, 9.2.4
 * Since:          0.1
 */
CMW_API CMW_NODISCARD int cmw_sse_last_event_id(cmw_ctx *ctx, cmw_str *id);

/** End the stream once what was sent is taken. Any thread; again: nothing happens. */
CMW_API void cmw_sse_close(cmw_sse *stream);

/** 1 if the request has ended: the client left, was cut off, or took everything after a close. */
CMW_API int cmw_sse_has_ended(cmw_sse *stream);

/** Let go of the stream, before its engine is destroyed; NULL is ignored. Any thread. */
CMW_API void cmw_sse_release(cmw_sse *stream);

CMW_END_DECLS

#endif /* CATZILLA_COMPONENT_SSE_H */
