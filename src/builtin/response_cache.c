/* SPDX-License-Identifier: MIT */
/* A request's way through the cache: looked for, served, stored, dropped. */
#include <catzilla/builtin/response_cache.h>

#include <stdio.h>

#include "builtins.h"
#include "cache_state.h"

/* For how long one who asks for a new response keeps others from asking, too. */
#define ASKING_NS (UINT64_C(30) * 1000000000)

/* For how long nobody waits for a key whose response was not stored. */
#define PASSED_NS (UINT64_C(10) * 1000000000)

/* How often a request waits: who led may have gone without an answer. */
enum { WAITS_MOST = 2 };

/* What became of a flight, as its address. */
static char answered, died;

static cmw_phase_fn on_pre_route, on_post_route, on_error;
static cmw_resumed_fn on_resumed;
static cmw_dropped_fn on_dropped;

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* ---- Serving ---------------------------------------------------------------------------- */

static char *put(char *to, cmw_str text)
{
    if (text.len > 0)
        memcpy(to, text.data, text.len);
    return to + text.len;
}

static char *put_number(char *to, uint64_t number)
{
    char digits[20];
    size_t len = 0;

    do
        digits[len++] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    while (len > 0)
        *to++ = digits[--len];
    return to;
}

enum { NAME_CAP = 64 };

static int add_status(const struct cmw__cache *cache, cmw_ctx *ctx, cmw_str what)
{
    char text[NAME_CAP + 96];

    if (cache->name.len == 0)
        return 0;
    const char *end = put(put(text, cache->name), what);
    return cmw_response_append(cmw_ctx_response(ctx), CMW_HDR_CACHE_STATUS,
                               cmw_str_make(text, (size_t)(end - text)));
}

static uint64_t age_of(const struct cmw__cache_entry *entry, uint64_t now_ns)
{
    const uint64_t since = now_ns > entry->stored_ns ? now_ns - entry->stored_ns : 0;
    return entry->age_s + since / 1000000000;
}

/* `; hit; ttl=-5`: what is left of its freshness. */
static int set_age(const struct cmw__cache *cache, cmw_ctx *ctx,
                   const struct cmw__cache_entry *entry, uint64_t age_s, int has_waited)
{
    const int is_stale = age_s >= entry->fresh_s;
    char text[64];
    const char *end = put_number(text, age_s);

    const int rc = cmw_response_append(cmw_ctx_response(ctx), CMW_HDR_AGE,
                                       cmw_str_make(text, (size_t)(end - text)));
    if (rc != 0)
        return rc;
    if (has_waited)
        return add_status(cache, ctx, CMW_STR("; fwd=uri-miss; collapsed"));
    end = put_number(put(text, is_stale ? CMW_STR("; hit; ttl=-") : CMW_STR("; hit; ttl=")),
                     is_stale ? age_s - entry->fresh_s : entry->fresh_s - age_s);
    return add_status(cache, ctx, cmw_str_make(text, (size_t)(end - text)));
}

static void release(void *entry)
{
    cmw__cache_release(entry);
}

/* Answer with an entry, which the request holds till its end: 0 or an error. */
static int serve(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_entry *entry,
                 int has_waited)
{
    cmw_response *response = cmw_ctx_response(ctx);
    const uint64_t age_s = age_of(entry, cmw_ctx_begin_ns(ctx));
    int rc = cmw_response_add_block(response, entry->block);

    if (rc == 0)
        rc = set_age(cache, ctx, entry, age_s, has_waited);
    if (rc == 0)
        rc = entry->body.len > 0 ? cmw_response_bytes_ref(response, entry->status, entry->body)
                                 : cmw_response_empty(response, entry->status);
    count(has_waited ? &cache->shared->collapsed : &cache->shared->hits);
    if (age_s >= entry->fresh_s)
        count(&cache->shared->stale);
    return rc;
}

/* ---- Looking for it --------------------------------------------------------------------- */

