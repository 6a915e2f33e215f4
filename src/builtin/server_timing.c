/* SPDX-License-Identifier: MIT */
/* The Server-Timing field: a request's own time, and what all of them take. */
#include <catzilla/builtin/server_timing.h>

#include <stdatomic.h>

#include <catzilla/mw.h>

#include "builtins.h"
#include "log_number.h"

struct timing {
    cmw_arena *arena;
    cmw_engine *engine;
    cmw_str metric;
    cmw_str trailer;        /* empty: none */
    cmw_network_set *allow; /* NULL: everyone */
    int statistics;
    uint64_t interval_ns;
    /* What the poll found, and when a request last asked for it. */
    _Atomic uint64_t p50_ns, p95_ns;
    _Atomic uint64_t taken_at; /* 0: never */
    _Atomic uint64_t asked_at;
    uint64_t tried_at; /* the poll's own: when it looked last, whatever it found */
};

enum { METRIC_CAP = 64, ENTRY_CAP = METRIC_CAP + 32 };

static cmw_phase_fn on_pre_route, on_post_route;
static cmw_body_fn on_response_body;
static cmw_poll_fn poll_statistics;

/* ---- Text ------------------------------------------------------------------------------- */

static char *put(char *to, cmw_str text)
{
    if (text.len > 0)
        memcpy(to, text.data, text.len);
    return to + text.len;
}

/* `<metric>;dur=<ms>`, in ENTRY_CAP bytes at most. */
static char *put_entry(char *to, cmw_str metric, uint64_t ns)
{
    const uint64_t us = ns / 1000;

    to = put(to, metric);
    to = put(to, CMW_STR(";dur="));
    to = cmw__put_number(to, us / 1000);
    *to++ = '.';
    *to++ = (char)('0' + us / 100 % 10);
    *to++ = (char)('0' + us / 10 % 10);
    *to++ = (char)('0' + us % 10);
    return to;
}

int cmw_server_timing_add(cmw_ctx *ctx, cmw_str metric, uint64_t duration_ns)
{
    if (metric.len > METRIC_CAP || !cmw_header_name_is_valid(metric)) /* a name is a token, too */
        return CMW_ERR_INVALID;
    char text[ENTRY_CAP];
    const char *end = put_entry(text, metric, duration_ns);
    return cmw_response_append(cmw_ctx_response(ctx), CMW_HDR_SERVER_TIMING,
                               cmw_str_make(text, (size_t)(end - text)));
}

/* ---- Requests --------------------------------------------------------------------------- */

/* A host that gives no time has the clock read when somebody asks first. */
static int on_pre_route(void *self, cmw_ctx *ctx)
{
    (void)self;
    (void)cmw_ctx_begin_ns(ctx);
    return CMW_CONTINUE;
}

static char *put_statistics(struct timing *timing, char *to, uint64_t now_ns)
{
    atomic_store_explicit(&timing->asked_at, now_ns, memory_order_relaxed);
    if (atomic_load_explicit(&timing->taken_at, memory_order_acquire) == 0)
        return to;
    to = put(to, CMW_STR(", "));
    to = put_entry(to, CMW_STR("p50"), atomic_load_explicit(&timing->p50_ns, memory_order_relaxed));
    to = put(to, CMW_STR(", "));
    return put_entry(to, CMW_STR("p95"),
                     atomic_load_explicit(&timing->p95_ns, memory_order_relaxed));
}

static uint64_t elapsed_ns(cmw_ctx *ctx, uint64_t now_ns)
{
    const uint64_t begin_ns = cmw_ctx_begin_ns(ctx);

    return now_ns > begin_ns ? now_ns - begin_ns : 0;
}

