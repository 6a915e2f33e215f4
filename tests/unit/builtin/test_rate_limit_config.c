/* SPDX-License-Identifier: MIT */
/* rate_limit: configurations that are refused, each with its sentence. */
#include "builtin_fixture.h"

#include <catzilla/builtin/rate_limit.h>

#define F CMW_RATE_FIXED_WINDOW
#define W CMW_RATE_SLIDING_WINDOW

static void fill_two(cmw_rate_limit_rule rules[2])
{
    for (size_t i = 0; i < 2; i++)
        cmw_rate_limit_rule_init(&rules[i]);
    rules[0].algorithm = F;
    rules[0].policy_name = "second";
    rules[0].limit = 2;
    rules[0].window_ms = 1000;
    rules[1].algorithm = F;
    rules[1].policy_name = "hour";
    rules[1].limit = 3;
    rules[1].window_ms = 3600000;
}

/* ---- Configuration ---------------------------------------------------------------------- */

struct refused {
    const char *name;
    void (*spoil)(cmw_rate_limit_config *config);
    int code;
    const char *sentence;
};

static const char *const styles_both[] = {"draft-8", "draft-7"};
static const char *const styles_none[] = {"none", "legacy"};
static const char *const styles_bad[] = {"draft-9"};
static const char *const skip_bad[] = {"10.0.0.0/33"};
static const char *const key_bad[] = {"cookie"};
static const char *const key_header[] = {"header:X Y"};
static const char *const key_twice[] = {"ip", "ip"};
static const char *const key_slot[] = {"slot:nobody"};
static const char *const key_fact[] = {"slot:host"};
static const char *const key_callback[] = {"callback"};
static const char *const key_long[] = {"ip",       "host",     "path",     "route",   "method",
                                       "header:a", "header:b", "header:c", "header:d"};
static char small_memory[128];
static cmw_rate_limit_rule bad_rules[2];

static void spoil_limit(cmw_rate_limit_config *config)
{
    config->limit = -1;
}
static void spoil_limit_high(cmw_rate_limit_config *config)
{
    config->limit = 16777216;
}
static void spoil_window(cmw_rate_limit_config *config)
{
    config->window_ms = -5;
}
static void spoil_burst(cmw_rate_limit_config *config)
{
    config->burst = -1;
}
static void spoil_burst_window(cmw_rate_limit_config *config)
{
    config->algorithm = F;
    config->burst = 5;
}
static void spoil_span(cmw_rate_limit_config *config)
{
    config->limit = 1;
    config->window_ms = CMW_RATE_WINDOW_MS_MAX;
    config->burst = 1000;
}
static void spoil_slide(cmw_rate_limit_config *config)
{
    config->algorithm = W;
    config->limit = 65535;
    config->window_ms = 100;
}
static void spoil_algorithm(cmw_rate_limit_config *config)
{
    config->algorithm = 3;
}
static void spoil_status(cmw_rate_limit_config *config)
{
    config->status = 200;
}
static void spoil_prefix(cmw_rate_limit_config *config)
{
    config->ipv6_prefix = 0;
}
static void spoil_entries(cmw_rate_limit_config *config)
{
    config->entries = 0;
}
static void spoil_full(cmw_rate_limit_config *config)
{
    config->full = 2;
}
static void spoil_name(cmw_rate_limit_config *config)
{
    config->policy_name = "a\nb";
}
static void spoil_name_empty(cmw_rate_limit_config *config)
{
    config->policy_name = "";
}

#define SPOIL_LIST(function, member, list)                                                         \
    static void function(cmw_rate_limit_config *config)                                            \
    {                                                                                              \
        config->member = list;                                                                     \
        config->member##_count = LEN(list);                                                        \
    }
SPOIL_LIST(spoil_styles, header_style, styles_both)
SPOIL_LIST(spoil_none, header_style, styles_none)
SPOIL_LIST(spoil_style, header_style, styles_bad)
SPOIL_LIST(spoil_skip, skip, skip_bad)
SPOIL_LIST(spoil_key, key, key_bad)
SPOIL_LIST(spoil_key_header, key, key_header)
SPOIL_LIST(spoil_key_twice, key, key_twice)
SPOIL_LIST(spoil_key_slot, key, key_slot)
SPOIL_LIST(spoil_key_fact, key, key_fact)
SPOIL_LIST(spoil_key_callback, key, key_callback)
SPOIL_LIST(spoil_key_long, key, key_long)

