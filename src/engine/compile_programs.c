/* SPDX-License-Identifier: MIT */
/*
 * Writing the programs: what each phase does becomes a list of items in order, constants of
 * neighbours melt, and the items become entries with guards before each run of one class.
 */
#include "compile.h"

#include "ctx_state.h"
#include "run.h"
#include "shadow.h"

/* One thing that a program will do. */
struct item {
    struct cmw__entry entry;
    uint8_t kind; /* cmw__entry_kind: CALL, BLOCK or MATCH */
    uint8_t needs_entered;
    uint32_t position; /* of the middleware in the plan; CMW_NONE for a match */
    uint32_t klass;
    const struct cmw_header_block *block;
};

/* A program in the making. */
struct draft {
    struct item *items;
    uint32_t count;
    uint32_t cap;
};

static int draft_init(struct draft *draft, struct cmw__compiler *compiler, uint32_t cap)
{
    *draft = (struct draft){NULL, 0, cap};
    draft->items = cmw_arena_alloc(compiler->scratch, (cap + 1) * sizeof *draft->items);
    return draft->items ? 0 : cmw__compiler_no_memory(compiler);
}

static void draft_add(struct draft *draft, struct item item)
{
    draft->items[draft->count++] = item;
}

/* ---- Calls ------------------------------------------------------------------------------ */

static uint32_t refined_properties(const cmw_middleware *mw)
{
    uint32_t bits = 0;
    for (uint32_t i = 0; i < mw->relation_count; i++)
        if (mw->relations[i].relation == CMW_REFINES && mw->relations[i].slot < CMW_FACT_COUNT)
            bits |= 1u << mw->relations[i].slot;
    return bits;
}

static int (*choose_entry(const struct cmw__planned *planned, cmw_phase phase))(void *, cmw_ctx *)
{
    if (planned->is_shadowed)
        return phase == CMW_PHASE_COMPLETE ? cmw__entry_shadow_complete : cmw__entry_shadow;
    return phase == CMW_PHASE_COMPLETE ? cmw__entry_complete : cmw__entry_wrapped;
}

/* A call as it is, or wrapped where the phase or the middleware needs more than the call. */
static int make_call(struct cmw__compiler *compiler, struct item *item, uint32_t position,
                     cmw_phase phase, cmw_phase_fn *fn, cmw_complete_fn *complete)
{
    const struct cmw__planned *planned = &compiler->plan->middleware[position];
    const cmw_middleware *mw = &planned->instance->mw;
    const uint32_t writable = phase == CMW_PHASE_PRE_ROUTE ? refined_properties(mw) : 0;
    const int fails_open = mw->failure == CMW_FAIL_OPEN;

    *item = (struct item){{fn, mw->self}, CMW__ENTRY_CALL, 0, position, planned->klass, NULL};
    item->needs_entered = (mw->flags & CMW_IF_ENTERED) != 0 &&
                          (phase == CMW_PHASE_POST_ROUTE || phase == CMW_PHASE_ERROR);
    if (!complete && !writable && !fails_open && !planned->is_shadowed)
        return 0;
    struct cmw__wrapped *wrapped = cmw__compiler_alloc(compiler, 1, sizeof *wrapped);
    if (!wrapped)
        return cmw__compiler_no_memory(compiler);
    wrapped->fn = fn;
    wrapped->complete = complete;
    wrapped->self = mw->self;
    wrapped->writable = writable;
    wrapped->fails_open = (uint8_t)fails_open;
    wrapped->has_fields = phase == CMW_PHASE_POST_ROUTE && mw->field_count > 0;
    item->entry.fn = choose_entry(planned, phase);
    item->entry.self = wrapped;
    return 0;
}

/* A call of a body phase: how it is called, the flow knows (flow.c). */
static void add_body_call(struct cmw__compiler *compiler, struct draft *draft, uint32_t position,
                          cmw_phase phase)
{
    const struct cmw__planned *planned = &compiler->plan->middleware[position];
    const cmw_middleware *mw = &planned->instance->mw;
    const int is_request = phase == CMW_PHASE_REQUEST_BODY;

    if (!(is_request ? mw->request_body : mw->response_body))
        return;
    draft_add(draft, (struct item){{NULL, mw->self},
                                   CMW__ENTRY_CALL,
                                   !is_request && (mw->flags & CMW_IF_ENTERED),
                                   position,
                                   planned->klass,
                                   NULL});
}

