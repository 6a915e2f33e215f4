/* SPDX-License-Identifier: MIT */
/*
 * Where requests go: redirect and rewrite, asked for a path that the last of ten rules matches; and
 * what looks at them on their way.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <catzilla/builtin/circuit_breaker.h>
#include <catzilla/builtin/concurrency_limit.h>
#include <catzilla/builtin/idempotency_key.h>
#include <catzilla/builtin/load_shed.h>
#include <catzilla/builtin/mirror.h>
#include <catzilla/builtin/redirect.h>
#include <catzilla/builtin/response_cache.h>
#include <catzilla/builtin/rewrite.h>
#include <catzilla/builtin/server_timing.h>
#include <catzilla/builtin/skip.h>
#include <catzilla/builtin/static_files.h>

#include "life.h"

enum { RULE_COUNT = 10 };

static struct life with_builtin, empty;
static char texts[RULE_COUNT][64];

static void use(cmw_chain *chain, const char *kind, const void *config)
{
    cmw_diag diag = {0};
    life_check(cmw_chain_use(chain, kind, config, &diag), &diag);
}

/* Patterns of which the last one matches "/items/7/parts". */
static const char *pattern(unsigned i)
{
    snprintf(texts[i], sizeof texts[i],
             i + 1 < RULE_COUNT ? "/items/{id}/parts%u" : "/items/{id}/parts", i);
    return texts[i];
}

static void fill_redirect(cmw_chain *chain)
{
    cmw_redirect_rule rules[RULE_COUNT];
    cmw_redirect_config config;

    for (unsigned i = 0; i < RULE_COUNT; i++)
        rules[i] = (cmw_redirect_rule){pattern(i), "/parts/{id}", 0};
    cmw_redirect_config_init(&config);
    config.rules = rules;
    config.rule_count = RULE_COUNT;
    use(chain, "redirect", &config);
}

static void fill_rewrite(cmw_chain *chain)
{
    cmw_rewrite_rule rules[RULE_COUNT];
    cmw_rewrite_config config;

    for (unsigned i = 0; i < RULE_COUNT; i++)
        rules[i] = (cmw_rewrite_rule){pattern(i), "/parts/{id}"};
    cmw_rewrite_config_init(&config);
    config.rules = rules;
    config.rule_count = RULE_COUNT;
    use(chain, "rewrite", &config);
}

static void fill_skip(cmw_chain *chain)
{
    static const char *const office[] = {"10.0.0.0/8"};
    cmw_skip_config config;

    cmw_skip_config_init(&config);
    config.networks = office;
    config.network_count = 1;
    use(chain, "skip", &config);
}

static void fill_timing(cmw_chain *chain)
{
    use(chain, "server_timing", NULL);
}

static void deliver(void *self, const cmw_mirror_request *copy)
{
    (void)self;
    (void)copy;
}

static void fill_mirror(cmw_chain *chain)
{
    cmw_mirror_config config;

    cmw_mirror_config_init(&config);
    config.deliver = deliver;
    use(chain, "mirror", &config);
}

static void fill_concurrency(cmw_chain *chain)
{
    cmw_concurrency_limit_config config;

    cmw_concurrency_limit_config_init(&config);
    config.key_limit = 10;
    use(chain, "concurrency_limit", &config);
}

static void fill_shed(cmw_chain *chain)
{
    use(chain, "load_shed", NULL);
}

static void fill_breaker(cmw_chain *chain)
{
    use(chain, "circuit_breaker", NULL);
}

static void fill_date(cmw_chain *chain)
{
    use(chain, "date_server", NULL);
}

static void fill_timeout(cmw_chain *chain)
{
    use(chain, "timeout", NULL);
}

static void fill_cache(cmw_chain *chain)
{
    use(chain, "response_cache", NULL);
}

/* A KiB, fresh for a day: the first one is stored, the others are hits. */
static int handle_kilobyte(struct life *life, cmw_ctx *ctx)
{
    static char body[1024];
    cmw_response *response = cmw_ctx_response(ctx);
    int rc = cmw_response_set(response, CMW_HDR_CACHE_CONTROL, CMW_STR("max-age=86400"));

    (void)life;
    if (rc == 0)
        rc = cmw_response_set(response, CMW_HDR_ETAG, CMW_STR("\"0123456789abcdef\""));
    if (rc == 0)
        rc = cmw_response_set(response, CMW_HDR_LAST_MODIFIED,
                              CMW_STR("Sun, 06 Nov 1994 08:49:37 GMT"));
    return rc ? rc : cmw_response_bytes(response, 200, cmw_str_make(body, sizeof body));
}

static void read_head(struct life *life, cmw_ctx *ctx)
{
    size_t len;

    if (cmw_response_write_head(cmw_ctx_response(ctx), &len, life->buffer, sizeof life->buffer,
                                CMW_READ_HEAD) != 0)
        bench_die("a head does not fit", NULL);
}

static void run_hits(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, handle_kilobyte, read_head)
}

/* A POST with a key: always the same one, or each time another one. */
static cmw_header keyed[BROWSER_HEADER_COUNT + 1];
static char key_text[] = "key-0000000000000000";
static uint64_t key_number;

static void fill_keys(cmw_chain *chain)
{
    cmw_idempotency_key_config config;

    cmw_idempotency_key_config_init(&config);
    config.max_bytes = 1 << 20;
    config.when_full = CMW_IDEMPOTENCY_FULL_EVICT;
    use(chain, "idempotency_key", &config);
}

