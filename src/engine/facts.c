/* SPDX-License-Identifier: MIT */
/*
 * Checking an order by facts: who provides, refines, requires and uses what, and under which
 * conditions. Every refusal names both sides, their priorities, and one that would hold.
 */
#include "engine_state.h"
#include "order.h"

int cmw__instance_has(const struct cmw__instance *instance, cmw_relation relation, cmw_slot slot)
{
    for (uint32_t i = 0; i < instance->mw.relation_count; i++)
        if (instance->mw.relations[i].slot == slot &&
            instance->mw.relations[i].relation == (uint32_t)relation)
            return 1;
    return 0;
}

static int is_waived(const struct cmw__instance *reader, cmw_slot slot)
{
    for (uint32_t i = 0; i < reader->waived_count; i++)
        if (reader->waived[i] == slot)
            return 1;
    return 0;
}

static const char *slot_name(const struct cmw__order *order, cmw_slot slot)
{
    cmw_engine *engine = order->chain->engine;
    cmw__mutex_lock(&engine->lock);
    const char *name = cmw__engine_slot(engine, slot)->name;
    cmw__mutex_unlock(&engine->lock);
    return name;
}

const struct cmw__condition *cmw__condition_next(struct cmw__condition_walk *walk)
{
    if (!walk->has_started) {
        walk->has_started = 1;
        walk->group = walk->instance->group;
        if (walk->instance->condition)
            return walk->instance->condition;
    }
    while (walk->group) {
        const struct cmw__condition *condition = walk->group->condition;
        walk->group = walk->group->parent;
        if (condition)
            return condition;
    }
    return NULL;
}

static int has_condition(const struct cmw__instance *instance,
                         const struct cmw__condition *condition)
{
    struct cmw__condition_walk walk = {instance, NULL, 0};
    const struct cmw__condition *at;
    while ((at = cmw__condition_next(&walk)) != NULL)
        if (cmw__condition_equals(at, condition))
            return 1;
    return 0;
}

/* 1 if whenever the reader runs, the provider's conditions hold too. */
static int covers(const struct cmw__instance *provider, const struct cmw__instance *reader)
{
    struct cmw__condition_walk walk = {provider, NULL, 0};
    const struct cmw__condition *at;
    const uint32_t route = cmw__group_route(provider->group);

    if (route != CMW_NONE && route != cmw__group_route(reader->group))
        return 0;
    while ((at = cmw__condition_next(&walk)) != NULL)
        if (!has_condition(reader, at))
            return 0;
    return 1;
}

/* ---- requires --------------------------------------------------------------------------- */

/* A provider that is switched off, or only shadowed. */
static const struct cmw__instance *find_idle_provider(const struct cmw__order *order, cmw_slot slot)
{
    for (const struct cmw__instance *at = order->chain->storage->first; at; at = at->next)
        if (at->mode != CMW_MODE_ENABLED && cmw__instance_has(at, CMW_PROVIDES, slot))
            return at;
    return NULL;
}

static int refuse_missing(const struct cmw__order *order, const struct cmw__instance *reader,
                          cmw_slot slot, cmw_diag *diag)
{
    const struct cmw__instance *idle = find_idle_provider(order, slot);
    if (idle)
        return cmw_diag_set(diag, CMW_ERR_ORDER,
                            "'%s' (priority %d) reads slot '%s', which '%s' would provide but is "
                            "%s",
                            reader->mw.name, (int)reader->mw.priority, slot_name(order, slot),
                            idle->mw.name,
                            idle->mode == CMW_MODE_DISABLED ? "disabled" : "shadowed");
    return cmw_diag_set(diag, CMW_ERR_ORDER,
                        "'%s' (priority %d) reads slot '%s', which no middleware of the chain "
                        "provides",
                        reader->mw.name, (int)reader->mw.priority, slot_name(order, slot));
}

