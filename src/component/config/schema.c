/* SPDX-License-Identifier: MIT */
/*
 * The JSON Schema of documents, from the tables that the reader reads by.
 *
 * Editors complete and check by it. It says what a document looks like; what only `create` knows
 * (an origin without a scheme) and the order are beyond it.
 */
#include "describe.h"
#include "item.h"

#include <stdio.h>

static json_t *of_table(struct describer *to, const cmw_option *options, size_t count,
                        const void *defaults);

static json_t *of_type(const char *type)
{
    return json_pack("{s:s}", "type", type);
}

/* One text stands for a list of one. */
static json_t *of_texts(void)
{
    return json_pack("{s:[s,s], s:{s:s}}", "type", "array", "string", "items", "type", "string");
}

static json_t *of_map(json_t *of_value)
{
    return json_pack("{s:s, s:o}", "type", "object", "additionalProperties", of_value);
}

static json_t *of_int(struct describer *to, const cmw_option *option)
{
    json_t *const schema = of_type("integer");

    if (option->min != option->max) {
        cmw__put(to, schema, "minimum", json_integer(option->min));
        cmw__put(to, schema, "maximum", json_integer(option->max));
    }
    return schema;
}

static json_t *of_members(struct describer *to, const cmw_option *option)
{
    return of_table(to, option->members, option->member_count,
                    cmw__defaults(to, option->object_size, option->object_init));
}

static json_t *of_value(struct describer *to, const cmw_option *option)
{
    switch (option->type) {
    case CMW_OPTION_BOOL:
    case CMW_OPTION_SWITCH:
        return of_type("boolean");
    case CMW_OPTION_INT:
        return of_int(to, option);
    case CMW_OPTION_TEXT:
        return of_type("string");
    case CMW_OPTION_TEXT_LIST:
        return of_texts();
    case CMW_OPTION_CHOICE:
        return json_pack("{s:o}", "enum", cmw__choices(to, option));
    case CMW_OPTION_TEXT_MAP:
        return of_map(of_type("string"));
    case CMW_OPTION_LIST_MAP:
        return of_map(of_texts());
    case CMW_OPTION_OBJECT:
        return of_members(to, option);
    case CMW_OPTION_OBJECT_LIST:
        return json_pack("{s:s, s:o}", "type", "array", "items", of_members(to, option));
    }
    return json_object(); /* CMW__OPTION_ANY: the caller says more */
}

static json_t *of_row(struct describer *to, const cmw_option *option, const void *defaults)
{
    json_t *const schema = of_value(to, option);
    json_t *const value = cmw__default_of(to, option, defaults);

    if (option->help)
        cmw__put(to, schema, "description", json_string(option->help));
    if (value)
        cmw__put(to, schema, "default", value);
    if (option->flags & CMW_OPTION_SECRET)
        cmw__put(to, schema, "writeOnly", json_true());
    return schema;
}

/* The rows of one name: any of them. */
static void add_row(struct describer *to, json_t *properties, const char *name, json_t *schema)
{
    json_t *const other = json_object_get(properties, name);
    json_t *const forms = json_object_get(other, "anyOf");

    if (!other)
        cmw__put(to, properties, name, schema);
    else if (forms)
        cmw__push(to, forms, schema);
    else
        cmw__put(to, properties, name, json_pack("{s:[O,o]}", "anyOf", other, schema));
}

static json_t *of_table(struct describer *to, const cmw_option *options, size_t count,
                        const void *defaults)
{
    json_t *const properties = json_object();
    json_t *const required = cmw__made(to, json_array());

    for (size_t i = 0; i < count; i++) {
        if (options[i].flags & CMW_OPTION_REQUIRED && !json_object_get(properties, options[i].name))
            cmw__push(to, required, json_string(options[i].name));
        add_row(to, properties, options[i].name, of_row(to, &options[i], defaults));
    }
    const int has_required = json_array_size(required) > 0;
    json_t *const schema = json_pack("{s:s, s:o}", "type", "object", "properties", properties);
    if (has_required)
        cmw__put(to, schema, "required", required);
    else
        json_decref(required);
    cmw__put(to, schema, "additionalProperties", json_false());
    return schema;
}

/* ---- The document ----------------------------------------------------------------------- */

static json_t *reference(const char *definition)
{
    return json_pack("{s:s+}", "$ref", "#/$defs/", definition);
}

/* Give a property whose value is another's business its schema, beside the description. */
static void refine(struct describer *to, json_t *schema, const char *property, json_t *more)
{
    json_t *const at = json_object_get(json_object_get(schema, "properties"), property);

    if (!more || json_object_update(at, more) != 0)
        to->is_out_of_memory = 1;
    json_decref(more);
}

