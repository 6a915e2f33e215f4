/* SPDX-License-Identifier: MIT */
/* Benches for what authenticates: the handler says who came, and shows Authorization. */
#ifndef CMW_AUTH_FIXTURE_H
#define CMW_AUTH_FIXTURE_H

#include "builtin_fixture.h"

#include <catzilla/secret.h>

/* Answer with the principal's id, scheme first: "basic:alice"; "nobody" without one. */
static inline int tell_principal(void *self, cmw_ctx *ctx)
{
    cmw_engine *engine = self;
    cmw_response *response = cmw_ctx_response(ctx);
    const cmw_principal *principal = cmw_ctx_slot(ctx, cmw_slot_find(engine, "principal"));
    char text[300];

    if (!principal)
        return cmw_response_text(response, 200, CMW_STR("nobody"));
    assert_true(principal->scheme.len + 1 + principal->id.len <= sizeof text);
    memcpy(text, principal->scheme.data, principal->scheme.len);
    text[principal->scheme.len] = ':';
    memcpy(text + principal->scheme.len + 1, principal->id.data, principal->id.len);
    return cmw_response_text(response, 200,
                             cmw_str_make(text, principal->scheme.len + 1 + principal->id.len));
}

/* Answer with a field that the handler sees, or "gone". */
static inline int tell_authorization(void *self, cmw_ctx *ctx)
{
    const cmw_header *header = cmw_request_header_named(cmw_ctx_request(ctx), cmw_str_cstr(self));
    return cmw_response_text(cmw_ctx_response(ctx), 200, header ? header->value : CMW_STR("gone"));
}

static inline cmw_test *open_auth(const char *kind, const void *config)
{
    cmw_test *test = open_bench(kind, config);
    cmw_test_set_handler(test, tell_principal, cmw_test_engine(test));
    return test;
}

/* The answer is 200 and names this principal. */
static inline void assert_known(cmw_test *test, const char *principal)
{
    assert_int_equal(cmw_test_send(test), 200);
    assert_string_equal(cmw_test_response_body(test).data, principal);
    assert_null(cmw_test_response_field(test, "WWW-Authenticate"));
}

/* The answer has this status and this challenge, and no other. */
static inline void assert_challenged(cmw_test *test, int status, const char *challenge)
{
    assert_int_equal(cmw_test_send(test), status);
    assert_int_equal(cmw_test_response_count(test, "WWW-Authenticate"), 1);
    assert_string_equal(cmw_test_response_field(test, "WWW-Authenticate"), challenge);
}

/* `len` times the same byte behind a beginning, NUL-terminated; free() it. */
static inline char *long_text(const char *begin, char byte, size_t len)
{
    const size_t start = strlen(begin);
    char *text = malloc(start + len + 1);

    assert_non_null(text);
    memcpy(text, begin, start);
    memset(text + start, byte, len);
    text[start + len] = '\0';
    return text;
}

/* ---- Verifying oneself ------------------------------------------------------------------ */

/* `self` is an int: the answer. */
static inline int say(void *self, cmw_ctx *ctx, cmw_principal *principal,
                      const cmw_credentials *credentials)
{
    (void)ctx;
    assert_true(principal->scheme.len > 0);
    assert_true(cmw_str_equals(principal->id, credentials->id));
    if (principal->id.len == 0)
        principal->id = CMW_STR("made up");
    return *(const int *)self;
}

#endif /* CMW_AUTH_FIXTURE_H */
