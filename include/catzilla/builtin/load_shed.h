/* SPDX-License-Identifier: MIT */
/*
 * `load_shed`: no more requests in flight than are served well, found out by their latency.
 *
 * Kind name "load_shed", priority 255, after cors. The limit follows the latency by its gradient:
 * it grows while answers take as long as ever, and shrinks as soon as they take longer. Classes
 * share it, so that what matters less is refused first.
 */
#ifndef CATZILLA_BUILTIN_LOAD_SHED_H
#define CATZILLA_BUILTIN_LOAD_SHED_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** The most classes. */
#define CMW_LOAD_SHED_CLASSES_MAX 16

/** A class of requests: those that have one of the paths and one of the methods. */
typedef struct cmw_load_shed_class {
    const char *const *paths;   /**< patterns as those of path conditions; none: every path */
    size_t path_count;          /**< of `paths` */
    const char *const *methods; /**< none: every method */
    size_t method_count;        /**< of `methods` */
    int64_t share_permille;     /**< of the limit, 1 to 1,000: beyond it the class is refused.
                                     Default 1,000 */
} cmw_load_shed_class;

/** Fill the defaults of a class. Cost: O(1). */
static inline void cmw_load_shed_class_init(cmw_load_shed_class *of)
{
    memset(of, 0, sizeof *of);
    of->share_permille = 1000;
}

/** Options. Clear with cmw_load_shed_config_init. */
typedef struct cmw_load_shed_config {
    size_t size;                        /**< set by cmw_load_shed_config_init */
    int64_t min_limit;                  /**< 1 to max_limit. Default 10 */
    int64_t max_limit;                  /**< at most 1,000,000. Default 1,000 */
    int64_t initial_limit;              /**< in between. 0, the default: 100, or the end that is
                                             nearest to it */
    int64_t tolerance_permille;         /**< how much longer than usual is no reason to refuse,
                                             1,000 to 10,000. Default 1,500: half as long again */
    int64_t window_ms;                  /**< latencies are averaged over it, 10 to 60,000. Default
                                             100 */
    const cmw_load_shed_class *classes; /**< the first that a request is of; of none: the whole
                                             limit */
    size_t class_count;                 /**< of `classes` */
    int64_t retry_after_s;              /**< 1 to 86,400. Default 1 */
} cmw_load_shed_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_load_shed_config_init(cmw_load_shed_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->min_limit = 10;
    config->max_limit = 1000;
    config->tolerance_permille = 1500;
    config->window_ms = 100;
    config->retry_after_s = 1;
}

/**
 * Fill a descriptor.
 *
 * A refusal is 503 with Retry-After. The limit that was found is kept while a chain is built again.
 *
 * @param config  NULL: the defaults
 * @return        0, CMW_ERR_VERSION, CMW_ERR_ARG or CMW_ERR_INVALID (`diag` names the option),
 *                CMW_ERR_NOMEM
 * Cost:          allocates; a request costs two atomic additions and two clocks, no allocation
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_load_shed_create(cmw_engine *engine, cmw_middleware *middleware,
                                               const cmw_load_shed_config *config, cmw_diag *diag);

/** What there is now, and what happened so far. */
typedef struct cmw_load_shed_stats {
    size_t size;        /**< sizeof this struct, set by the caller */
    uint64_t limit;     /**< of requests in flight */
    uint64_t in_flight; /**< requests that were let in and are not over */
    uint64_t refused;   /**< requests that were not */
} cmw_load_shed_stats;

/** Read them, of a middleware of cmw_load_shed_create. @return 0, CMW_ERR_ARG, CMW_ERR_VERSION.
 * Threads: any. */
CMW_API CMW_NODISCARD int cmw_load_shed_get_stats(const cmw_middleware *middleware,
                                                  cmw_load_shed_stats *stats);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_LOAD_SHED_H */
