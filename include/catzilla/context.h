/* SPDX-License-Identifier: MIT */
/*
 * The context: one request in flight. First what an adapter calls, then what callbacks use.
 *
 *     cmw_ctx_begin(worker, &ctx, &view);
 *     switch (cmw_ctx_run(ctx)) {            // pre_route
 *     case CMW_TO_HANDLER:
 *         handler(ctx);                      // fills cmw_ctx_response(ctx)
 *         cmw_ctx_commit(ctx);               // post_route
 *         break;
 *     case CMW_TO_RESPOND:                   // answered already, post_route has run
 *         break;
 *     }
 *     send(cmw_ctx_response(ctx));
 *     cmw_ctx_end(ctx, CMW_END_SENT);        // complete
 */
#ifndef CATZILLA_CONTEXT_H
#define CATZILLA_CONTEXT_H

#include <catzilla/arena.h>
#include <catzilla/base.h>
#include <catzilla/engine.h>
#include <catzilla/middleware.h>
#include <catzilla/request.h>
#include <catzilla/response.h>

CMW_BEGIN_DECLS

/** The parts of a context, which begins with them. To be read by this header only. */
typedef struct cmw_ctx_parts {
    cmw_request *request;
    cmw_response *response;
    cmw_arena *arena;
    cmw_worker *worker;
} cmw_ctx_parts;

/* ---- What an adapter calls -------------------------------------------------------------- */

/** What the adapter does next. */
typedef enum cmw_next {
    CMW_TO_HANDLER = 0,   /**< run the handler, then cmw_ctx_commit */
    CMW_TO_RESPOND = 1,   /**< the response is final: send it, then cmw_ctx_end */
    CMW_TO_SUSPENDED = 2, /**< wait for the host's `wake` */
    CMW_TO_ABORT = 3      /**< the head is out and the rest cannot follow: close the connection */
} cmw_next;

/**
 * Begin a request.
 *
 * A request over the limits of its head still begins: cmw_ctx_run then answers it 431 without
 * running pre_route. One whose declared body is too long is answered 413 once pre_route let it
 * pass. Both answers have all post_route fields.
 *
 * @param[out] out   the context; unchanged on failure
 * @param      view  copied; what it points to must live until cmw_ctx_end
 * @return           0; CMW_ERR_STATE if no plan is installed; CMW_ERR_LIMIT or CMW_ERR_NOMEM if
 *                   there is no context: send cmw_worker_overload_response, nothing else is owed;
 *                   CMW_ERR_ARG; CMW_ERR_VERSION
 * Threads:          the worker's user
 * Cost:             no allocator call when warm
 * Since:            0.1
 */
CMW_API CMW_NODISCARD int cmw_ctx_begin(cmw_worker *worker, cmw_ctx **out,
                                        const cmw_request_view *view);

/**
 * Run pre_route, and whatever its verdicts lead to.
 *
 * @return CMW_TO_HANDLER or CMW_TO_RESPOND (post_route has run then). Called out of turn, it
 *         changes nothing and repeats what is next
 * Threads: the worker's user
 * Since:   0.1
 */
CMW_API cmw_next cmw_ctx_run(cmw_ctx *ctx);

/**
 * The route is known: run the pre_route callbacks of its groups. Between run and the handler's
 * work, at most once; an id that the plan does not know runs nothing.
 *
 * @return CMW_TO_HANDLER or CMW_TO_RESPOND, as cmw_ctx_run
 * Since:  0.1
 */
CMW_API cmw_next cmw_ctx_enter_route(cmw_ctx *ctx, uint32_t route_id);

/**
 * Hand over a piece of the request body, in order. The bytes are copied into one buffer.
 *
 * For a host that does not declare CMW_CAP_STREAM_REQUEST_BODY; one that does calls
 * cmw_ctx_feed_body. With a plan that has request_body callbacks, which this cannot run, it fails
 * the request (500) and returns CMW_ERR_UNSUPPORTED.
 *
 * @return 0; CMW_ERR_LIMIT past `limits.body_bytes`, or CMW_ERR_NOMEM: the request has failed (413,
 *         503), cmw_ctx_commit makes the answer and the handler must not run; CMW_ERR_STATE after
 *         commit
 * Cost:   O(len); no allocator call when warm
 * Since:  0.1
 */
