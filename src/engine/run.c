/* SPDX-License-Identifier: MIT */
/*
 * Running a request: the loop over a program, what verdicts lead to, faults. The usual way, on
 * which there is none of these, is written out in run_usual.c.
 *
 *   run ──> pre_route ──> handler ──> commit ──> post_route ──> committed ──> end ──> complete
 *              │ STOP, end after SKIP_ROUTE          ^
 *              ├─────────────────────────────────────┤
 *              │ fault ──> error callbacks ──────────┘   (post_route goes on where it was)
 */
#include "run.h"

#include "platform.h"

/* ---- Special entries -------------------------------------------------------------------- */

int cmw__entry_end(void *self, cmw_ctx *ctx)
{
    (void)self;
    (void)ctx;
    return 1;
}

int cmw__entry_block(void *self, cmw_ctx *ctx)
{
    return cmw__response_add_block(&ctx->response, self);
}

int cmw__entry_complete(void *self, cmw_ctx *ctx)
{
    const struct cmw__wrapped *wrapped = self;
    wrapped->complete(wrapped->self, ctx, (cmw_end_reason)ctx->reason);
    return 0;
}

/* 1 for a verdict that the phase allows and that is no fault. SUSPEND is looked at by itself: it
 * depends on more than the phase. */
static int is_allowed(unsigned phase, int verdict)
{
    static const uint8_t allowed[CMW__PROGRAMS] = {
        [CMW_PHASE_PRE_ROUTE] = 1 << CMW_CONTINUE | 1 << CMW_STOP | 1 << CMW_SKIP_ROUTE,
        [CMW_PHASE_POST_ROUTE] = 1 << CMW_CONTINUE,
        [CMW_PHASE_ERROR] = 1 << CMW_CONTINUE | 1 << CMW_STOP,
    };
    return verdict >= CMW_CONTINUE && verdict <= CMW_ERROR && (allowed[phase] >> verdict & 1);
}

/* Call one that fails open: what it did to the response is undone if it fails. */
static int call_open(const struct cmw__wrapped *wrapped, cmw_ctx *ctx)
{
    struct cmw__response_saved saved;
    int verdict = CMW_ERROR;

    if (cmw__response_save(&ctx->response, &saved) == 0) {
        verdict = wrapped->fn(wrapped->self, ctx);
        if (is_allowed(cmw__ctx_phase(ctx), verdict) ||
            (verdict == CMW_SUSPEND && cmw__ctx_may_park(ctx, cmw__ctx_at(ctx))))
            return verdict;
        cmw__response_restore(&ctx->response, &saved);
    }
    cmw__count(ctx, wrapped->counters + CMW__ENTRY_FORGIVEN);
    return CMW_CONTINUE;
}

int cmw__entry_wrapped(void *self, cmw_ctx *ctx)
{
    const struct cmw__wrapped *wrapped = self;
    const uint32_t writable = ctx->request.writable;

    ctx->request.writable = writable | wrapped->writable;
    const int verdict =
        wrapped->fails_open ? call_open(wrapped, ctx) : wrapped->fn(wrapped->self, ctx);
    ctx->request.writable = writable;
    return verdict;
}

/* ---- The loop --------------------------------------------------------------------------- */

/* What left the loop. */
struct step {
    const struct cmw__entry *entry;
    const struct cmw__entry_info *info;
    int value;
};

static const struct cmw__entry_info *info_of(const struct cmw__program *program,
                                             const struct cmw__entry *entry)
{
    return &program->info[entry - program->entries];
}

/* What one boundary between entries measured. */
struct reading {
    uint64_t time_ns;
    size_t bytes;
};

static struct reading take_reading(const cmw_ctx *ctx)
{
    return (struct reading){cmw__engine_clock(ctx->worker->engine), cmw_arena_used(&ctx->arena)};
}

static void record_call(cmw_ctx *ctx, const struct cmw__entry_info *info,
                        const struct reading *before, const struct reading *after)
{
    const uint64_t elapsed = after->time_ns - before->time_ns;

    cmw__use_record(ctx->use, info->histogram, elapsed);
    cmw__counter_add(&ctx->use->counters[info->counters + CMW__ENTRY_DURATION_SUM], elapsed);
    if (after->bytes > before->bytes)
        cmw__counter_add(&ctx->use->counters[info->counters + CMW__ENTRY_BYTES],
                         after->bytes - before->bytes);
}

/* The same for one request in `sample_every`, which is timed: one reading of the clock between any
 * two entries, since reading it is most of what timing costs. A duration thus has in it what
 * recording the one before took: some nanoseconds. */
