/* SPDX-License-Identifier: MIT */
/* Files, lock and thread on Windows, which has no syslog. */
#include "log_system.h"

#include <errno.h>
#include <fcntl.h>
#include <io.h>
#include <limits.h>
#include <share.h>
#include <sys/stat.h>
#include <windows.h>

/* ---- Files ------------------------------------------------------------------------------ */

int cmw__log_open(const char *path, int *why)
{
    int fd = -1;
    const int rc = (int)_sopen_s(&fd, path, _O_WRONLY | _O_CREAT | _O_APPEND | _O_BINARY,
                                 _SH_DENYNO, _S_IREAD | _S_IWRITE);
    if (rc != 0)
        *why = rc;
    return rc == 0 ? fd : -1;
}

void cmw__log_close(int fd)
{
    (void)_close(fd);
}

long cmw__log_write(int fd, cmw_str bytes)
{
    const unsigned len = bytes.len < INT_MAX ? (unsigned)bytes.len : INT_MAX;
    return _write(fd, bytes.data, len);
}

/* ---- Syslog ----------------------------------------------------------------------------- */

int cmw__log_facility(const char *name)
{
    (void)name;
    return -1;
}

void cmw__log_syslog(int facility, cmw_str line)
{
    (void)facility;
    (void)line;
}

/* ---- Lock ------------------------------------------------------------------------------- */

struct cmw__log_lock {
    cmw_pool *pool;
    SRWLOCK lock;
};

struct cmw__log_lock *cmw__log_lock_create(cmw_pool *pool)
{
    struct cmw__log_lock *lock = cmw_pool_alloc(pool, sizeof *lock, 0);

    if (!lock)
        return NULL;
    lock->pool = pool;
    InitializeSRWLock(&lock->lock);
    return lock;
}

void cmw__log_lock_destroy(struct cmw__log_lock *lock)
{
    if (lock)
        cmw_pool_free(lock->pool, lock, sizeof *lock, 0);
}

void cmw__log_lock(struct cmw__log_lock *lock)
{
    AcquireSRWLockExclusive(&lock->lock);
}

void cmw__log_unlock(struct cmw__log_lock *lock)
{
    ReleaseSRWLockExclusive(&lock->lock);
}

/* ---- Thread ----------------------------------------------------------------------------- */

struct cmw__log_thread {
    cmw_pool *pool;
    HANDLE thread, ended;
    cmw__log_work_fn *work;
    void *self;
};

enum { PAUSE_MIN_MS = 1, PAUSE_MAX_MS = 32 };

static DWORD WINAPI run(void *self)
{
    struct cmw__log_thread *thread = self;
    DWORD pause_ms = PAUSE_MIN_MS;

    do {
        if (thread->work(thread->self) > 0)
            pause_ms = PAUSE_MIN_MS;
        else if (pause_ms < PAUSE_MAX_MS)
            pause_ms *= 2;
    } while (WaitForSingleObject(thread->ended, pause_ms) == WAIT_TIMEOUT);
    return 0;
}

struct cmw__log_thread *cmw__log_thread_start(cmw_pool *pool, cmw__log_work_fn *work, void *self)
{
    struct cmw__log_thread *thread = cmw_pool_alloc(pool, sizeof *thread, 0);

    if (!thread)
        return NULL;
    thread->pool = pool;
    thread->work = work;
    thread->self = self;
    thread->ended = CreateEventW(NULL, TRUE, FALSE, NULL);
    thread->thread = thread->ended ? CreateThread(NULL, 0, run, thread, 0, NULL) : NULL;
    if (thread->thread)
        return thread;
    if (thread->ended)
        (void)CloseHandle(thread->ended);
    cmw_pool_free(thread->pool, thread, sizeof *thread, 0);
    return NULL;
}

void cmw__log_thread_stop(struct cmw__log_thread *thread)
{
    if (!thread)
        return;
    (void)SetEvent(thread->ended);
    (void)WaitForSingleObject(thread->thread, INFINITE);
    (void)CloseHandle(thread->thread);
    (void)CloseHandle(thread->ended);
    cmw_pool_free(thread->pool, thread, sizeof *thread, 0);
}
