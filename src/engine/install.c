/* SPDX-License-Identifier: MIT */
/*
 * Installing plans.
 *
 * An installation holds its plan and has room for every worker's counts, so that no request
 * allocates when it first meets the plan. Each worker is told by one store, takes the lock once and
 * moves over; the old installation goes when its last worker has let go.
 */
#include "ctx_state.h"
#include "registry.h"

/* ---- Uses ------------------------------------------------------------------------------- */

/* The head and the counters; the histograms follow. */
static size_t counted_bytes(const cmw_plan *plan)
{
    return (sizeof(struct cmw__plan_use) + plan->counter_count * sizeof(cmw__counter) + 63) &
           ~(size_t)63;
}

static size_t use_bytes(const cmw_plan *plan)
{
    return counted_bytes(plan) +
           (size_t)plan->histogram_count * CMW__HISTOGRAM_BUCKETS * sizeof(uint32_t);
}

int cmw__installed_add_use(cmw_engine *engine, struct cmw__installed *installed, uint32_t worker)
{
    cmw_plan *plan = installed->plan;
    const size_t bytes = use_bytes(plan);

    if (installed->uses[worker])
        return 0;
    char *piece = cmw_pool_alloc(engine->pools[CMW_POOL_PLAN], bytes, 64);
    if (!piece)
        return CMW_ERR_NOMEM;
    memset(piece, 0, bytes);
    struct cmw__plan_use *use = (struct cmw__plan_use *)(void *)piece;
    use->plan = plan;
    use->histograms = (_Atomic uint32_t *)(void *)(piece + counted_bytes(plan));
    use->installed = installed;
    use->alloc_bytes = bytes;
    installed->uses[worker] = use;
    return 0;
}

/* ---- Installations ---------------------------------------------------------------------- */

/* The head, `uses` and `rows`. The first histogram is no row's. */
static size_t installed_bytes(uint32_t worker_limit, const cmw_plan *plan)
{
    return sizeof(struct cmw__installed) + worker_limit * sizeof(struct cmw__plan_use *) +
           plan->histogram_count * sizeof(struct cmw__ledger_entry *);
}

static void free_installed(cmw_engine *engine, struct cmw__installed *installed)
{
    cmw_pool *pool = engine->pools[CMW_POOL_PLAN];
    const size_t bytes = installed_bytes(installed->worker_limit, installed->plan);

    for (uint32_t i = 0; i < installed->worker_limit; i++)
        if (installed->uses[i])
            cmw_pool_free(pool, installed->uses[i], installed->uses[i]->alloc_bytes, 64);
    if (installed->baseline)
        cmw_pool_free(pool, installed->baseline, installed->baseline_bytes, 16);
    cmw__plan_release(installed->plan);
    cmw_pool_free(pool, installed, bytes, 16);
}

static void drop_installed(cmw_engine *engine, struct cmw__installed *installed)
{
    struct cmw__installed **at = &engine->installed;
    while (*at != installed)
        at = &(*at)->next;
    *at = installed->next;
    cmw__ledger_fold(engine, installed);
    cmw__ledger_close_rows(installed);
    installed->next = engine->dropped;
    engine->dropped = installed;
}

void cmw__engine_unlock(cmw_engine *engine)
{
    struct cmw__installed *installed = engine->dropped;

    engine->dropped = NULL;
    cmw__mutex_unlock(&engine->lock);
    while (installed) {
        struct cmw__installed *next = installed->next;
        free_installed(engine, installed);
        installed = next;
    }
}

void cmw__installed_drop(cmw_engine *engine, struct cmw__installed *installed)
{
    installed->holders--;
    if (installed->holders > 0 || installed == engine->installed)
        return;
    drop_installed(engine, installed);
}

void cmw__installed_destroy_all(cmw_engine *engine)
{
    struct cmw__installed *installed;
    while ((installed = engine->installed) != NULL) {
        engine->installed = installed->next;
        cmw__ledger_close_rows(installed);
        free_installed(engine, installed);
    }
}

static struct cmw__installed *create_installed(cmw_engine *engine, cmw_plan *plan)
{
    const size_t bytes = installed_bytes(engine->worker_limit, plan);
    struct cmw__installed *installed = cmw_pool_alloc(engine->pools[CMW_POOL_PLAN], bytes, 16);

    if (!installed)
        return NULL;
    memset(installed, 0, bytes);
    installed->plan = plan;
    installed->worker_limit = engine->worker_limit;
    installed->uses = (struct cmw__plan_use **)(void *)(installed + 1);
    installed->rows = (struct cmw__ledger_entry **)(void *)(installed->uses + engine->worker_limit);
    cmw__plan_retain(plan);
    int rc = cmw__ledger_open_rows(engine, installed);
    for (uint32_t i = 0; i < engine->worker_count && rc == 0; i++)
        rc = cmw__installed_add_use(engine, installed, i);
    if (rc == 0)
        return installed;
    cmw__ledger_close_rows(installed);
    free_installed(engine, installed);
    return NULL;
}

static int install_locked(cmw_engine *engine, cmw_plan *plan, cmw_diag *diag)
{
    const int rc = cmw__engine_check_hosts(engine, plan, diag);
    if (rc != 0)
        return rc;
    struct cmw__installed *installed = create_installed(engine, plan);
    if (!installed)
        return cmw_diag_set(diag, CMW_ERR_NOMEM, "no memory to install the plan");
    struct cmw__installed *old = engine->installed;
    installed->next = old;
    engine->installed = installed;
    if (old && old->holders == 0)
        drop_installed(engine, old);
    cmw__workers_tell(engine);
    return 0;
}

int cmw_engine_install(cmw_engine *engine, cmw_plan *plan, cmw_diag *diag)
{
    if (!engine || !plan)
        return cmw_diag_set(diag, CMW_ERR_ARG, "an engine and a plan are needed");
    if (plan->engine != engine)
        return cmw_diag_set(diag, CMW_ERR_ARG, "the plan was compiled for another engine");
    cmw__mutex_lock(&engine->lock);
    const int rc = install_locked(engine, plan, diag);
    cmw__engine_unlock(engine);
    return rc;
}

int cmw_chain_switch_mode(cmw_chain *chain, const char *name, cmw_mode mode, cmw_diag *diag)
{
    struct cmw__instance *instance = chain && name ? cmw__chain_find(chain, name) : NULL;

    if (!chain || !name)
        return cmw_diag_set(diag, CMW_ERR_ARG, "a chain and a name are needed");
    if (!instance)
        return cmw_diag_set(diag, CMW_ERR_NOT_FOUND, "the chain has no middleware named '%s'",
                            name);
    const int before = instance->mode;
    int rc = cmw_chain_set_mode(chain, name, mode);
    if (rc != 0)
        return cmw_diag_set(diag, rc, "'%s': %d is no mode", name, (int)mode);
    rc = cmw_chain_install(chain, diag);
    if (rc != 0)
        instance->mode = before;
    return rc;
}

int cmw_chain_install(cmw_chain *chain, cmw_diag *diag)
{
    cmw_plan *plan = NULL;
    int rc = cmw_chain_compile(chain, &plan, diag);

    if (rc == 0) {
        rc = cmw_engine_install(plan->engine, plan, diag);
        cmw_plan_release(plan);
    }
    return rc;
}
