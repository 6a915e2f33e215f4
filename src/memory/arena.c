/* SPDX-License-Identifier: MIT */
/*
 * Arenas: bump allocation, marks, clean-ups.
 *
 * Clean-ups run before a byte is released, so that each still sees all that was there when it was
 * registered.
 */
#include "arena_state.h"

/* An arena that is not a context's: it brings its own list of blocks. */
struct own_arena {
    cmw_arena arena;
    struct cmw__block_list blocks;
};

int cmw_arena_create(cmw_arena **out, cmw_pool *pool, size_t limit_bytes)
{
    if (!out || !pool)
        return CMW_ERR_ARG;
    struct own_arena *own = cmw_pool_alloc(pool, sizeof *own, CMW__ARENA_ALIGN);
    if (!own)
        return CMW_ERR_NOMEM;

    /* No first chunk: an empty one at the arena itself, which is aligned. */
    char *const nowhere = (char *)own;
    cmw__block_list_init(&own->blocks, pool);
    cmw__arena_init(&own->arena, &own->blocks, nowhere, nowhere,
                    limit_bytes ? limit_bytes : SIZE_MAX);
    *out = &own->arena;
    return 0;
}

void cmw_arena_destroy(cmw_arena *arena)
{
    if (!arena)
        return;

    struct own_arena *own = (struct own_arena *)(void *)arena; /* its first member */
    cmw__arena_reset(arena);
    cmw__block_list_trim(&own->blocks);
    cmw_pool_free(own->blocks.pool, own, sizeof *own, CMW__ARENA_ALIGN);
}

/* ---- Allocating ------------------------------------------------------------------------- */

_Static_assert(offsetof(cmw_arena, room) == 0, "the public header takes pieces from there");

/* In parentheses: a function, not the macro for the form in line. */
void *(cmw_arena_alloc)(cmw_arena *arena, size_t bytes)
{
    return cmw__arena_alloc(arena, bytes);
}

char *(cmw_arena_alloc_text)(cmw_arena *arena, size_t bytes)
{
    return cmw__arena_alloc_text(arena, bytes);
}

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* The largest shift whose block the arena's limit still allows; 0 if it allows none. */
static uint32_t allowed_shift(const cmw_arena *arena)
{
    const size_t left = arena->limit_bytes - arena->taken_bytes;

    if (left >= (size_t)1 << CMW__BLOCK_MAX_SHIFT)
        return CMW__BLOCK_MAX_SHIFT;
    if (left < (size_t)1 << CMW__BLOCK_MIN_SHIFT)
        return 0;
    return cmw__highest_bit((uint32_t)left);
}

/* A block with room for `bytes`, within the limit: twice the one in use, so that their number stays
 * small, or where that is too much the smallest that does. */
static struct cmw__block *take_block(cmw_arena *arena, size_t bytes)
{
    const uint32_t need = cmw__block_shift_for(bytes);
    const uint32_t allowed = allowed_shift(arena);

    if (need == 0 || need > allowed)
        return NULL;
    const uint32_t twice =
        arena->block ? smaller(arena->block->shift + 1, CMW__BLOCK_MAX_SHIFT) : 0;
    const uint32_t wanted = larger(need, twice);
    struct cmw__block *block = NULL;
    if (wanted <= allowed)
        block = cmw__block_take_sized(arena->blocks, wanted, allowed);
    if (!block && wanted > need)
        block = cmw__block_take_sized(arena->blocks, need, allowed);
    return block;
}

static void enter_block(cmw_arena *arena, struct cmw__block *block)
{
    block->previous = arena->block;
    arena->block = block;
    arena->room.cursor = cmw__block_bytes(block);
    arena->room.end = arena->room.cursor + cmw__block_room(block);
    arena->needs_reset = 1;
}

CMW__COLD void *cmw__arena_alloc_in_new_block(cmw_arena *arena, size_t bytes)
{
    struct cmw__block *block = take_block(arena, bytes);

    if (!block) {
        arena->exhausted = 1;
        arena->needs_reset = 1;
        return NULL;
    }
    arena->taken_bytes += (size_t)1 << block->shift;
    enter_block(arena, block);
    char *const piece = arena->room.cursor;
    arena->room.cursor = piece + bytes;
    cmw__unpoison(piece, bytes);
    return piece;
}

void cmw__arena_use_reserve(cmw_arena *arena, char *reserve, const char *reserve_end)
{
    struct cmw__block *block = (struct cmw__block *)(void *)reserve;
    const size_t room = (size_t)(reserve_end - reserve) - sizeof *block;

    cmw__unpoison(reserve, sizeof *block);
    block->shift = 0;
    block->reserve_bytes = (uint32_t)(room & ~(size_t)(CMW__ARENA_ALIGN - 1));
    cmw__poison(cmw__block_bytes(block), block->reserve_bytes);
    enter_block(arena, block);
}

int cmw__arena_extend(cmw_arena *arena, const char *piece, size_t old_len, size_t new_len)
{
    if (piece + old_len != arena->room.cursor || new_len > (size_t)(arena->room.end - piece))
        return 0;

    char *const start = arena->room.cursor - old_len;
    if (new_len < old_len)
        cmw__poison(start + new_len, old_len - new_len);
    cmw__unpoison(start, new_len);
    arena->room.cursor = start + new_len;
    return 1;
}

