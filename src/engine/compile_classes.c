/* SPDX-License-Identifier: MIT */
/*
 * Condition classes: middleware with equal conditions share one, and all path patterns of all
 * classes go into one matcher.
 */
#include "compile.h"

#include <stdlib.h>

#include "ctx_state.h"
#include "hash.h"
#include "text.h"

/* ---- Routes ----------------------------------------------------------------------------- */

static uint32_t find_route(const cmw_plan *plan, uint32_t id)
{
    for (uint32_t i = 0; i < plan->route_count; i++)
        if (plan->routes[i].id == id)
            return i;
    return CMW_NONE;
}

static int compare_routes(const void *left, const void *right)
{
    const struct cmw__route *a = left;
    const struct cmw__route *b = right;
    return (a->id > b->id) - (a->id < b->id);
}

uint32_t cmw__plan_find_route(const cmw_plan *plan, uint32_t route_id)
{
    uint32_t begin = 0;
    uint32_t end = plan->route_count;
    while (begin < end) {
        const uint32_t middle = begin + (end - begin) / 2;
        if (plan->routes[middle].id == route_id)
            return middle;
        if (plan->routes[middle].id < route_id)
            begin = middle + 1;
        else
            end = middle;
    }
    return CMW_NONE;
}

static int collect_routes(struct cmw__compiler *compiler)
{
    cmw_plan *plan = compiler->plan;

    plan->routes = cmw__compiler_alloc(compiler, compiler->order.count, sizeof *plan->routes);
    if (!plan->routes)
        return cmw__compiler_no_memory(compiler);
    for (uint32_t i = 0; i < compiler->order.count; i++) {
        const uint32_t id = cmw__group_route(compiler->order.items[i]->group);
        if (id != CMW_NONE && find_route(plan, id) == CMW_NONE)
            plan->routes[plan->route_count++].id = id;
    }
    if (plan->route_count > 0)
        qsort(plan->routes, plan->route_count, sizeof *plan->routes, compare_routes);
    return 0;
}

/* ---- A hash index over things that have equality ----------------------------------------- */

/* Places of indices into an array; CMW_NONE: free. */
struct index {
    uint32_t *places;
    uint32_t mask;
};

static int index_init(struct index *index, struct cmw__compiler *compiler, size_t count)
{
    size_t places = 4;
    while (places < count * 2)
        places *= 2;
    index->places = cmw_arena_alloc(compiler->scratch, places * sizeof *index->places);
    index->mask = (uint32_t)(places - 1);
    if (!index->places)
        return cmw__compiler_no_memory(compiler);
    memset(index->places, 0xff, places * sizeof *index->places);
    return 0;
}

/* ---- Classes ---------------------------------------------------------------------------- */

static uint32_t known_methods(const struct cmw__condition *condition)
{
    return condition->method_count == 0 ? UINT32_MAX : condition->method_bits;
}

static int names_other_methods(const struct cmw__condition *condition)
{
    for (uint32_t i = 0; i < condition->method_count; i++)
        if (cmw__method_find(condition->methods[i]) == CMW_METHOD_OTHER)
            return 1;
    return 0;
}

static int describe_class(struct cmw__compiler *compiler, struct cmw__class *klass,
                          const struct cmw__instance *instance)
{
    struct cmw__condition_walk walk = {instance, NULL, 0};
    struct cmw__condition_walk again = walk;
    const struct cmw__condition *at;
    uint32_t count = 0;

    while (cmw__condition_next(&walk))
        count++;
    memset(klass, 0, sizeof *klass);
    klass->early = CMW_NONE;
    klass->method_bits = UINT32_MAX;
    klass->route = cmw__plan_find_route(compiler->plan, cmw__group_route(instance->group));
    klass->hash = klass->route;
    klass->conditions = cmw__compiler_alloc(compiler, count, sizeof *klass->conditions);
    if (!klass->conditions)
        return cmw__compiler_no_memory(compiler);
    while ((at = cmw__condition_next(&again)) != NULL) {
        klass->conditions[klass->condition_count++] = at;
        klass->hash = cmw__mul_fold(klass->hash ^ at->hash, UINT64_C(0x9e3779b97f4a7c15));
        klass->method_bits &= known_methods(at);
        klass->needs_a_look |= at->host_count > 0 || at->predicate || names_other_methods(at);
    }
    return 0;
}

