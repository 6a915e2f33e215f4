/* SPDX-License-Identifier: MIT */
/*
 * Authentication: one bearer token of a thousand, and one user's password of a thousand.
 *
 * The floor of `bearer` keeps the same tokens in a table of its own: a keyed hash finds one, and
 * all of its bytes are compared.
 */
#include <stdio.h>
#include <stdlib.h>

#include <catzilla/builtin/basic_auth.h>
#include <catzilla/builtin/bearer.h>

#include "life.h"

enum { COUNT = 1000, SLOTS = 2048, TOKEN_LEN = 32, KNOWN = 617, HEADER_CAP = 16 };

static struct life with_auth, empty;
static char tokens[COUNT][TOKEN_LEN + 1];
static const char *token_list[COUNT];
static cmw_option_text users[COUNT];
static cmw_header headers[HEADER_CAP];
static char credentials[128];

/* ---- By hand ---------------------------------------------------------------------------- */

static cmw_hash_key key;
static struct {
    uint64_t hash;
    const char *token;
} slots[SLOTS];
static const char *known; /* what the handler would read */

static void fill_slots(void)
{
    if (cmw_hash_key_init(&key) != 0)
        bench_die("no random bytes", NULL);
    memset(slots, 0, sizeof slots);
    for (size_t i = 0; i < COUNT; i++) {
        const uint64_t hash = cmw_hash_keyed(&key, cmw_str_make(tokens[i], TOKEN_LEN));
        size_t at = hash % SLOTS;
        while (slots[at].token)
            at = (at + 1) % SLOTS;
        slots[at].hash = hash;
        slots[at].token = tokens[i];
    }
}

static int is_same(const char *a, const char *b)
{
    uint64_t difference = 0;

    for (size_t i = 0; i < TOKEN_LEN; i += 8) {
        uint64_t x, y;
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        difference |= x ^ y;
    }
    return difference == 0;
}

/* Read the field, find the token, note it: 0, or 1 for 401. */
static inline int handle_by_hand(struct life *life, cmw_ctx *ctx)
{
    const cmw_header *field = cmw_request_header(cmw_ctx_request(ctx), CMW_HDR_AUTHORIZATION);

    if (!field || field->value.len != 7 + TOKEN_LEN || memcmp(field->value.data, "Bearer ", 7) != 0)
        return 1;
    const cmw_str token = cmw_str_make(field->value.data + 7, TOKEN_LEN);
    const uint64_t hash = cmw_hash_keyed(&key, token);
    for (size_t at = hash % SLOTS; slots[at].token; at = (at + 1) % SLOTS) {
        if (slots[at].hash != hash || !is_same(slots[at].token, token.data))
            continue;
        known = slots[at].token;
        return life_handle_empty(life, ctx);
    }
    return 1;
}

static void run_by_hand(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, handle_by_hand, life_read_nothing)
}

/* ---- The rows --------------------------------------------------------------------------- */

static void make_secrets(void)
{
    static const char digits[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";
    uint32_t state = 12345;

    for (size_t i = 0; i < COUNT; i++) {
        for (size_t j = 0; j < TOKEN_LEN; j++) {
            state = state * 1664525 + 1013904223;
            tokens[i][j] = digits[state >> 26];
        }
        token_list[i] = tokens[i];
        users[i].name = tokens[i];
        users[i].text = tokens[COUNT - 1 - i] + 16;
    }
}

static void fill_bearer(cmw_chain *chain)
{
    cmw_bearer_config config;
    cmw_diag diag = {0};

    cmw_bearer_config_init(&config);
    config.tokens = token_list;
    config.token_count = COUNT;
    life_check(cmw_chain_use(chain, "bearer", &config, &diag), &diag);
}

static void fill_basic(cmw_chain *chain)
{
    cmw_basic_auth_config config;
    cmw_diag diag = {0};

    cmw_basic_auth_config_init(&config);
    config.users = users;
    config.user_count = COUNT;
    life_check(cmw_chain_use(chain, "basic_auth", &config, &diag), &diag);
}

/* The browser's request, and Authorization. */
static void add_field(struct life *life)
{
    memcpy(headers, browser_headers, sizeof browser_headers);
    headers[BROWSER_HEADER_COUNT].name = CMW_STR("Authorization");
    headers[BROWSER_HEADER_COUNT].value = cmw_str_cstr(credentials);
    life->ids[BROWSER_HEADER_COUNT] = CMW_HDR_AUTHORIZATION;
    life->view.headers = headers;
    life->view.header_count = BROWSER_HEADER_COUNT + 1;
    life->view.header_bytes += (uint32_t)(13 + headers[BROWSER_HEADER_COUNT].value.len);
    life->view.header_ids = life->ids;
}

static void open_lives(life_fill_fn *fill)
{
    life_open(&with_auth, fill);
    life_open(&empty, NULL);
    add_field(&with_auth);
    add_field(&empty);
}

static void run_auth(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, life_handle_empty, life_read_nothing)
}

static void open_bearer(struct sides *sides)
{
    make_secrets();
    fill_slots();
    (void)snprintf(credentials, sizeof credentials, "Bearer %s", tokens[KNOWN]);
    open_lives(fill_bearer);
    sides->at[SIDE_SUBJECT] = (struct side){run_auth, &with_auth};
    sides->at[SIDE_BASE] = (struct side){life_run_empty, &empty};
    sides->at[SIDE_FLOOR] = (struct side){run_by_hand, &empty};
    sides->at[SIDE_FLOOR_BASE] = (struct side){life_run_empty, &empty};
}

static void open_basic(struct sides *sides)
{
    char clear[TOKEN_LEN * 2];
    size_t len = 0;

    make_secrets();
    (void)snprintf(clear, sizeof clear, "%s:%s", users[KNOWN].name, users[KNOWN].text);
    memcpy(credentials, "Basic ", 6);
    if (cmw_base64_encode(&len, credentials + 6, sizeof credentials - 7, cmw_str_cstr(clear), 0) !=
        0)
        bench_die("the credentials have no room", NULL);
    credentials[6 + len] = '\0';
    open_lives(fill_basic);
    sides->at[SIDE_SUBJECT] = (struct side){run_auth, &with_auth};
    sides->at[SIDE_BASE] = (struct side){life_run_empty, &empty};
}

static void close_row(void)
{
    life_close(&with_auth);
    life_close(&empty);
}

const struct row bench_auth_rows[] = {
    {.name = "bearer",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 130}},
     .open = open_bearer,
     .close = close_row},
    {.name = "basic_auth", .open = open_basic, .close = close_row},
    {.name = NULL},
};
