/* SPDX-License-Identifier: MIT */
/* circuit_breaker: what counts as a failure, and what is answered meanwhile. */
#include "builtin_fixture.h"

#include <catzilla/builtin/circuit_breaker.h>

#define MS UINT64_C(1000000)

struct backend {
    cmw_test *test;
    int status; /* 0: the handler fails */
    uint64_t takes_ns;
    unsigned calls;
};

static int serve(void *self, cmw_ctx *ctx)
{
    struct backend *backend = self;

    backend->calls++;
    cmw_test_advance_ns(backend->test, backend->takes_ns);
    if (backend->status == 0)
        return -1;
    return cmw_respond_text(ctx, backend->status, CMW_STR("answer")) == CMW_STOP ? 0 : -1;
}

static cmw_test *open_breaker_with(struct backend *backend, int64_t slow_ms, int with_body,
                                   cmw_middleware *mw)
{
    cmw_circuit_breaker_config config;
    cmw_chain *chain = NULL;

    cmw_circuit_breaker_config_init(&config);
    config.min_requests = 4;
    config.slow_ms = slow_ms;
    config.slow_with_body = with_body;
    config.open_ms = 1500;
    config.probes = 2;
    assert_int_equal(cmw_test_create(&backend->test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(backend->test), &chain, 0), 0);
    cmw_middleware_init(mw);
    mw->name = "breaker";
    assert_int_equal(cmw_circuit_breaker_create(cmw_test_engine(backend->test), mw, &config, NULL),
                     0);
    assert_int_equal(cmw_chain_add(chain, mw, NULL), 0);
    assert_int_equal(cmw_chain_install(chain, NULL), 0);
    cmw_chain_destroy(chain);
    cmw_test_set_handler(backend->test, serve, backend);
    cmw_test_request(backend->test, "GET", "/");
    return backend->test;
}

static cmw_test *open_breaker(struct backend *backend, int64_t slow_ms, cmw_middleware *mw)
{
    return open_breaker_with(backend, slow_ms, 0, mw);
}

static cmw_circuit_breaker_stats stats_of(const cmw_middleware *mw)
{
    cmw_circuit_breaker_stats stats = {.size = sizeof stats};
    assert_int_equal(cmw_circuit_breaker_get_stats(mw, &stats), 0);
    return stats;
}

struct row {
    const char *name;
    int status;
    uint64_t takes_ms;
    int64_t slow_ms;
    cmw_end_reason reason;
    int opens;
};

static const struct row rows[] = {
    {"answers are no failures", 200, 0, 0, CMW_END_SENT, 0},
    {"nor is what the client got wrong", 404, 0, 0, CMW_END_SENT, 0},
    {"a 500 is", 500, 0, 0, CMW_END_SENT, 1},
    {"a 503 is", 503, 0, 0, CMW_END_SENT, 1},
    {"a handler that fails is", 0, 0, 0, CMW_END_SENT, 1},
    {"an answer that cannot be sent is", 200, 0, 0, CMW_END_ERROR, 1},
    {"a deadline is", 200, 0, 0, CMW_END_DEADLINE, 1},
    {"that of a body is not", 408, 0, 0, CMW_END_DEADLINE, 0},
    {"a client that left is not", 500, 0, 0, CMW_END_CLIENT_GONE, 0},
    {"nor a server that closes", 500, 0, 0, CMW_END_SHUTDOWN, 0},
    {"slow is no failure by itself", 200, 900, 0, CMW_END_SENT, 0},
    {"slow is one where it is asked for", 200, 900, 899, CMW_END_SENT, 1},
    {"as long as is allowed is not slow", 200, 900, 900, CMW_END_SENT, 0},
    {"a client that left a slow one tells as well", 200, 900, 100, CMW_END_CLIENT_GONE, 1},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct backend backend = {NULL, row->status, row->takes_ms * MS, 0};
    cmw_middleware mw;
    cmw_test *test = open_breaker(&backend, row->slow_ms, &mw);

    cmw_test_set_end_reason(test, row->reason);
    for (unsigned i = 0; i < 4; i++)
        (void)cmw_test_send(test);
    assert_int_equal(stats_of(&mw).state, row->opens ? CMW_CIRCUIT_OPEN : CMW_CIRCUIT_CLOSED);
    assert_no_allocation(test);
    close_bench(test);
}

static int read_slowly(void *self, cmw_ctx *ctx)
{
    (void)ctx;
    cmw_test_advance_ns(self, 900 * MS);
    return CMW_CONTINUE;
}

