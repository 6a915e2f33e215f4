/* SPDX-License-Identifier: MIT */
/* Sorting a chain by route, priority and registration; `before` and `after` among equals. */
#include "order.h"

#include <stdlib.h>

#include "hash.h"

static int is_routed(const struct cmw__instance *instance)
{
    return cmw__group_route(instance->group) != CMW_NONE;
}

static int compare_rank(const struct cmw__instance *a, const struct cmw__instance *b)
{
    if (is_routed(a) != is_routed(b))
        return is_routed(a) - is_routed(b);
    return (a->mw.priority > b->mw.priority) - (a->mw.priority < b->mw.priority);
}

static int compare_items(const void *left, const void *right)
{
    const struct cmw__instance *a = *(const struct cmw__instance *const *)left;
    const struct cmw__instance *b = *(const struct cmw__instance *const *)right;
    const int by_rank = compare_rank(a, b);
    return by_rank ? by_rank : (a->sequence > b->sequence) - (a->sequence < b->sequence);
}

static int collect(struct cmw__order *order, cmw_arena *arena)
{
    const struct cmw__storage *storage = order->chain->storage;

    order->items = cmw_arena_alloc(arena, storage->instance_count * sizeof *order->items);
    if (!order->items)
        return CMW_ERR_NOMEM;
    for (const struct cmw__instance *at = storage->first; at; at = at->next)
        if (at->mode != CMW_MODE_DISABLED)
            order->items[order->count++] = at;
    if (order->count > 0)
        qsort(order->items, order->count, sizeof *order->items, compare_items);
    return 0;
}

/* ---- before and after ------------------------------------------------------------------- */

static int names(const char *const *list, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(list[i], name) == 0)
            return 1;
    return 0;
}

/* 1 if `first` must run before `second`. */
static int must_precede(const struct cmw__instance *first, const struct cmw__instance *second)
{
    return names(first->mw.before, first->mw.before_count, second->mw.name) ||
           names(second->mw.after, second->mw.after_count, first->mw.name);
}

/* Each name must be in the chain, and a different rank must agree already. */
static int check_reference(const struct cmw__order *order, const struct cmw__instance *at,
                           const char *name, int at_first, cmw_diag *diag)
{
    const struct cmw__instance *other = cmw__chain_find(order->chain, name);
    const char *word = at_first ? "before" : "after";

    if (!other)
        return cmw_diag_set(diag, CMW_ERR_NOT_FOUND,
                            "'%s' must run %s '%s', which the chain does not have", at->mw.name,
                            word, name);
    if (other == at)
        return cmw_diag_set(diag, CMW_ERR_CYCLE, "'%s' must run %s itself", at->mw.name, word);
    if (other->mode == CMW_MODE_DISABLED)
        return 0;
    const int rank = compare_rank(at, other);
    if (rank == 0 || (rank < 0) == at_first)
        return 0;
    if (is_routed(at) != is_routed(other))
        return cmw_diag_set(diag, CMW_ERR_ORDER,
                            "'%s' must run %s '%s', but what belongs to a route runs after all "
                            "else",
                            at->mw.name, word, name);
    return cmw_diag_set(diag, CMW_ERR_ORDER,
                        "'%s' (priority %d) must run %s '%s' (priority %d): give it priority %d",
                        at->mw.name, (int)at->mw.priority, word, name, (int)other->mw.priority,
                        (int)other->mw.priority);
}

static int check_references(const struct cmw__order *order, uint32_t *found, cmw_diag *diag)
{
    int rc = 0;
    for (uint32_t i = 0; i < order->count; i++) {
        const struct cmw__instance *at = order->items[i];
        *found += (uint32_t)(at->mw.before_count + at->mw.after_count);
        for (size_t k = 0; k < at->mw.before_count && rc == 0; k++)
            rc = check_reference(order, at, at->mw.before[k], 1, diag);
        for (size_t k = 0; k < at->mw.after_count && rc == 0; k++)
            rc = check_reference(order, at, at->mw.after[k], 0, diag);
    }
    return rc;
}

/* None is free, so that each has one that must precede it: going back as often as there are items
 * leads into a circle. Name two neighbours of it. */
