/* SPDX-License-Identifier: MIT */
/*
 * Setting, appending and removing fields.
 *
 * What is set on every status and nothing else is done to becomes constants of the plan; the rest
 * is a list of steps that post_route goes through.
 */
#include <catzilla/builtin/set_headers.h>

#include <catzilla/mw.h>

#include "builtins.h"

typedef int step_fn(cmw_response *response, cmw_str name, cmw_str value);

/* One change of the response. */
struct step {
    step_fn *apply;
    cmw_str name, value;
};

struct set_headers {
    cmw_arena *arena;
    cmw_header *fields; /* constants */
    size_t field_count;
    struct step *steps;
    size_t step_count;
    cmw_header *request_set;
    size_t request_set_count;
    cmw_str *request_remove;
    size_t request_remove_count;
    uint8_t has_status_filter;
    uint8_t classes;       /* bit n: nxx */
    uint64_t statuses[10]; /* bit of status - 100 in 640 bits; 100..739 cover what is checked */
};

static cmw_phase_fn on_pre_route, on_post_route;

/* ---- Steps ------------------------------------------------------------------------------ */

static int apply_remove(cmw_response *response, cmw_str name, cmw_str value)
{
    (void)value;
    return cmw_response_remove_named(response, name);
}

static int apply_set_if_absent(cmw_response *response, cmw_str name, cmw_str value)
{
    return cmw_response_has_named(response, name) ? 0
                                                  : cmw_response_set_named(response, name, value);
}

static int apply_add_token(cmw_response *response, cmw_str name, cmw_str value)
{
    return cmw_response_add_token(response, cmw_header_id_find(name), value);
}

/* ---- Requests --------------------------------------------------------------------------- */

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct set_headers *headers = self;
    cmw_request *request = cmw_ctx_request(ctx);

    for (size_t i = 0; i < headers->request_remove_count; i++)
        if (cmw_request_remove_header(request, headers->request_remove[i]) != 0)
            return CMW_ERROR;
    for (size_t i = 0; i < headers->request_set_count; i++)
        if (cmw_request_set_header(request, headers->request_set[i].name,
                                   headers->request_set[i].value) != 0)
            return CMW_ERROR;
    return CMW_CONTINUE;
}

static int status_matches(const struct set_headers *headers, int status)
{
    if (!headers->has_status_filter)
        return 1;
    if (status < 100 || status > 599)
        return 0;
    return headers->classes >> status / 100 & 1 ||
           headers->statuses[(status - 100) / 64] >> (status - 100) % 64 & 1;
}

static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct set_headers *headers = self;
    cmw_response *response = cmw_ctx_response(ctx);

    if (!status_matches(headers, cmw_response_status(response)))
        return CMW_CONTINUE;
    for (size_t i = 0; i < headers->step_count; i++) {
        const struct step *step = &headers->steps[i];
        if (step->apply(response, step->name, step->value) != 0)
            return CMW_ERROR;
    }
    return CMW_CONTINUE;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct set_headers *headers = self;
    cmw_arena_destroy(headers->arena);
}

static int no_memory(cmw_diag *diag)
{
    return cmw_diag_set(diag, CMW_ERR_NOMEM, "set_headers: no memory");
}

/* Check a field of an option and copy it. */
static int take_field(const struct set_headers *headers, cmw_header *out, const char *option,
                      const char *name, const char *value, cmw_diag *diag)
{
    const int rc = cmw_response_check_field(cmw_str_cstr(name), cmw_str_cstr(value));

    if (rc == CMW_ERR_ARG)
        return cmw_diag_set(diag, rc, "set_headers: %s: '%s' is the library's own field", option,
                            name);
    if (rc != 0)
        return cmw_diag_set(diag, rc, "set_headers: %s: '%s: %s' is not a field", option,
                            name ? name : "", value ? value : "");
    if (cmw_arena_dup(headers->arena, &out->name, cmw_str_cstr(name)) != 0 ||
        cmw_arena_dup(headers->arena, &out->value, cmw_str_cstr(value)) != 0)
        return no_memory(diag);
    return 0;
}

static int add_step(struct set_headers *headers, step_fn *apply, const char *option,
                    const char *name, const char *value, cmw_diag *diag)
{
    cmw_header field;
    const int rc = take_field(headers, &field, option, name, value, diag);

    if (rc == 0)
        headers->steps[headers->step_count++] = (struct step){apply, field.name, field.value};
    return rc;
}

