/* SPDX-License-Identifier: MIT */
/* The core, from outside: slots and values by name, and when they are destroyed. */
#include "actor.h"

static struct bench bench; /* of the test that runs */

static char destroyed[64]; /* letters of what was destroyed, in order */

static void destroy_letter(void *value)
{
    const size_t len = strlen(destroyed);
    destroyed[len] = *(char *)value;
    destroyed[len + 1] = '\0';
}

struct slots {
    cmw_slot one, two, unnamed;
};

static void set_slots(struct actor *actor, cmw_ctx *ctx)
{
    const struct slots *slots = actor->data;

    assert_null(cmw_ctx_slot(ctx, slots->one));
    assert_null(cmw_ctx_slot(ctx, slots->unnamed));
    assert_null(cmw_ctx_slot(ctx, CMW_NONE));
    assert_null(cmw_ctx_slot(ctx, CMW_FACT_HOST));
    assert_null(cmw_ctx_set_slot(ctx, slots->unnamed));
    assert_null(cmw_ctx_set_slot(ctx, CMW_FACT_HOST));
    assert_null(cmw_ctx_set_slot(ctx, CMW_NONE));
    char *one = cmw_ctx_set_slot(ctx, slots->one);
    char *two = cmw_ctx_set_slot(ctx, slots->two);
    for (size_t i = 0; i < 24; i++)
        assert_int_equal(one[i], 0);
    memset(one, '1', 24);
    memset(two, '2', 24);
    assert_ptr_equal(cmw_ctx_slot(ctx, slots->one), one);
    assert_ptr_equal(cmw_ctx_set_slot(ctx, slots->one), one); /* again: destroyed, zeroed */
    assert_string_equal(destroyed, "1");
    for (size_t i = 0; i < 24; i++)
        assert_int_equal(one[i], 0);
    *one = '3';
    assert_int_equal(*(char *)cmw_ctx_slot(ctx, slots->two), '2');
}

static void look_at_slots(struct actor *actor, cmw_ctx *ctx)
{
    const struct slots *slots = actor->data;
    assert_int_equal(*(char *)cmw_ctx_slot(ctx, slots->one), '3');
    assert_string_equal(destroyed, "1"); /* `complete` runs before the destructors */
}

static void slots_are_destroyed_after_complete_in_reverse_order(void **state)
{
    struct slots slots;
    struct actor a = {.name = "a", .on = ON_PRE, .inside = set_slots, .data = &slots};
    struct actor c = {.name = "c", .on = ON_COMPLETE, .inside = look_at_slots, .data = &slots};
    cmw_plan *plan = NULL;
    (void)state;
    bench_open(&bench, NULL);
    assert_int_equal(cmw_slot_declare(bench.engine, &slots.one, "one", 24, destroy_letter), 0);
    assert_int_equal(cmw_slot_declare(bench.engine, &slots.two, "two", 24, destroy_letter), 0);
    assert_int_equal(cmw_slot_declare(bench.engine, &slots.unnamed, "unnamed", 24, NULL), 0);
    cmw_middleware mw = actor_middleware(&bench, &a);
    cmw_middleware_provides(&mw, slots.one);
    cmw_middleware_provides(&mw, slots.two);
    assert_int_equal(cmw_chain_add(bench.chain, &mw, NULL), 0);
    bench_add(&bench, &c);
    assert_int_equal(cmw_chain_compile(bench.chain, &plan, NULL), 0);
    assert_int_equal(cmw_test_install(bench.test, plan), 0);
    for (int i = 0; i < 2; i++) {
        destroyed[0] = '\0';
        assert_int_equal(cmw_test_send(bench.test), 200);
        assert_string_equal(destroyed, "123");
    }
    bench_close(&bench);
}

/* Slots of these sizes, the last one with a destructor. */
static const size_t copy_sizes[] = {1, 8, 15, 16, 17, 31, 32, 72, 127, 128, 129, 400, 72};

struct copies {
    cmw_slot at[LEN(copy_sizes)];
};

static void copy_values(struct actor *actor, cmw_ctx *ctx)
{
    const struct copies *copies = actor->data;
    char value[400];

    for (size_t i = 0; i < sizeof value; i++)
        value[i] = (char)('a' + i % 26);
    for (size_t i = 0; i < LEN(copy_sizes); i++) /* nothing is left of the request before */
        assert_null(cmw_ctx_slot(ctx, copies->at[i]));
    assert_null(cmw_ctx_copy_slot(ctx, CMW_FACT_HOST, value));
    assert_null(cmw_ctx_copy_slot(ctx, CMW_NONE, value));
    for (size_t i = 0; i < LEN(copy_sizes); i++)
        assert_non_null(cmw_ctx_copy_slot(ctx, copies->at[i], value));
    for (size_t i = 0; i < LEN(copy_sizes); i++)
        assert_memory_equal(cmw_ctx_slot(ctx, copies->at[i]), value, copy_sizes[i]);
    assert_non_null(cmw_ctx_copy_slot(ctx, copies->at[LEN(copy_sizes) - 1],
                                      "b"
                                      "cdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"
                                      "abcdefghijklmnopqrstuvwxyz"));
}

