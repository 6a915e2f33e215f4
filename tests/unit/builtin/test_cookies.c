/* SPDX-License-Identifier: MIT */
/* cookies: the slot. Signed ones need libcrypto: tests/unit/component/test_crypto.c. */
#include "builtin_fixture.h"

#include <stdio.h>

#include <catzilla/builtin/cookies.h>

struct seen {
    cmw_slot slot;
    char all[512]; /* "a=1|b=2|" */
    char found[64];
    int signed_rc, set_rc;
    int asks;
};

static int look(void *self, cmw_ctx *ctx)
{
    struct seen *const seen = self;
    cmw_cookies *const cookies = cmw_ctx_slot(ctx, seen->slot);
    cmw_set_cookie set;
    size_t count, len = 0;
    cmw_str value;

    if (!cookies)
        return -1;
    if (seen->asks) {
        const cmw_cookie *const all = cmw_cookies_all(cookies, &count);
        for (size_t i = 0; i < count && len < sizeof seen->all; i++)
            len += (size_t)snprintf(seen->all + len, sizeof seen->all - len, "%.*s=%.*s|",
                                    (int)all[i].name.len, all[i].name.data, (int)all[i].value.len,
                                    all[i].value.data);
        const cmw_cookie *const a = cmw_cookies_find(cookies, CMW_STR("a"));
        snprintf(seen->found, sizeof seen->found, "%.*s", a ? (int)a->value.len : 4,
                 a ? a->value.data : "none");
        cmw_set_cookie_init(&set);
        set.name = CMW_STR("a");
        seen->signed_rc = cmw_cookies_find_signed(cookies, &value, CMW_STR("a"));
        seen->set_rc = cmw_cookies_set_signed(cookies, &set);
    }
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok"));
}

static cmw_test *open_kept(const cmw_cookies_config *config, struct seen *seen)
{
    cmw_test *const test = open_bench("cookies", config);

    memset(seen, 0, sizeof *seen);
    seen->asks = 1;
    seen->slot = cmw_slot_find(cmw_test_engine(test), "cookies");
    cmw_test_set_handler(test, look, seen);
    cmw_test_request(test, "GET", "/");
    return test;
}

static void all_fields_are_read(void **state)
{
    struct seen seen;
    cmw_test *const test = open_kept(NULL, &seen);

    (void)state;
    cmw_test_header(test, "Cookie", "b=2; a=1");
    cmw_test_header(test, "Cookie", "a=3");
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(seen.all, "b=2|a=1|a=3|");
    assert_string_equal(seen.found, "1");
    assert_int_equal(seen.signed_rc, CMW_ERR_UNSUPPORTED);
    assert_int_equal(seen.set_rc, CMW_ERR_UNSUPPORTED);
    assert_null(cmw_test_response_field(test, "Set-Cookie"));
    assert_no_allocation(test);
    close_bench(test);
}

static void without_a_field_there_are_none(void **state)
{
    struct seen seen;
    cmw_test *const test = open_kept(NULL, &seen);

    (void)state;
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(seen.all, "");
    assert_string_equal(seen.found, "none");
    close_bench(test);
}

/* More than the first piece of memory holds, and one more each time. */
static void however_many_there_are(void **state)
{
    char field[8192];
    size_t len = 0;

    (void)state;
    for (unsigned count = 1; count <= 600; count++) {
        len += (size_t)snprintf(field + len, sizeof field - len, "%sk%u=%u", count > 1 ? ";" : "",
                                count, count);
        if (count % 15 > 2)
            continue;
        struct seen seen;
        cmw_test *const test = open_kept(NULL, &seen);
        seen.asks = 0;
        cmw_test_header(test, "Cookie", field);
        assert_int_equal(cmw_test_send(test), 200);
        seen.asks = 1;
        assert_int_equal(cmw_test_send(test), 200);
        assert_string_equal(seen.found, "none");
        assert_int_equal(strncmp(seen.all, "k1=1|", 5), 0);
        close_bench(test);
    }
}

/* ---- What strangers can make it cost ---------------------------------------------------- */

/* Codes that count themselves: of a byte of the key, the value's length and nothing else. */
static unsigned codes;