/* `https host /path?query`. 0, or -1: it has no key. */
static int make_key(cmw_ctx *ctx, struct cmw__cache_visit *visit)
{
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_str host = cmw_request_host(request), path = cmw_request_path(request);
    const cmw_str query = cmw_request_query(request);

    if (path.len == 0 || path.data[0] != '/' || !cmw_request_host_is_valid(request))
        return -1;
    char *key = cmw_arena_alloc_text(cmw_ctx_arena(ctx), 32 + host.len + path.len + query.len);
    if (!key)
        return -1;
    char *at = put(key, cmw_request_scheme(request) == CMW_SCHEME_HTTPS ? CMW_STR("https ")
                                                                        : CMW_STR("http "));
    at = put(at, host);
    *at++ = ':';
    at = put_number(at, cmw_request_port(request));
    *at++ = ' ';
    at = put(at, path);
    if (query.len > 0)
        *at++ = '?';
    at = put(at, query);
    visit->key = cmw_str_make(key, (size_t)(at - key));
    return 0;
}

/* Requests that no shared answer is for. */
static int is_private(const struct cmw__cache *cache, cmw_ctx *ctx)
{
    cmw_request *request = cmw_ctx_request(ctx);

    return cmw_request_header(request, CMW_HDR_AUTHORIZATION) != NULL ||
           cmw_request_header(request, CMW_HDR_RANGE) != NULL ||
           cmw_request_content_length(request) != 0 || cmw_ctx_slot(ctx, cache->principal) != NULL;
}

static void read_request(cmw_request *request, struct cmw__cache_control *control)
{
    const cmw_header *at = cmw_request_header(request, CMW_HDR_CACHE_CONTROL);
    const cmw_header *pragma = cmw_request_header(request, CMW_HDR_PRAGMA);

    cmw__cache_control_init(control);
    if (!at && pragma && cmw_str_equals_fold(pragma->value, CMW_STR("no-cache")))
        control->flags |= CMW__CACHE_NO_CACHE;
    for (; at; at = cmw_request_next_header(request, CMW_HDR_CACHE_CONTROL, at))
        cmw__cache_control_read(control, at->value);
}

/* The fields of other middleware, which are not the response's. */
static int note_fields(cmw_ctx *ctx, struct cmw__cache_visit *visit)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;
    size_t fields = 0;

    if (visit->before)
        return 0;
    while (cmw_response_next_header(cmw_ctx_response(ctx), &cursor, &field, 0))
        fields++;
    visit->before = cmw_arena_alloc(cmw_ctx_arena(ctx), fields * sizeof *visit->before);
    if (!visit->before)
        return CMW_ERR_NOMEM;
    cursor = (cmw_header_cursor){0, 0};
    while (visit->before_count < fields &&
           cmw_response_next_header(cmw_ctx_response(ctx), &cursor, &field, 0))
        visit->before[visit->before_count++] = field;
    return 0;
}

/* 1 if nobody else asks for a new response already. */
static int may_ask(struct cmw__cache_entry *entry, uint64_t now_ns)
{
    uint64_t until = atomic_load_explicit(&entry->asked_until_ns, memory_order_relaxed);

    return until <= now_ns && atomic_compare_exchange_strong_explicit(
                                  &entry->asked_until_ns, &until, now_ns + ASKING_NS,
                                  memory_order_relaxed, memory_order_relaxed);
}

/* 1 if an entry answers this request as it is. */
static int is_good(struct cmw__cache_entry *entry, cmw_ctx *ctx,
                   const struct cmw__cache_control *control)
{
    const uint64_t now_ns = cmw_ctx_begin_ns(ctx);
    const uint64_t age_s = age_of(entry, now_ns);

    if ((control->flags & CMW__CACHE_NO_CACHE) ||
        (control->max_age >= 0 && age_s > (uint64_t)control->max_age))
        return 0;
    if (age_s < entry->fresh_s)
        return 1;
    return age_s - entry->fresh_s < entry->stale_while_s && !may_ask(entry, now_ns);
}

/* ---- Together with others --------------------------------------------------------------- */

/* At the request's end, whatever has happened. */
static void leave(void *object)
{
    struct cmw__cache_visit *visit = object;
    struct cmw__cache_flights *flights = &visit->cache->shared->flights;

    cmw__flight_close(flights, visit->cache->engine, &visit->flight, &died);
    cmw__flight_leave(flights, &visit->waiter, visit->hash);
}

static int join(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_visit *visit,
                int may_wait)
{
    struct cmw__cache_flights *flights = &cache->shared->flights;

    visit->flight.hash = visit->hash;
    visit->flight.key = visit->key;
    if (may_wait)
        may_wait = visit->waits < WAITS_MOST &&
                   cmw__flight_is_open(flights, visit->hash, visit->key) &&
                   cmw_ctx_suspend(ctx, &visit->waiter.token) == 0;
    return (int)cmw__flight_join(flights, &visit->flight, &visit->waiter, cmw_ctx_begin_ns(ctx),
                                 cache->max_waiting, may_wait);
}

