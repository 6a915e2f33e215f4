/* SPDX-License-Identifier: MIT */
/* Switching middleware while it serves: modes by name, and counts that go on. */
#include "actor.h"

#include <catzilla/stats.h>

/* ---- Counts ------------------------------------------------------------------------------ */

struct counts {
    uint64_t calls, stops, would_stop; /* of pre_route; calls: UINT64_MAX without such a row */
    uint64_t begun, ended;
};

static struct counts counts_of(cmw_engine *engine, const char *name, const char *kind)
{
    cmw_request_stats requests = {.size = sizeof requests};
    struct counts counts = {.calls = UINT64_MAX};
    const cmw_middleware_stats *row;
    cmw_stats *stats = NULL;

    assert_int_equal(cmw_stats_snapshot(engine, &stats), 0);
    for (size_t i = 0; (row = cmw_stats_middleware(stats, i)) != NULL; i++) {
        if (strcmp(row->name, name) != 0 || strcmp(row->kind, kind) != 0 ||
            row->phase != CMW_PHASE_PRE_ROUTE)
            continue;
        counts.calls = row->calls;
        counts.stops = row->stops;
        counts.would_stop = row->would_stop;
    }
    assert_int_equal(cmw_stats_requests(stats, &requests), 0);
    counts.begun = requests.begun;
    counts.ended = requests.ended;
    cmw_stats_destroy(stats);
    return counts;
}

static void send(struct bench *bench, int count, int status)
{
    cmw_test_request(bench->test, "GET", "/");
    for (int i = 0; i < count; i++)
        assert_int_equal(cmw_test_send(bench->test), status);
}

static void switch_to(struct bench *bench, const char *name, cmw_mode mode)
{
    cmw_diag diag = {0};

    if (cmw_chain_switch_mode(bench->chain, name, mode, &diag) != 0)
        fail_msg("%s", diag.message);
}

/* Two actors of which the first one answers. */
static void open_two(struct bench *bench, struct actor *gate, struct actor *last)
{
    *gate = (struct actor){
        .name = "gate", .on = ON_PRE, .priority = 1, .pre = CMW_STOP, .pre_status = 403};
    *last = (struct actor){.name = "last", .on = ON_PRE, .priority = 2};
    bench_open(bench, NULL);
    bench_add(bench, gate);
    bench_add(bench, last);
    bench_install(bench);
}

static void modes_are_switched_by_name_and_counts_go_on(void **state)
{
    struct actor gate, last;
    struct bench bench;

    (void)state;
    open_two(&bench, &gate, &last);
    send(&bench, 2, 403);
    switch_to(&bench, "gate", CMW_MODE_SHADOWED);
    send(&bench, 3, 200);
    struct counts counts = counts_of(bench.engine, "gate", "custom");
    assert_int_equal(counts.calls, 5);
    assert_int_equal(counts.stops, 2);
    assert_int_equal(counts.would_stop, 3);
    assert_int_equal(counts.begun, 5);
    assert_int_equal(counts.ended, 5);
    assert_int_equal(counts_of(bench.engine, "last", "custom").calls, 3);

    switch_to(&bench, "gate", CMW_MODE_DISABLED);
    send(&bench, 4, 200);
    assert_int_equal(counts_of(bench.engine, "gate", "custom").calls, UINT64_MAX);
    switch_to(&bench, "gate", CMW_MODE_ENABLED);
    send(&bench, 1, 403);
    counts = counts_of(bench.engine, "gate", "custom");
    assert_int_equal(counts.calls, 6);
    assert_int_equal(counts.stops, 3);
    assert_int_equal(counts.would_stop, 3);
    assert_int_equal(counts.begun, 10);
    assert_int_equal(counts_of(bench.engine, "last", "custom").calls, 7);

    assert_int_equal(cmw_stats_reset(bench.engine), 0); /* of all plans that there were */
    send(&bench, 2, 403);
    counts = counts_of(bench.engine, "gate", "custom");
    assert_int_equal(counts.calls, 2);
    assert_int_equal(counts.stops, 2);
    assert_int_equal(counts.would_stop, 0);
    assert_int_equal(counts.begun, 2);
    bench_close(&bench);
    assert_int_equal(gate.destroyed, 1);
}

/* One of another kind is another, whatever its name. */
static void counts_are_those_of_a_name_and_a_kind(void **state)
{
    struct actor actor = {.name = "gate", .on = ON_PRE};
    struct bench bench;

    (void)state;
    bench_open(&bench, NULL);
    bench_add(&bench, &actor);
    bench_install(&bench);
    send(&bench, 2, 200);
    cmw_chain_destroy(bench.chain);
    assert_int_equal(cmw_chain_create(bench.engine, &bench.chain, 0), 0);
    cmw_middleware mw = actor_middleware(&bench, &actor);
    mw.kind = "gates";
    assert_int_equal(cmw_chain_add(bench.chain, &mw, NULL), 0);
    bench_install(&bench);
    send(&bench, 3, 200);
    assert_int_equal(counts_of(bench.engine, "gate", "custom").calls, UINT64_MAX);
    assert_int_equal(counts_of(bench.engine, "gate", "gates").calls, 3);
    bench_close(&bench);
}