int cmw_arena_dup(cmw_arena *arena, cmw_str *out, cmw_str text)
{
    if (text.len == SIZE_MAX)
        return CMW_ERR_NOMEM;
    char *copy = cmw__arena_alloc_text(arena, text.len + 1);
    if (!copy)
        return CMW_ERR_NOMEM;

    if (text.len)
        memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *out = cmw_str_make(copy, text.len);
    return 0;
}

/* ---- Clean-ups -------------------------------------------------------------------------- */

int cmw_arena_defer(cmw_arena *arena, cmw_cleanup_fn *cleanup, void *object)
{
    if (!cleanup)
        return CMW_ERR_ARG;
    struct cmw__cleanup *entry = cmw__arena_alloc(arena, sizeof *entry);
    if (!entry)
        return CMW_ERR_NOMEM;

    *entry = (struct cmw__cleanup){.previous = arena->cleanup, .run = cleanup, .object = object};
    arena->cleanup = entry;
    arena->needs_reset = 1;
    return 0;
}

void cmw__arena_run_cleanups(cmw_arena *arena, struct cmw__cleanup *down_to)
{
    while (arena->cleanup && arena->cleanup != down_to) {
        struct cmw__cleanup *entry = arena->cleanup;
        arena->cleanup = entry->previous; /* before the call: each runs once, whatever it does */
        entry->run(entry->object);
    }
}

/* ---- Releasing -------------------------------------------------------------------------- */

/* Give back the newest block. The pieces in it are gone; the chunk before is full until its cursor
 * is set. */
static void leave_block(cmw_arena *arena)
{
    struct cmw__block *block = arena->block;

    arena->block = block->previous;
    if (block->shift == 0) {
        cmw__poison(cmw__block_bytes(block), block->reserve_bytes);
        return;
    }
    arena->taken_bytes -= (size_t)1 << block->shift;
    cmw__block_put(arena->blocks, block);
}

static char *chunk_start(const cmw_arena *arena, struct cmw__block *block)
{
    return block ? cmw__block_bytes(block) : arena->first;
}

static char *chunk_end(const cmw_arena *arena, struct cmw__block *block)
{
    return block ? cmw__block_bytes(block) + cmw__block_room(block) : arena->first_end;
}

/* Release all that is newer than `cursor` in `block`, which is one of the arena's chunks. */
static void release_to(cmw_arena *arena, struct cmw__block *block, char *cursor)
{
    while (arena->block != block)
        leave_block(arena);
    arena->room.cursor = cursor;
    arena->room.end = chunk_end(arena, block);
    cmw__poison(cursor, (size_t)(arena->room.end - cursor));
}

void cmw__arena_reset(cmw_arena *arena)
{
    cmw__arena_run_cleanups(arena, NULL);
    release_to(arena, NULL, arena->first);
    arena->exhausted = 0;
    arena->needs_reset = 0;
}

cmw_arena_mark cmw_arena_get_mark(const cmw_arena *arena)
{
    cmw_arena_mark mark;

    mark.block = arena->block;
    mark.cursor = arena->room.cursor;
    mark.cleanup = arena->cleanup;
    return mark;
}

static int holds_block(const cmw_arena *arena, const struct cmw__block *block)
{
    const struct cmw__block *held = arena->block;

    while (held && held != block)
        held = held->previous;
    return held == block;
}

static int holds_cleanup(const cmw_arena *arena, const struct cmw__cleanup *cleanup)
{
    const struct cmw__cleanup *held = arena->cleanup;

    while (held && held != cleanup)
        held = held->previous;
    return held == cleanup;
}

/* As integers: a mark from elsewhere points into another object, where < is not defined. */
static int is_between(const char *place, const char *start, const char *end)
{
    return (uintptr_t)place >= (uintptr_t)start && (uintptr_t)place <= (uintptr_t)end;
}

static int is_valid_mark(const cmw_arena *arena, const cmw_arena_mark *mark)
{
    struct cmw__block *block = mark->block;

    if (!holds_block(arena, block) || !holds_cleanup(arena, mark->cleanup))
        return 0;
    const char *end = block == arena->block ? arena->room.cursor : chunk_end(arena, block);
    return is_between(mark->cursor, chunk_start(arena, block), end);
}

int cmw_arena_rewind(cmw_arena *arena, cmw_arena_mark mark)
{
    if (!is_valid_mark(arena, &mark))
        return CMW_ERR_ARG;
    cmw__arena_run_cleanups(arena, mark.cleanup);
    release_to(arena, mark.block, mark.cursor);
    return 0;
}

size_t cmw_arena_used(const cmw_arena *arena)
{
    size_t used = (size_t)(arena->room.cursor - chunk_start(arena, arena->block));

    for (struct cmw__block *block = arena->block; block; block = block->previous)
        used += (size_t)(chunk_end(arena, block->previous) - chunk_start(arena, block->previous));
    return used;
}