static int refuse_late(const struct cmw__order *order, const struct cmw__instance *reader,
                       const struct cmw__instance *provider, cmw_slot slot, cmw_diag *diag)
{
    const int32_t at = provider->mw.priority;
    if (cmw__group_route(provider->group) != CMW_NONE &&
        cmw__group_route(reader->group) != cmw__group_route(provider->group))
        return cmw_diag_set(diag, CMW_ERR_ORDER,
                            "'%s' (priority %d) reads slot '%s', which '%s' provides only in "
                            "route %u, after all else",
                            reader->mw.name, (int)reader->mw.priority, slot_name(order, slot),
                            provider->mw.name, (unsigned)cmw__group_route(provider->group));
    if (at == CMW_PRIORITY_MAX)
        return cmw_diag_set(diag, CMW_ERR_ORDER,
                            "'%s' (priority %d) reads slot '%s', which '%s' provides only at "
                            "priority %d, the last one; give '%s' a lower one, and '%s' one above "
                            "that",
                            reader->mw.name, (int)reader->mw.priority, slot_name(order, slot),
                            provider->mw.name, (int)at, provider->mw.name, reader->mw.name);
    return cmw_diag_set(diag, CMW_ERR_ORDER,
                        "'%s' (priority %d) reads slot '%s', which '%s' provides only at priority "
                        "%d; give '%s' a priority above %d, such as %d",
                        reader->mw.name, (int)reader->mw.priority, slot_name(order, slot),
                        provider->mw.name, (int)at, reader->mw.name, (int)at, (int)at + 1);
}

static int refuse_conditional(const struct cmw__order *order, const struct cmw__instance *reader,
                              const struct cmw__instance *provider, cmw_slot slot, cmw_diag *diag)
{
    return cmw_diag_set(diag, CMW_ERR_ORDER,
                        "'%s' (priority %d) reads slot '%s', but '%s' (priority %d) provides it "
                        "only under conditions that '%s' does not have; put both under the same "
                        "conditions, or read it as `uses`",
                        reader->mw.name, (int)reader->mw.priority, slot_name(order, slot),
                        provider->mw.name, (int)provider->mw.priority, reader->mw.name);
}

static int check_required(const struct cmw__order *order, uint32_t index, cmw_slot slot,
                          cmw_diag *diag)
{
    const struct cmw__instance *reader = order->items[index];
    const struct cmw__instance *late = NULL;
    const struct cmw__instance *conditional = NULL;

    if (slot < CMW_FACT_COUNT || cmw__instance_has(reader, CMW_PROVIDES, slot))
        return 0;
    for (uint32_t i = 0; i < order->count; i++) {
        const struct cmw__instance *at = order->items[i];
        if (i == index || at->mode == CMW_MODE_SHADOWED ||
            !cmw__instance_has(at, CMW_PROVIDES, slot))
            continue;
        if (i > index)
            late = late ? late : at;
        else if (covers(at, reader))
            return 0;
        else
            conditional = at;
    }
    if (conditional)
        return refuse_conditional(order, reader, conditional, slot, diag);
    if (late)
        return refuse_late(order, reader, late, slot, diag);
    return refuse_missing(order, reader, slot, diag);
}

/* ---- uses and refines ------------------------------------------------------------------- */

/* What is read if it is there must be there first, if anybody provides it. */
static int check_used(const struct cmw__order *order, uint32_t index, cmw_slot slot, cmw_diag *diag)
{
    if (cmw__instance_has(order->items[index], CMW_PROVIDES, slot))
        return 0;
    for (uint32_t i = 0; i < index; i++)
        if (cmw__instance_has(order->items[i], CMW_PROVIDES, slot))
            return 0;
    for (uint32_t i = index + 1; i < order->count; i++)
        if (cmw__instance_has(order->items[i], CMW_PROVIDES, slot))
            return refuse_late(order, order->items[index], order->items[i], slot, diag);
    return 0;
}

static int check_refined_before(const struct cmw__order *order, uint32_t index, cmw_slot slot,
                                cmw_diag *diag)
{
    const struct cmw__instance *reader = order->items[index];

    if (cmw__instance_has(reader, CMW_REFINES, slot))
        return 0;
    for (uint32_t i = index + 1; i < order->count; i++) {
        const struct cmw__instance *refiner = order->items[i];
        if (cmw__instance_has(refiner, CMW_REFINES, slot))
            return cmw_diag_set(
                diag, CMW_ERR_ORDER,
                "'%s' (priority %d) reads '%s', which '%s' refines only at priority %d; give '%s' "
                "a priority above %d, or '%s' one below %d",
                reader->mw.name, (int)reader->mw.priority, slot_name(order, slot), refiner->mw.name,
                (int)refiner->mw.priority, reader->mw.name, (int)refiner->mw.priority,
                refiner->mw.name, (int)reader->mw.priority);
    }
    return 0;
}

