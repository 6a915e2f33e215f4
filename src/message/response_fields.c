/* SPDX-License-Identifier: MIT */
/*
 * Segments: growing the array, and removing fields from it.
 *
 * A field in the middle of a block leaves two runs of that block. So that this is done in place,
 * the segments are first moved up by as many places as the writing could ever be ahead of the
 * reading.
 */
#include "response_fields.h"

#include "arena_state.h"

int cmw__response_grow(cmw_response *response, size_t extra)
{
    const size_t need = response->segment_count + extra;
    size_t cap = (size_t)2 * response->segment_cap;

    if (need > UINT16_MAX || !response->arena)
        return CMW_ERR_NOMEM;
    if (cap < need)
        cap = need;
    if (cap > UINT16_MAX)
        cap = UINT16_MAX;

    struct cmw__segment *segments = cmw__arena_alloc(response->arena, cap * sizeof *segments);
    if (!segments)
        return CMW_ERR_NOMEM;
    if (response->segment_count > 0)
        memcpy(segments, response->segments, response->segment_count * sizeof *segments);
    response->segments = segments;
    response->segment_cap = (uint16_t)cap;
    return 0;
}

/* ---- What a filter means ---------------------------------------------------------------- */

static int block_has_other(const struct cmw_header_block *block, cmw_str lower)
{
    for (uint32_t i = 0; i < block->count; i++) {
        const struct cmw__block_field *field = &block->fields[i];
        if (field->id == CMW_HDR_OTHER && cmw_str_equals(cmw__block_lower(block, field), lower))
            return 1;
    }
    return 0;
}

static int other_matches(const struct cmw__filter *filter, cmw_str lower)
{
    if (filter->block)
        return block_has_other(filter->block, lower);
    if (filter->prefix.len > 0)
        return lower.len >= filter->prefix.len &&
               memcmp(lower.data, filter->prefix.data, filter->prefix.len) == 0;
    return cmw_str_equals(lower, filter->lower);
}

static int field_matches(const struct cmw__filter *filter, const struct cmw_header_block *block,
                         const struct cmw__block_field *field)
{
    if (!cmw__has_id(filter->ids, field->id))
        return 0;
    return field->id != CMW_HDR_OTHER || other_matches(filter, cmw__block_lower(block, field));
}

static int line_matches(const struct cmw__filter *filter, const struct cmw__segment *line)
{
    if (line->flags & filter->flags)
        return 1;
    if (!cmw__has_id(filter->ids, line->id))
        return 0;
    return line->id != CMW_HDR_OTHER || other_matches(filter, cmw__line_lower(line));
}

static int may_touch_block(const struct cmw__filter *filter, const struct cmw__segment *segment)
{
    const struct cmw_header_block *block = segment->bytes;

    if (filter->keeps_blocks)
        return 0;
    return ((block->ids[0] & filter->ids[0]) | (block->ids[1] & filter->ids[1])) != 0;
}

/* ---- Splitting -------------------------------------------------------------------------- */

/* Step to the next run of fields that stay: its length in bytes, 0 at the end. `*first` is the
 * index of its first field. */
static uint32_t next_kept_run(const struct cmw__filter *filter, struct cmw__run *run,
                              uint32_t *first)
{
    const struct cmw__block_field *field;
    uint32_t len = 0;

    while ((field = cmw__run_at(run)) != NULL && field_matches(filter, run->block, field))
        run->field++;
    *first = run->field;
    while ((field = cmw__run_at(run)) != NULL && !field_matches(filter, run->block, field)) {
        len += field->line_len;
        run->field++;
    }
    return len;
}

static int stays_whole(const struct cmw__filter *filter, const struct cmw__segment *segment)
{
    if (segment->flags & CMW__SEGMENT_BLOCK)
        return !(segment->flags & filter->flags) && !may_touch_block(filter, segment);
    return !line_matches(filter, segment);
}

/* 1 if nothing of a segment that does not stay whole stays: a line, or a block that is meant by its
 * flags. */
static int goes_whole(const struct cmw__filter *filter, const struct cmw__segment *segment)
{
    return !(segment->flags & CMW__SEGMENT_BLOCK) || (segment->flags & filter->flags);
}

/* How many segments stay of one. */
static size_t kept_count(const struct cmw__filter *filter, const struct cmw__segment *segment)
{
    uint32_t first;
    size_t count = 0;

    if (stays_whole(filter, segment))
        return 1;
    if (goes_whole(filter, segment))
        return 0;
    struct cmw__run run = cmw__run_of(segment);
    while (next_kept_run(filter, &run, &first) > 0)
        count++;
    return count;
}

int cmw__response_make_room(cmw_response *response, const struct cmw__filter *filter,
                            size_t *growth, size_t extra)
{
    size_t written = 0;
    size_t ahead = 0;

    for (size_t i = 0; i < response->segment_count; i++) {
        written += kept_count(filter, &response->segments[i]);
        if (written > i + 1 && written - (i + 1) > ahead)
            ahead = written - (i + 1);
    }
    *growth = ahead;
    return cmw__response_reserve(response, ahead + extra);
}

