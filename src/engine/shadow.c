/* SPDX-License-Identifier: MIT */
/* Shadow mode: calling without effect, scratch slots, what would have come of it. */
#include "shadow.h"

#include "response_state.h"
#include "run.h"

/* A slot that shadowed middleware has set. All of them see each other's, nobody else does. */
struct cmw__scratch {
    struct cmw__scratch *next;
    cmw_slot slot;
    void (*destroy)(void *value);
    _Alignas(16) char value[];
};

/* ---- Compiling -------------------------------------------------------------------------- */

static int check_one(const cmw_middleware *mw, cmw_diag *diag)
{
    if (mw->request_body || mw->response_body)
        return cmw_diag_set(diag, CMW_ERR_CONFLICT,
                            "'%s' cannot be shadowed: it has a part in the body, which cannot be "
                            "undone",
                            mw->name);
    for (uint32_t i = 0; i < mw->relation_count; i++)
        if (mw->relations[i].relation == CMW_REFINES)
            return cmw_diag_set(diag, CMW_ERR_CONFLICT,
                                "'%s' cannot be shadowed: it refines what others read; disable it",
                                mw->name);
    return 0;
}

int cmw__shadow_check(const struct cmw__order *order, cmw_diag *diag)
{
    int rc = 0;

    for (uint32_t i = 0; i < order->count && rc == 0; i++)
        if (order->items[i]->mode == CMW_MODE_SHADOWED)
            rc = check_one(&order->items[i]->mw, diag);
    return rc;
}

int cmw__shadow_make_twin(cmw_plan *plan)
{
    uint32_t shadowed = 0;

    for (uint32_t i = 0; i < plan->middleware_count; i++)
        shadowed += plan->middleware[i].is_shadowed;
    if (shadowed == 0)
        return 0;
    plan->twin = cmw_arena_alloc(plan->arena, sizeof *plan->twin);
    if (!plan->twin)
        return CMW_ERR_NOMEM;
    memcpy(plan->twin, plan, sizeof *plan);
    plan->twin->shadow_of = plan;
    plan->twin->slots = NULL;
    plan->twin->slot_limit = 0;
    return 0;
}

/* ---- Scratch slots ---------------------------------------------------------------------- */

static struct cmw__scratch *find_scratch(const cmw_ctx *ctx, cmw_slot slot)
{
    struct cmw__scratch *at = ctx->scratch;

    while (at && at->slot != slot)
        at = at->next;
    return at;
}

void *cmw__shadow_slot(const cmw_ctx *ctx, cmw_slot slot)
{
    const cmw_plan *plan = ctx->plan->shadow_of;

    if (!plan || slot >= plan->slot_limit)
        return NULL;
    struct cmw__scratch *scratch = find_scratch(ctx, slot);
    if (scratch)
        return scratch->value;
    return cmw__ctx_value_at(ctx, &plan->slots[slot]);
}

static void destroy_scratch(void *object)
{
    struct cmw__scratch *scratch = object;
    scratch->destroy(scratch->value);
}

static struct cmw__scratch *add_scratch(cmw_ctx *ctx, cmw_slot slot,
                                        const struct cmw__slot_place *place)
{
    struct cmw__scratch *scratch =
        cmw_arena_alloc(&ctx->arena, sizeof *scratch + (size_t)place->size);

    if (!scratch)
        return NULL;
    *scratch = (struct cmw__scratch){ctx->scratch, slot, place->destroy};
    if (place->destroy && cmw_arena_defer(&ctx->arena, destroy_scratch, scratch) != 0)
        return NULL;
    ctx->scratch = scratch;
    ctx->traces |= CMW__CTX_LITTER;
    return scratch;
}

void *cmw__shadow_set_slot(cmw_ctx *ctx, cmw_slot slot)
{
    const cmw_plan *plan = ctx->plan->shadow_of;

    if (!plan || slot >= plan->slot_limit || plan->slots[slot].size == 0)
        return NULL;
    const struct cmw__slot_place *place = &plan->slots[slot];
    struct cmw__scratch *scratch = find_scratch(ctx, slot);

    if (scratch && place->destroy)
        place->destroy(scratch->value);
    if (!scratch)
        scratch = add_scratch(ctx, slot, place);
    if (!scratch)
        return NULL;
    memset(scratch->value, 0, place->size);
    return scratch->value;
}

/* ---- Calling ---------------------------------------------------------------------------- */

/* What a callback may change, as it was. Values by name and slots have lists of the shadow's own;
 * suspending and deadlines ask whether there is a shadow. */
struct saved {
    const cmw_plan *plan;
    cmw_request request;
    struct cmw__response_saved response;
    cmw_fault fault;
    uint64_t body_limit;
    size_t taken_bytes;
    uint16_t flags;
    uint8_t traces;
    int exhausted;
};

static int save(cmw_ctx *ctx, struct saved *saved)
{
    saved->plan = ctx->plan;
    saved->exhausted = ctx->arena.exhausted;
    saved->taken_bytes = ctx->arena.taken_bytes;
    if (cmw__response_save(&ctx->response, &saved->response) != 0) {
        ctx->arena.exhausted = saved->exhausted;
        return CMW_ERR_NOMEM;
    }
    saved->request = ctx->request;
    saved->fault = ctx->fault;
    saved->body_limit = ctx->body_limit;
    saved->flags = ctx->flags;
    saved->traces = ctx->traces;
    /* The first change of a field copies them all, and not those that are ours already. */
    ctx->request.known &= ~(uint32_t)CMW__OWNS_HEADERS;
    return 0;
}