/* Options that must be given must be given some place. */
static int needs_options(const cmw_kind *kind)
{
    for (size_t i = 0; i < kind->option_count; i++)
        if (kind->options[i].flags & CMW_OPTION_REQUIRED)
            return 1;
    return 0;
}

static json_t *of_kind(struct describer *to, const cmw_kind *kind)
{
    json_t *const schema = of_table(to, kind->options, kind->option_count,
                                    cmw__defaults(to, kind->config_size, kind->config_init));

    if (kind->summary)
        cmw__put(to, schema, "description", json_string(kind->summary));
    return schema;
}

/* If the kind is this one, its options are these. */
static json_t *of_choice(struct describer *to, const cmw_kind *kind)
{
    json_t *const then = json_pack("{s:{s:{s:s+}}}", "properties", "options", "$ref",
                                   "#/$defs/options.", kind->name);

    if (needs_options(kind))
        cmw__put(to, then, "required", json_pack("[s]", "options"));
    return json_pack("{s:{s:{s:{s:s}}}, s:o}", "if", "properties", "use", "const", kind->name,
                     "then", then);
}

static void add_kinds(struct describer *to, json_t *definitions, json_t *use, cmw_engine *engine)
{
    json_t *const names = json_array();
    json_t *const choices = json_array();
    const cmw_kind *kind;

    for (size_t i = 0; (kind = cmw_kind_at(engine, i)) != NULL; i++) {
        char key[256];
        const int len = snprintf(key, sizeof key, "options.%s", kind->name);
        if (len < 0 || (size_t)len >= sizeof key)
            continue; /* no file names such a kind by hand */
        cmw__push(to, names, json_string(kind->name));
        cmw__push(to, choices, of_choice(to, kind));
        cmw__put(to, definitions, key, of_kind(to, kind));
    }
    refine(to, use, "use", json_pack("{s:o}", "enum", names));
    cmw__put(to, use, "allOf", choices);
}

static json_t *of_definitions(struct describer *to, cmw_engine *engine)
{
    json_t *const definitions = json_object();
    json_t *const use = of_table(to, cmw__use_options, cmw__use_option_count, NULL);
    json_t *const group = of_table(to, cmw__group_options, cmw__group_option_count, NULL);

    refine(to, use, "options", of_type("object"));
    refine(to, group, "middleware", reference("items"));
    cmw__put(to, definitions, "items",
             json_pack("{s:s, s:{s:{s:[s]}, s:o, s:o}}", "type", "array", "items", "if", "required",
                       "group", "then", reference("group"), "else", reference("use")));
    cmw__put(to, definitions, "use", use);
    cmw__put(to, definitions, "group", group);
    add_kinds(to, definitions, use, engine);
    return definitions;
}

/* "middleware" beside what the program requires. */
static json_t *required_members(struct describer *to, const json_t *table)
{
    json_t *const required = json_array();

    if (json_object_get(table, "required") &&
        json_array_extend(required, json_object_get(table, "required")) != 0)
        to->is_out_of_memory = 1;
    cmw__push(to, required, json_string("middleware"));
    return required;
}

static json_t *of_document(struct describer *to, const cmw_document_config *config,
                           cmw_engine *engine)
{
    json_t *const schema = json_object();
    json_t *const own = of_table(to, config->members, config->member_count, NULL);
    json_t *const properties = json_object_get(own, "properties");

    cmw__put(to, properties, "$schema", of_type("string"));
    cmw__put(to, properties, "engine",
             of_table(to, cmw__engine_options, cmw__engine_option_count, NULL));
    cmw__put(to, properties, "middleware", reference("items"));

    cmw__put(to, schema, "$schema", json_string("https://json-schema.org/draft/2020-12/schema"));
    cmw__put(to, schema, "title", json_string("A chain of libcatzilla-mw"));
    if (json_object_update(schema, own) != 0)
        to->is_out_of_memory = 1;
    cmw__put(to, schema, "required", required_members(to, own));
    cmw__put(to, schema, "$defs", of_definitions(to, engine));
    json_decref(own);
    return schema;
}

int cmw_schema_write(cmw_engine *engine, const cmw_document_config *config, cmw_write_fn *write,
                     void *self)
{
    struct describer describer = {NULL, 0};
    cmw_document_config own;

    if (!engine || !write)
        return CMW_ERR_ARG;
    cmw_document_config_init(&own);
    int rc = cmw_config_adopt(&own, config);
    if (rc == 0)
        rc = cmw_arena_create(&describer.arena, cmw_engine_pool(engine, CMW_POOL_PLAN), 0);
    if (rc != 0)
        return rc;
    rc = cmw__write_json(&describer, of_document(&describer, &own, engine), write, self);
    cmw_arena_destroy(describer.arena);
    return rc;
}
