/* SPDX-License-Identifier: MIT */
/* Shadow mode: what a shadowed middleware does is checked, counted and undone. */
#include "actor.h"

#include <catzilla/stats.h>

/* ---- A bench with one shadowed actor ----------------------------------------------------- */

static void open_shadowed(struct bench *bench, struct actor *actor)
{
    bench_open(bench, NULL);
    bench_add(bench, actor);
    assert_int_equal(cmw_chain_shadow(bench->chain, actor->name), 0);
    bench_install(bench);
    cmw_test_request(bench->test, "GET", "/");
}

/* The row of a middleware in a phase. It lives as long as the snapshot. */
static const cmw_middleware_stats *find_row(const cmw_stats *stats, const char *name, int phase)
{
    const cmw_middleware_stats *row;

    for (size_t i = 0; (row = cmw_stats_middleware(stats, i)) != NULL; i++)
        if (strcmp(row->name, name) == 0 && row->phase == phase)
            return row;
    fail_msg("no row of %s", name);
    return NULL;
}

static cmw_middleware_stats row_of(struct bench *bench, const char *name, int phase)
{
    cmw_stats *stats = NULL;

    assert_int_equal(cmw_stats_snapshot(bench->engine, &stats), 0);
    const cmw_middleware_stats row = *find_row(stats, name, phase);
    cmw_stats_destroy(stats);
    return row;
}

static void assert_counts(const cmw_middleware_stats *row, uint64_t stop, uint64_t skip,
                          uint64_t suspend, uint64_t fail, uint64_t change)
{
    assert_true(row->is_shadowed);
    assert_int_equal(row->would_stop, stop);
    assert_int_equal(row->would_skip, skip);
    assert_int_equal(row->would_suspend, suspend);
    assert_int_equal(row->would_fail, fail);
    assert_int_equal(row->would_change, change);
    assert_int_equal(row->stops + row->skips + row->suspensions + row->errors, 0);
}

/* ---- Verdicts ---------------------------------------------------------------------------- */

struct row {
    const char *name;
    unsigned on;
    int verdict, status;
    uint32_t phase;
    int stop, skip, fail, change;
};

static const struct row rows[] = {
    {"going on counts nothing", ON_PRE, CMW_CONTINUE, 0, 0, 0, 0, 0, 0},
    {"an answer of pre_route is not given", ON_PRE, CMW_STOP, 429, 0, 1, 0, 0, 1},
    {"a stop without an answer would have failed", ON_PRE, CMW_STOP, 0, 0, 0, 0, 1, 0},
    {"skipping the handler is not done", ON_PRE, CMW_SKIP_ROUTE, 204, 0, 0, 1, 0, 1},
    {"an error of pre_route is no fault", ON_PRE, CMW_ERROR, 0, 0, 0, 0, 1, 0},
    {"no verdict at all is no fault", ON_PRE, 77, 0, 0, 0, 0, 1, 0},
    {"suspending without a token would have failed", ON_PRE, CMW_SUSPEND, 0, 0, 0, 0, 1, 0},
    {"an error of post_route is no fault", ON_POST, CMW_ERROR, 500, 1, 0, 0, 1, 1},
    {"a status of post_route is not kept", ON_POST, CMW_CONTINUE, 418, 1, 0, 0, 0, 1},
};

static void check_verdict(void **state)
{
    const struct row *row = *state;
    struct actor actor = {
        .name = "shadow", .on = row->on, .pre = row->verdict, .post = row->verdict};
    struct bench bench;

    if (row->on == ON_PRE)
        actor.pre_status = row->status;
    else
        actor.post_status = row->status;
    open_shadowed(&bench, &actor);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(cmw_test_send(bench.test), 200);
        assert_true(cmw_str_equals(cmw_test_response_body(bench.test), CMW_STR("ok")));
    }
    const cmw_middleware_stats counted = row_of(&bench, "shadow", (int)row->phase);
    assert_int_equal(counted.calls, 3);
    assert_counts(&counted, 3u * (unsigned)row->stop, 3u * (unsigned)row->skip, 0,
                  3u * (unsigned)row->fail, 3u * (unsigned)row->change);
    bench_close(&bench);
}

