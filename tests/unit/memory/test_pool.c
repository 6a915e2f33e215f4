/* SPDX-License-Identifier: MIT */
#include <catzilla/allocator.h>

#include <pthread.h>

#include "test_allocator.h"

static cmw_pool *make_pool(struct test_allocator *allocator, uint64_t limit_bytes)
{
    cmw_pool *pool = NULL;

    test_allocator_init(allocator);
    assert_int_equal(cmw_pool_create(&pool, &allocator->vtable, CMW_POOL_CONTEXT, limit_bytes), 0);
    return pool;
}

static cmw_pool_stats read_stats(const cmw_pool *pool)
{
    cmw_pool_stats stats = {.size = sizeof stats};

    assert_int_equal(cmw_pool_get_stats(pool, &stats), 0);
    return stats;
}

/* ---- Making a pool ---------------------------------------------------------------------- */

static int refuse_heap(void *self, void **heap, cmw_pool_purpose purpose)
{
    (void)self;
    (void)heap;
    (void)purpose;
    return CMW_ERR_NOMEM;
}

static void without_an_allocator_the_systems_is_used(void **state)
{
    cmw_pool *pool = NULL;

    (void)state;
    assert_int_equal(cmw_pool_create(&pool, NULL, CMW_POOL_PLAN, 0), 0);
    void *piece = cmw_pool_alloc(pool, 100, 0);
    assert_non_null(piece);
    assert_int_equal(read_stats(pool).active_bytes, 0);
    cmw_pool_purge(pool); /* the system's cannot: nothing happens */
    cmw_pool_free(pool, piece, 100, 0);
    cmw_pool_destroy(pool);
    cmw_pool_destroy(NULL);
}

static void misuse_makes_no_pool(void **state)
{
    struct test_allocator allocator;
    cmw_pool *pool = NULL;

    (void)state;
    test_allocator_init(&allocator);
    assert_int_equal(cmw_pool_create(NULL, NULL, CMW_POOL_PLAN, 0), CMW_ERR_ARG);
    assert_int_equal(cmw_pool_create(&pool, NULL, (cmw_pool_purpose)CMW_POOL_COUNT, 0),
                     CMW_ERR_ARG);
    allocator.vtable.free = NULL;
    assert_int_equal(cmw_pool_create(&pool, &allocator.vtable, CMW_POOL_PLAN, 0), CMW_ERR_ARG);
    test_allocator_init(&allocator);
    allocator.vtable.size = offsetof(cmw_allocator, free);
    assert_int_equal(cmw_pool_create(&pool, &allocator.vtable, CMW_POOL_PLAN, 0), CMW_ERR_ARG);
    assert_null(pool);
    test_allocator_check(&allocator);
}

static void an_older_shorter_vtable_has_no_heaps(void **state)
{
    cmw_allocator vtable = *cmw_allocator_system();
    cmw_pool *pool = NULL;

    (void)state;
    vtable.size = offsetof(cmw_allocator, heap_open);
    vtable.heap_open = refuse_heap;
    assert_int_equal(cmw_pool_create(&pool, &vtable, CMW_POOL_PLAN, 0), 0);
    cmw_pool_destroy(pool);
}

static void a_newer_longer_vtable_is_taken_if_its_tail_is_zero(void **state)
{
    struct {
        cmw_allocator vtable;
        char tail[16];
    } newer = {.vtable = *cmw_allocator_system()};
    cmw_pool *pool = NULL;

    (void)state;
    newer.vtable.size = sizeof newer;
    assert_int_equal(cmw_pool_create(&pool, &newer.vtable, CMW_POOL_PLAN, 0), 0);
    cmw_pool_destroy(pool);
    pool = NULL;
    newer.tail[15] = 1;
    assert_int_equal(cmw_pool_create(&pool, &newer.vtable, CMW_POOL_PLAN, 0), CMW_ERR_VERSION);
    assert_null(pool);
}

static void a_refused_heap_or_struct_leaves_nothing_behind(void **state)
{
    struct test_allocator allocator;
    cmw_pool *pool = NULL;

    (void)state;
    test_allocator_init(&allocator);
    allocator.fail_at = 1;
    assert_int_equal(cmw_pool_create(&pool, &allocator.vtable, CMW_POOL_PLAN, 0), CMW_ERR_NOMEM);
    test_allocator_check(&allocator);
    test_allocator_init(&allocator);
    allocator.vtable.heap_open = refuse_heap;
    assert_int_equal(cmw_pool_create(&pool, &allocator.vtable, CMW_POOL_PLAN, 0), CMW_ERR_NOMEM);
    assert_int_equal(allocator.calls, 0);
    assert_null(pool);
}

