/* SPDX-License-Identifier: MIT */
/*
 * What the parts of cmw-bench share: rows, what they are to reach, what was measured.
 *
 * A row has up to four sides. Its figure is subject minus base; its floor, floor minus floor_base.
 * A count row has none of them: it gives one number.
 */
#ifndef CMW_BENCH_H
#define CMW_BENCH_H

#include <stddef.h>
#include <stdint.h>

#define LEN(array) (sizeof(array) / sizeof *(array))

/* Do the work `iterations` times. */
typedef void bench_run_fn(void *state, uint64_t iterations);

struct side {
    bench_run_fn *run; /* NULL: the row has no such side */
    void *state;
};

enum side_id { SIDE_SUBJECT, SIDE_BASE, SIDE_FLOOR, SIDE_FLOOR_BASE, SIDE_COUNT };

struct sides {
    struct side at[SIDE_COUNT];
};

/* What a row is to reach. */
enum target_of {
    TARGET_NONE = 0,
    TARGET_RATIO,        /* ratio <= max */
    TARGET_INSTRUCTIONS, /* instructions <= max */
    TARGET_VALUE,        /* value <= max */
    TARGET_STEP          /* (instructions - those of the row `from`) / step_count <= max */
};

struct target {
    enum target_of of;
    double max;
    const char *from;
    double step_count;
};

#define TARGET_CAP 2

struct options {
    const char *json_file;
    const char *plot_file;
    const char *keep_folder;  /* where callgrind's files stay; NULL: they are removed */
    const char *sample_every; /* of the engines, a number; NULL: their default */
    const char *only;         /* name of the one row to run */
    int is_quick;
    int counts_instructions;
    int checks;
};

struct row {
    const char *name;
    const char *unit; /* of a count row */
    struct target targets[TARGET_CAP];
    void (*open)(struct sides *sides);
    void (*close)(void);
    double (*count)(const struct options *options);
};

/* What is not known is NAN. */
struct result {
    const struct row *row;
    double ns, instructions, floor_ns, floor_instructions, ratio, value;
};

/* The rows of a file, ended by one without a name. */
extern const struct row bench_auth_rows[];
extern const struct row bench_compression_rows[];
extern const struct row bench_dispatch_rows[];
extern const struct row bench_header_rows[];
extern const struct row bench_log_rows[];
extern const struct row bench_lookup_rows[];
extern const struct row bench_memory_rows[];
extern const struct row bench_network_rows[];
extern const struct row bench_condition_rows[];
extern const struct row bench_cors_rows[];
extern const struct row bench_protocol_rows[];
extern const struct row bench_rate_limit_rows[];
extern const struct row bench_traffic_rows[];
extern const struct row bench_stack_rows[];
extern const struct row bench_suspend_rows[];
extern const struct row bench_thread_rows[];
extern const struct row bench_count_rows[];
extern const struct row bench_flood_rows[];

/* Print a message and leave with 1. */
_Noreturn void bench_die(const char *what, const char *detail);

/* Make the compiler believe that the memory at `place` is read and written. */
static inline void bench_touch(const void *place)
{
    __asm__ volatile("" : : "r"(place) : "memory");
}

/* measure.c: ns, floor_ns, ratio. */
void bench_measure(struct result *result, const struct sides *sides, int is_quick);

/* instructions.c: the instructions of all results, from a second process under callgrind. */
void bench_count_instructions(struct result *results, size_t count, const struct options *options);
/* callgrind_*.c: that process; called with one row after the other. */
void bench_run_counted(const struct row *row, const struct sides *sides);

/* process.c: run a program (`argv` ends with NULL) and keep the beginning of what it prints; its
 * exit status, or -1 if it cannot be run. */
int bench_spawn(char *const *argv, char *out, size_t cap);
/* This program's file. */
const char *bench_self(void);

/* life.c: of all engines opened from now on. */
void bench_set_sample_every(const char *number);

/* rows_count.c: the process that rss looks at; prints KiB. */
int bench_print_resident(int with_library);

/* report.c */
enum outcome { OUTCOME_NONE, OUTCOME_MET, OUTCOME_MISSED };
enum outcome bench_judge(const struct result *results, size_t count, size_t index);
void bench_print_table(const struct result *results, size_t count);
void bench_write_json(const char *file, const struct result *results, size_t count);
void bench_describe_target(const struct row *row, char *text, size_t cap);
/* plot.c */
void bench_write_plot(const char *file, const struct result *results, size_t count);

/* alloc_counter_*.c: calls of malloc and its like in this process since it began; 0 if
 * bench_counts_allocs() is 0. */
int bench_counts_allocs(void);
uint64_t bench_alloc_calls(void);
/* The process's malloc and free without the counting. */
typedef void *bench_malloc_fn(size_t bytes);
typedef void bench_free_fn(void *piece);
bench_malloc_fn *bench_real_malloc(void);
bench_free_fn *bench_real_free(void);

#endif /* CMW_BENCH_H */
