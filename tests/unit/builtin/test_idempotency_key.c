/* SPDX-License-Identifier: MIT */
/* idempotency_key: what is done once, what is answered again, and what is refused. */
#include "origin_fixture.h"

#include <catzilla/builtin/basic_auth.h>
#include <catzilla/builtin/idempotency_key.h>
#include <catzilla/builtin/rate_limit.h>

#include "idempotency_record.h"

#define S UINT64_C(1000000000)
#define KEY "Idempotency-Key"

static cmw_test *open_keys(const cmw_idempotency_key_config *config, struct origin *origin,
                           cmw_middleware *mw)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_diag diag = {0};
    cmw_rate_limit_config limit;

    cmw_rate_limit_config_init(&limit);
    limit.limit = 100000;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    cmw_middleware_init(mw);
    mw->name = "keys";
    if (cmw_idempotency_key_create(cmw_test_engine(test), mw, config, &diag) != 0)
        fail_msg("%s", diag.message);
    assert_int_equal(cmw_chain_add(chain, mw, NULL), 0);
    assert_int_equal(cmw_chain_use(chain, "request_id", NULL, NULL), 0);
    assert_int_equal(cmw_chain_use(chain, "rate_limit", &limit, NULL), 0);
    if (cmw_chain_install(chain, &diag) != 0)
        fail_msg("%s", diag.message);
    cmw_chain_destroy(chain);
    cmw_test_set_handler(test, origin_answer, origin);
    return test;
}

static void make(cmw_test *test, const char *method, const char *target, const char *key,
                 const char *body)
{
    cmw_test_request(test, method, target);
    cmw_test_header(test, "Host", "a.example");
    cmw_test_header(test, "Content-Type", "text/plain");
    if (key)
        cmw_test_header(test, KEY, key);
    cmw_test_body(test, cmw_str_cstr(body));
}

static int send(cmw_test *test, const char *method, const char *target, const char *key,
                const char *body)
{
    make(test, method, target, key, body);
    return cmw_test_send(test);
}

static int is_replayed(const cmw_test *test)
{
    return cmw_test_response_count(test, "Idempotency-Replayed") == 1;
}

static cmw_idempotency_key_stats stats_of(const cmw_middleware *mw)
{
    cmw_idempotency_key_stats stats = {.size = sizeof stats};
    assert_int_equal(cmw_idempotency_key_get_stats(mw, &stats), 0);
    return stats;
}

/* ---- Keys ------------------------------------------------------------------------------- */

#define LONG_32 "0123456789abcdef0123456789abcdef"
#define LONG_256 LONG_32 LONG_32 LONG_32 LONG_32 LONG_32 LONG_32 LONG_32 LONG_32

static void what_is_a_key(void **state)
{
    static const struct {
        const char *field;
        int is_strict, is_usual; /* 1: it is a key, where only strings are, and else */
    } rows[] = {
        {"\"8e03978e-40d5-43e8-bc93-6894a57f9324\"", 1, 1},
        {"\"a\"", 1, 1},
        {"\"a b,;\"", 1, 1},
        {"\"a\\\"b\"", 1, 1},
        {"\"a\";v=1", 1, 1},
        {"8e03978e-40d5-43e8-bc93-6894a57f9324", 0, 1},
        {"abc", 0, 1},
        {"42", 0, 1},
        {"\"\"", 0, 0},
        {"", 0, 0},
        {"\"a", 0, 0},
        {"a\"", 0, 0},
        {"a b", 0, 0},
        {"a,b", 0, 0},
        {"\"a\", \"b\"", 0, 0},
        {"\"a\"x", 0, 0},
        {"a;b", 0, 0},
        {"\"a\\x\"", 0, 0},
        {"caf\xc3\xa9", 0, 0},
        {"\"caf\xc3\xa9\"", 0, 0},
        {"\"" LONG_256 "\"", 0, 0},
        {LONG_256, 0, 0},
    };

    (void)state;
    for (int strict = 0; strict < 2; strict++)
        for (size_t i = 0; i < LEN(rows); i++) {
            struct origin origin = {.status = 201};
            cmw_idempotency_key_config config;
            cmw_middleware mw;
            cmw_idempotency_key_config_init(&config);
            config.strict = strict;
            cmw_test *test = open_keys(&config, &origin, &mw);
            const int is_key = strict ? rows[i].is_strict : rows[i].is_usual;
            if (send(test, "POST", "/", rows[i].field, "x") != (is_key ? 201 : 400) ||
                send(test, "POST", "/", rows[i].field, "x") != (is_key ? 201 : 400) ||
                is_replayed(test) != is_key || origin.calls != (unsigned)is_key)
                fail_msg("%s %s", rows[i].field, strict ? "where it is strict" : "");
            close_bench(test);
        }
}

static void a_key_that_stands_twice_is_none(void **state)
{
    struct origin origin = {.status = 201};
    cmw_middleware mw;

    (void)state;
    cmw_test *test = open_keys(NULL, &origin, &mw);
    make(test, "POST", "/", "\"a\"", "x");
    cmw_test_header(test, KEY, "\"a\"");
    assert_int_equal(cmw_test_send(test), 400);
    assert_int_equal(origin.calls, 0);
    close_bench(test);
}

