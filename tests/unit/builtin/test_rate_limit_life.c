/* SPDX-License-Identifier: MIT */
/* rate_limit: a full table, reloads, memory that processes share, many workers. */
#include "rate_limit_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- A full table ----------------------------------------------------------------------- */

static void fill_table(cmw_test *test, const cmw_middleware *limiter, int status)
{
    char peer[32];
    cmw_rate_limit_stats stats = {.size = sizeof stats};
    int refused = 0;

    for (int i = 0; i < 40; i++) {
        snprintf(peer, sizeof peer, "192.0.2.%d", i);
        cmw_test_request(test, "GET", "/");
        cmw_test_peer(test, peer);
        const int got = cmw_test_send(test);
        if (cmw_test_response_field(test, "RateLimit")) {
            assert_int_equal(got, 200);
            continue;
        }
        refused++;
        assert_int_equal(got, status);
        assert_true((got == 503) == (cmw_test_response_field(test, "Retry-After") != NULL));
    }
    assert_int_equal(refused, 40 - 4);
    assert_int_equal(cmw_rate_limit_get_stats(limiter, &stats), 0);
    assert_int_equal(stats.refused_full, status == 503 ? refused : 0);
    assert_int_equal(stats.allowed_full, status == 503 ? 0 : refused);
    assert_int_equal(stats.refused, 0);
}

static void a_full_table_refuses_new_clients_or_lets_them_pass_and_counts(void **state)
{
    (void)state;
    for (int full = CMW_RATE_REFUSE; full <= CMW_RATE_ALLOW; full++)
        for (int algorithm = 0; algorithm <= CMW_RATE_SLIDING_WINDOW; algorithm++) {
            cmw_rate_limit_config config;
            cmw_middleware limiter;
            cmw_rate_limit_config_init(&config);
            config.algorithm = algorithm;
            config.limit = 1;
            config.entries = 4;
            config.full = full;
            cmw_test *test = open_limiter(&config, &limiter);
            fill_table(test, &limiter, full == CMW_RATE_REFUSE ? 503 : 200);
            close_bench(test);
        }
}

static void refusals_are_counted(void **state)
{
    cmw_rate_limit_config config;
    cmw_rate_limit_stats stats = {.size = sizeof stats};
    cmw_middleware limiter, other;

    (void)state;
    cmw_rate_limit_config_init(&config);
    config.limit = 1;
    cmw_test *test = open_limiter(&config, &limiter);
    for (int i = 0; i < 5; i++) {
        cmw_test_request(test, "GET", "/");
        (void)cmw_test_send(test);
    }
    assert_int_equal(cmw_rate_limit_get_stats(&limiter, &stats), 0);
    assert_int_equal(stats.refused, 4);
    stats.size = 1;
    assert_int_equal(cmw_rate_limit_get_stats(&limiter, &stats), CMW_ERR_VERSION);
    cmw_middleware_init(&other);
    assert_int_equal(cmw_rate_limit_get_stats(&other, &stats), CMW_ERR_ARG);
    close_bench(test);
}

/* ---- Reloads and shared memory ---------------------------------------------------------- */

static void install_again(cmw_test *test, const cmw_rate_limit_config *config)
{
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};

    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "rate_limit", config, &diag), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
}

static void a_reload_forgives_nobody(void **state)
{
    static const char *const key[] = {"ip"};
    cmw_rate_limit_config config;

    (void)state;
    cmw_rate_limit_config_init(&config);
    config.algorithm = CMW_RATE_FIXED_WINDOW;
    config.limit = 2;
    cmw_test *test = open_bench("rate_limit", &config);
    assert_int_equal(get(test), 200);
    install_again(test, &config);
    assert_int_equal(get(test), 200);
    config.key = key; /* the default, spelled out */
    config.key_count = 1;
    install_again(test, &config);
    assert_int_equal(get(test), 429);
    config.limit = 3; /* another limit counts on from where the last one was */
    install_again(test, &config);
    assert_int_equal(get(test), 200);
    assert_int_equal(get(test), 429);
    config.algorithm = CMW_RATE_GCRA; /* another meaning of the states begins anew */
    install_again(test, &config);
    assert_int_equal(get(test), 200);
    close_bench(test);
}

static void two_limiters_of_a_chain_do_not_share_a_table(void **state)
{
    cmw_rate_limit_config config;
    cmw_middleware limiters[2];
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    cmw_rate_limit_config_init(&config);
    for (size_t i = 0; i < 2; i++) {
        cmw_middleware_init(&limiters[i]);
        limiters[i].name = i == 0 ? "one" : "two";
        config.policy_name = limiters[i].name;
        config.limit = 5 - (int64_t)i;
        assert_int_equal(cmw_rate_limit_create(cmw_test_engine(test), &limiters[i], &config, &diag),
                         0);
        assert_int_equal(cmw_chain_add(chain, &limiters[i], &diag), 0);
    }
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(get(test), 200);
    const char *head = cmw_test_response_head(test).data;
    assert_non_null(strstr(head, "\"one\";r=1;"));
    assert_non_null(strstr(head, "\"two\";r=0;"));
    assert_non_null(strstr(head, "\"one\";q=5;"));
    assert_non_null(strstr(head, "\"two\";q=4;"));
    assert_int_equal(get(test), 429);
    close_bench(test);
}

