/* SPDX-License-Identifier: MIT */
/*
 * `content_negotiation`: which of the offered types, languages and codings a client wants most, in
 * a slot.
 *
 * Kind name "content_negotiation", priority 520. Provides slot "negotiated" (cmw_negotiated), and
 * adds what was looked at to Vary.
 */
#ifndef CATZILLA_BUILTIN_CONTENT_NEGOTIATION_H
#define CATZILLA_BUILTIN_CONTENT_NEGOTIATION_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** The slot's value: an offer each, the middleware's own text; empty where nothing is offered. */
typedef struct cmw_negotiated {
    cmw_str type;
    cmw_str language;
    cmw_str encoding;
} cmw_negotiated;

/** Options. Fill the defaults with cmw_content_negotiation_config_init. */
typedef struct cmw_content_negotiation_config {
    size_t size;              /**< set by cmw_content_negotiation_config_init */
    const char *const *types; /**< offers, the one that is liked best first: "text/html" */
    size_t type_count;
    const char *const *languages; /**< "en", "pt-BR" */
    size_t language_count;
    const char *const *encodings; /**< "gzip", "identity" */
    size_t encoding_count;
    int strict; /**< 1: 406 where none of the types, languages or codings is acceptable. Default 0:
                     the first offer then */
} cmw_content_negotiation_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_content_negotiation_config_init(cmw_content_negotiation_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * Fill a descriptor.
 *
 * Of offers that weigh the same the first one is taken.
 *
 * @param config  NULL: the defaults, which offer nothing and are refused
 * @return        0; CMW_ERR_VERSION; CMW_ERR_ARG without offers; CMW_ERR_INVALID for an offer that
 *                is no type, language or coding, CMW_ERR_EXISTS for one that stands twice (`diag`
 *                names it); CMW_ERR_CONFLICT if slot "negotiated" has another shape; CMW_ERR_NOMEM
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy
 * Cost:          allocates; a request costs O(offers times the length of the fields), and no
 *                allocation
 * Source:        RFC 9110, 12
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int
cmw_content_negotiation_create(cmw_engine *engine, cmw_middleware *middleware,
                               const cmw_content_negotiation_config *config, cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_CONTENT_NEGOTIATION_H */
