/* SPDX-License-Identifier: MIT */
/*
 * What the process under callgrind and its reader agree on.
 */
#ifndef CMW_BENCH_COUNTED_H
#define CMW_BENCH_COUNTED_H

/* A multiple of the engine's sample_every, so that timed requests have their share. */
#define COUNTED_ITERATIONS 1280

/* The name of a dump: row, blank, number of the side. */
#define COUNTED_TAG "%s %d"

#endif /* CMW_BENCH_COUNTED_H */
