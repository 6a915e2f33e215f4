/* SPDX-License-Identifier: MIT */
/* idempotency_key: repeats that wait for the first request's answer. */
#include "crowd_fixture.h"

#include <catzilla/builtin/idempotency_key.h>

#define MS UINT64_C(1000000)

static cmw_idempotency_key_config waiting_config(int64_t max_waiting)
{
    cmw_idempotency_key_config config;

    cmw_idempotency_key_config_init(&config);
    config.max_wait_ms = 2000;
    config.max_waiting = max_waiting;
    return config;
}

static void open_with(struct crowd *crowd, const cmw_idempotency_key_config *config)
{
    cmw_diag diag = {0};

    cmw_engine *engine = crowd_init(crowd, "keys");
    if (cmw_idempotency_key_create(engine, &crowd->mw, config, &diag) != 0)
        fail_msg("%s", diag.message);
    crowd_install(crowd);
}

static void open_crowd(struct crowd *crowd)
{
    const cmw_idempotency_key_config config = waiting_config(1000);
    open_with(crowd, &config);
}

static cmw_idempotency_key_stats stats_of(const struct crowd *crowd)
{
    cmw_idempotency_key_stats stats = {.size = sizeof stats};
    assert_int_equal(cmw_idempotency_key_get_stats(&crowd->mw, &stats), 0);
    return stats;
}

static void close_crowd(struct crowd *crowd)
{
    crowd_leave_all(crowd);
    assert_int_equal(stats_of(crowd).waiting, 0);
    crowd_close(crowd);
}

static int start(struct crowd *crowd, size_t i, const char *key, const char *body)
{
    const cmw_header fields[] = {{CMW_STR("Host"), CMW_STR("a.example")},
                                 {CMW_STR("Idempotency-Key"), cmw_str_cstr(key)}};
    const struct crowd_request request = {"POST", "/pay", fields, 2, cmw_str_cstr(body)};
    return crowd_start(crowd, i, &request);
}

/* The first one is being handled; the others wait for its answer. */
static void start_all(struct crowd *crowd)
{
    assert_int_equal(start(crowd, 0, "k", "x"), CMW_TO_HANDLER);
    for (size_t i = 1; i < CROWD; i++)
        assert_int_equal(start(crowd, i, "k", "x"), CMW_TO_SUSPENDED);
    assert_int_equal(stats_of(crowd).waiting, CROWD - 1);
}

static void expect_answer(const struct crowd *crowd, size_t i, int status, const char *body)
{
    const cmw_response *response = cmw_ctx_response(crowd->ctx[i]);

    assert_int_equal(crowd->next[i], CMW_TO_RESPOND);
    assert_int_equal(cmw_response_status(response), status);
    if (body)
        assert_true(cmw_str_equals(cmw_response_body(response), cmw_str_cstr(body)));
}

/* 409, and the client is told to come back. */
static void expect_conflict(const struct crowd *crowd, size_t i)
{
    const cmw_response *response = cmw_ctx_response(crowd->ctx[i]);

    expect_answer(crowd, i, 409, NULL);
    assert_true(cmw_str_equals(cmw_response_get(response, CMW_HDR_RETRY_AFTER), CMW_STR("1")));
}

/* Which one is handled now; none is a failure, and so are two. */
static size_t handled(const struct crowd *crowd)
{
    size_t found = CROWD;

    for (size_t i = 0; i < CROWD; i++)
        if (crowd->ctx[i] && crowd->next[i] == CMW_TO_HANDLER) {
            assert_int_equal(found, CROWD);
            found = i;
        }
    assert_int_not_equal(found, CROWD);
    return found;
}

/* ---- Answered --------------------------------------------------------------------------- */

static void who_waits_is_answered_as_the_first_one(void **state)
{
    struct origin origin = {.status = 201, .fields = {"Location", "/pay/1"}};
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd);
    start_all(&crowd);
    crowd_finish(&crowd, 0, &origin);
    assert_int_equal(cmw_worker_run(crowd.worker, 0), CROWD - 1);
    for (size_t i = 1; i < CROWD; i++) {
        expect_answer(&crowd, i, 201, "1");
        const cmw_response *response = cmw_ctx_response(crowd.ctx[i]);
        assert_true(
            cmw_str_equals(cmw_response_get(response, CMW_HDR_LOCATION), CMW_STR("/pay/1")));
    }
    assert_int_equal(origin.calls, 1);
    assert_int_equal(stats_of(&crowd).waited, CROWD - 1);
    assert_int_equal(stats_of(&crowd).replayed, CROWD - 1);
    assert_int_equal(stats_of(&crowd).in_flight, 0);
    close_crowd(&crowd);
}

