/* SPDX-License-Identifier: MIT */
/* Taking snapshots: adding up, resetting, making rows. */
#include "snapshot.h"

#include "ctx_state.h"

/* ---- Adding up -------------------------------------------------------------------------- */

/* Counters, then histogram buckets, as one array. */
static size_t sum_count(const cmw_plan *plan)
{
    return plan->counter_count + (size_t)plan->histogram_count * CMW__HISTOGRAM_BUCKETS;
}

static void add_use(uint64_t *sums, const struct cmw__plan_use *use)
{
    const cmw_plan *plan = use->plan;
    const size_t buckets = (size_t)plan->histogram_count * CMW__HISTOGRAM_BUCKETS;

    for (uint32_t i = 0; i < plan->counter_count; i++)
        sums[i] += cmw__counter_read(&use->counters[i]);
    for (size_t i = 0; i < buckets; i++)
        sums[plan->counter_count + i] +=
            atomic_load_explicit(&use->histograms[i], memory_order_relaxed);
}

/* Under the lock. */
static void add_workers(uint64_t *sums, const struct cmw__installed *installed)
{
    memset(sums, 0, sum_count(installed->plan) * sizeof *sums);
    for (uint32_t i = 0; i < installed->worker_limit; i++)
        if (installed->uses[i])
            add_use(sums, installed->uses[i]);
}

static void take_off_baseline(uint64_t *sums, const struct cmw__installed *installed)
{
    if (!installed->baseline)
        return;
    for (size_t i = 0; i < sum_count(installed->plan); i++)
        sums[i] -= installed->baseline[i];
}

/* ---- Resetting -------------------------------------------------------------------------- */

static int open_baseline(cmw_engine *engine, struct cmw__installed *installed)
{
    const size_t bytes = sum_count(installed->plan) * sizeof(uint64_t);

    if (installed->baseline)
        return 0;
    installed->baseline = cmw_pool_alloc(engine->pools[CMW_POOL_PLAN], bytes, 16);
    if (!installed->baseline)
        return CMW_ERR_NOMEM;
    installed->baseline_bytes = bytes;
    memset(installed->baseline, 0, bytes);
    return 0;
}

/* Plans with requests in flight, too: what they count later is added to what follows them. */
static int reset_locked(cmw_engine *engine)
{
    if (!engine->installed)
        return CMW_ERR_STATE;
    for (struct cmw__installed *at = engine->installed; at; at = at->next)
        if (open_baseline(engine, at) != 0)
            return CMW_ERR_NOMEM;
    for (struct cmw__installed *at = engine->installed; at; at = at->next)
        add_workers(at->baseline, at);
    cmw__ledger_clear(engine);
    return 0;
}

int cmw_stats_reset(cmw_engine *engine)
{
    if (!engine)
        return CMW_ERR_ARG;
    cmw__mutex_lock(&engine->lock);
    const int rc = reset_locked(engine);
    cmw__mutex_unlock(&engine->lock);
    return rc;
}

/* ---- Durations -------------------------------------------------------------------------- */

/* The upper bound of the bucket in which the sample of this rank (from 1) lies. */
static uint64_t at_rank(const uint64_t *buckets, uint64_t rank)
{
    uint64_t seen = 0;
    for (uint32_t i = 0; i < CMW__HISTOGRAM_BUCKETS; i++) {
        seen += buckets[i];
        if (seen >= rank)
            return cmw__histogram_upper(i);
    }
    return 0;
}

static cmw_durations durations_of(const uint64_t *buckets, uint64_t sum_ns)
{
    cmw_durations durations = {0, 0, 0, 0, 0, 0};

    for (uint32_t i = 0; i < CMW__HISTOGRAM_BUCKETS; i++)
        durations.samples += buckets[i];
    const uint64_t n = durations.samples;
    if (n == 0)
        return durations;
    durations.mean_ns = sum_ns / n;
    durations.p50_ns = at_rank(buckets, n - n / 2);
    durations.p95_ns = at_rank(buckets, n - n / 20);
    durations.p99_ns = at_rank(buckets, n - n / 100);
    durations.max_ns = at_rank(buckets, n);
    return durations;
}

static const uint64_t *buckets_of(const cmw_plan *plan, const uint64_t *sums, uint32_t histogram)
{
    return sums + plan->counter_count + (size_t)histogram * CMW__HISTOGRAM_BUCKETS;
}

