/* SPDX-License-Identifier: MIT */
/*
 * What a middleware is: verdicts, phases, callbacks, facts, conditions, and the descriptor that
 * carries them into a chain.
 */
#ifndef CATZILLA_MIDDLEWARE_H
#define CATZILLA_MIDDLEWARE_H

#include <catzilla/base.h>
#include <catzilla/header_id.h>
#include <catzilla/request.h>

CMW_BEGIN_DECLS

/** One request in flight. Used on its worker's thread only, from begin to end. */
typedef struct cmw_ctx cmw_ctx;

/** Owner of pools, plans, slots, services, statistics and limits. */
typedef struct cmw_engine cmw_engine;

/* ---- Verdicts --------------------------------------------------------------------------- */

/**
 * What a callback returns. Anything else, or one that its phase does not allow, is CMW_ERROR.
 *
 *                 pre_route  request_body  post_route  response_body  error
 * CMW_CONTINUE        x           x             x            x        x  not mine
 * CMW_STOP            x           x                                   x  answered
 * CMW_SKIP_ROUTE      x
 * CMW_SUSPEND         x           x             x
 * CMW_ERROR           x           x             x            x        x
 */
typedef enum cmw_verdict {
    CMW_CONTINUE = 0,   /**< go on */
    CMW_STOP = 1,       /**< the response is made: no more pre_route, no handler */
    CMW_SKIP_ROUTE = 2, /**< the rest of pre_route runs, the handler does not */
    CMW_SUSPEND = 3,    /**< park the request until it is resumed */
    CMW_ERROR = 4       /**< a fault: see cmw_failure_policy. So is every other number, and a
                             negative one, as the library's functions return, is the fault's code */
} cmw_verdict;

/** The points in a request's life at which callbacks run. */
typedef enum cmw_phase {
    CMW_PHASE_PRE_ROUTE = 0,
    CMW_PHASE_POST_ROUTE = 1,
    CMW_PHASE_ERROR = 2,
    CMW_PHASE_COMPLETE = 3,
    CMW_PHASE_REQUEST_BODY = 4,
    CMW_PHASE_RESPONSE_BODY = 5
} cmw_phase;

#define CMW_PHASE_COUNT 6

/** "pre_route", "post_route", ...; "unknown" for another number. Static. */
CMW_API const char *cmw_phase_name(cmw_phase phase);

/** Why a request ended. */
typedef enum cmw_end_reason {
    CMW_END_SENT = 0,        /**< the response was handed to the network whole */
    CMW_END_CLIENT_GONE = 1, /**< the client left before it was */
    CMW_END_DEADLINE = 2,    /**< a deadline passed */
    CMW_END_ERROR = 3,       /**< the server could not finish it */
    CMW_END_SHUTDOWN = 4     /**< the server is closing */
} cmw_end_reason;

#define CMW_END_REASON_COUNT 5

/** "sent", "client_gone", ...; "unknown" for another number. Static. */
CMW_API const char *cmw_end_reason_name(cmw_end_reason reason);

/* ---- Callbacks -------------------------------------------------------------------------- */

/**
 * A callback of pre_route, post_route or error.
 *
 * Called on the context's worker, at most once a request and phase. May use everything of the
 * context; pointers from it are valid until the request ends. Returns a cmw_verdict:
 * after CMW_STOP, and after CMW_SKIP_ROUTE at the end of pre_route, a request without a response is
 * a fault (500). In post_route the response has a status and may be changed; in error the
 * fault is cmw_ctx_fault and the response is empty.
 */
typedef int cmw_phase_fn(void *self, cmw_ctx *ctx);

/**
 * A callback of complete: runs exactly once for every context and every middleware whose conditions
 * match, in reverse order of the plan, when the response is sent or the request ended otherwise. It
 * observes: the response can be read, not changed.
 */
typedef void cmw_complete_fn(void *self, cmw_ctx *ctx, cmw_end_reason reason);

/**
 * A hint, called before pre_route in plan order for middleware without conditions: a place to
 * prefetch what the callback will read. It changes nothing that another could see.
 */
typedef void cmw_prepare_fn(void *self, cmw_ctx *ctx);

/** A piece of a body. */
typedef struct cmw_chunk {
    cmw_str bytes; /**< what came; a callback that may replace them sets what goes on */
    int is_last;   /**< 1: no more follows */
    int has_more;  /**< 0 at first. A callback that has more to put out for what came than it now
                        does sets 1: it is called again before anything new comes */
} cmw_chunk;

