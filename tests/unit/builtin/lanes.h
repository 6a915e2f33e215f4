/* SPDX-License-Identifier: MIT */
/*
 * Threads whose requests wait for each other: each has a lane of its own, with some requests open
 * at once, and looks after them all the time. Who includes this defines `struct seat`, a request,
 * with `ctx` and `next`, and AT_ONCE, how many a lane has.
 */
#ifndef CMW_TESTS_LANES_H
#define CMW_TESTS_LANES_H

#include <pthread.h>
#include <stdatomic.h>

#include <catzilla/mw.h>

/* One thread's requests. */
struct lane {
    cmw_worker *worker;
    struct seat seats[AT_ONCE];
    uint64_t seed;
};

static unsigned draw(struct lane *lane, unsigned below)
{
    lane->seed = lane->seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    return (unsigned)(lane->seed >> 33) % below;
}

static void on_wake(void *self)
{
    (void)self; /* its thread looks all the time */
}

static void on_proceed(void *self, cmw_ctx *ctx, int next)
{
    struct lane *lane = self;

    for (size_t i = 0; i < AT_ONCE; i++)
        if (lane->seats[i].ctx == ctx)
            lane->seats[i].next = next;
}

static const cmw_host lane_host = {.size = sizeof(cmw_host),
                                   .name = "lanes",
                                   .capabilities = CMW_CAP_SUSPEND | CMW_CAP_RESUME_ACROSS_THREADS |
                                                   CMW_CAP_STREAM_REQUEST_BODY,
                                   .wake = on_wake,
                                   .proceed = on_proceed};

/* A request is over: counted in one of two. */
static void end_seat(struct seat *seat, cmw_end_reason reason, atomic_uint *sent, atomic_uint *gone)
{
    atomic_fetch_add(reason == CMW_END_SENT ? sent : gone, 1);
    cmw_ctx_end(seat->ctx, reason);
    seat->ctx = NULL;
}

/* A thread for each lane, until all are through. */
static void run_lanes(struct lane *lanes, unsigned count, void *work(void *lane))
{
    pthread_t threads[16];

    assert_true(count <= LEN(threads));
    for (unsigned i = 0; i < count; i++) {
        memset(&lanes[i], 0, sizeof lanes[i]);
        lanes[i].seed = i + 1;
        assert_int_equal(pthread_create(&threads[i], NULL, work, &lanes[i]), 0);
    }
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
}

#endif /* CMW_TESTS_LANES_H */
