/* SPDX-License-Identifier: MIT */
/* Slots: the engine's registry, and a request's values. */
#include "ctx_state.h"
#include "registry.h"
#include "text.h"

/* ---- Registry --------------------------------------------------------------------------- */

const struct cmw__slot *cmw__engine_slot(const cmw_engine *engine, cmw_slot slot)
{
    return cmw__table_at(&engine->slots, slot);
}

static cmw_slot find_slot(const cmw_engine *engine, const char *name)
{
    for (uint32_t i = 0; i < engine->slots.count; i++)
        if (strcmp(cmw__engine_slot(engine, i)->name, name) == 0)
            return i;
    return CMW_NONE;
}

static int add_slot(cmw_engine *engine, cmw_slot *out, const char *name, size_t size,
                    void (*destroy)(void *value))
{
    struct cmw__slot *slot = cmw_arena_alloc(engine->arena, sizeof *slot);
    char *copy = cmw__arena_dup_cstr(engine->arena, name);
    if (!slot || !copy)
        return CMW_ERR_NOMEM;
    *slot = (struct cmw__slot){copy, size, destroy};
    const int rc = cmw__table_add(engine, &engine->slots, slot);
    if (rc == 0)
        *out = engine->slots.count - 1;
    return rc;
}

static int declare_locked(cmw_engine *engine, cmw_slot *out, const char *name, size_t size,
                          void (*destroy)(void *value))
{
    const cmw_slot known = find_slot(engine, name);
    if (known == CMW_NONE)
        return add_slot(engine, out, name, size, destroy);
    const struct cmw__slot *slot = cmw__engine_slot(engine, known);
    if (slot->size != size || slot->destroy != destroy)
        return CMW_ERR_CONFLICT;
    *out = known;
    return 0;
}

int cmw_slot_declare(cmw_engine *engine, cmw_slot *slot, const char *name, size_t size,
                     void (*destroy)(void *value))
{
    if (!engine || !slot || !cmw__name_is_valid(name) || size > UINT16_MAX)
        return CMW_ERR_ARG;
    if (size == 0 && destroy)
        return CMW_ERR_ARG;
    cmw__mutex_lock(&engine->lock);
    const int rc = declare_locked(engine, slot, name, size, destroy);
    cmw__mutex_unlock(&engine->lock);
    return rc;
}

cmw_slot cmw_slot_find(cmw_engine *engine, const char *name)
{
    if (!engine || !name)
        return CMW_NONE;
    cmw__mutex_lock(&engine->lock);
    const cmw_slot slot = find_slot(engine, name);
    cmw__mutex_unlock(&engine->lock);
    return slot;
}

int cmw__register_facts(cmw_engine *engine)
{
    static const char *const names[CMW_FACT_COUNT] = {"client_address", "host", "scheme",
                                                      "canonical_path"};
    cmw_slot slot = 0;
    int rc = 0;
    for (size_t i = 0; i < CMW_FACT_COUNT && rc == 0; i++)
        rc = add_slot(engine, &slot, names[i], 0, NULL);
    return rc;
}

/* ---- A request's values ----------------------------------------------------------------- */

void *cmw_ctx_slot(const cmw_ctx *ctx, cmw_slot slot)
{
    const cmw_plan *plan = ctx->plan;
    if (slot >= plan->slot_limit)
        return NULL;
    const struct cmw__slot_place place = plan->slots[slot];
    if (!(ctx->slot_bits[place.bit / 64] >> (place.bit % 64) & 1))
        return NULL;
    return (char *)(uintptr_t)ctx + place.offset;
}

/* The clean-up of a set slot: destroys the value that is there when the request ends. */
struct slot_cleanup {
    void (*destroy)(void *value);
    void *value;
};

static void run_slot_cleanup(void *object)
{
    const struct slot_cleanup *cleanup = object;
    cleanup->destroy(cleanup->value);
}

static int defer_destroy(cmw_ctx *ctx, const struct cmw__slot_place *place, void *value)
{
    struct slot_cleanup *cleanup = cmw_arena_alloc(&ctx->arena, sizeof *cleanup);
    if (!cleanup)
        return CMW_ERR_NOMEM;
    *cleanup = (struct slot_cleanup){place->destroy, value};
    return cmw_arena_defer(&ctx->arena, run_slot_cleanup, cleanup);
}

void *cmw_ctx_set_slot(cmw_ctx *ctx, cmw_slot slot)
{
    const cmw_plan *plan = ctx->plan;
    if (slot >= plan->slot_limit || plan->slots[slot].offset == 0 || plan->slots[slot].size == 0)
        return NULL;
    const struct cmw__slot_place *place = &plan->slots[slot];
    char *value = (char *)ctx + place->offset;
    uint64_t *bits = &ctx->slot_bits[place->bit / 64];
    const uint64_t mask = UINT64_C(1) << (place->bit % 64);

    if (place->destroy && (*bits & mask))
        place->destroy(value);
    else if (place->destroy && defer_destroy(ctx, place, value) != 0)
        return NULL;
    memset(value, 0, place->size);
    *bits |= mask;
    ctx->traces |= CMW__CTX_LITTER;
    return value;
}
