/* SPDX-License-Identifier: MIT */
/* Switches: kept states of one atomic word. */
#include <catzilla/switch.h>

#include <stdatomic.h>

#include <catzilla/engine.h>

struct cmw_switch {
    cmw_pool *pool;
    _Atomic int is_on;
};

static int create_switch(void *self, void **object)
{
    cmw_pool *pool = cmw_engine_pool(self, CMW_POOL_PLAN);
    struct cmw_switch *made = cmw_pool_alloc(pool, sizeof *made, 0);

    if (!made)
        return CMW_ERR_NOMEM;
    made->pool = pool;
    atomic_init(&made->is_on, 0);
    *object = made;
    return 0;
}

static void destroy_switch(void *self, void *object)
{
    struct cmw_switch *which = object;

    (void)self;
    cmw_pool_free(which->pool, which, sizeof *which, 0);
}

int cmw_switch_retain(cmw_engine *engine, cmw_switch **out, const char *name)
{
    const size_t len = name ? strlen(name) : 0;
    cmw_state_config config;
    void *object;

    if (!engine || !out || len == 0 || len > 64)
        return CMW_ERR_ARG;
    cmw_state_config_init(&config);
    config.kind = "switch";
    config.name = name;
    config.create = create_switch;
    config.destroy = destroy_switch;
    config.self = engine;
    const int rc = cmw_state_retain(engine, &object, &config);
    if (rc == 0)
        *out = object;
    return rc;
}

void cmw_switch_release(cmw_engine *engine, cmw_switch *which)
{
    cmw_state_release(engine, which);
}

void cmw_switch_set(cmw_switch *which, int is_on)
{
    atomic_store_explicit(&which->is_on, is_on != 0, memory_order_relaxed);
}

int cmw_switch_is_on(const cmw_switch *which)
{
    return atomic_load_explicit(&which->is_on, memory_order_relaxed);
}
