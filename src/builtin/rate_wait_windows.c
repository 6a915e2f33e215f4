/* SPDX-License-Identifier: MIT */
#include "rate_wait.h"

#include <windows.h>

void cmw__rate_let_others_run(void)
{
    (void)SwitchToThread();
}

void cmw__rate_use_large_pages(void *memory, size_t bytes)
{
    (void)memory;
    (void)bytes;
}
