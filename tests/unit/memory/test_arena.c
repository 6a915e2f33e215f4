/* SPDX-License-Identifier: MIT */
#include "arena_state.h"

#include "test_allocator.h"

#define FIRST_BYTES 256

/* An arena as a context has one: a first chunk, a worker's list of blocks. */
struct fixture {
    _Alignas(16) char first[FIRST_BYTES];
    _Alignas(16) char reserve[128];
    struct test_allocator allocator;
    cmw_pool *pool;
    struct cmw__block_list list;
    cmw_arena arena;
    char log[32]; /* what clean-ups wrote */
};

static void begin_arena(struct fixture *f, size_t limit_bytes)
{
    cmw__arena_init(&f->arena, &f->list, f->first, f->first + FIRST_BYTES, limit_bytes);
}

static int set_up(void **state)
{
    struct fixture *f = NULL;

    assert_int_equal(posix_memalign((void **)&f, 16, sizeof *f), 0);
    memset(f, 0, sizeof *f);
    test_allocator_init(&f->allocator);
    assert_int_equal(cmw_pool_create(&f->pool, &f->allocator.vtable, CMW_POOL_CONTEXT, 0), 0);
    cmw__block_list_init(&f->list, f->pool);
    begin_arena(f, SIZE_MAX);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    cmw__arena_reset(&f->arena);
    assert_int_equal(f->arena.taken_bytes, 0);
    cmw__block_list_trim(&f->list);
    cmw_pool_destroy(f->pool);
    test_allocator_check(&f->allocator);
    cmw__unpoison(f, sizeof *f);
    free(f);
    return 0;
}

/* A piece filled from end to end: a sanitizer complains if it is not all ours. */
static char *take(struct fixture *f, size_t bytes)
{
    char *piece = cmw_arena_alloc(&f->arena, bytes);

    assert_non_null(piece);
    memset(piece, 'p', bytes);
    return piece;
}

/* ---- Allocating ------------------------------------------------------------------------- */

static void pieces_are_aligned_and_apart(void **state)
{
    struct fixture *f = *state;
    char *previous_end = f->first;

    for (size_t bytes = 0; bytes < 40; bytes++) {
        char *piece = take(f, bytes);
        assert_int_equal((uintptr_t)piece % 16, 0);
        if (f->arena.block == NULL)
            assert_true(piece >= previous_end);
        previous_end = piece + bytes;
    }
}

/* In parentheses it is the library's function, and not the form in line. */
static void pieces_in_line_are_those_of_the_call(void **state)
{
    struct fixture *f = *state;

    for (size_t bytes = 0; bytes < 2000; bytes += 7) {
        const cmw_arena_mark mark = cmw_arena_get_mark(&f->arena);
        const void *piece = cmw_arena_alloc(&f->arena, bytes);
        const void *text = cmw_arena_alloc_text(&f->arena, bytes);
        const size_t used = cmw_arena_used(&f->arena);
        assert_int_equal(cmw_arena_rewind(&f->arena, mark), 0);
        assert_ptr_equal((cmw_arena_alloc)(&f->arena, bytes), piece);
        assert_ptr_equal((cmw_arena_alloc_text)(&f->arena, bytes), text);
        assert_int_equal(cmw_arena_used(&f->arena), used);
    }
}

static void text_loses_no_byte_to_padding(void **state)
{
    struct fixture *f = *state;
    const char *start = cmw_arena_alloc_text(&f->arena, 3);

    assert_ptr_equal(start, f->first);
    assert_ptr_equal(cmw_arena_alloc_text(&f->arena, 5), start + 3);
    assert_ptr_equal(cmw_arena_alloc_text(&f->arena, 0), start + 8);
    assert_ptr_equal(take(f, 1), start + 16);
    assert_int_equal(cmw_arena_used(&f->arena), 32); /* an aligned piece is rounded up */
}

