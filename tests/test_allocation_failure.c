/* SPDX-License-Identifier: MIT */
/*
 * Each allocation fails once, one after the other: of setting up an engine with all that it can
 * have, and of a request. Every failure is a clean error; nothing is lost; a request is answered
 * 503 and completes once.
 */
#include "actor.h"
#include "test_allocator.h"

enum { MOST = 2000 }; /* more allocations than there are */

static unsigned fail_from; /* this allocation and all after it fail; 0: none */

static void *fail_on(void *self, void *heap, size_t bytes, size_t align)
{
    struct test_allocator *allocator = self;
    if (fail_from && allocator->calls + 1 >= fail_from)
        allocator->fail_at = allocator->calls + 1;
    return test_allocator_alloc(self, heap, bytes, align);
}

/* ---- Setting up ----------------------------------------------------------------------------- */

struct set_up {
    cmw_engine *engine;
    cmw_chain *chain;
    cmw_group *outer, *inner;
    cmw_plan *plan;
    cmw_worker *worker;
    cmw_stats *stats;
    int made, unmade; /* singletons */
    int added, removed;
};

static int make_object(void *self, void **object, cmw_resolver *resolver)
{
    struct set_up *set_up = self;
    (void)resolver;
    set_up->made++;
    *object = set_up;
    return 0;
}

static void unmake_object(void *self, void *object)
{
    struct set_up *set_up = self;
    (void)object;
    set_up->unmade++;
}

static int pass(void *self, cmw_ctx *ctx)
{
    (void)self;
    (void)ctx;
    return CMW_CONTINUE;
}

static void remove_self(void *self)
{
    struct set_up *set_up = self;
    set_up->removed++;
}

static int add(struct set_up *set_up, cmw_middleware *mw, const char *name, cmw_group *group)
{
    mw->name = name;
    mw->self = set_up;
    mw->destroy = remove_self;
    mw->pre_route = pass;
    mw->post_route = pass;
    const int rc = group ? cmw_group_add(group, mw, NULL) : cmw_chain_add(set_up->chain, mw, NULL);
    set_up->added += rc == 0;
    cmw_middleware_init(mw);
    return rc;
}

static int define_services(struct set_up *set_up, cmw_service *service)
{
    static const char *const depends[] = {"config"};
    cmw_service_config config;

    cmw_service_config_init(&config);
    config.create = make_object;
    config.destroy = unmake_object;
    config.self = set_up;
    int rc = cmw_service_define(set_up->engine, "config", &config);
    config.depends = depends;
    config.depend_count = 1;
    if (rc == 0)
        rc = cmw_service_define(set_up->engine, "database", &config);
    if (rc == 0)
        rc = cmw_service_define_object(set_up->engine, "clock", set_up);
    return rc ? rc : cmw_service_declare(set_up->engine, service, "database");
}

static int fill_chain(struct set_up *set_up)
{
    static const char *const paths[] = {"/api/*", "/users/{id}", "!/api/open"};
    static const char *const hosts[] = {"*.a.example", "b.example"};
    static const char *const methods[] = {"GET", "PURGE"};
    static const cmw_header fields[] = {{CMW_STR_INIT("X-One"), CMW_STR_INIT("1")},
                                        {CMW_STR_INIT("Vary"), CMW_STR_INIT("Origin")}};
    cmw_condition condition;
    cmw_group_config group;
    cmw_middleware mw;
    cmw_slot slot = 0;
    cmw_service service = 0;

    int rc = cmw_slot_declare(set_up->engine, &slot, "user", 32, NULL);
    if (rc == 0)
        rc = define_services(set_up, &service);
    cmw_condition_init(&condition);
    condition.paths = paths;
    condition.path_count = LEN(paths);
    cmw_group_config_init(&group);
    group.name = "outer";
    group.condition = &condition;
    if (rc == 0)
        rc = cmw_chain_add_group(set_up->chain, &set_up->outer, NULL, &group, NULL);
    condition.hosts = hosts;
    condition.host_count = LEN(hosts);
    condition.methods = methods;
    condition.method_count = LEN(methods);
    group.name = "inner";
    group.route_id = 7;
    if (rc == 0)
        rc = cmw_chain_add_group(set_up->chain, &set_up->inner, set_up->outer, &group, NULL);

    cmw_middleware_init(&mw);
    mw.fields = fields;
    mw.field_count = LEN(fields);
    cmw_middleware_provides(&mw, slot);
    if (rc == 0)
        rc = add(set_up, &mw, "first", NULL);
    mw.condition = &condition;
    mw.fields = fields;
    mw.field_count = LEN(fields);
    mw.failure = CMW_FAIL_OPEN;
    cmw_middleware_requires(&mw, slot);
    if (rc == 0)
        rc = add(set_up, &mw, "second", set_up->outer);
    mw.flags = CMW_IF_ENTERED;
    if (rc == 0)
        rc = add(set_up, &mw, "third", set_up->inner);
    if (rc == 0)
        rc = cmw_chain_waive(set_up->chain, "second", "user");
    return rc ? rc : cmw_chain_needs_service(set_up->chain, "second", service);
}

