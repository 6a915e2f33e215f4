/* SPDX-License-Identifier: MIT */
/* api_key: where a key may stand, and which ones pass. */
#include "auth_fixture.h"

#include <catzilla/builtin/api_key.h>

static const cmw_option_text keys[] = {{"shop", "k-1"}, {"shop", "k-2"}, {"bot", "key of a bot"}};
static const char *const two_fields[] = {"X-API-Key", "X-Own-Key"};

static cmw_api_key_config usual(void)
{
    cmw_api_key_config config;

    cmw_api_key_config_init(&config);
    config.keys = keys;
    config.key_count = LEN(keys);
    config.headers = two_fields;
    config.header_count = LEN(two_fields);
    return config;
}

static const char challenge[] = "ApiKey realm=\"restricted\"";

struct row {
    const char *name;
    const char *target;
    const char *fields[2][2];
    const char *query; /* the option */
    int status;
    const char *known;
};

static const struct row rows[] = {
    {"a key", "/", {{"X-API-Key", "k-1"}}, NULL, 200, "api_key:shop"},
    {"the newer key", "/", {{"X-API-Key", "k-2"}}, NULL, 200, "api_key:shop"},
    {"in any case of the name", "/", {{"x-api-KEY", "k-1"}}, NULL, 200, "api_key:shop"},
    {"a key with blanks", "/", {{"X-API-Key", "key of a bot"}}, NULL, 200, "api_key:bot"},
    {"in another field", "/", {{"x-own-key", "k-1"}}, NULL, 200, "api_key:shop"},

    {"no key", "/", {{NULL}}, NULL, 401, NULL},
    {"an unknown key", "/", {{"X-API-Key", "k-3"}}, NULL, 401, NULL},
    {"an empty key", "/", {{"X-API-Key", ""}}, NULL, 401, NULL},
    {"a beginning of a key", "/", {{"X-API-Key", "k-"}}, NULL, 401, NULL},
    {"a key in another case", "/", {{"X-API-Key", "K-1"}}, NULL, 401, NULL},
    {"an id for a key", "/", {{"X-API-Key", "shop"}}, NULL, 401, NULL},
    {"a key with a control byte", "/", {{"X-API-Key", "k-1\x01"}}, NULL, 401, NULL},
    {"a key of other bytes", "/", {{"X-API-Key", "\xc3\xa9"}}, NULL, 401, NULL},
    {"a list of keys", "/", {{"X-API-Key", "k-1, k-2"}}, NULL, 401, NULL},
    {"in a field that is not asked", "/", {{"X-Key", "k-1"}}, NULL, 401, NULL},
    {"in an alias of the field", "/", {{"X_API_Key", "k-1"}}, NULL, 401, NULL},
    {"in Authorization", "/", {{"Authorization", "ApiKey k-1"}}, NULL, 401, NULL},
    {"the field twice", "/", {{"X-API-Key", "k-1"}, {"X-API-Key", "k-1"}}, NULL, 400, NULL},
    {"a named field twice", "/", {{"X-Own-Key", "k-1"}, {"x-own-key", "k-1"}}, NULL, 400, NULL},
    {"in two fields", "/", {{"X-API-Key", "k-1"}, {"X-Own-Key", "k-1"}}, NULL, 400, NULL},

    {"in the query, which is off", "/?api_key=k-1", {{NULL}}, NULL, 401, NULL},
    {"in the query, which is on", "/?api_key=k-1", {{NULL}}, "api_key", 200, "api_key:shop"},
    {"decoded", "/?api_key=key+of%20a+bot", {{NULL}}, "api_key", 200, "api_key:bot"},
    {"in a query of another name", "/?key=k-1", {{NULL}}, "api_key", 401, NULL},
    {"an unknown key in the query", "/?api_key=k-3", {{NULL}}, "api_key", 401, NULL},
    {"a broken escape", "/?api_key=k-%3", {{NULL}}, "api_key", 401, NULL},
    {"an escaped line end", "/?api_key=k-1%0a", {{NULL}}, "api_key", 401, NULL},
    {"in the query twice", "/?api_key=k-1&api_key=k-1", {{NULL}}, "api_key", 400, NULL},
    {"in both", "/?api_key=k-1", {{"X-API-Key", "k-1"}}, "api_key", 400, NULL},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    cmw_api_key_config config = usual();

    config.query = row->query;
    cmw_test *test = open_auth("api_key", &config);
    cmw_test_request(test, "GET", row->target);
    for (size_t i = 0; i < 2 && row->fields[i][0]; i++)
        cmw_test_header(test, row->fields[i][0], row->fields[i][1]);
    if (row->known)
        assert_known(test, row->known);
    else
        assert_challenged(test, row->status, challenge);
    assert_no_allocation(test);
    close_bench(test);
}

