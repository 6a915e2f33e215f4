/* SPDX-License-Identifier: MIT */
/* cmw_memory_store: against a model, full, with values of every length, in its bytes. */
#include "builtin_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include <catzilla/store.h>

#define S UINT64_C(1000000000)

/* A store, and a request to ask it with. */
struct bench {
    cmw_test *test;
    cmw_ctx *ctx;
    cmw_memory_store *memory;
    cmw_store store;
    cmw_str owner; /* of what is asked next */
};

static void open_shared(struct bench *bench, int64_t max_bytes, int evicts, int64_t max_share)
{
    cmw_memory_store_config config;
    cmw_chain *chain = NULL;

    bench->owner = CMW_STR("");
    assert_int_equal(cmw_test_create(&bench->test, NULL), 0);
    cmw_engine *engine = cmw_test_engine(bench->test);
    assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
    assert_int_equal(cmw_chain_install(chain, NULL), 0);
    cmw_chain_destroy(chain);
    cmw_test_request(bench->test, "GET", "/");
    assert_int_equal(
        cmw_ctx_begin(cmw_test_worker(bench->test), &bench->ctx, cmw_test_view(bench->test)), 0);
    cmw_memory_store_config_init(&config);
    config.max_bytes = max_bytes;
    config.evicts = evicts;
    config.max_share = max_share;
    assert_int_equal(
        cmw_memory_store_create(&bench->memory, cmw_engine_pool(engine, CMW_POOL_PLAN), &config),
        0);
    bench->store = cmw_memory_store_interface(bench->memory);
}

static void open_store(struct bench *bench, int64_t max_bytes, int evicts)
{
    open_shared(bench, max_bytes, evicts, 100);
}

static void close_store(struct bench *bench)
{
    cmw_memory_store_destroy(bench->memory);
    cmw_ctx_end(bench->ctx, CMW_END_SENT);
    close_bench(bench->test);
}

static int add(struct bench *bench, cmw_str key, cmw_str value, uint64_t ttl_ns, uint64_t now_ns,
               cmw_store_item *item)
{
    const cmw_store_entry entry = {key, value, ttl_ns, now_ns, bench->owner};
    return bench->store.add(bench->store.self, bench->ctx, &entry, item);
}

static int replace(struct bench *bench, cmw_str key, cmw_str value, uint64_t now_ns,
                   uint64_t version)
{
    const cmw_store_entry entry = {key, value, 100 * S, now_ns, bench->owner};
    return bench->store.replace(bench->store.self, &entry, version);
}

static cmw_memory_store_stats stats_of(const struct bench *bench)
{
    cmw_memory_store_stats stats = {.size = sizeof stats};
    assert_int_equal(cmw_memory_store_get_stats(bench->memory, &stats), 0);
    return stats;
}

static void assert_value(const cmw_store_item *item, cmw_str value)
{
    assert_int_equal(item->value.len, value.len);
    if (value.len > 0)
        assert_memory_equal(item->value.data, value.data, value.len);
}

/* ---- One key ---------------------------------------------------------------------------- */

static void the_first_one_adds_and_others_find(void **state)
{
    struct bench bench;
    cmw_store_item item, again;

    (void)state;
    open_store(&bench, 65536, 0);
    assert_int_equal(add(&bench, CMW_STR("k"), CMW_STR("one"), S, 0, &item), CMW_STORE_ADDED);
    assert_int_equal(add(&bench, CMW_STR("k"), CMW_STR("two"), S, 0, &again), CMW_STORE_FOUND);
    assert_value(&again, CMW_STR("one"));
    assert_true(again.version == item.version);
    assert_int_equal(add(&bench, CMW_STR("K"), CMW_STR("two"), S, 0, &again), CMW_STORE_ADDED);
    assert_int_equal(add(&bench, CMW_STR(""), CMW_STR(""), S, 0, &again), CMW_STORE_ADDED);
    assert_int_equal(add(&bench, CMW_STR(""), CMW_STR("x"), S, 0, &again), CMW_STORE_FOUND);
    assert_value(&again, CMW_STR(""));
    assert_int_equal(stats_of(&bench).entries, 3);
    close_store(&bench);
}

