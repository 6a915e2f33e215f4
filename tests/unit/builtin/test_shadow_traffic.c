/* SPDX-License-Identifier: MIT */
/* Kinds that hold places, wait, count or answer for themselves, in shadow mode: whatever they think
 * of the requests, each is served at once, and answered as without them. */
#include "traffic_fixture.h"

#include <catzilla/builtin/circuit_breaker.h>
#include <catzilla/builtin/concurrency_limit.h>
#include <catzilla/builtin/csrf.h>
#include <catzilla/builtin/load_shed.h>
#include <catzilla/builtin/maintenance.h>
#include <catzilla/builtin/rate_limit.h>
#include <catzilla/builtin/redirect.h>
#include <catzilla/builtin/response_cache.h>
#include <catzilla/builtin/timeout.h>

enum { AT_ONCE = 6, ROUNDS = 3 };

struct row {
    const char *kind;
    const void *config;
};

/* Status, fields and body, as text. */
static void write_answer(cmw_ctx *ctx, char *to, size_t cap)
{
    const cmw_response *response = cmw_ctx_response(ctx);
    cmw_header_cursor cursor = {0, 0};
    cmw_header field;
    size_t len = (size_t)snprintf(to, cap, "%d", cmw_response_status(response));

    while (cmw_response_next_header(response, &cursor, &field, 0)) {
        assert_true(len + field.name.len + field.value.len + 4 < cap);
        len += (size_t)snprintf(to + len, cap - len, "|%.*s:%.*s", (int)field.name.len,
                                field.name.data, (int)field.value.len, field.value.data);
    }
    const cmw_str body = cmw_response_body(response);
    assert_true(len + body.len + 2 < cap);
    (void)snprintf(to + len, cap - len, "|%.*s", (int)body.len, body.data);
}

/* A page of another site sends a form; the handler's answers change, so that a cache shows. */
static cmw_ctx *begin_foreign(struct flight *flight, const char *method)
{
    static const cmw_header fields[] = {
        {CMW_STR_INIT("Host"), CMW_STR_INIT("a.example")},
        {CMW_STR_INIT("Origin"), CMW_STR_INIT("https://evil.example")},
        {CMW_STR_INIT("Sec-Fetch-Site"), CMW_STR_INIT("cross-site")},
        {CMW_STR_INIT("Idempotency-Key"), CMW_STR_INIT("\"one\"")}};
    cmw_request_view view;
    cmw_ctx *ctx = NULL;

    cmw_request_view_init(&view);
    view.method = cmw_str_cstr(method);
    view.target = CMW_STR("/old/page");
    view.headers = fields;
    view.header_count = LEN(fields);
    view.now_ns = flight->now_ns;
    assert_int_equal(cmw_address_parse(&view.peer, CMW_STR("192.0.2.1")), 0);
    assert_int_equal(cmw_ctx_begin(flight->server.worker, &ctx, &view), 0);
    assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
    return ctx;
}

static void answer(cmw_ctx *ctx, int status, const char *text)
{
    cmw_response *response = cmw_ctx_response(ctx);

    assert_int_equal(cmw_response_text(response, status, cmw_str_cstr(text)), 0);
    assert_int_equal(cmw_response_set(response, CMW_HDR_CACHE_CONTROL, CMW_STR("max-age=60")), 0);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
}

