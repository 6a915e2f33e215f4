/* SPDX-License-Identifier: MIT */
/* rate_limit: whose quota it is, what a full table does, memory, stores, and the order of chains.
 */
#include "builtin_fixture.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catzilla/builtin/rate_limit.h>

#define MS UINT64_C(1000000)

/* ---- Keys ------------------------------------------------------------------------------- */

/* Two requests under a limit of one: the second is refused if they have one key. */
struct visit {
    const char *peer;
    const char *method;
    const char *target;
    const char *field[2]; /* name, value */
};

struct row {
    const char *name;
    const char *key[3];
    int64_t ipv6_prefix;
    struct visit visits[2];
    int is_one_key;
};

static const struct row rows[] = {
    {"an address is a key", {"ip"}, 64, {{.peer = "192.0.2.1"}, {.peer = "192.0.2.1"}}, 1},
    {"two addresses are two", {"ip"}, 64, {{.peer = "192.0.2.1"}, {.peer = "192.0.2.2"}}, 0},
    {"a client who changes its IPv6 address in its network is one",
     {"ip"},
     64,
     {{.peer = "2001:db8:0:1::1"}, {.peer = "2001:db8:0:1:ffff:ffff:ffff:ffff"}},
     1},
    {"two IPv6 networks are two",
     {"ip"},
     64,
     {{.peer = "2001:db8:0:1::1"}, {.peer = "2001:db8:0:2::1"}},
     0},
    {"a prefix may end within a byte",
     {"ip"},
     61,
     {{.peer = "2001:db8:0:8::1"}, {.peer = "2001:db8:0:f::1"}},
     1},
    {"and what is beyond it is another",
     {"ip"},
     61,
     {{.peer = "2001:db8:0:8::1"}, {.peer = "2001:db8:0:10::1"}},
     0},
    {"a prefix of 128 bits tells all addresses apart",
     {"ip"},
     128,
     {{.peer = "2001:db8::1"}, {.peer = "2001:db8::2"}},
     0},
    {"a mapped IPv4 address is that IPv4 address",
     {"ip"},
     64,
     {{.peer = "192.0.2.1"}, {.peer = "::ffff:192.0.2.1"}},
     1},
    {"mapped IPv4 addresses do not share a key",
     {"ip"},
     64,
     {{.peer = "::ffff:192.0.2.1"}, {.peer = "::ffff:192.0.2.2"}},
     0},
    {"forwarding fields of strangers change nothing",
     {"ip"},
     64,
     {{.peer = "192.0.2.1", .field = {"X-Forwarded-For", "198.51.100.1"}},
      {.peer = "192.0.2.1", .field = {"Forwarded", "for=198.51.100.2"}}},
     1},
    {"paths and methods share a key",
     {"ip"},
     64,
     {{.method = "GET", .target = "/a"}, {.method = "POST", .target = "/b"}},
     1},
    {"a field is a key",
     {"header:X-Api-Key"},
     64,
     {{.field = {"X-Api-Key", "k1"}}, {.peer = "192.0.2.9", .field = {"x-api-key", "k1"}}},
     1},
    {"its values are two",
     {"header:X-Api-Key"},
     64,
     {{.field = {"X-Api-Key", "k1"}}, {.field = {"X-Api-Key", "K1"}}},
     0},
    {"a field that nobody registered is a key",
     {"header:X-Tenant"},
     64,
     {{.field = {"X-Tenant", "a"}}, {.field = {"X-TENANT", "a"}}},
     1},
    {"those without the field share a key",
     {"header:X-Tenant"},
     64,
     {{.peer = "192.0.2.1"}, {.peer = "192.0.2.2"}},
     1},
    {"a host is a key, without port and case",
     {"host"},
     64,
     {{.field = {"Host", "A.example:80"}}, {.field = {"Host", "a.example"}}},
     1},
    {"a path is a key, in its canonical form",
     {"path"},
     64,
     {{.target = "/login"}, {.target = "//x/../%6cogin?y=1"}},
     1},
    {"paths are two", {"path"}, 64, {{.target = "/login"}, {.target = "/Login"}}, 0},
    {"methods are two", {"method"}, 64, {{.method = "GET"}, {.method = "POST"}}, 0},
    {"parts make one key", {"ip", "path"}, 64, {{.target = "/a"}, {.target = "/b"}}, 0},
    {"and the same parts the same", {"ip", "path"}, 64, {{.target = "/a"}, {.target = "/a"}}, 1},
    {"bytes that move between parts make another key",
     {"header:X-A", "header:X-B"},
     64,
     {{.field = {"X-A", "ab"}}, {.field = {"X-B", "ab"}}},
     0},
};