CMW_API CMW_NODISCARD int cmw_ctx_receive_body(cmw_ctx *ctx, cmw_str bytes);

/**
 * The handler failed, or the host met an error of its own: drop what the handler made. Then
 * cmw_ctx_commit runs `error` and post_route.
 *
 * @param status  400..599; another number means 500
 * Threads:       the worker's user
 * Since:         0.1
 */
CMW_API void cmw_ctx_fail(cmw_ctx *ctx, int status);

/**
 * Run post_route. The head is immutable afterwards. A handler that made no response has failed.
 *
 * @return CMW_TO_RESPOND; CMW_TO_ABORT after a failure past commit. Called again, it only repeats
 * Since:  0.1
 */
CMW_API cmw_next cmw_ctx_commit(cmw_ctx *ctx);

/**
 * Run `complete`, the clean-ups and the destructors of slots, and recycle the context. It is gone
 * afterwards. Allowed at any time after begin: a request that is not committed has not been sent,
 * and CMW_END_SENT is then counted and passed on as CMW_END_ERROR.
 *
 * Cost:  no allocator call
 * Since: 0.1
 */
CMW_API void cmw_ctx_end(cmw_ctx *ctx, cmw_end_reason reason);

/**
 * Give a request up: it has waited too long, its client has left, the server is closing.
 *
 * One that is suspended fails now: error callbacks, then post_route. One in its handler fails when
 * it is committed; the handler can ask cmw_ctx_is_cancelled. The status is 499 for
 * CMW_END_CLIENT_GONE, 500 for CMW_END_ERROR, else 503; `complete` is told the reason given here,
 * even if the answer is sent. A token of the request is stale afterwards.
 *
 * One whose streamed response waits for its source is aborted: CMW_TO_ABORT.
 *
 * @return CMW_TO_RESPOND for a suspended request; else what cmw_ctx_run or _commit last returned
 * Threads: the worker's user
 * Cost:    that of the callbacks; no allocator call
 * Since:   0.1
 */
CMW_API cmw_next cmw_ctx_cancel(cmw_ctx *ctx, cmw_end_reason reason);

/** 1 if cmw_ctx_cancel or a deadline has given the request up. Cost: O(1). */
CMW_API int cmw_ctx_is_cancelled(const cmw_ctx *ctx);

/**
 * Give the request up at a time, with CMW_END_DEADLINE, unless it has been committed by then.
 *
 * @param at_ns  of the host's clock; 0: never. Replaces what was set before
 * @return       0, CMW_ERR_STATE after commit, CMW_ERR_NOMEM
 * Threads:      the worker's user; callbacks and adapters
 * Cost:         O(log deadlines of the worker); allocates as their number grows
 * Since:        0.1
 */
CMW_API CMW_NODISCARD int cmw_ctx_set_deadline(cmw_ctx *ctx, uint64_t at_ns);
/** The deadline in force, of the host's clock; 0: none. The worker's user. Cost: O(1). */
CMW_API uint64_t cmw_ctx_deadline(const cmw_ctx *ctx);

/**
 * The host waits for the body of the request, or for more of it: the limits `body_ms`, from the
 * first of these calls on, and `body_idle_ms`, from each, hold from now on.
 *
 * When one has passed, cmw_worker_run gives the request up with 408 (RFC 9110, 15.5.9) and
 * CMW_END_DEADLINE, runs error callbacks and post_route, and calls the host's `proceed`; so it does
 * when the request's own deadline passes meanwhile. Commit ends the waiting, as
 * cmw_ctx_body_arrived does.
 *
 * @param now_ns  the host's clock; 0: the engine reads its own
 * @return        0, also where there are no such limits; CMW_ERR_STATE once the response is being
 *                decorated, or for a suspended request; CMW_ERR_NOMEM
 * Threads:       the worker's user
 * Cost:          O(log deadlines of the worker); allocates as their number grows
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_ctx_await_body(cmw_ctx *ctx, uint64_t now_ns);

/** The host waits for the body no more: all of it has come, or it wants none. Cost: as above. */
CMW_API void cmw_ctx_body_arrived(cmw_ctx *ctx);

