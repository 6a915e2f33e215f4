/* SPDX-License-Identifier: MIT */
/* Chains: adding middleware and groups, checked one by one, and switching them by name. */
#include "chain_state.h"

#include "engine_state.h"
#include "hash.h"
#include "response_state.h"
#include "text.h"

/* ---- Storage ---------------------------------------------------------------------------- */

struct cmw__storage *cmw__storage_retain(struct cmw__storage *storage)
{
    atomic_fetch_add_explicit(&storage->holders, 1, memory_order_relaxed);
    return storage;
}

static void destroy_instances(struct cmw__instance *instance)
{
    for (; instance; instance = instance->next)
        if (instance->mw.destroy)
            instance->mw.destroy(instance->mw.self);
}

void cmw__storage_release(struct cmw__storage *storage)
{
    if (atomic_fetch_sub_explicit(&storage->holders, 1, memory_order_acq_rel) != 1)
        return;
    destroy_instances(storage->first);
    cmw_arena_destroy(storage->arena); /* the storage itself lies in it */
}

static struct cmw__storage *create_storage(cmw_engine *engine)
{
    cmw_arena *arena = NULL;
    if (cmw_arena_create(&arena, cmw_engine_pool(engine, CMW_POOL_PLAN), 0) != 0)
        return NULL;
    struct cmw__storage *storage = cmw_arena_alloc(arena, sizeof *storage);
    if (!storage) {
        cmw_arena_destroy(arena);
        return NULL;
    }
    memset(storage, 0, sizeof *storage);
    atomic_init(&storage->holders, 1);
    storage->engine = engine;
    storage->arena = arena;
    return storage;
}

int cmw_chain_create(cmw_engine *engine, cmw_chain **out, unsigned flags)
{
    if (!engine || !out || (flags & ~(unsigned)CMW_ORDER_ONION))
        return CMW_ERR_ARG;
    struct cmw__storage *storage = create_storage(engine);
    cmw_chain *chain = storage ? cmw_arena_alloc(storage->arena, sizeof *chain) : NULL;
    if (!chain) {
        if (storage)
            cmw__storage_release(storage);
        return CMW_ERR_NOMEM;
    }
    *chain = (cmw_chain){engine, storage, flags};
    atomic_fetch_add(&engine->holds, 1);
    *out = chain;
    return 0;
}

void cmw_chain_destroy(cmw_chain *chain)
{
    if (!chain)
        return;
    cmw_engine *engine = chain->engine;
    cmw__storage_release(chain->storage);
    atomic_fetch_sub(&engine->holds, 1);
}

struct cmw__chain_mark cmw__chain_get_mark(const cmw_chain *chain)
{
    return (struct cmw__chain_mark){chain->storage->last, chain->storage->instance_count};
}

void cmw__chain_rewind(cmw_chain *chain, struct cmw__chain_mark mark)
{
    struct cmw__storage *storage = chain->storage;
    struct cmw__instance **tail = mark.last ? &mark.last->next : &storage->first;

    destroy_instances(*tail);
    *tail = NULL;
    storage->last = mark.last;
    storage->instance_count = mark.instance_count;
}

struct cmw__instance *cmw__chain_find(const cmw_chain *chain, const char *name)
{
    const uint64_t hash = cmw__hash(name, strlen(name), 0);
    for (struct cmw__instance *at = chain->storage->first; at; at = at->next)
        if (at->name_hash == hash && strcmp(at->mw.name, name) == 0)
            return at;
    return NULL;
}

/* ---- Checking a descriptor -------------------------------------------------------------- */

static int check_numbers(const cmw_middleware *mw, cmw_diag *diag)
{
    if (mw->priority < 0 || mw->priority > CMW_PRIORITY_MAX)
        return cmw_diag_set(diag, CMW_ERR_ARG, "'%s': priority %d is not in 0..%d", mw->name,
                            (int)mw->priority, CMW_PRIORITY_MAX);
    if (mw->post_priority < CMW_PRIORITY_INHERIT || mw->post_priority > CMW_PRIORITY_MAX)
        return cmw_diag_set(diag, CMW_ERR_ARG, "'%s': post_priority %d is not in 0..%d", mw->name,
                            (int)mw->post_priority, CMW_PRIORITY_MAX);
    if (mw->flags & ~(uint32_t)(CMW_IF_ENTERED | CMW_GUARDS_ACCESS | CMW_FIELDS_IF_ABSENT |
                                CMW_KEEPS_BEGIN_TIME | CMW_TRANSFORMS_BODY | CMW_TIMES_BODY |
                                CMW_READS_TRAILERS | CMW_SENDS_TRAILERS))
        return cmw_diag_set(diag, CMW_ERR_ARG, "'%s': flags 0x%x has a bit without a meaning",
                            mw->name, (unsigned)mw->flags);
    if (mw->relation_count > CMW_RELATION_CAP)
        return cmw_diag_set(diag, CMW_ERR_ARG, "'%s' has more than %d relations to slots and facts",
                            mw->name, CMW_RELATION_CAP);
    return 0;
}

