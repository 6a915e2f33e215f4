/* SPDX-License-Identifier: MIT */
/*
 * Values that are written in place: the line's beginning is copied when the room is taken, the
 * value is looked at where it lies, and the line is pushed as it is.
 */
#include "arena_state.h"
#include "block16.h"
#include "response_fields.h"

/* The beginning of a line is copied as three times sixteen bytes, whatever its length. */
enum { PREFIX = sizeof(struct cmw__header_prefix) };

struct cmw_value_field {
    char prefix[PREFIX]; /* "Name: " */
    uint64_t ids[2];
    struct cmw__segment line; /* but for bytes and the value's length */
    cmw_header_id id;
};

int cmw_value_field_create(cmw_value_field **out, cmw_arena *arena, cmw_header_id id)
{
    if (!out || !arena || (unsigned)id >= CMW_HDR_LIMIT || id == CMW_HDR_OTHER ||
        id == CMW_HDR_CONTENT_TYPE || cmw__id_is_managed((unsigned)id) ||
        cmw__header_prefixes[id].len == 0)
        return CMW_ERR_ARG;
    const struct cmw__header_prefix *const prefix = &cmw__header_prefixes[id];
    struct cmw_value_field *field = cmw_arena_alloc(arena, sizeof *field);
    if (!field)
        return CMW_ERR_NOMEM;
    memset(field, 0, sizeof *field);
    memcpy(field->prefix, prefix->text, prefix->len);
    cmw__add_id(field->ids, (unsigned)id);
    field->line.len = prefix->len;
    field->line.name_len = (uint16_t)(prefix->len - 2);
    field->line.id = (uint8_t)id;
    field->id = id;
    *out = field;
    return 0;
}

static CMW__NOINLINE char *take_slowly(const cmw_value_field *field, cmw_arena *arena, size_t len)
{
    char *const line = len <= SIZE_MAX / 2 ? cmw__arena_alloc_text(arena, PREFIX + len + 2) : NULL;

    if (!line)
        return NULL;
    memcpy(line, field->prefix, PREFIX);
    return line + field->line.len;
}

char *cmw_value_field_room(const cmw_value_field *field, cmw_arena *arena, size_t len)
{
    char *const line = arena->room.cursor;
    const size_t bytes = PREFIX + len + 2; /* with its line end */

    if (CMW_UNLIKELY(len > SIZE_MAX / 2 || bytes > (size_t)(arena->room.end - line)))
        return take_slowly(field, arena, len);
    arena->room.cursor = line + bytes;
    cmw__unpoison(line, bytes);
    memcpy(line, field->prefix, PREFIX);
    return line + field->line.len;
}

/* 1 if nothing of a value needs a closer look. */
static inline int is_plain(cmw_str value)
{
    return value.len >= 16 && (unsigned char)value.data[0] > ' ' &&
           (unsigned char)value.data[value.len - 1] > ' ' &&
           !cmw__long_text_is_odd(value.data, value.len);
}

int cmw_response_set_in_place(cmw_response *response, const cmw_value_field *field, cmw_str value)
{
    const uint64_t there = (response->ids[0] & field->ids[0]) | (response->ids[1] & field->ids[1]);

    if (CMW_UNLIKELY((response->flags & CMW__RESPONSE_FROZEN) || there != 0 ||
                     response->segment_count >= response->segment_cap || !is_plain(value)))
        return cmw_response_set(response, field->id, value);
    struct cmw__segment *const segment = &response->segments[response->segment_count++];

    memcpy((char *)(uintptr_t)value.data + value.len, "\r\n", 2);
    *segment = field->line;
    segment->bytes = value.data - field->line.len;
    segment->len = (uint32_t)(field->line.len + value.len + 2);
    segment->flags = response->origin;
    response->ids[0] |= field->ids[0];
    response->ids[1] |= field->ids[1];
    return 0;
}
