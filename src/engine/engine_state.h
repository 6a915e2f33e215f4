/* SPDX-License-Identifier: MIT */
/*
 * The inside of an engine: registries, pools, workers, the installed plan.
 *
 * `lock` guards all of it but what is marked; requests read only what is immutable.
 */
#ifndef CMW_ENGINE_ENGINE_STATE_H
#define CMW_ENGINE_ENGINE_STATE_H

#include <stdatomic.h>

#include <catzilla/engine.h>
#include <catzilla/key_ring.h>
#include <catzilla/service.h>

#include "keep.h"
#include "ledger.h"
#include "mutex.h"
#include "plan_state.h"
#include "suspend.h"

/* A slot, as declared. Immutable but for being appended to. */
struct cmw__slot {
    const char *name;
    size_t size;
    void (*destroy)(void *value);
};

/* A service: declared first, defined later. `object` is a singleton's, once made. */
struct cmw__service {
    const char *name;
    cmw_service_config config;
    cmw_service *depends; /* handles of config.depends, and their names, which are ours */
    const char **depend_names;
    void *object;
    struct cmw__service *made_before; /* the singleton made before this one */
    uint8_t is_defined;
    uint8_t is_ours; /* we made the object, we destroy it */
    uint8_t visit;   /* of the check that runs */
};

/* A growing list of objects that never move. */
struct cmw__table {
    void **items;
    uint32_t count;
    uint32_t cap;
};

/* A plan that was installed, until no worker uses it. */
struct cmw__installed {
    struct cmw__installed *next;
    cmw_plan *plan;
    uint32_t holders;            /* workers that have it as theirs or have contexts on it */
    uint32_t worker_limit;       /* length of `uses` */
    struct cmw__plan_use **uses; /* by worker index; NULL: no such worker yet */
    uint64_t *baseline;          /* counters, then histograms, at the last reset; or NULL */
    size_t baseline_bytes;
    struct cmw__ledger_entry **rows; /* of each call, in the order of cmw__plan_program */
    uint32_t row_count;
};

struct cmw__attached_host {
    struct cmw__attached_host *next;
    const cmw_host *host;
};

struct cmw_engine {
    uint32_t context_bytes; /* immutable from here ... */
    uint32_t context_limit;
    uint32_t worker_limit;
    uint32_t sample_every;
    int32_t target_policy;
    int32_t host_policy;
    cmw_limits limits;
    uint64_t (*clock_ns)(void *self);
    uint64_t (*wall_clock_ns)(void *self);
    void *clock_self;
    cmw_pool *pools[CMW_POOL_COUNT];
    cmw_pool *shared_pool; /* NULL: the plan pool serves */
    cmw_arena *arena;      /* ... to here; the arena's content grows under `lock` */

    cmw__mutex lock;
    cmw__mutex service_lock;    /* held while singletons are made; taken before `lock` */
    _Atomic uint32_t holds;     /* chains, references to plans, snapshots: the users' */
    struct cmw__table slots;    /* of struct cmw__slot */
    struct cmw__table services; /* of struct cmw__service */
    struct cmw__table kinds;    /* of const cmw_kind * */
    struct cmw__attached_host *hosts;
    struct cmw__installed *installed; /* newest first */
    struct cmw__installed *dropped;   /* to be freed when the lock is given back */
    cmw_worker *workers;              /* all */
    cmw_worker *free_workers;
    uint32_t worker_count;
    uint32_t workers_out;
    const cmw_mac_provider *mac_provider;
    struct cmw__service *last_made; /* singletons, newest first */
    struct cmw__ledger ledger;      /* what was counted under plans that are gone */
    struct cmw__keep keep;          /* has locks of its own */
    struct cmw__cells cells;        /* so have these */
};

/* The element at an index; NULL past the end. */
void *cmw__table_at(const struct cmw__table *table, uint32_t index);
/* Append an object of the engine's arena. 0, CMW_ERR_NOMEM, CMW_ERR_LIMIT past 65,535. */
int cmw__table_add(cmw_engine *engine, struct cmw__table *table, void *item);

/* The slot or service with an index; NULL if there is none. Under the lock. */
const struct cmw__slot *cmw__engine_slot(const cmw_engine *engine, cmw_slot slot);
struct cmw__service *cmw__engine_service(const cmw_engine *engine, cmw_service service);

/* Check a plan against the attached hosts. Under the lock. */
int cmw__engine_check_hosts(const cmw_engine *engine, const cmw_plan *plan, cmw_diag *diag);

uint64_t cmw__engine_clock(const cmw_engine *engine);

/* Check services (missing, cycles, scopes) and make the singletons that a chain needs. */
struct cmw__order;
int cmw__services_prepare(cmw_engine *engine, const struct cmw__order *order, cmw_diag *diag);
/* Destroy singletons in reverse order of making. */
void cmw__services_destroy(cmw_engine *engine);

/* Room for a worker's counts of an installed plan; under the lock. 0 or CMW_ERR_NOMEM. */
int cmw__installed_add_use(cmw_engine *engine, struct cmw__installed *installed, uint32_t worker);
/* Tell all workers that another plan is installed. Under the lock. */
void cmw__workers_tell(cmw_engine *engine);
/* One holder less; an installed plan that is not the newest and has none goes with the lock. */
void cmw__installed_drop(cmw_engine *engine, struct cmw__installed *installed);
/* Give the lock back, then free what was dropped under it: that calls users' `destroy`. */
void cmw__engine_unlock(cmw_engine *engine);

#endif /* CMW_ENGINE_ENGINE_STATE_H */