/**
 * 1 if the body of this request must come within a time, by the engine's limits or by those of
 * cmw_ctx_limit_body_time: for a host that waits for bodies itself only where somebody asks.
 *
 * Threads: the worker's user, after pre_route
 * Cost:    O(1)
 * Since:   0.1
 */
CMW_API int cmw_ctx_times_body(const cmw_ctx *ctx);

/**
 * The 503 for a request that got no context: made when the plan compiled, with its unconditional
 * constant fields. NULL if no plan is installed.
 *
 * Ownership: the plan's; valid until the worker's next cmw_ctx_begin or cmw_worker_idle
 * Threads:   the worker's user
 * Since:     0.1
 */
CMW_API const cmw_response *cmw_worker_overload_response(cmw_worker *worker);

/**
 * Count a request that the host refused before it could begin one, for want of a worker or of room
 * of its own, among the overloads of the statistics, as cmw_ctx_begin counts those that it refuses.
 *
 * Threads: the worker's user
 * Cost:    O(1)
 * Since:   0.1
 */
CMW_API void cmw_worker_count_overload(cmw_worker *worker);

/**
 * Count a head that took longer than cmw_worker_head_ms, for a host that ends its connection and
 * begins no request for it.
 *
 * Threads: the worker's user
 * Cost:    O(1)
 * Since:   0.1
 */
CMW_API void cmw_worker_count_late_head(cmw_worker *worker);

/* ---- What callbacks use ----------------------------------------------------------------- */

/** Parts of a context; the context's, and the same ones always. Cost: O(1) each. */
CMW_API CMW_CONST cmw_request *cmw_ctx_request(cmw_ctx *ctx);
CMW_API CMW_CONST cmw_response *cmw_ctx_response(cmw_ctx *ctx);
CMW_API CMW_CONST cmw_arena *cmw_ctx_arena(cmw_ctx *ctx);
CMW_API cmw_worker *cmw_ctx_worker(cmw_ctx *ctx);

/* The same, in line: a load each, so that a callback that asks for nothing else calls nothing. */
static inline cmw_request *cmw_ctx_request_inline(cmw_ctx *ctx)
{
    return ((const cmw_ctx_parts *)(const void *)ctx)->request;
}

static inline cmw_response *cmw_ctx_response_inline(cmw_ctx *ctx)
{
    return ((const cmw_ctx_parts *)(const void *)ctx)->response;
}

static inline cmw_arena *cmw_ctx_arena_inline(cmw_ctx *ctx)
{
    return ((const cmw_ctx_parts *)(const void *)ctx)->arena;
}

static inline cmw_worker *cmw_ctx_worker_inline(cmw_ctx *ctx)
{
    return ((const cmw_ctx_parts *)(const void *)ctx)->worker;
}

#if !defined(CMW_NO_INLINE)
#define cmw_ctx_request(ctx) cmw_ctx_request_inline(ctx)
#define cmw_ctx_response(ctx) cmw_ctx_response_inline(ctx)
#define cmw_ctx_arena(ctx) cmw_ctx_arena_inline(ctx)
#define cmw_ctx_worker(ctx) cmw_ctx_worker_inline(ctx)
#endif

CMW_API void *cmw_ctx_host_data(cmw_ctx *ctx);

/** The time at which the request began: the view's `now_ns`, else the engine's clock, read once. */
CMW_API uint64_t cmw_ctx_begin_ns(cmw_ctx *ctx);

