/* SPDX-License-Identifier: MIT */
/* The table of limits: places, what is forgotten and what is not, threads and processes. */
#include "test.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catzilla/builtin/rate_limit.h>

#include "rate_table.h"

#define S UINT64_C(1000000000)

/* Hashes whose bucket is the one they name, in any table of these tests. */
#define HASH(number, bucket) ((uint64_t)(number) << 40 | (uint64_t)(bucket) << 24 | 2)

struct fixture {
    void *memory;
    size_t bytes;
    struct cmw__rate_table table;
};

static void *map_shared(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    return memory;
}

static void set_gcra(struct cmw__rate_table *table, uint64_t limit, uint64_t burst)
{
    table->core.algorithm = CMW_RATE_GCRA;
    assert_int_equal(cmw__gcra_init(&table->core.as.gcra, limit, S, burst), 0);
}

static void set_fixed(struct cmw__rate_table *table, uint64_t limit)
{
    table->core.algorithm = CMW_RATE_FIXED_WINDOW;
    cmw__fixed_window_init(&table->core.as.window, limit, 1000);
}

static void set_sliding(struct cmw__rate_table *table, uint64_t limit)
{
    uint64_t least;
    table->core.algorithm = CMW_RATE_SLIDING_WINDOW;
    assert_int_equal(cmw__sliding_window_init(&table->core.as.window, limit, 1000, &least), 0);
}

static void open_fixture(struct fixture *fixture, uint64_t entries)
{
    fixture->bytes = cmw__rate_memory_bytes(1, entries);
    fixture->memory = map_shared(fixture->bytes);
    assert_int_equal(cmw__rate_memory_open(fixture->memory, 1, entries, 7), 0);
    cmw__rate_table_open(&fixture->table, fixture->memory, 0);
    set_gcra(&fixture->table, 1, 1);
}

static void close_fixture(struct fixture *fixture)
{
    assert_int_equal(munmap(fixture->memory, fixture->bytes), 0);
}

static int take(const struct cmw__rate_table *table, uint64_t hash, uint64_t now_ns)
{
    struct cmw__rate_step step;
    struct cmw__rate_taken taken;
    return (int)cmw__rate_table_take(table, hash, now_ns, 1, &step, &taken);
}

/* ---- Places ----------------------------------------------------------------------------- */

static void each_key_has_its_own_quota(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, 4);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(take(&fixture.table, HASH(i, 0), S), CMW__RATE_PASSES);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(take(&fixture.table, HASH(i, 0), S), CMW__RATE_REFUSED);
    close_fixture(&fixture);
}

static void the_quick_way_and_the_general_one_agree(void **state)
{
    struct fixture fixture;

    (void)state;
    uint64_t left, reset;

    open_fixture(&fixture, 64);
    set_gcra(&fixture.table, 10, 3);
    assert_int_equal(cmw__rate_table_take_quickly(&fixture.table, HASH(1, 5), S, &left, &reset), 0);
    assert_int_equal(take(&fixture.table, HASH(1, 5), S), CMW__RATE_PASSES);
    for (uint64_t i = 0; i < 2; i++) {
        assert_int_equal(cmw__rate_table_take_quickly(&fixture.table, HASH(1, 5), S, &left, &reset),
                         1);
        assert_int_equal(left, 1 - i);
        assert_int_equal(reset, (2 + i) * S / 10);
    }
    assert_int_equal(cmw__rate_table_take_quickly(&fixture.table, HASH(1, 5), S, &left, &reset), 0);
    atomic_fetch_or(&fixture.table.buckets[5].states[0], CMW__RATE_BUSY);
    assert_int_equal(cmw__rate_table_take_quickly(&fixture.table, HASH(1, 5), 9 * S, &left, &reset),
                     0);
    atomic_fetch_and(&fixture.table.buckets[5].states[0], ~CMW__RATE_BUSY);
    assert_int_equal(take(&fixture.table, HASH(1, 5), S), CMW__RATE_REFUSED);
    assert_int_equal(take(&fixture.table, HASH(1, 5), S + S / 10), CMW__RATE_PASSES);
    close_fixture(&fixture);
}