static void send_visit(cmw_test *test, const struct visit *visit)
{
    cmw_test_request(test, visit->method ? visit->method : "GET",
                     visit->target ? visit->target : "/");
    if (visit->peer)
        cmw_test_peer(test, visit->peer);
    if (visit->field[0])
        cmw_test_header(test, visit->field[0], visit->field[1]);
    (void)cmw_test_send(test);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_rate_limit_config config;

    cmw_rate_limit_config_init(&config);
    config.limit = 1;
    config.key = row->key;
    while (config.key_count < 3 && row->key[config.key_count])
        config.key_count++;
    config.ipv6_prefix = row->ipv6_prefix;
    cmw_test *test = open_bench("rate_limit", &config);
    send_visit(test, &row->visits[0]);
    assert_int_equal(cmw_test_status(test), 200);
    send_visit(test, &row->visits[1]);
    assert_int_equal(cmw_test_status(test), row->is_one_key ? 429 : 200);
    assert_no_allocation(test);
    close_bench(test);
}

static void all_local_sockets_are_one_client(void **state)
{
    cmw_rate_limit_config config;

    (void)state;
    cmw_rate_limit_config_init(&config);
    config.limit = 1;
    cmw_test *test = open_bench("rate_limit", &config);
    for (int i = 0; i < 2; i++) {
        cmw_test_request(test, "GET", "/");
        memset(&cmw_test_view(test)->peer, 0, sizeof(cmw_address));
        cmw_test_view(test)->peer.family = CMW_ADDRESS_UNIX;
        assert_int_equal(cmw_test_send(test), i == 0 ? 200 : 429);
    }
    cmw_test_request(test, "GET", "/");
    memset(&cmw_test_view(test)->peer, 0, sizeof(cmw_address));
    assert_int_equal(cmw_test_send(test), 200); /* an unknown address is another */
    close_bench(test);
}

static int take_query(void *self, cmw_ctx *ctx, cmw_str *key)
{
    (void)self;
    *key = cmw_request_query(cmw_ctx_request(ctx));
    return cmw_str_equals(*key, CMW_STR("bad")) ? CMW_ERR_INVALID : 0;
}

static void a_callback_makes_keys(void **state)
{
    static const char *const key[] = {"callback"};
    cmw_rate_limit_config config;

    (void)state;
    cmw_rate_limit_config_init(&config);
    config.limit = 1;
    config.key = key;
    config.key_count = 1;
    config.key_fn = take_query;
    cmw_test *test = open_bench("rate_limit", &config);
    cmw_test_request(test, "GET", "/?a");
    assert_int_equal(cmw_test_send(test), 200);
    cmw_test_request(test, "GET", "/x?a");
    assert_int_equal(cmw_test_send(test), 429);
    cmw_test_request(test, "GET", "/?b");
    assert_int_equal(cmw_test_send(test), 200);
    cmw_test_request(test, "GET", "/?bad"); /* an error is no free pass */
    assert_int_equal(cmw_test_send(test), 500);
    close_bench(test);
}

