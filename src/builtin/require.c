/* SPDX-License-Identifier: MIT */
/* Lists of names, each of which the principal meets in one of two ways: any, or all. */
#include <catzilla/builtin/require.h>

#include <catzilla/mw.h>

#include "auth.h"
#include "builtins.h"

enum { READ_CAP = 8 };

/* 1 if the principal has the name. */
typedef int has_fn(const cmw_principal *principal, cmw_str name);

struct rule {
    has_fn *has;
    const cmw_str *names;
    size_t count; /* 0: not asked */
    int needs_all;
};

enum { IDS, ANY_ROLE, ALL_ROLES, ANY_SCOPE, ALL_SCOPES, RULE_COUNT };

struct require {
    cmw_arena *arena;
    cmw_slot principal;
    int asks_principal;
    struct rule rules[RULE_COUNT];
    cmw_predicate_fn *allows;
    void *allows_self;
    cmw_str challenge; /* to bearers */
};

static cmw_phase_fn on_pre_route;

/* ---- Requests --------------------------------------------------------------------------- */

static int has_id(const cmw_principal *principal, cmw_str id)
{
    return cmw_str_equals(principal->id, id);
}

static int is_met(const struct rule *rule, const cmw_principal *principal)
{
    for (size_t i = 0; i < rule->count; i++) {
        const int has = rule->has(principal, rule->names[i]);
        if (has != rule->needs_all) /* decided */
            return has;
    }
    return rule->count == 0 || rule->needs_all;
}

static int are_met(const struct require *require, const cmw_principal *principal)
{
    for (size_t i = 0; i < RULE_COUNT; i++)
        if (!is_met(&require->rules[i], principal))
            return 0;
    return 1;
}

static int forbid(const struct require *require, cmw_ctx *ctx, const cmw_principal *principal)
{
    static const char detail[] = "that is not allowed";

    if (principal && cmw_str_equals(principal->scheme, CMW_STR("bearer")))
        return cmw__auth_refuse(ctx, 403, require->challenge, detail);
    return cmw_respond_problem(ctx, 403, detail);
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct require *require = self;
    const cmw_principal *principal = cmw_ctx_slot(ctx, require->principal);

    if (require->asks_principal && !principal)
        return cmw_respond_problem(ctx, 401, "credentials are needed");
    if (require->asks_principal && !are_met(require, principal))
        return forbid(require, ctx, principal);
    if (require->allows && require->allows(require->allows_self, ctx) <= 0)
        return forbid(require, ctx, principal);
    return CMW_CONTINUE;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct require *require = self;
    cmw_arena_destroy(require->arena);
}

/* An option's name and list. */
struct given {
    const char *option;
    const char *const *texts;
    size_t count;
};

static int is_name(has_fn *has, cmw_str name)
{
    return has == cmw_principal_has_scope ? cmw_scope_is_valid(name)
                                          : name.len > 0 && cmw_header_value_is_valid(name);
}

static int add_rule(struct require *require, struct rule *rule, const struct given *given,
                    cmw_diag *diag)
{
    if (!given->texts)
        return 0;
    if (given->count == 0)
        return cmw_diag_set(diag, CMW_ERR_ARG, "require: %s: the list names nobody and nothing",
                            given->option);
    cmw_str *names = cmw_arena_alloc(require->arena, given->count * sizeof *names);
    if (!names)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "require: no memory");
    for (size_t i = 0; i < given->count; i++) {
        const cmw_str name = cmw_str_cstr(given->texts[i]);
        if (!is_name(rule->has, name))
            return cmw_diag_set(diag, CMW_ERR_INVALID, "require: %s: '%s' cannot be a name",
                                given->option, name.data ? name.data : "");
        if (cmw_arena_dup(require->arena, &names[i], name) != 0)
            return cmw_diag_set(diag, CMW_ERR_NOMEM, "require: no memory");
    }
    rule->names = names;
    rule->count = given->count;
    return 0;
}