static void quotes_make_no_other_key(void **state)
{
    struct origin origin = {.status = 201};
    cmw_middleware mw;

    (void)state;
    cmw_test *test = open_keys(NULL, &origin, &mw);
    assert_int_equal(send(test, "POST", "/", "\"abc\"", "x"), 201);
    assert_int_equal(send(test, "POST", "/", "abc", "x"), 201);
    assert_true(is_replayed(test));
    close_bench(test);
}

static void a_key_is_asked_for_where_it_is_required(void **state)
{
    static const char *const methods[] = {"DELETE", "POST"};
    struct origin origin = {.status = 201};
    cmw_idempotency_key_config config;
    cmw_middleware mw;

    (void)state;
    cmw_idempotency_key_config_init(&config);
    config.required = 1;
    config.methods = methods;
    config.method_count = LEN(methods);
    cmw_test *test = open_keys(&config, &origin, &mw);
    assert_int_equal(send(test, "POST", "/", NULL, "x"), 400);
    assert_string_equal(cmw_test_response_field(test, "Content-Type"), "application/problem+json");
    assert_int_equal(send(test, "DELETE", "/", NULL, ""), 400);
    assert_int_equal(send(test, "PATCH", "/", NULL, "x"), 201);
    assert_int_equal(send(test, "GET", "/", "\"a\"", ""), 201);
    assert_int_equal(send(test, "GET", "/", "\"a\"", ""), 201);
    assert_false(is_replayed(test));
    assert_int_equal(origin.calls, 3);
    close_bench(test);
}

/* ---- What a key holds for --------------------------------------------------------------- */

static void another_request_with_the_key_is_told_apart(void **state)
{
    static const struct {
        const char *method, *target, *type, *body;
        int status; /* 201: another request of its own; 422; 0: a repeat */
    } rows[] = {
        {"POST", "/a", "text/plain", "x", 0},   {"POST", "/a", "text/plain", "y", 422},
        {"POST", "/a", "text/plain", "", 422},  {"POST", "/a", "text/plain", "xx", 422},
        {"POST", "/a", "text/html", "x", 422},  {"POST", "/a?q=1", "text/plain", "x", 422},
        {"POST", "/b", "text/plain", "x", 201}, {"PATCH", "/a", "text/plain", "x", 201},
    };

    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct origin origin = {.status = 201};
        cmw_middleware mw;
        cmw_test *test = open_keys(NULL, &origin, &mw);
        assert_int_equal(send(test, "POST", "/a", "k", "x"), 201);
        cmw_test_request(test, rows[i].method, rows[i].target);
        cmw_test_header(test, "Host", "a.example");
        cmw_test_header(test, "Content-Type", rows[i].type);
        cmw_test_header(test, KEY, "k");
        cmw_test_body(test, cmw_str_cstr(rows[i].body));
        assert_int_equal(cmw_test_send(test), rows[i].status ? rows[i].status : 201);
        assert_int_equal(is_replayed(test), rows[i].status == 0);
        assert_int_equal(origin.calls, rows[i].status == 201 ? 2 : 1);
        assert_int_equal(stats_of(&mw).mismatched, rows[i].status == 422);
        close_bench(test);
    }
}

static void how_a_body_is_cut_makes_no_difference(void **state)
{
    struct origin origin = {.status = 201};
    cmw_middleware mw;

    (void)state;
    cmw_test *test = open_keys(NULL, &origin, &mw);
    assert_int_equal(send(test, "POST", "/", "k", "a body of some bytes"), 201);
    for (size_t bytes = 1; bytes < 22; bytes++) {
        cmw_test_set_chunk_bytes(test, bytes);
        assert_int_equal(send(test, "POST", "/", "k", "a body of some bytes"), 201);
        assert_true(is_replayed(test));
    }
    assert_int_equal(origin.calls, 1);
    close_bench(test);
}

static void a_key_is_its_principals_alone(void **state)
{
    static const cmw_option_text users[] = {{"ann", "one"}, {"bob", "two"}};
    struct origin origin = {.status = 201};
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_basic_auth_config auth;

    (void)state;
    cmw_basic_auth_config_init(&auth);
    auth.users = users;
    auth.user_count = LEN(users);
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "idempotency_key", NULL, NULL), 0);
    assert_int_equal(cmw_chain_use(chain, "basic_auth", &auth, NULL), 0);
    assert_int_equal(cmw_chain_install(chain, NULL), 0);
    cmw_chain_destroy(chain);
    cmw_test_set_handler(test, origin_answer, &origin);
    make(test, "POST", "/", "k", "x");
    cmw_test_header(test, "Authorization", "Basic YW5uOm9uZQ==");
    assert_int_equal(cmw_test_send(test), 201);
    make(test, "POST", "/", "k", "x");
    cmw_test_header(test, "Authorization", "Basic Ym9iOnR3bw==");
    assert_int_equal(cmw_test_send(test), 201);
    assert_false(is_replayed(test));
    assert_int_equal(send(test, "POST", "/", "k", "x"), 401);
    assert_int_equal(origin.calls, 2);
    make(test, "POST", "/", "k", "x");
    cmw_test_header(test, "Authorization", "Basic YW5uOm9uZQ==");
    assert_int_equal(cmw_test_send(test), 201);
    assert_true(is_replayed(test));
    close_bench(test);
}

/* ---- What is answered again ------------------------------------------------------------- */

