/* SPDX-License-Identifier: MIT */
/*
 * Blocks of constant fields: building them when a chain compiles, adding them to a response.
 *
 *   one piece   | block | fields[count] | "A: 1\r\nB: 2\r\n..." | "a" "b" ... |
 *                                         lines                   lower-case names
 */
#include "block16.h"
#include "response_fields.h"

/* ---- Building --------------------------------------------------------------------------- */

static int check_field(const cmw_header *field)
{
    if (field->name.len > CMW__NAME_MAX)
        return CMW_ERR_INVALID;
    if (cmw__id_is_managed(cmw_header_id_find(field->name)))
        return CMW_ERR_ARG;
    if (!cmw_header_name_is_valid(field->name) || !cmw__value_is_clean(field->value))
        return CMW_ERR_INVALID;
    return 0;
}

int cmw_response_check_field(cmw_str name, cmw_str value)
{
    const cmw_header field = {name, value};
    return check_field(&field);
}

/* Check all fields and add up their bytes: lines, lower-case names, and both as C strings. */
static int measure(const cmw_header *fields, size_t count, size_t *text_bytes, size_t *bad)
{
    size_t bytes = 0;

    for (size_t i = 0; i < count; i++) {
        int rc = check_field(&fields[i]);
        const size_t len = 3 * fields[i].name.len + 2 * fields[i].value.len + 6;
        if (rc == 0 && len > UINT32_MAX - bytes)
            rc = CMW_ERR_NOMEM;
        if (rc != 0) {
            *bad = i;
            return rc;
        }
        bytes += len;
    }
    *text_bytes = bytes;
    return 0;
}

/* The registered spelling if it has an id, so that blocks and lines look alike. */
static cmw_str spelling(cmw_str name, unsigned id)
{
    return id != CMW_HDR_OTHER ? cmw__header_id_table[id].name : name;
}

/* Returns the end of the text. */
static char *write_lines(struct cmw_header_block *block, struct cmw__block_field *out, char *text,
                         const cmw_header *fields)
{
    char *at = text;

    for (uint32_t i = 0; i < block->count; i++) {
        const unsigned id = (unsigned)cmw_header_id_find(fields[i].name);
        const cmw_str name = spelling(fields[i].name, id);
        out[i].line = (uint32_t)(at - text);
        at = cmw__copy_short(at, name.data, name.len);
        at = cmw__copy_short(at, ": ", 2);
        at = cmw__copy_short(at, fields[i].value.data, fields[i].value.len);
        at = cmw__copy_short(at, "\r\n", 2);
        out[i].line_len = (uint32_t)(at - text) - out[i].line;
        out[i].name_len = (uint16_t)name.len;
        out[i].id = (uint8_t)id;
        out[i].reserved = 0;
        cmw__add_id(block->ids, id);
    }
    block->len = (uint32_t)(at - text);
    for (uint32_t i = 0; i < block->count; i++) {
        out[i].lower = (uint32_t)(at - text);
        cmw__lower_copy(at, fields[i].name);
        at += fields[i].name.len;
    }
    return at;
}

static char *write_cstr(char *to, cmw_str *shown, const char *from, size_t len)
{
    *shown = cmw_str_make(to, len);
    to = cmw__copy_short(to, from, len);
    *to = '\0';
    return to + 1;
}

/* The fields as readers see them, whose text lies behind the lower-case names. */
static void show_fields(cmw_field *out, const struct cmw_header_block *block, char *text)
{
    for (uint32_t i = 0; i < block->count; i++, out++) {
        const struct cmw__block_field *field = &block->fields[i];
        const char *line = block->bytes + field->line;
        const cmw_str value = cmw__line_value(line, field->name_len, field->line_len);
        text = write_cstr(text, &out->name, line, field->name_len);
        text = write_cstr(text, &out->value, value.data, value.len);
        out->lower = cmw__block_lower(block, field).data;
        out->id = (cmw_header_id)field->id;
        out->has_nul = 1;
    }
}

int cmw__header_block_create(struct cmw_header_block **out, cmw_pool *pool,
                             const cmw_header *fields, size_t count, int if_absent, size_t *bad)
{
    size_t text_bytes;

    if (count > UINT16_MAX) {
        *bad = UINT16_MAX;
        return CMW_ERR_ARG;
    }
    const int rc = measure(fields, count, &text_bytes, bad);
    if (rc != 0)
        return rc;

    const size_t table_bytes = count * (sizeof(cmw_field) + sizeof(struct cmw__block_field));
    const size_t bytes = sizeof(struct cmw_header_block) + table_bytes + text_bytes;
    struct cmw_header_block *block = cmw_pool_alloc(pool, bytes, 0);
    if (!block)
        return CMW_ERR_NOMEM;
    cmw_field *shown = (cmw_field *)(block + 1);
    struct cmw__block_field *table = (struct cmw__block_field *)(shown + count);
    char *text = (char *)(table + count);
    *block = (struct cmw_header_block){.bytes = text,
                                       .fields = table,
                                       .shown = shown,
                                       .count = (uint32_t)count,
                                       .alloc_bytes = bytes,
                                       .if_absent = if_absent};
    show_fields(shown, block, write_lines(block, table, text, fields));
    block->whole = (struct cmw__segment){
        .bytes = block, .len = block->len, .id = CMW_HDR_OTHER, .flags = CMW__SEGMENT_BLOCK};
    *out = block;
    return 0;
}

