/* SPDX-License-Identifier: MIT */
/* The system's preferred generator. There is no fork: any memory will do for the page. */
#include "random.h"

#include <windows.h>

#include <bcrypt.h>

#include <catzilla/base.h>

int cmw__random_system(void *to, size_t len)
{
    const NTSTATUS status = BCryptGenRandom(NULL, to, (ULONG)len, BCRYPT_USE_SYSTEM_PREFERRED_RNG);
    return status == 0 ? 0 : CMW_ERR_IO;
}

void *cmw__random_page_create(void)
{
    return VirtualAlloc(NULL, CMW__RANDOM_PAGE, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE);
}

void cmw__random_page_destroy(void *page)
{
    if (page)
        (void)VirtualFree(page, 0, MEM_RELEASE);
}
