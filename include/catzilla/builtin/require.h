/* SPDX-License-Identifier: MIT */
/*
 * `require`: who may pass, by what is known of the principal.
 *
 * Kind name "require", priority 500. Requires slot "principal", which a middleware before it
 * provides. Each option that is given must hold; without any, whoever is known passes. 401 where
 * nobody is known, else 403; a principal that came by "bearer" is told `insufficient_scope`.
 */
#ifndef CATZILLA_BUILTIN_REQUIRE_H
#define CATZILLA_BUILTIN_REQUIRE_H

#include <catzilla/chain.h>
#include <catzilla/middleware.h>

CMW_BEGIN_DECLS

/** Options. Clear with cmw_require_config_init. A list that is given names at least one. */
typedef struct cmw_require_config {
    size_t size;            /**< set by cmw_require_config_init */
    const char *const *ids; /**< the principal's id is one of these */
    size_t id_count;
    const char *const *any_role; /**< it has one of these roles */
    size_t any_role_count;
    const char *const *all_roles; /**< it has each of these roles */
    size_t all_role_count;
    const char *const *any_scope; /**< it has one of these scopes */
    size_t any_scope_count;
    const char *const *all_scopes; /**< it has each of these scopes */
    size_t all_scope_count;
    const char *realm; /**< of the challenge to bearers. NULL: "restricted" */

    cmw_predicate_fn *allows; /**< and this returns more than 0; a negative result, a fault, denies.
                                   NULL: not asked. Given alone, the slot "principal" is not
                                   required: it may judge by other slots, or none */
    void *allows_self;        /**< must live as long as the plan */
    const cmw_slot *reads;    /**< slots and facts that `allows` requires; copied */
    size_t read_count;        /**< at most 8 */
} cmw_require_config;

/** Fill the defaults. Cost: O(1). */
static inline void cmw_require_config_init(cmw_require_config *config)
{
    memset(config, 0, sizeof *config);
    config->size = sizeof *config;
}

/**
 * Fill a descriptor.
 *
 * @param config  copied, `allows_self` excepted; NULL: the defaults, which admit whoever is known
 * @return        0; CMW_ERR_ARG for an empty list or too many `reads`; CMW_ERR_INVALID for a name
 *                that cannot be; CMW_ERR_CONFLICT if slot "principal" has another shape;
 *                CMW_ERR_VERSION; CMW_ERR_NOMEM
 * Ownership:     the descriptor's `self` passes to the chain that takes it, or is the caller's to
 *                destroy
 * Cost:          allocates; a request costs O(names in the options * names of the principal), no
 *                allocation
 * Source:        RFC 9110, 15.5.2 and 15.5.4; RFC 6750, 3.1
 * Since:         0.1
 */
CMW_API CMW_NODISCARD int cmw_require_create(cmw_engine *engine, cmw_middleware *middleware,
                                             const cmw_require_config *config, cmw_diag *diag);

CMW_END_DECLS

#endif /* CATZILLA_BUILTIN_REQUIRE_H */
