/* SPDX-License-Identifier: MIT */
/*
 * The fields of a response as segments: walking over them, making room, taking some away.
 *
 * A change has two steps, so that a failure changes nothing: cmw__response_make_room, which may
 * fail, then cmw__response_drop and cmw__response_push, which cannot.
 */
#ifndef CMW_MESSAGE_RESPONSE_FIELDS_H
#define CMW_MESSAGE_RESPONSE_FIELDS_H

#include "header_table.h"
#include "platform.h"
#include "response_state.h"
#include "simd.h"

/* A longer name is refused. Values need no such limit: an arena refuses pieces of more than 2^31
 * bytes, so that the length of a line fits 32 bits. */
#define CMW__NAME_MAX ((size_t)UINT16_MAX)

/* Which fields are meant. */
struct cmw__filter {
    uint64_t ids[2]; /* known fields; bit 0: other names, of which those that the rest names */
    cmw_str lower;   /* one name, in lower case; or */
    cmw_str prefix;  /* all that begin so; or */
    const struct cmw_header_block *block; /* every other name of a block */
    uint8_t flags;        /* and all lines with one of these, whatever their names */
    uint8_t keeps_blocks; /* fields of blocks are not meant */
};

static inline uint64_t cmw__id_bit(unsigned id)
{
    return (uint64_t)1 << (id & 63);
}

static inline int cmw__has_id(const uint64_t ids[2], unsigned id)
{
    return (ids[id >> 6] & cmw__id_bit(id)) != 0;
}

static inline void cmw__add_id(uint64_t ids[2], unsigned id)
{
    ids[id >> 6] |= cmw__id_bit(id);
}

/* 1 for Content-Length, Transfer-Encoding, Connection, Keep-Alive, Upgrade and Trailer, which are
 * the library's or the server's. `id` < CMW_HDR_LIMIT. */
int cmw__id_is_managed(unsigned id);

/* Four to seven bytes, checked as two loads that may overlap. */
static inline int cmw__short_value_is_valid(cmw_str value)
{
    char both[8];

    memcpy(both, value.data, 4);
    memcpy(both + 4, value.data + value.len - 4, 4);
    return !cmw__has_control8(both);
}

/* A value as a response takes it: valid, without blanks at its ends (RFC 9110, 5.5). At the ends
 * nothing below "!" may stand: it is a blank or a control byte. */
static inline int cmw__value_is_clean(cmw_str value)
{
    if (value.len == 0)
        return 1;
    if ((unsigned char)value.data[0] <= ' ' || (unsigned char)value.data[value.len - 1] <= ' ')
        return 0;
    if (value.len < 8 && value.len >= 4)
        return cmw__short_value_is_valid(value);
    return cmw_header_value_is_valid(value);
}

/* ---- Walking ---------------------------------------------------------------------------- */

/* The segments in force and their number. */
static inline const struct cmw__segment *cmw__response_segments(const cmw_response *response,
                                                                size_t *count)
{
    if (!(response->flags & CMW__RESPONSE_CONSTANT)) {
        *count = response->segment_count;
        return response->segments;
    }
    *count = 1;
    return &response->constants->whole;
}

/* Where a walk over a run of a block stands. */
struct cmw__run {
    const struct cmw_header_block *block;
    uint32_t field;
    uint32_t end; /* offset behind the last line */
};

static inline struct cmw__run cmw__run_of(const struct cmw__segment *segment)
{
    struct cmw__run run;

    run.block = segment->bytes;
    run.field = segment->name_len;
    run.end = run.block->fields[run.field].line + segment->len;
    return run;
}

static inline const struct cmw__block_field *cmw__run_at(const struct cmw__run *run)
{
    const struct cmw__block_field *field = run->block->fields + run->field;
    return run->field < run->block->count && field->line < run->end ? field : NULL;
}

static inline cmw_str cmw__block_lower(const struct cmw_header_block *block,
                                       const struct cmw__block_field *field)
{
    return cmw_str_make(block->bytes + field->lower, field->name_len);
}

/* The value of a line of `len` bytes, CRLF included. */
static inline cmw_str cmw__line_value(const char *line, size_t name_len, size_t len)
{
    return cmw_str_make(line + name_len + 2, len - name_len - 4);
}

/* The lower-case name of a line. */
static inline cmw_str cmw__line_lower(const struct cmw__segment *segment)
{
    if (segment->id != CMW_HDR_OTHER)
        return cmw__header_id_table[segment->id].lower;
    return cmw_str_make((const char *)segment->bytes + segment->len, segment->name_len);
}

/* ---- Changing --------------------------------------------------------------------------- */

/* Have room for `extra` segments more: 0 or CMW_ERR_NOMEM. */
int cmw__response_grow(cmw_response *response, size_t extra);

static inline int cmw__response_reserve(cmw_response *response, size_t extra)
{
    if (CMW_LIKELY(response->segment_count + extra <= response->segment_cap))
        return 0;
    return cmw__response_grow(response, extra);
}

/* Room for what dropping may split, and for `extra` segments more. `*growth` is for the drop. */
int cmw__response_make_room(cmw_response *response, const struct cmw__filter *filter,
                            size_t *growth, size_t extra);
/* Remove what the filter means. */
void cmw__response_drop(cmw_response *response, const struct cmw__filter *filter, size_t growth);

/* Add a segment, for which there is room, without looking at what is there. */
static inline void cmw__response_push(cmw_response *response, const void *bytes, size_t len,
                                      size_t name_len, unsigned id, unsigned flags)
{
    struct cmw__segment *segment = &response->segments[response->segment_count++];

    segment->bytes = bytes;
    segment->len = (uint32_t)len;
    segment->name_len = (uint16_t)name_len;
    segment->id = (uint8_t)id;
    segment->flags = (uint8_t)(flags | response->origin);
}

/* Add a whole block, for which there is room, without looking at what is there. */
static inline void cmw__response_push_block(cmw_response *response,
                                            const struct cmw_header_block *block)
{
    struct cmw__segment *const segment = &response->segments[response->segment_count++];

    *segment = block->whole;
    segment->flags |= response->origin;
    response->ids[0] |= block->ids[0];
    response->ids[1] |= block->ids[1];
}

/* 1 if there is a field with this name, which has no id. Lower case. */
int cmw__response_has_other(const cmw_response *response, cmw_str lower);

/* A content type that follows the kind of body: a static line. */
struct cmw__static_line {
    const char *bytes;
    uint32_t len;
};

/* Let the content type follow the body, unless it was set by hand. 0 or CMW_ERR_NOMEM. */
int cmw__response_infer_type(cmw_response *response, const struct cmw__static_line *line);
/* Take an inferred content type away. */
void cmw__response_forget_type(cmw_response *response);

#endif /* CMW_MESSAGE_RESPONSE_FIELDS_H */
