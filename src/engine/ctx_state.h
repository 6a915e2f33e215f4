/* SPDX-License-Identifier: MIT */
/*
 * The inside of contexts and workers.
 *
 *   a context, in one piece of engine->context_bytes
 *   | parts, hot part | request, fault, ... | slot bits | slots | run bits | first chunk ... |
 * reserve |
 *     <= 256 B                                `- laid out by the plan -'     arena             for
 * faults
 */
#ifndef CMW_ENGINE_CTX_STATE_H
#define CMW_ENGINE_CTX_STATE_H

#include <catzilla/context.h>

#include "arena_state.h"
#include "atomic.h"
#include "bitset.h"
#include "engine_state.h"
#include "histogram.h"
#include "plan_state.h"
#include "platform.h"
#include "request_state.h"
#include "response_state.h"
#include "suspend.h"

/* Memory kept back for the answer to a request that used up its own. */
#define CMW__RESERVE_BYTES 512

enum cmw__ctx_state {
    CMW__CTX_BEGUN, /* 0, as all that begin finds in a context */
    CMW__CTX_PRE_ROUTE,
    CMW__CTX_HANDLER,
    CMW__CTX_POST_ROUTE,
    CMW__CTX_COMMITTED,
    CMW__CTX_ENDING
};

/* Bits of cmw_ctx.flags: what leads a request off the usual way. */
enum {
    CMW__CTX_SKIP_ROUTE = 1 << 0,
    CMW__CTX_FAILED = 1 << 1, /* a fault waits for its error callbacks */
    CMW__CTX_FAULT = 1 << 2,  /* there was a fault */
    CMW__CTX_SAMPLED = 1 << 3,
    CMW__CTX_ABORTED = 1 << 4,
    CMW__CTX_RESERVE_USED = 1 << 5,
    CMW__CTX_PRE_ENDED = 1 << 6,     /* pre_route did not reach its end: it ended at `pre_end` */
    CMW__CTX_IN_ERROR = 1 << 7,      /* error callbacks run */
    CMW__CTX_WOULD_SUSPEND = 1 << 8, /* a shadowed callback has made ready to suspend */
    CMW__CTX_IN_BODY = 1 << 9,       /* a callback of a body phase runs */
    CMW__CTX_BODY_OPEN = 1 << 10,    /* request_body has not seen the end of the body */
    CMW__CTX_BODY_LOOK = 1 << 11,    /* commit looks at the response's body: it may be a source, or
                                        callbacks may want it */
    CMW__CTX_TIME_HANDLER = 1 << 12, /* the handler's time is to begin, when pre_route ends */
};

/* What a request has deadlines for. */
enum cmw__deadline {
    CMW__DEADLINE_REQUEST,
    CMW__DEADLINE_HANDLER,
    CMW__DEADLINE_BODY, /* all of it */
    CMW__DEADLINE_IDLE, /* the next piece of it */
    CMW__DEADLINES
};

/* Bits of cmw_ctx.traces: what a request leaves behind that its end sweeps away. */
enum {
    CMW__CTX_MATCHED = 1 << 0,
    CMW__CTX_LITTER = 1 << 1, /* many slots, values, services, a body, a route, early answers */
    CMW__CTX_BODY_LIMITED = 1 << 2, /* by body_limit */
    CMW__CTX_ARMED = 1 << 3,        /* its cell waits for a resume */
    CMW__CTX_PARKED = 1 << 4,       /* it is suspended, at `parked` */
    CMW__CTX_TIMED = 1 << 5,        /* it is in the worker's heap of deadlines */
    CMW__CTX_CANCELLED = 1 << 6,    /* for `cancel_reason` */
    CMW__CTX_BODY_COUNTED = 1 << 7  /* the host said how much of the body it sent */
};

/* A worker's shard of a plan's statistics, and how many of its contexts run on the plan. */
struct cmw__plan_use {
    cmw_plan *plan;
    _Atomic uint32_t *histograms;
    struct cmw__installed *installed;
    struct cmw__plan_use *next_retired;
    size_t alloc_bytes;
    cmw__counter counters[]; /* plan->counter_count; here, so that counting loads no pointer */
};

struct cmw__value;
struct cmw__body_in;
struct cmw__body_out;
struct cmw__trailers;
struct cmw__announced;
struct cmw__promise;
struct cmw__trailers_out;

