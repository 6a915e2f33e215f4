/* SPDX-License-Identifier: MIT */
/*
 * Security headers: a table of fields with their defaults. Those that never change become constants
 * of the plan; post_route sees to the rest: HSTS, which depends on the scheme, a policy with a
 * nonce, and fields that have to go.
 */
#include <catzilla/builtin/security_headers.h>

#include <catzilla/mw.h>

#include "builtins.h"
#include "csp.h"
#include "security_values.h"

/* ---- The fields ------------------------------------------------------------------------- */

struct field {
    const char *option;
    cmw_str name;
    size_t text;         /* offsets in the config: of the value as text, */
    size_t chosen;       /* and of the switch */
    const char *profile; /* what the profile sends; NULL: nothing */
    const char *on;      /* what the switch sends; NULL: it cannot */
    const char *choices; /* what a text may be; NULL: has a function of its own */
    int has_parameters;
};

#define MEMBER(member)                                                                             \
    .option = #member, .text = offsetof(cmw_security_headers_config, member),                      \
    .chosen = offsetof(cmw_security_headers_config, switches.member)
#define NAME(text) .name = CMW_STR_INIT(text)
#define BOTH(value) .profile = (value), .on = (value)

enum { CSP, HSTS, PERMISSIONS, REFERRER, PLAIN };

static const struct field table[] = {
    [CSP] = {MEMBER(content_security_policy), NAME("Content-Security-Policy"),
             BOTH(cmw__csp_default)},
    [HSTS] = {MEMBER(strict_transport_security), NAME("Strict-Transport-Security"),
              BOTH("max-age=31536000; includeSubDomains")},
    [PERMISSIONS] = {MEMBER(permissions_policy), NAME("Permissions-Policy")},
    [REFERRER] = {MEMBER(referrer_policy), NAME("Referrer-Policy"), BOTH("no-referrer")},
    {MEMBER(cross_origin_embedder_policy), NAME("Cross-Origin-Embedder-Policy"),
     .on = "require-corp", .choices = "require-corp|credentialless|unsafe-none",
     .has_parameters = 1},
    {MEMBER(cross_origin_opener_policy), NAME("Cross-Origin-Opener-Policy"), BOTH("same-origin"),
     .choices = "same-origin|same-origin-allow-popups|noopener-allow-popups|unsafe-none",
     .has_parameters = 1},
    {MEMBER(cross_origin_resource_policy), NAME("Cross-Origin-Resource-Policy"),
     BOTH("same-origin"), .choices = "same-origin|same-site|cross-origin"},
    {MEMBER(origin_agent_cluster), NAME("Origin-Agent-Cluster"), BOTH("?1"), .choices = "?1|?0"},
    {MEMBER(x_content_type_options), NAME("X-Content-Type-Options"), BOTH("nosniff"),
     .choices = "nosniff"},
    {MEMBER(x_dns_prefetch_control), NAME("X-DNS-Prefetch-Control"), BOTH("off"),
     .choices = "off|on"},
    {MEMBER(x_download_options), NAME("X-Download-Options"), BOTH("noopen"), .choices = "noopen"},
    {MEMBER(x_frame_options), NAME("X-Frame-Options"), BOTH("SAMEORIGIN"),
     .choices = "DENY|SAMEORIGIN"},
    {MEMBER(x_permitted_cross_domain_policies), NAME("X-Permitted-Cross-Domain-Policies"),
     BOTH("none"),
     .choices = "none|master-only|by-content-type|by-ftp-filename|all|none-this-response"},
    {MEMBER(x_xss_protection), NAME("X-XSS-Protection"), BOTH("0"), .choices = "0|1; mode=block"},
};

#define FIELD_COUNT (sizeof table / sizeof table[0])

struct security_headers {
    cmw_arena *arena; /* holds this and the values */
    cmw_pool *pool;   /* holds the block */
    cmw_header fields[FIELD_COUNT];
    size_t field_count;
    cmw_header_set removed;
    cmw_header_block *hsts; /* or NULL */
    int hsts_to_loopback;
    cmw_phase_fn *change; /* the uncommon way: by address, so that it stays out of line */

    cmw_str policy; /* with 'nonce' in it; or empty */
    cmw_header_id policy_id;
    size_t policy_room; /* of the value */
    cmw_slot nonce;
    int forces;
};

static cmw_phase_fn on_pre_route, on_post_route, change;

/* ---- Requests: nonces -------------------------------------------------------------------- */

enum { NONCE_BYTES = 16, NONCE_LEN = 24 };

