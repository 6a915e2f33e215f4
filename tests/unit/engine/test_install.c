/* SPDX-License-Identifier: MIT */
/* Installing plans: what a host must be able to do, whose plan it is, and which plan a request has.
 */
#include "engine_fixture.h"

struct row {
    const char *name;
    uint32_t guard_flags;
    enum own_condition condition;
    enum place place;
    int32_t target_policy;
    uint32_t capabilities;
    int code;
};

static const struct row rows[] = {
    {"a guard under a path needs a host that routes by the canonical path", CMW_GUARDS_ACCESS,
     ON_API, IN_CHAIN, CMW_TARGET_CANONICAL, 0, CMW_ERR_UNSUPPORTED},
    {"other capabilities do not help", CMW_GUARDS_ACCESS, ON_API, IN_CHAIN, CMW_TARGET_CANONICAL,
     ~(uint32_t)CMW_CAP_REWRITE_TARGET, CMW_ERR_UNSUPPORTED},
    {"a host that rewrites the target will do", CMW_GUARDS_ACCESS, ON_API, IN_CHAIN,
     CMW_TARGET_CANONICAL, CMW_CAP_REWRITE_TARGET, 0},
    {"the policy to reject will do", CMW_GUARDS_ACCESS, ON_API, IN_CHAIN, CMW_TARGET_REJECT, 0, 0},
    {"a path of its group is a path", CMW_GUARDS_ACCESS, NO_CONDITION, IN_WRITES,
     CMW_TARGET_CANONICAL, 0, CMW_ERR_UNSUPPORTED},
    {"a guard under a method may stand anywhere", CMW_GUARDS_ACCESS, ON_POST_METHOD, IN_CHAIN,
     CMW_TARGET_CANONICAL, 0, 0},
    {"a guard without conditions may stand anywhere", CMW_GUARDS_ACCESS, NO_CONDITION, IN_CHAIN,
     CMW_TARGET_CANONICAL, 0, 0},
    {"what guards nothing may stand under a path", 0, ON_API, IN_CHAIN, CMW_TARGET_CANONICAL, 0, 0},
};

static const char refusal[] =
    "the plan guards access by path, and test-host routes by a path that is not the canonical one: "
    "set the engine's target_policy to CMW_TARGET_REJECT";

static cmw_host make_host(uint32_t capabilities)
{
    cmw_host host;
    memset(&host, 0, sizeof host);
    host.size = sizeof host;
    host.name = "test-host";
    host.capabilities = capabilities;
    return host;
}

static cmw_plan *open_guarded(struct fixture *fixture, const struct row *row)
{
    const struct part guard = {.name = "guard",
                               .flags = row->guard_flags,
                               .condition = row->condition,
                               .place = row->place};
    cmw_engine_config config;
    cmw_plan *plan = NULL;

    cmw_engine_config_init(&config);
    config.target_policy = row->target_policy;
    fixture_open(fixture, &config);
    assert_int_equal(fixture_add(fixture, &guard), 0);
    assert_int_equal(cmw_chain_compile(fixture->chain, &plan, &fixture->diag), 0);
    return plan;
}

/* The host comes first, then the plan; and the other way round. */
static void check_row(void **state)
{
    const struct row *row = *state;
    const cmw_host host = make_host(row->capabilities);
    struct fixture fixture;

    cmw_plan *plan = open_guarded(&fixture, row);
    assert_int_equal(cmw_engine_attach_host(fixture.engine, &host, &fixture.diag), 0);
    fixture_expect(&fixture, cmw_engine_install(fixture.engine, plan, &fixture.diag), row->code,
                   refusal);
    cmw_plan_release(plan);
    fixture_close(&fixture);

    plan = open_guarded(&fixture, row);
    assert_int_equal(cmw_engine_install(fixture.engine, plan, &fixture.diag), 0);
    fixture_expect(&fixture, cmw_engine_attach_host(fixture.engine, &host, &fixture.diag),
                   row->code, refusal);
    cmw_plan_release(plan);
    fixture_close(&fixture);
}

static void another_engines_plan_is_refused(void **state)
{
    struct fixture one, two;
    cmw_plan *plan = NULL;

    (void)state;
    fixture_open(&one, NULL);
    fixture_open(&two, NULL);
    assert_int_equal(cmw_chain_compile(one.chain, &plan, &one.diag), 0);
    fixture_expect(&two, cmw_engine_install(two.engine, plan, &two.diag), CMW_ERR_ARG,
                   "the plan was compiled for another engine");
    fixture_expect(&two, cmw_engine_install(two.engine, NULL, &two.diag), CMW_ERR_ARG,
                   "an engine and a plan are needed");
    cmw_plan_release(plan);
    fixture_close(&two);
    fixture_close(&one);
}