/* What it took of the memory stays taken, since others may have been given parts of it that are
 * computed once; it is not held against them. */
static void give_memory(cmw_ctx *ctx, size_t bytes)
{
    if (bytes == 0 || bytes > SIZE_MAX - ctx->arena.limit_bytes)
        return;
    ctx->arena.limit_bytes += bytes;
    ctx->shadow_bytes += bytes;
    ctx->traces |= CMW__CTX_LITTER;
}

static void restore(cmw_ctx *ctx, const struct saved *saved)
{
    const uint8_t undone = CMW__CTX_BODY_LIMITED | CMW__CTX_CANCELLED | CMW__CTX_BODY_COUNTED;

    ctx->plan = saved->plan;
    ctx->request = saved->request;
    cmw__response_restore(&ctx->response, &saved->response);
    ctx->fault = saved->fault;
    ctx->body_limit = saved->body_limit;
    ctx->flags = saved->flags;
    ctx->traces = (uint8_t)((ctx->traces & ~undone) | (saved->traces & undone));
    ctx->arena.exhausted = saved->exhausted;
    give_memory(ctx, ctx->arena.taken_bytes - saved->taken_bytes);
}

static int has_changed(const cmw_response *now, const struct cmw__response_saved *saved)
{
    const cmw_response *before = &saved->response;

    return now->status != before->status || now->segment_count != before->segment_count ||
           now->body.data != before->body.data || now->body.len != before->body.len ||
           now->json != before->json ||
           (now->segment_count > 0 && memcmp(now->segments, saved->segments,
                                             now->segment_count * sizeof *now->segments) != 0);
}

/* What a verdict would have meant: the counter. CMW__ENTRY_COUNTERS: nothing. */
static uint32_t judge(const cmw_ctx *ctx, int verdict)
{
    const cmw_phase phase = cmw__ctx_phase(ctx);

    if (verdict == CMW_CONTINUE)
        return CMW__ENTRY_COUNTERS;
    if (verdict == CMW_STOP && phase != CMW_PHASE_POST_ROUTE && ctx->response.status != 0)
        return CMW__ENTRY_WOULD_STOP;
    if (verdict == CMW_SKIP_ROUTE && phase == CMW_PHASE_PRE_ROUTE)
        return CMW__ENTRY_WOULD_SKIP;
    if (verdict == CMW_SUSPEND && (ctx->flags & CMW__CTX_WOULD_SUSPEND))
        return CMW__ENTRY_WOULD_SUSPEND;
    return CMW__ENTRY_WOULD_FAIL;
}

/* For who asks in `complete`. Without memory it is counted all the same. */
static void keep_note(cmw_ctx *ctx, int verdict)
{
    cmw_shadow_note *note = cmw_arena_alloc(&ctx->arena, sizeof *note);

    if (!note)
        return;
    *note =
        (cmw_shadow_note){ctx->shadow_notes, cmw_ctx_middleware_name(ctx), (int)cmw__ctx_phase(ctx),
                          verdict, verdict == CMW_STOP ? ctx->response.status : 0};
    ctx->shadow_notes = note;
    ctx->traces |= CMW__CTX_LITTER;
}

static void count(cmw_ctx *ctx, const struct cmw__wrapped *wrapped, int verdict,
                  const struct saved *saved)
{
    static const int verdicts[] = {CMW_STOP, CMW_SKIP_ROUTE, CMW_SUSPEND, CMW_ERROR};
    const uint32_t counter = judge(ctx, verdict);

    if (wrapped->has_fields || has_changed(&ctx->response, &saved->response))
        cmw__count(ctx, wrapped->counters + CMW__ENTRY_WOULD_CHANGE);
    if (counter == CMW__ENTRY_COUNTERS)
        return;
    cmw__count(ctx, wrapped->counters + counter);
    keep_note(ctx, verdicts[counter - CMW__ENTRY_WOULD_STOP]);
}

int cmw__entry_shadow(void *self, cmw_ctx *ctx)
{
    const struct cmw__wrapped *wrapped = self;
    struct saved saved;

    if (save(ctx, &saved) != 0) { /* it would have gone without memory, too */
        cmw__count(ctx, wrapped->counters + CMW__ENTRY_WOULD_FAIL);
        return CMW_CONTINUE;
    }
    ctx->plan = saved.plan->twin;
    const int verdict = wrapped->fn ? wrapped->fn(wrapped->self, ctx) : CMW_CONTINUE;
    count(ctx, wrapped, verdict, &saved);
    restore(ctx, &saved);
    return CMW_CONTINUE;
}

int cmw__entry_shadow_complete(void *self, cmw_ctx *ctx)
{
    const struct cmw__wrapped *wrapped = self;
    const cmw_plan *plan = ctx->plan;

    ctx->plan = plan->twin;
    wrapped->complete(wrapped->self, ctx, (cmw_end_reason)ctx->reason);
    ctx->plan = plan;
    return 0;
}

const cmw_shadow_note *cmw_ctx_shadow_notes(const cmw_ctx *ctx)
{
    return ctx->shadow_notes;
}