/* ---- post_route ------------------------------------------------------------------------- */

static int is_apart(const struct cmw__instance *a, const struct cmw__instance *b)
{
    const uint32_t route = cmw__group_route(a->group);
    const uint32_t other = cmw__group_route(b->group);
    return route != CMW_NONE && other != CMW_NONE && route != other;
}

/* Who changes the body comes behind all who mean the body as it was, whether it says so or not. */
static int uses_in_post(const struct cmw__instance *reader, cmw_slot slot)
{
    return cmw__instance_has(reader, CMW_POST_USES, slot) ||
           (slot == CMW_FACT_PLAIN_BODY && (reader->mw.flags & CMW_TRANSFORMS_BODY));
}

static int refuse_early(const struct cmw__order *order, const struct cmw__post_place *reader,
                        const struct cmw__post_place *provider, cmw_slot slot, cmw_diag *diag)
{
    const int is_onion = (order->chain->flags & CMW_ORDER_ONION) != 0;
    const char *at = order->items[reader->position]->mw.name;
    const char *by = order->items[provider->position]->mw.name;

    return cmw_diag_set(diag, CMW_ERR_ORDER,
                        "'%s' (priority %d in post_route) needs '%s' behind it, which '%s' "
                        "provides only at %d there; give '%s' a post_priority %s %d, or '%s' one "
                        "%s %d",
                        at, (int)reader->priority, slot_name(order, slot), by,
                        (int)provider->priority, at, is_onion ? "below" : "above",
                        (int)provider->priority, by, is_onion ? "above" : "below",
                        (int)reader->priority);
}

/* All who provide it come first, not only one of them: what is read is the response, and each of
 * them may make it another one. */
static int check_post_provider(const struct cmw__order *order, uint32_t place, cmw_slot slot,
                               cmw_diag *diag)
{
    const struct cmw__instance *provider = order->items[order->post[place].position];

    if (provider->mode == CMW_MODE_SHADOWED)
        return 0;
    for (uint32_t i = 0; i < place; i++) {
        const struct cmw__instance *reader = order->items[order->post[i].position];
        if (uses_in_post(reader, slot) && !is_waived(reader, slot) && !is_apart(reader, provider))
            return refuse_early(order, &order->post[i], &order->post[place], slot, diag);
    }
    return 0;
}

static int check_post(const struct cmw__order *order, cmw_diag *diag)
{
    int rc = 0;

    for (uint32_t place = 0; place < order->count && rc == 0; place++) {
        const cmw_middleware *mw = &order->items[order->post[place].position]->mw;
        for (uint32_t k = 0; k < mw->relation_count && rc == 0; k++)
            if (mw->relations[k].relation == CMW_POST_PROVIDES)
                rc = check_post_provider(order, place, mw->relations[k].slot, diag);
    }
    return rc;
}

/* ---- All of them ------------------------------------------------------------------------ */

static int check_relation(const struct cmw__order *order, uint32_t index, uint32_t relation,
                          cmw_slot slot, cmw_diag *diag)
{
    int rc = 0;

    if (relation != CMW_REQUIRES && relation != CMW_USES)
        return 0;
    if (is_waived(order->items[index], slot))
        return 0;
    if (relation == CMW_REQUIRES)
        rc = check_required(order, index, slot, diag);
    else
        rc = check_used(order, index, slot, diag);
    return rc ? rc : check_refined_before(order, index, slot, diag);
}

int cmw__order_check_facts(const struct cmw__order *order, cmw_diag *diag)
{
    for (uint32_t i = 0; i < order->count; i++) {
        const cmw_middleware *mw = &order->items[i]->mw;
        for (uint32_t k = 0; k < mw->relation_count; k++) {
            const int rc =
                check_relation(order, i, mw->relations[k].relation, mw->relations[k].slot, diag);
            if (rc != 0)
                return rc;
        }
    }
    return check_post(order, diag);
}