static int add_call(struct cmw__compiler *compiler, struct draft *draft, uint32_t position,
                    cmw_phase phase)
{
    const struct cmw__planned *planned = &compiler->plan->middleware[position];
    const cmw_middleware *mw = &planned->instance->mw;
    cmw_phase_fn *const by_phase[CMW_PHASE_COUNT] = {mw->pre_route, mw->post_route, mw->error};
    cmw_complete_fn *complete = phase == CMW_PHASE_COMPLETE ? mw->complete : NULL;
    const int shadows_fields =
        planned->is_shadowed && phase == CMW_PHASE_POST_ROUTE && mw->field_count > 0;
    struct item item;

    if (!by_phase[phase] && !complete && !shadows_fields)
        return 0;
    const int rc = make_call(compiler, &item, position, phase, by_phase[phase], complete);
    if (rc == 0)
        draft_add(draft, item);
    return rc;
}

/* ---- Constant fields -------------------------------------------------------------------- */

static int has_name(const cmw_header *fields, size_t count, cmw_str name)
{
    for (size_t i = 0; i < count; i++)
        if (cmw_str_equals_fold(fields[i].name, name))
            return 1;
    return 0;
}

/* Whether a field of source `at` survives those of the others: the last setter of a name wins, or,
 * where they yield to what is there, the first. */
static int survives(const cmw_middleware *const *sources, uint32_t count, uint32_t at, cmw_str name,
                    int if_absent)
{
    const uint32_t begin = if_absent ? 0 : at + 1;
    const uint32_t end = if_absent ? at : count;
    for (uint32_t i = begin; i < end; i++)
        if (has_name(sources[i]->fields, sources[i]->field_count, name))
            return 0;
    return 1;
}

int cmw__compile_melt(struct cmw__compiler *compiler, const struct cmw_header_block **out,
                      const cmw_middleware *const *sources, uint32_t count, int if_absent)
{
    cmw_pool *pool = cmw_engine_pool(compiler->engine, CMW_POOL_PLAN);
    struct cmw__owned_block *owned = cmw__compiler_alloc(compiler, 1, sizeof *owned);
    size_t total = 0;
    size_t used = 0;
    size_t bad = 0;

    for (uint32_t i = 0; i < count; i++)
        total += sources[i]->field_count;
    cmw_header *fields = cmw_arena_alloc(compiler->scratch, total * sizeof *fields);
    if (!owned || !fields)
        return cmw__compiler_no_memory(compiler);
    for (uint32_t i = 0; i < count; i++)
        for (size_t k = 0; k < sources[i]->field_count; k++)
            if (survives(sources, count, i, sources[i]->fields[k].name, if_absent))
                fields[used++] = sources[i]->fields[k];
    *out = NULL;
    if (used == 0)
        return 0;
    const int rc = cmw__header_block_create(&owned->block, pool, fields, used, if_absent, &bad);
    if (rc != 0) /* names and values were checked when they were added */
        return cmw__compiler_no_memory(compiler);
    owned->next = compiler->plan->blocks;
    compiler->plan->blocks = owned;
    *out = owned->block;
    return 0;
}

static const cmw_middleware *fields_of(const struct cmw__compiler *compiler,
                                       const struct item *item)
{
    return &compiler->plan->middleware[item->position].instance->mw;
}

static int can_melt(const struct cmw__compiler *compiler, const struct item *a,
                    const struct item *b)
{
    return a->kind == CMW__ENTRY_BLOCK && b->kind == CMW__ENTRY_BLOCK && a->klass == b->klass &&
           !a->needs_entered && !b->needs_entered &&
           (fields_of(compiler, a)->flags & CMW_FIELDS_IF_ABSENT) ==
               (fields_of(compiler, b)->flags & CMW_FIELDS_IF_ABSENT);
}

/* Make one block of items [begin, end). */
static int melt_items(struct cmw__compiler *compiler, struct item *item, const struct item *items,
                      uint32_t count)
{
    const cmw_middleware **sources = cmw_arena_alloc(compiler->scratch, count * sizeof *sources);
    if (!sources)
        return cmw__compiler_no_memory(compiler);
    for (uint32_t i = 0; i < count; i++)
        sources[i] = fields_of(compiler, &items[i]);
    *item = items[0];
    const int if_absent = (sources[0]->flags & CMW_FIELDS_IF_ABSENT) != 0;
    const int rc = cmw__compile_melt(compiler, &item->block, sources, count, if_absent);
    item->entry.fn = cmw__entry_block; /* a plan's block is read only; `self` has no const */
    item->entry.self = (void *)(uintptr_t)item->block;
    return rc;
}

