/* SPDX-License-Identifier: MIT */
/*
 * Sinks, and the registry of an engine's sinks.
 *
 * `lock` makes writers take turns; requests never take it. A worker makes its ring by itself and
 * publishes it. What an output takes only in part is gone on with next time, before anything else,
 * so that no line is torn.
 */
#include "log_sink.h"

#include <inttypes.h>
#include <stdio.h>

#include "log_system.h"

/* All sinks of an engine. */
struct registry {
    cmw_engine *engine;
    cmw_pool *pool;
    struct cmw__log_lock *lock;
    struct cmw__log_sink *sinks;
    _Atomic uint32_t reopenings; /* that were asked for */
};

struct cmw__log_sink {
    cmw_engine *engine;
    cmw_pool *pool;
    struct registry *registry;
    struct cmw__log_sink *next;
    struct cmw__log_sink_config config; /* its texts are copies */
    char *texts;
    size_t text_bytes;
    uint32_t worker_limit;
    _Atomic int has_thread;
    struct cmw__log_thread *thread;
    _Atomic uint64_t lost; /* lines of workers without a ring */

    struct cmw__log_lock *lock; /* guards what follows */
    int fd;
    uint32_t reopenings;        /* that were done */
    struct cmw__log_ring *torn; /* whose first line is written in part; NULL: none */
    size_t torn_bytes;
    uint64_t told; /* lost lines that were reported */
    char notice[96];
    size_t notice_len, notice_done;
    uint64_t written_bytes, write_errors;

    cmw__log_rings rings[];
};

/* ---- Output ----------------------------------------------------------------------------- */

static cmw_str first_line(cmw_str text)
{
    const char *end = memchr(text.data, '\n', text.len);
    return end ? cmw_str_make(text.data, (size_t)(end - text.data) + 1) : text;
}

/* Hand over some of the bytes: how many; 0: none can be taken now. */
static size_t put_out(struct cmw__log_sink *sink, cmw_str text)
{
    long taken = -1;

    if (sink->config.target == CMW__LOG_FD || sink->config.target == CMW__LOG_FILE) {
        taken = cmw__log_write(sink->fd, text);
    } else {
        const cmw_str line = first_line(text);
        if (sink->config.target == CMW__LOG_SYSLOG)
            cmw__log_syslog(sink->config.number, cmw_str_make(line.data, line.len - 1));
        else if (sink->config.write(sink->config.write_self, line.data, line.len) != 0)
            taken = 0;
        if (taken != 0)
            taken = (long)line.len;
    }
    if (taken <= 0) {
        sink->write_errors++;
        return 0;
    }
    sink->written_bytes += (uint64_t)taken;
    return (size_t)taken;
}

/* The length of the whole lines at the beginning. */
static size_t whole_lines(cmw_str text)
{
    size_t len = text.len;
    while (len > 0 && text.data[len - 1] != '\n')
        len--;
    return len;
}

/* Write what a ring holds; 0 if the output takes no more. */
static int drain_ring(struct cmw__log_sink *sink, struct cmw__log_ring *ring, size_t *writes)
{
    cmw_str text;

    while ((text = cmw__log_ring_read(ring)).len > 0) {
        const size_t before = sink->torn == ring ? sink->torn_bytes : 0;
        const size_t taken = put_out(sink, cmw_str_make(text.data + before, text.len - before));
        const size_t whole = whole_lines(cmw_str_make(text.data, before + taken));
        if (taken == 0)
            return 0;
        (*writes)++;
        sink->torn_bytes = before + taken - whole;
        sink->torn = sink->torn_bytes > 0 ? ring : NULL;
        cmw__log_ring_consume(ring, whole);
    }
    return 1;
}

/* ---- Lines that were lost --------------------------------------------------------------- */

static struct cmw__log_ring *ring_at(const struct cmw__log_sink *sink, uint32_t worker)
{
    return atomic_load_explicit(&sink->rings[worker], memory_order_acquire);
}

