/* SPDX-License-Identifier: MIT */
/*
 * Time: rounds in which the sides take turns, so that what disturbs the machine disturbs them all,
 * and the median of the rounds.
 */
#include <math.h>
#include <stdlib.h>
#include <time.h>

#include "bench.h"

enum { ROUNDS = 151, ROUNDS_QUICK = 3 };

/* How long one side's turn in a round is to last. */
static const double turn_ns = 400e3, turn_quick_ns = 20e3;

static double now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static double run_ns(const struct side *side, uint64_t iterations)
{
    const double start = now_ns();

    side->run(side->state, iterations);
    return (now_ns() - start) / (double)iterations;
}

/* Iterations of a turn; warms the side up as well. */
static uint64_t calibrate(const struct side *side, double wanted_ns)
{
    uint64_t iterations = 64;

    while (run_ns(side, iterations) * (double)iterations < wanted_ns)
        iterations *= 2;
    return iterations;
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
    if (count == 0)
        return (double)NAN;
    qsort(values, count, sizeof *values, compare);
    return values[count / 2];
}

void bench_measure(struct result *result, const struct sides *sides, int is_quick)
{
    static double net[ROUNDS], floors[ROUNDS], ratios[ROUNDS];
    const size_t rounds = is_quick ? ROUNDS_QUICK : ROUNDS;
    uint64_t iterations[SIDE_COUNT] = {0};
    size_t ratio_count = 0;

    for (size_t i = 0; i < SIDE_COUNT; i++)
        if (sides->at[i].run)
            iterations[i] = calibrate(&sides->at[i], is_quick ? turn_quick_ns : turn_ns);
    for (size_t round = 0; round < rounds; round++) {
        double ns[SIDE_COUNT] = {0};

        for (size_t i = 0; i < SIDE_COUNT; i++)
            if (sides->at[i].run)
                ns[i] = run_ns(&sides->at[i], iterations[i]);
        net[round] = ns[SIDE_SUBJECT] - ns[SIDE_BASE];
        floors[round] = ns[SIDE_FLOOR] - ns[SIDE_FLOOR_BASE];
        if (floors[round] > 0)
            ratios[ratio_count++] = net[round] / floors[round];
    }
    result->ns = median(net, rounds);
    if (sides->at[SIDE_FLOOR].run) {
        result->floor_ns = median(floors, rounds);
        result->ratio = median(ratios, ratio_count);
    }
}