/* ---- Fields ------------------------------------------------------------------------------- */

static void fields_are_not_seen(void **state)
{
    static const cmw_header constants[] = {{CMW_STR_INIT("X-Constant"), CMW_STR_INIT("1")}};
    struct actor actor = {.name = "shadow",
                          .on = ON_PRE | ON_POST,
                          .pre_field = "X-Pre",
                          .post_field = "Content-Type",
                          .fields = constants,
                          .field_count = 1};
    struct bench bench;

    (void)state;
    open_shadowed(&bench, &actor);
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_null(cmw_test_response_field(bench.test, "X-Pre"));
    assert_null(cmw_test_response_field(bench.test, "X-Constant"));
    assert_string_equal(cmw_test_response_field(bench.test, "Content-Type"),
                        "text/plain; charset=utf-8");
    const cmw_middleware_stats pre = row_of(&bench, "shadow", CMW_PHASE_PRE_ROUTE);
    const cmw_middleware_stats post = row_of(&bench, "shadow", CMW_PHASE_POST_ROUTE);
    assert_counts(&pre, 0, 0, 0, 0, 1);
    assert_counts(&post, 0, 0, 0, 0, 1);
    bench_close(&bench);
}

static void constant_fields_alone_are_counted(void **state)
{
    static const cmw_header constants[] = {{CMW_STR_INIT("X-Constant"), CMW_STR_INIT("1")}};
    struct actor actor = {.name = "shadow", .fields = constants, .field_count = 1};
    struct bench bench;

    (void)state;
    open_shadowed(&bench, &actor);
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_null(cmw_test_response_field(bench.test, "X-Constant"));
    const cmw_middleware_stats post = row_of(&bench, "shadow", CMW_PHASE_POST_ROUTE);
    assert_counts(&post, 0, 0, 0, 0, 1);
    bench_close(&bench);
}

static void rewrite_request(struct actor *actor, cmw_ctx *ctx)
{
    cmw_request *request = cmw_ctx_request(ctx);

    (void)actor;
    assert_int_equal(cmw_request_set_header(request, CMW_STR("X-A"), CMW_STR("shadow")), 0);
    assert_int_equal(cmw_request_remove_header(request, CMW_STR("X-B")), 0);
    assert_true(cmw_str_equals(cmw_request_header_named(request, CMW_STR("X-A"))->value,
                               CMW_STR("shadow")));
    assert_int_equal(cmw_request_set_header(request, CMW_STR("bad name"), CMW_STR("")),
                     CMW_ERR_INVALID);
}

static void rewrite_first(struct actor *actor, cmw_ctx *ctx)
{
    (void)actor;
    assert_int_equal(cmw_request_set_header(cmw_ctx_request(ctx), CMW_STR("X-A"), CMW_STR("real")),
                     0);
}

static void see_request(struct actor *actor, cmw_ctx *ctx)
{
    cmw_request *request = cmw_ctx_request(ctx);

    (void)actor;
    assert_true(
        cmw_str_equals(cmw_request_header_named(request, CMW_STR("X-A"))->value, CMW_STR("real")));
    assert_non_null(cmw_request_header_named(request, CMW_STR("X-B")));
}

static void fields_of_the_request_are_put_back(void **state)
{
    struct actor first = {.name = "first", .on = ON_PRE, .priority = 1, .inside = rewrite_first};
    struct actor shadow = {
        .name = "shadow", .on = ON_PRE, .priority = 2, .inside = rewrite_request};
    struct actor last = {.name = "last", .on = ON_PRE, .priority = 3, .inside = see_request};
    struct bench bench;

    (void)state;
    bench_open(&bench, NULL);
    bench_add(&bench, &first);
    bench_add(&bench, &shadow);
    bench_add(&bench, &last);
    assert_int_equal(cmw_chain_shadow(bench.chain, "shadow"), 0);
    bench_install(&bench);
    cmw_test_request(bench.test, "GET", "/");
    cmw_test_header(bench.test, "X-B", "b");
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_string_equal(bench.log, "pre:first pre:shadow pre:last ");
    bench_close(&bench);
}

/* ---- Slots and values --------------------------------------------------------------------- */

static struct {
    cmw_slot kept, scratch;
    int destroyed, values_destroyed;
} slots;

