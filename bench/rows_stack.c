/* SPDX-License-Identifier: MIT */
/*
 * Whole stacks: what a request pays for several built-ins together, head written out. Requests come
 * a microsecond apart, by the engine's clock; the limit of 100 a ms is never reached.
 *
 *   stack_3   cors, security_headers, rate_limit
 *   stack_7   those, request_id, bearer, statistics (which every plan has), access_log
 *
 * The floor of stack_7 does the same work in one C function, with the tables and texts of one
 * program written into it. Sixteen clients, who never come to their limit.
 */
#include <fcntl.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include <catzilla/builtin/access_log.h>
#include <catzilla/builtin/bearer.h>
#include <catzilla/builtin/cors.h>
#include <catzilla/builtin/rate_limit.h>

#include "floor.h"
#include "life.h"

#define ORIGIN "https://admin.example.com"
#define STEP_NS UINT64_C(1000)
#define INTERVAL_NS UINT64_C(10000)

enum { TOKENS = 1000, TOKEN_SLOTS = 2048, TOKEN_LEN = 32, KNOWN = 617, CLIENTS = 16 };
enum { HEADERS = 16, POLL_EVERY = 512, RING = 1 << 18 };

static const char *const origins[] = {
    "https://www.example.com",  "https://example.com",
    "https://shop.example.com", ORIGIN,
    "https://m.example.com",    "https://status.example.net",
    "http://localhost:3000",    "https://*.preview.example.dev",
};

static struct life stack, empty;
static cmw_header headers[HEADERS];
static char tokens[TOKENS][TOKEN_LEN + 1];
static const char *token_list[TOKENS];
static char credentials[64];
static uint64_t turns[SIDE_COUNT];
static uint64_t first_ns; /* when the first request came */
static int null_fd = -1;

/* ---- The request ------------------------------------------------------------------------ */

static void make_tokens(void)
{
    for (size_t i = 0; i < TOKENS; i++) {
        for (size_t k = 0; k < TOKEN_LEN; k++)
            tokens[i][k] = (char)('a' + (i >> (k % 10)) % 26);
        token_list[i] = tokens[i];
    }
    (void)snprintf(credentials, sizeof credentials, "Bearer %s", tokens[KNOWN]);
}

static void open_life(struct life *life, life_fill_fn *fill)
{
    cmw_request_view *view = &life->view;
    const cmw_header more[] = {{CMW_STR("Origin"), CMW_STR(ORIGIN)},
                               {CMW_STR("Authorization"), cmw_str_cstr(credentials)}};

    life_open(life, fill);
    memcpy(headers, browser_headers, sizeof browser_headers);
    memcpy(headers + BROWSER_HEADER_COUNT, more, sizeof more);
    view->headers = headers;
    view->header_ids = life->ids;
    view->header_count = BROWSER_HEADER_COUNT + LEN(more);
    for (size_t i = BROWSER_HEADER_COUNT; i < view->header_count; i++) {
        life->ids[i] = (uint8_t)cmw_header_id_find(headers[i].name);
        view->header_bytes += (uint32_t)(headers[i].name.len + headers[i].value.len);
    }
}

/* The next client, one step later. */
static inline void next_turn(cmw_request_view *view, uint64_t *turn)
{
    const uint32_t client = (uint32_t)(*turn % CLIENTS) * 2654435761u;

    memcpy(view->peer.bytes, &client, 4);
    view->now_ns = first_ns + ++*turn * STEP_NS;
}

static inline void write_head(struct life *life, cmw_ctx *ctx)
{
    size_t len;

    if (cmw_response_write_head(cmw_ctx_response(ctx), &len, life->buffer, sizeof life->buffer,
                                CMW_READ_FIELDS) != 0)
        bench_die("the head has no room", NULL);
    bench_touch(life->buffer);
}

