/* SPDX-License-Identifier: MIT */
/* Engines: configuration, pools, registries, hosts. */
#include "engine_state.h"

#include "clock.h"
#include "ctx_state.h"
#include "registry.h"

/* ---- Configuration ---------------------------------------------------------------------- */

void cmw_engine_config_init_sized(cmw_engine_config *config, size_t size)
{
    cmw_engine_config defaults;

    memset(&defaults, 0, sizeof defaults);
    defaults.context_bytes = 4096;
    defaults.worker_limit = 256;
    defaults.context_limit = 10000;
    defaults.limits.memory_bytes = (size_t)1 << 20;
    defaults.limits.header_count = 100;
    defaults.limits.header_bytes = 32 << 10;
    defaults.limits.body_bytes = UINT64_C(1) << 20;
    defaults.sample_every = 256;
    memcpy(config, &defaults, size < sizeof defaults ? size : sizeof defaults);
    config->size = size;
}

/* So that a time and the nanoseconds of a limit do not overflow. */
#define MS_MAX (UINT64_MAX / 2000000)

static int config_is_valid(const cmw_engine_config *config)
{
    const size_t bytes = config->context_bytes;
    const int is_power = bytes && (bytes & (bytes - 1)) == 0;

    return is_power && bytes >= 2048 && bytes <= 32768 && config->worker_limit > 0 &&
           config->worker_limit <= 65536 && config->context_limit > 0 &&
           config->limits.header_count <= 65535 && config->limits.request_ms <= MS_MAX &&
           config->limits.body_ms <= MS_MAX && config->limits.body_idle_ms <= MS_MAX &&
           config->limits.head_ms <= MS_MAX && config->target_policy >= CMW_TARGET_CANONICAL &&
           config->target_policy <= CMW_TARGET_REJECT && config->host_policy >= CMW_HOST_ANY &&
           config->host_policy <= CMW_HOST_REQUIRED;
}

static uint64_t system_clock(void *self)
{
    (void)self;
    return cmw__monotonic_ns();
}

static uint64_t system_wall_clock(void *self)
{
    (void)self;
    return cmw__wall_ns();
}

uint64_t cmw__engine_clock(const cmw_engine *engine)
{
    return engine->clock_ns(engine->clock_self);
}

static void apply_config(cmw_engine *engine, const cmw_engine_config *config)
{
    engine->context_bytes = (uint32_t)config->context_bytes;
    engine->context_limit = config->context_limit;
    engine->worker_limit = config->worker_limit;
    engine->sample_every = config->sample_every;
    engine->target_policy = config->target_policy;
    engine->host_policy = config->host_policy;
    engine->limits = config->limits;
    engine->clock_ns = config->clock_ns ? config->clock_ns : system_clock;
    engine->wall_clock_ns = config->wall_clock_ns ? config->wall_clock_ns : system_wall_clock;
    engine->clock_self = config->clock_self;
}

/* ---- Tables ----------------------------------------------------------------------------- */

void *cmw__table_at(const struct cmw__table *table, uint32_t index)
{
    return index < table->count ? table->items[index] : NULL;
}

int cmw__table_add(cmw_engine *engine, struct cmw__table *table, void *item)
{
    if (table->count == UINT16_MAX)
        return CMW_ERR_LIMIT;
    if (table->count == table->cap) {
        const uint32_t cap = table->cap ? table->cap * 2 : 16;
        void **items = cmw_arena_alloc(engine->arena, cap * sizeof *items);
        if (!items)
            return CMW_ERR_NOMEM;
        if (table->count > 0)
            memcpy(items, table->items, table->count * sizeof *items);
        table->items = items; /* the old list stays in the arena: together less than the new one */
        table->cap = cap;
    }
    table->items[table->count++] = item;
    return 0;
}

/* ---- Making and destroying -------------------------------------------------------------- */

/* The engine itself lies in its plan pool, which therefore goes last. */
static void free_engine(cmw_engine *engine)
{
    cmw_pool *plan_pool = engine->pools[CMW_POOL_PLAN];

    cmw_arena_destroy(engine->arena);
    cmw__ledger_destroy(engine);
    cmw__cells_destroy(engine);
    cmw_pool_destroy(engine->pools[CMW_POOL_CONTEXT]);
    cmw_pool_destroy(engine->pools[CMW_POOL_BRIDGE]);
    cmw_pool_destroy(engine->shared_pool);
    cmw__keep_destroy(&engine->keep);
    cmw__mutex_destroy(&engine->service_lock);
    cmw__mutex_destroy(&engine->lock);
    cmw_pool_free(plan_pool, engine, sizeof *engine, _Alignof(cmw_engine));
    cmw_pool_destroy(plan_pool);
}

