/* SPDX-License-Identifier: MIT */
/* Content-Type of requests: a list of types, and what `charset` may be. */
#include <catzilla/builtin/content_type.h>

#include <catzilla/mw.h>

#include "builtins.h"

/* "text/html" is `before` alone. Of one with a star, before and behind it: "text/" and nothing,
 * "application/" and "+json". */
struct range {
    cmw_str before;
    cmw_str after;
    int has_star;
};

struct content_type {
    cmw_arena *arena;
    struct range *ranges;
    size_t range_count;
    cmw_str *charsets;
    size_t charset_count;
    cmw_str accept; /* of a 415 */
    uint8_t any_charset;
    uint8_t allows_missing;
};

static cmw_phase_fn on_pre_route;

/* ---- Requests --------------------------------------------------------------------------- */

static int is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static cmw_str trim(cmw_str text)
{
    while (text.len > 0 && is_blank(text.data[0]))
        text = cmw_str_make(text.data + 1, text.len - 1);
    while (text.len > 0 && is_blank(text.data[text.len - 1]))
        text.len--;
    return text;
}

/* What is before the next ";" outside of quotes; `*rest` is what follows it. */
static cmw_str cut(cmw_str *rest)
{
    size_t len = 0;
    int is_quoted = 0;

    for (; len < rest->len && (is_quoted || rest->data[len] != ';'); len++) {
        if (rest->data[len] == '"')
            is_quoted = !is_quoted;
        else if (is_quoted && rest->data[len] == '\\')
            len++;
    }
    len = len < rest->len ? len : rest->len;
    const cmw_str piece = cmw_str_make(rest->data, len);
    const size_t taken = len < rest->len ? len + 1 : len;
    *rest = cmw_str_make(rest->data + taken, rest->len - taken);
    return trim(piece);
}

/* Two tokens and a slash between. */
static int is_type(cmw_str type)
{
    const char *const slash = type.len > 0 ? memchr(type.data, '/', type.len) : NULL;

    if (!slash)
        return 0;
    const size_t len = (size_t)(slash - type.data);
    return cmw_header_name_is_valid(cmw_str_make(type.data, len)) &&
           cmw_header_name_is_valid(cmw_str_make(slash + 1, type.len - len - 1));
}

static int fits(const struct range *range, cmw_str type)
{
    const size_t before = range->before.len, after = range->after.len;

    if (!range->has_star)
        return cmw_str_equals_fold(range->before, type);
    return type.len > before + after &&
           cmw_str_equals_fold(range->before, cmw_str_make(type.data, before)) &&
           cmw_str_equals_fold(range->after, cmw_str_make(type.data + type.len - after, after));
}

static int is_listed(const struct content_type *rules, cmw_str type)
{
    for (size_t i = 0; i < rules->range_count; i++)
        if (fits(&rules->ranges[i], type))
            return 1;
    return 0;
}

static int is_charset(const struct content_type *rules, cmw_str charset)
{
    if (charset.len >= 2 && charset.data[0] == '"' && charset.data[charset.len - 1] == '"')
        charset = cmw_str_make(charset.data + 1, charset.len - 2);
    for (size_t i = 0; i < rules->charset_count; i++)
        if (cmw_str_equals_fold(rules->charsets[i], charset))
            return 1;
    return 0;
}

/* Two charsets are two words of one: each must be taken. */
static int has_good_parameters(const struct content_type *rules, cmw_str rest)
{
    while (rest.len > 0) {
        const cmw_str parameter = cut(&rest);
        const char *const equals =
            parameter.len > 0 ? memchr(parameter.data, '=', parameter.len) : NULL;
        if (parameter.len == 0)
            continue;
        if (!equals)
            return 0;
        const cmw_str name = cmw_str_make(parameter.data, (size_t)(equals - parameter.data));
        if (!cmw_header_name_is_valid(name)) /* "charset =": others may take it for one */
            return 0;
        if (!rules->any_charset && cmw_str_equals_fold(name, CMW_STR("charset")) &&
            !is_charset(rules, cmw_str_make(equals + 1, parameter.len - name.len - 1)))
            return 0;
    }
    return 1;
}

static int is_taken(const struct content_type *rules, cmw_request *request)
{
    const cmw_header *const field = cmw_request_header(request, CMW_HDR_CONTENT_TYPE);

    if (!field)
        return rules->allows_missing;
    if (cmw_request_is_repeated(request, CMW_HDR_CONTENT_TYPE))
        return 0;
    cmw_str rest = field->value;
    const cmw_str type = cut(&rest);
    return is_type(type) && !memchr(type.data, '*', type.len) && is_listed(rules, type) &&
           has_good_parameters(rules, rest);
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct content_type *const rules = self;
    cmw_request *const request = cmw_ctx_request(ctx);

    if (cmw_request_content_length(request) == 0 || is_taken(rules, request))
        return CMW_CONTINUE;
    if (cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_ACCEPT, rules->accept) != 0)
        return CMW_ERROR;
    return cmw_respond_problem(ctx, 415, "a body of this type is not taken here");
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct content_type *const rules = self;
    cmw_arena_destroy(rules->arena);
}

static int no_memory(cmw_diag *diag)
{
    return cmw_diag_set(diag, CMW_ERR_NOMEM, "content_type: no memory");
}

