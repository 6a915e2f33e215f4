/* SPDX-License-Identifier: MIT */
/* security_headers: the defaults, switches, what handlers set, https, nonces. */
#include "security_fixture.h"

struct row {
    const char *name;
    const char *field;
    const char *value; /* NULL: not sent */
};

static const struct row rows[] = {
    {"Cross-Origin-Opener-Policy is same-origin", "Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy is same-origin", "Cross-Origin-Resource-Policy", "same-origin"},
    {"Cross-Origin-Embedder-Policy is not sent", "Cross-Origin-Embedder-Policy", NULL},
    {"Origin-Agent-Cluster is ?1", "Origin-Agent-Cluster", "?1"},
    {"Permissions-Policy is not sent", "Permissions-Policy", NULL},
    {"Referrer-Policy is no-referrer", "Referrer-Policy", "no-referrer"},
    {"nosniff is sent", "X-Content-Type-Options", "nosniff"},
    {"DNS prefetch is off", "X-DNS-Prefetch-Control", "off"},
    {"downloads are not opened", "X-Download-Options", "noopen"},
    {"framing is for the same origin", "X-Frame-Options", "SAMEORIGIN"},
    {"no cross-domain policies", "X-Permitted-Cross-Domain-Policies", "none"},
    {"the XSS filter is off", "X-XSS-Protection", "0"},
    {"HSTS is not sent over http", "Strict-Transport-Security", NULL},
};

static void check_default(void **state)
{
    const struct row *row = *state;
    cmw_test *test = open_bench("security_headers", NULL);

    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 200);
    const char *value = cmw_test_response_field(test, row->field);
    if (row->value)
        assert_string_equal(value, row->value);
    else
        assert_null(value);
    assert_int_equal(cmw_test_response_count(test, row->field), row->value ? 1 : 0);
    close_bench(test);
}

static void hsts_is_sent_over_https(void **state)
{
    cmw_test *test = open_bench("security_headers", NULL);

    (void)state;
    cmw_test_request(test, "GET", "/");
    cmw_test_scheme(test, CMW_SCHEME_HTTPS);
    cmw_test_send(test);
    assert_string_equal(cmw_test_response_field(test, "Strict-Transport-Security"),
                        "max-age=31536000; includeSubDomains");
    close_bench(test);
}

static void an_empty_value_switches_a_field_off(void **state)
{
    cmw_security_headers_config config;

    (void)state;
    cmw_security_headers_config_init(&config);
    config.x_frame_options = "";
    config.strict_transport_security = "";
    config.referrer_policy = "origin";
    cmw_test *test = open_bench("security_headers", &config);
    cmw_test_request(test, "GET", "/");
    cmw_test_scheme(test, CMW_SCHEME_HTTPS);
    cmw_test_send(test);
    assert_null(cmw_test_response_field(test, "X-Frame-Options"));
    assert_null(cmw_test_response_field(test, "Strict-Transport-Security"));
    assert_string_equal(cmw_test_response_field(test, "Referrer-Policy"), "origin");
    close_bench(test);
}

static int frame_freely(void *self, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);
    (void)self;
    return cmw_response_set(response, CMW_HDR_X_FRAME_OPTIONS, CMW_STR("DENY")) != 0
               ? -1
               : cmw_response_empty(response, 204);
}

static void a_handlers_value_wins(void **state)
{
    cmw_test *test = open_bench("security_headers", NULL);

    (void)state;
    cmw_test_set_handler(test, frame_freely, NULL);
    cmw_test_request(test, "GET", "/");
    assert_int_equal(cmw_test_send(test), 204);
    assert_string_equal(cmw_test_response_field(test, "X-Frame-Options"), "DENY");
    assert_int_equal(cmw_test_response_count(test, "X-Frame-Options"), 1);
    assert_string_equal(cmw_test_response_field(test, "X-Content-Type-Options"), "nosniff");
    close_bench(test);
}

