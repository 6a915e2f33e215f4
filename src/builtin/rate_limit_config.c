/* SPDX-License-Identifier: MIT */
/* rate_limit: from a config to what requests read; the memory of the tables. */
#include "rate_limit_state.h"
#include "rate_wait.h"

#include "builtins.h"

enum { DEFAULT_LIMIT = 100, DEFAULT_WINDOW_MS = 60000, LARGE_BYTES = 4 * 1024 * 1024 };

#define NS_PER_MS UINT64_C(1000000)

static int no_memory(cmw_diag *diag)
{
    (void)cmw_diag_set(diag, CMW_ERR_NOMEM, "rate_limit: no memory");
    return CMW_ERR_NOMEM;
}

/* ---- Numbers ---------------------------------------------------------------------------- */

static int check_range(const char *where, const char *option, int64_t value, int64_t min,
                       int64_t max, cmw_diag *diag)
{
    if (value >= min && value <= max)
        return 0;
    return cmw_diag_set(diag, CMW_ERR_ARG, "rate_limit: %s%s: %lld is not in %lld..%lld", where,
                        option, (long long)value, (long long)min, (long long)max);
}

static int check_choice(const char *option, int value, int last, cmw_diag *diag)
{
    return check_range("", option, value, 0, last, diag);
}

static int check_rule(const char *where, const cmw_rate_limit_rule *rule, cmw_diag *diag)
{
    int rc = check_range(where, "limit", rule->limit, 1, CMW_RATE_LIMIT_MAX, diag);

    if (rc == 0)
        rc = check_range(where, "window_ms", rule->window_ms, 1, CMW_RATE_WINDOW_MS_MAX, diag);
    if (rc == 0)
        rc = check_range(where, "burst", rule->burst, 0, CMW_RATE_LIMIT_MAX, diag);
    if (rc == 0)
        rc = check_range(where, "algorithm", rule->algorithm, 0, CMW_RATE_SLIDING_WINDOW, diag);
    if (rc == 0 && rule->burst > 0 && rule->algorithm != CMW_RATE_GCRA)
        rc = cmw_diag_set(diag, CMW_ERR_CONFLICT,
                          "rate_limit: %sburst: only algorithm 'gcra' has one; a window takes its "
                          "limit",
                          where);
    return rc;
}

static int check_config(const cmw_rate_limit_config *config, cmw_diag *diag)
{
    int rc = check_range("", "status", config->status, 400, 599, diag);

    if (rc == 0)
        rc = check_range("", "ipv6_prefix", config->ipv6_prefix, 1, 128, diag);
    if (rc == 0)
        rc = check_range("", "entries", config->entries, 1, CMW_RATE_ENTRIES_MAX, diag);
    if (rc == 0)
        rc = check_choice("full", config->full, CMW_RATE_ALLOW, diag);
    if (rc == 0)
        rc = check_choice("on_store_failure", config->on_store_failure, CMW_RATE_ALLOW, diag);
    if (rc == 0)
        rc = check_range("", "limits", (int64_t)config->limit_count, 0, CMW_RATE_LIMITS_MAX, diag);
    return rc;
}

/* ---- Limits ----------------------------------------------------------------------------- */

static int has_flat_limit(const cmw_rate_limit_config *config)
{
    return config->limit != 0 || config->window_ms != 0 || config->burst != 0 ||
           config->key_count != 0 || config->policy_name || config->algorithm != 0;
}

/* The limit at an index, whichever way it was given. 0 or an error. */
static int rule_at(const cmw_rate_limit_config *config, size_t index, cmw_rate_limit_rule *rule,
                   cmw_diag *diag)
{
    static const char *const client[] = {"ip"};

    cmw_rate_limit_rule_init(rule);
    rule->key = client;
    rule->key_count = 1;
    if (config->limit_count > 0) {
        /* Another version's rules lie as far apart as it says they are large. */
        const char *at = (const char *)config->limits + index * config->limits->size;
        if (config->limits->size < sizeof(size_t) || cmw_config_adopt(rule, at) != 0)
            return cmw_diag_set(diag, CMW_ERR_VERSION,
                                "rate_limit: limits[%zu]: call cmw_rate_limit_rule_init", index);
        if (rule->key_count == 0) {
            rule->key = client;
            rule->key_count = 1;
        }
        return 0;
    }
    rule->policy_name = config->policy_name;
    rule->algorithm = config->algorithm;
    rule->limit = config->limit != 0 ? config->limit : DEFAULT_LIMIT;
    rule->window_ms = config->window_ms != 0 ? config->window_ms : DEFAULT_WINDOW_MS;
    rule->burst = config->burst;
    if (config->key_count > 0) {
        rule->key = config->key;
        rule->key_count = config->key_count;
    }
    return 0;
}

