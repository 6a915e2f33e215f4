/* SPDX-License-Identifier: MIT */
/*
 * Cross-site requests, by what browsers say of themselves: no token, no store.
 *
 *     safe method                       -> on
 *     Sec-Fetch-Site: same-origin, none -> on      "none": the user typed it
 *                     another           -> on if the Origin is trusted
 *     Origin: that of the host          -> on      browsers older than Sec-Fetch-Site
 *             another                   -> on if it is trusted
 *     neither                           -> on      no browser, hence no cookies of a victim
 */
#include <catzilla/builtin/csrf.h>

#include <catzilla/mw.h>

#include "builtins.h"
#include "csrf_token.h"
#include "origin_set.h"

struct csrf {
    cmw_arena *arena;
    struct cmw__origin_set trusted;
    struct cmw__csrf_token token;
    uint8_t has_trusted;
    uint8_t allows_same_site;
    uint8_t needs_origin;
};

static cmw_phase_fn on_pre_route, on_pre_route_token, on_post_route_token;

/* ---- Requests --------------------------------------------------------------------------- */

/* RFC 9110, 9.2.1. */
static inline int is_safe(cmw_str method)
{
    switch (method.len) {
    case 3:
        return memcmp(method.data, "GET", 3) == 0;
    case 4:
        return memcmp(method.data, "HEAD", 4) == 0;
    case 5:
        return memcmp(method.data, "TRACE", 5) == 0;
    case 7:
        return memcmp(method.data, "OPTIONS", 7) == 0;
    default:
        return 0;
    }
}

static int is_trusted(const struct csrf *csrf, cmw_str origin)
{
    return csrf->has_trusted && origin.len > 0 &&
           (cmw__origin_find(&csrf->trusted, origin) ||
            cmw__origin_matches(&csrf->trusted, origin));
}

/* Cut a scheme off; 0: it is not this one. */
static int take_scheme(cmw_str *origin, cmw_str scheme)
{
    if (origin->len < scheme.len || memcmp(origin->data, scheme.data, scheme.len) != 0)
        return 0;
    *origin = cmw_str_make(origin->data + scheme.len, origin->len - scheme.len);
    return 1;
}

/* The port behind a host, cut off; 0: there is none; -1: it is none. */
static int take_port(cmw_str *host)
{
    int port = 0;
    size_t at = host->len;

    while (at > 0 && host->data[at - 1] >= '0' && host->data[at - 1] <= '9')
        at--;
    if (at == 0 || host->data[at - 1] != ':')
        return 0;
    if (host->len - at < 1 || host->len - at > 5)
        return -1;
    for (size_t i = at; i < host->len; i++)
        port = port * 10 + (host->data[i] - '0');
    host->len = at - 1;
    return port > 0 && port <= 65535 ? port : -1;
}

static int default_port(int is_https)
{
    return is_https ? 443 : 80;
}

/*
 * Is it the page of this very host? A browser leaves a default port out on both sides. Behind a
 * proxy that ends TLS the scheme may not be known: an https page is taken where http is what is
 * known, but not the other way round, as anybody on the network can be an http page.
 */
static int is_own(cmw_request *request, cmw_str origin)
{
    const int is_https = take_scheme(&origin, CMW_STR("https://"));

    if (!is_https && !take_scheme(&origin, CMW_STR("http://")))
        return 0;
    if (!is_https && cmw_request_scheme(request) == CMW_SCHEME_HTTPS)
        return 0;
    int port = take_port(&origin);
    if (port == default_port(is_https))
        port = 0;
    int own_port = cmw_request_port(request);
    if (own_port == default_port(is_https))
        own_port = 0;
    return port == own_port && origin.len > 0 &&
           cmw_str_equals_fold(origin, cmw_request_host(request));
}

static int refuse(cmw_ctx *ctx)
{
    return cmw_respond_problem(ctx, 403, "a page of another site may not do this");
}

/* The origin that came, once; empty otherwise. */
static cmw_str single_origin(cmw_request *request)
{
    const cmw_header *const field = cmw_request_header(request, CMW_HDR_ORIGIN);

    return field && !cmw_request_is_repeated(request, CMW_HDR_ORIGIN) ? field->value
                                                                      : cmw_str_make("", 0);
}

