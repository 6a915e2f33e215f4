/* SPDX-License-Identifier: MIT */
/* 503 while a switch is on, but for clients of some networks. */
#include <catzilla/builtin/maintenance.h>

#include <stdio.h>

#include <catzilla/mw.h>

#include "builtins.h"

struct maintenance {
    cmw_arena *arena;
    cmw_engine *engine;
    cmw_switch *away;
    const cmw_network_set *allow;
    cmw_str retry_after; /* empty: none */
    cmw_str html;        /* empty: a problem document */
    const char *detail;
    int is_always;
};

static cmw_phase_fn on_pre_route;

/* ---- Requests --------------------------------------------------------------------------- */

static int answer(const struct maintenance *maintenance, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);
    int rc = cmw_response_set(response, CMW_HDR_CACHE_CONTROL, CMW_STR("no-store"));

    if (rc == 0 && maintenance->retry_after.len > 0)
        rc = cmw_response_set(response, CMW_HDR_RETRY_AFTER, maintenance->retry_after);
    if (rc != 0)
        return CMW_ERROR;
    if (maintenance->html.len > 0)
        return cmw_respond_html(ctx, 503, maintenance->html);
    return cmw_respond_problem(ctx, 503, maintenance->detail);
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct maintenance *maintenance = self;

    if (!maintenance->is_always && !cmw_switch_is_on(maintenance->away))
        return CMW_CONTINUE;
    const cmw_address *client = cmw_request_client_address(cmw_ctx_request(ctx));
    if (cmw_network_set_contains(maintenance->allow, client))
        return CMW_CONTINUE;
    return answer(maintenance, ctx);
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct maintenance *maintenance = self;
    cmw_switch_release(maintenance->engine, maintenance->away);
    cmw_arena_destroy(maintenance->arena);
}

static int copy_texts(struct maintenance *maintenance, const cmw_maintenance_config *config)
{
    char number[24] = "";

    if (config->retry_after_s > 0)
        (void)snprintf(number, sizeof number, "%lld", (long long)config->retry_after_s);
    maintenance->detail = cmw__builtin_copy(
        maintenance->arena, config->detail ? config->detail : "down for maintenance");
    if (!maintenance->detail ||
        cmw_arena_dup(maintenance->arena, &maintenance->html, cmw_str_cstr(config->html)) != 0)
        return CMW_ERR_NOMEM;
    return cmw_arena_dup(maintenance->arena, &maintenance->retry_after, cmw_str_cstr(number));
}

static int fill(struct maintenance *maintenance, const cmw_maintenance_config *config,
                cmw_diag *diag)
{
    cmw_network_set *allow;
    cmw_diag why = {0};

    int rc = cmw_network_set_create(&allow, maintenance->arena, config->allow, config->allow_count,
                                    &why);
    if (rc != 0)
        return cmw_diag_set(diag, rc, "maintenance: allow: %s", why.message);
    maintenance->allow = allow;
    rc = cmw_switch_retain(maintenance->engine, &maintenance->away, config->switch_name);
    if (rc != 0)
        return cmw_diag_set(diag, rc, "maintenance: switch: %s",
                            rc == CMW_ERR_ARG ? "a name has 1 to 64 characters"
                                              : cmw_error_text(rc));
    if (copy_texts(maintenance, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "maintenance: no memory");
    return 0;
}

int cmw_maintenance_create(cmw_engine *engine, cmw_middleware *middleware,
                           const cmw_maintenance_config *config, cmw_diag *diag)
{
    cmw_maintenance_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_maintenance_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "maintenance: the config is of a newer version");
    if (ours.retry_after_s < 0)
        return cmw_diag_set(diag, CMW_ERR_ARG, "maintenance: retry_after: %lld lies in the past",
                            (long long)ours.retry_after_s);
    struct maintenance *maintenance =
        cmw__builtin_alloc(engine, &arena, sizeof *maintenance, "maintenance", diag);
    if (!maintenance)
        return CMW_ERR_NOMEM;
    maintenance->arena = arena;
    maintenance->engine = engine;
    maintenance->is_always = ours.enabled != 0;
    int rc = fill(maintenance, &ours, diag);
    if (rc == 0 && (rc = cmw__builtin_uses(engine, middleware, "cors")) != 0)
        (void)cmw_diag_set(diag, rc, "maintenance: no memory");
    if (rc != 0) {
        destroy(maintenance);
        return rc;
    }

    middleware->kind = "maintenance";
    middleware->priority = 260;
    middleware->flags |= CMW_GUARDS_ACCESS;
    middleware->self = maintenance;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    cmw_middleware_uses(middleware, CMW_FACT_CLIENT_ADDRESS);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_maintenance_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_maintenance_config_init(config);
}

static const cmw_option options[] = {
    {.name = "enabled",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_maintenance_config, enabled),
     .help = "Away whatever the switch says"},
    {.name = "switch",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_maintenance_config, switch_name),
     .help = "Name of the switch that a program throws"},
    {.name = "retry_after",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_maintenance_config, retry_after_s),
     .max = 31536000,
     .help = "Seconds for Retry-After; 0: none"},
    {.name = "allow",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_maintenance_config, allow),
     .help = "Networks whose clients are served all the same"},
    {.name = "html",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_maintenance_config, html),
     .help = "Body of the answer; else a problem document"},
    {.name = "detail",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_maintenance_config, detail),
     .help = "Detail of the problem document"},
};

const cmw_kind cmw__kind_maintenance = {
    .size = sizeof(cmw_kind),
    .name = "maintenance",
    .summary = "503 with Retry-After while a switch is on",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_maintenance_config),
    .config_init = config_init,
    .create = create,
};
