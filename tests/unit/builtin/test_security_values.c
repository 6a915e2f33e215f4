/* SPDX-License-Identifier: MIT */
/* security_headers: values as text and in parts, and those that are refused. */
#include "security_fixture.h"

/* A config that names one field by text. */
struct value_row {
    const char *name;
    size_t offset;
    const char *given;
    const char *field;
    const char *sent; /* NULL: refused, with this sentence behind "security_headers: " */
    const char *sentence;
};

#define TEXT(member) offsetof(cmw_security_headers_config, member)
#define SENT(member, given, field, sent) TEXT(member), given, field, sent, NULL
#define REFUSED(member, given, sentence) TEXT(member), given, NULL, NULL, sentence
#define HSTS_TEXT "strict_transport_security: "
#define CSP_TEXT "content_security_policy: "

static const struct value_row value_rows[] = {
    {"X-Frame-Options in lower case", SENT(x_frame_options, "deny", "X-Frame-Options", "DENY")},
    {"X-Frame-Options with blanks",
     SENT(x_frame_options, " SameOrigin ", "X-Frame-Options", "SAMEORIGIN")},
    {"ALLOW-FROM is gone from browsers",
     REFUSED(x_frame_options, "ALLOW-FROM https://a.example",
             "x_frame_options: 'ALLOW-FROM https://a.example' is not one of DENY|SAMEORIGIN")},
    {"COEP credentialless", SENT(cross_origin_embedder_policy, "credentialless",
                                 "Cross-Origin-Embedder-Policy", "credentialless")},
    {"COEP with where to report",
     SENT(cross_origin_embedder_policy, "require-corp; report-to=\"coep\"",
          "Cross-Origin-Embedder-Policy", "require-corp; report-to=\"coep\"")},
    {"COOP is a choice",
     REFUSED(cross_origin_opener_policy, "cross-origin",
             "cross_origin_opener_policy: 'cross-origin' is not one of "
             "same-origin|same-origin-allow-popups|noopener-allow-popups|unsafe-none")},
    {"CORP is a choice without parameters",
     REFUSED(cross_origin_resource_policy, "same-site; a",
             "cross_origin_resource_policy: 'same-site; a' is not one of "
             "same-origin|same-site|cross-origin")},
    {"Origin-Agent-Cluster is a boolean",
     REFUSED(origin_agent_cluster, "1", "origin_agent_cluster: '1' is not one of ?1|?0")},
    {"DNS prefetch on", SENT(x_dns_prefetch_control, "on", "X-DNS-Prefetch-Control", "on")},
    {"several referrer policies", SENT(referrer_policy, "no-referrer, Strict-Origin",
                                       "Referrer-Policy", "no-referrer,strict-origin")},
    {"a referrer policy that is none",
     REFUSED(referrer_policy, "never",
             "referrer_policy: 'never' is not one of no-referrer|no-referrer-when-downgrade|"
             "same-origin|origin|strict-origin|origin-when-cross-origin|"
             "strict-origin-when-cross-origin|unsafe-url")},
    {"a line break",
     REFUSED(referrer_policy, "origin\r\nSet-Cookie: a=b",
             "referrer_policy: 'origin\r\nSet-Cookie: a=b' is not one of "
             "no-referrer|no-referrer-when-downgrade|same-origin|origin|strict-origin|"
             "origin-when-cross-origin|strict-origin-when-cross-origin|unsafe-url")},
    {"a Permissions-Policy by hand", SENT(permissions_policy, "camera=(), geolocation=(self)",
                                          "Permissions-Policy", "camera=(), geolocation=(self)")},
    {"one in the syntax of Feature-Policy",
     REFUSED(permissions_policy, "camera 'none'",
             "permissions_policy: 'camera 'none'' is not feature=(allowlist)")},
    {"one with a line break",
     REFUSED(permissions_policy, "camera=()\n",
             "permissions_policy: the text has bytes that no field can have")},
    {"a policy by hand", SENT(content_security_policy, "default-src 'none'; img-src *",
                              "Content-Security-Policy", "default-src 'none'; img-src *")},
    {"a policy with a comma",
     REFUSED(content_security_policy, "img-src a, b",
             CSP_TEXT "a policy is printable ASCII without commas, and byte 9 is 0x2c")},
    {"a policy with a line break",
     REFUSED(content_security_policy, "img-src a\r\nX: y",
             CSP_TEXT "a policy is printable ASCII without commas, and byte 9 is 0x0d")},
    {"a policy with a directive twice",
     REFUSED(content_security_policy, "img-src a;IMG-SRC b", CSP_TEXT "img-src stands twice")},
    {"a policy of nothing",
     REFUSED(content_security_policy, " ; ", CSP_TEXT "the policy has no directive")},
    {"a directive that is none",
     REFUSED(content_security_policy, "img_src a", CSP_TEXT "'img_src' is no name of a directive")},
    {"a keyword without quotes",
     REFUSED(content_security_policy, "script-src self",
             CSP_TEXT "script-src: self needs single quotes around it")},
    {"a hash without quotes",
     REFUSED(content_security_policy, "script-src-elem sha256-abc=",
             CSP_TEXT "script-src-elem: sha256-abc= needs single quotes around it")},
    {"'none' beside others", REFUSED(content_security_policy, "object-src 'none' a.example",
                                     CSP_TEXT "object-src: 'none' must stand alone")},
    {"a nonce that never changes",
     REFUSED(content_security_policy, "script-src 'nonce-abc'",
             CSP_TEXT "script-src: 'nonce-abc' is the same in every answer and protects nothing: "
                      "write 'nonce'")},
    {"words of other directives are free",
     SENT(content_security_policy, "default-src 'self';report-to none;sandbox",
          "Content-Security-Policy", "default-src 'self';report-to none;sandbox")},
    {"HSTS by hand",
     SENT(strict_transport_security, "max-age=60", "Strict-Transport-Security", "max-age=60")},
    {"HSTS in another form", SENT(strict_transport_security, "INCLUDESUBDOMAINS ;max-age=\"60\"",
                                  "Strict-Transport-Security", "max-age=60; includeSubDomains")},
    {"HSTS without an age",
     REFUSED(strict_transport_security, "preload", HSTS_TEXT "'preload' has no max-age")},
    {"HSTS with two", REFUSED(strict_transport_security, "max-age=1; max-age=2",
                              HSTS_TEXT "'max-age=2' is not expected in it")},
    {"HSTS with an age that is none", REFUSED(strict_transport_security, "max-age=-1",
                                              HSTS_TEXT "'max-age=-1' is not expected in it")},
    {"preloading needs a year",
     REFUSED(strict_transport_security, "max-age=60; includeSubDomains; preload",
             HSTS_TEXT "preload needs a max_age of 31536000 at least, and it is 60")},
    {"preloading needs all subdomains",
     REFUSED(strict_transport_security, "max-age=31536000;preload",
             HSTS_TEXT "preload needs include_subdomains")},
};

