/* SPDX-License-Identifier: MIT */
/* Requests in flight against a limit that follows their latency. */
#include <catzilla/builtin/load_shed.h>

#include <stdatomic.h>
#include <stdio.h>

#include <catzilla/mw.h>

#include "builtins.h"
#include "gradient.h"
#include "kept.h"
#include "path_rule.h"
#include "spin.h"

enum { INITIAL_LIMIT = 100 }; /* unless the config says otherwise */

struct class
{
    struct cmw__path_rule *paths;
    size_t path_count;
    cmw_str *methods;
    size_t method_count;
    uint32_t share_permille;
};

/* What plans share. */
struct shared {
    _Atomic uint32_t in_flight;
    _Atomic uint32_t limit; /* the gradient's, to be read without its lock */
    _Atomic uint64_t refused;
    struct cmw__spin lock;
    struct cmw__gradient gradient;
};

struct shed {
    cmw_arena *arena;
    cmw_engine *engine;
    struct shared *shared;
    struct cmw__gradient_rules rules;
    struct class *classes;
    size_t class_count;
    cmw_str retry_after;
    cmw_slot slot;
};

/* What a request that was let in has in its slot. */
struct held {
    int is_in;
    uint32_t in_flight; /* with it, when it came */
    uint64_t begun_ns;
    uint64_t answered_ns; /* when the answer was there; 0: not yet */
};

static cmw_phase_fn on_pre_route, on_post_route;
static cmw_complete_fn on_complete;

/* ---- Requests --------------------------------------------------------------------------- */

static int has_method(const struct class *of, cmw_request *request)
{
    for (size_t i = 0; i < of->method_count; i++)
        if (cmw_str_equals(of->methods[i], cmw_request_method(request)))
            return 1;
    return of->method_count == 0;
}

static int has_path(const struct class *of, cmw_request *request)
{
    struct cmw__path_match match;

    for (size_t i = 0; i < of->path_count; i++)
        if (cmw__path_rule_matches(&of->paths[i], cmw_request_path(request), &match))
            return 1;
    return of->path_count == 0;
}

static uint32_t share_of(const struct shed *shed, cmw_ctx *ctx)
{
    cmw_request *request = cmw_ctx_request(ctx);

    for (size_t i = 0; i < shed->class_count; i++)
        if (has_method(&shed->classes[i], request) && has_path(&shed->classes[i], request))
            return shed->classes[i].share_permille;
    return 1000;
}

/* One at least: a class is never shut out while nothing else is in flight. */
static uint32_t limit_of(const struct shed *shed, cmw_ctx *ctx)
{
    const uint64_t limit = atomic_load_explicit(&shed->shared->limit, memory_order_relaxed);
    const uint64_t share = limit * share_of(shed, ctx) / 1000;

    return share > 0 ? (uint32_t)share : 1;
}

static int refuse(const struct shed *shed, cmw_ctx *ctx)
{
    atomic_fetch_add_explicit(&shed->shared->refused, 1, memory_order_relaxed);
    if (cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_RETRY_AFTER, shed->retry_after) != 0)
        return CMW_ERROR;
    return cmw_respond_problem(ctx, 503, "the server is busy");
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct shed *shed = self;
    struct held *held = cmw_ctx_set_slot(ctx, shed->slot);

    if (!held)
        return CMW_ERROR;
    const uint32_t limit = limit_of(shed, ctx);
    const uint32_t before =
        atomic_fetch_add_explicit(&shed->shared->in_flight, 1, memory_order_relaxed);
    if (before >= limit) {
        atomic_fetch_sub_explicit(&shed->shared->in_flight, 1, memory_order_relaxed);
        return refuse(shed, ctx);
    }
    *held = (struct held){1, before + 1, cmw_ctx_now_ns(ctx), 0};
    return CMW_CONTINUE;
}

/* How long a client takes to read is its own affair: else any client could make the limit small. */
static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct shed *shed = self;
    struct held *held = cmw_ctx_slot(ctx, shed->slot);

    if (held && held->is_in)
        held->answered_ns = cmw_ctx_now_ns(ctx);
    return CMW_CONTINUE;
}

/* Who left, or was sent away as the server closes, says nothing of how long an answer takes; nor
 * does who had a body to send, at a pace of its own. */
