/* SPDX-License-Identifier: MIT */
/*
 * A worker's free blocks, by size: the only place on the hot path that may ask a pool for memory.
 */
#include "arena_state.h"

void cmw__block_list_init(struct cmw__block_list *list, cmw_pool *pool)
{
    memset(list, 0, sizeof *list);
    list->pool = pool;
}

static struct cmw__block *pop_free(struct cmw__block_list *list, uint32_t class)
{
    struct cmw__block *block = list->free[class];

    list->free[class] = block->previous;
    if (!block->previous)
        list->nonempty &= ~((uint32_t)1 << class);
    return block;
}

static void free_block(cmw_pool *pool, struct cmw__block *block)
{
    cmw_pool_free(pool, block, (size_t)1 << block->shift, CMW__ARENA_ALIGN);
}

void cmw__block_list_trim(struct cmw__block_list *list)
{
    while (list->nonempty)
        free_block(list->pool, pop_free(list, cmw__lowest_bit(list->nonempty)));
}

uint32_t cmw__block_shift_for(size_t bytes)
{
    const size_t head = sizeof(struct cmw__block);

    if (bytes > ((size_t)1 << CMW__BLOCK_MAX_SHIFT) - head)
        return 0;
    if (bytes <= ((size_t)1 << CMW__BLOCK_MIN_SHIFT) - head)
        return CMW__BLOCK_MIN_SHIFT;
    return cmw__highest_bit((uint32_t)(bytes + head - 1)) + 1;
}

/* The classes from `first` to `last`, as bits. */
static uint32_t class_bits(uint32_t first, uint32_t last)
{
    const uint32_t up_to_last = ((uint32_t)2 << last) - 1;
    const uint32_t below_first = ((uint32_t)1 << first) - 1;

    return up_to_last & ~below_first;
}

static struct cmw__block *new_block(struct cmw__block_list *list, uint32_t shift)
{
    const size_t bytes = (size_t)1 << shift;

    list->alloc_calls++;
    struct cmw__block *block = cmw_pool_alloc(list->pool, bytes, CMW__ARENA_ALIGN);
    if (!block)
        return NULL;
    block->shift = shift;
    block->reserve_bytes = 0;
    cmw__poison(cmw__block_bytes(block), cmw__block_room(block));
    return block;
}

struct cmw__block *cmw__block_take_sized(struct cmw__block_list *list, uint32_t shift,
                                         uint32_t max_shift)
{
    const uint32_t first = shift - CMW__BLOCK_MIN_SHIFT;
    const uint32_t last = max_shift - CMW__BLOCK_MIN_SHIFT;
    const uint32_t fitting = list->nonempty & class_bits(first, last);

    return fitting ? pop_free(list, cmw__lowest_bit(fitting)) : new_block(list, shift);
}

struct cmw__block *cmw__block_take(struct cmw__block_list *list, size_t bytes)
{
    const uint32_t shift = cmw__block_shift_for(bytes);

    return shift ? cmw__block_take_sized(list, shift, CMW__BLOCK_MAX_SHIFT) : NULL;
}

void cmw__block_put(struct cmw__block_list *list, struct cmw__block *block)
{
    const uint32_t class =
        block->shift - CMW__BLOCK_MIN_SHIFT; /* never a reserve: it has no list */

    cmw__poison(cmw__block_bytes(block), ((size_t)1 << block->shift) - sizeof *block);
    block->previous = list->free[class];
    list->free[class] = block;
    list->nonempty |= (uint32_t)1 << class;
}