/* Browsers older than Sec-Fetch-Site, and what is no browser. */
static int judge_by_origin(const struct csrf *csrf, cmw_ctx *ctx)
{
    cmw_request *const request = cmw_ctx_request(ctx);
    const cmw_str origin = single_origin(request);

    if (!cmw_request_header(request, CMW_HDR_ORIGIN))
        return csrf->needs_origin ? refuse(ctx) : CMW_CONTINUE;
    return is_own(request, origin) || is_trusted(csrf, origin) ? CMW_CONTINUE : refuse(ctx);
}

/* Another site, another part of the same one, or a field that came twice: nobody's word. */
static int judge_by_site(const struct csrf *csrf, cmw_ctx *ctx, cmw_str site)
{
    cmw_request *const request = cmw_ctx_request(ctx);

    if (cmw_request_is_repeated(request, CMW_HDR_SEC_FETCH_SITE))
        return refuse(ctx);
    if (cmw_str_equals(site, CMW_STR("none")) ||
        (csrf->allows_same_site && cmw_str_equals(site, CMW_STR("same-site"))))
        return CMW_CONTINUE;
    return is_trusted(csrf, single_origin(request)) ? CMW_CONTINUE : refuse(ctx);
}

static CMW__BUILTIN_NOINLINE int judge(const struct csrf *csrf, cmw_ctx *ctx)
{
    const cmw_header *const site = cmw_request_header(cmw_ctx_request(ctx), CMW_HDR_SEC_FETCH_SITE);

    return site ? judge_by_site(csrf, ctx, site->value) : judge_by_origin(csrf, ctx);
}

/* What is usual is judged here, and needs no call. */
static int on_pre_route(void *self, cmw_ctx *ctx)
{
    cmw_request *const request = cmw_ctx_request(ctx);

    if (is_safe(cmw_request_method(request)))
        return CMW_CONTINUE;
    const cmw_header *const site = cmw_request_sole_header(request, CMW_HDR_SEC_FETCH_SITE);
    if (site && cmw_str_equals(site->value, CMW_STR("same-origin")))
        return CMW_CONTINUE;
    return judge(self, ctx);
}

/* The same, and the token with it. */
static int on_pre_route_token(void *self, cmw_ctx *ctx)
{
    const struct csrf *const csrf = self;
    const int verdict = on_pre_route(self, ctx);

    if (verdict != CMW_CONTINUE)
        return verdict;
    if (cmw__csrf_token_prepare(&csrf->token, ctx) != 0)
        return CMW_ERROR;
    if (is_safe(cmw_request_method(cmw_ctx_request(ctx))) ||
        cmw__csrf_token_is_sent(&csrf->token, ctx))
        return CMW_CONTINUE;
    return cmw_respond_problem(ctx, 403, "the token is missing, or not the cookie's");
}

static int on_post_route_token(void *self, cmw_ctx *ctx)
{
    const struct csrf *const csrf = self;

    return cmw__csrf_token_set(&csrf->token, ctx) == 0 ? CMW_CONTINUE : CMW_ERROR;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct csrf *const csrf = self;
    cmw_arena_destroy(csrf->arena);
}

static int no_memory(cmw_diag *diag)
{
    return cmw_diag_set(diag, CMW_ERR_NOMEM, "csrf: no memory");
}

static int check_origin(cmw_str origin, cmw_diag *diag)
{
    const char *const fault = cmw__origin_fault(origin);

    if (cmw_str_equals(origin, CMW_STR("*")) || cmw_str_equals(origin, CMW_STR("null")))
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "csrf: trusted_origins: '%.*s' would trust the pages of anybody",
                            (int)origin.len, origin.data);
    if (fault)
        return cmw_diag_set(diag, CMW_ERR_INVALID, "csrf: trusted_origins: '%.*s' %s",
                            (int)origin.len, origin.data ? origin.data : "", fault);
    return 0;
}

