/* SPDX-License-Identifier: MIT */
/* The mutex of mutex.h on POSIX threads. Include mutex.h. */
#ifndef CMW_BASE_MUTEX_POSIX_H
#define CMW_BASE_MUTEX_POSIX_H

#include <assert.h>
#include <pthread.h>

#include <catzilla/base.h>

typedef struct cmw__mutex {
    pthread_mutex_t handle;
} cmw__mutex;

/* 0 or CMW_ERR_NOMEM. */
static inline int cmw__mutex_init(cmw__mutex *mutex)
{
    return pthread_mutex_init(&mutex->handle, NULL) == 0 ? 0 : CMW_ERR_NOMEM;
}

/* Locking fails only by misuse: a mutex that is not initialised or already held. */
static inline void cmw__mutex_lock(cmw__mutex *mutex)
{
    const int failed = pthread_mutex_lock(&mutex->handle);
    assert(!failed);
    (void)failed;
}

static inline void cmw__mutex_unlock(cmw__mutex *mutex)
{
    const int failed = pthread_mutex_unlock(&mutex->handle);
    assert(!failed);
    (void)failed;
}

static inline void cmw__mutex_destroy(cmw__mutex *mutex)
{
    (void)pthread_mutex_destroy(&mutex->handle);
}

#endif /* CMW_BASE_MUTEX_POSIX_H */
