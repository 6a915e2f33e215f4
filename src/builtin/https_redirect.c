/* SPDX-License-Identifier: MIT */
/* Requests by http go to the same place by https. */
#include <catzilla/builtin/https_redirect.h>

#include <catzilla/mw.h>

#include <stdio.h>

#include "builtins.h"
#include "host_set.h"

struct exemption {
    cmw_str path; /* of a pattern: without its slash and star */
    int is_pattern;
};

struct https_redirect {
    cmw_arena *arena;
    int status;
    cmw_str host; /* empty: the request's */
    char port[8]; /* ":8443", or "" */
    size_t port_len;
    struct exemption *exempt;
    size_t exempt_count;
};

static const char *const default_exempt[] = {"/.well-known/acme-challenge/*", "/livez", "/readyz"};

static cmw_phase_fn on_pre_route;

/* ---- Requests --------------------------------------------------------------------------- */

static int covers(const struct exemption *exempt, cmw_str path)
{
    const size_t len = exempt->path.len;

    if (path.len < len || memcmp(path.data, exempt->path.data, len) != 0)
        return 0;
    return path.len == len || (exempt->is_pattern && path.data[len] == '/');
}

static int is_exempt(const struct https_redirect *redirect, cmw_str path)
{
    for (size_t i = 0; i < redirect->exempt_count; i++)
        if (covers(&redirect->exempt[i], path))
            return 1;
    return 0;
}

/* Path and query of the target, byte for byte; empty for absolute-form without a path. 0: it is of
 * another form, though a middleware may have given the request a path. */
static int path_and_query(cmw_str *out, cmw_str target)
{
    size_t at = 0;

    if (target.len > 0 && target.data[0] == '/') {
        *out = target;
        return 1;
    }
    while (at < target.len && target.data[at] != ':')
        at++;
    if (target.len - at < 3 || memcmp(target.data + at, "://", 3) != 0)
        return 0;
    at += 3;
    while (at < target.len && target.data[at] != '/' && target.data[at] != '?')
        at++;
    *out = cmw_str_make(target.data + at, target.len - at);
    return 1;
}

static char *append(char *to, cmw_str text)
{
    if (text.len > 0)
        memcpy(to, text.data, text.len);
    return to + text.len;
}

/* The absolute URI of the target; empty without memory. */
static cmw_str make_location(const struct https_redirect *redirect, cmw_arena *arena, cmw_str host,
                             cmw_str rest)
{
    const int needs_slash = rest.len == 0 || rest.data[0] != '/';
    const size_t room = 8 + host.len + redirect->port_len + 1 + rest.len;
    char *location = cmw_arena_alloc(arena, room);

    if (!location)
        return CMW_STR("");
    char *end = append(location, CMW_STR("https://"));
    end = append(end, host);
    end = append(end, cmw_str_make(redirect->port, redirect->port_len));
    if (needs_slash)
        *end++ = '/';
    end = append(end, rest);
    return cmw_str_make(location, (size_t)(end - location));
}

static int send_away(const struct https_redirect *redirect, cmw_ctx *ctx, cmw_str host)
{
    cmw_str rest;

    if (!path_and_query(&rest, cmw_request_raw_target(cmw_ctx_request(ctx))))
        return cmw_respond_problem(ctx, 400, "the request target is no path");
    const cmw_str location = make_location(redirect, cmw_ctx_arena(ctx), host, rest);
    if (location.len == 0)
        return CMW_ERROR;
    const int rc = cmw_response_redirect(cmw_ctx_response(ctx), redirect->status, location);
    if (rc == CMW_ERR_INVALID)
        return cmw_respond_problem(ctx, 400, "the request target has bytes that no URI has");
    return rc == 0 ? CMW_STOP : CMW_ERROR;
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct https_redirect *redirect = self;
    cmw_request *request = cmw_ctx_request(ctx);

    if (cmw_request_scheme(request) == CMW_SCHEME_HTTPS)
        return CMW_CONTINUE;
    const cmw_str path = cmw_request_path(request);
    if (path.len == 0 || path.data[0] != '/')
        return cmw_respond_problem(ctx, 400, "the request target is no path");
    if (is_exempt(redirect, path))
        return CMW_CONTINUE;
    const cmw_str host = redirect->host.len > 0 ? redirect->host : cmw_request_host(request);
    if (host.len == 0)
        return cmw_respond_problem(ctx, 400, "the request names no valid host");
    return send_away(redirect, ctx, host);
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct https_redirect *redirect = self;
    cmw_arena_destroy(redirect->arena);
}

void cmw_https_redirect_config_init_sized(cmw_https_redirect_config *config, size_t size)
{
    const cmw_https_redirect_config defaults = {
        .size = size,
        .status = 308,
        .port = 443,
        .exempt = default_exempt,
        .exempt_count = sizeof default_exempt / sizeof default_exempt[0],
    };

    memset(config, 0, size);
    memcpy(config, &defaults, size < sizeof defaults ? size : sizeof defaults);
}

