/* SPDX-License-Identifier: MIT */
/*
 * Places for requests in flight.
 *
 * A place is taken by counting up what is below the limit, and given back by counting down. Whoever
 * gives one back looks whether somebody waits; whoever begins to wait looks afterwards whether a
 * place has become free meanwhile. Both in one order for all threads: one of the two sees the
 * other.
 */
#include <catzilla/builtin/concurrency_limit.h>

#include <stdatomic.h>
#include <stdio.h>

#include <catzilla/mw.h>

#include "builtins.h"
#include "kept.h"
#include "key_counts.h"
#include "rate_key.h"
#include "wait_queue.h"

/* What plans share. Behind it lie the buckets of keys, then the places of the queue. */
struct shared {
    cmw_hash_key hash_key;
    _Atomic uint64_t in_flight;
    _Atomic uint64_t waiting; /* the queue's count, to be read without its lock */
    struct cmw__spin lock;    /* of the queue */
    struct cmw__wait_queue queue;
    struct cmw__key_counts keys;
    _Atomic uint64_t waited, refused, refused_key, expired;
};

struct limit {
    cmw_arena *arena;
    cmw_engine *engine;
    struct shared *shared;
    uint64_t limit;
    uint32_t key_limit; /* 0: none */
    struct cmw__rate_source source;
    struct cmw__rate_key key;
    uint64_t queue, queue_ns;
    int status;
    cmw_str retry_after;
    cmw_slot slot;
};

/* What a request has, in its slot. */
enum stage { HAS_KEY = 1, HAS_PLACE = 2, WAITS = 4 };

struct held {
    unsigned stage;
    struct cmw__wait_ticket ticket;
    uint64_t key_place;
    uint64_t deadline_ns; /* that was in force when it began to wait; 0: none */
};

/* What a resumed request is given. */
static char granted;

static cmw_phase_fn on_pre_route, on_error;
static cmw_complete_fn on_complete;
static cmw_resumed_fn on_resumed;
static cmw_dropped_fn on_dropped;

static const char *const default_key[] = {"ip"};

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* ---- Places ----------------------------------------------------------------------------- */

static int take_place(const struct limit *limit)
{
    uint64_t now = atomic_load(&limit->shared->in_flight);

    while (now < limit->limit)
        if (atomic_compare_exchange_weak(&limit->shared->in_flight, &now, now + 1))
            return 1;
    return 0;
}

/* The first who waits, if there is a place for one: 1, and the place is taken. */
static int take_waiter(const struct limit *limit, cmw_token *token)
{
    struct shared *shared = limit->shared;
    int took = 0;

    cmw__spin_lock(&shared->lock);
    if (shared->queue.count > 0 && take_place(limit)) {
        took = cmw__wait_queue_pop(&shared->queue, token);
        atomic_fetch_sub(&shared->waiting, 1);
    }
    cmw__spin_unlock(&shared->lock);
    return took;
}

/* Let go on who waits, while there are places. A request that is over left its token behind. */
static void hand_out(const struct limit *limit)
{
    cmw_token token;

    while (atomic_load(&limit->shared->waiting) > 0 && take_waiter(limit, &token))
        if (cmw_resume(limit->engine, token, CMW_CONTINUE, &granted) != 0)
            atomic_fetch_sub(&limit->shared->in_flight, 1);
}

static void give_place(const struct limit *limit)
{
    atomic_fetch_sub(&limit->shared->in_flight, 1);
    hand_out(limit);
}

/* ---- Requests --------------------------------------------------------------------------- */

static int refuse(const struct limit *limit, cmw_ctx *ctx, const char *why)
{
    if (cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_RETRY_AFTER, limit->retry_after) != 0)
        return CMW_ERROR;
    return cmw_respond_problem(ctx, limit->status, why);
}

