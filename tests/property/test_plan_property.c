/* SPDX-License-Identifier: MIT */
/*
 * Random chains and requests: the engine and a naive interpreter of the design must agree on every
 * callback, in order, and on the response.
 *
 *     CMW_PROPERTY_SEED=7 CMW_PROPERTY_CHAINS=1   what a failure prints, to see it again
 */
#include <stdio.h>

#include "model.h"
#include "test.h"

#define REQUESTS 6

/* One chain on an engine, and the request that runs. */
struct bench {
    const struct scenario *scenario;
    const struct scenario_request *request;
    cmw_engine *engine;
    cmw_worker *worker;
    cmw_slot slots[SUBJECT_COUNT];
    struct outcome *outcome;
    unsigned asked[PREDICATE_COUNT]; /* calls in this request */
    struct member {
        struct bench *bench;
        int index;
        char name[16];
    } members[MIDDLEWARE_MAX];
    struct predicate {
        struct bench *bench;
        int index;
    } predicates[PREDICATE_COUNT];
};

/* ---- Callbacks -------------------------------------------------------------------------- */

static int on_predicate(void *self, cmw_ctx *ctx)
{
    const struct predicate *predicate = self;

    (void)ctx;
    predicate->bench->asked[predicate->index]++;
    return predicate->bench->request->predicates >> predicate->index & 1 ? 7 : 0;
}

static void note(const struct member *member, cmw_ctx *ctx, const char *word)
{
    const cmw_fault *fault = cmw_ctx_fault(ctx);
    unsigned slots = 0;

    for (int i = 0; i < SLOT_COUNT; i++)
        slots |= cmw_ctx_slot(ctx, member->bench->slots[i]) ? 1u << i : 0;
    assert_string_equal(cmw_ctx_middleware_name(ctx), member->name);
    outcome_note(member->bench->outcome, word, member->index, cmw_ctx_was_entered(ctx),
                 fault ? fault->status : 0, slots);
}

static int act_on_field(cmw_response *response, const struct action *action)
{
    const cmw_str name = cmw_str_cstr(pool_fields[action->which]);
    char value[64];

    scenario_value(value, action->number);
    if (action->kind == ACTION_SET)
        return cmw_response_set_named(response, name, cmw_str_cstr(value));
    if (action->kind == ACTION_APPEND)
        return cmw_response_append_named(response, name, cmw_str_cstr(value));
    return cmw_response_remove_named(response, name);
}

static int act(const struct bench *bench, cmw_ctx *ctx, const struct action *action)
{
    cmw_response *response = cmw_ctx_response(ctx);
    char value[64];

    scenario_value(value, action->number);
    switch (action->kind) {
    case ACTION_TEXT:
        return cmw_response_text(response, action->number, cmw_str_cstr(value));
    case ACTION_EMPTY:
        return cmw_response_empty(response, action->number);
    case ACTION_STATUS:
        return cmw_response_set_status(response, action->number);
    case ACTION_SLOT:
        return cmw_ctx_set_slot(ctx, bench->slots[action->which]) ? 0 : CMW_ERR_NOMEM;
    case ACTION_TARGET:
        return cmw_request_set_target(cmw_ctx_request(ctx),
                                      cmw_str_cstr(pool_targets[action->which].text));
    case ACTION_HOST:
        return cmw_request_set_host(cmw_ctx_request(ctx),
                                    cmw_str_cstr(pool_hosts[action->which].text));
    default:
        return act_on_field(response, action);
    }
}

static int carry_out(const struct bench *bench, cmw_ctx *ctx, const struct script *script)
{
    for (int i = 0; i < script->action_count; i++)
        assert_int_equal(act(bench, ctx, &script->actions[i]), 0);
    return script->verdict;
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct member *member = self;
    note(member, ctx, "pre");
    return carry_out(member->bench, ctx, &member->bench->scenario->middleware[member->index].pre);
}

static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct member *member = self;
    note(member, ctx, "post");
    return carry_out(member->bench, ctx, &member->bench->scenario->middleware[member->index].post);
}

static int on_error(void *self, cmw_ctx *ctx)
{
    const struct member *member = self;
    note(member, ctx, "error");
    return carry_out(member->bench, ctx, &member->bench->scenario->middleware[member->index].error);
}

static void on_complete(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    note(self, ctx, cmw_end_reason_name(reason));
}

/* ---- Building the chain ------------------------------------------------------------------ */

