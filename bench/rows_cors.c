/* SPDX-License-Identifier: MIT */
/*
 * What browsers are told: CORS on an answer and on a preflight, and the security headers.
 *
 * Requests are a browser's, with ids as a host's parser would give them.
 */
#include <catzilla/builtin/cors.h>
#include <catzilla/builtin/security_headers.h>

#include "floor.h"
#include "life.h"

#define ORIGIN "https://admin.example.com"

static const char *const origins[] = {
    "https://www.example.com",   "https://example.com",           "https://shop.example.com",
    "https://admin.example.com", "https://m.example.com",         "https://status.example.net",
    "http://localhost:3000",     "https://*.preview.example.dev",
};
static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "DELETE"};
static const char *const names[] = {"Content-Type", "Authorization", "X-Requested-With"};
static const char *const exposed[] = {"X-Request-ID"};

/* Room for ids is a multiple of 16. */
struct asked {
    struct life life;
    cmw_header headers[16];
};

static struct asked asked, empty;

static void fill_cors(cmw_chain *chain)
{
    cmw_cors_config config;
    cmw_diag diag = {0};

    cmw_cors_config_init(&config);
    config.allow_origins = origins;
    config.allow_origin_count = LEN(origins);
    config.allow_methods = methods;
    config.allow_method_count = LEN(methods);
    config.allow_headers = names;
    config.allow_header_count = LEN(names);
    config.expose_headers = exposed;
    config.expose_header_count = LEN(exposed);
    config.allow_credentials = 1;
    config.max_age_s = 600;
    life_check(cmw_chain_use(chain, "cors", &config, &diag), &diag);
}

static void open_asked(struct asked *side, life_fill_fn *fill, const cmw_header *more, size_t count)
{
    cmw_request_view *view = &side->life.view;

    life_open(&side->life, fill);
    memcpy(side->headers, browser_headers, sizeof browser_headers);
    if (count > 0)
        memcpy(side->headers + BROWSER_HEADER_COUNT, more, count * sizeof *more);
    view->headers = side->headers;
    view->header_count = (uint32_t)(BROWSER_HEADER_COUNT + count);
    view->header_ids = side->life.ids;
    for (size_t i = 0; i < count; i++) {
        view->header_bytes += (uint32_t)(more[i].name.len + more[i].value.len);
        side->life.ids[BROWSER_HEADER_COUNT + i] = (uint8_t)cmw_header_id_find(more[i].name);
    }
}

/* ---- On an answer ----------------------------------------------------------------------- */

static void run_answer(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, life_handle_empty, life_read_nothing)
}

/* By hand: the origins one after the other, and a slice of a block that was written out before. */
static int floor_answer(cmw_str *slices, const struct asked *side, const cmw_str *blocks)
{
    cmw_str origin = {NULL, 0};
    size_t count = 0;

    for (uint32_t i = 0; i < side->life.view.header_count; i++) {
        if (side->life.ids[i] != CMW_HDR_ORIGIN)
            continue;
        origin = side->headers[i].value;
        count++;
    }
    for (size_t i = 0; count == 1 && i + 1 < LEN(origins); i++) {
        if (!cmw_str_equals(origin, cmw_str_cstr(origins[i])))
            continue;
        slices[0] = blocks[i];
        return 1;
    }
    return 0;
}

static cmw_str blocks[LEN(origins)];

static void run_floor(void *state, uint64_t iterations)
{
    struct asked *side = state;

    for (uint64_t left = iterations; left > 0; left--) {
        if (!floor_answer(side->life.slices, side, blocks))
            bench_die("the floor does not know the origin", NULL);
        bench_touch(side->life.slices);
    }
}

static void run_loop(void *state, uint64_t iterations)
{
    for (uint64_t left = iterations; left > 0; left--)
        bench_touch(state);
}

static const cmw_header origin_field[] = {{CMW_STR_INIT("Origin"), CMW_STR_INIT(ORIGIN)}};

static void open_cors(struct sides *sides)
{
    open_asked(&asked, fill_cors, origin_field, LEN(origin_field));
    open_asked(&empty, NULL, origin_field, LEN(origin_field));
    for (size_t i = 0; i < LEN(blocks); i++)
        blocks[i] = CMW_STR("Vary: Origin\r\nAccess-Control-Allow-Origin: " ORIGIN "\r\n");
    sides->at[SIDE_SUBJECT] = (struct side){run_answer, &asked.life};
    sides->at[SIDE_BASE] = (struct side){life_run_empty, &empty.life};
    sides->at[SIDE_FLOOR] = (struct side){run_floor, &asked};
    sides->at[SIDE_FLOOR_BASE] = (struct side){run_loop, &asked};
}

