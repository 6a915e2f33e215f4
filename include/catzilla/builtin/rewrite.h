/* SPDX-License-Identifier: MIT */
/*
 * `rewrite`: some paths are served as others.
 *
 * Kind name "rewrite", priority 65, after url_path. It refines the canonical path, so that it runs
 * before all that reads it, and path conditions are decided on the new path.
 */
#ifndef CATZILLA_BUILTIN_REWRITE_H
#define CATZILLA_BUILTIN_REWRITE_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** One rule. Clear with cmw_rewrite_rule_init. */
typedef struct cmw_rewrite_rule {
    const char *from; /**< a path pattern: "/old/{id}", "/docs/" followed by "*" */
    const char *to; /**< a path with "{id}" of the pattern and "{*}" for what its star took; with a
                         query of its own, or the request's */
} cmw_rewrite_rule;

/** Clear a rule. Cost: O(1). */
static inline void cmw_rewrite_rule_init(cmw_rewrite_rule *rule)
{
    memset(rule, 0, sizeof *rule);
}

/** Options. Clear with cmw_rewrite_config_init. Something must be asked for. */
typedef struct cmw_rewrite_config {
    size_t size;                   /**< set by cmw_rewrite_config_init */
    const cmw_rewrite_rule *rules; /**< asked in their order; the first that matches counts */
    size_t rule_count;             /**< of `rules` */
    const char *strip_prefix;      /**< where no rule matches: "/api" makes "/api/a" "/a" and "/api"
                                        "/"; NULL or "": nothing */
    const char *add_prefix;        /**< where no rule matches, after that: "/v1" makes "/a" "/v1/a";
                                        NULL or "": nothing */
} cmw_rewrite_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_rewrite_config_init(cmw_rewrite_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * Fill a descriptor.
 *
 * What comes of a rule is a path like any other: it is made canonical. One that would begin with
 * two slashes or a backslash, escaped or not, or has a control byte is answered 400.
 *
 * @return  0, CMW_ERR_VERSION, CMW_ERR_ARG or CMW_ERR_INVALID (`diag` names the rule),
 *          CMW_ERR_NOMEM
 * Cost:    allocates; a request costs O(path) for each rule that is asked, no allocation
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_rewrite_create(cmw_engine *engine, cmw_middleware *middleware,
                                             const cmw_rewrite_config *config, cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_REWRITE_H */
