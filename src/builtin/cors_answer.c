/* SPDX-License-Identifier: MIT */
/*
 * The answers of `cors`: which origin is allowed, and what it is told.
 *
 * Everything but the origin itself is in blocks that were made with the chain; for a listed origin
 * even that. Where the response has a Vary already, ours is merged into it token by token.
 */
#include "cors_state.h"

/* The fields that this answers with: ours, or nobody's. All are below 64. */
#define BIT(name) (UINT64_C(1) << CMW_HDR_ACCESS_CONTROL_##name)
#define ANSWER_BITS                                                                                \
    (BIT(ALLOW_CREDENTIALS) | BIT(ALLOW_HEADERS) | BIT(ALLOW_METHODS) | BIT(ALLOW_ORIGIN) |        \
     BIT(ALLOW_PRIVATE_NETWORK) | BIT(EXPOSE_HEADERS) | BIT(MAX_AGE))

static const cmw_header_set answer_set = {{ANSWER_BITS, 0}};
const cmw_header_set cmw__cors_touched = {{ANSWER_BITS, UINT64_C(1) << (CMW_HDR_VARY - 64)}};

/* memcmp(a, b, len) == 0 in line, for the short texts that preflights are made of: eight bytes at a
 * time, the last eight again. */
static inline int same_bytes(const char *a, const char *b, size_t len)
{
    uint64_t left, right;

    if (len < 8) {
        for (size_t i = 0; i < len; i++)
            if (a[i] != b[i])
                return 0;
        return 1;
    }
    for (size_t i = 0; i < len - 8; i += 8) {
        memcpy(&left, a + i, 8);
        memcpy(&right, b + i, 8);
        if (left != right)
            return 0;
    }
    memcpy(&left, a + len - 8, 8);
    memcpy(&right, b + len - 8, 8);
    return left == right;
}

/* ---- Lists of a preflight --------------------------------------------------------------- */

/* Step to the next member of a list, empty ones left out: 1, or 0 at the end. */
static int next_member(cmw_str *rest, cmw_str *member)
{
    while (rest->len > 0) {
        const char *comma = memchr(rest->data, ',', rest->len);
        size_t len = comma ? (size_t)(comma - rest->data) : rest->len;
        const char *from = rest->data;

        *rest = cmw_str_make(from + len + (comma != NULL), rest->len - len - (comma != NULL));
        while (len > 0 && (*from == ' ' || *from == '\t')) {
            from++;
            len--;
        }
        while (len > 0 && (from[len - 1] == ' ' || from[len - 1] == '\t'))
            len--;
        *member = cmw_str_make(from, len);
        if (len > 0)
            return 1;
    }
    return 0;
}

static int allows_header(const struct names *headers, cmw_str name)
{
    if (headers->has_any)
        return cmw_header_name_is_valid(name);
    for (size_t i = 0; i < headers->count; i++)
        if (headers->items[i].len == name.len && cmw_str_equals_fold(headers->items[i], name))
            return 1;
    return 0;
}

static int allows_each(const struct names *headers, cmw_str list)
{
    cmw_str name;

    while (next_member(&list, &name))
        if (!allows_header(headers, name))
            return 0;
    return 1;
}

/*
 * 1 if a list is in the form in which browsers send it (in lower case, sorted, without blanks:
 * Fetch, 4.8) and has nothing but names of ours, which are sorted as well. 0: it needs a closer
 * look.
 */
static int is_plain_list(const struct names *headers, cmw_str list)
{
    const char *at = list.data;
    size_t left = list.len;

    for (size_t i = 0; i < headers->count; i++) {
        const cmw_str name = headers->items[i];
        if (left < name.len || !same_bytes(at, name.data, name.len))
            continue;
        if (left == name.len)
            return 1;
        if (at[name.len] != ',')
            continue;
        at += name.len + 1;
        left -= name.len + 1;
    }
    return 0;
}

