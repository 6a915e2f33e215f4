/* SPDX-License-Identifier: MIT */
/* host_allow against a naive reading of its list: what passes is on it. */
#include "fuzz.h"

#include <catzilla/builtin/host_allow.h>

static const char *const hosts[] = {"example.com", "*.example.org", "127.0.0.1", "[::1]"};

static int ends_with(cmw_str text, cmw_str end)
{
    return text.len > end.len && memcmp(text.data + text.len - end.len, end.data, end.len) == 0;
}

static int is_loopback(cmw_str host)
{
    static const uint8_t loopback[16] = {[15] = 1};
    cmw_address address;

    return host.len > 2 && host.data[0] == '[' &&
           cmw_address_parse(&address, cmw_str_make(host.data + 1, host.len - 2)) == 0 &&
           address.family == CMW_ADDRESS_V6 && memcmp(address.bytes, loopback, 16) == 0;
}

static int is_listed(cmw_str host)
{
    return cmw_str_equals(host, CMW_STR("example.com")) ||
           cmw_str_equals(host, CMW_STR("127.0.0.1")) || ends_with(host, CMW_STR(".example.org")) ||
           is_loopback(host);
}

static void look(cmw_ctx *ctx, cmw_next next)
{
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_str host = cmw_request_host(request);
    size_t count, host_fields = 0;

    const cmw_header *fields = cmw_request_headers(request, &count);
    for (size_t i = 0; i < count; i++)
        host_fields += (size_t)cmw_str_equals_fold(fields[i].name, CMW_STR("host"));
    if (next == CMW_TO_HANDLER)
        FUZZ_CHECK(is_listed(host) && host_fields <= 1);
    else if (cmw_response_status(cmw_ctx_response(ctx)) == 421)
        FUZZ_CHECK(host.len > 0 && !is_listed(host));
    else if (cmw_response_status(cmw_ctx_response(ctx)) == 400 && host_fields == 1)
        FUZZ_CHECK(!is_listed(host) || !cmw_request_host_agrees(request));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static cmw_test *test;
    struct fuzz_request request;

    if (!test) {
        cmw_host_allow_config config;
        cmw_host_allow_config_init(&config);
        config.hosts = hosts;
        config.host_count = sizeof hosts / sizeof *hosts;
        test = fuzz_open("host_allow", &config);
    }
    fuzz_request_read(&request, data, size);
    fuzz_send(test, &request, look);
    return 0;
}