void cmw__header_block_destroy(struct cmw_header_block *block, cmw_pool *pool)
{
    if (block)
        cmw_pool_free(pool, block, block->alloc_bytes, 0);
}

int cmw_header_block_create(cmw_header_block **out, cmw_pool *pool, const cmw_header *fields,
                            size_t count, unsigned flags)
{
    const int if_absent = (flags & CMW_BLOCK_IF_ABSENT) != 0;
    size_t bad;

    if (!out || !pool || (!fields && count > 0) || (flags & ~(unsigned)CMW_BLOCK_IF_ABSENT))
        return CMW_ERR_ARG;
    return cmw__header_block_create(out, pool, fields, count, if_absent, &bad);
}

void cmw_header_block_destroy(cmw_header_block *block, cmw_pool *pool)
{
    cmw__header_block_destroy(block, pool);
}

/* ---- Adding ----------------------------------------------------------------------------- */

static int is_present(const cmw_response *response, const struct cmw_header_block *block,
                      uint32_t index)
{
    const struct cmw__block_field *field = &block->fields[index];

    if (field->id != CMW_HDR_OTHER)
        return cmw__has_id(response->ids, field->id);
    return cmw__response_has_other(response, cmw__block_lower(block, field));
}

/* Step over one run of fields that are all absent: 1, and `*first` to `*end` - 1 are its indices.
 * 0: no more. Start with *end = 0. */
static int next_absent_run(const cmw_response *response, const struct cmw_header_block *block,
                           uint32_t *first, uint32_t *end)
{
    uint32_t at = *end;

    while (at < block->count && is_present(response, block, at))
        at++;
    *first = at;
    while (at < block->count && !is_present(response, block, at))
        at++;
    *end = at;
    return at > *first;
}

/* The runs are pushed at once behind what is there, so that a name that the block has twice is not
 * taken for one that was there. */
static int add_absent(cmw_response *response, const struct cmw_header_block *block)
{
    uint32_t first, end = 0;
    size_t count = 0;

    while (next_absent_run(response, block, &first, &end))
        count++;
    if (cmw__response_reserve(response, count) != 0)
        return CMW_ERR_NOMEM;

    const cmw_response looked_at = *response;
    for (end = 0; next_absent_run(&looked_at, block, &first, &end);) {
        const struct cmw__block_field *last = &block->fields[end - 1];
        const uint32_t line = block->fields[first].line;
        cmw__response_push(response, block, last->line + last->line_len - line, first,
                           CMW_HDR_OTHER, CMW__SEGMENT_BLOCK);
        for (uint32_t i = first; i < end; i++)
            cmw__add_id(response->ids, block->fields[i].id);
    }
    return 0;
}

/* Everything that has a name of the block goes, then the block comes whole. */
static int add_replacing(cmw_response *response, const struct cmw_header_block *block)
{
    const struct cmw__filter filter = {.ids = {block->ids[0], block->ids[1]}, .block = block};
    size_t growth;

    if (cmw__response_make_room(response, &filter, &growth, 1) != 0)
        return CMW_ERR_NOMEM;
    cmw__response_drop(response, &filter, growth);
    cmw__response_push_block(response, block);
    return 0;
}

static CMW__NOINLINE int add_slowly(cmw_response *response, const struct cmw_header_block *block)
{
    const uint64_t common = (response->ids[0] & block->ids[0]) | (response->ids[1] & block->ids[1]);

    if (common != 0)
        return block->if_absent ? add_absent(response, block) : add_replacing(response, block);
    if (block->count == 0)
        return 0;
    if (cmw__response_reserve(response, 1) != 0)
        return CMW_ERR_NOMEM;
    cmw__response_push_block(response, block);
    return 0;
}

int cmw__response_add_block(cmw_response *response, const struct cmw_header_block *block)
{
    const uint64_t common = (response->ids[0] & block->ids[0]) | (response->ids[1] & block->ids[1]);

    if (CMW_UNLIKELY(common != 0 || block->count == 0 ||
                     response->segment_count >= response->segment_cap))
        return add_slowly(response, block);
    cmw__response_push_block(response, block);
    return 0;
}

int cmw_response_add_block(cmw_response *response, const cmw_header_block *block)
{
    if (CMW_UNLIKELY((response->flags & CMW__RESPONSE_FROZEN) || !response->arena))
        return CMW_ERR_STATE;
    return cmw__response_add_block(response, block);
}

static CMW__NOINLINE int add_unless_slowly(cmw_response *response,
                                           const struct cmw_header_block *block,
                                           const cmw_header_set *set)
{
    if (!(response->flags & CMW__RESPONSE_FROZEN) && cmw_response_has_any(response, set))
        return 1;
    return cmw_response_add_block(response, block);
}

int cmw_response_add_block_unless(cmw_response *response, const cmw_header_block *block,
                                  const cmw_header_set *set)
{
    /* Bit 0 is of no field that a set can name. */
    const uint64_t low = block->ids[0] | (set->bits[0] & ~(uint64_t)1);
    const uint64_t high = block->ids[1] | set->bits[1];

    if (CMW_UNLIKELY((response->flags & CMW__RESPONSE_FROZEN) || block->count == 0 ||
                     ((response->ids[0] & low) | (response->ids[1] & high)) != 0 ||
                     response->segment_count >= response->segment_cap))
        return add_unless_slowly(response, block, set);
    cmw__response_push_block(response, block);
    return 0;
}
