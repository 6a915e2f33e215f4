/* SPDX-License-Identifier: MIT */
/*
 * Security headers: a table of fields with their defaults; those that are sent become constants of
 * the plan, but for Strict-Transport-Security, which depends on the scheme.
 */
#include <catzilla/builtin/security_headers.h>

#include <catzilla/mw.h>

#include "builtins.h"

struct field {
    cmw_str name;
    size_t offset; /* of the value in the config */
    const char *value;
};

#define FIELD(name, member, value)                                                                 \
    {                                                                                              \
        CMW_STR_INIT(name), offsetof(cmw_security_headers_config, member), value                   \
    }

/* Strict-Transport-Security first: it is the one that is not constant. */
static const struct field table[] = {
    FIELD("Strict-Transport-Security", strict_transport_security,
          "max-age=31536000; includeSubDomains"),
    FIELD("Content-Security-Policy", content_security_policy,
          "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';"
          "frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';"
          "script-src-attr 'none';style-src 'self' https: 'unsafe-inline';"
          "upgrade-insecure-requests"),
    FIELD("Cross-Origin-Embedder-Policy", cross_origin_embedder_policy, ""),
    FIELD("Cross-Origin-Opener-Policy", cross_origin_opener_policy, "same-origin"),
    FIELD("Cross-Origin-Resource-Policy", cross_origin_resource_policy, "same-origin"),
    FIELD("Origin-Agent-Cluster", origin_agent_cluster, "?1"),
    FIELD("Permissions-Policy", permissions_policy, ""),
    FIELD("Referrer-Policy", referrer_policy, "no-referrer"),
    FIELD("X-Content-Type-Options", x_content_type_options, "nosniff"),
    FIELD("X-DNS-Prefetch-Control", x_dns_prefetch_control, "off"),
    FIELD("X-Download-Options", x_download_options, "noopen"),
    FIELD("X-Frame-Options", x_frame_options, "SAMEORIGIN"),
    FIELD("X-Permitted-Cross-Domain-Policies", x_permitted_cross_domain_policies, "none"),
    FIELD("X-XSS-Protection", x_xss_protection, "0"),
};

#define FIELD_COUNT (sizeof table / sizeof table[0])

struct security_headers {
    cmw_arena *arena; /* holds this and the values */
    cmw_str strict_transport_security;
    cmw_header fields[FIELD_COUNT];
    size_t field_count;
};

static cmw_phase_fn on_post_route;

static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct security_headers *headers = self;
    cmw_response *response = cmw_ctx_response(ctx);

    if (cmw_request_scheme(cmw_ctx_request(ctx)) != CMW_SCHEME_HTTPS ||
        cmw_response_has(response, CMW_HDR_STRICT_TRANSPORT_SECURITY))
        return CMW_CONTINUE;
    return cmw_response_set(response, CMW_HDR_STRICT_TRANSPORT_SECURITY,
                            headers->strict_transport_security) == 0
               ? CMW_CONTINUE
               : CMW_ERROR;
}

static void destroy(void *self)
{
    struct security_headers *headers = self;
    cmw_arena_destroy(headers->arena);
}

/* The value that a config gives a field. The members of the table are all of one type. */
static const char *value_of(const cmw_security_headers_config *config, const struct field *field)
{
    const char *given = NULL;
    if (config)
        memcpy(&given, (const char *)config + field->offset, sizeof given);
    return given ? given : field->value;
}

static int take_values(struct security_headers *headers, const cmw_security_headers_config *config)
{
    for (size_t i = 0; i < FIELD_COUNT; i++) {
        const cmw_str value = cmw_str_cstr(value_of(config, &table[i]));
        cmw_str copy;
        if (value.len == 0)
            continue;
        if (cmw_arena_dup(headers->arena, &copy, value) != 0)
            return CMW_ERR_NOMEM;
        if (i == 0)
            headers->strict_transport_security = copy;
        else
            headers->fields[headers->field_count++] = (cmw_header){table[i].name, copy};
    }
    return 0;
}

