/* SPDX-License-Identifier: MIT */
/*
 * Bearer tokens. The table holds valid tokens only, so that the syntax of one is looked at only if
 * the table does not know it.
 */
#include <catzilla/builtin/bearer.h>

#include <stdio.h>

#include <catzilla/mw.h>

#include "auth.h"
#include "builtins.h"

struct bearer {
    struct cmw__auth auth; /* first: its post_route gets this */
    cmw_arena *arena;
    cmw_str invalid_request, invalid_token, insufficient_scope; /* challenges */
    cmw_str *required_scopes;
    size_t required_scope_count;
    int reads_query;
    int strips;
    cmw_phase_fn *look;            /* the uncommon way: by address, so that it stays out of line */
    const cmw_secret_table *plain; /* the table, if no option asks for more than a look at it */
};

static cmw_phase_fn on_pre_route, look;

/* ---- Requests --------------------------------------------------------------------------- */

static int refuse_request(const struct bearer *bearer, cmw_ctx *ctx)
{
    return cmw__auth_refuse(ctx, 400, bearer->invalid_request, "that is not a bearer token");
}

/* A token that nobody knows: it may not even be one. */
static int refuse_token(const struct bearer *bearer, cmw_ctx *ctx, cmw_str token)
{
    if (!cmw_token68_is_valid(token))
        return refuse_request(bearer, ctx);
    return cmw__auth_refuse(ctx, 401, bearer->invalid_token, "the token is not valid");
}

static int has_scopes(const struct bearer *bearer, const cmw_principal *principal)
{
    for (size_t i = 0; i < bearer->required_scope_count; i++)
        if (!cmw_principal_has_scope(principal, bearer->required_scopes[i]))
            return 0;
    return 1;
}

static int admit(const struct bearer *bearer, cmw_ctx *ctx, const cmw_principal *principal)
{
    if (!has_scopes(bearer, principal))
        return cmw__auth_refuse(ctx, 403, bearer->insufficient_scope, "the token lacks a scope");
    if (bearer->strips &&
        cmw_request_remove_header(cmw_ctx_request(ctx), CMW_STR("Authorization")) != 0)
        return CMW_ERROR;
    return cmw__auth_admit(&bearer->auth, ctx, principal);
}

static int verify(const struct bearer *bearer, cmw_ctx *ctx, cmw_str token)
{
    const cmw_credentials shown = {{"", 0}, token};
    cmw_principal principal;

    if (token.len > CMW_BEARER_CAP || !cmw_token68_is_valid(token))
        return refuse_token(bearer, ctx, token);
    const int rc = cmw__auth_verify(&bearer->auth, ctx, &principal, &shown);
    if (rc == CMW_ERR_NOT_FOUND)
        return refuse_token(bearer, ctx, token);
    return rc == 0 ? admit(bearer, ctx, &principal) : CMW_ERROR;
}

static int look_up(const struct bearer *bearer, cmw_ctx *ctx, cmw_str token)
{
    if (!bearer->auth.table)
        return verify(bearer, ctx, token);
    const cmw_principal *principal =
        token.len <= CMW_BEARER_CAP ? cmw_secret_table_find(bearer->auth.table, token) : NULL;
    return principal ? admit(bearer, ctx, principal) : refuse_token(bearer, ctx, token);
}

static int look_up_query(const struct bearer *bearer, cmw_ctx *ctx, cmw_str value)
{
    cmw_str token;
    const int rc = cmw__auth_read_query(ctx, &token, value);

    if (rc == CMW_ERR_INVALID)
        return refuse_request(bearer, ctx);
    return rc == 0 ? look_up(bearer, ctx, token) : CMW_ERROR;
}

/* Where the query counts too: a token in one place, once. */
static int look_everywhere(const struct bearer *bearer, cmw_ctx *ctx)
{
    cmw_request *request = cmw_ctx_request(ctx);
    cmw_str token = {"", 0}, value = {"", 0};
    const int rc = cmw_request_credentials(request, &token, CMW_STR("bearer"));
    const size_t found =
        cmw_query_find(&value, cmw_request_query(request), CMW_STR("access_token"));

    if (rc == CMW_ERR_INVALID || found + (rc == 0) > 1)
        return refuse_request(bearer, ctx);
    if (found > 0)
        return look_up_query(bearer, ctx, value);
    return token.len > 0 ? look_up(bearer, ctx, token) : cmw__auth_miss(&bearer->auth, ctx);
}

