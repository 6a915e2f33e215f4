/* SPDX-License-Identifier: MIT */
/*
 * What belongs to one H2O context: its worker, its seats, and how it is woken.
 *
 * A wake from another thread is one message in the context's queue, sent only when it is not on its
 * way already.
 */
#include "state.h"

#include <string.h>
#include <time.h>

enum { SMALLEST_ROOM = 512 };

int cmw__h2o_reserve(struct room *place, cmw_pool *pool, size_t bytes)
{
    size_t cap = SMALLEST_ROOM;

    if (bytes <= place->cap)
        return 0;
    if (bytes > SIZE_MAX / 2)
        return CMW_ERR_NOMEM;
    while (cap < bytes)
        cap *= 2;
    void *data = cmw_pool_alloc(pool, cap, 0);
    if (!data)
        return CMW_ERR_NOMEM;
    cmw_pool_free(pool, place->data, place->cap, 0);
    place->data = data;
    place->cap = cap;
    return 0;
}

/* ---- Waking ----------------------------------------------------------------------------- */

/* From any thread. */
void cmw__h2o_on_wake(void *self)
{
    struct loop *loop = self;

    if (atomic_exchange(&loop->is_awake, 1) == 0)
        h2o_multithread_send_message(&loop->woken, &loop->wake);
}

void cmw__h2o_run_worker(struct loop *loop)
{
    if (loop->is_running)
        return;
    loop->is_running = 1;
    (void)cmw_worker_run(loop->worker, 0); /* how many went on is not asked */
    loop->is_running = 0;
}

static void on_woken(h2o_multithread_receiver_t *receiver, h2o_linklist_t *messages)
{
    struct loop *loop = H2O_STRUCT_FROM_MEMBER(struct loop, woken, receiver);

    (void)messages;
    h2o_linklist_unlink(&loop->wake.link); /* there is no other */
    atomic_store(&loop->is_awake, 0);
    cmw__h2o_run_worker(loop);
}

/* ---- Timers ----------------------------------------------------------------------------- */