static uint64_t sum(const struct cmw__log_sink *sink, int of_lost)
{
    uint64_t total = of_lost ? atomic_load_explicit(&sink->lost, memory_order_relaxed) : 0;

    for (uint32_t i = 0; i < sink->worker_limit; i++) {
        const struct cmw__log_ring *ring = ring_at(sink, i);
        if (ring)
            total +=
                atomic_load_explicit(of_lost ? &ring->lost : &ring->lines, memory_order_relaxed);
    }
    return total;
}

static void make_notice(struct cmw__log_sink *sink)
{
    static const struct {
        const char *before, *after;
    } words[] = {
        [CMW__LOG_STYLE_TEXT] = {"# access_log: ", " lines lost\n"},
        [CMW__LOG_STYLE_JSON] = {"{\"access_log\":\"lost\",\"lines\":", "}\n"},
        [CMW__LOG_STYLE_LOGFMT] = {"access_log=lost lines=", "\n"},
    };
    const uint64_t lost = sum(sink, 1);

    sink->notice_done = 0;
    sink->notice_len = 0;
    if (lost == sink->told)
        return;
    const int len = snprintf(sink->notice, sizeof sink->notice, "%s%" PRIu64 "%s",
                             words[sink->config.style].before, lost - sink->told,
                             words[sink->config.style].after);
    sink->notice_len = (size_t)len; /* 53 bytes at most */
    sink->told = lost;
}

/* 0 if the output takes no more. */
static int drain_notice(struct cmw__log_sink *sink, size_t *writes)
{
    while (sink->notice_done < sink->notice_len) {
        const size_t taken = put_out(sink, cmw_str_make(sink->notice + sink->notice_done,
                                                        sink->notice_len - sink->notice_done));
        if (taken == 0)
            return 0;
        sink->notice_done += taken;
        (*writes)++;
    }
    return 1;
}

/* ---- Writing ---------------------------------------------------------------------------- */

/* A line that the old file has only in part is written whole into the new one. */
static void reopen_if_asked(struct cmw__log_sink *sink)
{
    const uint32_t asked = atomic_load_explicit(&sink->registry->reopenings, memory_order_relaxed);
    int why;

    if (sink->reopenings == asked)
        return;
    sink->reopenings = asked;
    if (sink->config.target != CMW__LOG_FILE)
        return;
    const int fd = cmw__log_open(sink->config.path, &why);
    if (fd < 0) {
        sink->write_errors++;
        return;
    }
    cmw__log_close(sink->fd);
    sink->fd = fd;
    sink->torn = NULL;
    sink->notice_done = 0;
}

static int drain_rings(struct cmw__log_sink *sink, size_t *writes)
{
    if (sink->torn && !drain_ring(sink, sink->torn, writes))
        return 0;
    for (uint32_t i = 0; i < sink->worker_limit; i++) {
        struct cmw__log_ring *ring = ring_at(sink, i);
        if (ring && !drain_ring(sink, ring, writes))
            return 0;
    }
    return 1;
}

/* A notice that has begun goes first, a torn line next; a new notice comes when the rings are
 * empty, so that it tells of what is lost before the lines that follow. */
static size_t drain_locked(struct cmw__log_sink *sink)
{
    size_t writes = 0;

    reopen_if_asked(sink);
    if (!drain_notice(sink, &writes) || !drain_rings(sink, &writes))
        return writes;
    make_notice(sink);
    (void)drain_notice(sink, &writes); /* what is left of it goes first next time */
    return writes;
}

size_t cmw__log_sink_drain(void *self)
{
    struct cmw__log_sink *sink = self;

    cmw__log_lock(sink->lock);
    const size_t writes = drain_locked(sink);
    cmw__log_unlock(sink->lock);
    return writes;
}

/* ---- Rings ------------------------------------------------------------------------------ */

