/* SPDX-License-Identifier: MIT */
/*
 * Running a request: from phase to phase, by what verdicts and faults lead to. The usual way, on
 * which every entry says to go on, is written out in run_usual.c.
 *
 *   run ──> pre_route ──> handler ──> commit ──> post_route ──> committed ──> end ──> complete
 *              │ STOP, end after SKIP_ROUTE          ^
 *              ├─────────────────────────────────────┤
 *              │ fault ──> error callbacks ──────────┘   (post_route goes on where it was)
 */
#include "run.h"

#include "fault.h"
#include "flow.h"
#include "loop.h"
#include "platform.h"

/* ---- post_route ------------------------------------------------------------------------- */

/* A JSON body must be whole before others read it. */
static CMW__NOINLINE void finish_json(cmw_ctx *ctx)
{
    const int rc = cmw__response_finish_json(&ctx->response);
    if (rc != 0)
        cmw__raise_fault(ctx, cmw__fault_of(ctx, NULL, -1, rc));
}

static void fail_post(cmw_ctx *ctx, const struct cmw__step *step)
{
    const int is_call = step->info->kind == CMW__ENTRY_CALL;
    const int value = is_call ? step->value : CMW_ERR_NOMEM;

    if (is_call)
        cmw__count(ctx, step->info->counters + CMW__ENTRY_ERRORS);
    cmw__raise_fault(ctx, cmw__fault_of_callback(ctx, step->info, CMW_PHASE_POST_ROUTE, value));
}

/* 1: the callback has suspended the request. */
static int has_parked(cmw_ctx *ctx, const struct cmw__program *program,
                      const struct cmw__step *step)
{
    return step->value == CMW_SUSPEND && step->info->kind == CMW__ENTRY_CALL &&
           cmw__ctx_park(ctx, program, step->entry);
}

/* The general way: faults are raised, guards jump, and what has not run goes on. 1: suspended. */
static CMW__NOINLINE int run_post_from(cmw_ctx *ctx, const struct cmw__program *program,
                                       const struct cmw__entry *entry)
{
    for (;;) {
        const struct cmw__step step = cmw__run_entries(ctx, program, entry);
        if (step.info->kind == CMW__ENTRY_END)
            return 0;
        if (has_parked(ctx, program, &step))
            return 1;
        fail_post(ctx, &step);
        entry = step.entry + 1;
    }
}

/* An entry that was called said `value`, not 0. 1: suspended. */
static int go_on_post(cmw_ctx *ctx, const struct cmw__program *program, int value)
{
    const struct cmw__entry *entry = cmw__ctx_at(ctx);
    const struct cmw__step step = {entry, cmw__info_of(program, entry), value};

    if (step.info->kind == CMW__ENTRY_GUARD)
        return run_post_from(ctx, program, ctx->jump);
    if (has_parked(ctx, program, &step))
        return 1;
    fail_post(ctx, &step);
    return run_post_from(ctx, program, entry + 1);
}

/* All callbacks have run. A fault in finishing leaves a plain body: it ends. */
static cmw_next end_post(cmw_ctx *ctx)
{
    while (ctx->response.json)
        finish_json(ctx);
    if (CMW_UNLIKELY((ctx->flags & CMW__CTX_BODY_LOOK) || ctx->plan->body_phases)) {
        cmw__body_out_open(ctx);
        while (ctx->response.json) /* of an error callback */
            finish_json(ctx);
    }
    ctx->state = CMW__CTX_COMMITTED;
    ctx->response.flags |= CMW__RESPONSE_FROZEN;
    return CMW_TO_RESPOND;
}

cmw_next cmw__leave_post(cmw_ctx *ctx, const struct cmw__program *program, int value)
{
    if (value != 0 && go_on_post(ctx, program, value))
        return CMW_TO_SUSPENDED;
    return end_post(ctx);
}

/* All of them, which are not timed: what one says that is not 0 is acted on behind the loop. */
static cmw_next run_post(cmw_ctx *ctx, const struct cmw__program *program)
{
    for (const struct cmw__entry *entry = program->entries; entry != program->end; entry++) {
        cmw__ctx_set_at(ctx, entry);
        const int value = entry->fn(entry->self, ctx);
        if (CMW_UNLIKELY(value != 0))
            return cmw__leave_post(ctx, program, value);
    }
    return end_post(ctx);
}