/* Whatever is asked, and shown. */
static int look(void *self, cmw_ctx *ctx)
{
    const struct bearer *bearer = self;
    cmw_str token;

    if (cmw__auth_is_settled(&bearer->auth, ctx))
        return CMW_CONTINUE;
    if (bearer->reads_query)
        return look_everywhere(bearer, ctx);
    const int rc = cmw_request_credentials(cmw_ctx_request(ctx), &token, CMW_STR("bearer"));
    if (rc == CMW_ERR_INVALID)
        return refuse_request(bearer, ctx);
    if (rc != 0 || token.len == 0) /* the scheme alone shows nothing */
        return cmw__auth_miss(&bearer->auth, ctx);
    return look_up(bearer, ctx, token);
}

/* "Bearer " in any case, at eight bytes of which the last one may be any. */
static inline int is_bearer(const char *at)
{
    static const char letters[8] = {'B', 'E', 'A', 'R', 'E', 'R', ' ', 0};
    static const unsigned char cases[8] = {0xdf, 0xdf, 0xdf, 0xdf, 0xdf, 0xdf, 0xff, 0};
    uint64_t shown, wanted, mask;

    memcpy(&shown, at, 8);
    memcpy(&wanted, letters, 8);
    memcpy(&mask, cases, 8);
    return (shown & mask) == wanted;
}

/* The field in the form in which nearly all clients send it, once: "Bearer " and a token. */
static inline int has_usual_form(const cmw_header *header)
{
    return header && header->value.len >= 8 && is_bearer(header->value.data) &&
           header->value.data[7] != ' ';
}

/* The common way: a table alone, and a token that it knows. All else begins again. */
static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct bearer *bearer = self;
    const cmw_header *const header =
        cmw_request_sole_header(cmw_ctx_request(ctx), CMW_HDR_AUTHORIZATION);

    if (!bearer->plain || !has_usual_form(header))
        return bearer->look(self, ctx);
    const cmw_principal *const principal = cmw_secret_table_find(
        bearer->plain, cmw_str_make(header->value.data + 7, header->value.len - 7));
    if (!principal)
        return bearer->look(self, ctx);
    return cmw_ctx_copy_slot(ctx, bearer->auth.principal, principal) ? CMW_CONTINUE : CMW_ERROR;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct bearer *bearer = self;
    cmw_arena_destroy(bearer->arena);
}

static const char *find_fault(const cmw_secret_entry *entry)
{
    const cmw_str token = cmw_str_cstr(entry->secret);

    if (!cmw_token68_is_valid(token))
        return "has a token that is none (letters, digits, -._~+/ and = at its end)";
    return token.len > CMW_BEARER_CAP ? "has a token of more than 8,192 bytes" : NULL;
}

/* One list: clients, then tokens with an id made up for each. */
static int gather(struct bearer *bearer, cmw_secret_table_config *table,
                  const cmw_bearer_config *config)
{
    const size_t count = config->client_count + config->token_count;
    cmw_option_text *texts = NULL;
    char name[32];

    if (count >= config->token_count && count <= SIZE_MAX / sizeof *texts)
        texts = cmw_arena_alloc(bearer->arena, count * sizeof *texts);
    if (!texts)
        return CMW_ERR_NOMEM;
    for (size_t i = 0; i < config->token_count; i++) {
        (void)snprintf(name, sizeof name, "token-%zu", i + 1);
        texts[i].name = cmw__builtin_copy(bearer->arena, name);
        texts[i].text = config->tokens[i];
        if (!texts[i].name)
            return CMW_ERR_NOMEM;
    }
    if (config->client_count > 0)
        memcpy(texts + config->token_count, config->clients, config->client_count * sizeof *texts);
    return cmw__auth_gather(bearer->arena, table, config->entries, config->entry_count, texts,
                            count);
}

static int copy_scopes(struct bearer *bearer, const cmw_bearer_config *config, cmw_diag *diag)
{
    bearer->required_scopes =
        cmw_arena_alloc(bearer->arena, config->required_scope_count * sizeof(cmw_str));
    if (!bearer->required_scopes)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "bearer: no memory");
    for (size_t i = 0; i < config->required_scope_count; i++) {
        const cmw_str scope = cmw_str_cstr(config->required_scopes[i]);
        if (!cmw_scope_is_valid(scope))
            return cmw_diag_set(diag, CMW_ERR_INVALID, "bearer: required_scopes: '%s' is no scope",
                                scope.data ? scope.data : "");
        if (cmw_arena_dup(bearer->arena, &bearer->required_scopes[i], scope) != 0)
            return cmw_diag_set(diag, CMW_ERR_NOMEM, "bearer: no memory");
        bearer->required_scope_count++;
    }
    return 0;
}

