/* SPDX-License-Identifier: MIT */
/*
 * Reading a response to send it: as pairs, as bytes, as slices.
 */
#include "block16.h"
#include "decimal.h"
#include "response_fields.h"

/* Bytes being written, or counted once they no longer fit. */
struct sink {
    char *at;
    size_t left;
    size_t len; /* written and counted */
};

/* ---- What a status allows --------------------------------------------------------------- */

/* 1xx, 204 and 304 have no content; 205 must not have any (RFC 9110, 15.3.6). */
static int allows_body(int status)
{
    return status >= 200 && status != 204 && status != 205 && status != 304;
}

/* RFC 9110, 8.6: never for 1xx and 204. For 304 it would be the length of what is not sent, which
 * is not known. */
static int allows_length(int status)
{
    return status >= 200 && status != 204 && status != 304;
}

static size_t content_length(const cmw_response *response)
{
    return response->status == 205 ? 0 : response->body.len;
}

static int shows_length(const cmw_response *response)
{
    return allows_length(response->status) && !(response->flags & CMW__RESPONSE_NO_LENGTH);
}

uint64_t cmw_response_content_length(const cmw_response *response)
{
    return shows_length(response) ? content_length(response) : UINT64_MAX;
}

int cmw_response_passes_body(const cmw_response *response)
{
    return (response->flags & CMW__RESPONSE_PASSES) != 0;
}

int cmw__response_sends_body(const cmw_response *response)
{
    return allows_body(response->status) && !(response->flags & CMW__RESPONSE_HEAD_ONLY);
}

cmw_str cmw_response_body(const cmw_response *response)
{
    const int is_silent = (response->flags & (CMW__RESPONSE_FROZEN | CMW__RESPONSE_STREAM)) &&
                          ((response->flags & (CMW__RESPONSE_HEAD_ONLY | CMW__RESPONSE_STREAM)) ||
                           !allows_body(response->status));
    const cmw_json *json = response->json;

    if (is_silent)
        return CMW_STR("");
    /* Whole, but not yet finished: what commit will send. */
    if (json && json->complete && !json->error)
        return cmw_str_make(json->text, json->len);
    return response->body;
}

/* ---- Pairs ------------------------------------------------------------------------------ */

static inline void show_line(cmw_str *name, cmw_str *value, const struct cmw__segment *line,
                             unsigned flags)
{
    *name = flags & CMW_READ_LOWER_CASE ? cmw__line_lower(line)
                                        : cmw_str_make((const char *)line->bytes, line->name_len);
    *value = cmw__line_value(line->bytes, line->name_len, line->len);
}

static inline void show_block_field(cmw_str *name, cmw_str *value,
                                    const struct cmw_header_block *block,
                                    const struct cmw__block_field *field, unsigned flags)
{
    const char *line = block->bytes + field->line;

    *name = flags & CMW_READ_LOWER_CASE ? cmw__block_lower(block, field)
                                        : cmw_str_make(line, field->name_len);
    *value = cmw__line_value(line, field->name_len, field->line_len);
}

int cmw_response_next_header(const cmw_response *response, cmw_header_cursor *cursor,
                             cmw_header *header, unsigned flags)
{
    size_t count;
    const struct cmw__segment *const segments = cmw__response_segments(response, &count);

    for (; cursor->segment < count; cursor->segment++, cursor->field = 0) {
        const struct cmw__segment *segment = &segments[cursor->segment];
        if (!(segment->flags & CMW__SEGMENT_BLOCK)) {
            show_line(&header->name, &header->value, segment, flags);
            cursor->segment++;
            return 1;
        }
        struct cmw__run run = cmw__run_of(segment);
        run.field += cursor->field;
        const struct cmw__block_field *field = cmw__run_at(&run);
        if (field) {
            show_block_field(&header->name, &header->value, run.block, field, flags);
            cursor->field++;
            return 1;
        }
    }
    return 0;
}

/* ---- Runs of fields --------------------------------------------------------------------- */

/* A block has them as readers see them: a run is a part of that array. */
static size_t show_run(const cmw_field **fields, const struct cmw__segment *segment)
{
    const struct cmw_header_block *const block = segment->bytes;

    *fields = block->shown + segment->name_len;
    if (segment->len == block->len)
        return block->count;
    struct cmw__run run = cmw__run_of(segment);
    while (cmw__run_at(&run))
        run.field++;
    return run.field - segment->name_len;
}