static int add_texts(struct set_headers *headers, step_fn *apply, const char *option,
                     const cmw_option_text *texts, size_t count, cmw_diag *diag)
{
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++)
        rc = add_step(headers, apply, option, texts[i].name, texts[i].text, diag);
    return rc;
}

static int add_lists(struct set_headers *headers, step_fn *apply, const char *option,
                     const cmw_option_list *lists, size_t count, cmw_diag *diag)
{
    int rc = 0;

    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < lists[i].count && rc == 0; k++)
            rc = add_step(headers, apply, option, lists[i].name, lists[i].texts[k], diag);
    return rc;
}

/* Only known fields have tokens to be merged. */
static int check_tokens(const cmw_set_headers_config *config, cmw_diag *diag)
{
    for (size_t i = 0; i < config->add_token_count; i++)
        if (cmw_header_id_find(cmw_str_cstr(config->add_token[i].name)) == CMW_HDR_OTHER)
            return cmw_diag_set(diag, CMW_ERR_INVALID,
                                "set_headers: add_token: '%s' is no list field that is known here",
                                config->add_token[i].name ? config->add_token[i].name : "");
    return 0;
}

static size_t count_steps(const cmw_set_headers_config *config)
{
    size_t count = config->remove_count + config->set_count + config->set_if_absent_count;

    for (size_t i = 0; i < config->append_count; i++)
        count += config->append[i].count;
    for (size_t i = 0; i < config->add_token_count; i++)
        count += config->add_token[i].count;
    return count;
}

/* In the order that the header promises. */
static int fill_steps(struct set_headers *headers, const cmw_set_headers_config *config,
                      cmw_diag *diag)
{
    int rc = check_tokens(config, diag);

    if (rc != 0)
        return rc;
    headers->steps = cmw_arena_alloc(headers->arena, count_steps(config) * sizeof(struct step));
    if (!headers->steps)
        return no_memory(diag);
    for (size_t i = 0; i < config->remove_count && rc == 0; i++)
        rc = add_step(headers, apply_remove, "remove", config->remove[i], "", diag);
    if (rc == 0)
        rc =
            add_texts(headers, cmw_response_set_named, "set", config->set, config->set_count, diag);
    if (rc == 0)
        rc = add_texts(headers, apply_set_if_absent, "set_if_absent", config->set_if_absent,
                       config->set_if_absent_count, diag);
    if (rc == 0)
        rc = add_lists(headers, cmw_response_append_named, "append", config->append,
                       config->append_count, diag);
    if (rc == 0)
        rc = add_lists(headers, apply_add_token, "add_token", config->add_token,
                       config->add_token_count, diag);
    return rc;
}

/* Without a filter, and without what must come before or after, setting is a matter of constants.
 */
static void make_constants(struct set_headers *headers, const cmw_set_headers_config *config)
{
    if (headers->has_status_filter || headers->step_count != config->set_count)
        return;
    for (size_t i = 0; i < headers->step_count; i++)
        headers->fields[i] = (cmw_header){headers->steps[i].name, headers->steps[i].value};
    headers->field_count = headers->step_count;
    headers->step_count = 0;
}

static int add_status(struct set_headers *headers, const char *text, cmw_diag *diag)
{
    const cmw_str status = cmw_str_cstr(text);
    const int is_first_digit = status.len == 3 && text[0] >= '1' && text[0] <= '5';

    if (is_first_digit && text[1] == 'x' && text[2] == 'x') {
        headers->classes = (uint8_t)(headers->classes | 1 << (text[0] - '0'));
        return 0;
    }
    if (!is_first_digit || text[1] < '0' || text[1] > '9' || text[2] < '0' || text[2] > '9')
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "set_headers: status: '%s' is neither a status nor '1xx' to '5xx'",
                            text ? text : "");
    const unsigned bit = (unsigned)((text[0] - '1') * 100 + (text[1] - '0') * 10 + (text[2] - '0'));
    headers->statuses[bit / 64] |= UINT64_C(1) << bit % 64;
    return 0;
}

/* Who the request is for is a fact, which this middleware does not declare to refine. */
static int take_request_field(const struct set_headers *headers, cmw_header *out,
                              const char *option, const char *name, const char *value,
                              cmw_diag *diag)
{
    if (cmw_str_equals_fold(cmw_str_cstr(name), CMW_STR("Host")))
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "set_headers: %s: '%s' says whom a request is for, which cannot be "
                            "changed here",
                            option, name);
    return take_field(headers, out, option, name, value, diag);
}

