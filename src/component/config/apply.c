/* SPDX-License-Identifier: MIT */
/*
 * From "middleware" to a chain: every item is read, made and added on its own, so that one that is
 * wrong hides no mistake of the next.
 */
#include <catzilla/builtin/skip.h>

#include "document_state.h"
#include "item.h"

/* Groups inside groups: each is a call deep. */
enum { DEEPEST = 32 };

struct apply {
    cmw_document *document;
    cmw_engine *engine;
    cmw_chain *chain;
};

/* ---- Conditions ------------------------------------------------------------------------- */

/* What a "when" says; `slot` is that of "unless", or CMW_NONE. */
struct condition {
    cmw_condition condition;
    cmw_slot slot;
};

/* NULL: none, or a mistake that was noted (then `*rc` says so). */
static const cmw_condition *read_condition(struct apply *apply, const struct step *at,
                                           const struct when *when, struct condition *to, int *rc)
{
    cmw_condition *condition = &to->condition;

    *rc = 0;
    to->slot = CMW_NONE;
    if (!when)
        return NULL;
    cmw_condition_init(condition);
    condition->methods = when->methods;
    condition->method_count = when->method_count;
    condition->hosts = when->hosts;
    condition->host_count = when->host_count;
    condition->paths = when->paths;
    condition->path_count = when->path_count;
    if (when->unless)
        *rc = cmw_skip_condition(apply->engine, condition, &to->slot, when->unless);
    if (*rc != 0)
        (void)cmw__note(apply->document, at, *rc, "unless: '%s': %s", when->unless,
                        cmw_error_text(*rc));
    return condition;
}

static void note_diag(cmw_document *document, const struct step *at, int rc, const cmw_diag *diag)
{
    (void)cmw__note(document, at, rc, "%s", diag->code ? diag->message : cmw_error_text(rc));
}

static cmw_group *add_group(struct apply *apply, cmw_group *parent, const struct step *at,
                            const char *name, const struct item *item, uint32_t route)
{
    cmw_group_config config;
    struct condition condition;
    cmw_group *group = NULL;
    cmw_diag diag = {.code = 0};
    int rc;

    cmw_group_config_init(&config);
    config.name = name;
    config.condition = read_condition(apply, at, item->when, &condition, &rc);
    config.route_id = route;
    if (rc != 0)
        return NULL;
    rc = cmw_chain_add_group(apply->chain, &group, parent, &config, &diag);
    if (rc != 0)
        note_diag(apply->document, at, rc, &diag);
    return group;
}

/* ---- Kinds ------------------------------------------------------------------------------ */

static const cmw_kind *find_kind(struct apply *apply, const char *name, const struct step *at)
{
    const cmw_kind *const kind = cmw_kind_find(apply->engine, name);
    struct suggestion suggestion;
    char text[SUGGESTION_CAP];

    if (kind)
        return kind;
    cmw__suggest_init(&suggestion, name);
    const cmw_kind *each;
    for (size_t i = 0; (each = cmw_kind_at(apply->engine, i)) != NULL; i++)
        cmw__suggest_add(&suggestion, each->name);
    (void)cmw__note(apply->document, at, CMW_ERR_NOT_FOUND,
                    "there is no kind of middleware named '%s'%s", name,
                    cmw__suggest_text(&suggestion, text));
    return NULL;
}

/* The kind's config struct as the item's options say; NULL without memory. */
static void *read_options(struct apply *apply, const cmw_kind *kind, const json_t *item,
                          const struct step *at)
{
    const struct table table = {kind->options, kind->option_count, "option of", kind->name, 0};
    const json_t *const options = json_object_get(item, "options");
    const struct step step = cmw__step_to(item, "options", at);
    void *const config =
        cmw_arena_alloc(apply->document->scratch, kind->config_size > 0 ? kind->config_size : 1);

    if (!config) {
        cmw__note_no_memory(apply->document);
        return NULL;
    }
    memset(config, 0, kind->config_size);
    if (kind->config_init)
        kind->config_init(config);
    if (options && !json_is_object(options))
        (void)cmw__note(apply->document, &step, CMW_ERR_INVALID, "must be an object, not %s",
                        cmw__name_of_type(options));
    else
        cmw__fill(apply->document, apply->document->scratch, config, &table, options,
                  options ? &step : at);
    return config;
}

