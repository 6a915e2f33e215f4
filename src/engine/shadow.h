/* SPDX-License-Identifier: MIT */
/*
 * Shadow mode: a middleware runs on live requests, and nothing of what it does counts.
 *
 * Its entry is cmw__entry_shadow, which saves request and response, calls, notes what would have
 * come of it, and puts them back. While it runs, ctx->plan is the plan's twin: a copy that knows no
 * slot, so that what asks for one leaves its usual way by a test that it makes anyway, and finds
 * the shadow's own values here. Requests without a shadowed middleware pay nothing.
 */
#ifndef CMW_ENGINE_SHADOW_H
#define CMW_ENGINE_SHADOW_H

#include "ctx_state.h"
#include "order.h"

/* 1 while a shadowed callback runs. */
static inline int cmw__ctx_in_shadow(const cmw_ctx *ctx)
{
    return ctx->plan->shadow_of != NULL;
}

/* Refuse to shadow what others depend on, or what cannot be undone. */
int cmw__shadow_check(const struct cmw__order *order, cmw_diag *diag);

/* Make the plan's twin, if a middleware of it is shadowed. The last step of compiling. 0 or
 * CMW_ERR_NOMEM. */
int cmw__shadow_make_twin(cmw_plan *plan);

/* Calls of shadowed middleware. `self` is a struct cmw__wrapped. */
int cmw__entry_shadow(void *self, cmw_ctx *ctx);
int cmw__entry_shadow_complete(void *self, cmw_ctx *ctx);

/* A slot that the plan in force does not know: in shadow, the shadow's value, or the request's. */
void *cmw__shadow_slot(const cmw_ctx *ctx, cmw_slot slot);
/* Likewise zeroed room; NULL outside of shadow, without memory, or for no slot of the plan. */
void *cmw__shadow_set_slot(cmw_ctx *ctx, cmw_slot slot);

#endif /* CMW_ENGINE_SHADOW_H */
