/* SPDX-License-Identifier: MIT */
/*
 * Bodies in pieces: what a host hands in and reads out, how a handler streams, and how a middleware
 * changes a response's body.
 *
 *     request:   host ── cmw_ctx_feed_body ──> request_body callbacks ──> one buffer ──> handler
 *     response:  bytes or source ──> response_body callbacks ── cmw_ctx_read_body ──> host
 *
 * Nothing flows by itself: the host hands in a piece when it has one, and reads one when the client
 * takes more. What lies between holds at most what each callback says it holds.
 */
#ifndef CATZILLA_BODY_H
#define CATZILLA_BODY_H

#include <catzilla/base.h>
#include <catzilla/context.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/* ---- What a host calls ------------------------------------------------------------------ */

/**
 * Hand over a piece of the request's body, in order, and run request_body over it.
 *
 * Called after cmw_ctx_run said CMW_TO_HANDLER, for each piece as it comes, and once with `is_last`
 * set: with the last piece, or with an empty one behind it. A request that declares no body
 * (cmw_request_content_length is 0) needs no call: its callbacks have run then.
 *
 * @param chunk  bytes that are valid during the call; `has_more` is not looked at
 * @return       CMW_TO_HANDLER: give the next piece, or after the last one run the handler;
 *               CMW_TO_RESPOND: the request was answered (413, 503, or by a callback) and
 *               post_route has run: what is left of the body is thrown away; CMW_TO_SUSPENDED: give
 *               nothing until the host's `proceed`, which says how it goes on as this would
 * Threads:      the worker's user
 * Cost:         O(len) and that of the callbacks; no allocator call when warm
 * Since:        0.1
 */
CMW_API cmw_next cmw_ctx_feed_body(cmw_ctx *ctx, const cmw_chunk *chunk);

/**
 * The host answers by itself what it refuses or leads elsewhere before its handler would run: the
 * body is not read, and request_body does not see it. Without this, commit takes a body that was
 * not fed to its end for one that nobody has passed, and answers 500. Not for answers that
 * request_body may guard. Before commit; else it does nothing. Cost: O(1). Since: 0.1
 */
CMW_API void cmw_ctx_skip_body(cmw_ctx *ctx);

/**
 * Hand over the fields that stood behind a chunked body, before the last piece is fed (or received)
 * and before the handler runs; at most once, not at all if there are none. They never become fields
 * of the head, and those that only a head may say (lengths, codings, hosts, credentials,
 * conditions, addresses of clients) are left out.
 *
 * @param fields  copied
 * @return        0; CMW_ERR_LIMIT past `limits.header_count` or `limits.header_bytes` (431),
 *                CMW_ERR_INVALID for what is no field (400), CMW_ERR_NOMEM (503): the request has
 *                failed, as the next cmw_ctx_feed_body, or cmw_ctx_fault, tells, too; the handler
 *                must not run; CMW_ERR_STATE out of turn, or for a request that has failed
 * Threads:       the worker's user
 * Cost:          O(bytes), arena memory
 * Source:        RFC 9110, 6.5; RFC 9112, 7.1.2
 * Since:         0.1
 */
CMW_API int cmw_ctx_receive_trailers(cmw_ctx *ctx, const cmw_header *fields, size_t count);

/**
 * 1 if middleware of the request's plan looks at bodies of requests: a host that would only hand
 * one on, to an upstream or to another handler, has to call cmw_ctx_feed_body first, and hands on
 * cmw_request_body. Cost: O(1).
 */
CMW_API int cmw_ctx_reads_body(const cmw_ctx *ctx);

/**
 * 1 if the committed response's body is to be read by cmw_ctx_read_body: it is made while it is
 * sent, and its length may not be known (then cmw_response_content_length is UINT64_MAX, and no
 * head has a Content-Length). 0: it is all there, as cmw_response_body. Cost: O(1).
 */
CMW_API int cmw_ctx_streams_body(const cmw_ctx *ctx);

/**
 * 1 if a response_body callback runs over this committed response's body. Where none does, a host
 * may send the bytes of a source of its own (cmw_ctx_streams_from) without reading them by
 * cmw_ctx_read_body, and cut ranges of them. Cost: O(1). Since: 0.1
 */
CMW_API int cmw_ctx_looks_at_body(const cmw_ctx *ctx);

/**
 * The next piece of a committed response's body. Nothing is made before it is asked for.
 *
 * Works for a body that is all there, too: one piece. For HEAD, 204 and 304 that is empty.
 *
 * @param[out] chunk  bytes that are valid until the next call, or until the request ends;
 * `is_last`: nothing follows. Unchanged unless 0 is returned
 * @return            0; CMW_ERR_AGAIN: nothing is there yet, `proceed` will be called with
 *                    CMW_TO_RESPOND; CMW_ERR_STATE before commit; another one: the body cannot be
 *                    finished (CMW_TO_ABORT): close the connection, so that the client does not
 *                    take it for whole
 * Threads:           the worker's user
 * Cost:              that of the source and the callbacks; no allocator call when warm
 * Since:             0.1
 */