static void check_value(void **state)
{
    const struct value_row *row = *state;
    cmw_security_headers_config config;
    char sentence[512];

    cmw_security_headers_config_init(&config);
    memcpy((char *)&config + row->offset, &row->given, sizeof row->given);
    if (!row->sent) {
        snprintf(sentence, sizeof sentence, "security_headers: %s", row->sentence);
        assert_refused("security_headers", &config, CMW_ERR_INVALID, sentence);
        return;
    }
    cmw_test *test = open_bench("security_headers", &config);
    cmw_test_request(test, "GET", "/");
    cmw_test_scheme(test, CMW_SCHEME_HTTPS);
    cmw_test_send(test);
    assert_string_equal(cmw_test_response_field(test, row->field), row->sent);
    assert_int_equal(cmw_test_response_count(test, row->field), 1);
    assert_no_allocation(test);
    close_bench(test);
}

/* ---- In parts ---------------------------------------------------------------------------- */

static void give_directives(cmw_security_headers_config *config)
{
    static const cmw_csp csp = {directives, LEN(directives), 0, 0, 0};
    config->csp = &csp;
}

static void give_report_only(cmw_security_headers_config *config)
{
    static const cmw_csp csp = {directives, LEN(directives), 0, 1, 0};
    config->csp = &csp;
}

static void give_with_defaults(cmw_security_headers_config *config)
{
    static const cmw_csp csp = {directives, LEN(directives), 1, 0, 0};
    config->csp = &csp;
}

static void give_camel_case(cmw_security_headers_config *config)
{
    static const cmw_option_list list[] = {{"defaultSrc", self_only, 1},
                                           {"scriptSrcElem", self_only, 1},
                                           {"Img-Src", self_only, 1},
                                           {"upgradeInsecureRequests", NULL, 0}};
    static const cmw_csp csp = {list, LEN(list), 0, 0, 0};
    config->csp = &csp;
}

static void give_camel_case_over_a_default(cmw_security_headers_config *config)
{
    static const cmw_option_list list[] = {{"styleSrc", self_only, 1}};
    static const cmw_csp csp = {list, LEN(list), 1, 0, 0};
    config->csp = &csp;
}

static void names_of_directives_may_be_in_camel_case(void **state)
{
    (void)state;
    expect(give_camel_case, "Content-Security-Policy",
           "default-src 'self';script-src-elem 'self';img-src 'self';upgrade-insecure-requests");
    expect(give_camel_case_over_a_default, "Content-Security-Policy",
           "style-src 'self';default-src 'self';base-uri 'self';font-src 'self' https: data:;"
           "form-action 'self';frame-ancestors 'self';img-src 'self' data:;object-src 'none';"
           "script-src 'self';script-src-attr 'none';upgrade-insecure-requests");
}

static void a_policy_is_built_of_directives(void **state)
{
    const char *whole = "default-src 'self';img-src * data:;upgrade-insecure-requests";

    (void)state;
    expect(give_directives, "Content-Security-Policy", whole);
    expect(give_report_only, "Content-Security-Policy-Report-Only", whole);
    expect(give_report_only, "Content-Security-Policy", NULL);
    expect(give_with_defaults, "Content-Security-Policy",
           "default-src 'self';img-src * data:;upgrade-insecure-requests;base-uri 'self';"
           "font-src 'self' https: data:;form-action 'self';frame-ancestors 'self';"
           "object-src 'none';script-src 'self';script-src-attr 'none';"
           "style-src 'self' https: 'unsafe-inline'");
}

