/* SPDX-License-Identifier: MIT */
/* Counting in fixed and sliding windows. */
#include "rate_window.h"

enum { FIXED_COUNT_BITS = 24, TIME_BITS = 39 };

#define NS_PER_MS UINT64_C(1000000)
#define TIME_MASK ((UINT64_C(1) << TIME_BITS) - 1)
#define SKEW_MS (CMW__RATE_SKEW_NS / NS_PER_MS)

static uint64_t to_ms(uint64_t now_ns)
{
    return now_ns / NS_PER_MS & (TIME_MASK >> 1); /* an end still fits: 8 years of running */
}

/* ---- Fixed ------------------------------------------------------------------------------ */

struct fixed {
    uint64_t end_ms;
    uint64_t count;
};

static struct fixed read_fixed(uint64_t state)
{
    return (struct fixed){state >> FIXED_COUNT_BITS, state & CMW__RATE_LIMIT_MAX};
}

static uint64_t write_fixed(struct fixed fixed)
{
    return fixed.end_ms << FIXED_COUNT_BITS | fixed.count;
}

void cmw__fixed_window_init(struct cmw__rate_window *window, uint64_t limit, uint64_t window_ms)
{
    *window = (struct cmw__rate_window){limit, window_ms, FIXED_COUNT_BITS};
}

static int fixed_is_from_another_clock(const struct cmw__rate_window *window, struct fixed fixed,
                                       uint64_t now_ms)
{
    return fixed.end_ms > now_ms && fixed.end_ms - now_ms > window->window_ms + SKEW_MS;
}

int cmw__fixed_window_step(const struct cmw__rate_window *window, struct cmw__rate_step *step,
                           uint64_t state, uint64_t now_ns, uint64_t cost)
{
    const uint64_t now_ms = to_ms(now_ns);
    struct fixed fixed = read_fixed(state);

    if (fixed.end_ms <= now_ms)
        fixed = (struct fixed){now_ms + window->window_ms, 0};
    else if (fixed_is_from_another_clock(window, fixed, now_ms))
        fixed = (struct fixed){now_ms + window->window_ms, window->limit};
    const uint64_t left = fixed.count < window->limit ? window->limit - fixed.count : 0;
    const int passes = cost <= left;
    step->reset_ns = (fixed.end_ms - now_ms) * NS_PER_MS;
    step->retry_ns = passes ? 0 : step->reset_ns;
    step->remaining = passes ? left - cost : left;
    if (passes)
        fixed.count += cost;
    /* A refusal opens no window, but repairs one. */
    step->state = passes || fixed.end_ms < read_fixed(state).end_ms ? write_fixed(fixed) : state;
    return passes;
}

uint64_t cmw__fixed_window_refund(uint64_t state, uint64_t taken, uint64_t cost)
{
    struct fixed fixed = read_fixed(state);

    if (fixed.end_ms != read_fixed(taken).end_ms || fixed.count < cost)
        return state;
    fixed.count -= cost;
    return write_fixed(fixed);
}

int cmw__fixed_window_is_expired(const struct cmw__rate_window *window, uint64_t state,
                                 uint64_t now_ns)
{
    const struct fixed fixed = read_fixed(state);
    const uint64_t now_ms = to_ms(now_ns);
    return fixed.end_ms <= now_ms || fixed_is_from_another_clock(window, fixed, now_ms);
}

/* ---- Sliding ---------------------------------------------------------------------------- */

struct sliding {
    uint64_t number; /* of the window */
    uint64_t count;
    uint64_t before;
};

static struct sliding read_sliding(const struct cmw__rate_window *window, uint64_t state)
{
    const unsigned bits = window->count_bits;
    const uint64_t mask = (UINT64_C(1) << bits) - 1;
    return (struct sliding){state >> 2 * bits, state >> bits & mask, state & mask};
}

static uint64_t write_sliding(const struct cmw__rate_window *window, struct sliding sliding)
{
    const unsigned bits = window->count_bits;
    return sliding.number << 2 * bits | sliding.count << bits | sliding.before;
}

