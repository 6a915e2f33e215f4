/* SPDX-License-Identifier: MIT */
/* Workers: lending, free contexts, following the installed plan. */
#include "ctx_state.h"

#include "platform.h"
#include "registry.h"

const struct cmw__plan_use cmw__no_use;

/* ---- Contexts --------------------------------------------------------------------------- */

int cmw__worker_add_context(cmw_worker *worker)
{
    const cmw_engine *engine = worker->engine;

    if (worker->context_count >= engine->context_limit)
        return CMW_ERR_LIMIT;
    cmw_ctx *ctx = cmw_pool_alloc(engine->pools[CMW_POOL_CONTEXT], engine->context_bytes, 64);
    if (!ctx)
        return CMW_ERR_NOMEM;
    memset(ctx, 0, sizeof *ctx);
    ctx->worker = worker;
    worker->context_count++;
    cmw__worker_put_context(worker, ctx);
    return 0;
}

static void free_contexts(cmw_worker *worker)
{
    const cmw_engine *engine = worker->engine;
    cmw_ctx *ctx;

    while ((ctx = worker->free_contexts) != &worker->none) {
        worker->free_contexts = ctx->next_free;
        worker->context_count--;
        cmw__unpoison(ctx, engine->context_bytes);
        cmw_pool_free(engine->pools[CMW_POOL_CONTEXT], ctx, engine->context_bytes, 64);
    }
}

void cmw_worker_trim(cmw_worker *worker)
{
    free_contexts(worker);
    cmw__block_list_trim(&worker->blocks);
}

uint32_t cmw__use_in_flight(const struct cmw__plan_use *use)
{
    uint64_t ended = 0;

    for (uint32_t i = 0; i < CMW__STATUS_GROUPS; i++)
        ended += cmw__counter_read(&use->counters[CMW__COUNT_STATUS + i]);
    return (uint32_t)(cmw__counter_read(&use->counters[CMW__COUNT_BEGUN]) - ended);
}

uint32_t cmw_worker_in_flight(const cmw_worker *worker)
{
    uint32_t count = worker->use ? cmw__use_in_flight(worker->use) : 0;
    for (const struct cmw__plan_use *at = worker->retired; at; at = at->next_retired)
        count += cmw__use_in_flight(at);
    return count;
}

cmw_engine *cmw_worker_engine(cmw_worker *worker)
{
    return worker->engine;
}

uint32_t cmw_worker_index(const cmw_worker *worker)
{
    return worker->index;
}

/* ---- Following the installed plan -------------------------------------------------------- */

/* A use is going, and another may come to lie where it lay: no context is laid out for it. */
static void forget_use(cmw_worker *worker, const struct cmw__plan_use *use)
{
    for (cmw_ctx *ctx = worker->free_contexts; ctx != &worker->none; ctx = ctx->next_free)
        if (ctx->use == use)
            ctx->use = NULL;
}

/* Let go of retired uses that nothing runs on. Under the lock. */
static void release_retired_locked(cmw_worker *worker)
{
    struct cmw__plan_use **at = &worker->retired;
    while (*at) {
        struct cmw__plan_use *use = *at;
        if (cmw__use_in_flight(use) > 0) {
            at = &use->next_retired;
            continue;
        }
        *at = use->next_retired;
        forget_use(worker, use);
        cmw__installed_drop(worker->engine, use->installed);
    }
}

static void set_current(cmw_worker *worker, const struct cmw__plan_use *use)
{
    atomic_store_explicit(&worker->current, use, memory_order_release);
}

void cmw__workers_tell(cmw_engine *engine)
{
    for (cmw_worker *worker = engine->workers; worker; worker = worker->next)
        set_current(worker, &cmw__no_use);
}

static void follow_locked(cmw_worker *worker)
{
    cmw_engine *engine = worker->engine;
    struct cmw__installed *installed = engine->installed;

    if (!installed)
        return;
    if (worker->use && worker->use->installed != installed) {
        worker->use->next_retired = worker->retired;
        worker->retired = worker->use;
    }
    if (!worker->use || worker->use->installed != installed) {
        worker->use = installed->uses[worker->index];
        installed->holders++;
        release_retired_locked(worker);
    }
    set_current(worker, worker->use);
}

void cmw__worker_follow(cmw_worker *worker)
{
    cmw__mutex_lock(&worker->engine->lock);
    follow_locked(worker);
    cmw__engine_unlock(worker->engine);
}

void cmw__worker_release_retired(cmw_worker *worker)
{
    cmw__mutex_lock(&worker->engine->lock);
    release_retired_locked(worker);
    cmw__engine_unlock(worker->engine);
}

void cmw_worker_idle(cmw_worker *worker)
{
    if (atomic_load_explicit(&worker->current, memory_order_acquire) == &cmw__no_use)
        cmw__worker_follow(worker);
}