/* 0; 1: the key is at its limit; or an error. */
static int take_key(const struct limit *limit, cmw_ctx *ctx, struct held *held)
{
    uint64_t hash;

    if (limit->key_limit == 0)
        return 0;
    const int rc = cmw__rate_key_hash(&limit->source, &limit->key, ctx, &hash);
    if (rc != 0)
        return rc;
    if (cmw__key_counts_take(&limit->shared->keys, hash, limit->key_limit, &held->key_place) !=
        CMW__KEY_TAKEN)
        return 1;
    held->stage |= HAS_KEY;
    return 0;
}

/* The earlier of the request's own deadline and the end of its patience. */
static int set_patience(const struct limit *limit, cmw_ctx *ctx, struct held *held)
{
    const uint64_t at_ns = cmw_ctx_now_ns(ctx) + limit->queue_ns;

    held->deadline_ns = cmw_ctx_deadline(ctx);
    if (held->deadline_ns != 0 && held->deadline_ns <= at_ns)
        return 0;
    return cmw_ctx_set_deadline(ctx, at_ns);
}

static int push(const struct limit *limit, cmw_token token, struct held *held)
{
    struct shared *shared = limit->shared;

    cmw__spin_lock(&shared->lock);
    const int has_room = cmw__wait_queue_push(&shared->queue, token, &held->ticket);
    if (has_room)
        atomic_fetch_add(&shared->waiting, 1);
    cmw__spin_unlock(&shared->lock);
    return has_room;
}

static int wait(const struct limit *limit, cmw_ctx *ctx, struct held *held)
{
    cmw_token token;

    if (cmw_ctx_suspend(ctx, &token) != 0 || !push(limit, token, held)) {
        count(&limit->shared->refused);
        return refuse(limit, ctx, "too many requests at once");
    }
    held->stage |= WAITS;
    if (set_patience(limit, ctx, held) != 0)
        return CMW_ERROR; /* `complete` takes it out of the queue */
    hand_out(limit);
    return CMW_SUSPEND;
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct limit *limit = self;
    struct held *held = cmw_ctx_set_slot(ctx, limit->slot);

    if (!held)
        return CMW_ERROR;
    const int rc = take_key(limit, ctx, held);
    if (rc < 0)
        return CMW_ERROR;
    if (rc > 0) {
        count(&limit->shared->refused_key);
        return refuse(limit, ctx, "too many requests of one client at once");
    }
    if (atomic_load(&limit->shared->waiting) == 0 && take_place(limit)) {
        held->stage |= HAS_PLACE;
        return CMW_CONTINUE;
    }
    if (limit->queue > 0)
        return wait(limit, ctx, held);
    count(&limit->shared->refused);
    return refuse(limit, ctx, "too many requests at once");
}

static int on_resumed(void *self, cmw_ctx *ctx, int verdict, void *data)
{
    const struct limit *limit = self;
    struct held *held = cmw_ctx_slot(ctx, limit->slot);

    if (!held || data != &granted)
        return CMW_ERROR;
    held->stage = (held->stage & ~(unsigned)WAITS) | HAS_PLACE;
    count(&limit->shared->waited);
    return cmw_ctx_set_deadline(ctx, held->deadline_ns) == 0 ? verdict : CMW_ERROR;
}

/* The request was given up between the grant and its delivery. */
static void on_dropped(void *self, void *data)
{
    if (data == &granted)
        give_place(self);
}

/* Its patience is over. */
static int on_error(void *self, cmw_ctx *ctx)
{
    const struct limit *limit = self;
    const struct held *held = cmw_ctx_slot(ctx, limit->slot);

    if (!held || !(held->stage & WAITS) || cmw_ctx_fault(ctx)->status != 503)
        return CMW_CONTINUE;
    count(&limit->shared->expired);
    return refuse(limit, ctx, "no place became free in time");
}