static CMW__NOINLINE struct step run_timed(cmw_ctx *ctx, const struct cmw__program *program,
                                           const struct cmw__entry *entry)
{
    struct reading before = take_reading(ctx);

    for (;; entry++) {
        cmw__ctx_set_at(ctx, entry);
        const int value = entry->fn(entry->self, ctx);
        const struct cmw__entry_info *info = info_of(program, entry);
        if (info->kind == CMW__ENTRY_END)
            return (struct step){entry, info, value};
        const struct reading after = take_reading(ctx);
        if (info->kind == CMW__ENTRY_CALL)
            record_call(ctx, info, &before, &after);
        before = after;
        if (value == 0)
            continue;
        if (info->kind != CMW__ENTRY_GUARD)
            return (struct step){entry, info, value};
        entry = ctx->jump - 1;
    }
}

/* Run entries from `entry` on until a verdict, the end, or a failure. */
static inline struct step run_entries(cmw_ctx *ctx, const struct cmw__program *program,
                                      const struct cmw__entry *entry)
{
    if (CMW_UNLIKELY(ctx->flags & CMW__CTX_SAMPLED))
        return run_timed(ctx, program, entry);
    for (;;) {
        cmw__ctx_set_at(ctx, entry);
        const int value = entry->fn(entry->self, ctx);
        if (CMW_LIKELY(value == 0)) {
            entry++;
            continue;
        }
        const struct cmw__entry_info *info = info_of(program, entry);
        if (info->kind != CMW__ENTRY_GUARD)
            return (struct step){entry, info, value};
        entry = ctx->jump;
    }
}

/* ---- Faults ----------------------------------------------------------------------------- */

static const cmw_middleware *middleware_of(const cmw_ctx *ctx, const struct cmw__entry_info *info)
{
    if (!info || info->middleware == CMW_NONE)
        return NULL;
    return &ctx->plan->middleware[info->middleware].instance->mw;
}

/* What a request that used up its memory needs for its answer. Given once. */
static void open_reserve(cmw_ctx *ctx)
{
    char *end = (char *)ctx + ctx->worker->engine->context_bytes;
    if (ctx->flags & CMW__CTX_RESERVE_USED)
        return;
    ctx->flags |= CMW__CTX_RESERVE_USED;
    cmw__arena_use_reserve(&ctx->arena, end - CMW__RESERVE_BYTES, end);
}

/* The fault of a callback: its policy's status; lack of memory is not the callback's fault. */
static cmw_fault fault_of(const cmw_ctx *ctx, const struct cmw__entry_info *info, int phase,
                          int code)
{
    const cmw_middleware *mw = middleware_of(ctx, info);
    const int out_of_memory = code == CMW_ERR_NOMEM || ctx->arena.exhausted;
    cmw_fault fault = {500, out_of_memory ? CMW_ERR_NOMEM : code, phase, mw ? mw->name : NULL};

    if (code == CMW_ERR_INVALID)
        fault.status = 400;
    else if (out_of_memory)
        fault.status = 503;
    else if (mw && mw->failure == CMW_FAIL_STATUS)
        fault.status = mw->failure_status;
    return fault;
}

/* Run error callbacks until one answers. 1: answered; 0: nobody did; -1: one failed. */
static int ask_error_callbacks(cmw_ctx *ctx)
{
    const struct cmw__program *program = &ctx->plan->programs[CMW_PHASE_ERROR];
    const struct cmw__entry *outer_end = ctx->at_end;
    const uint8_t outer_left = ctx->left;

    if (program->count <= 1)
        return 0;
    ctx->flags |= CMW__CTX_IN_ERROR;
    cmw__count(ctx, program->entered_counter);
    const struct step step = run_entries(ctx, program, program->entries);
    ctx->at_end = outer_end;
    ctx->left = outer_left;
    ctx->flags = (uint16_t)(ctx->flags & ~CMW__CTX_IN_ERROR);
    if (step.info->kind == CMW__ENTRY_END)
        return 0;
    const int is_stop = step.info->kind == CMW__ENTRY_CALL && step.value == CMW_STOP;
    cmw__count(ctx, step.info->counters + (is_stop ? CMW__ENTRY_STOPS : CMW__ENTRY_ERRORS));
    return is_stop && ctx->response.status != 0 ? 1 : -1;
}

