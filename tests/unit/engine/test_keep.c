/* SPDX-License-Identifier: MIT */
/* What outlives plans: states that are shared by kind, name and shape; and polls. */
#include <catzilla/testing.h>

#include <stdlib.h>

#include "test.h"

/* Makes and destroys states, and counts both. */
struct maker {
    size_t made, destroyed;
    int fails_with;
    int object;
};

static int make(void *self, void **object)
{
    struct maker *maker = self;
    if (maker->fails_with != 0)
        return maker->fails_with;
    maker->made++;
    *object = maker->made == 1 ? (void *)&maker->object : (void *)&maker->made;
    return 0;
}

static void unmake(void *self, void *object)
{
    struct maker *maker = self;
    assert_true(object == &maker->object || object == &maker->made);
    maker->destroyed++;
}

static cmw_state_config config_of(struct maker *maker, const char *kind, const char *name,
                                  cmw_str shape)
{
    cmw_state_config config;

    cmw_state_config_init(&config);
    config.kind = kind;
    config.name = name;
    config.shape = shape.data;
    config.shape_len = shape.len;
    config.create = make;
    config.destroy = unmake;
    config.self = maker;
    return config;
}

static cmw_test *open_test(void)
{
    cmw_test *test = NULL;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    return test;
}

/* ---- States ----------------------------------------------------------------------------- */

struct row {
    const char *name;
    const char *kind, *instance;
    cmw_str shape;
    int is_shared;
};

