/* SPDX-License-Identifier: MIT */
/* Counts that outlive plans. */
#include "ledger.h"

#include "ctx_state.h"
#include "hash.h"

/* Entries that nobody uses are kept, for a middleware that comes back, until there are so many more
 * of them than of those in use. */
enum { SPARE = 1024 };

/* ---- Entries ---------------------------------------------------------------------------- */

static uint64_t hash_of(const cmw_middleware *mw, uint32_t phase)
{
    return cmw__hash(mw->kind, strlen(mw->kind), cmw__hash(mw->name, strlen(mw->name), phase));
}

static int is_entry_of(const struct cmw__ledger_entry *entry, const cmw_middleware *mw,
                       uint32_t phase)
{
    return entry->phase == phase && strcmp(entry->texts, mw->kind) == 0 &&
           strcmp(entry->texts + entry->kind_len + 1, mw->name) == 0;
}

static void insert(struct cmw__ledger *ledger, struct cmw__ledger_entry *entry)
{
    struct cmw__ledger_entry **bucket = &ledger->buckets[entry->hash & (ledger->bucket_count - 1)];
    entry->next = *bucket;
    *bucket = entry;
}

/* Twice the buckets, as soon as there are as many entries. */
static int grow(cmw_engine *engine)
{
    struct cmw__ledger *ledger = &engine->ledger;
    cmw_pool *pool = engine->pools[CMW_POOL_PLAN];
    struct cmw__ledger_entry **old = ledger->buckets;
    const uint32_t old_count = ledger->bucket_count;
    const uint32_t count = old_count ? old_count * 2 : 64;

    if (ledger->count < old_count)
        return 0;
    struct cmw__ledger_entry **buckets = cmw_pool_alloc(pool, count * sizeof *buckets, 16);
    if (!buckets)
        return CMW_ERR_NOMEM;
    memset(buckets, 0, count * sizeof *buckets);
    ledger->buckets = buckets;
    ledger->bucket_count = count;
    for (uint32_t i = 0; i < old_count; i++)
        for (struct cmw__ledger_entry *at = old[i], *next; at; at = next) {
            next = at->next;
            insert(ledger, at);
        }
    cmw_pool_free(pool, old, old_count * sizeof *old, 16);
    return 0;
}

static struct cmw__ledger_entry *add_entry(cmw_engine *engine, const cmw_middleware *mw,
                                           uint32_t phase, uint64_t hash)
{
    const size_t kind_len = strlen(mw->kind);
    const size_t name_len = strlen(mw->name);
    const size_t bytes = sizeof(struct cmw__ledger_entry) + kind_len + name_len + 2;

    if (grow(engine) != 0)
        return NULL;
    struct cmw__ledger_entry *entry = cmw_pool_alloc(engine->pools[CMW_POOL_PLAN], bytes, 16);
    if (!entry)
        return NULL;
    *entry = (struct cmw__ledger_entry){.hash = hash,
                                        .index = engine->ledger.count++,
                                        .phase = phase,
                                        .kind_len = (uint32_t)kind_len,
                                        .bytes = bytes};
    memcpy(entry->texts, mw->kind, kind_len + 1);
    memcpy(entry->texts + kind_len + 1, mw->name, name_len + 1);
    insert(&engine->ledger, entry);
    return entry;
}

static struct cmw__ledger_entry *find_or_add(cmw_engine *engine, const cmw_middleware *mw,
                                             uint32_t phase)
{
    const struct cmw__ledger *ledger = &engine->ledger;
    const uint64_t hash = hash_of(mw, phase);
    struct cmw__ledger_entry *at =
        ledger->bucket_count ? ledger->buckets[hash & (ledger->bucket_count - 1)] : NULL;

    while (at && !(at->hash == hash && is_entry_of(at, mw, phase)))
        at = at->next;
    return at ? at : add_entry(engine, mw, phase, hash);
}

/* Forget what nobody uses, and number the rest anew. */
static void purge(cmw_engine *engine)
{
    struct cmw__ledger *ledger = &engine->ledger;

    ledger->count = 0;
    for (uint32_t i = 0; i < ledger->bucket_count; i++) {
        struct cmw__ledger_entry **at = &ledger->buckets[i];
        while (*at) {
            struct cmw__ledger_entry *entry = *at;
            if (entry->users > 0) {
                entry->index = ledger->count++;
                at = &entry->next;
                continue;
            }
            *at = entry->next;
            cmw_pool_free(engine->pools[CMW_POOL_PLAN], entry, entry->bytes, 16);
        }
    }
}

void cmw__ledger_destroy(cmw_engine *engine)
{
    struct cmw__ledger *ledger = &engine->ledger;

    purge(engine);
    cmw_pool_free(engine->pools[CMW_POOL_PLAN], ledger->buckets,
                  ledger->bucket_count * sizeof *ledger->buckets, 16);
}

/* ---- Rows of an installation ------------------------------------------------------------ */

int cmw__ledger_open_rows(cmw_engine *engine, struct cmw__installed *installed)
{
    const cmw_plan *plan = installed->plan;
    const struct cmw__program *program;

    if (engine->ledger.count > 2 * plan->histogram_count + SPARE)
        purge(engine);
    for (uint32_t p = 0; (program = cmw__plan_program(plan, p)) != NULL; p++) {
        for (uint32_t i = 0; i < program->count; i++) {
            if (program->info[i].kind != CMW__ENTRY_CALL)
                continue;
            const struct cmw__planned *planned = &plan->middleware[program->info[i].middleware];
            struct cmw__ledger_entry *entry =
                find_or_add(engine, &planned->instance->mw, program->phase);
            if (!entry)
                return CMW_ERR_NOMEM;
            entry->users++;
            installed->rows[installed->row_count++] = entry;
        }
    }
    return 0;
}