static int tells(cmw_ctx *ctx, cmw_end_reason reason)
{
    return reason != CMW_END_CLIENT_GONE && reason != CMW_END_SHUTDOWN &&
           cmw_request_content_length(cmw_ctx_request(ctx)) == 0;
}

/* An error may be late, but is not fast: refusals are made in no time, and a flood of them would
 * make all others look late. */
static int is_fast_error(const struct cmw__gradient *gradient, cmw_ctx *ctx, uint64_t took_ns)
{
    return cmw_response_status(cmw_ctx_response(ctx)) >= 400 &&
           (gradient->long_ns <= 0 || (double)took_ns < gradient->long_ns);
}

static void on_complete(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    const struct shed *shed = self;
    struct shared *shared = shed->shared;
    struct held *held = cmw_ctx_slot(ctx, shed->slot);

    if (!held || !held->is_in)
        return;
    held->is_in = 0;
    atomic_fetch_sub_explicit(&shared->in_flight, 1, memory_order_relaxed);
    if (!tells(ctx, reason))
        return;
    const uint64_t now_ns = cmw_ctx_now_ns(ctx);
    const uint64_t end_ns = held->answered_ns != 0 ? held->answered_ns : now_ns;
    const uint64_t took_ns = end_ns > held->begun_ns ? end_ns - held->begun_ns : 0;
    cmw__spin_lock(&shared->lock);
    if (!is_fast_error(&shared->gradient, ctx, took_ns)) {
        const uint32_t limit =
            cmw__gradient_sample(&shared->gradient, &shed->rules, now_ns, took_ns, held->in_flight);
        atomic_store_explicit(&shared->limit, limit, memory_order_relaxed);
    }
    cmw__spin_unlock(&shared->lock);
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct shed *shed = self;

    cmw__kept_release(shed->engine, shed->shared);
    cmw_arena_destroy(shed->arena);
}

static int no_memory(cmw_diag *diag)
{
    return cmw_diag_set(diag, CMW_ERR_NOMEM, "load_shed: no memory");
}

static int check_range(const char *option, int64_t value, int64_t min, int64_t max, cmw_diag *diag)
{
    if (value >= min && value <= max)
        return 0;
    return cmw_diag_set(diag, CMW_ERR_ARG, "load_shed: %s: %lld is not %lld to %lld", option,
                        (long long)value, (long long)min, (long long)max);
}

static int check(const cmw_load_shed_config *config, cmw_diag *diag)
{
    int rc = check_range("max_limit", config->max_limit, 1, 1000000, diag);

    if (rc == 0)
        rc = check_range("min_limit", config->min_limit, 1, config->max_limit, diag);
    if (rc == 0 && config->initial_limit != 0)
        rc = check_range("initial_limit", config->initial_limit, config->min_limit,
                         config->max_limit, diag);
    if (rc == 0)
        rc = check_range("tolerance_permille", config->tolerance_permille, 1000, 10000, diag);
    if (rc == 0)
        rc = check_range("window_ms", config->window_ms, 10, 60000, diag);
    if (rc == 0)
        rc = check_range("retry_after", config->retry_after_s, 1, 86400, diag);
    if (rc == 0 && (config->class_count > CMW_LOAD_SHED_CLASSES_MAX ||
                    (config->class_count > 0 && !config->classes)))
        rc = cmw_diag_set(diag, CMW_ERR_ARG, "load_shed: classes: at most %d can be given",
                          CMW_LOAD_SHED_CLASSES_MAX);
    return rc;
}

