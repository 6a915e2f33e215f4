/* SPDX-License-Identifier: MIT */
#include <catzilla/testing.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { SHORT_BODY = 16 };

/* A bench whose chain shows what the kit can see. */
struct probe {
    int completes;
    cmw_end_reason reason;
    uint64_t begin_ns;
    cmw_slot visited;
};

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    struct probe *probe = self;
    cmw_request *request = cmw_ctx_request(ctx);

    probe->begin_ns = cmw_ctx_begin_ns(ctx);
    if (cmw_request_header(request, CMW_HDR_AUTHORIZATION))
        return CMW_CONTINUE;
    return cmw_respond_text(ctx, 401, CMW_STR("who?"));
}

static int on_post_route(void *self, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);

    (void)self;
    if (cmw_response_append(response, CMW_HDR_LINK, CMW_STR("</a>")) != 0 ||
        cmw_response_append(response, CMW_HDR_LINK, CMW_STR("</b>")) != 0)
        return CMW_ERROR;
    return CMW_CONTINUE;
}

static void on_complete(void *self, cmw_ctx *ctx, cmw_end_reason reason)
{
    struct probe *probe = self;

    (void)ctx;
    probe->completes++;
    probe->reason = reason;
}

static int on_route(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_respond_text(ctx, 410, CMW_STR("route 7"));
}

static int build(cmw_test *test, cmw_plan **plan, struct probe *probe)
{
    static const cmw_header fields[] = {{CMW_STR_INIT("X-Frame-Options"), CMW_STR_INIT("DENY")}};
    cmw_group_config route;
    cmw_middleware middleware, of_route;
    cmw_group *group;
    cmw_chain *chain;

    cmw_middleware_init(&middleware);
    middleware.name = "probe";
    middleware.self = probe;
    middleware.pre_route = on_pre_route;
    middleware.post_route = on_post_route;
    middleware.complete = on_complete;
    middleware.fields = fields;
    middleware.field_count = 1;
    cmw_middleware_init(&of_route);
    of_route.name = "of_route";
    of_route.pre_route = on_route;
    cmw_group_config_init(&route);
    route.name = "route";
    route.route_id = 7;

    int rc = cmw_chain_create(cmw_test_engine(test), &chain, 0);
    if (rc != 0)
        return rc;
    rc = cmw_chain_add(chain, &middleware, NULL);
    if (rc == 0)
        rc = cmw_chain_add_group(chain, &group, NULL, &route, NULL);
    if (rc == 0)
        rc = cmw_group_add(group, &of_route, NULL);
    if (rc == 0)
        rc = cmw_chain_compile(chain, plan, NULL);
    cmw_chain_destroy(chain);
    return rc;
}

static cmw_test *make_bench(struct probe *probe, const cmw_engine_config *config)
{
    cmw_test *test = NULL;
    cmw_plan *plan = NULL;

    assert_int_equal(cmw_test_create(&test, config), 0);
    assert_int_equal(build(test, &plan, probe), 0);
    assert_int_equal(cmw_test_install(test, plan), 0);
    return test;
}

static int echo(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw_response_bytes_ref(cmw_ctx_response(ctx), 201,
                                  cmw_request_body(cmw_ctx_request(ctx)));
}

static int fail_to_answer(void *self, cmw_ctx *ctx)
{
    (void)self;
    (void)ctx;
    return -1;
}

static void assert_str(cmw_str found, const char *wanted)
{
    assert_int_equal(found.len, strlen(wanted));
    assert_string_equal(found.data, wanted);
}

/* ---- Answers ----------------------------------------------------------------------------- */

