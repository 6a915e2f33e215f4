/* SPDX-License-Identifier: MIT */
/* A limit for bodies: what is declared is judged here, what comes is counted by the engine. */
#include <catzilla/builtin/body_limit.h>

#include <catzilla/mw.h>

#include "builtins.h"

struct body_limit {
    cmw_arena *arena;
    uint64_t bytes;
    int refuses_unknown;
};

static cmw_phase_fn on_pre_route;

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct body_limit *limit = self;

    if (limit->refuses_unknown &&
        cmw_request_content_length(cmw_ctx_request(ctx)) == CMW_LENGTH_UNKNOWN)
        return cmw_respond_problem(ctx, 411, "the length of the body must be declared");
    const int rc = cmw_ctx_limit_body(ctx, limit->bytes);
    if (rc == CMW_ERR_LIMIT)
        return cmw_respond_problem(ctx, 413, "the body is too long");
    return rc == 0 ? CMW_CONTINUE : CMW_ERROR;
}

static void destroy(void *self)
{
    const struct body_limit *limit = self;
    cmw_arena_destroy(limit->arena);
}

int cmw_body_limit_create(cmw_engine *engine, cmw_middleware *middleware,
                          const cmw_body_limit_config *config, cmw_diag *diag)
{
    cmw_body_limit_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_body_limit_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "body_limit: the config is of a newer version");
    if (ours.limit_bytes < 0)
        return cmw_diag_set(diag, CMW_ERR_ARG, "body_limit: limit: %lld is less than nothing",
                            (long long)ours.limit_bytes);
    if (ours.unknown_length < CMW_UNKNOWN_LENGTH_COUNT ||
        ours.unknown_length > CMW_UNKNOWN_LENGTH_REFUSE)
        return cmw_diag_set(diag, CMW_ERR_ARG, "body_limit: unknown_length: %d is no such rule",
                            ours.unknown_length);
    struct body_limit *limit =
        cmw__builtin_alloc(engine, &arena, sizeof *limit, "body_limit", diag);
    if (!limit)
        return CMW_ERR_NOMEM;
    limit->arena = arena;
    limit->bytes = (uint64_t)ours.limit_bytes;
    limit->refuses_unknown = ours.unknown_length == CMW_UNKNOWN_LENGTH_REFUSE;
    if (cmw__builtin_uses(engine, middleware, "cors") != 0) {
        destroy(limit);
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "body_limit: no memory");
    }

    middleware->kind = "body_limit";
    middleware->priority = 280;
    middleware->flags |= CMW_GUARDS_ACCESS;
    middleware->self = limit;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_body_limit_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_body_limit_config_init(config);
}

static const cmw_option options[] = {
    {.name = "limit",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_body_limit_config, limit_bytes),
     .max = INT64_MAX,
     .help = "Bytes that a body may have"},
    {.name = "unknown_length",
     .type = CMW_OPTION_CHOICE,
     .offset = offsetof(cmw_body_limit_config, unknown_length),
     .choices = "count|refuse",
     .help = "Count a body of undeclared length as it comes, or answer 411"},
};

const cmw_kind cmw__kind_body_limit = {
    .size = sizeof(cmw_kind),
    .name = "body_limit",
    .summary = "A limit for the bodies of requests: 413, before they are read",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_body_limit_config),
    .config_init = config_init,
    .create = create,
};