static void a_full_bucket_keeps_who_is_in_it(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, 4);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(take(&fixture.table, HASH(i, 0), S), CMW__RATE_PASSES);
    for (uint64_t i = 4; i < 1000; i++)
        assert_int_equal(take(&fixture.table, HASH(i, 0), S + S / 2), CMW__RATE_FULL);
    for (uint64_t i = 0; i < 4; i++) /* the flood has reset nobody */
        assert_int_equal(take(&fixture.table, HASH(i, 0), S + S / 2), CMW__RATE_REFUSED);
    close_fixture(&fixture);
}

static void only_what_has_expired_is_forgotten(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, 4);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(take(&fixture.table, HASH(i, 0), S + i * S / 10), CMW__RATE_PASSES);
    /* The first one's quota is whole again at 2 s: its place, and only its, may be taken. */
    assert_int_equal(take(&fixture.table, HASH(8, 0), 2 * S + 1), CMW__RATE_PASSES);
    assert_int_equal(take(&fixture.table, HASH(9, 0), 2 * S + 1), CMW__RATE_FULL);
    for (uint64_t i = 1; i < 4; i++)
        assert_int_equal(take(&fixture.table, HASH(i, 0), 2 * S + 1), CMW__RATE_REFUSED);
    close_fixture(&fixture);
}

static void a_refused_first_request_takes_no_place(void **state)
{
    struct fixture fixture;
    struct cmw__rate_step step;
    struct cmw__rate_taken taken;

    (void)state;
    open_fixture(&fixture, 4);
    for (uint64_t i = 0; i < 100; i++)
        assert_int_equal(cmw__rate_table_take(&fixture.table, HASH(i, 0), S, 2, &step, &taken),
                         CMW__RATE_REFUSED);
    for (uint64_t i = 0; i < 4; i++)
        assert_int_equal(take(&fixture.table, HASH(i, 0), S), CMW__RATE_PASSES);
    close_fixture(&fixture);
}

static void a_refund_can_be_taken_again(void **state)
{
    struct fixture fixture;

    (void)state;
    open_fixture(&fixture, 4);
    for (int kind = 0; kind < 3; kind++) {
        struct cmw__rate_step step;
        struct cmw__rate_taken taken;
        const uint64_t hash = HASH(50 + kind, 0), now = 1000 * S * (uint64_t)(kind + 1);
        if (kind == 1)
            set_fixed(&fixture.table, 1);
        if (kind == 2)
            set_sliding(&fixture.table, 1);
        memset((char *)fixture.memory + sizeof(struct cmw__rate_head), 0,
               sizeof(struct cmw__rate_bucket));
        assert_int_equal(cmw__rate_table_take(&fixture.table, hash, now, 1, &step, &taken),
                         CMW__RATE_PASSES);
        assert_int_equal(take(&fixture.table, hash, now), CMW__RATE_REFUSED);
        cmw__rate_table_refund(&fixture.table, hash, now, 1, &taken);
        assert_int_equal(take(&fixture.table, hash, now), CMW__RATE_PASSES);
        assert_int_equal(take(&fixture.table, hash, now), CMW__RATE_REFUSED);
    }
    close_fixture(&fixture);
}

static void a_refund_does_not_go_to_who_came_later(void **state)
{
    struct fixture fixture;
    struct cmw__rate_step step;
    struct cmw__rate_taken taken;

    (void)state;
    open_fixture(&fixture, 4);
    assert_int_equal(cmw__rate_table_take(&fixture.table, HASH(1, 0), S, 1, &step, &taken),
                     CMW__RATE_PASSES);
    for (uint64_t i = 2; i < 6; i++) /* all forget the first one */
        assert_int_equal(take(&fixture.table, HASH(i, 0), 9 * S), CMW__RATE_PASSES);
    cmw__rate_table_refund(&fixture.table, HASH(1, 0), 9 * S, 1, &taken);
    for (uint64_t i = 2; i < 6; i++)
        assert_int_equal(take(&fixture.table, HASH(i, 0), 9 * S), CMW__RATE_REFUSED);
    close_fixture(&fixture);
}