/* Against kind "k", name "n", shape "s\0t". */
static const struct row rows[] = {
    {"equal kind, name and shape are one object", "k", "n", CMW_STR_INIT("s\0t"), 1},
    {"another kind is another object", "K", "n", CMW_STR_INIT("s\0t"), 0},
    {"another name is another object", "k", "N", CMW_STR_INIT("s\0t"), 0},
    {"another shape is another object", "k", "n", CMW_STR_INIT("s\0u"), 0},
    {"a shorter shape is another object", "k", "n", CMW_STR_INIT("s"), 0},
    {"no shape is another object", "k", "n", {NULL, 0}, 0},
    {"what kind and name have together is not enough", "kn", "", CMW_STR_INIT("s\0t"), 0},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct maker maker = {0};
    cmw_test *test = open_test();
    cmw_engine *engine = cmw_test_engine(test);
    void *first = NULL;
    void *second = NULL;
    const cmw_state_config a = config_of(&maker, "k", "n", CMW_STR("s\0t"));
    const cmw_state_config b = config_of(&maker, row->kind, row->instance, row->shape);

    assert_int_equal(cmw_state_retain(engine, &first, &a), 0);
    assert_int_equal(cmw_state_retain(engine, &second, &b), 0);
    assert_int_equal(first == second, row->is_shared);
    assert_int_equal(maker.made, row->is_shared ? 1 : 2);
    cmw_state_release(engine, first);
    assert_int_equal(maker.destroyed, row->is_shared ? 0 : 1);
    cmw_state_release(engine, second);
    assert_int_equal(maker.destroyed, maker.made);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void a_state_whose_create_fails_is_not_kept(void **state)
{
    struct maker maker = {.fails_with = CMW_ERR_IO};
    cmw_test *test = open_test();
    const cmw_state_config config = config_of(&maker, "k", "n", CMW_STR(""));
    void *object = &maker;

    (void)state;
    assert_int_equal(cmw_state_retain(cmw_test_engine(test), &object, &config), CMW_ERR_IO);
    assert_ptr_equal(object, &maker);
    maker.fails_with = 0;
    assert_int_equal(cmw_state_retain(cmw_test_engine(test), &object, &config), 0);
    assert_int_equal(maker.made, 1);
    cmw_state_release(cmw_test_engine(test), object);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void a_state_without_memory_is_not_made(void **state)
{
    struct maker maker = {0};
    cmw_test *test = open_test();
    const cmw_state_config config = config_of(&maker, "k", "n", CMW_STR("shape"));
    void *object = NULL;

    (void)state;
    cmw_test_fail_after(test, 0);
    assert_int_equal(cmw_state_retain(cmw_test_engine(test), &object, &config), CMW_ERR_NOMEM);
    assert_null(object);
    assert_int_equal(maker.made, 0);
    cmw_test_fail_after(test, CMW_NONE);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void a_state_that_says_too_little_is_refused(void **state)
{
    struct maker maker = {0};
    cmw_test *test = open_test();
    cmw_engine *engine = cmw_test_engine(test);
    const cmw_state_config good = config_of(&maker, "k", "n", CMW_STR("s"));
    void *object = NULL;

    (void)state;
    cmw_state_config config = good;
    config.kind = NULL;
    assert_int_equal(cmw_state_retain(engine, &object, &config), CMW_ERR_ARG);
    config = good;
    config.name = NULL;
    assert_int_equal(cmw_state_retain(engine, &object, &config), CMW_ERR_ARG);
    config = good;
    config.create = NULL;
    assert_int_equal(cmw_state_retain(engine, &object, &config), CMW_ERR_ARG);
    config = good;
    config.shape = NULL;
    assert_int_equal(cmw_state_retain(engine, &object, &config), CMW_ERR_ARG);
    assert_int_equal(cmw_state_retain(engine, NULL, &good), CMW_ERR_ARG);
    assert_int_equal(maker.made, 0);
    cmw_state_release(engine, NULL);
    cmw_state_release(NULL, &maker);
    assert_int_equal(cmw_test_destroy(test), 0);
}

/* ---- Across plans ----------------------------------------------------------------------- */

/* A middleware that holds a state as long as its chain and plans live. */
struct holder {
    struct maker maker;
    cmw_engine *engine;
    void *object;
    size_t begun;
};

static int pass(void *self, cmw_ctx *ctx)
{
    struct holder *holder = self;
    (void)ctx;
    holder->begun++;
    return CMW_CONTINUE;
}

static void let_go(void *self)
{
    struct holder *holder = self;
    cmw_state_release(holder->engine, holder->object);
}

static void install_holder(cmw_test *test, struct holder *holder)
{
    const cmw_state_config config = config_of(&holder->maker, "k", "n", CMW_STR("s"));
    cmw_middleware mw;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;

    assert_int_equal(cmw_state_retain(holder->engine, &holder->object, &config), 0);
    cmw_middleware_init(&mw);
    mw.name = "holder";
    mw.self = holder;
    mw.destroy = let_go;
    mw.pre_route = pass;
    assert_int_equal(cmw_chain_create(holder->engine, &chain, 0), 0);
    assert_int_equal(cmw_chain_add(chain, &mw, NULL), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 200);
}

static void a_state_goes_on_while_one_plan_follows_another(void **state)
{
    struct holder holder = {0};
    cmw_test *test = open_test();

    (void)state;
    holder.engine = cmw_test_engine(test);
    for (size_t i = 1; i <= 5; i++) {
        install_holder(test, &holder);
        assert_int_equal(holder.begun, i);
        assert_int_equal(holder.maker.made, 1);
        assert_int_equal(holder.maker.destroyed, 0);
    }
    assert_int_equal(cmw_test_destroy(test), 0);
    assert_int_equal(holder.maker.destroyed, 1);
}

/* ---- Polls ------------------------------------------------------------------------------ */

static size_t count_call(void *self)
{
    size_t *calls = self;
    return ++*calls;
}

static size_t do_nothing(void *self)
{
    (void)self;
    return 0;
}

static void a_poll_calls_all_and_adds_up_what_was_done(void **state)
{
    size_t a = 0;
    size_t b = 10;
    cmw_test *test = open_test();
    cmw_engine *engine = cmw_test_engine(test);

    (void)state;
    assert_int_equal(cmw_engine_poll(engine), 0);
    assert_int_equal(cmw_engine_add_poll(engine, count_call, &a), 0);
    assert_int_equal(cmw_engine_add_poll(engine, count_call, &b), 0);
    assert_int_equal(cmw_engine_add_poll(engine, do_nothing, &b), 0);
    assert_int_equal(cmw_engine_poll(engine), 12);
    cmw_engine_remove_poll(engine, count_call, &a);
    assert_int_equal(cmw_engine_poll(engine), 12);
    assert_int_equal(a, 1);
    cmw_engine_remove_poll(engine, count_call, &a);
    cmw_engine_remove_poll(engine, count_call, &b);
    cmw_engine_remove_poll(engine, do_nothing, &b);
    assert_int_equal(cmw_engine_poll(engine), 0);
    assert_int_equal(b, 12);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void a_poll_that_cannot_be_added_is_not_called(void **state)
{
    size_t calls = 0;
    cmw_test *test = open_test();
    cmw_engine *engine = cmw_test_engine(test);

    (void)state;
    assert_int_equal(cmw_engine_add_poll(engine, NULL, &calls), CMW_ERR_ARG);
    assert_int_equal(cmw_engine_add_poll(NULL, count_call, &calls), CMW_ERR_ARG);
    cmw_test_fail_after(test, 0);
    assert_int_equal(cmw_engine_add_poll(engine, count_call, &calls), CMW_ERR_NOMEM);
    cmw_test_fail_after(test, CMW_NONE);
    assert_int_equal(cmw_engine_poll(engine), 0);
    assert_int_equal(cmw_engine_poll(NULL), 0);
    cmw_engine_remove_poll(NULL, count_call, &calls);
    assert_int_equal(calls, 0);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void *count_shared(void *self, void *heap, size_t bytes, size_t align)
{
    (void)heap;
    *(size_t *)self += align == 4096;
    return aligned_alloc(align, (bytes + align - 1) / align * align);
}

static void free_shared(void *self, void *heap, void *piece, size_t bytes, size_t align)
{
    (void)self;
    (void)heap;
    (void)bytes;
    (void)align;
    free(piece);
}

static void tables_lie_where_the_host_shares_memory(void **state)
{
    size_t count = 0;
    const cmw_allocator shared = {
        .size = sizeof shared, .self = &count, .alloc = count_shared, .free = free_shared};
    cmw_engine_config config;
    cmw_engine *engine;
    cmw_chain *chain;

    (void)state;
    assert_int_equal(cmw_engine_create(&engine, NULL), 0);
    assert_ptr_equal(cmw_engine_shared_pool(engine), cmw_engine_pool(engine, CMW_POOL_PLAN));
    assert_null(cmw_engine_shared_pool(NULL));
    assert_int_equal(cmw_engine_destroy(engine), 0);
    cmw_engine_config_init(&config);
    config.shared_allocator = &shared;
    assert_int_equal(cmw_engine_create(&engine, &config), 0);
    assert_ptr_not_equal(cmw_engine_shared_pool(engine), cmw_engine_pool(engine, CMW_POOL_PLAN));
    assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "rate_limit", NULL, NULL), 0);
    assert_int_equal(count, 1);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_engine_destroy(engine), 0);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(a_state_whose_create_fails_is_not_kept),
        cmocka_unit_test(a_state_without_memory_is_not_made),
        cmocka_unit_test(a_state_that_says_too_little_is_refused),
        cmocka_unit_test(a_state_goes_on_while_one_plan_follows_another),
        cmocka_unit_test(tables_lie_where_the_host_shares_memory),
        cmocka_unit_test(a_poll_calls_all_and_adds_up_what_was_done),
        cmocka_unit_test(a_poll_that_cannot_be_added_is_not_called),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("states", tests, NULL, NULL) +
           cmocka_run_group_tests_name("states and polls", others, NULL, NULL);
}