static cmw_ctx *begin_request(struct bench *bench)
{
    cmw_request_view view;
    cmw_ctx *ctx = NULL;

    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = CMW_STR("/");
    assert_int_equal(cmw_ctx_begin(cmw_test_worker(bench->test), &ctx, &view), 0);
    return ctx;
}

/* It is counted while it is in flight, and when its plan has gone; a reset is not undone by it. */
static void a_request_in_flight_counts_when_its_plan_is_gone(void **state)
{
    struct actor gate, last;
    struct bench bench;

    (void)state;
    open_two(&bench, &gate, &last);
    cmw_ctx *first = begin_request(&bench);
    assert_int_equal(cmw_ctx_run(first), CMW_TO_RESPOND);
    switch_to(&bench, "last", CMW_MODE_DISABLED);
    cmw_ctx *second = begin_request(&bench);
    struct counts counts = counts_of(bench.engine, "gate", "custom");
    assert_int_equal(counts.calls, 2);
    assert_int_equal(counts.stops, 1);
    assert_int_equal(counts.begun, 2);
    assert_int_equal(counts.ended, 0);

    assert_int_equal(cmw_stats_reset(bench.engine), 0);
    counts = counts_of(bench.engine, "gate", "custom");
    assert_int_equal(counts.calls, 0);
    assert_int_equal(counts.begun, 0);
    cmw_ctx_end(first, CMW_END_SENT); /* its plan goes with it */
    assert_int_equal(cmw_ctx_run(second), CMW_TO_RESPOND);
    cmw_ctx_end(second, CMW_END_SENT);
    counts = counts_of(bench.engine, "gate", "custom");
    assert_int_equal(counts.calls, 0);
    assert_int_equal(counts.stops, 1);
    assert_int_equal(counts.begun, 0);
    assert_int_equal(counts.ended, 2);
    bench_close(&bench);
}

/* ---- Refusals ---------------------------------------------------------------------------- */

static void assert_stays(struct bench *bench, const char *name, cmw_mode mode, int code,
                         const char *sentence)
{
    cmw_diag diag = {0};

    assert_int_equal(cmw_chain_switch_mode(bench->chain, name, mode, &diag), code);
    assert_string_equal(diag.message, sentence);
    send(bench, 1, 200);
    assert_string_equal(bench->log, "pre:auth pre:reader ");
    bench_forget(bench);
    assert_int_equal(cmw_chain_install(bench->chain, &diag), 0); /* the chain is as it was */
}

static void a_provider_that_is_required_stays(void **state)
{
    struct actor auth = {.name = "auth", .on = ON_PRE, .priority = 1};
    struct actor reader = {.name = "reader", .on = ON_PRE, .priority = 2};
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
    bench_install(&bench);

    assert_stays(&bench, "auth", CMW_MODE_DISABLED, CMW_ERR_ORDER,
                 "'reader' (priority 2) reads slot 'user', which 'auth' would provide but is "
                 "disabled");
    assert_stays(&bench, "auth", CMW_MODE_SHADOWED, CMW_ERR_ORDER,
                 "'reader' (priority 2) reads slot 'user', which 'auth' would provide but is "
                 "shadowed");
    assert_stays(&bench, "nobody", CMW_MODE_DISABLED, CMW_ERR_NOT_FOUND,
                 "the chain has no middleware named 'nobody'");
    assert_stays(&bench, "auth", (cmw_mode)9, CMW_ERR_ARG, "'auth': 9 is no mode");
    switch_to(&bench, "reader", CMW_MODE_DISABLED);
    switch_to(&bench, "auth", CMW_MODE_DISABLED);
    send(&bench, 1, 200);
    assert_string_equal(bench.log, "");
    bench_close(&bench);
}

/* ---- Memory ------------------------------------------------------------------------------ */

/* Names that come and go do not pile up. */
static void the_ledger_of_counts_is_bounded(void **state)
{
    enum { ROUNDS = 3000 };
    struct actor actor = {.on = ON_PRE};
    struct bench bench;
    char name[32];
    uint64_t half = 0;

    (void)state;
    bench_open(&bench, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        cmw_chain *chain = NULL;
        snprintf(name, sizeof name, "name-%d", i);
        actor.name = name;
        const cmw_middleware mw = actor_middleware(&bench, &actor);
        assert_int_equal(cmw_chain_create(bench.engine, &chain, 0), 0);
        assert_int_equal(cmw_chain_add(chain, &mw, NULL), 0);
        assert_int_equal(cmw_chain_install(chain, NULL), 0);
        cmw_chain_destroy(chain);
        cmw_worker_idle(cmw_test_worker(bench.test));
        if (i == ROUNDS / 2)
            half = pool_in_use(bench.engine, CMW_POOL_PLAN);
    }
    assert_true(pool_in_use(bench.engine, CMW_POOL_PLAN) < half + 400000);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(modes_are_switched_by_name_and_counts_go_on),
        cmocka_unit_test(counts_are_those_of_a_name_and_a_kind),
        cmocka_unit_test(a_request_in_flight_counts_when_its_plan_is_gone),
        cmocka_unit_test(a_provider_that_is_required_stays),
        cmocka_unit_test(the_ledger_of_counts_is_bounded),
    };
    return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}
