/* SPDX-License-Identifier: MIT */
/*
 * What a flood of keys leaves in memory, beside what was said that it may take: response_cache and
 * idempotency_key, asked for a million keys that never come again, with answers of every length up
 * to 3,000 bytes. Bytes are the pages that the pool's heap has in use, or what is handed out of it
 * where the allocator does not tell; what the plan itself takes is among them.
 */
#include <stdio.h>

#include <catzilla/builtin/idempotency_key.h>
#include <catzilla/builtin/response_cache.h>

#include "life.h"

enum { MAX_BYTES = 16 << 20, KEYS = 1000000, KEYS_QUICK = 20000, LONGEST_BODY = 3000 };

static struct life flooded;
static uint64_t before_bytes;
static char target[32], key[32];
static const cmw_header key_field = {{"Idempotency-Key", 15}, {key, 16}};

static uint64_t taken_bytes(void)
{
    cmw_pool_stats stats = {.size = sizeof stats};

    life_check(cmw_pool_get_stats(cmw_engine_pool(flooded.engine, CMW_POOL_PLAN), &stats), NULL);
    return stats.active_bytes > 0 ? stats.active_bytes : stats.in_use_bytes;
}

static void use(cmw_chain *chain, const char *kind, const void *config)
{
    cmw_diag diag = {0};

    before_bytes = taken_bytes();
    life_check(cmw_chain_use(chain, kind, config, &diag), &diag);
}

static void fill_cache(cmw_chain *chain)
{
    cmw_response_cache_config config;

    cmw_response_cache_config_init(&config);
    config.max_bytes = MAX_BYTES;
    use(chain, "response_cache", &config);
}

/* As `evict` has it, so that every key of the flood is kept for a while. */
static void fill_keys(cmw_chain *chain)
{
    cmw_idempotency_key_config config;

    cmw_idempotency_key_config_init(&config);
    config.max_bytes = MAX_BYTES;
    config.when_full = CMW_IDEMPOTENCY_FULL_EVICT;
    use(chain, "idempotency_key", &config);
}

/* Everything that makes a key is another one with each number. */
static void fill_request(struct life *life, uint64_t number)
{
    const uint64_t mixed = number * UINT64_C(0x9e3779b97f4a7c15);

    snprintf(target, sizeof target, "/%016llx", (unsigned long long)mixed);
    snprintf(key, sizeof key, "%016llx", (unsigned long long)mixed);
    life->view.target = cmw_str_make(target, 17);
    memcpy(life->view.peer.bytes, &mixed, 4);
}

static void answer(cmw_ctx *ctx, uint64_t number)
{
    static char body[LONGEST_BODY];
    cmw_response *response = cmw_ctx_response(ctx);
    int rc = cmw_response_set(response, CMW_HDR_CACHE_CONTROL, CMW_STR("max-age=86400"));

    if (rc == 0)
        rc = cmw_response_bytes(response, 200, cmw_str_make(body, number * 7919 % LONGEST_BODY));
    life_check(rc, NULL);
}

static void flood(struct life *life, uint64_t keys)
{
    for (uint64_t number = 1; number <= keys; number++) {
        cmw_ctx *ctx;
        fill_request(life, number);
        life_check(cmw_ctx_begin(life->worker, &ctx, &life->view), NULL);
        if (cmw_ctx_run(ctx) != CMW_TO_HANDLER)
            bench_die("a key of a flood was known or refused", NULL);
        answer(ctx, number);
        cmw_ctx_commit(ctx);
        cmw_ctx_end(ctx, CMW_END_SENT);
    }
}

/* Percent of what it may take. Much less than all would be a flood that was not kept. */
static double count_percent(const struct options *options, life_fill_fn *fill, cmw_str method)
{
    life_open(&flooded, fill);
    flooded.view.method = method;
    flooded.view.headers = &key_field;
    flooded.view.header_count = 1;
    flooded.view.header_bytes = (uint32_t)(key_field.name.len + key_field.value.len);
    flooded.view.content_length = 0;
    flood(&flooded, options->is_quick ? KEYS_QUICK : KEYS);
    const uint64_t bytes = taken_bytes() - before_bytes;
    life_close(&flooded);
    return (double)bytes * 100 / MAX_BYTES;
}

static double count_cache(const struct options *options)
{
    return count_percent(options, fill_cache, CMW_STR("GET"));
}

static double count_keys(const struct options *options)
{
    return count_percent(options, fill_keys, CMW_STR("POST"));
}

const struct row bench_flood_rows[] = {
    {.name = "response_cache_flood",
     .unit = "percent",
     .targets = {{.of = TARGET_VALUE, .max = 110}},
     .count = count_cache},
    {.name = "idempotency_flood",
     .unit = "percent",
     .targets = {{.of = TARGET_VALUE, .max = 110}},
     .count = count_keys},
    {.name = NULL},
};
