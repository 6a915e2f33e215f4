/* SPDX-License-Identifier: MIT */
/*
 * Resume, end, cancel and deadline race for the same requests: two threads resume every token,
 * while the worker's own ends some of them, cancels some, lets the deadline of some pass. Of each
 * token at most one resume succeeds, and what a resume delivered arrives exactly once. Run it
 * under ThreadSanitizer. A round is 64 requests; for more of them than the test has time for:
 *
 *     CMW_RACE_ROUNDS=100000 build/tsan/bin/tests/test_suspend_races
 */
#include <catzilla/mw.h>

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "test.h"

enum { BATCH = 64, RESUMERS = 2 };

/* One wait of one request. */
struct wait {
    cmw_token token;
    cmw_ctx *ctx;         /* NULL: ended */
    atomic_uint accepted; /* resumes that succeeded */
    atomic_uint arrived;  /* deliveries: resumed or dropped */
};

struct race {
    cmw_engine *engine;
    cmw_worker *worker;
    struct wait waits[BATCH];
    struct wait *next; /* for the callback that suspends */
    unsigned completed;
    unsigned rounds;
    atomic_uint round; /* that the resumers may work on */
    atomic_uint done;  /* resumers that have finished the round */
};

static struct race race;

/* ---- Middleware ------------------------------------------------------------------------- */

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    struct wait *wait = race.next;

    (void)self;
    wait->ctx = ctx;
    return cmw_ctx_suspend(ctx, &wait->token) == 0 ? CMW_SUSPEND : CMW_ERROR;
}

static int on_resumed(void *self, cmw_ctx *ctx, int verdict, void *data)
{
    struct wait *wait = data;

    (void)self;
    (void)ctx;
    atomic_fetch_add_explicit(&wait->arrived, 1, memory_order_relaxed);
    return verdict;
}

static void on_dropped(void *self, void *data)
{
    struct wait *wait = data;

    (void)self;
    atomic_fetch_add_explicit(&wait->arrived, 1, memory_order_relaxed);
}

static void on_complete(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    (void)self;
    (void)ctx;
    (void)reason;
    race.completed++;
}

/* ---- The host --------------------------------------------------------------------------- */

static void forget(const cmw_ctx *ctx)
{
    for (int i = 0; i < BATCH; i++)
        if (race.waits[i].ctx == ctx)
            race.waits[i].ctx = NULL;
}

static void finish(cmw_ctx *ctx, int next)
{
    if (next == CMW_TO_HANDLER) {
        if (cmw_response_set_status(cmw_ctx_response(ctx), 204) != 0)
            abort();
        next = (int)cmw_ctx_commit(ctx);
    }
    if (next != CMW_TO_RESPOND)
        abort();
    forget(ctx);
    cmw_ctx_end(ctx, CMW_END_SENT);
}

static void on_proceed(void *self, cmw_ctx *ctx, int next)
{
    (void)self;
    finish(ctx, next);
}

static const cmw_host host = {.size = sizeof(cmw_host),
                              .name = "race",
                              .capabilities = CMW_CAP_SUSPEND | CMW_CAP_RESUME_ACROSS_THREADS,
                              .proceed = on_proceed};

/* ---- Threads ---------------------------------------------------------------------------- */

static void *resume_all(void *argument)
{
    const unsigned offset = *(const unsigned *)argument;

    for (unsigned round = 1; round <= race.rounds; round++) {
        while (atomic_load_explicit(&race.round, memory_order_acquire) < round)
            sched_yield();
        for (unsigned i = 0; i < BATCH; i++) {
            struct wait *wait = &race.waits[(i + offset) % BATCH];
            if (cmw_resume(race.engine, wait->token, CMW_CONTINUE, wait) == 0)
                atomic_fetch_add_explicit(&wait->accepted, 1, memory_order_relaxed);
        }
        atomic_fetch_add_explicit(&race.done, 1, memory_order_release);
    }
    return NULL;
}

