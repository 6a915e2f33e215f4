/* SPDX-License-Identifier: MIT */
/*
 * `url_path`: which form of a path all that follows sees, and which targets are refused.
 *
 * Kind name "url_path", priority 60; refines the canonical path. The engine has one canonical path,
 * which conditions, middleware and the handler read; this built-in sets its rules, and answers a
 * target that has no canonical form (bad escapes, %00, backslashes, control bytes), whether or not
 * the plan has path conditions.
 */
#ifndef CATZILLA_BUILTIN_URL_PATH_H
#define CATZILLA_BUILTIN_URL_PATH_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>
#include <catzilla/request.h>

CMW_BEGIN_DECLS

/** What happens to "." and ".." segments, escaped ones too. */
typedef enum cmw_dot_segments {
    CMW_DOT_SEGMENTS_REMOVE = 0, /**< resolved (RFC 3986, 5.2.4) */
    CMW_DOT_SEGMENTS_REJECT = 1  /**< such a target is refused */
} cmw_dot_segments;

/** What happens to %2F and %5C, which some file systems and routers take for separators. */
typedef enum cmw_encoded_slash {
    CMW_ENCODED_SLASH_KEEP = 0,  /**< data of a segment, still escaped */
    CMW_ENCODED_SLASH_REJECT = 1 /**< such a target is refused */
} cmw_encoded_slash;

/** Options. Clear with cmw_url_path_config_init. */
typedef struct cmw_url_path_config {
    size_t size;        /**< set by cmw_url_path_config_init */
    int merge_slashes;  /**< "//" becomes "/", before dot segments are looked at. Default 1 */
    int trailing_slash; /**< cmw_trailing_slash. Default: kept */
    int dot_segments;   /**< cmw_dot_segments. Default: removed */
    int percent;        /**< only 0: unreserved characters decoded, the rest in upper case */
    int encoded_slash;  /**< cmw_encoded_slash. Default: kept */
} cmw_url_path_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_url_path_config_init(cmw_url_path_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->merge_slashes = 1;
}

/**
 * Fill a descriptor.
 *
 * A request whose target has no canonical form is answered 400.
 *
 * @param config  NULL: the defaults
 * @return        0, CMW_ERR_VERSION, CMW_ERR_ARG (`diag` names the option), CMW_ERR_NOMEM
 * Cost:          allocates; a request costs one scan of its path
 * Source:        RFC 3986, 5.2.4 and 6.2.2
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_url_path_create(cmw_engine *engine, cmw_middleware *middleware,
                                              const cmw_url_path_config *config, cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_URL_PATH_H */
