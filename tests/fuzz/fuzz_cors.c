/* SPDX-License-Identifier: MIT */
/*
 * A request whose lines are the input: Origin, Access-Control-Request-Method and -Headers, then
 * more of the last. What comes out must be what was allowed, and nothing else.
 */
#include "fuzz.h"

#include <catzilla/builtin/cors.h>

static cmw_test *open_test(void)
{
    static const char *const origins[] = {"https://a.example", "https://*.b.example",
                                          "https://app-*.c.example:8443", "null"};
    static const char *const methods[] = {"GET", "PUT"};
    static const char *const names[] = {"X-One", "X-Two", "Content-Type"};
    cmw_cors_config config;

    cmw_cors_config_init(&config);
    config.allow_origins = origins;
    config.allow_origin_count = sizeof origins / sizeof origins[0];
    config.allow_methods = methods;
    config.allow_method_count = sizeof methods / sizeof methods[0];
    config.allow_headers = names;
    config.allow_header_count = sizeof names / sizeof names[0];
    config.allow_credentials = 1;
    return fuzz_open("cors", &config);
}

static int ends_with(const char *text, const char *end)
{
    return strlen(text) > strlen(end) && strcmp(text + strlen(text) - strlen(end), end) == 0;
}

/* Said another way than by the code: an allowed origin has a host of the right domain. */
static int may_be_allowed(const char *origin)
{
    if (strcmp(origin, "null") == 0 || strcmp(origin, "https://a.example") == 0)
        return 1;
    if (strncmp(origin, "https://", 8) != 0)
        return 0;
    const char *host = origin + 8;
    const size_t labels = strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789-_.");
    return (ends_with(host, ".b.example") && host[labels] == '\0') ||
           (strncmp(host, "app-", 4) == 0 && ends_with(host, ".c.example:8443") &&
            strcmp(host + labels, ":8443") == 0);
}

static void check_answer(cmw_test *test, const char *origin)
{
    const char *allowed = cmw_test_response_field(test, "Access-Control-Allow-Origin");

    FUZZ_CHECK(cmw_test_response_count(test, "Vary") == 1);
    FUZZ_CHECK(cmw_test_response_count(test, "Access-Control-Allow-Origin") <= 1);
    if (!allowed) {
        FUZZ_CHECK(!cmw_test_response_field(test, "Access-Control-Allow-Credentials"));
        FUZZ_CHECK(!cmw_test_response_field(test, "Access-Control-Allow-Methods"));
        return;
    }
    FUZZ_CHECK(origin && strcmp(allowed, origin) == 0 && may_be_allowed(origin));
}

/* Send one request with the lines of `text`, which strtok may write to. */
static void send(cmw_test *test, const char *method, char *text)
{
    static const char *const names[] = {"Origin", "Access-Control-Request-Method",
                                        "Access-Control-Request-Headers"};
    const char *origin = NULL;
    size_t count = 0;

    cmw_test_request(test, method, "/");
    for (char *line = strtok(text, "\n"); line && count < 50; line = strtok(NULL, "\n")) {
        origin = origin ? origin : line;
        cmw_test_header(test, names[count < 2 ? count : 2], line);
        count++;
    }
    (void)cmw_test_send(test);
    check_answer(test, origin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"OPTIONS", "GET"};
    static cmw_test *test;

    if (!test)
        test = open_test();
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        char *text = fuzz_text(data, size);
        send(test, methods[i], text);
        free(text);
    }
    return 0;
}