/* Started by the first line, so that a process that was forked before has a thread of its own. */
static int has_writer(struct cmw__log_sink *sink)
{
    int none = 0;

    if (sink->config.writer != CMW_ACCESS_LOG_THREAD ||
        !atomic_compare_exchange_strong(&sink->has_thread, &none, 1))
        return 1;
    sink->thread = cmw__log_thread_start(sink->pool, cmw__log_sink_drain, sink);
    if (sink->thread)
        return 1;
    atomic_store(&sink->has_thread, 0);
    return 0;
}

static void free_ring(struct cmw__log_sink *sink, struct cmw__log_ring *ring)
{
    cmw_pool_free(sink->pool, ring->buffer, cmw__log_ring_bytes(ring->cap), 64);
    cmw_pool_free(sink->pool, ring, sizeof *ring, 64);
}

static struct cmw__log_ring *create_ring(struct cmw__log_sink *sink)
{
    const size_t cap = sink->config.ring_bytes;
    struct cmw__log_ring *ring = cmw_pool_alloc(sink->pool, sizeof *ring, 64);

    if (!ring)
        return NULL;
    char *buffer = cmw_pool_alloc(sink->pool, cmw__log_ring_bytes(cap), 64);
    if (!buffer) {
        cmw_pool_free(sink->pool, ring, sizeof *ring, 64);
        return NULL;
    }
    cmw__log_ring_init(ring, buffer, cap);
    return ring;
}

cmw__log_rings *cmw__log_sink_rings(struct cmw__log_sink *sink)
{
    return sink->rings;
}

struct cmw__log_ring *cmw__log_sink_add_ring(struct cmw__log_sink *sink, uint32_t worker)
{
    struct cmw__log_ring *ring = has_writer(sink) ? create_ring(sink) : NULL;

    if (ring)
        atomic_store_explicit(&sink->rings[worker], ring, memory_order_release);
    else
        atomic_fetch_add_explicit(&sink->lost, 1, memory_order_relaxed);
    return ring;
}

/* ---- Making and destroying -------------------------------------------------------------- */

static size_t sink_bytes(uint32_t worker_limit)
{
    return sizeof(struct cmw__log_sink) + worker_limit * sizeof(_Atomic(struct cmw__log_ring *));
}

static void free_sink(struct cmw__log_sink *sink)
{
    for (uint32_t i = 0; i < sink->worker_limit; i++)
        if (ring_at(sink, i))
            free_ring(sink, ring_at(sink, i));
    if (sink->config.target == CMW__LOG_FILE && sink->fd >= 0)
        cmw__log_close(sink->fd);
    cmw__log_lock_destroy(sink->lock);
    if (sink->texts)
        cmw_pool_free(sink->pool, sink->texts, sink->text_bytes, 0);
    cmw_pool_free(sink->pool, sink, sink_bytes(sink->worker_limit), 64);
}

/* What a sink keeps of its config: the name, then the path. */
static int copy_texts(struct cmw__log_sink *sink)
{
    const size_t name_bytes = strlen(sink->config.name) + 1;
    const size_t path_bytes = strlen(sink->config.path) + 1;

    sink->text_bytes = name_bytes + path_bytes;
    sink->texts = cmw_pool_alloc(sink->pool, sink->text_bytes, 0);
    if (!sink->texts)
        return CMW_ERR_NOMEM;
    memcpy(sink->texts, sink->config.name, name_bytes);
    memcpy(sink->texts + name_bytes, sink->config.path, path_bytes);
    sink->config.name = sink->texts;
    sink->config.path = sink->texts + name_bytes;
    return 0;
}

static int open_sink(struct cmw__log_sink *sink, int *why)
{
    int rc = copy_texts(sink);

    if (rc == 0 && !(sink->lock = cmw__log_lock_create(sink->pool)))
        rc = CMW_ERR_NOMEM;
    if (rc == 0 && sink->config.target == CMW__LOG_FD)
        sink->fd = sink->config.number;
    if (rc == 0 && sink->config.target == CMW__LOG_FILE) {
        sink->fd = cmw__log_open(sink->config.path, why);
        rc = sink->fd < 0 ? CMW_ERR_IO : 0;
    }
    if (rc == 0 && sink->config.writer == CMW_ACCESS_LOG_POLL)
        rc = cmw_engine_add_poll(sink->engine, cmw__log_sink_drain, sink);
    return rc;
}