CMW_API CMW_NODISCARD int cmw_ctx_read_body(cmw_ctx *ctx, cmw_chunk *chunk);

/** Where a body lies in a file. */
typedef struct cmw_body_file {
    int fd;          /**< a descriptor that can be read at any place: of a regular file */
    uint64_t offset; /**< of the body's first byte */
} cmw_body_file;

/**
 * The committed response's body as a piece of a file, of cmw_response_content_length bytes, where
 * no callback looks at it and nothing of it was read: a host may send it from there, by sendfile
 * and the like, in the place of cmw_ctx_read_body. How much it sent is then the host's to say
 * (cmw_ctx_set_body_sent).
 *
 * @return  NULL: it is to be read. Else valid until the request ends, as its descriptor is, which
 *          stays who gave it
 * Threads: the worker's user
 * Cost:    O(1)
 * Since:   0.1
 */
CMW_API const cmw_body_file *cmw_ctx_body_file(const cmw_ctx *ctx);

/**
 * 1 if fields may follow the committed response's body, which its head names (`Trailer`). The body
 * is then sent so that its end is told by itself, in chunks with HTTP/1.1: there is no
 * Content-Length, also where the body is all there. For hosts with CMW_CAP_RESPONSE_TRAILERS.
 * Cost: O(1).
 */
CMW_API int cmw_ctx_sends_trailers(const cmw_ctx *ctx);

/**
 * The fields to send behind the committed response's body: complete once cmw_ctx_read_body has
 * given the last piece (with cmw_ctx_streams_body 0: once it is committed). Names have any case.
 *
 * @param[out] count  how many; 0 for a response that has none after all
 * @return            the first; NULL if there are none. Valid until the request ends
 * Threads:           the worker's user
 * Cost:              O(1)
 * Source:            RFC 9110, 6.5; RFC 9112, 7.1.2; RFC 9113, 8.1
 * Since:             0.1
 */
CMW_API const cmw_header *cmw_ctx_response_trailers(const cmw_ctx *ctx, size_t *count);

/* ---- What a handler calls --------------------------------------------------------------- */

/**
 * Give the next piece of a body.
 *
 * Called on the context's worker, between commit and end, each time the client takes more.
 *
 * @param[out] chunk  empty at first. Bytes must live until the next call or until `close`; with
 *                    `is_last` nothing follows, and this is not called again
 * @return            0; CMW_ERR_AGAIN: nothing is there yet, after a cmw_ctx_suspend whose token
 *                    makes the body go on when it is resumed, with any verdict and no data; another
 *                    error: the response is
 *                    aborted. No bytes and 0 without `is_last` is an error, too
 */
typedef int cmw_body_read_fn(void *self, cmw_ctx *ctx, cmw_chunk *chunk);

/** A body that is made while it is sent. Clear it with cmw_body_source_init. */
typedef struct cmw_body_source {
    size_t size;     /**< set by cmw_body_source_init */
    uint64_t length; /**< of the whole body, or CMW_LENGTH_UNKNOWN, the default. More or fewer
                          bytes abort the response */
    cmw_body_read_fn *read;    /**< needed */
    void (*close)(void *self); /**< called once, when the request ends, whether the body was read or
                                    not; or NULL */
    void *self;
    int32_t
        is_hosts; /**< 1: the host itself has the bytes, of a response that it made. CMW_ERR_AGAIN
                           then needs no cmw_ctx_suspend, and no `proceed` follows: the host reads
                           again when it has more */
    const cmw_body_file *file; /**< all of the body, `length` bytes, lies in this file: a host may
                                    send it from there (sendfile) and never call `read`. Must live
                                    until the request ends. NULL: it does not */
} cmw_body_source;

static inline void cmw_body_source_init(cmw_body_source *source)
{
    memset(source, 0, sizeof *source);
    source->size = sizeof *source;
    source->length = CMW_LENGTH_UNKNOWN;
}

/**
 * Answer with a body that is made while it is sent. As the other bodies do, it replaces what was
 * there, and its content type is `application/octet-stream` unless it is set by hand.
 *
 * Where the host cannot stream (CMW_CAP_STREAM_RESPONSE_BODY), commit reads it to its end, into the
 * request's memory.
 *
 * @param source  copied; from 0 on `close` is the library's to call, also if a later fault or body
 *                takes the place of this one
 * @return        0; CMW_ERR_ARG; CMW_ERR_STATE after commit; CMW_ERR_NOMEM; CMW_ERR_VERSION
 * Threads:       the context's worker
 * Cost:          O(1), arena memory
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_ctx_stream(cmw_ctx *ctx, int status, const cmw_body_source *source);

/* ---- What a middleware calls ------------------------------------------------------------ */

