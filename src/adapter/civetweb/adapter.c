/* SPDX-License-Identifier: MIT */
/* Starting and stopping; what a thread has; waiting. */
#include "state.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { SMALLEST_ROOM = 1024, DEFAULT_THREADS = 50, MESSAGE_CAP = 256 };

int cmw__civetweb_reserve(struct room *place, cmw_pool *pool, size_t bytes)
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

/* ---- Waiting ------------------------------------------------------------------------------ */

static void on_wake(void *self)
{
    struct seat *seat = self;

    if (!seat) /* the spare worker, which runs no chain */
        return;
    pthread_mutex_lock(&seat->lock);
    seat->is_woken = 1;
    (void)pthread_cond_signal(&seat->wake_up);
    pthread_mutex_unlock(&seat->lock);
}

static void on_arm(void *self, uint64_t at_ns)
{
    struct seat *seat = self;

    if (seat)
        seat->timer_at_ns = at_ns;
}

static void on_proceed(void *self, cmw_ctx *ctx, int next)
{
    struct seat *seat = self;

    (void)ctx; /* a seat has one request */
    seat->next_step = next;
    seat->has_gone_on = 1;
}

static const cmw_host host = {
    .size = sizeof host,
    .name = "civetweb",
    .capabilities = CMW_CAP_NOTICE_CLIENT_GONE | CMW_CAP_DECORATE_OWN_ERRORS |
                    CMW_CAP_REWRITE_TARGET | CMW_CAP_SUSPEND | CMW_CAP_SUSPEND_POST_ROUTE |
                    CMW_CAP_RESUME_ACROSS_THREADS | CMW_CAP_HEAD_FIRST |
                    CMW_CAP_STREAM_REQUEST_BODY | CMW_CAP_STREAM_RESPONSE_BODY |
                    CMW_CAP_RESPONSE_TRAILERS,
    .header_limit = MG_MAX_HEADERS,
    .wake = on_wake,
    .arm_timer = on_arm,
    .proceed = on_proceed,
};

const cmw_host *cmw_civetweb_host(void)
{
    return &host;
}

/* Until someone wakes the seat, or its deadline. */
static void sleep_until_woken(struct seat *seat)
{
    const uint64_t at_ns = seat->timer_at_ns;
    const struct timespec at = {.tv_sec = (time_t)(at_ns / UINT64_C(1000000000)),
                                .tv_nsec = (long)(at_ns % UINT64_C(1000000000))};
    int rc = 0;

    pthread_mutex_lock(&seat->lock);
    while (!seat->is_woken && rc == 0)
        rc = at_ns == 0 ? pthread_cond_wait(&seat->wake_up, &seat->lock)
                        : pthread_cond_timedwait(&seat->wake_up, &seat->lock, &at);
    seat->is_woken = 0;
    pthread_mutex_unlock(&seat->lock);
}

int cmw__civetweb_wait(struct seat *seat, cmw_ctx *ctx)
{
    seat->has_gone_on = 0;
    (void)cmw_worker_run(seat->worker, 0);
    while (!seat->has_gone_on) {
        if (atomic_load(&seat->adapter->is_ending)) {
            const int next = (int)cmw_ctx_cancel(ctx, CMW_END_SHUTDOWN);
            if (next != CMW_TO_SUSPENDED)
                return next;
        }
        sleep_until_woken(seat);
        (void)cmw_worker_run(seat->worker, 0);
    }
    return seat->next_step;
}

/* ---- Threads ------------------------------------------------------------------------------ */

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

static struct seat *create_seat(cmw_civetweb *adapter)
{
    struct seat *seat = cmw_pool_alloc(adapter->scratch_pool, sizeof *seat, 0);

    if (!seat)
        return NULL;
    memset(seat, 0, sizeof *seat);
    seat->adapter = adapter;
    if (pthread_mutex_init(&seat->lock, NULL) != 0)
        goto fail;
    if (open_condition(&seat->wake_up) == 0)
        return seat;
    (void)pthread_mutex_destroy(&seat->lock); /* nobody holds it */
fail:
    cmw_pool_free(adapter->scratch_pool, seat, sizeof *seat, 0);
    return NULL;
}