/* RFC 4648, 4. Behind the bytes are two zeros, which make the last group whole. */
static void write_base64(char *to, const uint8_t bytes[NONCE_BYTES + 2])
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < NONCE_BYTES; i += 3) {
        *to++ = digits[bytes[i] >> 2];
        *to++ = digits[(bytes[i] & 3) << 4 | bytes[i + 1] >> 4];
        *to++ = digits[(bytes[i + 1] & 15) << 2 | bytes[i + 2] >> 6];
        *to++ = digits[bytes[i + 2] & 63];
    }
    to[-1] = '=';
    to[-2] = '=';
}

/* The request's nonce, made on the first ask; NULL: there is none to be had. */
static const cmw_csp_nonce *nonce_of(const struct security_headers *headers, cmw_ctx *ctx)
{
    cmw_csp_nonce *nonce = cmw_ctx_slot(ctx, headers->nonce);
    uint8_t bytes[NONCE_BYTES + 2] = {0};

    if (nonce)
        return nonce;
    if (cmw_ctx_random(ctx, bytes, NONCE_BYTES) != 0)
        return NULL;
    nonce = cmw_ctx_set_slot(ctx, headers->nonce);
    if (!nonce)
        return NULL;
    write_base64(nonce->text, bytes);
    nonce->len = NONCE_LEN;
    return nonce;
}

static char *put(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}

/* The policy with each 'nonce' replaced by 'nonce-<the request's>'. */
static size_t write_policy(char *text, cmw_str policy, const cmw_csp_nonce *nonce)
{
    size_t from = 0, to = 0;
    char *at = text;

    for (; cmw__csp_next_nonce(policy, &to); from = to) {
        at = put(at, policy.data + from, to - from);
        at = put(at, "'nonce-", 7);
        at = put(at, nonce->text, nonce->len);
        at = put(at, "'", 1);
        to += sizeof CMW__CSP_NONCE - 1;
    }
    at = put(at, policy.data + from, policy.len - from);
    return (size_t)(at - text);
}

static int set_policy(const struct security_headers *headers, cmw_ctx *ctx, cmw_response *response)
{
    if (!headers->forces && cmw_response_has(response, headers->policy_id))
        return 0;
    const cmw_csp_nonce *nonce = nonce_of(headers, ctx);
    char *text = cmw_arena_alloc_text(cmw_ctx_arena(ctx), headers->policy_room);
    if (!nonce || !text)
        return CMW_ERR_NOMEM;
    const size_t len = write_policy(text, headers->policy, nonce);
    return cmw_response_set(response, headers->policy_id, cmw_str_make(text, len));
}

/* ---- Requests --------------------------------------------------------------------------- */

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    return nonce_of(self, ctx) ? CMW_CONTINUE : CMW_ERROR;
}

/* 127.0.0.0/8, ::1. */
static int is_loopback(const cmw_address *address)
{
    static const uint8_t v6[16] = {[15] = 1};

    if (address->family == CMW_ADDRESS_V4)
        return address->bytes[0] == 127;
    return address->family == CMW_ADDRESS_V6 && memcmp(address->bytes, v6, sizeof v6) == 0;
}

static CMW__BUILTIN_INLINE int wants_hsts(const struct security_headers *headers,
                                          const cmw_request *request)
{
    return cmw_request_scheme(request) == CMW_SCHEME_HTTPS ||
           (headers->hsts_to_loopback && is_loopback(cmw_request_client_address(request)));
}

static int change(void *self, cmw_ctx *ctx)
{
    const struct security_headers *headers = self;
    cmw_response *response = cmw_ctx_response(ctx);
    int rc = 0;

    if (cmw_response_has_any(response, &headers->removed))
        rc = cmw_response_remove_any(response, &headers->removed);
    if (rc == 0 && headers->hsts && wants_hsts(headers, cmw_ctx_request(ctx)))
        rc = cmw_response_add_block(response, headers->hsts);
    if (rc == 0 && headers->policy.len > 0)
        rc = set_policy(headers, ctx, response);
    return rc == 0 ? CMW_CONTINUE : CMW_ERROR;
}

/* Mostly there is nothing to do beside the constants. */
static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct security_headers *headers = self;

    if (headers->policy.len == 0 &&
        !cmw_response_has_any(cmw_ctx_response(ctx), &headers->removed) &&
        !(headers->hsts && wants_hsts(headers, cmw_ctx_request(ctx))))
        return CMW_CONTINUE;
    return headers->change(self, ctx);
}