#if !defined(CMW_NO_INLINE)
/* The same, in line where the host gave the time. */
static inline uint64_t cmw_ctx_begin_ns_inline(cmw_ctx *ctx)
{
    const uint64_t now_ns =
        ((const cmw_request_view *)(const void *)cmw_ctx_request_inline(ctx))->now_ns;

    return CMW_EXPECT(now_ns != 0, 1) ? now_ns : cmw_ctx_begin_ns(ctx);
}

#define cmw_ctx_begin_ns(ctx) cmw_ctx_begin_ns_inline(ctx)
#endif

/** 1 if the host gave the time, or it was read already: then cmw_ctx_begin_ns is a load. */
static inline int cmw_ctx_knows_begin(cmw_ctx *ctx)
{
    return ((const cmw_request_view *)(const void *)cmw_ctx_request(ctx))->now_ns != 0;
}

/** The engine's clock, read now: the same clock as `now_ns` of the view. Cost: a clock. */
CMW_API uint64_t cmw_ctx_now_ns(cmw_ctx *ctx);

/**
 * The wall clock at cmw_ctx_begin_ns, as nanoseconds since 1970-01-01 UTC.
 *
 * The worker reads the system's wall clock at most every 100 ms and adds or subtracts the monotonic
 * time between that and the request's beginning, so a step of the wall clock is seen that much
 * later. A host that gives `now_ns` gives the engine's clock.
 *
 * Cost:  O(1); a clock every 100 ms
 * Since: 0.1
 */
CMW_API uint64_t cmw_ctx_wall_ns(cmw_ctx *ctx);

/**
 * Lower the limit of this request's body, below the engine's `limits.body_bytes`: what comes beyond
 * it is refused with 413. A limit above the one in force changes nothing.
 *
 * @return 0; CMW_ERR_LIMIT if more than that has come or was declared (nothing is changed: the
 *         caller answers); CMW_ERR_STATE after pre_route
 * Cost:   O(1)
 * Since:  0.1
 */
CMW_API CMW_NODISCARD int cmw_ctx_limit_body(cmw_ctx *ctx, uint64_t bytes);

/**
 * Shorten the time in which this request's body must come, below the engine's `limits.body_ms` and
 * `limits.body_idle_ms`: from when the host waits for it (cmw_ctx_await_body), else 408.
 *
 * For middleware with CMW_TIMES_BODY, since not every host can time a body. A longer time than the
 * one in force changes nothing.
 *
 * @param total_ms  for all of it, up to 86,400,000; 0: as it was
 * @param idle_ms   for each piece of it, likewise
 * @return          0; CMW_ERR_ARG; CMW_ERR_STATE after pre_route
 * Threads:         the context's worker
 * Cost:            O(1)
 * Since:           0.1
 */
CMW_API CMW_NODISCARD int cmw_ctx_limit_body_time(cmw_ctx *ctx, uint64_t total_ms,
                                                  uint64_t idle_ms);

/**
 * Give the handler of this request a time of its own: from the end of pre_route, that of its route
 * included, to the beginning of post_route; where the host times bodies (CMW_CAP_TIME_BODY), from
 * when the body has come. When it has passed, the request is given up with 504 (RFC 9110, 15.6.5)
 * and CMW_END_DEADLINE; what the handler makes later is dropped. A longer time than the one in
 * force changes nothing.
 *
 * @param ms  up to 86,400,000; 0: as it was
 * @return    0; CMW_ERR_ARG; CMW_ERR_STATE after pre_route
 * Threads:   the context's worker
 * Cost:      O(1); later a reading of the clock, and O(log deadlines of the worker)
 * Since:     0.1
 */
CMW_API CMW_NODISCARD int cmw_ctx_limit_handler_time(cmw_ctx *ctx, uint64_t ms);

/**
 * The limit in force for this request's body, for a host that counts what it passes on itself.
 * Cost: O(1).
 */
CMW_API uint64_t cmw_ctx_body_limit(const cmw_ctx *ctx);

