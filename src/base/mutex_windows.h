/* SPDX-License-Identifier: MIT */
/* The mutex of mutex.h on a slim reader/writer lock. Include mutex.h. */
#ifndef CMW_BASE_MUTEX_WINDOWS_H
#define CMW_BASE_MUTEX_WINDOWS_H

#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>

typedef struct cmw__mutex {
    SRWLOCK handle;
} cmw__mutex;

/* Always 0; the result is there for POSIX. */
static inline int cmw__mutex_init(cmw__mutex *mutex)
{
    InitializeSRWLock(&mutex->handle);
    return 0;
}

static inline void cmw__mutex_lock(cmw__mutex *mutex)
{
    AcquireSRWLockExclusive(&mutex->handle);
}

static inline void cmw__mutex_unlock(cmw__mutex *mutex)
{
    ReleaseSRWLockExclusive(&mutex->handle);
}

/* An SRWLOCK owns nothing. */
static inline void cmw__mutex_destroy(cmw__mutex *mutex)
{
    (void)mutex;
}

#endif /* CMW_BASE_MUTEX_WINDOWS_H */
