/* SPDX-License-Identifier: MIT */
/* A deadline for each request, and what its passing is answered with. */
#include <catzilla/builtin/timeout.h>

#include <stdio.h>

#include <catzilla/mw.h>

#include "builtins.h"

struct timeout {
    cmw_arena *arena;
    uint64_t total_ns;
    uint64_t body_ms, body_idle_ms; /* 0: none */
    uint64_t handler_ms;            /* likewise */
    cmw_str retry_after;            /* empty: none */
};

static cmw_phase_fn on_pre_route, on_error;

/* ---- Requests --------------------------------------------------------------------------- */

static int on_pre_route(void *self, cmw_ctx *ctx)
{
    const struct timeout *timeout = self;
    const uint64_t at_ns = cmw_ctx_begin_ns(ctx) + timeout->total_ns;
    const uint64_t earlier = cmw_ctx_deadline(ctx);

    if ((timeout->body_ms != 0 || timeout->body_idle_ms != 0) &&
        cmw_ctx_limit_body_time(ctx, timeout->body_ms, timeout->body_idle_ms) != 0)
        return CMW_ERROR;
    if (cmw_ctx_limit_handler_time(ctx, timeout->handler_ms) != 0)
        return CMW_ERROR;
    if (earlier != 0 && earlier <= at_ns)
        return CMW_CONTINUE;
    return cmw_ctx_set_deadline(ctx, at_ns) == 0 ? CMW_CONTINUE : CMW_ERROR;
}

/* A length that is not known may have come whole. */
static int lacks_body(cmw_request *request)
{
    const uint64_t declared = cmw_request_content_length(request);
    return declared != CMW_LENGTH_UNKNOWN && cmw_request_body(request).len < declared;
}

/* Given up by a time of its body's. */
static int has_slow_body(cmw_ctx *ctx)
{
    const cmw_fault *fault = cmw_ctx_fault(ctx);

    return cmw_ctx_is_cancelled(ctx) && fault->code == CMW_ERR_CANCELLED && fault->status == 408;
}

/* Given up by the time of its handler. */
static int has_slow_handler(cmw_ctx *ctx)
{
    const cmw_fault *fault = cmw_ctx_fault(ctx);

    return cmw_ctx_is_cancelled(ctx) && fault->code == CMW_ERR_CANCELLED && fault->status == 504;
}

/* Given up by a deadline, this one's or an earlier one; not by a server that closes, nor because
 * the client left. */
static int is_late(const struct timeout *timeout, cmw_ctx *ctx)
{
    const cmw_fault *fault = cmw_ctx_fault(ctx);

    return cmw_ctx_is_cancelled(ctx) && fault->code == CMW_ERR_CANCELLED && fault->status == 503 &&
           cmw_ctx_now_ns(ctx) >= cmw_ctx_begin_ns(ctx) + timeout->total_ns;
}

static int on_error(void *self, cmw_ctx *ctx)
{
    const struct timeout *timeout = self;

    const int is_slow = has_slow_body(ctx);

    if (has_slow_handler(ctx))
        return cmw_respond_problem(ctx, 504, "there was no answer in time");
    if (!is_slow && !is_late(timeout, ctx))
        return CMW_CONTINUE;
    if (is_slow || lacks_body(cmw_ctx_request(ctx)))
        return cmw_respond_problem(ctx, 408, "the request did not come whole in time");
    if (cmw_ctx_fault(ctx)->phase < 0)
        return cmw_respond_problem(ctx, 504, "there was no answer in time");
    if (timeout->retry_after.len > 0 &&
        cmw_response_set(cmw_ctx_response(ctx), CMW_HDR_RETRY_AFTER, timeout->retry_after) != 0)
        return CMW_ERROR;
    return cmw_respond_problem(ctx, 503, "the request waited too long");
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    const struct timeout *timeout = self;
    cmw_arena_destroy(timeout->arena);
}

/* 0 is none. */
static int check_part(const char *option, int64_t value_ms, cmw_diag *diag)
{
    if (value_ms >= 0 && value_ms <= 86400000)
        return 0;
    return cmw_diag_set(diag, CMW_ERR_ARG, "timeout: %s: %lld is not 0 to 86400000", option,
                        (long long)value_ms);
}

