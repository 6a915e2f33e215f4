/* SPDX-License-Identifier: MIT */
/*
 * The match point: all conditions of a request, decided once.
 *
 * The matcher finds the patterns that the path matches; each names the classes to try. A class that
 * holds switches its runs on in every phase.
 */
#include "ctx_state.h"

/* What a match works on. */
struct match {
    cmw_ctx *ctx;
    const cmw_plan *plan;
    struct cmw__bitset patterns; /* those that match */
    uint32_t method_bit;
};

/* ---- One class -------------------------------------------------------------------------- */

static int has_bit(const uint64_t *bits, uint32_t bit)
{
    return bits[bit / 64] >> (bit % 64) & 1;
}

static int ask_predicate(const struct cmw__condition *condition, cmw_ctx *ctx)
{
    return condition->predicate(condition->predicate_self, ctx) != 0;
}

/* A predicate that could be asked again keeps its answer: asked and found, two bits. */
static int predicate_holds(const struct cmw__class *klass, uint32_t index, cmw_ctx *ctx)
{
    const struct cmw__condition *condition = klass->conditions[index];

    if (!condition->predicate)
        return 1;
    if (klass->memos[index] == CMW_NONE)
        return ask_predicate(condition, ctx);
    const uint32_t asked = ctx->plan->memo_bit + 2 * klass->memos[index];
    const uint32_t found = asked + 1;
    uint64_t *const bits = cmw__ctx_slot_bits(ctx);
    if (!has_bit(bits, asked)) {
        ctx->traces |= CMW__CTX_LITTER;
        bits[asked / 64] |= UINT64_C(1) << (asked % 64);
        if (ask_predicate(condition, ctx))
            bits[found / 64] |= UINT64_C(1) << (found % 64);
    }
    return has_bit(bits, found);
}

/* What the matcher cannot know: hosts, methods without an id, and, last, predicates. */
static int looked_at_holds(const struct cmw__class *klass, cmw_ctx *ctx)
{
    for (uint32_t i = 0; i < klass->condition_count; i++)
        if (!cmw__condition_allows_method(klass->conditions[i], &ctx->request) ||
            !cmw__condition_allows_host(klass->conditions[i], &ctx->request))
            return 0;
    for (uint32_t i = 0; i < klass->condition_count; i++)
        if (!predicate_holds(klass, i, ctx))
            return 0;
    return 1;
}

int cmw__class_holds(const struct cmw__class *klass, cmw_ctx *ctx)
{
    for (uint32_t i = 0; i < klass->condition_count; i++)
        if (!cmw__condition_allows_path(klass->conditions[i], &ctx->request))
            return 0;
    return looked_at_holds(klass, ctx);
}

static int clauses_hold(const struct match *match, const struct cmw__class *klass)
{
    uint32_t at = 0;
    for (uint32_t i = 1; i <= klass->clause_count; i++) {
        int found = 0;
        for (; at < klass->clauses[i]; at++)
            found |= cmw__bitset_has(match->patterns, klass->patterns[at]);
        if (!found)
            return 0;
    }
    for (uint32_t i = 0; i < klass->negated_count; i++)
        if (cmw__bitset_has(match->patterns, klass->patterns[at + i]))
            return 0;
    return 1;
}

/* 1 if a class was asked before the match point: it keeps its answer. */
static int was_asked_early(const cmw_ctx *ctx, const struct cmw__class *klass)
{
    return klass->early != CMW_NONE && (ctx->early >> klass->early & 1);
}

static int class_holds(const struct match *match, const struct cmw__class *klass)
{
    if (was_asked_early(match->ctx, klass))
        return match->ctx->early_holds >> klass->early & 1;
    if (!(klass->method_bits & match->method_bit) && match->method_bit != 1u << CMW_METHOD_OTHER)
        return 0;
    if (klass->clause_count + klass->negated_count > 0 && !clauses_hold(match, klass))
        return 0;
    if (klass->needs_a_look)
        return looked_at_holds(klass, match->ctx);
    return match->method_bit != 1u << CMW_METHOD_OTHER || klass->method_bits == UINT32_MAX;
}

static void switch_on(cmw_ctx *ctx, const struct cmw__class *klass)
{
    for (uint32_t i = 0; i < klass->run_count; i++)
        cmw__bitset_add(ctx->active, klass->runs[i]);
}

static void try_classes(const struct match *match, const struct cmw__class_list *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        const struct cmw__class *klass = &match->plan->classes[list->classes[i]];
        if (!class_holds(match, klass))
            continue;
        if (klass->route == CMW_NONE)
            switch_on(match->ctx, klass);
        else
            cmw__bitset_add(match->ctx->active, klass->held);
    }
}