/* `self` of the functions below. */
struct request_for_sink {
    const struct cmw__log_sink_config *config;
    struct registry *registry;
    int *why;
};

static int create_sink(void *self, void **object)
{
    const struct request_for_sink *wanted = self;
    cmw_engine *engine = wanted->config->engine;
    const uint32_t limit = cmw_engine_worker_limit(engine);
    cmw_pool *pool = cmw_engine_pool(engine, CMW_POOL_PLAN);
    struct cmw__log_sink *sink = cmw_pool_alloc(pool, sink_bytes(limit), 64);

    if (!sink)
        return CMW_ERR_NOMEM;
    memset(sink, 0, sink_bytes(limit));
    sink->engine = engine;
    sink->pool = pool;
    sink->registry = wanted->registry;
    sink->config = *wanted->config;
    sink->worker_limit = limit;
    sink->fd = -1;
    sink->reopenings = atomic_load(&wanted->registry->reopenings);
    const int rc = open_sink(sink, wanted->why);
    if (rc != 0) {
        free_sink(sink);
        return rc;
    }
    cmw__log_lock(sink->registry->lock);
    sink->next = sink->registry->sinks;
    sink->registry->sinks = sink;
    cmw__log_unlock(sink->registry->lock);
    *object = sink;
    return 0;
}

static void unlist(struct registry *registry, const struct cmw__log_sink *sink)
{
    cmw__log_lock(registry->lock);
    struct cmw__log_sink **at = &registry->sinks;
    while (*at != sink)
        at = &(*at)->next;
    *at = sink->next;
    cmw__log_unlock(registry->lock);
}

/* Plans and chains are done with it: no worker makes lines any more. */
static void destroy_sink(void *self, void *object)
{
    struct cmw__log_sink *sink = object;

    (void)self;
    unlist(sink->registry, sink);
    if (sink->config.writer == CMW_ACCESS_LOG_POLL)
        cmw_engine_remove_poll(sink->engine, cmw__log_sink_drain, sink);
    cmw__log_thread_stop(sink->thread);
    (void)cmw__log_sink_drain(sink); /* what the output does not take now is lost with the log */
    free_sink(sink);
}

/* ---- The registry ----------------------------------------------------------------------- */

static int create_registry(void *self, void **object)
{
    cmw_engine *engine = self;
    cmw_pool *pool = cmw_engine_pool(engine, CMW_POOL_PLAN);
    struct registry *registry = cmw_pool_alloc(pool, sizeof *registry, 0);

    if (!registry)
        return CMW_ERR_NOMEM;
    memset(registry, 0, sizeof *registry);
    registry->engine = engine;
    registry->pool = pool;
    registry->lock = cmw__log_lock_create(pool);
    if (!registry->lock) {
        cmw_pool_free(pool, registry, sizeof *registry, 0);
        return CMW_ERR_NOMEM;
    }
    *object = registry;
    return 0;
}

static void destroy_registry(void *self, void *object)
{
    struct registry *registry = object;

    (void)self;
    cmw__log_lock_destroy(registry->lock);
    cmw_pool_free(registry->pool, registry, sizeof *registry, 0);
}

/* The name is one that no instance can have. */
static int retain_registry(struct registry **out, cmw_engine *engine)
{
    cmw_state_config state;
    void *object;

    cmw_state_config_init(&state);
    state.kind = "access_log";
    state.name = "*";
    state.create = create_registry;
    state.destroy = destroy_registry;
    state.self = engine;
    const int rc = cmw_state_retain(engine, &object, &state);
    if (rc == 0)
        *out = object;
    return rc;
}

/* ---- Retaining -------------------------------------------------------------------------- */