/* The handler is asked, unless somebody asks it already. */
static int ask_or_wait(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_visit *visit,
                       int may_wait)
{
    if (!visit->cache) {
        visit->cache = cache;
        if (cmw_arena_defer(cmw_ctx_arena(ctx), leave, visit) != 0)
            return CMW_ERROR;
    }
    if (join(cache, ctx, visit, may_wait) == CMW__FLIGHT_WAITS) {
        visit->waits++;
        visit->stage = CMW__CACHE_WAITS;
        return CMW_SUSPEND;
    }
    count(&cache->shared->misses);
    return CMW_CONTINUE;
}

static int miss(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_visit *visit,
                const struct cmw__cache_control *control, int may_wait)
{
    if (control->flags & CMW__CACHE_ONLY_IF_CACHED) {
        count(&cache->shared->misses);
        return cmw_respond_problem(ctx, 504, "the response is not cached");
    }
    if (cmw_request_method_id(cmw_ctx_request(ctx)) != CMW_METHOD_GET) {
        count(&cache->shared->misses);
        return CMW_CONTINUE; /* HEAD: its answer is none to GET */
    }
    visit->stage = CMW__CACHE_MISS;
    if (note_fields(ctx, visit) != 0)
        return CMW_ERROR;
    if (cache->max_waiting > 0)
        return ask_or_wait(cache, ctx, visit, may_wait && !(control->flags & CMW__CACHE_NO_CACHE));
    count(&cache->shared->misses);
    return CMW_CONTINUE;
}

static int look_up(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_visit *visit,
                   int may_wait)
{
    struct cmw__cache_control control;

    read_request(cmw_ctx_request(ctx), &control);
    if (is_private(cache, ctx) || (control.flags & CMW__CACHE_NO_STORE))
        return CMW_CONTINUE;
    struct cmw__cache_entry *entry =
        cmw__cache_find(cache->shared->store, visit->hash, visit->key, cmw_ctx_request(ctx));
    if (entry && cmw_arena_defer(cmw_ctx_arena(ctx), release, entry) != 0) {
        cmw__cache_release(entry);
        return CMW_ERROR;
    }
    if (!entry || !is_good(entry, ctx, &control)) {
        visit->stale = entry;
        return miss(cache, ctx, visit, &control, may_wait);
    }
    visit->stage = CMW__CACHE_HIT;
    return serve(cache, ctx, entry, visit->waits > 0) == 0 ? CMW_STOP : CMW_ERROR;
}

/* Whoever led was answered: that is here now, or is for nobody else. Or it has gone. */
static int on_resumed(void *self, cmw_ctx *ctx, int verdict, void *data)
{
    const struct cmw__cache *cache = self;
    struct cmw__cache_visit *visit = cmw_ctx_slot(ctx, cache->slot);

    (void)verdict;
    if (!visit)
        return CMW_ERROR;
    return look_up(cache, ctx, visit, data == &died);
}

static void on_dropped(void *self, void *data)
{
    (void)self;
    (void)data; /* an address that says something, and holds nothing */
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct cmw__cache *cache = self;
    const cmw_method method = cmw_request_method_id(cmw_ctx_request(ctx));
    struct cmw__cache_visit *visit = cmw_ctx_set_slot(ctx, cache->slot);

    if (!visit)
        return CMW_ERROR;
    if (method == CMW_METHOD_OPTIONS || method == CMW_METHOD_TRACE || make_key(ctx, visit) != 0)
        return CMW_CONTINUE;
    visit->hash = cmw__cache_hash(cache->shared->store, visit->key);
    if (method == CMW_METHOD_GET || method == CMW_METHOD_HEAD)
        return look_up(cache, ctx, visit, 1);
    visit->stage = CMW__CACHE_UNSAFE;
    return CMW_CONTINUE;
}

/* ---- What the handler made -------------------------------------------------------------- */

/* The stale response in place of an error, while it may be: 1 if so. */
static int saves(const struct cmw__cache_visit *visit, cmw_ctx *ctx)
{
    if (visit->stage != CMW__CACHE_MISS || !visit->stale)
        return 0;
    const uint64_t age_s = age_of(visit->stale, cmw_ctx_begin_ns(ctx));
    return age_s < visit->stale->fresh_s + visit->stale->stale_if_error_s;
}