static void short_circuit_is_kept_with_its_fields(void **state)
{
    struct probe probe = {0};
    cmw_test *test = make_bench(&probe, NULL);

    (void)state;
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 401);
    assert_int_equal(cmw_test_status(test), 401);
    assert_str(cmw_test_response_body(test), "who?");
    assert_string_equal(cmw_test_response_field(test, "x-frame-options"), "DENY");
    assert_null(cmw_test_response_field(test, "X-Nothing"));
    assert_int_equal(cmw_test_response_count(test, "Link"), 2);
    assert_string_equal(cmw_test_response_field(test, "Link"), "</a>");
    assert_memory_equal(cmw_test_response_head(test).data, "HTTP/1.1 401 ", 13);
    assert_non_null(strstr(cmw_test_response_head(test).data, "X-Frame-Options: DENY\r\n"));
    assert_int_equal(probe.completes, 1);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void default_handler_says_ok(void **state)
{
    struct probe probe = {0};
    cmw_test *test = make_bench(&probe, NULL);

    (void)state;
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Bearer abc");
    assert_int_equal(cmw_test_send(test), 200);
    assert_str(cmw_test_response_body(test), "ok");
    assert_int_equal(probe.reason, CMW_END_SENT);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void next_request_forgets_answer_and_fields(void **state)
{
    struct probe probe = {0};
    cmw_test *test = make_bench(&probe, NULL);

    (void)state;
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Bearer abc");
    cmw_test_body(test, CMW_STR("text"));
    assert_int_equal(cmw_test_send(test), 200);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_status(test), 0);
    assert_str(cmw_test_response_body(test), "");
    assert_str(cmw_test_response_head(test), "");
    assert_int_equal(cmw_test_response_count(test, "Link"), 0);
    assert_int_equal(cmw_test_view(test)->content_length, 0);
    assert_int_equal(cmw_test_send(test), 401);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void body_reaches_the_handler(void **state)
{
    struct probe probe = {0};
    cmw_test *test = make_bench(&probe, NULL);

    (void)state;
    cmw_test_set_handler(test, echo, NULL);
    cmw_test_request(test, "POST", "/");
    cmw_test_header(test, "Authorization", "Bearer abc");
    cmw_test_body(test, CMW_STR("a body"));
    assert_int_equal(cmw_test_send(test), 201);
    assert_str(cmw_test_response_body(test), "a body");
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void undeclared_body_over_the_limit_is_413(void **state)
{
    cmw_engine_config config;
    struct probe probe = {0};

    (void)state;
    cmw_engine_config_init(&config);
    config.limits.body_bytes = SHORT_BODY;
    cmw_test *test = make_bench(&probe, &config);
    cmw_test_set_handler(test, echo, NULL);
    cmw_test_request(test, "POST", "/");
    cmw_test_header(test, "Authorization", "Bearer abc");
    cmw_test_body(test, CMW_STR("seventeen bytes!!"));
    cmw_test_view(test)->content_length = CMW_LENGTH_UNKNOWN;
    assert_int_equal(cmw_test_send(test), 413);
    assert_string_equal(cmw_test_response_field(test, "X-Frame-Options"), "DENY");
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void failing_handler_is_500(void **state)
{
    struct probe probe = {0};
    cmw_test *test = make_bench(&probe, NULL);

    (void)state;
    cmw_test_set_handler(test, fail_to_answer, NULL);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Bearer abc");
    assert_int_equal(cmw_test_send(test), 500);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void route_is_entered_before_the_handler(void **state)
{
    struct probe probe = {0};
    cmw_test *test = make_bench(&probe, NULL);

    (void)state;
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Bearer abc");
    cmw_test_route(test, 7);
    assert_int_equal(cmw_test_send(test), 410);
    cmw_test_route(test, CMW_NONE);
    assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void end_reason_is_passed_on(void **state)
{
    struct probe probe = {0};
    cmw_test *test = make_bench(&probe, NULL);

    (void)state;
    cmw_test_request(test, "GET", "/");
    cmw_test_set_end_reason(test, CMW_END_CLIENT_GONE);
    assert_int_equal(cmw_test_send(test), 401);
    assert_int_equal(probe.reason, CMW_END_CLIENT_GONE);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void request_without_a_plan_has_no_answer(void **state)
{
    cmw_test *test = NULL;

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_test_send(test), 0);
    assert_int_equal(cmw_test_status(test), 0);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static int remember_peer(void *self, cmw_ctx *ctx)
{
    char *text = self;

    cmw_address_format(cmw_request_peer(cmw_ctx_request(ctx)), text);
    if (cmw_request_scheme(cmw_ctx_request(ctx)) == CMW_SCHEME_HTTPS)
        strcat(text, " https");
    return cmw_response_empty(cmw_ctx_response(ctx), 204);
}

static void peer_and_scheme_are_what_was_said(void **state)
{
    struct probe probe = {0};
    cmw_test *test = make_bench(&probe, NULL);
    char text[CMW_ADDRESS_TEXT_CAP + sizeof " https"];

    (void)state;
    cmw_test_set_handler(test, remember_peer, text);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Bearer abc");
    assert_int_equal(cmw_test_send(test), 204);
    assert_string_equal(text, "192.0.2.1");
    cmw_test_peer(test, "2001:db8::1");
    cmw_test_scheme(test, CMW_SCHEME_HTTPS);
    assert_int_equal(cmw_test_send(test), 204);
    assert_string_equal(text, "2001:db8::1 https");
    assert_int_equal(cmw_test_destroy(test), 0);
}

/* ---- Clock and memory -------------------------------------------------------------------- */

static void clock_begins_at_one_second_and_moves_when_told(void **state)
{
    struct probe probe = {0};
    cmw_test *test = make_bench(&probe, NULL);

    (void)state;
    cmw_test_request(test, "GET", "/");
    cmw_test_send(test);
    assert_int_equal(probe.begin_ns, 1000000000u);
    cmw_test_advance_ns(test, 5);
    cmw_test_send(test);
    assert_int_equal(probe.begin_ns, 1000000005u);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void warm_request_calls_no_allocator(void **state)
{
    struct probe probe = {0};
    cmw_test *test = make_bench(&probe, NULL);

    (void)state;
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send_quick(test), 401);
    const uint64_t calls = cmw_test_alloc_calls(test);
    assert_true(calls > 0);
    for (int i = 0; i < 100; i++)
        assert_int_equal(cmw_test_send_quick(test), 401);
    assert_int_equal(cmw_test_status(test), 401);
    assert_int_equal(cmw_test_alloc_calls(test), calls);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void asked_for_failure_happens_once(void **state)
{
    cmw_test *test = NULL;

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    cmw_pool *pool = cmw_engine_pool(cmw_test_engine(test), CMW_POOL_PLAN);
    cmw_test_fail_after(test, 1);
    void *first = cmw_pool_alloc(pool, 8, 0);
    assert_non_null(first);
    assert_false(cmw_test_has_failed(test));
    assert_null(cmw_pool_alloc(pool, 8, 0));
    assert_true(cmw_test_has_failed(test));
    void *third = cmw_pool_alloc(pool, 8, 0);
    assert_non_null(third);
    cmw_pool_free(pool, first, 8, 0);
    cmw_pool_free(pool, third, 8, 0);
    assert_int_equal(cmw_test_destroy(test), 0);
}

/* Each allocation fails once, from the chain to the answer; nothing leaks and nothing opens. */
static void every_failed_allocation_is_survived(void **state)
{
    (void)state;
    for (uint32_t count = 0;; count++) {
        struct probe probe = {0};
        cmw_test *test = NULL;
        cmw_plan *plan = NULL;

        assert_int_equal(cmw_test_create(&test, NULL), 0);
        cmw_test_fail_after(test, count);
        if (build(test, &plan, &probe) == 0 && cmw_test_install(test, plan) == 0) {
            const int status = cmw_test_send(test);
            assert_true(status == 401 || status == 503 || status == 500 || status == 0);
        }
        const int has_failed = cmw_test_has_failed(test);
        assert_int_equal(cmw_test_destroy(test), 0);
        if (!has_failed)
            return;
        assert_true(count < 10000);
    }
}

static void bench_with_something_held_is_not_destroyed(void **state)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_test_destroy(test), CMW_ERR_STATE);
    assert_non_null(cmw_test_worker(test));
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void config_of_a_later_version_is_refused(void **state)
{
    struct {
        cmw_engine_config config;
        int more;
    } later;
    cmw_test *test = NULL;

    (void)state;
    cmw_engine_config_init(&later.config);
    later.config.size = sizeof later;
    assert_int_equal(cmw_test_create(&test, &later.config), CMW_ERR_VERSION);
    assert_null(test);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_circuit_is_kept_with_its_fields),
        cmocka_unit_test(default_handler_says_ok),
        cmocka_unit_test(next_request_forgets_answer_and_fields),
        cmocka_unit_test(body_reaches_the_handler),
        cmocka_unit_test(undeclared_body_over_the_limit_is_413),
        cmocka_unit_test(failing_handler_is_500),
        cmocka_unit_test(route_is_entered_before_the_handler),
        cmocka_unit_test(end_reason_is_passed_on),
        cmocka_unit_test(request_without_a_plan_has_no_answer),
        cmocka_unit_test(peer_and_scheme_are_what_was_said),
        cmocka_unit_test(clock_begins_at_one_second_and_moves_when_told),
        cmocka_unit_test(warm_request_calls_no_allocator),
        cmocka_unit_test(asked_for_failure_happens_once),
        cmocka_unit_test(every_failed_allocation_is_survived),
        cmocka_unit_test(bench_with_something_held_is_not_destroyed),
        cmocka_unit_test(config_of_a_later_version_is_refused),
    };

    return cmocka_run_group_tests_name("testing", tests, NULL, NULL);
}
