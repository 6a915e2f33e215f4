/* SPDX-License-Identifier: MIT */
/*
 * Protocol: a structured dictionary of five members, and what built-ins make of fields.
 */
#include <catzilla/builtin/cache_control.h>
#include <catzilla/builtin/conditional.h>
#include <catzilla/builtin/content_negotiation.h>
#include <catzilla/builtin/content_type.h>
#include <catzilla/builtin/cookies.h>
#include <catzilla/builtin/csrf.h>
#include <catzilla/builtin/trace_context.h>
#include <catzilla/builtin/vary.h>

#include "life.h"

static struct life with_builtin, empty;

static void use(cmw_chain *chain, const char *kind, const void *config)
{
    cmw_diag diag = {0};
    life_check(cmw_chain_use(chain, kind, config, &diag), &diag);
}

/* A request of the browser's fields and `extra` ones, whose ids the host gives. */
enum { EXTRA_CAP = 4, FIELD_CAP = BROWSER_HEADER_COUNT + EXTRA_CAP };
static cmw_header fields[FIELD_CAP];
static uint8_t ids[16];
_Static_assert(FIELD_CAP <= sizeof ids, "one word of ids");

static void open_request(struct sides *sides, life_fill_fn *fill, const cmw_header *extra,
                         uint32_t count)
{
    life_open(&with_builtin, fill);
    life_open(&empty, NULL);
    memcpy(fields, browser_headers, sizeof browser_headers);
    for (uint32_t i = 0; i < count; i++)
        fields[BROWSER_HEADER_COUNT + i] = extra[i];
    for (uint32_t i = 0; i < BROWSER_HEADER_COUNT + count; i++)
        ids[i] = (uint8_t)cmw_header_id_find(fields[i].name);
    with_builtin.view.headers = empty.view.headers = fields;
    with_builtin.view.header_ids = empty.view.header_ids = ids;
    with_builtin.view.header_count = empty.view.header_count = BROWSER_HEADER_COUNT + count;
    sides->at[SIDE_SUBJECT] = (struct side){life_run_empty, &with_builtin};
    sides->at[SIDE_BASE] = (struct side){life_run_empty, &empty};
}

static void close_request(void)
{
    life_close(&with_builtin);
    life_close(&empty);
}

/* ---- Structured fields ------------------------------------------------------------------ */

static const cmw_str dictionary = CMW_STR_INIT("u=1, i, a=5, b=?1, c=abc");

static void run_dictionary(void *state, uint64_t iterations)
{
    const cmw_str *const field = state;

    for (uint64_t left = iterations; left > 0; left--) {
        cmw_sf_reader reader;
        cmw_sf_value value;
        cmw_str key;
        int count = 0;

        bench_touch(field);
        cmw_sf_reader_init(&reader, *field);
        while (cmw_sf_next_member(&reader, &key, &value) > 0) {
            bench_touch(&key);
            bench_touch(&value);
            count++;
        }
        if (count != 5)
            bench_die("the dictionary has five members", NULL);
    }
}

static void run_touch(void *state, uint64_t iterations)
{
    for (uint64_t left = iterations; left > 0; left--)
        bench_touch(state);
}

static void open_dictionary(struct sides *sides)
{
    static cmw_str field;

    field = dictionary;
    sides->at[SIDE_SUBJECT] = (struct side){run_dictionary, &field};
    sides->at[SIDE_BASE] = (struct side){run_touch, &field};
}

static void close_nothing(void)
{
}

/* ---- Traces ----------------------------------------------------------------------------- */

static const cmw_header trace[] = {
    {CMW_STR_INIT("traceparent"),
     CMW_STR_INIT("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")},
    {CMW_STR_INIT("tracestate"), CMW_STR_INIT("congo=t61rcWkgMzE,rojo=00f067aa0ba902b7")},
};

static void fill_trace(cmw_chain *chain)
{
    use(chain, "trace_context", NULL);
}

static void open_trace(struct sides *sides)
{
    open_request(sides, fill_trace, trace, 1);
}

static void open_trace_state(struct sides *sides)
{
    open_request(sides, fill_trace, trace, 2);
}

/* ---- Cookies ---------------------------------------------------------------------------- */

/* Eleven of 30 bytes each, with their separators. */
static const char many_cookies[] =
    "session=31d4d96e407aad42f2d6; theme_of_it=dark_or_not_at_all; csrf_tok=YWJjZGVmZ2hpamtsbQ; "
    "language=en-US_or_whatever; cart=7f3e9a0c5b1d2e4f6a8b90; visitor=GA1.2.1234567.987654; "
    "consent=yes,but_not_today; bucket_ab=control_or_treated; last_seen=1767225600_or_so; "
    "region=eu-central-1_or_none; tracking_id=none_of_that_h";
static cmw_header cookie_field = {CMW_STR_INIT("Cookie"), {many_cookies, 0}};
static cmw_slot cookies_slot;

static void fill_cookies(cmw_chain *chain)
{
    use(chain, "cookies", NULL);
}

static inline int ask_cookies(struct life *life, cmw_ctx *ctx)
{
    size_t count;

    if (!cmw_cookies_all(cmw_ctx_slot(ctx, cookies_slot), &count) || count == 0)
        return 1;
    return life_handle_empty(life, ctx);
}

static void run_cookies(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, ask_cookies, life_read_nothing)
}

static void open_cookies(struct sides *sides, size_t len)
{
    cookie_field.value.len = len;
    open_request(sides, fill_cookies, &cookie_field, 1);
    cookies_slot = cmw_slot_find(with_builtin.engine, "cookies");
    sides->at[SIDE_SUBJECT].run = run_cookies;
}