static int init_core(struct cmw__rate_core *core, const char *where,
                     const cmw_rate_limit_rule *rule, uint64_t burst, cmw_diag *diag)
{
    const uint64_t limit = (uint64_t)rule->limit;
    const uint64_t window_ms = (uint64_t)rule->window_ms;
    uint64_t least_ms;

    core->algorithm = rule->algorithm;
    if (rule->algorithm == CMW_RATE_FIXED_WINDOW) {
        cmw__fixed_window_init(&core->as.window, limit, window_ms);
        return 0;
    }
    if (rule->algorithm == CMW_RATE_SLIDING_WINDOW) {
        if (cmw__sliding_window_init(&core->as.window, limit, window_ms, &least_ms) == 0)
            return 0;
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "rate_limit: %swindow_ms: %lld is too short to slide with a limit of "
                            "%lld: at least %llu",
                            where, (long long)rule->window_ms, (long long)rule->limit,
                            (unsigned long long)least_ms);
    }
    if (cmw__gcra_init(&core->as.gcra, limit, window_ms * NS_PER_MS, burst) == 0)
        return 0;
    return cmw_diag_set(diag, CMW_ERR_ARG,
                        "rate_limit: %sburst: %llu requests at this rate take more than 36 years",
                        where, (unsigned long long)burst);
}

static int add_name(struct cmw__rate_limit *rate, const char *given, size_t index,
                    uint64_t window_ns, uint64_t quota, cmw_diag *diag)
{
    char made[] = "default-0";
    cmw_str name;

    if (index == 0)
        memcpy(made, "default", sizeof "default");
    else
        made[sizeof made - 2] = (char)('1' + index);
    if (cmw_arena_dup(rate->arena, &name, cmw_str_cstr(given ? given : made)) != 0)
        return no_memory(diag);
    return cmw__rate_fields_add(&rate->fields, name, quota, window_ns, diag);
}

static int add_limit(struct cmw__rate_limit *rate, cmw_middleware *middleware,
                     const cmw_rate_limit_config *config, size_t index, cmw_diag *diag)
{
    static const char *const places[] = {"limits[0].", "limits[1].", "limits[2].", "limits[3].",
                                         "limits[4].", "limits[5].", "limits[6].", "limits[7]."};
    static const char *const keys[] = {"limits[0].key", "limits[1].key", "limits[2].key",
                                       "limits[3].key", "limits[4].key", "limits[5].key",
                                       "limits[6].key", "limits[7].key"};
    const char *where = config->limit_count > 0 ? places[index] : "";
    cmw_rate_limit_rule rule;

    int rc = rule_at(config, index, &rule, diag);
    if (rc == 0)
        rc = check_rule(where, &rule, diag);
    if (rc != 0)
        return rc;
    const uint64_t burst = (uint64_t)(rule.burst > 0 ? rule.burst : rule.limit);
    const uint64_t window_ns = (uint64_t)rule.window_ms * NS_PER_MS;
    rc = init_core(&rate->tables[index].core, where, &rule, burst, diag);
    if (rc != 0)
        return rc;
    rate->rules[index].algorithm = rule.algorithm;
    rate->rules[index].limit = (uint64_t)rule.limit;
    rate->rules[index].burst = burst;
    rate->rules[index].window_ns = window_ns;
    /* A burst is what GCRA gives in the time that it takes to come back. */
    const uint64_t shown_ns =
        rule.algorithm == CMW_RATE_GCRA ? rate->tables[index].core.as.gcra.capacity_ns : window_ns;
    rc = add_name(rate, rule.policy_name, index, shown_ns, burst, diag);
    if (rc != 0)
        return rc;
    rate->limit_count++;
    return cmw__rate_key_init(&rate->keys[index], rate->engine, middleware, rate->arena,
                              &rate->source, rule.key, rule.key_count,
                              config->limit_count > 0 ? keys[index] : "key", diag);
}

