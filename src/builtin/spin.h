/* SPDX-License-Identifier: MIT */
/*
 * A lock for some instructions: what waits for it looks again, and now and then lets others run.
 * Nobody calls out while holding one.
 */
#ifndef CMW_BUILTIN_SPIN_H
#define CMW_BUILTIN_SPIN_H

#include <stdatomic.h>

#include "rate_wait.h"

/* All zero: nobody holds it. */
struct cmw__spin {
    _Atomic unsigned held;
};

static inline void cmw__spin_lock(struct cmw__spin *spin)
{
    for (unsigned looks = 1; atomic_exchange_explicit(&spin->held, 1, memory_order_acquire) != 0;
         looks++)
        if (looks % 64 == 0)
            cmw__rate_let_others_run();
}

static inline void cmw__spin_unlock(struct cmw__spin *spin)
{
    atomic_store_explicit(&spin->held, 0, memory_order_release);
}

#endif /* CMW_BUILTIN_SPIN_H */
