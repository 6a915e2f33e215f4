/* SPDX-License-Identifier: MIT */
/* Flights by hash, and lists of those who wait, each part under a lock. */
#include "cache_flights.h"

static struct cmw__flight_part *part_of(struct cmw__cache_flights *flights, uint64_t hash)
{
    return &flights->parts[hash >> 61];
}

static struct cmw__cache_flight **bucket_of(struct cmw__flight_part *part, uint64_t hash)
{
    return &part->buckets[hash % CMW__FLIGHT_BUCKETS];
}

/* ---- Under the lock --------------------------------------------------------------------- */

static struct cmw__cache_flight *find(struct cmw__flight_part *part,
                                      const struct cmw__cache_key *key)
{
    struct cmw__cache_flight *at = *bucket_of(part, key->hash);

    while (at && !cmw__cache_same_key(&at->key, key))
        at = at->next;
    return at;
}

static int is_passed(const struct cmw__flight_part *part, uint64_t hash, uint64_t now_ns)
{
    const size_t place = hash / CMW__FLIGHT_BUCKETS % CMW__FLIGHT_PASSES;
    return part->passes[place].hash == hash && part->passes[place].until_ns > now_ns;
}

static void open_flight(struct cmw__flight_part *part, struct cmw__cache_flight *flight)
{
    struct cmw__cache_flight **bucket = bucket_of(part, flight->key.hash);

    flight->next = *bucket;
    flight->first = flight->last = NULL;
    flight->is_open = 1;
    *bucket = flight;
}

static void push(struct cmw__cache_flight *flight, struct cmw__cache_waiter *waiter)
{
    waiter->flight = flight;
    waiter->next = NULL;
    waiter->previous = flight->last;
    if (flight->last)
        flight->last->next = waiter;
    else
        flight->first = waiter;
    flight->last = waiter;
}

static void take_out(struct cmw__cache_flight *flight, struct cmw__cache_waiter *waiter)
{
    if (waiter->previous)
        waiter->previous->next = waiter->next;
    else
        flight->first = waiter->next;
    if (waiter->next)
        waiter->next->previous = waiter->previous;
    else
        flight->last = waiter->previous;
    waiter->flight = NULL;
}

/* ---- Joining ---------------------------------------------------------------------------- */

static int take_place(struct cmw__cache_flights *flights, uint64_t most)
{
    if (atomic_fetch_add_explicit(&flights->waiting, 1, memory_order_relaxed) < most)
        return 1;
    atomic_fetch_sub_explicit(&flights->waiting, 1, memory_order_relaxed);
    return 0;
}

static void give_place(struct cmw__cache_flights *flights)
{
    atomic_fetch_sub_explicit(&flights->waiting, 1, memory_order_relaxed);
}

/* Take a flight out of its bucket, unless another one has taken its place. */
static void unlink_flight(struct cmw__flight_part *part, const struct cmw__cache_flight *flight)
{
    struct cmw__cache_flight **at = bucket_of(part, flight->key.hash);

    while (*at && *at != flight)
        at = &(*at)->next;
    if (*at)
        *at = flight->next;
}

void cmw__flight_open(struct cmw__cache_flights *flights, struct cmw__cache_flight *flight)
{
    struct cmw__flight_part *part = part_of(flights, flight->key.hash);

    cmw__spin_lock(&part->lock);
    const struct cmw__cache_flight *other = find(part, &flight->key);
    if (other)
        unlink_flight(part, other);
    open_flight(part, flight);
    cmw__spin_unlock(&part->lock);
}

int cmw__flight_is_open(struct cmw__cache_flights *flights, const struct cmw__cache_key *key)
{
    struct cmw__flight_part *part = part_of(flights, key->hash);

    cmw__spin_lock(&part->lock);
    const int is_open = find(part, key) != NULL;
    cmw__spin_unlock(&part->lock);
    return is_open;
}

enum cmw__flight_role cmw__flight_join(struct cmw__cache_flights *flights,
                                       struct cmw__cache_flight *flight,
                                       struct cmw__cache_waiter *waiter, uint64_t now_ns,
                                       uint64_t most, int may_wait)
{
    struct cmw__flight_part *part = part_of(flights, flight->key.hash);
    enum cmw__flight_role role = CMW__FLIGHT_PASSES_ON;

    cmw__spin_lock(&part->lock);
    if (!is_passed(part, flight->key.hash, now_ns)) {
        struct cmw__cache_flight *other = find(part, &flight->key);
        if (!other) {
            open_flight(part, flight);
            role = CMW__FLIGHT_LEADS;
        } else if (may_wait && take_place(flights, most)) {
            push(other, waiter);
            role = CMW__FLIGHT_WAITS;
        }
    }
    cmw__spin_unlock(&part->lock);
    return role;
}

/* ---- Leaving ---------------------------------------------------------------------------- */

/* Who came first leaves: 1, and `*token` is its; 0: nobody waits any more. */
static int pop(struct cmw__flight_part *part, struct cmw__cache_flight *flight, cmw_token *token)
{
    cmw__spin_lock(&part->lock);
    struct cmw__cache_waiter *waiter = flight->first;
    if (waiter) {
        *token = waiter->token;
        take_out(flight, waiter);
    }
    cmw__spin_unlock(&part->lock);
    return waiter != NULL;
}

/* Closed first, so that nobody joins while others are resumed: who comes now looks for himself. */
void cmw__flight_close(struct cmw__cache_flights *flights, cmw_engine *engine,
                       struct cmw__cache_flight *flight, void *outcome)
{
    struct cmw__flight_part *part = part_of(flights, flight->key.hash);
    cmw_token token;

    if (!flight->is_open)
        return;
    cmw__spin_lock(&part->lock);
    unlink_flight(part, flight);
    cmw__spin_unlock(&part->lock);
    flight->is_open = 0;
    while (pop(part, flight, &token)) {
        give_place(flights);
        if (cmw_resume(engine, token, CMW_CONTINUE, outcome) != 0)
            continue; /* that request was over before it could leave */
    }
}

void cmw__flight_leave(struct cmw__cache_flights *flights, struct cmw__cache_waiter *waiter,
                       uint64_t hash)
{
    struct cmw__flight_part *part = part_of(flights, hash);

    cmw__spin_lock(&part->lock);
    struct cmw__cache_flight *flight = waiter->flight;
    if (flight)
        take_out(flight, waiter);
    cmw__spin_unlock(&part->lock);
    if (flight)
        give_place(flights);
}

void cmw__flight_pass(struct cmw__cache_flights *flights, uint64_t hash, uint64_t until_ns)
{
    struct cmw__flight_part *part = part_of(flights, hash);
    const size_t place = hash / CMW__FLIGHT_BUCKETS % CMW__FLIGHT_PASSES;

    cmw__spin_lock(&part->lock);
    part->passes[place].hash = hash;
    part->passes[place].until_ns = until_ns;
    cmw__spin_unlock(&part->lock);
}
