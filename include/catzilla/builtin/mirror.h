/* SPDX-License-Identifier: MIT */
/*
 * `mirror`: a share of the requests is copied, for those who test a new version with them.
 *
 * Kind name "mirror", priority 950. Requests are copied when they are complete, into places that
 * were taken beforehand; cmw_engine_poll hands the copies over. Nothing waits: what finds no place
 * is not copied, and counted.
 */
#ifndef CATZILLA_BUILTIN_MIRROR_H
#define CATZILLA_BUILTIN_MIRROR_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** A copy. Valid during the call that hands it over. */
typedef struct cmw_mirror_request {
    cmw_str method;
    cmw_str target;            /**< as it came */
    const cmw_header *headers; /**< as the handler saw them, without those that are left out */
    size_t header_count;
    cmw_str body;
    cmw_address client;
    uint64_t wall_ns; /**< when it began, since 1970-01-01 UTC */
    int status;       /**< what it was answered; 0: nothing */
} cmw_mirror_request;

/** Takes a copy. Called by cmw_engine_poll, one at a time, on whichever thread polls. */
typedef void cmw_mirror_fn(void *self, const cmw_mirror_request *copy);

/** The most places, and the bytes of one. */
#define CMW_MIRROR_PLACES_MAX 65536
#define CMW_MIRROR_PLACE_BYTES_MAX 16777216

/** Options. Clear with cmw_mirror_config_init. One of `deliver` and `output` is needed. */
typedef struct cmw_mirror_config {
    size_t size;                  /**< set by cmw_mirror_config_init */
    int64_t share_permille;       /**< of the requests, 1 to 1,000. Default 10 */
    int64_t places;               /**< copies that may wait. Default 64 */
    int64_t place_bytes;          /**< of one copy, names, values and body; a longer one is not
                                       copied. Default 16,384 */
    int body;                     /**< 1: the body too. Default 1 */
    const char *const *leave_out; /**< fields that are not copied. Default: Authorization, Cookie,
                                       Proxy-Authorization and X-API-Key */
    size_t leave_out_count;       /**< of `leave_out` */
    cmw_mirror_fn *deliver;       /**< or NULL */
    void *deliver_self;           /**< must outlive the engine's plans */
    const char *output;           /**< a file that copies are added to as HTTP/1.1 messages; NULL or
                                       "": none */
} cmw_mirror_config;

/** Fill the defaults: see cmw_mirror_config_init. */
CMW_API void cmw_mirror_config_init_sized(cmw_mirror_config *config, size_t size);

/** Fill the defaults; `config` is a pointer to one. Cost: O(1). */
#define cmw_mirror_config_init(config) cmw_mirror_config_init_sized((config), sizeof *(config))

/**
 * Fill a descriptor.
 *
 * @return  0, CMW_ERR_VERSION, CMW_ERR_ARG or CMW_ERR_INVALID (`diag` names the option), CMW_ERR_IO
 *          where the file cannot be opened, CMW_ERR_NOMEM
 * Cost:    allocates `places` times `place_bytes`; a request that is not copied costs a random
 *          number, one that is O(bytes), no allocation
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_mirror_create(cmw_engine *engine, cmw_middleware *middleware,
                                            const cmw_mirror_config *config, cmw_diag *diag);

/** What happened so far. */
typedef struct cmw_mirror_stats {
    size_t size;        /**< sizeof this struct, set by the caller */
    uint64_t copied;    /**< copies made */
    uint64_t delivered; /**< and handed over */
    uint64_t full;      /**< not copied: no place was free */
    uint64_t too_long;  /**< not copied: longer than a place */
    uint64_t failed;    /**< copies that the file did not take */
} cmw_mirror_stats;

/** Read the counts of a middleware of cmw_mirror_create. @return 0, CMW_ERR_ARG, CMW_ERR_VERSION.
 * Threads: any. */
CMW_API CMW_NODISCARD int cmw_mirror_get_stats(const cmw_middleware *middleware,
                                               cmw_mirror_stats *stats);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_MIRROR_H */
