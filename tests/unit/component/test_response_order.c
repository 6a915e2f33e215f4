/* SPDX-License-Identifier: MIT */
/* The order rules between built-ins: which chains compile, and what the others are told. */
#include <catzilla/builtin/content_negotiation.h>
#include <catzilla/component/compression.h>
#include <catzilla/component/config.h>
#include <catzilla/mw.h>
#include <catzilla/testing.h>

#include <stdio.h>

#include "test.h"

/* ---- Chains of two ---------------------------------------------------------------------- */

struct row {
    const char *name;
    const char *items; /* of the document's list */
    const char *first; /* the two that are named, and the fact; NULL: it compiles */
    const char *second;
    const char *fact;
};

#define USE(kind) "{\"use\": \"" kind "\"}"
#define WITH(kind, options) "{\"use\": \"" kind "\", \"options\": {" options "}}"
#define AT(kind, priority) "{\"use\": \"" kind "\", \"priority\": " priority "}"
#define POST(kind, priority) "{\"use\": \"" kind "\", \"post_priority\": " priority "}"
#define CORS_POST(priority)                                                                        \
    "{\"use\": \"cors\", \"post_priority\": " priority                                             \
    ", \"options\": {\"allow_origins\": [\"https://a.example\"]}}"
#define BASIC_AT(priority)                                                                         \
    "{\"use\": \"basic_auth\", \"priority\": " priority                                            \
    ", \"options\": {\"users\": {\"ann\": \"secret\"}}}"
#define PROXY_AT(priority)                                                                         \
    "{\"use\": \"trusted_proxy\", \"priority\": " priority                                         \
    ", \"options\": {\"trust\": [\"10.0.0.0/8\"]}}"

