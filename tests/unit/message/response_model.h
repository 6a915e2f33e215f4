/* SPDX-License-Identifier: MIT */
/*
 * A response as a plain list of fields, to compare the real one with.
 */
#ifndef CMW_TESTS_RESPONSE_MODEL_H
#define CMW_TESTS_RESPONSE_MODEL_H

#include <stdio.h>
#include <strings.h>

#include "message_fixture.h"

enum { MODEL_MAX = 256 };

struct model_field {
    const char *name; /* as it is written */
    char value[64];
};

struct model {
    struct model_field fields[MODEL_MAX];
    size_t count;
};

static inline int model_has(const struct model *model, const char *name)
{
    for (size_t i = 0; i < model->count; i++) {
        if (strcasecmp(model->fields[i].name, name) == 0)
            return 1;
    }
    return 0;
}

static inline void model_remove(struct model *model, const char *name)
{
    size_t kept = 0;
    for (size_t i = 0; i < model->count; i++) {
        if (strcasecmp(model->fields[i].name, name) != 0)
            model->fields[kept++] = model->fields[i];
    }
    model->count = kept;
}

static inline void model_append(struct model *model, const char *name, const char *value)
{
    assert_true(model->count < MODEL_MAX);
    model->fields[model->count].name = name;
    (void)snprintf(model->fields[model->count].value, 64, "%s", value);
    model->count++;
}

static inline void model_set(struct model *model, const char *name, const char *value)
{
    model_remove(model, name);
    model_append(model, name, value);
}

/* ---- All readers say the same ------------------------------------------------------------- */

static inline size_t model_write(const struct model *model, char *out)
{
    char *at = out;
    for (size_t i = 0; i < model->count; i++)
        at += sprintf(at, "%s: %s\r\n", model->fields[i].name, model->fields[i].value);
    return (size_t)(at - out);
}

static inline void expect_pairs(const cmw_response *response, const struct model *model,
                                unsigned flags)
{
    cmw_header_cursor cursor = {0, 0};
    cmw_header header;

    for (size_t i = 0; i < model->count; i++) {
        assert_int_equal(cmw_response_next_header(response, &cursor, &header, flags), 1);
        assert_int_equal(header.name.len, strlen(model->fields[i].name));
        assert_true(cmw_str_equals_fold(header.name, cmw_str_cstr(model->fields[i].name)));
        for (size_t k = 0; flags && k < header.name.len; k++)
            assert_false(header.name.data[k] >= 'A' && header.name.data[k] <= 'Z');
        if (!flags)
            assert_cstr(header.name, model->fields[i].name);
        assert_cstr(header.value, model->fields[i].value);
    }
    assert_int_equal(cmw_response_next_header(response, &cursor, &header, flags), 0);
}

static inline void expect_field(const cmw_field *field, const char *name, const char *value)
{
    assert_cstr(field->name, name);
    assert_cstr(field->value, value);
    assert_int_equal(field->id, cmw_header_id_find(cmw_str_cstr(name)));
    for (size_t i = 0; i < field->name.len; i++) {
        const char c = name[i];
        assert_int_equal(field->lower[i], c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    if (field->has_nul) {
        assert_int_equal(field->name.data[field->name.len], '\0');
        assert_int_equal(field->value.data[field->value.len], '\0');
    }
}

static inline void expect_runs(const cmw_response *response, const struct model *model)
{
    cmw_field_cursor cursor = {0};
    const cmw_field *fields;
    size_t count, at = 0;

    while ((count = cmw_response_next_fields(response, &cursor, &fields)) > 0)
        for (size_t i = 0; i < count; i++, at++) {
            assert_true(at < model->count);
            expect_field(&fields[i], model->fields[at].name, model->fields[at].value);
        }
    assert_int_equal(at, model->count);
}

/* A walk that meets the model's fields, as far as its end. */
struct cstr_walk {
    const struct model *model;
    size_t at;
    size_t end;
};

static inline int meet_cstr(void *self, const char *name, const char *value)
{
    struct cstr_walk *walk = self;

    assert_true(walk->at < walk->model->count);
    assert_string_equal(name, walk->model->fields[walk->at].name);
    assert_string_equal(value, walk->model->fields[walk->at].value);
    return ++walk->at == walk->end ? 7 : 0;
}

/* All, and as many as there are before somebody says stop. */
static inline void expect_cstr(const cmw_response *response, const struct model *model)
{
    cmw_response *const shown = (cmw_response *)(uintptr_t)response;

    for (size_t end = 0; response->arena && end <= model->count; end++) {
        struct cstr_walk walk = {model, 0, end};
        assert_int_equal(cmw_response_visit_cstr(shown, meet_cstr, &walk), end > 0 ? 7 : 0);
        assert_int_equal(walk.at, end > 0 ? end : model->count);
    }
}

static inline void expect_slices(const cmw_response *response, cmw_str expected)
{
    cmw_str slices[MODEL_MAX];
    size_t count, at = 0;

    assert_int_equal(cmw_response_head_slices(response, &count, slices, MODEL_MAX, NULL, 0), 0);
    for (size_t i = 0; i < count; i++) {
        assert_true(slices[i].len <= expected.len - at);
        assert_memory_equal(slices[i].data, expected.data + at, slices[i].len);
        at += slices[i].len;
    }
    assert_int_equal(at, expected.len);
}

/* The bitmap names exactly the ids that are there. */
static inline void expect_ids(const cmw_response *response, const struct model *model)
{
    uint64_t ids[2] = {0, 0};

    for (size_t i = 0; i < model->count; i++) {
        const unsigned id = cmw_header_id_find(cmw_str_cstr(model->fields[i].name));
        ids[id / 64] |= UINT64_C(1) << id % 64;
    }
    assert_true(ids[0] == response->ids[0] && ids[1] == response->ids[1]);
}

static inline void expect_model(const cmw_response *response, const struct model *model)
{
    static char expected[MODEL_MAX * 100], got[MODEL_MAX * 100];
    const size_t len = model_write(model, expected);
    size_t got_len;

    assert_int_equal(cmw_response_write_head(response, &got_len, got, sizeof got, 0), 0);
    assert_str(cmw_str_make(got, got_len), cmw_str_make(expected, len));
    expect_pairs(response, model, 0);
    expect_pairs(response, model, CMW_READ_LOWER_CASE);
    expect_cstr(response, model); /* the others see that all was put back */
    expect_runs(response, model);
    expect_slices(response, cmw_str_make(expected, len));
    expect_ids(response, model);
}

/* The fields of a response as text, for tests of one step. */
static inline void expect_fields(const cmw_response *response, const char *expected)
{
    char got[2048];
    size_t len;

    assert_int_equal(cmw_response_write_head(response, &len, got, sizeof got, 0), 0);
    assert_cstr(cmw_str_make(got, len), expected);
}

#endif /* CMW_TESTS_RESPONSE_MODEL_H */