static void leave_queue(const struct limit *limit, struct cmw__wait_ticket ticket)
{
    struct shared *shared = limit->shared;

    cmw__spin_lock(&shared->lock);
    if (cmw__wait_queue_remove(&shared->queue, ticket))
        atomic_fetch_sub(&shared->waiting, 1);
    cmw__spin_unlock(&shared->lock);
}

static void on_complete(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    const struct limit *limit = self;
    struct held *held = cmw_ctx_slot(ctx, limit->slot);

    (void)reason;
    if (!held)
        return;
    if (held->stage & WAITS)
        leave_queue(limit, held->ticket);
    if (held->stage & HAS_KEY)
        cmw__key_counts_give(&limit->shared->keys, held->key_place);
    if (held->stage & HAS_PLACE)
        give_place(limit);
    held->stage = 0;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct limit *limit = self;

    cmw__kept_release(limit->engine, limit->shared);
    cmw_arena_destroy(limit->arena);
}

void cmw_concurrency_limit_config_init_sized(cmw_concurrency_limit_config *config, size_t size)
{
    const cmw_concurrency_limit_config defaults = {
        .size = size,
        .limit = 1000,
        .key = default_key,
        .key_count = sizeof default_key / sizeof default_key[0],
        .ipv6_prefix = 64,
        .queue_ms = 1000,
        .status = 503,
        .retry_after_s = 1,
    };

    memset(config, 0, size);
    memcpy(config, &defaults, size < sizeof defaults ? size : sizeof defaults);
}

static int check_range(const char *option, int64_t value, int64_t min, int64_t max, cmw_diag *diag)
{
    if (value >= min && value <= max)
        return 0;
    return cmw_diag_set(diag, CMW_ERR_ARG, "concurrency_limit: %s: %lld is not %lld to %lld",
                        option, (long long)value, (long long)min, (long long)max);
}

static int check(const cmw_concurrency_limit_config *config, cmw_diag *diag)
{
    int rc = check_range("limit", config->limit, 1, CMW_CONCURRENCY_LIMIT_MAX, diag);

    if (rc == 0)
        rc = check_range("key_limit", config->key_limit, 0, config->limit, diag);
    if (rc == 0)
        rc = check_range("ipv6_prefix", config->ipv6_prefix, 1, 128, diag);
    if (rc == 0)
        rc = check_range("queue", config->queue, 0, CMW_CONCURRENCY_QUEUE_MAX, diag);
    if (rc == 0)
        rc = check_range("queue_ms", config->queue_ms, 1, 600000, diag);
    if (rc == 0)
        rc = check_range("status", config->status, 400, 599, diag);
    if (rc == 0)
        rc = check_range("retry_after", config->retry_after_s, 1, 86400, diag);
    if (rc == 0 && config->key_limit > 0 && (config->key_count == 0 || !config->key))
        rc = cmw_diag_set(diag, CMW_ERR_ARG, "concurrency_limit: key: key_limit needs a key");
    return rc;
}

/* What must be equal for the counts to mean the same. The limits may change. */
struct shape {
    uint64_t queue, has_keys, keys;
};

static int init_shared(void *self, void *memory)
{
    const struct shape *shape = self;
    struct shared *shared = memory;
    char *const behind = (char *)memory + ((sizeof *shared + 63) & ~(size_t)63);

    cmw__key_counts_open(&shared->keys, behind, shape->keys);
    cmw__wait_queue_open(
        &shared->queue,
        (struct cmw__wait_place *)(void *)(behind + cmw__key_counts_bytes(shape->keys)),
        (uint32_t)shape->queue);
    return cmw_hash_key_init(&shared->hash_key);
}

