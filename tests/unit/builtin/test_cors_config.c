/* SPDX-License-Identifier: MIT */
/* cors: configs that are refused, the order that is, and memory that fails. */
#include "cors_fixture.h"

/* ---- Configs that are refused -------------------------------------------------------------- */

struct refused_row {
    const char *name;
    const char *origin;
    const char *sentence; /* behind "cors: allow_origins: 'ORIGIN' " */
};

#define NOT_AN_ORIGIN "is not scheme://host or scheme://host:port"
#define NO_SCHEME "has no scheme in lower case, such as https://"
#define OTHERS "would let in hosts of others: the '*' must stand before a fixed domain"

static const struct refused_row refused_rows[] = {
    {"a slash at the end", "https://a.example/", "ends in '/', which no origin does"},
    {"a path", "https://a.example/x", "has a path"},
    {"a query", "https://a.example?x", "has a query or fragment"},
    {"a fragment", "https://a.example#x", "has a query or fragment"},
    {"user information", "https://me@a.example", "has user information"},
    {"no scheme", "a.example", NO_SCHEME},
    {"a scheme in upper case", "HTTPS://a.example", NO_SCHEME},
    {"no host", "https://", NOT_AN_ORIGIN},
    {"an empty text", "", NO_SCHEME},
    {"null in another case", "Null", NO_SCHEME},
    {"a host in upper case", "https://A.example", "has upper-case letters, which no browser sends"},
    {"an empty label", "https://a..example", NOT_AN_ORIGIN},
    {"a dot at the end", "https://a.example.", NOT_AN_ORIGIN},
    {"a blank", "https://a.example ", NOT_AN_ORIGIN},
    {"bytes above ASCII", "https://\xc3\xa4.example", NOT_AN_ORIGIN},
    {"half an address", "http://[::1", "has no valid port"},
    {"an address that is none", "http://[x]", NOT_AN_ORIGIN},
    {"a port that is none", "https://a.example:x", "has no valid port"},
    {"a port out of range", "https://a.example:65536", "has no valid port"},
    {"a port with a zero", "https://a.example:080", "has no valid port"},
    {"an empty port", "https://a.example:", "has no valid port"},
    {"the default port", "https://a.example:443", "names the default port, which no browser sends"},
    {"a * in the scheme", "h*", NO_SCHEME},
    {"a * as the host", "https://*", OTHERS},
    {"a * at the end", "https://example.*", OTHERS},
    {"a * before part of a domain", "https://*example.com", OTHERS},
    {"a * behind part of a domain", "https://app*.com", OTHERS},
    {"a * in the port", "https://a.example:*", "has no valid port"},
    {"two *", "https://*.*.example.com", "has more than one '*'"},
};

static void check_refused(void **state)
{
    const struct refused_row *row = *state;
    cmw_cors_config config;
    char sentence[256];

    cmw_cors_config_init(&config);
    config.allow_origins = &row->origin;
    config.allow_origin_count = 1;
    snprintf(sentence, sizeof sentence, "cors: allow_origins: '%s' %s", row->origin, row->sentence);
    assert_refused("cors", &config, CMW_ERR_INVALID, sentence);
}

static void refuse(configure_fn *configure, int code, const char *sentence)
{
    cmw_cors_config config;

    cmw_cors_config_init(&config);
    configure(&config);
    assert_refused("cors", &config, code, sentence);
}

static void star_with_credentials(cmw_cors_config *config)
{
    ORIGINS(config, A, "*");
    config->allow_credentials = 1;
}

static void exposing_all_with_credentials(cmw_cors_config *config)
{
    two(config);
    EXPOSED(config, "*");
    config->allow_credentials = 1;
}

static void bad_method(cmw_cors_config *config)
{
    METHODS(config, "GET", "P UT");
}

static void bad_header(cmw_cors_config *config)
{
    HEADERS(config, "X-One", "X-One, X-Two");
}

static void bad_exposed(cmw_cors_config *config)
{
    EXPOSED(config, "");
}

static void bad_max_age(cmw_cors_config *config)
{
    config->max_age_s = -2;
}

static void bad_status(cmw_cors_config *config)
{
    config->preflight_status = 304;
}

static void configs_that_are_wrong_or_unsafe_are_refused(void **state)
{
    (void)state;
    refuse(star_with_credentials, CMW_ERR_CONFLICT,
           "cors: allow_origins: '*' cannot go with allow_credentials: every site could act for "
           "the user; list the origins");
    refuse(exposing_all_with_credentials, CMW_ERR_CONFLICT,
           "cors: expose_headers: '*' means nothing with allow_credentials; list the fields");
    refuse(bad_method, CMW_ERR_INVALID, "cors: allow_methods: 'P UT' is no method");
    refuse(bad_header, CMW_ERR_INVALID, "cors: allow_headers: 'X-One, X-Two' is no field name");
    refuse(bad_exposed, CMW_ERR_INVALID, "cors: expose_headers: '' is no field name");
    refuse(bad_max_age, CMW_ERR_INVALID, "cors: max_age: -2 is not between 0 and 2147483647");
    refuse(bad_status, CMW_ERR_INVALID,
           "cors: preflight_status: 304 is not between 200 and 299, and a browser would refuse it");
}

static void a_config_of_a_newer_version_is_refused(void **state)
{
    struct {
        cmw_cors_config config;
        int more;
    } newer;

    (void)state;
    cmw_cors_config_init(&newer.config);
    newer.config.size = sizeof newer;
    newer.more = 1;
    assert_refused("cors", &newer.config, CMW_ERR_VERSION,
                   "cors: the config is of a newer version");
}

static void creating_survives_failing_memory(void **state)
{
    cmw_cors_config config;

    (void)state;
    cmw_cors_config_init(&config);
    usual(&config);
    EXPOSED(&config, "X-One");
    assert_survives_failing_memory("cors", &config);
}

/* ---- Order -------------------------------------------------------------------------------- */

static void who_may_refuse_stands_behind_cors(void **state)
{
    cmw_test *test = NULL;
    cmw_chain *chain = NULL;
    cmw_plan *plan = NULL;
    cmw_diag diag = {0};

    (void)state;
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    assert_int_equal(cmw_chain_create(cmw_test_engine(test), &chain, 0), 0);
    assert_int_equal(cmw_chain_use(chain, "cors", NULL, &diag), 0);
    assert_int_equal(cmw_chain_use(chain, "method_filter", NULL, &diag), 0);
    assert_int_equal(cmw_chain_set_priority(chain, "cors", 275), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), CMW_ERR_ORDER);
    assert_non_null(strstr(diag.message, "'cors'"));
    assert_non_null(strstr(diag.message, "'method_filter'"));
    assert_int_equal(cmw_chain_set_priority(chain, "cors", 250), 0);
    assert_int_equal(cmw_chain_compile(chain, &plan, &diag), 0);
    cmw_plan_release(plan);
    cmw_chain_destroy(chain);
    close_bench(test);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(configs_that_are_wrong_or_unsafe_are_refused),
        cmocka_unit_test(a_config_of_a_newer_version_is_refused),
        cmocka_unit_test(creating_survives_failing_memory),
        cmocka_unit_test(who_may_refuse_stands_behind_cors),
    };
    struct CMUnitTest refused[LEN(refused_rows)];

    for (size_t i = 0; i < LEN(refused_rows); i++)
        refused[i] = ROW_TEST(&refused_rows[i], check_refused);
    return cmocka_run_group_tests_name("cors, refused origins", refused, NULL, NULL) +
           cmocka_run_group_tests_name("cors, configs", others, NULL, NULL);
}