/** The route that was entered, as given to cmw_ctx_enter_route; CMW_NONE: none. Cost: O(1). */
CMW_API uint32_t cmw_ctx_route(const cmw_ctx *ctx);

/**
 * How many bytes of the response's body went to the client, for `complete` and its logs.
 *
 * What the host said (cmw_ctx_set_body_sent); else the length of the body if the response was sent,
 * 0 where a response has none (HEAD, 204, 304), and CMW_LENGTH_UNKNOWN if it was not sent whole.
 * 0 before `complete`.
 *
 * Threads: the context's worker
 * Cost:    O(1)
 * Since:   0.1
 */
CMW_API uint64_t cmw_ctx_body_sent(const cmw_ctx *ctx);

/** For a host that streams, or knows how far it came: the bytes so far, before cmw_ctx_end. */
CMW_API void cmw_ctx_set_body_sent(cmw_ctx *ctx, uint64_t bytes);

/**
 * Random bytes that nobody can foretell: for nonces, ids that guard, tokens.
 *
 * Taken from a buffer of the worker's that is filled in batches from the system's generator, and
 * filled anew in a process that was forked.
 *
 * @param[out] to  `len` bytes; on failure unchanged, but that what had come is 0 again
 * @return         0, or CMW_ERR_IO when the system gives none
 * Threads:        the context's worker
 * Cost:           O(len); a system call every 1,024 bytes; the worker's first call takes a page
 * Since:          0.1
 */
CMW_API CMW_NODISCARD int cmw_ctx_random(cmw_ctx *ctx, void *to, size_t len);

/**
 * Set a slot: zeroed room for one value. Setting it again gives the same room, zeroed again, after
 * its destructor ran.
 *
 * @return the room, until the request ends; NULL if the plan does not know the slot (no enabled
 *         middleware of the chain names it) or without memory
 * Cost:   O(size); no allocation
 * Since:  0.1
 */
CMW_API void *cmw_ctx_set_slot(cmw_ctx *ctx, cmw_slot slot);

/**
 * Set a slot to a copy of a value, as cmw_ctx_set_slot and then copying would.
 *
 * @param value  of the slot's size; not in the slot itself
 * @return       the room, until the request ends; NULL as cmw_ctx_set_slot
 * Cost:         O(size); no allocation
 * Since:        0.1
 */
CMW_API void *cmw_ctx_copy_slot(cmw_ctx *ctx, cmw_slot slot, const void *value);

/** A slot's value; NULL if it is unset or unknown to the plan. Cost: a load, a test and an add. */
CMW_API void *cmw_ctx_slot(const cmw_ctx *ctx, cmw_slot slot);

/**
 * A map from strings to pointers, for those who are bound late (foreign runtimes).
 *
 * @param key      copied
 * @param value    NULL removes the key
 * @param destroy  called when the request ends, for a value that was set; or NULL
 * @return         0, CMW_ERR_ARG, CMW_ERR_NOMEM (the value stays the caller's)
 * Cost:           O(keys), arena memory
 * Since:          0.1
 */
CMW_API CMW_NODISCARD int cmw_ctx_set_value(cmw_ctx *ctx, cmw_str key, void *value,
                                            cmw_cleanup_fn *destroy);

/** The value of a key, or NULL. Cost: O(keys). */
CMW_API void *cmw_ctx_value(const cmw_ctx *ctx, cmw_str key);

/** 1 if the pre_route of the middleware whose callback runs was called in this request. */
CMW_API int cmw_ctx_was_entered(const cmw_ctx *ctx);

/** The name of the middleware whose callback runs; "" between callbacks. */
CMW_API const char *cmw_ctx_middleware_name(const cmw_ctx *ctx);

/** What went wrong. */
typedef struct cmw_fault {
    int status;             /**< what will be answered unless an error callback decides otherwise */
    int code;               /**< CMW_ERR_*, or 0 when a callback or the handler did not say */
    int phase;              /**< cmw_phase in which it happened; -1: in the handler or the host */
    const char *middleware; /**< whose callback failed; NULL: none. Lives as long as the request */
} cmw_fault;

