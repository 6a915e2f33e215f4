/* SPDX-License-Identifier: MIT */
/* Some paths are served as others. */
#include <catzilla/builtin/rewrite.h>

#include <stdio.h>

#include <catzilla/mw.h>

#include "builtins.h"
#include "path_rule.h"

struct rewrite {
    cmw_arena *arena;
    struct cmw__path_rule *rules;
    size_t rule_count;
    cmw_str strip, add; /* prefixes without a slash at the end; empty: none */
};

static cmw_phase_fn on_pre_route;

/* ---- Requests --------------------------------------------------------------------------- */

static int set_target(cmw_ctx *ctx, cmw_str target)
{
    const int rc = cmw__path_target_is_safe(target)
                       ? cmw_request_set_target(cmw_ctx_request(ctx), target)
                       : CMW_ERR_INVALID;

    if (rc == CMW_ERR_INVALID)
        return cmw_respond_problem(ctx, 400, "the request target leads nowhere");
    return rc == 0 ? CMW_CONTINUE : CMW_ERROR;
}

static int apply(const struct cmw__path_rule *rule, cmw_ctx *ctx,
                 const struct cmw__path_match *match)
{
    const cmw_str query = cmw_request_query(cmw_ctx_request(ctx));
    cmw_str target;
    const int rc = cmw__path_rule_expand(rule, cmw_ctx_arena(ctx), match, query, &target);

    if (rc == CMW_ERR_NOMEM)
        return CMW_ERROR;
    return set_target(ctx, rc == 0 ? target : CMW_STR(""));
}

/* The path without the prefix; 0: it does not have it. */
static int strip(const struct rewrite *rewrite, cmw_str *path)
{
    const cmw_str prefix = rewrite->strip;

    if (prefix.len == 0 || path->len < prefix.len ||
        memcmp(path->data, prefix.data, prefix.len) != 0 ||
        (path->len > prefix.len && path->data[prefix.len] != '/'))
        return 0;
    *path = path->len > prefix.len ? cmw_str_make(path->data + prefix.len, path->len - prefix.len)
                                   : CMW_STR("/");
    return 1;
}

static char *put(char *to, cmw_str text)
{
    if (text.len > 0)
        memcpy(to, text.data, text.len);
    return to + text.len;
}

static int change_prefix(const struct rewrite *rewrite, cmw_ctx *ctx, cmw_str path)
{
    const int is_stripped = strip(rewrite, &path);
    const cmw_str query = cmw_request_query(cmw_ctx_request(ctx));

    if (!is_stripped && rewrite->add.len == 0)
        return CMW_CONTINUE;
    char *const begin =
        cmw_arena_alloc_text(cmw_ctx_arena(ctx), rewrite->add.len + path.len + 1 + query.len);
    if (!begin)
        return CMW_ERROR;
    char *at = put(put(begin, rewrite->add), path);
    if (query.len > 0)
        *at++ = '?';
    at = put(at, query);
    return set_target(ctx, cmw_str_make(begin, (size_t)(at - begin)));
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct rewrite *rewrite = self;
    const cmw_str path = cmw_request_path(cmw_ctx_request(ctx));
    struct cmw__path_match match;

    if (path.len == 0 || path.data[0] != '/') /* "*", or no canonical form: others judge it */
        return CMW_CONTINUE;
    for (size_t i = 0; i < rewrite->rule_count; i++)
        if (cmw__path_rule_matches(&rewrite->rules[i], path, &match))
            return apply(&rewrite->rules[i], ctx, &match);
    return change_prefix(rewrite, ctx, path);
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct rewrite *rewrite = self;
    cmw_arena_destroy(rewrite->arena);
}

/* A prefix is a pattern of text alone, without a slash at its end. */
static int copy_prefix(struct rewrite *rewrite, cmw_str *to, const char *text, const char *option,
                       cmw_diag *diag)
{
    const cmw_str prefix = cmw_str_cstr(text);
    struct cmw__path_rule rule;
    char subject[40];

    if (prefix.len == 0)
        return 0;
    (void)snprintf(subject, sizeof subject, "rewrite: %s", option);
    if (prefix.data[prefix.len - 1] == '/' || memchr(prefix.data, '{', prefix.len) ||
        memchr(prefix.data, '*', prefix.len) || !cmw__path_target_is_safe(prefix))
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "%s: '%s' is not '/' and segments, without a slash at the end", subject,
                            text);
    const int rc =
        cmw__path_rule_init(&rule, rewrite->arena, text, "/", 0, subject, diag); /* canonical */
    if (rc != 0)
        return rc;
    return cmw_arena_dup(rewrite->arena, to, prefix) == 0
               ? 0
               : cmw_diag_set(diag, CMW_ERR_NOMEM, "rewrite: no memory");
}

