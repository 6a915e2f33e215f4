/* SPDX-License-Identifier: MIT */
/*
 * Statistics in Prometheus' text format (0.0.4): each metric's lines stand together, behind its
 * HELP and TYPE.
 */
#include "stats_prometheus.h"

#include <inttypes.h>
#include <string.h>

#include "print.h"
#include "snapshot.h"

struct writer {
    struct cmw__printer to;
    const cmw_stats *stats;
};

static void head(struct writer *writer, const char *name, const char *type, const char *help)
{
    cmw__print(&writer->to, "# HELP catzilla_%s %s\n# TYPE catzilla_%s %s\n", name, help, name,
               type);
}

static void one(struct writer *writer, const char *name, const char *help, uint64_t number)
{
    head(writer, name, "counter", help);
    cmw__print(&writer->to, "catzilla_%s %" PRIu64 "\n", name, number);
}

/* ---- Requests --------------------------------------------------------------------------- */

static void write_requests(struct writer *writer)
{
    static const char *const classes[6] = {"none", "1xx", "2xx", "3xx", "4xx", "5xx"};
    const cmw_request_stats *at = &writer->stats->requests;

    one(writer, "requests_begun_total", "Requests that began.", at->begun);
    head(writer, "requests_ended_total", "counter", "Requests that ended, by hundreds of status.");
    for (int i = 0; i < 6; i++)
        cmw__print(&writer->to, "catzilla_requests_ended_total{class=\"%s\"} %" PRIu64 "\n",
                   classes[i], at->by_class[i]);
    head(writer, "requests_by_reason_total", "counter", "Requests that ended, by reason.");
    for (int i = 0; i < CMW_END_REASON_COUNT; i++)
        cmw__print(&writer->to, "catzilla_requests_by_reason_total{reason=\"%s\"} %" PRIu64 "\n",
                   cmw_end_reason_name((cmw_end_reason)i), at->by_reason[i]);
    one(writer, "overloads_total", "Requests that got no context.", at->overloads);
    one(writer, "faults_total", "Requests that had a fault.", at->faults);
    one(writer, "late_heads_total", "Heads that were given up.", at->late_heads);
}

/* ---- Middleware ------------------------------------------------------------------------- */

/* A label's value: backslash, quote and newline are escaped. */
static void print_value(struct cmw__printer *to, const char *text)
{
    for (;;) {
        const size_t len = strcspn(text, "\\\"\n");
        cmw__print(to, "%.*s", (int)len, text);
        text += len;
        if (!*text)
            return;
        cmw__print(to, "\\%c", *text == '\n' ? 'n' : *text);
        text++;
    }
}

/* The name and the labels, which the caller goes on with. */
static void print_labels(struct writer *writer, const char *name, const cmw_middleware_stats *at)
{
    cmw__print(&writer->to, "catzilla_%s{name=\"", name);
    print_value(&writer->to, at->name);
    cmw__print(&writer->to, "\",kind=\"");
    print_value(&writer->to, at->kind);
    cmw__print(&writer->to, "\",phase=\"%s\"", cmw_phase_name((cmw_phase)at->phase));
}

static void write_calls(struct writer *writer)
{
    const cmw_middleware_stats *at;

    head(writer, "middleware_calls_total", "counter", "Calls of middleware, by phase.");
    for (size_t i = 0; (at = cmw_stats_middleware(writer->stats, i)) != NULL; i++) {
        print_labels(writer, "middleware_calls_total", at);
        cmw__print(&writer->to, "} %" PRIu64 "\n", at->calls);
    }
}

struct outcome {
    const char *name;
    uint64_t count;
};

static void write_outcomes(struct writer *writer, const char *metric,
                           const cmw_middleware_stats *at, const struct outcome *outcomes,
                           size_t count)
{
    for (size_t i = 0; i < count; i++) {
        print_labels(writer, metric, at);
        cmw__print(&writer->to, ",outcome=\"%s\"} %" PRIu64 "\n", outcomes[i].name,
                   outcomes[i].count);
    }
}

