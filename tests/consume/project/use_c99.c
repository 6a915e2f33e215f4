/* SPDX-License-Identifier: MIT */
/* The installed core, used from C99. */
#include "serve_once.h"

int main(void)
{
    return serve_once(NULL);
}
