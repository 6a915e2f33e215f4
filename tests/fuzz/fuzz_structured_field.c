/* SPDX-License-Identifier: MIT */
/*
 * Structured fields. The first byte chooses the kind; what is read is written, and what was written
 * is read and written again as the same bytes.
 */
#include "fuzz.h"

/* Write what the reader hands out. 0, or CMW_ERR_INVALID where it is malformed. */
static int copy_params(cmw_sf_reader *reader, cmw_sf_writer *writer, cmw_arena *arena)
{
    cmw_str key;
    cmw_sf_value value;
    int rc;

    while ((rc = cmw_sf_next_param(reader, &key, &value)) > 0) {
        FUZZ_CHECK(cmw_sf_decode(&value, arena) == 0);
        cmw_sf_param(writer, key, &value);
    }
    return rc;
}

static int copy_value(cmw_sf_reader *reader, cmw_sf_writer *writer, cmw_arena *arena,
                      cmw_sf_value *value)
{
    cmw_sf_value inner;
    int rc;

    if (value->type != CMW_SF_INNER_LIST) {
        FUZZ_CHECK(cmw_sf_decode(value, arena) == 0);
        cmw_sf_item(writer, value);
        return copy_params(reader, writer, arena);
    }
    cmw_sf_inner_begin(writer);
    while ((rc = cmw_sf_next_inner(reader, &inner)) > 0) {
        FUZZ_CHECK(cmw_sf_decode(&inner, arena) == 0);
        cmw_sf_item(writer, &inner);
        if (copy_params(reader, writer, arena) != 0)
            return CMW_ERR_INVALID;
    }
    cmw_sf_inner_end(writer);
    return rc != 0 ? rc : copy_params(reader, writer, arena);
}

static int copy_field(cmw_str field, unsigned kind, cmw_sf_writer *writer, cmw_arena *arena)
{
    cmw_sf_reader reader;
    cmw_sf_value value;
    cmw_str key;
    int rc;

    cmw_sf_reader_init(&reader, field);
    for (;;) {
        rc = kind == CMW_SF_DICTIONARY ? cmw_sf_next_member(&reader, &key, &value)
             : kind == CMW_SF_LIST     ? cmw_sf_next_item(&reader, &value)
                                       : cmw_sf_only_item(&reader, &value);
        if (rc <= 0)
            return rc;
        if (kind == CMW_SF_DICTIONARY)
            cmw_sf_key(writer, key);
        if (copy_value(&reader, writer, arena, &value) != 0)
            return CMW_ERR_INVALID;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static cmw_test *bench;
    static cmw_arena *arena;
    cmw_sf_writer writer;
    cmw_str once, twice;

    if (size == 0)
        return 0;
    if (!bench) {
        bench = fuzz_open(NULL, NULL);
        FUZZ_CHECK(cmw_arena_create(&arena, cmw_engine_pool(cmw_test_engine(bench), CMW_POOL_PLAN),
                                    0) == 0);
    }
    const cmw_str field = cmw_str_make((const char *)data + 1, size - 1);
    const unsigned kind = data[0] % 3;
    const size_t cap = 4 * size + 16;
    char *const room = malloc(2 * cap);
    const cmw_arena_mark mark = cmw_arena_get_mark(arena);

    FUZZ_CHECK(room != NULL);
    cmw_sf_writer_init(&writer, room, cap);
    const int rc = copy_field(field, kind, &writer, arena);
    FUZZ_CHECK(cmw_sf_check(field, (cmw_sf_kind)kind) == rc);
    if (rc == 0) {
        FUZZ_CHECK(cmw_sf_writer_finish(&writer, &once) == 0);
        cmw_sf_writer_init(&writer, room + cap, cap);
        FUZZ_CHECK(copy_field(once, kind, &writer, arena) == 0);
        FUZZ_CHECK(cmw_sf_writer_finish(&writer, &twice) == 0);
        FUZZ_CHECK(cmw_str_equals(once, twice));
    }
    FUZZ_CHECK(cmw_arena_rewind(arena, mark) == 0);
    free(room);
    return 0;
}
