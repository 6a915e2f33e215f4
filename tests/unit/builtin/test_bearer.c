/* SPDX-License-Identifier: MIT */
/* bearer: which tokens pass, and which of the four challenges is the answer. */
#include "auth_fixture.h"

#include <catzilla/builtin/bearer.h>

static const char *const tokens[] = {"mF_9.B5f-4.1JqM", "abc", "AbCdEf0123-._~+/==", "x="};
static const cmw_option_text clients[] = {{"shop", "s3cret"}};
static const char *const read_scope[] = {"read"};
static const char *const both_scopes[] = {"write", "read"};
static const cmw_secret_entry entries[] = {
    {.id = "reader", .secret = "r", .scopes = read_scope, .scope_count = 1},
    {.id = "writer", .secret = "w", .scopes = both_scopes, .scope_count = 2},
};

static cmw_bearer_config usual(void)
{
    cmw_bearer_config config;

    cmw_bearer_config_init(&config);
    config.realm = "example";
    config.tokens = tokens;
    config.token_count = LEN(tokens);
    config.clients = clients;
    config.client_count = LEN(clients);
    config.entries = entries;
    config.entry_count = LEN(entries);
    return config;
}

#define BEGIN "Bearer realm=\"example\""
static const char missing[] = BEGIN;
static const char invalid_request[] = BEGIN ", error=\"invalid_request\"";
static const char invalid_token[] = BEGIN ", error=\"invalid_token\"";

/* ---- Fields ----------------------------------------------------------------------------- */

struct row {
    const char *name;
    const char *field; /* NULL: none */
    int status;
    const char *says; /* the principal, or the challenge */
};

static const struct row rows[] = {
    {"a token", "Bearer mF_9.B5f-4.1JqM", 200, "bearer:token-1"},
    {"another token", "Bearer abc", 200, "bearer:token-2"},
    {"every character of a token", "Bearer AbCdEf0123-._~+/==", 200, "bearer:token-3"},
    {"a token with a pad", "Bearer x=", 200, "bearer:token-4"},
    {"a token with an id", "Bearer s3cret", 200, "bearer:shop"},
    {"a token with scopes", "Bearer r", 200, "bearer:reader"},
    {"the scheme in any case", "bEaReR abc", 200, "bearer:token-2"},
    {"several blanks", "Bearer   abc", 200, "bearer:token-2"},

    {"nothing", NULL, 401, missing},
    {"an empty field", "", 401, missing},
    {"the scheme alone", "Bearer", 401, missing},
    {"the scheme and a blank", "Bearer ", 401, missing},
    {"another scheme", "Basic abc", 401, missing},
    {"another scheme with parameters", "MAC id=\"abc\"", 401, missing},
    {"no blank", "Bearerabc", 401, missing},
    {"a longer scheme", "Bearerx abc", 401, missing},
    {"a tab for the blank", "Bearer\tabc", 401, missing},
    {"the token alone", "abc", 401, missing},

    {"an unknown token", "Bearer abd", 401, invalid_token},
    {"a beginning of a token", "Bearer a", 401, invalid_token},
    {"a pad more", "Bearer abc=", 401, invalid_token},
    {"a pad less", "Bearer x", 401, invalid_token},
    {"a token in another case", "Bearer ABC", 401, invalid_token},
    {"an id for a token", "Bearer shop", 401, invalid_token},

    {"two tokens", "Bearer abc abc", 400, invalid_request},
    {"a blank behind", "Bearer abc ", 400, invalid_request},
    {"quotes", "Bearer \"abc\"", 400, invalid_request},
    {"a comma before", "Bearer ,abc", 400, invalid_request},
    {"a comma behind", "Bearer abc,", 400, invalid_request},
    {"a parameter", "Bearer token=abc", 400, invalid_request},
    {"a semicolon", "Bearer abc;", 400, invalid_request},
    {"a pad before", "Bearer =abc", 400, invalid_request},
    {"a pad inside", "Bearer ab=c", 400, invalid_request},
    {"a pad alone", "Bearer =", 400, invalid_request},
    {"braces", "Bearer {abc}", 400, invalid_request},
    {"the scheme twice", "Bearer Bearer abc", 400, invalid_request},
    {"a control byte", "Bearer abc\x01", 400, invalid_request},
    {"bytes above ASCII", "Bearer \xc3\xa9", 400, invalid_request},
};

static void check_row(void **state)
{
    const struct row *row = *state;
    const cmw_bearer_config config = usual();
    cmw_test *test = open_auth("bearer", &config);

    cmw_test_request(test, "POST", "/b?access_token=abc");
    if (row->field)
        cmw_test_header(test, "authorization", row->field);
    if (row->status == 200)
        assert_known(test, row->says);
    else
        assert_challenged(test, row->status, row->says);
    assert_no_allocation(test);
    close_bench(test);
}