static void give_hsts(cmw_security_headers_config *config)
{
    static const cmw_hsts hsts = {63072000, 1, 1};
    config->hsts = &hsts;
}

static void give_lists(cmw_security_headers_config *config)
{
    static const char *const policies[] = {"no-referrer", "same-origin"};
    static const char *const everyone[] = {"*"};
    static const char *const some[] = {"self", "https://a.example"};
    static const cmw_option_list permissions[] = {
        {"camera", NULL, 0}, {"fullscreen", everyone, 1}, {"geolocation", some, 2}};
    config->referrer_policies = policies;
    config->referrer_policy_count = LEN(policies);
    config->permissions = permissions;
    config->permission_count = LEN(permissions);
}

static void values_are_built_of_parts(void **state)
{
    (void)state;
    expect(give_hsts, "Strict-Transport-Security", "max-age=63072000; includeSubDomains; preload");
    expect(give_lists, "Referrer-Policy", "no-referrer,same-origin");
    expect(give_lists, "Permissions-Policy",
           "camera=(), fullscreen=*, geolocation=(self \"https://a.example\")");
}

static void inject_a_directive(cmw_security_headers_config *config)
{
    static const char *const values[] = {"a;script-src *"};
    static const cmw_option_list list[] = {{"img-src", values, 1}};
    static const cmw_csp csp = {list, 1, 0, 0, 0};
    config->csp = &csp;
}

static void name_a_directive_badly(cmw_security_headers_config *config)
{
    static const cmw_option_list list[] = {{"img-src a", self_only, 1}};
    static const cmw_csp csp = {list, 1, 0, 0, 0};
    config->csp = &csp;
}

static void name_a_directive_twice(cmw_security_headers_config *config)
{
    static const cmw_option_list list[] = {{"img-src", self_only, 1}, {"imgSrc", self_only, 1}};
    static const cmw_csp csp = {list, LEN(list), 0, 0, 0};
    config->csp = &csp;
}

static void quote_an_origin(cmw_security_headers_config *config)
{
    static const char *const values[] = {"\"https://a.example\""};
    static const cmw_option_list list[] = {{"camera", values, 1}};
    config->permissions = list;
    config->permission_count = 1;
}

static void name_a_feature_badly(cmw_security_headers_config *config)
{
    static const cmw_option_list list[] = {{"Camera", NULL, 0}};
    config->permissions = list;
    config->permission_count = 1;
}

static void go_back_in_time(cmw_security_headers_config *config)
{
    static const cmw_hsts hsts = {-1, 0, 0};
    config->hsts = &hsts;
}

static void switch_on_what_has_no_value(cmw_security_headers_config *config)
{
    config->switches.permissions_policy = 1;
}

static void parts_that_are_wrong_are_refused(void **state)
{
    (void)state;
    refuse(inject_a_directive,
           "security_headers: content_security_policy: img-src: 'a;script-src *' is no value");
    refuse(name_a_directive_badly,
           "security_headers: content_security_policy: 'img-src a' is no name of a directive");
    refuse(name_a_directive_twice,
           "security_headers: content_security_policy: img-src stands twice");
    refuse(quote_an_origin, "security_headers: permissions_policy: camera: "
                            "'\"https://a.example\"' is not self, src, * or an origin without "
                            "quotes");
    refuse(name_a_feature_badly,
           "security_headers: permissions_policy: 'Camera' is no name of a feature");
    refuse(go_back_in_time, "security_headers: strict_transport_security: max_age: -1 is negative");
    refuse(switch_on_what_has_no_value,
           "security_headers: permissions_policy: there is no value to switch it on with");
}

/* ---- Memory ----------------------------------------------------------------------- */

static void everything(cmw_security_headers_config *config)
{
    config->mode = CMW_SECURITY_FORCE;
    give_directives(config);
    give_lists(config);
    give_hsts(config);
}

static void creating_survives_failing_memory(void **state)
{
    cmw_security_headers_config config;

    (void)state;
    cmw_security_headers_config_init(&config);
    everything(&config);
    assert_survives_failing_memory("security_headers", &config);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(a_policy_is_built_of_directives),
        cmocka_unit_test(names_of_directives_may_be_in_camel_case),
        cmocka_unit_test(values_are_built_of_parts),
        cmocka_unit_test(parts_that_are_wrong_are_refused),
        cmocka_unit_test(creating_survives_failing_memory),
    };
    struct CMUnitTest values[LEN(value_rows)];

    for (size_t i = 0; i < LEN(value_rows); i++)
        values[i] = ROW_TEST(&value_rows[i], check_value);
    return cmocka_run_group_tests_name("security_headers, values", values, NULL, NULL) +
           cmocka_run_group_tests_name("security_headers, parts", others, NULL, NULL);
}
