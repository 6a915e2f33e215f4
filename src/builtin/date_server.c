/* SPDX-License-Identifier: MIT */
/* Date, written once a second, and Server. */
#include <catzilla/builtin/date_server.h>

#include <catzilla/http_date.h>
#include <catzilla/mw.h>

#include "builtins.h"

/* A worker's, alone in its line. */
struct clock {
    _Alignas(64) cmw_http_date_cache cache;
};

struct date_server {
    cmw_arena *arena;
    struct clock *clocks; /* of all workers; NULL: no Date */
    cmw_header server;    /* a field of the descriptor, if it has a value */
};

static cmw_phase_fn on_post_route;

static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct date_server *date = self;
    cmw_response *response = cmw_ctx_response(ctx);

    if (cmw_response_has(response, CMW_HDR_DATE))
        return CMW_CONTINUE;
    struct clock *clock = &date->clocks[cmw_worker_index(cmw_ctx_worker(ctx))];
    const cmw_str text = cmw_http_date_at(&clock->cache, cmw_ctx_wall_ns(ctx));
    return cmw_response_append(response, CMW_HDR_DATE, text) == 0 ? CMW_CONTINUE : CMW_ERROR;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct date_server *date = self;
    cmw_arena_destroy(date->arena);
}

static int check(const cmw_date_server_config *config, cmw_diag *diag)
{
    const cmw_str server = cmw_str_cstr(config->server);

    if (!config->date && server.len == 0)
        return cmw_diag_set(diag, CMW_ERR_ARG, "date_server: neither date nor server is asked for");
    if (server.len > 0 && cmw_response_check_field(CMW_STR("Server"), server) != 0)
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "date_server: server: the text cannot stand in a field");
    return 0;
}

static int make_clocks(struct date_server *date, cmw_engine *engine)
{
    const size_t bytes = cmw_engine_worker_limit(engine) * sizeof *date->clocks;
    char *memory = cmw_arena_alloc(date->arena, bytes + 64);

    if (!memory)
        return CMW_ERR_NOMEM;
    memory += (64 - (uintptr_t)memory % 64) % 64;
    date->clocks = (struct clock *)(void *)memory;
    memset(memory, 0, bytes);
    return 0;
}

static int fill(struct date_server *date, cmw_engine *engine, const cmw_date_server_config *config,
                cmw_diag *diag)
{
    date->server.name = CMW_STR("Server");
    if (cmw_arena_dup(date->arena, &date->server.value, cmw_str_cstr(config->server)) != 0 ||
        (config->date && make_clocks(date, engine) != 0))
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "date_server: no memory");
    return 0;
}

int cmw_date_server_create(cmw_engine *engine, cmw_middleware *middleware,
                           const cmw_date_server_config *config, cmw_diag *diag)
{
    cmw_date_server_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_date_server_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "date_server: the config is of a newer version");
    int rc = check(&ours, diag);
    if (rc != 0)
        return rc;
    struct date_server *date =
        cmw__builtin_alloc(engine, &arena, sizeof *date, "date_server", diag);
    if (!date)
        return CMW_ERR_NOMEM;
    date->arena = arena;
    rc = fill(date, engine, &ours, diag);
    if (rc != 0) {
        destroy(date);
        return rc;
    }

    middleware->kind = "date_server";
    middleware->priority = 20;
    middleware->post_priority = 58000;
    middleware->failure = CMW_FAIL_OPEN;
    middleware->self = date;
    middleware->destroy = destroy;
    if (date->clocks)
        middleware->post_route = on_post_route;
    if (date->server.value.len > 0) {
        middleware->flags |= CMW_FIELDS_IF_ABSENT;
        middleware->fields = &date->server;
        middleware->field_count = 1;
    }
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_date_server_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_date_server_config_init(config);
}

static const cmw_option options[] = {
    {.name = "date",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_date_server_config, date),
     .help = "Send Date"},
    {.name = "server",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_date_server_config, server),
     .help = "Value of Server; empty: none"},
};

const cmw_kind cmw__kind_date_server = {
    .size = sizeof(cmw_kind),
    .name = "date_server",
    .summary = "The fields Date and Server",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_date_server_config),
    .config_init = config_init,
    .create = create,
};
