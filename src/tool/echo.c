/* SPDX-License-Identifier: MIT */
/*
 * The echo back end: a JSON document of the request as it came through the middleware, and, under
 * "ctx", of what they learned. Fields X-Echo-* of the request shape the answer:
 *
 *     X-Echo-Status: 404              the status
 *     X-Echo-Header: Name: value      one more field; may be repeated
 *     X-Echo-Body-B64: aGVsbG8=       this body instead of the document
 *     X-Echo-Body-Size: 1000          so many times "x" instead
 *
 * A client may ask for any answer, so this is for tests, not for the open network.
 */
#include "backend.h"

/* ---- The document ----------------------------------------------------------------------- */

static void put(cmw_json *json, cmw_ctx *ctx, const char *key, cmw_str octets)
{
    cmw_json_key(json, cmw_str_cstr(key));
    cmw_json_string(json, octets_as_text(ctx, octets));
}

static void put_headers(cmw_json *json, cmw_ctx *ctx)
{
    size_t count;
    const cmw_header *const headers = cmw_request_headers(cmw_ctx_request(ctx), &count);

    cmw_json_key(json, CMW_STR("headers"));
    cmw_json_array_begin(json);
    for (size_t i = 0; i < count; i++) {
        cmw_json_array_begin(json);
        cmw_json_string(json, headers[i].name);
        cmw_json_string(json, octets_as_text(ctx, headers[i].value));
        cmw_json_array_end(json);
    }
    cmw_json_array_end(json);
}

static int answer_document(const struct backend *backend, cmw_ctx *ctx, int status)
{
    cmw_request *const request = cmw_ctx_request(ctx);
    cmw_json *const json = cmw_response_json(cmw_ctx_response(ctx), status);

    if (!json)
        return CMW_ERR_NOMEM;
    cmw_json_object_begin(json);
    put(json, ctx, "method", cmw_request_method(request));
    put(json, ctx, "target", cmw_request_raw_target(request));
    put(json, ctx, "path", cmw_request_raw_path(request));
    put(json, ctx, "query", cmw_request_query(request));
    put_headers(json, ctx);
    cmw_json_key(json, CMW_STR("ctx"));
    put_learned(json, backend, ctx);
    cmw_json_object_end(json);
    return 0;
}

/* ---- What the request asks for ---------------------------------------------------------- */

static int refuse(cmw_ctx *ctx, const char *sentence)
{
    return cmw_response_problem(cmw_ctx_response(ctx), 400, cmw_str_cstr(sentence));
}

/* Decimal digits, at most `most`; -1 for anything else. */
static int64_t parse_number(cmw_str text, int64_t most)
{
    int64_t number = 0;

    if (text.len == 0)
        return -1;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return -1;
        number = number * 10 + (text.data[i] - '0');
        if (number > most)
            return -1;
    }
    return number;
}

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *const found = c ? strchr(digits, c) : NULL;

    return found ? (int)(found - digits) : -1;
}

/* Base64 with or without its padding. 0, CMW_ERR_INVALID or CMW_ERR_NOMEM. */
static int decode_base64(cmw_arena *arena, cmw_str text, cmw_str *out)
{
    char *const bytes = cmw_arena_alloc_text(arena, text.len / 4 * 3 + 3);
    uint32_t bits = 0;
    unsigned bit_count = 0;
    size_t len = 0;

    if (!bytes)
        return CMW_ERR_NOMEM;
    while (text.len > 0 && text.data[text.len - 1] == '=')
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        const int digit = digit_of(text.data[i]);
        if (digit < 0)
            return CMW_ERR_INVALID;
        bits = bits << 6 | (uint32_t)digit;
        bit_count += 6;
        if (bit_count >= 8) {
            bit_count -= 8;
            bytes[len++] = (char)(bits >> bit_count & 0xff);
        }
    }
    *out = cmw_str_make(bytes, len);
    return 0;
}

/* The body that is asked for; `data` is NULL if none is. */
static int read_body(cmw_ctx *ctx, cmw_str *body)
{
    const cmw_header *const base64 =
        cmw_request_header_named(cmw_ctx_request(ctx), CMW_STR("X-Echo-Body-B64"));
    const cmw_header *const size =
        cmw_request_header_named(cmw_ctx_request(ctx), CMW_STR("X-Echo-Body-Size"));

    *body = cmw_str_make(NULL, 0);
    if (base64)
        return decode_base64(cmw_ctx_arena(ctx), base64->value, body);
    if (!size)
        return 0;
    const int64_t len = parse_number(size->value, INT32_MAX);
    if (len < 0)
        return CMW_ERR_INVALID;
    char *const bytes = cmw_arena_alloc_text(cmw_ctx_arena(ctx), (size_t)len + 1);
    if (!bytes)
        return CMW_ERR_NOMEM;
    memset(bytes, 'x', (size_t)len);
    *body = cmw_str_make(bytes, (size_t)len);
    return 0;
}

/* "Name: value", as a header line has it. */
static int add_field(cmw_response *response, cmw_str line)
{
    const char *const colon = memchr(line.data, ':', line.len);
    if (!colon)
        return CMW_ERR_INVALID;
    const cmw_str name = cmw_str_make(line.data, (size_t)(colon - line.data));
    cmw_str value = cmw_str_make(colon + 1, line.len - name.len - 1);
    while (value.len > 0 && (*value.data == ' ' || *value.data == '\t')) {
        value.data++;
        value.len--;
    }
    return cmw_response_append_named(response, name, value);
}

static int add_fields(cmw_ctx *ctx)
{
    size_t count;
    const cmw_header *const headers = cmw_request_headers(cmw_ctx_request(ctx), &count);
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++)
        if (cmw_str_equals_fold(headers[i].name, CMW_STR("X-Echo-Header")))
            rc = add_field(cmw_ctx_response(ctx), headers[i].value);
    return rc;
}

/* With a body of its own the answer has the content type that was asked for, or none. */
static int answer_body(cmw_ctx *ctx, int status, cmw_str body)
{
    cmw_response *const response = cmw_ctx_response(ctx);
    const int has_type = cmw_response_has(response, CMW_HDR_CONTENT_TYPE);
    const int rc = cmw_response_bytes_ref(response, status, body);

    return rc || has_type ? rc : cmw_response_remove(response, CMW_HDR_CONTENT_TYPE);
}

int echo_answer(const struct backend *backend, cmw_ctx *ctx)
{
    const cmw_header *const asked =
        cmw_request_header_named(cmw_ctx_request(ctx), CMW_STR("X-Echo-Status"));
    const int status = asked ? (int)parse_number(asked->value, 599) : 200;
    cmw_str body;

    if (status < 200)
        return refuse(ctx, "X-Echo-Status must be in 200..599");
    if (add_fields(ctx) != 0)
        return refuse(ctx, "X-Echo-Header must be a field that a back end may set");
    const int rc = read_body(ctx, &body);
    if (rc == CMW_ERR_INVALID)
        return refuse(ctx, "X-Echo-Body-B64 or X-Echo-Body-Size cannot be read");
    if (rc != 0)
        return rc;
    if (status == 204 || status == 304)
        return cmw_response_empty(cmw_ctx_response(ctx), status);
    return body.data ? answer_body(ctx, status, body) : answer_document(backend, ctx, status);
}
