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

static void look_at_tail(struct cmw__log_ring *ring)
{
    ring->freed = atomic_load_explicit(&ring->tail, memory_order_acquire);
}

char *cmw__log_ring_begin_full(struct cmw__log_ring *ring)
{
    look_at_tail(ring);
    return ring->buffer +
           (cmw__log_ring_is_open(ring) ? cmw__log_ring_place(ring, ring->made) : ring->cap);
}

void cmw__log_ring_lose(struct cmw__log_ring *ring)
{
    cmw__log_ring_count(&ring->lost);
}

/* 1 if so many bytes are free, be it after another look at the tail. */
static int has_room(struct cmw__log_ring *ring, size_t bytes)
{
    if (cmw__log_ring_free(ring) < bytes)
        look_at_tail(ring);
    return cmw__log_ring_free(ring) >= bytes;
}

int cmw__log_ring_commit_copy(struct cmw__log_ring *ring, const char *line, size_t len)
{
    const size_t place = cmw__log_ring_place(ring, ring->made);
    const size_t pad = len > ring->cap - place ? ring->cap - place : 0;

    if (!has_room(ring, pad + len)) {
        cmw__log_ring_lose(ring);
        return 0;
    }
    if (pad > 0)
        atomic_store_explicit(&ring->pad, ring->made, memory_order_relaxed);
    memcpy(ring->buffer + (pad > 0 ? 0 : place), line, len);
    return cmw__log_ring_publish(ring, pad + len);
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
    return cmw_str_make(ring->buffer + cmw__log_ring_place(ring, tail), (size_t)(end - tail));
}

void cmw__log_ring_consume(struct cmw__log_ring *ring, size_t len)
{
    const uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
    atomic_store_explicit(&ring->tail, tail + len, memory_order_release);
}
