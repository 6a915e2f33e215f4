/* SPDX-License-Identifier: MIT */
/*
 * What the three limiters have in common: a state of 63 bits for each key, and what a step gives.
 *
 * All are pure: the caller passes the time. A state of 0 is that of a key never seen. The highest
 * bit is always 0: the table uses it. A step that is refused leaves the state as it is, unless it
 * was written by another clock.
 */
#ifndef CMW_BUILTIN_RATE_STEP_H
#define CMW_BUILTIN_RATE_STEP_H

#include <stdint.h>

/* What all limits keep to, so that no sum or product overflows. */
#define CMW__RATE_LIMIT_MAX ((UINT64_C(1) << 24) - 1)
#define CMW__RATE_SPAN_MAX (UINT64_C(1) << 60) /* of a window or a whole burst, in ns: 36 years */
#define CMW__RATE_NOW_MASK ((UINT64_C(1) << 62) - 1) /* a time beyond it wraps: 146 years */

/* A state that is farther in the future than it can be by more than this was written by a clock
 * that has been set back since: the key begins anew, as one that used all it has. Less than this
 * is what a request's time may lie behind: that of one which waited before it came to its limit. */
#define CMW__RATE_SKEW_NS UINT64_C(3600000000000)

struct cmw__rate_step {
    uint64_t state;     /* to be kept for the key */
    uint64_t remaining; /* how much more would pass at this time */
    uint64_t reset_ns;  /* until all of the quota is there again */
    uint64_t retry_ns;  /* if refused: until the same request could pass */
};

#endif /* CMW_BUILTIN_RATE_STEP_H */
