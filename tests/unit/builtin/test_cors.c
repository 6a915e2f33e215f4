/* SPDX-License-Identifier: MIT */
/* cors: who may read, what a preflight is told, what becomes of a handler's own fields. */
#include "cors_fixture.h"

static cmw_test *open_cors(configure_fn *configure)
{
    cmw_cors_config config;

    cmw_cors_config_init(&config);
    if (configure)
        configure(&config);
    return open_bench("cors", &config);
}

static void assert_field(cmw_test *test, const char *name, const char *value)
{
    if (value) {
        assert_non_null(cmw_test_response_field(test, name));
        assert_string_equal(cmw_test_response_field(test, name), value);
        assert_int_equal(cmw_test_response_count(test, name), 1);
    } else {
        assert_null(cmw_test_response_field(test, name));
    }
}

/* ---- Origins ---------------------------------------------------------------------------- */

static void patterns(cmw_cors_config *config)
{
    ORIGINS(config, "https://*.example.com", "https://*.port.example:8443",
            "https://app-*.pages.test", "https://fixed.test");
    config->allow_credentials = 1;
}

static void with_null(cmw_cors_config *config)
{
    ORIGINS(config, "null", "https://a.example", "http://[::1]:3000");
}

static void everyone(cmw_cors_config *config)
{
    ORIGINS(config, "*");
}

#define A63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

struct origin_row {
    const char *name;
    configure_fn *configure;
    const char *origin;
    const char *allowed; /* Access-Control-Allow-Origin; NULL: none */
};

static const struct origin_row origin_rows[] = {
    {"a listed origin may read", two, "https://a.example", "https://a.example"},
    {"so may the other one", two, "https://b.example", "https://b.example"},
    {"another origin may not", two, "https://c.example", NULL},
    {"an origin that goes on is another", two, "https://a.example.evil.net", NULL},
    {"a shorter origin is another", two, "https://a.exampl", NULL},
    {"a dot is a dot", two, "https://aXexample", NULL},
    {"a port makes another origin", two, "https://a.example:443", NULL},
    {"so does the scheme", two, "http://a.example", NULL},
    {"case counts", two, "HTTPS://A.EXAMPLE", NULL},
    {"a slash at the end counts", two, "https://a.example/", NULL},
    {"without a scheme it is nobody", two, "a.example", NULL},
    {"an empty origin is nobody", two, "", NULL},
    {"null is nobody unless it is listed", two, "null", NULL},
    {"two origins in one field are nobody", two, "https://a.example, https://b.example", NULL},
    {"bytes above ASCII are nobody", two, "https://\xc3\xa4.example", NULL},
    {"a control byte is nobody", two, "https://a.example\x01", NULL},
    {"nothing is allowed by default", NULL, "https://a.example", NULL},
    {"a label before a pattern", patterns, "https://a.example.com", "https://a.example.com"},
    {"several labels", patterns, "https://a.b-c.d_e.example.com", "https://a.b-c.d_e.example.com"},
    {"upper case in a label", patterns, "https://A.example.com", "https://A.example.com"},
    {"a long label", patterns, "https://" A63 ".example.com", "https://" A63 ".example.com"},
    {"the apex is not below itself", patterns, "https://example.com", NULL},
    {"an empty label is none", patterns, "https://.example.com", NULL},
    {"nor is one between dots", patterns, "https://a..example.com", NULL},
    {"nor is one in front", patterns, "https://.a.example.com", NULL},
    {"a suffix of a label is not enough", patterns, "https://evilexample.com", NULL},
    {"a host of another's domain", patterns, "https://a.example.com.evil.net", NULL},
    {"a fragment is no label", patterns, "https://evil.net#.example.com", NULL},
    {"nor is a query", patterns, "https://evil.net?.example.com", NULL},
    {"nor is a path", patterns, "https://evil.net/.example.com", NULL},
    {"nor is user information", patterns, "https://user@x.example.com", NULL},
    {"nor is a port", patterns, "https://evil.net:1.example.com", NULL},
    {"nor is a NUL escaped", patterns, "https://evil.net%00.example.com", NULL},
    {"another scheme", patterns, "http://a.example.com", NULL},
    {"a port that is not listed", patterns, "https://a.example.com:8443", NULL},
    {"a port that is", patterns, "https://a.port.example:8443", "https://a.port.example:8443"},
    {"a longer port", patterns, "https://a.port.example:84430", NULL},
    {"part of a label", patterns, "https://app-1.pages.test", "https://app-1.pages.test"},
    {"no part of a label", patterns, "https://app-.pages.test", NULL},
    {"an exact one beside patterns", patterns, "https://fixed.test", "https://fixed.test"},
    {"null does not match a pattern", patterns, "null", NULL},
    {"null where it is listed", with_null, "null", "null"},
    {"in another case it is not", with_null, "NULL", NULL},
    {"a literal address", with_null, "http://[::1]:3000", "http://[::1]:3000"},
    {"everyone is told so", everyone, "https://a.example", "*"},
    {"null too", everyone, "null", "*"},
    {"whatever the bytes", everyone, "\xff", "*"},
};