/* ---- Allocating ------------------------------------------------------------------------- */

static void pieces_have_their_alignment(void **state)
{
    static const size_t aligns[] = {0, 8, 16, 32, 64, 1024, 4096};
    cmw_pool *pool = NULL;

    (void)state;
    assert_int_equal(cmw_pool_create(&pool, NULL, CMW_POOL_PLAN, 0), 0);
    for (size_t i = 0; i < LEN(aligns); i++) {
        const size_t align = aligns[i] ? aligns[i] : 16;
        for (size_t bytes = 1; bytes < 10000; bytes = bytes * 3 + 1) {
            void *piece = cmw_pool_alloc(pool, bytes, aligns[i]);
            assert_non_null(piece);
            assert_int_equal((uintptr_t)piece % align, 0);
            memset(piece, 1, bytes);
            cmw_pool_free(pool, piece, bytes, aligns[i]);
        }
    }
    cmw_pool_destroy(pool);
}

static void requests_that_cannot_be_meant_are_refused_and_counted(void **state)
{
    struct test_allocator allocator;
    cmw_pool *pool = make_pool(&allocator, 0);

    (void)state;
    assert_null(cmw_pool_alloc(pool, 0, 16));
    assert_null(cmw_pool_alloc(pool, 8, 24));
    assert_null(cmw_pool_alloc(pool, 8, 8192));
    assert_int_equal(read_stats(pool).failures, 3);
    assert_int_equal(read_stats(pool).alloc_calls, 0);
    cmw_pool_destroy(pool);
    test_allocator_check(&allocator);
}

static void figures_follow_what_is_handed_out(void **state)
{
    struct test_allocator allocator;
    cmw_pool *pool = make_pool(&allocator, 1000);

    (void)state;
    void *a = cmw_pool_alloc(pool, 300, 16);
    void *b = cmw_pool_alloc(pool, 500, 64);
    cmw_pool_free(pool, a, 300, 16);
    cmw_pool_free(pool, NULL, 300, 16);

    const cmw_pool_stats stats = read_stats(pool);
    assert_int_equal(stats.in_use_bytes, 500);
    assert_int_equal(stats.peak_bytes, 800);
    assert_int_equal(stats.limit_bytes, 1000);
    assert_int_equal(stats.alloc_calls, 2);
    assert_int_equal(stats.free_calls, 1);
    assert_int_equal(stats.failures, 0);
    cmw_pool_free(pool, b, 500, 64);
    cmw_pool_destroy(pool);
    test_allocator_check(&allocator);
}

static void the_limit_holds_to_the_byte(void **state)
{
    struct test_allocator allocator;
    cmw_pool *pool = make_pool(&allocator, 1000);

    (void)state;
    assert_null(cmw_pool_alloc(pool, 1001, 16));
    void *a = cmw_pool_alloc(pool, 999, 16);
    assert_non_null(a);
    assert_null(cmw_pool_alloc(pool, 2, 16));
    void *b = cmw_pool_alloc(pool, 1, 16);
    assert_non_null(b);
    assert_null(cmw_pool_alloc(pool, 1, 16));
    assert_null(cmw_pool_alloc(pool, SIZE_MAX, 16)); /* the sum would wrap around */
    assert_int_equal(read_stats(pool).failures, 4);
    assert_int_equal(read_stats(pool).alloc_calls, 2);
    assert_int_equal(read_stats(pool).in_use_bytes, 1000);
    cmw_pool_free(pool, a, 999, 16);
    cmw_pool_free(pool, b, 1, 16);
    cmw_pool_destroy(pool);
    test_allocator_check(&allocator);
}

static void what_the_allocator_refuses_is_not_in_use(void **state)
{
    struct test_allocator allocator;
    cmw_pool *pool = make_pool(&allocator, 0);

    (void)state;
    allocator.fail_at = allocator.calls + 1;
    assert_null(cmw_pool_alloc(pool, 100, 16));
    const cmw_pool_stats stats = read_stats(pool);
    assert_int_equal(stats.in_use_bytes, 0);
    assert_int_equal(stats.peak_bytes, 0);
    assert_int_equal(stats.alloc_calls, 1);
    assert_int_equal(stats.failures, 1);
    cmw_pool_destroy(pool);
    test_allocator_check(&allocator);
}

