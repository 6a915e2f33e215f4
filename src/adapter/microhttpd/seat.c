/* SPDX-License-Identifier: MIT */
#include "seat.h"
#include "wait.h"

#include <string.h>

enum { SMALLEST_ROOM = 256 };

int cmw__room_grow(struct room *place, cmw_pool *pool, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        return CMW_ERR_NOMEM;
    size_t cap = SMALLEST_ROOM;
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

static void room_release(struct room *place, cmw_pool *pool)
{
    cmw_pool_free(pool, place->data, place->cap, 0);
}

/* ---- One seat: the caller holds the lock ------------------------------------------------- */

static void push(struct seat **list, struct seat *one)
{
    one->next = *list;
    *list = one;
}

static void unlink_seat(struct seat **list, const struct seat *one)
{
    while (*list != one)
        list = &(*list)->next;
    *list = one->next;
}

static struct seat *take_seat(struct seats *all)
{
    struct seat *one = all->resting;

    if (!one) {
        one = cmw_pool_alloc(all->pool, sizeof *one, 0);
        if (!one)
            return NULL;
        memset(one, 0, sizeof *one);
        one->owner = all;
        if (cmw__waits_open(one) != 0) {
            cmw_pool_free(all->pool, one, sizeof *one, 0);
            return NULL;
        }
        push(&all->resting, one);
    }
    if (cmw_engine_take_worker(all->engine, &one->worker, all->host, one) != 0)
        return NULL;
    all->resting = one->next;
    push(&all->used, one);
    return one;
}

static void rest_seat(struct seat *one)
{
    cmw_engine_put_worker(one->owner->engine, one->worker);
    one->worker = NULL;
    one->is_abandoned = 0;
    unlink_seat(&one->owner->used, one);
    push(&one->owner->resting, one);
}

/* ---- Threads ----------------------------------------------------------------------------- */

/* A worker whose contexts are in flight stays out: its next taker could run beside their end. */
static void on_thread_end(void *value)
{
    struct seat *one = value;
    struct seats *all = one->owner;

    pthread_mutex_lock(&all->lock);
    if (one->open_requests)
        one->is_abandoned = 1;
    else
        rest_seat(one);
    pthread_mutex_unlock(&all->lock);
}

static struct seat *find_seat(struct seats *all)
{
    struct seat *one = pthread_getspecific(all->key);

    if (one)
        return one;
    pthread_mutex_lock(&all->lock);
    one = take_seat(all);
    if (one && pthread_setspecific(all->key, one) != 0) {
        rest_seat(one);
        one = NULL;
    }
    pthread_mutex_unlock(&all->lock);
    return one;
}

/* ---- Requests ---------------------------------------------------------------------------- */

struct request *cmw__seats_open_request(struct seats *all)
{
    struct seat *one = find_seat(all);
    if (!one)
        return NULL;

    struct request *opened = one->free_requests;
    if (opened) {
        one->free_requests = opened->next;
    } else {
        opened = cmw_pool_alloc(all->pool, sizeof *opened, 0);
        if (!opened)
            return NULL;
        memset(opened, 0, sizeof *opened);
        opened->seat = one;
    }
    one->open_requests++;
    return opened;
}

void cmw__seats_close_request(struct request *done)
{
    struct seat *one = done->seat;
    const size_t kept = offsetof(struct request, connection);

    memset((char *)done + kept, 0, sizeof *done - kept);
    done->next = one->free_requests;
    one->free_requests = done;
    one->open_requests--;

    if (one->is_abandoned && one->open_requests == 0) {
        pthread_mutex_lock(&one->owner->lock);
        rest_seat(one);
        pthread_mutex_unlock(&one->owner->lock);
    }
}

/* ---- All seats --------------------------------------------------------------------------- */

static int init_locks(struct seats *all)
{
    if (pthread_mutex_init(&all->lock, NULL) != 0)
        return CMW_ERR_IO;
    if (pthread_mutex_init(&all->ticker_lock, NULL) == 0) {
        if (cmw__watch_init(&all->watch) == 0)
            return 0;
        pthread_mutex_destroy(&all->ticker_lock);
    }
    pthread_mutex_destroy(&all->lock);
    return CMW_ERR_IO;
}

static void deinit_locks(struct seats *all)
{
    cmw__watch_deinit(all);
    pthread_mutex_destroy(&all->ticker_lock);
    pthread_mutex_destroy(&all->lock);
}

int cmw__seats_init(struct seats *all, cmw_engine *engine, const cmw_host *host)
{
    memset(all, 0, sizeof *all);
    all->engine = engine;
    all->pool = cmw_engine_pool(engine, CMW_POOL_CONTEXT);
    all->scratch_pool = cmw_engine_pool(engine, CMW_POOL_PLAN);
    all->host = host;
    atomic_init(&all->is_stopping, 0);
    int rc = init_locks(all);
    if (rc != 0)
        return rc;
    rc = cmw_engine_take_worker(engine, &all->spare, host, NULL);
    if (rc == 0 && pthread_key_create(&all->key, on_thread_end) != 0) {
        cmw_engine_put_worker(engine, all->spare);
        rc = CMW_ERR_IO;
    }
    if (rc != 0)
        deinit_locks(all);
    return rc;
}

static void free_seat(struct seat *one)
{
    cmw_pool *pool = one->owner->pool;

    for (struct request *next, *each = one->free_requests; each; each = next) {
        next = each->next;
        room_release(&each->target_room, pool);
        room_release(&each->header_room, pool);
        cmw_pool_free(pool, each, sizeof *each, 0);
    }
    room_release(&one->field_room, one->owner->scratch_pool);
    cmw__waits_close(one);
    cmw_pool_free(pool, one, sizeof *one, 0);
}

void cmw__seats_deinit(struct seats *all)
{
    pthread_key_delete(all->key);
    cmw__ticker_stop(all);
    cmw_engine_put_worker(all->engine, all->spare);
    while (all->used)
        rest_seat(all->used);
    for (struct seat *next, *each = all->resting; each; each = next) {
        next = each->next;
        free_seat(each);
    }
    deinit_locks(all);
}