static void check_origin(void **state)
{
    const struct origin_row *row = *state;
    cmw_test *test = open_cors(row->configure);

    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Origin", row->origin);
    assert_int_equal(cmw_test_send(test), 200);
    assert_field(test, "Access-Control-Allow-Origin", row->allowed);
    assert_field(test, "Vary", row->configure == everyone ? NULL : "Origin");
    assert_field(test, "Access-Control-Allow-Credentials",
                 row->allowed && row->configure == patterns ? "true" : NULL);
    assert_no_allocation(test);
    close_bench(test);
}

/* ---- Preflights ------------------------------------------------------------------------- */

static void reflecting(cmw_cors_config *config)
{
    ORIGINS(config, "https://a.example");
    METHODS(config, "*");
    HEADERS(config, "*");
    config->allow_credentials = 1;
    config->max_age_s = 0;
}

static void anyone(cmw_cors_config *config)
{
    ORIGINS(config, "*");
    METHODS(config, "PUT");
    HEADERS(config, "X-One");
}

struct preflight_row {
    const char *name;
    configure_fn *configure;
    const char *origin;
    const char *method;
    const char *headers; /* NULL: none are asked for */
    const char *allowed; /* origin; NULL: refused */
    const char *allowed_headers;
};

#define LISTED "X-One, x-two, Content-Type, Authorization"

static const struct preflight_row preflight_rows[] = {
    {"a listed method is allowed", usual, A, "PUT", NULL, A, LISTED},
    {"by a pattern too", usual, "https://x.b.example", "PUT", NULL, "https://x.b.example", LISTED},
    {"another method is refused", usual, A, "DELETE", NULL, NULL, NULL},
    {"methods are case-sensitive", usual, A, "put", NULL, NULL, NULL},
    {"a method that goes on is another", usual, A, "PUTS", NULL, NULL, NULL},
    {"an empty method is refused", usual, A, "", NULL, NULL, NULL},
    {"a foreign origin is refused", usual, "https://evil.example", "PUT", NULL, NULL, NULL},
    {"listed fields are allowed", usual, A, "PUT", "authorization,content-type,x-one", A, LISTED},
    {"in any order", usual, A, "PUT", "x-two,x-one", A, LISTED},
    {"in any case", usual, A, "PUT", "X-ONE,X-Two", A, LISTED},
    {"with blanks", usual, A, "PUT", " x-one ,\tx-two ", A, LISTED},
    {"with empty members", usual, A, "PUT", ",,x-one,,", A, LISTED},
    {"twice", usual, A, "PUT", "x-one,x-one", A, LISTED},
    {"an empty list asks for nothing", usual, A, "PUT", "", A, LISTED},
    {"another field is refused", usual, A, "PUT", "x-three", NULL, NULL},
    {"so is it among others", usual, A, "PUT", "x-one,x-three,x-two", NULL, NULL},
    {"a field that goes on is another", usual, A, "PUT", "x-one1", NULL, NULL},
    {"so is one that ends early", usual, A, "PUT", "x-on", NULL, NULL},
    {"blanks inside make another", usual, A, "PUT", "x-one x-two", NULL, NULL},
    {"a semicolon separates nothing", usual, A, "PUT", "x-one;x-two", NULL, NULL},
    {"bytes above ASCII are no field", usual, A, "PUT", "x-on\xc3\xa9", NULL, NULL},
    {"a * is no field", usual, A, "PUT", "*", NULL, NULL},
    {"any field is reflected", reflecting, A, "BREW", "x-a, X-B", A, "x-a, X-B"},
    {"without the blanks around", reflecting, A, "PUT", " , x-a,x-b\t", A, "x-a,x-b"},
    {"what is no field is not", reflecting, A, "PUT", "x-a, (b)", NULL, NULL},
    {"nor is a line break", reflecting, A, "PUT", "x-a\r\nSet-Cookie: a=b", NULL, NULL},
    {"nor is a method that is none", reflecting, A, "P UT", "x-a", NULL, NULL},
    {"nothing is reflected of nothing", reflecting, A, "PUT", NULL, A, NULL},
    {"everyone is told so", anyone, "https://x.example", "PUT", "x-one", "*", "X-One"},
    {"but not of another method", anyone, "https://x.example", "DELETE", NULL, NULL, NULL},
};