static void two_fields_are_a_bad_request(void **state)
{
    const cmw_bearer_config config = usual();
    cmw_test *test = open_auth("bearer", &config);

    (void)state;
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Bearer abc");
    cmw_test_header(test, "Authorization", "Bearer abc");
    assert_challenged(test, 400, invalid_request);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Basic abc");
    cmw_test_header(test, "Authorization", "Bearer abc");
    assert_challenged(test, 400, invalid_request);
    close_bench(test);
}

static void a_body_is_not_looked_at(void **state)
{
    const cmw_bearer_config config = usual();
    cmw_test *test = open_auth("bearer", &config);

    (void)state;
    cmw_test_request(test, "POST", "/");
    cmw_test_header(test, "Content-Type", "application/x-www-form-urlencoded");
    cmw_test_body(test, CMW_STR("access_token=abc"));
    assert_challenged(test, 401, missing);
    close_bench(test);
}

static void over_long_tokens_are_not_known(void **state)
{
    const cmw_bearer_config config = usual();
    cmw_test *test = open_auth("bearer", &config);
    char *token = long_text("Bearer ", 'a', 30000);
    char *commas = long_text("Bearer ", ',', 30000);

    (void)state;
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", token);
    assert_challenged(test, 401, invalid_token);
    assert_no_allocation(test);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", commas);
    assert_challenged(test, 400, invalid_request);
    assert_no_allocation(test);
    free(commas);
    free(token);
    close_bench(test);
}

/* ---- Scopes ----------------------------------------------------------------------------- */

static void a_token_needs_each_required_scope(void **state)
{
    cmw_bearer_config config = usual();

    (void)state;
    config.required_scopes = both_scopes;
    config.required_scope_count = 2;
    cmw_test *test = open_auth("bearer", &config);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Bearer w");
    assert_known(test, "bearer:writer");
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Bearer r");
    assert_challenged(test, 403, BEGIN ", error=\"insufficient_scope\", scope=\"write read\"");
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Bearer abc");
    assert_challenged(test, 403, BEGIN ", error=\"insufficient_scope\", scope=\"write read\"");
    close_bench(test);
}

/* ---- The query -------------------------------------------------------------------------- */

struct query_row {
    const char *name;
    const char *target;
    const char *field; /* or NULL */
    int status;
    const char *says;
};

static const struct query_row query_rows[] = {
    {"a token in the query", "/?access_token=abc", NULL, 200, "bearer:token-2"},
    {"among others", "/?a=b&access_token=abc&c", NULL, 200, "bearer:token-2"},
    {"percent-encoded", "/?access_token=x%3D", NULL, 200, "bearer:token-4"},
    {"an encoded plus", "/?access_token=AbCdEf0123-._~%2B/==", NULL, 200, "bearer:token-3"},
    {"the field goes on", "/?a=b", "Bearer abc", 200, "bearer:token-2"},
    {"a plus is a blank", "/?access_token=AbCdEf0123-._~+/==", NULL, 400, invalid_request},
    {"none at all", "/?token=abc", NULL, 401, missing},
    {"another scheme beside it", "/?access_token=abc", "Basic abc", 200, "bearer:token-2"},
    {"an unknown one", "/?access_token=abd", NULL, 401, invalid_token},
    {"an empty one", "/?access_token=", NULL, 400, invalid_request},
    {"a broken escape", "/?access_token=ab%6", NULL, 400, invalid_request},
    {"an escaped NUL", "/?access_token=abc%00", NULL, 400, invalid_request},
    {"two of them", "/?access_token=abc&access_token=abc", NULL, 400, invalid_request},
    {"one in the field too", "/?access_token=abc", "Bearer abc", 400, invalid_request},
};

static void check_query(void **state)
{
    const struct query_row *row = *state;
    cmw_bearer_config config = usual();

    config.query = 1;
    cmw_test *test = open_auth("bearer", &config);
    cmw_test_request(test, "GET", row->target);
    if (row->field)
        cmw_test_header(test, "Authorization", row->field);
    if (row->status == 200)
        assert_known(test, row->says);
    else
        assert_challenged(test, row->status, row->says);
    if (row->status == 200 && strstr(row->target, "access_token"))
        assert_string_equal(cmw_test_response_field(test, "Cache-Control"), "private");
    assert_no_allocation(test);
    close_bench(test);
}

/* ---- Options ---------------------------------------------------------------------------- */

static void stripped_tokens_are_gone_for_the_handler(void **state)
{
    cmw_bearer_config config = usual();

    (void)state;
    for (config.strip = 0; config.strip <= 1; config.strip++) {
        cmw_test *test = open_bench("bearer", &config);
        cmw_test_set_handler(test, tell_authorization, (void *)(uintptr_t) "Authorization");
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "Authorization", "Bearer abc");
        assert_known(test, config.strip ? "gone" : "Bearer abc");
        close_bench(test);
    }
}

