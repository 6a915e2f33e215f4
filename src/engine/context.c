/* SPDX-License-Identifier: MIT */
/* Contexts: begin and end, what callbacks read, the map of values. */
#include "ctx_state.h"

#include "flow.h"
#include "platform.h"
#include "run.h"
#include "shadow.h"

_Static_assert(offsetof(cmw_ctx, worker) == offsetof(cmw_ctx_parts, worker),
               "it is one of the parts");
_Static_assert(offsetof(cmw_ctx, request) <= 256, "the hot part of a context outgrew four lines");

/* ---- Begin ------------------------------------------------------------------------------ */

/* Limits of the head: the request begins, and fails when it is run. */
static void check_limits(cmw_ctx *ctx, const cmw_limits *limits)
{
    const cmw_request_view *view = &ctx->request.view;
    const size_t bytes =
        view->header_bytes ? view->header_bytes : cmw__request_header_bytes(&ctx->request);

    if (view->header_count > limits->header_count || bytes > limits->header_bytes)
        cmw__ctx_fail_with(ctx, 431, CMW_ERR_LIMIT);
}

static void check_target(cmw_ctx *ctx, const cmw_engine *engine)
{
    if (engine->target_policy == CMW_TARGET_REJECT &&
        !cmw__request_path_is_canonical(&ctx->request))
        cmw__ctx_fail_with(ctx, 400, CMW_ERR_INVALID);
}

static int has_one_host(const cmw_request_view *view)
{
    const cmw_str name = CMW_STR("host");
    const cmw_header *found = NULL;
    struct cmw__host host;

    for (uint32_t i = 0; i < view->header_count; i++) {
        if (!cmw_str_equals_fold(view->headers[i].name, name))
            continue;
        if (found)
            return 0;
        found = &view->headers[i];
    }
    return found && (found->value.len == 0 || cmw__host_parse(&host, found->value) == 0);
}

static void check_host(cmw_ctx *ctx, const cmw_engine *engine)
{
    const cmw_request_view *view = &ctx->request.view;

    if (engine->host_policy == CMW_HOST_REQUIRED && view->http_version == 0x0101 &&
        !has_one_host(view))
        cmw__ctx_fail_with(ctx, 400, CMW_ERR_INVALID);
}

/* One request in `sample_every` is timed. */
static void choose_sample(cmw_ctx *ctx, cmw_worker *worker)
{
    if (worker->sample_countdown != 0)
        return;
    worker->sample_countdown = worker->engine->sample_every;
    if (worker->engine->sample_every == 0)
        return;
    ctx->flags |= CMW__CTX_SAMPLED;
    ctx->sample_begin_ns = cmw__engine_clock(worker->engine);
}

/* What the quick look below does not let pass: each check by itself. */
static CMW__NOINLINE int begin_unusual(cmw_ctx *ctx)
{
    const cmw_engine *engine = ctx->worker->engine;

    check_limits(ctx, &engine->limits);
    check_target(ctx, engine);
    check_host(ctx, engine);
    choose_sample(ctx, ctx->worker);
    if (engine->limits.request_ms == 0)
        return 0;
    const int rc = cmw_ctx_set_deadline(ctx, cmw_ctx_begin_ns(ctx) +
                                                 engine->limits.request_ms * UINT64_C(1000000));
    if (rc != 0) /* without a deadline it would run for ever */
        cmw__ctx_fail_with(ctx, 503, rc);
    return 0;
}

/* 1 if a head is within the limits and need not be looked at: two comparisons, of which the second
 * lets no 0 through, the length that is not known yet. */
static inline int is_quick(const cmw_worker *worker, const cmw_request_view *view)
{
    return view->header_count < worker->quick_header_count &&
           view->header_bytes - 1 < worker->quick_header_bytes;
}

/* What depends on the plan and not on the request. Afterwards each end leaves it as it is here. */
static void lay_out(cmw_ctx *ctx, struct cmw__plan_use *use)
{
    cmw_worker *worker = ctx->worker;
    const cmw_plan *plan = use->plan;
    char *base = (char *)ctx;

    ctx->plan = plan;
    ctx->use = use;
    ctx->route = CMW_NONE;
    ctx->has_complete = plan->programs[CMW_PHASE_COMPLETE].count > 1;
    ctx->parts = (cmw_ctx_parts){&ctx->request, &ctx->response, &ctx->arena, worker};
    cmw__unpoison(base, worker->engine->context_bytes);
    memset(cmw__ctx_slot_bits(ctx), 0, plan->slot_words * sizeof(uint64_t));
    cmw__arena_init(&ctx->arena, &worker->blocks, base + plan->arena_offset,
                    base + worker->engine->context_bytes - CMW__RESERVE_BYTES,
                    worker->engine->limits.memory_bytes);
    ctx->request.arena = &ctx->arena;
    ctx->request.body = cmw_str_make(NULL, 0);
    cmw__response_init(&ctx->response, &ctx->arena, ctx->segments, CMW__SEGMENTS_INLINE);
    ctx->response.constants = plan->constants;
}

