/* SPDX-License-Identifier: MIT */
/* A key in one of some fields, or in the query; in one place, once. */
#include <catzilla/builtin/api_key.h>

#include <catzilla/mw.h>

#include "auth.h"
#include "builtins.h"

struct field {
    cmw_str name;
    cmw_header_id id; /* or CMW_HDR_OTHER */
};

struct api_key {
    struct cmw__auth auth; /* first: its post_route gets this */
    cmw_arena *arena;
    struct field *fields;
    size_t field_count;
    cmw_str query; /* empty: not looked at */
    int strips;
};

/* What a request shows. */
struct shown {
    cmw_str key;
    size_t count; /* of keys */
    int is_in_query;
};

static cmw_phase_fn on_pre_route;

/* ---- Requests --------------------------------------------------------------------------- */

static void note(struct shown *shown, const cmw_header *header)
{
    if (shown->count++ == 0)
        shown->key = header->value;
}

static void read_field(struct shown *shown, cmw_request *request, const struct field *field)
{
    if (field->id != CMW_HDR_OTHER) {
        const cmw_header *header = cmw_request_header(request, field->id);
        for (; header; header = cmw_request_next_header(request, field->id, header))
            note(shown, header);
        return;
    }
    size_t count = 0;
    const cmw_header *headers = cmw_request_headers(request, &count);
    for (size_t i = 0; i < count; i++)
        if (cmw_str_equals_fold(headers[i].name, field->name))
            note(shown, &headers[i]);
}

static void read_query(struct shown *shown, cmw_request *request, cmw_str name)
{
    cmw_str value;
    const size_t found = cmw_query_find(&value, cmw_request_query(request), name);

    if (found == 0)
        return;
    shown->count += found;
    shown->key = value;
    shown->is_in_query = 1;
}

static int refuse(const struct api_key *api_key, cmw_ctx *ctx, int status, const char *detail)
{
    return cmw__auth_refuse(ctx, status, api_key->auth.challenge, detail);
}

static int admit(const struct api_key *api_key, cmw_ctx *ctx, const cmw_principal *principal)
{
    for (size_t i = 0; api_key->strips && i < api_key->field_count; i++)
        if (cmw_request_remove_header(cmw_ctx_request(ctx), api_key->fields[i].name) != 0)
            return CMW_ERROR;
    return cmw__auth_admit(&api_key->auth, ctx, principal);
}

static int verify(const struct api_key *api_key, cmw_ctx *ctx, cmw_str key)
{
    const cmw_credentials shown = {{"", 0}, key};
    cmw_principal principal;
    const int rc = cmw__auth_verify(&api_key->auth, ctx, &principal, &shown);

    if (rc == CMW_ERR_NOT_FOUND)
        return refuse(api_key, ctx, 401, "the key is not valid");
    return rc == 0 ? admit(api_key, ctx, &principal) : CMW_ERROR;
}

static int look_up(const struct api_key *api_key, cmw_ctx *ctx, cmw_str key)
{
    if (key.len == 0 || key.len > CMW_API_KEY_CAP || !cmw_header_value_is_valid(key))
        return refuse(api_key, ctx, 401, "the key is not valid");
    if (!api_key->auth.table)
        return verify(api_key, ctx, key);
    const cmw_principal *principal = cmw_secret_table_find(api_key->auth.table, key);
    return principal ? admit(api_key, ctx, principal)
                     : refuse(api_key, ctx, 401, "the key is not valid");
}

static int look_up_query(const struct api_key *api_key, cmw_ctx *ctx, cmw_str value)
{
    cmw_str key;
    const int rc = cmw__auth_read_query(ctx, &key, value);

    if (rc == CMW_ERR_INVALID)
        return refuse(api_key, ctx, 401, "the key is not valid");
    return rc == 0 ? look_up(api_key, ctx, key) : CMW_ERROR;
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct api_key *api_key = self;
    cmw_request *request = cmw_ctx_request(ctx);
    struct shown shown = {{"", 0}, 0, 0};

    if (cmw__auth_is_settled(&api_key->auth, ctx))
        return CMW_CONTINUE;
    for (size_t i = 0; i < api_key->field_count; i++)
        read_field(&shown, request, &api_key->fields[i]);
    if (api_key->query.len > 0)
        read_query(&shown, request, api_key->query);
    if (shown.count == 0)
        return cmw__auth_miss(&api_key->auth, ctx);
    if (shown.count > 1)
        return refuse(api_key, ctx, 400, "there is more than one key");
    return shown.is_in_query ? look_up_query(api_key, ctx, shown.key)
                             : look_up(api_key, ctx, shown.key);
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct api_key *api_key = self;
    cmw_arena_destroy(api_key->arena);
}

static int is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static const char *find_fault(const cmw_secret_entry *entry)
{
    const cmw_str key = cmw_str_cstr(entry->secret);

    if (key.len > CMW_API_KEY_CAP)
        return "has a key of more than 8,192 bytes";
    if (!cmw_header_value_is_valid(key) ||
        (key.len > 0 && (is_blank(key.data[0]) || is_blank(key.data[key.len - 1]))))
        return "has a key that no header field can hold";
    return NULL;
}