static int check_failure(const cmw_middleware *mw, cmw_diag *diag)
{
    if (mw->failure < CMW_FAIL_CLOSED || mw->failure > CMW_FAIL_STATUS)
        return cmw_diag_set(diag, CMW_ERR_ARG, "'%s': %d is no failure policy", mw->name,
                            (int)mw->failure);
    if (mw->failure == CMW_FAIL_STATUS && (mw->failure_status < 400 || mw->failure_status > 599))
        return cmw_diag_set(diag, CMW_ERR_ARG, "'%s': failure_status %d is not in 400..599",
                            mw->name, (int)mw->failure_status);
    if (mw->failure == CMW_FAIL_OPEN && (mw->flags & CMW_GUARDS_ACCESS))
        return cmw_diag_set(diag, CMW_ERR_CONFLICT, "'%s' guards access and so cannot fail open",
                            mw->name);
    return 0;
}

static int check_callbacks(const cmw_middleware *mw, cmw_diag *diag)
{
    if ((mw->flags & CMW_IF_ENTERED) && !mw->pre_route)
        return cmw_diag_set(diag, CMW_ERR_CONFLICT,
                            "'%s' has CMW_IF_ENTERED but no pre_route to enter", mw->name);
    if (!mw->fields && mw->field_count > 0)
        return cmw_diag_set(diag, CMW_ERR_ARG, "'%s': fields is NULL but field_count is %zu",
                            mw->name, mw->field_count);
    if ((!mw->before && mw->before_count > 0) || (!mw->after && mw->after_count > 0))
        return cmw_diag_set(diag, CMW_ERR_ARG, "'%s': before or after is NULL but counted",
                            mw->name);
    return 0;
}

static int check_relations(const cmw_chain *chain, const cmw_middleware *mw, cmw_diag *diag)
{
    cmw__mutex_lock(&chain->engine->lock);
    const uint32_t known = chain->engine->slots.count;
    cmw__mutex_unlock(&chain->engine->lock);
    for (uint32_t i = 0; i < mw->relation_count; i++) {
        const uint32_t relation = mw->relations[i].relation;
        const cmw_slot slot = mw->relations[i].slot;
        if (relation < CMW_PROVIDES || relation > CMW_POST_USES)
            return cmw_diag_set(diag, CMW_ERR_ARG, "'%s': %u is no relation", mw->name,
                                (unsigned)relation);
        if (slot >= known)
            return cmw_diag_set(diag, CMW_ERR_NOT_FOUND,
                                "'%s' names slot %u, which the engine does not know: declare it "
                                "with cmw_slot_declare",
                                mw->name, (unsigned)slot);
        if (relation == CMW_PROVIDES && slot < CMW_FACT_COUNT)
            return cmw_diag_set(diag, CMW_ERR_CONFLICT,
                                "'%s' provides a fact that the engine provides: it can refine it",
                                mw->name);
        if (slot < CMW_FACT_COUNT &&
            (slot >= CMW_FACT_PLAIN_BODY) != (relation >= CMW_POST_PROVIDES))
            return cmw_diag_set(diag, CMW_ERR_CONFLICT,
                                "'%s' relates to a fact of the engine's in a phase in which it "
                                "has no order: of requests in pre_route, of responses in "
                                "post_route",
                                mw->name);
    }
    return 0;
}

static int check_descriptor(const cmw_chain *chain, const cmw_middleware *mw, cmw_diag *diag)
{
    if (mw->size != sizeof *mw)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "the descriptor's size is not that of this library; call "
                            "cmw_middleware_init");
    if (!cmw__name_is_valid(mw->name))
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "a middleware's name is 1 to 128 letters, digits, '_', '-', '.' or "
                            "'#': '%s' is not",
                            mw->name ? mw->name : "(null)");
    if (cmw__chain_find(chain, mw->name))
        return cmw_diag_set(diag, CMW_ERR_EXISTS, "the chain has a middleware named '%s' already",
                            mw->name);
    int rc = check_numbers(mw, diag);
    if (rc == 0)
        rc = check_failure(mw, diag);
    if (rc == 0)
        rc = check_callbacks(mw, diag);
    if (rc == 0)
        rc = check_relations(chain, mw, diag);
    return rc;
}

/* ---- Copying it ------------------------------------------------------------------------- */

