/* SPDX-License-Identifier: MIT */
/* Key rings over libcrypto, and the cookies that they sign. */
#include "test.h"

#include <stdio.h>

#include <catzilla/builtin/cookies.h>
#include <catzilla/builtin/csrf.h>
#include <catzilla/component/crypto.h>
#include <catzilla/testing.h>

struct bench {
    cmw_test *test;
    cmw_arena *arena;
};

static void open_bench(struct bench *bench)
{
    assert_int_equal(cmw_test_create(&bench->test, NULL), 0);
    assert_int_equal(cmw_crypto_install(cmw_test_engine(bench->test)), 0);
    assert_int_equal(cmw_arena_create(&bench->arena,
                                      cmw_engine_pool(cmw_test_engine(bench->test), CMW_POOL_PLAN),
                                      0),
                     0);
}

static void close_bench(struct bench *bench)
{
    cmw_arena_destroy(bench->arena);
    assert_int_equal(cmw_test_destroy(bench->test), 0);
}

static cmw_key_ring *make_ring(struct bench *bench, const char *const *secrets, size_t count)
{
    cmw_key_ring *ring = NULL;

    assert_int_equal(cmw_key_ring_create(&ring, bench->arena, cmw_test_engine(bench->test), secrets,
                                         count, NULL),
                     0);
    return ring;
}

/* ---- Codes ------------------------------------------------------------------------------ */

struct row {
    const char *name;
    const char *secret;
    const char *parts[3];
    const char *code;
};

#define X131                                                                                       \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxx"                                                                                          \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

/* RFC 4231 where its key is text; the others by `openssl dgst -sha256 -hmac`. */
static const struct row rows[] = {
    {"RFC 4231, test case 2",
     "Jefe",
     {"what do ya want ", "for nothing?"},
     "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"},
    {"no message", "k", {NULL}, "8bb990c40a7d61cb97597a942125025be50ac8beb74436e3735b98893a7f6620"},
    {"a key of a block",
     "0123456789012345678901234567890123456789012345678901234567890123",
     {"a"},
     "a5d32916ce1a8987c676b22874a1c2d6600ffd35f5b6cbd383216be860803b3c"},
    {"a longer key is hashed",
     X131,
     {"a", "", "b"},
     "17b58bae9d20ebb40352d51126976f0b01f24d0eec11f9b919b7f6ceefab8889"},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    struct bench bench;
    unsigned char mac[CMW_MAC_LEN];
    char code[2 * CMW_MAC_LEN];
    cmw_str parts[3];
    size_t count = 0, len;

    open_bench(&bench);
    const cmw_key_ring *const ring = make_ring(&bench, &row->secret, 1);
    for (; count < 3 && row->parts[count]; count++)
        parts[count] = cmw_str_cstr(row->parts[count]);
    cmw_key_ring_sign(ring, mac, parts, count);
    assert_int_equal(
        cmw_hex_encode(&len, code, sizeof code, cmw_str_make((const char *)mac, sizeof mac)), 0);
    assert_memory_equal(code, row->code, sizeof code);
    assert_int_equal(cmw_key_ring_verify(ring, mac, parts, count), 0);
    for (size_t i = 0; i < sizeof mac; i++) {
        mac[i] ^= 1;
        assert_int_equal(cmw_key_ring_verify(ring, mac, parts, count), -1);
        mac[i] ^= 1;
    }
    close_bench(&bench);
}

static void each_key_verifies_and_the_first_signs(void **state)
{
    static const char *const both[] = {"new", "old"};
    const cmw_str message = CMW_STR("u1");
    unsigned char by_new[CMW_MAC_LEN], by_old[CMW_MAC_LEN];
    struct bench bench;

    (void)state;
    open_bench(&bench);
    const cmw_key_ring *const ring = make_ring(&bench, both, 2);
    const cmw_key_ring *const new_ring = make_ring(&bench, both, 1);
    const cmw_key_ring *const old_ring = make_ring(&bench, both + 1, 1);
    cmw_key_ring_sign(ring, by_new, &message, 1);
    cmw_key_ring_sign(old_ring, by_old, &message, 1);
    assert_int_equal(cmw_key_ring_verify(ring, by_new, &message, 1), 0);
    assert_int_equal(cmw_key_ring_verify(ring, by_old, &message, 1), 1);
    assert_int_equal(cmw_key_ring_verify(new_ring, by_new, &message, 1), 0);
    assert_int_equal(cmw_key_ring_verify(new_ring, by_old, &message, 1), -1);
    close_bench(&bench);
}

