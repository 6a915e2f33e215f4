/* SPDX-License-Identifier: MIT */
/*
 * Instructions: this program again, under callgrind, and its dumps read.
 */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "counted.h"

static int run_callgrind(const char *folder, const struct options *options)
{
    char out_option[512], self[4096], only[64], every[32], output[1];
    char valgrind[] = "valgrind", tool[] = "--tool=callgrind", quiet[] = "--quiet",
         start[] = "--instr-atstart=no", lines[] = "--dump-instr=no", counted[] = "--counted",
         only_option[] = "--only", every_option[] = "--sample-every";
    char *argv[] = {valgrind, tool, quiet, start, lines, out_option, self,
                    counted,  NULL, NULL,  NULL,  NULL,  NULL};
    size_t count = LEN(argv) - 5;

    snprintf(out_option, sizeof out_option, "--callgrind-out-file=%s/out", folder);
    snprintf(self, sizeof self, "%s", bench_self());
    if (options->only) {
        snprintf(only, sizeof only, "%s", options->only);
        argv[count++] = only_option;
        argv[count++] = only;
    }
    if (options->sample_every) {
        snprintf(every, sizeof every, "%s", options->sample_every);
        argv[count++] = every_option;
        argv[count++] = every;
    }
    return bench_spawn(argv, output, sizeof output);
}

/* Tag and total of one dump: 1 if it has both. */
static int read_dump(const char *path, char *tag, size_t cap, double *total)
{
    static const char tag_start[] = "desc: Trigger: Client Request: ";
    char line[512];
    int found = 0;
    FILE *file = fopen(path, "r");

    while (file && fgets(line, sizeof line, file)) {
        if (strncmp(line, tag_start, sizeof tag_start - 1) == 0) {
            line[strcspn(line, "\n")] = '\0';
            snprintf(tag, cap, "%.90s", line + sizeof tag_start - 1);
            found |= 1;
        }
        if (sscanf(line, "totals: %lf", total) == 1)
            found |= 2;
    }
    if (file)
        fclose(file);
    return found == 3;
}

static double net(const double *totals, enum side_id side, enum side_id base)
{
    const double subtracted = isnan(totals[base]) ? 0 : totals[base];

    return (totals[side] - subtracted) / COUNTED_ITERATIONS;
}

typedef void dump_fn(void *self, const char *path);

static void for_each_dump(const char *folder, dump_fn *visit, void *self)
{
    DIR *const listing = opendir(folder);
    const struct dirent *entry;

    while (listing && (entry = readdir(listing))) {
        char path[1024];

        if (strncmp(entry->d_name, "out", 3) != 0)
            continue;
        snprintf(path, sizeof path, "%s/%.255s", folder, entry->d_name);
        visit(self, path);
    }
    if (listing)
        closedir(listing);
}

struct totals {
    const struct result *results;
    size_t count;
    double (*at)[SIDE_COUNT];
};

static void add_dump(void *self, const char *path)
{
    struct totals *const totals = self;
    char tag[96], expected[96];
    double total;

    if (!read_dump(path, tag, sizeof tag, &total))
        return;
    for (size_t i = 0; i < totals->count; i++) {
        for (int side = 0; side < SIDE_COUNT; side++) {
            snprintf(expected, sizeof expected, COUNTED_TAG, totals->results[i].row->name, side);
            if (strcmp(tag, expected) == 0)
                totals->at[i][side] = total;
        }
    }
}

static void remove_dump(void *self, const char *path)
{
    (void)self;
    remove(path);
}

static void fill_results(const char *folder, struct result *results, size_t count)
{
    struct totals totals = {results, count, calloc(count, sizeof(double[SIDE_COUNT]))};

    if (!totals.at)
        bench_die("no memory", NULL);
    for (size_t i = 0; i < count; i++)
        for (size_t side = 0; side < SIDE_COUNT; side++)
            totals.at[i][side] = (double)NAN;
    for_each_dump(folder, add_dump, &totals);
    for (size_t i = 0; i < count; i++) {
        results[i].instructions = net(totals.at[i], SIDE_SUBJECT, SIDE_BASE);
        results[i].floor_instructions = net(totals.at[i], SIDE_FLOOR, SIDE_FLOOR_BASE);
    }
    free(totals.at);
}

void bench_count_instructions(struct result *results, size_t count, const struct options *options)
{
    char made[] = "/tmp/cmw-bench-XXXXXX";
    const char *folder = options->keep_folder ? options->keep_folder : mkdtemp(made);

    if (!folder || access(folder, W_OK | X_OK) != 0)
        bench_die("no folder for callgrind's files", folder);
    if (run_callgrind(folder, options) != 0)
        fputs("Instructions are not counted: valgrind or its header valgrind/callgrind.h is "
              "missing, or it failed.\n",
              stderr);
    fill_results(folder, results, count);
    if (!options->keep_folder) {
        for_each_dump(folder, remove_dump, NULL);
        rmdir(folder);
    }
}