static int share(struct limit *limit, const char *name, const cmw_concurrency_limit_config *config,
                 cmw_diag *diag)
{
    /* Keys in flight are no more than requests that have a place or wait for one. */
    struct shape shape = {(uint64_t)config->queue, config->key_limit > 0,
                          config->key_limit > 0 ? (uint64_t)(config->limit + config->queue) : 1};
    const struct cmw__kept_config kept = {
        .kind = "concurrency_limit",
        .name = name,
        .shape = &shape,
        .shape_len = sizeof shape,
        .bytes = ((sizeof(struct shared) + 63) & ~(size_t)63) + cmw__key_counts_bytes(shape.keys) +
                 (size_t)config->queue * sizeof(struct cmw__wait_place),
        .init = init_shared,
        .self = &shape,
    };
    void *memory = NULL;

    const int rc = cmw__kept_retain(limit->engine, &memory, &kept);
    if (rc != 0)
        return cmw_diag_set(diag, rc, "concurrency_limit: %s", cmw_error_text(rc));
    limit->shared = memory;
    limit->source.hash_key = limit->shared->hash_key;
    return 0;
}

/* The sentences of the keys are rate_limit's. */
static int read_key(struct limit *limit, cmw_middleware *middleware,
                    const cmw_concurrency_limit_config *config, cmw_diag *diag)
{
    static const char theirs[] = "rate_limit: ";
    unsigned char mask[16] = {0};
    cmw_diag why = {0};

    if (config->key_limit == 0)
        return 0;
    for (int64_t i = 0; i < config->ipv6_prefix; i++)
        mask[i / 8] = (unsigned char)(mask[i / 8] | 0x80 >> i % 8);
    memcpy(limit->source.ipv6_mask, mask, sizeof mask);
    const int rc = cmw__rate_key_init(&limit->key, limit->engine, middleware, limit->arena,
                                      &limit->source, config->key, config->key_count, "key", &why);
    if (rc == 0)
        return 0;
    const size_t skipped =
        strncmp(why.message, theirs, sizeof theirs - 1) == 0 ? sizeof theirs - 1 : 0;
    return cmw_diag_set(diag, rc, "concurrency_limit: %s", why.message + skipped);
}

static int declare_slot(struct limit *limit, const char *name, cmw_diag *diag)
{
    char text[160];

    (void)snprintf(text, sizeof text, "concurrency_limit.%s", name ? name : "");
    const int rc = cmw_slot_declare(limit->engine, &limit->slot, text, sizeof(struct held), NULL);
    return rc == 0 ? 0
                   : cmw_diag_set(diag, rc, "concurrency_limit: its slot cannot be declared: %s",
                                  cmw_error_text(rc));
}

static int fill(struct limit *limit, cmw_middleware *middleware,
                const cmw_concurrency_limit_config *config, cmw_diag *diag)
{
    char number[24];

    limit->limit = (uint64_t)config->limit;
    limit->key_limit = (uint32_t)config->key_limit;
    limit->queue = (uint64_t)config->queue;
    limit->queue_ns = (uint64_t)config->queue_ms * 1000000;
    limit->status = (int)config->status;
    (void)snprintf(number, sizeof number, "%lld", (long long)config->retry_after_s);
    if (cmw_arena_dup(limit->arena, &limit->retry_after, cmw_str_cstr(number)) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "concurrency_limit: no memory");
    int rc = read_key(limit, middleware, config, diag);
    if (rc == 0)
        rc = share(limit, middleware->name, config, diag);
    if (rc == 0)
        rc = declare_slot(limit, middleware->name, diag);
    if (rc == 0 && (rc = cmw__builtin_uses(limit->engine, middleware, "cors")) != 0)
        (void)cmw_diag_set(diag, rc, "concurrency_limit: no memory");
    if (rc == 0 && limit->queue > 0 &&
        (rc = cmw__builtin_uses(limit->engine, middleware, "timeout")) != 0)
        (void)cmw_diag_set(diag, rc, "concurrency_limit: no memory");
    return rc;
}