static void the_usual_field_is_x_api_key(void **state)
{
    cmw_api_key_config config = usual();

    (void)state;
    config.headers = NULL;
    config.realm = "a \"b\"";
    cmw_test *test = open_auth("api_key", &config);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "X-API-Key", "k-1");
    assert_known(test, "api_key:shop");
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "X-Own-Key", "k-1");
    assert_challenged(test, 401, "ApiKey realm=\"a \\\"b\\\"\"");
    close_bench(test);
}

static void over_long_keys_are_refused(void **state)
{
    const cmw_api_key_config config = usual();
    cmw_test *test = open_auth("api_key", &config);
    char *key = long_text("", 'k', 30000);

    (void)state;
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "X-API-Key", key);
    assert_challenged(test, 401, challenge);
    assert_no_allocation(test);
    free(key);
    close_bench(test);
}

static void stripped_keys_are_gone_for_the_handler(void **state)
{
    cmw_api_key_config config = usual();

    (void)state;
    for (config.strip = 0; config.strip <= 1; config.strip++) {
        cmw_test *test = open_bench("api_key", &config);
        cmw_test_set_handler(test, tell_authorization, (void *)(uintptr_t) "X-Own-Key");
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "X-Own-Key", "k-1");
        assert_known(test, config.strip ? "gone" : "k-1");
        close_bench(test);
    }
}

static void a_verifier_decides(void **state)
{
    static const int answers[][2] = {
        {CMW_VERIFY_ADMITTED, 200}, {CMW_VERIFY_REFUSED, 401}, {CMW_VERIFY_FAULT, 500}};
    int answer = 0;
    cmw_api_key_config config;

    (void)state;
    cmw_api_key_config_init(&config);
    config.verify = say;
    config.verify_self = &answer;
    cmw_test *test = open_auth("api_key", &config);
    for (size_t i = 0; i < LEN(answers); i++) {
        answer = answers[i][0];
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "X-API-Key", "anything");
        assert_int_equal(cmw_test_send(test), answers[i][1]);
        assert_no_allocation(test);
    }
    close_bench(test);
}

static void configs_that_are_unsafe_are_refused(void **state)
{
    static const char *const no_name[] = {"X-API-Key", "X Key"};
    static const char *const twice[] = {"X-API-Key", "x-api-key"};
    static const cmw_option_text same[] = {{"a", "k"}, {"b", "k"}};
    static const cmw_option_text blank[] = {{"a", "k "}};
    static const cmw_option_text empty[] = {{"a", ""}};
    static const cmw_option_text control[] = {{"a", "k\n"}};
    cmw_api_key_config config = usual();

    (void)state;
    assert_refused("api_key", NULL, CMW_ERR_ARG, "api_key: no secret is given: nobody could pass");
    config.headers = no_name;
    assert_refused("api_key", &config, CMW_ERR_INVALID,
                   "api_key: header: 'X Key' is no field name");
    config.headers = twice;
    assert_refused("api_key", &config, CMW_ERR_EXISTS, "api_key: header: 'x-api-key' stands twice");
    config.header_count = 0;
    assert_refused("api_key", &config, CMW_ERR_ARG,
                   "api_key: header: the list names none, nor does query");
    config = usual();
    config.query = "a&b";
    assert_refused("api_key", &config, CMW_ERR_INVALID,
                   "api_key: query: 'a&b' cannot be a parameter's name");
    config.query = "";
    assert_refused("api_key", &config, CMW_ERR_INVALID,
                   "api_key: query: '' cannot be a parameter's name");
    config.query = "key";
    config.strip = 1;
    assert_refused("api_key", &config, CMW_ERR_CONFLICT,
                   "api_key: strip: a key in the query (query) cannot be removed");
    config = usual();
    config.keys = same;
    config.key_count = 2;
    assert_refused("api_key", &config, CMW_ERR_EXISTS, "api_key: 'b' has the secret of 'a'");
    config.key_count = 1;
    config.keys = blank;
    assert_refused("api_key", &config, CMW_ERR_INVALID,
                   "api_key: 'a' has a key that no header field can hold");
    config.keys = control;
    assert_refused("api_key", &config, CMW_ERR_INVALID,
                   "api_key: 'a' has a key that no header field can hold");
    config.keys = empty;
    assert_refused("api_key", &config, CMW_ERR_INVALID, "api_key: 'a' has an empty secret");
}

static void failing_memory_is_survived(void **state)
{
    const cmw_api_key_config config = usual();

    (void)state;
    assert_survives_failing_memory("api_key", &config);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(the_usual_field_is_x_api_key),
        cmocka_unit_test(over_long_keys_are_refused),
        cmocka_unit_test(stripped_keys_are_gone_for_the_handler),
        cmocka_unit_test(a_verifier_decides),
        cmocka_unit_test(configs_that_are_unsafe_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    return cmocka_run_group_tests_name("api_key", tests, NULL, NULL) |
           cmocka_run_group_tests_name("api_key: the rest", others, NULL, NULL);
}