/* No context is free, or it is laid out for another plan, or another plan is installed: set that
 * right, and begin again. */
static CMW__NOINLINE int begin_prepared(cmw_worker *worker, cmw_ctx **out,
                                        const cmw_request_view *view)
{
    cmw_worker_idle(worker);
    struct cmw__plan_use *use = worker->use;
    if (!use)
        return CMW_ERR_STATE;
    if (worker->free_contexts == &worker->none && cmw__worker_add_context(worker) != 0) {
        cmw__counter_add(&use->counters[CMW__COUNT_OVERLOAD], 1);
        return worker->context_count >= worker->engine->context_limit ? CMW_ERR_LIMIT
                                                                      : CMW_ERR_NOMEM;
    }
    if (worker->free_contexts->use != use)
        lay_out(worker->free_contexts, use);
    return cmw_ctx_begin(worker, out, view);
}

static CMW__COLD int begin_wrong(const cmw_request_view *view)
{
    return view && view->size != sizeof *view ? CMW_ERR_VERSION : CMW_ERR_ARG;
}

static inline int view_is_wrong(const cmw_request_view *view)
{
    return view->size != sizeof *view || (!view->headers && view->header_count > 0) ||
           view->scheme > CMW_SCHEME_HTTPS;
}

/* Whatever is not usual is the last call of this function, so that it saves no register. */
int cmw_ctx_begin(cmw_worker *worker, cmw_ctx **out, const cmw_request_view *view)
{
    if (CMW_UNLIKELY(!view || view_is_wrong(view) || !worker || !out))
        return begin_wrong(view);
    cmw_ctx *ctx = worker->free_contexts;
    struct cmw__plan_use *use = ctx->use;
    if (CMW_UNLIKELY(use != atomic_load_explicit(&worker->current, memory_order_acquire)))
        return begin_prepared(worker, out, view);

    worker->free_contexts = ctx->next_free;
    *out = ctx;
    cmw__request_restart(&ctx->request, view);
    cmw__counter_add(&use->counters[CMW__COUNT_BEGUN], 1);
    if (view->method.len == 4 && memcmp(view->method.data, "HEAD", 4) == 0)
        ctx->response.flags = CMW__RESPONSE_HEAD_ONLY;
    if (CMW_UNLIKELY(--worker->sample_countdown == 0) || CMW_UNLIKELY(!is_quick(worker, view)))
        return begin_unusual(ctx);
    return 0;
}

/* ---- End -------------------------------------------------------------------------------- */

static void record_duration(cmw_ctx *ctx)
{
    const uint64_t elapsed = cmw__engine_clock(ctx->worker->engine) - ctx->sample_begin_ns;
    cmw__use_record(ctx->use, 0, elapsed);
    cmw__counter_add(&ctx->use->counters[CMW__COUNT_DURATION_SUM], elapsed);
}

/* A response that was not committed, or was aborted, was not sent; a request that was given up
 * stays that. */
static cmw_end_reason true_reason(const cmw_ctx *ctx, cmw_end_reason reason)
{
    if (ctx->traces & CMW__CTX_CANCELLED)
        return (cmw_end_reason)ctx->cancel_reason;
    if ((unsigned)reason >= CMW_END_REASON_COUNT)
        return CMW_END_ERROR;
    if (reason == CMW_END_SENT &&
        (ctx->state != CMW__CTX_COMMITTED || (ctx->flags & CMW__CTX_ABORTED)))
        return CMW_END_ERROR;
    return reason;
}

static void clear_slots(cmw_ctx *ctx)
{
    memset(cmw__ctx_slot_bits(ctx), 0, ctx->plan->slot_words * sizeof(uint64_t));
}

/* Clean-ups have run: they may read what goes here. */
static CMW__NOINLINE void sweep(cmw_ctx *ctx)
{
    cmw__body_in_sweep(ctx);
    cmw__body_out_sweep(ctx);
    ctx->values = NULL;
    ctx->services = NULL;
    ctx->shadow_values = NULL;
    ctx->scratch = NULL;
    ctx->shadow_notes = NULL;
    ctx->arena.limit_bytes -= ctx->shadow_bytes;
    ctx->shadow_bytes = 0;
    ctx->early = 0;
    ctx->body_ms = 0;
    ctx->body_idle_ms = 0;
    ctx->handler_ms = 0;
    ctx->route = CMW_NONE;
    clear_slots(ctx);
}