static int fill_rules(struct rewrite *rewrite, const cmw_rewrite_config *config, cmw_diag *diag)
{
    int rc = 0;

    rewrite->rules = cmw_arena_alloc(rewrite->arena, config->rule_count * sizeof *rewrite->rules);
    if (!rewrite->rules)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "rewrite: no memory");
    for (size_t i = 0; i < config->rule_count && rc == 0; i++) {
        char subject[48];
        (void)snprintf(subject, sizeof subject, "rewrite: rules[%zu]", i);
        rc = cmw__path_rule_init(&rewrite->rules[i], rewrite->arena, config->rules[i].from,
                                 config->rules[i].to, 0, subject, diag);
    }
    rewrite->rule_count = config->rule_count;
    return rc;
}

static int fill(struct rewrite *rewrite, const cmw_rewrite_config *config, cmw_diag *diag)
{
    int rc = copy_prefix(rewrite, &rewrite->strip, config->strip_prefix, "strip_prefix", diag);

    if (rc == 0)
        rc = copy_prefix(rewrite, &rewrite->add, config->add_prefix, "add_prefix", diag);
    if (rc == 0 && config->rule_count > 0)
        rc = fill_rules(rewrite, config, diag);
    if (rc == 0 && rewrite->rule_count == 0 && rewrite->strip.len == 0 && rewrite->add.len == 0)
        rc = cmw_diag_set(diag, CMW_ERR_ARG,
                          "rewrite: one of rules, strip_prefix and add_prefix is needed");
    return rc;
}

int cmw_rewrite_create(cmw_engine *engine, cmw_middleware *middleware,
                       const cmw_rewrite_config *config, cmw_diag *diag)
{
    cmw_rewrite_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_rewrite_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "rewrite: the config is of a newer version");
    if (ours.rule_count > 0 && !ours.rules)
        return cmw_diag_set(diag, CMW_ERR_ARG, "rewrite: rules: the list is missing");
    struct rewrite *rewrite = cmw__builtin_alloc(engine, &arena, sizeof *rewrite, "rewrite", diag);
    if (!rewrite)
        return CMW_ERR_NOMEM;
    rewrite->arena = arena;
    const int rc = fill(rewrite, &ours, diag);
    if (rc != 0) {
        destroy(rewrite);
        return rc;
    }

    middleware->kind = "rewrite";
    middleware->priority = 65;
    middleware->flags |= CMW_GUARDS_ACCESS; /* guards look at the path that it leaves */
    middleware->self = rewrite;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    cmw_middleware_refines(middleware, CMW_FACT_CANONICAL_PATH);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_rewrite_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_rewrite_config_init(config);
}

static void rule_init(void *rule)
{
    cmw_rewrite_rule_init(rule);
}

static const cmw_option rule_options[] = {
    {.name = "from",
     .type = CMW_OPTION_TEXT,
     .flags = CMW_OPTION_REQUIRED,
     .offset = offsetof(cmw_rewrite_rule, from),
     .help = "A path pattern: /old/{id}, /docs/*"},
    {.name = "to",
     .type = CMW_OPTION_TEXT,
     .flags = CMW_OPTION_REQUIRED,
     .offset = offsetof(cmw_rewrite_rule, to),
     .help = "A path with {id} and {*} of the pattern"},
};

static const cmw_option options[] = {
    {.name = "rules",
     .type = CMW_OPTION_OBJECT_LIST,
     .offset = offsetof(cmw_rewrite_config, rules),
     .members = rule_options,
     .member_count = sizeof rule_options / sizeof rule_options[0],
     .object_size = sizeof(cmw_rewrite_rule),
     .object_init = rule_init,
     .help = "What is served as what; the first rule that matches counts"},
    {.name = "strip_prefix",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_rewrite_config, strip_prefix),
     .help = "Taken from the front of paths that no rule matches"},
    {.name = "add_prefix",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_rewrite_config, add_prefix),
     .help = "Put in front of paths that no rule matches"},
};

const cmw_kind cmw__kind_rewrite = {
    .size = sizeof(cmw_kind),
    .name = "rewrite",
    .summary = "Serves paths as others, by patterns with captures and by prefix",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_rewrite_config),
    .config_init = config_init,
    .create = create,
};