/* A process killed while it put in a key leaves bits behind. */
static void a_place_that_a_dead_process_held_is_used_again(void **state)
{
    (void)state;
    for (size_t way = 0; way < CMW__RATE_WAYS; way++) {
        struct fixture fixture;
        open_fixture(&fixture, 4);
        struct cmw__rate_bucket *bucket = fixture.table.buckets;
        for (uint64_t i = 0; i < 4; i++)
            assert_int_equal(take(&fixture.table, HASH(i, 0), S), CMW__RATE_PASSES);
        atomic_fetch_or(&bucket->states[way], CMW__RATE_BUSY);
        assert_int_equal(take(&fixture.table, HASH(way, 0), S), CMW__RATE_REFUSED);
        atomic_fetch_or(&bucket->states[way], CMW__RATE_BUSY);
        assert_int_equal(take(&fixture.table, HASH(9, 0), S), CMW__RATE_FULL);
        for (uint64_t i = 10; i < 14; i++)
            assert_int_equal(take(&fixture.table, HASH(i, 0), 3 * S), CMW__RATE_PASSES);
        close_fixture(&fixture);
    }
}

/* ---- Memory ----------------------------------------------------------------------------- */

static void memory_is_opened_only_for_what_it_was_made_for(void **state)
{
    const size_t bytes = cmw__rate_memory_bytes(2, 1000);
    void *memory = map_shared(bytes);

    (void)state;
    assert_int_equal(cmw__rate_memory_open(memory, 2, 1000, 7), 0);
    assert_int_equal(cmw__rate_memory_open(memory, 2, 1000, 7), 0);
    assert_int_equal(cmw__rate_memory_open(memory, 2, 1000, 8), CMW_ERR_CONFLICT);
    assert_int_equal(cmw__rate_memory_open(memory, 1, 1000, 7), CMW_ERR_CONFLICT);
    assert_int_equal(cmw__rate_memory_open(memory, 2, 4000, 7), CMW_ERR_CONFLICT);
    memset(memory, 0xa5, bytes);
    assert_int_equal(cmw__rate_memory_open(memory, 2, 1000, 7), CMW_ERR_CONFLICT);
    assert_int_equal(munmap(memory, bytes), 0);
}

static void memory_that_nobody_finishes_is_not_waited_for_without_end(void **state)
{
    const size_t bytes = cmw__rate_memory_bytes(1, 4);
    struct cmw__rate_head *head = map_shared(bytes);

    (void)state;
    atomic_store(&head->stage, 1);
    assert_int_equal(cmw__rate_memory_open(head, 1, 4, 7), CMW_ERR_STATE);
    assert_int_equal(munmap(head, bytes), 0);
}

static void sizes_are_powers_of_two_of_buckets(void **state)
{
    const size_t head = sizeof(struct cmw__rate_head);

    (void)state;
    assert_int_equal(cmw__rate_memory_bytes(1, 1), head + 64);
    assert_int_equal(cmw__rate_memory_bytes(1, 4), head + 64);
    assert_int_equal(cmw__rate_memory_bytes(1, 5), head + 128);
    assert_int_equal(cmw__rate_memory_bytes(3, 65536), head + (size_t)3 * 1024 * 1024);
    assert_int_equal(cmw__rate_memory_bytes(1, CMW_RATE_ENTRIES_MAX + 1), 0);
    assert_int_equal(cmw__rate_memory_bytes(CMW_RATE_LIMITS_MAX + 1, 4), 0);
}

