/* SPDX-License-Identifier: MIT */
/* A breaker before a handler: who may try it, and how that went. */
#include <catzilla/builtin/circuit_breaker.h>

#include <stdatomic.h>
#include <stdio.h>

#include <catzilla/mw.h>

#include "breaker.h"
#include "builtins.h"
#include "kept.h"
#include "rate_fields.h"
#include "spin.h"

/* What plans share. */
struct shared {
    struct cmw__spin lock;
    struct cmw__breaker breaker;
    _Atomic uint64_t refused, failed;
};

struct circuit {
    cmw_arena *arena;
    cmw_engine *engine;
    struct shared *shared;
    struct cmw__breaker_rules rules;
    int failure_status;
    uint64_t slow_ns; /* 0: however long */
    int times_bodies;
    cmw_slot slot;
};

/* What a request that was let in has in its slot. */
struct held {
    int is_in;
    uint32_t era;
    uint64_t begun_ns;
    uint64_t answered_ns; /* with slow_ms: when the answer was there; 0: not yet */
};

static cmw_phase_fn on_pre_route, on_post_route;
static cmw_complete_fn on_complete;

/* ---- Requests --------------------------------------------------------------------------- */

static int refuse(const struct circuit *circuit, cmw_ctx *ctx, uint64_t retry_ns)
{
    atomic_fetch_add_explicit(&circuit->shared->refused, 1, memory_order_relaxed);
    if (cmw__rate_fields_set_retry(cmw_ctx_response(ctx), retry_ns) != 0)
        return CMW_ERROR;
    return cmw_respond_problem(ctx, 503, "what would answer has failed too often");
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct circuit *circuit = self;
    struct shared *shared = circuit->shared;
    struct held *held = cmw_ctx_set_slot(ctx, circuit->slot);
    const uint64_t now_ns = cmw_ctx_now_ns(ctx);
    uint64_t retry_ns = 0;

    if (!held)
        return CMW_ERROR;
    cmw__spin_lock(&shared->lock);
    const int is_in =
        cmw__breaker_admit(&shared->breaker, &circuit->rules, now_ns, &held->era, &retry_ns);
    cmw__spin_unlock(&shared->lock);
    if (!is_in)
        return refuse(circuit, ctx, retry_ns);
    held->is_in = 1;
    held->begun_ns = now_ns;
    return CMW_CONTINUE;
}

/* How long a client takes to read says nothing of who answers, or any client could open it. */
static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct circuit *circuit = self;
    struct held *held = cmw_ctx_slot(ctx, circuit->slot);

    if (held && held->is_in)
        held->answered_ns = cmw_ctx_now_ns(ctx);
    return CMW_CONTINUE;
}

/* Nor how long it takes to send a body, unless those who send one are trusted. */
static int is_timed(const struct circuit *circuit, cmw_ctx *ctx)
{
    return circuit->slow_ns != 0 &&
           (circuit->times_bodies || cmw_request_content_length(cmw_ctx_request(ctx)) == 0);
}

static enum cmw__breaker_outcome judge(const struct circuit *circuit, cmw_ctx *ctx,
                                       cmw_end_reason reason, uint64_t took_ns)
{
    const int status = cmw_response_status(cmw_ctx_response(ctx));

    if (is_timed(circuit, ctx) && took_ns > circuit->slow_ns)
        return CMW__BREAKER_FAILED;
    if (reason == CMW_END_CLIENT_GONE || reason == CMW_END_SHUTDOWN ||
        (reason == CMW_END_DEADLINE && status == 408)) /* its body came too slowly */
        return CMW__BREAKER_UNKNOWN;
    if (reason != CMW_END_SENT || status >= circuit->failure_status)
        return CMW__BREAKER_FAILED;
    return CMW__BREAKER_WELL;
}

static void on_complete(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    const struct circuit *circuit = self;
    struct shared *shared = circuit->shared;
    struct held *held = cmw_ctx_slot(ctx, circuit->slot);

    if (!held || !held->is_in)
        return;
    held->is_in = 0;
    const uint64_t now_ns = cmw_ctx_now_ns(ctx);
    const uint64_t end_ns = held->answered_ns != 0 ? held->answered_ns : now_ns;
    const uint64_t took_ns = end_ns > held->begun_ns ? end_ns - held->begun_ns : 0;
    const enum cmw__breaker_outcome outcome = judge(circuit, ctx, reason, took_ns);
    if (outcome == CMW__BREAKER_FAILED)
        atomic_fetch_add_explicit(&shared->failed, 1, memory_order_relaxed);
    cmw__spin_lock(&shared->lock);
    cmw__breaker_report(&shared->breaker, &circuit->rules, now_ns, held->era, outcome);
    cmw__spin_unlock(&shared->lock);
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct circuit *circuit = self;

    cmw__kept_release(circuit->engine, circuit->shared);
    cmw_arena_destroy(circuit->arena);
}

static int check_range(const char *option, int64_t value, int64_t min, int64_t max, cmw_diag *diag)
{
    if (value >= min && value <= max)
        return 0;
    return cmw_diag_set(diag, CMW_ERR_ARG, "circuit_breaker: %s: %lld is not %lld to %lld", option,
                        (long long)value, (long long)min, (long long)max);
}

static int check(const cmw_circuit_breaker_config *config, cmw_diag *diag)
{
    int rc = check_range("window_ms", config->window_ms, 10, 3600000, diag);

    if (rc == 0)
        rc = check_range("min_requests", config->min_requests, 1, 1000000, diag);
    if (rc == 0)
        rc = check_range("error_permille", config->error_permille, 1, 1000, diag);
    if (rc == 0)
        rc = check_range("open_ms", config->open_ms, 1, 3600000, diag);
    if (rc == 0)
        rc = check_range("probes", config->probes, 1, 1000, diag);
    if (rc == 0)
        rc = check_range("failure_status", config->failure_status, 400, 599, diag);
    if (rc == 0)
        rc = check_range("slow_ms", config->slow_ms, 0, 3600000, diag);
    return rc;
}