static int prepare(void *key, cmw_str secret)
{
    *(char *)key = secret.data[0];
    return 0;
}

static void count_code(const void *key, unsigned char mac[CMW_MAC_LEN], const cmw_str *parts,
                       size_t part_count)
{
    codes++;
    memset(mac, *(const char *)key, CMW_MAC_LEN);
    for (size_t i = 0; i < part_count; i++)
        mac[0] = (unsigned char)(mac[0] ^ parts[i].len);
}

static void wipe(void *key)
{
    *(char *)key = 0;
}

static const cmw_mac_provider counting = {sizeof counting, 1, prepare, count_code, wipe};

struct hunt {
    cmw_slot slot;
    char value[32];
    int rc;
};

static int find_signed(void *self, cmw_ctx *ctx)
{
    struct hunt *const hunt = self;
    cmw_cookies *const cookies = cmw_ctx_slot(ctx, hunt->slot);
    cmw_str value = CMW_STR("");

    hunt->rc = cmw_cookies_find_signed(cookies, &value, CMW_STR("sid"));
    snprintf(hunt->value, sizeof hunt->value, "%.*s", (int)value.len, value.data);
    return cmw_response_text(cmw_ctx_response(ctx), 200, CMW_STR("ok"));
}

/* A bench with a chain of signed cookies by so many keys. */
static cmw_test *open_signed(struct hunt *hunt, size_t keys)
{
    static const char *const secrets[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i",
                                          "j", "k", "l", "m", "n", "o", "p", "q"};
    const cmw_cookies_signed signing = {.secrets = secrets, .secret_count = keys};
    cmw_cookies_config config;
    cmw_engine_config engine;
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_diag diag = {0};

    cmw_engine_config_init(&engine);
    engine.limits.header_bytes = 16 << 20;
    engine.limits.memory_bytes = 16 << 20;
    assert_int_equal(cmw_test_create(&test, &engine), 0);
    assert_int_equal(cmw_engine_set_mac_provider(cmw_test_engine(test), &counting), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    cmw_cookies_config_init(&config);
    config.signing = &signing;
    if (cmw_chain_use(chain, "cookies", &config, &diag) != 0)
        fail_msg("%s", diag.message);
    if (cmw_chain_install(chain, &diag) != 0)
        fail_msg("%s", diag.message);
    cmw_chain_destroy(chain);
    memset(hunt, 0, sizeof *hunt);
    hunt->slot = cmw_slot_find(cmw_test_engine(test), "cookies");
    cmw_test_set_handler(test, find_signed, hunt);
    return test;
}

/* A code that nobody made, and one that key "b" has made of "sid=good". */
#define FORGED "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void write_good(char *to, size_t cap)
{
    unsigned char mac[CMW_MAC_LEN];
    char digits[44];
    size_t len;

    memset(mac, 'b', sizeof mac);
    mac[0] ^= 3 ^ 1 ^ 4;
    assert_int_equal(cmw_base64_encode(&len, digits, sizeof digits,
                                       cmw_str_make((const char *)mac, sizeof mac),
                                       CMW_BASE64_UNPADDED | CMW_BASE64_URL),
                     0);
    snprintf(to, cap, "sid=good.%.*s", (int)len, digits);
}

/* Ten thousand cookies of the name, then the good one: the codes are counted, not the time. */
static void however_many_are_forged_few_are_verified(void **state)
{
    enum { FORGED_COUNT = 10000 };
    static char field[FORGED_COUNT * (sizeof "sid=x." FORGED ";") + 256];

    (void)state;
    for (size_t keys = 2; keys <= CMW_KEY_RING_KEYS_MAX; keys += CMW_KEY_RING_KEYS_MAX - 2) {
        struct hunt hunt;
        size_t len = 0;
        cmw_test *const test = open_signed(&hunt, keys);
        for (unsigned i = 0; i < FORGED_COUNT; i++)
            len += (size_t)snprintf(field + len, sizeof field - len, "sid=x." FORGED ";");
        write_good(field + len, sizeof field - len);
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "Cookie", field);
        codes = 0;
        assert_int_equal(cmw_test_send(test), 200);
        assert_int_equal(hunt.rc, CMW_ERR_NOT_FOUND);
        assert_int_equal(codes, CMW_COOKIE_SIGNED_TRIES * keys);
        close_bench(test);
    }
}

