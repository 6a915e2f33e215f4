/* SPDX-License-Identifier: MIT */
/* The system's preferred generator. */
#include "random.h"

#include <windows.h>

#include <bcrypt.h>

#include <catzilla/base.h>

int cmw__random_bytes(void *to, size_t len)
{
    const NTSTATUS status = BCryptGenRandom(NULL, to, (ULONG)len, BCRYPT_USE_SYSTEM_PREFERRED_RNG);
    return status == 0 ? 0 : CMW_ERR_IO;
}