static int on_post_route(void *self, cmw_ctx *ctx)
{
    struct timing *timing = self;
    char text[ENTRY_CAP * 3];

    if (timing->allow &&
        !cmw_network_set_contains(timing->allow, cmw_request_client_address(cmw_ctx_request(ctx))))
        return CMW_CONTINUE;
    if (timing->trailer.len > 0 && cmw_ctx_promise_trailer(ctx, CMW_STR("Server-Timing"), 0) != 0)
        return CMW_ERROR;
    const uint64_t now_ns = cmw_ctx_now_ns(ctx);
    char *end = put_entry(text, timing->metric, elapsed_ns(ctx, now_ns));
    if (timing->statistics)
        end = put_statistics(timing, end, now_ns);
    return cmw_response_append(cmw_ctx_response(ctx), CMW_HDR_SERVER_TIMING,
                               cmw_str_make(text, (size_t)(end - text))) == 0
               ? CMW_CONTINUE
               : CMW_ERROR;
}

/* Whom post_route promised nothing, and whose response it has not seen, is told nothing. */
static int on_response_body(void *self, cmw_ctx *ctx, cmw_chunk *chunk)
{
    const struct timing *timing = self;
    char text[ENTRY_CAP];

    if (!chunk->is_last)
        return CMW_CONTINUE;
    const char *end = put_entry(text, timing->trailer, elapsed_ns(ctx, cmw_ctx_now_ns(ctx)));
    const int rc = cmw_ctx_add_trailer(ctx, CMW_STR("Server-Timing"),
                                       cmw_str_make(text, (size_t)(end - text)));
    return rc == 0 || rc == CMW_ERR_NOT_FOUND ? CMW_CONTINUE : CMW_ERROR;
}

/* ---- Beside requests -------------------------------------------------------------------- */

static size_t poll_statistics(void *self)
{
    struct timing *timing = self;
    const uint64_t asked = atomic_load_explicit(&timing->asked_at, memory_order_relaxed);
    cmw_request_stats stats = {.size = sizeof stats};
    cmw_stats *snapshot = NULL;

    /* Workers may be asked a little after another: time seems to go backwards then. */
    if (asked <= timing->tried_at ||
        (timing->tried_at != 0 && asked - timing->tried_at < timing->interval_ns))
        return 0;
    if (cmw_stats_snapshot(timing->engine, &snapshot) != 0)
        return 0; /* the next poll tries again; what is known stays */
    timing->tried_at = asked;
    if (cmw_stats_requests(snapshot, &stats) == 0 && stats.durations.samples > 0) {
        atomic_store_explicit(&timing->p50_ns, stats.durations.p50_ns, memory_order_relaxed);
        atomic_store_explicit(&timing->p95_ns, stats.durations.p95_ns, memory_order_relaxed);
        atomic_store_explicit(&timing->taken_at, asked, memory_order_release);
    }
    cmw_stats_destroy(snapshot);
    return 1;
}

/* ---- Configuration ---------------------------------------------------------------------- */

static void destroy(void *self)
{
    struct timing *timing = self;

    if (timing->statistics)
        cmw_engine_remove_poll(timing->engine, poll_statistics, timing);
    cmw_arena_destroy(timing->arena);
}

static int check_metric(const char *option, const char *metric, cmw_diag *diag)
{
    const cmw_str text = cmw_str_cstr(metric);

    if (text.len > METRIC_CAP || !cmw_header_name_is_valid(text))
        return cmw_diag_set(diag, CMW_ERR_INVALID,
                            "server_timing: %s: '%s' is not a token of at most %d characters",
                            option, metric ? metric : "", METRIC_CAP);
    return 0;
}

static int check(const cmw_server_timing_config *config, cmw_diag *diag)
{
    int rc = check_metric("metric", config->metric, diag);

    if (rc == 0 && config->trailer)
        rc = check_metric("trailer", config->trailer, diag);
    if (rc != 0)
        return rc;
    if (config->interval_ms < 100 || config->interval_ms > 3600000)
        return cmw_diag_set(diag, CMW_ERR_ARG,
                            "server_timing: interval_ms: %lld is not 100 to 3600000",
                            (long long)config->interval_ms);
    if (config->allow_count > 0 && !config->allow)
        return cmw_diag_set(diag, CMW_ERR_ARG, "server_timing: allow: the list is missing");
    return 0;
}