/* A fault: the first one is offered to the error callbacks, a second one is a plain 500. */
static void raise_fault(cmw_ctx *ctx, cmw_fault fault)
{
    const int is_first = !(ctx->flags & CMW__CTX_FAULT);

    ctx->request.writable = 0;
    ctx->response.json = NULL;
    ctx->response.origin = 0;
    cmw__response_drop_for_fault(&ctx->response);
    if (fault.code == CMW_ERR_NOMEM)
        open_reserve(ctx);
    if (!is_first) {
        cmw__response_plain(&ctx->response, 500);
        return;
    }
    ctx->flags |= CMW__CTX_FAULT;
    ctx->fault = fault;
    cmw__count(ctx, CMW__COUNT_FAULT);
    const int answered = ask_error_callbacks(ctx);
    if (answered == 1)
        return;
    cmw__response_drop_for_fault(&ctx->response);
    cmw__response_plain(&ctx->response, answered == 0 ? fault.status : 500);
}

/* ---- post_route ------------------------------------------------------------------------- */

/* A JSON body must be whole before others read it. */
static CMW__NOINLINE void finish_json(cmw_ctx *ctx)
{
    const int rc = cmw__response_finish_json(&ctx->response);
    if (rc != 0)
        raise_fault(ctx, fault_of(ctx, NULL, -1, rc));
}

static void fail_post(cmw_ctx *ctx, const struct step *step)
{
    const int is_call = step->info->kind == CMW__ENTRY_CALL;
    if (is_call)
        cmw__count(ctx, step->info->counters + CMW__ENTRY_ERRORS);
    raise_fault(ctx, fault_of(ctx, step->info, CMW_PHASE_POST_ROUTE, is_call ? 0 : CMW_ERR_NOMEM));
}

/* 1: the callback has suspended the request. */
static int has_parked(cmw_ctx *ctx, const struct cmw__program *program, const struct step *step)
{
    return step->value == CMW_SUSPEND && step->info->kind == CMW__ENTRY_CALL &&
           cmw__ctx_park(ctx, program, step->entry);
}