static void a_ring_without_good_secrets_is_refused(void **state)
{
    static const char *const empty[] = {"a", ""};
    static const char *const none[] = {NULL};
    static const char *const twice[] = {"a", "b", "a"};
    static const struct {
        const char *const *secrets;
        size_t count;
        int rc;
        const char *sentence;
    } cases[] = {{empty, 2, CMW_ERR_INVALID, "secret 2 is empty"},
                 {none, 1, CMW_ERR_INVALID, "secret 1 is empty"},
                 {empty, 0, CMW_ERR_ARG, "the ring has no secret"},
                 {twice, 3, CMW_ERR_EXISTS, "secrets 1 and 3 are equal"}};
    cmw_key_ring *ring = NULL;
    struct bench bench;
    cmw_diag diag;

    (void)state;
    open_bench(&bench);
    for (size_t i = 0; i < LEN(cases); i++) {
        assert_int_equal(cmw_key_ring_create(&ring, bench.arena, cmw_test_engine(bench.test),
                                             cases[i].secrets, cases[i].count, &diag),
                         cases[i].rc);
        assert_string_equal(diag.message, cases[i].sentence);
        assert_null(ring);
    }
    close_bench(&bench);
}

static int refuse_secret(void *key, cmw_str secret)
{
    (void)key;
    (void)secret;
    return CMW_ERR_IO;
}

static void sign_nothing(const void *key, unsigned char mac[CMW_MAC_LEN], const cmw_str *parts,
                         size_t part_count)
{
    (void)key;
    (void)parts;
    (void)part_count;
    memset(mac, 0, CMW_MAC_LEN);
}

static void wipe_nothing(void *key)
{
    (void)key;
}

static void an_engine_has_one_provider(void **state)
{
    static const char *const secrets[] = {"a"};
    static const cmw_mac_provider other = {sizeof other, 16, refuse_secret, sign_nothing,
                                           wipe_nothing};
    cmw_mac_provider half = other;
    cmw_key_ring *ring = NULL;
    cmw_test *test = NULL;
    struct bench bench;
    cmw_diag diag;

    (void)state;
    open_bench(&bench);
    assert_int_equal(cmw_crypto_install(cmw_test_engine(bench.test)), 0);
    assert_int_equal(cmw_engine_set_mac_provider(cmw_test_engine(bench.test), &other),
                     CMW_ERR_EXISTS);
    half.wipe = NULL;
    assert_int_equal(cmw_engine_set_mac_provider(cmw_test_engine(bench.test), &half), CMW_ERR_ARG);
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_null(cmw_engine_mac_provider(cmw_test_engine(test)));
    assert_int_equal(cmw_engine_set_mac_provider(cmw_test_engine(test), &other), 0);
    assert_int_equal(
        cmw_key_ring_create(&ring, bench.arena, cmw_test_engine(test), secrets, 1, &diag),
        CMW_ERR_IO);
    close_bench(&bench);
    assert_int_equal(cmw_test_destroy(test), 0);
}

/* ---- Cookies ---------------------------------------------------------------------------- */

static void a_bound_signature_is_of_no_use_elsewhere(void **state)
{
    static const char *const secrets[] = {"luna"};
    cmw_cookie cookie = {CMW_STR("user"), CMW_STR("ann")};
    struct bench bench;
    char room[128];
    cmw_str value;
    size_t len;

    (void)state;
    open_bench(&bench);
    const cmw_key_ring *const ring = make_ring(&bench, secrets, 1);
    assert_int_equal(cmw_cookie_sign(&len, room, sizeof room, ring, &cookie, CMW_COOKIE_BOUND), 0);
    cookie.value = cmw_str_make(room, len);
    assert_int_equal(cmw_cookie_unsign(&value, ring, &cookie, CMW_COOKIE_BOUND), 0);
    assert_true(cmw_str_equals(value, CMW_STR("ann")));
    assert_int_equal(cmw_cookie_unsign(&value, ring, &cookie, CMW_COOKIE_SIGNATURE),
                     CMW_ERR_INVALID);
    assert_int_equal(cmw_cookie_unsign(&value, ring, &cookie, (cmw_cookie_format)2), CMW_ERR_ARG);
    cookie.name = CMW_STR("role");
    assert_int_equal(cmw_cookie_unsign(&value, ring, &cookie, CMW_COOKIE_BOUND), CMW_ERR_INVALID);
    /* The name's end cannot be moved into the value. */
    cookie.name = CMW_STR("use");
    assert_int_equal(cmw_cookie_unsign(&value, ring, &cookie, CMW_COOKIE_BOUND), CMW_ERR_INVALID);
    for (size_t cap = 0; cap < len; cap++) {
        size_t needed = 0;
        cookie.value = CMW_STR("ann");
        assert_int_equal(cmw_cookie_sign(&needed, room, cap, ring, &cookie, CMW_COOKIE_BOUND),
                         CMW_ERR_LIMIT);
        assert_int_equal(needed, len);
    }
    close_bench(&bench);
}

