/* SPDX-License-Identifier: MIT */
/*
 * Requests that wait, in the order in which they came, in places that were made beforehand. Each
 * has a ticket by which it leaves from wherever it stands. Not locked.
 */
#ifndef CMW_BUILTIN_WAIT_QUEUE_H
#define CMW_BUILTIN_WAIT_QUEUE_H

#include <catzilla/mw.h>

struct cmw__wait_place {
    cmw_token token;
    uint32_t next, previous; /* index + 1; 0: none. `next` also of the free ones */
    uint32_t generation;     /* odd: somebody waits here */
};

struct cmw__wait_queue {
    struct cmw__wait_place *places;
    uint32_t cap;
    uint32_t first, last, free; /* index + 1; 0: none */
    uint32_t count;
};

/* Names one who waits: stale once that one has left. All zero: nobody. */
struct cmw__wait_ticket {
    uint32_t index, generation;
};

/* `places` has room for `cap`. */
void cmw__wait_queue_open(struct cmw__wait_queue *queue, struct cmw__wait_place *places,
                          uint32_t cap);
/* 1, or 0 if it is full. */
int cmw__wait_queue_push(struct cmw__wait_queue *queue, cmw_token token,
                         struct cmw__wait_ticket *ticket);
/* Who came first leaves: 1, or 0 if nobody waits. */
int cmw__wait_queue_pop(struct cmw__wait_queue *queue, cmw_token *token);
/* One leaves: 1, or 0 if it has left already. */
int cmw__wait_queue_remove(struct cmw__wait_queue *queue, struct cmw__wait_ticket ticket);

#endif /* CMW_BUILTIN_WAIT_QUEUE_H */