static void open_engine(struct bench *bench)
{
    static const char *const names[SLOT_COUNT] = {"s0", "s1", "s2"};
    cmw_engine_config config;

    cmw_engine_config_init(&config);
    config.context_limit = 1;
    config.limits.header_count = HEADER_LIMIT;
    config.limits.body_bytes = BODY_LIMIT;
    config.target_policy =
        bench->scenario->rejects_targets ? CMW_TARGET_REJECT : CMW_TARGET_CANONICAL;
    config.sample_every = (uint32_t)bench->scenario->is_sampled;
    assert_int_equal(cmw_engine_create(&bench->engine, &config), 0);
    for (int i = 0; i < SLOT_COUNT; i++)
        assert_int_equal(cmw_slot_declare(bench->engine, &bench->slots[i], names[i], 8, NULL), 0);
    bench->slots[SUBJECT_PATH] = CMW_FACT_CANONICAL_PATH;
    bench->slots[SUBJECT_HOST] = CMW_FACT_HOST;
}

/* A condition as the chain takes it, with the lists that it points to. */
struct given_condition {
    cmw_condition condition;
    const char *methods[LIST_MAX];
    const char *hosts[LIST_MAX];
    const char *paths[LIST_MAX];
};

static size_t give_list(const char **out, const struct list *list, const char *const *pool)
{
    for (int i = 0; i < list->count; i++)
        out[i] = pool[list->items[i]];
    return (size_t)list->count;
}

/* NULL for ABSENT. */
static const cmw_condition *give_condition(struct bench *bench, struct given_condition *given,
                                           int index)
{
    if (index == ABSENT)
        return NULL;
    const struct scenario_condition *from = &bench->scenario->conditions[index];
    cmw_condition *to = &given->condition;

    cmw_condition_init(to);
    to->methods = given->methods;
    to->hosts = given->hosts;
    to->paths = given->paths;
    to->method_count = give_list(given->methods, &from->methods, pool_methods);
    to->host_count = give_list(given->hosts, &from->hosts, pool_host_patterns);
    to->path_count = give_list(given->paths, &from->paths, pool_path_patterns);
    if (from->predicate != ABSENT) {
        to->predicate = on_predicate;
        to->predicate_self = &bench->predicates[from->predicate];
    }
    return to;
}

static void add_groups(struct bench *bench, cmw_chain *chain, cmw_group **groups)
{
    for (int i = 0; i < bench->scenario->group_count; i++) {
        const struct scenario_group *from = &bench->scenario->groups[i];
        cmw_group *parent = from->parent == ABSENT ? NULL : groups[from->parent];
        struct given_condition given;
        cmw_group_config config;
        cmw_diag diag = {0, 0, ""};

        cmw_group_config_init(&config);
        config.name = "group";
        config.condition = give_condition(bench, &given, from->condition);
        if (from->route != ABSENT)
            config.route_id = (uint32_t)from->route;
        if (cmw_chain_add_group(chain, &groups[i], parent, &config, &diag) != 0)
            fail_msg("%s", diag.message);
    }
}

static void give_callbacks(cmw_middleware *mw, const struct scenario_middleware *from)
{
    mw->pre_route = from->pre.is_there ? on_pre_route : NULL;
    mw->post_route = from->post.is_there ? on_post_route : NULL;
    mw->error = from->error.is_there ? on_error : NULL;
    mw->complete = from->has_complete ? on_complete : NULL;
}

static void give_numbers(cmw_middleware *mw, const struct scenario_middleware *from)
{
    mw->priority = from->priority;
    mw->post_priority = from->post_priority;
    mw->flags = from->flags;
    mw->failure = from->failure;
    mw->failure_status = from->failure_status;
}

static void add_middleware(struct bench *bench, cmw_chain *chain, cmw_group **groups, int index)
{
    const struct scenario_middleware *from = &bench->scenario->middleware[index];
    struct member *member = &bench->members[index];
    const char *before = from->before == ABSENT ? NULL : bench->members[from->before].name;
    const char *after = from->after == ABSENT ? NULL : bench->members[from->after].name;
    struct given_condition given;
    cmw_header fields[3];
    char values[3][64];
    cmw_diag diag = {0, 0, ""};
    cmw_middleware mw;

    cmw_middleware_init(&mw);
    mw.name = member->name;
    mw.self = member;
    give_numbers(&mw, from);
    give_callbacks(&mw, from);
    mw.condition = give_condition(bench, &given, from->condition);
    mw.before = &before;
    mw.before_count = before != NULL;
    mw.after = &after;
    mw.after_count = after != NULL;
    for (int i = 0; i < from->field_count; i++) {
        scenario_value(values[i], from->fields[i].number);
        fields[i].name = cmw_str_cstr(pool_fields[from->fields[i].which]);
        fields[i].value = cmw_str_cstr(values[i]);
    }
    mw.fields = fields;
    mw.field_count = (size_t)from->field_count;
    for (int i = 0; i < from->relation_count; i++)
        cmw_middleware_relate(&mw, (cmw_relation)from->relations[i].relation,
                              bench->slots[from->relations[i].subject]);
    const int rc = from->group == ABSENT ? cmw_chain_add(chain, &mw, &diag)
                                         : cmw_group_add(groups[from->group], &mw, &diag);
    if (rc != 0)
        fail_msg("%s", diag.message);
    if (from->is_disabled)
        assert_int_equal(cmw_chain_disable(chain, mw.name), 0);
    if (from->is_shadowed)
        assert_int_equal(cmw_chain_shadow(chain, mw.name), 0);
}

