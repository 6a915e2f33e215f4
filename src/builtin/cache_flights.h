/* SPDX-License-Identifier: MIT */
/*
 * Who asks the handler for a key, and who waits for what it says. Shared by threads.
 *
 * A flight and the places of those who wait for it lie in the memory of their requests: each leaves
 * before its request ends. Keys whose response was not stored are remembered for a while, so that
 * nobody waits for them.
 */
#ifndef CMW_BUILTIN_CACHE_FLIGHTS_H
#define CMW_BUILTIN_CACHE_FLIGHTS_H

#include <catzilla/mw.h>

#include "cache_store.h"
#include "spin.h"

enum { CMW__FLIGHT_PARTS = 8, CMW__FLIGHT_BUCKETS = 64, CMW__FLIGHT_PASSES = 64 };

struct cmw__cache_flight;

/* Somebody who waits. */
struct cmw__cache_waiter {
    struct cmw__cache_flight *flight; /* NULL: for nobody */
    struct cmw__cache_waiter *next, *previous;
    cmw_token token;
};

struct cmw__cache_flight {
    struct cmw__cache_key key;
    struct cmw__cache_flight *next; /* in its bucket */
    struct cmw__cache_waiter *first, *last;
    int is_open;
};

struct cmw__cache_flights {
    struct cmw__flight_part {
        _Alignas(64) struct cmw__spin lock;
        struct cmw__cache_flight *buckets[CMW__FLIGHT_BUCKETS];
        /* Keys that are passed on, by hash, until when. One takes the place of another. */
        struct {
            uint64_t hash, until_ns;
        } passes[CMW__FLIGHT_PASSES];
    } parts[CMW__FLIGHT_PARTS];
    _Atomic uint64_t waiting;
};

/* What becomes of one who misses. */
enum cmw__flight_role {
    CMW__FLIGHT_PASSES_ON, /* it goes its own way */
    CMW__FLIGHT_LEADS,     /* `flight` is open, and is to be closed */
    CMW__FLIGHT_WAITS      /* `waiter` waits: it is resumed, or leaves */
};

/*
 * Join the flight of a key, or open it: `flight` and `waiter` are the request's, all zero, with
 * key and token set. `most` who wait altogether; `may_wait` 0: it never waits.
 */
enum cmw__flight_role cmw__flight_join(struct cmw__cache_flights *flights,
                                       struct cmw__cache_flight *flight,
                                       struct cmw__cache_waiter *waiter, uint64_t now_ns,
                                       uint64_t most, int may_wait);
/* Open the flight of a key, in the place of one that is about to close: what that led is settled
 * already. Who waits for it is resumed when it closes. */
void cmw__flight_open(struct cmw__cache_flights *flights, struct cmw__cache_flight *flight);
/* 1 if somebody leads whom one might wait for: a look before a token is asked for. */
int cmw__flight_is_open(struct cmw__cache_flights *flights, const struct cmw__cache_key *key);
/* Close one that is open, and resume those who wait with `outcome`. */
void cmw__flight_close(struct cmw__cache_flights *flights, cmw_engine *engine,
                       struct cmw__cache_flight *flight, void *outcome);
/* Leave the place where one waits, if it is not resumed already. */
void cmw__flight_leave(struct cmw__cache_flights *flights, struct cmw__cache_waiter *waiter,
                       uint64_t hash);
/* Nobody waits for a key until then. */
void cmw__flight_pass(struct cmw__cache_flights *flights, uint64_t hash, uint64_t until_ns);

#endif /* CMW_BUILTIN_CACHE_FLIGHTS_H */
