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
        cmocka_unit_test(configs_that_cannot_sign_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    return cmocka_run_group_tests_name("cookies", tests, NULL, NULL);
}
