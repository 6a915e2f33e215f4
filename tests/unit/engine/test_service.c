/* SPDX-License-Identifier: MIT */
/* Services: what a chain is told that lacks one, and how long objects live. */
#include "engine_fixture.h"

/* A factory that writes down what it makes and destroys. */
struct factory {
    const char *name;
    int scope;
    const char *depends[2];
    int fails; /* what `create` returns */
    int made, destroyed;
    char *log; /* of the test */
};

static int make(void *self, void **object, cmw_resolver *resolver)
{
    struct factory *factory = self;

    for (size_t i = 0; i < LEN(factory->depends) && factory->depends[i]; i++) {
        void *other = NULL;
        assert_int_equal(cmw_resolver_get(resolver, factory->depends[i], &other), 0);
        assert_non_null(other);
    }
    assert_int_equal(cmw_resolver_get(resolver, "stranger", object), CMW_ERR_NOT_FOUND);
    assert_int_equal(cmw_resolver_ctx(resolver) != NULL, factory->scope != CMW_SERVICE_SINGLETON);
    if (factory->fails)
        return factory->fails;
    factory->made++;
    strcat(strcat(strcat(factory->log, "+"), factory->name), " ");
    *object = factory;
    return 0;
}

static void unmake(void *self, void *object)
{
    struct factory *factory = self;

    assert_ptr_equal(object, factory);
    factory->destroyed++;
    strcat(strcat(strcat(factory->log, "-"), factory->name), " ");
}

static void define(struct fixture *fixture, struct factory *factory, char *log)
{
    cmw_service_config config;
    size_t count = 0;

    while (count < LEN(factory->depends) && factory->depends[count])
        count++;
    factory->log = log;
    cmw_service_config_init(&config);
    config.scope = factory->scope;
    config.create = make;
    config.destroy = unmake;
    config.self = factory;
    config.depends = factory->depends;
    config.depend_count = count;
    assert_int_equal(cmw_service_define(fixture->engine, factory->name, &config), 0);
}

/* ---- Compiling --------------------------------------------------------------------------- */

struct row {
    const char *name;
    struct factory factories[3];
    int code;
    const char *expected; /* the sentence, or what was made and destroyed */
};

static const struct row rows[] = {
    {"a singleton is made once and goes with the engine", {{.name = "db"}}, 0, "+db -db "},
    {"what it depends on is made before it and goes after it",
     {{.name = "db", .depends = {"pool"}}, {.name = "pool"}},
     0,
     "+pool +db -db -pool "},
    {"what nobody needs is not made", {{.name = "db"}, {.name = "other"}}, 0, "+db -db "},
    {"what two depend on is made once",
     {{.name = "db", .depends = {"a", "b"}}, {.name = "a", .depends = {"b"}}, {.name = "b"}},
     0,
     "+b +a +db -db -a -b "},
    {"a service that nobody defines is named with who needs it",
     {{.name = "other"}},
     CMW_ERR_NOT_FOUND,
     "user needs service 'db', which nobody defines"},
    {"a dependency that nobody defines is named with who needs it",
     {{.name = "db", .depends = {"pool"}}},
     CMW_ERR_NOT_FOUND,
     "db needs service 'pool', which nobody defines"},
    {"a cycle is named",
     {{.name = "db", .depends = {"pool"}}, {.name = "pool", .depends = {"db"}}},
     CMW_ERR_CYCLE,
     "service 'pool' needs 'db', which needs 'pool' again: a cycle"},
    {"what depends on itself is a cycle",
     {{.name = "db", .depends = {"db"}}},
     CMW_ERR_CYCLE,
     "service 'db' needs 'db', which needs 'db' again: a cycle"},
    {"a cycle that nobody needs is refused too: a request could ask for it",
     {{.name = "db"},
      {.name = "a", .scope = CMW_SERVICE_REQUEST, .depends = {"b"}},
      {.name = "b", .scope = CMW_SERVICE_REQUEST, .depends = {"a"}}},
     CMW_ERR_CYCLE,
     "service 'b' needs 'a', which needs 'b' again: a cycle"},
    {"what nobody needs may be half defined",
     {{.name = "db"}, {.name = "a", .scope = CMW_SERVICE_REQUEST, .depends = {"nothing"}}},
     0,
     "+db -db "},
    {"a singleton cannot depend on what lives as long as a request",
     {{.name = "db", .depends = {"tx"}}, {.name = "tx", .scope = CMW_SERVICE_REQUEST}},
     CMW_ERR_CONFLICT,
     "service 'db' lives as long as the engine but needs 'tx', which lives as long as a request"},
    {"a factory that fails ends the compiling with its code",
     {{.name = "db", .fails = CMW_ERR_IO}},
     CMW_ERR_IO,
     "the factory of service 'db' failed (-14)"},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    const struct part user = {.name = "user"};
    struct factory factories[LEN(row->factories)];
    char log[256] = "";
    struct fixture fixture;
    cmw_service db = 0;

    memcpy(factories, row->factories, sizeof factories);
    fixture_open(&fixture, NULL);
    for (size_t i = 0; i < LEN(factories) && factories[i].name; i++)
        define(&fixture, &factories[i], log);
    assert_int_equal(fixture_add(&fixture, &user), 0);
    assert_int_equal(cmw_service_declare(fixture.engine, &db, "db"), 0);
    assert_int_equal(cmw_chain_needs_service(fixture.chain, "user", db), 0);
    for (int i = 0; i < 2; i++) /* the second time nothing is made again */
        fixture_expect(&fixture, fixture_compile(&fixture), row->code, row->expected);
    fixture_close(&fixture);
    if (row->code == 0)
        assert_string_equal(log, row->expected);
}

