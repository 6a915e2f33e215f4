/* SPDX-License-Identifier: MIT */
/* What the files of idempotency_key share: the instance, and a request's state in its slot. */
#ifndef CMW_BUILTIN_IDEMPOTENCY_STATE_H
#define CMW_BUILTIN_IDEMPOTENCY_STATE_H

#include <stdatomic.h>

#include <catzilla/builtin/idempotency_key.h>

/* What plans share. */
struct cmw__idempotency_shared {
    cmw_pool *pool;
    cmw_memory_store *memory; /* NULL: the store is the user's */
    cmw_hash_key keys[2];
    _Atomic uint64_t first, replayed, in_flight, mismatched, not_kept, freed, failed;
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
    int required, strict, passes;
    cmw_slot slot, principal;
};

/* What became of a request, in its slot. */
enum cmw__idempotency_stage {
    CMW__IDEMPOTENCY_WANTED,
    CMW__IDEMPOTENCY_CLAIMED,
    CMW__IDEMPOTENCY_SETTLED
};

struct cmw__idempotency_visit {
    enum cmw__idempotency_stage stage;
    cmw_str client_key; /* what the client sent */
    cmw_str key;        /* with all that it holds for */
    cmw_str owner;
    uint64_t fingerprint[2];
    uint64_t version;   /* of what this request has put there */
    cmw_header *before; /* fields that the response had before the handler */
    size_t before_count;
};

/* idempotency_visit.c: a request's callbacks. */
cmw_phase_fn cmw__idempotency_on_pre_route, cmw__idempotency_on_post_route;
cmw_body_fn cmw__idempotency_on_request_body;
cmw_resumed_fn cmw__idempotency_on_resumed;
cmw_dropped_fn cmw__idempotency_on_dropped;
cmw_complete_fn cmw__idempotency_on_complete;

#endif /* CMW_BUILTIN_IDEMPOTENCY_STATE_H */
