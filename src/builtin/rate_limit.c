/* SPDX-License-Identifier: MIT */
/*
 * rate_limit: a request's way through its limits, and what the response says of them.
 *
 * The fields are set in pre_route: those of middleware stay whatever comes after, so they are on
 * what the handler answers, on refusals and on faults.
 */
#include "rate_limit_state.h"

#include "builtins.h"

static cmw_phase_fn on_pre_route, on_pre_route_plain, look_plain;
static cmw_prepare_fn on_prepare;
static cmw_resumed_fn on_resumed;
static cmw_dropped_fn on_dropped;

/* Beyond this a table does not stay in a core's cache, and its line is worth asking for early. */
enum { PREFETCH_BYTES = 2 * 1024 * 1024 };

/* ---- Answers ---------------------------------------------------------------------------- */

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static int refuse(const struct cmw__rate_limit *rate, cmw_ctx *ctx, size_t index,
                  const struct cmw__rate_step *step)
{
    count(&rate->head->refused);
    if (cmw__rate_fields_set(&rate->fields, ctx, index, step) != 0 ||
        cmw__rate_fields_set_retry(cmw_ctx_response(ctx), step->retry_ns) != 0)
        return CMW_ERROR;
    return cmw_respond_problem(ctx, rate->status, "the limit of requests is reached");
}

/* The request cannot be counted: what the option says. */
static int fall_back(cmw_ctx *ctx, int fallback, const char *why)
{
    if (fallback == CMW_RATE_ALLOW)
        return CMW_CONTINUE;
    if (cmw__rate_fields_set_retry(cmw_ctx_response(ctx), 0) != 0)
        return CMW_ERROR;
    return cmw_respond_problem(ctx, 503, why);
}

static int meet_full_table(const struct cmw__rate_limit *rate, cmw_ctx *ctx)
{
    count(rate->full == CMW_RATE_ALLOW ? &rate->head->allowed_full : &rate->head->refused_full);
    return fall_back(ctx, rate->full, "too many clients at once");
}

/* ---- One limit by GCRA and client address ------------------------------------------------ */

static CMW__BUILTIN_NOINLINE int take_plain(const struct cmw__rate_limit *rate, cmw_ctx *ctx,
                                            uint64_t hash)
{
    struct cmw__rate_step step;
    struct cmw__rate_taken taken;
    const enum cmw__rate_found found =
        cmw__rate_table_take(&rate->tables[0], hash, cmw_ctx_begin_ns(ctx), 1, &step, &taken);

    if (found == CMW__RATE_FULL)
        return meet_full_table(rate, ctx);
    if (found == CMW__RATE_REFUSED)
        return refuse(rate, ctx, 0, &step);
    return cmw__rate_fields_set(&rate->fields, ctx, 0, &step) == 0 ? CMW_CONTINUE : CMW_ERROR;
}

/* The quick way, or whatever else is needed. */
static CMW__BUILTIN_INLINE int take_one(const struct cmw__rate_limit *rate, cmw_ctx *ctx)
{
    const uint64_t hash = cmw__rate_client_hash(&rate->source, ctx);
    uint64_t remaining, reset_ns;

    if (!CMW__RATE_LIKELY(cmw__rate_table_take_quickly(
            &rate->tables[0], hash, cmw_ctx_begin_ns(ctx), &remaining, &reset_ns)))
        return take_plain(rate, ctx, hash);
    return cmw__rate_fields_append(&rate->fields, 0, cmw_ctx_response(ctx), remaining, reset_ns);
}

/* Where the clock or the hash is a call. */
static int look_plain(void *self, cmw_ctx *ctx)
{
    const struct cmw__rate_limit *rate = self;

    return take_one(rate, ctx);
}

/* Nothing of it is a call but the last one: no register needs to be saved. */
static int on_pre_route_plain(void *self, cmw_ctx *ctx)
{
    const struct cmw__rate_limit *rate = self;

    if (!CMW__RATE_LIKELY(cmw_hash_is_in_line(&rate->source.hash_key) && cmw_ctx_knows_begin(ctx)))
        return rate->look(self, ctx);
    return take_one(rate, ctx);
}

/* The client's address may be refined before pre_route comes here: then it was for nothing. */
static void on_prepare(void *self, cmw_ctx *ctx)
{
    const struct cmw__rate_limit *rate = self;
    const uint64_t hash = cmw__rate_client_hash(&rate->source, ctx);

    CMW__RATE_PREFETCH(cmw__rate_bucket_of(&rate->tables[0], hash));
}

/* ---- Any number of limits --------------------------------------------------------------- */

/* What all limits said. */
struct sum {
    size_t shown;   /* the limit whose fields are shown: */
    int is_refused; /*   of those that refuse, the one with the longest wait; else the scarcest */
    int is_full;
    int is_counted; /* at least one limit has counted it */
    struct cmw__rate_step step;
};

