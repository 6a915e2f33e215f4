/* SPDX-License-Identifier: MIT */
/*
 * Problem documents. A fault is answered with an empty response of its status in `error`, and every
 * empty response of 4xx or 5xx gets its document in post_route, when request ids are there.
 */
#include <catzilla/builtin/problem_details.h>

#include <stdio.h>

#include <catzilla/mw.h>

#include "builtins.h"

struct problem_details {
    cmw_arena *arena;
    cmw_str type_base; /* empty: no `type` */
    int with_request_id;
    int with_html;
};

static cmw_phase_fn on_error, on_post_route;

/* ---- Writing ---------------------------------------------------------------------------- */

/* The id that `request_id` put on the response; empty: none. */
static cmw_str id_of(const struct problem_details *details, const cmw_response *response)
{
    return details->with_request_id ? cmw_response_get(response, CMW_HDR_X_REQUEST_ID)
                                    : CMW_STR("");
}

static int put_type(const struct problem_details *details, cmw_json *json, cmw_arena *arena,
                    int status)
{
    const size_t len = details->type_base.len;
    char *type = cmw_arena_alloc_text(arena, len + 4);

    if (!type)
        return CMW_ERR_NOMEM;
    memcpy(type, details->type_base.data, len);
    type[len] = (char)('0' + status / 100);
    type[len + 1] = (char)('0' + status / 10 % 10);
    type[len + 2] = (char)('0' + status % 10);
    cmw_json_key(json, CMW_STR("type"));
    cmw_json_string(json, cmw_str_make(type, len + 3));
    return 0;
}

static int write_json(const struct problem_details *details, cmw_ctx *ctx, int status)
{
    cmw_response *response = cmw_ctx_response(ctx);
    const cmw_str reason = cmw_status_reason(status);
    const cmw_str id = id_of(details, response);

    int rc = cmw_response_set(response, CMW_HDR_CONTENT_TYPE, CMW_STR("application/problem+json"));
    cmw_json *json = rc == 0 ? cmw_response_json(response, status) : NULL;
    if (!json)
        return CMW_ERR_NOMEM;
    cmw_json_object_begin(json);
    if (details->type_base.len > 0)
        rc = put_type(details, json, cmw_ctx_arena(ctx), status);
    if (reason.len > 0) {
        cmw_json_key(json, CMW_STR("title"));
        cmw_json_string(json, reason);
    }
    cmw_json_key(json, CMW_STR("status"));
    cmw_json_int(json, status);
    if (id.len > 0) {
        cmw_json_key(json, CMW_STR("request_id"));
        cmw_json_string(json, id);
    }
    cmw_json_object_end(json);
    return rc;
}

/* Nothing in the page is of the client's choosing but the id, which is escaped. */
static size_t escape(char *to, cmw_str text)
{
    size_t len = 0;

    for (size_t i = 0; i < text.len; i++) {
        const char c = text.data[i];
        const char *entity = c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : NULL;
        if (!entity) {
            to[len++] = c;
            continue;
        }
        memcpy(to + len, entity, strlen(entity));
        len += strlen(entity);
    }
    return len;
}

static int write_html(const struct problem_details *details, cmw_ctx *ctx, int status)
{
    cmw_response *response = cmw_ctx_response(ctx);
    const cmw_str reason = cmw_status_reason(status);
    const cmw_str id = id_of(details, response);
    const size_t room = 256 + 2 * reason.len + 5 * id.len;
    char *page = cmw_arena_alloc_text(cmw_ctx_arena(ctx), room);

    if (!page)
        return CMW_ERR_NOMEM;
    const int head =
        snprintf(page, room,
                 "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n"
                 "<title>%d %.*s</title>\n<h1>%d %.*s</h1>\n",
                 status, (int)reason.len, reason.data, status, (int)reason.len, reason.data);
    if (head < 0)
        return CMW_ERR_INVALID;
    size_t len = (size_t)head;
    if (id.len > 0) {
        memcpy(page + len, "<p>Request ", 11);
        len += 11 + escape(page + len + 11, id);
        memcpy(page + len, "</p>\n", 5);
        len += 5;
    }
    return cmw_response_html(response, status, cmw_str_make(page, len));
}

