/* SPDX-License-Identifier: MIT */
/*
 * sf_parse and sf_serialize. A field that is read is written again; of keys that come twice the
 * last one counts, at the place of the first, so members and parameters are collected before.
 */
#include <catzilla/mw.h>

#include <math.h>
#include <stdlib.h>

#include "vectors.h"

enum { MEMBER_CAP = 2048, FIELD_CAP = 1 << 16 };

/* A member or parameter: its key, its value, and the reader behind it. */
struct member {
    cmw_str key;
    cmw_sf_value value;
    cmw_sf_reader behind;
};

/* What both answers need: an arena, and room for the field. */
struct bench {
    cmw_engine *engine;
    cmw_arena *arena;
    char room[FIELD_CAP];
};

static struct bench *open_bench(void)
{
    struct bench *const bench = malloc(sizeof *bench);

    if (!bench || cmw_engine_create(&bench->engine, NULL) != 0 ||
        cmw_arena_create(&bench->arena, cmw_engine_pool(bench->engine, CMW_POOL_PLAN), 0) != 0)
        abort();
    return bench;
}

static void close_bench(struct bench *bench)
{
    cmw_arena_destroy(bench->arena);
    (void)cmw_engine_destroy(bench->engine);
    free(bench);
}

static void put_answer(json_t *answer, cmw_sf_writer *writer, int rc)
{
    cmw_str field;

    if (rc == 0)
        rc = cmw_sf_writer_finish(writer, &field);
    if (rc == 0)
        json_object_set_new(answer, "canonical", json_stringn(field.data, field.len));
    else
        json_object_set_new(answer, "fail", json_true());
}

/* ---- sf_parse --------------------------------------------------------------------------- */

static void keep(struct member *members, size_t *count, const struct member *next)
{
    size_t at = 0;

    while (at < *count && !cmw_str_equals(members[at].key, next->key))
        at++;
    if (at == MEMBER_CAP)
        abort();
    members[at] = *next;
    *count += at == *count;
}

static int copy_params(struct bench *bench, cmw_sf_reader *reader, cmw_sf_writer *writer)
{
    struct member *const params = malloc(MEMBER_CAP * sizeof *params);
    struct member next;
    size_t count = 0;
    int rc;

    if (!params)
        abort();
    while ((rc = cmw_sf_next_param(reader, &next.key, &next.value)) > 0)
        keep(params, &count, &next);
    for (size_t i = 0; i < count && rc == 0; i++) {
        rc = cmw_sf_decode(&params[i].value, bench->arena);
        cmw_sf_param(writer, params[i].key, &params[i].value);
    }
    free(params);
    return rc;
}

static int copy_inner(struct bench *bench, cmw_sf_reader *reader, cmw_sf_writer *writer)
{
    cmw_sf_value value;
    int rc;

    cmw_sf_inner_begin(writer);
    while ((rc = cmw_sf_next_inner(reader, &value)) > 0) {
        if (cmw_sf_decode(&value, bench->arena) != 0)
            return CMW_ERR_NOMEM;
        cmw_sf_item(writer, &value);
        if (copy_params(bench, reader, writer) != 0)
            return CMW_ERR_INVALID;
    }
    cmw_sf_inner_end(writer);
    return rc;
}

static int copy_value(struct bench *bench, cmw_sf_reader *reader, cmw_sf_writer *writer,
                      cmw_sf_value *value)
{
    int rc = 0;

    if (value->type == CMW_SF_INNER_LIST)
        rc = copy_inner(bench, reader, writer);
    else if ((rc = cmw_sf_decode(value, bench->arena)) == 0)
        cmw_sf_item(writer, value);
    return rc == 0 ? copy_params(bench, reader, writer) : rc;
}

static int copy_dictionary(struct bench *bench, cmw_str field, cmw_sf_writer *writer)
{
    struct member *const members = malloc(MEMBER_CAP * sizeof *members);
    struct member next;
    cmw_sf_reader reader;
    size_t count = 0;
    int rc;

    if (!members)
        abort();
    cmw_sf_reader_init(&reader, field);
    while ((rc = cmw_sf_next_member(&reader, &next.key, &next.value)) > 0) {
        next.behind = reader;
        keep(members, &count, &next);
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        cmw_sf_key(writer, members[i].key);
        rc = copy_value(bench, &members[i].behind, writer, &members[i].value);
    }
    free(members);
    return rc;
}

static int copy_others(struct bench *bench, cmw_str field, cmw_sf_writer *writer, int is_list)
{
    cmw_sf_reader reader;
    cmw_sf_value value;
    int rc;

    cmw_sf_reader_init(&reader, field);
    while ((rc = is_list ? cmw_sf_next_item(&reader, &value) : cmw_sf_only_item(&reader, &value)) >
           0)
        if (copy_value(bench, &reader, writer, &value) != 0)
            return CMW_ERR_INVALID;
    return rc;
}

/* As cmw_request_joined would. */
static cmw_str join(struct bench *bench, const json_t *lines)
{
    const json_t *line;
    size_t index, len = 0;
    char *text = cmw_arena_alloc_text(bench->arena, FIELD_CAP);

    if (!text)
        abort();
    json_array_foreach(lines, index, line)
    {
        if (json_string_length(line) > FIELD_CAP - 2 - len)
            abort();
        if (index > 0) {
            text[len++] = ',';
            text[len++] = ' ';
        }
        memcpy(text + len, json_string_value(line), json_string_length(line));
        len += json_string_length(line);
    }
    return cmw_str_make(text, len);
}