/* 1 if it compiled and is installed. */
static int install(struct bench *bench)
{
    cmw_group *groups[GROUP_MAX];
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0, 0, ""};
    const unsigned flags = bench->scenario->is_onion ? CMW_ORDER_ONION : 0;

    assert_int_equal(cmw_chain_create(bench->engine, &chain, flags), 0);
    for (int i = 0; i < MIDDLEWARE_MAX; i++) {
        bench->members[i].bench = bench;
        bench->members[i].index = i;
        (void)snprintf(bench->members[i].name, sizeof bench->members[i].name, "m%d", i);
    }
    for (int i = 0; i < PREDICATE_COUNT; i++)
        bench->predicates[i] = (struct predicate){bench, i};
    add_groups(bench, chain, groups);
    for (int i = 0; i < bench->scenario->middleware_count; i++)
        add_middleware(bench, chain, groups, i);
    const int rc = cmw_chain_compile(chain, &plan, &diag);
    cmw_chain_destroy(chain);
    if ((rc == 0) != model_compiles(bench->scenario))
        fail_msg("compiling gave %s: %s", rc ? cmw_error_name(rc) : "a plan", diag.message);
    if (rc != 0)
        return 0;
    assert_int_equal(cmw_engine_install(bench->engine, plan, &diag), 0);
    cmw_plan_release(plan);
    assert_int_equal(cmw_engine_take_worker(bench->engine, &bench->worker, NULL, NULL), 0);
    return 1;
}

/* ---- Running a request ------------------------------------------------------------------- */

static void copy_text(char *out, size_t cap, cmw_str text)
{
    assert_true(text.len < cap);
    if (text.len > 0)
        memcpy(out, text.data, text.len);
    out[text.len] = '\0';
}

static void keep_response(struct outcome *outcome, const cmw_response *response)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;

    outcome->status = cmw_response_status(response);
    copy_text(outcome->body, sizeof outcome->body, cmw_response_body(response));
    outcome->field_count = 0;
    while (cmw_response_next_header(response, &cursor, &field, CMW_READ_FIELDS)) {
        const int at = outcome->field_count++;
        assert_true(at < FIELDS_MAX);
        copy_text(outcome->fields[at].name, sizeof outcome->fields[at].name, field.name);
        copy_text(outcome->fields[at].value, sizeof outcome->fields[at].value, field.value);
    }
}

static void make_view(cmw_request_view *view, cmw_header *headers,
                      const struct scenario_request *request)
{
    headers[0] = (cmw_header){CMW_STR("Host"), cmw_str_cstr(pool_hosts[request->host].text)};
    for (int i = 1; i < request->header_count; i++)
        headers[i] = (cmw_header){CMW_STR("X-Filler"), CMW_STR("1")};
    cmw_request_view_init(view);
    view->method = cmw_str_cstr(pool_methods[request->method]);
    view->target = cmw_str_cstr(pool_targets[request->target].text);
    view->headers = headers;
    view->header_count = (uint32_t)request->header_count;
    view->http_version = 0x0101;
    view->content_length =
        request->is_length_declared ? (uint64_t)request->body_len : CMW_LENGTH_UNKNOWN;
    view->now_ns = 1;
}

static void handle(const struct bench *bench, cmw_ctx *ctx)
{
    static const char body[BODY_LIMIT + 1];
    const struct scenario_request *request = bench->request;

    if (cmw_ctx_receive_body(ctx, cmw_str_make(body, (size_t)request->body_len)) != 0)
        return;
    const int status = carry_out(bench, ctx, &request->handler);
    if (status != 0)
        cmw_ctx_fail(ctx, status);
}

