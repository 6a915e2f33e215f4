/* SPDX-License-Identifier: MIT */
/* Random bytes of requests: how often the system is asked, with a system of our own. */
#include <catzilla/mw.h>

#include <string.h>

#include "test.h"

int getentropy(void *to, size_t len); /* of this program, in place of the system's */

static unsigned asked;      /* calls */
static unsigned char given; /* another byte in each call */
static int fails;
static unsigned fails_at; /* this call; 0: none */

int getentropy(void *to, size_t len)
{
    asked++;
    if (fails || asked == fails_at)
        return -1;
    memset(to, ++given, len);
    return 0;
}

enum { BATCH = 1024, CALLS_A_BATCH = 4 };

struct fixture {
    cmw_engine *engine;
    cmw_worker *worker;
    cmw_ctx *ctx;
};

static void open_fixture(struct fixture *fixture)
{
    cmw_chain *chain = NULL;
    cmw_request_view view;

    fails = 0;
    assert_int_equal(cmw_engine_create(&fixture->engine, NULL), 0);
    assert_int_equal(cmw_chain_create(fixture->engine, &chain, 0), 0);
    assert_int_equal(cmw_chain_install(chain, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_engine_take_worker(fixture->engine, &fixture->worker, NULL, NULL), 0);
    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = CMW_STR("/");
    assert_int_equal(cmw_ctx_begin(fixture->worker, &fixture->ctx, &view), 0);
    asked = 0;
}

static void close_fixture(struct fixture *fixture)
{
    fails = 0;
    cmw_ctx_end(fixture->ctx, CMW_END_SHUTDOWN);
    cmw_engine_put_worker(fixture->engine, fixture->worker);
    assert_int_equal(cmw_engine_destroy(fixture->engine), 0);
}

/* Whatever the length, also one that leaves a rest in each batch. */
static void the_system_is_asked_once_for_each_batch(void **state)
{
    static const size_t lengths[] = {1, 8, 12, 16, 18, 100, 600, BATCH};
    char bytes[BATCH];

    (void)state;
    for (size_t i = 0; i < LEN(lengths); i++) {
        const unsigned a_batch = (unsigned)(BATCH / lengths[i]);
        struct fixture fixture;
        open_fixture(&fixture);
        for (unsigned n = 0; n < 10 * a_batch; n++)
            assert_int_equal(cmw_ctx_random(fixture.ctx, bytes, lengths[i]), 0);
        assert_int_equal(asked, 10 * CALLS_A_BATCH);
        close_fixture(&fixture);
    }
}

static void more_than_a_batch_is_asked_for_by_itself(void **state)
{
    char bytes[3 * BATCH];
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture);
    assert_int_equal(cmw_ctx_random(fixture.ctx, bytes, 16), 0);
    assert_int_equal(cmw_ctx_random(fixture.ctx, bytes, sizeof bytes), 0);
    assert_int_equal(asked, CALLS_A_BATCH + 3 * CALLS_A_BATCH);
    assert_int_equal(cmw_ctx_random(fixture.ctx, bytes, 16), 0); /* of the batch, still */
    assert_int_equal(asked, CALLS_A_BATCH + 3 * CALLS_A_BATCH);
    close_fixture(&fixture);
}

/* Bytes that were there before a batch could not be filled are not given a second time. */
static void without_a_system_there_are_none(void **state)
{
    char bytes[16] = "unchanged";
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture);
    assert_int_equal(cmw_ctx_random(fixture.ctx, bytes, 10), 0);
    fails = 1;
    for (int i = 0; i < 101; i++)
        assert_int_equal(cmw_ctx_random(fixture.ctx, bytes, 10), 0);
    memcpy(bytes, "unchanged", 10);
    assert_int_equal(cmw_ctx_random(fixture.ctx, bytes, 10), CMW_ERR_IO);
    assert_int_equal(cmw_ctx_random(fixture.ctx, bytes, 1), CMW_ERR_IO);
    assert_string_equal(bytes, "unchanged");
    fails = 0;
    assert_int_equal(cmw_ctx_random(fixture.ctx, bytes, 10), 0);
    assert_string_not_equal(bytes, "unchanged");
    close_fixture(&fixture);
}

static void a_part_of_what_was_wanted_is_not_left_behind(void **state)
{
    char bytes[2 * BATCH];
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture);
    memset(bytes, 'u', sizeof bytes);
    fails_at = 3;
    assert_int_equal(cmw_ctx_random(fixture.ctx, bytes, sizeof bytes), CMW_ERR_IO);
    fails_at = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        assert_int_equal(bytes[i], i < BATCH / 2 ? 0 : 'u');
    close_fixture(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_system_is_asked_once_for_each_batch),
        cmocka_unit_test(more_than_a_batch_is_asked_for_by_itself),
        cmocka_unit_test(without_a_system_there_are_none),
        cmocka_unit_test(a_part_of_what_was_wanted_is_not_left_behind),
    };
    return cmocka_run_group_tests_name("random bytes", tests, NULL, NULL);
}