/* That it was done is all that is known of it. */
static void who_waits_for_what_is_not_kept_is_told_so(void **state)
{
    struct origin origin = {.status = 201, .streams = 1};
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd);
    start_all(&crowd);
    crowd_finish(&crowd, 0, &origin);
    (void)cmw_worker_run(crowd.worker, 0);
    for (size_t i = 1; i < CROWD; i++)
        expect_answer(&crowd, i, 409, NULL);
    assert_int_equal(origin.calls, 1);
    close_crowd(&crowd);
}

static void another_request_with_the_key_is_refused_at_once(void **state)
{
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd);
    assert_int_equal(start(&crowd, 0, "k", "x"), CMW_TO_HANDLER);
    assert_int_equal(start(&crowd, 1, "k", "y"), CMW_TO_RESPOND);
    expect_answer(&crowd, 1, 422, NULL);
    assert_int_equal(start(&crowd, 2, "k2", "x"), CMW_TO_HANDLER); /* another key */
    assert_int_equal(start(&crowd, 3, "k", "x"), CMW_TO_SUSPENDED);
    assert_int_equal(stats_of(&crowd).mismatched, 1);
    close_crowd(&crowd);
}

/* ---- The first one fails ---------------------------------------------------------------- */

/* One of those who wait takes its place, and the others wait for that one. */
static void where_the_first_one_fails_one_goes_on(void **state)
{
    static const int failures[] = {503, 429, 0};

    (void)state;
    for (size_t row = 0; row < LEN(failures); row++) {
        struct origin bad = {.status = failures[row]}, good = {.status = 201, .calls = 6};
        struct crowd crowd;
        open_crowd(&crowd);
        start_all(&crowd);
        crowd_finish(&crowd, 0, &bad);
        assert_int_equal(cmw_worker_run(crowd.worker, 0), 1);
        const size_t next = handled(&crowd);
        assert_int_equal(crowd_waiting(&crowd), CROWD - 2);
        crowd_finish(&crowd, next, &good);
        (void)cmw_worker_run(crowd.worker, 0);
        for (size_t i = 1; i < CROWD; i++)
            if (i != next)
                expect_answer(&crowd, i, 201, "7");
        close_crowd(&crowd);
    }
}

static void where_the_first_ones_client_leaves_one_goes_on(void **state)
{
    struct origin origin = {.status = 201};
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd);
    start_all(&crowd);
    for (size_t left = CROWD - 1; left > 0; left--) {
        crowd_leave(&crowd, handled(&crowd));
        assert_int_equal(cmw_worker_run(crowd.worker, 0), 1);
        assert_int_equal(crowd_waiting(&crowd), left - 1);
    }
    crowd_finish(&crowd, handled(&crowd), &origin);
    assert_int_equal(stats_of(&crowd).freed, CROWD - 1);
    assert_int_equal(origin.calls, 1);
    close_crowd(&crowd);
}

/* Four that fail before it are enough: it is not to wait for a row of failures. */
static void nobody_waits_for_ever_longer(void **state)
{
    struct origin bad = {.status = 500};
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd);
    assert_int_equal(start(&crowd, 0, "k", "x"), CMW_TO_HANDLER);
    assert_int_equal(start(&crowd, 1, "k", "x"), CMW_TO_SUSPENDED); /* it is to wait */
    for (int i = 0; i < 4; i++) {
        /* Another one comes in between, before the one that waits hears of the failure. */
        crowd_finish(&crowd, 0, &bad);
        assert_int_equal(start(&crowd, 0, "k", "x"), CMW_TO_HANDLER);
        assert_int_equal(crowd.next[1], CMW_TO_SUSPENDED);
        (void)cmw_worker_run(crowd.worker, 0);
    }
    expect_conflict(&crowd, 1);
    close_crowd(&crowd);
}

/* ---- Leaving, and waiting in vain ------------------------------------------------------- */

static void who_waits_may_leave(void **state)
{
    struct origin origin = {.status = 201};
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd);
    start_all(&crowd);
    crowd_leave(&crowd, 1);
    crowd_leave(&crowd, CROWD - 1);
    assert_int_equal(stats_of(&crowd).waiting, CROWD - 3);
    crowd_finish(&crowd, 0, &origin);
    crowd_leave(&crowd, 2); /* resumed, and gone before it heard of it */
    (void)cmw_worker_run(crowd.worker, 0);
    expect_answer(&crowd, 3, 201, "1");
    close_crowd(&crowd);
}