static void destroy_slot(void *value)
{
    (void)value;
    slots.destroyed++;
}

static void destroy_value(void *value)
{
    (void)value;
    slots.values_destroyed++;
}

static void set_real(struct actor *actor, cmw_ctx *ctx)
{
    static int value = 1;

    (void)actor;
    *(uint64_t *)cmw_ctx_set_slot(ctx, slots.kept) = 11;
    assert_int_equal(cmw_ctx_set_value(ctx, CMW_STR("key"), &value, destroy_value), 0);
}

/* In pre_route it sets; afterwards it finds what it set, and nobody else does. */
static void set_scratch(struct actor *actor, cmw_ctx *ctx)
{
    static int value = 2;
    uint64_t copy[4] = {31, 32, 33, 34};

    if (strstr(actor->bench->log, "post:last ") || strstr(actor->bench->log, "complete")) {
        assert_int_equal(*(uint64_t *)cmw_ctx_slot(ctx, slots.kept), 22);
        assert_int_equal(((uint64_t *)cmw_ctx_slot(ctx, slots.scratch))[3], 34);
        assert_int_equal(*(int *)cmw_ctx_value(ctx, CMW_STR("key")), 2);
        return;
    }
    assert_int_equal(*(uint64_t *)cmw_ctx_slot(ctx, slots.kept), 11);
    assert_int_equal(*(int *)cmw_ctx_value(ctx, CMW_STR("key")), 1);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(*(uint64_t *)cmw_ctx_set_slot(ctx, slots.kept), 0);
        *(uint64_t *)cmw_ctx_slot(ctx, slots.kept) = 22;
    }
    assert_non_null(cmw_ctx_copy_slot(ctx, slots.scratch, copy));
    assert_null(cmw_ctx_set_slot(ctx, 4000));
    assert_int_equal(cmw_ctx_set_value(ctx, CMW_STR("key"), &value, destroy_value), 0);
}

static void see_slots(struct actor *actor, cmw_ctx *ctx)
{
    (void)actor;
    assert_int_equal(*(uint64_t *)cmw_ctx_slot(ctx, slots.kept), 11);
    assert_null(cmw_ctx_slot(ctx, slots.scratch));
    assert_int_equal(*(int *)cmw_ctx_value(ctx, CMW_STR("key")), 1);
}

static void slots_and_values_lead_to_scratch_memory(void **state)
{
    struct actor first = {.name = "first", .on = ON_PRE, .priority = 1, .inside = set_real};
    struct actor shadow = {.name = "shadow",
                           .on = ON_PRE | ON_POST | ON_COMPLETE,
                           .priority = 2,
                           .post_priority = 4,
                           .flags = CMW_IF_ENTERED,
                           .inside = set_scratch};
    struct actor last = {
        .name = "last", .on = ON_PRE | ON_POST | ON_COMPLETE, .priority = 3, .inside = see_slots};
    struct bench bench;

    (void)state;
    memset(&slots, 0, sizeof slots);
    bench_open(&bench, NULL);
    assert_int_equal(cmw_slot_declare(bench.engine, &slots.kept, "kept", 8, destroy_slot), 0);
    assert_int_equal(cmw_slot_declare(bench.engine, &slots.scratch, "scratch", 32, NULL), 0);
    bench_add(&bench, &first);
    cmw_middleware mw = actor_middleware(&bench, &shadow);
    cmw_middleware_uses(&mw, slots.kept);
    cmw_middleware_provides(&mw, slots.scratch);
    assert_int_equal(cmw_chain_add(bench.chain, &mw, NULL), 0);
    bench_add(&bench, &last);
    assert_int_equal(cmw_chain_shadow(bench.chain, "shadow"), 0);
    bench_install(&bench);
    for (int i = 1; i <= 2; i++) {
        bench_forget(&bench);
        cmw_test_request(bench.test, "GET", "/");
        assert_int_equal(cmw_test_send(bench.test), 200);
        assert_string_equal(bench.log, "pre:first pre:shadow pre:last post:last post:shadow "
                                       "complete/sent:last complete/sent:shadow ");
        assert_int_equal(slots.destroyed, 3 * i); /* the real one, and the shadow's two */
        assert_int_equal(slots.values_destroyed, 2 * i);
    }
    bench_close(&bench);
}