/* One star at most, behind the slash: alone, or before a suffix. */
static int add_range(struct content_type *rules, const char *text, cmw_diag *diag)
{
    cmw_str copy;

    if (cmw_arena_dup(rules->arena, &copy, cmw_str_cstr(text)) != 0)
        return no_memory(diag);
    const char *const star = copy.len > 0 ? memchr(copy.data, '*', copy.len) : NULL;
    struct range *const range = &rules->ranges[rules->range_count];
    *range = (struct range){copy, {"", 0}, star != NULL};
    if (star) {
        const size_t before = (size_t)(star - copy.data);
        range->before = cmw_str_make(copy.data, before);
        range->after = cmw_str_make(star + 1, copy.len - before - 1);
        if (before < 2 || star[-1] != '/' || memchr(star + 1, '*', range->after.len) ||
            (range->after.len > 0 && star[1] != '+'))
            copy.len = 0;
    }
    if (!is_type(copy))
        return cmw_diag_set(diag, CMW_ERR_INVALID, "content_type: allow: '%s' is not a media type",
                            text ? text : "");
    rules->range_count++;
    return 0;
}

static int add_charsets(struct content_type *rules, const cmw_content_type_config *config,
                        cmw_diag *diag)
{
    static const char *const usual[] = {"utf-8"};
    const char *const *const texts = config->charset_count > 0 ? config->charsets : usual;
    const size_t count = config->charset_count > 0 ? config->charset_count : 1;

    rules->charsets = cmw_arena_alloc(rules->arena, count * sizeof *rules->charsets);
    if (!rules->charsets)
        return no_memory(diag);
    for (; rules->charset_count < count; rules->charset_count++) {
        const cmw_str text = cmw_str_cstr(texts[rules->charset_count]);
        if (!cmw_header_name_is_valid(text))
            return cmw_diag_set(diag, CMW_ERR_INVALID, "content_type: charsets: '%s' is none",
                                text.data ? text.data : "");
        if (cmw_arena_dup(rules->arena, &rules->charsets[rules->charset_count], text) != 0)
            return no_memory(diag);
    }
    return 0;
}

/* The list for the Accept of a 415. A suffix has no form there and is left out. */
static int write_accept(struct content_type *rules, const cmw_content_type_config *config)
{
    size_t room = 4;

    for (size_t i = 0; i < config->allow_count; i++)
        room += strlen(config->allow[i]) + 2;
    char *const text = cmw_arena_alloc_text(rules->arena, room);
    char *to = text;
    if (!text)
        return CMW_ERR_NOMEM;
    for (size_t i = 0; i < config->allow_count; i++) {
        const size_t len = strlen(config->allow[i]);
        if (rules->ranges[i].after.len > 0)
            continue;
        if (to > text) {
            memcpy(to, ", ", 2);
            to += 2;
        }
        memcpy(to, config->allow[i], len);
        to += len;
    }
    if (to == text) {
        memcpy(to, "*/*", 3);
        to += 3;
    }
    rules->accept = cmw_str_make(text, (size_t)(to - text));
    return 0;
}

static int fill(struct content_type *rules, const cmw_content_type_config *config, cmw_diag *diag)
{
    int rc = 0;

    rules->ranges = cmw_arena_alloc(rules->arena, config->allow_count * sizeof *rules->ranges);
    if (!rules->ranges)
        return no_memory(diag);
    for (size_t i = 0; i < config->allow_count && rc == 0; i++)
        rc = add_range(rules, config->allow[i], diag);
    if (rc == 0)
        rc = add_charsets(rules, config, diag);
    if (rc == 0 && write_accept(rules, config) != 0)
        rc = no_memory(diag);
    rules->any_charset = config->any_charset != 0;
    rules->allows_missing = config->allow_missing != 0;
    return rc;
}

int cmw_content_type_create(cmw_engine *engine, cmw_middleware *middleware,
                            const cmw_content_type_config *config, cmw_diag *diag)
{
    cmw_content_type_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_content_type_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "content_type: the config is of a newer version");
    if (ours.allow_count == 0)
        return cmw_diag_set(diag, CMW_ERR_ARG, "content_type: allow: the list names no type");
    if (ours.any_charset && ours.charset_count > 0)
        return cmw_diag_set(diag, CMW_ERR_CONFLICT,
                            "content_type: charsets: any_charset takes all of them");
    struct content_type *rules =
        cmw__builtin_alloc(engine, &arena, sizeof *rules, "content_type", diag);
    if (!rules)
        return CMW_ERR_NOMEM;
    rules->arena = arena;
    int rc = fill(rules, &ours, diag);
    if (rc == 0 && (rc = cmw__builtin_uses(engine, middleware, "cors")) != 0)
        (void)no_memory(diag);
    if (rc != 0) {
        destroy(rules);
        return rc;
    }

    middleware->kind = "content_type";
    middleware->priority = 530;
    middleware->self = rules;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_content_type_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_content_type_config_init(config);
}

static const cmw_option options[] = {
    {.name = "allow",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_content_type_config, allow),
     .help = "Media types of bodies that are taken: application/json, text/*, application/*+json",
     .flags = CMW_OPTION_REQUIRED},
    {.name = "charsets",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_content_type_config, charsets),
     .help = "What the parameter charset may be; utf-8 where nothing is said"},
    {.name = "any_charset",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_content_type_config, any_charset),
     .help = "Take every charset"},
    {.name = "allow_missing",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_content_type_config, allow_missing),
     .help = "Take a body without Content-Type"},
};

const cmw_kind cmw__kind_content_type = {
    .size = sizeof(cmw_kind),
    .name = "content_type",
    .summary = "Takes bodies of the types of a list: 415 for others",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_content_type_config),
    .config_init = config_init,
    .create = create,
};
