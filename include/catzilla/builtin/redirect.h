/* SPDX-License-Identifier: MIT */
/*
 * `redirect`: some paths are elsewhere now.
 *
 * Kind name "redirect", priority 130, after https_redirect. Rules are asked in their order, the
 * first whose pattern matches the canonical path answers.
 */
#ifndef CATZILLA_BUILTIN_REDIRECT_H
#define CATZILLA_BUILTIN_REDIRECT_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** One rule. Clear with cmw_redirect_rule_init. */
typedef struct cmw_redirect_rule {
    const char *from; /**< a path pattern: "/old/{id}", "/docs/" followed by "*" */
    const char *to;   /**< a path, or "https://host/path", with "{id}" of the pattern and "{*}" for
                           what its star took; with a query of its own, or the request's */
    int64_t status;   /**< 301, 302, 303, 307, 308; 0: that of the config. Default 0 */
} cmw_redirect_rule;

/** Clear a rule. Cost: O(1). */
static inline void cmw_redirect_rule_init(cmw_redirect_rule *rule)
{
    memset(rule, 0, sizeof *rule);
}

/** Options. Clear with cmw_redirect_config_init. */
typedef struct cmw_redirect_config {
    size_t size;                    /**< set by cmw_redirect_config_init */
    const cmw_redirect_rule *rules; /**< at least one */
    size_t rule_count;              /**< of `rules` */
    int64_t status;                 /**< of rules without one. Default 308: method and body stay */
    int keep_query;                 /**< 1: the request's query goes along. Default 1 */
} cmw_redirect_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_redirect_config_init(cmw_redirect_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->status = 308;
    config->keep_query = 1;
}

/**
 * Fill a descriptor.
 *
 * Nothing of a request leads to another site: a target of a rule is a path, or names its host as
 * constant text. One that would begin with two slashes or a backslash, escaped or not, or has a
 * control byte is refused here where the config says it, and answered 400 where a capture does.
 *
 * @return  0, CMW_ERR_VERSION, CMW_ERR_ARG or CMW_ERR_INVALID (`diag` names the rule),
 *          CMW_ERR_NOMEM
 * Cost:    allocates; a request costs O(path) for each rule that is asked, no allocation
 * Source:  RFC 9110, 15.4; RFC 3986, 4.2 (a reference that begins with "//" names a host)
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_redirect_create(cmw_engine *engine, cmw_middleware *middleware,
                                              const cmw_redirect_config *config, cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_REDIRECT_H */
