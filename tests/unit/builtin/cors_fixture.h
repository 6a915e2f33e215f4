/* SPDX-License-Identifier: MIT */
/* Configs of cors. */
#ifndef CMW_CORS_FIXTURE_H
#define CMW_CORS_FIXTURE_H

#include "builtin_fixture.h"

#include <stdio.h>

#include <catzilla/builtin/cors.h>

#define LIST(config, member, count, ...)                                                           \
    do {                                                                                           \
        static const char *const list[] = {__VA_ARGS__};                                           \
        (config)->member = list;                                                                   \
        (config)->count = LEN(list);                                                               \
    } while (0)

#define ORIGINS(config, ...) LIST(config, allow_origins, allow_origin_count, __VA_ARGS__)
#define METHODS(config, ...) LIST(config, allow_methods, allow_method_count, __VA_ARGS__)
#define HEADERS(config, ...) LIST(config, allow_headers, allow_header_count, __VA_ARGS__)
#define EXPOSED(config, ...) LIST(config, expose_headers, expose_header_count, __VA_ARGS__)

/* Fills a config that is clear. */
typedef void configure_fn(cmw_cors_config *config);

#define A "https://a.example"

static inline void two(cmw_cors_config *config)
{
    ORIGINS(config, "https://a.example", "https://b.example");
}

static inline void usual(cmw_cors_config *config)
{
    ORIGINS(config, "https://a.example", "https://*.b.example");
    METHODS(config, "GET", "PUT", "PATCH");
    HEADERS(config, "X-One", "x-two", "Content-Type", "Authorization");
    config->max_age_s = 600;
}

#endif /* CMW_CORS_FIXTURE_H */
