/* SPDX-License-Identifier: MIT */
/*
 * redirect: whatever comes as a path, nobody is sent to another host.
 *
 * The input is a request (fuzz.h).
 */
#include "fuzz.h"

#include <catzilla/builtin/redirect.h>

static const cmw_redirect_rule rules[] = {
    {"/top/*", "/{*}", 0},
    {"/one/{a}", "/{a}", 0},
    {"/two/{a}/{b}", "/{b}{a}?q={a}", 0},
    {"/far/*", "https://docs.example/{*}", 0},
};

static int begins_with(cmw_str text, const char *with)
{
    const size_t len = strlen(with);
    return text.len >= len && memcmp(text.data, with, len) == 0;
}

static void look(cmw_ctx *ctx, cmw_next next)
{
    cmw_response *response = cmw_ctx_response(ctx);
    const cmw_str location = cmw_response_get(response, CMW_HDR_LOCATION);

    if (next == CMW_TO_HANDLER)
        return;
    FUZZ_CHECK(cmw_response_status(response) == 308 || cmw_response_status(response) == 400);
    FUZZ_CHECK((cmw_response_status(response) == 308) == (location.data != NULL));
    if (!location.data || begins_with(location, "https://docs.example/"))
        return;
    FUZZ_CHECK(begins_with(location, "/"));
    static const char *const elsewhere[] = {"//", "/\\", "/%5C", "/%5c", "/%2F", "/%2f"};
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        FUZZ_CHECK(!begins_with(location, elsewhere[i]));
    for (size_t i = 0; i < location.len; i++)
        FUZZ_CHECK((unsigned char)location.data[i] > ' ' && location.data[i] != '\\');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static cmw_test *test;
    struct fuzz_request request;

    if (!test) {
        cmw_redirect_config config;
        cmw_redirect_config_init(&config);
        config.rules = rules;
        config.rule_count = sizeof rules / sizeof *rules;
        test = fuzz_open("redirect", &config);
    }
    fuzz_request_read(&request, data, size);
    fuzz_send(test, &request, look);
    return 0;
}