/* ---- Rows ------------------------------------------------------------------------------- */

/* What was read, under the lock. */
struct reading {
    uint64_t *sums;             /* of the installed plan: counters, then histograms */
    struct cmw__tally *tallies; /* of all plans, by the index of their entries in the ledger */
    uint32_t *rows;             /* those of the installed plan's calls */
    uint64_t requests[CMW__COUNT_FIXED];
};

static void fill_row(cmw_middleware_stats *row, const cmw_plan *plan,
                     const struct cmw__program *program, uint32_t index,
                     const struct cmw__tally *tally)
{
    const struct cmw__entry_info *info = &program->info[index];
    const cmw_middleware *mw = &plan->middleware[info->middleware].instance->mw;
    const uint64_t *counters = tally->counters;

    row->name = mw->name;
    row->kind = mw->kind;
    row->phase = (int)program->phase;
    row->calls = tally->calls;
    row->stops = counters[CMW__ENTRY_STOPS];
    row->skips = counters[CMW__ENTRY_SKIPS];
    row->suspensions = counters[CMW__ENTRY_SUSPENSIONS];
    row->forgiven = counters[CMW__ENTRY_FORGIVEN];
    row->errors = counters[CMW__ENTRY_ERRORS] + row->forgiven;
    row->sampled_bytes = counters[CMW__ENTRY_BYTES];
    row->is_shadowed = plan->middleware[info->middleware].is_shadowed;
    row->would_stop = counters[CMW__ENTRY_WOULD_STOP];
    row->would_skip = counters[CMW__ENTRY_WOULD_SKIP];
    row->would_suspend = counters[CMW__ENTRY_WOULD_SUSPEND];
    row->would_fail = counters[CMW__ENTRY_WOULD_FAIL];
    row->would_change = counters[CMW__ENTRY_WOULD_CHANGE];
}

static void fill_rows(cmw_stats *stats, const struct reading *reading)
{
    const struct cmw__program *program;

    for (uint32_t p = 0; (program = cmw__plan_program(stats->plan, p)) != NULL; p++) {
        for (uint32_t i = 0; i < program->count; i++) {
            const struct cmw__entry_info *info = &program->info[i];
            if (info->kind != CMW__ENTRY_CALL)
                continue;
            cmw_middleware_stats *row = &stats->rows[stats->row_count];
            fill_row(row, stats->plan, program, i,
                     &reading->tallies[reading->rows[stats->row_count++]]);
            row->durations = durations_of(buckets_of(stats->plan, reading->sums, info->histogram),
                                          reading->sums[info->counters + CMW__ENTRY_DURATION_SUM]);
        }
    }
}

/* Requests that ended are counted by status, and those that were not sent also by reason. */
static void fill_ended(cmw_request_stats *to, const uint64_t *sums)
{
    memset(to->by_class, 0, sizeof to->by_class);
    memset(to->by_reason, 0, sizeof to->by_reason);
    to->ended = 0;
    for (uint32_t i = 0; i < CMW__STATUS_GROUPS; i++) {
        const uint64_t count = sums[CMW__COUNT_STATUS + i];
        const uint32_t hundreds = (i << CMW__STATUS_SHIFT) / 100;
        to->ended += count;
        to->by_class[hundreds < 6 ? hundreds : 0] += count;
    }
    uint64_t unsent = 0;
    for (int i = CMW_END_SENT + 1; i < CMW_END_REASON_COUNT; i++) {
        to->by_reason[i] = sums[CMW__COUNT_REASON + i];
        unsent += to->by_reason[i];
    }
    to->by_reason[CMW_END_SENT] = to->ended > unsent ? to->ended - unsent : 0;
}

static void fill_requests(cmw_stats *stats, const struct reading *reading)
{
    const uint64_t *sums = reading->requests;
    cmw_request_stats *to = &stats->requests;

    to->size = sizeof *to;
    to->begun = sums[CMW__COUNT_BEGUN];
    to->overloads = sums[CMW__COUNT_OVERLOAD];
    to->faults = sums[CMW__COUNT_FAULT];
    to->late_heads = sums[CMW__COUNT_LATE_HEAD];
    fill_ended(to, sums);
    to->durations = durations_of(buckets_of(stats->plan, reading->sums, 0),
                                 reading->sums[CMW__COUNT_DURATION_SUM]);
}

