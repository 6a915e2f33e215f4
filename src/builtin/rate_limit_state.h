/* SPDX-License-Identifier: MIT */
/* A middleware of the kind: what its configuration becomes, and what a request reads. */
#ifndef CMW_BUILTIN_RATE_LIMIT_STATE_H
#define CMW_BUILTIN_RATE_LIMIT_STATE_H

#include "rate_fields.h"
#include "rate_key.h"
#include "rate_table.h"

struct cmw__rate_limit {
    struct cmw__rate_source source;
    cmw_phase_fn
        *look; /* a plain limit's uncommon ways: by address, so that they stay out of line */
    struct cmw__rate_table tables[CMW_RATE_LIMITS_MAX];
    struct cmw__rate_fields fields;
    struct cmw__rate_key keys[CMW_RATE_LIMITS_MAX];
    size_t limit_count;
    int status;
    int full;
    int on_store_failure;
    const cmw_network_set *skip;
    cmw_predicate_fn *skip_if;
    void *skip_self;
    cmw_rate_cost_fn *cost_fn;
    void *cost_self;
    cmw_rate_store store; /* if `has_store` */
    int has_store;
    struct cmw__rate_head *head;
    size_t table_bytes;

    cmw_arena *arena;
    cmw_engine *engine;
    void *kept; /* of cmw_state_retain; NULL: the memory is the creator's */
    struct {    /* what the limits say, for stores and for the shape */
        int algorithm;
        uint64_t limit, burst, window_ns;
    } rules[CMW_RATE_LIMITS_MAX];
};

/* Check a config and make a middleware of it; the descriptor gets its relations. 0 or an error with
 * its sentence; `*out` is unchanged then. */
int cmw__rate_limit_configure(struct cmw__rate_limit **out, cmw_engine *engine,
                              cmw_middleware *middleware, const cmw_rate_limit_config *config,
                              cmw_diag *diag);
void cmw__rate_limit_destroy(void *self);

#endif /* CMW_BUILTIN_RATE_LIMIT_STATE_H */
