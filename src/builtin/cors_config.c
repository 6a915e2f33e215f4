/* SPDX-License-Identifier: MIT */
/* What a config of `cors` may say, and the lists and blocks that are made of it. */
#include "cors_state.h"

#include <stdio.h>
#include <stdlib.h>

#include "builtins.h"

/* ---- What it says ----------------------------------------------------------------------- */

static int has_star(const char *const *list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (list[i] && strcmp(list[i], "*") == 0)
            return 1;
    return 0;
}

static int check_origins(const cmw_cors_config *config, cmw_diag *diag)
{
    for (size_t i = 0; i < config->allow_origin_count; i++) {
        const char *text = config->allow_origins[i];
        const char *fault =
            !text || strcmp(text, "*") != 0 ? cmw__origin_fault(cmw_str_cstr(text)) : NULL;
        if (fault)
            return cmw_diag_set(diag, CMW_ERR_INVALID, "cors: allow_origins: '%s' %s",
                                text ? text : "", fault);
    }
    return 0;
}

/* A method is a token, as a field name is. */
static int check_tokens(const char *option, const char *what, const char *const *list, size_t count,
                        cmw_diag *diag)
{
    for (size_t i = 0; i < count; i++)
        if (!cmw_header_name_is_valid(cmw_str_cstr(list[i])))
            return cmw_diag_set(diag, CMW_ERR_INVALID, "cors: %s: '%s' is no %s", option,
                                list[i] ? list[i] : "", what);
    return 0;
}

static int check_numbers(const cmw_cors_config *config, cmw_diag *diag)
{
    if (config->max_age_s < CMW_CORS_NO_MAX_AGE || config->max_age_s > INT32_MAX)
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "cors: max_age: %lld is not between 0 and 2147483647",
                            (long long)config->max_age_s);
    if (config->preflight_status < 200 || config->preflight_status > 299)
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "cors: preflight_status: %lld is not between 200 and 299, and a "
                            "browser would refuse it",
                            (long long)config->preflight_status);
    return 0;
}

/* Fetch, 3.3.5: with credentials "*" is no wildcard. Reflecting the origin instead would let every
 * site act for the user. */
static int check_credentials(const cmw_cors_config *config, cmw_diag *diag)
{
    if (!config->allow_credentials)
        return 0;
    if (has_star(config->allow_origins, config->allow_origin_count))
        return cmw_diag_set(diag, CMW_ERR_CONFLICT,
                            "cors: allow_origins: '*' cannot go with allow_credentials: every site "
                            "could act for the user; list the origins");
    if (has_star(config->expose_headers, config->expose_header_count))
        return cmw_diag_set(diag, CMW_ERR_CONFLICT,
                            "cors: expose_headers: '*' means nothing with allow_credentials; list "
                            "the fields");
    return 0;
}

int cmw__cors_check(const cmw_cors_config *config, cmw_diag *diag)
{
    int rc = check_origins(config, diag);

    if (rc == 0)
        rc = check_tokens("allow_methods", "method", config->allow_methods,
                          config->allow_method_count, diag);
    if (rc == 0)
        rc = check_tokens("allow_headers", "field name", config->allow_headers,
                          config->allow_header_count, diag);
    if (rc == 0)
        rc = check_tokens("expose_headers", "field name", config->expose_headers,
                          config->expose_header_count, diag);
    if (rc == 0)
        rc = check_numbers(config, diag);
    return rc == 0 ? check_credentials(config, diag) : rc;
}

/* ---- What is kept: 0 or CMW_ERR_NOMEM --------------------------------------------------- */

static int copy_names(cmw_arena *arena, struct names *names, const char *const *list, size_t count)
{
    names->items = cmw_arena_alloc(arena, count * sizeof *names->items);
    if (!names->items)
        return CMW_ERR_NOMEM;
    names->has_any = has_star(list, count);
    for (size_t i = 0; i < count; i++)
        if (cmw_arena_dup(arena, &names->items[names->count++], cmw_str_cstr(list[i])) != 0)
            return CMW_ERR_NOMEM;
    return 0;
}

static int compare_names(const void *a, const void *b)
{
    const cmw_str *left = a, *right = b;
    const size_t len = left->len < right->len ? left->len : right->len;
    const int order = memcmp(left->data, right->data, len);

    return order != 0 ? order : (left->len > right->len) - (left->len < right->len);
}

/* As browsers sort them; what is sent has been written out before. The texts are the arena's. */
static void sort_names(struct names *names)
{
    for (size_t i = 0; i < names->count; i++) {
        char *text = (char *)(uintptr_t)names->items[i].data;
        for (size_t k = 0; k < names->items[i].len; k++)
            if (text[k] >= 'A' && text[k] <= 'Z')
                text[k] = (char)(text[k] + 'a' - 'A');
    }
    qsort(names->items, names->count, sizeof *names->items, compare_names);
}