static int init_locks(cmw_engine *engine)
{
    if (cmw__mutex_init(&engine->lock) != 0)
        return CMW_ERR_NOMEM;
    if (cmw__mutex_init(&engine->service_lock) == 0) {
        if (cmw__keep_init(&engine->keep) == 0) {
            if (cmw__cells_init(&engine->cells) == 0)
                return 0;
            cmw__keep_destroy(&engine->keep);
        }
        cmw__mutex_destroy(&engine->service_lock);
    }
    cmw__mutex_destroy(&engine->lock);
    return CMW_ERR_NOMEM;
}

static int open_engine(cmw_engine *engine, const cmw_engine_config *config)
{
    int rc = cmw_pool_create(&engine->pools[CMW_POOL_CONTEXT], config->allocator, CMW_POOL_CONTEXT,
                             config->pool_limit_bytes);
    if (rc == 0)
        rc =
            cmw_pool_create(&engine->pools[CMW_POOL_BRIDGE], config->allocator, CMW_POOL_BRIDGE, 0);
    if (rc == 0 && config->shared_allocator)
        rc = cmw_pool_create(&engine->shared_pool, config->shared_allocator, CMW_POOL_PLAN, 0);
    if (rc == 0)
        rc = cmw_arena_create(&engine->arena, engine->pools[CMW_POOL_PLAN], 0);
    if (rc == 0)
        rc = cmw__register_facts(engine);
    if (rc == 0)
        rc = cmw__register_builtins(engine);
    return rc;
}

int cmw_engine_create(cmw_engine **out, const cmw_engine_config *config)
{
    cmw_engine_config ours;
    cmw_pool *pool = NULL;

    if (!out)
        return CMW_ERR_ARG;
    cmw_engine_config_init(&ours);
    int rc = cmw_config_adopt(&ours, config);
    if (rc != 0)
        return rc;
    if (!config_is_valid(&ours))
        return CMW_ERR_ARG;
    rc = cmw_pool_create(&pool, ours.allocator, CMW_POOL_PLAN, 0);
    if (rc != 0)
        return rc;

    cmw_engine *engine = cmw_pool_alloc(pool, sizeof *engine, _Alignof(cmw_engine));
    if (!engine) {
        cmw_pool_destroy(pool);
        return CMW_ERR_NOMEM;
    }
    memset(engine, 0, sizeof *engine);
    engine->pools[CMW_POOL_PLAN] = pool;
    apply_config(engine, &ours);
    rc = init_locks(engine);
    if (rc != 0) {
        cmw_pool_free(pool, engine, sizeof *engine, _Alignof(cmw_engine));
        cmw_pool_destroy(pool);
        return rc;
    }
    rc = open_engine(engine, &ours);
    if (rc != 0) {
        free_engine(engine);
        return rc;
    }
    *out = engine;
    return 0;
}

static int is_held(cmw_engine *engine)
{
    return engine->workers_out > 0 || cmw__workers_busy(engine) || atomic_load(&engine->holds) != 0;
}

int cmw_engine_destroy(cmw_engine *engine)
{
    if (!engine)
        return 0;
    cmw__mutex_lock(&engine->lock);
    const int held = is_held(engine);
    cmw__mutex_unlock(&engine->lock);
    if (held)
        return CMW_ERR_STATE;
    cmw__workers_destroy(engine);
    cmw__installed_destroy_all(engine);
    cmw__services_destroy(engine);
    free_engine(engine);
    return 0;
}

cmw_pool *cmw_engine_pool(cmw_engine *engine, cmw_pool_purpose purpose)
{
    return engine && (unsigned)purpose < CMW_POOL_COUNT ? engine->pools[purpose] : NULL;
}

const cmw_limits *cmw_engine_limits(const cmw_engine *engine)
{
    return &engine->limits;
}

cmw_pool *cmw_engine_shared_pool(cmw_engine *engine)
{
    if (!engine)
        return NULL;
    return engine->shared_pool ? engine->shared_pool : engine->pools[CMW_POOL_PLAN];
}

uint32_t cmw_engine_worker_limit(const cmw_engine *engine)
{
    return engine->worker_limit;
}

/* ---- Hosts ------------------------------------------------------------------------------ */

