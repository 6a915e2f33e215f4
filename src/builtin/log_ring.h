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

/* Where to make the next line, with room for cmw__log_ring_line_cap bytes. */
char *cmw__log_ring_begin(struct cmw__log_ring *ring);
/* Pass on the line that was made there: 1, or 0 if there is no room and it is lost. */
int cmw__log_ring_commit(struct cmw__log_ring *ring, const char *line, size_t len);
/* Count a line that could not even be made. */
void cmw__log_ring_lose(struct cmw__log_ring *ring);

/* ---- The writer ------------------------------------------------------------------------- */

/* Whole lines that wait; empty: none. */
cmw_str cmw__log_ring_read(struct cmw__log_ring *ring);
/* Free so many bytes of them. */
void cmw__log_ring_consume(struct cmw__log_ring *ring, size_t len);

#endif /* CMW_BUILTIN_LOG_RING_H */