static int check(const cmw_timeout_config *config, cmw_diag *diag)
{
    int rc = check_part("body_ms", config->body_ms, diag);

    if (rc == 0)
        rc = check_part("body_idle_ms", config->body_idle_ms, diag);
    if (rc == 0)
        rc = check_part("handler_ms", config->handler_ms, diag);
    if (rc == 0)
        rc = check_part("head_ms", config->head_ms, diag);
    if (rc != 0)
        return rc;
    if (config->total_ms < 1 || config->total_ms > 86400000)
        return cmw_diag_set(diag, CMW_ERR_ARG, "timeout: total_ms: %lld is not 1 to 86400000",
                            (long long)config->total_ms);
    if (config->retry_after_s < 0 || config->retry_after_s > 86400)
        return cmw_diag_set(diag, CMW_ERR_ARG, "timeout: retry_after: %lld is not 0 to 86400",
                            (long long)config->retry_after_s);
    return 0;
}

int cmw_timeout_create(cmw_engine *engine, cmw_middleware *middleware,
                       const cmw_timeout_config *config, cmw_diag *diag)
{
    cmw_timeout_config ours;
    cmw_arena *arena;
    char number[24] = "";

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_timeout_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION, "timeout: the config is of a newer version");
    const int rc = check(&ours, diag);
    if (rc != 0)
        return rc;
    struct timeout *timeout = cmw__builtin_alloc(engine, &arena, sizeof *timeout, "timeout", diag);
    if (!timeout)
        return CMW_ERR_NOMEM;
    timeout->arena = arena;
    timeout->total_ns = (uint64_t)ours.total_ms * 1000000;
    timeout->body_ms = (uint64_t)ours.body_ms;
    timeout->body_idle_ms = (uint64_t)ours.body_idle_ms;
    timeout->handler_ms = (uint64_t)ours.handler_ms;
    if (ours.retry_after_s > 0)
        (void)snprintf(number, sizeof number, "%lld", (long long)ours.retry_after_s);
    if (cmw_arena_dup(arena, &timeout->retry_after, cmw_str_cstr(number)) != 0 ||
        cmw__builtin_provides(engine, middleware, "timeout") != 0) {
        destroy(timeout);
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "timeout: no memory");
    }

    middleware->kind = "timeout";
    middleware->priority = 15;
    middleware->head_ms = (uint32_t)ours.head_ms;
    if (ours.body_ms != 0 || ours.body_idle_ms != 0)
        middleware->flags |= CMW_TIMES_BODY;
    middleware->self = timeout;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    middleware->error = on_error;
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_timeout_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_timeout_config_init(config);
}

static const cmw_option options[] = {
    {.name = "total_ms",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_timeout_config, total_ms),
     .min = 1,
     .max = 86400000,
     .help = "Milliseconds from the beginning of a request to the head of its response"},
    {.name = "retry_after",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_timeout_config, retry_after_s),
     .min = 0,
     .max = 86400,
     .help = "Seconds for Retry-After on a 503; 0: none"},
    {.name = "body_ms",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_timeout_config, body_ms),
     .min = 0,
     .max = 86400000,
     .help = "Milliseconds for the body of a request; 0: none of its own"},
    {.name = "body_idle_ms",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_timeout_config, body_idle_ms),
     .min = 0,
     .max = 86400000,
     .help = "Milliseconds for each piece of the body; 0: none"},
    {.name = "handler_ms",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_timeout_config, handler_ms),
     .min = 0,
     .max = 86400000,
     .help = "Milliseconds for the handler alone; 0: none of its own"},
    {.name = "head_ms",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_timeout_config, head_ms),
     .min = 0,
     .max = 86400000,
     .help = "Milliseconds for the head of a request, from its first byte on; 0: none"},
};

const cmw_kind cmw__kind_timeout = {
    .size = sizeof(cmw_kind),
    .name = "timeout",
    .summary = "408, 503 or 504 for a request that is over its time",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_timeout_config),
    .config_init = config_init,
    .create = create,
};
