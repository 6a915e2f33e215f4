/* SPDX-License-Identifier: MIT */
/* idempotency_key: its options, what its plans share, and its kind. */
#include <stdio.h>

#include "builtins.h"
#include "idempotency_record.h"
#include "idempotency_state.h"

#define SECOND_NS UINT64_C(1000000000)

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *object)
{
    const struct cmw__idempotency *self = object;

    if (self->shared)
        cmw_state_release(self->engine, self->shared);
    cmw_arena_destroy(self->arena);
}

static int check_range(const char *option, int64_t value, int64_t min, int64_t max, cmw_diag *diag)
{
    if (value >= min && value <= max)
        return 0;
    return cmw_diag_set(diag, CMW_ERR_ARG, "idempotency_key: %s: %lld is not %lld to %lld", option,
                        (long long)value, (long long)min, (long long)max);
}

static int check_methods(const cmw_idempotency_key_config *config, cmw_diag *diag)
{
    if (config->methods && config->method_count == 0)
        return cmw_diag_set(diag, CMW_ERR_ARG, "idempotency_key: methods: there are none");
    for (size_t i = 0; config->methods && i < config->method_count; i++)
        if (!cmw_header_name_is_valid(cmw_str_cstr(config->methods[i])))
            return cmw_diag_set(diag, CMW_ERR_INVALID,
                                "idempotency_key: methods: '%s' is not a method",
                                config->methods[i] ? config->methods[i] : "");
    return 0;
}

static int check_store(const cmw_idempotency_key_config *config, cmw_diag *diag)
{
    const cmw_store *store = config->store;

    if (!store)
        return 0;
    if (store->size != sizeof *store || !store->add || !store->replace || !store->remove)
        return cmw_diag_set(diag, CMW_ERR_ARG, "idempotency_key: the store lacks a function");
    if (!config->fingerprint_keys)
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "idempotency_key: fingerprint_keys: who shares a store needs them");
    return 0;
}

/* What could never be kept, though it is not too long, would be a surprise. */
static int check_room(const cmw_idempotency_key_config *config, cmw_diag *diag)
{
    const int64_t share = config->when_full == CMW_IDEMPOTENCY_FULL_EVICT ? 100 : config->max_share;
    const int64_t most = config->max_bytes / 16 * share / 100;

    if (config->store || config->max_response_bytes <= most)
        return 0;
    return cmw_diag_set(diag, CMW_ERR_ARG,
                        "idempotency_key: max_response_bytes: %lld has no room; max_bytes and "
                        "max_share leave room for %lld",
                        (long long)config->max_response_bytes, (long long)most);
}

static int check(const cmw_idempotency_key_config *config, cmw_diag *diag)
{
    int rc = check_methods(config, diag);

    if (rc == 0)
        rc = check_range("max_key_length", config->max_key_length, 1, 65535, diag);
    if (rc == 0)
        rc = check_range("ttl", config->ttl_s, 1, CMW_IDEMPOTENCY_SECONDS_MAX, diag);
    if (rc == 0)
        rc = check_range("lock", config->lock_s, 1, CMW_IDEMPOTENCY_SECONDS_MAX, diag);
    if (rc == 0)
        rc = check_range("max_response_bytes", config->max_response_bytes, 0, INT32_MAX, diag);
    if (rc == 0)
        rc = check_range("max_bytes", config->max_bytes, CMW_MEMORY_STORE_BYTES_MIN,
                         CMW_MEMORY_STORE_BYTES_MAX, diag);
    if (rc == 0)
        rc = check_range("max_share", config->max_share, 1, 100, diag);
    if (rc == 0)
        rc = check_room(config, diag);
    if (rc == 0)
        rc = check_range("when_full", config->when_full, 0, CMW_IDEMPOTENCY_FULL_EVICT, diag);
    if (rc == 0)
        rc = check_range("on_store_failure", config->on_store_failure, 0, CMW_IDEMPOTENCY_PASS,
                         diag);
    if (rc == 0)
        rc = check_range("max_wait_ms", config->max_wait_ms, 0, CMW_IDEMPOTENCY_WAIT_MS_MAX, diag);
    if (rc == 0)
        rc = check_range("max_waiting", config->max_waiting, 1, CMW_IDEMPOTENCY_WAITING_MAX, diag);
    return rc == 0 ? check_store(config, diag) : rc;
}