/* Write what stays of one segment at `out`; returns the new end. `segment` is a copy. */
static struct cmw__segment *write_kept(struct cmw__segment *out, const struct cmw__filter *filter,
                                       const struct cmw__segment *segment)
{
    uint32_t first, len;

    if (stays_whole(filter, segment)) {
        *out = *segment;
        return out + 1;
    }
    if (goes_whole(filter, segment))
        return out;
    struct cmw__run run = cmw__run_of(segment);
    while ((len = next_kept_run(filter, &run, &first)) > 0) {
        *out = *segment;
        out->len = len;
        out->name_len = (uint16_t)first;
        out++;
    }
    return out;
}

static void add_run_ids(uint64_t ids[2], const struct cmw__segment *segment)
{
    struct cmw__run run = cmw__run_of(segment);
    const struct cmw__block_field *field;

    if (segment->len == run.block->len) {
        ids[0] |= run.block->ids[0];
        ids[1] |= run.block->ids[1];
        return;
    }
    for (; (field = cmw__run_at(&run)) != NULL; run.field++)
        cmw__add_id(ids, field->id);
}

static void collect_ids(cmw_response *response)
{
    response->ids[0] = 0;
    response->ids[1] = 0;
    for (size_t i = 0; i < response->segment_count; i++) {
        const struct cmw__segment *segment = &response->segments[i];
        if (segment->flags & CMW__SEGMENT_BLOCK)
            add_run_ids(response->ids, segment);
        else
            cmw__add_id(response->ids, segment->id);
    }
}

void cmw__response_drop(cmw_response *response, const struct cmw__filter *filter, size_t growth)
{
    struct cmw__segment *const segments = response->segments;
    struct cmw__segment *out = segments;
    const size_t count = response->segment_count;

    if (growth > 0)
        memmove(segments + growth, segments, count * sizeof *segments);
    for (size_t i = 0; i < count; i++) {
        const struct cmw__segment segment = segments[growth + i];
        out = write_kept(out, filter, &segment);
    }
    response->segment_count = (uint16_t)(out - segments);
    collect_ids(response);
}

/* ---- Looking ---------------------------------------------------------------------------- */

static int run_has_other(const struct cmw__segment *segment, cmw_str lower)
{
    struct cmw__run run = cmw__run_of(segment);
    const struct cmw__block_field *field;

    if (!cmw__has_id(run.block->ids, CMW_HDR_OTHER))
        return 0;
    for (; (field = cmw__run_at(&run)) != NULL; run.field++) {
        if (field->id == CMW_HDR_OTHER && cmw_str_equals(cmw__block_lower(run.block, field), lower))
            return 1;
    }
    return 0;
}

int cmw__response_has_other(const cmw_response *response, cmw_str lower)
{
    if (!cmw__has_id(response->ids, CMW_HDR_OTHER))
        return 0;
    for (size_t i = 0; i < response->segment_count; i++) {
        const struct cmw__segment *segment = &response->segments[i];
        if (segment->flags & CMW__SEGMENT_BLOCK) {
            if (run_has_other(segment, lower))
                return 1;
        } else if (segment->id == CMW_HDR_OTHER &&
                   cmw_str_equals(cmw__line_lower(segment), lower)) {
            return 1;
        }
    }
    return 0;
}

/* ---- Inferred content types ------------------------------------------------------------- */

static struct cmw__segment *find_inferred(cmw_response *response)
{
    if (!cmw__has_id(response->ids, CMW_HDR_CONTENT_TYPE))
        return NULL;
    for (size_t i = 0; i < response->segment_count; i++) {
        if (response->segments[i].flags & CMW__SEGMENT_INFERRED)
            return &response->segments[i];
    }
    return NULL;
}

int cmw__response_infer_type(cmw_response *response, const struct cmw__static_line *line)
{
    const unsigned flags = CMW__SEGMENT_STATIC | CMW__SEGMENT_INFERRED;
    struct cmw__segment *inferred = find_inferred(response);

    if (inferred) {
        inferred->bytes = line->bytes;
        inferred->len = line->len;
        inferred->flags = (uint8_t)(flags | response->origin);
        return 0;
    }
    if (cmw__has_id(response->ids, CMW_HDR_CONTENT_TYPE))
        return 0;
    if (cmw__response_reserve(response, 1) != 0)
        return CMW_ERR_NOMEM;
    cmw__response_push(response, line->bytes, line->len, sizeof "Content-Type" - 1,
                       CMW_HDR_CONTENT_TYPE, flags);
    cmw__add_id(response->ids, CMW_HDR_CONTENT_TYPE);
    return 0;
}

void cmw__response_forget_type(cmw_response *response)
{
    const struct cmw__filter filter = {.flags = CMW__SEGMENT_INFERRED};

    if (find_inferred(response))
        cmw__response_drop(response, &filter, 0); /* a line: nothing is split */
}
