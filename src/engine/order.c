/* SPDX-License-Identifier: MIT */
/* Sorting a chain by route, priority and registration; `before` and `after` among equals. */
#include "order.h"

#include <stdlib.h>

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

/* The first item that no other of those left must precede; `count` if there is none. */
static uint32_t find_free(const struct cmw__instance **items, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t k = 0;
        while (k < count && (k == i || !must_precede(items[k], items[i])))
            k++;
        if (k == count)
            return i;
    }
    return count;
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

/* Put items of one rank in an order that their references allow, else by registration. */
static int sort_equals(const struct cmw__instance **items, uint32_t count, cmw_diag *diag)
{
    for (uint32_t done = 0; done < count; done++) {
        const uint32_t free_at = done + find_free(items + done, count - done);
        if (free_at == count)
            return refuse_circle(items + done, count - done, diag);
        const struct cmw__instance *next = items[free_at];
        memmove(&items[done + 1], &items[done], (free_at - done) * sizeof *items);
        items[done] = next;
    }
    return 0;
}

static int sort_all_equals(const struct cmw__order *order, cmw_diag *diag)
{
    uint32_t begin = 0;
    while (begin < order->count) {
        uint32_t end = begin + 1;
        while (end < order->count && compare_rank(order->items[begin], order->items[end]) == 0)
            end++;
        const int rc = sort_equals(order->items + begin, end - begin, diag);
        if (rc != 0)
            return rc;
        begin = end;
    }
    return 0;
}

int cmw__order_make(struct cmw__order *order, const cmw_chain *chain, cmw_arena *arena,
                    cmw_diag *diag)
{
    uint32_t references = 0;

    *order = (struct cmw__order){chain, NULL, 0};
    if (collect(order, arena) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "no memory to sort the chain");
    const int rc = check_references(order, &references, diag);
    if (rc != 0 || references == 0)
        return rc;
    return sort_all_equals(order, diag);
}