static void ask_preflight(cmw_test *test, const char *origin, const char *method,
                          const char *headers)
{
    cmw_test_request(test, "OPTIONS", "/");
    cmw_test_header(test, "Origin", origin);
    cmw_test_header(test, "Access-Control-Request-Method", method);
    if (headers)
        cmw_test_header(test, "Access-Control-Request-Headers", headers);
}

static void check_preflight(void **state)
{
    const struct preflight_row *row = *state;
    cmw_test *test = open_cors(row->configure);
    const char *methods = row->configure == usual ? "GET, PUT, PATCH" : "PUT";

    ask_preflight(test, row->origin, row->method, row->headers);
    assert_int_equal(cmw_test_send(test), 204);
    assert_field(test, "Access-Control-Allow-Origin", row->allowed);
    assert_field(test, "Access-Control-Allow-Headers", row->allowed_headers);
    if (row->configure == reflecting)
        methods = row->method;
    assert_field(test, "Access-Control-Allow-Methods", row->allowed ? methods : NULL);
    assert_field(test, "Access-Control-Max-Age",
                 !row->allowed || row->configure == anyone ? NULL
                 : row->configure == usual                 ? "600"
                                                           : "0");
    assert_field(test, "Access-Control-Expose-Headers", NULL);
    assert_field(test, "Vary",
                 row->configure == anyone
                     ? "Access-Control-Request-Method, Access-Control-Request-Headers"
                     : "Origin, Access-Control-Request-Method, Access-Control-Request-Headers");
    assert_no_allocation(test);
    close_bench(test);
}

static int count_calls(void *self, cmw_ctx *ctx)
{
    ++*(int *)self;
    return cmw_response_empty(cmw_ctx_response(ctx), 207);
}

static void a_preflight_does_not_reach_the_handler(void **state)
{
    cmw_test *test = open_cors(usual);
    int calls = 0;

    (void)state;
    cmw_test_set_handler(test, count_calls, &calls);
    ask_preflight(test, A, "PUT", NULL);
    assert_int_equal(cmw_test_send(test), 204);
    ask_preflight(test, "https://evil.example", "PUT", NULL);
    assert_int_equal(cmw_test_send(test), 204);
    assert_int_equal(calls, 0);
    close_bench(test);
}

static void options_without_a_requested_method_is_for_the_handler(void **state)
{
    cmw_test *test = open_cors(usual);
    int calls = 0;

    (void)state;
    cmw_test_set_handler(test, count_calls, &calls);
    cmw_test_request(test, "OPTIONS", "/");
    cmw_test_header(test, "Origin", A);
    assert_int_equal(cmw_test_send(test), 207);
    assert_field(test, "Access-Control-Allow-Origin", A);
    assert_field(test, "Access-Control-Allow-Methods", NULL);
    cmw_test_request(test, "OPTIONS", "/");
    cmw_test_header(test, "Access-Control-Request-Method", "PUT");
    assert_int_equal(cmw_test_send(test), 207);
    assert_field(test, "Access-Control-Allow-Origin", NULL);
    assert_field(test, "Vary", "Origin");
    assert_int_equal(calls, 2);
    close_bench(test);
}

static void pass_on(cmw_cors_config *config)
{
    usual(config);
    config->options_passthrough = 1;
}

static void a_preflight_that_is_passed_on_is_decorated(void **state)
{
    cmw_test *test = open_cors(pass_on);
    int calls = 0;

    (void)state;
    cmw_test_set_handler(test, count_calls, &calls);
    ask_preflight(test, A, "PUT", "x-one");
    assert_int_equal(cmw_test_send(test), 207);
    assert_field(test, "Access-Control-Allow-Origin", A);
    assert_field(test, "Access-Control-Allow-Methods", "GET, PUT, PATCH");
    assert_int_equal(calls, 1);
    close_bench(test);
}

static void answer_200(cmw_cors_config *config)
{
    usual(config);
    config->preflight_status = 200;
}

