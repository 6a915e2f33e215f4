/* SPDX-License-Identifier: MIT */
/* Sorting and checking a chain by the rules of the design, one rule after the other. */
#include "model_order.h"

/* ---- Conditions ------------------------------------------------------------------------- */

void model_conditions(struct condition_list *list, const struct scenario *scenario, int middleware)
{
    const struct scenario_middleware *mw = &scenario->middleware[middleware];

    list->count = 0;
    if (mw->condition != ABSENT)
        list->items[list->count++] = &scenario->conditions[mw->condition];
    for (int at = mw->group; at != ABSENT; at = scenario->groups[at].parent)
        if (scenario->groups[at].condition != ABSENT)
            list->items[list->count++] = &scenario->conditions[scenario->groups[at].condition];
}

static int same_list(const struct list *a, const struct list *b)
{
    if (a->count != b->count)
        return 0;
    for (int i = 0; i < a->count; i++)
        if (a->items[i] != b->items[i])
            return 0;
    return 1;
}

static int same_condition(const struct scenario_condition *a, const struct scenario_condition *b)
{
    return same_list(&a->methods, &b->methods) && same_list(&a->hosts, &b->hosts) &&
           same_list(&a->paths, &b->paths) && a->predicate == b->predicate;
}

static int reads(const struct scenario *scenario, int middleware, int subject)
{
    struct condition_list list;

    model_conditions(&list, scenario, middleware);
    for (int i = 0; i < list.count; i++)
        if ((subject == SUBJECT_PATH && list.items[i]->paths.count > 0) ||
            (subject == SUBJECT_HOST && list.items[i]->hosts.count > 0))
            return 1;
    return 0;
}

/* The length of the segment at `path`, which begins with "/", without it. */
static size_t segment_len(const char *path)
{
    return strcspn(path + 1, "/");
}

int model_pattern_matches(const char *pattern, const char *path)
{
    if (strcmp(pattern, "/*") == 0)
        return path[0] == '/' || path[0] == '\0';
    if (pattern[0] != '/' || path[0] != '/')
        return strcmp(pattern, path) == 0;
    const size_t want = segment_len(pattern);
    const size_t have = segment_len(path);
    const int is_any = want > 2 && pattern[1] == '{';
    if (is_any ? have == 0 : want != have || memcmp(pattern, path, want + 1) != 0)
        return 0;
    return model_pattern_matches(pattern + 1 + want, path + 1 + have);
}

/* ---- The order -------------------------------------------------------------------------- */

static int is_routed(const struct scenario *scenario, int middleware)
{
    return scenario_route(scenario, scenario->middleware[middleware].group) != ABSENT;
}

/* Less than 0 if `a` runs before `b` whatever was registered first; 0 if that decides. */
static int compare_rank(const struct scenario *scenario, int a, int b)
{
    if (is_routed(scenario, a) != is_routed(scenario, b))
        return is_routed(scenario, a) - is_routed(scenario, b);
    return scenario->middleware[a].priority - scenario->middleware[b].priority;
}

static int must_precede(const struct scenario *scenario, int a, int b)
{
    return scenario->middleware[a].before == b || scenario->middleware[b].after == a;
}

static int breaks_references(const struct scenario *scenario)
{
    for (int a = 0; a < scenario->middleware_count; a++)
        for (int b = 0; b < scenario->middleware_count; b++)
            if (!scenario->middleware[a].is_disabled && !scenario->middleware[b].is_disabled &&
                must_precede(scenario, a, b) && (a == b || compare_rank(scenario, a, b) > 0))
                return 1;
    return 0;
}

/* Take the first that nothing left must precede, again and again. 0: a circle. */
static int sort(struct model_order *order, const struct scenario *scenario)
{
    int is_left[MIDDLEWARE_MAX];
    int left = 0;

    for (int i = 0; i < scenario->middleware_count; i++)
        left += is_left[i] = !scenario->middleware[i].is_disabled;
    order->count = 0;
    for (; left > 0; left--) {
        int best = ABSENT;
        for (int a = 0; a < scenario->middleware_count; a++) {
            int is_free = is_left[a];
            for (int b = 0; b < scenario->middleware_count; b++)
                if (is_left[b] && must_precede(scenario, b, a))
                    is_free = 0;
            if (is_free && (best == ABSENT || compare_rank(scenario, a, best) < 0))
                best = a;
        }
        if (best == ABSENT)
            return 0;
        is_left[best] = 0;
        order->items[order->count++] = best;
    }
    return 1;
}

static int post_priority(const struct scenario *scenario, int middleware)
{
    const struct scenario_middleware *mw = &scenario->middleware[middleware];
    return mw->post_priority == CMW_PRIORITY_INHERIT ? mw->priority : mw->post_priority;
}