/* Those who wait for it look for themselves. */
static void close_flight(const struct cmw__cache *cache, struct cmw__cache_visit *visit)
{
    cmw__flight_close(&cache->shared->flights, cache->engine, &visit->flight, &answered);
}

static int store_it(const struct cmw__cache *cache, cmw_ctx *ctx, struct cmw__cache_visit *visit)
{
    const int is_stored = cmw__cache_keep(cache, ctx, visit);

    if (is_stored)
        count(&cache->shared->stored);
    else if (cache->max_waiting > 0 && cmw_response_status(cmw_ctx_response(ctx)) < 500)
        cmw__flight_pass(&cache->shared->flights, visit->hash, cmw_ctx_begin_ns(ctx) + PASSED_NS);
    close_flight(cache, visit);
    const cmw_str what = visit->stale ? CMW_STR("; fwd=stale") : CMW_STR("; fwd=uri-miss");
    char text[64];
    const char *end = put(put(text, what), is_stored ? CMW_STR("; stored") : CMW_STR(""));
    return add_status(cache, ctx, cmw_str_make(text, (size_t)(end - text))) == 0 ? CMW_CONTINUE
                                                                                 : CMW_ERROR;
}

static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct cmw__cache *cache = self;
    struct cmw__cache_visit *visit = cmw_ctx_slot(ctx, cache->slot);
    const int status = cmw_response_status(cmw_ctx_response(ctx));

    if (!visit)
        return CMW_CONTINUE;
    if (cmw_ctx_fault(ctx)) {
        close_flight(cache, visit);
        return CMW_CONTINUE;
    }
    if (visit->stage == CMW__CACHE_UNSAFE && status >= 200 && status < 400)
        (void)cmw__cache_purge_key(cache->shared->store, visit->hash, visit->key);
    if (visit->stage != CMW__CACHE_MISS)
        return CMW_CONTINUE;
    if (status < 500 || !saves(visit, ctx))
        return store_it(cache, ctx, visit);
    visit->stage = CMW__CACHE_HIT;
    close_flight(cache, visit);
    return serve(cache, ctx, visit->stale, 0) == 0 ? CMW_CONTINUE : CMW_ERROR;
}

static int on_error(void *self, cmw_ctx *ctx)
{
    const struct cmw__cache *cache = self;
    struct cmw__cache_visit *visit = cmw_ctx_slot(ctx, cache->slot);

    if (!visit || cmw_ctx_fault(ctx)->status < 500 || !saves(visit, ctx))
        return CMW_CONTINUE;
    visit->stage = CMW__CACHE_HIT;
    close_flight(cache, visit);
    return serve(cache, ctx, visit->stale, 0) == 0 ? CMW_STOP : CMW_ERROR;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct cmw__cache *cache = self;

    if (cache->shared)
        cmw_state_release(cache->engine, cache->shared);
    cmw_arena_destroy(cache->arena);
}

static int check_range(const char *option, int64_t value, int64_t min, int64_t max, cmw_diag *diag)
{
    if (value >= min && value <= max)
        return 0;
    return cmw_diag_set(diag, CMW_ERR_ARG, "response_cache: %s: %lld is not %lld to %lld", option,
                        (long long)value, (long long)min, (long long)max);
}

static int check(const cmw_response_cache_config *config, cmw_diag *diag)
{
    const cmw_str name = cmw_str_cstr(config->name);
    int rc = check_range("max_bytes", config->max_bytes, CMW_RESPONSE_CACHE_BYTES_MIN,
                         CMW_RESPONSE_CACHE_BYTES_MAX, diag);

    if (rc == 0)
        rc = check_range("max_entry_bytes", config->max_entry_bytes, 1, config->max_bytes, diag);
    if (rc == 0)
        rc = check_range("max_waiting", config->max_waiting, 0, CMW_RESPONSE_CACHE_WAITING_MAX,
                         diag);
    if (rc == 0)
        rc = check_range("default_ttl", config->default_ttl_s, 0, 31536000, diag);
    if (rc == 0)
        rc = check_range("stale_while_revalidate", config->stale_while_revalidate_s, 0, 31536000,
                         diag);
    if (rc == 0)
        rc = check_range("stale_if_error", config->stale_if_error_s, 0, 31536000, diag);
    if (rc == 0 && name.len > 0 && (name.len > NAME_CAP || !cmw_header_name_is_valid(name)))
        rc = cmw_diag_set(diag, CMW_ERR_INVALID,
                          "response_cache: name: '%s' is not a token of at most %d characters",
                          config->name, NAME_CAP);
    return rc;
}

