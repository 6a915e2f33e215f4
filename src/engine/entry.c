/* SPDX-License-Identifier: MIT */
/* Calling one entry: blocks, ends, and callbacks whose failure or fields need more than a call. */
#include "run.h"

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
    struct cmw__announced *const announced = ctx->announced;
    struct cmw__promise *const promises = ctx->promises;
    struct cmw__response_saved saved;
    int verdict = CMW_ERROR;

    if (cmw__response_save(&ctx->response, &saved) == 0) {
        verdict = wrapped->fn(wrapped->self, ctx);
        if (is_allowed(cmw__ctx_phase(ctx), verdict) ||
            (verdict == CMW_SUSPEND && cmw__ctx_may_park(ctx, cmw__ctx_at(ctx))))
            return verdict;
        cmw__response_restore(&ctx->response, &saved);
        ctx->announced = announced;
        ctx->promises = promises;
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

static void drop(const cmw_middleware *mw, void *data)
{
    if (mw->dropped)
        mw->dropped(mw->self, data);
}

static int forgive(cmw_ctx *ctx, const struct cmw__wrapped *wrapped)
{
    cmw__count(ctx, wrapped->counters + CMW__ENTRY_FORGIVEN);
    return CMW_CONTINUE;
}

/* What the middleware says of what was delivered. */
static int call_resumed(cmw_ctx *ctx, const cmw_middleware *mw, uint32_t writable, int verdict,
                        void *data)
{
    const uint32_t outer = ctx->request.writable;

    if (!mw->resumed) {
        drop(mw, data);
        return verdict;
    }
    ctx->request.writable = outer | writable;
    const int value = mw->resumed(mw->self, ctx, verdict, data);
    ctx->request.writable = outer;
    return value;
}

/* As in the first call, one that fails open is forgiven, and what it did to the response in this
 * call is undone. */
static int call_resumed_open(cmw_ctx *ctx, const struct cmw__entry *entry, const cmw_middleware *mw,
                             int verdict, void *data)
{
    const struct cmw__wrapped *wrapped = entry->self;
    struct cmw__announced *const announced = ctx->announced;
    struct cmw__promise *const promises = ctx->promises;
    struct cmw__response_saved saved;

    if (cmw__response_save(&ctx->response, &saved) != 0) {
        drop(mw, data);
        return forgive(ctx, wrapped);
    }
    const int value = call_resumed(ctx, mw, wrapped->writable, verdict, data);
    if (is_allowed(cmw__ctx_phase(ctx), value) ||
        (value == CMW_SUSPEND && cmw__ctx_may_park(ctx, entry)))
        return value;
    cmw__response_restore(&ctx->response, &saved);
    ctx->announced = announced;
    ctx->promises = promises;
    return forgive(ctx, wrapped);
}

int cmw__call_resumed(cmw_ctx *ctx, const struct cmw__entry *entry, const cmw_middleware *mw,
                      int verdict, void *data)
{
    const struct cmw__wrapped *wrapped = entry->fn == cmw__entry_wrapped ? entry->self : NULL;

    if (wrapped && wrapped->fails_open)
        return call_resumed_open(ctx, entry, mw, verdict, data);
    return call_resumed(ctx, mw, wrapped ? wrapped->writable : 0, verdict, data);
}
