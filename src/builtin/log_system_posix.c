/* SPDX-License-Identifier: MIT */
/* Files, syslog, lock and thread on POSIX. */
#include "log_system.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

/* ---- Files ------------------------------------------------------------------------------ */

/* O_NONBLOCK: a FIFO that nobody reads is an error, not a wait. */
int cmw__log_open(const char *path, int *why)
{
    int fd;

    do
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, 0640);
    while (fd < 0 && errno == EINTR);
    if (fd < 0)
        *why = errno;
    return fd;
}

/* What was written is with the system by then: nothing can be done about an error. */
void cmw__log_close(int fd)
{
    (void)close(fd);
}

long cmw__log_write(int fd, cmw_str bytes)
{
    ssize_t len;

    do
        len = write(fd, bytes.data, bytes.len);
    while (len < 0 && errno == EINTR);
    return (long)len;
}

/* ---- Syslog ----------------------------------------------------------------------------- */

int cmw__log_facility(const char *name)
{
    static const struct {
        const char *name;
        int facility;
    } table[] = {
        {"daemon", LOG_DAEMON}, {"user", LOG_USER},     {"local0", LOG_LOCAL0},
        {"local1", LOG_LOCAL1}, {"local2", LOG_LOCAL2}, {"local3", LOG_LOCAL3},
        {"local4", LOG_LOCAL4}, {"local5", LOG_LOCAL5}, {"local6", LOG_LOCAL6},
        {"local7", LOG_LOCAL7},
    };

    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, name) == 0)
            return table[i].facility;
    return -1;
}

void cmw__log_syslog(int facility, cmw_str line)
{
    syslog(facility | LOG_INFO, "%.*s", (int)line.len, line.data);
}

/* ---- Lock ------------------------------------------------------------------------------- */

struct cmw__log_lock {
    cmw_pool *pool;
    pthread_mutex_t mutex;
};

struct cmw__log_lock *cmw__log_lock_create(cmw_pool *pool)
{
    struct cmw__log_lock *lock = cmw_pool_alloc(pool, sizeof *lock, 0);

    if (!lock)
        return NULL;
    lock->pool = pool;
    if (pthread_mutex_init(&lock->mutex, NULL) == 0)
        return lock;
    cmw_pool_free(pool, lock, sizeof *lock, 0);
    return NULL;
}

void cmw__log_lock_destroy(struct cmw__log_lock *lock)
{
    if (!lock)
        return;
    (void)pthread_mutex_destroy(&lock->mutex); /* it is not held */
    cmw_pool_free(lock->pool, lock, sizeof *lock, 0);
}

/* Neither can fail for a mutex of the default kind that is used as it should be. */
void cmw__log_lock(struct cmw__log_lock *lock)
{
    (void)pthread_mutex_lock(&lock->mutex);
}

void cmw__log_unlock(struct cmw__log_lock *lock)
{
    (void)pthread_mutex_unlock(&lock->mutex);
}

/* ---- Thread ----------------------------------------------------------------------------- */

struct cmw__log_thread {
    cmw_pool *pool;
    pthread_t id;
    pthread_mutex_t mutex;
    pthread_cond_t ended;
    int is_ending;
    cmw__log_work_fn *work;
    void *self;
};

enum { PAUSE_MIN_MS = 1, PAUSE_MAX_MS = 32 };

static struct timespec later(long ms)
{
    struct timespec at = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &at); /* it exists wherever we build */
    at.tv_nsec += ms * 1000000L;
    at.tv_sec += at.tv_nsec / 1000000000L;
    at.tv_nsec %= 1000000000L;
    return at;
}

/* Wait; 1 when it is time to end. */
static int pause_or_end(struct cmw__log_thread *thread, long ms)
{
    const struct timespec at = later(ms);

    (void)pthread_mutex_lock(&thread->mutex);
    while (!thread->is_ending &&
           pthread_cond_timedwait(&thread->ended, &thread->mutex, &at) != ETIMEDOUT)
        continue;
    const int is_ending = thread->is_ending;
    (void)pthread_mutex_unlock(&thread->mutex);
    return is_ending;
}

static void *run(void *self)
{
    struct cmw__log_thread *thread = self;
    long pause_ms = PAUSE_MIN_MS;

    do {
        if (thread->work(thread->self) > 0)
            pause_ms = PAUSE_MIN_MS;
        else if (pause_ms < PAUSE_MAX_MS)
            pause_ms *= 2;
    } while (!pause_or_end(thread, pause_ms));
    return NULL;
}

static int init_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    int rc = pthread_condattr_init(&attributes);

    if (rc != 0)
        return rc;
    rc = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (rc == 0)
        rc = pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes);
    return rc;
}

/* Signals are for the host's threads: this one inherits a mask that blocks all. */
static int start(struct cmw__log_thread *thread)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return -1;
    const int rc = pthread_create(&thread->id, NULL, run, thread);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

struct cmw__log_thread *cmw__log_thread_start(cmw_pool *pool, cmw__log_work_fn *work, void *self)
{
    struct cmw__log_thread *thread = cmw_pool_alloc(pool, sizeof *thread, 0);

    if (!thread)
        return NULL;
    thread->pool = pool;
    thread->is_ending = 0;
    thread->work = work;
    thread->self = self;
    if (pthread_mutex_init(&thread->mutex, NULL) == 0) {
        if (init_condition(&thread->ended) == 0) {
            if (start(thread) == 0)
                return thread;
            (void)pthread_cond_destroy(&thread->ended);
        }
        (void)pthread_mutex_destroy(&thread->mutex);
    }
    cmw_pool_free(thread->pool, thread, sizeof *thread, 0);
    return NULL;
}

void cmw__log_thread_stop(struct cmw__log_thread *thread)
{
    if (!thread)
        return;
    (void)pthread_mutex_lock(&thread->mutex);
    thread->is_ending = 1;
    (void)pthread_cond_signal(&thread->ended);
    (void)pthread_mutex_unlock(&thread->mutex);
    (void)pthread_join(thread->id, NULL);
    (void)pthread_cond_destroy(&thread->ended);
    (void)pthread_mutex_destroy(&thread->mutex);
    cmw_pool_free(thread->pool, thread, sizeof *thread, 0);
}