static void the_first_chunk_is_used_to_its_last_byte(void **state)
{
    struct fixture *f = *state;

    assert_ptr_equal(take(f, FIRST_BYTES), f->first);
    assert_non_null(cmw_arena_alloc(&f->arena, 0));
    assert_null(f->arena.block);
    take(f, 1);
    assert_non_null(f->arena.block);
    assert_int_equal(f->list.alloc_calls, 1);
}

static void an_unaligned_end_is_left_out(void **state)
{
    struct fixture *f = *state;

    cmw__arena_init(&f->arena, &f->list, f->first, f->first + 47, SIZE_MAX);
    assert_ptr_equal(cmw_arena_alloc_text(&f->arena, 31), f->first);
    assert_non_null(cmw_arena_alloc(&f->arena, 0)); /* at byte 32, the end */
    take(f, 1);
    assert_non_null(f->arena.block);
    cmw__arena_reset(&f->arena);
    assert_ptr_equal(take(f, 32), f->first);
    take(f, 1);
    assert_non_null(f->arena.block);
}

static void blocks_double(void **state)
{
    struct fixture *f = *state;

    for (uint32_t shift = CMW__BLOCK_MIN_SHIFT; shift < 18; shift++) {
        take(f, (size_t)(f->arena.room.end - f->arena.room.cursor));
        take(f, 1);
        assert_int_equal(f->arena.block->shift, shift);
    }
    assert_int_equal(f->arena.taken_bytes, (1 << 18) - (1 << 12));
}

static void a_large_piece_gets_a_block_of_its_size(void **state)
{
    struct fixture *f = *state;

    take(f, 100000);
    assert_int_equal(f->arena.block->shift, 17);
    assert_int_equal(cmw_arena_used(&f->arena), FIRST_BYTES + 100000);
}

static void sizes_that_wrap_around_are_refused(void **state)
{
    struct fixture *f = *state;

    take(f, 1);
    for (size_t less = 0; less < 64; less++) {
        assert_null(cmw_arena_alloc(&f->arena, SIZE_MAX - less));
        assert_null(cmw_arena_alloc_text(&f->arena, SIZE_MAX - less));
    }
    assert_null(cmw_arena_alloc(&f->arena, (size_t)1 << CMW__BLOCK_MAX_SHIFT));
    assert_int_equal(f->list.alloc_calls, 0);
}

static void a_failed_block_leaves_the_arena_usable(void **state)
{
    struct fixture *f = *state;
    char *piece = take(f, 200);

    f->allocator.fail_at = f->allocator.calls + 1;
    assert_null(cmw_arena_alloc(&f->arena, 1000));
    assert_int_equal(f->arena.taken_bytes, 0);
    assert_ptr_equal(take(f, 16), piece + 208);
    take(f, 1000);
}

static void when_a_doubled_block_is_refused_a_smaller_one_is_tried(void **state)
{
    struct fixture *f = *state;

    take(f, 30000);
    f->allocator.fail_at = f->allocator.calls + 1;
    take(f, 4000);
    assert_int_equal(f->arena.block->shift, 12);
}

/* ---- Limit ------------------------------------------------------------------------------ */

static void the_limit_bounds_the_sum_of_blocks(void **state)
{
    struct fixture *f = *state;

    begin_arena(f, 3 * 4096);
    take(f, 4000);                                 /* 4 KiB */
    take(f, 4000);                                 /* 8 KiB: the limit */
    take(f, 4000);                                 /* still fits there */
    assert_null(cmw_arena_alloc(&f->arena, 4000)); /* a third block is too much */
    assert_int_equal(f->arena.taken_bytes, 3 * 4096);
    assert_non_null(cmw_arena_alloc(&f->arena, 100)); /* what is left is still given */
}

