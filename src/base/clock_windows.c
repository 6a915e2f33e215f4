/* SPDX-License-Identifier: MIT */
/* The monotonic clock on Windows. */
#include "clock.h"

#define WIN32_LEAN_AND_MEAN
#include <windows.h>

uint64_t cmw__monotonic_ns(void)
{
    LARGE_INTEGER ticks;
    LARGE_INTEGER per_second;

    /* Neither fails since Windows XP. */
    (void)QueryPerformanceCounter(&ticks);
    (void)QueryPerformanceFrequency(&per_second);
    const uint64_t count = (uint64_t)ticks.QuadPart;
    const uint64_t rate = (uint64_t)per_second.QuadPart;

    /* Seconds apart from their rest: count * 1e9 would overflow after half an hour at 10 MHz. */
    return count / rate * UINT64_C(1000000000) + count % rate * UINT64_C(1000000000) / rate;
}
