/* SPDX-License-Identifier: MIT */
/* One request, step by step, as the design tells it. */
#include "model.h"

#include "model_order.h"
#include "model_response.h"

struct model {
    const struct scenario *scenario;
    const struct scenario_request *request;
    struct outcome *outcome;
    struct model_order order;
    struct model_response response;
    const char *path; /* canonical, or NULL */
    const char *host;
    int decided[MIDDLEWARE_MAX]; /* ABSENT: not yet */
    int entered[MIDDLEWARE_MAX];
    int route; /* that was entered, or ABSENT */
    unsigned slots;
    unsigned shadow_slots; /* set by shadowed middleware, seen by it alone */
    int in_shadow;
    int would_count;
    struct {
        int phase, verdict, status, middleware;
    } would[MIDDLEWARE_MAX * 3];
    int in_handler;
    int skips_handler;
    int fault_status; /* 0: none */
    int had_fault;
};

/* ---- Outcomes --------------------------------------------------------------------------- */

void outcome_init(struct outcome *outcome)
{
    memset(outcome, 0, sizeof *outcome);
    outcome->after_run = outcome->after_route = outcome->after_commit = NOT_CALLED;
}

void outcome_note(struct outcome *outcome, const char *phase, int middleware, int was_entered,
                  int fault_status, unsigned slots)
{
    const size_t room = sizeof outcome->trace - outcome->trace_len;
    const int len = snprintf(outcome->trace + outcome->trace_len, room, "%s:m%d%s(%d,%x) ", phase,
                             middleware, was_entered ? "+" : "", fault_status, slots);
    if (len > 0 && (size_t)len < room)
        outcome->trace_len += (size_t)len;
}

void outcome_note_shadow(struct outcome *outcome, int phase, int verdict, int status,
                         const char *name)
{
    const size_t room = sizeof outcome->trace - outcome->trace_len;
    const int len = snprintf(outcome->trace + outcome->trace_len, room, "would:%s(%d,%d,%d) ", name,
                             phase, verdict, status);
    if (len > 0 && (size_t)len < room)
        outcome->trace_len += (size_t)len;
}

void scenario_value(char out[64], int number)
{
    (void)snprintf(out, 64, "v%d", number);
}

static void keep_response(struct outcome *outcome, const struct model_response *response,
                          int is_committed)
{
    outcome->status = response->status;
    if (!is_committed || response->status != 204) /* RFC 9110, 15.3.5: it has no body */
        memcpy(outcome->body, response->body, sizeof outcome->body);
    outcome->field_count = response->count;
    for (int i = 0; i < response->count; i++) {
        (void)snprintf(outcome->fields[i].name, sizeof outcome->fields[i].name, "%s",
                       response->fields[i].name);
        memcpy(outcome->fields[i].value, response->fields[i].value, 64);
    }
}

/* ---- Conditions ------------------------------------------------------------------------- */

static int method_holds(const struct model *model, const struct list *list)
{
    int found = list->count == 0;
    for (int i = 0; i < list->count; i++)
        found |= list->items[i] == model->request->method;
    return found;
}

static int host_holds(const struct model *model, const struct list *list)
{
    int found = list->count == 0;
    for (int i = 0; i < list->count; i++) {
        const char *pattern = pool_host_patterns[list->items[i]];
        const size_t len = strlen(model->host);
        const size_t tail = strlen(pattern) - 1;
        if (pattern[0] == '*')
            found |= len > tail && same_name(model->host + len - tail, pattern + 1);
        else
            found |= same_name(model->host, pattern);
    }
    return found;
}

static int path_holds(const struct model *model, const struct list *list)
{
    int has_positive = 0;
    int found = 0;

    for (int i = 0; i < list->count; i++) {
        const char *pattern = pool_path_patterns[list->items[i]];
        const int is_negated = pattern[0] == '!';
        const int matches = model->path && model_pattern_matches(pattern + is_negated, model->path);
        if (is_negated && matches)
            return 0;
        has_positive |= !is_negated;
        found |= !is_negated && matches;
    }
    return found || !has_positive;
}

/* Decided once, when it is first asked: at the match point at the latest. */
static int conditions_hold(struct model *model, int index)
{
    struct condition_list list;
    int *decided = &model->decided[index];

    if (*decided != ABSENT)
        return *decided;
    *decided = 1;
    model_conditions(&list, model->scenario, index);
    for (int i = 0; i < list.count; i++) {
        const struct scenario_condition *at = list.items[i];
        *decided &= method_holds(model, &at->methods) && host_holds(model, &at->hosts) &&
                    path_holds(model, &at->paths) &&
                    (at->predicate == ABSENT || model->request->predicates >> at->predicate & 1);
    }
    return *decided;
}