static const char *const *copy_names(cmw_arena *arena, const char *const *names, size_t count)
{
    const char **copies = cmw_arena_alloc(arena, (count + 1) * sizeof *copies);
    if (!copies)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        copies[i] = cmw__arena_dup_cstr(arena, names[i]);
        if (!copies[i])
            return NULL;
    }
    copies[count] = NULL;
    return copies;
}

static const cmw_header *copy_fields(cmw_arena *arena, const cmw_header *fields, size_t count)
{
    cmw_header *copies = cmw_arena_alloc(arena, count * sizeof *copies);
    if (!copies)
        return NULL;
    for (size_t i = 0; i < count; i++)
        if (cmw_arena_dup(arena, &copies[i].name, fields[i].name) != 0 ||
            cmw_arena_dup(arena, &copies[i].value, fields[i].value) != 0)
            return NULL;
    return copies;
}

static int copy_descriptor(cmw_arena *arena, struct cmw__instance *to, const cmw_middleware *mw)
{
    to->mw = *mw;
    to->mw.condition = NULL;
    to->mw.name = cmw__arena_dup_cstr(arena, mw->name);
    to->mw.kind = cmw__arena_dup_cstr(arena, mw->kind ? mw->kind : "custom");
    to->mw.before = copy_names(arena, mw->before, mw->before_count);
    to->mw.after = copy_names(arena, mw->after, mw->after_count);
    to->mw.fields = copy_fields(arena, mw->fields, mw->field_count);
    return to->mw.name && to->mw.kind && to->mw.before && to->mw.after && to->mw.fields
               ? 0
               : CMW_ERR_NOMEM;
}

/* Building the block once checks every name and value with the rules of responses. */
static int check_fields(const cmw_chain *chain, const cmw_middleware *mw, cmw_diag *diag)
{
    cmw_pool *pool = cmw_engine_pool(chain->engine, CMW_POOL_PLAN);
    struct cmw_header_block *block = NULL;
    size_t bad = 0;

    if (mw->field_count == 0)
        return 0;
    const int rc = cmw__header_block_create(&block, pool, mw->fields, mw->field_count, 0, &bad);
    if (rc == CMW_ERR_NOMEM)
        return cmw_diag_set(diag, rc, "'%s': no memory for its fields", mw->name);
    if (rc != 0)
        return cmw_diag_set(diag, rc, "'%s': field '%.*s' %s", mw->name,
                            (int)(mw->fields[bad].name.len < 200 ? mw->fields[bad].name.len : 200),
                            mw->fields[bad].name.data ? mw->fields[bad].name.data : "",
                            rc == CMW_ERR_ARG ? "is the library's or the server's to set"
                                              : "has a name or a value that HTTP does not allow");
    cmw__header_block_destroy(block, pool);
    return 0;
}

static int make_instance(cmw_chain *chain, struct cmw__instance *instance, cmw_group *group,
                         const cmw_middleware *mw, cmw_diag *diag)
{
    struct cmw__storage *storage = chain->storage;

    memset(instance, 0, sizeof *instance);
    if (copy_descriptor(storage->arena, instance, mw) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "'%s': no memory to add it", mw->name);
    instance->group = group;
    instance->sequence = storage->instance_count;
    instance->name_hash = cmw__hash(mw->name, strlen(mw->name), 0);
    if (!mw->condition)
        return 0;
    return cmw__condition_copy(&instance->condition, storage->arena, mw->condition,
                               instance->mw.name, diag);
}

static int add_to(cmw_chain *chain, cmw_group *group, const cmw_middleware *mw, cmw_diag *diag)
{
    struct cmw__storage *storage = chain->storage;
    int rc = check_descriptor(chain, mw, diag);
    if (rc == 0)
        rc = check_fields(chain, mw, diag);
    if (rc != 0)
        return rc;

    const cmw_arena_mark mark = cmw_arena_get_mark(storage->arena);
    struct cmw__instance *instance = cmw_arena_alloc(storage->arena, sizeof *instance);
    rc = instance ? make_instance(chain, instance, group, mw, diag)
                  : cmw_diag_set(diag, CMW_ERR_NOMEM, "'%s': no memory to add it", mw->name);
    if (rc != 0) {
        cmw__arena_back(storage->arena, mark);
        return rc;
    }
    if (storage->last)
        storage->last->next = instance;
    else
        storage->first = instance;
    storage->last = instance;
    storage->instance_count++;
    return 0;
}

int cmw_chain_add(cmw_chain *chain, const cmw_middleware *middleware, cmw_diag *diag)
{
    if (!chain || !middleware)
        return cmw_diag_set(diag, CMW_ERR_ARG, "a chain and a descriptor are needed");
    return add_to(chain, NULL, middleware, diag);
}

