/* SPDX-License-Identifier: MIT */
/*
 * What middleware declares about bodies: whether each says what it does, and whether all of them
 * can be served from one buffer.
 */
#include "compile.h"

/* ---- Each by itself --------------------------------------------------------------------- */

static int check_demand(const struct cmw__compiler *compiler, const cmw_middleware *mw)
{
    const int32_t demand = mw->body_demand;
    const uint64_t limit = compiler->engine->limits.body_bytes;

    if (demand < CMW_BODY_NONE || demand > CMW_BODY_DIGEST)
        return cmw_diag_set(compiler->diag, CMW_ERR_ARG, "'%s' declares an unknown body demand, %d",
                            mw->name, (int)demand);
    if (mw->request_body && demand == CMW_BODY_NONE)
        return cmw_diag_set(compiler->diag, CMW_ERR_CONFLICT,
                            "'%s' has a callback for request_body, and declares no body demand",
                            mw->name);
    if (!mw->request_body && demand != CMW_BODY_NONE)
        return cmw_diag_set(compiler->diag, CMW_ERR_CONFLICT,
                            "'%s' declares a body demand, and has no callback for request_body",
                            mw->name);
    if (demand == CMW_BODY_PEEK && mw->body_demand_bytes == 0)
        return cmw_diag_set(compiler->diag, CMW_ERR_CONFLICT,
                            "'%s' peeks at the body, and declares 0 bytes of it", mw->name);
    if ((demand == CMW_BODY_PEEK || demand == CMW_BODY_FULL) && mw->body_demand_bytes > limit)
        return cmw_diag_set(compiler->diag, CMW_ERR_CONFLICT,
                            "'%s' asks for %zu bytes of the body, and the engine's "
                            "limits.body_bytes lets through %llu",
                            mw->name, mw->body_demand_bytes, (unsigned long long)limit);
    return 0;
}

static int check_transform(const struct cmw__compiler *compiler, const cmw_middleware *mw)
{
    if (!(mw->flags & CMW_TRANSFORMS_BODY))
        return 0;
    if (!mw->response_body || !mw->post_route)
        return cmw_diag_set(compiler->diag, CMW_ERR_CONFLICT,
                            "'%s' declares to transform bodies, and has no callback for %s",
                            mw->name, mw->response_body ? "post_route" : "response_body");
    if (mw->failure == CMW_FAIL_OPEN)
        return cmw_diag_set(compiler->diag, CMW_ERR_CONFLICT,
                            "'%s' transforms bodies and fails open: what it began to change cannot "
                            "be undone",
                            mw->name);
    return 0;
}

/* Where the route is known only once the body is read. */
static int check_route(const struct cmw__compiler *compiler, const struct cmw__planned *planned)
{
    const cmw_plan *plan = compiler->plan;
    const cmw_middleware *mw = &planned->instance->mw;

    if (!mw->request_body || planned->route == CMW_NONE)
        return 0;
    return cmw_diag_set(compiler->diag, CMW_ERR_UNSUPPORTED,
                        "'%s' belongs to route %u and has a callback for request_body: the body is "
                        "read before a route is entered. Limit it by path instead",
                        mw->name, (unsigned)plan->routes[planned->route].id);
}

/* ---- Heads ------------------------------------------------------------------------------ */

/* Conditions are known only once the head is. */
static int note_head_time(const struct cmw__compiler *compiler, const struct cmw__planned *planned)
{
    cmw_plan *plan = compiler->plan;
    const cmw_middleware *mw = &planned->instance->mw;

    if (mw->head_ms == 0 || planned->is_shadowed)
        return 0;
    if (mw->head_ms > 86400000)
        return cmw_diag_set(compiler->diag, CMW_ERR_ARG, "'%s': head_ms: %u is not 0 to 86400000",
                            mw->name, (unsigned)mw->head_ms);
    if (planned->klass != 0)
        return cmw_diag_set(compiler->diag, CMW_ERR_CONFLICT,
                            "'%s' limits the time of heads, and has a condition or a route, which "
                            "a head decides once it has come",
                            mw->name);
    plan->heads = plan->heads ? plan->heads : mw->name;
    if (plan->head_ms == 0 || mw->head_ms < plan->head_ms)
        plan->head_ms = mw->head_ms;
    return 0;
}

/* ---- Together --------------------------------------------------------------------------- */

static int wants_buffer(const cmw_middleware *mw)
{
    return mw->body_demand == CMW_BODY_PEEK || mw->body_demand == CMW_BODY_FULL;
}

/* The buffer holds what those who take chunks let through: who looks at it stands behind them. */
static int check_buffer(const struct cmw__compiler *compiler)
{
    const cmw_plan *plan = compiler->plan;
    const struct cmw__planned *waiting = NULL;

    for (uint32_t i = 0; i < plan->middleware_count; i++) {
        const struct cmw__planned *at = &plan->middleware[i];
        const cmw_middleware *mw = &at->instance->mw;
        if (waiting && mw->body_demand == CMW_BODY_CHUNKS)
            return cmw_diag_set(
                compiler->diag, CMW_ERR_ORDER,
                "'%s' (priority %d) waits for the body, which '%s' (priority %d) takes and may "
                "change before it is all there: give '%s' a priority above %d",
                waiting->instance->mw.name, (int)waiting->priority, mw->name, (int)at->priority,
                waiting->instance->mw.name, (int)at->priority);
        if (!waiting && wants_buffer(mw))
            waiting = at;
    }
    return 0;
}

int cmw__compile_bodies(struct cmw__compiler *compiler)
{
    cmw_plan *plan = compiler->plan;

    for (uint32_t i = 0; i < plan->middleware_count; i++) {
        const cmw_middleware *mw = &plan->middleware[i].instance->mw;
        int rc = check_demand(compiler, mw);
        if (rc == 0)
            rc = check_transform(compiler, mw);
        if (rc == 0)
            rc = check_route(compiler, &plan->middleware[i]);
        if (rc == 0)
            rc = note_head_time(compiler, &plan->middleware[i]);
        if (rc != 0)
            return rc;
        if (mw->request_body) {
            plan->body_phases |= 1u << CMW_PHASE_REQUEST_BODY;
            plan->feeds = plan->feeds ? plan->feeds : mw->name;
        }
        if ((mw->flags & CMW_READS_TRAILERS) && !plan->trails)
            plan->trails = mw->name;
        if ((mw->flags & CMW_SENDS_TRAILERS) && !plan->adds)
            plan->adds = mw->name;
        if (mw->response_body)
            plan->body_phases |= 1u << CMW_PHASE_RESPONSE_BODY;
        if ((mw->flags & CMW_TIMES_BODY) && !plan->times &&
            plan->middleware[i].instance->mode != CMW_MODE_SHADOWED)
            plan->times = mw->name;
    }
    return check_buffer(compiler);
}
