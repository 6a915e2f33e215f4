/* SPDX-License-Identifier: MIT */
/*
 * The plan compiler, whose steps are one file each:
 *
 *   order.c, facts.c   sort, check                    compile_classes.c   condition classes,
 * matcher compile.c          slots, prepare, overload       compile_programs.c  the flat programs
 */
#ifndef CMW_ENGINE_COMPILE_H
#define CMW_ENGINE_COMPILE_H

#include "engine_state.h"
#include "order.h"
#include "plan_state.h"

/* What a compilation works on. */
struct cmw__compiler {
    const cmw_chain *chain;
    cmw_engine *engine;
    cmw_plan *plan;
    cmw_arena *arena;   /* the plan's */
    cmw_arena *scratch; /* gone when compiling ends */
    cmw_diag *diag;
    struct cmw__order order;
    uint32_t run_cap;
};

/* Zeroed memory of the plan; NULL without any. */
void *cmw__compiler_alloc(struct cmw__compiler *compiler, size_t count, size_t size);
/* Report that memory ran out. */
int cmw__compiler_no_memory(struct cmw__compiler *compiler);
/* Take `count` counters. */
uint32_t cmw__compiler_counters(struct cmw__compiler *compiler, uint32_t count);

/* Check what is declared about bodies, and note which body phases there are. */
int cmw__compile_bodies(struct cmw__compiler *compiler);
/* Fill plan->middleware, classes, routes and the matcher. */
int cmw__compile_classes(struct cmw__compiler *compiler);
/* Fill plan->programs, the routes' and the runs. Needs the classes. */
int cmw__compile_programs(struct cmw__compiler *compiler);
/* Give each class the list of its runs. */
int cmw__compile_class_runs(struct cmw__compiler *compiler);
/* One block of what several lists set, in their order. NULL `*out` for no field at all. */
int cmw__compile_melt(struct cmw__compiler *compiler, const struct cmw_header_block **out,
                      const cmw_middleware *const *sources, uint32_t count, int if_absent);

#endif /* CMW_ENGINE_COMPILE_H */
