/* SPDX-License-Identifier: MIT */
/*
 * The inside of an arena and of a worker's list of blocks.
 *
 *   cmw_arena            first chunk (inside the context)      blocks taken later
 *   cursor ──────────┐   ┌──────────────┐    ┌────┬────────┐    ┌────┬──────────────┐
 *   block ─ newest ──┼─> │ (block NULL) │ <─ │prev│ 8 KiB  │ <─ │prev│ 16 KiB       │
 *   end ─────────────┘   └──────────────┘    └────┴────────┘    └────┴──────────────┘
 *
 * Blocks are powers of two. Those that an arena gives back go to the list, by size, and the next
 * arena of the same worker takes them from there: a warm request calls no allocator.
 *
 * Under AddressSanitizer all bytes that are not handed out are poisoned: the rest of a block, free
 * blocks, and a first chunk after a reset. cmw_pool_free lifts that before the allocator sees them.
 */
#ifndef CMW_MEMORY_ARENA_STATE_H
#define CMW_MEMORY_ARENA_STATE_H

#include <catzilla/arena.h>

#include "platform.h"

/* What cmw_arena_alloc aligns to: enough for any C type. */
#define CMW__ARENA_ALIGN 16

/* Smallest block 2^12 bytes; a piece that needs a block of more than 2^31 bytes is refused. */
#define CMW__BLOCK_MIN_SHIFT 12
#define CMW__BLOCK_CLASSES 20
#define CMW__BLOCK_MAX_SHIFT (CMW__BLOCK_MIN_SHIFT + CMW__BLOCK_CLASSES - 1)

/* The head of a block; its bytes follow. 16 bytes, so that what follows is aligned. */
struct cmw__block {
    struct cmw__block *previous; /* older block of the arena, or next free one of the list */
    uint32_t shift;              /* the block, head included, has 2^shift bytes; 0: a reserve */
    uint32_t reserve_bytes;      /* of a reserve, behind the head; else 0 */
};

/* Free blocks by size. One thread at a time. */
struct cmw__block_list {
    cmw_pool *pool;
    struct cmw__block *free[CMW__BLOCK_CLASSES];
    uint32_t nonempty;    /* bit c: free[c] is not NULL */
    uint64_t alloc_calls; /* times the pool was asked: 0 in a warm request */
};

/* A clean-up, in the arena itself. */
struct cmw__cleanup {
    struct cmw__cleanup *previous;
    cmw_cleanup_fn *run;
    void *object;
};

struct cmw_arena {
    cmw_arena_room room;      /* next free byte, and end of the chunk or block in use */
    struct cmw__block *block; /* the one in use; NULL: the first chunk */
    struct cmw__cleanup *cleanup;
    struct cmw__block_list *blocks;
    char *first; /* first chunk */
    char *first_end;
    size_t taken_bytes; /* of blocks held now; a reserve does not count */
    size_t limit_bytes; /* for taken_bytes; SIZE_MAX: none */
    int exhausted;      /* 1: a piece was refused since the arena began */
    char
        needs_reset; /* 1: there are or were blocks, clean-ups, a refusal, segments of a response */
};

void cmw__block_list_init(struct cmw__block_list *list, cmw_pool *pool);
/* Give all free blocks back to the pool. */
void cmw__block_list_trim(struct cmw__block_list *list);

/* The shift of the smallest block with room for `bytes` behind its head; 0 if none is so large. */
uint32_t cmw__block_shift_for(size_t bytes);
/* A block of 2^shift bytes or of the next larger size that is free, up to 2^max_shift; if none is,
 * a new one of 2^shift. NULL without memory. CMW__BLOCK_MIN_SHIFT <= shift <= max_shift <=
 * CMW__BLOCK_MAX_SHIFT. The bytes behind its head are poisoned. */
struct cmw__block *cmw__block_take_sized(struct cmw__block_list *list, uint32_t shift,
                                         uint32_t max_shift);
/* A block with room for `bytes` behind its head: a free one of that size or larger, else a new one.
 * NULL without memory. The bytes behind its head are poisoned. */
