/* SPDX-License-Identifier: MIT */
/* Compiling a chain: the steps in order, slots, hints, the ready-made 503; and plans' lives. */
#include "compile.h"

#include "ctx_state.h"
#include "shadow.h"

/* ---- The compiler's tools --------------------------------------------------------------- */

void *cmw__compiler_alloc(struct cmw__compiler *compiler, size_t count, size_t size)
{
    if (count > SIZE_MAX / 2 / size)
        return NULL;
    void *piece = cmw_arena_alloc(compiler->arena, count * size);
    if (piece)
        memset(piece, 0, count * size);
    return piece;
}

int cmw__compiler_no_memory(struct cmw__compiler *compiler)
{
    return cmw_diag_set(compiler->diag, CMW_ERR_NOMEM, "no memory to compile the chain");
}

uint32_t cmw__compiler_counters(struct cmw__compiler *compiler, uint32_t count)
{
    const uint32_t first = compiler->plan->counter_count;
    compiler->plan->counter_count += count;
    return first;
}

/* ---- Suspending ------------------------------------------------------------------------- */

static int check_suspending(const struct cmw__compiler *compiler, const cmw_middleware *mw)
{
    const uint32_t can =
        1u << CMW_PHASE_PRE_ROUTE | 1u << CMW_PHASE_REQUEST_BODY | 1u << CMW_PHASE_POST_ROUTE;

    if (mw->suspend_phases & ~can)
        return cmw_diag_set(compiler->diag, CMW_ERR_CONFLICT,
                            "'%s' declares to suspend in a phase other than pre_route, "
                            "request_body and post_route",
                            mw->name);
    if ((mw->resumed || mw->dropped) && !mw->suspend_phases)
        return cmw_diag_set(compiler->diag, CMW_ERR_CONFLICT,
                            "'%s' has a callback for being resumed, and declares no phase in "
                            "which it suspends",
                            mw->name);
    return 0;
}

/* Which phases wait, and the first middleware that may in each. */
static int note_suspending(struct cmw__compiler *compiler)
{
    cmw_plan *plan = compiler->plan;

    for (uint32_t i = 0; i < compiler->order.count; i++) {
        const cmw_middleware *mw = &compiler->order.items[i]->mw;
        const int rc = check_suspending(compiler, mw);
        if (rc != 0)
            return rc;
        if (compiler->order.items[i]->mode == CMW_MODE_SHADOWED) /* it waits for nothing */
            continue;
        for (int phase = 0; phase < CMW_PHASE_COUNT; phase++)
            if ((mw->suspend_phases >> phase & 1) && !plan->suspends[phase])
                plan->suspends[phase] = mw->name;
        plan->suspend_phases = (uint8_t)(plan->suspend_phases | mw->suspend_phases);
    }
    return 0;
}

/* ---- Slots ------------------------------------------------------------------------------ */

static int names_slot(const struct cmw__compiler *compiler, cmw_slot slot)
{
    for (uint32_t i = 0; i < compiler->order.count; i++) {
        const cmw_middleware *mw = &compiler->order.items[i]->mw;
        for (uint32_t k = 0; k < mw->relation_count; k++)
            if (mw->relations[k].slot == slot)
                return 1;
    }
    return 0;
}

static size_t round_up(size_t bytes)
{
    return (bytes + 15) & ~(size_t)15;
}

/* Slots do not move; others may be declared meanwhile. */
static const struct cmw__slot *slot_at(cmw_engine *engine, cmw_slot slot)
{
    cmw__mutex_lock(&engine->lock);
    const struct cmw__slot *found = cmw__engine_slot(engine, slot);
    cmw__mutex_unlock(&engine->lock);
    return found;
}

/* Give each slot that the chain names a bit and a place. The answers of predicates have their bits
 * behind them. */
