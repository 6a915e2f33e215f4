/* SPDX-License-Identifier: MIT */
/* rate_limit: quotas that a store keeps, which answers at once or later. */
#include "rate_limit_fixture.h"

/* ---- Stores ----------------------------------------------------------------------------- */

struct store {
    int answer;
    uint32_t left[2];
    cmw_str keys[2];
    uint32_t cost;
    const char *name;
    size_t released;
};

static int take_from_store(void *self, cmw_ctx *ctx, const cmw_rate_take *takes,
                           cmw_rate_result *results, size_t count)
{
    struct store *store = self;
    int passes = 1;

    (void)ctx;
    for (size_t i = 0; i < count; i++) {
        store->keys[i] = takes[i].key;
        passes &= store->left[i] >= takes[i].cost;
    }
    store->cost = takes[0].cost;
    store->name = takes[0].policy_name;
    for (size_t i = 0; i < count; i++) {
        const int is_allowed = store->left[i] >= takes[i].cost;
        if (passes)
            store->left[i] -= takes[i].cost;
        results[i] = (cmw_rate_result){is_allowed, store->left[i], takes[i].window_ns,
                                       is_allowed ? 0 : 5000 * MS};
    }
    return store->answer;
}

static cmw_rate_store store_of(struct store *self, uint32_t flags)
{
    return (cmw_rate_store){
        .size = sizeof(cmw_rate_store), .flags = flags, .self = self, .take = take_from_store};
}

static void a_store_takes_the_place_of_the_table(void **state)
{
    static const char *const key[] = {"ip", "method"};
    struct store mine = {.left = {2, 0}};
    const cmw_rate_store store = store_of(&mine, 0);
    cmw_rate_limit_config config;

    (void)state;
    cmw_rate_limit_config_init(&config);
    config.limit = 2;
    config.key = key;
    config.key_count = 2;
    config.store = &store;
    cmw_test *test = open_bench("rate_limit", &config);
    assert_int_equal(get(test), 200);
    assert_string_equal(cmw_test_response_field(test, "RateLimit"), "\"default\";r=1;t=60");
    assert_int_equal(mine.keys[0].len, 4 + 4 + 4 + 3);
    assert_string_equal(mine.name, "default");
    assert_int_equal(get(test), 200);
    assert_int_equal(get(test), 429);
    assert_string_equal(cmw_test_response_field(test, "Retry-After"), "5");
    assert_no_allocation(test);
    close_bench(test);
}

static void a_store_that_fails_refuses_unless_it_is_to_allow(void **state)
{
    static const int answers[] = {CMW_ERR_IO, CMW_RATE_PENDING, 77};

    (void)state;
    for (int fallback = CMW_RATE_REFUSE; fallback <= CMW_RATE_ALLOW; fallback++)
        for (size_t i = 0; i < LEN(answers); i++) {
            struct store mine = {.answer = answers[i], .left = {9, 9}};
            const cmw_rate_store store = store_of(&mine, 0);
            cmw_rate_limit_config config;
            cmw_rate_limit_stats stats = {.size = sizeof stats};
            cmw_middleware limiter;
            cmw_rate_limit_config_init(&config);
            config.store = &store;
            config.on_store_failure = fallback;
            cmw_test *test = open_limiter(&config, &limiter);
            assert_int_equal(get(test), fallback == CMW_RATE_REFUSE ? 503 : 200);
            assert_int_equal(cmw_rate_limit_get_stats(&limiter, &stats), 0);
            assert_int_equal(stats.store_failures, 1);
            close_bench(test);
        }
}

static void release_results(void *self, cmw_rate_result *results)
{
    struct store *store = self;
    assert_non_null(results);
    store->released++;
}

/* A store that keeps the token, and a server that waits. */
struct waiting {
    struct store store;
    cmw_token token;
    int status;
};

static int take_later(void *self, cmw_ctx *ctx, const cmw_rate_take *takes,
                      cmw_rate_result *results, size_t count)
{
    struct waiting *waiting = self;

    (void)takes;
    (void)results;
    assert_int_equal(count, 1);
    return cmw_ctx_suspend(ctx, &waiting->token) == 0 ? CMW_RATE_PENDING : CMW_ERR_STATE;
}