static void mistakes_are_refused(void **state)
{
    const struct part user = {.name = "user"};
    struct factory db = {.name = "db"};
    char log[64] = "";
    cmw_service_config config;
    struct fixture fixture;
    cmw_service handle = 0;
    cmw_service again = 1;
    int object = 0;

    (void)state;
    fixture_open(&fixture, NULL);
    define(&fixture, &db, log);
    assert_int_equal(fixture_add(&fixture, &user), 0);
    assert_int_equal(cmw_service_declare(fixture.engine, &handle, "db"), 0);
    assert_int_equal(cmw_service_declare(fixture.engine, &again, "db"), 0);
    assert_int_equal(handle, again);
    assert_int_equal(cmw_service_declare(fixture.engine, &again, "d b"), CMW_ERR_ARG);
    assert_int_equal(cmw_chain_needs_service(fixture.chain, "nobody", handle), CMW_ERR_NOT_FOUND);
    assert_int_equal(cmw_chain_needs_service(fixture.chain, "user", 99), CMW_ERR_ARG);
    assert_int_equal(cmw_service_define_object(fixture.engine, "db", &object), CMW_ERR_EXISTS);
    assert_int_equal(cmw_service_define_object(fixture.engine, "none", NULL), CMW_ERR_ARG);
    cmw_service_config_init(&config);
    assert_int_equal(cmw_service_define(fixture.engine, "new", &config), CMW_ERR_ARG);
    config.create = make;
    config.scope = 3;
    assert_int_equal(cmw_service_define(fixture.engine, "new", &config), CMW_ERR_ARG);
    fixture_close(&fixture);
    assert_string_equal(log, "");
}

/* ---- In a request ------------------------------------------------------------------------ */

/* What the handler's place asks for, twice each. */
static void ask_twice(struct fixture *fixture, const char *name)
{
    cmw_worker *worker = NULL;
    cmw_plan *plan = NULL;
    cmw_ctx *ctx = NULL;
    cmw_request_view view;
    cmw_service handle = 0;
    void *first = NULL;
    void *second = NULL;
    int other = 0;

    assert_int_equal(cmw_service_declare(fixture->engine, &handle, name), 0);
    assert_int_equal(cmw_chain_compile(fixture->chain, &plan, &fixture->diag), 0);
    assert_int_equal(cmw_engine_install(fixture->engine, plan, NULL), 0);
    cmw_plan_release(plan);
    assert_int_equal(cmw_engine_take_worker(fixture->engine, &worker, NULL, NULL), 0);
    cmw_request_view_init(&view);
    assert_int_equal(cmw_ctx_begin(worker, &ctx, &view), 0);
    assert_int_equal(cmw_ctx_service(ctx, handle, &first), 0);
    assert_int_equal(cmw_ctx_service(ctx, handle, &second), 0);
    assert_ptr_equal(first, second); /* the factories give themselves */
    first = &other;
    assert_int_equal(cmw_ctx_service(ctx, 1000, &first), CMW_ERR_NOT_FOUND);
    assert_ptr_equal(first, &other);
    cmw_ctx_end(ctx, CMW_END_SENT);
    cmw_engine_put_worker(fixture->engine, worker);
}

