/* SPDX-License-Identifier: MIT */
/*
 * A ring of lines between one thread that makes them and one that writes them.
 *
 *   buffer  |....|line|line|line|......pad......|            slack            |
 *           0    tail           head            cap             cap + cap / 2
 *
 * Positions only grow; their place is what is left of them modulo `cap`. Lines lie whole: one that
 * does not fit before `cap` goes to the front, and the rest is a pad. A line is formatted where it
 * will lie, running into the slack if need be, so that nearly none is copied.
 */
#ifndef CMW_BUILTIN_LOG_RING_H
#define CMW_BUILTIN_LOG_RING_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <catzilla/base.h>

/* The second of a line's time, as text; the maker's. */
struct cmw__log_clock {
    uint64_t begin_ns; /* when it began, since 1970; UINT64_MAX: none yet */
    char common[28];   /* [10/Oct/2000:13:55:36 +0000] */
    char iso[20];      /* 2000-10-10T13:55:36. */
};

struct cmw__log_ring {
    /* The maker's. */
    char *buffer;
    size_t cap;       /* a power of two */
    uint64_t made;    /* the same as `head` */
    uint64_t freed;   /* what it last saw of `tail` */
    uint64_t skipped; /* requests since one was logged, for sampling */
    struct cmw__log_clock clock;
    /* Written by the maker, read by all. */
    _Atomic uint64_t lines;
    _Atomic uint64_t lost;
    _Atomic uint64_t pad; /* where the last pad begins */
    _Atomic uint64_t head;
    /* The writer's, on a line of its own. */
    _Alignas(64) _Atomic uint64_t tail;
};

/* Bytes of a buffer. */
size_t cmw__log_ring_bytes(size_t cap);
/* The longest line that always fits an empty ring, its slack included. */
size_t cmw__log_ring_line_cap(size_t cap);

void cmw__log_ring_init(struct cmw__log_ring *ring, char *buffer, size_t cap);

/* ---- The maker -------------------------------------------------------------------------- */

static inline size_t cmw__log_ring_place(const struct cmw__log_ring *ring, uint64_t position)
{
    return (size_t)(position & (ring->cap - 1));
}

static inline size_t cmw__log_ring_free(const struct cmw__log_ring *ring)
{
    return ring->cap - (size_t)(ring->made - ring->freed);
}

/* 1 if a line may be made at the head: what is free reaches the slack, or is long enough. */
static inline int cmw__log_ring_is_open(const struct cmw__log_ring *ring)
{
    const size_t left = cmw__log_ring_free(ring);
    return left >= ring->cap / 2 || left >= ring->cap - cmw__log_ring_place(ring, ring->made);
}

static inline void cmw__log_ring_count(_Atomic uint64_t *counter)
{
    const uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + 1, memory_order_relaxed);
}

static inline int cmw__log_ring_publish(struct cmw__log_ring *ring, size_t bytes)
{
    ring->made += bytes;
    cmw__log_ring_count(&ring->lines);
    atomic_store_explicit(&ring->head, ring->made, memory_order_release);
    return 1;
}

/* The parts of the next two that are rarely run. */
char *cmw__log_ring_begin_full(struct cmw__log_ring *ring);
int cmw__log_ring_commit_copy(struct cmw__log_ring *ring, const char *line, size_t len);

/* Where to make the next line, with room for cmw__log_ring_line_cap bytes. */
static inline char *cmw__log_ring_begin(struct cmw__log_ring *ring)
{
    if (!cmw__log_ring_is_open(ring))
        return cmw__log_ring_begin_full(ring);
    return ring->buffer + cmw__log_ring_place(ring, ring->made);
}

/* Pass on the line that was made there: 1, or 0 if there is no room and it is lost. One that was
 * made elsewhere, or runs over the end, is copied. */
static inline int cmw__log_ring_commit(struct cmw__log_ring *ring, const char *line, size_t len)
{
    const size_t place = cmw__log_ring_place(ring, ring->made);

    if (line != ring->buffer + place || len > ring->cap - place)
        return cmw__log_ring_commit_copy(ring, line, len);
    return cmw__log_ring_publish(ring, len);
}

/* Count a line that could not even be made. */
void cmw__log_ring_lose(struct cmw__log_ring *ring);

/* ---- The writer ------------------------------------------------------------------------- */

/* Whole lines that wait; empty: none. */
cmw_str cmw__log_ring_read(struct cmw__log_ring *ring);
/* Free so many bytes of them. */
void cmw__log_ring_consume(struct cmw__log_ring *ring, size_t len);

#endif /* CMW_BUILTIN_LOG_RING_H */