/* From here on the response is decided: decorate it and freeze it. */
CMW__NOINLINE cmw_next cmw__respond(cmw_ctx *ctx)
{
    const struct cmw__program *program = &ctx->plan->programs[CMW_PHASE_POST_ROUTE];

    ctx->state = CMW__CTX_POST_ROUTE;
    cmw__ctx_set_idle(ctx);
    ctx->request.writable = 0;
    ctx->response.origin = 0;
    if (ctx->response.json)
        finish_json(ctx);
    if (program->count == 1)
        return end_post(ctx);
    cmw__count(ctx, CMW__COUNT_PHASE + CMW_PHASE_POST_ROUTE);
    if (CMW_LIKELY(!(ctx->flags & CMW__CTX_SAMPLED)))
        return run_post(ctx, program);
    return run_post_from(ctx, program, program->entries) ? CMW_TO_SUSPENDED : end_post(ctx);
}

cmw_next cmw__respond_to_fault(cmw_ctx *ctx, cmw_fault fault)
{
    cmw__raise_fault(ctx, fault);
    return cmw__respond(ctx);
}

/* ---- pre_route -------------------------------------------------------------------------- */

/* 1 if the declared body is longer than a request may have. Asked once pre_route let the request
 * pass, so that its answer has what pre_route sets, and nobody learns of the limit who may not
 * pass. */
static int body_is_too_long(const cmw_ctx *ctx)
{
    const uint64_t declared = ctx->request.view.content_length;
    return declared > ctx->worker->engine->limits.body_bytes && declared != CMW_LENGTH_UNKNOWN;
}

CMW__NOINLINE cmw_next cmw__to_handler(cmw_ctx *ctx)
{
    cmw__ctx_set_idle(ctx);
    if (ctx->flags & CMW__CTX_FAILED)
        return cmw__respond_to_fault(ctx, ctx->fault);
    if (body_is_too_long(ctx))
        return cmw__respond_to_fault(ctx, (cmw_fault){413, CMW_ERR_LIMIT, -1, NULL});
    ctx->state = CMW__CTX_HANDLER;
    if ((ctx->flags & CMW__CTX_TIME_HANDLER) && cmw__ctx_time_handler(ctx) != 0)
        return cmw__respond_to_fault(ctx, (cmw_fault){503, CMW_ERR_NOMEM, -1, NULL});
    const uint8_t body_phases = ctx->plan->body_phases;
    if (body_phases)
        ctx->flags |= CMW__CTX_BODY_LOOK;
    const cmw_next next = cmw__hand_over(ctx);
    /* A second time, when a route was entered, the body has begun. */
    if ((body_phases & 1u << CMW_PHASE_REQUEST_BODY) && !ctx->body_in &&
        !(ctx->flags & CMW__CTX_BODY_OPEN))
        return cmw__body_in_begin(ctx);
    return next;
}

/* A pre_route program came to its end. */
static cmw_next finish_pre(cmw_ctx *ctx)
{
    if (!(ctx->flags & CMW__CTX_SKIP_ROUTE))
        return cmw__to_handler(ctx);
    cmw__ctx_set_idle(ctx);
    if (ctx->flags & CMW__CTX_FAILED)
        return cmw__respond_to_fault(ctx, ctx->fault);
    if (ctx->response.status == 0)
        return cmw__respond_to_fault(ctx, cmw__fault_of(ctx, NULL, CMW_PHASE_PRE_ROUTE, 0));
    return cmw__respond(ctx);
}