static inline void count_end(cmw_ctx *ctx)
{
    const size_t group = (size_t)ctx->response.status >> CMW__STATUS_SHIFT;
    cmw__counter_add(ctx->use->counters + CMW__COUNT_STATUS + group, 1);
}

/* The context is as the next request is to find it, but for what has been swept. */
static inline void put_back(cmw_ctx *ctx)
{
    cmw_worker *worker = ctx->worker;

    cmw__response_restart(&ctx->response, CMW__SEGMENTS_INLINE);
    cmw__ctx_set_usual(ctx, CMW__CTX_BEGUN);
    ctx->traces = 0;
    *cmw__ctx_slot_bits(ctx) = 0;
    cmw__worker_put_context(worker, ctx);
    if (CMW_UNLIKELY(ctx->use != worker->use))
        cmw__worker_release_retired(worker);
}

/* Nothing waits for it any more. */
static void leave_waits(cmw_ctx *ctx)
{
    if ((ctx->traces & CMW__CTX_PARKED) && ctx->parked.program)
        cmw__count(
            ctx,
            ctx->parked.program->info[ctx->parked.entry - ctx->parked.program->entries].counters +
                CMW__ENTRY_LOST);
    cmw__ctx_disarm(ctx);
    cmw__ctx_forget_deadline(ctx);
}

/* complete has run. */
static CMW__NOINLINE void finish_unusual(cmw_ctx *ctx)
{
    cmw__ctx_set_idle(ctx);
    count_end(ctx);
    if (ctx->reason != CMW_END_SENT)
        cmw__count(ctx, CMW__COUNT_REASON + ctx->reason);
    if (ctx->flags & CMW__CTX_SAMPLED)
        record_duration(ctx);
    cmw__arena_reset(&ctx->arena);
    if (ctx->traces)
        sweep(ctx);
    ctx->response.segments = ctx->segments;
    ctx->response.json = NULL;
    put_back(ctx);
}

static CMW__NOINLINE void end_unusual(cmw_ctx *ctx, cmw_end_reason reason)
{
    reason = true_reason(ctx, reason);
    leave_waits(ctx);
    if (ctx->state == CMW__CTX_BEGUN)
        cmw__ctx_forget_pre(ctx);
    ctx->reason = (uint32_t)reason;
    ctx->state = CMW__CTX_ENDING;
    ctx->response.flags |= CMW__RESPONSE_FROZEN;
    cmw__ctx_run_complete(ctx);
    finish_unusual(ctx);
}

static inline void finish_usual(cmw_ctx *ctx)
{
    count_end(ctx);
    cmw__arena_recycle(&ctx->arena);
    put_back(ctx);
}

/* 1 if something is to be swept, or waits. That the host has counted the body is neither. */
static inline int has_traces(const cmw_ctx *ctx)
{
    return (ctx->traces & ~CMW__CTX_BODY_COUNTED) != 0;
}

/* 1 if a request was committed and sent, and left nothing that its end would have to look at. */
static inline int ends_usually(const cmw_ctx *ctx, cmw_end_reason reason)
{
    return reason == CMW_END_SENT && ctx->state == CMW__CTX_COMMITTED && ctx->flags == 0 &&
           !has_traces(ctx) && !ctx->arena.needs_reset;
}

/* The usual end of a plan with callbacks for it, which may still leave something. */
static CMW__NOINLINE void end_with_complete(cmw_ctx *ctx)
{
    const struct cmw__program *program = &ctx->plan->programs[CMW_PHASE_COMPLETE];

    ctx->reason = CMW_END_SENT;
    cmw__ctx_set_usual(ctx, CMW__CTX_ENDING);
    cmw__count(ctx, CMW__COUNT_PHASE + CMW_PHASE_COMPLETE);
    (void)program->run(ctx, program);
    if (CMW_UNLIKELY(ctx->flags || has_traces(ctx) || ctx->arena.needs_reset))
        finish_unusual(ctx);
    else
        finish_usual(ctx);
}

/* 1 if that holds, but that middleware answered, or that there are clean-ups or blocks. */
static inline int ends_quietly(const cmw_ctx *ctx, cmw_end_reason reason)
{
    return ctx->traces == 0 && reason == CMW_END_SENT && ctx->state == CMW__CTX_COMMITTED &&
           (ctx->flags & ~(unsigned)CMW__CTX_PRE_ENDED) == 0 && !ctx->has_complete;
}