static int applies(struct model *model, int index)
{
    const int route = scenario_route(model->scenario, model->scenario->middleware[index].group);
    return conditions_hold(model, index) && (route == ABSENT || route == model->route);
}

static int has_path_conditions(const struct model *model)
{
    struct condition_list list;
    for (int i = 0; i < model->order.count; i++) {
        model_conditions(&list, model->scenario, model->order.items[i]);
        for (int k = 0; k < list.count; k++)
            if (list.items[k]->paths.count > 0)
                return 1;
    }
    return 0;
}

/* ---- Callbacks -------------------------------------------------------------------------- */

static void act(struct model *model, const struct action *action)
{
    struct model_response *response = &model->response;
    const char *name = pool_fields[action->which];
    char value[64];

    scenario_value(value, action->number);
    switch (action->kind) {
    case ACTION_SET:
        remove_fields(response, name);
        append_field(response, name, value, model->in_handler);
        break;
    case ACTION_APPEND:
        if (strcmp(name, "Content-Type") == 0)
            remove_inferred(response);
        append_field(response, name, value, model->in_handler);
        break;
    case ACTION_REMOVE:
        remove_fields(response, name);
        break;
    case ACTION_TEXT:
        response->status = action->number;
        (void)snprintf(response->body, sizeof response->body, "v%d", action->number);
        infer_text(response, model->in_handler);
        break;
    case ACTION_EMPTY:
        remove_inferred(response);
        response->body[0] = '\0';
        response->status = action->number;
        break;
    case ACTION_STATUS:
        response->status = action->number;
        break;
    case ACTION_SLOT:
        if (model->in_shadow)
            model->shadow_slots |= 1u << action->which;
        else
            model->slots |= 1u << action->which;
        break;
    case ACTION_TARGET:
        model->path = pool_targets[action->which].path;
        break;
    case ACTION_HOST:
        model->host = pool_hosts[action->which].canonical;
        break;
    default:
        break;
    }
}

static void act_all(struct model *model, const struct script *script)
{
    for (int i = 0; i < script->action_count; i++)
        act(model, &script->actions[i]);
}

static int is_allowed(const char *phase, int verdict)
{
    if (verdict == CMW_CONTINUE)
        return 1;
    if (verdict == CMW_STOP)
        return strcmp(phase, "post") != 0;
    return verdict == CMW_SKIP_ROUTE && strcmp(phase, "pre") == 0;
}

/* What the middleware sees of the slots. */
static unsigned slots_seen(const struct model *model, int index)
{
    const int is_shadowed = model->scenario->middleware[index].is_shadowed;
    return model->slots | (is_shadowed ? model->shadow_slots : 0);
}

/* All is done as told, noted, and undone. */
static void shadow(struct model *model, const char *phase, int index, const struct script *script)
{
    const struct model_response before = model->response;
    int verdict = is_allowed(phase, script->verdict) ? script->verdict : CMW_ERROR;

    model->in_shadow = 1;
    act_all(model, script);
    model->in_shadow = 0;
    if (verdict == CMW_STOP && model->response.status == 0)
        verdict = CMW_ERROR;
    if (verdict != CMW_CONTINUE) {
        const int at = model->would_count++;
        model->would[at].phase = strcmp(phase, "pre") == 0    ? CMW_PHASE_PRE_ROUTE
                                 : strcmp(phase, "post") == 0 ? CMW_PHASE_POST_ROUTE
                                                              : CMW_PHASE_ERROR;
        model->would[at].verdict = verdict;
        model->would[at].status = verdict == CMW_STOP ? model->response.status : 0;
        model->would[at].middleware = index;
    }
    model->response = before;
}

/* What a callback's verdict comes to: its own faults are CMW_ERROR, or forgiven. */
static int call(struct model *model, const char *phase, int index, const struct script *script)
{
    const struct model_response before = model->response;

    outcome_note(model->outcome, phase, index, model->entered[index], model->fault_status,
                 slots_seen(model, index));
    if (model->scenario->middleware[index].is_shadowed) {
        shadow(model, phase, index, script);
        return CMW_CONTINUE;
    }
    act_all(model, script);
    if (is_allowed(phase, script->verdict))
        return script->verdict;
    if (model->scenario->middleware[index].failure != CMW_FAIL_OPEN)
        return CMW_ERROR;
    model->response = before;
    return CMW_CONTINUE;
}

