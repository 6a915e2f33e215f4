/* SPDX-License-Identifier: MIT */
/* Records of idempotency_key, written and read. */
#include "idempotency_record.h"

enum { VERSION = 1 };

#define REPLACES (UINT64_C(1) << 31)

/* ---- Numbers ---------------------------------------------------------------------------- */

static char *put_number(char *to, uint64_t number, size_t bytes)
{
    for (; bytes > 0; bytes--, number >>= 8)
        *to++ = (char)(number & 0xff);
    return to;
}

static uint64_t number_at(const char *from, size_t bytes)
{
    uint64_t number = 0;

    while (bytes-- > 0)
        number = number << 8 | (unsigned char)from[bytes];
    return number;
}

static char *put_text(char *to, cmw_str text)
{
    if (text.len > 0)
        memcpy(to, text.data, text.len);
    return to + text.len;
}

/* ---- Writing ---------------------------------------------------------------------------- */

char *cmw__idempotency_write_head(char *to, const struct cmw__idempotency_record *record)
{
    *to++ = VERSION;
    *to++ = (char)record->state;
    to = put_number(to, (uint64_t)record->status, 2);
    to = put_number(to, record->field_count, 4);
    to = put_number(to, record->fingerprint[0], 8);
    to = put_number(to, record->fingerprint[1], 8);
    return put_number(to, record->body.len, 8);
}

char *cmw__idempotency_write_field(char *to, const cmw_header *field, int replaces)
{
    to = put_number(to, field->name.len | (replaces ? REPLACES : 0), 4);
    to = put_number(to, field->value.len, 4);
    return put_text(put_text(to, field->name), field->value);
}

/* ---- Reading ---------------------------------------------------------------------------- */

int cmw__idempotency_next_field(cmw_str *fields, cmw_header *field, int *replaces)
{
    if (fields->len < 8)
        return 0;
    const uint64_t first = number_at(fields->data, 4), value = number_at(fields->data + 4, 4);
    const uint64_t name = first & (REPLACES - 1);
    if (name + value > fields->len - 8)
        return 0;
    *replaces = (first & REPLACES) != 0;
    field->name = cmw_str_make(fields->data + 8, (size_t)name);
    field->value = cmw_str_make(fields->data + 8 + name, (size_t)value);
    *fields = cmw_str_make(field->value.data + value, fields->len - 8 - (size_t)(name + value));
    return 1;
}

/* Steps over `count` fields, none of which may reach beyond the bytes. */
static int read_fields(struct cmw__idempotency_record *record, cmw_str bytes)
{
    cmw_str rest = bytes;
    cmw_header field;
    int replaces;

    for (size_t i = 0; i < record->field_count; i++)
        if (!cmw__idempotency_next_field(&rest, &field, &replaces))
            return CMW_ERR_INVALID;
    record->fields = cmw_str_make(bytes.data, bytes.len - rest.len);
    record->body = rest;
    return 0;
}

int cmw__idempotency_read(struct cmw__idempotency_record *record, cmw_str bytes)
{
    const char *at = bytes.data;

    if (bytes.len < CMW__IDEMPOTENCY_HEAD || at[0] != VERSION)
        return CMW_ERR_INVALID;
    record->state = (unsigned char)at[1];
    record->status = (int)number_at(at + 2, 2);
    record->field_count = (size_t)number_at(at + 4, 4);
    record->fingerprint[0] = number_at(at + 8, 8);
    record->fingerprint[1] = number_at(at + 16, 8);
    if (read_fields(record, cmw_str_make(at + CMW__IDEMPOTENCY_HEAD,
                                         bytes.len - CMW__IDEMPOTENCY_HEAD)) != 0 ||
        number_at(at + 24, 8) != record->body.len)
        return CMW_ERR_INVALID;
    if (record->state == CMW__IDEMPOTENCY_ANSWERED)
        return record->status >= 200 && record->status <= 999 ? 0 : CMW_ERR_INVALID;
    return record->state <= CMW__IDEMPOTENCY_NOT_KEPT && bytes.len == CMW__IDEMPOTENCY_HEAD
               ? 0
               : CMW_ERR_INVALID;
}