static void hostile_fields_are_keys_like_others(void **state)
{
    static const char *const key[] = {"header:X-Api-Key"};
    static char longest[20000];
    const char *values[] = {"", " ", "\xff\xfe", "a\tb", "a,b;c=\"d\"", "../../etc", longest};
    cmw_rate_limit_config config;

    (void)state;
    memset(longest, 'k', sizeof longest - 1);
    cmw_rate_limit_config_init(&config);
    config.limit = 1;
    config.key = key;
    config.key_count = 1;
    cmw_test *test = open_bench("rate_limit", &config);
    for (size_t i = 0; i < LEN(values); i++)
        for (int k = 0; k < 2; k++) {
            cmw_test_request(test, "GET", "/");
            cmw_test_header(test, "X-Api-Key", values[i]);
            cmw_test_header(test, "X-Api-Key", "another one is not looked at");
            assert_int_equal(cmw_test_send(test), k == 0 ? 200 : 429);
        }
    assert_no_allocation(test);
    close_bench(test);
}

static void ten_thousand_list_items_are_one_key(void **state)
{
    static const char *const key[] = {"header:X-Api-Key"};
    static char list[20001];
    cmw_rate_limit_config config;

    (void)state;
    for (size_t i = 0; i < sizeof list - 1; i++)
        list[i] = i % 2 ? ',' : 'a';
    cmw_rate_limit_config_init(&config);
    config.limit = 1;
    config.key = key;
    config.key_count = 1;
    cmw_test *test = open_bench("rate_limit", &config);
    for (int k = 0; k < 2; k++) {
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "X-Api-Key", list);
        assert_int_equal(cmw_test_send(test), k == 0 ? 200 : 429);
    }
    close_bench(test);
}

/* ---- Slots and principals --------------------------------------------------------------- */

/* Authentication as a chain sees it: it sets the principal to the field X-User. */
static int authenticate(void *self, cmw_ctx *ctx)
{
    const cmw_slot *slot = self;
    cmw_principal *principal = cmw_ctx_set_slot(ctx, *slot);
    const cmw_header *user = cmw_request_header_named(cmw_ctx_request(ctx), CMW_STR("X-User"));

    if (!principal)
        return CMW_ERROR;
    principal->id = user ? user->value : CMW_STR("");
    return CMW_CONTINUE;
}

static cmw_middleware authenticator(cmw_engine *engine, cmw_slot *slot, int32_t priority)
{
    cmw_middleware middleware;

    cmw_middleware_init(&middleware);
    assert_int_equal(cmw_principal_slot(engine, slot), 0);
    middleware.name = "auth";
    middleware.priority = priority;
    middleware.self = slot;
    middleware.pre_route = authenticate;
    cmw_middleware_provides(&middleware, *slot);
    return middleware;
}

static void a_principal_has_one_quota_from_anywhere(void **state)
{
    static const char *const key[] = {"principal"};
    cmw_rate_limit_config config;
    cmw_middleware limiter;
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};
    cmw_slot slot;

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    const cmw_middleware auth = authenticator(cmw_test_engine(test), &slot, 400);
    assert_int_equal(cmw_chain_add(chain, &auth, &diag), 0);
    cmw_rate_limit_config_init(&config);
    config.limit = 1;
    config.key = key;
    config.key_count = 1;
    cmw_middleware_init(&limiter);
    limiter.name = "by_user";
    assert_int_equal(cmw_rate_limit_create(cmw_test_engine(test), &limiter, &config, &diag), 0);
    limiter.priority = 450;
    assert_int_equal(cmw_chain_add(chain, &limiter, &diag), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);

    static const struct visit visits[] = {{.peer = "192.0.2.1", .field = {"X-User", "ann"}},
                                          {.peer = "192.0.2.2", .field = {"X-User", "ann"}},
                                          {.peer = "192.0.2.1", .field = {"X-User", "bob"}}};
    static const int statuses[] = {200, 429, 200};
    for (size_t i = 0; i < LEN(visits); i++) {
        send_visit(test, &visits[i]);
        assert_int_equal(cmw_test_status(test), statuses[i]);
    }
    close_bench(test);
}

struct tenant {
    uint32_t number;
};

static int find_tenant(void *self, cmw_ctx *ctx)
{
    const cmw_slot *slot = self;
    struct tenant *tenant = cmw_ctx_set_slot(ctx, *slot);
    const cmw_str host = cmw_request_host(cmw_ctx_request(ctx));

    tenant->number = host.len > 0 ? (uint32_t)host.data[0] : 0;
    return CMW_CONTINUE;
}