void answer_sf_parse(const json_t *input, json_t *answer)
{
    struct bench *const bench = open_bench();
    const cmw_str field = join(bench, json_object_get(input, "raw"));
    const char *const type = json_string_value(json_object_get(input, "type"));
    cmw_sf_writer writer;

    cmw_sf_writer_init(&writer, bench->room, sizeof bench->room);
    put_answer(answer, &writer,
               strcmp(type, "dictionary") == 0
                   ? copy_dictionary(bench, field, &writer)
                   : copy_others(bench, field, &writer, strcmp(type, "list") == 0));
    close_bench(bench);
}

/* ---- sf_serialize: the suite's own JSON ------------------------------------------------- */

static cmw_str text_of(const json_t *json)
{
    return cmw_str_make(json_string_value(json), json_string_length(json));
}

/* RFC 4648, 6. */
static cmw_str decode_base32(struct bench *bench, cmw_str text)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    char *const to = cmw_arena_alloc_text(bench->arena, text.len);
    uint32_t bits = 0;
    unsigned bit_count = 0;
    size_t len = 0;

    for (size_t i = 0; to && i < text.len && text.data[i] != '='; i++) {
        bits = bits << 5 | (uint32_t)(strchr(digits, text.data[i]) - digits);
        bit_count += 5;
        if (bit_count >= 8)
            to[len++] = (char)(bits >> (bit_count -= 8) & 0xff);
    }
    return cmw_str_make(to, len);
}

static cmw_sf_value typed_value(struct bench *bench, const json_t *json)
{
    const json_t *const value = json_object_get(json, "value");
    const cmw_str type = text_of(json_object_get(json, "__type"));

    if (cmw_str_equals(type, CMW_STR("date")))
        return cmw_sf_number(CMW_SF_DATE, json_integer_value(value));
    if (cmw_str_equals(type, CMW_STR("token")))
        return cmw_sf_text(CMW_SF_TOKEN, text_of(value));
    if (cmw_str_equals(type, CMW_STR("binary")))
        return cmw_sf_text(CMW_SF_BYTES, decode_base32(bench, text_of(value)));
    return cmw_sf_text(CMW_SF_DISPLAY_STRING, text_of(value));
}

static cmw_sf_value value_of(struct bench *bench, const json_t *json)
{
    if (json_is_object(json))
        return typed_value(bench, json);
    if (json_is_string(json))
        return cmw_sf_text(CMW_SF_STRING, text_of(json));
    if (json_is_boolean(json))
        return cmw_sf_number(CMW_SF_BOOLEAN, json_is_true(json));
    if (json_is_integer(json))
        return cmw_sf_number(CMW_SF_INTEGER, json_integer_value(json));
    /* rint rounds halves to even, as RFC 9651, 4.1.5 wants it. */
    return cmw_sf_number(CMW_SF_DECIMAL, (int64_t)rint(json_real_value(json) * 1000));
}

static void write_member(struct bench *bench, cmw_sf_writer *writer, const json_t *member);

static void write_value(struct bench *bench, cmw_sf_writer *writer, const json_t *json)
{
    const json_t *item;
    size_t index;

    if (!json_is_array(json)) {
        const cmw_sf_value value = value_of(bench, json);
        cmw_sf_item(writer, &value);
        return;
    }
    cmw_sf_inner_begin(writer);
    json_array_foreach(json, index, item) write_member(bench, writer, item);
    cmw_sf_inner_end(writer);
}

/* [value, [[key, value], ...]] */
static void write_member(struct bench *bench, cmw_sf_writer *writer, const json_t *member)
{
    const json_t *param;
    size_t index;

    write_value(bench, writer, json_array_get(member, 0));
    json_array_foreach(json_array_get(member, 1), index, param)
    {
        const cmw_sf_value value = value_of(bench, json_array_get(param, 1));
        cmw_sf_param(writer, text_of(json_array_get(param, 0)), &value);
    }
}

static void write_members(struct bench *bench, cmw_sf_writer *writer, const json_t *members,
                          int is_dictionary)
{
    const json_t *member;
    size_t index;

    json_array_foreach(members, index, member)
    {
        if (is_dictionary)
            cmw_sf_key(writer, text_of(json_array_get(member, 0)));
        write_member(bench, writer, is_dictionary ? json_array_get(member, 1) : member);
    }
}

void answer_sf_serialize(const json_t *input, json_t *answer)
{
    struct bench *const bench = open_bench();
    const char *const type = json_string_value(json_object_get(input, "type"));
    const json_t *const value = json_object_get(input, "value");
    cmw_sf_writer writer;

    cmw_sf_writer_init(&writer, bench->room, sizeof bench->room);
    if (strcmp(type, "item") == 0)
        write_member(bench, &writer, value);
    else
        write_members(bench, &writer, value, strcmp(type, "dictionary") == 0);
    put_answer(answer, &writer, 0);
    close_bench(bench);
}