static const struct row rows[] = {
    /* ---- the plain body ---- */
    {"conditional stands before compression", USE("conditional") "," USE("compression"), NULL, NULL,
     NULL},
    {"compression before conditional is refused", USE("conditional") "," POST("compression", "700"),
     "compression", "conditional", "plain_body"},
    {"conditional behind compression is refused",
     POST("conditional", "30000") "," USE("compression"), "compression", "conditional",
     "plain_body"},
    {"of equal priorities the chain's order decides",
     POST("compression", "900") "," POST("conditional", "900"), NULL, NULL, NULL},
    {"a waived rule is not kept",
     USE("conditional") ",{\"use\": \"compression\", \"post_priority\": 700, "
                        "\"waive\": [\"plain_body\"]}",
     NULL, NULL, NULL},
    {"response_cache stands inside compression", USE("response_cache") "," USE("compression"), NULL,
     NULL, NULL},
    {"response_cache around compression is refused",
     POST("response_cache", "30000") "," USE("compression"), "compression", "response_cache",
     "plain_body"},
    {"idempotency_key around compression is refused",
     POST("idempotency_key", "30000") "," USE("compression"), "compression", "idempotency_key",
     "plain_body"},
    {"problem_details behind compression is refused",
     POST("problem_details", "30000") "," USE("compression"), "compression", "problem_details",
     "plain_body"},

    /* ---- what is kept for others ---- */
    {"response_cache stands inside cors", USE("response_cache") "," CORS_POST("250"), NULL, NULL,
     NULL},
    {"cors before the copy is taken is refused", USE("response_cache") "," CORS_POST("0"), "cors",
     "response_cache", "kept_response"},
    {"security_headers before the copy is taken is refused",
     USE("response_cache") "," POST("security_headers", "0"), "security_headers", "response_cache",
     "kept_response"},
    {"request_id before the copy is taken is refused",
     USE("response_cache") "," POST("request_id", "0"), "request_id", "response_cache",
     "kept_response"},
    {"server_timing before the copy is taken is refused",
     USE("response_cache") "," POST("server_timing", "0"), "server_timing", "response_cache",
     "kept_response"},
    {"conditional, whose 304 is nobody else's, before the copy is taken is refused",
     USE("response_cache") "," POST("conditional", "0"), "conditional", "response_cache",
     "kept_response"},
    {"request_id before the answer to a key is kept is refused",
     USE("idempotency_key") "," POST("request_id", "0"), "request_id", "idempotency_key",
     "kept_response"},
    {"vary is said before the copy is taken",
     USE("response_cache") "," WITH("vary", "\"fields\": [\"Accept\"]"), NULL, NULL, NULL},
    {"vary behind the copy is refused",
     USE("response_cache") ",{\"use\": \"vary\", \"post_priority\": 830, \"options\": "
                           "{\"fields\": [\"Accept\"]}}",
     "response_cache", "vary", "response_vary"},

    /* ---- the last word ---- */
    {"security_headers comes last",
     USE("security_headers") "," USE("conditional") "," USE("compression") "," USE(
         "problem_details") "," USE("response_cache"),
     NULL, NULL, NULL},
    {"security_headers before set_headers is refused",
     POST("security_headers", "100") "," WITH("set_headers", "\"remove\": [\"X-Powered-By\"]"),
     "security_headers", "set_headers", "response_fields"},
    {"security_headers before compression is refused",
     POST("security_headers", "100") "," USE("compression"), "security_headers", "compression",
     "response_fields"},
    {"security_headers before conditional is refused",
     POST("security_headers", "100") "," USE("conditional"), "security_headers", "conditional",
     "response_fields"},

    /* ---- pre_route ---- */
    {"timeout stands outside of what waits", USE("timeout") "," USE("response_cache"), NULL, NULL,
     NULL},
    {"timeout inside response_cache is refused", AT("timeout", "705") "," USE("response_cache"),
     "response_cache", "timeout", "timeout"},
    {"timeout inside a limit that lets wait is refused",
     AT("timeout", "705") "," WITH("concurrency_limit", "\"limit\": 4, \"queue\": 8"),
     "concurrency_limit", "timeout", "timeout"},
    {"where nothing waits timeout may stand anywhere",
     AT("timeout", "705") "," WITH("response_cache", "\"max_waiting\": 0"), NULL, NULL, NULL},
    {"response_cache before authentication is refused", USE("response_cache") "," BASIC_AT("800"),
     "response_cache", "basic_auth", "principal"},
    {"idempotency_key before authentication is refused", USE("idempotency_key") "," BASIC_AT("800"),
     "idempotency_key", "basic_auth", "principal"},
    {"access_log before trusted_proxy is refused", USE("access_log") "," PROXY_AT("300"),
     "access_log", "trusted_proxy", "client_address"},
    {"ip_filter before trusted_proxy is refused",
     WITH("ip_filter", "\"deny\": [\"192.0.2.0/24\"]") "," PROXY_AT("300"), "ip_filter",
     "trusted_proxy", "client_address"},
    {"authentication before cors is refused",
     "{\"use\": \"cors\", \"priority\": 500, \"options\": {\"allow_origins\": "
     "[\"https://a.example\"]}}," BASIC_AT("400"),
     "basic_auth", "cors", "cors"},
    {"costly authentication before rate_limit is refused",
     AT("rate_limit", "500") "," BASIC_AT("400"), "basic_auth", "rate_limit", "rate_limit"},
};

struct bench {
    cmw_test *test;
    cmw_chain *chain;
    cmw_document *document;
    cmw_plan *plan;
    char told[2048];
    size_t len;
};

static int append(void *self, const char *text, size_t len)
{
    struct bench *bench = self;

    assert_true(len < sizeof bench->told - bench->len);
    memcpy(bench->told + bench->len, text, len);
    bench->len += len;
    return 0;
}

static void open_bench(struct bench *bench, const char *items, unsigned flags)
{
    char text[1024];
    const int len = snprintf(text, sizeof text, "{\"middleware\": [%s]}", items);

    memset(bench, 0, sizeof *bench);
    assert_true(len > 0 && (size_t)len < sizeof text);
    assert_int_equal(cmw_test_create(&bench->test, NULL), 0);
    cmw_engine *engine = cmw_test_engine(bench->test);
    assert_int_equal(cmw_kind_register(engine, cmw_compression_kind()), 0);
    assert_int_equal(cmw_chain_create(engine, &bench->chain, flags), 0);
    assert_int_equal(cmw_document_create(&bench->document, NULL), 0);
    int rc = cmw_document_parse(bench->document, "order", cmw_str_make(text, (size_t)len));
    if (rc == 0)
        rc = cmw_document_apply(bench->document, engine, bench->chain);
    if (rc == 0)
        rc = cmw_document_compile(bench->document, bench->chain, &bench->plan);
    assert_int_equal(rc == 0, bench->plan != NULL);
    (void)cmw_document_report(bench->document, append, bench);
}