static int is_scarcer(const struct cmw__rate_step *a, const struct cmw__rate_step *b)
{
    return a->remaining < b->remaining ||
           (a->remaining == b->remaining && a->reset_ns > b->reset_ns);
}

static void add_up(struct sum *sum, size_t index, int passes, const struct cmw__rate_step *step)
{
    const int is_first = !sum->is_counted;

    sum->is_counted = 1;
    if (passes && sum->is_refused)
        return;
    const int tells_more =
        passes == sum->is_refused || is_first ||
        (passes ? is_scarcer(step, &sum->step) : step->retry_ns > sum->step.retry_ns);
    if (!passes)
        sum->is_refused = 1;
    if (!tells_more)
        return;
    sum->shown = index;
    sum->step = *step;
}

static int conclude(const struct cmw__rate_limit *rate, cmw_ctx *ctx, const struct sum *sum)
{
    if (sum->is_refused)
        return refuse(rate, ctx, sum->shown, &sum->step);
    if (sum->is_full)
        return meet_full_table(rate, ctx);
    if (!sum->is_counted)
        return CMW_CONTINUE;
    return cmw__rate_fields_set(&rate->fields, ctx, sum->shown, &sum->step) == 0 ? CMW_CONTINUE
                                                                                 : CMW_ERROR;
}

/* Ask all tables; where one refuses, give back what the others took. 0 or an error. */
static int ask_tables(const struct cmw__rate_limit *rate, cmw_ctx *ctx, uint64_t cost,
                      struct sum *sum)
{
    const uint64_t now_ns = cmw_ctx_begin_ns(ctx);
    uint64_t hashes[CMW_RATE_LIMITS_MAX];
    struct cmw__rate_taken taken[CMW_RATE_LIMITS_MAX];
    unsigned took = 0; /* a bit for each limit */

    for (size_t i = 0; i < rate->limit_count; i++) {
        const int rc = cmw__rate_key_hash(&rate->source, &rate->keys[i], ctx, &hashes[i]);
        if (rc != 0)
            return rc;
    }
    for (size_t i = 0; i < rate->limit_count; i++) {
        struct cmw__rate_step step;
        const enum cmw__rate_found found =
            cmw__rate_table_take(&rate->tables[i], hashes[i], now_ns, cost, &step, &taken[i]);
        if (found == CMW__RATE_FULL) {
            sum->is_full = 1;
            continue;
        }
        took |= (unsigned)(found == CMW__RATE_PASSES) << i;
        add_up(sum, i, found == CMW__RATE_PASSES, &step);
    }
    if (!sum->is_refused && !(sum->is_full && rate->full == CMW_RATE_REFUSE))
        return 0;
    for (size_t i = 0; i < rate->limit_count; i++)
        if (took >> i & 1)
            cmw__rate_table_refund(&rate->tables[i], hashes[i], now_ns, cost, &taken[i]);
    return 0;
}

static int is_skipped(const struct cmw__rate_limit *rate, cmw_ctx *ctx)
{
    if (rate->skip &&
        cmw_network_set_contains(rate->skip, cmw_request_client_address(cmw_ctx_request(ctx))))
        return 1;
    return rate->skip_if && rate->skip_if(rate->skip_self, ctx);
}

static int ask_store(const struct cmw__rate_limit *rate, cmw_ctx *ctx, uint32_t cost);

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct cmw__rate_limit *rate = self;
    struct sum sum = {.is_refused = 0};

    if (is_skipped(rate, ctx))
        return CMW_CONTINUE;
    const uint32_t cost = rate->cost_fn ? rate->cost_fn(rate->cost_self, ctx) : 1;
    if (cost == 0)
        return CMW_CONTINUE;
    if (rate->has_store)
        return ask_store(rate, ctx, cost);
    if (ask_tables(rate, ctx, cost, &sum) != 0)
        return CMW_ERROR;
    if (sum.is_full && !sum.is_refused && rate->full == CMW_RATE_ALLOW) {
        count(&rate->head->allowed_full);
        sum.is_full = 0; /* the limits that have a place for it hold */
    }
    return conclude(rate, ctx, &sum);
}

/* ---- Stores ----------------------------------------------------------------------------- */