/* Other names, other forms and what is too long are no tries; nor is a good one missed for them. */
static void what_cannot_be_good_costs_no_code(void **state)
{
    static char field[400000];
    struct hunt hunt;
    size_t len = 0;

    (void)state;
    cmw_test *const test = open_signed(&hunt, 2);
    for (unsigned i = 0; i < 1000; i++)
        len += (size_t)snprintf(field + len, sizeof field - len,
                                "sid2=x." FORGED ";sid=x;sid=." FORGED "A;sid=x.%042d!;sid=;", 0);
    len += (size_t)snprintf(field + len, sizeof field - len, "sid=%04100d." FORGED ";", 0);
    for (unsigned i = 1; i < CMW_COOKIE_SIGNED_TRIES; i++)
        len += (size_t)snprintf(field + len, sizeof field - len, "sid=x." FORGED ";");
    write_good(field + len, sizeof field - len);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Cookie", field);
    codes = 0;
    assert_int_equal(cmw_test_send(test), 200);
    assert_int_equal(hunt.rc, 0);
    assert_string_equal(hunt.value, "good");
    assert_int_equal(codes, CMW_COOKIE_SIGNED_TRIES * 2);
    close_bench(test);
}

static void a_ring_has_so_many_keys_at_most(void **state)
{
    static const char *const secrets[CMW_KEY_RING_KEYS_MAX + 1] = {
        "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q"};
    const cmw_cookies_signed signing = {.secrets = secrets, .secret_count = LEN(secrets)};
    cmw_cookies_config config;
    cmw_middleware mw;
    cmw_test *test = NULL;
    cmw_diag diag = {0};

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_engine_set_mac_provider(cmw_test_engine(test), &counting), 0);
    cmw_cookies_config_init(&config);
    config.signing = &signing;
    cmw_middleware_init(&mw);
    assert_int_equal(cmw_cookies_create(cmw_test_engine(test), &mw, &config, &diag), CMW_ERR_ARG);
    assert_string_equal(diag.message, "cookies: signed: secrets: 17 secrets are more than 16");
    assert_int_equal(cmw_test_destroy(test), 0);
}

static void nothing_is_read_where_nobody_wants_it(void **state)
{
    cmw_cookies_config config;
    struct seen seen;

    (void)state;
    cmw_cookies_config_init(&config);
    config.parse = 0;
    cmw_test *const test = open_kept(&config, &seen);
    cmw_test_header(test, "Cookie", "a=1");
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(seen.all, "");
    close_bench(test);
}

static void configs_that_cannot_sign_are_refused(void **state)
{
    static const char *const secrets[] = {"luna"};
    const cmw_cookies_signed signing = {.secrets = secrets, .secret_count = 1};
    const cmw_cookies_signed odd = {.secrets = secrets, .secret_count = 1, .format = 2};
    cmw_cookies_config config;

    (void)state;
    cmw_cookies_config_init(&config);
    config.signing = &signing;
    assert_refused("cookies", &config, CMW_ERR_UNSUPPORTED,
                   "cookies: signed: secrets: the engine knows nobody who makes codes: call "
                   "cmw_crypto_install (libcatzilla-mw-crypto)");
    config.signing = &odd;
    assert_refused("cookies", &config, CMW_ERR_ARG,
                   "cookies: signed: format: there is none with number 2");
}

static void failing_memory_is_survived(void **state)
{
    (void)state;
    assert_survives_failing_memory("cookies", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_fields_are_read),
        cmocka_unit_test(without_a_field_there_are_none),
        cmocka_unit_test(however_many_there_are),
        cmocka_unit_test(nothing_is_read_where_nobody_wants_it),
        cmocka_unit_test(however_many_are_forged_few_are_verified),
        cmocka_unit_test(what_cannot_be_good_costs_no_code),
        cmocka_unit_test(a_ring_has_so_many_keys_at_most),
        cmocka_unit_test(configs_that_cannot_sign_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    return cmocka_run_group_tests_name("cookies", tests, NULL, NULL);
}