static inline void run_lives(struct life *life, uint64_t *turn, uint64_t iterations)
{
    for (uint64_t left = iterations; left > 0; left--) {
        cmw_ctx *ctx;
        next_turn(&life->view, turn);
        if (cmw_ctx_begin(life->worker, &ctx, &life->view) != 0)
            bench_die("a request did not begin", NULL);
        if (cmw_ctx_run(ctx) != CMW_TO_HANDLER || life_handle_empty(life, ctx) != 0)
            bench_die("a request was refused", NULL);
        cmw_ctx_commit(ctx);
        write_head(life, ctx);
        cmw_ctx_end(ctx, CMW_END_SENT);
        if (*turn % POLL_EVERY == 0)
            (void)cmw_engine_poll(life->engine);
    }
}

static void run_stack(void *state, uint64_t iterations)
{
    run_lives(state, &turns[SIDE_SUBJECT], iterations);
}

static void run_empty(void *state, uint64_t iterations)
{
    run_lives(state, &turns[SIDE_BASE], iterations);
}

/* ---- The chains ------------------------------------------------------------------------- */

static void use(cmw_chain *chain, const char *kind, const void *config)
{
    cmw_diag diag = {0};
    life_check(cmw_chain_use(chain, kind, config, &diag), &diag);
}

static void fill_3(cmw_chain *chain)
{
    cmw_cors_config cors;
    cmw_rate_limit_config limit;

    cmw_cors_config_init(&cors);
    cors.allow_origins = origins;
    cors.allow_origin_count = LEN(origins);
    use(chain, "cors", &cors);
    use(chain, "security_headers", NULL);
    cmw_rate_limit_config_init(&limit);
    limit.window_ms = 1;
    use(chain, "rate_limit", &limit);
}

static void fill_7(cmw_chain *chain)
{
    cmw_bearer_config bearer;
    cmw_access_log_config log;

    fill_3(chain);
    use(chain, "request_id", NULL);
    cmw_bearer_config_init(&bearer);
    bearer.tokens = token_list;
    bearer.token_count = TOKENS;
    use(chain, "bearer", &bearer);
    cmw_access_log_config_init(&log);
    log.fd = null_fd;
    use(chain, "access_log", &log);
}

/* ---- By hand ---------------------------------------------------------------------------- */

struct by_hand {
    cmw_hash_key key;
    struct {
        uint64_t hash;
        const char *token;
    } slots[TOKEN_SLOTS];
    struct {
        uint64_t tag, tat;
    } quotas[4096];
    uint64_t counters[16];
    uint64_t random[2];
    cmw_str security;
    size_t ring_at;
    char head[2048];
    char ring[RING + 2048];
};

static struct by_hand by_hand;

static char *put(char *to, const char *from, size_t len)
{
    memcpy(to, from, len);
    return to + len;
}
#define PUT(to, literal) put((to), literal, sizeof(literal) - 1)

static char *put_str(char *to, cmw_str text)
{
    return put(to, text.data, text.len);
}

static char *put_number(char *to, uint64_t number)
{
    char digits[20];
    size_t count = 0;

    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    while (count > 0)
        *to++ = digits[--count];
    return to;
}

static const cmw_header *field(const cmw_request_view *view, uint8_t id)
{
    for (uint32_t i = 0; i < view->header_count; i++)
        if (view->header_ids[i] == id)
            return &view->headers[i];
    return NULL;
}

static char *hand_cors(char *to, const cmw_request_view *view)
{
    const cmw_header *origin = field(view, CMW_HDR_ORIGIN);

    to = PUT(to, "Vary: Origin\r\n");
    for (size_t i = 0; origin && i + 1 < LEN(origins); i++)
        if (cmw_str_equals(origin->value, cmw_str_cstr(origins[i])))
            return PUT(put_str(PUT(to, "Access-Control-Allow-Origin: "), origin->value), "\r\n");
    return to;
}

