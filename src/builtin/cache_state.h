/* SPDX-License-Identifier: MIT */
/* What the files of response_cache share. */
#ifndef CMW_BUILTIN_CACHE_STATE_H
#define CMW_BUILTIN_CACHE_STATE_H

#include "cache_flights.h"
#include "cache_rules.h"
#include "cache_store.h"

enum { CMW__CACHE_NAME_CAP = 64 };

/* What plans share. */
struct cmw__cache_shared {
    struct cmw__cache_store *store;
    _Atomic uint64_t hits, stale, misses, stored, collapsed, expired;
    struct cmw__cache_flights flights;
};

struct cmw__cache {
    cmw_arena *arena;
    cmw_engine *engine;
    struct cmw__cache_shared *shared;
    const cmw_hash_key *hash_key; /* the store's */
    size_t max_entry_bytes;
    uint64_t default_ttl_s, stale_while_s, stale_if_error_s;
    uint64_t max_waiting; /* 0: nobody waits */
    uint64_t max_wait_ns;
    cmw_str name; /* empty: no Cache-Status */
    /* Of what is served: Age, the same with Cache-Status behind it where the cache has a name, and
     * the latter alone. */
    cmw_field_pattern *age, *hit, *stale, *collapsed;
    cmw_slot slot, principal;
};

/* What became of a request, in its slot, which one that is served at once does not set. */
enum cmw__cache_stage {
    CMW__CACHE_BYPASS, /* not looked for */
    CMW__CACHE_HIT,
    CMW__CACHE_MISS,
    CMW__CACHE_WAITS, /* for what another request is answered */
    CMW__CACHE_UNSAFE /* its success drops what is stored */
};

/* What a request has that is not served at once; the arena's, so that a hit's slot is small. */
struct cmw__cache_asking {
    const struct cmw__cache *cache;
    struct cmw__cache_visit *visit;
    cmw_header *before; /* fields that the response had before the handler */
    size_t before_count;
    uint64_t deadline_ns;              /* that was in force when it began to wait; 0: none */
    struct cmw__cache_control control; /* what it said when it began to wait */
    struct cmw__cache_flight flight;
    struct cmw__cache_waiter waiter;
};

struct cmw__cache_visit {
    enum cmw__cache_stage stage;
    uint32_t purges; /* of its key, when it was looked for */
    unsigned waits;  /* how often it has waited */
    int renews;      /* it keeps others from asking for a new `stale` */
    int is_plain;    /* what it is for came as `key` has it */
    struct cmw__cache_key key;
    uint64_t now_ns;                /* when it was looked for last */
    struct cmw__cache_entry *stale; /* for an error; released with the request */
    struct cmw__cache_asking *asking;
};

cmw_phase_fn cmw__cache_on_pre_route, cmw__cache_on_post_route, cmw__cache_on_error;
cmw_resumed_fn cmw__cache_on_resumed;
cmw_dropped_fn cmw__cache_on_dropped;

static inline uint64_t cmw__cache_age(const struct cmw__cache_entry *entry, uint64_t now_ns)
{
    const uint64_t since = now_ns > entry->stored_ns ? now_ns - entry->stored_ns : 0;
    return entry->age_s + since / 1000000000;
}

/* The entry for a request, which holds it till its end, or NULL: 0 or an error. */
int cmw__cache_hold(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_entry **entry,
                    const struct cmw__cache_key *key);
/* Answer with an entry that the request holds: 0 or an error. */
int cmw__cache_serve(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_entry *entry,
                     uint64_t now_ns, int has_waited);
/* The entry may be none, or stale, or not what is asked for: a verdict. */
int cmw__cache_look_closely(const struct cmw__cache *cache, cmw_ctx *ctx,
                            struct cmw__cache_visit *visit, struct cmw__cache_entry *entry,
                            const struct cmw__cache_control *control, int may_wait);

/* The answer to a request that was looked for and not served, or is to drop what is stored: a
 * verdict. */
int cmw__cache_take_answer(const struct cmw__cache *cache, cmw_ctx *ctx,
                           struct cmw__cache_visit *visit);

/* What became of a response. */
enum cmw__cache_kept {
    CMW__CACHE_REFUSED, /* it may not be stored */
    CMW__CACHE_KEPT,
    CMW__CACHE_OUTDATED, /* its key was purged while it was made */
    CMW__CACHE_NO_ROOM
};

/* Store a response, if it may be. */
enum cmw__cache_kept cmw__cache_keep(const struct cmw__cache *cache, cmw_ctx *ctx,
                                     const struct cmw__cache_visit *visit);

#endif /* CMW_BUILTIN_CACHE_STATE_H */
