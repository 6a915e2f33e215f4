/* SPDX-License-Identifier: MIT */
/*
 * Chains and plans: the list that a program builds, and what compiling it gives.
 *
 * A chain is mutable and has one owner. A plan is immutable, flat, counted, and shared by all
 * threads. Compiling checks the order; whatever is wrong is named in one sentence.
 */
#ifndef CATZILLA_CHAIN_H
#define CATZILLA_CHAIN_H

#include <catzilla/base.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** The list that a program builds. One thread at a time. */
typedef struct cmw_chain cmw_chain;

/** A group of a chain: conditions shared by what is in it. Owned by the chain. */
typedef struct cmw_group cmw_group;

/** A compiled chain. Immutable; any thread. */
typedef struct cmw_plan cmw_plan;

/* ---- Kinds ------------------------------------------------------------------------------ */

/** The type of an option, which is the type of the config struct's member at its offset. */
typedef enum cmw_option_type {
    CMW_OPTION_BOOL = 1,        /**< int */
    CMW_OPTION_INT = 2,         /**< int64_t */
    CMW_OPTION_TEXT = 3,        /**< const char * */
    CMW_OPTION_TEXT_LIST = 4,   /**< const char *const *, and a size_t right after it; a config file
                                     may give one text instead of a list of one */
    CMW_OPTION_CHOICE = 5,      /**< int: the index in `choices` */
    CMW_OPTION_SWITCH = 6,      /**< const char *: true leaves it alone, false makes it "" */
    CMW_OPTION_TEXT_MAP = 7,    /**< const cmw_option_text *, and a size_t right after it */
    CMW_OPTION_LIST_MAP = 8,    /**< const cmw_option_list *, and a size_t right after it */
    CMW_OPTION_OBJECT = 9,      /**< const T *, NULL if it is not given; T as `members` describe */
    CMW_OPTION_OBJECT_LIST = 10 /**< const T *, and a size_t right after it */
} cmw_option_type;

/** A member of a CMW_OPTION_TEXT_MAP: `"name": "text"`. */
typedef struct cmw_option_text {
    const char *name;
    const char *text;
} cmw_option_text;

/** A member of a CMW_OPTION_LIST_MAP: `"name": ["text", ...]`, also `"name": "text"`. */
typedef struct cmw_option_list {
    const char *name;
    const char *const *texts;
    size_t count;
} cmw_option_list;

/** Bits of cmw_option.flags. */
enum cmw_option_flags {
    CMW_OPTION_REQUIRED = 1, /**< its object is refused without it */
    CMW_OPTION_SECRET = 2    /**< never printed */
};

/**
 * One option of a kind: what a config file may say, and where it goes.
 *
 * A name may stand in several rows of one table, each of another type: a config file's value goes
 * to the row whose type it has (`trust_incoming`: true, or a list of networks). What a row leaves
 * out is 0.
 */
typedef struct cmw_option {
    const char *name; /**< as in a config file, "max_age" */
    cmw_option_type type;
    uint32_t flags;      /**< enum cmw_option_flags */
    size_t offset;       /**< of the member in the kind's config struct */
    int64_t min, max;    /**< for CMW_OPTION_INT; equal: no bounds */
    const char *choices; /**< for CMW_OPTION_CHOICE: "keep|strip|add" */
    const char *help;    /**< one sentence */

    const struct cmw_option *members; /**< of CMW_OPTION_OBJECT and _OBJECT_LIST: T's own table */
    size_t member_count;
    size_t object_size;                /**< sizeof(T) */
    void (*object_init)(void *object); /**< fill T's defaults; NULL: all zero */
} cmw_option;

/**
 * A named type of middleware: an option table and a `create`. Static or living as long as the
 * engine; nothing of it is copied.
 */
typedef struct cmw_kind {
    size_t size;         /**< sizeof(cmw_kind) */
    const char *name;    /**< "cors" */
    const char *summary; /**< one sentence */
    const cmw_option *options;
    size_t option_count;
    size_t config_size;                /**< of its config struct, which begins with size_t size */
    void (*config_init)(void *config); /**< fill the defaults */

    /**
     * Fill a descriptor from a config (NULL: the defaults), which it copies what it needs from.
     *
     * `middleware` was cleared by cmw_middleware_init and then given the name of the instance,
     * which `create` may read and must leave.
     *
     * @return 0, or an error with `diag` saying which option is wrong and why; nothing is kept
     */
    int (*create)(cmw_engine *engine, cmw_middleware *middleware, const void *config,
                  cmw_diag *diag);
} cmw_kind;

