/* SPDX-License-Identifier: MIT */
/*
 * What contexts and the runner need of each other.
 */
#ifndef CMW_ENGINE_RUN_H
#define CMW_ENGINE_RUN_H

#include "ctx_state.h"

/* Note a failure that commit (or run, if it has not begun) will answer. Past commit: abort. */
void cmw__ctx_fail_with(cmw_ctx *ctx, int status, int code);

/* cmw_ctx_cancel with a status of the caller's. */
cmw_next cmw__ctx_give_up(cmw_ctx *ctx, cmw_end_reason reason, int status);

/* No entry of pre_route has run: nothing was entered. Called where that is so, and not when each
 * request begins. */
static inline void cmw__ctx_forget_pre(cmw_ctx *ctx)
{
    ctx->flags |= CMW__CTX_PRE_ENDED;
    ctx->pre_end = NULL;
    cmw__count(ctx, CMW__COUNT_UNRUN);
}

/* ---- run_usual.c ------------------------------------------------------------------------ */

/* The usual way through a program of pre_route, post_route or complete. */
void cmw__choose_run(const cmw_plan *plan, struct cmw__program *program);

/* A suspended request was resumed: ask its middleware, and go on with what that says. */
cmw_next cmw__ctx_resume(cmw_ctx *ctx, const struct cmw__program *program,
                         const struct cmw__entry *entry, const cmw_middleware *middleware,
                         int verdict, void *data);

/* ---- entry.c ---------------------------------------------------------------------------- */

/* What the middleware of `entry` says of what was delivered: a verdict. Without `resumed` it is
 * `verdict`, and `data` is dropped. One that fails open is forgiven, as in the first call. */
int cmw__call_resumed(cmw_ctx *ctx, const struct cmw__entry *entry, const cmw_middleware *mw,
                      int verdict, void *data);

/* ---- What it goes on with, in run.c ----------------------------------------------------- */

/* The entry that runs said `value`, not 0: act on it, and go on if that is what it means. */
cmw_next cmw__leave_pre(cmw_ctx *ctx, const struct cmw__program *program, int value);
/* The same; or with 0 all have run, and there are flags, or a JSON body to finish. */
cmw_next cmw__leave_post(cmw_ctx *ctx, const struct cmw__program *program, int value);
/* A guard of complete jumped. What is returned means nothing. */
cmw_next cmw__leave_complete(cmw_ctx *ctx, const struct cmw__program *program);
/* From here on the response is decided: decorate it and freeze it, whatever the entries say. */
cmw_next cmw__respond(cmw_ctx *ctx);
/* The same after a fault. */
cmw_next cmw__respond_to_fault(cmw_ctx *ctx, cmw_fault fault);
/* The way through pre_route of a plan with body phases. */
cmw_next cmw__run_unusual(cmw_ctx *ctx, const struct cmw__program *program);
/* Before the first entry. */
void cmw__run_prepares(cmw_ctx *ctx);
/* To the handler, unless there was a failure or the body is too long. */
cmw_next cmw__to_handler(cmw_ctx *ctx);

/* pre_route let the request pass; the state says so. */
static inline cmw_next cmw__hand_over(cmw_ctx *ctx)
{
    ctx->request.writable = 0;
    ctx->response.origin = CMW__SEGMENT_HANDLER;
    return CMW_TO_HANDLER;
}

/* Run the callbacks of complete. The last of them seems to run still: see cmw__ctx_set_idle. */
void cmw__ctx_run_complete(cmw_ctx *ctx);

#endif /* CMW_ENGINE_RUN_H */