/* ---- Configuration: 0, or an error with its sentence -------------------------------------- */

static int no_memory(cmw_diag *diag)
{
    return cmw_diag_set(diag, CMW_ERR_NOMEM, "security_headers: no memory");
}

static const char *text_of(const cmw_security_headers_config *config, const struct field *field)
{
    const char *text;
    memcpy(&text, (const char *)config + field->text, sizeof text);
    return text;
}

static int switch_of(const cmw_security_headers_config *config, const struct field *field)
{
    int chosen;
    memcpy(&chosen, (const char *)config + field->chosen, sizeof chosen);
    return chosen;
}

/* The text of a field that is not given in parts; NULL: it is not sent. */
static int choose_text(const cmw_security_headers_config *config, const struct field *field,
                       const char **text, cmw_diag *diag)
{
    const char *given = text_of(config, field);
    const int chosen = switch_of(config, field);

    *text = NULL;
    if (given && *given)
        *text = given;
    else if (!given && chosen > 0)
        *text = field->on;
    else if (!given && chosen < 0 && config->profile == CMW_SECURITY_HELMET)
        *text = field->profile;
    if (!given && chosen > 0 && !field->on)
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "security_headers: %s: there is no value to switch it on with",
                            field->option);
    return 0;
}

/* The value of a field; empty: it is not sent. */
static int make_value(struct security_headers *headers, cmw_str *value, size_t index,
                      const cmw_security_headers_config *config, cmw_diag *diag)
{
    const struct field *field = &table[index];
    cmw_arena *arena = headers->arena;
    const char *text;

    *value = CMW_STR("");
    if (index == CSP && config->csp)
        return cmw__csp_build(arena, value, config->csp, diag);
    if (index == HSTS && config->hsts)
        return cmw__security_hsts(arena, value, config->hsts, diag);
    if (index == PERMISSIONS && config->permissions)
        return cmw__security_permissions(arena, value, config->permissions,
                                         config->permission_count, diag);
    if (index == REFERRER && config->referrer_policies)
        return cmw__security_referrer(arena, value, config->referrer_policies,
                                      config->referrer_policy_count, diag);
    const int rc = choose_text(config, field, &text, diag);
    if (rc != 0 || !text)
        return rc;
    if (index == CSP)
        return cmw_arena_dup(arena, value, cmw_str_cstr(text)) == 0 ? 0 : no_memory(diag);
    if (index == HSTS)
        return cmw__security_hsts_text(arena, value, text, diag);
    if (index == PERMISSIONS)
        return cmw__security_permissions_text(arena, value, text, diag);
    if (index == REFERRER)
        return cmw__security_referrer(arena, value, &text, 1, diag);
    return cmw__security_choice(arena, value, field->option, field->choices, field->has_parameters,
                                text, diag);
}

static void add_field(struct security_headers *headers, cmw_str name, cmw_str value)
{
    headers->fields[headers->field_count++] = (cmw_header){name, value};
}

static int take_policy(struct security_headers *headers, cmw_str policy, int is_report_only,
                       cmw_diag *diag)
{
    const cmw_str name =
        is_report_only ? CMW_STR("Content-Security-Policy-Report-Only") : table[CSP].name;
    const int rc = cmw__csp_check(policy, diag);
    size_t at = 0;

    if (rc != 0)
        return rc;
    if (!cmw__csp_next_nonce(policy, &at)) {
        add_field(headers, name, policy);
        return 0;
    }
    headers->policy = policy;
    headers->policy_id = cmw_header_id_find(name);
    headers->policy_room = policy.len + 1;
    for (at = 0; cmw__csp_next_nonce(policy, &at); at++)
        headers->policy_room += sizeof(cmw_csp_nonce);
    return 0;
}

static int take_hsts(struct security_headers *headers, cmw_str value, cmw_diag *diag)
{
    const cmw_header field = {table[HSTS].name, value};
    const unsigned flags = headers->forces ? 0 : CMW_BLOCK_IF_ABSENT;

    return cmw_header_block_create(&headers->hsts, headers->pool, &field, 1, flags) == 0
               ? 0
               : no_memory(diag);
}

static int take_value(struct security_headers *headers, size_t index,
                      const cmw_security_headers_config *config, cmw_diag *diag)
{
    cmw_str value;
    const int rc = make_value(headers, &value, index, config, diag);

    if (rc != 0 || value.len == 0)
        return rc;
    if (index == CSP)
        return take_policy(headers, value, config->csp && config->csp->report_only, diag);
    if (index == HSTS)
        return take_hsts(headers, value, diag);
    add_field(headers, table[index].name, value);
    return 0;
}

