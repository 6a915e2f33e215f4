/* SPDX-License-Identifier: MIT */
/*
 * The inside of a plan: flat programs, one a phase, that a request runs from front to back.
 *
 *   pre_route   [match] [call] [call] [guard c1][call][call] [guard c2][call] [call] ... [end]
 *   post_route  [block of 12 fields] [call] [guard c1][call] ... [end]
 *
 * An entry is a function and its `self`; everything, also a guard, a block or the end, is called
 * the same way, so that the loop has one test: a value that is not 0 leaves it, and `info` says
 * what kind of entry it was. What a middleware does not have costs nothing.
 *
 * A guard lets a run of entries with one condition class pass, or jumps to the next run of the same
 * cluster that is active, so that ten thousand inactive runs cost a few steps.
 */
#ifndef CMW_ENGINE_PLAN_STATE_H
#define CMW_ENGINE_PLAN_STATE_H

#include <stdatomic.h>

#include <catzilla/chain.h>
#include <catzilla/context.h>

#include "chain_state.h"
#include "matcher.h"
#include "response_state.h"

/* Programs by phase; the same numbers as cmw_phase. */
#define CMW__PROGRAMS 6

struct cmw__service;
struct cmw__program;

struct cmw__entry {
    int (*fn)(void *self, cmw_ctx *ctx);
    void *self;
};

enum cmw__entry_kind {
    CMW__ENTRY_CALL,  /* a middleware's callback, perhaps wrapped; its value is a verdict */
    CMW__ENTRY_BLOCK, /* constant fields; not 0: no memory */
    CMW__ENTRY_GUARD, /* not 0: go on at ctx->jump */
    CMW__ENTRY_MATCH, /* decide the conditions; not 0: no memory, or a path that has none */
    CMW__ENTRY_END
};

/* Entries of a group: see run_group. */
#define CMW__GROUP 16

/* The usual way through a program: what follows it, too. */
typedef cmw_next cmw__run_fn(cmw_ctx *ctx, const struct cmw__program *program);

/* What an entry is; by the same index. Read off the hot path only. */
struct cmw__entry_info {
    uint8_t kind;
    uint8_t needs_entered;    /* it stands behind a guard of CMW_IF_ENTERED */
    uint32_t middleware;      /* index into plan->middleware, or CMW_NONE */
    uint32_t klass;           /* index into plan->classes; 0: unconditional */
    uint32_t entered_counter; /* counts how often the run that it is in was entered */
    uint32_t run_begin;       /* index of the first entry of that run */
    uint32_t counters;        /* of a call or a match: the first of its own */
    uint32_t histogram;       /* of a call */
    const struct cmw_header_block *block;
};

struct cmw__program {
    struct cmw__entry *entries; /* the last one is CMW__ENTRY_END */
    struct cmw__entry_info *info;
    uint32_t count; /* with the end; 1 means nothing to do */
    uint32_t entered_counter;
    /* The usual way runs the entries in groups: a first one of 1 to CMW__GROUP of them, then full
     * ones up to `end`. */
    const struct cmw__entry *first_end;
    const struct cmw__entry *end; /* behind the last entry but the end */
    cmw__run_fn *run;  /* of pre_route and post_route, also without an entry, and of complete with
                        * one; else NULL */
    cmw__run_fn *then; /* of pre_route: its entries, where `run` does something before them */
    uint32_t phase;
    uint32_t route; /* index into plan->routes, or CMW_NONE */
};

/* A set of conditions that must all hold, and perhaps a route. */
struct cmw__class {
    const struct cmw__condition **conditions;
    uint32_t condition_count;
    uint32_t route;       /* index into plan->routes, or CMW_NONE */
    uint32_t method_bits; /* known methods that all conditions allow */
    uint32_t early;       /* bit in ctx->early, or CMW_NONE: decided where it is first asked */
    uint32_t held;        /* bit of a routed class: its conditions hold */
    uint32_t run_count;
    uint32_t *runs;        /* in all phases */
    uint32_t *memos;       /* for each condition: that of its predicate, or CMW_NONE */
    uint32_t clause_count; /* positive path lists; each needs one pattern that matches */
    uint32_t *clauses;     /* clause i: patterns [clauses[i], clauses[i+1]) of `patterns` */
    uint32_t negated_count;
    uint32_t *patterns; /* ids: of the clauses, then the negated ones */
    uint64_t hash;
    uint8_t needs_a_look; /* hosts, predicates or methods without an id: ask each condition */
};

