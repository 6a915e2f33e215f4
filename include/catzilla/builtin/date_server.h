/* SPDX-License-Identifier: MIT */
/*
 * `date_server`: the Date field of every response, and Server.
 *
 * Kind name "date_server", priority 20. Fields that are there already stay. A server that sends
 * Date by itself needs only the second half.
 */
#ifndef CATZILLA_BUILTIN_DATE_SERVER_H
#define CATZILLA_BUILTIN_DATE_SERVER_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Options. Clear with cmw_date_server_config_init. */
typedef struct cmw_date_server_config {
    size_t size;        /**< set by cmw_date_server_config_init */
    int date;           /**< 1: send Date. Default 1 */
    const char *server; /**< value of Server; NULL or "": none. Default NULL: names and versions
                           help attackers more than anybody else */
} cmw_date_server_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_date_server_config_init(cmw_date_server_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->date = 1;
}

/**
 * Fill a descriptor.
 *
 * The date is written once a second and worker, from the wall clock at the request's beginning.
 *
 * @param config  NULL: the defaults
 * @return        0, CMW_ERR_VERSION, CMW_ERR_ARG for a config that asks for nothing,
 *                CMW_ERR_INVALID for a value that no field has, CMW_ERR_NOMEM
 * Cost:          allocates, 64 bytes for each worker that there may be; a response costs a field
 * Source:        RFC 9110, 6.6.1 (Date), 10.2.4 (Server)
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_date_server_create(cmw_engine *engine, cmw_middleware *middleware,
                                                 const cmw_date_server_config *config,
                                                 cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_DATE_SERVER_H */