/* ---- What plans share ------------------------------------------------------------------- */

struct wanted {
    cmw_pool *pool;
    struct {
        int64_t max_bytes, max_share, evicts, has_store;
    } shape;
};

static void destroy_shared(void *self, void *object)
{
    struct cmw__idempotency_shared *shared = object;
    struct cmw__cache_flights *flights = atomic_load(&shared->flights);

    (void)self;
    if (flights)
        cmw_pool_free(shared->pool, flights, sizeof *flights, 64);
    cmw_memory_store_destroy(shared->memory);
    cmw_pool_free(shared->pool, shared, sizeof *shared, 0);
}

static int create_shared(void *self, void **object)
{
    const struct wanted *wanted = self;
    struct cmw__idempotency_shared *shared = cmw_pool_alloc(wanted->pool, sizeof *shared, 0);
    cmw_memory_store_config config;
    int rc = 0;

    if (!shared)
        return CMW_ERR_NOMEM;
    memset(shared, 0, sizeof *shared);
    shared->pool = wanted->pool;
    cmw_memory_store_config_init(&config);
    config.max_bytes = wanted->shape.max_bytes;
    config.max_share = wanted->shape.max_share;
    config.evicts = (int)wanted->shape.evicts;
    if (cmw_hash_key_init(&shared->keys[0]) != 0 || cmw_hash_key_init(&shared->keys[1]) != 0)
        rc = CMW_ERR_IO;
    else if (!wanted->shape.has_store)
        rc = cmw_memory_store_create(&shared->memory, wanted->pool, &config);
    if (rc != 0)
        destroy_shared(NULL, shared);
    else
        *object = shared;
    return rc;
}

static int share(struct cmw__idempotency *self, const char *name,
                 const cmw_idempotency_key_config *config)
{
    struct wanted wanted = {
        cmw_engine_pool(self->engine, CMW_POOL_PLAN),
        {config->max_bytes, config->max_share, config->when_full, config->store != NULL}};
    cmw_state_config state;
    void *object = NULL;

    cmw_state_config_init(&state);
    state.kind = "idempotency_key";
    state.name = name ? name : "idempotency_key";
    state.shape = &wanted.shape;
    state.shape_len = sizeof wanted.shape;
    state.create = create_shared;
    state.destroy = destroy_shared;
    state.self = &wanted;
    const int rc = cmw_state_retain(self->engine, &object, &state);
    self->shared = object;
    if (rc != 0)
        return rc;
    const cmw_hash_key *keys = config->fingerprint_keys;
    memcpy(self->keys, keys ? keys : self->shared->keys, sizeof self->keys);
    self->store = config->store ? *config->store : cmw_memory_store_interface(self->shared->memory);
    return 0;
}

static int copy_methods(struct cmw__idempotency *self, const cmw_idempotency_key_config *config)
{
    static const char *const usual[] = {"POST", "PATCH"};

    self->methods = usual;
    self->method_count = 2;
    if (!config->methods)
        return 0;
    const char **methods = cmw_arena_alloc(self->arena, config->method_count * sizeof *methods);
    if (!methods)
        return CMW_ERR_NOMEM;
    for (size_t i = 0; i < config->method_count; i++) {
        methods[i] = cmw__builtin_copy(self->arena, config->methods[i]);
        if (!methods[i])
            return CMW_ERR_NOMEM;
    }
    self->methods = methods;
    self->method_count = config->method_count;
    return 0;
}

