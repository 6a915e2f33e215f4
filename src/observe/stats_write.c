/* SPDX-License-Identifier: MIT */
/* Statistics as text for a person, and as JSON. */
#include <inttypes.h>

#include "print.h"
#include "snapshot.h"
#include "stats_prometheus.h"

static const char *const pool_names[CMW_POOL_COUNT] = {"context", "bridge", "plan"};

/* ---- Text ------------------------------------------------------------------------------- */

static void print_requests(struct cmw__printer *to, const cmw_request_stats *at)
{
    cmw__print(to,
               "requests    begun %" PRIu64 "  ended %" PRIu64 "  overloads %" PRIu64
               "  faults %" PRIu64,
               at->begun, at->ended, at->overloads, at->faults);
    if (at->late_heads > 0)
        cmw__print(to, "  late heads %" PRIu64, at->late_heads);
    cmw__print(to, "\n");
    cmw__print(to,
               "status      2xx %" PRIu64 "  3xx %" PRIu64 "  4xx %" PRIu64 "  5xx %" PRIu64
               "  other %" PRIu64 "\n",
               at->by_class[2], at->by_class[3], at->by_class[4], at->by_class[5],
               at->by_class[0] + at->by_class[1]);
    cmw__print(to, "ended as   ");
    for (int i = 0; i < CMW_END_REASON_COUNT; i++)
        cmw__print(to, "%s %s %" PRIu64, i ? " " : "", cmw_end_reason_name((cmw_end_reason)i),
                   at->by_reason[i]);
    cmw__print(to,
               "\nduration    %" PRIu64 " samples  mean %" PRIu64 "  p50 %" PRIu64 "  p95 %" PRIu64
               "  p99 %" PRIu64 "  max %" PRIu64 " ns\n\n",
               at->durations.samples, at->durations.mean_ns, at->durations.p50_ns,
               at->durations.p95_ns, at->durations.p99_ns, at->durations.max_ns);
}

static void print_rows(struct cmw__printer *to, const cmw_stats *stats)
{
    const cmw_middleware_stats *at;

    cmw__print(to, "%-20s %-10s %10s %8s %8s %8s %8s %9s %9s %9s\n", "middleware", "phase", "calls",
               "stops", "skips", "errors", "mean ns", "p50 ns", "p99 ns", "max ns");
    for (size_t i = 0; (at = cmw_stats_middleware(stats, i)) != NULL; i++)
        cmw__print(to,
                   "%-20s %-10s %10" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64
                   " %9" PRIu64 " %9" PRIu64 " %9" PRIu64 "\n",
                   at->name, cmw_phase_name((cmw_phase)at->phase), at->calls, at->stops, at->skips,
                   at->errors, at->durations.mean_ns, at->durations.p50_ns, at->durations.p99_ns,
                   at->durations.max_ns);
    cmw__print(to, "\n");
}

/* Shadowed middleware has a table of its own. */
static void print_shadows(struct cmw__printer *to, const cmw_stats *stats)
{
    const cmw_middleware_stats *at;
    int is_first = 1;

    for (size_t i = 0; (at = cmw_stats_middleware(stats, i)) != NULL; i++) {
        if (!at->is_shadowed)
            continue;
        if (is_first)
            cmw__print(to, "%-20s %-10s %10s %8s %8s %8s %8s %9s\n", "shadowed: would", "phase",
                       "calls", "stop", "skip", "suspend", "fail", "change");
        is_first = 0;
        cmw__print(to,
                   "%-20s %-10s %10" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64
                   " %9" PRIu64 "\n",
                   at->name, cmw_phase_name((cmw_phase)at->phase), at->calls, at->would_stop,
                   at->would_skip, at->would_suspend, at->would_fail, at->would_change);
    }
    if (!is_first)
        cmw__print(to, "\n");
}

static void print_pools(struct cmw__printer *to, const cmw_stats *stats)
{
    cmw__print(to, "%-10s %12s %12s %12s %12s %10s %10s\n", "pool", "in use B", "peak B", "limit B",
               "resident B", "allocs", "failures");
    for (int i = 0; i < CMW_POOL_COUNT; i++) {
        const cmw_pool_stats *at = &stats->pools[i];
        cmw__print(to,
                   "%-10s %12" PRIu64 " %12" PRIu64 " %12" PRIu64 " %12" PRIu64 " %10" PRIu64
                   " %10" PRIu64 "\n",
                   pool_names[i], at->in_use_bytes, at->peak_bytes, at->limit_bytes,
                   at->resident_bytes, at->alloc_calls, at->failures);
    }
}

static int write_text(const cmw_stats *stats, cmw_write_fn *write, void *self)
{
    struct cmw__printer printer = {write, self, 0};

    print_requests(&printer, &stats->requests);
    print_rows(&printer, stats);
    print_shadows(&printer, stats);
    print_pools(&printer, stats);
    return printer.error;
}

/* ---- JSON ------------------------------------------------------------------------------- */

static void member(cmw_json *json, const char *key, uint64_t number)
{
    cmw_json_key(json, cmw_str_cstr(key));
    cmw_json_uint(json, number);
}

