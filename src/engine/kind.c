/* SPDX-License-Identifier: MIT */
/* Kinds: the engine's registry, and chains that use them by name. */
#include "chain_state.h"
#include "engine_state.h"
#include "text.h"

static const cmw_kind *find_kind(const cmw_engine *engine, const char *name)
{
    for (uint32_t i = 0; i < engine->kinds.count; i++) {
        const cmw_kind *kind = cmw__table_at(&engine->kinds, i);
        if (strcmp(kind->name, name) == 0)
            return kind;
    }
    return NULL;
}

int cmw_kind_register(cmw_engine *engine, const cmw_kind *kind)
{
    if (!engine || !kind || kind->size != sizeof *kind || !kind->create ||
        !cmw__name_is_valid(kind->name))
        return CMW_ERR_ARG;
    cmw__mutex_lock(&engine->lock);
    int rc = CMW_ERR_EXISTS;
    if (!find_kind(engine, kind->name)) /* the table hands it out as const again */
        rc = cmw__table_add(engine, &engine->kinds, (void *)(uintptr_t)kind);
    cmw__mutex_unlock(&engine->lock);
    return rc;
}

const cmw_kind *cmw_kind_find(cmw_engine *engine, const char *name)
{
    if (!engine || !name)
        return NULL;
    cmw__mutex_lock(&engine->lock);
    const cmw_kind *kind = find_kind(engine, name);
    cmw__mutex_unlock(&engine->lock);
    return kind;
}

const cmw_kind *cmw_kind_at(cmw_engine *engine, size_t index)
{
    if (!engine || index > UINT16_MAX)
        return NULL;
    cmw__mutex_lock(&engine->lock);
    const cmw_kind *kind = cmw__table_at(&engine->kinds, (uint32_t)index);
    cmw__mutex_unlock(&engine->lock);
    return kind;
}

int cmw_chain_use(cmw_chain *chain, const char *kind_name, const void *config, cmw_diag *diag)
{
    cmw_middleware middleware;

    if (!chain || !kind_name)
        return cmw_diag_set(diag, CMW_ERR_ARG, "a chain and the name of a kind are needed");
    const cmw_kind *kind = cmw_kind_find(chain->engine, kind_name);
    if (!kind)
        return cmw_diag_set(diag, CMW_ERR_NOT_FOUND, "there is no kind of middleware named '%s'",
                            kind_name);
    cmw_middleware_init(&middleware);
    middleware.name = kind->name;
    middleware.kind = kind->name;
    int rc = kind->create(chain->engine, &middleware, config, diag);
    if (rc != 0)
        return rc;
    rc = cmw_chain_add(chain, &middleware, diag);
    if (rc != 0 && middleware.destroy)
        middleware.destroy(middleware.self);
    return rc;
}

int cmw_chain_use_builtins(cmw_chain *chain, const char *const *kinds, size_t count, cmw_diag *diag)
{
    if (!chain || (!kinds && count > 0))
        return cmw_diag_set(diag, CMW_ERR_ARG, "a chain and a list of kinds are needed");
    const struct cmw__chain_mark mark = cmw__chain_get_mark(chain);
    for (size_t i = 0; i < count; i++) {
        const int rc = cmw_chain_use(chain, kinds[i], NULL, diag);
        if (rc != 0) {
            cmw__chain_rewind(chain, mark);
            return rc;
        }
    }
    return 0;
}