static void the_status_of_a_preflight_can_be_chosen(void **state)
{
    cmw_test *test = open_cors(answer_200);

    (void)state;
    ask_preflight(test, A, "PUT", NULL);
    assert_int_equal(cmw_test_send(test), 200);
    close_bench(test);
}

static void private_network(cmw_cors_config *config)
{
    usual(config);
    config->allow_private_network = 1;
}

static void a_private_network_is_opened_to_who_asks(void **state)
{
    static const char *const asked[] = {"true", "false", "TRUE", "true, true", ""};
    cmw_test *test = open_cors(private_network);

    (void)state;
    for (size_t i = 0; i < LEN(asked); i++) {
        ask_preflight(test, A, "PUT", NULL);
        cmw_test_header(test, "Access-Control-Request-Private-Network", asked[i]);
        cmw_test_send(test);
        assert_field(test, "Access-Control-Allow-Private-Network", i == 0 ? "true" : NULL);
        assert_non_null(strstr(cmw_test_response_field(test, "Vary"),
                               "Access-Control-Request-Private-Network"));
    }
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Origin", A);
    cmw_test_header(test, "Access-Control-Request-Private-Network", "true");
    cmw_test_send(test);
    assert_field(test, "Access-Control-Allow-Private-Network", NULL);
    close_bench(test);
}

/* 10,000 members in one field: the answer, no allocation. */
static void ten_thousand_names_are_looked_at_once(void **state)
{
    enum { COUNT = 10000 };
    static const char *const members[] = {",", "x-one,", "a,", " ,\t"};
    static configure_fn *const configured[] = {usual, reflecting};
    char *list = malloc(COUNT * 6 + 1);

    (void)state;
    assert_non_null(list);
    for (size_t i = 0; i < LEN(members) * LEN(configured); i++) {
        const char *member = members[i % LEN(members)];
        cmw_test *test = open_cors(configured[i / LEN(members)]);
        for (size_t k = 0; k < COUNT; k++)
            memcpy(list + k * strlen(member), member, strlen(member) + 1);
        ask_preflight(test, A, "PUT", list);
        const int status = cmw_test_send(test);
        assert_true(status == 204 || status == 431);
        assert_no_allocation(test);
        close_bench(test);
    }
    free(list);
}

/* ---- Several fields of a name ------------------------------------------------------------ */

static void two_origin_fields_get_nothing(void **state)
{
    static configure_fn *const configured[] = {two, usual, everyone};

    (void)state;
    for (size_t i = 0; i < LEN(configured); i++) {
        cmw_test *test = open_cors(configured[i]);
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "Origin", A);
        cmw_test_header(test, "Origin", A);
        assert_int_equal(cmw_test_send(test), 200);
        assert_field(test, "Access-Control-Allow-Origin", NULL);
        ask_preflight(test, A, "GET", NULL);
        cmw_test_header(test, "origin", "https://evil.example");
        assert_int_equal(cmw_test_send(test), 204);
        assert_field(test, "Access-Control-Allow-Origin", NULL);
        close_bench(test);
    }
}

static void two_requested_methods_get_nothing(void **state)
{
    cmw_test *test = open_cors(usual);

    (void)state;
    ask_preflight(test, A, "PUT", NULL);
    cmw_test_header(test, "Access-Control-Request-Method", "PUT");
    assert_int_equal(cmw_test_send(test), 204);
    assert_field(test, "Access-Control-Allow-Origin", NULL);
    close_bench(test);
}

static void names_in_several_fields_are_one_list(void **state)
{
    cmw_test *test = open_cors(usual);

    (void)state;
    ask_preflight(test, A, "PUT", "x-one");
    cmw_test_header(test, "Access-Control-Request-Headers", "x-two");
    cmw_test_send(test);
    assert_field(test, "Access-Control-Allow-Origin", A);
    ask_preflight(test, A, "PUT", "x-one");
    cmw_test_header(test, "Access-Control-Request-Headers", "x-three");
    cmw_test_send(test);
    assert_field(test, "Access-Control-Allow-Origin", NULL);
    close_bench(test);
}

/* ---- What the handler does --------------------------------------------------------------- */

static int answer_by_hand(void *self, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);
    const char *const *field = self;
    int rc = 0;

    for (; field[0] && rc == 0; field += 2)
        rc = cmw_response_append_named(response, cmw_str_cstr(field[0]), cmw_str_cstr(field[1]));
    return rc != 0 ? rc : cmw_response_empty(response, 404);
}

