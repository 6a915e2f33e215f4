/* SPDX-License-Identifier: MIT */
/*
 * Services: declared and defined in the engine, checked and made when a chain compiles, resolved by
 * handle in a request.
 */
#include <catzilla/service.h>

#include "ctx_state.h"
#include "order.h"
#include "text.h"

struct cmw_resolver {
    cmw_engine *engine;
    cmw_ctx *ctx; /* NULL: a singleton is made */
    const struct cmw__service *service;
};

/* What a request has made of a service, in its arena. */
struct cmw__request_service {
    struct cmw__request_service *next;
    struct cmw__service *service;
    void *object;
};

struct cmw__service *cmw__engine_service(const cmw_engine *engine, cmw_service service)
{
    return cmw__table_at(&engine->services, service);
}

/* ---- Declaring and defining -------------------------------------------------------------- */

static int declare_locked(cmw_engine *engine, cmw_service *out, const char *name)
{
    for (uint32_t i = 0; i < engine->services.count; i++) {
        if (strcmp(cmw__engine_service(engine, i)->name, name) == 0) {
            *out = i;
            return 0;
        }
    }
    struct cmw__service *service = cmw_arena_alloc(engine->arena, sizeof *service);
    char *copy = cmw__arena_dup_cstr(engine->arena, name);
    if (!service || !copy)
        return CMW_ERR_NOMEM;
    memset(service, 0, sizeof *service);
    service->name = copy;
    const int rc = cmw__table_add(engine, &engine->services, service);
    if (rc == 0)
        *out = engine->services.count - 1;
    return rc;
}

int cmw_service_declare(cmw_engine *engine, cmw_service *service, const char *name)
{
    if (!engine || !service || !cmw__name_is_valid(name))
        return CMW_ERR_ARG;
    cmw__mutex_lock(&engine->lock);
    const int rc = declare_locked(engine, service, name);
    cmw__mutex_unlock(&engine->lock);
    return rc;
}

/* The handles and names of what a service depends on. */
static int declare_depends(cmw_engine *engine, struct cmw__service *service,
                           const cmw_service_config *config)
{
    const size_t count = config->depend_count;
    cmw_service *handles = cmw_arena_alloc(engine->arena, count * sizeof *handles);
    const char **depend_names = cmw_arena_alloc(engine->arena, count * sizeof *depend_names);
    int rc = handles && depend_names ? 0 : CMW_ERR_NOMEM;

    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = cmw__name_is_valid(config->depends[i])
                 ? declare_locked(engine, &handles[i], config->depends[i])
                 : CMW_ERR_ARG;
        if (rc == 0)
            depend_names[i] = cmw__engine_service(engine, handles[i])->name;
    }
    if (rc != 0)
        return rc;
    service->depends = handles;
    service->depend_names = depend_names;
    return 0;
}

static int define_locked(cmw_engine *engine, const char *name, const cmw_service_config *config)
{
    cmw_service handle = 0;

    int rc = declare_locked(engine, &handle, name);
    if (rc != 0)
        return rc;
    struct cmw__service *service = cmw__engine_service(engine, handle);
    if (service->is_defined)
        return CMW_ERR_EXISTS;
    rc = declare_depends(engine, service, config);
    if (rc != 0)
        return rc;
    service->config = *config;
    service->is_defined = 1;
    return 0;
}

static int config_is_valid(const cmw_service_config *config)
{
    return config->size == sizeof *config && config->create &&
           config->scope >= CMW_SERVICE_SINGLETON && config->scope <= CMW_SERVICE_TRANSIENT &&
           (config->depends || config->depend_count == 0) && config->depend_count <= UINT16_MAX;
}

int cmw_service_define(cmw_engine *engine, const char *name, const cmw_service_config *config)
{
    if (!engine || !config || !cmw__name_is_valid(name) || !config_is_valid(config))
        return CMW_ERR_ARG;
    cmw__mutex_lock(&engine->lock);
    const int rc = define_locked(engine, name, config);
    cmw__mutex_unlock(&engine->lock);
    return rc;
}

static int give_object(void *self, void **object, cmw_resolver *resolver)
{
    (void)resolver;
    *object = self;
    return 0;
}

int cmw_service_define_object(cmw_engine *engine, const char *name, void *object)
{
    cmw_service_config config;

    if (!object)
        return CMW_ERR_ARG;
    cmw_service_config_init(&config);
    config.scope = CMW_SERVICE_SINGLETON;
    config.create = give_object;
    config.self = object;
    return cmw_service_define(engine, name, &config);
}

