/* SPDX-License-Identifier: MIT */
/*
 * `problem_details`: failures as documents that a program, or a person, can read.
 *
 * Kind name "problem_details", priority 900. A fault, and every empty 4xx or 5xx response, becomes
 * problem+json (RFC 9457), or HTML when the client prefers it. A response that has a body is left
 * as it is. Nothing of the fault's inside is told.
 */
#ifndef CATZILLA_BUILTIN_PROBLEM_DETAILS_H
#define CATZILLA_BUILTIN_PROBLEM_DETAILS_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Options. Clear with cmw_problem_details_config_init. */
typedef struct cmw_problem_details_config {
    size_t size;           /**< set by cmw_problem_details_config_init */
    const char *type_base; /**< `type` is this and the status, "https://a.example/errors/404"; NULL:
                                no `type`, which means "about:blank" */
    int request_id;        /**< 1: a member "request_id", if slot `request_id` is set. Default 1 */
    int html;              /**< 1: HTML for clients that prefer it. Default 1 */
} cmw_problem_details_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_problem_details_config_init(cmw_problem_details_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->request_id = 1;
    config->html = 1;
}

/**
 * Fill a descriptor.
 *
 * @param config  NULL: the defaults
 * @return        0; CMW_ERR_VERSION; CMW_ERR_INVALID for a `type_base` that is no URI;
 *                CMW_ERR_NOMEM
 * Cost:          allocates; a request that succeeds costs a comparison
 * Source:        RFC 9457; RFC 9110, 12.5.1 (Accept)
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_problem_details_create(cmw_engine *engine, cmw_middleware *middleware,
                                                     const cmw_problem_details_config *config,
                                                     cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_PROBLEM_DETAILS_H */
