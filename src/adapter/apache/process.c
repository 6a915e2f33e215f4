/* SPDX-License-Identifier: MIT */
/*
 * A process and an engine: workers for the requests in flight, waiting, polls.
 *
 * httpd's threads block: so does one whose request waits. The engine is polled by a thread of the
 * process's own.
 */
#include "module.h"

#include <apr_portable.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

enum { POLL_NS = 100 * 1000 * 1000, LOOK_NS = 200 * 1000 * 1000, END_S = 1 };

/* ---- Waiting ------------------------------------------------------------------------------ */

static void on_wake(void *self)
{
    struct bench *bench = self;

    if (!bench) /* the spare worker, which runs no chain */
        return;
    pthread_mutex_lock(&bench->lock);
    bench->is_woken = 1;
    (void)pthread_cond_signal(&bench->wake_up);
    pthread_mutex_unlock(&bench->lock);
}

static void on_arm(void *self, uint64_t at_ns)
{
    struct bench *bench = self;

    if (bench)
        bench->timer_at_ns = at_ns;
}

static void on_proceed(void *self, cmw_ctx *ctx, int next)
{
    struct bench *bench = self;

    (void)ctx; /* a bench has one request */
    bench->next_step = next;
    bench->has_gone_on = 1;
}

static const cmw_host host = {
    .size = sizeof host,
    .name = "Apache httpd",
    .capabilities = CMW_CAP_SUSPEND | CMW_CAP_SUSPEND_POST_ROUTE | CMW_CAP_RESUME_ACROSS_THREADS |
                    CMW_CAP_NOTICE_CLIENT_GONE | CMW_CAP_DECORATE_OWN_ERRORS |
                    CMW_CAP_REWRITE_TARGET | CMW_CAP_FORKS | CMW_CAP_HEAD_FIRST |
                    CMW_CAP_ANY_METHOD | CMW_CAP_STREAM_REQUEST_BODY |
                    CMW_CAP_STREAM_RESPONSE_BODY | CMW_CAP_REQUEST_TRAILERS | CMW_CAP_TIME_BODY |
                    CMW_CAP_TIME_HEAD,
    .wake = on_wake,
    .arm_timer = on_arm,
    .proceed = on_proceed,
};

const cmw_host *process_host(void)
{
    return &host;
}

uint64_t process_now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* the engine's own; it does not fail */
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Until someone wakes it, its deadline, or it is time to look at the connection. */
static void sleep_until_woken(struct bench *bench)
{
    const uint64_t look_ns = process_now_ns() + LOOK_NS;
    const uint64_t timer_ns = bench->timer_at_ns;
    const uint64_t at_ns = timer_ns != 0 && timer_ns < look_ns ? timer_ns : look_ns;
    const struct timespec at = {.tv_sec = (time_t)(at_ns / UINT64_C(1000000000)),
                                .tv_nsec = (long)(at_ns % UINT64_C(1000000000))};
    int rc = 0;

    pthread_mutex_lock(&bench->lock);
    while (!bench->is_woken && rc == 0)
        rc = pthread_cond_timedwait(&bench->wake_up, &bench->lock, &at);
    bench->is_woken = 0;
    pthread_mutex_unlock(&bench->lock);
}

/* The client has closed, and nothing that it sent is left before that. A stream of HTTP/2 has no
 * socket of its own: mod_http2 says by a flag that it was reset, or that its connection is gone. */
static int has_left(conn_rec *connection)
{
    if (connection->aborted)
        return 1;
    apr_socket_t *socket = connection->master ? NULL : ap_get_conn_socket(connection);
    apr_os_sock_t fd;
    char byte;

    if (!socket || apr_os_sock_get(&fd, socket) != APR_SUCCESS)
        return 0;
    const ssize_t got = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno == ECONNRESET);
}

static int is_given_up(const struct process *process, conn_rec *connection, cmw_end_reason *reason)
{
    *reason = atomic_load(&process->is_ending) ? CMW_END_SHUTDOWN : CMW_END_CLIENT_GONE;
    return *reason == CMW_END_SHUTDOWN || has_left(connection);
}

int process_wait(struct bench *bench, cmw_ctx *ctx, conn_rec *connection)
{
    cmw_end_reason reason;

    bench->has_gone_on = 0;
    (void)cmw_worker_run(bench->worker, 0);
    while (!bench->has_gone_on) {
        if (is_given_up(bench->process, connection, &reason)) {
            const int next = (int)cmw_ctx_cancel(ctx, reason);
            if (next != CMW_TO_SUSPENDED)
                return next;
        }
        bench->is_asleep = 1;
        sleep_until_woken(bench);
        bench->is_asleep = 0;
        (void)cmw_worker_run(bench->worker, 0);
    }
    return bench->next_step;
}

/* ---- Workers ------------------------------------------------------------------------------ */

