/* SPDX-License-Identifier: MIT */
/*
 * The least that the work of other rows costs when it is written out by hand.
 */
#ifndef CMW_BENCH_FLOOR_H
#define CMW_BENCH_FLOOR_H

#include <catzilla/header_id.h>

/* Copy a block that is laid out already. */
size_t floor_copy(char *to, const char *from, size_t len);

/* X(name, value): twelve fields that servers add for the sake of security, and Cache-Control. */
#define FIELD_LIST(X)                                                                              \
    X("Strict-Transport-Security", "max-age=31536000; includeSubDomains; preload")                 \
    X("Content-Security-Policy",                                                                   \
      "default-src 'self'; img-src 'self' data:; object-src 'none'; frame-ancestors 'none'; "      \
      "base-uri 'self'")                                                                           \
    X("X-Content-Type-Options", "nosniff")                                                         \
    X("X-Frame-Options", "DENY")                                                                   \
    X("Referrer-Policy", "strict-origin-when-cross-origin")                                        \
    X("Permissions-Policy",                                                                        \
      "accelerometer=(), camera=(), geolocation=(), microphone=(), payment=()")                    \
    X("Cross-Origin-Opener-Policy", "same-origin")                                                 \
    X("Cross-Origin-Embedder-Policy", "require-corp")                                              \
    X("Cross-Origin-Resource-Policy", "same-origin")                                               \
    X("X-DNS-Prefetch-Control", "off")                                                             \
    X("X-Permitted-Cross-Domain-Policies", "none")                                                 \
    X("Cache-Control", "no-store, max-age=0")

#define FIELD_COUNT 12

/* Append the twelve fields as bytes, with these values, which are looked at first: 1, or 0 for a
 * value that cannot be sent or without room. The names are literals, as in a program that does this
 * by hand. `*to` moves behind the last. */
int floor_append_fields(char **to, const char *end, const cmw_str *values);

#endif /* CMW_BENCH_FLOOR_H */
