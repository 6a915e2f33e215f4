/* SPDX-License-Identifier: MIT */
/* The clocks on Windows. */
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

uint64_t cmw__wall_ns(void)
{
    FILETIME now;
    /* Ticks of 100 ns from 1601-01-01 to 1970-01-01. */
    const uint64_t epoch = UINT64_C(116444736000000000);

    GetSystemTimePreciseAsFileTime(&now);
    return (((uint64_t)now.dwHighDateTime << 32 | now.dwLowDateTime) - epoch) * 100;
}
