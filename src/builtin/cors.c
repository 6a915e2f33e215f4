/* SPDX-License-Identifier: MIT */
/*
 * CORS: pre_route answers preflights, post_route decorates every response.
 *
 * Everything but the origin itself is in blocks that were made with the chain; for a listed origin
 * even that. Where the response has a Vary already, ours is merged into it token by token.
 */
#include <catzilla/builtin/cors.h>

#include "builtins.h"
#include "cors_state.h"

/* The fields that this answers with: ours, or nobody's. All are below 64. */
#define BIT(name) (UINT64_C(1) << CMW_HDR_ACCESS_CONTROL_##name)
#define ANSWER_BITS                                                                                \
    (BIT(ALLOW_CREDENTIALS) | BIT(ALLOW_HEADERS) | BIT(ALLOW_METHODS) | BIT(ALLOW_ORIGIN) |        \
     BIT(ALLOW_PRIVATE_NETWORK) | BIT(EXPOSE_HEADERS) | BIT(MAX_AGE))

static const cmw_header_set answer_set = {{ANSWER_BITS, 0}};
static const cmw_header_set touched_set = {{ANSWER_BITS, UINT64_C(1) << (CMW_HDR_VARY - 64)}};

/* What cmw__origin_find returns, and: every origin is allowed. */
enum { ORIGIN_ANY = -3 };

static cmw_phase_fn on_pre_route, on_post_route;

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
        if (left < name.len || !cmw__same_bytes(at, name.data, name.len))
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
            cmw__same_bytes(methods->items[i].data, method.data, method.len))
            return 1;
    return 0;
}

/* ---- Whose request it is ---------------------------------------------------------------- */

/* Fetch, 3.3.2: OPTIONS with Origin and Access-Control-Request-Method. */
static int is_preflight(cmw_request *request)
{
    return cmw_str_equals(cmw_request_method(request), CMW_STR("OPTIONS")) &&
           cmw_request_header(request, CMW_HDR_ORIGIN) &&
           cmw_request_header(request, CMW_HDR_ACCESS_CONTROL_REQUEST_METHOD);
}

/* What the callback says of an origin that is not listed. It is never asked of bytes that the
 * answer could not hold. */
static int ask(const struct cors *cors, cmw_ctx *ctx, cmw_str origin)
{
    return cors->ask && origin.len > 0 &&
           cmw_response_check_field(CMW_STR("Origin"), origin) == 0 &&
           cors->ask(cors->ask_self, ctx, origin);
}

/* An index of `listed`, or by which way the origin is allowed. `origin` NULL: none came. */
static int find_origin(const struct cors *cors, cmw_ctx *ctx, cmw_request *request,
                       const cmw_header *origin)
{
    if (!origin)
        return cors->allows_any ? ORIGIN_ANY : CMW__ORIGIN_NONE;
    if (cmw_request_is_repeated(request, CMW_HDR_ORIGIN))
        return CMW__ORIGIN_NONE;
    if (cors->allows_any)
        return ORIGIN_ANY;
    const int found = cmw__origin_find(&cors->origins, origin->value);
    return found == CMW__ORIGIN_NONE && ask(cors, ctx, origin->value) ? CMW__ORIGIN_MATCHED : found;
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

/* ---- Requests --------------------------------------------------------------------------- */

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct cors *cors = self;

    if (!is_preflight(cmw_ctx_request(ctx)))
        return CMW_CONTINUE;
    return cmw_respond_empty(ctx, cors->status);
}

/*
 * `is_bare`: the response has no Vary, so that a block may bring it. A preflight that asks for too
 * much, or for a foreign origin, gets nothing but Vary: the browser then refuses.
 */
static int decorate_preflight(const struct cors *cors, cmw_ctx *ctx, cmw_response *response,
                              int is_bare)
{
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_header *origin = cmw_request_header(request, CMW_HDR_ORIGIN);
    const cmw_header *method = cmw_request_header(request, CMW_HDR_ACCESS_CONTROL_REQUEST_METHOD);
    const int found = find_origin(cors, ctx, request, origin);
    int rc = is_bare ? 0 : add_vary(response, &cors->preflight_vary);

    if (rc == 0 && (found == CMW__ORIGIN_NONE || asks_for_too_much(cors, request, method->value)))
        return is_bare ? cmw_response_add_block(response, cors->preflight_vary.block) : 0;
    if (rc == 0)
        rc = allow(response, found == ORIGIN_ANY ? CMW_STR("*") : origin->value,
                   is_bare ? cors->bare_preflight : cors->preflight);
    return rc == 0 ? answer_words(cors, request, response, method->value) : rc;
}