static int open_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    if (pthread_condattr_init(&attributes) != 0)
        return CMW_ERR_NOMEM;
    int rc = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC); /* the engine's */
    if (rc == 0)
        rc = pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes); /* cannot fail: it was initialised */
    return rc == 0 ? 0 : CMW_ERR_NOMEM;
}

static void close_bench(struct bench *bench)
{
    (void)pthread_cond_destroy(&bench->wake_up);
    (void)pthread_mutex_destroy(&bench->lock); /* nobody holds it */
    free(bench);
}

static struct bench *open_bench(struct process *process)
{
    struct bench *bench = calloc(1, sizeof *bench);

    if (!bench)
        return NULL;
    bench->process = process;
    if (pthread_mutex_init(&bench->lock, NULL) != 0) {
        free(bench);
        return NULL;
    }
    if (open_condition(&bench->wake_up) != 0) {
        (void)pthread_mutex_destroy(&bench->lock);
        free(bench);
        return NULL;
    }
    if (cmw_engine_take_worker(process->engine, &bench->worker, &host, bench) != 0) {
        close_bench(bench);
        return NULL;
    }
    return bench;
}

struct bench *process_take(struct process *process)
{
    pthread_mutex_lock(&process->lock);
    struct bench *bench = process->free;
    if (bench) {
        process->free = bench->next_free;
    } else {
        bench = open_bench(process);
        if (bench) {
            bench->next = process->benches;
            process->benches = bench;
        }
    }
    pthread_mutex_unlock(&process->lock);
    return bench;
}

void process_put(struct bench *bench)
{
    struct process *process = bench->process;

    cmw_worker_idle(bench->worker);
    pthread_mutex_lock(&process->lock);
    bench->next_free = process->free;
    process->free = bench;
    pthread_mutex_unlock(&process->lock);
}

/* ---- Polls -------------------------------------------------------------------------------- */

static void add_ns(struct timespec *at, long ns)
{
    at->tv_nsec += ns;
    if (at->tv_nsec >= 1000000000) {
        at->tv_nsec -= 1000000000;
        at->tv_sec++;
    }
}

static void *poll_engine(void *self)
{
    struct process *process = self;

    while (!atomic_load(&process->is_ending)) {
        struct timespec at;
        (void)clock_gettime(CLOCK_REALTIME, &at); /* sem_timedwait's; it does not fail */
        add_ns(&at, POLL_NS);
        (void)sem_timedwait(&process->poll_end, &at);
        (void)cmw_engine_poll(process->engine);
    }
    return NULL;
}

/* Signals are for httpd's threads. */
static int start_poller(struct process *process)
{
    sigset_t all, before;

    (void)sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0)
        return CMW_ERR_STATE;
    const int rc = pthread_create(&process->poller, NULL, poll_engine, process);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL); /* cannot fail: it was in force */
    process->has_poller = rc == 0;
    return rc == 0 ? 0 : CMW_ERR_NOMEM;
}

/* ---- Opening and closing ------------------------------------------------------------------ */

void process_end(struct process *process)
{
    atomic_store(&process->is_ending, 1); /* who waits sees it, within LOOK_NS */
}

/*
 * prefork ends its processes in a signal's handler, wherever they are: nothing here may wait for a
 * lock. What is left is the system's to take back.
 */
static apr_status_t on_end(void *data)
{
    struct process *process = data;
    struct timespec until;

    atomic_store(&process->is_ending, 1);
    if (!process->has_poller)
        return APR_SUCCESS;
    (void)sem_post(&process->poll_end);
    (void)clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += END_S;
    (void)pthread_timedjoin_np(process->poller, NULL, &until);
    return APR_SUCCESS;
}

static struct process *create_process(struct site *site)
{
    struct process *process = calloc(1, sizeof *process);

    if (!process)
        return NULL;
    process->engine = site_engine(site);
    atomic_init(&process->is_ending, 0);
    if (pthread_mutex_init(&process->lock, NULL) != 0 || sem_init(&process->poll_end, 0, 0) != 0 ||
        cmw_engine_take_worker(process->engine, &process->spare, &host, NULL) != 0 ||
        start_poller(process) != 0)
        return NULL; /* the process serves 500 and is in no state to go on */
    return process;
}

void process_open(struct site *site, apr_pool_t *pool, server_rec *server)
{
    void **slot = site_process(site);

    if (*slot)
        return; /* two servers have one file */
    const int rc = site_install(site);
    struct process *process = rc == 0 ? create_process(site) : NULL;
    if (!process) {
        ap_log_error(APLOG_MARK, APLOG_ALERT, 0, server,
                     "catzilla_mw: the process cannot serve: %s",
                     cmw_error_text(rc == 0 ? CMW_ERR_NOMEM : rc));
        return;
    }
    *slot = process;
    apr_pool_cleanup_register(pool, process, on_end, apr_pool_cleanup_null);
}
