/* SPDX-License-Identifier: MIT */
/* Basic: base64 of "name:password", which a table by id or the program's function knows. */
#include <catzilla/builtin/basic_auth.h>

#include <catzilla/mw.h>

#include "auth.h"
#include "builtins.h"

struct basic_auth {
    struct cmw__auth auth; /* first: its post_route gets this */
    cmw_arena *arena;
    int strips;
};

static cmw_phase_fn on_pre_route;

/* ---- Requests --------------------------------------------------------------------------- */

/* RFC 7617, 2: neither name nor password may hold a control character. */
static int has_control(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
            return 1;
    return 0;
}

/* "name:password" out of base64, in `room`. The password may hold further colons. */
static int read_credentials(cmw_credentials *shown, char room[CMW_BASIC_AUTH_CAP], cmw_str text)
{
    size_t len = 0;

    if (text.len == 0 || cmw_base64_decode(&len, room, CMW_BASIC_AUTH_CAP, text, 0) != 0 ||
        has_control(room, len))
        return CMW_ERR_INVALID;
    const char *colon = memchr(room, ':', len);
    if (!colon)
        return CMW_ERR_INVALID;
    const size_t id_len = (size_t)(colon - room);
    shown->id = cmw_str_make(room, id_len);
    shown->secret = cmw_str_make(colon + 1, len - id_len - 1);
    return 0;
}

static int admit(const struct basic_auth *basic, cmw_ctx *ctx, const cmw_principal *principal)
{
    if (basic->strips &&
        cmw_request_remove_header(cmw_ctx_request(ctx), CMW_STR("Authorization")) != 0)
        return CMW_ERROR;
    return cmw__auth_admit(&basic->auth, ctx, principal);
}

static int refuse(const struct basic_auth *basic, cmw_ctx *ctx)
{
    return cmw__auth_refuse(ctx, 401, basic->auth.challenge, "the credentials are not valid");
}

static int verify(const struct basic_auth *basic, cmw_ctx *ctx, const cmw_credentials *shown)
{
    cmw_principal principal;
    const int rc = cmw__auth_verify(&basic->auth, ctx, &principal, shown);

    if (rc == CMW_ERR_NOT_FOUND)
        return refuse(basic, ctx);
    return rc == 0 ? admit(basic, ctx, &principal) : CMW_ERROR;
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct basic_auth *basic = self;
    char room[CMW_BASIC_AUTH_CAP];
    cmw_credentials shown;
    cmw_str text;

    if (cmw__auth_is_settled(&basic->auth, ctx))
        return CMW_CONTINUE;
    const int rc = cmw_request_credentials(cmw_ctx_request(ctx), &text, CMW_STR("basic"));
    if (rc == CMW_ERR_NOT_FOUND)
        return cmw__auth_miss(&basic->auth, ctx);
    if (rc != 0 || read_credentials(&shown, room, text) != 0)
        return refuse(basic, ctx);
    if (!basic->auth.table)
        return verify(basic, ctx, &shown);
    const cmw_principal *principal =
        cmw_secret_table_check(basic->auth.table, shown.id, shown.secret);
    return principal ? admit(basic, ctx, principal) : refuse(basic, ctx);
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct basic_auth *basic = self;
    cmw_arena_destroy(basic->arena);
}

static const char *find_fault(const cmw_secret_entry *entry)
{
    const size_t len = strlen(entry->secret);

    if (strchr(entry->id, ':'))
        return "has a colon in the name, which Basic cannot tell from the password's";
    if (has_control(entry->secret, len))
        return "has a control byte in the password";
    if (len > CMW_BASIC_AUTH_CAP - 1 || strlen(entry->id) > CMW_BASIC_AUTH_CAP - 1 - len)
        return "has a name and password of more than 1,023 bytes together";
    return NULL;
}

static int check_charset(const cmw_basic_auth_config *config, cmw_diag *diag)
{
    if (!config->charset || cmw_str_equals_fold(cmw_str_cstr(config->charset), CMW_STR("UTF-8")))
        return 0;
    return cmw_diag_set(diag, CMW_ERR_ARG,
                        "basic_auth: charset: '%s' cannot be announced, only 'UTF-8'",
                        config->charset);
}

static int fill(struct basic_auth *basic, cmw_engine *engine, cmw_middleware *middleware,
                const cmw_basic_auth_config *config, cmw_diag *diag)
{
    struct cmw__auth_setup setup = {
        .kind = "basic_auth",
        .scheme = "basic",
        .challenge = "Basic",
        .realm = config->realm,
        .tail = config->charset ? ", charset=\"UTF-8\"" : "",
        .find_fault = find_fault,
        .verify = config->verify,
        .verify_self = config->verify_self,
        .is_optional = config->optional,
    };

    cmw_secret_table_config_init(&setup.table);
    setup.table.order = CMW_SECRET_BY_ID;
    setup.table.digest = config->digest;
    setup.table.digest_self = config->digest_self;
    setup.table.digest_len = config->digest_len;
    if (cmw__auth_gather(basic->arena, &setup.table, config->entries, config->entry_count,
                         config->users, config->user_count) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "basic_auth: no memory");
    return cmw__auth_fill(&basic->auth, basic->arena, engine, middleware, &setup, diag);
}

int cmw_basic_auth_create(cmw_engine *engine, cmw_middleware *middleware,
                          const cmw_basic_auth_config *config, cmw_diag *diag)
{
    cmw_basic_auth_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_basic_auth_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "basic_auth: the config is of a newer version");
    int rc = check_charset(&ours, diag);
    if (rc != 0)
        return rc;
    struct basic_auth *basic =
        cmw__builtin_alloc(engine, &arena, sizeof *basic, "basic_auth", diag);
    if (!basic)
        return CMW_ERR_NOMEM;
    basic->arena = arena;
    basic->strips = ours.strip;
    rc = fill(basic, engine, middleware, &ours, diag);
    if (rc != 0) {
        destroy(basic);
        return rc;
    }
    middleware->self = basic;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_basic_auth_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_basic_auth_config_init(config);
}

static const cmw_option entry_options[] = {CMW_SECRET_ENTRY_OPTIONS};

static const cmw_option options[] = {
    {.name = "realm",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_basic_auth_config, realm),
     .help = "What the credentials are for, shown to people"},
    {.name = "charset",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_basic_auth_config, charset),
     .help = "UTF-8: announced to clients"},
    {.name = "users",
     .type = CMW_OPTION_TEXT_MAP,
     .offset = offsetof(cmw_basic_auth_config, users),
     .help = "Names and their passwords",
     .flags = CMW_OPTION_SECRET},
    {.name = "entries",
     .type = CMW_OPTION_OBJECT_LIST,
     .offset = offsetof(cmw_basic_auth_config, entries),
     .help = "Users with roles and scopes",
     .members = entry_options,
     .member_count = sizeof entry_options / sizeof entry_options[0],
     .object_size = sizeof(cmw_secret_entry)},
    {.name = "optional",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_basic_auth_config, optional),
     .help = "Requests without Basic credentials pass, without a principal"},
    {.name = "strip",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_basic_auth_config, strip),
     .help = "Remove Authorization from requests that pass"},
};

const cmw_kind cmw__kind_basic_auth = {
    .size = sizeof(cmw_kind),
    .name = "basic_auth",
    .summary = "User name and password (HTTP Basic)",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_basic_auth_config),
    .config_init = config_init,
    .create = create,
};
