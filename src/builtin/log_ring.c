/* SPDX-License-Identifier: MIT */
/*
 * The ring. `head` is released by the maker and acquired by the writer: it publishes the lines and
 * the pad before it. `tail` is released by the writer and acquired by the maker: it gives their
 * room back.
 *
 * One `pad` is enough: a second pad needs room that begins behind the first one, which the writer
 * has therefore passed.
 */
#include "log_ring.h"

#include <string.h>

size_t cmw__log_ring_bytes(size_t cap)
{
    return cap + cap / 2;
}

size_t cmw__log_ring_line_cap(size_t cap)
{
    return cap / 2;
}

void cmw__log_ring_init(struct cmw__log_ring *ring, char *buffer, size_t cap)
{
    memset(ring, 0, sizeof *ring);
    ring->buffer = buffer;
    ring->cap = cap;
    ring->clock.begin_ns = UINT64_MAX;
    atomic_init(&ring->pad, UINT64_MAX);
}

/* ---- The maker -------------------------------------------------------------------------- */

static inline size_t place_of(const struct cmw__log_ring *ring, uint64_t position)
{
    return (size_t)(position & (ring->cap - 1));
}

static inline size_t free_bytes(const struct cmw__log_ring *ring)
{
    return ring->cap - (size_t)(ring->made - ring->freed);
}

/* 1 if a line may be made at the head: what is free reaches the slack, or is long enough. */
static inline int is_open(const struct cmw__log_ring *ring)
{
    const size_t left = free_bytes(ring);
    return left >= ring->cap - place_of(ring, ring->made) ||
           left >= cmw__log_ring_line_cap(ring->cap);
}

static void look_at_tail(struct cmw__log_ring *ring)
{
    ring->freed = atomic_load_explicit(&ring->tail, memory_order_acquire);
}

char *cmw__log_ring_begin(struct cmw__log_ring *ring)
{
    if (!is_open(ring))
        look_at_tail(ring);
    return ring->buffer + (is_open(ring) ? place_of(ring, ring->made) : ring->cap);
}

static inline void count(_Atomic uint64_t *counter)
{
    const uint64_t value = atomic_load_explicit(counter, memory_order_relaxed);
    atomic_store_explicit(counter, value + 1, memory_order_relaxed);
}

void cmw__log_ring_lose(struct cmw__log_ring *ring)
{
    count(&ring->lost);
}

static inline int publish(struct cmw__log_ring *ring, size_t bytes)
{
    ring->made += bytes;
    count(&ring->lines);
    atomic_store_explicit(&ring->head, ring->made, memory_order_release);
    return 1;
}

/* 1 if so many bytes are free, be it after another look at the tail. */
static int has_room(struct cmw__log_ring *ring, size_t bytes)
{
    if (free_bytes(ring) < bytes)
        look_at_tail(ring);
    return free_bytes(ring) >= bytes;
}

/* A line that was made elsewhere, or runs over the end. */
static int commit_copy(struct cmw__log_ring *ring, const char *line, size_t len)
{
    const size_t place = place_of(ring, ring->made);
    const size_t pad = len > ring->cap - place ? ring->cap - place : 0;

    if (!has_room(ring, pad + len)) {
        cmw__log_ring_lose(ring);
        return 0;
    }
    if (pad > 0)
        atomic_store_explicit(&ring->pad, ring->made, memory_order_relaxed);
    memcpy(ring->buffer + (pad > 0 ? 0 : place), line, len);
    return publish(ring, pad + len);
}

int cmw__log_ring_commit(struct cmw__log_ring *ring, const char *line, size_t len)
{
    const size_t place = place_of(ring, ring->made);

    if (line != ring->buffer + place || len > ring->cap - place)
        return commit_copy(ring, line, len);
    return publish(ring, len);
}

/* ---- The writer ------------------------------------------------------------------------- */

cmw_str cmw__log_ring_read(struct cmw__log_ring *ring)
{
    uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    const uint64_t head = atomic_load_explicit(&ring->head, memory_order_acquire);
    const uint64_t lap = (tail | (ring->cap - 1)) + 1;
    uint64_t end = head;

    if (head >= lap) {
        const uint64_t pad = atomic_load_explicit(&ring->pad, memory_order_relaxed);
        end = pad >= tail && pad < lap ? pad : lap;
        if (end == tail) { /* nothing but the pad is left of this lap */
            tail = lap;
            atomic_store_explicit(&ring->tail, tail, memory_order_release);
            end = head;
        }
    }
    return cmw_str_make(ring->buffer + place_of(ring, tail), (size_t)(end - tail));
}

void cmw__log_ring_consume(struct cmw__log_ring *ring, size_t len)
{
    const uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    atomic_store_explicit(&ring->tail, tail + len, memory_order_release);
}