static int add_limits(struct cmw__rate_limit *rate, cmw_middleware *middleware,
                      const cmw_rate_limit_config *config, cmw_diag *diag)
{
    const size_t count = config->limit_count > 0 ? config->limit_count : 1;

    if (config->limit_count > 0 && !config->limits)
        return cmw_diag_set(diag, CMW_ERR_ARG, "rate_limit: limits: %zu limits, but NULL", count);
    if (config->limit_count > 0 && has_flat_limit(config))
        return cmw_diag_set(diag, CMW_ERR_CONFLICT,
                            "rate_limit: limits: algorithm, limit, window_ms, burst, key and "
                            "policy_name belong into each of them");
    for (size_t i = 0; i < count; i++) {
        const int rc = add_limit(rate, middleware, config, i, diag);
        if (rc != 0)
            return rc;
    }
    return 0;
}

/* ---- Memory ----------------------------------------------------------------------------- */

/* Tables that outlive a plan. */
struct kept {
    cmw_pool *pool;        /* of this struct, */
    cmw_pool *shared_pool; /*   and of the tables */
    size_t bytes;
    void *memory;
};

static int create_kept(void *self, void **object)
{
    const struct kept *wanted = self;
    struct kept *kept = cmw_pool_alloc(wanted->pool, sizeof *kept, 0);
    void *memory = kept ? cmw_pool_alloc(wanted->shared_pool, wanted->bytes, 4096) : NULL;

    if (!memory) {
        if (kept)
            cmw_pool_free(wanted->pool, kept, sizeof *kept, 0);
        return CMW_ERR_NOMEM;
    }
    if (wanted->bytes >= LARGE_BYTES)
        cmw__rate_use_large_pages(memory, wanted->bytes);
    memset(memory, 0, wanted->bytes);
    *kept = *wanted;
    kept->memory = memory;
    *object = kept;
    return 0;
}

static void destroy_kept(void *self, void *object)
{
    const struct kept *kept = object;
    cmw_pool *pool = kept->pool;

    (void)self;
    cmw_pool_free(kept->shared_pool, kept->memory, kept->bytes, 4096);
    cmw_pool_free(pool, object, sizeof *kept, 0);
}

/* What tables must have in common to be the same: what their states mean, and whose they are. The
 * limit itself may change: a reload forgives nobody. */
struct shape {
    uint64_t limit_count, entries, ipv6_prefix;
    struct {
        uint64_t algorithm, window_ms, count_bits, key;
    } limits[CMW_RATE_LIMITS_MAX];
};

/* A digest of a key's texts; not secret. */
static uint64_t digest_key(const cmw_rate_limit_rule *rule)
{
    const cmw_hash_key plain = {{0}, 0, 0};
    uint64_t digests[CMW_RATE_KEY_PARTS_MAX];

    for (size_t i = 0; i < rule->key_count; i++)
        digests[i] = cmw_hash_keyed(&plain, cmw_str_cstr(rule->key[i]));
    return cmw_hash_keyed(&plain,
                          cmw_str_make((const char *)digests, rule->key_count * sizeof digests[0]));
}

static void describe(struct shape *shape, const struct cmw__rate_limit *rate,
                     const cmw_rate_limit_config *config)
{
    memset(shape, 0, sizeof *shape);
    shape->limit_count = rate->has_store ? 0 : rate->limit_count;
    shape->entries = (uint64_t)config->entries;
    shape->ipv6_prefix = (uint64_t)config->ipv6_prefix;
    for (size_t i = 0; i < rate->limit_count; i++) {
        const struct cmw__rate_core *core = &rate->tables[i].core;
        cmw_rate_limit_rule rule;
        (void)rule_at(config, i, &rule, NULL); /* it was read before */
        shape->limits[i].algorithm = (uint64_t)core->algorithm;
        shape->limits[i].key = digest_key(&rule);
        if (core->algorithm != CMW_RATE_SLIDING_WINDOW)
            continue;
        shape->limits[i].window_ms = core->as.window.window_ms;
        shape->limits[i].count_bits = core->as.window.count_bits;
    }
}

