/* SPDX-License-Identifier: MIT */
/*
 * A picture of the ratios: one bar a row, against its floor (1) and its target.
 */
#include <math.h>
#include <stdio.h>

#include "bench.h"

enum { LEFT = 150, WIDTH = 640, ROW_HEIGHT = 26, TOP = 40, BAR_HEIGHT = 16 };

static const double ratio_max = 3; /* where the scale ends; longer bars are cut */

static double x_of(double ratio)
{
    const double shown = ratio < ratio_max ? ratio : ratio_max;

    return LEFT + shown / ratio_max * (WIDTH - LEFT - 70);
}

static double target_of(const struct row *row)
{
    for (size_t i = 0; i < TARGET_CAP; i++)
        if (row->targets[i].of == TARGET_RATIO)
            return row->targets[i].max;
    return (double)NAN;
}

static void write_line(FILE *file, double x, int y, int height, const char *style)
{
    fprintf(file, "<path d=\"M%.1f %dv%d\" %s/>\n", x, y, height, style);
}

static void write_bar(FILE *file, const struct result *result, int y)
{
    const double target = target_of(result->row), end = x_of(result->ratio);
    const char *color = isnan(target) || result->ratio <= target ? "#3b82a0" : "#c2542d";

    fprintf(file, "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>\n", LEFT - 8, y + 13,
            result->row->name);
    fprintf(file, "<rect x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", LEFT, y,
            end > LEFT ? end - LEFT : 0, BAR_HEIGHT, color);
    fprintf(file, "<text x=\"%.1f\" y=\"%d\">%.2f</text>\n", end + 6, y + 13, result->ratio);
    if (!isnan(target))
        write_line(file, x_of(target), y - 3, BAR_HEIGHT + 6, "stroke=\"#111\" stroke-width=\"2\"");
}

void bench_write_plot(const char *path, const struct result *results, size_t count)
{
    FILE *const file = fopen(path, "w");
    int y = TOP, rows = 0;

    if (!file)
        bench_die("cannot write", path);
    for (size_t i = 0; i < count; i++)
        rows += !isnan(results[i].ratio);
    const int height = TOP + rows * ROW_HEIGHT + 10;
    fprintf(file,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" "
            "font-family=\"sans-serif\" font-size=\"12\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n"
            "<text x=\"%d\" y=\"20\">time against the floor: grey, the floor; black, what is to "
            "be reached</text>\n",
            WIDTH, height, LEFT);
    write_line(file, x_of(1), TOP - 6, rows * ROW_HEIGHT + 6, "stroke=\"#999\"");
    for (size_t i = 0; i < count; i++) {
        if (isnan(results[i].ratio))
            continue;
        write_bar(file, &results[i], y);
        y += ROW_HEIGHT;
    }
    fputs("</svg>\n", file);
    if (fclose(file) != 0)
        bench_die("cannot write", path);
}
