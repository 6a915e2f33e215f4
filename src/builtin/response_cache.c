/* SPDX-License-Identifier: MIT */
/* The kind: its options, what plans share, and what is asked from outside. */
#include <catzilla/builtin/response_cache.h>

#include <stdio.h>

#include "builtins.h"
#include "cache_state.h"

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
        rc = check_range("max_wait_ms", config->max_wait_ms, 1, 600000, diag);
    if (rc == 0)
        rc = check_range("default_ttl", config->default_ttl_s, 0, 31536000, diag);
    if (rc == 0)
        rc = check_range("stale_while_revalidate", config->stale_while_revalidate_s, 0, 31536000,
                         diag);
    if (rc == 0)
        rc = check_range("stale_if_error", config->stale_if_error_s, 0, 31536000, diag);
    if (rc == 0 && name.len > 0 &&
        (name.len > CMW__CACHE_NAME_CAP || !cmw_header_name_is_valid(name)))
        rc = cmw_diag_set(diag, CMW_ERR_INVALID,
                          "response_cache: name: '%s' is not a token of at most %d characters",
                          config->name, CMW__CACHE_NAME_CAP);
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
    shared->store = cmw__cache_store_create(wanted->pool, wanted->bytes - sizeof *shared);
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
    if (rc == 0)
        cache->hash_key = cmw__cache_hash_key(cache->shared->store);
    return rc;
}

static int make_age(struct cmw__cache *cache, cmw_field_pattern **out)
{
    static const cmw_str number[] = {CMW_STR_INIT(""), CMW_STR_INIT("")};
    return cmw_field_pattern_create(out, cache->arena, CMW_HDR_AGE, number, 1);
}

static int make_status(struct cmw__cache *cache, cmw_field_pattern **out, const char *what,
                       size_t number_count)
{
    char text[CMW__CACHE_NAME_CAP + 64];

    (void)snprintf(text, sizeof text, "%.*s%s", (int)cache->name.len, cache->name.data, what);
    const cmw_str texts[] = {cmw_str_cstr(text), CMW_STR("")};
    return cmw_field_pattern_create(out, cache->arena, CMW_HDR_CACHE_STATUS, texts, number_count);
}

/* Age, and Cache-Status with a number at its end. */
static int make_hit(struct cmw__cache *cache, cmw_field_pattern **out, const char *what)
{
    cmw_field_pattern *status;
    int rc = make_age(cache, out);

    if (rc == 0)
        rc = make_status(cache, &status, what, 1);
    return rc == 0 ? cmw_field_pattern_join(*out, status) : rc;
}

/* What each hit says, written out once. */
static int make_patterns(struct cmw__cache *cache)
{
    int rc = make_age(cache, &cache->age);

    cache->hit = cache->stale = cache->age;
    if (rc != 0 || cache->name.len == 0)
        return rc;
    rc = make_hit(cache, &cache->hit, "; hit; ttl=");
    if (rc == 0)
        rc = make_hit(cache, &cache->stale, "; hit; ttl=-");
    if (rc == 0)
        rc = make_status(cache, &cache->collapsed, "; fwd=uri-miss; collapsed", 0);
    return rc;
}

static int fill(struct cmw__cache *cache, const char *name, const cmw_response_cache_config *config,
                cmw_diag *diag)
{
    char text[160];

    cache->max_entry_bytes = (size_t)config->max_entry_bytes;
    cache->max_waiting = (uint64_t)config->max_waiting;
    cache->max_wait_ns = (uint64_t)config->max_wait_ms * 1000000;
    cache->default_ttl_s = (uint64_t)config->default_ttl_s;
    cache->stale_while_s = (uint64_t)config->stale_while_revalidate_s;
    cache->stale_if_error_s = (uint64_t)config->stale_if_error_s;
    (void)snprintf(text, sizeof text, "response_cache.%s", name ? name : "");
    int rc = cmw_arena_dup(cache->arena, &cache->name, cmw_str_cstr(config->name));
    if (rc == 0)
        rc = make_patterns(cache);
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
    if (rc == 0 && cache->max_waiting > 0 &&
        (rc = cmw__builtin_uses(engine, middleware, "timeout")) != 0)
        (void)cmw_diag_set(diag, rc, "response_cache: no memory");
    if (rc != 0) {
        destroy(cache);
        return rc;
    }

    middleware->kind = "response_cache";
    middleware->priority = 700;
    middleware->post_priority = 1; /* before others add fields to what is stored */
    middleware->self = cache;
    middleware->destroy = destroy;
    middleware->pre_route = cmw__cache_on_pre_route;
    middleware->post_route = cmw__cache_on_post_route;
    middleware->error = cmw__cache_on_error;
    if (cache->max_waiting > 0) {
        middleware->resumed = cmw__cache_on_resumed;
        middleware->dropped = cmw__cache_on_dropped;
        middleware->suspend_phases = 1u << CMW_PHASE_PRE_ROUTE;
    }
    cmw_middleware_provides(middleware, cache->slot);
    cmw_middleware_uses(middleware, cache->principal);
    cmw_middleware_uses(middleware, CMW_FACT_HOST);
    cmw_middleware_uses(middleware, CMW_FACT_SCHEME);
    cmw_middleware_uses(middleware, CMW_FACT_CANONICAL_PATH);
    cmw_middleware_post_provides(middleware, CMW_FACT_PLAIN_BODY);
    cmw_middleware_post_provides(middleware, CMW_FACT_KEPT_RESPONSE);
    cmw_middleware_post_uses(middleware, CMW_FACT_RESPONSE_VARY);
    cmw_middleware_post_provides(middleware, CMW_FACT_RESPONSE_FIELDS);
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
    const cmw_str target = entry->key.uri.target;

    if (purge->what == CMW_CACHE_PURGE_TARGET)
        return cmw_str_equals(target, purge->target);
    return target.len >= purge->target.len &&
           cmw_str_equals(cmw_str_make(target.data, purge->target.len), purge->target);
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
    stats->bytes = sizeof *shared + cmw__cache_bytes(shared->store, &entries);
    stats->entries = entries;
    stats->hits = atomic_load_explicit(&shared->hits, memory_order_relaxed);
    stats->stale = atomic_load_explicit(&shared->stale, memory_order_relaxed);
    stats->misses = atomic_load_explicit(&shared->misses, memory_order_relaxed);
    stats->stored = atomic_load_explicit(&shared->stored, memory_order_relaxed);
    stats->collapsed = atomic_load_explicit(&shared->collapsed, memory_order_relaxed);
    stats->expired = atomic_load_explicit(&shared->expired, memory_order_relaxed);
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
    {.name = "max_wait_ms",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_response_cache_config, max_wait_ms),
     .min = 1,
     .max = 600000,
     .help = "For how long at most; then 503"},
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