static int lay_out_slots(struct cmw__compiler *compiler)
{
    cmw_plan *plan = compiler->plan;
    const uint32_t count = plan->slot_limit;
    struct cmw__slot_place *places = cmw__compiler_alloc(compiler, count, sizeof *places);
    size_t bytes = 0;
    uint32_t bits = 0;

    if (!places)
        return cmw__compiler_no_memory(compiler);
    plan->slots = places;
    for (cmw_slot i = 0; i < count; i++) {
        const struct cmw__slot *slot = slot_at(compiler->engine, i);
        if (slot->size == 0 || !names_slot(compiler, i))
            continue;
        places[i].mask = UINT64_C(1) << (bits % 64);
        places[i].word = (uint16_t)(CMW__CTX_FIXED + bits / 64 * sizeof(uint64_t));
        places[i].traces = bits < 64 ? 0 : CMW__CTX_LITTER;
        bits++;
        places[i].size = (uint16_t)slot->size;
        places[i].destroy = slot->destroy;
        places[i].is_quick = bits <= 64 && !slot->destroy && slot->size >= CMW__SLOT_QUICK_LEAST &&
                             slot->size <= CMW__SLOT_QUICK_MOST;
        if (bytes <= compiler->engine->context_bytes) /* beyond that it is refused below */
            places[i].offset = (uint16_t)bytes;
        bytes += round_up(slot->size);
    }
    plan->memo_bit = bits;
    plan->slot_words = (bits + 2 * plan->memo_count + 63) / 64;
    if (plan->slot_words == 0)
        plan->slot_words = 1;
    plan->slot_bytes = bytes;
    if (bytes > compiler->engine->context_bytes / 2)
        return cmw_diag_set(compiler->diag, CMW_ERR_LIMIT,
                            "the chain's slots take %zu bytes, more than half of a context (%u "
                            "bytes): set the engine's context_bytes higher",
                            bytes, (unsigned)compiler->engine->context_bytes);
    const size_t base = CMW__CTX_FIXED + round_up(plan->slot_words * sizeof(uint64_t));
    for (cmw_slot i = 0; i < count; i++)
        if (places[i].size > 0)
            places[i].offset = (uint16_t)(places[i].offset + base);
    return 0;
}

/* Lay out what follows the slots: the sets of the matcher if they are small, then the first chunk.
 */
static int lay_out_context(struct cmw__compiler *compiler)
{
    cmw_plan *plan = compiler->plan;
    const size_t limit = compiler->engine->context_bytes - CMW__RESERVE_BYTES;
    size_t at = CMW__CTX_FIXED + round_up(plan->slot_words * sizeof(uint64_t)) + plan->slot_bytes;

    plan->match_words =
        (uint32_t)(cmw__bitset_room(plan->bit_count) + cmw__bitset_room(plan->pattern_count));
    const size_t match_bytes = round_up(plan->match_words * sizeof(uint64_t));
    if (plan->has_conditions && match_bytes <= 256) {
        plan->match_offset = (uint32_t)at;
        at += match_bytes;
    }
    if (at + 64 > limit)
        return cmw_diag_set(compiler->diag, CMW_ERR_LIMIT,
                            "a context of %u bytes has no room left beside the chain's slots (%zu "
                            "bytes): set the engine's context_bytes higher",
                            (unsigned)compiler->engine->context_bytes, plan->slot_bytes);
    plan->arena_offset = (uint32_t)at;
    return 0;
}

/* ---- Hints, services, the ready-made 503 ------------------------------------------------- */

static int collect_prepares(struct cmw__compiler *compiler)
{
    cmw_plan *plan = compiler->plan;
    struct cmw__prepare *prepares =
        cmw__compiler_alloc(compiler, plan->middleware_count, sizeof *prepares);

    if (!prepares)
        return cmw__compiler_no_memory(compiler);
    for (uint32_t i = 0; i < plan->middleware_count; i++) {
        const struct cmw__planned *planned = &plan->middleware[i];
        plan->keeps_begin_time |= (planned->instance->mw.flags & CMW_KEEPS_BEGIN_TIME) != 0;
        if (planned->instance->mw.prepare && planned->klass == 0)
            prepares[plan->prepare_count++] =
                (struct cmw__prepare){planned->instance->mw.prepare, planned->instance->mw.self};
    }
    plan->prepares = prepares;
    return 0;
}

