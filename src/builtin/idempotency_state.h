/* SPDX-License-Identifier: MIT */
/* What the files of idempotency_key share: the instance, and a request's state in its slot. */
#ifndef CMW_BUILTIN_IDEMPOTENCY_STATE_H
#define CMW_BUILTIN_IDEMPOTENCY_STATE_H

#include <stdatomic.h>

#include <catzilla/builtin/idempotency_key.h>

#include "cache_flights.h"

/* What plans share. */
struct cmw__idempotency_shared {
    cmw_pool *pool;
    cmw_memory_store *memory; /* NULL: the store is the user's */
    cmw_hash_key keys[2];
    _Atomic uint64_t first, replayed, in_flight, mismatched, not_kept, freed, failed;
    _Atomic uint64_t waited, expired;
    struct cmw__cache_flights *_Atomic flights; /* NULL: no plan has let anybody wait */
};

struct cmw__idempotency {
    cmw_arena *arena;
    cmw_engine *engine;
    struct cmw__idempotency_shared *shared;
    cmw_store store;
    cmw_hash_key keys[2];
    const char *const *methods;
    size_t method_count;
    size_t max_key_length, max_response_bytes;
    uint64_t ttl_ns, lock_ns;
    uint64_t max_wait_ns, max_waiting; /* both 0: nobody waits */
    int required, strict, passes;
    cmw_slot slot, principal;
};

/* What became of a request, in its slot. */
enum cmw__idempotency_stage {
    CMW__IDEMPOTENCY_WANTED,
    CMW__IDEMPOTENCY_WAITS, /* for what the first request is answered */
    CMW__IDEMPOTENCY_CLAIMED,
    CMW__IDEMPOTENCY_SETTLED
};

struct cmw__idempotency_waiting;

struct cmw__idempotency_visit {
    enum cmw__idempotency_stage stage;
    cmw_str client_key; /* what the client sent */
    cmw_str key;        /* with all that it holds for */
    cmw_str owner;
    uint64_t fingerprint[2];
    uint64_t version;   /* of what this request has put there */
    cmw_header *before; /* fields that the response had before the handler */
    size_t before_count;
    struct cmw__idempotency_waiting *waiting; /* NULL where nobody waits */
};

/* A request that others wait for, or that waits itself; in its arena. */
struct cmw__idempotency_waiting {
    const struct cmw__idempotency *self;
    uint64_t hash;
    uint64_t deadline_ns; /* the request's own while it waits; 0: none */
    uint64_t patience_ns; /* when it has waited long enough; 0: it has not waited */
    unsigned waits;       /* how often */
    struct cmw__cache_flight flight;
    struct cmw__cache_waiter waiter;
};

/* What became of the request that was waited for, as the address of one of these. */
extern const char cmw__idempotency_settled, cmw__idempotency_elsewhere;

static inline void cmw__idempotency_count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* idempotency_visit.c, idempotency_keep.c: a request's callbacks. */
cmw_phase_fn cmw__idempotency_on_pre_route, cmw__idempotency_on_post_route,
    cmw__idempotency_on_error;
cmw_body_fn cmw__idempotency_on_request_body;
cmw_resumed_fn cmw__idempotency_on_resumed;
cmw_dropped_fn cmw__idempotency_on_dropped;
cmw_complete_fn cmw__idempotency_on_complete;

/* ---- idempotency_wait.c: who waits for whom; nothing where nobody may ------------------ */

/* The flights of what plans share, made when they are needed first: 0 or CMW_ERR_NOMEM. */
int cmw__idempotency_open_flights(struct cmw__idempotency_shared *shared);
/* Before a key is asked for: from now on others may wait for this request. 0 or CMW_ERR_NOMEM. */
int cmw__idempotency_lead(const struct cmw__idempotency *self, cmw_ctx *ctx,
                          struct cmw__idempotency_visit *visit);
/* It was the first one with its key. */
void cmw__idempotency_claimed(const struct cmw__idempotency *self,
                              struct cmw__idempotency_visit *visit);
/* Nobody is to wait for this request any more; those who do look for themselves, or are told that
 * the first one is `elsewhere`. */
void cmw__idempotency_let_go(const struct cmw__idempotency *self,
                             struct cmw__idempotency_visit *visit, const void *outcome);
/* 1 if it waits from now on, and is to be suspended. */
int cmw__idempotency_wait(const struct cmw__idempotency *self, cmw_ctx *ctx,
                          struct cmw__idempotency_visit *visit);
/* It was resumed: its own deadline holds again. 0 or an error. */
int cmw__idempotency_end_wait(cmw_ctx *ctx, struct cmw__idempotency_visit *visit);
/* 1 if it has waited as long as it may. It waits no more. */
int cmw__idempotency_gives_up(cmw_ctx *ctx, struct cmw__idempotency_visit *visit);

#endif /* CMW_BUILTIN_IDEMPOTENCY_STATE_H */