static int keep_memory(struct cmw__rate_limit *rate, const cmw_middleware *middleware,
                       const struct shape *shape, void **memory, cmw_diag *diag)
{
    struct kept wanted = {cmw_engine_pool(rate->engine, CMW_POOL_PLAN),
                          cmw_engine_shared_pool(rate->engine), rate->table_bytes, NULL};
    cmw_state_config state;

    cmw_state_config_init(&state);
    state.kind = "rate_limit";
    state.name = middleware->name ? middleware->name : "rate_limit";
    state.shape = shape;
    state.shape_len = sizeof *shape;
    state.create = create_kept;
    state.destroy = destroy_kept;
    state.self = &wanted;
    if (cmw_state_retain(rate->engine, &rate->kept, &state) != 0)
        return no_memory(diag);
    *memory = ((const struct kept *)rate->kept)->memory;
    return 0;
}

static int take_given_memory(const struct cmw__rate_limit *rate,
                             const cmw_rate_limit_config *config, cmw_diag *diag)
{
    if ((uintptr_t)config->memory % 64 != 0)
        return cmw_diag_set(diag, CMW_ERR_ARG, "rate_limit: memory: it is not aligned to 64 bytes");
    if (config->memory_bytes < rate->table_bytes)
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "rate_limit: memory_bytes: %zu are too few: %zu limits of %lld entries "
                            "need %zu",
                            config->memory_bytes, rate->limit_count, (long long)config->entries,
                            rate->table_bytes);
    return 0;
}

static int explain_open(int rc, cmw_diag *diag)
{
    if (rc == CMW_ERR_CONFLICT)
        return cmw_diag_set(diag, rc,
                            "rate_limit: memory: it holds something else than tables of these "
                            "limits; give zeroed memory");
    if (rc == CMW_ERR_STATE)
        return cmw_diag_set(diag, rc,
                            "rate_limit: memory: another process began to fill it and has not "
                            "ended");
    return cmw_diag_set(diag, rc, "rate_limit: the system gives no random bytes");
}

static int open_tables(struct cmw__rate_limit *rate, const cmw_middleware *middleware,
                       const cmw_rate_limit_config *config, cmw_diag *diag)
{
    const cmw_hash_key plain = {{0}, 0, 0};
    const size_t tables = rate->has_store ? 0 : rate->limit_count;
    struct shape shape;
    void *memory = config->memory;

    describe(&shape, rate, config);
    rate->table_bytes = cmw__rate_memory_bytes(tables, (uint64_t)config->entries);
    int rc = memory ? take_given_memory(rate, config, diag)
                    : keep_memory(rate, middleware, &shape, &memory, diag);
    if (rc != 0)
        return rc;
    const uint64_t digest =
        cmw_hash_keyed(&plain, cmw_str_make((const char *)&shape, sizeof shape));
    rc = cmw__rate_memory_open(memory, tables, (uint64_t)config->entries, digest);
    if (rc != 0)
        return explain_open(rc, diag);
    rate->head = memory;
    rate->source.hash_key = rate->head->key;
    for (size_t i = 0; i < tables; i++)
        cmw__rate_table_open(&rate->tables[i], memory, i);
    return 0;
}

/* ---- All of it -------------------------------------------------------------------------- */

static void set_ipv6_mask(struct cmw__rate_source *source, int64_t prefix)
{
    unsigned char mask[16] = {0};

    for (int64_t i = 0; i < prefix; i++)
        mask[i / 8] = (unsigned char)(mask[i / 8] | 0x80 >> i % 8);
    memcpy(source->ipv6_mask, mask, sizeof mask);
}

