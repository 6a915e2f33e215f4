/* SPDX-License-Identifier: MIT */
/*
 * Engine and workers: what a program makes once, and what a thread uses at a time.
 */
#ifndef CATZILLA_ENGINE_H
#define CATZILLA_ENGINE_H

#include <catzilla/allocator.h>
#include <catzilla/base.h>
#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/* ---- Engine ----------------------------------------------------------------------------- */

/** What happens to a target whose canonical path differs from what the server's router sees. */
typedef enum cmw_target_policy {
    CMW_TARGET_CANONICAL = 0, /**< serve it; path conditions and cmw_request_path see the canonical
                                   path */
    CMW_TARGET_REJECT = 1     /**< answer it 400, before any callback runs */
} cmw_target_policy;

/** What happens to an HTTP/1.1 request that does not say for which host it is. */
typedef enum cmw_host_policy {
    CMW_HOST_ANY = 0,     /**< served: cmw_request_host is empty, or the first field's */
    CMW_HOST_REQUIRED = 1 /**< without exactly one Host field of a valid value it is answered 400
                               before any callback runs (RFC 9112, 3.2) */
} cmw_host_policy;

/** What one request may use. */
typedef struct cmw_limits {
    size_t memory_bytes;   /**< arena memory beyond the first block; else 503. Default 1 MiB */
    uint32_t header_count; /**< else 431; 65535 at most. Default 100 */
    uint32_t header_bytes; /**< names and values together; else 431. Default 32 KiB */
    uint64_t body_bytes;   /**< declared or received; else 413. Default 1 MiB */
    uint64_t request_ms;   /**< from begin to commit; else it is given up. 0: no limit. Default 0 */
    uint64_t body_ms;      /**< for the body, where the host says that it waits for it
                                (cmw_ctx_await_body); else 408. 0: no limit. Default 0 */
    uint64_t body_idle_ms; /**< the same for each piece of it. Default 0 */
    uint64_t head_ms; /**< for the head, which the host measures (cmw_worker_head_ms) and answers:
                           cmw_ctx_fail(ctx, 408) right after begin. Default 0 */
} cmw_limits;

/** The configuration of an engine. Clear with cmw_engine_config_init, which fills the defaults. */
typedef struct cmw_engine_config {
    size_t size;                    /**< set by cmw_engine_config_init */
    const cmw_allocator *allocator; /**< borrowed; must outlive the engine. Default: the system's */
    size_t context_bytes;           /**< of a context with its first block: 2 KiB..32 KiB, a power
                                         of two. Default 4 KiB */
    uint32_t worker_limit;          /**< workers at once, 1..65536. Default 256 */
    uint32_t context_limit;         /**< contexts in flight in one worker. Default 10,000 */
    uint64_t pool_limit_bytes;      /**< of the context pool; 0: none. Default 0 */
    cmw_limits limits;              /**< of one request */
    int32_t target_policy;          /**< cmw_target_policy. Default CMW_TARGET_CANONICAL */
    uint32_t sample_every; /**< time one request in so many: 1: all, 0: none. Default 256 */
    uint64_t (*clock_ns)(void *self); /**< monotonic; NULL: the system's */
    void *clock_self;
    uint64_t (*wall_clock_ns)(void *self); /**< since 1970-01-01 UTC; NULL: the system's. Called
                                                with `clock_self` */
    int32_t host_policy; /**< cmw_host_policy. Default CMW_HOST_ANY, for hosts that see to it */
    const cmw_allocator *shared_allocator; /**< for a server that forks: what it is asked for at an
                                                alignment of 4096 its processes share; smaller
                                                alignments are private. Borrowed; must outlive the
                                                engine. NULL: `allocator` */
} cmw_engine_config;

/** Fill the defaults: see cmw_engine_config_init. */
CMW_API void cmw_engine_config_init_sized(cmw_engine_config *config, size_t size);

/** Fill the defaults; `config` is a pointer to one. */
#define cmw_engine_config_init(config) cmw_engine_config_init_sized((config), sizeof *(config))

/**
 * Make an engine. There is no global state: two engines live side by side.
 *
 * @param[out] out     the engine; unchanged on failure
 * @param      config  NULL: the defaults
 * @return             0; CMW_ERR_ARG for a value out of range; CMW_ERR_VERSION; CMW_ERR_NOMEM
 * Ownership:          the caller's; cmw_engine_destroy
 * Threads:            an engine may be used from any thread at once
 * Cost:               allocates
 * Since:              0.1
 */
