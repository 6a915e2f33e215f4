/* SPDX-License-Identifier: MIT */
/*
 * `set_headers`: fields that every response, or every request, is to have or not to have.
 *
 * Kind name "set_headers", priority 600. On any status, unless `status` says otherwise. What can be
 * decided when compiling is: without `status`, what is set is a constant of the plan.
 */
#ifndef CATZILLA_BUILTIN_SET_HEADERS_H
#define CATZILLA_BUILTIN_SET_HEADERS_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Options; every list may be empty. Clear with cmw_set_headers_config_init. */
typedef struct cmw_set_headers_config {
    size_t size;                /**< set by cmw_set_headers_config_init */
    const cmw_option_text *set; /**< of the response: replaces all fields of the name */
    size_t set_count;
    const cmw_option_text *set_if_absent; /**< only if the response has no field of the name */
    size_t set_if_absent_count;
    const cmw_option_list *append; /**< one field more for each text */
    size_t append_count;
    const cmw_option_list *add_token; /**< merges each text into a list field, such as Vary */
    size_t add_token_count;
    const char *const *remove; /**< names */
    size_t remove_count;
    const char *const *status; /**< "404", "5xx": only on these. NULL: on every status */
    size_t status_count;
    const cmw_option_text *request_set; /**< of the request, as what follows sees it */
    size_t request_set_count;
    const char *const *request_remove; /**< names */
    size_t request_remove_count;
} cmw_set_headers_config;

/** Fill the defaults: nothing is changed. Cost: O(1). */
static inline void cmw_set_headers_config_init(cmw_set_headers_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * Fill a descriptor.
 *
 * Removing comes first, then set, set_if_absent, append, add_token.
 *
 * @param config  NULL: the defaults
 * @return        0; CMW_ERR_VERSION; CMW_ERR_INVALID for a name, value or status that HTTP does not
 *                allow, CMW_ERR_ARG for a field that is the library's (`diag` names it);
 *                CMW_ERR_NOMEM
 * Cost:          allocates; a request costs what it sets
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_set_headers_create(cmw_engine *engine, cmw_middleware *middleware,
                                                 const cmw_set_headers_config *config,
                                                 cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_SET_HEADERS_H */
