/* SPDX-License-Identifier: MIT */
/*
 * Fields of a response as C strings, for servers that take nothing else.
 *
 * Blocks have them. A line is "Name: value\r\n" in memory of the request: its colon and its CR are
 * NULs while the field is shown, and put back behind that.
 */
#include "arena_state.h"
#include "response_fields.h"

/* Of a static line, copied for as long as it is shown; longer ones are copied to the arena. */
enum { SHORT_LINE = 256 };

struct visit {
    cmw_cstr_field_fn *fn;
    void *self;
};

static int show(const struct visit *visit, const cmw_field *fields, size_t count)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = visit->fn(visit->self, fields[i].name.data, fields[i].value.data);
    return rc;
}

static int show_run(const struct visit *visit, const struct cmw__segment *segment)
{
    const struct cmw_header_block *const block = segment->bytes;
    struct cmw__run run = cmw__run_of(segment);

    if (segment->len == block->len)
        return show(visit, block->shown, block->count);
    while (cmw__run_at(&run))
        run.field++;
    return show(visit, block->shown + segment->name_len, run.field - segment->name_len);
}

static inline int show_line(const struct visit *visit, char *line, size_t name_len, size_t len)
{
    line[name_len] = '\0';
    line[len - 2] = '\0';
    const int rc = visit->fn(visit->self, line, line + name_len + 2);
    line[name_len] = ':';
    line[len - 2] = '\r';
    return rc;
}

static CMW__NOINLINE int show_static(const struct visit *visit, const struct cmw__segment *segment,
                                     cmw_arena *arena)
{
    char text[SHORT_LINE];
    char *line = text;

    if (segment->len > sizeof text) {
        line = cmw_arena_alloc_text(arena, segment->len);
        if (!line)
            return CMW_ERR_NOMEM;
    }
    memcpy(line, segment->bytes, segment->len);
    return show_line(visit, line, segment->name_len, segment->len);
}

int cmw_response_visit_cstr(cmw_response *response, cmw_cstr_field_fn *fn, void *self)
{
    const struct visit visit = {fn, self};
    size_t count;
    int rc = 0;

    if (!fn)
        return CMW_ERR_ARG;
    if (!response->arena) /* that of others, too */
        return CMW_ERR_STATE;
    const struct cmw__segment *segment = cmw__response_segments(response, &count);
    for (; rc == 0 && count > 0; segment++, count--) {
        if (segment->flags & CMW__SEGMENT_BLOCK)
            rc = show_run(&visit, segment);
        else if (segment->flags & CMW__SEGMENT_STATIC)
            rc = show_static(&visit, segment, response->arena);
        else
            rc = show_line(&visit, (char *)(uintptr_t)segment->bytes, segment->name_len,
                           segment->len);
    }
    return rc;
}
