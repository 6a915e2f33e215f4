/* SPDX-License-Identifier: MIT */
/* A doubly linked list over an array. */
#include "wait_queue.h"

void cmw__wait_queue_open(struct cmw__wait_queue *queue, struct cmw__wait_place *places,
                          uint32_t cap)
{
    memset(queue, 0, sizeof *queue);
    queue->places = places;
    queue->cap = cap;
    for (uint32_t i = 0; i < cap; i++)
        places[i] = (struct cmw__wait_place){.next = i + 1 < cap ? i + 2 : 0};
    queue->free = cap > 0 ? 1 : 0;
}

int cmw__wait_queue_push(struct cmw__wait_queue *queue, cmw_token token,
                         struct cmw__wait_ticket *ticket)
{
    const uint32_t index = queue->free;

    if (index == 0)
        return 0;
    struct cmw__wait_place *place = &queue->places[index - 1];
    queue->free = place->next;
    place->token = token;
    place->next = 0;
    place->previous = queue->last;
    place->generation++;
    if (queue->last)
        queue->places[queue->last - 1].next = index;
    else
        queue->first = index;
    queue->last = index;
    queue->count++;
    *ticket = (struct cmw__wait_ticket){index - 1, place->generation};
    return 1;
}

static void leave(struct cmw__wait_queue *queue, uint32_t index)
{
    struct cmw__wait_place *place = &queue->places[index - 1];

    if (place->previous)
        queue->places[place->previous - 1].next = place->next;
    else
        queue->first = place->next;
    if (place->next)
        queue->places[place->next - 1].previous = place->previous;
    else
        queue->last = place->previous;
    place->generation++;
    place->next = queue->free;
    queue->free = index;
    queue->count--;
}

int cmw__wait_queue_pop(struct cmw__wait_queue *queue, cmw_token *token)
{
    if (queue->first == 0)
        return 0;
    *token = queue->places[queue->first - 1].token;
    leave(queue, queue->first);
    return 1;
}

int cmw__wait_queue_remove(struct cmw__wait_queue *queue, struct cmw__wait_ticket ticket)
{
    if (ticket.generation % 2 == 0 || ticket.index >= queue->cap ||
        queue->places[ticket.index].generation != ticket.generation)
        return 0;
    leave(queue, ticket.index + 1);
    return 1;
}