static void too_many_fields_get_a_431_with_all_headers(void **state)
{
    cmw_test *test = open_bench("security_headers", NULL);

    (void)state;
    cmw_test_request(test, "GET", "/");
    for (int i = 0; i < 200; i++)
        cmw_test_header(test, "X-Many", "1");
    assert_int_equal(cmw_test_send(test), 431);
    assert_string_equal(cmw_test_response_field(test, "X-Frame-Options"), "SAMEORIGIN");
    close_bench(test);
}

/* ---- Switches, profile, mode --------------------------------------------------------------- */

static void send_what_is_given(cmw_security_headers_config *config)
{
    config->profile = CMW_SECURITY_GIVEN;
    config->x_frame_options = "deny";
    config->switches.x_content_type_options = 1;
    config->switches.cross_origin_embedder_policy = 1;
}

static void without_a_profile_only_what_is_given_is_sent(void **state)
{
    cmw_test *test = open_with(send_what_is_given);

    (void)state;
    cmw_test_request(test, "GET", "/");
    cmw_test_scheme(test, CMW_SCHEME_HTTPS);
    cmw_test_send(test);
    assert_string_equal(cmw_test_response_field(test, "X-Frame-Options"), "DENY");
    assert_string_equal(cmw_test_response_field(test, "X-Content-Type-Options"), "nosniff");
    assert_string_equal(cmw_test_response_field(test, "Cross-Origin-Embedder-Policy"),
                        "require-corp");
    assert_null(cmw_test_response_field(test, "Content-Security-Policy"));
    assert_null(cmw_test_response_field(test, "Strict-Transport-Security"));
    assert_null(cmw_test_response_field(test, "Referrer-Policy"));
    close_bench(test);
}

static void switch_off(cmw_security_headers_config *config)
{
    config->switches.origin_agent_cluster = 0;
    config->switches.content_security_policy = 0;
    config->switches.strict_transport_security = 0;
}

static void a_switch_takes_a_field_away(void **state)
{
    (void)state;
    expect(switch_off, "Origin-Agent-Cluster", NULL);
    expect(switch_off, "Content-Security-Policy", NULL);
    expect(switch_off, "Strict-Transport-Security", NULL);
    expect(switch_off, "X-Frame-Options", "SAMEORIGIN");
}

static int set_by_hand(void *self, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);
    int rc = cmw_response_append(response, CMW_HDR_X_FRAME_OPTIONS, CMW_STR("DENY"));

    (void)self;
    rc |= cmw_response_append(response, CMW_HDR_X_FRAME_OPTIONS, CMW_STR("ALLOWALL"));
    rc |= cmw_response_append(response, CMW_HDR_STRICT_TRANSPORT_SECURITY, CMW_STR("max-age=0"));
    rc |= cmw_response_append(response, CMW_HDR_CONTENT_SECURITY_POLICY, CMW_STR("sandbox"));
    rc |= cmw_response_append(response, CMW_HDR_X_POWERED_BY, CMW_STR("PHP/5"));
    rc |= cmw_response_append(response, CMW_HDR_SERVER, CMW_STR("self-made/1"));
    return rc != 0 ? rc : cmw_response_empty(response, 204);
}

static cmw_test *send_by_hand(configure_fn *configure)
{
    cmw_test *test = open_with(configure);

    cmw_test_set_handler(test, set_by_hand, NULL);
    cmw_test_request(test, "GET", "/");
    cmw_test_scheme(test, CMW_SCHEME_HTTPS);
    assert_int_equal(cmw_test_send(test), 204);
    return test;
}

static void with_nonce(cmw_security_headers_config *config)
{
    static const cmw_csp csp = {directives, LEN(directives), 0, 0, 1};
    config->csp = &csp;
}

static void force(cmw_security_headers_config *config)
{
    with_nonce(config);
    config->mode = CMW_SECURITY_FORCE;
    config->remove_server = 1;
}

