/* SPDX-License-Identifier: MIT */
/*
 * The monotonic clock, read only where the host gives no time.
 *
 * Not named time.h: with this folder on the include path, that would hide the system's.
 */
#ifndef CMW_BASE_CLOCK_H
#define CMW_BASE_CLOCK_H

#include <stdint.h>

/* Nanoseconds since some fixed moment; never goes back. Any thread; no allocation. */
uint64_t cmw__monotonic_ns(void);

#endif /* CMW_BASE_CLOCK_H */
