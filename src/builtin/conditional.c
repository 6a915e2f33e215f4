/* SPDX-License-Identifier: MIT */
/*
 * Conditional responses. What the preconditions say is asked of the core; here are tags, and what
 * is left of a response.
 */
#include <catzilla/builtin/conditional.h>

#include <catzilla/mw.h>

#include "body_hash.h"
#include "builtins.h"
#include "short_tag.h"

/* `W/"` length in 16 digits, hash in 32, `"` */
enum { TAG_CAP = 3 + 16 + 1 + 32 + 1 };

struct conditional {
    cmw_arena *arena;
    cmw_header_set body_fields; /* what describes a body that is not there */
    cmw_header_set tagged;      /* those, and what a tag leaves nothing to tell for */
    int auto_etag;
};

static cmw_phase_fn on_post_route;

/* ---- Requests --------------------------------------------------------------------------- */

static char *put_hex(char *to, uint64_t number, int digit_count)
{
    static const char digits[] = "0123456789abcdef";

    for (int i = digit_count - 1; i >= 0; i--)
        *to++ = digits[number >> (4 * i) & 15];
    return to;
}

static int hex_len(uint64_t number)
{
    int len = 1;

    while (number >>= 4)
        len++;
    return len;
}

static int set_etag(const struct conditional *conditional, cmw_response *response)
{
    const cmw_str body = cmw_response_body(response);
    uint64_t hash[2];
    char tag[TAG_CAP];
    char *to = tag;

    cmw__body_hash(hash, body);
    if (conditional->auto_etag == CMW_AUTO_ETAG_WEAK) {
        *to++ = 'W';
        *to++ = '/';
    }
    *to++ = '"';
    to = put_hex(to, body.len, hex_len(body.len));
    *to++ = '-';
    to = put_hex(to, hash[0], 16);
    to = put_hex(to, hash[1], 16);
    *to++ = '"';
    return cmw_response_set(response, CMW_HDR_ETAG, cmw_str_make(tag, (size_t)(to - tag)));
}

static int wants_etag(const struct conditional *conditional, const cmw_response *response)
{
    return conditional->auto_etag != CMW_AUTO_ETAG_OFF && cmw_response_status(response) == 200 &&
           !cmw_response_has(response, CMW_HDR_ETAG) && cmw_response_body(response).len > 0;
}

static inline int is_conditional(cmw_request *request)
{
    return cmw_request_header(request, CMW_HDR_IF_NONE_MATCH) ||
           cmw_request_header(request, CMW_HDR_IF_MODIFIED_SINCE) ||
           cmw_request_header(request, CMW_HDR_IF_MATCH) ||
           cmw_request_header(request, CMW_HDR_IF_UNMODIFIED_SINCE);
}

static int check(cmw_ctx *ctx, cmw_response *response, cmw_str etag)
{
    cmw_validators validators;
    int64_t now_s = 0;

    cmw_validators_init(&validators);
    validators.etag = etag;
    if (cmw_response_has(response, CMW_HDR_LAST_MODIFIED)) {
        const cmw_str text = cmw_response_get(response, CMW_HDR_LAST_MODIFIED);
        now_s = (int64_t)(cmw_ctx_wall_ns(ctx) / 1000000000);
        if (cmw_http_date_parse(&validators.last_modified_s, text, now_s) != 0)
            validators.last_modified_s = CMW_NEVER_MODIFIED;
    }
    return cmw_request_check_preconditions(cmw_ctx_request(ctx), &validators, now_s);
}

static inline int answer_not_modified(cmw_response *response, const cmw_header_set *gone)
{
    if (cmw_response_empty(response, 304) != 0 ||
        (cmw_response_has_any(response, gone) && cmw_response_remove_any(response, gone) != 0))
        return CMW_ERROR;
    return CMW_CONTINUE;
}

static int answer_failed(const struct conditional *conditional, cmw_response *response)
{
    cmw_header_set gone = conditional->body_fields;

    cmw_header_set_add(&gone, CMW_HDR_ETAG);
    cmw_header_set_add(&gone, CMW_HDR_LAST_MODIFIED);
    cmw_header_set_add(&gone, CMW_HDR_ACCEPT_RANGES);
    if (cmw_response_remove_any(response, &gone) != 0 ||
        cmw_response_problem(response, 412, CMW_STR("the representation is another one")) != 0)
        return CMW_ERROR;
    return CMW_CONTINUE;
}

