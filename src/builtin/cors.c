/* SPDX-License-Identifier: MIT */
/* CORS: pre_route answers preflights, post_route decorates every response. */
#include <catzilla/builtin/cors.h>

#include "builtins.h"
#include "cors_state.h"

static cmw_phase_fn on_pre_route, on_post_route, answer_preflight, decorate;

/* ---- Requests --------------------------------------------------------------------------- */

/* Of a method as long as OPTIONS. Called by address, so that it stays out of line. */
static int answer_preflight(void *self, cmw_ctx *ctx)
{
    const struct cors *cors = self;

    if (!is_preflight(cmw_ctx_request(ctx)))
        return CMW_CONTINUE;
    return cmw_respond_empty(ctx, cors->status);
}

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct cors *cors = self;

    return may_be_options(cmw_ctx_request(ctx)) ? cors->answer_preflight(self, ctx) : CMW_CONTINUE;
}

static int decorate(void *self, cmw_ctx *ctx)
{
    return cmw__cors_decorate(self, ctx) == 0 ? CMW_CONTINUE : CMW_ERROR;
}

/* The usual answer in line: to a listed origin, where nobody has touched our fields. */
static int on_post_route(void *self, cmw_ctx *ctx)
{
    const struct cors *cors = self;
    cmw_request *request = cmw_ctx_request(ctx);
    const cmw_header *origin = cmw_request_sole_header(request, CMW_HDR_ORIGIN);

    if (!origin || may_be_options(request))
        return cors->decorate(self, ctx);
    const struct cmw__origin_entry *entry = cmw__origin_find(&cors->origins, origin->value);
    const struct listed *listed = entry ? entry->value : NULL;
    if (!listed || cmw_response_add_block_unless(cmw_ctx_response(ctx), listed->plain,
                                                 &cmw__cors_touched) != 0)
        return cors->decorate(self, ctx);
    return CMW_CONTINUE;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    cmw__cors_destroy(self);
}

void cmw_cors_config_init_sized(cmw_cors_config *config, size_t size)
{
    cmw_cors_config ours;

    memset(&ours, 0, sizeof ours);
    ours.size = size;
    ours.max_age_s = CMW_CORS_NO_MAX_AGE;
    ours.preflight_status = 204;
    memset(config, 0, size);
    memcpy(config, &ours, size < sizeof ours ? size : sizeof ours);
}

int cmw_cors_create(cmw_engine *engine, cmw_middleware *middleware, const cmw_cors_config *config,
                    cmw_diag *diag)
{
    static const char *const simple[] = {"GET", "HEAD", "POST"};
    cmw_cors_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_cors_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "cors: the config is of a newer version");
    if (!ours.allow_methods) {
        ours.allow_methods = simple;
        ours.allow_method_count = sizeof simple / sizeof simple[0];
    }
    const int bad = cmw__cors_check(&ours, diag);
    if (bad != 0)
        return bad;
    struct cors *cors = cmw__builtin_alloc(engine, &arena, sizeof *cors, "cors", diag);
    if (!cors)
        return CMW_ERR_NOMEM;
    cors->arena = arena;
    cors->answer_preflight = answer_preflight;
    cors->decorate = decorate;
    cors->pool = cmw_engine_pool(engine, CMW_POOL_PLAN);
    if (cmw__cors_fill(cors, &ours) != 0 ||
        cmw__builtin_provides(engine, middleware, "cors") != 0) {
        cmw__cors_destroy(cors);
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "cors: no memory");
    }

    middleware->kind = "cors";
    middleware->priority = 250;
    middleware->self = cors;
    middleware->destroy = destroy;
    middleware->pre_route = cors->passes_on ? NULL : on_pre_route;
    middleware->post_route = on_post_route;
    cmw_middleware_post_uses(middleware, CMW_FACT_KEPT_RESPONSE);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_cors_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_cors_config_init((cmw_cors_config *)config);
}

#define OPTION(option, kind, member, text)                                                         \
    .name = (option), .type = (kind), .offset = offsetof(cmw_cors_config, member), .help = (text)

static const cmw_option options[] = {
    {OPTION("allow_origins", CMW_OPTION_TEXT_LIST, allow_origins,
            "Origins whose pages may read answers: exact, with one * in the host, or * for all")},
    {OPTION("allow_methods", CMW_OPTION_TEXT_LIST, allow_methods,
            "Methods that pages may use; default GET, HEAD, POST; * for any")},
    {OPTION("allow_headers", CMW_OPTION_TEXT_LIST, allow_headers,
            "Request fields that pages may set; * for any")},
    {OPTION("expose_headers", CMW_OPTION_TEXT_LIST, expose_headers,
            "Response fields that pages may read")},
    {OPTION("allow_credentials", CMW_OPTION_BOOL, allow_credentials,
            "Let pages use cookies and other credentials; never with the origin *")},
    {OPTION("max_age", CMW_OPTION_INT, max_age_s, "Seconds for which a preflight holds"), .min = 0,
     .max = INT32_MAX},
    {OPTION("allow_private_network", CMW_OPTION_BOOL, allow_private_network,
            "Let public pages reach this server in a private network")},
    {OPTION("options_passthrough", CMW_OPTION_BOOL, options_passthrough,
            "Hand preflights on to the handler and decorate its answer")},
    {OPTION("preflight_status", CMW_OPTION_INT, preflight_status,
            "Status of the answer to a preflight"),
     .min = 200, .max = 299},
};

const cmw_kind cmw__kind_cors = {
    .size = sizeof(cmw_kind),
    .name = "cors",
    .summary = "Which pages of other origins may read answers; answers preflights",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_cors_config),
    .config_init = config_init,
    .create = create,
};
