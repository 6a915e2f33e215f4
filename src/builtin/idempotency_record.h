/* SPDX-License-Identifier: MIT */
/*
 * What idempotency_key keeps of a request: its fingerprint, and the response or why there is none.
 *
 * Pure: bytes in, bytes out. A record may come from a store that others write, so that reading one
 * trusts nothing in it.
 *
 *   version 1 | state 1 | status 2 | fields 4 | fingerprint 16 | body's length 8
 *   of each field: length of the name and 1 << 31 if it replaces others 4, of the value 4, name,
 *                  value
 *   body
 *
 * Numbers have their lowest byte first.
 */
#ifndef CMW_BUILTIN_IDEMPOTENCY_RECORD_H
#define CMW_BUILTIN_IDEMPOTENCY_RECORD_H

#include <catzilla/request.h>

enum cmw__idempotency_state {
    CMW__IDEMPOTENCY_IN_FLIGHT = 0,
    CMW__IDEMPOTENCY_ANSWERED = 1,
    CMW__IDEMPOTENCY_NOT_KEPT = 2 /* it was answered, but not with what could be kept */
};

#define CMW__IDEMPOTENCY_HEAD 32

struct cmw__idempotency_record {
    int state;
    int status; /* of the response, also if that was not kept; 0 in flight */
    uint64_t fingerprint[2];
    cmw_str fields; /* as they are written */
    size_t field_count;
    cmw_str body;
};

/* Bytes that a record takes; its fields' texts, and how many there are. */
static inline size_t cmw__idempotency_size(size_t field_count, size_t field_bytes, size_t body_len)
{
    return CMW__IDEMPOTENCY_HEAD + 8 * field_count + field_bytes + body_len;
}

/* Write the head of a record; returns the place of its first field. */
char *cmw__idempotency_write_head(char *to, const struct cmw__idempotency_record *record);
/* Write a field, which `replaces` those that the response has before, or goes beside them. The body
 * comes behind the last one. Returns the end. */
char *cmw__idempotency_write_field(char *to, const cmw_header *field, int replaces);

/* Read a record, which borrows from its bytes: 0, or CMW_ERR_INVALID. */
int cmw__idempotency_read(struct cmw__idempotency_record *record, cmw_str bytes);
/* Take the first field off `fields`, of a record that was read: 1, or 0: none is left. */
int cmw__idempotency_next_field(cmw_str *fields, cmw_header *field, int *replaces);

#endif /* CMW_BUILTIN_IDEMPOTENCY_RECORD_H */