static void a_hosts_table_of_another_size_is_refused(void **state)
{
    cmw_host host = make_host(0);
    struct fixture fixture;

    (void)state;
    host.size++;
    fixture_open(&fixture, NULL);
    fixture_expect(&fixture, cmw_engine_attach_host(fixture.engine, &host, &fixture.diag),
                   CMW_ERR_VERSION, "the host's table has a size that this library does not know");
    fixture_close(&fixture);
}

/* ---- Reloading --------------------------------------------------------------------------- */

struct marked {
    int passed;
    int destroyed;
};

static int mark_passed(void *self, cmw_ctx *ctx)
{
    (void)ctx;
    ((struct marked *)self)->passed++;
    return CMW_CONTINUE;
}

static void mark_destroyed(void *self)
{
    ((struct marked *)self)->destroyed++;
}

/* Compile a chain of one middleware, install it and let go of all but the engine's hold. */
static void install_marked(cmw_engine *engine, struct marked *marked)
{
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_middleware mw;

    assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
    cmw_middleware_init(&mw);
    mw.name = "marked";
    mw.self = marked;
    mw.destroy = mark_destroyed;
    mw.pre_route = mark_passed;
    mw.post_route = mark_passed;
    assert_int_equal(cmw_chain_add(chain, &mw, NULL), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_engine_install(engine, plan, NULL), 0);
    cmw_plan_release(plan);
}

static cmw_ctx *begin(cmw_worker *worker)
{
    cmw_request_view view;
    cmw_ctx *ctx = NULL;

    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = CMW_STR("/");
    assert_int_equal(cmw_ctx_begin(worker, &ctx, &view), 0);
    return ctx;
}

static void finish(cmw_ctx *ctx)
{
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    assert_int_equal(cmw_response_empty(cmw_ctx_response(ctx), 200), 0);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    cmw_ctx_end(ctx, CMW_END_SENT);
}

static void requests_in_flight_finish_on_the_plan_with_which_they_began(void **state)
{
    struct marked old = {0, 0};
    struct marked young = {0, 0};
    cmw_engine *engine = NULL;
    cmw_worker *worker = NULL;

    (void)state;
    assert_int_equal(cmw_engine_create(&engine, NULL), 0);
    install_marked(engine, &old);
    assert_int_equal(cmw_engine_take_worker(engine, &worker, NULL, NULL), 0);
    cmw_ctx *first = begin(worker);
    install_marked(engine, &young);
    cmw_ctx *second = begin(worker);
    assert_int_equal(cmw_worker_in_flight(worker), 2);
    finish(second);
    assert_int_equal(young.passed, 2);
    assert_int_equal(old.destroyed, 0); /* `first` is still on it */
    finish(first);
    assert_int_equal(old.passed, 2);
    assert_int_equal(young.passed, 2);
    assert_int_equal(old.destroyed, 1); /* nobody holds it any more */
    cmw_engine_put_worker(engine, worker);
    assert_int_equal(cmw_engine_destroy(engine), 0);
    assert_int_equal(young.destroyed, 1);
}

/* A plan that lays contexts out with room for a slot. */
static void install_with_slot(cmw_engine *engine, cmw_slot slot)
{
    cmw_middleware middleware;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;

    cmw_middleware_init(&middleware);
    middleware.name = "one";
    middleware.pre_route = fixture_pass;
    cmw_middleware_provides(&middleware, slot);
    assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
    assert_int_equal(cmw_chain_add(chain, &middleware, NULL), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_engine_install(engine, plan, NULL), 0);
    cmw_plan_release(plan);
}

/* A slot and the arena have room of their own. */
static void check_layout(cmw_ctx *ctx, cmw_slot slot, size_t size)
{
    unsigned char *value = cmw_ctx_set_slot(ctx, slot);
    void *piece = cmw_arena_alloc(cmw_ctx_arena(ctx), 256);

    assert_non_null(value);
    assert_non_null(piece);
    memset(piece, 0xff, 256);
    for (size_t i = 0; i < size; i++)
        assert_int_equal(value[i], 0);
}

/* An allocator that hands out what was given back last, where the size fits: so things come to lie
 * where others were. */
struct reuse {
    struct kept {
        void *piece;
        size_t bytes;
    } kept[512];
    size_t count;
};

static void *reuse_alloc(void *self, void *heap, size_t bytes, size_t align)
{
    struct reuse *reuse = self;
    void *piece = NULL;

    (void)heap;
    for (size_t i = reuse->count; i-- > 0;) {
        if (reuse->kept[i].bytes != bytes)
            continue;
        piece = reuse->kept[i].piece;
        reuse->kept[i] = reuse->kept[--reuse->count];
        return piece;
    }
    return posix_memalign(&piece, align < 64 ? 64 : align, bytes) == 0 ? piece : NULL;
}

static void reuse_free(void *self, void *heap, void *piece, size_t bytes, size_t align)
{
    struct reuse *reuse = self;

    (void)heap;
    (void)align;
    assert_true(reuse->count < LEN(reuse->kept));
    reuse->kept[reuse->count++] = (struct kept){piece, bytes};
}