static int add_rules(struct require *require, const cmw_require_config *config, cmw_diag *diag)
{
    static const struct rule empty[RULE_COUNT] = {
        [IDS] = {.has = has_id},
        [ANY_ROLE] = {.has = cmw_principal_has_role},
        [ALL_ROLES] = {.has = cmw_principal_has_role, .needs_all = 1},
        [ANY_SCOPE] = {.has = cmw_principal_has_scope},
        [ALL_SCOPES] = {.has = cmw_principal_has_scope, .needs_all = 1},
    };
    const struct given given[RULE_COUNT] = {
        [IDS] = {"ids", config->ids, config->id_count},
        [ANY_ROLE] = {"any_role", config->any_role, config->any_role_count},
        [ALL_ROLES] = {"all_roles", config->all_roles, config->all_role_count},
        [ANY_SCOPE] = {"any_scope", config->any_scope, config->any_scope_count},
        [ALL_SCOPES] = {"all_scopes", config->all_scopes, config->all_scope_count},
    };
    int rc = 0;

    memcpy(require->rules, empty, sizeof empty);
    require->asks_principal = !config->allows;
    for (size_t i = 0; i < RULE_COUNT && rc == 0; i++) {
        rc = add_rule(require, &require->rules[i], &given[i], diag);
        if (given[i].texts)
            require->asks_principal = 1;
    }
    return rc;
}

/* The scopes that would be enough, for the challenge. */
static int write_challenge(struct require *require, const char *realm, cmw_diag *diag)
{
    const struct rule *all = &require->rules[ALL_SCOPES];
    cmw_str begin;
    int rc = cmw__auth_write_challenge(require->arena, &begin, "Bearer", realm, "");

    if (rc == CMW_ERR_INVALID)
        return cmw_diag_set(diag, rc, "require: realm: '%s' has a control byte", realm);
    if (rc == 0)
        rc = cmw__auth_extend(require->arena, &require->challenge, begin, "insufficient_scope",
                              all->names, all->count);
    return rc == 0 ? 0 : cmw_diag_set(diag, rc, "require: no memory");
}

/* What the chain must know. */
static int relate(struct require *require, cmw_engine *engine, cmw_middleware *middleware,
                  const cmw_require_config *config, cmw_diag *diag)
{
    int rc = cmw_principal_slot(engine, &require->principal);

    if (rc == CMW_ERR_CONFLICT)
        return cmw_diag_set(diag, rc, "require: slot 'principal' has another shape");
    if (rc == 0)
        rc = cmw__builtin_uses(engine, middleware, "cors");
    if (rc != 0)
        return cmw_diag_set(diag, rc, "require: its slot and facts cannot be declared");
    if (require->asks_principal)
        cmw_middleware_requires(middleware, require->principal);
    else
        cmw_middleware_uses(middleware, require->principal);
    for (size_t i = 0; i < config->read_count; i++)
        cmw_middleware_requires(middleware, config->reads[i]);
    return 0;
}

static int fill(struct require *require, cmw_engine *engine, cmw_middleware *middleware,
                const cmw_require_config *config, cmw_diag *diag)
{
    if (config->read_count > READ_CAP || (config->read_count > 0 && !config->allows))
        return cmw_diag_set(diag, CMW_ERR_ARG, "require: reads: at most %d, and with allows only",
                            READ_CAP);
    require->allows = config->allows;
    require->allows_self = config->allows_self;
    int rc = add_rules(require, config, diag);
    if (rc == 0)
        rc = write_challenge(require, config->realm ? config->realm : "restricted", diag);
    return rc == 0 ? relate(require, engine, middleware, config, diag) : rc;
}

int cmw_require_create(cmw_engine *engine, cmw_middleware *middleware,
                       const cmw_require_config *config, cmw_diag *diag)
{
    cmw_require_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_require_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "require: the config is of a newer version");
    struct require *require = cmw__builtin_alloc(engine, &arena, sizeof *require, "require", diag);
    if (!require)
        return CMW_ERR_NOMEM;
    require->arena = arena;
    const int rc = fill(require, engine, middleware, &ours, diag);
    if (rc != 0) {
        destroy(require);
        return rc;
    }
    middleware->kind = "require";
    middleware->priority = 500;
    middleware->flags |= CMW_GUARDS_ACCESS;
    middleware->self = require;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_require_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_require_config_init(config);
}

static const cmw_option options[] = {
    {.name = "ids",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_require_config, ids),
     .help = "The principal is one of these"},
    {.name = "any_role",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_require_config, any_role),
     .help = "It has one of these roles"},
    {.name = "all_roles",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_require_config, all_roles),
     .help = "It has each of these roles"},
    {.name = "any_scope",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_require_config, any_scope),
     .help = "It has one of these scopes"},
    {.name = "all_scopes",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_require_config, all_scopes),
     .help = "It has each of these scopes"},
    {.name = "realm",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_require_config, realm),
     .help = "Of the challenge to bearers"},
};

const cmw_kind cmw__kind_require = {
    .size = sizeof(cmw_kind),
    .name = "require",
    .summary = "Who may pass, by id, role or scope",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_require_config),
    .config_init = config_init,
    .create = create,
};
