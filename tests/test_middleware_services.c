/* SPDX-License-Identifier: MIT */
/* The core, from outside: services, their scopes, and what is refused when compiling. */
#include "actor.h"

struct factory {
    const char *name;
    cmw_service_scope scope;
    const char *depends[2];
    size_t depend_count;
    int made, unmade;
    int failure; /* what `create` returns */
};

static char service_log[256]; /* "+name " made, "-name " unmade */

static void note(const char *sign, const char *name)
{
    const size_t len = strlen(service_log);
    snprintf(service_log + len, sizeof service_log - len, "%s%s ", sign, name);
}

static int make_object(void *self, void **object, cmw_resolver *resolver)
{
    struct factory *factory = self;
    void *other = NULL;

    if (factory->failure)
        return factory->failure;
    for (size_t i = 0; i < factory->depend_count; i++)
        if (cmw_resolver_get(resolver, factory->depends[i], &other) != 0)
            return CMW_ERR_NOT_FOUND;
    assert_int_equal(cmw_resolver_get(resolver, "nobody", &other), CMW_ERR_NOT_FOUND);
    assert_int_equal(cmw_resolver_ctx(resolver) != NULL, factory->scope != CMW_SERVICE_SINGLETON);
    note("+", factory->name);
    factory->made++;
    *object = factory;
    return 0;
}

static void unmake_object(void *self, void *object)
{
    struct factory *factory = self;
    assert_ptr_equal(object, factory);
    note("-", factory->name);
    factory->unmade++;
}

static void define(struct bench *bench, struct factory *factory)
{
    cmw_service_config config;

    cmw_service_config_init(&config);
    config.scope = (int32_t)factory->scope;
    config.create = make_object;
    config.destroy = unmake_object;
    config.self = factory;
    config.depends = factory->depends;
    config.depend_count = factory->depend_count;
    assert_int_equal(cmw_service_define(bench->engine, factory->name, &config), 0);
}

struct asks {
    cmw_service services[3];
    size_t count;
    int expected;
};

static void ask_twice(struct actor *actor, cmw_ctx *ctx)
{
    const struct asks *asks = actor->data;
    for (size_t i = 0; i < asks->count * 2; i++) {
        void *object = NULL;
        assert_int_equal(cmw_ctx_service(ctx, asks->services[i % asks->count], &object),
                         asks->expected);
        assert_int_equal(object != NULL, asks->expected == 0);
    }
}

static void services_live_as_long_as_their_scope(void **state)
{
    struct factory single = {.name = "single", .scope = CMW_SERVICE_SINGLETON};
    struct factory upper = {
        .name = "upper", .scope = CMW_SERVICE_SINGLETON, .depends = {"single"}, .depend_count = 1};
    struct factory request = {
        .name = "request", .scope = CMW_SERVICE_REQUEST, .depends = {"upper"}, .depend_count = 1};
    struct factory transient = {.name = "transient",
                                .scope = CMW_SERVICE_TRANSIENT,
                                .depends = {"request"},
                                .depend_count = 1};
    struct asks asks = {.count = 2};
    struct actor a = {.name = "a", .on = ON_PRE, .inside = ask_twice, .data = &asks};
    struct bench bench;
    (void)state;
    bench_open(&bench, NULL);
    service_log[0] = '\0';
    define(&bench, &transient);
    define(&bench, &request);
    define(&bench, &upper);
    define(&bench, &single);
    assert_int_equal(cmw_service_declare(bench.engine, &asks.services[0], "transient"), 0);
    assert_int_equal(cmw_service_declare(bench.engine, &asks.services[1], "upper"), 0);
    bench_add(&bench, &a);
    assert_int_equal(cmw_chain_needs_service(bench.chain, "a", asks.services[0]), 0);
    bench_install(&bench);
    assert_string_equal(service_log, "+single +upper ");
    service_log[0] = '\0';
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_string_equal(service_log,
                        "+request +transient +transient -transient -transient -request ");
    bench_install(&bench); /* singletons are made once */
    service_log[0] = '\0';
    bench_close(&bench);
    assert_string_equal(service_log, "-upper -single ");
}

static void a_defined_object_is_never_destroyed(void **state)
{
    int object = 0;
    struct asks asks = {.count = 1};
    struct actor a = {.name = "a", .on = ON_PRE, .inside = ask_twice, .data = &asks};
    struct bench bench;
    (void)state;
    bench_open(&bench, NULL);
    assert_int_equal(cmw_service_define_object(bench.engine, "it", &object), 0);
    assert_int_equal(cmw_service_define_object(bench.engine, "it", &object), CMW_ERR_EXISTS);
    assert_int_equal(cmw_service_declare(bench.engine, &asks.services[0], "it"), 0);
    bench_add(&bench, &a);
    assert_int_equal(cmw_chain_needs_service(bench.chain, "a", asks.services[0]), 0);
    bench_install(&bench);
    assert_int_equal(cmw_test_send(bench.test), 200);
    bench_close(&bench);
}