/* ---- Limits, waiting, faults -------------------------------------------------------------- */

static void set_limits(struct actor *actor, cmw_ctx *ctx)
{
    (void)actor;
    assert_int_equal(cmw_ctx_limit_body(ctx, 1), 0);
    assert_int_equal(cmw_ctx_set_deadline(ctx, 1), 0);
    cmw_ctx_fail(ctx, 503);
    (void)cmw_ctx_cancel(ctx, CMW_END_SHUTDOWN);
}

static void see_limits(struct actor *actor, cmw_ctx *ctx)
{
    (void)actor;
    assert_int_equal(cmw_ctx_is_cancelled(ctx), 0);
    assert_null(cmw_ctx_fault(ctx));
}

static void limits_are_not_set(void **state)
{
    struct actor shadow = {.name = "shadow", .on = ON_PRE, .priority = 1, .inside = set_limits};
    struct actor last = {.name = "last", .on = ON_PRE, .priority = 2, .inside = see_limits};
    struct bench bench;

    (void)state;
    bench_open(&bench, NULL);
    bench_add(&bench, &shadow);
    bench_add(&bench, &last);
    assert_int_equal(cmw_chain_shadow(bench.chain, "shadow"), 0);
    bench_install(&bench);
    cmw_test_request(bench.test, "POST", "/");
    cmw_test_body(bench.test, CMW_STR("more than one byte"));
    cmw_test_view(bench.test)->content_length = CMW_LENGTH_UNKNOWN;
    assert_int_equal(cmw_test_send(bench.test), 200);
    bench_close(&bench);
}

static cmw_token given;

static int wait_for_it(void *self, cmw_ctx *ctx)
{
    (void)self;
    assert_int_equal(cmw_ctx_suspend(ctx, &given), 0);
    return CMW_SUSPEND;
}

/* Not even a host that can wait is needed. */
static void nothing_waits_and_the_token_is_stale(void **state)
{
    static const cmw_host host = {.size = sizeof(cmw_host), .name = "cannot wait"};
    struct bench bench;
    cmw_middleware mw;

    (void)state;
    bench_open(&bench, NULL);
    assert_int_equal(cmw_engine_attach_host(bench.engine, &host, NULL), 0);
    cmw_middleware_init(&mw);
    mw.name = "waits";
    mw.pre_route = mw.post_route = wait_for_it;
    mw.suspend_phases = 1u << CMW_PHASE_PRE_ROUTE | 1u << CMW_PHASE_POST_ROUTE;
    assert_int_equal(cmw_chain_add(bench.chain, &mw, NULL), 0);
    assert_int_equal(cmw_chain_shadow(bench.chain, "waits"), 0);
    bench_install(&bench);
    cmw_test_request(bench.test, "GET", "/");
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_int_equal(cmw_resume(bench.engine, given, CMW_CONTINUE, NULL), CMW_ERR_STALE);
    const cmw_middleware_stats pre = row_of(&bench, "waits", CMW_PHASE_PRE_ROUTE);
    const cmw_middleware_stats post = row_of(&bench, "waits", CMW_PHASE_POST_ROUTE);
    assert_counts(&pre, 0, 0, 1, 0, 0);
    assert_counts(&post, 0, 0, 1, 0, 0);
    bench_close(&bench);
}

static void an_answer_to_a_fault_is_not_given(void **state)
{
    struct actor faulty = {.name = "faulty", .on = ON_PRE, .priority = 1, .pre = CMW_ERROR};
    struct actor shadow = {
        .name = "shadow", .on = ON_ERROR, .priority = 2, .error = CMW_STOP, .error_status = 418};
    struct bench bench;

    (void)state;
    bench_open(&bench, NULL);
    bench_add(&bench, &faulty);
    bench_add(&bench, &shadow);
    assert_int_equal(cmw_chain_shadow(bench.chain, "shadow"), 0);
    bench_install(&bench);
    cmw_test_request(bench.test, "GET", "/");
    assert_int_equal(cmw_test_send(bench.test), 500);
    const cmw_middleware_stats error = row_of(&bench, "shadow", CMW_PHASE_ERROR);
    assert_counts(&error, 1, 0, 0, 0, 1);
    bench_close(&bench);
}