/* A callback of pre_route said something else than CONTINUE or SKIP_ROUTE. */
static cmw_next leave_pre(cmw_ctx *ctx, const struct cmw__program *program,
                          const struct cmw__step *step)
{
    if (has_parked(ctx, program, step))
        return CMW_TO_SUSPENDED;
    if (step->info->kind != CMW__ENTRY_CALL) { /* the match */
        cmw__count(ctx, step->info->counters + CMW__ENTRY_ERRORS);
        return cmw__respond_to_fault(
            ctx, cmw__fault_of(ctx, step->info, CMW_PHASE_PRE_ROUTE, step->value));
    }
    if (step->value == CMW_STOP) {
        cmw__count(ctx, step->info->counters + CMW__ENTRY_STOPS);
        if (ctx->response.status != 0)
            return cmw__respond(ctx);
    } else {
        cmw__count(ctx, step->info->counters + CMW__ENTRY_ERRORS);
    }
    return cmw__respond_to_fault(
        ctx, cmw__fault_of_callback(ctx, step->info, CMW_PHASE_PRE_ROUTE, step->value));
}

/* A pre_route program is left at an entry. */
static void note_end(cmw_ctx *ctx, const struct cmw__program *program,
                     const struct cmw__entry *entry)
{
    if (program->route != CMW_NONE) {
        ctx->route_end = entry;
    } else if (entry != program->end) {
        ctx->pre_end = entry;
        ctx->flags |= CMW__CTX_PRE_ENDED;
    }
}

/* Run a pre_route program from `entry` on, whatever its entries say. */
static CMW__NOINLINE cmw_next run_pre(cmw_ctx *ctx, const struct cmw__program *program,
                                      const struct cmw__entry *entry)
{
    struct cmw__step step;

    for (;;) {
        step = cmw__run_entries(ctx, program, entry);
        if (step.value != CMW_SKIP_ROUTE || step.info->kind != CMW__ENTRY_CALL)
            break;
        cmw__count(ctx, step.info->counters + CMW__ENTRY_SKIPS);
        ctx->flags |= CMW__CTX_SKIP_ROUTE;
        entry = step.entry + 1;
    }
    note_end(ctx, program, step.entry);
    if (step.info->kind == CMW__ENTRY_END)
        return finish_pre(ctx);
    return leave_pre(ctx, program, &step);
}

/* 1 for what most entries mean that say something: this is the answer, and it is not a route's. */
static inline int has_answered(const cmw_ctx *ctx, const struct cmw__program *program,
                               const struct cmw__step *step)
{
    return step->value == CMW_STOP && step->info->kind == CMW__ENTRY_CALL &&
           ctx->response.status != 0 && program->route == CMW_NONE;
}

/* An entry that was called said `value`, not 0: act on it, and go on if that is what it means. */
CMW__NOINLINE cmw_next cmw__leave_pre(cmw_ctx *ctx, const struct cmw__program *program, int value)
{
    const struct cmw__entry *entry = ctx->at_end - ctx->left; /* it runs: cmw__ctx_at */
    const struct cmw__step step = {entry, cmw__info_of(program, entry), value};

    if (CMW_LIKELY(has_answered(ctx, program, &step))) {
        ctx->pre_end = entry;
        ctx->flags |= CMW__CTX_PRE_ENDED;
        cmw__count(ctx, step.info->counters + CMW__ENTRY_STOPS);
        return cmw__respond(ctx);
    }
    if (step.info->kind == CMW__ENTRY_GUARD)
        return run_pre(ctx, program, ctx->jump);
    if (step.info->kind == CMW__ENTRY_CALL && value == CMW_SKIP_ROUTE) {
        cmw__count(ctx, step.info->counters + CMW__ENTRY_SKIPS);
        ctx->flags |= CMW__CTX_SKIP_ROUTE;
        return run_pre(ctx, program, entry + 1);
    }
    note_end(ctx, program, entry);
    return leave_pre(ctx, program, &step);
}

/* What a caller out of turn is told. */
static cmw_next repeat(const cmw_ctx *ctx)
{
    if (ctx->flags & CMW__CTX_ABORTED)
        return CMW_TO_ABORT;
    if (ctx->traces & CMW__CTX_PARKED)
        return CMW_TO_SUSPENDED;
    return ctx->state == CMW__CTX_HANDLER ? CMW_TO_HANDLER : CMW_TO_RESPOND;
}

