/* SPDX-License-Identifier: MIT */
/* The ring of lines: whole lines in order, none twice, whatever the rhythm. */
#include "log_ring.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "test.h"

enum { CAP = 4096 };

struct bench {
    struct cmw__log_ring ring;
    _Alignas(64) char buffer[CAP + CAP / 2];
    uint64_t next_in, next_out;
    uint64_t lost;
};

static struct bench *open_ring(void)
{
    struct bench *bench = aligned_alloc(64, (sizeof *bench + 63) / 64 * 64);

    assert_non_null(bench);
    memset(bench, 0, sizeof *bench);
    assert_int_equal(cmw__log_ring_bytes(CAP), sizeof bench->buffer);
    cmw__log_ring_init(&bench->ring, bench->buffer, CAP);
    return bench;
}

/* A line of `len` bytes: a number in 16 digits, then letters that go with it, a line end. */
static void make_line(char *to, uint64_t number, size_t len)
{
    char digits[24];

    (void)snprintf(digits, sizeof digits, "%016llx", (unsigned long long)number);
    memcpy(to, digits, 16);
    memset(to + 16, (int)('a' + number % 26), len - 17);
    to[len - 1] = '\n';
}

static int put(struct bench *bench, size_t len)
{
    char *line = cmw__log_ring_begin(&bench->ring);

    make_line(line, bench->next_in, len);
    const int is_in = cmw__log_ring_commit(&bench->ring, line, len);
    bench->lost += !is_in;
    bench->next_in += (uint64_t)is_in;
    return is_in;
}

/* Look at the lines: each whole, its number the next. */
static void check_lines(struct bench *bench, cmw_str text)
{
    while (text.len > 0) {
        char want[CAP];
        const char *end = memchr(text.data, '\n', text.len);
        assert_non_null(end);
        const size_t len = (size_t)(end - text.data) + 1;
        make_line(want, bench->next_out++, len);
        assert_memory_equal(text.data, want, len);
        text = cmw_str_make(text.data + len, text.len - len);
    }
}

/* Take what is there in one piece; 0: nothing. */
static size_t take(struct bench *bench)
{
    const cmw_str text = cmw__log_ring_read(&bench->ring);
    check_lines(bench, text);
    cmw__log_ring_consume(&bench->ring, text.len);
    return text.len;
}

static void an_empty_ring_has_nothing_to_read(void **state)
{
    struct bench *bench = open_ring();

    (void)state;
    assert_int_equal(take(bench), 0);
    assert_true(put(bench, 100));
    assert_int_equal(take(bench), 100);
    assert_int_equal(take(bench), 0);
    free(bench);
}

static void a_full_ring_loses_lines_and_says_how_many(void **state)
{
    struct bench *bench = open_ring();
    size_t held = 0;

    (void)state;
    for (int i = 0; i < 100; i++)
        held += (size_t)put(bench, 100);
    assert_int_equal(held, CAP / 100);
    assert_int_equal(atomic_load(&bench->ring.lines), held);
    assert_int_equal(atomic_load(&bench->ring.lost), 100 - held);
    while (take(bench) > 0)
        continue;
    assert_int_equal(bench->next_out, held);
    assert_true(put(bench, 100));
    assert_int_equal(take(bench), 100);
    free(bench);
}

/* The longest line finds room in an empty ring, wherever its head stands. */
static void the_longest_line_always_fits_an_empty_ring(void **state)
{
    struct bench *bench = open_ring();
    const size_t longest = cmw__log_ring_line_cap(CAP);

    (void)state;
    for (size_t step = 17; step < 200; step++) {
        assert_true(put(bench, longest));
        while (take(bench) > 0)
            continue;
        assert_true(put(bench, step));
        while (take(bench) > 0)
            continue;
    }
    assert_int_equal(bench->next_out, bench->next_in);
    assert_int_equal(bench->lost, 0);
    free(bench);
}

static void a_line_that_ends_with_the_buffer_needs_no_pad(void **state)
{
    struct bench *bench = open_ring();

    (void)state;
    for (int lap = 0; lap < 3; lap++) {
        for (int i = 0; i < 4; i++)
            assert_true(put(bench, CAP / 4));
        assert_false(put(bench, 17));
        assert_int_equal(take(bench), CAP);
    }
    free(bench);
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* A few lines in, a few bytes out, at random, many times around. */
static void any_rhythm_keeps_lines_whole_and_in_order(void **state)
{
    struct bench *bench = open_ring();
    uint32_t seed = 1;

    (void)state;
    for (int i = 0; i < 200000; i++) {
        const uint32_t number = next_random(&seed);
        if (number % 3 != 0)
            (void)put(bench, 17 + next_random(&seed) % (number % 7 ? 300 : CAP / 2 - 17));
        else
            (void)take(bench);
    }
    while (take(bench) > 0)
        continue;
    assert_int_equal(bench->next_out, bench->next_in);
    assert_true(bench->lost > 0);
    assert_int_equal(bench->lost, atomic_load(&bench->ring.lost));
    free(bench);
}

enum { THREAD_LINES = 100000 };

static void *make_lines(void *self)
{
    struct bench *bench = self;
    uint32_t seed = 3;

    while (bench->next_in < THREAD_LINES)
        if (!put(bench, 17 + next_random(&seed) % 500))
            (void)sched_yield();
    return NULL;
}

static void two_threads_need_no_lock(void **state)
{
    struct bench *bench = open_ring();
    pthread_t maker;

    (void)state;
    assert_int_equal(pthread_create(&maker, NULL, make_lines, bench), 0);
    while (bench->next_out < THREAD_LINES)
        if (take(bench) == 0)
            (void)sched_yield();
    assert_int_equal(pthread_join(maker, NULL), 0);
    assert_int_equal(bench->next_out, bench->next_in);
    free(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_ring_has_nothing_to_read),
        cmocka_unit_test(a_full_ring_loses_lines_and_says_how_many),
        cmocka_unit_test(the_longest_line_always_fits_an_empty_ring),
        cmocka_unit_test(a_line_that_ends_with_the_buffer_needs_no_pad),
        cmocka_unit_test(any_rhythm_keeps_lines_whole_and_in_order),
        cmocka_unit_test(two_threads_need_no_lock),
    };
    return cmocka_run_group_tests_name("log ring", tests, NULL, NULL);
}