int cmw__sliding_window_init(struct cmw__rate_window *window, uint64_t limit, uint64_t window_ms,
                             uint64_t *least_ms)
{
    unsigned bits = 1;

    while (limit >> bits != 0)
        bits++;
    const unsigned number_bits = 63 - 2 * bits; /* at least 15 */
    *least_ms = number_bits >= TIME_BITS ? 1 : UINT64_C(1) << (TIME_BITS - number_bits);
    *window = (struct cmw__rate_window){limit, window_ms, bits};
    return window_ms < *least_ms ? -1 : 0;
}

/* The state as it is seen in the window `number`. */
static struct sliding bring_up(const struct cmw__rate_window *window, struct sliding sliding,
                               uint64_t number)
{
    if (sliding.number == number)
        return sliding;
    if (sliding.number + 1 == number)
        return (struct sliding){number, 0, sliding.count};
    if (sliding.number < number)
        return (struct sliding){number, 0, 0};
    if (sliding.number - number <= 1 + SKEW_MS / window->window_ms)
        return sliding; /* a worker whose clock is a little behind: it takes from that window */
    return (struct sliding){number, window->limit, 0};
}

static uint64_t subtract(uint64_t from, uint64_t what)
{
    return from > what ? from - what : 0;
}

/* What counts of the window before when `passed_ms` of the present one have passed: rounded up. */
static uint64_t weigh(const struct cmw__rate_window *window, uint64_t before, uint64_t passed_ms)
{
    return (before * (window->window_ms - passed_ms) + window->window_ms - 1) / window->window_ms;
}

/* From which part of a window on no more than `room` of what the one before took counts. */
static uint64_t passed_for(const struct cmw__rate_window *window, uint64_t before, uint64_t room)
{
    return before <= room ? 0 : window->window_ms - room * window->window_ms / before;
}

static uint64_t wait_ms(const struct cmw__rate_window *window, const struct sliding *sliding,
                        uint64_t passed_ms, uint64_t cost)
{
    const uint64_t to_next = window->window_ms - passed_ms;

    if (cost > window->limit)
        return to_next + window->window_ms;
    if (sliding->count + cost <= window->limit)
        return subtract(passed_for(window, sliding->before, window->limit - sliding->count - cost),
                        passed_ms);
    return to_next + passed_for(window, sliding->count, window->limit - cost);
}

int cmw__sliding_window_step(const struct cmw__rate_window *window, struct cmw__rate_step *step,
                             uint64_t state, uint64_t now_ns, uint64_t cost)
{
    const uint64_t now_ms = to_ms(now_ns);
    const struct sliding known = read_sliding(window, state);
    struct sliding sliding = bring_up(window, known, now_ms / window->window_ms);
    const uint64_t passed_ms = subtract(now_ms, sliding.number * window->window_ms);
    const uint64_t used = sliding.count + weigh(window, sliding.before, passed_ms);
    const uint64_t left = subtract(window->limit, used);
    const int passes = cost <= left;

    step->retry_ns = passes ? 0 : wait_ms(window, &sliding, passed_ms, cost) * NS_PER_MS;
    step->remaining = passes ? left - cost : left;
    if (passes)
        sliding.count += cost;
    const uint64_t last_ms = (sliding.number + (sliding.count > 0 ? 2 : 1)) * window->window_ms;
    step->reset_ns = sliding.count + sliding.before > 0 ? subtract(last_ms, now_ms) * NS_PER_MS : 0;
    step->state = passes || sliding.number < known.number ? write_sliding(window, sliding) : state;
    return passes;
}

uint64_t cmw__sliding_window_refund(const struct cmw__rate_window *window, uint64_t state,
                                    uint64_t taken, uint64_t cost)
{
    struct sliding sliding = read_sliding(window, state);
    const uint64_t number = read_sliding(window, taken).number;

    if (sliding.number == number)
        sliding.count = subtract(sliding.count, cost);
    else if (sliding.number == number + 1)
        sliding.before = subtract(sliding.before, cost);
    return write_sliding(window, sliding);
}

int cmw__sliding_window_is_expired(const struct cmw__rate_window *window, uint64_t state,
                                   uint64_t now_ns)
{
    const uint64_t number = to_ms(now_ns) / window->window_ms;
    const uint64_t known = read_sliding(window, state).number;
    return known + 2 <= number ||
           (known > number && known - number > 1 + SKEW_MS / window->window_ms);
}