static int fill_origins(struct cors *cors, const cmw_cors_config *config)
{
    struct cmw__origin_set *set = &cors->origins;
    const size_t count = cors->allows_any ? 0 : config->allow_origin_count;
    const size_t places = cmw__origin_table_size(count);
    cmw_str *texts = cmw_arena_alloc(cors->arena, count * sizeof *texts);

    set->patterns = cmw_arena_alloc(cors->arena, count * sizeof *set->patterns);
    set->table = cmw_arena_alloc(cors->arena, places * sizeof *set->table);
    if (!texts || !set->patterns || !set->table)
        return CMW_ERR_NOMEM;
    memset(set->table, 0, places * sizeof *set->table);
    set->mask = (uint32_t)places - 1;
    for (size_t i = 0; i < count; i++) {
        const cmw_str text = cmw_str_cstr(config->allow_origins[i]);
        if (cmw_arena_dup(cors->arena, &texts[i], text) != 0)
            return CMW_ERR_NOMEM;
    }
    cmw__origin_set_fill(set, texts, count);
    return 0;
}

/* "a, b, c"; `data` is NULL without memory. */
static cmw_str join(cmw_arena *arena, const cmw_str *items, size_t count)
{
    size_t room = 1;

    for (size_t i = 0; i < count; i++)
        room += items[i].len + 2;
    char *text = cmw_arena_alloc_text(arena, room);
    size_t len = 0;
    for (size_t i = 0; text && i < count; i++) {
        if (i > 0) {
            memcpy(text + len, ", ", 2);
            len += 2;
        }
        memcpy(text + len, items[i].data, items[i].len);
        len += items[i].len;
    }
    return cmw_str_make(text, len);
}

/* Blocks are checked by what makes them; all that goes into ours was checked before. */
static int make_block(struct cors *cors, cmw_header_block **block, const cmw_header *fields,
                      size_t count)
{
    return cmw_header_block_create(block, cors->pool, fields, count, 0);
}

/* Fields beside an origin. */
struct fields {
    cmw_header at[6]; /* the first is the origin's */
    size_t count;
};

static void begin_fields(struct fields *fields, int allows_credentials)
{
    fields->at[0] = (cmw_header){CMW_STR("Access-Control-Allow-Origin"), CMW_STR("*")};
    fields->count = 1;
    if (allows_credentials)
        fields->at[fields->count++] =
            (cmw_header){CMW_STR("Access-Control-Allow-Credentials"), CMW_STR("true")};
}

/* A field whose value is a list, unless the list is empty. */
static int add_list(struct cors *cors, struct fields *fields, const char *name,
                    const struct names *names)
{
    const cmw_str value = join(cors->arena, names->items, names->count);

    if (!value.data)
        return CMW_ERR_NOMEM;
    if (names->count > 0)
        fields->at[fields->count++] = (cmw_header){cmw_str_cstr(name), value};
    return 0;
}

static int make_with_origin(struct cors *cors, cmw_header_block **block, struct fields *fields,
                            cmw_str origin)
{
    fields->at[0].value = origin;
    return make_block(cors, block, fields->at, fields->count);
}

static int make_beside_origin(struct cors *cors, cmw_header_block **block,
                              const struct fields *fields)
{
    return make_block(cors, block, fields->at + 1, fields->count - 1);
}

static int make_listed(struct cors *cors, struct fields *plain, struct fields *preflight)
{
    for (size_t i = 0; i <= cors->origins.mask; i++) {
        struct cmw__origin_entry *entry = &cors->origins.table[i];
        if (entry->text.len == 0)
            continue;
        struct listed *listed = cmw_arena_alloc(cors->arena, sizeof *listed);
        if (!listed)
            return CMW_ERR_NOMEM;
        memset(listed, 0, sizeof *listed);
        entry->value = listed;
        if (make_with_origin(cors, &listed->plain, plain, entry->text) != 0 ||
            make_with_origin(cors, &listed->preflight, preflight, entry->text) != 0)
            return CMW_ERR_NOMEM;
    }
    return 0;
}

static void add_vary(struct fields *fields, const struct vary *vary)
{
    if (vary->count > 0)
        fields->at[fields->count++] = (cmw_header){CMW_STR("Vary"), vary->value};
}

static int make_plain(struct cors *cors, struct fields *fields, const cmw_cors_config *config)
{
    struct names exposed = {NULL, 0, 0};

    begin_fields(fields, config->allow_credentials);
    if (copy_names(cors->arena, &exposed, config->expose_headers, config->expose_header_count) !=
            0 ||
        add_list(cors, fields, "Access-Control-Expose-Headers", &exposed) != 0 ||
        make_beside_origin(cors, &cors->plain, fields) != 0)
        return CMW_ERR_NOMEM;
    add_vary(fields, &cors->vary);
    if (make_beside_origin(cors, &cors->bare_plain, fields) != 0)
        return CMW_ERR_NOMEM;
    return make_with_origin(cors, &cors->any, fields, CMW_STR("*")); /* has no Vary with "*" */
}