/* The general way: faults are raised, guards jump, and what has not run goes on. 1: suspended. */
static CMW__NOINLINE int run_post_from(cmw_ctx *ctx, const struct cmw__program *program,
                                       const struct cmw__entry *entry)
{
    for (;;) {
        const struct step step = run_entries(ctx, program, entry);
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
    const struct step step = {entry, info_of(program, entry), value};

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
    if (program->count > 1) {
        cmw__count(ctx, CMW__COUNT_PHASE + CMW_PHASE_POST_ROUTE);
        if (run_post_from(ctx, program, program->entries))
            return CMW_TO_SUSPENDED;
    }
    return end_post(ctx);
}

static cmw_next respond_to_fault(cmw_ctx *ctx, cmw_fault fault)
{
    raise_fault(ctx, fault);
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
        return respond_to_fault(ctx, ctx->fault);
    if (body_is_too_long(ctx))
        return respond_to_fault(ctx, (cmw_fault){413, CMW_ERR_LIMIT, -1, NULL});
    ctx->state = CMW__CTX_HANDLER;
    return cmw__hand_over(ctx);
}

/* A pre_route program came to its end. */
static cmw_next finish_pre(cmw_ctx *ctx)
{
    if (!(ctx->flags & CMW__CTX_SKIP_ROUTE))
        return cmw__to_handler(ctx);
    cmw__ctx_set_idle(ctx);
    if (ctx->flags & CMW__CTX_FAILED)
        return respond_to_fault(ctx, ctx->fault);
    if (ctx->response.status == 0)
        return respond_to_fault(ctx, fault_of(ctx, NULL, CMW_PHASE_PRE_ROUTE, 0));
    return cmw__respond(ctx);
}

/* A callback of pre_route said something else than CONTINUE or SKIP_ROUTE. */
static cmw_next leave_pre(cmw_ctx *ctx, const struct cmw__program *program, const struct step *step)
{
    if (has_parked(ctx, program, step))
        return CMW_TO_SUSPENDED;
    if (step->info->kind != CMW__ENTRY_CALL) { /* the match */
        cmw__count(ctx, step->info->counters + CMW__ENTRY_ERRORS);
        return respond_to_fault(ctx, fault_of(ctx, step->info, CMW_PHASE_PRE_ROUTE, step->value));
    }
    if (step->value == CMW_STOP) {
        cmw__count(ctx, step->info->counters + CMW__ENTRY_STOPS);
        if (ctx->response.status != 0)
            return cmw__respond(ctx);
    } else {
        cmw__count(ctx, step->info->counters + CMW__ENTRY_ERRORS);
    }
    return respond_to_fault(ctx, fault_of(ctx, step->info, CMW_PHASE_PRE_ROUTE, 0));
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
    struct step step;

    for (;;) {
        step = run_entries(ctx, program, entry);
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

/* An entry that was called said `value`, not 0: act on it, and go on if that is what it means. */
CMW__NOINLINE cmw_next cmw__leave_pre(cmw_ctx *ctx, const struct cmw__program *program, int value)
{
    const struct cmw__entry *entry = cmw__ctx_at(ctx);
    const struct step step = {entry, info_of(program, entry), value};

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

void cmw__run_prepares(cmw_ctx *ctx)
{
    const cmw_plan *plan = ctx->plan;
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
        cmw__ctx_forget_pre(ctx);
        return respond_to_fault(ctx, ctx->fault);
    }
    cmw__run_prepares(ctx);
    ctx->state = CMW__CTX_PRE_ROUTE;
    return run_pre(ctx, program, program->entries);
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
    ctx->request.writable = CMW__WRITE_HEADERS;
    ctx->response.origin = 0;
    const int rc = enter_classes(ctx, route);
    if (rc != 0)
        return respond_to_fault(ctx, fault_of(ctx, NULL, CMW_PHASE_PRE_ROUTE, rc));
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
        return respond_to_fault(ctx, ctx->fault);
    if (ctx->response.status == 0)
        return respond_to_fault(ctx, fault_of(ctx, NULL, -1, 0));
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

/* What the middleware says of what was delivered; as in the first call, one that fails open is
 * forgiven and what it did to the response in this call is undone. */
static int call_resumed(cmw_ctx *ctx, const struct cmw__entry *entry, const cmw_middleware *mw,
                        int verdict, void *data)
{
    const struct cmw__wrapped *wrapped =
        entry->fn == cmw__entry_wrapped ? (const struct cmw__wrapped *)entry->self : NULL;
    const int fails_open = wrapped && wrapped->fails_open;
    const uint32_t writable = ctx->request.writable;
    struct cmw__response_saved saved;

    if (fails_open && cmw__response_save(&ctx->response, &saved) != 0)
        return CMW_ERROR;
    ctx->request.writable = writable | (wrapped ? wrapped->writable : 0);
    const int value = mw->resumed(mw->self, ctx, verdict, data);
    ctx->request.writable = writable;
    if (!fails_open || is_allowed(cmw__ctx_phase(ctx), value) ||
        (value == CMW_SUSPEND && cmw__ctx_may_park(ctx, entry)))
        return value;
    cmw__response_restore(&ctx->response, &saved);
    cmw__count(ctx, wrapped->counters + CMW__ENTRY_FORGIVEN);
    return CMW_CONTINUE;
}

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
    const struct step step = {entry, info_of(program, entry), value};

    if (has_parked(ctx, program, &step))
        return CMW_TO_SUSPENDED;
    if (value != CMW_CONTINUE)
        fail_post(ctx, &step);
    return finish_post_from(ctx, program, entry + 1);
}

cmw_next cmw__ctx_resume(cmw_ctx *ctx, const struct cmw__program *program,
                         const struct cmw__entry *entry, const cmw_middleware *middleware,
                         int verdict, void *data)
{
    int value = verdict;

    cmw__ctx_set_at(ctx, entry);
    if (middleware->resumed)
        value = call_resumed(ctx, entry, middleware, verdict, data);
    else if (middleware->dropped)
        middleware->dropped(middleware->self, data);
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
    const struct cmw__entry_info *info = info_of(program, entry);
    const cmw_fault fault = {status, CMW_ERR_CANCELLED, (int)program->phase,
                             middleware_of(ctx, info)->name};

    cmw__ctx_disarm(ctx);
    cmw__count(ctx, info->counters + CMW__ENTRY_LOST);
    if (program->phase != CMW_PHASE_POST_ROUTE)
        return respond_to_fault(ctx, fault);
    raise_fault(ctx, fault);
    return finish_post_from(ctx, program, entry + 1);
}

cmw_next cmw_ctx_cancel(cmw_ctx *ctx, cmw_end_reason reason)
{
    const int status = cancel_status(reason);

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

int cmw_ctx_is_cancelled(const cmw_ctx *ctx)
{
    return (ctx->traces & CMW__CTX_CANCELLED) != 0;
}

/* ---- complete --------------------------------------------------------------------------- */

/* Nothing that a callback of complete returns counts; guards still do. */
void cmw__ctx_run_complete(cmw_ctx *ctx)
{
    const struct cmw__program *program = &ctx->plan->programs[CMW_PHASE_COMPLETE];

    if (program->count > 1) {
        cmw__count(ctx, program->entered_counter);
        (void)run_entries(ctx, program, program->entries);
    }
    cmw__ctx_set_idle(ctx);
}
