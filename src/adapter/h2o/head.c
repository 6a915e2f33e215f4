/* SPDX-License-Identifier: MIT */
#include "head.h"

#include <string.h>

/* A walk over the lines of a head. */
struct walk {
    const char *at;
    const char *end;
    const h2o_header_t *next; /* of the known fields */
    const h2o_header_t *known_end;
    const char *host; /* the value of Host, where H2O has it from */
    size_t host_len;
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

/* The value of a field stands at `value`, up to an end of line: take it. Else 0. */
static inline int take_value(struct walk *walk, cmw_header *out, const char *value, size_t len)
{
    const char *const line_end = value + len;
    const char *behind = line_end + 2;

    if (walk->end - line_end < 2 || line_end[0] != '\r' || line_end[1] != '\n') {
        behind = skip_end(line_end, walk->end);
        if (!behind)
            return 0;
    }
    out->value = cmw_str_make(value, len);
    if (len > 0 && is_blank(line_end[-1]))
        out->value = trim_end(out->value);
    walk->at = behind;
    return 1;
}

/* The value behind a colon, if it is not where H2O says, but the same: a copy of it, or behind
 * other blanks. Else NULL. */
static const char *find_same(const struct walk *walk, const h2o_header_t *known, const char *value)
{
    value = skip_blanks(value, walk->end);
    if ((size_t)(walk->end - value) < known->value.len)
        return NULL;
    if (value != known->value.base && (memcmp(walk->at, known->name->base, known->name->len) != 0 ||
                                       memcmp(value, known->value.base, known->value.len) != 0))
        return NULL;
    return value;
}

/*
 * 1 if the line is the next field that H2O hands over. Its value is a part of the buffer, or, where
 * a body follows, a copy.
 */
static inline int read_known(struct walk *walk, cmw_header *out)
{
    const h2o_header_t *const known = walk->next;

    if (known == walk->known_end)
        return 0;
    const char *const name = walk->at;
    const size_t name_len = known->name->len;
    if (name_len == 0 || (size_t)(walk->end - name) < name_len + 2 || name[name_len] != ':')
        return 0;
    const char *value = name + name_len + 1;
    value += *value == ' ';
    if (value != known->value.base) {
        value = find_same(walk, known, value);
        if (!value)
            return 0;
    }
    if (!take_value(walk, out, value, known->value.len))
        return 0;
    out->name = cmw_str_make(name, name_len);
    walk->next++;
    return 1;
}

/* 1 if the line is the Host that H2O has taken out. */
static inline int read_host(struct walk *walk, cmw_header *out)
{
    const char *const name = walk->at;
    const cmw_str begin = CMW_STR("host: ");

    if (walk->host != name + begin.len || (size_t)(walk->end - name) < begin.len ||
        memcmp(name, begin.data, begin.len) != 0 || !take_value(walk, out, walk->host, walk->host_len))
        return 0;
    out->name = cmw_str_make(name, 4);
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

/* ---- All lines -------------------------------------------------------------------------- */

static int read_unknown(struct head *head, struct walk *walk, cmw_header *field, uint8_t *id)
{
    if (read_other(walk, field) != 0)
        return -1;
    *id = (uint8_t)cmw_header_id_find(field->name);
    if (*id == CMW_HDR_CONTENT_LENGTH || *id == CMW_HDR_TRANSFER_ENCODING)
        head->has_body = 1;
    return 0;
}

static int read_lines(struct head *head, struct walk *walk, const uint8_t *token_ids)
{
    uint32_t count = 0;

    for (; !head->is_broken; count++) {
        const char *const behind = skip_end(walk->at, walk->end);
        if (behind) {
            walk->at = behind;
            break;
        }
        if (count == head->cap)
            return CMW_ERR_LIMIT;
        cmw_header *const field = &head->fields[count];
        if (read_known(walk, field))
            head->ids[count] = known_id(walk->next - 1, token_ids);
        else if (read_host(walk, field))
            head->ids[count] = CMW_HDR_HOST;
        else if (read_unknown(head, walk, field, &head->ids[count]) != 0)
            head->is_broken = 1;
    }
    head->count = count;
    return 0;
}

int cmw__h2o_read_head(struct head *head, cmw_str bytes, const h2o_headers_t *known,
                       h2o_iovec_t host, const uint8_t *token_ids)
{
    struct walk walk = {bytes.data, bytes.data + bytes.len, known->entries,
                        known->entries + known->size, host.base, host.len};

    head->has_body = 0;
    head->is_broken = skip_request_line(&walk) != 0;
    head->count = 0;
    if (read_lines(head, &walk, token_ids) != 0)
        return CMW_ERR_LIMIT;
    if (walk.next != walk.known_end)
        head->is_broken = 1;
    head->bytes = (uint32_t)(walk.at - bytes.data);
    return 0;
}