struct wanted {
    cmw_pool *pool;
    size_t bytes;
};

static int create_shared(void *self, void **object)
{
    const struct wanted *wanted = self;
    struct cmw__cache_shared *shared = cmw_pool_alloc(wanted->pool, sizeof *shared, 64);

    if (!shared)
        return CMW_ERR_NOMEM;
    memset(shared, 0, sizeof *shared);
    shared->store = cmw__cache_store_create(wanted->pool, wanted->bytes);
    if (!shared->store) {
        cmw_pool_free(wanted->pool, shared, sizeof *shared, 64);
        return CMW_ERR_NOMEM;
    }
    *object = shared;
    return 0;
}

static void destroy_shared(void *self, void *object)
{
    struct cmw__cache_shared *shared = object;
    cmw_pool *pool = cmw__cache_pool(shared->store);

    (void)self;
    cmw__cache_store_destroy(shared->store);
    cmw_pool_free(pool, shared, sizeof *shared, 64);
}

static int share(struct cmw__cache *cache, const char *name,
                 const cmw_response_cache_config *config)
{
    struct wanted wanted = {cmw_engine_pool(cache->engine, CMW_POOL_PLAN),
                            (size_t)config->max_bytes};
    cmw_state_config state;
    void *object = NULL;

    cmw_state_config_init(&state);
    state.kind = "response_cache";
    state.name = name ? name : "response_cache";
    state.shape = &wanted.bytes;
    state.shape_len = sizeof wanted.bytes;
    state.create = create_shared;
    state.destroy = destroy_shared;
    state.self = &wanted;
    const int rc = cmw_state_retain(cache->engine, &object, &state);
    cache->shared = object;
    return rc;
}

static int fill(struct cmw__cache *cache, const char *name, const cmw_response_cache_config *config,
                cmw_diag *diag)
{
    char text[160];

    cache->max_entry_bytes = (size_t)config->max_entry_bytes;
    cache->max_waiting = (uint64_t)config->max_waiting;
    cache->default_ttl_s = (uint64_t)config->default_ttl_s;
    cache->stale_while_s = (uint64_t)config->stale_while_revalidate_s;
    cache->stale_if_error_s = (uint64_t)config->stale_if_error_s;
    (void)snprintf(text, sizeof text, "response_cache.%s", name ? name : "");
    int rc = cmw_arena_dup(cache->arena, &cache->name, cmw_str_cstr(config->name));
    if (rc == 0)
        rc = share(cache, name, config);
    if (rc == 0)
        rc = cmw_principal_slot(cache->engine, &cache->principal);
    if (rc == 0)
        rc = cmw_slot_declare(cache->engine, &cache->slot, text, sizeof(struct cmw__cache_visit),
                              NULL);
    return rc == 0 ? 0 : cmw_diag_set(diag, rc, "response_cache: %s", cmw_error_text(rc));
}

int cmw_response_cache_create(cmw_engine *engine, cmw_middleware *middleware,
                              const cmw_response_cache_config *config, cmw_diag *diag)
{
    cmw_response_cache_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_response_cache_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "response_cache: the config is of a newer version");
    int rc = check(&ours, diag);
    if (rc != 0)
        return rc;
    struct cmw__cache *cache =
        cmw__builtin_alloc(engine, &arena, sizeof *cache, "response_cache", diag);
    if (!cache)
        return CMW_ERR_NOMEM;
    cache->arena = arena;
    cache->engine = engine;
    rc = fill(cache, middleware->name, &ours, diag);
    if (rc != 0) {
        destroy(cache);
        return rc;
    }

    middleware->kind = "response_cache";
    middleware->priority = 700;
    middleware->post_priority = 1; /* before others add fields to what is stored */
    middleware->self = cache;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    middleware->post_route = on_post_route;
    middleware->error = on_error;
    if (cache->max_waiting > 0) {
        middleware->resumed = on_resumed;
        middleware->dropped = on_dropped;
        middleware->suspend_phases = 1u << CMW_PHASE_PRE_ROUTE;
    }
    cmw_middleware_provides(middleware, cache->slot);
    cmw_middleware_uses(middleware, cache->principal);
    cmw_middleware_uses(middleware, CMW_FACT_HOST);
    cmw_middleware_uses(middleware, CMW_FACT_SCHEME);
    cmw_middleware_uses(middleware, CMW_FACT_CANONICAL_PATH);
    return 0;
}