/* NULL without memory: civetweb then answers by itself, on that thread. */
static void *on_thread(const struct mg_context *context, int type)
{
    cmw_civetweb *adapter = mg_get_user_data(context);

    if (type != 1) /* a worker's */
        return NULL;
    struct seat *seat = create_seat(adapter);
    if (!seat)
        return NULL;
    if (cmw_engine_take_worker(adapter->engine, &seat->worker, &host, seat) != 0)
        seat->worker = NULL; /* it answers 503 */
    pthread_mutex_lock(&adapter->lock);
    seat->next = adapter->seats;
    seat->at = &adapter->seats;
    if (seat->next)
        seat->next->at = &seat->next;
    adapter->seats = seat;
    pthread_mutex_unlock(&adapter->lock);
    return seat;
}

static void on_thread_end(const struct mg_context *context, int type, void *self)
{
    struct seat *seat = self;

    (void)context;
    (void)type;
    if (!seat)
        return;
    cmw_civetweb *adapter = seat->adapter;
    pthread_mutex_lock(&adapter->lock);
    *seat->at = seat->next;
    if (seat->next)
        seat->next->at = seat->at;
    pthread_mutex_unlock(&adapter->lock);
    if (seat->worker)
        cmw_engine_put_worker(adapter->engine, seat->worker);
    (void)pthread_cond_destroy(&seat->wake_up);
    (void)pthread_mutex_destroy(&seat->lock);
    cmw_pool_free(adapter->scratch_pool, seat->out.data, seat->out.cap, 0);
    cmw_pool_free(adapter->pool, seat->target.data, seat->target.cap, 0);
    cmw_pool_free(adapter->scratch_pool, seat, sizeof *seat, 0);
}

/* ---- Starting ----------------------------------------------------------------------------- */

static int read_config(cmw_civetweb_config *out, const cmw_civetweb_config *config, cmw_diag *diag)
{
    cmw_civetweb_config_init(out);
    if (config->size > sizeof *out)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "civetweb: the configuration is newer");
    memcpy(out, config, config->size);
    out->size = sizeof *out;
    if (!out->handler)
        return cmw_diag_set(diag, CMW_ERR_ARG, "civetweb: no handler is given");
    const struct mg_callbacks *own = out->callbacks;
    if (own && (own->begin_request || own->http_error || own->init_thread || own->exit_thread))
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "civetweb: callbacks: begin_request, http_error, init_thread and "
                            "exit_thread are the adapter's");
    return 0;
}

/* 0, or why the options cannot be. */
static int check_options(const char *const *options, size_t *count, cmw_engine *engine,
                         cmw_diag *diag)
{
    unsigned long threads = DEFAULT_THREADS;
    const unsigned long workers = cmw_engine_worker_limit(engine);
    size_t i = 0;

    for (; options && options[i]; i += 2) {
        if (!options[i + 1])
            return cmw_diag_set(diag, CMW_ERR_ARG, "civetweb: options: '%s' has no value",
                                options[i]);
        if (strcmp(options[i], "decode_url") == 0)
            return cmw_diag_set(diag, CMW_ERR_ARG,
                                "civetweb: options: 'decode_url' is the adapter's");
        if (strcmp(options[i], "num_threads") == 0)
            threads = strtoul(options[i + 1], NULL, 10);
    }
    *count = i;
    if (threads >= workers)
        return cmw_diag_set(
            diag, CMW_ERR_LIMIT,
            "civetweb: options: 'num_threads' is %lu and the engine has %lu workers: "
            "one for each thread and one more are needed",
            threads, workers);
    return 0;
}