static struct security_headers *create_state(cmw_engine *engine)
{
    cmw_arena *arena = NULL;
    if (cmw_arena_create(&arena, cmw_engine_pool(engine, CMW_POOL_PLAN), 0) != 0)
        return NULL;
    struct security_headers *headers = cmw_arena_alloc(arena, sizeof *headers);
    if (!headers) {
        cmw_arena_destroy(arena);
        return NULL;
    }
    memset(headers, 0, sizeof *headers);
    headers->arena = arena;
    return headers;
}

int cmw_security_headers_create(cmw_engine *engine, cmw_middleware *middleware,
                                const cmw_security_headers_config *config, cmw_diag *diag)
{
    if (!engine || !middleware)
        return CMW_ERR_ARG;
    if (config && config->size != sizeof *config)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "security_headers: call cmw_security_headers_config_init");
    for (size_t i = 0; i < FIELD_COUNT; i++)
        if (!cmw_header_value_is_valid(cmw_str_cstr(value_of(config, &table[i]))))
            return cmw_diag_set(
                diag, CMW_ERR_INVALID,
                "security_headers: the value of %s holds bytes that HTTP does not allow",
                table[i].name.data);
    struct security_headers *headers = create_state(engine);
    if (!headers || take_values(headers, config) != 0) {
        if (headers)
            destroy(headers);
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "security_headers: no memory");
    }
    middleware->kind = "security_headers";
    middleware->priority = 200;
    middleware->flags |= CMW_FIELDS_IF_ABSENT;
    middleware->self = headers;
    middleware->destroy = destroy;
    middleware->fields = headers->fields;
    middleware->field_count = headers->field_count;
    if (headers->strict_transport_security.len > 0) {
        middleware->post_route = on_post_route;
        cmw_middleware_uses(middleware, CMW_FACT_SCHEME);
    }
    return 0;
}

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_security_headers_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_security_headers_config_init(config);
}

#define OPTION(option, member, text)                                                               \
    {                                                                                              \
        .name = (option), .type = CMW_OPTION_TEXT,                                                 \
        .offset = offsetof(cmw_security_headers_config, member),                                   \
        .help = "Value of " text "; empty: not sent"                                               \
    }

static const cmw_option options[] = {
    OPTION("content_security_policy", content_security_policy, "Content-Security-Policy"),
    OPTION("cross_origin_embedder_policy", cross_origin_embedder_policy,
           "Cross-Origin-Embedder-Policy"),
    OPTION("cross_origin_opener_policy", cross_origin_opener_policy, "Cross-Origin-Opener-Policy"),
    OPTION("cross_origin_resource_policy", cross_origin_resource_policy,
           "Cross-Origin-Resource-Policy"),
    OPTION("origin_agent_cluster", origin_agent_cluster, "Origin-Agent-Cluster"),
    OPTION("permissions_policy", permissions_policy, "Permissions-Policy"),
    OPTION("referrer_policy", referrer_policy, "Referrer-Policy"),
    OPTION("strict_transport_security", strict_transport_security,
           "Strict-Transport-Security, over https only"),
    OPTION("x_content_type_options", x_content_type_options, "X-Content-Type-Options"),
    OPTION("x_dns_prefetch_control", x_dns_prefetch_control, "X-DNS-Prefetch-Control"),
    OPTION("x_download_options", x_download_options, "X-Download-Options"),
    OPTION("x_frame_options", x_frame_options, "X-Frame-Options"),
    OPTION("x_permitted_cross_domain_policies", x_permitted_cross_domain_policies,
           "X-Permitted-Cross-Domain-Policies"),
    OPTION("x_xss_protection", x_xss_protection, "X-XSS-Protection"),
};

const cmw_kind cmw__kind_security_headers = {
    .size = sizeof(cmw_kind),
    .name = "security_headers",
    .summary = "Response fields that tell a browser to be careful",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_security_headers_config),
    .config_init = config_init,
    .create = create,
};