static int share(struct circuit *circuit, const char *name, cmw_diag *diag)
{
    const struct cmw__kept_config kept = {
        .kind = "circuit_breaker",
        .name = name,
        .shape = &circuit->rules.window_ns, /* the length of a slice */
        .shape_len = sizeof circuit->rules.window_ns,
        .bytes = sizeof(struct shared),
    };
    void *memory = NULL;

    if (cmw__kept_retain(circuit->engine, &memory, &kept) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "circuit_breaker: no memory");
    circuit->shared = memory;
    return 0;
}

static int fill(struct circuit *circuit, cmw_middleware *middleware,
                const cmw_circuit_breaker_config *config, cmw_diag *diag)
{
    char text[160];

    circuit->rules = (struct cmw__breaker_rules){
        .window_ns = (uint64_t)config->window_ms * 1000000,
        .open_ns = (uint64_t)config->open_ms * 1000000,
        .min_requests = (uint32_t)config->min_requests,
        .error_permille = (uint32_t)config->error_permille,
        .probes = (uint32_t)config->probes,
    };
    circuit->failure_status = (int)config->failure_status;
    circuit->slow_ns = (uint64_t)config->slow_ms * 1000000;
    circuit->times_bodies = config->slow_with_body != 0;
    int rc = share(circuit, middleware->name, diag);
    if (rc != 0)
        return rc;
    (void)snprintf(text, sizeof text, "circuit_breaker.%s",
                   middleware->name ? middleware->name : "");
    rc = cmw_slot_declare(circuit->engine, &circuit->slot, text, sizeof(struct held), NULL);
    if (rc != 0)
        return cmw_diag_set(diag, rc, "circuit_breaker: its slot cannot be declared: %s",
                            cmw_error_text(rc));
    if (cmw__builtin_uses(circuit->engine, middleware, "cors") != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "circuit_breaker: no memory");
    return 0;
}

int cmw_circuit_breaker_create(cmw_engine *engine, cmw_middleware *middleware,
                               const cmw_circuit_breaker_config *config, cmw_diag *diag)
{
    cmw_circuit_breaker_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_circuit_breaker_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "circuit_breaker: the config is of a newer version");
    int rc = check(&ours, diag);
    if (rc != 0)
        return rc;
    struct circuit *circuit =
        cmw__builtin_alloc(engine, &arena, sizeof *circuit, "circuit_breaker", diag);
    if (!circuit)
        return CMW_ERR_NOMEM;
    circuit->arena = arena;
    circuit->engine = engine;
    rc = fill(circuit, middleware, &ours, diag);
    if (rc != 0) {
        destroy(circuit);
        return rc;
    }

    middleware->kind = "circuit_breaker";
    middleware->priority = 800;
    middleware->self = circuit;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    middleware->complete = on_complete;
    if (circuit->slow_ns != 0)
        middleware->post_route = on_post_route;
    cmw_middleware_provides(middleware, circuit->slot);
    return 0;
}

int cmw_circuit_breaker_get_stats(const cmw_middleware *middleware,
                                  cmw_circuit_breaker_stats *stats)
{
    if (!middleware || !stats || middleware->destroy != destroy)
        return CMW_ERR_ARG;
    if (stats->size != sizeof *stats)
        return CMW_ERR_VERSION;
    struct shared *shared = ((const struct circuit *)middleware->self)->shared;
    cmw__spin_lock(&shared->lock);
    stats->state = (int)shared->breaker.state;
    cmw__spin_unlock(&shared->lock);
    stats->refused = atomic_load_explicit(&shared->refused, memory_order_relaxed);
    stats->failed = atomic_load_explicit(&shared->failed, memory_order_relaxed);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_circuit_breaker_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_circuit_breaker_config_init(config);
}

static const cmw_option options[] = {
    {.name = "window_ms",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_circuit_breaker_config, window_ms),
     .min = 10,
     .max = 3600000,
     .help = "Failures are counted over it"},
    {.name = "min_requests",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_circuit_breaker_config, min_requests),
     .min = 1,
     .max = 1000000,
     .help = "In the window, before anything is concluded"},
    {.name = "error_permille",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_circuit_breaker_config, error_permille),
     .min = 1,
     .max = 1000,
     .help = "Failures of a thousand requests that open it"},
    {.name = "open_ms",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_circuit_breaker_config, open_ms),
     .min = 1,
     .max = 3600000,
     .help = "How long nobody is let in"},
    {.name = "probes",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_circuit_breaker_config, probes),
     .min = 1,
     .max = 1000,
     .help = "Requests that must go well after that"},
    {.name = "failure_status",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_circuit_breaker_config, failure_status),
     .min = 400,
     .max = 599,
     .help = "A status from this one on is a failure"},
    {.name = "slow_ms",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_circuit_breaker_config, slow_ms),
     .min = 0,
     .max = 3600000,
     .help = "So is an answer that takes longer; 0: however long"},
    {.name = "slow_with_body",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_circuit_breaker_config, slow_with_body),
     .help = "slow_ms holds for requests with a body, too, which clients may send slowly"},
};

const cmw_kind cmw__kind_circuit_breaker = {
    .size = sizeof(cmw_kind),
    .name = "circuit_breaker",
    .summary = "503 for a while where too many requests failed",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_circuit_breaker_config),
    .config_init = config_init,
    .create = create,
};
