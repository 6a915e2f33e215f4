/* SPDX-License-Identifier: MIT */
/* response_cache: requests for one key at once, of which one asks the handler. */
#include "crowd_fixture.h"

#include <catzilla/builtin/response_cache.h>

#define S UINT64_C(1000000000)
#define FRESH "Cache-Control", "max-age=60"

static void open_crowd(struct crowd *crowd, int64_t max_waiting)
{
    cmw_response_cache_config config;
    cmw_diag diag = {0};

    cmw_engine *engine = crowd_init(crowd, "cache");
    cmw_response_cache_config_init(&config);
    config.max_waiting = max_waiting;
    assert_int_equal(cmw_response_cache_create(engine, &crowd->mw, &config, &diag), 0);
    crowd_install(crowd);
}

static cmw_response_cache_stats stats_of(const struct crowd *crowd)
{
    cmw_response_cache_stats stats = {.size = sizeof stats};
    assert_int_equal(cmw_response_cache_get_stats(&crowd->mw, &stats), 0);
    return stats;
}

static void close_crowd(struct crowd *crowd)
{
    assert_int_equal(stats_of(crowd).waiting, 0);
    crowd_close(crowd);
}

static int start_with(struct crowd *crowd, size_t i, const char *method, const char *name,
                      const char *value)
{
    const cmw_header fields[] = {{CMW_STR("Host"), CMW_STR("a.example")},
                                 {cmw_str_cstr(name), cmw_str_cstr(value)}};
    const struct crowd_request request = {method, "/a", fields, name ? 2 : 1, {NULL, 0}};
    return crowd_start(crowd, i, &request);
}

static int start(struct crowd *crowd, size_t i, const char *name, const char *value)
{
    return start_with(crowd, i, "GET", name, value);
}

/* All of them: one leads, the others wait. */
static void start_all(struct crowd *crowd)
{
    assert_int_equal(start(crowd, 0, NULL, NULL), CMW_TO_HANDLER);
    for (size_t i = 1; i < CROWD; i++)
        assert_int_equal(start(crowd, i, NULL, NULL), CMW_TO_SUSPENDED);
}

/* ---- One asks --------------------------------------------------------------------------- */

static void one_asks_and_the_others_are_served(void **state)
{
    struct origin origin = {.status = 200, .fields = {FRESH}};
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd, 1000);
    start_all(&crowd);
    assert_int_equal(stats_of(&crowd).waiting, CROWD - 1);
    crowd_finish(&crowd, 0, &origin);
    assert_int_equal(cmw_worker_run(crowd.worker, 0), CROWD - 1);
    for (size_t i = 1; i < CROWD; i++) {
        const cmw_response *response = cmw_ctx_response(crowd.ctx[i]);
        assert_int_equal(crowd.next[i], CMW_TO_RESPOND);
        assert_true(cmw_str_equals(cmw_response_body(response), CMW_STR("1")));
        const cmw_str status = cmw_response_get(response, CMW_HDR_CACHE_STATUS);
        assert_true(cmw_str_equals(status, CMW_STR("catzilla; fwd=uri-miss; collapsed")));
    }
    crowd_leave_all(&crowd);
    assert_int_equal(origin.calls, 1);
    assert_int_equal(stats_of(&crowd).collapsed, CROWD - 1);
    assert_int_equal(stats_of(&crowd).misses, 1);
    close_crowd(&crowd);
}

/* What may not be stored is for one alone: all others go on at once, and for a while nobody waits
 * for that key any more. */
static void what_is_not_stored_holds_nobody_up(void **state)
{
    static const struct origin origins[] = {
        {.status = 200, .fields = {"Cache-Control", "no-store"}},
        {.status = 200, .fields = {"Cache-Control", "private"}},
        {.status = 200, .fields = {FRESH, "Set-Cookie", "a=1"}},
        {.status = 200, .fields = {FRESH, "Vary", "*"}},
        {.status = 200},
        {.status = 200, .fields = {FRESH}, .streams = 1},
        {.status = 503},
        {.status = 0},
    };

    (void)state;
    for (size_t row = 0; row < LEN(origins); row++) {
        struct origin origin = origins[row];
        const int is_remembered = origin.status == 200;
        struct crowd crowd;
        open_crowd(&crowd, 1000);
        start_all(&crowd);
        crowd_finish(&crowd, 0, &origin);
        assert_int_equal(cmw_worker_run(crowd.worker, 0), CROWD - 1);
        for (size_t i = 1; i < CROWD; i++)
            assert_int_equal(crowd.next[i], CMW_TO_HANDLER);
        for (size_t i = 1; i < CROWD; i++)
            crowd_finish(&crowd, i, &origin);
        assert_int_equal(origin.calls, CROWD);
        assert_int_equal(start(&crowd, 0, NULL, NULL), CMW_TO_HANDLER);
        assert_int_equal(start(&crowd, 1, NULL, NULL),
                         is_remembered ? CMW_TO_HANDLER : CMW_TO_SUSPENDED);
        crowd_leave_all(&crowd);
        cmw_test_advance_ns(crowd.test, 11 * S);
        start_all(&crowd);
        crowd_leave_all(&crowd);
        close_crowd(&crowd);
    }
}