static void near_the_limit_a_block_is_no_larger_than_needed(void **state)
{
    struct fixture *f = *state;

    begin_arena(f, 4 * 4096);
    take(f, 4000);
    take(f, 8000);
    take(f, 4000); /* doubling would need 16 KiB, 4 KiB are left */
    assert_int_equal(f->arena.block->shift, 12);
    assert_int_equal(f->arena.taken_bytes, 4 * 4096);
}

static void a_limit_below_the_smallest_block_allows_none(void **state)
{
    struct fixture *f = *state;

    begin_arena(f, 4095);
    take(f, FIRST_BYTES);
    assert_null(cmw_arena_alloc(&f->arena, 1));
    assert_int_equal(f->list.alloc_calls, 0);
}

static void a_free_block_above_the_limit_is_not_taken(void **state)
{
    struct fixture *f = *state;

    cmw__block_put(&f->list, cmw__block_take(&f->list, 100000));
    begin_arena(f, 8192);
    take(f, 4000);
    assert_int_equal(f->arena.block->shift, 12);
}

static void a_piece_above_the_limit_is_refused_without_a_call(void **state)
{
    struct fixture *f = *state;

    begin_arena(f, 1 << 20);
    assert_null(cmw_arena_alloc(&f->arena, 1 << 20)); /* with its head it needs 2 MiB */
    take(f, (1 << 20) - sizeof(struct cmw__block));
    assert_int_equal(f->list.alloc_calls, 1);
}

/* ---- Warmth ----------------------------------------------------------------------------- */

static void play_request(struct fixture *f)
{
    static const size_t sizes[] = {100, 5000, 10, 70000, 3, 0, 4096, 200000, 16, 12000};

    for (size_t i = 0; i < LEN(sizes); i++)
        take(f, sizes[i]);
    cmw__arena_reset(&f->arena);
}

static void the_second_request_of_the_same_sizes_calls_no_allocator(void **state)
{
    struct fixture *f = *state;

    play_request(f);
    const unsigned calls = f->allocator.calls;
    const uint64_t pool_calls = f->list.alloc_calls;
    for (int i = 0; i < 10; i++)
        play_request(f);
    assert_int_equal(f->allocator.calls, calls);
    assert_int_equal(f->list.alloc_calls, pool_calls);
}

static void a_reset_arena_begins_anew(void **state)
{
    struct fixture *f = *state;

    take(f, 100);
    take(f, 100000);
    cmw__arena_reset(&f->arena);
    assert_int_equal(cmw_arena_used(&f->arena), 0);
    assert_int_equal(f->arena.taken_bytes, 0);
    assert_ptr_equal(take(f, 1), f->first);
}

/* ---- Copies ----------------------------------------------------------------------------- */

static void a_copy_ends_with_a_nul(void **state)
{
    struct fixture *f = *state;
    cmw_str copy;

    assert_int_equal(cmw_arena_dup(&f->arena, &copy, CMW_STR("a\0b")), 0);
    assert_int_equal(copy.len, 3);
    assert_memory_equal(copy.data, "a\0b", 4);
    assert_int_equal(cmw_arena_dup(&f->arena, &copy, cmw_str_make(NULL, 0)), 0);
    assert_int_equal(copy.len, 0);
    assert_string_equal(copy.data, "");
}

static void a_copy_that_fails_changes_nothing(void **state)
{
    struct fixture *f = *state;
    cmw_str copy = CMW_STR("before");

    begin_arena(f, 1);
    assert_int_equal(cmw_arena_dup(&f->arena, &copy, cmw_str_make("x", SIZE_MAX)), CMW_ERR_NOMEM);
    assert_int_equal(cmw_arena_dup(&f->arena, &copy, cmw_str_make("x", 5000)), CMW_ERR_NOMEM);
    assert_string_equal(copy.data, "before");
}