struct cmw_ctx {
    union {
        cmw_ctx_parts parts;
        struct {
            void *first_parts[3];
            cmw_worker *worker; /* the last of them */
        };
    };
    const cmw_plan *plan;
    /* The entry that runs, if one does, is at_end[-left]: see cmw__ctx_at. */
    const struct cmw__entry *at_end;
    cmw_ctx *next_free;
    struct cmw__plan_use *use; /* for which it is laid out; NULL: for none */
    struct cmw__bitset active; /* runs, if MATCHED */
    /* These are 0 when a request begins: the end of the one before sees to it. */
    union {
        struct {
            uint16_t state;
            uint16_t flags;
        };
        uint32_t state_and_flags; /* how the usual way writes them */
    };
    uint8_t traces;
    uint8_t has_complete; /* the plan has: not the request's, but asked together with `traces` */
    uint8_t left;
    uint32_t route; /* index in the plan, or CMW_NONE */
    cmw_arena arena;
    cmw_response response;
    /* Up to here: the hot part. */
    cmw_request request;
    struct cmw__entry *jump;          /* where a guard sends the loop */
    const struct cmw__entry *pre_end; /* if PRE_ENDED; NULL: pre_route has not run */
    const struct cmw__entry *route_end;
    struct cmw__value *values;
    struct cmw__block *body;
    struct cmw__request_service *services;
    struct cmw__value *shadow_values; /* what shadowed middleware has set by name, */
    struct cmw__scratch *scratch;     /* and as slots */
    cmw_shadow_note *shadow_notes;
    size_t shadow_bytes;              /* which the arena's limit was raised by */
    uint64_t sample_begin_ns;         /* if SAMPLED */
    uint64_t early;                   /* classes decided before the match point: asked, */
    uint64_t early_holds;             /* and what was found */
    uint64_t body_limit;              /* if BODY_LIMITED */
    uint64_t body_sent;               /* if BODY_COUNTED */
    struct cmw__body_in *body_in;     /* NULL until request_body runs */
    struct cmw__body_out *body_out;   /* NULL until there is a source, or response_body runs */
    struct cmw__trailers *trailers;   /* NULL until some came */
    struct cmw__announced *announced; /* who changes the response's body */
    struct cmw__promise *promises;    /* trailers that its head is to name, the newest first */
    struct cmw__trailers_out *trailers_out; /* NULL until one was added */
    struct cmw__block *stash;               /* see body_in.c */
    struct cmw__block *gathered;            /* a body that commit made whole */
    struct cmw__parked parked;
    uint64_t deadlines[CMW__DEADLINES]; /* if TIMED: each, or 0 */
    uint32_t timer;                     /* if TIMED: index in the heap, of the earliest */
    uint32_t cancel_reason;             /* if CANCELLED */
    cmw_fault fault;
    uint32_t reason;
    uint8_t awaits_body;    /* the host waits for it: if TIMED */
    uint8_t sends_trailers; /* the response's head names some */
    uint32_t body_ms; /* what middleware allows its body, if that is less than the engine does; */
    uint32_t body_idle_ms; /* 0: as the engine */
    uint32_t handler_ms;   /* what it allows its handler; 0: no time of its own */
    struct cmw__segment segments[CMW__SEGMENTS_INLINE];
};

struct cmw_worker {
    /* `use`, or &cmw__no_use while the installed plan is another or there is none: what tells begin
     * to look. Written under the engine's lock, also by who installs. */
    const struct cmw__plan_use *_Atomic current;
    cmw_ctx *free_contexts; /* the last one is `none` */
    uint32_t sample_countdown;
    uint32_t quick_header_count; /* a head with fewer fields, and */
    uint32_t quick_header_bytes; /* no more bytes, begins without a further look; 0: none does */
    cmw_engine *engine;
    struct cmw__plan_use *use; /* NULL until a plan is installed */
    uint32_t context_count;    /* free and in flight */
    struct cmw__block_list blocks;
    struct cmw__plan_use *retired; /* of older plans, with contexts in flight */
    const cmw_host *host;
    void *host_self;
    uint32_t index;
    uint8_t is_out;
    cmw_worker *next;
    cmw_worker *next_free;
    /* Of the wall clock's last reading: how far it is ahead of the monotonic one, and for which
     * requests it is good, from this time on and so long; 0: for none yet. */
    uint64_t wall_ahead_ns, wall_from_ns, wall_span_ns;
    struct cmw__random_batch *random; /* in a page of its own; NULL until it is needed */
    struct cmw__waits waits;
    cmw_ctx none; /* for no free context; laid out for no use, which begin asks for anyway */
};

/* Give the page back. */
void cmw__worker_close_random(cmw_worker *worker);

extern const struct cmw__plan_use cmw__no_use;

/* Offset of what the plan lays out. */
#define CMW__CTX_FIXED ((sizeof(cmw_ctx) + 15) & ~(size_t)15)

/* Which slots are set, and what predicates said. Every end clears the first word; the others, which
 * few plans have, those that find LITTER. */
static inline uint64_t *cmw__ctx_slot_bits(cmw_ctx *ctx)
{
    return (uint64_t *)(void *)((char *)ctx + CMW__CTX_FIXED);
}

static inline uint64_t *cmw__slot_word(const cmw_ctx *ctx, const struct cmw__slot_place *place)
{
    return (uint64_t *)(void *)((char *)(uintptr_t)ctx + place->word);
}