static void the_bytes_of_a_slot_are_a_key(void **state)
{
    static const char *const key[] = {"slot:tenant"};
    cmw_rate_limit_config config;
    cmw_middleware finder;
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};
    cmw_slot slot;

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    cmw_engine *engine = cmw_test_engine(test);
    assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
    assert_int_equal(cmw_slot_declare(engine, &slot, "tenant", sizeof(struct tenant), NULL), 0);
    assert_int_equal(cmw_slot_size(engine, slot), sizeof(struct tenant));
    assert_int_equal(cmw_slot_size(engine, CMW_NONE), 0);
    cmw_middleware_init(&finder);
    finder.name = "tenant";
    finder.priority = 200;
    finder.self = &slot;
    finder.pre_route = find_tenant;
    cmw_middleware_provides(&finder, slot);
    assert_int_equal(cmw_chain_add(chain, &finder, &diag), 0);
    cmw_rate_limit_config_init(&config);
    config.limit = 1;
    config.key = key;
    config.key_count = 1;
    assert_int_equal(cmw_chain_use(chain, "rate_limit", &config, &diag), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
    static const char *const hosts[] = {"a.example", "a.test", "b.example"};
    static const int statuses[] = {200, 429, 200};
    for (size_t i = 0; i < LEN(hosts); i++) {
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "Host", hosts[i]);
        assert_int_equal(cmw_test_send(test), statuses[i]);
    }
    close_bench(test);
}

/* ---- The order of chains ---------------------------------------------------------------- */

static int go_on(void *self, cmw_ctx *ctx)
{
    (void)self;
    (void)ctx;
    return CMW_CONTINUE;
}

/* What a chain of a limiter and another middleware says. */
static int compile_with(const cmw_rate_limit_config *config, int32_t limiter_priority,
                        cmw_relation relation, const char *fact, int32_t other_priority,
                        cmw_diag *diag)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_middleware limiter, other;
    cmw_slot slot;

    assert_int_equal(cmw_test_create(&test, NULL), 0);
    cmw_engine *engine = cmw_test_engine(test);
    assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
    cmw_middleware_init(&limiter);
    limiter.name = "limiter";
    assert_int_equal(cmw_rate_limit_create(engine, &limiter, config, diag), 0);
    limiter.priority = limiter_priority;
    assert_int_equal(cmw_chain_add(chain, &limiter, diag), 0);
    if (strcmp(fact, "principal") == 0)
        assert_int_equal(cmw_principal_slot(engine, &slot), 0);
    else
        assert_int_equal(cmw_slot_declare(engine, &slot, fact, 0, NULL), 0);
    cmw_middleware_init(&other);
    other.name = "other";
    other.priority = other_priority;
    other.pre_route = go_on;
    cmw_middleware_relate(&other, relation, slot);
    assert_int_equal(cmw_chain_add(chain, &other, diag), 0);
    const int rc = cmw_chain_compile(chain, &plan, diag);
    cmw_plan_release(plan);
    cmw_chain_destroy(chain);
    close_bench(test);
    return rc;
}

static void costly_authentication_does_not_stand_before_a_limit(void **state)
{
    cmw_diag diag = {0};

    (void)state;
    assert_int_equal(compile_with(NULL, 300, CMW_USES, "rate_limit", 400, &diag), 0);
    assert_int_equal(compile_with(NULL, 500, CMW_USES, "rate_limit", 400, &diag), CMW_ERR_ORDER);
    assert_non_null(strstr(diag.message, "'limiter'"));
    assert_non_null(strstr(diag.message, "'other'"));
}

static void a_limit_by_principal_stands_behind_authentication(void **state)
{
    static const char *const key[] = {"principal", "ip"};
    cmw_rate_limit_config config;
    cmw_diag diag = {0};

    (void)state;
    cmw_rate_limit_config_init(&config);
    config.key = key;
    config.key_count = 2;
    assert_int_equal(compile_with(&config, 500, CMW_PROVIDES, "principal", 400, &diag), 0);
    assert_int_equal(compile_with(&config, 300, CMW_PROVIDES, "principal", 400, &diag),
                     CMW_ERR_ORDER);
    assert_int_not_equal(compile_with(&config, 300, CMW_USES, "rate_limit", 200, &diag), 0);
    assert_non_null(strstr(diag.message, "principal")); /* nobody provides it */
}