static int policy_status(const struct model *model, int index)
{
    const struct scenario_middleware *mw = &model->scenario->middleware[index];
    return mw->failure == CMW_FAIL_STATUS ? mw->failure_status : 500;
}

static int may_run(struct model *model, int index)
{
    return applies(model, index) &&
           (!(model->scenario->middleware[index].flags & CMW_IF_ENTERED) || model->entered[index]);
}

/* ---- Faults ----------------------------------------------------------------------------- */

/* 1: answered; 0: nobody did; -1: a fault again. */
static int ask_error(struct model *model)
{
    for (int i = 0; i < model->order.count; i++) {
        const int index = model->order.items[i];
        const struct script *script = &model->scenario->middleware[index].error;
        if (!script->is_there || !may_run(model, index))
            continue;
        const int verdict = call(model, "error", index, script);
        if (verdict == CMW_STOP)
            return model->response.status != 0 ? 1 : -1;
        if (verdict != CMW_CONTINUE)
            return -1;
    }
    return 0;
}

static void fault(struct model *model, int status)
{
    model->in_handler = 0;
    drop_for_fault(&model->response);
    if (model->had_fault) {
        make_plain(&model->response, 500);
        return;
    }
    model->had_fault = 1;
    model->fault_status = status;
    const int answered = ask_error(model);
    if (answered == 1)
        return;
    drop_for_fault(&model->response);
    make_plain(&model->response, answered == 0 ? status : 500);
}

/* ---- post_route ------------------------------------------------------------------------- */

static void set_constants(struct model_response *response, const struct scenario_middleware *mw)
{
    int is_skipped[3] = {0, 0, 0};
    char value[64];

    if (mw->is_shadowed)
        return;
    for (int i = 0; i < mw->field_count; i++) {
        const char *name = pool_fields[mw->fields[i].which];
        if (mw->flags & CMW_FIELDS_IF_ABSENT)
            is_skipped[i] = find_field(response, name) != ABSENT;
    }
    for (int i = 0; i < mw->field_count; i++)
        if (!(mw->flags & CMW_FIELDS_IF_ABSENT))
            remove_fields(response, pool_fields[mw->fields[i].which]);
    for (int i = 0; i < mw->field_count; i++) {
        scenario_value(value, mw->fields[i].number);
        if (!is_skipped[i])
            append_field(response, pool_fields[mw->fields[i].which], value, 0);
    }
}

static int respond(struct model *model)
{
    model->in_handler = 0;
    for (int i = 0; i < model->order.count; i++) {
        const int index = model->order.post[i];
        const struct scenario_middleware *mw = &model->scenario->middleware[index];
        if (!may_run(model, index))
            continue;
        set_constants(&model->response, mw);
        if (mw->post.is_there && call(model, "post", index, &mw->post) != CMW_CONTINUE)
            fault(model, policy_status(model, index));
    }
    return CMW_TO_RESPOND;
}

static int respond_to_fault(struct model *model, int status)
{
    fault(model, status);
    return respond(model);
}

/* ---- pre_route -------------------------------------------------------------------------- */

static int finish_pre(struct model *model)
{
    const struct scenario_request *request = model->request;

    if (model->skips_handler)
        return model->response.status ? respond(model) : respond_to_fault(model, 500);
    if (request->is_length_declared && request->body_len > BODY_LIMIT)
        return respond_to_fault(model, 413);
    return CMW_TO_HANDLER;
}

/* ABSENT: go on with the next one. */
static int run_pre(struct model *model, int index)
{
    const struct scenario_middleware *mw = &model->scenario->middleware[index];

    if (!mw->pre.is_there || !applies(model, index))
        return ABSENT;
    model->entered[index] = 1;
    switch (call(model, "pre", index, &mw->pre)) {
    case CMW_CONTINUE:
        return ABSENT;
    case CMW_SKIP_ROUTE:
        model->skips_handler = 1;
        return ABSENT;
    case CMW_STOP:
        if (model->response.status)
            return respond(model);
        break;
    default:
        break;
    }
    return respond_to_fault(model, policy_status(model, index));
}

/* 1 if all is decided and the path is one that conditions can be held against. */
static int match(struct model *model)
{
    for (int i = 0; i < model->order.count; i++)
        (void)conditions_hold(model, model->order.items[i]);
    return model->path || !has_path_conditions(model);
}