static int classes_equal(const struct cmw__class *a, const struct cmw__class *b)
{
    if (a->hash != b->hash || a->route != b->route || a->condition_count != b->condition_count)
        return 0;
    for (uint32_t i = 0; i < a->condition_count; i++)
        if (!cmw__condition_equals(a->conditions[i], b->conditions[i]))
            return 0;
    return 1;
}

/* The index of the candidate's class, which is appended if it is new. */
static uint32_t intern_class(cmw_plan *plan, const struct index *index,
                             const struct cmw__class *candidate)
{
    uint32_t place = (uint32_t)candidate->hash & index->mask;

    if (candidate->condition_count == 0 && candidate->route == CMW_NONE)
        return 0;
    for (; index->places[place] != CMW_NONE; place = (place + 1) & index->mask)
        if (classes_equal(&plan->classes[index->places[place]], candidate))
            return index->places[place];
    index->places[place] = plan->class_count;
    plan->classes[plan->class_count] = *candidate;
    return plan->class_count++;
}

/* A class that is asked before the match point is decided there by itself. */
static int mark_early(struct cmw__compiler *compiler, uint32_t position, struct cmw__class *klass,
                      uint32_t *early_count)
{
    const cmw_plan *plan = compiler->plan;
    if (plan->match_after == CMW_NONE || position > plan->match_after || klass == plan->classes ||
        klass->early != CMW_NONE)
        return 0;
    if (*early_count == 64)
        return cmw_diag_set(compiler->diag, CMW_ERR_LIMIT,
                            "more than 64 different conditions before the match point, which '%s' "
                            "(priority %d) sets",
                            compiler->order.items[plan->match_after]->mw.name,
                            (int)compiler->order.items[plan->match_after]->mw.priority);
    klass->early = (*early_count)++;
    return 0;
}

static void fill_planned(cmw_plan *plan, uint32_t position, const struct cmw__instance *instance,
                         uint32_t klass)
{
    struct cmw__planned *planned = &plan->middleware[position];
    planned->instance = instance;
    planned->klass = klass;
    planned->route = plan->classes[klass].route;
    planned->priority = instance->mw.priority;
    planned->is_shadowed = instance->mode == CMW_MODE_SHADOWED;
    planned->post_priority = cmw__post_priority(&instance->mw);
}

static int collect_classes(struct cmw__compiler *compiler)
{
    cmw_plan *plan = compiler->plan;
    const uint32_t count = compiler->order.count;
    struct cmw__class candidate;
    struct index index;
    uint32_t early_count = 0;

    plan->middleware = cmw__compiler_alloc(compiler, count, sizeof *plan->middleware);
    plan->classes = cmw__compiler_alloc(compiler, count + 1, sizeof *plan->classes);
    if (!plan->middleware || !plan->classes)
        return cmw__compiler_no_memory(compiler);
    plan->middleware_count = count;
    plan->classes[0].route = CMW_NONE;
    plan->classes[0].early = CMW_NONE;
    plan->class_count = 1;

    int rc = index_init(&index, compiler, count + 1);
    for (uint32_t i = 0; i < count && rc == 0; i++) {
        rc = describe_class(compiler, &candidate, compiler->order.items[i]);
        if (rc != 0)
            break;
        const uint32_t klass = intern_class(plan, &index, &candidate);
        fill_planned(plan, i, compiler->order.items[i], klass);
        rc = mark_early(compiler, i, &plan->classes[klass], &early_count);
    }
    plan->has_conditions = plan->class_count > 1;
    return rc;
}

/* ---- Patterns --------------------------------------------------------------------------- */

/* All patterns of the plan, each once, whatever their parameters are called. */
struct patterns {
    cmw_str *list;
    uint32_t count;
    struct index index;
};