void cmw__ledger_close_rows(struct cmw__installed *installed)
{
    for (uint32_t i = 0; i < installed->row_count; i++)
        installed->rows[i]->users--;
    installed->row_count = 0;
}

/* ---- Counting --------------------------------------------------------------------------- */

static uint64_t read_counter(const struct cmw__installed *installed, uint32_t counter)
{
    const uint32_t workers = installed->plan->engine->worker_count; /* the rest has no use */
    uint64_t sum = 0;

    for (uint32_t i = 0; i < workers; i++)
        if (installed->uses[i])
            sum += cmw__counter_read(&installed->uses[i]->counters[counter]);
    return installed->baseline ? sum - installed->baseline[counter] : sum;
}

/* pre_route is not counted by itself: it is entered by each request that begins, but for those
 * counted apart. */
static uint64_t count_of(const struct cmw__installed *installed, uint32_t counter)
{
    if (counter != CMW__COUNT_PHASE + CMW_PHASE_PRE_ROUTE)
        return read_counter(installed, counter);
    const uint64_t unrun = read_counter(installed, CMW__COUNT_UNRUN);
    const uint64_t begun = read_counter(installed, CMW__COUNT_BEGUN);
    return begun > unrun ? begun - unrun : 0;
}

/* How often an entry left its run, so that those behind it were not called. */
static uint64_t exits_of(const struct cmw__installed *installed, const struct cmw__program *program,
                         uint32_t index)
{
    const struct cmw__entry_info *info = &program->info[index];
    if ((info->kind != CMW__ENTRY_CALL && info->kind != CMW__ENTRY_MATCH) ||
        (program->phase != CMW_PHASE_PRE_ROUTE && program->phase != CMW_PHASE_ERROR))
        return 0;
    return read_counter(installed, info->counters + CMW__ENTRY_STOPS) +
           read_counter(installed, info->counters + CMW__ENTRY_LOST) +
           read_counter(installed, info->counters + CMW__ENTRY_ERRORS);
}

/* Exits from `begin` to `at`, as they were added up so far. */
struct exits {
    uint32_t begin, at;
    uint64_t sum;
};

/* Entries into its run, less what left the run before it. Workers count on while they are added up,
 * so that a difference may be seen too early: never below 0. */
static uint64_t calls_of(const struct cmw__installed *installed, const struct cmw__program *program,
                         uint32_t index, struct exits *exits)
{
    const struct cmw__entry_info *info = &program->info[index];
    const uint64_t entered = count_of(installed, info->entered_counter);

    if (info->run_begin == index) /* of a run by itself */
        return entered;
    if (info->run_begin != exits->begin)
        *exits = (struct exits){info->run_begin, info->run_begin, 0};
    for (; exits->at < index; exits->at++)
        exits->sum += exits_of(installed, program, exits->at);
    return entered > exits->sum ? entered - exits->sum : 0;
}

static void tally_program(const struct cmw__installed *installed,
                          const struct cmw__program *program, struct cmw__tally *tallies,
                          uint32_t *row)
{
    struct exits exits = {0, 0, 0};

    for (uint32_t i = 0; i < program->count; i++) {
        const struct cmw__entry_info *info = &program->info[i];
        if (info->kind != CMW__ENTRY_CALL)
            continue;
        struct cmw__ledger_entry *entry = installed->rows[(*row)++];
        struct cmw__tally *to = tallies ? &tallies[entry->index] : &entry->tally;
        to->calls += calls_of(installed, program, i, &exits);
        for (uint32_t k = 0; k < CMW__ENTRY_COUNTERS; k++)
            to->counters[k] += read_counter(installed, info->counters + k);
    }
}

/* NULL: into the entries themselves. */
static void tally_into(const struct cmw__installed *installed, struct cmw__tally *tallies)
{
    const struct cmw__program *program;
    uint32_t row = 0;

    for (uint32_t p = 0; (program = cmw__plan_program(installed->plan, p)) != NULL; p++)
        tally_program(installed, program, tallies, &row);
}

void cmw__ledger_fold(cmw_engine *engine, const struct cmw__installed *installed)
{
    tally_into(installed, NULL);
    for (uint32_t i = 0; i < CMW__COUNT_FIXED; i++)
        engine->ledger.requests[i] += count_of(installed, i);
}

void cmw__ledger_clear(cmw_engine *engine)
{
    struct cmw__ledger *ledger = &engine->ledger;

    for (uint32_t i = 0; i < ledger->bucket_count; i++)
        for (struct cmw__ledger_entry *at = ledger->buckets[i]; at; at = at->next)
            memset(&at->tally, 0, sizeof at->tally);
    memset(ledger->requests, 0, sizeof ledger->requests);
}

void cmw__ledger_sum(const cmw_engine *engine, struct cmw__tally *tallies, uint64_t *requests)
{
    const struct cmw__ledger *ledger = &engine->ledger;

    for (uint32_t i = 0; i < ledger->bucket_count; i++)
        for (const struct cmw__ledger_entry *at = ledger->buckets[i]; at; at = at->next)
            tallies[at->index] = at->tally;
    memcpy(requests, ledger->requests, sizeof ledger->requests);
    for (const struct cmw__installed *at = engine->installed; at; at = at->next) {
        tally_into(at, tallies);
        for (uint32_t i = 0; i < CMW__COUNT_FIXED; i++)
            requests[i] += count_of(at, i);
    }
}
