/* SPDX-License-Identifier: MIT */
/*
 * The usual way through pre_route, post_route and complete: every entry says 0.
 *
 * Whatever else an entry says, and whatever makes a request unusual, leads into run.c. So these
 * functions need few registers, and what is written out here stays small: some 30 bytes an entry.
 */
#include "run.h"

#include "platform.h"

/* ---- Groups ----------------------------------------------------------------------------- */

/* Entry n from the end of a group. */
#define STEP(n)                                                                                    \
    case (n):                                                                                      \
        ctx->left = (n);                                                                           \
        value = end[-(n)].fn(end[-(n)].self, ctx);                                                 \
        if (CMW_UNLIKELY(value != 0))                                                              \
            break;                                                                                 \
        CMW__FALLTHROUGH;

/*
 * The usual way through the last `count` entries before `end`, 1 to CMW__GROUP of them: the first
 * value that is not 0, and then cmw__ctx_at tells whose; or 0.
 *
 * Written out and not a loop, so that each entry has a call instruction of its own, whose target
 * the processor learns: 16 calls took 1.74 times as long as direct ones in a loop, and 1.15 times
 * like this. `count` is a constant where it is inlined: no jump either.
 */
static CMW__ALWAYS_INLINE int run_group(cmw_ctx *ctx, const struct cmw__entry *end, uint32_t count)
{
    int value = 0;

    ctx->at_end = end;
    switch (count) {
        STEP(16)
        STEP(15)
        STEP(14)
        STEP(13)
        STEP(12)
        STEP(11)
        STEP(10)
        STEP(9)
        STEP(8)
        STEP(7)
        STEP(6)
        STEP(5)
        STEP(4)
        STEP(3)
        STEP(2)
        STEP(1)
    default:
        break;
    }
    return value;
}

/* The same for a whole program, whatever its length. */
static CMW__ALWAYS_INLINE int run_groups(cmw_ctx *ctx, const struct cmw__program *program)
{
    const struct cmw__entry *end = program->first_end;
    int value = run_group(ctx, end, (uint32_t)(end - program->entries));

    while (value == 0 && end != program->end) {
        end += CMW__GROUP;
        value = run_group(ctx, end, CMW__GROUP);
    }
    return value;
}

/* `count`: of the program's entries, as a constant, or 0 for more than a group of them. */
static CMW__ALWAYS_INLINE int run_all(cmw_ctx *ctx, const struct cmw__program *program,
                                      uint32_t count)
{
    return count > 0 ? run_group(ctx, program->first_end, count) : run_groups(ctx, program);
}

/* ---- What is not usual: by the plan, so that the program needs no register until then -------- */

static CMW__NOINLINE cmw_next leave_pre(cmw_ctx *ctx, int value)
{
    return cmw__leave_pre(ctx, &ctx->plan->programs[CMW_PHASE_PRE_ROUTE], value);
}

static CMW__NOINLINE cmw_next leave_post(cmw_ctx *ctx, int value)
{
    return cmw__leave_post(ctx, &ctx->plan->programs[CMW_PHASE_POST_ROUTE], value);
}

static CMW__NOINLINE cmw_next leave_complete(cmw_ctx *ctx)
{
    return cmw__leave_complete(ctx, &ctx->plan->programs[CMW_PHASE_COMPLETE]);
}

/* ---- pre_route -------------------------------------------------------------------------- */

static CMW__ALWAYS_INLINE cmw_next run_usual_pre(cmw_ctx *ctx, const struct cmw__program *program,
                                                 uint32_t count)
{
    cmw__ctx_set_usual(ctx, CMW__CTX_PRE_ROUTE);
    const int value = run_all(ctx, program, count);
    if (CMW_UNLIKELY(value != 0))
        return leave_pre(ctx, value);
    if (CMW_UNLIKELY(ctx->request.view.content_length != 0 || ctx->flags != 0))
        return cmw__to_handler(ctx);
    cmw__ctx_set_usual(ctx, CMW__CTX_HANDLER);
    return cmw__hand_over(ctx);
}

/* ---- post_route ------------------------------------------------------------------------- */

static inline cmw_next freeze_usual(cmw_ctx *ctx)
{
    ctx->response.flags |= CMW__RESPONSE_FROZEN;
    cmw__ctx_set_usual(ctx, CMW__CTX_COMMITTED);
    return CMW_TO_RESPOND;
}

/* The handler has answered, and nothing was unusual. */
static CMW__ALWAYS_INLINE cmw_next run_usual_post(cmw_ctx *ctx, const struct cmw__program *program,
                                                  uint32_t count)
{
    cmw__ctx_set_usual(ctx, CMW__CTX_POST_ROUTE);
    ctx->response.origin = 0;
    cmw__count(ctx, CMW__COUNT_PHASE + CMW_PHASE_POST_ROUTE);
    const int value = run_all(ctx, program, count);
    if (CMW_UNLIKELY(value != 0 || ctx->response.json || ctx->flags != 0))
        return leave_post(ctx, value);
    return freeze_usual(ctx);
}

/* ---- complete --------------------------------------------------------------------------- */

/* Only a guard says anything. */
static CMW__ALWAYS_INLINE cmw_next run_usual_complete(cmw_ctx *ctx,
                                                      const struct cmw__program *program,
                                                      uint32_t count)
{
    if (CMW_UNLIKELY(run_all(ctx, program, count) != 0))
        return leave_complete(ctx);
    return CMW_TO_RESPOND;
}