static void whatever_is_changed_is_not_there(void **state)
{
    static const char *const secrets[] = {"luna"};
    cmw_cookie cookie = {CMW_STR("sid"), CMW_STR("hello")};
    struct bench bench;
    char room[64], changed[64];
    cmw_str value;
    size_t len;

    (void)state;
    open_bench(&bench);
    const cmw_key_ring *const ring = make_ring(&bench, secrets, 1);
    assert_int_equal(cmw_cookie_sign(&len, room, sizeof room, ring, &cookie, CMW_COOKIE_BOUND), 0);
    for (size_t i = 0; i < len; i++) {
        memcpy(changed, room, len);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        cookie.value = cmw_str_make(changed, len);
        assert_int_equal(cmw_cookie_unsign(&value, ring, &cookie, CMW_COOKIE_BOUND),
                         CMW_ERR_INVALID);
        cookie.value = cmw_str_make(room, i);
        assert_int_equal(cmw_cookie_unsign(&value, ring, &cookie, CMW_COOKIE_BOUND),
                         CMW_ERR_INVALID);
    }
    close_bench(&bench);
}

struct seen {
    cmw_slot slot;
    char value[64];
    int rc;
};

/* Reads "sid", then sets it anew. */
static int look(void *self, cmw_ctx *ctx)
{
    struct seen *const seen = self;
    cmw_cookies *const cookies = cmw_ctx_slot(ctx, seen->slot);
    cmw_set_cookie set;
    cmw_str value = CMW_STR("");

    seen->rc = cmw_cookies_find_signed(cookies, &value, CMW_STR("sid"));
    snprintf(seen->value, sizeof seen->value, "%.*s", (int)value.len, value.data);
    cmw_set_cookie_init(&set);
    set.name = CMW_STR("sid");
    set.value = CMW_STR("ann");
    assert_int_equal(cmw_cookies_set_signed(cookies, &set), 0);
    set.value = CMW_STR("a;b");
    assert_int_equal(cmw_cookies_set_signed(cookies, &set), CMW_ERR_INVALID);
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok"));
}

static void what_was_set_is_read_back(void **state)
{
    static const char *const secrets[] = {"luna", "older"};
    const cmw_cookies_signed signing = {.secrets = secrets, .secret_count = 2};
    cmw_cookies_config config;
    struct bench bench;
    struct seen seen = {0};
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};
    char field[256];

    (void)state;
    open_bench(&bench);
    cmw_engine *const engine = cmw_test_engine(bench.test);
    cmw_cookies_config_init(&config);
    config.signing = &signing;
    assert_int_equal(cmw_chain_create(engine, &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "cookies", &config, &diag), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(bench.test, plan), 0);
    seen.slot = cmw_slot_find(engine, "cookies");
    cmw_test_set_handler(bench.test, look, &seen);

    cmw_test_request(bench.test, "GET", "/");
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_int_equal(seen.rc, CMW_ERR_NOT_FOUND);
    snprintf(field, sizeof field, "sid=forged; %s",
             cmw_test_response_field(bench.test, "Set-Cookie"));
    *strstr(field, "; Path") = '\0';
    cmw_test_request(bench.test, "GET", "/");
    cmw_test_header(bench.test, "Cookie", field);
    assert_int_equal(cmw_test_send(bench.test), 200);
    assert_int_equal(seen.rc, 0);
    assert_string_equal(seen.value, "ann");
    const uint64_t before = cmw_test_alloc_calls(bench.test);
    (void)cmw_test_send_quick(bench.test);
    assert_int_equal(cmw_test_alloc_calls(bench.test), before);
    close_bench(&bench);
}

/* ---- Tokens against cross-site requests --------------------------------------------------- */