CMW__NOINLINE void cmw__run_prepares(cmw_ctx *ctx)
{
    const cmw_plan *plan = ctx->plan;

    if (plan->keeps_begin_time)
        (void)cmw_ctx_begin_ns(ctx);
    for (uint32_t i = 0; i < plan->prepare_count; i++)
        plan->prepares[i].fn(plan->prepares[i].self, ctx);
}

/* A request that is out of turn, over a limit, or timed. */
static CMW__NOINLINE cmw_next run_unusual(cmw_ctx *ctx)
{
    const struct cmw__program *program = &ctx->plan->programs[CMW_PHASE_PRE_ROUTE];

    if (ctx->state != CMW__CTX_BEGUN)
        return repeat(ctx);
    if (ctx->flags & CMW__CTX_FAILED) {
        if (ctx->plan->keeps_begin_time)
            (void)cmw_ctx_begin_ns(ctx);
        cmw__ctx_forget_pre(ctx);
        return cmw__respond_to_fault(ctx, ctx->fault);
    }
    cmw__run_prepares(ctx);
    ctx->state = CMW__CTX_PRE_ROUTE;
    return run_pre(ctx, program, program->entries);
}

cmw_next cmw__run_unusual(cmw_ctx *ctx, const struct cmw__program *program)
{
    (void)program;
    return run_unusual(ctx);
}

cmw_next cmw_ctx_run(cmw_ctx *ctx)
{
    const struct cmw__program *program = &ctx->plan->programs[CMW_PHASE_PRE_ROUTE];

    if (CMW_UNLIKELY(!(ctx->state == CMW__CTX_BEGUN && ctx->flags == 0)))
        return run_unusual(ctx);
    return program->run(ctx, program);
}

/* ---- Routes ----------------------------------------------------------------------------- */

/* Switch on the classes of the route whose conditions were found to hold. */
static int enter_classes(cmw_ctx *ctx, const struct cmw__route *route)
{
    const int rc = cmw__ctx_match(ctx);
    if (rc != 0)
        return rc;
    for (uint32_t i = 0; i < route->class_count; i++) {
        const struct cmw__class *klass = &ctx->plan->classes[route->classes[i]];
        if (!ctx->active.summary || !cmw__bitset_has(ctx->active, klass->held))
            continue;
        for (uint32_t k = 0; k < klass->run_count; k++)
            cmw__bitset_add(ctx->active, klass->runs[k]);
    }
    return 0;
}

cmw_next cmw_ctx_enter_route(cmw_ctx *ctx, uint32_t route_id)
{
    if (ctx->state != CMW__CTX_HANDLER || ctx->route != CMW_NONE || (ctx->flags & CMW__CTX_FAILED))
        return repeat(ctx);
    const uint32_t index = cmw__plan_find_route(ctx->plan, route_id);
    if (index == CMW_NONE)
        return CMW_TO_HANDLER;
    const struct cmw__route *route = &ctx->plan->routes[index];

    ctx->route = index;
    ctx->traces |= CMW__CTX_LITTER;
    cmw__ctx_set_idle(ctx);
    ctx->state = CMW__CTX_PRE_ROUTE;
    cmw__ctx_stop_handler(ctx);
    ctx->request.writable = CMW__WRITE_HEADERS;
    ctx->response.origin = 0;
    const int rc = enter_classes(ctx, route);
    if (rc != 0)
        return cmw__respond_to_fault(ctx, cmw__fault_of(ctx, NULL, CMW_PHASE_PRE_ROUTE, rc));
    cmw__count(ctx, route->pre.entered_counter);
    return run_pre(ctx, &route->pre, route->pre.entries);
}

/* ---- Failing and committing -------------------------------------------------------------- */

void cmw__ctx_fail_with(cmw_ctx *ctx, int status, int code)
{
    if (ctx->state >= CMW__CTX_COMMITTED) {
        ctx->flags |= CMW__CTX_ABORTED;
        return;
    }
    if (ctx->flags & CMW__CTX_FAILED)
        return;
    ctx->flags |= CMW__CTX_FAILED;
    ctx->fault = (cmw_fault){status, code, -1, NULL};
    if (status == 500 && ctx->arena.exhausted) { /* then it is not the handler's fault */
        ctx->fault.status = 503;
        ctx->fault.code = CMW_ERR_NOMEM;
    }
}

