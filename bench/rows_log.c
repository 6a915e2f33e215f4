/* SPDX-License-Identifier: MIT */
/*
 * request_id and access_log, against what a program does that writes the same bytes by hand.
 *
 * The rings are written to /dev/null once in 512 requests; that share is in the figure.
 */
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include <catzilla/builtin/access_log.h>
#include <catzilla/builtin/request_id.h>

#include "life.h"

enum { POLL_EVERY = 512 };

static struct life with_builtin, empty;
static int null_fd = -1;
static unsigned until_poll = POLL_EVERY;

static void use(cmw_chain *chain, const char *kind, const void *config)
{
    cmw_diag diag = {0};
    life_check(cmw_chain_use(chain, kind, config, &diag), &diag);
}

static void fill_id(cmw_chain *chain)
{
    use(chain, "request_id", NULL);
}

static void fill_hex(cmw_chain *chain)
{
    cmw_request_id_config config;

    cmw_request_id_config_init(&config);
    config.format = CMW_REQUEST_ID_HEX;
    use(chain, "request_id", &config);
}

static void fill_log(cmw_chain *chain)
{
    cmw_access_log_config config;

    cmw_access_log_config_init(&config);
    config.fd = null_fd;
    use(chain, "access_log", &config);
}

/* ---- Lives ------------------------------------------------------------------------------ */

static inline void poll_at_times(struct life *life, cmw_ctx *ctx)
{
    (void)ctx;
    if (--until_poll > 0)
        return;
    until_poll = POLL_EVERY;
    (void)cmw_engine_poll(life->engine);
}

static void run_logged(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, life_handle_empty, poll_at_times)
}

/* ---- Floors ----------------------------------------------------------------------------- */

struct floor {
    const cmw_request_view *view;
    uint64_t random[2];
    size_t used;
    char ring[1 << 18];
};

static struct floor by_hand;

static inline uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static inline char *put_hex(char *to, uint64_t number)
{
    for (int shift = 60; shift >= 0; shift -= 4)
        *to++ = "0123456789abcdef"[number >> shift & 15];
    return to;
}

/* "X-Request-ID: " and 128 random bits. */
static void run_id_by_hand(void *state, uint64_t iterations)
{
    struct floor *floor = state;

    for (uint64_t left = iterations; left > 0; left--) {
        char *to = floor->ring;
        memcpy(to, "X-Request-ID: ", 14);
        to = put_hex(to + 14, next_random(&floor->random[0]));
        to = put_hex(to, next_random(&floor->random[1]));
        memcpy(to, "\r\n", 2);
        bench_touch(floor->ring);
    }
}

static inline char *put_escaped(char *to, cmw_str text)
{
    for (size_t i = 0; i < text.len; i++) {
        const unsigned char c = (unsigned char)text.data[i];
        if (c < 0x20 || c > 0x7e || c == '"' || c == '\\') {
            *to++ = '\\';
            *to++ = 'x';
            *to++ = "0123456789abcdef"[c >> 4];
            *to++ = "0123456789abcdef"[c & 15];
        } else {
            *to++ = (char)c;
        }
    }
    return to;
}

static inline char *put_decimal(char *to, unsigned number)
{
    char digits[12];
    char *at = digits + sizeof digits;

    do
        *--at = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    memcpy(to, at, (size_t)(digits + sizeof digits - at));
    return to + (digits + sizeof digits - at);
}

static inline cmw_str find_agent(const cmw_request_view *view)
{
    for (uint32_t i = 0; i < view->header_count; i++)
        if (view->headers[i].name.len == 10 &&
            memcmp(view->headers[i].name.data, "User-Agent", 10) == 0)
            return view->headers[i].value;
    return CMW_STR("-");
}

/* The line of "combined"; the time is a text that is made once a second elsewhere. */
static inline char *put_line(char *to, const cmw_request_view *view)
{
    for (int i = 0; i < 4; i++) {
        to = put_decimal(to, view->peer.bytes[i]);
        *to++ = i < 3 ? '.' : ' ';
    }
    memcpy(to, "- - [01/Jan/2026:00:00:00 +0000] \"", 34);
    to = put_escaped(to + 34, view->method);
    *to++ = ' ';
    to = put_escaped(to, view->target);
    memcpy(to, " HTTP/1.1\" ", 11);
    to = put_decimal(to + 11, 200);
    memcpy(to, " - \"-\" \"", 8);
    to = put_escaped(to + 8, find_agent(view));
    *to++ = '"';
    *to++ = '\n';
    return to;
}

static void run_line_by_hand(void *state, uint64_t iterations)
{
    struct floor *floor = state;

    for (uint64_t left = iterations; left > 0; left--) {
        if (floor->used > sizeof floor->ring - 4096)
            floor->used = 0;
        const char *end = put_line(floor->ring + floor->used, floor->view);
        floor->used = (size_t)(end - floor->ring);
        bench_touch(floor->ring);
    }
}

/* ---- Rows ------------------------------------------------------------------------------- */

/* The host's clock is the engine's, and it hands over ids. */
static void open_life(struct life *life, life_fill_fn *fill)
{
    struct timespec now;

    life_open(life, fill);
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    life->view.now_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    life->view.header_ids = life->ids;
}

static void open_with(struct sides *sides, life_fill_fn *fill, bench_run_fn *by_hand_fn)
{
    open_life(&with_builtin, fill);
    open_life(&empty, NULL);
    by_hand = (struct floor){.view = &empty.view, .random = {1, 2}};
    sides->at[SIDE_SUBJECT] = (struct side){run_logged, &with_builtin};
    sides->at[SIDE_BASE] = (struct side){run_logged, &empty};
    sides->at[SIDE_FLOOR] = (struct side){by_hand_fn, &by_hand};
}

static void open_id(struct sides *sides)
{
    open_with(sides, fill_id, run_id_by_hand);
}

static void open_hex(struct sides *sides)
{
    open_with(sides, fill_hex, run_id_by_hand);
}

static void open_log(struct sides *sides)
{
    null_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    open_with(sides, fill_log, run_line_by_hand);
}

static void close_row(void)
{
    life_close(&with_builtin);
    life_close(&empty);
    if (null_fd >= 0)
        (void)close(null_fd);
    null_fd = -1;
}

const struct row bench_log_rows[] = {
    {.name = "request_id",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 110}},
     .open = open_id,
     .close = close_row},
    {.name = "request_id_hex",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 110}},
     .open = open_hex,
     .close = close_row},
    {.name = "access_log",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 500}},
     .open = open_log,
     .close = close_row},
    {.name = NULL},
};
