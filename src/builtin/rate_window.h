/* SPDX-License-Identifier: MIT */
/*
 * Rate limiting by counting in windows. Times are in whole ms.
 *
 * Fixed: the window opens with a key's first request and ends `window` later, whatever comes in it.
 *
 *   state | 0 | end of the window, ms: 39 bits | taken: 24 bits |
 *
 * Sliding: time is cut into windows; what the last one took counts by the part of it that the
 * sliding window still covers, and the present one counts whole. A key thus has at most one
 * window's limit in any stretch of that length, as long as its requests within a window came
 * evenly.
 *
 *   state | 0 | number of the window | taken in it: n bits | taken in the one before: n bits |
 */
#ifndef CMW_BUILTIN_RATE_WINDOW_H
#define CMW_BUILTIN_RATE_WINDOW_H

#include "rate_step.h"

struct cmw__rate_window {
    uint64_t limit;      /* 1..CMW__RATE_LIMIT_MAX */
    uint64_t window_ms;  /* not 0 */
    unsigned count_bits; /* sliding: n */
};

/* Always possible. */
void cmw__fixed_window_init(struct cmw__rate_window *window, uint64_t limit, uint64_t window_ms);
/* 0; or -1 if the window is too short for the limit: its number and two counts need 63 bits, and
 * `*least_ms` is the shortest window that this limit can have. */
int cmw__sliding_window_init(struct cmw__rate_window *window, uint64_t limit, uint64_t window_ms,
                             uint64_t *least_ms);

/* One request of a cost at a time: 1 if it passes. */
int cmw__fixed_window_step(const struct cmw__rate_window *window, struct cmw__rate_step *step,
                           uint64_t state, uint64_t now_ns, uint64_t cost);
int cmw__sliding_window_step(const struct cmw__rate_window *window, struct cmw__rate_step *step,
                             uint64_t state, uint64_t now_ns, uint64_t cost);

/* The state after a cost is given back that was taken when the state became `taken`. */
uint64_t cmw__fixed_window_refund(uint64_t state, uint64_t taken, uint64_t cost);
uint64_t cmw__sliding_window_refund(const struct cmw__rate_window *window, uint64_t state,
                                    uint64_t taken, uint64_t cost);

/* 1 if the state may be forgotten. */
int cmw__fixed_window_is_expired(const struct cmw__rate_window *window, uint64_t state,
                                 uint64_t now_ns);
int cmw__sliding_window_is_expired(const struct cmw__rate_window *window, uint64_t state,
                                   uint64_t now_ns);

#endif /* CMW_BUILTIN_RATE_WINDOW_H */
