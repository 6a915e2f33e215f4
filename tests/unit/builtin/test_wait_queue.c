/* SPDX-License-Identifier: MIT */
/* The queue and the counts by key, against models that do it the long way. */
#include "key_counts.h"
#include "wait_queue.h"

#include "test.h"

enum { CAP = 7, STEPS = 100000 };

static uint64_t seed = 1;

static unsigned draw(unsigned below)
{
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

struct model {
    uint64_t names[CAP];
    struct cmw__wait_ticket tickets[CAP];
    unsigned count;
};

static void take_out(struct model *model, unsigned at)
{
    model->count--;
    memmove(&model->names[at], &model->names[at + 1], (model->count - at) * sizeof model->names[0]);
    memmove(&model->tickets[at], &model->tickets[at + 1],
            (model->count - at) * sizeof model->tickets[0]);
}

static void the_queue_is_a_list(void **state)
{
    struct cmw__wait_place places[CAP];
    struct cmw__wait_queue queue;
    struct model model = {.count = 0};
    struct cmw__wait_ticket old = {0, 0};
    cmw_token token;

    (void)state;
    cmw__wait_queue_open(&queue, places, CAP);
    for (uint64_t i = 1; i <= STEPS; i++) {
        const unsigned what = draw(4);
        if (what <= 1) {
            struct cmw__wait_ticket ticket;
            const int had_room = cmw__wait_queue_push(&queue, (cmw_token){i, 0, 0}, &ticket);
            assert_int_equal(had_room, model.count < CAP);
            if (had_room) {
                model.names[model.count] = i;
                model.tickets[model.count++] = ticket;
            }
        } else if (what == 2) {
            assert_int_equal(cmw__wait_queue_pop(&queue, &token), model.count > 0);
            if (model.count > 0) {
                assert_int_equal(token.generation, model.names[0]);
                old = model.tickets[0];
                take_out(&model, 0);
            }
        } else if (model.count > 0) {
            const unsigned at = draw(model.count);
            old = model.tickets[at];
            assert_int_equal(cmw__wait_queue_remove(&queue, old), 1);
            take_out(&model, at);
        }
        assert_int_equal(cmw__wait_queue_remove(&queue, old), 0);
        assert_int_equal(queue.count, model.count);
    }
}

static void an_empty_queue_takes_nobody(void **state)
{
    struct cmw__wait_queue queue;
    struct cmw__wait_ticket ticket;
    cmw_token token;

    (void)state;
    cmw__wait_queue_open(&queue, NULL, 0);
    assert_int_equal(cmw__wait_queue_push(&queue, (cmw_token){0, 0, 0}, &ticket), 0);
    assert_int_equal(cmw__wait_queue_pop(&queue, &token), 0);
}

/* ---- Counts by key ---------------------------------------------------------------------- */

enum { KEYS = 50, LIMIT = 3 };

static void counts_are_those_of_the_keys(void **state)
{
    static _Alignas(64) char memory[65536];
    uint64_t taken[KEYS][LIMIT];
    unsigned counts[KEYS] = {0};
    struct cmw__key_counts table;

    (void)state;
    memset(memory, 0, sizeof memory);
    assert_true(cmw__key_counts_bytes(KEYS) <= sizeof memory);
    cmw__key_counts_open(&table, memory, KEYS);
    for (unsigned i = 0; i < STEPS; i++) {
        const unsigned key = draw(KEYS);
        const uint64_t hash = (key + 1) * UINT64_C(0x9E3779B97F4A7C15) >> 7;
        if (draw(2) == 0) {
            uint64_t place = 0;
            const enum cmw__key_taken took = cmw__key_counts_take(&table, hash, LIMIT, &place);
            if (counts[key] == LIMIT)
                assert_int_equal(took, CMW__KEY_REFUSED);
            else if (took == CMW__KEY_TAKEN)
                taken[key][counts[key]++] = place;
        } else if (counts[key] > 0) {
            cmw__key_counts_give(&table, taken[key][--counts[key]]);
        }
    }
}

/* Hashes that all fall into one bucket: refused, not put elsewhere. */
static void a_full_bucket_refuses(void **state)
{
    static _Alignas(64) char memory[65536];
    struct cmw__key_counts table;
    uint64_t places[CMW__KEY_WAYS], place;

    (void)state;
    memset(memory, 0, sizeof memory);
    cmw__key_counts_open(&table, memory, KEYS);
    for (uint64_t i = 0; i < CMW__KEY_WAYS; i++)
        assert_int_equal(cmw__key_counts_take(&table, i << 32, 1, &places[i]), CMW__KEY_TAKEN);
    assert_int_equal(cmw__key_counts_take(&table, UINT64_C(99) << 32, 1, &place), CMW__KEY_FULL);
    cmw__key_counts_give(&table, places[2]);
    assert_int_equal(cmw__key_counts_take(&table, UINT64_C(99) << 32, 1, &place), CMW__KEY_TAKEN);
    assert_int_equal(cmw__key_counts_take(&table, UINT64_C(99) << 32, 1, &place), CMW__KEY_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_queue_is_a_list),
        cmocka_unit_test(an_empty_queue_takes_nobody),
        cmocka_unit_test(counts_are_those_of_the_keys),
        cmocka_unit_test(a_full_bucket_refuses),
    };
    return cmocka_run_group_tests_name("wait_queue", tests, NULL, NULL);
}