static void a_repeat_gets_the_same_answer(void **state)
{
    struct origin origin = {.status = 201,
                            .fields = {"Location", "/orders/1", "X-Two", "a", "X-Two", "b"}};
    cmw_middleware mw;

    (void)state;
    cmw_test *test = open_keys(NULL, &origin, &mw);
    assert_int_equal(send(test, "POST", "/", "k", "x"), 201);
    assert_false(is_replayed(test));
    char id[64];
    snprintf(id, sizeof id, "%s", cmw_test_response_field(test, "X-Request-ID"));
    cmw_test_advance_ns(test, 86399 * S);
    assert_int_equal(send(test, "POST", "/", "k", "x"), 201);
    assert_string_equal(cmw_test_response_field(test, "Idempotency-Replayed"), "true");
    assert_string_equal(cmw_test_response_field(test, "Location"), "/orders/1");
    assert_int_equal(cmw_test_response_count(test, "X-Two"), 2);
    assert_string_equal(cmw_test_response_body(test).data, "1");
    assert_string_equal(cmw_test_response_field(test, "Content-Type"), "text/plain; charset=utf-8");
    assert_int_equal(cmw_test_response_count(test, "X-Request-ID"), 1);
    assert_string_not_equal(cmw_test_response_field(test, "X-Request-ID"), id);
    assert_int_equal(cmw_test_response_count(test, "RateLimit"), 1);
    cmw_test_advance_ns(test, S);
    assert_int_equal(send(test, "POST", "/", "k", "x"), 201);
    assert_string_equal(cmw_test_response_body(test).data, "2");
    assert_int_equal(stats_of(&mw).first, 2);
    assert_int_equal(stats_of(&mw).replayed, 1);
    close_bench(test);
}

static void what_is_a_sessions_or_a_connections_is_not_answered_again(void **state)
{
    struct origin origin = {.status = 201,
                            .fields = {"Set-Cookie", "session=1", "Date",
                                       "Thu, 01 Jan 2026 00:00:00 GMT", "X-Kept", "1"}};
    cmw_middleware mw;

    (void)state;
    cmw_test *test = open_keys(NULL, &origin, &mw);
    assert_int_equal(send(test, "POST", "/", "k", "x"), 201);
    assert_string_equal(cmw_test_response_field(test, "Set-Cookie"), "session=1");
    assert_int_equal(send(test, "POST", "/", "k", "x"), 201);
    assert_true(is_replayed(test));
    assert_null(cmw_test_response_field(test, "Set-Cookie"));
    assert_null(cmw_test_response_field(test, "Date"));
    assert_string_equal(cmw_test_response_field(test, "X-Kept"), "1");
    close_bench(test);
}

static int set_before(void *self, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);

    (void)self;
    return cmw_response_append_named(response, CMW_STR("X-Set"), CMW_STR("before")) == 0 &&
                   cmw_response_append_named(response, CMW_STR("X-Added"), CMW_STR("before")) == 0
               ? CMW_CONTINUE
               : CMW_ERROR;
}

static int replace_fields(void *self, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);

    (void)self;
    if (cmw_response_set_named(response, CMW_STR("X-Set"), CMW_STR("one")) != 0 ||
        cmw_response_append_named(response, CMW_STR("X-Set"), CMW_STR("two")) != 0 ||
        cmw_response_append_named(response, CMW_STR("X-Added"), CMW_STR("handler")) != 0)
        return -1;
    return cmw_response_text(response, 201, CMW_STR("made"));
}

/* What the handler has set in the place of other middleware's fields is there once in a repeat, and
 * what it has added goes beside them. */
static void a_repeat_has_each_field_as_often_as_the_first_answer(void **state)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_middleware mw;

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    cmw_middleware_init(&mw);
    mw.name = "before";
    mw.priority = 10;
    mw.pre_route = set_before;
    assert_int_equal(cmw_chain_add(chain, &mw, NULL), 0);
    assert_int_equal(cmw_chain_use(chain, "idempotency_key", NULL, NULL), 0);
    assert_int_equal(cmw_chain_install(chain, NULL), 0);
    cmw_chain_destroy(chain);
    cmw_test_set_handler(test, replace_fields, NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(send(test, "POST", "/", "k", "x"), 201);
        assert_int_equal(is_replayed(test), i);
        assert_int_equal(cmw_test_response_count(test, "X-Set"), 2);
        assert_string_equal(cmw_test_response_field(test, "X-Set"), "one");
        assert_int_equal(cmw_test_response_count(test, "X-Added"), 2);
        assert_string_equal(cmw_test_response_field(test, "X-Added"), "before");
        assert_int_equal(cmw_test_response_count(test, "Content-Type"), 1);
    }
    close_bench(test);
}

/* A key that was claimed and not settled would be in the way of those who really mean it. */
static void it_cannot_be_shadowed(void **state)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_diag diag = {0};

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "idempotency_key", NULL, NULL), 0);
    assert_int_equal(cmw_chain_shadow(chain, "idempotency_key"), 0);
    assert_int_not_equal(cmw_chain_install(chain, &diag), 0);
    assert_string_equal(diag.message, "'idempotency_key' cannot be shadowed: it has a part in the "
                                      "body, which cannot be undone");
    cmw_chain_destroy(chain);
    close_bench(test);
}

