/* SPDX-License-Identifier: MIT */
/* The rules of the canonical path, and the answer to a target that has none. */
#include <catzilla/builtin/url_path.h>

#include <catzilla/mw.h>

#include "builtins.h"

struct url_path {
    cmw_arena *arena;
    cmw_path_rules rules;
};

static cmw_phase_fn on_pre_route;

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct url_path *url_path = self;
    const int rc = cmw_request_set_path_rules(cmw_ctx_request(ctx), &url_path->rules);

    if (rc == CMW_ERR_INVALID)
        return cmw_respond_problem(ctx, 400, "the request target has no canonical form");
    return rc == 0 ? CMW_CONTINUE : CMW_ERROR;
}

static void destroy(void *self)
{
    const struct url_path *url_path = self;
    cmw_arena_destroy(url_path->arena);
}

static int check(const cmw_url_path_config *config, cmw_diag *diag)
{
    if (config->trailing_slash < CMW_TRAILING_SLASH_KEEP ||
        config->trailing_slash > CMW_TRAILING_SLASH_ADD)
        return cmw_diag_set(diag, CMW_ERR_ARG, "url_path: trailing_slash: %d is no such rule",
                            config->trailing_slash);
    if (config->dot_segments < CMW_DOT_SEGMENTS_REMOVE ||
        config->dot_segments > CMW_DOT_SEGMENTS_REJECT)
        return cmw_diag_set(diag, CMW_ERR_ARG, "url_path: dot_segments: %d is no such rule",
                            config->dot_segments);
    if (config->encoded_slash < CMW_ENCODED_SLASH_KEEP ||
        config->encoded_slash > CMW_ENCODED_SLASH_REJECT)
        return cmw_diag_set(diag, CMW_ERR_ARG, "url_path: encoded_slash: %d is no such rule",
                            config->encoded_slash);
    if (config->percent != 0)
        return cmw_diag_set(diag, CMW_ERR_ARG, "url_path: percent: %d is no such rule",
                            config->percent);
    return 0;
}

int cmw_url_path_create(cmw_engine *engine, cmw_middleware *middleware,
                        const cmw_url_path_config *config, cmw_diag *diag)
{
    cmw_url_path_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_url_path_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "url_path: the config is of a newer version");
    const int rc = check(&ours, diag);
    if (rc != 0)
        return rc;
    struct url_path *url_path =
        cmw__builtin_alloc(engine, &arena, sizeof *url_path, "url_path", diag);
    if (!url_path)
        return CMW_ERR_NOMEM;
    url_path->arena = arena;
    url_path->rules = (cmw_path_rules){
        .keep_empty_segments = !ours.merge_slashes,
        .trailing_slash = (uint8_t)ours.trailing_slash,
        .reject_encoded_slash = ours.encoded_slash == CMW_ENCODED_SLASH_REJECT,
        .reject_dot_segments = ours.dot_segments == CMW_DOT_SEGMENTS_REJECT,
    };

    middleware->kind = "url_path";
    middleware->priority = 60;
    middleware->flags |= CMW_GUARDS_ACCESS;
    middleware->self = url_path;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    cmw_middleware_refines(middleware, CMW_FACT_CANONICAL_PATH);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_url_path_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_url_path_config_init(config);
}

static const cmw_option options[] = {
    {.name = "merge_slashes",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_url_path_config, merge_slashes),
     .help = "Merge slashes that follow each other, before dot segments are looked at"},
    {.name = "trailing_slash",
     .type = CMW_OPTION_CHOICE,
     .offset = offsetof(cmw_url_path_config, trailing_slash),
     .choices = "keep|strip|add",
     .help = "What to do with a slash at the end"},
    {.name = "dot_segments",
     .type = CMW_OPTION_CHOICE,
     .offset = offsetof(cmw_url_path_config, dot_segments),
     .choices = "remove|reject",
     .help = "Resolve . and .. or refuse them"},
    {.name = "percent",
     .type = CMW_OPTION_CHOICE,
     .offset = offsetof(cmw_url_path_config, percent),
     .choices = "normalize",
     .help = "Decode unreserved characters and write other escapes in upper case"},
    {.name = "encoded_slash",
     .type = CMW_OPTION_CHOICE,
     .offset = offsetof(cmw_url_path_config, encoded_slash),
     .choices = "keep|reject",
     .help = "Keep %2F and %5C as data or refuse them"},
};

const cmw_kind cmw__kind_url_path = {
    .size = sizeof(cmw_kind),
    .name = "url_path",
    .summary = "The rules of the canonical path; refuses targets that have none",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_url_path_config),
    .config_init = config_init,
    .create = create,
};