/* Every name of every Access-Control-Request-Headers is allowed. */
static int allows_headers(const struct names *headers, cmw_request *request)
{
    const cmw_header_id id = CMW_HDR_ACCESS_CONTROL_REQUEST_HEADERS;
    const cmw_header *line = cmw_request_header(request, CMW_HDR_ACCESS_CONTROL_REQUEST_HEADERS);

    if (!line)
        return 1;
    if (!cmw_request_is_repeated(request, CMW_HDR_ACCESS_CONTROL_REQUEST_HEADERS))
        return is_plain_list(headers, line->value) || allows_each(headers, line->value);
    for (; line; line = cmw_request_next_header(request, id, line))
        if (!allows_each(headers, line->value))
            return 0;
    return 1;
}

static int allows_method(const struct names *methods, cmw_str method)
{
    if (methods->has_any)
        return cmw_header_name_is_valid(method); /* a token, as a method is */
    for (size_t i = 0; i < methods->count; i++)
        if (methods->items[i].len == method.len &&
            same_bytes(methods->items[i].data, method.data, method.len))
            return 1;
    return 0;
}

/* ---- Whose request it is ---------------------------------------------------------------- */

/* What the callback says of an origin that is not listed. It is never asked of bytes that the
 * answer could not hold. */
static int ask(const struct cors *cors, cmw_ctx *ctx, cmw_str origin)
{
    return cors->ask && origin.len > 0 &&
           cmw_response_check_field(CMW_STR("Origin"), origin) == 0 &&
           cors->ask(cors->ask_self, ctx, origin);
}

/* The origin that is allowed. */
struct allowed {
    cmw_str origin;              /* Access-Control-Allow-Origin; empty: none */
    const struct listed *listed; /* or NULL */
};

static struct allowed find_allowed(const struct cors *cors, cmw_ctx *ctx, cmw_request *request)
{
    const cmw_header *header = cmw_request_header(request, CMW_HDR_ORIGIN);
    struct allowed allowed = {{"", 0}, NULL};

    if (header && cmw_request_is_repeated(request, CMW_HDR_ORIGIN))
        return allowed;
    if (cors->allows_any) {
        allowed.origin = CMW_STR("*");
        return allowed;
    }
    if (!header)
        return allowed;
    const struct cmw__origin_entry *entry = cmw__origin_find(&cors->origins, header->value);
    if (entry)
        allowed.listed = entry->value;
    if (entry || cmw__origin_matches(&cors->origins, header->value) ||
        ask(cors, ctx, header->value))
        allowed.origin = header->value;
    return allowed;
}

/* ---- Answers: 0, or the error of the response -------------------------------------------- */

static int add_vary(cmw_response *response, const struct vary *vary)
{
    int rc = 0;

    if (vary->count == 0)
        return 0;
    if (!cmw_response_has(response, CMW_HDR_VARY))
        return cmw_response_add_block(response, vary->block);
    for (size_t i = 0; i < vary->count && rc == 0; i++)
        rc = cmw_response_add_token(response, CMW_HDR_VARY, vary->members[i]);
    return rc;
}

/* The origin that is allowed, and what goes beside it. */
static int allow(cmw_response *response, cmw_str origin, const cmw_header_block *rest)
{
    const int rc = cmw_response_set(response, CMW_HDR_ACCESS_CONTROL_ALLOW_ORIGIN, origin);

    return rc == 0 ? cmw_response_add_block(response, rest) : rc;
}

/* "*" in allow_headers: the names that were asked for. */
static int reflect_headers(cmw_response *response, cmw_request *request)
{
    const cmw_header_id id = CMW_HDR_ACCESS_CONTROL_REQUEST_HEADERS;
    const cmw_header *line = cmw_request_header(request, id);
    int rc = 0;

    for (; line && rc == 0; line = cmw_request_next_header(request, id, line)) {
        cmw_str rest = line->value, first;
        if (!next_member(&rest, &first))
            continue;
        size_t len = (size_t)(line->value.data + line->value.len - first.data);
        while (first.data[len - 1] == ' ' || first.data[len - 1] == '\t')
            len--;
        rc = cmw_response_append(response, CMW_HDR_ACCESS_CONTROL_ALLOW_HEADERS,
                                 cmw_str_make(first.data, len));
    }
    return rc;
}

