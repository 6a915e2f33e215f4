/* SPDX-License-Identifier: MIT */
/*
 * The canonical view of a request: path, host, addresses. What is canonical must be so for every
 * reader, the next time too.
 */
#include "fuzz.h"

static int is_dot_segment(cmw_str segment)
{
    return segment.len > 0 && segment.len <= 2 && segment.data[0] == '.' &&
           segment.data[segment.len - 1] == '.';
}

static void check_path(cmw_ctx *ctx)
{
    const cmw_str path = cmw_request_path(cmw_ctx_request(ctx));

    if (path.len == 0 || (path.len == 1 && path.data[0] == '*'))
        return;
    FUZZ_CHECK(path.data[0] == '/');
    cmw_str rest = cmw_str_make(path.data + 1, path.len - 1);
    while (rest.len > 0) {
        const cmw_str segment = fuzz_take(&rest, '/');
        FUZZ_CHECK(segment.len > 0 && !is_dot_segment(segment));
        for (size_t i = 0; i < segment.len; i++) {
            const unsigned char byte = (unsigned char)segment.data[i];
            FUZZ_CHECK(byte >= 0x20 && byte != 0x7f && byte != '\\');
        }
    }
}

static void check_host(cmw_ctx *ctx)
{
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_str host = cmw_request_host(request);

    if (!cmw_request_host_is_valid(request))
        FUZZ_CHECK(host.len == 0 && cmw_request_port(request) == 0);
    for (size_t i = 0; i < host.len; i++) {
        const char c = host.data[i];
        FUZZ_CHECK((unsigned char)c > ' ' && (unsigned char)c < 0x7f);
        FUZZ_CHECK(c < 'A' || c > 'Z');
        FUZZ_CHECK(!strchr("/@\\?#%,\"", c));
    }
}

/* The text of an address is read as that address. */
static void check_address(cmw_str text)
{
    char canonical[CMW_ADDRESS_TEXT_CAP];
    cmw_address address, again;

    if (cmw_address_parse(&address, text) != 0)
        return;
    const size_t len = cmw_address_format(&address, canonical);
    FUZZ_CHECK(len > 0 && len < sizeof canonical && canonical[len] == '\0');
    FUZZ_CHECK(cmw_address_parse(&again, cmw_str_make(canonical, len)) == 0);
    FUZZ_CHECK(cmw_address_equals(&address, &again));
}

static void check_network(cmw_str text)
{
    cmw_network network;

    if (cmw_network_parse(&network, text) == 0)
        FUZZ_CHECK(cmw_network_contains(&network, &network.address));
}

static void look(cmw_ctx *ctx, cmw_next next)
{
    size_t count;
    const cmw_header *fields = cmw_request_headers(cmw_ctx_request(ctx), &count);

    if (next != CMW_TO_HANDLER)
        return;
    check_path(ctx);
    check_host(ctx);
    for (size_t i = 0; i < count; i++) {
        check_address(fields[i].value);
        check_network(fields[i].value);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static cmw_test *test;
    struct fuzz_request request;

    if (!test)
        test = fuzz_open(NULL, NULL);
    fuzz_request_read(&request, data, size);
    fuzz_send(test, &request, look);
    return 0;
}