static void forcing_replaces_what_is_there(void **state)
{
    cmw_test *test = send_by_hand(force);

    (void)state;
    assert_string_equal(cmw_test_response_field(test, "X-Frame-Options"), "SAMEORIGIN");
    assert_int_equal(cmw_test_response_count(test, "X-Frame-Options"), 1);
    assert_string_equal(cmw_test_response_field(test, "Strict-Transport-Security"),
                        "max-age=31536000; includeSubDomains");
    assert_int_equal(cmw_test_response_count(test, "Strict-Transport-Security"), 1);
    assert_non_null(strstr(cmw_test_response_field(test, "Content-Security-Policy"), "'nonce-"));
    assert_int_equal(cmw_test_response_count(test, "Content-Security-Policy"), 1);
    assert_null(cmw_test_response_field(test, "X-Powered-By"));
    assert_null(cmw_test_response_field(test, "Server"));
    close_bench(test);
}

static void what_is_there_stays_by_default(void **state)
{
    cmw_test *test = send_by_hand(with_nonce);

    (void)state;
    assert_string_equal(cmw_test_response_field(test, "X-Frame-Options"), "DENY");
    assert_int_equal(cmw_test_response_count(test, "X-Frame-Options"), 2);
    assert_string_equal(cmw_test_response_field(test, "Strict-Transport-Security"), "max-age=0");
    assert_string_equal(cmw_test_response_field(test, "Content-Security-Policy"), "sandbox");
    assert_null(cmw_test_response_field(test, "X-Powered-By"));
    assert_string_equal(cmw_test_response_field(test, "Server"), "self-made/1");
    close_bench(test);
}

static void keep_powered_by(cmw_security_headers_config *config)
{
    config->switches.x_powered_by = 0;
}

static void powered_by_stays_where_it_is_wanted(void **state)
{
    cmw_test *test = send_by_hand(keep_powered_by);

    (void)state;
    assert_string_equal(cmw_test_response_field(test, "X-Powered-By"), "PHP/5");
    close_bench(test);
}

/* ---- HSTS and this machine ----------------------------------------------------------------- */

static void strictly_https(cmw_security_headers_config *config)
{
    config->hsts_to_loopback = 0;
}

static void no_change(cmw_security_headers_config *config)
{
    (void)config;
}

static void hsts_over_http_is_for_this_machine_alone(void **state)
{
    static const char *const here[] = {"127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"};
    static const char *const elsewhere[] = {"192.0.2.1", "10.0.0.1", "::2", "fe80::1", "128.0.0.1"};
    cmw_test *test = open_with(no_change);
    cmw_test *strict = open_with(strictly_https);

    (void)state;
    for (size_t i = 0; i < LEN(here); i++) {
        cmw_test_request(test, "GET", "/");
        cmw_test_peer(test, here[i]);
        cmw_test_send(test);
        assert_non_null(cmw_test_response_field(test, "Strict-Transport-Security"));
        cmw_test_request(strict, "GET", "/");
        cmw_test_peer(strict, here[i]);
        cmw_test_send(strict);
        assert_null(cmw_test_response_field(strict, "Strict-Transport-Security"));
    }
    for (size_t i = 0; i < LEN(elsewhere); i++) {
        cmw_test_request(test, "GET", "/");
        cmw_test_peer(test, elsewhere[i]);
        cmw_test_send(test);
        assert_null(cmw_test_response_field(test, "Strict-Transport-Security"));
    }
    close_bench(test);
    close_bench(strict);
}

/* ---- Nonces ------------------------------------------------------------------------------- */

static int show_nonce(void *self, cmw_ctx *ctx)
{
    const cmw_slot slot = cmw_slot_find(self, "csp_nonce");
    const cmw_csp_nonce *nonce = cmw_ctx_slot(ctx, slot);

    return nonce ? cmw_response_text(cmw_ctx_response(ctx), 200,
                                     cmw_str_make(nonce->text, nonce->len))
                 : -1;
}

/* "default-src 'self';...;script-src 'self' 'nonce-X';style-src 'self' 'nonce-X'": X. */
static void take_nonce(char out[25], const char *policy)
{
    const char *first = strstr(policy, "script-src 'self' 'nonce-");
    const char *second = strstr(policy, "style-src 'self' 'nonce-");

    assert_true(first && second);
    memcpy(out, first + strlen("script-src 'self' 'nonce-"), 24);
    out[24] = '\0';
    assert_memory_equal(out, second + strlen("style-src 'self' 'nonce-"), 24);
    assert_int_equal(strspn(out, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                 "+/"),
                     22);
    assert_string_equal(out + 22, "==");
}