static void an_optional_one_lets_strangers_pass(void **state)
{
    cmw_bearer_config config = usual();

    (void)state;
    config.optional = 1;
    cmw_test *test = open_auth("bearer", &config);
    cmw_test_request(test, "GET", "/");
    assert_known(test, "nobody");
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Bearer abd");
    assert_challenged(test, 401, invalid_token);
    close_bench(test);
}

static void a_verifier_decides(void **state)
{
    static const int answers[][2] = {
        {CMW_VERIFY_ADMITTED, 200}, {CMW_VERIFY_REFUSED, 401}, {CMW_VERIFY_FAULT, 500}, {-1, 500}};
    int answer = 0;
    cmw_bearer_config config;

    (void)state;
    cmw_bearer_config_init(&config);
    config.verify = say;
    config.verify_self = &answer;
    cmw_test *test = open_auth("bearer", &config);
    for (size_t i = 0; i < LEN(answers); i++) {
        answer = answers[i][0];
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "Authorization", "Bearer abc");
        assert_int_equal(cmw_test_send(test), answers[i][1]);
        if (answer == CMW_VERIFY_ADMITTED)
            assert_string_equal(cmw_test_response_body(test).data, "bearer:made up");
        assert_no_allocation(test);
    }
    answer = CMW_VERIFY_ADMITTED; /* what is no token does not even reach it */
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Bearer a b");
    assert_challenged(test, 400, "Bearer realm=\"restricted\", error=\"invalid_request\"");
    close_bench(test);
}

/* ---- What is refused when it is configured ---------------------------------------------- */

static void configs_that_are_unsafe_are_refused(void **state)
{
    static const char *const bad[] = {"abc", "a b"};
    static const char *const empty[] = {""};
    static const char *const twice[] = {"abc", "abc"};
    static const char *const no_scope[] = {"a\"b"};
    int answer = 0;
    cmw_bearer_config config;

    (void)state;
    assert_refused("bearer", NULL, CMW_ERR_ARG, "bearer: no secret is given: nobody could pass");
    cmw_bearer_config_init(&config);
    config.tokens = bad;
    config.token_count = 2;
    assert_refused("bearer", &config, CMW_ERR_INVALID,
                   "bearer: 'token-2' has a token that is none (letters, digits, -._~+/ and = at "
                   "its end)");
    config.tokens = empty;
    config.token_count = 1;
    assert_refused("bearer", &config, CMW_ERR_INVALID,
                   "bearer: 'token-1' has a token that is none (letters, digits, -._~+/ and = at "
                   "its end)");
    config.tokens = twice;
    config.token_count = 2;
    assert_refused("bearer", &config, CMW_ERR_EXISTS,
                   "bearer: 'token-2' has the secret of 'token-1'");
    config = usual();
    config.required_scopes = no_scope;
    config.required_scope_count = 1;
    assert_refused("bearer", &config, CMW_ERR_INVALID,
                   "bearer: required_scopes: 'a\"b' is no scope");
    config = usual();
    config.query = config.strip = 1;
    assert_refused("bearer", &config, CMW_ERR_CONFLICT,
                   "bearer: strip: a token in the query (query) cannot be removed");
    config = usual();
    config.realm = "\n";
    assert_refused("bearer", &config, CMW_ERR_INVALID, "bearer: realm: '\n' has a control byte");
    config = usual();
    config.verify = say;
    config.verify_self = &answer;
    assert_refused("bearer", &config, CMW_ERR_CONFLICT,
                   "bearer: verify: there are secrets in the options too, and only one can decide");
}

static void failing_memory_is_survived(void **state)
{
    const cmw_bearer_config config = usual();

    (void)state;
    assert_survives_failing_memory("bearer", &config);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)], queries[LEN(query_rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(two_fields_are_a_bad_request),
        cmocka_unit_test(a_body_is_not_looked_at),
        cmocka_unit_test(over_long_tokens_are_not_known),
        cmocka_unit_test(a_token_needs_each_required_scope),
        cmocka_unit_test(stripped_tokens_are_gone_for_the_handler),
        cmocka_unit_test(an_optional_one_lets_strangers_pass),
        cmocka_unit_test(a_verifier_decides),
        cmocka_unit_test(configs_that_are_unsafe_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    for (size_t i = 0; i < LEN(query_rows); i++)
        queries[i] = ROW_TEST(&query_rows[i], check_query);
    return cmocka_run_group_tests_name("bearer", tests, NULL, NULL) |
           cmocka_run_group_tests_name("bearer: the query", queries, NULL, NULL) |
           cmocka_run_group_tests_name("bearer: the rest", others, NULL, NULL);
}