/* What repeats are answered: the same, nothing kept (409), or the handler is asked again. */
static void by_what_was_answered(void **state)
{
    enum { AGAIN, REPLAYED, KNOWN };
    static const struct {
        struct origin origin;
        int status, outcome;
    } rows[] = {
        {{.status = 200}, 200, REPLAYED},
        {{.status = 204, .is_empty = 1}, 204, REPLAYED},
        {{.status = 303, .is_empty = 1}, 303, REPLAYED},
        {{.status = 400}, 400, REPLAYED},
        {{.status = 404}, 404, REPLAYED},
        {{.status = 409}, 409, REPLAYED},
        {{.status = 408}, 408, AGAIN},
        {{.status = 425}, 425, AGAIN},
        {{.status = 429}, 429, AGAIN},
        {{.status = 500}, 500, AGAIN},
        {{.status = 503}, 503, AGAIN},
        {{.status = 0}, 500, AGAIN},
        {{.status = 200, .streams = 1}, 200, KNOWN},
        {{.status = 200, .streams = 2}, 200, KNOWN},
        {{.status = 200, .len = 65536}, 200, REPLAYED},
        {{.status = 200, .len = 65537}, 200, KNOWN},
    };

    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct origin origin = rows[i].origin;
        cmw_middleware mw;
        cmw_test *test = open_keys(NULL, &origin, &mw);
        assert_int_equal(send(test, "POST", "/", "k", "x"), rows[i].status);
        const cmw_str body = cmw_test_response_body(test);
        const size_t len = body.len;
        const int status = send(test, "POST", "/", "k", "x");
        if (status != (rows[i].outcome == KNOWN ? 409 : rows[i].status) ||
            is_replayed(test) != (rows[i].outcome == REPLAYED) ||
            origin.calls != (rows[i].outcome == AGAIN ? 2 : 1) ||
            (rows[i].outcome == REPLAYED && cmw_test_response_body(test).len != len))
            fail_msg("row %zu: %d after %u calls", i, status, origin.calls);
        assert_int_equal(stats_of(&mw).freed, rows[i].outcome == AGAIN ? 2 : 0);
        assert_int_equal(stats_of(&mw).not_kept, rows[i].outcome == KNOWN);
        close_bench(test);
    }
}

/* ---- In flight -------------------------------------------------------------------------- */

static cmw_next begin(cmw_test *test, cmw_ctx **ctx)
{
    make(test, "POST", "/", "k", "x");
    assert_int_equal(cmw_ctx_begin(cmw_test_worker(test), ctx, cmw_test_view(test)), 0);
    const cmw_chunk chunk = {CMW_STR("x"), 1, 0};
    const cmw_next next = cmw_ctx_run(*ctx);
    return next == CMW_TO_HANDLER ? cmw_ctx_feed_body(*ctx, &chunk) : next;
}

static void a_repeat_of_what_is_being_handled_conflicts(void **state)
{
    struct origin origin = {.status = 201};
    cmw_middleware mw;
    cmw_ctx *ctx = NULL;

    (void)state;
    cmw_test *test = open_keys(NULL, &origin, &mw);
    assert_int_equal(begin(test, &ctx), CMW_TO_HANDLER);
    assert_int_equal(send(test, "POST", "/", "k", "x"), 409);
    assert_string_equal(cmw_test_response_field(test, "Retry-After"), "1");
    assert_int_equal(send(test, "POST", "/", "k", "y"), 422);
    assert_int_equal(origin.calls, 0);
    assert_int_equal(stats_of(&mw).in_flight, 1);
    assert_int_equal(origin_answer(&origin, ctx), 0);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    cmw_ctx_end(ctx, CMW_END_SENT);
    assert_int_equal(send(test, "POST", "/", "k", "x"), 201);
    assert_true(is_replayed(test));
    close_bench(test);
}

static void who_leaves_before_the_answer_frees_the_key(void **state)
{
    struct origin origin = {.status = 201};
    cmw_middleware mw;
    cmw_ctx *ctx = NULL;

    (void)state;
    cmw_test *test = open_keys(NULL, &origin, &mw);
    assert_int_equal(begin(test, &ctx), CMW_TO_HANDLER);
    cmw_ctx_end(ctx, CMW_END_CLIENT_GONE);
    assert_int_equal(stats_of(&mw).freed, 1);
    assert_int_equal(stats_of(&mw).entries, 0);
    assert_int_equal(send(test, "POST", "/", "k", "x"), 201);
    assert_false(is_replayed(test));
    close_bench(test);
}

static void who_leaves_behind_the_answer_finds_it_again(void **state)
{
    struct origin origin = {.status = 201};
    cmw_middleware mw;

    (void)state;
    cmw_test *test = open_keys(NULL, &origin, &mw);
    cmw_test_set_end_reason(test, CMW_END_CLIENT_GONE);
    assert_int_equal(send(test, "POST", "/", "k", "x"), 201);
    assert_int_equal(send(test, "POST", "/", "k", "x"), 201);
    assert_true(is_replayed(test));
    assert_int_equal(origin.calls, 1);
    close_bench(test);
}

static void what_never_ends_is_given_up_in_time(void **state)
{
    struct origin origin = {.status = 201};
    cmw_idempotency_key_config config;
    cmw_middleware mw;
    cmw_ctx *ctx = NULL;

    (void)state;
    cmw_idempotency_key_config_init(&config);
    config.lock_s = 10;
    cmw_test *test = open_keys(&config, &origin, &mw);
    assert_int_equal(begin(test, &ctx), CMW_TO_HANDLER);
    cmw_test_advance_ns(test, 9 * S);
    assert_int_equal(send(test, "POST", "/", "k", "x"), 409);
    cmw_test_advance_ns(test, S);
    assert_int_equal(send(test, "POST", "/", "k", "x"), 201);
    assert_int_equal(origin.calls, 1);
    /* The first one comes too late to change what the second one has put there. */
    assert_int_equal(origin_answer(&origin, ctx), 0);
    assert_int_equal(cmw_ctx_commit(ctx), CMW_TO_RESPOND);
    cmw_ctx_end(ctx, CMW_END_SENT);
    assert_int_equal(send(test, "POST", "/", "k", "x"), 201);
    assert_string_equal(cmw_test_response_body(test).data, "1");
    close_bench(test);
}