/**
 * Make a kind usable by name.
 *
 * @return 0; CMW_ERR_EXISTS if the name is taken; CMW_ERR_ARG; CMW_ERR_NOMEM
 * Threads: any
 * Cost:    allocates
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_kind_register(cmw_engine *engine, const cmw_kind *kind);

/** The kind with a name, or NULL. Built-ins are registered with every engine. */
CMW_API const cmw_kind *cmw_kind_find(cmw_engine *engine, const char *name);

/** The kind at an index, in order of registration; NULL past the last one. */
CMW_API const cmw_kind *cmw_kind_at(cmw_engine *engine, size_t index);

/* ---- Building --------------------------------------------------------------------------- */

/** Bits of a chain's order. */
enum cmw_chain_flags {
    CMW_ORDER_ONION = 1 /**< post_route runs in reverse order */
};

/**
 * Make an empty chain.
 *
 * @param[out] out    the chain; unchanged on failure
 * @param      flags  enum cmw_chain_flags
 * @return            0, CMW_ERR_ARG, CMW_ERR_NOMEM
 * Ownership:         the caller's; cmw_chain_destroy. The engine must outlive it
 * Threads:           any; afterwards one at a time
 * Cost:              allocates, as everything about chains
 * Since:             0.1
 */
CMW_API CMW_NODISCARD int cmw_chain_create(cmw_engine *engine, cmw_chain **out, unsigned flags);

/** Destroy a chain; plans made of it go on. NULL is ignored. */
CMW_API void cmw_chain_destroy(cmw_chain *chain);

/**
 * Add a middleware. The chain takes `self` only if this returns 0.
 *
 * @param diag  why it was refused, or NULL
 * @return      0; CMW_ERR_EXISTS for a name that the chain has; CMW_ERR_ARG for a priority, status,
 *              relation or flag out of range; CMW_ERR_INVALID for a bad pattern, host, method or
 *              field; CMW_ERR_CONFLICT where the descriptor contradicts itself; CMW_ERR_VERSION;
 *              CMW_ERR_NOMEM
 * Since:       0.1
 */
CMW_API CMW_NODISCARD int cmw_chain_add(cmw_chain *chain, const cmw_middleware *middleware,
                                        cmw_diag *diag);

/** The same, into a group. */
CMW_API CMW_NODISCARD int cmw_group_add(cmw_group *group, const cmw_middleware *middleware,
                                        cmw_diag *diag);

/**
 * Add an instance of a kind, under the kind's name.
 *
 * @param config  the kind's config struct; NULL: its defaults
 * @return        as cmw_chain_add; CMW_ERR_NOT_FOUND for an unknown kind; whatever `create` says
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_chain_use(cmw_chain *chain, const char *kind, const void *config,
                                        cmw_diag *diag);

/** Add several kinds with their defaults; all or none. */
CMW_API CMW_NODISCARD int cmw_chain_use_builtins(cmw_chain *chain, const char *const *kinds,
                                                 size_t count, cmw_diag *diag);

/** What a group is. Clear it with cmw_group_config_init. */
typedef struct cmw_group_config {
    size_t size;                    /**< set by cmw_group_config_init */
    const char *name;               /**< for explain and diagnostics */
    const cmw_condition *condition; /**< or NULL */
    uint32_t route_id;              /**< CMW_NONE: not a route's. Else the group's middleware runs
                                         only when cmw_ctx_enter_route names this id */
} cmw_group_config;

/** Clear a group's configuration: no condition, no route. Cost: O(1). */
static inline void cmw_group_config_init(cmw_group_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
    config->route_id = CMW_NONE;
}

/**
 * Add a group, which adds conditions to what is in it and nothing else.
 *
 * @param[out] out     the group, the chain's
 * @param      parent  the enclosing group, or NULL
 * @return             0; CMW_ERR_ARG; CMW_ERR_INVALID for a bad condition; CMW_ERR_CONFLICT for a
 *                     route inside another route; CMW_ERR_NOMEM
 * Since:              0.1
 */
CMW_API CMW_NODISCARD int cmw_chain_add_group(cmw_chain *chain, cmw_group **out, cmw_group *parent,
                                              const cmw_group_config *config, cmw_diag *diag);