static int extend_challenges(struct bearer *bearer)
{
    const cmw_str challenge = bearer->auth.challenge;

    if (cmw__auth_extend(bearer->arena, &bearer->invalid_request, challenge, "invalid_request",
                         NULL, 0) != 0 ||
        cmw__auth_extend(bearer->arena, &bearer->invalid_token, challenge, "invalid_token", NULL,
                         0) != 0)
        return CMW_ERR_NOMEM;
    return cmw__auth_extend(bearer->arena, &bearer->insufficient_scope, challenge,
                            "insufficient_scope", bearer->required_scopes,
                            bearer->required_scope_count);
}

static int fill(struct bearer *bearer, cmw_engine *engine, cmw_middleware *middleware,
                const cmw_bearer_config *config, cmw_diag *diag)
{
    struct cmw__auth_setup setup = {
        .kind = "bearer",
        .scheme = "bearer",
        .challenge = "Bearer",
        .realm = config->realm,
        .tail = "",
        .find_fault = find_fault,
        .verify = config->verify,
        .verify_self = config->verify_self,
        .is_optional = config->optional,
    };

    cmw_secret_table_config_init(&setup.table);
    setup.table.order = CMW_SECRET_BY_SECRET;
    setup.table.digest = config->digest;
    setup.table.digest_self = config->digest_self;
    setup.table.digest_len = config->digest_len;
    if (gather(bearer, &setup.table, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "bearer: no memory");
    int rc = copy_scopes(bearer, config, diag);
    if (rc == 0)
        rc = cmw__auth_fill(&bearer->auth, bearer->arena, engine, middleware, &setup, diag);
    if (rc != 0)
        return rc;
    if (extend_challenges(bearer) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "bearer: no memory");
    if (!config->optional && !config->query && !config->strip && !config->digest &&
        config->required_scope_count == 0)
        bearer->plain = bearer->auth.table;
    return 0;
}

int cmw_bearer_create(cmw_engine *engine, cmw_middleware *middleware,
                      const cmw_bearer_config *config, cmw_diag *diag)
{
    cmw_bearer_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_bearer_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "bearer: the config is of a newer version");
    if (ours.query && ours.strip)
        return cmw_diag_set(diag, CMW_ERR_CONFLICT,
                            "bearer: strip: a token in the query (query) cannot be removed");
    struct bearer *bearer = cmw__builtin_alloc(engine, &arena, sizeof *bearer, "bearer", diag);
    if (!bearer)
        return CMW_ERR_NOMEM;
    bearer->arena = arena;
    bearer->look = look;
    bearer->reads_query = ours.query;
    bearer->strips = ours.strip;
    const int rc = fill(bearer, engine, middleware, &ours, diag);
    if (rc != 0) {
        destroy(bearer);
        return rc;
    }
    middleware->self = bearer;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_bearer_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_bearer_config_init(config);
}

static const cmw_option entry_options[] = {CMW_SECRET_ENTRY_OPTIONS};

static const cmw_option options[] = {
    {.name = "realm",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_bearer_config, realm),
     .help = "What the tokens are for"},
    {.name = "tokens",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_bearer_config, tokens),
     .help = "Tokens that pass; their principals are token-1, token-2, ...",
     .flags = CMW_OPTION_SECRET},
    {.name = "tokens",
     .type = CMW_OPTION_TEXT_MAP,
     .offset = offsetof(cmw_bearer_config, clients),
     .help = "Ids of principals and their tokens",
     .flags = CMW_OPTION_SECRET},
    {.name = "entries",
     .type = CMW_OPTION_OBJECT_LIST,
     .offset = offsetof(cmw_bearer_config, entries),
     .help = "Tokens with id, roles and scopes",
     .members = entry_options,
     .member_count = sizeof entry_options / sizeof entry_options[0],
     .object_size = sizeof(cmw_secret_entry)},
    {.name = "required_scopes",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_bearer_config, required_scopes),
     .help = "Scopes that a token must have, all of them"},
    {.name = "query",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_bearer_config, query),
     .help = "Look at access_token in the query too; such URLs end up in logs"},
    {.name = "optional",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_bearer_config, optional),
     .help = "Requests without a token pass, without a principal"},
    {.name = "strip",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_bearer_config, strip),
     .help = "Remove Authorization from requests that pass"},
};

const cmw_kind cmw__kind_bearer = {
    .size = sizeof(cmw_kind),
    .name = "bearer",
    .summary = "Bearer tokens (RFC 6750)",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_bearer_config),
    .config_init = config_init,
    .create = create,
};