static void take_most(struct actor *actor, cmw_ctx *ctx)
{
    const int is_there = cmw_arena_alloc(cmw_ctx_arena(ctx), 600 << 10) != NULL;

    assert_int_equal(is_there, actor->data == NULL);
}

/* A shadow that uses up its memory, and fails for it, leaves the others theirs. */
static void memory_is_not_taken_from_others(void **state)
{
    static int refused;
    struct actor shadow = {.name = "shadow", .on = ON_PRE, .priority = 1, .inside = take_most};
    struct actor last = {.name = "last", .on = ON_PRE, .priority = 2, .inside = take_most};
    struct actor greedy = {
        .name = "greedy", .on = ON_PRE, .priority = 3, .inside = take_most, .data = &refused};
    struct bench bench;

    (void)state;
    bench_open(&bench, NULL);
    bench_add(&bench, &shadow);
    bench_add(&bench, &last);
    bench_add(&bench, &greedy);
    assert_int_equal(cmw_chain_shadow(bench.chain, "shadow"), 0);
    assert_int_equal(cmw_chain_shadow(bench.chain, "greedy"), 0);
    bench_install(&bench);
    cmw_test_request(bench.test, "GET", "/");
    for (int i = 0; i < 3; i++) /* the limit is the same for each request */
        assert_int_equal(cmw_test_send(bench.test), 200);
    bench_close(&bench);
}

/* ---- Notes, cost, text -------------------------------------------------------------------- */

static void read_notes(struct actor *actor, cmw_ctx *ctx)
{
    const cmw_shadow_note *note = cmw_ctx_shadow_notes(ctx);

    if (!strstr(actor->bench->log, "complete"))
        return;
    assert_non_null(note);
    assert_string_equal(note->middleware, "limit");
    assert_int_equal(note->phase, CMW_PHASE_PRE_ROUTE);
    assert_int_equal(note->verdict, CMW_STOP);
    assert_int_equal(note->status, 429);
    assert_null(note->next);
}

static void complete_is_told_what_would_have_been(void **state)
{
    struct actor limit = {.name = "limit", .on = ON_PRE, .pre = CMW_STOP, .pre_status = 429};
    struct actor log = {.name = "log", .on = ON_COMPLETE, .inside = read_notes};
    struct bench bench;

    (void)state;
    bench_open(&bench, NULL);
    bench_add(&bench, &limit);
    bench_add(&bench, &log);
    assert_int_equal(cmw_chain_shadow(bench.chain, "limit"), 0);
    bench_install(&bench);
    cmw_test_request(bench.test, "GET", "/");
    for (int i = 0; i < 2; i++)
        assert_int_equal(cmw_test_send(bench.test), 200);
    const uint64_t before = cmw_test_alloc_calls(bench.test);
    assert_int_equal(cmw_test_send_quick(bench.test), 200);
    assert_int_equal(cmw_test_alloc_calls(bench.test), before); /* warm */
    bench_close(&bench);
}

static int collect(void *self, const char *text, size_t len)
{
    char *to = self;
    const size_t have = strlen(to);

    assert_true(have + len < 8192);
    memcpy(to + have, text, len);
    to[have + len] = '\0';
    return 0;
}

static void statistics_and_explain_tell(void **state)
{
    static char text[8192];
    struct actor actor = {.name = "limit", .on = ON_PRE, .pre = CMW_STOP, .pre_status = 429};
    struct bench bench;
    cmw_stats *stats = NULL;
    cmw_plan *plan = NULL;

    (void)state;
    open_shadowed(&bench, &actor);
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_int_equal(cmw_stats_snapshot(bench.engine, &stats), 0);
    text[0] = '\0';
    assert_int_equal(cmw_stats_write(stats, CMW_FORMAT_TEXT, collect, text), 0);
    assert_non_null(strstr(text, "shadowed: would"));
    text[0] = '\0';
    assert_int_equal(cmw_stats_write(stats, CMW_FORMAT_JSON, collect, text), 0);
    assert_non_null(strstr(text, "\"shadowed\":true,\"would_stop\":1,\"would_skip\":0"));
    cmw_stats_destroy(stats);
    assert_int_equal(cmw_chain_compile(bench.chain, &plan, NULL), 0);
    text[0] = '\0';
    assert_int_equal(cmw_plan_explain(plan, CMW_FORMAT_TEXT, collect, text), 0);
    assert_non_null(strstr(text, "limit (custom)  fails closed  SHADOWED\n"));
    text[0] = '\0';
    assert_int_equal(cmw_plan_explain(plan, CMW_FORMAT_JSON, collect, text), 0);
    assert_non_null(strstr(text, "\"shadowed\":true"));
    cmw_plan_release(plan);
    bench_close(&bench);
}