static void the_newest_piece_grows_and_shrinks_in_place(void **state)
{
    struct fixture *f = *state;
    char *older = take(f, 16);
    char *piece = cmw_arena_alloc_text(&f->arena, 10);

    assert_true(cmw__arena_extend(&f->arena, piece, 10, 100));
    memset(piece, 'x', 100);
    assert_true(cmw__arena_extend(&f->arena, piece, 100, 7));
    assert_ptr_equal(cmw_arena_alloc_text(&f->arena, 1), piece + 7);
    assert_false(cmw__arena_extend(&f->arena, piece, 7, 8)); /* no longer the newest */
    assert_false(cmw__arena_extend(&f->arena, older, 16, 17));
    piece = cmw_arena_alloc_text(&f->arena, 1);
    assert_false(cmw__arena_extend(&f->arena, piece, 1, FIRST_BYTES));
    assert_false(cmw__arena_extend(&f->arena, piece, 1, SIZE_MAX));
}

/* ---- Clean-ups -------------------------------------------------------------------------- */

struct note {
    struct fixture *fixture;
    char letter;
    char *piece; /* of the arena, taken before: must still be there */
};

static void write_note(void *object)
{
    const struct note *note = object;
    const size_t len = strlen(note->fixture->log);

    if (note->piece)
        assert_int_equal(note->piece[99], 'p');
    note->fixture->log[len] = note->letter;
}

/* The note lies in the arena that it is about. */
static void defer_note(struct fixture *f, char letter, char *piece)
{
    struct note *note = cmw_arena_alloc(&f->arena, sizeof *note);

    assert_non_null(note);
    *note = (struct note){.fixture = f, .letter = letter, .piece = piece};
    assert_int_equal(cmw_arena_defer(&f->arena, write_note, note), 0);
}

static void clean_ups_run_in_reverse_order_before_memory_goes(void **state)
{
    struct fixture *f = *state;

    defer_note(f, 'a', take(f, 100));
    defer_note(f, 'b', take(f, 6000));
    defer_note(f, 'c', take(f, 100000));
    cmw__arena_reset(&f->arena);
    assert_string_equal(f->log, "cba");
    cmw__arena_reset(&f->arena);
    assert_string_equal(f->log, "cba");
}

static void a_clean_up_that_cannot_be_registered_is_not(void **state)
{
    struct fixture *f = *state;

    begin_arena(f, 1);
    take(f, FIRST_BYTES);
    assert_int_equal(cmw_arena_defer(&f->arena, write_note, f), CMW_ERR_NOMEM);
    assert_int_equal(cmw_arena_defer(&f->arena, NULL, f), CMW_ERR_ARG);
    cmw__arena_reset(&f->arena);
    assert_string_equal(f->log, "");
}

/* ---- Marks ------------------------------------------------------------------------------ */

static void rewinding_runs_and_releases_what_came_after_the_mark(void **state)
{
    struct fixture *f = *state;

    defer_note(f, 'a', take(f, 100));
    const cmw_arena_mark mark = cmw_arena_get_mark(&f->arena);
    const size_t used = cmw_arena_used(&f->arena);
    defer_note(f, 'b', take(f, 5000));
    defer_note(f, 'c', take(f, 50000));
    assert_int_equal(cmw_arena_rewind(&f->arena, mark), 0);
    assert_string_equal(f->log, "cb");
    assert_int_equal(cmw_arena_used(&f->arena), used);
    assert_int_equal(f->arena.taken_bytes, 0);
    assert_int_equal(cmw_arena_rewind(&f->arena, mark), 0); /* there already */
    cmw__arena_reset(&f->arena);
    assert_string_equal(f->log, "cba");
}

static void a_mark_within_a_block_keeps_that_block(void **state)
{
    struct fixture *f = *state;
    char *kept = take(f, 5000);
    const cmw_arena_mark mark = cmw_arena_get_mark(&f->arena);
    char *next = take(f, 10);

    take(f, 20000);
    assert_int_equal(cmw_arena_rewind(&f->arena, mark), 0);
    assert_int_equal(f->arena.taken_bytes, 8192);
    assert_int_equal(kept[4999], 'p');
    assert_ptr_equal(take(f, 10), next);
}

