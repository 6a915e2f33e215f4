/* SPDX-License-Identifier: MIT */
/* Challenges, principals, and the entries of a table, for all kinds that authenticate. */
#include "auth.h"

#include <catzilla/mw.h>

#include "builtins.h"

static cmw_phase_fn on_post_route;

/* ---- Requests --------------------------------------------------------------------------- */

int cmw__auth_refuse(cmw_ctx *ctx, int status, cmw_str challenge, const char *detail)
{
    if (cmw_response_append(cmw_ctx_response(ctx), CMW_HDR_WWW_AUTHENTICATE, challenge) != 0)
        return CMW_ERROR;
    return cmw_respond_problem(ctx, status, detail);
}

int cmw__auth_miss(const struct cmw__auth *auth, cmw_ctx *ctx)
{
    if (auth->is_optional)
        return CMW_CONTINUE;
    return cmw__auth_refuse(ctx, 401, auth->challenge, "credentials are needed");
}

int cmw__auth_is_settled(const struct cmw__auth *auth, cmw_ctx *ctx)
{
    return auth->is_optional && cmw_ctx_slot(ctx, auth->principal) != NULL;
}

int cmw__auth_read_query(cmw_ctx *ctx, cmw_str *secret, cmw_str value)
{
    char *room = cmw_arena_alloc_text(cmw_ctx_arena(ctx), value.len);
    size_t len = 0;

    if (!room ||
        cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_CACHE_CONTROL, CMW_STR("private")) != 0)
        return CMW_ERR_NOMEM;
    if (cmw_percent_decode(&len, room, value.len, value, CMW_PERCENT_FORM) != 0)
        return CMW_ERR_INVALID;
    *secret = cmw_str_make(room, len);
    return 0;
}

int cmw__auth_verify(const struct cmw__auth *auth, cmw_ctx *ctx, cmw_principal *principal,
                     const cmw_credentials *credentials)
{
    memset(principal, 0, sizeof *principal);
    principal->scheme = auth->scheme;
    if (cmw_arena_dup(cmw_ctx_arena(ctx), &principal->id, credentials->id) != 0)
        return CMW_ERR_NOMEM;
    switch (auth->verify(auth->verify_self, ctx, principal, credentials)) {
    case CMW_VERIFY_ADMITTED:
        return 0;
    case CMW_VERIFY_REFUSED:
        return CMW_ERR_NOT_FOUND;
    default:
        return CMW_ERR_STATE;
    }
}

int cmw__auth_admit(const struct cmw__auth *auth, cmw_ctx *ctx, const cmw_principal *principal)
{
    return cmw_ctx_copy_slot(ctx, auth->principal, principal) ? CMW_CONTINUE : CMW_ERROR;
}

static int has_challenge(const cmw_response *response, cmw_str challenge)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_header header;

    if (!cmw_response_has(response, CMW_HDR_WWW_AUTHENTICATE))
        return 0;
    while (cmw_response_next_header(response, &cursor, &header, 0))
        if (header.value.len >= challenge.len &&
            cmw_str_equals_fold(header.name, CMW_STR("WWW-Authenticate")) &&
            memcmp(header.value.data, challenge.data, challenge.len) == 0)
            return 1;
    return 0;
}

/* Of an optional one: somebody later answered 401, and this is one way to become known. */
static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct cmw__auth *auth = self;
    cmw_response *response = cmw_ctx_response(ctx);

    if (cmw_response_status(response) != 401 || has_challenge(response, auth->challenge))
        return CMW_CONTINUE;
    return cmw_response_append(response, CMW_HDR_WWW_AUTHENTICATE, auth->challenge) == 0
               ? CMW_CONTINUE
               : CMW_ERROR;
}

/* ---- Configuration ---------------------------------------------------------------------- */

int cmw__auth_gather(cmw_arena *arena, cmw_secret_table_config *table,
                     const cmw_secret_entry *entries, size_t entry_count,
                     const cmw_option_text *texts, size_t text_count)
{
    const size_t count = entry_count + text_count;
    cmw_secret_entry *all = NULL;

    if (count >= entry_count && count <= SIZE_MAX / sizeof *all)
        all = cmw_arena_alloc(arena, count * sizeof *all);
    if (!all)
        return CMW_ERR_NOMEM;
    if (count > 0)
        memset(all, 0, count * sizeof *all);
    for (size_t i = 0; i < text_count; i++) {
        all[i].id = texts[i].name;
        all[i].secret = texts[i].text;
    }
    if (entry_count > 0)
        memcpy(all + text_count, entries, entry_count * sizeof *all);
    table->entries = all;
    table->entry_count = count;
    return 0;
}

int cmw__auth_write_challenge(cmw_arena *arena, cmw_str *out, const char *scheme, const char *realm,
                              const char *tail)
{
    static const char between[] = " realm=";
    const size_t scheme_len = strlen(scheme), between_len = sizeof between - 1;
    const size_t tail_len = strlen(tail), realm_len = strlen(realm);
    const size_t room = 2 * realm_len + 2; /* quoted */
    char *text = cmw_arena_alloc_text(arena, scheme_len + between_len + room + tail_len);
    size_t quoted = 0;

    if (!text)
        return CMW_ERR_NOMEM;
    memcpy(text, scheme, scheme_len);
    memcpy(text + scheme_len, between, between_len);
    char *at = text + scheme_len + between_len;
    if (cmw_quoted_encode(&quoted, at, room, cmw_str_make(realm, realm_len)) != 0)
        return CMW_ERR_INVALID;
    memcpy(at + quoted, tail, tail_len);
    *out = cmw_str_make(text, (size_t)(at - text) + quoted + tail_len);
    return 0;
}