/* By Vary what the first one got is not for the others. */
static void another_variant_is_asked_for(void **state)
{
    struct origin origin = {.status = 200, .fields = {FRESH, "Vary", "Accept"}};
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd, 1000);
    assert_int_equal(start(&crowd, 0, "Accept", "text/html"), CMW_TO_HANDLER);
    assert_int_equal(start(&crowd, 1, "Accept", "text/plain"), CMW_TO_SUSPENDED);
    assert_int_equal(start(&crowd, 2, "Accept", "text/html"), CMW_TO_SUSPENDED);
    crowd_finish(&crowd, 0, &origin);
    (void)cmw_worker_run(crowd.worker, 0);
    assert_int_equal(crowd.next[1], CMW_TO_HANDLER);
    assert_int_equal(crowd.next[2], CMW_TO_RESPOND);
    crowd_leave(&crowd, 2);
    crowd_finish(&crowd, 1, &origin);
    assert_int_equal(origin.calls, 2);
    close_crowd(&crowd);
}

/* ---- Leaving ---------------------------------------------------------------------------- */

static void another_one_leads_where_one_has_gone_and_nobody_waits_for_ever(void **state)
{
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd, 1000);
    start_all(&crowd);
    crowd_leave(&crowd, 0);
    assert_int_equal(cmw_worker_run(crowd.worker, 0), 1);
    assert_int_equal(crowd.next[1], CMW_TO_HANDLER);
    assert_int_equal(crowd_waiting(&crowd), CROWD - 2);
    crowd_leave(&crowd, 1);
    assert_int_equal(cmw_worker_run(crowd.worker, 0), CROWD - 2);
    assert_int_equal(crowd_waiting(&crowd), 0);
    for (size_t i = 2; i < CROWD; i++)
        assert_int_equal(crowd.next[i], CMW_TO_HANDLER);
    crowd_leave_all(&crowd);
    close_crowd(&crowd);
}

static void who_waits_may_leave(void **state)
{
    struct origin origin = {.status = 200, .fields = {FRESH}};
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd, 1000);
    start_all(&crowd);
    crowd_leave(&crowd, 1);
    crowd_leave(&crowd, CROWD - 1);
    crowd_leave(&crowd, 2);
    assert_int_equal(stats_of(&crowd).waiting, 1);
    crowd_finish(&crowd, 0, &origin);
    crowd_leave(&crowd, 3); /* resumed, and gone before it heard of it */
    assert_int_equal(cmw_worker_run(crowd.worker, 0), 0);
    close_crowd(&crowd);
}

static void who_waits_too_long_is_answered(void **state)
{
    struct origin origin = {.status = 200, .fields = {FRESH}};
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd, 1000);
    start_all(&crowd);
    cmw_test_advance_ns(crowd.test, 9 * S);
    (void)cmw_worker_run(crowd.worker, 0);
    assert_int_equal(crowd_waiting(&crowd), CROWD - 1);
    cmw_test_advance_ns(crowd.test, 2 * S);
    (void)cmw_worker_run(crowd.worker, 0);
    assert_int_equal(crowd_waiting(&crowd), 0);
    for (size_t i = 1; i < CROWD; i++) {
        const cmw_response *response = cmw_ctx_response(crowd.ctx[i]);
        assert_int_equal(crowd.next[i], CMW_TO_RESPOND);
        assert_int_equal(cmw_response_status(response), 503);
        assert_true(cmw_str_equals(cmw_response_get(response, CMW_HDR_RETRY_AFTER), CMW_STR("1")));
        crowd_leave(&crowd, i);
    }
    assert_int_equal(stats_of(&crowd).expired, CROWD - 1);
    crowd_finish(&crowd, 0, &origin);
    close_crowd(&crowd);
}