static void open_cookie(struct sides *sides)
{
    open_cookies(sides, (size_t)(strchr(many_cookies, ';') - many_cookies));
}

static void open_many_cookies(struct sides *sides)
{
    open_cookies(sides, sizeof many_cookies - 1);
}

/* ---- Conditional requests --------------------------------------------------------------- */

static const cmw_header none_match = {CMW_STR_INIT("If-None-Match"), CMW_STR_INIT("\"33a64df5\"")};

static void fill_conditional(cmw_chain *chain)
{
    use(chain, "conditional", NULL);
}

static inline int answer_tagged(struct life *life, cmw_ctx *ctx)
{
    if (cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_ETAG, CMW_STR("\"33a64df5\"")) != 0)
        return 1;
    return life_handle_empty(life, ctx);
}

static void run_tagged(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, answer_tagged, life_read_nothing)
}

static void open_conditional(struct sides *sides)
{
    open_request(sides, fill_conditional, &none_match, 1);
    sides->at[SIDE_SUBJECT].run = sides->at[SIDE_BASE].run = run_tagged;
}

/* ---- Cross-site requests ---------------------------------------------------------------- */

/* The browser's fields say Sec-Fetch-Site: same-origin. */
static const cmw_header own_origin = {CMW_STR_INIT("Origin"),
                                      CMW_STR_INIT("https://www.example.com")};

static void fill_csrf(cmw_chain *chain)
{
    static const char *const trusted[] = {"https://app.example.com"};
    cmw_csrf_config config;

    cmw_csrf_config_init(&config);
    config.trusted_origins = trusted;
    config.trusted_origin_count = 1;
    use(chain, "csrf", &config);
}

static void open_csrf(struct sides *sides)
{
    open_request(sides, fill_csrf, &own_origin, 1);
    with_builtin.view.method = empty.view.method = CMW_STR("POST");
}

/* ---- Kinds of content ------------------------------------------------------------------- */

static const cmw_header json_type = {CMW_STR_INIT("Content-Type"),
                                     CMW_STR_INIT("application/json; charset=utf-8")};

static void fill_negotiation(cmw_chain *chain)
{
    static const char *const types[] = {"application/json", "text/html"};
    static const char *const languages[] = {"de", "en"};
    cmw_content_negotiation_config config;

    cmw_content_negotiation_config_init(&config);
    config.types = types;
    config.languages = languages;
    config.type_count = config.language_count = 2;
    use(chain, "content_negotiation", &config);
}

static void fill_types(cmw_chain *chain)
{
    static const char *const allow[] = {"text/*", "application/*+json", "application/json"};
    cmw_content_type_config config;

    cmw_content_type_config_init(&config);
    config.allow = allow;
    config.allow_count = LEN(allow);
    use(chain, "content_type", &config);
}

static void fill_cache(cmw_chain *chain)
{
    static const char *const errors[] = {"4xx", "5xx"};
    static const char *const html[] = {"text/html"};
    static const char *const json[] = {"application/json"};
    static const cmw_cache_rule rules[] = {
        {.value = "no-store", .statuses = errors, .status_count = 2},
        {.value = "no-cache", .types = html, .type_count = 1},
        {.value = "public, max-age=60", .types = json, .type_count = 1}};
    cmw_cache_control_config config;

    cmw_cache_control_config_init(&config);
    config.rules = rules;
    config.rule_count = LEN(rules);
    use(chain, "cache_control", &config);
}

static void fill_vary(cmw_chain *chain)
{
    static const char *const names[] = {"X-Tenant"};
    cmw_vary_config config;

    cmw_vary_config_init(&config);
    config.fields = names;
    config.field_count = 1;
    use(chain, "vary", &config);
}

static inline int answer_json(struct life *life, cmw_ctx *ctx)
{
    (void)life;
    return cmw_response_json_text(cmw_ctx_response(ctx), 200, CMW_STR("{}"));
}

static void run_json(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, answer_json, life_read_nothing)
}

static void open_negotiation(struct sides *sides)
{
    open_request(sides, fill_negotiation, NULL, 0);
}

static void open_types(struct sides *sides)
{
    open_request(sides, fill_types, &json_type, 1);
    with_builtin.view.method = empty.view.method = CMW_STR("POST");
    with_builtin.view.content_length = empty.view.content_length = 2;
}

static void open_cache(struct sides *sides)
{
    open_request(sides, fill_cache, NULL, 0);
    sides->at[SIDE_SUBJECT].run = sides->at[SIDE_BASE].run = run_json;
}

static void open_vary(struct sides *sides)
{
    open_request(sides, fill_vary, NULL, 0);
}

const struct row bench_protocol_rows[] = {
    {.name = "structured_dictionary_5",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 600}},
     .open = open_dictionary,
     .close = close_nothing},
    {.name = "trace_context",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 250}},
     .open = open_trace,
     .close = close_request},
    {.name = "trace_context_state", .open = open_trace_state, .close = close_request},
    {.name = "cookies_1", .open = open_cookie, .close = close_request},
    {.name = "cookies_11",
     .targets = {{.of = TARGET_STEP, .max = 40, .from = "cookies_1", .step_count = 10}},
     .open = open_many_cookies,
     .close = close_request},
    {.name = "conditional",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 200}},
     .open = open_conditional,
     .close = close_request},
    {.name = "csrf",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 80}},
     .open = open_csrf,
     .close = close_request},
    {.name = "content_negotiation", .open = open_negotiation, .close = close_request},
    {.name = "content_type", .open = open_types, .close = close_request},
    {.name = "cache_control", .open = open_cache, .close = close_request},
    {.name = "vary", .open = open_vary, .close = close_request},
    {.name = NULL},
};