static char *put(char *at, cmw_str text)
{
    if (text.len > 0)
        memcpy(at, text.data, text.len);
    return at + text.len;
}

int cmw__auth_extend(cmw_arena *arena, cmw_str *out, cmw_str challenge, const char *error,
                     const cmw_str *scopes, size_t scope_count)
{
    const cmw_str code = cmw_str_cstr(error);
    size_t room = challenge.len + code.len + sizeof ", error=\"\", scope=\"\"";

    for (size_t i = 0; i < scope_count; i++)
        room += scopes[i].len + 1;
    char *text = cmw_arena_alloc_text(arena, room);
    if (!text)
        return CMW_ERR_NOMEM;
    char *at = put(text, challenge);
    at = put(put(at, CMW_STR(", error=\"")), code);
    for (size_t i = 0; i < scope_count; i++)
        at = put(put(at, i == 0 ? CMW_STR("\", scope=\"") : CMW_STR(" ")), scopes[i]);
    at = put(at, CMW_STR("\""));
    *out = cmw_str_make(text, (size_t)(at - text));
    return 0;
}

static int check_entries(const struct cmw__auth_setup *setup, cmw_diag *diag)
{
    for (size_t i = 0; setup->find_fault && i < setup->table.entry_count; i++) {
        const cmw_secret_entry *entry = &setup->table.entries[i];
        const char *fault = entry->id && entry->secret ? setup->find_fault(entry) : NULL;
        if (fault)
            return cmw_diag_set(diag, CMW_ERR_INVALID, "%s: '%s' %s", setup->kind, entry->id,
                                fault);
    }
    return 0;
}

static int make_table(struct cmw__auth *auth, cmw_arena *arena, const struct cmw__auth_setup *setup,
                      cmw_diag *diag)
{
    cmw_secret_table_config config = setup->table;
    cmw_secret_table *table = NULL;
    int rc = check_entries(setup, diag);

    if (rc != 0)
        return rc;
    config.owner = setup->kind;
    config.scheme = setup->scheme;
    rc = cmw_secret_table_create(&table, arena, &config, diag);
    auth->table = table;
    return rc;
}

static int make_who_decides(struct cmw__auth *auth, cmw_arena *arena,
                            const struct cmw__auth_setup *setup, cmw_diag *diag)
{
    if (setup->verify && setup->table.entry_count > 0)
        return cmw_diag_set(diag, CMW_ERR_CONFLICT,
                            "%s: verify: there are secrets in the options too, and only one can "
                            "decide",
                            setup->kind);
    auth->verify = setup->verify;
    auth->verify_self = setup->verify_self;
    if (setup->verify)
        return 0;
    if (setup->table.entry_count == 0)
        return cmw_diag_set(diag, CMW_ERR_ARG, "%s: no secret is given: nobody could pass",
                            setup->kind);
    return make_table(auth, arena, setup, diag);
}

static int make_challenge(struct cmw__auth *auth, cmw_arena *arena,
                          const struct cmw__auth_setup *setup, cmw_diag *diag)
{
    const char *realm = setup->realm ? setup->realm : "restricted";
    const int rc =
        cmw__auth_write_challenge(arena, &auth->challenge, setup->challenge, realm, setup->tail);

    if (rc == CMW_ERR_INVALID)
        return cmw_diag_set(diag, rc, "%s: realm: '%s' has a control byte", setup->kind, realm);
    if (rc != 0 || cmw_arena_dup(arena, &auth->scheme, cmw_str_cstr(setup->scheme)) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "%s: no memory", setup->kind);
    return 0;
}

/* What the chain must know. */
static int relate(struct cmw__auth *auth, cmw_engine *engine, cmw_middleware *middleware,
                  const char *kind, cmw_diag *diag)
{
    int rc = cmw_principal_slot(engine, &auth->principal);

    if (rc == CMW_ERR_CONFLICT)
        return cmw_diag_set(diag, rc, "%s: slot 'principal' has another shape", kind);
    if (rc == 0)
        rc = cmw__builtin_uses(engine, middleware, "cors");
    if (rc == 0)
        rc = cmw__builtin_uses(engine, middleware, "rate_limit");
    if (rc != 0)
        return cmw_diag_set(diag, rc, "%s: its slot and facts cannot be declared", kind);
    cmw_middleware_provides(middleware, auth->principal);
    return 0;
}

int cmw__auth_fill(struct cmw__auth *auth, cmw_arena *arena, cmw_engine *engine,
                   cmw_middleware *middleware, const struct cmw__auth_setup *setup, cmw_diag *diag)
{
    int rc = make_who_decides(auth, arena, setup, diag);

    if (rc == 0)
        rc = make_challenge(auth, arena, setup, diag);
    if (rc == 0)
        rc = relate(auth, engine, middleware, setup->kind, diag);
    if (rc != 0)
        return rc;
    auth->is_optional = setup->is_optional;
    middleware->kind = setup->kind;
    middleware->priority = 400;
    middleware->flags |= CMW_GUARDS_ACCESS;
    if (setup->is_optional)
        middleware->post_route = on_post_route;
    return 0;
}
