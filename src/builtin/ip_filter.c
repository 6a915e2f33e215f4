/* SPDX-License-Identifier: MIT */
/* Which client addresses may pass. */
#include <catzilla/builtin/ip_filter.h>

#include <catzilla/mw.h>

#include "builtins.h"

struct ip_filter {
    cmw_arena *arena;
    cmw_network_set *allow; /* NULL: no such rules */
    cmw_network_set *deny;
    int status;
};

static cmw_phase_fn on_pre_route;

static int may_pass(const struct ip_filter *filter, const cmw_address *client)
{
    if (client->family == CMW_ADDRESS_NONE)
        return !filter->allow && !filter->deny;
    if (filter->deny && cmw_network_set_contains(filter->deny, client))
        return 0;
    return !filter->allow || cmw_network_set_contains(filter->allow, client);
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct ip_filter *filter = self;

    if (may_pass(filter, cmw_request_client_address(cmw_ctx_request(ctx))))
        return CMW_CONTINUE;
    return cmw_respond_problem(ctx, filter->status, "the client's address may not come here");
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct ip_filter *filter = self;
    cmw_arena_destroy(filter->arena);
}

static int fill(struct ip_filter *filter, const cmw_ip_filter_config *config, cmw_diag *diag)
{
    int rc = 0;

    filter->status = (int)config->status;
    if (config->allow_count > 0)
        rc = cmw__builtin_networks(&filter->allow, filter->arena, "ip_filter: allow", config->allow,
                                   config->allow_count, diag);
    if (rc == 0 && config->deny_count > 0)
        rc = cmw__builtin_networks(&filter->deny, filter->arena, "ip_filter: deny", config->deny,
                                   config->deny_count, diag);
    return rc;
}

int cmw_ip_filter_create(cmw_engine *engine, cmw_middleware *middleware,
                         const cmw_ip_filter_config *config, cmw_diag *diag)
{
    cmw_ip_filter_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_ip_filter_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "ip_filter: the config is of a newer version");
    if (ours.status < 400 || ours.status > 599)
        return cmw_diag_set(diag, CMW_ERR_ARG, "ip_filter: status: %lld is not 400 to 599",
                            (long long)ours.status);
    struct ip_filter *filter =
        cmw__builtin_alloc(engine, &arena, sizeof *filter, "ip_filter", diag);
    if (!filter)
        return CMW_ERR_NOMEM;
    filter->arena = arena;
    const int rc = fill(filter, &ours, diag);
    if (rc != 0) {
        destroy(filter);
        return rc;
    }

    middleware->kind = "ip_filter";
    middleware->priority = 150;
    middleware->flags |= CMW_GUARDS_ACCESS;
    middleware->self = filter;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    cmw_middleware_uses(middleware, CMW_FACT_CLIENT_ADDRESS);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_ip_filter_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_ip_filter_config_init(config);
}

static const cmw_option options[] = {
    {.name = "allow",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_ip_filter_config, allow),
     .help = "Addresses and networks that may pass; where there are some, nobody else may"},
    {.name = "deny",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_ip_filter_config, deny),
     .help = "Addresses and networks that may not pass, though allow names them"},
    {.name = "status",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_ip_filter_config, status),
     .min = 400,
     .max = 599,
     .help = "Status of the refusal"},
};

const cmw_kind cmw__kind_ip_filter = {
    .size = sizeof(cmw_kind),
    .name = "ip_filter",
    .summary = "Lets requests pass or not by the client's address",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_ip_filter_config),
    .config_init = config_init,
    .create = create,
};