/* By post_priority; equals as in pre_route; an onion from the inside out. */
static void sort_post(struct model_order *order, const struct scenario *scenario)
{
    for (int i = 0; i < order->count; i++) {
        int k = i;
        for (; k > 0 && post_priority(scenario, order->post[k - 1]) >
                            post_priority(scenario, order->items[i]);
             k--)
            order->post[k] = order->post[k - 1];
        order->post[k] = order->items[i];
    }
    for (int i = 0; scenario->is_onion && i < order->count / 2; i++) {
        const int first = order->post[i];
        order->post[i] = order->post[order->count - 1 - i];
        order->post[order->count - 1 - i] = first;
    }
}

/* ---- Facts ------------------------------------------------------------------------------ */

static int has(const struct scenario *scenario, int middleware, int relation, int subject)
{
    const struct scenario_middleware *mw = &scenario->middleware[middleware];
    for (int i = 0; i < mw->relation_count; i++)
        if (mw->relations[i].relation == relation && mw->relations[i].subject == subject)
            return 1;
    return 0;
}

/* 1 if the provider ran whenever the reader runs. */
static int covers(const struct scenario *scenario, int provider, int reader)
{
    const int route = scenario_route(scenario, scenario->middleware[provider].group);
    struct condition_list wanted, given;

    if (route != ABSENT && route != scenario_route(scenario, scenario->middleware[reader].group))
        return 0;
    model_conditions(&wanted, scenario, provider);
    model_conditions(&given, scenario, reader);
    for (int i = 0; i < wanted.count; i++) {
        int found = 0;
        for (int k = 0; k < given.count; k++)
            found |= same_condition(wanted.items[i], given.items[k]);
        if (!found)
            return 0;
    }
    return 1;
}

/* What the item at `at` requires or uses is there in time. */
static int reading_holds(const struct model_order *order, const struct scenario *scenario, int at,
                         int relation, int subject)
{
    const int reader = order->items[at];
    int is_before = subject >= SLOT_COUNT || has(scenario, reader, CMW_PROVIDES, subject);
    int is_covered = is_before;
    int is_behind = 0;

    for (int i = 0; i < order->count; i++) {
        const int other = order->items[i];
        if (i > at && has(scenario, other, CMW_REFINES, subject) &&
            !has(scenario, reader, CMW_REFINES, subject))
            return 0;
        if (i == at || !has(scenario, other, CMW_PROVIDES, subject))
            continue;
        if (relation == CMW_REQUIRES && scenario->middleware[other].is_shadowed)
            continue;
        is_before |= i < at;
        is_behind |= i > at;
        is_covered |= i < at && covers(scenario, other, reader);
    }
    return relation == CMW_REQUIRES ? is_covered : is_before || !is_behind;
}

/* What refines cannot be shadowed. */
static int shadows_hold(const struct model_order *order, const struct scenario *scenario)
{
    for (int i = 0; i < order->count; i++) {
        const struct scenario_middleware *mw = &scenario->middleware[order->items[i]];
        for (int k = 0; k < mw->relation_count; k++)
            if (mw->is_shadowed && mw->relations[k].relation == CMW_REFINES)
                return 0;
    }
    return 1;
}

static int facts_hold(const struct model_order *order, const struct scenario *scenario)
{
    for (int i = 0; i < order->count; i++) {
        const struct scenario_middleware *mw = &scenario->middleware[order->items[i]];
        for (int k = 0; k < mw->relation_count; k++) {
            const int relation = mw->relations[k].relation;
            if ((relation == CMW_REQUIRES || relation == CMW_USES) &&
                !reading_holds(order, scenario, i, relation, mw->relations[k].subject))
                return 0;
        }
    }
    return 1;
}

/* The match point: behind the last refiner of what a condition reads. No condition before it reads
 * that, and no route refines it: routes are entered when all is decided. */
static int find_match_point(struct model_order *order, const struct scenario *scenario)
{
    order->match_at = 0;
    for (int i = 0; i < order->count; i++) {
        for (int subject = SUBJECT_PATH; subject < SUBJECT_COUNT; subject++) {
            int is_read = 0;
            int is_read_before = 0;
            if (!has(scenario, order->items[i], CMW_REFINES, subject))
                continue;
            for (int k = 0; k < order->count; k++) {
                is_read |= reads(scenario, order->items[k], subject);
                is_read_before |= k <= i && reads(scenario, order->items[k], subject);
            }
            if (is_read_before || (is_read && is_routed(scenario, order->items[i])))
                return 0;
            if (is_read)
                order->match_at = i + 1;
        }
    }
    return 1;
}

int model_order_make(struct model_order *order, const struct scenario *scenario)
{
    if (breaks_references(scenario) || !sort(order, scenario))
        return 0;
    sort_post(order, scenario);
    return shadows_hold(order, scenario) && facts_hold(order, scenario) &&
           find_match_point(order, scenario);
}

int model_compiles(const struct scenario *scenario)
{
    struct model_order order;
    return model_order_make(&order, scenario);
}
