/* SPDX-License-Identifier: MIT */
/*
 * cmw-bench: what the engine costs, beside what the same work costs without it.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static const char usage[] =
    "usage: cmw-bench [option...]\n"
    "  --json FILE      write the rows as JSON, too\n"
    "  --plot FILE      write a picture of the ratios (SVG)\n"
    "  --only NAME      run one row\n"
    "  --sample-every N time one request in N; 0: none (the engine's default: 64)\n"
    "  --quick          few iterations: shows that it runs, measures nothing\n"
    "  --no-callgrind   do not count instructions\n"
    "  --keep FOLDER    leave callgrind's files there, for callgrind_annotate\n"
    "  --check          leave with 1 when a row misses its target\n";

static const struct row *const row_lists[] = {
    bench_dispatch_rows,    bench_header_rows,   bench_lookup_rows,     bench_memory_rows,
    bench_condition_rows,   bench_auth_rows,     bench_cors_rows,       bench_log_rows,
    bench_network_rows,     bench_protocol_rows, bench_rate_limit_rows, bench_traffic_rows,
    bench_compression_rows, bench_stack_rows,    bench_suspend_rows,    bench_thread_rows,
    bench_count_rows,       bench_flood_rows,
};

enum { ROW_CAP = 128 };

void bench_die(const char *what, const char *detail)
{
    fprintf(stderr, "cmw-bench: %s%s%s\n", what, detail ? ": " : "", detail ? detail : "");
    exit(1);
}

static size_t choose_rows(struct result *results, const struct options *options)
{
    const double unknown = (double)NAN;
    size_t count = 0;

    for (size_t i = 0; i < LEN(row_lists); i++) {
        for (const struct row *row = row_lists[i]; row->name; row++) {
            if (options->only && strcmp(options->only, row->name) != 0)
                continue;
            if (count == ROW_CAP)
                bench_die("more rows than ROW_CAP", NULL);
            results[count++] =
                (struct result){row, unknown, unknown, unknown, unknown, unknown, unknown};
        }
    }
    if (count == 0)
        bench_die("no such row", options->only);
    return count;
}

static void run_row(struct result *result, const struct options *options)
{
    const struct row *row = result->row;
    struct sides sides = {0};

    if (row->count) {
        result->value = row->count(options);
        return;
    }
    row->open(&sides);
    bench_measure(result, &sides, options->is_quick);
    row->close();
}

/* The process under callgrind. */
static int run_counted(const struct options *options)
{
    static struct result results[ROW_CAP];
    const size_t count = choose_rows(results, options);

    for (size_t i = 0; i < count; i++) {
        const struct row *row = results[i].row;
        struct sides sides = {0};

        if (row->count)
            continue;
        row->open(&sides);
        bench_run_counted(row, &sides);
        row->close();
    }
    return 0;
}

static int run_all(const struct options *options)
{
    static struct result results[ROW_CAP];
    const size_t count = choose_rows(results, options);
    int missed = 0;

    for (size_t i = 0; i < count; i++)
        run_row(&results[i], options);
    if (options->counts_instructions)
        bench_count_instructions(results, count, options);
    bench_print_table(results, count);
    if (options->json_file)
        bench_write_json(options->json_file, results, count);
    if (options->plot_file)
        bench_write_plot(options->plot_file, results, count);
    for (size_t i = 0; i < count; i++)
        missed |= bench_judge(results, count, i) == OUTCOME_MISSED;
    return options->checks && missed;
}

static int is_option(const char *argument, const char *name)
{
    return strcmp(argument, name) == 0;
}

/* The value of an option; moves on. */
static const char *take_value(int argc, char **argv, int *at)
{
    if (*at + 1 >= argc)
        bench_die("an option lacks its value", argv[*at]);
    return argv[++*at];
}

int main(int argc, char **argv)
{
    struct options options = {.counts_instructions = 1};
    int is_counted = 0;

    for (int i = 1; i < argc; i++) {
        if (is_option(argv[i], "--json"))
            options.json_file = take_value(argc, argv, &i);
        else if (is_option(argv[i], "--plot"))
            options.plot_file = take_value(argc, argv, &i);
        else if (is_option(argv[i], "--keep"))
            options.keep_folder = take_value(argc, argv, &i);
        else if (is_option(argv[i], "--only"))
            options.only = take_value(argc, argv, &i);
        else if (is_option(argv[i], "--sample-every"))
            options.sample_every = take_value(argc, argv, &i);
        else if (is_option(argv[i], "--quick"))
            options.is_quick = 1;
        else if (is_option(argv[i], "--no-callgrind"))
            options.counts_instructions = 0;
        else if (is_option(argv[i], "--check"))
            options.checks = 1;
        else if (is_option(argv[i], "--counted")) /* ours: the process under callgrind */
            is_counted = 1;
        else if (is_option(argv[i], "--resident")) /* ours: the process that rss looks at */
            return bench_print_resident(is_option(take_value(argc, argv, &i), "with"));
        else {
            fputs(usage, is_option(argv[i], "--help") ? stdout : stderr);
            return is_option(argv[i], "--help") ? 0 : 2;
        }
    }
    bench_set_sample_every(options.sample_every);
    return is_counted ? run_counted(&options) : run_all(&options);
}