/* ---- By length -------------------------------------------------------------------------- */

/* Programs without an entry. */
static cmw_next run_no_pre(cmw_ctx *ctx, const struct cmw__program *program)
{
    (void)program;
    if (CMW_UNLIKELY(ctx->request.view.content_length != 0))
        return cmw__to_handler(ctx);
    cmw__ctx_set_usual(ctx, CMW__CTX_HANDLER);
    return cmw__hand_over(ctx);
}

/* Beside other fields the block of constants is pushed, where that is quick. */
static CMW__NOINLINE cmw_next push_constants(cmw_ctx *ctx)
{
    if (cmw__response_add_constants(&ctx->response) != 0)
        return cmw__respond(ctx);
    return freeze_usual(ctx);
}

/* post_route is one block of constants. Until it is read they cost nothing. */
static cmw_next run_constants(cmw_ctx *ctx, const struct cmw__program *program)
{
    (void)program;
    if (ctx->response.segment_count != 0)
        return push_constants(ctx);
    cmw__response_take_constants(&ctx->response);
    return freeze_usual(ctx);
}

static cmw_next run_no_post(cmw_ctx *ctx, const struct cmw__program *program)
{
    (void)program;
    return freeze_usual(ctx);
}

/* A function for each length of a program up to a group's, so that the entries follow each other
 * without a jump into their midst; 0: for longer ones. */
#define RUN(n)                                                                                     \
    static cmw_next run_pre_##n(cmw_ctx *ctx, const struct cmw__program *program)                  \
    {                                                                                              \
        return run_usual_pre(ctx, program, (n));                                                   \
    }                                                                                              \
    static cmw_next run_post_##n(cmw_ctx *ctx, const struct cmw__program *program)                 \
    {                                                                                              \
        return run_usual_post(ctx, program, (n));                                                  \
    }                                                                                              \
    static cmw_next run_complete_##n(cmw_ctx *ctx, const struct cmw__program *program)             \
    {                                                                                              \
        return run_usual_complete(ctx, program, (n));                                              \
    }
RUN(0)
RUN(1)
RUN(2)
RUN(3)
RUN(4)
RUN(5)
RUN(6)
RUN(7)
RUN(8)
RUN(9)
RUN(10)
RUN(11)
RUN(12)
RUN(13)
RUN(14)
RUN(15)
RUN(16)

/* By length; the last ones are for all that are longer than a group. */
static cmw__run_fn *const pre_runs[CMW__GROUP + 2] = {
    run_no_pre, run_pre_1,  run_pre_2,  run_pre_3,  run_pre_4,  run_pre_5,
    run_pre_6,  run_pre_7,  run_pre_8,  run_pre_9,  run_pre_10, run_pre_11,
    run_pre_12, run_pre_13, run_pre_14, run_pre_15, run_pre_16, run_pre_0,
};
static cmw__run_fn *const post_runs[CMW__GROUP + 2] = {
    run_no_post, run_post_1,  run_post_2,  run_post_3,  run_post_4,  run_post_5,
    run_post_6,  run_post_7,  run_post_8,  run_post_9,  run_post_10, run_post_11,
    run_post_12, run_post_13, run_post_14, run_post_15, run_post_16, run_post_0,
};
static cmw__run_fn *const complete_runs[CMW__GROUP + 2] = {
    NULL,
    run_complete_1,
    run_complete_2,
    run_complete_3,
    run_complete_4,
    run_complete_5,
    run_complete_6,
    run_complete_7,
    run_complete_8,
    run_complete_9,
    run_complete_10,
    run_complete_11,
    run_complete_12,
    run_complete_13,
    run_complete_14,
    run_complete_15,
    run_complete_16,
    run_complete_0,
};

static uint32_t length_of(const struct cmw__program *program)
{
    return program->count - 1 > CMW__GROUP ? CMW__GROUP + 1 : program->count - 1;
}

static cmw_next run_prepared(cmw_ctx *ctx, const struct cmw__program *program)
{
    cmw__run_prepares(ctx);
    return program->then(ctx, program);
}

/* Some middleware wants to know later when the request began, which most hosts have said. */
static cmw_next run_timely(cmw_ctx *ctx, const struct cmw__program *program)
{
    if (CMW_UNLIKELY(ctx->request.view.now_ns == 0))
        return run_prepared(ctx, program);
    return program->then(ctx, program);
}

static cmw__run_fn *choose_pre(const cmw_plan *plan, struct cmw__program *program)
{
    program->then = pre_runs[length_of(program)];
    if (plan->prepare_count > 0)
        return run_prepared;
    return plan->keeps_begin_time ? run_timely : program->then;
}

void cmw__choose_run(const cmw_plan *plan, struct cmw__program *program)
{
    program->run = NULL;
    if (program->phase == CMW_PHASE_POST_ROUTE)
        program->run = plan->constants ? run_constants : post_runs[length_of(program)];
    else if (program->phase == CMW_PHASE_COMPLETE)
        program->run = complete_runs[length_of(program)];
    else if (program->phase == CMW_PHASE_PRE_ROUTE && program->route == CMW_NONE)
        program->run = choose_pre(plan, program);
}
