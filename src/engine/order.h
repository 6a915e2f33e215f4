/* SPDX-License-Identifier: MIT */
/*
 * The order of a chain, and the rules that it must keep.
 */
#ifndef CMW_ENGINE_ORDER_H
#define CMW_ENGINE_ORDER_H

#include "chain_state.h"

/* The enabled middleware of a chain in the order in which pre_route runs: what belongs to a route
 * after all else, then by priority, then by registration as `before` and `after` correct it. */
struct cmw__order {
    const cmw_chain *chain;
    const struct cmw__instance **items;
    const struct cmw__post_place *post; /* the same ones in the order of post_route */
    uint32_t count;
};

/* Who is where in post_route. */
struct cmw__post_place {
    int32_t priority;  /* that counts: post_priority, or what it inherits */
    uint32_t position; /* in `items` */
};

/* 0; CMW_ERR_NOT_FOUND, CMW_ERR_ORDER or CMW_ERR_CYCLE for before/after; CMW_ERR_NOMEM. */
int cmw__order_make(struct cmw__order *order, const cmw_chain *chain, cmw_arena *arena,
                    cmw_diag *diag);

/* The priority that counts in post_route. */
int32_t cmw__post_priority(const cmw_middleware *mw);

/* Check what is provided, refined, required and used, in pre_route and in post_route. 0,
 * CMW_ERR_ORDER or CMW_ERR_CONFLICT. */
int cmw__order_check_facts(const struct cmw__order *order, cmw_diag *diag);

/*
 * Find the match point: the index of the last middleware that refines or provides what a
 * condition reads, or CMW_NONE; and check that no condition before it reads that.
 */
int cmw__order_find_match_point(const struct cmw__order *order, uint32_t *match_after,
                                cmw_diag *diag);

/* 1 if the instance has this relation to the slot. */
int cmw__instance_has(const struct cmw__instance *instance, cmw_relation relation, cmw_slot slot);

/* Walk over the conditions of an instance: its own, then its groups', inside out; NULL at the
 * end. Start with the instance and all else 0. */
struct cmw__condition_walk {
    const struct cmw__instance *instance;
    const cmw_group *group;
    int has_started;
};
const struct cmw__condition *cmw__condition_next(struct cmw__condition_walk *walk);

#endif /* CMW_ENGINE_ORDER_H */