/* The deadline while it waits is not the one of what follows. */
static void who_was_resumed_is_patient_again(void **state)
{
    struct origin origin = {.status = 200, .fields = {"Cache-Control", "no-store"}};
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd, 1000);
    start_all(&crowd);
    assert_int_not_equal(cmw_ctx_deadline(crowd.ctx[1]), 0);
    crowd_finish(&crowd, 0, &origin);
    (void)cmw_worker_run(crowd.worker, 0);
    assert_int_equal(crowd.next[1], CMW_TO_HANDLER);
    assert_int_equal(cmw_ctx_deadline(crowd.ctx[1]), 0);
    (void)cmw_ctx_commit(crowd.ctx[1]);
    crowd_leave_all(&crowd);
    close_crowd(&crowd);
}

/* ---- What a stranger might do to the others --------------------------------------------- */

static void an_answer_to_a_condition_is_nobody_elses(void **state)
{
    struct origin origin = {.status = 304};
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd, 1000);
    assert_int_equal(start(&crowd, 0, "If-None-Match", "\"1\""), CMW_TO_HANDLER);
    assert_int_equal(start(&crowd, 1, NULL, NULL), CMW_TO_HANDLER); /* it leads */
    assert_int_equal(start(&crowd, 2, "If-None-Match", "\"1\""), CMW_TO_SUSPENDED);
    crowd_finish(&crowd, 0, &origin);
    assert_int_equal(start(&crowd, 0, NULL, NULL), CMW_TO_SUSPENDED);
    origin = (struct origin){.status = 200, .fields = {FRESH}};
    crowd_finish(&crowd, 1, &origin);
    (void)cmw_worker_run(crowd.worker, 0);
    assert_int_equal(crowd.next[0], CMW_TO_RESPOND);
    assert_int_equal(crowd.next[2], CMW_TO_RESPOND);
    crowd_leave_all(&crowd);
    close_crowd(&crowd);
}

/* An error is the client's own: the next ones wait for each other as before. */
static void an_error_does_not_end_waiting(void **state)
{
    struct origin origin = {.status = 400};
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd, 1000);
    assert_int_equal(start(&crowd, 0, NULL, NULL), CMW_TO_HANDLER);
    crowd_finish(&crowd, 0, &origin);
    start_all(&crowd);
    crowd_leave_all(&crowd);
    close_crowd(&crowd);
}

static void a_reload_does_not_wait_in_vain(void **state)
{
    struct origin origin = {.status = 200, .fields = {FRESH}};
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd, 1000);
    assert_int_equal(start(&crowd, 0, NULL, NULL), CMW_TO_HANDLER);
    assert_int_equal(start(&crowd, 1, "Cache-Control", "max-age=0"), CMW_TO_SUSPENDED);
    cmw_test_advance_ns(crowd.test, 5 * S);
    crowd_finish(&crowd, 0, &origin);
    (void)cmw_worker_run(crowd.worker, 0);
    assert_int_equal(crowd.next[1], CMW_TO_RESPOND);
    crowd_leave_all(&crowd);
    close_crowd(&crowd);
}

/* What was asked before the change is not stored after it, and those who waited ask anew. */
static void what_is_purged_while_it_is_made_is_not_stored(void **state)
{
    struct origin origin = {.status = 200, .fields = {FRESH}};
    struct crowd crowd;
    size_t purged;

    (void)state;
    for (int what = CMW_CACHE_PURGE_ALL; what <= CMW_CACHE_PURGE_PREFIX; what++) {
        open_crowd(&crowd, 1000);
        start_all(&crowd);
        assert_int_equal(
            cmw_response_cache_purge(&crowd.mw, &purged, (cmw_cache_purge)what, CMW_STR("/a")), 0);
        crowd_finish(&crowd, 0, &origin);
        assert_int_equal(stats_of(&crowd).entries, 0);
        (void)cmw_worker_run(crowd.worker, 0);
        assert_int_equal(crowd.next[1], CMW_TO_HANDLER);
        assert_int_equal(crowd_waiting(&crowd), CROWD - 2);
        crowd_finish(&crowd, 1, &origin);
        (void)cmw_worker_run(crowd.worker, 0);
        assert_int_equal(stats_of(&crowd).entries, 1);
        assert_int_equal(stats_of(&crowd).collapsed, CROWD - 2);
        crowd_leave_all(&crowd);
        close_crowd(&crowd);
    }
}

static void an_unsafe_method_outdates_what_is_being_made(void **state)
{
    struct origin origin = {.status = 200, .fields = {FRESH}};
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd, 1000);
    assert_int_equal(start(&crowd, 0, NULL, NULL), CMW_TO_HANDLER);
    assert_int_equal(start_with(&crowd, 1, "POST", NULL, NULL), CMW_TO_HANDLER);
    crowd_finish(&crowd, 1, &origin);
    crowd_finish(&crowd, 0, &origin);
    assert_int_equal(stats_of(&crowd).entries, 0);
    close_crowd(&crowd);
}