/* The option that a sentence names at its beginning, "kind: option ...", if the item has it. */
static const char *find_culprit(const json_t *options, const cmw_kind *kind, const char *sentence)
{
    const size_t kind_len = strlen(kind->name);
    const char *name;
    json_t *value;

    if (strncmp(sentence, kind->name, kind_len) != 0 || strncmp(sentence + kind_len, ": ", 2) != 0)
        return NULL;
    sentence += kind_len + 2;
    sentence += *sentence == '\'';
    json_object_foreach((json_t *)(uintptr_t)options, name, value)
    {
        const size_t len = strlen(name);
        if (strncmp(sentence, name, len) == 0 && strchr(": .[']", sentence[len]))
            return name;
    }
    return NULL;
}

static void note_create(struct apply *apply, const cmw_kind *kind, const json_t *item,
                        const struct step *at, int rc, const cmw_diag *diag)
{
    const json_t *const options = json_object_get(item, "options");
    const char *const culprit = diag->code ? find_culprit(options, kind, diag->message) : NULL;

    if (rc == CMW_ERR_NOMEM)
        cmw__note_no_memory(apply->document);
    if (culprit) {
        const struct step parent = cmw__step_to(item, "options", at);
        const struct step step = cmw__step_to(options, culprit, &parent);
        note_diag(apply->document, &step, rc, diag);
    } else {
        note_diag(apply->document, at, rc, diag);
    }
}

/* ---- One instance ----------------------------------------------------------------------- */

static void set_common(cmw_middleware *middleware, const struct item *item)
{
    if (item->priority != ITEM_UNSET)
        middleware->priority = (int32_t)item->priority;
    if (item->post_priority != ITEM_UNSET)
        middleware->post_priority = (int32_t)item->post_priority;
    if (item->failure != ITEM_UNSET)
        middleware->failure = item->failure;
    if (item->failure_status != ITEM_UNSET)
        middleware->failure_status = (int32_t)item->failure_status;
}

/* Its own condition and that of the file both hold: the file's goes into a group around it. */
static int add(struct apply *apply, cmw_group *group, const struct step *at,
               cmw_middleware *middleware, const struct item *item)
{
    struct condition condition; /* copied when it is added */
    const cmw_condition *const own = middleware->condition;
    cmw_diag diag = {.code = 0};
    int rc = 0;

    if (item->when && own) {
        group = add_group(apply, group, at, middleware->name, item, CMW_NONE);
        if (!group)
            return CMW_ERR_INVALID;
    } else if (item->when) {
        middleware->condition = read_condition(apply, at, item->when, &condition, &rc);
        if (rc == 0 && condition.slot != CMW_NONE) /* whoever is to decide must be in the chain */
            cmw_middleware_requires(middleware, condition.slot);
    }
    if (rc == 0) {
        rc = group ? cmw_group_add(group, middleware, &diag)
                   : cmw_chain_add(apply->chain, middleware, &diag);
        if (rc != 0)
            note_diag(apply->document, at, rc, &diag);
    }
    middleware->condition = own;
    return rc;
}

static cmw_mode mode_of(const struct item *item)
{
    if (!item->enabled)
        return CMW_MODE_DISABLED;
    return item->shadow ? CMW_MODE_SHADOWED : CMW_MODE_ENABLED;
}

static void create_and_add(struct apply *apply, cmw_group *group, const struct step *at,
                           const cmw_kind *kind, const json_t *value, const struct item *item,
                           const void *config)
{
    cmw_middleware middleware;
    cmw_diag diag = {.code = 0};

    cmw_middleware_init(&middleware);
    middleware.name = cmw__instance_name(apply->document, value);
    if (!middleware.name)
        return; /* noted */
    middleware.kind = kind->name;
    int rc = kind->create(apply->engine, &middleware, config, &diag);
    if (rc != 0) {
        note_create(apply, kind, value, at, rc, &diag);
        return;
    }
    set_common(&middleware, item);
    rc = add(apply, group, at, &middleware, item);
    if (rc != 0) {
        if (middleware.destroy)
            middleware.destroy(middleware.self);
        return;
    }
    if (cmw_chain_set_mode(apply->chain, middleware.name, mode_of(item)) != 0)
        (void)cmw__note(apply->document, at, CMW_ERR_STATE, "cannot be switched");
}

static void check_item(cmw_document *document, const json_t *value, const struct item *item,
                       const struct step *at)
{
    const struct step status = cmw__step_to(value, "failure_status", at);

    if (item->failure == CMW_FAIL_STATUS && item->failure_status == ITEM_UNSET)
        (void)cmw__note(document, at, CMW_ERR_NOT_FOUND,
                        "'failure_status' is missing, which \"failure\": \"status\" needs");
    if (item->failure != CMW_FAIL_STATUS && item->failure_status != ITEM_UNSET)
        (void)cmw__note(document, &status, CMW_ERR_CONFLICT,
                        "has a meaning only beside \"failure\": \"status\"");
}