static int check_choices(const cmw_security_headers_config *config, cmw_diag *diag)
{
    if (config->profile != CMW_SECURITY_HELMET && config->profile != CMW_SECURITY_GIVEN)
        return cmw_diag_set(diag, CMW_ERR_INVALID, "security_headers: profile: there is no %d",
                            config->profile);
    if (config->mode != CMW_SECURITY_IF_ABSENT && config->mode != CMW_SECURITY_FORCE)
        return cmw_diag_set(diag, CMW_ERR_INVALID, "security_headers: mode: there is no %d",
                            config->mode);
    return 0;
}

static int fill(struct security_headers *headers, const cmw_security_headers_config *config,
                cmw_diag *diag)
{
    const int powered_by = config->switches.x_powered_by;
    int rc = check_choices(config, diag);

    headers->forces = config->mode == CMW_SECURITY_FORCE;
    headers->hsts_to_loopback = config->hsts_to_loopback;
    if (powered_by > 0 || (powered_by < 0 && config->profile == CMW_SECURITY_HELMET))
        cmw_header_set_add(&headers->removed, CMW_HDR_X_POWERED_BY);
    if (config->remove_server)
        cmw_header_set_add(&headers->removed, CMW_HDR_SERVER);
    for (size_t i = 0; i < FIELD_COUNT && rc == 0; i++)
        rc = take_value(headers, i, config, diag);
    return rc;
}

static void destroy(void *self)
{
    struct security_headers *headers = self;

    cmw_header_block_destroy(headers->hsts, headers->pool);
    cmw_arena_destroy(headers->arena);
}

/* What the instance has to do with others. */
static int relate(struct security_headers *headers, cmw_engine *engine, cmw_middleware *middleware,
                  cmw_diag *diag)
{
    if (headers->hsts)
        cmw_middleware_uses(middleware, CMW_FACT_SCHEME);
    if (headers->hsts && headers->hsts_to_loopback)
        cmw_middleware_uses(middleware, CMW_FACT_CLIENT_ADDRESS);
    if (headers->policy.len == 0)
        return 0;
    const int rc =
        cmw_slot_declare(engine, &headers->nonce, "csp_nonce", sizeof(cmw_csp_nonce), NULL);
    if (rc != 0)
        return rc == CMW_ERR_NOMEM
                   ? no_memory(diag)
                   : cmw_diag_set(diag, rc, "security_headers: slot 'csp_nonce' has another shape");
    cmw_middleware_provides(middleware, headers->nonce);
    middleware->pre_route = on_pre_route;
    return 0;
}

int cmw_security_headers_create(cmw_engine *engine, cmw_middleware *middleware,
                                const cmw_security_headers_config *config, cmw_diag *diag)
{
    cmw_security_headers_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_security_headers_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "security_headers: the config is of a newer version");
    struct security_headers *headers =
        cmw__builtin_alloc(engine, &arena, sizeof *headers, "security_headers", diag);
    if (!headers)
        return CMW_ERR_NOMEM;
    headers->arena = arena;
    headers->pool = cmw_engine_pool(engine, CMW_POOL_PLAN);
    headers->change = change;
    int rc = fill(headers, &ours, diag);
    if (rc == 0)
        rc = relate(headers, engine, middleware, diag);
    if (rc != 0) {
        destroy(headers);
        return rc;
    }

    middleware->kind = "security_headers";
    middleware->priority = 200;
    middleware->post_priority = 60000;
    middleware->flags |= headers->forces ? 0 : CMW_FIELDS_IF_ABSENT;
    middleware->self = headers;
    middleware->destroy = destroy;
    middleware->fields = headers->fields;
    middleware->field_count = headers->field_count;
    cmw_middleware_post_uses(middleware, CMW_FACT_KEPT_RESPONSE);
    cmw_middleware_post_uses(middleware, CMW_FACT_RESPONSE_FIELDS);
    if (headers->hsts || headers->policy.len > 0 ||
        (headers->removed.bits[0] | headers->removed.bits[1]) != 0)
        middleware->post_route = on_post_route;
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_security_headers_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_security_headers_config_init(config);
}

static void hsts_init(void *object)
{
    cmw_hsts_init(object);
}

#define ROW(type_of, name_of, where, text)                                                         \
    .name = (name_of), .type = (type_of), .offset = offsetof(cmw_security_headers_config, where),  \
    .help = (text)