static void who_waits_too_long_is_answered(void **state)
{
    struct origin origin = {.status = 201};
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd);
    start_all(&crowd);
    cmw_test_advance_ns(crowd.test, 1999 * MS);
    (void)cmw_worker_run(crowd.worker, 0);
    assert_int_equal(crowd_waiting(&crowd), CROWD - 1);
    cmw_test_advance_ns(crowd.test, MS);
    (void)cmw_worker_run(crowd.worker, 0);
    for (size_t i = 1; i < CROWD; i++)
        expect_conflict(&crowd, i);
    assert_int_equal(stats_of(&crowd).waiting, 0);
    assert_int_equal(stats_of(&crowd).expired, CROWD - 1);
    assert_int_equal(stats_of(&crowd).in_flight, CROWD - 1);
    crowd_finish(&crowd, 0, &origin);
    assert_int_equal(start(&crowd, 0, "k", "x"), CMW_TO_RESPOND);
    expect_answer(&crowd, 0, 201, "1");
    close_crowd(&crowd);
}

/* Waiting again is the same patience; being handled is not waiting. */
static void a_second_wait_is_not_a_longer_one(void **state)
{
    struct origin bad = {.status = 503};
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd);
    start_all(&crowd);
    cmw_test_advance_ns(crowd.test, 1500 * MS);
    crowd_finish(&crowd, 0, &bad);
    (void)cmw_worker_run(crowd.worker, 0);
    const size_t next = handled(&crowd);
    assert_int_equal(cmw_ctx_deadline(crowd.ctx[next]), 0);
    cmw_test_advance_ns(crowd.test, 500 * MS);
    (void)cmw_worker_run(crowd.worker, 0);
    assert_int_equal(crowd_waiting(&crowd), 0);
    assert_int_equal(stats_of(&crowd).expired, CROWD - 2);
    assert_int_equal(handled(&crowd), next);
    close_crowd(&crowd);
}

/* What ends is the request, then, not its patience. */
static void an_earlier_deadline_is_the_requests_own(void **state)
{
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd);
    assert_int_equal(start(&crowd, 0, "k", "x"), CMW_TO_HANDLER);
    assert_int_equal(start(&crowd, 1, "k", "x"), CMW_TO_SUSPENDED);
    assert_int_equal(cmw_ctx_set_deadline(crowd.ctx[1], UINT64_C(1100) * MS), 0);
    cmw_test_advance_ns(crowd.test, 100 * MS);
    (void)cmw_worker_run(crowd.worker, 0);
    assert_int_equal(crowd.next[1], CMW_TO_RESPOND);
    assert_int_not_equal(cmw_response_status(cmw_ctx_response(crowd.ctx[1])), 409);
    assert_int_equal(stats_of(&crowd).expired, 0);
    close_crowd(&crowd);
}

/* ---- Who does not wait ------------------------------------------------------------------ */

static void only_so_many_wait(void **state)
{
    (void)state;
    for (int64_t most = 1; most < CROWD; most++) {
        const cmw_idempotency_key_config config = waiting_config(most);
        struct crowd crowd;
        open_with(&crowd, &config);
        assert_int_equal(start(&crowd, 0, "k", "x"), CMW_TO_HANDLER);
        for (size_t i = 1; i < CROWD; i++)
            if (start(&crowd, i, "k", "x") != CMW_TO_SUSPENDED) {
                expect_conflict(&crowd, i);
                assert_int_equal(cmw_ctx_deadline(crowd.ctx[i]), 0);
            }
        assert_int_equal(crowd_waiting(&crowd), most);
        close_crowd(&crowd);
    }
}

static void nobody_waits_unless_it_is_asked_for(void **state)
{
    cmw_idempotency_key_config config;
    struct crowd crowd;

    (void)state;
    cmw_idempotency_key_config_init(&config);
    open_with(&crowd, &config);
    assert_int_equal(start(&crowd, 0, "k", "x"), CMW_TO_HANDLER);
    assert_int_equal(start(&crowd, 1, "k", "x"), CMW_TO_RESPOND);
    expect_conflict(&crowd, 1);
    close_crowd(&crowd);
}

/* A full table is as full for those who would wait: there is nobody to wait for. */
static void who_finds_no_room_does_not_wait(void **state)
{
    cmw_idempotency_key_config config = waiting_config(1000);
    struct origin origin = {.status = 201};
    struct crowd crowd;
    char key[16];

    (void)state;
    config.max_bytes = CMW_MEMORY_STORE_BYTES_MIN;
    config.max_share = 100;
    config.max_response_bytes = 1024;
    open_with(&crowd, &config);
    assert_int_equal(start(&crowd, 0, "k", "x"), CMW_TO_HANDLER);
    do {
        snprintf(key, sizeof key, "full-%u", origin.calls);
        if (start(&crowd, 1, key, "x") == CMW_TO_HANDLER)
            crowd_finish(&crowd, 1, &origin);
        assert_true(origin.calls < 1000);
    } while (!crowd.ctx[1]);
    expect_answer(&crowd, 1, 503, NULL);
    assert_int_equal(start(&crowd, 2, key, "x"), CMW_TO_RESPOND);
    expect_answer(&crowd, 2, 503, NULL);
    assert_int_equal(start(&crowd, 3, "k", "x"), CMW_TO_SUSPENDED);
    crowd_finish(&crowd, 0, &origin);
    (void)cmw_worker_run(crowd.worker, 0);
    assert_int_equal(crowd.next[3], CMW_TO_RESPOND);
    assert_int_equal(stats_of(&crowd).waited, 1);
    close_crowd(&crowd);
}

