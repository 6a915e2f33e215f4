/* SPDX-License-Identifier: MIT */
/*
 * Records of idempotency_key, as a store may hand them out: what is read lies in the bytes, and is
 * the same when it is written and read again. The input is a record.
 */
#include "fuzz.h"

#include "idempotency_record.h"

static void check_inside(cmw_str outer, cmw_str inner)
{
    FUZZ_CHECK(inner.data >= outer.data && inner.data + inner.len <= outer.data + outer.len);
}

static void write_again(const struct cmw__idempotency_record *record, char *to)
{
    cmw_str rest = record->fields;
    cmw_header field;
    int replaces;

    to = cmw__idempotency_write_head(to, record);
    while (cmw__idempotency_next_field(&rest, &field, &replaces))
        to = cmw__idempotency_write_field(to, &field, replaces);
    if (record->body.len > 0)
        memcpy(to, record->body.data, record->body.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const cmw_str bytes = cmw_str_make(size > 0 ? (const char *)data : "", size);
    struct cmw__idempotency_record record;

    if (cmw__idempotency_read(&record, bytes) != 0)
        return 0;
    check_inside(bytes, record.fields);
    check_inside(bytes, record.body);
    FUZZ_CHECK(CMW__IDEMPOTENCY_HEAD + record.fields.len + record.body.len == size);
    char *again = malloc(size);
    FUZZ_CHECK(again != NULL);
    write_again(&record, again);
    FUZZ_CHECK(memcmp(again, data, size) == 0);
    free(again);
    return 0;
}