static void a_value_changes_only_for_who_knows_its_version(void **state)
{
    struct bench bench;
    cmw_store_item first, item;

    (void)state;
    open_store(&bench, 65536, 0);
    assert_int_equal(add(&bench, CMW_STR("k"), CMW_STR("one"), S, 0, &first), CMW_STORE_ADDED);
    assert_int_equal(replace(&bench, CMW_STR("k"), CMW_STR("two"), 0, first.version + 1),
                     CMW_ERR_STALE);
    assert_int_equal(replace(&bench, CMW_STR("other"), CMW_STR("two"), 0, first.version),
                     CMW_ERR_STALE);
    assert_int_equal(replace(&bench, CMW_STR("k"), CMW_STR("two"), 0, first.version), 0);
    assert_int_equal(add(&bench, CMW_STR("k"), CMW_STR(""), S, 0, &item), CMW_STORE_FOUND);
    assert_value(&item, CMW_STR("two"));
    assert_true(item.version != first.version);
    assert_int_equal(bench.store.remove(bench.store.self, CMW_STR("k"), first.version),
                     CMW_ERR_STALE);
    assert_int_equal(bench.store.remove(bench.store.self, CMW_STR("k"), item.version), 0);
    assert_int_equal(bench.store.remove(bench.store.self, CMW_STR("k"), item.version),
                     CMW_ERR_STALE);
    assert_int_equal(add(&bench, CMW_STR("k"), CMW_STR("new"), S, 0, &item), CMW_STORE_ADDED);
    assert_true(item.version != first.version);
    close_store(&bench);
}

static void what_has_expired_was_never_there(void **state)
{
    struct bench bench;
    cmw_store_item item;

    (void)state;
    open_store(&bench, 65536, 0);
    assert_int_equal(add(&bench, CMW_STR("k"), CMW_STR("one"), S, 5 * S, &item), CMW_STORE_ADDED);
    assert_int_equal(add(&bench, CMW_STR("k"), CMW_STR("x"), S, 6 * S - 1, &item), CMW_STORE_FOUND);
    assert_int_equal(replace(&bench, CMW_STR("k"), CMW_STR("two"), 6 * S, item.version),
                     CMW_ERR_STALE);
    assert_int_equal(add(&bench, CMW_STR("k"), CMW_STR("two"), UINT64_MAX, 6 * S, &item),
                     CMW_STORE_ADDED);
    assert_int_equal(add(&bench, CMW_STR("k"), CMW_STR("x"), S, UINT64_MAX - 1, &item),
                     CMW_STORE_FOUND);
    close_store(&bench);
}

static void every_length_comes_back(void **state)
{
    static char text[2000];
    struct bench bench;
    cmw_store_item item;

    (void)state;
    open_store(&bench, 1 << 20, 0);
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = (char)(i * 7 + i / 251);
    for (size_t len = 0; len < 1100; len++) {
        const cmw_str key = cmw_str_make(text, len % 300), value = cmw_str_make(text + 1, len);
        assert_int_equal(add(&bench, key, value, S, 0, &item), CMW_STORE_ADDED);
        assert_int_equal(add(&bench, key, CMW_STR("x"), S, 0, &item), CMW_STORE_FOUND);
        assert_value(&item, value);
        assert_int_equal(bench.store.remove(bench.store.self, key, item.version), 0);
    }
    assert_int_equal(stats_of(&bench).entries, 0);
    close_store(&bench);
}

/* ---- Full ------------------------------------------------------------------------------- */

enum { MANY = 100000 };

/* Add keys until the first one is refused, or all are there. */
static unsigned flood(struct bench *bench, cmw_str value, uint64_t now_ns)
{
    unsigned added = 0;

    for (unsigned i = 0; i < MANY; i++) {
        char key[32];
        cmw_store_item item;
        snprintf(key, sizeof key, "%u@%u", i, (unsigned)(now_ns / S));
        const int answer = add(bench, cmw_str_cstr(key), value, 10 * S, now_ns, &item);
        if (answer == CMW_STORE_ADDED)
            added++;
        else
            assert_int_equal(answer, CMW_ERR_LIMIT);
    }
    return added;
}

static void a_flood_stays_in_the_bytes(void **state)
{
    static const int64_t sizes[] = {65536, 100000, 1 << 20};
    static char value[700];
    struct bench bench;

    (void)state;
    for (size_t i = 0; i < LEN(sizes); i++) {
        open_store(&bench, sizes[i], 0);
        const uint64_t calls = cmw_test_alloc_calls(bench.test);
        const unsigned added = flood(&bench, cmw_str_make(value, i * 300), 0);
        const cmw_memory_store_stats stats = stats_of(&bench);
        assert_in_range(stats.bytes, (uint64_t)sizes[i] * 9 / 10, (uint64_t)sizes[i]);
        assert_int_equal(stats.entries, added);
        assert_int_equal(stats.refused, MANY - added);
        assert_int_equal(stats.evicted, 0);
        assert_int_equal(flood(&bench, cmw_str_make(value, i * 300), 9 * S), 0);
        assert_in_range(flood(&bench, cmw_str_make(value, i * 300), 10 * S), added * 9 / 10,
                        added * 11 / 10);
        assert_int_equal(cmw_test_alloc_calls(bench.test), calls);
        close_store(&bench);
    }
}

