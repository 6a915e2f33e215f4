/* SPDX-License-Identifier: MIT */
#include "arena_state.h"

#include "test_allocator.h"

struct fixture {
    struct test_allocator allocator;
    cmw_pool *pool;
    struct cmw__block_list list;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);

    assert_non_null(f);
    test_allocator_init(&f->allocator);
    assert_int_equal(cmw_pool_create(&f->pool, &f->allocator.vtable, CMW_POOL_CONTEXT, 0), 0);
    cmw__block_list_init(&f->list, f->pool);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    cmw__block_list_trim(&f->list);
    assert_int_equal(f->list.nonempty, 0);
    cmw_pool_destroy(f->pool);
    test_allocator_check(&f->allocator);
    free(f);
    return 0;
}

#define HEAD sizeof(struct cmw__block)

struct size_row {
    size_t bytes;
    uint32_t shift;
};

static void the_smallest_class_with_room_is_chosen(void **state)
{
    static const struct size_row rows[] = {
        {0, 12},
        {1, 12},
        {4096 - HEAD, 12},
        {4096 - HEAD + 1, 13},
        {4096, 13},
        {8192 - HEAD, 13},
        {8192 - HEAD + 1, 14},
        {((size_t)1 << 20) - HEAD, 20},
        {((size_t)1 << 20) - HEAD + 1, 21},
        {((size_t)1 << 31) - HEAD, 31},
        {((size_t)1 << 31) - HEAD + 1, 0},
        {SIZE_MAX - HEAD, 0},
        {SIZE_MAX, 0},
    };

    (void)state;
    for (size_t i = 0; i < LEN(rows); i++)
        assert_int_equal(cmw__block_shift_for(rows[i].bytes), rows[i].shift);
}

static void a_block_put_back_is_taken_again(void **state)
{
    struct fixture *f = *state;
    struct cmw__block *block = cmw__block_take(&f->list, 5000);

    assert_non_null(block);
    assert_int_equal(block->shift, 13);
    assert_int_equal(cmw__block_room(block), 8192 - HEAD);
    assert_int_equal((uintptr_t)cmw__block_bytes(block) % CMW__ARENA_ALIGN, 0);
    cmw__block_put(&f->list, block);
    assert_ptr_equal(cmw__block_take(&f->list, 5000), block);
    assert_int_equal(f->list.nonempty, 0);
    assert_int_equal(f->list.alloc_calls, 1);
    cmw__block_put(&f->list, block);
}

static void blocks_of_a_size_are_all_kept(void **state)
{
    struct fixture *f = *state;
    struct cmw__block *blocks[5];

    for (size_t i = 0; i < LEN(blocks); i++)
        blocks[i] = cmw__block_take(&f->list, 1);
    for (size_t i = 0; i < LEN(blocks); i++)
        cmw__block_put(&f->list, blocks[i]);
    for (size_t i = LEN(blocks); i > 0; i--)
        assert_ptr_equal(cmw__block_take(&f->list, 1), blocks[i - 1]);
    assert_int_equal(f->list.alloc_calls, LEN(blocks));
    for (size_t i = 0; i < LEN(blocks); i++)
        cmw__block_put(&f->list, blocks[i]);
}

static void a_larger_free_block_serves_before_a_new_one(void **state)
{
    struct fixture *f = *state;
    struct cmw__block *large = cmw__block_take(&f->list, 60000);
    struct cmw__block *larger = cmw__block_take(&f->list, 500000);

    cmw__block_put(&f->list, larger);
    cmw__block_put(&f->list, large);
    assert_ptr_equal(cmw__block_take(&f->list, 10), large); /* the smallest that fits */
    assert_ptr_equal(cmw__block_take(&f->list, 10), larger);
    assert_int_equal(f->list.alloc_calls, 2);
    cmw__block_put(&f->list, larger);
    cmw__block_put(&f->list, large);
}

static void a_smaller_or_a_too_large_free_block_does_not_serve(void **state)
{
    struct fixture *f = *state;
    struct cmw__block *small = cmw__block_take(&f->list, 10);
    struct cmw__block *large = cmw__block_take(&f->list, 500000);

    cmw__block_put(&f->list, small);
    cmw__block_put(&f->list, large);
    struct cmw__block *between = cmw__block_take_sized(&f->list, 13, 18);
    assert_int_equal(between->shift, 13);
    assert_int_equal(f->list.alloc_calls, 3);
    cmw__block_put(&f->list, between);
}

static void without_memory_there_is_no_block_and_the_call_counts(void **state)
{
    struct fixture *f = *state;

    f->allocator.fail_at = f->allocator.calls + 1;
    assert_null(cmw__block_take(&f->list, 10));
    assert_int_equal(f->list.alloc_calls, 1);
    assert_null(cmw__block_take(&f->list, SIZE_MAX));
    assert_int_equal(f->list.alloc_calls, 1);
}

static void trimming_gives_all_back(void **state)
{
    struct fixture *f = *state;
    struct cmw__block *blocks[CMW__BLOCK_CLASSES / 2];
    const unsigned live = f->allocator.live;

    for (size_t i = 0; i < LEN(blocks); i++)
        blocks[i] = cmw__block_take(&f->list, (size_t)4000 << i);
    for (size_t i = 0; i < LEN(blocks); i++)
        cmw__block_put(&f->list, blocks[i]);
    cmw__block_list_trim(&f->list);
    assert_int_equal(f->allocator.live, live);
    assert_int_equal(f->list.nonempty, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_smallest_class_with_room_is_chosen),
        TEST(a_block_put_back_is_taken_again),
        TEST(blocks_of_a_size_are_all_kept),
        TEST(a_larger_free_block_serves_before_a_new_one),
        TEST(a_smaller_or_a_too_large_free_block_does_not_serve),
        TEST(without_memory_there_is_no_block_and_the_call_counts),
        TEST(trimming_gives_all_back),
    };
    return cmocka_run_group_tests_name("block_list", tests, NULL, NULL);
}
