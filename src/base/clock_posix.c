/* SPDX-License-Identifier: MIT */
/* The monotonic clock on POSIX. */
#include "clock.h"

#include <time.h>

uint64_t cmw__monotonic_ns(void)
{
    struct timespec now = {0, 0};

    /* Cannot fail: the clock exists wherever we build, and the pointer is good. */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}