static void forked_servers_share_a_limit_in_given_memory(void **state)
{
    enum { CHILDREN = 3, LIMIT = 30 };
    cmw_rate_limit_config config;
    const size_t bytes = cmw_rate_limit_memory_bytes(1, 1000);
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t children[CHILDREN];
    int passed = 0;

    (void)state;
    assert_ptr_not_equal(memory, MAP_FAILED);
    cmw_rate_limit_config_init(&config);
    config.limit = LIMIT;
    config.entries = 1000;
    config.memory = memory;
    config.memory_bytes = bytes;
    for (size_t i = 0; i < CHILDREN; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] > 0)
            continue;
        cmw_test *test = open_bench("rate_limit", &config); /* each makes its own engine */
        int own = 0;
        for (int k = 0; k < LIMIT; k++)
            own += get(test) == 200;
        close_bench(test);
        _exit(own);
    }
    for (size_t i = 0; i < CHILDREN; i++) {
        int status = -1;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_true(WIFEXITED(status));
        passed += WEXITSTATUS(status);
    }
    assert_int_equal(passed, LIMIT);
    cmw_test *test = open_bench("rate_limit", &config); /* and it is there afterwards */
    assert_int_equal(get(test), 429);
    close_bench(test);
    config.ipv6_prefix = 48;
    assert_refused("rate_limit", &config, CMW_ERR_CONFLICT,
                   "rate_limit: memory: it holds something else than tables of these limits; give "
                   "zeroed memory");
    assert_int_equal(munmap(memory, bytes), 0);
}

static void memory_sizes_out_of_range_are_none(void **state)
{
    (void)state;
    assert_int_equal(cmw_rate_limit_memory_bytes(0, 4), 0);
    assert_int_equal(cmw_rate_limit_memory_bytes(9, 4), 0);
    assert_int_equal(cmw_rate_limit_memory_bytes(1, 0), 0);
    assert_int_equal(cmw_rate_limit_memory_bytes(1, (int64_t)CMW_RATE_ENTRIES_MAX + 1), 0);
    assert_true(cmw_rate_limit_memory_bytes(1, CMW_RATE_ENTRIES_MAX) > 0);
}

/* ---- Many workers ----------------------------------------------------------------------- */

enum { THREADS = 8, LIMIT = 1000 };

static void *serve(void *self)
{
    cmw_engine *engine = self;
    cmw_worker *worker;
    cmw_request_view view;
    uintptr_t passed = 0;

    if (cmw_engine_take_worker(engine, &worker, NULL, NULL) != 0)
        return NULL;
    cmw_request_view_init(&view);
    view.method = CMW_STR("GET");
    view.target = CMW_STR("/");
    view.peer.family = CMW_ADDRESS_V4;
    view.now_ns = 1000 * MS;
    for (int i = 0; i < LIMIT; i++) {
        cmw_ctx *ctx;
        if (cmw_ctx_begin(worker, &ctx, &view) != 0)
            break;
        if (cmw_ctx_run(ctx) == CMW_TO_HANDLER) {
            passed += cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok")) == 0;
            cmw_ctx_commit(ctx);
        }
        cmw_ctx_end(ctx, CMW_END_SENT);
    }
    cmw_engine_put_worker(engine, worker);
    return (void *)passed;
}

static void workers_let_exactly_the_limit_pass(void **state)
{
    cmw_rate_limit_config config;
    pthread_t threads[THREADS];
    uintptr_t passed = 0;

    (void)state;
    cmw_rate_limit_config_init(&config);
    config.limit = LIMIT;
    cmw_test *test = open_bench("rate_limit", &config);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, serve, cmw_test_engine(test)), 0);
    for (size_t i = 0; i < THREADS; i++) {
        void *own = NULL;
        assert_int_equal(pthread_join(threads[i], &own), 0);
        passed += (uintptr_t)own;
    }
    assert_int_equal(passed, LIMIT);
    close_bench(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_full_table_refuses_new_clients_or_lets_them_pass_and_counts),
        cmocka_unit_test(refusals_are_counted),
        cmocka_unit_test(a_reload_forgives_nobody),
        cmocka_unit_test(two_limiters_of_a_chain_do_not_share_a_table),
        cmocka_unit_test(forked_servers_share_a_limit_in_given_memory),
        cmocka_unit_test(memory_sizes_out_of_range_are_none),
        cmocka_unit_test(workers_let_exactly_the_limit_pass),
    };
    return cmocka_run_group_tests_name("rate_limit, life", tests, NULL, NULL);
}