static int fill(struct cmw__idempotency *self, const char *name,
                const cmw_idempotency_key_config *config, cmw_diag *diag)
{
    const size_t cap = sizeof "idempotency_key." + (name ? strlen(name) : 0);
    char *const text = cmw_arena_alloc_text(self->arena, cap);

    if (!text)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "idempotency_key: no memory");
    self->max_key_length = (size_t)config->max_key_length;
    self->max_response_bytes = (size_t)config->max_response_bytes;
    self->ttl_ns = (uint64_t)config->ttl_s * SECOND_NS;
    self->lock_ns = (uint64_t)config->lock_s * SECOND_NS;
    self->required = config->required != 0;
    self->strict = config->strict != 0;
    self->passes = config->on_store_failure == CMW_IDEMPOTENCY_PASS;
    self->max_wait_ns = (uint64_t)config->max_wait_ms * 1000000;
    self->max_waiting = config->max_wait_ms > 0 ? (uint64_t)config->max_waiting : 0;
    (void)snprintf(text, cap, "idempotency_key.%s", name ? name : "");
    int rc = copy_methods(self, config);
    if (rc == 0)
        rc = share(self, name, config);
    if (rc == 0 && self->max_waiting > 0)
        rc = cmw__idempotency_open_flights(self->shared);
    if (rc == 0)
        rc = cmw_principal_slot(self->engine, &self->principal);
    if (rc == 0)
        rc = cmw_slot_declare(self->engine, &self->slot, text,
                              sizeof(struct cmw__idempotency_visit), NULL);
    return rc == 0 ? 0 : cmw_diag_set(diag, rc, "idempotency_key: %s", cmw_error_text(rc));
}

int cmw_idempotency_key_create(cmw_engine *engine, cmw_middleware *middleware,
                               const cmw_idempotency_key_config *config, cmw_diag *diag)
{
    cmw_idempotency_key_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_idempotency_key_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "idempotency_key: the config is of a newer version");
    int rc = check(&ours, diag);
    if (rc != 0)
        return rc;
    struct cmw__idempotency *self =
        cmw__builtin_alloc(engine, &arena, sizeof *self, "idempotency_key", diag);
    if (!self)
        return CMW_ERR_NOMEM;
    self->arena = arena;
    self->engine = engine;
    rc = fill(self, middleware->name, &ours, diag);
    const int suspends = (self->store.flags & CMW_STORE_ASYNC) || self->max_waiting > 0;
    if (rc == 0 && suspends && (rc = cmw__builtin_uses(engine, middleware, "timeout")) != 0)
        (void)cmw_diag_set(diag, rc, "idempotency_key: no memory");
    if (rc != 0) {
        destroy(self);
        return rc;
    }

    middleware->kind = "idempotency_key";
    middleware->priority = 710;
    middleware->post_priority = 1; /* before others add fields to what is kept */
    middleware->flags |= CMW_KEEPS_BEGIN_TIME;
    middleware->self = self;
    middleware->destroy = destroy;
    middleware->pre_route = cmw__idempotency_on_pre_route;
    middleware->request_body = cmw__idempotency_on_request_body;
    middleware->body_demand = CMW_BODY_FULL;
    middleware->post_route = cmw__idempotency_on_post_route;
    middleware->complete = cmw__idempotency_on_complete;
    if (self->max_waiting > 0)
        middleware->error = cmw__idempotency_on_error;
    if (suspends) {
        middleware->resumed = cmw__idempotency_on_resumed;
        middleware->dropped = cmw__idempotency_on_dropped;
        middleware->suspend_phases = 1u << CMW_PHASE_REQUEST_BODY;
    }
    cmw_middleware_provides(middleware, self->slot);
    cmw_middleware_uses(middleware, self->principal);
    cmw_middleware_uses(middleware, CMW_FACT_CLIENT_ADDRESS);
    cmw_middleware_uses(middleware, CMW_FACT_HOST);
    cmw_middleware_uses(middleware, CMW_FACT_CANONICAL_PATH);
    cmw_middleware_post_provides(middleware, CMW_FACT_PLAIN_BODY);
    cmw_middleware_post_provides(middleware, CMW_FACT_KEPT_RESPONSE);
    cmw_middleware_post_provides(middleware, CMW_FACT_RESPONSE_FIELDS);
    return 0;
}

