/* SPDX-License-Identifier: MIT */
/* Faults: what their status is, who is asked for an answer, and the plain one if nobody has any. */
#include "fault.h"

#include "flow.h"
#include "loop.h"

const cmw_middleware *cmw__entry_middleware(const cmw_ctx *ctx, const struct cmw__entry_info *info)
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
cmw_fault cmw__fault_of(const cmw_ctx *ctx, const struct cmw__entry_info *info, int phase, int code)
{
    const cmw_middleware *mw = cmw__entry_middleware(ctx, info);
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

cmw_fault cmw__fault_of_callback(const cmw_ctx *ctx, const struct cmw__entry_info *info, int phase,
                                 int value)
{
    cmw_fault fault = cmw__fault_of(ctx, info, phase, value == CMW_ERR_NOMEM ? value : 0);

    if (value < 0 && fault.code == 0)
        fault.code = value;
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
    const struct cmw__step step = cmw__run_entries(ctx, program, program->entries);
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
void cmw__raise_fault(cmw_ctx *ctx, cmw_fault fault)
{
    const int is_first = !(ctx->flags & CMW__CTX_FAULT);

    ctx->request.writable = 0;
    ctx->response.json = NULL;
    ctx->response.origin = 0;
    ctx->announced = NULL;
    cmw__trailers_drop(ctx);
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