/* ---- A store that others share ---------------------------------------------------------- */

static int add_elsewhere(void *self, cmw_ctx *ctx, const cmw_store_entry *entry,
                         cmw_store_item *item)
{
    static char value[64];

    (void)self;
    (void)ctx;
    assert_true(entry->value.len <= sizeof value);
    memcpy(value, entry->value.data, entry->value.len); /* in flight, with this fingerprint */
    memset(item, 0, sizeof *item);
    item->value = cmw_str_make(value, entry->value.len);
    return CMW_STORE_FOUND;
}

static int replace_nothing(void *self, const cmw_store_entry *entry, uint64_t version)
{
    (void)self;
    (void)entry;
    (void)version;
    return CMW_ERR_STALE;
}

static int remove_nothing(void *self, cmw_str key, uint64_t version)
{
    (void)self;
    (void)key;
    (void)version;
    return CMW_ERR_STALE;
}

/* Nobody here would ever hear of its end. */
static void who_is_handled_elsewhere_is_not_waited_for(void **state)
{
    static const cmw_hash_key keys[2];
    const cmw_store store = {.size = sizeof store,
                             .add = add_elsewhere,
                             .replace = replace_nothing,
                             .remove = remove_nothing};
    cmw_idempotency_key_config config = waiting_config(1000);
    struct crowd crowd;

    (void)state;
    config.store = &store;
    config.fingerprint_keys = keys;
    open_with(&crowd, &config);
    for (size_t i = 0; i < CROWD; i++) {
        assert_int_equal(start(&crowd, i, "k", "x"), CMW_TO_RESPOND);
        expect_conflict(&crowd, i);
    }
    close_crowd(&crowd);
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void a_server_that_cannot_wait_is_refused(void **state)
{
    static const cmw_host host = {.size = sizeof(cmw_host), .name = "stays"};
    const cmw_idempotency_key_config config = waiting_config(1000);
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_diag diag = {0};

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_engine_attach_host(cmw_test_engine(test), &host, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "idempotency_key", &config, &diag), 0);
    assert_int_not_equal(cmw_chain_install(chain, &diag), 0);
    assert_non_null(strstr(diag.message, "idempotency_key"));
    cmw_chain_destroy(chain);
    close_bench(test);
}

static void bad_options_are_refused(void **state)
{
    cmw_idempotency_key_config config = waiting_config(0);

    (void)state;
    assert_refused("idempotency_key", &config, CMW_ERR_ARG,
                   "idempotency_key: max_waiting: 0 is not 1 to 1000000");
    config = waiting_config(1);
    config.max_wait_ms = 600001;
    assert_refused("idempotency_key", &config, CMW_ERR_ARG,
                   "idempotency_key: max_wait_ms: 600001 is not 0 to 600000");
}

static void failing_memory_is_survived(void **state)
{
    const cmw_idempotency_key_config config = waiting_config(10);

    (void)state;
    assert_survives_failing_memory("idempotency_key", &config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_waits_is_answered_as_the_first_one),
        cmocka_unit_test(who_waits_for_what_is_not_kept_is_told_so),
        cmocka_unit_test(another_request_with_the_key_is_refused_at_once),
        cmocka_unit_test(where_the_first_one_fails_one_goes_on),
        cmocka_unit_test(where_the_first_ones_client_leaves_one_goes_on),
        cmocka_unit_test(nobody_waits_for_ever_longer),
        cmocka_unit_test(who_waits_may_leave),
        cmocka_unit_test(who_waits_too_long_is_answered),
        cmocka_unit_test(a_second_wait_is_not_a_longer_one),
        cmocka_unit_test(an_earlier_deadline_is_the_requests_own),
        cmocka_unit_test(only_so_many_wait),
        cmocka_unit_test(nobody_waits_unless_it_is_asked_for),
        cmocka_unit_test(who_finds_no_room_does_not_wait),
        cmocka_unit_test(who_is_handled_elsewhere_is_not_waited_for),
        cmocka_unit_test(a_server_that_cannot_wait_is_refused),
        cmocka_unit_test(bad_options_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };
    return cmocka_run_group_tests_name("idempotency_wait", tests, NULL, NULL);
}
