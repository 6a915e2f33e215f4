/* SPDX-License-Identifier: MIT */
/* A function of its own, so that who finds the lock free needs no registers for it. */
#include "spin.h"

#include "rate_wait.h"

void cmw__spin_wait(struct cmw__spin *spin)
{
    for (unsigned looks = 1; !cmw__spin_try(spin); looks++)
        if (looks % 64 == 0)
            cmw__rate_let_others_run();
}