static uint32_t intern_pattern(struct patterns *patterns, cmw_str pattern)
{
    uint32_t place = (uint32_t)cmw__pattern_hash(pattern) & patterns->index.mask;

    for (; patterns->index.places[place] != CMW_NONE; place = (place + 1) & patterns->index.mask)
        if (cmw__pattern_equals(patterns->list[patterns->index.places[place]], pattern))
            return patterns->index.places[place];
    patterns->index.places[place] = patterns->count;
    patterns->list[patterns->count] = pattern;
    return patterns->count++;
}

static uint32_t count_patterns(const struct cmw__class *klass)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < klass->condition_count; i++)
        count += klass->conditions[i]->path_count + klass->conditions[i]->negated_count;
    return count;
}

/* Write a class's patterns down as ids: the clauses one after the other, then the negated ones. */
static int number_patterns(struct cmw__compiler *compiler, struct patterns *patterns,
                           struct cmw__class *klass)
{
    uint32_t at = 0;

    klass->patterns = cmw__compiler_alloc(compiler, count_patterns(klass), sizeof(uint32_t));
    klass->clauses = cmw__compiler_alloc(compiler, klass->condition_count + 1, sizeof(uint32_t));
    if (!klass->patterns || !klass->clauses)
        return cmw__compiler_no_memory(compiler);
    for (uint32_t i = 0; i < klass->condition_count; i++) {
        const struct cmw__condition *condition = klass->conditions[i];
        for (uint32_t k = 0; k < condition->path_count; k++)
            klass->patterns[at++] = intern_pattern(patterns, condition->paths[k]);
        if (condition->path_count > 0)
            klass->clauses[++klass->clause_count] = at;
    }
    for (uint32_t i = 0; i < klass->condition_count; i++) {
        const struct cmw__condition *condition = klass->conditions[i];
        for (uint32_t k = 0; k < condition->negated_count; k++)
            klass->patterns[at++] =
                intern_pattern(patterns, condition->paths[condition->path_count + k]);
        klass->negated_count += condition->negated_count;
    }
    return 0;
}

static int collect_patterns(struct cmw__compiler *compiler, struct patterns *patterns)
{
    cmw_plan *plan = compiler->plan;
    size_t most = 0;

    for (uint32_t i = 1; i < plan->class_count; i++)
        most += count_patterns(&plan->classes[i]);
    patterns->count = 0;
    patterns->list = cmw__compiler_alloc(compiler, most, sizeof *patterns->list);
    if (!patterns->list)
        return cmw__compiler_no_memory(compiler);
    int rc = index_init(&patterns->index, compiler, most);
    for (uint32_t i = 1; i < plan->class_count && rc == 0; i++)
        rc = number_patterns(compiler, patterns, &plan->classes[i]);
    plan->pattern_count = patterns->count;
    plan->has_path_conditions = patterns->count > 0;
    return rc;
}

/* ---- Predicates ------------------------------------------------------------------------- */

/* All predicates of the plan, each once, and which of them could be asked twice. */
struct predicates {
    const struct cmw__condition **list;
    uint8_t *is_shared;
    uint32_t *memos;
    uint32_t count;
    struct index index;
};

static uint32_t intern_predicate(struct predicates *predicates,
                                 const struct cmw__condition *condition)
{
    const uint64_t key =
        (uint64_t)(uintptr_t)condition->predicate ^ (uint64_t)(uintptr_t)condition->predicate_self;
    uint32_t place =
        (uint32_t)cmw__mul_fold(key, UINT64_C(0x9e3779b97f4a7c15)) & predicates->index.mask;

    for (; predicates->index.places[place] != CMW_NONE;
         place = (place + 1) & predicates->index.mask) {
        const uint32_t at = predicates->index.places[place];
        if (predicates->list[at]->predicate == condition->predicate &&
            predicates->list[at]->predicate_self == condition->predicate_self)
            return at;
    }
    predicates->index.places[place] = predicates->count;
    predicates->list[predicates->count] = condition;
    return predicates->count++;
}

/* A predicate can be asked twice where two conditions have it, or where two patterns of its class
 * can match. */