static int collect_services(struct cmw__compiler *compiler)
{
    cmw_engine *engine = compiler->engine;
    cmw_plan *plan = compiler->plan;

    cmw__mutex_lock(&engine->service_lock); /* another compiling may be making singletons */
    cmw__mutex_lock(&engine->lock);
    plan->service_limit = engine->services.count;
    struct cmw__planned_service *planned =
        cmw__compiler_alloc(compiler, plan->service_limit, sizeof *planned);
    for (uint32_t i = 0; planned && i < plan->service_limit; i++) {
        struct cmw__service *service = cmw__engine_service(engine, i);
        planned[i] = service->is_defined ? (struct cmw__planned_service){service, service->object}
                                         : (struct cmw__planned_service){NULL, NULL};
    }
    cmw__mutex_unlock(&engine->lock);
    cmw__mutex_unlock(&engine->service_lock);
    plan->services = planned;
    return planned ? 0 : cmw__compiler_no_memory(compiler);
}

/* A plain 503 with the fields that every response of the plan has. */
static int make_overload(struct cmw__compiler *compiler)
{
    cmw_plan *plan = compiler->plan;
    const struct cmw__program *post = &plan->programs[CMW_PHASE_POST_ROUTE];
    int rc = 0;

    cmw__response_init(&plan->overload, compiler->arena, plan->overload_segments,
                       sizeof plan->overload_segments / sizeof plan->overload_segments[0]);
    cmw__response_plain(&plan->overload, 503);
    for (uint32_t i = 0; i < post->count && rc == 0; i++) {
        const struct cmw__entry_info *info = &post->info[i];
        if (info->kind == CMW__ENTRY_BLOCK && info->klass == 0 && !info->needs_entered)
            rc = cmw__response_add_block(&plan->overload, info->block);
    }
    if (rc == 0)
        rc = cmw__response_freeze(&plan->overload);
    return rc == 0 ? 0 : cmw__compiler_no_memory(compiler);
}

static void note_guards(cmw_plan *plan)
{
    for (uint32_t i = 0; i < plan->middleware_count; i++) {
        const struct cmw__planned *planned = &plan->middleware[i];
        const struct cmw__class *klass = &plan->classes[planned->klass];
        if ((planned->instance->mw.flags & CMW_GUARDS_ACCESS) && !planned->is_shadowed &&
            klass->clause_count + klass->negated_count > 0)
            plan->guards_by_path = 1;
    }
}

/* ---- The steps -------------------------------------------------------------------------- */

static int run_steps(struct cmw__compiler *compiler)
{
    cmw_plan *plan = compiler->plan;

    int rc = cmw__order_make(&compiler->order, compiler->chain, compiler->scratch, compiler->diag);
    if (rc == 0)
        rc = cmw__shadow_check(&compiler->order, compiler->diag);
    if (rc == 0)
        rc = cmw__order_check_facts(&compiler->order, compiler->diag);
    if (rc == 0)
        rc = cmw__order_find_match_point(&compiler->order, &plan->match_after, compiler->diag);
    if (rc == 0)
        rc = cmw__compile_classes(compiler);
    if (rc == 0)
        rc = cmw__compile_bodies(compiler);
    if (rc == 0)
        rc = lay_out_slots(compiler);
    if (rc == 0)
        rc = collect_prepares(compiler); /* before the programs, which begin with them */
    if (rc == 0)
        rc = cmw__compile_programs(compiler);
    if (rc == 0)
        rc = cmw__compile_class_runs(compiler);
    if (rc == 0)
        rc = lay_out_context(compiler);
    if (rc == 0)
        rc = make_overload(compiler);
    if (rc == 0)
        rc = cmw__services_prepare(compiler->engine, &compiler->order, compiler->diag);
    if (rc == 0)
        rc = collect_services(compiler);
    if (rc == 0)
        rc = note_suspending(compiler);
    if (rc != 0)
        return rc;
    note_guards(plan);
    return cmw__shadow_make_twin(plan) == 0 ? 0 : cmw__compiler_no_memory(compiler);
}