static void set_keyed(struct life *life)
{
    memcpy(keyed, browser_headers, sizeof browser_headers);
    keyed[BROWSER_HEADER_COUNT] = (cmw_header){CMW_STR("Idempotency-Key"), cmw_str_cstr(key_text)};
    life->ids[BROWSER_HEADER_COUNT] = CMW_HDR_IDEMPOTENCY_KEY;
    life->view.method = CMW_STR("POST");
    life->view.headers = keyed;
    life->view.header_ids = life->ids;
    life->view.header_count = LEN(keyed);
}

static void run_same_key(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, handle_kilobyte, read_head)
}

/* The digits of a number that never comes again. */
static inline void next_key(struct life *life, cmw_ctx *ctx)
{
    uint64_t number = ++key_number;

    for (size_t i = sizeof key_text - 1; i > 4; number >>= 4)
        key_text[--i] = (char)('a' + number % 16);
    read_head(life, ctx);
}

static void run_new_keys(void *state, uint64_t iterations)
{
    LIFE_RUN(state, iterations, handle_kilobyte, next_key)
}

static char folder[64];

static void fill_files(cmw_chain *chain)
{
    static char content[1024];
    char path[96];
    cmw_static_files_config config;

    snprintf(folder, sizeof folder, "/tmp/cmw_bench_XXXXXX");
    if (!mkdtemp(folder))
        bench_die("no folder for files", folder);
    snprintf(path, sizeof path, "%s/a.css", folder);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(content, sizeof content, 1, file) != 1 || fclose(file) != 0)
        bench_die("a file cannot be written", path);
    cmw_static_files_config_init(&config);
    config.root = folder;
    use(chain, "static_files", &config);
}

/* ---- Rows ------------------------------------------------------------------------------- */

static void open_with(struct sides *sides, life_fill_fn *fill)
{
    life_open(&with_builtin, fill);
    life_open(&empty, NULL);
    sides->at[SIDE_SUBJECT] = (struct side){life_run_empty, &with_builtin};
    sides->at[SIDE_BASE] = (struct side){life_run_empty, &empty};
}

static void open_items(struct sides *sides, life_fill_fn *fill)
{
    open_with(sides, fill);
    with_builtin.view.target = empty.view.target = CMW_STR("/items/7/parts");
}

static void open_redirect(struct sides *sides)
{
    open_items(sides, fill_redirect);
}

static void open_rewrite(struct sides *sides)
{
    open_items(sides, fill_rewrite);
}

static void open_skip(struct sides *sides)
{
    open_with(sides, fill_skip);
}

static void open_timing(struct sides *sides)
{
    open_with(sides, fill_timing);
}

static void open_mirror(struct sides *sides)
{
    open_with(sides, fill_mirror);
}

static void open_concurrency(struct sides *sides)
{
    open_with(sides, fill_concurrency);
}

static void open_shed(struct sides *sides)
{
    open_with(sides, fill_shed);
}

static void open_breaker(struct sides *sides)
{
    open_with(sides, fill_breaker);
}

static void open_date(struct sides *sides)
{
    open_with(sides, fill_date);
}

static void open_timeout(struct sides *sides)
{
    open_with(sides, fill_timeout);
}

static void open_cache(struct sides *sides)
{
    open_with(sides, fill_cache);
    sides->at[SIDE_SUBJECT].run = run_hits;
    with_builtin.view.header_ids = with_builtin.ids;
    empty.view.header_ids = empty.ids;
}

static void open_keys(struct sides *sides, bench_run_fn *run)
{
    open_with(sides, fill_keys);
    set_keyed(&with_builtin);
    set_keyed(&empty);
    sides->at[SIDE_SUBJECT].run = run;
    sides->at[SIDE_BASE].run = run;
}

static void open_same_key(struct sides *sides)
{
    open_keys(sides, run_same_key);
}

static void open_new_keys(struct sides *sides)
{
    open_keys(sides, run_new_keys);
}

static void open_files(struct sides *sides)
{
    open_with(sides, fill_files);
    with_builtin.view.target = empty.view.target = CMW_STR("/a.css");
}

static void close_row(void)
{
    life_close(&with_builtin);
    life_close(&empty);
}

static void close_files(void)
{
    char path[96];

    close_row();
    snprintf(path, sizeof path, "%s/a.css", folder);
    (void)unlink(path);
    (void)rmdir(folder);
}

const struct row bench_traffic_rows[] = {
    {.name = "redirect_10", .open = open_redirect, .close = close_row},
    {.name = "rewrite_10", .open = open_rewrite, .close = close_row},
    {.name = "skip", .open = open_skip, .close = close_row},
    {.name = "server_timing", .open = open_timing, .close = close_row},
    {.name = "mirror_1_percent", .open = open_mirror, .close = close_row},
    {.name = "concurrency_limit", .open = open_concurrency, .close = close_row},
    {.name = "load_shed", .open = open_shed, .close = close_row},
    {.name = "circuit_breaker", .open = open_breaker, .close = close_row},
    {.name = "date_server", .open = open_date, .close = close_row},
    {.name = "timeout", .open = open_timeout, .close = close_row},
    {.name = "response_cache_hit",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 1000}},
     .open = open_cache,
     .close = close_row},
    {.name = "idempotency_first", .open = open_new_keys, .close = close_row},
    {.name = "idempotency_replay", .open = open_same_key, .close = close_row},
    {.name = "static_files_1k", .open = open_files, .close = close_files},
    {.name = NULL},
};