struct cmw__block *cmw__block_take(struct cmw__block_list *list, size_t bytes);
void cmw__block_put(struct cmw__block_list *list, struct cmw__block *block);

static inline char *cmw__block_bytes(struct cmw__block *block)
{
    return (char *)(block + 1);
}
static inline size_t cmw__block_room(const struct cmw__block *block)
{
    return block->shift ? ((size_t)1 << block->shift) - sizeof *block : block->reserve_bytes;
}

/* Begin an arena over a first chunk (16-aligned, not NULL, may be empty; up to 15 bytes at its end
 * are left out). Inline: it is on the hot path. The chunk is not poisoned here: that costs, and
 * after a reset it still is. */
static inline void cmw__arena_init(cmw_arena *arena, struct cmw__block_list *blocks, char *first,
                                   char *first_end, size_t limit_bytes)
{
    char *const end = first_end - ((uintptr_t)first_end & (CMW__ARENA_ALIGN - 1));

    arena->room.cursor = first;
    arena->room.end = end;
    arena->block = NULL;
    arena->cleanup = NULL;
    arena->blocks = blocks;
    arena->first = first;
    arena->first_end = end;
    arena->taken_bytes = 0;
    arena->limit_bytes = limit_bytes;
    arena->exhausted = 0;
    arena->needs_reset = 0;
}

/* Run the clean-ups, give the blocks back, poison the first chunk. */
void cmw__arena_reset(cmw_arena *arena);

/* The same for one that does not need it: one store. */
static inline void cmw__arena_recycle(cmw_arena *arena)
{
    arena->room.cursor = arena->first;
    cmw__poison(arena->first, (size_t)(arena->first_end - arena->first));
}

/* The slow path of both functions below: take a block and the piece from its beginning. */
void *cmw__arena_alloc_in_new_block(cmw_arena *arena, size_t bytes);

/* cmw_arena_alloc_text, for inlining into hot code. */
static inline char *cmw__arena_alloc_text(cmw_arena *arena, size_t bytes)
{
    char *const piece = arena->room.cursor;

    if (CMW_UNLIKELY(bytes > (size_t)(arena->room.end - piece)))
        return cmw__arena_alloc_in_new_block(arena, bytes);
    arena->room.cursor = piece + bytes;
    cmw__unpoison(piece, bytes);
    return piece;
}

/* cmw_arena_alloc, for inlining into hot code. `end` is aligned, so that neither aligning the
 * cursor nor rounding the piece up leads past it. Rounded up, so that the next one needs no
 * aligning. */
static inline void *cmw__arena_alloc(cmw_arena *arena, size_t bytes)
{
    const uintptr_t mask = CMW__ARENA_ALIGN - 1;
    char *const piece = (char *)(((uintptr_t)arena->room.cursor + mask) & ~mask);

    if (CMW_UNLIKELY(bytes > (size_t)(arena->room.end - piece)))
        return cmw__arena_alloc_in_new_block(arena, bytes);
    arena->room.cursor = piece + ((bytes + mask) & ~mask);
    cmw__unpoison(piece, bytes);
    return piece;
}

/* Run the clean-ups in reverse order, down to one that is not run (NULL: all); the memory stays. */
void cmw__arena_run_cleanups(cmw_arena *arena, struct cmw__cleanup *down_to);
/* Go on in a reserve (16-aligned, at least 32 bytes): the rest of the present chunk is lost. For
 * answers when memory has run out. 16 bytes of it become the head of a block that has no list, so
 * that marks and rewinding work as ever. Not while the arena is in that reserve already. */
void cmw__arena_use_reserve(cmw_arena *arena, char *reserve, const char *reserve_end);
/* Try to make the newest piece, which ends at the cursor, longer or shorter in place: 1 if done. */
int cmw__arena_extend(cmw_arena *arena, const char *piece, size_t old_len, size_t new_len);

#endif /* CMW_MEMORY_ARENA_STATE_H */