/* Of what is committed nothing is unfinished. Clean-ups may leave something. */
static CMW__NOINLINE void end_quietly(cmw_ctx *ctx)
{
    cmw__ctx_set_idle(ctx);
    ctx->reason = CMW_END_SENT;
    ctx->state = CMW__CTX_ENDING;
    if (!ctx->arena.needs_reset) {
        finish_usual(ctx);
        return;
    }
    cmw__arena_reset(&ctx->arena);
    if (CMW_UNLIKELY(ctx->traces))
        sweep(ctx);
    ctx->response.segments = ctx->segments;
    count_end(ctx);
    put_back(ctx);
}

static CMW__NOINLINE void end_otherwise(cmw_ctx *ctx, cmw_end_reason reason)
{
    if (ends_quietly(ctx, reason))
        end_quietly(ctx);
    else
        end_unusual(ctx, reason);
}

/* The usual way is a few stores; whatever else there is to do is a call at its very end, so that it
 * saves no register. */
void cmw_ctx_end(cmw_ctx *ctx, cmw_end_reason reason)
{
    if (CMW_UNLIKELY(!ends_usually(ctx, reason)))
        end_otherwise(ctx, reason);
    else if (ctx->has_complete)
        end_with_complete(ctx);
    else
        finish_usual(ctx);
}

/* ---- Parts ------------------------------------------------------------------------------ */

cmw_request *(cmw_ctx_request)(cmw_ctx *ctx)
{
    return &ctx->request;
}

cmw_response *(cmw_ctx_response)(cmw_ctx *ctx)
{
    return &ctx->response;
}

cmw_arena *(cmw_ctx_arena)(cmw_ctx *ctx)
{
    return &ctx->arena;
}

cmw_worker *(cmw_ctx_worker)(cmw_ctx *ctx)
{
    return ctx->worker;
}

void *cmw_ctx_host_data(cmw_ctx *ctx)
{
    return ctx->request.view.host_data;
}

uint64_t(cmw_ctx_begin_ns)(cmw_ctx *ctx)
{
    uint64_t *now_ns = &ctx->request.view.now_ns;

    if (*now_ns == 0)
        *now_ns = cmw__engine_clock(ctx->worker->engine);
    return *now_ns;
}

uint64_t cmw_ctx_now_ns(cmw_ctx *ctx)
{
    return cmw__engine_clock(ctx->worker->engine);
}

/* For which requests a reading of the wall clock is good: those that began up to 100 ms after it,
 * or up to an hour before. */
#define WALL_AFTER_NS UINT64_C(100000000)
#define WALL_BEFORE_NS UINT64_C(3600000000000)

/* Modulo 2^64, so that what is before the reading needs no case of its own. */
static inline int wall_is_good(const cmw_worker *worker, uint64_t begin)
{
    return begin - worker->wall_from_ns <= worker->wall_span_ns;
}

/* The request's time is yet to be read, or the clock. */
static CMW__NOINLINE uint64_t find_wall(cmw_ctx *ctx)
{
    cmw_worker *worker = ctx->worker;
    const uint64_t begin = cmw_ctx_begin_ns(ctx);

    if (!wall_is_good(worker, begin)) {
        const uint64_t wall_ns = worker->engine->wall_clock_ns(worker->engine->clock_self);
        const uint64_t now_ns = cmw__engine_clock(worker->engine);
        worker->wall_ahead_ns = wall_ns - now_ns;
        worker->wall_from_ns = now_ns - WALL_BEFORE_NS;
        worker->wall_span_ns = WALL_BEFORE_NS + WALL_AFTER_NS;
    }
    return begin + worker->wall_ahead_ns;
}

uint64_t cmw_ctx_wall_ns(cmw_ctx *ctx)
{
    const cmw_worker *worker = ctx->worker;
    const uint64_t begin = ctx->request.view.now_ns;

    if (CMW_UNLIKELY(begin == 0 || !wall_is_good(worker, begin)))
        return find_wall(ctx);
    return begin + worker->wall_ahead_ns;
}

uint32_t cmw_ctx_route(const cmw_ctx *ctx)
{
    return ctx->route == CMW_NONE ? CMW_NONE : ctx->plan->routes[ctx->route].id;
}

void cmw_ctx_set_body_sent(cmw_ctx *ctx, uint64_t bytes)
{
    ctx->body_sent = bytes;
    ctx->traces |= CMW__CTX_BODY_COUNTED;
}