static void write_verdicts(struct writer *writer)
{
    const char *const metric = "middleware_verdicts_total";
    const cmw_middleware_stats *at;

    head(writer, metric, "counter", "What calls said but to go on; forgiven are errors, too.");
    for (size_t i = 0; (at = cmw_stats_middleware(writer->stats, i)) != NULL; i++) {
        const struct outcome outcomes[] = {{"stop", at->stops},
                                           {"skip", at->skips},
                                           {"suspend", at->suspensions},
                                           {"error", at->errors},
                                           {"forgiven", at->forgiven}};
        if (!at->is_shadowed)
            write_outcomes(writer, metric, at, outcomes, sizeof outcomes / sizeof outcomes[0]);
    }
}

static void write_shadows(struct writer *writer)
{
    const char *const metric = "middleware_would_total";
    const cmw_middleware_stats *at;

    head(writer, metric, "counter", "What calls of shadowed middleware would have done.");
    for (size_t i = 0; (at = cmw_stats_middleware(writer->stats, i)) != NULL; i++) {
        const struct outcome outcomes[] = {{"stop", at->would_stop},
                                           {"skip", at->would_skip},
                                           {"suspend", at->would_suspend},
                                           {"fail", at->would_fail},
                                           {"change", at->would_change}};
        if (at->is_shadowed)
            write_outcomes(writer, metric, at, outcomes, sizeof outcomes / sizeof outcomes[0]);
    }
}

static void print_seconds(struct writer *writer, uint64_t ns)
{
    cmw__print(&writer->to, " %" PRIu64 ".%09u\n", ns / 1000000000, (unsigned)(ns % 1000000000));
}

static void write_durations(struct writer *writer)
{
    const char *const metric = "middleware_duration_seconds";
    const cmw_middleware_stats *at;

    head(writer, metric, "summary", "Durations of sampled calls under the installed plan.");
    for (size_t i = 0; (at = cmw_stats_middleware(writer->stats, i)) != NULL; i++) {
        const struct {
            const char *name;
            uint64_t ns;
        } quantiles[] = {{"0.5", at->durations.p50_ns},
                         {"0.95", at->durations.p95_ns},
                         {"0.99", at->durations.p99_ns}};
        for (size_t k = 0; k < sizeof quantiles / sizeof quantiles[0]; k++) {
            print_labels(writer, metric, at);
            cmw__print(&writer->to, ",quantile=\"%s\"}", quantiles[k].name);
            print_seconds(writer, quantiles[k].ns);
        }
        print_labels(writer, "middleware_duration_seconds_sum", at);
        cmw__print(&writer->to, "}");
        print_seconds(writer, at->durations.mean_ns * at->durations.samples);
        print_labels(writer, "middleware_duration_seconds_count", at);
        cmw__print(&writer->to, "} %" PRIu64 "\n", at->durations.samples);
    }
}

/* ---- Pools ------------------------------------------------------------------------------ */

static void write_pools(struct writer *writer)
{
    static const char *const names[CMW_POOL_COUNT] = {"context", "bridge", "plan"};

    head(writer, "pool_in_use_bytes", "gauge", "Bytes of a pool in use.");
    for (int i = 0; i < CMW_POOL_COUNT; i++)
        cmw__print(&writer->to, "catzilla_pool_in_use_bytes{pool=\"%s\"} %" PRIu64 "\n", names[i],
                   writer->stats->pools[i].in_use_bytes);
    head(writer, "pool_alloc_calls_total", "counter", "Calls of a pool's allocator.");
    for (int i = 0; i < CMW_POOL_COUNT; i++)
        cmw__print(&writer->to, "catzilla_pool_alloc_calls_total{pool=\"%s\"} %" PRIu64 "\n",
                   names[i], writer->stats->pools[i].alloc_calls);
    head(writer, "pool_failures_total", "counter", "Allocations that a pool refused.");
    for (int i = 0; i < CMW_POOL_COUNT; i++)
        cmw__print(&writer->to, "catzilla_pool_failures_total{pool=\"%s\"} %" PRIu64 "\n", names[i],
                   writer->stats->pools[i].failures);
}

int cmw__stats_write_prometheus(const cmw_stats *stats, cmw_write_fn *write, void *self)
{
    struct writer writer = {{write, self, 0}, stats};

    write_requests(&writer);
    write_calls(&writer);
    write_verdicts(&writer);
    write_shadows(&writer);
    write_durations(&writer);
    write_pools(&writer);
    return writer.to.error;
}