static void apply_use(struct apply *apply, const json_t *value, const struct step *at,
                      cmw_group *group)
{
    cmw_document *const document = apply->document;
    const size_t before = cmw_document_mistake_count(document);
    const struct step use = cmw__step_to(value, "use", at);
    struct item item;

    cmw__read_use(document, &item, value, at);
    check_item(document, value, &item, at);
    const cmw_kind *const kind = item.use ? find_kind(apply, item.use, &use) : NULL;
    const void *const config = kind ? read_options(apply, kind, value, at) : NULL;
    if (config && cmw__outcome(document, before) == 0)
        create_and_add(apply, group, at, kind, value, &item, config);
}

/* ---- Groups ----------------------------------------------------------------------------- */

static void apply_list(struct apply *apply, const json_t *list, const struct step *at,
                       cmw_group *group, int depth);

static void apply_group(struct apply *apply, const json_t *value, const struct step *at,
                        cmw_group *parent, int depth)
{
    const json_t *const list = json_object_get(value, "middleware");
    const struct step step = cmw__step_to(value, "middleware", at);
    cmw_group *group = NULL;
    struct item item;

    cmw__read_group(apply->document, &item, value, at);
    if (item.group) {
        const uint32_t route = item.route == ITEM_UNSET ? CMW_NONE : (uint32_t)item.route;
        group = add_group(apply, parent, at, item.group, &item, route);
    }
    if (list && !json_is_array(list))
        (void)cmw__note(apply->document, &step, CMW_ERR_INVALID,
                        "must be a list of objects, not %s", cmw__name_of_type(list));
    else if (depth == DEEPEST)
        (void)cmw__note(apply->document, at, CMW_ERR_LIMIT, "groups nest deeper than %d",
                        (int)DEEPEST);
    else
        apply_list(apply, list, &step, group, depth + 1);
}

/* Scratch memory goes back after each item. Mistakes are in the document's own arena. */
static void apply_item(struct apply *apply, const json_t *item, const struct step *at,
                       cmw_group *group, int depth)
{
    const cmw_arena_mark mark = cmw_arena_get_mark(apply->document->scratch);

    if (!json_is_object(item))
        (void)cmw__note(apply->document, at, CMW_ERR_INVALID, "must be an object, not %s",
                        cmw__name_of_type(item));
    else if (json_object_get(item, "group"))
        apply_group(apply, item, at, group, depth);
    else
        apply_use(apply, item, at, group);
    (void)!cmw_arena_rewind(apply->document->scratch, mark);
}

static void apply_list(struct apply *apply, const json_t *list, const struct step *at,
                       cmw_group *group, int depth)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const struct step step = {at, NULL, i};
        apply_item(apply, json_array_get(list, i), &step, group, depth);
    }
}

static int apply_document(struct apply *apply, cmw_group *group)
{
    cmw_document *const document = apply->document;
    const size_t before = cmw_document_mistake_count(document);
    const json_t *const list = json_object_get(document->root, "middleware");
    const struct step at = cmw__step_to(document->root, "middleware", NULL);

    apply_list(apply, list, &at, group, 0);
    if (cmw__outcome(document, before) == 0)
        cmw__apply_waivers(document, apply->chain);
    return cmw__outcome(document, before);
}

int cmw_document_apply(cmw_document *document, cmw_engine *engine, cmw_chain *chain)
{
    struct apply apply = {document, engine, chain};

    if (!document || !engine || !chain)
        return CMW_ERR_ARG;
    return document->root ? apply_document(&apply, NULL) : CMW_ERR_STATE;
}

int cmw_document_apply_route(cmw_document *document, cmw_engine *engine, cmw_chain *chain,
                             const char *route, uint32_t route_id)
{
    struct apply apply = {document, engine, chain};
    cmw_group_config config;
    cmw_group *group = NULL;
    cmw_diag diag = {.code = 0};
    cmw_str name;

    if (!document || !engine || !chain || !route || !*route || route_id == CMW_NONE)
        return CMW_ERR_ARG;
    if (!document->root)
        return CMW_ERR_STATE;
    if (cmw_arena_dup(document->arena, &name, cmw_str_cstr(route)) != 0)
        return CMW_ERR_NOMEM;
    document->route = name.data;
    cmw_group_config_init(&config);
    config.name = name.data;
    config.route_id = route_id;
    const int rc = cmw_chain_add_group(chain, &group, NULL, &config, &diag);
    if (rc != 0)
        return cmw_document_refuse(document, NULL, rc, "%s",
                                   diag.code ? diag.message : cmw_error_text(rc));
    return apply_document(&apply, group);
}
