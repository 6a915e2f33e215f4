/* SPDX-License-Identifier: MIT */
/*
 * Sixteen callbacks that do nothing, and the floors that call them by name: what a program without
 * a library would do. Each is in a translation unit of its own, so that no call is seen through.
 */
#ifndef CMW_BENCH_NOOP_H
#define CMW_BENCH_NOOP_H

#include <catzilla/middleware.h>

#define NOOP_LIST(X)                                                                               \
    X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)
#define NOOP_COUNT 16

#define NOOP_DECLARE(i) cmw_phase_fn noop_##i;
NOOP_LIST(NOOP_DECLARE)
#undef NOOP_DECLARE

extern cmw_phase_fn *const noops[NOOP_COUNT];

/* Call as many of them, and return the first verdict that is not CMW_CONTINUE. */
cmw_phase_fn floor_noop_0;
cmw_phase_fn floor_noop_3;
cmw_phase_fn floor_noop_8;
cmw_phase_fn floor_noop_16;
cmw_phase_fn floor_noop_3_both;

#endif /* CMW_BENCH_NOOP_H */