static void finish(struct waiting *waiting, cmw_ctx *ctx, int next)
{
    if (next == CMW_TO_HANDLER) {
        assert_int_equal(cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok")), 0);
        cmw_ctx_commit(ctx);
    }
    waiting->status = cmw_response_status(cmw_ctx_response(ctx));
    cmw_ctx_end(ctx, CMW_END_SENT);
}

static void on_proceed(void *self, cmw_ctx *ctx, int next)
{
    finish(self, ctx, next);
}

static const cmw_host waiting_host = {.size = sizeof(cmw_host),
                                      .name = "waiting",
                                      .capabilities = CMW_CAP_SUSPEND,
                                      .proceed = on_proceed};

struct later_row {
    const char *name;
    int verdict;
    int has_data, is_allowed;
    int status;
    size_t released;
};

static const struct later_row later_rows[] = {
    {"a late yes lets the request pass", CMW_CONTINUE, 1, 1, 200, 1},
    {"a late no refuses it", CMW_CONTINUE, 1, 0, 429, 1},
    {"a late failure refuses it", CMW_ERROR, 1, 1, 503, 1},
    {"a late nothing refuses it", CMW_CONTINUE, 0, 0, 503, 0},
};

static void check_later(void **state)
{
    const struct later_row *row = *state;
    struct waiting waiting = {.status = 0};
    cmw_rate_store store = {.size = sizeof store,
                            .flags = CMW_RATE_STORE_ASYNC,
                            .self = &waiting,
                            .take = take_later,
                            .release = release_results};
    cmw_rate_result result = {row->is_allowed, 1, 1000 * MS, 1000 * MS};
    cmw_rate_limit_config config;
    cmw_middleware limiter;
    cmw_worker *worker = NULL;
    cmw_request_view view;
    cmw_ctx *ctx = NULL;

    cmw_rate_limit_config_init(&config);
    config.store = &store;
    cmw_test *test = open_limiter(&config, &limiter);
    cmw_engine *engine = cmw_test_engine(test);
    assert_int_equal(cmw_engine_take_worker(engine, &worker, &waiting_host, &waiting), 0);
    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = CMW_STR("/");
    view.now_ns = 1000 * MS;
    assert_int_equal(cmw_ctx_begin(worker, &ctx, &view), 0);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_SUSPENDED);
    assert_int_equal(
        cmw_resume(engine, waiting.token, row->verdict, row->has_data ? &result : NULL), 0);
    assert_int_equal(cmw_worker_run(worker, 1000 * MS), 1);
    assert_int_equal(waiting.status, row->status);
    assert_int_equal(waiting.store.released, row->released);
    cmw_engine_put_worker(engine, worker);
    close_bench(test);
}

static void what_comes_for_a_request_that_left_is_released(void **state)
{
    struct waiting waiting = {.status = 0};
    cmw_rate_store store = {.size = sizeof store,
                            .flags = CMW_RATE_STORE_ASYNC,
                            .self = &waiting,
                            .take = take_later,
                            .release = release_results};
    cmw_rate_limit_config config;
    cmw_rate_result result = {1, 1, 1, 0};
    cmw_middleware limiter;

    (void)state;
    cmw_rate_limit_config_init(&config);
    config.store = &store;
    cmw_test *test = open_limiter(&config, &limiter);
    assert_int_equal(limiter.suspend_phases, 1u << CMW_PHASE_PRE_ROUTE);
    limiter.dropped(limiter.self, &result);
    assert_int_equal(waiting.store.released, 1);
    limiter.dropped(limiter.self, NULL);
    assert_int_equal(waiting.store.released, 1);
    close_bench(test);
}

static void a_store_that_is_not_whole_is_refused(void **state)
{
    struct store mine = {0};
    cmw_rate_store store = store_of(&mine, 0);
    cmw_rate_limit_config config;

    (void)state;
    cmw_rate_limit_config_init(&config);
    config.store = &store;
    store.take = NULL;
    assert_refused("rate_limit", &config, CMW_ERR_ARG,
                   "rate_limit: store: it has another size, no take, or unknown flags");
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(a_store_takes_the_place_of_the_table),
        cmocka_unit_test(a_store_that_fails_refuses_unless_it_is_to_allow),
        cmocka_unit_test(what_comes_for_a_request_that_left_is_released),
        cmocka_unit_test(a_store_that_is_not_whole_is_refused),
    };
    struct CMUnitTest tests[LEN(later_rows)];

    for (size_t i = 0; i < LEN(later_rows); i++)
        tests[i] = ROW_TEST(&later_rows[i], check_later);
    return cmocka_run_group_tests_name("rate_limit, stores that answer later", tests, NULL, NULL) +
           cmocka_run_group_tests_name("rate_limit, stores", others, NULL, NULL);
}