/* A list of classes to try when a pattern matches. */
struct cmw__class_list {
    uint32_t *classes;
    uint32_t count;
};

/* A run: entries of one class that stand together. `self` of its guard. */
struct cmw__run {
    const cmw_plan *plan;
    const struct cmw__class *klass;
    struct cmw__entry *guard; /* itself, in its program */
    struct cmw__entry *end;   /* behind the run's entries */
    struct cmw__entry *after; /* where its cluster of conditional runs ends */
    uint32_t index;           /* of this run: its bit */
    uint32_t cluster_end;     /* index behind the last run of the cluster */
    uint32_t counter;         /* how often it let pass */
};

/* `self` of the guard of an entry that wants its own pre_route to have run. */
struct cmw__entered_guard {
    const struct cmw__entry *pre; /* the pre_route call */
    struct cmw__entry *after;
    uint32_t route;   /* of that entry's program, or CMW_NONE */
    uint32_t counter; /* how often it let pass */
};

/* `self` of a call that needs more than the call: see entry.c and shadow.c. */
struct cmw__wrapped {
    cmw_phase_fn *fn;
    cmw_complete_fn *complete;
    void *self;
    uint32_t counters;
    uint32_t writable; /* request properties that it refines */
    uint8_t fails_open;
    uint8_t has_fields; /* of a shadowed one: it would set its constant fields, too */
};

struct cmw__route {
    uint32_t id;
    struct cmw__program pre;
    uint32_t *classes; /* of this route */
    uint32_t class_count;
};

/* A middleware of the plan, in plan order. */
struct cmw__planned {
    const struct cmw__instance *instance;
    uint32_t klass;               /* index into classes; 0: unconditional */
    const struct cmw__entry *pre; /* its pre_route call, or NULL */
    uint32_t route;               /* index into routes, or CMW_NONE */
    int32_t priority;             /* as it was when the chain compiled */
    int32_t post_priority;
    uint8_t is_shadowed; /* likewise */
};

/* A service as a plan knows it, so that requests take no lock to reach one. */
struct cmw__planned_service {
    struct cmw__service *service; /* NULL: it was not defined when the chain compiled */
    void *object;                 /* a singleton's; NULL: nobody needed it by then */
};

/* Sizes of slots that are set in line, one of whose pieces of 16 bytes may overlap another. */
enum { CMW__SLOT_QUICK_LEAST = 16, CMW__SLOT_QUICK_MOST = 128 };

/* Where a slot is in a context, and the bit that says that it is set. */
struct cmw__slot_place {
    uint64_t mask; /* 0: the plan does not know it */
    uint16_t word; /* both from the context; the value has room up to a multiple of 16 */
    uint16_t offset;
    uint16_t size;
    uint8_t traces;   /* what setting it leaves: nothing, if the word is the first one */
    uint8_t is_quick; /* that, without a destructor, and of a size that is copied in line */
    void (*destroy)(void *value);
};

struct cmw__prepare {
    cmw_prepare_fn *fn;
    void *self;
};

struct cmw_plan {
    /* Read by every request. */
    struct cmw__program programs[CMW__PROGRAMS];
    const struct cmw__slot_place *slots;
    uint32_t slot_limit; /* length of `slots` */
    uint32_t slot_words; /* of the set bits, with those of memos behind them; 1 at least */
    uint32_t memo_bit;   /* where the answers of predicates begin: two bits each */
    uint32_t memo_count;
    uint32_t arena_offset; /* where the first chunk begins in a context */
    uint32_t match_words;  /* of the sets that matching fills */
    uint32_t match_offset; /* where they are in a context; 0: in the arena */
    uint32_t prepare_count;
    uint8_t keeps_begin_time; /* some middleware has CMW_KEEPS_BEGIN_TIME */
    const struct cmw__prepare *prepares;
    const struct cmw_header_block *constants; /* all that post_route is, where it is that */

    const struct cmw__planned_service *services; /* by handle */
    uint32_t service_limit;