struct unready_row {
    const char *name;
    int defines;
    int expected;
};

static const struct unready_row unready_rows[] = {
    {"asking for a service that nobody defines finds nothing", 0, CMW_ERR_NOT_FOUND},
    {"asking for a singleton that no chain needs is out of state", 1, CMW_ERR_STATE},
};

static void check_unready(void **state)
{
    const struct unready_row *row = *state;
    struct factory single = {.name = "single", .scope = CMW_SERVICE_SINGLETON};
    struct asks asks = {.count = 1, .expected = row->expected};
    struct actor a = {.name = "a", .on = ON_PRE, .inside = ask_twice, .data = &asks};
    struct bench bench;

    bench_open(&bench, NULL);
    if (row->defines)
        define(&bench, &single);
    assert_int_equal(cmw_service_declare(bench.engine, &asks.services[0], "single"), 0);
    bench_add(&bench, &a);
    bench_install(&bench);
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_int_equal(single.made, 0);
    bench_close(&bench);
}

struct service_row {
    const char *name;
    struct factory factories[3];
    int expected;
    const char *words[3]; /* in the diagnostic */
};

static const struct service_row service_rows[] = {
    {"a missing service is named with who needs it",
     {{.name = NULL}},
     CMW_ERR_NOT_FOUND,
     {"'wanted'", "asker"}},
    {"a missing dependency is named with who needs it",
     {{.name = "wanted", .depends = {"lost"}, .depend_count = 1}},
     CMW_ERR_NOT_FOUND,
     {"'lost'", "wanted"}},
    {"a service that needs itself is a cycle",
     {{.name = "wanted", .depends = {"wanted"}, .depend_count = 1}},
     CMW_ERR_CYCLE,
     {"'wanted'"}},
    {"a cycle of three is named",
     {{.name = "wanted", .depends = {"b"}, .depend_count = 1},
      {.name = "b", .depends = {"c"}, .depend_count = 1},
      {.name = "c", .depends = {"wanted"}, .depend_count = 1}},
     CMW_ERR_CYCLE,
     {"'wanted'", "'c'"}},
    {"a singleton must not capture a request's service",
     {{.name = "wanted", .depends = {"b"}, .depend_count = 1},
      {.name = "b", .scope = CMW_SERVICE_REQUEST}},
     CMW_ERR_CONFLICT,
     {"'wanted'", "'b'"}},
    {"a singleton must not capture a transient",
     {{.name = "wanted", .depends = {"b"}, .depend_count = 1},
      {.name = "b", .scope = CMW_SERVICE_TRANSIENT}},
     CMW_ERR_CONFLICT,
     {"'wanted'", "'b'"}},
    {"what a factory returns is passed on",
     {{.name = "wanted", .failure = CMW_ERR_IO}},
     CMW_ERR_IO,
     {"'wanted'"}},
};

static void check_service_row(void **state)
{
    const struct service_row *row = *state;
    struct factory factories[3];
    struct actor a = {.name = "asker", .on = ON_PRE};
    struct bench bench;
    cmw_plan *plan = NULL;
    cmw_diag diag;
    cmw_service wanted = 0;

    memcpy(factories, row->factories, sizeof factories);
    bench_open(&bench, NULL);
    for (size_t i = 0; i < LEN(factories) && factories[i].name; i++)
        define(&bench, &factories[i]);
    assert_int_equal(cmw_service_declare(bench.engine, &wanted, "wanted"), 0);
    bench_add(&bench, &a);
    assert_int_equal(cmw_chain_needs_service(bench.chain, "asker", wanted), 0);
    for (int i = 0; i < 2; i++) { /* it fails the same way again */
        assert_int_equal(cmw_chain_compile(bench.chain, &plan, &diag), row->expected);
        assert_null(plan);
        assert_int_equal(diag.code, row->expected);
        for (size_t k = 0; k < LEN(row->words) && row->words[k]; k++)
            if (!strstr(diag.message, row->words[k]))
                fail_msg("no %s in: %s", row->words[k], diag.message);
    }
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest plain[] = {
        cmocka_unit_test(services_live_as_long_as_their_scope),
        cmocka_unit_test(a_defined_object_is_never_destroyed),
    };
    struct CMUnitTest tests[LEN(plain) + LEN(service_rows) + LEN(unready_rows)];
    size_t count = LEN(plain);

    memcpy(tests, plain, sizeof plain);
    for (size_t i = 0; i < LEN(service_rows); i++)
        tests[count++] = ROW_TEST(&service_rows[i], check_service_row);
    for (size_t i = 0; i < LEN(unready_rows); i++)
        tests[count++] = ROW_TEST(&unready_rows[i], check_unready);
    return cmocka_run_group_tests_name("middleware services", tests, NULL, NULL);
}