static int add_max_age(struct cors *cors, struct fields *fields, int64_t max_age_s)
{
    char text[24];
    cmw_str value;

    if (max_age_s == CMW_CORS_NO_MAX_AGE)
        return 0;
    const int len = snprintf(text, sizeof text, "%lld", (long long)max_age_s);
    if (cmw_arena_dup(cors->arena, &value, cmw_str_make(text, (size_t)len)) != 0)
        return CMW_ERR_NOMEM;
    fields->at[fields->count++] = (cmw_header){CMW_STR("Access-Control-Max-Age"), value};
    return 0;
}

static int make_preflight(struct cors *cors, struct fields *fields, const cmw_cors_config *config)
{
    const struct names none = {NULL, 0, 0};

    begin_fields(fields, config->allow_credentials);
    if (add_max_age(cors, fields, config->max_age_s) != 0 ||
        add_list(cors, fields, "Access-Control-Allow-Methods",
                 cors->methods.has_any ? &none : &cors->methods) != 0 ||
        add_list(cors, fields, "Access-Control-Allow-Headers",
                 cors->headers.has_any ? &none : &cors->headers) != 0 ||
        make_beside_origin(cors, &cors->preflight, fields) != 0)
        return CMW_ERR_NOMEM;
    add_vary(fields, &cors->preflight_vary);
    return make_beside_origin(cors, &cors->bare_preflight, fields);
}

static int make_answers(struct cors *cors, const cmw_cors_config *config)
{
    struct fields plain, preflight;

    if (make_plain(cors, &plain, config) != 0 || make_preflight(cors, &preflight, config) != 0)
        return CMW_ERR_NOMEM;
    return make_listed(cors, &plain, &preflight);
}

static int make_vary(struct cors *cors, struct vary *vary)
{
    vary->value = join(cors->arena, vary->members, vary->count);
    const cmw_header field = {CMW_STR("Vary"), vary->value};

    return vary->value.data ? make_block(cors, &vary->block, &field, 1) : CMW_ERR_NOMEM;
}

static int make_varies(struct cors *cors)
{
    struct vary *plain = &cors->vary;
    struct vary *preflight = &cors->preflight_vary;

    if (!cors->allows_any) {
        plain->members[plain->count++] = CMW_STR("Origin");
        preflight->members[preflight->count++] = CMW_STR("Origin");
    }
    preflight->members[preflight->count++] = CMW_STR("Access-Control-Request-Method");
    preflight->members[preflight->count++] = CMW_STR("Access-Control-Request-Headers");
    if (cors->allows_private_network)
        preflight->members[preflight->count++] = CMW_STR("Access-Control-Request-Private-Network");
    const int rc = make_vary(cors, plain);
    return rc == 0 ? make_vary(cors, preflight) : rc;
}

int cmw__cors_fill(struct cors *cors, const cmw_cors_config *config)
{
    cors->allows_any = has_star(config->allow_origins, config->allow_origin_count);
    cors->ask = config->allow_origin;
    cors->ask_self = config->allow_origin_self;
    cors->status = (int)config->preflight_status;
    cors->allows_private_network = config->allow_private_network;
    cors->passes_on = config->options_passthrough;
    if (copy_names(cors->arena, &cors->methods, config->allow_methods,
                   config->allow_method_count) != 0 ||
        copy_names(cors->arena, &cors->headers, config->allow_headers,
                   config->allow_header_count) != 0 ||
        fill_origins(cors, config) != 0 || make_varies(cors) != 0 ||
        make_answers(cors, config) != 0)
        return CMW_ERR_NOMEM;
    sort_names(&cors->headers);
    return 0;
}

void cmw__cors_destroy(struct cors *cors)
{
    cmw_header_block *const blocks[] = {cors->any,
                                        cors->plain,
                                        cors->bare_plain,
                                        cors->preflight,
                                        cors->bare_preflight,
                                        cors->vary.block,
                                        cors->preflight_vary.block};

    for (size_t i = 0; cors->origins.mask > 0 && i <= cors->origins.mask; i++) {
        const struct listed *listed = cors->origins.table[i].value;
        if (!listed)
            continue;
        cmw_header_block_destroy(listed->plain, cors->pool);
        cmw_header_block_destroy(listed->preflight, cors->pool);
    }
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++)
        cmw_header_block_destroy(blocks[i], cors->pool);
    cmw_arena_destroy(cors->arena);
}
