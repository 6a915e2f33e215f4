/* SPDX-License-Identifier: MIT */
/*
 * A process and an engine: its one worker, wakes from other threads, deadlines, polls.
 *
 * nginx has no way to be told something by another thread that modules may use, so wakes are
 * written to an eventfd, which is one more connection of the process.
 */
#include "module.h"

#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { POLL_BUSY_MS = 100, POLL_IDLE_MS = 1000, KEEP_MS = 60 * 60 * 1000 };

static void on_wake(void *self)
{
    const struct process *process = self;
    const uint64_t one = 1;

    /* Full, it is readable anyway. */
    (void)!write(process->notice->fd, &one, sizeof one);
}

static uint64_t clock_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* the engine's own; it does not fail */
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void on_arm(void *self, uint64_t at_ns)
{
    struct process *process = self;
    const uint64_t now_ns = clock_ns();
    const uint64_t left_ms = at_ns > now_ns ? (at_ns - now_ns) / 1000000 + 1 : 1;

    if (process->deadline.timer_set)
        ngx_del_timer(&process->deadline);
    process->armed_ns = at_ns;
    if (at_ns != 0)
        ngx_add_timer(&process->deadline, left_ms < KEEP_MS ? left_ms : KEEP_MS);
}

static void on_proceed(void *self, cmw_ctx *ctx, int next)
{
    (void)self;
    request_proceed(cmw_ctx_host_data(ctx), next);
}

static const cmw_host host = {
    .size = sizeof host,
    .name = "nginx",
    .capabilities = CMW_CAP_SUSPEND | CMW_CAP_RESUME_ACROSS_THREADS | CMW_CAP_NOTICE_CLIENT_GONE |
                    CMW_CAP_DECORATE_OWN_ERRORS | CMW_CAP_REWRITE_TARGET | CMW_CAP_FORKS |
                    CMW_CAP_HEAD_FIRST | CMW_CAP_ANY_METHOD | CMW_CAP_STREAM_REQUEST_BODY |
                    CMW_CAP_STREAM_RESPONSE_BODY | CMW_CAP_TIME_BODY | CMW_CAP_TIME_HEAD |
                    CMW_CAP_RESPONSE_TRAILERS,
    .wake = on_wake,
    .arm_timer = on_arm,
    .proceed = on_proceed,
};

const cmw_host *process_host(void)
{
    return &host;
}

/* ---- Events ------------------------------------------------------------------------------- */

static void run(struct process *process)
{
    (void)cmw_worker_run(process->worker, 0);
    if (cmw_worker_suspended(process->worker) == 0 && process->keeper.timer_set)
        ngx_del_timer(&process->keeper);
}

static void on_notice(ngx_event_t *event)
{
    const ngx_connection_t *notice = event->data;
    uint64_t count;

    (void)!read(notice->fd, &count, sizeof count); /* the number is of no interest */
    run(notice->data);
}

/* nginx counts from when its loop last looked at the clock: it may be too early. */
static void on_deadline(ngx_event_t *event)
{
    struct process *process = event->data;

    run(process);
    if (!event->timer_set && process->armed_ns > clock_ns())
        on_arm(process, process->armed_ns);
}

static void on_keeper(ngx_event_t *event)
{
    const struct process *process = event->data;

    if (cmw_worker_suspended(process->worker) > 0)
        ngx_add_timer(event, KEEP_MS);
}

static void on_poll(ngx_event_t *event)
{
    struct process *process = event->data;
    const size_t done = cmw_engine_poll(process->engine);

    cmw_worker_idle(process->worker);
    ngx_add_timer(event, done > 0 || process->was_busy ? POLL_BUSY_MS : POLL_IDLE_MS);
    process->was_busy = 0;
}

static void on_nothing(ngx_event_t *event)
{
    (void)event;
}

void process_note(struct process *process)
{
    process->was_busy = 1;
}

void process_keep(struct process *process)
{
    if (!process->keeper.timer_set)
        ngx_add_timer(&process->keeper, KEEP_MS);
}

/* ---- Opening and closing ------------------------------------------------------------------ */

static void init_event(ngx_event_t *event, ngx_event_handler_pt handler, struct process *process,
                       ngx_log_t *log)
{
    event->handler = handler;
    event->data = process;
    event->log = log;
}

static ngx_int_t open_notice(struct process *process, ngx_log_t *log)
{
    const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

    if (fd == -1) {
        ngx_log_error(NGX_LOG_ALERT, log, ngx_errno, "catzilla_mw: eventfd() failed");
        return NGX_ERROR;
    }
    ngx_connection_t *notice = ngx_get_connection(fd, log);
    if (!notice) {
        (void)close(fd);
        return NGX_ERROR;
    }
    notice->data = process;
    notice->log = log;
    notice->read->log = log;
    notice->write->log = log;
    notice->read->handler = on_notice;
    notice->write->handler = on_nothing;
    notice->read->channel = 1; /* it is no client's, and may be open when the process ends */
    if (ngx_add_event(notice->read, NGX_READ_EVENT, 0) != NGX_OK) {
        ngx_close_connection(notice);
        return NGX_ERROR;
    }
    process->notice = notice;
    return NGX_OK;
}

static struct process *open_process(struct site *site, ngx_log_t *log)
{
    struct process *process = calloc(1, sizeof *process);

    if (!process)
        return NULL;
    process->engine = site_engine(site);
    ngx_queue_init(&process->seats);
    init_event(&process->deadline, on_deadline, process, log);
    init_event(&process->keeper, on_keeper, process, log);
    init_event(&process->poll, on_poll, process, log);
    process->deadline.cancelable = 1;
    process->poll.cancelable = 1;
    if (open_notice(process, log) != NGX_OK) {
        free(process);
        return NULL;
    }
    const int rc = cmw_engine_take_worker(process->engine, &process->worker, &host, process);
    if (rc != 0) {
        ngx_log_error(NGX_LOG_ALERT, log, 0, "catzilla_mw: no worker: %s", cmw_error_text(rc));
        ngx_close_connection(process->notice);
        free(process);
        return NULL;
    }
    ngx_add_timer(&process->poll, POLL_BUSY_MS);
    return process;
}

struct process *process_of(struct site *site, ngx_log_t *log)
{
    void **slot = site_process(site);
    struct process *process = *slot;

    if (process && process->site == site)
        return process;
    if (!process)
        *slot = process = open_process(site, ngx_cycle->log);
    if (!process)
        return NULL;
    /* The first request of this process, or of a configuration. */
    const int rc = site_install(site);
    if (rc != 0) {
        ngx_log_error(NGX_LOG_ALERT, log, 0, "catzilla_mw: the plan is not installed: %s",
                      cmw_error_text(rc));
        return NULL;
    }
    process->site = site;
    process->joins = (ngx_uint_t)joined_is_safe(ngx_cycle);
    return process;
}

void process_close(struct process *process)
{
    while (!ngx_queue_empty(&process->seats))
        request_abandon(ngx_queue_data(ngx_queue_head(&process->seats), struct seat, queue));
    if (process->deadline.timer_set)
        ngx_del_timer(&process->deadline);
    if (process->keeper.timer_set)
        ngx_del_timer(&process->keeper);
    if (process->poll.timer_set)
        ngx_del_timer(&process->poll);
    (void)cmw_engine_poll(process->engine);
    ngx_close_connection(process->notice);
    cmw_engine_put_worker(process->engine, process->worker);
    free(process);
}