static int take_store(struct cmw__rate_limit *rate, const cmw_rate_limit_config *config,
                      cmw_diag *diag)
{
    if (!config->store)
        return 0;
    if (config->store->size != sizeof rate->store || !config->store->take ||
        (config->store->flags & ~(uint32_t)CMW_RATE_STORE_ASYNC))
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "rate_limit: store: it has another size, no take, or unknown flags");
    if (config->memory)
        return cmw_diag_set(diag, CMW_ERR_CONFLICT,
                            "rate_limit: store: the tables in memory would not be used");
    rate->store = *config->store;
    rate->has_store = 1;
    return 0;
}

static int take_skips(struct cmw__rate_limit *rate, cmw_middleware *middleware,
                      const cmw_rate_limit_config *config, cmw_diag *diag)
{
    cmw_network_set *skip;
    cmw_diag inner = {0};

    rate->skip_if = config->skip_if;
    rate->skip_self = config->skip_self;
    rate->cost_fn = config->cost_fn;
    rate->cost_self = config->cost_self;
    if (config->skip_count == 0)
        return 0;
    const int rc =
        cmw_network_set_create(&skip, rate->arena, config->skip, config->skip_count, &inner);
    if (rc == CMW_ERR_INVALID)
        return cmw_diag_set(diag, rc, "rate_limit: skip: %s", inner.message);
    if (rc != 0)
        return no_memory(diag);
    rate->skip = skip;
    cmw_middleware_uses(middleware, CMW_FACT_CLIENT_ADDRESS);
    return 0;
}

static int relate(const struct cmw__rate_limit *rate, cmw_middleware *middleware, cmw_diag *diag)
{
    int reads_slot = 0;
    int rc = cmw__builtin_uses(rate->engine, middleware, "cors");

    for (size_t i = 0; i < rate->limit_count; i++)
        reads_slot |= cmw__rate_key_reads_slot(&rate->keys[i]);
    if (rc == 0 && rate->has_store && (rate->store.flags & CMW_RATE_STORE_ASYNC))
        rc = cmw__builtin_uses(rate->engine, middleware, "timeout");
    if (rc == 0 && !reads_slot)
        rc = cmw__builtin_provides(rate->engine, middleware, "rate_limit");
    return rc == 0 ? 0 : no_memory(diag);
}

static int fill(struct cmw__rate_limit *rate, cmw_middleware *middleware,
                const cmw_rate_limit_config *config, cmw_diag *diag)
{
    rate->status = (int)config->status;
    rate->full = config->full;
    rate->on_store_failure = config->on_store_failure;
    rate->source.key_fn = config->key_fn;
    rate->source.key_self = config->key_self;
    set_ipv6_mask(&rate->source, config->ipv6_prefix);
    int rc = cmw__rate_fields_set_styles(&rate->fields, config->header_style,
                                         config->header_style_count, diag);
    if (rc == 0)
        rc = add_limits(rate, middleware, config, diag);
    if (rc == 0 && cmw__rate_fields_finish(&rate->fields, rate->arena) != 0)
        rc = no_memory(diag);
    if (rc == 0)
        rc = take_store(rate, config, diag);
    if (rc == 0)
        rc = take_skips(rate, middleware, config, diag);
    if (rc == 0)
        rc = relate(rate, middleware, diag);
    return rc == 0 ? open_tables(rate, middleware, config, diag) : rc;
}

int cmw__rate_limit_configure(struct cmw__rate_limit **out, cmw_engine *engine,
                              cmw_middleware *middleware, const cmw_rate_limit_config *config,
                              cmw_diag *diag)
{
    cmw_arena *arena;
    int rc = check_config(config, diag);

    if (rc != 0)
        return rc;
    struct cmw__rate_limit *rate =
        cmw__builtin_alloc(engine, &arena, sizeof *rate, "rate_limit", diag);
    if (!rate)
        return CMW_ERR_NOMEM;
    rate->arena = arena;
    rate->engine = engine;
    rc = fill(rate, middleware, config, diag);
    if (rc != 0) {
        cmw__rate_limit_destroy(rate);
        return rc;
    }
    *out = rate;
    return 0;
}

void cmw__rate_limit_destroy(void *self)
{
    struct cmw__rate_limit *rate = self;

    if (rate->kept)
        cmw_state_release(rate->engine, rate->kept);
    cmw_arena_destroy(rate->arena);
}
