/* SPDX-License-Identifier: MIT */
/*
 * trusted_proxy with each field: what a stranger sent never shows, and what is read does not change
 * when more stands to its left.
 */
#include "fuzz.h"

#include <catzilla/builtin/trusted_proxy.h>

static const char *const proxies[] = {"10.0.0.0/8", "fd00::/8", "unix"};

static cmw_test *open_proxy(int header)
{
    cmw_trusted_proxy_config config;

    cmw_trusted_proxy_config_init(&config);
    config.header = header;
    config.trust = proxies;
    config.trust_count = sizeof proxies / sizeof *proxies;
    config.forwarded_proto = config.forwarded_host = 1;
    config.forwarded_port = config.forwarded_prefix = 1;
    return fuzz_open("trusted_proxy", &config);
}

static int begins_with(cmw_str name, const char *start)
{
    const size_t len = strlen(start);
    return name.len >= len &&
           cmw_str_equals_fold(cmw_str_make(name.data, len), cmw_str_make(start, len));
}

/* Nothing that a CGI would take for a forwarding field of ours. */
static void check_aliases(cmw_str name)
{
    char folded[32];

    if (name.len >= sizeof folded)
        return;
    for (size_t i = 0; i < name.len; i++)
        folded[i] = name.data[i] == '_' || name.data[i] == '.' ? '-' : name.data[i];
    if (begins_with(cmw_str_make(folded, name.len), "x-forwarded-") && name.len > 12)
        FUZZ_CHECK(begins_with(name, "x-forwarded-"));
    FUZZ_CHECK(!cmw_str_equals_fold(cmw_str_make(folded, name.len), CMW_STR("x-real-ip")));
}

static cmw_address seen;

static void look(cmw_ctx *ctx, cmw_next next)
{
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_address *peer = cmw_request_peer(request);
    size_t count;

    if (next != CMW_TO_HANDLER)
        return; /* over the limits of a head */
    seen = *cmw_request_client_address(request);
    const cmw_header *fields = cmw_request_headers(request, &count);
    const int is_local = peer->family == CMW_ADDRESS_V4 && peer->bytes[0] == 10;
    for (size_t i = 0; i < count; i++) {
        check_aliases(fields[i].name);
        if (peer->family == CMW_ADDRESS_V4 && !is_local)
            FUZZ_CHECK(!cmw_str_equals_fold(fields[i].name, CMW_STR("forwarded")) &&
                       !cmw_str_equals_fold(fields[i].name, CMW_STR("x-forwarded-for")));
    }
    if (peer->family == CMW_ADDRESS_V4 && !is_local)
        FUZZ_CHECK(cmw_address_equals(&seen, peer));
}

/* Two more elements to the right, as proxies of ours append them: the client is known then. */
static void check_appended(cmw_test *test, struct fuzz_request *request, const char *name,
                           const char *suffix)
{
    static const char client[] = {(char)203, 0, 113, 9};
    char value[4096 + 64];
    cmw_str first = CMW_STR("");

    if (request->view.header_count == FUZZ_FIELD_CAP)
        return;
    if (request->view.header_count > 0)
        first = request->fields[0].value;
    if (first.len > 4096)
        return;
    if (first.len > 0)
        memcpy(value, first.data, first.len);
    memcpy(value + first.len, suffix, strlen(suffix));
    request->fields[request->view.header_count++] =
        (cmw_header){cmw_str_cstr(name), cmw_str_make(value, first.len + strlen(suffix))};
    memset(&request->view.peer, 0, sizeof request->view.peer);
    request->view.peer.family = CMW_ADDRESS_UNIX;
    memset(&seen, 0, sizeof seen);
    fuzz_send(test, request, look);
    request->view.header_count--;
    if (seen.family != CMW_ADDRESS_NONE)
        FUZZ_CHECK(seen.family == CMW_ADDRESS_V4 && memcmp(seen.bytes, client, 4) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static cmw_test *x_forwarded_for, *forwarded;
    struct fuzz_request request;

    if (!forwarded) {
        x_forwarded_for = open_proxy(CMW_PROXY_HEADER_X_FORWARDED_FOR);
        forwarded = open_proxy(CMW_PROXY_HEADER_FORWARDED);
    }
    fuzz_request_read(&request, data, size);
    fuzz_send(x_forwarded_for, &request, look);
    fuzz_send(forwarded, &request, look);
    check_appended(x_forwarded_for, &request, "X-Forwarded-For", ", 203.0.113.9, 10.0.0.1");
    check_appended(forwarded, &request, "Forwarded",
                   ", for=\"203.0.113.9:80\";host=\"a\\\"b\", for=\"[fd00::1]\"");
    return 0;
}