CMW_API CMW_NODISCARD int cmw_engine_create(cmw_engine **out, const cmw_engine_config *config);

/**
 * Destroy an engine, its workers, its hold on the installed plan, and its singletons.
 *
 * Chains must have been destroyed, workers put back and plans released.
 *
 * @return 0, or CMW_ERR_STATE while a worker is out or has contexts in flight, or a chain or plan
 *         is still held (nothing is destroyed); NULL is ignored and gives 0
 * Since:  0.1
 */
CMW_API int cmw_engine_destroy(cmw_engine *engine);

/** What one request may use, as the engine was configured. For hosts. Cost: O(1). */
CMW_API const cmw_limits *cmw_engine_limits(const cmw_engine *engine);

/** One of the engine's pools, the engine's. */
CMW_API cmw_pool *cmw_engine_pool(cmw_engine *engine, cmw_pool_purpose purpose);

/**
 * Where tables lie that the processes of a forking server share: what is in them must not depend on
 * its address or on a process, and be changed by atomic operations only.
 *
 * @return the pool of the configuration's `shared_allocator`; without one, CMW_POOL_PLAN's. The
 *         engine's
 * Cost:   O(1)
 * Since:  0.1
 */
CMW_API cmw_pool *cmw_engine_shared_pool(cmw_engine *engine);

/**
 * Make a plan the one that new requests get. The engine takes a reference of its own; requests in
 * flight finish on the plan with which they began.
 *
 * @param diag  why it was refused, or NULL
 * @return      0; CMW_ERR_UNSUPPORTED if the plan needs what an attached host lacks; CMW_ERR_ARG
 *              for another engine's plan; CMW_ERR_NOMEM
 * Threads:     any
 * Cost:        allocates; requests take no lock
 * Since:       0.1
 */
CMW_API CMW_NODISCARD int cmw_engine_install(cmw_engine *engine, cmw_plan *plan, cmw_diag *diag);

/**
 * Compile a chain and install the plan: both in one call, for a program that keeps no plans.
 *
 * @return  0, or what cmw_chain_compile or cmw_engine_install returned; the installed plan stays as
 *          it was then
 * Threads: the chain's owner
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_chain_install(cmw_chain *chain, cmw_diag *diag);

/**
 * Switch a middleware while requests are served: change its mode, compile the chain again and
 * install the plan. Counters of the statistics go on, and so do the tables of built-ins.
 *
 * @return  0; CMW_ERR_NOT_FOUND; CMW_ERR_ARG; or what cmw_chain_install returned, as where another
 *          middleware requires what this one provides: then nothing has changed, and `diag` says
 *          why
 * Threads: the chain's owner; workers go on meanwhile
 * Cost:    that of compiling; requests take no lock
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_chain_switch_mode(cmw_chain *chain, const char *name, cmw_mode mode,
                                                cmw_diag *diag);

/* ---- What outlives plans ---------------------------------------------------------------- */

/**
 * A table, cache or store of a middleware that keeps its content when a chain is compiled again.
 * Clear it with cmw_state_config_init.
 */
typedef struct cmw_state_config {
    size_t size;       /**< set by cmw_state_config_init */
    const char *kind;  /**< of the middleware */
    const char *name;  /**< of the instance */
    const void *shape; /**< bytes that say what the object is like: only an object of an equal shape
                            is shared */
    size_t shape_len;
    int (*create)(void *self, void **object);  /**< 0, or an error that is passed on */
    void (*destroy)(void *self, void *object); /**< `self` as it was given to the call that made the
                                                    object; or NULL */
    void *self;
} cmw_state_config;