/* ---- The store -------------------------------------------------------------------------- */

static void flood(cmw_test *test, unsigned from, unsigned to)
{
    for (unsigned i = from; i < to; i++) {
        char key[32];
        snprintf(key, sizeof key, "k%u", i);
        make(test, "POST", "/", key, "x");
        (void)cmw_test_send_quick(test);
    }
}

static void a_full_store_refuses_passes_or_forgets(void **state)
{
    (void)state;
    for (int mode = 0; mode < 3; mode++) {
        struct origin origin = {.status = 201};
        cmw_idempotency_key_config config;
        cmw_middleware mw;
        cmw_idempotency_key_config_init(&config);
        config.max_bytes = 65536;
        config.max_share = 100;
        config.max_response_bytes = 1024;
        config.on_store_failure = mode == 1 ? CMW_IDEMPOTENCY_PASS : CMW_IDEMPOTENCY_REFUSE;
        config.when_full = mode == 2 ? CMW_IDEMPOTENCY_FULL_EVICT : CMW_IDEMPOTENCY_FULL_REFUSE;
        cmw_test *test = open_keys(&config, &origin, &mw);
        flood(test, 0, 1000);
        const cmw_idempotency_key_stats stats = stats_of(&mw);
        assert_in_range(stats.bytes, 65536 * 9 / 10, 65536);
        assert_int_equal(origin.calls, mode == 0 ? stats.first : 1000);
        assert_int_equal(stats.failed, mode == 2 ? 0 : 1000 - stats.first);
        assert_int_equal(send(test, "POST", "/", "k0", "x"), 201);
        assert_int_equal(is_replayed(test), mode != 2);
        close_bench(test);
    }
}

/* What the pool has handed out, whatever the store says of itself: as much at the end of a flood as
 * at its beginning, and within a tenth of the bound. */
static void a_flood_of_keys_takes_no_more_than_was_said(void **state)
{
    enum { BOUND = 1024 * 1024 };

    (void)state;
    for (int full = CMW_IDEMPOTENCY_FULL_REFUSE; full <= CMW_IDEMPOTENCY_FULL_EVICT; full++) {
        struct origin origin = {.status = 201};
        cmw_idempotency_key_config config, small;
        cmw_middleware mw;
        cmw_idempotency_key_config_init(&small);
        small.max_bytes = 65536;
        small.max_response_bytes = 1024;
        cmw_test *test = open_keys(&small, &origin, &mw);
        const uint64_t rest = origin_in_use(test) - stats_of(&mw).bytes; /* other middleware, too */
        close_bench(test);
        cmw_idempotency_key_config_init(&config);
        config.max_bytes = BOUND;
        config.max_share = 100;
        config.max_response_bytes = 4096;
        config.when_full = full;
        test = open_keys(&config, &origin, &mw);
        flood(test, 0, 1); /* what others make of a first request */
        const uint64_t before = origin_in_use(test);
        for (unsigned i = 0; i < 20; i++) {
            origin.len = 1 + i * 7919 % 3000;
            flood(test, i * 500, (i + 1) * 500);
            assert_int_equal(origin_in_use(test), before);
            assert_in_range(before - rest, BOUND / 10 * 9, BOUND / 10 * 11);
        }
        assert_true(stats_of(&mw).entries > 100);
        assert_true(full == CMW_IDEMPOTENCY_FULL_EVICT || stats_of(&mw).failed > 0);
        close_bench(test);
    }
}

static void who_floods_the_store_does_not_close_it_to_others(void **state)
{
    struct origin origin = {.status = 201};
    cmw_idempotency_key_config config;
    cmw_middleware mw;
    unsigned served = 0;

    (void)state;
    cmw_idempotency_key_config_init(&config);
    config.max_bytes = 262144;
    config.max_response_bytes = 1024;
    cmw_test *test = open_keys(&config, &origin, &mw);
    flood(test, 0, 2000);
    assert_int_equal(send(test, "POST", "/", "another", "x"), 503);
    assert_in_range(stats_of(&mw).bytes, 1, 262144 * 35 / 100);
    for (unsigned i = 0; i < 3; i++) {
        static const char *const others[] = {"192.0.2.2", "2001:db8::1", "198.51.100.1"};
        make(test, "POST", "/", "another", "x");
        cmw_test_peer(test, others[i]);
        served += cmw_test_send(test) == 201 && (i == 0 || origin.calls > 0);
    }
    assert_in_range(served, 2, 3); /* one of them may share the count */
    close_bench(test);
}

static void a_warm_request_calls_no_allocator(void **state)
{
    struct origin origin = {.status = 201};
    cmw_middleware mw;

    (void)state;
    cmw_test *test = open_keys(NULL, &origin, &mw);
    make(test, "POST", "/", "k", "x");
    assert_no_allocation(test);
    const uint64_t before = cmw_test_alloc_calls(test);
    flood(test, 0, 1000);
    assert_int_equal(cmw_test_alloc_calls(test), before);
    assert_int_equal(origin.calls, 1001);
    close_bench(test);
}