/* What passes once the answer is there is the client's time: else any client could open it. */
static void a_client_that_reads_slowly_opens_nothing(void **state)
{
    struct backend backend = {NULL, 200, 0, 0};
    cmw_circuit_breaker_config config;
    cmw_chain *chain = NULL;
    cmw_middleware mw, slow;

    (void)state;
    cmw_circuit_breaker_config_init(&config);
    config.min_requests = 4;
    config.slow_ms = 100;
    assert_int_equal(cmw_test_create(&backend.test, NULL), 0);
    cmw_engine *const engine = cmw_test_engine(backend.test);
    assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
    cmw_middleware_init(&mw);
    mw.name = "breaker";
    assert_int_equal(cmw_circuit_breaker_create(engine, &mw, &config, NULL), 0);
    assert_int_equal(cmw_chain_add(chain, &mw, NULL), 0);
    cmw_middleware_init(&slow);
    slow.name = "slow";
    slow.post_priority = 60000; /* called after the breaker's */
    slow.post_route = read_slowly;
    slow.self = backend.test;
    assert_int_equal(cmw_chain_add(chain, &slow, NULL), 0);
    assert_int_equal(cmw_chain_install(chain, NULL), 0);
    cmw_chain_destroy(chain);
    cmw_test_set_handler(backend.test, serve, &backend);
    cmw_test_request(backend.test, "GET", "/");
    for (unsigned i = 0; i < 8; i++)
        assert_int_equal(cmw_test_send(backend.test), 200);
    assert_int_equal(stats_of(&mw).state, CMW_CIRCUIT_CLOSED);
    close_bench(backend.test);
}

/* The handler waits for the body: 900 ms, of which nobody knows whose they are. */
static void a_client_that_sends_slowly_opens_nothing(void **state)
{
    (void)state;
    for (int counts = 0; counts <= 1; counts++) {
        struct backend backend = {NULL, 200, 900 * MS, 0};
        cmw_middleware mw;
        cmw_test *test = open_breaker_with(&backend, 100, counts, &mw);
        cmw_test_request(test, "POST", "/");
        cmw_test_body(test, CMW_STR("slow"));
        for (unsigned i = 0; i < 4; i++)
            (void)cmw_test_send(test);
        assert_int_equal(stats_of(&mw).state, counts ? CMW_CIRCUIT_OPEN : CMW_CIRCUIT_CLOSED);
        close_bench(test);
    }
}

static void it_opens_and_closes(void **state)
{
    struct backend backend = {NULL, 500, 0, 0};
    cmw_middleware mw;
    cmw_test *test = open_breaker(&backend, 0, &mw);

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(cmw_test_send(test), 500);
    assert_int_equal(cmw_test_send(test), 503);
    assert_string_equal(cmw_test_response_field(test, "Retry-After"), "2"); /* 1.5 s, rounded up */
    assert_int_equal(backend.calls, 4);
    assert_int_equal(stats_of(&mw).refused, 1);
    assert_int_equal(stats_of(&mw).failed, 4);
    cmw_test_advance_ns(test, 1500 * MS);
    backend.status = 200;
    assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(stats_of(&mw).state, CMW_CIRCUIT_HALF_OPEN);
    assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(stats_of(&mw).state, CMW_CIRCUIT_CLOSED);
    close_bench(test);
}

/* A reload does not close it. */
static void the_state_outlives_the_plan(void **state)
{
    struct backend backend = {NULL, 500, 0, 0};
    cmw_circuit_breaker_config config;
    cmw_middleware mw;
    cmw_chain *chain = NULL;
    cmw_test *test = open_breaker(&backend, 0, &mw);

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(cmw_test_send(test), 500);
    cmw_circuit_breaker_config_init(&config);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    cmw_middleware_init(&mw);
    mw.name = "breaker";
    assert_int_equal(cmw_circuit_breaker_create(cmw_test_engine(test), &mw, &config, NULL), 0);
    assert_int_equal(cmw_chain_add(chain, &mw, NULL), 0);
    assert_int_equal(cmw_chain_install(chain, NULL), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_send(test), 503);
    close_bench(test);
}

static void configs_that_mean_nothing_are_refused(void **state)
{
    cmw_circuit_breaker_config config;

    (void)state;
    cmw_circuit_breaker_config_init(&config);
    config.window_ms = 9;
    assert_refused("circuit_breaker", &config, CMW_ERR_ARG,
                   "circuit_breaker: window_ms: 9 is not 10 to 3600000");
    cmw_circuit_breaker_config_init(&config);
    config.min_requests = 0;
    assert_refused("circuit_breaker", &config, CMW_ERR_ARG,
                   "circuit_breaker: min_requests: 0 is not 1 to 1000000");
    cmw_circuit_breaker_config_init(&config);
    config.error_permille = 1001;
    assert_refused("circuit_breaker", &config, CMW_ERR_ARG,
                   "circuit_breaker: error_permille: 1001 is not 1 to 1000");
    cmw_circuit_breaker_config_init(&config);
    config.probes = 0;
    assert_refused("circuit_breaker", &config, CMW_ERR_ARG,
                   "circuit_breaker: probes: 0 is not 1 to 1000");
    cmw_circuit_breaker_config_init(&config);
    config.failure_status = 200;
    assert_refused("circuit_breaker", &config, CMW_ERR_ARG,
                   "circuit_breaker: failure_status: 200 is not 400 to 599");
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    assert_survives_failing_memory("circuit_breaker", NULL);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(it_opens_and_closes),
        cmocka_unit_test(a_client_that_reads_slowly_opens_nothing),
        cmocka_unit_test(a_client_that_sends_slowly_opens_nothing),
        cmocka_unit_test(the_state_outlives_the_plan),
        cmocka_unit_test(configs_that_mean_nothing_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("circuit_breaker", tests, NULL, NULL) |
           cmocka_run_group_tests_name("circuit_breaker: the rest", others, NULL, NULL);
}
