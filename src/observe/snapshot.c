/* SPDX-License-Identifier: MIT */
/* Taking snapshots: adding up, resetting, deriving calls from entries and stops. */
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

/* What is not counted by itself: pre_route is entered by each request that begins, but for those
 * counted apart. */
static void derive(uint64_t *sums)
{
    const uint64_t begun = sums[CMW__COUNT_BEGUN], unrun = sums[CMW__COUNT_UNRUN];
    sums[CMW__COUNT_PHASE + CMW_PHASE_PRE_ROUTE] = begun > unrun ? begun - unrun : 0;
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

static int reset_locked(cmw_engine *engine)
{
    struct cmw__installed *installed = engine->installed;

    if (!installed)
        return CMW_ERR_STATE;
    if (!installed->baseline) {
        const size_t bytes = sum_count(installed->plan) * sizeof(uint64_t);
        installed->baseline = cmw_pool_alloc(engine->pools[CMW_POOL_PLAN], bytes, 16);
        if (!installed->baseline)
            return CMW_ERR_NOMEM;
        installed->baseline_bytes = bytes;
    }
    add_workers(installed->baseline, installed);
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

/* How often an entry left its run, so that those behind it were not called. */
static uint64_t exits_of(const struct cmw__program *program, uint32_t index, const uint64_t *sums)
{
    const struct cmw__entry_info *info = &program->info[index];
    if ((info->kind != CMW__ENTRY_CALL && info->kind != CMW__ENTRY_MATCH) ||
        (program->phase != CMW_PHASE_PRE_ROUTE && program->phase != CMW_PHASE_ERROR))
        return 0;
    return sums[info->counters + CMW__ENTRY_STOPS] + sums[info->counters + CMW__ENTRY_LOST] +
           sums[info->counters + CMW__ENTRY_ERRORS];
}

/* Entries into its run, less what left the run before it. Workers count on while they are added up,
 * so that a difference may be seen too early: never below 0. */
static uint64_t calls_of(const struct cmw__program *program, uint32_t index, const uint64_t *sums)
{
    const struct cmw__entry_info *info = &program->info[index];
    const uint64_t entered = sums[info->entered_counter];
    uint64_t exits = 0;

    for (uint32_t i = info->run_begin; i < index; i++)
        exits += exits_of(program, i, sums);
    return entered > exits ? entered - exits : 0;
}

static void fill_row(cmw_middleware_stats *row, const cmw_plan *plan,
                     const struct cmw__program *program, uint32_t index, const uint64_t *sums)
{
    const struct cmw__entry_info *info = &program->info[index];
    const cmw_middleware *mw = &plan->middleware[info->middleware].instance->mw;
    const uint64_t *counters = sums + info->counters;

    row->name = mw->name;
    row->kind = mw->kind;
    row->phase = (int)program->phase;
    row->calls = calls_of(program, index, sums);
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
    row->durations =
        durations_of(buckets_of(plan, sums, info->histogram), counters[CMW__ENTRY_DURATION_SUM]);
}

static void fill_rows(cmw_stats *stats, const uint64_t *sums)
{
    const struct cmw__program *program;

    for (uint32_t p = 0; (program = cmw__plan_program(stats->plan, p)) != NULL; p++)
        for (uint32_t i = 0; i < program->count; i++)
            if (program->info[i].kind == CMW__ENTRY_CALL)
                fill_row(&stats->rows[stats->row_count++], stats->plan, program, i, sums);
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

static void fill_requests(cmw_stats *stats, const uint64_t *sums)
{
    cmw_request_stats *to = &stats->requests;

    to->size = sizeof *to;
    to->begun = sums[CMW__COUNT_BEGUN];
    to->overloads = sums[CMW__COUNT_OVERLOAD];
    to->faults = sums[CMW__COUNT_FAULT];
    fill_ended(to, sums);
    to->durations = durations_of(buckets_of(stats->plan, sums, 0), sums[CMW__COUNT_DURATION_SUM]);
}

/* ---- Snapshots -------------------------------------------------------------------------- */

static int read_workers(cmw_stats *stats, uint64_t **sums)
{
    cmw_engine *engine = stats->engine;
    int rc = CMW_ERR_STATE;

    cmw__mutex_lock(&engine->lock);
    const struct cmw__installed *installed = engine->installed;
    if (installed) {
        *sums = cmw_arena_alloc(stats->arena, sum_count(installed->plan) * sizeof **sums);
        rc = *sums ? 0 : CMW_ERR_NOMEM;
    }
    if (rc == 0) {
        add_workers(*sums, installed);
        take_off_baseline(*sums, installed);
        derive(*sums);
        stats->plan = cmw_plan_retain(installed->plan);
    }
    cmw__mutex_unlock(&engine->lock);
    return rc;
}

static int fill_stats(cmw_stats *stats)
{
    uint64_t *sums = NULL;
    const int rc = read_workers(stats, &sums);

    if (rc != 0)
        return rc;
    stats->rows = cmw_arena_alloc(stats->arena, stats->plan->histogram_count * sizeof *stats->rows);
    if (!stats->rows)
        return CMW_ERR_NOMEM;
    fill_requests(stats, sums);
    fill_rows(stats, sums);
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
