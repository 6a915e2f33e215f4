/* SPDX-License-Identifier: MIT */
/*
 * A snapshot: the workers' counters added up, what was counted before the last reset taken off, and
 * the rows made of them.
 */
#ifndef CMW_OBSERVE_SNAPSHOT_H
#define CMW_OBSERVE_SNAPSHOT_H

#include <catzilla/arena.h>
#include <catzilla/json.h>
#include <catzilla/stats.h>

struct cmw_stats {
    cmw_engine *engine;
    cmw_plan *plan; /* holds the names */
    cmw_arena *arena;
    cmw_request_stats requests;
    cmw_middleware_stats *rows;
    size_t row_count;
    cmw_pool_stats pools[CMW_POOL_COUNT];
};

#endif /* CMW_OBSERVE_SNAPSHOT_H */
