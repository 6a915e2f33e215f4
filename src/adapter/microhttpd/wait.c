/* SPDX-License-Identifier: MIT */
#include "wait.h"

#include <errno.h>
#include <string.h>
#include <time.h>

/* ---- Clocks: deadlines are of the engine's monotonic clock ------------------------------- */

static uint64_t now_ns(void)
{
    struct timespec now = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock exists */
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static struct timespec timespec_of(uint64_t at_ns)
{
    struct timespec at;

    at.tv_sec = (time_t)(at_ns / UINT64_C(1000000000));
    at.tv_nsec = (long)(at_ns % UINT64_C(1000000000));
    return at;
}

/* A condition variable of the monotonic clock: 0 or CMW_ERR_NOMEM. */
static int open_condition(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;

    if (pthread_condattr_init(&attributes) != 0)
        return CMW_ERR_NOMEM;
    int rc = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (rc == 0)
        rc = pthread_cond_init(condition, &attributes);
    (void)pthread_condattr_destroy(&attributes); /* cannot fail: it was initialised */
    return rc == 0 ? 0 : CMW_ERR_NOMEM;
}

/* Until someone signals, or until a time; 0: no time. */
static void wait_until(pthread_cond_t *condition, pthread_mutex_t *lock, uint64_t at_ns)
{
    const struct timespec at = timespec_of(at_ns);

    if (at_ns == 0)
        (void)pthread_cond_wait(condition, lock); /* whoever waits looks again */
    else
        (void)pthread_cond_timedwait(condition, lock, &at);
}

/* ---- The ticker: wakes seats at the times that their workers want ------------------------ */

struct ticker {
    struct seats *all;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    int is_ending;
    int has_changed; /* a time was set since the seats were looked at */
};

/* Wake each seat whose time has come; the next time, or 0. */
static uint64_t wake_due(struct seats *all)
{
    const uint64_t now = now_ns();
    uint64_t next = 0;

    pthread_mutex_lock(&all->lock);
    for (struct seat *each = all->used; each; each = each->next) {
        pthread_mutex_lock(&each->wait_lock);
        const uint64_t at = each->timer_at_ns;
        if (at != 0 && at <= now)
            each->timer_at_ns = 0;
        pthread_mutex_unlock(&each->wait_lock);
        if (at != 0 && at <= now)
            cmw__wait_wake(each);
        else if (at != 0 && (next == 0 || at < next))
            next = at;
    }
    pthread_mutex_unlock(&all->lock);
    return next;
}

static uint64_t earlier(uint64_t at_ns, uint64_t other_ns)
{
    return at_ns == 0 || (other_ns != 0 && other_ns < at_ns) ? other_ns : at_ns;
}

static void *tick(void *argument)
{
    struct ticker *ticker = argument;

    pthread_mutex_lock(&ticker->lock);
    while (!ticker->is_ending) {
        ticker->has_changed = 0;
        pthread_mutex_unlock(&ticker->lock);
        const uint64_t next =
            earlier(wake_due(ticker->all), cmw__watch_look(ticker->all, now_ns()));
        pthread_mutex_lock(&ticker->lock);
        if (!ticker->is_ending && !ticker->has_changed)
            wait_until(&ticker->changed, &ticker->lock, next);
    }
    pthread_mutex_unlock(&ticker->lock);
    return NULL;
}

static struct ticker *create_ticker(struct seats *all)
{
    struct ticker *ticker = cmw_pool_alloc(all->scratch_pool, sizeof *ticker, 0);

    if (!ticker)
        return NULL;
    memset(ticker, 0, sizeof *ticker);
    ticker->all = all;
    if (pthread_mutex_init(&ticker->lock, NULL) != 0)
        goto fail;
    if (open_condition(&ticker->changed) == 0) {
        if (pthread_create(&ticker->thread, NULL, tick, ticker) == 0)
            return ticker;
        (void)pthread_cond_destroy(&ticker->changed);
    }
    (void)pthread_mutex_destroy(&ticker->lock);
fail:
    cmw_pool_free(all->scratch_pool, ticker, sizeof *ticker, 0);
    return NULL;
}

/* The ticker of the adapter, started with the first deadline; NULL: the system has no thread. */
static struct ticker *find_ticker(struct seats *all)
{
    pthread_mutex_lock(&all->ticker_lock);
    if (!all->ticker)
        all->ticker = create_ticker(all);
    struct ticker *ticker = all->ticker;
    pthread_mutex_unlock(&all->ticker_lock);
    return ticker;
}

int cmw__ticker_start(struct seats *all)
{
    struct ticker *ticker = find_ticker(all);

    if (!ticker)
        return CMW_ERR_NOMEM;
    pthread_mutex_lock(&ticker->lock);
    ticker->has_changed = 1;
    (void)pthread_cond_signal(&ticker->changed);
    pthread_mutex_unlock(&ticker->lock);
    return 0;
}

void cmw__ticker_stop(struct seats *all)
{
    struct ticker *ticker = all->ticker;

    if (!ticker)
        return;
    pthread_mutex_lock(&ticker->lock);
    ticker->is_ending = 1;
    (void)pthread_cond_signal(&ticker->changed);
    pthread_mutex_unlock(&ticker->lock);
    (void)pthread_join(ticker->thread, NULL); /* our own thread, joined once */
    (void)pthread_cond_destroy(&ticker->changed);
    (void)pthread_mutex_destroy(&ticker->lock);
    cmw_pool_free(all->scratch_pool, ticker, sizeof *ticker, 0);
    all->ticker = NULL;
}

/* ---- The host's table ------------------------------------------------------------------- */

/* Under the seat's lock, as all that touches the list. */
static void enter_list(struct request *req)
{
    struct seat *seat = req->seat;

    req->next_waiting = seat->waiting;
    req->listed_at = &seat->waiting;
    if (seat->waiting)
        seat->waiting->listed_at = &req->next_waiting;
    seat->waiting = req;
}

/* 1 if it was in the list. */
static int leave_list(struct request *req)
{
    if (!req->listed_at)
        return 0;
    *req->listed_at = req->next_waiting;
    if (req->next_waiting)
        req->next_waiting->listed_at = req->listed_at;
    req->listed_at = NULL;
    return 1;
}

/* It leaves the list, since libmicrohttpd must be told once only. */
static void resume(struct request *req)
{
    if (leave_list(req))
        MHD_resume_connection(req->connection);
}

/* One connection goes on, to run the worker. */
static void resume_one(struct seat *seat)
{
    if (seat->waiting)
        resume(seat->waiting);
}

void cmw__wait_wake(void *self)
{
    struct seat *seat = self;

    if (!seat) /* the spare worker, which runs no chain */
        return;
    pthread_mutex_lock(&seat->wait_lock);
    if (!seat->is_woken)
        resume_one(seat);
    seat->is_woken = 1;
    (void)pthread_cond_signal(&seat->wake_up);
    pthread_mutex_unlock(&seat->wait_lock);
}

void cmw__wait_arm(void *self, uint64_t at_ns)
{
    struct seat *seat = self;

    if (!seat)
        return;
    seat->is_armed = at_ns != 0;
    pthread_mutex_lock(&seat->wait_lock);
    seat->timer_at_ns = at_ns;
    pthread_mutex_unlock(&seat->wait_lock);
    if (at_ns != 0)
        (void)cmw__ticker_start(seat->owner); /* without it, deadlines pass when others run */
}

void cmw__wait_proceed(void *self, cmw_ctx *ctx, int next)
{
    struct seat *seat = self;
    struct request *req = cmw_ctx_host_data(ctx);

    req->next_step = next;
    req->has_gone_on = 1;
    pthread_mutex_lock(&seat->wait_lock);
    resume(req);
    pthread_mutex_unlock(&seat->wait_lock);
}

void cmw__wait_catch_up(struct seat *seat)
{
    if (seat->is_armed)
        (void)cmw_worker_run(seat->worker, 0);
}

void cmw__wait_leave(struct request *req)
{
    struct seat *seat = req->seat;

    if (!req->is_waiting)
        return;
    pthread_mutex_lock(&seat->wait_lock);
    (void)leave_list(req);
    if (seat->is_woken) /* perhaps it was to run the worker: another one does */
        resume_one(seat);
    pthread_mutex_unlock(&seat->wait_lock);
}

/* ---- Seats ------------------------------------------------------------------------------ */

int cmw__waits_open(struct seat *seat)
{
    if (pthread_mutex_init(&seat->wait_lock, NULL) != 0)
        return CMW_ERR_NOMEM;
    if (open_condition(&seat->wake_up) == 0)
        return 0;
    (void)pthread_mutex_destroy(&seat->wait_lock);
    return CMW_ERR_NOMEM;
}

void cmw__waits_close(struct seat *seat)
{
    (void)pthread_cond_destroy(&seat->wake_up);
    (void)pthread_mutex_destroy(&seat->wait_lock);
}

void cmw__wait_stop(struct seats *all)
{
    pthread_mutex_lock(&all->lock);
    atomic_store(&all->is_stopping, 1); /* a seat that is taken later sees it, too */
    for (struct seat *each = all->used; each; each = each->next) {
        pthread_mutex_lock(&each->wait_lock);
        while (each->waiting)
            resume(each->waiting);
        each->is_woken = 1;
        (void)pthread_cond_broadcast(&each->wake_up);
        pthread_mutex_unlock(&each->wait_lock);
    }
    pthread_mutex_unlock(&all->lock);
}

/* ---- Waiting ---------------------------------------------------------------------------- */

/* Run the worker, or give the request up if the daemon is to stop. */
static void look(struct request *req)
{
    struct seat *seat = req->seat;

    pthread_mutex_lock(&seat->wait_lock);
    const int is_woken = seat->is_woken;
    seat->is_woken = 0;
    const int is_stopping = atomic_load(&seat->owner->is_stopping);
    pthread_mutex_unlock(&seat->wait_lock);
    /* One that has gone on meanwhile may be the one that was woken for others. */
    if (is_woken || !req->has_gone_on)
        (void)cmw_worker_run(seat->worker, 0);
    if (!req->has_gone_on && is_stopping) {
        req->next_step = (int)cmw_ctx_cancel(req->ctx, CMW_END_SHUTDOWN);
        req->has_gone_on = req->next_step != CMW_TO_SUSPENDED;
    }
}

static void block(struct request *req)
{
    struct seat *seat = req->seat;

    while (!req->has_gone_on) {
        pthread_mutex_lock(&seat->wait_lock);
        while (!seat->is_woken && !atomic_load(&seat->owner->is_stopping))
            wait_until(&seat->wake_up, &seat->wait_lock, 0);
        pthread_mutex_unlock(&seat->wait_lock);
        look(req);
    }
}

/* 1 if libmicrohttpd can suspend connections of this daemon. */
static int can_suspend(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *of =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_DAEMON);
    const union MHD_DaemonInfo *daemon =
        of ? MHD_get_daemon_info(of->daemon, MHD_DAEMON_INFO_FLAGS) : NULL;

    return daemon && (daemon->flags & (MHD_ALLOW_SUSPEND_RESUME & ~MHD_USE_ITC)) != 0 &&
           !(daemon->flags & MHD_USE_THREAD_PER_CONNECTION);
}

static int end_waiting(struct request *req)
{
    req->is_waiting = 0;
    req->has_gone_on = 0;
    return 1;
}

/* What woke the seat before the connection was in the list wakes it again. */
static void suspend(struct request *req)
{
    struct seat *seat = req->seat;

    pthread_mutex_lock(&seat->wait_lock);
    MHD_suspend_connection(req->connection);
    if (seat->is_woken || atomic_load(&seat->owner->is_stopping)) {
        MHD_resume_connection(req->connection);
    } else {
        enter_list(req);
    }
    pthread_mutex_unlock(&seat->wait_lock);
}

int cmw__wait_begin(struct request *req, int must_block)
{
    req->is_waiting = 1;
    if (must_block || !can_suspend(req->connection)) {
        block(req);
        return end_waiting(req);
    }
    suspend(req);
    return 0;
}

int cmw__wait_look(struct request *req)
{
    look(req);
    if (req->has_gone_on)
        return end_waiting(req);
    suspend(req);
    return 0;
}