static void begin_batch(void)
{
    cmw_request_view view;

    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = CMW_STR("/");
    view.now_ns = 1000;
    for (int i = 0; i < BATCH; i++) {
        cmw_ctx *ctx = NULL;
        race.next = &race.waits[i];
        atomic_store_explicit(&race.next->accepted, 0, memory_order_relaxed);
        atomic_store_explicit(&race.next->arrived, 0, memory_order_relaxed);
        assert_int_equal(cmw_ctx_begin(race.worker, &ctx, &view), 0);
        assert_int_equal(cmw_ctx_run(ctx), CMW_TO_SUSPENDED);
        if (i % 4 == 1)
            assert_int_equal(cmw_ctx_set_deadline(ctx, 2000), 0);
    }
}

/* Each in its turn, while the others are at it. */
static void interfere(void)
{
    for (int i = BATCH - 1; i >= 0; i--) {
        cmw_ctx *ctx = race.waits[i].ctx;
        if (ctx && i % 4 == 2) {
            race.waits[i].ctx = NULL;
            cmw_ctx_end(ctx, CMW_END_CLIENT_GONE);
        } else if (ctx && i % 4 == 3) {
            finish(ctx, (int)cmw_ctx_cancel(ctx, CMW_END_SHUTDOWN));
        }
        if (i % 8 == 0)
            (void)cmw_worker_run(race.worker, i == 32 ? 2000 : 1000);
    }
}

static void check_batch(void)
{
    for (int i = 0; i < BATCH; i++) {
        assert_null(race.waits[i].ctx);
        assert_true(atomic_load(&race.waits[i].accepted) <= 1);
        assert_int_equal(atomic_load(&race.waits[i].arrived), atomic_load(&race.waits[i].accepted));
    }
}

static void open_race(void)
{
    cmw_chain *chain = NULL;
    cmw_middleware mw;

    assert_int_equal(cmw_engine_create(&race.engine, NULL), 0);
    assert_int_equal(cmw_engine_attach_host(race.engine, &host, NULL), 0);
    assert_int_equal(cmw_chain_create(race.engine, &chain, 0), 0);
    cmw_middleware_init(&mw);
    mw.name = "waits";
    mw.pre_route = on_pre_route;
    mw.resumed = on_resumed;
    mw.dropped = on_dropped;
    mw.complete = on_complete;
    mw.suspend_phases = 1u << CMW_PHASE_PRE_ROUTE;
    assert_int_equal(cmw_chain_add(chain, &mw, NULL), 0);
    assert_int_equal(cmw_chain_install(chain, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_engine_take_worker(race.engine, &race.worker, &host, NULL), 0);
}

static void none_is_lost_and_none_comes_twice(void **state)
{
    unsigned offsets[RESUMERS] = {0, BATCH / 2};
    pthread_t threads[RESUMERS];

    const char *text = getenv("CMW_RACE_ROUNDS");

    (void)state;
    race.rounds = text ? (unsigned)strtoul(text, NULL, 10) : 16000;
    open_race();
    for (int i = 0; i < RESUMERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, resume_all, &offsets[i]), 0);
    for (unsigned round = 1; round <= race.rounds; round++) {
        begin_batch();
        atomic_store_explicit(&race.done, 0, memory_order_relaxed);
        atomic_store_explicit(&race.round, round, memory_order_release);
        interfere();
        while (atomic_load_explicit(&race.done, memory_order_acquire) < RESUMERS)
            sched_yield();
        (void)cmw_worker_run(race.worker, 2000);
        check_batch();
    }
    for (int i = 0; i < RESUMERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(race.completed, race.rounds * BATCH);
    cmw_engine_put_worker(race.engine, race.worker);
    assert_int_equal(cmw_engine_destroy(race.engine), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(none_is_lost_and_none_comes_twice)};
    return cmocka_run_group_tests_name("suspend: races", tests, NULL, NULL);
}