static int copy_class(struct shed *shed, size_t index, const cmw_load_shed_class *from,
                      cmw_diag *diag)
{
    struct class *to = &shed->classes[index];
    char subject[48];

    (void)snprintf(subject, sizeof subject, "classes[%zu].share_permille", index);
    int rc = check_range(subject, from->share_permille, 1, 1000, diag);
    if (rc != 0)
        return rc;
    (void)snprintf(subject, sizeof subject, "load_shed: classes[%zu]", index);
    to->share_permille = (uint32_t)from->share_permille;
    to->paths = cmw_arena_alloc(shed->arena, from->path_count * sizeof *to->paths);
    to->methods = cmw_arena_alloc(shed->arena, from->method_count * sizeof *to->methods);
    if (!to->paths || !to->methods)
        return no_memory(diag);
    for (size_t i = 0; i < from->path_count && rc == 0; i++)
        rc = cmw__path_rule_init(&to->paths[i], shed->arena, from->paths[i], "/", 0, subject, diag);
    for (size_t i = 0; i < from->method_count && rc == 0; i++) {
        const cmw_str method = cmw_str_cstr(from->methods[i]);
        if (!cmw_header_name_is_valid(method))
            return cmw_diag_set(diag, CMW_ERR_INVALID, "%s: '%s' is not a method", subject,
                                from->methods[i] ? from->methods[i] : "");
        if (cmw_arena_dup(shed->arena, &to->methods[i], method) != 0)
            return no_memory(diag);
    }
    to->path_count = from->path_count;
    to->method_count = from->method_count;
    return rc;
}

static int copy_classes(struct shed *shed, const cmw_load_shed_config *config, cmw_diag *diag)
{
    int rc = 0;

    shed->classes = cmw_arena_alloc(shed->arena, config->class_count * sizeof *shed->classes);
    if (!shed->classes)
        return no_memory(diag);
    for (size_t i = 0; i < config->class_count && rc == 0; i++)
        rc = copy_class(shed, i, &config->classes[i], diag);
    shed->class_count = config->class_count;
    return rc;
}

static int init_shared(void *self, void *memory)
{
    const struct shed *shed = self;
    struct shared *shared = memory;

    cmw__gradient_init(&shared->gradient, &shed->rules, 0);
    atomic_init(&shared->limit, shed->rules.initial_limit);
    return 0;
}

/* Other bounds are another search. */
static int share(struct shed *shed, const char *name, cmw_diag *diag)
{
    const uint64_t shape[] = {shed->rules.min_limit, shed->rules.max_limit,
                              shed->rules.initial_limit};
    const struct cmw__kept_config kept = {
        .kind = "load_shed",
        .name = name,
        .shape = shape,
        .shape_len = sizeof shape,
        .bytes = sizeof(struct shared),
        .init = init_shared,
        .self = shed,
    };
    void *memory = NULL;

    if (cmw__kept_retain(shed->engine, &memory, &kept) != 0)
        return no_memory(diag);
    shed->shared = memory;
    return 0;
}

static int declare_slot(struct shed *shed, const char *name, cmw_diag *diag)
{
    char text[160];

    (void)snprintf(text, sizeof text, "load_shed.%s", name ? name : "");
    const int rc = cmw_slot_declare(shed->engine, &shed->slot, text, sizeof(struct held), NULL);
    return rc == 0 ? 0
                   : cmw_diag_set(diag, rc, "load_shed: its slot cannot be declared: %s",
                                  cmw_error_text(rc));
}

static uint32_t initial_limit(const cmw_load_shed_config *config)
{
    int64_t limit = config->initial_limit;

    if (limit == 0)
        limit = INITIAL_LIMIT;
    if (limit < config->min_limit)
        limit = config->min_limit;
    return (uint32_t)(limit < config->max_limit ? limit : config->max_limit);
}

static int fill(struct shed *shed, cmw_middleware *middleware, const cmw_load_shed_config *config,
                cmw_diag *diag)
{
    char number[24];

    shed->rules = (struct cmw__gradient_rules){
        .min_limit = (uint32_t)config->min_limit,
        .max_limit = (uint32_t)config->max_limit,
        .initial_limit = initial_limit(config),
        .tolerance_permille = (uint32_t)config->tolerance_permille,
        .window_ns = (uint64_t)config->window_ms * 1000000,
        .min_samples = 10,
    };
    (void)snprintf(number, sizeof number, "%lld", (long long)config->retry_after_s);
    if (cmw_arena_dup(shed->arena, &shed->retry_after, cmw_str_cstr(number)) != 0)
        return no_memory(diag);
    int rc = copy_classes(shed, config, diag);
    if (rc == 0)
        rc = share(shed, middleware->name, diag);
    if (rc == 0)
        rc = declare_slot(shed, middleware->name, diag);
    if (rc == 0 && cmw__builtin_uses(shed->engine, middleware, "cors") != 0)
        rc = no_memory(diag);
    return rc;
}