/* ---- All of them ------------------------------------------------------------------------ */

static void note_pattern(void *self, uint32_t pattern)
{
    const struct match *match = self;
    cmw__bitset_add(match->patterns, pattern);
}

static void decide(struct match *match)
{
    const cmw_plan *plan = match->plan;
    const uint32_t count = plan->pattern_count;

    if (plan->has_path_conditions)
        cmw__matcher_run(&plan->matcher, cmw_request_path(&match->ctx->request), note_pattern,
                         match);
    for (uint32_t i = cmw__bitset_next(match->patterns, 0, count); i < count;
         i = cmw__bitset_next(match->patterns, i + 1, count))
        try_classes(match, &plan->by_pattern[i]);
    try_classes(match, &plan->always);
}

static uint64_t *find_room(cmw_ctx *ctx)
{
    const cmw_plan *plan = ctx->plan;
    if (plan->match_offset != 0)
        return (uint64_t *)(void *)((char *)ctx + plan->match_offset);
    return cmw_arena_alloc(&ctx->arena, plan->match_words * sizeof(uint64_t));
}

int cmw__ctx_match(cmw_ctx *ctx)
{
    const cmw_plan *plan = ctx->plan;

    if (ctx->traces & CMW__CTX_MATCHED)
        return 0;
    ctx->traces |= CMW__CTX_MATCHED;
    ctx->active.summary = NULL; /* no class holds if this fails */
    uint64_t *room = find_room(ctx);
    if (!room)
        return CMW_ERR_NOMEM;
    ctx->active = cmw__bitset_init(room, plan->bit_count);
    struct match match = {
        ctx, plan, cmw__bitset_init(room + cmw__bitset_room(plan->bit_count), plan->pattern_count),
        1u << cmw_request_method_id(&ctx->request)};
    decide(&match);
    if (plan->has_path_conditions && cmw_request_path(&ctx->request).len == 0)
        return CMW_ERR_INVALID;
    return 0;
}

int cmw__entry_match(void *self, cmw_ctx *ctx)
{
    (void)self;
    return cmw__ctx_match(ctx);
}

/* ---- Guards ----------------------------------------------------------------------------- */

static int run_is_active(const cmw_ctx *ctx, const struct cmw__run *run)
{
    return ctx->active.summary && cmw__bitset_has(ctx->active, run->index);
}

/* Before the match point: ask the class by itself, once. */
static int early_run_is_active(cmw_ctx *ctx, const struct cmw__run *run)
{
    const uint64_t mask = UINT64_C(1) << run->klass->early;
    if (!(ctx->early & mask)) {
        ctx->traces |= CMW__CTX_LITTER;
        ctx->early |= mask;
        ctx->early_holds &= ~mask;
        if (cmw__class_holds(run->klass, ctx))
            ctx->early_holds |= mask;
    }
    return (ctx->early_holds & mask) != 0;
}

static int jump_to_next_active(cmw_ctx *ctx, const struct cmw__run *run)
{
    uint32_t next = run->cluster_end;
    if (ctx->active.summary)
        next = cmw__bitset_next(ctx->active, run->index + 1, run->cluster_end);
    ctx->jump = next < run->cluster_end ? run->plan->runs[next].guard : run->after;
    return 1;
}

int cmw__entry_guard(void *self, cmw_ctx *ctx)
{
    const struct cmw__run *run = self;

    if (!(ctx->traces & CMW__CTX_MATCHED)) {
        if (run->klass->early != CMW_NONE) {
            if (early_run_is_active(ctx, run)) {
                cmw__count(ctx, run->counter);
                return 0;
            }
            ctx->jump = run->end;
            return 1;
        }
        (void)cmw__ctx_match(ctx); /* a fault before the match point; what fails leaves all off */
    }
    if (!run_is_active(ctx, run))
        return jump_to_next_active(ctx, run);
    cmw__count(ctx, run->counter);
    return 0;
}

int cmw__entry_entered_guard(void *self, cmw_ctx *ctx)
{
    const struct cmw__entered_guard *guard = self;
    const struct cmw__entry *end =
        guard->route == CMW_NONE ? cmw__ctx_pre_end(ctx) : ctx->route_end;

    if ((guard->route != CMW_NONE && guard->route != ctx->route) || !end || guard->pre > end) {
        ctx->jump = guard->after;
        return 1;
    }
    cmw__count(ctx, guard->counter);
    return 0;
}