static int refuse_circle(const struct cmw__instance **items, uint32_t count, cmw_diag *diag)
{
    uint32_t at = 0;
    uint32_t before = 0;

    for (uint32_t step = 0; step <= count; step++) {
        at = before;
        before = 0;
        while (before + 1 < count && !must_precede(items[before], items[at]))
            before++;
    }
    return cmw_diag_set(diag, CMW_ERR_CYCLE,
                        "before and after lead in a circle: '%s' must run before '%s' (both "
                        "priority %d), and also after it",
                        items[before]->mw.name, items[at]->mw.name, (int)items[at]->mw.priority);
}

/* ---- Items of one rank ------------------------------------------------------------------ */

/* An edge: who follows. In a list of the item before it. */
struct edge {
    uint32_t to;
    uint32_t next; /* index + 1 of another edge from there, or 0 */
};

/* Items of one rank, the references between them, and those that nothing left must precede. */
struct equals {
    const struct cmw__instance **items;
    uint32_t count;
    uint32_t *places; /* a hash table of names: index + 1 of the item, or 0 */
    uint32_t place_mask;
    struct edge *edges;
    uint32_t edge_count;
    uint32_t *first_edge; /* of each item */
    uint32_t *waits_for;  /* how many must still precede it */
    uint32_t *free;       /* a heap: the first by registration at the front */
    uint32_t free_count;
};

static uint32_t *place_of(const struct equals *equals, uint64_t hash, const char *name)
{
    uint32_t at = (uint32_t)hash & equals->place_mask;

    while (equals->places[at] && strcmp(equals->items[equals->places[at] - 1]->mw.name, name) != 0)
        at = (at + 1) & equals->place_mask;
    return &equals->places[at];
}

/* The item with a name, or CMW_NONE: it has another rank, or is off. */
static uint32_t find_item(const struct equals *equals, const char *name)
{
    const uint32_t place = *place_of(equals, cmw__hash(name, strlen(name), 0), name);
    return place ? place - 1 : CMW_NONE;
}

static void add_edge(struct equals *equals, uint32_t from, uint32_t to)
{
    if (from == CMW_NONE || to == CMW_NONE)
        return;
    equals->edges[equals->edge_count] = (struct edge){to, equals->first_edge[from]};
    equals->first_edge[from] = ++equals->edge_count;
    equals->waits_for[to]++;
}

static void push_free(struct equals *equals, uint32_t item)
{
    uint32_t at = equals->free_count++;

    for (; at > 0 && equals->free[(at - 1) / 2] > item; at = (at - 1) / 2)
        equals->free[at] = equals->free[(at - 1) / 2];
    equals->free[at] = item;
}

static uint32_t pop_free(struct equals *equals)
{
    const uint32_t first = equals->free[0];
    const uint32_t last = equals->free[--equals->free_count];
    uint32_t at = 0;

    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < equals->free_count && equals->free[child + 1] < equals->free[child])
            child++;
        if (child >= equals->free_count || equals->free[child] >= last)
            break;
        equals->free[at] = equals->free[child];
        at = child;
    }
    equals->free[at] = last;
    return first;
}

static void *take(cmw_arena *arena, size_t count, size_t size)
{
    void *piece = cmw_arena_alloc(arena, (count + 1) * size);
    if (piece)
        memset(piece, 0, (count + 1) * size);
    return piece;
}

static int open_equals(struct equals *equals, cmw_arena *arena)
{
    size_t references = 0;
    size_t places = 4;

    for (uint32_t i = 0; i < equals->count; i++)
        references += equals->items[i]->mw.before_count + equals->items[i]->mw.after_count;
    while (places < (size_t)equals->count * 2)
        places *= 2;
    equals->place_mask = (uint32_t)(places - 1);
    equals->places = take(arena, places, sizeof *equals->places);
    equals->edges = take(arena, references, sizeof *equals->edges);
    equals->first_edge = take(arena, equals->count, sizeof *equals->first_edge);
    equals->waits_for = take(arena, equals->count, sizeof *equals->waits_for);
    equals->free = take(arena, equals->count, sizeof *equals->free);
    return equals->places && equals->edges && equals->first_edge && equals->waits_for &&
                   equals->free
               ? 0
               : CMW_ERR_NOMEM;
}

