/* SPDX-License-Identifier: MIT */
/* Methods: the registered ones are bits, others a list. Allow is written when compiling. */
#include <catzilla/builtin/method_filter.h>

#include <catzilla/mw.h>

#include "builtins.h"

struct method_filter {
    cmw_arena *arena;
    uint32_t known; /* 1 << cmw_method */
    cmw_str *others;
    size_t other_count;
    cmw_str allow; /* the field's value */
};

static const char *const usual[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};

/* In the order of cmw_method, which begins with OTHER. */
static const cmw_str names[] = {
    CMW_STR_INIT(""),      CMW_STR_INIT("GET"),    CMW_STR_INIT("HEAD"),    CMW_STR_INIT("POST"),
    CMW_STR_INIT("PUT"),   CMW_STR_INIT("DELETE"), CMW_STR_INIT("CONNECT"), CMW_STR_INIT("OPTIONS"),
    CMW_STR_INIT("TRACE"), CMW_STR_INIT("PATCH"),
};

#define NAME_COUNT (sizeof names / sizeof names[0])

static cmw_phase_fn on_pre_route;

/* ---- Requests --------------------------------------------------------------------------- */

static int has_other(const struct method_filter *filter, cmw_str name)
{
    for (size_t i = 0; i < filter->other_count; i++)
        if (cmw_str_equals(filter->others[i], name))
            return 1;
    return 0;
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct method_filter *filter = self;
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_method method = cmw_request_method_id(request);

    if (filter->known >> method & 1)
        return CMW_CONTINUE;
    if (method == CMW_METHOD_OTHER) {
        if (has_other(filter, cmw_request_method(request)))
            return CMW_CONTINUE;
        return cmw_respond_problem(ctx, 501, "the method is not known here");
    }
    if (cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_ALLOW, filter->allow) != 0)
        return CMW_ERROR;
    return cmw_respond_problem(ctx, 405, "the method is not allowed here");
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct method_filter *filter = self;
    cmw_arena_destroy(filter->arena);
}

static cmw_method find_method(cmw_str name)
{
    for (size_t i = 1; i < NAME_COUNT; i++)
        if (cmw_str_equals(names[i], name))
            return (cmw_method)i;
    return CMW_METHOD_OTHER;
}

static int add_method(struct method_filter *filter, const char *text, cmw_diag *diag)
{
    const cmw_str name = cmw_str_cstr(text);
    const cmw_method method = find_method(name);
    cmw_str copy;

    if (!cmw_header_name_is_valid(name)) /* a method is a token, as a field name is */
        return cmw_diag_set(diag, CMW_ERR_INVALID, "method_filter: allow: '%s' is not a method",
                            text ? text : "");
    if (filter->known >> method & 1 || has_other(filter, name))
        return cmw_diag_set(diag, CMW_ERR_EXISTS, "method_filter: allow: '%s' stands twice", text);
    if (method != CMW_METHOD_OTHER) {
        filter->known |= 1u << method;
        return 0;
    }
    if (cmw_arena_dup(filter->arena, &copy, name) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "method_filter: no memory");
    filter->others[filter->other_count++] = copy;
    return 0;
}

static char *put(char *at, cmw_str text, int is_first)
{
    if (!is_first) {
        memcpy(at, ", ", 2);
        at += 2;
    }
    memcpy(at, text.data, text.len);
    return at + text.len;
}

/* "GET, HEAD, POST": the registered ones in their order, then the others. */
static int write_allow(struct method_filter *filter)
{
    size_t room = 0;

    for (size_t i = 1; i < NAME_COUNT; i++)
        room += names[i].len + 2;
    for (size_t i = 0; i < filter->other_count; i++)
        room += filter->others[i].len + 2;
    char *text = cmw_arena_alloc_text(filter->arena, room);
    char *at = text;
    if (!text)
        return CMW_ERR_NOMEM;
    for (size_t i = 1; i < NAME_COUNT; i++)
        if (filter->known >> i & 1)
            at = put(at, names[i], at == text);
    for (size_t i = 0; i < filter->other_count; i++)
        at = put(at, filter->others[i], at == text);
    filter->allow = cmw_str_make(text, (size_t)(at - text));
    return 0;
}

static int fill(struct method_filter *filter, const cmw_method_filter_config *config,
                cmw_diag *diag)
{
    filter->others = cmw_arena_alloc(filter->arena, config->allow_count * sizeof(cmw_str));
    if (!filter->others)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "method_filter: no memory");
    for (size_t i = 0; i < config->allow_count; i++) {
        const int rc = add_method(filter, config->allow[i], diag);
        if (rc != 0)
            return rc;
    }
    if (filter->known >> CMW_METHOD_GET & 1) /* RFC 9110, 9.1: GET and HEAD go together */
        filter->known |= 1u << CMW_METHOD_HEAD;
    if (write_allow(filter) != 0)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "method_filter: no memory");
    return 0;
}

int cmw_method_filter_create(cmw_engine *engine, cmw_middleware *middleware,
                             const cmw_method_filter_config *config, cmw_diag *diag)
{
    cmw_method_filter_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_method_filter_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "method_filter: the config is of a newer version");
    if (!ours.allow) {
        ours.allow = usual;
        ours.allow_count = sizeof usual / sizeof usual[0];
    }
    if (ours.allow_count == 0)
        return cmw_diag_set(diag, CMW_ERR_ARG, "method_filter: allow: the list names no method");
    struct method_filter *filter =
        cmw__builtin_alloc(engine, &arena, sizeof *filter, "method_filter", diag);
    if (!filter)
        return CMW_ERR_NOMEM;
    filter->arena = arena;
    int rc = fill(filter, &ours, diag);
    if (rc == 0 && (rc = cmw__builtin_uses(engine, middleware, "cors")) != 0)
        (void)cmw_diag_set(diag, rc, "method_filter: no memory");
    if (rc != 0) {
        destroy(filter);
        return rc;
    }

    middleware->kind = "method_filter";
    middleware->priority = 270;
    middleware->flags |= CMW_GUARDS_ACCESS;
    middleware->self = filter;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_method_filter_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_method_filter_config_init(config);
}

static const cmw_option options[] = {
    {.name = "allow",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_method_filter_config, allow),
     .help = "Methods that are served; GET brings HEAD with it"},
};

const cmw_kind cmw__kind_method_filter = {
    .size = sizeof(cmw_kind),
    .name = "method_filter",
    .summary = "Serves the methods of a list: 405 with Allow, or 501",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_method_filter_config),
    .config_init = config_init,
    .create = create,
};