void cmw_ctx_fail(cmw_ctx *ctx, int status)
{
    cmw__ctx_fail_with(ctx, status >= 400 && status <= 599 ? status : 500, 0);
}

/* The usual answer, but that its JSON body is yet to be finished. */
static cmw_next commit_json(cmw_ctx *ctx)
{
    const struct cmw__program *program = &ctx->plan->programs[CMW_PHASE_POST_ROUTE];

    ctx->state = CMW__CTX_POST_ROUTE;
    ctx->response.origin = 0;
    finish_json(ctx);
    return ctx->flags == 0 ? program->run(ctx, program) : cmw__respond(ctx);
}

/* A failure, a timed request, a commit out of turn. */
static CMW__NOINLINE cmw_next commit_unusual(cmw_ctx *ctx)
{
    if (ctx->state >= CMW__CTX_POST_ROUTE || (ctx->traces & CMW__CTX_PARKED))
        return repeat(ctx);
    if (ctx->state == CMW__CTX_BEGUN)
        cmw__ctx_forget_pre(ctx);
    if (ctx->flags & CMW__CTX_FAILED)
        return cmw__respond_to_fault(ctx, ctx->fault);
    if (ctx->flags & CMW__CTX_BODY_OPEN) /* whoever guards by the body has not passed it */
        return cmw__respond_to_fault(ctx, (cmw_fault){500, CMW_ERR_STATE, -1, NULL});
    if (ctx->response.status == 0)
        return cmw__respond_to_fault(ctx, cmw__fault_of(ctx, NULL, -1, 0));
    if (ctx->state == CMW__CTX_HANDLER && ctx->flags == 0)
        return commit_json(ctx);
    return cmw__respond(ctx);
}

cmw_next cmw_ctx_commit(cmw_ctx *ctx)
{
    const struct cmw__program *program = &ctx->plan->programs[CMW_PHASE_POST_ROUTE];

    if (CMW_UNLIKELY(!(ctx->state == CMW__CTX_HANDLER && ctx->flags == 0) ||
                     ctx->response.status == 0 || ctx->response.json))
        return commit_unusual(ctx);
    return program->run(ctx, program);
}

/* ---- Suspended requests ----------------------------------------------------------------- */

static cmw_next finish_post_from(cmw_ctx *ctx, const struct cmw__program *program,
                                 const struct cmw__entry *entry)
{
    if (run_post_from(ctx, program, entry))
        return CMW_TO_SUSPENDED;
    return end_post(ctx);
}

static cmw_next go_on_in_post(cmw_ctx *ctx, const struct cmw__program *program,
                              const struct cmw__entry *entry, int value)
{
    const struct cmw__step step = {entry, cmw__info_of(program, entry), value};

    if (has_parked(ctx, program, &step))
        return CMW_TO_SUSPENDED;
    if (value != CMW_CONTINUE)
        fail_post(ctx, &step);
    return finish_post_from(ctx, program, entry + 1);
}

/* As the callback of the phase is called: it may suspend again, and what it sets is its own. */
static int resume_in_body(cmw_ctx *ctx, const struct cmw__entry *entry,
                          const cmw_middleware *middleware, int verdict, void *data)
{
    const uint8_t origin = ctx->response.origin;

    ctx->response.origin = 0;
    ctx->flags |= CMW__CTX_IN_BODY;
    const int value = cmw__call_resumed(ctx, entry, middleware, verdict, data);
    ctx->flags = (uint16_t)(ctx->flags & ~CMW__CTX_IN_BODY);
    ctx->response.origin = origin;
    return value;
}

