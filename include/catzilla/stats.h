/* SPDX-License-Identifier: MIT */
/*
 * Statistics of an engine: what was called, what it said, how long it took.
 *
 * Each worker counts for itself; a snapshot adds the workers up. Counts are exact, and go on when
 * another plan is installed: those of requests, and those of middleware by (name, kind), also of
 * one that was switched off meanwhile. Durations and bytes are taken of one request in
 * `sample_every`; durations are those under the installed plan.
 */
#ifndef CATZILLA_STATS_H
#define CATZILLA_STATS_H

#include <catzilla/chain.h>
#include <catzilla/engine.h>

CMW_BEGIN_DECLS

/** Durations of sampled calls. Percentiles are upper bounds of buckets 1/16 of their value wide. */
typedef struct cmw_durations {
    uint64_t samples;
    uint64_t mean_ns;
    uint64_t p50_ns;
    uint64_t p95_ns;
    uint64_t p99_ns;
    uint64_t max_ns;
} cmw_durations;

/** One middleware in one phase. Strings live as long as the snapshot. */
typedef struct cmw_middleware_stats {
    const char *name;
    const char *kind;
    int phase;            /**< cmw_phase */
    uint64_t calls;       /**< of a pre_route: also of a request that has begun and is yet to run */
    uint64_t stops;       /**< CMW_STOP */
    uint64_t skips;       /**< CMW_SKIP_ROUTE */
    uint64_t suspensions; /**< CMW_SUSPEND */
    uint64_t errors;      /**< CMW_ERROR and verdicts that the phase does not allow */
    uint64_t forgiven;    /**< errors that CMW_FAIL_OPEN undid */
    uint64_t sampled_bytes; /**< arena bytes that it took in sampled requests */
    cmw_durations durations;
    int is_shadowed;        /**< CMW_MODE_SHADOWED: it runs, and nothing of it counts but this: */
    uint64_t would_stop;    /**< it would have answered */
    uint64_t would_skip;    /**< it would have skipped the handler */
    uint64_t would_suspend; /**< it would have waited */
    uint64_t would_fail;    /**< it would have been a fault */
    uint64_t
        would_change; /**< it would have changed the response; also counted beside the others */
} cmw_middleware_stats;

/** The plan as a whole. */
typedef struct cmw_request_stats {
    size_t size;          /**< sizeof this struct, set by the caller */
    uint64_t begun;       /**< contexts begun */
    uint64_t ended;       /**< contexts ended */
    uint64_t overloads;   /**< requests that got no context, or that the host had no room for */
    uint64_t faults;      /**< requests that had a fault */
    uint64_t by_class[6]; /**< ended, by hundreds of status; [0]: without a response */
    uint64_t by_reason[CMW_END_REASON_COUNT]; /**< ended, by cmw_end_reason */
    cmw_durations durations;                  /**< begin to end */
    uint64_t late_heads; /**< heads that a host gave up before a request began: nginx counts none */
} cmw_request_stats;

/** Figures at one moment. Immutable; any thread. */
typedef struct cmw_stats cmw_stats;

/**
 * Take a snapshot.
 *
 * @param[out] out  the snapshot; unchanged on failure
 * @return          0; CMW_ERR_STATE if no plan is installed; CMW_ERR_NOMEM
 * Ownership:       the caller's; cmw_stats_destroy, before the engine is destroyed
 * Threads:         any, while workers serve
 * Cost:            O(workers * middleware); allocates
 * Since:           0.1
 */
CMW_API CMW_NODISCARD int cmw_stats_snapshot(cmw_engine *engine, cmw_stats **out);

/** Free a snapshot; NULL is ignored. */
CMW_API void cmw_stats_destroy(cmw_stats *stats);

/** Count from 0 again: later snapshots show what happened since. @return 0, _STATE, _NOMEM */
CMW_API CMW_NODISCARD int cmw_stats_reset(cmw_engine *engine);

/** The plan's figures. @return 0, CMW_ERR_ARG, CMW_ERR_VERSION */
CMW_API CMW_NODISCARD int cmw_stats_requests(const cmw_stats *stats, cmw_request_stats *out);

/** One row for each middleware and phase, in the order in which they run; NULL past the last. */
CMW_API const cmw_middleware_stats *cmw_stats_middleware(const cmw_stats *stats, size_t index);

/** The figures of a pool. @return 0, CMW_ERR_ARG */
CMW_API CMW_NODISCARD int cmw_stats_pool(const cmw_stats *stats, cmw_pool_purpose purpose,
                                         cmw_pool_stats *out);

/** Write a snapshot: as text for a person, as JSON, or for Prometheus. @return 0, CMW_ERR_ARG, what
 * write said */
CMW_API CMW_NODISCARD int cmw_stats_write(const cmw_stats *stats, cmw_format format,
                                          cmw_write_fn *write, void *self);

CMW_END_DECLS

#endif /* CATZILLA_STATS_H */