static int add_field(struct api_key *api_key, const char *text, cmw_diag *diag)
{
    const cmw_str name = cmw_str_cstr(text);
    struct field *field = &api_key->fields[api_key->field_count];

    if (!cmw_header_name_is_valid(name))
        return cmw_diag_set(diag, CMW_ERR_INVALID, "api_key: header: '%s' is no field name",
                            text ? text : "");
    for (size_t i = 0; i < api_key->field_count; i++)
        if (cmw_str_equals_fold(api_key->fields[i].name, name))
            return cmw_diag_set(diag, CMW_ERR_EXISTS, "api_key: header: '%s' stands twice", text);
    field->id = cmw_header_id_find(name);
    if (cmw_arena_dup(api_key->arena, &field->name, name) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "api_key: no memory");
    api_key->field_count++;
    return 0;
}

static int add_fields(struct api_key *api_key, const cmw_api_key_config *config, cmw_diag *diag)
{
    static const char *const usual[] = {"X-API-Key"};
    const char *const *names = config->headers ? config->headers : usual;
    const size_t count = config->headers ? config->header_count : 1;
    int rc = 0;

    if (count == 0 && !config->query)
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "api_key: header: the list names none, nor does query");
    api_key->fields = cmw_arena_alloc(api_key->arena, count * sizeof *api_key->fields);
    if (!api_key->fields ||
        cmw_arena_dup(api_key->arena, &api_key->query, cmw_str_cstr(config->query)) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "api_key: no memory");
    for (size_t i = 0; i < count && rc == 0; i++)
        rc = add_field(api_key, names[i], diag);
    return rc;
}

static int fill(struct api_key *api_key, cmw_engine *engine, cmw_middleware *middleware,
                const cmw_api_key_config *config, cmw_diag *diag)
{
    struct cmw__auth_setup setup = {
        .kind = "api_key",
        .scheme = "api_key",
        .challenge = "ApiKey",
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
    const int rc = add_fields(api_key, config, diag);
    if (rc != 0)
        return rc;
    if (cmw__auth_gather(api_key->arena, &setup.table, config->entries, config->entry_count,
                         config->keys, config->key_count) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "api_key: no memory");
    return cmw__auth_fill(&api_key->auth, api_key->arena, engine, middleware, &setup, diag);
}

static int check(const cmw_api_key_config *config, cmw_diag *diag)
{
    if (config->query && config->strip)
        return cmw_diag_set(diag, CMW_ERR_CONFLICT,
                            "api_key: strip: a key in the query (query) cannot be removed");
    if (config->query && (*config->query == '\0' || strpbrk(config->query, "&=#%+ ")))
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "api_key: query: '%s' cannot be a parameter's name", config->query);
    return 0;
}

int cmw_api_key_create(cmw_engine *engine, cmw_middleware *middleware,
                       const cmw_api_key_config *config, cmw_diag *diag)
{
    cmw_api_key_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_api_key_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "api_key: the config is of a newer version");
    int rc = check(&ours, diag);
    if (rc != 0)
        return rc;
    struct api_key *api_key = cmw__builtin_alloc(engine, &arena, sizeof *api_key, "api_key", diag);
    if (!api_key)
        return CMW_ERR_NOMEM;
    api_key->arena = arena;
    api_key->strips = ours.strip;
    rc = fill(api_key, engine, middleware, &ours, diag);
    if (rc != 0) {
        destroy(api_key);
        return rc;
    }
    middleware->self = api_key;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_api_key_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_api_key_config_init(config);
}

static const cmw_option entry_options[] = {CMW_SECRET_ENTRY_OPTIONS};

static const cmw_option options[] = {
    {.name = "realm",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_api_key_config, realm),
     .help = "What the keys are for"},
    {.name = "header",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_api_key_config, headers),
     .help = "Fields that may hold the key"},
    {.name = "query",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_api_key_config, query),
     .help = "A parameter of the query that may hold it too; such URLs end up in logs"},
    {.name = "keys",
     .type = CMW_OPTION_TEXT_MAP,
     .offset = offsetof(cmw_api_key_config, keys),
     .help = "Ids of principals and their keys",
     .flags = CMW_OPTION_SECRET},
    {.name = "entries",
     .type = CMW_OPTION_OBJECT_LIST,
     .offset = offsetof(cmw_api_key_config, entries),
     .help = "Keys with id, roles and scopes",
     .members = entry_options,
     .member_count = sizeof entry_options / sizeof entry_options[0],
     .object_size = sizeof(cmw_secret_entry)},
    {.name = "optional",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_api_key_config, optional),
     .help = "Requests without a key pass, without a principal"},
    {.name = "strip",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_api_key_config, strip),
     .help = "Remove the fields from requests that pass"},
};

const cmw_kind cmw__kind_api_key = {
    .size = sizeof(cmw_kind),
    .name = "api_key",
    .summary = "A key in X-API-Key or another field",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_api_key_config),
    .config_init = config_init,
    .create = create,
};
