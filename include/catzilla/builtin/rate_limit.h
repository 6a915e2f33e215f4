/* SPDX-License-Identifier: MIT */
/*
 * `rate_limit`: how many requests a client may send in a time.
 *
 * Kind name "rate_limit", priority 300. Each request takes from a quota that belongs to its key:
 * the client's address, a field, the principal, or several of them together. What does not fit is
 * answered 429 with Retry-After; every counted response says how much is left (RateLimit,
 * RateLimit-Policy). Several limits may hold at once: a request passes if all let it pass, and
 * takes from none of them if one refuses it.
 *
 * Keys lie in a table of fixed size, of keyed hashes, that processes may share. When a new key
 * finds no place, `full` says what happens; nobody can push out another's entry.
 *
 * Provides fact "rate_limit", so that costly authentication is placed behind it, unless a key is
 * "principal" or "slot:...": that slot is then required, and the limit stands behind
 * authentication.
 */
#ifndef CATZILLA_BUILTIN_RATE_LIMIT_H
#define CATZILLA_BUILTIN_RATE_LIMIT_H

#include <catzilla/chain.h>
#include <catzilla/context.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** How a limit counts. */
typedef enum cmw_rate_algorithm {
    CMW_RATE_GCRA = 0,          /**< evenly: `burst` at once, then one each window / limit */
    CMW_RATE_FIXED_WINDOW = 1,  /**< `limit` in each window, which a key's first request opens */
    CMW_RATE_SLIDING_WINDOW = 2 /**< `limit` in any stretch of a window's length, by counting the
                                     last window in proportion */
} cmw_rate_algorithm;

/** What happens where the table has no place for a key, or the store fails. */
typedef enum cmw_rate_fallback {
    CMW_RATE_REFUSE = 0, /**< 503 with Retry-After; counted */
    CMW_RATE_ALLOW = 1   /**< the request passes uncounted; that is counted */
} cmw_rate_fallback;

/** The most limits of one middleware, parts of one key, keys of one table; the largest limit. */
#define CMW_RATE_LIMITS_MAX 8
#define CMW_RATE_KEY_PARTS_MAX 8
#define CMW_RATE_ENTRIES_MAX 268435456
#define CMW_RATE_LIMIT_MAX 16777215
#define CMW_RATE_WINDOW_MS_MAX 31622400000

/** One of several limits. Fill the defaults with cmw_rate_limit_rule_init. */
typedef struct cmw_rate_limit_rule {
    size_t size;             /**< set by cmw_rate_limit_rule_init */
    const char *policy_name; /**< in RateLimit and RateLimit-Policy; NULL: "default", and for the
                                  second and later ones "default-2" and so on */
    int algorithm;           /**< cmw_rate_algorithm */
    int64_t limit;           /**< requests a window: 1..CMW_RATE_LIMIT_MAX */
    int64_t window_ms;       /**< 1..CMW_RATE_WINDOW_MS_MAX */
    int64_t burst;           /**< GCRA: how many pass at once; 0: as `limit` */
    const char *const *key;  /**< what it counts by, see cmw_rate_limit_config.key */
    size_t key_count;
} cmw_rate_limit_rule;

static inline void cmw_rate_limit_rule_init(cmw_rate_limit_rule *rule)
{
    memset(rule, 0, sizeof *rule);
    rule->size = sizeof *rule;
    rule->limit = 100;
    rule->window_ms = 60000;
}

/* ---- Stores ----------------------------------------------------------------------------- */

/** What a store is asked for one limit of a request. Valid during the call. */
typedef struct cmw_rate_take {
    const char *policy_name;
    cmw_str key; /**< each part of the key, after its length in four bytes, lowest first: no two
                      keys have the same bytes */
    uint64_t window_ns;
    int algorithm;  /**< cmw_rate_algorithm */
    uint32_t limit; /**< requests a window */
    uint32_t burst; /**< GCRA: capacity; else equal to `limit` */
    uint32_t cost;  /**< at least 1 */
} cmw_rate_take;

