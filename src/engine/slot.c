/* SPDX-License-Identifier: MIT */
/* Slots: the engine's registry, and a request's values. */
#include "ctx_state.h"
#include "registry.h"
#include "shadow.h"
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

size_t cmw_slot_size(cmw_engine *engine, cmw_slot slot)
{
    if (!engine)
        return 0;
    cmw__mutex_lock(&engine->lock);
    const size_t size = slot < engine->slots.count ? cmw__engine_slot(engine, slot)->size : 0;
    cmw__mutex_unlock(&engine->lock);
    return size;
}

int cmw__register_facts(cmw_engine *engine)
{
    static const char *const names[CMW_FACT_COUNT] = {
        "client_address", "host",          "scheme",          "canonical_path",
        "plain_body",     "kept_response", "response_fields", "response_vary"};
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
    if (CMW_UNLIKELY(slot >= plan->slot_limit))
        return cmw__shadow_slot(ctx, slot);
    return cmw__ctx_value_at(ctx, &plan->slots[slot]);
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

/* The bit is cleared when the request ends: a value of one must never be seen by another. */
static inline void mark_set(cmw_ctx *ctx, const struct cmw__slot_place *place)
{
    *cmw__slot_word(ctx, place) |= place->mask;
    ctx->traces |= place->traces;
}

/* With a destructor, or a large one. */
static CMW__NOINLINE void *set_slowly(cmw_ctx *ctx, const struct cmw__slot_place *place)
{
    char *value = (char *)ctx + place->offset;

    if (place->destroy && (*cmw__slot_word(ctx, place) & place->mask))
        place->destroy(value);
    else if (place->destroy && defer_destroy(ctx, place, value) != 0)
        return NULL;
    memset(value, 0, place->size);
    mark_set(ctx, place);
    return value;
}

void *cmw_ctx_set_slot(cmw_ctx *ctx, cmw_slot slot)
{
    const cmw_plan *const plan = ctx->plan;
    if (CMW_UNLIKELY(slot >= plan->slot_limit))
        return cmw__shadow_set_slot(ctx, slot);
    const struct cmw__slot_place *const place = &plan->slots[slot];
    if (CMW_UNLIKELY(!place->is_quick))
        return place->mask == 0 ? cmw__shadow_set_slot(ctx, slot) : set_slowly(ctx, place);
    char *const value = (char *)ctx + place->offset;

    const size_t last = place->size - 16u; /* its room is a multiple of 16 */

    *cmw__ctx_slot_bits(ctx) |= place->mask;
    memset(value, 0, 16);
    memset(value + last, 0, 16);
    for (size_t i = 16; i < last; i += 32)
        memset(value + i, 0, 32);
    return value;
}

static CMW__NOINLINE void *copy_slowly(cmw_ctx *ctx, const struct cmw__slot_place *place,
                                       const void *value)
{
    void *room = set_slowly(ctx, place);
    if (room)
        memcpy(room, value, place->size);
    return room;
}

static CMW__NOINLINE void *copy_in_shadow(cmw_ctx *ctx, cmw_slot slot, const void *value)
{
    void *room = cmw__shadow_set_slot(ctx, slot);
    if (room)
        memcpy(room, value, ctx->plan->shadow_of->slots[slot].size);
    return room;
}

/* Sixteen bytes of it. */
#define PIECE(n) memcpy(room + (size_t)16 * (n), from + (size_t)16 * (n), 16)

/* The bit is in the first word, and nothing else is left behind. */
void *cmw_ctx_copy_slot(cmw_ctx *ctx, cmw_slot slot, const void *value)
{
    const cmw_plan *const plan = ctx->plan;
    if (CMW_UNLIKELY(slot >= plan->slot_limit))
        return copy_in_shadow(ctx, slot, value);
    const struct cmw__slot_place *const place = &plan->slots[slot];
    if (CMW_UNLIKELY(!place->is_quick))
        return place->mask == 0 ? copy_in_shadow(ctx, slot, value) : copy_slowly(ctx, place, value);
    char *const room = (char *)ctx + place->offset;
    const char *const from = value;
    const size_t last = place->size - 16u; /* the last piece may overlap the one before */

    *cmw__ctx_slot_bits(ctx) |= place->mask;
    memcpy(room + last, from + last, 16);
    if (last == 0)
        return room;
    PIECE(0);
    if (last <= 16)
        return room;
    PIECE(1);
    if (last <= 32)
        return room;
    PIECE(2);
    if (last <= 48)
        return room;
    PIECE(3);
    for (size_t i = 64; i < last; i += 16)
        memcpy(room + i, from + i, 16);
    return room;
}