/**
 * A callback of request_body or response_body: once a chunk, in order, and once with `is_last`,
 * with or without bytes, also for an empty body.
 *
 * Who may replace the bytes (CMW_BODY_CHUNKS and CMW_BODY_FULL in request_body, CMW_TRANSFORMS_BODY
 * in response_body) sets `bytes` to what goes on in their place: no bytes swallow the chunk, or
 * keep it for later. They must live until the callback is called again, or until the request ends.
 * With `has_more` it is called again, without bytes and with the same `is_last`, once that much has
 * gone on; until then what came stays valid. To put out nothing and say `has_more` is a fault, and
 * so is replacing the bytes without leave. Of what a callback sets, `is_last` counts for nothing.
 *
 * Returns a cmw_verdict. After commit, in response_body, a fault aborts the response.
 */
typedef int cmw_body_fn(void *self, cmw_ctx *ctx, cmw_chunk *chunk);

/**
 * Called on the context's worker after cmw_resume, with what it delivered, whose ownership passes
 * to this call. Returns a verdict as the phase's own callback would; it may suspend again. Without
 * it the verdict of cmw_resume counts.
 */
typedef int cmw_resumed_fn(void *self, cmw_ctx *ctx, int verdict, void *data);

/**
 * Called instead of `resumed` when the request ended, or went on without waiting, before what was
 * delivered could be handed over: release `data`. On the context's worker.
 */
typedef void cmw_dropped_fn(void *self, void *data);

/**
 * Names one wait of one request: made by cmw_ctx_suspend, used once by cmw_resume. A value: it may
 * be copied, kept and handed to another thread, and outlive the request.
 */
typedef struct cmw_token {
    uint64_t generation;
    uint32_t cell;
    uint32_t reserved; /**< 0 */
} cmw_token;

/** Decide a condition: not 0 means yes. Called at most once a request; must change nothing. */
typedef int cmw_predicate_fn(void *self, cmw_ctx *ctx);

/* ---- Slots and facts -------------------------------------------------------------------- */

/**
 * A slot: a typed, named place in the context, reached by an index that the engine gives for its
 * whole life. A slot of size 0 is a fact: nothing is stored, only its order is checked.
 */
typedef uint32_t cmw_slot;

/** Facts that the engine itself knows; those of requests it provides. */
enum cmw_builtin_fact {
    CMW_FACT_CLIENT_ADDRESS = 0, /**< cmw_request_client_address */
    CMW_FACT_HOST = 1,           /**< cmw_request_host */
    CMW_FACT_SCHEME = 2,         /**< cmw_request_scheme */
    CMW_FACT_CANONICAL_PATH = 3, /**< cmw_request_path */

    /* Of responses: for cmw_middleware_post_provides and cmw_middleware_post_uses only. */
    CMW_FACT_PLAIN_BODY = 4,      /**< the body before anybody transforms it: provided by who reads,
                                       replaces or tags it; all with CMW_TRANSFORMS_BODY use it, and
                                       need not say so. Since 0.1 */
    CMW_FACT_KEPT_RESPONSE = 5,   /**< provided by who keeps a response for other requests, used by
                                       who adds what is meant for this one alone. Since 0.1 */
    CMW_FACT_RESPONSE_FIELDS = 6, /**< provided by who makes, changes or removes fields, used by who
                                       has the last word. Since 0.1 */
    CMW_FACT_RESPONSE_VARY = 7, /**< provided by who says on which fields of the request a response
                                       depends, used by who keeps it. Since 0.1 */
    CMW_FACT_COUNT = 8
};

/**
 * Declare a slot, or find the one that was declared with the same name, size and destructor.
 *
 * @param[out] slot     its index
 * @param      name     copied; unique in the engine
 * @param      size     bytes of a value; 0 for a fact
 * @param      destroy  called for a set slot after `complete`, in reverse order of setting; or NULL
 * @return              0; CMW_ERR_ARG; CMW_ERR_CONFLICT if the name is taken by another shape;
 *                      CMW_ERR_LIMIT past 65,535 slots; CMW_ERR_NOMEM
 * Threads:             any; before chains that use it are compiled
 * Cost:                allocates
 * Since:               0.1
 */
CMW_API CMW_NODISCARD int cmw_slot_declare(cmw_engine *engine, cmw_slot *slot, const char *name,
                                           size_t size, void (*destroy)(void *value));

/** The slot with a name, or CMW_NONE. Cost: O(slots); for configuration time. */
CMW_API cmw_slot cmw_slot_find(cmw_engine *engine, const char *name);

/** Bytes of a slot's value, as it was declared; 0 for a fact, and for no slot. Takes a lock. */
CMW_API size_t cmw_slot_size(cmw_engine *engine, cmw_slot slot);

/* ---- Conditions ------------------------------------------------------------------------- */

/**
 * When a middleware or a group applies: all of the members that are given must hold.
 *
 * Copied when it is added. Decided once a request, at the plan's match point.
 */