static void copied_slots_hold_the_value_and_nothing_beside_it(void **state)
{
    struct copies copies;
    struct actor a = {.name = "a", .on = ON_PRE, .inside = copy_values, .data = &copies};
    cmw_plan *plan = NULL;

    (void)state;
    bench_open(&bench, NULL);
    cmw_middleware mw = actor_middleware(&bench, &a);
    for (size_t i = 0; i < LEN(copy_sizes); i++) {
        const char name[] = {'s', (char)('a' + i), '\0'};
        assert_int_equal(cmw_slot_declare(bench.engine, &copies.at[i], name, copy_sizes[i],
                                          i + 1 < LEN(copy_sizes) ? NULL : destroy_letter),
                         0);
        cmw_middleware_provides(&mw, copies.at[i]);
    }
    assert_int_equal(cmw_chain_add(bench.chain, &mw, NULL), 0);
    assert_int_equal(cmw_chain_compile(bench.chain, &plan, NULL), 0);
    assert_int_equal(cmw_test_install(bench.test, plan), 0);
    for (int i = 0; i < 2; i++) {
        destroyed[0] = '\0';
        assert_int_equal(cmw_test_send(bench.test), 200);
        assert_string_equal(destroyed, "ab"); /* the one that was replaced, then the last */
    }
    bench_close(&bench);
}

static void set_values(struct actor *actor, cmw_ctx *ctx)
{
    char *letters = actor->data;
    char key[] = "key";

    assert_null(cmw_ctx_value(ctx, CMW_STR("key")));
    assert_int_equal(cmw_ctx_set_value(ctx, CMW_STR(""), letters, NULL), CMW_ERR_ARG);
    assert_int_equal(cmw_ctx_set_value(ctx, CMW_STR("none"), NULL, destroy_letter), 0);
    assert_int_equal(cmw_ctx_set_value(ctx, cmw_str_make(key, 3), letters, destroy_letter), 0);
    key[0] = 'K'; /* it was copied */
    assert_ptr_equal(cmw_ctx_value(ctx, CMW_STR("key")), letters);
    assert_int_equal(cmw_ctx_set_value(ctx, CMW_STR("key"), letters + 1, destroy_letter), 0);
    assert_string_equal(destroyed, "a");
    assert_int_equal(cmw_ctx_set_value(ctx, CMW_STR("more"), letters + 2, destroy_letter), 0);
    assert_int_equal(cmw_ctx_set_value(ctx, CMW_STR("gone"), letters + 3, destroy_letter), 0);
    assert_int_equal(cmw_ctx_set_value(ctx, CMW_STR("gone"), NULL, NULL), 0);
    assert_null(cmw_ctx_value(ctx, CMW_STR("gone")));
    assert_string_equal(destroyed, "ad");
    assert_ptr_equal(cmw_ctx_value(ctx, CMW_STR("key")), letters + 1);
}

static void values_by_name_are_replaced_removed_and_destroyed(void **state)
{
    char letters[] = "abcd";
    struct actor a = {.name = "a", .on = ON_PRE, .inside = set_values, .data = letters};
    (void)state;
    bench_open(&bench, NULL);
    bench_add(&bench, &a);
    bench_install(&bench);
    destroyed[0] = '\0';
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_string_equal(destroyed, "adcb");
    bench_close(&bench);
}

static cmw_ctx *body_of;

static void read_body(void *value)
{
    (void)value;
    assert_int_equal(cmw_request_body(cmw_ctx_request(body_of)).data[0], 'b');
    assert_int_equal(cmw_response_status(cmw_ctx_response(body_of)), 200);
    assert_string_equal(cmw_response_body(cmw_ctx_response(body_of)).data, "made in the arena");
}

static int handle_body(void *self, cmw_ctx *ctx)
{
    (void)self;
    body_of = ctx;
    assert_int_equal(cmw_ctx_set_value(ctx, CMW_STR("x"), destroyed, read_body), 0);
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("made in the arena"));
}

static void a_clean_up_may_read_body_and_response(void **state)
{
    (void)state;
    bench_open(&bench, NULL);
    bench_install(&bench);
    cmw_test_set_handler(bench.test, handle_body, NULL);
    cmw_test_body(bench.test, CMW_STR("body"));
    assert_int_equal(cmw_test_send(bench.test), 200);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_are_destroyed_after_complete_in_reverse_order),
        cmocka_unit_test(copied_slots_hold_the_value_and_nothing_beside_it),
        cmocka_unit_test(values_by_name_are_replaced_removed_and_destroyed),
        cmocka_unit_test(a_clean_up_may_read_body_and_response),
    };
    return cmocka_run_group_tests_name("middleware slots", tests, NULL, NULL);
}
