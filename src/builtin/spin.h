/* SPDX-License-Identifier: MIT */
/*
 * A lock for some instructions: what waits for it looks again, and now and then lets others run.
 * Nobody calls out while holding one.
 */
#ifndef CMW_BUILTIN_SPIN_H
#define CMW_BUILTIN_SPIN_H

#include <stdatomic.h>

/* All zero: nobody holds it. */
struct cmw__spin {
    _Atomic unsigned held;
};

static inline int cmw__spin_try(struct cmw__spin *spin)
{
    return atomic_exchange_explicit(&spin->held, 1, memory_order_acquire) == 0;
}

/* Somebody holds it. */
void cmw__spin_wait(struct cmw__spin *spin);

static inline void cmw__spin_lock(struct cmw__spin *spin)
{
    if (!cmw__spin_try(spin))
        cmw__spin_wait(spin);
}

static inline void cmw__spin_unlock(struct cmw__spin *spin)
{
    atomic_store_explicit(&spin->held, 0, memory_order_release);
}

#endif /* CMW_BUILTIN_SPIN_H */
