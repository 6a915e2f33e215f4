/* SPDX-License-Identifier: MIT */
/* The figures of catzilla-mw bench: a table, or JSON with the same numbers. */
#include "bench.h"

#include <jansson.h>
#include <stdlib.h>

static int compare(const void *a, const void *b)
{
    const double first = *(const double *)a, second = *(const double *)b;

    return first < second ? -1 : first > second;
}

/* Sorts the rounds. */
static double median_ns(struct bench_row *row, unsigned rounds)
{
    qsort(row->round_ns, rounds, sizeof *row->round_ns, compare);
    return row->round_ns[rounds / 2];
}

/* ---- A table ---------------------------------------------------------------------------- */

static void print_statuses(const struct bench_row *row)
{
    const char *before = "";

    for (size_t i = 0; i < LEN(row->by_status); i++) {
        if (row->by_status[i] == 0)
            continue;
        if (i == 0)
            printf("%snone %llu times", before, (unsigned long long)row->by_status[i]);
        else
            printf("%s%zu %llu times", before, i, (unsigned long long)row->by_status[i]);
        before = ", ";
    }
    printf("\n");
}

static void print_middleware(const cmw_stats *stats)
{
    const cmw_middleware_stats *row;

    printf("\n%-24s %-14s %10s %10s %8s %8s\n", "middleware", "phase", "calls", "stops", "p50 ns",
           "p99 ns");
    for (size_t i = 0; (row = cmw_stats_middleware(stats, i)) != NULL; i++)
        printf("%-24s %-14s %10llu %10llu %8llu %8llu\n", row->name,
               cmw_phase_name((cmw_phase)row->phase), (unsigned long long)row->calls,
               (unsigned long long)row->stops, (unsigned long long)row->durations.p50_ns,
               (unsigned long long)row->durations.p99_ns);
}

int bench_write_text(const struct bench_request *request, struct bench_row *rows, size_t count,
                     unsigned rounds, const cmw_stats *stats)
{
    printf("%s\n\n%-12s %12s %18s  %s\n", request->text, "", "ns/request", "allocator calls",
           "answers");
    for (size_t i = 0; i < count; i++) {
        printf("%-12s %12.1f %18llu  ", rows[i].name, median_ns(&rows[i], rounds),
               (unsigned long long)rows[i].alloc_calls);
        print_statuses(&rows[i]);
    }
    print_middleware(stats);
    return 0;
}

/* ---- JSON ------------------------------------------------------------------------------- */

static json_t *of_statuses(const struct bench_row *row)
{
    json_t *const object = json_object();
    char key[8];

    for (size_t i = 0; i < LEN(row->by_status); i++) {
        (void)snprintf(key, sizeof key, "%zu", i);
        if (row->by_status[i] > 0 &&
            json_object_set_new(object, key, json_integer((json_int_t)row->by_status[i])) != 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static json_t *of_rows(struct bench_row *rows, size_t count, unsigned rounds)
{
    json_t *const list = json_array();

    for (size_t i = 0; i < count; i++) {
        json_t *const row = json_pack(
            "{s:s, s:f, s:I, s:o}", "name", rows[i].name, "ns", median_ns(&rows[i], rounds),
            "allocator_calls", (json_int_t)rows[i].alloc_calls, "answers", of_statuses(&rows[i]));
        if (json_array_append_new(list, row) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *of_middleware(const cmw_stats *stats)
{
    json_t *const list = json_array();
    const cmw_middleware_stats *at;

    for (size_t i = 0; (at = cmw_stats_middleware(stats, i)) != NULL; i++) {
        json_t *const row =
            json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "name", at->name, "kind",
                      at->kind ? at->kind : "", "phase", cmw_phase_name((cmw_phase)at->phase),
                      "calls", (json_int_t)at->calls, "stops", (json_int_t)at->stops, "p50_ns",
                      (json_int_t)at->durations.p50_ns, "p99_ns", (json_int_t)at->durations.p99_ns);
        if (json_array_append_new(list, row) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

int bench_write_json(const struct bench_request *request, struct bench_row *rows, size_t count,
                     unsigned rounds, const cmw_stats *stats)
{
    json_t *const all =
        json_pack("{s:s, s:i, s:o, s:o}", "request", request->text, "rounds", (int)rounds, "rows",
                  of_rows(rows, count, rounds), "middleware", of_middleware(stats));

    if (!all)
        return CMW_ERR_NOMEM;
    const int rc = json_dumpf(all, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(6));
    json_decref(all);
    return rc == 0 ? cmw_write_file(stdout, "\n", 1) : CMW_ERR_IO;
}
