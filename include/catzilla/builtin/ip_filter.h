/* SPDX-License-Identifier: MIT */
/*
 * `ip_filter`: which client addresses may pass.
 *
 * Kind name "ip_filter", priority 150, after trusted_proxy. Networks are kept in a radix tree.
 */
#ifndef CATZILLA_BUILTIN_IP_FILTER_H
#define CATZILLA_BUILTIN_IP_FILTER_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Options. Clear with cmw_ip_filter_config_init. */
typedef struct cmw_ip_filter_config {
    size_t size;              /**< set by cmw_ip_filter_config_init */
    const char *const *allow; /**< addresses, networks, "unix". Not empty: nobody else may pass */
    size_t allow_count;       /**< of `allow` */
    const char *const *deny;  /**< these may not pass, though `allow` names them */
    size_t deny_count;        /**< of `deny` */
    int64_t status;           /**< of the refusal, 400 to 599. Default 403 */
} cmw_ip_filter_config;

/** Fill the defaults: everybody passes. Cost: O(1). */
static inline void cmw_ip_filter_config_init(cmw_ip_filter_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->status = 403;
}

/**
 * Fill a descriptor.
 *
 * An IPv4-mapped IPv6 client is the IPv4 client; a rule of one family says nothing of the other. A
 * client whose address is unknown passes only where there are no rules at all.
 *
 * @param config  NULL: the defaults
 * @return        0, CMW_ERR_VERSION, CMW_ERR_ARG or CMW_ERR_INVALID (`diag` names the option and
 *                the text), CMW_ERR_NOMEM
 * Cost:          allocates; a request costs a walk down a radix tree for each list, no allocation
 * Source:        RFC 4632, 3.1; RFC 4291, 2.3 and 2.5.5.2
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_ip_filter_create(cmw_engine *engine, cmw_middleware *middleware,
                                               const cmw_ip_filter_config *config, cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_IP_FILTER_H */