static int take_origins(struct csrf *csrf, const cmw_csrf_config *config, cmw_diag *diag)
{
    const size_t count = config->trusted_origin_count;
    struct cmw__origin_set *const set = &csrf->trusted;
    const size_t places = cmw__origin_table_size(count);
    cmw_str *const texts = cmw_arena_alloc(csrf->arena, (count + 1) * sizeof *texts);

    set->table = cmw_arena_alloc(csrf->arena, places * sizeof *set->table);
    set->patterns = cmw_arena_alloc(csrf->arena, (count + 1) * sizeof *set->patterns);
    if (!texts || !set->table || !set->patterns)
        return no_memory(diag);
    memset(set->table, 0, places * sizeof *set->table);
    set->mask = (uint32_t)(places - 1);
    for (size_t i = 0; i < count; i++) {
        const int rc = check_origin(cmw_str_cstr(config->trusted_origins[i]), diag);
        if (rc != 0)
            return rc;
        if (cmw_arena_dup(csrf->arena, &texts[i], cmw_str_cstr(config->trusted_origins[i])) != 0)
            return no_memory(diag);
    }
    cmw__origin_set_fill(set, texts, count);
    csrf->has_trusted = count > 0;
    return 0;
}

int cmw_csrf_create(cmw_engine *engine, cmw_middleware *middleware, const cmw_csrf_config *config,
                    cmw_diag *diag)
{
    cmw_csrf_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_csrf_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "csrf: the config is of a newer version");
    struct csrf *csrf = cmw__builtin_alloc(engine, &arena, sizeof *csrf, "csrf", diag);
    if (!csrf)
        return CMW_ERR_NOMEM;
    csrf->arena = arena;
    csrf->allows_same_site = ours.allow_same_site != 0;
    csrf->needs_origin = ours.require_origin != 0;
    int rc = take_origins(csrf, &ours, diag);
    if (rc == 0 && ours.token)
        rc = cmw__csrf_token_fill(&csrf->token, csrf->arena, engine, ours.token, diag);
    if (rc == 0 && (rc = cmw__builtin_uses(engine, middleware, "cors")) != 0)
        (void)no_memory(diag);
    if (rc != 0) {
        destroy(csrf);
        return rc;
    }

    middleware->kind = "csrf";
    middleware->priority = 360;
    middleware->flags |= CMW_GUARDS_ACCESS;
    middleware->self = csrf;
    middleware->destroy = destroy;
    middleware->pre_route = ours.token ? on_pre_route_token : on_pre_route;
    if (ours.token) {
        middleware->post_route = on_post_route_token;
        cmw_middleware_provides(middleware, csrf->token.slot);
        cmw_middleware_post_uses(middleware, CMW_FACT_KEPT_RESPONSE);
    }
    cmw_middleware_uses(middleware, CMW_FACT_HOST);
    cmw_middleware_uses(middleware, CMW_FACT_SCHEME);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_csrf_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_csrf_config_init(config);
}

static const cmw_option token_members[] = {
    {.name = "secrets",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_csrf_token, secrets),
     .help = "Secrets: the first one signs, all of them verify",
     .flags = CMW_OPTION_REQUIRED | CMW_OPTION_SECRET},
    {.name = "cookie",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_csrf_token, cookie),
     .help = "Name of the cookie; __Host-csrf where nothing is said"},
    {.name = "header",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_csrf_token, header),
     .help = "Field in which the token is sent back; X-CSRF-Token where nothing is said"},
    {.name = "session_cookie",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_csrf_token, session_cookie),
     .help = "Cookie whose value a token is bound to"},
};

static const cmw_option options[] = {
    {.name = "trusted_origins",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_csrf_config, trusted_origins),
     .help = "Origins of other sites whose pages may: https://a.example, https://*.a.example"},
    {.name = "allow_same_site",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_csrf_config, allow_same_site),
     .help = "Pages of the same registered domain may, whoever runs them"},
    {.name = "require_origin",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_csrf_config, require_origin),
     .help = "Refuse requests that say neither Sec-Fetch-Site nor Origin"},
    {.name = "token",
     .type = CMW_OPTION_OBJECT,
     .offset = offsetof(cmw_csrf_config, token),
     .help = "Ask for a token as well: signed double submit",
     .members = token_members,
     .member_count = sizeof token_members / sizeof token_members[0],
     .object_size = sizeof(cmw_csrf_token)},
};

const cmw_kind cmw__kind_csrf = {
    .size = sizeof(cmw_kind),
    .name = "csrf",
    .summary = "Refuses what pages of other sites make a browser send: no token, no store",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_csrf_config),
    .config_init = config_init,
    .create = create,
};