/* A field's value as text, and its switch. */
#define VALUE(member, text)                                                                        \
    {ROW(CMW_OPTION_TEXT, #member, member, text)},                                                 \
    {                                                                                              \
        ROW(CMW_OPTION_BOOL, #member, switches.member,                                             \
            "false: not sent; true: sent with its default")                                        \
    }

#define LEN(array) (sizeof(array) / sizeof *(array))

static const cmw_option csp_members[] = {
    {.name = "directives",
     .type = CMW_OPTION_LIST_MAP,
     .offset = offsetof(cmw_csp, directives),
     .help = "Directives and their values; 'nonce' stands for the request's nonce"},
    {.name = "use_defaults",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_csp, use_defaults),
     .help = "Add the default directives that are not given"},
    {.name = "report_only",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_csp, report_only),
     .help = "Report what the policy would forbid, and forbid nothing"},
    {.name = "nonce",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_csp, nonce),
     .help = "Add the request's nonce to script-src and style-src"},
};

static const cmw_option hsts_members[] = {
    {.name = "max_age",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_hsts, max_age_s),
     .min = 0,
     .max = INT64_MAX,
     .help = "Seconds for which browsers use https only; default a year"},
    {.name = "include_subdomains",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_hsts, include_subdomains),
     .help = "For all hosts below this one too"},
    {.name = "preload",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_hsts, preload),
     .help = "To be built into browsers; needs a year and include_subdomains"},
};

static const cmw_option options[] = {
    {ROW(CMW_OPTION_CHOICE, "profile", profile,
         "What is sent of fields that are not named: those of helmet 8, or none"),
     .choices = "helmet|given"},
    {ROW(CMW_OPTION_CHOICE, "mode", mode, "What becomes of a field that is there already"),
     .choices = "if_absent|force"},
    VALUE(content_security_policy, "Value of Content-Security-Policy; empty: not sent"),
    {ROW(CMW_OPTION_OBJECT, "content_security_policy", csp, "The policy in parts"),
     .members = csp_members, .member_count = LEN(csp_members), .object_size = sizeof(cmw_csp)},
    VALUE(cross_origin_embedder_policy, "require-corp, credentialless or unsafe-none"),
    VALUE(cross_origin_opener_policy,
          "same-origin, same-origin-allow-popups, noopener-allow-popups or unsafe-none"),
    VALUE(cross_origin_resource_policy, "same-origin, same-site or cross-origin"),
    VALUE(origin_agent_cluster, "?1 or ?0"),
    VALUE(permissions_policy, "Value of Permissions-Policy; empty: not sent"),
    {ROW(CMW_OPTION_LIST_MAP, "permissions_policy", permissions,
         "Features and who may use them: self, src, *, origins; an empty list: nobody")},
    VALUE(referrer_policy, "Value of Referrer-Policy; empty: not sent"),
    {ROW(CMW_OPTION_TEXT_LIST, "referrer_policy", referrer_policies,
         "Policies, of which the last one that a browser knows counts")},
    VALUE(strict_transport_security, "Value of Strict-Transport-Security, over https only"),
    {ROW(CMW_OPTION_OBJECT, "strict_transport_security", hsts, "The value in parts"),
     .members = hsts_members, .member_count = LEN(hsts_members), .object_size = sizeof(cmw_hsts),
     .object_init = hsts_init},
    {ROW(CMW_OPTION_BOOL, "hsts_to_loopback", hsts_to_loopback,
         "Send Strict-Transport-Security to clients of this machine over http, too")},
    VALUE(x_content_type_options, "nosniff"),
    VALUE(x_dns_prefetch_control, "off or on"),
    VALUE(x_download_options, "noopen"),
    VALUE(x_frame_options, "DENY or SAMEORIGIN, in any case"),
    VALUE(x_permitted_cross_domain_policies,
          "none, master-only, by-content-type, by-ftp-filename, all or none-this-response"),
    {ROW(CMW_OPTION_BOOL, "x_powered_by", switches.x_powered_by,
         "true: X-Powered-By is removed from responses")},
    {ROW(CMW_OPTION_BOOL, "remove_server", remove_server, "Remove Server from responses")},
    VALUE(x_xss_protection, "0 or 1; mode=block"),
};

const cmw_kind cmw__kind_security_headers = {
    .size = sizeof(cmw_kind),
    .name = "security_headers",
    .summary = "Response fields that tell a browser to be careful",
    .options = options,
    .option_count = LEN(options),
    .config_size = sizeof(cmw_security_headers_config),
    .config_init = config_init,
    .create = create,
};
