/* SPDX-License-Identifier: MIT */
/* What happens to a thread's worker when the thread ends; cmw_engine_take_worker tells where it is.
 */
#include "microhttpd/seat.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const cmw_host host = {.size = sizeof host, .name = "test"};

struct bench {
    cmw_engine *engine;
    struct seats seats;
};

/* One worker in all. */
static void make_bench(struct bench *bench)
{
    cmw_engine_config config;

    cmw_engine_config_init(&config);
    config.worker_limit = 2; /* the seats keep one for themselves */
    assert_int_equal(cmw_engine_create(&bench->engine, &config), 0);
    assert_int_equal(cmw__seats_init(&bench->seats, bench->engine, &host), 0);
}

static void destroy_bench(struct bench *bench)
{
    cmw__seats_deinit(&bench->seats);
    assert_int_equal(cmw_engine_destroy(bench->engine), 0);
}

static int is_worker_free(struct bench *bench)
{
    cmw_worker *worker;

    const int rc = cmw_engine_take_worker(bench->engine, &worker, NULL, NULL);
    if (rc == 0)
        cmw_engine_put_worker(bench->engine, worker);
    return rc == 0;
}

static void *open_one(void *seats)
{
    return cmw__seats_open_request(seats);
}

static void *open_and_close_one(void *seats)
{
    struct request *opened = cmw__seats_open_request(seats);

    if (opened)
        cmw__seats_close_request(opened);
    return opened;
}

static struct request *run_thread(struct bench *bench, void *(*body)(void *))
{
    pthread_t thread;
    void *result = NULL;

    assert_int_equal(pthread_create(&thread, NULL, body, &bench->seats), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    return result;
}

static void thread_that_ends_puts_its_worker_back(void **state)
{
    struct bench bench;

    (void)state;
    make_bench(&bench);
    assert_non_null(run_thread(&bench, open_and_close_one));
    assert_true(is_worker_free(&bench));
    destroy_bench(&bench);
}

static void worker_stays_out_until_the_last_request_of_an_ended_thread(void **state)
{
    struct bench bench;

    (void)state;
    make_bench(&bench);
    struct request *opened = run_thread(&bench, open_one);
    assert_non_null(opened);
    assert_false(is_worker_free(&bench));
    cmw__seats_close_request(opened);
    assert_true(is_worker_free(&bench));
    destroy_bench(&bench);
}

static void next_thread_uses_the_request_again(void **state)
{
    struct bench bench;

    (void)state;
    make_bench(&bench);
    const struct request *first = run_thread(&bench, open_and_close_one);
    assert_non_null(first);
    assert_ptr_equal(run_thread(&bench, open_and_close_one), first);
    destroy_bench(&bench);
}

static void no_worker_gives_no_request(void **state)
{
    struct bench bench;
    cmw_worker *worker = NULL;

    (void)state;
    make_bench(&bench);
    assert_int_equal(cmw_engine_take_worker(bench.engine, &worker, NULL, NULL), 0);
    assert_null(cmw__seats_open_request(&bench.seats));
    cmw_engine_put_worker(bench.engine, worker);
    struct request *opened = cmw__seats_open_request(&bench.seats);
    assert_non_null(opened);
    cmw__seats_close_request(opened);
    destroy_bench(&bench);
}

static void workers_of_living_threads_are_put_back_at_the_end(void **state)
{
    struct bench bench;

    (void)state;
    make_bench(&bench);
    struct request *opened = cmw__seats_open_request(&bench.seats);
    assert_non_null(opened);
    cmw__seats_close_request(opened);
    assert_false(is_worker_free(&bench));
    destroy_bench(&bench);
}

static void room_grows_and_never_shrinks(void **state)
{
    struct bench bench;
    struct room room = {NULL, 0};

    (void)state;
    make_bench(&bench);
    assert_int_equal(cmw__room_reserve(&room, bench.seats.pool, 1000), 0);
    assert_true(room.cap >= 1000);
    const void *data = room.data;
    assert_int_equal(cmw__room_reserve(&room, bench.seats.pool, 10), 0);
    assert_ptr_equal(room.data, data);
    assert_int_equal(cmw__room_reserve(&room, bench.seats.pool, SIZE_MAX), CMW_ERR_NOMEM);
    assert_ptr_equal(room.data, data);
    cmw_pool_free(bench.seats.pool, room.data, room.cap, 0);
    destroy_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(thread_that_ends_puts_its_worker_back),
        cmocka_unit_test(worker_stays_out_until_the_last_request_of_an_ended_thread),
        cmocka_unit_test(next_thread_uses_the_request_again),
        cmocka_unit_test(no_worker_gives_no_request),
        cmocka_unit_test(workers_of_living_threads_are_put_back_at_the_end),
        cmocka_unit_test(room_grows_and_never_shrinks),
    };

    return cmocka_run_group_tests_name("seat", tests, NULL, NULL);
}
