/* SPDX-License-Identifier: MIT */
/* Decisions with names, and conditions that read them. */
#include <catzilla/builtin/skip.h>

#include <stdio.h>

#include <catzilla/mw.h>

#include "builtins.h"
#include "path_rule.h"

/* A field that must be there, with a value if `has_value`. */
struct field {
    cmw_str name, value;
    int has_value;
};

struct skip {
    cmw_arena *arena;
    cmw_slot slot;
    cmw_str *methods;
    size_t method_count;
    struct cmw__path_rule *paths;
    size_t path_count;
    struct field *fields;
    size_t field_count;
    cmw_network_set *networks; /* NULL: any client */
    int invert;
    cmw_predicate_fn *predicate;
    void *predicate_self;
};

static cmw_phase_fn on_pre_route;
static cmw_predicate_fn is_wanted;

enum { NAME_CAP = 128 };

/* ---- Requests --------------------------------------------------------------------------- */

static int has_method(const struct skip *skip, cmw_request *request)
{
    const cmw_str method = cmw_request_method(request);

    for (size_t i = 0; i < skip->method_count; i++)
        if (cmw_str_equals(skip->methods[i], method))
            return 1;
    return skip->method_count == 0;
}

static int has_path(const struct skip *skip, cmw_request *request)
{
    struct cmw__path_match match;

    for (size_t i = 0; i < skip->path_count; i++)
        if (cmw__path_rule_matches(&skip->paths[i], cmw_request_path(request), &match))
            return 1;
    return skip->path_count == 0;
}

static int has_field(const struct field *field, cmw_request *request)
{
    size_t count;
    const cmw_header *headers = cmw_request_headers(request, &count);

    for (size_t i = 0; i < count; i++)
        if (cmw_str_equals_fold(headers[i].name, field->name) &&
            (!field->has_value || cmw_str_equals(headers[i].value, field->value)))
            return 1;
    return 0;
}

static int holds(const struct skip *skip, cmw_ctx *ctx)
{
    cmw_request *request = cmw_ctx_request(ctx);

    if (!has_method(skip, request) || !has_path(skip, request))
        return 0;
    for (size_t i = 0; i < skip->field_count; i++)
        if (!has_field(&skip->fields[i], request))
            return 0;
    if (skip->networks &&
        !cmw_network_set_contains(skip->networks, cmw_request_client_address(request)))
        return 0;
    return !skip->predicate || skip->predicate(skip->predicate_self, ctx);
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct skip *skip = self;

    if (!holds(skip, ctx) != (skip->invert != 0))
        return CMW_CONTINUE;
    int *const decision = cmw_ctx_set_slot(ctx, skip->slot);
    if (!decision)
        return CMW_ERROR;
    *decision = 1;
    return CMW_CONTINUE;
}

/* ---- Conditions ------------------------------------------------------------------------- */

/* The slot's number is what stands in the place of `self`: nothing has to outlive a plan. */
static int is_wanted(void *self, cmw_ctx *ctx)
{
    const int *decision = cmw_ctx_slot(ctx, (cmw_slot)(uintptr_t)self);
    return !decision || !*decision;
}

static int declare(cmw_engine *engine, cmw_slot *slot, const char *name)
{
    char text[NAME_CAP + 8];
    const int len = snprintf(text, sizeof text, "skip.%s", name ? name : "");

    if (!name || name[0] == '\0' || len < 0 || (size_t)len >= sizeof text)
        return CMW_ERR_ARG;
    return cmw_slot_declare(engine, slot, text, sizeof(int), NULL);
}

int cmw_skip_condition(cmw_engine *engine, cmw_condition *condition, cmw_slot *slot,
                       const char *name)
{
    if (!engine || !condition || !slot || condition->predicate || condition->read_count > 0)
        return CMW_ERR_ARG;
    const int rc = declare(engine, slot, name);
    if (rc != 0)
        return rc;
    condition->predicate = is_wanted;
    condition->predicate_self = (void *)(uintptr_t)*slot;
    condition->reads = slot;
    condition->read_count = 1;
    return 0;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct skip *skip = self;
    cmw_arena_destroy(skip->arena);
}

static int no_memory(cmw_diag *diag)
{
    return cmw_diag_set(diag, CMW_ERR_NOMEM, "skip: no memory");
}

static int copy_methods(struct skip *skip, const cmw_skip_config *config, cmw_diag *diag)
{
    skip->methods = cmw_arena_alloc(skip->arena, config->method_count * sizeof *skip->methods);
    if (!skip->methods)
        return no_memory(diag);
    for (size_t i = 0; i < config->method_count; i++) {
        const cmw_str method = cmw_str_cstr(config->methods[i]);
        if (!cmw_header_name_is_valid(method))
            return cmw_diag_set(diag, CMW_ERR_INVALID, "skip: methods: '%s' is not a method",
                                config->methods[i] ? config->methods[i] : "");
        if (cmw_arena_dup(skip->arena, &skip->methods[i], method) != 0)
            return no_memory(diag);
    }
    skip->method_count = config->method_count;
    return 0;
}

static int copy_paths(struct skip *skip, const cmw_skip_config *config, cmw_diag *diag)
{
    skip->paths = cmw_arena_alloc(skip->arena, config->path_count * sizeof *skip->paths);
    if (!skip->paths)
        return no_memory(diag);
    for (size_t i = 0; i < config->path_count; i++) {
        const int rc = cmw__path_rule_init(&skip->paths[i], skip->arena, config->paths[i], "/", 0,
                                           "skip: paths", diag);
        if (rc != 0)
            return rc;
    }
    skip->path_count = config->path_count;
    return 0;
}