/** What a store answers for one limit. */
typedef struct cmw_rate_result {
    int is_allowed;
    uint32_t remaining; /**< how much more would pass now */
    uint64_t reset_ns;  /**< until all of the quota is there again */
    uint64_t retry_ns;  /**< if refused: until the same request could pass */
} cmw_rate_result;

/** What cmw_rate_store.take returns; a negative CMW_ERR_* means that the store failed. */
typedef enum cmw_rate_answer {
    CMW_RATE_TAKEN = 0,  /**< all results are filled */
    CMW_RATE_PENDING = 1 /**< they come later: only from a store with CMW_RATE_STORE_ASYNC */
} cmw_rate_answer;

/** Bits of cmw_rate_store.flags. */
enum cmw_rate_store_flags {
    CMW_RATE_STORE_ASYNC = 1 /**< it may answer later. The middleware then declares that it suspends
                                  in pre_route: the server must be able to wait */
};

/**
 * Where quotas are kept, if not in the table: a server that several machines share, a database.
 * Copied; what `self` points to must outlive the plans that use it.
 */
typedef struct cmw_rate_store {
    size_t size;    /**< sizeof(cmw_rate_store) */
    uint32_t flags; /**< enum cmw_rate_store_flags */
    void *self;

    /**
     * Take the cost of one request from all of its limits, or from none if one refuses.
     *
     * Called on the context's worker, once a request. An asynchronous store calls cmw_ctx_suspend
     * for a token, copies what it needs, returns CMW_RATE_PENDING, and later calls cmw_resume with
     * CMW_CONTINUE and `data` pointing to `count` results, which it gets back by `release`; with
     * another verdict, or NULL, it has failed.
     *
     * @param      takes    `count` of them, 1..CMW_RATE_LIMITS_MAX
     * @param[out] results  as many
     * @return              cmw_rate_answer, or a negative CMW_ERR_*: see
     *                      cmw_rate_limit_config.on_store_failure
     */
    int (*take)(void *self, cmw_ctx *ctx, const cmw_rate_take *takes, cmw_rate_result *results,
                size_t count);
    /** Asynchronous: done with what resuming delivered. Any thread; or NULL. */
    void (*release)(void *self, cmw_rate_result *results);
} cmw_rate_store;

/* ---- Configuration ---------------------------------------------------------------------- */

/** A key of one's own. @return 0, or an error: the request then fails (500). */
typedef int cmw_rate_key_fn(void *self, cmw_ctx *ctx, cmw_str *key);

/** What a request costs: 1 is the usual; 0: it is not counted and gets no fields. */
typedef uint32_t cmw_rate_cost_fn(void *self, cmw_ctx *ctx);