const cmw_response *cmw_worker_overload_response(cmw_worker *worker)
{
    return worker->use ? &worker->use->plan->overload : NULL;
}

void cmw_worker_count_overload(cmw_worker *worker)
{
    if (worker->use)
        cmw__counter_add(&worker->use->counters[CMW__COUNT_OVERLOAD], 1);
}

void cmw_worker_count_late_head(cmw_worker *worker)
{
    if (worker->use)
        cmw__counter_add(&worker->use->counters[CMW__COUNT_LATE_HEAD], 1);
}

/* ---- Lending ---------------------------------------------------------------------------- */

/* What begin asks before it looks at limits and target: a head that is within them, as all but a
 * few are. With CMW_TARGET_REJECT each target is looked at, with CMW_HOST_REQUIRED each Host, and a
 * deadline is set for each request. */
static void set_quick_limits(cmw_worker *worker, const cmw_engine *engine)
{
    const int looks_at_all = engine->target_policy == CMW_TARGET_REJECT ||
                             engine->host_policy == CMW_HOST_REQUIRED ||
                             engine->limits.request_ms > 0;

    worker->quick_header_count = looks_at_all ? 0 : engine->limits.header_count + 1;
    worker->quick_header_bytes = engine->limits.header_bytes;
}

/* A new worker, with room in every installed plan's statistics. Under the lock. */
static int create_worker(cmw_engine *engine, cmw_worker **out)
{
    if (engine->worker_count == engine->worker_limit)
        return CMW_ERR_LIMIT;
    cmw_worker *worker = cmw_pool_alloc(engine->pools[CMW_POOL_PLAN], sizeof *worker, 64);
    if (!worker)
        return CMW_ERR_NOMEM;
    memset(worker, 0, sizeof *worker);
    worker->engine = engine;
    worker->index = engine->worker_count;
    worker->sample_countdown = engine->sample_every;
    worker->free_contexts = &worker->none;
    set_current(worker, &cmw__no_use);
    set_quick_limits(worker, engine);
    cmw__block_list_init(&worker->blocks, engine->pools[CMW_POOL_CONTEXT]);
    if (cmw__waits_init(&worker->waits) != 0) {
        cmw_pool_free(engine->pools[CMW_POOL_PLAN], worker, sizeof *worker, 64);
        return CMW_ERR_NOMEM;
    }
    if (engine->installed &&
        cmw__installed_add_use(engine, engine->installed, worker->index) != 0) {
        cmw__waits_destroy(worker);
        cmw_pool_free(engine->pools[CMW_POOL_PLAN], worker, sizeof *worker, 64);
        return CMW_ERR_NOMEM;
    }
    worker->next = engine->workers;
    engine->workers = worker;
    engine->worker_count++;
    *out = worker;
    return 0;
}

static int take_locked(cmw_engine *engine, cmw_worker **out)
{
    cmw_worker *worker = engine->free_workers;
    if (worker) {
        engine->free_workers = worker->next_free;
        *out = worker;
        return 0;
    }
    return create_worker(engine, out);
}

int cmw_engine_take_worker(cmw_engine *engine, cmw_worker **out, const cmw_host *host,
                           void *host_self)
{
    cmw_worker *worker = NULL;

    if (!engine || !out)
        return CMW_ERR_ARG;
    cmw__mutex_lock(&engine->lock);
    const int rc = take_locked(engine, &worker);
    if (rc == 0) {
        cmw__worker_set_host(worker, host, host_self);
        worker->is_out = 1;
        engine->workers_out++;
        follow_locked(worker);
    }
    cmw__engine_unlock(engine);
    if (rc != 0)
        return rc;
    cmw__worker_arm(worker);
    *out = worker;
    return 0;
}

void cmw_engine_put_worker(cmw_engine *engine, cmw_worker *worker)
{
    if (!engine || !worker)
        return;
    cmw__mutex_lock(&engine->lock);
    if (worker->is_out) {
        worker->is_out = 0;
        cmw__worker_set_host(worker, NULL, NULL);
        worker->next_free = engine->free_workers;
        engine->free_workers = worker;
        engine->workers_out--;
    }
    cmw__mutex_unlock(&engine->lock);
}

int cmw__workers_busy(const cmw_engine *engine)
{
    for (const cmw_worker *at = engine->workers; at; at = at->next)
        if (cmw_worker_in_flight(at) > 0)
            return 1;
    return 0;
}

void cmw__workers_destroy(cmw_engine *engine)
{
    cmw_worker *worker;

    while ((worker = engine->workers) != NULL) {
        engine->workers = worker->next;
        cmw_worker_trim(worker);
        cmw__worker_close_random(worker);
        cmw__waits_destroy(worker);
        cmw_pool_free(engine->pools[CMW_POOL_PLAN], worker, sizeof *worker, 64);
    }
}
