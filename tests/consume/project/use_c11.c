/* SPDX-License-Identifier: MIT */
/* The installed core, used from C11. */
#include "serve_once.h"

_Static_assert(CMW_VERSION_MAJOR == 0, "the headers are those of 0.x");

int main(void)
{
    return serve_once(NULL);
}