int cmw_load_shed_create(cmw_engine *engine, cmw_middleware *middleware,
                         const cmw_load_shed_config *config, cmw_diag *diag)
{
    cmw_load_shed_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_load_shed_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "load_shed: the config is of a newer version");
    int rc = check(&ours, diag);
    if (rc != 0)
        return rc;
    struct shed *shed = cmw__builtin_alloc(engine, &arena, sizeof *shed, "load_shed", diag);
    if (!shed)
        return CMW_ERR_NOMEM;
    shed->arena = arena;
    shed->engine = engine;
    rc = fill(shed, middleware, &ours, diag);
    if (rc != 0) {
        destroy(shed);
        return rc;
    }

    middleware->kind = "load_shed";
    middleware->priority = 255;
    middleware->self = shed;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    middleware->post_route = on_post_route;
    middleware->complete = on_complete;
    cmw_middleware_provides(middleware, shed->slot);
    for (size_t i = 0; i < shed->class_count; i++)
        if (shed->classes[i].path_count > 0) {
            cmw_middleware_uses(middleware, CMW_FACT_CANONICAL_PATH);
            break;
        }
    return 0;
}

int cmw_load_shed_get_stats(const cmw_middleware *middleware, cmw_load_shed_stats *stats)
{
    if (!middleware || !stats || middleware->destroy != destroy)
        return CMW_ERR_ARG;
    if (stats->size != sizeof *stats)
        return CMW_ERR_VERSION;
    const struct shared *shared = ((const struct shed *)middleware->self)->shared;
    stats->limit = atomic_load_explicit(&shared->limit, memory_order_relaxed);
    stats->in_flight = atomic_load_explicit(&shared->in_flight, memory_order_relaxed);
    stats->refused = atomic_load_explicit(&shared->refused, memory_order_relaxed);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_load_shed_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_load_shed_config_init(config);
}

static void class_init(void *of)
{
    cmw_load_shed_class_init(of);
}

static const cmw_option class_options[] = {
    {.name = "paths",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_load_shed_class, paths),
     .help = "Any of these patterns: /health, /users/{id}, /api/*"},
    {.name = "methods",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_load_shed_class, methods),
     .help = "Any of these methods"},
    {.name = "share_permille",
     .type = CMW_OPTION_INT,
     .flags = CMW_OPTION_REQUIRED,
     .offset = offsetof(cmw_load_shed_class, share_permille),
     .min = 1,
     .max = 1000,
     .help = "Of the limit: beyond it the class is refused"},
};

static const cmw_option options[] = {
    {.name = "min_limit",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_load_shed_config, min_limit),
     .min = 1,
     .max = 1000000,
     .help = "The limit never falls below this"},
    {.name = "max_limit",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_load_shed_config, max_limit),
     .min = 1,
     .max = 1000000,
     .help = "The limit never rises above this"},
    {.name = "initial_limit",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_load_shed_config, initial_limit),
     .min = 0,
     .max = 1000000,
     .help = "The limit at first; 0: 100, or the end that is nearest to it"},
    {.name = "tolerance_permille",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_load_shed_config, tolerance_permille),
     .min = 1000,
     .max = 10000,
     .help = "How much longer than usual is no reason to refuse"},
    {.name = "window_ms",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_load_shed_config, window_ms),
     .min = 10,
     .max = 60000,
     .help = "Latencies are averaged over it"},
    {.name = "classes",
     .type = CMW_OPTION_OBJECT_LIST,
     .offset = offsetof(cmw_load_shed_config, classes),
     .members = class_options,
     .member_count = sizeof class_options / sizeof class_options[0],
     .object_size = sizeof(cmw_load_shed_class),
     .object_init = class_init,
     .help = "What may have how much of the limit; the first that a request is of counts"},
    {.name = "retry_after",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_load_shed_config, retry_after_s),
     .min = 1,
     .max = 86400,
     .help = "Seconds for Retry-After"},
};

const cmw_kind cmw__kind_load_shed = {
    .size = sizeof(cmw_kind),
    .name = "load_shed",
    .summary = "Refuses what would make all answers late, by the gradient of latency",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_load_shed_config),
    .config_init = config_init,
    .create = create,
};
