/* SPDX-License-Identifier: MIT */
/* What the middleware learned, as the member "ctx" of the echo back end's document. */
#include "backend.h"

#include <catzilla/builtin/cookies.h>
#include <catzilla/builtin/request_id.h>
#include <catzilla/builtin/trace_context.h>
#include <catzilla/builtin/trusted_proxy.h>
#include <catzilla/principal.h>

static void put(cmw_json *json, const char *key, cmw_str text)
{
    cmw_json_key(json, cmw_str_cstr(key));
    cmw_json_string(json, text);
}

static void put_cookie(cmw_json *json, cmw_ctx *ctx, cmw_str name, cmw_str value)
{
    cmw_json_key(json, octets_as_text(ctx, name));
    cmw_json_string(json, octets_as_text(ctx, value));
}

/* NULL: unset, or the engine has no such slot. */
static void *slot_of(cmw_ctx *ctx, cmw_slot slot)
{
    return slot == CMW_NONE ? NULL : cmw_ctx_slot(ctx, slot);
}

static void put_principal(cmw_json *json, const struct backend *backend, cmw_ctx *ctx)
{
    const cmw_principal *const principal = slot_of(ctx, backend->principal);
    cmw_str token;

    if (!principal)
        return;
    put(json, "user", octets_as_text(ctx, principal->id));
    if (cmw_str_equals(principal->scheme, CMW_STR("bearer")) &&
        cmw_request_bearer(cmw_ctx_request(ctx), &token) == 0)
        put(json, "token", token);
}

static void put_request_id(cmw_json *json, const struct backend *backend, cmw_ctx *ctx)
{
    const cmw_request_id *const id = slot_of(ctx, backend->request_id);

    if (id)
        put(json, "request_id", cmw_str_make(id->text, id->len));
}

/* In the spelling of the proxy that named it, or in the canonical one. */
static void put_client(cmw_json *json, const struct backend *backend, cmw_ctx *ctx)
{
    const cmw_forwarded *const forwarded = slot_of(ctx, backend->forwarded);
    char client[CMW_ADDRESS_TEXT_CAP];

    if (forwarded && forwarded->client.len > 0) {
        put(json, "client_ip", forwarded->client);
        return;
    }
    const size_t len = cmw_address_format(cmw_request_client_address(cmw_ctx_request(ctx)), client);
    put(json, "client_ip", cmw_str_make(client, len));
}

/* tracestate is null where none is to be sent on. */
static void put_trace(cmw_json *json, const struct backend *backend, cmw_ctx *ctx)
{
    const cmw_trace_context *const trace = slot_of(ctx, backend->trace_context);

    if (!trace)
        return;
    put(json, "traceparent", cmw_str_make(trace->traceparent, CMW_TRACEPARENT_LEN));
    if (trace->tracestate.len > 0) {
        put(json, "tracestate", trace->tracestate);
        return;
    }
    cmw_json_key(json, CMW_STR("tracestate"));
    cmw_json_null(json);
}

/* The first one of a name is it. */
static int is_first(const cmw_cookie *all, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (cmw_str_equals(all[i].name, all[index].name))
            return 0;
    return 1;
}

/* Of so many names: each that is not signed well costs a code for every key. */
enum { SIGNED_MOST = 64 };

static void put_signed_cookies(cmw_json *json, cmw_ctx *ctx, cmw_cookies *cookies)
{
    size_t count;
    const cmw_cookie *const all = cmw_cookies_all(cookies, &count);
    cmw_str value;

    cmw_json_key(json, CMW_STR("signed_cookies"));
    cmw_json_object_begin(json);
    for (size_t i = 0; i < count && i < SIGNED_MOST; i++) {
        if (is_first(all, i) && cmw_cookies_find_signed(cookies, &value, all[i].name) == 0)
            put_cookie(json, ctx, all[i].name, value);
    }
    cmw_json_object_end(json);
}

static void put_cookies(cmw_json *json, const struct backend *backend, cmw_ctx *ctx)
{
    cmw_cookies *const cookies = slot_of(ctx, backend->cookies);
    size_t count;

    if (!cookies)
        return;
    const cmw_cookie *const all = cmw_cookies_all(cookies, &count);
    cmw_json_key(json, CMW_STR("cookies"));
    cmw_json_object_begin(json);
    for (size_t i = 0; i < count; i++) {
        if (is_first(all, i))
            put_cookie(json, ctx, all[i].name, all[i].value);
    }
    cmw_json_object_end(json);
    put_signed_cookies(json, ctx, cookies);
}

void put_learned(cmw_json *json, const struct backend *backend, cmw_ctx *ctx)
{
    cmw_request *const request = cmw_ctx_request(ctx);

    cmw_json_object_begin(json);
    put_client(json, backend, ctx);
    put(json, "scheme",
        cmw_request_scheme(request) == CMW_SCHEME_HTTPS ? CMW_STR("https") : CMW_STR("http"));
    put(json, "host", cmw_request_host(request));
    put(json, "path", octets_as_text(ctx, cmw_request_path(request)));
    put(json, "query", octets_as_text(ctx, cmw_request_query(request)));
    put_principal(json, backend, ctx);
    put_request_id(json, backend, ctx);
    put_trace(json, backend, ctx);
    put_cookies(json, backend, ctx);
    cmw_json_object_end(json);
}