static void a_nonce_is_new_for_each_request_and_in_the_slot(void **state)
{
    cmw_test *test = open_with(with_nonce);
    char nonce[25], last[25] = "";

    (void)state;
    cmw_test_set_handler(test, show_nonce, cmw_test_engine(test));
    for (int i = 0; i < 200; i++) {
        cmw_test_request(test, "GET", "/");
        assert_int_equal(cmw_test_send(test), 200);
        take_nonce(nonce, cmw_test_response_field(test, "Content-Security-Policy"));
        assert_string_equal(cmw_test_response_body(test).data, nonce);
        assert_string_not_equal(nonce, last);
        memcpy(last, nonce, sizeof last);
    }
    assert_no_allocation(test);
    close_bench(test);
}

static void a_request_over_its_limits_has_a_nonce_too(void **state)
{
    cmw_test *test = open_with(with_nonce);
    char nonce[25];

    (void)state;
    cmw_test_request(test, "GET", "/");
    for (int i = 0; i < 200; i++)
        cmw_test_header(test, "X-Many", "1");
    assert_int_equal(cmw_test_send(test), 431);
    take_nonce(nonce, cmw_test_response_field(test, "Content-Security-Policy"));
    close_bench(test);
}

static void place_the_nonce(cmw_security_headers_config *config)
{
    config->content_security_policy = "'nonce'-src x;script-src 'nonce' 'strict-dynamic';base-uri "
                                      "'none'";
}

static void place_it_well(cmw_security_headers_config *config)
{
    config->content_security_policy = "script-src 'nonce' 'strict-dynamic';base-uri 'none'";
}

static void a_nonce_stands_where_a_text_has_it(void **state)
{
    cmw_test *test = open_with(place_it_well);

    (void)state;
    cmw_test_request(test, "GET", "/");
    cmw_test_send(test);
    const char *policy = cmw_test_response_field(test, "Content-Security-Policy");
    assert_memory_equal(policy, "script-src 'nonce-", 18);
    assert_string_equal(policy + 18 + 24, "' 'strict-dynamic';base-uri 'none'");
    close_bench(test);
    refuse(place_the_nonce,
           "security_headers: content_security_policy: ''nonce'-src' is no name of a directive");
}

static void a_config_of_a_newer_version_is_refused(void **state)
{
    struct {
        cmw_security_headers_config config;
        uint64_t more;
    } newer;

    (void)state;
    cmw_security_headers_config_init(&newer.config);
    newer.config.size = sizeof newer;
    newer.more = 1;
    assert_refused("security_headers", &newer.config, CMW_ERR_VERSION,
                   "security_headers: the config is of a newer version");
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(hsts_is_sent_over_https),
        cmocka_unit_test(an_empty_value_switches_a_field_off),
        cmocka_unit_test(a_handlers_value_wins),
        cmocka_unit_test(too_many_fields_get_a_431_with_all_headers),
        cmocka_unit_test(without_a_profile_only_what_is_given_is_sent),
        cmocka_unit_test(a_switch_takes_a_field_away),
        cmocka_unit_test(forcing_replaces_what_is_there),
        cmocka_unit_test(what_is_there_stays_by_default),
        cmocka_unit_test(powered_by_stays_where_it_is_wanted),
        cmocka_unit_test(hsts_over_http_is_for_this_machine_alone),
        cmocka_unit_test(a_nonce_is_new_for_each_request_and_in_the_slot),
        cmocka_unit_test(a_request_over_its_limits_has_a_nonce_too),
        cmocka_unit_test(a_nonce_stands_where_a_text_has_it),
        cmocka_unit_test(a_config_of_a_newer_version_is_refused),
    };
    struct CMUnitTest tests[LEN(rows)];

    for (size_t i = 0; i < LEN(rows); i++)
        tests[i] = ROW_TEST(&rows[i], check_default);
    return cmocka_run_group_tests_name("security_headers, defaults", tests, NULL, NULL) +
           cmocka_run_group_tests_name("security_headers", others, NULL, NULL);
}