/** Options. Clear with cmw_rate_limit_config_init. */
typedef struct cmw_rate_limit_config {
    size_t size; /**< set by cmw_rate_limit_config_init */

    /*
     * One limit. What is 0 or NULL has the default; all must be so where `limits` is given.
     */
    const char *policy_name; /**< default "default" */
    int algorithm;           /**< cmw_rate_algorithm. Default: GCRA */
    int64_t limit;           /**< default 100 */
    int64_t window_ms;       /**< default 60,000 */
    int64_t burst;           /**< default: `limit` */

    /**
     * What the quota belongs to: one part, or several that make one key together. Default "ip".
     *
     *   ip           the client's address: IPv6 by `ipv6_prefix`, mapped IPv4 as IPv4, all local
     *                sockets as one
     *   header:Name  the first field of that name; requests without it share one quota
     *   principal    the id in slot "principal" (principal.h); required
     *   slot:NAME    the bytes of a slot, which must be declared; required
     *   route        the route that was entered; only useful in a route's own group
     *   host, path, method
     *   callback     what `key_fn` says
     */
    const char *const *key;
    size_t key_count;

    const cmw_rate_limit_rule *limits; /**< several limits; or NULL */
    size_t limit_count;                /**< 0..CMW_RATE_LIMITS_MAX */

    int64_t status;                  /**< of a refusal: 400..599. Default 429 */
    const char *const *header_style; /**< "draft-8" (default), "draft-7", "draft-6": one of them;
                                          "legacy" (X-RateLimit-*), alone or beside; or "none" */
    size_t header_style_count;
    int64_t ipv6_prefix; /**< 1..128 bits of an IPv6 address count. Default 64 */
    int64_t entries;     /**< keys that the table of each limit has places for, rounded up to a
                              power of two: 16 bytes each. Default 65,536 */
    int full;            /**< cmw_rate_fallback for a new key without a place. Default: refuse */
    const char *const *skip; /**< networks whose clients are not counted */
    size_t skip_count;

    cmw_predicate_fn *skip_if; /**< not 0: the request is not counted; or NULL */
    void *skip_self;
    cmw_rate_key_fn *key_fn; /**< for the key part "callback" */
    void *key_self;
    cmw_rate_cost_fn *cost_fn; /**< NULL: each request costs 1 */
    void *cost_self;

    void *memory; /**< where the tables lie, aligned to 64: zeroed, or used before for the same
                       limits, in this or another process; must outlive the plans. NULL: the
                       engine's shared pool, kept while one plan follows another */
    size_t memory_bytes;         /**< at least cmw_rate_limit_memory_bytes */
    const cmw_rate_store *store; /**< in place of the tables; or NULL */
    int on_store_failure;        /**< cmw_rate_fallback. Default: refuse */
} cmw_rate_limit_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_rate_limit_config_init(cmw_rate_limit_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->status = 429;
    config->ipv6_prefix = 64;
    config->entries = 65536;
}

/**
 * Fill a descriptor.
 *
 * @param config  NULL: the defaults, 100 requests a minute for each client address
 * @return        0, CMW_ERR_VERSION; CMW_ERR_ARG, CMW_ERR_INVALID, CMW_ERR_NOT_FOUND,
 *                CMW_ERR_CONFLICT (`diag` names the option); CMW_ERR_NOMEM; CMW_ERR_IO without
 *                random bytes; CMW_ERR_STATE for `memory` that another process does not finish
 * Cost:          allocates the tables; a request costs a hash, one line of memory and one
 *                compare-and-swap for each limit, and no allocation
 * Source:        draft-ietf-httpapi-ratelimit-headers-10; RFC 6585, 4; RFC 9110, 10.2.3
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_rate_limit_create(cmw_engine *engine, cmw_middleware *middleware,
                                                const cmw_rate_limit_config *config,
                                                cmw_diag *diag);

/**
 * Bytes that cmw_rate_limit_config.memory needs.
 *
 * @param limit_count  1 for a config without `limits`
 * @param entries      as in the config
 * @return             0 if one of them is out of range
 * Cost:               O(1)
 * Since:              0.1
 */
CMW_API size_t cmw_rate_limit_memory_bytes(size_t limit_count, int64_t entries);

/** What happened so far, in all processes that share the tables. */
typedef struct cmw_rate_limit_stats {
    size_t size;             /**< sizeof(cmw_rate_limit_stats) */
    uint64_t refused;        /**< over a limit */
    uint64_t refused_full;   /**< no place in the table */
    uint64_t allowed_full;   /**< let pass without one */
    uint64_t store_failures; /**< refused or let pass, as the option says */
} cmw_rate_limit_stats;

/**
 * Read the counters of a middleware that cmw_rate_limit_create has filled.
 *
 * @param middleware  the descriptor; its chain or plan must still be there
 * @return            0, CMW_ERR_ARG for another kind, CMW_ERR_VERSION
 * Threads:           any
 * Cost:              O(1)
 * Since:             0.1
 */
CMW_API CMW_NODISCARD int cmw_rate_limit_get_stats(const cmw_middleware *middleware,
                                                   cmw_rate_limit_stats *stats);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_RATE_LIMIT_H */