static void spoil_memory(cmw_rate_limit_config *config)
{
    config->memory = (void *)(((uintptr_t)small_memory + 63) & ~(uintptr_t)63);
    config->memory_bytes = 64;
}
static void spoil_alignment(cmw_rate_limit_config *config)
{
    config->memory = (void *)((((uintptr_t)small_memory + 63) & ~(uintptr_t)63) + 8);
    config->memory_bytes = 1 << 30;
}
static void spoil_both(cmw_rate_limit_config *config)
{
    fill_two(bad_rules);
    config->limits = bad_rules;
    config->limit_count = 2;
    config->window_ms = 5;
}
static void spoil_second(cmw_rate_limit_config *config)
{
    fill_two(bad_rules);
    bad_rules[1].limit = 0;
    config->limits = bad_rules;
    config->limit_count = 2;
}
static void spoil_names(cmw_rate_limit_config *config)
{
    fill_two(bad_rules);
    bad_rules[1].policy_name = "second";
    config->limits = bad_rules;
    config->limit_count = 2;
}
static void spoil_count(cmw_rate_limit_config *config)
{
    config->limits = bad_rules;
    config->limit_count = 9;
}
static void spoil_null(cmw_rate_limit_config *config)
{
    config->limit_count = 1;
}
static void spoil_rule_size(cmw_rate_limit_config *config)
{
    memset(bad_rules, 0, sizeof bad_rules);
    config->limits = bad_rules;
    config->limit_count = 1;
}

static const struct refused refusals[] = {
    {"a negative limit", spoil_limit, CMW_ERR_ARG, "rate_limit: limit: -1 is not in 1..16777215"},
    {"a limit too high", spoil_limit_high, CMW_ERR_ARG,
     "rate_limit: limit: 16777216 is not in 1..16777215"},
    {"a negative window", spoil_window, CMW_ERR_ARG,
     "rate_limit: window_ms: -5 is not in 1..31622400000"},
    {"a negative burst", spoil_burst, CMW_ERR_ARG, "rate_limit: burst: -1 is not in 0..16777215"},
    {"a burst of a window", spoil_burst_window, CMW_ERR_CONFLICT,
     "rate_limit: burst: only algorithm 'gcra' has one; a window takes its limit"},
    {"a burst of a thousand years", spoil_span, CMW_ERR_ARG,
     "rate_limit: burst: 1000 requests at this rate take more than 36 years"},
    {"a window too short to slide", spoil_slide, CMW_ERR_ARG,
     "rate_limit: window_ms: 100 is too short to slide with a limit of 65535: at least 256"},
    {"an unknown algorithm", spoil_algorithm, CMW_ERR_ARG,
     "rate_limit: algorithm: 3 is not in 0..2"},
    {"a status that refuses nothing", spoil_status, CMW_ERR_ARG,
     "rate_limit: status: 200 is not in 400..599"},
    {"an IPv6 prefix of no bits", spoil_prefix, CMW_ERR_ARG,
     "rate_limit: ipv6_prefix: 0 is not in 1..128"},
    {"a table of no entries", spoil_entries, CMW_ERR_ARG,
     "rate_limit: entries: 0 is not in 1..268435456"},
    {"an unknown fallback", spoil_full, CMW_ERR_ARG, "rate_limit: full: 2 is not in 0..1"},
    {"a name with a line end", spoil_name, CMW_ERR_INVALID,
     "rate_limit: policy_name: 'a\nb' holds a character that is not printable ASCII"},
    {"an empty name", spoil_name_empty, CMW_ERR_INVALID,
     "rate_limit: policy_name: '' has not 1 to 64 characters"},
    {"two drafts at once", spoil_styles, CMW_ERR_CONFLICT,
     "rate_limit: header_style: 'draft-8' and 'draft-7' use the same fields"},
    {"none beside another style", spoil_none, CMW_ERR_CONFLICT,
     "rate_limit: header_style: 'none' stands beside another style"},
    {"an unknown style", spoil_style, CMW_ERR_INVALID,
     "rate_limit: header_style: 'draft-9' is none of draft-8, draft-7, draft-6, legacy, none"},
    {"a bad network", spoil_skip, CMW_ERR_INVALID, NULL},
    {"an unknown key", spoil_key, CMW_ERR_INVALID,
     "rate_limit: key: 'cookie' is none of ip, header:NAME, principal, slot:NAME, route, host, "
     "path, method, callback"},
    {"a header that cannot be", spoil_key_header, CMW_ERR_INVALID,
     "rate_limit: key: 'header:X Y': that is no name of a field"},
    {"a part twice", spoil_key_twice, CMW_ERR_EXISTS, "rate_limit: key: 'ip' stands twice"},
    {"a slot that nobody declared", spoil_key_slot, CMW_ERR_NOT_FOUND,
     "rate_limit: key: 'slot:nobody': no such slot is declared"},
    {"a fact as a slot", spoil_key_fact, CMW_ERR_INVALID,
     "rate_limit: key: 'slot:host': a fact has no bytes to count by"},
    {"a callback that is not given", spoil_key_callback, CMW_ERR_ARG,
     "rate_limit: key: 'callback' needs key_fn"},
    {"a key of nine parts", spoil_key_long, CMW_ERR_ARG,
     "rate_limit: key: 9 parts are more than 8"},
    {"too little memory", spoil_memory, CMW_ERR_ARG,
     "rate_limit: memory_bytes: 64 are too few: 1 limits of 65536 entries need 1048704"},
    {"memory that is not aligned", spoil_alignment, CMW_ERR_ARG,
     "rate_limit: memory: it is not aligned to 64 bytes"},
    {"one limit beside several", spoil_both, CMW_ERR_CONFLICT,
     "rate_limit: limits: algorithm, limit, window_ms, burst, key and policy_name belong into each "
     "of them"},
    {"a bad second limit", spoil_second, CMW_ERR_ARG,
     "rate_limit: limits[1].limit: 0 is not in 1..16777215"},
    {"one name for two limits", spoil_names, CMW_ERR_EXISTS,
     "rate_limit: policy_name: 'second' stands twice"},
    {"nine limits", spoil_count, CMW_ERR_ARG, "rate_limit: limits: 9 is not in 0..8"},
    {"limits that are not there", spoil_null, CMW_ERR_ARG,
     "rate_limit: limits: 1 limits, but NULL"},
    {"limits that were not initialised", spoil_rule_size, CMW_ERR_VERSION,
     "rate_limit: limits[0]: call cmw_rate_limit_rule_init"},
};

