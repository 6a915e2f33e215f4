/* SPDX-License-Identifier: MIT */
/*
 * `host_allow`: for which hosts requests are answered at all.
 *
 * Kind name "host_allow", priority 70. Closes DNS rebinding, poisoned links and caches: what names
 * no host of ours, two hosts, or none, ends here.
 */
#ifndef CATZILLA_BUILTIN_HOST_ALLOW_H
#define CATZILLA_BUILTIN_HOST_ALLOW_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Options. Clear with cmw_host_allow_config_init. */
typedef struct cmw_host_allow_config {
    size_t size;              /**< set by cmw_host_allow_config_init */
    const char *const *hosts; /**< "a.example"; "*.a.example" for every name below it, at any depth,
                                   but not itself; "192.0.2.1", "[2001:db8::1]"; "*" for every
                                   valid host. Without ports, in any case. At least one */
    size_t host_count;        /**< of `hosts` */
    int64_t status;           /**< for a host that is not listed, 400 to 499. Default 421 */
} cmw_host_allow_config;

/** Fill the defaults, to which `hosts` must be added. Cost: O(1). */
static inline void cmw_host_allow_config_init(cmw_host_allow_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->status = 421;
}

/**
 * Fill a descriptor.
 *
 * 400: no host, several Host fields, one that is no host, or one that names another host than the
 * target or `:authority`. With "*" an HTTP/1.0 request may lack a host. `status`: a host that is
 * not listed. The port of the request is not looked at.
 *
 * @param config  without `hosts` it is refused, so NULL is too
 * @return        0, CMW_ERR_VERSION, CMW_ERR_ARG or CMW_ERR_INVALID (`diag` names the option and
 *                the text), CMW_ERR_NOMEM
 * Cost:          allocates; a request costs one walk over its host, however many are listed; no
 *                allocation
 * Source:        RFC 9112, 3.2; RFC 9113, 8.3.1; RFC 9110, 15.5.20
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_host_allow_create(cmw_engine *engine, cmw_middleware *middleware,
                                                const cmw_host_allow_config *config,
                                                cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_HOST_ALLOW_H */