static void a_limit_does_not_stand_before_who_refines_the_address(void **state)
{
    cmw_diag diag = {0};

    (void)state;
    assert_int_equal(compile_with(NULL, 300, CMW_REFINES, "client_address", 50, &diag), 0);
    assert_int_equal(compile_with(NULL, 300, CMW_REFINES, "client_address", 350, &diag),
                     CMW_ERR_ORDER);
    assert_non_null(strstr(diag.message, "client_address"));
}

static void a_limit_does_not_stand_before_cors(void **state)
{
    cmw_diag diag = {0};

    (void)state;
    assert_int_equal(compile_with(NULL, 300, CMW_PROVIDES, "cors", 250, &diag), 0);
    assert_int_equal(compile_with(NULL, 300, CMW_PROVIDES, "cors", 350, &diag), CMW_ERR_ORDER);
}

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

static cmw_test *open_limiter(const cmw_rate_limit_config *config, cmw_middleware *limiter)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};

    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    cmw_middleware_init(limiter);
    limiter->name = "limiter";
    if (cmw_rate_limit_create(cmw_test_engine(test), limiter, config, &diag) != 0)
        fail_msg("%s", diag.message);
    assert_int_equal(cmw_chain_add(chain, limiter, &diag), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(test, plan), 0);
    return test;
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

static int get(cmw_test *test)
{
    cmw_test_request(test, "GET", "/");
    return cmw_test_send(test);
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
    const struct CMUnitTest others[] = {
        cmocka_unit_test(all_local_sockets_are_one_client),
        cmocka_unit_test(a_callback_makes_keys),
        cmocka_unit_test(hostile_fields_are_keys_like_others),
        cmocka_unit_test(ten_thousand_list_items_are_one_key),
        cmocka_unit_test(a_principal_has_one_quota_from_anywhere),
        cmocka_unit_test(the_bytes_of_a_slot_are_a_key),
        cmocka_unit_test(costly_authentication_does_not_stand_before_a_limit),
        cmocka_unit_test(a_limit_by_principal_stands_behind_authentication),
        cmocka_unit_test(a_limit_does_not_stand_before_who_refines_the_address),
        cmocka_unit_test(a_limit_does_not_stand_before_cors),
        cmocka_unit_test(a_full_table_refuses_new_clients_or_lets_them_pass_and_counts),
        cmocka_unit_test(refusals_are_counted),
        cmocka_unit_test(a_reload_forgives_nobody),
        cmocka_unit_test(two_limiters_of_a_chain_do_not_share_a_table),
        cmocka_unit_test(forked_servers_share_a_limit_in_given_memory),
        cmocka_unit_test(memory_sizes_out_of_range_are_none),
        cmocka_unit_test(a_store_takes_the_place_of_the_table),
        cmocka_unit_test(a_store_that_fails_refuses_unless_it_is_to_allow),
        cmocka_unit_test(what_comes_for_a_request_that_left_is_released),
        cmocka_unit_test(a_store_that_is_not_whole_is_refused),
        cmocka_unit_test(workers_let_exactly_the_limit_pass),
    };
    struct CMUnitTest tests[LEN(rows) + LEN(later_rows)];

    for (size_t i = 0; i < LEN(later_rows); i++)
        tests[LEN(rows) + i] =
            (struct CMUnitTest){.name = later_rows[i].name,
                                .test_func = check_later,
                                .initial_state = (void *)(uintptr_t)&later_rows[i]};
    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].name,
                                       .test_func = check_row,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    return cmocka_run_group_tests_name("rate_limit, keys", tests, NULL, NULL) +
           cmocka_run_group_tests_name("rate_limit, surroundings", others, NULL, NULL);
}
