/* SPDX-License-Identifier: MIT */
/* rate_limit: whose quota it is. */
#include "builtin_fixture.h"

#include <catzilla/builtin/rate_limit.h>

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

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(all_local_sockets_are_one_client),
        cmocka_unit_test(a_callback_makes_keys),
        cmocka_unit_test(hostile_fields_are_keys_like_others),
        cmocka_unit_test(ten_thousand_list_items_are_one_key),
        cmocka_unit_test(a_principal_has_one_quota_from_anywhere),
        cmocka_unit_test(the_bytes_of_a_slot_are_a_key),
    };
    struct CMUnitTest tests[LEN(rows)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("rate_limit, keys", tests, NULL, NULL) +
           cmocka_run_group_tests_name("rate_limit, other keys", others, NULL, NULL);
}
