/* SPDX-License-Identifier: MIT */
/*
 * `request_id`: an id for each request, in a slot, in the response, and in the request where one
 * came.
 *
 * Kind name "request_id", priority 100. Provides slot "request_id" (cmw_request_id). An id is a
 * UUID of version 7 (its first bits are the time) or 128 random bits in hex: unique across threads,
 * processes, forks and machines. It is a name, not a secret.
 */
#ifndef CATZILLA_BUILTIN_REQUEST_ID_H
#define CATZILLA_BUILTIN_REQUEST_ID_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>
#include <catzilla/response.h>

CMW_BEGIN_DECLS

/** The slot's value. */
typedef struct cmw_request_id {
    const char *text;             /**< not NUL-terminated; lives as long as the request */
    size_t len;                   /**< of `text` */
    const cmw_value_field *field; /**< in whose room `text` lies; NULL: in none */
} cmw_request_id;

/** How ids look that are made here. */
typedef enum cmw_request_id_format {
    CMW_REQUEST_ID_UUID = 0, /**< a UUID of version 7: 36 characters; those of one worker ascend */
    CMW_REQUEST_ID_HEX = 1   /**< 128 random bits: 32 hex digits */
} cmw_request_id_format;

/** Options. Fill the defaults with cmw_request_id_config_init. */
typedef struct cmw_request_id_config {
    size_t size;        /**< set by cmw_request_id_config_init */
    int trust_incoming; /**< 1: keep the id that comes with a request, whoever sends it. Default 0
                         */
    const char *const *trust_networks; /**< or: of these peers only, "10.0.0.0/8" and the like */
    size_t trust_network_count;
    const char *header; /**< name of the field, in requests and responses. Default X-Request-ID */
    int64_t max_length; /**< of an id that is kept: 1..4096. Default 64 */
    int format;         /**< cmw_request_id_format. Default CMW_REQUEST_ID_UUID */
} cmw_request_id_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_request_id_config_init(cmw_request_id_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->max_length = 64;
}

/**
 * Fill a descriptor.
 *
 * An id is kept if its field came exactly once, with 1 to `max_length` characters of
 * A-Z a-z 0-9 . _ = -, from a peer that is trusted. Any other is replaced by one made here, in the
 * request too: nobody behind this middleware reads what a stranger chose.
 *
 * @param config  NULL: the defaults
 * @return        0; CMW_ERR_VERSION; CMW_ERR_ARG or CMW_ERR_INVALID (`diag` names the option);
 *                CMW_ERR_CONFLICT if slot "request_id" has another shape; CMW_ERR_NOMEM
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy
 * Cost:          allocates; a request costs 8 or 16 random bytes, a slot and a response field (row
 *                request_id of scripts/run_bench.sh), and, once a worker is warm, no allocation
 * Source:        RFC 9562, 5.7 and 6.2 (method 1)
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_request_id_create(cmw_engine *engine, cmw_middleware *middleware,
                                                const cmw_request_id_config *config,
                                                cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_REQUEST_ID_H */