static void a_mark_that_lies_ahead_is_refused(void **state)
{
    struct fixture *f = *state;
    const cmw_arena_mark early = cmw_arena_get_mark(&f->arena);

    defer_note(f, 'a', NULL);
    const cmw_arena_mark late = cmw_arena_get_mark(&f->arena);
    take(f, 5000);
    const cmw_arena_mark in_block = cmw_arena_get_mark(&f->arena);
    assert_int_equal(cmw_arena_rewind(&f->arena, early), 0);
    assert_int_equal(cmw_arena_rewind(&f->arena, late), CMW_ERR_ARG);
    assert_int_equal(cmw_arena_rewind(&f->arena, in_block), CMW_ERR_ARG);
    assert_int_equal(cmw_arena_used(&f->arena), 0);
}

static void a_mark_of_another_arena_is_refused(void **state)
{
    struct fixture *f = *state;
    cmw_arena *other = NULL;

    assert_int_equal(cmw_arena_create(&other, f->pool, 0), 0);
    assert_int_equal(cmw_arena_rewind(&f->arena, cmw_arena_get_mark(other)), CMW_ERR_ARG);
    assert_non_null(cmw_arena_alloc(other, 100));
    assert_int_equal(cmw_arena_rewind(&f->arena, cmw_arena_get_mark(other)), CMW_ERR_ARG);

    cmw_arena_mark mixed = cmw_arena_get_mark(&f->arena);
    mixed.cleanup = other;
    assert_int_equal(cmw_arena_rewind(&f->arena, mixed), CMW_ERR_ARG);
    mixed = cmw_arena_get_mark(&f->arena);
    mixed.cursor = f->reserve;
    assert_int_equal(cmw_arena_rewind(&f->arena, mixed), CMW_ERR_ARG);
    cmw_arena_destroy(other);
}

/* ---- Reserve ---------------------------------------------------------------------------- */

static void a_reserve_serves_when_the_limit_is_reached(void **state)
{
    struct fixture *f = *state;

    begin_arena(f, 1);
    take(f, FIRST_BYTES);
    const cmw_arena_mark before = cmw_arena_get_mark(&f->arena);
    assert_null(cmw_arena_alloc(&f->arena, 32));
    cmw__arena_use_reserve(&f->arena, f->reserve, f->reserve + sizeof f->reserve);
    take(f, 32);
    const cmw_arena_mark within = cmw_arena_get_mark(&f->arena);
    take(f, sizeof f->reserve - 16 - 32);
    assert_null(cmw_arena_alloc(&f->arena, 1));
    assert_int_equal(cmw_arena_used(&f->arena), FIRST_BYTES + sizeof f->reserve - 16);

    assert_int_equal(cmw_arena_rewind(&f->arena, within), 0);
    take(f, 1);
    assert_int_equal(cmw_arena_rewind(&f->arena, before), 0);
    assert_null(f->arena.block);
    assert_int_equal(f->list.nonempty, 0);
}

/* ---- An arena of one's own -------------------------------------------------------------- */

static void an_own_arena_gives_all_back(void **state)
{
    struct fixture *f = *state;
    cmw_arena *arena = NULL;

    assert_int_equal(cmw_arena_create(&arena, f->pool, 1 << 16), 0);
    assert_int_equal(f->allocator.calls, 2); /* the pool and the arena */
    assert_non_null(cmw_arena_alloc(arena, 0));
    assert_int_equal(cmw_arena_used(arena), 0);
    assert_non_null(cmw_arena_alloc(arena, 20000));
    assert_null(cmw_arena_alloc(arena, 40000)); /* 32 + 64 KiB are above the limit */
    struct note note = {.fixture = f, .letter = 'a'};
    assert_int_equal(cmw_arena_defer(arena, write_note, &note), 0);
    cmw_arena_destroy(arena);
    assert_string_equal(f->log, "a");
    cmw_arena_destroy(NULL);
}