static const cmw_header pattern_field[] = {
    {CMW_STR_INIT("Origin"), CMW_STR_INIT("https://pr-123.preview.example.dev")}};

static void open_pattern(struct sides *sides)
{
    open_asked(&asked, fill_cors, pattern_field, LEN(pattern_field));
    open_asked(&empty, NULL, pattern_field, LEN(pattern_field));
    sides->at[SIDE_SUBJECT] = (struct side){run_answer, &asked.life};
    sides->at[SIDE_BASE] = (struct side){life_run_empty, &empty.life};
}

/* ---- On a preflight ----------------------------------------------------------------------- */

static const cmw_header preflight_fields[] = {
    {CMW_STR_INIT("Origin"), CMW_STR_INIT(ORIGIN)},
    {CMW_STR_INIT("Access-Control-Request-Method"), CMW_STR_INIT("PUT")},
    {CMW_STR_INIT("Access-Control-Request-Headers"),
     CMW_STR_INIT("authorization,content-type,x-requested-with")},
};

static void open_preflight(struct sides *sides)
{
    open_asked(&asked, fill_cors, preflight_fields, LEN(preflight_fields));
    open_asked(&empty, NULL, preflight_fields, LEN(preflight_fields));
    asked.life.view.method = CMW_STR("OPTIONS");
    sides->at[SIDE_SUBJECT] = (struct side){run_answer, &asked.life};
    sides->at[SIDE_BASE] = (struct side){run_loop, &empty.life};
}

/* ---- Security headers --------------------------------------------------------------------- */

/* helmet's twelve over https, one of them by scheme, and X-Powered-By looked for. */
static void fill_security(cmw_chain *chain)
{
    cmw_diag diag = {0};

    life_check(cmw_chain_use(chain, "security_headers", NULL, &diag), &diag);
}

/* Twelve that are the same in every answer. */
static void fill_constant(cmw_chain *chain)
{
    cmw_security_headers_config config;
    cmw_diag diag = {0};

    cmw_security_headers_config_init(&config);
    config.switches.strict_transport_security = 0;
    config.switches.x_powered_by = 0;
    config.switches.cross_origin_embedder_policy = 1;
    life_check(cmw_chain_use(chain, "security_headers", &config, &diag), &diag);
}

/* What was read out, and where a floor copies it to. */
static struct head {
    size_t len;
    char bytes[2048];
    _Alignas(64) char to[2048]; /* as life.buffer */
} head;

static inline void read_bytes(struct life *life, cmw_ctx *ctx)
{
    if (cmw_response_write_head(cmw_ctx_response(ctx), &head.len, life->buffer, sizeof life->buffer,
                                CMW_READ_FIELDS) != 0)
        bench_die("the head has no room", NULL);
    bench_touch(life->buffer);
}

static void run_security(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, life_handle_empty, read_bytes)
}

static void run_copy(void *state, uint64_t iterations)
{
    struct head *copied = state;

    for (uint64_t left = iterations; left > 0; left--) {
        floor_copy(copied->to, copied->bytes, copied->len);
        bench_touch(copied->to);
    }
}

static void open_security_row(struct sides *sides, life_fill_fn *fill)
{
    open_asked(&asked, fill, NULL, 0);
    open_asked(&empty, NULL, NULL, 0);
    asked.life.view.scheme = CMW_SCHEME_HTTPS;
    empty.life.view.scheme = CMW_SCHEME_HTTPS;
    run_security(&asked.life, 1);
    memcpy(head.bytes, asked.life.buffer, head.len);
    sides->at[SIDE_SUBJECT] = (struct side){run_security, &asked.life};
    sides->at[SIDE_BASE] = (struct side){life_run_empty, &empty.life};
    sides->at[SIDE_FLOOR] = (struct side){run_copy, &head};
    sides->at[SIDE_FLOOR_BASE] = (struct side){run_loop, &head};
}

static void open_security(struct sides *sides)
{
    open_security_row(sides, fill_security);
}

static void open_constant(struct sides *sides)
{
    open_security_row(sides, fill_constant);
}

static void close_row(void)
{
    life_close(&asked.life);
    life_close(&empty.life);
}

const struct row bench_cors_rows[] = {
    {.name = "cors",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 180}},
     .open = open_cors,
     .close = close_row},
    {.name = "cors_pattern", .open = open_pattern, .close = close_row},
    {.name = "cors_preflight",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 1000}},
     .open = open_preflight,
     .close = close_row},
    {.name = "security_headers",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 130}},
     .open = open_constant,
     .close = close_row},
    {.name = "security_https", .open = open_security, .close = close_row},
    {.name = NULL},
};
