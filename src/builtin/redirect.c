/* SPDX-License-Identifier: MIT */
/* Some paths are elsewhere now. */
#include <catzilla/builtin/redirect.h>

#include <stdio.h>

#include <catzilla/mw.h>

#include "builtins.h"
#include "path_rule.h"

struct rule {
    struct cmw__path_rule path;
    int status;
};

struct redirect {
    cmw_arena *arena;
    struct rule *rules;
    size_t rule_count;
    int keep_query;
};

static cmw_phase_fn on_pre_route;

/* ---- Requests --------------------------------------------------------------------------- */

/* 1 if the target is the request's own path and query: going there would bring it here again. */
static int is_here(cmw_request *request, cmw_str target)
{
    const cmw_str path = cmw_request_path(request);
    const cmw_str query = cmw_request_query(request);

    if (target.len < path.len || memcmp(target.data, path.data, path.len) != 0)
        return 0;
    const cmw_str rest = cmw_str_make(target.data + path.len, target.len - path.len);
    if (rest.len == 0)
        return query.len == 0;
    return rest.data[0] == '?' && cmw_str_equals(cmw_str_make(rest.data + 1, rest.len - 1), query);
}

static int send_away(const struct redirect *redirect, const struct rule *rule, cmw_ctx *ctx,
                     const struct cmw__path_match *match)
{
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_str query = redirect->keep_query ? cmw_request_query(request) : CMW_STR("");
    cmw_str target;

    int rc = cmw__path_rule_expand(&rule->path, cmw_ctx_arena(ctx), match, query, &target);
    if (rc == 0 && is_here(request, target))
        return CMW_CONTINUE;
    if (rc == 0)
        rc = cmw_response_redirect(cmw_ctx_response(ctx), rule->status, target);
    if (rc == CMW_ERR_INVALID)
        return cmw_respond_problem(ctx, 400, "the request target leads nowhere");
    return rc == 0 ? CMW_STOP : CMW_ERROR;
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct redirect *redirect = self;
    const cmw_str path = cmw_request_path(cmw_ctx_request(ctx));
    struct cmw__path_match match;

    for (size_t i = 0; i < redirect->rule_count; i++)
        if (cmw__path_rule_matches(&redirect->rules[i].path, path, &match))
            return send_away(redirect, &redirect->rules[i], ctx, &match);
    return CMW_CONTINUE;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct redirect *redirect = self;
    cmw_arena_destroy(redirect->arena);
}

static int check_status(int64_t status, const char *subject, cmw_diag *diag)
{
    if (status == 301 || status == 302 || status == 303 || status == 307 || status == 308)
        return 0;
    return cmw_diag_set(diag, CMW_ERR_ARG,
                        "%s: status: %lld is not one of 301, 302, 303, 307 and 308", subject,
                        (long long)status);
}

/* A target without captures that its own pattern matches would lead back to itself for ever. */
static int check_loop(const struct rule *rule, const char *to, const char *subject, cmw_diag *diag)
{
    const cmw_str target = cmw_str_cstr(to);
    const char *query = target.len > 0 ? memchr(target.data, '?', target.len) : NULL;
    const cmw_str path =
        cmw_str_make(target.data, query ? (size_t)(query - target.data) : target.len);
    struct cmw__path_match match;

    if (target.len == 0 || rule->path.is_absolute || memchr(target.data, '{', target.len) ||
        !cmw__path_rule_matches(&rule->path, path, &match))
        return 0;
    return cmw_diag_set(diag, CMW_ERR_CYCLE, "%s: '%s' is sent to itself", subject, to);
}

static int fill_rule(struct redirect *redirect, size_t index, const cmw_redirect_config *config,
                     cmw_diag *diag)
{
    const cmw_redirect_rule *from = &config->rules[index];
    struct rule *rule = &redirect->rules[index];
    const int64_t status = from->status != 0 ? from->status : config->status;
    char subject[48];

    (void)snprintf(subject, sizeof subject, "redirect: rules[%zu]", index);
    int rc = check_status(status, subject, diag);
    if (rc == 0)
        rc = cmw__path_rule_init(&rule->path, redirect->arena, from->from, from->to,
                                 CMW__PATH_RULE_ABSOLUTE, subject, diag);
    if (rc == 0)
        rc = check_loop(rule, from->to, subject, diag);
    rule->status = (int)status;
    return rc;
}

static int fill(struct redirect *redirect, const cmw_redirect_config *config, cmw_diag *diag)
{
    int rc = 0;

    redirect->keep_query = config->keep_query != 0;
    redirect->rules =
        cmw_arena_alloc(redirect->arena, config->rule_count * sizeof *redirect->rules);
    if (!redirect->rules)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "redirect: no memory");
    for (size_t i = 0; i < config->rule_count && rc == 0; i++)
        rc = fill_rule(redirect, i, config, diag);
    redirect->rule_count = config->rule_count;
    return rc;
}

int cmw_redirect_create(cmw_engine *engine, cmw_middleware *middleware,
                        const cmw_redirect_config *config, cmw_diag *diag)
{
    cmw_redirect_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_redirect_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "redirect: the config is of a newer version");
    if (ours.rule_count == 0 || !ours.rules)
        return cmw_diag_set(diag, CMW_ERR_ARG, "redirect: rules: at least one is needed");
    struct redirect *redirect =
        cmw__builtin_alloc(engine, &arena, sizeof *redirect, "redirect", diag);
    if (!redirect)
        return CMW_ERR_NOMEM;
    redirect->arena = arena;
    const int rc = fill(redirect, &ours, diag);
    if (rc != 0) {
        destroy(redirect);
        return rc;
    }

    middleware->kind = "redirect";
    middleware->priority = 130;
    middleware->self = redirect;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    cmw_middleware_uses(middleware, CMW_FACT_CANONICAL_PATH);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_redirect_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_redirect_config_init(config);
}

static void rule_init(void *rule)
{
    cmw_redirect_rule_init(rule);
}

static const cmw_option rule_options[] = {
    {.name = "from",
     .type = CMW_OPTION_TEXT,
     .flags = CMW_OPTION_REQUIRED,
     .offset = offsetof(cmw_redirect_rule, from),
     .help = "A path pattern: /old/{id}, /docs/*"},
    {.name = "to",
     .type = CMW_OPTION_TEXT,
     .flags = CMW_OPTION_REQUIRED,
     .offset = offsetof(cmw_redirect_rule, to),
     .help = "A path or https://host/path, with {id} and {*} of the pattern"},
    {.name = "status",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_redirect_rule, status),
     .min = 301,
     .max = 308,
     .help = "Status of this rule"},
};

static const cmw_option options[] = {
    {.name = "rules",
     .type = CMW_OPTION_OBJECT_LIST,
     .flags = CMW_OPTION_REQUIRED,
     .offset = offsetof(cmw_redirect_config, rules),
     .members = rule_options,
     .member_count = sizeof rule_options / sizeof rule_options[0],
     .object_size = sizeof(cmw_redirect_rule),
     .object_init = rule_init,
     .help = "What goes where; the first rule that matches counts"},
    {.name = "status",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_redirect_config, status),
     .min = 301,
     .max = 308,
     .help = "Status of rules without one: 301, 302, 303, 307 or 308"},
    {.name = "keep_query",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_redirect_config, keep_query),
     .help = "The request's query goes along, unless the rule has one"},
};

const cmw_kind cmw__kind_redirect = {
    .size = sizeof(cmw_kind),
    .name = "redirect",
    .summary = "Sends paths elsewhere, by patterns with captures",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_redirect_config),
    .config_init = config_init,
    .create = create,
};
