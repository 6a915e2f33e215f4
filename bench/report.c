/* SPDX-License-Identifier: MIT */
/*
 * The table, the JSON, and whether a row reached what it is to reach.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "bench.h"

static const struct result *find_result(const struct result *results, size_t count,
                                        const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(results[i].row->name, name) == 0)
            return &results[i];
    return NULL;
}

/* The figure that a target speaks of, or NAN. */
static double figure_of(const struct result *results, size_t count, const struct result *result,
                        const struct target *target)
{
    const struct result *from;

    switch (target->of) {
    case TARGET_RATIO:
        return result->ratio;
    case TARGET_INSTRUCTIONS:
        return result->instructions;
    case TARGET_VALUE:
        return result->value;
    case TARGET_STEP:
        from = find_result(results, count, target->from);
        return from ? (result->instructions - from->instructions) / target->step_count
                    : (double)NAN;
    case TARGET_NONE:
    default:
        return (double)NAN;
    }
}

enum outcome bench_judge(const struct result *results, size_t count, size_t index)
{
    const struct result *result = &results[index];
    enum outcome outcome = OUTCOME_NONE;

    for (size_t i = 0; i < TARGET_CAP; i++) {
        const struct target *target = &result->row->targets[i];
        const double figure = figure_of(results, count, result, target);

        if (isnan(figure))
            continue;
        if (figure > target->max)
            return OUTCOME_MISSED;
        outcome = OUTCOME_MET;
    }
    return outcome;
}

void bench_describe_target(const struct row *row, char *text, size_t cap)
{
    static const char *const words[] = {
        [TARGET_NONE] = "",
        [TARGET_RATIO] = "ratio <= ",
        [TARGET_INSTRUCTIONS] = "instructions <= ",
        [TARGET_VALUE] = "value <= ",
        [TARGET_STEP] = "a further one <= ",
    };
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < TARGET_CAP; i++) {
        const struct target *target = &row->targets[i];

        if (target->of == TARGET_NONE || used >= cap)
            continue;
        const int len = snprintf(text + used, cap - used, "%s%s%g", used ? ", " : "",
                                 words[target->of], target->max);
        used += len > 0 ? (size_t)len : 0;
    }
}

/* A number in a column; "-" where it is not known. */
static void print_cell(double figure, int width, int decimals)
{
    if (isnan(figure))
        printf(" %*s", width, "-");
    else
        printf(" %*.*f", width, decimals, figure);
}

static const char *const marks[] = {
    [OUTCOME_NONE] = "", [OUTCOME_MET] = "ok  ", [OUTCOME_MISSED] = "MISS"};

void bench_print_table(const struct result *results, size_t count)
{
    printf("%-17s %8s %12s %9s %12s %7s %12s  %s\n", "name", "ns", "instructions", "floor_ns",
           "floor_instr", "ratio", "value", "target");
    for (size_t i = 0; i < count; i++) {
        const struct result *result = &results[i];
        char target[96], value[32] = "-";

        bench_describe_target(result->row, target, sizeof target);
        if (!isnan(result->value))
            snprintf(value, sizeof value, "%.0f %s", result->value, result->row->unit);
        printf("%-17s", result->row->name);
        print_cell(result->ns, 8, 1);
        print_cell(result->instructions, 12, 1);
        print_cell(result->floor_ns, 9, 1);
        print_cell(result->floor_instructions, 12, 1);
        print_cell(result->ratio, 7, 2);
        printf(" %12s  %s %s\n", value, marks[bench_judge(results, count, i)], target);
    }
}

static void write_number(FILE *file, const char *name, double figure)
{
    if (isnan(figure))
        fprintf(file, ", \"%s\": null", name);
    else
        fprintf(file, ", \"%s\": %.3f", name, figure);
}

void bench_write_json(const char *path, const struct result *results, size_t count)
{
    static const char *const met[] = {
        [OUTCOME_NONE] = "null", [OUTCOME_MET] = "true", [OUTCOME_MISSED] = "false"};
    FILE *const file = fopen(path, "w");

    if (!file)
        bench_die("cannot write", path);
    fputs("[\n", file);
    for (size_t i = 0; i < count; i++) {
        const struct result *result = &results[i];
        char target[96];

        bench_describe_target(result->row, target, sizeof target);
        fprintf(file, "  {\"name\": \"%s\"", result->row->name);
        write_number(file, "ns", result->ns);
        write_number(file, "instructions", result->instructions);
        write_number(file, "floor_ns", result->floor_ns);
        write_number(file, "floor_instructions", result->floor_instructions);
        write_number(file, "ratio", result->ratio);
        write_number(file, "value", result->value);
        fprintf(file, ", \"unit\": \"%s\", \"target\": \"%s\", \"met\": %s}%s\n",
                result->row->unit ? result->row->unit : "", target,
                met[bench_judge(results, count, i)], i + 1 < count ? "," : "");
    }
    fputs("]\n", file);
    if (fclose(file) != 0)
        bench_die("cannot write", path);
}