/* All that must be equal for a sink to go on, but for the path, which stands behind it. */
struct shape {
    uint64_t ring_bytes;
    cmw_write_fn *write;
    void *write_self;
    int32_t target, number, writer, style;
};

static char *make_shape(const struct cmw__log_sink_config *config, cmw_pool *pool, size_t *bytes)
{
    const size_t path_len = strlen(config->path);
    struct shape shape;

    memset(&shape, 0, sizeof shape); /* the gaps, too */
    shape.ring_bytes = config->ring_bytes;
    shape.write = config->write;
    shape.write_self = config->write_self;
    shape.target = (int32_t)config->target;
    shape.number = config->number;
    shape.writer = config->writer;
    shape.style = (int32_t)config->style;
    *bytes = sizeof shape + path_len;
    char *made = cmw_pool_alloc(pool, *bytes, 0);
    if (!made)
        return NULL;
    memcpy(made, &shape, sizeof shape);
    memcpy(made + sizeof shape, config->path, path_len);
    return made;
}

static int retain_with(struct registry *registry, struct cmw__log_sink **out,
                       const struct cmw__log_sink_config *config, int *why)
{
    struct request_for_sink wanted = {config, registry, why};
    cmw_state_config state;
    void *object;

    cmw_state_config_init(&state);
    char *shape = make_shape(config, registry->pool, &state.shape_len);
    if (!shape)
        return CMW_ERR_NOMEM;
    state.kind = "access_log";
    state.name = config->name;
    state.shape = shape;
    state.create = create_sink;
    state.destroy = destroy_sink;
    state.self = &wanted; /* gone when `destroy` is called, which does not use it */
    const int rc = cmw_state_retain(config->engine, &object, &state);
    cmw_pool_free(registry->pool, shape, state.shape_len, 0);
    if (rc == 0)
        *out = object;
    return rc;
}

int cmw__log_sink_retain(struct cmw__log_sink **out, const struct cmw__log_sink_config *config,
                         int *why)
{
    struct registry *registry;

    int rc = retain_registry(&registry, config->engine);
    if (rc != 0)
        return rc;
    rc = retain_with(registry, out, config, why);
    if (rc != 0)
        cmw_state_release(config->engine, registry);
    return rc;
}

void cmw__log_sink_release(struct cmw__log_sink *sink)
{
    if (!sink)
        return;
    cmw_engine *engine = sink->engine;
    struct registry *registry = sink->registry;
    cmw_state_release(engine, sink);
    cmw_state_release(engine, registry);
}

/* ---- What a program calls --------------------------------------------------------------- */

int cmw_access_log_reopen(cmw_engine *engine)
{
    struct registry *registry;

    if (!engine)
        return CMW_ERR_ARG;
    const int rc = retain_registry(&registry, engine);
    if (rc != 0)
        return rc;
    atomic_fetch_add_explicit(&registry->reopenings, 1, memory_order_relaxed);
    cmw_state_release(engine, registry);
    return 0;
}

static void add_counts(struct cmw__log_sink *sink, cmw_access_log_counts *counts)
{
    counts->lines += sum(sink, 0);
    counts->lost += sum(sink, 1);
    cmw__log_lock(sink->lock);
    counts->written_bytes += sink->written_bytes;
    counts->write_errors += sink->write_errors;
    cmw__log_unlock(sink->lock);
}

int cmw_access_log_count(cmw_engine *engine, cmw_access_log_counts *counts, const char *name)
{
    struct registry *registry;

    if (!engine || !counts || !name)
        return CMW_ERR_ARG;
    const int rc = retain_registry(&registry, engine);
    if (rc != 0)
        return rc;
    memset(counts, 0, sizeof *counts);
    cmw__log_lock(registry->lock);
    for (struct cmw__log_sink *at = registry->sinks; at; at = at->next)
        if (strcmp(at->config.name, name) == 0)
            add_counts(at, counts);
    cmw__log_unlock(registry->lock);
    cmw_state_release(engine, registry);
    return 0;
}
