/* SPDX-License-Identifier: MIT */
/* Small chains, each as a user would write it: read it to learn the library. */
#include <catzilla/testing.h>

#include "test.h"

/* What every test needs: a bench, a chain on its engine, and a way to install it. */
struct fixture {
    cmw_test *test;
    cmw_engine *engine;
    cmw_chain *chain;
};

static int set_up(void **state)
{
    static struct fixture fixture;

    assert_int_equal(cmw_test_create(&fixture.test, NULL), 0);
    fixture.engine = cmw_test_engine(fixture.test);
    assert_int_equal(cmw_chain_create(fixture.engine, &fixture.chain, 0), 0);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    cmw_chain_destroy(fixture->chain);
    return cmw_test_destroy(fixture->test);
}

static void install(struct fixture *fixture)
{
    cmw_plan *plan = NULL;
    assert_int_equal(cmw_chain_compile(fixture->chain, &plan, NULL), 0);
    assert_int_equal(cmw_test_install(fixture->test, plan), 0);
}

/* ---- A field on every response ------------------------------------------------------------- */

static void constant_fields_are_on_every_response(void **state)
{
    static const cmw_header fields[] = {{CMW_STR_INIT("X-Frame-Options"), CMW_STR_INIT("DENY")}};
    struct fixture *fixture = *state;
    cmw_middleware mw;

    cmw_middleware_init(&mw);
    mw.name = "frames";
    mw.fields = fields;
    mw.field_count = LEN(fields);
    assert_int_equal(cmw_chain_add(fixture->chain, &mw, NULL), 0);
    install(fixture);

    cmw_test_request(fixture->test, "GET", "/");
    assert_int_equal(cmw_test_send(fixture->test), 200);
    assert_string_equal(cmw_test_response_field(fixture->test, "X-Frame-Options"), "DENY");
}

/* ---- Refusing ------------------------------------------------------------------------------- */

static int require_token(void *self, cmw_ctx *ctx)
{
    cmw_str token;
    (void)self;
    if (cmw_request_bearer(cmw_ctx_request(ctx), &token) != 0)
        return cmw_respond_problem(ctx, 401, "a bearer token is needed");
    return cmw_str_equals_secret(token, CMW_STR("sesame"))
               ? CMW_CONTINUE
               : cmw_respond_problem(ctx, 403, "unknown token");
}

static void a_middleware_may_refuse_a_request(void **state)
{
    struct fixture *fixture = *state;
    cmw_middleware mw;

    cmw_middleware_init(&mw);
    mw.name = "auth";
    mw.pre_route = require_token;
    mw.flags = CMW_GUARDS_ACCESS;
    assert_int_equal(cmw_chain_add(fixture->chain, &mw, NULL), 0);
    install(fixture);

    cmw_test_request(fixture->test, "GET", "/");
    assert_int_equal(cmw_test_send(fixture->test), 401);
    assert_string_equal(cmw_test_response_field(fixture->test, "Content-Type"),
                        "application/problem+json");
    cmw_test_request(fixture->test, "GET", "/");
    cmw_test_header(fixture->test, "Authorization", "Bearer open");
    assert_int_equal(cmw_test_send(fixture->test), 403);
    cmw_test_request(fixture->test, "GET", "/");
    cmw_test_header(fixture->test, "Authorization", "Bearer sesame");
    assert_int_equal(cmw_test_send(fixture->test), 200);
}

/* ---- Only for some requests ------------------------------------------------------------------ */

static void a_condition_limits_a_middleware(void **state)
{
    static const char *const paths[] = {"/admin/*", "!/admin/login"};
    struct fixture *fixture = *state;
    cmw_condition condition;
    cmw_middleware mw;

    cmw_condition_init(&condition);
    condition.paths = paths;
    condition.path_count = LEN(paths);
    cmw_middleware_init(&mw);
    mw.name = "auth";
    mw.pre_route = require_token;
    mw.condition = &condition;
    assert_int_equal(cmw_chain_add(fixture->chain, &mw, NULL), 0);
    install(fixture);

    cmw_test_request(fixture->test, "GET", "/");
    assert_int_equal(cmw_test_send(fixture->test), 200);
    cmw_test_request(fixture->test, "GET", "/admin/login");
    assert_int_equal(cmw_test_send(fixture->test), 200);
    cmw_test_request(fixture->test, "GET", "/admin/users");
    assert_int_equal(cmw_test_send(fixture->test), 401);
    cmw_test_request(fixture->test, "GET", "/public/..//%61dmin/users");
    assert_int_equal(cmw_test_send(fixture->test), 401);
}

