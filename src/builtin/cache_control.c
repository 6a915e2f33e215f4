/* SPDX-License-Identifier: MIT */
/* Cache-Control by rules; what is somebody's own comes before them. */
#include <catzilla/builtin/cache_control.h>

#include <catzilla/mw.h>

#include "builtins.h"
#include "response_match.h"

struct rule {
    struct cmw__response_match match;
    cmw_str value;
    int names_statuses;
};

struct cache_control {
    cmw_arena *arena;
    struct rule *rules;
    size_t rule_count;
    cmw_str value; /* empty: none */
    cmw_slot principal;
    uint8_t overrides;
    uint8_t keeps_personal;
};

static cmw_phase_fn on_post_route;

/* ---- Requests --------------------------------------------------------------------------- */

static int is_personal(const struct cache_control *control, cmw_ctx *ctx)
{
    return cmw_response_has(cmw_ctx_response(ctx), CMW_HDR_SET_COOKIE) ||
           cmw_request_header(cmw_ctx_request(ctx), CMW_HDR_AUTHORIZATION) ||
           cmw_ctx_slot(ctx, control->principal);
}

/* What is for any status is not for errors: a request that a cache takes for another one, and the
 * server for a bad one, would put its error in the place of the page. */
static cmw_str find_value(const struct cache_control *control, const cmw_response *response)
{
    const int is_error = cmw_response_status(response) >= 400;

    for (size_t i = 0; i < control->rule_count; i++) {
        const struct rule *const rule = &control->rules[i];
        if (cmw__response_matches(&rule->match, response))
            return is_error && !rule->names_statuses ? CMW_STR("no-store") : rule->value;
    }
    return is_error && control->value.len > 0 ? CMW_STR("no-store") : control->value;
}

static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct cache_control *const control = self;
    cmw_response *const response = cmw_ctx_response(ctx);
    const int has_own = cmw_response_has(response, CMW_HDR_CACHE_CONTROL);

    if (has_own && !control->overrides)
        return CMW_CONTINUE;
    const cmw_str value = !control->keeps_personal && is_personal(control, ctx)
                              ? CMW_STR("no-store")
                              : find_value(control, response);
    if (value.len > 0 && cmw_response_set(response, CMW_HDR_CACHE_CONTROL, value) != 0)
        return CMW_ERROR;
    return CMW_CONTINUE;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct cache_control *const control = self;
    cmw_arena_destroy(control->arena);
}

static cmw_str trim(cmw_str text)
{
    while (text.len > 0 && text.data[0] == ' ')
        text = cmw_str_make(text.data + 1, text.len - 1);
    while (text.len > 0 && text.data[text.len - 1] == ' ')
        text.len--;
    return text;
}

/* A token, or a token, "=" and a token or a quoted string. */
static int is_directive(cmw_str text)
{
    const char *const equals = text.len > 0 ? memchr(text.data, '=', text.len) : NULL;
    const size_t len = equals ? (size_t)(equals - text.data) : text.len;

    if (!cmw_header_name_is_valid(cmw_str_make(text.data, len)))
        return 0;
    if (!equals)
        return 1;
    const cmw_str argument = cmw_str_make(equals + 1, text.len - len - 1);
    return cmw_header_name_is_valid(argument) ||
           (argument.len >= 2 && argument.data[0] == '"' &&
            memchr(argument.data + 1, '"', argument.len - 1) == argument.data + argument.len - 1);
}

/* Commas in quotes do not occur in what may be configured: the lists of no-cache and private are of
 * names, which can be written as several directives. */
static int is_value(cmw_str text)
{
    if (trim(text).len == 0 || cmw_response_check_field(CMW_STR("Cache-Control"), text) != 0)
        return 0;
    for (;;) {
        const char *const comma = text.len > 0 ? memchr(text.data, ',', text.len) : NULL;
        const size_t len = comma ? (size_t)(comma - text.data) : text.len;
        if (!is_directive(trim(cmw_str_make(text.data, len))))
            return 0;
        if (!comma)
            return 1;
        text = cmw_str_make(comma + 1, text.len - len - 1);
    }
}