static void what_is_kept_outlives_a_plan(void **state)
{
    struct origin origin = {.status = 201};
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    cmw_test_set_handler(test, origin_answer, &origin);
    for (int i = 0; i < 2; i++) {
        cmw_chain *again = NULL;
        assert_int_equal(cmw_chain_create(cmw_test_engine(test), &again, 0), 0);
        assert_int_equal(cmw_chain_use(again, "idempotency_key", NULL, NULL), 0);
        assert_int_equal(cmw_chain_install(again, NULL), 0);
        cmw_chain_destroy(chain);
        chain = again;
        assert_int_equal(send(test, "POST", "/", "k", "x"), 201);
        assert_int_equal(is_replayed(test), i);
    }
    cmw_chain_destroy(chain);
    close_bench(test);
}

/* ---- A store of one's own --------------------------------------------------------------- */

struct elsewhere {
    int answer;
    char value[512];
    size_t len;
    cmw_token token;
    cmw_store_item item;
    int suspends;
    unsigned released, removed, cancelled;
};

static int add_there(void *self, cmw_ctx *ctx, const cmw_store_entry *entry, cmw_store_item *item)
{
    struct elsewhere *there = self;

    if (there->suspends)
        return cmw_ctx_suspend(ctx, &there->token) == 0 ? CMW_STORE_PENDING : CMW_ERR_STATE;
    memset(item, 0, sizeof *item);
    item->version = 7;
    item->value = cmw_str_make(there->value, there->len);
    if (there->answer == CMW_STORE_ADDED) {
        there->len = entry->value.len;
        memcpy(there->value, entry->value.data, entry->value.len);
    }
    return there->answer;
}

static int replace_there(void *self, const cmw_store_entry *entry, uint64_t version)
{
    struct elsewhere *there = self;

    assert_int_equal(version, 7);
    assert_true(entry->value.len <= sizeof there->value);
    there->len = entry->value.len;
    memcpy(there->value, entry->value.data, entry->value.len);
    return 0;
}

static int remove_there(void *self, cmw_str key, uint64_t version)
{
    struct elsewhere *there = self;

    assert_true(key.len > 0);
    assert_int_equal(version, 7);
    there->removed++;
    return 0;
}

static void release_there(void *self, cmw_store_item *item)
{
    struct elsewhere *there = self;

    there->released++;
    there->cancelled += item->answer == CMW_ERR_CANCELLED;
}

static cmw_test *open_elsewhere(struct elsewhere *there, uint32_t flags, struct origin *origin,
                                cmw_middleware *mw)
{
    static cmw_hash_key keys[2];
    cmw_idempotency_key_config config;
    const cmw_store store = {.size = sizeof store,
                             .flags = flags,
                             .self = there,
                             .add = add_there,
                             .replace = replace_there,
                             .remove = remove_there,
                             .release = release_there};

    cmw_idempotency_key_config_init(&config);
    config.store = &store;
    config.fingerprint_keys = keys;
    return open_keys(&config, origin, mw);
}

static void a_store_of_ones_own_is_asked(void **state)
{
    struct origin origin = {.status = 201};
    struct elsewhere there = {.answer = CMW_STORE_ADDED};
    cmw_middleware mw;

    (void)state;
    cmw_test *test = open_elsewhere(&there, 0, &origin, &mw);
    assert_int_equal(send(test, "POST", "/", "k", "x"), 201);
    assert_int_equal(there.released, 1);
    there.answer = CMW_STORE_FOUND;
    assert_int_equal(send(test, "POST", "/", "k", "x"), 201);
    assert_true(is_replayed(test));
    assert_int_equal(there.released, 2);
    there.answer = CMW_STORE_ADDED;
    origin.status = 500;
    assert_int_equal(send(test, "POST", "/", "k", "x"), 500);
    assert_int_equal(there.removed, 1);
    close_bench(test);
}

/* Every byte of a record changed, and every length of it: never a crash, and what is refused is
 * refused as a failing store. */
static void what_a_store_says_is_not_trusted(void **state)
{
    struct origin origin = {.status = 201, .fields = {"X-Kept", "1"}};
    struct elsewhere there = {.answer = CMW_STORE_ADDED};
    char good[512];
    cmw_middleware mw;

    (void)state;
    cmw_test *test = open_elsewhere(&there, 0, &origin, &mw);
    assert_int_equal(send(test, "POST", "/", "k", "x"), 201);
    const size_t len = there.len;
    memcpy(good, there.value, len);
    there.answer = CMW_STORE_FOUND;
    for (there.len = 0; there.len < len; there.len++)
        assert_int_equal(send(test, "POST", "/", "k", "x"), 503);
    for (size_t i = 0; i < 32; i++) {
        memcpy(there.value, good, len);
        there.value[i] = (char)(there.value[i] ^ 0x81);
        const int status = send(test, "POST", "/", "k", "x");
        if (status != 503 && status != 422)
            fail_msg("byte %zu: %d", i, status);
    }
    memcpy(there.value, good, len);
    char *const name = memchr(there.value + 32, 'X', len - 32);
    *name = '\n';
    assert_int_equal(send(test, "POST", "/", "k", "x"), 503);
    assert_int_equal(origin.calls, 1);
    close_bench(test);
}