int cmw_idempotency_key_get_stats(const cmw_middleware *middleware,
                                  cmw_idempotency_key_stats *stats)
{
    cmw_memory_store_stats memory = {.size = sizeof memory};

    if (!middleware || !stats || middleware->destroy != destroy)
        return CMW_ERR_ARG;
    if (stats->size != sizeof *stats)
        return CMW_ERR_VERSION;
    struct cmw__idempotency_shared *shared =
        ((const struct cmw__idempotency *)middleware->self)->shared;
    if (shared->memory && cmw_memory_store_get_stats(shared->memory, &memory) != 0)
        return CMW_ERR_ARG;
    stats->bytes = memory.bytes;
    stats->entries = memory.entries;
    stats->first = atomic_load_explicit(&shared->first, memory_order_relaxed);
    stats->replayed = atomic_load_explicit(&shared->replayed, memory_order_relaxed);
    stats->in_flight = atomic_load_explicit(&shared->in_flight, memory_order_relaxed);
    stats->mismatched = atomic_load_explicit(&shared->mismatched, memory_order_relaxed);
    stats->not_kept = atomic_load_explicit(&shared->not_kept, memory_order_relaxed);
    stats->freed = atomic_load_explicit(&shared->freed, memory_order_relaxed);
    stats->failed = atomic_load_explicit(&shared->failed, memory_order_relaxed);
    stats->waited = atomic_load_explicit(&shared->waited, memory_order_relaxed);
    stats->expired = atomic_load_explicit(&shared->expired, memory_order_relaxed);
    const struct cmw__cache_flights *flights = atomic_load(&shared->flights);
    stats->waiting = flights ? atomic_load_explicit(&flights->waiting, memory_order_relaxed) : 0;
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_idempotency_key_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_idempotency_key_config_init(config);
}

#define OPTION(option, kind, member, text)                                                         \
    .name = (option), .type = (kind), .offset = offsetof(cmw_idempotency_key_config, member),      \
    .help = (text)

static const cmw_option options[] = {
    {OPTION("methods", CMW_OPTION_TEXT_LIST, methods,
            "Methods of requests whose key is looked at; default POST, PATCH")},
    {OPTION("required", CMW_OPTION_BOOL, required, "Answer such a request without a key by 400")},
    {OPTION("strict", CMW_OPTION_BOOL, strict, "Take only a string in quotes for a key")},
    {OPTION("max_key_length", CMW_OPTION_INT, max_key_length, "Bytes of a key"), .min = 1,
     .max = 65535},
    {OPTION("ttl", CMW_OPTION_INT, ttl_s, "Seconds for which an answer is kept"), .min = 1,
     .max = CMW_IDEMPOTENCY_SECONDS_MAX},
    {OPTION("lock", CMW_OPTION_INT, lock_s,
            "Seconds after which a request that never ended is given up"),
     .min = 1, .max = CMW_IDEMPOTENCY_SECONDS_MAX},
    {OPTION("max_response_bytes", CMW_OPTION_INT, max_response_bytes,
            "Bytes of a body; a longer one is not kept, and repeats are answered 409"),
     .min = 0, .max = INT32_MAX},
    {OPTION("max_bytes", CMW_OPTION_INT, max_bytes, "Bytes of the store"),
     .min = CMW_MEMORY_STORE_BYTES_MIN, .max = CMW_MEMORY_STORE_BYTES_MAX},
    {OPTION("max_share", CMW_OPTION_INT, max_share,
            "Percent of the store that one principal, or one address, may take"),
     .min = 1, .max = 100},
    {OPTION("when_full", CMW_OPTION_CHOICE, when_full,
            "Where the store is full: on_store_failure, or what was stored longest ago goes"),
     .choices = "refuse|evict"},
    {OPTION("on_store_failure", CMW_OPTION_CHOICE, on_store_failure,
            "Where a key cannot be kept: 503, or the request passes as if it had none"),
     .choices = "refuse|pass"},
    {OPTION("max_wait_ms", CMW_OPTION_INT, max_wait_ms,
            "For how long a repeat waits for the first request's answer; 0: it is answered 409"),
     .min = 0, .max = CMW_IDEMPOTENCY_WAIT_MS_MAX},
    {OPTION("max_waiting", CMW_OPTION_INT, max_waiting,
            "Requests that may wait at once; others are answered 409"),
     .min = 1, .max = CMW_IDEMPOTENCY_WAITING_MAX},
};

const cmw_kind cmw__kind_idempotency_key = {
    .size = sizeof(cmw_kind),
    .name = "idempotency_key",
    .summary = "A request that is sent again is done once, and answered as the first time",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_idempotency_key_config),
    .config_init = config_init,
    .create = create,
};