static void a_handlers_own_fields_give_way(void **state)
{
    static const char *const fields[] = {"Access-Control-Allow-Origin",
                                         "*",
                                         "Access-Control-Allow-Credentials",
                                         "true",
                                         "Access-Control-Expose-Headers",
                                         "X-Secret",
                                         NULL};
    cmw_test *test = open_cors(two);

    (void)state;
    cmw_test_set_handler(test, answer_by_hand, (void *)(uintptr_t)fields);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Origin", A);
    assert_int_equal(cmw_test_send(test), 404);
    assert_field(test, "Access-Control-Allow-Origin", A);
    assert_field(test, "Access-Control-Allow-Credentials", NULL);
    assert_field(test, "Access-Control-Expose-Headers", NULL);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Origin", "https://evil.example");
    cmw_test_send(test);
    assert_field(test, "Access-Control-Allow-Origin", NULL);
    assert_field(test, "Access-Control-Allow-Credentials", NULL);
    close_bench(test);
}

struct vary_row {
    const char *name;
    const char *fields[7];
    const char *origin;
    const char *vary;
};

static const struct vary_row vary_rows[] = {
    {"Vary is there without an origin", {NULL}, NULL, "Origin"},
    {"a Vary is added to", {"Vary", "Accept-Encoding"}, A, "Accept-Encoding, Origin"},
    {"for strangers too", {"Vary", "Accept"}, "https://evil.example", "Accept, Origin"},
    {"one with a list", {"Vary", "Accept, Cookie"}, NULL, "Accept, Cookie, Origin"},
    {"a member is not repeated", {"Vary", "Origin, Accept"}, A, "Origin, Accept"},
    {"in any case", {"Vary", "origin"}, A, "origin"},
    {"* covers all", {"Vary", "*"}, A, "*"},
    {"two fields become one",
     {"Vary", "Accept", "Vary", "User-Agent"},
     A,
     "Accept, User-Agent, Origin"},
};

static void check_vary(void **state)
{
    const struct vary_row *row = *state;
    cmw_test *test = open_cors(two);

    cmw_test_set_handler(test, answer_by_hand, (void *)(uintptr_t)row->fields);
    cmw_test_request(test, "GET", "/");
    if (row->origin)
        cmw_test_header(test, "Origin", row->origin);
    assert_int_equal(cmw_test_send(test), 404);
    assert_field(test, "Vary", row->vary);
    assert_field(test, "Access-Control-Allow-Origin",
                 row->origin && strcmp(row->origin, A) == 0 ? A : NULL);
    close_bench(test);
}

static int break_down(void *self, cmw_ctx *ctx)
{
    (void)self;
    (void)ctx;
    return -1;
}

static void failures_are_decorated_too(void **state)
{
    cmw_test *test = open_cors(patterns);

    (void)state;
    cmw_test_set_handler(test, break_down, NULL);
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Origin", "https://a.example.com");
    assert_int_equal(cmw_test_send(test), 500);
    assert_field(test, "Access-Control-Allow-Origin", "https://a.example.com");
    assert_field(test, "Access-Control-Allow-Credentials", "true");
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Origin", "https://fixed.test");
    for (int i = 0; i < 200; i++)
        cmw_test_header(test, "X-Many", "1");
    assert_int_equal(cmw_test_send(test), 431);
    assert_field(test, "Access-Control-Allow-Origin", "https://fixed.test");
    close_bench(test);
}

static void exposing(cmw_cors_config *config)
{
    two(config);
    EXPOSED(config, "X-One", "X-Two");
}

static void fields_are_exposed_on_answers_to_the_allowed(void **state)
{
    cmw_test *test = open_cors(exposing);

    (void)state;
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Origin", A);
    cmw_test_send(test);
    assert_field(test, "Access-Control-Expose-Headers", "X-One, X-Two");
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Origin", "https://evil.example");
    cmw_test_send(test);
    assert_field(test, "Access-Control-Expose-Headers", NULL);
    close_bench(test);
}

/* ---- Asking ------------------------------------------------------------------------------ */

static int asked_calls;

static int ends_in_42(void *self, cmw_ctx *ctx, cmw_str origin)
{
    (void)self;
    assert_non_null(ctx);
    asked_calls++;
    return origin.len > 2 && memcmp(origin.data + origin.len - 2, "42", 2) == 0;
}