static int start(cmw_civetweb *adapter, size_t count, cmw_diag *diag)
{
    const size_t bytes = (count + 3) * sizeof(const char *);
    const char **options = cmw_pool_alloc(adapter->pool, bytes, 0);
    struct mg_callbacks callbacks;
    unsigned code = 0;
    char message[MESSAGE_CAP] = "";
    struct mg_init_data init = {.callbacks = &callbacks, .user_data = adapter};
    struct mg_error_data error = {
        .code = &code, .text = message, .text_buffer_size = sizeof message};

    if (!options)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "civetweb: no memory");
    memset(&callbacks, 0, sizeof callbacks);
    if (adapter->config.callbacks)
        callbacks = *adapter->config.callbacks;
    callbacks.begin_request = cmw__civetweb_on_request;
    callbacks.http_error = cmw__civetweb_on_error;
    callbacks.init_thread = on_thread;
    callbacks.exit_thread = on_thread_end;
    for (size_t i = 0; i < count; i++)
        options[i] = adapter->config.options[i];
    options[count] = "decode_url";
    options[count + 1] = "no";
    options[count + 2] = NULL;
    init.configuration_options = options;
    adapter->context = mg_start2(&init, &error);
    cmw_pool_free(adapter->pool, options, bytes, 0);
    return adapter->context ? 0 : cmw_diag_set(diag, CMW_ERR_IO, "civetweb: %s", message);
}

/* civetweb closes after each answer unless it is told not to. */
static int find_keep_alive(const cmw_civetweb_config *config)
{
    int keeps = 0;

    for (const char *const *at = config->options; at && *at; at += 2)
        if (strcmp(at[0], "enable_keep_alive") == 0)
            keeps = strcmp(at[1], "yes") == 0;
    return keeps;
}

static int open_adapter(cmw_civetweb *adapter, size_t count, cmw_diag *diag)
{
    if (pthread_mutex_init(&adapter->lock, NULL) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "civetweb: no memory");
    int rc = cmw_engine_take_worker(adapter->engine, &adapter->spare, &host, NULL);
    if (rc != 0)
        cmw_diag_set(diag, rc, "civetweb: %s", cmw_error_text(rc));
    else
        rc = start(adapter, count, diag);
    if (rc == 0)
        return 0;
    if (adapter->spare)
        cmw_engine_put_worker(adapter->engine, adapter->spare);
    (void)pthread_mutex_destroy(&adapter->lock); /* nobody holds it */
    return rc;
}

int cmw_civetweb_start(cmw_civetweb **out, cmw_engine *engine, const cmw_civetweb_config *config,
                       cmw_diag *diag)
{
    cmw_civetweb_config read;
    size_t count = 0;

    if (!out || !engine || !config)
        return cmw_diag_set(diag, CMW_ERR_ARG, "civetweb: an argument is missing");
    int rc = read_config(&read, config, diag);
    if (rc == 0)
        rc = check_options(read.options, &count, engine, diag);
    if (rc == 0)
        rc = cmw_engine_attach_host(engine, &host, diag);
    if (rc != 0)
        return rc;
    cmw_pool *pool = cmw_engine_pool(engine, CMW_POOL_CONTEXT);
    cmw_civetweb *adapter = cmw_pool_alloc(pool, sizeof *adapter, 0);
    if (!adapter)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "civetweb: no memory");
    memset(adapter, 0, sizeof *adapter);
    adapter->engine = engine;
    adapter->pool = pool;
    adapter->scratch_pool = cmw_engine_pool(engine, CMW_POOL_PLAN);
    adapter->config = read;
    adapter->keeps_alive = find_keep_alive(&read);
    atomic_init(&adapter->is_ending, 0);
    atomic_init(&adapter->is_quiet, 0);
    rc = open_adapter(adapter, count, diag);
    if (rc != 0) {
        cmw_pool_free(pool, adapter, sizeof *adapter, 0);
        return rc;
    }
    *out = adapter;
    return 0;
}

void cmw_civetweb_quiesce(cmw_civetweb *adapter)
{
    atomic_store_explicit(&adapter->is_quiet, 1, memory_order_relaxed);
}

void cmw_civetweb_stop(cmw_civetweb *adapter)
{
    if (!adapter)
        return;
    pthread_mutex_lock(&adapter->lock);
    atomic_store(&adapter->is_ending, 1);
    for (struct seat *each = adapter->seats; each; each = each->next)
        on_wake(each);
    pthread_mutex_unlock(&adapter->lock);
    mg_stop(adapter->context);
    cmw_engine_put_worker(adapter->engine, adapter->spare);
    (void)pthread_mutex_destroy(&adapter->lock); /* the threads have ended */
    cmw_pool_free(adapter->pool, adapter, sizeof *adapter, 0);
}

struct mg_context *cmw_civetweb_context(cmw_civetweb *adapter)
{
    return adapter->context;
}