static void add_edges(struct equals *equals)
{
    for (uint32_t i = 0; i < equals->count; i++)
        *place_of(equals, equals->items[i]->name_hash, equals->items[i]->mw.name) = i + 1;
    for (uint32_t i = 0; i < equals->count; i++) {
        const cmw_middleware *mw = &equals->items[i]->mw;
        for (size_t k = 0; k < mw->before_count; k++)
            add_edge(equals, i, find_item(equals, mw->before[k]));
        for (size_t k = 0; k < mw->after_count; k++)
            add_edge(equals, find_item(equals, mw->after[k]), i);
    }
}

/* Move the items into `sorted`, the first free one again and again: how many. */
static uint32_t sort_free(struct equals *equals, const struct cmw__instance **sorted)
{
    uint32_t done = 0;

    for (uint32_t i = 0; i < equals->count; i++)
        if (equals->waits_for[i] == 0)
            push_free(equals, i);
    while (equals->free_count > 0) {
        const uint32_t item = pop_free(equals);
        sorted[done++] = equals->items[item];
        equals->items[item] = NULL;
        for (uint32_t at = equals->first_edge[item]; at; at = equals->edges[at - 1].next)
            if (--equals->waits_for[equals->edges[at - 1].to] == 0)
                push_free(equals, equals->edges[at - 1].to);
    }
    return done;
}

/* Put items of one rank in an order that their references allow, else by registration:
 * O((items + references) log items). */
static int sort_equals(const struct cmw__instance **items, uint32_t count, cmw_arena *arena,
                       cmw_diag *diag)
{
    struct equals equals = {.items = items, .count = count};
    const struct cmw__instance **sorted = take(arena, count, sizeof *sorted);

    if (count < 2)
        return 0;
    if (!sorted || open_equals(&equals, arena) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "no memory to sort the chain");
    add_edges(&equals);
    const uint32_t done = sort_free(&equals, sorted);
    if (done < count) {
        uint32_t left = 0;
        for (uint32_t i = 0; i < count; i++)
            if (items[i])
                items[left++] = items[i];
        return refuse_circle(items, left, diag);
    }
    memcpy(items, sorted, count * sizeof *items);
    return 0;
}

static int sort_all_equals(const struct cmw__order *order, cmw_arena *arena, cmw_diag *diag)
{
    uint32_t begin = 0;
    while (begin < order->count) {
        uint32_t end = begin + 1;
        while (end < order->count && compare_rank(order->items[begin], order->items[end]) == 0)
            end++;
        const int rc = sort_equals(order->items + begin, end - begin, arena, diag);
        if (rc != 0)
            return rc;
        begin = end;
    }
    return 0;
}

/* ---- post_route ------------------------------------------------------------------------- */

static int compare_post(const void *left, const void *right)
{
    const struct cmw__post_place *a = left;
    const struct cmw__post_place *b = right;
    if (a->priority != b->priority)
        return (a->priority > b->priority) - (a->priority < b->priority);
    return (a->position > b->position) - (a->position < b->position);
}

int32_t cmw__post_priority(const cmw_middleware *mw)
{
    return mw->post_priority == CMW_PRIORITY_INHERIT ? mw->priority : mw->post_priority;
}

/* By post_priority, equals as they are; an onion the other way round. */
static int sort_post(struct cmw__order *order, cmw_arena *arena)
{
    const uint32_t count = order->count;
    struct cmw__post_place *places = take(arena, count, sizeof *places);

    if (!places)
        return CMW_ERR_NOMEM;
    for (uint32_t i = 0; i < count; i++)
        places[i] = (struct cmw__post_place){cmw__post_priority(&order->items[i]->mw), i};
    if (count > 0)
        qsort(places, count, sizeof *places, compare_post);
    if (order->chain->flags & CMW_ORDER_ONION)
        for (uint32_t i = 0; i < count / 2; i++) {
            const struct cmw__post_place place = places[i];
            places[i] = places[count - 1 - i];
            places[count - 1 - i] = place;
        }
    order->post = places;
    return 0;
}

int cmw__order_make(struct cmw__order *order, const cmw_chain *chain, cmw_arena *arena,
                    cmw_diag *diag)
{
    uint32_t references = 0;

    *order = (struct cmw__order){.chain = chain};
    if (collect(order, arena) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "no memory to sort the chain");
    int rc = check_references(order, &references, diag);
    if (rc == 0 && references > 0)
        rc = sort_all_equals(order, arena, diag);
    if (rc == 0 && sort_post(order, arena) != 0)
        rc = cmw_diag_set(diag, CMW_ERR_NOMEM, "no memory to sort the chain");
    return rc;
}