/* Something is there: to let the request pass might do it twice. */
static void what_cannot_be_read_does_not_pass(void **state)
{
    static cmw_hash_key keys[2];
    struct origin origin = {.status = 201};
    struct elsewhere there = {.answer = CMW_STORE_FOUND, .len = 5};
    cmw_idempotency_key_config config;
    cmw_middleware mw;
    const cmw_store store = {.size = sizeof store,
                             .self = &there,
                             .add = add_there,
                             .replace = replace_there,
                             .remove = remove_there};

    (void)state;
    cmw_idempotency_key_config_init(&config);
    config.store = &store;
    config.fingerprint_keys = keys;
    config.on_store_failure = CMW_IDEMPOTENCY_PASS;
    cmw_test *test = open_keys(&config, &origin, &mw);
    assert_int_equal(send(test, "POST", "/", "k", "x"), 503);
    there.answer = CMW_ERR_NOMEM;
    assert_int_equal(send(test, "POST", "/", "k", "x"), 503);
    assert_int_equal(origin.calls, 0);
    there.answer = CMW_ERR_IO;
    assert_int_equal(send(test, "POST", "/", "k", "x"), 201);
    assert_int_equal(origin.calls, 1);
    close_bench(test);
}

static void a_store_that_fails_refuses(void **state)
{
    static const int answers[] = {CMW_ERR_IO, CMW_ERR_LIMIT, CMW_STORE_PENDING, 77};

    (void)state;
    for (size_t i = 0; i < LEN(answers); i++) {
        struct origin origin = {.status = 201};
        struct elsewhere there = {.answer = answers[i]};
        cmw_middleware mw;
        cmw_test *test = open_elsewhere(&there, 0, &origin, &mw);
        assert_int_equal(send(test, "POST", "/", "k", "x"), 503);
        assert_string_equal(cmw_test_response_field(test, "Retry-After"), "1");
        assert_int_equal(origin.calls, 0);
        assert_int_equal(stats_of(&mw).failed, 1);
        close_bench(test);
    }
}

/* ---- One that answers later ------------------------------------------------------------- */

static void proceed(void *self, cmw_ctx *ctx, int next)
{
    int *got = self;
    (void)ctx;
    *got = next;
}