/* Plans come to lie where others were; a context that was not used in between must not be taken for
 * one that is laid out already. */
static void a_context_of_a_plan_that_is_gone_is_laid_out_anew(void **state)
{
    enum { SMALL = 8, LARGE = 400 };
    cmw_engine *engine = NULL;
    cmw_worker *worker = NULL;
    cmw_slot small = 0, large = 0;
    struct reuse reuse = {.count = 0};
    const cmw_allocator allocator = {.size = sizeof allocator,
                                     .name = "reuse",
                                     .self = &reuse,
                                     .alloc = reuse_alloc,
                                     .free = reuse_free};
    cmw_engine_config config;

    (void)state;
    cmw_engine_config_init(&config);
    config.allocator = &allocator;
    assert_int_equal(cmw_engine_create(&engine, &config), 0);
    assert_int_equal(cmw_slot_declare(engine, &small, "small", SMALL, NULL), 0);
    assert_int_equal(cmw_slot_declare(engine, &large, "large", LARGE, NULL), 0);
    install_with_slot(engine, small);
    assert_int_equal(cmw_engine_take_worker(engine, &worker, NULL, NULL), 0);
    for (int i = 0; i < 8; i++) {
        cmw_ctx *first = begin(worker);
        cmw_ctx *second = begin(worker);
        check_layout(first, i % 2 ? large : small, i % 2 ? LARGE : SMALL);
        check_layout(second, i % 2 ? large : small, i % 2 ? LARGE : SMALL);
        finish(second);
        finish(first);
        install_with_slot(engine, small);
        finish(begin(worker)); /* lays `first` out, and lets the old plan go */
        install_with_slot(engine, i % 2 ? small : large);
    }
    cmw_engine_put_worker(engine, worker);
    assert_int_equal(cmw_engine_destroy(engine), 0);
    while (reuse.count > 0)
        free(reuse.kept[--reuse.count].piece);
}

static void an_idle_worker_lets_an_old_plan_go(void **state)
{
    struct marked old = {0, 0};
    struct marked young = {0, 0};
    cmw_engine *engine = NULL;
    cmw_worker *worker = NULL;

    (void)state;
    assert_int_equal(cmw_engine_create(&engine, NULL), 0);
    install_marked(engine, &old);
    assert_int_equal(cmw_engine_take_worker(engine, &worker, NULL, NULL), 0);
    install_marked(engine, &young);
    assert_int_equal(old.destroyed, 0);
    cmw_worker_idle(worker);
    assert_int_equal(old.destroyed, 1);
    cmw_engine_put_worker(engine, worker);
    assert_int_equal(cmw_engine_destroy(engine), 0);
}

static void a_plan_that_no_worker_has_met_goes_with_the_next_install(void **state)
{
    struct marked old = {0, 0};
    struct marked young = {0, 0};
    cmw_engine *engine = NULL;

    (void)state;
    assert_int_equal(cmw_engine_create(&engine, NULL), 0);
    install_marked(engine, &old);
    install_marked(engine, &young);
    assert_int_equal(old.destroyed, 1);
    assert_int_equal(cmw_engine_destroy(engine), 0);
}

static void without_a_plan_no_request_begins(void **state)
{
    cmw_request_view view;
    cmw_engine *engine = NULL;
    cmw_worker *worker = NULL;
    cmw_ctx *ctx = NULL;

    (void)state;
    assert_int_equal(cmw_engine_create(&engine, NULL), 0);
    assert_int_equal(cmw_engine_take_worker(engine, &worker, NULL, NULL), 0);
    cmw_request_view_init(&view);
    assert_int_equal(cmw_ctx_begin(worker, &ctx, &view), CMW_ERR_STATE);
    assert_null(cmw_worker_overload_response(worker));
    assert_int_equal(cmw_engine_destroy(engine), CMW_ERR_STATE); /* the worker is out */
    cmw_engine_put_worker(engine, worker);
    assert_int_equal(cmw_engine_destroy(engine), 0);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(another_engines_plan_is_refused),
        cmocka_unit_test(a_hosts_table_of_another_size_is_refused),
        cmocka_unit_test(requests_in_flight_finish_on_the_plan_with_which_they_began),
        cmocka_unit_test(a_context_of_a_plan_that_is_gone_is_laid_out_anew),
        cmocka_unit_test(an_idle_worker_lets_an_old_plan_go),
        cmocka_unit_test(a_plan_that_no_worker_has_met_goes_with_the_next_install),
        cmocka_unit_test(without_a_plan_no_request_begins),
    };
    struct CMUnitTest tests[LEN(rows) + LEN(others)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    memcpy(tests + LEN(rows), others, sizeof others);
    return cmocka_run_group_tests_name("install", tests, NULL, NULL);
}