static void run_engine(struct bench *bench, struct outcome *outcome)
{
    const struct scenario_request *request = bench->request;
    cmw_header headers[HEADER_LIMIT + 1];
    cmw_request_view view;
    cmw_ctx *ctx = NULL;
    cmw_ctx *second = NULL;

    outcome_init(outcome);
    bench->outcome = outcome;
    memset(bench->asked, 0, sizeof bench->asked);
    make_view(&view, headers, request);
    assert_int_equal(cmw_ctx_begin(bench->worker, &ctx, &view), 0);
    assert_int_equal(cmw_ctx_begin(bench->worker, &second, &view), CMW_ERR_LIMIT);
    cmw_next next = cmw_ctx_run(ctx);
    outcome->after_run = (int)next;
    if (next == CMW_TO_HANDLER && request->route != ABSENT) {
        next = cmw_ctx_enter_route(ctx, (uint32_t)request->route);
        outcome->after_route = (int)next;
    }
    if (next == CMW_TO_HANDLER) {
        handle(bench, ctx);
        if (!request->is_abandoned)
            outcome->after_commit = (int)cmw_ctx_commit(ctx);
    }
    keep_response(outcome, cmw_ctx_response(ctx));
    for (const cmw_shadow_note *at = cmw_ctx_shadow_notes(ctx); at; at = at->next)
        outcome_note_shadow(outcome, at->phase, at->verdict, at->status, at->middleware);
    cmw_ctx_end(ctx, request->reason);
    for (int i = 0; i < PREDICATE_COUNT; i++)
        if (bench->asked[i] > 1)
            fail_msg("predicate %d was called %u times in one request", i, bench->asked[i]);
}

/* ---- Comparing --------------------------------------------------------------------------- */

static int same_outcome(const struct outcome *a, const struct outcome *b)
{
    if (strcmp(a->trace, b->trace) != 0 || a->after_run != b->after_run ||
        a->after_route != b->after_route || a->after_commit != b->after_commit ||
        a->status != b->status || strcmp(a->body, b->body) != 0 || a->field_count != b->field_count)
        return 0;
    for (int i = 0; i < a->field_count; i++)
        if (strcmp(a->fields[i].name, b->fields[i].name) != 0 ||
            strcmp(a->fields[i].value, b->fields[i].value) != 0)
            return 0;
    return 1;
}

static void print_outcome(const char *who, const struct outcome *outcome)
{
    fprintf(stderr, "%s: run %d route %d commit %d, %d '%s'\n  %s\n", who, outcome->after_run,
            outcome->after_route, outcome->after_commit, outcome->status, outcome->body,
            outcome->trace);
    for (int i = 0; i < outcome->field_count; i++)
        fprintf(stderr, "  %s: %s\n", outcome->fields[i].name, outcome->fields[i].value);
}

static void check_requests(struct bench *bench, struct random *random)
{
    static struct outcome engine, model;
    static struct scenario_request request;

    outcome_init(&engine);
    keep_response(&engine, cmw_worker_overload_response(bench->worker));
    model_overload(bench->scenario, &model);
    if (!same_outcome(&engine, &model)) {
        print_outcome("engine", &engine);
        print_outcome("model", &model);
        fail_msg("they differ in the overload response");
    }
    bench->request = &request;
    for (int i = 0; i < REQUESTS; i++) {
        scenario_request_make(&request, random);
        run_engine(bench, &engine);
        model_run(bench->scenario, &request, &model);
        if (same_outcome(&engine, &model))
            continue;
        scenario_request_print(&request, stderr);
        print_outcome("engine", &engine);
        print_outcome("model", &model);
        fail_msg("they differ in request %d", i);
    }
}

static uint64_t number_from(const char *variable, uint64_t otherwise)
{
    const char *text = getenv(variable);
    return text && text[0] ? strtoull(text, NULL, 10) : otherwise;
}

/* What runs now, for the note of a failure. */
static uint64_t chain_seed;
static struct scenario scenario;
static int is_running;

static void check_chain(uint64_t seed, int *compiled)
{
    struct random random = {seed};
    struct bench bench = {.scenario = &scenario};

    chain_seed = seed;
    scenario_make(&scenario, &random);
    open_engine(&bench);
    if (install(&bench)) {
        *compiled += 1;
        check_requests(&bench, &random);
        cmw_engine_put_worker(bench.engine, bench.worker);
    }
    assert_int_equal(cmw_engine_destroy(bench.engine), 0);
}

static void engine_and_model_agree(void **state)
{
    const uint64_t first = number_from("CMW_PROPERTY_SEED", 1);
    const uint64_t count = number_from("CMW_PROPERTY_CHAINS", getenv("CMW_VALGRIND") ? 60 : 4000);
    int compiled = 0;

    (void)state;
    is_running = 1;
    for (uint64_t i = 0; i < count; i++)
        check_chain(first + i, &compiled);
    is_running = 0;
    assert_true(count < 50 || (uint64_t)compiled * 2 > count); /* else it proves little */
}

static int explain_failure(void **state)
{
    (void)state;
    if (!is_running)
        return 0;
    scenario_print(&scenario, stderr);
    fprintf(stderr, "again: CMW_PROPERTY_SEED=%llu CMW_PROPERTY_CHAINS=1\n",
            (unsigned long long)chain_seed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(engine_and_model_agree, explain_failure),
    };
    return cmocka_run_group_tests_name("plan_property", tests, NULL, NULL);
}