/* The value of a slot; NULL if it is not set, or its plan does not know it. */
static inline void *cmw__ctx_value_at(const cmw_ctx *ctx, const struct cmw__slot_place *place)
{
    return *cmw__slot_word(ctx, place) & place->mask ? (char *)(uintptr_t)ctx + place->offset
                                                     : NULL;
}

/* One free context more: 0, CMW_ERR_LIMIT, CMW_ERR_NOMEM. */
int cmw__worker_add_context(cmw_worker *worker);

static inline void cmw__worker_put_context(cmw_worker *worker, cmw_ctx *ctx)
{
    ctx->next_free = worker->free_contexts;
    worker->free_contexts = ctx;
}

/* The phase whose callbacks run, if any do. */
static inline cmw_phase cmw__ctx_phase(const cmw_ctx *ctx)
{
    if (ctx->flags & CMW__CTX_IN_ERROR)
        return CMW_PHASE_ERROR;
    if (ctx->flags & CMW__CTX_IN_BODY)
        return ctx->state == CMW__CTX_HANDLER ? CMW_PHASE_REQUEST_BODY : CMW_PHASE_RESPONSE_BODY;
    if (ctx->state == CMW__CTX_ENDING)
        return CMW_PHASE_COMPLETE;
    return ctx->state == CMW__CTX_POST_ROUTE ? CMW_PHASE_POST_ROUTE : CMW_PHASE_PRE_ROUTE;
}

/*
 * The entry that runs, or NULL between phases, where `left` means nothing.
 *
 * The usual way leaves in `left`, as a constant, where in a group of entries it is: storing a byte
 * is one instruction an entry, and a pointer took two.
 */
static inline const struct cmw__entry *cmw__ctx_at(const cmw_ctx *ctx)
{
    const int runs = ctx->state == CMW__CTX_PRE_ROUTE || ctx->state == CMW__CTX_POST_ROUTE ||
                     ctx->state == CMW__CTX_ENDING ||
                     (ctx->flags & (CMW__CTX_IN_ERROR | CMW__CTX_IN_BODY));
    return runs && ctx->left ? ctx->at_end - ctx->left : NULL;
}

/*
 * A state without flags. Both are stored, at once, though flags are 0 already: they are compared as
 * one, and a load of what two stores wrote waits until both have left the store buffer. That took
 * 5 to 9 ns of an empty request's 20.
 */
static inline void cmw__ctx_set_usual(cmw_ctx *ctx, enum cmw__ctx_state state)
{
    const union {
        uint16_t halves[2];
        uint32_t both;
    } usual = {{(uint16_t)state, 0}};

    ctx->state_and_flags = usual.both; /* gcc makes two loads and stores of two assignments */
}

static inline void cmw__ctx_set_idle(cmw_ctx *ctx)
{
    ctx->left = 0;
}

/* Where pre_route ended: an entry, the last of which is the program's end; NULL: it has not run. */
static inline const struct cmw__entry *cmw__ctx_pre_end(const cmw_ctx *ctx)
{
    if (ctx->flags & CMW__CTX_PRE_ENDED)
        return ctx->pre_end;
    return ctx->plan->programs[CMW_PHASE_PRE_ROUTE].end;
}

static inline void cmw__ctx_set_at(cmw_ctx *ctx, const struct cmw__entry *entry)
{
    ctx->at_end = entry + 1;
    ctx->left = 1;
}

/* Contexts that run on the plan: begun and not ended. */
uint32_t cmw__use_in_flight(const struct cmw__plan_use *use);

/* Take over a newly installed plan. Takes the engine's lock. */
void cmw__worker_follow(cmw_worker *worker);
/* Let go of retired plans without contexts in flight. */
void cmw__worker_release_retired(cmw_worker *worker);

/* Decide all conditions. 0; CMW_ERR_INVALID: the path has no canonical form; CMW_ERR_NOMEM. */
int cmw__ctx_match(cmw_ctx *ctx);
/* Entries of the special kinds. */
int cmw__entry_match(void *self, cmw_ctx *ctx);
int cmw__entry_guard(void *self, cmw_ctx *ctx);
int cmw__entry_entered_guard(void *self, cmw_ctx *ctx);
int cmw__entry_block(void *self, cmw_ctx *ctx);
int cmw__entry_end(void *self, cmw_ctx *ctx);
int cmw__entry_wrapped(void *self, cmw_ctx *ctx);
int cmw__entry_complete(void *self, cmw_ctx *ctx);

static inline void cmw__count(cmw_ctx *ctx, uint32_t counter)
{
    cmw__counter_add(&ctx->use->counters[counter], 1);
}

/* Add a duration to a histogram. */
void cmw__use_record(struct cmw__plan_use *use, uint32_t histogram, uint64_t ns);
#endif /* CMW_ENGINE_CTX_STATE_H */
