/* SPDX-License-Identifier: MIT */
/* Configs of security_headers, and what comes of them. */
#ifndef CMW_SECURITY_FIXTURE_H
#define CMW_SECURITY_FIXTURE_H

#include "builtin_fixture.h"

#include <stdio.h>

#include <catzilla/builtin/security_headers.h>

/* Changes a config that has the defaults. */
typedef void configure_fn(cmw_security_headers_config *config);

static inline cmw_test *open_with(configure_fn *configure)
{
    cmw_security_headers_config config;

    cmw_security_headers_config_init(&config);
    configure(&config);
    return open_bench("security_headers", &config);
}

/* A field of an answer over https; NULL: it is not sent. */
static inline void expect(configure_fn *configure, const char *field, const char *value)
{
    cmw_test *test = open_with(configure);

    cmw_test_request(test, "GET", "/");
    cmw_test_scheme(test, CMW_SCHEME_HTTPS);
    cmw_test_send(test);
    if (value)
        assert_string_equal(cmw_test_response_field(test, field), value);
    else
        assert_null(cmw_test_response_field(test, field));
    close_bench(test);
}

static inline void refuse(configure_fn *configure, const char *sentence)
{
    cmw_security_headers_config config;

    cmw_security_headers_config_init(&config);
    configure(&config);
    assert_refused("security_headers", &config, CMW_ERR_INVALID, sentence);
}

static const char *const self_only[] = {"'self'"};
static const char *const images[] = {"*", "data:"};
static const cmw_option_list directives[] = {
    {"default-src", self_only, 1}, {"img-src", images, 2}, {"upgrade-insecure-requests", NULL, 0}};

#endif /* CMW_SECURITY_FIXTURE_H */
