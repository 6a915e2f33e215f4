/* SPDX-License-Identifier: MIT */
/* The list of built-in kinds, registered with every engine, and what they share. */
#include "builtins.h"

int cmw__register_builtins(cmw_engine *engine)
{
#define ADDRESS_OF(name) &cmw__kind_##name,
    static const cmw_kind *const kinds[] = {CMW__BUILTIN_LIST(ADDRESS_OF)};
#undef ADDRESS_OF
    int rc = 0;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0] && rc == 0; i++)
        rc = cmw_kind_register(engine, kinds[i]);
    return rc;
}

void *cmw__builtin_alloc(cmw_engine *engine, cmw_arena **arena, size_t bytes, const char *kind,
                         cmw_diag *diag)
{
    cmw_arena *own = NULL;
    void *state = NULL;

    if (cmw_arena_create(&own, cmw_engine_pool(engine, CMW_POOL_PLAN), 0) == 0)
        state = cmw_arena_alloc(own, bytes);
    if (!state) {
        cmw_arena_destroy(own);
        (void)cmw_diag_set(diag, CMW_ERR_NOMEM, "%s: no memory", kind);
        return NULL;
    }
    memset(state, 0, bytes);
    *arena = own;
    return state;
}

const char *cmw__builtin_copy(cmw_arena *arena, const char *text)
{
    cmw_str copy;
    return cmw_arena_dup(arena, &copy, cmw_str_cstr(text)) == 0 ? copy.data : NULL;
}

int cmw__builtin_networks(cmw_network_set **out, cmw_arena *arena, const char *option,
                          const char *const *texts, size_t count, cmw_diag *diag)
{
    cmw_diag why;
    const int rc = cmw_network_set_create(out, arena, texts, count, &why);

    return rc == 0 ? 0 : cmw_diag_set(diag, rc, "%s: %s", option, why.message);
}

/* ---- Order rules ------------------------------------------------------------------------ */

static int relate(cmw_engine *engine, cmw_middleware *middleware, cmw_relation relation,
                  const char *fact)
{
    cmw_slot slot;
    const int rc = cmw_slot_declare(engine, &slot, fact, 0, NULL);

    if (rc == 0)
        cmw_middleware_relate(middleware, relation, slot);
    return rc;
}

int cmw__builtin_provides(cmw_engine *engine, cmw_middleware *middleware, const char *fact)
{
    return relate(engine, middleware, CMW_PROVIDES, fact);
}

int cmw__builtin_uses(cmw_engine *engine, cmw_middleware *middleware, const char *fact)
{
    return relate(engine, middleware, CMW_USES, fact);
}
