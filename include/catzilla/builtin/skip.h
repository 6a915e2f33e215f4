/* SPDX-License-Identifier: MIT */
/*
 * `skip`: a decision with a name, by which other middleware runs or not.
 *
 * Kind name "skip", priority 68, after those that refine path, host and client address. It decides
 * once a request, by what conditions have and by fields and networks as well, and puts the decision
 * into a slot of its instance's name. Any number of others then have a condition on it: in a file
 * `"when": {"unless": "NAME"}`, in C cmw_skip_condition.
 */
#ifndef CATZILLA_BUILTIN_SKIP_H
#define CATZILLA_BUILTIN_SKIP_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/**
 * Options. Clear with cmw_skip_config_init. All that are given must hold for a request to be
 * skipped; at least one must be given.
 */
typedef struct cmw_skip_config {
    size_t size;                 /**< set by cmw_skip_config_init */
    const char *const *methods;  /**< any of these; case-sensitive */
    size_t method_count;         /**< of `methods` */
    const char *const *paths;    /**< any of these patterns: "/health", "/users/{id}", "/static/"
                                      followed by "*" */
    size_t path_count;           /**< of `paths` */
    const char *const *headers;  /**< all of these fields are there: "X-Internal"; or one of them is
                                      "Name: value", byte for byte */
    size_t header_count;         /**< of `headers` */
    const char *const *networks; /**< the client is in one of these */
    size_t network_count;        /**< of `networks` */
    int invert;                  /**< 1: skip the requests for which this does not hold */
    cmw_predicate_fn *predicate; /**< of a program; or NULL */
    void *predicate_self;        /**< must live as long as the plan */
} cmw_skip_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_skip_config_init(cmw_skip_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * Fill a descriptor.
 *
 * @return  0, CMW_ERR_VERSION, CMW_ERR_ARG or CMW_ERR_INVALID (`diag` names the option),
 *          CMW_ERR_CONFLICT for a name whose slot has another shape, CMW_ERR_NOMEM
 * Cost:    allocates; a request costs what is asked of it, no allocation
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_skip_create(cmw_engine *engine, cmw_middleware *middleware,
                                          const cmw_skip_config *config, cmw_diag *diag);

/**
 * Add to a condition: "unless the instance `name` of skip said so".
 *
 * Takes the condition's predicate, so it must have none. Whoever has the condition stands after the
 * instance, else the chain does not compile; `cmw_middleware_requires(&mw, *slot)` makes it refuse
 * a chain without the instance, too.
 *
 * @param[in,out] condition  methods, hosts and paths that it has hold as well
 * @param[out]    slot       the decision's; the condition points to it until it was added
 * @param         name       of the instance of skip, which may be added later
 * @return                   0; CMW_ERR_ARG; CMW_ERR_CONFLICT; CMW_ERR_NOMEM; CMW_ERR_LIMIT
 * Threads:                  any
 * Cost:                     for configuration time
 * Since:                    0.1
 */
CMW_API CMW_NODISCARD int cmw_skip_condition(cmw_engine *engine, cmw_condition *condition,
                                             cmw_slot *slot, const char *name);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_SKIP_H */
