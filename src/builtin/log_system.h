/* SPDX-License-Identifier: MIT */
/*
 * What the access log asks of the system: files, syslog, a lock, a thread.
 */
#ifndef CMW_BUILTIN_LOG_SYSTEM_H
#define CMW_BUILTIN_LOG_SYSTEM_H

#include <stddef.h>

#include <catzilla/allocator.h>
#include <catzilla/base.h>

/* ---- Files ------------------------------------------------------------------------------ */

/* Open for appending, made if it is not there, without waiting. The descriptor, or -1 and the
 * system's number of the error. */
int cmw__log_open(const char *path, int *why);
void cmw__log_close(int fd);
/* Write some of the bytes: how many, or -1 for an error and where it would have to wait. */
long cmw__log_write(int fd, cmw_str bytes);

/* ---- Syslog ----------------------------------------------------------------------------- */

/* The number of a facility by name; -1: there is none, or no syslog. */
int cmw__log_facility(const char *name);
void cmw__log_syslog(int facility, cmw_str line);

/* ---- Lock ------------------------------------------------------------------------------- */

struct cmw__log_lock;

/* NULL without memory. Held for as long as a write takes; never on the path of a request. */
struct cmw__log_lock *cmw__log_lock_create(cmw_pool *pool);
void cmw__log_lock_destroy(struct cmw__log_lock *lock);
void cmw__log_lock(struct cmw__log_lock *lock);
void cmw__log_unlock(struct cmw__log_lock *lock);

/* ---- Thread ----------------------------------------------------------------------------- */

struct cmw__log_thread;

/* Does some work, and says how much there was. */
typedef size_t cmw__log_work_fn(void *self);

/* A thread that does the work over and over, and pauses for 1 to 32 ms while there is none. It
 * takes no signals. NULL if there can be none. */
struct cmw__log_thread *cmw__log_thread_start(cmw_pool *pool, cmw__log_work_fn *work, void *self);
/* End it; when this returns, it is gone. NULL is ignored. */
void cmw__log_thread_stop(struct cmw__log_thread *thread);

#endif /* CMW_BUILTIN_LOG_SYSTEM_H */
