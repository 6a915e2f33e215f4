/* SPDX-License-Identifier: MIT */
/* getentropy: POSIX 2024, glibc 2.25, the BSDs, macOS. */
#include "random.h"

#include <unistd.h>

#include <catzilla/base.h>

int cmw__random_bytes(void *to, size_t len)
{
    return getentropy(to, len) == 0 ? 0 : CMW_ERR_IO;
}