static int wants_private_network(cmw_request *request)
{
    const cmw_header_id id = CMW_HDR_ACCESS_CONTROL_REQUEST_PRIVATE_NETWORK;
    const cmw_header *line = cmw_request_header(request, id);

    return line && cmw_str_equals(line->value, CMW_STR("true"));
}

static int asks_for_too_much(const struct cors *cors, cmw_request *request, cmw_str method)
{
    return cmw_request_is_repeated(request, CMW_HDR_ACCESS_CONTROL_REQUEST_METHOD) ||
           !allows_method(&cors->methods, method) || !allows_headers(&cors->headers, request);
}

/* What depends on the words of a preflight. */
static int answer_words(const struct cors *cors, cmw_request *request, cmw_response *response,
                        cmw_str method)
{
    int rc = 0;

    if (cors->methods.has_any)
        rc = cmw_response_set(response, CMW_HDR_ACCESS_CONTROL_ALLOW_METHODS, method);
    if (rc == 0 && cors->headers.has_any)
        rc = reflect_headers(response, request);
    if (rc == 0 && cors->allows_private_network && wants_private_network(request))
        rc = cmw_response_set(response, CMW_HDR_ACCESS_CONTROL_ALLOW_PRIVATE_NETWORK,
                              CMW_STR("true"));
    return rc;
}

/* ---- Responses --------------------------------------------------------------------------- */

/* The fields that are known, to a preflight that asks for what is allowed. `is_bare`: the response
 * has no Vary, so that a block may bring it. */
static int allow_preflight(const struct cors *cors, cmw_response *response,
                           const struct allowed *allowed, int is_bare)
{
    if (is_bare && allowed->listed)
        return cmw_response_add_block(response, allowed->listed->preflight);
    if (is_bare)
        return allow(response, allowed->origin, cors->bare_preflight);
    const int rc = add_vary(response, &cors->preflight_vary);
    return rc == 0 ? allow(response, allowed->origin, cors->preflight) : rc;
}

/* A preflight that asks for too much, or for a foreign origin, gets nothing but Vary: the browser
 * then refuses. */
static int decorate_preflight(const struct cors *cors, cmw_ctx *ctx, int is_bare)
{
    cmw_request *request = cmw_ctx_request(ctx);
    cmw_response *response = cmw_ctx_response(ctx);
    const cmw_header *method = cmw_request_header(request, CMW_HDR_ACCESS_CONTROL_REQUEST_METHOD);
    const struct allowed allowed = find_allowed(cors, ctx, request);

    if (allowed.origin.len == 0 || asks_for_too_much(cors, request, method->value))
        return add_vary(response, &cors->preflight_vary);
    const int rc = allow_preflight(cors, response, &allowed, is_bare);
    return rc == 0 ? answer_words(cors, request, response, method->value) : rc;
}

static int decorate_answer(const struct cors *cors, cmw_ctx *ctx, int is_bare)
{
    cmw_response *response = cmw_ctx_response(ctx);
    const struct allowed allowed = find_allowed(cors, ctx, cmw_ctx_request(ctx));

    if (allowed.origin.len == 0)
        return add_vary(response, &cors->vary);
    if (cors->allows_any)
        return cmw_response_add_block(response, cors->any);
    if (is_bare)
        return allow(response, allowed.origin, cors->bare_plain);
    const int rc = add_vary(response, &cors->vary);
    return rc == 0 ? allow(response, allowed.origin, cors->plain) : rc;
}

int cmw__cors_decorate(const struct cors *cors, cmw_ctx *ctx)
{
    cmw_response *response = cmw_ctx_response(ctx);
    const int is_bare = !cmw_response_has_any(response, &cmw__cors_touched);
    const int rc = is_bare ? 0 : cmw_response_remove_any(response, &answer_set);

    if (rc != 0)
        return rc;
    return is_preflight(cmw_ctx_request(ctx)) ? decorate_preflight(cors, ctx, is_bare)
                                              : decorate_answer(cors, ctx, is_bare);
}