static void asking(cmw_cors_config *config)
{
    two(config);
    config->allow_origin = ends_in_42;
}

static void a_callback_is_asked_of_what_is_not_listed(void **state)
{
    static const char *const origins[] = {A, "https://x42", "https://x43", "", "a\00142"};
    static const int calls[] = {0, 1, 1, 0, 0};
    cmw_test *test = open_cors(asking);

    (void)state;
    for (size_t i = 0; i < LEN(origins); i++) {
        asked_calls = 0;
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "Origin", origins[i]);
        assert_int_equal(cmw_test_send(test), 200);
        assert_field(test, "Access-Control-Allow-Origin", i < 2 ? origins[i] : NULL);
        assert_int_equal(asked_calls, calls[i]);
    }
    close_bench(test);
}

/* ---- Many origins ------------------------------------------------------------------------- */

static void ten_thousand_origins_are_told_apart(void **state)
{
    enum { COUNT = 10000, ROOM = 64 };
    char(*texts)[ROOM] = malloc(COUNT * sizeof *texts);
    const char **list = malloc(COUNT * sizeof *list);
    cmw_cors_config config;

    (void)state;
    assert_true(texts && list);
    for (int i = 0; i < COUNT; i++) {
        /* all of a length, and only the middle differs */
        snprintf(texts[i], ROOM, "https://customer-%05d.application.example", i);
        list[i] = texts[i];
    }
    cmw_cors_config_init(&config);
    config.allow_origins = list;
    config.allow_origin_count = COUNT;
    cmw_test *test = open_bench("cors", &config);
    for (int i = 0; i < COUNT; i += 97) {
        cmw_test_request(test, "GET", "/");
        cmw_test_header(test, "Origin", texts[i]);
        cmw_test_send(test);
        assert_field(test, "Access-Control-Allow-Origin", texts[i]);
    }
    cmw_test_request(test, "GET", "/");
    cmw_test_header(test, "Origin", "https://customer-1000x.application.example");
    cmw_test_send(test);
    assert_field(test, "Access-Control-Allow-Origin", NULL);
    close_bench(test);
    free(list);
    free(texts);
}

/* ---- All of it ---------------------------------------------------------------------------- */

static void fill(struct CMUnitTest *test, const char *name, CMUnitTestFunction check,
                 const void *row)
{
    *test = (struct CMUnitTest){
        .name = name, .test_func = check, .initial_state = (void *)(uintptr_t)row};
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(a_preflight_does_not_reach_the_handler),
        cmocka_unit_test(options_without_a_requested_method_is_for_the_handler),
        cmocka_unit_test(a_preflight_that_is_passed_on_is_decorated),
        cmocka_unit_test(the_status_of_a_preflight_can_be_chosen),
        cmocka_unit_test(a_private_network_is_opened_to_who_asks),
        cmocka_unit_test(ten_thousand_names_are_looked_at_once),
        cmocka_unit_test(two_origin_fields_get_nothing),
        cmocka_unit_test(two_requested_methods_get_nothing),
        cmocka_unit_test(names_in_several_fields_are_one_list),
        cmocka_unit_test(a_handlers_own_fields_give_way),
        cmocka_unit_test(failures_are_decorated_too),
        cmocka_unit_test(fields_are_exposed_on_answers_to_the_allowed),
        cmocka_unit_test(a_callback_is_asked_of_what_is_not_listed),
        cmocka_unit_test(ten_thousand_origins_are_told_apart),
    };
    struct CMUnitTest origins[LEN(origin_rows)];
    struct CMUnitTest preflights[LEN(preflight_rows)];
    struct CMUnitTest varies[LEN(vary_rows)];

    for (size_t i = 0; i < LEN(origin_rows); i++)
        fill(&origins[i], origin_rows[i].name, check_origin, &origin_rows[i]);
    for (size_t i = 0; i < LEN(preflight_rows); i++)
        fill(&preflights[i], preflight_rows[i].name, check_preflight, &preflight_rows[i]);
    for (size_t i = 0; i < LEN(vary_rows); i++)
        fill(&varies[i], vary_rows[i].name, check_vary, &vary_rows[i]);
    return cmocka_run_group_tests_name("cors, origins", origins, NULL, NULL) +
           cmocka_run_group_tests_name("cors, preflights", preflights, NULL, NULL) +
           cmocka_run_group_tests_name("cors, Vary", varies, NULL, NULL) +
           cmocka_run_group_tests_name("cors", others, NULL, NULL);
}