/* An empty plan in an arena of its own. */
static cmw_plan *create_plan(cmw_engine *engine, struct cmw__storage *storage)
{
    cmw_arena *arena = NULL;
    if (cmw_arena_create(&arena, cmw_engine_pool(engine, CMW_POOL_PLAN), 0) != 0)
        return NULL;
    cmw_plan *plan = cmw_arena_alloc(arena, sizeof *plan);
    if (!plan) {
        cmw_arena_destroy(arena);
        return NULL;
    }
    memset(plan, 0, sizeof *plan);
    atomic_init(&plan->holders, 1);
    plan->engine = engine;
    plan->arena = arena;
    plan->storage = cmw__storage_retain(storage);
    plan->counter_count = CMW__COUNT_FIXED;
    plan->histogram_count = 1;
    cmw__mutex_lock(&engine->lock);
    plan->slot_limit = engine->slots.count;
    cmw__mutex_unlock(&engine->lock);
    return plan;
}

int cmw_chain_compile(cmw_chain *chain, cmw_plan **out, cmw_diag *diag)
{
    if (!chain || !out)
        return cmw_diag_set(diag, CMW_ERR_ARG, "a chain and a place for the plan are needed");
    struct cmw__compiler compiler = {.chain = chain, .engine = chain->engine, .diag = diag};

    if (cmw_arena_create(&compiler.scratch, cmw_engine_pool(chain->engine, CMW_POOL_PLAN), 0) != 0)
        return cmw__compiler_no_memory(&compiler);
    compiler.plan = create_plan(chain->engine, chain->storage);
    if (!compiler.plan) {
        cmw_arena_destroy(compiler.scratch);
        return cmw__compiler_no_memory(&compiler);
    }
    compiler.arena = compiler.plan->arena;
    const int rc = run_steps(&compiler);
    cmw_arena_destroy(compiler.scratch);
    if (rc != 0) {
        cmw__plan_release(compiler.plan);
        return rc;
    }
    atomic_fetch_add(&chain->engine->holds, 1);
    *out = compiler.plan;
    return 0;
}

/* ---- A plan's life ---------------------------------------------------------------------- */

void cmw__plan_retain(cmw_plan *plan)
{
    atomic_fetch_add_explicit(&plan->holders, 1, memory_order_relaxed);
}

void cmw__plan_release(cmw_plan *plan)
{
    if (atomic_fetch_sub_explicit(&plan->holders, 1, memory_order_acq_rel) != 1)
        return;
    cmw_pool *pool = cmw_engine_pool(plan->engine, CMW_POOL_PLAN);
    struct cmw__storage *storage = plan->storage;
    for (struct cmw__owned_block *at = plan->blocks; at; at = at->next)
        cmw__header_block_destroy(at->block, pool);
    cmw_arena_destroy(plan->arena); /* the plan itself lies in it */
    cmw__storage_release(storage);
}

cmw_plan *cmw_plan_retain(cmw_plan *plan)
{
    if (plan) {
        cmw__plan_retain(plan);
        atomic_fetch_add(&plan->engine->holds, 1);
    }
    return plan;
}

void cmw_plan_release(cmw_plan *plan)
{
    if (!plan)
        return;
    cmw_engine *engine = plan->engine;
    cmw__plan_release(plan);
    atomic_fetch_sub(&engine->holds, 1);
}

const struct cmw__program *cmw__plan_program(const cmw_plan *plan, uint32_t index)
{
    if (index == 0)
        return &plan->programs[CMW_PHASE_PRE_ROUTE];
    if (index <= plan->route_count)
        return &plan->routes[index - 1].pre;
    index -= plan->route_count;
    if (index < CMW_PHASE_REQUEST_BODY)
        return &plan->programs[index];
    for (uint32_t phase = CMW_PHASE_REQUEST_BODY; phase < CMW__PROGRAMS; phase++)
        if ((plan->body_phases >> phase & 1) && index-- == CMW_PHASE_REQUEST_BODY)
            return &plan->programs[phase];
    return NULL;
}