cmw_next cmw__ctx_resume(cmw_ctx *ctx, const struct cmw__program *program,
                         const struct cmw__entry *entry, const cmw_middleware *middleware,
                         int verdict, void *data)
{
    cmw__ctx_set_at(ctx, entry);
    if (program->phase == CMW_PHASE_REQUEST_BODY)
        return cmw__body_in_resume(ctx, resume_in_body(ctx, entry, middleware, verdict, data));
    const int value = cmw__call_resumed(ctx, entry, middleware, verdict, data);
    if (program->phase == CMW_PHASE_POST_ROUTE)
        return go_on_in_post(ctx, program, entry, value);
    if (program->route == CMW_NONE)
        ctx->flags = (uint16_t)(ctx->flags & ~CMW__CTX_PRE_ENDED);
    if (value == CMW_CONTINUE)
        return run_pre(ctx, program, entry + 1);
    return cmw__leave_pre(ctx, program, value);
}

static int cancel_status(cmw_end_reason reason)
{
    switch (reason) {
    case CMW_END_CLIENT_GONE:
        return 499; /* in no registry, but in every log: the client closed the request */
    case CMW_END_ERROR:
        return 500;
    default:
        return 503;
    }
}

/* The middleware that waits is not called again; what follows it in post_route is. */
static cmw_next cancel_parked(cmw_ctx *ctx, int status)
{
    const struct cmw__program *program = ctx->parked.program;
    const struct cmw__entry *entry = ctx->parked.entry;
    const struct cmw__entry_info *info = cmw__info_of(program, entry);
    const cmw_fault fault = {status, CMW_ERR_CANCELLED, (int)program->phase,
                             cmw__entry_middleware(ctx, info)->name};

    cmw__ctx_disarm(ctx);
    cmw__count(ctx, info->counters + CMW__ENTRY_LOST);
    if (program->phase != CMW_PHASE_POST_ROUTE)
        return cmw__respond_to_fault(ctx, fault);
    cmw__raise_fault(ctx, fault);
    return finish_post_from(ctx, program, entry + 1);
}

/* A response whose source waits: its head is out. */
static cmw_next abort_stream(cmw_ctx *ctx, cmw_end_reason reason)
{
    cmw__ctx_disarm(ctx);
    ctx->traces |= CMW__CTX_CANCELLED;
    ctx->cancel_reason = (uint32_t)reason;
    ctx->flags |= CMW__CTX_ABORTED;
    return CMW_TO_ABORT;
}

cmw_next cmw__ctx_give_up(cmw_ctx *ctx, cmw_end_reason reason, int status)
{
    if (ctx->state == CMW__CTX_COMMITTED && (ctx->traces & CMW__CTX_PARKED) &&
        (unsigned)reason < CMW_END_REASON_COUNT)
        return abort_stream(ctx, reason);
    if (ctx->state >= CMW__CTX_COMMITTED || (unsigned)reason >= CMW_END_REASON_COUNT)
        return repeat(ctx);
    if (!(ctx->traces & CMW__CTX_CANCELLED)) {
        ctx->traces |= CMW__CTX_CANCELLED;
        ctx->cancel_reason = (uint32_t)reason;
    }
    if (ctx->traces & CMW__CTX_PARKED)
        return cancel_parked(ctx, status);
    cmw__ctx_fail_with(ctx, status, CMW_ERR_CANCELLED);
    return repeat(ctx);
}

cmw_next cmw_ctx_cancel(cmw_ctx *ctx, cmw_end_reason reason)
{
    return cmw__ctx_give_up(ctx, reason, cancel_status(reason));
}

int cmw_ctx_is_cancelled(const cmw_ctx *ctx)
{
    return (ctx->traces & CMW__CTX_CANCELLED) != 0;
}

/* ---- complete --------------------------------------------------------------------------- */

/* Nothing that a callback of complete returns counts; guards still do. */
void cmw__ctx_run_complete(cmw_ctx *ctx)
{
    const struct cmw__program *program = &ctx->plan->programs[CMW_PHASE_COMPLETE];

    if (program->count == 1)
        return;
    cmw__count(ctx, program->entered_counter);
    (void)cmw__run_entries(ctx, program, program->entries);
}

CMW__NOINLINE cmw_next cmw__leave_complete(cmw_ctx *ctx, const struct cmw__program *program)
{
    (void)cmw__run_entries(ctx, program, ctx->jump);
    return CMW_TO_RESPOND;
}