static void check_refusal(void **state)
{
    const struct refused *row = *state;
    cmw_rate_limit_config config;
    cmw_test *test = NULL;
    cmw_middleware middleware;
    cmw_diag diag = {0};

    cmw_rate_limit_config_init(&config);
    row->spoil(&config);
    if (row->sentence) {
        assert_refused("rate_limit", &config, row->code, row->sentence);
        return;
    }
    assert_int_equal(cmw_test_create(&test, NULL), 0);
    cmw_middleware_init(&middleware);
    assert_int_equal(cmw_rate_limit_create(cmw_test_engine(test), &middleware, &config, &diag),
                     row->code);
    assert_non_null(strstr(diag.message, "10.0.0.0/33"));
    close_bench(test);
}

static void creating_survives_failing_memory(void **state)
{
    cmw_rate_limit_rule rules[2];
    cmw_rate_limit_config config;

    (void)state;
    fill_two(rules);
    cmw_rate_limit_config_init(&config);
    config.limits = rules;
    config.limit_count = 2;
    config.entries = 100;
    assert_survives_failing_memory("rate_limit", &config);
    assert_survives_failing_memory("rate_limit", NULL);
}

int main(void)
{
    const struct CMUnitTest others[] = {
        cmocka_unit_test(creating_survives_failing_memory),
    };
    struct CMUnitTest tests[LEN(refusals)];

    for (size_t i = 0; i < LEN(refusals); i++)
        tests[i] = ROW_TEST(&refusals[i], check_refusal);
    return cmocka_run_group_tests_name("rate_limit, refused configurations", tests, NULL, NULL) +
           cmocka_run_group_tests_name("rate_limit, creating", others, NULL, NULL);
}
