/* SPDX-License-Identifier: MIT */
/*
 * Liveness and readiness. What the checks said is kept for a while in one word, so that many
 * probes do not become many checks:
 *
 *   | when they were asked, in ms (63 bits) | all passed (1 bit) |
 */
#include <catzilla/builtin/health.h>

#include <stdatomic.h>

#include <catzilla/mw.h>

#include "builtins.h"

enum { CHECK_LIMIT = 64 };

struct health {
    cmw_arena *arena;
    cmw_engine *engine;
    cmw_switch *drain;
    cmw_str live_path, ready_path;
    uint64_t cache_ms;
    int show_checks;
    cmw_health_check *checks;
    size_t check_count;
    _Atomic uint64_t verdict; /* 0: never asked */
    _Atomic uint64_t failed;  /* bit i: check i failed when it was asked last */
};

static cmw_phase_fn on_pre_route;

/* ---- Requests --------------------------------------------------------------------------- */

static int ask_checks(struct health *health)
{
    uint64_t failed = 0;

    for (size_t i = 0; i < health->check_count; i++)
        if (!health->checks[i].check(health->checks[i].self))
            failed |= UINT64_C(1) << i;
    atomic_store_explicit(&health->failed, failed, memory_order_relaxed);
    return failed == 0;
}

/* Two workers that find the verdict old both ask: a check must bear that. */
static int checks_pass(struct health *health, cmw_ctx *ctx)
{
    const uint64_t now_ms = cmw_ctx_begin_ns(ctx) / 1000000;
    const uint64_t verdict = atomic_load_explicit(&health->verdict, memory_order_acquire);

    if (health->check_count == 0)
        return 1;
    if (verdict != 0 && now_ms - (verdict >> 1) < health->cache_ms)
        return (int)(verdict & 1);
    const int pass = ask_checks(health);
    atomic_store_explicit(&health->verdict, now_ms << 1 | (unsigned)pass, memory_order_release);
    return pass;
}

static void write_checks(const struct health *health, cmw_json *json)
{
    const uint64_t failed = atomic_load_explicit(&health->failed, memory_order_relaxed);

    cmw_json_key(json, CMW_STR("checks"));
    cmw_json_object_begin(json);
    for (size_t i = 0; i < health->check_count; i++) {
        cmw_json_key(json, cmw_str_cstr(health->checks[i].name));
        cmw_json_string(json, failed >> i & 1 ? CMW_STR("fail") : CMW_STR("pass"));
    }
    cmw_json_object_end(json);
}

static int answer(const struct health *health, cmw_ctx *ctx, int pass, int with_checks)
{
    cmw_response *response = cmw_ctx_response(ctx);

    if (cmw_response_set(response, CMW_HDR_CACHE_CONTROL, CMW_STR("no-store")) != 0)
        return CMW_ERROR;
    cmw_json *json = cmw_response_json(response, pass ? 200 : 503);
    if (!json)
        return CMW_ERROR;
    cmw_json_object_begin(json);
    cmw_json_key(json, CMW_STR("status"));
    cmw_json_string(json, pass ? CMW_STR("pass") : CMW_STR("fail"));
    if (with_checks)
        write_checks(health, json);
    cmw_json_object_end(json);
    return CMW_STOP;
}

static int refuse_method(cmw_ctx *ctx)
{
    if (cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_ALLOW, CMW_STR("GET, HEAD")) != 0)
        return CMW_ERROR;
    return cmw_respond_problem(ctx, 405, "health is asked by GET or HEAD");
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    struct health *health = self;
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_str path = cmw_request_path(request);
    const int is_live = path.len > 0 && cmw_str_equals(path, health->live_path);

    if (!is_live && (path.len == 0 || !cmw_str_equals(path, health->ready_path)))
        return CMW_CONTINUE;
    const cmw_method method = cmw_request_method_id(request);
    if (method != CMW_METHOD_GET && method != CMW_METHOD_HEAD)
        return refuse_method(ctx);
    if (is_live)
        return answer(health, ctx, 1, 0);
    const int pass = checks_pass(health, ctx) && !cmw_switch_is_on(health->drain);
    return answer(health, ctx, pass, health->show_checks);
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct health *health = self;
    cmw_switch_release(health->engine, health->drain);
    cmw_arena_destroy(health->arena);
}