/* ---- Refusals ----------------------------------------------------------------------------- */

static void assert_not_shadowed(struct bench *bench, const char *name, int code,
                                const char *sentence)
{
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};

    assert_int_equal(cmw_chain_shadow(bench->chain, name), 0);
    assert_int_equal(cmw_chain_compile(bench->chain, &plan, &diag), code);
    assert_string_equal(diag.message, sentence);
    assert_int_equal(cmw_chain_enable(bench->chain, name), 0);
    assert_int_equal(cmw_chain_compile(bench->chain, &plan, &diag), 0);
    cmw_plan_release(plan);
}

static void what_others_depend_on_is_refused(void **state)
{
    struct actor auth = {.name = "auth", .on = ON_PRE, .priority = 1};
    struct actor reader = {.name = "reader", .on = ON_PRE, .priority = 2};
    struct actor proxy = {.name = "proxy", .on = ON_PRE, .priority = 3};
    struct bench bench;
    cmw_slot user;

    (void)state;
    bench_open(&bench, NULL);
    assert_int_equal(cmw_slot_declare(bench.engine, &user, "user", 8, NULL), 0);
    cmw_middleware mw = actor_middleware(&bench, &auth);
    cmw_middleware_provides(&mw, user);
    assert_int_equal(cmw_chain_add(bench.chain, &mw, NULL), 0);
    mw = actor_middleware(&bench, &reader);
    cmw_middleware_requires(&mw, user);
    assert_int_equal(cmw_chain_add(bench.chain, &mw, NULL), 0);
    mw = actor_middleware(&bench, &proxy);
    cmw_middleware_refines(&mw, CMW_FACT_CLIENT_ADDRESS);
    assert_int_equal(cmw_chain_add(bench.chain, &mw, NULL), 0);

    assert_not_shadowed(
        &bench, "auth", CMW_ERR_ORDER,
        "'reader' (priority 2) reads slot 'user', which 'auth' would provide but is "
        "shadowed");
    assert_not_shadowed(&bench, "proxy", CMW_ERR_CONFLICT,
                        "'proxy' cannot be shadowed: it refines what others read; disable it");
    assert_int_equal(cmw_chain_shadow(bench.chain, "reader"), 0); /* a reader can */
    bench_install(&bench);
    assert_int_equal(cmw_chain_set_mode(bench.chain, "auth", (cmw_mode)3), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_shadow(bench.chain, "nobody"), CMW_ERR_NOT_FOUND);
    bench_close(&bench);
}

int main(void)
{
    struct CMUnitTest verdicts[LEN(rows)];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_are_not_seen),
        cmocka_unit_test(constant_fields_alone_are_counted),
        cmocka_unit_test(fields_of_the_request_are_put_back),
        cmocka_unit_test(slots_and_values_lead_to_scratch_memory),
        cmocka_unit_test(limits_are_not_set),
        cmocka_unit_test(nothing_waits_and_the_token_is_stale),
        cmocka_unit_test(an_answer_to_a_fault_is_not_given),
        cmocka_unit_test(memory_is_not_taken_from_others),
        cmocka_unit_test(complete_is_told_what_would_have_been),
        cmocka_unit_test(statistics_and_explain_tell),
        cmocka_unit_test(what_others_depend_on_is_refused),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        verdicts[i] = ROW_TEST(&rows[i], check_verdict);
    return cmocka_run_group_tests_name("shadow: verdicts", verdicts, NULL, NULL) +
           cmocka_run_group_tests_name("shadow", tests, NULL, NULL);
}
