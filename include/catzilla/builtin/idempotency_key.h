/* SPDX-License-Identifier: MIT */
/*
 * `idempotency_key`: a request that is sent again with the same key is done once, and answered as
 * it was the first time.
 *
 * Kind name "idempotency_key", priority 710, behind authentication: a key is its sender's alone. It
 * keeps what the handler made, before other middleware adds its fields.
 */
#ifndef CATZILLA_BUILTIN_IDEMPOTENCY_KEY_H
#define CATZILLA_BUILTIN_IDEMPOTENCY_KEY_H

#include <catzilla/chain.h>
#include <catzilla/hash.h>
#include <catzilla/middleware.h>
#include <catzilla/store.h>

CMW_BEGIN_DECLS

/** Bounds of `ttl_s` and `lock_s`. */
#define CMW_IDEMPOTENCY_SECONDS_MAX 31536000
/** Bounds of `max_wait_ms` and `max_waiting`. */
#define CMW_IDEMPOTENCY_WAIT_MS_MAX 600000
#define CMW_IDEMPOTENCY_WAITING_MAX 1000000

/** What happens where a store has no room, or fails. */
typedef enum cmw_idempotency_fallback {
    CMW_IDEMPOTENCY_REFUSE = 0, /**< 503 with Retry-After; counted */
    CMW_IDEMPOTENCY_PASS = 1    /**< the request is handled as if it had no key; counted */
} cmw_idempotency_fallback;

/** What happens where the store in this process is full of what has not expired. */
typedef enum cmw_idempotency_full {
    CMW_IDEMPOTENCY_FULL_REFUSE = 0, /**< as `on_store_failure` says */
    CMW_IDEMPOTENCY_FULL_EVICT = 1   /**< what was stored longest ago goes: a repeat of that would
                                          be done again */
} cmw_idempotency_full;

/** Options. Clear with cmw_idempotency_key_config_init. */
typedef struct cmw_idempotency_key_config {
    size_t size;                /**< set by cmw_idempotency_key_config_init */
    const char *const *methods; /**< of requests whose key is looked at; NULL: POST and PATCH */
    size_t method_count;
    int required;           /**< 1: such a request without a key is answered 400. Default 0 */
    int strict;             /**< 1: only a string in quotes is a key, as the draft has it. 0, the
                                     default: visible ASCII without quotes, commas, semicolons and
                                     backslashes, too */
    int64_t max_key_length; /**< bytes between the quotes. Default 255 */
    int64_t ttl_s;          /**< how long an answer is kept. Default 86,400 */
    int64_t lock_s;         /**< after which a request that never ended is given up, as where a
                                     process that shares the store died. Default 3,600: longer than
                                     any request takes */
    int64_t max_response_bytes; /**< of a body; a longer one is not kept, and repeats are answered
                                     409. Default 64 KiB */
    int64_t max_bytes;          /**< of the store in this process. Default 16 MiB */
    int when_full;              /**< cmw_idempotency_full. Default: refuse */
    int on_store_failure;       /**< cmw_idempotency_fallback. Default: refuse */

    const cmw_store *store; /**< in place of the one in this process; or NULL */
    const cmw_hash_key
        *fingerprint_keys; /**< two of them; all who share a store have the same. Machines that do
                                so fill `words` with a secret of their own and leave `algorithm` 0.
                                NULL: random ones, for the store in this process */
    int64_t max_share; /**< percent of the store in this process that one principal may take, or one
                            address (of IPv6, 64 bits) without a principal, so that nobody fills it
                            alone; not looked at where it evicts. Default 25 */
    int64_t max_wait_ms; /**< for how long a repeat waits for the first request's answer, if that is
                              being handled in this process; then 409. Default 0: 409 at once, and
                              the server need not be able to wait */
    int64_t max_waiting; /**< requests that may wait at once, at least 1; others are answered 409.
                              Default 1,000 */
} cmw_idempotency_key_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_idempotency_key_config_init(cmw_idempotency_key_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->max_key_length = 255;
    config->ttl_s = 86400;
    config->lock_s = 3600;
    config->max_response_bytes = 65536;
    config->max_bytes = 16777216;
    config->max_share = 25;
    config->max_waiting = 1000;
}

/**
 * Fill a descriptor.
 *
 * A key holds for one principal (slot "principal"; without one, for all who have none), method,
 * host and path. With it the fingerprint of query, content type and body is kept, 128 bits of keyed
 * hashes. A repeat is answered
 *
 *   422  if its fingerprint is another one;
 *   409  with Retry-After, while the first request is being handled; or, by `max_wait_ms`, when
 *        that is answered. Where it fails, one of those who wait is handled in its place, and the
 *        others wait for that one, each of them for four such at most;
 *   409  if that has ended and its response was not kept: it was streamed, or too long;
 *   else by the first response, with `Idempotency-Replayed: true`.
 *
 * Kept are responses with a status under 500, but 408, 425 and 429; after the others, after a fault
 * and after a client that left before it was answered, the key is free again. Never kept:
 * Set-Cookie, Date, and the fields of a connection. Fields of other middleware are made anew.
 *
 * The content is kept while a chain is built again with the same name, `max_bytes`, `max_share` and
 * `when_full`.
 *
 * @param config  NULL: the defaults
 * @return        0; CMW_ERR_VERSION; CMW_ERR_ARG or CMW_ERR_INVALID (`diag` names the option);
 *                CMW_ERR_NOMEM; CMW_ERR_IO (no random bytes)
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy
 * Cost:          allocates; a request with a key costs one look-up, O(body) and, where it is the
 *                first one, the copy of its response; no allocation
 * Source:        draft-ietf-httpapi-idempotency-key-header-07; RFC 9651 (strings); RFC 9457
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_idempotency_key_create(cmw_engine *engine, cmw_middleware *middleware,
                                                     const cmw_idempotency_key_config *config,
                                                     cmw_diag *diag);

/** How it stands. */
typedef struct cmw_idempotency_key_stats {
    size_t size;         /**< sizeof this struct, set by the caller */
    uint64_t bytes;      /**< of the store in this process, as cmw_memory_store_stats; else 0 */
    uint64_t entries;    /**< of it */
    uint64_t first;      /**< requests that were the first ones with their keys */
    uint64_t replayed;   /**< answered as before */
    uint64_t in_flight;  /**< answered 409, while the first one was being handled */
    uint64_t mismatched; /**< answered 422 */
    uint64_t not_kept;   /**< responses that could not be kept */
    uint64_t freed;      /**< keys that are free again: a failure, or nobody was answered */
    uint64_t failed;     /**< requests for which the store had no room, or failed */
    uint64_t waited;     /**< waits that ended because the first request did */
    uint64_t expired;    /**< requests that waited for `max_wait_ms`, and were answered 409 */
    uint64_t waiting;    /**< requests that wait now */
} cmw_idempotency_key_stats;

/** Read it. @return 0, CMW_ERR_ARG, CMW_ERR_VERSION. Threads: any. */
CMW_API CMW_NODISCARD int cmw_idempotency_key_get_stats(const cmw_middleware *middleware,
                                                        cmw_idempotency_key_stats *stats);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_IDEMPOTENCY_KEY_H */