typedef struct cmw_condition {
    size_t size;                 /**< sizeof(cmw_condition), set by cmw_condition_init */
    const char *const *methods;  /**< any of these; case-sensitive */
    size_t method_count;         /**< 0: every method */
    const char *const *hosts;    /**< any of these: "a.example", or "*.a.example" for every name
                                      below it; without port, in any case */
    size_t host_count;           /**< 0: every host */
    const char *const *paths;    /**< any of the patterns, and none of those that begin with "!".
                                      "/health" is itself; "/api/" followed by "*" is "/api" and all
                                      below it; "/users/{id}" has any one segment in that place */
    size_t path_count;           /**< 0: every path */
    cmw_predicate_fn *predicate; /**< or NULL */
    void *predicate_self;        /**< must live as long as the plan */
    const cmw_slot *reads;       /**< facts and slots that the predicate reads */
    size_t read_count;           /**< of `reads` */
} cmw_condition;

/** Clear a condition (it then always holds) and set its size. Cost: O(1). */
static inline void cmw_condition_init(cmw_condition *condition)
{
    memset(condition, 0, sizeof *condition);
    condition->size = sizeof *condition;
}

/* ---- The descriptor --------------------------------------------------------------------- */

#define CMW_PRIORITY_DEFAULT 1000
#define CMW_PRIORITY_MAX 65535
#define CMW_PRIORITY_INHERIT (-1) /**< post_priority: the same as `priority` */

/** What a fault of the middleware's own means. */
typedef enum cmw_failure_policy {
    CMW_FAIL_CLOSED = 0, /**< the request fails: error callbacks, else 500 */
    CMW_FAIL_OPEN = 1,   /**< its response changes of that call are undone; go on; counted */
    CMW_FAIL_STATUS = 2  /**< the request fails with `failure_status` */
} cmw_failure_policy;

/** Bits of cmw_middleware.flags. */
enum cmw_middleware_flags {
    CMW_IF_ENTERED = 1,       /**< post_route and error run only if its own pre_route ran */
    CMW_GUARDS_ACCESS = 2,    /**< it decides who may pass: it can only fail closed */
    CMW_FIELDS_IF_ABSENT = 4, /**< its constant fields yield to those that are there */
    CMW_KEEPS_BEGIN_TIME = 8, /**< it asks for cmw_ctx_begin_ns late: where the host gives no time,
                                   the clock is read before pre_route */
    CMW_TRANSFORMS_BODY = 16, /**< its response_body changes the body, of those responses for which
                                   its post_route called cmw_ctx_transform_body; it runs for no
                                   other. Without this flag it runs for each body, to read it */
    CMW_TIMES_BODY = 32,      /**< it calls cmw_ctx_limit_body_time: a host without
                                   CMW_CAP_TIME_BODY refuses the plan */
    CMW_READS_TRAILERS = 64,  /**< it cannot do without cmw_ctx_trailers: installing refuses a
                                   server that lacks CMW_CAP_REQUEST_TRAILERS */
    CMW_SENDS_TRAILERS = 128  /**< it cannot do without cmw_ctx_add_trailer: installing refuses a
                                   server that lacks CMW_CAP_RESPONSE_TRAILERS. A client may still
                                   get none */
};

/**
 * How much of the request's body a middleware needs: when its request_body is called, and with
 * what.
 *
 * All who ask share one buffer. It holds what those with CMW_BODY_CHUNKS let through, so who peeks
 * or wants all of it must not stand before one of them: compiling refuses that.
 */
typedef enum cmw_body_demand {
    CMW_BODY_NONE = 0,
    CMW_BODY_PEEK = 1, /**< once, with the first `body_demand_bytes`, or with fewer if the body has
                            no more (then `is_last`); only to be read */
    CMW_BODY_CHUNKS = 2, /**< for each chunk as it comes; may replace it */
    CMW_BODY_FULL = 3, /**< once, with all of it. More than `body_demand_bytes` is refused with 413;
                            0: the engine's limit. May replace it, by bytes that live until the
                            end */
    CMW_BODY_DIGEST = 4 /**< for each chunk as it comes; only to be read */
} cmw_body_demand;

/** What a middleware has to do with a slot or fact. */
typedef enum cmw_relation {
    CMW_PROVIDES = 1,      /**< sets it */
    CMW_REFINES = 2,       /**< changes it: must run before all that read it */
    CMW_REQUIRES = 3,      /**< reads it, and cannot do without */
    CMW_USES = 4,          /**< reads it if it is there */
    CMW_POST_PROVIDES = 5, /**< of a response: makes it so in post_route. Since 0.1 */
    CMW_POST_USES = 6      /**< of a response: runs, in post_route, behind all who make it so.
                                Since 0.1 */
} cmw_relation;