/* ---- Requests --------------------------------------------------------------------------- */

static int prefers_html(cmw_request *request)
{
    const int html = cmw_request_accepts(request, CMW_STR("text/html"));
    const int problem = cmw_request_accepts(request, CMW_STR("application/problem+json"));
    const int json = cmw_request_accepts(request, CMW_STR("application/json"));

    return html > problem && html > json;
}

static int on_error(void *self, cmw_ctx *ctx)
{
    const cmw_fault *fault = cmw_ctx_fault(ctx);

    (void)self;
    return fault ? cmw_respond_empty(ctx, fault->status) : CMW_CONTINUE;
}

static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct problem_details *details = self;
    cmw_response *response = cmw_ctx_response(ctx);
    const int status = cmw_response_status(response);

    if (status < 400 || status > 599 || cmw_response_body(response).len > 0 ||
        cmw_response_passes_body(response))
        return CMW_CONTINUE;
    if (!details->with_html)
        return write_json(details, ctx, status) == 0 ? CMW_CONTINUE : CMW_ERROR;
    if (cmw_response_add_token(response, CMW_HDR_VARY, CMW_STR("Accept")) != 0)
        return CMW_ERROR;
    const int rc = prefers_html(cmw_ctx_request(ctx)) ? write_html(details, ctx, status)
                                                      : write_json(details, ctx, status);
    return rc == 0 ? CMW_CONTINUE : CMW_ERROR;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct problem_details *details = self;
    cmw_arena_destroy(details->arena);
}

/* Visible ASCII without what must be escaped in a URI. */
static int is_uri(cmw_str text)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] > '~' || strchr("\"<>\\^`{|}", text.data[i]))
            return 0;
    return 1;
}

int cmw_problem_details_create(cmw_engine *engine, cmw_middleware *middleware,
                               const cmw_problem_details_config *config, cmw_diag *diag)
{
    cmw_problem_details_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_problem_details_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "problem_details: the config is of a newer version");
    if (!is_uri(cmw_str_cstr(ours.type_base)))
        return cmw_diag_set(diag, CMW_ERR_INVALID, "problem_details: type_base: '%s' is not a URI",
                            ours.type_base);
    struct problem_details *details =
        cmw__builtin_alloc(engine, &arena, sizeof *details, "problem_details", diag);
    if (!details)
        return CMW_ERR_NOMEM;
    details->arena = arena;
    details->with_request_id = ours.request_id;
    details->with_html = ours.html;
    if (cmw_arena_dup(arena, &details->type_base, cmw_str_cstr(ours.type_base)) != 0) {
        destroy(details);
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "problem_details: no memory");
    }

    middleware->kind = "problem_details";
    middleware->priority = 900;
    middleware->self = details;
    middleware->destroy = destroy;
    middleware->error = on_error;
    middleware->post_route = on_post_route;
    cmw_middleware_post_provides(middleware, CMW_FACT_PLAIN_BODY);
    cmw_middleware_post_provides(middleware, CMW_FACT_RESPONSE_FIELDS);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_problem_details_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_problem_details_config_init(config);
}

static const cmw_option options[] = {
    {.name = "type_base",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_problem_details_config, type_base),
     .help = "A URI that the status is appended to for the member `type`"},
    {.name = "request_id",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_problem_details_config, request_id),
     .help = "Tell the id of X-Request-ID, if the response has one"},
    {.name = "html",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_problem_details_config, html),
     .help = "Answer HTML to clients that prefer it"},
};

const cmw_kind cmw__kind_problem_details = {
    .size = sizeof(cmw_kind),
    .name = "problem_details",
    .summary = "Faults and empty errors as problem documents (RFC 9457) or HTML",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_problem_details_config),
    .config_init = config_init,
    .create = create,
};