static int note_predicates(struct cmw__compiler *compiler, struct predicates *predicates,
                           struct cmw__class *klass)
{
    const int is_tried_twice = klass->clause_count > 0 && klass->clauses[1] > 1;

    klass->memos = cmw__compiler_alloc(compiler, klass->condition_count, sizeof *klass->memos);
    if (!klass->memos)
        return cmw__compiler_no_memory(compiler);
    for (uint32_t i = 0; i < klass->condition_count; i++) {
        klass->memos[i] = CMW_NONE;
        if (!klass->conditions[i]->predicate)
            continue;
        const uint32_t known = predicates->count;
        klass->memos[i] = intern_predicate(predicates, klass->conditions[i]);
        if (klass->memos[i] < known || is_tried_twice)
            predicates->is_shared[klass->memos[i]] = 1;
    }
    return 0;
}

static void number_memos(cmw_plan *plan, const struct predicates *predicates)
{
    for (uint32_t i = 0; i < predicates->count; i++)
        predicates->memos[i] = predicates->is_shared[i] ? plan->memo_count++ : CMW_NONE;
    for (uint32_t i = 1; i < plan->class_count; i++) {
        const struct cmw__class *klass = &plan->classes[i];
        for (uint32_t k = 0; k < klass->condition_count; k++)
            if (klass->memos[k] != CMW_NONE)
                klass->memos[k] = predicates->memos[klass->memos[k]];
    }
}

/* Each predicate is called at most once a request: those that could be asked twice get a memo. */
static int collect_predicates(struct cmw__compiler *compiler)
{
    cmw_plan *plan = compiler->plan;
    struct predicates predicates = {NULL, NULL, NULL, 0, {NULL, 0}};
    size_t most = 0;

    for (uint32_t i = 1; i < plan->class_count; i++)
        most += plan->classes[i].condition_count;
    predicates.list =
        cmw_arena_alloc(compiler->scratch, most * sizeof(const struct cmw__condition *));
    predicates.is_shared = cmw_arena_alloc(compiler->scratch, most);
    predicates.memos = cmw_arena_alloc(compiler->scratch, most * sizeof *predicates.memos);
    if (!predicates.list || !predicates.is_shared || !predicates.memos)
        return cmw__compiler_no_memory(compiler);
    memset(predicates.is_shared, 0, most);
    int rc = index_init(&predicates.index, compiler, most);
    for (uint32_t i = 1; i < plan->class_count && rc == 0; i++)
        rc = note_predicates(compiler, &predicates, &plan->classes[i]);
    if (rc == 0)
        number_memos(plan, &predicates);
    return rc;
}

/* ---- Which classes to try --------------------------------------------------------------- */

/* A class is tried when a pattern of its first clause matches; one without a clause, always. */
static void count_tries(cmw_plan *plan)
{
    for (uint32_t i = 1; i < plan->class_count; i++) {
        const struct cmw__class *klass = &plan->classes[i];
        if (klass->clause_count == 0)
            plan->always.count++;
        for (uint32_t k = 0; klass->clause_count > 0 && k < klass->clauses[1]; k++)
            plan->by_pattern[klass->patterns[k]].count++;
    }
}

static int alloc_tries(struct cmw__compiler *compiler)
{
    cmw_plan *plan = compiler->plan;
    size_t total = plan->always.count;

    for (uint32_t i = 0; i < plan->pattern_count; i++)
        total += plan->by_pattern[i].count;
    uint32_t *room = cmw__compiler_alloc(compiler, total, sizeof *room);
    if (!room)
        return cmw__compiler_no_memory(compiler);
    plan->always.classes = room;
    room += plan->always.count;
    plan->always.count = 0;
    for (uint32_t i = 0; i < plan->pattern_count; i++) {
        plan->by_pattern[i].classes = room;
        room += plan->by_pattern[i].count;
        plan->by_pattern[i].count = 0;
    }
    return 0;
}