/** Relations that one descriptor holds. One more is refused by cmw_chain_add, with a sentence. */
#define CMW_RELATION_CAP 16

/**
 * A middleware, as it is added to a chain, which copies all of it but what `self` points to.
 *
 * Fill one after cmw_middleware_init; leave at 0 what does not apply.
 */
typedef struct cmw_middleware {
    size_t size;            /**< sizeof(cmw_middleware), set by cmw_middleware_init */
    const char *name;       /**< of this instance; unique in its chain */
    const char *kind;       /**< what it is an instance of; NULL: "custom" */
    int32_t priority;       /**< 0..65535, lower runs first */
    int32_t post_priority;  /**< in post_route; CMW_PRIORITY_INHERIT: as `priority`. Equal ones keep
                               plan order */
    uint32_t flags;         /**< enum cmw_middleware_flags */
    int32_t failure;        /**< cmw_failure_policy */
    int32_t failure_status; /**< 400..599, for CMW_FAIL_STATUS */

    void *self;                  /**< handed to every callback */
    void (*destroy)(void *self); /**< called once, when chain and plans are done with it; or NULL */

    cmw_prepare_fn *prepare; /**< each callback may be NULL */
    cmw_phase_fn *pre_route;
    cmw_body_fn *request_body; /**< needs a `body_demand`; not for a route's own middleware */
    cmw_phase_fn *post_route;
    cmw_body_fn *response_body; /**< in the order of post_route */
    cmw_phase_fn *error;
    cmw_complete_fn *complete;
    cmw_resumed_fn *resumed;
    cmw_dropped_fn *dropped;
    uint32_t suspend_phases; /**< bits 1 << cmw_phase in which it may suspend: pre_route,
                                  request_body, post_route */
    int32_t body_demand;     /**< cmw_body_demand */
    size_t body_demand_bytes;

    const cmw_header *fields; /**< constant response fields, on every response to a request that
                                   meets the conditions; placed where post_route would run,
                                   before it */
    size_t field_count;
    const cmw_condition *condition; /**< or NULL: always */
    const char *const *before;      /**< names of middleware that must run after this one */
    size_t before_count;
    const char *const *after; /**< names of middleware that must run before this one */
    size_t after_count;

    uint32_t relation_count; /**< filled by cmw_middleware_provides and its like; more than
                                  CMW_RELATION_CAP is refused by cmw_chain_add */
    struct {
        cmw_slot slot;
        uint32_t relation; /**< cmw_relation */
    } relations[CMW_RELATION_CAP];

    uint32_t head_ms; /**< the head of a request must come within so many milliseconds, up to
                           86,400,000; 0: no limit. Of all requests: not for middleware with a
                           condition. A host without CMW_CAP_TIME_HEAD refuses the plan */
} cmw_middleware;

/** Fill a descriptor with the defaults: see cmw_middleware_init. */
CMW_API void cmw_middleware_init_sized(cmw_middleware *middleware, size_t size);

/** Clear a descriptor and set the default priority; `middleware` is a pointer to one. */
#define cmw_middleware_init(middleware)                                                            \
    cmw_middleware_init_sized((middleware), sizeof *(middleware))

/**
 * Note a relation to a slot or fact. A mistake is kept and reported by cmw_chain_add.
 *
 * Threads: the descriptor's owner
 * Cost:    O(1)
 * Since:   0.1
 */
CMW_API void cmw_middleware_relate(cmw_middleware *middleware, cmw_relation relation,
                                   cmw_slot slot);
CMW_API void cmw_middleware_provides(cmw_middleware *middleware, cmw_slot slot);
CMW_API void cmw_middleware_refines(cmw_middleware *middleware, cmw_slot slot);
CMW_API void cmw_middleware_requires(cmw_middleware *middleware, cmw_slot slot);
CMW_API void cmw_middleware_uses(cmw_middleware *middleware, cmw_slot slot);

/**
 * Note a relation that is of post_route, where the order may be another one and where only the
 * order can be promised: whoever uses a fact runs behind all in the chain who provide it, by
 * `post_priority` and the chain's flags. Else compiling refuses the chain. Slots and facts are as
 * in pre_route, but what one is to the one phase it is not to the other.
 *
 * Threads: the descriptor's owner
 * Cost:    O(1)
 * Since:   0.1
 */
CMW_API void cmw_middleware_post_provides(cmw_middleware *middleware, cmw_slot slot);
CMW_API void cmw_middleware_post_uses(cmw_middleware *middleware, cmw_slot slot);

CMW_END_DECLS

#endif /* CATZILLA_MIDDLEWARE_H */
