/* SPDX-License-Identifier: MIT */
/* basic_auth: who passes, what is refused, with which challenge. */
#include "auth_fixture.h"

#include <catzilla/builtin/basic_auth.h>

#define X250                                                                                       \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxxx"                                                                                    \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" \
    "xxxxxxxxx"                                                                                    \
    "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"

static const cmw_option_text users[] = {
    {"Aladdin", "open sesame"},    {"test", "123\xc2\xa3"}, {"empty", ""},   {"alice", "p:a:s:s"},
    {"b\xc3\xa9", "\xe2\x9c\x93"}, {"UPPER", "Case"},       {"", "no name"}, {"long", X250},
    {"space", " lead trail "},
};

static const char *const roles[] = {"admin"};
static const cmw_secret_entry entries[] = {
    {.id = "root", .secret = "toor", .roles = roles, .role_count = 1},
};

static cmw_basic_auth_config usual(void)
{
    cmw_basic_auth_config config;

    cmw_basic_auth_config_init(&config);
    config.realm = "WallyWorld";
    config.charset = "utf-8";
    config.users = users;
    config.user_count = LEN(users);
    config.entries = entries;
    config.entry_count = 1;
    return config;
}

#define CHALLENGE "Basic realm=\"WallyWorld\", charset=\"UTF-8\""

/* ---- Credentials ------------------------------------------------------------------------ */

struct row {
    const char *name;
    const char *scheme;
    cmw_str credentials; /* in the clear; put into base64 */
    const char *tail;    /* behind the base64 */
    const char *known;   /* NULL: 401 */
};

#define S(literal) CMW_STR_INIT(literal)

static const struct row rows[] = {
    {"name and password", "Basic ", S("Aladdin:open sesame"), "", "basic:Aladdin"},
    {"the scheme in upper case", "BASIC ", S("Aladdin:open sesame"), "", "basic:Aladdin"},
    {"the scheme in any case", "bAsIc ", S("Aladdin:open sesame"), "", "basic:Aladdin"},
    {"several blanks", "Basic    ", S("Aladdin:open sesame"), "", "basic:Aladdin"},
    {"a password in UTF-8", "Basic ", S("test:123\xc2\xa3"), "", "basic:test"},
    {"a name in UTF-8", "Basic ", S("b\xc3\xa9:\xe2\x9c\x93"), "", "basic:b\xc3\xa9"},
    {"an empty password", "Basic ", S("empty:"), "", "basic:empty"},
    {"an empty name", "Basic ", S(":no name"), "", "basic:"},
    {"colons in the password", "Basic ", S("alice:p:a:s:s"), "", "basic:alice"},
    {"blanks at both ends", "Basic ", S("space: lead trail "), "", "basic:space"},
    {"a long password", "Basic ", S("long:" X250), "", "basic:long"},
    {"a user with roles", "Basic ", S("root:toor"), "", "basic:root"},

    {"an unknown name", "Basic ", S("nobody:x"), "", NULL},
    {"a wrong password", "Basic ", S("Aladdin:close sesame"), "", NULL},
    {"the password of another", "Basic ", S("alice:open sesame"), "", NULL},
    {"a name in another case", "Basic ", S("aladdin:open sesame"), "", NULL},
    {"a password in another case", "Basic ", S("UPPER:case"), "", NULL},
    {"a password in Latin-1", "Basic ", S("test:123\xa3"), "", NULL},
    {"a beginning of the password", "Basic ", S("Aladdin:open"), "", NULL},
    {"a byte less of a long password", "Basic ", S("long:xxxx"), "", NULL},
    {"a byte more of a long password", "Basic ", S("long:" X250 "x"), "", NULL},
    {"a blank for an empty password", "Basic ", S("empty: "), "", NULL},
    {"no password where there is one", "Basic ", S("Aladdin:"), "", NULL},
    {"nothing but a colon", "Basic ", S(":"), "", NULL},
    {"no colon", "Basic ", S("Aladdin"), "", NULL},
    {"nothing at all", "Basic ", S(""), "", NULL},
    {"a NUL in the name", "Basic ", S("Aladdin\0:open sesame"), "", NULL},
    {"a NUL at the end", "Basic ", S("Aladdin:open sesame\0"), "", NULL},
    {"a line end in the password", "Basic ", S("Aladdin:open\r\nsesame"), "", NULL},
    {"a DEL in the name", "Basic ", S("Al\x7f:x"), "", NULL},

    {"a tab for the blank", "Basic\t", S("Aladdin:open sesame"), "", NULL},
    {"no blank", "Basic", S("Aladdin:open sesame"), "", NULL},
    {"a longer scheme", "Basicx ", S("Aladdin:open sesame"), "", NULL},
    {"another scheme", "Bearer ", S("Aladdin:open sesame"), "", NULL},
    {"something behind", "Basic ", S("Aladdin:open sesame"), " x=1", NULL},
    {"a blank behind", "Basic ", S("Aladdin:open sesame"), " ", NULL},
    {"a comma behind", "Basic ", S("Aladdin:open sesame"), ", Basic QTpi", NULL},
    {"a byte above ASCII behind", "Basic ", S("Aladdin:open sesame"), "\xc3\xa9", NULL},
};

