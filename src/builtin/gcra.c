/* SPDX-License-Identifier: MIT */
/* GCRA: what is not on the way of a request that passes. */
#include "gcra.h"

/* 2^(63 + shift) / interval, rounded up, digit by digit: 2^shift is at most twice the interval. */
static uint64_t reciprocal_of(uint64_t interval, unsigned shift)
{
    uint64_t quotient = 1;
    uint64_t rest = (UINT64_C(1) << shift) - interval;

    for (int i = 0; i < 63; i++) {
        const int fits = 2 * rest >= interval;
        quotient = 2 * quotient + (uint64_t)fits;
        rest = 2 * rest - (fits ? interval : 0);
    }
    return quotient + (rest != 0);
}

int cmw__gcra_init(struct cmw__gcra *gcra, uint64_t limit, uint64_t window_ns, uint64_t burst)
{
    const uint64_t interval = window_ns / limit + (window_ns % limit != 0);

    if (interval > CMW__RATE_SPAN_MAX / burst)
        return -1;
    gcra->interval_ns = interval;
    gcra->shift = 0;
    while (UINT64_C(1) << gcra->shift < interval)
        gcra->shift++;
    gcra->reciprocal = reciprocal_of(interval, gcra->shift);
    gcra->capacity_ns = interval * burst;
    gcra->burst = burst;
    return 0;
}

/* 1 if the state lies farther ahead than any time in use could have put it. */
static int is_from_another_clock(const struct cmw__gcra *gcra, uint64_t state, uint64_t now)
{
    return state > now && state - now > gcra->capacity_ns + CMW__RATE_SKEW_NS;
}

int cmw__gcra_refuse(const struct cmw__gcra *gcra, struct cmw__rate_step *step, uint64_t state,
                     uint64_t now_ns, uint64_t cost)
{
    const uint64_t now = now_ns & CMW__RATE_NOW_MASK;
    const uint64_t wanted = (cost > gcra->burst ? gcra->burst : cost) * gcra->interval_ns;

    if (is_from_another_clock(gcra, state, now))
        state = now + gcra->capacity_ns;
    const uint64_t used = state > now ? state - now : 0;
    step->state = state;
    step->remaining =
        used < gcra->capacity_ns ? cmw__gcra_count(gcra, gcra->capacity_ns - used) : 0;
    step->reset_ns = used;
    step->retry_ns = used + wanted > gcra->capacity_ns ? used + wanted - gcra->capacity_ns : 0;
    if (cost > gcra->burst) /* it never passes: not before all is there again */
        step->retry_ns = used;
    return 0;
}

uint64_t cmw__gcra_refund(const struct cmw__gcra *gcra, uint64_t state, uint64_t now_ns,
                          uint64_t cost)
{
    const uint64_t now = now_ns & CMW__RATE_NOW_MASK;

    if (cost > gcra->burst || state <= now)
        return state;
    const uint64_t back = cost * gcra->interval_ns;
    return state - now > back ? state - back : now;
}

int cmw__gcra_is_expired(const struct cmw__gcra *gcra, uint64_t state, uint64_t now_ns)
{
    const uint64_t now = now_ns & CMW__RATE_NOW_MASK;
    return state < now || is_from_another_clock(gcra, state, now);
}