/* Who renews a stale response for all and leaves: the next one does it. */
static void who_renews_and_leaves_is_followed(void **state)
{
    struct origin origin = {.status = 200,
                            .fields = {"Cache-Control", "max-age=10, stale-while-revalidate=90"}};
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd, 1000);
    assert_int_equal(start(&crowd, 0, NULL, NULL), CMW_TO_HANDLER);
    crowd_finish(&crowd, 0, &origin);
    cmw_test_advance_ns(crowd.test, 20 * S);
    assert_int_equal(start(&crowd, 0, NULL, NULL), CMW_TO_HANDLER);
    assert_int_equal(start(&crowd, 1, NULL, NULL), CMW_TO_RESPOND); /* one at a time */
    crowd_leave(&crowd, 0);
    assert_int_equal(start(&crowd, 0, NULL, NULL), CMW_TO_HANDLER);
    assert_int_equal(start(&crowd, 2, NULL, NULL), CMW_TO_RESPOND);
    crowd_leave_all(&crowd);
    close_crowd(&crowd);
}

/* It is stale when it comes: who waited renews it, and leaves when nobody else holds it. */
static void who_waited_may_renew_and_leave(void **state)
{
    struct origin origin = {.status = 200,
                            .fields = {"Cache-Control", "max-age=1, stale-while-revalidate=90"}};
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd, 1000);
    start_all(&crowd);
    cmw_test_advance_ns(crowd.test, 3 * S);
    crowd_finish(&crowd, 0, &origin);
    (void)cmw_worker_run(crowd.worker, 0);
    assert_int_equal(crowd.next[1], CMW_TO_HANDLER);
    for (size_t i = 2; i < CROWD; i++) {
        assert_int_equal(crowd.next[i], CMW_TO_RESPOND);
        crowd_leave(&crowd, i);
    }
    assert_int_equal(cmw_response_cache_purge(&crowd.mw, NULL, CMW_CACHE_PURGE_ALL, CMW_STR("")),
                     0);
    crowd_leave(&crowd, 1);
    close_crowd(&crowd);
}

/* ---- Who does not wait ------------------------------------------------------------------ */

static void some_ask_for_themselves(void **state)
{
    struct crowd crowd;

    (void)state;
    open_crowd(&crowd, 2);
    assert_int_equal(start(&crowd, 0, NULL, NULL), CMW_TO_HANDLER);
    assert_int_equal(start(&crowd, 1, "Cache-Control", "no-cache"), CMW_TO_HANDLER);
    assert_int_equal(start(&crowd, 2, "Authorization", "Basic eDp4"), CMW_TO_HANDLER);
    assert_int_equal(start(&crowd, 3, "Cache-Control", "only-if-cached"), CMW_TO_RESPOND);
    assert_int_equal(start(&crowd, 4, "Range", "bytes=0-0"), CMW_TO_HANDLER);
    crowd_leave_all(&crowd);
    close_crowd(&crowd);
}

static void only_so_many_wait(void **state)
{
    struct crowd crowd;

    (void)state;
    for (int64_t most = 0; most < CROWD; most++) {
        open_crowd(&crowd, most);
        for (size_t i = 0; i < CROWD; i++)
            (void)start(&crowd, i, NULL, NULL);
        assert_int_equal(crowd_waiting(&crowd), most);
        crowd_leave_all(&crowd);
        close_crowd(&crowd);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_asks_and_the_others_are_served),
        cmocka_unit_test(what_is_not_stored_holds_nobody_up),
        cmocka_unit_test(another_variant_is_asked_for),
        cmocka_unit_test(another_one_leads_where_one_has_gone_and_nobody_waits_for_ever),
        cmocka_unit_test(who_waits_may_leave),
        cmocka_unit_test(who_waits_too_long_is_answered),
        cmocka_unit_test(who_was_resumed_is_patient_again),
        cmocka_unit_test(an_answer_to_a_condition_is_nobody_elses),
        cmocka_unit_test(an_error_does_not_end_waiting),
        cmocka_unit_test(a_reload_does_not_wait_in_vain),
        cmocka_unit_test(what_is_purged_while_it_is_made_is_not_stored),
        cmocka_unit_test(an_unsafe_method_outdates_what_is_being_made),
        cmocka_unit_test(who_renews_and_leaves_is_followed),
        cmocka_unit_test(who_waited_may_renew_and_leave),
        cmocka_unit_test(some_ask_for_themselves),
        cmocka_unit_test(only_so_many_wait),
    };
    return cmocka_run_group_tests_name("cache_flights", tests, NULL, NULL);
}
