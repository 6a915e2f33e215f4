/* SPDX-License-Identifier: MIT */
/*
 * idempotency_key, shared by threads whose repeats wait for each other: each request ends, what is
 * done with a key is done once, and all are answered by what that one said. Handlers fail, and
 * clients leave, at work and while they wait. Nothing waits for a time. Run it under
 * ThreadSanitizer.
 */
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>

#include <catzilla/builtin/idempotency_key.h>
#include <catzilla/mw.h>

#include "test.h"

enum { THREADS = 4, KEYS = 400, AT_ONCE = 6 };

struct app {
    cmw_engine *engine;
    cmw_middleware keys;
    atomic_uint done[KEYS]; /* how often what a key asks for was done */
    atomic_uint answered, conflicts, gone;
};

static struct app app;

/* A request of a lane. */
struct seat {
    cmw_ctx *ctx;
    unsigned key;
    int next;
    char text[16]; /* of the key */
    cmw_header field;
};

#include "lanes.h"

static void end(struct seat *seat, cmw_end_reason reason)
{
    end_seat(seat, reason, &app.answered, &app.gone);
}

/* The handler: it fails, or does what is to be done once, and says its key. */
static void make(struct lane *lane, struct seat *seat)
{
    cmw_response *response = cmw_ctx_response(seat->ctx);
    const int fails = draw(lane, 4) == 0;

    if (!fails)
        atomic_fetch_add(&app.done[seat->key], 1);
    if (cmw_response_text(response, fails ? 503 : 201, cmw_str_cstr(seat->text)) != 0)
        abort();
    (void)cmw_ctx_commit(seat->ctx);
    end(seat, CMW_END_SENT);
}

/* What was answered without the handler: as the first one, or a conflict. */
static void look(struct seat *seat)
{
    const cmw_response *response = cmw_ctx_response(seat->ctx);
    const int status = cmw_response_status(response);

    if (status == 201 && !cmw_str_equals(cmw_response_body(response), cmw_str_cstr(seat->text)))
        abort();
    if (status != 201 && status != 409)
        abort();
    if (status == 409)
        atomic_fetch_add(&app.conflicts, 1);
    end(seat, CMW_END_SENT);
}

static void go_on(struct lane *lane, struct seat *seat)
{
    if (seat->next == CMW_TO_SUSPENDED) {
        if (draw(lane, 50) == 0) /* it leaves while it waits, or just after it was resumed */
            end(seat, CMW_END_CLIENT_GONE);
    } else if (seat->next == CMW_TO_HANDLER) {
        if (draw(lane, 4) == 0) /* the handler takes its time */
            return;
        if (draw(lane, 10) == 0) /* the first one's client leaves */
            end(seat, CMW_END_CLIENT_GONE);
        else
            make(lane, seat);
    } else {
        look(seat);
    }
}

static void begin(struct lane *lane, struct seat *seat, unsigned key)
{
    cmw_request_view view;

    seat->key = key;
    snprintf(seat->text, sizeof seat->text, "key-%u", key);
    seat->field = (cmw_header){CMW_STR("Idempotency-Key"), cmw_str_cstr(seat->text)};
    cmw_request_view_init(&view);
    view.method = CMW_STR("POST");
    view.authority = CMW_STR("a.example");
    view.target = CMW_STR("/pay");
    view.headers = &seat->field;
    view.header_count = 1;
    view.content_length = 0;
    if (cmw_ctx_begin(lane->worker, &seat->ctx, &view) != 0)
        abort();
    seat->next = (int)cmw_ctx_run(seat->ctx);
}

/* `key`: of requests that begin; KEYS: none does. */
static unsigned look_after(struct lane *lane, unsigned key)
{
    unsigned open = 0;

    for (size_t i = 0; i < AT_ONCE; i++) {
        struct seat *seat = &lane->seats[i];
        if (!seat->ctx && key < KEYS)
            begin(lane, seat, key);
        if (seat->ctx)
            go_on(lane, seat);
        open += seat->ctx != NULL;
    }
    (void)cmw_worker_run(lane->worker, 0);
    return open;
}

/* All threads go through the keys in the same order: they meet. */
static void *work(void *self)
{
    struct lane *lane = self;

    if (cmw_engine_take_worker(app.engine, &lane->worker, &lane_host, lane) != 0)
        abort();
    for (unsigned key = 0; key < KEYS; key++)
        for (int i = 0; i < 4; i++)
            (void)look_after(lane, key);
    while (look_after(lane, KEYS) > 0)
        sched_yield();
    cmw_engine_put_worker(app.engine, lane->worker);
    return NULL;
}

static void open_app(void)
{
    cmw_idempotency_key_config config;
    cmw_chain *chain = NULL;
    cmw_diag diag = {0};

    memset(&app, 0, sizeof app);
    assert_int_equal(cmw_engine_create(&app.engine, NULL), 0);
    assert_int_equal(cmw_engine_attach_host(app.engine, &lane_host, NULL), 0);
    assert_int_equal(cmw_chain_create(app.engine, &chain, 0), 0);
    cmw_idempotency_key_config_init(&config);
    config.max_wait_ms = 600000;
    config.max_share = 100;
    cmw_middleware_init(&app.keys);
    app.keys.name = "keys";
    assert_int_equal(cmw_idempotency_key_create(app.engine, &app.keys, &config, &diag), 0);
    assert_int_equal(cmw_chain_add(chain, &app.keys, &diag), 0);
    if (cmw_chain_install(chain, &diag) != 0)
        fail_msg("%s", diag.message);
    cmw_chain_destroy(chain);
}

static void what_a_key_asks_for_is_done_once(void **state)
{
    static struct lane lanes[THREADS];
    cmw_idempotency_key_stats stats = {.size = sizeof stats};

    (void)state;
    open_app();
    run_lanes(lanes, THREADS, work);
    for (unsigned i = 0; i < KEYS; i++)
        assert_in_range(atomic_load(&app.done[i]), 0, 1);
    assert_int_equal(cmw_idempotency_key_get_stats(&app.keys, &stats), 0);
    assert_int_equal(stats.waiting, 0);
    assert_int_equal(stats.expired, 0);
    assert_true(stats.waited > 0 && stats.replayed > 0 && stats.freed > 0);
    assert_true(atomic_load(&app.gone) > 0);
    assert_int_equal(cmw_engine_destroy(app.engine), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_key_asks_for_is_done_once),
    };
    return cmocka_run_group_tests_name("idempotency_threads", tests, NULL, NULL);
}