static void fill_tries(cmw_plan *plan)
{
    for (uint32_t i = 1; i < plan->class_count; i++) {
        const struct cmw__class *klass = &plan->classes[i];
        if (klass->clause_count == 0)
            plan->always.classes[plan->always.count++] = i;
        for (uint32_t k = 0; klass->clause_count > 0 && k < klass->clauses[1]; k++) {
            struct cmw__class_list *list = &plan->by_pattern[klass->patterns[k]];
            list->classes[list->count++] = i;
        }
    }
}

static int collect_tries(struct cmw__compiler *compiler)
{
    cmw_plan *plan = compiler->plan;

    plan->by_pattern = cmw__compiler_alloc(compiler, plan->pattern_count, sizeof *plan->by_pattern);
    if (!plan->by_pattern)
        return cmw__compiler_no_memory(compiler);
    count_tries(plan);
    const int rc = alloc_tries(compiler);
    if (rc == 0)
        fill_tries(plan);
    return rc;
}

static int collect_route_classes(struct cmw__compiler *compiler)
{
    cmw_plan *plan = compiler->plan;
    uint32_t *room = cmw__compiler_alloc(compiler, plan->class_count, sizeof *room);

    if (!room)
        return cmw__compiler_no_memory(compiler);
    for (uint32_t i = 1; i < plan->class_count; i++)
        if (plan->classes[i].route != CMW_NONE)
            plan->routes[plan->classes[i].route].class_count++;
    for (uint32_t i = 0; i < plan->route_count; i++) {
        plan->routes[i].classes = room;
        room += plan->routes[i].class_count;
        plan->routes[i].class_count = 0;
    }
    for (uint32_t i = 1; i < plan->class_count; i++) {
        if (plan->classes[i].route == CMW_NONE)
            continue;
        struct cmw__route *route = &plan->routes[plan->classes[i].route];
        route->classes[route->class_count++] = i;
    }
    return 0;
}

int cmw__compile_classes(struct cmw__compiler *compiler)
{
    cmw_plan *plan = compiler->plan;
    struct patterns patterns = {NULL, 0, {NULL, 0}};
    uint32_t bad = 0;

    int rc = collect_routes(compiler);
    if (rc == 0)
        rc = collect_classes(compiler);
    if (rc == 0)
        rc = collect_patterns(compiler, &patterns);
    if (rc == 0)
        rc = collect_predicates(compiler);
    if (rc == 0)
        rc = collect_tries(compiler);
    if (rc == 0)
        rc = collect_route_classes(compiler);
    if (rc != 0)
        return rc;
    rc = cmw__matcher_build(&plan->matcher, compiler->arena, patterns.list, patterns.count,
                            (uint64_t)(uintptr_t)plan, &bad);
    if (rc == CMW_ERR_LIMIT)
        return cmw_diag_set(compiler->diag, rc, "a path pattern has more than %d segments: '%.*s'",
                            CMW__MATCHER_DEPTH, (int)patterns.list[bad].len,
                            patterns.list[bad].data);
    return rc == 0 ? 0 : cmw__compiler_no_memory(compiler);
}

/* ---- The runs of each class ------------------------------------------------------------- */

int cmw__compile_class_runs(struct cmw__compiler *compiler)
{
    cmw_plan *plan = compiler->plan;
    uint32_t *room = cmw__compiler_alloc(compiler, plan->run_count, sizeof *room);

    if (!room)
        return cmw__compiler_no_memory(compiler);
    for (uint32_t i = 0; i < plan->run_count; i++)
        plan->classes[plan->runs[i].klass - plan->classes].run_count++;
    for (uint32_t i = 1; i < plan->class_count; i++) {
        plan->classes[i].runs = room;
        room += plan->classes[i].run_count;
        plan->classes[i].run_count = 0;
    }
    for (uint32_t i = 0; i < plan->run_count; i++) {
        struct cmw__class *klass = &plan->classes[plan->runs[i].klass - plan->classes];
        klass->runs[klass->run_count++] = i;
    }
    plan->bit_count = plan->run_count;
    for (uint32_t i = 1; i < plan->class_count; i++)
        if (plan->classes[i].route != CMW_NONE)
            plan->classes[i].held = plan->bit_count++;
    return 0;
}
