/* SPDX-License-Identifier: MIT */
/* The kinds of an engine, with their options: for people, or as JSON. */
#include "describe.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- As JSON ---------------------------------------------------------------------------- */

static json_t *of_rows(struct describer *to, const cmw_option *options, size_t count,
                       const void *defaults);

static void put_bounds(struct describer *to, json_t *row, const cmw_option *option)
{
    if (option->type != CMW_OPTION_INT || option->min == option->max)
        return;
    cmw__put(to, row, "min", json_integer(option->min));
    cmw__put(to, row, "max", json_integer(option->max));
}

static json_t *of_row(struct describer *to, const cmw_option *option, const void *defaults)
{
    json_t *const row =
        json_pack("{s:s, s:s}", "name", option->name, "type", cmw__type_word(option));
    json_t *const value = cmw__default_of(to, option, defaults);

    put_bounds(to, row, option);
    if (option->type == CMW_OPTION_CHOICE)
        cmw__put(to, row, "choices", cmw__choices(to, option));
    if (value)
        cmw__put(to, row, "default", value);
    if (option->flags & CMW_OPTION_REQUIRED)
        cmw__put(to, row, "required", json_true());
    if (option->flags & CMW_OPTION_SECRET)
        cmw__put(to, row, "secret", json_true());
    if (option->help)
        cmw__put(to, row, "help", json_string(option->help));
    if (option->member_count > 0)
        cmw__put(to, row, "members",
                 of_rows(to, option->members, option->member_count,
                         cmw__defaults(to, option->object_size, option->object_init)));
    return row;
}

static json_t *of_rows(struct describer *to, const cmw_option *options, size_t count,
                       const void *defaults)
{
    json_t *const rows = json_array();

    for (size_t i = 0; i < count; i++)
        if (cmw__type_word(&options[i]))
            cmw__push(to, rows, of_row(to, &options[i], defaults));
    return rows;
}

static json_t *of_kinds(struct describer *to, cmw_engine *engine)
{
    json_t *const kinds = json_array();
    const cmw_kind *kind;

    for (size_t i = 0; (kind = cmw_kind_at(engine, i)) != NULL; i++)
        cmw__push(to, kinds,
                  json_pack("{s:s, s:s, s:o}", "name", kind->name, "summary",
                            kind->summary ? kind->summary : "", "options",
                            of_rows(to, kind->options, kind->option_count,
                                    cmw__defaults(to, kind->config_size, kind->config_init))));
    return kinds;
}

/* ---- For people ------------------------------------------------------------------------- */

struct output {
    cmw_write_fn *write;
    void *self;
    int rc;
};

static void put(struct output *out, const char *text)
{
    if (out->rc == 0 && *text)
        out->rc = out->write(out->self, text, strlen(text));
}

static void put_indent(struct output *out, int depth)
{
    for (int i = 0; i < depth; i++)
        put(out, "    ");
}

static void put_compact(struct output *out, const json_t *value)
{
    char *const text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

    if (text)
        put(out, text);
    else if (out->rc == 0)
        out->rc = CMW_ERR_NOMEM;
    free(text);
}

static void put_type(struct output *out, const json_t *row)
{
    static const char *const words[][2] = {
        {"bool", "true or false"},
        {"int", "whole number"},
        {"text", "text"},
        {"text_list", "list of texts"},
        {"choice", "one of"},
        {"switch", "true or false"},
        {"text_map", "object of texts"},
        {"list_map", "object of lists of texts"},
        {"object", "object"},
        {"object_list", "list of objects"},
    };
    const char *const type = json_string_value(json_object_get(row, "type"));

    for (size_t i = 0; type && i < LEN(words); i++)
        if (strcmp(words[i][0], type) == 0)
            put(out, words[i][1]);
}

/* "  (whole number, 0..2147483647, default 600)" */
static void put_form(struct output *out, const json_t *row)
{
    const json_t *const choices = json_object_get(row, "choices");
    const json_t *const value = json_object_get(row, "default");
    char bounds[64];

    put(out, "  (");
    put_type(out, row);
    for (size_t i = 0; i < json_array_size(choices); i++) {
        put(out, i > 0 ? ", " : " ");
        put(out, json_string_value(json_array_get(choices, i)));
    }
    if (json_object_get(row, "min")) {
        (void)snprintf(bounds, sizeof bounds, ", %lld..%lld",
                       (long long)json_integer_value(json_object_get(row, "min")),
                       (long long)json_integer_value(json_object_get(row, "max")));
        put(out, bounds);
    }
    if (value) {
        put(out, "; default ");
        put_compact(out, value);
    }
    put(out, json_object_get(row, "required") ? "; required" : "");
    put(out, json_object_get(row, "secret") ? "; secret)\n" : ")\n");
}

static void put_rows(struct output *out, const json_t *rows, int depth)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *const row = json_array_get(rows, i);
        const char *const help = json_string_value(json_object_get(row, "help"));
        put_indent(out, depth);
        put(out, json_string_value(json_object_get(row, "name")));
        put_form(out, row);
        if (help) {
            put_indent(out, depth + 1);
            put(out, help);
            put(out, "\n");
        }
        put_rows(out, json_object_get(row, "members"), depth + 1);
    }
}

static int write_text(struct describer *from, json_t *kinds, cmw_write_fn *write, void *self)
{
    struct output out = {write, self, kinds && !from->is_out_of_memory ? 0 : CMW_ERR_NOMEM};

    for (size_t i = 0; i < json_array_size(kinds) && out.rc == 0; i++) {
        const json_t *const kind = json_array_get(kinds, i);
        put(&out, i > 0 ? "\n" : "");
        put(&out, json_string_value(json_object_get(kind, "name")));
        put(&out, ": ");
        put(&out, json_string_value(json_object_get(kind, "summary")));
        put(&out, "\n");
        put_rows(&out, json_object_get(kind, "options"), 1);
    }
    json_decref(kinds);
    return out.rc;
}

int cmw_kinds_write(cmw_engine *engine, cmw_format format, cmw_write_fn *write, void *self)
{
    struct describer describer = {NULL, 0};

    if (!engine || !write)
        return CMW_ERR_ARG;
    int rc = cmw_arena_create(&describer.arena, cmw_engine_pool(engine, CMW_POOL_PLAN), 0);
    if (rc != 0)
        return rc;
    json_t *const kinds = of_kinds(&describer, engine);
    rc = format == CMW_FORMAT_JSON ? cmw__write_json(&describer, kinds, write, self)
                                   : write_text(&describer, kinds, write, self);
    cmw_arena_destroy(describer.arena);
    return rc;
}
