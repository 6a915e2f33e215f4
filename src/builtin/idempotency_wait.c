/* SPDX-License-Identifier: MIT */
/*
 * idempotency_key: repeats that wait for the first request.
 *
 * A request opens the flight of its key before it asks the store: whoever finds there that it is in
 * flight finds whom to wait for, too, unless it runs in another process.
 *
 *     first     lead, add: ADDED ......... answered, replace, let go
 *     repeat          add: FOUND, waits ........................... resumed, add: FOUND, replays
 *
 * Where the first one fails, its key is free when it lets go: one of those who waited adds it, and
 * the others wait for that one.
 */
#include <catzilla/mw.h>

#include "idempotency_state.h"

/* How often a request waits: so many that were first may fail before it. */
enum { WAITS_MOST = 4 };

const char cmw__idempotency_settled = 's', cmw__idempotency_elsewhere = 'e';

int cmw__idempotency_open_flights(struct cmw__idempotency_shared *shared)
{
    struct cmw__cache_flights *none = NULL;

    if (atomic_load_explicit(&shared->flights, memory_order_acquire))
        return 0;
    struct cmw__cache_flights *flights = cmw_pool_alloc(shared->pool, sizeof *flights, 64);
    if (!flights)
        return CMW_ERR_NOMEM;
    memset(flights, 0, sizeof *flights);
    if (!atomic_compare_exchange_strong(&shared->flights, &none, flights))
        cmw_pool_free(shared->pool, flights, sizeof *flights, 64);
    return 0;
}

static struct cmw__cache_flights *flights_of(const struct cmw__idempotency *self)
{
    return atomic_load_explicit(&self->shared->flights, memory_order_acquire);
}

/* ---- Being waited for ------------------------------------------------------------------- */

/* At the request's end, whatever has happened. */
static void leave(void *object)
{
    struct cmw__idempotency_waiting *waiting = object;
    struct cmw__cache_flights *flights = flights_of(waiting->self);

    cmw__flight_close(flights, waiting->self->engine, &waiting->flight,
                      (void *)(uintptr_t)&cmw__idempotency_settled);
    cmw__flight_leave(flights, &waiting->waiter, waiting->hash);
}

static int begin(const struct cmw__idempotency *self, cmw_ctx *ctx,
                 struct cmw__idempotency_visit *visit)
{
    struct cmw__idempotency_waiting *waiting = cmw_arena_alloc(cmw_ctx_arena(ctx), sizeof *waiting);

    if (!waiting)
        return CMW_ERR_NOMEM;
    memset(waiting, 0, sizeof *waiting);
    waiting->self = self;
    waiting->hash = cmw_hash_keyed(&self->shared->keys[0], visit->key);
    waiting->flight.key.hash = waiting->hash;
    waiting->flight.key.uri = (cmw_uri){.host = {"", 0}, .target = visit->key, .is_checked = 1};
    const int rc = cmw_arena_defer(cmw_ctx_arena(ctx), leave, waiting);
    if (rc == 0)
        visit->waiting = waiting;
    return rc;
}

int cmw__idempotency_lead(const struct cmw__idempotency *self, cmw_ctx *ctx,
                          struct cmw__idempotency_visit *visit)
{
    if (self->max_waiting == 0)
        return 0;
    if (!visit->waiting && begin(self, ctx, visit) != 0)
        return CMW_ERR_NOMEM;
    if (!visit->waiting->flight.is_open)
        (void)cmw__flight_join(flights_of(self), &visit->waiting->flight, &visit->waiting->waiter,
                               cmw_ctx_now_ns(ctx), 0, 0);
    return 0;
}

void cmw__idempotency_claimed(const struct cmw__idempotency *self,
                              struct cmw__idempotency_visit *visit)
{
    if (visit->waiting && !visit->waiting->flight.is_open)
        cmw__flight_open(flights_of(self), &visit->waiting->flight);
}

void cmw__idempotency_let_go(const struct cmw__idempotency *self,
                             struct cmw__idempotency_visit *visit, const void *outcome)
{
    if (visit->waiting)
        cmw__flight_close(flights_of(self), self->engine, &visit->waiting->flight,
                          (void *)(uintptr_t)outcome);
}

/* ---- Waiting ---------------------------------------------------------------------------- */

/* The earlier of the request's own deadline and the end of its patience, which waiting again does
 * not renew. */
static int set_patience(const struct cmw__idempotency *self, cmw_ctx *ctx,
                        struct cmw__idempotency_waiting *waiting)
{
    if (waiting->patience_ns == 0)
        waiting->patience_ns = cmw_ctx_now_ns(ctx) + self->max_wait_ns;
    waiting->deadline_ns = cmw_ctx_deadline(ctx);
    if (waiting->deadline_ns != 0 && waiting->deadline_ns <= waiting->patience_ns)
        return 0;
    return cmw_ctx_set_deadline(ctx, waiting->patience_ns);
}

/* Join those who wait. The first one may have let go just now: then this one leads, and goes on as
 * if it had been resumed. */
static int join(const struct cmw__idempotency *self, cmw_ctx *ctx,
                struct cmw__idempotency_waiting *waiting)
{
    if (cmw_ctx_suspend(ctx, &waiting->waiter.token) != 0)
        return 0;
    switch (cmw__flight_join(flights_of(self), &waiting->flight, &waiting->waiter,
                             cmw_ctx_now_ns(ctx), self->max_waiting, 1)) {
    case CMW__FLIGHT_WAITS:
        return 1;
    case CMW__FLIGHT_LEADS:
        return cmw_resume(self->engine, waiting->waiter.token, CMW_CONTINUE,
                          (void *)(uintptr_t)&cmw__idempotency_settled) == 0;
    default:
        return 0; /* too many do */
    }
}

int cmw__idempotency_wait(const struct cmw__idempotency *self, cmw_ctx *ctx,
                          struct cmw__idempotency_visit *visit)
{
    struct cmw__idempotency_waiting *waiting = visit->waiting;

    if (!waiting || waiting->flight.is_open || waiting->waits == WAITS_MOST)
        return 0; /* who leads and finds another one's claim: that is elsewhere */
    if (set_patience(self, ctx, waiting) != 0)
        return 0;
    if (!join(self, ctx, waiting)) {
        (void)cmw__idempotency_end_wait(ctx, visit);
        return 0;
    }
    waiting->waits++;
    visit->stage = CMW__IDEMPOTENCY_WAITS;
    return 1;
}

int cmw__idempotency_end_wait(cmw_ctx *ctx, struct cmw__idempotency_visit *visit)
{
    visit->stage = CMW__IDEMPOTENCY_WANTED;
    return cmw_ctx_set_deadline(ctx, visit->waiting->deadline_ns);
}

int cmw__idempotency_gives_up(cmw_ctx *ctx, struct cmw__idempotency_visit *visit)
{
    struct cmw__idempotency_waiting *waiting = visit->waiting;

    if (visit->stage != CMW__IDEMPOTENCY_WAITS)
        return 0;
    visit->stage = CMW__IDEMPOTENCY_SETTLED;
    cmw__flight_leave(flights_of(waiting->self), &waiting->waiter, waiting->hash);
    return cmw_ctx_now_ns(ctx) >= waiting->patience_ns;
}
