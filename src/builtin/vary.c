/* SPDX-License-Identifier: MIT */
/* Vary: names, and the responses that they are for. */
#include <catzilla/builtin/vary.h>

#include <catzilla/mw.h>

#include "builtins.h"
#include "response_match.h"

struct vary {
    cmw_arena *arena;
    struct cmw__response_match match;
    cmw_str *fields;
    size_t field_count;
};

static cmw_phase_fn on_post_route;

static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct vary *const vary = self;
    cmw_response *const response = cmw_ctx_response(ctx);

    if (!cmw__response_matches(&vary->match, response))
        return CMW_CONTINUE;
    for (size_t i = 0; i < vary->field_count; i++)
        if (cmw_response_add_token(response, CMW_HDR_VARY, vary->fields[i]) != 0)
            return CMW_ERROR;
    return CMW_CONTINUE;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct vary *const vary = self;
    cmw_arena_destroy(vary->arena);
}

static int take_field(struct vary *vary, const cmw_vary_config *config, const char *text,
                      cmw_diag *diag)
{
    const cmw_str name = cmw_str_cstr(text);
    const int is_star = cmw_str_equals(name, CMW_STR("*"));

    if (is_star && config->field_count > 1)
        return cmw_diag_set(diag, CMW_ERR_CONFLICT, "vary: fields: '*' stands for all others");
    if (!cmw_header_name_is_valid(name))
        return cmw_diag_set(diag, CMW_ERR_INVALID, "vary: fields: '%s' is not the name of a field",
                            text ? text : "");
    if (cmw_arena_dup(vary->arena, &vary->fields[vary->field_count], name) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "vary: no memory");
    vary->field_count++;
    return 0;
}

static int fill(struct vary *vary, const cmw_vary_config *config, cmw_diag *diag)
{
    const struct cmw__response_lists lists = {config->statuses, config->status_count, config->types,
                                              config->type_count};
    int rc = cmw__response_match_fill(&vary->match, vary->arena, &lists, "vary", diag);

    vary->fields = cmw_arena_alloc(vary->arena, config->field_count * sizeof *vary->fields);
    if (rc == 0 && !vary->fields)
        rc = cmw_diag_set(diag, CMW_ERR_NOMEM, "vary: no memory");
    for (size_t i = 0; i < config->field_count && rc == 0; i++)
        rc = take_field(vary, config, config->fields[i], diag);
    return rc;
}

int cmw_vary_create(cmw_engine *engine, cmw_middleware *middleware, const cmw_vary_config *config,
                    cmw_diag *diag)
{
    cmw_vary_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_vary_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "vary: the config is of a newer version");
    if (ours.field_count == 0)
        return cmw_diag_set(diag, CMW_ERR_ARG, "vary: fields: the list names no field");
    struct vary *vary = cmw__builtin_alloc(engine, &arena, sizeof *vary, "vary", diag);
    if (!vary)
        return CMW_ERR_NOMEM;
    vary->arena = arena;
    const int rc = fill(vary, &ours, diag);
    if (rc != 0) {
        destroy(vary);
        return rc;
    }

    middleware->kind = "vary";
    middleware->priority = 830;
    middleware->post_priority = 0; /* before caches look at it */
    middleware->self = vary;
    middleware->destroy = destroy;
    middleware->post_route = on_post_route;
    cmw_middleware_post_provides(middleware, CMW_FACT_RESPONSE_VARY);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_vary_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_vary_config_init(config);
}

static const cmw_option options[] = {
    {.name = "fields",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_vary_config, fields),
     .help = "Names of request fields, or * alone",
     .flags = CMW_OPTION_REQUIRED},
    {.name = "statuses",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_vary_config, statuses),
     .help = "Statuses of the responses that it is for: 404, 2xx"},
    {.name = "types",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_vary_config, types),
     .help = "Media types of the responses that it is for: text/html, image/*"},
};

const cmw_kind cmw__kind_vary = {
    .size = sizeof(cmw_kind),
    .name = "vary",
    .summary = "Names that responses have in Vary",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_vary_config),
    .config_init = config_init,
    .create = create,
};