static int fill_request(struct set_headers *headers, const cmw_set_headers_config *config,
                        cmw_diag *diag)
{
    headers->request_set =
        cmw_arena_alloc(headers->arena, config->request_set_count * sizeof(cmw_header));
    headers->request_remove =
        cmw_arena_alloc(headers->arena, config->request_remove_count * sizeof(cmw_str));
    if (!headers->request_set || !headers->request_remove)
        return no_memory(diag);
    for (size_t i = 0; i < config->request_set_count; i++) {
        const cmw_option_text *text = &config->request_set[i];
        const int rc =
            take_request_field(headers, &headers->request_set[headers->request_set_count++],
                               "request_set", text->name, text->text, diag);
        if (rc != 0)
            return rc;
    }
    for (size_t i = 0; i < config->request_remove_count; i++) {
        cmw_header field;
        const int rc = take_request_field(headers, &field, "request_remove",
                                          config->request_remove[i], "", diag);
        if (rc != 0)
            return rc;
        headers->request_remove[headers->request_remove_count++] = field.name;
    }
    return 0;
}

static int fill(struct set_headers *headers, const cmw_set_headers_config *config, cmw_diag *diag)
{
    int rc = 0;

    headers->has_status_filter = config->status_count > 0;
    for (size_t i = 0; i < config->status_count && rc == 0; i++)
        rc = add_status(headers, config->status[i], diag);
    if (rc == 0)
        rc = fill_steps(headers, config, diag);
    if (rc == 0)
        rc = fill_request(headers, config, diag);
    if (rc != 0)
        return rc;
    headers->fields = cmw_arena_alloc(headers->arena, config->set_count * sizeof(cmw_header));
    if (!headers->fields)
        return no_memory(diag);
    make_constants(headers, config);
    return 0;
}

int cmw_set_headers_create(cmw_engine *engine, cmw_middleware *middleware,
                           const cmw_set_headers_config *config, cmw_diag *diag)
{
    cmw_set_headers_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_set_headers_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "set_headers: the config is of a newer version");
    struct set_headers *headers =
        cmw__builtin_alloc(engine, &arena, sizeof *headers, "set_headers", diag);
    if (!headers)
        return CMW_ERR_NOMEM;
    headers->arena = arena;
    const int rc = fill(headers, &ours, diag);
    if (rc != 0) {
        destroy(headers);
        return rc;
    }

    middleware->kind = "set_headers";
    middleware->priority = 600;
    middleware->self = headers;
    middleware->destroy = destroy;
    middleware->fields = headers->fields;
    middleware->field_count = headers->field_count;
    cmw_middleware_post_provides(middleware, CMW_FACT_RESPONSE_FIELDS);
    if (headers->request_set_count + headers->request_remove_count > 0)
        middleware->pre_route = on_pre_route;
    if (headers->step_count > 0)
        middleware->post_route = on_post_route;
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_set_headers_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_set_headers_config_init(config);
}

static const cmw_option options[] = {
    {.name = "set",
     .type = CMW_OPTION_TEXT_MAP,
     .offset = offsetof(cmw_set_headers_config, set),
     .help = "Fields of the response, each in place of all of its name"},
    {.name = "set_if_absent",
     .type = CMW_OPTION_TEXT_MAP,
     .offset = offsetof(cmw_set_headers_config, set_if_absent),
     .help = "Fields that are set if the response has none of the name"},
    {.name = "append",
     .type = CMW_OPTION_LIST_MAP,
     .offset = offsetof(cmw_set_headers_config, append),
     .help = "Fields that are added to those of the name"},
    {.name = "add_token",
     .type = CMW_OPTION_LIST_MAP,
     .offset = offsetof(cmw_set_headers_config, add_token),
     .help = "Members that are merged into list fields, such as Vary"},
    {.name = "remove",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_set_headers_config, remove),
     .help = "Names of fields that responses must not have"},
    {.name = "status",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_set_headers_config, status),
     .help = "Statuses (404) or classes (5xx) on which this is done; default: all"},
    {.name = "request_set",
     .type = CMW_OPTION_TEXT_MAP,
     .offset = offsetof(cmw_set_headers_config, request_set),
     .help = "Fields of the request, as what follows sees it"},
    {.name = "request_remove",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_set_headers_config, request_remove),
     .help = "Names of fields that are taken out of the request"},
};

const cmw_kind cmw__kind_set_headers = {
    .size = sizeof(cmw_kind),
    .name = "set_headers",
    .summary = "Sets, appends and removes fields of responses and requests",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_set_headers_config),
    .config_init = config_init,
    .create = create,
};
