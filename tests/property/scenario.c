/* SPDX-License-Identifier: MIT */
/* Making scenarios from a seed, and printing one that failed. */
#include "scenario.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof *(array)))

uint64_t random_next(struct random *random)
{
    uint64_t x = random->state += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

int random_below(struct random *random, int limit)
{
    return (int)(random_next(random) % (uint64_t)limit);
}

int random_chance(struct random *random, int percent)
{
    return random_below(random, 100) < percent;
}

/* ---- The pools -------------------------------------------------------------------------- */

const char *const pool_methods[] = {"GET", "POST", "PURGE", "OPTIONS"};

const char *const pool_host_patterns[] = {"a.example", "*.a.example", "B.example", "*.example"};

const char *const pool_path_patterns[] = {
    "/",      "/a",       "/a/",   "/a/*",    "/a/b", "/a/b/*", "/{x}",     "/{y}",   "/a/{x}",
    "/{x}/b", "/{x}/{y}", "/*",    "/{x}/*",  "*",    "/b",     "/a%2Fb",   "/a/b/c", "!/a",
    "!/a/*",  "!/{x}",    "!/a/b", "!/{q}/b", "!*",   "!/b/c",  "!/{x}/b/*"};

const char *const pool_fields[] = {"Vary",  "ETag",  "Content-Type", "Set-Cookie", "Cache-Control",
                                   "X-One", "x-one", "X-Two",        "Content-Own"};

const struct pool_target pool_targets[] = {
    {"/", "/", 1, NULL},
    {"/a", "/a", 1, NULL},
    {"/a/b?c=/d", "/a/b", 1, NULL},
    {"/a/b/c", "/a/b/c", 1, NULL},
    {"/a%2Fb", "/a%2Fb", 1, NULL},
    {"/b/b", "/b/b", 1, NULL},
    {"/a/", "/a/", 1, NULL},
    {"/b/c", "/b/c", 1, NULL},
    {"/%61/b", "/a/b", 0, NULL},
    {"//a", "/a", 0, NULL},
    {"/b/../a/./b", "/a/b", 0, NULL},
    {"/x/%2e%2E/b", "/b", 0, NULL},
    {"/a%2fb", "/a%2Fb", 0, NULL},
    {"/%zz", NULL, 0, NULL},
    {"/a\\b", NULL, 0, NULL},
    {"/a%00", NULL, 0, NULL},
    {"a/b", NULL, 0, NULL},
    {"http://B.example:80/a", "/a", 1, "b.example"},
};

const struct pool_host pool_hosts[] = {
    {"a.example", "a.example"},
    {"x.A.example:8080", "x.a.example"},
    {"b.example.", "b.example"},
    {"c.example", "c.example"},
    {"bad host", ""},
    {"other", "other"},
};

/* ---- Chains ----------------------------------------------------------------------------- */

static void make_list(struct list *list, struct random *random, int pool, int percent)
{
    list->count = random_chance(random, percent) ? 1 + random_below(random, LIST_MAX) : 0;
    for (int i = 0; i < list->count; i++)
        list->items[i] = random_below(random, pool);
}

static void put_positive_first(struct list *list)
{
    for (int i = 1; i < list->count; i++) {
        for (int k = i; k > 0; k--) {
            const int item = list->items[k];
            if (pool_path_patterns[item][0] == '!' ||
                pool_path_patterns[list->items[k - 1]][0] != '!')
                break;
            list->items[k] = list->items[k - 1];
            list->items[k - 1] = item;
        }
    }
}

static void make_condition(struct scenario_condition *condition, struct random *random)
{
    make_list(&condition->methods, random, COUNT(pool_methods), 30);
    make_list(&condition->hosts, random, COUNT(pool_host_patterns), 25);
    make_list(&condition->paths, random, COUNT(pool_path_patterns), 60);
    put_positive_first(&condition->paths);
    condition->predicate = random_chance(random, 30) ? random_below(random, PREDICATE_COUNT) : -1;
}

static int pick_or_absent(struct random *random, int count, int percent)
{
    return count > 0 && random_chance(random, percent) ? random_below(random, count) : ABSENT;
}

int scenario_route(const struct scenario *scenario, int group)
{
    for (; group != ABSENT; group = scenario->groups[group].parent)
        if (scenario->groups[group].route != ABSENT)
            return scenario->groups[group].route;
    return ABSENT;
}

static void make_group(struct scenario *scenario, int index, struct random *random)
{
    struct scenario_group *group = &scenario->groups[index];

    group->parent = pick_or_absent(random, index, 50);
    group->condition = pick_or_absent(random, scenario->condition_count, 70);
    group->route = ABSENT;
    if (scenario_route(scenario, group->parent) == ABSENT && random_chance(random, 35))
        group->route = random_below(random, 3);
}

static int pick_status(struct random *random)
{
    static const int statuses[] = {200, 204, 301, 401, 404, 429, 500, 503, 599};
    return statuses[random_below(random, COUNT(statuses))];
}

static void make_action(struct action *action, struct random *random)
{
    action->kind = random_below(random, ACTION_SLOT);
    if (random_chance(random, 50))
        action->kind = random_below(random, ACTION_REMOVE);
    action->which = random_below(random, COUNT(pool_fields));
    action->number = action->kind >= ACTION_TEXT ? pick_status(random) : random_below(random, 1000);
}

static void make_actions(struct script *script, struct random *random)
{
    script->action_count = random_below(random, ACTION_MAX + 1);
    for (int i = 0; i < script->action_count; i++)
        make_action(&script->actions[i], random);
}

/* Mostly CONTINUE, so that requests get far. */
static int pick_verdict(struct random *random)
{
    static const int verdicts[] = {CMW_STOP, CMW_STOP, CMW_SKIP_ROUTE, CMW_SUSPEND, CMW_ERROR, 5,
                                   77,       -1};
    return random_chance(random, 82) ? CMW_CONTINUE : verdicts[random_below(random, 8)];
}

static void make_script(struct script *script, struct random *random, int percent)
{
    script->is_there = random_chance(random, percent);
    if (!script->is_there)
        return;
    script->verdict = pick_verdict(random);
    make_actions(script, random);
}

static void add_action(struct script *script, int kind, int which)
{
    if (!script->is_there || script->action_count == ACTION_MAX)
        return;
    script->actions[script->action_count++] = (struct action){kind, which, 0};
}

static void make_relation(struct scenario_middleware *mw, struct random *random)
{
    struct scenario_relation *relation = &mw->relations[mw->relation_count++];

    relation->relation = CMW_PROVIDES;
    relation->subject = random_below(random, SLOT_COUNT);
    if (random_chance(random, 30)) {
        relation->relation = random_chance(random, 50) ? CMW_REQUIRES : CMW_USES;
        relation->subject = random_below(random, SUBJECT_COUNT);
    } else if (random_chance(random, 30)) {
        relation->relation = CMW_REFINES;
        relation->subject = random_chance(random, 50) ? SUBJECT_PATH : SUBJECT_HOST;
    }
    if (relation->relation == CMW_PROVIDES)
        add_action(&mw->pre, ACTION_SLOT, relation->subject);
    else if (relation->relation == CMW_REFINES && relation->subject == SUBJECT_PATH)
        add_action(&mw->pre, ACTION_TARGET, random_below(random, POOL_SETTABLE_TARGETS));
    else if (relation->relation == CMW_REFINES)
        add_action(&mw->pre, ACTION_HOST, random_below(random, 2));
}

static void make_fields(struct scenario_middleware *mw, struct random *random)
{
    mw->field_count = random_chance(random, 60) ? 1 + random_below(random, 3) : 0;
    for (int i = 0; i < mw->field_count; i++) {
        mw->fields[i].which = random_below(random, COUNT(pool_fields));
        mw->fields[i].number = random_below(random, 1000);
    }
    if (random_chance(random, 35))
        mw->flags |= CMW_FIELDS_IF_ABSENT;
}

static void make_failure(struct scenario_middleware *mw, struct random *random)
{
    mw->failure = random_below(random, 3);
    mw->failure_status = mw->failure == CMW_FAIL_STATUS ? 400 + random_below(random, 200) : 0;
    if (mw->failure != CMW_FAIL_OPEN && random_chance(random, 10))
        mw->flags |= CMW_GUARDS_ACCESS;
}

static void make_middleware(struct scenario *scenario, int index, struct random *random)
{
    struct scenario_middleware *mw = &scenario->middleware[index];

    mw->priority = 10 * random_below(random, 6);
    mw->post_priority =
        random_chance(random, 30) ? 10 * random_below(random, 6) : CMW_PRIORITY_INHERIT;
    mw->is_disabled = random_chance(random, 5);
    mw->is_shadowed = !mw->is_disabled && random_chance(random, 8);
    mw->group = pick_or_absent(random, scenario->group_count, 50);
    mw->condition = pick_or_absent(random, scenario->condition_count, 35);
    mw->before = pick_or_absent(random, scenario->middleware_count, 3);
    mw->after = pick_or_absent(random, scenario->middleware_count, 3);
    make_failure(mw, random);
    make_script(&mw->pre, random, 75);
    make_script(&mw->post, random, 50);
    make_script(&mw->error, random, 30);
    mw->has_complete = random_chance(random, 40);
    make_fields(mw, random);
    if (mw->pre.is_there && random_chance(random, 30))
        mw->flags |= CMW_IF_ENTERED;
    if (random_chance(random, 20))
        make_relation(mw, random);
}

void scenario_make(struct scenario *scenario, struct random *random)
{
    memset(scenario, 0, sizeof *scenario);
    scenario->is_onion = random_chance(random, 30);
    scenario->rejects_targets = random_chance(random, 15);
    scenario->is_sampled = random_chance(random, 30);
    scenario->condition_count = random_below(random, CONDITION_MAX + 1);
    for (int i = 0; i < scenario->condition_count; i++)
        make_condition(&scenario->conditions[i], random);
    scenario->group_count = random_below(random, GROUP_MAX + 1);
    for (int i = 0; i < scenario->group_count; i++)
        make_group(scenario, i, random);
    scenario->middleware_count = random_below(random, MIDDLEWARE_MAX + 1);
    for (int i = 0; i < scenario->middleware_count; i++)
        make_middleware(scenario, i, random);
}

/* ---- Requests --------------------------------------------------------------------------- */

void scenario_request_make(struct scenario_request *request, struct random *random)
{
    memset(request, 0, sizeof *request);
    request->method = random_below(random, COUNT(pool_methods));
    request->target = random_below(random, COUNT(pool_targets));
    request->host = random_below(random, COUNT(pool_hosts));
    request->header_count = random_chance(random, 5) ? HEADER_LIMIT + 1 : 1;
    request->body_len = random_chance(random, 5) ? BODY_LIMIT + 1 : random_below(random, 20);
    request->is_length_declared = random_chance(random, 50);
    request->predicates = (unsigned)random_below(random, 1 << PREDICATE_COUNT);
    request->route = random_chance(random, 60) ? random_below(random, 4) : ABSENT;
    request->handler.is_there = 1;
    make_actions(&request->handler, random);
    if (random_chance(random, 10))
        request->handler.verdict = pick_status(random);
    if (random_chance(random, 85) && request->handler.action_count < ACTION_MAX)
        request->handler.actions[request->handler.action_count++] =
            (struct action){ACTION_TEXT, 0, pick_status(random)};
    request->is_abandoned = random_chance(random, 5);
    request->reason = (cmw_end_reason)random_below(random, CMW_END_REASON_COUNT);
}

/* ---- Printing --------------------------------------------------------------------------- */

static void print_list(FILE *file, const char *word, const struct list *list,
                       const char *const *pool)
{
    for (int i = 0; i < list->count; i++)
        fprintf(file, "%s%s", i ? " " : word, pool[list->items[i]]);
}

static void print_script(FILE *file, const char *word, const struct script *script)
{
    static const char *const kinds[ACTION_KINDS] = {"set",    "append", "remove", "text",  "empty",
                                                    "status", "slot",   "target", "rehost"};
    if (!script->is_there)
        return;
    fprintf(file, "\n      %s:", word);
    for (int i = 0; i < script->action_count; i++) {
        const struct action *action = &script->actions[i];
        fprintf(file, " %s", kinds[action->kind]);
        if (action->kind <= ACTION_REMOVE)
            fprintf(file, " %s", pool_fields[action->which]);
        else if (action->kind >= ACTION_SLOT)
            fprintf(file, " #%d", action->which);
        if (action->kind < ACTION_SLOT)
            fprintf(file, " %d", action->number);
        fputs(",", file);
    }
    fprintf(file, " verdict %d", script->verdict);
}

static void print_middleware(const struct scenario_middleware *mw, int index, FILE *file)
{
    static const char *const relations[] = {"?", "provides", "refines", "requires", "uses"};

    fprintf(file, "  m%d: priority %d post %d flags %u failure %d/%d group %d condition %d%s",
            index, mw->priority, mw->post_priority, mw->flags, mw->failure, mw->failure_status,
            mw->group, mw->condition,
            mw->is_disabled ? " disabled" : (mw->is_shadowed ? " shadowed" : ""));
    if (mw->before != ABSENT)
        fprintf(file, " before m%d", mw->before);
    if (mw->after != ABSENT)
        fprintf(file, " after m%d", mw->after);
    for (int i = 0; i < mw->relation_count; i++)
        fprintf(file, " %s %d", relations[mw->relations[i].relation], mw->relations[i].subject);
    for (int i = 0; i < mw->field_count; i++)
        fprintf(file, " [%s: v%d]", pool_fields[mw->fields[i].which], mw->fields[i].number);
    print_script(file, "pre", &mw->pre);
    print_script(file, "post", &mw->post);
    print_script(file, "error", &mw->error);
    fprintf(file, "%s\n", mw->has_complete ? "\n      complete" : "");
}

void scenario_print(const struct scenario *scenario, FILE *file)
{
    fprintf(file, "chain:%s%s\n", scenario->is_onion ? " onion" : "",
            scenario->rejects_targets ? " rejects targets" : "");
    for (int i = 0; i < scenario->condition_count; i++) {
        const struct scenario_condition *condition = &scenario->conditions[i];
        fprintf(file, "  condition %d:", i);
        print_list(file, " methods ", &condition->methods, pool_methods);
        print_list(file, " hosts ", &condition->hosts, pool_host_patterns);
        print_list(file, " paths ", &condition->paths, pool_path_patterns);
        fprintf(file, " predicate %d\n", condition->predicate);
    }
    for (int i = 0; i < scenario->group_count; i++)
        fprintf(file, "  group %d: parent %d condition %d route %d\n", i,
                scenario->groups[i].parent, scenario->groups[i].condition,
                scenario->groups[i].route);
    for (int i = 0; i < scenario->middleware_count; i++)
        print_middleware(&scenario->middleware[i], i, file);
}

void scenario_request_print(const struct scenario_request *request, FILE *file)
{
    fprintf(file, "request: %s %s host '%s' fields %d body %d%s predicates %x route %d%s reason %s",
            pool_methods[request->method], pool_targets[request->target].text,
            pool_hosts[request->host].text, request->header_count, request->body_len,
            request->is_length_declared ? " declared" : "", request->predicates, request->route,
            request->is_abandoned ? " abandoned" : "", cmw_end_reason_name(request->reason));
    print_script(file, "handler", &request->handler);
    fputs("\n", file);
}