static int drop_text(void *self, const char *text, size_t len)
{
    (void)self;
    (void)text;
    (void)len;
    return 0;
}

static int make_all(struct set_up *set_up, const cmw_allocator *allocator)
{
    cmw_engine_config config;

    cmw_engine_config_init(&config);
    config.allocator = allocator;
    int rc = cmw_engine_create(&set_up->engine, &config);
    if (rc == 0)
        rc = cmw_chain_create(set_up->engine, &set_up->chain, 0);
    if (rc == 0)
        rc = fill_chain(set_up);
    if (rc == 0)
        rc = cmw_chain_compile(set_up->chain, &set_up->plan, NULL);
    if (rc == 0)
        rc = cmw_engine_take_worker(set_up->engine, &set_up->worker, NULL, NULL);
    if (rc == 0)
        rc = cmw_engine_install(set_up->engine, set_up->plan, NULL);
    if (rc == 0)
        rc = cmw_engine_install(set_up->engine, set_up->plan, NULL); /* again, over the first */
    if (rc == 0)
        rc = cmw_stats_reset(set_up->engine);
    if (rc == 0)
        rc = cmw_stats_snapshot(set_up->engine, &set_up->stats);
    if (rc == 0)
        rc = cmw_plan_explain(set_up->plan, CMW_FORMAT_TEXT, drop_text, NULL);
    if (rc == 0)
        rc = cmw_plan_explain(set_up->plan, CMW_FORMAT_JSON, drop_text, NULL);
    if (rc == 0)
        rc = cmw_stats_write(set_up->stats, CMW_FORMAT_JSON, drop_text, NULL);
    return rc;
}

static void drop_all(struct set_up *set_up)
{
    cmw_stats_destroy(set_up->stats);
    cmw_engine_put_worker(set_up->engine, set_up->worker);
    cmw_plan_release(set_up->plan);
    cmw_chain_destroy(set_up->chain);
    assert_int_equal(cmw_engine_destroy(set_up->engine), 0);
    assert_int_equal(set_up->made, set_up->unmade);
    assert_int_equal(set_up->added, set_up->removed);
}

/* An arena that gets no block of twice the size makes do with a smaller one, so that a single
 * failure may show as success; when all fail from then on it must not. */
static void walk_set_up(int for_good)
{
    unsigned failed = 0, absorbed = 0;
    for (unsigned n = 1; n < MOST; n++) {
        struct test_allocator allocator;
        struct set_up set_up;

        memset(&set_up, 0, sizeof set_up);
        test_allocator_init(&allocator);
        allocator.vtable.alloc = fail_on;
        allocator.fail_at = n;
        fail_from = for_good ? n : 0;
        const int rc = make_all(&set_up, &allocator.vtable);
        const int has_failed = allocator.calls >= n;
        fail_from = 0;
        drop_all(&set_up);
        test_allocator_check(&allocator);
        if (!has_failed) {
            assert_int_equal(rc, 0);
            print_message("%u allocations failed, %u of them made up for\n", failed, absorbed);
            assert_true(failed - absorbed > 10);
            return;
        }
        absorbed += rc == 0 && !for_good;
        if (rc != 0 || for_good)
            assert_int_equal(rc, CMW_ERR_NOMEM);
        failed++;
    }
    fail_msg("the walk has no end");
}

static void every_allocation_of_setting_up_may_fail(void **state)
{
    (void)state;
    walk_set_up(0);
}

static void memory_may_end_at_any_allocation_of_setting_up(void **state)
{
    (void)state;
    walk_set_up(1);
}

