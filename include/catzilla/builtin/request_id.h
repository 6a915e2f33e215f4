/* SPDX-License-Identifier: MIT */
/*
 * `request_id`: an id for each request, in a slot and in the response's X-Request-ID.
 *
 * Kind name "request_id", priority 100. Provides slot "request_id" (cmw_request_id). The id is 32
 * hex digits: unique in the process and beyond it with the probability of 128 random bits, and not
 * to be guessed from another id without the key; it is a name, not a secret.
 */
#ifndef CATZILLA_BUILTIN_REQUEST_ID_H
#define CATZILLA_BUILTIN_REQUEST_ID_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** The longest incoming id that is accepted. */
#define CMW_REQUEST_ID_CAP 64

/** The slot's value. */
typedef struct cmw_request_id {
    uint32_t len;
    char text[CMW_REQUEST_ID_CAP]; /**< not NUL-terminated */
} cmw_request_id;

/** Options. Clear with cmw_request_id_config_init. */
typedef struct cmw_request_id_config {
    size_t size;        /**< set by cmw_request_id_config_init */
    int trust_incoming; /**< 1: an X-Request-ID of 1 to 64 characters A-Z a-z 0-9 . _ - that came
                             exactly once is kept. Only behind a proxy of one's own. Default 0 */
} cmw_request_id_config;

static inline void cmw_request_id_config_init(cmw_request_id_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * Fill a descriptor.
 *
 * @param config  NULL: the defaults
 * @return        0, CMW_ERR_VERSION, CMW_ERR_NOMEM, CMW_ERR_IO if the system gives no random bytes
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy
 * Cost:          allocates; a request costs about 150 instructions and no allocation
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_request_id_create(cmw_engine *engine, cmw_middleware *middleware,
                                                const cmw_request_id_config *config,
                                                cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_REQUEST_ID_H */