size_t cmw_response_next_fields(const cmw_response *response, cmw_field_cursor *cursor,
                                const cmw_field **fields)
{
    size_t count;
    const struct cmw__segment *const segments = cmw__response_segments(response, &count);

    if (cursor->segment >= count)
        return 0;
    const struct cmw__segment *const segment = &segments[cursor->segment++];
    if (segment->flags & CMW__SEGMENT_BLOCK)
        return show_run(fields, segment);
    cursor->field = (cmw_field){
        .name = cmw_str_make(segment->bytes, segment->name_len),
        .value = cmw__line_value(segment->bytes, segment->name_len, segment->len),
        .lower = cmw__line_lower(segment).data,
        .id = (cmw_header_id)segment->id,
    };
    *fields = &cursor->field;
    return 1;
}

/* ---- Parts of a head -------------------------------------------------------------------- */

/* Each writes at `out` and returns the end. */
static char *write_text(char *out, cmw_str text)
{
    memcpy(out, text.data, text.len);
    return out + text.len;
}

/* The space stays where there is no phrase (RFC 9112, 4). */
static char *write_status_line(char *out, int status)
{
    if (status == 200)
        return write_text(out, CMW_STR("HTTP/1.1 200 OK\r\n"));
    out = write_text(out, CMW_STR("HTTP/1.1 "));
    *out++ = (char)('0' + status / 100 % 10);
    *out++ = (char)('0' + status / 10 % 10);
    *out++ = (char)('0' + status % 10);
    *out++ = ' ';
    out = write_text(out, cmw_status_reason(status));
    return write_text(out, CMW_STR("\r\n"));
}

static inline char *write_length(char *out, size_t length)
{
    out = write_text(out, CMW_STR("Content-Length: "));
    out = cmw__put_number(out, length);
    return write_text(out, CMW_STR("\r\n"));
}

/* What follows the fields. */
static char *write_tail(char *out, const cmw_response *response, unsigned flags)
{
    if ((flags & CMW_READ_LENGTH) && shows_length(response))
        out = write_length(out, content_length(response));
    if (flags & CMW_READ_END)
        out = write_text(out, CMW_STR("\r\n"));
    return out;
}

static inline const char *segment_bytes(const struct cmw__segment *segment)
{
    if (!(segment->flags & CMW__SEGMENT_BLOCK))
        return segment->bytes;
    const struct cmw_header_block *block = segment->bytes;
    if (CMW_LIKELY(segment->name_len == 0))
        return block->bytes;
    return block->bytes + block->fields[segment->name_len].line;
}

/* ---- Bytes ------------------------------------------------------------------------------ */

static inline void put(struct sink *sink, const char *bytes, size_t len)
{
    sink->len += len;
    if (CMW_UNLIKELY(len > sink->left)) {
        sink->left = 0;
        return;
    }
    memcpy(sink->at, bytes, len);
    sink->at += len;
    sink->left -= len;
}

/* Whatever is asked for. */
static CMW__NOINLINE int write_any(const cmw_response *response, size_t *len, char *buffer,
                                   size_t cap, unsigned flags)
{
    size_t count;
    const struct cmw__segment *const segments = cmw__response_segments(response, &count);
    char scratch[CMW_HEAD_SCRATCH];
    struct sink sink = {cap > 0 ? buffer : scratch, cap, 0}; /* nothing is not copied to NULL */

    if (flags & CMW_READ_STATUS_LINE)
        put(&sink, scratch, (size_t)(write_status_line(scratch, response->status) - scratch));
    for (size_t i = 0; i < count; i++)
        put(&sink, segment_bytes(&segments[i]), segments[i].len);
    if (flags & (CMW_READ_LENGTH | CMW_READ_END))
        put(&sink, scratch, (size_t)(write_tail(scratch, response, flags) - scratch));
    *len = sink.len;
    return sink.len > cap ? CMW_ERR_LIMIT : 0;
}

enum { TAIL_ROOM = 64 }; /* a length of 20 digits, and the end */

