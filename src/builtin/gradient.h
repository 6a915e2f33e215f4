/* SPDX-License-Identifier: MIT */
/*
 * A limit of requests in flight that follows their latency. Pure: the caller passes the time, and
 * locks.
 *
 * Latencies are averaged over short windows, and these over a long time. While the short average is
 * no more than `tolerance` times the long one, the limit grows by its square root a window; beyond,
 * it shrinks in proportion, by half at most. It moves a fifth of the way each time, and does not
 * grow where less than half of it was used.
 */
#ifndef CMW_BUILTIN_GRADIENT_H
#define CMW_BUILTIN_GRADIENT_H

#include <stdint.h>

struct cmw__gradient_rules {
    uint32_t min_limit, max_limit, initial_limit;
    uint32_t tolerance_permille; /* at least 1000 */
    uint64_t window_ns;
    uint32_t min_samples; /* of a window, else it goes on */
};

struct cmw__gradient {
    double limit;
    double long_ns; /* the long average; 0: none yet */
    double sum_ns;  /* of the window that is open */
    uint64_t begin_ns;
    uint32_t samples, most_in_flight;
};

void cmw__gradient_init(struct cmw__gradient *gradient, const struct cmw__gradient_rules *rules,
                        uint64_t now_ns);
/* One request is over: how long it took, and how many were in flight with it. The limit now. */
uint32_t cmw__gradient_sample(struct cmw__gradient *gradient,
                              const struct cmw__gradient_rules *rules, uint64_t now_ns,
                              uint64_t took_ns, uint32_t in_flight);

#endif /* CMW_BUILTIN_GRADIENT_H */