static void close_bench(struct bench *bench)
{
    cmw_plan_release(bench->plan);
    cmw_document_destroy(bench->document);
    cmw_chain_destroy(bench->chain);
    assert_int_equal(cmw_test_destroy(bench->test), 0);
}

static void expect_named(const struct bench *bench, const char *name)
{
    char quoted[64];

    (void)snprintf(quoted, sizeof quoted, "'%s'", name);
    if (!strstr(bench->told, quoted))
        fail_msg("%s is not in: %s", quoted, bench->told);
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct bench bench;

    open_bench(&bench, row->items, 0);
    if (row->fact) {
        assert_null(bench.plan);
        expect_named(&bench, row->first);
        expect_named(&bench, row->second);
        expect_named(&bench, row->fact);
    } else if (!bench.plan) {
        fail_msg("%s", bench.told);
    }
    close_bench(&bench);
}

/* The priorities of built-ins are not those of an onion. */
static void an_onion_turns_the_rules_round(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(&bench, USE("conditional") "," USE("compression"), CMW_ORDER_ONION);
    assert_null(bench.plan);
    assert_non_null(strstr(bench.told, "give 'compression' a post_priority below 800, or "
                                       "'conditional' one above 20000"));
    close_bench(&bench);
    open_bench(&bench, USE("conditional") "," POST("compression", "100"), CMW_ORDER_ONION);
    assert_non_null(bench.plan);
    close_bench(&bench);
}

/* ---- What comes of it ------------------------------------------------------------------- */

static int greet(void *self, cmw_ctx *ctx)
{
    const cmw_negotiated *wanted =
        cmw_ctx_slot(ctx, cmw_slot_find(cmw_test_engine(self), "negotiated"));
    cmw_response *response = cmw_ctx_response(ctx);

    if (!wanted || cmw_response_set(response, CMW_HDR_CACHE_CONTROL, CMW_STR("max-age=60")) != 0)
        return CMW_ERROR;
    return cmw_response_text(response, 200, wanted->language) == 0 ? CMW_CONTINUE : CMW_ERROR;
}

static void expect_language(const struct bench *bench, const char *language)
{
    cmw_test_request(bench->test, "GET", "/");
    cmw_test_header(bench->test, "Host", "a.example");
    cmw_test_header(bench->test, "Accept-Language", language);
    assert_int_equal(cmw_test_send(bench->test), 200);
    assert_true(cmw_str_equals(cmw_test_response_body(bench->test), cmw_str_cstr(language)));
}

static void a_cache_keeps_apart_what_was_negotiated(void **state)
{
    struct bench bench;

    (void)state;
    open_bench(
        &bench,
        WITH("content_negotiation", "\"languages\": [\"en\", \"de\"]") "," USE("response_cache"),
        0);
    assert_non_null(bench.plan);
    assert_int_equal(cmw_test_install(bench.test, bench.plan), 0);
    bench.plan = NULL; /* the bench took it */
    cmw_test_set_handler(bench.test, greet, bench.test);
    expect_language(&bench, "en");
    expect_language(&bench, "de");
    expect_language(&bench, "en");
    assert_non_null(strstr(cmw_test_response_field(bench.test, "Cache-Status"), "hit"));
    close_bench(&bench);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(an_onion_turns_the_rules_round),
        cmocka_unit_test(a_cache_keeps_apart_what_was_negotiated),
    };
    struct CMUnitTest tests[LEN(rows) + LEN(others)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    memcpy(tests + LEN(rows), others, sizeof others);
    return cmocka_run_group_tests_name("response_order", tests, NULL, NULL);
}