static void write_durations(cmw_json *json, const cmw_durations *at)
{
    cmw_json_key(json, CMW_STR("durations"));
    cmw_json_object_begin(json);
    member(json, "samples", at->samples);
    member(json, "mean_ns", at->mean_ns);
    member(json, "p50_ns", at->p50_ns);
    member(json, "p95_ns", at->p95_ns);
    member(json, "p99_ns", at->p99_ns);
    member(json, "max_ns", at->max_ns);
    cmw_json_object_end(json);
}

static void write_requests(cmw_json *json, const cmw_request_stats *at)
{
    static const char *const classes[6] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};

    cmw_json_key(json, CMW_STR("requests"));
    cmw_json_object_begin(json);
    member(json, "begun", at->begun);
    member(json, "ended", at->ended);
    member(json, "overloads", at->overloads);
    member(json, "faults", at->faults);
    member(json, "late_heads", at->late_heads);
    cmw_json_key(json, CMW_STR("by_class"));
    cmw_json_object_begin(json);
    for (int i = 0; i < 6; i++)
        member(json, classes[i], at->by_class[i]);
    cmw_json_object_end(json);
    cmw_json_key(json, CMW_STR("by_reason"));
    cmw_json_object_begin(json);
    for (int i = 0; i < CMW_END_REASON_COUNT; i++)
        member(json, cmw_end_reason_name((cmw_end_reason)i), at->by_reason[i]);
    cmw_json_object_end(json);
    write_durations(json, &at->durations);
    cmw_json_object_end(json);
}

static void write_row(cmw_json *json, const cmw_middleware_stats *at)
{
    cmw_json_object_begin(json);
    cmw_json_key(json, CMW_STR("name"));
    cmw_json_string(json, cmw_str_cstr(at->name));
    cmw_json_key(json, CMW_STR("kind"));
    cmw_json_string(json, cmw_str_cstr(at->kind));
    cmw_json_key(json, CMW_STR("phase"));
    cmw_json_string(json, cmw_str_cstr(cmw_phase_name((cmw_phase)at->phase)));
    member(json, "calls", at->calls);
    member(json, "stops", at->stops);
    member(json, "skips", at->skips);
    member(json, "suspensions", at->suspensions);
    member(json, "errors", at->errors);
    member(json, "forgiven", at->forgiven);
    member(json, "sampled_bytes", at->sampled_bytes);
    write_durations(json, &at->durations);
    cmw_json_key(json, CMW_STR("shadowed"));
    cmw_json_bool(json, at->is_shadowed);
    member(json, "would_stop", at->would_stop);
    member(json, "would_skip", at->would_skip);
    member(json, "would_suspend", at->would_suspend);
    member(json, "would_fail", at->would_fail);
    member(json, "would_change", at->would_change);
    cmw_json_object_end(json);
}

static void write_pool(cmw_json *json, const cmw_pool_stats *at, const char *name)
{
    cmw_json_key(json, cmw_str_cstr(name));
    cmw_json_object_begin(json);
    member(json, "in_use_bytes", at->in_use_bytes);
    member(json, "peak_bytes", at->peak_bytes);
    member(json, "limit_bytes", at->limit_bytes);
    member(json, "alloc_calls", at->alloc_calls);
    member(json, "free_calls", at->free_calls);
    member(json, "failures", at->failures);
    member(json, "active_bytes", at->active_bytes);
    member(json, "resident_bytes", at->resident_bytes);
    cmw_json_object_end(json);
}

static int write_json(const cmw_stats *stats, cmw_write_fn *write, void *self)
{
    const cmw_middleware_stats *at;
    cmw_json json;
    cmw_str text = {NULL, 0};

    cmw_json_init(&json, stats->arena);
    cmw_json_object_begin(&json);
    write_requests(&json, &stats->requests);
    cmw_json_key(&json, CMW_STR("middleware"));
    cmw_json_array_begin(&json);
    for (size_t i = 0; (at = cmw_stats_middleware(stats, i)) != NULL; i++)
        write_row(&json, at);
    cmw_json_array_end(&json);
    cmw_json_key(&json, CMW_STR("pools"));
    cmw_json_object_begin(&json);
    for (int i = 0; i < CMW_POOL_COUNT; i++)
        write_pool(&json, &stats->pools[i], pool_names[i]);
    cmw_json_object_end(&json);
    cmw_json_object_end(&json);
    const int rc = cmw_json_finish(&json, &text);
    return rc ? rc : write(self, text.data, text.len);
}

int cmw_stats_write(const cmw_stats *stats, cmw_format format, cmw_write_fn *write, void *self)
{
    if (!stats || !write)
        return CMW_ERR_ARG;
    switch (format) {
    case CMW_FORMAT_TEXT:
        return write_text(stats, write, self);
    case CMW_FORMAT_JSON:
        return write_json(stats, write, self);
    case CMW_FORMAT_PROMETHEUS:
        return cmw__stats_write_prometheus(stats, write, self);
    default:
        return CMW_ERR_ARG;
    }
}