/* A plan whose middleware suspends needs a server that can. */
static int check_suspending(const cmw_host *host, const cmw_plan *plan, cmw_diag *diag)
{
    static const struct {
        uint32_t phase, capability;
    } needs[] = {{CMW_PHASE_PRE_ROUTE, CMW_CAP_SUSPEND},
                 {CMW_PHASE_REQUEST_BODY, CMW_CAP_SUSPEND},
                 {CMW_PHASE_POST_ROUTE, CMW_CAP_SUSPEND_POST_ROUTE}};

    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++)
        if ((plan->suspend_phases >> needs[i].phase & 1) &&
            !(host->capabilities & needs[i].capability))
            return cmw_diag_set(
                diag, CMW_ERR_UNSUPPORTED, "'%s' suspends in %s, and %s cannot wait",
                plan->suspends[needs[i].phase], cmw_phase_name((cmw_phase)needs[i].phase),
                host->name ? host->name : "the host");
    return 0;
}

static int check_host(const cmw_engine *engine, const cmw_host *host, const cmw_plan *plan,
                      cmw_diag *diag)
{
    const int rewrites = (host->capabilities & CMW_CAP_REWRITE_TARGET) != 0;

    if (plan->guards_by_path && !rewrites && engine->target_policy != CMW_TARGET_REJECT)
        return cmw_diag_set(diag, CMW_ERR_UNSUPPORTED,
                            "the plan guards access by path, and %s routes by a path that is not "
                            "the canonical one: set the engine's target_policy to "
                            "CMW_TARGET_REJECT",
                            host->name ? host->name : "the host");
    if (plan->feeds && !(host->capabilities & CMW_CAP_STREAM_REQUEST_BODY))
        return cmw_diag_set(diag, CMW_ERR_UNSUPPORTED,
                            "'%s' runs in request_body, and %s does not hand bodies to it",
                            plan->feeds, host->name ? host->name : "the host");
    if (plan->times && !(host->capabilities & CMW_CAP_TIME_BODY))
        return cmw_diag_set(diag, CMW_ERR_UNSUPPORTED,
                            "'%s' limits the time of bodies, and %s does not measure it",
                            plan->times, host->name ? host->name : "the host");
    if (plan->heads && !(host->capabilities & CMW_CAP_TIME_HEAD))
        return cmw_diag_set(diag, CMW_ERR_UNSUPPORTED,
                            "'%s' limits the time of heads, and %s does not measure it",
                            plan->heads, host->name ? host->name : "the host");
    if (plan->trails && !(host->capabilities & CMW_CAP_REQUEST_TRAILERS))
        return cmw_diag_set(diag, CMW_ERR_UNSUPPORTED,
                            "'%s' reads trailers, and %s does not hand them over", plan->trails,
                            host->name ? host->name : "the host");
    if (plan->adds && !(host->capabilities & CMW_CAP_RESPONSE_TRAILERS))
        return cmw_diag_set(diag, CMW_ERR_UNSUPPORTED,
                            "'%s' sends trailers, and %s has no place for them", plan->adds,
                            host->name ? host->name : "the host");
    if ((plan->body_phases >> CMW_PHASE_RESPONSE_BODY & 1) &&
        (host->capabilities & CMW_CAP_PASSES_BODIES))
        return cmw_diag_set(diag, CMW_ERR_UNSUPPORTED,
                            "the plan runs response_body, and %s does not hand bodies to it",
                            host->name ? host->name : "the host");
    return check_suspending(host, plan, diag);
}

int cmw__engine_check_hosts(const cmw_engine *engine, const cmw_plan *plan, cmw_diag *diag)
{
    for (const struct cmw__attached_host *at = engine->hosts; at; at = at->next) {
        const int rc = check_host(engine, at->host, plan, diag);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int attach_locked(cmw_engine *engine, const cmw_host *host, cmw_diag *diag)
{
    for (const struct cmw__attached_host *at = engine->hosts; at; at = at->next)
        if (at->host == host)
            return 0;
    if (engine->installed) {
        const int rc = check_host(engine, host, engine->installed->plan, diag);
        if (rc != 0)
            return rc;
    }
    struct cmw__attached_host *attached = cmw_arena_alloc(engine->arena, sizeof *attached);
    if (!attached)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "no memory to attach %s",
                            host->name ? host->name : "a host");
    *attached = (struct cmw__attached_host){engine->hosts, host};
    engine->hosts = attached;
    return 0;
}

int cmw_engine_attach_host(cmw_engine *engine, const cmw_host *host, cmw_diag *diag)
{
    if (!engine || !host)
        return cmw_diag_set(diag, CMW_ERR_ARG, "an engine and a host are needed");
    if (host->size != sizeof *host)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "the host's table has a size that this library does not know");
    cmw__mutex_lock(&engine->lock);
    const int rc = attach_locked(engine, host, diag);
    cmw__mutex_unlock(&engine->lock);
    return rc;
}
