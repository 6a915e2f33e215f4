/* SPDX-License-Identifier: MIT */
/*
 * The inside of a chain, and its storage, which plans share.
 *
 *   chain ──┐
 *           ├──> storage (counted): arena with instances, groups, conditions
 *   plan  ──┘                       the last holder destroys every `self`
 */
#ifndef CMW_ENGINE_CHAIN_STATE_H
#define CMW_ENGINE_CHAIN_STATE_H

#include <stdatomic.h>

#include <catzilla/chain.h>
#include <catzilla/service.h>

#include "condition.h"

struct cmw_group {
    cmw_chain *chain;
    cmw_group *parent;
    const char *name;
    struct cmw__condition *condition; /* or NULL */
    uint32_t route_id;                /* its own or its parent's; CMW_NONE: none */
};

/* A service that a middleware asks for. */
struct cmw__need {
    struct cmw__need *next;
    cmw_service service;
};

/* A middleware of a chain. What `mw` points to is in the storage; `mw.condition` is not used. */
struct cmw__instance {
    struct cmw__instance *next; /* in order of registration */
    cmw_middleware mw;
    struct cmw__condition *condition; /* or NULL */
    cmw_group *group;                 /* or NULL */
    struct cmw__need *needs;
    cmw_slot *waived; /* slots whose rules are waived for this reader */
    uint32_t waived_count;
    uint32_t sequence;
    uint64_t name_hash;
    int mode; /* cmw_mode */
};

struct cmw__storage {
    _Atomic uint32_t holders;
    cmw_engine *engine;
    cmw_arena *arena;
    struct cmw__instance *first;
    struct cmw__instance *last;
    uint32_t instance_count;
};

struct cmw_chain {
    cmw_engine *engine;
    struct cmw__storage *storage;
    unsigned flags;
};

struct cmw__storage *cmw__storage_retain(struct cmw__storage *storage);
void cmw__storage_release(struct cmw__storage *storage);

/* The route of a group, or CMW_NONE. */
static inline uint32_t cmw__group_route(const cmw_group *group)
{
    return group ? group->route_id : CMW_NONE;
}

/* A length of the chain to go back to; what was added since is destroyed. */
struct cmw__chain_mark {
    struct cmw__instance *last;
    uint32_t instance_count;
};
struct cmw__chain_mark cmw__chain_get_mark(const cmw_chain *chain);
void cmw__chain_rewind(cmw_chain *chain, struct cmw__chain_mark mark);

struct cmw__instance *cmw__chain_find(const cmw_chain *chain, const char *name);

#endif /* CMW_ENGINE_CHAIN_STATE_H */