/* ---- From outside ----------------------------------------------------------------------- */

struct purge {
    cmw_cache_purge what;
    cmw_str target;
};

static int is_purged(const void *self, const struct cmw__cache_entry *entry)
{
    const struct purge *purge = self;
    const char *first = memchr(entry->key.data, ' ', entry->key.len);
    const size_t rest = entry->key.len - (size_t)(first - entry->key.data) - 1;
    const char *target = (const char *)memchr(first + 1, ' ', rest) + 1;
    const size_t len = entry->key.len - (size_t)(target - entry->key.data);

    if (purge->what == CMW_CACHE_PURGE_TARGET ? len != purge->target.len : len < purge->target.len)
        return 0;
    return purge->target.len == 0 || memcmp(target, purge->target.data, purge->target.len) == 0;
}

int cmw_response_cache_purge(const cmw_middleware *middleware, size_t *count, cmw_cache_purge what,
                             cmw_str target)
{
    const struct purge purge = {what, target};

    if (!middleware || middleware->destroy != destroy || what > CMW_CACHE_PURGE_PREFIX)
        return CMW_ERR_ARG;
    const struct cmw__cache *cache = middleware->self;
    const size_t purged = cmw__cache_purge(cache->shared->store,
                                           what == CMW_CACHE_PURGE_ALL ? NULL : is_purged, &purge);
    if (count)
        *count = purged;
    return 0;
}

int cmw_response_cache_get_stats(const cmw_middleware *middleware, cmw_response_cache_stats *stats)
{
    size_t entries;

    if (!middleware || !stats || middleware->destroy != destroy)
        return CMW_ERR_ARG;
    if (stats->size != sizeof *stats)
        return CMW_ERR_VERSION;
    struct cmw__cache_shared *shared = ((const struct cmw__cache *)middleware->self)->shared;
    stats->bytes = cmw__cache_bytes(shared->store, &entries);
    stats->entries = entries;
    stats->hits = atomic_load_explicit(&shared->hits, memory_order_relaxed);
    stats->stale = atomic_load_explicit(&shared->stale, memory_order_relaxed);
    stats->misses = atomic_load_explicit(&shared->misses, memory_order_relaxed);
    stats->stored = atomic_load_explicit(&shared->stored, memory_order_relaxed);
    stats->collapsed = atomic_load_explicit(&shared->collapsed, memory_order_relaxed);
    stats->waiting = atomic_load_explicit(&shared->flights.waiting, memory_order_relaxed);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_response_cache_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_response_cache_config_init(config);
}

static const cmw_option options[] = {
    {.name = "max_bytes",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_response_cache_config, max_bytes),
     .min = CMW_RESPONSE_CACHE_BYTES_MIN,
     .max = CMW_RESPONSE_CACHE_BYTES_MAX,
     .help = "Bytes of everything: responses and tables"},
    {.name = "max_entry_bytes",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_response_cache_config, max_entry_bytes),
     .min = 1,
     .max = CMW_RESPONSE_CACHE_BYTES_MAX,
     .help = "Bytes of one body; a longer one is not stored"},
    {.name = "max_waiting",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_response_cache_config, max_waiting),
     .min = 0,
     .max = CMW_RESPONSE_CACHE_WAITING_MAX,
     .help = "Requests that may wait for what another one with their key is answered; 0: none"},
    {.name = "default_ttl",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_response_cache_config, default_ttl_s),
     .min = 0,
     .max = 31536000,
     .help = "Seconds for a 200 that does not say how long it is fresh; 0: it is not stored"},
    {.name = "stale_while_revalidate",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_response_cache_config, stale_while_revalidate_s),
     .min = 0,
     .max = 31536000,
     .help = "Seconds, where a response does not say"},
    {.name = "stale_if_error",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_response_cache_config, stale_if_error_s),
     .min = 0,
     .max = 31536000,
     .help = "Seconds, where a response does not say"},
    {.name = "name",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_response_cache_config, name),
     .help = "Of the cache, in Cache-Status; empty: the field is not sent"},
};

const cmw_kind cmw__kind_response_cache = {
    .size = sizeof(cmw_kind),
    .name = "response_cache",
    .summary = "A shared cache of responses (RFC 9111), in a bounded number of bytes",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_response_cache_config),
    .config_init = config_init,
    .create = create,
};