static CMW__BUILTIN_NOINLINE int judge(const struct conditional *conditional, cmw_ctx *ctx)
{
    cmw_request *const request = cmw_ctx_request(ctx);
    cmw_response *const response = cmw_ctx_response(ctx);
    const cmw_str method = cmw_request_method(request);
    const int status = cmw_response_status(response);

    if (status < 200 || status > 299 ||
        (!cmw_str_equals(method, CMW_STR("GET")) && !cmw_str_equals(method, CMW_STR("HEAD"))))
        return CMW_CONTINUE;
    if (wants_etag(conditional, response) && set_etag(conditional, response) != 0)
        return CMW_ERROR;
    if (!is_conditional(request))
        return CMW_CONTINUE;
    const cmw_str etag = cmw_response_get(response, CMW_HDR_ETAG);
    switch (check(ctx, response, etag)) {
    case 304: /* beside an ETag, Last-Modified tells a cache nothing more: RFC 9110, 15.4.5 */
        return answer_not_modified(response,
                                   etag.len > 0 ? &conditional->tagged : &conditional->body_fields);
    case 412:
        return answer_failed(conditional, response);
    default:
        return CMW_CONTINUE;
    }
}

/*
 * What browsers ask, nearly always: this tag alone, and it is the one. The rest is asked of the
 * core. More tags in a further field change nothing; the other two are looked at before this one.
 */
static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct conditional *const conditional = self;
    cmw_request *const request = cmw_ctx_request(ctx);
    cmw_response *const response = cmw_ctx_response(ctx);
    const cmw_header *const none_match = cmw_request_header(request, CMW_HDR_IF_NONE_MATCH);

    if (!none_match ||
        cmw_request_has_either(request, CMW_HDR_IF_MATCH, CMW_HDR_IF_UNMODIFIED_SINCE) ||
        !cmw_str_equals(cmw_request_method(request), CMW_STR("GET")) ||
        cmw_response_status(response) != 200)
        return judge(conditional, ctx);
    const cmw_str etag = cmw_response_get(response, CMW_HDR_ETAG);
    if (!cmw__is_same_short_tag(none_match->value, etag))
        return judge(conditional, ctx);
    return answer_not_modified(response, &conditional->tagged);
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct conditional *const conditional = self;
    cmw_arena_destroy(conditional->arena);
}

int cmw_conditional_create(cmw_engine *engine, cmw_middleware *middleware,
                           const cmw_conditional_config *config, cmw_diag *diag)
{
    static const cmw_header_id body_fields[] = {
        CMW_HDR_CONTENT_TYPE,  CMW_HDR_CONTENT_ENCODING, CMW_HDR_CONTENT_LANGUAGE,
        CMW_HDR_CONTENT_RANGE, CMW_HDR_CONTENT_DIGEST,   CMW_HDR_CONTENT_DISPOSITION};
    cmw_conditional_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_conditional_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "conditional: the config is of a newer version");
    if (ours.auto_etag < CMW_AUTO_ETAG_OFF || ours.auto_etag > CMW_AUTO_ETAG_WEAK)
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "conditional: auto_etag: there is none with number %d", ours.auto_etag);
    struct conditional *conditional =
        cmw__builtin_alloc(engine, &arena, sizeof *conditional, "conditional", diag);
    if (!conditional)
        return CMW_ERR_NOMEM;
    conditional->arena = arena;
    conditional->auto_etag = ours.auto_etag;
    for (size_t i = 0; i < sizeof body_fields / sizeof *body_fields; i++)
        cmw_header_set_add(&conditional->body_fields, body_fields[i]);
    conditional->tagged = conditional->body_fields;
    cmw_header_set_add(&conditional->tagged, CMW_HDR_LAST_MODIFIED);

    middleware->kind = "conditional";
    middleware->priority = 800;
    middleware->self = conditional;
    middleware->destroy = destroy;
    middleware->post_route = on_post_route;
    cmw_middleware_post_provides(middleware, CMW_FACT_PLAIN_BODY);
    cmw_middleware_post_provides(middleware, CMW_FACT_RESPONSE_FIELDS);
    cmw_middleware_post_uses(middleware, CMW_FACT_KEPT_RESPONSE);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_conditional_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_conditional_config_init(config);
}

static const cmw_option options[] = {
    {.name = "auto_etag",
     .type = CMW_OPTION_CHOICE,
     .offset = offsetof(cmw_conditional_config, auto_etag),
     .choices = "off|strong|weak",
     .help = "A tag computed over the body, for responses without one"},
};

const cmw_kind cmw__kind_conditional = {
    .size = sizeof(cmw_kind),
    .name = "conditional",
    .summary = "304 for who has it, 412 for who means another; tags over the body",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_conditional_config),
    .config_init = config_init,
    .create = create,
};
