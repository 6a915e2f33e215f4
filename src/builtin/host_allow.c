/* SPDX-License-Identifier: MIT */
/* For which hosts requests are answered. */
#include <catzilla/builtin/host_allow.h>

#include <catzilla/mw.h>

#include "builtins.h"
#include "host_set.h"

struct host_allow {
    cmw_arena *arena;
    struct cmw__host_set names;
    cmw_network_set *literals; /* IPv6; one address has many spellings */
    int allows_all;
    int status;
};

static cmw_phase_fn on_pre_route;

/* ---- Requests --------------------------------------------------------------------------- */

static int is_listed(const struct host_allow *allow, cmw_str host)
{
    cmw_address address;

    if (allow->allows_all)
        return 1;
    if (host.data[0] != '[')
        return cmw__host_set_contains(&allow->names, host);
    return cmw_address_parse(&address, cmw_str_make(host.data + 1, host.len - 2)) == 0 &&
           cmw_network_set_contains(allow->literals, &address);
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct host_allow *allow = self;
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_str host = cmw_request_host(request);

    if (!cmw_request_host_is_valid(request) || host.len > CMW__HOST_NAME_LIMIT)
        return cmw_respond_problem(ctx, 400, "the request names no valid host");
    if (!cmw_request_host_agrees(request))
        return cmw_respond_problem(ctx, 400, "the request names two hosts");
    if (host.len == 0) {
        const uint16_t version = cmw_request_http_version(request);
        if (allow->allows_all && version > 0 && version < 0x0101)
            return CMW_CONTINUE;
        return cmw_respond_problem(ctx, 400, "the request names no host");
    }
    if (is_listed(allow, host))
        return CMW_CONTINUE;
    return cmw_respond_problem(ctx, allow->status, "no such host is served here");
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct host_allow *allow = self;
    cmw_arena_destroy(allow->arena);
}

static int refuse(cmw_diag *diag, const char *text, const char *why)
{
    return cmw_diag_set(diag, CMW_ERR_INVALID, "host_allow: hosts: '%s' %s", text, why);
}

/* A copy in lower case, without a dot at its end. */
static int copy_lower(cmw_arena *arena, cmw_str *out, const char *text)
{
    const size_t len = strlen(text);
    char *copy = cmw_arena_alloc(arena, len + 1);

    if (!copy)
        return CMW_ERR_NOMEM;
    for (size_t i = 0; i <= len; i++)
        copy[i] = (char)(text[i] >= 'A' && text[i] <= 'Z' ? text[i] + 0x20 : text[i]);
    *out = cmw_str_make(copy, len > 1 && copy[len - 1] == '.' ? len - 1 : len);
    return 0;
}

/* What is wrong with a text that has a colon. */
static const char *colon_trouble(cmw_str text)
{
    const char *first = memchr(text.data, ':', text.len);
    const size_t behind = text.len - (size_t)(first - text.data) - 1;

    if (text.data[0] != '[' && memchr(first + 1, ':', behind))
        return "is no host: write an IPv6 address in brackets";
    return "is no host, or has a port: ports are not compared, leave it out";
}

static int add_name(struct host_allow *allow, cmw_str name, const char *text, cmw_diag *diag)
{
    const int is_pattern = name.len > 2 && name.data[0] == '*' && name.data[1] == '.';

    if (is_pattern)
        name = cmw_str_make(name.data + 2, name.len - 2);
    if (memchr(name.data, ':', name.len))
        return refuse(diag, text, colon_trouble(name));
    if (!cmw__host_is_name(name))
        return refuse(diag, text, "is not a host, '*.' and a host, or '*'");
    cmw__host_set_add(&allow->names, name, is_pattern);
    return 0;
}

/* `literals` has room for all of them; `*count` are in it. */
static int add_host(struct host_allow *allow, const char *text, const char **literals,
                    size_t *count, cmw_diag *diag)
{
    cmw_str host;

    if (!text)
        return refuse(diag, "", "is not a host, '*.' and a host, or '*'");
    if (strcmp(text, "*") == 0) {
        allow->allows_all = 1;
        return 0;
    }
    if (copy_lower(allow->arena, &host, text) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "host_allow: no memory");
    if (!cmw__host_is_literal(host))
        return add_name(allow, host, text, diag);
    char *literal = (char *)(uintptr_t)host.data; /* our own copy */
    literal[host.len - 1] = '\0';
    literals[(*count)++] = literal + 1;
    return 0;
}

static int fill(struct host_allow *allow, const cmw_host_allow_config *config, cmw_diag *diag)
{
    const char **literals = cmw_arena_alloc(allow->arena, config->host_count * sizeof *literals);
    size_t count = 0;

    allow->status = (int)config->status;
    if (!literals || cmw__host_set_init(&allow->names, allow->arena, config->host_count) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "host_allow: no memory");
    for (size_t i = 0; i < config->host_count; i++) {
        const int rc = add_host(allow, config->hosts[i], literals, &count, diag);
        if (rc != 0)
            return rc;
    }
    return cmw__builtin_networks(&allow->literals, allow->arena, "host_allow: hosts", literals,
                                 count, diag);
}

static int check_config(const cmw_host_allow_config *config, cmw_diag *diag)
{
    if (config->host_count == 0 || !config->hosts)
        return cmw_diag_set(diag, CMW_ERR_ARG, "host_allow: hosts: at least one is needed");
    if (config->status < 400 || config->status > 499)
        return cmw_diag_set(diag, CMW_ERR_ARG, "host_allow: status: %lld is not 400 to 499",
                            (long long)config->status);
    return 0;
}

int cmw_host_allow_create(cmw_engine *engine, cmw_middleware *middleware,
                          const cmw_host_allow_config *config, cmw_diag *diag)
{
    cmw_host_allow_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_host_allow_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "host_allow: the config is of a newer version");
    int rc = check_config(&ours, diag);
    if (rc != 0)
        return rc;
    struct host_allow *allow =
        cmw__builtin_alloc(engine, &arena, sizeof *allow, "host_allow", diag);
    if (!allow)
        return CMW_ERR_NOMEM;
    allow->arena = arena;
    rc = fill(allow, &ours, diag);
    if (rc != 0) {
        destroy(allow);
        return rc;
    }

    middleware->kind = "host_allow";
    middleware->priority = 70;
    middleware->flags |= CMW_GUARDS_ACCESS;
    middleware->self = allow;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    cmw_middleware_uses(middleware, CMW_FACT_HOST);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_host_allow_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_host_allow_config_init(config);
}

static const cmw_option options[] = {
    {.name = "hosts",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_host_allow_config, hosts),
     .flags = CMW_OPTION_REQUIRED,
     .help = "Hosts that are served: a name, *. and a name for all below it, an address, or *"},
    {.name = "status",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_host_allow_config, status),
     .min = 400,
     .max = 499,
     .help = "Status for a host that is not listed"},
};

const cmw_kind cmw__kind_host_allow = {
    .size = sizeof(cmw_kind),
    .name = "host_allow",
    .summary = "Refuses requests for hosts that are not listed, for none and for two",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_host_allow_config),
    .config_init = config_init,
    .create = create,
};