uint64_t cmw_ctx_body_sent(const cmw_ctx *ctx)
{
    if (ctx->traces & CMW__CTX_BODY_COUNTED)
        return ctx->body_sent;
    if (ctx->state != CMW__CTX_ENDING)
        return 0;
    if (ctx->reason != CMW_END_SENT)
        return CMW_LENGTH_UNKNOWN;
    return ctx->response.body.len ? cmw_response_body(&ctx->response).len : 0; /* it is committed */
}

const cmw_fault *cmw_ctx_fault(const cmw_ctx *ctx)
{
    return ctx->flags & (CMW__CTX_FAULT | CMW__CTX_FAILED) ? &ctx->fault : NULL;
}

/* ---- Who runs --------------------------------------------------------------------------- */

/* The program of the entry that runs. */
static const struct cmw__program *current_program(const cmw_ctx *ctx)
{
    const cmw_phase phase = cmw__ctx_phase(ctx);
    const struct cmw__program *program = &ctx->plan->programs[phase];
    if (phase != CMW_PHASE_PRE_ROUTE || ctx->route == CMW_NONE)
        return program;
    return &ctx->plan->routes[ctx->route].pre;
}

static const struct cmw__planned *current_middleware(const cmw_ctx *ctx)
{
    const struct cmw__entry *at = cmw__ctx_at(ctx);
    if (!at)
        return NULL;
    const struct cmw__program *program = current_program(ctx);
    const uint32_t index = program->info[at - program->entries].middleware;
    return index == CMW_NONE ? NULL : &ctx->plan->middleware[index];
}

const char *cmw_ctx_middleware_name(const cmw_ctx *ctx)
{
    const struct cmw__planned *planned = current_middleware(ctx);
    return planned ? planned->instance->mw.name : "";
}

/* The conditions are those of the phase that runs: where they hold now, they held then. */
int cmw_ctx_was_entered(const cmw_ctx *ctx)
{
    const struct cmw__planned *planned = current_middleware(ctx);
    if (!planned || !planned->pre)
        return 0;
    if (cmw__ctx_phase(ctx) == CMW_PHASE_PRE_ROUTE)
        return 1;
    const struct cmw__entry *end =
        planned->route == CMW_NONE ? cmw__ctx_pre_end(ctx) : ctx->route_end;
    if (planned->route != CMW_NONE && planned->route != ctx->route)
        return 0;
    return end && planned->pre <= end;
}

/* ---- Values by name --------------------------------------------------------------------- */

struct cmw__value {
    struct cmw__value *next;
    cmw_str key;
    void *value;
    cmw_cleanup_fn *destroy;
};

/* The list that is written: shadowed middleware has one of its own. */
static struct cmw__value **values_of(cmw_ctx *ctx)
{
    return cmw__ctx_in_shadow(ctx) ? &ctx->shadow_values : &ctx->values;
}

static struct cmw__value *find_value(struct cmw__value *at, cmw_str key)
{
    while (at && !cmw_str_equals(at->key, key))
        at = at->next;
    return at;
}

static void destroy_value(void *object)
{
    struct cmw__value *entry = object;
    if (entry->value && entry->destroy)
        entry->destroy(entry->value);
    entry->value = NULL;
}

static struct cmw__value *add_value(cmw_ctx *ctx, struct cmw__value **list, cmw_str key)
{
    struct cmw__value *entry = cmw_arena_alloc(&ctx->arena, sizeof *entry);
    if (!entry)
        return NULL;
    *entry = (struct cmw__value){*list, {NULL, 0}, NULL, NULL};
    if (cmw_arena_dup(&ctx->arena, &entry->key, key) != 0 ||
        cmw_arena_defer(&ctx->arena, destroy_value, entry) != 0)
        return NULL;
    *list = entry;
    ctx->traces |= CMW__CTX_LITTER;
    return entry;
}

int cmw_ctx_set_value(cmw_ctx *ctx, cmw_str key, void *value, cmw_cleanup_fn *destroy)
{
    if (key.len == 0 || !key.data)
        return CMW_ERR_ARG;
    struct cmw__value **list = values_of(ctx);
    struct cmw__value *entry = find_value(*list, key);
    if (!entry && !value)
        return 0;
    if (!entry)
        entry = add_value(ctx, list, key);
    if (!entry)
        return CMW_ERR_NOMEM;
    destroy_value(entry);
    entry->value = value;
    entry->destroy = destroy;
    return 0;
}

void *cmw_ctx_value(const cmw_ctx *ctx, cmw_str key)
{
    const struct cmw__value *entry = NULL;

    if (cmw__ctx_in_shadow(ctx))
        entry = find_value(ctx->shadow_values, key);
    if (!entry)
        entry = find_value(ctx->values, key);
    return entry ? entry->value : NULL;
}