static uint64_t now_ns(void)
{
    struct timespec now = {0, 0};

    (void)clock_gettime(CLOCK_MONOTONIC, &now); /* cannot fail: the clock exists */
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* H2O looks at every kind of timeout in every turn of the loop: there is one more when the first
 * deadline comes. */
static void open_deadlines(struct loop *loop)
{
    if (!loop->has_deadlines)
        h2o_timeout_init(loop->context->loop, &loop->deadline_in, 0);
    loop->has_deadlines = 1;
}

void cmw__h2o_on_arm(void *self, uint64_t at_ns)
{
    struct loop *loop = self;
    const uint64_t now = now_ns();

    loop->deadline_ns = at_ns;
    h2o_timeout_unlink(&loop->deadline);
    if (at_ns == 0)
        return;
    open_deadlines(loop);
    loop->deadline_in.timeout = at_ns > now ? (at_ns - now) / 1000000 + 1 : 0;
    h2o_timeout_link(loop->context->loop, &loop->deadline_in, &loop->deadline);
}

/* The loop counts from the last time that it looked at a clock: it may come too soon. */
static void on_deadline(h2o_timeout_entry_t *entry)
{
    struct loop *loop = H2O_STRUCT_FROM_MEMBER(struct loop, deadline, entry);

    if (loop->deadline_ns != 0 && now_ns() < loop->deadline_ns)
        cmw__h2o_on_arm(loop, loop->deadline_ns);
    else
        cmw__h2o_run_worker(loop);
}

static void on_poll(h2o_timeout_entry_t *entry)
{
    struct loop *loop = H2O_STRUCT_FROM_MEMBER(struct loop, poll, entry);

    h2o_timeout_link(loop->context->loop, &loop->context->hundred_ms_timeout, entry);
    cmw__h2o_run_worker(loop);
    (void)cmw_engine_poll(loop->adapter->engine);
    if (loop->open_count == 0)
        cmw_worker_idle(loop->worker);
    cmw__h2o_end_late_heads(loop);
}

/* ---- Seats ------------------------------------------------------------------------------ */

static void link_seat(struct seat **list, struct seat *seat)
{
    seat->next = *list;
    seat->at = list;
    if (seat->next)
        seat->next->at = &seat->next;
    *list = seat;
}

static void unlink_seat(struct seat *seat)
{
    *seat->at = seat->next;
    if (seat->next)
        seat->next->at = seat->at;
}

static struct seat *make_seat(struct loop *loop)
{
    struct seat *seat = loop->free;

    if (seat) {
        unlink_seat(seat);
        return seat;
    }
    seat = cmw_pool_alloc(loop->pool, sizeof *seat, 0);
    if (!seat)
        return NULL;
    memset(seat, 0, sizeof *seat);
    seat->loop = loop;
    return seat;
}

/* How a request finds its seat: in H2O's list of filters of one request. */
struct mark {
    h2o_req_prefilter_t super;
    struct seat *seat;
};

/* Only says who it is: the response is our filter's matter. */
static void on_mark(h2o_req_prefilter_t *self, h2o_req_t *req, h2o_ostream_t **slot)
{
    h2o_setup_next_prefilter(self, req, slot);
}

static struct mark *find_mark(const h2o_req_t *req)
{
    for (h2o_req_prefilter_t *each = req->prefilters; each; each = each->next)
        if (each->on_setup_ostream == on_mark)
            return (void *)each;
    return NULL;
}

void cmw__h2o_mark(h2o_req_t *req, struct seat *seat)
{
    struct mark *mark = (void *)h2o_add_prefilter(req, sizeof *mark);

    mark->super.on_setup_ostream = on_mark;
    mark->seat = seat;
}

int cmw__h2o_is_marked(const h2o_req_t *req)
{
    return find_mark(req) != NULL;
}

struct seat *cmw__h2o_find_seat(const h2o_req_t *req)
{
    const struct mark *mark = find_mark(req);

    return mark ? mark->seat : NULL;
}

struct seat *cmw__h2o_take_seat(struct loop *loop, struct site *site, h2o_req_t *req)
{
    struct seat *seat = make_seat(loop);

    if (!seat)
        return NULL;
    seat->site = site;
    seat->req = req;
    seat->ctx = NULL;
    seat->gate = NULL;
    memset(&seat->others, 0, sizeof seat->others);
    seat->adopted = 0;
    seat->state = SEAT_ASKED;
    seat->must_close = seat->is_sent = seat->is_cut = seat->is_refused = 0;
    seat->is_fed = seat->is_streaming = seat->is_sending = seat->is_read = 0;
    seat->is_block = seat->has_length = 0;
    link_seat(&loop->open, seat);
    loop->open_count++;
    cmw__h2o_mark(req, seat);
    return seat;
}

void cmw__h2o_leave_seat(struct seat *seat)
{
    struct loop *loop = seat->loop;
    struct mark *mark = find_mark(seat->req);

    if (mark)
        mark->seat = NULL;
    unlink_seat(seat);
    link_seat(&loop->free, seat);
    loop->open_count--;
}

static void free_seats(struct loop *loop)
{
    while (loop->open)
        cmw__h2o_end(loop->open, CMW_END_SHUTDOWN);
    for (struct seat *next, *each = loop->free; each; each = next) {
        next = each->next;
        cmw_pool_free(loop->pool, each->header_room.data, each->header_room.cap, 0);
        cmw_pool_free(loop->scratch_pool, each->field_room.data, each->field_room.cap, 0);
        cmw_pool_free(loop->pool, each, sizeof *each, 0);
    }
}

/* ---- Loops ------------------------------------------------------------------------------ */

static struct loop *find_loop(const cmw_h2o *adapter, const h2o_context_t *context)
{
    struct loop *loop = adapter->loops;

    while (loop && loop->context != context)
        loop = loop->next;
    return loop;
}

/* 0 or CMW_ERR_NOMEM. */
static int make_server_line(struct loop *loop)
{
    const h2o_iovec_t name = loop->context->globalconf->server_name;
    const cmw_str begin = CMW_STR("Server: ");

    loop->silent = *loop->context->globalconf;
    loop->silent.server_name = h2o_iovec_init(NULL, 0);
    if (name.len == 0)
        return 0;
    char *line = cmw_pool_alloc(loop->scratch_pool, begin.len + name.len + 2, 0);
    if (!line)
        return CMW_ERR_NOMEM;
    memcpy(line, begin.data, begin.len);
    memcpy(line + begin.len, name.base, name.len);
    memcpy(line + begin.len + name.len, "\r\n", 2);
    loop->server_line = cmw_str_make(line, begin.len + name.len + 2);
    return 0;
}

static void free_loop(struct loop *loop)
{
    cmw_pool_free(loop->scratch_pool, (char *)(uintptr_t)loop->server_line.data,
                  loop->server_line.len, 0);
    cmw_pool_free(loop->scratch_pool, loop, sizeof *loop, 0);
}

static struct loop *make_loop(cmw_h2o *adapter, h2o_context_t *context)
{
    struct loop *loop = cmw_pool_alloc(adapter->pool, sizeof *loop, 0);

    if (!loop)
        return NULL;
    memset(loop, 0, sizeof *loop);
    loop->adapter = adapter;
    loop->context = context;
    loop->pool = cmw_engine_pool(adapter->engine, CMW_POOL_CONTEXT);
    loop->scratch_pool = adapter->pool;
    if (make_server_line(loop) != 0 ||
        cmw_engine_take_worker(adapter->engine, &loop->worker, &cmw__h2o_host, loop) != 0) {
        free_loop(loop);
        return NULL;
    }
    atomic_init(&loop->is_awake, 0);
    h2o_multithread_register_receiver(context->queue, &loop->woken, on_woken);
    loop->deadline.cb = on_deadline;
    loop->poll.cb = on_poll;
    h2o_timeout_link(context->loop, &context->hundred_ms_timeout, &loop->poll);
    loop->next = adapter->loops;
    adapter->loops = loop;
    return loop;
}

static void unlink_loop(cmw_h2o *adapter, const struct loop *loop)
{
    struct loop **at = &adapter->loops;

    while (*at != loop)
        at = &(*at)->next;
    *at = loop->next;
}

static void end_loop(struct loop *loop)
{
    free_seats(loop);
    cmw_engine_put_worker(loop->adapter->engine, loop->worker);
    if (h2o_linklist_is_linked(&loop->wake.link)) /* nobody wakes any more */
        h2o_linklist_unlink(&loop->wake.link);
    h2o_multithread_unregister_receiver(loop->context->queue, &loop->woken);
    h2o_timeout_unlink(&loop->poll);
    h2o_timeout_unlink(&loop->deadline);
    if (loop->has_deadlines)
        h2o_timeout_dispose(loop->context->loop, &loop->deadline_in);
    free_loop(loop);
}

struct loop *cmw__h2o_retain_loop(cmw_h2o *adapter, h2o_context_t *context)
{
    pthread_mutex_lock(&adapter->lock);
    struct loop *loop = find_loop(adapter, context);
    if (!loop)
        loop = make_loop(adapter, context);
    if (loop)
        loop->site_count++;
    pthread_mutex_unlock(&adapter->lock);
    return loop;
}

void cmw__h2o_release_loop(struct loop *loop)
{
    cmw_h2o *adapter = loop->adapter;

    pthread_mutex_lock(&adapter->lock);
    const int is_last = --loop->site_count == 0;
    if (is_last)
        unlink_loop(adapter, loop);
    pthread_mutex_unlock(&adapter->lock);
    if (is_last)
        end_loop(loop);
}

cmw_worker *cmw_h2o_worker(cmw_h2o *adapter, const struct st_h2o_context_t *context)
{
    pthread_mutex_lock(&adapter->lock);
    const struct loop *loop = find_loop(adapter, context);
    cmw_worker *worker = loop ? loop->worker : NULL;
    pthread_mutex_unlock(&adapter->lock);
    return worker;
}

uint32_t cmw_h2o_open_requests(cmw_h2o *adapter, const struct st_h2o_context_t *context)
{
    pthread_mutex_lock(&adapter->lock);
    const struct loop *loop = find_loop(adapter, context);
    const uint32_t count = loop ? loop->open_count : 0;
    pthread_mutex_unlock(&adapter->lock);
    return count;
}