/* ---- Snapshots -------------------------------------------------------------------------- */

/* Room for what is read. Under the lock, which keeps its size. */
static int open_reading(struct reading *reading, cmw_arena *arena, const cmw_engine *engine)
{
    const struct cmw__installed *installed = engine->installed;
    const size_t entries = (size_t)engine->ledger.count + 1;

    reading->sums = cmw_arena_alloc(arena, sum_count(installed->plan) * sizeof *reading->sums);
    reading->tallies = cmw_arena_alloc(arena, entries * sizeof *reading->tallies);
    reading->rows =
        cmw_arena_alloc(arena, ((size_t)installed->row_count + 1) * sizeof *reading->rows);
    return reading->sums && reading->tallies && reading->rows ? 0 : CMW_ERR_NOMEM;
}

static int read_locked(cmw_stats *stats, struct reading *reading)
{
    const struct cmw__installed *installed = stats->engine->installed;

    if (!installed)
        return CMW_ERR_STATE;
    const int rc = open_reading(reading, stats->arena, stats->engine);
    if (rc != 0)
        return rc;
    add_workers(reading->sums, installed);
    take_off_baseline(reading->sums, installed);
    cmw__ledger_sum(stats->engine, reading->tallies, reading->requests);
    for (uint32_t i = 0; i < installed->row_count; i++)
        reading->rows[i] = installed->rows[i]->index;
    stats->plan = cmw_plan_retain(installed->plan);
    return 0;
}

static int fill_stats(cmw_stats *stats)
{
    struct reading reading;

    cmw__mutex_lock(&stats->engine->lock);
    const int rc = read_locked(stats, &reading);
    cmw__mutex_unlock(&stats->engine->lock);
    if (rc != 0)
        return rc;
    stats->rows = cmw_arena_alloc(stats->arena, stats->plan->histogram_count * sizeof *stats->rows);
    if (!stats->rows)
        return CMW_ERR_NOMEM;
    fill_requests(stats, &reading);
    fill_rows(stats, &reading);
    for (int i = 0; i < CMW_POOL_COUNT; i++) {
        stats->pools[i].size = sizeof stats->pools[i];
        const int failed = cmw_pool_get_stats(stats->engine->pools[i], &stats->pools[i]);
        if (failed)
            return failed;
    }
    return 0;
}

int cmw_stats_snapshot(cmw_engine *engine, cmw_stats **out)
{
    cmw_arena *arena = NULL;

    if (!engine || !out)
        return CMW_ERR_ARG;
    int rc = cmw_arena_create(&arena, engine->pools[CMW_POOL_PLAN], 0);
    if (rc != 0)
        return rc;
    cmw_stats *stats = cmw_arena_alloc(arena, sizeof *stats);
    if (!stats) {
        cmw_arena_destroy(arena);
        return CMW_ERR_NOMEM;
    }
    memset(stats, 0, sizeof *stats);
    stats->engine = engine;
    stats->arena = arena;
    rc = fill_stats(stats);
    if (rc != 0)
        cmw_stats_destroy(stats);
    else
        *out = stats;
    return rc;
}

void cmw_stats_destroy(cmw_stats *stats)
{
    if (!stats)
        return;
    cmw_plan *plan = stats->plan;
    cmw_arena_destroy(stats->arena);
    cmw_plan_release(plan);
}

int cmw_stats_requests(const cmw_stats *stats, cmw_request_stats *out)
{
    if (!stats || !out)
        return CMW_ERR_ARG;
    if (out->size != sizeof *out)
        return CMW_ERR_VERSION;
    *out = stats->requests;
    return 0;
}

const cmw_middleware_stats *cmw_stats_middleware(const cmw_stats *stats, size_t index)
{
    return stats && index < stats->row_count ? &stats->rows[index] : NULL;
}

int cmw_stats_pool(const cmw_stats *stats, cmw_pool_purpose purpose, cmw_pool_stats *out)
{
    if (!stats || !out || (unsigned)purpose >= CMW_POOL_COUNT)
        return CMW_ERR_ARG;
    *out = stats->pools[purpose];
    return 0;
}