static void set_callbacks(cmw_middleware *middleware, const struct limit *limit)
{
    middleware->pre_route = on_pre_route;
    middleware->complete = on_complete;
    cmw_middleware_provides(middleware, limit->slot);
    if (limit->queue == 0)
        return;
    middleware->suspend_phases = 1u << CMW_PHASE_PRE_ROUTE;
    middleware->resumed = on_resumed;
    middleware->dropped = on_dropped;
    middleware->error = on_error;
}

int cmw_concurrency_limit_create(cmw_engine *engine, cmw_middleware *middleware,
                                 const cmw_concurrency_limit_config *config, cmw_diag *diag)
{
    cmw_concurrency_limit_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_concurrency_limit_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "concurrency_limit: the config is of a newer version");
    int rc = check(&ours, diag);
    if (rc != 0)
        return rc;
    struct limit *limit =
        cmw__builtin_alloc(engine, &arena, sizeof *limit, "concurrency_limit", diag);
    if (!limit)
        return CMW_ERR_NOMEM;
    limit->arena = arena;
    limit->engine = engine;
    rc = fill(limit, middleware, &ours, diag);
    if (rc != 0) {
        destroy(limit);
        return rc;
    }

    middleware->kind = "concurrency_limit";
    middleware->priority = 310;
    middleware->self = limit;
    middleware->destroy = destroy;
    set_callbacks(middleware, limit);
    return 0;
}

static uint64_t read_counter(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

int cmw_concurrency_limit_get_stats(const cmw_middleware *middleware,
                                    cmw_concurrency_limit_stats *stats)
{
    if (!middleware || !stats || middleware->destroy != destroy)
        return CMW_ERR_ARG;
    if (stats->size != sizeof *stats)
        return CMW_ERR_VERSION;
    const struct shared *shared = ((const struct limit *)middleware->self)->shared;
    stats->in_flight = read_counter(&shared->in_flight);
    stats->waiting = read_counter(&shared->waiting);
    stats->waited = read_counter(&shared->waited);
    stats->refused = read_counter(&shared->refused);
    stats->refused_key = read_counter(&shared->refused_key);
    stats->expired = read_counter(&shared->expired);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_concurrency_limit_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_concurrency_limit_config_init_sized(config, sizeof(cmw_concurrency_limit_config));
}

static const cmw_option options[] = {
    {.name = "limit",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_concurrency_limit_config, limit),
     .min = 1,
     .max = CMW_CONCURRENCY_LIMIT_MAX,
     .help = "Requests in flight at once"},
    {.name = "key_limit",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_concurrency_limit_config, key_limit),
     .min = 0,
     .max = CMW_CONCURRENCY_LIMIT_MAX,
     .help = "Of those, of one key; 0: no such limit"},
    {.name = "key",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_concurrency_limit_config, key),
     .help = "Parts of the key: ip, header:NAME, principal, slot:NAME, route, host, path, method"},
    {.name = "ipv6_prefix",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_concurrency_limit_config, ipv6_prefix),
     .min = 1,
     .max = 128,
     .help = "Bits of an IPv6 client's address that count"},
    {.name = "queue",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_concurrency_limit_config, queue),
     .min = 0,
     .max = CMW_CONCURRENCY_QUEUE_MAX,
     .help = "Requests that may wait for a place; 0: none waits"},
    {.name = "queue_ms",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_concurrency_limit_config, queue_ms),
     .min = 1,
     .max = 600000,
     .help = "For how long at most"},
    {.name = "status",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_concurrency_limit_config, status),
     .min = 400,
     .max = 599,
     .help = "Status of a refusal"},
    {.name = "retry_after",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_concurrency_limit_config, retry_after_s),
     .min = 1,
     .max = 86400,
     .help = "Seconds for Retry-After"},
};

const cmw_kind cmw__kind_concurrency_limit = {
    .size = sizeof(cmw_kind),
    .name = "concurrency_limit",
    .summary = "So many requests in flight, of all and of each key, with a queue",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_concurrency_limit_config),
    .config_init = config_init,
    .create = create,
};