/* The same pages twice: what is taken by one address is seen by the other. */
static void tables_at_two_addresses_are_one(void **state)
{
    const size_t bytes = cmw__rate_memory_bytes(1, 64);
    FILE *file = tmpfile();
    struct cmw__rate_table tables[2];
    void *memory[2];

    (void)state;
    assert_non_null(file);
    assert_int_equal(ftruncate(fileno(file), (off_t)bytes), 0);
    for (size_t i = 0; i < 2; i++) {
        memory[i] = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(file), 0);
        assert_ptr_not_equal(memory[i], MAP_FAILED);
        assert_int_equal(cmw__rate_memory_open(memory[i], 1, 64, 7), 0);
        cmw__rate_table_open(&tables[i], memory[i], 0);
        set_gcra(&tables[i], 1, 1);
    }
    assert_int_equal(take(&tables[0], HASH(1, 3), S), CMW__RATE_PASSES);
    assert_int_equal(take(&tables[1], HASH(1, 3), S), CMW__RATE_REFUSED);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(munmap(memory[i], bytes), 0);
    fclose(file);
}

/* ---- Many at once ----------------------------------------------------------------------- */

enum { THREADS = 8, KEYS = 64, TRIES = 4000, LIMIT = 500 };

struct crowd {
    const struct cmw__rate_table *table;
    uint32_t bucket_bits; /* how many buckets the keys share */
    _Atomic uint32_t passed[KEYS];
    _Atomic uint32_t full;
    _Atomic int is_open;
};

static void *push(void *self)
{
    struct crowd *crowd = self;

    while (!atomic_load(&crowd->is_open))
        sched_yield();
    for (uint64_t i = 0; i < TRIES * KEYS / THREADS; i++) {
        const uint64_t key = i % KEYS;
        const int found =
            take(crowd->table, HASH(key, key & ((1u << crowd->bucket_bits) - 1)), 500 * S);
        if (found == CMW__RATE_PASSES)
            atomic_fetch_add(&crowd->passed[key], 1);
        if (found == CMW__RATE_FULL)
            atomic_fetch_add(&crowd->full, 1);
    }
    return NULL;
}

/* All threads push at the same keys at the same time: each key passes exactly its limit. */
static void check_crowd(struct cmw__rate_table *table, uint32_t bucket_bits)
{
    static struct crowd crowd;
    pthread_t threads[THREADS];

    memset(&crowd, 0, sizeof crowd);
    crowd.table = table;
    crowd.bucket_bits = bucket_bits;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, push, &crowd), 0);
    atomic_store(&crowd.is_open, 1);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    for (size_t i = 0; i < KEYS; i++)
        assert_int_equal(crowd.passed[i], LIMIT);
    assert_int_equal(crowd.full, 0);
}

static void threads_pass_exactly_the_limit(void **state)
{
    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct fixture fixture;
        open_fixture(&fixture, 64);
        if (kind == 0)
            set_gcra(&fixture.table, LIMIT, LIMIT);
        else if (kind == 1)
            set_fixed(&fixture.table, LIMIT);
        else
            set_sliding(&fixture.table, LIMIT);
        check_crowd(&fixture.table, 4); /* four keys a bucket: every place is in use */
        close_fixture(&fixture);
    }
}

/* All threads bring the same new keys, one after the other: each passes once. */
enum { NEW_KEYS = 20000 };

struct newcomers {
    const struct cmw__rate_table *table;
    _Atomic uint32_t next[THREADS]; /* how far each thread is */
    _Atomic uint32_t passed;
};

struct newcomer {
    struct newcomers *all;
    size_t index;
};

/* No thread is ahead of another by more than a key, so that they meet at it. */
static void *bring(void *self)
{
    const struct newcomer *own = self;
    struct newcomers *all = own->all;

    for (uint32_t i = 0; i < NEW_KEYS; i++) {
        for (size_t k = 0; k < THREADS; k++)
            while (atomic_load(&all->next[k]) < i)
                sched_yield();
        if (take(all->table, HASH(i, i), S) == CMW__RATE_PASSES)
            atomic_fetch_add(&all->passed, 1);
        atomic_fetch_add(&all->next[own->index], 1);
    }
    return NULL;
}