static void open_tokens(struct bench *bench)
{
    static const char *const secrets[] = {"new", "old"};
    const cmw_csrf_token token = {.secrets = secrets, .secret_count = 2, .session_cookie = "sid"};
    cmw_csrf_config config;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};

    open_bench(bench);
    cmw_csrf_config_init(&config);
    config.token = &token;
    assert_int_equal(cmw_chain_create(cmw_test_engine(bench->test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "csrf", &config, &diag), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), 0);
    cmw_chain_destroy(chain);
    assert_int_equal(cmw_test_install(bench->test, plan), 0);
}

/* Get a token for a session, as the cookie has it. */
static void get_token(struct bench *bench, const char *session, char token[CMW_CSRF_TOKEN_LEN + 1])
{
    static const char before[] = "__Host-csrf=";

    cmw_test_request(bench->test, "GET", "/");
    cmw_test_header(bench->test, "Cookie", session);
    assert_int_equal(cmw_test_send(bench->test), 200);
    const char *const line = cmw_test_response_field(bench->test, "Set-Cookie");
    assert_non_null(line);
    assert_int_equal(strncmp(line, before, sizeof before - 1), 0);
    assert_string_equal(line + sizeof before - 1 + CMW_CSRF_TOKEN_LEN,
                        "; Path=/; Secure; SameSite=Lax");
    memcpy(token, line + sizeof before - 1, CMW_CSRF_TOKEN_LEN);
    token[CMW_CSRF_TOKEN_LEN] = '\0';
}

static int post(struct bench *bench, const char *session, const char *cookie, const char *field)
{
    char cookies[256];

    snprintf(cookies, sizeof cookies, "%s; __Host-csrf=%s", session, cookie);
    cmw_test_request(bench->test, "POST", "/");
    cmw_test_header(bench->test, "Cookie", cookies);
    if (field)
        cmw_test_header(bench->test, "x-csrf-token", field);
    return cmw_test_send(bench->test);
}

static void a_token_is_sent_back(void **state)
{
    char token[CMW_CSRF_TOKEN_LEN + 1], others[CMW_CSRF_TOKEN_LEN + 1];
    struct bench bench;

    (void)state;
    open_tokens(&bench);
    get_token(&bench, "sid=1", token);
    get_token(&bench, "sid=2", others);
    assert_int_equal(post(&bench, "sid=1", token, token), 200);
    assert_null(cmw_test_response_field(bench.test, "Set-Cookie")); /* it stays the same */
    const uint64_t before = cmw_test_alloc_calls(bench.test);
    (void)cmw_test_send_quick(bench.test);
    assert_int_equal(cmw_test_alloc_calls(bench.test), before);
    cmw_test_header(bench.test, "X-CSRF-Token", token); /* twice */
    assert_int_equal(cmw_test_send(bench.test), 403);

    assert_int_equal(post(&bench, "sid=1", token, NULL), 403);
    assert_int_equal(post(&bench, "sid=1", token, ""), 403);
    assert_int_equal(post(&bench, "sid=1", "x", "x"), 403);
    assert_int_equal(post(&bench, "sid=1", others, token), 403);
    /* Good, and of another session: a neighbour's own. */
    assert_int_equal(post(&bench, "sid=1", others, others), 403);
    assert_non_null(cmw_test_response_field(bench.test, "Set-Cookie"));
    assert_int_equal(post(&bench, "sid=2", others, others), 200);
    for (size_t i = 0; i < CMW_CSRF_TOKEN_LEN; i++) {
        char changed[CMW_CSRF_TOKEN_LEN + 1];
        memcpy(changed, token, sizeof changed);
        changed[i] = changed[i] == '0' ? '1' : '0';
        assert_int_equal(post(&bench, "sid=1", changed, changed), 403);
    }
    /* A token is no reason to let another site's page through. */
    cmw_test_request(bench.test, "POST", "/");
    cmw_test_header(bench.test, "Sec-Fetch-Site", "cross-site");
    cmw_test_header(bench.test, "X-CSRF-Token", token);
    assert_int_equal(cmw_test_send(bench.test), 403);
    close_bench(&bench);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(each_key_verifies_and_the_first_signs),
        cmocka_unit_test(a_ring_without_good_secrets_is_refused),
        cmocka_unit_test(an_engine_has_one_provider),
        cmocka_unit_test(a_bound_signature_is_of_no_use_elsewhere),
        cmocka_unit_test(whatever_is_changed_is_not_there),
        cmocka_unit_test(what_was_set_is_read_back),
        cmocka_unit_test(a_token_is_sent_back),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("crypto", tests, NULL, NULL) |
           cmocka_run_group_tests_name("crypto: the rest", others, NULL, NULL);
}
