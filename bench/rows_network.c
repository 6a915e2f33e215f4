/* SPDX-License-Identifier: MIT */
/*
 * Who is asking, and for which host: trusted_proxy, ip_filter among 10,000 networks, host_allow
 * among 1,000 hosts.
 */
#include <stdio.h>

#include <catzilla/builtin/host_allow.h>
#include <catzilla/builtin/ip_filter.h>
#include <catzilla/builtin/trusted_proxy.h>

#include "life.h"

enum { NETWORK_COUNT = 10000, HOST_COUNT = 1000, PROXIED_COUNT = BROWSER_HEADER_COUNT + 2 };

static struct life with_builtin, empty;
static cmw_header proxied[PROXIED_COUNT];
static char texts[NETWORK_COUNT][32];
static const char *list[NETWORK_COUNT];

static void use(cmw_chain *chain, const char *kind, const void *config)
{
    cmw_diag diag = {0};
    life_check(cmw_chain_use(chain, kind, config, &diag), &diag);
}

/* ---- Chains ----------------------------------------------------------------------------- */

static void fill_proxy(cmw_chain *chain)
{
    static const char *const trust[] = {"192.0.2.0/24", "10.0.0.0/8", "fd00::/8"};
    cmw_trusted_proxy_config config;

    cmw_trusted_proxy_config_init(&config);
    config.trust = trust;
    config.trust_count = LEN(trust);
    config.forwarded_proto = 1;
    use(chain, "trusted_proxy", &config);
}

/* The client's address is in the last network, the others are all around it. */
static void fill_filter(cmw_chain *chain)
{
    cmw_ip_filter_config config;

    for (unsigned i = 0; i < NETWORK_COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], "%u.%u.%u.0/24", 100 + i % 97, i / 97, i % 251);
        list[i] = texts[i];
    }
    snprintf(texts[0], sizeof texts[0], "192.0.2.0/28");
    cmw_ip_filter_config_init(&config);
    config.allow = list;
    config.allow_count = NETWORK_COUNT;
    use(chain, "ip_filter", &config);
}

static void fill_hosts(cmw_chain *chain)
{
    cmw_host_allow_config config;

    for (unsigned i = 0; i < HOST_COUNT; i++) {
        snprintf(texts[i], sizeof texts[i], i % 2 ? "*.n%u.example.com" : "n%u.example.com", i);
        list[i] = texts[i];
    }
    snprintf(texts[0], sizeof texts[0], "www.example.com");
    cmw_host_allow_config_init(&config);
    config.hosts = list;
    config.host_count = HOST_COUNT;
    use(chain, "host_allow", &config);
}

/* ---- Rows ------------------------------------------------------------------------------- */

static void open_with(struct sides *sides, life_fill_fn *fill)
{
    life_open(&with_builtin, fill);
    life_open(&empty, NULL);
    sides->at[SIDE_SUBJECT] = (struct side){life_run_empty, &with_builtin};
    sides->at[SIDE_BASE] = (struct side){life_run_empty, &empty};
}

static void open_direct(struct sides *sides)
{
    open_with(sides, fill_proxy);
}

static void open_proxied(struct sides *sides)
{
    open_with(sides, fill_proxy);
    memcpy(proxied, browser_headers, sizeof browser_headers);
    proxied[BROWSER_HEADER_COUNT] =
        (cmw_header){CMW_STR("X-Forwarded-For"), CMW_STR("203.0.113.195, 10.0.0.12")};
    proxied[BROWSER_HEADER_COUNT + 1] =
        (cmw_header){CMW_STR("X-Forwarded-Proto"), CMW_STR("https")};
    with_builtin.view.headers = empty.view.headers = proxied;
    with_builtin.view.header_count = empty.view.header_count = PROXIED_COUNT;
}

static void open_filter(struct sides *sides)
{
    open_with(sides, fill_filter);
}

static void open_hosts(struct sides *sides)
{
    open_with(sides, fill_hosts);
}

static void close_row(void)
{
    life_close(&with_builtin);
    life_close(&empty);
}

const struct row bench_network_rows[] = {
    {.name = "trusted_proxy_direct",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 240}},
     .open = open_direct,
     .close = close_row},
    {.name = "trusted_proxy_2",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 4000}},
     .open = open_proxied,
     .close = close_row},
    {.name = "ip_filter_10000",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 320}},
     .open = open_filter,
     .close = close_row},
    {.name = "host_allow_1000",
     .targets = {{.of = TARGET_INSTRUCTIONS, .max = 1250}},
     .open = open_hosts,
     .close = close_row},
    {.name = NULL},
};