static int run(struct model *model)
{
    const struct model_order *order = &model->order;

    if (model->request->header_count > HEADER_LIMIT)
        return respond_to_fault(model, 431);
    if (model->scenario->rejects_targets && !pool_targets[model->request->target].is_canonical)
        return respond_to_fault(model, 400);
    for (int i = 0; i <= order->count; i++) {
        if (i == order->match_at && !match(model))
            return respond_to_fault(model, 400);
        if (i == order->count ||
            scenario_route(model->scenario, model->scenario->middleware[order->items[i]].group) !=
                ABSENT)
            continue;
        const int next = run_pre(model, order->items[i]);
        if (next != ABSENT)
            return next;
    }
    return finish_pre(model);
}

static int enter_route(struct model *model, int route)
{
    int is_known = 0;

    for (int i = 0; i < model->order.count; i++) {
        const int index = model->order.items[i];
        is_known |=
            scenario_route(model->scenario, model->scenario->middleware[index].group) == route;
    }
    if (!is_known)
        return CMW_TO_HANDLER;
    model->route = route;
    for (int i = 0; i < model->order.count; i++) {
        const int index = model->order.items[i];
        if (scenario_route(model->scenario, model->scenario->middleware[index].group) != route)
            continue;
        const int next = run_pre(model, index);
        if (next != ABSENT)
            return next;
    }
    return finish_pre(model);
}

/* ---- The request ------------------------------------------------------------------------ */

static void run_handler(struct model *model)
{
    const struct scenario_request *request = model->request;

    model->in_handler = 1;
    if (request->body_len > BODY_LIMIT) { /* not declared: it shows when it comes */
        model->fault_status = 413;
        return;
    }
    act_all(model, &request->handler);
    if (request->handler.verdict)
        model->fault_status = request->handler.verdict >= 400 ? request->handler.verdict : 500;
}

static int commit(struct model *model)
{
    if (model->fault_status)
        return respond_to_fault(model, model->fault_status);
    return model->response.status ? respond(model) : respond_to_fault(model, 500);
}

static void complete(struct model *model, cmw_end_reason reason, int is_committed)
{
    const char *name =
        cmw_end_reason_name(reason == CMW_END_SENT && !is_committed ? CMW_END_ERROR : reason);

    for (int i = model->would_count - 1; i >= 0; i--) {
        char who[16];
        (void)snprintf(who, sizeof who, "m%d", model->would[i].middleware);
        outcome_note_shadow(model->outcome, model->would[i].phase, model->would[i].verdict,
                            model->would[i].status, who);
    }
    for (int i = model->order.count - 1; i >= 0; i--) {
        const int index = model->order.items[i];
        if (model->scenario->middleware[index].has_complete && applies(model, index))
            outcome_note(model->outcome, name, index, model->entered[index], model->fault_status,
                         slots_seen(model, index));
    }
}

void model_run(const struct scenario *scenario, const struct scenario_request *request,
               struct outcome *outcome)
{
    const struct pool_target *target = &pool_targets[request->target];
    struct model model = {.scenario = scenario, .request = request, .outcome = outcome};

    outcome_init(outcome);
    model.path = target->path;
    model.host = pool_hosts[request->host].canonical;
    if (target->host && model.host[0] != '\0') /* a bad Host field is never made good */
        model.host = target->host;
    model.route = ABSENT;
    for (int i = 0; i < MIDDLEWARE_MAX; i++)
        model.decided[i] = ABSENT;
    if (!model_order_make(&model.order, scenario))
        return;

    int next = outcome->after_run = run(&model);
    if (next == CMW_TO_HANDLER && request->route != ABSENT)
        next = outcome->after_route = enter_route(&model, request->route);
    if (next == CMW_TO_HANDLER) {
        run_handler(&model);
        if (!request->is_abandoned)
            next = outcome->after_commit = commit(&model);
    }
    keep_response(outcome, &model.response, next == CMW_TO_RESPOND);
    complete(&model, request->reason, next == CMW_TO_RESPOND);
}

void model_overload(const struct scenario *scenario, struct outcome *outcome)
{
    struct model_response response = {.count = 0};
    struct model_order order;
    struct condition_list list;

    outcome_init(outcome);
    if (!model_order_make(&order, scenario))
        return;
    make_plain(&response, 503);
    for (int i = 0; i < order.count; i++) {
        const struct scenario_middleware *mw = &scenario->middleware[order.post[i]];
        model_conditions(&list, scenario, order.post[i]);
        if (list.count == 0 && scenario_route(scenario, mw->group) == ABSENT &&
            !(mw->flags & CMW_IF_ENTERED))
            set_constants(&response, mw);
    }
    keep_response(outcome, &response, 1);
}