/* A failed step leaves what is there as it was: it can be tried again. */
static void what_failed_can_be_tried_again(void **state)
{
    (void)state;
    for (unsigned n = 1; n < MOST; n++) {
        struct test_allocator allocator;
        struct set_up set_up;
        cmw_engine_config config;

        memset(&set_up, 0, sizeof set_up);
        test_allocator_init(&allocator);
        cmw_engine_config_init(&config);
        config.allocator = &allocator.vtable;
        assert_int_equal(cmw_engine_create(&set_up.engine, &config), 0);
        assert_int_equal(cmw_chain_create(set_up.engine, &set_up.chain, 0), 0);
        assert_int_equal(fill_chain(&set_up), 0);
        allocator.fail_at = allocator.calls + n;
        int rc = cmw_chain_compile(set_up.chain, &set_up.plan, NULL);
        const int has_failed = allocator.calls >= allocator.fail_at;
        if (rc != 0) {
            assert_true(has_failed);
            assert_int_equal(rc, CMW_ERR_NOMEM);
            assert_null(set_up.plan);
            assert_int_equal(cmw_chain_compile(set_up.chain, &set_up.plan, NULL), 0);
        }
        drop_all(&set_up);
        test_allocator_check(&allocator);
        if (!has_failed)
            return;
    }
    fail_msg("the walk has no end");
}

/* ---- A request ------------------------------------------------------------------------------ */

struct request {
    int completes;
    int destroyed;
    int set;
    cmw_slot slot;
};

static struct request seen;

static void destroy_slot(void *value)
{
    (void)value;
    seen.destroyed++;
}

static int take_much(void *self, cmw_ctx *ctx)
{
    (void)self;
    if (!cmw_ctx_set_slot(ctx, seen.slot))
        return CMW_ERROR;
    seen.set++;
    for (int i = 0; i < 20; i++)
        if (!cmw_arena_alloc(cmw_ctx_arena(ctx), 3000))
            return CMW_ERROR;
    return cmw_response_set_named(cmw_ctx_response(ctx), CMW_STR("X-Much"), CMW_STR("1")) == 0
               ? CMW_CONTINUE
               : CMW_ERROR;
}

static void count_complete(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    (void)self;
    (void)ctx;
    (void)reason;
    seen.completes++;
}

static int give_much(void *self, cmw_ctx *ctx)
{
    static char text[9000];
    (void)self;
    memset(text, 't', sizeof text);
    return cmw_response_text(cmw_ctx_response(ctx), 200, cmw_str_make(text, sizeof text));
}

static void add_request_chain(struct bench *bench)
{
    static const cmw_header fields[] = {{CMW_STR_INIT("X-Frame-Options"), CMW_STR_INIT("DENY")}};
    cmw_middleware mw;

    assert_int_equal(cmw_slot_declare(bench->engine, &seen.slot, "s", 64, destroy_slot), 0);
    cmw_middleware_init(&mw);
    mw.name = "much";
    mw.pre_route = take_much;
    mw.complete = count_complete;
    mw.fields = fields;
    mw.field_count = LEN(fields);
    cmw_middleware_provides(&mw, seen.slot);
    assert_int_equal(cmw_chain_add(bench->chain, &mw, NULL), 0);
    bench_install(bench);
    cmw_test_set_handler(bench->test, give_much, NULL);
}

static void every_allocation_of_a_request_may_fail(void **state)
{
    static char body[5000];
    (void)state;
    unsigned absorbed = 0;
    memset(body, 'b', sizeof body);
    for (uint32_t n = 0; n < MOST; n++) {
        struct bench bench;

        memset(&seen, 0, sizeof seen);
        bench_open(&bench, NULL);
        add_request_chain(&bench);
        cmw_test_body(bench.test, cmw_str_make(body, sizeof body));
        cmw_test_fail_after(bench.test, n);
        const int status = cmw_test_send(bench.test);
        const int has_failed = cmw_test_has_failed(bench.test);
        if (cmw_test_status(bench.test) != 200 || !has_failed)
            assert_int_equal(cmw_test_status(bench.test), has_failed ? 503 : 200);
        absorbed += has_failed && status == 200;
        assert_string_equal(cmw_test_response_field(bench.test, "X-Frame-Options"), "DENY");
        /* Without a context there is nothing to complete. */
        assert_int_equal(seen.completes, status == 0 ? 0 : 1);
        assert_int_equal(seen.destroyed, seen.set);
        assert_int_equal(cmw_test_send(bench.test), 200); /* and the next one is whole */
        bench_close(&bench);
        if (!has_failed) {
            print_message("%u allocations failed, %u of them made up for\n", (unsigned)n, absorbed);
            assert_true(n - absorbed > 2);
            return;
        }
    }
    fail_msg("the walk has no end");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_of_setting_up_may_fail),
        cmocka_unit_test(memory_may_end_at_any_allocation_of_setting_up),
        cmocka_unit_test(what_failed_can_be_tried_again),
        cmocka_unit_test(every_allocation_of_a_request_may_fail),
    };
    return cmocka_run_group_tests_name("allocation failure", tests, NULL, NULL);
}