/* Replace runs of neighbouring constants by one block each. */
static int melt_draft(struct cmw__compiler *compiler, struct draft *draft)
{
    uint32_t kept = 0;
    uint32_t i = 0;

    while (i < draft->count) {
        uint32_t end = i + 1;
        if (draft->items[i].kind == CMW__ENTRY_BLOCK) {
            struct item melted;
            while (end < draft->count && can_melt(compiler, &draft->items[i], &draft->items[end]))
                end++;
            const int rc = melt_items(compiler, &melted, &draft->items[i], end - i);
            if (rc != 0)
                return rc;
            draft->items[kept++] = melted;
        } else {
            draft->items[kept++] = draft->items[i];
        }
        i = end;
    }
    draft->count = kept;
    return 0;
}

static void add_fields(const struct cmw__compiler *compiler, struct draft *draft, uint32_t position)
{
    const struct cmw__planned *planned = &compiler->plan->middleware[position];
    const cmw_middleware *mw = &planned->instance->mw;

    if (mw->field_count == 0 || planned->is_shadowed) /* then its call says that it would */
        return;
    draft_add(draft, (struct item){{NULL, NULL},
                                   CMW__ENTRY_BLOCK,
                                   (mw->flags & CMW_IF_ENTERED) != 0,
                                   position,
                                   planned->klass,
                                   NULL});
}

/* ---- Emitting --------------------------------------------------------------------------- */

/* Where entries are written. */
struct emitter {
    struct cmw__compiler *compiler;
    struct cmw__program *program;
    struct cmw__run *run;   /* the open one, or NULL */
    uint32_t cluster_begin; /* index of the first run of the open cluster */
};

static struct cmw__entry_info *emit(struct emitter *emitter, struct cmw__entry entry,
                                    enum cmw__entry_kind kind)
{
    struct cmw__program *program = emitter->program;
    struct cmw__entry_info *info = &program->info[program->count];

    program->entries[program->count++] = entry;
    *info = (struct cmw__entry_info){
        .kind = (uint8_t)kind, .middleware = CMW_NONE, .entered_counter = program->entered_counter};
    return info;
}

static struct cmw__entry *next_entry(const struct emitter *emitter)
{
    return &emitter->program->entries[emitter->program->count];
}

static void close_run(struct emitter *emitter)
{
    if (emitter->run)
        emitter->run->end = next_entry(emitter);
    emitter->run = NULL;
}

static void close_cluster(struct emitter *emitter)
{
    cmw_plan *plan = emitter->compiler->plan;

    close_run(emitter);
    for (uint32_t i = emitter->cluster_begin; i < plan->run_count; i++) {
        plan->runs[i].after = next_entry(emitter);
        plan->runs[i].cluster_end = plan->run_count;
    }
    emitter->cluster_begin = plan->run_count;
}

static void open_run(struct emitter *emitter, uint32_t klass)
{
    cmw_plan *plan = emitter->compiler->plan;
    struct cmw__run *run = &plan->runs[plan->run_count];

    close_run(emitter);
    *run = (struct cmw__run){.plan = plan,
                             .klass = &plan->classes[klass],
                             .guard = next_entry(emitter),
                             .index = plan->run_count,
                             .counter = cmw__compiler_counters(emitter->compiler, 1)};
    plan->run_count++;
    emitter->run = run;
    emit(emitter, (struct cmw__entry){cmw__entry_guard, run}, CMW__ENTRY_GUARD)->klass = klass;
}

/* The guard of one item that wants its own pre_route to have run. */
static int emit_entered_guard(struct emitter *emitter, const struct item *item,
                              struct cmw__entered_guard **out)
{
    const struct cmw__planned *planned = &emitter->compiler->plan->middleware[item->position];
    struct cmw__entered_guard *guard = cmw__compiler_alloc(emitter->compiler, 1, sizeof *guard);

    if (!guard)
        return cmw__compiler_no_memory(emitter->compiler);
    guard->pre = planned->pre;
    guard->route = planned->route;
    guard->counter = cmw__compiler_counters(emitter->compiler, 1);
    emit(emitter, (struct cmw__entry){cmw__entry_entered_guard, guard}, CMW__ENTRY_GUARD);
    *out = guard;
    return 0;
}