static void who_evicts_refuses_nobody(void **state)
{
    struct bench bench;
    cmw_store_item item;

    (void)state;
    open_store(&bench, 65536, 1);
    assert_int_equal(flood(&bench, CMW_STR("v"), 0), MANY);
    const cmw_memory_store_stats stats = stats_of(&bench);
    assert_int_equal(stats.evicted, MANY - stats.entries);
    assert_int_equal(stats.refused, 0);
    assert_in_range(stats.bytes, 65536 * 9 / 10, 65536);
    assert_int_equal(add(&bench, CMW_STR("99999@0"), CMW_STR("x"), S, 0, &item), CMW_STORE_FOUND);
    assert_int_equal(add(&bench, CMW_STR("0@0"), CMW_STR("x"), S, 0, &item), CMW_STORE_ADDED);
    close_store(&bench);
}

/* A value of what no part holds drives nobody out, also in the place of a short one. */
static void what_cannot_be_replaced_drives_nobody_out(void **state)
{
    static char value[65536];
    struct bench bench;
    cmw_store_item item;

    (void)state;
    open_store(&bench, 65536, 1);
    (void)flood(&bench, CMW_STR("v"), 0);
    const cmw_memory_store_stats before = stats_of(&bench);
    for (size_t len = sizeof value; len > 4096; len -= 128) { /* while the part is full */
        assert_int_equal(add(&bench, CMW_STR("k"), CMW_STR("x"), S, 0, &item), CMW_STORE_ADDED);
        const uint64_t evicted = stats_of(&bench).evicted;
        const int rc = replace(&bench, CMW_STR("k"), cmw_str_make(value, len), 0, item.version);
        if (rc != 0) {
            assert_int_equal(rc, CMW_ERR_LIMIT);
            assert_int_equal(stats_of(&bench).evicted, evicted);
        }
        assert_int_equal(add(&bench, CMW_STR("k"), CMW_STR("x"), S, 0, &item), CMW_STORE_FOUND);
        assert_int_equal(item.value.len, rc == 0 ? len : 1);
        assert_int_equal(bench.store.remove(bench.store.self, CMW_STR("k"), item.version), 0);
    }
    assert_in_range(stats_of(&bench).entries, before.entries * 6 / 8, before.entries);
    close_store(&bench);
}

static void a_flood_by_one_owner_leaves_room_for_others(void **state)
{
    static const char *const others[] = {"bob", "carol", "dave"};
    struct bench bench;
    unsigned stored = 0;

    (void)state;
    open_shared(&bench, 1 << 20, 0, 25);
    bench.owner = CMW_STR("mallory");
    const unsigned added = flood(&bench, CMW_STR("v"), 0);
    assert_in_range(added, 800, 1024);
    assert_in_range(stats_of(&bench).bytes, (1 << 20) / 5, (1 << 20) * 3 / 10);
    for (size_t i = 0; i < LEN(others); i++) {
        char key[32];
        cmw_store_item item;
        snprintf(key, sizeof key, "key of %s", others[i]);
        bench.owner = cmw_str_cstr(others[i]);
        stored += add(&bench, cmw_str_cstr(key), CMW_STR("v"), S, 0, &item) == CMW_STORE_ADDED;
    }
    assert_in_range(stored, 2, 3); /* one of them may share the count */
    /* What has expired is nobody's any more. */
    bench.owner = CMW_STR("mallory");
    assert_in_range(flood(&bench, CMW_STR("v"), 10 * S), added * 9 / 10, added * 11 / 10);
    close_store(&bench);
}

/* Those stored first last longest: what expires behind them makes room all the same. */
static void those_that_last_hide_nothing_that_has_expired(void **state)
{
    struct bench bench;
    cmw_store_item item;
    unsigned added = 0;

    (void)state;
    open_store(&bench, 1 << 20, 0);
    for (unsigned i = 0; i < 1000; i++) {
        char key[32];
        snprintf(key, sizeof key, "lasts %u", i);
        assert_int_equal(add(&bench, cmw_str_cstr(key), CMW_STR("v"), 1000 * S, 0, &item),
                         CMW_STORE_ADDED);
    }
    assert_true(flood(&bench, CMW_STR("v"), 0) > 1000);
    for (unsigned i = 0; i < 3000; i++) {
        char key[32];
        snprintf(key, sizeof key, "later %u", i);
        added += add(&bench, cmw_str_cstr(key), CMW_STR("v"), S, 20 * S, &item) == CMW_STORE_ADDED;
    }
    assert_in_range(added, 2000, 3000);
    close_store(&bench);
}