int cmw_chain_needs_service(cmw_chain *chain, const char *middleware, cmw_service service)
{
    if (!chain || !middleware)
        return CMW_ERR_ARG;
    struct cmw__instance *instance = cmw__chain_find(chain, middleware);
    cmw__mutex_lock(&chain->engine->lock);
    const int is_known = cmw__engine_service(chain->engine, service) != NULL;
    cmw__mutex_unlock(&chain->engine->lock);
    if (!instance)
        return CMW_ERR_NOT_FOUND;
    if (!is_known)
        return CMW_ERR_ARG;
    struct cmw__need *need = cmw_arena_alloc(chain->storage->arena, sizeof *need);
    if (!need)
        return CMW_ERR_NOMEM;
    *need = (struct cmw__need){instance->needs, service};
    instance->needs = need;
    return 0;
}

/* ---- Checking and making, when a chain compiles ------------------------------------------- */

enum { NOT_VISITED, VISITING, VISITED };

/* One compilation's walk over what it needs, and then over the rest, of which only cycles matter: a
 * request may ask for any of them. */
struct walk {
    cmw_engine *engine;
    cmw_diag *diag;
    int makes;
};

static struct cmw__service *service_at(cmw_engine *engine, cmw_service handle)
{
    cmw__mutex_lock(&engine->lock);
    struct cmw__service *service = cmw__engine_service(engine, handle);
    cmw__mutex_unlock(&engine->lock);
    return service;
}

static int check_service(const struct walk *walk, const struct cmw__service *service,
                         const char *who, const struct cmw__service *asker)
{
    if (!service->is_defined)
        return cmw_diag_set(walk->diag, CMW_ERR_NOT_FOUND,
                            "%s needs service '%s', which nobody defines", who, service->name);
    if (service->visit == VISITING)
        return cmw_diag_set(walk->diag, CMW_ERR_CYCLE,
                            "service '%s' needs '%s', which needs '%s' again: a cycle", who,
                            service->name, who);
    if (walk->makes && asker && asker->config.scope == CMW_SERVICE_SINGLETON &&
        service->config.scope != CMW_SERVICE_SINGLETON)
        return cmw_diag_set(walk->diag, CMW_ERR_CONFLICT,
                            "service '%s' lives as long as the engine but needs '%s', which lives "
                            "as long as a request",
                            who, service->name);
    return 0;
}

static int make_singleton(const struct walk *walk, struct cmw__service *service)
{
    cmw_resolver resolver = {walk->engine, NULL, service};
    void *object = NULL;

    if (service->config.scope != CMW_SERVICE_SINGLETON || service->object)
        return 0;
    const int rc = service->config.create(service->config.self, &object, &resolver);
    if (rc != 0 || !object)
        return cmw_diag_set(walk->diag, rc ? rc : CMW_ERR_STATE,
                            "the factory of service '%s' failed (%d)", service->name, rc);
    service->object = object;
    service->made_before = walk->engine->last_made;
    walk->engine->last_made = service;
    return 0;
}

/* What a service depends on is made before it. The depth is that of the graph: a chain of services
 * is configuration, written by hand. */
static int visit(const struct walk *walk, cmw_service handle, const char *who,
                 const struct cmw__service *asker)
{
    struct cmw__service *service = service_at(walk->engine, handle);

    if (!walk->makes && !service->is_defined)
        return 0;
    int rc = check_service(walk, service, who, asker);
    if (rc != 0 || service->visit == VISITED)
        return rc;
    service->visit = VISITING;
    for (size_t i = 0; i < service->config.depend_count && rc == 0; i++)
        rc = visit(walk, service->depends[i], service->name, service);
    if (rc == 0 && walk->makes)
        rc = make_singleton(walk, service);
    service->visit = VISITED;
    return rc;
}

static void forget_visits(cmw_engine *engine)
{
    cmw__mutex_lock(&engine->lock);
    for (uint32_t i = 0; i < engine->services.count; i++)
        cmw__engine_service(engine, i)->visit = NOT_VISITED;
    cmw__mutex_unlock(&engine->lock);
}

static uint32_t count_services(cmw_engine *engine)
{
    cmw__mutex_lock(&engine->lock);
    const uint32_t count = engine->services.count;
    cmw__mutex_unlock(&engine->lock);
    return count;
}