/* All of a head with the most usual status, and a length: each piece is copied to its place. */
static CMW__NOINLINE int write_usual(const cmw_response *response, size_t *len, char *buffer,
                                     size_t cap)
{
    const struct cmw__segment *segment = response->segments;
    const struct cmw__segment *const end = segment + response->segment_count;

    if (CMW_UNLIKELY(cap < CMW_HEAD_SCRATCH))
        return write_any(response, len, buffer, cap, CMW_READ_HEAD);
    const char *const last = buffer + cap - TAIL_ROOM;
    char *at = write_text(buffer, CMW_STR("HTTP/1.1 200 OK\r\n"));
    for (; segment < end; segment++) {
        if (CMW_UNLIKELY(segment->len > (size_t)(last - at)))
            return write_any(response, len, buffer, cap, CMW_READ_HEAD);
        at = cmw__copy_short(at, segment_bytes(segment), segment->len);
    }
    at = cmw__put_number(write_text(at, CMW_STR("Content-Length: ")), response->body.len);
    at = write_text(at, CMW_STR("\r\n\r\n"));
    *len = (size_t)(at - buffer);
    return 0;
}

static CMW__NOINLINE int write_fields(const cmw_response *response, size_t *len, char *buffer,
                                      size_t cap, unsigned flags)
{
    if ((flags & CMW_READ_HEAD) == CMW_READ_HEAD && response->status == 200 &&
        !(response->flags & (CMW__RESPONSE_NO_LENGTH | CMW__RESPONSE_CONSTANT)))
        return write_usual(response, len, buffer, cap);
    return write_any(response, len, buffer, cap, flags);
}

/* Constants alone are one copy, for which nothing is set up. */
int cmw_response_write_head(const cmw_response *response, size_t *len, char *buffer, size_t cap,
                            unsigned flags)
{
    if (!(response->flags & CMW__RESPONSE_CONSTANT) || (flags & CMW_READ_HEAD))
        return write_fields(response, len, buffer, cap, flags);

    const struct cmw_header_block *const block = response->constants;
    *len = block->len;
    if (CMW_UNLIKELY(block->len > cap))
        return CMW_ERR_LIMIT;
    memcpy(buffer, block->bytes, block->len);
    return 0;
}

/* ---- Slices ----------------------------------------------------------------------------- */

static inline cmw_str *put_fields(cmw_str *out, const struct cmw__segment *segments, size_t count)
{
    for (size_t i = 0; i < count; i++)
        *out++ = cmw_str_make(segment_bytes(&segments[i]), segments[i].len);
    return out;
}

/* With a status line, a length or an end. */
static CMW__NOINLINE int slices_of_head(const cmw_response *response, size_t *count,
                                        cmw_str *slices, size_t cap, char *scratch, unsigned flags)
{
    const int has_status = (flags & CMW_READ_STATUS_LINE) != 0;
    const int has_length = (flags & CMW_READ_LENGTH) && shows_length(response);
    const int has_tail = has_length || (flags & CMW_READ_END);
    size_t field_slices;
    const struct cmw__segment *segments = cmw__response_segments(response, &field_slices);

    *count = field_slices + (size_t)has_status + (size_t)has_tail;
    if (*count > cap)
        return CMW_ERR_LIMIT;
    if (has_status) {
        char *end = write_status_line(scratch, response->status);
        *slices++ = cmw_str_make(scratch, (size_t)(end - scratch));
        scratch = end;
    }
    slices = put_fields(slices, segments, field_slices);
    if (has_length)
        *slices = cmw_str_make(scratch, (size_t)(write_tail(scratch, response, flags) - scratch));
    else if (has_tail)
        *slices = CMW_STR("\r\n"); /* alone it needs no scratch */
    return 0;
}

int cmw_response_head_slices(const cmw_response *response, size_t *count, cmw_str *slices,
                             size_t cap, char *scratch, unsigned flags)
{
    if (flags & CMW_READ_HEAD)
        return slices_of_head(response, count, slices, cap, scratch, flags);
    if (response->flags & CMW__RESPONSE_CONSTANT) {
        *count = 1;
        if (CMW_UNLIKELY(cap == 0))
            return CMW_ERR_LIMIT;
        *slices = cmw_str_make(response->constants->bytes, response->constants->len);
        return 0;
    }
    *count = response->segment_count;
    if (CMW_UNLIKELY(response->segment_count > cap))
        return CMW_ERR_LIMIT;
    (void)put_fields(slices, response->segments, response->segment_count);
    return 0;
}
