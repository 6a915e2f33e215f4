/* SPDX-License-Identifier: MIT */
/*
 * `conditional`: answers 304 to a client that has the representation, and 412 to one that means
 * another.
 *
 * Kind name "conditional", priority 800. For GET and HEAD, and responses of 2xx: by the ETag and
 * Last-Modified that the handler set, or by a tag computed over the body. Other methods have done
 * their work when a response is there: their handlers ask cmw_request_check_preconditions.
 */
#ifndef CATZILLA_BUILTIN_CONDITIONAL_H
#define CATZILLA_BUILTIN_CONDITIONAL_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>
#include <catzilla/precondition.h>

CMW_BEGIN_DECLS

/** Tags for responses without one. */
typedef enum cmw_auto_etag {
    CMW_AUTO_ETAG_OFF = 0,
    CMW_AUTO_ETAG_STRONG = 1, /**< says that bodies of one tag are the same byte for byte */
    CMW_AUTO_ETAG_WEAK = 2
} cmw_auto_etag;

/** Options. Fill the defaults with cmw_conditional_config_init. */
typedef struct cmw_conditional_config {
    size_t size;   /**< set by cmw_conditional_config_init */
    int auto_etag; /**< cmw_auto_etag. Default CMW_AUTO_ETAG_OFF */
} cmw_conditional_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_conditional_config_init(cmw_conditional_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * Fill a descriptor.
 *
 * A 304 keeps the fields that it must have (Cache-Control, Content-Location, Date, ETag, Expires,
 * Vary) and those of other middleware; it loses what describes the body, and Last-Modified where
 * there is an ETag. A computed tag is 128 bits of a hash that is the same on every machine, for
 * responses of 200 with a body; it is no protection from who can choose bodies.
 *
 * @param config  NULL: the defaults
 * @return        0; CMW_ERR_VERSION; CMW_ERR_ARG (`diag` names the option); CMW_ERR_NOMEM
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy
 * Cost:          allocates; a request costs four look-ups (row conditional of
 *                scripts/run_bench.sh), a computed tag O(body); no allocation
 * Source:        RFC 9110, 13 and 15.4.5
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_conditional_create(cmw_engine *engine, cmw_middleware *middleware,
                                                 const cmw_conditional_config *config,
                                                 cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_CONDITIONAL_H */