/* ---- The match point -------------------------------------------------------------------- */

/* 1 if a condition of the instance reads the slot. */
static int conditions_read(const struct cmw__instance *instance, cmw_slot slot)
{
    struct cmw__condition_walk walk = {instance, NULL, 0};
    const struct cmw__condition *at;
    while ((at = cmw__condition_next(&walk)) != NULL)
        if (cmw__condition_reads(at, slot))
            return 1;
    return 0;
}

static int anybody_reads(const struct cmw__order *order, cmw_slot slot)
{
    for (uint32_t i = 0; i < order->count; i++)
        if (conditions_read(order->items[i], slot))
            return 1;
    return 0;
}

static const char *verb_of(uint32_t relation)
{
    return relation == CMW_REFINES ? "refines" : "provides";
}

/* No condition at or before a refiner, or a provider, may read what it makes: it would be decided
 * too early. */
static int check_conditions_before(const struct cmw__order *order, uint32_t refiner,
                                   uint32_t relation, cmw_slot slot, cmw_diag *diag)
{
    const char *verb = verb_of(relation);
    const cmw_middleware *by = &order->items[refiner]->mw;

    for (uint32_t i = 0; i <= refiner; i++) {
        const cmw_middleware *at = &order->items[i]->mw;
        if (!conditions_read(order->items[i], slot))
            continue;
        if (i == refiner)
            return cmw_diag_set(diag, CMW_ERR_CONFLICT,
                                "'%s' %s '%s' and so cannot have a condition that reads it",
                                by->name, verb, slot_name(order, slot));
        return cmw_diag_set(diag, CMW_ERR_ORDER,
                            "a condition of '%s' (priority %d) reads '%s', which '%s' %s only at "
                            "priority %d; give '%s' a priority above %d, or '%s' one below %d",
                            at->name, (int)at->priority, slot_name(order, slot), by->name, verb,
                            (int)by->priority, at->name, (int)by->priority, by->name,
                            (int)at->priority);
    }
    return 0;
}

static int is_routed(const struct cmw__instance *instance)
{
    return cmw__group_route(instance->group) != CMW_NONE;
}

/* A route is entered when all conditions are decided. */
static int refuse_routed_refiner(const struct cmw__order *order, const struct cmw__instance *by,
                                 uint32_t relation, cmw_slot slot, cmw_diag *diag)
{
    const struct cmw__instance *reader = NULL;

    for (uint32_t i = 0; i < order->count && !reader; i++)
        if (conditions_read(order->items[i], slot))
            reader = order->items[i];
    return cmw_diag_set(diag, CMW_ERR_ORDER,
                        "'%s' (priority %d) %s '%s' in route %u, which is entered after the "
                        "conditions are decided, but a condition of '%s' (priority %d) reads it; "
                        "add '%s' outside of the route",
                        by->mw.name, (int)by->mw.priority, verb_of(relation),
                        slot_name(order, slot), (unsigned)cmw__group_route(by->group),
                        reader ? reader->mw.name : "", reader ? (int)reader->mw.priority : 0,
                        by->mw.name);
}

int cmw__order_find_match_point(const struct cmw__order *order, uint32_t *match_after,
                                cmw_diag *diag)
{
    *match_after = CMW_NONE;
    for (uint32_t i = 0; i < order->count; i++) {
        const struct cmw__instance *at = order->items[i];
        for (uint32_t k = 0; k < at->mw.relation_count; k++) {
            const uint32_t relation = at->mw.relations[k].relation;
            const cmw_slot slot = at->mw.relations[k].slot;
            if ((relation != CMW_REFINES && relation != CMW_PROVIDES) ||
                !anybody_reads(order, slot))
                continue;
            const int rc = is_routed(at) ? refuse_routed_refiner(order, at, relation, slot, diag)
                                         : check_conditions_before(order, i, relation, slot, diag);
            if (rc != 0)
                return rc;
            *match_after = i;
        }
    }
    return 0;
}