static int fill(struct timing *timing, const cmw_server_timing_config *config, cmw_diag *diag)
{
    int rc = 0;

    if (config->allow_count > 0)
        rc = cmw__builtin_networks(&timing->allow, timing->arena, "server_timing: allow",
                                   config->allow, config->allow_count, diag);
    if (rc != 0)
        return rc;
    timing->interval_ns = (uint64_t)config->interval_ms * 1000000;
    rc = cmw_arena_dup(timing->arena, &timing->metric, cmw_str_cstr(config->metric));
    if (rc == 0 && config->trailer)
        rc = cmw_arena_dup(timing->arena, &timing->trailer, cmw_str_cstr(config->trailer));
    if (rc == 0 && config->statistics)
        rc = cmw_engine_add_poll(timing->engine, poll_statistics, timing);
    if (rc != 0)
        return cmw_diag_set(diag, rc, "server_timing: no memory");
    timing->statistics = config->statistics != 0;
    return 0;
}

int cmw_server_timing_create(cmw_engine *engine, cmw_middleware *middleware,
                             const cmw_server_timing_config *config, cmw_diag *diag)
{
    cmw_server_timing_config ours;
    cmw_arena *arena;

    if (!engine || !middleware)
        return CMW_ERR_ARG;
    cmw_server_timing_config_init(&ours);
    if (cmw_config_adopt(&ours, config) != 0)
        return cmw_diag_set(diag, CMW_ERR_VERSION,
                            "server_timing: the config is of a newer version");
    int rc = check(&ours, diag);
    if (rc != 0)
        return rc;
    struct timing *timing =
        cmw__builtin_alloc(engine, &arena, sizeof *timing, "server_timing", diag);
    if (!timing)
        return CMW_ERR_NOMEM;
    timing->arena = arena;
    timing->engine = engine;
    rc = fill(timing, &ours, diag);
    if (rc != 0) {
        destroy(timing);
        return rc;
    }

    middleware->kind = "server_timing";
    middleware->priority = 10;
    middleware->post_priority = 59000;
    middleware->failure = CMW_FAIL_OPEN;
    middleware->self = timing;
    middleware->destroy = destroy;
    middleware->pre_route = on_pre_route;
    middleware->post_route = on_post_route;
    cmw_middleware_post_uses(middleware, CMW_FACT_KEPT_RESPONSE);
    if (timing->trailer.len > 0)
        middleware->response_body = on_response_body;
    if (timing->allow)
        cmw_middleware_uses(middleware, CMW_FACT_CLIENT_ADDRESS);
    return 0;
}

/* ---- The kind --------------------------------------------------------------------------- */

static int create(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag)
{
    return cmw_server_timing_create(engine, middleware, config, diag);
}

static void config_init(void *config)
{
    cmw_server_timing_config_init(config);
}

static const cmw_option options[] = {
    {.name = "metric",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_server_timing_config, metric),
     .help = "Name of the request's own time"},
    {.name = "statistics",
     .type = CMW_OPTION_BOOL,
     .offset = offsetof(cmw_server_timing_config, statistics),
     .help = "The median and the 95th percentile of all requests, too"},
    {.name = "interval_ms",
     .type = CMW_OPTION_INT,
     .offset = offsetof(cmw_server_timing_config, interval_ms),
     .min = 100,
     .max = 3600000,
     .help = "How old those may be"},
    {.name = "allow",
     .type = CMW_OPTION_TEXT_LIST,
     .offset = offsetof(cmw_server_timing_config, allow),
     .help = "Networks whose clients are told; none: everyone"},
    {.name = "trailer",
     .type = CMW_OPTION_TEXT,
     .offset = offsetof(cmw_server_timing_config, trailer),
     .help = "Name of the time up to the end of the body, sent as a trailer; none: it is not"},
};

const cmw_kind cmw__kind_server_timing = {
    .size = sizeof(cmw_kind),
    .name = "server_timing",
    .summary = "The Server-Timing field, from the request's time and the statistics",
    .options = options,
    .option_count = sizeof options / sizeof options[0],
    .config_size = sizeof(cmw_server_timing_config),
    .config_init = config_init,
    .create = create,
};