static int check_host(const char *text, cmw_diag *diag)
{
    const cmw_str host = cmw_str_cstr(text);

    if (host.len == 0 || cmw__host_is_name(host) || cmw__host_is_literal(host))
        return 0;
    return cmw_diag_set(diag, CMW_ERR_INVALID,
                        "https_redirect: host: '%s' is not a host in lower case, without a port",
                        text);
}

/* "/a" or "/a/" and a star. */
static int check_exempt(const char *text, cmw_diag *diag)
{
    const size_t len = text ? strlen(text) : 0;
    const size_t stars = len > 2 && strcmp(text + len - 2, "/*") == 0;

    if (len > 0 && text[0] == '/' && !memchr(text, '*', len - stars) && !strchr(text, '?') &&
        !strstr(text, "//"))
        return 0;
    return cmw_diag_set(
        diag, CMW_ERR_INVALID,
        "https_redirect: exempt: '%s' is not a path, or a path with '/*' at its end",
        text ? text : "");
}

static int check_config(const cmw_https_redirect_config *config, cmw_diag *diag)
{
    const int64_t status = config->status;
    int rc = check_host(config->host, diag);

    if (status != 301 && status != 302 && status != 303 && status != 307 && status != 308)
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "https_redirect: status: %lld is not one of 301, "
                            "302, 303, 307 and 308",
                            (long long)status);
    if (config->port < 1 || config->port > 65535)
        return cmw_diag_set(diag, CMW_ERR_ARG, "https_redirect: port: %lld is not 1 to 65535",
                            (long long)config->port);
    if (config->exempt_count > 0 && !config->exempt)
        return cmw_diag_set(diag, CMW_ERR_ARG, "https_redirect: exempt: the list is missing");
    for (size_t i = 0; i < config->exempt_count && rc == 0; i++)
        rc = check_exempt(config->exempt[i], diag);
    return rc;
}

static int copy_exempt(struct https_redirect *redirect, const cmw_https_redirect_config *config)
{
    const size_t count = config->exempt_count;

    if (count == 0)
        return 0;
    redirect->exempt = cmw_arena_alloc(redirect->arena, count * sizeof *redirect->exempt);
    if (!redirect->exempt)
        return CMW_ERR_NOMEM;
    for (size_t i = 0; i < count; i++) {
        struct exemption *exempt = &redirect->exempt[i];
        cmw_str text = cmw_str_cstr(config->exempt[i]); /* check_exempt: not empty */
        exempt->is_pattern = text.len > 2 && text.data[text.len - 1] == '*';
        text.len -= exempt->is_pattern ? 2 : 0;
        if (cmw_arena_dup(redirect->arena, &exempt->path, text) != 0)
            return CMW_ERR_NOMEM;
    }
    redirect->exempt_count = count;
    return 0;
}

static int fill(struct https_redirect *redirect, const cmw_https_redirect_config *config,
                cmw_diag *diag)
{
    redirect->status = (int)config->status;
    if (config->port != 443)
        redirect->port_len =
            (size_t)snprintf(redirect->port, sizeof redirect->port, ":%u", (unsigned)config->port);
    if (cmw_arena_dup(redirect->arena, &redirect->host, cmw_str_cstr(config->host)) != 0 ||
        copy_exempt(redirect, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "https_redirect: no memory");
    return 0;
}

int cmw_https_redirect_create(cmw_engine *engine, cmw_middleware *middleware,
                              const cmw_https_redirect_config *config, cmw_diag *diag)
{
    cmw_https_redirect_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_https_redirect_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "https_redirect: the config is of a newer version");
    int rc = check_config(&ours, diag);
    if (rc != 0)
        return rc;
    struct https_redirect *redirect =
        cmw__builtin_alloc(engine, &arena, sizeof *redirect, "https_redirect", diag);
    if (!redirect)
        return CMW_ERR_NOMEM;
    redirect->arena = arena;
    rc = fill(redirect, &ours, diag);
    if (rc != 0) {
        destroy(redirect);
        return rc;
    }

    middleware->kind = "https_redirect";
    middleware->priority = 120;
    middleware->flags |= CMW_GUARDS_ACCESS;
    middleware->self = redirect;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    cmw_middleware_uses(middleware, CMW_FACT_SCHEME);
    cmw_middleware_uses(middleware, CMW_FACT_HOST);
    cmw_middleware_uses(middleware, CMW_FACT_CANONICAL_PATH);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_https_redirect_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_https_redirect_config_init_sized(config, sizeof(cmw_https_redirect_config));
}

static const cmw_option options[] = {
    {.name = "status",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_https_redirect_config, status),
     .min = 301,
     .max = 308,
     .help = "Status of the redirect: 301, 302, 303, 307 or 308"},
    {.name = "port",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_https_redirect_config, port),
     .min = 1,
     .max = 65535,
     .help = "Port of https"},
    {.name = "host",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_https_redirect_config, host),
     .help = "Host to go to; without it, the request's"},
    {.name = "exempt",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_https_redirect_config, exempt),
     .help = "Paths that are served by http, with /* at the end for all below"},
};

const cmw_kind cmw__kind_https_redirect = {
    .size = sizeof(cmw_kind),
    .name = "https_redirect",
    .summary = "Sends requests by http to the same place by https",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_https_redirect_config),
    .config_init = config_init,
    .create = create,
};