static void an_own_arena_needs_a_pool_and_memory(void **state)
{
    struct fixture *f = *state;
    cmw_arena *arena = NULL;

    assert_int_equal(cmw_arena_create(&arena, NULL, 0), CMW_ERR_ARG);
    assert_int_equal(cmw_arena_create(NULL, f->pool, 0), CMW_ERR_ARG);
    f->allocator.fail_at = f->allocator.calls + 1;
    assert_int_equal(cmw_arena_create(&arena, f->pool, 0), CMW_ERR_NOMEM);
    assert_null(arena);
}

/* What a program may do with an arena; which steps fail does not matter here. */
static void use_all(cmw_arena *arena, struct note *note)
{
    const cmw_arena_mark mark = cmw_arena_get_mark(arena);
    cmw_str copy;

    for (size_t bytes = 1; bytes < 100000; bytes *= 7) {
        char *piece = cmw_arena_alloc(arena, bytes);
        if (piece)
            memset(piece, 'x', bytes);
        (void)!cmw_arena_dup(arena, &copy, CMW_STR("copied"));
        (void)!cmw_arena_defer(arena, write_note, note);
    }
    assert_int_equal(cmw_arena_rewind(arena, mark), 0);
}

static void every_single_failure_is_clean(void **state)
{
    struct fixture *f = *state;
    struct note note = {.fixture = f, .letter = 'a'};

    do {
        cmw_arena *arena = NULL;
        f->allocator.calls = 0;
        f->allocator.fail_at++;
        if (cmw_arena_create(&arena, f->pool, 0) == 0)
            use_all(arena, &note);
        cmw_arena_destroy(arena);
        assert_int_equal(f->allocator.live, 1); /* the pool itself */
        memset(f->log, 0, sizeof f->log);
    } while (f->allocator.calls >= f->allocator.fail_at); /* until none failed */
    assert_true(f->allocator.fail_at > 3);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(pieces_are_aligned_and_apart),
        TEST(pieces_in_line_are_those_of_the_call),
        TEST(text_loses_no_byte_to_padding),
        TEST(the_first_chunk_is_used_to_its_last_byte),
        TEST(an_unaligned_end_is_left_out),
        TEST(blocks_double),
        TEST(a_large_piece_gets_a_block_of_its_size),
        TEST(sizes_that_wrap_around_are_refused),
        TEST(a_failed_block_leaves_the_arena_usable),
        TEST(when_a_doubled_block_is_refused_a_smaller_one_is_tried),
        TEST(the_limit_bounds_the_sum_of_blocks),
        TEST(near_the_limit_a_block_is_no_larger_than_needed),
        TEST(a_limit_below_the_smallest_block_allows_none),
        TEST(a_free_block_above_the_limit_is_not_taken),
        TEST(a_piece_above_the_limit_is_refused_without_a_call),
        TEST(the_second_request_of_the_same_sizes_calls_no_allocator),
        TEST(a_reset_arena_begins_anew),
        TEST(a_copy_ends_with_a_nul),
        TEST(a_copy_that_fails_changes_nothing),
        TEST(the_newest_piece_grows_and_shrinks_in_place),
        TEST(clean_ups_run_in_reverse_order_before_memory_goes),
        TEST(a_clean_up_that_cannot_be_registered_is_not),
        TEST(rewinding_runs_and_releases_what_came_after_the_mark),
        TEST(a_mark_within_a_block_keeps_that_block),
        TEST(a_mark_that_lies_ahead_is_refused),
        TEST(a_mark_of_another_arena_is_refused),
        TEST(a_reserve_serves_when_the_limit_is_reached),
        TEST(an_own_arena_gives_all_back),
        TEST(an_own_arena_needs_a_pool_and_memory),
        TEST(every_single_failure_is_clean),
    };
    return cmocka_run_group_tests_name("arena", tests, NULL, NULL);
}