static int check_path(const char *option, const char *path, cmw_diag *diag)
{
    if (!path || path[0] == '\0' || path[0] == '/')
        return 0;
    return cmw_diag_set(diag, CMW_ERR_INVALID, "health: %s: '%s' does not begin with '/'", option,
                        path);
}

static int check_config(const cmw_health_config *config, cmw_diag *diag)
{
    int rc = check_path("live_path", config->live_path, diag);

    if (rc == 0)
        rc = check_path("ready_path", config->ready_path, diag);
    if (rc != 0)
        return rc;
    if (config->cache_ms < 0)
        return cmw_diag_set(diag, CMW_ERR_ARG, "health: cache_ms: %lld is less than nothing",
                            (long long)config->cache_ms);
    if (config->check_count > CHECK_LIMIT || (config->check_count > 0 && !config->checks))
        return cmw_diag_set(diag, CMW_ERR_ARG, "health: checks: at most %d can be given",
                            CHECK_LIMIT);
    for (size_t i = 0; i < config->check_count; i++)
        if (!config->checks[i].name || !config->checks[i].check)
            return cmw_diag_set(diag, CMW_ERR_ARG, "health: checks: number %zu lacks %s", i,
                                config->checks[i].name ? "its function" : "a name");
    return 0;
}

static int copy_checks(struct health *health, const cmw_health_config *config)
{
    health->checks = cmw_arena_alloc(health->arena, config->check_count * sizeof *health->checks);
    if (!health->checks)
        return CMW_ERR_NOMEM;
    for (size_t i = 0; i < config->check_count; i++) {
        health->checks[i] = config->checks[i];
        health->checks[i].name = cmw__builtin_copy(health->arena, config->checks[i].name);
        if (!health->checks[i].name)
            return CMW_ERR_NOMEM;
    }
    health->check_count = config->check_count;
    return 0;
}

static int fill(struct health *health, const cmw_health_config *config, cmw_diag *diag)
{
    const int rc = cmw_switch_retain(health->engine, &health->drain, config->drain_switch);

    if (rc != 0)
        return cmw_diag_set(diag, rc, "health: drain_switch: %s",
                            rc == CMW_ERR_ARG ? "a name has 1 to 64 characters"
                                              : cmw_error_text(rc));
    health->cache_ms = (uint64_t)config->cache_ms;
    health->show_checks = config->show_checks;
    if (cmw_arena_dup(health->arena, &health->live_path, cmw_str_cstr(config->live_path)) != 0 ||
        cmw_arena_dup(health->arena, &health->ready_path, cmw_str_cstr(config->ready_path)) != 0 ||
        copy_checks(health, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "health: no memory");
    return 0;
}

int cmw_health_create(cmw_engine *engine, cmw_middleware *middleware,
                      const cmw_health_config *config, cmw_diag *diag)
{
    cmw_health_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_health_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "health: the config is of a newer version");
    int rc = check_config(&ours, diag);
    if (rc != 0)
        return rc;
    struct health *health = cmw__builtin_alloc(engine, &arena, sizeof *health, "health", diag);
    if (!health)
        return CMW_ERR_NOMEM;
    health->arena = arena;
    health->engine = engine;
    atomic_init(&health->verdict, 0);
    atomic_init(&health->failed, 0);
    rc = fill(health, &ours, diag);
    if (rc != 0) {
        destroy(health);
        return rc;
    }

    middleware->kind = "health";
    middleware->priority = 230;
    middleware->self = health;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    cmw_middleware_uses(middleware, CMW_FACT_CANONICAL_PATH);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_health_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_health_config_init(config);
}

static const cmw_option options[] = {
    {.name = "live_path",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_health_config, live_path),
     .help = "Path that is answered 200 while requests are served; empty: none"},
    {.name = "ready_path",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_health_config, ready_path),
     .help = "Path that is answered 503 while draining or a check fails; empty: none"},
    {.name = "drain_switch",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_health_config, drain_switch),
     .help = "Name of the switch that says: no more traffic"},
    {.name = "cache_ms",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_health_config, cache_ms),
     .max = 3600000,
     .help = "Milliseconds for which the answer of the checks is good"},
    {.name = "show_checks",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_health_config, show_checks),
     .help = "Name the checks in the answer"},
};

const cmw_kind cmw__kind_health = {
    .size = sizeof(cmw_kind),
    .name = "health",
    .summary = "Answers whether the process lives and may get traffic",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_health_config),
    .config_init = config_init,
    .create = create,
};