int cmw_group_add(cmw_group *group, const cmw_middleware *middleware, cmw_diag *diag)
{
    if (!group || !middleware)
        return cmw_diag_set(diag, CMW_ERR_ARG, "a group and a descriptor are needed");
    return add_to(group->chain, group, middleware, diag);
}

/* ---- Groups ----------------------------------------------------------------------------- */

static int check_group(const cmw_chain *chain, const cmw_group *parent,
                       const cmw_group_config *config, cmw_diag *diag)
{
    if (config->size != sizeof *config)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "the group's size is not that of this library; call "
                            "cmw_group_config_init");
    if (!cmw__name_is_valid(config->name))
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "a group's name is 1 to 128 letters, digits, '_', '-', '.' or '#': "
                            "'%s' is not",
                            config->name ? config->name : "(null)");
    if (parent && parent->chain != chain)
        return cmw_diag_set(diag, CMW_ERR_ARG, "group '%s' is in another chain than its parent",
                            config->name);
    if (config->route_id != CMW_NONE && cmw__group_route(parent) != CMW_NONE)
        return cmw_diag_set(diag, CMW_ERR_CONFLICT,
                            "group '%s' names route %u inside group '%s' of route %u", config->name,
                            (unsigned)config->route_id, parent->name, (unsigned)parent->route_id);
    return 0;
}

int cmw_chain_add_group(cmw_chain *chain, cmw_group **out, cmw_group *parent,
                        const cmw_group_config *config, cmw_diag *diag)
{
    if (!chain || !out || !config)
        return cmw_diag_set(diag, CMW_ERR_ARG, "a chain, a place and a configuration are needed");
    int rc = check_group(chain, parent, config, diag);
    if (rc != 0)
        return rc;

    cmw_arena *arena = chain->storage->arena;
    const cmw_arena_mark mark = cmw_arena_get_mark(arena);
    cmw_group *group = cmw_arena_alloc(arena, sizeof *group);
    const char *name = cmw__arena_dup_cstr(arena, config->name);
    if (!group || !name) {
        cmw__arena_back(arena, mark);
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "no memory for group '%s'", config->name);
    }
    *group = (cmw_group){chain, parent, name, NULL, config->route_id};
    if (config->route_id == CMW_NONE)
        group->route_id = cmw__group_route(parent);
    if (config->condition)
        rc = cmw__condition_copy(&group->condition, arena, config->condition, name, diag);
    if (rc != 0) {
        cmw__arena_back(arena, mark);
        return rc;
    }
    *out = group;
    return 0;
}

/* ---- By name ---------------------------------------------------------------------------- */

int cmw_chain_set_mode(cmw_chain *chain, const char *name, cmw_mode mode)
{
    if (!chain || !name || mode < CMW_MODE_ENABLED || mode > CMW_MODE_DISABLED)
        return CMW_ERR_ARG;
    struct cmw__instance *instance = cmw__chain_find(chain, name);
    if (!instance)
        return CMW_ERR_NOT_FOUND;
    instance->mode = (int)mode;
    return 0;
}

int cmw_chain_enable(cmw_chain *chain, const char *name)
{
    return cmw_chain_set_mode(chain, name, CMW_MODE_ENABLED);
}

int cmw_chain_disable(cmw_chain *chain, const char *name)
{
    return cmw_chain_set_mode(chain, name, CMW_MODE_DISABLED);
}

int cmw_chain_shadow(cmw_chain *chain, const char *name)
{
    return cmw_chain_set_mode(chain, name, CMW_MODE_SHADOWED);
}

int cmw_chain_set_priority(cmw_chain *chain, const char *name, int32_t priority)
{
    if (!chain || !name || priority < 0 || priority > CMW_PRIORITY_MAX)
        return CMW_ERR_ARG;
    struct cmw__instance *instance = cmw__chain_find(chain, name);
    if (!instance)
        return CMW_ERR_NOT_FOUND;
    instance->mw.priority = priority;
    return 0;
}

int cmw_chain_waive(cmw_chain *chain, const char *middleware, const char *slot_name)
{
    if (!chain || !middleware || !slot_name)
        return CMW_ERR_ARG;
    struct cmw__instance *instance = cmw__chain_find(chain, middleware);
    const cmw_slot slot = cmw_slot_find(chain->engine, slot_name);
    if (!instance || slot == CMW_NONE)
        return CMW_ERR_NOT_FOUND;

    cmw_slot *waived =
        cmw_arena_alloc(chain->storage->arena, (instance->waived_count + 1) * sizeof *waived);
    if (!waived)
        return CMW_ERR_NOMEM;
    if (instance->waived_count > 0)
        memcpy(waived, instance->waived, instance->waived_count * sizeof *waived);
    waived[instance->waived_count++] = slot;
    instance->waived = waived;
    return 0;
}
