/* SPDX-License-Identifier: MIT */
/*
 * `trusted_proxy`: whom a request comes from, where proxies of one's own stand in between.
 *
 * Kind name "trusted_proxy", priority 50. Reads one list, X-Forwarded-For or Forwarded, from the
 * right, as far as those who wrote it are trusted; refines the client address and, where asked,
 * scheme and host. What strangers may have sent is removed from the request.
 */
#ifndef CATZILLA_BUILTIN_TRUSTED_PROXY_H
#define CATZILLA_BUILTIN_TRUSTED_PROXY_H

#include <catzilla/chain.h>
#include <catzilla/engine.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Which field is believed. The other one counts for nothing. */
typedef enum cmw_proxy_header {
    CMW_PROXY_HEADER_X_FORWARDED_FOR = 0, /**< and X-Forwarded-Proto, -Host */
    CMW_PROXY_HEADER_FORWARDED = 1        /**< RFC 7239 */
} cmw_proxy_header;

/** Options. Clear with cmw_trusted_proxy_config_init. */
typedef struct cmw_trusted_proxy_config {
    size_t size;              /**< set by cmw_trusted_proxy_config_init */
    int header;               /**< cmw_proxy_header. Default: X-Forwarded-For */
    const char *const *trust; /**< addresses and networks of the proxies, "unix" for local sockets.
                                   Default: nobody */
    size_t trust_count;       /**< of `trust` */
    int64_t hops;             /**< in place of `trust`: how many proxies every request passes; the
                                   peer is the first. Default 0 */
    int forwarded_proto;      /**< 1: the proxies say the scheme. Default 0 */
    int forwarded_host;       /**< 1: the proxies say the host. Default 0 */
    int forwarded_port;       /**< 1: X-Forwarded-Port is believed. Default 0 */
    int forwarded_prefix;     /**< 1: X-Forwarded-Prefix is believed. Default 0 */
} cmw_trusted_proxy_config;

/** Fill the defaults: nobody is trusted, and every forwarding field is removed. Cost: O(1). */
static inline void cmw_trusted_proxy_config_init(cmw_trusted_proxy_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * What proxies said beyond address, scheme and host: the slot of cmw_forwarded_slot, set where one
 * that is trusted sent something. Slices live as long as the request.
 */
typedef struct cmw_forwarded {
    cmw_str client; /**< the client's address in the proxy's spelling, without brackets and port;
                         empty where no proxy named it, or it was written with escapes */
    cmw_str prefix; /**< X-Forwarded-Prefix: the path below which the proxy offers the service;
                         begins with "/"; empty: none */
    uint16_t port;  /**< X-Forwarded-Port; 0: none */
    uint32_t hops;  /**< elements of the list that were read */
} cmw_forwarded;

/**
 * The slot "forwarded", declared if it was not. Its value is a cmw_forwarded.
 *
 * @param[out] slot  unchanged on failure
 * @return           as cmw_slot_declare
 * Threads:          any
 * Cost:             O(slots); for configuration time
 * Since:            0.1
 */
CMW_API CMW_NODISCARD int cmw_forwarded_slot(cmw_engine *engine, cmw_slot *slot);

/**
 * Fill a descriptor.
 *
 * The client is the rightmost address of the list that is not trusted, the leftmost where all are,
 * and the peer where the peer is not. An element that names no address ends the walk: the client
 * is the last one that was found. Scheme and host are what the proxy that met the client said; a
 * value that is none is passed over.
 *
 * Removed from the request: all forwarding fields where the peer is not trusted. Where it is: those
 * that are not believed (X-Real-IP always), the part of a list that strangers wrote, and every
 * spelling with "_" or "." for "-".
 *
 * @param config  NULL: the defaults
 * @return        0, CMW_ERR_VERSION, CMW_ERR_ARG or CMW_ERR_INVALID (`diag` names the option),
 *                CMW_ERR_NOMEM
 * Cost:          allocates; a request costs one look at each field's name, and a look-up for each
 *                element that is read. Linear in the head, no allocator call
 * Source:        RFC 7239
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_trusted_proxy_create(cmw_engine *engine, cmw_middleware *middleware,
                                                   const cmw_trusted_proxy_config *config,
                                                   cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_TRUSTED_PROXY_H */
