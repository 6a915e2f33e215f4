/* SPDX-License-Identifier: MIT */
/*
 * Memory in blocks of one size, taken and given back as chains, and texts cut at their ends.
 *
 * Blocks are named by index + 1; 0 is none. Those beyond `used` were never touched. Nothing here
 * locks.
 */
#ifndef CMW_BUILTIN_MEMORY_BLOCKS_H
#define CMW_BUILTIN_MEMORY_BLOCKS_H

#include <stdint.h>
#include <string.h>

#include <catzilla/base.h>

enum { CMW__BLOCK_BYTES = 256, CMW__BLOCK_TEXT = CMW__BLOCK_BYTES - 4 };

struct cmw__block {
    uint32_t next; /* of its chain, or of those that are free */
    char bytes[CMW__BLOCK_TEXT];
};

_Static_assert(sizeof(struct cmw__block) == CMW__BLOCK_BYTES, "blocks are as long as they say");

struct cmw__blocks {
    struct cmw__block *all; /* `count` of them */
    uint32_t count, used, free, free_count;
};

static inline struct cmw__block *cmw__block_at(const struct cmw__blocks *blocks, uint32_t index)
{
    return &blocks->all[index - 1];
}

static inline uint32_t cmw__blocks_in_use(const struct cmw__blocks *blocks)
{
    return blocks->used - blocks->free_count;
}

static inline uint32_t cmw__blocks_left(const struct cmw__blocks *blocks)
{
    return blocks->count - cmw__blocks_in_use(blocks);
}

/* One of those that are left. */
static inline uint32_t cmw__block_take(struct cmw__blocks *blocks)
{
    const uint32_t index = blocks->free;

    if (index == 0)
        return ++blocks->used;
    blocks->free = cmw__block_at(blocks, index)->next;
    blocks->free_count--;
    return index;
}

/* A chain of `count` of those that are left: its first. */
static inline uint32_t cmw__blocks_take(struct cmw__blocks *blocks, uint32_t count)
{
    uint32_t first = 0;

    for (; count > 0; count--) {
        const uint32_t index = cmw__block_take(blocks);
        cmw__block_at(blocks, index)->next = first;
        first = index;
    }
    return first;
}

/* Give back a chain. */
static inline void cmw__blocks_put(struct cmw__blocks *blocks, uint32_t first)
{
    while (first != 0) {
        struct cmw__block *block = cmw__block_at(blocks, first);
        const uint32_t next = block->next;
        block->next = blocks->free;
        blocks->free = first;
        blocks->free_count++;
        first = next;
    }
}

/* ---- Texts ------------------------------------------------------------------------------ */

/* Where the next byte of a text lies, in a chain. */
struct cmw__place {
    const struct cmw__blocks *blocks;
    uint32_t block;
    size_t at;
};

/* The next bytes of a text, at most `len`. */
static inline char *cmw__place_next(struct cmw__place *place, size_t *len)
{
    if (place->at == CMW__BLOCK_TEXT) {
        place->block = cmw__block_at(place->blocks, place->block)->next;
        place->at = 0;
    }
    char *const run = cmw__block_at(place->blocks, place->block)->bytes + place->at;
    if (*len > CMW__BLOCK_TEXT - place->at)
        *len = CMW__BLOCK_TEXT - place->at;
    place->at += *len;
    return run;
}

static inline void cmw__place_write(struct cmw__place *place, cmw_str text)
{
    for (size_t at = 0, len; at < text.len; at += len) {
        len = text.len - at;
        char *const run = cmw__place_next(place, &len);
        memcpy(run, text.data + at, len);
    }
}

static inline void cmw__place_read(struct cmw__place *place, char *to, size_t want)
{
    for (size_t at = 0, len; at < want; at += len) {
        len = want - at;
        const char *const run = cmw__place_next(place, &len);
        memcpy(to + at, run, len);
    }
}

/* 1 if the text that follows begins so. */
static inline int cmw__place_holds(struct cmw__place *place, cmw_str text)
{
    for (size_t at = 0, len; at < text.len; at += len) {
        len = text.len - at;
        const char *const run = cmw__place_next(place, &len);
        if (memcmp(run, text.data + at, len) != 0)
            return 0;
    }
    return 1;
}

static inline void cmw__place_skip(struct cmw__place *place, size_t len)
{
    for (size_t at = 0, run; at < len; at += run) {
        run = len - at;
        (void)cmw__place_next(place, &run);
    }
}

#endif /* CMW_BUILTIN_MEMORY_BLOCKS_H */