static void emit_plain(struct emitter *emitter, const struct item *item,
                       const struct cmw__entered_guard *entered)
{
    struct cmw__compiler *compiler = emitter->compiler;
    struct cmw__program *program = emitter->program;
    struct cmw__entry *entry = next_entry(emitter);
    struct cmw__entry_info *info = emit(emitter, item->entry, (enum cmw__entry_kind)item->kind);

    info->middleware = item->position;
    info->klass = item->klass;
    info->block = item->block;
    info->needs_entered = entered != NULL;
    if (entered) {
        info->entered_counter = entered->counter;
        info->run_begin = program->count - 1;
    } else if (emitter->run) {
        info->entered_counter = emitter->run->counter;
        info->run_begin = (uint32_t)(emitter->run->guard - program->entries) + 1;
    }
    if (item->kind != CMW__ENTRY_CALL)
        return;
    info->counters = cmw__compiler_counters(compiler, CMW__ENTRY_COUNTERS);
    info->histogram = compiler->plan->histogram_count++;
    if (program->phase == CMW_PHASE_PRE_ROUTE)
        compiler->plan->middleware[item->position].pre = entry;
    if (entry->fn == cmw__entry_wrapped || entry->fn == cmw__entry_shadow)
        ((struct cmw__wrapped *)entry->self)->counters = info->counters;
}

static int emit_item(struct emitter *emitter, const struct item *item)
{
    struct cmw__entered_guard *entered = NULL;

    if (item->kind == CMW__ENTRY_MATCH) {
        close_cluster(emitter);
        emit(emitter, item->entry, CMW__ENTRY_MATCH)->counters =
            cmw__compiler_counters(emitter->compiler, CMW__ENTRY_COUNTERS);
        return 0;
    }
    if (item->klass == 0)
        close_cluster(emitter);
    else if (!emitter->run || emitter->run->klass != &emitter->compiler->plan->classes[item->klass])
        open_run(emitter, item->klass);
    if (item->needs_entered) {
        const int rc = emit_entered_guard(emitter, item, &entered);
        if (rc != 0)
            return rc;
    }
    emit_plain(emitter, item, entered);
    if (entered)
        entered->after = next_entry(emitter);
    return 0;
}

/* Groups for the usual way: full ones, but for the first. A post_route of nothing but a block is no
 * program at all. */
static void divide(cmw_plan *plan, struct cmw__program *program)
{
    const uint32_t count = program->count - 1;

    const int has_bodies = plan->body_phases && program->phase == CMW_PHASE_PRE_ROUTE;

    program->first_end = program->entries + (count > 0 ? (count - 1) % CMW__GROUP + 1 : 0);
    program->end = program->entries + count;
    if (program->phase == CMW_PHASE_POST_ROUTE && count == 1 &&
        program->info[0].kind == CMW__ENTRY_BLOCK)
        plan->constants = program->info[0].block;
    cmw__choose_run(plan, program);
    if (has_bodies)
        program->run = cmw__run_unusual;
}

static int emit_program(struct cmw__compiler *compiler, struct cmw__program *program,
                        const struct draft *draft, cmw_phase phase, uint32_t route)
{
    struct emitter emitter = {compiler, program, NULL, compiler->plan->run_count};
    const size_t most = (size_t)draft->count * 3 + 1; /* two guards an item, and the end */

    program->phase = phase;
    program->route = route;
    program->count = 0;
    program->entered_counter = route == CMW_NONE ? CMW__COUNT_PHASE + (uint32_t)phase
                                                 : cmw__compiler_counters(compiler, 1);
    program->entries = cmw__compiler_alloc(compiler, most, sizeof *program->entries);
    program->info = cmw__compiler_alloc(compiler, most, sizeof *program->info);
    if (!program->entries || !program->info)
        return cmw__compiler_no_memory(compiler);
    for (uint32_t i = 0; i < draft->count; i++) {
        const int rc = emit_item(&emitter, &draft->items[i]);
        if (rc != 0)
            return rc;
    }
    close_cluster(&emitter);
    emit(&emitter, (struct cmw__entry){cmw__entry_end, NULL}, CMW__ENTRY_END);
    divide(compiler->plan, program);
    return 0;
}

/* ---- The phases ------------------------------------------------------------------------- */

/* The match stands behind the last refiner, and before all if there is none. */
static int draft_pre(struct cmw__compiler *compiler, struct draft *draft)
{
    const cmw_plan *plan = compiler->plan;
    const struct item match = {{cmw__entry_match, NULL}, CMW__ENTRY_MATCH, 0, CMW_NONE, 0, NULL};
    const uint32_t match_at = plan->match_after == CMW_NONE ? 0 : plan->match_after + 1;
    int rc = draft_init(draft, compiler, plan->middleware_count + 1);

    for (uint32_t i = 0; i <= plan->middleware_count && rc == 0; i++) {
        if (i == match_at && plan->has_conditions)
            draft_add(draft, match);
        if (i < plan->middleware_count && plan->middleware[i].route == CMW_NONE)
            rc = add_call(compiler, draft, i, CMW_PHASE_PRE_ROUTE);
    }
    return rc;
}