/* All at once, answered late: the first round with failures. */
static void run_round(struct flight *flight, int round)
{
    cmw_ctx *contexts[AT_ONCE];
    char expected[256], found[1024], text[32];
    const int status = round == 0 ? 500 : 200;

    for (int i = 0; i < AT_ONCE; i++)
        contexts[i] = begin_foreign(flight, i % 2 == 0 ? "GET" : "POST");
    assert_int_equal(cmw_worker_suspended(flight->server.worker), 0);
    flight->now_ns += UINT64_C(1000000000);
    assert_int_equal(cmw_worker_run(flight->server.worker, flight->now_ns), 0);
    for (int i = 0; i < AT_ONCE; i++) {
        (void)snprintf(text, sizeof text, "%d/%d", round, i);
        assert_int_equal(cmw_ctx_is_cancelled(contexts[i]), 0);
        answer(contexts[i], status, text);
        (void)snprintf(expected, sizeof expected,
                       "%d|Content-Type:text/plain; charset=utf-8|Cache-Control:max-age=60|%s",
                       status, text);
        write_answer(contexts[i], found, sizeof found);
        assert_string_equal(found, expected);
        cmw_ctx_end(contexts[i], CMW_END_SENT);
    }
}

static void it_changes_no_answer_and_holds_nobody(void **state)
{
    const struct row *row = *state;
    struct flight flight;
    cmw_diag diag = {0};

    flight_open(&flight);
    if (cmw_chain_use(flight.server.chain, row->kind, row->config, &diag) != 0)
        fail_msg("%s", diag.message);
    assert_int_equal(cmw_chain_shadow(flight.server.chain, row->kind), 0);
    server_start(&flight.server);
    for (int round = 0; round < ROUNDS; round++)
        run_round(&flight, round);
    server_close(&flight.server);
}

static void who_has_a_part_in_the_body_is_refused(void **state)
{
    struct flight flight;
    cmw_diag diag = {0};

    (void)state;
    flight_open(&flight);
    assert_int_equal(cmw_chain_use(flight.server.chain, "idempotency_key", NULL, &diag), 0);
    assert_int_equal(cmw_chain_shadow(flight.server.chain, "idempotency_key"), 0);
    assert_int_not_equal(cmw_chain_install(flight.server.chain, &diag), 0);
    assert_string_equal(diag.message, "'idempotency_key' cannot be shadowed: it has a part in the "
                                      "body, which cannot be undone");
    cmw_chain_destroy(flight.server.chain);
    assert_int_equal(cmw_engine_destroy(flight.server.engine), 0);
}

int main(void)
{
    static const cmw_redirect_rule moved[] = {{.from = "/old/*", .to = "/new"}};
    cmw_circuit_breaker_config breaker;
    cmw_concurrency_limit_config limit;
    cmw_load_shed_config shed;
    cmw_maintenance_config away;
    cmw_rate_limit_config rate;
    cmw_redirect_config redirect;
    cmw_timeout_config timeout;

    cmw_circuit_breaker_config_init(&breaker);
    breaker.min_requests = 1;
    cmw_concurrency_limit_config_init(&limit);
    limit.limit = 1;
    limit.queue = 4;
    cmw_load_shed_config_init(&shed);
    shed.min_limit = shed.initial_limit = shed.max_limit = 1;
    cmw_maintenance_config_init(&away);
    away.enabled = 1;
    cmw_rate_limit_config_init(&rate);
    rate.limit = 1;
    cmw_redirect_config_init(&redirect);
    redirect.rules = moved;
    redirect.rule_count = 1;
    cmw_timeout_config_init(&timeout);
    timeout.total_ms = 10;
    timeout.body_ms = 10;
    const struct row rows[] = {
        {"circuit_breaker", &breaker}, {"concurrency_limit", &limit}, {"csrf", NULL},
        {"load_shed", &shed},          {"maintenance", &away},        {"rate_limit", &rate},
        {"redirect", &redirect},       {"response_cache", NULL},      {"timeout", &timeout},
    };
    struct CMUnitTest tests[LEN(rows) + 1];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = (struct CMUnitTest){.name = rows[i].kind,
                                       .test_func = it_changes_no_answer_and_holds_nobody,
                                       .initial_state = (void *)(uintptr_t)&rows[i]};
    tests[LEN(rows)] = (struct CMUnitTest)cmocka_unit_test(who_has_a_part_in_the_body_is_refused);
    return cmocka_run_group_tests_name("shadowed traffic", tests, NULL, NULL);
}