static int prepare(struct walk *walk, const struct cmw__order *order)
{
    const uint32_t count = count_services(walk->engine);
    int rc = 0;

    for (uint32_t i = 0; i < order->count && rc == 0; i++)
        for (const struct cmw__need *at = order->items[i]->needs; at && rc == 0; at = at->next)
            rc = visit(walk, at->service, order->items[i]->mw.name, NULL);
    walk->makes = 0;
    for (uint32_t i = 0; i < count && rc == 0; i++)
        rc = visit(walk, i, service_at(walk->engine, i)->name, NULL);
    return rc;
}

int cmw__services_prepare(cmw_engine *engine, const struct cmw__order *order, cmw_diag *diag)
{
    struct walk walk = {engine, diag, 1};

    cmw__mutex_lock(&engine->service_lock);
    forget_visits(engine);
    const int rc = prepare(&walk, order);
    cmw__mutex_unlock(&engine->service_lock);
    return rc;
}

void cmw__services_destroy(cmw_engine *engine)
{
    for (struct cmw__service *at = engine->last_made; at; at = at->made_before)
        if (at->config.destroy)
            at->config.destroy(at->config.self, at->object);
    engine->last_made = NULL;
}

/* ---- In a request ----------------------------------------------------------------------- */

static void destroy_object(void *argument)
{
    const struct cmw__request_service *made = argument;
    made->service->config.destroy(made->service->config.self, made->object);
}

/* Make an object for this request; one whose end cannot be registered is destroyed at once. */
static int make_object(cmw_ctx *ctx, struct cmw__service *service,
                       struct cmw__request_service **out)
{
    cmw_resolver resolver = {ctx->worker->engine, ctx, service};
    struct cmw__request_service *made = cmw_arena_alloc(&ctx->arena, sizeof *made);

    if (!made)
        return CMW_ERR_NOMEM;
    *made = (struct cmw__request_service){NULL, service, NULL};
    const int rc = service->config.create(service->config.self, &made->object, &resolver);
    if (rc != 0 || !made->object)
        return rc ? rc : CMW_ERR_STATE;
    if (service->config.destroy && cmw_arena_defer(&ctx->arena, destroy_object, made) != 0) {
        destroy_object(made);
        return CMW_ERR_NOMEM;
    }
    *out = made;
    return 0;
}

static struct cmw__request_service *find_made(const cmw_ctx *ctx,
                                              const struct cmw__service *service)
{
    struct cmw__request_service *at = ctx->services;
    while (at && at->service != service)
        at = at->next;
    return at;
}

static int resolve(cmw_ctx *ctx, struct cmw__service *service, void **object)
{
    struct cmw__request_service *made = NULL;

    if (service->config.scope == CMW_SERVICE_REQUEST)
        made = find_made(ctx, service);
    if (!made) {
        const int rc = make_object(ctx, service, &made);
        if (rc != 0)
            return rc;
        if (service->config.scope == CMW_SERVICE_REQUEST) {
            made->next = ctx->services;
            ctx->services = made;
            ctx->traces |= CMW__CTX_LITTER;
        }
    }
    *object = made->object;
    return 0;
}

int cmw_ctx_service(cmw_ctx *ctx, cmw_service handle, void **object)
{
    if (handle >= ctx->plan->service_limit)
        return CMW_ERR_NOT_FOUND;
    const struct cmw__planned_service *planned = &ctx->plan->services[handle];
    if (planned->object) {
        *object = planned->object;
        return 0;
    }
    if (!planned->service)
        return CMW_ERR_NOT_FOUND;
    if (planned->service->config.scope == CMW_SERVICE_SINGLETON)
        return CMW_ERR_STATE;
    return resolve(ctx, planned->service, object);
}

/* For a singleton that is made: under the service lock, with all it depends on made before it. */
static int get_for_singleton(const struct cmw_resolver *resolver, cmw_service handle, void **object)
{
    const struct cmw__service *other = service_at(resolver->engine, handle);

    if (!other->object)
        return CMW_ERR_STATE;
    *object = other->object;
    return 0;
}

int cmw_resolver_get(cmw_resolver *resolver, const char *name, void **object)
{
    const struct cmw__service *service = resolver->service;

    for (size_t i = 0; name && i < service->config.depend_count; i++) {
        if (strcmp(service->depend_names[i], name) != 0)
            continue;
        return resolver->ctx ? cmw_ctx_service(resolver->ctx, service->depends[i], object)
                             : get_for_singleton(resolver, service->depends[i], object);
    }
    return CMW_ERR_NOT_FOUND;
}

cmw_ctx *cmw_resolver_ctx(cmw_resolver *resolver)
{
    return resolver->ctx;
}