static void what_no_part_can_hold_is_refused(void **state)
{
    static char value[65536];
    struct bench bench;
    cmw_store_item item;

    (void)state;
    for (int evicts = 0; evicts < 2; evicts++) {
        open_store(&bench, 65536, evicts);
        assert_int_equal(add(&bench, CMW_STR("k"), CMW_STR("one"), S, 0, &item), CMW_STORE_ADDED);
        assert_int_equal(
            add(&bench, CMW_STR("long"), cmw_str_make(value, sizeof value), S, 0, &item),
            CMW_ERR_LIMIT);
        assert_int_equal(add(&bench, CMW_STR("k"), CMW_STR("x"), S, 0, &item), CMW_STORE_FOUND);
        assert_int_equal(
            replace(&bench, CMW_STR("k"), cmw_str_make(value, sizeof value), 0, item.version),
            CMW_ERR_LIMIT);
        assert_int_equal(add(&bench, CMW_STR("k"), CMW_STR("x"), S, 0, &item), CMW_STORE_FOUND);
        assert_value(&item, CMW_STR("one"));
        close_store(&bench);
    }
}

/* ---- Against a model -------------------------------------------------------------------- */

enum { KEYS = 40, STEPS = 20000 };

struct known {
    int is_there;
    uint64_t version, expires_ns;
    size_t len;
    char fill;
};

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static void step(struct bench *bench, struct known *known, uint32_t *seed, uint64_t now_ns)
{
    static char value[900];
    char key[16];
    cmw_store_item item;
    const unsigned which = next_random(seed) % KEYS;
    struct known *one = &known[which];
    const size_t len = next_random(seed) % sizeof value;
    const char fill = (char)('a' + next_random(seed) % 26);

    memset(value, fill, sizeof value);
    snprintf(key, sizeof key, "key %u", which);
    if (one->is_there && one->expires_ns <= now_ns)
        one->is_there = 0;
    if (next_random(seed) % 3 == 0 && one->is_there) {
        assert_int_equal(bench->store.remove(bench->store.self, cmw_str_cstr(key), one->version),
                         0);
        one->is_there = 0;
        return;
    }
    if (one->is_there && next_random(seed) % 2 == 0) {
        assert_int_equal(
            replace(bench, cmw_str_cstr(key), cmw_str_make(value, len), now_ns, one->version), 0);
        one->len = len;
        one->fill = fill;
        one->expires_ns = now_ns + 100 * S;
    }
    const int answer =
        add(bench, cmw_str_cstr(key), cmw_str_make(value, len), 50 * S, now_ns, &item);
    assert_int_equal(answer, one->is_there ? CMW_STORE_FOUND : CMW_STORE_ADDED);
    if (!one->is_there)
        *one = (struct known){1, 0, now_ns + 50 * S, len, fill};
    one->version = item.version;
    if (answer == CMW_STORE_FOUND) {
        memset(value, one->fill, sizeof value);
        assert_value(&item, cmw_str_make(value, one->len));
    }
}

static void it_does_as_a_model_does(void **state)
{
    struct known known[KEYS] = {{0}};
    struct bench bench;
    uint32_t seed = 7;

    (void)state;
    open_store(&bench, 1 << 20, 0);
    const cmw_arena_mark mark = cmw_arena_get_mark(cmw_ctx_arena(bench.ctx));
    for (unsigned i = 0; i < STEPS; i++) {
        step(&bench, known, &seed, i * (S / 4));
        assert_int_equal(cmw_arena_rewind(cmw_ctx_arena(bench.ctx), mark), 0);
    }
    assert_in_range(stats_of(&bench).entries, 0, KEYS);
    close_store(&bench);
}

/* ---- Threads ---------------------------------------------------------------------------- */

enum { THREADS = 4, SHARED_KEYS = 2000 };

struct lane {
    struct bench *bench;
    unsigned added, found;
};