static inline void cmw_state_config_init(cmw_state_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * The object with a kind, name and shape: the one that is there, counted once more, or a new one.
 *
 * A `create` of a kind calls this, and its middleware's `destroy` calls cmw_state_release: while
 * one plan follows another the object goes on, and a reload forgives no attacker.
 *
 * @param[out] object  unchanged on failure
 * @return             0, CMW_ERR_ARG, CMW_ERR_NOMEM, or what `create` returned
 * Threads:            any; `create` is called under a lock of the engine's and must not call this
 * Cost:               allocates; for configuration time
 * Since:              0.1
 */
CMW_API CMW_NODISCARD int cmw_state_retain(cmw_engine *engine, void **object,
                                           const cmw_state_config *config);

/** Count an object down; the last one destroys it. Any thread; not from `create`. */
CMW_API void cmw_state_release(cmw_engine *engine, void *object);

/* ---- Work beside requests --------------------------------------------------------------- */

/** Do what has piled up (write a log, drop what is old). Returns the number of things done. */
typedef size_t cmw_poll_fn(void *self);

/**
 * Have a function called by each cmw_engine_poll.
 *
 * @return 0, CMW_ERR_ARG, CMW_ERR_NOMEM
 * Threads: any, but not from such a function
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_engine_add_poll(cmw_engine *engine, cmw_poll_fn *poll, void *self);

/** Undo it; when this returns, the function does not run and will not. Not from such a function. */
CMW_API void cmw_engine_remove_poll(cmw_engine *engine, cmw_poll_fn *poll, void *self);

/**
 * Do the work that middleware left for later. A host calls it from its loop or from a thread of its
 * own, some times a second; calls from several threads take turns.
 *
 * @return  the number of things done
 * Threads: any
 * Cost:    that of the work; requests never wait for it
 * Since:   0.1
 */
CMW_API size_t cmw_engine_poll(cmw_engine *engine);

/* ---- Hosts ------------------------------------------------------------------------------ */

/** What a server can do. An adapter declares what holds; installing checks what a plan needs. */
enum cmw_capability {
    CMW_CAP_STREAM_REQUEST_BODY = 1 << 0,   /**< hands the body to cmw_ctx_feed_body: as it comes
                                                 if it has CMW_CAP_HEAD_FIRST, else when whole; a
                                                 host that buffers bodies by itself, when whole */
    CMW_CAP_STREAM_RESPONSE_BODY = 1 << 1,  /**< reads bodies with cmw_ctx_read_body; without it
                                                 commit makes each body whole */
    CMW_CAP_SUSPEND = 1 << 2,               /**< can park a request in pre_route */
    CMW_CAP_SUSPEND_POST_ROUTE = 1 << 3,    /**< can park it in post_route */
    CMW_CAP_RESUME_ACROSS_THREADS = 1 << 4, /**< can be woken from another thread */
    CMW_CAP_NOTICE_CLIENT_GONE = 1 << 5,    /**< learns that a client left */
    CMW_CAP_DECORATE_OWN_ERRORS = 1 << 6,   /**< post_route runs for errors of its own */
    CMW_CAP_REWRITE_TARGET = 1 << 7,        /**< its router routes by the canonical path */
    CMW_CAP_FORKS = 1 << 8,                 /**< serves from several processes */
    CMW_CAP_HEAD_FIRST = 1 << 9,            /**< runs pre_route before it reads the body */
    CMW_CAP_ANY_METHOD = 1 << 10,           /**< hands over methods that it does not know */
    CMW_CAP_PASSES_BODIES = 1 << 11,        /**< its responses' bodies go past the engine: plans
                                               that look at them are refused */
    CMW_CAP_TIME_BODY = 1 << 12,            /**< says when it waits for a body
                                               (cmw_ctx_await_body), and gives up one that is late:
                                               plans that limit its time are refused without it */
    CMW_CAP_REQUEST_TRAILERS = 1 << 13,     /**< hands over the trailers of requests */
    CMW_CAP_RESPONSE_TRAILERS = 1 << 14,    /**< sends those of responses
                                               (cmw_ctx_sends_trailers); else there are none */
    CMW_CAP_TIME_HEAD = 1 << 15             /**< ends what sends a head for longer than
                                               cmw_worker_head_ms: plans that limit its time are
                                               refused without it */
};

/* One request in flight: <catzilla/context.h>. */
struct cmw_ctx;

/**
 * A server, as the engine sees it: filled by the adapter; must outlive the engine's use of it.
 *
 * `wake`, `arm_timer` and `proceed` are needed where requests are suspended or have deadlines.
 */
typedef struct cmw_host {
    size_t size;           /**< sizeof(cmw_host) */
    const char *name;      /**< "libmicrohttpd" */
    uint32_t capabilities; /**< enum cmw_capability */
    uint32_t header_limit; /**< fields that it passes on; 0: no limit of its own */

    /**
     * Have cmw_worker_run called by the worker's user, soon. From any thread, also from inside
     * cmw_worker_run; it must not call the engine. Or NULL: the host calls cmw_worker_run anyway.
     */
    void (*wake)(void *self);
    /** Have cmw_worker_run called at this time of the host's clock; 0: never. By the worker's user;
     * or NULL. */
    void (*arm_timer)(void *self, uint64_t at_ns);
    /**
     * A suspended request goes on, or one whose body did not come in time: `next` is a cmw_next, as
     * cmw_ctx_run or cmw_ctx_commit would have returned it, but never CMW_TO_SUSPENDED. Called in
     * cmw_worker_run; may do whatever those would be followed by, also end the context.
     */
    void (*proceed)(void *self, struct cmw_ctx *ctx, int next);
} cmw_host;

/**
 * Tell the engine of a server. Its capabilities bound what can be installed, now and later.
 *
 * @return 0; CMW_ERR_UNSUPPORTED if the installed plan needs what it lacks; CMW_ERR_ARG;
 *         CMW_ERR_VERSION; CMW_ERR_NOMEM
 * Threads: any
 * Since:  0.1
 */
CMW_API CMW_NODISCARD int cmw_engine_attach_host(cmw_engine *engine, const cmw_host *host,
                                                 cmw_diag *diag);

/* ---- Workers ---------------------------------------------------------------------------- */

/**
 * What one thread uses at a time: free contexts, arena blocks, its shard of the statistics. Never
 * locked, not bound to a thread; a context stays with the worker that began it.
 */
typedef struct cmw_worker cmw_worker;

/**
 * Borrow a worker, for a thread, a connection or a call.
 *
 * @param[out] out        the worker; unchanged on failure
 * @param      host       the server's table, or NULL
 * @param      host_self  for its functions
 * @return                0; CMW_ERR_LIMIT when `worker_limit` are out; CMW_ERR_NOMEM
 * Threads:               any; takes the engine's lock
 * Cost:                  O(1); allocates when no worker is free
 * Since:                 0.1
 */
CMW_API CMW_NODISCARD int cmw_engine_take_worker(cmw_engine *engine, cmw_worker **out,
                                                 const cmw_host *host, void *host_self);

/** Give it back, with whatever it has in flight; the next taker goes on with it. */
CMW_API void cmw_engine_put_worker(cmw_engine *engine, cmw_worker *worker);

/**
 * How long the head of a request may take from its first byte on, in milliseconds: the engine's
 * `limits.head_ms` or what middleware of the plan allows (cmw_middleware.head_ms), the less. 0: no
 * limit. For a host with CMW_CAP_TIME_HEAD, before it reads a head: it begins a late one with what
 * it has of it, and fails it by cmw_ctx_fail(ctx, 408), or closes the connection.
 *
 * Threads: the worker's user
 * Cost:    O(1)
 * Source:  RFC 9110, 15.5.9
 * Since:   0.1
 */
CMW_API uint64_t cmw_worker_head_ms(const cmw_worker *worker);

/** The engine of a worker. Cost: O(1). */
CMW_API cmw_engine *cmw_worker_engine(cmw_worker *worker);

/** Its number, from 0 to `worker_limit` - 1, for tables with a place for each. Cost: O(1). */
CMW_API uint32_t cmw_worker_index(const cmw_worker *worker);

/** Workers that an engine may have at once: the configuration's `worker_limit`. Cost: O(1). */
CMW_API uint32_t cmw_engine_worker_limit(const cmw_engine *engine);

/**
 * Hand over what was resumed, and give up what is past its deadline: each request that goes on is
 * told to the host by `proceed`.
 *
 * @param now_ns  the host's clock; 0: the engine reads its own
 * @return        requests that went on
 * Threads:       the worker's user, not from inside a callback
 * Cost:          that of the callbacks; O(log deadlines) for each deadline
 * Since:         0.1
 */
CMW_API size_t cmw_worker_run(cmw_worker *worker, uint64_t now_ns);

/** Requests that are suspended. Cost: O(1). */
CMW_API uint32_t cmw_worker_suspended(const cmw_worker *worker);

/** To be called before blocking: lets go of a plan that is no longer installed. Cost: O(1). */
CMW_API void cmw_worker_idle(cmw_worker *worker);

/** Give free contexts and blocks back to their pool; then the worker is cold. */
CMW_API void cmw_worker_trim(cmw_worker *worker);

/** Contexts in flight. Cost: adds up counters, some 1,000 instructions: not for every request. */
CMW_API uint32_t cmw_worker_in_flight(const cmw_worker *worker);

CMW_END_DECLS

#endif /* CATZILLA_ENGINE_H */