static void a_new_key_that_threads_bring_at_once_passes_once(void **state)
{
    static struct newcomers all;
    struct newcomer each[THREADS];
    struct fixture fixture;
    pthread_t threads[THREADS];

    (void)state;
    open_fixture(&fixture, (uint64_t)4 * NEW_KEYS);
    memset(&all, 0, sizeof all);
    all.table = &fixture.table;
    for (size_t i = 0; i < THREADS; i++) {
        each[i] = (struct newcomer){&all, i};
        assert_int_equal(pthread_create(&threads[i], NULL, bring, &each[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(all.passed, NEW_KEYS);
    close_fixture(&fixture);
}

/* Keys come and go while their places are fought for: a key that has a place passes its burst and
 * what comes back, not more. Time goes on, so that places expire. */
struct churn {
    const struct cmw__rate_table *table;
    _Atomic uint64_t now;
    _Atomic uint32_t passed[KEYS];
};

static void *churn_on(void *self)
{
    struct churn *churn = self;

    for (uint64_t i = 0; i < 20000; i++) {
        const uint64_t now = atomic_fetch_add(&churn->now, S / 1000);
        const uint64_t key = (i * 7 + now / S) % KEYS;
        if (take(churn->table, HASH(key, 0), now) == CMW__RATE_PASSES)
            atomic_fetch_add(&churn->passed[key], 1);
    }
    return NULL;
}

static void keys_that_fight_for_places_pass_no_more_than_their_rate(void **state)
{
    static struct churn churn;
    struct fixture fixture;
    pthread_t threads[THREADS];

    (void)state;
    open_fixture(&fixture, 4); /* one bucket for 64 keys */
    memset(&churn, 0, sizeof churn);
    churn.table = &fixture.table;
    churn.now = S;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn_on, &churn), 0);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    const uint64_t seconds = churn.now / S;
    uint64_t all = 0;
    for (size_t i = 0; i < KEYS; i++) {
        assert_in_range(churn.passed[i], 0, seconds + 1);
        all += churn.passed[i];
    }
    assert_in_range(all, seconds, 4 * (seconds + 1)); /* four places, one a second each */
    close_fixture(&fixture);
}

static void forked_processes_pass_exactly_the_limit(void **state)
{
    enum { CHILDREN = 4 };
    struct fixture fixture;
    pid_t children[CHILDREN];
    void *const counted = map_shared(sizeof(_Atomic uint32_t));
    _Atomic uint32_t *const passed = counted;

    (void)state;
    open_fixture(&fixture, 64);
    set_gcra(&fixture.table, LIMIT, LIMIT);
    for (size_t i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] > 0)
            continue;
        for (int k = 0; k < LIMIT; k++)
            if (take(&fixture.table, HASH(1, 1), S) == CMW__RATE_PASSES)
                atomic_fetch_add(passed, 1);
        _exit(0);
    }
    for (size_t i = 0; i < CHILDREN; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(*passed, LIMIT);
    close_fixture(&fixture);
    assert_int_equal(munmap(counted, sizeof *passed), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_key_has_its_own_quota),
        cmocka_unit_test(the_quick_way_and_the_general_one_agree),
        cmocka_unit_test(a_full_bucket_keeps_who_is_in_it),
        cmocka_unit_test(only_what_has_expired_is_forgotten),
        cmocka_unit_test(a_refused_first_request_takes_no_place),
        cmocka_unit_test(a_refund_can_be_taken_again),
        cmocka_unit_test(a_refund_does_not_go_to_who_came_later),
        cmocka_unit_test(a_place_that_a_dead_process_held_is_used_again),
        cmocka_unit_test(memory_is_opened_only_for_what_it_was_made_for),
        cmocka_unit_test(memory_that_nobody_finishes_is_not_waited_for_without_end),
        cmocka_unit_test(sizes_are_powers_of_two_of_buckets),
        cmocka_unit_test(tables_at_two_addresses_are_one),
        cmocka_unit_test(threads_pass_exactly_the_limit),
        cmocka_unit_test(a_new_key_that_threads_bring_at_once_passes_once),
        cmocka_unit_test(keys_that_fight_for_places_pass_no_more_than_their_rate),
        cmocka_unit_test(forked_processes_pass_exactly_the_limit),
    };
    return cmocka_run_group_tests_name("rate_table", tests, NULL, NULL);
}