/* Every thread wants every key, and puts another value there if it was the first. */
static void *work(void *self)
{
    struct lane *lane = self;
    struct bench mine = *lane->bench;
    cmw_engine *engine = cmw_test_engine(mine.test);
    cmw_request_view view = *cmw_test_view(mine.test);
    cmw_worker *worker = NULL;

    if (cmw_engine_take_worker(engine, &worker, NULL, NULL) != 0)
        abort();
    for (unsigned i = 0; i < SHARED_KEYS; i++) {
        char key[16];
        cmw_store_item item;
        if (cmw_ctx_begin(worker, &mine.ctx, &view) != 0)
            abort();
        snprintf(key, sizeof key, "%u", i);
        const int answer = add(&mine, cmw_str_cstr(key), CMW_STR("one"), 10 * S, 0, &item);
        lane->added += answer == CMW_STORE_ADDED;
        lane->found +=
            answer == CMW_STORE_FOUND && item.value.len == 3 &&
            (memcmp(item.value.data, "one", 3) == 0 || memcmp(item.value.data, "two", 3) == 0);
        if (answer == CMW_STORE_ADDED &&
            replace(&mine, cmw_str_cstr(key), CMW_STR("two"), 0, item.version) != 0)
            abort();
        cmw_ctx_end(mine.ctx, CMW_END_SENT);
    }
    cmw_engine_put_worker(engine, worker);
    return NULL;
}

static void of_those_who_ask_at_once_one_is_the_first(void **state)
{
    struct bench bench;
    pthread_t threads[THREADS];
    struct lane lanes[THREADS];
    unsigned added = 0, found = 0;

    (void)state;
    open_store(&bench, 4 << 20, 0);
    for (unsigned i = 0; i < THREADS; i++) {
        lanes[i] = (struct lane){&bench, 0, 0};
        assert_int_equal(pthread_create(&threads[i], NULL, work, &lanes[i]), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        added += lanes[i].added;
        found += lanes[i].found;
    }
    assert_int_equal(added, SHARED_KEYS);
    assert_int_equal(found, (THREADS - 1) * SHARED_KEYS);
    close_store(&bench);
}

/* ---- Making one ------------------------------------------------------------------------- */

static void a_config_out_of_its_range_is_refused(void **state)
{
    static const int64_t sizes[] = {0, -1, 65535, CMW_MEMORY_STORE_BYTES_MAX + 1};
    cmw_test *test = NULL;
    cmw_memory_store *store = NULL;
    cmw_memory_store_config config;
    struct {
        cmw_memory_store_config config;
        uint64_t more;
    } newer;

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    cmw_pool *pool = cmw_engine_pool(cmw_test_engine(test), CMW_POOL_PLAN);
    for (size_t i = 0; i < LEN(sizes); i++) {
        cmw_memory_store_config_init(&config);
        config.max_bytes = sizes[i];
        assert_int_equal(cmw_memory_store_create(&store, pool, &config), CMW_ERR_ARG);
    }
    for (int64_t share = 0; share <= 101; share += 101) {
        cmw_memory_store_config_init(&config);
        config.max_share = share;
        assert_int_equal(cmw_memory_store_create(&store, pool, &config), CMW_ERR_ARG);
    }
    cmw_memory_store_config_init(&newer.config);
    newer.config.size = sizeof newer;
    newer.more = 1;
    assert_int_equal(cmw_memory_store_create(&store, pool, &newer.config), CMW_ERR_VERSION);
    assert_int_equal(cmw_memory_store_create(NULL, pool, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_memory_store_create(&store, NULL, NULL), CMW_ERR_ARG);
    cmw_test_fail_after(test, 0);
    assert_int_equal(cmw_memory_store_create(&store, pool, NULL), CMW_ERR_NOMEM);
    assert_null(store);
    cmw_memory_store_destroy(NULL);
    close_bench(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_one_adds_and_others_find),
        cmocka_unit_test(a_value_changes_only_for_who_knows_its_version),
        cmocka_unit_test(what_has_expired_was_never_there),
        cmocka_unit_test(every_length_comes_back),
        cmocka_unit_test(a_flood_stays_in_the_bytes),
        cmocka_unit_test(who_evicts_refuses_nobody),
        cmocka_unit_test(what_cannot_be_replaced_drives_nobody_out),
        cmocka_unit_test(a_flood_by_one_owner_leaves_room_for_others),
        cmocka_unit_test(those_that_last_hide_nothing_that_has_expired),
        cmocka_unit_test(what_no_part_can_hold_is_refused),
        cmocka_unit_test(it_does_as_a_model_does),
        cmocka_unit_test(of_those_who_ask_at_once_one_is_the_first),
        cmocka_unit_test(a_config_out_of_its_range_is_refused),
    };
    return cmocka_run_group_tests_name("memory_store", tests, NULL, NULL);
}