static int take_value(struct cache_control *control, cmw_str *value, const char *text,
                      cmw_diag *diag)
{
    if (!is_value(cmw_str_cstr(text)))
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "cache_control: value: '%s' is not a list of directives",
                            text ? text : "");
    if (cmw_arena_dup(control->arena, value, cmw_str_cstr(text)) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "cache_control: no memory");
    return 0;
}

static int add_rule(struct cache_control *control, const cmw_cache_rule *rule, cmw_diag *diag)
{
    const struct cmw__response_lists lists = {rule->statuses, rule->status_count, rule->types,
                                              rule->type_count};
    struct rule *const to = &control->rules[control->rule_count];
    int rc = take_value(control, &to->value, rule->value, diag);

    if (rc == 0)
        rc = cmw__response_match_fill(&to->match, control->arena, &lists, "cache_control: rules",
                                      diag);
    to->names_statuses = rule->status_count > 0;
    control->rule_count += rc == 0;
    return rc;
}

static int fill(struct cache_control *control, cmw_engine *engine,
                const cmw_cache_control_config *config, cmw_diag *diag)
{
    int rc = config->value ? take_value(control, &control->value, config->value, diag) : 0;

    control->rules =
        cmw_arena_alloc(control->arena, (config->rule_count + 1) * sizeof *control->rules);
    if (rc == 0 && !control->rules)
        rc = cmw_diag_set(diag, CMW_ERR_NOMEM, "cache_control: no memory");
    for (size_t i = 0; i < config->rule_count && rc == 0; i++)
        rc = add_rule(control, &config->rules[i], diag);
    if (rc != 0)
        return rc;
    control->overrides = config->override_handler != 0;
    control->keeps_personal = config->keep_personal != 0;
    rc = cmw_principal_slot(engine, &control->principal);
    return rc == 0
               ? 0
               : cmw_diag_set(diag, rc, "cache_control: slot 'principal': %s", cmw_error_text(rc));
}

int cmw_cache_control_create(cmw_engine *engine, cmw_middleware *middleware,
                             const cmw_cache_control_config *config, cmw_diag *diag)
{
    cmw_cache_control_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_cache_control_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "cache_control: the config is of a newer version");
    struct cache_control *control =
        cmw__builtin_alloc(engine, &arena, sizeof *control, "cache_control", diag);
    if (!control)
        return CMW_ERR_NOMEM;
    control->arena = arena;
    const int rc = fill(control, engine, &ours, diag);
    if (rc != 0) {
        destroy(control);
        return rc;
    }

    middleware->kind = "cache_control";
    middleware->priority = 820;
    middleware->self = control;
    middleware->destroy = destroy;
    middleware->post_route = on_post_route;
    cmw_middleware_uses(middleware, control->principal);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_cache_control_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_cache_control_config_init(config);
}

static const cmw_option rule_members[] = {
    {.name = "value",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_cache_rule, value),
     .help = "The field's value",
     .flags = CMW_OPTION_REQUIRED},
    {.name = "statuses",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_cache_rule, statuses),
     .help = "Statuses that it is for: 404, 2xx"},
    {.name = "types",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_cache_rule, types),
     .help = "Media types that it is for: text/html, image/*"},
};

static const cmw_option options[] = {
    {.name = "value",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_cache_control_config, value),
     .help = "Value for what no rule is for"},
    {.name = "rules",
     .type = CMW_OPTION_OBJECT_LIST,
     .offset = offsetof(cmw_cache_control_config, rules),
     .help = "Values by status and type; the first that fits counts",
     .members = rule_members,
     .member_count = sizeof rule_members / sizeof rule_members[0],
     .object_size = sizeof(cmw_cache_rule)},
    {.name = "override_handler",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_cache_control_config, override_handler),
     .help = "Replace what the handler set"},
    {.name = "keep_personal",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_cache_control_config, keep_personal),
     .help = "Treat authenticated answers and those with Set-Cookie as others: not no-store"},
};

const cmw_kind cmw__kind_cache_control = {
    .size = sizeof(cmw_kind),
    .name = "cache_control",
    .summary = "Cache-Control by status and type; no-store for what is somebody's own",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_cache_control_config),
    .config_init = config_init,
    .create = create,
};