/* A quota for each client; NULL: refused. */
static char *hand_limit(struct by_hand *own, char *to, const cmw_request_view *view)
{
    const uint64_t hash =
        cmw_hash_keyed(&own->key, cmw_str_make((const char *)view->peer.bytes, 4));
    const uint64_t now = view->now_ns;
    size_t at = hash & 4095;

    while (own->quotas[at].tag && own->quotas[at].tag != hash)
        at = (at + 1) & 4095;
    own->quotas[at].tag = hash;
    uint64_t next = own->quotas[at].tat > now ? own->quotas[at].tat : now;
    next += INTERVAL_NS;
    if (next - now > 100 * INTERVAL_NS)
        return NULL;
    own->quotas[at].tat = next;
    to = put_number(PUT(to, "RateLimit: \"default\";r="),
                    (100 * INTERVAL_NS - (next - now)) / INTERVAL_NS);
    to = put_number(PUT(to, ";t="), (next - now + 999999999) / 1000000000);
    return PUT(to, "\r\nRateLimit-Policy: \"default\";q=100;w=1\r\n");
}

/* A version 7 UUID of the clock and a generator that is not one for secrets. */
static char *hand_id(struct by_hand *own, char *to, uint64_t now_ns)
{
    const uint64_t words[2] = {now_ns / 1000000 << 16 | 0x7000 | (own->random[0] & 0xfff),
                               own->random[1] | UINT64_C(1) << 63};

    own->random[0] = own->random[0] * UINT64_C(6364136223846793005) + 1;
    own->random[1] = own->random[1] * UINT64_C(6364136223846793005) + 3;
    for (size_t i = 0; i < 16; i++) {
        const unsigned byte = (unsigned)(words[i / 8] >> (56 - 8 * (i % 8)) & 0xff);
        *to++ = "0123456789abcdef"[byte >> 4];
        *to++ = "0123456789abcdef"[byte & 15];
        if (i == 3 || i == 5 || i == 7 || i == 9)
            *to++ = '-';
    }
    return to;
}

static const char *hand_bearer(const struct by_hand *own, const cmw_request_view *view)
{
    const cmw_header *given = field(view, CMW_HDR_AUTHORIZATION);

    if (!given || given->value.len != 7 + TOKEN_LEN || memcmp(given->value.data, "Bearer ", 7) != 0)
        return NULL;
    const cmw_str token = cmw_str_make(given->value.data + 7, TOKEN_LEN);
    const uint64_t hash = cmw_hash_keyed(&own->key, token);
    for (size_t at = hash % TOKEN_SLOTS; own->slots[at].token; at = (at + 1) % TOKEN_SLOTS)
        if (own->slots[at].hash == hash &&
            cmw_str_equals_secret(token, cmw_str_make(own->slots[at].token, TOKEN_LEN)))
            return own->slots[at].token;
    return NULL;
}

/* Text of the client's that must not break the line. */
static char *put_escaped(char *to, cmw_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char byte = (unsigned char)text.data[i];
        if (byte < ' ' || byte > '~' || byte == '"' || byte == '\\') {
            *to++ = '\\';
            *to++ = 'x';
            *to++ = "0123456789abcdef"[byte >> 4];
            *to++ = "0123456789abcdef"[byte & 15];
        } else {
            *to++ = text.data[i];
        }
    }
    return to;
}

static void hand_log(struct by_hand *own, const cmw_request_view *view)
{
    const cmw_header *referer = field(view, CMW_HDR_REFERER);
    const cmw_header *agent = field(view, CMW_HDR_USER_AGENT);
    char *to = own->ring + own->ring_at;

    for (size_t i = 0; i < 4; i++)
        to = put_number(i ? PUT(to, ".") : to, view->peer.bytes[i]);
    to = PUT(to, " - token-618 [24/Nov/2026:12:00:00 +0000] \"");
    to = put_str(to, view->method);
    to = put_escaped(PUT(to, " "), view->target);
    to = PUT(to, " HTTP/1.1\" 200 0 \"");
    to = referer ? put_escaped(to, referer->value) : PUT(to, "-");
    to = PUT(to, "\" \"");
    to = agent ? put_escaped(to, agent->value) : PUT(to, "-");
    to = PUT(to, "\"\n");
    own->ring_at = (size_t)(to - own->ring) & (RING - 1);
}