/** The request's fault, or NULL. Cost: O(1). */
CMW_API const cmw_fault *cmw_ctx_fault(const cmw_ctx *ctx);

/** What a shadowed middleware would have done in one of its calls. Lives as long as the request. */
typedef struct cmw_shadow_note {
    const struct cmw_shadow_note *next; /**< the one before */
    const char *middleware;             /**< whose */
    int phase;                          /**< cmw_phase */
    int verdict; /**< CMW_STOP, CMW_SKIP_ROUTE, CMW_SUSPEND, or CMW_ERROR: it would have failed */
    int status;  /**< of CMW_STOP: what it would have answered; else 0 */
} cmw_shadow_note;

/**
 * What shadowed middleware would have done to this request, but for going on: the latest first.
 *
 * @return NULL if there is nothing. A request without memory has no notes; it is counted anyway
 * Cost:   O(1)
 * Since:  0.1
 */
CMW_API const cmw_shadow_note *cmw_ctx_shadow_notes(const cmw_ctx *ctx);

/* ---- Suspending ------------------------------------------------------------------------- */

/**
 * Get ready to suspend: for a callback that is about to return CMW_SUSPEND.
 *
 * The token may be given away, and even used, before the callback returns. A callback that then
 * returns something else leaves the token stale.
 *
 * @param[out] token  for cmw_resume; unchanged on failure
 * @return            0; CMW_ERR_STATE outside of a callback, or in a phase that its middleware does
 *                    not name in `suspend_phases`; CMW_ERR_CANCELLED for a request that was given
 *                    up, whose answer waits for nothing more; CMW_ERR_LIMIT with some four million
 *                    requests suspended in one engine; CMW_ERR_NOMEM
 * Threads:           the context's worker
 * Cost:              O(1); allocates 64 places at a time, the first time that so many are needed
 * Since:             0.1
 */
CMW_API CMW_NODISCARD int cmw_ctx_suspend(cmw_ctx *ctx, cmw_token *token);

/**
 * Let a suspended request go on.
 *
 * What is delivered reaches the middleware that suspended, exactly once and always later, in
 * cmw_worker_run: `resumed`, or `dropped` if the request ended first. The host's `wake` is called
 * if nothing was waiting for that worker yet.
 *
 * @param verdict  for `resumed`, or the verdict itself where the middleware has none
 * @param data     passes to the middleware if 0 is returned, else stays the caller's
 * @return         0; CMW_ERR_STALE if the token was used or its request no longer waits: nothing
 *                 was changed but a count; CMW_ERR_ARG without an engine
 * Threads:        any, at any time while the engine lives; the callback that suspends, too
 * Cost:           some tens of instructions, no lock but the host's own, no allocation
 * Since:          0.1
 */
CMW_API CMW_NODISCARD int cmw_resume(cmw_engine *engine, cmw_token token, int verdict, void *data);

/* ---- Answers in one line, for pre_route and error --------------------------------------- */

/*
 * Each makes the response and returns CMW_STOP, or CMW_ERROR if it could not be made:
 *     return cmw_respond_text(ctx, 403, CMW_STR("no"));
 * Fields set before stay.
 */
CMW_API int cmw_respond_empty(cmw_ctx *ctx, int status);
CMW_API int cmw_respond_text(cmw_ctx *ctx, int status, cmw_str text);
CMW_API int cmw_respond_html(cmw_ctx *ctx, int status, cmw_str html);
CMW_API int cmw_respond_json(cmw_ctx *ctx, int status, cmw_str json);
CMW_API int cmw_respond_redirect(cmw_ctx *ctx, int status, cmw_str location);

/** A problem (RFC 9457) whose detail is a C string; NULL: none. */
CMW_API int cmw_respond_problem(cmw_ctx *ctx, int status, const char *detail);

CMW_END_DECLS

#endif /* CATZILLA_CONTEXT_H */
