/* SPDX-License-Identifier: MIT */
#include "noop.h"

#define NOOP_DEFINE(i)                                                                             \
    int noop_##i(void *self, cmw_ctx *ctx)                                                         \
    {                                                                                              \
        (void)self;                                                                                \
        (void)ctx;                                                                                 \
        return CMW_CONTINUE;                                                                       \
    }
NOOP_LIST(NOOP_DEFINE)

#define NOOP_NAME(i) noop_##i,
cmw_phase_fn *const noops[NOOP_COUNT] = {NOOP_LIST(NOOP_NAME)};