static void a_store_may_answer_later(void **state)
{
    static const struct {
        int verdict, answer, has_item; /* what it says */
        int next, status;              /* what becomes of it */
    } rows[] = {
        {CMW_CONTINUE, CMW_STORE_ADDED, 1, CMW_TO_HANDLER, 201},
        {CMW_CONTINUE, CMW_ERR_IO, 1, CMW_TO_RESPOND, 503},
        {CMW_CONTINUE, 0, 0, CMW_TO_RESPOND, 503},
        {CMW_ERROR, CMW_STORE_ADDED, 1, CMW_TO_RESPOND, 503},
        {CMW_CONTINUE, CMW_STORE_FOUND, 1, CMW_TO_RESPOND, 503}, /* of nothing */
    };
    static const cmw_host host = {.size = sizeof(cmw_host),
                                  .name = "waits",
                                  .capabilities = CMW_CAP_SUSPEND | CMW_CAP_STREAM_REQUEST_BODY |
                                                  CMW_CAP_HEAD_FIRST,
                                  .proceed = proceed};

    (void)state;
    for (size_t i = 0; i < LEN(rows); i++) {
        struct origin origin = {.status = 201};
        struct elsewhere there = {.suspends = 1};
        cmw_middleware mw;
        cmw_test *test = NULL;
        cmw_chain *chain = NULL;
        cmw_worker *worker = NULL;
        cmw_ctx *ctx = NULL;
        cmw_diag diag = {0};
        int next = -1;
        static cmw_hash_key keys[2];
        cmw_idempotency_key_config config;
        const cmw_store store = {.size = sizeof store,
                                 .flags = CMW_STORE_ASYNC,
                                 .self = &there,
                                 .add = add_there,
                                 .replace = replace_there,
                                 .remove = remove_there,
                                 .release = release_there};

        assert_int_equal(cmw_test_create(&test, NULL), 0);
        cmw_engine *engine = cmw_test_engine(test);
        assert_int_equal(cmw_engine_attach_host(engine, &host, NULL), 0);
        assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
        cmw_idempotency_key_config_init(&config);
        config.store = &store;
        config.fingerprint_keys = keys;
        cmw_middleware_init(&mw);
        mw.name = "keys";
        assert_int_equal(cmw_idempotency_key_create(engine, &mw, &config, &diag), 0);
        assert_int_equal(cmw_chain_add(chain, &mw, &diag), 0);
        if (cmw_chain_install(chain, &diag) != 0)
            fail_msg("%s", diag.message);
        cmw_chain_destroy(chain);
        assert_int_equal(cmw_engine_take_worker(engine, &worker, &host, &next), 0);
        make(test, "POST", "/", "k", "x");
        assert_int_equal(cmw_ctx_begin(worker, &ctx, cmw_test_view(test)), 0);
        const cmw_chunk chunk = {CMW_STR("x"), 1, 0};
        assert_int_equal(cmw_ctx_run(ctx), CMW_TO_HANDLER);
        assert_int_equal(cmw_ctx_feed_body(ctx, &chunk), CMW_TO_SUSPENDED);
        there.item = (cmw_store_item){.answer = rows[i].answer, .version = 7};
        assert_int_equal(
            cmw_resume(engine, there.token, rows[i].verdict, rows[i].has_item ? &there.item : NULL),
            0);
        assert_int_equal(cmw_worker_run(worker, 0), 1);
        assert_int_equal(next, rows[i].next);
        if (next == CMW_TO_HANDLER) {
            assert_int_equal(origin_answer(&origin, ctx), 0);
            (void)cmw_ctx_commit(ctx);
        }
        assert_int_equal(cmw_response_status(cmw_ctx_response(ctx)), rows[i].status);
        cmw_ctx_end(ctx, CMW_END_SENT);
        assert_int_equal(there.released, rows[i].has_item);
        assert_int_equal(there.cancelled, rows[i].verdict == CMW_ERROR);
        cmw_engine_put_worker(engine, worker);
        close_bench(test);
    }
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void what_is_refused(void **state)
{
    static const char *const bad_method[] = {"PO ST"};
    struct {
        cmw_idempotency_key_config config;
        uint64_t more;
    } newer;
    cmw_idempotency_key_config config;
    const cmw_store store = {.size = sizeof store};
    const cmw_store whole = {
        .size = sizeof store, .add = add_there, .replace = replace_there, .remove = remove_there};

    (void)state;
#define REFUSED(member, value, code, sentence)                                                     \
    cmw_idempotency_key_config_init(&config);                                                      \
    config.member = (value);                                                                       \
    assert_refused("idempotency_key", &config, code, "idempotency_key: " sentence)
    REFUSED(max_key_length, 0, CMW_ERR_ARG, "max_key_length: 0 is not 1 to 65535");
    REFUSED(ttl_s, 0, CMW_ERR_ARG, "ttl: 0 is not 1 to 31536000");
    REFUSED(lock_s, -1, CMW_ERR_ARG, "lock: -1 is not 1 to 31536000");
    REFUSED(max_response_bytes, -1, CMW_ERR_ARG, "max_response_bytes: -1 is not 0 to 2147483647");
    REFUSED(max_bytes, 1, CMW_ERR_ARG, "max_bytes: 1 is not 65536 to 1099511627776");
    REFUSED(max_share, 0, CMW_ERR_ARG, "max_share: 0 is not 1 to 100");
    REFUSED(max_bytes, 65536, CMW_ERR_ARG,
            "max_response_bytes: 65536 has no room; max_bytes and max_share leave room for 1024");
    REFUSED(when_full, 2, CMW_ERR_ARG, "when_full: 2 is not 0 to 1");
    REFUSED(on_store_failure, 2, CMW_ERR_ARG, "on_store_failure: 2 is not 0 to 1");
    REFUSED(methods, bad_method, CMW_ERR_ARG, "methods: there are none");
    REFUSED(store, &store, CMW_ERR_ARG, "the store lacks a function");
    REFUSED(store, &whole, CMW_ERR_ARG, "fingerprint_keys: who shares a store needs them");
    cmw_idempotency_key_config_init(&config);
    config.methods = bad_method;
    config.method_count = 1;
    assert_refused("idempotency_key", &config, CMW_ERR_INVALID,
                   "idempotency_key: methods: 'PO ST' is not a method");
    cmw_idempotency_key_config_init(&newer.config);
    newer.config.size = sizeof newer;
    newer.more = 1;
    assert_refused("idempotency_key", &newer.config, CMW_ERR_VERSION,
                   "idempotency_key: the config is of a newer version");
    assert_survives_failing_memory("idempotency_key", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_a_key),
        cmocka_unit_test(a_key_that_stands_twice_is_none),
        cmocka_unit_test(quotes_make_no_other_key),
        cmocka_unit_test(a_key_is_asked_for_where_it_is_required),
        cmocka_unit_test(another_request_with_the_key_is_told_apart),
        cmocka_unit_test(how_a_body_is_cut_makes_no_difference),
        cmocka_unit_test(a_key_is_its_principals_alone),
        cmocka_unit_test(a_repeat_gets_the_same_answer),
        cmocka_unit_test(what_is_a_sessions_or_a_connections_is_not_answered_again),
        cmocka_unit_test(a_repeat_has_each_field_as_often_as_the_first_answer),
        cmocka_unit_test(it_cannot_be_shadowed),
        cmocka_unit_test(by_what_was_answered),
        cmocka_unit_test(a_repeat_of_what_is_being_handled_conflicts),
        cmocka_unit_test(who_leaves_before_the_answer_frees_the_key),
        cmocka_unit_test(who_leaves_behind_the_answer_finds_it_again),
        cmocka_unit_test(what_never_ends_is_given_up_in_time),
        cmocka_unit_test(a_full_store_refuses_passes_or_forgets),
        cmocka_unit_test(a_flood_of_keys_takes_no_more_than_was_said),
        cmocka_unit_test(who_floods_the_store_does_not_close_it_to_others),
        cmocka_unit_test(a_warm_request_calls_no_allocator),
        cmocka_unit_test(what_is_kept_outlives_a_plan),
        cmocka_unit_test(a_store_of_ones_own_is_asked),
        cmocka_unit_test(what_a_store_says_is_not_trusted),
        cmocka_unit_test(what_cannot_be_read_does_not_pass),
        cmocka_unit_test(a_store_that_fails_refuses),
        cmocka_unit_test(a_store_may_answer_later),
        cmocka_unit_test(what_is_refused),
    };
    return cmocka_run_group_tests_name("idempotency_key", tests, NULL, NULL);
}