static int compile_routes(struct cmw__compiler *compiler)
{
    cmw_plan *plan = compiler->plan;
    struct draft draft;

    for (uint32_t r = 0; r < plan->route_count; r++) {
        uint32_t members = 0;
        for (uint32_t i = 0; i < plan->middleware_count; i++)
            members += plan->middleware[i].route == r;
        int rc = draft_init(&draft, compiler, members);
        for (uint32_t i = 0; i < plan->middleware_count && rc == 0; i++)
            if (plan->middleware[i].route == r)
                rc = add_call(compiler, &draft, i, CMW_PHASE_PRE_ROUTE);
        if (rc == 0)
            rc = emit_program(compiler, &plan->routes[r].pre, &draft, CMW_PHASE_PRE_ROUTE, r);
        if (rc != 0)
            return rc;
    }
    return 0;
}

static int draft_post(struct cmw__compiler *compiler, struct draft *draft)
{
    const uint32_t count = compiler->plan->middleware_count;
    const struct cmw__post_place *places = compiler->order.post;
    int rc = draft_init(draft, compiler, count * 2);

    for (uint32_t i = 0; i < count && rc == 0; i++) {
        add_fields(compiler, draft, places[i].position);
        rc = add_call(compiler, draft, places[i].position, CMW_PHASE_POST_ROUTE);
    }
    return rc ? rc : melt_draft(compiler, draft);
}

/* request_body in plan order, response_body in that of post_route. */
static int draft_body(struct cmw__compiler *compiler, struct draft *draft, cmw_phase phase)
{
    const uint32_t count = compiler->plan->middleware_count;
    const struct cmw__post_place *places = compiler->order.post;
    const int rc = draft_init(draft, compiler, count);

    if (rc != 0)
        return rc;
    for (uint32_t i = 0; i < count; i++)
        add_body_call(compiler, draft, phase == CMW_PHASE_REQUEST_BODY ? i : places[i].position,
                      phase);
    return 0;
}

static int draft_simple(struct cmw__compiler *compiler, struct draft *draft, cmw_phase phase)
{
    const uint32_t count = compiler->plan->middleware_count;
    int rc = draft_init(draft, compiler, count);
    for (uint32_t i = 0; i < count && rc == 0; i++)
        rc = add_call(compiler, draft, phase == CMW_PHASE_COMPLETE ? count - 1 - i : i, phase);
    return rc;
}

/* Runs: at most one an item, of all phases. */
static int alloc_runs(struct cmw__compiler *compiler)
{
    cmw_plan *plan = compiler->plan;
    plan->runs =
        cmw__compiler_alloc(compiler, (size_t)plan->middleware_count * 7, sizeof *plan->runs);
    return plan->runs ? 0 : cmw__compiler_no_memory(compiler);
}

int cmw__compile_programs(struct cmw__compiler *compiler)
{
    cmw_plan *plan = compiler->plan;
    struct draft draft;
    int rc = alloc_runs(compiler);

    if (rc == 0)
        rc = draft_pre(compiler, &draft);
    if (rc == 0)
        rc = emit_program(compiler, &plan->programs[CMW_PHASE_PRE_ROUTE], &draft,
                          CMW_PHASE_PRE_ROUTE, CMW_NONE);
    if (rc == 0)
        rc = compile_routes(compiler);
    if (rc == 0)
        rc = draft_post(compiler, &draft);
    if (rc == 0)
        rc = emit_program(compiler, &plan->programs[CMW_PHASE_POST_ROUTE], &draft,
                          CMW_PHASE_POST_ROUTE, CMW_NONE);
    for (int phase = CMW_PHASE_ERROR; phase <= CMW_PHASE_COMPLETE && rc == 0; phase++) {
        rc = draft_simple(compiler, &draft, (cmw_phase)phase);
        if (rc == 0)
            rc = emit_program(compiler, &plan->programs[phase], &draft, (cmw_phase)phase, CMW_NONE);
    }
    for (int phase = CMW_PHASE_REQUEST_BODY; phase <= CMW_PHASE_RESPONSE_BODY && rc == 0; phase++) {
        rc = draft_body(compiler, &draft, (cmw_phase)phase);
        if (rc == 0)
            rc = emit_program(compiler, &plan->programs[phase], &draft, (cmw_phase)phase, CMW_NONE);
    }
    return rc;
}
