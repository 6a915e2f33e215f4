/* SPDX-License-Identifier: MIT */
/* The installed core, used from C++11. */
#include "serve_once.h"

static_assert(CMW_VERSION_MAJOR == 0, "the headers are those of 0.x");

int main()
{
    return serve_once(nullptr);
}