/* ---- Handing something on ------------------------------------------------------------------- */

struct user {
    int id;
};

static int find_user(void *self, cmw_ctx *ctx)
{
    const cmw_slot *slot = self;
    struct user *user = cmw_ctx_set_slot(ctx, *slot);
    if (!user)
        return CMW_ERROR;
    user->id = 7;
    return CMW_CONTINUE;
}

static int check_user(void *self, cmw_ctx *ctx)
{
    const cmw_slot *slot = self;
    const struct user *user = cmw_ctx_slot(ctx, *slot);
    return user->id == 7 ? CMW_CONTINUE : cmw_respond_problem(ctx, 403, "not you");
}

static void a_slot_carries_a_value_from_one_middleware_to_the_next(void **state)
{
    struct fixture *fixture = *state;
    cmw_slot user = 0;
    cmw_middleware mw;
    cmw_plan *plan = NULL;
    cmw_diag diag;

    assert_int_equal(cmw_slot_declare(fixture->engine, &user, "user", sizeof(struct user), NULL),
                     0);
    cmw_middleware_init(&mw);
    mw.name = "users";
    mw.priority = 30;
    mw.self = &user;
    mw.pre_route = find_user;
    cmw_middleware_provides(&mw, user);
    assert_int_equal(cmw_chain_add(fixture->chain, &mw, NULL), 0);

    cmw_middleware_init(&mw);
    mw.name = "permissions";
    mw.priority = 20; /* too early: compiling says so */
    mw.self = &user;
    mw.pre_route = check_user;
    cmw_middleware_requires(&mw, user);
    assert_int_equal(cmw_chain_add(fixture->chain, &mw, NULL), 0);
    assert_int_equal(cmw_chain_compile(fixture->chain, &plan, &diag), CMW_ERR_ORDER);
    assert_non_null(strstr(diag.message, "permissions"));
    assert_non_null(strstr(diag.message, "users"));

    assert_int_equal(cmw_chain_set_priority(fixture->chain, "permissions", 40), 0);
    install(fixture);
    assert_int_equal(cmw_test_send(fixture->test), 200);
}

/* ---- Faults --------------------------------------------------------------------------------- */

static int break_down(void *self, cmw_ctx *ctx)
{
    (void)self;
    (void)ctx;
    return -1;
}

static int apologise(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_respond_text(ctx, cmw_ctx_fault(ctx)->status, CMW_STR("sorry"));
}

static void an_error_callback_answers_when_the_handler_fails(void **state)
{
    struct fixture *fixture = *state;
    cmw_middleware mw;

    cmw_middleware_init(&mw);
    mw.name = "errors";
    mw.error = apologise;
    assert_int_equal(cmw_chain_add(fixture->chain, &mw, NULL), 0);
    install(fixture);
    cmw_test_set_handler(fixture->test, break_down, NULL);
    assert_int_equal(cmw_test_send(fixture->test), 500);
    assert_string_equal(cmw_test_response_body(fixture->test).data, "sorry");
}

/* ---- Looking on ----------------------------------------------------------------------------- */

static void count_status(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    unsigned *by_class = self;
    (void)reason;
    by_class[cmw_response_status(cmw_ctx_response(ctx)) / 100]++;
}

static void complete_sees_how_each_request_ended(void **state)
{
    struct fixture *fixture = *state;
    unsigned by_class[6] = {0};
    cmw_middleware mw;

    cmw_middleware_init(&mw);
    mw.name = "log";
    mw.self = by_class;
    mw.complete = count_status;
    assert_int_equal(cmw_chain_add(fixture->chain, &mw, NULL), 0);
    install(fixture);
    assert_int_equal(cmw_test_send(fixture->test), 200);
    cmw_test_set_handler(fixture->test, break_down, NULL);
    assert_int_equal(cmw_test_send(fixture->test), 500);
    assert_int_equal(by_class[2], 1);
    assert_int_equal(by_class[5], 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(constant_fields_are_on_every_response),
        TEST(a_middleware_may_refuse_a_request),
        TEST(a_condition_limits_a_middleware),
        TEST(a_slot_carries_a_value_from_one_middleware_to_the_next),
        TEST(an_error_callback_answers_when_the_handler_fails),
        TEST(complete_sees_how_each_request_ended),
    };
    return cmocka_run_group_tests_name("simple chains", tests, NULL, NULL);
}
