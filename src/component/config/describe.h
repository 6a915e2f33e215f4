/* SPDX-License-Identifier: MIT */
/* Option tables as JSON values: what the schema and the list of kinds are made of. */
#ifndef CMW_CONFIG_DESCRIBE_H
#define CMW_CONFIG_DESCRIBE_H

#include "document_state.h"

/* Values are jansson's; one that could not be made is noted once, for the end. */
struct describer {
    cmw_arena *arena; /* for structs that hold defaults */
    int is_out_of_memory;
};

/* Add to an object or an array, which take over the value. */
void cmw__put(struct describer *to, json_t *object, const char *key, json_t *value);
void cmw__push(struct describer *to, json_t *array, json_t *value);

/* What jansson made; NULL is noted. */
json_t *cmw__made(struct describer *to, json_t *value);

/* "int", "text_list", ...: as `catzilla-mw list --json` says; NULL: no type that is known. */
const char *cmw__type_word(const cmw_option *option);

/* The texts of "keep|strip|add", as an array. */
json_t *cmw__choices(struct describer *to, const cmw_option *option);

/* What stands in a struct that holds its defaults, or NULL where there is nothing to say: a secret,
 * a text or list that is not set, an object. */
json_t *cmw__default_of(struct describer *to, const cmw_option *option, const void *object);

/* A struct with its defaults; NULL without memory. */
const void *cmw__defaults(struct describer *to, size_t size, void (*init)(void *object));

/* Write a value that is then given up, indented, with a newline at its end. CMW_ERR_NOMEM if
 * anything was lacking, or what `write` returned. */
int cmw__write_json(struct describer *from, json_t *value, cmw_write_fn *write, void *self);

#endif /* CMW_CONFIG_DESCRIBE_H */
