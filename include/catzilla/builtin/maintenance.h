/* SPDX-License-Identifier: MIT */
/*
 * `maintenance`: while a switch is on, the service is away, and says so.
 *
 * Kind name "maintenance", priority 260, after cors: a preflight is answered, and a refused request
 * tells its script why. The answer is 503 with Retry-After and `Cache-Control: no-store`.
 */
#ifndef CATZILLA_BUILTIN_MAINTENANCE_H
#define CATZILLA_BUILTIN_MAINTENANCE_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>
#include <catzilla/switch.h>

CMW_BEGIN_DECLS

/** Options. Clear with cmw_maintenance_config_init. */
typedef struct cmw_maintenance_config {
    size_t size;              /**< set by cmw_maintenance_config_init */
    int enabled;              /**< 1: away whatever the switch says. Default 0 */
    const char *switch_name;  /**< of the cmw_switch. Default "maintenance" */
    int64_t retry_after_s;    /**< 0: no Retry-After. Default 300 */
    const char *const *allow; /**< networks whose clients are served all the same */
    size_t allow_count;       /**< of `allow` */
    const char *html;         /**< body for everyone; NULL: a problem document (RFC 9457) */
    const char *detail;       /**< of the problem document; NULL: "down for maintenance" */
} cmw_maintenance_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_maintenance_config_init(cmw_maintenance_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->switch_name = "maintenance";
    config->retry_after_s = 300;
}

/**
 * Fill a descriptor.
 *
 * @param config  NULL: the defaults
 * @return        0; CMW_ERR_VERSION; CMW_ERR_INVALID for a network that is none, CMW_ERR_ARG for
 *                another option (`diag` names it); CMW_ERR_NOMEM
 * Cost:          allocates; a request costs a load while the switch is off
 * Source:        RFC 9110, 10.2.3 (Retry-After), 15.6.4 (503)
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_maintenance_create(cmw_engine *engine, cmw_middleware *middleware,
                                                 const cmw_maintenance_config *config,
                                                 cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_MAINTENANCE_H */
