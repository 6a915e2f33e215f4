/* SPDX-License-Identifier: MIT */
#include <catzilla/component/jemalloc.h>

#include <pthread.h>

#include "test.h"

#define MEBIBYTE ((size_t)1 << 20)

static cmw_pool *make_pool(uint64_t limit_bytes)
{
    cmw_pool *pool = NULL;

    assert_int_equal(
        cmw_pool_create(&pool, cmw_allocator_jemalloc(), CMW_POOL_CONTEXT, limit_bytes), 0);
    return pool;
}

static cmw_pool_stats read_stats(const cmw_pool *pool)
{
    cmw_pool_stats stats = {.size = sizeof stats};

    assert_int_equal(cmw_pool_get_stats(pool, &stats), 0);
    return stats;
}

static void the_allocator_names_itself(void **state)
{
    (void)state;
    assert_string_equal(cmw_allocator_jemalloc()->name, "jemalloc");
    assert_int_equal(cmw_allocator_jemalloc()->size, sizeof(cmw_allocator));
}

static void pieces_show_in_their_own_arena_only(void **state)
{
    cmw_pool *one = make_pool(0);
    cmw_pool *other = make_pool(0);
    const uint64_t one_before = read_stats(one).active_bytes;
    const uint64_t other_before = read_stats(other).active_bytes;

    (void)state;
    void *piece = cmw_pool_alloc(one, MEBIBYTE, 16);
    assert_non_null(piece);
    assert_true(read_stats(one).active_bytes >= one_before + MEBIBYTE);
    assert_true(read_stats(one).resident_bytes >= MEBIBYTE);
    assert_int_equal(read_stats(other).active_bytes, other_before);
    cmw_pool_free(one, piece, MEBIBYTE, 16);
    assert_int_equal(read_stats(one).active_bytes, one_before);
    cmw_pool_destroy(one);
    cmw_pool_destroy(other);
}

static void ordinary_mallocs_show_in_no_pool(void **state)
{
    cmw_pool *pool = make_pool(0);
    const uint64_t before = read_stats(pool).active_bytes;
    void *volatile piece = malloc(MEBIBYTE);

    (void)state;
    assert_non_null(piece);
    assert_int_equal(read_stats(pool).active_bytes, before);
    free(piece);
    cmw_pool_destroy(pool);
}

/* A thread cache would keep the pages of small pieces active after they are freed. */
static void a_freed_small_piece_stays_in_no_cache(void **state)
{
    enum { COUNT = 4096, BYTES = 64 };
    static void *pieces[COUNT];
    cmw_pool *pool = make_pool(0);
    const uint64_t before = read_stats(pool).active_bytes;

    (void)state;
    for (size_t i = 0; i < COUNT; i++)
        assert_non_null(pieces[i] = cmw_pool_alloc(pool, BYTES, 16));
    assert_true(read_stats(pool).active_bytes >= before + COUNT * BYTES);
    for (size_t i = 0; i < COUNT; i++)
        cmw_pool_free(pool, pieces[i], BYTES, 16);
    assert_int_equal(read_stats(pool).active_bytes, before);
    cmw_pool_destroy(pool);
}

static void pieces_have_their_alignment(void **state)
{
    cmw_pool *pool = make_pool(0);

    (void)state;
    for (size_t align = 8; align <= 4096; align *= 2) {
        for (size_t bytes = 1; bytes < 100000; bytes = bytes * 5 + 1) {
            char *piece = cmw_pool_alloc(pool, bytes, align);
            assert_non_null(piece);
            assert_int_equal((uintptr_t)piece % align, 0);
            memset(piece, 'x', bytes);
            cmw_pool_free(pool, piece, bytes, align);
        }
    }
    cmw_pool_destroy(pool);
}

static void the_limit_is_the_pools(void **state)
{
    cmw_pool *pool = make_pool(MEBIBYTE);

    (void)state;
    void *piece = cmw_pool_alloc(pool, MEBIBYTE, 16);
    assert_non_null(piece);
    assert_null(cmw_pool_alloc(pool, 1, 16));
    assert_int_equal(read_stats(pool).failures, 1);
    cmw_pool_free(pool, piece, MEBIBYTE, 16);
    cmw_pool_destroy(pool);
}

static void a_size_that_no_arena_can_have_is_refused(void **state)
{
    cmw_pool *pool = make_pool(0);

    (void)state;
    assert_null(cmw_pool_alloc(pool, SIZE_MAX, 16));
    assert_null(cmw_pool_alloc(pool, SIZE_MAX / 2, 4096));
    assert_int_equal(read_stats(pool).in_use_bytes, 0);
    cmw_pool_destroy(pool);
}

static void purging_gives_free_pages_back(void **state)
{
    cmw_pool *pool = make_pool(0);
    void *piece = cmw_pool_alloc(pool, 4 * MEBIBYTE, 16);

    (void)state;
    assert_non_null(piece);
    memset(piece, 'x', 4 * MEBIBYTE);
    const uint64_t full = read_stats(pool).resident_bytes;
    cmw_pool_free(pool, piece, 4 * MEBIBYTE, 16);
    cmw_pool_purge(pool);
    assert_true(read_stats(pool).resident_bytes + 4 * MEBIBYTE <= full);
    cmw_pool_destroy(pool);
}

static void a_destroyed_arena_is_used_again(void **state)
{
    (void)state;
    /* jemalloc has 4095 arenas at most: if closing lost one each time, opening would fail. */
    for (int i = 0; i < 5000; i++)
        cmw_pool_destroy(make_pool(0));
}

static void *free_elsewhere(void *argument)
{
    void **work = argument;

    cmw_pool_free(work[0], work[1], 100, 16);
    return NULL;
}

static void a_piece_may_be_freed_on_another_thread(void **state)
{
    cmw_pool *pool = make_pool(0);
    const uint64_t before = read_stats(pool).active_bytes;
    void *work[] = {pool, cmw_pool_alloc(pool, 100, 16)};
    pthread_t thread;

    (void)state;
    assert_non_null(work[1]);
    assert_int_equal(pthread_create(&thread, NULL, free_elsewhere, work), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(read_stats(pool).active_bytes, before);
    assert_int_equal(read_stats(pool).in_use_bytes, 0);
    cmw_pool_destroy(pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_allocator_names_itself),
        cmocka_unit_test(pieces_show_in_their_own_arena_only),
        cmocka_unit_test(ordinary_mallocs_show_in_no_pool),
        cmocka_unit_test(a_freed_small_piece_stays_in_no_cache),
        cmocka_unit_test(pieces_have_their_alignment),
        cmocka_unit_test(the_limit_is_the_pools),
        cmocka_unit_test(a_size_that_no_arena_can_have_is_refused),
        cmocka_unit_test(purging_gives_free_pages_back),
        cmocka_unit_test(a_destroyed_arena_is_used_again),
        cmocka_unit_test(a_piece_may_be_freed_on_another_thread),
    };
    return cmocka_run_group_tests_name("jemalloc", tests, NULL, NULL);
}
