/* SPDX-License-Identifier: MIT */
/*
 * `content_type`: which kinds of bodies are taken: 415 for others.
 *
 * Kind name "content_type", priority 530. Looks at requests with a body alone.
 */
#ifndef CATZILLA_BUILTIN_CONTENT_TYPE_H
#define CATZILLA_BUILTIN_CONTENT_TYPE_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Options. Fill the defaults with cmw_content_type_config_init. */
typedef struct cmw_content_type_config {
    size_t size;              /**< set by cmw_content_type_config_init */
    const char *const *allow; /**< "application/json", or "text/" followed by "*", or "application/"
                                   followed by "*+json" for a suffix */
    size_t allow_count;
    const char *const *charsets; /**< parameter `charset` of a type that has one. Default: utf-8 */
    size_t charset_count;
    int any_charset;   /**< 1: `charset` is not looked at. Default 0 */
    int allow_missing; /**< 1: a body without Content-Type passes. Default 0 */
} cmw_content_type_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_content_type_config_init(cmw_content_type_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * Fill a descriptor.
 *
 * Refused with 415, and the types that are taken in Accept: a body without a Content-Type, with two
 * of them, with one that is malformed or not in the list, or with a charset that is not taken.
 *
 * @param config  NULL: the defaults, which allow nothing and are refused
 * @return        0; CMW_ERR_VERSION; CMW_ERR_ARG without a type; CMW_ERR_INVALID for one that is
 *                none, or a charset (`diag` names it); CMW_ERR_CONFLICT for charsets beside
 *                `any_charset`; CMW_ERR_NOMEM
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy
 * Cost:          allocates; a request costs O(types + length of the field), and no allocation
 * Source:        RFC 9110, 8.3 and 15.5.16; RFC 6839 (suffixes)
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_content_type_create(cmw_engine *engine, cmw_middleware *middleware,
                                                  const cmw_content_type_config *config,
                                                  cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_CONTENT_TYPE_H */