/* "Name" or "Name: value". */
static int copy_field(struct skip *skip, struct field *field, const char *text, cmw_diag *diag)
{
    const cmw_str whole = cmw_str_cstr(text);
    const char *colon = whole.len > 0 ? memchr(whole.data, ':', whole.len) : NULL;
    const cmw_str name = colon ? cmw_str_make(whole.data, (size_t)(colon - whole.data)) : whole;
    cmw_str value = CMW_STR("");

    if (colon)
        value = cmw_str_make(colon + 1, whole.len - name.len - 1);
    while (value.len > 0 && value.data[0] == ' ')
        value = cmw_str_make(value.data + 1, value.len - 1);
    if (!cmw_header_name_is_valid(name) || (colon && !cmw_header_value_is_valid(value)))
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "skip: headers: '%s' is neither a field's name nor 'Name: value'",
                            text ? text : "");
    field->has_value = colon != NULL;
    if (cmw_arena_dup(skip->arena, &field->name, name) != 0 ||
        cmw_arena_dup(skip->arena, &field->value, value) != 0)
        return no_memory(diag);
    return 0;
}

static int copy_fields(struct skip *skip, const cmw_skip_config *config, cmw_diag *diag)
{
    skip->fields = cmw_arena_alloc(skip->arena, config->header_count * sizeof *skip->fields);
    if (!skip->fields)
        return no_memory(diag);
    for (size_t i = 0; i < config->header_count; i++) {
        const int rc = copy_field(skip, &skip->fields[i], config->headers[i], diag);
        if (rc != 0)
            return rc;
    }
    skip->field_count = config->header_count;
    return 0;
}

static int fill(struct skip *skip, const cmw_skip_config *config, cmw_diag *diag)
{
    int rc = copy_methods(skip, config, diag);

    if (rc == 0)
        rc = copy_paths(skip, config, diag);
    if (rc == 0)
        rc = copy_fields(skip, config, diag);
    if (rc == 0 && config->network_count > 0)
        rc = cmw__builtin_networks(&skip->networks, skip->arena, "skip: networks", config->networks,
                                   config->network_count, diag);
    skip->invert = config->invert;
    skip->predicate = config->predicate;
    skip->predicate_self = config->predicate_self;
    return rc;
}

static int check(const cmw_skip_config *config, cmw_diag *diag)
{
    if ((config->method_count > 0 && !config->methods) ||
        (config->path_count > 0 && !config->paths) ||
        (config->header_count > 0 && !config->headers) ||
        (config->network_count > 0 && !config->networks))
        return cmw_diag_set(diag, CMW_ERR_ARG, "skip: a list is missing");
    if (config->method_count + config->path_count + config->header_count + config->network_count >
            0 ||
        config->predicate)
        return 0;
    return cmw_diag_set(diag, CMW_ERR_ARG,
                        "skip: one of methods, paths, headers and networks is needed");
}

int cmw_skip_create(cmw_engine *engine, cmw_middleware *middleware, const cmw_skip_config *config,
                    cmw_diag *diag)
{
    cmw_skip_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_skip_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "skip: the config is of a newer version");
    int rc = check(&ours, diag);
    if (rc != 0)
        return rc;
    struct skip *skip = cmw__builtin_alloc(engine, &arena, sizeof *skip, "skip", diag);
    if (!skip)
        return CMW_ERR_NOMEM;
    skip->arena = arena;
    rc = fill(skip, &ours, diag);
    if (rc == 0 &&
        (rc = declare(engine, &skip->slot, middleware->name ? middleware->name : "skip")) != 0)
        (void)cmw_diag_set(diag, rc, "skip: the slot of its name cannot be declared: %s",
                           cmw_error_text(rc));
    if (rc != 0) {
        destroy(skip);
        return rc;
    }

    middleware->kind = "skip";
    middleware->priority = 68;
    middleware->flags |= CMW_GUARDS_ACCESS; /* without its decision guards would not be asked */
    middleware->self = skip;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    cmw_middleware_provides(middleware, skip->slot);
    if (skip->networks)
        cmw_middleware_uses(middleware, CMW_FACT_CLIENT_ADDRESS);
    if (skip->path_count > 0)
        cmw_middleware_uses(middleware, CMW_FACT_CANONICAL_PATH);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_skip_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_skip_config_init(config);
}

static const cmw_option options[] = {
    {.name = "methods",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_skip_config, methods),
     .help = "Any of these methods"},
    {.name = "paths",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_skip_config, paths),
     .help = "Any of these patterns: /health, /users/{id}, /static/*"},
    {.name = "headers",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_skip_config, headers),
     .help = "All of these fields: a name, or 'Name: value'"},
    {.name = "networks",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_skip_config, networks),
     .help = "The client is in one of these networks"},
    {.name = "invert",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_skip_config, invert),
     .help = "Skip the requests for which this does not hold"},
};

const cmw_kind cmw__kind_skip = {
    .size = sizeof(cmw_kind),
    .name = "skip",
    .summary = "Decides for which requests other middleware does not run",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_skip_config),
    .config_init = config_init,
    .create = create,
};
