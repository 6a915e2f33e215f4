/* SPDX-License-Identifier: MIT */
/*
 * Rate limiting by GCRA (generic cell rate algorithm), a leaky bucket kept as one number a key: the
 * theoretical arrival time (TAT) in ns, at which all of the quota would be there again.
 *
 * A request of cost n passes when TAT + n * interval - now <= capacity; passing sets TAT to
 * max(TAT, now) + n * interval. So `burst` requests pass at once, and one more each interval.
 */
#ifndef CMW_BUILTIN_GCRA_H
#define CMW_BUILTIN_GCRA_H

#include "rate_step.h"

struct cmw__gcra {
    uint64_t interval_ns; /* window / limit, rounded up: never more than the limit passes */
    uint64_t reciprocal;  /* 2^(63 + shift) / interval_ns, rounded up */
    unsigned shift;       /* the least with 2^shift >= interval_ns */
    uint64_t capacity_ns; /* interval_ns * burst, at most CMW__RATE_SPAN_MAX */
    uint64_t burst;       /* 1..CMW__RATE_LIMIT_MAX */
};

/* 0, or -1 if burst intervals exceed CMW__RATE_SPAN_MAX. `limit` and `window_ns` are not 0. */
int cmw__gcra_init(struct cmw__gcra *gcra, uint64_t limit, uint64_t window_ns, uint64_t burst);

/* The part of a step that is refused. Always 0. */
int cmw__gcra_refuse(const struct cmw__gcra *gcra, struct cmw__rate_step *step, uint64_t state,
                     uint64_t now_ns, uint64_t cost);

/* The state after a taken cost is given back. */
uint64_t cmw__gcra_refund(const struct cmw__gcra *gcra, uint64_t state, uint64_t now_ns,
                          uint64_t cost);

/* 1 if nothing is known that a new key would not have: the state may be forgotten. */
int cmw__gcra_is_expired(const struct cmw__gcra *gcra, uint64_t state, uint64_t now_ns);

#if defined(__SIZEOF_INT128__)
__extension__ typedef unsigned __int128 cmw__u128;
static inline uint64_t cmw__multiply_high(uint64_t a, uint64_t b)
{
    return (uint64_t)((cmw__u128)a * b >> 64);
}
#else
static inline uint64_t cmw__multiply_high(uint64_t a, uint64_t b)
{
    const uint64_t low = (a & UINT32_MAX) * (b & UINT32_MAX);
    const uint64_t left = (a >> 32) * (b & UINT32_MAX) + (low >> 32);
    const uint64_t right = (a & UINT32_MAX) * (b >> 32) + (left & UINT32_MAX);
    return (a >> 32) * (b >> 32) + (left >> 32) + (right >> 32);
}
#endif

/*
 * ns / interval, exactly, for ns < 2^63. The reciprocal is too large by less than 1, so that the
 * product is too large by less than ns / 2^(63 + shift) < 1 / interval: no next whole is reached
 * (Granlund, Montgomery: Division by Invariant Integers using Multiplication, 1994).
 */
static inline uint64_t cmw__gcra_count(const struct cmw__gcra *gcra, uint64_t ns)
{
    return cmw__multiply_high(2 * ns, gcra->reciprocal) >> gcra->shift;
}

/* One request of cost 0..UINT32_MAX at a time: 1 if it passes. */
static inline int cmw__gcra_step(const struct cmw__gcra *gcra, struct cmw__rate_step *step,
                                 uint64_t state, uint64_t now_ns, uint64_t cost)
{
    const uint64_t now = now_ns & CMW__RATE_NOW_MASK;
    const uint64_t from = state > now ? state : now;

    if (cost > gcra->burst)
        return cmw__gcra_refuse(gcra, step, state, now, cost);
    const uint64_t next = from + cost * gcra->interval_ns;
    const uint64_t used = next - now;
    if (used > gcra->capacity_ns)
        return cmw__gcra_refuse(gcra, step, state, now, cost);
    step->state = next;
    step->remaining = cmw__gcra_count(gcra, gcra->capacity_ns - used);
    step->reset_ns = used;
    step->retry_ns = 0;
    return 1;
}

#endif /* CMW_BUILTIN_GCRA_H */