/* scheme, base64, tail; free() it. */
static char *write_field(const struct row *row)
{
    char *text = malloc(2048);
    size_t at = strlen(row->scheme), len = 0;

    assert_non_null(text);
    memcpy(text, row->scheme, at);
    assert_int_equal(cmw_base64_encode(&len, text + at, 1024, row->credentials, 0), 0);
    memcpy(text + at + len, row->tail, strlen(row->tail) + 1);
    return text;
}

static void check_row(void **state)
{
    const struct row *row = *state;
    const cmw_basic_auth_config config = usual();
    cmw_test *test = open_auth("basic_auth", &config);
    char *field = write_field(row);

    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "aUTHORIZATION", field);
    if (row->known)
        assert_known(test, row->known);
    else
        assert_challenged(test, 401, CHALLENGE);
    assert_no_allocation(test);
    free(field);
    close_bench(test);
}

/* ---- Fields that hold no base64 --------------------------------------------------------- */

struct raw_row {
    const char *name;
    const char *field;
};

static const struct raw_row raw_rows[] = {
    {"the scheme alone", "Basic"},
    {"the scheme and a blank", "Basic "},
    {"no base64", "Basic !!!!"},
    {"a blank inside", "Basic QWxhZGRpbjpvcGVu IHNlc2FtZQ=="},
    {"missing pads", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ"},
    {"pads too many", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ====="},
    {"more behind the pads", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==QWxh"},
    {"stray bits", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZR=="},
    {"base64 of the other alphabet", "Basic w7_DvzrDv8O_"},
    {"quotes", "Basic \"QWxhZGRpbjpvcGVuIHNlc2FtZQ==\""},
    {"parameters", "Basic username=\"Aladdin\", password=\"open sesame\""},
    {"an empty field", ""},
    {"a blank field", " "},
    {"a comma", ","},
};

static void check_raw(void **state)
{
    const struct raw_row *row = *state;
    const cmw_basic_auth_config config = usual();
    cmw_test *test = open_auth("basic_auth", &config);

    cmw_test_request(test, "DELETE", "/");
    cmw_test_header(test, "Authorization", row->field);
    assert_challenged(test, 401, CHALLENGE);
    assert_no_allocation(test);
    close_bench(test);
}

static void nothing_is_challenged(void **state)
{
    const cmw_basic_auth_config config = usual();
    cmw_test *test = open_auth("basic_auth", &config);

    (void)state;
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Proxy-Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_challenged(test, 401, CHALLENGE);
    assert_string_equal(cmw_test_response_field(test, "Content-Type"), "application/problem+json");
    close_bench(test);
}

static void two_fields_are_refused(void **state)
{
    const cmw_basic_auth_config config = usual();
    cmw_test *test = open_auth("basic_auth", &config);

    (void)state;
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    cmw_test_header(test, "authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_challenged(test, 401, CHALLENGE);
    close_bench(test);
}

static void over_long_credentials_are_refused(void **state)
{
    const cmw_basic_auth_config config = usual();
    cmw_test *test = open_auth("basic_auth", &config);
    char *field = long_text("Basic ", 'A', 24000);

    (void)state;
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", field);
    assert_challenged(test, 401, CHALLENGE);
    assert_no_allocation(test);
    free(field);
    close_bench(test);
}

/* ---- Realms ----------------------------------------------------------------------------- */

static void a_realm_is_quoted(void **state)
{
    static const char *const realms[][2] = {
        {NULL, "Basic realm=\"restricted\""},
        {"", "Basic realm=\"\""},
        {"with space", "Basic realm=\"with space\""},
        {"quote\"inside", "Basic realm=\"quote\\\"inside\""},
        {"back\\slash", "Basic realm=\"back\\\\slash\""},
        {"caf\xc3\xa9", "Basic realm=\"caf\xc3\xa9\""},
    };

    (void)state;
    for (size_t i = 0; i < LEN(realms); i++) {
        cmw_basic_auth_config config = usual();
        config.realm = realms[i][0];
        config.charset = NULL;
        cmw_test *test = open_auth("basic_auth", &config);
        cmw_test_request(test, "GET", "/");
        assert_challenged(test, 401, realms[i][1]);
        close_bench(test);
    }
}

/* ---- Options ---------------------------------------------------------------------------- */

static void an_optional_one_lets_strangers_pass(void **state)
{
    cmw_basic_auth_config config = usual();

    (void)state;
    config.optional = 1;
    cmw_test *test = open_auth("basic_auth", &config);
    cmw_test_request(test, "GET", "/");
    assert_known(test, "nobody");
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Bearer abc");
    assert_known(test, "nobody");
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
    assert_known(test, "basic:Aladdin");
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Authorization", "Basic QWxhZGRpbjpjbG9zZQ==");
    assert_challenged(test, 401, CHALLENGE);
    close_bench(test);
}

static void stripped_credentials_are_gone_for_the_handler(void **state)
{
    cmw_basic_auth_config config = usual();

    (void)state;
    for (config.strip = 0; config.strip <= 1; config.strip++) {
        cmw_test *test = open_bench("basic_auth", &config);
        cmw_test_set_handler(test, tell_authorization, (void *)(uintptr_t) "Authorization");
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_known(test, config.strip ? "gone" : "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_no_allocation(test);
        close_bench(test);
    }
}

static void a_verifier_never_sees_what_cannot_be(void **state)
{
    static const char *const fields[] = {"Basic YQBiOmM=", "Basic YTpiDQo=", "Basic YTp/",
                                         "Basic YQ==",     "Basic !",        "Basic "};
    int answer = CMW_VERIFY_ADMITTED;
    cmw_basic_auth_config config;

    (void)state;
    cmw_basic_auth_config_init(&config);
    config.verify = say;
    config.verify_self = &answer;
    cmw_test *test = open_auth("basic_auth", &config);
    for (size_t i = 0; i < LEN(fields); i++) {
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "Authorization", fields[i]);
        assert_challenged(test, 401, "Basic realm=\"restricted\"");
    }
    close_bench(test);
}

static void a_verifier_decides(void **state)
{
    static const int answers[][2] = {{CMW_VERIFY_ADMITTED, 200},
                                     {CMW_VERIFY_REFUSED, 401},
                                     {CMW_VERIFY_FAULT, 500},
                                     {-1, 500},
                                     {17, 500}};
    int answer = 0;
    cmw_basic_auth_config config;

    (void)state;
    cmw_basic_auth_config_init(&config);
    config.verify = say;
    config.verify_self = &answer;
    cmw_test *test = open_auth("basic_auth", &config);
    for (size_t i = 0; i < LEN(answers); i++) {
        answer = answers[i][0];
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "Authorization", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert_int_equal(cmw_test_send(test), answers[i][1]);
        if (answer == CMW_VERIFY_ADMITTED)
            assert_string_equal(cmw_test_response_body(test).data, "basic:Aladdin");
        assert_no_allocation(test);
    }
    close_bench(test);
}

/* ---- What is refused when it is configured ---------------------------------------------- */

static void refuse_user(const char *id, const char *password, int code, const char *sentence)
{
    const cmw_option_text user = {id, password};
    cmw_basic_auth_config config;

    cmw_basic_auth_config_init(&config);
    config.users = &user;
    config.user_count = 1;
    assert_refused("basic_auth", &config, code, sentence);
}

static void users_that_cannot_be_are_refused(void **state)
{
    char *password = long_text("", 'x', CMW_BASIC_AUTH_CAP - 1);

    (void)state;
    refuse_user("a:b", "c", CMW_ERR_INVALID,
                "basic_auth: 'a:b' has a colon in the name, which Basic cannot tell from the "
                "password's");
    refuse_user("a", "c\td", CMW_ERR_INVALID, "basic_auth: 'a' has a control byte in the password");
    refuse_user("a\x01", "c", CMW_ERR_INVALID, "basic_auth: 'a\x01' has a control byte");
    refuse_user("a", NULL, CMW_ERR_INVALID, "basic_auth: 'a' has no secret");
    refuse_user("", "", CMW_ERR_INVALID, "basic_auth: '' has an empty secret");
    refuse_user("a", password, CMW_ERR_INVALID,
                "basic_auth: 'a' has a name and password of more than 1,023 bytes together");
    free(password);
}

static void configs_that_are_unsafe_are_refused(void **state)
{
    static const cmw_option_text twice[] = {{"a", "b"}, {"a", "c"}};
    int answer = 0;
    cmw_basic_auth_config config = usual();

    (void)state;
    assert_refused("basic_auth", NULL, CMW_ERR_ARG,
                   "basic_auth: no secret is given: nobody could pass");
    config.charset = "ISO-8859-1";
    assert_refused("basic_auth", &config, CMW_ERR_ARG,
                   "basic_auth: charset: 'ISO-8859-1' cannot be announced, only 'UTF-8'");
    config = usual();
    config.realm = "a\r\nSet-Cookie: x";
    assert_refused("basic_auth", &config, CMW_ERR_INVALID,
                   "basic_auth: realm: 'a\r\nSet-Cookie: x' has a control byte");
    config = usual();
    config.verify = say;
    config.verify_self = &answer;
    assert_refused("basic_auth", &config, CMW_ERR_CONFLICT,
                   "basic_auth: verify: there are secrets in the options too, and only one can "
                   "decide");
    config = usual();
    config.users = twice;
    config.user_count = 2;
    assert_refused("basic_auth", &config, CMW_ERR_EXISTS, "basic_auth: 'a' stands twice");
}

static void failing_memory_is_survived(void **state)
{
    const cmw_basic_auth_config config = usual();

    (void)state;
    assert_survives_failing_memory("basic_auth", &config);
}

int main(void)
{
    struct CMUnitTest tests[LEN(rows)], raw[LEN(raw_rows)];
    const struct CMUnitTest others[] = {
        cmocka_unit_test(nothing_is_challenged),
        cmocka_unit_test(two_fields_are_refused),
        cmocka_unit_test(over_long_credentials_are_refused),
        cmocka_unit_test(a_realm_is_quoted),
        cmocka_unit_test(an_optional_one_lets_strangers_pass),
        cmocka_unit_test(stripped_credentials_are_gone_for_the_handler),
        cmocka_unit_test(a_verifier_decides),
        cmocka_unit_test(a_verifier_never_sees_what_cannot_be),
        cmocka_unit_test(users_that_cannot_be_are_refused),
        cmocka_unit_test(configs_that_are_unsafe_are_refused),
        cmocka_unit_test(failing_memory_is_survived),
    };

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_row);
    for (size_t i = 0; i < LEN(raw_rows); i++)
        raw[i] = ROW_TEST(&raw_rows[i], check_raw);
    return cmocka_run_group_tests_name("basic_auth", tests, NULL, NULL) |
           cmocka_run_group_tests_name("basic_auth: other fields", raw, NULL, NULL) |
           cmocka_run_group_tests_name("basic_auth: the rest", others, NULL, NULL);
}
