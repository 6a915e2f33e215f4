/* SPDX-License-Identifier: MIT */
#include "head.h"

#include <string.h>

/* A walk over the lines of a head. */
struct walk {
    const char *at;
    const char *end;
    const h2o_header_t *next; /* of the known fields */
    const h2o_header_t *known_end;
    h2o_iovec_t host; /* the value of Host */
};

static int is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

static const char *skip_blanks(const char *at, const char *end)
{
    while (at < end && is_blank(*at))
        at++;
    return at;
}

static cmw_str trim_end(cmw_str value)
{
    while (value.len > 0 && is_blank(value.data[value.len - 1]))
        value.len--;
    return value;
}

/* Behind the end of a line, or NULL if it is not one. */
static const char *skip_end(const char *at, const char *end)
{
    if (at < end && *at == '\r')
        at++;
    return at < end && *at == '\n' ? at + 1 : NULL;
}

/* H2O's parser has skipped one empty line before the request line. */
static int skip_request_line(struct walk *walk)
{
    const char *behind = skip_end(walk->at, walk->end);

    if (behind)
        walk->at = behind;
    const char *found = memchr(walk->at, '\n', (size_t)(walk->end - walk->at));
    if (!found)
        return -1;
    walk->at = found + 1;
    return 0;
}

/* ---- One line --------------------------------------------------------------------------- */

/*
 * 1 if the line is the next field that H2O hands over. Its value is a part of the buffer, or, where
 * a body follows, a copy.
 */
static int read_known(struct walk *walk, cmw_header *out)
{
    if (walk->next == walk->known_end)
        return 0;
    const h2o_header_t *const known = walk->next;
    const size_t name_len = known->name->len;
    if (name_len == 0 || (size_t)(walk->end - walk->at) <= name_len || walk->at[name_len] != ':')
        return 0;
    const char *const value = skip_blanks(walk->at + name_len + 1, walk->end);
    if ((size_t)(walk->end - value) < known->value.len)
        return 0;
    const char *const behind = skip_end(value + known->value.len, walk->end);
    if (!behind)
        return 0;
    if (value != known->value.base && (memcmp(walk->at, known->name->base, name_len) != 0 ||
                                       memcmp(value, known->value.base, known->value.len) != 0))
        return 0;
    out->name = cmw_str_make(walk->at, name_len);
    out->value = trim_end(cmw_str_make(value, known->value.len));
    walk->at = behind;
    walk->next++;
    return 1;
}

/* Another field that H2O has taken out. 0, or -1 if the line is no field. */
static int read_other(struct walk *walk, cmw_header *out)
{
    const char *const line_end = memchr(walk->at, '\n', (size_t)(walk->end - walk->at));
    const char *const colon =
        line_end ? memchr(walk->at, ':', (size_t)(line_end - walk->at)) : NULL;

    if (!colon || is_blank(*walk->at))
        return -1;
    const char *const value = skip_blanks(colon + 1, line_end);
    const char *value_end = line_end;
    if (value_end > value && value_end[-1] == '\r')
        value_end--;
    out->name = cmw_str_make(walk->at, (size_t)(colon - walk->at));
    out->value = trim_end(cmw_str_make(value, (size_t)(value_end - value)));
    walk->at = line_end + 1;
    return 0;
}

/* ---- Ids -------------------------------------------------------------------------------- */

static uint8_t known_id(const h2o_header_t *known, const uint8_t *token_ids)
{
    const size_t index = cmw__h2o_token_index(known->name);

    if (index < H2O_MAX_TOKENS)
        return token_ids[index];
    return (uint8_t)cmw_header_id_find(cmw_str_make(known->name->base, known->name->len));
}

/* ---- Any line --------------------------------------------------------------------------- */

/* The next field, whatever the line is like; its place is there. `walk->at` moves behind it. */
static __attribute__((noinline)) void read_line(struct head *head, struct walk *walk,
                                                const uint8_t *token_ids)
{
    cmw_header *const field = &head->fields[head->count];
    uint8_t *const id = &head->ids[head->count];

    if (read_known(walk, field)) {
        *id = known_id(walk->next - 1, token_ids);
    } else if (read_other(walk, field) == 0) {
        *id = (uint8_t)cmw_header_id_find(field->name);
        if (*id == CMW_HDR_CONTENT_LENGTH || *id == CMW_HDR_TRANSFER_ENCODING)
            head->has_body = 1;
    } else {
        head->is_broken = 1;
        return;
    }
    head->count++;
}

/* ---- Usual lines ------------------------------------------------------------------------ */

/*
 * Behind a line that is "name: value", the value where H2O says that it is, no blank behind it, and
 * CRLF. NULL if the line at `at` is another one.
 */
static inline const char *take_usual(const char *at, const char *end, cmw_header *field,
                                     size_t name_len, h2o_iovec_t value)
{
    const char *const colon = at + name_len;
    const char *const line_end = value.base + value.len;

    if ((size_t)(end - at) < name_len + value.len + 4 || value.base != colon + 2 ||
        memcmp(colon, ": ", 2) != 0 || memcmp(line_end, "\r\n", 2) != 0 ||
        (unsigned char)line_end[-1] <= ' ' || name_len == 0)
        return NULL;
    field->name = cmw_str_make(at, name_len);
    field->value = cmw_str_make(value.base, value.len);
    return line_end + 2;
}

/* Fields that H2O hands over, as long as each follows the other. */
static inline void read_usual(struct head *head, struct walk *walk, const uint8_t *token_ids)
{
    const h2o_header_t *known = walk->next;
    const char *at = walk->at;
    uint32_t count = head->count;

    for (; known != walk->known_end && count < head->cap; known++, count++) {
        const char *const behind =
            take_usual(at, walk->end, &head->fields[count], known->name->len, known->value);
        if (!behind)
            break;
        head->ids[count] = known_id(known, token_ids);
        at = behind;
    }
    walk->next = known;
    walk->at = at;
    head->count = count;
}

/* 1 if the line is the Host that H2O has taken out. */
static inline int read_host(struct head *head, struct walk *walk)
{
    const cmw_str name = CMW_STR("host");
    const char *const behind =
        take_usual(walk->at, walk->end, &head->fields[head->count], name.len, walk->host);

    if (!behind || memcmp(walk->at, name.data, name.len) != 0)
        return 0;
    head->ids[head->count++] = CMW_HDR_HOST;
    walk->at = behind;
    return 1;
}

/* ---- All lines -------------------------------------------------------------------------- */

/* 0, or CMW_ERR_LIMIT. */
static int read_lines(struct head *head, struct walk *walk, const uint8_t *token_ids)
{
    while (!head->is_broken) {
        read_usual(head, walk, token_ids);
        const char *const behind = skip_end(walk->at, walk->end);
        if (behind) {
            walk->at = behind;
            break;
        }
        if (head->count == head->cap)
            return CMW_ERR_LIMIT;
        if (!read_host(head, walk))
            read_line(head, walk, token_ids);
    }
    return 0;
}

int cmw__h2o_read_head(struct head *head, cmw_str bytes, const h2o_headers_t *known,
                       h2o_iovec_t host, const uint8_t *token_ids)
{
    struct walk walk = {bytes.data, bytes.data + bytes.len, known->entries,
                        known->entries + known->size, host};

    head->count = 0;
    head->has_body = 0;
    head->is_broken = skip_request_line(&walk) != 0;
    if (read_lines(head, &walk, token_ids) != 0)
        return CMW_ERR_LIMIT;
    if (walk.next != walk.known_end)
        head->is_broken = 1;
    head->bytes = (uint32_t)(walk.at - bytes.data);
    return 0;
}
