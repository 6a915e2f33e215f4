/* SPDX-License-Identifier: MIT */
/*
 * The clocks: the monotonic one is read only where the host gives no time.
 *
 * Not named time.h: with this folder on the include path, that would hide the system's.
 */
#ifndef CMW_BASE_CLOCK_H
#define CMW_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds since some fixed moment; never goes back. Any thread; no allocation. */
uint64_t cmw__monotonic_ns(void);

/* Nanoseconds since 1970-01-01 UTC; may step. Any thread; no allocation. */
uint64_t cmw__wall_ns(void);

#endif /* CMW_BASE_CLOCK_H */