static int decorate(const struct cors *cors, cmw_ctx *ctx, cmw_response *response, int is_bare)
{
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_header *origin = cmw_request_header(request, CMW_HDR_ORIGIN);
    const int found = find_origin(cors, ctx, request, origin);

    if (found >= 0 && is_bare)
        return cmw_response_add_block(response, cors->listed[found]);
    if (found == ORIGIN_ANY)
        return cmw_response_add_block(response, cors->any);
    const int rc = add_vary(response, &cors->vary);
    if (rc != 0 || found == CMW__ORIGIN_NONE)
        return rc;
    return allow(response, origin->value, cors->plain);
}

static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct cors *cors = self;
    cmw_request *request = cmw_ctx_request(ctx);
    cmw_response *response = cmw_ctx_response(ctx);
    const int is_bare = !cmw_response_has_any(response, &touched_set);
    int rc = is_bare ? 0 : cmw_response_remove_any(response, &answer_set);

    if (rc == 0)
        rc = is_preflight(request) ? decorate_preflight(cors, ctx, response, is_bare)
                                   : decorate(cors, ctx, response, is_bare);
    return rc == 0 ? CMW_CONTINUE : CMW_ERROR;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    cmw__cors_destroy(self);
}

void cmw_cors_config_init_sized(cmw_cors_config *config, size_t size)
{
    cmw_cors_config ours;

    memset(&ours, 0, sizeof ours);
    ours.size = size;
    ours.max_age_s = CMW_CORS_NO_MAX_AGE;
    ours.preflight_status = 204;
    memset(config, 0, size);
    memcpy(config, &ours, size < sizeof ours ? size : sizeof ours);
}

int cmw_cors_create(cmw_engine *engine, cmw_middleware *middleware, const cmw_cors_config *config,
                    cmw_diag *diag)
{
    static const char *const simple[] = {"GET", "HEAD", "POST"};
    cmw_cors_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_cors_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "cors: the config is of a newer version");
    if (!ours.allow_methods) {
        ours.allow_methods = simple;
        ours.allow_method_count = sizeof simple / sizeof simple[0];
    }
    const int bad = cmw__cors_check(&ours, diag);
    if (bad != 0)
        return bad;
    struct cors *cors = cmw__builtin_alloc(engine, &arena, sizeof *cors, "cors", diag);
    if (!cors)
        return CMW_ERR_NOMEM;
    cors->arena = arena;
    cors->pool = cmw_engine_pool(engine, CMW_POOL_PLAN);
    if (cmw__cors_fill(cors, &ours) != 0 ||
        cmw__builtin_provides(engine, middleware, "cors") != 0) {
        cmw__cors_destroy(cors);
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "cors: no memory");
    }

    middleware->kind = "cors";
    middleware->priority = 250;
    middleware->self = cors;
    middleware->destroy = destroy;
    middleware->pre_route = cors->passes_on ? NULL : on_pre_route;
    middleware->post_route = on_post_route;
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_cors_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_cors_config_init((cmw_cors_config *)config);
}

#define OPTION(option, kind, member, text)                                                         \
    .name = (option), .type = (kind), .offset = offsetof(cmw_cors_config, member), .help = (text)

static const cmw_option options[] = {
    {OPTION("allow_origins", CMW_OPTION_TEXT_LIST, allow_origins,
            "Origins whose pages may read answers: exact, with one * in the host, or * for all")},
    {OPTION("allow_methods", CMW_OPTION_TEXT_LIST, allow_methods,
            "Methods that pages may use; default GET, HEAD, POST; * for any")},
    {OPTION("allow_headers", CMW_OPTION_TEXT_LIST, allow_headers,
            "Request fields that pages may set; * for any")},
    {OPTION("expose_headers", CMW_OPTION_TEXT_LIST, expose_headers,
            "Response fields that pages may read")},
    {OPTION("allow_credentials", CMW_OPTION_BOOL, allow_credentials,
            "Let pages use cookies and other credentials; never with the origin *")},
    {OPTION("max_age", CMW_OPTION_INT, max_age_s, "Seconds for which a preflight holds"), .min = 0,
     .max = INT32_MAX},
    {OPTION("allow_private_network", CMW_OPTION_BOOL, allow_private_network,
            "Let public pages reach this server in a private network")},
    {OPTION("options_passthrough", CMW_OPTION_BOOL, options_passthrough,
            "Hand preflights on to the handler and decorate its answer")},
    {OPTION("preflight_status", CMW_OPTION_INT, preflight_status,
            "Status of the answer to a preflight"),
     .min = 200, .max = 299},
};

const cmw_kind cmw__kind_cors = {
    .size = sizeof(cmw_kind),
    .name = "cors",
    .summary = "Which pages of other origins may read answers; answers preflights",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_cors_config),
    .config_init = config_init,
    .create = create,
};