struct scope_row {
    const char *name;
    int scope;
    const char *expected;
};

static const struct scope_row scope_rows[] = {
    {"a service of a request is made once in it and goes with it", CMW_SERVICE_REQUEST,
     "+log +tx -tx -log "},
    {"a transient service is made on every ask and goes with the request", CMW_SERVICE_TRANSIENT,
     "+log +tx +tx -tx -tx -log "},
};

static void check_scope_row(void **state)
{
    const struct scope_row *row = *state;
    struct factory tx = {.name = "tx", .scope = row->scope, .depends = {"log"}};
    struct factory other = {.name = "log", .scope = CMW_SERVICE_REQUEST};
    char log[256] = "";
    struct fixture fixture;

    fixture_open(&fixture, NULL);
    define(&fixture, &tx, log);
    define(&fixture, &other, log);
    ask_twice(&fixture, "tx");
    assert_string_equal(log, row->expected);
    fixture_close(&fixture);
}

static void a_singleton_that_no_chain_needs_is_not_made_in_a_request(void **state)
{
    struct factory db = {.name = "db"};
    char log[64] = "";
    struct fixture fixture;
    cmw_worker *worker = NULL;
    cmw_plan *plan = NULL;
    cmw_ctx *ctx = NULL;
    cmw_request_view view;
    cmw_service handle = 0;
    cmw_service undefined = 0;
    void *object = NULL;

    (void)state;
    fixture_open(&fixture, NULL);
    define(&fixture, &db, log);
    assert_int_equal(cmw_service_declare(fixture.engine, &handle, "db"), 0);
    assert_int_equal(cmw_service_declare(fixture.engine, &undefined, "nothing"), 0);
    assert_int_equal(cmw_chain_compile(fixture.chain, &plan, NULL), 0);
    assert_int_equal(cmw_engine_install(fixture.engine, plan, NULL), 0);
    cmw_plan_release(plan);
    assert_int_equal(cmw_engine_take_worker(fixture.engine, &worker, NULL, NULL), 0);
    cmw_request_view_init(&view);
    assert_int_equal(cmw_ctx_begin(worker, &ctx, &view), 0);
    assert_int_equal(cmw_ctx_service(ctx, handle, &object), CMW_ERR_STATE);
    assert_int_equal(cmw_ctx_service(ctx, undefined, &object), CMW_ERR_NOT_FOUND);
    assert_null(object);
    cmw_ctx_end(ctx, CMW_END_SENT);
    cmw_engine_put_worker(fixture.engine, worker);
    fixture_close(&fixture);
    assert_string_equal(log, "");
}

static void an_object_that_exists_is_never_destroyed(void **state)
{
    struct fixture fixture;
    int object = 7;

    (void)state;
    fixture_open(&fixture, NULL);
    const struct part user = {.name = "user"};
    cmw_service handle = 0;
    assert_int_equal(cmw_service_define_object(fixture.engine, "settings", &object), 0);
    assert_int_equal(fixture_add(&fixture, &user), 0);
    assert_int_equal(cmw_service_declare(fixture.engine, &handle, "settings"), 0);
    assert_int_equal(cmw_chain_needs_service(fixture.chain, "user", handle), 0);
    ask_twice(&fixture, "settings");
    fixture_close(&fixture);
    assert_int_equal(object, 7);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(mistakes_are_refused),
        cmocka_unit_test(a_singleton_that_no_chain_needs_is_not_made_in_a_request),
        cmocka_unit_test(an_object_that_exists_is_never_destroyed),
    };
    struct CMUnitTest tests[LEN(rows) + LEN(scope_rows) + LEN(others)];
    struct CMUnitTest *at = tests;

    for (size_t i = 0; i < LEN(rows); i++)
        *at++ = ROW_TEST(&rows[i], check_row);
    for (size_t i = 0; i < LEN(scope_rows); i++)
        *at++ = ROW_TEST(&scope_rows[i], check_scope_row);
    memcpy(at, others, sizeof others);
    return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