/* ---- Heap figures ----------------------------------------------------------------------- */

static void fill_figures(void *self, void *heap, cmw_heap_figures *figures)
{
    (void)heap;
    assert_int_equal(figures->size, sizeof *figures);
    figures->active_bytes = 4096;
    figures->resident_bytes = 8192;
    ((struct test_allocator *)self)->fail_at = 0;
}

static void count_purge(void *self, void *heap)
{
    (void)heap;
    ((struct test_allocator *)self)->calls += 100;
}

static void figures_and_purge_reach_the_heap(void **state)
{
    struct test_allocator allocator;
    cmw_pool *pool = NULL;

    (void)state;
    test_allocator_init(&allocator);
    allocator.vtable.heap_figures = fill_figures;
    allocator.vtable.heap_purge = count_purge;
    assert_int_equal(cmw_pool_create(&pool, &allocator.vtable, CMW_POOL_CONTEXT, 0), 0);
    assert_int_equal(read_stats(pool).active_bytes, 4096);
    assert_int_equal(read_stats(pool).resident_bytes, 8192);
    cmw_pool_purge(pool);
    assert_int_equal(allocator.calls, 101);
    cmw_pool_destroy(pool);
    test_allocator_check(&allocator);
}

static void stats_of_an_unknown_size_are_refused(void **state)
{
    struct test_allocator allocator;
    cmw_pool *pool = make_pool(&allocator, 0);
    cmw_pool_stats stats = {.size = sizeof stats - 1};

    (void)state;
    assert_int_equal(cmw_pool_get_stats(pool, &stats), CMW_ERR_VERSION);
    stats.size = sizeof stats + 8;
    assert_int_equal(cmw_pool_get_stats(pool, &stats), CMW_ERR_VERSION);
    assert_int_equal(cmw_pool_get_stats(pool, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_pool_get_stats(NULL, &stats), CMW_ERR_ARG);
    cmw_pool_destroy(pool);
}

/* ---- Threads ---------------------------------------------------------------------------- */

#define THREADS 4
#define ROUNDS 20000
#define PIECE 64
#define THREAD_LIMIT (3 * PIECE) /* fewer than threads: some are refused */

static void *take_and_give(void *argument)
{
    cmw_pool *pool = argument;

    for (int i = 0; i < ROUNDS; i++) {
        void *piece = cmw_pool_alloc(pool, PIECE, 16);
        cmw_pool_free(pool, piece, PIECE, 16);
    }
    return NULL;
}

static void the_limit_holds_with_many_threads(void **state)
{
    pthread_t threads[THREADS];
    cmw_pool *pool = NULL;

    (void)state;
    assert_int_equal(cmw_pool_create(&pool, NULL, CMW_POOL_CONTEXT, THREAD_LIMIT), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, pool), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);

    const cmw_pool_stats stats = read_stats(pool);
    assert_int_equal(stats.in_use_bytes, 0);
    assert_in_range(stats.peak_bytes, PIECE, THREAD_LIMIT);
    assert_int_equal(stats.alloc_calls, stats.free_calls);
    assert_int_equal(stats.alloc_calls + stats.failures, THREADS * ROUNDS);
    cmw_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_an_allocator_the_systems_is_used),
        cmocka_unit_test(misuse_makes_no_pool),
        cmocka_unit_test(an_older_shorter_vtable_has_no_heaps),
        cmocka_unit_test(a_newer_longer_vtable_is_taken_if_its_tail_is_zero),
        cmocka_unit_test(a_refused_heap_or_struct_leaves_nothing_behind),
        cmocka_unit_test(pieces_have_their_alignment),
        cmocka_unit_test(requests_that_cannot_be_meant_are_refused_and_counted),
        cmocka_unit_test(figures_follow_what_is_handed_out),
        cmocka_unit_test(the_limit_holds_to_the_byte),
        cmocka_unit_test(what_the_allocator_refuses_is_not_in_use),
        cmocka_unit_test(figures_and_purge_reach_the_heap),
        cmocka_unit_test(stats_of_an_unknown_size_are_refused),
        cmocka_unit_test(the_limit_holds_with_many_threads),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