    /* Read where there are conditions. */
    struct cmw__matcher matcher;
    uint32_t pattern_count;
    uint32_t run_count;
    uint32_t bit_count;   /* runs, then a bit for each routed class */
    uint32_t class_count; /* classes[0] is unconditional */
    struct cmw__class *classes;
    struct cmw__run *runs;
    struct cmw__class_list *by_pattern;
    struct cmw__class_list always; /* classes without a positive path list */
    struct cmw__route *routes;     /* by id, ascending */
    uint32_t route_count;
    uint8_t has_conditions;
    uint8_t has_path_conditions;
    uint8_t body_phases;    /* bits: some middleware has a callback of that body phase */
    const char *feeds;      /* the first one with request_body */
    const char *times;      /* the first one with CMW_TIMES_BODY */
    const char *trails;     /* the first one that reads trailers */
    const char *adds;       /* the first one that adds some to responses */
    const char *heads;      /* the first one with a head_ms, */
    uint32_t head_ms;       /* and the shortest of them; 0: none */
    uint8_t suspend_phases; /* bits: some middleware may suspend there, */
    const char *suspends[CMW_PHASE_COUNT]; /* by phase: the first one that may */
    uint8_t guards_by_path; /* a path condition limits a middleware that guards access */

    /* Configuration time, statistics, explain. */
    _Atomic uint32_t holders;
    cmw_engine *engine;
    cmw_arena *arena;
    cmw_plan *twin;            /* of a plan with shadowed middleware: see shadow.h */
    const cmw_plan *shadow_of; /* of a twin */
    struct cmw__storage *storage;
    struct cmw__planned *middleware;
    uint32_t middleware_count;
    uint32_t match_after; /* index of the last refiner before the match point, or CMW_NONE */
    uint32_t counter_count;
    uint32_t histogram_count; /* the first one is of whole requests */
    size_t slot_bytes;
    cmw_response overload;
    struct cmw__segment overload_segments[4];
    struct cmw__owned_block *blocks; /* to be freed with the plan */
};

struct cmw__owned_block {
    struct cmw__owned_block *next;
    struct cmw_header_block *block;
};

/* Statuses (0 to 999) are counted by four, of which 25 make a hundred: a shift is what dividing by
 * a hundred is not, one instruction. */
#define CMW__STATUS_SHIFT 2
#define CMW__STATUS_GROUPS 250

/* Fixed counters of a plan; those of runs and entries follow. */
enum {
    CMW__COUNT_STATUS = 0, /* ended, by status */
    CMW__COUNT_REASON =
        CMW__STATUS_GROUPS, /* by reason; CMW_END_SENT: not counted, it is the rest */
    CMW__COUNT_BEGUN = CMW__COUNT_REASON + CMW_END_REASON_COUNT,
    CMW__COUNT_UNRUN, /* begun, and nothing of pre_route has run */
    CMW__COUNT_OVERLOAD,
    CMW__COUNT_FAULT,
    CMW__COUNT_PHASE,
    CMW__COUNT_DURATION_SUM = CMW__COUNT_PHASE + CMW__PROGRAMS,
    CMW__COUNT_LATE_HEAD,
    CMW__COUNT_FIXED
};

/* Counters of an entry, from info->counters on. */
enum {
    CMW__ENTRY_STOPS,
    CMW__ENTRY_SKIPS,
    CMW__ENTRY_SUSPENSIONS,
    CMW__ENTRY_LOST, /* suspended, and given up */
    CMW__ENTRY_ERRORS,
    CMW__ENTRY_FORGIVEN,
    CMW__ENTRY_WOULD_STOP, /* of a shadowed one, from here ... */
    CMW__ENTRY_WOULD_SKIP,
    CMW__ENTRY_WOULD_SUSPEND,
    CMW__ENTRY_WOULD_FAIL,
    CMW__ENTRY_WOULD_CHANGE, /* ... to here */
    CMW__ENTRY_BYTES,
    CMW__ENTRY_DURATION_SUM,
    CMW__ENTRY_COUNTERS
};

/* Every program, for statistics and explain: pre_route, the routes', then the other phases, of body
 * phases those that have a callback; NULL past the last. */
const struct cmw__program *cmw__plan_program(const cmw_plan *plan, uint32_t index);

/* Count without saying so to the engine, for the engine's own references. */
void cmw__plan_retain(cmw_plan *plan);
void cmw__plan_release(cmw_plan *plan);

/* The route with an id, or CMW_NONE. */
uint32_t cmw__plan_find_route(const cmw_plan *plan, uint32_t route_id);

/* Decide a class by looking at each of its conditions, without the matcher. */
int cmw__class_holds(const struct cmw__class *klass, cmw_ctx *ctx);

#endif /* CMW_ENGINE_PLAN_STATE_H */
