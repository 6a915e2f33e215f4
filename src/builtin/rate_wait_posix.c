/* SPDX-License-Identifier: MIT */
#include "rate_wait.h"

#include <sched.h>
#include <stdint.h>
#include <sys/mman.h>

#if !defined(MADV_HUGEPAGE)
#define MADV_HUGEPAGE 0 /* MADV_NORMAL */
#endif

#define LARGE_PAGE ((uintptr_t)2 * 1024 * 1024)

void cmw__rate_let_others_run(void)
{
    (void)sched_yield();
}

void cmw__rate_use_large_pages(void *memory, size_t bytes)
{
    const uintptr_t begin = ((uintptr_t)memory + LARGE_PAGE - 1) & ~(LARGE_PAGE - 1);
    const uintptr_t end = ((uintptr_t)memory + bytes) & ~(LARGE_PAGE - 1);

    if (begin < end)
        (void)madvise((char *)memory + (begin - (uintptr_t)memory), end - begin, MADV_HUGEPAGE);
}