/**
 * Announce that the response's body will be changed: the caller's response_body runs for this
 * response. For a middleware with CMW_TRANSFORMS_BODY, in its post_route, where it can still change
 * the fields that describe the body. Content-Length is the library's: it is that of the result
 * where that is known, and left out where it is not.
 *
 * A fault that comes later drops the body, and this with it.
 *
 * @return 0; CMW_ERR_STATE elsewhere; CMW_ERR_UNSUPPORTED if the body passes by; CMW_ERR_NOMEM
 * Threads: the context's worker
 * Cost:    O(announced), arena memory
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_ctx_transform_body(cmw_ctx *ctx);

/**
 * 1 if middleware of the request's plan looks at bodies of responses: a host with a body of its own
 * gives it as a source (cmw_body_source, `is_hosts`), where else it could pass it
 * (cmw_response_pass_body). Cost: O(1).
 */
CMW_API int cmw_ctx_reads_response_body(const cmw_ctx *ctx);

/**
 * 1 if the response's body is that of a source with this `self`: no other has taken its place. Also
 * for HEAD, 204 and 304, where it is not read. Cost: O(1).
 */
CMW_API int cmw_ctx_streams_from(const cmw_ctx *ctx, const void *self);

/* ---- Trailers --------------------------------------------------------------------------- */

/**
 * The request's trailers, in their order: there once the body has come to its end, so from the
 * call of request_body with `is_last` on, in the handler, and behind it. A client chooses to send
 * them, and servers that lack CMW_CAP_REQUEST_TRAILERS drop them: see CMW_READS_TRAILERS.
 *
 * @param[out] count  how many
 * @return            the first; NULL if there are none. The request's
 * Threads:           the context's worker
 * Cost:              O(1)
 * Source:            RFC 9110, 6.5
 * Since:             0.1
 */
CMW_API const cmw_header *cmw_ctx_trailers(const cmw_ctx *ctx, size_t *count);

/** The first trailer of a name, letters compared without their case, or NULL. Cost: O(trailers). */
CMW_API const cmw_header *cmw_ctx_trailer(const cmw_ctx *ctx, cmw_str name);

/** Bits of cmw_ctx_promise_trailer's flags. */
enum cmw_trailer_flags {
    CMW_TRAILER_UNASKED = 1 /**< also to clients that did not say `TE: trailers`: they, or a proxy,
                                 may throw it away unread, or do worse */
};

/**
 * Say that a field may follow the response's body: something that is known only once the body is
 * made, such as its digest, or how long it took. The head of the response names it (`Trailer`).
 *
 * Trailers are for what a client can do without, since they go where the following hold, and are
 * dropped without a word elsewhere: the host has CMW_CAP_RESPONSE_TRAILERS; the request is HTTP/1.1
 * or later and says `TE: trailers`; and the response has a body that goes through the engine, made
 * by a source (cmw_ctx_stream) or seen by some response_body. Such a response has no
 * Content-Length: with HTTP/1.1 it goes in chunks. HEAD, 204 and 304 have no trailers, and a fault
 * drops those of the response in whose place its own comes.
 *
 * @param name   copied. What only a head may say is refused (framing, routing, conditions,
 *               credentials, cookies, control of caches and pages, `Content-*`): of the names with
 *               an id Content-Digest, ETag and Server-Timing are taken
 * @param flags  CMW_TRAILER_UNASKED or 0
 * @return       0, also if it was promised before; CMW_ERR_ARG for a field that may not follow a
 *               body, or another flag; CMW_ERR_INVALID for a name that is no token; CMW_ERR_STATE
 *               once the head is decided; CMW_ERR_LIMIT beyond `limits.header_count`; CMW_ERR_NOMEM
 * Threads:      the context's worker
 * Cost:         O(promised), arena memory
 * Source:       RFC 9110, 6.5.1, 6.6.2 and 10.1.4
 * Since:        0.1
 */
CMW_API CMW_NODISCARD int cmw_ctx_promise_trailer(cmw_ctx *ctx, cmw_str name, unsigned flags);

/**
 * Add a field behind the body: called by a response_body, or by a source's `read`, up to the one
 * that gives the last piece. Several fields of a name are all sent; a promise without any is kept
 * by none. Where the response has no trailers nothing happens.
 *
 * @param name   promised before; copied
 * @param value  copied; without blanks at its ends
 * @return       0, also where it is dropped; CMW_ERR_NOT_FOUND if it was not promised;
 *               CMW_ERR_INVALID for CR, LF, NUL or another control byte; CMW_ERR_ARG as above;
 *               CMW_ERR_STATE before commit and behind the last piece; CMW_ERR_LIMIT beyond
 *               `limits.header_count` or `limits.header_bytes`; CMW_ERR_NOMEM
 * Threads:      the context's worker
 * Cost:         O(bytes + promised), arena memory
 * Since:        0.1
 */
CMW_API CMW_NODISCARD int cmw_ctx_add_trailer(cmw_ctx *ctx, cmw_str name, cmw_str value);

/** Bytes of the request's body as they came, before any callback. Cost: O(1). */
CMW_API uint64_t cmw_ctx_body_received(const cmw_ctx *ctx);

CMW_END_DECLS

#endif /* CATZILLA_BODY_H */