static int fill_takes(const struct cmw__rate_limit *rate, cmw_ctx *ctx, uint32_t cost,
                      cmw_rate_take *takes)
{
    for (size_t i = 0; i < rate->limit_count; i++) {
        takes[i] = (cmw_rate_take){
            .policy_name = rate->fields.policy[i].name.data,
            .algorithm = rate->rules[i].algorithm,
            .limit = (uint32_t)rate->rules[i].limit,
            .burst = (uint32_t)rate->rules[i].burst,
            .window_ns = rate->rules[i].window_ns,
            .cost = cost,
        };
        const int rc = cmw__rate_key_write(&rate->source, &rate->keys[i], ctx, &takes[i].key);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int conclude_results(const struct cmw__rate_limit *rate, cmw_ctx *ctx,
                            const cmw_rate_result *results)
{
    struct sum sum = {.is_refused = 0};

    for (size_t i = 0; i < rate->limit_count; i++) {
        const struct cmw__rate_step step = {.remaining = results[i].remaining,
                                            .reset_ns = results[i].reset_ns,
                                            .retry_ns = results[i].retry_ns};
        add_up(&sum, i, results[i].is_allowed != 0, &step);
    }
    return conclude(rate, ctx, &sum);
}

static int meet_store_failure(const struct cmw__rate_limit *rate, cmw_ctx *ctx)
{
    count(&rate->head->store_failures);
    return fall_back(ctx, rate->on_store_failure, "requests cannot be counted");
}

static int ask_store(const struct cmw__rate_limit *rate, cmw_ctx *ctx, uint32_t cost)
{
    cmw_rate_take takes[CMW_RATE_LIMITS_MAX];
    cmw_rate_result results[CMW_RATE_LIMITS_MAX];

    memset(results, 0, sizeof results);
    if (fill_takes(rate, ctx, cost, takes) != 0)
        return CMW_ERROR;
    const int answer = rate->store.take(rate->store.self, ctx, takes, results, rate->limit_count);
    if (answer == CMW_RATE_TAKEN)
        return conclude_results(rate, ctx, results);
    if (answer == CMW_RATE_PENDING && (rate->store.flags & CMW_RATE_STORE_ASYNC))
        return CMW_SUSPEND;
    return meet_store_failure(rate, ctx);
}

static void release(const struct cmw__rate_limit *rate, cmw_rate_result *results)
{
    if (rate->store.release)
        rate->store.release(rate->store.self, results);
}

static int on_resumed(void *self, cmw_ctx *ctx, int verdict, void *data)
{
    const struct cmw__rate_limit *rate = self;

    if (verdict != CMW_CONTINUE || !data) {
        if (data)
            release(rate, data);
        return meet_store_failure(rate, ctx);
    }
    const int conclusion = conclude_results(rate, ctx, data);
    release(rate, data);
    return conclusion;
}

static void on_dropped(void *self, void *data)
{
    if (data)
        release(self, data);
}

/* ---- The descriptor --------------------------------------------------------------------- */

static int is_plain(const struct cmw__rate_limit *rate)
{
    return rate->limit_count == 1 && !rate->has_store && !rate->skip && !rate->skip_if &&
           !rate->cost_fn && rate->tables[0].core.algorithm == CMW_RATE_GCRA &&
           rate->fields.styles == CMW__RATE_STYLE_DRAFT_8 &&
           cmw__rate_key_is_client(&rate->keys[0]);
}

static void set_callbacks(cmw_middleware *middleware, struct cmw__rate_limit *rate)
{
    rate->look = look_plain;
    middleware->pre_route = is_plain(rate) ? on_pre_route_plain : on_pre_route;
    if (is_plain(rate) && rate->table_bytes >= PREFETCH_BYTES)
        middleware->prepare = on_prepare;
    if (rate->has_store && (rate->store.flags & CMW_RATE_STORE_ASYNC)) {
        middleware->suspend_phases = 1u << CMW_PHASE_PRE_ROUTE;
        middleware->resumed = on_resumed;
        middleware->dropped = on_dropped;
    }
}

int cmw_rate_limit_create(cmw_engine *engine, cmw_middleware *middleware,
                          const cmw_rate_limit_config *config, cmw_diag *diag)
{
    cmw_rate_limit_config ours;
    struct cmw__rate_limit *rate = NULL;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_rate_limit_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "rate_limit: the config is of a newer version");
    const int rc = cmw__rate_limit_configure(&rate, engine, middleware, &ours, diag);
    if (rc != 0)
        return rc;
    middleware->kind = "rate_limit";
    middleware->priority = 300;
    middleware->flags |= CMW_GUARDS_ACCESS;
    middleware->self = rate;
    middleware->destroy = cmw__rate_limit_destroy;
    set_callbacks(middleware, rate);
    return 0;
}

size_t cmw_rate_limit_memory_bytes(size_t limit_count, int64_t entries)
{
    if (limit_count == 0 || limit_count > CMW_RATE_LIMITS_MAX || entries < 1 ||
        entries > CMW_RATE_ENTRIES_MAX)
        return 0;
    return cmw__rate_memory_bytes(limit_count, (uint64_t)entries);
}

static uint64_t read_counter(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

int cmw_rate_limit_get_stats(const cmw_middleware *middleware, cmw_rate_limit_stats *stats)
{
    if (!middleware || !stats || middleware->destroy != cmw__rate_limit_destroy)
        return CMW_ERR_ARG;
    if (stats->size != sizeof *stats)
        return CMW_ERR_VERSION;
    const struct cmw__rate_limit *rate = middleware->self;
    stats->refused = read_counter(&rate->head->refused);
    stats->refused_full = read_counter(&rate->head->refused_full);
    stats->allowed_full = read_counter(&rate->head->allowed_full);
    stats->store_failures = read_counter(&rate->head->store_failures);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_rate_limit_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_rate_limit_config_init(config);
}

static void rule_init(void *rule)
{
    cmw_rate_limit_rule_init(rule);
}

#define ALGORITHMS "gcra|fixed_window|sliding_window"
#define FALLBACKS "refuse|allow"

/* The options that a limit has by itself and in `limits`. */
#define LIMIT_OPTIONS(type_name)                                                                   \
    {.name = "algorithm",                                                                          \
     .type = CMW_OPTION_CHOICE,                                                                    \
     .offset = offsetof(type_name, algorithm),                                                     \
     .choices = ALGORITHMS,                                                                        \
     .help = "How it counts"},                                                                     \
        {.name = "limit",                                                                          \
         .type = CMW_OPTION_INT,                                                                   \
         .offset = offsetof(type_name, limit),                                                     \
         .min = 1,                                                                                 \
         .max = CMW_RATE_LIMIT_MAX,                                                                \
         .help = "Requests a window"},                                                             \
        {.name = "window_ms",                                                                      \
         .type = CMW_OPTION_INT,                                                                   \
         .offset = offsetof(type_name, window_ms),                                                 \
         .min = 1,                                                                                 \
         .max = CMW_RATE_WINDOW_MS_MAX,                                                            \
         .help = "Length of the window"},                                                          \
        {.name = "burst",                                                                          \
         .type = CMW_OPTION_INT,                                                                   \
         .offset = offsetof(type_name, burst),                                                     \
         .min = 1,                                                                                 \
         .max = CMW_RATE_LIMIT_MAX,                                                                \
         .help = "GCRA: how many requests pass at once; default: limit"},                          \
        {.name = "key",                                                                            \
         .type = CMW_OPTION_TEXT_LIST,                                                             \
         .offset = offsetof(type_name, key),                                                       \
         .help = "What the quota belongs to: ip, header:NAME, principal, slot:NAME, route, host, " \
                 "path, method; several make one key"},                                            \
    {                                                                                              \
        .name = "policy_name", .type = CMW_OPTION_TEXT,                                            \
        .offset = offsetof(type_name, policy_name),                                                \
        .help = "Name in RateLimit and RateLimit-Policy"                                           \
    }

static const cmw_option rule_options[] = {LIMIT_OPTIONS(cmw_rate_limit_rule)};

static const cmw_option options[] = {
    LIMIT_OPTIONS(cmw_rate_limit_config),
    {.name = "limits",
     .type = CMW_OPTION_OBJECT_LIST,
     .offset = offsetof(cmw_rate_limit_config, limits),
     .members = rule_options,
     .member_count = sizeof rule_options / sizeof rule_options[0],
     .object_size = sizeof(cmw_rate_limit_rule),
     .object_init = rule_init,
     .help = "Several limits, in place of the one above: all must let a request pass"},
    {.name = "status",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_rate_limit_config, status),
     .min = 400,
     .max = 599,
     .help = "Status of a refusal"},
    {.name = "header_style",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_rate_limit_config, header_style),
     .help = "Fields that tell of limits: draft-8, draft-7 or draft-6; legacy, alone or beside; "
             "or none"},
    {.name = "ipv6_prefix",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_rate_limit_config, ipv6_prefix),
     .min = 1,
     .max = 128,
     .help = "Bits of an IPv6 address that count as one client"},
    {.name = "entries",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_rate_limit_config, entries),
     .min = 1,
     .max = CMW_RATE_ENTRIES_MAX,
     .help = "Keys that each limit has room for, 16 bytes each"},
    {.name = "full",
     .type = CMW_OPTION_CHOICE,
     .offset = offsetof(cmw_rate_limit_config, full),
     .choices = FALLBACKS,
     .help = "What happens to a new key when there is no room"},
    {.name = "skip",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_rate_limit_config, skip),
     .help = "Networks whose clients are not counted"},
};

const cmw_kind cmw__kind_rate_limit = {
    .size = sizeof(cmw_kind),
    .name = "rate_limit",
    .summary = "Limits requests in a time, by address, field, principal or others",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_rate_limit_config),
    .config_init = config_init,
    .create = create,
};