/** How a middleware of a chain takes part. */
typedef enum cmw_mode {
    CMW_MODE_ENABLED = 0,
    /**
     * Its callbacks run, and nothing of what they do to a request counts: fields, answers,
     * verdicts, slots and limits are checked, counted as what would have been
     * (cmw_middleware_stats) and undone; a token of cmw_ctx_suspend is stale at once. Its own state
     * does change: a shadowed rate limit counts, a shadowed access log writes. What it takes of the
     * request's memory is not taken from others. Slots that shadowed middleware sets are seen by
     * shadowed middleware only.
     */
    CMW_MODE_SHADOWED = 1,
    CMW_MODE_DISABLED = 2 /**< nothing of it runs */
} cmw_mode;

/**
 * Switch a middleware by name, for the next compiling, which refuses what cannot be: to disable or
 * shadow the provider of a slot that another requires, to shadow what refines or has a part in the
 * body.
 *
 * @return 0; CMW_ERR_NOT_FOUND; CMW_ERR_ARG
 * Threads: the chain's owner
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_chain_set_mode(cmw_chain *chain, const char *name, cmw_mode mode);
CMW_API CMW_NODISCARD int cmw_chain_enable(cmw_chain *chain, const char *name);
CMW_API CMW_NODISCARD int cmw_chain_shadow(cmw_chain *chain, const char *name);
CMW_API CMW_NODISCARD int cmw_chain_disable(cmw_chain *chain, const char *name);

/** Change a middleware's priority. @return 0, CMW_ERR_NOT_FOUND, CMW_ERR_ARG out of range */
CMW_API CMW_NODISCARD int cmw_chain_set_priority(cmw_chain *chain, const char *name,
                                                 int32_t priority);

/**
 * Waive the order rules by which a middleware reads a slot or fact. Explain shows the waiver.
 *
 * @return 0, CMW_ERR_NOT_FOUND if the chain has no such middleware or the engine no such slot
 * Since:  0.1
 */
CMW_API CMW_NODISCARD int cmw_chain_waive(cmw_chain *chain, const char *middleware,
                                          const char *slot);

/* ---- Compiling -------------------------------------------------------------------------- */

/**
 * Compile a chain.
 *
 * @param[out] out   the plan; unchanged on failure
 * @param[out] diag  why not: both sides of the conflict, their priorities and one that would hold
 * @return           0; CMW_ERR_ORDER, CMW_ERR_CYCLE, CMW_ERR_NOT_FOUND, CMW_ERR_CONFLICT,
 *                   CMW_ERR_LIMIT (slots), CMW_ERR_UNSUPPORTED, CMW_ERR_NOMEM
 * Ownership:        the caller's reference; cmw_plan_release
 * Threads:          the chain's owner
 * Cost:             O(n log n); allocates
 * Since:            0.1
 */
CMW_API CMW_NODISCARD int cmw_chain_compile(cmw_chain *chain, cmw_plan **out, cmw_diag *diag);

/** Count a reference up and down; the last one frees the plan. NULL is ignored. Any thread. */
CMW_API cmw_plan *cmw_plan_retain(cmw_plan *plan);
CMW_API void cmw_plan_release(cmw_plan *plan);

/**
 * How long the plan lets the head of a request take, in milliseconds; 0: no limit. For a server
 * that is configured with its plan; others ask cmw_worker_head_ms.
 *
 * Threads: any
 * Cost:    O(1)
 * Since:   0.1
 */
CMW_API uint64_t cmw_plan_head_ms(const cmw_plan *plan);

/** How explain and statistics are written. */
typedef enum cmw_format {
    CMW_FORMAT_TEXT = 0,
    CMW_FORMAT_JSON = 1,
    CMW_FORMAT_PROMETHEUS = 2 /**< of statistics alone: Prometheus' text format, 0.0.4 */
} cmw_format;

/** Takes a piece of text. Returns 0, or an error that ends the writing and is passed on. */
typedef int cmw_write_fn(void *self, const char *text, size_t len);

/**
 * Write what a plan will do: the order of each phase, conditions, blocks, slots, waivers.
 *
 * @return  0, CMW_ERR_ARG, CMW_ERR_NOMEM, or what `write` returned
 * Threads: any
 * Cost:    allocates; not for the request path
 * Since:   0.1
 */
CMW_API CMW_NODISCARD int cmw_plan_explain(const cmw_plan *plan, cmw_format format,
                                           cmw_write_fn *write, void *self);

/** A cmw_write_fn for a `FILE *`: returns CMW_ERR_IO when it cannot write. */
CMW_API int cmw_write_file(void *file, const char *text, size_t len);

CMW_END_DECLS

#endif /* CATZILLA_CHAIN_H */
