/* SPDX-License-Identifier: MIT */
/*
 * A circuit breaker. Pure: the caller passes the time, and locks.
 *
 *            too many failed                 the pause is over
 *   CLOSED ------------------> OPEN -------------------------------> HALF_OPEN
 *      ^                         ^          a probe failed               |
 *      |                         +---------------------------------------+
 *      +-----------------------------------------------------------------+
 *                              all probes went well
 *
 * Failures are counted in slices of a window that slides. Each change of state begins an era: what
 * was let in before reports to nobody.
 */
#ifndef CMW_BUILTIN_BREAKER_H
#define CMW_BUILTIN_BREAKER_H

#include <stdint.h>

enum cmw__breaker_state { CMW__BREAKER_CLOSED, CMW__BREAKER_OPEN, CMW__BREAKER_HALF_OPEN };

enum { CMW__BREAKER_SLICES = 10 };

struct cmw__breaker_rules {
    uint64_t window_ns;      /* at least CMW__BREAKER_SLICES */
    uint64_t open_ns;        /* the pause */
    uint32_t min_requests;   /* in the window, before anything is concluded */
    uint32_t error_permille; /* of the requests in the window; reached: open */
    uint32_t probes;         /* that must go well, and are let in at once */
};

/* All zero: closed, nothing counted. */
struct cmw__breaker {
    enum cmw__breaker_state state;
    uint32_t era;
    uint64_t open_until_ns;
    uint32_t probes_out, probes_well;
    struct {
        uint64_t slice; /* time / length of a slice, + 1; 0: never */
        uint32_t well, failed;
    } slices[CMW__BREAKER_SLICES];
};

enum cmw__breaker_outcome {
    CMW__BREAKER_WELL,
    CMW__BREAKER_FAILED,
    CMW__BREAKER_UNKNOWN /* it was given up: says nothing, but a probe's place is free again */
};

/* 1: let it in, in the era `*era`; 0: not, `*retry_ns` from now perhaps. */
int cmw__breaker_admit(struct cmw__breaker *breaker, const struct cmw__breaker_rules *rules,
                       uint64_t now_ns, uint32_t *era, uint64_t *retry_ns);
/* What became of one that was let in. Exactly once for each. */
void cmw__breaker_report(struct cmw__breaker *breaker, const struct cmw__breaker_rules *rules,
                         uint64_t now_ns, uint32_t era, enum cmw__breaker_outcome outcome);

#endif /* CMW_BUILTIN_BREAKER_H */
