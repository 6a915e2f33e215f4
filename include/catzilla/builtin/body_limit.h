/* SPDX-License-Identifier: MIT */
/*
 * `body_limit`: how many bytes a request's body may have.
 *
 * Kind name "body_limit", priority 280. A declared length over the limit is answered 413 before the
 * handler or the body; a body without a declared length is counted as it comes. With conditions, or
 * in a group, it limits some paths more than others; the engine's own limit stays in force.
 */
#ifndef CATZILLA_BUILTIN_BODY_LIMIT_H
#define CATZILLA_BUILTIN_BODY_LIMIT_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** What happens to a body whose length the client did not declare (chunked). */
typedef enum cmw_unknown_length {
    CMW_UNKNOWN_LENGTH_COUNT = 0, /**< counted as it comes */
    CMW_UNKNOWN_LENGTH_REFUSE = 1 /**< 411 Length Required */
} cmw_unknown_length;

/** Options. Clear with cmw_body_limit_config_init. */
typedef struct cmw_body_limit_config {
    size_t size;         /**< set by cmw_body_limit_config_init */
    int64_t limit_bytes; /**< 0: no body at all. Default 65,536 */
    int unknown_length;  /**< cmw_unknown_length. Default: counted */
} cmw_body_limit_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_body_limit_config_init(cmw_body_limit_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->limit_bytes = 65536;
}

/**
 * Fill a descriptor.
 *
 * @param config  NULL: the defaults
 * @return        0, CMW_ERR_VERSION, CMW_ERR_ARG (`diag` names the option), CMW_ERR_NOMEM
 * Cost:          allocates; a request costs two comparisons
 * Source:        RFC 9110, 15.5.12 (411) and 15.5.14 (413)
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_body_limit_create(cmw_engine *engine, cmw_middleware *middleware,
                                                const cmw_body_limit_config *config,
                                                cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_BODY_LIMIT_H */