static __attribute__((noinline)) int hand_request(struct by_hand *own, const cmw_request_view *view)
{
    char *to = PUT(own->head, "X-Request-ID: ");

    to = PUT(hand_id(own, to, view->now_ns), "\r\n");
    to = hand_cors(to, view);
    to = hand_limit(own, to, view);
    if (!to || !hand_bearer(own, view))
        return 0;
    (void)put_str(to, own->security);
    own->counters[2]++;
    hand_log(own, view);
    return 1;
}

static void run_by_hand(void *state, uint64_t iterations)
{
    struct by_hand *own = state;
    cmw_request_view *view = &empty.view;

    for (uint64_t left = iterations; left > 0; left--) {
        next_turn(view, &turns[SIDE_FLOOR]);
        if (!hand_request(own, view))
            bench_die("the floor refused", NULL);
        bench_touch(own->head);
    }
}

static void run_no_work(void *state, uint64_t iterations)
{
    for (uint64_t left = iterations; left > 0; left--) {
        next_turn(&empty.view, &turns[SIDE_FLOOR_BASE]);
        bench_touch(state);
    }
}

/* The fields of security_headers, as an engine of its own writes them. */
static void fill_security(cmw_chain *chain)
{
    use(chain, "security_headers", NULL);
}

static void open_by_hand(void)
{
    static struct life secured;
    static char text[2048];
    cmw_ctx *ctx;
    size_t len = 0;

    open_life(&secured, fill_security);
    if (cmw_ctx_begin(secured.worker, &ctx, &secured.view) != 0 ||
        cmw_ctx_run(ctx) != CMW_TO_HANDLER || life_handle_empty(&secured, ctx) != 0 ||
        cmw_ctx_commit(ctx) != CMW_TO_RESPOND ||
        cmw_response_write_head(cmw_ctx_response(ctx), &len, text, sizeof text, 0) != 0)
        bench_die("no security headers", NULL);
    cmw_ctx_end(ctx, CMW_END_SENT);
    life_close(&secured);
    memset(&by_hand, 0, sizeof by_hand);
    by_hand.security = cmw_str_make(text, len);
    life_check(cmw_hash_key_init(&by_hand.key), NULL);
    for (size_t i = 0; i < TOKENS; i++) {
        const uint64_t hash = cmw_hash_keyed(&by_hand.key, cmw_str_make(tokens[i], TOKEN_LEN));
        size_t at = hash % TOKEN_SLOTS;
        while (by_hand.slots[at].token)
            at = (at + 1) % TOKEN_SLOTS;
        by_hand.slots[at].hash = hash;
        by_hand.slots[at].token = tokens[i];
    }
}

/* ---- Rows ------------------------------------------------------------------------------- */

static void open_row(struct sides *sides, life_fill_fn *fill)
{
    struct timespec now;

    memset(turns, 0, sizeof turns);
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    first_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    null_fd = open("/dev/null", O_WRONLY);
    if (null_fd < 0)
        bench_die("no /dev/null", NULL);
    make_tokens();
    open_life(&stack, fill);
    open_life(&empty, NULL);
    sides->at[SIDE_SUBJECT] = (struct side){run_stack, &stack};
    sides->at[SIDE_BASE] = (struct side){run_empty, &empty};
}

static void open_3(struct sides *sides)
{
    open_row(sides, fill_3);
}

static void open_7(struct sides *sides)
{
    open_row(sides, fill_7);
    open_by_hand();
    sides->at[SIDE_FLOOR] = (struct side){run_by_hand, &by_hand};
    sides->at[SIDE_FLOOR_BASE] = (struct side){run_no_work, &by_hand};
}

static void close_row(void)
{
    life_close(&stack);
    life_close(&empty);
    (void)close(null_fd); /* nothing was to be kept */
}

const struct row bench_stack_rows[] = {
    {.name = "stack_3",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 420}},
     .open = open_3,
     .close = close_row},
    {.name = "stack_7",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 1150}, {.of = TARGET_RATIO, .max = 1.0}},
     .open = open_7,
     .close = close_row},
    {.name = NULL},
};
