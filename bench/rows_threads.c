/* SPDX-License-Identifier: MIT */
/*
 * Two workers in two threads of one process, beside two processes with a worker each: what a
 * request costs more where an engine is shared. All four run at once, so that what disturbs one
 * disturbs the others; processor time is compared, of which waiting for another's cache line is
 * part.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "life.h"

enum { LANES = 4, ROUNDS = 41, ROUNDS_QUICK = 1, REQUESTS = 60000, REQUESTS_QUICK = 200 };

/* What the processes share. */
struct shared {
    atomic_uint ready;
    uint64_t requests; /* of each lane */
    double cpu_ns[LANES];
};

/* One worker's: the first two share an engine. */
struct lane {
    struct life *life;
    struct shared *shared;
    double *cpu_ns;
};

static void fill(cmw_chain *chain)
{
    static const char *const kinds[] = {"security_headers", "cors", "request_id"};
    cmw_diag diag = {0};

    life_check(cmw_chain_use_builtins(chain, kinds, LEN(kinds), &diag), &diag);
}

static double thread_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static void *run_lane(void *argument)
{
    const struct lane *lane = argument;
    struct shared *shared = lane->shared;

    life_run_empty(lane->life, shared->requests / 8); /* warm */
    atomic_fetch_add(&shared->ready, 1);
    while (atomic_load(&shared->ready) < LANES)
        sched_yield();
    const double before = thread_ns();
    life_run_empty(lane->life, shared->requests);
    *lane->cpu_ns = thread_ns() - before;
    return NULL;
}

/* Another worker of the same engine. */
static void open_beside(struct life *beside, const struct life *life)
{
    *beside = *life;
    beside->view.header_ids = life->view.header_ids ? beside->ids : NULL;
    life_check(cmw_engine_take_worker(life->engine, &beside->worker, NULL, NULL), NULL);
}

static void run_threads(struct shared *shared)
{
    static struct life lives[2];
    struct lane lanes[2];
    pthread_t second;

    life_open(&lives[0], fill);
    open_beside(&lives[1], &lives[0]);
    for (int i = 0; i < 2; i++)
        lanes[i] = (struct lane){&lives[i], shared, &shared->cpu_ns[i]};
    if (pthread_create(&second, NULL, run_lane, &lanes[1]) != 0)
        bench_die("no thread", NULL);
    run_lane(&lanes[0]);
    pthread_join(second, NULL);
}

static void run_process(struct shared *shared, int index)
{
    static struct life life;
    struct lane lane = {&life, shared, &shared->cpu_ns[index]};

    life_open(&life, fill);
    run_lane(&lane);
}

/* A child: 0 runs both threads, 2 and 3 are the processes. */
static pid_t start(struct shared *shared, int index)
{
    const pid_t child = fork();

    if (child < 0)
        bench_die("no process", NULL);
    if (child > 0)
        return child;
    if (index == 0)
        run_threads(shared);
    else
        run_process(shared, index);
    _exit(0);
}

/* Processor time of a request in the threads, in percent of that in the processes. */
static double run_round(struct shared *shared)
{
    static const int firsts[] = {0, 2, 3};
    pid_t children[LEN(firsts)];
    int status = 0, failed = 0;

    atomic_store(&shared->ready, 0);
    for (size_t i = 0; i < LEN(firsts); i++)
        children[i] = start(shared, firsts[i]);
    for (size_t i = 0; i < LEN(firsts); i++)
        failed |=
            waitpid(children[i], &status, 0) < 0 || !WIFEXITED(status) || WEXITSTATUS(status) != 0;
    if (failed)
        bench_die("a process failed", NULL);
    return 100 * (shared->cpu_ns[0] + shared->cpu_ns[1]) / (shared->cpu_ns[2] + shared->cpu_ns[3]);
}

static int compare(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double count_threads(const struct options *options)
{
    double ratios[ROUNDS];
    const size_t rounds = options->is_quick ? ROUNDS_QUICK : ROUNDS;
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (shared == MAP_FAILED)
        bench_die("no shared memory", NULL);
    shared->requests = options->is_quick ? REQUESTS_QUICK : REQUESTS;
    for (size_t i = 0; i < rounds; i++)
        ratios[i] = run_round(shared);
    munmap(shared, sizeof *shared);
    qsort(ratios, rounds, sizeof *ratios, compare);
    return ratios[rounds / 2];
}

const struct row bench_thread_rows[] = {
    {.name = "threads_2",
     .unit = "%",
     .targets = {{.of = TARGET_VALUE, .max = 100 / 0.97}},
     .count = count_threads},
    {.name = NULL},
};
